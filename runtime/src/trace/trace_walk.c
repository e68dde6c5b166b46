/* SPDX-License-Identifier: Apache-2.0 */
/* trace_walk.c -- the rules that hold from one record to the next.
 *
 *      header   same uuid, schema hash and version; the next number; first_seq is
 *               the seq that was counted; turns go on where they were
 *      record   its turn is not before the last one's (32 bits are kept: a step
 *               of less than 2^31 forward), and not behind the header's last
 *               its kind may occur, its flags and its cause are the kind's
 *               DATA stands behind its head, counted from 0, until the head's
 *               length is reached; only PAD may come between
 *               SCHEMA and PROGRAM, once each, before the first TURN
 *               after an open record its DATA, after CLOSE nothing
 *
 * The reader and verify go through the same rules; a replay cannot be led where
 * verify would not go.
 */
#include "trace_private.h"

#include <bitactor/bitactor_dispatch.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ------------------------------------------------------------------------- */

static bitactor_status_t
text_append(ba_trace_text_t *text, const uint8_t *bytes, size_t byte_count)
{
	size_t need = text->used + byte_count + 1;
	if (need > text->room) {
		size_t room = text->room < 4096 ? 4096 : text->room * 2;
		char *moved = realloc(text->bytes, room > need ? room : need);
		if (moved == NULL)
			return BITACTOR_ERROR;
		text->bytes = moved;
		text->room = room > need ? room : need;
	}
	if (byte_count > 0)
		memcpy(text->bytes + text->used, bytes, byte_count);
	text->used += byte_count;
	text->bytes[text->used] = '\0';
	return BITACTOR_OK;
}

static void
text_free(ba_trace_text_t *text)
{
	free(text->bytes);
	*text = (ba_trace_text_t){ 0 };
}

static bitactor_status_t
wrong(const char **reason, const char *what)
{
	*reason = what;
	return BITACTOR_CORRUPT;
}

static void
know(ba_trace_walk_t *walk, uint16_t kind)
{
	walk->known[kind >> 6] |= UINT64_C(1) << (kind & 63);
}

static void
know_schema(ba_trace_walk_t *walk)
{
	for (uint32_t i = 0; i < walk->schema.kind_count; i++)
		know(walk, walk->schema.kinds[i].kind);
}

void
ba_trace_walk_begin(ba_trace_walk_t *walk)
{
	walk->begun = walk->closed = walk->open = walk->turned = walk->linked = false;
	walk->segment = walk->seq = walk->turn = walk->turn_end = 0;
	walk->data_left = 0;
	walk->text = NULL;
	walk->any_kind = false;
	memset(walk->known, 0, sizeof walk->known);
	know_schema(walk);
	if (!walk->schema_text.whole)
		text_free(&walk->schema_text);
	if (!walk->program_text.whole)
		text_free(&walk->program_text);
	walk->schema_text.begun = walk->program_text.begun = false;
}

void
ba_trace_walk_free(ba_trace_walk_t *walk)
{
	text_free(&walk->schema_text);
	text_free(&walk->program_text);
	bitactor_schema_free(&walk->schema);
}

/* SCHEMA is complete: it must be the one that the headers name. */
static bitactor_status_t
schema_take(ba_trace_walk_t *walk, const char **reason)
{
	uint8_t  digest[BITACTOR_DIGEST_BYTES];
	uint64_t hash = 0;
	bitactor_blake3(walk->schema_text.bytes, walk->schema_text.used, digest);
	for (int i = 7; i >= 0; i--)
		hash = hash << 8 | digest[i];
	if (hash != walk->first.schema)
		return wrong(reason, "the headers name another schema than this SCHEMA");

	bitactor_error_t  error = { 0 };
	bitactor_status_t status = bitactor_schema_parse(
	        walk->schema_text.bytes, walk->schema_text.used, &walk->schema, &error);
	(void)snprintf(walk->complaint, sizeof walk->complaint, "%.*s",
	               (int)sizeof walk->complaint - 1, error.text);
	*reason = walk->complaint;
	know_schema(walk);
	return status;
}

/* The DATA of a head is complete. */
static bitactor_status_t
text_finish(ba_trace_walk_t *walk, const char **reason)
{
	ba_trace_text_t *text = walk->text;
	walk->text = NULL;
	if (text == NULL)
		return BITACTOR_OK;
	text->whole = true;
	return text == &walk->schema_text ? schema_take(walk, reason) : BITACTOR_OK;
}

/* ---- headers ------------------------------------------------------------------------- */

static const char *
header_complaint(ba_trace_walk_t *walk, const bitactor_segment_header_t *header)
{
	if (walk->closed)
		return "a segment follows the one that CLOSE is in";
	if (header->segment != (walk->begun ? walk->segment + 1 : 0)) {
		(void)snprintf(walk->complaint, sizeof walk->complaint,
		               "its header has number %" PRIu64, header->segment);
		return walk->complaint;
	}
	if (walk->begun && memcmp(header->uuid, walk->first.uuid, sizeof header->uuid) != 0)
		return "its header has the uuid of another trace";
	if (walk->begun && header->schema != walk->first.schema)
		return "its header names another schema than the first one";
	if (header->first_seq != walk->seq) {
		(void)snprintf(walk->complaint, sizeof walk->complaint,
		               "its header has first_seq %" PRIu64, header->first_seq);
		return walk->complaint;
	}
	if (header->turn_begin < walk->turn)
		return "its header begins before the turn of the record before it";
	if (header->open && ba_trace_zero_until(header->prev_root, BITACTOR_DIGEST_BYTES) <
	                            BITACTOR_DIGEST_BYTES)
		return "its header is open and has a previous root";
	if (header->open && header->turn_end != 0)
		return "its header is open and has a last turn";
	return NULL;
}

bitactor_status_t
ba_trace_walk_header(ba_trace_walk_t *walk, const bitactor_segment_header_t *header,
                     const char **reason)
{
	const char *complaint = header_complaint(walk, header);
	if (complaint != NULL)
		return wrong(reason, complaint);
	if (!walk->begun) {
		walk->first = *header;
		walk->linked = ba_trace_zero_until(header->prev_root, BITACTOR_DIGEST_BYTES) <
		               BITACTOR_DIGEST_BYTES;
	}
	walk->begun = true;
	walk->segment = header->segment;
	walk->turn = header->turn_begin;
	walk->turn_end = header->open ? UINT64_MAX : header->turn_end;
	return BITACTOR_OK;
}

/* ---- records --------------------------------------------------------------------------- */

/* What the format allows a kind. */
typedef struct rule {
	uint8_t may;      /* flags, besides BITACTOR_RECORD_WRITTEN            */
	bool    measured; /* must have BITACTOR_RECORD_MEASURED                */
	bool    caused;   /* not from outside: cause is a distance back in seq  */
	bool    opens;    /* written before its handler is called               */
	bool    text;     /* payload is the number of bytes in its DATA records */
} rule_t;

static rule_t
rule_of(uint16_t kind)
{
	const uint8_t signal = BITACTOR_RECORD_HAS_FIELDS | BITACTOR_RECORD_HAS_DATA |
	                       BITACTOR_RECORD_OUTSIDE;
	if (kind < BITACTOR_MAX_KINDS)
		return (rule_t){ .may = signal | BITACTOR_RECORD_ZERO_TICK | BITACTOR_RECORD_FAILED,
			         .caused = true,
			         .opens = true };
	switch (kind) {
	case BITACTOR_RECORD_REJECT:
		return (rule_t){ .may = signal, .caused = true, .opens = true };
	case BITACTOR_RECORD_RETRY:
		return (rule_t){ .may = signal | BITACTOR_RECORD_FAILED, .caused = true,
			         .opens = true };
	case BITACTOR_RECORD_TIMER:
		return (rule_t){ .may = BITACTOR_RECORD_HAS_FIELDS | BITACTOR_RECORD_OUTSIDE,
			         .caused = true };
	case BITACTOR_RECORD_SPAWN:
	case BITACTOR_RECORD_STOP:
	case BITACTOR_RECORD_REGISTER:
		return (rule_t){ .may = BITACTOR_RECORD_OUTSIDE, .caused = true };
	case BITACTOR_RECORD_DEAD:
	case BITACTOR_RECORD_QUARANTINE:
	case BITACTOR_RECORD_ABANDON:
	case BITACTOR_RECORD_FAULT:
	case BITACTOR_RECORD_RESTART:
		return (rule_t){ .caused = true };
	case BITACTOR_RECORD_ZERO:
		return (rule_t){ .may = BITACTOR_RECORD_OUTSIDE, .caused = true };
	case BITACTOR_RECORD_ADMIT:
		return (rule_t){ .may = BITACTOR_RECORD_HAS_DATA, .text = true };
	case BITACTOR_RECORD_RESUME:
		return (rule_t){ .may = BITACTOR_RECORD_FAILED, .caused = true, .opens = true };
	case BITACTOR_RECORD_OUTPUT:
		return (rule_t){ .may = BITACTOR_RECORD_HAS_DATA, .caused = true, .text = true };
	case BITACTOR_RECORD_SCHEMA:
	case BITACTOR_RECORD_PROGRAM:
		return (rule_t){ .may = BITACTOR_RECORD_HAS_DATA, .text = true };
	case BITACTOR_RECORD_STATS:
		return (rule_t){ .may = BITACTOR_RECORD_HAS_DATA, .text = true, .measured = true };
	case BITACTOR_RECORD_TIMING:
	case BITACTOR_RECORD_OVERRUN:
	case BITACTOR_RECORD_WALL:
		return (rule_t){ .measured = true };
	default:
		return (rule_t){ 0 };
	}
}

/* Turns from the last record to this one; only 32 bits of a turn are recorded. */
static uint32_t
turns_forward(const ba_trace_walk_t *walk, const bitactor_record_t *record)
{
	return record->turn_lo - (uint32_t)walk->turn;
}

static const char *
turn_complaint(const ba_trace_walk_t *walk, const bitactor_record_t *record)
{
	uint32_t forward = turns_forward(walk, record);
	if (forward > INT32_MAX)
		return "its turn is before the one of the record before it";
	if (forward > walk->turn_end - walk->turn)
		return "its turn is behind the last turn of the segment's header";
	return NULL;
}

static const char *
cause_complaint(const ba_trace_walk_t *walk, const bitactor_record_t *record, rule_t rule)
{
	bool outside = (record->flags & BITACTOR_RECORD_OUTSIDE) != 0;
	bool far = record->cause == BITACTOR_CAUSE_FAR;
	if (outside || !rule.caused)
		return far ? "its cause is none that it can have" : NULL;
	if (far && (record->cause_seq > walk->seq ||
	            walk->seq - record->cause_seq < BITACTOR_CAUSE_FAR))
		return "its CAUSE slot does not name an earlier record, too far for a distance";
	if (!far && (record->cause == 0 || record->cause > walk->seq))
		return "its cause is no earlier record";
	return NULL;
}

static const char *
flags_complaint(const bitactor_record_t *record, rule_t rule)
{
	uint32_t may = rule.may | (uint32_t)BITACTOR_RECORD_WRITTEN |
	               (rule.measured ? (uint32_t)BITACTOR_RECORD_MEASURED : 0u);
	if ((record->flags & ~may) != 0)
		return "it has flags that its kind cannot have";
	if (rule.measured && (record->flags & BITACTOR_RECORD_MEASURED) == 0)
		return "it is measured by its kind, but has not the flag";
	bool     has_data = (record->flags & BITACTOR_RECORD_HAS_DATA) != 0;
	uint64_t announced = rule.text ? record->payload : record->data_bytes;
	if (has_data != (announced > 0))
		return "its flags and its number of data bytes differ";
	return NULL;
}

static bitactor_status_t
take_data(ba_trace_walk_t *walk, const bitactor_record_t *record, const char **reason)
{
	uint8_t flags = BITACTOR_RECORD_WRITTEN |
	                (walk->data_measured ? BITACTOR_RECORD_MEASURED : 0);
	if (walk->data_left == 0)
		return wrong(reason, "DATA without a record before it that announces it");
	if (record->flags != flags || record->cause != 0)
		return wrong(reason, "it has not the flags and the cause that DATA has here");
	if (record->actor != walk->data_number) {
		(void)snprintf(walk->complaint, sizeof walk->complaint,
		               "DATA number %" PRIu32 " where number %" PRIu32 " comes next",
		               record->actor, walk->data_number);
		return wrong(reason, walk->complaint);
	}
	if (record->payload > walk->data_left)
		return wrong(reason, "more DATA than its head announced");
	size_t rest = (size_t)(record->own_bytes - record->payload);
	if (ba_trace_zero_until(record->own + record->payload, rest) < rest)
		return wrong(reason, "DATA does not end in zeros");

	walk->turn += turns_forward(walk, record);
	walk->data_left -= record->payload;
	walk->data_number++;
	if (walk->text != NULL &&
	    text_append(walk->text, record->own, (size_t)record->payload) != BITACTOR_OK)
		return *reason = "out of memory for its text", BITACTOR_ERROR;
	return walk->data_left == 0 ? text_finish(walk, reason) : BITACTOR_OK;
}

/* SCHEMA and PROGRAM: begin to keep what follows, unless it is known already. */
static bitactor_status_t
take_text(ba_trace_walk_t *walk, const bitactor_record_t *record, const char **reason)
{
	bool is_schema = record->kind == BITACTOR_RECORD_SCHEMA;
	ba_trace_text_t *text = is_schema ? &walk->schema_text : &walk->program_text;
	if (walk->turned)
		return wrong(reason, "it stands behind the first TURN");
	if (text->begun)
		return wrong(reason, "there is an earlier one of its kind");
	if (record->payload > BA_TRACE_TEXT_MAX)
		return wrong(reason, "its text is longer than 16 MiB");
	text->begun = true;
	if (text->whole)
		return BITACTOR_OK;
	walk->text = text;
	if (text_append(text, NULL, 0) != BITACTOR_OK)
		return *reason = "out of memory for its text", BITACTOR_ERROR;
	return record->payload == 0 ? text_finish(walk, reason) : BITACTOR_OK;
}

/* The kinds that mean something to the walk itself. */
static bitactor_status_t
take_own_kind(ba_trace_walk_t *walk, const bitactor_record_t *record, const char **reason)
{
	switch (record->kind) {
	case BITACTOR_RECORD_SCHEMA:
	case BITACTOR_RECORD_PROGRAM:
		return take_text(walk, record, reason);
	case BITACTOR_RECORD_TURN:
		if (!walk->turned && walk->first.schema != 0 && !walk->schema_text.begun)
			return wrong(reason, "the SCHEMA that the headers name is not before it");
		walk->turned = true;
		return BITACTOR_OK;
	case BITACTOR_RECORD_REGISTER:
		if (record->actor >= BITACTOR_MAX_KINDS)
			return wrong(reason, "it registers a kind that no signal can have");
		if (walk->first.schema == 0)
			know(walk, (uint16_t)record->actor);
		if (walk->first.schema == 0 && record->payload != UINT64_MAX &&
		    (record->payload >> 32 & BITACTOR_HANDLER_FIBER) != 0)
			walk->any_kind = true;
		return BITACTOR_OK;
	case BITACTOR_RECORD_REJECT:
		if (record->own[0] + record->own[1] * 256u >= BITACTOR_MAX_KINDS ||
		    ba_trace_zero_until(record->own + 2, 2) == 2 ||
		    ba_trace_zero_until(record->own + 4, 28) < 28)
			return wrong(reason, "its own slot is not a kind, a reason and zeros");
		return BITACTOR_OK;
	case BITACTOR_RECORD_CLOSE:
		if (record->payload != walk->seq)
			return wrong(reason, "it has not the number of compared records before it");
		walk->closed = true;
		return BITACTOR_OK;
	default:
		return BITACTOR_OK;
	}
}

static const char *
place_complaint(const ba_trace_walk_t *walk, const bitactor_record_t *record)
{
	bool goes_on = record->kind == BITACTOR_RECORD_DATA || record->kind == BITACTOR_RECORD_PAD;
	if (walk->closed)
		return "a record follows CLOSE";
	if (walk->linked && record->kind != BITACTOR_RECORD_LINK)
		return "the first header has a previous root, but LINK is not the first record";
	if (walk->open && !goes_on)
		return "a record follows one that is still open";
	if (walk->data_left > 0 && !goes_on)
		return "the DATA of the record before it is not complete";
	if (record->kind < BITACTOR_MAX_KINDS && !ba_trace_walk_knows(walk, record->kind))
		return walk->first.schema != 0 ? "its kind is not in the schema"
		                               : "its kind was never registered";
	return NULL;
}

bitactor_status_t
ba_trace_walk_record(ba_trace_walk_t *walk, const bitactor_record_t *record, bool open,
                     const char **reason)
{
	rule_t rule = rule_of(record->kind);
	const char *complaint = place_complaint(walk, record);
	if (complaint == NULL)
		complaint = turn_complaint(walk, record);
	if (complaint == NULL && open && !rule.opens)
		complaint = "it is open, but nothing is dispatched by its kind";
	if (complaint != NULL)
		return wrong(reason, complaint);
	if (record->kind == BITACTOR_RECORD_DATA)
		return take_data(walk, record, reason);
	complaint = flags_complaint(record, rule);
	if (complaint == NULL)
		complaint = cause_complaint(walk, record, rule);
	if (complaint != NULL)
		return wrong(reason, complaint);

	bitactor_status_t status = take_own_kind(walk, record, reason);
	if (status != BITACTOR_OK)
		return status;
	if ((record->flags & BITACTOR_RECORD_HAS_DATA) != 0) {
		walk->data_left = rule.text ? record->payload : record->data_bytes;
		walk->data_number = 0;
		walk->data_measured = rule.measured;
	}
	walk->turn += turns_forward(walk, record);
	walk->linked = false;
	walk->open = walk->open || open;
	walk->seq += bitactor_record_is_compared(record);
	return BITACTOR_OK;
}
