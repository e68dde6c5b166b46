/* SPDX-License-Identifier: Apache-2.0 */
/* test_bitactor_dispatch.c -- the table, the transaction, the budget.
 *
 * Time comes from a counter that moves only when a handler says so (its payload
 * is how far), so each verdict about a budget is exact and the same every run.
 * Fibers are in tests/unit/internal/test_tasks.c, what a record says in
 * test_bitactor_telemetry.c.
 */
#include "../../../bitactor/src/internal/engine.h"
#include "../../engine_probe.h"

#include <sched.h>

static probe_t      probe;
static probe_seen_t seen;

/* ---- what a handler gets --------------------------------------------- */

typedef struct answer {
	bitactor_status_t status;
	uint64_t          value;
	bitactor_signal_t got;
	void             *state;
} answer_t;

static bitactor_status_t
answer_as_told(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	answer_t *answer = state;
	answer->got   = *signal;
	answer->state = state;
	CHECK_EQ(turn->calls->bytes, sizeof(bitactor_turn_calls_t));
	if (answer->value != 0)
		bitactor_turn_result(turn, answer->value);
	return answer->status;
}

static void
test_signal_and_answer(void)
{
	SCENARIO("a handler gets its signal and its state, and its answer comes back") {
		GIVEN("a handler that answers every status there is");
		WHEN("it is ticked");
		THEN("it sees the bytes that were sent, but the seal; its status and value are the "
		     "tick's; TICK_EXCEEDED is not its to say");
		answer_t answer = { .value = 12 };
		probe_config(&probe);
		probe_counter(&probe, 24000000);
		probe_open(&probe);
		CHECK_EQ(bitactor_register(probe.engine, 7, answer_as_told, &answer), BITACTOR_OK);
		for (int status = 0; status <= BITACTOR_STUCK; status++) {
			bitactor_signal_t signal = { 1, 2, 7, 3, 4, 0, 5, 6, 8, 9, 0 };
			bitactor_result_t result;
			bitactor_status_t expected = status == BITACTOR_TICK_EXCEEDED
			                                     ? BITACTOR_ERROR
			                                     : (bitactor_status_t)status;
			answer.status = (bitactor_status_t)status;
			CHECK_EQ(bitactor_tick(probe.engine, &signal, &result), expected);
			CHECK_EQ(result.handler, expected);
			CHECK_EQ(result.value, 12);
			CHECK_EQ(result.spent_counts, 0);
			signal.seal = 0; /* is for the door; no record has it */
			CHECK(memcmp(&answer.got, &signal, sizeof signal) == 0);
			CHECK(answer.state == &answer);
		}
		CHECK_EQ(probe_stats(probe.engine).failed, BITACTOR_STUCK);
		bitactor_signal_t signal = { .kind = 7 };
		bitactor_result_t result;
		answer = (answer_t){ .value = 0 };
		CHECK_EQ(bitactor_tick(probe.engine, &signal, &result), BITACTOR_OK);
		CHECK_EQ(result.value, 0); /* the last one's is forgotten */
		signal.kind = 8;
		CHECK_EQ(bitactor_tick(probe.engine, &signal, &result), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(result.handler, BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(result.value, 0);
		CHECK_EQ(bitactor_tick(probe.engine, &signal, NULL), BITACTOR_INVALID_SIGNAL);
		probe_close(&probe);
	}
}

/* ---- a dispatch is a transaction ------------------------------------- */

enum { OUT_MAX = 256 };

typedef struct outbox {
	uint32_t count, ports[OUT_MAX], lengths[OUT_MAX];
	uint8_t  first[OUT_MAX];
} outbox_t;

static outbox_t outbox;

static void
deliver(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	outbox_t *box = context;
	if (box->count < OUT_MAX) {
		box->ports[box->count]   = port;
		box->lengths[box->count] = (uint32_t)byte_count;
		box->first[box->count]   = byte_count > 0 ? *(const uint8_t *)bytes : 0;
	}
	box->count++;
}

static const bitactor_outlet_t outlet = { .context = &outbox, .deliver = deliver };

/* Two emits, one of them with data, and three outputs; odd payloads fail. */
static bitactor_status_t
do_much(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint8_t p = (uint8_t)signal->payload;
	bitactor_signal_t more = { .kind = 2, .payload = signal->payload };
	(void)state;
	CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	more.payload += 100;
	CHECK_EQ(bitactor_emit_data(turn, &more, &p, 1), BITACTOR_OK);
	CHECK_EQ(bitactor_output(turn, 1, &p, 1), BITACTOR_OK);
	CHECK_EQ(bitactor_output(turn, 2, NULL, 0), BITACTOR_OK);
	CHECK_EQ(bitactor_output(turn, 3, "0123456789", 10), BITACTOR_OK);
	return signal->payload % 2 != 0 ? BITACTOR_FAULT : BITACTOR_OK;
}

static void
test_transaction(void)
{
	SCENARIO("what a failed handler asked for never happened") {
		GIVEN("a handler that emits 2, outputs 3, and fails for odd payloads");
		WHEN("payloads 0 to 19 are dispatched");
		THEN("the even ones' emits and outputs come, in order; 50 are undone and counted, "
		     "and their data blocks are free again");
		probe_config(&probe);
		probe.config.emit_data_blocks = 2;
		probe.config.outlet = &outlet;
		probe_open(&probe);
		outbox.count = seen.count = 0;
		CHECK_EQ(bitactor_register(probe.engine, 1, do_much, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_register(probe.engine, 2, probe_see, &seen), BITACTOR_OK);
		for (uint64_t i = 0; i < 20; i++) {
			probe_send(probe.engine, 1, i);
			CHECK_EQ(probe_drain(probe.engine, 100), i % 2 != 0 ? 1 : 3);
		}
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.failed, 10);
		CHECK_EQ(stats.undone, 50);
		CHECK_EQ(stats.emitted, 20);
		CHECK_EQ(stats.outputs, 30);
		CHECK_EQ(seen.count, 20);
		CHECK_EQ(outbox.count, 30);
		for (uint32_t i = 0; i < 20 && i < seen.count; i++) {
			CHECK_EQ(seen.at[i].payload, i % 2 == 0 ? i : 99 + i);
			CHECK_EQ(seen.at[i].data_bytes, i % 2);
		}
		for (uint32_t i = 0; i < 30; i++) {
			CHECK_EQ(outbox.ports[i], 1 + i % 3);
			CHECK_EQ(outbox.lengths[i], i % 3 == 0 ? 1 : i % 3 == 1 ? 0 : 10);
			CHECK_EQ(outbox.first[i], i % 3 == 0 ? i / 3 * 2 : i % 3 == 1 ? 0 : '0');
		}
		ba_engine_check(probe.engine);
		probe_close(&probe);
	}
}

/* ---- emits ----------------------------------------------------------- */

typedef struct tries {
	uint32_t emits, bytes; /* how many to try, with how much data */
	uint32_t ok, full;
} tries_t;

static bitactor_status_t
emit_many_times(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	tries_t *tries = state;
	uint8_t  data[64] = { 1 };
	(void)signal;
	tries->ok = tries->full = 0;
	for (uint32_t i = 0; i < tries->emits; i++) {
		bitactor_signal_t more = { .kind = 2, .payload = i };
		bitactor_status_t status = tries->bytes > 0
		                                   ? bitactor_emit_data(turn, &more, data,
		                                                        tries->bytes)
		                                   : bitactor_emit(turn, &more);
		tries->ok += status == BITACTOR_OK;
		tries->full += status == BITACTOR_FULL;
	}
	return BITACTOR_OK;
}

static void
test_emit_full(void)
{
	SCENARIO("the internal queue has its own limit") {
		GIVEN("4 slots and 2 blocks inside; outside 64 slots, all taken");
		WHEN("handlers emit 6, and 3 with data");
		THEN("4 and 2 are taken, whatever waits outside; what is left over counts");
		tries_t tries = { .emits = 6 };
		probe_config(&probe);
		probe.config.emit_slots = 4;
		probe.config.emit_data_blocks = 2;
		probe.config.queue_slots = 64;
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		bitactor_signal_t  go = { .kind = 1 };
		CHECK_EQ(bitactor_register(engine, 1, emit_many_times, &tries), BITACTOR_OK);
		while (bitactor_enqueue(engine, &go) == BITACTOR_OK)
			continue;
		(void)bitactor_tick(engine, &go, NULL);
		CHECK_EQ(tries.ok, 4);
		CHECK_EQ(tries.full, 2);
		(void)bitactor_tick(engine, &go, NULL);
		CHECK_EQ(tries.ok, 0);
		CHECK_EQ(tries.full, 6);
		CHECK_EQ(bitactor_drain(engine, 3, NULL), BITACTOR_OK); /* 3 of the 4 */
		(void)bitactor_tick(engine, &go, NULL);
		CHECK_EQ(tries.ok, 3);
		CHECK_EQ(bitactor_drain(engine, 4, NULL), BITACTOR_OK);
		tries = (tries_t){ .emits = 3, .bytes = 8 };
		(void)bitactor_tick(engine, &go, NULL);
		CHECK_EQ(tries.ok, 2);
		CHECK_EQ(tries.full, 1);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.refused_full, 1 + 2 + 6 + 3 + 1);
		CHECK_EQ(stats.emit_high, 4);
		CHECK_EQ(bitactor_stop(engine, false, 0, NULL), BITACTOR_OK);
		for (int i = 0; i < 2; i++)
			CHECK(ba_pool_take(&engine->emit_data) != 0);
		probe_close(&probe);
	}
}

typedef struct inside {
	bitactor_engine_t *engine;
	bitactor_status_t  fails;
} inside_t;

/* Every way to send, from inside, good and bad. */
static bitactor_status_t
send_from_inside(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	inside_t *inside = state;
	bitactor_engine_t *engine = inside->engine;
	bitactor_signal_t good = { .kind = 2 }, kind = { .kind = 0xFF00 };
	bitactor_signal_t reserved = { .kind = 2, .reserved = 1 }, length = { .data_bytes = 1 };
	bitactor_signal_t batch[9] = { good, good, reserved };
	char   data[72] = "";
	size_t taken = 9;
	(void)signal;
	CHECK_EQ(bitactor_emit(turn, NULL), BITACTOR_INVALID_SIGNAL);
	CHECK_EQ(bitactor_emit(turn, &kind), BITACTOR_INVALID_SIGNAL);
	CHECK_EQ(bitactor_emit(turn, &reserved), BITACTOR_INVALID_SIGNAL);
	CHECK_EQ(bitactor_emit(turn, &length), BITACTOR_INVALID_SIGNAL);
	CHECK_EQ(bitactor_emit_data(turn, &good, data, 65), BITACTOR_INVALID_SIGNAL);
	CHECK_EQ(bitactor_emit_data(turn, &good, NULL, 1), BITACTOR_ERROR);
	CHECK_EQ(bitactor_output(turn, 0, NULL, 1), BITACTOR_ERROR);
	CHECK_EQ(bitactor_enqueue(engine, NULL), BITACTOR_INVALID_SIGNAL); /* 6 so far */
	CHECK_EQ(bitactor_enqueue_many(engine, batch, 3, &taken), BITACTOR_INVALID_SIGNAL);
	CHECK_EQ(taken, 0); /* 9 */
	CHECK_EQ(bitactor_enqueue_many(engine, NULL, 2, NULL), BITACTOR_INVALID_SIGNAL); /* 11 */
	batch[2] = good;
	CHECK_EQ(bitactor_enqueue_many(engine, batch, 9, &taken), BITACTOR_ERROR);
	CHECK_EQ(bitactor_yield(turn), BITACTOR_UNSUPPORTED);
	CHECK_EQ(bitactor_await(turn, 2, &good), BITACTOR_UNSUPPORTED);

	CHECK_EQ(bitactor_emit(turn, &good), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue(engine, &good), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue_data(engine, &good, data, 64), BITACTOR_OK);
	CHECK_EQ(bitactor_enqueue_many(engine, batch, 2, &taken), BITACTOR_OK);
	CHECK_EQ(taken, 2);
	good.data_bytes = 33; /* ignored, as from outside */
	CHECK_EQ(bitactor_enqueue_data(engine, &good, NULL, 0), BITACTOR_OK);
	for (uint64_t i = 0; i < 3; i++)
		batch[i] = (bitactor_signal_t){ .kind = 2 };
	CHECK_EQ(bitactor_enqueue_many(engine, batch, 3, &taken), BITACTOR_FULL);
	CHECK_EQ(taken, 0);
	return inside->fails;
}

static void
test_sending_from_inside(void)
{
	SCENARIO("enqueue from inside is an emit") {
		GIVEN("a handler that sends in every way, and 8 slots inside");
		WHEN("it answers OK, and when it fails");
		THEN("6 signals come of it, or none; what is refused is counted as outside");
		inside_t inside = { .fails = BITACTOR_OK };
		probe_config(&probe);
		probe.config.emit_slots = 8;
		probe_open(&probe);
		bitactor_engine_t *engine = inside.engine = probe.engine;
		bitactor_signal_t  go = { .kind = 1 };
		seen.count = 0;
		CHECK_EQ(bitactor_register(engine, 1, send_from_inside, &inside), BITACTOR_OK);
		CHECK_EQ(bitactor_register(engine, 2, probe_see, &seen), BITACTOR_OK);
		(void)bitactor_tick(engine, &go, NULL);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.emitted, 6);
		CHECK_EQ(stats.refused_invalid, 11);
		CHECK_EQ(stats.refused_full, 3);
		CHECK_EQ(stats.offered, 1 + 6 + 11 + 3);
		CHECK_EQ(stats.queued, 6);
		CHECK_EQ(probe_drain(engine, 100), 6);
		CHECK_EQ(seen.count, 6);
		CHECK_EQ(seen.at[2].data_bytes, 64);
		CHECK_EQ(seen.at[5].data_bytes, 0);
		inside.fails = BITACTOR_ERROR;
		CHECK_EQ(bitactor_tick(engine, &go, NULL), BITACTOR_ERROR);
		stats = probe_stats(engine);
		CHECK_EQ(stats.undone, 6);
		CHECK_EQ(stats.emitted, 6);
		CHECK_EQ(probe_drain(engine, 100), 0);
		probe_close(&probe);
	}
}

/* ---- outputs --------------------------------------------------------- */

typedef struct output_plan {
	uint32_t sizes[8], count;
	bitactor_status_t got[8];
} output_plan_t;

static bitactor_status_t
output_by_plan(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	output_plan_t *plan = state;
	static const uint8_t bytes[512];
	(void)signal;
	for (uint32_t i = 0; i < plan->count; i++)
		plan->got[i] = bitactor_output(turn, i, bytes, plan->sizes[i]);
	return BITACTOR_OK;
}

static void
test_output_limit(void)
{
	static const struct {
		output_plan_t plan;
		uint32_t      expected; /* bit i: output i is taken */
	} cases[] = { /* of 64 bytes; each output takes 8 and its own, rounded up to 8 */
		{ { .sizes = { 56, 0 }, .count = 2 }, 1 },
		{ { .sizes = { 57 }, .count = 1 }, 0 },
		{ { .sizes = { 49, 0 }, .count = 2 }, 1 },
		{ { .sizes = { 48, 0, 0 }, .count = 3 }, 3 },
		{ { .sizes = { 57, 40, 9, 8, 0 }, .count = 5 }, 2 + 8 },
		{ { .sizes = { 0, 0, 0, 0, 0, 0, 0, 0 }, .count = 8 }, 255 },
		{ { .sizes = { 512, 8, 8, 8, 8, 0 }, .count = 6 }, 2 + 4 + 8 + 16 },
	};
	SCENARIO("outputs have room for output_max bytes a dispatch") {
		GIVEN("room for 64 bytes, and several plans to fill it");
		WHEN("each is carried out, one after the other");
		THEN("what fits is taken and delivered, what does not is FULL, and each dispatch "
		     "begins with all the room");
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			output_plan_t plan = cases[i].plan;
			uint32_t expected_count = (uint32_t)__builtin_popcount(cases[i].expected);
			probe_config(&probe);
			probe.config.output_max = 64;
			probe.config.outlet = &outlet;
			probe_open(&probe);
			CHECK_EQ(bitactor_register(probe.engine, 1, output_by_plan, &plan),
			         BITACTOR_OK);
			for (int twice = 0; twice < 2; twice++) {
				outbox.count = 0;
				probe_send(probe.engine, 1, 0);
				CHECK_EQ(probe_drain(probe.engine, 1), 1);
				for (uint32_t k = 0; k < plan.count; k++)
					CHECK_EQ(plan.got[k], (cases[i].expected >> k & 1) != 0
					                              ? BITACTOR_OK
					                              : BITACTOR_FULL);
				CHECK_EQ(outbox.count, expected_count);
			}
			CHECK_EQ(probe_stats(probe.engine).outputs, 2 * expected_count);
			probe_close(&probe);
		}
	}
}

/* ---- the table ------------------------------------------------------- */

static bitactor_status_t
count_one(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	++*(uint64_t *)state;
	return BITACTOR_OK;
}

static void
test_table(void)
{
	SCENARIO("the table binds what it is given and nothing else") {
		GIVEN("a table of 10 kinds");
		WHEN("handlers are bound, replaced and unbound, well and badly");
		THEN("signals reach the one that is bound, or are rejected");
		uint64_t first = 0, second = 0;
		bitactor_handler_t handler = { .fn = count_one, .state = &first, .kind = 3 };
		probe_config(&probe);
		probe.config.kinds = 10;
		probe_open(&probe);
		bitactor_engine_t *engine = probe.engine;
		CHECK_EQ(bitactor_register(engine, 10, count_one, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_register(engine, 0xFFFF, count_one, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_unregister(engine, 10), BITACTOR_ERROR);
		handler.flags = 4;
		CHECK_EQ(bitactor_register_handler(engine, &handler), BITACTOR_ERROR);
		handler.flags = BITACTOR_HANDLER_FIBER;
		CHECK_EQ(bitactor_register_handler(engine, &handler), BITACTOR_UNSUPPORTED);
		handler = (bitactor_handler_t){ .fn = count_one, .state_bytes = 1, .kind = 3 };
		CHECK_EQ(bitactor_register_handler(engine, &handler), BITACTOR_ERROR);
		for (uint16_t kind = 0; kind < 12; kind++)
			CHECK(!bitactor_is_registered(engine, kind));

		handler = (bitactor_handler_t){ .fn = count_one, .state = &first,
			                        .state_bytes = sizeof first, .kind = 9 };
		CHECK_EQ(bitactor_register_handler(engine, &handler), BITACTOR_OK);
		CHECK(bitactor_is_registered(engine, 9));
		for (uint16_t kind = 0; kind < 12; kind++)
			probe_send(engine, kind, 0);
		CHECK_EQ(probe_drain(engine, 100), 12);
		CHECK_EQ(first, 1);
		CHECK_EQ(bitactor_register(engine, 9, count_one, &second), BITACTOR_OK);
		probe_send(engine, 9, 0);
		CHECK_EQ(probe_drain(engine, 100), 1);
		CHECK_EQ(first, 1);
		CHECK_EQ(second, 1);
		CHECK_EQ(bitactor_unregister(engine, 9), BITACTOR_OK);
		CHECK_EQ(bitactor_unregister(engine, 9), BITACTOR_OK); /* as often as you like */
		CHECK(!bitactor_is_registered(engine, 9));
		probe_send(engine, 9, 0);
		CHECK_EQ(probe_drain(engine, 100), 1);
		CHECK_EQ(second, 1);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.rejected, 12);
		CHECK_EQ(stats.dispatched, 2);
		probe_close(&probe);
	}
}

static _Atomic int barrier_runs;
static _Atomic bool barrier_end;

static bitactor_status_t
run_for_long(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	atomic_store(&barrier_runs, 1);
	for (int i = 0; i < 100 || !atomic_load(&barrier_end); i++)
		sched_yield();
	atomic_store(&barrier_runs, 2);
	return BITACTOR_OK;
}

static void *
drain_in_thread(void *argument)
{
	(void)probe_drain(argument, 100);
	return NULL;
}

static void *
end_soon(void *argument)
{
	struct timespec some = { .tv_nsec = 20000000 };
	nanosleep(&some, NULL);
	atomic_store(&barrier_end, true);
	return argument;
}

static void
test_unregister_is_a_barrier(void)
{
	SCENARIO("after unregister the handler does not run") {
		GIVEN("a handler that runs on another thread, 20 ms and more");
		WHEN("its kind is unregistered meanwhile");
		THEN("the call comes back after the handler has ended, never before");
		pthread_t drainer, ender;
		probe_config(&probe);
		probe_open(&probe);
		CHECK_EQ(bitactor_register(probe.engine, 1, run_for_long, NULL), BITACTOR_OK);
		probe_send(probe.engine, 1, 0);
		CHECK_EQ(pthread_create(&drainer, NULL, drain_in_thread, probe.engine), 0);
		while (atomic_load(&barrier_runs) == 0)
			sched_yield();
		CHECK_EQ(pthread_create(&ender, NULL, end_soon, NULL), 0);
		CHECK_EQ(bitactor_unregister(probe.engine, 1), BITACTOR_OK);
		CHECK_EQ(atomic_load(&barrier_runs), 2);
		pthread_join(drainer, NULL);
		pthread_join(ender, NULL);
		probe_close(&probe);
	}
}

/* ---- chance and time, as handlers see them --------------------------- */

enum { DRAWS = 3000 };

typedef struct draws {
	uint64_t numbers[DRAWS];
	uint32_t count;
} draws_t;

static bitactor_status_t
draw_three(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	draws_t *draws = state;
	bitactor_signal_t more = { .kind = 1, .actor = signal->actor };
	for (int i = 0; i < 3 && draws->count < DRAWS; i++)
		draws->numbers[draws->count++] = bitactor_random(turn);
	if (draws->count % 2 != 0)
		(void)bitactor_emit(turn, &more);
	return draws->count % 5 == 0 ? BITACTOR_ERROR : BITACTOR_OK;
}

/* 400 signals, a third of which nobody takes. */
static void
draw(draws_t *draws, uint32_t segments, uint64_t config_seed, uint64_t max, uint32_t flags)
{
	draws->count = 0;
	probe_config(&probe);
	probe.config.segments = segments;
	probe.config.seed     = config_seed;
	probe.config.flags    = flags;
	probe_open(&probe);
	CHECK_EQ(bitactor_register(probe.engine, 1, draw_three, draws), BITACTOR_OK);
	for (uint32_t i = 0; i < 400; i++) {
		bitactor_signal_t signal = { .kind = (uint16_t)(i % 3 != 0), .actor = i / 50 };
		CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_OK);
	}
	CHECK(probe_drain(probe.engine, max) >= 400);
	probe_close(&probe);
}

static void
test_random(void)
{
	SCENARIO("chance is a function of seed, place and destination") {
		GIVEN("400 signals whose handlers draw three numbers each");
		WHEN("they run again: without a recorder, in turns of another size, timed singly, "
		     "with another seed");
		THEN("the numbers are the same, and with another seed all are others; no two are "
		     "equal");
		static draws_t first, again;
		draw(&first, 2, 42, 10000, 0);
		CHECK(first.count > 700);
		draw(&again, 0, 42, 10000, 0);
		CHECK(memcmp(&first, &again, sizeof first) == 0);
		draw(&again, 4, 42, 10000, BITACTOR_TIME_EACH);
		CHECK(memcmp(&first, &again, sizeof first) == 0);
		draw(&again, 2, 42, 400, 0); /* all that is admitted in one turn, the rest later */
		CHECK(memcmp(&first, &again, sizeof first) == 0);
		draw(&again, 2, 43, 10000, 0);
		unsigned same = 0, twins = 0;
		for (uint32_t i = 0; i < first.count; i++) {
			same += first.numbers[i] == again.numbers[i];
			for (uint32_t k = 0; k < i; k++)
				twins += first.numbers[i] == first.numbers[k];
		}
		CHECK_EQ(same, 0);
		CHECK_EQ(twins, 0);
	}
}

static void
draw_once(draws_t *draws, uint32_t actor)
{
	bitactor_signal_t signal = { .kind = 1, .actor = actor };
	draws->count = 0;
	probe_config(&probe);
	probe_open(&probe);
	CHECK_EQ(bitactor_register(probe.engine, 1, draw_three, draws), BITACTOR_OK);
	(void)bitactor_tick(probe.engine, &signal, NULL);
	(void)bitactor_tick(probe.engine, &signal, NULL);
	probe_close(&probe);
}

static void
test_random_parts(void)
{
	SCENARIO("each part of the place matters") {
		GIVEN("two ticks of actor 5, and the same two of actor 6");
		WHEN("each draws three numbers");
		THEN("all twelve differ");
		static draws_t five, six;
		draw_once(&five, 5);
		draw_once(&six, 6);
		CHECK_EQ(five.count, 6);
		CHECK_EQ(six.count, 6);
		for (int i = 0; i < 6; i++)
			for (int k = 0; k < 6; k++) {
				CHECK(five.numbers[i] != six.numbers[k]);
				CHECK(i == k || five.numbers[i] != five.numbers[k]);
			}
	}
}

static uint64_t nows[16];
static uint32_t nows_count;

static bitactor_status_t
look_at_the_clock(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	probe_t *clock = state;
	(void)signal;
	nows[nows_count++ % 16] = bitactor_turn_now_ns(turn);
	clock->now_ns += 7;
	nows[nows_count++ % 16] = bitactor_turn_now_ns(turn);
	return BITACTOR_OK;
}

static void
test_now(uint32_t segments)
{
	SCENARIO(segments > 0 ? "a turn has one time" : "a turn has one time, unrecorded too") {
		GIVEN("a clock that goes on at every dispatch, and once steps back");
		WHEN("two turns of two dispatches run, and one after the step");
		THEN("a turn's dispatches see one time; it never goes back; the step is counted");
		probe_config(&probe);
		probe_clock(&probe);
		probe.config.segments = segments;
		probe_open(&probe);
		CHECK_EQ(bitactor_register(probe.engine, 1, look_at_the_clock, &probe),
		         BITACTOR_OK);
		nows_count   = 0;
		probe.now_ns = 1000;
		for (int turn = 0; turn < 2; turn++) {
			probe_send(probe.engine, 1, 0);
			probe_send(probe.engine, 1, 0);
			CHECK_EQ(bitactor_drain(probe.engine, 2, NULL), BITACTOR_OK);
		}
		probe.now_ns = 500;
		probe_send(probe.engine, 1, 0);
		CHECK_EQ(bitactor_drain(probe.engine, 2, NULL), BITACTOR_OK);
		for (uint32_t i = 0; i < 10; i++)
			CHECK_EQ(nows[i], i < 4 ? 1000 : 1014);
		CHECK_EQ(probe_stats(probe.engine).clock_backward, 1);
		probe_close(&probe);
	}
}

/* ---- budgets --------------------------------------------------------- */

/* The payload is how many counts it takes. */
static bitactor_status_t
take_counts(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn;
	((probe_t *)state)->counts += signal->payload;
	return BITACTOR_OK;
}

static void
open_timed(uint64_t hz, uint32_t budget_ticks, uint32_t flags, uint32_t handler_flags)
{
	bitactor_handler_t handler = { .fn = take_counts, .state = &probe, .kind = 1,
		                       .budget_ticks = budget_ticks, .flags = handler_flags };
	probe_config(&probe);
	probe_counter(&probe, hz);
	probe_clock(&probe);
	probe.config.flags = flags;
	probe.counts = 1000;
	probe_open(&probe);
	CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
}

static bitactor_status_t
tick_counts(uint64_t counts, bitactor_result_t *result)
{
	bitactor_signal_t signal = { .kind = 1, .payload = counts };
	return bitactor_tick(probe.engine, &signal, result);
}

static void
test_same_time_same_verdict(void)
{
	static const uint64_t rates[] = { 24000000, 62500000, 1000000000 };
	static const struct {
		uint64_t ns, ticks;
		bool     over;
	} times[] = { { 0, 0, false }, { 2000, 48, false }, { 48000, 1152, false },
		      { 50000, 1200, false }, { 52000, 1248, true }, { 1000000, 24000, true } };
	SCENARIO("the same time, the same verdict") {
		GIVEN("counters of 24 MHz, 62.5 MHz and 1 GHz, and a budget of 50 us");
		WHEN("a handler takes 0 to 1000 us by each of them");
		THEN("exactly what is longer than 50 us is TICK_EXCEEDED, in the same ticks");
		for (int r = 0; r < 3; r++) {
			uint64_t overruns = 0;
			open_timed(rates[r], 1200, 0, 0);
			for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
				bitactor_result_t result;
				uint64_t counts = times[i].ns * (rates[r] / 1000) / 1000000;
				CHECK_EQ(tick_counts(counts, &result),
				         times[i].over ? BITACTOR_TICK_EXCEEDED : BITACTOR_OK);
				CHECK_EQ(result.spent_counts, counts);
				CHECK_EQ(result.spent_ticks, times[i].ticks);
				CHECK_EQ(result.handler, BITACTOR_OK);
				overruns += times[i].over;
			}
			uint64_t budget = 50000 * (rates[r] / 1000) / 1000000;
			CHECK_EQ(tick_counts(budget, NULL), BITACTOR_OK);
			CHECK_EQ(tick_counts(budget + 1, NULL), BITACTOR_TICK_EXCEEDED);
			bitactor_kind_stats_t kind;
			CHECK_EQ(probe_stats(probe.engine).overruns, overruns + 1);
			CHECK_EQ(bitactor_kind_stats(probe.engine, 1, &kind), BITACTOR_OK);
			CHECK_EQ(kind.overruns, overruns + 1);
			CHECK_EQ(kind.budget_ticks, 1200);
			CHECK_EQ(kind.budget_counts, budget);
			CHECK_EQ(kind.max_counts, rates[r] / 1000);
			probe_close(&probe);
		}
	}
}

static void
test_default_budgets(void)
{
	SCENARIO("8 ticks unless something else is said") {
		GIVEN("a counter of 1 GHz: a budget of 8 ticks is 333 counts; raw, it is 8");
		WHEN("handlers take just that, and one more");
		THEN("one more is too much; a begun tick counts");
		bitactor_result_t result;
		open_timed(1000000000, 0, 0, 0);
		CHECK_EQ(tick_counts(333, &result), BITACTOR_OK);
		CHECK_EQ(result.spent_ticks, 8);
		CHECK_EQ(tick_counts(334, &result), BITACTOR_TICK_EXCEEDED);
		CHECK_EQ(result.spent_ticks, 9);
		CHECK_EQ(tick_counts(1, &result), BITACTOR_OK);
		CHECK_EQ(result.spent_ticks, 1);
		probe_close(&probe);
		open_timed(1000000000, 0, BITACTOR_TICK_RAW, 0);
		CHECK_EQ(tick_counts(8, &result), BITACTOR_OK);
		CHECK_EQ(result.spent_ticks, 8);
		CHECK_EQ(tick_counts(9, &result), BITACTOR_TICK_EXCEEDED);
		probe_close(&probe);
	}
}

static void
test_unknown_rate(uint32_t flags)
{
	static const uint64_t lengths[] = { 0, 1, 1000000, UINT32_MAX, UINT64_C(1) << 33,
		                            UINT64_C(1) << 62 };
	SCENARIO((flags & BITACTOR_TICK_RAW) != 0 ? "a counter of 0 Hz judges nobody, raw"
	                                          : "a counter of 0 Hz judges nobody") {
		GIVEN("a counter whose rate is not known");
		WHEN("handlers take anything up to 2^62 counts, ticked, batched and one by one");
		THEN("nothing is over budget, nothing is divided by zero");
		bitactor_result_t result;
		open_timed(0, 1, flags, 0);
		for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			CHECK_EQ(tick_counts(lengths[i], &result), BITACTOR_OK);
			CHECK_EQ(result.spent_ticks, 0);
			probe_send(probe.engine, 1, lengths[i]);
			CHECK_EQ(probe_drain(probe.engine, 10), 1);
		}
		bitactor_clock_info_t info;
		CHECK_EQ(bitactor_clock_info(probe.engine, &info), BITACTOR_OK);
		CHECK_EQ(info.counts_per_tick_q32, 0);
		CHECK_EQ(bitactor_counts_to_ns(probe.engine, 12345), 0);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.overruns, 0);
		CHECK_EQ(stats.batch_overruns, 0);
		CHECK_EQ(stats.dispatched, 2 * sizeof lengths / sizeof *lengths);
		probe_close(&probe);
	}
}

static void
test_backward(void)
{
	SCENARIO("a counter that steps back took no time") {
		GIVEN("a 1 GHz counter, and a handler during which it steps back by 1.6 s");
		WHEN("it is ticked, and drained in a batch");
		THEN("0 counts were spent, no budget is broken, and the step is counted each time");
		bitactor_result_t result;
		open_timed(1000000000, 8, 0, 0);
		probe.counts = UINT64_C(10000000000);
		CHECK_EQ(tick_counts(-UINT64_C(1600000000), &result), BITACTOR_OK);
		CHECK_EQ(result.spent_counts, 0);
		CHECK_EQ(result.spent_ticks, 0);
		CHECK_EQ(probe_stats(probe.engine).clock_backward, 1);
		probe_send(probe.engine, 1, -UINT64_C(1600000000));
		CHECK_EQ(probe_drain(probe.engine, 10), 1);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.clock_backward, 2);
		CHECK_EQ(stats.overruns, 0);
		CHECK_EQ(stats.batch_overruns, 0);
		CHECK_EQ(tick_counts(100, &result), BITACTOR_OK); /* and it goes on */
		CHECK_EQ(result.spent_counts, 100);
		probe_close(&probe);
	}
}

/* Ten signals of kind 1 that take `counts` each, and `others` of a kind nobody has. */
static void
send_ten(uint64_t counts, uint32_t others)
{
	for (int i = 0; i < 10; i++)
		probe_send(probe.engine, 1, counts);
	for (uint32_t i = 0; i < others; i++)
		probe_send(probe.engine, 5, 0);
	CHECK_EQ(probe_drain(probe.engine, 1000), 10 + others);
}

static void
test_batches(void)
{
	SCENARIO("a batch is judged as one; after an overrun each by itself") {
		GIVEN("budgets of 8 counts, ten dispatches a batch");
		WHEN("they take 80 together, then 90, then 1024 more follow, then ten");
		THEN("no overrun; a batch overrun; 1024 timed singly; batches again");
		uint64_t counts, samples = 99;
		open_timed(24000000, 8, 0, 0);
		bitactor_engine_t *engine = probe.engine;
		send_ten(8, 0);
		probe_send(engine, 1, 79); /* one may take more when the others take less */
		for (int i = 0; i < 9; i++)
			probe_send(engine, 1, 0);
		CHECK_EQ(probe_drain(engine, 1000), 10);
		CHECK_EQ(probe_stats(engine).batch_overruns, 0);
		CHECK_EQ(bitactor_latency(engine, 500000, &counts, &samples), BITACTOR_EMPTY);
		CHECK_EQ(samples, 0);

		send_ten(9, 0);
		CHECK_EQ(probe_stats(engine).batch_overruns, 1);
		CHECK_EQ(probe_stats(engine).overruns, 0);
		for (uint64_t i = 0; i < 1024; i++)
			probe_send(engine, 1, i % 16);
		CHECK_EQ(bitactor_drain(engine, 2000, NULL), BITACTOR_OK);
		bitactor_stats_t stats = probe_stats(engine);
		CHECK_EQ(stats.batch_overruns, 1);
		CHECK_EQ(stats.overruns, 1024 / 16 * 7); /* 9 to 15 */
		CHECK_EQ(bitactor_latency(engine, 1000000, &counts, &samples), BITACTOR_OK);
		CHECK_EQ(counts, 15);
		CHECK_EQ(samples, 1024);

		send_ten(1000, 0);
		stats = probe_stats(engine);
		CHECK_EQ(stats.batch_overruns, 2);
		CHECK_EQ(stats.overruns, 1024 / 16 * 7);
		probe_close(&probe);
	}
}

static void
test_rejected_have_no_budget(void)
{
	SCENARIO("a signal that nobody takes gives a batch no budget") {
		GIVEN("ten dispatches that take 90 counts of 80, and one to three rejected ones");
		WHEN("they come in one batch");
		THEN("the batch is over its budget all the same");
		for (uint32_t others = 1; others <= 3; others++) {
			open_timed(24000000, 8, 0, 0);
			send_ten(9, others);
			CHECK_EQ(probe_stats(probe.engine).batch_overruns, 1);
			probe_close(&probe);
		}
		open_timed(24000000, 8, 0, 0);
		CHECK_EQ(bitactor_register(probe.engine, 5, take_counts, &probe), BITACTOR_OK);
		CHECK_EQ(bitactor_unregister(probe.engine, 5), BITACTOR_OK);
		send_ten(9, 1);
		CHECK_EQ(probe_stats(probe.engine).batch_overruns, 1);
		probe_close(&probe);
	}
}

static void
test_each(uint32_t flags, uint32_t handler_flags)
{
	SCENARIO(flags != 0 ? "TIME_EACH times each dispatch" : "EXACT times each of its kind") {
		GIVEN("budgets of 8 counts");
		WHEN("ten take 0 to 9, in one turn");
		THEN("nine are within, one is over, and the median is 4");
		uint64_t counts = 0, samples = 0;
		open_timed(24000000, 8, flags, handler_flags);
		for (uint64_t i = 0; i < 10; i++)
			probe_send(probe.engine, 1, i);
		CHECK_EQ(bitactor_drain(probe.engine, 100, NULL), BITACTOR_OK);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.overruns, 1);
		CHECK_EQ(stats.batch_overruns, 0);
		CHECK_EQ(bitactor_latency(probe.engine, 500000, &counts, &samples), BITACTOR_OK);
		CHECK_EQ(counts, 4);
		CHECK_EQ(samples, 10);
		probe_close(&probe);
	}
}

/* A sink that is slow, by the engine's own counter. */
static bitactor_status_t
slow_sink(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from, uint32_t to,
          bool sealed)
{
	(void)segment, (void)bytes, (void)from, (void)to, (void)sealed;
	((probe_t *)context)->counts += 1000000;
	return BITACTOR_OK;
}

static void
test_recorder_is_not_billed(uint32_t flags)
{
	SCENARIO(flags != 0 ? "no handler pays for the recorder, timed singly"
	                    : "no handler pays for the recorder, in a batch") {
		GIVEN("a sink that takes a million counts, and handlers that take none");
		WHEN("20,000 signals with fields fill segment after segment");
		THEN("the sink was called, and nobody was over budget");
		probe_config(&probe);
		probe_counter(&probe, 24000000);
		probe_clock(&probe);
		probe.sink         = (bitactor_sink_t){ .context = &probe, .take = slow_sink };
		probe.config.sink  = &probe.sink;
		probe.config.flags = flags;
		probe_open(&probe);
		CHECK_EQ(bitactor_register(probe.engine, 1, take_counts, &probe), BITACTOR_OK);
		for (uint32_t i = 0; i < 20000; i++) {
			bitactor_signal_t signal = { .kind = 1, .id = i };
			CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_OK);
			if (i % 50 == 0)
				(void)probe_drain(probe.engine, 64);
		}
		(void)probe_drain(probe.engine, 64);
		CHECK(probe.counts >= 10 * 1000000);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.dispatched, 20000);
		CHECK_EQ(stats.overruns, 0);
		CHECK_EQ(stats.batch_overruns, 0);
		probe_close(&probe);
	}
}

/* Median time of a dispatch behind `others` rejected signals, by the real counter. */
static uint64_t
median_behind(uint32_t others)
{
	uint64_t counts = 0;
	probe_config(&probe);
	probe.config.flags = BITACTOR_TIME_EACH;
	probe_open(&probe);
	CHECK_EQ(bitactor_register(probe.engine, 1, probe_see, &seen), BITACTOR_OK);
	for (int round = 0; round < 1000; round++) {
		for (uint32_t i = 0; i < others; i++) {
			bitactor_signal_t stranger = { .kind = 200, .id = i, .context = i };
			CHECK_EQ(bitactor_enqueue(probe.engine, &stranger), BITACTOR_OK);
		}
		probe_send(probe.engine, 1, 0);
		CHECK_EQ(bitactor_drain(probe.engine, 64, NULL), BITACTOR_OK);
	}
	CHECK_EQ(bitactor_latency(probe.engine, 500000, &counts, NULL), BITACTOR_OK);
	probe_close(&probe);
	return counts;
}

static void
test_rejected_are_not_billed(void)
{
	SCENARIO("a handler does not pay for the signals rejected before it") {
		GIVEN("the machine's counter, every dispatch timed by itself");
		WHEN("a dispatch comes alone, and behind 63 that are rejected, 1000 times");
		THEN("its median time is about the same, not that of 63 rejections more");
		uint64_t alone = median_behind(0), behind = median_behind(63);
		printf("     (%" PRIu64 " and %" PRIu64 " counts)\n", alone, behind);
		CHECK(behind <= 8 * alone + 64);
	}
}

/* ---- quantiles ------------------------------------------------------- */

enum { SAMPLES = 5000 };

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void
test_quantiles(uint64_t *random)
{
	static const uint32_t ppms[] = { 0, 1, 10000, 250000, 500000, 900000, 990000, 999000,
		                         999900, 1000000 };
	SCENARIO("quantiles of single dispatches") {
		GIVEN("5000 dispatches of known length, from 0 to 2^40 counts");
		WHEN("quantiles are asked for");
		THEN("each is the exact one or above it, by no more than 1/32; the last is exact");
		static uint64_t lengths[SAMPLES];
		open_timed(1000000000, 8, 0, 0);
		for (int i = 0; i < SAMPLES; i++) {
			lengths[i] = probe_random(random) >> (24 + probe_random(random) % 40);
			(void)tick_counts(lengths[i], NULL);
		}
		qsort(lengths, SAMPLES, sizeof *lengths, by_value);
		for (size_t i = 0; i < sizeof ppms / sizeof *ppms; i++) {
			uint64_t counts = 0, samples = 0;
			uint64_t rank = ((uint64_t)ppms[i] * SAMPLES + 999999) / 1000000;
			uint64_t exact = lengths[rank > 0 ? rank - 1 : 0];
			CHECK_EQ(bitactor_latency(probe.engine, ppms[i], &counts, &samples),
			         BITACTOR_OK);
			CHECK_EQ(samples, SAMPLES);
			CHECK(counts >= exact);
			CHECK(counts <= exact + exact / 32);
			if (ppms[i] == 1000000)
				CHECK_EQ(counts, exact);
		}
		bitactor_kind_stats_t kind;
		CHECK_EQ(bitactor_kind_stats(probe.engine, 1, &kind), BITACTOR_OK);
		CHECK_EQ(kind.max_counts, lengths[SAMPLES - 1]);
		probe_close(&probe);
	}
}

int
main(int argc, char **argv)
{
	uint64_t random = probe_seed(argc, argv);
	test_signal_and_answer();
	test_transaction();
	test_emit_full();
	test_sending_from_inside();
	test_output_limit();
	test_table();
	test_unregister_is_a_barrier();
	test_random();
	test_random_parts();
	test_now(2);
	test_now(0);
	test_same_time_same_verdict();
	test_default_budgets();
	test_unknown_rate(0);
	test_unknown_rate(BITACTOR_TICK_RAW);
	test_backward();
	test_batches();
	test_rejected_have_no_budget();
	test_each(BITACTOR_TIME_EACH, 0);
	test_each(0, BITACTOR_HANDLER_EXACT);
	test_recorder_is_not_billed(0);
	test_recorder_is_not_billed(BITACTOR_TIME_EACH);
	test_rejected_are_not_billed();
	test_quantiles(&random);
	return bdd_close();
}
