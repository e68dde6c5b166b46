/* SPDX-License-Identifier: Apache-2.0 */
/* bench_clock.c -- what it costs to ask what time it is.
 *
 *      one after the other    now, now, now             as many as fit
 *      from one to the next   now - last, now - last    what timing each dispatch pays
 *
 * The proof counts the readings and those that did not go back; the empty loop
 * is printed, not taken off.
 */
#include "harness.h"

#include <time.h>

typedef struct clock_use {
	const ba_cycles_t *clock;
	uint64_t read, forward; /* readings, and those not smaller than the last */
} clock_use_t;

/* A pass around an expression that reads a clock.  Each sort of reading gets a
 * loop of its own, so that nothing but the reading is in it. */
#define CLOCK_PASS(name, reading)                                                      \
	static uint64_t name(void *argument, uint64_t operations)                      \
	{                                                                              \
		clock_use_t *use  = argument;                                          \
		uint64_t     last = 0, forward = 0;                                    \
		uint64_t     began = bench_counts(use->clock);                         \
		for (uint64_t i = 0; i < operations; i++) {                            \
			uint64_t now = (reading);                                      \
			__asm__ volatile("" : "+r"(now));                              \
			forward += now >= last;                                        \
			last = now;                                                    \
		}                                                                      \
		uint64_t spent = bench_counts(use->clock) - began;                     \
		use->read += operations;                                               \
		use->forward += forward;                                               \
		return spent;                                                          \
	}

/* Each reading waits for the arithmetic on the one before, as in time_one. */
static uint64_t
pass_from_one_to_next(void *argument, uint64_t operations)
{
	clock_use_t *use   = argument;
	uint64_t     began = bench_counts(use->clock);
	uint64_t     last  = began, longest = 0, forward = 0;
	for (uint64_t i = 0; i < operations; i++) {
		uint64_t now = bench_counts(use->clock);
		uint64_t span = now - last;
		forward += now >= last;
		longest = span > longest ? span : longest;
		last    = now;
		__asm__ volatile("" : "+r"(longest));
	}
	uint64_t spent = bench_counts(use->clock) - began;
	use->read += operations;
	use->forward += forward;
	return spent;
}

#if defined(__x86_64__)
static uint64_t
ordered_tsc(void)
{
	__asm__ volatile("lfence" : : : "memory");
	return __builtin_ia32_rdtsc();
}

static uint64_t
tscp(void)
{
	unsigned processor;
	return __builtin_ia32_rdtscp(&processor);
}

CLOCK_PASS(pass_ordered, ordered_tsc())
CLOCK_PASS(pass_tscp, tscp())
#endif
CLOCK_PASS(pass_empty, i)
CLOCK_PASS(pass_counter, ba_cycles_now())
CLOCK_PASS(pass_monotonic, ba_clock_read_ns(CLOCK_MONOTONIC))
CLOCK_PASS(pass_raw, ba_clock_read_ns(BA_CLOCK_RAW))
#ifdef CLOCK_MONOTONIC_COARSE
CLOCK_PASS(pass_coarse, ba_clock_read_ns(CLOCK_MONOTONIC_COARSE))
#endif

static bench_proof_t
prove_clock(void *argument, uint64_t passes)
{
	(void)passes;
	const clock_use_t *use = argument;
	return (bench_proof_t){ .got = use->forward, .expected = use->read };
}

static const struct clock_way {
	const char *name;
	uint64_t  (*pass)(void *subject, uint64_t operations);
} clock_ways[] = {
	{ "empty loop", pass_empty },
	{ "counter", pass_counter },
	{ "counter, from one to the next", pass_from_one_to_next },
#if defined(__x86_64__)
	{ "lfence; rdtsc", pass_ordered },
	{ "rdtscp", pass_tscp },
#endif
	{ "CLOCK_MONOTONIC", pass_monotonic },
	{ "CLOCK_MONOTONIC_RAW, if there is one", pass_raw },
#ifdef CLOCK_MONOTONIC_COARSE
	{ "CLOCK_MONOTONIC_COARSE", pass_coarse },
#endif
};

enum { CLOCKS = sizeof clock_ways / sizeof *clock_ways };

void
bench_clock(bench_t *bench)
{
	clock_use_t       uses[CLOCKS];
	bench_contender_t contenders[CLOCKS];

	for (int i = 0; i < CLOCKS; i++) {
		uses[i]       = (clock_use_t){ .clock = &bench->clock };
		contenders[i] = (bench_contender_t){
			.name       = clock_ways[i].name,
			.kinds      = "",
			.unit       = "reading",
			.subject    = &uses[i],
			.operations = bench->plan.operations,
			.pass       = clock_ways[i].pass,
			.prove      = prove_clock,
		};
	}
	bench_measure(bench, "a reading", contenders, CLOCKS, false);
}
