/* SPDX-License-Identifier: Apache-2.0 */
/* module_file.c -- what dlopen would say badly, or not live to say.
 *
 *      | ELF header | program headers | segment | segment | ... | sections |
 *                     offset, bytes ----------^
 *
 * glibc maps the segments that the program headers promise without asking how
 * long the file is: a module that was copied by half kills the process with
 * SIGBUS inside dlopen.  And for an object of another machine it says "No such
 * file or directory".  So the promises are compared with the file first.
 *
 * Not promised: that a file made to hurt is found out.  A module is code.
 */
#include "module_file.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_NONE }; /* not compared */
#endif

enum { ELF_CLASS = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32 };

static bool
read_at(int fd, void *out, size_t out_bytes, uint64_t offset)
{
	if (offset > INT32_MAX) /* no module has its headers there */
		return false;
	return pread(fd, out, out_bytes, (off_t)offset) == (ssize_t)out_bytes;
}

/* Is everything there that the linker will map? */
static bool
is_whole(int fd, const ElfW(Ehdr) *header, uint64_t file_bytes)
{
	for (unsigned i = 0; i < header->e_phnum; i++) {
		ElfW(Phdr) segment;
		uint64_t offset = header->e_phoff + (uint64_t)i * sizeof segment;
		if (!read_at(fd, &segment, sizeof segment, offset))
			return false;
		if (segment.p_type == PT_LOAD &&
		    (segment.p_offset > file_bytes ||
		     segment.p_filesz > file_bytes - segment.p_offset))
			return false;
	}
	return header->e_phnum > 0;
}

static const char *
complaint_about(int fd)
{
	static const char not_shared[] =
	        "is not a shared object; build it with: cc -fPIC -shared";
	struct stat about;
	if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
		return "is not a file";
	ElfW(Ehdr) header = { .e_type = ET_NONE };
	ssize_t got = pread(fd, &header, sizeof header, 0);
	if (got < SELFMAG || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return not_shared;
	if (got < (ssize_t)sizeof header)
		return "is cut off; copy or build it again";
	if (header.e_ident[EI_CLASS] != ELF_CLASS ||
	    (MACHINE != EM_NONE && header.e_machine != MACHINE))
		return "is for another machine; build it on this one";
	if (header.e_type != ET_DYN || header.e_phentsize != sizeof(ElfW(Phdr)))
		return not_shared;
	if (!is_whole(fd, &header, (uint64_t)about.st_size))
		return "is cut off; copy or build it again";
	return NULL;
}

bitactor_status_t
ba_module_file_check(const char *path, bitactor_error_t *error)
{
	/* O_NONBLOCK: a FIFO without a writer would hold us here. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return bitactor_error_set(error, BITACTOR_IO, errno, "cannot open module %s", path);
	const char *complaint = complaint_about(fd);
	(void)close(fd);
	if (complaint != NULL)
		return bitactor_error_set(error, BITACTOR_IO, 0, "module %s %s", path, complaint);
	return BITACTOR_OK;
}
