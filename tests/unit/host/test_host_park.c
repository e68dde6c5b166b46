/* SPDX-License-Identifier: Apache-2.0 */
/* test_host_park.c -- no wake is lost, none is needed twice; a descriptor for other loops.
 *
 *      BA_SCALE=n    n times as many wakes
 */
#include "host_drive.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static bitactor_posix_t posix;

static const bitactor_host_t *
open_posix(uint32_t flags)
{
	CHECK_EQ(bitactor_posix_open(&posix, flags), BITACTOR_OK);
	const bitactor_host_t *host = bitactor_posix_host(&posix);
	CHECK(host != NULL);
	return host;
}

/* ---- answers ------------------------------------------------------------------------- */

static void
no_descriptors(void)
{
	struct rlimit limit = { 0, 0 };
	bool ok = setrlimit(RLIMIT_NOFILE, &limit) == 0;
	errno = EXDEV;
	ok = ok && bitactor_posix_open(&posix, BITACTOR_POSIX_FD) == BITACTOR_IO;
	ok = ok && errno == EXDEV && posix.os_error == EMFILE && bitactor_fd(&posix) == -1;
	ok = ok && bitactor_posix_host(&posix) == NULL;
	_exit(ok && bitactor_posix_close(&posix) == BITACTOR_OK ? 7 : 8);
}

static void
answers(void)
{
	SCENARIO("wrong arguments are answered") {
		CHECK_EQ(bitactor_posix_open(NULL, 0), BITACTOR_ERROR);
		CHECK_EQ(bitactor_posix_open(&posix, 2), BITACTOR_ERROR);
		CHECK(bitactor_posix_host(&posix) == NULL);
		CHECK(bitactor_posix_host(NULL) == NULL);
		CHECK_EQ(bitactor_posix_close(NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_fd(NULL), -1);
		bitactor_fd_clear(NULL);
		CHECK_EXITS(no_descriptors, 7);
	}
	SCENARIO("the table is that of every engine, with park and wake and its own context") {
		const bitactor_host_t *host = open_posix(0), *all = bitactor_host_posix();
		CHECK(host->context == &posix);
		CHECK(host->park != NULL);
		CHECK(host->wake != NULL);
		CHECK(all->park == NULL);
		CHECK(host->now_ns == all->now_ns);
		CHECK(host->contain == all->contain);
		CHECK(host->watch == all->watch);
		CHECK_EQ(bitactor_fd(&posix), -1);
		bitactor_fd_clear(&posix);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
		CHECK(bitactor_posix_host(&posix) == NULL);
	}
}

/* ---- park and wake --------------------------------------------------------------------- */

static void
one_thread(uint32_t flags)
{
	SCENARIO("a wake that came before ends the park, once") {
		const bitactor_host_t *host = open_posix(flags);
		errno = EXDEV;
		host->wake(host->context);
		host->wake(host->context);
		host->park(host->context, UINT64_MAX); /* would not end without it */
		THEN("the next one waits for its deadline, which is the time of now_ns");
		uint64_t deadline_ns = host->now_ns(host->context) + 20000000, now_ns;
		do {
			host->park(host->context, deadline_ns);
			now_ns = host->now_ns(host->context);
			/* it may come back for no reason, but never needs a wake */
		} while (now_ns < deadline_ns);
		AND("a deadline that is past does not wait at all");
		host->park(host->context, 0);
		host->park(host->context, deadline_ns);
		CHECK_EQ(errno, EXDEV);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
	}
}

/* Ping and pong: each side publishes a number, wakes the other and parks. */
static bitactor_posix_t sides[2];
static _Atomic uint64_t published[2];
static uint64_t rounds;

static void
wait_for(int side, uint64_t number)
{
	const bitactor_host_t *host = bitactor_posix_host(&sides[side]);
	/* relaxed: it is the wake that must order it, and the look before the park may fail */
	while (atomic_load_explicit(&published[1 - side], memory_order_relaxed) < number)
		host->park(host->context, UINT64_MAX);
}

static void
tell(int side, uint64_t number)
{
	const bitactor_host_t *other = bitactor_posix_host(&sides[1 - side]);
	/* relaxed: as above */
	atomic_store_explicit(&published[side], number, memory_order_relaxed);
	other->wake(other->context);
}

static void *
pong(void *nothing)
{
	for (uint64_t i = 1; i <= rounds; i++) {
		wait_for(1, i);
		tell(1, i);
	}
	return nothing;
}

static void
ping_pong(uint32_t flags)
{
	SCENARIO("two threads wake each other in turn; none sleeps for ever") {
		rounds = drive_scale(100000);
		for (int side = 0; side < 2; side++) {
			CHECK_EQ(bitactor_posix_open(&sides[side], flags), BITACTOR_OK);
			atomic_store_explicit(&published[side], 0, memory_order_relaxed);
		}
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, pong, NULL), 0);
		for (uint64_t i = 1; i <= rounds; i++) {
			tell(0, i);
			wait_for(0, i);
		}
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(atomic_load_explicit(&published[1], memory_order_relaxed), rounds);
		for (int side = 0; side < 2; side++)
			CHECK_EQ(bitactor_posix_close(&sides[side]), BITACTOR_OK);
	}
}

/* Plain memory, so TSan sees whether the wake orders it. */
static uint64_t letter;

static void *
write_letter(void *nothing)
{
	letter = 4711;
	posix.host.wake(posix.host.context);
	return nothing;
}

static void
ordered(void)
{
	SCENARIO("what was written before a wake is seen after the park that it ended") {
		const bitactor_host_t *host = open_posix(0);
		letter = 0;
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, write_letter, NULL), 0);
		/* relaxed: only to know which park it was; nothing else reads the word so */
		uint32_t state;
		while (state = __atomic_load_n(&posix.state, __ATOMIC_RELAXED), state == 0)
			(void)sched_yield();
		host->park(host->context, UINT64_MAX);
		CHECK_EQ(letter, 4711);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
	}
}

static void
wake_in_handler(int number)
{
	(void)number;
	posix.host.wake(posix.host.context);
}

static void *
signal_main(void *main_thread)
{
	(void)usleep(20000);
	(void)pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
	return NULL;
}

static void
from_handlers(void)
{
	SCENARIO("a signal handler may wake, also the thread that it interrupts") {
		struct sigaction action;
		memset(&action, 0, sizeof action);
		action.sa_handler = wake_in_handler;
		action.sa_flags = SA_RESTART; /* the wait goes on behind it, unless woken */
		CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
		const bitactor_host_t *host = open_posix(BITACTOR_POSIX_FD);
		pthread_t thread, self = pthread_self();
		CHECK_EQ(pthread_create(&thread, NULL, signal_main, &self), 0);
		host->park(host->context, UINT64_MAX);
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
	}
}

/* ---- the descriptor -------------------------------------------------------------------- */

static bool
is_readable(void)
{
	struct pollfd wanted = { .fd = bitactor_fd(&posix), .events = POLLIN };
	return poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLIN) != 0;
}

static void *
wake_many(void *nothing)
{
	for (uint64_t i = 1; i <= rounds; i++) {
		/* relaxed: as in tell() */
		atomic_store_explicit(&published[0], i, memory_order_relaxed);
		posix.host.wake(posix.host.context);
		if (i % 64 == 0)
			(void)sched_yield();
	}
	return nothing;
}

static void
descriptor(void)
{
	SCENARIO("it is readable from the wake until it is cleared") {
		const bitactor_host_t *host = open_posix(BITACTOR_POSIX_FD);
		CHECK(bitactor_fd(&posix) >= 0);
		CHECK(!is_readable());
		errno = EXDEV;
		host->wake(host->context);
		CHECK(is_readable());
		host->wake(host->context);
		CHECK(is_readable());
		bitactor_fd_clear(&posix);
		CHECK(!is_readable());
		bitactor_fd_clear(&posix);
		host->wake(host->context);
		CHECK(is_readable());
		AND("a park uses it up, too");
		host->park(host->context, UINT64_MAX);
		CHECK(!is_readable());
		CHECK_EQ(errno, EXDEV);
		int fd = bitactor_fd(&posix);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
		CHECK_EQ(bitactor_fd(&posix), -1);
		CHECK_EQ(close(fd), -1);
	}
	SCENARIO("in poll(): whoever clears first and looks then misses nothing") {
		(void)open_posix(BITACTOR_POSIX_FD);
		rounds = drive_scale(100000);
		atomic_store_explicit(&published[0], 0, memory_order_relaxed);
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, wake_many, NULL), 0);
		uint64_t seen = 0, polls = 0;
		while (seen < rounds) {
			struct pollfd wanted = { .fd = bitactor_fd(&posix), .events = POLLIN };
			CHECK_EQ(poll(&wanted, 1, -1), 1);
			bitactor_fd_clear(&posix);
			seen = atomic_load_explicit(&published[0], memory_order_relaxed);
			polls++;
		}
		CHECK_EQ(pthread_join(thread, NULL), 0);
		printf("         %" PRIu64 " wakes in %" PRIu64 " polls\n", rounds, polls);
		CHECK_EQ(seen, rounds);
		CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
	}
}

/* ---- barrier ---------------------------------------------------------------------------- */

/* The store-buffer litmus: each side stores, then looks at the other's.  One has a
 * barrier, the other only the order of its program; both missing each other is lost. */
static _Atomic uint64_t sleeper_round, producer_round, producer_saw, go;

/* Where there is only one CPU to be had, the other side needs it. */
static void
linger(unsigned *turns)
{
	if (++*turns % 1024 == 0)
		(void)sched_yield();
}

static void *
produce(void *nothing)
{
	unsigned turns = 0;
	for (uint64_t i = 1;; i++) {
		uint64_t gone;
		/* acquire, release: the rounds begin and end together; relaxed: the litmus */
		while (gone = atomic_load_explicit(&go, memory_order_acquire), gone < i)
			linger(&turns);
		if (gone == UINT64_MAX)
			return nothing;
		atomic_store_explicit(&producer_round, i, memory_order_relaxed);
		__asm__ volatile("" : : : "memory");
		uint64_t saw = atomic_load_explicit(&sleeper_round, memory_order_relaxed);
		atomic_store_explicit(&producer_saw, i << 1 | (saw == i), memory_order_release);
	}
}

/* Rounds that both sides missed. */
static uint64_t
sleep_against_producer(const bitactor_host_t *host)
{
	unsigned turns = 0;
	uint64_t lost = 0, other, i = 1, end_ns = host->now_ns(NULL) + UINT64_C(2000000000);
	/* where CPUs are scarce a round takes long: as many as two seconds have room for */
	for (rounds = drive_scale(100000); i <= rounds && host->now_ns(NULL) < end_ns; i++) {
		atomic_store_explicit(&go, i, memory_order_release);
		/* the go takes its time to the other side: meet it there */
		for (uint64_t k = i % 256; k != 0; k--)
			__asm__ volatile("" : : : "memory");
		atomic_store_explicit(&sleeper_round, i, memory_order_relaxed);
		CHECK(host->barrier(host->context));
		uint64_t saw = atomic_load_explicit(&producer_round, memory_order_relaxed);
		while (other = atomic_load_explicit(&producer_saw, memory_order_acquire),
		       other >> 1 != i)
			linger(&turns);
		lost += saw != i && (other & 1) == 0;
	}
	atomic_store_explicit(&go, UINT64_MAX, memory_order_release);
	printf("         %" PRIu64 " rounds\n", i - 1);
	return lost;
}

static void
barrier(void)
{
	const bitactor_host_t *host = bitactor_host_posix();
	SCENARIO("the sleeper's barrier is enough for a producer that has none") {
		errno = EXDEV;
		bool there = host->barrier(host->context);
		CHECK_EQ(errno, EXDEV);
		CHECK(!DRIVE_TSAN || !there);
		if (!there) {
			printf("         (no barrier here)\n");
			continue;
		}
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, produce, NULL), 0);
		CHECK_EQ(sleep_against_producer(host), 0);
		CHECK_EQ(pthread_join(thread, NULL), 0);
	}
}

int
main(void)
{
	if (bitactor_posix_open(&posix, 0) == BITACTOR_UNSUPPORTED) {
		printf("nobody parks on this system\n");
		return 77;
	}
	CHECK_EQ(bitactor_posix_close(&posix), BITACTOR_OK);
	answers();
	one_thread(0);
	one_thread(BITACTOR_POSIX_FD);
	ordered();
	from_handlers();
	ping_pong(0);
	ping_pong(BITACTOR_POSIX_FD);
	descriptor();
	barrier();
	return bdd_close();
}
