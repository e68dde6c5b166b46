/* SPDX-License-Identifier: Apache-2.0 */
/* histogram.h -- how often each length of time occurred, in bounded memory.
 *
 * Buckets are linear inside a power of two and double from one to the next:
 *
 *      value  0 1 2 .. 31 | 32 33 .. 63 | 64 66 .. 126 | 128 132 .. 252 | ...
 *      width  1 each      | 1 each      | 2 each       | 4 each         |
 *      index  0 .. 31     | 32 .. 63    | 64 .. 95     | 96 .. 127      | .. 1919
 *
 * A bucket is never wider than 1/32 of its smallest value.  A quantile answers
 * the top of its bucket, or the greatest value seen if that is less, so
 *
 *      exact  <=  answer  <=  exact + exact / 32
 *
 * and quantile 1000000 ppm is the exact maximum.
 *
 * One writer, any readers: an increment is a relaxed load and a relaxed store,
 * no locked instruction.  A reader beside a running writer gets counts that
 * were each true a moment ago; two of them need not be of one moment.
 *
 * Source: the bucket rule is HdrHistogram's (G. Tene), as in hdr_histogram.c.
 */
#ifndef BA_HISTOGRAM_H
#define BA_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "invariant.h"

enum {
	BA_HIST_SUB_BITS       = 5,
	BA_HIST_BUCKETS        = (64 - BA_HIST_SUB_BITS + 1) << BA_HIST_SUB_BITS,
	BA_HIST_SMALL_SUB_BITS = 1,
	BA_HIST_SMALL_BUCKETS  = 64,
	BA_HIST_PPM            = 1000000
};

typedef struct ba_hist {
	_Atomic uint64_t counts[BA_HIST_BUCKETS];
	_Atomic uint64_t max; /* greatest value recorded, exact */
} ba_hist_t;

/* For one kind: 256 bytes, four cache lines.  Two buckets a power of two up to
 * 2^32 and not one over all 64: times of handlers lie below 2^32 counts (1.6 s
 * at 2.6 GHz), and within them the error is 1/2 instead of a factor of 2.  What
 * is longer lies in the last bucket.  Counts stop at UINT32_MAX.  The greatest
 * value is the caller's to keep: he has it per kind anyway. */
typedef struct ba_hist_small {
	_Atomic uint32_t counts[BA_HIST_SMALL_BUCKETS];
} ba_hist_small_t;

_Static_assert(sizeof(ba_hist_small_t) == 256, "four cache lines a kind");
_Static_assert(sizeof(ba_hist_t) == 8 * (BA_HIST_BUCKETS + 1), "no lock beside an atomic");

/* ---- buckets ------------------------------------------------------------ */

/* 2^sub_bits buckets a power of two. */
static inline uint32_t
ba_hist_index(uint64_t value, uint32_t sub_bits)
{
	/* The added bit makes `shift` 0 for small values too: no branch on what varies. */
	uint64_t widest = value | UINT64_C(1) << sub_bits;
	uint32_t shift  = 63 - (uint32_t)__builtin_clzll(widest) - sub_bits;
	return (shift << sub_bits) + (uint32_t)(value >> shift);
}

static inline uint64_t
ba_hist_lowest(uint32_t index, uint32_t sub_bits)
{
	if (index < UINT32_C(1) << sub_bits)
		return index;
	uint32_t shift = (index >> sub_bits) - 1;
	return (uint64_t)(index - (shift << sub_bits)) << shift;
}

static inline uint64_t
ba_hist_highest(uint32_t index, uint32_t sub_bits)
{
	if (index < UINT32_C(1) << sub_bits)
		return index;
	uint32_t shift = (index >> sub_bits) - 1;
	return ba_hist_lowest(index, sub_bits) + ((UINT64_C(1) << shift) - 1);
}

/* Which of `total` sorted values, from 1, is the quantile: ceil(total * ppm). */
static inline uint64_t
ba_hist_rank(uint64_t total, uint32_t ppm)
{
	if (ppm > BA_HIST_PPM)
		ppm = BA_HIST_PPM;
	uint64_t rank = total / BA_HIST_PPM * ppm +
	                (total % BA_HIST_PPM * ppm + BA_HIST_PPM - 1) / BA_HIST_PPM;
	return rank == 0 ? 1 : rank;
}

/* The answer for a bucket.  `max` below it was read a moment too early. */
static inline uint64_t
ba_hist_clip(uint32_t index, uint32_t sub_bits, uint64_t max)
{
	uint64_t highest = ba_hist_highest(index, sub_bits);
	return max < highest && max >= ba_hist_lowest(index, sub_bits) ? max : highest;
}

/* ---- 1920 buckets of u64, error 1/32 ------------------------------------ */

static inline void
ba_hist_clear(ba_hist_t *hist)
{
	/* relaxed, here and below: a count publishes nothing but itself */
	for (uint32_t i = 0; i < BA_HIST_BUCKETS; i++)
		atomic_store_explicit(&hist->counts[i], 0, memory_order_relaxed);
	atomic_store_explicit(&hist->max, 0, memory_order_relaxed);
}

static inline void
ba_hist_record(ba_hist_t *hist, uint64_t value)
{
	_Atomic uint64_t *count = &hist->counts[ba_hist_index(value, BA_HIST_SUB_BITS)];
	if (value > atomic_load_explicit(&hist->max, memory_order_relaxed))
		atomic_store_explicit(&hist->max, value, memory_order_relaxed);
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
	                      memory_order_relaxed);
}

static inline uint64_t
ba_hist_max(const ba_hist_t *hist)
{
	return atomic_load_explicit(&hist->max, memory_order_relaxed);
}

static inline uint64_t
ba_hist_count(const ba_hist_t *hist)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < BA_HIST_BUCKETS; i++)
		total += atomic_load_explicit(&hist->counts[i], memory_order_relaxed);
	return total;
}

/* The least value that at least `ppm` parts per million of all do not exceed,
 * as an upper bound (see above); 0 if nothing was recorded. */
static inline uint64_t
ba_hist_quantile(const ba_hist_t *hist, uint32_t ppm)
{
	uint64_t total = ba_hist_count(hist), seen = 0;
	uint64_t max = ba_hist_max(hist);
	if (total == 0)
		return 0;
	uint64_t rank = ba_hist_rank(total, ppm);
	for (uint32_t i = 0; i < BA_HIST_BUCKETS; i++) {
		seen += atomic_load_explicit(&hist->counts[i], memory_order_relaxed);
		if (seen >= rank)
			return ba_hist_clip(i, BA_HIST_SUB_BITS, max);
	}
	return max; /* cleared while we walked */
}

/* ---- 64 buckets of u32, error 1/2 --------------------------------------- */

static inline void
ba_hist_small_clear(ba_hist_small_t *hist)
{
	for (uint32_t i = 0; i < BA_HIST_SMALL_BUCKETS; i++)
		atomic_store_explicit(&hist->counts[i], 0, memory_order_relaxed);
}

static inline void
ba_hist_small_record(ba_hist_small_t *hist, uint64_t value)
{
	uint64_t inside = value > UINT32_MAX ? UINT32_MAX : value;
	uint32_t index  = ba_hist_index(inside, BA_HIST_SMALL_SUB_BITS);
	uint32_t count  = atomic_load_explicit(&hist->counts[index], memory_order_relaxed);
	if (count != UINT32_MAX)
		atomic_store_explicit(&hist->counts[index], count + 1, memory_order_relaxed);
}

static inline uint64_t
ba_hist_small_count(const ba_hist_small_t *hist)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < BA_HIST_SMALL_BUCKETS; i++)
		total += atomic_load_explicit(&hist->counts[i], memory_order_relaxed);
	return total;
}

/* As ba_hist_quantile, `max` being the greatest value recorded.  Below 2^32:
 * exact <= answer <= exact + exact / 2; from there on the answer is `max`. */
static inline uint64_t
ba_hist_small_quantile(const ba_hist_small_t *hist, uint32_t ppm, uint64_t max)
{
	uint64_t total = ba_hist_small_count(hist), seen = 0;
	if (total == 0)
		return 0;
	uint64_t rank = ba_hist_rank(total, ppm);
	for (uint32_t i = 0; i < BA_HIST_SMALL_BUCKETS; i++) {
		seen += atomic_load_explicit(&hist->counts[i], memory_order_relaxed);
		if (seen < rank)
			continue;
		if (i == BA_HIST_SMALL_BUCKETS - 1 && max > UINT32_MAX)
			return max;
		return ba_hist_clip(i, BA_HIST_SMALL_SUB_BITS, max);
	}
	return max;
}

#endif
