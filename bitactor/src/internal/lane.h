/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h -- a queue of its own for one thread and the signal handlers on it.
 *
 *      thread    load claim = 7  . . . . . . . . . . . .  cmpxchg 7 -> 8 fails, again
 *      handler                   claim 7, fill, publish
 *
 * A lane is a queue (queue.h): its slots, publishing and whole consumer's half are
 * used as they are, and one loop takes from both.  Only claim and close differ:
 *
 *   - `claim` is moved by a cmpxchg *without* a lock prefix.  A signal comes
 *     between two instructions, so it cannot split this one, and no other thread
 *     claims.  Elsewhere, and where there is no barrier (barrier.h), it is a
 *     relaxed compare-and-swap.
 *   - `room_end` keeps the head last seen, so a claim that fits reads no line
 *     that the consumer writes.  When it seems not to fit, head is read anew:
 *     FULL is exact, as in the queue.
 *   - An unlocked write may lie over the bit with which another thread closes.
 *     So close sets it, lets every thread pass a barrier, and looks whether it
 *     is still there: then no claim can be in the middle, and all later ones
 *     read it.
 *
 * Order: positions are in the order of claims, also between a thread and the
 * handlers that interrupt it, inside a claim too.
 *
 * Progress: wait-free for the thread by itself.  A claim is tried again only after
 * a handler's claim came in between, or a close; so a handler that interrupts a
 * claim delays it by one round, and none waits for the other.  A thread that is
 * interrupted between claim and publish hides what its handler published behind
 * it, and the consumer is told so (peek answers NULL), as with the queue.
 *
 * Not promised: anything when a second thread claims; two handlers on two threads
 * are two threads.  ba_queue_claim() and ba_queue_close() are not for a lane.
 */
#ifndef BA_LANE_H
#define BA_LANE_H

#include "barrier.h"
#include "queue.h"

#if defined(__x86_64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) && !BA_TSAN
#define BA_LANE_CAN_UNLOCK 1
#else
#define BA_LANE_CAN_UNLOCK 0
#endif

enum { BA_LANE_CLOSE_ROUNDS = 64 }; /* each needs a claim in its very instruction */

typedef struct ba_lane {
	ba_queue_t queue;

	/* Written by the lane's thread and its handlers. */
	_Alignas(BA_APART) _Atomic uint64_t room_end; /* a head of before + capacity */

	/* Read-only after init. */
	const ba_barrier_t *barrier;
	bool unlocked;
} ba_lane_t;

static inline void
ba_lane_init(ba_lane_t *lane, ba_slot_t *slots, uint64_t capacity, const ba_barrier_t *barrier)
{
	ba_queue_init(&lane->queue, slots, capacity);
	atomic_init(&lane->room_end, capacity);
	lane->barrier  = barrier;
	lane->unlocked = BA_LANE_CAN_UNLOCK && barrier->works;
}

/* claim: *expected -> wanted, or false and *expected is what it is. */
static inline bool
ba_lane_swap(ba_lane_t *lane, uint64_t *expected, uint64_t wanted)
{
#if BA_LANE_CAN_UNLOCK
	if (__builtin_expect(lane->unlocked, 1)) {
		bool swapped;
		/* An aligned store of 8 bytes to whoever reads it (Intel SDM 3A,
		 * "Guaranteed Atomic Operations"); a failed cmpxchg writes too (2A, CMPXCHG),
		 * so close minds that as well. */
		__asm__ volatile("cmpxchgq %[wanted], %[claim]"
		                 : "=@ccz"(swapped), [claim] "+m"(*(uint64_t *)&lane->queue.claim),
		                   "+a"(*expected)
		                 : [wanted] "r"(wanted)
		                 : "memory");
		return swapped;
	}
#endif
	/* acquire: for the claim it failed on, as in ba_lane_claim; success needs no
	 * order, publishing gives it */
	return atomic_compare_exchange_strong_explicit(&lane->queue.claim, expected, wanted,
	                                               memory_order_acquire,
	                                               memory_order_acquire);
}

/* Do `count` more fit behind `claim`?  A claim that is older than the last one only
 * makes more room, and its swap fails. */
static inline bool
ba_lane_fits(ba_lane_t *lane, uint64_t claim, uint64_t count)
{
	/* relaxed: written on this thread.  A handler's newer value may be overwritten
	 * with an older one: then it seems full too soon, and head decides. */
	uint64_t end  = atomic_load_explicit(&lane->room_end, memory_order_relaxed);
	int64_t  room = (int64_t)(end - claim);
	if (__builtin_expect(room >= 0 && count <= (uint64_t)room, 1))
		return true;

	/* acquire: pairs with the release in ba_queue_free, so the consumer's reads of
	 * the slots before it are over; also for the claims that go by room_end */
	end  = atomic_load_explicit(&lane->queue.head, memory_order_acquire) + lane->queue.capacity;
	room = (int64_t)(end - claim);
	/* relaxed: as above */
	atomic_store_explicit(&lane->room_end, end, memory_order_relaxed);
	return room >= 0 && count <= (uint64_t)room;
}

/* Claim `count` positions in a row.  OK, FULL or CLOSED.  The lane's thread and
 * the handlers on it only. */
static inline bitactor_status_t
ba_lane_claim(ba_lane_t *lane, uint64_t count, uint64_t *position)
{
	/* acquire: keeps the load of head behind it; a handler in between could make
	 * "full" of a claim that is newer than the head */
	uint64_t claim = atomic_load_explicit(&lane->queue.claim, memory_order_acquire);

	do {
		if (claim & BA_QUEUE_CLOSED)
			return BITACTOR_CLOSED;
		if (!ba_lane_fits(lane, claim, count))
			return BITACTOR_FULL;
	} while (!ba_lane_swap(lane, &claim, claim + count));
	*position = claim;
	return BITACTOR_OK;
}

/* Refuse every later claim.  True: from now on claim answers CLOSED, and what
 * ba_queue_claimed() says is final.  False: the host refused the barrier or a
 * claim was in the way each time; nothing is lost, call it again.  One thread at a
 * time, any; not from a signal handler. */
static inline bool
ba_lane_close(ba_lane_t *lane)
{
	for (int round = 0; round < BA_LANE_CLOSE_ROUNDS; round++) {
		/* relaxed: claims made before it are found by their sequence */
		atomic_fetch_or_explicit(&lane->queue.claim, BA_QUEUE_CLOSED,
		                         memory_order_relaxed);
		if (!lane->unlocked)
			return true;
		if (!ba_barrier_pass(lane->barrier))
			return false;
		if (ba_queue_is_closed(&lane->queue))
			return true;
	}
	return false;
}

#endif
