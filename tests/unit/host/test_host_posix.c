/* SPDX-License-Identifier: Apache-2.0 */
/* test_host_posix.c -- the clock never goes back; a guard stops, and lifts again. */
#include "../../bdd.h"

#include <bitactor/host.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE_MAX = 65536, SURVIVED = 42 };

static size_t page_bytes;

/* Does a child that writes there die of it? */
static bool
write_kills(volatile char *address)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		/* the default action, not a sanitizer's report */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGBUS, SIG_DFL);
		*address = 1;
		_exit(SURVIVED);
	}
	int status = 0;
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	if (WIFEXITED(status)) {
		CHECK_EQ(WEXITSTATUS(status), SURVIVED);
		return false;
	}
	CHECK(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
	return true;
}

static void
clock_goes_on(void)
{
	const bitactor_host_t *host = bitactor_host_posix();
	SCENARIO("now never goes back, and is the system's monotonic clock") {
		GIVEN("the host's clock and a million readings");
		WHEN("each is compared with the one before");
		THEN("none is smaller, some are larger, and clock_gettime agrees to a minute");
		uint64_t first = host->now_ns(host->context), last = first;
		unsigned back = 0;
		for (int i = 0; i < 1000000; i++) {
			uint64_t now = host->now_ns(host->context);
			back += now < last;
			last = now;
		}
		CHECK_EQ(back, 0);
		CHECK(last > first);
		struct timespec time;
		CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &time), 0);
		uint64_t system = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
		CHECK(system >= last);
		CHECK(system - last < UINT64_C(60000000000));
	}
	SCENARIO("one constant table") {
		CHECK(host == bitactor_host_posix());
		CHECK(host->now_ns != NULL);
		CHECK(host->protect != NULL);
	}
}

/* The middle one of three pages is guarded, lifted, lifted again, guarded. */
static void
check_guard(char *pages)
{
	const bitactor_host_t *host = bitactor_host_posix();
	char *guarded = pages + page_bytes;
	GIVEN("three pages");
	memset(pages, 'a', 3 * page_bytes);
	WHEN("the middle one is guarded, then lifted");
	THEN("a write there kills a child, one beside it does not; then it is memory again");
	CHECK(!write_kills(guarded));
	CHECK(host->protect(host->context, guarded, page_bytes, true));
	CHECK(write_kills(guarded));
	CHECK(write_kills(guarded + page_bytes - 1));
	CHECK(!write_kills(guarded - 1));
	CHECK(!write_kills(guarded + page_bytes));
	CHECK(host->protect(host->context, guarded, page_bytes, false));
	CHECK(!write_kills(guarded));
	memset(guarded, 'b', page_bytes);
	/* not the first byte: in shared memory a child has written there */
	CHECK_EQ(pages[1], 'a');
	CHECK_EQ(guarded[1], 'b');
	CHECK_EQ(guarded[page_bytes + 1], 'a');
	CHECK(host->protect(host->context, guarded, page_bytes, false));
	CHECK(host->protect(host->context, guarded, page_bytes, true));
	CHECK(write_kills(guarded));
	CHECK(host->protect(host->context, guarded, page_bytes, false));
	guarded[0] = 'c';
}

static void
guards(void)
{
	const size_t block_bytes = 3 * page_bytes;
	static _Alignas(PAGE_MAX) char in_bss[3 * PAGE_MAX];
	SCENARIO("a guard in memory of mmap") {
		char *pages = mmap(NULL, block_bytes, PROT_READ | PROT_WRITE,
		                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(pages != MAP_FAILED);
		check_guard(pages);
		CHECK_EQ(munmap(pages, block_bytes), 0);
	}
	SCENARIO("a guard in memory of malloc, which is given back") {
		char *pages = aligned_alloc(page_bytes, block_bytes);
		CHECK(pages != NULL);
		check_guard(pages);
		free(pages);
	}
	SCENARIO("a guard in static memory") {
		check_guard(in_bss);
	}
	SCENARIO("a guard in shared memory, which MADV_GUARD_INSTALL refuses") {
		char *pages = mmap(NULL, block_bytes, PROT_READ | PROT_WRITE,
		                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		CHECK(pages != MAP_FAILED);
		check_guard(pages);
		CHECK_EQ(munmap(pages, block_bytes), 0);
	}
	SCENARIO("a guard in locked memory, which MADV_GUARD_INSTALL refuses") {
		char *pages = mmap(NULL, block_bytes, PROT_READ | PROT_WRITE,
		                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(pages != MAP_FAILED);
		if (mlock(pages, block_bytes) != 0)
			printf("         (mlock is not allowed here)\n");
		check_guard(pages);
		CHECK_EQ(munmap(pages, block_bytes), 0);
	}
}

static unsigned
count_mappings(void)
{
	unsigned lines = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	for (int c; maps != NULL && (c = fgetc(maps)) != EOF;)
		lines += c == '\n';
	if (maps != NULL)
		(void)fclose(maps);
	return lines;
}

static void
guard_names(void)
{
	const bitactor_host_t *host = bitactor_host_posix();
	const char *name = bitactor_host_guard_name();
	printf("guards are made by %s\n", name);
	SCENARIO("the name says what protect does") {
		enum { STACKS = 32 };
		size_t block_bytes = 2 * STACKS * page_bytes;
		char *pages = mmap(NULL, block_bytes, PROT_READ | PROT_WRITE,
		                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(pages != MAP_FAILED);
		GIVEN("32 stacks");
		(void)count_mappings(); /* stdio's buffer is mapped by now */
		unsigned before = count_mappings();
		WHEN("each gets a guard");
		for (size_t i = 0; i < STACKS; i++)
			CHECK(host->protect(host->context, pages + 2 * i * page_bytes, page_bytes,
			                    true));
		unsigned after = count_mappings();
		THEN("madv-guard splits no mapping, mprotect one in two each time");
		if (strcmp(name, "madv-guard") == 0)
			CHECK(after < before + STACKS);
		else
			CHECK(strcmp(name, "mprotect") == 0 && after >= before + STACKS);
		CHECK(write_kills(pages));
		CHECK(host->protect(host->context, pages, block_bytes, false));
		memset(pages, 'x', block_bytes);
		CHECK_EQ(munmap(pages, block_bytes), 0);
	}
	SCENARIO("what cannot be guarded is answered, and errno is left alone") {
		static _Alignas(PAGE_MAX) char page[PAGE_MAX];
		errno = EXDEV;
		CHECK(!host->protect(host->context, NULL, page_bytes, true));
		CHECK(!host->protect(host->context, page, 0, true));
		CHECK(!host->protect(host->context, page + 1, page_bytes, true));
		CHECK(!host->protect(host->context, page + 1, page_bytes, false));
		CHECK_EQ(errno, EXDEV);
		page[0] = 1;
	}
}

static void *
ask_name(void *answer)
{
	*(const char **)answer = bitactor_host_guard_name();
	return NULL;
}

/* First of all: it must meet a process that has not tried yet. */
static void
many_at_first(void)
{
	SCENARIO("threads that ask together get one answer (TSan watches)") {
		enum { THREADS = 8 };
		pthread_t threads[THREADS];
		const char *answers[THREADS] = { NULL };
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, ask_name, &answers[i]), 0);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_join(threads[i], NULL), 0);
		for (int i = 0; i < THREADS; i++)
			CHECK(answers[i] != NULL &&
			      strcmp(answers[i], bitactor_host_guard_name()) == 0);
	}
}

int
main(void)
{
	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	if (page_bytes > PAGE_MAX) {
		printf("pages of %zu bytes are more than this test has room for\n", page_bytes);
		return 77;
	}
	many_at_first();
	clock_goes_on();
	guards();
	guard_names();
	return bdd_close();
}
