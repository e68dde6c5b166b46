/* SPDX-License-Identifier: Apache-2.0 */
/* test_host_contain.c -- what faults in a contained dispatch is taken back, nothing else.
 *
 * What must kill is tried in children, and the signal that killed them is looked at.
 *      --seed N    repeat a run        BA_SCALE=n    n times as many faults
 */
#include "host_drive.h"

#include "../../../bitactor/src/internal/fiber.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint64_t seed;
static drive_t  drive;

/* ---- handlers --------------------------------------------------------------------- */

static DRIVE_NOINLINE void
add(drive_t *d, uint64_t argument)
{
	d->cell += argument;
	d->staged = argument;
}

static volatile char *cut_page; /* mapped behind the end of its file */

static DRIVE_NOINLINE void
bus(drive_t *d, uint64_t argument)
{
	(void)argument;
	d->cell = 0xDEAD;
	cut_page[0] = 1;
}

static DRIVE_NOINLINE void
ill(drive_t *d, uint64_t argument)
{
	(void)argument;
	d->cell = 0xDEAD;
#if defined(__x86_64__)
	__asm__ volatile("ud2");
#else
	__asm__ volatile("udf #0");
#endif
}

/* AArch64 divides by zero without a word: there it is another SIGSEGV. */
static DRIVE_NOINLINE void
fpe(drive_t *d, uint64_t argument)
{
	d->cell = 0xDEAD;
#if defined(__x86_64__)
	(void)argument;
	int high = 0, low = 1, zero = 0;
	__asm__ volatile("idivl %2" : "+d"(high), "+a"(low) : "r"(zero) : "cc");
#else
	drive_segv(d, argument);
#endif
}

#if defined(__x86_64__)
enum { OF_FPE = SIGFPE };
#else
enum { OF_FPE = SIGSEGV };
#endif

/* Not watched by TSan: its stack of calls would overflow first, or ours in its code,
 * where it holds locks. */
static DRIVE_NOINLINE DRIVE_UNWATCHED uint64_t
descend(uint64_t depth)
{
	volatile char frame[4000];
	frame[0] = (char)depth;
	__asm__ volatile("" : : "r"(frame) : "memory"); /* all of it is wanted */
	return depth == UINT64_MAX ? 0 : descend(depth + 1) + (uint64_t)frame[0];
}

static DRIVE_NOINLINE void
overflow(drive_t *d, uint64_t argument)
{
	d->cell = 0xDEAD;
	d->staged = descend(argument % 7);
}

/* ---- every kind of fault ----------------------------------------------------------- */

static void
map_cut_page(void)
{
	char name[] = "/tmp/bitactor-test-XXXXXX";
	long page_bytes = sysconf(_SC_PAGESIZE);
	int fd = mkstemp(name);
	CHECK(fd >= 0);
	CHECK_EQ(unlink(name), 0);
	cut_page = mmap(NULL, (size_t)page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(cut_page != MAP_FAILED);
	CHECK_EQ(close(fd), 0);
}

static void
each_kind(void)
{
	SCENARIO("a fault is named, and its address given") {
		GIVEN("handlers that fault in each way");
		WHEN("each is run by itself");
		THEN("the run comes back with signal and address; the next handler works");
		drive_open(&drive, 0);
		drive.cell = 7;
		bitactor_outcome_t outcome = drive_one(&drive, drive_segv, 33);
		CHECK_EQ(outcome.what, BITACTOR_FAULTED);
		CHECK_EQ(outcome.signal, SIGSEGV);
		CHECK_EQ(outcome.address, (uintptr_t)drive_no_page() + 33);
		CHECK_EQ(drive.watched.busy, 0);
		CHECK_EQ(drive.watched.host[0], 0);
		outcome = drive_one(&drive, bus, 0);
		CHECK_EQ(outcome.what, BITACTOR_FAULTED);
		CHECK_EQ(outcome.signal, SIGBUS);
		CHECK_EQ(outcome.address, (uintptr_t)cut_page);
		outcome = drive_one(&drive, ill, 0);
		CHECK_EQ(outcome.what, BITACTOR_FAULTED);
		CHECK_EQ(outcome.signal, SIGILL);
		outcome = drive_one(&drive, fpe, 0);
		CHECK_EQ(outcome.what, BITACTOR_FAULTED);
		CHECK_EQ(outcome.signal, OF_FPE);
		outcome = drive_one(&drive, overflow, 0);
		CHECK_EQ(outcome.what, BITACTOR_FAULTED);
		CHECK_EQ(outcome.signal, SIGSEGV);
		CHECK_EQ(drive_one(&drive, add, 5).what, BITACTOR_RETURNED);
		CHECK_EQ(drive.cell, 12);
		CHECK_EQ(drive.sum, 5);
	}
}

static void
mixed(void)
{
	static drive_handler_t *const kinds[] = { add, drive_segv, add, bus, ill, add, fpe,
		                                  overflow };
	SCENARIO("thousands in mixed order, many in a turn; every one is accounted for") {
		uint64_t count = drive_scale(5000), state = seed, ok = 0, sum = 0;
		GIVEN("turns of 8 dispatches each, of good and faulting handlers");
		drive_open(&drive, 0);
		WHEN("they run");
		for (uint64_t i = 0; i < count; i++) {
			uint64_t random = drive_random(&state), argument = random >> 40;
			drive_handler_t *handler = kinds[random % 8];
			if (handler == overflow && random % 64 != 7)
				handler = add; /* each touches a whole stack */
			ok += handler == add;
			sum += handler == add ? argument : 0;
			drive_add(&drive, handler, argument);
			if (i % 8 == 7)
				drive_turn(&drive);
		}
		drive_turn(&drive);
		THEN("the good ones and only they took hold");
		CHECK_EQ(drive.completed, ok);
		CHECK_EQ(drive.faulted, count - ok);
		CHECK_EQ(drive.abandoned, 0);
		CHECK_EQ(drive.sum, sum);
		CHECK_EQ(drive.cell, sum);
	}
}

/* ---- as it was before -------------------------------------------------------------- */

static DRIVE_NOINLINE void
disarrange(drive_t *d, uint64_t argument)
{
	sigset_t all;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	(void)sigemptyset(&all);
	/* the faults themselves must not be blocked: the kernel would kill */
	(void)sigaddset(&all, SIGSEGV);
	(void)pthread_sigmask(SIG_UNBLOCK, &all, NULL);
#if defined(__x86_64__)
	_mm_setcsr(0x1F80 | 0xE000); /* toward zero, and to zero */
	volatile char *page = drive_no_page();
	__asm__ volatile("fld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\tfld1\n\t"
	                 "std\n\tmovb $1, (%0)\n\tcld"
	                 :
	                 : "r"(page)
	                 : "memory");
	(void)d, (void)argument;
#else
	__asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(3) << 22));
	drive_segv(d, argument);
#endif
}

static uint64_t
control_bits(void)
{
#if defined(__x86_64__)
	uint16_t x87;
	uint64_t flags;
	__asm__ volatile("fnstcw %0" : "=m"(x87));
	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags));
	return (uint64_t)_mm_getcsr() << 32 | (flags & 0x400) << 16 | x87;
#else
	uint64_t fpcr;
	__asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
	return fpcr;
#endif
}

static void
as_before(void)
{
	SCENARIO("mask, rounding, x87 stack and direction are as before the call") {
		GIVEN("a thread that blocks SIGUSR2 and a handler that disarranges all it can");
		sigset_t usr2, before, after;
		(void)sigemptyset(&usr2);
		(void)sigaddset(&usr2, SIGUSR2);
		CHECK_EQ(pthread_sigmask(SIG_BLOCK, &usr2, NULL), 0);
		CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
		uint64_t bits = control_bits();
		WHEN("it faults");
		drive_open(&drive, 0);
		errno = EXDEV;
		CHECK_EQ(drive_one(&drive, disarrange, 0).what, BITACTOR_FAULTED);
		THEN("nothing of it is left");
		CHECK_EQ(errno, EXDEV);
		CHECK_EQ(control_bits(), bits);
		CHECK_EQ(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
		CHECK(sigismember(&after, SIGUSR2) == 1);
		for (int number = 1; number < 32; number++)
			CHECK_EQ(sigismember(&after, number), sigismember(&before, number));
		volatile long double one = 1.0L, third = one / 3.0L;
		CHECK(third * 3.0L == one); /* eight values on the x87 stack would make it NaN */
		volatile char text[64];
		memset((char *)text, 'x', sizeof text); /* backwards, it would miss */
		CHECK_EQ(text[63], 'x');
		CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &usr2, NULL), 0);
	}
}

/* ---- stacks ------------------------------------------------------------------------ */

enum { THREADS = 4 };
static drive_t drives[THREADS];

static void *
on_thread(void *argument)
{
	drive_t *d = argument;
	for (int i = 0; i < 3; i++) {
		drive_add(d, overflow, 0);
		drive_add(d, drive_segv, (uint64_t)(d - drives)); /* each its own byte */
		drive_add(d, add, 1);
	}
	drive_turn(d);
	stack_t now;
	CHECK_EQ(sigaltstack(NULL, &now), 0);
	CHECK((now.ss_flags & (SS_DISABLE | SS_ONSTACK)) == 0);
	return now.ss_sp;
}

static void
threads_overflow(void)
{
	enum { ROUNDS = 25 };
	SCENARIO("threads that never had an alternate stack overflow their own, together") {
		void *stacks[THREADS] = { NULL };
		GIVEN("a hundred short-lived threads, four at a time");
		for (int round = 0; round < ROUNDS; round++) {
			pthread_t threads[THREADS];
			for (int i = 0; i < THREADS; i++) {
				drive_open(&drives[i], 0);
				int rc = pthread_create(&threads[i], NULL, on_thread, &drives[i]);
				CHECK_EQ(rc, 0);
			}
			for (int i = 0; i < THREADS; i++) {
				CHECK_EQ(pthread_join(threads[i], &stacks[i]), 0);
				CHECK_EQ(drives[i].faulted, 6);
				CHECK_EQ(drives[i].sum, 3);
			}
		}
		THEN("each goes on, and the stacks they were given are gone with them");
		for (int i = 0; i < THREADS; i++) {
			CHECK(stacks[i] != NULL);
			CHECK_EQ(msync(stacks[i], 4096, MS_ASYNC), -1); /* not mapped */
			CHECK_EQ(errno, ENOMEM);
		}
	}
	SCENARIO("a thread that brought its own alternate stack keeps it") {
		static char stack[65536 * 2];
		stack_t own = { .ss_sp = stack, .ss_size = sizeof stack }, before, now;
		CHECK_EQ(sigaltstack(&own, &before), 0);
		drive_open(&drive, 0);
		CHECK_EQ(drive_one(&drive, overflow, 0).what, BITACTOR_FAULTED);
		CHECK_EQ(sigaltstack(&before, &now), 0);
		CHECK(now.ss_sp == stack);
	}
}

enum { FIBER_BYTES = 65536, GUARD_BYTES = 65536 };

static ba_fiber_t home, fiber;
static char *fiber_block;

static ba_fiber_t *
in_fiber(void *argument)
{
	drive_handler_t *handler = *(drive_handler_t **)argument;
	handler(&drive, 0);
	return &home;
}

static DRIVE_NOINLINE void
run_in_fiber(drive_t *d, uint64_t argument)
{
	static drive_handler_t *handler;
	(void)d;
	handler = argument == 0 ? overflow : argument == 1 ? drive_segv : add;
	ba_fiber_adopt_thread(&home);
	ba_fiber_prepare(&fiber, fiber_block + GUARD_BYTES, FIBER_BYTES, in_fiber, &handler);
	ba_fiber_switch(&home, &fiber);
	ba_fiber_release(&fiber);
}

static void
fibers_fault(void)
{
	SCENARIO("a fiber overflows its stack: the thread goes on where contain was called") {
		if (!ba_fiber_supported())
			continue;
		uint64_t rounds = drive_scale(500);
		GIVEN("a stack of 64 KiB above a guard");
		drive_open(&drive, 0);
		const bitactor_host_t *host = drive.host;
		fiber_block = aligned_alloc(GUARD_BYTES, GUARD_BYTES + FIBER_BYTES);
		CHECK(fiber_block != NULL);
		CHECK(host->protect(host->context, fiber_block, GUARD_BYTES, true));
		WHEN("handlers on it overflow, fault, and work, in turn");
		for (uint64_t i = 0; i < rounds; i++)
			for (uint64_t kind = 0; kind < 3; kind++) {
				drive_one(&drive, run_in_fiber, kind);
				if (kind < 2)
					ba_fiber_release(&fiber); /* thrown away in the middle */
			}
		THEN("each fault came back to the thread's own stack");
		CHECK_EQ(drive.faulted, 2 * rounds);
		CHECK_EQ(drive.completed, rounds);
		CHECK_EQ(drive_one(&drive, overflow, 0).what, BITACTOR_FAULTED);
		CHECK_EQ(drive_one(&drive, add, 1).what, BITACTOR_RETURNED);
		CHECK(host->protect(host->context, fiber_block, GUARD_BYTES, false));
		free(fiber_block);
	}
}

/* ---- one in the other -------------------------------------------------------------- */

static drive_t inner;

static DRIVE_NOINLINE void
drive_the_inner(drive_t *d, uint64_t argument)
{
	uint64_t faulted = inner.faulted;
	drive_add(&inner, drive_segv, 1);
	drive_add(&inner, add, 1);
	drive_add(&inner, overflow, 1);
	drive_turn(&inner);
	d->cell += inner.faulted - faulted;
	if (argument == 1)
		drive_segv(d, 0);
}

static void
uncontained_inside(void)
{
	inner.is_contained = false;
	drive_one(&drive, drive_the_inner, 0);
}

static void
nested(void)
{
	SCENARIO("a handler that drives another engine") {
		drive_open(&drive, 0);
		drive_open(&inner, 0);
		GIVEN("an engine whose handler lets two of another's handlers fault");
		WHEN("it returns, and when it then faults itself");
		CHECK_EQ(drive_one(&drive, drive_the_inner, 0).what, BITACTOR_RETURNED);
		CHECK_EQ(drive.cell, 2);
		CHECK_EQ(drive_one(&drive, drive_the_inner, 1).what, BITACTOR_FAULTED);
		THEN("each fault came back to its own engine");
		CHECK_EQ(drive.cell, 2);
		CHECK_EQ(drive.faulted, 1);
		CHECK_EQ(inner.faulted, 4);
		CHECK_EQ(inner.completed, 2);
		AND("a fault in one that is not contained does not come back to the outer one");
		CHECK_DIES(uncontained_inside, SIGSEGV);
	}
}

/* ---- what is not ours --------------------------------------------------------------- */

static void
without_bit(void)
{
	drive.is_contained = false;
	drive_one(&drive, drive_segv, 0);
}

static DRIVE_NOINLINE void
fault_in_a_call(drive_t *d, uint64_t argument)
{
	__atomic_store_n(&d->watched.hold, 1, __ATOMIC_RELAXED);
	drive_segv(d, argument);
}

static void
in_engine(void)
{
	drive_one(&drive, fault_in_a_call, 0);
}

static void
after_contain(void)
{
	drive_one(&drive, drive_segv, 0);
	drive.watched.busy = 3;
	drive_segv(&drive, 0);
}

static DRIVE_NOINLINE void
send_segv(drive_t *d, uint64_t argument)
{
	d->cell = argument;
	(void)raise(SIGSEGV);
}

static void
sent(void)
{
	drive_one(&drive, send_segv, 0);
}

static DRIVE_NOINLINE void
wait_for_ever(drive_t *d, uint64_t argument)
{
	(void)d, (void)argument;
	for (;;)
		(void)pause();
}

static void *
fault_on_thread(void *nothing)
{
	/* now, or before it is in there: no matter */
	while (__atomic_load_n(&drive.watched.busy, __ATOMIC_RELAXED) == 0)
		(void)usleep(100);
	drive_segv(&inner, 0);
	return nothing;
}

static void
other_thread(void)
{
	pthread_t thread;
	(void)pthread_create(&thread, NULL, fault_on_thread, NULL);
	drive_one(&drive, wait_for_ever, 0);
}

static DRIVE_NOINLINE void
fault_in_child(drive_t *d, uint64_t argument)
{
	(void)d;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	pid_t child = argument == 0 ? fork() : vfork();
#pragma GCC diagnostic pop
	if (child == 0) {
		drive_no_page()[0] = 1;
		_exit(DRIVE_SURVIVED);
	}
	int status = 0;
	if (child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		d->staged = (uint64_t)WTERMSIG(status);
}

static void
contain_in_child(void)
{
	bool contained = drive_one(&drive, drive_segv, 0).what == BITACTOR_FAULTED;
	_exit(contained ? 7 : 8);
}

static void
not_ours(void)
{
	SCENARIO("everything else dies of its own signal") {
		drive_open(&drive, 0);
		CHECK_EQ(drive_one(&drive, drive_segv, 0).what, BITACTOR_FAULTED);
		CHECK_DIES(without_bit, SIGSEGV);
		CHECK_DIES(in_engine, SIGSEGV);
		CHECK_DIES(after_contain, SIGSEGV);
		CHECK_DIES(sent, SIGSEGV);
		CHECK_DIES(other_thread, SIGSEGV);
	}
	SCENARIO("a child that faults dies alone, by fork and by vfork") {
		drive_open(&drive, 0);
		CHECK_EQ(drive_one(&drive, fault_in_child, 0).what, BITACTOR_RETURNED);
		CHECK_EQ(drive.sum, SIGSEGV);
		CHECK_EQ(drive_one(&drive, fault_in_child, 1).what, BITACTOR_RETURNED);
		CHECK_EQ(drive.sum, 2 * SIGSEGV);
		AND("a child of fork has containment of its own");
		CHECK_EXITS(contain_in_child, 7);
	}
}

int
main(int argc, char **argv)
{
	seed = drive_seed(argc, argv);
	if (bitactor_host_posix()->contain == NULL) {
		printf("nothing is contained on this machine\n");
		return 77;
	}
	drive_begin_process();
	map_cut_page();
	each_kind();
	mixed();
	as_before();
	threads_overflow();
	fibers_fault();
	nested();
	not_ours();
	return bdd_close();
}
