/* SPDX-License-Identifier: Apache-2.0 */
/* trace_file.c -- a trace directory, opened for reading.
 *
 *      NAME.bitrace/ .lock       held (flock): somebody writes it, so it is refused;
 *                                there but not held: its writer was killed
 *                    trace       read with pread: a file that is cut while it is
 *                    metadata    read is short, not a SIGBUS
 *
 * Nothing here waits: a FIFO in the place of a file is refused, not opened for
 * reading.
 */
#include "trace_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void
ba_trace_show_path(const char *path, char shown[BA_TRACE_SHOWN_BYTES])
{
	size_t path_bytes = strlen(path);
	while (path_bytes > 1 && path[path_bytes - 1] == '/')
		path_bytes--;
	if (path_bytes < BA_TRACE_SHOWN_BYTES) {
		memcpy(shown, path, path_bytes);
		shown[path_bytes] = '\0';
		return;
	}
	const char *end = path + path_bytes;
	const char *start = end - (BA_TRACE_SHOWN_BYTES - sizeof "...");
	while (start < end && ((unsigned char)*start & 0xC0u) == 0x80u)
		start++; /* not inside a UTF-8 character */
	memcpy(shown, "...", 3);
	memcpy(shown + 3, start, (size_t)(end - start));
	shown[3 + (end - start)] = '\0';
}

/* BITACTOR_IO while a writer holds the lock. */
static bitactor_status_t
lock_look(const ba_trace_file_t *file, bitactor_error_t *error)
{
	int fd = openat(file->dir, ".lock", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT)
		return BITACTOR_OK;
	if (fd < 0)
		return bitactor_error_set(error, BITACTOR_IO, errno, "%s/.lock: cannot be opened",
		                          file->shown);
	bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
	(void)close(fd);
	if (held)
		return bitactor_error_set(error, BITACTOR_IO, 0,
		                          "%s is being written; read it when its writer has ended",
		                          file->shown);
	return BITACTOR_OK;
}

bitactor_status_t
ba_trace_file_part(const ba_trace_file_t *file, const char *name, bitactor_status_t missing,
                   int *fd, uint64_t *file_bytes, bitactor_error_t *error)
{
	*fd = openat(file->dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return bitactor_error_set(error, errno == ENOENT ? missing : BITACTOR_IO, errno,
		                          "%s/%s: cannot be opened", file->shown, name);
	struct stat facts;
	bitactor_status_t status = BITACTOR_OK;
	if (fstat(*fd, &facts) != 0)
		status = bitactor_error_set(error, BITACTOR_IO, errno, "%s/%s", file->shown, name);
	else if (!S_ISREG(facts.st_mode))
		status = bitactor_error_set(error, BITACTOR_CORRUPT, 0, "%s/%s: is no plain file",
		                            file->shown, name);
	else if (file_bytes != NULL)
		*file_bytes = (uint64_t)facts.st_size;
	if (status != BITACTOR_OK) {
		(void)close(*fd);
		*fd = -1;
	}
	return status;
}

/* Does the path lead to something, and not through a plain file to nothing?  Keeps
 * errno. */
static bool
is_there(const char *path)
{
	struct stat facts;
	int  saved_errno = errno;
	bool there = stat(path, &facts) == 0;
	errno = saved_errno;
	return there;
}

bitactor_status_t
ba_trace_file_open(const char *path, ba_trace_file_t *file, bitactor_error_t *error)
{
	*file = (ba_trace_file_t){ .dir = -1, .fd = -1 };
	ba_trace_show_path(path, file->shown);
	file->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (file->dir < 0 && errno == ENOTDIR && is_there(path))
		return bitactor_error_set(error, BITACTOR_CORRUPT, 0,
		                          "%s: is no trace: a trace is a directory, NAME.bitrace",
		                          file->shown);
	if (file->dir < 0)
		return bitactor_error_set(error, BITACTOR_IO, errno, "%s: cannot be opened",
		                          file->shown);
	bitactor_status_t status = lock_look(file, error);
	if (status == BITACTOR_OK)
		status = ba_trace_file_part(file, "trace", BITACTOR_IO, &file->fd, &file->bytes,
		                            error);
	if (status != BITACTOR_OK)
		ba_trace_file_close(file);
	return status;
}

void
ba_trace_file_close(ba_trace_file_t *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	if (file->dir >= 0)
		(void)close(file->dir);
	file->fd = file->dir = -1;
}

bitactor_status_t
ba_trace_file_read(const ba_trace_file_t *file, int fd, uint64_t offset, void *bytes,
                   size_t byte_count, size_t *got, bitactor_error_t *error)
{
	*got = 0;
	while (*got < byte_count) {
		ssize_t count = pread(fd, (char *)bytes + *got, byte_count - *got,
		                      (off_t)(offset + *got));
		if (count == 0)
			return BITACTOR_OK;
		if (count > 0)
			*got += (size_t)count;
		else if (errno != EINTR)
			return bitactor_error_set(error, BITACTOR_IO, errno,
			                          "%s: cannot be read at byte %" PRIu64,
			                          file->shown, offset + *got);
	}
	return BITACTOR_OK;
}

bitactor_status_t
ba_trace_file_segment(const ba_trace_file_t *file, uint64_t number, uint8_t *bytes,
                      uint32_t *got, bitactor_error_t *error)
{
	size_t count = 0;
	*got = 0;
	if (number > (uint64_t)INT64_MAX / BITACTOR_SEGMENT_BYTES)
		return BITACTOR_OK; /* behind the end of any file */
	bitactor_status_t status =
	        ba_trace_file_read(file, file->fd, number * BITACTOR_SEGMENT_BYTES, bytes,
	                           BITACTOR_SEGMENT_BYTES, &count, error);
	if (status != BITACTOR_OK)
		return status;
	memset(bytes + count, 0, BITACTOR_SEGMENT_BYTES - count);
	*got = (uint32_t)count;
	return BITACTOR_OK;
}

bitactor_status_t
ba_trace_complain(bitactor_error_t *error, bitactor_status_t status, const ba_trace_file_t *file,
                  const ba_trace_place_t *place, const char *what)
{
	return bitactor_error_set(error, status, 0,
	                          "%s/trace: segment %" PRIu64 ", offset %" PRIu32
	                          ", seq %" PRIu64 ": %s",
	                          file->shown, place->segment, place->offset, place->seq, what);
}

size_t
ba_trace_zero_until(const uint8_t *bytes, size_t byte_count)
{
	size_t at = 0;
	for (; byte_count - at >= 64; at += 64) {
		uint64_t words[8], any = 0;
		memcpy(words, bytes + at, sizeof words);
		for (int i = 0; i < 8; i++)
			any |= words[i];
		if (any != 0)
			break;
	}
	for (uint64_t word; byte_count - at >= sizeof word; at += sizeof word) {
		memcpy(&word, bytes + at, sizeof word);
		if (word != 0)
			break;
	}
	while (at < byte_count && bytes[at] == 0)
		at++;
	return at;
}
