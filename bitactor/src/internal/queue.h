/* SPDX-License-Identifier: Apache-2.0 */
/* queue.h -- bounded queue, many producers, one consumer, caller's memory.
 *
 *      head                         claim
 *       v                            v
 *   [ . | P | P | c | P | . | . | . ]        P published, c claimed, . free
 *
 * A producer claims positions with one compare-and-swap on `claim`, fills the
 * slots and publishes each by storing position + 1 into its sequence.  The
 * consumer reads slots in place, never writes one, and frees them by moving
 * `head`.  A position only grows, so a sequence of an earlier lap is never
 * mistaken for this one's (2^62 positions at 1 G/s last 146 years); the top bit
 * of `claim` closes the door for good, in the same word that hands out
 * positions, so no signal can slip in behind a close.
 *
 * Full is exact: head is read after claim, so "full" was true at that moment.
 *
 * Progress: push is lock-free (a failed swap means another producer's
 * succeeded).  The queue as a whole is not: a producer stopped between claim
 * and publish hides the later slots, and the consumer is told so (BUSY).
 *
 * Source of the sequence idea: D. Vyukov, "Bounded MPMC queue", 1024cores.net.
 */
#ifndef BA_QUEUE_H
#define BA_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/bitactor/bitactor.h"
#include "invariant.h"

enum { BA_CACHE_LINE = 64 }; /* x86-64, Cortex-A; a wrong value costs speed only */

/* 128: adjacent-line prefetch pulls lines in pairs on x86-64. */
enum { BA_APART = 2 * BA_CACHE_LINE };

/* One signal on its way; exactly a cache line, so neighbours do not share one. */
typedef struct ba_slot {
	bitactor_signal_t signal;
	_Atomic uint64_t  sequence;   /* position + 1 once published                  */
	uint32_t          data_block; /* index + 1 of its data; not written, and says nothing,    */
	                              /* when signal.data_bytes is 0                            */
	uint32_t          spare;
} ba_slot_t;

_Static_assert(sizeof(bitactor_signal_t) == 48, "a signal has no padding");
_Static_assert(sizeof(ba_slot_t) == BA_CACHE_LINE, "one slot, one cache line");

#define BA_QUEUE_CLOSED ((uint64_t)1 << 63)

typedef struct ba_queue {
	/* Read-only after init. */
	_Alignas(BA_APART) ba_slot_t *slots;
	uint64_t capacity; /* power of two */
	uint64_t mask;

	/* Written by producers. */
	_Alignas(BA_APART) _Atomic uint64_t claim;

	/* Written by the consumer. */
	_Alignas(BA_APART) _Atomic uint64_t head;
} ba_queue_t;

_Static_assert(offsetof(ba_queue_t, head) - offsetof(ba_queue_t, claim) >= BA_APART,
               "producers and the consumer must not share a line");

static inline void
ba_queue_init(ba_queue_t *queue, ba_slot_t *slots, uint64_t capacity)
{
	BA_ASSERT(capacity >= 2);
	BA_ASSERT((capacity & (capacity - 1)) == 0);

	queue->slots    = slots;
	queue->capacity = capacity;
	queue->mask     = capacity - 1;
	for (uint64_t i = 0; i < capacity; i++)
		atomic_init(&slots[i].sequence, 0);
	atomic_init(&queue->claim, 0);
	atomic_init(&queue->head, 0);
}

/* Claim `count` positions in a row.  OK, FULL or CLOSED; lock-free. */
static inline bitactor_status_t
ba_queue_claim(ba_queue_t *queue, uint64_t count, uint64_t *position)
{
	/* acquire: keeps the load of head below behind it, or "full" could be made of
	 * a claim that is newer than the head */
	uint64_t claim = atomic_load_explicit(&queue->claim, memory_order_acquire);

	for (;;) {
		if (claim & BA_QUEUE_CLOSED)
			return BITACTOR_CLOSED;

		/* acquire: pairs with the release in ba_queue_free, so the consumer's
		 * reads of a slot are over before we overwrite it */
		uint64_t head = atomic_load_explicit(&queue->head, memory_order_acquire);

		/* A stale claim may lie behind head: signed, and the swap will fail. */
		int64_t used = (int64_t)(claim - head);
		if (used >= 0 && (uint64_t)used + count > queue->capacity)
			return BITACTOR_FULL;

		/* acquire: for the claim it failed on, as above; success needs no order,
		 * publishing gives it, but may not have less than failure (C11 7.17.7.4) */
		if (atomic_compare_exchange_weak_explicit(&queue->claim, &claim, claim + count,
		                                          memory_order_acquire,
		                                          memory_order_acquire)) {
			*position = claim;
			return BITACTOR_OK;
		}
	}
}

/* Fill and publish a claimed position with a signal that has no data. */
static inline void
ba_queue_publish_plain(ba_queue_t *queue, uint64_t position, const bitactor_signal_t *signal)
{
	ba_slot_t *slot = &queue->slots[position & queue->mask];

	BA_VERIFY(signal->data_bytes == 0);
	slot->signal      = *signal;
	slot->signal.seal = 0; /* for the door; no record has it, so no handler may */
	/* release: pairs with the acquire in ba_queue_peek; publishes the slot */
	atomic_store_explicit(&slot->sequence, position + 1, memory_order_release);
}

/* The same for `count` in a row.  What the stores cannot change is read once. */
static inline void
ba_queue_publish_many(ba_queue_t *queue, uint64_t position, const bitactor_signal_t *signals,
                      size_t count)
{
	ba_slot_t *slots = queue->slots;
	uint64_t   mask  = queue->mask;

	for (const bitactor_signal_t *end = signals + count; signals != end; signals++) {
		ba_slot_t *slot = &slots[position++ & mask];
		slot->signal      = *signals;
		slot->signal.seal = 0; /* as above */
		/* release: as above */
		atomic_store_explicit(&slot->sequence, position, memory_order_release);
	}
}

/* Fill and publish a claimed position; the data is in the block it names. */
static inline void
ba_queue_publish(ba_queue_t *queue, uint64_t position, const bitactor_signal_t *signal,
                 uint32_t data_bytes, uint32_t data_block)
{
	ba_slot_t *slot = &queue->slots[position & queue->mask];

	slot->signal            = *signal;
	slot->signal.data_bytes = data_bytes;
	slot->signal.seal       = 0; /* as above */
	slot->data_block        = data_block;
	/* release: pairs with the acquire in ba_queue_peek; publishes the slot and
	 * the data block that it names */
	atomic_store_explicit(&slot->sequence, position + 1, memory_order_release);
}

/* The slot of a claimed position, to be filled in place. */
static inline ba_slot_t *
ba_queue_slot(ba_queue_t *queue, uint64_t position)
{
	return &queue->slots[position & queue->mask];
}

/* Publish `count` claimed positions in a row that were filled in place. */
static inline void
ba_queue_publish_filled(ba_queue_t *queue, uint64_t position, uint64_t count)
{
	ba_slot_t *slots = queue->slots;
	uint64_t   mask  = queue->mask;

	for (uint64_t end = position + count; position != end;) {
		ba_slot_t *slot = &slots[position++ & mask];
		slot->signal.seal = 0; /* as above */
		/* release: pairs with the acquire in ba_queue_peek; publishes the slot */
		atomic_store_explicit(&slot->sequence, position, memory_order_release);
	}
}

/* The slot at `position` if it is published, else NULL.  Consumer only. */
static inline ba_slot_t *
ba_queue_peek(ba_queue_t *queue, uint64_t position)
{
	ba_slot_t *slot = &queue->slots[position & queue->mask];
	/* acquire: pairs with the release in ba_queue_publish */
	uint64_t sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire);
	return sequence == position + 1 ? slot : NULL;
}

/* Slots before `head` may be overwritten from now on.  Consumer only. */
static inline void
ba_queue_free(ba_queue_t *queue, uint64_t head)
{
	/* release: pairs with the acquire in ba_queue_claim */
	atomic_store_explicit(&queue->head, head, memory_order_release);
}

/* Refuse every later claim.  Any thread; idempotent. */
static inline void
ba_queue_close(ba_queue_t *queue)
{
	/* relaxed: claims made before it are found by their sequence */
	atomic_fetch_or_explicit(&queue->claim, BA_QUEUE_CLOSED, memory_order_relaxed);
}

static inline bool
ba_queue_is_closed(const ba_queue_t *queue)
{
	/* relaxed: an answer that was true a moment ago is all a caller can get */
	return (atomic_load_explicit(&queue->claim, memory_order_relaxed) & BA_QUEUE_CLOSED) != 0;
}

/* Signals ever claimed: what the queue has accepted. */
static inline uint64_t
ba_queue_claimed(const ba_queue_t *queue)
{
	/* relaxed: a count */
	return atomic_load_explicit(&queue->claim, memory_order_relaxed) & ~BA_QUEUE_CLOSED;
}

/* Claimed and not yet freed: 0..capacity at any moment, from any thread. */
static inline uint64_t
ba_queue_length(const ba_queue_t *queue)
{
	/* head first: it only grows, so the difference can be too large by what
	 * came in between, never negative; clamped to what can be true.
	 * acquire: keeps the two loads in this order */
	uint64_t head   = atomic_load_explicit(&queue->head, memory_order_acquire);
	uint64_t length = ba_queue_claimed(queue) - head;
	return length < queue->capacity ? length : queue->capacity;
}

#endif
