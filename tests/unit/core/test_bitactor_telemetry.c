/* SPDX-License-Identifier: Apache-2.0 */
/* test_bitactor_telemetry.c -- what the recorder writes, read by someone else.
 *
 *      engine --> sink --> segments --> decoder of this file --> what was sent
 *                              \-----> bitactor_record_read --^  the same
 *
 * The decoder reads bytes by their offsets and computes CRC32C bit by bit; it
 * shares no line with the recorder.  Handlers keep a log of what they were given,
 * and the decoded trace must say the same, signal by signal, byte by byte.
 */
#include "../../../bitactor/src/internal/engine.h"
#include "../../engine_probe.h"

static probe_t probe;

/* ---- the other decoder ----------------------------------------------- */

static uint64_t
le(const uint8_t *bytes, int count)
{
	uint64_t value = 0;
	for (int i = 0; i < count; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

/* RFC 3720: a bit at a time, nothing inverted. */
static uint32_t
crc_raw(uint32_t state, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < count; i++) {
		state ^= at[i];
		for (int bit = 0; bit < 8; bit++)
			state = (state >> 1) ^ (UINT32_C(0x82F63B78) & (0 - (state & 1)));
	}
	return state;
}

static uint32_t
crc_word(uint32_t state, uint64_t word)
{
	uint8_t bytes[8];
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(word >> (8 * i));
	return crc_raw(state, bytes, 8);
}

typedef struct decoded {
	uint32_t offset, bytes, turn, actor, cause, effect, check, id, data_bytes;
	uint16_t kind;
	uint8_t  flags, priority, signal_flags;
	uint64_t payload, context, timestamp, far;
	const uint8_t *own;
	uint32_t own_bytes;
} decoded_t;

static bool
decode(const uint8_t *segment, uint32_t offset, decoded_t *out)
{
	const uint8_t *at = segment + offset;
	*out = (decoded_t){
		.offset  = offset,
		.bytes   = 32 * (1u + at[6]),
		.turn    = (uint32_t)le(at, 4),
		.kind    = (uint16_t)le(at + 4, 2),
		.flags   = at[7],
		.actor   = (uint32_t)le(at + 8, 4),
		.cause   = (uint32_t)le(at + 12, 4),
		.payload = le(at + 16, 8),
		.effect  = (uint32_t)le(at + 24, 4),
		.check   = (uint32_t)le(at + 28, 4),
	};
	const uint8_t *slot = at + 32;
	if ((out->flags & 1) != 0) {
		out->context      = le(slot, 8);
		out->timestamp    = le(slot + 8, 8);
		out->id           = (uint32_t)le(slot + 16, 4);
		out->data_bytes   = (uint32_t)le(slot + 20, 4);
		out->signal_flags = slot[24];
		out->priority     = slot[25];
		slot += 32;
	}
	if (out->cause == UINT32_MAX) {
		out->far = le(slot, 8);
		slot += 32;
	}
	out->own       = slot;
	out->own_bytes = (uint32_t)(at + out->bytes - slot);

	/* uuid, segment, slot, and the record with its own check taken as zero */
	uint32_t state = crc_raw(UINT32_MAX, segment + 4, 16);
	state = crc_raw(state, segment + 48, 8);
	uint8_t number[4] = { (uint8_t)(offset / 32), (uint8_t)(offset / 32 >> 8), 0, 0 };
	state = crc_raw(state, number, 4);
	state = crc_raw(state, at, 28);
	state = crc_raw(state, "\0\0\0", 4);
	state = crc_raw(state, at + 32, out->bytes - 32);
	return ~state == out->check;
}

static bool
same_as_read(const decoded_t *ours, const bitactor_record_t *theirs)
{
	return ours->offset == theirs->offset && ours->bytes == theirs->bytes &&
	       ours->turn == theirs->turn_lo && ours->kind == theirs->kind &&
	       ours->flags == theirs->flags && ours->actor == theirs->actor &&
	       ours->cause == theirs->cause && ours->far == theirs->cause_seq &&
	       ours->payload == theirs->payload && ours->effect == theirs->effect &&
	       ours->check == theirs->check && ours->context == theirs->context &&
	       ours->timestamp == theirs->timestamp && ours->id == theirs->id &&
	       ours->data_bytes == theirs->data_bytes &&
	       ours->signal_flags == theirs->signal_flags &&
	       ours->priority == theirs->priority && ours->own == theirs->own &&
	       ours->own_bytes == theirs->own_bytes;
}

static bool
is_compared(const decoded_t *record)
{
	return record->kind != 0xFFFF && record->kind != 0xFF16 && (record->flags & 32) == 0;
}

/* ---- a walk over all that the sink kept ------------------------------ */

enum { RECORDS = 300000 };

typedef struct trace {
	decoded_t *records; /* all but PAD, in order */
	uint8_t  **starts;  /* the segment each is in */
	uint32_t   count;
	uint64_t   seq;
	uint64_t   kinds[256]; /* how often each of 0xFF00.. came; [0xFE] counts signals */
	uint32_t   bad;        /* anything that is not as the format says */
} trace_t;

static trace_t trace;

static void
trace_forget(void)
{
	free(trace.records);
	free(trace.starts);
	trace = (trace_t){ .count = 0 };
}

/* Is the header what the format and the segments before it say? */
static void
walk_header(const probe_sink_t *kept, uint64_t number)
{
	const uint8_t *bytes = kept->segment[number];
	uint8_t copy[BITACTOR_HEADER_BYTES], root[BITACTOR_DIGEST_BYTES] = { 0 };
	bitactor_segment_header_t header;
	memcpy(copy, bytes, sizeof copy);
	memset(copy + 104, 0, 4);
	if (number > 0)
		bitactor_blake3(kept->segment[number - 1], BITACTOR_SEGMENT_BYTES, root);
	CHECK_EQ(le(bytes, 4), 0xC1FC1FC1);
	CHECK_EQ(le(bytes + 20, 4), 0);
	CHECK_EQ(le(bytes + 28, 4), 65536 * 8);
	CHECK_EQ(le(bytes + 48, 8), number);
	CHECK_EQ(le(bytes + 56, 8), trace.seq);
	CHECK_EQ(le(bytes + 64, 8), 0);
	CHECK(memcmp(bytes + 72, root, sizeof root) == 0);
	CHECK_EQ(le(bytes + 104, 4), ~crc_raw(UINT32_MAX, copy, sizeof copy));
	CHECK_EQ(le(bytes + 108, 4), 1); /* version 1, no features */
	CHECK_EQ(le(bytes + 120, 8), 0);
	CHECK_EQ(bitactor_segment_header_read(bytes, &header, NULL), BITACTOR_OK);
	CHECK_EQ(header.content_bytes, le(bytes + 24, 4) / 8);
	CHECK_EQ(header.turn_begin, le(bytes + 32, 8));
	CHECK_EQ(header.turn_end, le(bytes + 40, 8));
	CHECK_EQ(header.segment, number);
	CHECK_EQ(header.first_seq, trace.seq);
	CHECK_EQ(header.schema, le(bytes + 112, 8));
	CHECK(memcmp(header.uuid, bytes + 4, 16) == 0);
	CHECK(memcmp(header.prev_root, root, sizeof root) == 0);
	CHECK(!header.open);
}

/* One record: right by both readers, and where it may be. */
static void
walk_record(uint8_t *bytes, uint32_t nonce, uint32_t offset, uint32_t limit, decoded_t *record)
{
	bitactor_record_t read;
	bool good = decode(bytes, offset, record);
	good &= bitactor_record_read(bytes, nonce, offset, limit, true, &read, NULL) == BITACTOR_OK;
	good &= same_as_read(record, &read);
	good &= bitactor_record_is_compared(&read) == is_compared(record);
	good &= offset / 1024 == (offset + record->bytes - 1) / 1024;
	good &= (record->flags & (64 + 4)) == 64;
	bool pad = record->kind == 0xFFFF;
	if (pad) { /* only where a chunk ends */
		good &= (offset + record->bytes) % 1024 == 0;
		for (uint32_t i = 8; i < record->bytes; i++)
			good &= bytes[offset + i] == 0 || (i >= 28 && i < 32);
	}
	if (record->kind >= 0xFF00)
		trace.kinds[record->kind - 0xFF00]++;
	else
		trace.kinds[0xFE]++;
	trace.bad += !good;
	trace.seq += is_compared(record);
	if (!pad && trace.count < RECORDS) {
		trace.starts[trace.count]    = bytes;
		trace.records[trace.count++] = *record;
	}
}

static void
walk(const probe_sink_t *kept)
{
	trace_forget();
	trace.records = calloc(RECORDS, sizeof *trace.records);
	trace.starts  = calloc(RECORDS, sizeof *trace.starts);
	CHECK(trace.records != NULL && trace.starts != NULL);
	for (uint64_t number = 0; number < kept->segments; number++) {
		uint8_t *bytes = kept->segment[number];
		uint32_t limit = (uint32_t)le(bytes + 24, 4) / 8;
		uint32_t nonce = bitactor_segment_nonce(bytes + 4, number);
		uint32_t begin = (uint32_t)le(bytes + 32, 8), end = (uint32_t)le(bytes + 40, 8);
		uint32_t last  = begin;
		decoded_t record;
		walk_header(kept, number);
		CHECK(kept->sealed[number]);
		for (uint32_t at = 128; at < limit; at += record.bytes) {
			walk_record(bytes, nonce, at, limit, &record);
			trace.bad += record.turn < last || record.turn > end;
			last = record.turn;
		}
		for (uint32_t at = limit; at < BITACTOR_SEGMENT_BYTES; at++)
			trace.bad += bytes[at] != 0;
	}
	CHECK_EQ(trace.bad, 0);
}

/* The bytes in the DATA records behind record `i`; *next is the first after them. */
static uint32_t
data_behind(uint32_t i, uint8_t *bytes, uint32_t room, uint32_t *next)
{
	uint32_t count = 0, number = 0;
	for (i++; i < trace.count && trace.records[i].kind == 0xFF16; i++, number++) {
		const decoded_t *data = &trace.records[i];
		trace.bad += data->actor != number || data->cause != 0 || data->effect != 0;
		trace.bad += data->payload > data->own_bytes;
		trace.bad += data->payload + 32 <= data->own_bytes;
		if (count + data->payload <= room)
			memcpy(bytes + count, data->own, data->payload);
		for (uint64_t k = data->payload; k < data->own_bytes; k++)
			trace.bad += data->own[k] != 0;
		count += (uint32_t)data->payload;
	}
	*next = i;
	return count;
}

/* ---- vectors --------------------------------------------------------- */

static void
test_vectors(uint64_t *random)
{
	SCENARIO("CRC32C and BLAKE3 are what they are elsewhere") {
		GIVEN("vectors of RFC 3720 B.4 and of the BLAKE3 paper's test set");
		WHEN("they are computed, whole and in pieces, at every alignment");
		THEN("they match, and match the loop over bits for random bytes");
		static const uint8_t empty[32] = { 0xaf, 0x13, 0x49, 0xb9, 0xf5, 0xf9, 0xa1, 0xa6,
			0xa0, 0x40, 0x4d, 0xea, 0x36, 0xdc, 0xc9, 0x49, 0x9b, 0xcb, 0x25, 0xc9,
			0xad, 0xc1, 0x12, 0xb7, 0xcc, 0x9a, 0x93, 0xca, 0xe4, 0x1f, 0x32, 0x62 };
		uint8_t bytes[300], digest[32], other[32];
		memset(bytes, 0, 32);
		CHECK_EQ(bitactor_crc32c(0, bytes, 32), 0x8A9136AA);
		memset(bytes, 0xFF, 32);
		CHECK_EQ(bitactor_crc32c(0, bytes, 32), 0x62A8AB43);
		CHECK_EQ(bitactor_crc32c(0, "123456789", 9), 0xE3069283);
		CHECK_EQ(bitactor_crc32c(77, NULL, 9), 77);
		for (int round = 0; round < 2000; round++) {
			size_t from = probe_random(random) % 16, all = probe_random(random) % 280;
			size_t cut  = all == 0 ? 0 : probe_random(random) % all;
			probe_random_bytes(random, bytes, sizeof bytes);
			uint32_t whole = bitactor_crc32c(0, bytes + from, all);
			CHECK_EQ(whole, ~crc_raw(UINT32_MAX, bytes + from, all));
			uint32_t first = bitactor_crc32c(0, bytes + from, cut);
			CHECK_EQ(bitactor_crc32c(first, bytes + from + cut, all - cut), whole);
		}
		bitactor_blake3("", 0, digest);
		CHECK(bitactor_digest_equal(digest, empty));
		bitactor_blake3(NULL, 5, digest);
		CHECK(bitactor_digest_equal(digest, empty));
		bitactor_blake3("abc", 3, digest);
		CHECK_EQ(le(digest, 8), 0x33514638acb33764);
		bitactor_blake3("abc", 3, NULL);
		for (int bit = 0; bit < 256; bit++) {
			memcpy(other, digest, 32);
			other[bit / 8] ^= (uint8_t)(1 << bit % 8);
			CHECK(!bitactor_digest_equal(digest, other));
		}
		CHECK(!bitactor_digest_equal(NULL, digest));
		CHECK(!bitactor_digest_equal(digest, NULL));
		CHECK_EQ(bitactor_segment_nonce(NULL, 1), 0);
	}
}

static void
test_kind_names(void)
{
	SCENARIO("engine's kinds have names, others have none") {
		WHEN("every 16-bit number is asked for");
		THEN("30 have one, all different, none of them a signal's");
		unsigned named = 0, twins = 0;
		const char *names[64];
		for (uint32_t kind = 0; kind <= 0xFFFF; kind++) {
			const char *name = bitactor_record_kind_name((uint16_t)kind);
			if (name == NULL)
				continue;
			CHECK(kind >= 0xFF00);
			for (unsigned i = 0; i < named; i++)
				twins += strcmp(names[i], name) == 0;
			names[named++ % 64] = name;
		}
		CHECK_EQ(named, 32);
		CHECK_EQ(twins, 0);
		CHECK(strcmp(bitactor_record_kind_name(BITACTOR_RECORD_TURN), "TURN") == 0);
		CHECK(strcmp(bitactor_record_kind_name(BITACTOR_RECORD_RESUME), "RESUME") == 0);
		CHECK(strcmp(bitactor_record_kind_name(BITACTOR_RECORD_TIMING), "TIMING") == 0);
		CHECK(strcmp(bitactor_record_kind_name(BITACTOR_RECORD_STATS), "STATS") == 0);
		CHECK(strcmp(bitactor_record_kind_name(BITACTOR_RECORD_PAD), "PAD") == 0);
		CHECK(!bitactor_record_is_compared(NULL));
	}
}

/* ---- a small trace, record by record --------------------------------- */

/* The digest of a dispatch by its description: two lanes of raw CRC32C. */
static uint32_t
effect_of_dispatch(uint32_t status, uint32_t asked, uint64_t result, const uint8_t *cell,
                   size_t cell_bytes)
{
	uint32_t lanes[2] = { crc_word(0, status | (uint64_t)asked << 32), crc_word(0, result) };
	size_t   words    = cell_bytes / 8;
	for (size_t i = 0; i < words; i++)
		lanes[i % 2] = crc_word(lanes[i % 2], le(cell + 8 * i, 8));
	if (cell_bytes % 8 != 0)
		lanes[1] = crc_word(lanes[1], le(cell + 8 * words, (int)(cell_bytes % 8)));
	return crc_word(0, lanes[0] | (uint64_t)lanes[1] << 32);
}

enum { CELL_MAX = 300 };

typedef struct worker {
	uint8_t  cell[CELL_MAX];
	uint32_t cell_bytes;
	uint32_t effects[64], count; /* what its dispatches should leave in the records */
} worker_t;

static worker_t worker;

/* By the signal's flags: 1 emits, 2 outputs, 4 fails, 8 names what it touched. */
static bitactor_status_t
work(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint8_t *cell  = state;
	uint32_t asked = 0;
	uint64_t result = signal->payload * 3;
	bitactor_status_t status = signal->flags & 4 ? BITACTOR_STALE : BITACTOR_OK;
	cell[signal->payload % worker.cell_bytes]++;
	if (signal->flags & 1) {
		bitactor_signal_t more = { .kind = 2, .actor = 9, .payload = 77 };
		CHECK_EQ(bitactor_emit_data(turn, &more, "emit", 4), BITACTOR_OK);
		asked = crc_word(asked, 1);
		asked = crc_raw(asked, &more, sizeof more);
		asked = crc_raw(asked, "emit", 4);
	}
	if (signal->flags & 2) {
		CHECK_EQ(bitactor_output(turn, 6, "output", 6), BITACTOR_OK);
		asked = crc_word(asked, 2);
		asked = crc_word(asked, 6 | UINT64_C(6) << 32);
		asked = crc_raw(asked, "output", 6);
	}
	if (signal->flags & 8) {
		bitactor_touched(turn, cell + 2, 5);
		asked = crc_word(asked, 3);
		asked = crc_word(asked, 2);
		asked = crc_word(asked, 5);
		asked = crc_raw(asked, cell + 2, 5);
	}
	bitactor_turn_result(turn, result);
	worker.effects[worker.count++ % 64] =
	        effect_of_dispatch(status, asked, result, cell,
	                           worker.cell_bytes <= 256 ? worker.cell_bytes : 0);
	return status;
}

/* A virtual engine with a worker of `cell_bytes` on kinds 1 and 2. */
static void
open_worker(uint32_t cell_bytes)
{
	worker = (worker_t){ .cell_bytes = cell_bytes };
	probe_config(&probe);
	probe_clock(&probe);
	probe_counter(&probe, 1000000000);
	probe_sink(&probe);
	probe.config.flags = BITACTOR_VIRTUAL;
	probe_open(&probe);
	for (uint16_t kind = 1; kind <= 2; kind++) {
		bitactor_handler_t handler = { .fn = work, .state = worker.cell, .kind = kind,
			                       .state_bytes = cell_bytes };
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
	}
}

typedef struct expected {
	uint16_t kind;
	uint8_t  flags;
	uint32_t turn, actor, cause;
	uint64_t payload;
	int      effect; /* which of the worker's; -1: 0 */
} expected_t;

static void
trace_is(const expected_t *expected, uint32_t count)
{
	CHECK_EQ(trace.count, count);
	for (uint32_t i = 0; i < count && i < trace.count; i++) {
		const decoded_t *record = &trace.records[i];
		CHECK_EQ(record->kind, expected[i].kind);
		CHECK_EQ(record->flags, expected[i].flags);
		CHECK_EQ(record->turn, expected[i].turn);
		CHECK_EQ(record->actor, expected[i].actor);
		CHECK_EQ(record->cause, expected[i].cause);
		CHECK_EQ(record->payload, expected[i].payload);
		CHECK_EQ(record->effect,
		         expected[i].effect < 0 ? 0 : worker.effects[expected[i].effect]);
	}
}

static void
send_the_small_trace(bitactor_engine_t *engine)
{
	bitactor_signal_t plain = { .kind = 1, .payload = 5, .actor = 3 };
	bitactor_signal_t rich  = { .kind = 1, .payload = 6, .id = 1, .context = 2,
		                    .timestamp = 3, .priority = 4, .flags = 1 + 2 };
	bitactor_signal_t bad   = { .kind = 1, .payload = 7, .flags = 1 + 2 + 4 };
	bitactor_signal_t lost  = { .kind = 99, .payload = 8, .actor = 1 };
	CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, "prog", 4), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_STATS, "none", 4), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue(engine, &plain), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue(engine, &rich), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue(engine, &bad), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue(engine, &lost), BITACTOR_OK);
	probe.now_ns = 100;
	CHECK_EQ(probe_drain(engine, 100), 5);
	probe.now_ns = 50; /* goes back: the turn's time does not */
	CHECK_EQ(bitactor_tick(engine, &plain, NULL), BITACTOR_OK);
	CHECK_EQ(bitactor_unregister(engine, 2), BITACTOR_OK);
	rich.flags = 1;
	CHECK_EQ(bitactor_enqueue(engine, &rich), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue_data(engine, &plain, "12345", 5), BITACTOR_OK);
	CHECK_EQ(bitactor_drain(engine, 1, NULL), BITACTOR_OK);
	CHECK_EQ(bitactor_drain(engine, 1, NULL), BITACTOR_OK);
	CHECK_EQ(bitactor_stop(engine, false, 0, NULL), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_close(engine, NULL), BITACTOR_OK);
}

static void
test_small_trace(uint32_t cell_bytes)
{
	SCENARIO("a small trace says what happened, record by record") {
		GIVEN("signals bare and rich, one that fails, one nobody takes, one with data");
		WHEN("they are dispatched, and the engine is stopped and closed");
		THEN("every record, cause, turn and effect is as described");
		open_worker(cell_bytes);
		send_the_small_trace(probe.engine);
		walk(&probe.kept);
		const uint8_t w = 64, f = 1, d = 2, out = 128, failed = 16;
		const expected_t expected[] = {
			{ 0xFF05, w | BITACTOR_RECORD_OUTSIDE, 0, 1, 0, 8, -1 },
			{ 0xFF05, w | BITACTOR_RECORD_OUTSIDE, 0, 2, 0, 8, -1 },
			{ 0xFF17, w | d, 0, 0, 0, 4, -1 },
			{ 0xFF16, w, 0, 0, 0, 4, -1 },
			{ 0xFF00, w, 1, 0, 0, 100, -1 },
			{ 1, w | out, 1, 3, 0, 5, 0 },
			{ 1, w | out | f, 1, 0, 0, 6, 1 },          /* seq 5 */
			{ 0xFF0F, w | d, 1, 6, 1, 6, -1 },
			{ 0xFF16, w, 1, 0, 0, 6, -1 },
			{ 1, w | out | f | failed, 1, 0, 0, 7, 2 },
			{ 0xFF07, w | out, 1, 1, 0, 8, -1 },        /* seq 8 */
			{ 2, w | f | d, 1, 9, 4, 77, 3 },           /* seq 9, from seq 5 */
			{ 0xFF16, w, 1, 0, 0, 4, -1 },
			{ 0xFF00, w, 2, 0, 0, 100, -1 },
			{ 1, w | out, 2, 3, 0x7FFFFFFF, 5, 4 },
			{ 0xFF05, w | BITACTOR_RECORD_OUTSIDE, 2, 2, 0, UINT64_MAX, -1 },
			{ 0xFF00, w, 3, 0, 0, 100, -1 },
			{ 1, w | out | f, 3, 0, 0, 6, 5 },          /* seq 14 */
			{ 0xFF00, w, 4, 0, 0, 100, -1 },
			{ 0xFF07, w | f | d, 4, 9, 2, 77, -1 },     /* seq 16 */
			{ 0xFF16, w, 4, 0, 0, 4, -1 },
			{ 0xFF04, w | BITACTOR_RECORD_OUTSIDE, 4, 0, 0, 0, -1 },
			{ 0xFF09, w, 4, 0, 0, 1, -1 },              /* the one with data */
			{ 0xFF15, w, 4, 0, 0, 19, -1 },
		};
		trace_is(expected, sizeof expected / sizeof *expected);
		const decoded_t *reject = &trace.records[10], *rich = &trace.records[6];
		CHECK_EQ(reject->own_bytes, 32);
		CHECK_EQ(le(reject->own, 8), 99 + (1 << 16));
		CHECK_EQ(rich->context, 2);
		CHECK_EQ(rich->timestamp, 3);
		CHECK_EQ(rich->id, 1);
		CHECK_EQ(rich->priority, 4);
		CHECK_EQ(rich->signal_flags, 3);
		CHECK_EQ(le(trace.records[19].own, 8), 2 + (1 << 16));
		CHECK(memcmp(trace.records[3].own, "prog", 4) == 0);
		CHECK(memcmp(trace.records[8].own, "output", 6) == 0);
		CHECK(memcmp(trace.records[12].own, "emit", 4) == 0);
		trace_forget();
		probe_close(&probe);
	}
}

static void
test_effects(void)
{
	SCENARIO("an effect covers status, result, what was asked, and the cell") {
		GIVEN("cells of every size to 300 bytes, of which up to 256 are digested whole");
		WHEN("16 dispatches emit, output, fail and touch in every combination");
		THEN("each effect is that of the description");
		for (uint32_t bytes = 7; bytes <= CELL_MAX; bytes += PROBE_SANITIZED ? 13 : 1) {
			open_worker(bytes);
			for (uint64_t i = 0; i < 16; i++) {
				bitactor_signal_t signal = { .kind = 1, .payload = i * 31,
					                     .flags = (uint8_t)i };
				CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_OK);
				(void)probe_drain(probe.engine, 100);
			}
			CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
			walk(&probe.kept);
			uint32_t next = 0;
			for (uint32_t i = 0; i < trace.count; i++)
				if (trace.records[i].kind < 0xFF00)
					CHECK_EQ(trace.records[i].effect,
					         worker.effects[next++]);
			CHECK_EQ(next, worker.count);
			CHECK_EQ(next, 20);
			trace_forget();
			probe_close(&probe);
		}
	}
}

/* Answers its own state: the same word goes into the digest twice. */
static bitactor_status_t
answers_its_state(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *words = state;
	for (int i = 0; i < 4; i++)
		words[i] = signal->payload;
	bitactor_turn_result(turn, signal->payload);
	return BITACTOR_OK;
}

static void
test_effects_do_not_cancel(void)
{
	SCENARIO("words that are equal do not cancel in an effect") {
		GIVEN("cells of one to four words, all of them what the handler answers");
		WHEN("100 different values come");
		THEN("no two effects are equal");
		for (size_t words = 1; words <= 4; words++) {
			uint64_t cell[4] = { 0 };
			const bitactor_handler_t handler = { .fn = answers_its_state,
				                             .state = cell,
				                             .state_bytes = words * 8,
				                             .kind = 1 };
			probe_config(&probe);
			probe_sink(&probe);
			probe_open(&probe);
			CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
			for (uint64_t i = 1; i <= 100; i++)
				probe_send(probe.engine, 1, i);
			CHECK_EQ(probe_drain(probe.engine, 100), 100);
			CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
			walk(&probe.kept);
			unsigned equal = 0, seen = 0;
			for (uint32_t i = 0; i < trace.count; i++) {
				seen += trace.records[i].kind == 1;
				for (uint32_t k = 0; k < i; k++)
					equal += trace.records[i].kind == 1 &&
					         trace.records[k].kind == 1 &&
					         trace.records[i].effect == trace.records[k].effect;
			}
			CHECK_EQ(seen, 100);
			CHECK_EQ(equal, 0);
			trace_forget();
			probe_close(&probe);
		}
	}
}

static void
test_touched(void)
{
	SCENARIO("of a large cell only what is named counts, wherever it is named") {
		GIVEN("a cell of 300 bytes, and a handler that changes byte 3 and names 2 to 6");
		WHEN("two signals come");
		THEN("the effects are equal without it, and differ when a named byte changed");
		for (int touch = 0; touch < 2; touch++) {
			open_worker(300);
			for (int i = 0; i < 2; i++) { /* the payload is where it writes */
				bitactor_signal_t signal = { .kind = 1, .payload = 3,
					                     .flags = touch ? 8 : 0 };
				CHECK_EQ(bitactor_tick(probe.engine, &signal, NULL), BITACTOR_OK);
			}
			CHECK_EQ(worker.effects[0] == worker.effects[1], !touch);
			probe_close(&probe);
		}
	}
}

/* ---- FIELDS ---------------------------------------------------------- */

static void
test_fields(void)
{
	SCENARIO("a FIELDS slot is there when it says something") {
		GIVEN("signals with exactly one of the optional fields, and one with none");
		WHEN("they are recorded");
		THEN("the bare one takes 32 bytes, each other 64, and the field comes back");
		const bitactor_signal_t signals[] = {
			{ .kind = 1 },
			{ .kind = 1, .id = 1 },
			{ .kind = 1, .context = UINT64_C(1) << 63 },
			{ .kind = 1, .timestamp = UINT64_C(1) << 40 },
			{ .kind = 1, .flags = 128 },
			{ .kind = 1, .priority = 1 },
			{ .kind = 1, .seal = 77 }, /* is not recorded */
		};
		enum { COUNT = sizeof signals / sizeof *signals };
		open_worker(8);
		for (int i = 0; i < COUNT; i++)
			CHECK_EQ(bitactor_enqueue(probe.engine, &signals[i]), BITACTOR_OK);
		CHECK_EQ(probe_drain(probe.engine, 100), COUNT);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		walk(&probe.kept);
		for (int i = 0; i < COUNT; i++) {
			const decoded_t *record = &trace.records[3 + i];
			CHECK_EQ(record->kind, 1);
			CHECK_EQ(record->bytes, i == 0 || i == COUNT - 1 ? 32 : 64);
			CHECK_EQ(record->id, signals[i].id);
			CHECK(record->context == signals[i].context);
			CHECK_EQ(record->timestamp, signals[i].timestamp);
			CHECK_EQ(record->signal_flags, signals[i].flags);
			CHECK_EQ(record->priority, signals[i].priority);
		}
		trace_forget();
		probe_close(&probe);
	}
}

/* ---- a long trace, against the handlers' own log --------------------- */

enum { LOGGED = 100000, BIG_DATA = 32768, STEPS = 20000 };

typedef struct logged {
	bitactor_signal_t signal;
	uint32_t data_crc;
} logged_t;

typedef struct chronicle {
	logged_t *log;
	uint32_t  count;
	uint32_t  next_id;
	uint32_t  outputs, output_crc; /* of all output bytes, in order */
	uint8_t  *bytes;               /* some data to send */
	probe_t  *probe;
} chronicle_t;

static chronicle_t chronicle;

static void
chronicle_add(bitactor_turn_t *turn, const bitactor_signal_t *signal)
{
	const void *data = bitactor_turn_data(turn);
	if (chronicle.count < LOGGED)
		chronicle.log[chronicle.count++] =
		        (logged_t){ *signal, bitactor_crc32c(0, data, signal->data_bytes) };
}

/* By the payload: emits, with or without data; outputs; fails; takes time. */
static bitactor_status_t
live(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t p = signal->payload;
	(void)state;
	chronicle_add(turn, signal);
	bitactor_status_t status = p % 11 == 0 ? BITACTOR_ERROR : BITACTOR_OK;
	for (uint64_t i = 0; i < p % 4 && p >= 16; i++) {
		bitactor_signal_t more = { .kind = (uint16_t)(p % 7), .payload = p / 16,
			                   .id = ++chronicle.next_id, .context = signal->id };
		if (p % 5 == 0)
			(void)bitactor_emit_data(turn, &more, chronicle.bytes + i,
			                         p % (p % 8 == 0 ? BIG_DATA : 100));
		else
			(void)bitactor_emit(turn, &more);
	}
	for (uint64_t i = 0; p % 6 == 1 && i < 1 + p % 3; i++) {
		size_t bytes = p % 1999;
		if (bitactor_output(turn, (uint32_t)i, chronicle.bytes, bytes) == BITACTOR_OK &&
		    status == BITACTOR_OK) {
			chronicle.outputs++;
			chronicle.output_crc =
			        bitactor_crc32c(chronicle.output_crc, chronicle.bytes, bytes);
		}
	}
	if (p % 31 == 0)
		chronicle.probe->counts += 50000;
	return status;
}

/* A fiber kind: yields twice in between. */
static bitactor_status_t
live_slowly(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	chronicle_add(turn, signal);
	for (int i = 0; i < 2; i++)
		if (bitactor_yield(turn) != BITACTOR_OK)
			return BITACTOR_ERROR;
	return BITACTOR_OK;
}

static void
chronicle_open(uint64_t seed, uint32_t flags, bool fibers)
{
	chronicle = (chronicle_t){ .log = calloc(LOGGED, sizeof *chronicle.log),
		                   .bytes = malloc(2 * BIG_DATA), .probe = &probe };
	CHECK(chronicle.log != NULL && chronicle.bytes != NULL);
	uint64_t random = seed;
	probe_random_bytes(&random, chronicle.bytes, 2 * BIG_DATA);
	probe_config(&probe);
	probe_clock(&probe);
	probe_counter(&probe, 1000000000);
	probe_sink(&probe);
	probe.config.flags    = flags;
	probe.config.seed     = seed;
	probe.config.data_max = BIG_DATA;
	probe.config.data_blocks = probe.config.emit_data_blocks = 16;
	probe.config.segments = 3;
	probe.config.fibers   = fibers ? 8 : 0;
	probe.config.fiber_stack_bytes = 65536;
	probe_open(&probe);
	for (uint16_t kind = 0; kind < 5; kind++) /* 5 and 6 have nobody */
		CHECK_EQ(bitactor_register(probe.engine, kind, live, NULL), BITACTOR_OK);
	bitactor_handler_t fiber = { .fn = live_slowly, .kind = 4,
		                     .flags = BITACTOR_HANDLER_FIBER };
	if (fibers)
		CHECK_EQ(bitactor_register_handler(probe.engine, &fiber), BITACTOR_OK);
}

/* One random step of the outside world. */
static void
chronicle_step(uint64_t *random, uint64_t i)
{
	bitactor_engine_t *engine = probe.engine;
	uint64_t chance = probe_random(random);
	bitactor_signal_t signal = { .kind = (uint16_t)(chance % 8), .payload = chance >> 40 };
	if (chance % 3 == 0) {
		signal.id      = ++chronicle.next_id;
		signal.context = chance;
		signal.actor   = (uint32_t)chance >> 20;
	}
	probe.now_ns += chance % 1000;
	switch (chance >> 32 & 15) {
	case 0:
		(void)bitactor_drain(engine, 1 + (chance >> 36) % 90, NULL);
		break;
	case 1:
		(void)bitactor_tick(engine, &signal, NULL);
		break;
	case 2:
		(void)bitactor_telemetry_flush(engine);
		break;
	case 3:
	case 4:
		(void)bitactor_enqueue_data(engine, &signal, chronicle.bytes + chance % 64,
		                            (chance >> 36) % (i % 32 == 0 ? BIG_DATA + 1 : 80));
		break;
	default:
		(void)bitactor_enqueue(engine, &signal);
	}
}

static void
chronicle_run(uint64_t seed, uint64_t steps)
{
	uint64_t random = seed;
	uint8_t  head[BITACTOR_DIGEST_BYTES], root[BITACTOR_DIGEST_BYTES];
	bitactor_engine_t *engine = probe.engine;
	for (uint64_t i = 0; i < steps; i++) {
		chronicle_step(&random, i);
		if (i % 2000 == 1999) {
			CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_SCHEMA,
			                                 chronicle.bytes, i),
			         BITACTOR_OK);
			CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_STATS, "s", 1),
			         BITACTOR_OK);
			CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL), BITACTOR_OK);
			ba_engine_check(engine);
		}
	}
	bitactor_signal_t left = { .kind = 1 };
	(void)bitactor_enqueue(engine, &left);
	CHECK_EQ(bitactor_stop(engine, false, 0, NULL), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, NULL, 0), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_close(engine, head), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL), BITACTOR_OK);
	uint64_t last = probe.kept.segments - 1;
	bitactor_blake3(probe.kept.segment[last], BITACTOR_SEGMENT_BYTES, root);
	CHECK(bitactor_digest_equal(head, root));
	for (uint64_t i = 0; i < probe.config.segments && i <= last; i++) {
		const uint8_t *bytes = NULL; /* what was handed on is what the ring holds */
		CHECK_EQ(bitactor_telemetry_segment(engine, last - i, &bytes), BITACTOR_OK);
		CHECK(bytes != NULL && memcmp(bytes, probe.kept.segment[last - i],
		                              BITACTOR_SEGMENT_BYTES) == 0);
	}
}

static void
chronicle_close(void)
{
	trace_forget();
	free(chronicle.log);
	free(chronicle.bytes);
	probe_close(&probe);
}

/* Each signal's record is what its handler saw; its DATA lies in its segment. */
static void
trace_is_the_log(void)
{
	static uint8_t bytes[2 * BIG_DATA];
	uint32_t said = 0, wrong = 0, split = 0, next;
	for (uint32_t i = 0; i < trace.count; i = next) {
		const decoded_t *record = &trace.records[i];
		uint32_t count = data_behind(i, bytes, sizeof bytes, &next);
		if (record->kind >= 0xFF00)
			continue;
		split += trace.starts[next - 1] != trace.starts[i];
		/* a fiber that could not start never saw its signal */
		if (record->kind == 4 && (record->flags & 16) != 0 &&
		    (said >= chronicle.count ||
		     chronicle.log[said].signal.payload != record->payload ||
		     chronicle.log[said].signal.id != record->id))
			continue;
		if (said >= chronicle.count) {
			wrong++;
			continue;
		}
		const logged_t *log = &chronicle.log[said++];
		const bitactor_signal_t *s = &log->signal;
		wrong += record->kind != s->kind || record->actor != s->actor ||
		         record->payload != s->payload || record->context != s->context ||
		         record->id != s->id || record->data_bytes != s->data_bytes ||
		         count != s->data_bytes ||
		         bitactor_crc32c(0, bytes, count) != log->data_crc;
	}
	CHECK_EQ(wrong, 0);
	CHECK_EQ(split, 0);
	CHECK_EQ(said, chronicle.count);
	CHECK_EQ(trace.bad, 0);
}

/* Each cause leads back to the record that emitted, each OUTPUT to its dispatch. */
static void
causes_lead_back(void)
{
	uint32_t *ids = calloc(trace.seq + 1, sizeof *ids), *kinds = calloc(trace.seq + 1, 4);
	uint64_t seq = 0, wrong = 0, emitted = 0;
	CHECK(ids != NULL && kinds != NULL);
	for (uint32_t i = 0; i < trace.count; i++) {
		const decoded_t *record = &trace.records[i];
		if (!is_compared(record))
			continue;
		ids[seq]   = record->id;
		kinds[seq] = record->kind;
		bool signal = record->kind < 0xFF00 || record->kind == 0xFF07;
		if (signal && (record->flags & 128) == 0) {
			wrong += record->cause == 0 || record->cause > seq;
			wrong += ids[seq - record->cause] != (uint32_t)record->context;
			emitted++;
		} else if (signal) {
			wrong += record->cause != 0 && record->cause != 0x7FFFFFFF;
		} else if (record->kind == 0xFF0F) {
			wrong += kinds[seq - record->cause] >= 0xFF00;
			wrong += record->cause != record->actor + 1; /* port 0 is the first */
		}
		seq++;
	}
	CHECK_EQ(wrong, 0);
	CHECK(emitted > 100);
	CHECK_EQ(seq, trace.seq);
	free(ids);
	free(kinds);
}

static void
outputs_are_the_log(void)
{
	static uint8_t bytes[2 * BIG_DATA];
	uint32_t count = 0, crc = 0, next;
	for (uint32_t i = 0; i < trace.count; i = next) {
		uint32_t got = data_behind(i, bytes, sizeof bytes, &next);
		if (trace.records[i].kind != 0xFF0F)
			continue;
		CHECK_EQ(trace.records[i].payload, got);
		crc = bitactor_crc32c(crc, bytes, got);
		count++;
	}
	CHECK_EQ(count, chronicle.outputs);
	CHECK_EQ(crc, chronicle.output_crc);
}

static void
test_long_trace(uint64_t seed, bool fibers)
{
	static const uint8_t written[] = { 0x00, 0x04, 0x05, 0x06, 0x07, 0x09, 0x0F, 0x15, 0x16,
		                           0x17, 0x18, 0x81, 0x83, 0xFE, 0xFF };
	SCENARIO(fibers ? "a long trace of everything, read by someone else"
	                : "a long trace without fibers, read by someone else") {
		GIVEN("random signals, data to 32 KiB, emits, outputs, failures, overruns, notes");
		WHEN("both decoders walk the trace that the sink was given");
		THEN("they agree on every record, and it says what the handlers saw, in order");
		chronicle_open(seed, 0, fibers);
		chronicle_run(seed, probe_scale(STEPS) < STEPS ? probe_scale(STEPS) : STEPS);
		walk(&probe.kept);
		trace_is_the_log();
		causes_lead_back();
		outputs_are_the_log();
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(trace.seq, stats.records);
		CHECK_EQ(probe.kept.segments, stats.segments);
		CHECK(stats.segments > 3);
		for (size_t i = 0; i < sizeof written; i++)
			if (fibers || written[i] != 0x18) {
				if (trace.kinds[written[i]] == 0)
					printf("  no record of kind 0xFF%02X\n", written[i]);
				CHECK(trace.kinds[written[i]] > 0);
				trace.kinds[written[i]] = 0;
			}
		for (int kind = 0; kind < 256; kind++)
			CHECK_EQ(trace.kinds[kind], 0);
		chronicle_close();
	}
}

/* ---- the same inputs, the same bytes --------------------------------- */

typedef struct copy {
	uint8_t *segment[PROBE_SEGMENTS];
	uint64_t segments;
} copy_t;

static void
virtual_run(uint64_t seed, bool table, copy_t *copy)
{
	chronicle_open(seed, BITACTOR_VIRTUAL, true);
	if (table) { /* what a machine without the instruction runs */
		size_t entries    = probe.engine->kinds + 2u;
		ba_entry_t *bound = calloc(entries, sizeof *bound);
		CHECK(bound != NULL);
		memcpy(bound, probe.engine->table, entries * sizeof *bound);
		probe.engine->recorder.hw_crc = false;
		ba_table_init(probe.engine); /* chooses the loops, empties the table */
		memcpy(probe.engine->table, bound, entries * sizeof *bound);
		free(bound);
	}
	chronicle_run(seed, PROBE_SANITIZED ? STEPS / 20 : STEPS / 2);
	copy->segments = probe.kept.segments;
	for (uint64_t i = 0; i < copy->segments; i++) {
		copy->segment[i]       = probe.kept.segment[i]; /* it is ours now */
		probe.kept.segment[i] = NULL;
	}
	chronicle_close();
}

static bool
copies_are_equal(const copy_t *a, const copy_t *b)
{
	bool equal = a->segments == b->segments;
	for (uint64_t i = 0; i < a->segments && equal; i++)
		equal = memcmp(a->segment[i], b->segment[i], BITACTOR_SEGMENT_BYTES) == 0;
	return equal;
}

static void
copy_free(copy_t *copy)
{
	for (uint64_t i = 0; i < copy->segments; i++)
		free(copy->segment[i]);
}

static void
test_same_bytes(uint64_t seed)
{
	SCENARIO("under virtual time the same inputs give the same bytes") {
		GIVEN("a run of everything");
		WHEN("it is repeated at another address, without the CRC instruction, and with "
		     "another seed");
		THEN("all segments are equal byte by byte, and with another seed they are not");
		static copy_t first, again, table, other;
		virtual_run(seed, false, &first);
		void *elsewhere = malloc(12345678); /* move what is allocated next */
		virtual_run(seed, false, &again);
		virtual_run(seed, true, &table);
		virtual_run(seed + 1, false, &other);
		free(elsewhere);
		CHECK(first.segments >= 2);
		CHECK(copies_are_equal(&first, &again));
		CHECK(copies_are_equal(&first, &table));
		CHECK(!copies_are_equal(&first, &other));
		copy_free(&first);
		copy_free(&again);
		copy_free(&table);
		copy_free(&other);
	}
}

static void
test_uuid(void)
{
	SCENARIO("a trace's name") {
		GIVEN("configurations with and without a uuid");
		WHEN("their first headers are read");
		THEN("a given name is kept; else it is a function of limits and seed");
		uint8_t names[4][16];
		for (int i = 0; i < 4; i++) {
			const uint8_t *bytes = NULL;
			probe_config(&probe);
			probe.config.seed   = i == 2;
			probe.config.schema = 0x1122334455667788;
			memset(probe.config.uuid, i == 3 ? 0x77 : 0, 16);
			probe_open(&probe);
			CHECK_EQ(bitactor_telemetry_segment(probe.engine, 0, &bytes), BITACTOR_OK);
			bitactor_segment_header_t header;
			CHECK_EQ(bitactor_segment_header_read(bytes, &header, NULL), BITACTOR_OK);
			CHECK(header.open);
			CHECK_EQ(header.content_bytes, 0);
			CHECK_EQ(header.schema, 0x1122334455667788);
			memcpy(names[i], header.uuid, 16);
			probe_close(&probe);
		}
		static const uint8_t given[16] = { 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77,
			                           0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77 };
		CHECK(memcmp(names[0], names[1], 16) == 0);
		CHECK(memcmp(names[0], names[2], 16) != 0);
		CHECK(memcmp(names[3], given, 16) == 0);
	}
}

/* ---- far causes ------------------------------------------------------ */

static void
test_far_cause(void)
{
	static const uint64_t distances[] = { 2, 0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF,
		                              0x100000000, 0x123456789A };
	SCENARIO("a cause too far back for 32 bits") {
		GIVEN("an emit that waits while 2 to 2^36 records are written");
		WHEN("it is dispatched at last, and once rejected, with fields and data");
		THEN("the distance, or from 2^32 - 1 on the emitter's seq itself, is recorded");
		for (size_t i = 0; i < sizeof distances / sizeof *distances; i++) {
			open_worker(8);
			ba_recorder_t *recorder = &probe.engine->recorder;
			bitactor_signal_t signal = { .kind = 1, .flags = 1 };
			uint64_t emitter = recorder->seq + 1; /* after TURN */
			CHECK_EQ(bitactor_tick(probe.engine, &signal, NULL), BITACTOR_OK);
			CHECK_EQ(bitactor_tick(probe.engine, &signal, NULL), BITACTOR_OK);
			CHECK_EQ(bitactor_unregister(probe.engine, 2), BITACTOR_OK);
			recorder->seq = emitter + distances[i] - 1; /* the next TURN's */
			ba_count_set(&probe.engine->records, recorder->seq);
			CHECK_EQ(probe_drain(probe.engine, 100), 2);
			CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
			walk(&probe.kept);
			const decoded_t *record = &trace.records[8]; /* 2 REGISTER, 4, 1, TURN */
			bool far = distances[i] >= 0xFFFFFFFF;
			CHECK_EQ(record->kind, 0xFF07);
			CHECK_EQ(record->bytes, far ? 128 : 96);
			CHECK_EQ(record->cause, far ? 0xFFFFFFFF : distances[i]);
			CHECK_EQ(record->far, far ? emitter : 0);
			CHECK_EQ(record->own_bytes, 32);
			trace_forget();
			probe_close(&probe);
		}
	}
}

static void
test_far_cause_of_a_dispatch(void)
{
	SCENARIO("a far cause of a bare signal") {
		GIVEN("a signal without fields, emitted 2^33 records ago");
		WHEN("it is dispatched");
		THEN("its record is a head and a CAUSE slot");
		open_worker(8);
		bitactor_engine_t *engine = probe.engine;
		bitactor_signal_t bare = { .kind = 2, .payload = 4 };
		uint64_t emitter = engine->recorder.seq;
		CHECK(ba_emit_now(engine, &bare));
		engine->recorder.seq += UINT64_C(1) << 33;
		ba_count_set(&engine->records, engine->recorder.seq);
		CHECK_EQ(probe_drain(engine, 100), 1);
		CHECK_EQ(bitactor_telemetry_close(engine, NULL), BITACTOR_OK);
		walk(&probe.kept);
		const decoded_t *record = &trace.records[3];
		CHECK_EQ(record->kind, 2);
		CHECK_EQ(record->bytes, 64);
		CHECK_EQ(record->cause, UINT32_MAX);
		CHECK_EQ(record->far, emitter);
		CHECK_EQ(record->effect, worker.effects[0]);
		trace_forget();
		probe_close(&probe);
	}
}

/* ---- overruns -------------------------------------------------------- */

static bitactor_status_t
take_and_output(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	((probe_t *)state)->counts += signal->payload;
	for (uint64_t i = 0; i < signal->context; i++)
		CHECK_EQ(bitactor_output(turn, 1, "o", 1), BITACTOR_OK);
	return BITACTOR_OK;
}

static void
open_overruns(uint32_t flags)
{
	probe_config(&probe);
	probe_clock(&probe);
	probe_counter(&probe, 24000000);
	probe_sink(&probe);
	probe.config.flags = flags;
	probe_open(&probe);
	CHECK_EQ(bitactor_register(probe.engine, 1, take_and_output, &probe), BITACTOR_OK);
}

static void
test_overrun_records(void)
{
	SCENARIO("an overrun's record names its dispatch") {
		GIVEN("a budget of 8 counts");
		WHEN("a tick takes 9 and sends three outputs; a batch of 5 takes 50");
		THEN("class, kind, counts, budget, how many and the seq of the dispatch are right");
		open_overruns(0);
		bitactor_signal_t slow = { .kind = 1, .payload = 9, .context = 3 };
		CHECK_EQ(bitactor_tick(probe.engine, &slow, NULL), BITACTOR_TICK_EXCEEDED);
		for (int i = 0; i < 5; i++)
			probe_send(probe.engine, 1, 10);
		CHECK_EQ(probe_drain(probe.engine, 100), 5);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		walk(&probe.kept);
		/* REGISTER 0, TURN 1, signal 2, OUTPUT 3..5, TURN 6, signals 7..11, CLOSE */
		static const uint64_t expected[2][7] = { { 1, 2, 9, 2, 8, 1, 0 },
			                                 { 1, 1, 50, 11, 40, 5, 0 } };
		int found = 0;
		for (uint32_t i = 0; i < trace.count; i++) {
			const decoded_t *record = &trace.records[i];
			if (record->kind != 0xFF81 || found == 2)
				continue;
			const uint64_t *e = expected[found++];
			CHECK_EQ(record->flags, 64 | 32);
			CHECK_EQ(record->actor, e[0]);
			CHECK_EQ(record->cause, e[1]);
			CHECK_EQ(record->payload, e[2]);
			CHECK_EQ(record->own_bytes, 32);
			for (int k = 0; k < 4; k++)
				CHECK_EQ(le(record->own + 8 * k, 8), e[3 + k]);
		}
		CHECK_EQ(found, 2);
		CHECK_EQ(trace.kinds[0x81], 2);
		CHECK_EQ(trace.seq, 13);
		trace_forget();
		probe_close(&probe);
	}
	SCENARIO("under virtual time nothing measured is recorded") {
		GIVEN("the same");
		WHEN("budgets are broken, and STATS is noted");
		THEN("they are counted, but no record is written");
		open_overruns(BITACTOR_VIRTUAL);
		bitactor_signal_t slow = { .kind = 1, .payload = 9 };
		CHECK_EQ(bitactor_tick(probe.engine, &slow, NULL), BITACTOR_TICK_EXCEEDED);
		CHECK_EQ(bitactor_telemetry_note(probe.engine, BITACTOR_RECORD_STATS, "x", 1),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		CHECK_EQ(probe_stats(probe.engine).overruns, 1);
		walk(&probe.kept);
		CHECK_EQ(trace.count, 4); /* REGISTER, TURN, the signal, CLOSE */
		trace_forget();
		probe_close(&probe);
	}
}

/* ---- notes ----------------------------------------------------------- */

static void
test_notes(uint64_t *random)
{
	SCENARIO("texts of any length come back") {
		GIVEN("texts of 0 bytes to 200 KB, more than the ring holds");
		WHEN("they are noted and read back from the sink");
		THEN("they are equal; other kinds are an ERROR");
		static const size_t lengths[] = { 0, 1, 31, 32, 33, 991, 992, 993, 1024, 65536,
			                          200000 };
		static uint8_t text[200000], back[200000];
		probe_random_bytes(random, text, sizeof text);
		open_worker(8);
		bitactor_engine_t *engine = probe.engine;
		for (uint32_t kind = 0xFEF0; kind <= 0xFFFF; kind++) {
			bool note = kind == BITACTOR_RECORD_PROGRAM ||
			            kind == BITACTOR_RECORD_SCHEMA || kind == BITACTOR_RECORD_STATS;
			if (!note)
				CHECK_EQ(bitactor_telemetry_note(engine, (uint16_t)kind, "", 0),
				         BITACTOR_ERROR);
		}
		for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			size_t bytes = lengths[i] - (lengths[i] > 100000 ? i : 0);
			CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_SCHEMA, text + i,
			                                 bytes),
			         BITACTOR_OK);
		}
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		walk(&probe.kept);
		uint32_t next = 2; /* two REGISTER */
		for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			size_t bytes = lengths[i] - (lengths[i] > 100000 ? i : 0);
			const decoded_t *record = &trace.records[next];
			CHECK_EQ(record->kind, BITACTOR_RECORD_SCHEMA);
			CHECK_EQ(record->payload, bytes);
			CHECK_EQ(record->flags, bytes > 0 ? 64 + 2 : 64);
			CHECK_EQ(data_behind(next, back, sizeof back, &next), bytes);
			CHECK(memcmp(back, text + i, bytes) == 0);
		}
		CHECK_EQ(trace.bad, 0);
		CHECK_EQ(trace.records[next].kind, BITACTOR_RECORD_CLOSE);
		trace_forget();
		probe_close(&probe);
	}
}

/* ---- the sink fails -------------------------------------------------- */

static void
test_sink_failure(void)
{
	SCENARIO("a sink that fails is not called again") {
		GIVEN("a sink that takes three times and then no more");
		WHEN("signals are drained and ticked until it is called a fourth time, and on");
		THEN("that turn and all after it are IO, nothing is dispatched any more");
		open_worker(8);
		probe.kept.good_calls = 3;
		bitactor_engine_t *engine = probe.engine;
		bitactor_signal_t  signal = { .kind = 1, .id = 1 };
		for (int i = 0; i < 3; i++) {
			probe_send(engine, 1, 0);
			CHECK_EQ(bitactor_drain(engine, 1, NULL), BITACTOR_OK);
			CHECK_EQ(bitactor_telemetry_flush(engine), BITACTOR_OK);
			CHECK_EQ(bitactor_telemetry_flush(engine), BITACTOR_OK); /* nothing new */
		}
		CHECK_EQ(probe.kept.calls, 3);
		probe_send(engine, 1, 0);
		CHECK_EQ(bitactor_drain(engine, 1, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_telemetry_flush(engine), BITACTOR_IO);
		CHECK_EQ(probe.kept.calls, 4);
		uint64_t before = probe_stats(engine).dispatched;
		probe_send(engine, 1, 0);
		CHECK_EQ(bitactor_drain(engine, 1, NULL), BITACTOR_IO);
		CHECK_EQ(bitactor_tick(engine, &signal, NULL), BITACTOR_IO);
		CHECK_EQ(bitactor_telemetry_flush(engine), BITACTOR_IO);
		CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, "x", 1),
		         BITACTOR_IO);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.dispatched, before);
		CHECK_EQ(stats.queued, 1);
		uint64_t discarded = 0;
		CHECK_EQ(bitactor_stop(engine, true, 10, &discarded), BITACTOR_OK);
		CHECK_EQ(discarded, 1);
		CHECK_EQ(bitactor_telemetry_close(engine, NULL), BITACTOR_IO);
		CHECK_EQ(probe.kept.calls, 4);
		CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
	SCENARIO("a sink that fails in the middle of a turn") {
		GIVEN("a sink that refuses the first segment when it is sealed");
		WHEN("5000 signals are drained in one turn");
		THEN("the turn is finished and answers IO, the next does nothing");
		open_worker(8);
		probe.kept.good_calls = 0;
		bitactor_status_t status = BITACTOR_OK;
		while (status == BITACTOR_OK) {
			bitactor_signal_t signal = { .kind = 1, .id = 1 };
			while (bitactor_enqueue(probe.engine, &signal) == BITACTOR_OK)
				continue;
			status = bitactor_drain(probe.engine, 5000, NULL);
		}
		CHECK_EQ(status, BITACTOR_IO);
		CHECK_EQ(probe.kept.calls, 1);
		CHECK_EQ(probe_stats(probe.engine).queued, 0);
		bitactor_signal_t signal = { .kind = 1 };
		CHECK_EQ(bitactor_tick(probe.engine, &signal, NULL), BITACTOR_IO);
		probe_close(&probe);
	}
}

/* ---- last gasp ------------------------------------------------------- */

typedef struct gasp {
	bitactor_engine_t *engine;
	bitactor_status_t  read;
	bitactor_record_t  record;
	uint64_t segment;
	uint32_t records;
} gasp_t;

/* What a signal handler would save now: how its last record reads. */
static bitactor_status_t
gasp_inside(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	gasp_t *gasp = state;
	uint32_t bytes = 0, at = BITACTOR_HEADER_BYTES;
	(void)turn, (void)signal;
	const uint8_t *start = bitactor_telemetry_last_gasp(gasp->engine, &gasp->segment, &bytes);
	uint32_t nonce = bitactor_segment_nonce(start + 4, gasp->segment);
	gasp->records = 0;
	while ((gasp->read = bitactor_record_read(start, nonce, at, bytes, true, &gasp->record,
	                                          NULL)) == BITACTOR_OK) {
		at += gasp->record.bytes;
		gasp->records++;
	}
	if (gasp->read == BITACTOR_BUSY) /* DATA may follow, nothing else */
		for (at += gasp->record.bytes; at < bytes;) {
			bitactor_record_t data;
			CHECK_EQ(bitactor_record_read(start, nonce, at, bytes, true, &data, NULL),
			         BITACTOR_OK);
			CHECK(data.kind == BITACTOR_RECORD_DATA ||
			      data.kind == BITACTOR_RECORD_PAD);
			at += data.bytes;
		}
	CHECK_EQ(at, bytes);
	return BITACTOR_OK;
}

static void
test_last_gasp(void)
{
	SCENARIO("the last gasp names the signal in dispatch") {
		GIVEN("handlers that look at what would be saved now");
		WHEN("bare, rich and data signals are dispatched, and segments change meanwhile");
		THEN("an open record with the signal in hand is the last of its kind; after the "
		     "dispatch there is none");
		gasp_t gasp;
		probe_config(&probe);
		probe_open(&probe);
		gasp.engine = probe.engine;
		CHECK_EQ(bitactor_register(probe.engine, 1, gasp_inside, &gasp), BITACTOR_OK);
		for (uint64_t i = 0; i < 4000; i++) {
			bitactor_signal_t signal = { .kind = 1, .payload = i,
				                     .context = i % 3 == 0 ? i : 0 };
			bitactor_status_t status =
			        i % 5 == 0 ? bitactor_enqueue_data(probe.engine, &signal, "data!",
			                                           5)
			                   : bitactor_enqueue(probe.engine, &signal);
			CHECK_EQ(status, BITACTOR_OK);
			CHECK_EQ(probe_drain(probe.engine, 1), 1);
			CHECK_EQ(gasp.read, BITACTOR_BUSY);
			CHECK_EQ(gasp.record.kind, 1);
			CHECK_EQ(gasp.record.payload, i);
			CHECK_EQ(gasp.record.context, signal.context);
			CHECK_EQ(gasp.record.effect, 0);
		}
		CHECK(gasp.segment >= 2);
		(void)gasp_inside(NULL, NULL, &gasp); /* between turns */
		CHECK_EQ(gasp.read, BITACTOR_EMPTY);
		CHECK(gasp.records > 0);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		uint32_t bytes;
		CHECK(bitactor_telemetry_last_gasp(probe.engine, &gasp.segment, &bytes) == NULL);
		probe_close(&probe);
	}
}

/* ---- the ring, closed and absent ------------------------------------- */

static void
test_ring(void)
{
	SCENARIO("the ring keeps the newest segments") {
		GIVEN("a ring of two segments");
		WHEN("five are written, checked all the way, and closed");
		THEN("two can be looked at, older are STALE, later EMPTY; close is final");
		probe_config(&probe);
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		const uint8_t *bytes = NULL;
		uint64_t segments = 0;
		for (uint64_t i = 0; segments < 5; i++) {
			bitactor_signal_t signal = { .kind = 1, .id = (uint32_t)i + 1 };
			CHECK_EQ(bitactor_enqueue(engine, &signal), BITACTOR_OK);
			CHECK_EQ(probe_drain(engine, 1), 1);
			segments = probe_stats(engine).segments;
			if (i % 50 == 0)
				CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL), BITACTOR_OK);
		}
		for (uint64_t i = 0; i < 7; i++)
			CHECK_EQ(bitactor_telemetry_segment(engine, i, &bytes),
			         i < 3 ? BITACTOR_STALE : i < 5 ? BITACTOR_OK : BITACTOR_EMPTY);
		CHECK_EQ(bitactor_telemetry_segment(engine, UINT64_MAX, &bytes), BITACTOR_EMPTY);
		probe_send(engine, 1, 0);
		CHECK_EQ(bitactor_telemetry_close(engine, NULL), BITACTOR_OK);
		CHECK(!bitactor_is_ready(engine));
		CHECK_EQ(bitactor_telemetry_close(engine, NULL), BITACTOR_CLOSED);
		CHECK_EQ(bitactor_telemetry_flush(engine), BITACTOR_CLOSED);
		CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, "x", 1),
		         BITACTOR_CLOSED);
		CHECK_EQ(bitactor_drain(engine, 1, NULL), BITACTOR_CLOSED);
		bitactor_signal_t signal = { .kind = 1 };
		CHECK_EQ(bitactor_tick(engine, &signal, NULL), BITACTOR_CLOSED);
		CHECK_EQ(bitactor_enqueue(engine, &signal), BITACTOR_CLOSED);
		CHECK_EQ(bitactor_register(engine, 1, gasp_inside, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_stop(engine, true, 5, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL), BITACTOR_OK);
		(void)probe_stats(engine);
		probe_close(&probe);
	}
}

static void
test_no_recorder(void)
{
	SCENARIO("an engine without a recorder") {
		GIVEN("no segments");
		WHEN("the recorder is asked for anything");
		THEN("it is UNSUPPORTED, and everything else works");
		uint64_t segment;
		uint32_t count;
		const uint8_t *bytes;
		probe_config(&probe);
		probe.config.segments = 0;
		probe_open(&probe);
		CHECK_EQ(bitactor_telemetry_flush(probe.engine), BITACTOR_UNSUPPORTED);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_UNSUPPORTED);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_UNSUPPORTED);
		CHECK_EQ(bitactor_telemetry_note(probe.engine, BITACTOR_RECORD_PROGRAM, "x", 1),
		         BITACTOR_UNSUPPORTED);
		CHECK_EQ(bitactor_telemetry_segment(probe.engine, 0, &bytes), BITACTOR_UNSUPPORTED);
		CHECK(bitactor_telemetry_last_gasp(probe.engine, &segment, &count) == NULL);
		probe_send(probe.engine, 1, 0);
		CHECK_EQ(probe_drain(probe.engine, 10), 1);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.segments, 0);
		CHECK_EQ(stats.records, 0);
		CHECK_EQ(bitactor_stop(probe.engine, true, 5, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
}

static void
test_check_names_the_place(void)
{
	SCENARIO("the ring's check in a segment that is still open") {
		GIVEN("an open segment behind a sealed one");
		WHEN("a bit of a record, of either header, or behind the last record is flipped");
		THEN("the place is named; what is not written yet does not count");
		probe_config(&probe);
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		while (probe_stats(engine).segments < 2 || engine->recorder.hash_left > 2) {
			bitactor_signal_t signal = { .kind = 1, .id = 1 };
			CHECK_EQ(bitactor_enqueue(engine, &signal), BITACTOR_OK);
			CHECK_EQ(probe_drain(engine, 1), 1);
		}
		uint64_t segment = 99;
		uint32_t used = 0, offset = 99;
		uint8_t *ring = engine->recorder.ring;
		(void)bitactor_telemetry_last_gasp(engine, &segment, &used);
		CHECK_EQ(segment, 1);
		const struct {
			uint32_t at, segment, offset;
		} flips[] = { { 10, 0, 0 },         { 128, 0, 128 },
			      { 65536 + 80, 1, 0 }, { 65536 + 128 + 31, 1, 128 },
			      { 65536 + used, UINT32_MAX, 0 } };
		for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
			bool found = flips[i].segment != UINT32_MAX;
			ring[flips[i].at] ^= 4;
			CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL),
			         found ? BITACTOR_CORRUPT : BITACTOR_OK);
			CHECK_EQ(bitactor_telemetry_check(engine, &segment, &offset),
			         found ? BITACTOR_CORRUPT : BITACTOR_OK);
			if (found) {
				CHECK_EQ(segment, flips[i].segment);
				CHECK_EQ(offset, flips[i].offset);
			}
			ring[flips[i].at] ^= 4;
		}
		CHECK_EQ(bitactor_telemetry_check(engine, &segment, &offset), BITACTOR_OK);
		probe_close(&probe);
	}
}

/* ---- readers of anything --------------------------------------------- */

static void
header_sign(uint8_t *header)
{
	memset(header + 104, 0, 4);
	uint32_t crc = ~crc_raw(UINT32_MAX, header, BITACTOR_HEADER_BYTES);
	memcpy(header + 104, &crc, 4);
}

static void
test_header_reader(void)
{
	static const struct {
		uint32_t at, bytes;
		uint64_t value;
		bitactor_status_t status;
	} changes[] = {
		{ 0, 4, 0xC1FC1FC0, BITACTOR_CORRUPT },   { 20, 4, 1, BITACTOR_CORRUPT },
		{ 24, 4, 65536 * 8 + 256, BITACTOR_CORRUPT }, { 24, 4, 96 * 8, BITACTOR_CORRUPT },
		{ 24, 4, 200 * 8, BITACTOR_CORRUPT },     { 28, 4, 65536, BITACTOR_CORRUPT },
		{ 32, 8, 1000, BITACTOR_CORRUPT },        { 108, 1, 2, BITACTOR_UNSUPPORTED },
		{ 108, 1, 0, BITACTOR_UNSUPPORTED },      { 109, 1, 1, BITACTOR_OK },
		{ 110, 1, 1, BITACTOR_OK },               { 111, 1, 1, BITACTOR_UNSUPPORTED },
		{ 120, 4, 1, BITACTOR_CORRUPT },          { 120, 4, 2, BITACTOR_CORRUPT },
		{ 124, 4, 1, BITACTOR_CORRUPT },          { 64, 8, 7, BITACTOR_OK },
		{ 112, 8, 7, BITACTOR_OK },               { 24, 4, 128 * 8, BITACTOR_OK },
		{ 24, 4, 65536 * 8, BITACTOR_OK },
	};
	SCENARIO("the header reader trusts nothing") {
		GIVEN("a good header, sealed");
		WHEN("each bit of it is flipped; and fields are changed and the CRC made right");
		THEN("every flip is CORRUPT with a reason; each lie gets the answer it deserves");
		open_worker(8);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		uint8_t good[BITACTOR_HEADER_BYTES], bad[BITACTOR_HEADER_BYTES];
		bitactor_segment_header_t header;
		memcpy(good, probe.kept.segment[0], sizeof good);
		for (uint32_t bit = 0; bit < sizeof good * 8; bit++) {
			const char *reason = NULL;
			memcpy(bad, good, sizeof bad);
			bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
			CHECK_EQ(bitactor_segment_header_read(bad, &header, &reason),
			         BITACTOR_CORRUPT);
			CHECK(reason != NULL && strlen(reason) > 8);
			CHECK_EQ(bitactor_segment_header_read(bad, &header, NULL),
			         BITACTOR_CORRUPT);
		}
		for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
			const char *reason = NULL;
			memcpy(bad, good, sizeof bad);
			memcpy(bad + changes[i].at, &changes[i].value, changes[i].bytes);
			header_sign(bad);
			bitactor_status_t status =
			        bitactor_segment_header_read(bad, &header, &reason);
			if (status != changes[i].status)
				printf("  change %zu\n", i);
			CHECK_EQ(status, changes[i].status);
			CHECK_EQ(reason == NULL, status == BITACTOR_OK);
		}
		CHECK_EQ(bitactor_segment_header_read(NULL, &header, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_segment_header_read(good, NULL, NULL), BITACTOR_ERROR);
		probe_close(&probe);
	}
}

enum { CRAFTED_NONCE = 12345 };

/* Give the record at `offset` the check that belongs to it. */
static void
record_sign(uint8_t *segment, uint32_t offset)
{
	uint8_t *at = segment + offset;
	uint8_t  number[4] = { (uint8_t)(offset / 32), (uint8_t)(offset / 32 >> 8), 0, 0 };
	uint32_t state = crc_raw(CRAFTED_NONCE, number, 4);
	memset(at + 28, 0, 4);
	state = ~crc_raw(state, at, 32u + 32u * at[6]);
	memcpy(at + 28, &state, 4);
}

typedef struct craft {
	uint16_t kind;
	uint8_t  ext, flags;
	uint32_t cause;
	uint64_t payload;
	int      set;  /* this byte of the record is then set to 1; -1: none */
	bool     sign;
	bitactor_status_t status;
} craft_t;

static const craft_t crafts[] = {
	{ 5, 0, 64, 0, 0, -1, true, BITACTOR_OK },
	{ 5, 0, 64, 0, 0, -1, false, BITACTOR_BUSY },      /* open */
	{ 5, 0, 0, 0, 1, -1, true, BITACTOR_CORRUPT },     /* not written */
	{ 5, 0, 64 + 4, 0, 0, -1, true, BITACTOR_CORRUPT },
	{ 5, 0, 64 + 1, 0, 0, -1, true, BITACTOR_CORRUPT }, /* FIELDS missing */
	{ 5, 1, 64 + 1, 0, 0, -1, true, BITACTOR_OK },
	{ 5, 1, 64 + 1, 0, 0, 32 + 25, true, BITACTOR_OK }, /* a priority */
	{ 5, 1, 64 + 1, 0, 0, 32 + 26, true, BITACTOR_CORRUPT },
	{ 5, 1, 64 + 1, 0, 0, 32 + 31, true, BITACTOR_CORRUPT },
	{ 5, 1, 64, 0, 0, -1, true, BITACTOR_CORRUPT },     /* a slot too many */
	{ 5, 0, 64, UINT32_MAX, 0, -1, true, BITACTOR_CORRUPT }, /* CAUSE missing */
	{ 5, 1, 64, UINT32_MAX, 0, -1, true, BITACTOR_OK },
	{ 5, 1, 64, UINT32_MAX, 0, 32 + 8, true, BITACTOR_CORRUPT },
	{ 5, 2, 64 + 1, UINT32_MAX, 0, 64, true, BITACTOR_OK },
	{ 5, 1, 64 + 1, UINT32_MAX, 0, -1, true, BITACTOR_CORRUPT },
	{ 0xFF00, 0, 64, 0, 7, -1, true, BITACTOR_OK },
	{ 0xFF1B, 0, 64, 0, 7, -1, true, BITACTOR_CORRUPT }, /* not assigned */
	{ 0xFF84, 0, 64, 0, 7, -1, true, BITACTOR_CORRUPT },
	{ 0xFF07, 0, 64, 0, 7, -1, true, BITACTOR_CORRUPT }, /* REJECT's own slot */
	{ 0xFF07, 1, 64, 0, 7, -1, true, BITACTOR_OK },
	{ 0xFF81, 2, 64, 0, 7, -1, true, BITACTOR_CORRUPT },
	{ 0xFF16, 0, 64, 0, 0, -1, true, BITACTOR_CORRUPT }, /* DATA without any */
	{ 0xFF16, 1, 64, 0, 32, -1, true, BITACTOR_OK },
	{ 0xFF16, 1, 64, 0, 33, -1, true, BITACTOR_CORRUPT },
	{ 0xFF16, 1, 64, 0, 1, -1, true, BITACTOR_OK },
	{ 0xFF16, 1, 64, 0, 0, -1, true, BITACTOR_CORRUPT },
	{ 0xFF16, 2, 64, 0, 32, -1, true, BITACTOR_CORRUPT },
	{ 0xFF16, 2, 64, 0, UINT64_MAX, -1, true, BITACTOR_CORRUPT },
	{ 0xFFFF, 0, 64, 0, 0, -1, true, BITACTOR_OK },      /* PAD */
	{ 0xFFFF, 27, 64, 0, 0, -1, true, BITACTOR_OK },
	{ 0xFFFF, 28, 64, 0, 0, -1, true, BITACTOR_CORRUPT }, /* over the chunk's end */
	{ 0xFFFF, 255, 64, 0, 0, -1, true, BITACTOR_CORRUPT },
	{ 0xFFFF, 0, 64, 0, 1, -1, true, BITACTOR_CORRUPT },
	{ 0xFFFF, 0, 64, 0, 0, 24, true, BITACTOR_CORRUPT },
	{ 0xFFFF, 3, 64, 0, 0, 100, true, BITACTOR_CORRUPT },
	{ 0, 0, 0, 0, 0, -1, false, BITACTOR_EMPTY },
};

static void
test_record_reader(void)
{
	SCENARIO("the record reader trusts nothing, not even a check that matches") {
		GIVEN("records that lie in every way, most with the right check");
		WHEN("they are read, deep and not");
		THEN("each gets the answer it deserves, with a reason when CORRUPT");
		static uint8_t segment[16384];
		for (size_t i = 0; i < sizeof crafts / sizeof *crafts; i++) {
			const craft_t *craft = &crafts[i];
			uint8_t *at = segment + 128;
			bitactor_record_t record;
			const char *reason = NULL;
			memset(segment, 0, sizeof segment);
			memcpy(at + 4, &craft->kind, 2);
			at[6] = craft->ext;
			at[7] = craft->flags;
			memcpy(at + 12, &craft->cause, 4);
			memcpy(at + 16, &craft->payload, 8);
			if (craft->set >= 0)
				at[craft->set] = 1;
			if (craft->sign)
				record_sign(segment, 128);
			bitactor_status_t status = bitactor_record_read(
			        segment, CRAFTED_NONCE, 128, sizeof segment, true, &record,
			        &reason);
			if (status != craft->status)
				printf("  craft %zu: %s\n", i, reason != NULL ? reason : "");
			CHECK_EQ(status, craft->status);
			CHECK_EQ(reason != NULL, status == BITACTOR_CORRUPT);
			CHECK_EQ(bitactor_record_read(segment, CRAFTED_NONCE, 128, sizeof segment,
			                              false, &record, NULL),
			         craft->status);
			if (status != BITACTOR_OK)
				continue;
			at[9] ^= 1; /* the actor */
			CHECK_EQ(bitactor_record_read(segment, CRAFTED_NONCE, 128, sizeof segment,
			                              true, &record, NULL),
			         BITACTOR_CORRUPT);
			CHECK_EQ(bitactor_record_read(segment, CRAFTED_NONCE, 128, sizeof segment,
			                              false, &record, NULL),
			         craft->kind == 0xFFFF ? BITACTOR_CORRUPT : BITACTOR_OK);
		}
	}
}

static void
test_record_reader_bounds(void)
{
	SCENARIO("the record reader stays inside") {
		GIVEN("places and limits that cannot be");
		WHEN("a record is asked for there");
		THEN("ERROR, EMPTY at the end, CORRUPT when it is cut off");
		static uint8_t segment[BITACTOR_SEGMENT_BYTES];
		bitactor_record_t record;
		const char *reason = NULL;
		const struct {
			uint32_t offset, limit;
			bitactor_status_t status;
		} places[] = {
			{ 0, 65536, BITACTOR_ERROR },     { 96, 65536, BITACTOR_ERROR },
			{ 129, 65536, BITACTOR_ERROR },   { 128, 65537, BITACTOR_ERROR },
			{ 65536, 65536, BITACTOR_EMPTY }, { 160, 128, BITACTOR_EMPTY },
			{ 128, 128, BITACTOR_EMPTY },     { 128, 159, BITACTOR_CORRUPT },
			{ 128, 160, BITACTOR_CORRUPT },   { 128, 191, BITACTOR_CORRUPT },
			{ 128, 192, BITACTOR_OK },
			{ UINT32_MAX - 31, 65536, BITACTOR_EMPTY },
		};
		segment[132] = 5; /* a signal of kind 5 with FIELDS */
		segment[134] = 1;
		segment[135] = 65;
		record_sign(segment, 128);
		for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
			bitactor_status_t status = bitactor_record_read(
			        segment, CRAFTED_NONCE, places[i].offset, places[i].limit, true,
			        &record, &reason);
			if (status != places[i].status)
				printf("  place %zu\n", i);
			CHECK_EQ(status, places[i].status);
		}
		CHECK_EQ(bitactor_record_read(NULL, 0, 128, 192, true, &record, &reason),
		         BITACTOR_ERROR);
		CHECK_EQ(bitactor_record_read(segment, 0, 128, 192, true, NULL, &reason),
		         BITACTOR_ERROR);
	}
}

static void
test_readers_survive(uint64_t *random)
{
	SCENARIO("readers survive anything") {
		GIVEN("random bytes, dense with almost-records, in blocks of exactly their length");
		WHEN("headers and records are read everywhere in them");
		THEN("every answer is one of the four, none reads beyond, and records advance");
		uint64_t rounds = probe_scale(20000);
		unsigned bad = 0;
		for (uint64_t round = 0; round < rounds; round++) {
			uint32_t limit = 128 + (uint32_t)(probe_random(random) % 2000);
			uint8_t *bytes = malloc(limit);
			CHECK(bytes != NULL);
			probe_random_bytes(random, bytes, limit);
			for (uint32_t at = 128; at + 32 <= limit; at += 32) {
				uint64_t chance = probe_random(random);
				if (chance % 4 != 0)
					bytes[at + 6] = (uint8_t)(chance >> 8 & 3);
				bytes[at + 7] = (uint8_t)(64 | (chance >> 16 & 0xFB));
				if (chance % 3 == 0)
					memset(bytes + at + 24, 0, 8);
			}
			bitactor_segment_header_t header;
			bad += bitactor_segment_header_read(bytes, &header, NULL) !=
			       BITACTOR_CORRUPT;
			for (uint32_t at = 128; at < limit; at += 32) {
				bitactor_record_t record;
				bitactor_status_t status = bitactor_record_read(
				        bytes, 1, at, limit, round % 2 == 0, &record, NULL);
				bad += status != BITACTOR_OK && status != BITACTOR_EMPTY &&
				       status != BITACTOR_BUSY && status != BITACTOR_CORRUPT;
				bad += status == BITACTOR_OK && record.bytes > limit - at;
			}
			free(bytes);
		}
		CHECK_EQ(bad, 0);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv), random = seed;
	test_vectors(&random);
	test_kind_names();
	test_small_trace(8);
	test_small_trace(45);
	test_effects();
	test_effects_do_not_cancel();
	test_touched();
	test_fields();
	for (uint64_t i = 0; i < probe_scale(STEPS) / STEPS + 1; i++) {
		test_long_trace(seed + 2 * i, true);
		test_long_trace(seed + 2 * i + 1, false);
	}
	test_same_bytes(seed);
	test_uuid();
	test_far_cause();
	test_far_cause_of_a_dispatch();
	test_overrun_records();
	test_notes(&random);
	test_sink_failure();
	test_last_gasp();
	test_ring();
	test_no_recorder();
	test_check_names_the_place();
	test_header_reader();
	test_record_reader();
	test_record_reader_bounds();
	test_readers_survive(&random);
	return bdd_close();
}
