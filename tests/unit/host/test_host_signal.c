/* SPDX-License-Identifier: Apache-2.0 */
/* test_host_signal.c -- a signal that is not ours reaches whoever had it before.
 *
 * Each case is a child: what a process had installed must be there before the first
 * contain of that process.
 */
#include "host_drive.h"

#include <errno.h>
#include <pthread.h>

enum { BY_HANDLER = 7, WRONG = 8 };

static drive_t drive;
static volatile sig_atomic_t calls, seen_number, seen_code, blocked_usr1;

static void
leave(int number)
{
	_exit(number == SIGSEGV ? BY_HANDLER : WRONG);
}

static void
leave_if_told_all(int number, siginfo_t *info, void *context)
{
	bool all = number == SIGSEGV && context != NULL &&
	           info->si_addr == (char *)drive_no_page() + 5;
	_exit(all ? BY_HANDLER : WRONG);
}

static void
note(int number, siginfo_t *info, void *context)
{
	(void)context;
	sigset_t mask;
	(void)pthread_sigmask(SIG_BLOCK, NULL, &mask);
	blocked_usr1 = sigismember(&mask, SIGUSR1);
	calls = calls + 1;
	seen_number = number;
	seen_code = info->si_code;
}

static void
install(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | flags;
	(void)sigaddset(&action.sa_mask, SIGUSR1);
	(void)sigaction(number, &action, NULL);
}

/* From here on ours is there. */
static void
contain_once(void)
{
	drive_open(&drive, 0);
	if (drive_one(&drive, drive_segv, 0).what != BITACTOR_FAULTED)
		_exit(WRONG);
}

static void
fault_outside(void)
{
	drive_segv(&drive, 5);
}

/* ---- in children ----------------------------------------------------------------------- */

static void
plain_handler(void)
{
	(void)signal(SIGSEGV, leave);
	contain_once();
	fault_outside();
}

static void
full_handler(void)
{
	install(SIGSEGV, leave_if_told_all, 0);
	contain_once();
	fault_outside();
}

/* It returns, as one that only prints would: the fault comes again, and is deadly. */
static void
once_handler(void)
{
	install(SIGSEGV, note, (int)SA_RESETHAND);
	contain_once();
	fault_outside();
}

static void
sent_to_handler(void)
{
	install(SIGBUS, note, 0);
	contain_once();
	errno = EXDEV;
	bool ok = raise(SIGBUS) == 0 && calls == 1 && seen_number == SIGBUS && seen_code <= 0 &&
	          blocked_usr1 == 1 && errno == EXDEV;
	_exit(ok ? BY_HANDLER : WRONG);
}

static void
sent_ignored(void)
{
	(void)signal(SIGFPE, SIG_IGN);
	contain_once();
	(void)raise(SIGFPE);
}

static void
fault_ignored(void)
{
	(void)signal(SIGSEGV, SIG_IGN);
	contain_once();
	fault_outside();
}

static void
sent_default(void)
{
	contain_once();
	(void)raise(SIGILL);
}

static void
fault_default(void)
{
	contain_once();
	fault_outside();
}

/* The signal of the watch is other people's, too. */
static void
urgent(void)
{
	install(SIGURG, note, 0);
	drive_open(&drive, 1000000000);
	if (!drive.host->watch(drive.host->context, &drive.watched, true))
		_exit(WRONG);
	(void)raise(SIGURG);
	bool ok = DRIVE_TSAN || (calls == 1 && seen_number == SIGURG);
	_exit(ok && drive.host->watch(drive.host->context, &drive.watched, false) ? BY_HANDLER
	                                                                        : WRONG);
}

static DRIVE_NOINLINE void
loop(drive_t *d, uint64_t argument)
{
	d->cell = argument;
	for (;;)
		__asm__ volatile("" : : : "memory");
}

/* Nobody wanted it, and the watch wants it still. */
static void
urgent_default(void)
{
	drive_open(&drive, 1000000);
	if (!drive.host->watch(drive.host->context, &drive.watched, true))
		_exit(WRONG);
	(void)raise(SIGURG);
	if (DRIVE_LEAVES_PROGRAM && drive_one(&drive, loop, 0).what != BITACTOR_ABANDONED)
		_exit(WRONG);
	(void)drive.host->watch(drive.host->context, &drive.watched, false);
}

int
main(void)
{
	if (bitactor_host_posix()->contain == NULL) {
		printf("nothing is contained on this machine\n");
		return 77;
	}
	drive_begin_process();
	(void)drive_no_page();
	SCENARIO("a fault that is not contained reaches the handler of before") {
		CHECK_EXITS(plain_handler, BY_HANDLER);
		CHECK_EXITS(full_handler, BY_HANDLER);
		AND("one that wanted to be called once is called once");
		CHECK_DIES(once_handler, SIGSEGV);
	}
	SCENARIO("a signal that was sent reaches it too, with its mask; errno is kept") {
		CHECK_EXITS(sent_to_handler, BY_HANDLER);
		CHECK_EXITS(sent_ignored, DRIVE_SURVIVED);
		CHECK_EXITS(urgent, BY_HANDLER);
		CHECK_EXITS(urgent_default, DRIVE_SURVIVED);
	}
	SCENARIO("where nobody was, or it was ignored, a fault is deadly as ever") {
		CHECK_DIES(fault_default, SIGSEGV);
		CHECK_DIES(fault_ignored, SIGSEGV);
		CHECK_DIES(sent_default, SIGILL);
	}
	return bdd_close();
}
