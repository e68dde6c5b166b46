/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h -- what an engine did in the last minutes, up to 24 hours of them.
 *
 *      bitactor_stats() --sample--> what is more than last time --> bucket of this minute
 *
 *      ring     | 0 | 1 | 2 | ... | 1439 |    a minute each, in place minute % 1440
 *                         ^ now               and with the minute's number in it
 *      window   the current minute and those before it, 1..1440 in all
 *
 * The memory is the caller's and nothing is allocated.  No clock is read either:
 * whoever samples says what time it is, in ns of any clock that goes forward.
 * Sums are exact: what was booked is the last sample's total less the first's.
 *
 *      static bitactor_metrics_t metrics;           400 KiB: not for a stack
 *      bitactor_metrics_init(&metrics, &config, now_ns);
 *      bitactor_metrics_sample(&metrics, engine, now_ns, NULL);     from here on
 *      ...                                          again and again, say each second
 *      bitactor_metrics_window(&metrics, now_ns, 60, &window);      the last hour
 *
 * The first sample is where counting begins: it books no work, so an engine that
 * has long been running does not have its past booked as this minute's.
 *
 * When the clock misbehaves:
 *      a step back   no time passes: the work is booked in the minute that was
 *                    current, and time goes on from the new reading.  Counted.
 *      a gap         the work of the gap is booked in the minute in which it was
 *                    seen.  elapsed_ns of the window says how much time its sums
 *                    are of, so that a rate is right even then.
 *
 * One thread at a time may use a bitactor_metrics_t; the engine may run meanwhile.
 */
#ifndef BITACTOR_METRICS_H
#define BITACTOR_METRICS_H

#include <bitactor/bitactor.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	BITACTOR_METRICS_MINUTES = 1440, /* a day                                          */
	BITACTOR_METRICS_POOLS   = 8     /* most that are looked at: the engine's, then yours */
};

/* Memory that was set aside and is used in part. */
typedef struct bitactor_metrics_pool {
	const char *name;           /* static: the pointer is kept                     */
	uint64_t    used_bytes;     /* now                                             */
	uint64_t    reserved_bytes;
} bitactor_metrics_pool_t;

/* What an engine does not count itself, by who does: totals that only grow, from 0
 * when the engine began.  Where the first sample is not given them, they count from 0. */
typedef struct bitactor_metrics_given {
	uint64_t timed;          /* dispatches whose time is in timed_counts               */
	uint64_t timed_counts;   /* of the engine's counter                                */
	uint64_t pattern_events;
	const bitactor_metrics_pool_t *pools; /* the same ones in the same order each time */
	uint32_t pool_count;
} bitactor_metrics_given_t;

typedef struct bitactor_metrics_sums {
	uint64_t samples;
	uint64_t elapsed_ns;     /* time from the sample before to each of these           */
	uint64_t executed;       /* dispatches, failed ones and retries too; no rejections */
	uint64_t failed;         /* of these: those that did not answer OK                 */
	uint64_t timed;          /* of these: those whose time is known                    */
	uint64_t timed_ns;       /* that they took together; exact to 1 ns, whatever it is */
	uint64_t pattern_events;
	uint64_t clock_backward; /* samples at which the clock had stepped back            */
	uint64_t restarts;       /* samples that found totals below the last ones          */
} bitactor_metrics_sums_t;

/* Of one pool, over all samples. */
typedef struct bitactor_metrics_use {
	uint64_t used_bytes;     /* added up                                               */
	uint64_t reserved_bytes; /* added up                                               */
	uint64_t most_bytes;     /* in use at any sample                                   */
} bitactor_metrics_use_t;

/* A minute, or several. */
typedef struct bitactor_metrics_bucket {
	uint64_t minute;
	bitactor_metrics_sums_t sums;
	bitactor_metrics_use_t  use[BITACTOR_METRICS_POOLS];
} bitactor_metrics_bucket_t;

typedef struct bitactor_metrics_totals {
	uint64_t executed, failed, timed, timed_ns, pattern_events;
} bitactor_metrics_totals_t;

/* The caller's; look at windows of it only. */
typedef struct bitactor_metrics {
	uint64_t said_ns;    /* what the caller said last                                  */
	uint64_t clock_ns;   /* the same, but that it never goes back: minutes are of this */
	bool     begun;      /* `last` is a sample's                                       */
	uint32_t slot_bytes; /* of a signal in a queue                                     */
	uint32_t pool_count;
	const char *pool_name[BITACTOR_METRICS_POOLS];
	bitactor_config_t         limits; /* the engine's, without its tables              */
	bitactor_metrics_totals_t last;
	bitactor_metrics_bucket_t ring[BITACTOR_METRICS_MINUTES];
} bitactor_metrics_t;

typedef struct bitactor_metrics_window {
	bitactor_metrics_sums_t sums;
	uint32_t pool_count;
	const char *pool_name[BITACTOR_METRICS_POOLS];
	bitactor_metrics_use_t  use[BITACTOR_METRICS_POOLS];
} bitactor_metrics_window_t;

/* Begin, with every minute empty.
 *
 *   config    the limits that the engine was made with; NULL: the defaults
 *   now_ns    the time, by the clock that all later calls go by
 *   returns   BITACTOR_OK, or BITACTOR_ERROR: NULL, or limits of no engine
 */
bitactor_status_t bitactor_metrics_init(bitactor_metrics_t *metrics,
                                        const bitactor_config_t *config, uint64_t now_ns);

/* Book what was done since the last sample in the minute of now, and how full the
 * pools are.  Totals that are below the last ones are a new engine's at the same
 * place: they are booked from 0.  (One that has by then done more than its
 * predecessor cannot be told from it.)
 *
 *   engine    the same each time
 *   given     NULL: none of it is known, or nothing of it has changed
 *   returns   BITACTOR_OK; BITACTOR_ERROR: NULL, or more pools than there is room
 *             for; BITACTOR_CLOSED: the engine is gone.  Then nothing was booked
 *   threads   one at a time; waits for a running turn, as bitactor_stats does
 *   cost      bitactor_stats() and a few additions
 */
bitactor_status_t bitactor_metrics_sample(bitactor_metrics_t *metrics,
                                          const bitactor_engine_t *engine, uint64_t now_ns,
                                          const bitactor_metrics_given_t *given);

/* Add up the last `minutes` minutes, 1..1440.  The current minute is one of them,
 * so this is more than minutes - 1 and at most `minutes` of time.
 *
 *   now_ns    may be later than the last sample; if it is earlier, as if it were then
 *   returns   BITACTOR_OK; BITACTOR_EMPTY: no sample was taken in these minutes, and
 *             `window` is all zero; BITACTOR_ERROR: NULL, or so many minutes there are not
 *   cost      looks at `minutes` buckets; changes nothing
 */
bitactor_status_t bitactor_metrics_window(const bitactor_metrics_t *metrics, uint64_t now_ns,
                                          uint32_t minutes, bitactor_metrics_window_t *window);

/* ---- rates of a window, each BITACTOR_EMPTY where there is nothing to divide by ---- */

/* Dispatches that answered OK, in parts per million of all; rounded down.  Being
 * over the budget is no failure. */
bitactor_status_t bitactor_metrics_success_ppm(const bitactor_metrics_window_t *window,
                                               uint64_t *ppm);

/* Average time of a dispatch whose time is known, in picoseconds (a dispatch may
 * take less than 10 ns); rounded down. */
bitactor_status_t bitactor_metrics_average_ps(const bitactor_metrics_window_t *window,
                                              uint64_t *ps);

/* Bytes in use in parts per million of those reserved, averaged over the samples;
 * rounded down.  `pool` is its number in the window; BITACTOR_ERROR: there is none. */
bitactor_status_t bitactor_metrics_memory_ppm(const bitactor_metrics_window_t *window,
                                              uint32_t pool, uint64_t *ppm);

#ifdef __cplusplus
}
#endif
#endif
