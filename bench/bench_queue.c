/* SPDX-License-Identifier: Apache-2.0 */
/* bench_queue.c -- the shared queue from one processor to another.
 *
 *      first processor                        last processor
 *      producer x 1, 2, 4, 8   -> queue ->    drain 256
 *
 * A pass lasts from the moment the producers may begin until the last signal has
 * been handled.  Most of it is the time that a cache line takes from one core to
 * the other, and a virtual machine's cores move: the same binary has shown 63 and
 * 270 ns within minutes.  So a bare line is bounced just before each pass and
 * its round trip printed beside the row; rows with different ones do not compare.
 */
#include "harness.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	PRODUCERS_MOST = 8,
	QUEUE_BATCH    = 32,
	SPINS          = 32, /* then the processor is given to another producer */
	BOUNCES_MOST   = 1000
};

typedef struct queue_side queue_side_t;

typedef struct queue_run {
	const ba_cycles_t *clock;
	const uint16_t    *kinds;
	bench_engine_t     engine;
	int      producers;
	uint64_t batch; /* QUEUE_BATCH, or 1 */
	bool     recorded;
	uint64_t start;   /* number of a pass's first signal, and its place in `kinds` */
	uint64_t bounces; /* of the line, before a pass */
	_Atomic int ready;
	_Atomic int go;
} queue_run_t;

/* A producer's share of a pass. */
struct queue_side {
	queue_run_t *run;
	pthread_t    thread;
	uint64_t     first, signals;
};

static void
relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* ---- the line between the two ------------------------------------------------------------- */

static _Alignas(BA_APART) _Atomic uint64_t line;
static _Alignas(BA_APART) _Atomic int      line_stop;

static void *
line_answer(void *argument)
{
	(void)argument;
	/* relaxed: a request to end, nothing comes with it */
	while (atomic_load_explicit(&line_stop, memory_order_relaxed) == 0) {
		/* acquire, release: the other half of line_bounce */
		uint64_t seen = atomic_load_explicit(&line, memory_order_acquire);
		if (seen % 2 == 1)
			atomic_store_explicit(&line, seen + 1, memory_order_release);
	}
	return NULL;
}

static int
queue_by_counts(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* Median round trip in ns; 0 if there was no second thread to be had. */
static double
line_bounce(void *argument)
{
	const queue_run_t *run = argument;
	uint64_t  samples[BOUNCES_MOST];
	pthread_t other;

	/* relaxed: the thread is created after it */
	atomic_store_explicit(&line_stop, 0, memory_order_relaxed);
	atomic_store_explicit(&line, 0, memory_order_relaxed);
	if (!bench_thread(&other, 0, line_answer, NULL))
		return 0;
	for (uint64_t i = 0; i < run->bounces; i++) {
		uint64_t began = bench_counts(run->clock);
		/* release, acquire: the other half of line_answer */
		atomic_store_explicit(&line, 2 * i + 1, memory_order_release);
		while (atomic_load_explicit(&line, memory_order_acquire) != 2 * i + 2)
			continue;
		samples[i] = bench_counts(run->clock) - began;
	}
	/* relaxed: as in line_answer */
	atomic_store_explicit(&line_stop, 1, memory_order_relaxed);
	(void)pthread_join(other, NULL);
	qsort(samples, run->bounces, sizeof *samples, queue_by_counts);
	return bench_ns(run->clock, (double)samples[run->bounces / 2]);
}

/* ---- a pass ---------------------------------------------------------------------------------- */

/* Hand over `count` signals, however long the queue is full. */
static void
push(queue_run_t *run, const bitactor_signal_t *signals, uint64_t count)
{
	for (int spins = 0;; spins++) {
		bitactor_status_t status =
		        count == 1
		                ? bitactor_enqueue(run->engine.engine, signals)
		                : bitactor_enqueue_many(run->engine.engine, signals, count, NULL);
		if (status == BITACTOR_OK)
			return;
		relax();
		if (spins % SPINS == SPINS - 1)
			(void)sched_yield();
	}
}

static void *
produce(void *argument)
{
	queue_side_t     *side = argument;
	queue_run_t      *run  = side->run;
	bitactor_signal_t signals[QUEUE_BATCH];

	/* release: pairs with the acquire in pass_queue; acquire: with its release */
	(void)atomic_fetch_add_explicit(&run->ready, 1, memory_order_release);
	while (atomic_load_explicit(&run->go, memory_order_acquire) == 0)
		(void)sched_yield();
	for (uint64_t done = 0; done < side->signals; done += run->batch) {
		for (uint64_t i = 0; i < run->batch; i++) {
			uint64_t payload = side->first + done + i;
			bench_compose(&signals[i], run->kinds[payload % BENCH_RANDOM_KINDS],
			              payload, 0);
		}
		push(run, signals, run->batch);
	}
	return NULL;
}

static void
consume(queue_run_t *run, uint64_t signals)
{
	while (signals > 0) {
		uint64_t done = 0;
		(void)bitactor_drain(run->engine.engine, BENCH_BATCH, &done);
		signals -= done;
		for (int i = 0; i < 4 && done == 0; i++)
			relax();
	}
}

static uint64_t
pass_queue(void *argument, uint64_t operations)
{
	queue_run_t *run = argument;
	queue_side_t sides[PRODUCERS_MOST];
	uint64_t     share   = operations / (uint64_t)run->producers;
	int          started = 0;

	/* relaxed: the threads are created after it */
	atomic_store_explicit(&run->ready, 0, memory_order_relaxed);
	atomic_store_explicit(&run->go, 0, memory_order_relaxed);
	for (; started < run->producers; started++) {
		sides[started] = (queue_side_t){ .run     = run,
			                         .first   = run->start +
			                                    (uint64_t)started * share,
			                         .signals = share };
		if (!bench_thread(&sides[started].thread, 0, produce, &sides[started]))
			break; /* the proof will miss its signals */
	}
	/* acquire: pairs with the release in produce */
	while (atomic_load_explicit(&run->ready, memory_order_acquire) != started)
		relax();

	uint64_t began = bench_counts(run->clock);
	/* release: pairs with the acquire in produce */
	atomic_store_explicit(&run->go, 1, memory_order_release);
	consume(run, (uint64_t)started * share);
	uint64_t spent = bench_counts(run->clock) - began;

	for (int i = 0; i < started; i++)
		(void)pthread_join(sides[i].thread, NULL);
	uint64_t end = run->start + share * (uint64_t)run->producers;
	for (uint64_t i = run->start; i < end; i++)
		run->engine.expected += i + bench_salt(run->kinds[i % BENCH_RANDOM_KINDS]);
	run->engine.sent += end - run->start;
	run->start = end; /* the next pass goes on in the table */
	return spent;
}

static bench_proof_t
prove_queue(void *argument, uint64_t passes)
{
	(void)passes;
	const queue_run_t *run = argument;
	return bench_engine_proof(&run->engine, run->recorded);
}

/* ---- the rows -------------------------------------------------------------------------------- */

enum { WAYS_IN = 4, CROWDS = 4, QUEUE_ROWS = WAYS_IN * CROWDS * 2 };

/* By batch or one, with and without recorder; of 1, 2, 4, 8 producers. */
static const char *const queue_names[WAYS_IN][CROWDS] = {
	{ "1 producer, batches of 32", "2 producers, batches of 32",
	  "4 producers, batches of 32", "8 producers, batches of 32" },
	{ "1 producer, one by one", "2 producers, one by one", "4 producers, one by one",
	  "8 producers, one by one" },
	{ "1 producer, by 32, 32 B record", "2 producers, by 32, 32 B record",
	  "4 producers, by 32, 32 B record", "8 producers, by 32, 32 B record" },
	{ "1 producer, by 1, 32 B record", "2 producers, by 1, 32 B record",
	  "4 producers, by 1, 32 B record", "8 producers, by 1, 32 B record" },
};

static bool
queue_open(bench_t *bench, queue_run_t *run, int way, int crowd, const uint16_t *kinds)
{
	bitactor_config_t config;
	bitactor_config_default(&config);
	config.segments = way >= 2 ? 2 : 0;

	memset(run, 0, sizeof *run);
	run->clock     = &bench->clock;
	run->kinds     = kinds;
	run->producers = 1 << crowd;
	run->batch     = way % 2 == 0 ? QUEUE_BATCH : 1;
	run->recorded  = config.segments > 0;
	run->bounces   = bench->plan.events < BOUNCES_MOST ? bench->plan.events : BOUNCES_MOST;
	return bench_engine_open(bench, &run->engine, &config);
}

void
bench_queue(bench_t *bench)
{
	static queue_run_t       runs[QUEUE_ROWS];
	static bench_contender_t contenders[QUEUE_ROWS];
	const char *group = "first processor to last, capacity 1024";

	if (bench_cpus() < 2) {
		bench_skip(bench, group, "it takes two processors");
		return;
	}
	uint16_t *kinds = bench_kinds(bench);
	int       count = 0;
	memset(runs, 0, sizeof runs);
	for (int i = 0; i < QUEUE_ROWS && kinds != NULL; i++) {
		bool random = i / CROWDS % 2 == 1;
		int  way = i / CROWDS / 2, crowd = i % CROWDS;
		if (!queue_open(bench, &runs[i], way, crowd,
		                kinds + (random ? BENCH_RANDOM_KINDS : 0)))
			break;
		contenders[count++] = (bench_contender_t){
			.name       = queue_names[way][crowd],
			.kinds      = random ? "random" : "hot",
			.unit       = "signal",
			.subject    = &runs[i],
			.operations = bench->plan.operations >= 1024 ? bench->plan.operations / 4
			                                             : bench->plan.operations,
			.pass       = pass_queue,
			.prove      = prove_queue,
			.beside     = line_bounce,
		};
	}
	if (!bench->failed)
		bench_measure(bench, group, contenders, count, false);
	for (int i = 0; i < QUEUE_ROWS; i++)
		bench_engine_close(&runs[i].engine);
	free(kinds);
}
