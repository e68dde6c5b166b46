/* SPDX-License-Identifier: Apache-2.0 */
/* 04_recorder.c -- the flight recorder by itself: a ring, a sink, roots, a head.
 *
 *      records --> segment 0 | segment 1 | ...   64 KiB each
 *                     |BLAKE3     ^
 *                     +-----------+ header of the next: prev_root
 *      head = BLAKE3 of the last one
 *
 * Keeps every segment that the engine hands on, checks the engine's own ring, and
 * then does what an auditor would: hashes the segments and follows the chain.
 * With a clock that is counted and not read, a second engine given the same
 * signals makes the same bytes, so it has the same head.
 */
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/bitactor_telemetry.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 1, SIGNALS = 10000, SEGMENTS_MOST = 16 };

/* ---- the two doors of this program: who keeps the records, what time it is ---------- */

typedef struct kept {
	uint8_t  bytes[SEGMENTS_MOST][BITACTOR_SEGMENT_BYTES];
	uint64_t sealed; /* segments that are complete */
} kept_t;

static bitactor_status_t
take(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from, uint32_t to, bool sealed)
{
	kept_t *kept = context;
	if (segment >= SEGMENTS_MOST)
		return BITACTOR_FULL; /* remembered: drain answers BITACTOR_IO from now on */
	if (sealed) { /* its header has changed, too */
		memcpy(kept->bytes[segment], bytes, BITACTOR_SEGMENT_BYTES);
		kept->sealed = segment + 1;
	} else {
		memcpy(kept->bytes[segment] + from, bytes + from, to - from);
	}
	return BITACTOR_OK;
}

static uint64_t
count_turns(void *context)
{
	uint64_t *turns = context;
	return ++*turns * 1000000; /* a millisecond a turn */
}

/* ---- a run --------------------------------------------------------------------------- */

static bitactor_status_t
on_step(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *sum = state;
	*sum += signal->payload ^ bitactor_random(turn);
	bitactor_turn_result(turn, *sum);
	return BITACTOR_OK;
}

/* Signals, turns, the ring's own check; then the trace is closed. */
static bool
play(bitactor_engine_t *engine, uint8_t head[BITACTOR_DIGEST_BYTES])
{
	uint64_t                 sum     = 0;
	const bitactor_handler_t handler = { .fn = on_step, .kind = STEP, .state = &sum,
		                             .state_bytes = sizeof sum };
	if (bitactor_register_handler(engine, &handler) != BITACTOR_OK)
		return false;
	for (uint64_t i = 0; i < SIGNALS; i++) {
		bitactor_signal_t signal = { .kind = STEP, .payload = i };
		while (bitactor_enqueue(engine, &signal) == BITACTOR_FULL)
			if (bitactor_drain(engine, 256, NULL) != BITACTOR_OK)
				return false;
	}
	while (bitactor_drain(engine, 256, NULL) == BITACTOR_OK)
		continue;
	return bitactor_telemetry_check(engine, NULL, NULL) == BITACTOR_OK &&
	       bitactor_telemetry_close(engine, head) == BITACTOR_OK;
}

static bool
record(kept_t *kept, uint8_t head[BITACTOR_DIGEST_BYTES])
{
	uint64_t              turns = 0;
	const bitactor_sink_t sink  = { .context = kept, .take = take };
	const bitactor_host_t host  = { .context = &turns, .now_ns = count_turns };
	bitactor_config_t     config;
	bitactor_config_default(&config);
	config.flags = BITACTOR_VIRTUAL; /* no record of what was measured */
	config.seed  = 42;
	config.sink  = &sink;
	config.host  = &host;

	size_t             bytes = bitactor_engine_bytes(&config);
	void              *block = aligned_alloc(64, (bytes + 63) / 64 * 64);
	bitactor_engine_t *engine;
	if (block == NULL || bitactor_engine_init(block, bytes, &config, &engine) != BITACTOR_OK)
		return false;
	bool done = play(engine, head);
	(void)bitactor_destroy(engine);
	free(block);
	return done;
}

/* ---- the auditor: nothing of the engine's but BLAKE3 and the header's layout -------- */

/* The first segment whose root is not the one that follows; `sealed` if all are. */
static uint64_t
first_broken(const kept_t *kept, const uint8_t head[BITACTOR_DIGEST_BYTES])
{
	for (uint64_t i = 0; i < kept->sealed; i++) {
		uint8_t                   root[BITACTOR_DIGEST_BYTES];
		bitactor_segment_header_t next;
		const uint8_t            *expected = head;
		bitactor_blake3(kept->bytes[i], BITACTOR_SEGMENT_BYTES, root);
		if (i + 1 < kept->sealed) {
			if (bitactor_segment_header_read(kept->bytes[i + 1], &next, NULL) !=
			    BITACTOR_OK)
				return i + 1;
			expected = next.prev_root;
		}
		if (!bitactor_digest_equal(root, expected))
			return i;
	}
	return kept->sealed;
}

int
main(void)
{
	static kept_t first, second;
	uint8_t       head[BITACTOR_DIGEST_BYTES], head_again[BITACTOR_DIGEST_BYTES];

	if (!record(&first, head) || !record(&second, head_again))
		return 1;
	printf("%llu segments, head ", (unsigned long long)first.sealed);
	for (int i = 0; i < BITACTOR_DIGEST_BYTES; i++)
		printf("%02x", head[i]);
	bool chained = first_broken(&first, head) == first.sealed;
	bool same    = bitactor_digest_equal(head, head_again) &&
	            memcmp(first.bytes, second.bytes, sizeof first.bytes) == 0;

	first.bytes[2][4711] ^= 1; /* one bit */
	bool found = first_broken(&first, head) == 2;
	printf("\nchain %s, a second run %s, a flipped bit %s\n", chained ? "good" : "BROKEN",
	       same ? "makes the same bytes" : "DIFFERS", found ? "is found" : "GOES UNSEEN");
	return chained && same && found ? 0 : 1;
}
