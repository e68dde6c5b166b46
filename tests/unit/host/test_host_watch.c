/* SPDX-License-Identifier: Apache-2.0 */
/* test_host_watch.c -- who is over the limit is taken back or said to be stuck; sums exact.
 *
 * Nothing here depends on how long something takes, but for handlers that never end by
 * themselves: that the test ends at all is then the claim.
 *      --seed N    repeat a run        BA_SCALE=n    n times as many races
 */
#include "host_drive.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <time.h>

static uint64_t seed;
static drive_t  drive;

static bool
watch(drive_t *d, bool on)
{
	return d->host->watch(d->host->context, &d->watched, on);
}

static uint64_t
stuck_of(const drive_t *d)
{
	return __atomic_load_n(&d->watched.stuck, __ATOMIC_RELAXED);
}

static uint64_t
busy_of(const drive_t *d)
{
	return __atomic_load_n(&d->watched.busy, __ATOMIC_RELAXED);
}

/* ---- handlers ----------------------------------------------------------------------- */

static DRIVE_NOINLINE void
loop(drive_t *d, uint64_t argument)
{
	d->cell = 0xDEAD;
	d->staged = argument;
	for (;;)
		__asm__ volatile("" : : : "memory");
}

/* What is taken back in there leaves a block behind: LeakSanitizer is right, and told. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *
__lsan_default_suppressions(void)
{
	return "leak:loop_in_malloc";
}

static DRIVE_NOINLINE void
loop_in_malloc(drive_t *d, uint64_t argument)
{
	d->cell = 0xDEAD;
	while (stuck_of(d) != busy_of(d)) {
		char *block = malloc(argument + 100);
		__asm__ volatile("" : : "r"(block) : "memory");
		free(block);
		for (int i = 0; i < 200; i++) /* a place where it can be left */
			__asm__ volatile("" : : : "memory");
	}
	d->cell = d->before;
}

/* That many rounds in its own code: about as many quarters of a nanosecond. */
static DRIVE_NOINLINE void
work(drive_t *d, uint64_t argument)
{
	for (uint64_t i = argument; i != 0; i--)
		__asm__ volatile("" : : : "memory");
	d->cell += argument;
	d->staged = argument;
}

static DRIVE_NOINLINE void
until_stuck(drive_t *d, uint64_t argument)
{
	while (stuck_of(d) != busy_of(d))
		d->cell |= __atomic_load_n(&d->watched.condemned, __ATOMIC_RELAXED);
	d->staged = argument;
}

static bool may_wake; /* atomic */

static DRIVE_NOINLINE void
pausing(drive_t *d, uint64_t argument)
{
	while (!__atomic_load_n(&may_wake, __ATOMIC_RELAXED))
		(void)pause();
	d->staged = argument;
}

/* ---- taken back --------------------------------------------------------------------- */

static void
endless(void)
{
	SCENARIO("a handler that loops is taken back, and the next one works") {
		enum { ROUNDS = 20 };
		GIVEN("a limit of 2 ms");
		drive_open(&drive, 2000000);
		CHECK(watch(&drive, true));
		WHEN("twenty loop for ever, each followed by one that works");
		for (uint64_t i = 0; i < ROUNDS; i++) {
			bitactor_outcome_t outcome = drive_one(&drive, loop, 1000);
			CHECK_EQ(outcome.what, BITACTOR_ABANDONED);
			CHECK_EQ(outcome.signal, 0);
			CHECK_EQ(busy_of(&drive), 0);
			/* it may be over its limit too, where CPUs are scarce */
			(void)drive_one(&drive, work, 1);
		}
		CHECK(watch(&drive, false));
		THEN("all twenty came back, and only the others took hold");
		CHECK(drive.abandoned >= ROUNDS);
		CHECK_EQ(drive.completed + drive.abandoned, 2 * ROUNDS);
		CHECK_EQ(drive.sum, drive.completed);
		CHECK_EQ(drive.cell, drive.completed);
		CHECK_EQ(stuck_of(&drive), 0);
		AND("a fault is still a fault");
		CHECK_EQ(drive_one(&drive, drive_segv, 0).what, BITACTOR_FAULTED);
	}
	SCENARIO("one that loops in malloc and free leaves them usable") {
		enum { ROUNDS = 20 };
		GIVEN("a handler that is inside the library very often");
		drive_open(&drive, 1000000);
		CHECK(watch(&drive, true));
		WHEN("it loops until it is taken back, or is told that it is stuck");
		for (uint64_t i = 0; i < ROUNDS; i++) {
			(void)drive_one(&drive, loop_in_malloc, i * 50);
			for (size_t bytes = 1; bytes < 100000; bytes *= 3) {
				char *block = malloc(bytes);
				CHECK(block != NULL);
				free(block);
			}
		}
		printf("         %" PRIu64 " of 20 taken back\n", drive.abandoned);
		THEN("it was not left inside: the allocator works on");
		CHECK(drive.abandoned > 0);
		CHECK_EQ(drive.completed + drive.abandoned, ROUNDS);
		CHECK_EQ(drive.cell, 0);
		CHECK(watch(&drive, false));
	}
}

/* Most are short; one in 64 ends about when it is over the limit. */
static void
race(void)
{
	SCENARIO("completed or abandoned, never both and never neither") {
		uint64_t count = drive_scale(200000), state = seed, sum = 0, hasty = 0;
		GIVEN("a limit of 0.1 ms and handlers, one in 64 of which may take longer");
		enum { LIMIT_NS = 100000 };
		drive_open(&drive, LIMIT_NS);
		CHECK(watch(&drive, true));
		WHEN("they race with the watch");
		for (uint64_t i = 0; i < count; i++) {
			uint64_t random = drive_random(&state);
			uint64_t rounds = random >> 32 & 0x3FFF;
			if (random % 64 == 0)
				rounds = (random >> 32 & 0x7FFFF) + 0x40000;
			uint64_t began_ns = drive.host->now_ns(NULL);
			bool done = drive_one(&drive, work, rounds).what == BITACTOR_RETURNED;
			sum += done ? rounds : 0;
			hasty += !done && drive.host->now_ns(NULL) - began_ns < LIMIT_NS;
		}
		CHECK(watch(&drive, false));
		printf("         %" PRIu64 " completed, %" PRIu64 " abandoned\n", drive.completed,
		       drive.abandoned);
		THEN("what completed took hold once, and nothing else did");
		CHECK_EQ(drive.completed + drive.abandoned, count);
		CHECK_EQ(drive.faulted, 0);
		CHECK_EQ(drive.sum, sum);
		CHECK_EQ(drive.cell, sum);
		CHECK(drive.completed > count / 2);
		CHECK(drive.abandoned > 0);
		AND("none that was in time was abandoned");
		CHECK_EQ(hasty, 0);
	}
}

#if defined(__x86_64__) && !DRIVE_TSAN /* which keeps signals back by itself */
/* Unblock the watch's signal, in our own code: one that waits comes before the next
 * instruction, and is not mistaken for one inside the C library. */
static inline void
unblock_here(const sigset_t *mask)
{
	long number = 14; /* rt_sigprocmask */
	register uint64_t bytes __asm__("r10") = 8;
	__asm__ volatile("syscall"
	                 : "+a"(number)
	                 : "D"((long)SIG_UNBLOCK), "S"(mask), "d"(0L), "r"(bytes)
	                 : "rcx", "r11", "memory");
}

/* The signal waits while the condemnation is taken back: so it is late. */
static DRIVE_NOINLINE void
reprieve(drive_t *d, uint64_t argument)
{
	sigset_t urgent, waiting;
	(void)sigemptyset(&urgent);
	(void)sigaddset(&urgent, SIGURG);
	(void)pthread_sigmask(SIG_BLOCK, &urgent, NULL);
	do
		(void)sigpending(&waiting);
	while (!sigismember(&waiting, SIGURG));
	__atomic_store_n(&d->watched.condemned, 0, __ATOMIC_RELAXED);
	unblock_here(&urgent);
	work(d, argument);
}

static void
late_signals(void)
{
	SCENARIO("a signal that comes late abandons nobody") {
		enum { ROUNDS = 20 };
		drive_open(&drive, 500000);
		CHECK(watch(&drive, true));
		for (int i = 0; i < ROUNDS; i++)
			(void)drive_one(&drive, reprieve, 1);
		CHECK(watch(&drive, false));
		CHECK_EQ(drive.completed, ROUNDS);
		CHECK_EQ(drive.sum, ROUNDS);
	}
}
#else
static void
late_signals(void)
{
}
#endif

static void *
own_engine(void *argument)
{
	drive_t *d = argument;
	for (uint64_t i = 0; i < 20; i++) {
		if (!watch(d, true))
			return NULL;
		drive_add(d, i % 2 == 0 ? loop : work, 3);
		drive_add(d, drive_segv, (uint64_t)(uintptr_t)d >> 3);
		drive_turn(d);
		if (!watch(d, false))
			return NULL;
	}
	return d;
}

static void
many_engines(void)
{
	enum { THREADS = 4 };
	static drive_t drives[THREADS];
	SCENARIO("engines on four threads come and go; the watch begins and ends with them") {
		pthread_t threads[THREADS];
		for (int i = 0; i < THREADS; i++) {
			drive_open(&drives[i], 1000000);
			CHECK_EQ(pthread_create(&threads[i], NULL, own_engine, &drives[i]), 0);
		}
		for (int i = 0; i < THREADS; i++) {
			void *done = NULL;
			CHECK_EQ(pthread_join(threads[i], &done), 0);
			CHECK(done == &drives[i]);
			CHECK(drives[i].abandoned >= 10);
			CHECK(drives[i].faulted + drives[i].completed > 0);
			CHECK_EQ(drives[i].faulted + drives[i].completed + drives[i].abandoned, 40);
			CHECK_EQ(drives[i].sum, 3 * drives[i].completed);
		}
	}
}

/* ---- stuck -------------------------------------------------------------------------- */

static void *
wake_when_stuck(void *thread)
{
	while (stuck_of(&drive) == 0)
		(void)usleep(1000);
	uint64_t said = stuck_of(&drive);
	/* long enough for one more signal, if there were one */
	(void)usleep(20000);
	__atomic_store_n(&may_wake, true, __ATOMIC_RELAXED);
	(void)pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return (void *)(uintptr_t)said;
}

static void
do_nothing(int number)
{
	(void)number;
}

static void
stuck(void)
{
	SCENARIO("one that is not contained is said to be stuck, and left alone") {
		drive_open(&drive, 1000000);
		drive.is_contained = false;
		CHECK(watch(&drive, true));
		(void)drive_one(&drive, until_stuck, 5);
		CHECK_EQ(drive.sum, 5);
		CHECK_EQ(stuck_of(&drive), drive.number << 1);
		CHECK_EQ(drive.cell, 0); /* it was never condemned */
		AND("outside contain just the same");
		__atomic_store_n(&drive.watched.stuck, 0, __ATOMIC_RELAXED);
		drive_add(&drive, until_stuck, 6);
		drive_inner(&drive);
		CHECK_EQ(drive.sum, 11);
		CHECK_EQ(stuck_of(&drive), drive.number << 1);
		CHECK(watch(&drive, false));
	}
	SCENARIO("one inside a library call that does not return is stuck, not abandoned") {
		pthread_t waker, self = pthread_self();
		struct sigaction action;
		memset(&action, 0, sizeof action);
		action.sa_handler = do_nothing;
		CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
		drive_open(&drive, 1000000);
		CHECK_EQ(pthread_create(&waker, NULL, wake_when_stuck, &self), 0);
		CHECK(watch(&drive, true));
		bitactor_outcome_t outcome = drive_one(&drive, pausing, 7);
		void *said = NULL;
		CHECK_EQ(pthread_join(waker, &said), 0);
		CHECK(watch(&drive, false));
		CHECK_EQ((uintptr_t)said, drive.number << 1 | 1);
		CHECK_EQ(outcome.what, BITACTOR_RETURNED);
		CHECK_EQ(drive.sum, 7);
		CHECK_EQ(drive.abandoned, 0);
		THEN("it stays said until the engine clears it");
		CHECK_EQ(stuck_of(&drive), drive.number << 1 | 1);
	}
}

static DRIVE_NOINLINE void
hold_until_stuck(drive_t *d, uint64_t argument)
{
	__atomic_store_n(&d->watched.hold, 1, __ATOMIC_RELAXED);
	until_stuck(d, argument);
	__atomic_store_n(&d->watched.hold, 0, __ATOMIC_RELAXED);
}

static drive_t outer;

static DRIVE_NOINLINE void
loop_inside(drive_t *d, uint64_t argument)
{
	/* the outer one is over its limit as well, but it is not its turn */
	while (stuck_of(d) == 0)
		(void)drive_one(&drive, loop, 1);
	d->staged = argument;
}

static void
held(void)
{
	SCENARIO("inside a call into the engine nothing is taken back") {
		drive_open(&drive, 1000000);
		CHECK(watch(&drive, true));
		CHECK_EQ(drive_one(&drive, hold_until_stuck, 3).what, BITACTOR_RETURNED);
		CHECK_EQ(drive.sum, 3);
		CHECK(watch(&drive, false));
	}
	SCENARIO("of two engines, one in the other, only the inner one is taken back") {
		drive_open(&drive, 1000000);
		drive_open(&outer, 1000000);
		CHECK(watch(&drive, true));
		CHECK(watch(&outer, true));
		CHECK_EQ(drive_one(&outer, loop_inside, 4).what, BITACTOR_RETURNED);
		CHECK_EQ(outer.sum, 4);
		CHECK(drive.abandoned > 0);
		CHECK_EQ(outer.abandoned, 0);
		CHECK(watch(&outer, false));
		CHECK(watch(&drive, false));
	}
}

/* ---- coming and going ---------------------------------------------------------------- */

/* Threads that bear the watch's name. */
static unsigned
count_watches(void)
{
	unsigned count = 0;
	DIR *tasks = opendir("/proc/self/task");
	for (struct dirent *task; tasks != NULL && (task = readdir(tasks)) != NULL;) {
		char path[300], name[32] = "";
		(void)snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
		FILE *file = fopen(path, "r");
		count += file != NULL && fgets(name, sizeof name, file) != NULL &&
		         strcmp(name, "bitactor-watch\n") == 0;
		if (file != NULL)
			(void)fclose(file);
	}
	if (tasks != NULL)
		(void)closedir(tasks);
	return count;
}

/* It has no name at first, and is still listed a moment after it ended: in the end. */
static bool
are_watches(unsigned wanted)
{
	for (int i = 0; i < 10000; i++) {
		if (count_watches() == wanted)
			return true;
		(void)usleep(1000);
	}
	return false;
}

static void
watch_in_child(void)
{
	static drive_t other;
	drive_open(&other, 1000000);
	bool refused = !watch(&other, true) && !watch(&drive, false);
	_exit(refused ? 7 : 8);
}

static void
come_and_go(void)
{
	SCENARIO("a thread while there is somebody to watch, and none before and after") {
		static drive_t second;
		drive_open(&drive, 1000000);
		drive_open(&second, 5000000);
		CHECK(are_watches(0));
		errno = EXDEV;
		CHECK(!watch(&drive, false));
		CHECK(watch(&drive, true));
		CHECK(watch(&drive, true)); /* twice is once */
		CHECK(watch(&second, true));
		CHECK_EQ(errno, EXDEV);
		CHECK(are_watches(1));
		CHECK_EXITS(watch_in_child, 7);
		CHECK(watch(&drive, false));
		CHECK(!watch(&drive, false));
		CHECK(are_watches(1));
		CHECK_EQ(drive_one(&second, loop, 0).what, BITACTOR_ABANDONED);
		CHECK(watch(&second, false));
		CHECK(are_watches(0));
		AND("no limit is nothing to watch");
		drive_open(&drive, 0);
		CHECK(!watch(&drive, true));
		CHECK(!drive.host->watch(drive.host->context, NULL, true));
		CHECK(are_watches(0));
	}
}

/* The child stops itself inside a handler and is let go on later. */
static DRIVE_NOINLINE void
stop_here(drive_t *d, uint64_t argument)
{
	(void)usleep(150000); /* the watch sees it before the stop */
	(void)kill(getpid(), SIGSTOP);
	work(d, argument);
}

static void
stopped_process(void)
{
	SCENARIO("a process that was stopped for longer than the limit blames nobody") {
		GIVEN("a limit of 0.4 s and a handler that is stopped for 0.8 s");
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			drive_open(&drive, 400000000);
			bool ok = watch(&drive, true);
			ok = drive_one(&drive, stop_here, 10000000).what == BITACTOR_RETURNED && ok;
			_exit(ok && stuck_of(&drive) == 0 && watch(&drive, false) ? 7 : 8);
		}
		int status = 0;
		CHECK(child > 0 && waitpid(child, &status, WUNTRACED) == child);
		CHECK(WIFSTOPPED(status));
		(void)usleep(800000);
		CHECK_EQ(kill(child, SIGCONT), 0);
		CHECK(waitpid(child, &status, 0) == child);
		THEN("it returned by itself");
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), 7);
	}
}

int
main(int argc, char **argv)
{
	seed = drive_seed(argc, argv);
	if (bitactor_host_posix()->watch == NULL) {
		printf("nothing is watched on this machine\n");
		return 77;
	}
	drive_begin_process();
	(void)drive_no_page();
	stopped_process();
	stuck();
	if (!DRIVE_LEAVES_PROGRAM) {
		printf("a sanitizer in the program itself: nothing in it is abandoned\n");
		return bdd_close();
	}
	come_and_go();
	endless();
	race();
	late_signals();
	many_engines();
	held();
	return bdd_close();
}
