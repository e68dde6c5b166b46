/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_disk.c -- no module: preloaded into the program, it spoils a write.
 *
 *      FAULT=kill     the process is killed instead of the write
 *      FAULT=torn     the same, but some whole pages of it arrive first
 *      FAULT=short    every write takes a part of what it is given
 *      FAULT=intr     every call is interrupted once before it works
 *      FAULT=full     ENOSPC, and from then on for all
 *      FAULT=broken   EIO, and from then on for all
 *      FAULT_AT=N     which one, from 1: pwrite, pwritev, ftruncate and fsync count
 *
 * A kill that is aimed at a time seldom falls between two writes; this one does.
 */
#define _GNU_SOURCE /* pwrite64 and its like */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { PAGE_BYTES = 4096 };

static unsigned long calls;
static bool          interrupted;

static bool
fault_is(const char *name)
{
	const char *fault = getenv("FAULT");
	return fault != NULL && strcmp(fault, name) == 0;
}

static ssize_t
write_part(int fd, const void *bytes, size_t byte_count, off_t offset)
{
	return (ssize_t)syscall(SYS_pwrite64, fd, bytes, byte_count, offset);
}

/* The pages of a write that arrive before its process is killed: the first half. */
static void
tear(int fd, const struct iovec *parts, int count, off_t offset)
{
	size_t whole = 0;
	for (int i = 0; i < count; i++)
		whole += parts[i].iov_len;
	off_t end = (offset + (off_t)(whole / 2)) / PAGE_BYTES * PAGE_BYTES;
	for (int i = 0; i < count && offset < end; i++) {
		size_t left = (size_t)(end - offset);
		size_t byte_count = parts[i].iov_len < left ? parts[i].iov_len : left;
		if (write_part(fd, parts[i].iov_base, byte_count, offset) < 0)
			return;
		offset += (off_t)byte_count;
	}
}

/* True when the call is to fail, with errno set; does not return when it kills. */
static bool
goes_wrong(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (fault_is("intr")) {
		interrupted = !interrupted;
		errno = EINTR;
		return interrupted;
	}
	const char *at = getenv("FAULT_AT");
	unsigned long wanted = at != NULL ? strtoul(at, NULL, 10) : 0;
	if (wanted == 0 || ++calls < wanted)
		return false;
	if (fault_is("torn"))
		tear(fd, parts, count, offset);
	if (fault_is("torn") || fault_is("kill"))
		(void)raise(SIGKILL);
	errno = fault_is("full") ? ENOSPC : EIO;
	return fault_is("full") || fault_is("broken");
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
	if (goes_wrong(fd, parts, count, offset))
		return -1;
	if (fault_is("short") && count > 0)
		return write_part(fd, parts[0].iov_base, (parts[0].iov_len + 1) / 2, offset);
	return (ssize_t)syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);
}

EXPORT ssize_t
pwrite(int fd, const void *bytes, size_t byte_count, off_t offset)
{
	const struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = byte_count };
	if (goes_wrong(fd, &part, 1, offset))
		return -1;
	return write_part(fd, bytes, fault_is("short") ? (byte_count + 1) / 2 : byte_count, offset);
}

EXPORT int
ftruncate(int fd, off_t length)
{
	if (goes_wrong(fd, NULL, 0, 0))
		return -1;
	return (int)syscall(SYS_ftruncate, fd, length);
}

EXPORT int
fsync(int fd)
{
	if (goes_wrong(fd, NULL, 0, 0))
		return -1;
	return (int)syscall(SYS_fsync, fd);
}

EXPORT ssize_t
pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
	return pwritev(fd, parts, count, offset);
}

EXPORT ssize_t
pwrite64(int fd, const void *bytes, size_t byte_count, off64_t offset)
{
	return pwrite(fd, bytes, byte_count, offset);
}

EXPORT int
ftruncate64(int fd, off64_t length)
{
	return ftruncate(fd, length);
}
