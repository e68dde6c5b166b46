/* SPDX-License-Identifier: Apache-2.0 */
/* host_watch.c -- a dispatch over its hard limit is taken back, or said to be stuck.
 *
 *      watch thread                             dispatching thread
 *      looks at `busy`, period limit / 4
 *        the same for a limit:
 *          condemned = busy; signal  -------->  busy == condemned, and not in a library?
 *          look again, signal again                yes: condemned = 0, landing
 *        300 ms and 300 tries more:                no:  go on
 *          condemned = 0; stuck = busy
 *
 * Who is in time is never disturbed: it is only looked at.  A signal that comes too late
 * finds another `busy`.  Of abandoning and saying stuck only one happens: `condemned`
 * goes back to 0 once.
 *
 * The pc must not be inside the C library, the loader, the vDSO or a sanitizer: whatever
 * they hold would stay held.  It is looked at by address.  Where they are linked into the
 * program itself they cannot be told from it, and then nothing in the program is left,
 * only what lies in shared objects (modules).  A function of the handler's that a
 * library has called (a comparison, for qsort) is not recognised: a CONTAINED handler
 * does not do that.
 *
 * A try is a signal that the thread got; one that has no CPU gets none, and is given more
 * time, 3 s at most: it may sleep where no signal reaches it.
 *
 * The watch has a clock of its own, which goes on by two periods a look at most: a
 * process that was stopped, or a watch thread that did not get a CPU, blames nobody.
 */
#include "host_private.h"
#include "host_machine.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef BA_HOST_MACHINE

/* TSan keeps a signal back until the thread next calls a function that it knows, which
 * an endless loop never does; but not one that it takes for a fault. */
#ifdef BA_HOST_TSAN
enum { LATE_SIGNAL = SIGSYS };
#else
enum { LATE_SIGNAL = SIGURG };
#endif

#define PERIOD_LEAST_NS UINT64_C(50000)
#define PERIOD_MOST_NS  UINT64_C(50000000)
#define RETRY_NS        UINT64_C(500000)    /* between signals to one dispatch          */
#define STUCK_AFTER_NS  UINT64_C(300000000) /* of signals in vain, and as many tries:   */
#define STUCK_TRIES     UINT64_C(300)
#define STUCK_SURELY_NS UINT64_C(3000000000)

static struct {
	pthread_mutex_t life;      /* held while the thread begins or ends             */
	pthread_mutex_t list;      /* guards what follows                              */
	pthread_cond_t  changed;   /* to the thread: look at once, or end              */
	bitactor_watched_t *first; /* linked by host[BA_WATCHED_NEXT]                  */
	uint64_t period_ns, clock_ns;
	bool     end;
	pthread_t thread;          /* while `first` is not NULL, under `life`          */
	_Atomic int pid;           /* of the process that the thread is in; 0: none    */
} watch = { .life = PTHREAD_MUTEX_INITIALIZER, .list = PTHREAD_MUTEX_INITIALIZER };

static pthread_once_t prepared = PTHREAD_ONCE_INIT;

/* What our signals carry, so that we know them from everybody else's. */
static char mark;

/* ---- on the dispatching thread ------------------------------------------------------- */

enum { RANGES = 24 };

/* Code that is not left in the middle; written once, before the handler is there. */
static struct {
	uintptr_t low, high;
} library[RANGES];
static size_t library_count;

static bool
is_in_library(uintptr_t pc)
{
	for (size_t i = 0; i < library_count; i++)
		if (pc >= library[i].low && pc < library[i].high)
			return true;
	return false;
}

static void
on_late(int number, siginfo_t *info, void *context)
{
	int saved_errno = errno;
	if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &mark)
		ba_signal_chain(number, info, context);
	else {
		ba_contain_count_try();
		if (!is_in_library(ba_context_pc(context)))
			(void)ba_contain_abandon(context);
	}
	errno = saved_errno;
}

/* ---- where the libraries are --------------------------------------------------------- */

struct found {
	bool libc, sanitizer, full;
};

static bool
has(const char *path, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strstr(path, *names) != NULL)
			return true;
	return false;
}

static void
add_code(const struct dl_phdr_info *object, struct found *found)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
			continue;
		if (library_count == RANGES) {
			found->full = true;
			return;
		}
		library[library_count].low = object->dlpi_addr + part->p_vaddr;
		library[library_count].high = object->dlpi_addr + part->p_vaddr + part->p_memsz;
		library_count++;
	}
}

static int
look_at_library(struct dl_phdr_info *object, size_t bytes, void *context)
{
	static const char *const libc[] = { "/libc.so", "/libc-", "/ld-musl", NULL };
	static const char *const sanitizer[] = { "/libasan", "/libtsan", "/libubsan", "/liblsan",
		                                 "/libclang_rt", NULL };
	static const char *const other[] = { "/ld-", "/ld64", "linux-vdso", "linux-gate",
		                             "/libpthread", "/libgcc_s", NULL };
	(void)bytes;
	struct found *found = context;
	bool is_libc = has(object->dlpi_name, libc);
	bool is_sanitizer = has(object->dlpi_name, sanitizer);
	found->libc |= is_libc;
	found->sanitizer |= is_sanitizer;
	if (is_libc || is_sanitizer || has(object->dlpi_name, other))
		add_code(object, found);
	return 0;
}

/* The program itself comes first. */
static int
look_at_program(struct dl_phdr_info *object, size_t bytes, void *context)
{
	(void)bytes;
	add_code(object, context);
	return 1;
}

static void
find_libraries(void)
{
	struct found found = { false, false, false };
	(void)dl_iterate_phdr(look_at_library, &found);
	bool is_sanitized = false;
#if defined(BA_HOST_ASAN) || defined(BA_HOST_TSAN)
	is_sanitized = true;
#endif
	if (!found.libc || (is_sanitized && !found.sanitizer))
		(void)dl_iterate_phdr(look_at_program, &found);
	if (found.full) { /* more than there is room for: then leave nothing */
		library[0].low = 0;
		library[0].high = UINTPTR_MAX;
	}
}

/* ---- on the watch thread ------------------------------------------------------------- */

/* Our mark goes with it; a thread that has ended is not there, and that is all. */
static void
signal_thread(uint64_t tid)
{
	siginfo_t info;
	memset(&info, 0, sizeof info);
	info.si_signo = LATE_SIGNAL;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = &mark;
	(void)syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)tid, LATE_SIGNAL, &info);
}

/* If it is over by now, nothing is said. */
static void
say_stuck(bitactor_watched_t *watched, uint64_t busy)
{
	/* relaxed: numbers; the engine compares `stuck` with its own */
	if (__atomic_load_n(&watched->busy, __ATOMIC_RELAXED) == busy)
		__atomic_store_n(&watched->stuck, busy, __ATOMIC_RELAXED);
}

static bool
is_hopeless(const bitactor_watched_t *watched, uint64_t over_ns)
{
	/* relaxed: a number of the dispatching thread's */
	uint64_t tries = __atomic_load_n(&watched->host[BA_WATCHED_TRIES], __ATOMIC_RELAXED);
	return over_ns >= STUCK_SURELY_NS || (over_ns >= STUCK_AFTER_NS && tries >= STUCK_TRIES);
}

/* It is over its limit, by `over_ns`. */
static void
take_back(bitactor_watched_t *watched, uint64_t busy, uint64_t over_ns)
{
	uint64_t *own = watched->host;
	/* acquire: pairs with the releases in contain(): no thread, then not that dispatch */
	uint64_t tid = __atomic_load_n(&own[BA_WATCHED_TID], __ATOMIC_ACQUIRE);
	if ((busy & 1) == 0 || tid == 0) {
		say_stuck(watched, busy);
		return;
	}
	/* relaxed: one word, see ba_contain_abandon() */
	uint64_t condemned = __atomic_load_n(&watched->condemned, __ATOMIC_RELAXED);
	if (own[BA_WATCHED_AGAIN] == 0) {
		/* relaxed: the signal that follows orders them */
		__atomic_store_n(&own[BA_WATCHED_TRIES], 0, __ATOMIC_RELAXED);
		__atomic_store_n(&watched->condemned, busy, __ATOMIC_RELAXED);
	} else if (condemned != busy) {
		return; /* it has been taken, and is landing; or was said to be stuck */
	} else if (is_hopeless(watched, over_ns)) {
		uint64_t expected = busy;
		/* relaxed: as above */
		if (__atomic_compare_exchange_n(&watched->condemned, &expected, 0, false,
		                                __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			say_stuck(watched, busy);
		return;
	} else if (watch.clock_ns < own[BA_WATCHED_AGAIN]) {
		return;
	}
	signal_thread(tid);
	own[BA_WATCHED_AGAIN] = watch.clock_ns + RETRY_NS;
}

/* True: it is condemned, look again soon. */
static bool
look_at(bitactor_watched_t *watched)
{
	uint64_t *own = watched->host;
	/* relaxed: a number that says who is at work; nothing is read because of it */
	uint64_t busy = __atomic_load_n(&watched->busy, __ATOMIC_RELAXED);
	if (busy == 0 || busy != own[BA_WATCHED_SEEN]) {
		own[BA_WATCHED_SEEN] = busy;
		own[BA_WATCHED_SINCE] = watch.clock_ns;
		own[BA_WATCHED_AGAIN] = 0;
		return false;
	}
	uint64_t lasted_ns = watch.clock_ns - own[BA_WATCHED_SINCE];
	if (lasted_ns < watched->limit_ns)
		return false;
	take_back(watched, busy, lasted_ns - watched->limit_ns);
	/* relaxed: a guess when to look */
	return __atomic_load_n(&watched->condemned, __ATOMIC_RELAXED) == busy;
}

static bitactor_watched_t *
next_of(const bitactor_watched_t *watched)
{
	return (bitactor_watched_t *)(uintptr_t)watched->host[BA_WATCHED_NEXT];
}

static void
wait_until(uint64_t until_ns)
{
	struct timespec until = { .tv_sec = (time_t)(until_ns / 1000000000u),
		                  .tv_nsec = (long)(until_ns % 1000000000u) };
	(void)pthread_cond_timedwait(&watch.changed, &watch.list, &until);
}

static void *
watch_all(void *nothing)
{
	(void)nothing;
	(void)prctl(PR_SET_NAME, "bitactor-watch");
	(void)prctl(PR_SET_TIMERSLACK, 1); /* ns; else a period is 50 us longer */
	(void)pthread_mutex_lock(&watch.list);
	uint64_t last_ns = ba_host_now_ns(NULL);
	bool soon = false;
	while (!watch.end) {
		uint64_t pause_ns = soon && watch.period_ns > RETRY_NS ? RETRY_NS : watch.period_ns;
		wait_until(last_ns + pause_ns);
		uint64_t now_ns = ba_host_now_ns(NULL), passed_ns = now_ns - last_ns;
		last_ns = now_ns;
		watch.clock_ns += passed_ns < 2 * pause_ns ? passed_ns : 2 * pause_ns;
		soon = false;
		for (bitactor_watched_t *w = watch.first; w != NULL; w = next_of(w))
			soon |= look_at(w);
	}
	(void)pthread_mutex_unlock(&watch.list);
	return NULL;
}

/* ---- coming and going ---------------------------------------------------------------- */

static void
prepare(void)
{
	pthread_condattr_t monotonic;
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&watch.changed, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	find_libraries();
	/* SA_RESTART: a signal that comes too late interrupts no system call */
	ba_signal_install(LATE_SIGNAL, on_late, SA_RESTART);
}

/* Under `list`, when it has changed. */
static void
set_period(void)
{
	uint64_t period_ns = PERIOD_MOST_NS;
	for (const bitactor_watched_t *w = watch.first; w != NULL; w = next_of(w))
		if (w->limit_ns / 4 < period_ns)
			period_ns = w->limit_ns / 4;
	watch.period_ns = period_ns > PERIOD_LEAST_NS ? period_ns : PERIOD_LEAST_NS;
	(void)pthread_cond_signal(&watch.changed);
}

/* Signals are for others: all are blocked in the watch thread. */
static bool
start_thread(void)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &before);
	watch.end = false;
	bool done = pthread_create(&watch.thread, NULL, watch_all, NULL) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* relaxed: compared with one's own, nothing else */
	atomic_store_explicit(&watch.pid, done ? (int)getpid() : 0, memory_order_relaxed);
	return done;
}

/* Where in the list is it named?  NULL: nowhere. */
static bool
unlink_watched(bitactor_watched_t *watched)
{
	bitactor_watched_t *before = NULL, *at = watch.first;
	for (; at != NULL && at != watched; at = next_of(at))
		before = at;
	if (at == NULL)
		return false;
	if (before == NULL)
		watch.first = next_of(watched);
	else
		before->host[BA_WATCHED_NEXT] = watched->host[BA_WATCHED_NEXT];
	return true;
}

static bool
enter_list(bitactor_watched_t *watched)
{
	if (watched->limit_ns == 0)
		return false;
	(void)pthread_mutex_lock(&watch.list);
	bool is_first = watch.first == NULL;
	(void)unlink_watched(watched); /* a second time is as once */
	watched->host[BA_WATCHED_NEXT] = (uint64_t)(uintptr_t)watch.first;
	watched->host[BA_WATCHED_SEEN] = watched->host[BA_WATCHED_AGAIN] = 0;
	watch.first = watched;
	set_period();
	(void)pthread_mutex_unlock(&watch.list);
	if (!is_first || start_thread())
		return true;
	watch.first = NULL;
	return false;
}

static bool
leave_list(bitactor_watched_t *watched)
{
	(void)pthread_mutex_lock(&watch.list);
	bool was_there = unlink_watched(watched);
	bool is_last = was_there && watch.first == NULL;
	if (was_there && !is_last)
		set_period();
	if (is_last) {
		watch.end = true;
		(void)pthread_cond_signal(&watch.changed);
	}
	(void)pthread_mutex_unlock(&watch.list);
	if (is_last) {
		(void)pthread_join(watch.thread, NULL);
		/* relaxed: as in start_thread() */
		atomic_store_explicit(&watch.pid, 0, memory_order_relaxed);
	}
	return was_there;
}

bool
ba_host_watch(void *context, bitactor_watched_t *watched, bool on)
{
	(void)context;
	if (watched == NULL)
		return false;
	/* relaxed: as in start_thread().  A child of fork has our locks, in whatever state
	 * they were, and no watch thread */
	int pid = atomic_load_explicit(&watch.pid, memory_order_relaxed);
	if (pid != 0 && pid != (int)getpid())
		return false;
	int saved_errno = errno;
	(void)pthread_once(&prepared, prepare);
	(void)pthread_mutex_lock(&watch.life);
	bool done = on ? enter_list(watched) : leave_list(watched);
	(void)pthread_mutex_unlock(&watch.life);
	errno = saved_errno;
	return done;
}

#endif
