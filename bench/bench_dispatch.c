/* SPDX-License-Identifier: Apache-2.0 */
/* bench_dispatch.c -- from composing a signal to its handler's return, one thread.
 *
 *      floor        compose -> call                             no engine at all
 *      batches      compose 256 -> enqueue_many -> drain        recorder off
 *      one by one   compose -> enqueue -> drain, or tick        recorder off
 *      recorded     the same with records of 32 or 64 bytes, hashed inline
 *      no hash      the same with the hash left out, by a look inside
 *      timed        BITACTOR_TIME_EACH
 *
 * Each row twice: always the same kind, and 2^20 random kinds drawn beforehand,
 * too many for a branch predictor to learn.  Composing is part of every figure.
 * All rows are interleaved, so all of them may be compared.
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

/* A way to bring signals in, on an engine of its own. */
typedef struct dispatch {
	const ba_cycles_t *clock;
	const uint16_t    *kinds; /* BENCH_RANDOM_KINDS of them */
	bench_engine_t     engine;
	bitactor_signal_t *signals; /* BENCH_BATCH */
	uint64_t start;   /* number of a pass's first signal, and its place in `kinds` */
	uint64_t fields;  /* mask of bench_compose */
	bool     no_hash;
	bool     recorded;
} dispatch_t;

/* What every pass ends with; the sums are taken outside the timed part. */
static void
dispatch_sent(dispatch_t *subject, uint64_t signals)
{
	uint64_t end = subject->start + signals;
	for (uint64_t i = subject->start; i < end; i++)
		subject->engine.expected += i + bench_salt(subject->kinds[i % BENCH_RANDOM_KINDS]);
	subject->engine.sent += signals;
	subject->start = end; /* the next pass goes on in the table */
}

static void
dispatch_compose(dispatch_t *subject, uint64_t first)
{
	const uint16_t *kinds = subject->kinds + first % BENCH_RANDOM_KINDS;
	for (uint64_t i = 0; i < BENCH_BATCH; i++)
		bench_compose(&subject->signals[i], kinds[i], first + i, subject->fields);
}

static void
dispatch_drain(dispatch_t *subject)
{
	uint64_t done = 0;
	(void)bitactor_drain(subject->engine.engine, BENCH_BATCH, &done);
	if (subject->no_hash)
		subject->engine.engine->recorder.hash_left = 0; /* nothing is due */
}

/* ---- the floors --------------------------------------------------------------------- */

static uint64_t
pass_floor_one(void *argument, uint64_t operations)
{
	dispatch_t        *subject = argument;
	bitactor_turn_t    turn    = { .result = 0 };
	bitactor_signal_t *signal  = subject->signals;
	uint64_t           end     = subject->start + operations;

	uint64_t began = bench_counts(subject->clock);
	for (uint64_t i = subject->start; i < end; i++) {
		uint16_t kind = subject->kinds[i % BENCH_RANDOM_KINDS];
		bench_compose(signal, kind, i, subject->fields);
		__asm__ volatile("" : : "r"(signal) : "memory"); /* it is stored, then read */
		(void)bench_handlers[signal->kind](&turn, signal,
		                                   &subject->engine.cells[signal->kind]);
	}
	uint64_t spent = bench_counts(subject->clock) - began;
	dispatch_sent(subject, operations);
	return spent;
}

static uint64_t
pass_floor_batch(void *argument, uint64_t operations)
{
	dispatch_t     *subject = argument;
	bitactor_turn_t turn    = { .result = 0 };
	uint64_t        end     = subject->start + operations;

	uint64_t began = bench_counts(subject->clock);
	for (uint64_t first = subject->start; first < end; first += BENCH_BATCH) {
		dispatch_compose(subject, first);
		for (uint64_t i = 0; i < BENCH_BATCH; i++) {
			bitactor_signal_t *signal = &subject->signals[i];
			(void)bench_handlers[signal->kind](&turn, signal,
			                                   &subject->engine.cells[signal->kind]);
		}
	}
	uint64_t spent = bench_counts(subject->clock) - began;
	dispatch_sent(subject, operations);
	return spent;
}

/* ---- through the engine ------------------------------------------------------------------ */

static uint64_t
pass_many(void *argument, uint64_t operations)
{
	dispatch_t *subject = argument;
	uint64_t    end     = subject->start + operations;
	uint64_t    began   = bench_counts(subject->clock);
	for (uint64_t first = subject->start; first < end; first += BENCH_BATCH) {
		dispatch_compose(subject, first);
		(void)bitactor_enqueue_many(subject->engine.engine, subject->signals, BENCH_BATCH,
		                            NULL);
		dispatch_drain(subject);
	}
	uint64_t spent = bench_counts(subject->clock) - began;
	dispatch_sent(subject, operations);
	return spent;
}

static uint64_t
pass_enqueue(void *argument, uint64_t operations)
{
	dispatch_t *subject = argument;
	uint64_t    end     = subject->start + operations;
	uint64_t    began   = bench_counts(subject->clock);
	for (uint64_t first = subject->start; first < end; first += BENCH_BATCH) {
		const uint16_t *kinds = subject->kinds + first % BENCH_RANDOM_KINDS;
		for (uint64_t i = 0; i < BENCH_BATCH; i++) {
			bitactor_signal_t signal;
			bench_compose(&signal, kinds[i], first + i, subject->fields);
			(void)bitactor_enqueue(subject->engine.engine, &signal);
		}
		dispatch_drain(subject);
	}
	uint64_t spent = bench_counts(subject->clock) - began;
	dispatch_sent(subject, operations);
	return spent;
}

static uint64_t
pass_one_by_one(void *argument, uint64_t operations)
{
	dispatch_t *subject = argument;
	uint64_t    end     = subject->start + operations;
	uint64_t    began   = bench_counts(subject->clock);
	for (uint64_t i = subject->start; i < end; i++) {
		bitactor_signal_t signal;
		bench_compose(&signal, subject->kinds[i % BENCH_RANDOM_KINDS], i, subject->fields);
		(void)bitactor_enqueue(subject->engine.engine, &signal);
		(void)bitactor_drain(subject->engine.engine, 1, NULL);
	}
	uint64_t spent = bench_counts(subject->clock) - began;
	dispatch_sent(subject, operations);
	return spent;
}

static uint64_t
pass_tick(void *argument, uint64_t operations)
{
	dispatch_t *subject = argument;
	uint64_t    end     = subject->start + operations;
	uint64_t    began   = bench_counts(subject->clock);
	for (uint64_t i = subject->start; i < end; i++) {
		bitactor_signal_t signal;
		bench_compose(&signal, subject->kinds[i % BENCH_RANDOM_KINDS], i, subject->fields);
		(void)bitactor_tick(subject->engine.engine, &signal, NULL);
	}
	uint64_t spent = bench_counts(subject->clock) - began;
	dispatch_sent(subject, operations);
	return spent;
}

/* ---- proofs -------------------------------------------------------------------------------- */

/* No engine counted: only the handlers' sums are there. */
static bench_proof_t
prove_floor(void *argument, uint64_t passes)
{
	(void)passes;
	const dispatch_t *subject = argument;
	uint64_t sum = 0;
	for (int kind = 0; kind < BENCH_KINDS; kind++)
		sum += subject->engine.cells[kind].sum;
	return (bench_proof_t){ .got = sum, .expected = subject->engine.expected };
}

static bench_proof_t
prove_engine(void *argument, uint64_t passes)
{
	(void)passes;
	const dispatch_t *subject = argument;
	/* without the hash the roots are wrong, as they must be */
	return bench_engine_proof(&subject->engine, subject->recorded && !subject->no_hash);
}

/* ---- the rows ------------------------------------------------------------------------------- */

static const struct dispatch_way {
	const char *name;
	uint64_t  (*pass)(void *subject, uint64_t operations);
	uint32_t    segments;
	bool        fields, no_hash, each;
} dispatch_ways[] = {
	{ "floor: fill one slot, call", pass_floor_one, 0, false, false, false },
	{ "floor: fill 256, call 256", pass_floor_batch, 0, false, false, false },
	{ "batches of 256", pass_many, 0, false, false, false },
	{ "batches of 256 (A against A)", pass_many, 0, false, false, false },
	{ "256 enqueued singly, drained", pass_enqueue, 0, false, false, false },
	{ "enqueue 1, drain 1", pass_one_by_one, 0, false, false, false },
	{ "tick", pass_tick, 0, false, false, false },
	{ "32 B record, no hash", pass_many, 2, false, true, false },
	{ "32 B record", pass_many, 2, false, false, false },
	{ "64 B record, no hash", pass_many, 2, true, true, false },
	{ "64 B record", pass_many, 2, true, false, false },
	{ "32 B record, enqueued singly", pass_enqueue, 2, false, false, false },
	{ "32 B record, enqueue 1, drain 1", pass_one_by_one, 2, false, false, false },
	{ "32 B record, tick", pass_tick, 2, false, false, false },
	{ "timed each", pass_many, 0, false, false, true },
	{ "timed each, 32 B record, no hash", pass_many, 2, false, true, true },
	{ "timed each, 32 B record", pass_many, 2, false, false, true },
	{ "timed each, 64 B record", pass_many, 2, true, false, true },
};

enum { WAYS = sizeof dispatch_ways / sizeof *dispatch_ways };

static bool
dispatch_open(bench_t *bench, dispatch_t *subject, const struct dispatch_way *way,
              const uint16_t *kinds)
{
	bitactor_config_t config;
	bitactor_config_default(&config);
	config.segments = way->segments;
	config.flags    = way->each ? BITACTOR_TIME_EACH : 0;

	*subject = (dispatch_t){ .clock    = &bench->clock,
		                 .kinds    = kinds,
		                 .fields   = way->fields ? UINT64_MAX : 0,
		                 .no_hash  = way->no_hash,
		                 .recorded = way->segments > 0 };
	subject->signals = bench_memory(bench, BENCH_BATCH * sizeof *subject->signals);
	return subject->signals != NULL && bench_engine_open(bench, &subject->engine, &config);
}

void
bench_dispatch(bench_t *bench)
{
	static dispatch_t        subjects[2 * WAYS];
	static bench_contender_t contenders[2 * WAYS];
	uint16_t *kinds = bench_kinds(bench);
	int       count = 0;

	memset(subjects, 0, sizeof subjects);
	for (int i = 0; i < 2 * WAYS && kinds != NULL; i++) {
		const struct dispatch_way *way = &dispatch_ways[i % WAYS];
		bool floor = way->pass == pass_floor_one || way->pass == pass_floor_batch;
		if (!dispatch_open(bench, &subjects[i], way, i < WAYS ? kinds
		                                                      : kinds + BENCH_RANDOM_KINDS))
			break;
		contenders[count++] = (bench_contender_t){
			.name       = way->name,
			.kinds      = i < WAYS ? "hot" : "random",
			.unit       = "signal",
			.subject    = &subjects[i],
			.operations = bench->plan.operations,
			.pass       = way->pass,
			.prove      = floor ? prove_floor : prove_engine,
		};
	}
	if (!bench->failed)
		bench_measure(bench, "one thread, signals of 48 bytes, cells of 64 bytes",
		              contenders, count, true);
	for (int i = 0; i < 2 * WAYS; i++) {
		bench_engine_close(&subjects[i].engine);
		free(subjects[i].signals);
	}
	free(kinds);
}
