/* SPDX-License-Identifier: Apache-2.0 */
/* trace_reader.c -- a trace, record by record, one segment in memory.
 *
 *      segment k    sealed: every record up to `content` is good, or the trace is
 *                   broken there
 *                   open: good records up to the first place that is not one
 *
 * That first place is the end of a trace whose writer was killed, if nothing good
 * lies behind it: no record of this segment whose check matches (it covers the
 * number of its slot), no header of a later segment.  Else a byte is broken.
 *
 * What is not looked at here: roots, zeros behind the content, `metadata`.  A
 * trace changed by somebody who made the checks anew is verify's to find.
 */
#include "trace_private.h"

#include <stdlib.h>
#include <string.h>

struct bitactor_trace_reader {
	ba_trace_file_t file;
	ba_trace_walk_t walk;

	uint8_t *segment;    /* its bytes, and zeros for what the file lacks */
	uint32_t got;        /* bytes of it that the file has                */
	uint64_t next;       /* number of the segment to be read next        */
	uint32_t nonce;
	uint32_t offset;     /* of the next record                           */
	uint32_t limit;      /* records end there: content, or `got`         */
	bool     open;       /* the header says so                           */
	bool     dispatched; /* the open record was given out                */

	bitactor_trace_end_t end;
	bitactor_error_t     broken; /* said again by every later call */

	uint8_t *data;
	size_t   data_room;
};

static ba_trace_place_t
place_of(const bitactor_trace_reader_t *reader, uint64_t segment, uint32_t offset)
{
	return (ba_trace_place_t){ .segment = segment, .offset = offset, .seq = reader->walk.seq };
}

/* From now on every call answers this. */
static bitactor_status_t
break_off(bitactor_trace_reader_t *reader, bitactor_status_t status, uint64_t segment,
          uint32_t offset, const char *what)
{
	ba_trace_place_t place = place_of(reader, segment, offset);
	reader->end = BITACTOR_TRACE_CLOSED;
	return ba_trace_complain(&reader->broken, status, &reader->file, &place, what);
}

static bitactor_status_t
finish(bitactor_trace_reader_t *reader, bitactor_trace_end_t end)
{
	reader->end = end;
	return BITACTOR_EMPTY;
}

/* Is there a record in the segment at or behind `offset` whose check matches? */
static bool
good_record_behind(const bitactor_trace_reader_t *reader, uint64_t segment, uint32_t offset)
{
	bitactor_record_t record;
	uint32_t nonce = bitactor_segment_nonce(reader->walk.first.uuid, segment);
	if (offset < BITACTOR_HEADER_BYTES)
		offset = BITACTOR_HEADER_BYTES;
	for (; offset < reader->got; offset += BITACTOR_RECORD_BYTES)
		if (bitactor_record_read(reader->segment, nonce, offset, reader->got, true, &record,
		                         NULL) == BITACTOR_OK)
			return true;
	return false;
}

/* Does a later segment begin with a header of this trace? */
static bitactor_status_t
good_segment_behind(bitactor_trace_reader_t *reader, uint64_t segment, bool *good)
{
	uint8_t bytes[BITACTOR_HEADER_BYTES];
	bitactor_segment_header_t header;
	uint64_t segments = reader->file.bytes / BITACTOR_SEGMENT_BYTES + 1;
	*good = false;
	while (!*good && ++segment < segments) {
		size_t got;
		bitactor_status_t status = ba_trace_file_read(
		        &reader->file, reader->file.fd, segment * BITACTOR_SEGMENT_BYTES, bytes,
		        sizeof bytes, &got, &reader->broken);
		if (status != BITACTOR_OK)
			return status;
		*good = got == sizeof bytes &&
		        bitactor_segment_header_read(bytes, &header, NULL) == BITACTOR_OK &&
		        header.segment == segment &&
		        memcmp(header.uuid, reader->walk.first.uuid, sizeof header.uuid) == 0;
	}
	return BITACTOR_OK;
}

/* No record can be read at `offset`.  The end of an unclosed trace, or `what`? */
static bitactor_status_t
end_or_broken(bitactor_trace_reader_t *reader, uint64_t segment, uint32_t offset,
              const char *what)
{
	bool good = good_record_behind(reader, segment, offset);
	if (!good) {
		bitactor_status_t status = good_segment_behind(reader, segment, &good);
		if (status != BITACTOR_OK)
			return status;
	}
	if (good)
		return break_off(reader, BITACTOR_CORRUPT, segment, offset, what);
	return finish(reader, BITACTOR_TRACE_NOT_CLOSED);
}

/* Go on to the next segment. */
static bitactor_status_t
load(bitactor_trace_reader_t *reader)
{
	uint64_t number = reader->next;
	bitactor_status_t status = ba_trace_file_segment(&reader->file, number, reader->segment,
	                                                 &reader->got, &reader->broken);
	if (status != BITACTOR_OK)
		return status;
	if (reader->got == 0)
		return finish(reader, reader->walk.closed ? BITACTOR_TRACE_CLOSED
		                                          : BITACTOR_TRACE_NOT_CLOSED);

	bitactor_segment_header_t header;
	const char *reason = "";
	status = bitactor_segment_header_read(reader->segment, &header, &reason);
	if (status == BITACTOR_CORRUPT && number > 0 && !reader->walk.closed)
		return end_or_broken(reader, number, 0, reason);
	if (status == BITACTOR_OK)
		status = ba_trace_walk_header(&reader->walk, &header, &reason);
	if (status == BITACTOR_OK && !header.open && reader->got < BITACTOR_SEGMENT_BYTES) {
		reason = "the file ends inside this segment";
		status = BITACTOR_CORRUPT;
	}
	if (status != BITACTOR_OK)
		return break_off(reader, status, number, 0, reason);
	reader->next = number + 1;
	reader->open = header.open;
	reader->nonce = bitactor_segment_nonce(header.uuid, number);
	reader->offset = BITACTOR_HEADER_BYTES;
	reader->limit = header.open ? reader->got : header.content_bytes;
	return BITACTOR_OK;
}

/* An open record is the last one but for its DATA. */
static bitactor_status_t
open_is_last(bitactor_trace_reader_t *reader, const bitactor_record_t *record)
{
	bitactor_record_t next;
	uint32_t offset = record->offset + record->bytes;
	while (bitactor_record_read(reader->segment, reader->nonce, offset, reader->got, true,
	                            &next, NULL) == BITACTOR_OK &&
	       (next.kind == BITACTOR_RECORD_DATA || next.kind == BITACTOR_RECORD_PAD))
		offset = next.offset + next.bytes;
	bitactor_status_t status = end_or_broken(reader, reader->walk.segment, offset,
	                                         "a record follows one that is still open");
	if (status != BITACTOR_EMPTY)
		return status;
	reader->end = BITACTOR_TRACE_MORE; /* its DATA may still be asked for */
	reader->dispatched = true;
	return BITACTOR_OK;
}

/* A record was read, or one that is open. */
static bitactor_status_t
accept(bitactor_trace_reader_t *reader, const bitactor_record_t *record, bool open)
{
	const char *reason = "";
	if (open && !reader->open)
		return break_off(reader, BITACTOR_CORRUPT, reader->walk.segment, record->offset,
		                 "an open record in a sealed segment");
	bitactor_status_t status = ba_trace_walk_record(&reader->walk, record, open, &reason);
	if (status == BITACTOR_CORRUPT && open) /* no check vouches for it: it may be torn */
		return end_or_broken(reader, reader->walk.segment, record->offset, reason);
	if (status != BITACTOR_OK)
		return break_off(reader, status, reader->walk.segment, record->offset, reason);
	if (open)
		status = open_is_last(reader, record);
	if (status == BITACTOR_OK)
		reader->offset = record->offset + record->bytes;
	return status == BITACTOR_OK && open ? BITACTOR_BUSY : status;
}

/* One record further, whatever its kind. */
static bitactor_status_t
step(bitactor_trace_reader_t *reader, bitactor_record_t *record)
{
	const char *reason = "";
	if (reader->broken.status != BITACTOR_OK)
		return reader->broken.status;
	if (reader->end != BITACTOR_TRACE_MORE)
		return BITACTOR_EMPTY;
	while (reader->offset >= reader->limit) {
		if (reader->dispatched)
			return finish(reader, BITACTOR_TRACE_OPEN_RECORD);
		if (reader->open)
			return end_or_broken(reader, reader->walk.segment, reader->offset,
			                     "its records end here, unsealed, but more follow");
		bitactor_status_t status = load(reader);
		if (status != BITACTOR_OK)
			return status;
	}
	bitactor_status_t status = bitactor_record_read(reader->segment, reader->nonce,
	                                                reader->offset, reader->limit, true, record,
	                                                &reason);
	if (status == BITACTOR_OK || (status == BITACTOR_BUSY && !reader->dispatched))
		return accept(reader, record, status == BITACTOR_BUSY);
	if (reader->dispatched)
		return finish(reader, BITACTOR_TRACE_OPEN_RECORD);
	if (status == BITACTOR_EMPTY)
		reason = "a slot that was never written";
	if (!reader->open)
		return break_off(reader, BITACTOR_CORRUPT, reader->walk.segment, reader->offset,
		                 reason);
	return end_or_broken(reader, reader->walk.segment, reader->offset, reason);
}

static bitactor_status_t
tell(const bitactor_trace_reader_t *reader, bitactor_status_t status, bitactor_error_t *error)
{
	if (error != NULL && error->status == BITACTOR_OK && reader->broken.status != BITACTOR_OK)
		*error = reader->broken;
	return status;
}

bitactor_status_t
bitactor_trace_next(bitactor_trace_reader_t *reader, bitactor_record_t *record, uint64_t *seq,
                    bitactor_error_t *error)
{
	if (reader == NULL || record == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "trace: NULL argument");
	if (reader->dispatched) /* nothing but its DATA is left, for bitactor_trace_data */
		return tell(reader, finish(reader, BITACTOR_TRACE_OPEN_RECORD), error);
	uint64_t number = reader->walk.seq;
	bitactor_status_t status = step(reader, record);
	if (seq != NULL)
		*seq = number;
	return tell(reader, status, error);
}

bitactor_trace_end_t
bitactor_trace_end(const bitactor_trace_reader_t *reader)
{
	return reader == NULL ? BITACTOR_TRACE_CLOSED : reader->end;
}

/* Room for what is there, not for what was announced. */
static bool
data_append(bitactor_trace_reader_t *reader, size_t used, const bitactor_record_t *record)
{
	size_t need = used + (size_t)record->payload;
	if (need > reader->data_room) {
		size_t room = need < 4096 ? 4096 : need * 2;
		uint8_t *moved = realloc(reader->data, room);
		if (moved == NULL)
			return false;
		reader->data = moved;
		reader->data_room = room;
	}
	memcpy(reader->data + used, record->own, (size_t)record->payload);
	return true;
}

bitactor_status_t
bitactor_trace_data(bitactor_trace_reader_t *reader, size_t most, const uint8_t **bytes,
                    size_t *byte_count, bitactor_error_t *error)
{
	if (reader == NULL || bytes == NULL || byte_count == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "trace: NULL argument");
	*bytes = NULL;
	*byte_count = 0;
	if (reader->broken.status == BITACTOR_OK && reader->walk.data_left > most)
		(void)break_off(reader, BITACTOR_CORRUPT, reader->walk.segment, reader->offset,
		                "more DATA is announced than this program takes");
	while (reader->walk.data_left > 0) {
		bitactor_record_t record;
		bitactor_status_t status = step(reader, &record);
		if (status != BITACTOR_OK)
			return tell(reader, status, error);
		if (record.kind != BITACTOR_RECORD_DATA)
			continue; /* PAD: the walk lets nothing else pass */
		if (!data_append(reader, *byte_count, &record))
			return bitactor_error_set(error, BITACTOR_ERROR, 0,
			                          "%s: out of memory for its data",
			                          reader->file.shown);
		*bytes = reader->data;
		*byte_count += (size_t)record.payload;
	}
	return tell(reader, reader->broken.status, error);
}

/* Read up to the first TURN: SCHEMA and PROGRAM stand before it.  Then go back. */
static bitactor_status_t
read_beginning(bitactor_trace_reader_t *reader)
{
	bitactor_record_t record;
	bitactor_status_t status;
	uint64_t records = 0;
	while ((status = step(reader, &record)) == BITACTOR_OK && !reader->walk.turned)
		records++;
	if (reader->broken.status != BITACTOR_OK)
		return reader->broken.status;
	if (status == BITACTOR_EMPTY && records == 0)
		return break_off(reader, BITACTOR_CORRUPT, 0, 0,
		                 reader->file.bytes == 0
		                         ? "the file is empty"
		                         : "the trace ends before its first record");
	reader->end = BITACTOR_TRACE_MORE;
	reader->dispatched = false;
	reader->next = 0;
	reader->offset = reader->limit = 0;
	reader->open = false;
	ba_trace_walk_begin(&reader->walk);
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_trace_open(const char *path, bitactor_trace_reader_t **reader, bitactor_error_t *error)
{
	if (reader != NULL)
		*reader = NULL;
	if (path == NULL || reader == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "trace: NULL argument");
	bitactor_trace_reader_t *opened = calloc(1, sizeof *opened);
	if (opened == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory for a trace");
	bitactor_status_t status = ba_trace_file_open(path, &opened->file, &opened->broken);
	if (status == BITACTOR_OK) {
		opened->segment = malloc(BITACTOR_SEGMENT_BYTES);
		status = opened->segment != NULL
		                 ? read_beginning(opened)
		                 : bitactor_error_set(&opened->broken, BITACTOR_ERROR, 0,
		                                      "out of memory for a segment");
	}
	if (status != BITACTOR_OK) {
		(void)tell(opened, status, error);
		bitactor_trace_close(opened);
		return status;
	}
	*reader = opened;
	return BITACTOR_OK;
}

void
bitactor_trace_close(bitactor_trace_reader_t *reader)
{
	if (reader == NULL)
		return;
	ba_trace_file_close(&reader->file);
	ba_trace_walk_free(&reader->walk);
	free(reader->segment);
	free(reader->data);
	free(reader);
}

/* ---- facts ------------------------------------------------------------------------- */

void
bitactor_trace_facts(const bitactor_trace_reader_t *reader, bitactor_trace_facts_t *facts)
{
	if (reader == NULL || facts == NULL)
		return;
	const ba_trace_walk_t *walk = &reader->walk;
	*facts = (bitactor_trace_facts_t){
		.header        = walk->first,
		.schema        = &walk->schema,
		.schema_text   = walk->schema_text.whole ? walk->schema_text.bytes : "",
		.schema_bytes  = walk->schema_text.whole ? walk->schema_text.used : 0,
		.program_text  = walk->program_text.whole ? walk->program_text.bytes : "",
		.program_bytes = walk->program_text.whole ? walk->program_text.used : 0,
		.file_bytes    = reader->file.bytes,
	};
}

uint64_t
bitactor_trace_segment(const bitactor_trace_reader_t *reader)
{
	return reader == NULL ? 0 : reader->walk.segment;
}

uint64_t
bitactor_trace_turn(const bitactor_trace_reader_t *reader)
{
	return reader == NULL ? 0 : reader->walk.turn;
}

bool
bitactor_program_value(const char *program_text, size_t program_bytes, const char *key,
                       char *value, size_t room)
{
	if (program_text == NULL || key == NULL || value == NULL || room == 0)
		return false;
	size_t key_bytes = strlen(key);
	const char *line = program_text, *end = program_text + program_bytes;
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *line_end = newline != NULL ? newline : end;
		if ((size_t)(line_end - line) > key_bytes && memcmp(line, key, key_bytes) == 0 &&
		    line[key_bytes] == '\t') {
			const char *from = line + key_bytes + 1;
			size_t value_bytes = (size_t)(line_end - from);
			if (value_bytes >= room)
				return false;
			memcpy(value, from, value_bytes);
			value[value_bytes] = '\0';
			return true;
		}
		line = line_end + 1;
	}
	return false;
}
