/* SPDX-License-Identifier: Apache-2.0 */
/* import.c -- a file or pipe as a source of signals.
 *
 *      fill (may block) -> next line -> format reads it -> verdict -> count
 *        ^                                                    |
 *        +---- no whole line left, and room in the batch <----+
 *
 * A poll waits only while it has nothing to give, so what came through a pipe
 * is handed on at once.  It also gives up after POLL_BYTES without a signal (a
 * file of noise, /dev/zero) and answers BITACTOR_OK with no item, so that the
 * session can look at its stop flag.
 *
 * What ends an import (a read error; with `strict` a bad line) is kept and said
 * after the good lines before it were given out, and again at each later poll.
 */
#include "import_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POLL_BYTES = 4 << 20 }; /* some 20 ms of candump, 100 ms of NDJSON, here */

static const ba_import_format_t *const formats[] = { &ba_import_candump, &ba_import_ndjson };

static const char known_forms[] =
        "the known ones are candump:FILE, ndjson:FILE; FILE may be - for standard input";

ba_verdict_t
ba_import_bad(bitactor_import_t *import, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(import->reason, sizeof import->reason, format, arguments);
	va_end(arguments);
	/* The text may quote the line, and the line may be anything. */
	for (char *at = import->reason; *at != '\0'; at++)
		if (*at < 0x20 || *at > 0x7E)
			*at = '?';
	return BA_VERDICT_BAD;
}

void
ba_import_timed(bitactor_import_t *import, uint64_t time_ns)
{
	if (import->stats.timed > 0 && time_ns < import->newest_ns)
		import->stats.clock_backward++;
	import->stats.timed++;
	import->newest_ns = time_ns;
}

static void
bad_line(bitactor_import_t *import)
{
	import->stats.bad++;
	if (import->options.bad != NULL)
		import->options.bad(import->options.bad_context, import->stats.lines,
		                    import->reason);
	if (import->options.strict)
		bitactor_error_set(&import->failure, BITACTOR_CORRUPT, 0, "%.120s:%llu: %s",
		                   import->name, (unsigned long long)import->stats.lines,
		                   import->reason);
}

static ba_verdict_t
too_long(bitactor_import_t *import)
{
	import->after_error = false;
	return ba_import_bad(import, "the line has more than %zu bytes", import->format->line_max);
}

/* Lines out of the buffer, until it or the room for them ends. */
static void
take_lines(bitactor_import_t *import, bitactor_batch_t *batch)
{
	const ba_import_format_t *format = import->format;
	ba_line_t line;

	while (batch->count < batch->capacity && import->failure.status == BITACTOR_OK &&
	       format->data_bytes - import->data_used >= format->data_max) {
		ba_line_state_t state = ba_line_reader_next(&import->reader, &line);
		if (state == BA_LINE_NONE)
			return;
		import->stats.lines++;
		ba_verdict_t verdict =
		        state == BA_LINE_TOO_LONG
		                ? too_long(import)
		                : format->read(import, &line, &batch->items[batch->count]);
		switch (verdict) {
		case BA_VERDICT_SIGNAL:
			import->data_used += batch->items[batch->count].signal.data_bytes;
			batch->count++;
			import->stats.signals++;
			break;
		case BA_VERDICT_SKIPPED:
			import->stats.skipped++;
			break;
		case BA_VERDICT_NO_HANDLER:
			import->stats.no_handler++;
			break;
		case BA_VERDICT_BAD:
			bad_line(import);
			break;
		}
	}
}

/* Is there no room for another signal? */
static bool
is_full(const bitactor_import_t *import, const bitactor_batch_t *batch)
{
	const ba_import_format_t *format = import->format;
	return batch->count == batch->capacity ||
	       format->data_bytes - import->data_used < format->data_max;
}

static bitactor_status_t
fill(bitactor_import_t *import, bool may_wait)
{
	ba_line_reader_t *reader = &import->reader;
	bitactor_status_t status = ba_line_reader_fill(reader, may_wait);
	if (status == BITACTOR_IO)
		bitactor_error_set(&import->failure, BITACTOR_IO, reader->os_error,
		                   "cannot read %.200s after %llu bytes; check the disk, then "
		                   "start again",
		                   import->name, (unsigned long long)reader->bytes_read);
	return status;
}

static bitactor_status_t
poll_import(void *context, bitactor_batch_t *batch, bool may_wait, bitactor_error_t *error)
{
	bitactor_import_t *import = context;
	if (import == NULL || batch == NULL || batch->items == NULL || batch->capacity == 0)
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "import: a poll without a source or room for items");
	batch->count = 0;
	batch->max = 0;
	batch->as_tick = false;
	import->data_used = 0;

	bitactor_status_t status = BITACTOR_OK;
	uint64_t enough = import->reader.bytes_read + POLL_BYTES;
	do {
		take_lines(import, batch);
		if (is_full(import, batch) || import->failure.status != BITACTOR_OK ||
		    import->reader.bytes_read >= enough)
			break;
		status = fill(import, may_wait && batch->count == 0);
	} while (status == BITACTOR_OK);
	if (batch->count > 0)
		return BITACTOR_OK;
	if (import->failure.status == BITACTOR_OK)
		return status;
	if (error != NULL && error->status == BITACTOR_OK)
		*error = import->failure; /* as it is: its text has the system's words */
	return import->failure.status;
}

/* Open `path`; on success reader.fd is set. */
static bitactor_status_t
open_input(bitactor_import_t *import, const char *path, bitactor_error_t *error)
{
	bool standard = strcmp(path, "-") == 0;
	struct stat about;

	import->name = standard ? "standard input" : import->name;
	/* O_NONBLOCK: a FIFO without a writer must not hold us here, where a
	 * signal handler's stop flag is not looked at; poll(2) waits for it. */
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return bitactor_error_set(error, BITACTOR_IO, errno,
		                          "cannot open %.200s; check the name and that you may "
		                          "read it",
		                          import->name);
	import->reader.fd = fd;
	import->owns_fd = !standard;

	if (fstat(fd, &about) != 0)
		return bitactor_error_set(error, BITACTOR_IO, errno,
		                          "cannot read %.200s; is it open?", import->name);
	if (S_ISDIR(about.st_mode))
		return bitactor_error_set(error, BITACTOR_IO, EISDIR,
		                          "cannot read %.200s; name a file in it", import->name);
	import->reader.may_block = !S_ISREG(about.st_mode);
	/* A redirected file may have been read in part by others before us. */
	off_t at = S_ISREG(about.st_mode) ? lseek(fd, 0, SEEK_CUR) : -1;
	if (at >= 0 && about.st_size > at)
		import->stats.total_bytes = (uint64_t)(about.st_size - at);
	return BITACTOR_OK;
}

/* The format that `input` names, and the file behind the colon. */
static const ba_import_format_t *
find_format(const char *input, const char **path)
{
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		size_t scheme_bytes = strlen(formats[i]->scheme);
		if (strncmp(input, formats[i]->scheme, scheme_bytes) != 0 ||
		    input[scheme_bytes] != ':' || input[scheme_bytes + 1] == '\0')
			continue;
		*path = input + scheme_bytes + 1;
		return formats[i];
	}
	return NULL;
}

/* One block: the import, the data of a poll, the line buffer, the name. */
static bitactor_import_t *
allocate(const ba_import_format_t *format, const char *path)
{
	size_t name_bytes = strlen(path) + 1;
	size_t buffer_bytes = format->buffer_bytes + 1; /* the NUL after the last line */
	char *block = calloc(1, sizeof(bitactor_import_t) + format->data_bytes + buffer_bytes +
	                                name_bytes);
	if (block == NULL)
		return NULL;
	bitactor_import_t *import = (bitactor_import_t *)(void *)block;
	block += sizeof(bitactor_import_t);
	import->data = (uint8_t *)block;
	block += format->data_bytes;
	import->reader.buffer = block;
	block += buffer_bytes;
	import->name = memcpy(block, path, name_bytes);
	return import;
}

void
bitactor_import_close(bitactor_import_t *import)
{
	if (import == NULL)
		return;
	if (import->owns_fd)
		close(import->reader.fd);
	free(import);
}

bitactor_status_t
bitactor_import_open(const char *input, const bitactor_import_options_t *options,
                     bitactor_import_t **import, bitactor_error_t *error)
{
	if (import != NULL)
		*import = NULL;
	if (input == NULL || options == NULL || import == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "import: NULL argument");
	const char *path = NULL;
	const ba_import_format_t *format = find_format(input, &path);
	if (format == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "\"%.100s\" is not a form of input; %s", input,
		                          known_forms);
	bitactor_import_t *made = allocate(format, path);
	if (made == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, ENOMEM, "no memory to read %.200s",
		                          path);
	made->format = format;
	made->options = *options;
	made->reader.capacity = format->buffer_bytes;
	made->reader.line_max = format->line_max;
	made->reader.at_start = true;

	bitactor_status_t status = open_input(made, path, error);
	if (status != BITACTOR_OK) {
		bitactor_import_close(made);
		return status;
	}
	format->begin(made);
	*import = made; /* the caller's from here */
	return BITACTOR_OK;
}

bitactor_source_t
bitactor_import_source(bitactor_import_t *import)
{
	return (bitactor_source_t){ .context = import, .poll = poll_import };
}

void
bitactor_import_stats(const bitactor_import_t *import, bitactor_import_stats_t *stats)
{
	if (stats == NULL)
		return;
	if (import == NULL) {
		memset(stats, 0, sizeof *stats);
		return;
	}
	*stats = import->stats;
	stats->bytes = import->reader.bytes_read;
}
