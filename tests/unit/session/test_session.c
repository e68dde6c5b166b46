/* SPDX-License-Identifier: Apache-2.0 */
/* test_session.c -- the loop, driven by a script in the place of a source.
 *
 *      script    what each poll answers; its data is spoilt at the next poll
 *      engine    the real one, with a sink that keeps what it gets
 *      seen      what handlers saw, in order: the model is what was sent
 */
#include <bitactor/session.h>

#include "engine_probe.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- a source that follows a script -------------------------------------------------- */

enum { DATA_MOST = 64, SCRIPT_ITEMS = 6000, SCRIPT_STEPS = 4000 };

typedef enum what {
	SEND,        /* `count` items                                           */
	NOTHING,     /* EMPTY, and when asked to wait the next step comes       */
	INTERRUPTED, /* EMPTY, and when asked to wait EMPTY again; then the next */
	END          /* `status`                                                */
} what_t;

typedef struct step {
	what_t   what;
	uint32_t count;
	uint64_t max;
	bool     as_tick, own_array, as_stop, drain;
	bitactor_status_t status;
} step_t;

typedef struct script {
	step_t   steps[SCRIPT_STEPS];
	uint32_t step_count, at;
	bitactor_item_t items[SCRIPT_ITEMS]; /* of all steps, in order */
	uint8_t         data[SCRIPT_ITEMS][DATA_MOST];
	uint32_t item_count, sent;
	uint8_t  lent[SCRIPT_ITEMS][DATA_MOST]; /* what the session gets to see */
	bitactor_item_t lent_items[SCRIPT_ITEMS];
	uint64_t polls, waits;
	volatile sig_atomic_t *stop_in_wait;
} script_t;

static bitactor_status_t
script_send(script_t *script, const step_t *step, bitactor_batch_t *batch)
{
	if (step->own_array)
		batch->items = script->lent_items;
	else
		CHECK(step->count <= batch->capacity);
	memset(script->lent, 0xEE, sizeof script->lent[0] * script->sent);
	for (uint32_t i = 0; i < step->count; i++, script->sent++) {
		batch->items[i] = script->items[script->sent];
		memcpy(script->lent[script->sent], script->data[script->sent], DATA_MOST);
		batch->items[i].data = script->lent[script->sent];
	}
	batch->count   = step->count;
	batch->max     = step->max;
	batch->as_tick = step->as_tick;
	batch->as_stop = step->as_stop;
	batch->drain   = step->drain;
	return BITACTOR_OK;
}

static bitactor_status_t
script_poll(void *context, bitactor_batch_t *batch, bool may_wait, bitactor_error_t *error)
{
	script_t *script = context;
	script->polls++;
	CHECK_EQ(batch->count, 0);
	CHECK_EQ(batch->max, 0);
	CHECK(!batch->as_tick);
	CHECK(!batch->as_stop);
	CHECK_EQ(batch->capacity, BITACTOR_BATCH_ITEMS);
	if (script->at == script->step_count)
		return BITACTOR_CLOSED;
	step_t *step = &script->steps[script->at];
	if (step->what == NOTHING && may_wait)
		step = ++script->at == script->step_count ? NULL : &script->steps[script->at];
	script->waits += may_wait;
	if (step == NULL)
		return BITACTOR_CLOSED;
	if (may_wait && script->stop_in_wait != NULL)
		*script->stop_in_wait = 1;
	if (step->what == NOTHING || step->what == INTERRUPTED) {
		batch->max = 99; /* a sloppy source: nothing of this counts */
		batch->as_tick = batch->as_stop = true;
		script->at += step->what == INTERRUPTED && may_wait;
		return BITACTOR_EMPTY;
	}
	script->at++;
	if (step->what == SEND)
		return script_send(script, step, batch);
	if (step->status == BITACTOR_CLOSED)
		return BITACTOR_CLOSED;
	return bitactor_error_set(error, step->status, 0, "as the script says");
}

static void
add_step(script_t *script, step_t step)
{
	if (script->step_count < SCRIPT_STEPS)
		script->steps[script->step_count++] = step;
}

/* The items that the next step sends: add them first. */
static bitactor_item_t *
add_item(script_t *script, uint16_t kind, uint64_t payload)
{
	bitactor_item_t *item = &script->items[script->item_count++];
	*item = (bitactor_item_t){ .signal = { .kind = kind, .payload = payload } };
	return item;
}

static void
add_items(script_t *script, uint16_t kind, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		(void)add_item(script, kind, script->item_count);
}

/* ---- handlers ------------------------------------------------------------------------ */

enum { KIND_SEE, KIND_EMIT, KIND_ENDLESS, KIND_STATUS, KIND_STOP, KIND_NESTED, KINDS };

typedef struct world {
	probe_t      probe;
	script_t     script;
	bitactor_session_t session;
	bitactor_error_t   error;
	volatile sig_atomic_t stop;

	uint32_t seen;
	uint64_t outside[SCRIPT_ITEMS]; /* payloads of KIND_SEE, as they came */
	uint32_t wrong_data;
	uint64_t emitted;               /* seen of those that were emitted    */
	uint64_t dispatched;
	uint64_t stop_at;               /* dispatches; 0: never               */
	bool     no_sink_check;

	uint64_t turns, waits;          /* callbacks                          */
	uint64_t most_in_turn, before_turn;
	uint64_t fail_turn, fail_wait;  /* the call that fails, from 1        */
	bitactor_status_t fail_with;
	bool     stop_in_before_wait;
} world_t;

static void
count_dispatch(world_t *world)
{
	if (++world->dispatched == world->stop_at)
		world->stop = 1;
}

static bitactor_status_t
on_see(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	world_t *world = state;
	count_dispatch(world);
	if (signal->flags == 7) { /* an emitted one */
		world->emitted++;
		return BITACTOR_OK;
	}
	if (world->seen < SCRIPT_ITEMS)
		world->outside[world->seen++] = signal->payload;
	const uint8_t *data = bitactor_turn_data(turn);
	for (uint32_t i = 0; i < signal->data_bytes; i++)
		world->wrong_data += data == NULL || data[i] != (uint8_t)(signal->payload * 7 + i);
	return BITACTOR_OK;
}

/* Seen, and emits `context` children. */
static bitactor_status_t
on_emit(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t child = { .kind = KIND_SEE, .flags = 7 };
	bitactor_status_t status = on_see(turn, signal, state);
	for (uint64_t i = 0; i < signal->context && status == BITACTOR_OK; i++)
		status = bitactor_emit(turn, &child);
	return status;
}

static bitactor_status_t
on_endless(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	count_dispatch(state);
	return bitactor_emit(turn, signal);
}

static bitactor_status_t
on_status(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn;
	count_dispatch(state);
	return (bitactor_status_t)signal->payload;
}

/* A session inside a handler of the same engine. */
static bitactor_status_t
on_nested(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	world_t *world = state;
	static script_t inner;
	memset(&inner, 0, sizeof inner);
	add_items(&inner, KIND_SEE, 1);
	add_step(&inner, (step_t){ .what = SEND, .count = 1, .as_tick = true });
	bitactor_session_t session = { .engine = world->probe.engine,
		                       .source = { &inner, script_poll } };
	CHECK_EQ(bitactor_session_run(&session, NULL), BITACTOR_REENTRANT);
	return BITACTOR_OK;
}

/* ---- callbacks ----------------------------------------------------------------------- */

/* The compared records that the sink has. */
static uint64_t
records_in_sink(const probe_sink_t *kept)
{
	uint64_t count = 0;
	for (uint64_t k = 0; k < kept->segments; k++) {
		bitactor_record_t record;
		for (uint32_t at = BITACTOR_HEADER_BYTES;
		     bitactor_record_read(kept->segment[k], 0, at, kept->have[k], false, &record,
		                          NULL) == BITACTOR_OK;
		     at += record.bytes)
			count += bitactor_record_is_compared(&record);
	}
	return count;
}

static bitactor_status_t
after_turn(void *context, bitactor_error_t *error)
{
	world_t *world = context;
	bitactor_stats_t stats = probe_stats(world->probe.engine);
	world->turns++;
	bool by_stop = !bitactor_is_ready(world->probe.engine); /* all turns of it at once */
	CHECK(by_stop || stats.turns == world->turns);
	uint64_t done = stats.dispatched + stats.rejected - world->before_turn;
	if (done > world->most_in_turn && !by_stop)
		world->most_in_turn = done;
	world->before_turn += done;
	if (!world->no_sink_check && world->turns % 64 == 1)
		CHECK_EQ(records_in_sink(&world->probe.kept), stats.records);
	return world->turns == world->fail_turn
	               ? bitactor_error_set(error, world->fail_with, 0, "after_turn")
	               : BITACTOR_OK;
}

static bitactor_status_t
before_wait(void *context, bitactor_error_t *error)
{
	world_t *world = context;
	world->waits++;
	if (!world->session.exact_turns)
		CHECK_EQ(bitactor_pending_count(world->probe.engine), 0);
	CHECK_EQ(world->stop, 0);
	if (world->stop_in_before_wait)
		world->stop = 1;
	return world->waits == world->fail_wait
	               ? bitactor_error_set(error, world->fail_with, 0, "before_wait")
	               : BITACTOR_OK;
}

/* ---- a world ------------------------------------------------------------------------- */

/* Change world->probe.config in between. */
static world_t *
world_begin(void)
{
	world_t *world = calloc(1, sizeof *world);
	if (world == NULL)
		exit(1);
	probe_config(&world->probe);
	world->probe.config.kinds = 16;
	world->probe.config.flags = BITACTOR_VIRTUAL;
	probe_clock(&world->probe);
	probe_sink(&world->probe);
	return world;
}

static void
world_open(world_t *world)
{
	static const bitactor_handler_fn handlers[] = { on_see,    on_emit, on_endless,
		                                        on_status, on_see,  on_nested };
	probe_open(&world->probe);
	for (uint16_t kind = 0; kind < KINDS; kind++)
		CHECK_EQ(bitactor_register(world->probe.engine, kind, handlers[kind], world),
		         BITACTOR_OK);
	world->session = (bitactor_session_t){
		.engine      = world->probe.engine,
		.source      = { .context = &world->script, .poll = script_poll },
		.stop        = &world->stop,
		.after_turn  = after_turn,
		.before_wait = before_wait,
		.context     = world,
	};
}

static bitactor_status_t
world_run(world_t *world)
{
	memset(&world->error, 0, sizeof world->error);
	bitactor_status_t status = bitactor_session_run(&world->session, &world->error);
	CHECK_EQ(world->error.status, status);
	CHECK_EQ(world->wrong_data, 0);
	return status;
}

static void
world_end(world_t *world)
{
	probe_close(&world->probe);
	free(world);
}

/* KIND_SEE's payloads came in the order of the script, `count` of them. */
static void
check_order(const world_t *world, uint32_t count)
{
	uint32_t expected = 0, wrong = 0;
	CHECK_EQ(world->seen, count);
	for (uint32_t i = 0; i < world->seen; i++) {
		while (expected < world->script.item_count &&
		       (world->script.items[expected].signal.kind > KIND_EMIT ||
		        world->script.items[expected].signal.reserved != 0 ||
		        world->script.items[expected].signal.data_bytes > DATA_MOST))
			expected++;
		wrong += world->outside[i] != world->script.items[expected].signal.payload;
		expected++;
	}
	CHECK_EQ(wrong, 0);
}

/* ---- nothing lost, nothing reordered ------------------------------------------------- */

typedef struct sums {
	uint32_t valid, refused, rejected, emits, waits;
} sums_t;

static void
random_item(script_t *script, uint64_t *seed, sums_t *sums)
{
	uint64_t draw = probe_random(seed);
	uint32_t i    = script->item_count;
	bitactor_item_t *item = add_item(script, KIND_SEE, i);

	if (draw % 16 == 0) { /* can never be right */
		item->signal.reserved = 1;
		sums->refused++;
		return;
	}
	if (draw % 16 == 1) {
		item->signal.kind = 9; /* nobody is registered */
		sums->rejected++;
		return;
	}
	sums->valid++;
	if (draw % 16 < 6) {
		item->signal.data_bytes = 1 + (uint32_t)(draw >> 8) % DATA_MOST;
		for (uint32_t at = 0; at < DATA_MOST; at++)
			script->data[i][at] = (uint8_t)(i * 7 + at);
	} else if (draw % 16 < 9) {
		item->signal.kind    = KIND_EMIT;
		item->signal.context = draw >> 8 & 3;
		sums->emits += (uint32_t)item->signal.context;
	}
}

static void
random_script(script_t *script, uint64_t *seed, uint32_t items, sums_t *sums)
{
	memset(sums, 0, sizeof *sums);
	while (script->item_count < items) {
		uint64_t draw = probe_random(seed);
		step_t   step = { .what = draw % 8 == 0 ? NOTHING : SEND };
		if (step.what == NOTHING) {
			sums->waits++;
			add_step(script, step);
			add_step(script, (step_t){ .what = SEND }); /* 0 items, after the wait */
			continue;
		}
		step.own_array = (draw >> 8) % 4 == 0;
		step.count     = (uint32_t)(draw >> 16) % (step.own_array ? 700 : 257);
		if ((draw >> 12) % 4 != 0)
			step.count %= 9;
		if (step.count > items - script->item_count)
			step.count = items - script->item_count;
		step.max = (draw >> 40) % 3 == 0 ? 1 + (draw >> 42) % 20 : 0;
		for (uint32_t i = 0; i < step.count; i++)
			random_item(script, seed, sums);
		add_step(script, step);
	}
}

static void
test_random(uint64_t seed)
{
	SCENARIO("whatever a source sends is handled once, in order, and what that emits too") {
		GIVEN("queues from 2 slots up, few blocks for data, random batches and waits");
		uint64_t rounds = probe_scale(300);
		for (uint64_t round = 0; round < rounds && bdd_broken == 0; round++) {
			world_t *world = world_begin();
			world->probe.config.queue_slots = 2u << probe_random(&seed) % 8;
			world->probe.config.data_blocks = 1 + (uint32_t)(probe_random(&seed) % 40);
			world->probe.config.emit_slots  = 4096; /* none is refused */
			world_open(world);
			sums_t sums;
			random_script(&world->script, &seed, 3000, &sums);
			WHEN("the session runs until the source is closed");
			CHECK_EQ(world_run(world), BITACTOR_OK);
			THEN("all of it adds up");
			check_order(world, sums.valid);
			CHECK_EQ(world->emitted, sums.emits);
			CHECK_EQ(world->session.offered, 3000);
			CHECK_EQ(world->session.refused, sums.refused);
			CHECK_EQ(world->waits, sums.waits);
			CHECK(!world->session.stopped);
			bitactor_stats_t stats = probe_stats(world->probe.engine);
			CHECK_EQ(stats.queued, 0);
			CHECK_EQ(stats.rejected, sums.rejected);
			CHECK_EQ(stats.turns, world->turns);
			CHECK(world->most_in_turn <= BITACTOR_MAX_SIGNALS);
			world_end(world);
		}
	}
}

static void
test_large_batch(void)
{
	SCENARIO("a batch of thousands goes through a queue of 16 slots") {
		world_t *world = world_begin();
		world->probe.config.queue_slots = 16;
		world_open(world);
		GIVEN("5,000 items in the source's own array");
		add_items(&world->script, KIND_SEE, 5000);
		add_step(&world->script,
		         (step_t){ .what = SEND, .count = 5000, .own_array = true });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("all came, in order, in turns of a queueful");
		check_order(world, 5000);
		CHECK_EQ(world->most_in_turn, 16);
		CHECK_EQ(world->session.refused, 0);
		world_end(world);
	}
	SCENARIO("a signal with data that the engine has no block for does not hang") {
		world_t *world = world_begin();
		world->probe.config.data_blocks = 0;
		world_open(world);
		add_items(&world->script, KIND_SEE, 3);
		world->script.items[1].signal.data_bytes = 8;
		add_step(&world->script, (step_t){ .what = SEND, .count = 3 });
		WHEN("it is the second of three");
		THEN("the session ends and says so; the first was handled");
		CHECK_EQ(world_run(world), BITACTOR_FULL);
		CHECK(strstr(world->error.text, "blocks for data") != NULL);
		CHECK_EQ(world->seen, 1);
		world_end(world);
	}
}

/* ---- somebody else sends, too -------------------------------------------------------- */

/* It is met while it copies data: the page it reads from is not there until it has
 * waited for a moment in the fault. */
typedef struct other {
	bitactor_engine_t *engine;
	uint8_t     *page;
	_Atomic bool holds; /* the block, and has not sent it */
} other_t;

static other_t other;

static void
on_fault(int signal_number)
{
	(void)signal_number;
	const struct timespec moment = { .tv_nsec = 300000 };
	/* release: pairs with the acquire in test_other */
	atomic_store_explicit(&other.holds, true, memory_order_release);
	(void)nanosleep(&moment, NULL);
	if (mprotect(other.page, 4096, PROT_READ | PROT_WRITE) != 0)
		_exit(1);
}

static void *
other_main(void *context)
{
	const bitactor_signal_t signal = { .kind = KIND_SEE, .flags = 7 };
	(void)context;
	CHECK_EQ(bitactor_enqueue_data(other.engine, &signal, other.page, DATA_MOST), BITACTOR_OK);
	return NULL;
}

static void
test_other(void)
{
	SCENARIO("room that another producer holds, and has not sent yet, is waited for") {
		GIVEN("one block for data, and a thread that stays in the middle of taking it");
		world_t *world = world_begin();
		world->probe.config.data_blocks = 1;
		world_open(world);
		other.engine = world->probe.engine;
		other.page   = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(other.page != MAP_FAILED);
		struct sigaction fault = { .sa_handler = on_fault }, before;
		sigemptyset(&fault.sa_mask);
		CHECK_EQ(sigaction(SIGSEGV, &fault, &before), 0);
		pthread_t thread;
		CHECK_EQ(pthread_create(&thread, NULL, other_main, NULL), 0);
		/* acquire: pairs with the release in on_fault */
		while (!atomic_load_explicit(&other.holds, memory_order_acquire))
			(void)sched_yield();
		WHEN("the session has one with data, too");
		add_item(&world->script, KIND_SEE, 0)->signal.data_bytes = 8;
		for (uint8_t i = 0; i < 8; i++)
			world->script.data[0][i] = i;
		add_step(&world->script, (step_t){ .what = SEND, .count = 1 });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("both are handled");
		CHECK_EQ(pthread_join(thread, NULL), 0);
		CHECK_EQ(world->emitted, 1);
		check_order(world, 1);
		CHECK_EQ(sigaction(SIGSEGV, &before, NULL), 0);
		CHECK_EQ(munmap(other.page, 4096), 0);
		world_end(world);
	}
}

/* ---- refused ------------------------------------------------------------------------- */

static void
test_refused(void)
{
	SCENARIO("signals that can never be right are counted and passed over") {
		world_t *world = world_begin();
		world_open(world);
		script_t *script = &world->script;
		GIVEN("a reserved kind, a reserved field, too much data, between good ones");
		add_items(script, KIND_SEE, 1);
		(void)add_item(script, 0xFF00, 1);
		add_item(script, KIND_SEE, 2)->signal.reserved = 1;
		add_item(script, KIND_SEE, 3)->signal.data_bytes = DATA_MOST + 1;
		add_items(script, KIND_SEE, 2);
		add_step(script, (step_t){ .what = SEND, .count = 6 });
		AND("the same for ticks: a reserved kind, and data, which a tick cannot have");
		(void)add_item(script, 0xFFFF, 1);
		add_step(script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
		add_item(script, KIND_SEE, 1000)->signal.data_bytes = 65;
		add_step(script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("the good ones were handled and five were refused");
		check_order(world, 3);
		CHECK_EQ(world->session.offered, 8);
		CHECK_EQ(world->session.refused, 5);
		CHECK_EQ(world->turns, 1);
		world_end(world);
	}
}

/* ---- ticks --------------------------------------------------------------------------- */

static void
test_ticks(void)
{
	SCENARIO("a batch that says as_tick is a call of bitactor_tick") {
		world_t *world = world_begin();
		world->probe.config.queue_slots = 4;
		world_open(world);
		script_t *script = &world->script;
		GIVEN("two queued, of which the first turn takes one, and then a tick");
		add_items(script, KIND_SEE, 2);
		add_step(script, (step_t){ .what = SEND, .count = 2, .max = 1 });
		add_items(script, KIND_SEE, 1);
		add_step(script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
		add_step(script, (step_t){ .what = SEND });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("the tick is handled ahead of what is queued, in a turn of its own");
		CHECK_EQ(world->seen, 3);
		CHECK_EQ(world->outside[0], 0);
		CHECK_EQ(world->outside[1], 2);
		CHECK_EQ(world->outside[2], 1);
		CHECK_EQ(world->turns, 3);
		CHECK_EQ(world->most_in_turn, 1);
		world_end(world);
	}
}

static void
test_tick_answers(void)
{
	SCENARIO("what the handler of a tick answers is its own affair") {
		world_t *world = world_begin();
		world_open(world);
		script_t *script = &world->script;
		GIVEN("ticks whose handler answers every status there is, and one for nobody");
		for (uint64_t status = 0; status <= BITACTOR_STUCK; status++) {
			(void)add_item(script, KIND_STATUS, status);
			add_step(script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
		}
		(void)add_item(script, 9, 0);
		add_step(script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("each was a turn, and none was refused");
		CHECK_EQ(world->dispatched, BITACTOR_STUCK + 1);
		CHECK_EQ(world->turns, BITACTOR_STUCK + 2);
		CHECK_EQ(world->session.refused, 0);
		CHECK_EQ(probe_stats(world->probe.engine).failed, BITACTOR_STUCK);
		CHECK_EQ(probe_stats(world->probe.engine).rejected, 1);
		world_end(world);
	}
	SCENARIO("a tick that takes longer than its budget is a tick like any other") {
		world_t *world = world_begin();
		probe_counter(&world->probe, BITACTOR_TICK_HZ);
		world->probe.counts_step = 1000;
		world_open(world);
		add_items(&world->script, KIND_SEE, 2);
		for (int i = 0; i < 2; i++)
			add_step(&world->script,
			         (step_t){ .what = SEND, .count = 1, .as_tick = true });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		CHECK_EQ(probe_stats(world->probe.engine).overruns, 2);
		check_order(world, 2);
		CHECK_EQ(world->session.refused, 0);
		world_end(world);
	}
	SCENARIO("two items are no tick, whatever the batch says") {
		world_t *world = world_begin();
		world_open(world);
		add_items(&world->script, KIND_SEE, 2);
		add_step(&world->script, (step_t){ .what = SEND, .count = 2, .as_tick = true });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		check_order(world, 2);
		CHECK_EQ(world->turns, 1);
		world_end(world);
	}
}

/* ---- turns --------------------------------------------------------------------------- */

static void
test_max(void)
{
	SCENARIO("a turn has at most `max` dispatches, and the rest comes later") {
		world_t *world = world_begin();
		world_open(world);
		script_t *script = &world->script;
		GIVEN("10 signals that emit 3 each, in turns of 4, then the source closes");
		for (int i = 0; i < 10; i++)
			add_item(script, KIND_EMIT, (uint64_t)i)->signal.context = 3;
		add_step(script, (step_t){ .what = SEND, .count = 10, .max = 4 });
		add_step(script, (step_t){ .what = SEND, .max = 4 });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("two turns of four, and one that works off all the rest");
		CHECK_EQ(world->turns, 3);
		CHECK_EQ(world->most_in_turn, 32);
		CHECK_EQ(world->emitted, 30);
		check_order(world, 10);
		world_end(world);
	}
	SCENARIO("with exact turns nothing is dispatched that the source did not ask for") {
		world_t *world = world_begin();
		world_open(world);
		world->session.exact_turns = true;
		GIVEN("5 signals and a turn of 3, a wait, and the end");
		add_items(&world->script, KIND_SEE, 5);
		add_step(&world->script, (step_t){ .what = SEND, .count = 5, .max = 3 });
		add_step(&world->script, (step_t){ .what = INTERRUPTED });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("two are still queued");
		CHECK_EQ(world->seen, 3);
		CHECK_EQ(world->turns, 1);
		CHECK_EQ(bitactor_pending_count(world->probe.engine), 2);
		world_end(world);
	}
}

/* An exact session that meets `item` when the queue of 4 holds `before`. */
static void
check_exact(const bitactor_item_t *item, uint32_t before, bool as_tick, const char *word)
{
	world_t *world = world_begin();
	world->probe.config.queue_slots = 4;
	world_open(world);
	world->session.exact_turns = true;
	add_items(&world->script, KIND_SEE, before);
	world->script.items[world->script.item_count++] = *item;
	add_step(&world->script, (step_t){ .what = SEND, .count = before + 1, .as_tick = as_tick });
	CHECK_EQ(world_run(world), BITACTOR_CORRUPT);
	CHECK(strstr(world->error.text, word) != NULL);
	CHECK_EQ(world->seen, 0);
	CHECK_EQ(world->session.refused, 0);
	world_end(world);
}

static void
test_exact(void)
{
	SCENARIO("with exact turns an engine that takes something else is an error") {
		bitactor_item_t good     = { .signal = { .kind = KIND_SEE } };
		bitactor_item_t reserved = { .signal = { .kind = 0xFF00 } };
		GIVEN("a signal too many, a wrong one, a wrong one as a tick");
		check_exact(&good, 4, false, "FULL");
		check_exact(&reserved, 2, false, "INVALID_SIGNAL");
		check_exact(&reserved, 0, true, "INVALID_SIGNAL");
		AND("a turn for which nothing is there");
		world_t *world = world_begin();
		world_open(world);
		world->session.exact_turns = true;
		add_step(&world->script, (step_t){ .what = SEND, .max = 1 });
		world->session.after_turn = before_wait; /* counts, asks nothing of turns */
		CHECK_EQ(world_run(world), BITACTOR_CORRUPT);
		THEN("whoever compares is asked first");
		CHECK_EQ(world->waits, 1);
		CHECK(strstr(world->error.text, "nothing to dispatch") != NULL);
		world_end(world);

		world = world_begin();
		world_open(world);
		world->session.exact_turns = true;
		world->session.after_turn  = before_wait;
		world->fail_wait = 1;
		world->fail_with = BITACTOR_STALE;
		add_step(&world->script, (step_t){ .what = SEND, .max = 1 });
		CHECK_EQ(world_run(world), BITACTOR_STALE);
		world_end(world);
	}
}

/* ---- stop ---------------------------------------------------------------------------- */

static void
test_stop(void)
{
	SCENARIO("stop that is set before is never too late") {
		world_t *world = world_begin();
		world_open(world);
		add_items(&world->script, KIND_SEE, 1);
		add_step(&world->script, (step_t){ .what = SEND, .count = 1 });
		world->stop = 15;
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("the source was not asked");
		CHECK_EQ(world->script.polls, 0);
		CHECK(world->session.stopped);
		WHEN("it is taken back, and the session runs again");
		world->stop = 0;
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("it is a new one");
		CHECK(!world->session.stopped);
		check_order(world, 1);
		CHECK_EQ(world->session.offered, 1);
		CHECK_EQ(world_run(world), BITACTOR_OK);
		CHECK_EQ(world->session.offered, 0);
		world_end(world);
	}
	SCENARIO("stop in the middle ends the loop between turns; the batch it met is admitted") {
		world_t *world = world_begin();
		world->probe.config.queue_slots = 4;
		world_open(world);
		GIVEN("two batches of ten, and stop set while the second signal is handled");
		add_items(&world->script, KIND_SEE, 20);
		add_step(&world->script, (step_t){ .what = SEND, .count = 10 });
		add_step(&world->script, (step_t){ .what = SEND, .count = 10 });
		world->stop_at = 2;
		CHECK_EQ(world_run(world), BITACTOR_OK);
		THEN("the first batch was taken to its end, the second was not asked for");
		check_order(world, 10);
		CHECK_EQ(world->script.polls, 1);
		CHECK(world->session.stopped);
		CHECK_EQ(world->session.offered, 10);
		world_end(world);
	}
}

static void
test_stop_waiting(void)
{
	SCENARIO("stop during a wait, or just before it, ends the wait") {
		world_t *world = world_begin();
		world_open(world);
		add_step(&world->script, (step_t){ .what = INTERRUPTED });
		add_step(&world->script, (step_t){ .what = END, .status = BITACTOR_ERROR });
		world->script.stop_in_wait = &world->stop;
		CHECK_EQ(world_run(world), BITACTOR_OK);
		CHECK_EQ(world->script.polls, 2);
		CHECK_EQ(world->script.waits, 1);
		CHECK(world->session.stopped);
		world_end(world);

		world = world_begin();
		world_open(world);
		add_step(&world->script, (step_t){ .what = NOTHING });
		add_step(&world->script, (step_t){ .what = END, .status = BITACTOR_ERROR });
		world->stop_in_before_wait = true;
		CHECK_EQ(world_run(world), BITACTOR_OK);
		CHECK_EQ(world->waits, 1);
		CHECK_EQ(world->script.waits, 0);
		CHECK(world->session.stopped);
		world_end(world);
	}
	SCENARIO("an interrupted wait without stop is no end") {
		world_t *world = world_begin();
		world_open(world);
		add_step(&world->script, (step_t){ .what = INTERRUPTED });
		add_step(&world->script, (step_t){ .what = INTERRUPTED });
		add_items(&world->script, KIND_SEE, 3);
		add_step(&world->script, (step_t){ .what = SEND, .count = 3 });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		check_order(world, 3);
		CHECK_EQ(world->script.waits, 2);
		world_end(world);
	}
}

/* The record `nth` from the end, from 1, of those in the sink; kind 0xFFFF: none. */
static bitactor_record_t
record_from_end(const probe_sink_t *kept, uint64_t nth)
{
	bitactor_record_t records[2] = { { .kind = BITACTOR_RECORD_PAD },
		                         { .kind = BITACTOR_RECORD_PAD } };
	for (uint64_t k = 0; k < kept->segments; k++)
		for (uint32_t at = BITACTOR_HEADER_BYTES;;) {
			bitactor_record_t record;
			if (bitactor_record_read(kept->segment[k], 0, at, kept->have[k], false,
			                         &record, NULL) != BITACTOR_OK)
				break;
			at += record.bytes;
			if (!bitactor_record_is_compared(&record))
				continue;
			records[1] = records[0];
			records[0] = record;
		}
	return records[nth - 1];
}

/* Stopped with 20 signals of a full turn still to do, each emitting one more. */
static world_t *
world_stopped(uint64_t stop_turns, uint32_t emitters)
{
	world_t *world = world_begin();
	world->probe.config.queue_slots = world->probe.config.emit_slots = 4096;
	world_open(world);
	add_items(&world->script, KIND_SEE, 1004);
	for (uint32_t i = 0; i < emitters; i++)
		add_item(&world->script, KIND_EMIT, i)->signal.context = 1;
	add_step(&world->script, (step_t){ .what = SEND, .count = 1004 + emitters,
	                                   .own_array = true });
	add_step(&world->script, (step_t){ .what = END, .status = BITACTOR_ERROR });
	world->stop_at = 1004;
	world->session.stop_turns = stop_turns;
	CHECK_EQ(world_run(world), BITACTOR_OK);
	CHECK(world->session.stopped);
	CHECK_EQ(world->turns, stop_turns > 0 ? 2 : 1);
	return world;
}

static void
test_stop_turns(void)
{
	SCENARIO("what waits when the session is stopped is worked off, and the door closed") {
		world_t *world = world_stopped(64, 40);
		bitactor_stats_t stats = probe_stats(world->probe.engine);
		CHECK_EQ(stats.queued, 0);
		CHECK_EQ(stats.dropped, 0);
		CHECK_EQ(stats.dispatched, 1004 + 40 + 40);
		CHECK_EQ(bitactor_enqueue(world->probe.engine, &world->script.items[0].signal),
		         BITACTOR_CLOSED);
		THEN("the sink has it all before the session returns");
		CHECK_EQ(records_in_sink(&world->probe.kept), stats.records);
		world_end(world);
	}
	SCENARIO("what would take more turns than that is dropped with a record") {
		world_t *world = world_stopped(1, 2000);
		bitactor_stats_t stats = probe_stats(world->probe.engine);
		CHECK_EQ(stats.queued, 0);
		CHECK_EQ(stats.dispatched, 2 * 1024);
		/* 20 + 1004 - 20 of the second turn emitted as well */
		CHECK_EQ(stats.dropped, 3004 + stats.emitted - 2048);
		bitactor_record_t last = record_from_end(&world->probe.kept, 1);
		CHECK_EQ(last.kind, BITACTOR_RECORD_DROP);
		CHECK_EQ(last.cause, BITACTOR_SOURCE_SHARED);
		uint64_t shared = last.payload;
		last = record_from_end(&world->probe.kept, 2);
		CHECK_EQ(last.kind, BITACTOR_RECORD_DROP);
		CHECK_EQ(last.cause, BITACTOR_SOURCE_EMIT);
		CHECK_EQ(last.payload + shared, stats.dropped);
		world_end(world);
	}
	SCENARIO("a session that is to stop nothing leaves what waits, and the door open") {
		world_t *world = world_stopped(0, 40);
		CHECK_EQ(bitactor_pending_count(world->probe.engine), 40);
		CHECK(bitactor_is_ready(world->probe.engine));
		CHECK_EQ(record_from_end(&world->probe.kept, 1).kind, KIND_EMIT);
		world_end(world);
		AND("so does one that was not stopped");
		world = world_begin();
		world_open(world);
		world->session.stop_turns = 64;
		CHECK_EQ(world_run(world), BITACTOR_OK);
		CHECK(bitactor_is_ready(world->probe.engine));
		world_end(world);
	}
	SCENARIO("a stop that fails, in the sink or in a callback, ends the session with that") {
		world_t *world = world_begin();
		world_open(world);
		world->stop = 2;
		world->session.stop_turns = 1;
		world->fail_turn = 1;
		world->fail_with = BITACTOR_STALE;
		CHECK_EQ(world_run(world), BITACTOR_STALE);
		world_end(world);
	}
}

static void
test_as_stop(void)
{
	SCENARIO("a batch that says as_stop is a call of bitactor_stop, its items before it") {
		for (int drain = 0; drain < 2; drain++) {
			world_t *world = world_begin();
			world_open(world);
			world->session.exact_turns = true;
			add_items(&world->script, KIND_SEE, 1);
			add_step(&world->script, (step_t){ .what = SEND, .count = 1, .max = 1,
			                                   .as_stop = true, .drain = drain != 0,
			                                   .as_tick = drain != 0 });
			CHECK_EQ(world_run(world), BITACTOR_OK);
			bitactor_stats_t stats = probe_stats(world->probe.engine);
			CHECK_EQ(stats.dispatched, drain);
			CHECK_EQ(stats.dropped, 1 - drain);
			CHECK_EQ(world->turns, 1);
			CHECK(!bitactor_is_ready(world->probe.engine));
			/* STOP, TURN, the signal; or STOP, DROP */
			CHECK_EQ(record_from_end(&world->probe.kept, 2).kind,
			         drain != 0 ? BITACTOR_RECORD_TURN : BITACTOR_RECORD_STOP);
			world_end(world);
		}
	}
}

/* A handler that emits itself forever, met by the session in one of three places. */
static void
check_endless(const step_t *then, uint32_t chains, uint32_t more)
{
	world_t *world = world_begin();
	world->probe.config.queue_slots = 4096;
	world->probe.config.emit_slots  = 4096;
	world_open(world);
	world->no_sink_check = true;
	add_items(&world->script, KIND_ENDLESS, chains);
	add_step(&world->script, (step_t){ .what = SEND, .count = chains, .own_array = true });
	add_items(&world->script, KIND_SEE, more);
	add_step(&world->script, *then);
	world->stop_at = 20000;
	CHECK_EQ(world_run(world), BITACTOR_OK);
	CHECK(world->session.stopped);
	CHECK(world->dispatched >= 20000);
	CHECK(world->dispatched < 20000 + 3 * BITACTOR_MAX_SIGNALS);
	CHECK_EQ(world->waits, 0); /* the engine was never empty */
	CHECK(world->most_in_turn <= BITACTOR_MAX_SIGNALS);
	world_end(world);
}

static void
test_endless(void)
{
	SCENARIO("handlers that emit without end are ended by stop, wherever they are met") {
		const step_t wait   = { .what = NOTHING };
		const step_t closed = { .what = END, .status = BITACTOR_CLOSED };
		const step_t flood  = { .what = SEND, .count = 4500, .own_array = true };
		GIVEN("an endless one when the source has nothing");
		check_endless(&wait, 1, 0);
		GIVEN("an endless one when the source has closed");
		check_endless(&closed, 1, 0);
		GIVEN("turns that are full of them, so that the queue never gets room");
		check_endless(&flood, 1024, 4500);
	}
}

/* ---- callbacks and failures ---------------------------------------------------------- */

/* In turn 1, a batch's, in turn 2, a tick's, in turn 3, which works off what that
 * emitted, or before the wait. */
static void
check_callback(bitactor_status_t status, int where)
{
	world_t *world = world_begin();
	world_open(world);
	world->fail_with = status;
	world->fail_turn = where < 3 ? (uint64_t)where + 1 : 0;
	world->fail_wait = where == 3;
	add_items(&world->script, KIND_SEE, 2);
	add_item(&world->script, KIND_EMIT, 2)->signal.context = 1;
	add_step(&world->script, (step_t){ .what = SEND, .count = 2 });
	add_step(&world->script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
	add_step(&world->script, (step_t){ .what = NOTHING });
	add_step(&world->script, (step_t){ .what = END, .status = BITACTOR_IO });
	CHECK_EQ(world_run(world), status);
	CHECK(strcmp(world->error.text, where == 3 ? "before_wait" : "after_turn") == 0);
	CHECK_EQ(world->turns, where < 3 ? where + 1 : 3);
	CHECK_EQ(world->waits, where == 3);
	world_end(world);
}

static void
test_callbacks(void)
{
	static const bitactor_status_t statuses[] = { BITACTOR_ERROR, BITACTOR_EMPTY,
		                                      BITACTOR_CLOSED, BITACTOR_BUSY,
		                                      BITACTOR_CANCELLED };
	SCENARIO("whatever a callback answers but OK ends the session with it") {
		for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
			for (int where = 0; where < 4; where++)
				check_callback(statuses[i], where);
		AND("also in a turn that is taken to make room");
		world_t *world = world_begin();
		world->probe.config.queue_slots = 2;
		world_open(world);
		world->fail_turn = 1;
		world->fail_with = BITACTOR_CANCELLED;
		add_items(&world->script, KIND_SEE, 5);
		add_step(&world->script, (step_t){ .what = SEND, .count = 5 });
		CHECK_EQ(world_run(world), BITACTOR_CANCELLED);
		CHECK_EQ(world->turns, 1);
		CHECK_EQ(world->seen, 2);
		world_end(world);
	}
	SCENARIO("a session without callbacks, stop or recorder is a session, too") {
		world_t *world = world_begin();
		world->probe.config.segments = 0;
		world->probe.config.sink     = NULL;
		world_open(world);
		world->session.after_turn = world->session.before_wait = NULL;
		world->session.stop = NULL;
		add_items(&world->script, KIND_SEE, 2);
		add_step(&world->script, (step_t){ .what = SEND, .count = 1 });
		add_step(&world->script, (step_t){ .what = NOTHING });
		add_step(&world->script, (step_t){ .what = SEND, .count = 1, .as_tick = true });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		check_order(world, 2);
		world_end(world);
	}
}

static bitactor_status_t
stop_the_engine(void *context, bitactor_error_t *error)
{
	(void)error;
	CHECK_EQ(bitactor_stop(((world_t *)context)->probe.engine, false, 0, NULL), BITACTOR_OK);
	return BITACTOR_OK;
}

/* A sink that takes `good` times; each turn is handed on at once. */
static void
check_sink(uint64_t good, bool as_tick)
{
	world_t *world = world_begin();
	world_open(world);
	world->no_sink_check = true;
	world->probe.kept.good_calls = good;
	add_items(&world->script, KIND_SEE, 6);
	for (int i = 0; i < 6; i++)
		add_step(&world->script, (step_t){ .what = SEND, .count = 1, .as_tick = as_tick });
	CHECK_EQ(world_run(world), BITACTOR_IO);
	CHECK(strstr(world->error.text, "IO") != NULL);
	CHECK_EQ(world->seen, good + 1);
	CHECK_EQ(world->turns, good);
	world_end(world);
}

static void
test_failures(void)
{
	SCENARIO("a source that fails ends the session with its own words") {
		for (bitactor_status_t status = BITACTOR_INVALID_SIGNAL; status <= BITACTOR_STUCK;
		     status++) {
			if (status == BITACTOR_EMPTY || status == BITACTOR_CLOSED)
				continue;
			for (int waits = 0; waits < 2; waits++) {
				world_t *world = world_begin();
				world_open(world);
				if (waits != 0)
					add_step(&world->script, (step_t){ .what = NOTHING });
				add_step(&world->script, (step_t){ .what = END, .status = status });
				CHECK_EQ(world_run(world), status);
				CHECK(strcmp(world->error.text, "as the script says") == 0);
				world_end(world);
			}
		}
	}
	SCENARIO("a sink that fails ends the session with BITACTOR_IO, wherever it is met") {
		for (uint64_t good = 0; good < 3; good++) {
			check_sink(good, false);
			check_sink(good, true);
		}
	}
	SCENARIO("an engine that somebody stops ends the session with BITACTOR_CLOSED") {
		const step_t thens[] = { { .what = SEND, .count = 1 },
			                 { .what = SEND, .count = 1, .as_tick = true },
			                 { .what = NOTHING },
			                 { .what = END, .status = BITACTOR_CLOSED } };
		for (size_t i = 0; i < sizeof thens / sizeof *thens; i++) {
			world_t *world = world_begin();
			world_open(world);
			world->session.after_turn = stop_the_engine;
			add_items(&world->script, KIND_SEE, 2);
			add_step(&world->script, (step_t){ .what = SEND, .count = 1 });
			add_step(&world->script, thens[i]);
			CHECK_EQ(world_run(world), BITACTOR_CLOSED);
			CHECK_EQ(world->seen, 1);
			CHECK_EQ(world->session.refused, 0);
			CHECK_EQ(world->script.polls, 2);
			world_end(world);
		}
	}
	SCENARIO("a session inside a handler of its engine is refused, and so are NULLs") {
		world_t *world = world_begin();
		world_open(world);
		(void)add_item(&world->script, KIND_NESTED, 0);
		add_step(&world->script, (step_t){ .what = SEND, .count = 1 });
		CHECK_EQ(world_run(world), BITACTOR_OK);
		CHECK_EQ(world->seen, 0);
		bitactor_session_t empty = { .engine = world->probe.engine };
		CHECK_EQ(bitactor_session_run(&empty, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_session_run(NULL, NULL), BITACTOR_ERROR);
		empty = (bitactor_session_t){ .source = { .poll = script_poll } };
		CHECK_EQ(bitactor_session_run(&empty, NULL), BITACTOR_ERROR);
		world_end(world);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_random(seed);
	test_large_batch();
	test_other();
	test_refused();
	test_ticks();
	test_tick_answers();
	test_max();
	test_exact();
	test_stop();
	test_stop_waiting();
	test_stop_turns();
	test_as_stop();
	test_endless();
	test_callbacks();
	test_failures();
	return bdd_close();
}
