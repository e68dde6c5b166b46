/* SPDX-License-Identifier: Apache-2.0 */
/* test_bitactor_chaos_bdd.c -- the engine under what it must survive.
 *
 *      a   10,000 random signals and nobody to take them
 *      b   no memory left, not 64 bytes, and 1000 operations to do
 *      c   8 threads, 1000 operations each
 *      d   8 ways to spoil a signal, 8 ways to spoil the trace, 100 times each
 *      e   100,000 signals for 1024 slots
 *
 * Nothing here stands in for the engine: these are the three core files.  What a
 * signal deserves is decided a second time, from its bytes, by this file alone.
 * A ledger counts each operation when it has been done: a call into the engine,
 * or a corruption of its trace.  The document that asked for this test asks for
 * 42,800 of them.
 *
 *      --seed N    repeat a run
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the documented bare build line brings none */
#endif
#ifndef USE_REAL_IMPLEMENTATIONS
#error "this test is for the real engine: build it with -DUSE_REAL_IMPLEMENTATIONS"
#endif
#include "bdd.h"

#include <bitactor/bitactor.h>
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/bitactor_telemetry.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
	SIGNALS = 10000,         /* a */
	OPERATIONS = 1000,       /* b, and each thread in c */
	MEGABYTES = 50,          /* b */
	THREADS = 8,             /* c */
	PATTERNS = 8, TIMES = 100, /* d */
	OFFERED = 100000,        /* e */
	WANTED = 42800
};

/* ---- the ledger ------------------------------------------------------ */

static uint64_t ledger, ledger_before;

static void
did(uint64_t operations)
{
	ledger += operations;
}

static void
ledger_line(char scenario)
{
	printf("  ledger %c: %" PRIu64 " operations\n", scenario, ledger - ledger_before);
	ledger_before = ledger;
}

/* ---- chance ---------------------------------------------------------- */

static uint64_t seed;

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static void
random_bytes(uint64_t *state, void *bytes, size_t byte_count)
{
	for (uint8_t *at = bytes; byte_count > 0; byte_count--)
		*at++ = (uint8_t)random_next(state);
}

/* A signal that the door lets in; everything else about it is random. */
static bitactor_signal_t
random_signal(uint64_t *state)
{
	bitactor_signal_t signal;
	random_bytes(state, &signal, sizeof signal);
	signal.kind       = (uint16_t)(random_next(state) % BITACTOR_MAX_KINDS);
	signal.data_bytes = 0;
	signal.reserved   = 0;
	return signal;
}

static bitactor_stats_t
stats_of(const bitactor_engine_t *engine)
{
	bitactor_stats_t stats = { .offered = 0 };
	CHECK_EQ(bitactor_stats(engine, &stats), BITACTOR_OK);
	CHECK_EQ(stats.offered, stats.accepted + stats.refused);
	CHECK_EQ(stats.accepted,
	         stats.dispatched + stats.rejected + stats.dropped + stats.queued);
	return stats;
}

/* Dispatch all that waits; how many that were. */
static uint64_t
drain_all(bitactor_engine_t *engine)
{
	uint64_t done = 0, all = 0;
	bitactor_status_t status;
	while ((status = bitactor_drain(engine, UINT64_MAX, &done)) == BITACTOR_OK) {
		all += done;
		did(1);
	}
	CHECK_EQ(status, BITACTOR_EMPTY);
	did(1);
	return all;
}

static void
trace_is_whole(const bitactor_engine_t *engine)
{
	uint64_t segment = 0;
	uint32_t offset  = 0;
	CHECK_EQ(bitactor_telemetry_check(engine, &segment, &offset), BITACTOR_OK);
}

/* ---- a: nobody is there ---------------------------------------------- */

static bitactor_status_t
count_one(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	++*(uint64_t *)state;
	return BITACTOR_OK;
}

/* Enqueue it; when there is no room, make some. */
static void
push(bitactor_engine_t *engine, const bitactor_signal_t *signal)
{
	bitactor_status_t status = bitactor_enqueue(engine, signal);
	did(1);
	if (status == BITACTOR_FULL) {
		drain_all(engine);
		status = bitactor_enqueue(engine, signal);
		did(1);
	}
	CHECK_EQ(status, BITACTOR_OK);
}

static void
nobody_is_there(bitactor_engine_t *engine, uint64_t *random)
{
	SCENARIO("10,000 random signals on an engine without handlers") {
		GIVEN("the engine of the process, and nobody registered");
		WHEN("10,000 are enqueued and drained, and 10,000 ticked");
		THEN("every one is rejected, counted and recorded, and none is dispatched");
		for (int i = 0; i < SIGNALS; i++) {
			bitactor_signal_t signal = random_signal(random);
			push(engine, &signal);
		}
		drain_all(engine);
		CHECK_EQ(stats_of(engine).rejected, SIGNALS);
		uint64_t invalid = 0;
		for (int i = 0; i < SIGNALS; i++) {
			bitactor_signal_t signal = random_signal(random);
			bitactor_result_t result;
			invalid += bitactor_tick(engine, &signal, &result) ==
			           BITACTOR_INVALID_SIGNAL;
			did(1);
		}
		CHECK_EQ(invalid, SIGNALS);
		bitactor_stats_t stats = stats_of(engine);
		CHECK_EQ(stats.rejected, 2 * SIGNALS);
		CHECK_EQ(stats.dispatched, 0);
		CHECK_EQ(stats.queued, 0);
		CHECK_EQ(stats.accepted, 2 * SIGNALS);
		CHECK_EQ(stats.records, stats.turns + 2 * SIGNALS);
		trace_is_whole(engine);
	}
}

static void
somebody_is_there(bitactor_engine_t *engine, uint64_t *random)
{
	SCENARIO("it was for want of a handler, and of nothing else") {
		GIVEN("the same engine, and a handler for every third of its 256 kinds");
		WHEN("10,000 random signals come, half of them of kinds in the table");
		THEN("those that have a handler reach it, all others are rejected");
		uint64_t handled = 0, expected = 0;
		bitactor_stats_t before = stats_of(engine);
		for (uint16_t kind = 0; kind < 256; kind = (uint16_t)(kind + 3))
			CHECK_EQ(bitactor_register(engine, kind, count_one, &handled),
			         BITACTOR_OK);
		for (int i = 0; i < SIGNALS; i++) {
			bitactor_signal_t signal = random_signal(random);
			if (i % 2 == 0)
				signal.kind %= 256;
			expected += signal.kind < 256 && signal.kind % 3 == 0;
			push(engine, &signal);
		}
		drain_all(engine);
		bitactor_stats_t after = stats_of(engine);
		CHECK_EQ(handled, expected);
		CHECK_EQ(after.dispatched - before.dispatched, expected);
		CHECK_EQ(after.rejected - before.rejected, SIGNALS - expected);
		trace_is_whole(engine);
	}
}

static void
scenario_a(uint64_t *random)
{
	bitactor_engine_t *engine = bitactor_init();
	CHECK(bitactor_is_ready(engine));
	nobody_is_there(engine, random);
	somebody_is_there(engine, random);
	CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
	ledger_line('a');
}

/* ---- b: no memory ---------------------------------------------------- */

enum { B_BLOCK_BYTES = 640 * 1024 };

/* What 1000 operations answered and left behind: plain bytes, to be compared. */
typedef struct outcome {
	bitactor_stats_t stats;
	uint64_t statuses; /* of every call, folded */
	uint64_t results;
	uint64_t operations;
	uint8_t  head[BITACTOR_DIGEST_BYTES]; /* root of the last segment */
} outcome_t;

static uint64_t
no_counts(void *context)
{
	return *(uint64_t *)context += 10;
}

static uint64_t
no_clock(void *context)
{
	return *(uint64_t *)context += 1000;
}

/* Sums; every fifth emits to kind 2, every seventh sends output, kind 3 fails. */
static bitactor_status_t
sum_up(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *sum = state;
	const uint8_t *data = bitactor_turn_data(turn);
	*sum = *sum * 31 + signal->payload + (data != NULL ? data[0] : 0);
	bitactor_turn_result(turn, *sum ^ bitactor_random(turn));
	if (signal->kind == 1 && signal->payload % 5 == 0) {
		bitactor_signal_t more = { .kind = 2, .payload = *sum };
		(void)bitactor_emit(turn, &more);
	}
	if (signal->payload % 7 == 0)
		(void)bitactor_output(turn, 1, sum, sizeof *sum);
	return signal->kind == 3 ? BITACTOR_ERROR : BITACTOR_OK;
}

static bitactor_status_t
operate(bitactor_engine_t *engine, int i, uint64_t *random, uint64_t *result)
{
	static const char text[] = "what a signal may carry along";
	bitactor_signal_t signal = { .id = (uint32_t)i, .payload = random_next(random) };
	signal.kind = (uint16_t)(random_next(random) % 5); /* nobody has 0 and 4 */
	bitactor_result_t answer = { .value = 0 };
	bitactor_status_t status;

	switch (i % 4) {
	case 0:
		return bitactor_enqueue(engine, &signal);
	case 1:
		return bitactor_enqueue_data(engine, &signal, text, 1 + (size_t)i % 29);
	case 2:
		return bitactor_drain(engine, 1 + random_next(random) % 4, result);
	default:
		status = bitactor_tick(engine, &signal, &answer);
		*result = answer.value;
		return status;
	}
}

static void
operate_1000(void *block, outcome_t *outcome)
{
	uint64_t counts = 0, now = 0, sum = 0, random = seed;
	bitactor_host_t    host    = { .context = &now, .now_ns = no_clock };
	bitactor_counter_t counter = { .context = &counts, .read = no_counts, .hz = 1000000000 };
	bitactor_config_t  config;
	bitactor_engine_t *engine = NULL;
	memset(outcome, 0, sizeof *outcome);
	bitactor_config_default(&config);
	config.flags = BITACTOR_VIRTUAL;
	config.seed  = seed;
	config.host  = &host;
	config.counter = &counter;

	uint64_t statuses = (uint64_t)bitactor_engine_init(block, B_BLOCK_BYTES, &config, &engine);
	for (uint16_t kind = 1; kind <= 3; kind++) {
		bitactor_handler_t handler = { .fn = sum_up, .state = &sum,
			                       .state_bytes = sizeof sum, .kind = kind };
		statuses = statuses * 31 + bitactor_register_handler(engine, &handler);
	}
	for (int i = 0; i < OPERATIONS; i++, outcome->operations++) {
		uint64_t result = 0;
		statuses = statuses * 31 + operate(engine, i, &random, &result);
		outcome->results = outcome->results * 31 + result;
	}
	statuses = statuses * 31 + bitactor_stats(engine, &outcome->stats);
	statuses = statuses * 31 + bitactor_telemetry_check(engine, NULL, NULL);
	statuses = statuses * 31 + bitactor_telemetry_close(engine, outcome->head);
	statuses = statuses * 31 + bitactor_destroy(engine);
	outcome->statuses = statuses;
}

/* What the child tells. */
typedef struct pressure {
	outcome_t outcome;
	uint64_t  taken_bytes;
	bool      limited; /* the system refused */
	bool      refused; /* a further allocation, before and after the operations */
} pressure_t;

static _Alignas(4096) uint8_t b_block[B_BLOCK_BYTES];

/* Take all that malloc gives, down to pieces of 64 bytes, and use it. */
static uint64_t
take_everything(uint64_t most)
{
	uint64_t taken = 0;
	for (size_t piece = 1 << 20; piece >= 64; piece /= 2) {
		void *volatile memory; /* or the compiler leaves the call out */
		while (taken < most && (memory = malloc(piece)) != NULL) {
			memset(memory, 0xA5, piece);
			taken += piece;
		}
	}
	return taken;
}

static bool
malloc_refuses(size_t bytes)
{
	void *volatile memory = malloc(bytes);
	free(memory);
	return memory == NULL;
}

/* In the child: no address space but 50 MB, and those are taken. */
static void
press_by_rlimit(pressure_t *pressure)
{
	struct rlimit limit;
	unsigned long pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");
	if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
		_exit(1);
	fclose(statm);
	limit.rlim_cur = limit.rlim_max =
	        pages * (rlim_t)sysconf(_SC_PAGESIZE) + (MEGABYTES + 2) * (rlim_t)1000000;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		_exit(1);
	pressure->taken_bytes = take_everything(4 * MEGABYTES * UINT64_C(1000000));
	pressure->limited     = malloc_refuses(64);
	if (!pressure->limited)
		_exit(0); /* qemu and the like grant it anyway */
	operate_1000(b_block, &pressure->outcome);
	pressure->refused = malloc_refuses(64);
	_exit(0);
}

/* Where the system's limit cannot be had: a heap of 50 MB that the engine's own
 * block comes from, and that is then taken to the last 64 bytes. */
static uint8_t *arena;
static size_t   arena_used;

static void *
arena_take(size_t bytes)
{
	if (MEGABYTES * (size_t)1000000 - arena_used < bytes)
		return NULL;
	arena_used += bytes;
	return arena + arena_used - bytes;
}

static void
press_by_arena(pressure_t *pressure)
{
	arena = mmap(NULL, MEGABYTES * (size_t)1000000, PROT_READ | PROT_WRITE,
	             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(arena != MAP_FAILED);
	void *block = arena_take(B_BLOCK_BYTES), *piece;
	for (size_t bytes = 1 << 20; bytes >= 64; bytes /= 2)
		while ((piece = arena_take(bytes)) != NULL)
			memset(piece, 0xA5, bytes);
	pressure->taken_bytes = arena_used;
	pressure->limited     = arena_take(64) == NULL;
	operate_1000(block, &pressure->outcome);
	pressure->refused = arena_take(64) == NULL;
	for (size_t i = B_BLOCK_BYTES; i < arena_used; i++)
		pressure->refused &= arena[i] == 0xA5; /* nobody helped himself */
	munmap(arena, MEGABYTES * (size_t)1000000);
}

static void
scenario_b(void)
{
	pressure_t *pressure = mmap(NULL, sizeof *pressure, PROT_READ | PROT_WRITE,
	                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static outcome_t at_ease;
	SCENARIO("50 MB of memory pressure changes nothing") {
		GIVEN("50 MB, all of it taken, so that not 64 bytes more can be had");
		WHEN("1000 operations run, from init to destroy");
		THEN("every answer, every count and the trace are those of a run at ease");
		CHECK(pressure != MAP_FAILED);
		operate_1000(b_block, &at_ease);
		did(at_ease.operations);
		fflush(stdout);
		if (!SANITIZED) {
			pid_t child = fork();
			if (child == 0)
				press_by_rlimit(pressure);
			int status = 0;
			CHECK(child > 0 && waitpid(child, &status, 0) == child);
			CHECK_EQ(status, 0);
		}
		if (!pressure->limited)
			press_by_arena(pressure);
		did(pressure->outcome.operations);
		printf("     (%" PRIu64 " bytes taken)\n", pressure->taken_bytes);
		CHECK(pressure->taken_bytes >= MEGABYTES * UINT64_C(1000000) - 64);
		CHECK(pressure->limited);
		CHECK(pressure->refused);
		CHECK_EQ(pressure->outcome.operations, OPERATIONS);
		CHECK(memcmp(&pressure->outcome, &at_ease, sizeof at_ease) == 0);
		CHECK(at_ease.stats.dispatched > 0);
		CHECK(at_ease.stats.rejected > 0);
		CHECK(at_ease.stats.failed > 0);
		CHECK(at_ease.stats.emitted > 0);
		CHECK(at_ease.stats.outputs > 0);
	}
	munmap(pressure, sizeof *pressure);
	ledger_line('b');
}

/* ---- c: many threads ------------------------------------------------- */

typedef struct crowd {
	bitactor_engine_t *engine;
	uint64_t next[THREADS]; /* the number each producer's next signal must have */
	uint64_t out_of_order, strangers;
} crowd_t;

typedef struct member {
	crowd_t *crowd;
	uint32_t number;
	bool     ticks;
	uint64_t calls, failed;
} member_t;

static bitactor_status_t
in_order(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	crowd_t *crowd = state;
	(void)turn;
	if (signal->id >= THREADS)
		crowd->strangers++;
	else if (signal->payload != crowd->next[signal->id])
		crowd->out_of_order++;
	else
		crowd->next[signal->id]++;
	return BITACTOR_OK;
}

static void *
send_1000(void *argument)
{
	member_t *member = argument;
	bitactor_engine_t *engine = member->crowd->engine;
	for (uint64_t i = 0; i < OPERATIONS; i++) {
		bitactor_signal_t signal = { .id = member->number, .kind = 7, .payload = i };
		bitactor_status_t status;
		for (;;) {
			member->calls++;
			status = member->ticks ? bitactor_tick(engine, &signal, NULL)
			                       : bitactor_enqueue(engine, &signal);
			if (status != BITACTOR_FULL)
				break;
			sched_yield();
		}
		member->failed += status != BITACTOR_OK && status != BITACTOR_TICK_EXCEEDED;
	}
	return NULL;
}

/* All at once, while this thread drains; how many it drained. */
static uint64_t
crowd_sends(crowd_t *crowd, bool ticks)
{
	pthread_t threads[THREADS];
	member_t  members[THREADS];
	uint64_t  drained = 0, done = 0, expected = ticks ? 0 : THREADS * OPERATIONS;
	memset(crowd->next, 0, sizeof crowd->next);
	for (uint32_t i = 0; i < THREADS; i++) {
		members[i] = (member_t){ .crowd = crowd, .number = i, .ticks = ticks };
		CHECK_EQ(pthread_create(&threads[i], NULL, send_1000, &members[i]), 0);
	}
	while (drained < expected) {
		bitactor_status_t status = bitactor_drain(crowd->engine, 256, &done);
		drained += done;
		did(1);
		if (status != BITACTOR_OK)
			sched_yield();
	}
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(members[i].failed, 0);
		CHECK_EQ(crowd->next[i], OPERATIONS);
		did(members[i].calls);
	}
	return drained;
}

static void
scenario_c(void)
{
	static crowd_t crowd;
	crowd.engine = bitactor_init();
	CHECK_EQ(bitactor_register(crowd.engine, 7, in_order, &crowd), BITACTOR_OK);
	SCENARIO("8 threads enqueue 1000 signals each") {
		GIVEN("8 producers that try again when there is no room, and one that drains");
		WHEN("all run at once");
		THEN("8000 signals arrive, each once, those of a producer in its order");
		CHECK_EQ(crowd_sends(&crowd, false), THREADS * OPERATIONS);
		CHECK_EQ(drain_all(crowd.engine), 0);
		bitactor_stats_t stats = stats_of(crowd.engine);
		CHECK_EQ(stats.dispatched, THREADS * OPERATIONS);
		CHECK_EQ(crowd.out_of_order, 0);
		CHECK_EQ(crowd.strangers, 0);
	}
	SCENARIO("8 threads tick 1000 signals each") {
		GIVEN("the same engine, which one thread at a time may have");
		WHEN("all 8 want it");
		THEN("8000 dispatches, each once, those of a thread in its order");
		crowd_sends(&crowd, true);
		bitactor_stats_t stats = stats_of(crowd.engine);
		CHECK_EQ(stats.dispatched, 2 * THREADS * OPERATIONS);
		CHECK_EQ(crowd.out_of_order, 0);
		trace_is_whole(crowd.engine);
	}
	CHECK_EQ(bitactor_destroy(crowd.engine), BITACTOR_OK);
	ledger_line('c');
}

/* ---- d: corruption --------------------------------------------------- */

enum { GOOD_KIND = 17, SIGNAL_BYTES = 48 };

typedef enum verdict { REFUSED, REJECTED, DISPATCHED } verdict_t;

/* The second opinion: from the bytes alone, by their offsets. */
static verdict_t
what_it_deserves(const uint8_t *bytes)
{
	if (bytes == NULL)
		return REFUSED;
	unsigned kind = bytes[8] | (unsigned)bytes[9] << 8;
	if (kind >= 0xFF00)
		return REFUSED;
	for (int i = 12; i < 16; i++) /* data that was never given */
		if (bytes[i] != 0)
			return REFUSED;
	for (int i = 44; i < 48; i++) /* reserved */
		if (bytes[i] != 0)
			return REFUSED;
	return kind == GOOD_KIND ? DISPATCHED : REJECTED;
}

static const char *const patterns[PATTERNS] = {
	"no signal at all", "a reserved kind", "a reserved field that is not 0",
	"a length without data", "a kind nobody has", "all ones", "random bytes", "one flipped bit",
};

/* False: the signal is NULL. */
static bool
spoil(int pattern, uint64_t *random, uint8_t bytes[SIGNAL_BYTES])
{
	bitactor_signal_t signal = random_signal(random);
	uint64_t chance = random_next(random);
	signal.kind = GOOD_KIND;
	switch (pattern) {
	case 1: signal.kind = (uint16_t)(0xFF00 + chance % 256); break;
	case 2: signal.reserved = (uint32_t)(1 + chance % UINT32_MAX); break;
	case 3: signal.data_bytes = (uint32_t)(1 + chance % UINT32_MAX); break;
	case 4: signal.kind = (uint16_t)(GOOD_KIND + 1 + chance % 1000); break;
	case 5: memset(&signal, 0xFF, sizeof signal); break;
	case 6: random_bytes(random, &signal, sizeof signal); break;
	default: break;
	}
	memcpy(bytes, &signal, SIGNAL_BYTES);
	if (pattern == 7)
		bytes[chance % SIGNAL_BYTES] ^= (uint8_t)(1u << chance / SIGNAL_BYTES % 8);
	return pattern != 0;
}

static bitactor_status_t
remember_bytes(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn;
	memcpy(state, signal, SIGNAL_BYTES);
	return BITACTOR_OK;
}

/* Offer it; what the engine made of it, by its own counters. */
static void
offer(bitactor_engine_t *engine, const bitactor_signal_t *signal, verdict_t verdict, bool tick)
{
	bitactor_stats_t before = stats_of(engine);
	bitactor_status_t status = tick ? bitactor_tick(engine, signal, NULL)
	                                : bitactor_enqueue(engine, signal);
	did(1);
	if (tick)
		CHECK_EQ(status == BITACTOR_INVALID_SIGNAL, verdict != DISPATCHED);
	else
		CHECK_EQ(status == BITACTOR_INVALID_SIGNAL, verdict == REFUSED);
	if (!tick)
		CHECK_EQ(drain_all(engine), verdict != REFUSED);
	bitactor_stats_t after = stats_of(engine);
	CHECK_EQ(after.refused_invalid - before.refused_invalid, verdict == REFUSED);
	CHECK_EQ(after.rejected - before.rejected, verdict == REJECTED);
	CHECK_EQ(after.dispatched - before.dispatched, verdict == DISPATCHED);
	CHECK_EQ(after.offered - before.offered, 1);
}

static void
signals_are_spoilt(uint64_t *random)
{
	bitactor_engine_t *engine = bitactor_init();
	static uint8_t arrived[SIGNAL_BYTES];
	CHECK_EQ(bitactor_register(engine, GOOD_KIND, remember_bytes, arrived), BITACTOR_OK);
	for (int pattern = 0; pattern < PATTERNS; pattern++) {
		SCENARIO(patterns[pattern]) {
			GIVEN("a handler for kind 17, and a signal spoilt in this way, 100 times");
			WHEN("each is enqueued and drained, and each is ticked");
			THEN("it is refused, rejected or dispatched as its bytes deserve");
			for (int i = 0; i < 2 * TIMES; i++) {
				uint8_t bytes[SIGNAL_BYTES];
				bool there = spoil(pattern, random, bytes);
				bitactor_signal_t signal;
				memcpy(&signal, bytes, SIGNAL_BYTES);
				verdict_t verdict = what_it_deserves(there ? bytes : NULL);
				memset(arrived, 0xEE, sizeof arrived);
				offer(engine, there ? &signal : NULL, verdict, i % 2 != 0);
				memset(bytes + 40, 0, 4); /* the seal is for the door */
				if (verdict == DISPATCHED)
					CHECK(memcmp(arrived, bytes, SIGNAL_BYTES) == 0);
				else
					CHECK_EQ(arrived[0], 0xEE);
			}
		}
	}
	trace_is_whole(engine);
	CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
}

/* -- and the trace -- */

enum { D_SEGMENTS = 4, D_BLOCK_BYTES = 768 * 1024 };

static _Alignas(4096) uint8_t d_block[D_BLOCK_BYTES];

static const char *const trace_patterns[PATTERNS] = {
	"one flipped bit", "one other byte", "a slot of zeros", "a record of ones",
	"a record of random bytes", "two records that changed places", "a header's byte",
	"a forged payload with a check that matches",
};

/* An engine whose ring is full to the brim and closed. */
static bitactor_engine_t *
recorded(uint64_t *random)
{
	bitactor_config_t  config;
	bitactor_engine_t *engine = NULL;
	static uint8_t     cell[SIGNAL_BYTES];
	bitactor_config_default(&config);
	config.segments = D_SEGMENTS;
	CHECK(bitactor_engine_bytes(&config) <= D_BLOCK_BYTES);
	CHECK_EQ(bitactor_engine_init(d_block, D_BLOCK_BYTES, &config, &engine), BITACTOR_OK);
	CHECK_EQ(bitactor_register(engine, GOOD_KIND, remember_bytes, cell), BITACTOR_OK);
	for (int i = 0; i < 6000; i++) {
		bitactor_signal_t signal = random_signal(random);
		signal.kind = i % 3 != 0 ? GOOD_KIND : signal.kind;
		if (i % 2 == 0)
			signal = (bitactor_signal_t){ .kind = signal.kind, .payload = (uint64_t)i };
		push(engine, &signal);
	}
	drain_all(engine);
	CHECK_EQ(bitactor_telemetry_close(engine, NULL), BITACTOR_OK);
	return engine;
}

/* The record that begins `skip` records after the header, or the next that is
 * no PAD: a forged PAD would not even look right. */
static uint32_t
record_number(const uint8_t *segment, uint32_t skip, uint32_t *bytes)
{
	uint32_t offset = BITACTOR_HEADER_BYTES;
	for (;; skip -= skip > 0) {
		bool pad = segment[offset + 4] == 0xFF && segment[offset + 5] == 0xFF;
		*bytes = 32u + 32u * segment[offset + 6];
		if (skip == 0 && !pad)
			return offset;
		offset += *bytes;
	}
}

/* The check of a record, by the words of the format's description. */
static void
check_again(const uint8_t *segment_bytes, uint64_t segment, uint8_t *record, uint32_t bytes)
{
	uint8_t  text[16 + 8 + 4 + 1024];
	uint32_t slot = (uint32_t)(record - segment_bytes) / 32;
	memcpy(text, segment_bytes + 4, 16);
	memcpy(text + 16, &segment, 8);
	memcpy(text + 24, &slot, 4);
	memcpy(text + 28, record, bytes);
	memset(text + 28 + 28, 0, 4);
	uint32_t crc = bitactor_crc32c(0, text, 28 + bytes);
	memcpy(record + 28, &crc, 4);
}

/* Spoil a segment; where the engine's own check must find it. */
static uint32_t
spoil_trace(int pattern, uint64_t *random, uint8_t *bytes, uint64_t segment)
{
	uint32_t record_bytes, other_bytes;
	uint32_t skip   = (uint32_t)(random_next(random) % 800);
	uint32_t at     = record_number(bytes, skip, &record_bytes);
	uint32_t next   = at + record_bytes;
	uint64_t chance = random_next(random);
	uint8_t *record = bytes + at, swap[1024];

	switch (pattern) {
	case 0: record[chance % record_bytes] ^= (uint8_t)(1u << chance / 1024 % 8); break;
	case 1: record[chance % record_bytes] ^= (uint8_t)(1 + chance / 1024 % 255); break;
	case 2: memset(record, 0, 32); break;
	case 3: memset(record, 0xFF, record_bytes); break;
	case 4: random_bytes(random, record, record_bytes); break;
	case 5: /* the two together still fill their place */
		other_bytes = 32u + 32u * bytes[next + 6];
		memcpy(swap, record, record_bytes);
		memmove(record, bytes + next, other_bytes);
		memcpy(record + other_bytes, swap, record_bytes);
		break;
	case 6:
		bytes[chance % BITACTOR_HEADER_BYTES] ^= (uint8_t)(1 + chance / 128 % 255);
		return 0;
	default:
		record[16 + chance % 8] ^= (uint8_t)(1 + chance / 8 % 255);
		check_again(bytes, segment, record, record_bytes);
		return BITACTOR_SEGMENT_BYTES; /* the whole segment's root */
	}
	return at;
}

/* One corruption, found where it is, and gone when it is undone. */
static void
spoil_and_find(bitactor_engine_t *engine, int pattern, uint64_t *random)
{
	static uint8_t whole[BITACTOR_SEGMENT_BYTES];
	bitactor_stats_t stats = stats_of(engine);
	uint64_t segment = stats.segments - D_SEGMENTS + random_next(random) % (D_SEGMENTS - 1);
	const uint8_t *bytes = NULL;
	CHECK_EQ(bitactor_telemetry_segment(engine, segment, &bytes), BITACTOR_OK);
	if (bytes == NULL)
		return;
	memcpy(whole, bytes, sizeof whole);
	uint8_t *ours = d_block + (bytes - d_block); /* the ring lies in our block */
	uint32_t expected = spoil_trace(pattern, random, ours, segment);
	did(1);

	uint64_t bad_segment = UINT64_MAX;
	uint32_t bad_offset  = UINT32_MAX;
	CHECK_EQ(bitactor_telemetry_check(engine, &bad_segment, &bad_offset), BITACTOR_CORRUPT);
	CHECK_EQ(bad_segment, segment);
	CHECK_EQ(bad_offset, expected);
	if (expected > 0 && expected < BITACTOR_SEGMENT_BYTES) {
		bitactor_record_t record;
		uint32_t nonce = bitactor_segment_nonce(whole + 4, segment);
		bitactor_status_t status = bitactor_record_read(
		        bytes, nonce, expected, BITACTOR_SEGMENT_BYTES, true, &record, NULL);
		CHECK(status == BITACTOR_CORRUPT || (pattern == 2 && status == BITACTOR_EMPTY));
		did(1);
	}
	memcpy(ours, whole, sizeof whole);
	trace_is_whole(engine);
	did(2);
}

static void
traces_are_spoilt(uint64_t *random)
{
	bitactor_engine_t *engine = recorded(random);
	CHECK(stats_of(engine).segments > D_SEGMENTS);
	trace_is_whole(engine);
	for (int pattern = 0; pattern < PATTERNS; pattern++) {
		SCENARIO(trace_patterns[pattern]) {
			GIVEN("a closed trace of four segments, spoilt in this way, 100 times");
			WHEN("the engine checks it");
			THEN("it names the segment and the place, and finds nothing once undone");
			for (int i = 0; i < TIMES; i++)
				spoil_and_find(engine, pattern, random);
		}
	}
	CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
}

static void
scenario_d(uint64_t *random)
{
	signals_are_spoilt(random);
	traces_are_spoilt(random);
	ledger_line('d');
}

/* ---- e: too much ----------------------------------------------------- */

typedef struct sequence {
	uint64_t next, wrong;
} sequence_t;

static bitactor_status_t
next_in_line(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	sequence_t *sequence = state;
	(void)turn;
	sequence->wrong += signal->payload != sequence->next++;
	return BITACTOR_OK;
}

static void
queue_overflows(bitactor_engine_t *engine, sequence_t *sequence)
{
	SCENARIO("100,000 signals for 1024 slots") {
		GIVEN("a queue of 1024, and nobody who drains it");
		WHEN("100,000 signals are offered");
		THEN("the first 1024 are taken, 98,976 refused, and drained = enqueued");
		uint64_t taken = 0, full = 0;
		for (uint64_t i = 0; i < OFFERED; i++) {
			bitactor_signal_t signal = { .kind = 1, .payload = i };
			bitactor_status_t status = bitactor_enqueue(engine, &signal);
			taken += status == BITACTOR_OK;
			full += status == BITACTOR_FULL;
			did(1);
		}
		CHECK_EQ(taken, BITACTOR_MAX_SIGNALS);
		CHECK_EQ(full, OFFERED - BITACTOR_MAX_SIGNALS);
		CHECK_EQ(bitactor_pending_count(engine), BITACTOR_MAX_SIGNALS);
		bitactor_stats_t stats = stats_of(engine);
		CHECK_EQ(stats.offered, OFFERED);
		CHECK_EQ(stats.accepted, BITACTOR_MAX_SIGNALS);
		CHECK_EQ(stats.refused_full, full);
		CHECK_EQ(stats.queued, BITACTOR_MAX_SIGNALS);
		CHECK_EQ(drain_all(engine), taken);
		CHECK_EQ(sequence->next, taken);
		CHECK_EQ(sequence->wrong, 0);
		stats = stats_of(engine);
		CHECK_EQ(stats.dispatched, taken);
		CHECK_EQ(stats.queue_high, BITACTOR_MAX_SIGNALS);
		CHECK_EQ(stats.queued, 0);
	}
}

static void
queue_breathes(bitactor_engine_t *engine, sequence_t *sequence, uint64_t *random)
{
	SCENARIO("full, a little room, full again") {
		GIVEN("the same queue, full");
		WHEN("some are drained, and half as many again are offered, 200 times");
		THEN("as many are taken as were drained, in order, to the last");
		uint64_t taken = 0, drained = 0, refused = 0;
		bitactor_stats_t before = stats_of(engine);
		*sequence = (sequence_t){ .next = 0 };
		for (int round = 0; round < 200; round++) {
			uint64_t room = BITACTOR_MAX_SIGNALS - (taken - drained), accepted = 0;
			uint64_t offers = room + room / 2 + 1;
			for (uint64_t i = 0; i < offers; i++) {
				bitactor_signal_t signal = { .kind = 1, .payload = taken };
				bool ok = bitactor_enqueue(engine, &signal) == BITACTOR_OK;
				accepted += ok;
				taken += ok;
				did(1);
			}
			CHECK_EQ(accepted, room);
			refused += offers - accepted;
			uint64_t most = 1 + random_next(random) % 300, done = 0;
			CHECK_EQ(bitactor_drain(engine, most, &done), BITACTOR_OK);
			CHECK_EQ(done, most);
			drained += done;
			did(1);
		}
		drained += drain_all(engine);
		CHECK_EQ(drained, taken);
		CHECK_EQ(sequence->next, taken);
		CHECK_EQ(sequence->wrong, 0);
		CHECK_EQ(stats_of(engine).refused_full - before.refused_full, refused);
		trace_is_whole(engine);
	}
}

static void
scenario_e(uint64_t *random)
{
	bitactor_engine_t *engine = bitactor_init();
	static sequence_t sequence;
	CHECK_EQ(bitactor_register(engine, 1, next_in_line, &sequence), BITACTOR_OK);
	queue_overflows(engine, &sequence);
	queue_breathes(engine, &sequence, random);
	CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
	ledger_line('e');
}

int
main(int argc, char **argv)
{
	struct timespec now = { 0, 0 };
	clock_gettime(CLOCK_REALTIME, &now);
	seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
	printf("seed=%" PRIu64 "\n", seed);
	uint64_t random = seed;

	scenario_a(&random);
	scenario_b();
	scenario_c();
	scenario_d(&random);
	scenario_e(&random);
	SCENARIO("the ledger") {
		THEN("more than 42,800 operations were done");
		printf("  ledger, all: %" PRIu64 " operations\n", ledger);
		CHECK(ledger > WANTED);
	}
	return bdd_close();
}
