/* SPDX-License-Identifier: Apache-2.0 */
/* harness.h -- what the cases of the benchmark share.
 *
 *      contender     A    B    C     one thing to measure: a pass, and a proof
 *      warm-up       A    B    C     dropped
 *      pass 1        A    B    C     each pass times itself, in counts
 *      pass 2        C    B    A     there and back, so that a drift of the
 *      ...                           machine hits all of them alike
 *      rows          median, p10 and p90 of the passes of each, and its proof
 *
 * All contenders of one bench_measure call are interleaved, so they may be
 * compared; rows of two calls may not.  Nothing is subtracted from a figure: the
 * empty loop and the hand-written floor are rows of their own.
 *
 * A proof is a number that the work leaves behind beside the one that it had to
 * leave: a pass that skipped, lost or invented work shows.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bitactor/src/internal/engine.h"

/* How much work; tests use a tiny one. */
typedef struct bench_plan {
	uint32_t passes;     /* that count, 1..BENCH_MAX_PASSES; one more warms up   */
	uint64_t operations; /* a pass, of the fast rows; multiple of BENCH_BATCH     */
	uint64_t events;     /* timed by themselves, for distributions, at least 4    */
} bench_plan_t;

enum {
	BENCH_MAX_PASSES = 31,
	BENCH_MAX_ROWS   = 160,
	BENCH_BATCH      = 256, /* signals handed over and drained at a time */
	BENCH_KINDS      = 256,
	BENCH_RANDOM_KINDS = 1 << 20 /* drawn beforehand: too many for a predictor to learn */
};

typedef struct bench_proof {
	uint64_t got, expected;
} bench_proof_t;

/* One thing to measure. */
typedef struct bench_contender {
	const char *name;
	const char *kinds;   /* "hot", "random", or "" where there are none */
	const char *unit;    /* what one operation is                       */
	void       *subject;
	uint64_t    operations; /* in a pass */
	uint64_t  (*pass)(void *subject, uint64_t operations); /* returns the counts it took */
	bench_proof_t (*prove)(void *subject, uint64_t passes); /* after all, warm-up included */
	double (*beside)(void *subject); /* ns of what was measured beside it; NULL: nothing */
} bench_contender_t;

typedef struct bench_row {
	const char *case_name, *group, *name, *kinds, *unit;
	bool        is_events; /* p50, p99, max of single events; else p10, p50, p90 of passes */
	uint64_t    operations; /* in a pass; of events: how many */
	double      p10, p50, p90, p99, max; /* counts an operation */
	double      floor;     /* p50 over the group's floor of these kinds; 0: no floor */
	double      beside_ns; /* 0: nothing was measured beside it */
	bench_proof_t proof;
	const char *skipped;   /* why there is no figure; NULL: there is one */
} bench_row_t;

typedef struct bench {
	bench_plan_t plan;
	ba_cycles_t  clock;
	const char  *case_name;
	double       share;      /* of its processor that the measuring thread got, 0..1 */
	bool         failed;     /* something could not be set up */
	int          row_count;
	bench_row_t  rows[BENCH_MAX_ROWS];
} bench_t;

typedef struct bench_case {
	const char *name, *text;
	void (*run)(bench_t *bench);
} bench_case_t;

extern const bench_case_t bench_cases[];
extern const int          bench_case_count;

void bench_dispatch(bench_t *bench);
void bench_queue(bench_t *bench);
void bench_telemetry(bench_t *bench);
void bench_fiber(bench_t *bench);
void bench_clock(bench_t *bench);

/* Calibrate the counter, look at the processors; the plan is the caller's to set. */
void bench_begin(bench_t *bench);

/* Measure `count` contenders, interleaved, as one group of rows.  The first one
 * of the same kinds is the floor of the others if `floor`. */
void bench_measure(bench_t *bench, const char *group, const bench_contender_t *contenders,
                   int count, bool floor);

/* A row of `count` single events, `samples` in counts; sorts them. */
void bench_events(bench_t *bench, const char *group, const char *name, const char *unit,
                  uint64_t *samples, uint64_t count, bench_proof_t proof);

/* A group that this machine or build cannot measure. */
void bench_skip(bench_t *bench, const char *group, const char *why);

/* Memory for a case, zeroed, aligned to 4096; NULL and `failed` when there is none. */
void *bench_memory(bench_t *bench, size_t bytes);

/* Keep this thread on the nth processor, from 0, of those that the process had
 * when bench_begin was called; false where there are not so many. */
bool bench_pin(int nth);
void bench_unpin(void);
/* Start a thread there; false where it cannot be had. */
bool bench_thread(pthread_t *thread, int nth, void *(*run)(void *), void *argument);
int  bench_cpus(void); /* how many there are */

static inline uint64_t
bench_counts(const ba_cycles_t *clock)
{
	return ba_cycles_read(clock);
}

static inline double
bench_ns(const ba_cycles_t *clock, double counts)
{
	return counts * 1e9 / (double)clock->hz;
}

/* splitmix64 (S. Vigna): the same kinds on each run. */
static inline uint64_t
bench_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* ---- handlers.c ---------------------------------------------------------------- */

/* What a handler works on: one cache line, all of it in the effect digest. */
typedef struct bench_cell {
	uint64_t sum;
	uint64_t unused[7];
} bench_cell_t;

/* 256 functions of their own, in a file of their own: not to be inlined, nor told
 * apart by their kind alone.  Handler k adds payload + bench_salt(k). */
extern const bitactor_handler_fn bench_handlers[BENCH_KINDS];

static inline uint64_t
bench_salt(uint64_t kind)
{
	return kind * 2 + 1;
}

/* Two tables of BENCH_RANDOM_KINDS, one behind the other: always the same kind, and
 * random ones, the same in each run.  NULL and `failed` without memory. */
uint16_t *bench_kinds(bench_t *bench);

/* ---- an engine to measure --------------------------------------------------------- */

typedef struct bench_engine {
	bitactor_engine_t *engine;
	void              *block;    /* that it lies in                       */
	bench_cell_t      *cells;
	uint64_t           sent;     /* signals that the engine took          */
	uint64_t           expected; /* sum of all cells after those signals  */
} bench_engine_t;

/* An engine with the 256 handlers bound to cells that are digested. */
bool bench_engine_open(bench_t *bench, bench_engine_t *subject, const bitactor_config_t *config);

/* Sum of all cells, signals dispatched, and the recorder's own check. */
bench_proof_t bench_engine_proof(const bench_engine_t *subject, bool check_ring);

void bench_engine_close(bench_engine_t *subject);

/* Compose a signal.  `fields`: 0, or all ones to fill in what a 32-byte record
 * has no room for; a mask, so that both cost the same. */
static inline __attribute__((always_inline)) void
bench_compose(bitactor_signal_t *signal, uint16_t kind, uint64_t payload, uint64_t fields)
{
	*signal = (bitactor_signal_t){
		.id        = (uint32_t)(payload & fields),
		.kind      = kind,
		.payload   = payload,
		.context   = 7 & fields,
		.timestamp = payload & fields,
	};
}

#endif
