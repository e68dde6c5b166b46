/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics.c -- windows against a log of everything, over days.
 *
 * A real engine with a counter that moves as told runs a handler that fails as
 * told.  Beside it the test writes down each sample with what it itself has seen
 * done since the one before (by counting what it asked for, not by reading the
 * engine's totals), and a window must be the sum over those entries whose minute is
 * in it.  The model keeps everything and has no ring; so what a ring forgets too
 * early, or not at all, shows.
 */
#include <bitactor/metrics.h>

#include "../../engine_probe.h"

#define MINUTE_NS UINT64_C(60000000000)

enum { WORK = 1, ENTRIES_MOST = 40000 };

static probe_t            probe;
static bitactor_metrics_t metrics;

static bitactor_status_t
work(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	return signal->payload != 0 ? BITACTOR_ERROR : BITACTOR_OK;
}

static void
open_engine(uint64_t hz)
{
	probe_config(&probe);
	probe_counter(&probe, hz);
	probe_clock(&probe);
	probe.config.segments = 0;
	probe_open(&probe);
	CHECK_EQ(bitactor_register(probe.engine, WORK, work, NULL), BITACTOR_OK);
}

/* One dispatch that takes about `counts`; what it took. */
static uint64_t
do_work(bool fail, uint64_t counts)
{
	bitactor_signal_t signal = { .kind = WORK, .payload = fail };
	bitactor_result_t result;
	probe.counts_step = counts;
	bitactor_status_t status = bitactor_tick(probe.engine, &signal, &result);
	probe.counts_step = 0;
	CHECK_EQ(result.handler, fail ? BITACTOR_ERROR : BITACTOR_OK);
	CHECK(status == result.handler || status == BITACTOR_TICK_EXCEEDED);
	return result.spent_counts;
}

/* ---- the model: everything that was ever sampled ---------------------- */

typedef struct entry {
	uint64_t minute;
	bitactor_metrics_sums_t sums; /* of timed_ns: counts */
	uint64_t used[2], reserved[2];
} entry_t;

static struct model {
	entry_t  entry[ENTRIES_MOST];
	uint64_t count;
	uint64_t said_ns, time_ns;
	uint64_t hz;
} model;

static uint64_t
model_minute(uint64_t now_ns)
{
	uint64_t passed = now_ns >= model.said_ns ? now_ns - model.said_ns : 0;
	return (model.time_ns + passed) / MINUTE_NS;
}

static void
model_use(bitactor_metrics_use_t *use, const entry_t *entry, int pool)
{
	use->used_bytes += entry->used[pool];
	use->reserved_bytes += entry->reserved[pool];
	if (use->most_bytes < entry->used[pool])
		use->most_bytes = entry->used[pool];
}

static bitactor_metrics_window_t
model_window(uint64_t now_ns, uint64_t minutes)
{
	bitactor_metrics_window_t window = { .pool_count = 0 };
	bitactor_metrics_sums_t  *sums   = &window.sums;
	for (uint64_t i = 0; i < model.count; i++) {
		const entry_t *entry = &model.entry[i];
		if (entry->minute + minutes <= model_minute(now_ns))
			continue;
		sums->samples++;
		sums->elapsed_ns += entry->sums.elapsed_ns;
		sums->executed += entry->sums.executed;
		sums->failed += entry->sums.failed;
		sums->timed += entry->sums.timed;
		sums->timed_ns += entry->sums.timed_ns; /* counts still */
		sums->pattern_events += entry->sums.pattern_events;
		sums->clock_backward += entry->sums.clock_backward;
		sums->restarts += entry->sums.restarts;
		model_use(&window.use[0], entry, 0);
		model_use(&window.use[1], entry, 1);
	}
	sums->timed_ns = (uint64_t)((double)sums->timed_ns * 1e9 / (double)model.hz);
	return window;
}

static unsigned wrong;

/* Each difference is said once, the rest is counted. */
static void
same(const char *what, uint64_t actual, uint64_t expected)
{
	if (actual == expected)
		return;
	if (wrong++ == 0)
		printf("%s is %" PRIu64 ", not %" PRIu64 "\n", what, actual, expected);
}

static void
compare_rates(const bitactor_metrics_window_t *window)
{
	const bitactor_metrics_sums_t *sums = &window->sums;
	uint64_t ppm = 0, ps = 0;
	bitactor_status_t status = bitactor_metrics_success_ppm(window, &ppm);
	same("status of success", status, sums->executed > 0 ? BITACTOR_OK : BITACTOR_EMPTY);
	if (status == BITACTOR_OK)
		same("success", ppm,
		     (sums->executed - sums->failed) * 1000000 / sums->executed);
	status = bitactor_metrics_average_ps(window, &ps);
	same("status of average", status, sums->timed > 0 ? BITACTOR_OK : BITACTOR_EMPTY);
	if (status == BITACTOR_OK)
		same("average", ps, sums->timed_ns * 1000 / sums->timed);
	for (uint32_t i = 0; i < window->pool_count; i++) {
		status = bitactor_metrics_memory_ppm(window, i, &ppm);
		same("status of memory", status, BITACTOR_OK);
		same("memory", ppm,
		     window->use[i].used_bytes * 1000000 / window->use[i].reserved_bytes);
	}
}

static void
compare(uint64_t now_ns, uint32_t minutes)
{
	bitactor_metrics_window_t window, expected = model_window(now_ns, minutes);
	bitactor_status_t status = bitactor_metrics_window(&metrics, now_ns, minutes, &window);
	const bitactor_metrics_sums_t *a = &window.sums, *e = &expected.sums;
	same("status", status, e->samples > 0 ? BITACTOR_OK : BITACTOR_EMPTY);
	same("samples", a->samples, e->samples);
	same("elapsed_ns", a->elapsed_ns, e->elapsed_ns);
	same("executed", a->executed, e->executed);
	same("failed", a->failed, e->failed);
	same("timed", a->timed, e->timed);
	same("pattern_events", a->pattern_events, e->pattern_events);
	same("clock_backward", a->clock_backward, e->clock_backward);
	same("restarts", a->restarts, e->restarts);
	if (a->timed_ns + 1 < e->timed_ns || a->timed_ns > e->timed_ns + 1)
		same("timed_ns", a->timed_ns, e->timed_ns);
	for (int i = 0; i < 2; i++) {
		same("used_bytes", window.use[i].used_bytes, expected.use[i].used_bytes);
		same("reserved_bytes", window.use[i].reserved_bytes,
		     expected.use[i].reserved_bytes);
		same("most_bytes", window.use[i].most_bytes, expected.use[i].most_bytes);
	}
	if (status == BITACTOR_OK)
		compare_rates(&window);
}

/* ---- days of it ------------------------------------------------------- */

typedef struct day {
	uint64_t random, now_ns;
	uint64_t timed, timed_counts, patterns, queued; /* totals */
	uint64_t arena_used;
} day_t;

/* Work of a random amount, written down as it is asked for. */
static void
some_work(day_t *day, bitactor_metrics_sums_t *sums)
{
	for (uint64_t n = probe_random(&day->random) % 12; n > 0; n--) {
		bool     fail = probe_random(&day->random) % 8 == 0;
		uint64_t counts = do_work(fail, 1 + probe_random(&day->random) % 100000);
		sums->executed++;
		sums->failed += fail;
		sums->timed++;
		sums->timed_ns += counts;
		day->timed++;
		day->timed_counts += counts;
	}
	if (probe_random(&day->random) % 4 == 0) { /* what waits is worked off, untimed */
		sums->executed += probe_drain(probe.engine, 64);
		day->queued = 0;
	}
	for (uint64_t n = probe_random(&day->random) % 5; n > 0; n--, day->queued++)
		if (day->queued < 1000)
			probe_send(probe.engine, WORK, 0);
		else
			break;
	uint64_t patterns = probe_random(&day->random) % 3;
	sums->pattern_events = patterns;
	day->patterns += patterns;
	day->arena_used = probe_random(&day->random) % 4097;
}

/* Mostly a part of a minute, at times hours, a day and more, or back. */
static void
time_goes_by(day_t *day)
{
	uint64_t chance = probe_random(&day->random) % 1000, step = probe_random(&day->random);
	if (chance < 3)
		day->now_ns += step % (5 * 60 * MINUTE_NS);
	else if (chance == 3)
		day->now_ns += 24 * 60 * MINUTE_NS - MINUTE_NS + step % (2 * MINUTE_NS);
	else if (chance < 10)
		day->now_ns -= step % (chance < 8 ? MINUTE_NS : 30 * 60 * MINUTE_NS);
	else if (chance < 300)
		day->now_ns += step % 1000000000;
	else
		day->now_ns += step % (2 * MINUTE_NS);
}

static void
take_sample(day_t *day, const bitactor_metrics_sums_t *sums)
{
	const bitactor_metrics_pool_t arena = { "arena", day->arena_used, 4096 };
	const bitactor_metrics_given_t given = { .timed          = day->timed,
		                                 .timed_counts   = day->timed_counts,
		                                 .pattern_events = day->patterns,
		                                 .pools          = &arena,
		                                 .pool_count     = 1 };
	same("status of sample", bitactor_metrics_sample(&metrics, probe.engine, day->now_ns,
	                                                 &given), BITACTOR_OK);
	entry_t *entry = &model.entry[model.count];
	bool     back  = day->now_ns < model.said_ns;
	*entry = (entry_t){ .minute = model_minute(day->now_ns) };
	if (model.count > 0) {
		entry->sums = *sums;
		entry->sums.elapsed_ns = back ? 0 : day->now_ns - model.said_ns;
	}
	entry->sums.clock_backward = back;
	entry->used[0]     = day->queued * 64;
	entry->reserved[0] = (1024 + 1024) * 64;
	entry->used[1]     = day->arena_used;
	entry->reserved[1] = 4096;
	model.time_ns += back ? 0 : day->now_ns - model.said_ns;
	model.said_ns = day->now_ns;
	model.count++;
}

static void
test_days(uint64_t seed)
{
	SCENARIO("a window is the sum of what was done in it, for days") {
		GIVEN("an engine at work, sampled at irregular times over three days and more");
		WHEN("the clock leaps hours and days, steps back, and windows of every length are "
		     "asked for, now and later");
		THEN("each figure is that of a log of everything");
		day_t    day = { .random = seed };
		uint64_t samples = probe_scale(10000), begun_ns;
		if (samples > ENTRIES_MOST)
			samples = ENTRIES_MOST;
		day.now_ns = 100 * 1440 * MINUTE_NS + probe_random(&day.random) % (MINUTE_NS << 20);
		begun_ns = day.now_ns;
		wrong    = 0;
		model = (struct model){ .said_ns = day.now_ns, .time_ns = day.now_ns,
			                .hz = 2600000000 + probe_random(&day.random) % 1000 };
		open_engine(model.hz);
		CHECK_EQ(bitactor_metrics_init(&metrics, &probe.config, day.now_ns), BITACTOR_OK);
		for (uint64_t i = 0; i < samples; i++) {
			bitactor_metrics_sums_t sums = { .samples = 1 };
			some_work(&day, &sums);
			take_sample(&day, &sums);
			compare(day.now_ns, 1 + (uint32_t)(probe_random(&day.random) % 1440));
			if (i % 16 == 0) {
				compare(day.now_ns, 1440);
				compare(day.now_ns, 1);
				compare(day.now_ns + probe_random(&day.random) % (1500 * MINUTE_NS),
				        1 + (uint32_t)(probe_random(&day.random) % 1440));
			}
			time_goes_by(&day);
		}
		CHECK_EQ(wrong, 0);
		CHECK(PROBE_SANITIZED || model.time_ns - begun_ns > 3 * 1440 * MINUTE_NS);
		probe_close(&probe);
	}
}

/* ---- one thing at a time ---------------------------------------------- */

static bitactor_metrics_window_t
window_of(uint64_t now_ns, uint32_t minutes, bitactor_status_t status)
{
	bitactor_metrics_window_t window;
	CHECK_EQ(bitactor_metrics_window(&metrics, now_ns, minutes, &window), status);
	return window;
}

static void
sample(uint64_t now_ns)
{
	CHECK_EQ(bitactor_metrics_sample(&metrics, probe.engine, now_ns, NULL), BITACTOR_OK);
}

static void
test_empty(void)
{
	SCENARIO("what nobody looked at is empty, and what did not happen has no rate") {
		GIVEN("an engine that has failed twice before anybody looks");
		WHEN("windows are asked for before a sample, after the first, and a day later");
		THEN("empty; nothing executed and no rate of it; empty again");
		uint64_t ppm = 77, ps = 77;
		open_engine(1000);
		(void)do_work(true, 10);
		(void)do_work(true, 10);
		CHECK_EQ(bitactor_metrics_init(&metrics, &probe.config, 5), BITACTOR_OK);
		bitactor_metrics_window_t window = window_of(5, 1440, BITACTOR_EMPTY);
		CHECK_EQ(bitactor_metrics_success_ppm(&window, &ppm), BITACTOR_EMPTY);
		sample(5);
		window = window_of(5, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.samples, 1);
		CHECK_EQ(window.sums.executed, 0);
		CHECK_EQ(window.sums.failed, 0);
		CHECK_EQ(bitactor_metrics_success_ppm(&window, &ppm), BITACTOR_EMPTY);
		CHECK_EQ(bitactor_metrics_average_ps(&window, &ps), BITACTOR_EMPTY);
		CHECK_EQ(ppm, 77);
		CHECK_EQ(ps, 77);
		CHECK_EQ(window.pool_count, 1);
		CHECK(strcmp(window.pool_name[0], "queue slots") == 0);
		CHECK_EQ(bitactor_metrics_memory_ppm(&window, 0, &ppm), BITACTOR_OK);
		CHECK_EQ(ppm, 0);
		(void)window_of(1439 * MINUTE_NS, 1440, BITACTOR_OK);
		window = window_of(1440 * MINUTE_NS, 1440, BITACTOR_EMPTY);
		CHECK_EQ(window.sums.samples, 0);
		CHECK_EQ(window.pool_count, 0);
		probe_close(&probe);
	}
}

static void
test_ring_reuse(void)
{
	SCENARIO("a lap later the same bucket is another minute") {
		GIVEN("three dispatches in minute 7");
		WHEN("a day later one is made in minute 1447, which has the same bucket");
		THEN("minute 7 is seen until then, and never in a window of minute 1447");
		open_engine(1000);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		sample(0);
		for (int i = 0; i < 3; i++)
			(void)do_work(false, 1);
		sample(7 * MINUTE_NS);
		CHECK_EQ(window_of(7 * MINUTE_NS, 1, BITACTOR_OK).sums.executed, 3);
		CHECK_EQ(window_of(1446 * MINUTE_NS, 1440, BITACTOR_OK).sums.executed, 3);
		(void)window_of(1447 * MINUTE_NS, 1440, BITACTOR_EMPTY);
		(void)do_work(true, 1);
		sample(1447 * MINUTE_NS);
		bitactor_metrics_window_t window = window_of(1447 * MINUTE_NS, 1440, BITACTOR_OK);
		CHECK_EQ(window.sums.executed, 1);
		CHECK_EQ(window.sums.failed, 1);
		CHECK_EQ(window.sums.elapsed_ns, 1440 * MINUTE_NS); /* that work may be so old */
		probe_close(&probe);
	}
}

static void
test_step_back(void)
{
	SCENARIO("a clock that steps back moves nothing and stops nothing") {
		GIVEN("a dispatch in minute 100 of the caller's clock");
		WHEN("the clock steps back to minute 3, and goes on to minute 5 with a second one");
		THEN("both are in one window of three minutes, with two minutes elapsed and one "
		     "step counted; the first ages as time goes by");
		open_engine(1000);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 100 * MINUTE_NS), BITACTOR_OK);
		sample(100 * MINUTE_NS);
		(void)do_work(false, 1);
		sample(100 * MINUTE_NS);
		sample(3 * MINUTE_NS);
		(void)do_work(false, 1);
		sample(5 * MINUTE_NS);
		bitactor_metrics_window_t window = window_of(5 * MINUTE_NS, 3, BITACTOR_OK);
		CHECK_EQ(window.sums.executed, 2);
		CHECK_EQ(window.sums.elapsed_ns, 2 * MINUTE_NS);
		CHECK_EQ(window.sums.clock_backward, 1);
		CHECK_EQ(window_of(5 * MINUTE_NS, 2, BITACTOR_OK).sums.executed, 1);
		CHECK_EQ(window_of(4 * MINUTE_NS, 1, BITACTOR_OK).sums.executed, 1);
		probe_close(&probe);
	}
	SCENARIO("a clock may go to its very end, and again") {
		GIVEN("a sample at the greatest number there is");
		WHEN("the clock goes back to 0 and there again");
		THEN("time stands at its end: nothing wraps");
		open_engine(1000);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		sample(UINT64_MAX);
		sample(0);
		sample(UINT64_MAX);
		bitactor_metrics_window_t window = window_of(UINT64_MAX, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.samples, 3);
		CHECK_EQ(window.sums.elapsed_ns, 0);
		probe_close(&probe);
	}
}

static void
test_restart(void)
{
	SCENARIO("an engine made anew is counted from 0") {
		GIVEN("an engine with five dispatches, two of them sampled work");
		WHEN("it is made anew in its place, with two dispatches, and sampled");
		THEN("four are in the window, and one restart");
		bitactor_metrics_given_t given = { .timed = 9, .timed_counts = 90,
			                           .pattern_events = 4 };
		open_engine(UINT64_C(1000000000));
		for (int i = 0; i < 3; i++)
			(void)do_work(false, 1);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		CHECK_EQ(bitactor_metrics_sample(&metrics, probe.engine, 0, &given), BITACTOR_OK);
		(void)do_work(false, 1);
		(void)do_work(true, 1);
		sample(1);
		probe_close(&probe);
		open_engine(UINT64_C(1000000000));
		(void)do_work(false, 1);
		(void)do_work(false, 1);
		given = (bitactor_metrics_given_t){ .timed = 2, .timed_counts = 5,
			                            .pattern_events = 3 };
		CHECK_EQ(bitactor_metrics_sample(&metrics, probe.engine, 2, &given), BITACTOR_OK);
		bitactor_metrics_window_t window = window_of(2, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.restarts, 1);
		CHECK_EQ(window.sums.executed, 4);
		CHECK_EQ(window.sums.failed, 1);
		CHECK_EQ(window.sums.timed, 2);
		CHECK_EQ(window.sums.timed_ns, 5);
		CHECK_EQ(window.sums.pattern_events, 3);
		given.pattern_events = 1; /* only what is given begins again */
		CHECK_EQ(bitactor_metrics_sample(&metrics, probe.engine, 3, &given), BITACTOR_OK);
		window = window_of(3, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.restarts, 2);
		CHECK_EQ(window.sums.executed, 4);
		CHECK_EQ(window.sums.pattern_events, 4);
		probe_close(&probe);
	}
}

/* Fails until it was called as often as the signal says. */
static bitactor_status_t
work_at_last(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *calls = state;
	(void)turn;
	return ++*calls >= signal->payload ? BITACTOR_OK : BITACTOR_ERROR;
}

static void
test_retries(void)
{
	SCENARIO("a dispatch that is made again is one more, in the whole and in its part") {
		GIVEN("a handler with two retries");
		WHEN("it fails twice and answers OK at the third call");
		THEN("three were executed and two failed: a third of them with success");
		uint64_t calls = 0, ppm = 0;
		open_engine(1000);
		const bitactor_handler_t handler = { .fn = work_at_last, .state = &calls,
			                             .kind = WORK, .retries = 2 };
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		sample(0);
		probe_send(probe.engine, WORK, 3);
		CHECK_EQ(probe_drain(probe.engine, 64), 1);
		sample(1);
		bitactor_metrics_window_t window = window_of(1, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.executed, 3);
		CHECK_EQ(window.sums.failed, 2);
		CHECK_EQ(bitactor_metrics_success_ppm(&window, &ppm), BITACTOR_OK);
		CHECK_EQ(ppm, 333333);
		probe_close(&probe);
	}
}

static void
test_rounding(void)
{
	SCENARIO("thousands of samples round like one") {
		GIVEN("a counter of 3 GHz and a dispatch of one count a sample");
		WHEN("9,000 samples are taken");
		THEN("3,000 ns went by in all, a third of one on average");
		bitactor_metrics_given_t given = { .timed = 0 };
		uint64_t ps = 0;
		open_engine(UINT64_C(3000000000));
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		for (uint64_t i = 0; i <= 9000; i++) {
			given.timed = given.timed_counts = i;
			(void)bitactor_metrics_sample(&metrics, probe.engine, i, &given);
		}
		bitactor_metrics_window_t window = window_of(9000, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.timed_ns, 3000);
		CHECK_EQ(bitactor_metrics_average_ps(&window, &ps), BITACTOR_OK);
		CHECK_EQ(ps, 333);
		probe_close(&probe);
	}
	SCENARIO("without a known frequency there is no average") {
		GIVEN("an engine with a counter of unknown frequency");
		WHEN("counts are given");
		THEN("no dispatch is taken for timed");
		bitactor_metrics_given_t given = { .timed = 0 };
		uint64_t ps = 0;
		open_engine(0);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		sample(0);
		(void)do_work(false, 1);
		given.timed = given.timed_counts = 1;
		CHECK_EQ(bitactor_metrics_sample(&metrics, probe.engine, 1, &given), BITACTOR_OK);
		bitactor_metrics_window_t window = window_of(1, 1, BITACTOR_OK);
		CHECK_EQ(window.sums.executed, 1);
		CHECK_EQ(window.sums.timed, 0);
		CHECK_EQ(bitactor_metrics_average_ps(&window, &ps), BITACTOR_EMPTY);
		probe_close(&probe);
	}
}

static void
test_large_sums(void)
{
	SCENARIO("rates of sums that are near the end of 64 bits") {
		GIVEN("a window with such sums");
		WHEN("its rates are asked for");
		THEN("they are exact; what does not fit is the greatest number");
		uint64_t answer = 0;
		bitactor_metrics_window_t window = { .pool_count = 1 };
		window.sums.executed = UINT64_MAX;
		window.sums.failed   = UINT64_MAX / 2;
		window.sums.timed_ns = UINT64_MAX;
		window.sums.timed    = UINT64_MAX / 3;
		window.use[0].used_bytes     = UINT64_MAX / 4;
		window.use[0].reserved_bytes = UINT64_MAX;
		CHECK_EQ(bitactor_metrics_success_ppm(&window, &answer), BITACTOR_OK);
		CHECK_EQ(answer, 500000);
		CHECK_EQ(bitactor_metrics_average_ps(&window, &answer), BITACTOR_OK);
		CHECK_EQ(answer, 3000);
		CHECK_EQ(bitactor_metrics_memory_ppm(&window, 0, &answer), BITACTOR_OK);
		CHECK_EQ(answer, 249999);
		window.sums.timed = 1;
		CHECK_EQ(bitactor_metrics_average_ps(&window, &answer), BITACTOR_OK);
		CHECK(answer == UINT64_MAX);
		window.sums.executed = 5; /* seen from inside a turn */
		window.sums.failed   = 6;
		CHECK_EQ(bitactor_metrics_success_ppm(&window, &answer), BITACTOR_OK);
		CHECK_EQ(answer, 0);
	}
}

static void
test_wrong_arguments(void)
{
	SCENARIO("wrong arguments are answered, and nothing is booked") {
		GIVEN("an engine and its metrics");
		WHEN("arguments are NULL or out of range, or the engine is gone");
		THEN("ERROR or CLOSED, and the window stays empty");
		static const bitactor_metrics_pool_t pools[8];
		bitactor_metrics_given_t  given = { .pools = pools, .pool_count = 8 };
		bitactor_metrics_window_t window = { .pool_count = 0 };
		uint64_t answer;
		open_engine(1000);
		bitactor_config_t bad = probe.config;
		bad.queue_slots = 3;
		CHECK_EQ(bitactor_metrics_init(NULL, NULL, 0), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_init(&metrics, &bad, 0), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_init(&metrics, NULL, 0), BITACTOR_OK);
		CHECK_EQ(bitactor_metrics_sample(NULL, probe.engine, 0, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_sample(&metrics, NULL, 0, NULL), BITACTOR_ERROR);
		answer = bitactor_metrics_sample(&metrics, probe.engine, 0, &given);
		CHECK_EQ(answer, BITACTOR_ERROR);
		given  = (bitactor_metrics_given_t){ .pool_count = 1 };
		answer = bitactor_metrics_sample(&metrics, probe.engine, 0, &given);
		CHECK_EQ(answer, BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_window(NULL, 0, 1, &window), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_window(&metrics, 0, 1, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_window(&metrics, 0, 0, &window), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_window(&metrics, 0, 1441, &window), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_success_ppm(NULL, &answer), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_success_ppm(&window, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_average_ps(NULL, &answer), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_average_ps(&window, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_memory_ppm(NULL, 0, &answer), BITACTOR_ERROR);
		CHECK_EQ(bitactor_metrics_memory_ppm(&window, 0, &answer), BITACTOR_ERROR);
		bitactor_engine_t *engine = probe.engine;
		CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
		CHECK_EQ(bitactor_metrics_sample(&metrics, engine, 0, NULL), BITACTOR_CLOSED);
		(void)window_of(0, 1440, BITACTOR_EMPTY);
		probe_block_give(probe.block, probe.block_bytes);
		given = (bitactor_metrics_given_t){ .pools = pools, .pool_count = 7 };
		open_engine(1000);
		CHECK_EQ(bitactor_metrics_sample(&metrics, probe.engine, 0, &given), BITACTOR_OK);
		window = window_of(0, 1, BITACTOR_OK);
		CHECK_EQ(window.pool_count, 8);
		CHECK_EQ(bitactor_metrics_memory_ppm(&window, 7, &answer), BITACTOR_EMPTY);
		CHECK_EQ(bitactor_metrics_memory_ppm(&window, 8, &answer), BITACTOR_ERROR);
		probe_close(&probe);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_wrong_arguments();
	test_empty();
	test_ring_reuse();
	test_step_back();
	test_restart();
	test_retries();
	test_rounding();
	test_large_sums();
	test_days(seed);
	return bdd_close();
}
