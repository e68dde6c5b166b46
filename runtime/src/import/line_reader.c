/* SPDX-License-Identifier: Apache-2.0 */
/* line_reader.c -- see line_reader.h. */
#include "line_reader.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void
give(ba_line_reader_t *reader, size_t from, size_t to, ba_line_t *line)
{
	char *text = reader->buffer + from;
	size_t text_bytes = to - from;
	if (reader->at_start && text_bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		text += 3;
		text_bytes -= 3;
	}
	while (text_bytes > 0 && text[text_bytes - 1] == '\r')
		text_bytes--;
	text[text_bytes] = '\0'; /* on the newline, or on the byte kept free behind the end */
	reader->at_start = false;
	*line = (ba_line_t){ .text = text, .text_bytes = text_bytes };
}

/* No newline between begin and end. */
static ba_line_state_t
next_without_newline(ba_line_reader_t *reader, ba_line_t *line)
{
	reader->scanned = reader->end;
	if (reader->swallowing) {
		reader->begin = reader->end;
		return BA_LINE_NONE;
	}
	size_t begin = reader->begin;
	if (reader->end - begin > reader->line_max) {
		reader->begin = reader->end;
		reader->swallowing = true;
		reader->at_start = false;
		return BA_LINE_TOO_LONG;
	}
	if (!reader->at_end || begin == reader->end)
		return BA_LINE_NONE;
	reader->begin = reader->end;
	give(reader, begin, reader->end, line);
	return BA_LINE_WHOLE;
}

ba_line_state_t
ba_line_reader_next(ba_line_reader_t *reader, ba_line_t *line)
{
	for (;;) {
		const char *newline = memchr(reader->buffer + reader->scanned, '\n',
		                             reader->end - reader->scanned);
		if (newline == NULL)
			return next_without_newline(reader, line);

		size_t from = reader->begin, to = (size_t)(newline - reader->buffer);
		bool rest_of_long = reader->swallowing;
		reader->begin = reader->scanned = to + 1;
		reader->swallowing = false;
		if (rest_of_long)
			continue;
		if (to - from > reader->line_max) {
			reader->at_start = false;
			return BA_LINE_TOO_LONG;
		}
		give(reader, from, to, line);
		return BA_LINE_WHOLE;
	}
}

/* BITACTOR_OK: a read will not block. */
static bitactor_status_t
wait_for_input(ba_line_reader_t *reader, bool may_wait)
{
	if (!reader->may_block)
		return BITACTOR_OK;
	struct pollfd ready = { .fd = reader->fd, .events = POLLIN };
	int count = poll(&ready, 1, may_wait ? -1 : 0);
	if (count == 0 || (count < 0 && errno == EINTR))
		return BITACTOR_EMPTY;
	if (count < 0) {
		reader->os_error = errno;
		return BITACTOR_IO;
	}
	return BITACTOR_OK; /* data, end or error: read says which */
}

bitactor_status_t
ba_line_reader_fill(ba_line_reader_t *reader, bool may_wait)
{
	if (reader->at_end)
		return BITACTOR_CLOSED;
	size_t kept = reader->end - reader->begin;
	if (reader->begin > 0)
		memmove(reader->buffer, reader->buffer + reader->begin, kept);
	reader->begin = 0;
	reader->scanned = reader->end = kept;

	for (;;) {
		bitactor_status_t status = wait_for_input(reader, may_wait);
		if (status != BITACTOR_OK)
			return status;
		ssize_t got = read(reader->fd, reader->buffer + kept, reader->capacity - kept);
		if (got > 0) {
			reader->end += (size_t)got;
			reader->bytes_read += (uint64_t)got;
			return BITACTOR_OK;
		}
		if (got == 0) {
			reader->at_end = true;
			return kept > 0 ? BITACTOR_OK : BITACTOR_CLOSED;
		}
		if (errno == EAGAIN && may_wait)
			continue; /* somebody else took what poll saw */
		if (errno == EAGAIN || errno == EINTR)
			return BITACTOR_EMPTY;
		reader->os_error = errno;
		return BITACTOR_IO;
	}
}
