/* SPDX-License-Identifier: Apache-2.0 */
/* trace_verify.c -- is every byte of a trace what it must be?
 *
 *      segment k     bytes ----- BLAKE3 ----> root
 *                                               |  equal: the bytes are proved, their
 *      segment k+1   header: prev_root <--------+  records are only walked
 *
 * Checks are computed again in the last segment, whose root nobody holds; after
 * a root that is not equal, to name the record; and everywhere when asked.  That is
 * a pass of its own (trace_checks.c), and what it went past is proved as well.  Two
 * segments are in memory: the one that is walked, and the one whose header holds
 * its root.
 *
 * Where it breaks is the first place in the order of the file: header, records,
 * the zeros behind them, then the root as a whole, then `metadata`.
 */
#include "trace_private.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A segment in memory and what its header says. */
typedef struct held {
	uint8_t *bytes;
	uint32_t got; /* of the file; the rest is zero */
	bitactor_segment_header_t header;
	bitactor_status_t status; /* of the header, with its reason */
	const char *reason;
} held_t;

typedef struct verify {
	const bitactor_verify_options_t *options;
	bitactor_verify_report_t *report;
	bitactor_error_t *error;
	ba_trace_file_t file;
	ba_trace_walk_t walk;
	held_t here, next;
	uint8_t root[BITACTOR_DIGEST_BYTES]; /* of `here`, if it is sealed */
} verify_t;

static bitactor_status_t
broken(verify_t *verify, bitactor_status_t status, uint64_t segment, uint32_t offset,
       const char *what)
{
	ba_trace_place_t place = { .segment = segment, .offset = offset, .seq = verify->walk.seq };
	if (status == BITACTOR_CORRUPT) {
		verify->report->bad_segment = segment;
		verify->report->bad_offset = offset;
		verify->report->bad_seq = place.seq;
		memcpy(verify->report->bad_file, "trace", sizeof "trace");
	}
	return ba_trace_complain(verify->error, status, &verify->file, &place, what);
}

/* ---- records ------------------------------------------------------------------------- */

static void
count_record(bitactor_verify_report_t *report, uint16_t kind, uint8_t flags)
{
	report->signals += kind < BITACTOR_MAX_KINDS;
	report->rejects += kind == BITACTOR_RECORD_REJECT;
	report->outputs += kind == BITACTOR_RECORD_OUTPUT;
	report->overruns += kind == BITACTOR_RECORD_OVERRUN;
	report->failed += (flags & BITACTOR_RECORD_FAILED) != 0;
}

static uint64_t
load64(const uint8_t *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return value;
}

/* The upper half of a record's first word: kind, ext, flags. */
enum {
	KEY_EXT      = 0xFF << 16,
	KEY_FIELDS   = BITACTOR_RECORD_HAS_FIELDS << 24,
	KEY_FAILED   = BITACTOR_RECORD_FAILED << 24,
	KEY_TURN     = BITACTOR_RECORD_TURN | BITACTOR_RECORD_WRITTEN << 24
};
static const uint32_t KEY_OUTSIDE = (uint32_t)BITACTOR_RECORD_OUTSIDE << 24;

/* Is this the key of a bare record, signal or TURN, that may come next? */
static bool
key_is_plain(const ba_trace_walk_t *walk, uint32_t key)
{
	const uint32_t may = KEY_OUTSIDE | KEY_FAILED | KEY_FIELDS;
	uint32_t kind = key & 0xFFFF, ext = (key & KEY_EXT) >> 16;

	if (key == KEY_TURN)
		return walk->turned;
	return (key >> 24 & ~(may >> 24)) == BITACTOR_RECORD_WRITTEN && kind < BITACTOR_MAX_KINDS &&
	       ext == ((key & KEY_FIELDS) != 0) && ba_trace_walk_knows(walk, (uint16_t)kind);
}

/* Can the rest of a record with a plain key be believed, its turn excepted? */
static inline __attribute__((always_inline)) bool
rest_is_plain(const uint8_t *record, uint32_t key, uint64_t seq)
{
	uint32_t cause = (uint32_t)(load64(record + 8) >> 32);
	if (load64(record + 24) == 0 || cause == BITACTOR_CAUSE_FAR)
		return false;
	/* of a TURN it may be anything else */
	return (key & KEY_OUTSIDE) != 0 || key == KEY_TURN || (cause != 0 && cause <= seq);
}

static inline __attribute__((always_inline)) bool
fields_are_plain(const uint8_t *fields, uint32_t offset)
{
	return offset % BITACTOR_CHUNK_BYTES <= BITACTOR_CHUNK_BYTES - 64 &&
	       load64(fields + 16) >> 32 == 0 && /* data_bytes */
	       load64(fields + 24) >> 16 == 0;
}

/* Go past the bare records that most of a trace consists of, where bytes are
 * proved, by the root or by their checks.  Stops before whatever is not plainly
 * right, for the rules to judge: what is tested is what bitactor_record_read and
 * ba_trace_walk_record test for such a record, and no more is let through.
 *
 * What does not change from one record to the next is not looked at again. */
static __attribute__((noinline)) uint32_t
walk_plain(verify_t *verify, uint32_t offset, uint32_t limit)
{
	ba_trace_walk_t *walk = &verify->walk;
	bitactor_verify_report_t *report = verify->report;
	const uint8_t   *bytes = verify->here.bytes;
	uint64_t seq = walk->seq, turn = walk->turn, turns = 0, failed = 0;
	uint32_t plain_key = 0; /* none: it is not WRITTEN */

	if (walk->data_left > 0 || walk->closed || walk->open || walk->linked)
		return offset;
	while (limit - offset >= 64) {
		const uint8_t *record = bytes + offset;
		uint64_t word0   = load64(record);
		uint32_t key     = (uint32_t)(word0 >> 32);
		uint32_t forward = (uint32_t)word0 - (uint32_t)turn;
		if (forward != 0 && (forward > INT32_MAX || forward > walk->turn_end - turn))
			break;
		if (key != plain_key && !key_is_plain(walk, key))
			break;
		plain_key = key;
		if (!rest_is_plain(record, key, seq))
			break;
		if ((key & KEY_EXT) != 0) {
			if (!fields_are_plain(record + 32, offset))
				break;
			offset += 32;
		}
		turn += forward;
		seq++;
		turns += key == KEY_TURN;
		failed += (key & KEY_FAILED) != 0;
		offset += 32;
	}
	report->records += seq - walk->seq;
	report->compared += seq - walk->seq;
	report->signals += seq - walk->seq - turns;
	report->failed += failed;
	walk->seq  = seq;
	walk->turn = turn;
	return offset;
}

/* Records from `offset` to `limit`.  BITACTOR_OK: there are no more; BITACTOR_BUSY:
 * an open segment ends at *offset. */
static bitactor_status_t
walk_records(verify_t *verify, uint32_t nonce, bool deep, uint32_t *offset, uint32_t limit)
{
	bitactor_verify_report_t *report = verify->report;
	uint64_t segment = verify->walk.segment;
	const uint8_t *bytes = verify->here.bytes;
	bool     open = verify->here.header.open;
	uint32_t checked = deep ? ba_trace_checks(bytes, nonce, *offset, limit) : limit;

	while (*offset < limit) {
		bitactor_record_t record;
		const char *reason = "";
		if (*offset < checked)
			*offset = walk_plain(verify, *offset, checked);
		bitactor_status_t status =
		        bitactor_record_read(bytes, nonce, *offset, limit, *offset >= checked,
		                             &record, &reason);
		if (status == BITACTOR_EMPTY && (open || *offset == limit))
			return open ? BITACTOR_BUSY : BITACTOR_OK;
		if (status == BITACTOR_EMPTY || (status == BITACTOR_BUSY && !open))
			return broken(verify, BITACTOR_CORRUPT, segment, *offset,
			              status == BITACTOR_EMPTY
			                      ? "a slot that was never written"
			                      : "an open record in a sealed segment");
		bool     is_open = status == BITACTOR_BUSY;
		uint64_t seq     = verify->walk.seq;
		if (status == BITACTOR_OK || is_open)
			status = ba_trace_walk_record(&verify->walk, &record, is_open, &reason);
		if (status != BITACTOR_OK)
			return broken(verify, status, segment, *offset, reason);
		*offset += record.bytes;
		if (is_open) {
			report->open_record = true;
			continue;
		}
		report->records++;
		report->compared += verify->walk.seq - seq;
		count_record(report, record.kind, record.flags);
	}
	return open ? BITACTOR_BUSY : BITACTOR_OK;
}

/* ---- segments ------------------------------------------------------------------------ */

static bitactor_status_t
hold(verify_t *verify, uint64_t number, held_t *held)
{
	bitactor_status_t status = ba_trace_file_segment(&verify->file, number, held->bytes,
	                                                 &held->got, verify->error);
	held->reason = "";
	if (status == BITACTOR_OK)
		held->status = bitactor_segment_header_read(held->bytes, &held->header,
		                                            &held->reason);
	if (held->got > 0)
		verify->report->bytes = number * BITACTOR_SEGMENT_BYTES + held->got;
	return status;
}

/* Behind the last record of an unclosed trace, at this place, there is nothing but
 * zeros. */
static bitactor_status_t
zeros_to_the_end(verify_t *verify, uint64_t segment, uint32_t offset)
{
	held_t  *here = &verify->here;
	uint32_t from = offset;
	for (uint64_t number = segment; here->got > 0; from = 0) {
		uint32_t at = from + (uint32_t)ba_trace_zero_until(here->bytes + from,
		                                                   BITACTOR_SEGMENT_BYTES - from);
		if (at < BITACTOR_SEGMENT_BYTES && number == segment)
			return broken(verify, BITACTOR_CORRUPT, segment, at,
			              "a byte behind the last record is not zero");
		if (at < BITACTOR_SEGMENT_BYTES)
			return broken(verify, BITACTOR_CORRUPT, segment, offset,
			              "its records end here, unsealed, but more segments follow");
		if (here->got < BITACTOR_SEGMENT_BYTES)
			return broken(verify, BITACTOR_CORRUPT, number, here->got,
			              "the file ends inside this segment");
		bitactor_status_t status = hold(verify, ++number, here);
		if (status != BITACTOR_OK)
			return status;
	}
	return BITACTOR_BUSY;
}

/* Does the segment that follows hold the root of this one? */
static bool
is_proved(verify_t *verify)
{
	const held_t *next = &verify->next;
	bitactor_blake3(verify->here.bytes, BITACTOR_SEGMENT_BYTES, verify->root);
	return next->got > 0 && next->status == BITACTOR_OK && !next->header.open &&
	       bitactor_digest_equal(verify->root, next->header.prev_root);
}

static bitactor_status_t
check_sealed(verify_t *verify, uint32_t nonce)
{
	uint64_t segment = verify->walk.segment;
	uint32_t content = verify->here.header.content_bytes, offset = BITACTOR_HEADER_BYTES;
	uint32_t there = content < verify->here.got ? content : verify->here.got / 32 * 32;
	bool     proved = is_proved(verify);

	bitactor_status_t status = walk_records(verify, nonce, verify->options->deep || !proved,
	                                        &offset, there);
	if (status != BITACTOR_OK)
		return status;
	uint32_t zeros = (uint32_t)ba_trace_zero_until(verify->here.bytes + content,
	                                               BITACTOR_SEGMENT_BYTES - content);
	if (content + zeros < BITACTOR_SEGMENT_BYTES)
		return broken(verify, BITACTOR_CORRUPT, segment, content + zeros,
		              "a byte behind the last record is not zero");
	if (verify->here.got < BITACTOR_SEGMENT_BYTES)
		return broken(verify, BITACTOR_CORRUPT, segment, verify->here.got,
		              "the file ends inside this segment");
	const held_t *next = &verify->next;
	if (!proved && next->got > 0 && next->status == BITACTOR_OK && !next->header.open &&
	    next->header.segment == segment + 1 &&
	    memcmp(next->header.uuid, verify->walk.first.uuid, 16) == 0)
		return broken(verify, BITACTOR_CORRUPT, segment, 0,
		              "its root is not the one that the next segment's header holds; "
		              "every check in it matches");
	return BITACTOR_OK;
}

/* BITACTOR_OK: go on with the next; BITACTOR_BUSY: an unclosed trace ends here. */
static bitactor_status_t
check_segment(verify_t *verify, uint64_t number)
{
	held_t     *here = &verify->here;
	const char *reason = here->reason;
	uint32_t    offset = BITACTOR_HEADER_BYTES;

	if (here->status != BITACTOR_OK && number > 0 && !verify->walk.closed &&
	    ba_trace_zero_until(here->bytes, BITACTOR_SEGMENT_BYTES) == BITACTOR_SEGMENT_BYTES)
		return zeros_to_the_end(verify, number, 0); /* made ready, not begun */
	bitactor_status_t status = here->status;
	if (status == BITACTOR_OK)
		status = ba_trace_walk_header(&verify->walk, &here->header, &reason);
	if (status != BITACTOR_OK)
		return broken(verify, status, number, 0, reason);

	uint32_t nonce = bitactor_segment_nonce(here->header.uuid, number);
	verify->report->segments++;
	if (!here->header.open)
		return check_sealed(verify, nonce);
	status = walk_records(verify, nonce, true, &offset, here->got);
	return status == BITACTOR_BUSY ? zeros_to_the_end(verify, number, offset) : status;
}

static bitactor_status_t
check_segments(verify_t *verify)
{
	bitactor_status_t status = hold(verify, 0, &verify->next);
	if (status == BITACTOR_OK && verify->next.got == 0)
		return broken(verify, BITACTOR_CORRUPT, 0, 0, "the file is empty");
	for (uint64_t number = 0; status == BITACTOR_OK; number++) {
		held_t before = verify->here;
		verify->here = verify->next;
		verify->next = before;
		if (verify->here.got == 0)
			return verify->walk.closed ? BITACTOR_OK : BITACTOR_BUSY;
		status = hold(verify, number + 1, &verify->next);
		if (status == BITACTOR_OK)
			status = check_segment(verify, number);
		if (verify->options->progress != NULL)
			verify->options->progress(verify->options->progress_context,
			                          verify->report->bytes, verify->file.bytes);
	}
	return status;
}

/* ---- the whole ------------------------------------------------------------------------ */

static bitactor_status_t
check_metadata(verify_t *verify)
{
	const ba_trace_walk_t *walk = &verify->walk;
	uint32_t offset = 0;
	if (walk->first.schema != 0 && !walk->schema_text.whole)
		return BITACTOR_OK; /* an unclosed trace that ends before its SCHEMA */
	bitactor_status_t status = ba_trace_metadata_check(
	        &verify->file, &walk->schema, walk->first.uuid, &offset, verify->error);
	if (status == BITACTOR_CORRUPT) {
		verify->report->bad_offset = offset;
		memcpy(verify->report->bad_file, "metadata", sizeof "metadata");
	}
	return status;
}

static void
hex(const uint8_t digest[BITACTOR_DIGEST_BYTES], char text[BITACTOR_DIGEST_BYTES * 2 + 1])
{
	static const char digits[] = "0123456789abcdef";
	for (int i = 0; i < BITACTOR_DIGEST_BYTES; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	text[BITACTOR_DIGEST_BYTES * 2] = '\0';
}

static bitactor_status_t
check_head(verify_t *verify)
{
	bitactor_verify_report_t *report = verify->report;
	char is[BITACTOR_DIGEST_BYTES * 2 + 1], kept[BITACTOR_DIGEST_BYTES * 2 + 1];
	memcpy(report->head, verify->root, sizeof report->head);
	if (verify->options->head == NULL ||
	    bitactor_digest_equal(report->head, verify->options->head))
		return BITACTOR_OK;
	hex(report->head, is);
	hex(verify->options->head, kept);
	memcpy(report->bad_file, "trace", sizeof "trace");
	report->bad_segment = verify->walk.segment;
	report->bad_seq = verify->walk.seq;
	return bitactor_error_set(verify->error, BITACTOR_CORRUPT, 0,
	                          "%s: head differs: it is %s, not %s", verify->file.shown, is,
	                          kept);
}

static bitactor_status_t
not_closed(verify_t *verify)
{
	const bitactor_verify_report_t *report = verify->report;
	const char *open = report->open_record ? "; the record behind it was in dispatch" : "";
	if (report->compared == 0)
		return bitactor_error_set(verify->error, BITACTOR_BUSY, 0,
		                          "%s: not closed, and no record is complete%s",
		                          verify->file.shown, open);
	return bitactor_error_set(verify->error, BITACTOR_BUSY, 0,
	                          "%s: not closed, valid to seq %" PRIu64 "%s",
	                          verify->file.shown, report->last_seq, open);
}

static bitactor_status_t
check(verify_t *verify)
{
	bitactor_verify_report_t *report = verify->report;
	bitactor_status_t status = check_segments(verify);
	report->closed = status == BITACTOR_OK;
	report->last_seq = report->compared > 0 ? report->compared - 1 : 0;
	if (status != BITACTOR_OK && status != BITACTOR_BUSY)
		return status;
	bitactor_status_t rest = check_metadata(verify);
	if (rest == BITACTOR_OK && status == BITACTOR_OK)
		rest = check_head(verify);
	if (rest == BITACTOR_OK && status == BITACTOR_BUSY)
		rest = not_closed(verify);
	return rest;
}

bitactor_status_t
bitactor_trace_verify(const char *path, const bitactor_verify_options_t *options,
                      bitactor_verify_report_t *report, bitactor_error_t *error)
{
	static const bitactor_verify_options_t plain;
	bitactor_verify_report_t unread;
	if (report == NULL)
		report = &unread;
	*report = (bitactor_verify_report_t){ 0 };
	if (path == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "trace: NULL argument");
	verify_t *verify = calloc(1, sizeof *verify);
	uint8_t  *segments = malloc(2 * (size_t)BITACTOR_SEGMENT_BYTES);
	bitactor_status_t status = BITACTOR_ERROR;
	if (verify == NULL || segments == NULL) {
		(void)bitactor_error_set(error, status, 0, "out of memory for two segments");
	} else {
		verify->options = options != NULL ? options : &plain;
		verify->report = report;
		verify->error = error;
		verify->here.bytes = segments;
		verify->next.bytes = segments + BITACTOR_SEGMENT_BYTES;
		ba_trace_walk_begin(&verify->walk);
		status = ba_trace_file_open(path, &verify->file, error);
		if (status == BITACTOR_OK)
			status = check(verify);
		ba_trace_file_close(&verify->file);
		ba_trace_walk_free(&verify->walk);
	}
	free(segments);
	free(verify);
	return status;
}
