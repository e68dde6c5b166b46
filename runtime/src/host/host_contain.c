/* SPDX-License-Identifier: Apache-2.0 */
/* host_contain.c -- a call from which the thread comes back, whatever happens in it.
 *
 *      contain()      the recovery point: jmp_buf, mask, control bits
 *        enter()      . . . . . . . . . . . . . . . . . . . . . . . . . . . sp
 *          run()
 *            a handler: fault!  ---> signal handler, on the alternate stack:
 *                                    pc = landing, sp; returns
 *        landing()    <-------------------'  control bits, then _longjmp
 *      contain()      puts the mask back, returns what happened
 *
 * The signal handler jumps nowhere: it rewrites the context that it interrupted and
 * returns, so the kernel's idea of the signal ends as usual, and the alternate stack is
 * free again.  The landing jumps up, from just below the frame it goes to, which is
 * what checks of longjmp want to see.
 *
 * It is decided on the dispatching thread itself, which is inside the signal handler
 * then and does nothing else: `busy` says a contained dispatch or it does not.
 *
 * Points of one thread are a stack.  Only the innermost counts: what is between it and
 * an outer one belongs to another engine, whose lock would stay taken.  A point that is
 * spent is off the stack before the context is rewritten, so a fault in the landing
 * is nobody's, and a signal that comes late finds nothing.
 *
 * After vfork a child runs on our memory, thread-locals included; after fork it has a
 * copy.  Both have another thread id, so their faults are theirs.
 *
 * Not done: destructors of the frames between, locks that the handler took, files it
 * opened.  A fault inside the C library is contained too, and leaves what it held.
 */
#include "host_private.h"
#include "host_machine.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef BA_HOST_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
void __asan_handle_no_return(void);
#endif
#ifdef BA_HOST_TSAN
#include <sanitizer/tsan_interface.h>
/* The same here; but TSan knows only this one, and must forget the calls in between. */
#define _longjmp longjmp
#endif

#ifdef BA_HOST_MACHINE

/* Above what the kernel itself needs; the sanitizers' part of a handler is large. */
enum { STACK_BYTES = 65536 };

struct recovery {
	jmp_buf env;
	struct recovery    *outer;
	bitactor_watched_t *watched;
	uintptr_t           sp;   /* below it nothing is needed any more     */
	pid_t               tid;  /* of the thread whose stack this is       */
	sigset_t            mask; /* of signals, at the call                 */
	ba_control_t        control;
#ifdef BA_HOST_ASAN
	const void *stack_low;    /* of the stack that contain was called on */
	size_t      stack_bytes;
#endif
#ifdef BA_HOST_TSAN
	void *fiber;
#endif
};

/* Of this thread.  initial-exec: another model may allocate at first use, and the
 * first use may be in a signal handler. */
static _Thread_local __attribute__((tls_model("initial-exec"))) struct {
	_Atomic(struct recovery *) innermost;
	struct recovery   *landing; /* the spent point whose landing is under way   */
	uintptr_t          left_sp; /* where the thread was when it was taken away  */
	bitactor_outcome_t outcome; /* of the last point that was spent             */
	pid_t              tid;     /* 0: not prepared                              */
	void              *stack;   /* the alternate stack, if it is ours           */
	size_t             stack_bytes;
} self;

static pthread_key_t  at_thread_end;
static pthread_once_t installed = PTHREAD_ONCE_INIT;

/* ---- taking the thread away ---------------------------------------------------------- */

/* Tell the tools that the frames below `point` are gone, and a fiber's stack left. */
BA_HOST_PLAIN_INLINE void
tell_tools(const struct recovery *point)
{
	(void)point;
#ifdef BA_HOST_ASAN
	uintptr_t low = (uintptr_t)point->stack_low;
	if (self.left_sp < low || self.left_sp - low >= point->stack_bytes) {
		__sanitizer_start_switch_fiber(NULL, point->stack_low, point->stack_bytes);
		__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
	}
	/* A stack without end is not walked through: 64 MiB are more than it may be. */
	enum { MOST = 1 << 26 };
	if (point->sp - low > MOST)
		low = point->sp - MOST;
	__asan_unpoison_memory_region((const void *)low, point->sp - low);
	__asan_handle_no_return();
#endif
#ifdef BA_HOST_TSAN
	if (__tsan_get_current_fiber() != point->fiber)
		__tsan_switch_to_fiber(point->fiber, 0);
#endif
}

/* An ordinary function of the thread, but nobody called it. */
static BA_HOST_PLAIN _Noreturn void
landing(void)
{
	struct recovery *point = self.landing;
	ba_control_load(&point->control);
	tell_tools(point);
	_longjmp(point->env, 1);
}

/* The point whose dispatch this thread runs and may be taken from; else NULL. */
static struct recovery *
point_in_reach(void)
{
	/* acquire: pairs with the release in enter(), so the point is complete */
	struct recovery *point = atomic_load_explicit(&self.innermost, memory_order_acquire);
	if (point == NULL || point->tid != (pid_t)syscall(SYS_gettid))
		return NULL;
	/* relaxed: this very thread wrote them */
	uint64_t busy = __atomic_load_n(&point->watched->busy, __ATOMIC_RELAXED);
	uint64_t hold = __atomic_load_n(&point->watched->hold, __ATOMIC_RELAXED);
	return (busy & 1) != 0 && hold == 0 ? point : NULL;
}

static void
divert(struct recovery *point, ucontext_t *context, bitactor_outcome_t outcome)
{
	self.landing = point;
	self.left_sp = ba_context_sp(context);
	self.outcome = outcome;
	/* relaxed: read on this thread alone, after this handler */
	atomic_store_explicit(&self.innermost, NULL, memory_order_relaxed);
	ba_context_divert(context, (uintptr_t)landing, point->sp);
}

/* For each that is condemned, also where it is not the innermost. */
void
ba_contain_count_try(void)
{
	/* acquire: as in point_in_reach() */
	const struct recovery *point = atomic_load_explicit(&self.innermost, memory_order_acquire);
	if (point == NULL || point->tid != (pid_t)syscall(SYS_gettid))
		return;
	for (; point != NULL; point = point->outer) {
		/* relaxed: numbers; this thread alone counts up */
		bitactor_watched_t *watched = point->watched;
		if (__atomic_load_n(&watched->condemned, __ATOMIC_RELAXED) != 0)
			(void)__atomic_fetch_add(&watched->host[BA_WATCHED_TRIES], 1,
			                         __ATOMIC_RELAXED);
	}
}

bool
ba_contain_abandon(void *context)
{
	struct recovery *point = point_in_reach();
	if (point == NULL)
		return false;
	/* relaxed: as above.  The swap: either we take it or the watch thread says that
	 * it is stuck, whoever clears `condemned` first */
	uint64_t busy = __atomic_load_n(&point->watched->busy, __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(&point->watched->condemned, &busy, 0, false,
	                                 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	divert(point, context, (bitactor_outcome_t){ .what = BITACTOR_ABANDONED });
	return true;
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	struct recovery *point = ba_signal_is_fault(number, info) ? point_in_reach() : NULL;
	if (point != NULL)
		divert(point, context,
		       (bitactor_outcome_t){ .what = BITACTOR_FAULTED,
		                             .signal = number,
		                             .address = (uint64_t)(uintptr_t)info->si_addr });
	else
		ba_signal_chain(number, info, context);
	errno = saved_errno;
}

/* ---- once a process, once a thread --------------------------------------------------- */

/* Not while it is armed: the next fault would be written where it was. */
static void
give_stack_back(void *stack)
{
	stack_t now;
	if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack) {
		stack_t none = { .ss_flags = SS_DISABLE };
		(void)sigaltstack(&none, NULL);
	}
	(void)munmap(stack, self.stack_bytes);
	self.stack = NULL;
	self.tid = 0;
}

/* The thread that called fork goes on in the child under another id. */
static void
in_child(void)
{
	self.tid = 0;
}

static void
install(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		ba_signal_install(faults[i], on_fault, 0);
	(void)pthread_key_create(&at_thread_end, give_stack_back);
	(void)pthread_atfork(NULL, NULL, in_child);
}

/* A stack that has overflowed cannot hold the frame of a signal.  Without memory for
 * another one, all but that is still contained. */
static void
take_stack(void)
{
	stack_t stack;
	if (self.stack != NULL || sigaltstack(NULL, &stack) != 0 ||
	    (stack.ss_flags & SS_DISABLE) == 0)
		return;
	size_t bytes = STACK_BYTES + (size_t)getauxval(AT_MINSIGSTKSZ);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (memory == MAP_FAILED)
		return;
	stack = (stack_t){ .ss_sp = memory, .ss_size = bytes };
	if (pthread_setspecific(at_thread_end, memory) != 0 || sigaltstack(&stack, NULL) != 0) {
		(void)pthread_setspecific(at_thread_end, NULL);
		(void)munmap(memory, bytes);
		return;
	}
	self.stack = memory;
	self.stack_bytes = bytes;
}

static __attribute__((noinline, cold)) void
prepare_thread(void)
{
	int saved_errno = errno;
	(void)pthread_once(&installed, install);
	take_stack();
	self.tid = (pid_t)syscall(SYS_gettid);
	errno = saved_errno;
}

/* ---- the call ------------------------------------------------------------------------ */

#ifdef BA_HOST_ASAN
/* ASan tells where a stack is only when it is left: so leave it, and come back. */
static BA_HOST_PLAIN void
ask_stack(struct recovery *point)
{
	void *fake = NULL;
	__sanitizer_start_switch_fiber(&fake, point, sizeof *point);
	__sanitizer_finish_switch_fiber(fake, &point->stack_low, &point->stack_bytes);
	__sanitizer_start_switch_fiber(&fake, point->stack_low, point->stack_bytes);
	__sanitizer_finish_switch_fiber(fake, NULL, NULL);
}
#endif

static void
make_point(struct recovery *point, bitactor_watched_t *watched)
{
	if (self.tid == 0)
		prepare_thread();
	/* relaxed: this thread's own */
	point->outer = atomic_load_explicit(&self.innermost, memory_order_relaxed);
	point->watched = watched;
	point->tid = self.tid;
	(void)pthread_sigmask(SIG_BLOCK, NULL, &point->mask);
	ba_control_store(&point->control);
#ifdef BA_HOST_ASAN
	ask_stack(point);
#endif
#ifdef BA_HOST_TSAN
	point->fiber = __tsan_get_current_fiber();
#endif
	/* release: pairs with the acquire of the watch thread, which signals that thread */
	__atomic_store_n(&watched->host[BA_WATCHED_TID], (uint64_t)point->tid, __ATOMIC_RELEASE);
}

/* A frame of its own: all that lies deeper may go. */
static __attribute__((noinline)) void
enter(struct recovery *point, void (*run)(void *argument), void *argument)
{
	point->sp = (uintptr_t)__builtin_frame_address(0);
	/* release: pairs with the acquire in point_in_reach(), in a signal handler */
	atomic_store_explicit(&self.innermost, point, memory_order_release);
	run(argument);
	/* relaxed: `busy` is 0, so the point is out of reach already */
	atomic_store_explicit(&self.innermost, point->outer, memory_order_relaxed);
}

/* After the landing: the dispatch is over, the outer point counts again.  The mask of
 * signals is put back here: valgrind takes none from a context. */
static bitactor_outcome_t
settle(struct recovery *point)
{
	(void)pthread_sigmask(SIG_SETMASK, &point->mask, NULL);
	/* release: pairs with the watch thread's acquire of the thread id, below */
	__atomic_store_n(&point->watched->busy, 0, __ATOMIC_RELEASE);
	/* release: pairs with the acquire in point_in_reach() */
	atomic_store_explicit(&self.innermost, point->outer, memory_order_release);
	return self.outcome;
}

bitactor_outcome_t
ba_host_contain(void *context, bitactor_watched_t *watched, void (*run)(void *argument),
                void *argument)
{
	(void)context;
	struct recovery point;
	bitactor_outcome_t outcome = { .what = BITACTOR_RETURNED };
	make_point(&point, watched);
	if (_setjmp(point.env) == 0)
		enter(&point, run, argument);
	else
		outcome = settle(&point);
	/* release: who sees no thread here sees that its dispatch is over, too */
	__atomic_store_n(&watched->host[BA_WATCHED_TID], 0, __ATOMIC_RELEASE);
	return outcome;
}

#endif
