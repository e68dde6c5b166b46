/* SPDX-License-Identifier: Apache-2.0 */
/* engine_probe.h -- a real engine, and a world around it that does as it is told.
 *
 *      probe_config(&probe);            defaults; change probe.config as needed
 *      probe_counter(&probe, hz);       a counter that moves when told to
 *      probe_clock(&probe);             a clock likewise
 *      probe_sink(&probe);              keeps the trace, finds gaps in it
 *      probe_open(&probe);              probe.engine
 *      probe_close(&probe);
 *
 * Blocks lie on an odd multiple of 64 bytes: what the header asks for and no
 * better.  Nothing in here stands for a part of the engine.
 */
#ifndef BITACTOR_TESTS_ENGINE_PROBE_H
#define BITACTOR_TESTS_ENGINE_PROBE_H

#include <bitactor/bitactor.h>
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/bitactor_telemetry.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bdd.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PROBE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PROBE_SANITIZED 1
#endif
#endif
#ifndef PROBE_SANITIZED
#define PROBE_SANITIZED 0
#endif

/* ---- sizes and chance ------------------------------------------------ */

/* `n` times BA_SCALE (1), at least 1; a tenth of it under sanitizers. */
static inline uint64_t
probe_scale(uint64_t n)
{
	const char *text = getenv("BA_SCALE");
	double scale = text != NULL ? strtod(text, NULL) : 1.0;
	if (PROBE_SANITIZED)
		scale /= 10;
	double scaled = (double)n * (scale > 0 ? scale : 1.0);
	return scaled < 1 ? 1 : (uint64_t)scaled;
}

static inline uint64_t
probe_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static inline void
probe_random_bytes(uint64_t *state, void *bytes, size_t byte_count)
{
	for (uint8_t *at = bytes; byte_count > 0; byte_count--)
		*at++ = (uint8_t)probe_random(state);
}

/* --seed N, else the time; printed before anything else. */
static inline uint64_t
probe_seed(int argc, char **argv)
{
	struct timespec now = { 0, 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
	printf("seed=%" PRIu64 "\n", seed);
	return seed;
}

/* ---- memory ---------------------------------------------------------- */

/* Aligned to 64 and to nothing more, and fenced on both sides. */
static inline void *
probe_block_take(size_t bytes)
{
	uint8_t *memory = aligned_alloc(4096, (bytes + 128 + 4095) / 4096 * 4096);
	if (memory == NULL) {
		perror("engine_probe: no memory");
		exit(1);
	}
	memset(memory, 0xA5, bytes + 128); /* nothing may depend on a block of zeros */
	return memory + 64;
}

static inline void
probe_block_give(void *block, size_t bytes)
{
	const uint8_t *at = block;
	unsigned hurt = 0;
	for (size_t i = 1; i <= 64; i++)
		hurt += at[-(ptrdiff_t)i] != 0xA5 || at[bytes + i - 1] != 0xA5;
	CHECK_EQ(hurt, 0);
	free((uint8_t *)block - 64);
}

/* ---- the sink -------------------------------------------------------- */

enum { PROBE_SEGMENTS = 1024 };

typedef struct probe_sink {
	uint8_t *segment[PROBE_SEGMENTS]; /* reassembled from what was handed over */
	uint32_t have[PROBE_SEGMENTS];
	bool     sealed[PROBE_SEGMENTS];
	uint64_t segments;                /* begun */
	uint64_t calls, wrong;            /* wrong: a gap, an overlap, a changed byte */
	uint64_t good_calls;              /* then it fails */
} probe_sink_t;

/* The bytes so far are still what they were when they were handed over. */
static inline bool
probe_sink_agrees(const probe_sink_t *sink, uint64_t segment, const uint8_t *bytes)
{
	uint32_t have = sink->have[segment];
	return have <= BITACTOR_HEADER_BYTES ||
	       memcmp(sink->segment[segment] + BITACTOR_HEADER_BYTES,
	              bytes + BITACTOR_HEADER_BYTES, have - BITACTOR_HEADER_BYTES) == 0;
}

static inline bitactor_status_t
probe_sink_take(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from,
                uint32_t to, bool sealed)
{
	probe_sink_t *sink = context;
	if (sink->calls++ >= sink->good_calls)
		return BITACTOR_ERROR;
	bool next  = segment == sink->segments;
	bool first = next && (segment == 0 || sink->sealed[segment - 1]);
	if (segment >= PROBE_SEGMENTS || !(first || segment + 1 == sink->segments)) {
		sink->wrong++;
		return BITACTOR_OK;
	}
	if (first) {
		sink->segments++;
		sink->segment[segment] = calloc(1, BITACTOR_SEGMENT_BYTES);
		if (sink->segment[segment] == NULL)
			exit(1);
	}
	sink->wrong += from != sink->have[segment] || to < from || to > BITACTOR_SEGMENT_BYTES ||
	               sink->sealed[segment] || (sealed && to != BITACTOR_SEGMENT_BYTES) ||
	               !probe_sink_agrees(sink, segment, bytes);
	memcpy(sink->segment[segment] + from, bytes + from, to - from);
	if (sealed)
		memcpy(sink->segment[segment], bytes, BITACTOR_HEADER_BYTES);
	sink->have[segment]   = to;
	sink->sealed[segment] = sealed;
	return BITACTOR_OK;
}

/* ---- the probe ------------------------------------------------------- */

typedef struct probe {
	bitactor_config_t  config;
	bitactor_engine_t *engine;
	void  *block, *stacks;
	size_t block_bytes;
	uint64_t counts, counts_step; /* the counter; each reading moves it by the step */
	uint64_t now_ns;              /* the clock */
	bitactor_counter_t counter;
	bitactor_host_t    host;
	bitactor_sink_t    sink;
	probe_sink_t       kept;
} probe_t;

static inline uint64_t
probe_counts(void *context)
{
	probe_t *probe = context;
	return probe->counts += probe->counts_step;
}

static inline uint64_t
probe_now(void *context)
{
	return ((probe_t *)context)->now_ns;
}

static inline void
probe_config(probe_t *probe)
{
	memset(probe, 0, sizeof *probe);
	bitactor_config_default(&probe->config);
}

static inline void
probe_counter(probe_t *probe, uint64_t hz)
{
	probe->counter = (bitactor_counter_t){ .context = probe, .read = probe_counts, .hz = hz };
	probe->config.counter = &probe->counter;
}

static inline void
probe_clock(probe_t *probe)
{
	probe->host.context = probe;
	probe->host.now_ns  = probe_now;
	probe->config.host  = &probe->host;
}

static inline void
probe_sink(probe_t *probe)
{
	probe->sink = (bitactor_sink_t){ .context = &probe->kept, .take = probe_sink_take };
	probe->kept.good_calls = UINT64_MAX;
	probe->config.sink     = &probe->sink;
}

static inline void
probe_open(probe_t *probe)
{
	probe->block_bytes = bitactor_engine_bytes(&probe->config);
	probe->block = probe_block_take(probe->block_bytes);
	if (bitactor_engine_init(probe->block, probe->block_bytes, &probe->config,
	                         &probe->engine) != BITACTOR_OK) {
		fprintf(stderr, "engine_probe: no engine\n");
		exit(1);
	}
	if (probe->config.fibers == 0)
		return;
	size_t bytes  = bitactor_fibers_bytes(&probe->config);
	probe->stacks = aligned_alloc(4096, bytes);
	bitactor_status_t status = bitactor_fibers_init(probe->engine, probe->stacks, bytes);
	if (status != BITACTOR_OK) {
		printf("fibers: %s\n", bitactor_status_text(status));
		exit(status == BITACTOR_UNSUPPORTED ? 77 : 1);
	}
}

static inline void
probe_close(probe_t *probe)
{
	CHECK_EQ(bitactor_destroy(probe->engine), BITACTOR_OK);
	CHECK_EQ(probe->kept.wrong, 0);
	for (uint64_t i = 0; i < probe->kept.segments; i++)
		free(probe->kept.segment[i]);
	free(probe->stacks);
	probe_block_give(probe->block, probe->block_bytes);
}

/* ---- what every test asks -------------------------------------------- */

static inline bitactor_stats_t
probe_stats(const bitactor_engine_t *engine)
{
	bitactor_stats_t stats = { .offered = 0 };
	CHECK_EQ(bitactor_stats(engine, &stats), BITACTOR_OK);
	CHECK_EQ(stats.offered, stats.accepted + stats.refused);
	CHECK_EQ(stats.accepted,
	         stats.dispatched + stats.rejected + stats.dropped + stats.queued);
	return stats;
}

/* Turns of at most `max` until nothing waits; what they did. */
static inline uint64_t
probe_drain(bitactor_engine_t *engine, uint64_t max)
{
	uint64_t done = 0, all = 0;
	while (bitactor_drain(engine, max, &done) == BITACTOR_OK)
		all += done;
	return all;
}

static inline void
probe_send(bitactor_engine_t *engine, uint16_t kind, uint64_t payload)
{
	bitactor_signal_t signal = { .kind = kind, .payload = payload };
	CHECK_EQ(bitactor_enqueue(engine, &signal), BITACTOR_OK);
}

/* ---- a handler that keeps what it sees ------------------------------- */

enum { PROBE_SEEN = 8192 };

typedef struct probe_seen {
	uint32_t          count;
	bitactor_signal_t at[PROBE_SEEN];
} probe_seen_t;

static inline bitactor_status_t
probe_see(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	probe_seen_t *seen = state;
	(void)turn;
	if (seen->count < PROBE_SEEN)
		seen->at[seen->count] = *signal;
	seen->count++;
	return BITACTOR_OK;
}

#endif
