/* SPDX-License-Identifier: Apache-2.0 */
/* host_witness.c -- was this thread off its CPU meanwhile?
 *
 *      *word = armed;   ... a dispatch ...   if (*word != armed) it was
 *
 * The C library gives each thread an area for restartable sequences.  Its `rseq_cs` says
 * which sequence the thread is in; when the thread leaves its CPU or gets a signal, the
 * kernel looks whether its pc is inside that sequence, and where it is not, clears the
 * word.  Ours is a sequence that nobody ever runs, so the word is simply cleared.
 *
 * One store and one load (1.0 counts against 0.8 for an empty loop).  What it does not
 * see: interrupts after which the same thread goes on, and the machine below a virtual
 * one.  Somebody else's sequence overwrites the word, which reads as "was off".
 *
 * Source: the kernel's include/uapi/linux/rseq.h; glibc 2.35, "Restartable Sequences".
 */
#include "host_private.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/resource.h>
#include <time.h>

#if defined(BA_HOST_LINUX) && defined(__has_include)
#if __has_include(<sys/rseq.h>) && (defined(__x86_64__) || defined(__aarch64__)) && \
        defined(__LP64__)
#include <sys/rseq.h>
#define HAVE_RSEQ
#endif
#endif

#ifdef HAVE_RSEQ

#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)

/* Two instructions that nobody jumps to.  The kernel wants the signature in the four
 * bytes before the place where an interrupted sequence would go on. */
__asm__(".pushsection .text\n"
        ".balign 4\n"
        "ba_host_never_begin: nop\n"
        "ba_host_never_end:\n"
        ".balign 4\n"
        ".long " TEXT_OF(RSEQ_SIG) "\n"
        "ba_host_never_abort: nop\n"
        ".popsection\n");
extern const char ba_host_never_begin[] __attribute__((visibility("hidden")));
extern const char ba_host_never_abort[] __attribute__((visibility("hidden")));

static struct rseq_cs never;
static bool is_cleared; /* it does what it should on this machine */
static pthread_once_t tried = PTHREAD_ONCE_INIT;

static struct rseq *
area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

/* Where there is nothing, or an emulator that only says so, a nap is not seen. */
static void
try_once(void)
{
	never.start_ip = (uint64_t)(uintptr_t)ba_host_never_begin;
	never.post_commit_offset = 1;
	never.abort_ip = (uint64_t)(uintptr_t)ba_host_never_abort;
	if (__rseq_size == 0)
		return;
	uint64_t *word = (uint64_t *)(uintptr_t)&area()->rseq_cs;
	const struct timespec nap = { .tv_nsec = 1000 };
	/* relaxed: the kernel writes it on this very thread */
	__atomic_store_n(word, (uint64_t)(uintptr_t)&never, __ATOMIC_RELAXED);
	(void)nanosleep(&nap, NULL);
	is_cleared = __atomic_exchange_n(word, 0, __ATOMIC_RELAXED) == 0;
}

bool
ba_host_witness(void *context, bitactor_witness_t *witness)
{
	(void)context;
	int saved_errno = errno;
	(void)pthread_once(&tried, try_once);
	errno = saved_errno;
	/* A thread that the C library did not make, or could not register, has a negative
	 * number here.  relaxed: as above. */
	if (!is_cleared || (int32_t)__atomic_load_n(&area()->cpu_id, __ATOMIC_RELAXED) < 0)
		return false;
	witness->word = (uint64_t *)(uintptr_t)&area()->rseq_cs;
	witness->armed = (uint64_t)(uintptr_t)&never;
	return true;
}

#else

bool
ba_host_witness(void *context, bitactor_witness_t *witness)
{
	(void)context, (void)witness;
	return false;
}

#endif

bool
ba_host_cpu_times(void *context, bitactor_cpu_times_t *times)
{
	(void)context;
#ifdef BA_HOST_LINUX
	int saved_errno = errno;
	struct timespec cpu;
	struct rusage usage;
	bool done = clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0 &&
	            getrusage(RUSAGE_THREAD, &usage) == 0;
	errno = saved_errno;
	if (done)
		*times = (bitactor_cpu_times_t){
			.cpu_ns = (uint64_t)cpu.tv_sec * UINT64_C(1000000000) +
			          (uint64_t)cpu.tv_nsec,
			.voluntary = (uint64_t)usage.ru_nvcsw,
			.involuntary = (uint64_t)usage.ru_nivcsw,
		};
	return done;
#else
	(void)times;
	return false;
#endif
}
