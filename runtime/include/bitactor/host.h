/* SPDX-License-Identifier: Apache-2.0 */
/* host.h -- the services of a POSIX system that the core asks for.
 *
 * bitactor_host_posix() is one table for any number of engines.  Who waits has a
 * bitactor_posix_t beside each engine: the same services, and park and wake too.
 *
 *      bitactor_posix_t posix;
 *      bitactor_posix_open(&posix, 0);
 *      config.host = bitactor_posix_host(&posix);
 *      ... the engine lives ...
 *      bitactor_posix_close(&posix);
 *
 * On Linux, x86-64 and AArch64, all is there.  Elsewhere an entry of the table is
 * NULL where this system has no such thing.
 *
 * The first contain of a process installs handlers of SIGSEGV, SIGBUS, SIGFPE and
 * SIGILL, the first watch one of SIGURG (SIGSYS under ThreadSanitizer).  What was
 * installed before is called for all that is not ours; a handler that is installed
 * later takes the signal away from us.  They stay, so this library must not be
 * unloaded.  A thread without an alternate signal stack is given one, until it ends.
 */
#ifndef BITACTOR_HOST_H
#define BITACTOR_HOST_H

#include <bitactor/bitactor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One constant table, its context is NULL; any thread.
 *
 *   now_ns     CLOCK_MONOTONIC
 *   protect    guard pages by MADV_GUARD_INSTALL where the kernel has it, else mprotect
 *   witness    the rseq word of the C library (glibc 2.35); tried once a process.
 *              Store 0 in it when the last look is done
 *   cpu_times  CLOCK_THREAD_CPUTIME_ID and getrusage: two system calls
 *   barrier    membarrier; false where there is none, and under ThreadSanitizer
 *   contain    one system call and a _setjmp.  When it comes back by a fault or
 *              abandoned, `busy` is 0.  A fault is contained only on the thread
 *              that is in the innermost contain, while its dispatch is CONTAINED,
 *              and never one that was sent
 *   watch      a thread of the runtime, from the first watched to the last; false:
 *              no limit, none of that name, no thread to be had, or a child of fork.
 *              `limit_ns` is read when it is turned on.  A dispatch is taken back
 *              1 to 1.5 limits after it began, but not inside the C library, the
 *              loader, the vDSO or a sanitizer: where it is found there 300 times
 *              more, and for 300 ms, it is `stuck`; also after 3 s.  Either or: what
 *              is said to be stuck is never abandoned.  Limits under 0.1 ms are seen
 *              late
 *   park, wake NULL
 */
const bitactor_host_t *bitactor_host_posix(void);

/* "madv-guard", "mprotect" or "canary": what protect does here.  Tries it once
 * on a page of its own. */
const char *bitactor_host_guard_name(void);

enum bitactor_posix_flags {
	BITACTOR_POSIX_FD = 1 /* wake also makes bitactor_fd() readable */
};

/* The caller's memory, one an engine; must not move until it is closed. */
typedef struct bitactor_posix {
	bitactor_host_t host;
	int32_t  fd;       /* -1: none                                              */
	int32_t  os_error; /* errno of what bitactor_posix_open could not get, or 0 */
	uint32_t state;    /* ours: awake, woken, parked                            */
	uint32_t reserved;
} bitactor_posix_t;

/* Make the services of one engine.
 *
 *   flags     enum bitactor_posix_flags, or 0
 *   returns   BITACTOR_OK; BITACTOR_ERROR (NULL, an unknown flag); BITACTOR_IO (no
 *             eventfd to be had, see os_error); BITACTOR_UNSUPPORTED (not Linux)
 */
bitactor_status_t bitactor_posix_open(bitactor_posix_t *posix, uint32_t flags);

/* Give the descriptor back.  No engine may use it any more, nobody wake it.  Closing
 * twice, or one that failed to open, is BITACTOR_OK. */
bitactor_status_t bitactor_posix_close(bitactor_posix_t *posix);

/* Its table, with park (a futex; no system call when a wake came before) and wake
 * (one, only when somebody is parked or the descriptor is not readable yet).  NULL
 * for NULL or one that is closed. */
const bitactor_host_t *bitactor_posix_host(const bitactor_posix_t *posix);

/* For a loop of your own: readable after a wake, until it is cleared.  Now and then
 * it is readable for no reason.  -1 without BITACTOR_POSIX_FD. */
int bitactor_fd(const bitactor_posix_t *posix);

/* Make it unreadable again.  Call it BEFORE you look what the wake was for: a wake
 * that comes while you look makes it readable anew. */
void bitactor_fd_clear(bitactor_posix_t *posix);

#ifdef __cplusplus
}
#endif
#endif
