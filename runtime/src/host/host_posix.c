/* SPDX-License-Identifier: Apache-2.0 */
/* host_posix.c -- the table of services; the clock of a turn, guards between stacks.
 *
 *      ... stack | guard | stack | guard | stack ...
 *
 * A guard by mprotect splits the kernel's record of the mapping: two more
 * mappings a stack, and a process may have 65,530 (vm.max_map_count).  Guards by
 * MADV_GUARD_INSTALL live in the page table and split nothing (Linux 6.13,
 * madvise(2)).  It works on anonymous memory that is not locked, so where one
 * call is refused, mprotect does that one.
 *
 * Installing empties the pages; lifting a guard gives zero pages.
 */
#include "host_private.h"
#include "host_machine.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Linux's numbers; the C library of 2023 does not have the names. */
enum { GUARD_INSTALL = 102, GUARD_REMOVE = 103 };

enum guard { GUARD_UNKNOWN, GUARD_MADVISE, GUARD_MPROTECT, GUARD_CANARY };

uint64_t
ba_host_now_ns(void *context)
{
	(void)context;
	struct timespec now;
	/* It fails for a bad pointer or an unknown clock only. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool
advise(void *address, size_t bytes, int advice)
{
#if defined(__linux__)
	int rc;
	do
		rc = madvise(address, bytes, advice);
	while (rc != 0 && errno == EINTR);
	return rc == 0;
#else
	(void)address, (void)bytes, (void)advice;
	return false;
#endif
}

/* Can the page be written?  The kernel tries it for us: EFAULT and no signal.
 * Where there is no such call, what mprotect answered is believed. */
static bool
is_writable(void *page, bool believed)
{
#if defined(SYS_clock_gettime)
	(void)believed;
	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, page) == 0;
#else
	(void)page;
	return believed;
#endif
}

/* A call that answers 0 has not always done it: user-mode emulators take any
 * advice.  So look at the page. */
static enum guard
try_page(void *page, size_t page_bytes)
{
	if (!is_writable(page, true))
		return GUARD_CANARY; /* it cannot be looked at this way */
	if (advise(page, page_bytes, GUARD_INSTALL)) {
		bool stops = !is_writable(page, false);
		bool lifts = advise(page, page_bytes, GUARD_REMOVE) && is_writable(page, true);
		if (stops && lifts)
			return GUARD_MADVISE;
	}
	if (mprotect(page, page_bytes, PROT_NONE) == 0) {
		bool stops = !is_writable(page, false);
		bool lifts = mprotect(page, page_bytes, PROT_READ | PROT_WRITE) == 0 &&
		             is_writable(page, true);
		if (stops && lifts)
			return GUARD_MPROTECT;
	}
	return GUARD_CANARY;
}

/* What guards are made of here: found out once a process. */
static enum guard
guard(void)
{
	/* relaxed: the number is all there is to see; threads that come first
	 * together each find the same */
	static _Atomic int known = GUARD_UNKNOWN;
	int found = atomic_load_explicit(&known, memory_order_relaxed);
	if (found != GUARD_UNKNOWN)
		return (enum guard)found;

	int saved_errno = errno;
	size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	                  -1, 0);
	errno = saved_errno;
	if (page == MAP_FAILED)
		return GUARD_MPROTECT; /* no page now: ask again next time */
	enum guard tried = try_page(page, page_bytes);
	(void)munmap(page, page_bytes);
	errno = saved_errno;
	/* relaxed: as above */
	atomic_store_explicit(&known, (int)tried, memory_order_relaxed);
	return tried;
}

/* Lifting undoes both ways, for only the kernel knows which one it was; on pages
 * that are not so protected each changes nothing. */
static bool
protect(void *context, void *address, size_t bytes, bool on)
{
	(void)context;
	if (address == NULL || bytes == 0)
		return false;
	enum guard made_of = guard();
	if (made_of == GUARD_CANARY)
		return false;
	int saved_errno = errno;
	bool done;
	if (on) {
		done = (made_of == GUARD_MADVISE && advise(address, bytes, GUARD_INSTALL)) ||
		       mprotect(address, bytes, PROT_NONE) == 0;
	} else {
		done = made_of != GUARD_MADVISE || advise(address, bytes, GUARD_REMOVE);
		done = mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0 && done;
	}
	errno = saved_errno;
	return done;
}

const bitactor_host_t *
bitactor_host_posix(void)
{
	static const bitactor_host_t host = {
		.context = NULL,
		.now_ns = ba_host_now_ns,
		.protect = protect,
		.witness = ba_host_witness,
		.cpu_times = ba_host_cpu_times,
#ifdef BA_HOST_LINUX
		.barrier = ba_host_barrier,
#endif
#ifdef BA_HOST_MACHINE
		.contain = ba_host_contain,
		.watch = ba_host_watch,
#endif
	};
	return &host;
}

const char *
bitactor_host_guard_name(void)
{
	switch (guard()) {
	case GUARD_MADVISE:  return "madv-guard";
	case GUARD_MPROTECT: return "mprotect";
	default:             return "canary";
	}
}
