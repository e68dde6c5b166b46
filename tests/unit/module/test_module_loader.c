/* SPDX-License-Identifier: Apache-2.0 */
/* test_module_loader.c -- real modules, right and wrong, from the file to the handler.
 *
 * They are tests/modules/NAME.c; BITACTOR_TEST_MODULES names the folder of their
 * .so files.
 */
#include "../../bdd.h"

#include <bitactor/module_loader.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

static bitactor_status_t
load(const char *path, bitactor_loaded_t **loaded, bitactor_error_t *error)
{
	*error = (bitactor_error_t){ 0 };
	*loaded = (bitactor_loaded_t *)(uintptr_t)64; /* must not stay */
	bitactor_status_t status = bitactor_module_load(path, loaded, error);
	CHECK_EQ((*loaded == NULL), (status != BITACTOR_OK));
	CHECK_EQ(error->status, status);
	return status;
}

static bool
has(const bitactor_error_t *error, const char *words)
{
	if (strstr(error->text, words) != NULL)
		return true;
	printf("the error is: %s\n", error->text);
	return false;
}

/* ---- opening --------------------------------------------------------------- */

static void
not_modules(void)
{
	bitactor_loaded_t *loaded;
	bitactor_error_t error;
	SCENARIO("what is no module is refused, and what to do is said") {
		CHECK_EQ(load("/nowhere/at all.so", &loaded, &error), BITACTOR_IO);
		CHECK(has(&error, "/nowhere/at all.so") && has(&error, "No such file"));
		CHECK_EQ(error.os_error, ENOENT);
		CHECK_EQ(load("nowhere.so", &loaded, &error), BITACTOR_IO);
		CHECK(has(&error, "./nowhere.so"));
		CHECK_EQ(load("/", &loaded, &error), BITACTOR_IO);
		CHECK(has(&error, "not a file"));
		CHECK_EQ(load("/dev/null", &loaded, &error), BITACTOR_IO);
		CHECK(has(&error, "not a file"));
		CHECK_EQ(load("", &loaded, &error), BITACTOR_ERROR);
		CHECK_EQ(load(NULL, &loaded, &error), BITACTOR_ERROR);
		CHECK_EQ(bitactor_module_load("x", NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(load(path_of("no_symbol"), &loaded, &error), BITACTOR_UNSUPPORTED);
		CHECK(has(&error, "no symbol bitactor_module_v1"));
		CHECK_EQ(load(path_of("wrong_abi"), &loaded, &error), BITACTOR_UNSUPPORTED);
		CHECK(has(&error, "abi 2, this program knows 1"));
		CHECK_EQ(load(path_of("small_struct"), &loaded, &error), BITACTOR_ERROR);
		CHECK(has(&error, "struct_bytes"));
		CHECK_EQ(load(path_of("wrong_name"), &loaded, &error), BITACTOR_ERROR);
		CHECK(has(&error, "module wrong_name: the name of kind 0, \"two words\""));
	}
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

static void
files(void)
{
	char folder[] = "/tmp/bitactor-test-XXXXXX", path[64], cwd[4096];
	CHECK(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof path, "%s/m.so", folder);
	bitactor_loaded_t *loaded;
	bitactor_error_t error;
	size_t byte_count;
	char *bytes = read_module("counter", &byte_count);
	SCENARIO("a module that is cut off does not kill the program") {
		GIVEN("the first bytes of a module, more and more of them");
		WHEN("it is loaded");
		THEN("it is refused with a reason, or it is whole enough and loads");
		for (size_t kept = 0; kept < byte_count; kept += 1 + byte_count / 64) {
			write_file(path, bytes, kept);
			bitactor_status_t status = load(path, &loaded, &error);
			CHECK(status == BITACTOR_IO || status == BITACTOR_OK);
			bitactor_module_unload(loaded);
			CHECK_EQ(unlink(path), 0); /* or the linker takes it for the next */
		}
	}
	SCENARIO("a name without a slash is a file of the working directory") {
		write_file(path, bytes, byte_count);
		CHECK(getcwd(cwd, sizeof cwd) != NULL);
		CHECK_EQ(chdir(folder), 0);
		CHECK_EQ(load("m.so", &loaded, &error), BITACTOR_OK);
		bitactor_module_unload(loaded);
		CHECK_EQ(chdir(cwd), 0);
	}
	SCENARIO("what else the dynamic linker does not take") {
		GIVEN("a module for an operating system that there is none of");
		bytes[7] = 77; /* EI_OSABI */
		CHECK_EQ(unlink(path), 0);
		write_file(path, bytes, byte_count);
		WHEN("it is loaded");
		THEN("the linker's reason is passed on");
		CHECK_EQ(load(path, &loaded, &error), BITACTOR_IO);
		CHECK(has(&error, "cannot load module"));
		CHECK(has(&error, path));
	}
	free(bytes);
	(void)unlink(path);
	(void)rmdir(folder);
}

/* ---- looking and setting --------------------------------------------------- */

static void
looking(void)
{
	static const char schema[] = "schema\t1\n"
	                             "kind\t0\tadd\n"
	                             "field\tamount\tmm\tpayload\t0\t32\tsigned\t-3\n"
	                             "field\turgent\t\tcontext\t0\t1\tflag\t0\n"
	                             "kind\t1\tget\n"
	                             "kind\t2\tsilent\n"
	                             "kind\t3\task\n"
	                             "port\t0\tlog\n"
	                             "port\t1\tsum\n";
	bitactor_loaded_t *loaded;
	bitactor_error_t error;
	SCENARIO("a module says what it is") {
		CHECK_EQ(load(path_of("counter"), &loaded, &error), BITACTOR_OK);
		const bitactor_module_t *table = bitactor_module_table(loaded);
		CHECK(table != NULL && strcmp(table->name, "counter") == 0);
		size_t text_bytes = 0;
		const char *text = bitactor_module_schema(loaded, &text_bytes);
		CHECK(text != NULL && strcmp(text, schema) == 0);
		CHECK_EQ(text_bytes, sizeof schema - 1);
		CHECK(bitactor_module_schema(loaded, NULL) == text);
		bitactor_kind_names_t kinds = bitactor_module_kinds(loaded);
		CHECK_EQ(kinds.count, 4);
		CHECK_EQ(bitactor_kind_find(&kinds, "silent"), 2);
		bitactor_module_unload(loaded);
	}
	SCENARIO("nothing is loaded") {
		size_t text_bytes = 7;
		CHECK(bitactor_module_table(NULL) == NULL);
		CHECK(bitactor_module_schema(NULL, &text_bytes) == NULL);
		CHECK_EQ(text_bytes, 0);
		CHECK_EQ(bitactor_module_kinds(NULL).count, 0);
		CHECK_EQ(bitactor_module_param(NULL, 0), 0);
		CHECK_EQ(bitactor_module_set(NULL, "x", 0, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_module_start(NULL, NULL, NULL), BITACTOR_ERROR);
		bitactor_module_report(NULL, NULL, NULL);
		bitactor_module_unload(NULL);
	}
}

static void
setting(void)
{
	static const struct {
		const char       *name;
		int64_t           value;
		bitactor_status_t expected;
		const char       *words;
	} rows[] = {
		{ "factor", 1, BITACTOR_OK, "" },
		{ "factor", 100, BITACTOR_OK, "" },
		{ "factor", 0, BITACTOR_ERROR, "factor is 0, not in 1 to 100" },
		{ "factor", 101, BITACTOR_ERROR, "factor is 101, not in 1 to 100" },
		{ "factor", INT64_MIN, BITACTOR_ERROR, "is -9223372036854775808, not in" },
		{ "offset", INT64_MIN, BITACTOR_OK, "" },
		{ "offset", INT64_MAX, BITACTOR_OK, "" },
		{ "facotr", 5, BITACTOR_ERROR, "\"facotr\"; did you mean \"factor\"?" },
		{ "speed", 5, BITACTOR_ERROR, "counter has no parameter \"speed\"" },
		{ "", 5, BITACTOR_ERROR, "no parameter \"\"" },
	};
	bitactor_loaded_t *loaded;
	bitactor_error_t error;
	SCENARIO("a parameter is set within its bounds, and a wrong name finds the right one") {
		CHECK_EQ(load(path_of("counter"), &loaded, &error), BITACTOR_OK);
		CHECK_EQ(bitactor_module_param(loaded, 0), 1);
		CHECK_EQ(bitactor_module_param(loaded, 1), -5);
		CHECK_EQ(bitactor_module_param(loaded, 2), 0);
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			uint32_t index = strcmp(rows[i].name, "offset") == 0;
			int64_t before = bitactor_module_param(loaded, index);
			error = (bitactor_error_t){ 0 };
			CHECK_EQ(bitactor_module_set(loaded, rows[i].name, rows[i].value, &error),
			         rows[i].expected);
			CHECK(has(&error, rows[i].words));
			bool is_set = rows[i].expected == BITACTOR_OK;
			CHECK_EQ(bitactor_module_param(loaded, index),
			         is_set ? rows[i].value : before);
		}
		CHECK(strstr(error.text, "did you mean") == NULL);
		CHECK_EQ(bitactor_module_set(loaded, NULL, 0, NULL), BITACTOR_ERROR);
		bitactor_module_unload(loaded);
	}
}

/* ---- running --------------------------------------------------------------- */

struct bench {
	bitactor_engine_t *engine;
	void              *block;
	uint64_t           last_output; /* of port 1 */
};

static void
deliver(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	struct bench *bench = context;
	CHECK_EQ(port, 1);
	CHECK_EQ(byte_count, sizeof bench->last_output);
	memcpy(&bench->last_output, bytes, sizeof bench->last_output);
}

static void
make_engine(struct bench *bench, uint32_t kinds)
{
	const bitactor_outlet_t outlet = { bench, deliver };
	bitactor_config_t config;
	bitactor_config_default(&config);
	config.kinds = kinds;
	config.outlet = &outlet;
	size_t bytes = bitactor_engine_bytes(&config);
	bench->block = aligned_alloc(64, (bytes + 63) / 64 * 64);
	CHECK_EQ(bitactor_engine_init(bench->block, bytes, &config, &bench->engine), BITACTOR_OK);
}

static void
end_engine(struct bench *bench)
{
	CHECK_EQ(bitactor_destroy(bench->engine), BITACTOR_OK);
	free(bench->block);
	*bench = (struct bench){ 0 };
}

/* What the handler of `kind` answers, by a turn of one. */
static bitactor_status_t
tick(const struct bench *bench, uint16_t kind, uint64_t payload, uint64_t *value)
{
	bitactor_signal_t signal = { .kind = kind, .payload = payload };
	bitactor_result_t result = { 0 };
	bitactor_status_t status = bitactor_tick(bench->engine, &signal, &result);
	*value = result.value;
	return status == BITACTOR_INVALID_SIGNAL ? status : result.handler;
}

static void
remember(void *context, const char *line)
{
	(void)strcat(context, line);
	(void)strcat(context, "|");
}

static void
run_counter(bitactor_loaded_t *loaded, uint64_t factor)
{
	struct bench bench = { 0 };
	bitactor_error_t error = { 0 };
	uint64_t value;
	make_engine(&bench, 4);
	CHECK_EQ(bitactor_module_start(loaded, bench.engine, &error), BITACTOR_OK);
	char said[64] = "";
	bitactor_module_report(loaded, remember, said);
	CHECK(strcmp(said, "nothing was added|that is all|") == 0);
	CHECK_EQ(tick(&bench, 3, 0, &value), BITACTOR_OK);
	CHECK_EQ(value, 1); /* cells were zero when init saw them */
	CHECK_EQ(tick(&bench, 0, 20, &value), BITACTOR_OK);
	CHECK_EQ(tick(&bench, 0, 3, &value), BITACTOR_OK);
	CHECK_EQ(value, 23 * factor);
	CHECK_EQ(tick(&bench, 1, 0, &value), BITACTOR_OK);
	CHECK_EQ(bench.last_output, 23 * factor);
	CHECK_EQ(tick(&bench, 2, 0, &value), BITACTOR_INVALID_SIGNAL);
	CHECK(!bitactor_is_registered(bench.engine, 2));
	said[0] = '\0';
	bitactor_module_report(loaded, remember, said);
	CHECK(strcmp(said, "added|that is all|") == 0);
	end_engine(&bench);
}

static void
running(void)
{
	bitactor_loaded_t *loaded;
	bitactor_error_t error;
	SCENARIO("a module runs, and runs again from the same state") {
		GIVEN("counter.so with its factor set to 7");
		CHECK_EQ(load(path_of("counter"), &loaded, &error), BITACTOR_OK);
		CHECK_EQ(bitactor_module_set(loaded, "factor", 7, NULL), BITACTOR_OK);
		WHEN("it is started in two engines, one after the other");
		THEN("each finds zeroed cells, the parameter, and the handlers of its kinds");
		run_counter(loaded, 7);
		run_counter(loaded, 7);
		bitactor_module_unload(loaded);
	}
	SCENARIO("a file loaded twice has cells of its own each time") {
		bitactor_loaded_t *second;
		CHECK_EQ(load(path_of("counter"), &loaded, &error), BITACTOR_OK);
		CHECK_EQ(load(path_of("counter"), &second, &error), BITACTOR_OK);
		CHECK_EQ(bitactor_module_set(loaded, "factor", 2, NULL), BITACTOR_OK);
		run_counter(loaded, 2);
		run_counter(second, 1);
		bitactor_module_unload(loaded);
		run_counter(second, 1);
		bitactor_module_unload(second);
	}
	SCENARIO("a module without cells gets no state") {
		struct bench bench = { 0 };
		uint64_t value;
		CHECK_EQ(load(path_of("stateless"), &loaded, &error), BITACTOR_OK);
		make_engine(&bench, 1);
		CHECK_EQ(bitactor_module_start(loaded, bench.engine, &error), BITACTOR_OK);
		CHECK_EQ(tick(&bench, 0, 0, &value), BITACTOR_OK);
		bitactor_module_report(loaded, remember, NULL);
		end_engine(&bench);
		bitactor_module_unload(loaded);
	}
}

static void
check_no_start(const char *name, uint32_t kinds, bitactor_status_t expected, const char *words)
{
	struct bench bench = { 0 };
	bitactor_loaded_t *loaded;
	bitactor_error_t error;
	CHECK_EQ(load(path_of(name), &loaded, &error), BITACTOR_OK);
	make_engine(&bench, kinds);
	CHECK_EQ(bitactor_module_start(loaded, bench.engine, &error), expected);
	CHECK_EQ(error.status, expected);
	CHECK(has(&error, words));
	end_engine(&bench);
	bitactor_module_unload(loaded);
}

static void
not_started(void)
{
	SCENARIO("a start that fails says why") {
		GIVEN("an init that answers STUCK, a fiber kind without stacks, 4 kinds for 2");
		check_no_start("init_fails", 1, BITACTOR_ERROR, "init answered STUCK");
		check_no_start("fiber", 1, BITACTOR_UNSUPPORTED, "kind only is not registered");
		check_no_start("fiber", 1, BITACTOR_UNSUPPORTED, "fiber stacks");
		check_no_start("counter", 2, BITACTOR_ERROR, "kind ask is not registered");
		check_no_start("counter", 2, BITACTOR_ERROR, "\"kinds\"");
	}
}

int
main(void)
{
	if (getenv("BITACTOR_TEST_MODULES") == NULL && access(path_of("counter"), R_OK) != 0) {
		printf("no modules in %s; set BITACTOR_TEST_MODULES\n", path_of(""));
		return 77;
	}
	not_modules();
	files();
	looking();
	setting();
	running();
	not_started();
	return bdd_close();
}
