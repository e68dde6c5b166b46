/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h -- fixed blocks for attached data: any thread takes, the engine gives back.
 *
 *      top -> 3 -> 0 -> 7 -> nil         indices, linked through `next`
 *
 * A stack of free indices.  `top` holds a tag that grows with every change
 * beside the index, so a swap that would take a block which was taken and given
 * back meanwhile (the ABA problem) fails.  The tag has 32 bits: it misleads only
 * a thread that sleeps through a multiple of 2^32 changes between two of its
 * instructions and finds the same index on top.
 *
 * Progress: take and give are lock-free.
 *
 * Source: R. K. Treiber, IBM RJ 5118, 1986.
 */
#ifndef BA_POOL_H
#define BA_POOL_H

#include <stdatomic.h>
#include <stdint.h>

#include "invariant.h"

typedef struct ba_pool {
	uint8_t          *blocks;      /* caller's: count * block_bytes, aligned to 8 */
	_Atomic uint32_t *next;        /* caller's: index + 1 of the one below, 0: nil */
	uint32_t          count;
	uint32_t          block_bytes; /* multiple of 8 */
	_Atomic uint64_t  top;         /* tag << 32 | index + 1 */
} ba_pool_t;

static inline void
ba_pool_init(ba_pool_t *pool, uint8_t *blocks, _Atomic uint32_t *next, uint32_t count,
             uint32_t block_bytes)
{
	BA_ASSERT(block_bytes % 8 == 0);
	pool->blocks      = blocks;
	pool->next        = next;
	pool->count       = count;
	pool->block_bytes = block_bytes;
	for (uint32_t i = 0; i < count; i++)
		atomic_init(&next[i], i + 2 <= count ? i + 2 : 0);
	atomic_init(&pool->top, count > 0 ? 1 : 0);
}

/* Index + 1 of a block that is now the caller's, or 0: none is free. */
static inline uint32_t
ba_pool_take(ba_pool_t *pool)
{
	/* acquire: pairs with the release in ba_pool_give; the link read below and
	 * the block's contents are the giver's last */
	uint64_t top = atomic_load_explicit(&pool->top, memory_order_acquire);

	for (;;) {
		uint32_t taken = (uint32_t)top;
		if (taken == 0)
			return 0;

		/* relaxed: perhaps stale, then the tag has moved and the swap fails */
		uint32_t below = atomic_load_explicit(&pool->next[taken - 1], memory_order_relaxed);
		uint64_t wanted = ((top >> 32) + 1) << 32 | below;

		/* acquire on both: as above, for the value it failed on or succeeded with */
		if (atomic_compare_exchange_weak_explicit(&pool->top, &top, wanted,
		                                          memory_order_acquire,
		                                          memory_order_acquire))
			return taken;
	}
}

static inline void
ba_pool_give(ba_pool_t *pool, uint32_t block)
{
	BA_ASSERT(block >= 1);
	BA_ASSERT(block <= pool->count);

	/* relaxed: a guess; the swap below decides */
	uint64_t top = atomic_load_explicit(&pool->top, memory_order_relaxed);
	for (;;) {
		/* relaxed: published by the swap */
		atomic_store_explicit(&pool->next[block - 1], (uint32_t)top, memory_order_relaxed);
		uint64_t wanted = ((top >> 32) + 1) << 32 | block;

		/* release: pairs with the acquire in ba_pool_take */
		if (atomic_compare_exchange_weak_explicit(&pool->top, &top, wanted,
		                                          memory_order_release,
		                                          memory_order_relaxed))
			return;
	}
}

static inline uint8_t *
ba_pool_block(const ba_pool_t *pool, uint32_t block)
{
	BA_ASSERT(block >= 1);
	BA_ASSERT(block <= pool->count);
	return pool->blocks + (uint64_t)(block - 1) * pool->block_bytes;
}

#endif
