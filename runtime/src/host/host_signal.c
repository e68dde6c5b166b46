/* SPDX-License-Identifier: Apache-2.0 */
/* host_signal.c -- a signal that is not ours goes where it would have gone without us.
 *
 *      had a handler        it is called, on this stack, with the same arguments
 *      default, a fault     the default is put back and we return: the instruction
 *                           faults again, and the process dies *there*
 *      default, sent        the default is put back, the signal sent again
 *      ignored, sent        nothing
 *      ignored, a fault     as the default: the kernel does not ignore those either
 *
 * A handler that wanted to be called once (SA_RESETHAND) is called once.  What it
 * wanted blocked is blocked while ours runs.
 */
#include "host_private.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef BA_HOST_LINUX

enum { SIGNALS = 65 };

/* Written before the handler is there, read by it. */
static struct sigaction previous[SIGNALS];

/* relaxed: whoever sets it first calls the handler, and nothing else hangs on it */
static _Atomic bool spent[SIGNALS];

bool
ba_signal_is_fault(int number, const siginfo_t *info)
{
	/* A memory error somewhere, reported early, is nobody's instruction. */
	if (number == SIGBUS && info->si_code == BUS_MCEERR_AO)
		return false;
	return info->si_code > 0;
}

void
ba_signal_install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	/* A signal may come between our being there and our knowing who was: so ask first. */
	(void)sigaction(number, NULL, &previous[number]);
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | flags;
	action.sa_mask = previous[number].sa_mask;
	(void)sigaction(number, &action, NULL);
}

static void
put_default_back(int number, bool is_fault)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = SIG_DFL;
	(void)sigaction(number, &action, NULL);
	if (!is_fault) /* blocked until we return */
		(void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
}

void
ba_signal_chain(int number, siginfo_t *info, void *context)
{
	const struct sigaction *before = &previous[number];
	bool is_fault = ba_signal_is_fault(number, info);
	bool has_handler = (before->sa_flags & SA_SIGINFO) != 0 ||
	                   (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN);

	bool is_once = (before->sa_flags & (int)SA_RESETHAND) != 0;
	/* relaxed: as said above */
	if (has_handler &&
	    !(is_once && atomic_exchange_explicit(&spent[number], true, memory_order_relaxed))) {
		if ((before->sa_flags & SA_SIGINFO) != 0)
			before->sa_sigaction(number, info, context);
		else
			before->sa_handler(number);
		return;
	}
	if (!has_handler && before->sa_handler == SIG_IGN && !is_fault)
		return;
	if (number == SIGURG) /* ignored by default */
		return;
	put_default_back(number, is_fault);
}

#endif
