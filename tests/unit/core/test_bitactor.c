/* SPDX-License-Identifier: Apache-2.0 */
/* test_bitactor.c -- an engine's life, its door, its turns, its numbers.
 *
 * What a call answers to a NULL, to an engine that is gone and to a caller from
 * inside is asked of every public call by one list; the rest is one scenario a
 * promise of bitactor.h.  Handlers and time are in test_bitactor_dispatch.c, the
 * trace in test_bitactor_telemetry.c.
 */
#include "../../../bitactor/src/internal/engine.h"
#include "../../engine_probe.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static probe_t      probe;
static probe_seen_t seen;

/* ---- every public call, with good arguments but for the engine ------- */

static const bitactor_signal_t a_signal = { .kind = 1, .payload = 5 };

static bitactor_status_t
call_stop(bitactor_engine_t *engine)
{
	return bitactor_stop(engine, true, 1, NULL);
}

static bitactor_status_t
call_enqueue(bitactor_engine_t *engine)
{
	return bitactor_enqueue(engine, &a_signal);
}

static bitactor_status_t
call_enqueue_many(bitactor_engine_t *engine)
{
	size_t taken;
	return bitactor_enqueue_many(engine, &a_signal, 1, &taken);
}

static bitactor_status_t
call_enqueue_data(bitactor_engine_t *engine)
{
	return bitactor_enqueue_data(engine, &a_signal, "data", 4);
}

static bitactor_status_t
call_drain(bitactor_engine_t *engine)
{
	return bitactor_drain(engine, 1, NULL);
}

static bitactor_status_t
call_tick(bitactor_engine_t *engine)
{
	return bitactor_tick(engine, &a_signal, NULL);
}

static bitactor_status_t
call_stats(bitactor_engine_t *engine)
{
	bitactor_stats_t stats;
	return bitactor_stats(engine, &stats);
}

static bitactor_status_t
call_kind_stats(bitactor_engine_t *engine)
{
	bitactor_kind_stats_t stats;
	return bitactor_kind_stats(engine, 1, &stats);
}

static bitactor_status_t
call_latency(bitactor_engine_t *engine)
{
	uint64_t counts;
	return bitactor_latency(engine, 500000, &counts, NULL);
}

static bitactor_status_t
call_clock_info(bitactor_engine_t *engine)
{
	bitactor_clock_info_t info;
	return bitactor_clock_info(engine, &info);
}

static bitactor_status_t
call_register(bitactor_engine_t *engine)
{
	return bitactor_register(engine, 1, probe_see, &seen);
}

static bitactor_status_t
call_register_handler(bitactor_engine_t *engine)
{
	bitactor_handler_t handler = { .fn = probe_see, .state = &seen, .kind = 1 };
	return bitactor_register_handler(engine, &handler);
}

static bitactor_status_t
call_unregister(bitactor_engine_t *engine)
{
	return bitactor_unregister(engine, 2);
}

static bitactor_status_t
call_unregister_sync(bitactor_engine_t *engine)
{
	return bitactor_unregister_sync(engine, 2);
}

static bitactor_status_t
call_fibers_init(bitactor_engine_t *engine)
{
	static _Alignas(4096) uint8_t stacks[4096];
	return bitactor_fibers_init(engine, stacks, sizeof stacks);
}

static bitactor_status_t
call_note(bitactor_engine_t *engine)
{
	return bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, "x", 1);
}

static bitactor_status_t
call_close(bitactor_engine_t *engine)
{
	return bitactor_telemetry_close(engine, NULL);
}

static bitactor_status_t
call_segment(bitactor_engine_t *engine)
{
	const uint8_t *bytes;
	return bitactor_telemetry_segment(engine, 0, &bytes);
}

static bitactor_status_t
call_check(bitactor_engine_t *engine)
{
	return bitactor_telemetry_check(engine, NULL, NULL);
}

static const struct call {
	const char *name;
	bitactor_status_t (*call)(bitactor_engine_t *engine);
	bitactor_status_t inside; /* its answer to a handler of the same engine */
} calls[] = {
	{ "stop", call_stop, BITACTOR_OK }, /* from the next dispatch on */
	{ "destroy", bitactor_destroy, BITACTOR_REENTRANT },
	{ "enqueue", call_enqueue, BITACTOR_OK }, /* they are emits */
	{ "enqueue_many", call_enqueue_many, BITACTOR_OK },
	{ "enqueue_data", call_enqueue_data, BITACTOR_OK },
	{ "drain", call_drain, BITACTOR_REENTRANT },
	{ "tick", call_tick, BITACTOR_REENTRANT },
	{ "stats", call_stats, BITACTOR_OK },
	{ "kind_stats", call_kind_stats, BITACTOR_OK },
	{ "latency", call_latency, BITACTOR_EMPTY }, /* batches only, so far */
	{ "clock_info", call_clock_info, BITACTOR_OK },
	{ "register", call_register, BITACTOR_OK },
	{ "register_handler", call_register_handler, BITACTOR_OK },
	{ "unregister", call_unregister, BITACTOR_OK },
	{ "unregister_sync", call_unregister_sync, BITACTOR_REENTRANT },
	{ "fibers_init", call_fibers_init, BITACTOR_ERROR }, /* it has no fibers */
	{ "telemetry_note", call_note, BITACTOR_REENTRANT },
	{ "telemetry_flush", bitactor_telemetry_flush, BITACTOR_REENTRANT },
	{ "telemetry_close", call_close, BITACTOR_REENTRANT },
	{ "telemetry_segment", call_segment, BITACTOR_OK },
	{ "telemetry_check", call_check, BITACTOR_REENTRANT },
};

enum { CALLS = sizeof calls / sizeof *calls };

static void
every_call_answers(bitactor_engine_t *engine, bitactor_status_t expected)
{
	for (int i = 0; i < CALLS; i++) {
		bitactor_status_t status = calls[i].call(engine);
		if (status != expected)
			printf("  %s: %s\n", calls[i].name, bitactor_status_name(status));
		CHECK_EQ(status, expected);
	}
}

static void
test_no_engine(void)
{
	SCENARIO("a call without an engine, or with one that is gone") {
		GIVEN("NULL, a destroyed engine, and a block that never was one");
		WHEN("every public call is made");
		THEN("the answers are ERROR, CLOSED and CLOSED; questions get the empty answer");
		every_call_answers(NULL, BITACTOR_ERROR);

		probe_config(&probe);
		probe_open(&probe);
		bitactor_engine_t *gone = probe.engine;
		CHECK_EQ(bitactor_destroy(gone), BITACTOR_OK);
		every_call_answers(gone, BITACTOR_CLOSED);
		bitactor_engine_t *lost[3] = { NULL, gone, gone };
		for (int i = 0; i < 3; i++) {
			uint64_t segment;
			uint32_t bytes;
			if (i == 2)
				memset(gone, 0x5A, sizeof *gone);
			CHECK(!bitactor_is_ready(lost[i]));
			CHECK(!bitactor_is_registered(lost[i], 1));
			CHECK_EQ(bitactor_pending_count(lost[i]), 0);
			CHECK_EQ(bitactor_counts_to_ns(lost[i], 5), 0);
			CHECK(bitactor_telemetry_last_gasp(lost[i], &segment, &bytes) == NULL);
		}
		every_call_answers(gone, BITACTOR_CLOSED);
		probe_block_give(probe.block, probe.block_bytes);
	}
}

static void
test_nulls(void)
{
	SCENARIO("a NULL where there should be something") {
		GIVEN("a live engine");
		WHEN("each other pointer of each call is NULL in turn");
		THEN("a NULL signal is INVALID_SIGNAL, what may be NULL may, the rest is ERROR");
		probe_config(&probe);
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		uint64_t segment;
		uint32_t bytes;
		bitactor_handler_t handler = { .fn = NULL, .kind = 1 };
		CHECK_EQ(bitactor_enqueue(engine, NULL), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue_many(engine, NULL, 2, NULL), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue_data(engine, NULL, "x", 1), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue_data(engine, NULL, NULL, 0), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue_data(engine, &a_signal, NULL, 1), BITACTOR_ERROR);
		CHECK_EQ(bitactor_tick(engine, NULL, NULL), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_stats(engine, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_kind_stats(engine, 1, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_latency(engine, 1, NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_clock_info(engine, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_register(engine, 1, NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_register_handler(engine, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_register_handler(engine, &handler), BITACTOR_ERROR);
		CHECK_EQ(bitactor_fibers_init(engine, NULL, 1), BITACTOR_ERROR);
		CHECK_EQ(bitactor_fibers_bytes(NULL), 0);
		CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, NULL, 1),
		         BITACTOR_ERROR);
		CHECK_EQ(bitactor_telemetry_segment(engine, 0, NULL), BITACTOR_ERROR);
		CHECK(bitactor_telemetry_last_gasp(engine, NULL, &bytes) == NULL);
		CHECK(bitactor_telemetry_last_gasp(engine, &segment, NULL) == NULL);
		bitactor_config_default(NULL);
		bitactor_build_info(NULL);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.refused_invalid, 6); /* enqueue_many's two count twice */
		CHECK_EQ(stats.accepted, 0);
		probe_close(&probe);
	}
}

/* ---- limits and memory ----------------------------------------------- */

static void
test_limits(void)
{
	static const struct limit {
		size_t   offset;
		uint64_t good[4], bad[4]; /* 0-terminated but for the first */
	} limits[] = {
#define AT(field) offsetof(bitactor_config_t, field)
		{ AT(kinds), { 1, 2, 0xFF00 }, { 0, 0xFF01, UINT32_MAX } },
		{ AT(queue_slots), { 2, 4, 1 << 20 }, { 0, 1, 3, 1 << 21 } },
		{ AT(emit_slots), { 2, 4, 1 << 20 }, { 0, 1, 1000, 1u << 31 } },
		{ AT(data_max), { 0, 8, 32768 }, { 4, 7, 32776 } },
		{ AT(data_blocks), { 0, 1, 4096 }, { (1 << 20) + 1, UINT32_MAX } },
		{ AT(emit_data_blocks), { 0, 1, 4096 }, { (1 << 20) + 1, UINT32_MAX } },
		{ AT(output_max), { 0, 8, 1 << 20 }, { 12, (1 << 20) + 8 } },
		{ AT(segments), { 0, 2, 3, 1 << 16 }, { 1, (1 << 16) + 1 } },
		{ AT(fibers), { 0, 1, 65535 }, { 65536, UINT32_MAX } },
		{ AT(fiber_stack_bytes), { 16384, 65536, 1 << 30 }, { 0, 12288, 16385, 1u << 31 } },
		{ AT(budget_ticks), { 1, 1000, UINT32_MAX }, { 0 } },
		{ AT(flags), { 0, 7 }, { 8, 1u << 31 } },
#undef AT
	};
	SCENARIO("limits are checked, and memory follows from them") {
		GIVEN("the defaults with one limit changed");
		WHEN("the size is asked for");
		THEN("it is 0 for an impossible limit only, and init refuses that, too");
		for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
			for (int k = 0; k < 8; k++) {
				bool     good  = k < 4;
				uint64_t value = good ? limits[i].good[k] : limits[i].bad[k - 4];
				if (k % 4 != 0 && value == 0)
					continue;
				bitactor_config_t config;
				bitactor_config_default(&config);
				uint32_t narrow = (uint32_t)value;
				memcpy((uint8_t *)&config + limits[i].offset, &narrow, 4);
				if ((bitactor_engine_bytes(&config) != 0) != good)
					printf("  limit %zu: %" PRIu64 "\n", i, value);
				CHECK_EQ(bitactor_engine_bytes(&config) != 0, good);
				bitactor_engine_t *engine;
				static _Alignas(64) uint8_t block[64];
				CHECK_EQ(bitactor_engine_init(block, good ? 64 : SIZE_MAX, &config,
				                              &engine),
				         BITACTOR_ERROR);
				if (!good)
					CHECK_EQ(bitactor_fibers_bytes(&config), 0);
			}
		}
	}
}

static void
test_memory(void)
{
	SCENARIO("an engine needs what it says, where it says") {
		GIVEN("the default limits, and the smallest useful ones");
		WHEN("their sizes are asked for, and blocks of other sizes and places offered");
		THEN("512 KiB and 32 KiB are enough; too small, crooked or NULL is an ERROR");
		bitactor_config_t config;
		bitactor_config_default(&config);
		size_t bytes = bitactor_engine_bytes(NULL);
		CHECK_EQ(bytes, bitactor_engine_bytes(&config));
		CHECK(bytes > 0);
		CHECK(bytes <= 512 * 1024);
		bitactor_config_t small = config;
		small.kinds = small.data_blocks = small.emit_data_blocks = 8;
		small.queue_slots = small.emit_slots = 32;
		small.segments   = 0;
		small.output_max   = 256;
		small.dead_letters = 0;
		CHECK(bitactor_engine_bytes(&small) <= 32 * 1024);

		bitactor_engine_t *engine = NULL;
		uint8_t *block = probe_block_take(bytes);
		CHECK_EQ(bitactor_engine_init(NULL, bytes, NULL, &engine), BITACTOR_ERROR);
		CHECK_EQ(bitactor_engine_init(block, bytes, NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_engine_init(block, bytes - 1, NULL, &engine), BITACTOR_ERROR);
		CHECK_EQ(bitactor_engine_init(block + 32, bytes, NULL, &engine), BITACTOR_ERROR);
		CHECK(engine == NULL);
		CHECK_EQ(bitactor_engine_init(block, bytes, NULL, &engine), BITACTOR_OK);
		CHECK(bitactor_is_ready(engine));
		CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
		probe_block_give(block, bytes);
	}
}

static void
test_layout(void)
{
	SCENARIO("who writes at once does not share a line") {
		GIVEN("an engine in a block that is aligned to 64 and no better");
		WHEN("its parts are measured");
		THEN("claims, head, refusals and the turn are 128 bytes apart, from a base that "
		     "is aligned to that");
		enum {
			CLAIM   = offsetof(bitactor_engine_t, queue) + offsetof(ba_queue_t, claim),
			HEAD    = offsetof(bitactor_engine_t, queue) + offsetof(ba_queue_t, head),
			REFUSED = offsetof(bitactor_engine_t, refused_full),
			LOCK    = offsetof(bitactor_engine_t, lock)
		};
		probe_config(&probe);
		probe_open(&probe);
		CHECK_EQ((uintptr_t)probe.block % 128, 64);
		CHECK_EQ((uintptr_t)probe.engine % 128, 0);
		CHECK(HEAD - CLAIM >= 128);
		CHECK(REFUSED - HEAD >= 128);
		CHECK(LOCK - REFUSED >= 128);
		CHECK_EQ(CLAIM % 128 + HEAD % 128 + REFUSED % 128 + LOCK % 128, 0);
		probe_close(&probe);
	}
}

static void
test_tables_are_copied(void)
{
	SCENARIO("configuration and tables are copied") {
		GIVEN("an engine with a counter, a clock, a sink");
		WHEN("the caller's tables are overwritten after init");
		THEN("the engine does not notice");
		probe_config(&probe);
		probe_counter(&probe, 1000000);
		probe_clock(&probe);
		probe_sink(&probe);
		probe_open(&probe);
		memset(&probe.config, 0xFF, sizeof probe.config);
		memset(&probe.counter, 0xFF, sizeof probe.counter);
		memset(&probe.host, 0xFF, sizeof probe.host);
		memset(&probe.sink, 0xFF, sizeof probe.sink);
		CHECK_EQ(bitactor_tick(probe.engine, &a_signal, NULL), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_telemetry_flush(probe.engine), BITACTOR_OK);
		CHECK_EQ(probe.kept.calls, 1);
		probe_close(&probe);
	}
}

/* ---- life ------------------------------------------------------------ */

static void
test_cycles_are_silent(void)
{
	SCENARIO("10,000 lives, not a word") {
		GIVEN("standard output and error that go into a file");
		WHEN("an engine is made, used and ended 10,000 times");
		THEN("every call succeeds and the file is empty");
		FILE *file = tmpfile();
		CHECK(file != NULL);
		fflush(stdout);
		int out = dup(STDOUT_FILENO), error = dup(STDERR_FILENO);
		dup2(fileno(file), STDOUT_FILENO);
		dup2(fileno(file), STDERR_FILENO);
		size_t bytes  = bitactor_engine_bytes(NULL);
		void  *block  = probe_block_take(bytes);
		uint64_t bad  = 0;
		uint64_t most = PROBE_SANITIZED ? 1000 : 10000;
		for (uint64_t i = 0; i < most; i++) {
			bitactor_engine_t *engine = NULL;
			bad += bitactor_engine_init(block, bytes, NULL, &engine) != BITACTOR_OK;
			bad += bitactor_register(engine, 1, probe_see, &seen) != BITACTOR_OK;
			bad += bitactor_enqueue(engine, &a_signal) != BITACTOR_OK;
			bad += bitactor_drain(engine, 1, NULL) != BITACTOR_OK;
			bad += bitactor_stop(engine, true, 1, NULL) != BITACTOR_OK;
			bad += bitactor_destroy(engine) != BITACTOR_OK;
		}
		dup2(out, STDOUT_FILENO);
		dup2(error, STDERR_FILENO);
		close(out);
		close(error);
		CHECK_EQ(bad, 0);
		CHECK_EQ(lseek(fileno(file), 0, SEEK_END), 0);
		fclose(file);
		probe_block_give(block, bytes);
	}
}

static void *
init_in_thread(void *argument)
{
	*(bitactor_engine_t **)argument = bitactor_init();
	return NULL;
}

static void
test_process_engine(void)
{
	enum { THREADS = 8 };
	SCENARIO("one engine for the process") {
		GIVEN("8 threads");
		WHEN("all call bitactor_init at once, again after a stop, and after a destroy");
		THEN("all get the same, a stopped one stays stopped, a destroyed one is made anew");
		pthread_t threads[THREADS];
		bitactor_engine_t *engines[THREADS];
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, init_in_thread, &engines[i]), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		for (int i = 0; i < THREADS; i++)
			CHECK(engines[i] == engines[0]);
		bitactor_engine_t *engine = bitactor_init();
		CHECK(engine == engines[0]);
		CHECK(bitactor_is_ready(engine));
		CHECK_EQ(bitactor_stop(engine, false, 0, NULL), BITACTOR_OK);
		CHECK(bitactor_init() == engine);
		CHECK(!bitactor_is_ready(engine));
		CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
		CHECK(bitactor_init() == engine);
		CHECK(bitactor_is_ready(engine));
		CHECK_EQ(probe_stats(engine).turns, 0);
		CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
	}
}

/* ---- the door -------------------------------------------------------- */

static void
test_door(void)
{
	SCENARIO("the door refuses what can never be right, and counts it") {
		GIVEN("an engine with 8 slots and blocks for 16 bytes");
		WHEN("signals come that are reserved, crooked, too many, too long");
		THEN("each gets its answer and its counter, and nothing else moves");
		probe_config(&probe);
		probe.config.queue_slots = 8;
		probe.config.data_max    = 16;
		probe.config.data_blocks = 2;
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		bitactor_signal_t reserved_kind = { .kind = 0xFF00 }, top_kind = { .kind = 0xFFFF };
		bitactor_signal_t reserved = { .reserved = 1 }, length = { .data_bytes = 4 };
		bitactor_signal_t last_kind = { .kind = 0xFEFF };
		char data[17] = "0123456789abcdef";
		CHECK_EQ(bitactor_enqueue(engine, &reserved_kind), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue(engine, &top_kind), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue(engine, &reserved), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue(engine, &length), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_tick(engine, &length, NULL), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue_data(engine, &reserved, data, 4),
		         BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_enqueue_data(engine, &a_signal, data, 17),
		         BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(probe_stats(engine).refused_invalid, 7);

		CHECK_EQ(bitactor_enqueue(engine, &last_kind), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_data(engine, &length, data, 16), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_data(engine, &length, data, 1), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_data(engine, &a_signal, data, 1), BITACTOR_FULL);
		CHECK_EQ(bitactor_enqueue_data(engine, &length, NULL, 0), BITACTOR_OK);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(bitactor_enqueue(engine, &a_signal), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue(engine, &a_signal), BITACTOR_FULL);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.refused_data, 1);
		CHECK_EQ(stats.refused_full, 1);
		CHECK_EQ(stats.accepted, 8);
		CHECK_EQ(stats.queued, 8);
		CHECK_EQ(bitactor_pending_count(engine), 8);
		CHECK_EQ(probe_drain(engine, 100), 8);
		CHECK_EQ(probe_stats(engine).rejected, 8); /* the door never looks at the table */
		CHECK_EQ(bitactor_enqueue_data(engine, &a_signal, data, 16), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_data(engine, &a_signal, data, 16), BITACTOR_OK);
		probe_close(&probe);
	}
}

static void
test_full_gives_the_block_back(void)
{
	SCENARIO("no slot for a signal with data") {
		GIVEN("two slots that are taken, and one free block");
		WHEN("a signal with data is refused ten times for want of a slot");
		THEN("its block is free again each time");
		probe_config(&probe);
		probe.config.queue_slots = 2;
		probe.config.data_blocks = 1;
		probe_open(&probe);
		probe_send(probe.engine, 1, 0);
		probe_send(probe.engine, 1, 0);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(call_enqueue_data(probe.engine), BITACTOR_FULL);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.refused_full, 10);
		CHECK_EQ(stats.refused_data, 0);
		CHECK_EQ(probe_drain(probe.engine, 2), 2);
		CHECK_EQ(call_enqueue_data(probe.engine), BITACTOR_OK);
		probe_close(&probe);
	}
}

static void
test_many(void)
{
	SCENARIO("many at once stay together, or none of them comes") {
		GIVEN("an engine with 8 slots, 3 of them taken");
		WHEN("6, then 5, then 1, then a batch with one bad signal, then 9 are sent");
		THEN("FULL, OK, FULL, INVALID_SIGNAL; taken is 0 or all; order is kept; and 9, "
		     "which never have room, are an ERROR");
		probe_config(&probe);
		probe.config.queue_slots = 8;
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		bitactor_signal_t  batch[9] = { { .kind = 1 } };
		size_t taken = 99;
		seen.count = 0;
		CHECK_EQ(bitactor_register(engine, 1, probe_see, &seen), BITACTOR_OK);
		for (uint64_t i = 0; i < 6; i++)
			batch[i] = (bitactor_signal_t){ .kind = 1, .payload = 100 + i };
		for (uint64_t i = 0; i < 3; i++)
			probe_send(engine, 1, i);
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 6, &taken), BITACTOR_FULL);
		CHECK_EQ(taken, 0);
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 5, &taken), BITACTOR_OK);
		CHECK_EQ(taken, 5);
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 1, &taken), BITACTOR_FULL);
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 0, &taken), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_many(engine, NULL, 0, &taken), BITACTOR_OK);
		CHECK_EQ(taken, 0);
		CHECK_EQ(probe_drain(engine, 100), 8);
		for (uint64_t i = 0; i < 8; i++)
			CHECK_EQ(seen.at[i].payload, i < 3 ? i : 97 + i);
		batch[4].reserved = 1;
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 6, &taken), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(taken, 0);
		batch[4].reserved = 0;
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 9, &taken), BITACTOR_ERROR);
		CHECK_EQ(taken, 0);
		CHECK_EQ(bitactor_enqueue_many(engine, batch, 8, &taken), BITACTOR_OK);
		CHECK_EQ(probe_drain(engine, 100), 8);
		CHECK_EQ(bitactor_pending_count(engine), 0);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.refused_full, 7);
		CHECK_EQ(stats.refused_invalid, 6);
		CHECK_EQ(stats.accepted, 16);
		probe_close(&probe);
	}
}

typedef struct carried {
	uint32_t bytes[64];
	uint32_t count, wrong;
} carried_t;

/* The data of signal n is n bytes of value n. */
static bitactor_status_t
weigh(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	carried_t     *carried = state;
	const uint8_t *data    = bitactor_turn_data(turn);
	carried->wrong += signal->data_bytes != signal->payload;
	carried->wrong += (data == NULL) != (signal->payload == 0);
	carried->wrong += (uintptr_t)data % 8 != 0;
	for (uint64_t i = 0; data != NULL && i < signal->payload; i++)
		carried->wrong += data[i] != signal->payload;
	carried->bytes[carried->count++ % 64] = signal->data_bytes;
	return BITACTOR_OK;
}

static void
test_data(void)
{
	SCENARIO("data arrives as it was sent") {
		GIVEN("blocks of 40 bytes, and signals with 0 to 40 bytes of data");
		WHEN("they are sent in rounds that use every block again and again");
		THEN("each handler sees the length and the bytes of its own signal, aligned to 8");
		static carried_t carried;
		probe_config(&probe);
		probe.config.data_max    = 40;
		probe.config.data_blocks = 7;
		probe_open(&probe);
		CHECK_EQ(bitactor_register(probe.engine, 1, weigh, &carried), BITACTOR_OK);
		uint32_t sent = 0;
		for (uint32_t round = 0; round < 50; round++) {
			for (uint32_t i = 0; i < 7; i++, sent++) {
				uint8_t  data[40];
				uint32_t bytes = (round * 7 + i) % 41;
				bitactor_signal_t signal = { .kind = 1, .payload = bytes };
				memset(data, (int)bytes, sizeof data);
				CHECK_EQ(bitactor_enqueue_data(probe.engine, &signal, data, bytes),
				         BITACTOR_OK);
				memset(data, 0xDD, sizeof data); /* it was copied */
			}
			CHECK_EQ(probe_drain(probe.engine, 3), 7);
		}
		CHECK_EQ(carried.count, sent);
		CHECK_EQ(carried.wrong, 0);
		probe_close(&probe);
	}
}

/* ---- turns ----------------------------------------------------------- */

/* Kind 1 emits a signal of kind 2 with ten times its payload. */
static bitactor_status_t
see_and_emit(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t more = { .kind = 2, .payload = signal->payload * 10 };
	if (signal->kind == 1)
		CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	return probe_see(turn, signal, state);
}

static void
open_with_emitter(void)
{
	probe_config(&probe);
	probe_open(&probe);
	seen.count = 0;
	CHECK_EQ(bitactor_register(probe.engine, 1, see_and_emit, &seen), BITACTOR_OK);
	CHECK_EQ(bitactor_register(probe.engine, 2, see_and_emit, &seen), BITACTOR_OK);
	CHECK_EQ(bitactor_register(probe.engine, 9, probe_see, &seen), BITACTOR_OK);
}

static void
seen_payloads(const uint64_t *expected, uint32_t count)
{
	CHECK_EQ(seen.count, count);
	for (uint32_t i = 0; i < count && i < seen.count; i++)
		CHECK_EQ(seen.at[i].payload, expected[i]);
}

static void
test_order_of_a_turn(void)
{
	SCENARIO("left over, admitted, emitted") {
		GIVEN("signals 1, 2, 3, each of which emits its tenfold");
		WHEN("a turn of two, a fourth signal, a large turn, and a tick run");
		THEN("what a turn left comes before what is new, what it emits after that, and "
		     "a tick ahead of all");
		static const uint64_t expected[] = { 1, 2, 7, 10, 20, 70, 3, 4, 30, 40 };
		uint64_t done = 99;
		open_with_emitter();
		bitactor_engine_t *engine = probe.engine;
		CHECK_EQ(bitactor_drain(engine, 5, &done), BITACTOR_EMPTY);
		CHECK_EQ(done, 0);
		CHECK_EQ(bitactor_drain(engine, 0, &done), BITACTOR_ERROR);
		for (uint64_t i = 1; i <= 3; i++)
			probe_send(engine, 1, i);
		CHECK_EQ(bitactor_drain(engine, 2, &done), BITACTOR_OK);
		CHECK_EQ(done, 2);
		CHECK_EQ(bitactor_pending_count(engine), 3);
		bitactor_signal_t seven = { .kind = 1, .payload = 7 };
		bitactor_status_t status = bitactor_tick(engine, &seven, NULL);
		CHECK(status == BITACTOR_OK || status == BITACTOR_TICK_EXCEEDED);
		probe_send(engine, 1, 4);
		CHECK_EQ(bitactor_drain(engine, UINT64_MAX, &done), BITACTOR_OK);
		CHECK_EQ(done, 7);
		seen_payloads(expected, 10);
		CHECK_EQ(bitactor_drain(engine, 5, &done), BITACTOR_EMPTY);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.turns, 3);
		CHECK_EQ(stats.emitted, 5);
		CHECK_EQ(stats.emit_high, 3);
		CHECK_EQ(stats.queue_high, 3);
		CHECK_EQ(stats.offered, 10);
		probe_close(&probe);
	}
}

static void
test_max(void)
{
	SCENARIO("a turn does at most what it was told") {
		GIVEN("1000 signals that emit one each");
		WHEN("they are drained in turns of every size from 1 up");
		THEN("each turn does exactly that many while there are as many");
		open_with_emitter();
		uint64_t left = 2000;
		for (uint64_t i = 0; i < 1000; i++)
			probe_send(probe.engine, 1, i);
		for (uint64_t max = 1; left > 0; max++) {
			uint64_t done = 0;
			CHECK_EQ(bitactor_drain(probe.engine, max, &done), BITACTOR_OK);
			CHECK_EQ(done, max < left ? max : left);
			left -= done;
		}
		CHECK_EQ(bitactor_pending_count(probe.engine), 0);
		ba_engine_check(probe.engine);
		probe_close(&probe);
	}
}

static _Atomic bool ticker_may_start;

static void *
ticker_main(void *argument)
{
	bitactor_signal_t signal = { .kind = 9, .payload = 999 };
	while (!atomic_load(&ticker_may_start))
		sched_yield();
	bitactor_status_t status = bitactor_tick(argument, &signal, NULL);
	CHECK(status == BITACTOR_OK || status == BITACTOR_TICK_EXCEEDED);
	return NULL;
}

/* The first of them starts a tick elsewhere and goes on once it waits. */
static bitactor_status_t
let_tick_wait(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_engine_t *engine = probe.engine;
	atomic_store(&ticker_may_start, true);
	while (atomic_load(&engine->tick_waiters) == 0)
		sched_yield();
	return probe_see(turn, signal, state);
}

static void
test_tick_cuts_a_turn(void)
{
	SCENARIO("a waiting tick ends a turn") {
		GIVEN("100 signals left over and 200 admitted, 100 at a time queued for a turn");
		WHEN("a tick begins to wait during the first dispatch of a turn");
		THEN("the turn ends after the 64 that were begun together, and the tick is next");
		for (int leftover = 0; leftover < 2; leftover++) {
			pthread_t ticker;
			uint64_t  done = 0;
			atomic_store(&ticker_may_start, false);
			open_with_emitter();
			bitactor_engine_t *engine = probe.engine;
			for (uint64_t i = 0; i < 100; i++)
				probe_send(engine, 1, i);
			CHECK_EQ(bitactor_drain(engine, 100, &done), BITACTOR_OK);
			if (!leftover)
				CHECK_EQ(probe_drain(engine, 1000), 100);
			for (uint64_t i = 0; i < 200; i++)
				probe_send(engine, 3, i);
			CHECK_EQ(bitactor_register(engine, leftover ? 2 : 3, let_tick_wait, &seen),
			         BITACTOR_OK);
			seen.count = 0;
			CHECK_EQ(pthread_create(&ticker, NULL, ticker_main, engine), 0);
			CHECK_EQ(bitactor_drain(engine, UINT64_MAX, &done), BITACTOR_OK);
			pthread_join(ticker, NULL);
			CHECK_EQ(done, 64);
			CHECK_EQ(seen.count, 65);
			CHECK_EQ(seen.at[64].kind, 9);
			CHECK_EQ(seen.at[63].kind, leftover ? 2 : 3);
			CHECK_EQ(bitactor_pending_count(engine), leftover ? 236 : 136);
			CHECK_EQ(bitactor_unregister(engine, leftover ? 2 : 3), BITACTOR_OK);
			CHECK_EQ(probe_drain(engine, 1000), leftover ? 236 : 136);
			probe_close(&probe);
		}
	}
}

/* The first of them has another thread fill what room there is. */
static void *
fill_up(void *argument)
{
	uint64_t *taken = argument;
	bitactor_signal_t signal = { .kind = 9, .payload = 1000 };
	while (bitactor_enqueue(probe.engine, &signal) == BITACTOR_OK)
		++*taken;
	return NULL;
}

static uint64_t taken_meanwhile;

static bitactor_status_t
let_others_fill_up(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	pthread_t filler;
	CHECK_EQ(pthread_create(&filler, NULL, fill_up, &taken_meanwhile), 0);
	pthread_join(filler, NULL);
	return probe_see(turn, signal, state);
}

static void
test_slots_in_dispatch(void)
{
	SCENARIO("a slot is not free before its signal was dispatched") {
		GIVEN("a queue of 8 that is full");
		WHEN("during the first dispatch another thread sends as much as it can");
		THEN("not one fits, and the other seven are what they were");
		probe_config(&probe);
		probe.config.queue_slots = 8;
		probe_open(&probe);
		seen.count = 0;
		taken_meanwhile = 0;
		CHECK_EQ(bitactor_register(probe.engine, 1, let_others_fill_up, &seen),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_register(probe.engine, 9, probe_see, &seen), BITACTOR_OK);
		for (uint64_t i = 0; i < 8; i++)
			probe_send(probe.engine, i == 0 ? 1 : 9, i);
		CHECK_EQ(bitactor_drain(probe.engine, 8, NULL), BITACTOR_OK);
		CHECK_EQ(taken_meanwhile, 0);
		seen_payloads((const uint64_t[]){ 0, 1, 2, 3, 4, 5, 6, 7 }, 8);
		probe_close(&probe);
	}
}

/* A producer stopped between claim and publish, by its own functions. */
static void
test_busy(void)
{
	SCENARIO("a claim that is not published") {
		GIVEN("one signal, a claim, and another signal behind it");
		WHEN("the engine is drained, stopped, and the claim published at last");
		THEN("BUSY and a count each time, nothing lost, and the order of the claims");
		uint64_t position = 0, done = 0, discarded = 99;
		open_with_emitter();
		bitactor_engine_t *engine = probe.engine;
		probe_send(engine, 9, 1);
		CHECK_EQ(ba_queue_claim(&engine->queue, 1, &position), BITACTOR_OK);
		probe_send(engine, 9, 3);
		CHECK_EQ(bitactor_drain(engine, 10, &done), BITACTOR_OK);
		CHECK_EQ(done, 1);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(bitactor_drain(engine, 10, &done), BITACTOR_BUSY);
		CHECK_EQ(done, 0);
		CHECK_EQ(probe_stats(engine).stalled_claims, 3);
		CHECK_EQ(bitactor_pending_count(engine), 2);

		CHECK_EQ(bitactor_stop(engine, true, 100, &discarded), BITACTOR_BUSY);
		CHECK_EQ(discarded, 0);
		CHECK(!bitactor_is_ready(engine));
		CHECK_EQ(call_enqueue(engine), BITACTOR_CLOSED);
		CHECK_EQ(call_tick(engine), BITACTOR_CLOSED);
		bitactor_signal_t late = { .kind = 9, .payload = 2 };
		ba_queue_publish(&engine->queue, position, &late, 0, 0);
		CHECK_EQ(bitactor_stop(engine, true, 100, &discarded), BITACTOR_OK);
		CHECK_EQ(discarded, 0);
		seen_payloads((const uint64_t[]){ 1, 2, 3 }, 3);
		CHECK_EQ(call_drain(engine), BITACTOR_CLOSED);
		CHECK_EQ(probe_stats(engine).refused_closed, 2);
		probe_close(&probe);
	}
}

/* ---- calls from inside ----------------------------------------------- */

static bitactor_status_t from_inside[CALLS], from_sink, from_outlet;

static bitactor_status_t
call_everything(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	for (int i = 0; i < CALLS; i++)
		from_inside[i] = calls[i].call(state);
	return BITACTOR_OK;
}

static void
test_reentrant(void)
{
	SCENARIO("a handler that calls its own engine") {
		GIVEN("a handler that makes every public call");
		WHEN("it is dispatched");
		THEN("what would wait for itself is REENTRANT, enqueue is an emit, questions are "
		     "answered, and the engine goes on");
		probe_config(&probe);
		probe_open(&probe);
		seen.count = 0;
		CHECK_EQ(bitactor_register(probe.engine, 3, call_everything, probe.engine),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_register(probe.engine, 1, probe_see, &seen), BITACTOR_OK);
		probe_send(probe.engine, 3, 0);
		CHECK_EQ(probe_drain(probe.engine, 100), 4);
		for (int i = 0; i < CALLS; i++) {
			if (from_inside[i] != calls[i].inside)
				printf("  %s\n", calls[i].name);
			CHECK_EQ(from_inside[i], calls[i].inside);
		}
		CHECK_EQ(seen.count, 3);
		CHECK_EQ(probe_stats(probe.engine).emitted, 3);
		probe_close(&probe);
	}
}

static bitactor_status_t
sink_that_calls(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from,
                uint32_t to, bool sealed)
{
	(void)context, (void)segment, (void)bytes, (void)from, (void)to, (void)sealed;
	from_sink = call_drain(probe.engine);
	CHECK_EQ(call_enqueue(probe.engine), BITACTOR_OK);
	return BITACTOR_OK;
}

static void
outlet_that_calls(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)context, (void)port, (void)bytes, (void)byte_count;
	from_outlet = call_tick(probe.engine);
	CHECK_EQ(call_enqueue(probe.engine), BITACTOR_OK);
}

static bitactor_status_t
output_one(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal, (void)state;
	return bitactor_output(turn, 0, "!", 1);
}

static void
test_sink_and_outlet_are_outside(void)
{
	SCENARIO("a sink or an outlet that calls the engine") {
		GIVEN("both, each of which enqueues and tries to run a turn");
		WHEN("they are called");
		THEN("their signals come from outside, through the shared queue; turns are "
		     "REENTRANT");
		bitactor_outlet_t outlet = { .deliver = outlet_that_calls };
		probe_config(&probe);
		probe.sink          = (bitactor_sink_t){ .take = sink_that_calls };
		probe.config.sink   = &probe.sink;
		probe.config.outlet = &outlet;
		probe_open(&probe);
		CHECK_EQ(bitactor_register(probe.engine, 2, output_one, NULL), BITACTOR_OK);
		probe_send(probe.engine, 2, 0);
		CHECK_EQ(bitactor_drain(probe.engine, 1, NULL), BITACTOR_OK);
		CHECK_EQ(from_outlet, BITACTOR_REENTRANT);
		CHECK_EQ(bitactor_telemetry_flush(probe.engine), BITACTOR_OK);
		CHECK_EQ(from_sink, BITACTOR_REENTRANT);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.emitted, 0);
		CHECK_EQ(stats.queued, 2);
		CHECK_EQ(stats.accepted, 3);
		probe_close(&probe);
	}
}

/* Engine A's handler runs a turn of engine B, whose handler sends to both. */
typedef struct pair {
	bitactor_engine_t *a, *b;
	bitactor_status_t  back;
} pair_t;

static bitactor_status_t
in_b(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	pair_t *pair = state;
	(void)turn, (void)signal;
	CHECK_EQ(call_enqueue(pair->a), BITACTOR_OK);
	CHECK_EQ(call_enqueue(pair->b), BITACTOR_OK);
	pair->back = call_tick(pair->a);
	return BITACTOR_OK;
}

static bitactor_status_t
in_a(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	pair_t *pair = state;
	bitactor_signal_t to_b = { .kind = 2 };
	(void)turn, (void)signal;
	bitactor_status_t status = bitactor_tick(pair->b, &to_b, NULL);
	CHECK(status == BITACTOR_OK || status == BITACTOR_TICK_EXCEEDED);
	CHECK_EQ(call_enqueue(pair->a), BITACTOR_OK);
	return BITACTOR_OK;
}

static void
test_two_engines(void)
{
	SCENARIO("an engine inside another") {
		GIVEN("engines A and B; a handler of A ticks B, and B's handler sends to both");
		WHEN("A dispatches");
		THEN("what B sends to A comes from outside, to B it is an emit, what A sends "
		     "itself afterwards is an emit again, and B cannot tick A");
		static probe_t other;
		pair_t pair;
		probe_config(&probe);
		probe_open(&probe);
		probe_config(&other);
		probe_open(&other);
		pair = (pair_t){ .a = probe.engine, .b = other.engine };
		CHECK_EQ(bitactor_register(pair.a, 2, in_a, &pair), BITACTOR_OK);
		CHECK_EQ(bitactor_register(pair.b, 2, in_b, &pair), BITACTOR_OK);
		probe_send(pair.a, 2, 0);
		CHECK_EQ(bitactor_drain(pair.a, 1, NULL), BITACTOR_OK);
		CHECK_EQ(pair.back, BITACTOR_REENTRANT);
		bitactor_stats_t a = probe_stats(pair.a), b = probe_stats(pair.b);
		CHECK_EQ(a.emitted, 1);
		CHECK_EQ(a.accepted, 3);
		CHECK_EQ(b.emitted, 1);
		CHECK_EQ(b.accepted, 2);
		probe_close(&other);
		probe_close(&probe);
	}
}

/* ---- stopping -------------------------------------------------------- */

static void
test_stop(bool drain, uint64_t turns, uint64_t expect_seen)
{
	SCENARIO(!drain ? "stop, and leave what waits"
	                : turns > 1 ? "stop, and work off what waits"
	                            : "stop, and work off what one turn can") {
		GIVEN("3 left over, and 1500 signals that emit one each, 20 of them with data");
		WHEN("the engine is stopped, and stopped again");
		THEN("the rest is dropped and counted, doors are shut, and it stays so");
		uint64_t discarded = 99, all = 0;
		probe_config(&probe);
		probe.config.queue_slots = 2048;
		probe.config.emit_slots  = 2048;
		probe.config.data_blocks = 20;
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		seen.count = 0;
		CHECK_EQ(bitactor_register(engine, 1, see_and_emit, &seen), BITACTOR_OK);
		CHECK_EQ(bitactor_register(engine, 2, see_and_emit, &seen), BITACTOR_OK);
		for (uint64_t i = 0; i < 1503; i++)
			CHECK_EQ(i >= 3 && i < 23 ? call_enqueue_data(engine)
			                          : call_enqueue(engine),
			         BITACTOR_OK);
		CHECK_EQ(bitactor_drain(engine, 3, NULL), BITACTOR_OK);
		all = 3006; /* 1503 and what they emit */

		CHECK_EQ(bitactor_stop(engine, drain, turns, &discarded), BITACTOR_OK);
		CHECK_EQ(seen.count, expect_seen);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.dropped, discarded);
		CHECK_EQ(stats.dispatched, expect_seen);
		CHECK_EQ(stats.queued, 0);
		if (drain && turns > 1)
			CHECK_EQ(discarded, 0);
		else
			CHECK_EQ(discarded + expect_seen, stats.accepted);
		CHECK(stats.accepted <= all);
		CHECK(!bitactor_is_ready(engine));
		CHECK_EQ(bitactor_stop(engine, true, 10, &discarded), BITACTOR_OK);
		CHECK_EQ(discarded, 0);
		CHECK_EQ(call_enqueue(engine), BITACTOR_CLOSED);
		CHECK_EQ(call_enqueue_many(engine), BITACTOR_CLOSED);
		CHECK_EQ(call_enqueue_data(engine), BITACTOR_CLOSED);
		CHECK_EQ(call_tick(engine), BITACTOR_CLOSED);
		CHECK_EQ(call_drain(engine), BITACTOR_CLOSED);
		CHECK_EQ(probe_stats(engine).refused_closed, 4);
		CHECK_EQ(bitactor_pending_count(engine), 0);
		for (int i = 0; i < 20; i++) /* every block is home */
			CHECK(ba_pool_take(&engine->data) != 0);
		CHECK_EQ(bitactor_telemetry_check(engine, NULL, NULL), BITACTOR_OK);
		ba_engine_check(engine);
		probe_close(&probe);
	}
}

/* ---- numbers --------------------------------------------------------- */

static bitactor_status_t
fail_odd(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	return signal->payload % 2 != 0 ? BITACTOR_ERROR : BITACTOR_OK;
}

static void
test_numbers(void)
{
	SCENARIO("the numbers add up") {
		GIVEN("two kinds, one of which fails every other time, and a kind without handler");
		WHEN("30 signals are drained and 3 ticked");
		THEN("the totals, and those of each kind, are what was sent");
		probe_config(&probe);
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		bitactor_kind_stats_t kind;
		CHECK_EQ(bitactor_register(engine, 1, fail_odd, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_register(engine, 2, probe_see, &seen), BITACTOR_OK);
		for (uint64_t i = 0; i < 30; i++)
			probe_send(engine, (uint16_t)(1 + i % 3), i);
		CHECK_EQ(probe_drain(engine, 7), 30);
		for (uint64_t i = 0; i < 3; i++) {
			bitactor_signal_t signal = { .kind = 1, .payload = i };
			(void)bitactor_tick(engine, &signal, NULL);
		}
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.offered, 33);
		CHECK_EQ(stats.dispatched, 23);
		CHECK_EQ(stats.rejected, 10);
		CHECK_EQ(stats.failed, 6);
		CHECK_EQ(stats.turns, 5 + 3);
		CHECK_EQ(stats.records, 2 + 8 + 33);
		CHECK_EQ(stats.segments, 1);
		CHECK_EQ(bitactor_kind_stats(engine, 1, &kind), BITACTOR_OK);
		CHECK_EQ(kind.dispatched, 13);
		CHECK_EQ(kind.failed, 6);
		CHECK_EQ(kind.budget_ticks, BITACTOR_TICK_BUDGET);
		CHECK_EQ(bitactor_kind_stats(engine, 2, &kind), BITACTOR_OK);
		CHECK_EQ(kind.dispatched, 10);
		CHECK_EQ(kind.failed, 0);
		CHECK_EQ(bitactor_kind_stats(engine, 3, &kind), BITACTOR_OK);
		CHECK_EQ(kind.dispatched, 0);
		CHECK_EQ(bitactor_kind_stats(engine, 256, &kind), BITACTOR_ERROR);
		CHECK_EQ(bitactor_latency(engine, 1000001, &stats.turns, NULL), BITACTOR_ERROR);
		probe_close(&probe);
	}
}

static void
test_facts(void)
{
	SCENARIO("what the engine says of itself") {
		GIVEN("the machine's counter, and an injected one of 3 GHz");
		WHEN("clock, build and conversion are asked for");
		THEN("nothing is empty, sizes are those promised, and ns are exact for any count");
		bitactor_clock_info_t clock;
		bitactor_build_info_t build;
		probe_config(&probe);
		probe_open(&probe);
		CHECK_EQ(bitactor_clock_info(probe.engine, &clock), BITACTOR_OK);
		CHECK(clock.hz >= 1000000);
		CHECK(clock.name != NULL && clock.name[0] != '\0');
		probe_close(&probe);
		probe_config(&probe);
		probe_counter(&probe, UINT64_C(3000000000));
		probe_open(&probe);
		CHECK_EQ(bitactor_clock_info(probe.engine, &clock), BITACTOR_OK);
		CHECK(strcmp(clock.name, "injected") == 0);
		CHECK_EQ(clock.hz, UINT64_C(3000000000));
		CHECK_EQ(clock.read_counts, 0);
		CHECK_EQ(clock.counts_per_tick_q32, UINT64_C(125) << 32);
		CHECK_EQ(bitactor_counts_to_ns(probe.engine, 3), 1);
		CHECK_EQ(bitactor_counts_to_ns(probe.engine, INT64_MAX),
		         INT64_C(3074457345618258602)); /* (2^63 - 1) / 3, B29 */
		probe_close(&probe);
		bitactor_build_info(&build);
		CHECK(strcmp(build.version, BITACTOR_VERSION) == 0);
		CHECK(build.blake3_version[0] != '\0');
		CHECK(build.blake3_path[0] != '\0');
		CHECK(build.crc_path[0] != '\0');
		CHECK(build.fiber_switch[0] != '\0');
		CHECK_EQ(build.signal_bytes, 48);
		CHECK_EQ(build.slot_bytes, 64);
		CHECK_EQ(build.record_bytes, 32);
		CHECK_EQ(build.segment_bytes, 65536);
	}
}

static void
test_words(void)
{
	SCENARIO("every status has a name and a sentence") {
		GIVEN("the 18 statuses, and numbers that are none");
		WHEN("their words are asked for");
		THEN("all differ; the others are UNKNOWN, never NULL");
		for (int i = 0; i <= BITACTOR_STUCK; i++) {
			const char *name = bitactor_status_name((bitactor_status_t)i);
			CHECK(strlen(bitactor_status_text((bitactor_status_t)i)) > 8);
			CHECK(strcmp(name, "UNKNOWN") != 0);
			for (int k = 0; k < i; k++) {
				const char *other = bitactor_status_name((bitactor_status_t)k);
				CHECK(strcmp(name, other) != 0);
			}
		}
		const int others[] = { BITACTOR_STUCK + 1, 1000, INT32_MAX, -1 };
		for (int i = 0; i < 4; i++) {
			bitactor_status_t status;
			memcpy(&status, &others[i], sizeof status);
			CHECK(strcmp(bitactor_status_name(status), "UNKNOWN") == 0);
			CHECK(strlen(bitactor_status_text(status)) > 8);
		}
		CHECK(strcmp(bitactor_status_name(BITACTOR_OK), "OK") == 0);
		CHECK(strcmp(bitactor_status_name(BITACTOR_STUCK), "STUCK") == 0);
	}
}

/* ---- last words ------------------------------------------------------ */

static void
test_last_words(void)
{
	SCENARIO("a broken invariant says where, and ends the process") {
		GIVEN("a child whose standard error is read");
		WHEN("an assertion of its fails");
		THEN("place and condition are printed, and it dies of SIGABRT");
		int   ends[2];
		char  text[200] = "";
		CHECK_EQ(pipe(ends), 0);
		fflush(stdout);
		pid_t child = fork();
		if (child == 0) {
			(void)signal(SIGABRT, SIG_DFL);
			dup2(ends[1], STDERR_FILENO);
			volatile int seven = 7;
			BA_ASSERT(seven == 7);
			ba_invariant_failed("some/file.c", 1203, "seven == 8");
		}
		close(ends[1]);
		size_t got = 0;
		for (ssize_t n; got < sizeof text - 1 &&
		                (n = read(ends[0], text + got, sizeof text - 1 - got)) > 0;)
			got += (size_t)n;
		close(ends[0]);
		int status = 0;
		CHECK(waitpid(child, &status, 0) == child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		/* qemu adds a line of its own */
		static const char words[] = "some/file.c:1203: must hold: seven == 8\n";
		CHECK(strncmp(text, words, strlen(words)) == 0);
	}
}

int
main(void)
{
	test_no_engine();
	test_nulls();
	test_limits();
	test_memory();
	test_layout();
	test_tables_are_copied();
	test_cycles_are_silent();
	test_process_engine();
	test_door();
	test_full_gives_the_block_back();
	test_many();
	test_data();
	test_order_of_a_turn();
	test_max();
	test_tick_cuts_a_turn();
	test_slots_in_dispatch();
	test_busy();
	test_reentrant();
	test_sink_and_outlet_are_outside();
	test_two_engines();
	test_stop(false, 0, 3);
	test_stop(true, 1, 3 + 1024);
	test_stop(true, 100, 3006);
	test_numbers();
	test_facts();
	test_words();
	test_last_words();
	return bdd_close();
}
