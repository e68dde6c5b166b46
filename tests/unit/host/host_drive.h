/* SPDX-License-Identifier: Apache-2.0 */
/* host_drive.h -- the engine's part of the contract with its host, and nothing else.
 *
 *      drive_open(&drive, limit_ns);
 *      drive_add(&drive, handler, argument);     as often as one likes
 *      drive_turn(&drive);                       runs them all, in contain
 *
 * A dispatch that comes back commits: what its handler added to `staged` goes to
 * `sum`.  One that faults or is abandoned is rolled back and counted.  The host under
 * it is the real one.
 */
#ifndef BITACTOR_TESTS_HOST_DRIVE_H
#define BITACTOR_TESTS_HOST_DRIVE_H

#include <bitactor/host.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../bdd.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DRIVE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define DRIVE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define DRIVE_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define DRIVE_TSAN 1
#endif
#ifndef DRIVE_ASAN
#define DRIVE_ASAN 0
#endif
#ifndef DRIVE_TSAN
#define DRIVE_TSAN 0
#endif
/* clang's sanitizers are part of the program, so nothing in it can be abandoned. */
#if defined(__clang__) && (DRIVE_ASAN || DRIVE_TSAN)
#define DRIVE_LEAVES_PROGRAM 0
#else
#define DRIVE_LEAVES_PROGRAM 1
#endif

#define DRIVE_NOINLINE __attribute__((noinline, unused))
#if defined(__clang__) && __has_attribute(disable_sanitizer_instrumentation)
#define DRIVE_UNWATCHED __attribute__((disable_sanitizer_instrumentation))
#else
#define DRIVE_UNWATCHED __attribute__((no_sanitize_thread))
#endif

typedef struct drive drive_t;
typedef void drive_handler_t(drive_t *drive, uint64_t argument);

enum { DRIVE_MOST = 1024 };

struct drive {
	bitactor_watched_t watched;
	const bitactor_host_t *host;
	bool     is_contained; /* the dispatches of this turn         */
	uint64_t number;       /* of dispatches begun                 */
	uint64_t head, tail;
	uint64_t cell, before; /* the state that handlers work on     */
	uint64_t staged, sum;
	uint64_t completed, faulted, abandoned;
	bitactor_outcome_t last;
	struct {
		drive_handler_t *handler;
		uint64_t argument;
	} jobs[DRIVE_MOST];
};

static inline void
drive_open(drive_t *drive, uint64_t limit_ns)
{
	memset(drive, 0, sizeof *drive);
	drive->host = bitactor_host_posix();
	drive->is_contained = true;
	drive->watched.limit_ns = limit_ns;
}

static inline void
drive_add(drive_t *drive, drive_handler_t *handler, uint64_t argument)
{
	drive->jobs[drive->tail % DRIVE_MOST].handler = handler;
	drive->jobs[drive->tail % DRIVE_MOST].argument = argument;
	drive->tail++;
}

/* The fences are the compiler's: a signal handler on this thread looks. */
static DRIVE_NOINLINE void
drive_inner(void *argument)
{
	drive_t *drive = argument;
	while (drive->head != drive->tail) {
		uint64_t at = drive->head % DRIVE_MOST;
		drive->before = drive->cell;
		drive->staged = 0;
		uint64_t busy = ++drive->number << 1 | (drive->is_contained ? 1 : 0);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_store_n(&drive->watched.busy, busy, __ATOMIC_RELAXED);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		drive->jobs[at].handler(drive, drive->jobs[at].argument);
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		__atomic_store_n(&drive->watched.busy, 0, __ATOMIC_RELAXED); /* the commit */
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		drive->sum += drive->staged;
		drive->completed++;
		drive->head++;
	}
}

static inline void
drive_turn(drive_t *drive)
{
	while (drive->head != drive->tail) {
		bitactor_outcome_t outcome = drive->host->contain(
		        drive->host->context, &drive->watched, drive_inner, drive);
		if (outcome.what == BITACTOR_RETURNED)
			continue;
		drive->cell = drive->before;
		drive->faulted += outcome.what == BITACTOR_FAULTED;
		drive->abandoned += outcome.what == BITACTOR_ABANDONED;
		drive->last = outcome;
		drive->head++;
	}
}

/* One dispatch in a turn of its own. */
static inline bitactor_outcome_t
drive_one(drive_t *drive, drive_handler_t *handler, uint64_t argument)
{
	drive->last = (bitactor_outcome_t){ .what = BITACTOR_RETURNED };
	drive_add(drive, handler, argument);
	drive_turn(drive);
	return drive->last;
}

/* ---- children --------------------------------------------------------------------- */

enum { DRIVE_SURVIVED = 42 };

/* The wait status of a child that does that, and if it comes back says so. */
static inline int
drive_child(void (*body)(void))
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		body();
		_exit(DRIVE_SURVIVED);
	}
	int status = 0;
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	return status;
}

#define CHECK_DIES(body, number)                                 \
	do {                                                     \
		int drive_status = drive_child(body);            \
		CHECK(WIFSIGNALED(drive_status));                \
		CHECK_EQ(WTERMSIG(drive_status), number);        \
	} while (0)

#define CHECK_EXITS(body, code)                                  \
	do {                                                     \
		int drive_status = drive_child(body);            \
		CHECK(WIFEXITED(drive_status));                  \
		CHECK_EQ(WEXITSTATUS(drive_status), code);       \
	} while (0)

/* The default actions, not a sanitizer's report; and no core files. */
static inline void
drive_begin_process(void)
{
	const struct rlimit none = { 0, 0 };
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGSEGV, SIG_DFL);
	(void)signal(SIGBUS, SIG_DFL);
	(void)signal(SIGFPE, SIG_DFL);
	(void)signal(SIGILL, SIG_DFL);
}

/* ---- faults ----------------------------------------------------------------------- */

/* A page nobody may touch.  Not near NULL: that TSan would fault on itself. */
static inline volatile char *
drive_no_page(void)
{
	static char *page;
	if (page == NULL)
		page = mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page;
}

static DRIVE_NOINLINE void
drive_segv(drive_t *drive, uint64_t argument)
{
	drive->cell = 0xDEAD;
	drive->staged = argument;
	drive_no_page()[argument % 4096] = 1;
}

/* `n` times BA_SCALE (1), at least 1; a tenth of it under sanitizers. */
static inline uint64_t
drive_scale(uint64_t n)
{
	const char *text = getenv("BA_SCALE");
	double scale = text != NULL ? strtod(text, NULL) : 1.0;
	double scaled = (double)n * (scale > 0 ? scale : 1.0) / (DRIVE_ASAN || DRIVE_TSAN ? 10 : 1);
	return scaled < 1 ? 1 : (uint64_t)scaled;
}

/* The seed of this run, printed so that it can be had again by --seed N. */
static inline uint64_t
drive_seed(int argc, char **argv)
{
	uint64_t seed = bitactor_host_posix()->now_ns(NULL);
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%" PRIu64 "\n", seed);
	return seed;
}

static inline uint64_t
drive_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

#endif
