/* SPDX-License-Identifier: Apache-2.0 */
/* wake.h -- sleep until somebody publishes, and lose no wake-up.
 *
 *      producer                              sleeper, one thread
 *      -----------------------------         ---------------------------------------
 *      publish (a release store)             ba_wake_prepare()   asleep = 1, barrier
 *      ba_wake_published()                   look again
 *        asleep?  no: one load                 something: ba_wake_cancel()
 *                 yes: exchange it for 0,      nothing:   ba_wake_sleep()
 *                      and who got the 1
 *                      wakes
 *
 * Either the sleeper's second look sees what was published, or the producer sees
 * `asleep`: the store of one side comes before the load of the other.  With a
 * barrier (barrier.h) the sleeper makes that so and a producer pays one load.
 * Without one the producer asks by the exchange itself: all changes of `asleep`
 * are exchanges, so of any two one reads the other's or a later one, and with
 * acquire and release it then also sees the store before it.
 *
 * The look must be at what is published: a position that is claimed only will be
 * published, and its producer asks then.
 *
 * wake() leaves a token: if nobody is in park(), the next park() returns at once.
 * So a wake that comes after the sleeper found something by itself costs one
 * round, and nothing between look and park can be missed.
 *
 * Not promised: that a wake comes at once.  Of many producers one wakes; if it
 * is stopped between its exchange and wake(), the sleeper waits for it or for
 * its deadline.
 *
 * The core makes no system call here: the three functions are the host's.
 */
#ifndef BA_WAKE_H
#define BA_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "barrier.h"
#include "invariant.h"
#include "queue.h"

typedef struct ba_wake_host {
	void *context;
	/* Sleep until wake(), now or earlier, or until the deadline on the host's
	 * clock; may return for no reason. */
	void (*park)(void *context, uint64_t deadline_ns);
	/* Any thread, and signal handlers; keeps errno; never waits. */
	void (*wake)(void *context);
} ba_wake_host_t;

/* One line for a producer: only who sleeps and who wakes writes it, or, without a
 * barrier, everybody. */
typedef struct ba_wake {
	_Alignas(BA_APART) _Atomic uint32_t asleep; /* 1: who exchanges it for 0 wakes */

	/* Read-only after init. */
	bool                exchanges; /* producers ask by exchange: there is no barrier */
	const ba_barrier_t *barrier;
	ba_wake_host_t      host;
} ba_wake_t;

_Static_assert(offsetof(ba_wake_t, host) + sizeof(ba_wake_host_t) <= BA_CACHE_LINE,
               "what a producer looks at is one line");

static inline void
ba_wake_init(ba_wake_t *wake, const ba_barrier_t *barrier, const ba_wake_host_t *host)
{
	BA_ASSERT(host->wake != NULL);
	atomic_init(&wake->asleep, 0);
	wake->exchanges = !barrier->works;
	wake->barrier   = barrier;
	wake->host      = *host;
}

/* After each publish, or after many: wake the sleeper, if it sleeps.  Any thread,
 * and signal handlers. */
static inline void
ba_wake_published(ba_wake_t *wake)
{
	if (__builtin_expect(!wake->exchanges, 1)) {
		/* The compiler must not move the load before the publishing store; the
		 * machine may, and the sleeper's barrier makes up for it. */
		atomic_signal_fence(memory_order_seq_cst);
		/* relaxed: as just said; and the exchange below decides */
		if (__builtin_expect(atomic_load_explicit(&wake->asleep, memory_order_relaxed) == 0,
		                     1))
			return;
	}
	/* acquire, release: pair with each other here and in ba_wake_turn.  If ours is
	 * first, the sleeper's takes over our publish; else we read its 1. */
	if (atomic_exchange_explicit(&wake->asleep, 0, memory_order_acq_rel) != 0)
		wake->host.wake(wake->host.context);
}

/* The sleeper's changes: exchanges too, or the chain of those who published would
 * end at a plain store, and a later exchange would not see them (C11 5.1.2.4). */
static inline void
ba_wake_turn(ba_wake_t *wake, uint32_t asleep)
{
	/* acquire, release: pair with each other and with ba_wake_published */
	(void)atomic_exchange_explicit(&wake->asleep, asleep, memory_order_acq_rel);
}

/* Not going to sleep after all, or no longer asleep. */
static inline void
ba_wake_cancel(ba_wake_t *wake)
{
	ba_wake_turn(wake, 0);
}

/* About to sleep.  True: look again, then ba_wake_sleep() or ba_wake_cancel().
 * False: the host refused the barrier it once had; do not sleep, yield. */
static inline bool
ba_wake_prepare(ba_wake_t *wake)
{
	ba_wake_turn(wake, 1);
	if (wake->exchanges || ba_barrier_pass(wake->barrier))
		return true;
	ba_wake_cancel(wake);
	return false;
}

/* Sleep after a prepare and a look that found nothing; returns on a wake, at the
 * deadline, or for no reason. */
static inline void
ba_wake_sleep(ba_wake_t *wake, uint64_t deadline_ns)
{
	BA_ASSERT(wake->host.park != NULL);
	wake->host.park(wake->host.context, deadline_ns);
	ba_wake_cancel(wake);
}

#endif
