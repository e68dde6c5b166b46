/* SPDX-License-Identifier: Apache-2.0 */
/* test_host_witness.c -- a thread that left its CPU has a witness; a quiet one mostly none.
 *
 * What is asserted is certain: that a nap, a stop and a signal are seen.  That nothing
 * happens while nothing happens is not, so of very many short loops one must be quiet.
 */
#include "host_drive.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

static const bitactor_host_t *host;

static void
arm(const bitactor_witness_t *witness)
{
	__atomic_store_n(witness->word, witness->armed, __ATOMIC_RELAXED);
}

static bool
was_off(const bitactor_witness_t *witness)
{
	return __atomic_load_n(witness->word, __ATOMIC_RELAXED) != witness->armed;
}

static void
nap(long ns)
{
	const struct timespec pause = { .tv_nsec = ns };
	(void)nanosleep(&pause, NULL);
}

static volatile sig_atomic_t signals;

static void
count_signal(int number)
{
	signals = signals + (number == SIGUSR1);
}

static void
seen(const bitactor_witness_t *witness)
{
	SCENARIO("a nap and a signal are seen, every time") {
		unsigned naps = 0, sent = 0;
		(void)signal(SIGUSR1, count_signal);
		for (int i = 0; i < 200; i++) {
			arm(witness);
			nap(1000);
			naps += was_off(witness);
			arm(witness);
			(void)raise(SIGUSR1);
			sent += was_off(witness);
		}
		CHECK_EQ(naps, 200);
		CHECK_EQ(sent, 200);
		CHECK_EQ(signals, 200);
	}
	SCENARIO("of a million short loops not all are disturbed") {
		unsigned quiet = 0;
		for (int i = 0; i < 1000000; i++) {
			arm(witness);
			for (int k = 0; k < 20; k++)
				__asm__ volatile("" : : : "memory");
			quiet += !was_off(witness);
		}
		printf("         %u of 1000000 were quiet\n", quiet);
		CHECK(quiet > 0);
	}
	/* an armed word must not outlive the code it points to */
	__atomic_store_n(witness->word, 0, __ATOMIC_RELAXED);
}

/* A child that is stopped and let go on while it spins; the parent sees it stopped. */
static void
stopped(void)
{
	SCENARIO("a process that is stopped while it spins sees that") {
		int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		                   -1, 0);
		CHECK(shared != MAP_FAILED);
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			bitactor_witness_t witness;
			if (!host->witness(host->context, &witness))
				_exit(8);
			arm(&witness);
			__atomic_store_n(shared, 1, __ATOMIC_RELEASE);
			while (__atomic_load_n(shared, __ATOMIC_ACQUIRE) != 2)
				__asm__ volatile("" : : : "memory");
			_exit(was_off(&witness) ? 7 : 9);
		}
		while (__atomic_load_n(shared, __ATOMIC_ACQUIRE) != 1)
			nap(100000);
		int status = 0;
		CHECK_EQ(kill(child, SIGSTOP), 0);
		CHECK(waitpid(child, &status, WUNTRACED) == child);
		CHECK(WIFSTOPPED(status));
		__atomic_store_n(shared, 2, __ATOMIC_RELEASE);
		CHECK_EQ(kill(child, SIGCONT), 0);
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), 7);
		CHECK_EQ(munmap(shared, 4096), 0);
	}
}

static void *
on_thread(void *result)
{
	bitactor_witness_t witness = { NULL, 0 };
	if (!host->witness(host->context, &witness))
		return NULL;
	arm(&witness);
	nap(1000);
	*(bitactor_witness_t *)result = witness;
	return was_off(&witness) ? result : NULL;
}

static void
threads(const bitactor_witness_t *mine)
{
	SCENARIO("each thread has a word of its own, all are armed alike") {
		pthread_t thread;
		bitactor_witness_t theirs = { NULL, 0 };
		void *done = NULL;
		CHECK_EQ(pthread_create(&thread, NULL, on_thread, &theirs), 0);
		CHECK_EQ(pthread_join(thread, &done), 0);
		CHECK(done == &theirs);
		CHECK(theirs.word != mine->word);
		CHECK_EQ(theirs.armed, mine->armed);
	}
}

static void
cpu_times(void)
{
	SCENARIO("time on the CPU goes on with work, and a nap is a voluntary leave") {
		bitactor_cpu_times_t first, worked, napped;
		errno = EXDEV;
		CHECK(host->cpu_times(host->context, &first));
		do {
			for (int i = 0; i < 100000; i++)
				__asm__ volatile("" : : : "memory");
			CHECK(host->cpu_times(host->context, &worked));
		} while (worked.cpu_ns < first.cpu_ns + 1000000);
		for (int i = 0; i < 10; i++)
			nap(1000000);
		CHECK(host->cpu_times(host->context, &napped));
		CHECK_EQ(errno, EXDEV);
		CHECK(napped.cpu_ns >= worked.cpu_ns);
		CHECK(napped.voluntary >= worked.voluntary + 10);
		CHECK(napped.involuntary >= first.involuntary);
	}
}

int
main(void)
{
	host = bitactor_host_posix();
	drive_begin_process();
	bitactor_witness_t witness = { NULL, 0 }, again = { NULL, 0 };
	errno = EXDEV;
	bool there = host->witness(host->context, &witness);
	SCENARIO("the word is the thread's, whenever one asks; errno is kept") {
		CHECK_EQ(errno, EXDEV);
		CHECK_EQ(host->witness(host->context, &again), there);
		CHECK(again.word == witness.word);
		CHECK_EQ(there, witness.word != NULL);
		CHECK_EQ(there, witness.armed != 0);
	}
	printf("this thread %s\n", there ? "has a witness" : "has no witness here");
	if (there) {
		seen(&witness);
		stopped();
		threads(&witness);
	}
	cpu_times();
	return bdd_close();
}
