/* SPDX-License-Identifier: Apache-2.0 */
/* replay_rig.h -- a module-like set of handlers, recorded and played again.
 *
 *      side      the cells of the handlers, and what one of them does otherwise
 *      taping    a side, an engine, the trace writer: seeded signals in, a trace out
 *      playing   a side, a replay, the engine it asks for
 *
 * Real engine, real writer, real reader.  The handlers do what handlers may do:
 * they emit, output, fail, read data, draw numbers, look at the time, name parts
 * of a large cell, yield and await.
 */
#ifndef BITACTOR_TESTS_REPLAY_RIG_H
#define BITACTOR_TESTS_REPLAY_RIG_H

#include "../../engine_probe.h"
#include "../trace/trace_rig.h"

#include <bitactor/replay.h>

/* ---- handlers ------------------------------------------------------------------------ */

enum kind {
	COUNT,  /* adds, draws, looks at the time                       */
	EMIT,   /* emits up to 3, with fields, with data, to nobody     */
	SPEAK,  /* outputs up to 3 times                                */
	FAIL,   /* stages emits and outputs; most often fails           */
	LARGE,  /* changes parts of a large cell                        */
	FIBER,  /* yields and awaits                                    */
	WAKE,   /* what fibers await; else adds                         */
	PLAIN,  /* result and nothing else; timed by itself             */
	DATA,   /* digests its data                                     */
	NOBODY, /* never registered                                     */
	KINDS
};

typedef enum change {
	SAME,
	OTHER_STATE,
	OTHER_RESULT,
	OTHER_STATUS,
	OTHER_OUTPUT,
	OTHER_LARGE,
	OUTPUT_MORE,
	EMIT_MORE,
	EMIT_OTHER
} change_t;

typedef struct side {
	struct {
		uint64_t sum, drawn;
		uint32_t calls, spare; /* spare is not digested: a cell that ends in half a word */
	} count;
	struct {
		uint64_t sum, wakes;
	} fiber;
	uint64_t data;
	uint8_t  large[4096];

	uint64_t calls[KINDS];
	/* What is done otherwise, in the call number `at` (from 1) of a kind. */
	change_t change;
	uint16_t kind;
	uint64_t at;
	void (*in_call)(void *context); /* called in that call; NULL: nothing */
	void  *in_call_context;
	uint64_t policies; /* not 0: what fails has a policy, and handlers change the table */
} side_t;

static side_t *side; /* whose handlers run */
static bitactor_engine_t *side_engine; /* and where */

static inline void change_table(uint64_t payload);

/* Is this call of `kind` the one that does `change`? */
static inline bool
is_changed(uint16_t kind, change_t change)
{
	return side->change == change && side->kind == kind && side->calls[kind] + 1 == side->at;
}

/* The end of every handler. */
static inline bitactor_status_t
finish(bitactor_turn_t *turn, uint16_t kind, uint64_t result, bitactor_status_t status)
{
	const bitactor_signal_t more = { .kind = COUNT, .payload = 12345 };
	bitactor_turn_result(turn, result + is_changed(kind, OTHER_RESULT));
	side->count.sum += is_changed(kind, OTHER_STATE);
	if (is_changed(kind, EMIT_MORE))
		CHECK_EQ(bitactor_emit(turn, &more), BITACTOR_OK);
	if (is_changed(kind, OUTPUT_MORE))
		CHECK_EQ(bitactor_output(turn, 0, "!", 1), BITACTOR_OK);
	if (is_changed(kind, OTHER_STATUS))
		status = status == BITACTOR_OK ? BITACTOR_STALE : BITACTOR_OK;
	side->calls[kind]++;
	if (side->in_call != NULL && side->kind == kind && side->calls[kind] == side->at)
		side->in_call(side->in_call_context);
	return status;
}

static inline bitactor_status_t
on_count(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	side->count.calls++;
	side->count.sum += signal->payload ^ signal->context ^ signal->timestamp ^ signal->id ^
	                   signal->flags ^ signal->priority;
	for (uint64_t i = signal->payload % 3; i > 0; i--)
		side->count.drawn ^= bitactor_random(turn);
	if (signal->payload % 2 != 0)
		side->count.sum += bitactor_turn_now_ns(turn);
	return finish(turn, COUNT, side->count.sum, BITACTOR_OK);
}

static inline bitactor_status_t
on_emit(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	static const uint16_t to[] = { COUNT, SPEAK, DATA, NOBODY, WAKE, EMIT, LARGE, FAIL };
	(void)state;
	uint64_t full = 0;
	for (uint64_t i = 0; i < signal->payload % 4; i++) {
		bitactor_signal_t child = { .kind    = to[(signal->payload / 4 + i) % 8],
			                    .actor   = signal->actor,
			                    .payload = signal->payload / 3 + i };
		if (signal->payload % 5 == 0) {
			child.context   = signal->payload * 11;
			child.timestamp = bitactor_turn_now_ns(turn);
			child.id        = (uint32_t)signal->payload + 1;
			child.priority  = 3;
			child.flags     = (uint8_t)i;
		}
		if (signal->payload % 7 == 0) { /* hand on what came, whatever that was */
			child            = *signal;
			child.kind       = COUNT;
			child.data_bytes = 0;
		}
		child.payload += is_changed(EMIT, EMIT_OTHER);
		full += bitactor_emit_data(turn, &child, &child, signal->payload % 7 * 8) !=
		        BITACTOR_OK;
	}
	return finish(turn, EMIT, full, BITACTOR_OK);
}

static inline bitactor_status_t
on_speak(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	uint8_t bytes[1500];
	for (uint64_t i = 0; i < signal->payload % 4; i++) {
		memset(bytes, (int)(signal->payload + i), sizeof bytes);
		bytes[0] ^= is_changed(SPEAK, OTHER_OUTPUT);
		if (bitactor_output(turn, (uint32_t)i, bytes,
		                    signal->payload * 37 % sizeof bytes) != BITACTOR_OK)
			return finish(turn, SPEAK, i, BITACTOR_FULL);
	}
	return finish(turn, SPEAK, 0, BITACTOR_OK);
}

static inline bitactor_status_t
on_fail(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	bitactor_signal_t child = { .kind = COUNT, .payload = 1 };
	(void)bitactor_emit_data(turn, &child, "never seen", 10);
	(void)bitactor_output(turn, 1, "perhaps said", 12);
	side->data += signal->payload;
	return finish(turn, FAIL, 1, (bitactor_status_t)(signal->payload % 18));
}

static inline bitactor_status_t
on_large(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	const uint8_t *data = bitactor_turn_data(turn);
	uint64_t ranges = signal->payload % 5 == 0 ? 20 : signal->payload % 3;
	for (uint64_t i = 0; i < ranges; i++) {
		uint8_t *at = side->large + (signal->payload * 31 + i * 97) % 4000;
		at[0]++;
		at[1] ^= data != NULL ? data[0] : (uint8_t)signal->payload;
		at[2] ^= is_changed(LARGE, OTHER_LARGE) && i == 0;
		bitactor_touched(turn, at, 3);
	}
	return finish(turn, LARGE, 0, BITACTOR_OK);
}

static inline bitactor_status_t
on_fiber(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	bitactor_signal_t first = *signal, woken = { .kind = WAKE };
	uint64_t drawn = bitactor_random(turn);
	for (uint64_t i = 0; i < first.payload % 4; i++) {
		bitactor_status_t status = (first.payload / 4 + i) % 3 != 0
		                                   ? bitactor_yield(turn)
		                                   : bitactor_await(turn, WAKE, &woken);
		if (status != BITACTOR_OK)
			return finish(turn, FIBER, drawn, status);
		side->fiber.sum += drawn ^ woken.payload ^ bitactor_turn_now_ns(turn);
		side->fiber.wakes++;
		bitactor_signal_t child = { .kind = COUNT, .payload = first.payload + i };
		(void)bitactor_emit(turn, &child);
		(void)bitactor_output(turn, 2, &first, sizeof first);
	}
	return finish(turn, FIBER, drawn, first.payload % 11 == 0 ? BITACTOR_ERROR : BITACTOR_OK);
}

static inline bitactor_status_t
on_wake(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	if (side->policies != 0)
		change_table(signal->payload);
	return finish(turn, WAKE, signal->payload, BITACTOR_OK);
}

static inline bitactor_status_t
on_plain(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	return finish(turn, PLAIN, signal->payload + 1, BITACTOR_OK);
}

static inline bitactor_status_t
on_data(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	const uint8_t *data = bitactor_turn_data(turn);
	for (uint32_t i = 0; i < signal->data_bytes; i++)
		side->data = side->data * 31 + data[i];
	return finish(turn, DATA, 0, side->data % 9 == 0 ? BITACTOR_ERROR : BITACTOR_OK);
}

/* How the handlers stand in the table: the order and each one's line. */
typedef struct table {
	uint32_t           count;
	bitactor_handler_t lines[KINDS + 1];
} table_t;

static inline table_t
table_of(side_t *of)
{
	const bitactor_handler_t lines[] = {
		{ .kind = COUNT, .fn = on_count, .state = &of->count, .state_bytes = 20 },
		{ .kind = EMIT, .fn = on_emit },
		{ .kind = SPEAK, .fn = on_speak, .budget_ticks = 77 },
		{ .kind = FAIL, .fn = on_fail, .state = &of->data, .state_bytes = 8 },
		{ .kind = LARGE, .fn = on_large, .state = of->large, .state_bytes = 4096 },
		{ .kind = FIBER, .fn = on_fiber, .state = &of->fiber, .state_bytes = 16,
		  .flags = BITACTOR_HANDLER_FIBER },
		{ .kind = WAKE, .fn = on_wake },
		{ .kind = PLAIN, .fn = on_plain, .flags = BITACTOR_HANDLER_EXACT },
		{ .kind = DATA, .fn = on_data, .state = &of->data, .state_bytes = 8 },
	};
	table_t table = { .count = sizeof lines / sizeof *lines };
	memcpy(table.lines, lines, sizeof lines);
	for (uint32_t i = 0; of->policies != 0 && i < table.count; i++) {
		bitactor_handler_t *line = &table.lines[i];
		line->retries = line->kind == DATA || line->kind == FAIL ? 2 : 0;
		line->on_failure = line->kind == FAIL || line->kind == FIBER
		                           ? BITACTOR_FAILURE_QUARANTINE
		                           : BITACTOR_FAILURE_DEAD_LETTER;
	}
	return table;
}

/* One line anew, which lifts a quarantine; now and then a kind less, or the end. */
static inline void
change_table(uint64_t payload)
{
	table_t table = table_of(side);
	const bitactor_handler_t *line = &table.lines[payload % table.count];
	bitactor_status_t status = payload % 7 == 0
	                                   ? bitactor_unregister(side_engine, line->kind)
	                                   : bitactor_register_handler(side_engine, line);
	CHECK_EQ(status, BITACTOR_OK);
	if (payload % 199 == 0)
		CHECK_EQ(bitactor_stop(side_engine, payload % 2 != 0, 0, NULL), BITACTOR_OK);
}

static inline void
table_register(const table_t *table, bitactor_engine_t *engine)
{
	for (uint32_t i = 0; i < table->count; i++)
		CHECK_EQ(bitactor_register_handler(engine, &table->lines[i]), BITACTOR_OK);
}

static const char tape_schema[] = "schema\t1\nkind\t0\tcount\nkind\t1\temit\nkind\t2\tspeak\n"
                                  "kind\t3\tfail\nkind\t4\tlarge\nkind\t5\tfiber\n"
                                  "kind\t6\twake\nkind\t7\tplain\nkind\t8\tdata\n"
                                  "kind\t9\tnobody\nport\t0\ta\nport\t1\tb\nport\t2\tc\n";

/* ---- an engine in memory ------------------------------------------------------------- */

typedef struct memory {
	bitactor_engine_t *engine;
	void *block, *stacks;
} memory_t;

static inline void
memory_take(memory_t *memory, const bitactor_config_t *config)
{
	size_t bytes = bitactor_engine_bytes(config);
	memory->block = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (memory->block == NULL ||
	    bitactor_engine_init(memory->block, bytes, config, &memory->engine) != BITACTOR_OK) {
		printf("no engine of %zu bytes\n", bytes);
		exit(1);
	}
	if (config->fibers == 0)
		return;
	bytes = bitactor_fibers_bytes(config);
	memory->stacks = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
	bitactor_status_t status = bitactor_fibers_init(memory->engine, memory->stacks, bytes);
	if (status != BITACTOR_OK) {
		printf("fibers: %s\n", bitactor_status_text(status));
		exit(status == BITACTOR_UNSUPPORTED ? 77 : 1);
	}
}

static inline void
memory_give(memory_t *memory)
{
	CHECK_EQ(bitactor_destroy(memory->engine), BITACTOR_OK);
	free(memory->block);
	free(memory->stacks);
	*memory = (memory_t){ 0 };
}

/* ---- taping -------------------------------------------------------------------------- */

typedef struct taping {
	/* as asked; zero is a good default but for the name */
	const char *name;
	uint64_t seed;
	bool     measured;   /* a real clock: OVERRUN records lie between the others */
	bool     no_program;
	uint32_t queue_slots, emit_slots, data_max, emit_data_blocks, fibers, segments;
	bitactor_outlet_t outlet;

	side_t   side;
	memory_t memory;
	bitactor_trace_writer_t *writer;
	uint64_t chance, now_ns, counts, readings;
	uint64_t sent; /* from outside */
} taping_t;

static inline uint64_t
taping_now(void *context)
{
	return ((taping_t *)context)->now_ns;
}

/* Every 50th reading jumps: some dispatches run over their budget. */
static inline uint64_t
taping_counts(void *context)
{
	taping_t *taping = context;
	taping->readings++;
	return taping->counts += taping->readings % 50 == 0 ? 100000 : 1;
}

static inline bitactor_config_t
taping_config(taping_t *taping)
{
	bitactor_config_t config;
	bitactor_config_default(&config);
	config.kinds            = KINDS;
	config.queue_slots      = taping->queue_slots != 0 ? taping->queue_slots : 64;
	config.emit_slots       = taping->emit_slots != 0 ? taping->emit_slots : 32;
	config.emit_data_blocks = taping->emit_data_blocks != 0 ? taping->emit_data_blocks : 8;
	config.data_max         = taping->data_max != 0 ? taping->data_max : 2048;
	config.data_blocks      = 64;
	config.fibers           = taping->fibers != 0 ? taping->fibers : 3;
	config.segments         = taping->segments != 0 ? taping->segments : 2;
	config.flags            = taping->measured ? BITACTOR_TIME_EACH : BITACTOR_VIRTUAL;
	config.seed             = taping->seed;
	config.schema           = rig_schema_hash(tape_schema);
	for (int i = 0; i < 16; i++)
		config.uuid[i] = (uint8_t)(taping->seed * 31 + (uint64_t)i * 7 + 1);
	return config;
}

static inline void
note_program(bitactor_engine_t *engine, const bitactor_config_t *config)
{
	bitactor_program_t program = { .module = "tape", .version = "1", .config = *config,
		                       .param_count = 1,
		                       .param = { { "speed", 7 } } };
	size_t text_bytes = 0;
	bitactor_blake3(tape_schema, strlen(tape_schema), program.schema);
	char *text = bitactor_program_text(&program, &text_bytes);
	CHECK(text != NULL);
	CHECK_EQ(bitactor_telemetry_note(engine, BITACTOR_RECORD_PROGRAM, text, text_bytes),
	         BITACTOR_OK);
	free(text);
}

static inline void
taping_begin(taping_t *taping)
{
	bitactor_config_t  config  = taping_config(taping);
	bitactor_counter_t counter = { .context = taping, .read = taping_counts, .hz = 24000000 };
	bitactor_host_t    host    = { .context = taping, .now_ns = taping_now };
	bitactor_trace_options_t options = { .path         = rig_path(taping->name, NULL),
		                             .schema_text  = tape_schema,
		                             .schema_bytes = strlen(tape_schema) };
	bitactor_error_t error = { .status = BITACTOR_OK };

	side = &taping->side;
	taping->chance = taping->seed;
	rig_remove(options.path);
	memcpy(options.uuid, config.uuid, sizeof options.uuid);
	CHECK_EQ(bitactor_trace_writer_open(&options, &taping->writer, &error), BITACTOR_OK);
	if (error.status != BITACTOR_OK) {
		printf("%s\n", error.text);
		exit(1);
	}
	bitactor_sink_t sink = bitactor_trace_writer_sink(taping->writer);
	config.host    = &host;
	config.counter = &counter;
	config.sink    = &sink;
	config.outlet  = taping->outlet.deliver != NULL ? &taping->outlet : NULL;
	memory_take(&taping->memory, &config);
	if (!taping->no_program)
		note_program(taping->memory.engine, &config);
	CHECK_EQ(bitactor_telemetry_note(taping->memory.engine, BITACTOR_RECORD_SCHEMA,
	                                 tape_schema, strlen(tape_schema)), BITACTOR_OK);
	table_t table = table_of(&taping->side);
	table_register(&table, taping->memory.engine);
}

static inline bitactor_signal_t
random_signal(uint64_t *chance)
{
	static const uint16_t kinds[] = { COUNT, COUNT, EMIT, EMIT, SPEAK, FAIL, LARGE, FIBER,
		                          WAKE, WAKE, PLAIN, DATA, DATA, NOBODY, KINDS, 999 };
	uint64_t draw = probe_random(chance);
	uint64_t mask = draw >> 62 == 0 ? UINT64_MAX : 0xFFF;
	bitactor_signal_t signal = { .kind    = kinds[draw % 16],
		                     .actor   = (uint32_t)(draw >> 4) % 3,
		                     .payload = draw >> 8 & mask,
		                     .seal    = (uint32_t)(draw >> 5) };
	if (draw >> 60 < 6) {
		signal.context   = probe_random(chance);
		signal.timestamp = draw >> 3;
		signal.id        = (uint32_t)(draw >> 20);
		signal.priority  = (uint8_t)(draw >> 30);
		signal.flags     = (uint8_t)(draw >> 40);
	}
	return signal;
}

/* One signal through the queue, one in four with data. */
static inline void
taping_enqueue(taping_t *taping)
{
	uint8_t data[2048];
	bitactor_signal_t signal = random_signal(&taping->chance);
	uint64_t draw = probe_random(&taping->chance);
	size_t   data_bytes = draw % 4 == 0 ? 1 + (draw >> 8) % 100 : 0;
	if (draw % 64 == 0)
		data_bytes = 1 + (draw >> 8) % sizeof data;
	probe_random_bytes(&taping->chance, data, data_bytes);
	bitactor_status_t status = bitactor_enqueue_data(taping->memory.engine, &signal, data,
	                                                 data_bytes);
	taping->sent += status == BITACTOR_OK;
}

/* Signals and turns until `signals` were sent; then the engine may still have some. */
static inline void
taping_run(taping_t *taping, uint64_t signals)
{
	side        = &taping->side;
	side_engine = taping->memory.engine;
	for (uint64_t end = taping->sent + signals; taping->sent < end;) {
		uint64_t draw = probe_random(&taping->chance);
		taping->now_ns += (draw >> 32) % 1000;
		if (draw % 8 == 0) {
			bitactor_signal_t signal = random_signal(&taping->chance);
			(void)bitactor_tick(taping->memory.engine, &signal, NULL);
			taping->sent++;
			continue;
		}
		for (uint64_t i = (draw >> 8) % 20; i > 0; i--)
			taping_enqueue(taping);
		uint64_t max = draw % 3 == 0 ? 1 + (draw >> 16) % 4
		               : draw % 3 == 1 ? 1 + (draw >> 16) % 40
		                               : 100000;
		(void)bitactor_drain(taping->memory.engine, max, NULL);
		CHECK_EQ(bitactor_telemetry_flush(taping->memory.engine), BITACTOR_OK);
	}
}

/* `closed` false: what a killed process leaves. */
static inline void
taping_end(taping_t *taping, bool closed)
{
	bitactor_error_t error = { .status = BITACTOR_OK };
	if (closed)
		CHECK_EQ(bitactor_telemetry_close(taping->memory.engine, NULL), BITACTOR_OK);
	else
		CHECK_EQ(bitactor_telemetry_flush(taping->memory.engine), BITACTOR_OK);
	CHECK_EQ(bitactor_trace_writer_close(taping->writer, &error), BITACTOR_OK);
	memory_give(&taping->memory);
}

static inline void
tape(const char *name, uint64_t seed, uint64_t signals, bool closed)
{
	taping_t taping = { .name = name, .seed = seed };
	taping_begin(&taping);
	taping_run(&taping, signals);
	taping_end(&taping, closed);
}

/* ---- playing ------------------------------------------------------------------------- */

typedef struct playing {
	side_t   side;
	memory_t memory;
	bitactor_replay_t *replay;
	const volatile sig_atomic_t *stop;
	bitactor_replay_report_t report;
	bitactor_error_t  error;
	bitactor_status_t status;
} playing_t;

/* Open the trace; false, and status, if that cannot be. */
static inline bool
playing_open(playing_t *playing, const char *name)
{
	memset(&playing->error, 0, sizeof playing->error);
	playing->status = bitactor_replay_open(rig_path(name, NULL), &playing->replay,
	                                       &playing->error);
	CHECK_EQ(playing->error.status, playing->status);
	CHECK((playing->replay != NULL) == (playing->status == BITACTOR_OK));
	return playing->status == BITACTOR_OK;
}

/* Make the engine and note what the trace notes; `change` may change its config. */
static inline void
playing_engine(playing_t *playing, void (*change)(bitactor_config_t *config, void *context),
               void *context)
{
	bitactor_trace_facts_t facts;
	bitactor_config_t config = *bitactor_replay_config(playing->replay);
	if (change != NULL)
		change(&config, context);
	bitactor_replay_facts(playing->replay, &facts);
	memory_take(&playing->memory, &config);
	CHECK_EQ(bitactor_telemetry_note(playing->memory.engine, BITACTOR_RECORD_PROGRAM,
	                                 facts.program_text, facts.program_bytes), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_note(playing->memory.engine, BITACTOR_RECORD_SCHEMA,
	                                 facts.schema_text, facts.schema_bytes), BITACTOR_OK);
}

static inline void
playing_run(playing_t *playing)
{
	side        = &playing->side;
	side_engine = playing->memory.engine;
	memset(&playing->report, 0xA5, sizeof playing->report);
	playing->status = bitactor_replay_run(playing->replay, playing->memory.engine,
	                                      playing->stop, &playing->report, &playing->error);
	CHECK_EQ(playing->error.status, playing->status);
}

static inline void
playing_close(playing_t *playing)
{
	if (playing->memory.engine != NULL)
		memory_give(&playing->memory);
	bitactor_replay_close(playing->replay);
	playing->replay = NULL;
}

/* All of it but the closing, so that the report can be looked at. */
static inline bool
play(playing_t *playing, const char *name)
{
	if (!playing_open(playing, name))
		return false;
	playing_engine(playing, NULL, NULL);
	table_t table = table_of(&playing->side);
	table_register(&table, playing->memory.engine);
	playing_run(playing);
	return true;
}

/* ---- a trace as a list --------------------------------------------------------------- */

typedef struct place {
	bitactor_record_t record; /* `own` is NULL */
	uint64_t seq, turn, segment;
	uint64_t turn_number; /* TURN records so far */
} place_t;

typedef struct places {
	place_t *at;
	size_t   count, compared;
	bitactor_trace_end_t end;
} places_t;

/* All records of a trace, whatever their kind; `at` for free(). */
static inline places_t
places_of(const char *name)
{
	places_t places = { 0 };
	size_t   room = 0;
	uint64_t turns = 0;
	bitactor_trace_reader_t *reader;
	if (bitactor_trace_open(rig_path(name, NULL), &reader, NULL) != BITACTOR_OK)
		return places;
	for (;;) {
		if (places.count == room) {
			room = room * 2 + 1024;
			places.at = realloc(places.at, room * sizeof *places.at);
		}
		place_t *place = &places.at[places.count];
		bitactor_status_t status =
		        bitactor_trace_next(reader, &place->record, &place->seq, NULL);
		if (status != BITACTOR_OK && status != BITACTOR_BUSY)
			break;
		turns += place->record.kind == BITACTOR_RECORD_TURN;
		place->turn_number = turns;
		place->turn        = bitactor_trace_turn(reader);
		place->segment     = bitactor_trace_segment(reader);
		place->record.own  = NULL;
		places.compared += bitactor_record_is_compared(&place->record);
		places.count++;
	}
	places.end = bitactor_trace_end(reader);
	bitactor_trace_close(reader);
	return places;
}

/* The nth (from 1) record of a kind, or NULL. */
static inline const place_t *
places_find(const places_t *places, uint16_t kind, uint64_t nth)
{
	for (size_t i = 0; i < places->count; i++)
		if (places->at[i].record.kind == kind && --nth == 0)
			return &places->at[i];
	return NULL;
}

#endif
