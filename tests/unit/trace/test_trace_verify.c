/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_verify.c -- every byte of a trace is looked at, and the place is named. */
#include "trace_rig.h"

typedef struct verdict {
	bitactor_status_t        status;
	bitactor_verify_report_t report;
	bitactor_error_t         error;
} verdict_t;

static verdict_t
verify(const char *name)
{
	verdict_t verdict = { 0 };
	verdict.status = bitactor_trace_verify(rig_trace(name), NULL, &verdict.report,
	                                       &verdict.error);
	CHECK_EQ(verdict.error.status, verdict.status);
	return verdict;
}

static const char *metadata_of; /* the trace that forged ones have theirs from */

static verdict_t
verify_bytes(const uint8_t *bytes, size_t count)
{
	(void)rig_forge("forged.bitrace", metadata_of, bytes, count);
	return verify("forged.bitrace");
}

/* The place is in the report and in the words. */
static void
check_place(const verdict_t *verdict, uint64_t segment, uint32_t offset)
{
	char place[80];
	CHECK_EQ(verdict->status, BITACTOR_CORRUPT);
	CHECK_EQ(verdict->report.bad_segment, segment);
	CHECK_EQ(verdict->report.bad_offset, offset);
	CHECK_EQ(strcmp(verdict->report.bad_file, "trace"), 0);
	(void)snprintf(place, sizeof place, "/trace: segment %" PRIu64 ", offset %" PRIu32 ", seq %"
	               PRIu64 ": ", segment, offset, verdict->report.bad_seq);
	CHECK(strstr(verdict->error.text, place) != NULL);
	if (strstr(verdict->error.text, place) == NULL)
		printf("   %s\n", verdict->error.text);
}

/* ---- good traces ---------------------------------------------------------------- */

static void
progress_told(void *context, uint64_t bytes, uint64_t total_bytes)
{
	uint64_t *told = context;
	CHECK(bytes >= told[0]);
	CHECK(bytes <= total_bytes);
	told[0] = bytes;
	told[1]++;
}

static void
good(void)
{
	SCENARIO("a good trace is counted right, deep or not, and its head is the engine's") {
		rig_t rig;
		bitactor_stats_t stats;
		rig_open(&rig, "good.bitrace", 9);
		rig_send(&rig, 3000);
		CHECK_EQ(bitactor_telemetry_note(rig.engine, BITACTOR_RECORD_STATS, "a\t1\n", 4),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_stats(rig.engine, &stats), BITACTOR_OK);
		rig_close(&rig);
		for (int deep = 0; deep < 2; deep++) {
			bitactor_verify_options_t options = { .deep = deep, .head = rig.head };
			bitactor_verify_report_t report;
			CHECK_EQ(bitactor_trace_verify(rig_trace("good.bitrace"), &options, &report,
			                               NULL), BITACTOR_OK);
			CHECK_EQ(report.closed, true);
			CHECK_EQ(report.compared, stats.records + 1); /* and CLOSE */
			CHECK_EQ(report.last_seq, stats.records);
			CHECK_EQ(report.signals, stats.dispatched);
			CHECK_EQ(report.rejects, stats.rejected);
			CHECK_EQ(report.outputs, stats.outputs);
			CHECK_EQ(report.failed, stats.failed);
			CHECK_EQ(report.overruns, stats.overruns);
			CHECK_EQ(report.segments, stats.segments);
			CHECK_EQ(report.bytes, report.segments * SEGMENT);
			CHECK_EQ(memcmp(report.head, rig.head, sizeof rig.head), 0);
			CHECK(report.records > report.compared);
			CHECK_EQ(report.open_record, false);
		}
		AND("another head than the user kept is CORRUPT");
		bitactor_verify_report_t report;
		bitactor_error_t error = { 0 };
		bitactor_verify_options_t options = { .head = rig.head };
		rig.head[31] ^= 1;
		CHECK_EQ(bitactor_trace_verify(rig_trace("good.bitrace"), &options, &report,
		                               &error), BITACTOR_CORRUPT);
		CHECK(strstr(error.text, "good.bitrace: head differs: it is ") != NULL);
		CHECK_EQ(report.bad_segment, report.segments - 1);
		rig_end(&rig);
	}
}

static void
good_of_all_sorts(void)
{
	SCENARIO("traces of many kinds are good: no schema, virtual, seeds, stopped") {
		for (uint64_t seed = 0; seed < 24 * rig_scale(); seed++) {
			rig_t rig;
			rig_open_with(&rig, "many.bitrace", seed, (unsigned)seed % 8);
			rig_send(&rig, 1 + seed * 37 % 900);
			if (seed % 3 == 0)
				(void)bitactor_stop(rig.engine, seed % 2 == 0, 3, NULL);
			rig_close(&rig);
			verdict_t verdict = verify("many.bitrace");
			CHECK_EQ(verdict.status, BITACTOR_OK);
			if (verdict.status != BITACTOR_OK)
				printf("   seed %" PRIu64 ": %s\n", seed, verdict.error.text);
			bitactor_verify_options_t deep = { .deep = true };
			CHECK_EQ(bitactor_trace_verify(rig_trace("many.bitrace"), &deep, NULL,
			                               NULL), BITACTOR_OK);
			rig_end(&rig);
		}
	}
	SCENARIO("progress is told, up to the end") {
		uint64_t told[2] = { 0 };
		bitactor_verify_options_t options = { .progress = progress_told,
			                              .progress_context = told };
		CHECK_EQ(bitactor_trace_verify(rig_trace("good.bitrace"), &options, NULL, NULL),
		         BITACTOR_OK);
		rig_bytes_t trace = rig_read(rig_path("good.bitrace", "trace"));
		CHECK_EQ(told[0], trace.count);
		CHECK_EQ(told[1], trace.count / SEGMENT);
		free(trace.at);
	}
}

/* ---- flips -------------------------------------------------------------------------- */

/* Where a flipped byte must be found: its record, the header, or itself. */
static uint32_t
region_of(uint32_t at, const uint32_t *offsets, size_t count, uint32_t content)
{
	if (at < HEADER)
		return 0;
	if (at >= content)
		return at;
	while (offsets[count - 1] > at)
		count--;
	return offsets[count - 1];
}

static void
flips(void)
{
	SCENARIO("every flipped bit of a closed trace is found, and its place named") {
		GIVEN("one segment: header, records, zeros");
		rig_make("small.bitrace", 4, 40);
		CHECK_EQ(verify("small.bitrace").status, BITACTOR_OK);
		rig_bytes_t trace = rig_read(rig_path("small.bitrace", "trace"));
		CHECK_EQ(trace.count, SEGMENT);
		uint32_t offsets[2048], content_bits;
		size_t count = rig_offsets(trace.at, offsets);
		memcpy(&content_bits, trace.at + 24, 4);
		uint32_t content = content_bits / 8;
		int fd = open(rig_path("small.bitrace", "trace"), O_WRONLY | O_CLOEXEC);
		WHEN("each bit is flipped in turn (of the zeros each byte, all with BA_SCALE)");
		for (uint32_t at = 0; at < trace.count; at++) {
			uint32_t first = at < content || rig_scale() > 1 ? 0 : at % 8;
			uint32_t last = at < content || rig_scale() > 1 ? 7 : at % 8;
			for (uint32_t bit = first; bit <= last && bdd_broken < 20; bit++) {
				uint8_t flipped = trace.at[at] ^ (uint8_t)(1u << bit);
				CHECK_EQ(pwrite(fd, &flipped, 1, at), 1);
				verdict_t verdict = verify("small.bitrace");
				check_place(&verdict, 0, region_of(at, offsets, count, content));
			}
			CHECK_EQ(pwrite(fd, trace.at + at, 1, at), 1);
		}
		CHECK_EQ(verify("small.bitrace").status, BITACTOR_OK);
		(void)close(fd);
		free(trace.at);
	}
}

static void
flips_of_several(void)
{
	SCENARIO("a flipped bit is found in any of several segments") {
		rig_make("long.bitrace", 5, 900);
		rig_bytes_t trace = rig_read(rig_path("long.bitrace", "trace"));
		CHECK(trace.count >= 4 * SEGMENT);
		int fd = open(rig_path("long.bitrace", "trace"), O_WRONLY | O_CLOEXEC);
		uint64_t chance = 99;
		printf("   seed=%" PRIu64 "\n", chance);
		for (uint64_t i = 0; i < 3000 * rig_scale() && bdd_broken < 20; i++) {
			uint64_t at = rig_random(&chance) % trace.count;
			if (i % 4 == 0)
				at = at / SEGMENT * SEGMENT + at % 128;
			uint8_t flipped = trace.at[at] ^ (uint8_t)(1u << i % 8);
			uint8_t *segment = trace.at + at / SEGMENT * SEGMENT;
			uint32_t offsets[2048], content_bits;
			size_t count = rig_offsets(segment, offsets);
			memcpy(&content_bits, segment + 24, 4);
			CHECK_EQ(pwrite(fd, &flipped, 1, (off_t)at), 1);
			verdict_t verdict = verify("long.bitrace");
			check_place(&verdict, at / SEGMENT,
			            region_of((uint32_t)(at % SEGMENT), offsets, count,
			                      content_bits / 8));
			CHECK_EQ(pwrite(fd, trace.at + at, 1, (off_t)at), 1);
		}
		(void)close(fd);
		free(trace.at);
	}
	SCENARIO("a changed byte of metadata is found") {
		rig_bytes_t metadata = rig_read(rig_path("long.bitrace", "metadata"));
		for (size_t at = 0; at < metadata.count; at += 13) {
			metadata.at[at] ^= 1;
			rig_write(rig_path("long.bitrace", "metadata"), metadata.at,
			          metadata.count);
			verdict_t verdict = verify("long.bitrace");
			CHECK_EQ(verdict.status, BITACTOR_CORRUPT);
			CHECK_EQ(strcmp(verdict.report.bad_file, "metadata"), 0);
			CHECK_EQ(verdict.report.bad_offset, at);
			CHECK(strstr(verdict.error.text, "/metadata: differs at byte") != NULL);
			metadata.at[at] ^= 1;
		}
		(void)unlink(rig_path("long.bitrace", "metadata"));
		CHECK_EQ(verify("long.bitrace").status, BITACTOR_CORRUPT);
		rig_write(rig_path("long.bitrace", "metadata"), metadata.at, metadata.count);
		CHECK_EQ(verify("long.bitrace").status, BITACTOR_OK);
		free(metadata.at);
	}
}

/* ---- cuts and whole segments ------------------------------------------------------------ */

static rig_bytes_t whole; /* `trace` of long.bitrace: 4 segments or more */

static void
cuts(void)
{
	whole = rig_read(rig_path("long.bitrace", "trace"));
	metadata_of = "long.bitrace";
	uint64_t last = whole.count / SEGMENT - 1;
	SCENARIO("a closed trace that is cut is CORRUPT, but at a segment's end, as if killed") {
		uint32_t offsets[2048];
		uint8_t *segment = whole.at + last * SEGMENT;
		size_t count = rig_offsets(segment, offsets);
		for (size_t i = 0; i < count; i++) {
			verdict_t verdict = verify_bytes(whole.at, last * SEGMENT +
			                                                   offsets[i]);
			check_place(&verdict, last, offsets[i]);
		}
		uint64_t chance = 3;
		for (int i = 0; i < 200; i++) {
			uint64_t cut = rig_random(&chance) % whole.count;
			verdict_t verdict = verify_bytes(whole.at, cut);
			CHECK_EQ(verdict.status, BITACTOR_CORRUPT);
			CHECK_EQ(verdict.report.bad_segment, cut / SEGMENT);
		}
		for (uint64_t i = 1; i <= last; i++) {
			verdict_t verdict = verify_bytes(whole.at, i * SEGMENT);
			CHECK_EQ(verdict.status, BITACTOR_BUSY);
			CHECK(strstr(verdict.error.text, "not closed, valid to seq") != NULL);
			uint64_t first_seq;
			memcpy(&first_seq, whole.at + i * SEGMENT + 56, 8);
			CHECK_EQ(verdict.report.last_seq + 1, first_seq);
			CHECK_EQ(verdict.report.closed, false);
		}
		verdict_t verdict = verify_bytes(whole.at, 0);
		check_place(&verdict, 0, 0);
		CHECK(strstr(verdict.error.text, "the file is empty") != NULL);
	}
	SCENARIO("anything behind CLOSE is found") {
		uint8_t *longer = calloc(1, whole.count + SEGMENT);
		memcpy(longer, whole.at, whole.count);
		verdict_t verdict = verify_bytes(longer, whole.count + 1);
		check_place(&verdict, last + 1, 0);
		verdict = verify_bytes(longer, whole.count + SEGMENT);
		check_place(&verdict, last + 1, 0);
		memcpy(longer + whole.count, whole.at, SEGMENT);
		verdict = verify_bytes(longer, whole.count + SEGMENT);
		check_place(&verdict, last + 1, 0);
		free(longer);
	}
}

/* The trace with segment `from` in the place of `to`; one less if `from` is -1. */
static verdict_t
with_segment(int to, int from, const uint8_t *source)
{
	uint8_t *copy = memcpy(malloc(whole.count), whole.at, whole.count);
	uint8_t *place = copy + to * SEGMENT;
	size_t   count = whole.count;
	if (from >= 0) {
		memcpy(place, source + from * SEGMENT, SEGMENT);
	} else {
		memmove(place, place + SEGMENT,
		        (size_t)(copy + count - place) - SEGMENT);
		count -= SEGMENT;
	}
	verdict_t verdict = verify_bytes(copy, count);
	free(copy);
	return verdict;
}

static void
segments(void)
{
	SCENARIO("segments that are swapped, repeated, missing or another trace's are named") {
		verdict_t verdict = with_segment(1, 2, whole.at);
		check_place(&verdict, 1, 0);
		CHECK(strstr(verdict.error.text, "its header has number 2") != NULL);
		verdict = with_segment(2, 1, whole.at);
		check_place(&verdict, 2, 0);
		verdict = with_segment(0, -1, NULL);
		check_place(&verdict, 0, 0);
		verdict = with_segment(1, -1, NULL);
		check_place(&verdict, 1, 0);
		rig_make("other.bitrace", 6, 900);
		rig_bytes_t other = rig_read(rig_path("other.bitrace", "trace"));
		verdict = with_segment(1, 1, other.at);
		check_place(&verdict, 1, 0);
		CHECK(strstr(verdict.error.text, "uuid of another trace") != NULL);
		verdict = with_segment(0, 0, other.at);
		CHECK_EQ(verdict.status, BITACTOR_CORRUPT);
		free(other.at);
	}
	SCENARIO("a byte changed with its check made anew breaks the root") {
		GIVEN("one more in a payload of segment 1, its record's check right again");
		uint8_t *copy = memcpy(malloc(whole.count), whole.at, whole.count);
		uint8_t *segment = copy + SEGMENT;
		uint32_t offsets[2048];
		size_t count = rig_offsets(segment, offsets), plain = 0;
		while (segment[offsets[plain] + 5] != 0 || segment[offsets[plain] + 7] != 0xC0)
			plain++;
		CHECK(plain < count);
		segment[offsets[plain] + 16] ^= 1;
		rig_recheck(segment, offsets[plain]);
		verdict_t verdict = verify_bytes(copy, whole.count);
		check_place(&verdict, 1, 0);
		CHECK(strstr(verdict.error.text, "its root is not the one") != NULL);
		WHEN("the next header gets that root, with its CRC");
		uint8_t root[32];
		bitactor_blake3(segment, SEGMENT, root);
		memcpy(segment + SEGMENT + 72, root, 32);
		rig_recheck_header(segment + SEGMENT);
		THEN("the next root breaks");
		verdict = verify_bytes(copy, whole.count);
		check_place(&verdict, 2, 0);
		WHEN("all the way to the end");
		for (size_t i = 3; i < whole.count / SEGMENT; i++) {
			bitactor_blake3(copy + (i - 1) * SEGMENT, SEGMENT,
			                root);
			memcpy(copy + i * SEGMENT + 72, root, 32);
			rig_recheck_header(copy + i * SEGMENT);
		}
		THEN("only the head that the user kept tells");
		verdict = verify_bytes(copy, whole.count);
		CHECK_EQ(verdict.status, BITACTOR_OK);
		bitactor_verify_report_t report;
		bitactor_verify_options_t options = { .head = root };
		bitactor_blake3(whole.at + whole.count - SEGMENT,
		                SEGMENT, root);
		CHECK_EQ(bitactor_trace_verify(rig_trace("forged.bitrace"), &options, &report,
		                               NULL), BITACTOR_CORRUPT);
		free(copy);
	}
}

/* ---- well-formed lies ---------------------------------------------------------------------- */

/* What is proved by its root is walked only; a lie there must be found by the walk,
 * and by the walk of bare records as by the rules. */
static verdict_t
lie(uint32_t offset, uint32_t at, uint64_t value, size_t bytes, bool proved)
{
	uint8_t *copy = memcpy(malloc(whole.count), whole.at, whole.count);
	uint8_t *segment = copy + SEGMENT;
	memcpy(segment + offset + at, &value, bytes);
	if (offset >= HEADER)
		rig_recheck(segment, offset);
	else
		rig_recheck_header(segment);
	if (proved) {
		bitactor_blake3(segment, SEGMENT, segment + SEGMENT + 72);
		rig_recheck_header(segment + SEGMENT);
	}
	verdict_t verdict = verify_bytes(copy, whole.count);
	free(copy);
	return verdict;
}

/* Records of segment 1 to lie about: bare, with FIELDS, and emitted. */
enum about { PLAIN, WIDE, EMITTED, ABOUTS };

static const struct told {
	enum about  about;
	uint32_t    at;
	uint64_t    value; /* of the turn: how far before its first or behind its last */
	size_t      bytes;
	const char *what;
} record_lies[] = {
	{ PLAIN, 0, UINT64_MAX, 4, "before the one" },
	{ PLAIN, 0, 1, 4, "behind the last turn" },
	{ PLAIN, 4, 15, 2, "not in the schema" },
	{ PLAIN, 4, 0xFE00, 2, "not in the schema" },
	{ PLAIN, 4, 0xFF60, 2, "not assigned" },
	{ PLAIN, 4, 0xFF00, 2, "flags that" },
	{ PLAIN, 6, 1, 1, "slots" },
	{ PLAIN, 7, 0xE0, 1, "flags that" },
	{ PLAIN, 7, 0xC4, 1, "flags are impossible" },
	{ PLAIN, 7, 0x80, 1, "flags are impossible" },
	{ PLAIN, 7, 0xC1, 1, "FIELDS" },
	{ PLAIN, 7, 0xC2, 1, "data bytes differ" },
	{ PLAIN, 12, UINT32_MAX, 4, "CAUSE" },
	{ EMITTED, 12, 0, 4, "no earlier record" },
	{ EMITTED, 12, UINT32_MAX - 1, 4, "no earlier record" },
	{ EMITTED, 12, UINT32_MAX, 4, "CAUSE" },
	{ WIDE, 32 + 20, 1, 4, "data bytes differ" },
	{ WIDE, 32 + 26, 1, 1, "does not end in zeros" },
	{ WIDE, 32 + 31, 1, 1, "does not end in zeros" },
	{ WIDE, 6, 31, 1, "crosses a 1 KiB chunk" },
};

static void
find_records(uint32_t about[ABOUTS])
{
	const uint8_t *segment = whole.at + SEGMENT;
	uint32_t offsets[2048];
	size_t   count = rig_offsets(segment, offsets);
	memset(about, 0, ABOUTS * sizeof *about);
	for (size_t i = 0; i + 2 < count; i++) {
		const uint8_t *record = segment + offsets[i];
		if (record[5] == 0 && record[7] == 0xC0 && record[6] == 0)
			about[PLAIN] = offsets[i];
		if (record[5] == 0 && record[7] == 0xC1 && record[6] == 1)
			about[WIDE] = offsets[i];
		if (record[5] == 0 && record[7] == 0x40 && record[6] == 0)
			about[EMITTED] = offsets[i];
	}
	for (int i = 0; i < ABOUTS; i++)
		CHECK(about[i] != 0);
}

static void
lies_of_records(void)
{
	uint32_t about[ABOUTS];
	find_records(about);
	SCENARIO("a record that lies is found by the walk, root and checks being right") {
		for (size_t i = 0; i < sizeof record_lies / sizeof record_lies[0]; i++) {
			struct told told = record_lies[i];
			uint64_t turn;
			memcpy(&turn, whole.at + SEGMENT + (told.value == 1 ? 40 : 32), 8);
			if (told.at == 0)
				told.value += turn;
			for (int proved = 0; proved < 2; proved++) {
				verdict_t verdict = lie(about[told.about], told.at, told.value,
				                        told.bytes, proved);
				check_place(&verdict, 1, about[told.about]);
				CHECK(strstr(verdict.error.text, told.what) != NULL);
				if (strstr(verdict.error.text, told.what) == NULL)
					printf("   %zu: %s\n", i, verdict.error.text);
			}
		}
	}
	SCENARIO("a turn that goes back is found behind a header that allows any") {
		uint8_t *copy = memcpy(malloc(whole.count), whole.at, whole.count);
		uint8_t *there = copy + SEGMENT;
		memset(there + 40, 0xFF, 8); /* timestamp_end */
		memset(there + about[PLAIN], 0, 4);
		rig_recheck(there, about[PLAIN]);
		rig_recheck_header(there);
		bitactor_blake3(there, SEGMENT, there + SEGMENT + 72);
		rig_recheck_header(there + SEGMENT);
		verdict_t verdict = verify_bytes(copy, whole.count);
		check_place(&verdict, 1, about[PLAIN]);
		CHECK(strstr(verdict.error.text, "before the one") != NULL);
		free(copy);
	}
}

static void
lies_of_order(void)
{
	SCENARIO("a record that is open in a segment that is proved is found") {
		uint32_t about[ABOUTS];
		find_records(about);
		for (int proved = 0; proved < 2; proved++) {
			uint8_t *copy = memcpy(malloc(whole.count), whole.at, whole.count);
			uint8_t *there = copy + SEGMENT;
			memset(there + about[PLAIN] + 24, 0, 8); /* effect and check */
			if (proved) {
				bitactor_blake3(there, SEGMENT, there + SEGMENT + 72);
				rig_recheck_header(there + SEGMENT);
			}
			verdict_t verdict = verify_bytes(copy, whole.count);
			check_place(&verdict, 1, about[PLAIN]);
			CHECK(strstr(verdict.error.text, "an open record in a sealed") != NULL);
			free(copy);
		}
	}
	SCENARIO("a text that comes after the first turn is found, also where bytes are proved") {
		for (uint64_t seed = 1; seed <= 2; seed++) {
			rig_t rig;
			rig_open(&rig, "late", seed);
			rig_send(&rig, 1);
			CHECK_EQ(bitactor_telemetry_note(rig.engine, BITACTOR_RECORD_PROGRAM,
			                                 "a\tb\n", 4), BITACTOR_OK);
			rig_send(&rig, seed == 1 ? 10 : 6000);
			rig_close(&rig);
			rig_end(&rig);
			bitactor_error_t error = { 0 };
			CHECK_EQ(bitactor_trace_verify(rig_trace("late"), NULL, NULL, &error),
			         BITACTOR_CORRUPT);
			CHECK(strstr(error.text, "behind the first TURN") != NULL);
		}
	}
}

static void
lies_of_headers(void)
{
	SCENARIO("a header that lies is found, its CRC being right") {
		const struct {
			uint32_t at;
			uint64_t value;
			size_t   bytes;
			const char *what;
		} told[] = {
			{ 20, 1, 4, "reserved" },        { 24, 1024 * 8, 4, "root" },
			{ 24, 4096, 4, "seq" },          { 24, 12345, 4, "content size" },
			{ 24, 0, 4, "content size" },    { 28, 8, 4, "packet size" },
			{ 32, 0, 8, "begins before" },   { 40, 0, 8, "end before" },
			{ 48, 7, 8, "number 7" },        { 56, 7, 8, "first_seq 7" },
			{ 72, 7, 8, "root" },            { 112, 7, 8, "another schema" },
			{ 120, 2, 4, "reserved" },       { 124, 1, 4, "reserved" },
			{ 120, 1, 4, "content size" },
		};
		for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
			verdict_t verdict = lie(0, told[i].at, told[i].value, told[i].bytes, false);
			CHECK_EQ(verdict.status, BITACTOR_CORRUPT);
			CHECK(verdict.report.bad_segment <= 2);
			if (told[i].at != 24 && told[i].at != 72)
				check_place(&verdict, 1, 0);
		}
		verdict_t verdict = lie(0, 108, 2, 1, false);
		CHECK_EQ(verdict.status, BITACTOR_UNSUPPORTED);
		verdict = lie(0, 111, 1, 1, false);
		CHECK_EQ(verdict.status, BITACTOR_UNSUPPORTED);
	}
}

/* ---- traces that are not closed ------------------------------------------------------ */

static rig_bytes_t killed; /* `trace`: sealed segments, then an open one */
static uint64_t    killed_base;
static uint32_t    killed_offsets[2048], killed_end;
static size_t      killed_count;

static void
make_killed(void)
{
	rig_t rig;
	rig_open(&rig, "killed.bitrace", 12);
	rig_send(&rig, 700);
	rig_kill(&rig);
	rig_end(&rig);
	killed = rig_read(rig_path("killed.bitrace", "trace"));
	metadata_of = "killed.bitrace";
	killed_base = killed.count - SEGMENT;
	const uint8_t *segment = killed.at + killed_base;
	killed_end = HEADER;
	while (killed_end < SEGMENT && segment[killed_end + 7] != 0) {
		killed_offsets[killed_count++] = killed_end;
		killed_end += 32u + 32u * segment[killed_end + 6];
	}
}

static bool
is_compared(const uint8_t *record)
{
	uint16_t kind;
	memcpy(&kind, record + 4, 2);
	return kind != BITACTOR_RECORD_PAD && kind != BITACTOR_RECORD_DATA &&
	       (record[7] & BITACTOR_RECORD_MEASURED) == 0;
}

static void
unclosed(void)
{
	SCENARIO("an unclosed trace is BUSY, with the last good seq, wherever it ends") {
		verdict_t verdict = verify("killed.bitrace");
		CHECK_EQ(verdict.status, BITACTOR_BUSY);
		CHECK_EQ(verdict.report.segments, killed.count / SEGMENT);
		uint64_t compared = verdict.report.compared;
		uint8_t *copy = calloc(1, killed.count + SEGMENT);
		memcpy(copy, killed.at, killed.count);
		for (size_t i = killed_count; i-- > 0;) {
			uint64_t at = killed_base + killed_offsets[i];
			memset(copy + at, 0, killed.count - at);
			compared -= is_compared(killed.at + at);
			verdict = verify_bytes(copy, killed.count + (i % 2 ? SEGMENT : 0));
			CHECK_EQ(verdict.status, BITACTOR_BUSY);
			CHECK_EQ(verdict.report.compared, compared);
			CHECK_EQ(verdict.report.last_seq, compared - 1);
			CHECK_EQ(verdict.report.open_record, false);
		}
		free(copy);
	}
	SCENARIO("a byte that is not zero behind its last record is CORRUPT") {
		uint8_t *segment = killed.at + killed_base;
		for (uint32_t at = killed_end; at < SEGMENT; at += 1 + at % 97) {
			segment[at] = 1;
			verdict_t verdict = verify_bytes(killed.at, killed.count);
			segment[at] = 0;
			check_place(&verdict, killed_base / SEGMENT,
			            at < killed_end + 32 ? killed_end : at);
		}
	}
	SCENARIO("an open segment that another follows is CORRUPT where its records end") {
		uint8_t *copy = malloc(killed.count + SEGMENT);
		memcpy(copy, killed.at, killed.count);
		memcpy(copy + killed.count, killed.at, SEGMENT);
		verdict_t verdict = verify_bytes(copy, killed.count + SEGMENT);
		check_place(&verdict, killed_base / SEGMENT, killed_end);
		CHECK(strstr(verdict.error.text, "more segments follow") != NULL);
		free(copy);
	}
	SCENARIO("of an unclosed trace metadata is compared too") {
		rig_bytes_t metadata = rig_read(rig_path("killed.bitrace", "metadata"));
		metadata.at[100] ^= 1;
		rig_write(rig_path("killed.bitrace", "metadata"), metadata.at, metadata.count);
		verdict_t verdict = verify("killed.bitrace");
		CHECK_EQ(verdict.status, BITACTOR_CORRUPT);
		CHECK_EQ(strcmp(verdict.report.bad_file, "metadata"), 0);
		CHECK_EQ(verdict.report.bad_offset, 100);
		free(metadata.at);
	}
	SCENARIO("what cannot be opened is IO") {
		CHECK_EQ(verify("nowhere.bitrace").status, BITACTOR_IO);
		CHECK_EQ(bitactor_trace_verify(NULL, NULL, NULL, NULL), BITACTOR_ERROR);
	}
	free(killed.at);
}

/* ---- somebody else's reader ---------------------------------------------------------- */

/* A file of the source folder, from where this one is compiled. */
static const char *
source_path(const char *name)
{
	static char path[400];
	const char *slash = strrchr(__FILE__, '/');
	(void)snprintf(path, sizeof path, "%.*s/../../../%s",
	               slash != NULL ? (int)(slash - __FILE__) : 0, __FILE__, name);
	return path;
}

/* The trace of the example in docs/trace-format.md. */
static void
make_example(rig_t *rig)
{
	bitactor_trace_options_t options = { .path = rig_trace("example.bitrace") };
	bitactor_config_t config;
	*rig = (rig_t){ 0 };
	bitactor_config_default(&config);
	for (int i = 0; i < 16; i++)
		config.uuid[i] = options.uuid[i] = (uint8_t)i;
	CHECK_EQ(bitactor_trace_writer_open(&options, &rig->writer, NULL), BITACTOR_OK);
	rig->sink = bitactor_trace_writer_sink(rig->writer);
	rig->host = (bitactor_host_t){ .context = rig, .now_ns = rig_now };
	config.host = &rig->host;
	config.sink = &rig->sink;
	config.flags = BITACTOR_VIRTUAL;
	rig->block = aligned_alloc(64, (bitactor_engine_bytes(&config) + 63) / 64 * 64);
	CHECK_EQ(bitactor_engine_init(rig->block, bitactor_engine_bytes(&config), &config,
	                              &rig->engine), BITACTOR_OK);
	bitactor_signal_t signal = { .kind = 5, .payload = 42, .id = 7 };
	CHECK_EQ(bitactor_tick(rig->engine, &signal, NULL), BITACTOR_INVALID_SIGNAL);
	rig_close(rig);
}

static void
example(void)
{
	SCENARIO("the example of docs/trace-format.md is what is written") {
		rig_t rig;
		make_example(&rig);
		rig_bytes_t page = rig_read(source_path("docs/trace-format.md"));
		rig_bytes_t trace = rig_read(rig_path("example.bitrace", "trace"));
		rig_end(&rig);
		if (page.at == NULL) {
			printf("   (not in the source folder: not compared)\n");
			free(trace.at);
			continue;
		}
		page.at = realloc(page.at, page.count + 1);
		page.at[page.count] = '\0';
		uint32_t at = 0;
		for (; at < 0x120; at += 16) {
			char line[80];
			int  used = snprintf(line, sizeof line, "\n%04" PRIx32 " ", at);
			for (uint32_t i = 0; i < 16; i++)
				used += snprintf(line + used, 4, " %02x", trace.at[at + i]);
			CHECK(strstr((const char *)page.at, line) != NULL);
		}
		CHECK_EQ(ba_trace_zero_until(trace.at + at, trace.count - at), trace.count - at);
		char head[65];
		for (int i = 0; i < 32; i++)
			(void)snprintf(head + 2 * i, 3, "%02x", rig.head[i]);
		CHECK(strstr((const char *)page.at, head) != NULL);
		free(page.at), free(trace.at);
	}
}

static void
independent(void)
{
	SCENARIO("a reader written from docs/trace-format.md alone counts the same") {
		char command[900], said[4000], expected[300];
		const char *script = source_path("tests/tools/bat1_check.py");
		uint64_t lines;
		if (system("command -v python3 >/dev/null && command -v b3sum >/dev/null") != 0 ||
		    access(script, R_OK) != 0) {
			printf("   (no python3, b3sum or source folder: not compared)\n");
			continue;
		}
		rig_t rig;
		rig_open(&rig, "half.bitrace", 21);
		rig_send(&rig, 400);
		rig_kill(&rig);
		rig_end(&rig);
		const char *const names[] = { "good.bitrace", "many.bitrace", "long.bitrace",
			                      "half.bitrace" };
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			verdict_t verdict = verify(names[i]);
			bool closed = verdict.status == BITACTOR_OK;
			CHECK_EQ(closed, i < 3);
			(void)snprintf(command, sizeof command, "python3 %s %s 2>&1", script,
			               rig_trace(names[i]));
			CHECK_EQ(rig_run(command, said, sizeof said, &lines), closed ? 0 : 1);
			(void)snprintf(expected, sizeof expected,
			               "%sclosed: %" PRIu64 " records, %" PRIu64 " compared, %"
			               PRIu64 " segments\n", closed ? "\n" : "not ",
			               verdict.report.records, verdict.report.compared,
			               verdict.report.segments);
			CHECK(strstr(said, expected) != NULL);
			if (strstr(said, expected) == NULL)
				printf("%s\nand not: %s", expected, said);
		}
		AND("it finds what is broken where verify finds it");
		uint64_t chance = 1;
		for (int i = 0; i < 12; i++) {
			uint64_t at = rig_random(&chance) % whole.count;
			whole.at[at] ^= 16;
			verdict_t verdict = verify_bytes(whole.at, whole.count);
			whole.at[at] ^= 16;
			(void)snprintf(command, sizeof command, "python3 %s %s 2>&1", script,
			               rig_trace("forged.bitrace"));
			CHECK_EQ(rig_run(command, said, sizeof said, &lines), 1);
			(void)snprintf(expected, sizeof expected,
			               "segment %" PRIu64 ", offset %" PRIu32 ":",
			               verdict.report.bad_segment, verdict.report.bad_offset);
			CHECK(strstr(said, expected) != NULL);
			if (strstr(said, expected) == NULL)
				printf("%s\nand not: %s", expected, said);
		}
	}
}

int
main(void)
{
	rig_begin();
	good();
	good_of_all_sorts();
	flips();
	flips_of_several();
	cuts();
	segments();
	lies_of_records();
	lies_of_order();
	lies_of_headers();
	example();
	independent();
	make_killed();
	unclosed();
	free(whole.at);
	return bdd_close();
}
