/* SPDX-License-Identifier: Apache-2.0 */
/* bench.c -- the table of cases, and how a contender becomes a row.
 *
 *      bench_run       options -> cases -> rows -> printed
 *      bench_measure   contenders -> interleaved passes -> quantiles and proof
 *
 * One thread measures, pinned to the last processor it may use (the first one gets
 * the machine's interrupts more often, and the producers of `queue`).  A
 * row whose proof is wrong is printed as such and makes the exit code 1.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "report.h"

const bench_case_t bench_cases[] = {
	{ "dispatch", "a signal from its composition to its handler's return, on one thread",
	  bench_dispatch },
	{ "queue", "from 1, 2, 4, 8 producers on one processor to the engine on another",
	  bench_queue },
	{ "telemetry", "a record, its checks, its hash, and the pauses for hashing",
	  bench_telemetry },
	{ "fiber", "a bare switch; yield and await through the engine", bench_fiber },
	{ "clock", "reading the machine's clocks", bench_clock },
};
const int bench_case_count = (int)(sizeof bench_cases / sizeof *bench_cases);

/* ---- the machine ------------------------------------------------------------------ */

/* What this process may use, as bench_begin found it. */
static cpu_set_t allowed;

int
bench_cpus(void)
{
	return CPU_COUNT(&allowed);
}

static bool
nth_processor(int nth, cpu_set_t *one)
{
	CPU_ZERO(one);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth-- > 0)
			continue;
		CPU_SET(cpu, one);
		return true;
	}
	return false;
}

bool
bench_pin(int nth)
{
	cpu_set_t one;
	return nth_processor(nth, &one) && sched_setaffinity(0, sizeof one, &one) == 0;
}

/* It must not begin where its creator is: that one waits for it without a pause,
 * and a real-time scheduler would never let it run. */
bool
bench_thread(pthread_t *thread, int nth, void *(*run)(void *), void *argument)
{
	cpu_set_t      one;
	pthread_attr_t attributes;
	if (!nth_processor(nth, &one) || pthread_attr_init(&attributes) != 0)
		return false;
	bool began = pthread_attr_setaffinity_np(&attributes, sizeof one, &one) == 0 &&
	             pthread_create(thread, &attributes, run, argument) == 0;
	(void)pthread_attr_destroy(&attributes);
	return began;
}

void
bench_unpin(void)
{
	(void)sched_setaffinity(0, sizeof allowed, &allowed);
}

void
bench_begin(bench_t *bench)
{
	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
		CPU_SET(0, &allowed);
	ba_cycles_calibrate(&bench->clock);
	/* 20 ms: 1 ppm; the engine's own millisecond is good for 20 */
	uint64_t hz = ba_cycles_measure_hz(20000000);
	if (bench->clock.usable && hz != 0)
		bench->clock.hz = ba_cycles_choose_hz(ba_cycles_stated_hz(), hz);
	bench->row_count = 0;
	bench->share     = 1;
	bench->failed    = false;
}

void *
bench_memory(bench_t *bench, size_t bytes)
{
	size_t whole  = (bytes + 4095) / 4096 * 4096;
	void  *memory = aligned_alloc(4096, whole);
	if (memory == NULL)
		bench->failed = true;
	else
		memset(memory, 0, whole); /* touched now, not in the first pass */
	return memory;
}

/* ---- rows ------------------------------------------------------------------------ */

static bench_row_t *
row_add(bench_t *bench, const char *group, const char *name, const char *kinds,
        const char *unit)
{
	BA_ASSERT(bench->row_count < BENCH_MAX_ROWS);
	bench_row_t *row = &bench->rows[bench->row_count++];
	*row = (bench_row_t){ .case_name = bench->case_name,
		              .group     = group,
		              .name      = name,
		              .kinds     = kinds,
		              .unit      = unit };
	return row;
}

void
bench_skip(bench_t *bench, const char *group, const char *why)
{
	row_add(bench, group, "not measured", "", "")->skipped = why;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int
by_counts(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The value that a share of all do not exceed; nearest rank. */
static uint64_t
rank_of(uint64_t count, double share)
{
	return (uint64_t)((double)(count - 1) * share + 0.5);
}

void
bench_events(bench_t *bench, const char *group, const char *name, const char *unit,
             uint64_t *samples, uint64_t count, bench_proof_t proof)
{
	bench_row_t *row = row_add(bench, group, name, "", unit);
	row->is_events  = true;
	row->operations = count;
	row->proof      = proof;
	if (count == 0) {
		row->skipped = "no event was seen";
		bench->failed = true;
		return;
	}
	qsort(samples, count, sizeof *samples, by_counts);
	row->p10 = (double)samples[rank_of(count, 0.10)];
	row->p50 = (double)samples[rank_of(count, 0.50)];
	row->p90 = (double)samples[rank_of(count, 0.90)];
	row->p99 = (double)samples[rank_of(count, 0.99)];
	row->max = (double)samples[count - 1];
}

/* ---- measuring --------------------------------------------------------------------- */

/* Of each contender, what each pass took and what was beside it. */
static double spent[BENCH_MAX_ROWS][BENCH_MAX_PASSES];
static double beside[BENCH_MAX_ROWS][BENCH_MAX_PASSES];

static void
pass_one(const bench_contender_t *contender, int number, int pass)
{
	double ns = contender->beside != NULL ? contender->beside(contender->subject) : 0;
	uint64_t counts = contender->pass(contender->subject, contender->operations);
	if (pass < 0)
		return; /* warmed up */
	spent[number][pass]  = (double)counts / (double)contender->operations;
	beside[number][pass] = ns;
}

static void
interleave(const bench_contender_t *contenders, int count, int passes)
{
	for (int pass = -1; pass < passes; pass++) {
		for (int i = 0; i < count; i++) {
			int number = pass % 2 == 0 ? i : count - 1 - i;
			pass_one(&contenders[number], number, pass);
		}
	}
}

static const bench_row_t *
floor_of(const bench_row_t *first, const bench_row_t *row)
{
	while (first != row && strcmp(first->kinds, row->kinds) != 0)
		first++;
	return first;
}

void
bench_measure(bench_t *bench, const char *group, const bench_contender_t *contenders, int count,
              bool floor)
{
	int passes = (int)bench->plan.passes;
	BA_ASSERT(passes >= 1);
	BA_ASSERT(passes <= BENCH_MAX_PASSES);
	BA_ASSERT(count <= BENCH_MAX_ROWS);
	interleave(contenders, count, passes);

	const bench_row_t *first = &bench->rows[bench->row_count];
	for (int i = 0; i < count; i++) {
		const bench_contender_t *contender = &contenders[i];
		bench_row_t *row = row_add(bench, group, contender->name, contender->kinds,
		                           contender->unit);
		qsort(spent[i], (size_t)passes, sizeof **spent, by_size);
		qsort(beside[i], (size_t)passes, sizeof **beside, by_size);
		row->operations = contender->operations;
		row->p10        = spent[i][rank_of((uint64_t)passes, 0.10)];
		row->p50        = spent[i][rank_of((uint64_t)passes, 0.50)];
		row->p90        = spent[i][rank_of((uint64_t)passes, 0.90)];
		row->max        = spent[i][passes - 1];
		row->beside_ns  = beside[i][rank_of((uint64_t)passes, 0.50)];
		row->floor      = floor ? row->p50 / floor_of(first, row)->p50 : 0;
		row->proof      = contender->prove(contender->subject, (uint64_t)passes + 1);
	}
}

/* ---- an engine to measure ------------------------------------------------------------ */

bool
bench_engine_open(bench_t *bench, bench_engine_t *subject, const bitactor_config_t *config)
{
	size_t bytes = bitactor_engine_bytes(config);
	void  *block = bench_memory(bench, bytes);

	*subject = (bench_engine_t){ .block = block };
	subject->cells = bench_memory(bench, BENCH_KINDS * sizeof *subject->cells);
	bitactor_status_t status = BITACTOR_ERROR;
	if (block != NULL && subject->cells != NULL)
		status = bitactor_engine_init(block, bytes, config, &subject->engine);
	for (uint16_t kind = 0; kind < BENCH_KINDS && status == BITACTOR_OK; kind++) {
		bitactor_handler_t handler = { .kind        = kind,
			                       .fn          = bench_handlers[kind],
			                       .state       = &subject->cells[kind],
			                       .state_bytes = sizeof *subject->cells };
		status = bitactor_register_handler(subject->engine, &handler);
	}
	if (status == BITACTOR_OK)
		return true;
	bench_engine_close(subject);
	bench->failed = true;
	return false;
}

void
bench_engine_close(bench_engine_t *subject)
{
	if (subject->engine != NULL)
		(void)bitactor_destroy(subject->engine);
	free(subject->block);
	free(subject->cells);
	*subject = (bench_engine_t){ .engine = NULL };
}

bench_proof_t
bench_engine_proof(const bench_engine_t *subject, bool check_ring)
{
	const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15); /* keeps the parts apart */
	bitactor_stats_t stats;
	uint64_t sum = 0, segment = 0;
	uint32_t offset = 0;

	for (int kind = 0; kind < BENCH_KINDS; kind++)
		sum += subject->cells[kind].sum;
	if (bitactor_stats(subject->engine, &stats) != BITACTOR_OK)
		sum = ~subject->expected;
	if (check_ring &&
	    bitactor_telemetry_check(subject->engine, &segment, &offset) != BITACTOR_OK)
		sum = ~subject->expected;
	return (bench_proof_t){ .got      = sum + stats.dispatched * odd,
		                .expected = subject->expected + subject->sent * odd };
}

uint16_t *
bench_kinds(bench_t *bench)
{
	uint16_t *kinds = bench_memory(bench, 2 * BENCH_RANDOM_KINDS * sizeof *kinds);
	uint64_t  state = 1;
	for (int i = 0; kinds != NULL && i < BENCH_RANDOM_KINDS; i++) {
		kinds[i]                      = 42;
		kinds[BENCH_RANDOM_KINDS + i] = (uint16_t)(bench_random(&state) % BENCH_KINDS);
	}
	return kinds;
}

/* ---- running -------------------------------------------------------------------------- */

static const bench_case_t *
case_named(const char *name)
{
	for (int i = 0; i < bench_case_count; i++) {
		if (strcmp(bench_cases[i].name, name) == 0)
			return &bench_cases[i];
	}
	return NULL;
}

static bool
is_wanted(const bench_options_t *options, const bench_case_t *wanted)
{
	for (int i = 0; i < options->case_count; i++) {
		if (case_named(options->cases[i]) == wanted)
			return true;
	}
	return options->case_count == 0;
}

static bool
names_are_known(const bench_options_t *options)
{
	bool known = true;
	for (int i = 0; i < options->case_count; i++) {
		if (case_named(options->cases[i]) != NULL)
			continue;
		fprintf(stderr, "bitactor bench: there is no case '%s'; there are:\n",
		        options->cases[i]);
		known = false;
		break;
	}
	for (int i = 0; i < bench_case_count && !known; i++)
		fprintf(stderr, "  %-10s %s\n", bench_cases[i].name, bench_cases[i].text);
	return known;
}

static bool
all_good(const bench_t *bench)
{
	for (int i = 0; i < bench->row_count; i++) {
		if (bench->rows[i].proof.got != bench->rows[i].proof.expected)
			return false;
	}
	return !bench->failed;
}

static void
cases_run(bench_t *bench, const bench_options_t *options)
{
	uint64_t began = ba_clock_read_ns(CLOCK_MONOTONIC);
	uint64_t used  = ba_clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
	for (int i = 0; i < bench_case_count; i++) {
		if (!is_wanted(options, &bench_cases[i]))
			continue;
		fprintf(stderr, "bench: %s\n", bench_cases[i].name);
		bench->case_name = bench_cases[i].name;
		bench_cases[i].run(bench);
	}
	used  = ba_clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - used;
	began = ba_clock_read_ns(CLOCK_MONOTONIC) - began;
	bench->share = began > 0 ? (double)used / (double)began : 1;
}

int
bench_run(const bench_options_t *options)
{
	static bench_t bench; /* 24 KiB: not for a stack */
	if (!names_are_known(options))
		return 2;
	if (options->list) {
		bench_report_list(stdout, options->json);
		return 0;
	}
	/* Many short passes, not a few long ones: on a busy machine some of them are
	 * then left alone, and p10 shows what those took. */
	bench.plan = (bench_plan_t){ .passes = 31, .operations = 1 << 18, .events = 4000 };
	if (options->quick)
		bench.plan = (bench_plan_t){ .passes = 11, .operations = 1 << 14, .events = 400 };
	bench_begin(&bench);
	bool pinned = bench_pin(bench_cpus() - 1);
	cases_run(&bench, options);
	bench_report(&bench, pinned, options->json, stdout);
	bench_unpin();
	return all_good(&bench) ? 0 : 1;
}
