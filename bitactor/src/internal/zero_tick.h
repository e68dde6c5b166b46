/* SPDX-License-Identifier: Apache-2.0 */
/* zero_tick.h -- signals that need no call leave a chunk before it is dispatched.
 *
 *      in     at    [ d0 z0 d1 d2 z1 d3 ]        d to dispatch, z zero-tick
 *      out    at    [ d0 d1 d2 d3 ]              both in the order they came in,
 *             zero  [ z0 z1 ]                    none lost, none twice
 *
 * Each signal is stored to both sides at once, and one of two positions moves by
 * the answer of the rule: nothing is jumped over, so nothing can be mispredicted.
 * With half of the signals zero-tick a branch took 15 counts a signal, this takes
 * 3.5 at any share (2.6 GHz, both compilers).  The zero side is a list and not a
 * number, because each of them is still counted by its kind and recorded with its
 * payload.
 *
 * There is one path and no vector instruction.  Tried against it: moves of 16 bytes
 * (SSE2), gathered rules (AVX2, AVX-512), and compressing four pairs at a time
 * (AVX-512).  With gcc none was faster by more than two copies of this loop
 * differ; with clang the last one was, by 0.4 counts, less than what the place of
 * the code in memory does to the dispatches around it.  What takes time are the
 * loads of rule and payload, one address each, and a gather does not make them
 * fewer.
 *
 * What the pass costs is paid only by chunks that have an entry with a rule: the
 * caller knows from the flags of its entries, or-ed, and leaves the others alone.
 *
 * Source: branch-free selection as in K. A. Ross, "Selection Conditions in Main
 * Memory", ACM TODS 29, 2004.
 */
#ifndef BA_ZERO_TICK_H
#define BA_ZERO_TICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a kind declared: a signal is zero-tick if (payload & mask) == value. */
typedef struct ba_zero_rule {
	uint64_t mask, value;
} ba_zero_rule_t;

/* Kinds that declared nothing have a rule too, one that is never true: so the
 * rule is all there is to look at, and no flag beside it. */
#define BA_ZERO_NEVER  ((ba_zero_rule_t){ .mask = 0, .value = 1 })
#define BA_ZERO_ALWAYS ((ba_zero_rule_t){ .mask = 0, .value = 0 })

static inline bool
ba_zero_is(ba_zero_rule_t rule, uint64_t payload)
{
	return (payload & rule.mask) == rule.value;
}

/* Can it ever be true?  One that was declared and cannot is a mistake. */
static inline bool
ba_zero_rule_is_possible(ba_zero_rule_t rule)
{
	return (rule.value & ~rule.mask) == 0;
}

/* How the caller's pairs lie in memory, whatever their pointers point to. */
typedef struct ba_zero_pair {
	const void *entry, *slot;
} ba_zero_pair_t;

/* Split `count` pairs.
 *
 *   at        the pairs; the first that many as are returned are left in it
 *   zero      room for `count`, apart from `at`; gets the others.  Up to `count`
 *             of both are overwritten, whatever is returned
 *   is_zero   the rule of an entry on what is in a slot; a function the compiler
 *             sees, so that it ends up in the loop
 *   returns   how many are to be dispatched; zero has count minus that
 */
static inline __attribute__((always_inline)) uint32_t
ba_zero_split(void *at, uint32_t count, void *zero,
              bool (*is_zero)(const void *entry, const void *slot))
{
	uint8_t *items = at, *left = zero;
	size_t   kept  = 0; /* bytes, as `i` is: a shift less in the loop */

	for (size_t i = 0; i < count * sizeof(ba_zero_pair_t); i += sizeof(ba_zero_pair_t)) {
		/* memcpy: the pairs are of the caller's type, which this file does not know */
		ba_zero_pair_t pair;
		memcpy(&pair, items + i, sizeof pair);
		size_t keep = is_zero(pair.entry, pair.slot) ? 0 : sizeof pair;
		/* kept <= i: what is overwritten in `at` has been read */
		memcpy(items + kept, &pair, sizeof pair);
		memcpy(left + (i - kept), &pair, sizeof pair);
		kept += keep;
	}
	return (uint32_t)(kept / sizeof(ba_zero_pair_t));
}

#endif
