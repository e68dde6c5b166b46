/* SPDX-License-Identifier: Apache-2.0 */
/* test_tasks.c -- fibers, as dispatches that wait.
 *
 * Fibers tell a story: each appends letters to one text, which must come out as
 * expected, so that order and number are seen at a glance.  The first letter is
 * the fiber's own (its payload), then comes what happened to it.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../bitactor/src/internal/engine.h"
#include "../../engine_probe.h"

enum { FIBER = 1, PLAIN = 2, AWAITED = 5, OTHER = 6, STORY_MAX = 4096 };

static probe_t probe;
static char    story[STORY_MAX];
static size_t  story_end;

static void
tell(const char *text)
{
	for (; *text != '\0' && story_end + 1 < STORY_MAX; text++)
		story[story_end++] = *text;
	story[story_end] = '\0';
}

static void
tell_of(uint64_t letter, uint64_t what)
{
	tell((char[]){ (char)letter, (char)what, '\0' });
}

static void
story_is(const char *expected)
{
	if (strcmp(story, expected) != 0)
		printf("  it goes: %s\n", story);
	CHECK(strcmp(story, expected) == 0);
	story_end = 0;
	story[0]  = '\0';
}

/* ---- an engine with fibers ------------------------------------------- */

static bitactor_status_t
plain(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	tell((char[]){ (char)signal->payload, '\0' });
	return BITACTOR_OK;
}

static void
bind(bitactor_handler_fn fn)
{
	bitactor_handler_t handler = { .fn = fn, .kind = FIBER, .state = &probe,
		                       .flags = BITACTOR_HANDLER_FIBER };
	CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
}

static void
open_fibers(uint32_t fibers, bitactor_handler_fn fn)
{
	probe_config(&probe);
	probe_counter(&probe, 1000000000);
	probe.config.fibers = fibers;
	probe_open(&probe);
	story_end = 0;
	story[0]  = '\0';
	bind(fn);
	CHECK_EQ(bitactor_register(probe.engine, PLAIN, plain, NULL), BITACTOR_OK);
}

static void
send(uint16_t kind, uint32_t actor, uint64_t payload)
{
	bitactor_signal_t signal = { .kind = kind, .actor = actor, .payload = payload };
	CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_OK);
}

static bitactor_status_t
tick(uint16_t kind, uint32_t actor, uint64_t payload)
{
	bitactor_signal_t signal = { .kind = kind, .actor = actor, .payload = payload };
	return bitactor_tick(probe.engine, &signal, NULL);
}

/* ---- memory ---------------------------------------------------------- */

static void
test_memory(void)
{
	SCENARIO("fibers need a block of their own") {
		GIVEN("an engine that may have 3 fibers, and one that may have none");
		WHEN("blocks that are too small, crooked, or come twice are offered");
		THEN("ERROR; without a block a fiber kind is UNSUPPORTED");
		bitactor_handler_t fiber = { .fn = plain, .kind = 1,
			                     .flags = BITACTOR_HANDLER_FIBER };
		bitactor_config_t config;
		bitactor_config_default(&config);
		CHECK_EQ(bitactor_fibers_bytes(&config), 0);
		probe_config(&probe);
		probe_open(&probe);
		static _Alignas(4096) uint8_t some[4096];
		CHECK_EQ(bitactor_fibers_init(probe.engine, some, SIZE_MAX), BITACTOR_ERROR);
		probe_close(&probe);

		config.fibers = 3;
		size_t bytes = bitactor_fibers_bytes(&config);
		CHECK(bytes >= 3 * (65536 + 65536));
		CHECK(bytes <= 3 * (65536 + 65536) + 2 * 4096);
		CHECK_EQ(bytes % 4096, 0);
		probe_config(&probe);
		probe_open(&probe);
		probe_close(&probe);
		void *block = probe_block_take(bitactor_engine_bytes(&config));
		bitactor_engine_t *engine = NULL;
		CHECK_EQ(bitactor_engine_init(block, bitactor_engine_bytes(&config), &config,
		                              &engine),
		         BITACTOR_OK);
		uint8_t *stacks = aligned_alloc(4096, bytes + 4096);
		CHECK_EQ(bitactor_register_handler(engine, &fiber), BITACTOR_UNSUPPORTED);
		CHECK_EQ(bitactor_fibers_init(engine, stacks, bytes - 1), BITACTOR_ERROR);
		CHECK_EQ(bitactor_fibers_init(engine, stacks + 64, bytes), BITACTOR_ERROR);
		CHECK_EQ(bitactor_fibers_init(engine, stacks, bytes), BITACTOR_OK);
		CHECK_EQ(bitactor_fibers_init(engine, stacks, bytes), BITACTOR_ERROR);
		CHECK_EQ(bitactor_register_handler(engine, &fiber), BITACTOR_OK);
		CHECK_EQ(bitactor_destroy(engine), BITACTOR_OK);
		free(stacks);
		probe_block_give(block, bitactor_engine_bytes(&config));
	}
}

/* ---- yield ----------------------------------------------------------- */

static bitactor_status_t
yield_twice(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t letter = signal->payload; /* the signal is gone after the first wait */
	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		tell_of(letter, '0' + i);
		if (i < 2)
			CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	}
	return BITACTOR_OK;
}

static void
test_yield(void)
{
	SCENARIO("a fiber that yields goes on after what is queued") {
		GIVEN("fibers a, b, c that yield twice, and plain signals between them");
		WHEN("all is one turn; and when turns are of one dispatch");
		THEN("they take turns in order; plain signals go first when they came first");
		open_fibers(3, yield_twice);
		send(FIBER, 0, 'a');
		send(PLAIN, 0, 'x');
		send(FIBER, 0, 'b');
		send(FIBER, 0, 'c');
		send(PLAIN, 0, 'y');
		CHECK_EQ(bitactor_drain(probe.engine, 100, NULL), BITACTOR_OK);
		story_is("a0xb0c0ya1b1c1a2b2c2");
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.resumed, 6);
		CHECK_EQ(stats.dispatched, 5);
		CHECK_EQ(stats.emitted, 0);
		CHECK_EQ(stats.accepted, 5);

		send(FIBER, 0, 'a');
		send(FIBER, 0, 'b');
		CHECK_EQ(bitactor_drain(probe.engine, 1, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_pending_count(probe.engine), 1); /* b; a's resume is none */
		CHECK_EQ(probe_drain(probe.engine, 1), 5);
		story_is("a0a1a2b0b1b2");
		CHECK_EQ(bitactor_drain(probe.engine, 1, NULL), BITACTOR_EMPTY);
		CHECK_EQ(tick(FIBER, 0, 'z'), BITACTOR_OK);
		story_is("z0");
		CHECK_EQ(probe_drain(probe.engine, 1), 2);
		story_is("z1z2");
		ba_engine_check(probe.engine);
		probe_close(&probe);
	}
}

static bitactor_status_t
yield_without_room(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t more = { .kind = PLAIN, .payload = 'm' };
	(void)signal, (void)state;
	CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	CHECK_EQ(bitactor_yield(turn), BITACTOR_FULL);
	tell("on");
	return BITACTOR_OK;
}

static void
test_yield_full(void)
{
	SCENARIO("a yield needs a place in the internal queue") {
		GIVEN("two places, both taken by what the fiber emitted");
		WHEN("it yields");
		THEN("FULL, and it goes on at once; what it emitted comes");
		probe_config(&probe);
		probe.config.fibers     = 1;
		probe.config.emit_slots = 2;
		probe_open(&probe);
		bind(yield_without_room);
		CHECK_EQ(bitactor_register(probe.engine, PLAIN, plain, NULL), BITACTOR_OK);
		send(FIBER, 0, 'a');
		CHECK_EQ(probe_drain(probe.engine, 10), 3);
		story_is("onmm");
		probe_close(&probe);
	}
}

/* ---- await ----------------------------------------------------------- */

/* Awaits two signals and tells of each. */
static bitactor_status_t
await_two(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t letter = signal->payload;
	bitactor_signal_t answer;
	(void)state;
	for (int i = 0; i < 2; i++) {
		bitactor_status_t status = bitactor_await(turn, AWAITED, &answer);
		if (status == BITACTOR_CANCELLED) {
			tell_of(letter, 'C');
			return BITACTOR_CANCELLED;
		}
		CHECK_EQ(status, BITACTOR_OK);
		CHECK_EQ(answer.kind, AWAITED);
		tell_of(letter, answer.payload);
	}
	return BITACTOR_OK;
}

static void
test_await(bool own_handler)
{
	SCENARIO(own_handler ? "an awaited signal goes to the fiber, else to its own handler"
	                     : "an awaited signal of a kind without handler") {
		GIVEN("fibers a and b of actor 7, c of actor 8, each awaiting two of kind 5");
		WHEN("signals come to actors 7, 8 and 9");
		THEN("the longest-waiting of that actor gets it; what nobody awaits goes to the "
		     "kind's handler, or is rejected");
		open_fibers(3, await_two);
		if (own_handler)
			CHECK_EQ(bitactor_register(probe.engine, AWAITED, plain, NULL),
			         BITACTOR_OK);
		send(FIBER, 7, 'a');
		send(FIBER, 7, 'b');
		send(FIBER, 8, 'c');
		CHECK_EQ(probe_drain(probe.engine, 100), 3);
		send(AWAITED, 9, '9');
		send(AWAITED, 7, '1'); /* a, who then waits behind b */
		send(AWAITED, 8, '2');
		send(AWAITED, 7, '3'); /* b */
		send(AWAITED, 7, '4'); /* a, who is done */
		send(AWAITED, 7, '5'); /* b */
		send(AWAITED, 7, '6'); /* nobody waits any more */
		send(AWAITED, 8, '7');
		send(AWAITED, 8, '8');
		CHECK_EQ(probe_drain(probe.engine, 100), 9);
		story_is(own_handler ? "9a1c2b3a4b56c78" : "a1c2b3a4b5c7");
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.rejected, own_handler ? 0 : 3);
		CHECK_EQ(stats.dispatched, own_handler ? 12 : 9);
		CHECK_EQ(stats.resumed, 0);
		CHECK_EQ(bitactor_is_registered(probe.engine, AWAITED), own_handler);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
}

static bitactor_status_t
await_badly(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	(void)signal, (void)state;
	CHECK_EQ(bitactor_await(turn, AWAITED, NULL), BITACTOR_ERROR);
	CHECK_EQ(bitactor_await(turn, 256, &answer), BITACTOR_ERROR);
	CHECK_EQ(bitactor_await(turn, 0xFFFF, &answer), BITACTOR_ERROR);
	tell("on");
	return BITACTOR_OK;
}

static bitactor_status_t
await_data(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	const char *data = bitactor_turn_data(turn);
	(void)state;
	CHECK(data != NULL && signal->data_bytes == 6 && memcmp(data, "first!", 6) == 0);
	CHECK_EQ(bitactor_await(turn, AWAITED, &answer), BITACTOR_OK);
	data = bitactor_turn_data(turn);
	CHECK(data != NULL && answer.data_bytes == 7 && memcmp(data, "second!", 7) == 0);
	CHECK_EQ(answer.id, 44);
	CHECK_EQ(answer.context, 55);
	CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	CHECK(bitactor_turn_data(turn) == NULL);
	tell("on");
	return BITACTOR_OK;
}

static void
test_await_edges(void)
{
	SCENARIO("awaiting what cannot come") {
		GIVEN("a fiber that awaits into NULL, and kinds outside the table");
		WHEN("it runs");
		THEN("ERROR at once, three times, and it goes on");
		open_fibers(1, await_badly);
		CHECK_EQ(tick(FIBER, 0, 0), BITACTOR_OK);
		story_is("on");
		probe_close(&probe);
	}
	SCENARIO("a signal right behind the fiber that awaits it") {
		GIVEN("a kind with its own handler, and a fiber that will await it");
		WHEN("the fiber's signal and two of that kind come in one batch");
		THEN("both go to the fiber, and the third to the handler again");
		open_fibers(1, await_two);
		CHECK_EQ(bitactor_register(probe.engine, AWAITED, plain, NULL), BITACTOR_OK);
		send(FIBER, 0, 'a');
		for (uint64_t i = '1'; i <= '3'; i++)
			send(AWAITED, 0, i);
		CHECK_EQ(bitactor_drain(probe.engine, 100, NULL), BITACTOR_OK);
		story_is("a1a23");
		probe_close(&probe);
	}
	SCENARIO("an awaited signal brings its data") {
		GIVEN("a fiber whose first and awaited signals have data");
		WHEN("both come");
		THEN("it sees each one's own, and none after a yield; every field is there");
		open_fibers(1, await_data);
		bitactor_signal_t first = { .kind = FIBER };
		bitactor_signal_t second = { .kind = AWAITED, .id = 44, .context = 55 };
		CHECK_EQ(bitactor_enqueue_data(probe.engine, &first, "first!", 6), BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_data(probe.engine, &second, "second!", 7), BITACTOR_OK);
		CHECK_EQ(probe_drain(probe.engine, 10), 3);
		story_is("on");
		probe_close(&probe);
	}
}

/* ---- limits and threads ---------------------------------------------- */

static void
test_full(void)
{
	SCENARIO("as many fibers as there are stacks") {
		GIVEN("two stacks, and two fibers that await");
		WHEN("a third is started, one ends, and a third is started again");
		THEN("FULL, a failed dispatch; then OK, on the stack that came free");
		open_fibers(2, await_two);
		CHECK_EQ(tick(FIBER, 1, 'a'), BITACTOR_OK);
		CHECK_EQ(tick(FIBER, 2, 'b'), BITACTOR_OK);
		CHECK_EQ(tick(FIBER, 3, 'c'), BITACTOR_FULL);
		CHECK_EQ(probe_stats(probe.engine).failed, 1);
		CHECK_EQ(tick(AWAITED, 1, '1'), BITACTOR_OK);
		CHECK_EQ(tick(FIBER, 3, 'c'), BITACTOR_FULL);
		CHECK_EQ(tick(AWAITED, 1, '2'), BITACTOR_OK);
		CHECK_EQ(tick(FIBER, 3, 'c'), BITACTOR_OK);
		CHECK_EQ(tick(FIBER, 4, 'd'), BITACTOR_FULL);
		CHECK_EQ(tick(AWAITED, 3, '3'), BITACTOR_OK);
		CHECK_EQ(tick(AWAITED, 2, '4'), BITACTOR_OK);
		story_is("a1a2c3b4");
		probe_close(&probe);
	}
}

typedef struct visit {
	uint16_t kind;
	uint64_t payload;
	bitactor_status_t tick, drain, stop;
	uint64_t turns; /* of stop; 0: do not stop */
} visit_t;

static void *
visit_main(void *argument)
{
	visit_t *visit = argument;
	visit->tick  = tick(visit->kind, 1, visit->payload);
	visit->drain = bitactor_drain(probe.engine, 100, NULL);
	if (visit->turns > 0)
		visit->stop = bitactor_stop(probe.engine, true, visit->turns, NULL);
	return NULL;
}

static visit_t
visit_from_elsewhere(uint16_t kind, uint64_t payload, uint64_t turns)
{
	visit_t   visit = { .kind = kind, .payload = payload, .turns = turns };
	pthread_t thread;
	CHECK_EQ(pthread_create(&thread, NULL, visit_main, &visit), 0);
	pthread_join(thread, NULL);
	return visit;
}

static void
test_wrong_thread(void)
{
	SCENARIO("fibers stay on the thread that first ran one") {
		GIVEN("a fiber that awaits, run by this thread");
		WHEN("another thread starts one, sends the awaited signal, and drains");
		THEN("WRONG_THREAD each time; plain signals are served there; here it goes on");
		open_fibers(2, await_two);
		CHECK_EQ(tick(FIBER, 1, 'a'), BITACTOR_OK);
		visit_t visit = visit_from_elsewhere(FIBER, 'b', 0);
		CHECK_EQ(visit.tick, BITACTOR_WRONG_THREAD);
		CHECK_EQ(visit.drain, BITACTOR_EMPTY);
		visit = visit_from_elsewhere(AWAITED, '1', 0);
		CHECK_EQ(visit.tick, BITACTOR_WRONG_THREAD);
		visit = visit_from_elsewhere(PLAIN, 'x', 0);
		CHECK_EQ(visit.tick, BITACTOR_OK);
		CHECK_EQ(tick(AWAITED, 1, '2'), BITACTOR_OK);
		CHECK_EQ(tick(AWAITED, 1, '3'), BITACTOR_OK);
		story_is("xa2a3");
		CHECK_EQ(probe_stats(probe.engine).failed, 2);
		probe_close(&probe);
	}
	SCENARIO("a fiber that yielded is not lost to another thread's drain") {
		GIVEN("a fiber that yielded, and a plain signal behind it");
		WHEN("another thread drains, and then this one");
		THEN("WRONG_THREAD, nothing done; here both go on");
		open_fibers(1, yield_twice);
		CHECK_EQ(tick(FIBER, 0, 'a'), BITACTOR_OK);
		send(PLAIN, 0, 'x');
		visit_t visit = visit_from_elsewhere(PLAIN, 'y', 0);
		CHECK_EQ(visit.tick, BITACTOR_OK);
		CHECK_EQ(visit.drain, BITACTOR_WRONG_THREAD);
		CHECK_EQ(probe_drain(probe.engine, 100), 3);
		story_is("a0ya1xa2");
		probe_close(&probe);
	}
	SCENARIO("a stop from another thread ends") {
		GIVEN("a fiber that awaits, run by this thread");
		WHEN("another thread stops the engine, with turns without end");
		THEN("it comes back, and the engine is stopped");
		open_fibers(1, await_two);
		CHECK_EQ(tick(FIBER, 1, 'a'), BITACTOR_OK);
		visit_t visit = visit_from_elsewhere(PLAIN, 'x', UINT64_MAX);
		CHECK_EQ(visit.stop, BITACTOR_OK);
		CHECK(!bitactor_is_ready(probe.engine));
		story_is("x");
		probe_close(&probe);
	}
}

/* ---- stopping -------------------------------------------------------- */

static bitactor_status_t
await_late(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	if (signal->payload == 'a') { /* a starts first and awaits last */
		CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
		bitactor_signal_t a = { .payload = 'a' };
		return await_two(turn, &a, state);
	}
	return await_two(turn, signal, state);
}

static bitactor_status_t
await_for_ever(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	(void)signal, (void)state;
	while (bitactor_await(turn, AWAITED, &answer) == BITACTOR_CANCELLED)
		tell("C");
	return BITACTOR_OK;
}

static void
test_stop(void)
{
	SCENARIO("stop calls off those who wait, in the order they were started") {
		GIVEN("fibers a, b, c; a awaits after b and c, on fewer places than fibers");
		WHEN("the engine is stopped and drained");
		THEN("CANCELLED, a, b, c; nothing is discarded");
		uint64_t discarded = 99;
		probe_config(&probe);
		probe.config.fibers     = 3;
		probe.config.emit_slots = 2;
		probe_open(&probe);
		bind(await_late);
		for (uint64_t letter = 'a'; letter <= 'c'; letter++)
			send(FIBER, 0, letter);
		CHECK_EQ(probe_drain(probe.engine, 100), 4);
		CHECK_EQ(bitactor_stop(probe.engine, true, 100, &discarded), BITACTOR_OK);
		story_is("aCbCcC");
		CHECK_EQ(discarded, 0);
		CHECK_EQ(probe_stats(probe.engine).failed, 3);
		probe_close(&probe);
	}
	SCENARIO("a fiber that will not hear ends with the turns") {
		GIVEN("a fiber that awaits again whenever it is called off");
		WHEN("the engine is stopped with 9 turns, or discards");
		THEN("it is called off four times, and the engine stops; or not at all");
		for (int drain = 0; drain < 2; drain++) {
			open_fibers(1, await_for_ever);
			CHECK_EQ(tick(FIBER, 0, 'a'), BITACTOR_OK);
			CHECK_EQ(bitactor_stop(probe.engine, drain != 0, 9, NULL), BITACTOR_OK);
			story_is(drain != 0 ? "CCCC" : "");
			CHECK_EQ(bitactor_pending_count(probe.engine), 0);
			CHECK_EQ(probe_stats(probe.engine).dropped, 0);
			probe_close(&probe);
		}
	}
}

/* ---- a stretch is a transaction -------------------------------------- */

static bitactor_status_t
emit_and_fail(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t more = { .kind = PLAIN, .payload = '1' };
	(void)signal, (void)state;
	CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	CHECK_EQ(bitactor_output(turn, 0, "o", 1), BITACTOR_OK);
	bitactor_turn_result(turn, 11);
	CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	more.payload = '2';
	CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	CHECK_EQ(bitactor_output(turn, 0, "o", 1), BITACTOR_OK);
	return BITACTOR_ERROR;
}

static void
test_transaction(void)
{
	SCENARIO("what was staged takes hold at the wait") {
		GIVEN("a fiber that emits and outputs, yields, does both again, and fails");
		WHEN("it runs to its end");
		THEN("the first stretch holds, the second is undone");
		open_fibers(1, emit_and_fail);
		bitactor_signal_t signal = { .kind = FIBER };
		bitactor_result_t result;
		CHECK_EQ(bitactor_tick(probe.engine, &signal, &result), BITACTOR_OK);
		CHECK_EQ(result.value, 11);
		CHECK_EQ(probe_drain(probe.engine, 100), 2);
		story_is("1");
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.emitted, 1);
		CHECK_EQ(stats.outputs, 1);
		CHECK_EQ(stats.undone, 2);
		CHECK_EQ(stats.failed, 1);
		probe_close(&probe);
	}
}

/* ---- records --------------------------------------------------------- */

static uint64_t cell[3];

static bitactor_status_t
count_in_cell(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	(void)signal, (void)state;
	cell[0]++;
	bitactor_turn_result(turn, 5);
	CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	cell[1]++;
	CHECK_EQ(bitactor_await(turn, AWAITED, &answer), BITACTOR_OK);
	cell[2]++;
	return BITACTOR_STALE;
}

static uint32_t
crc_word(uint32_t state, uint64_t word)
{
	for (int i = 0; i < 8; i++) {
		state ^= (uint8_t)(word >> (8 * i));
		for (int bit = 0; bit < 8; bit++)
			state = (state >> 1) ^ (UINT32_C(0x82F63B78) & (0 - (state & 1)));
	}
	return state;
}

/* Two lanes, joined as one word: status and asked, cell 0 and 2; result, cell 1. */
static uint32_t
effect(uint64_t status, uint64_t asked, uint64_t result, uint64_t a, uint64_t b, uint64_t c)
{
	uint32_t left  = crc_word(crc_word(crc_word(0, status | asked << 32), a), c);
	uint32_t right = crc_word(crc_word(0, result), b);
	return crc_word(0, left | (uint64_t)right << 32);
}

static void
test_records(void)
{
	SCENARIO("every stretch has its record") {
		GIVEN("a fiber of actor 3 that yields, awaits and fails, and counts in its cell");
		WHEN("it runs to its end");
		THEN("start, RESUME and the awaited signal; each effect covers the cell then, and "
		     "that it yielded or awaited");
		open_fibers(1, plain);
		bitactor_handler_t handler = { .fn = count_in_cell, .kind = FIBER, .state = cell,
			                       .state_bytes = sizeof cell,
			                       .flags = BITACTOR_HANDLER_FIBER };
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
		send(FIBER, 3, 'a');
		CHECK_EQ(probe_drain(probe.engine, 10), 2);
		send(AWAITED, 3, 77);
		CHECK_EQ(probe_drain(probe.engine, 10), 1);
		const struct {
			uint16_t kind;
			uint8_t  flags;
			uint32_t cause;
			uint64_t payload;
			uint32_t effect;
		} expected[] = {
			{ 0xFF00, 64, 0, 0, 0 },
			{ FIBER, 64 + 128, 0, 'a', effect(0, crc_word(0, 5), 5, 1, 0, 0) },
			{ 0xFF18, 64, 1, 0,
			  effect(0, crc_word(0, 4 | (uint64_t)AWAITED << 32), 0, 1, 1, 0) },
			{ 0xFF00, 64, 0, 0, 0 },
			{ AWAITED, 64 + 128 + 16, 0, 77, effect(BITACTOR_STALE, 0, 0, 1, 1, 1) },
		};
		const uint8_t *bytes = NULL;
		CHECK_EQ(bitactor_telemetry_segment(probe.engine, 0, &bytes), BITACTOR_OK);
		uint32_t nonce = bitactor_segment_nonce(bytes + 4, 0), at = 128 + 3 * 32;
		for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
			bitactor_record_t record;
			CHECK_EQ(bitactor_record_read(bytes, nonce, at, 65536, true, &record, NULL),
			         BITACTOR_OK);
			CHECK_EQ(record.kind, expected[i].kind);
			CHECK_EQ(record.flags, expected[i].flags);
			CHECK_EQ(record.cause, expected[i].cause);
			CHECK_EQ(record.actor, record.kind == 0xFF00 ? 0 : 3);
			if (record.kind != 0xFF00) {
				CHECK_EQ(record.payload, expected[i].payload);
				CHECK_EQ(record.effect, expected[i].effect);
			}
			at += record.bytes;
		}
		probe_close(&probe);
	}
}

/* ---- stacks ---------------------------------------------------------- */

enum { DEEP = 20000 };

/* Most of a stack of 64 KiB is filled, left alone for two yields, and looked at. */
static bitactor_status_t
fill_stack(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	volatile uint8_t bytes[DEEP];
	uint8_t name = (uint8_t)signal->payload;
	unsigned wrong = 0;
	(void)state;
	for (int i = 0; i < DEEP; i++)
		bytes[i] = (uint8_t)(name + i);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	for (int i = 0; i < DEEP; i++)
		wrong += bytes[i] != (uint8_t)(name + i);
	CHECK_EQ(wrong, 0);
	tell("k");
	return BITACTOR_OK;
}

static void
test_stacks(void)
{
	SCENARIO("each fiber has its own stack") {
		GIVEN("8 fibers that fill 20,000 bytes each");
		WHEN("they take turns, twice over");
		THEN("every byte is its own still");
		open_fibers(8, fill_stack);
		for (uint64_t i = 0; i < 16; i++) {
			send(FIBER, 0, i * 17);
			if (i == 7)
				CHECK_EQ(probe_drain(probe.engine, 100), 24);
		}
		CHECK_EQ(probe_drain(probe.engine, 100), 24);
		story_is("kkkkkkkkkkkkkkkk");
		probe_close(&probe);
	}
}

/* Where the first fiber's stack begins: the block is head, guard, stack, ... */
static uint8_t *
first_stack(void)
{
	size_t each = 65536 + probe.config.fiber_stack_bytes;
	size_t bytes = bitactor_fibers_bytes(&probe.config);
	return (uint8_t *)probe.stacks + bytes - probe.config.fibers * each + 65536;
}

static bitactor_status_t
overflow(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	volatile uint8_t *low = first_stack();
	low[-(ptrdiff_t)(signal->payload)] = 1; /* as a stack that grew too far would */
	return BITACTOR_OK;
}

/* How a child ends in which a fiber writes `below` bytes below its stack. */
static int
child_overflows(uint64_t below, char *said, size_t said_bytes)
{
	int ends[2], status = 0;
	CHECK_EQ(pipe(ends), 0);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGBUS, SIG_DFL);
		(void)signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		(void)tick(FIBER, 0, below);
		_exit(0);
	}
	close(ends[1]);
	size_t got = 0;
	for (ssize_t n; got < said_bytes - 1 &&
	                (n = read(ends[0], said + got, said_bytes - 1 - got)) > 0;)
		got += (size_t)n;
	said[got] = '\0';
	close(ends[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

static unsigned guards_on, guards_off;
static bool     guards_work;

static bool
protect(void *context, void *address, size_t bytes, bool on)
{
	(void)context;
	*(on ? &guards_on : &guards_off) += 1;
	return guards_work &&
	       mprotect(address, bytes, on ? PROT_NONE : PROT_READ | PROT_WRITE) == 0;
}

static void
test_overflow(bool guard)
{
	SCENARIO(guard ? "a stack that overflows meets its guard"
	               : "where there is no guard, a stack that overflows meets its canary") {
		GIVEN("a host that protects memory, or cannot");
		WHEN("a fiber writes just below its stack, in a child");
		THEN("the child dies at once of it, or after the stretch with a word; destroying "
		     "the engine lifts what was guarded");
		char said[200];
		guards_on = guards_off = 0;
		guards_work = guard;
		probe_config(&probe);
		probe.host = (bitactor_host_t){ .protect = protect };
		probe.config.host   = &probe.host;
		probe.config.fibers = 3;
		probe_open(&probe);
		bind(overflow);
		CHECK_EQ(guards_on, 3);
		int status = child_overflows(guard ? 1 : 0, said, sizeof said);
		CHECK(WIFSIGNALED(status));
		if (guard)
			CHECK(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
		else
			CHECK(WTERMSIG(status) == SIGABRT && strstr(said, "canary") != NULL);
		status = child_overflows(guard ? 65536 : 0, said, sizeof said);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(guards_off, 0);
		CHECK_EQ(bitactor_destroy(probe.engine), BITACTOR_OK);
		CHECK_EQ(guards_off, guard ? 3 : 0);
		/* it is ours again */
		memset(probe.stacks, 0, bitactor_fibers_bytes(&probe.config));
		free(probe.stacks);
		probe_block_give(probe.block, probe.block_bytes);
	}
}

static void
test_destroyed_in_the_middle(void)
{
	SCENARIO("an engine that ends while fibers wait") {
		GIVEN("two fibers that await and one that yielded");
		WHEN("the engine is destroyed, and made again in the same blocks");
		THEN("nothing of them is left: three new ones can be started");
		open_fibers(3, await_late);
		for (uint64_t letter = 'a'; letter <= 'c'; letter++)
			CHECK_EQ(tick(FIBER, 0, letter), BITACTOR_OK);
		CHECK_EQ(bitactor_destroy(probe.engine), BITACTOR_OK);
		CHECK_EQ(bitactor_engine_init(probe.block, probe.block_bytes, &probe.config,
		                              &probe.engine),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_fibers_init(probe.engine, probe.stacks,
		                              bitactor_fibers_bytes(&probe.config)),
		         BITACTOR_OK);
		bind(yield_twice);
		for (uint64_t letter = 'x'; letter <= 'z'; letter++)
			CHECK_EQ(tick(FIBER, 0, letter), BITACTOR_OK);
		CHECK_EQ(probe_drain(probe.engine, 100), 6);
		story_is("x0y0z0x1y1z1x2y2z2");
		probe_close(&probe);
	}
}

/* ---- fibers within fibers, and many ---------------------------------- */

static bitactor_engine_t *inner;

static bitactor_status_t
inner_fiber(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t letter = signal->payload;
	(void)state;
	tell_of(letter, '0');
	CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	tell_of(letter, '1');
	return BITACTOR_OK;
}

static bitactor_status_t
outer_fiber(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t more = { .kind = FIBER, .payload = signal->payload + 1 };
	uint64_t letter = signal->payload;
	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		tell_of(letter, '0' + i);
		more.payload += i;
		(void)bitactor_tick(inner, &more, NULL);
		CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
		CHECK_EQ(bitactor_drain(inner, 1, NULL), BITACTOR_OK);
	}
	return BITACTOR_OK;
}

static void
test_nested(void)
{
	SCENARIO("a fiber that runs another engine's fibers") {
		GIVEN("two engines with fibers on one thread");
		WHEN("a fiber of the outer ticks and drains the inner, between its own yields");
		THEN("each goes on where it was");
		static probe_t other;
		bitactor_handler_t handler = { .fn = inner_fiber, .kind = FIBER,
			                       .flags = BITACTOR_HANDLER_FIBER };
		probe_config(&other);
		other.config.fibers = 2;
		probe_open(&other);
		inner = other.engine;
		CHECK_EQ(bitactor_register_handler(inner, &handler), BITACTOR_OK);
		open_fibers(2, outer_fiber);
		CHECK_EQ(tick(FIBER, 0, 'a'), BITACTOR_OK);
		story_is("a0b0");
		CHECK_EQ(probe_drain(probe.engine, 100), 2);
		story_is("b1a1c0c1");
		probe_close(&probe);
		probe_close(&other);
	}
}

enum { CROWD = 200 };

static uint64_t sums[CROWD + 1], ended;

/* Adds up what comes to its actor until a 0 comes. */
static bitactor_status_t
add_up(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint32_t actor = signal->actor;
	uint64_t sum   = 0;
	bitactor_signal_t answer;
	(void)state;
	do {
		CHECK_EQ(bitactor_await(turn, AWAITED, &answer), BITACTOR_OK);
		if (answer.payload % 3 == 0 && answer.payload != 0)
			CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
		sum += answer.payload;
	} while (answer.payload != 0);
	CHECK_EQ(sum, sums[actor]);
	ended++;
	return BITACTOR_OK;
}

static void
test_crowd(uint64_t seed)
{
	SCENARIO("two hundred fibers at once") {
		GIVEN("200 fibers, each adding up what comes to its actor");
		WHEN("20,000 signals go to random actors, and a 0 to each at the end");
		THEN("every sum is right");
		uint64_t random = seed, steps = probe_scale(20000);
		open_fibers(CROWD, add_up);
		ended = 0;
		memset(sums, 0, sizeof sums);
		for (uint32_t actor = 1; actor <= CROWD; actor++)
			CHECK_EQ(tick(FIBER, actor, 0), BITACTOR_OK);
		for (uint64_t i = 0; i < steps; i++) {
			uint64_t chance = probe_random(&random);
			uint32_t actor  = 1 + (uint32_t)(chance % CROWD);
			send(AWAITED, actor, 1 + (chance >> 40));
			sums[actor] += 1 + (chance >> 40);
			/* all of it, or a signal would meet a fiber that yielded */
			(void)probe_drain(probe.engine, 1 + (chance >> 32) % 5);
		}
		for (uint32_t actor = 1; actor <= CROWD; actor++)
			send(AWAITED, actor, 0);
		CHECK_EQ(probe_drain(probe.engine, 1000), CROWD);
		CHECK_EQ(ended, CROWD);
		CHECK_EQ(probe_stats(probe.engine).rejected, 0);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_memory();
	test_yield();
	test_yield_full();
	test_await(true);
	test_await(false);
	test_await_edges();
	test_full();
	test_wrong_thread();
	test_stop();
	test_transaction();
	test_records();
	test_stacks();
	test_overflow(false);
	test_overflow(true);
	test_destroyed_in_the_middle();
	test_nested();
	test_crowd(seed);
	return bdd_close();
}
