/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_model.c -- the engine beside one so simple that it is plainly right.
 *
 *      random step --> engine --> events, answers, outputs, numbers
 *                 \--> model  --> the same, compared after every step
 *
 * The model has two arrays for queues, counts for blocks, a flag for each kind.
 * What a handler does is a function of its signal alone (deeds_of), carried out
 * against the engine by act() and against the model by model_act().  One rule of
 * the engine is in the model because handlers can see it: places and blocks of
 * the internal queue come back 64 dispatches at a time.
 *
 *      --seed N      repeat a run          BA_SCALE=n    n times as many steps
 */
#include "../engine_probe.h"

enum {
	KINDS = 12,         /* in the table; signals use up to 4 more */
	DATA_MAX = 48, OUTPUT_MAX = 64,
	QUEUE_MOST = 256, EVENTS = 16384,
	TOGETHER = 64       /* dispatches between which places come back */
};

static unsigned long long step_number;
static unsigned differences;

/* Print a difference with its step; no more than a few. */
static void
same(const char *what, uint64_t engine, uint64_t model)
{
	if (engine == model)
		return;
	if (differences++ < 10)
		printf("  step %llu: %s: engine %" PRIu64 ", model %" PRIu64 "\n", step_number,
		       what, engine, model);
}

/* ---- what a handler does --------------------------------------------- */

static uint64_t
mix(uint64_t x)
{
	return probe_random(&x);
}

typedef struct deeds {
	uint32_t emits, outputs;
	bool     fails;
	struct {
		bitactor_signal_t signal;
		uint32_t data_bytes; /* DATA_MAX + 1: too many */
	} emit[4];
	uint32_t output_bytes[3];
} deeds_t;

/* `context` is how many generations may still follow. */
static deeds_t
deeds_of(const bitactor_signal_t *signal)
{
	uint64_t chance = mix(signal->payload ^ (uint64_t)signal->kind << 50);
	deeds_t  deeds  = { .emits = signal->context > 0 ? (uint32_t)(chance % 4) : 0,
		            .outputs = (uint32_t)(chance >> 32) % 4, .fails = chance >> 40 & 1 };
	deeds.fails &= chance >> 41 & 1;
	for (uint32_t i = 0; i < deeds.emits; i++) {
		uint64_t more = mix(chance + i);
		deeds.emit[i].signal = (bitactor_signal_t){
			.id      = (uint32_t)more,
			.actor   = (uint32_t)(more >> 20),
			.kind    = (uint16_t)(more % (KINDS + 1)),
			.payload = more >> 3,
			.context = signal->context - 1,
		};
		if (more >> 60 == 0)
			deeds.emit[i].signal.kind = 0xFFFF; /* never right */
		if (more >> 57 < 32)
			deeds.emit[i].data_bytes = (uint32_t)(more >> 30) % (DATA_MAX + 2);
	}
	if (deeds.outputs == 3)
		deeds.outputs = 0;
	for (uint32_t i = 0; i < deeds.outputs; i++)
		deeds.output_bytes[i] = (uint32_t)(mix(chance - i) % 60);
	return deeds;
}

/* The data that goes with a payload. */
static void
data_of(uint64_t payload, uint8_t bytes[DATA_MAX + 1])
{
	for (int i = 0; i <= DATA_MAX; i++)
		bytes[i] = (uint8_t)(payload * 31 + (uint64_t)i);
}

/* ---- what is compared ------------------------------------------------ */

typedef struct event {
	uint64_t payload, context;
	uint64_t answers; /* of all that it asked, folded */
	uint32_t id, actor, kind, data_bytes;
} event_t;

typedef struct story {
	event_t  events[EVENTS];
	uint32_t count;
	uint32_t outputs; /* CRC of port and bytes of each */
	uint32_t output_count;
	uint32_t wrong_data;
} story_t;

static story_t engines, models;

static void
story_add(story_t *story, const bitactor_signal_t *signal, uint64_t answers)
{
	if (story->count < EVENTS)
		story->events[story->count] = (event_t){
			.payload = signal->payload, .context = signal->context, .answers = answers,
			.id = signal->id, .actor = signal->actor, .kind = signal->kind,
			.data_bytes = signal->data_bytes,
		};
	story->count++;
}

static void
story_output(story_t *story, uint32_t port, const void *bytes, size_t byte_count)
{
	story->outputs = bitactor_crc32c(story->outputs, &port, sizeof port);
	story->outputs = bitactor_crc32c(story->outputs, bytes, byte_count);
	story->output_count++;
}

/* ---- the engine's side ----------------------------------------------- */

static probe_t probe;

static bitactor_status_t
act(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	deeds_t  deeds = deeds_of(signal);
	uint8_t  data[DATA_MAX + 1];
	uint64_t answers = 0;
	const uint8_t *own = bitactor_turn_data(turn);
	data_of(signal->payload, data);
	engines.wrong_data += (own == NULL) != (signal->data_bytes == 0);
	engines.wrong_data += own != NULL && memcmp(own, data, signal->data_bytes) != 0;
	for (uint32_t i = 0; i < deeds.emits; i++) {
		const bitactor_signal_t *more = &deeds.emit[i].signal;
		uint32_t bytes = deeds.emit[i].data_bytes;
		data_of(more->payload, data);
		bitactor_status_t status;
		if (bytes > 0)
			status = bitactor_emit_data(turn, more, data, bytes);
		else if (i % 2 != 0)
			status = bitactor_enqueue(probe.engine, more); /* the same from inside */
		else
			status = bitactor_emit(turn, more);
		answers = answers * 31 + status;
	}
	data_of(signal->payload, data);
	for (uint32_t i = 0; i < deeds.outputs; i++) {
		uint8_t bytes[64];
		memset(bytes, data[i], sizeof bytes);
		answers = answers * 31 + bitactor_output(turn, i, bytes, deeds.output_bytes[i]);
	}
	bitactor_turn_result(turn, mix(answers + signal->payload));
	story_add(&engines, signal, answers);
	(void)state;
	return deeds.fails ? BITACTOR_ERROR : BITACTOR_OK;
}

static void
deliver(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)context;
	story_output(&engines, port, bytes, byte_count);
}

static const bitactor_outlet_t outlet = { .deliver = deliver };

/* ---- the model ------------------------------------------------------- */

typedef struct waiting {
	bitactor_signal_t signal[8 * QUEUE_MOST];
	uint32_t count;
} waiting_t;

static struct model {
	waiting_t queue, emits;      /* [0] is next */
	uint32_t  in_hand;           /* of emits, dispatched but not given back */
	uint32_t  staged;            /* at the end of emits, not yet held */
	uint32_t  blocks, emit_blocks;
	bool      registered[KINDS];
	bitactor_stats_t stats;
	uint64_t  offered;           /* counted apart, as the calls are made */
	uint64_t  result;
} model;

static void
push(waiting_t *list, const bitactor_signal_t *signal, uint32_t data_bytes)
{
	list->signal[list->count] = *signal;
	list->signal[list->count++].data_bytes = data_bytes;
}

static void
pop(waiting_t *list, uint32_t count)
{
	list->count -= count;
	memmove(list->signal, list->signal + count, list->count * sizeof *list->signal);
}

static bool
never_right(const bitactor_signal_t *signal, uint32_t data_bytes)
{
	return signal->kind >= 0xFF00 || signal->reserved != 0 || data_bytes > DATA_MAX;
}

static bitactor_status_t
model_emit(const bitactor_signal_t *signal, uint32_t data_bytes)
{
	model.offered++;
	if (never_right(signal, data_bytes)) {
		model.stats.refused_invalid++;
		return BITACTOR_INVALID_SIGNAL;
	}
	if (model.emits.count == probe.config.emit_slots ||
	    (data_bytes > 0 && model.emit_blocks == 0)) {
		model.stats.refused_full++;
		return BITACTOR_FULL;
	}
	model.emit_blocks -= data_bytes > 0;
	push(&model.emits, signal, data_bytes);
	model.staged++;
	return BITACTOR_OK;
}

/* What the handler of `signal` asked for takes hold, or does not. */
static void
model_settle(const bitactor_signal_t *signal, const deeds_t *deeds, uint32_t taken)
{
	bitactor_stats_t *stats = &model.stats;
	uint8_t data[DATA_MAX + 1], bytes[64];
	uint32_t outputs = 0;
	data_of(signal->payload, data);
	for (uint32_t i = 0; i < deeds->outputs; i++) {
		if ((taken >> i & 1) == 0)
			continue;
		outputs++;
		memset(bytes, data[i], sizeof bytes);
		if (!deeds->fails)
			story_output(&models, i, bytes, deeds->output_bytes[i]);
	}
	if (deeds->fails) {
		stats->failed++;
		stats->undone += model.staged + outputs;
		model.offered -= model.staged; /* as if never made */
		for (; model.staged > 0; model.staged--)
			model.emit_blocks += model.emits.signal[--model.emits.count].data_bytes > 0;
		return;
	}
	stats->emitted += model.staged;
	stats->outputs += outputs;
	stats->records += outputs;
	if (model.staged > 0 && model.emits.count > stats->emit_high)
		stats->emit_high = model.emits.count;
	model.staged = 0;
}

static bitactor_status_t
model_act(const bitactor_signal_t *signal)
{
	model.stats.records++;
	model.result = 0;
	if (signal->kind >= KINDS || !model.registered[signal->kind]) {
		model.stats.rejected++;
		return BITACTOR_INVALID_SIGNAL;
	}
	deeds_t  deeds = deeds_of(signal);
	uint64_t answers = 0;
	uint32_t room = OUTPUT_MAX, taken = 0;
	model.stats.dispatched++;
	for (uint32_t i = 0; i < deeds.emits; i++)
		answers = answers * 31 +
		          model_emit(&deeds.emit[i].signal, deeds.emit[i].data_bytes);
	for (uint32_t i = 0; i < deeds.outputs; i++) {
		uint32_t needed = 8 + (deeds.output_bytes[i] + 7) / 8 * 8;
		bool     fits   = needed <= room;
		room -= fits ? needed : 0;
		taken |= (uint32_t)fits << i;
		answers = answers * 31 + (fits ? BITACTOR_OK : BITACTOR_FULL);
	}
	model.result = mix(answers + signal->payload);
	story_add(&models, signal, answers);
	model_settle(signal, &deeds, taken);
	return deeds.fails ? BITACTOR_ERROR : BITACTOR_OK;
}

static void
model_turn(void)
{
	model.stats.turns++;
	model.stats.records++;
}

/* At most `max` of a queue, 64 and then their places back. */
static uint64_t
model_run(waiting_t *list, uint32_t *blocks, uint64_t max)
{
	uint64_t done = 0;
	while (done < max && list->count > 0) {
		uint32_t count = 0, now = list->count;
		for (; count < TOGETHER && count < now && done + count < max; count++) {
			bitactor_signal_t signal = list->signal[count];
			(void)model_act(&signal);
		}
		for (uint32_t i = 0; i < count; i++)
			*blocks += list->signal[i].data_bytes > 0;
		pop(list, count);
		done += count;
	}
	return done;
}

static bitactor_status_t
model_drain(uint64_t max, uint64_t *done)
{
	uint64_t left = model.emits.count;
	*done = 0;
	if (model.queue.count > model.stats.queue_high)
		model.stats.queue_high = model.queue.count;
	if (left + model.queue.count == 0)
		return BITACTOR_EMPTY;
	model_turn();
	*done = model_run(&model.emits, &model.emit_blocks, left < max ? left : max);
	*done += model_run(&model.queue, &model.blocks, max - *done);
	*done += model_run(&model.emits, &model.emit_blocks, max - *done);
	return BITACTOR_OK;
}

static bitactor_status_t
model_enqueue(const bitactor_signal_t *signals, uint64_t count, uint32_t data_bytes)
{
	model.offered += count;
	for (uint64_t i = 0; i < count; i++)
		if (never_right(&signals[i], data_bytes)) {
			model.stats.refused_invalid += count;
			return BITACTOR_INVALID_SIGNAL;
		}
	if (count > probe.config.queue_slots) {
		model.offered -= count; /* a wrong argument is no offer */
		return BITACTOR_ERROR;
	}
	if (count > probe.config.queue_slots) {
		model.offered -= count; /* a wrong argument, no offer */
		return BITACTOR_ERROR;
	}
	if (data_bytes > 0 && model.blocks == 0) {
		model.stats.refused_data++;
		return BITACTOR_FULL;
	}
	if (model.queue.count + count > probe.config.queue_slots) {
		model.stats.refused_full += count;
		return BITACTOR_FULL;
	}
	model.blocks -= data_bytes > 0;
	for (uint64_t i = 0; i < count; i++)
		push(&model.queue, &signals[i], data_bytes);
	return BITACTOR_OK;
}

/* ---- steps ----------------------------------------------------------- */

static bitactor_signal_t
any_signal(uint64_t *random)
{
	uint64_t chance = probe_random(random);
	bitactor_signal_t signal = {
		.id = (uint32_t)chance, .actor = (uint32_t)(chance >> 13) % 5,
		.kind = (uint16_t)((chance >> 32) % (KINDS + 3)),
		.payload = probe_random(random), .context = (chance >> 40) % 4,
	};
	if (chance >> 58 == 0)
		signal.kind = (uint16_t)(0xFF00 + chance % 256);
	if (chance >> 58 == 1)
		signal.reserved = 1;
	return signal;
}

static void
step_send(uint64_t *random, uint64_t chance)
{
	bitactor_signal_t signals[9];
	uint64_t count = 1 + (chance >> 20) % 9;
	for (uint64_t i = 0; i < count; i++) {
		signals[i] = any_signal(random);
		if (i > 0 && signals[i].kind >= 0xFF00 && chance % 2 == 0)
			signals[i].kind = 1; /* or batches would seldom be right */
	}
	switch (chance % 3) {
	case 0:
		same("enqueue", bitactor_enqueue(probe.engine, signals),
		     model_enqueue(signals, 1, 0));
		break;
	case 1: {
		size_t taken = 99;
		bitactor_status_t status =
		        bitactor_enqueue_many(probe.engine, signals, count, &taken);
		same("enqueue_many", status, model_enqueue(signals, count, 0));
		same("taken", taken, status == BITACTOR_OK ? count : 0);
		break;
	}
	default: {
		uint8_t  data[DATA_MAX + 1];
		uint32_t bytes = (uint32_t)(chance >> 30) % (DATA_MAX + 2);
		data_of(signals[0].payload, data);
		same("enqueue_data", bitactor_enqueue_data(probe.engine, signals, data, bytes),
		     model_enqueue(signals, 1, bytes));
	}
	}
}

static void
step_tick(uint64_t *random)
{
	bitactor_signal_t signal = any_signal(random);
	bitactor_result_t result;
	bitactor_status_t status = bitactor_tick(probe.engine, &signal, &result), expected;
	model.offered++;
	if (never_right(&signal, 0)) {
		model.stats.refused_invalid++;
		expected = BITACTOR_INVALID_SIGNAL;
		model.result = 0;
	} else {
		model_turn();
		expected = model_act(&signal);
	}
	same("tick", status, expected);
	same("result", result.value, model.result);
}

static void
step_table(uint64_t chance)
{
	uint16_t kind = (uint16_t)((chance >> 16) % (KINDS + 1));
	bool     on   = (chance >> 50) % 4 != 0;
	bitactor_status_t status = on ? bitactor_register(probe.engine, kind, act, NULL)
	                              : bitactor_unregister(probe.engine, kind);
	same("register", status, kind < KINDS ? BITACTOR_OK : BITACTOR_ERROR);
	if (kind >= KINDS)
		return;
	model.registered[kind] = on;
	model.stats.records++;
	same("is_registered", bitactor_is_registered(probe.engine, kind), on);
}

static void
step_drain(uint64_t chance)
{
	static const uint64_t sizes[] = { 1, 2, 7, 63, 64, 65, 128, 1000, UINT64_MAX };
	uint64_t max = sizes[chance % 9], done = 99, expected;
	bitactor_status_t status = bitactor_drain(probe.engine, max, &done);
	same("drain", status, model_drain(max, &expected));
	same("done", done, expected);
}

static void
step_compare(void)
{
	bitactor_stats_t engine, *expected = &model.stats;
	CHECK_EQ(bitactor_stats(probe.engine, &engine), BITACTOR_OK);
	same("how many events", engines.count, models.count);
	for (uint32_t i = 0; i < engines.count && i < EVENTS; i++)
		same("event", memcmp(&engines.events[i], &models.events[i],
		                     sizeof engines.events[i]) == 0, true);
	same("outputs", engines.outputs, models.outputs);
	same("output count", engines.output_count, models.output_count);
	same("wrong data", engines.wrong_data, 0);
	engines.count = models.count = 0;
	same("pending", bitactor_pending_count(probe.engine),
	     model.queue.count + model.emits.count);
	same("queued", engine.queued, model.queue.count + model.emits.count);
	same("offered", engine.offered, model.offered);
	same("adds up", engine.accepted,
	     engine.dispatched + engine.rejected + engine.dropped + engine.queued);
	same("refused", engine.refused, expected->refused_full + expected->refused_data +
	                                        expected->refused_invalid +
	                                        expected->refused_closed);
	same("offered and refused", engine.offered, engine.accepted + engine.refused);
#define SAME(field) same(#field, engine.field, expected->field)
	SAME(refused_full), SAME(refused_data), SAME(refused_invalid), SAME(refused_closed);
	SAME(dispatched), SAME(rejected), SAME(dropped), SAME(failed), SAME(undone);
	SAME(emitted), SAME(outputs), SAME(turns), SAME(queue_high), SAME(emit_high);
	SAME(resumed), SAME(overruns), SAME(batch_overruns), SAME(stalled_claims);
	if (probe.config.segments > 0)
		SAME(records);
#undef SAME
}

/* ---- lives ----------------------------------------------------------- */

static void
begin(uint64_t chance)
{
	static const uint32_t slots[] = { 2, 4, 64, 128, QUEUE_MOST };
	probe_config(&probe);
	probe_counter(&probe, 1000000000); /* stands still: nothing is over budget */
	probe_clock(&probe);
	probe.config.kinds       = KINDS;
	probe.config.queue_slots = slots[chance % 5];
	probe.config.emit_slots  = slots[(chance >> 8) % 5];
	probe.config.data_max    = DATA_MAX;
	probe.config.data_blocks = (uint32_t)(chance >> 16) % 20;
	probe.config.emit_data_blocks = (uint32_t)(chance >> 24) % 20;
	probe.config.output_max = OUTPUT_MAX;
	probe.config.segments   = (chance >> 32) % 4 == 0 ? 0 : 2;
	probe.config.flags      = (chance >> 36) % 2 == 0 ? BITACTOR_TIME_EACH : 0;
	probe.config.outlet     = &outlet;
	probe_open(&probe);
	memset(&model, 0, sizeof model);
	model.blocks      = probe.config.data_blocks;
	model.emit_blocks = probe.config.emit_data_blocks;
}

static void
end(uint64_t chance)
{
	uint64_t discarded = 99, dropped = 0, done;
	bool     drain = chance % 2 == 0;
	uint64_t turns = (chance >> 8) % 4;
	same("stop", bitactor_stop(probe.engine, drain, turns, &discarded), BITACTOR_OK);
	model.stats.records++; /* STOP */
	for (; drain && turns > 0; turns--)
		if (model_drain(BITACTOR_MAX_SIGNALS, &done) != BITACTOR_OK)
			break;
	model.stats.records += model.emits.count > 0; /* DROP, one for each queue */
	model.stats.records += model.queue.count > 0;
	dropped = model.emits.count + model.queue.count;
	model.stats.dropped = dropped;
	model.emits.count = model.queue.count = 0;
	same("discarded", discarded, dropped);
	bitactor_signal_t late = { .kind = 1 };
	same("after stop", bitactor_enqueue(probe.engine, &late), BITACTOR_CLOSED);
	model.stats.refused_closed++;
	model.offered++;
	step_compare();
	if (probe.config.segments > 0)
		same("trace", bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
	probe_close(&probe);
}

static void
step(uint64_t *random)
{
	uint64_t chance = probe_random(random);
	switch (chance >> 56 & 15) {
	case 0:
	case 1:
		step_drain(chance);
		break;
	case 2:
		step_tick(random);
		break;
	case 3:
		step_table(chance);
		break;
	default:
		step_send(random, chance);
	}
	probe.now_ns += chance & 1023;
	step_compare();
}

int
main(int argc, char **argv)
{
	uint64_t random = probe_seed(argc, argv), steps = probe_scale(200000);
	uint64_t dispatched = 0, refused = 0, lives = 0;
	SCENARIO("the engine does what the model does") {
		GIVEN("a new engine every thousand steps or so, of random limits");
		WHEN("200,000 random steps are taken");
		THEN("events, answers, outputs and every number are the model's after each");
		begin(probe_random(&random));
		for (step_number = 0; step_number < steps; step_number++) {
			step(&random);
			if (probe_random(&random) % 1000 != 0)
				continue;
			dispatched += model.stats.dispatched;
			refused += model.stats.refused_full;
			lives++;
			end(probe_random(&random));
			begin(probe_random(&random));
		}
		end(probe_random(&random));
		printf("  %" PRIu64 " steps, %" PRIu64 " engines, %" PRIu64 " dispatches, %" PRIu64
		       " refused\n", steps, lives + 1, dispatched, refused);
		CHECK_EQ(differences, 0);
		CHECK(dispatched > steps / 3);
	}
	return bdd_close();
}
