/* SPDX-License-Identifier: Apache-2.0 */
/* test_module_file.c -- a file that dlopen must not see is found, and named in words. */
#include "../../../runtime/src/module/module_file.h"
#include "../../bdd.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *
path_of(const char *name)
{
	static char path[4096];
	const char *folder = getenv("BITACTOR_TEST_MODULES");
	(void)snprintf(path, sizeof path, "%s/%s.so",
	               folder != NULL ? folder : "build/release/tests/modules", name);
	return path;
}

static void
write_file(const char *path, const void *bytes, size_t byte_count)
{
	FILE *file = fopen(path, "wb");
	CHECK(file != NULL);
	if (file == NULL)
		return;
	CHECK_EQ(fwrite(bytes, 1, byte_count, file), byte_count);
	CHECK_EQ(fclose(file), 0);
}

/* A whole module, of `*byte_count` bytes; for free(). */
static char *
read_module(const char *name, size_t *byte_count)
{
	enum { ROOM = 1 << 22 };
	char *bytes = malloc(ROOM);
	FILE *file = fopen(path_of(name), "rb");
	CHECK(bytes != NULL && file != NULL);
	*byte_count = file != NULL && bytes != NULL ? fread(bytes, 1, ROOM, file) : 0;
	CHECK(*byte_count > 4096 && *byte_count < ROOM);
	if (file != NULL)
		(void)fclose(file);
	return bytes;
}

static char folder[] = "/tmp/bitactor-test-XXXXXX", path[64], text[400];

static bitactor_status_t
check(const char *file)
{
	bitactor_error_t error = { 0 };
	bitactor_status_t status = ba_module_file_check(file, &error);
	CHECK_EQ(error.status, status);
	memcpy(text, error.text, sizeof text);
	return status;
}

static void
check_refused(const void *bytes, size_t byte_count, const char *words)
{
	write_file(path, bytes, byte_count);
	CHECK_EQ(check(path), BITACTOR_IO);
	if (strstr(text, words) == NULL)
		printf("\"%s\" has no \"%s\"\n", text, words);
	CHECK(strstr(text, words) != NULL);
	CHECK(strstr(text, path) != NULL);
}

static void
no_files(void)
{
	SCENARIO("what cannot be opened, or is no file") {
		CHECK_EQ(check("/nowhere/m.so"), BITACTOR_IO);
		CHECK(strstr(text, "cannot open module /nowhere/m.so: No such file") != NULL);
		CHECK_EQ(check(folder), BITACTOR_IO);
		CHECK(strstr(text, "is not a file") != NULL);
		CHECK_EQ(check("/dev/zero"), BITACTOR_IO);
		CHECK(strstr(text, "is not a file") != NULL);
		CHECK_EQ(ba_module_file_check(folder, NULL), BITACTOR_IO);
	}
	SCENARIO("a FIFO that nobody writes into does not hold us") {
		CHECK_EQ(mkfifo(path, 0600), 0);
		CHECK_EQ(check(path), BITACTOR_IO);
		CHECK(strstr(text, "is not a file") != NULL);
		CHECK_EQ(unlink(path), 0);
	}
}

static void
wrong_files(void)
{
	size_t byte_count;
	char *bytes = read_module("counter", &byte_count);
	Elf64_Ehdr header; /* as on the 64-bit machines that this test knows */
	memcpy(&header, bytes, sizeof header);
	SCENARIO("a module is a module") {
		CHECK_EQ(check(path_of("counter")), BITACTOR_OK);
	}
	SCENARIO("a file of another sort") {
		static const char source[] = "int main(void) { return 0; }\n";
		check_refused(source, sizeof source - 1, "not a shared object");
		check_refused(source, sizeof source - 1, "cc -fPIC -shared");
		check_refused("", 0, "not a shared object");
		check_refused("\177EL", 3, "not a shared object");
		check_refused("\177ELF", 4, "cut off");
	}
	SCENARIO("an ELF file that is not a shared object of this machine") {
		Elf64_Ehdr changed = header;
#define CHANGED(change, words)                                  \
	do {                                                    \
		changed = header;                               \
		change;                                         \
		memcpy(bytes, &changed, sizeof changed);        \
		check_refused(bytes, byte_count, words);        \
		memcpy(bytes, &header, sizeof header);          \
	} while (0)
		CHANGED(changed.e_type = ET_REL, "not a shared object");
		CHANGED(changed.e_type = ET_EXEC, "not a shared object");
		CHANGED(changed.e_machine = EM_SPARC, "another machine");
		CHANGED(changed.e_ident[EI_CLASS] = ELFCLASS32, "another machine");
		CHANGED(changed.e_phentsize = 1, "not a shared object");
		CHANGED(changed.e_phnum = 0, "cut off");
		CHANGED(changed.e_phnum = 0xFFFF, "cut off");
		CHANGED(changed.e_phoff = UINT64_MAX, "cut off");
		CHANGED(changed.e_phoff = INT64_MAX, "cut off");
#undef CHANGED
	}
	free(bytes);
}

static void
cut_files(void)
{
	SCENARIO("a module cut anywhere is refused as long as dlopen would not live") {
		GIVEN("the first bytes of a module, one fewer each time");
		size_t byte_count, least = 0;
		char *bytes = read_module("counter", &byte_count);
		write_file(path, bytes, byte_count);
		WHEN("they are looked at");
		for (size_t kept = byte_count; kept > 0; kept--) {
			CHECK_EQ(truncate(path, (off_t)kept), 0);
			bool is_whole = check(path) == BITACTOR_OK;
			if (!is_whole && least == 0)
				least = kept + 1;
			CHECK_EQ(is_whole, least == 0);
		}
		THEN("there is one length from which on they are whole, and dlopen takes it");
		printf("         (%zu of %zu bytes)\n", least, byte_count);
		CHECK(least > 4096 && least <= byte_count);
		CHECK_EQ(unlink(path), 0);
		write_file(path, bytes, least);
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (handle == NULL)
			printf("%s\n", dlerror());
		CHECK(handle != NULL && dlsym(handle, "bitactor_module_v1") != NULL);
		if (handle != NULL)
			(void)dlclose(handle);
		free(bytes);
	}
}

int
main(void)
{
	if (getenv("BITACTOR_TEST_MODULES") == NULL && access(path_of("counter"), R_OK) != 0) {
		printf("no modules in %s; set BITACTOR_TEST_MODULES\n", path_of(""));
		return 77;
	}
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof path, "%s/m.so", folder);
	no_files();
	wrong_files();
	cut_files();
	(void)unlink(path);
	(void)rmdir(folder);
	return bdd_close();
}
