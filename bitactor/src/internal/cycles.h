/* SPDX-License-Identifier: Apache-2.0 */
/* cycles.h -- the machine's counter: read it, know its frequency, convert.
 *
 *      count   one step of the counter; TSC reference cycles, not core cycles
 *      tick    1 / tick_hz s, by default 1/24 MHz; a tick begun is a tick spent
 *
 *      counts 0 . . . . 108 109 . . . . 216 217        2.6 GHz, 24 MHz ticks
 *      ticks  0|----- 1 ----|------ 2 -----|-- 3       (108.3 counts each)
 *
 *      begun ticks of c counts   <=  t    exactly when    c  <=  counts of t ticks
 *
 * so "over budget" is one comparison of counts, and never disagrees with the
 * number of ticks that is reported.
 *
 * Conversions are exact: the product is taken in 128 bits and divided once; a
 * result that does not fit in 64 bits is UINT64_MAX.  Frequency 0 means "not
 * known": every conversion then answers 0 and nothing divides by zero, so ask
 * for hz == 0 before judging a budget by the result.
 *
 * Not promised: that two readings on two threads are ordered by more than the
 * hardware does, or (x86-64) that a reading waits for earlier instructions.
 * rdtsc is not serialised on purpose: lfence;rdtsc costs 40 counts, rdtsc 23
 * (docs/benchmarks.md, clock).  On AArch64 the isb is needed: without it the
 * reading may be taken long before its place in the program.
 */
#ifndef BA_CYCLES_H
#define BA_CYCLES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#ifdef CLOCK_MONOTONIC_RAW
#define BA_CLOCK_RAW CLOCK_MONOTONIC_RAW /* Linux: not slewed by ntpd */
#else
#define BA_CLOCK_RAW CLOCK_MONOTONIC
#endif

#define BA_NS_PER_S UINT64_C(1000000000)

__extension__ typedef unsigned __int128 ba_u128_t;

/* ---- conversions -------------------------------------------------------- */

/* (high:low) / by, for high < by, and the remainder.  Bit by bit: only
 * frequencies above 18 GHz come here, and a 128-bit `/` would make the core
 * need a function of libgcc. */
static inline uint64_t
ba_divide_wide(ba_u128_t value, uint64_t by, uint64_t *rest)
{
	uint64_t high = (uint64_t)(value >> 64), low = (uint64_t)value;
	uint64_t quotient = 0;
	for (int bit = 0; bit < 64; bit++) {
		bool carry = high >> 63 != 0;
		high = high << 1 | low >> 63;
		low <<= 1;
		quotient <<= 1;
		if (carry || high >= by) {
			high -= by;
			quotient |= 1;
		}
	}
	*rest = high;
	return quotient;
}

/* value * by / per, rounded down or up; UINT64_MAX if it does not fit; 0 if
 * `per` is 0.  value = whole * per + part, so only part * by needs 128 bits,
 * and part < per keeps its quotient below `by`. */
static inline uint64_t
ba_scale(uint64_t value, uint64_t by, uint64_t per, bool round_up)
{
	if (per == 0)
		return 0;
	uint64_t whole = value / per, part = value % per;
	ba_u128_t product = (ba_u128_t)part * by;
	uint64_t quotient, rest, result;
	if (product >> 64 == 0) {
		quotient = (uint64_t)product / per;
		rest     = (uint64_t)product % per;
	} else {
		quotient = ba_divide_wide(product, per, &rest);
	}
	if (round_up && rest != 0)
		quotient++; /* at most `by`: no overflow */
	if (__builtin_mul_overflow(whole, by, &result) ||
	    __builtin_add_overflow(result, quotient, &result))
		return UINT64_MAX;
	return result;
}

/* Nanoseconds, rounded down: exact to 1 ns. */
static inline uint64_t
ba_counts_to_ns(uint64_t counts, uint64_t hz)
{
	return ba_scale(counts, BA_NS_PER_S, hz, false);
}

/* Counts that fit into `ns`, rounded down. */
static inline uint64_t
ba_ns_to_counts(uint64_t ns, uint64_t hz)
{
	return ba_scale(ns, hz, BA_NS_PER_S, false);
}

/* Ticks begun, that is rounded up: 0 counts are 0 ticks, 1 count is 1 tick. */
static inline uint64_t
ba_counts_to_ticks_begun(uint64_t counts, uint64_t hz, uint64_t tick_hz)
{
	return ba_scale(counts, tick_hz, hz, true);
}

/* The most counts that begin no more than `ticks` ticks, that is rounded down. */
static inline uint64_t
ba_ticks_to_counts(uint64_t ticks, uint64_t hz, uint64_t tick_hz)
{
	return ba_scale(ticks, hz, tick_hz, false);
}

/* Counts in a tick with 32 fractional bits, for those who want to show it. */
static inline uint64_t
ba_counts_per_tick_q32(uint64_t hz, uint64_t tick_hz)
{
	return ba_scale(hz, UINT64_C(1) << 32, tick_hz, false);
}

/* Counts from one reading to a later one.  A counter that went back (another
 * core, a restored VM) has advanced by 0, not by 2^64 less something; *back
 * is then counted up. */
static inline uint64_t
ba_counts_since(uint64_t began, uint64_t ended, uint64_t *back)
{
	uint64_t spent = ended - began;
	if (__builtin_expect(spent <= (uint64_t)INT64_MAX, 1))
		return spent;
	++*back;
	return 0;
}

/* ---- reading ------------------------------------------------------------ */

static inline uint64_t
ba_clock_read_ns(clockid_t clock)
{
	struct timespec t = { 0, 0 };
	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * BA_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t
ba_cycles_now(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t counts;
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(counts) : : "memory");
	return counts;
#else
	return ba_clock_read_ns(CLOCK_MONOTONIC);
#endif
}

static inline const char *
ba_cycles_name(void)
{
#if defined(__x86_64__)
	return "rdtsc";
#elif defined(__aarch64__)
	return "cntvct_el0";
#else
	return "clock_gettime";
#endif
}

/* What is known about the counter of this machine. */
typedef struct ba_cycles {
	const char *name;        /* ba_cycles_name(), or "clock_gettime" if not usable */
	uint64_t    hz;          /* counts a second, never 0                           */
	uint64_t    read_counts; /* cost of one reading, median                        */
	bool        usable;      /* false: read CLOCK_MONOTONIC in ns instead          */
} ba_cycles_t;

/* One reading in the unit that `cycles` speaks of. */
static inline uint64_t
ba_cycles_read(const ba_cycles_t *cycles)
{
	if (__builtin_expect(cycles->usable, 1))
		return ba_cycles_now();
	return ba_clock_read_ns(CLOCK_MONOTONIC);
}

/* ---- calibration -------------------------------------------------------- */

/* Does the counter run at one speed, whatever the core does?  A hypervisor may
 * hide the bit; then nothing is known and the answer is no. */
static inline bool
ba_cycles_invariant(void)
{
#if defined(__x86_64__)
	unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
	return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 8 & 1) != 0;
#else
	return true; /* the generic timer is, by its architecture (Arm ARM, D12.1) */
#endif
}

/* What the hardware says its frequency is; 0 if it says nothing.  It is a
 * register that firmware fills in, or forgets to: never trusted alone. */
static inline uint64_t
ba_cycles_stated_hz(void)
{
#if defined(__aarch64__)
	uint64_t hz;
	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
#elif defined(__x86_64__)
	return 0;
#else
	return BA_NS_PER_S;
#endif
}

typedef struct ba_cycles_pair {
	uint64_t counts, ns; /* of one moment, */
	uint64_t width;      /* give or take this many counts */
} ba_cycles_pair_t;

/* Counter and clock at one moment: of 16 tries the one least disturbed. */
static inline ba_cycles_pair_t
ba_cycles_pair(void)
{
	ba_cycles_pair_t best = { 0, 0, UINT64_MAX };
	for (int try = 0; try < 16; try++) {
		uint64_t before = ba_cycles_now();
		uint64_t ns     = ba_clock_read_ns(BA_CLOCK_RAW);
		uint64_t width  = ba_cycles_now() - before;
		if (width < best.width)
			best = (ba_cycles_pair_t){ before + width / 2, ns, width };
	}
	return best;
}

/* Frequency over `span_ns`, 0 if the counter or the clock stood still or went
 * back.  Off by about width / span: 20 ppm for 1 ms. */
static inline uint64_t
ba_cycles_measure_hz(uint64_t span_ns)
{
	ba_cycles_pair_t from = ba_cycles_pair(), to;
	uint64_t last = from.ns;
	for (uint32_t turn = 0; last - from.ns < span_ns; turn++) {
		uint64_t ns = ba_clock_read_ns(BA_CLOCK_RAW);
		if (ns < last || (ns == from.ns && turn > 1000000))
			return 0;
		last = ns;
	}
	to = ba_cycles_pair();
	if (to.ns <= from.ns || to.counts <= from.counts)
		return 0;
	return ba_scale(to.counts - from.counts, BA_NS_PER_S, to.ns - from.ns, false);
}

/* Median of 15 batches of 16 readings: one reading is shorter than a step of
 * a slow counter. */
static inline uint64_t
ba_cycles_measure_read(const ba_cycles_t *cycles)
{
	enum { BATCHES = 15, BATCH = 16 };
	uint64_t spent[BATCHES];
	for (int i = 0; i < BATCHES; i++) {
		uint64_t began = ba_cycles_read(cycles), ended = began;
		for (int k = 0; k < BATCH; k++)
			ended = ba_cycles_read(cycles);
		uint64_t went_back = 0;
		uint64_t counts = ba_counts_since(began, ended, &went_back);
		int at = i;
		for (; at > 0 && spent[at - 1] > counts; at--)
			spent[at] = spent[at - 1];
		spent[at] = counts;
	}
	return (spent[BATCHES / 2] + BATCH / 2) / BATCH;
}

/* Of two frequencies the stated one, if the measured one is within 1 % of it;
 * else, and if none is stated, the measured one. */
static inline uint64_t
ba_cycles_choose_hz(uint64_t stated_hz, uint64_t measured_hz)
{
	uint64_t apart = stated_hz > measured_hz ? stated_hz - measured_hz
	                                         : measured_hz - stated_hz;
	return apart <= stated_hz / 100 ? stated_hz : measured_hz;
}

/* Learn the counter's frequency and the cost of reading it; takes about 1 ms.
 * Below 1 MHz it could not judge a tick, above 100 GHz it is not a counter. */
static inline void
ba_cycles_calibrate(ba_cycles_t *out)
{
	uint64_t measured_hz = ba_cycles_measure_hz(1000000);
	uint64_t hz = ba_cycles_choose_hz(ba_cycles_stated_hz(), measured_hz);

	*out = (ba_cycles_t){ ba_cycles_name(), hz, 0, true };
	if (!ba_cycles_invariant() || measured_hz == 0 || hz < 1000000 ||
	    hz > 100 * BA_NS_PER_S)
		*out = (ba_cycles_t){ "clock_gettime", BA_NS_PER_S, 0, false };
	out->read_counts = ba_cycles_measure_read(out);
}

#endif
