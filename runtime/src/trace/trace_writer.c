/* SPDX-License-Identifier: Apache-2.0 */
/* trace_writer.c -- the sink that keeps a trace on disk.
 *
 *      open segment      |header, OPEN|records ......|            | zeros    |
 *                                     ^ written      ^ held
 *      sealed            1. the rest of the body     2. the header, final
 *
 * A segment is on disk as an open one, a prefix of whole records behind a header
 * that says OPEN, until its last byte is there; only then its header is.  So a
 * process that is killed anywhere leaves a trace that can be read to its last
 * whole record: the file is made longer, with zeros, before anything is written
 * into a segment.
 *
 * What the disk refuses is said once, remembered, and ends the writing: what is
 * there stays a good trace that is not closed.
 *
 * Not promised: that records survive a power cut before the writer was closed.
 */
#include "trace_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	WRITE_BYTES = 16384, /* an open segment is written that much at a time */

	/* Of a header: what says that the segment is sealed. */
	AT_UUID = 4, AT_CONTENT_BITS = 24, AT_TURN_END = 40, AT_PREV_ROOT = 72, AT_CRC = 104,
	AT_FLAGS = 120,
	FLAG_OPEN = 1
};

struct bitactor_trace_writer {
	int  dir, lock, trace; /* -1: not open */
	char shown[BA_TRACE_SHOWN_BYTES];
	char *path;          /* as it was given; to take it back                 */
	uint8_t uuid[16];

	uint64_t segment;    /* the open one                                     */
	uint32_t written;    /* bytes of it on disk                              */
	uint32_t held;       /* bytes of it here, in `bytes`                     */
	uint64_t file_bytes; /* of `trace`: a multiple of 64 KiB                 */

	bitactor_error_t error; /* what was met first                            */
	_Atomic bool     failed; /* `error` is set; read by a signal handler     */

	uint8_t bytes[BITACTOR_SEGMENT_BYTES];
};

/* ---- bytes to disk ------------------------------------------------------------------ */

/* All of it, or errno. */
static int
write_at(int fd, const uint8_t *bytes, size_t byte_count, uint64_t offset)
{
	while (byte_count > 0) {
		ssize_t count = pwrite(fd, bytes, byte_count, (off_t)offset);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return count < 0 ? errno : EIO;
		bytes += count;
		offset += (uint64_t)count;
		byte_count -= (size_t)count;
	}
	return 0;
}

static int
extend_to(int fd, uint64_t file_bytes)
{
	while (ftruncate(fd, (off_t)file_bytes) != 0)
		if (errno != EINTR)
			return errno;
	return 0;
}

/* A file system that cannot sync (EINVAL) has nothing to lose. */
static int
sync_fd(int fd)
{
	while (fsync(fd) != 0) {
		if (errno == EINVAL)
			return 0;
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

static const char *
advice(int os_error)
{
	switch (os_error) {
	case ENOSPC:
	case EDQUOT:
		return "make room there, or record to another file system";
	case EFBIG:
		return "raise the limit on file sizes (ulimit -f), or end the trace sooner";
	case EIO:
		return "the device failed: save what is there";
	default:
		return "the trace ends here";
	}
}

/* Remember what was met first; every later call of the sink answers BITACTOR_IO. */
static bitactor_status_t
fail(bitactor_trace_writer_t *writer, int os_error, uint64_t segment, uint32_t offset)
{
	(void)bitactor_error_set(&writer->error, BITACTOR_IO, os_error,
	                         "%s/trace: segment %" PRIu64 ", offset %" PRIu32
	                         ": cannot be written; what is before it can be read; %s",
	                         writer->shown, segment, offset, advice(os_error));
	/* release: a signal handler that sees it writes nothing more */
	atomic_store_explicit(&writer->failed, true, memory_order_release);
	return BITACTOR_IO;
}

static bitactor_status_t
misuse(bitactor_trace_writer_t *writer, const char *what)
{
	(void)bitactor_error_set(&writer->error, BITACTOR_ERROR, 0, "%s/trace: %s", writer->shown,
	                         what);
	/* release: as in fail */
	atomic_store_explicit(&writer->failed, true, memory_order_release);
	return BITACTOR_ERROR;
}

/* Zeros up to the end of this segment, so that the file is whole segments. */
static int
make_ready(bitactor_trace_writer_t *writer, uint64_t segment)
{
	uint64_t need = (segment + 1) * BITACTOR_SEGMENT_BYTES;
	if (need <= writer->file_bytes)
		return 0;
	int os_error = extend_to(writer->trace, need);
	if (os_error == 0)
		writer->file_bytes = need;
	return os_error;
}

/* Write what is held. */
static bitactor_status_t
write_held(bitactor_trace_writer_t *writer)
{
	if (writer->written == writer->held)
		return BITACTOR_OK;
	uint64_t base = writer->segment * BITACTOR_SEGMENT_BYTES;
	int os_error = make_ready(writer, writer->segment);
	if (os_error == 0)
		os_error = write_at(writer->trace, writer->bytes + writer->written,
		                    writer->held - writer->written, base + writer->written);
	if (os_error != 0)
		return fail(writer, os_error, writer->segment, writer->written);
	writer->written = writer->held;
	return BITACTOR_OK;
}

/* The header of a sealed segment as it was while it was open. */
static void
header_reopen(const uint8_t *sealed, uint8_t open[BITACTOR_HEADER_BYTES])
{
	memcpy(open, sealed, BITACTOR_HEADER_BYTES);
	memset(open + AT_CONTENT_BITS, 0, 4);
	memset(open + AT_TURN_END, 0, 8);
	memset(open + AT_PREV_ROOT, 0, BITACTOR_DIGEST_BYTES);
	memset(open + AT_CRC, 0, 4);
	open[AT_FLAGS] |= FLAG_OPEN;
	uint32_t crc = bitactor_crc32c(0, open, BITACTOR_HEADER_BYTES);
	for (int i = 0; i < 4; i++)
		open[AT_CRC + i] = (uint8_t)(crc >> 8 * i);
}

/* A whole segment of which nothing is on disk: as an open one. */
static int
write_whole(int fd, const uint8_t *bytes, uint64_t base)
{
	uint8_t header[BITACTOR_HEADER_BYTES];
	header_reopen(bytes, header);
	struct iovec parts[2] = {
		{ .iov_base = header, .iov_len = sizeof header },
		{ .iov_base = (void *)(uintptr_t)(bytes + sizeof header),
		  .iov_len = BITACTOR_SEGMENT_BYTES - sizeof header },
	};
	ssize_t count;
	do
		count = pwritev(fd, parts, 2, (off_t)base);
	while (count < 0 && errno == EINTR);
	if (count < 0)
		return errno;
	size_t done = (size_t)count;
	if (done < sizeof header) { /* a disk that is full: to say so is its own business */
		int os_error = write_at(fd, header + done, sizeof header - done, base + done);
		if (os_error != 0)
			return os_error;
		done = sizeof header;
	}
	return write_at(fd, bytes + done, BITACTOR_SEGMENT_BYTES - done, base + done);
}

static bitactor_status_t
write_sealed(bitactor_trace_writer_t *writer, const uint8_t *bytes)
{
	uint64_t base = writer->segment * BITACTOR_SEGMENT_BYTES;
	uint32_t written = writer->written;
	int os_error = make_ready(writer, writer->segment);
	if (os_error == 0)
		os_error = written < BITACTOR_HEADER_BYTES
		                   ? write_whole(writer->trace, bytes, base)
		                   : write_at(writer->trace, bytes + written,
		                              BITACTOR_SEGMENT_BYTES - written, base + written);
	if (os_error == 0)
		os_error = write_at(writer->trace, bytes, BITACTOR_HEADER_BYTES, base);
	if (os_error != 0)
		return fail(writer, os_error, writer->segment, written);
	writer->segment++;
	writer->written = writer->held = 0;
	return BITACTOR_OK;
}

/* ---- the sink -------------------------------------------------------------------------- */

static bool
has_failed(const bitactor_trace_writer_t *writer)
{
	/* acquire: pairs with the release in fail */
	return atomic_load_explicit(&writer->failed, memory_order_acquire);
}

static bitactor_status_t
take(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from, uint32_t to,
     bool sealed)
{
	bitactor_trace_writer_t *writer = context;
	if (has_failed(writer))
		return BITACTOR_IO;
	if (bytes == NULL || from > to || to > BITACTOR_SEGMENT_BYTES ||
	    segment != writer->segment || from != writer->held ||
	    (sealed && to != BITACTOR_SEGMENT_BYTES))
		return misuse(writer, "the engine did not hand its records on in order");
	if (from == 0 && memcmp(bytes + AT_UUID, writer->uuid, sizeof writer->uuid) != 0)
		return misuse(writer, "the engine's uuid is not the one in metadata");
	if (sealed)
		return write_sealed(writer, bytes);
	memcpy(writer->bytes + from, bytes + from, to - from);
	writer->held = to;
	return to - writer->written >= WRITE_BYTES ? write_held(writer) : BITACTOR_OK;
}

bitactor_sink_t
bitactor_trace_writer_sink(bitactor_trace_writer_t *writer)
{
	return (bitactor_sink_t){ .context = writer, .take = writer != NULL ? take : NULL };
}

static bitactor_status_t
tell(const bitactor_trace_writer_t *writer, bitactor_error_t *error)
{
	if (error != NULL && error->status == BITACTOR_OK)
		*error = writer->error;
	return writer->error.status;
}

bitactor_status_t
bitactor_trace_writer_sync(bitactor_trace_writer_t *writer, bitactor_error_t *error)
{
	if (writer == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "trace writer: NULL argument");
	if (!has_failed(writer))
		(void)write_held(writer);
	return tell(writer, error);
}

void
bitactor_trace_writer_last_gasp(bitactor_trace_writer_t *writer, const bitactor_engine_t *engine)
{
	if (writer == NULL || has_failed(writer))
		return;
	uint64_t segment;
	uint32_t byte_count;
	const uint8_t *bytes = bitactor_telemetry_last_gasp(engine, &segment, &byte_count);
	if (bytes == NULL || byte_count > BITACTOR_SEGMENT_BYTES)
		return;
	/* pwrite, ftruncate and fstat are system calls and nothing else */
	int saved_errno = errno;
	struct stat facts;
	uint64_t base = segment * BITACTOR_SEGMENT_BYTES, need = base + BITACTOR_SEGMENT_BYTES;
	if (fstat(writer->trace, &facts) == 0 && (uint64_t)facts.st_size < need)
		(void)extend_to(writer->trace, need);
	(void)write_at(writer->trace, bytes, byte_count, base);
	errno = saved_errno;
}

const bitactor_error_t *
bitactor_trace_writer_error(const bitactor_trace_writer_t *writer)
{
	return writer != NULL ? &writer->error : NULL;
}

/* ---- opening ----------------------------------------------------------------------------- */

/* A new file in `dir` with these bytes, on disk when this returns. */
static int
write_file(int dir, const char *name, const char *text, size_t text_bytes)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return errno;
	int os_error = write_at(fd, (const uint8_t *)text, text_bytes, 0);
	if (os_error == 0)
		os_error = sync_fd(fd);
	if (close(fd) != 0 && os_error == 0)
		os_error = errno;
	return os_error;
}

static bitactor_status_t
write_metadata(bitactor_trace_writer_t *writer, const bitactor_trace_options_t *options,
               bitactor_error_t *error)
{
	bitactor_schema_t schema = { 0 };
	if (options->schema_text != NULL) {
		bitactor_status_t status = bitactor_schema_parse(
		        options->schema_text, options->schema_bytes, &schema, error);
		if (status != BITACTOR_OK)
			return status;
	}
	size_t text_bytes;
	char  *text = bitactor_trace_metadata(&schema, options->uuid, &text_bytes);
	bitactor_schema_free(&schema);
	if (text == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "%s: out of memory",
		                          writer->shown);
	int os_error = write_file(writer->dir, ".metadata", text, text_bytes);
	free(text);
	if (os_error == 0 && renameat(writer->dir, ".metadata", writer->dir, "metadata") != 0)
		os_error = errno;
	if (os_error != 0)
		return bitactor_error_set(error, BITACTOR_IO, os_error,
		                          "%s/metadata: cannot be written", writer->shown);
	return BITACTOR_OK;
}

static bitactor_status_t
write_facts(bitactor_trace_writer_t *writer, const char *facts, bitactor_error_t *error)
{
	if (facts == NULL)
		return BITACTOR_OK;
	int os_error = mkdirat(writer->dir, "host", 0777) != 0 ? errno : 0;
	if (os_error == 0)
		os_error = write_file(writer->dir, "host/facts.json", facts, strlen(facts));
	if (os_error != 0)
		return bitactor_error_set(error, BITACTOR_IO, os_error,
		                          "%s/host/facts.json: cannot be written", writer->shown);
	return BITACTOR_OK;
}

/* Why the directory cannot be made: best of all, somebody is writing it. */
static bitactor_status_t
refuse_directory(const bitactor_trace_writer_t *writer, const char *path, int os_error,
                 bitactor_error_t *error)
{
	ba_trace_file_t there;
	bitactor_error_t why = { 0 };
	if (os_error != EEXIST)
		return bitactor_error_set(error, BITACTOR_IO, os_error, "%s: cannot be made",
		                          writer->shown);
	if (ba_trace_file_open(path, &there, &why) == BITACTOR_OK)
		ba_trace_file_close(&there);
	if (why.status == BITACTOR_IO && why.os_error == 0)
		return bitactor_error_set(error, BITACTOR_IO, 0,
		                          "%s is being written already; choose another name",
		                          writer->shown);
	return bitactor_error_set(error, BITACTOR_IO, os_error,
	                          "%s: a trace is never written over; choose another name, or "
	                          "remove it",
	                          writer->shown);
}

/* In the new directory the lock comes before anything else. */
static bitactor_status_t
take_lock(bitactor_trace_writer_t *writer, const char *path, bitactor_error_t *error)
{
	writer->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->dir < 0)
		return bitactor_error_set(error, BITACTOR_IO, errno, "%s: cannot be opened",
		                          writer->shown);
	writer->lock = openat(writer->dir, ".lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (writer->lock < 0)
		return bitactor_error_set(error, BITACTOR_IO, errno, "%s/.lock: cannot be made",
		                          writer->shown);
	if (flock(writer->lock, LOCK_EX | LOCK_NB) != 0)
		return bitactor_error_set(error, BITACTOR_IO, errno, "%s/.lock: cannot be locked",
		                          writer->shown);
	return BITACTOR_OK;
}

static void
release(bitactor_trace_writer_t *writer)
{
	if (writer->trace >= 0)
		(void)close(writer->trace);
	if (writer->lock >= 0) {
		(void)unlinkat(writer->dir, ".lock", 0);
		(void)close(writer->lock); /* and with it the lock */
	}
	if (writer->dir >= 0)
		(void)close(writer->dir);
	free(writer->path);
	free(writer);
}

/* Is it still our directory that stands at the path? */
static bool
is_in_place(const bitactor_trace_writer_t *writer)
{
	struct stat ours, there;
	return fstat(writer->dir, &ours) == 0 && lstat(writer->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

void
bitactor_trace_writer_discard(bitactor_trace_writer_t *writer)
{
	static const char *const files[] = { "trace", "metadata", ".metadata", "host/facts.json",
		                             ".lock" };
	if (writer == NULL)
		return;
	for (size_t i = 0; i < sizeof files / sizeof files[0] && writer->dir >= 0; i++)
		(void)unlinkat(writer->dir, files[i], 0);
	if (writer->dir >= 0)
		(void)unlinkat(writer->dir, "host", AT_REMOVEDIR);
	/* not opened: just made, and by us */
	if (writer->dir < 0 || is_in_place(writer))
		(void)rmdir(writer->path); /* fails if there is something in it */
	release(writer);
}

bitactor_status_t
bitactor_trace_writer_open(const bitactor_trace_options_t *options,
                           bitactor_trace_writer_t **writer, bitactor_error_t *error)
{
	if (writer != NULL)
		*writer = NULL;
	if (writer == NULL || options == NULL || options->path == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "trace writer: NULL argument");
	bitactor_trace_writer_t *opened = calloc(1, sizeof *opened);
	char *path = strdup(options->path);
	if (opened == NULL || path == NULL) {
		free(opened);
		free(path);
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory for a trace");
	}
	opened->path = path;
	opened->dir = opened->lock = opened->trace = -1;
	memcpy(opened->uuid, options->uuid, sizeof opened->uuid);
	ba_trace_show_path(options->path, opened->shown);

	if (mkdir(options->path, 0777) != 0) {
		bitactor_status_t refused = refuse_directory(opened, options->path, errno, error);
		release(opened);
		return refused;
	}
	bitactor_status_t status = take_lock(opened, options->path, error);
	if (status == BITACTOR_OK)
		status = write_metadata(opened, options, error);
	if (status == BITACTOR_OK)
		status = write_facts(opened, options->facts, error);
	if (status == BITACTOR_OK) {
		opened->trace = openat(opened->dir, "trace",
		                       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (opened->trace < 0)
			status = bitactor_error_set(error, BITACTOR_IO, errno,
			                            "%s/trace: cannot be made", opened->shown);
	}
	if (status != BITACTOR_OK) {
		bitactor_trace_writer_discard(opened);
		return status;
	}
	*writer = opened;
	return BITACTOR_OK;
}

/* ---- closing -------------------------------------------------------------------------------- */

static int
sync_parent(int dir)
{
	int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return 0; /* it may be used, but not read */
	int os_error = sync_fd(parent);
	(void)close(parent);
	return os_error;
}

bitactor_status_t
bitactor_trace_writer_close(bitactor_trace_writer_t *writer, bitactor_error_t *error)
{
	if (writer == NULL)
		return BITACTOR_OK;
	(void)bitactor_trace_writer_sync(writer, NULL);
	int os_error = sync_fd(writer->trace);
	if (os_error == 0)
		os_error = sync_fd(writer->dir);
	if (os_error == 0)
		os_error = sync_parent(writer->dir);
	if (os_error != 0)
		(void)bitactor_error_set(&writer->error, BITACTOR_IO, os_error,
		                         "%s: may not survive a power cut; %s", writer->shown,
		                         advice(os_error));
	bitactor_status_t status = tell(writer, error);
	release(writer);
	return status;
}
