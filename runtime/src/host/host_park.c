/* SPDX-License-Identifier: Apache-2.0 */
/* host_park.c -- wait until woken, without losing a wake.
 *
 *              park             wake
 *      AWAKE  -------> PARKED  -------> WOKEN    and the futex is woken
 *        ^      AWAKE  ---------------> WOKEN
 *        |                                |
 *        +----- the park that ends, or does not begin ---+
 *
 * One word.  A wake that finds WOKEN has nothing to do: the one before it is not used up
 * yet, and who uses it up looks for work afterwards.  wake is one exchange and at most
 * one system call for each of futex and descriptor; nothing in it takes a lock.
 *
 * With a descriptor: first the descriptor is read, then the word goes back to AWAKE.  In
 * the other order a wake in between would leave WOKEN behind an unreadable descriptor,
 * and no later wake would write.
 *
 * barrier is the sleeper's half of a producer that has no fence: the producer publishes
 * and looks for a sleeper, the sleeper says so, passes the barrier and looks for work.
 *
 * Source: futex(2), membarrier(2), eventfd(2).
 */
#include "host_private.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#ifdef BA_HOST_LINUX
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

enum { AWAKE, WOKEN, PARKED };

/* Use up what woke us. */
static void
use_wake(bitactor_posix_t *posix)
{
	uint64_t count;
	if (posix->fd >= 0)
		(void)!read(posix->fd, &count, sizeof count); /* EAGAIN: nobody wrote */
	/* acquire: pairs with the release in wake(), so what it was for is seen */
	(void)__atomic_exchange_n(&posix->state, AWAKE, __ATOMIC_ACQUIRE);
}

static void
park(void *context, uint64_t deadline_ns)
{
	bitactor_posix_t *posix = context;
	int saved_errno = errno;
	uint32_t expected = AWAKE;
	/* relaxed: nothing is handed over; the caller looked for work before, and a wake
	 * since then is in the word */
	bool parked = __atomic_compare_exchange_n(&posix->state, &expected, PARKED, false,
	                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED);
#ifdef BA_HOST_TSAN
	/* TSan keeps signals back during a system call that it does not know. */
	uint64_t soon_ns = ba_host_now_ns(NULL) + 10000000;
	deadline_ns = deadline_ns < soon_ns ? deadline_ns : soon_ns;
#endif
	if (parked || expected == PARKED) {
		struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000u),
			                  .tv_nsec = (long)(deadline_ns % 1000000000u) };
		/* _BITSET: the time is absolute, of CLOCK_MONOTONIC */
		(void)syscall(SYS_futex, &posix->state, FUTEX_WAIT_BITSET_PRIVATE, PARKED,
		              deadline_ns == UINT64_MAX ? NULL : &until, NULL,
		              FUTEX_BITSET_MATCH_ANY);
	}
	use_wake(posix);
	errno = saved_errno;
}

static void
wake(void *context)
{
	bitactor_posix_t *posix = context;
	/* release: pairs with the acquire in use_wake() */
	uint32_t before = __atomic_exchange_n(&posix->state, WOKEN, __ATOMIC_RELEASE);
	if (before == WOKEN)
		return;
	int saved_errno = errno;
	const uint64_t one = 1;
	if (posix->fd >= 0)
		(void)!write(posix->fd, &one, sizeof one);
	if (before == PARKED)
		(void)syscall(SYS_futex, &posix->state, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = saved_errno;
}

#ifndef BA_HOST_TSAN
static void
ask_for_barriers(void)
{
	(void)syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}
#endif

bool
ba_host_barrier(void *context)
{
	(void)context;
#ifdef BA_HOST_TSAN
	return false; /* TSan does not see it */
#else
	static pthread_once_t asked = PTHREAD_ONCE_INIT;
	int saved_errno = errno;
	(void)pthread_once(&asked, ask_for_barriers);
	bool done = syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
	errno = saved_errno;
	return done;
#endif
}
#endif

bitactor_status_t
bitactor_posix_open(bitactor_posix_t *posix, uint32_t flags)
{
	if (posix == NULL)
		return BITACTOR_ERROR;
	*posix = (bitactor_posix_t){ .fd = -1 };
	if ((flags & ~(uint32_t)BITACTOR_POSIX_FD) != 0)
		return BITACTOR_ERROR;
#ifdef BA_HOST_LINUX
	int saved_errno = errno;
	if ((flags & BITACTOR_POSIX_FD) != 0) {
		posix->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		posix->os_error = posix->fd < 0 ? errno : 0;
		errno = saved_errno;
		if (posix->fd < 0)
			return BITACTOR_IO;
	}
	posix->host = *bitactor_host_posix();
	posix->host.context = posix;
	posix->host.park = park;
	posix->host.wake = wake;
	return BITACTOR_OK;
#else
	return BITACTOR_UNSUPPORTED;
#endif
}

bitactor_status_t
bitactor_posix_close(bitactor_posix_t *posix)
{
	if (posix == NULL)
		return BITACTOR_ERROR;
	int saved_errno = errno;
	if (posix->fd >= 0)
		(void)close(posix->fd);
	errno = saved_errno;
	*posix = (bitactor_posix_t){ .fd = -1 };
	return BITACTOR_OK;
}

const bitactor_host_t *
bitactor_posix_host(const bitactor_posix_t *posix)
{
	return posix == NULL || posix->host.context != posix ? NULL : &posix->host;
}

int
bitactor_fd(const bitactor_posix_t *posix)
{
	return bitactor_posix_host(posix) == NULL ? -1 : posix->fd;
}

void
bitactor_fd_clear(bitactor_posix_t *posix)
{
#ifdef BA_HOST_LINUX
	if (bitactor_posix_host(posix) == NULL)
		return;
	int saved_errno = errno;
	use_wake(posix);
	errno = saved_errno;
#else
	(void)posix;
#endif
}
