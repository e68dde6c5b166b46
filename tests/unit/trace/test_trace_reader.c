/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_reader.c -- what was sent comes back, and an end is told from a break. */
#include "trace_rig.h"

static bitactor_trace_reader_t *
opened(const char *name)
{
	bitactor_trace_reader_t *reader = NULL;
	bitactor_error_t error = { 0 };
	CHECK_EQ(bitactor_trace_open(rig_trace(name), &reader, &error), BITACTOR_OK);
	if (reader == NULL)
		printf("   %s\n", error.text);
	return reader;
}

/* Records up to the end; how many were good, and how it ended. */
typedef struct outcome {
	bitactor_status_t    status;
	bitactor_trace_end_t end;
	uint64_t             records;
	bitactor_error_t     error;
} outcome_t;

static outcome_t
read_all(const char *name)
{
	outcome_t outcome = { 0 };
	bitactor_trace_reader_t *reader;
	bitactor_record_t record;
	outcome.status = bitactor_trace_open(rig_trace(name), &reader, &outcome.error);
	if (outcome.status != BITACTOR_OK)
		return outcome;
	while ((outcome.status = bitactor_trace_next(reader, &record, NULL, &outcome.error)) ==
	       BITACTOR_OK)
		outcome.records++;
	bitactor_status_t again = bitactor_trace_next(reader, &record, NULL, NULL);
	CHECK_EQ(again, outcome.status == BITACTOR_BUSY ? BITACTOR_EMPTY : outcome.status);
	outcome.end = bitactor_trace_end(reader);
	bitactor_trace_close(reader);
	return outcome;
}

/* ---- what was sent comes back --------------------------------------------------- */

/* Where the reading of one trace is. */
typedef struct progress {
	const rig_t *rig;
	size_t   signals;
	uint64_t seq, turn, segment, speaks, outputs, data_records;
} progress_t;

static void
compare_signal(progress_t *progress, bitactor_trace_reader_t *reader,
               const bitactor_record_t *record)
{
	CHECK(progress->signals < progress->rig->sent_count);
	if (progress->signals >= progress->rig->sent_count)
		return;
	const rig_sent_t *sent = &progress->rig->sent[progress->signals++];
	uint16_t kind = record->kind;
	if (kind == BITACTOR_RECORD_REJECT)
		memcpy(&kind, record->own, sizeof kind);
	CHECK_EQ(kind, sent->signal.kind);
	CHECK_EQ(record->payload, sent->signal.payload);
	CHECK_EQ(record->actor, sent->signal.actor);
	CHECK_EQ(record->context, sent->signal.context);
	CHECK_EQ(record->timestamp, sent->signal.timestamp);
	CHECK_EQ(record->id, sent->signal.id);
	CHECK_EQ(record->priority, sent->signal.priority);
	CHECK_EQ(record->signal_flags, sent->signal.flags);
	CHECK_EQ(record->data_bytes, sent->signal.data_bytes);
	CHECK_EQ((record->flags & BITACTOR_RECORD_FAILED) != 0, kind == KIND_FAILS);
	if (kind == KIND_SPEAKS)
		progress->speaks = record->payload;
	const uint8_t *bytes;
	size_t count;
	CHECK_EQ(bitactor_trace_data(reader, 32768, &bytes, &count, NULL), BITACTOR_OK);
	CHECK_EQ(count, sent->signal.data_bytes);
	CHECK_EQ(count == 0 || memcmp(bytes, sent->data, count) == 0, true);
}

static void
compare_output(progress_t *progress, bitactor_trace_reader_t *reader,
               const bitactor_record_t *record)
{
	const uint8_t *bytes;
	size_t count;
	CHECK_EQ(record->cause, 1);
	CHECK_EQ(record->payload, progress->speaks % 3000);
	CHECK_EQ(bitactor_trace_data(reader, 3000, &bytes, &count, NULL), BITACTOR_OK);
	CHECK_EQ(count, record->payload);
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != 'a' + progress->speaks % 26)
			CHECK_EQ(bytes[i], 'a' + progress->speaks % 26);
	progress->outputs++;
}

static void
compare(const rig_t *rig, const char *name)
{
	progress_t progress = { .rig = rig };
	bitactor_trace_reader_t *reader = opened(name);
	bitactor_record_t record;
	bitactor_status_t status;
	uint64_t seq;
	if (reader == NULL)
		return;
	while ((status = bitactor_trace_next(reader, &record, &seq, NULL)) == BITACTOR_OK) {
		bool outside = (record.flags & BITACTOR_RECORD_OUTSIDE) != 0 &&
		               record.kind != BITACTOR_RECORD_REGISTER;
		CHECK_EQ(seq, progress.seq);
		progress.seq += bitactor_record_is_compared(&record);
		progress.turn += record.kind == BITACTOR_RECORD_TURN;
		CHECK(bitactor_trace_turn(reader) - progress.turn <=
		      (record.kind == BITACTOR_RECORD_PAD));
		CHECK(bitactor_trace_segment(reader) >= progress.segment);
		progress.segment = bitactor_trace_segment(reader);
		CHECK_EQ(bitactor_trace_end(reader), BITACTOR_TRACE_MORE);
		if (record.kind == BITACTOR_RECORD_OUTPUT)
			compare_output(&progress, reader, &record);
		else if (outside)
			compare_signal(&progress, reader, &record);
		else if (record.kind == BITACTOR_RECORD_CLOSE)
			CHECK_EQ(record.payload, seq);
		else if (record.kind == KIND_PLAIN)
			CHECK(record.cause >= 1);
	}
	CHECK_EQ(status, BITACTOR_EMPTY);
	CHECK_EQ(bitactor_trace_end(reader), BITACTOR_TRACE_CLOSED);
	CHECK_EQ(progress.signals, rig->sent_count);
	CHECK(progress.outputs > 0);
	CHECK(progress.segment > 2);
	bitactor_trace_close(reader);
}

static void
model(void)
{
	SCENARIO("what was sent comes back, in order, with its data") {
		GIVEN("traces of several segments, with data and outputs that cross them");
		for (uint64_t seed = 1; seed <= 6 * rig_scale(); seed++) {
			rig_t rig;
			bitactor_verify_report_t report;
			unsigned flags = seed % 3 == 0 ? 0 : seed % 3 == 1 ? RIG_ALL : RIG_VIRTUAL;
			rig_open_with(&rig, "a.bitrace", seed, flags);
			rig_send(&rig, 1500);
			rig_close(&rig);
			compare(&rig, "a.bitrace");
			AND("read without asking for data, every record is given out");
			CHECK_EQ(bitactor_trace_verify(rig_trace("a.bitrace"), NULL, &report, NULL),
			         BITACTOR_OK);
			outcome_t outcome = read_all("a.bitrace");
			CHECK_EQ(outcome.status, BITACTOR_EMPTY);
			CHECK_EQ(outcome.records, report.records);
			rig_end(&rig);
		}
	}
}

static void
facts_known(void)
{
	SCENARIO("schema, program and header are known before the first record") {
		rig_make("f.bitrace", 1, 10);
		bitactor_trace_reader_t *reader = opened("f.bitrace");
		bitactor_trace_facts_t facts;
		bitactor_trace_facts(reader, &facts);
		CHECK_EQ(facts.schema_bytes, strlen(rig_schema));
		CHECK_EQ(strcmp(facts.schema_text, rig_schema), 0);
		CHECK_EQ(facts.schema->kind_count, RIG_KINDS);
		CHECK_EQ(strcmp(facts.schema->kinds[KIND_SPEAKS].name, "speaks"), 0);
		CHECK_EQ(facts.program_bytes, strlen(rig_program));
		CHECK_EQ(strcmp(facts.program_text, rig_program), 0);
		CHECK_EQ(facts.header.segment, 0);
		CHECK_EQ(facts.header.schema, rig_schema_hash(rig_schema));
		CHECK_EQ(facts.file_bytes, SEGMENT);
		bitactor_trace_close(reader);
		rig_t rig;
		rig_open_with(&rig, "g.bitrace", 1, 0);
		rig_send(&rig, 10);
		rig_close(&rig);
		reader = opened("g.bitrace");
		bitactor_trace_facts(reader, &facts);
		CHECK_EQ(facts.schema_bytes + facts.program_bytes, 0);
		CHECK_EQ(facts.schema_text[0], '\0');
		CHECK_EQ(facts.program_text[0], '\0');
		CHECK_EQ(facts.schema->kind_count, 0);
		bitactor_trace_close(reader);
		rig_end(&rig);
	}
	SCENARIO("a value of PROGRAM is found by its whole key") {
		char value[8];
		size_t bytes = strlen(rig_program);
		CHECK_EQ(bitactor_program_value(rig_program, bytes, "version", value, 8), true);
		CHECK_EQ(strcmp(value, "1.2.3"), 0);
		CHECK_EQ(bitactor_program_value(rig_program, bytes, "empty", value, 8), true);
		CHECK_EQ(value[0], '\0');
		CHECK_EQ(bitactor_program_value(rig_program, bytes, "vers", value, 8), false);
		CHECK_EQ(bitactor_program_value(rig_program, bytes, "1.2.3", value, 8), false);
		CHECK_EQ(bitactor_program_value(rig_program, bytes, "version", value, 6), true);
		CHECK_EQ(bitactor_program_value(rig_program, bytes, "version", value, 5), false);
		CHECK_EQ(bitactor_program_value(rig_program, 10, "module", value, 8), true);
		CHECK_EQ(strcmp(value, "rig"), 0);
		CHECK_EQ(bitactor_program_value(NULL, 0, "version", value, 8), false);
		CHECK_EQ(bitactor_program_value(rig_program, bytes, NULL, value, 8), false);
	}
}

/* ---- ends and breaks -------------------------------------------------------------- */

static rig_bytes_t killed; /* `trace` of a run that was killed: segments, then an open one */
static uint32_t    open_offsets[2048];
static size_t      open_count, sealed_records;
static uint64_t    open_base;

static void
make_killed(void)
{
	rig_t rig;
	bitactor_verify_report_t report;
	rig_open(&rig, "killed.bitrace", 11);
	rig_send(&rig, 600);
	rig_kill(&rig);
	rig_end(&rig);
	killed = rig_read(rig_path("killed.bitrace", "trace"));
	open_base = killed.count - SEGMENT;
	CHECK_EQ(bitactor_trace_verify(rig_trace("killed.bitrace"), NULL, &report, NULL),
	         BITACTOR_BUSY);
	const uint8_t *segment = killed.at + open_base;
	for (uint32_t at = 128; at < SEGMENT && segment[at + 7] != 0;
	     at += 32u + 32u * segment[at + 6])
		open_offsets[open_count++] = at;
	sealed_records = report.records - open_count;
	CHECK(open_count > 20);
	CHECK(sealed_records > 200);
}

static outcome_t
read_bytes(const uint8_t *bytes, size_t count)
{
	(void)rig_forge("forged.bitrace", "killed.bitrace", bytes, count);
	return read_all("forged.bitrace");
}

static void
ends(void)
{
	SCENARIO("an unclosed trace ends after its last good record, wherever it is cut") {
		GIVEN("a killed trace, cut at and in the records of its open segment");
		outcome_t outcome = read_bytes(killed.at, killed.count);
		CHECK_EQ(outcome.status, BITACTOR_EMPTY);
		CHECK_EQ(outcome.end, BITACTOR_TRACE_NOT_CLOSED);
		CHECK_EQ(outcome.records, sealed_records + open_count);
		uint64_t chance = 77;
		for (size_t i = 0; i < open_count; i++) {
			uint32_t from = open_offsets[i];
			uint32_t bytes = 32u + 32u * killed.at[open_base + from + 6];
			uint32_t extra = (uint32_t)(rig_random(&chance) % bytes);
			outcome = read_bytes(killed.at, open_base + from + (i % 2 ? extra : 0));
			CHECK_EQ(outcome.status, BITACTOR_EMPTY);
			CHECK_EQ(outcome.end, BITACTOR_TRACE_NOT_CLOSED);
			CHECK_EQ(outcome.records, sealed_records + i);
			if (outcome.status != BITACTOR_EMPTY)
				printf("   %s\n", outcome.error.text);
		}
		AND("at a segment's end, or in the header of the next");
		for (uint32_t extra = 0; extra <= 128; extra += 64) {
			outcome = read_bytes(killed.at, open_base + extra);
			CHECK_EQ(outcome.end, BITACTOR_TRACE_NOT_CLOSED);
			CHECK_EQ(outcome.records, sealed_records);
		}
		AND("with segments of zeros behind it");
		uint8_t *longer = calloc(1, killed.count + 2 * SEGMENT);
		memcpy(longer, killed.at, killed.count);
		outcome = read_bytes(longer, killed.count + 2 * SEGMENT);
		CHECK_EQ(outcome.end, BITACTOR_TRACE_NOT_CLOSED);
		CHECK_EQ(outcome.records, sealed_records + open_count);
		free(longer);
	}
	SCENARIO("a sealed segment that is cut is broken") {
		for (uint32_t cut = 64; cut < SEGMENT; cut += 7777) {
			outcome_t outcome = read_bytes(killed.at, open_base - cut);
			CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
			CHECK(strstr(outcome.error.text, "the file ends inside this") != NULL);
		}
	}
}

static void
breaks(void)
{
	uint64_t chance = 5;
	SCENARIO("a broken byte is an end only if nothing good follows") {
		uint8_t *bytes = killed.at + open_base;
		for (size_t i = 0; i < open_count; i++) {
			char place[64];
			uint32_t from = open_offsets[i];
			uint32_t at = from + (uint32_t)(rig_random(&chance) % 28);
			uint8_t  was = bytes[at];
			bytes[at] ^= (uint8_t)(1 << rig_random(&chance) % 8);
			outcome_t outcome = read_bytes(killed.at, killed.count);
			bytes[at] = was;
			bool is_last = i + 1 == open_count;
			CHECK_EQ(outcome.status, is_last ? BITACTOR_EMPTY : BITACTOR_CORRUPT);
			CHECK_EQ(outcome.records, sealed_records + i);
			CHECK_EQ(outcome.end,
			         is_last ? BITACTOR_TRACE_NOT_CLOSED : BITACTOR_TRACE_CLOSED);
			(void)snprintf(place, sizeof place, "segment %" PRIu64 ", offset %" PRIu32
			               ", seq", open_base / SEGMENT, from);
			CHECK(is_last || strstr(outcome.error.text, place) != NULL);
		}
	}
	SCENARIO("in a sealed segment every broken record is CORRUPT, those before it are good") {
		uint32_t offsets[2048];
		size_t count = rig_offsets(killed.at, offsets);
		for (size_t i = 20; i < count; i += 7) { /* SCHEMA and PROGRAM are good */
			killed.at[offsets[i] + 28] ^= 4;
			outcome_t outcome = read_bytes(killed.at, killed.count);
			killed.at[offsets[i] + 28] ^= 4;
			CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
			CHECK_EQ(outcome.records, i);
			CHECK(strstr(outcome.error.text, "segment 0, offset ") != NULL);
			CHECK(strstr(outcome.error.text, "check does not match") != NULL);
		}
	}
}

static void
breaks_in_the_middle(void)
{
	SCENARIO("a header in the middle that is broken or zero is CORRUPT") {
		for (int zero = 0; zero < 2; zero++) {
			uint8_t header[128];
			memcpy(header, killed.at + SEGMENT, sizeof header);
			if (zero)
				memset(killed.at + SEGMENT, 0, sizeof header);
			else
				killed.at[SEGMENT + 60] ^= 1;
			outcome_t outcome = read_bytes(killed.at, killed.count);
			memcpy(killed.at + SEGMENT, header, sizeof header);
			CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
			CHECK(strstr(outcome.error.text, "segment 1, offset 0, seq") != NULL);
		}
	}
	SCENARIO("an open segment in the middle is CORRUPT") {
		uint8_t *copy = memcpy(malloc(killed.count), killed.at, killed.count);
		uint8_t *header = copy + SEGMENT;
		memset(header + 24, 0, 4), memset(header + 40, 0, 8), memset(header + 72, 0, 32);
		header[120] = 1;
		rig_recheck_header(header);
		outcome_t outcome = read_bytes(copy, killed.count);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK(strstr(outcome.error.text, "segment 1, offset ") != NULL ||
		      strstr(outcome.error.text, "segment 2, offset 0") != NULL);
		free(copy);
	}
}

/* The last record of the killed trace, made open. */
static void
open_records(void)
{
	uint8_t *bytes = killed.at + open_base;
	size_t i = open_count - 1;
	while (bytes[open_offsets[i] + 5] == 0xFF)
		i--;
	uint32_t at = open_offsets[i];
	uint64_t word3;
	memcpy(&word3, bytes + at + 24, 8);
	SCENARIO("an open record is the last one, and is given out as BUSY") {
		uint8_t *copy = memcpy(malloc(killed.count), killed.at, killed.count);
		uint8_t *rest = copy + open_base + at;
		memset(rest + 24, 0, 8);
		memset(rest + 32, 0, SEGMENT - at - 32);
		rest[6] = 0;
		rest[7] = BITACTOR_RECORD_WRITTEN | BITACTOR_RECORD_OUTSIDE;
		memset(rest + 12, 0, 4);
		outcome_t outcome = read_bytes(copy, killed.count);
		CHECK_EQ(outcome.status, BITACTOR_BUSY);
		CHECK_EQ(outcome.end, BITACTOR_TRACE_OPEN_RECORD);
		CHECK_EQ(outcome.records, sealed_records + i);
		AND("a kind that nothing is dispatched by is only a torn end");
		rest[4] = 0, rest[5] = 0xFF;
		outcome = read_bytes(copy, killed.count);
		CHECK_EQ(outcome.status, BITACTOR_EMPTY);
		CHECK_EQ(outcome.end, BITACTOR_TRACE_NOT_CLOSED);
		free(copy);
	}
	SCENARIO("an open record with others behind it is CORRUPT") {
		size_t middle = open_count / 2;
		while (bytes[open_offsets[middle] + 5] == 0xFF ||
		       (bytes[open_offsets[middle] + 7] & BITACTOR_RECORD_HAS_DATA) != 0)
			middle--;
		at = open_offsets[middle];
		memcpy(&word3, bytes + at + 24, 8);
		memset(bytes + at + 24, 0, 8);
		outcome_t outcome = read_bytes(killed.at, killed.count);
		memcpy(bytes + at + 24, &word3, 8);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK_EQ(outcome.records, sealed_records + middle);
		CHECK(strstr(outcome.error.text, "follows one that is still open") != NULL);
	}
	SCENARIO("an open record in a sealed segment is CORRUPT") {
		uint32_t offsets[2048];
		size_t count = rig_offsets(killed.at, offsets);
		size_t last = count - 1;
		while (killed.at[offsets[last] + 5] == 0xFF || killed.at[offsets[last] + 7] & 2)
			last--;
		memcpy(&word3, killed.at + offsets[last] + 24, 8);
		memset(killed.at + offsets[last] + 24, 0, 8);
		outcome_t outcome = read_bytes(killed.at, killed.count);
		memcpy(killed.at + offsets[last] + 24, &word3, 8);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK(strstr(outcome.error.text, "an open record in a sealed segment") != NULL);
	}
}

/* ---- what is not believed ------------------------------------------------------------ */

static void
lengths(void)
{
	SCENARIO("a length that is announced is not believed") {
		GIVEN("a SCHEMA, a PROGRAM and OUTPUTs that claim to be huge, with right checks");
		uint32_t offsets[2048];
		size_t count = rig_offsets(killed.at, offsets), tried = 0;
		for (size_t i = 0; i < count; i++) {
			uint8_t *record = killed.at + offsets[i], was[32];
			uint16_t kind;
			memcpy(&kind, record + 4, 2);
			if ((record[7] & 2) == 0 || kind < BITACTOR_RECORD_TURN || tried > 5)
				continue;
			memcpy(was, record, sizeof was);
			memset(record + 16, 0x7F, 8);
			rig_recheck(killed.at, offsets[i]);
			outcome_t outcome = read_bytes(killed.at, killed.count);
			CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
			memcpy(record, was, sizeof was);
			tried++;
		}
		CHECK(tried > 3);
	}
}

/* The data of the first KIND_PLAIN, if it may have at most `most` bytes. */
static void
ask_for_data(size_t most, bitactor_status_t expected)
{
	bitactor_trace_reader_t *reader = opened("most.bitrace");
	bitactor_record_t record;
	const uint8_t *bytes;
	size_t byte_count;
	bitactor_error_t error = { 0 };
	do
		CHECK_EQ(bitactor_trace_next(reader, &record, NULL, &error), BITACTOR_OK);
	while (record.kind != KIND_PLAIN && bdd_broken == 0);
	CHECK_EQ(bitactor_trace_data(reader, most, &bytes, &byte_count, &error), expected);
	CHECK_EQ(byte_count, expected == BITACTOR_OK ? 3000 : 0);
	CHECK_EQ(expected == BITACTOR_OK || strstr(error.text, "more DATA") != NULL, true);
	CHECK_EQ(bitactor_trace_data(reader, most, &bytes, &byte_count, &error), expected);
	CHECK_EQ(byte_count, 0); /* there is no more of it */
	bitactor_trace_close(reader);
}

/* The last DATA record of the open segment that follows another; 0: none. */
static size_t
second_data_record(void)
{
	static const uint8_t data[2] = { 0x16, 0xFF };
	size_t found = 0;
	for (size_t i = 1; i < open_count; i++)
		if (memcmp(killed.at + open_base + open_offsets[i - 1] + 4, data, 2) == 0 &&
		    memcmp(killed.at + open_base + open_offsets[i] + 4, data, 2) == 0)
			found = i;
	return found;
}

static void
data_given(void)
{
	SCENARIO("no more data is kept than the caller wants") {
		rig_t rig;
		static uint8_t data[3000];
		rig_open(&rig, "most.bitrace", 1);
		bitactor_signal_t signal = { .kind = KIND_PLAIN };
		rig_send_one(&rig, &signal, data, sizeof data);
		(void)bitactor_drain(rig.engine, 8, NULL);
		rig_close(&rig);
		rig_end(&rig);
		ask_for_data(3000, BITACTOR_OK);
		ask_for_data(2999, BITACTOR_CORRUPT);
		ask_for_data(0, BITACTOR_CORRUPT);
	}
	SCENARIO("data that the end of the trace cut off is given as far as it goes") {
		size_t cut = second_data_record();
		CHECK(cut > 0);
		(void)rig_forge("forged.bitrace", "killed.bitrace", killed.at,
		                open_base + open_offsets[cut]);
		bitactor_trace_reader_t *reader = opened("forged.bitrace");
		bitactor_record_t record;
		const uint8_t *bytes;
		size_t byte_count = 0;
		bitactor_status_t status = BITACTOR_OK;
		while (status == BITACTOR_OK &&
		       bitactor_trace_next(reader, &record, NULL, NULL) == BITACTOR_OK)
			status = bitactor_trace_data(reader, 1 << 20, &bytes, &byte_count, NULL);
		CHECK_EQ(status, BITACTOR_EMPTY);
		CHECK(byte_count > 0);
		CHECK(bytes != NULL);
		CHECK_EQ(bitactor_trace_end(reader), BITACTOR_TRACE_NOT_CLOSED);
		bitactor_trace_close(reader);
	}
}

static void
refusals(void)
{
	SCENARIO("what is no trace is refused when it is opened") {
		static uint8_t zeros[SEGMENT];
		outcome_t outcome = read_bytes(zeros, 0);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK(strstr(outcome.error.text, "the file is empty") != NULL);
		outcome = read_bytes(zeros, sizeof zeros);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK(strstr(outcome.error.text, "wrong magic") != NULL);
		outcome = read_bytes(killed.at, 100);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		outcome = read_bytes(killed.at + open_base, SEGMENT);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK(strstr(outcome.error.text, "its header has number") != NULL);
		uint8_t *copy = memcpy(malloc(SEGMENT), killed.at, SEGMENT);
		memset(copy + 24, 0, 4), memset(copy + 40, 0, 8);
		copy[120] = 1;
		rig_recheck_header(copy);
		outcome = read_bytes(copy, 128);
		CHECK_EQ(outcome.status, BITACTOR_CORRUPT);
		CHECK(strstr(outcome.error.text, "ends before its first record") != NULL);
		copy[108] = 2;
		rig_recheck_header(copy);
		outcome = read_bytes(copy, SEGMENT);
		CHECK_EQ(outcome.status, BITACTOR_UNSUPPORTED);
		copy[108] = 1, copy[111] = 1;
		rig_recheck_header(copy);
		outcome = read_bytes(copy, SEGMENT);
		CHECK_EQ(outcome.status, BITACTOR_UNSUPPORTED);
		free(copy);
	}
	SCENARIO("wrong arguments are answered") {
		bitactor_trace_reader_t *reader;
		bitactor_record_t record;
		const uint8_t *bytes;
		size_t count;
		CHECK_EQ(bitactor_trace_open(NULL, &reader, NULL), BITACTOR_ERROR);
		CHECK(reader == NULL);
		CHECK_EQ(bitactor_trace_open("x", NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_open(rig_trace("none"), &reader, NULL), BITACTOR_IO);
		CHECK_EQ(bitactor_trace_next(NULL, &record, NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_data(NULL, 1, &bytes, &count, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_turn(NULL) + bitactor_trace_segment(NULL), 0);
		bitactor_trace_close(NULL);
		bitactor_trace_facts(NULL, NULL);
	}
}

int
main(void)
{
	rig_begin();
	model();
	facts_known();
	make_killed();
	ends();
	breaks();
	breaks_in_the_middle();
	open_records();
	lengths();
	data_given();
	refusals();
	free(killed.at);
	return bdd_close();
}
