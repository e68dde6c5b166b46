/* SPDX-License-Identifier: Apache-2.0 */
/* barrier.h -- an order between threads that only the rare side pays for.
 *
 *      often, on any thread           now and then, on another
 *      -----------------------        ------------------------------
 *      write A                        write B
 *      (nothing the machine sees)     ba_barrier_pass()
 *      read B                         read A              one of them sees the other
 *
 * Between a store and a later load even x86-64 promises no order: the store may
 * still be in the core's store buffer when the load is done.  A full barrier on the
 * often side would double the cost of a send.  Instead the rare side asks the host
 * that every thread of the process pass a full barrier between two of its
 * instructions (Linux: membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED); what a
 * thread did before that point is then seen, and after it the thread sees B.
 *
 * Between two *instructions*: so a read-modify-write of one instruction, locked
 * or not, lies wholly before the point or wholly after it.  lane.h needs that.
 *
 * Not promised: that there is one.  ThreadSanitizer cannot see such an order, old
 * kernels and sandboxes refuse the call; whoever builds on a barrier also has a
 * way without, and asks `works` once which it takes.
 *
 * Source: membarrier(2); D. Goldblatt, "Asymmetric Fences", WG21 P1202R5.
 */
#ifndef BA_BARRIER_H
#define BA_BARRIER_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_THREAD__)
#define BA_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BA_TSAN 1
#endif
#endif
#ifndef BA_TSAN
#define BA_TSAN 0
#endif

/* Read-only after init. */
typedef struct ba_barrier {
	bool (*pass)(void *context); /* the host's; NULL: none; false: not done */
	void *context;
	bool  works;
} ba_barrier_t;

/* Every thread of the process has passed a full barrier since the call began, and
 * so has the caller; or false: the host did not do it. */
static inline bool
ba_barrier_pass(const ba_barrier_t *barrier)
{
	return barrier->works && barrier->pass(barrier->context);
}

static inline void
ba_barrier_init(ba_barrier_t *barrier, bool (*pass)(void *context), void *context)
{
	barrier->pass    = pass;
	barrier->context = context;
	barrier->works   = !BA_TSAN && pass != NULL && pass(context);
}

#endif
