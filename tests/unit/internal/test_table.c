/* SPDX-License-Identifier: Apache-2.0 */
/* test_table.c -- a table that handlers change while it is in use.
 *
 * What is protected: a change holds from the next dispatch on, also within the
 * chunk that is running, and only if the dispatch that asked for it answered OK.
 */
#include "engine_probe.h"

static probe_t probe;
static probe_seen_t first, second;

enum { SEEN = 1, CHANGE = 2, OTHER = 3 };

/* Signals of kind CHANGE: payload says what to do, context what to answer. */
enum { BIND_SECOND, UNBIND, BIND_MANY, UNBIND_SELF };

static bitactor_status_t
change(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_engine_t *engine = state;
	(void)turn;
	switch (signal->payload) {
	case BIND_SECOND:
		CHECK_EQ(bitactor_register(engine, SEEN, probe_see, &second), BITACTOR_OK);
		break;
	case UNBIND:
		CHECK_EQ(bitactor_unregister(engine, SEEN), BITACTOR_OK);
		break;
	case UNBIND_SELF:
		CHECK_EQ(bitactor_unregister(engine, CHANGE), BITACTOR_OK);
		break;
	case BIND_MANY: {
		uint32_t taken = 0;
		while (taken < 1000 &&
		       bitactor_register(engine, OTHER, probe_see, &second) == BITACTOR_OK)
			taken++;
		CHECK_EQ(taken, 32);
		CHECK_EQ(bitactor_unregister(engine, OTHER), BITACTOR_FULL);
		break;
	}
	}
	CHECK(bitactor_is_registered(engine, CHANGE)); /* nothing has happened yet */
	return (bitactor_status_t)signal->context;
}

static void
open_probe(uint32_t segments)
{
	probe_config(&probe);
	probe.config.segments = segments;
	probe_open(&probe);
	first.count = second.count = 0;
	CHECK_EQ(bitactor_register(probe.engine, SEEN, probe_see, &first), BITACTOR_OK);
	CHECK_EQ(bitactor_register(probe.engine, CHANGE, change, probe.engine), BITACTOR_OK);
}

static void
ask(uint64_t what, bitactor_status_t answer)
{
	bitactor_signal_t signal = { .kind = CHANGE, .payload = what, .context = answer };
	CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_OK);
}

static void
send_seen(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		probe_send(probe.engine, SEEN, i);
}

static void
test_from_the_next_on(uint32_t segments)
{
	SCENARIO("a handler that registers another") {
		GIVEN("5 signals, the change, 7 signals, all of them in one chunk");
		WHEN("they are drained in one turn");
		THEN("the first handler gets 5, the second 7");
		open_probe(segments);
		send_seen(5);
		ask(BIND_SECOND, BITACTOR_OK);
		send_seen(7);
		uint64_t done = 0;
		CHECK_EQ(bitactor_drain(probe.engine, 100, &done), BITACTOR_OK);
		CHECK_EQ(done, 13);
		CHECK_EQ(first.count, 5);
		CHECK_EQ(second.count, 7);
		CHECK_EQ(probe_stats(probe.engine).dispatched, 13);
		probe_close(&probe);
	}
	SCENARIO("a handler that unregisters another, and itself") {
		GIVEN("3 signals between each of two changes, in one chunk");
		WHEN("they are drained");
		THEN("those behind the change are rejected, counted as that");
		open_probe(segments);
		send_seen(3);
		ask(UNBIND, BITACTOR_OK);
		send_seen(3);
		ask(UNBIND_SELF, BITACTOR_OK);
		ask(BIND_SECOND, BITACTOR_OK);
		CHECK_EQ(probe_drain(probe.engine, 100), 9);
		CHECK_EQ(first.count, 3);
		CHECK_EQ(probe_stats(probe.engine).dispatched, 5);
		CHECK_EQ(probe_stats(probe.engine).rejected, 4);
		probe_close(&probe);
	}
}

static void
test_transaction(void)
{
	SCENARIO("a change asked for by a dispatch that fails") {
		GIVEN("a handler that registers another and answers ERROR");
		WHEN("signals of that kind follow");
		THEN("the first handler has them, and the change counts as undone");
		open_probe(2);
		ask(BIND_SECOND, BITACTOR_ERROR);
		send_seen(4);
		CHECK_EQ(probe_drain(probe.engine, 100), 5);
		CHECK_EQ(first.count, 4);
		CHECK_EQ(second.count, 0);
		CHECK_EQ(probe_stats(probe.engine).undone, 1);
		probe_close(&probe);
	}
	SCENARIO("a handler that asks for more changes than a dispatch may") {
		GIVEN("a handler that registers without end");
		WHEN("it is dispatched");
		THEN("32 take hold, the next is FULL, and the engine goes on");
		open_probe(2);
		ask(BIND_MANY, BITACTOR_OK);
		probe_send(probe.engine, OTHER, 1);
		CHECK_EQ(probe_drain(probe.engine, 100), 2);
		CHECK_EQ(second.count, 1);
		probe_close(&probe);
	}
}

static void
test_records(void)
{
	SCENARIO("the records of a change") {
		GIVEN("a registration by the program and one by a handler");
		WHEN("the trace is read");
		THEN("the first is from outside, the second names the dispatch that asked for it");
		open_probe(2);
		ask(BIND_SECOND, BITACTOR_OK);
		CHECK_EQ(probe_drain(probe.engine, 100), 1);
		const uint8_t *segment;
		CHECK_EQ(bitactor_telemetry_segment(probe.engine, 0, &segment), BITACTOR_OK);
		bitactor_record_t record;
		uint32_t offset = BITACTOR_HEADER_BYTES, outside = 0, inside = 0;
		while (bitactor_record_read(segment, 0, offset, BITACTOR_SEGMENT_BYTES, false,
		                            &record, NULL) == BITACTOR_OK) {
			offset += record.bytes;
			if (record.kind != BITACTOR_RECORD_REGISTER)
				continue;
			bool by_program = (record.flags & BITACTOR_RECORD_OUTSIDE) != 0;
			outside += by_program;
			inside += !by_program;
			CHECK_EQ(record.cause, by_program ? 0 : 1);
			CHECK_EQ(record.payload, BITACTOR_TICK_BUDGET);
		}
		CHECK_EQ(outside, 2);
		CHECK_EQ(inside, 1);
		probe_close(&probe);
	}
}

static bitactor_status_t
bind_with_budget(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn;
	bitactor_handler_t handler = { .fn           = probe_see,
		                       .state        = &second,
		                       .kind         = (uint16_t)signal->context,
		                       .budget_ticks = (uint32_t)signal->payload };
	return bitactor_register_handler(state, &handler);
}

/* The effect of a dispatch that asks for this; the record has the same payload. */
static uint32_t
effect_of_asking(uint16_t kind, uint32_t budget_ticks)
{
	open_probe(2);
	CHECK_EQ(bitactor_register(probe.engine, CHANGE, bind_with_budget, probe.engine),
	         BITACTOR_OK);
	bitactor_signal_t signal = { .kind = CHANGE, .payload = budget_ticks, .context = kind };
	CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_OK);
	CHECK_EQ(probe_drain(probe.engine, 100), 1);
	const uint8_t *segment;
	CHECK_EQ(bitactor_telemetry_segment(probe.engine, 0, &segment), BITACTOR_OK);
	bitactor_record_t record = { .effect = 0 };
	uint32_t offset = BITACTOR_HEADER_BYTES, effect = 0;
	while (bitactor_record_read(segment, 0, offset, BITACTOR_SEGMENT_BYTES, false, &record,
	                            NULL) == BITACTOR_OK) {
		offset += record.bytes;
		if (record.kind == CHANGE)
			effect = record.effect;
	}
	probe_close(&probe);
	return effect;
}

static void
test_effect(void)
{
	SCENARIO("what a handler asks for is a part of its dispatch's effect") {
		GIVEN("handlers that register a kind with a budget");
		WHEN("kind or budget is another");
		THEN("the effect is another; the same gives the same");
		uint32_t effect = effect_of_asking(SEEN, 8);
		CHECK_EQ(effect_of_asking(SEEN, 8), effect);
		CHECK(effect_of_asking(SEEN, 9) != effect);
		CHECK(effect_of_asking(OTHER, 8) != effect);
	}
}

static bitactor_status_t
wait_for_other(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	(void)signal, (void)state;
	return bitactor_await(turn, OTHER, &answer);
}

static void
test_barrier(void)
{
	SCENARIO("unregister_sync and a fiber of the kind that waits") {
		GIVEN("a fiber that awaits a signal");
		WHEN("its kind is unregistered as a barrier, then the signal comes");
		THEN("it is BUSY while the fiber lives, OK afterwards, and stays unregistered");
		probe_config(&probe);
		probe.config.fibers = 2;
		probe_open(&probe);
		bitactor_handler_t handler = { .fn    = wait_for_other,
			                       .kind  = SEEN,
			                       .flags = BITACTOR_HANDLER_FIBER };
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
		send_seen(1);
		CHECK_EQ(probe_drain(probe.engine, 100), 1);
		CHECK_EQ(bitactor_unregister_sync(probe.engine, SEEN), BITACTOR_BUSY);
		CHECK(!bitactor_is_registered(probe.engine, SEEN));
		CHECK_EQ(bitactor_unregister_sync(probe.engine, SEEN), BITACTOR_BUSY);
		probe_send(probe.engine, OTHER, 1);
		CHECK_EQ(probe_drain(probe.engine, 100), 1);
		CHECK_EQ(bitactor_unregister_sync(probe.engine, SEEN), BITACTOR_OK);
		CHECK_EQ(bitactor_unregister_sync(probe.engine, 0xFF00), BITACTOR_ERROR);
		probe_close(&probe);
	}
}

int
main(void)
{
	test_from_the_next_on(2);
	test_from_the_next_on(0);
	test_transaction();
	test_records();
	test_effect();
	test_barrier();
	return bdd_close();
}
