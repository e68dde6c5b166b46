/* SPDX-License-Identifier: Apache-2.0 */
/* host_private.h -- what the files of the host share.
 *
 *      host_posix.c      the table, clock and guards
 *      host_contain.c    recovery points, faults         host_machine.h  registers
 *      host_watch.c      the hard limit                  host_signal.c   who had it before
 *      host_park.c       waiting and being woken
 *      host_witness.c    was this thread off its CPU
 */
#ifndef BA_HOST_PRIVATE_H
#define BA_HOST_PRIVATE_H

#include <bitactor/host.h>

#include <signal.h>

#if defined(__linux__)
#define BA_HOST_LINUX
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BA_HOST_ASAN
#endif
#if __has_feature(thread_sanitizer)
#define BA_HOST_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(BA_HOST_ASAN)
#define BA_HOST_ASAN
#endif
#if defined(__SANITIZE_THREAD__) && !defined(BA_HOST_TSAN)
#define BA_HOST_TSAN
#endif

/* bitactor_watched_t.host[]: the first two are written by the thread in contain and read
 * by the watch thread, the others belong to the watch thread under its lock. */
enum ba_watched_word {
	BA_WATCHED_TID,   /* of the thread in contain; 0: none                   */
	BA_WATCHED_TRIES, /* signals that came while it was condemned            */
	BA_WATCHED_NEXT,  /* address of the next in the list                     */
	BA_WATCHED_SEEN,  /* `busy` at the last look                             */
	BA_WATCHED_SINCE, /* when it was seen first, ns of the watch's own clock */
	BA_WATCHED_AGAIN  /* when to send the next signal; 0: none was sent      */
};

uint64_t ba_host_now_ns(void *context);

bitactor_outcome_t ba_host_contain(void *context, bitactor_watched_t *watched,
                                   void (*run)(void *argument), void *argument);
bool ba_host_watch(void *context, bitactor_watched_t *watched, bool on);
bool ba_host_witness(void *context, bitactor_witness_t *witness);
bool ba_host_cpu_times(void *context, bitactor_cpu_times_t *times);
bool ba_host_barrier(void *context);

/* Handle a signal of this process from now on; what was there before is kept for
 * ba_signal_chain().  Once a signal. */
void ba_signal_install(int number, void (*handler)(int, siginfo_t *, void *), int flags);

/* It was not ours: do what would have been done.  From the handler, last of all. */
void ba_signal_chain(int number, siginfo_t *info, void *context);

/* Did an instruction of this thread raise it? */
bool ba_signal_is_fault(int number, const siginfo_t *info);

/* In a signal handler: a signal of the watch came, to this thread's own dispatches. */
void ba_contain_count_try(void);

/* In a signal handler, with what it interrupted: if this thread runs a dispatch that is
 * condemned, make the context go on in contain, which then answers ABANDONED. */
bool ba_contain_abandon(void *context);

#endif
