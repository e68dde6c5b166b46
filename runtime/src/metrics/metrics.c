/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c -- differences of totals, booked by the minute.
 *
 *      totals   0 ... 70 ......... 95 ....... 95 .... 130
 *      samples        first        +25        +0      +35
 *      minute         7            7          9       9
 *      ring     [7] = 25   [8] nobody looked   [9] = 35
 *
 * Invariants:
 *      a bucket is added up only if the minute that stands in it is in the window
 *      and it was sampled: what a lap ago was booked at its place is not seen, also
 *      when nobody has written over it
 *      the sum of all that was ever booked is `last` less the first sample's totals
 *      clock_ns never goes back, so neither do minutes
 *
 * Times are made nanoseconds as totals, before the difference is taken: so the
 * rounding of one sample is taken back by the next, and a sum of any number of them
 * is within 1 ns.
 */
#include <bitactor/metrics.h>

#include <string.h>

#define MINUTE_NS UINT64_C(60000000000)

__extension__ typedef unsigned __int128 u128_t; /* exact products of two u64 */

/* ---- pools: one function and one row each ------------------------------- */

static bitactor_metrics_pool_t
queue_slots(const bitactor_metrics_t *metrics, const bitactor_stats_t *stats)
{
	const bitactor_config_t *limits = &metrics->limits;
	uint64_t slot_count = (uint64_t)limits->queue_slots + limits->emit_slots;
	return (bitactor_metrics_pool_t){ .name           = "queue slots",
		                          .used_bytes     = stats->queued * metrics->slot_bytes,
		                          .reserved_bytes = slot_count * metrics->slot_bytes };
}

typedef bitactor_metrics_pool_t (*pool_fn)(const bitactor_metrics_t *metrics,
                                           const bitactor_stats_t *stats);

/* The engine's own; those of the caller come after them. */
static const pool_fn engine_pools[] = { queue_slots };

enum { ENGINE_POOLS = sizeof engine_pools / sizeof *engine_pools };
_Static_assert((int)ENGINE_POOLS <= (int)BITACTOR_METRICS_POOLS, "each has its place in a bucket");

/* ---- time --------------------------------------------------------------- */

/* The clock that never goes back, at now: it goes on by what the caller's did. */
static uint64_t
clock_at(const bitactor_metrics_t *metrics, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns > metrics->said_ns ? now_ns - metrics->said_ns : 0;
	uint64_t most_ns   = UINT64_MAX - metrics->clock_ns;
	return metrics->clock_ns + (passed_ns < most_ns ? passed_ns : most_ns);
}

bitactor_status_t
bitactor_metrics_init(bitactor_metrics_t *metrics, const bitactor_config_t *config,
                      uint64_t now_ns)
{
	bitactor_config_t     defaults;
	bitactor_build_info_t build;
	bitactor_config_default(&defaults);
	if (config == NULL)
		config = &defaults;
	if (metrics == NULL || bitactor_engine_bytes(config) == 0)
		return BITACTOR_ERROR;

	bitactor_build_info(&build);
	memset(metrics, 0, sizeof *metrics);
	metrics->said_ns        = now_ns;
	metrics->clock_ns       = now_ns;
	metrics->slot_bytes     = build.slot_bytes;
	metrics->limits         = *config;
	metrics->limits.host    = NULL; /* not ours, and perhaps gone tomorrow */
	metrics->limits.counter = NULL;
	metrics->limits.sink    = NULL;
	metrics->limits.outlet  = NULL;
	return BITACTOR_OK;
}

/* ---- a sample ----------------------------------------------------------- */

/* What is given goes on from `last` when nothing is; without a known frequency no
 * dispatch has a known time. */
static bitactor_metrics_totals_t
totals_of(const bitactor_engine_t *engine, const bitactor_stats_t *stats,
          const bitactor_metrics_given_t *given, const bitactor_metrics_totals_t *last)
{
	bitactor_clock_info_t     clock  = { .hz = 0 };
	bitactor_metrics_totals_t totals = *last;
	totals.executed = stats->dispatched + stats->retried; /* `failed` is of both */
	totals.failed   = stats->failed;
	if (given == NULL)
		return totals;
	totals.pattern_events = given->pattern_events;
	if (bitactor_clock_info(engine, &clock) == BITACTOR_OK && clock.hz > 0) {
		totals.timed    = given->timed;
		totals.timed_ns = bitactor_counts_to_ns(engine, given->timed_counts);
	}
	return totals;
}

/* What is below its last value has begun again, and whatever counts with it. */
static bool
begin_anew(bitactor_metrics_totals_t *last, const bitactor_metrics_totals_t *totals)
{
	if (totals->executed < last->executed || totals->failed < last->failed) {
		*last = (bitactor_metrics_totals_t){ .executed = 0 };
		return true;
	}
	if (totals->timed < last->timed || totals->timed_ns < last->timed_ns ||
	    totals->pattern_events < last->pattern_events) {
		last->timed = last->timed_ns = last->pattern_events = 0;
		return true;
	}
	return false;
}

/* The bucket of a minute; empty if this is the first that is heard of it. */
static bitactor_metrics_bucket_t *
bucket_of(bitactor_metrics_t *metrics, uint64_t minute)
{
	bitactor_metrics_bucket_t *bucket = &metrics->ring[minute % BITACTOR_METRICS_MINUTES];
	if (bucket->minute != minute)
		*bucket = (bitactor_metrics_bucket_t){ .minute = minute };
	return bucket;
}

static void
book_work(bitactor_metrics_sums_t *sums, const bitactor_metrics_totals_t *last,
          const bitactor_metrics_totals_t *totals)
{
	sums->executed += totals->executed - last->executed;
	sums->failed += totals->failed - last->failed;
	sums->timed += totals->timed - last->timed;
	sums->timed_ns += totals->timed_ns - last->timed_ns;
	sums->pattern_events += totals->pattern_events - last->pattern_events;
}

static void
book_pool(bitactor_metrics_t *metrics, bitactor_metrics_bucket_t *bucket, uint32_t number,
          const bitactor_metrics_pool_t *pool)
{
	bitactor_metrics_use_t *use = &bucket->use[number];
	use->used_bytes += pool->used_bytes;
	use->reserved_bytes += pool->reserved_bytes;
	if (pool->used_bytes > use->most_bytes)
		use->most_bytes = pool->used_bytes;
	metrics->pool_name[number] = pool->name;
	if (number >= metrics->pool_count)
		metrics->pool_count = number + 1;
}

bitactor_status_t
bitactor_metrics_sample(bitactor_metrics_t *metrics, const bitactor_engine_t *engine,
                        uint64_t now_ns, const bitactor_metrics_given_t *given)
{
	uint32_t given_pools = given != NULL ? given->pool_count : 0;
	if (metrics == NULL || given_pools > BITACTOR_METRICS_POOLS - ENGINE_POOLS ||
	    (given_pools > 0 && given->pools == NULL))
		return BITACTOR_ERROR;
	bitactor_stats_t  stats;
	bitactor_status_t status = bitactor_stats(engine, &stats);
	if (status != BITACTOR_OK)
		return status;

	uint64_t clock_ns = clock_at(metrics, now_ns);
	bitactor_metrics_totals_t  totals = totals_of(engine, &stats, given, &metrics->last);
	bitactor_metrics_bucket_t *bucket = bucket_of(metrics, clock_ns / MINUTE_NS);
	bucket->sums.samples++;
	bucket->sums.clock_backward += now_ns < metrics->said_ns;
	if (metrics->begun) { /* else there is nothing to take a difference from */
		bucket->sums.elapsed_ns += clock_ns - metrics->clock_ns;
		bucket->sums.restarts += begin_anew(&metrics->last, &totals);
		book_work(&bucket->sums, &metrics->last, &totals);
	}
	for (uint32_t i = 0; i < ENGINE_POOLS; i++) {
		bitactor_metrics_pool_t pool = engine_pools[i](metrics, &stats);
		book_pool(metrics, bucket, i, &pool);
	}
	for (uint32_t i = 0; i < given_pools; i++)
		book_pool(metrics, bucket, ENGINE_POOLS + i, &given->pools[i]);
	metrics->begun    = true;
	metrics->last     = totals;
	metrics->said_ns  = now_ns;
	metrics->clock_ns = clock_ns;
	return BITACTOR_OK;
}

/* ---- a window ----------------------------------------------------------- */

static void
sums_add(bitactor_metrics_sums_t *sums, const bitactor_metrics_sums_t *more)
{
	sums->samples += more->samples;
	sums->elapsed_ns += more->elapsed_ns;
	sums->executed += more->executed;
	sums->failed += more->failed;
	sums->timed += more->timed;
	sums->timed_ns += more->timed_ns;
	sums->pattern_events += more->pattern_events;
	sums->clock_backward += more->clock_backward;
	sums->restarts += more->restarts;
}

static void
use_add(bitactor_metrics_use_t *use, const bitactor_metrics_use_t *more)
{
	use->used_bytes += more->used_bytes;
	use->reserved_bytes += more->reserved_bytes;
	if (more->most_bytes > use->most_bytes)
		use->most_bytes = more->most_bytes;
}

bitactor_status_t
bitactor_metrics_window(const bitactor_metrics_t *metrics, uint64_t now_ns, uint32_t minutes,
                        bitactor_metrics_window_t *window)
{
	if (metrics == NULL || window == NULL || minutes < 1 || minutes > BITACTOR_METRICS_MINUTES)
		return BITACTOR_ERROR;
	*window = (bitactor_metrics_window_t){ .pool_count = 0 };

	uint64_t last  = clock_at(metrics, now_ns) / MINUTE_NS;
	uint64_t first = last >= minutes ? last - minutes + 1 : 0;
	for (uint64_t minute = first; minute <= last; minute++) {
		const bitactor_metrics_bucket_t *bucket =
		        &metrics->ring[minute % BITACTOR_METRICS_MINUTES];
		if (bucket->minute != minute || bucket->sums.samples == 0)
			continue;
		sums_add(&window->sums, &bucket->sums);
		for (uint32_t i = 0; i < metrics->pool_count; i++)
			use_add(&window->use[i], &bucket->use[i]);
	}
	if (window->sums.samples == 0)
		return BITACTOR_EMPTY;
	window->pool_count = metrics->pool_count;
	memcpy(window->pool_name, metrics->pool_name, sizeof window->pool_name);
	return BITACTOR_OK;
}

/* ---- rates -------------------------------------------------------------- */

/* part * scale / whole, rounded down, at most UINT64_MAX. */
static bitactor_status_t
share(uint64_t part, uint64_t whole, uint64_t scale, uint64_t *answer)
{
	if (whole == 0)
		return BITACTOR_EMPTY;
	u128_t exact = (u128_t)part * scale / whole;
	*answer = exact < UINT64_MAX ? (uint64_t)exact : UINT64_MAX;
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_metrics_success_ppm(const bitactor_metrics_window_t *window, uint64_t *ppm)
{
	if (window == NULL || ppm == NULL)
		return BITACTOR_ERROR;
	const bitactor_metrics_sums_t *sums = &window->sums;
	/* A sample from inside a turn may see a failure before its dispatch. */
	uint64_t failed = sums->failed < sums->executed ? sums->failed : sums->executed;
	return share(sums->executed - failed, sums->executed, 1000000, ppm);
}

bitactor_status_t
bitactor_metrics_average_ps(const bitactor_metrics_window_t *window, uint64_t *ps)
{
	if (window == NULL || ps == NULL)
		return BITACTOR_ERROR;
	return share(window->sums.timed_ns, window->sums.timed, 1000, ps);
}

bitactor_status_t
bitactor_metrics_memory_ppm(const bitactor_metrics_window_t *window, uint32_t pool,
                            uint64_t *ppm)
{
	if (window == NULL || ppm == NULL || pool >= window->pool_count)
		return BITACTOR_ERROR;
	const bitactor_metrics_use_t *use = &window->use[pool];
	return share(use->used_bytes, use->reserved_bytes, 1000000, ppm);
}
