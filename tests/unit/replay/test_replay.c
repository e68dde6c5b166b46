/* SPDX-License-Identifier: Apache-2.0 */
/* test_replay.c -- what was recorded comes again, or the first that does not is named.
 *
 * Traces come from a real engine with handlers that do all that handlers may do
 * (replay_rig.h), or are forged from such ones record by record (replay_forge.h).
 */
#include "replay_forge.h"

#include <malloc.h>

/* ---- a heap that fails when told to -------------------------------------------------- */

#if !PROBE_SANITIZED && defined(__GLIBC__)
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);

static uint64_t fail_in; /* calls; 0: never */

static bool
fails_now(void)
{
	return fail_in > 0 && --fail_in == 0;
}

void *
malloc(size_t bytes)
{
	return fails_now() ? NULL : __libc_malloc(bytes);
}

void *
calloc(size_t count, size_t bytes)
{
	return fails_now() ? NULL : __libc_calloc(count, bytes);
}

void *
realloc(void *block, size_t bytes)
{
	return fails_now() ? NULL : __libc_realloc(block, bytes);
}
#endif

/* ---- what is the same ---------------------------------------------------------------- */

static bool
is_dispatch(const bitactor_record_t *record)
{
	return forge_is_dispatch(record);
}

static size_t
dispatches_in(const places_t *places)
{
	size_t count = 0;
	for (size_t i = 0; i < places->count; i++)
		count += is_dispatch(&places->at[i].record);
	return count;
}

static void
check_equal(const playing_t *playing, const places_t *places)
{
	const bitactor_replay_report_t *report = &playing->report;
	CHECK_EQ(playing->status, BITACTOR_OK);
	if (playing->status != BITACTOR_OK)
		printf("%s\n", playing->error.text);
	CHECK_EQ(report->difference, BITACTOR_DIFFERENCE_NONE);
	CHECK(report->expected == NULL);
	CHECK(report->actual == NULL);
	CHECK_EQ(report->end, places->end);
	CHECK_EQ(report->turn, places->count > 0 ? places->at[places->count - 1].turn_number : 0);
	CHECK_EQ(report->signals, dispatches_in(places));
	bool closed = places->end == BITACTOR_TRACE_CLOSED;
	CHECK_EQ(report->compared, places->compared - closed); /* CLOSE itself is the reader's */
	CHECK_EQ(bitactor_replay_seq(playing->replay), report->compared - 1);
}

/* What a good mix of traces has met. */
typedef struct met {
	uint64_t rejects, resumes, outputs, failed, ticks, fields, data, overruns, left_over,
	        large_turns, full, deliveries;
} met_t;

static void
meet(met_t *met, const places_t *places)
{
	uint64_t in_turn = 0;
	for (size_t i = 0; i < places->count; i++) {
		const bitactor_record_t *record = &places->at[i].record;
		bool outside = (record->flags & BITACTOR_RECORD_OUTSIDE) != 0;
		met->rejects += record->kind == BITACTOR_RECORD_REJECT;
		met->resumes += record->kind == BITACTOR_RECORD_RESUME;
		met->outputs += record->kind == BITACTOR_RECORD_OUTPUT;
		met->overruns += record->kind == BITACTOR_RECORD_OVERRUN;
		met->failed += (record->flags & BITACTOR_RECORD_FAILED) != 0;
		met->ticks += outside && record->cause == BITACTOR_SOURCE_TICK;
		met->fields += (record->flags & BITACTOR_RECORD_HAS_FIELDS) != 0;
		met->data += record->kind < BITACTOR_MAX_KINDS &&
		             (record->flags & BITACTOR_RECORD_HAS_DATA) != 0;
		met->left_over += i > 0 && is_dispatch(record) && !outside &&
		                  places->at[i - 1].record.kind == BITACTOR_RECORD_TURN;
		in_turn = record->kind == BITACTOR_RECORD_TURN ? 0 : in_turn + outside;
		met->large_turns += in_turn == 40;
	}
}

static void
test_random(uint64_t seed)
{
	SCENARIO("a run of any kind comes again, every record of it") {
		GIVEN("random signals, ticks and turns, tiny queues, data, fibers, both clocks");
		uint64_t rounds = probe_scale(150);
		met_t met = { 0 };
		for (uint64_t i = 0; i < rounds && bdd_broken == 0; i++) {
			uint32_t n = (uint32_t)i;
			taping_t taping = { .name             = "random",
				            .seed             = seed + i,
				            .measured         = n % 3 == 0,
				            .queue_slots      = 2u << n % 7,
				            .emit_slots       = 2u << n % 6,
				            .emit_data_blocks = 1 + n % 4,
				            .fibers           = 1 + n % 5,
				            .segments         = 2 + n % 3 };
			taping_begin(&taping);
			taping_run(&taping, 600);
			taping_end(&taping, true);
			places_t places = places_of("random");
			CHECK_EQ(places.end, BITACTOR_TRACE_CLOSED);
			meet(&met, &places);

			playing_t playing = { 0 };
			CHECK(play(&playing, "random"));
			check_equal(&playing, &places);
			CHECK(memcmp(&playing.side, &taping.side, sizeof taping.side) == 0);
			playing_close(&playing);
			free(places.at);
			if (bdd_broken != 0)
				printf("round %" PRIu64 " of --seed %" PRIu64 "\n", i, seed);
		}
		THEN("all that can be in a trace was in them");
		CHECK(met.rejects > rounds && met.resumes > rounds && met.outputs > rounds);
		CHECK(met.failed > rounds && met.ticks > rounds && met.fields > rounds);
		CHECK(met.data > rounds && met.left_over > rounds);
		CHECK(met.overruns > 0 && met.large_turns > 0);
	}
}

/* What became of signals from outside that waited when a handler stopped the engine. */
enum others { NO_OTHERS, OTHERS_LATER, OTHERS_DROPPED, OTHERS };

static enum others
stop_met_others(const places_t *places)
{
	uint64_t stopped = UINT64_MAX; /* in which turn */
	for (size_t i = 0; i < places->count; i++) {
		const bitactor_record_t *record = &places->at[i].record;
		uint64_t turn = places->at[i].turn_number;
		bool  outside = (record->flags & BITACTOR_RECORD_OUTSIDE) != 0;
		if (turn > stopped && is_dispatch(record) && outside)
			return OTHERS_LATER;
		if (turn >= stopped && record->kind == BITACTOR_RECORD_DROP &&
		    record->cause == BITACTOR_SOURCE_SHARED)
			return OTHERS_DROPPED;
		if (record->kind == BITACTOR_RECORD_STOP && !outside)
			stopped = turn;
	}
	return NO_OTHERS;
}

static void
check_policies(const taping_t *taping, const places_t *places)
{
	playing_t playing = { .side.policies = 1 };
	CHECK(play(&playing, taping->name));
	if (stop_met_others(places) != NO_OTHERS) {
		CHECK_EQ(playing.status, BITACTOR_UNSUPPORTED);
		CHECK(strstr(playing.error.text, "a handler stopped the engine") != NULL);
		CHECK_EQ(playing.report.difference, BITACTOR_DIFFERENCE_NONE);
	} else {
		check_equal(&playing, places);
		CHECK(memcmp(&playing.side, &taping->side, sizeof taping->side) == 0);
	}
	playing_close(&playing);
}

static void
test_policies(uint64_t seed)
{
	SCENARIO("retries, letters, quarantines, changes of the table and stops come again") {
		GIVEN("handlers with policies, and one that registers, unregisters and stops");
		uint64_t rounds = 20, most = 2000, met[OTHERS] = { 0 }, kinds[0x20] = { 0 }, i = 0;
		for (; bdd_broken == 0 &&
		       (i < rounds || (i < most && (met[OTHERS_LATER] < 2 ||
		                                    met[OTHERS_DROPPED] < 2))); i++) {
			uint32_t n = (uint32_t)i;
			taping_t taping = { .name          = "policies",
				            .seed          = seed + i,
				            .side.policies = 1,
				            .queue_slots   = 8u << n % 4,
				            .emit_slots    = 8u << n % 4,
				            .emit_data_blocks = 4,
				            .fibers        = 1 + n % 5,
				            .segments      = 2 };
			taping_begin(&taping);
			taping_run(&taping, 200);
			taping_end(&taping, true);
			places_t places = places_of("policies");
			for (size_t k = 0; k < places.count; k++)
				if (places.at[k].record.kind - 0xFF00u < 0x20 &&
				    places.at[k].record.cause != 0)
					kinds[places.at[k].record.kind - 0xFF00]++;
			met[stop_met_others(&places)]++;
			check_policies(&taping, &places);
			free(places.at);
			if (bdd_broken != 0)
				printf("round %" PRIu64 " of --seed %" PRIu64 "\n", i, seed);
		}
		THEN("each kind of record of it was there, asked for by a dispatch; what a "
		     "replay cannot repeat is refused, and that is seldom");
		CHECK(met[NO_OTHERS] > i / 2);
		CHECK(met[OTHERS_LATER] > 0 && met[OTHERS_DROPPED] > 0);
		CHECK(kinds[BITACTOR_RECORD_RETRY - 0xFF00] > 0);
		CHECK(kinds[BITACTOR_RECORD_DEAD - 0xFF00] > 0);
		CHECK(kinds[BITACTOR_RECORD_QUARANTINE - 0xFF00] > 0);
		CHECK(kinds[BITACTOR_RECORD_REGISTER - 0xFF00] > 0);
		CHECK(kinds[BITACTOR_RECORD_STOP - 0xFF00] > 0);
	}
}

/* ---- the same bytes ------------------------------------------------------------------ */

/* A sink that hands on to the replay's and to a writer's. */
typedef struct tee {
	bitactor_sink_t replay, writer, sink;
} tee_t;

static bitactor_status_t
tee_take(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from, uint32_t to,
         bool sealed)
{
	const tee_t *tee = context;
	bitactor_status_t status =
	        tee->replay.take(tee->replay.context, segment, bytes, from, to, sealed);
	if (status != BITACTOR_OK)
		return status;
	return tee->writer.take(tee->writer.context, segment, bytes, from, to, sealed);
}

static void
tee_into(bitactor_config_t *config, void *context)
{
	tee_t *tee   = context;
	tee->replay  = *config->sink;
	tee->sink    = (bitactor_sink_t){ .context = tee, .take = tee_take };
	config->sink = &tee->sink;
}

static void
play_into(const char *from, const char *to)
{
	playing_t playing = { 0 };
	tee_t     tee;
	bitactor_trace_facts_t   facts;
	bitactor_trace_writer_t *writer;
	CHECK(playing_open(&playing, from));
	bitactor_replay_facts(playing.replay, &facts);
	bitactor_trace_options_t options = { .path         = rig_path(to, NULL),
		                             .schema_text  = facts.schema_text,
		                             .schema_bytes = facts.schema_bytes };
	memcpy(options.uuid, facts.header.uuid, sizeof options.uuid);
	CHECK_EQ(bitactor_trace_writer_open(&options, &writer, NULL), BITACTOR_OK);
	tee.writer = bitactor_trace_writer_sink(writer);
	playing_engine(&playing, tee_into, &tee);
	table_t table = table_of(&playing.side);
	table_register(&table, playing.memory.engine);
	playing_run(&playing);
	CHECK_EQ(playing.status, BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_close(playing.memory.engine, NULL), BITACTOR_OK);
	CHECK_EQ(bitactor_trace_writer_close(writer, NULL), BITACTOR_OK);
	playing_close(&playing);
}

static uint64_t
jumping_counts(void *context)
{
	static uint64_t counts;
	(void)context;
	return counts += 1000;
}

static void
measure(bitactor_config_t *config, void *context)
{
	static const bitactor_counter_t counter = { .read = jumping_counts, .hz = 24000000 };
	(void)context;
	config->flags   = BITACTOR_TIME_EACH;
	config->counter = &counter;
}

static bool
same_file(const char *a, const char *b, const char *part)
{
	rig_bytes_t left = rig_read(rig_path(a, part)), right = rig_read(rig_path(b, part));
	bool same = left.count > 0 && left.count == right.count &&
	            memcmp(left.at, right.at, left.count) == 0;
	free(left.at);
	free(right.at);
	return same;
}

static void
test_virtual(uint64_t seed)
{
	SCENARIO("a trace of virtual time, played again and recorded again, is the same bytes") {
		tape("first", seed, 3000, true);
		WHEN("it is played into a trace, and that one again");
		play_into("first", "second");
		play_into("second", "third");
		THEN("all three are equal to the byte");
		CHECK(same_file("first", "second", "trace"));
		CHECK(same_file("first", "second", "metadata"));
		CHECK(same_file("second", "third", "trace"));
		rig_remove(rig_path("second", NULL));
		rig_remove(rig_path("third", NULL));
	}
	SCENARIO("one of a real clock, played again and recorded, is a trace of the same run") {
		taping_t taping = { .name = "first", .seed = seed, .measured = true };
		taping_begin(&taping);
		taping_run(&taping, 1000);
		taping_end(&taping, true);
		play_into("first", "second");
		playing_t playing = { 0 };
		places_t  places  = places_of("second");
		CHECK(play(&playing, "second"));
		check_equal(&playing, &places);
		playing_close(&playing);
		free(places.at);
		rig_remove(rig_path("second", NULL));
	}
	SCENARIO("an engine that measures plays it as well: what it measured is not compared") {
		tape("first", seed, 1000, true);
		playing_t playing = { 0 };
		places_t  places  = places_of("first");
		CHECK(playing_open(&playing, "first"));
		playing_engine(&playing, measure, NULL);
		CHECK_EQ(bitactor_telemetry_note(playing.memory.engine, BITACTOR_RECORD_STATS,
		                                 "of no account", 13), BITACTOR_OK);
		table_t table = table_of(&playing.side);
		table_register(&table, playing.memory.engine);
		playing_run(&playing);
		check_equal(&playing, &places);
		CHECK(probe_stats(playing.memory.engine).overruns > 0);
		playing_close(&playing);
		free(places.at);
	}
}

/* ---- handlers that changed ----------------------------------------------------------- */

/* Would a call with this payload show such a change? */
static bool
shows(change_t change, uint64_t payload)
{
	switch (change) {
	case OTHER_OUTPUT:
		return payload % 4 != 0 && payload * 37 % 1500 != 0;
	case OTHER_LARGE:
		return payload % 5 == 0 || payload % 3 != 0;
	case EMIT_OTHER:
		return payload % 4 != 0;
	default:
		return true;
	}
}

/* Play "changed" with the nth call of `kind` done otherwise. */
static void
check_change(const places_t *places, uint16_t kind, change_t change, uint64_t nth)
{
	const place_t *place = places_find(places, kind, nth);
	while (place != NULL && !shows(change, place->record.payload))
		place = places_find(places, kind, ++nth);
	CHECK(place != NULL);
	if (place == NULL)
		return;
	playing_t playing = { .side = { .change = change, .kind = kind, .at = nth } };
	CHECK(play(&playing, "changed"));
	const bitactor_replay_report_t *report = &playing.report;
	CHECK_EQ(playing.status, BITACTOR_CORRUPT);
	CHECK_EQ(report->difference, BITACTOR_DIFFERENCE_EFFECT);
	CHECK_EQ(report->compared, place->seq);
	CHECK_EQ(report->turn, place->turn_number);
	CHECK_EQ(bitactor_replay_seq(playing.replay), place->seq - 1);
	/* recording on must not hurt what the report shows */
	size_t before = 0, count = 0;
	(void)bitactor_replay_actual(playing.replay, &before);
	CHECK_EQ(bitactor_telemetry_close(playing.memory.engine, NULL), BITACTOR_OK);
	(void)bitactor_replay_actual(playing.replay, &count);
	CHECK_EQ(count, before);
	if (report->expected == NULL || report->actual == NULL) {
		CHECK(report->expected != NULL && report->actual != NULL);
		playing_close(&playing);
		return;
	}
	CHECK_EQ(report->expected->seq, place->seq);
	CHECK_EQ(report->actual->seq, place->seq);
	CHECK_EQ(report->expected->record.kind, kind);
	CHECK_EQ(report->expected->record.effect, place->record.effect);
	CHECK(report->actual->record.effect != place->record.effect);
	bool now_fails = (report->actual->record.flags & BITACTOR_RECORD_FAILED) != 0;
	bool failed    = (place->record.flags & BITACTOR_RECORD_FAILED) != 0;
	CHECK_EQ(now_fails, failed ^ (change == OTHER_STATUS));
	const bitactor_replay_record_t *list = bitactor_replay_expected(playing.replay, &count);
	CHECK(report->expected >= list && report->expected < list + count);
	CHECK_EQ(list[0].record.kind, BITACTOR_RECORD_TURN);
	list = bitactor_replay_actual(playing.replay, &count);
	CHECK(report->actual >= list && report->actual < list + count);
	CHECK_EQ(list[0].record.kind, BITACTOR_RECORD_TURN);
	playing_close(&playing);
}

static void
test_changes(uint64_t seed)
{
	static const struct {
		uint16_t kind;
		change_t change;
	} cases[] = {
		{ COUNT, OTHER_STATE },  { PLAIN, OTHER_RESULT },  { PLAIN, OTHER_STATUS },
		{ SPEAK, OTHER_OUTPUT }, { LARGE, OTHER_LARGE },   { PLAIN, EMIT_MORE },
		{ COUNT, OUTPUT_MORE },  { EMIT, EMIT_OTHER },     { DATA, OTHER_STATUS },
		{ FAIL, OTHER_STATUS },  { SPEAK, OTHER_RESULT },
	};
	SCENARIO("a handler that does one thing otherwise is found at that very dispatch") {
		GIVEN("a trace, and handlers that change state, result, status, output or emits");
		taping_t taping = { .name = "changed", .seed = seed, .emit_slots = 1024,
			            .emit_data_blocks = 1024 };
		taping_begin(&taping);
		taping_run(&taping, 2000);
		taping_end(&taping, true);
		places_t places = places_of("changed");
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			for (uint64_t nth = 1; nth < 60; nth = nth * 3 + 2)
				check_change(&places, cases[i].kind, cases[i].change, nth);
		free(places.at);
	}
}

/* ---- a signal that nobody recorded --------------------------------------------------- */

typedef struct intruder {
	bitactor_engine_t *engine;
	bitactor_outlet_t  outlet;
	uint32_t after; /* outputs */
} intruder_t;

/* An outlet is outside of the engine: what it sends comes in through the door. */
static void
intrude(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)port, (void)bytes, (void)byte_count;
	intruder_t *intruder = context;
	const bitactor_signal_t signal = { .kind = PLAIN, .payload = 999999 };
	if (intruder->after-- == 1)
		CHECK_EQ(bitactor_enqueue(intruder->engine, &signal), BITACTOR_OK);
}

static void
let_intrude(bitactor_config_t *config, void *context)
{
	intruder_t *intruder = context;
	intruder->outlet = (bitactor_outlet_t){ .context = context, .deliver = intrude };
	config->outlet   = &intruder->outlet;
}

static void
test_intruder(void)
{
	SCENARIO("a signal that was not recorded is found where it is dispatched") {
		GIVEN("two turns of two signals, of which the first one outputs");
		taping_t taping = { .name = "intruded", .seed = 5 };
		taping_begin(&taping);
		for (int turn = 0; turn < 2; turn++) {
			const bitactor_signal_t signals[2] = { { .kind = SPEAK, .payload = 1 },
				                               { .kind = PLAIN } };
			CHECK_EQ(bitactor_enqueue_many(taping.memory.engine, signals, 2, NULL),
			         BITACTOR_OK);
			CHECK_EQ(bitactor_drain(taping.memory.engine, 100, NULL), BITACTOR_OK);
		}
		taping_end(&taping, true);
		places_t places = places_of("intruded");
		const place_t *second = places_find(&places, BITACTOR_RECORD_TURN, 2);
		WHEN("it is played, and somebody else sends a signal after the first output");
		playing_t  playing  = { 0 };
		intruder_t intruder = { .after = 1 };
		CHECK(playing_open(&playing, "intruded"));
		playing_engine(&playing, let_intrude, &intruder);
		intruder.engine = playing.memory.engine;
		table_t table = table_of(&playing.side);
		table_register(&table, playing.memory.engine);
		playing_run(&playing);
		THEN("it is another signal in the place of the second turn's first");
		CHECK_EQ(playing.status, BITACTOR_CORRUPT);
		CHECK_EQ(playing.report.difference, BITACTOR_DIFFERENCE_SIGNAL);
		CHECK_EQ(playing.report.compared, second->seq + 1);
		CHECK(playing.report.expected != NULL &&
		      playing.report.expected->record.kind == SPEAK);
		CHECK(playing.report.actual != NULL &&
		      playing.report.actual->record.payload == 999999);
		playing_close(&playing);
		free(places.at);
	}
}

/* ---- forged records ------------------------------------------------------------------ */

static bool
ends_turn(const forge_t *forge, size_t i)
{
	uint16_t next = i + 1 < forge->count ? forge->at[i + 1].record.kind : 0;
	return next == BITACTOR_RECORD_TURN || next == BITACTOR_RECORD_CLOSE;
}

static bool
is_emitted(const forge_t *forge, size_t i)
{
	const bitactor_record_t *record = &forge->at[i].record;
	return record->kind == COUNT && (record->flags & BITACTOR_RECORD_OUTSIDE) == 0;
}

static bool
is_emitted_fields(const forge_t *forge, size_t i)
{
	return is_emitted(forge, i) && forge->at[i].record.id > 1 &&
	       forge->at[i].record.context > 1;
}

static bool
is_emitted_data(const forge_t *forge, size_t i)
{
	const bitactor_record_t *record = &forge->at[i].record;
	return record->kind < BITACTOR_MAX_KINDS &&
	       (record->flags & BITACTOR_RECORD_OUTSIDE) == 0 && forge->at[i].data_bytes > 1;
}

static bool
is_from_queue(const forge_t *forge, size_t i)
{
	const bitactor_record_t *record = &forge->at[i].record;
	return record->kind == PLAIN && (record->flags & BITACTOR_RECORD_OUTSIDE) != 0 &&
	       record->cause == BITACTOR_SOURCE_SHARED;
}

static bool
is_tick(const forge_t *forge, size_t i)
{
	const bitactor_record_t *record = &forge->at[i].record;
	return record->kind < BITACTOR_MAX_KINDS && ends_turn(forge, i) &&
	       (record->flags & BITACTOR_RECORD_OUTSIDE) != 0 &&
	       record->cause == BITACTOR_SOURCE_TICK;
}

static bool
is_last_output(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_OUTPUT && ends_turn(forge, i);
}

static bool
is_inner_output(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_OUTPUT && !ends_turn(forge, i);
}

static bool
is_output_of_bytes(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_OUTPUT && forge->at[i].data_bytes > 400;
}

static bool
is_reject(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_REJECT;
}

static bool
is_resume(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_RESUME;
}

static bool
is_register(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_REGISTER;
}

static bool
is_last_register(const forge_t *forge, size_t i)
{
	return is_register(forge, i) && forge->at[i + 1].record.kind == BITACTOR_RECORD_TURN;
}

static bool
is_third_turn(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_TURN && forge->at[i].turn == 3;
}

/* A turn that begins with what the one before left over. */
static bool
is_left_over(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_TURN &&
	       is_dispatch(&forge->at[i + 1].record) &&
	       (forge->at[i + 1].record.flags & BITACTOR_RECORD_OUTSIDE) == 0;
}

static bool
is_close(const forge_t *forge, size_t i)
{
	return forge->at[i].record.kind == BITACTOR_RECORD_CLOSE;
}

/* The last record of a turn that left nothing over: the next begins from outside. */
static bool
is_turns_end(const forge_t *forge, size_t i)
{
	if (!is_dispatch(&forge->at[i].record) || !ends_turn(forge, i) || i + 2 >= forge->count)
		return false;
	const bitactor_record_t *next = &forge->at[i + 2].record;
	return forge->at[i].turn > 5 && is_dispatch(next) &&
	       (next->flags & BITACTOR_RECORD_OUTSIDE) != 0 &&
	       next->cause == BITACTOR_SOURCE_SHARED;
}

/* Edits change the record found, or near it, and return where the difference is. */
typedef size_t (*edit_fn)(forge_t *forge, size_t at);

static size_t
edit_failed(forge_t *forge, size_t at)
{
	forge->at[at].record.flags ^= BITACTOR_RECORD_FAILED;
	return at;
}

static size_t
edit_zero_tick(forge_t *forge, size_t at)
{
	forge->at[at].record.flags ^= BITACTOR_RECORD_ZERO_TICK;
	return at;
}

static size_t
edit_kind(forge_t *forge, size_t at)
{
	forge->at[at].record.kind = WAKE;
	return at;
}

static size_t
edit_cause(forge_t *forge, size_t at)
{
	forge->at[at].cause_at--;
	return at;
}

static size_t
edit_source(forge_t *forge, size_t at)
{
	forge->at[at].record.cause = 5;
	return at;
}

static size_t
edit_data(forge_t *forge, size_t at)
{
	forge->at[at].data[forge->at[at].data_bytes - 1] ^= 1;
	return at;
}

static size_t
edit_data_shorter(forge_t *forge, size_t at)
{
	forge->at[at].data_bytes--;
	return at;
}

static size_t
edit_own(forge_t *forge, size_t at)
{
	forge->at[at].own[2]++; /* the reason */
	return at;
}

static size_t
edit_remove(forge_t *forge, size_t at)
{
	forge_remove(forge, at);
	return at;
}

/* One more of a kind behind the record found. */
static size_t
append(forge_t *forge, size_t at, uint16_t kind, size_t cause_at)
{
	forged_t one = { .record = { .kind = kind }, .turn = forge->at[at].turn,
		         .cause_at = cause_at };
	(void)forge_insert(forge, at + 1, &one);
	return at + 1;
}

static size_t
edit_add_output(forge_t *forge, size_t at)
{
	return append(forge, at, BITACTOR_RECORD_OUTPUT, at);
}

static size_t
edit_add_signal(forge_t *forge, size_t at)
{
	return append(forge, at, COUNT, at);
}

static size_t
edit_add_drop(forge_t *forge, size_t at)
{
	return append(forge, at, BITACTOR_RECORD_DROP, SIZE_MAX);
}

static size_t
edit_add_register(forge_t *forge, size_t at)
{
	size_t added = append(forge, at, BITACTOR_RECORD_REGISTER, SIZE_MAX);
	forge->at[added].record.actor = NOBODY;
	forge->at[added].record.flags |= BITACTOR_RECORD_OUTSIDE;
	return added;
}

/* A TURN in which nothing is, before the record found. */
static size_t
edit_empty_turn(forge_t *forge, size_t at)
{
	forged_t one = { .record   = { .kind = BITACTOR_RECORD_TURN, .payload = UINT64_MAX },
		         .turn     = forge->at[at].turn,
		         .cause_at = SIZE_MAX };
	(void)forge_insert(forge, at, &one);
	return at;
}

/* A turn for a signal that was never emitted, behind the record found. */
static size_t
edit_vain_turn(forge_t *forge, size_t at)
{
	size_t turn = append(forge, at, BITACTOR_RECORD_TURN, SIZE_MAX);
	(void)append(forge, turn, COUNT, at);
	return turn;
}

static size_t
edit_time(forge_t *forge, size_t at)
{
	CHECK(forge->at[at].record.payload > 0);
	forge->at[at].record.payload = 0; /* before the turn before */
	return at;
}

static size_t
edit_stop(forge_t *forge, size_t at)
{
	forged_t one = { .record   = { .kind  = BITACTOR_RECORD_STOP,
		                       .flags = BITACTOR_RECORD_OUTSIDE },
		         .turn     = forge->at[at].turn,
		         .cause_at = SIZE_MAX };
	(void)forge_insert(forge, at, &one);
	return at;
}

static size_t
edit_register(forge_t *forge, size_t at)
{
	forged_t one = { .record   = { .kind = BITACTOR_RECORD_REGISTER, .payload = 1,
		                       .flags = BITACTOR_RECORD_OUTSIDE },
		         .turn     = forge->at[at].turn,
		         .cause_at = SIZE_MAX };
	(void)forge_insert(forge, at, &one);
	return at;
}

#define EFFECT  BITACTOR_DIFFERENCE_EFFECT
#define SIGNAL  BITACTOR_DIFFERENCE_SIGNAL
#define BYTES   BITACTOR_DIFFERENCE_DATA
#define MISSING BITACTOR_DIFFERENCE_MISSING
#define EXTRA   BITACTOR_DIFFERENCE_EXTRA
#define NONE    BITACTOR_DIFFERENCE_NONE

/* A bit of this field is turned, and that is where the difference is. */
#define BIT_OF(field) NULL, offsetof(bitactor_record_t, field)

static const struct forgery {
	const char *what;
	bool (*is_it)(const forge_t *forge, size_t index);
	edit_fn edit;
	size_t  field;
	enum bitactor_difference difference;
} forgeries[] = {
	{ "nothing", is_close, NULL, 0, NONE },
	{ "the FAILED flag of a dispatch", is_emitted, edit_failed, 0, EFFECT },
	{ "a bit of an effect", is_emitted, BIT_OF(effect), EFFECT },
	{ "the effect of a fiber that goes on", is_resume, BIT_OF(effect), EFFECT },
	{ "an input", is_from_queue, BIT_OF(payload), EFFECT },
	{ "the kind of an emitted signal", is_emitted, edit_kind, 0, SIGNAL },
	{ "its actor", is_emitted, BIT_OF(actor), SIGNAL },
	{ "its cause", is_emitted, edit_cause, 0, SIGNAL },
	{ "its payload", is_emitted, BIT_OF(payload), SIGNAL },
	{ "its context", is_emitted_fields, BIT_OF(context), SIGNAL },
	{ "its timestamp", is_emitted_fields, BIT_OF(timestamp), SIGNAL },
	{ "its id", is_emitted_fields, BIT_OF(id), SIGNAL },
	{ "its flags", is_emitted_fields, BIT_OF(signal_flags), SIGNAL },
	{ "its priority", is_emitted_fields, BIT_OF(priority), SIGNAL },
	{ "that it took a tick", is_emitted, edit_zero_tick, 0, SIGNAL },
	{ "a byte of its data", is_emitted_data, edit_data, 0, BYTES },
	{ "the length of its data", is_emitted_data, edit_data_shorter, 0, BYTES },
	{ "the source of a signal", is_from_queue, edit_source, 0, SIGNAL },
	{ "a byte of an output", is_output_of_bytes, edit_data, 0, BYTES },
	{ "the length of an output", is_output_of_bytes, edit_data_shorter, 0, SIGNAL },
	{ "the port of an output", is_output_of_bytes, BIT_OF(actor), SIGNAL },
	{ "the reason of a rejection", is_reject, edit_own, 0, SIGNAL },
	{ "which fiber goes on", is_resume, BIT_OF(payload), SIGNAL },
	{ "an output that is last in its turn, gone", is_last_output, edit_remove, 0, EXTRA },
	{ "another output, gone", is_inner_output, edit_remove, 0, SIGNAL },
	{ "an output more", is_turns_end, edit_add_output, 0, MISSING },
	{ "an emitted signal more", is_turns_end, edit_add_signal, 0, MISSING },
	{ "an emitted signal more in a tick", is_tick, edit_add_signal, 0, MISSING },
	{ "a drop more", is_turns_end, edit_add_drop, 0, MISSING },
	{ "a turn with nothing in it", is_third_turn, edit_empty_turn, 0, MISSING },
	{ "a turn with nothing in it, the last", is_close, edit_empty_turn, 0, MISSING },
	{ "one for which something was left over", is_left_over, edit_empty_turn, 0, MISSING },
	{ "a turn for nobody's signal", is_turns_end, edit_vain_turn, 0, MISSING },
	{ "the time of a turn", is_third_turn, edit_time, 0, SIGNAL },
	{ "the budget of a handler", is_register, BIT_OF(payload), SIGNAL },
	{ "a registration, gone", is_register, edit_remove, 0, SIGNAL },
	{ "the last registration, gone", is_last_register, edit_remove, 0, EXTRA },
	{ "a registration more", is_last_register, edit_add_register, 0, MISSING },
};

static void
check_forgery(const struct forgery *forgery)
{
	forge_t forge;
	forge_load(&forge, "genuine");
	size_t at = forge_find(&forge, forgery->is_it);
	CHECK(at != SIZE_MAX);
	if (at != SIZE_MAX && forgery->edit != NULL)
		at = forgery->edit(&forge, at);
	else if (at != SIZE_MAX && forgery->field != 0)
		((uint8_t *)&forge.at[at].record)[forgery->field] ^= 1;
	forge_save(&forge, "forged", "genuine");
	playing_t playing = { 0 };
	CHECK(play(&playing, "forged"));
	const bitactor_replay_report_t *report = &playing.report;
	CHECK_EQ(playing.status, forgery->difference == NONE ? BITACTOR_OK : BITACTOR_CORRUPT);
	CHECK_EQ(report->difference, forgery->difference);
	CHECK_EQ(report->compared, at);
	if (forgery->difference != NONE) {
		CHECK((report->expected == NULL) == (forgery->difference == EXTRA));
		CHECK((report->actual == NULL) == (forgery->difference == MISSING));
		CHECK(report->expected == NULL || report->expected->seq == at);
		CHECK(report->actual == NULL || report->actual->seq == at);
	}
	if (bdd_broken != 0)
		printf("forged: %s; %s\n", forgery->what, playing.error.text);
	playing_close(&playing);
	forge_free(&forge);
}

static void
test_forged(uint64_t seed)
{
	tape("genuine", seed, 3000, true);
	for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++)
		SCENARIO("a trace that says something else diverges at just that record") {
			GIVEN(forgeries[i].what);
			check_forgery(&forgeries[i]);
		}
	SCENARIO("a program that changed the table between turns cannot be replayed") {
		bool (*const places[])(const forge_t *, size_t) = { is_third_turn, is_close };
		for (size_t i = 0; i < 2; i++) {
			forge_t forge;
			forge_load(&forge, "genuine");
			size_t at = edit_register(&forge, forge_find(&forge, places[i]));
			forge_save(&forge, "forged", "genuine");
			playing_t playing = { 0 };
			CHECK(play(&playing, "forged"));
			CHECK_EQ(playing.status, BITACTOR_UNSUPPORTED);
			CHECK(strstr(playing.error.text, "REGISTER") != NULL);
			CHECK_EQ(playing.report.difference, NONE);
			CHECK_EQ(playing.report.compared, at);
			playing_close(&playing);
			forge_free(&forge);
		}
	}
}

/* ---- a stop -------------------------------------------------------------------------- */

/* What a good mix of stops has met. */
typedef struct stops {
	uint64_t dropped_emits, dropped_shared, called_off, full_turns, empty, discards;
} stops_t;

static void
meet_stop(stops_t *met, const places_t *places)
{
	uint64_t stop = places_find(places, BITACTOR_RECORD_STOP, 1)->seq, in_turn = 0, after = 0;
	for (size_t i = 0; i < places->count; i++) {
		const bitactor_record_t *record = &places->at[i].record;
		if (places->at[i].seq < stop || !bitactor_record_is_compared(record))
			continue;
		in_turn = record->kind == BITACTOR_RECORD_TURN ? 0 : in_turn + is_dispatch(record);
		met->full_turns += in_turn == BITACTOR_MAX_SIGNALS;
		met->called_off += record->kind == BITACTOR_RECORD_RESUME && record->cause == 1 &&
		                   places->at[i - 1].record.kind == BITACTOR_RECORD_TURN;
		met->discards += record->kind == BITACTOR_RECORD_STOP && record->payload == 0;
		if (record->kind == BITACTOR_RECORD_DROP)
			*(record->cause == BITACTOR_SOURCE_EMIT ? &met->dropped_emits
			                                        : &met->dropped_shared) += 1;
		after++;
	}
	met->empty += after == 2; /* STOP, CLOSE */
}

/* Something waits everywhere, then a stop. */
static void
tape_stopped(taping_t *taping, uint64_t draw, bool closed)
{
	taping_begin(taping);
	taping_run(taping, draw % 5 == 0 ? 0 : 100);
	for (uint64_t i = draw % 7 == 0 ? 0 : (draw >> 8) % 3000; i > 0; i--)
		taping_enqueue(taping);
	if (draw % 3 == 0)
		(void)bitactor_drain(taping->memory.engine, 1 + (draw >> 24) % 1000, NULL);
	uint64_t turns = (draw >> 40) % 8 < 5 ? (draw >> 40) % 8 : 1000;
	CHECK_EQ(bitactor_stop(taping->memory.engine, draw % 4 != 0, turns, NULL), BITACTOR_OK);
	taping_end(taping, closed);
}

static bool
met_every_stop(const stops_t *met)
{
	return met->dropped_emits > 0 && met->dropped_shared > 0 && met->called_off > 0 &&
	       met->full_turns > 0 && met->empty > 0 && met->discards > 0;
}

static void
test_stop_random(uint64_t seed)
{
	SCENARIO("a stop comes again, with its turns, what it called off and what it dropped") {
		GIVEN("engines with much, little or nothing left to do, stopped in every way");
		/* more than planned until chance has brought all; by far enough */
		uint64_t rounds = probe_scale(150), most = rounds + 1000, chance = seed;
		stops_t  met = { 0 };
		for (uint64_t i = 0; bdd_broken == 0 &&
		                     (i < rounds || (i < most && !met_every_stop(&met))); i++) {
			uint32_t n = (uint32_t)i;
			taping_t taping = { .name        = "stopped",
				            .seed        = seed + i,
				            .measured    = n % 3 == 0,
				            .queue_slots = 4096u >> n % 5,
				            .emit_slots  = 4096u >> n % 7 * 2 % 12,
				            .fibers      = 1 + n % 5 };
			tape_stopped(&taping, probe_random(&chance), true);
			places_t places = places_of("stopped");
			CHECK_EQ(places.end, BITACTOR_TRACE_CLOSED);
			meet_stop(&met, &places);

			playing_t playing = { 0 };
			CHECK(play(&playing, "stopped"));
			check_equal(&playing, &places);
			CHECK(memcmp(&playing.side, &taping.side, sizeof taping.side) == 0);
			playing_close(&playing);
			free(places.at);
			if (bdd_broken != 0)
				printf("round %" PRIu64 " of --seed %" PRIu64 "\n", i, seed);
		}
		THEN("all that a stop can be was among them");
		CHECK(met_every_stop(&met));
	}
}

/* Nothing was sent before it: PROGRAM, SCHEMA, REGISTER, STOP, CLOSE. */
static size_t
edit_late_signal(forge_t *forge, size_t close)
{
	size_t turn = append(forge, close - 1, BITACTOR_RECORD_TURN, SIZE_MAX);
	size_t sent = append(forge, turn, COUNT, SIZE_MAX);
	forge->at[sent].record.flags |= BITACTOR_RECORD_OUTSIDE;
	return sent;
}

static size_t
edit_many_drops(forge_t *forge, size_t close)
{
	size_t drop = append(forge, close - 1, BITACTOR_RECORD_DROP, SIZE_MAX);
	forge->at[drop].record.payload = UINT64_MAX;
	return drop;
}

static size_t
edit_drop_after(forge_t *forge, size_t close)
{
	size_t drop = append(forge, close - 1, BITACTOR_RECORD_DROP, SIZE_MAX);
	forge->at[drop].record.payload = 1;
	return drop;
}

static void
check_stop_forgery(edit_fn edit, bitactor_status_t status, enum bitactor_difference difference,
                   const char *word)
{
	forge_t   forge;
	playing_t playing = { 0 };
	forge_load(&forge, "stopped");
	size_t close = forge_find(&forge, is_close);
	CHECK(close != SIZE_MAX);
	(void)edit(&forge, close);
	forge_save(&forge, "forged", "stopped");
	CHECK(play(&playing, "forged"));
	CHECK_EQ(playing.status, status);
	CHECK_EQ(playing.report.difference, difference);
	CHECK(strstr(playing.error.text, word) != NULL);
	playing_close(&playing);
	forge_free(&forge);
}

static void
test_stop_forged(uint64_t seed)
{
	SCENARIO("a stop that gave way to others cannot be repeated, and it is said") {
		taping_t taping = { .name = "stopped", .seed = seed };
		taping_begin(&taping);
		taping_run(&taping, 100);
		for (int i = 0; i < 10; i++)
			taping_enqueue(&taping);
		CHECK_EQ(bitactor_stop(taping.memory.engine, true, 1000, NULL), BITACTOR_OK);
		taping_end(&taping, true);
		GIVEN("a signal that came when nothing was left to do");
		check_stop_forgery(edit_late_signal, BITACTOR_UNSUPPORTED, NONE, "STOP");
		GIVEN("one that was dropped then");
		check_stop_forgery(edit_drop_after, BITACTOR_UNSUPPORTED, NONE, "STOP");
		GIVEN("more of them than fit in a queue");
		taping = (taping_t){ .name = "stopped", .seed = seed };
		taping_begin(&taping);
		CHECK_EQ(bitactor_stop(taping.memory.engine, false, 0, NULL), BITACTOR_OK);
		taping_end(&taping, true);
		check_stop_forgery(edit_many_drops, BITACTOR_UNSUPPORTED, NONE, "more than");
		GIVEN("a turn of a stop that drops all");
		check_stop_forgery(edit_late_signal, BITACTOR_CORRUPT, SIGNAL, "diverged");
	}
	SCENARIO("a stop that was not there, or is there twice, is found") {
		tape("genuine", seed, 3000, true);
		forge_t forge;
		forge_load(&forge, "genuine");
		size_t at = edit_stop(&forge, forge_find(&forge, is_third_turn));
		forge_save(&forge, "forged", "genuine");
		playing_t playing = { 0 };
		CHECK(play(&playing, "forged"));
		CHECK(playing.status == BITACTOR_UNSUPPORTED || playing.status == BITACTOR_CORRUPT);
		CHECK_EQ(playing.report.compared, at + (playing.status == BITACTOR_CORRUPT));
		playing_close(&playing);
		forge_free(&forge);

		forge_load(&forge, "stopped");
		at = edit_stop(&forge, forge_find(&forge, is_close));
		forge_save(&forge, "forged", "stopped");
		CHECK(play(&playing, "forged"));
		CHECK_EQ(playing.status, BITACTOR_CORRUPT);
		CHECK_EQ(playing.report.difference, MISSING);
		CHECK_EQ(playing.report.compared, at);
		playing_close(&playing);
		forge_free(&forge);
	}
}

static void
test_stop_killed(uint64_t seed)
{
	SCENARIO("a process that was killed while it stopped: what there is comes again") {
		uint64_t chance = seed;
		taping_t taping = { .name        = "whole",
			            .seed        = seed,
			            .queue_slots = 4096,
			            .fibers      = 5 };
		uint64_t draw;
		do /* a drain, of many turns, with much to do */
			draw = probe_random(&chance);
		while (draw % 3 == 0 || draw % 4 == 0 || draw % 7 == 0 || (draw >> 40) % 8 < 5 ||
		       (draw >> 8) % 3000 < 1500);
		tape_stopped(&taping, draw, true);
		places_t places = places_of("whole");
		uint64_t stop = places_find(&places, BITACTOR_RECORD_STOP, 1)->seq, turns = 0;
		for (size_t i = 0; i < places.count; i++) {
			const place_t *place = &places.at[i];
			turns += place->seq > stop && place->record.kind == BITACTOR_RECORD_TURN;
			/* around each turn, and here and there */
			bool near = place->seq >= stop &&
			            (i % 97 == 0 || place->record.kind == BITACTOR_RECORD_TURN ||
			             place->record.kind == BITACTOR_RECORD_STOP ||
			             places.at[i - 1].record.kind == BITACTOR_RECORD_TURN);
			if (!near || !bitactor_record_is_compared(&place->record))
				continue;
			forge_t forge;
			forge_load(&forge, "whole");
			while (forge.count > place->seq + 1)
				forge_remove(&forge, forge.count - 1);
			forge_save(&forge, "forged", "whole");
			playing_t playing = { 0 };
			CHECK(play(&playing, "forged"));
			CHECK_EQ(playing.status, BITACTOR_OK);
			/* a TURN alone says nothing of what it took */
			CHECK_EQ(playing.report.compared,
			         place->seq + (place->record.kind != BITACTOR_RECORD_TURN));
			CHECK(playing.report.end != BITACTOR_TRACE_CLOSED);
			if (bdd_broken != 0)
				printf("cut behind seq %" PRIu64 ": %s\n", place->seq,
				       playing.error.text);
			playing_close(&playing);
			forge_free(&forge);
		}
		CHECK(turns > 1);
		free(places.at);
	}
}

/* ---- traces that nobody closed ------------------------------------------------------- */

/* Where the record at `i` ends, its data included. */
static uint32_t
end_with_data(const places_t *places, size_t i)
{
	const bitactor_record_t *record = &places->at[i].record;
	uint32_t end = record->offset + record->bytes;
	while (++i < places->count && !bitactor_record_is_compared(&places->at[i].record)) {
		record = &places->at[i].record;
		if (record->kind == BITACTOR_RECORD_DATA)
			end = record->offset + record->bytes;
	}
	return end;
}

/* Play "cut": it must have just what is whole in the first `bytes` bytes. */
static void
check_cut(const places_t *places, uint32_t bytes)
{
	uint64_t compared = 0, turns = 0, signals = 0;
	bool     program = false, turn_is_last = false;
	for (size_t i = 0; i < places->count; i++) {
		const bitactor_record_t *record = &places->at[i].record;
		if (!bitactor_record_is_compared(record))
			continue;
		if (end_with_data(places, i) > bytes)
			break;
		program |= record->kind == BITACTOR_RECORD_PROGRAM;
		turn_is_last = record->kind == BITACTOR_RECORD_TURN;
		turns += turn_is_last;
		signals += is_dispatch(record);
		compared++;
	}
	playing_t playing = { 0 };
	CHECK_EQ(play(&playing, "cut"), program);
	if (program) {
		CHECK_EQ(playing.status, BITACTOR_OK);
		CHECK_EQ(playing.report.difference, NONE);
		CHECK_EQ(playing.report.end, BITACTOR_TRACE_NOT_CLOSED);
		/* a turn of which nothing else is left is not played */
		CHECK_EQ(playing.report.compared, compared - turn_is_last);
		CHECK_EQ(playing.report.turn, turns - turn_is_last);
		CHECK_EQ(playing.report.signals, signals);
	} else {
		CHECK(playing.status == BITACTOR_UNSUPPORTED || playing.status == BITACTOR_CORRUPT);
	}
	if (bdd_broken != 0)
		printf("cut at %u: %s\n", bytes, playing.error.text);
	playing_close(&playing);
}

/* The file ends there, or has zeros from there on: as one whose writer died. */
static void
check_cut_both(const places_t *places, const rig_bytes_t *whole, uint32_t bytes, bool zeros)
{
	(void)rig_forge("cut", "unclosed", whole->at, bytes);
	if (zeros)
		CHECK_EQ(truncate(rig_path("cut", "trace"), BITACTOR_SEGMENT_BYTES), 0);
	while (zeros && bytes < whole->count && whole->at[bytes] == 0)
		bytes++; /* what was zero anyway is not missing */
	check_cut(places, bytes);
}

static void
test_cut(uint64_t seed)
{
	SCENARIO("a trace that ends anywhere is played to its last good record") {
		GIVEN("an open segment of a few hundred records, as a killed process leaves it");
		places_t places = { 0 };
		for (uint64_t signals = 200; places.count == 0 ||
		                             places.at[places.count - 1].segment > 0;
		     signals = signals * 2 / 3) {
			free(places.at);
			tape("unclosed", seed, signals, false);
			places = places_of("unclosed");
		}
		CHECK(places.compared > 100);
		rig_bytes_t whole = rig_read(rig_path("unclosed", "trace"));
		CHECK_EQ(places.end, BITACTOR_TRACE_NOT_CLOSED);
		const bitactor_record_t *last = &places.at[places.count - 1].record;
		uint32_t end = last->offset + last->bytes;
		WHEN("it is cut at every boundary of records, or has zeros from there on");
		size_t step = PROBE_SANITIZED ? 5 : 1;
		for (size_t i = 0; i < places.count && bdd_broken == 0; i += step)
			check_cut_both(&places, &whole, places.at[i].record.offset, i % 2 == 0);
		check_cut_both(&places, &whole, end, false);
		check_cut_both(&places, &whole, end, true);
		AND("anywhere, or has zeros from any slot on");
		uint64_t chance = seed;
		for (uint64_t i = probe_scale(200); i > 0 && bdd_broken == 0; i--) {
			uint32_t at = (uint32_t)(probe_random(&chance) % end);
			check_cut_both(&places, &whole, at, false);
			check_cut_both(&places, &whole, at / 32 * 32, true);
		}
		THEN("each time all that is whole comes again, and the end is said");
		free(places.at);
		free(whole.at);
	}
	SCENARIO("a trace without a turn is played, closed or not") {
		for (int closed = 0; closed < 2; closed++) {
			tape("unclosed", seed, 0, closed != 0);
			places_t  places  = places_of("unclosed");
			playing_t playing = { 0 };
			CHECK_EQ(places.compared, 11 + closed);
			CHECK(play(&playing, "unclosed"));
			check_equal(&playing, &places);
			playing_close(&playing);
			free(places.at);
		}
	}
	SCENARIO("a trace of several segments, not closed, is played over all of them") {
		tape("unclosed", seed + 1, 12000, false);
		places_t  places  = places_of("unclosed");
		playing_t playing = { 0 };
		CHECK(places.at[places.count - 1].segment > 2);
		CHECK(play(&playing, "unclosed"));
		check_equal(&playing, &places);
		playing_close(&playing);
		free(places.at);
	}
}

/* ---- the record that was in dispatch ------------------------------------------------- */

/* What a process leaves that dies in this very call. */
static void
die(void *context)
{
	taping_t *taping = context;
	bitactor_trace_writer_last_gasp(taping->writer, taping->memory.engine);
	rig_bytes_t trace = rig_read(rig_path(taping->name, "trace"));
	(void)rig_forge("open", taping->name, trace.at, trace.count);
	free(trace.at);
}

static void
check_open(uint16_t kind, uint64_t at, uint64_t seed, change_t change)
{
	taping_t taping = { .name = "dying", .seed = seed };
	rig_remove(rig_path("open", NULL));
	taping.side.kind            = kind;
	taping.side.at              = at;
	taping.side.in_call         = die;
	taping.side.in_call_context = &taping;
	taping_begin(&taping);
	taping_run(&taping, 1500);
	taping_end(&taping, true);

	places_t places = places_of("open");
	CHECK_EQ(places.end, BITACTOR_TRACE_OPEN_RECORD);
	places.compared -= places.end == BITACTOR_TRACE_OPEN_RECORD;
	playing_t playing = { .side = { .change = change, .kind = kind, .at = at } };
	CHECK(play(&playing, "open"));
	CHECK_EQ(playing.status, BITACTOR_OK);
	CHECK_EQ(playing.report.end, BITACTOR_TRACE_OPEN_RECORD);
	CHECK_EQ(playing.report.difference, NONE);
	CHECK_EQ(playing.report.compared, places.compared);
	CHECK_EQ(playing.report.signals, dispatches_in(&places) - 1);
	CHECK_EQ(playing.side.calls[kind], at); /* it was played */
	if (bdd_broken != 0)
		printf("open: kind %u, call %" PRIu64 ": %s\n", kind, at, playing.error.text);
	playing_close(&playing);
	free(places.at);
}

static void
test_open(uint64_t seed)
{
	static const struct {
		uint16_t kind;
		change_t change;
	} cases[] = { { COUNT, SAME },        { EMIT, SAME },       { SPEAK, SAME },
		      { DATA, SAME },         { PLAIN, SAME },      { FAIL, SAME },
		      { COUNT, OTHER_STATE }, { PLAIN, EMIT_MORE }, { SPEAK, OUTPUT_MORE },
		      { EMIT, OTHER_STATUS } };
	SCENARIO("the signal that was in dispatch when the process died is played, not compared") {
		GIVEN("a process that dies in the nth call of a handler, whatever that does");
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
			for (uint64_t at = 1; at < 50 && bdd_broken == 0; at = at * 4 + 1)
				check_open(cases[i].kind, at, seed + i, cases[i].change);
	}
}

/* ---- before the first turn ----------------------------------------------------------- */

typedef void (*table_fn)(table_t *table);

static void
swap_two(table_t *table)
{
	bitactor_handler_t line = table->lines[2];
	table->lines[2] = table->lines[3];
	table->lines[3] = line;
}

static void
leave_last_out(table_t *table)
{
	table->count--;
}

static void
add_one(table_t *table)
{
	table->lines[table->count]      = table->lines[0];
	table->lines[table->count].kind = NOBODY;
	table->count++;
}

static void
other_budget(table_t *table)
{
	table->lines[4].budget_ticks = 5;
}

static void
other_flags(table_t *table)
{
	table->lines[7].flags = 0;
}

/* Play "genuine"; what was noted before is not what the trace has. */
static void
check_prologue(table_fn change, size_t line, enum bitactor_difference difference)
{
	playing_t playing = { 0 };
	CHECK(playing_open(&playing, "genuine"));
	playing_engine(&playing, NULL, NULL);
	table_t table = table_of(&playing.side);
	change(&table);
	table_register(&table, playing.memory.engine);
	playing_run(&playing);
	CHECK_EQ(playing.status, BITACTOR_CORRUPT);
	CHECK_EQ(playing.report.difference, difference);
	CHECK_EQ(playing.report.compared, 2 + line); /* behind PROGRAM and SCHEMA */
	CHECK_EQ(playing.report.turn, 0);
	CHECK_EQ(playing.side.calls[COUNT], 0);
	playing_close(&playing);
}

/* Play "genuine" on an engine that has noted `program` and `schema`. */
static void
check_notes(const char *program, const char *schema, uint64_t seq,
            enum bitactor_difference difference)
{
	playing_t playing = { 0 };
	CHECK(playing_open(&playing, "genuine"));
	bitactor_trace_facts_t facts;
	bitactor_replay_facts(playing.replay, &facts);
	memory_take(&playing.memory, bitactor_replay_config(playing.replay));
	if (program == NULL)
		program = facts.program_text;
	if (program[0] != '\0')
		CHECK_EQ(bitactor_telemetry_note(playing.memory.engine, BITACTOR_RECORD_PROGRAM,
		                                 program, strlen(program)), BITACTOR_OK);
	CHECK_EQ(bitactor_telemetry_note(playing.memory.engine, BITACTOR_RECORD_SCHEMA, schema,
	                                 strlen(schema)), BITACTOR_OK);
	playing_run(&playing);
	CHECK_EQ(playing.status, BITACTOR_CORRUPT);
	CHECK_EQ(playing.report.difference, difference);
	CHECK_EQ(playing.report.compared, seq);
	playing_close(&playing);
}

static void
test_prologue(uint64_t seed)
{
	tape("genuine", seed, 300, true);
	SCENARIO("what was registered otherwise is found before any handler is called") {
		GIVEN("two handlers in another order");
		check_prologue(swap_two, 2, SIGNAL);
		GIVEN("one that is missing, one too many");
		check_prologue(leave_last_out, 8, MISSING);
		check_prologue(add_one, 9, EXTRA);
		GIVEN("another budget, other flags");
		check_prologue(other_budget, 4, SIGNAL);
		check_prologue(other_flags, 7, SIGNAL);
		GIVEN("another program, no program, another schema");
		char schema[sizeof tape_schema];
		memcpy(schema, tape_schema, sizeof schema);
		schema[sizeof schema - 3] = 'd';
		check_notes("program\t2\n", tape_schema, 0, SIGNAL);
		check_notes("", tape_schema, 0, SIGNAL);
		check_notes(NULL, schema, 1, BYTES);
	}
	SCENARIO("an engine that records nothing, or for somebody else, cannot play") {
		playing_t playing = { 0 };
		CHECK(playing_open(&playing, "genuine"));
		bitactor_config_t config = *bitactor_replay_config(playing.replay);
		config.segments = 0;
		memory_take(&playing.memory, &config);
		playing_run(&playing);
		CHECK_EQ(playing.status, BITACTOR_UNSUPPORTED);
		CHECK(playing.error.text[0] != '\0');
		playing_close(&playing);

		CHECK(playing_open(&playing, "genuine"));
		config      = *bitactor_replay_config(playing.replay);
		config.sink = NULL;
		memory_take(&playing.memory, &config);
		playing_run(&playing);
		CHECK_EQ(playing.report.difference, MISSING);
		CHECK_EQ(playing.report.compared, 0);
		playing_close(&playing);
	}
}

/* ---- refused ------------------------------------------------------------------------- */

static void
check_not_opened(const char *name, bitactor_status_t status, const char *word)
{
	playing_t playing = { 0 };
	CHECK(!playing_open(&playing, name));
	CHECK_EQ(playing.status, status);
	CHECK(strstr(playing.error.text, word) != NULL);
}

static void
test_refused(uint64_t seed)
{
	SCENARIO("what cannot be replayed is refused before an engine is made") {
		GIVEN("a trace without a program");
		taping_t taping = { .name = "nameless", .seed = seed, .no_program = true };
		taping_begin(&taping);
		taping_run(&taping, 50);
		taping_end(&taping, true);
		check_not_opened("nameless", BITACTOR_UNSUPPORTED, "PROGRAM");
		AND("one with a program that nobody wrote so");
		tape("genuine", seed, 300, true);
		forge_t forge;
		forge_load(&forge, "genuine");
		CHECK_EQ(forge.at[0].record.kind, BITACTOR_RECORD_PROGRAM);
		forge.at[0].data[0] = 'P';
		forge_save(&forge, "forged", "genuine");
		check_not_opened("forged", BITACTOR_CORRUPT, "line 1");
		forge_free(&forge);
		AND("a path that leads nowhere, to no trace, and NULLs");
		check_not_opened("nowhere", BITACTOR_IO, "nowhere");
		check_not_opened("forged/trace", BITACTOR_CORRUPT, "trace");
		bitactor_replay_t *replay = (bitactor_replay_t *)&forge;
		CHECK_EQ(bitactor_replay_open(NULL, &replay, NULL), BITACTOR_ERROR);
		CHECK(replay == NULL);
		CHECK_EQ(bitactor_replay_open("x", NULL, NULL), BITACTOR_ERROR);
		CHECK(bitactor_replay_program(NULL) == NULL);
		CHECK(bitactor_replay_config(NULL) == NULL);
		size_t count = 7;
		CHECK(bitactor_replay_expected(NULL, &count) == NULL);
		CHECK_EQ(count, 0);
		count = 7;
		CHECK(bitactor_replay_actual(NULL, &count) == NULL);
		CHECK_EQ(count, 0);
		CHECK_EQ(bitactor_replay_seq(NULL), 0);
		bitactor_replay_close(NULL);
	}
	SCENARIO("a replay is played once") {
		playing_t playing = { 0 };
		CHECK(play(&playing, "genuine"));
		CHECK_EQ(playing.status, BITACTOR_OK);
		bitactor_replay_report_t report;
		CHECK_EQ(bitactor_replay_run(playing.replay, playing.memory.engine, NULL, &report,
		                             NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_replay_run(NULL, playing.memory.engine, NULL, &report, NULL),
		         BITACTOR_ERROR);
		CHECK_EQ(bitactor_replay_run(playing.replay, NULL, NULL, &report, NULL),
		         BITACTOR_ERROR);
		CHECK_EQ(bitactor_replay_run(playing.replay, playing.memory.engine, NULL, NULL,
		                             NULL), BITACTOR_ERROR);
		AND("its engine may go on recording");
		CHECK_EQ(bitactor_telemetry_close(playing.memory.engine, NULL), BITACTOR_OK);
		playing_close(&playing);
	}
}

static void
test_config(uint64_t seed)
{
	SCENARIO("the engine that a replay asks for is the recorded one, but for what none sees") {
		taping_t taping = { .name = "genuine", .seed = seed, .measured = true,
			            .segments = 9 };
		bitactor_config_t recorded = taping_config(&taping);
		taping_begin(&taping);
		taping_run(&taping, 50);
		taping_end(&taping, true);
		playing_t playing = { 0 };
		CHECK(playing_open(&playing, "genuine"));
		const bitactor_program_t *program = bitactor_replay_program(playing.replay);
		bitactor_config_t config = *bitactor_replay_config(playing.replay);
		THEN("the program is as it was noted");
		CHECK(strcmp(program->module, "tape") == 0);
		CHECK_EQ(program->param_count, 1);
		CHECK_EQ(program->param[0].value, 7);
		CHECK_EQ(program->config.segments, 9);
		CHECK_EQ(program->config.queue_slots, recorded.queue_slots);
		AND("the configuration has its limits, uuid, schema and seed");
		CHECK_EQ(config.seed, recorded.seed);
		CHECK_EQ(config.schema, recorded.schema);
		CHECK(memcmp(config.uuid, recorded.uuid, 16) == 0);
		CHECK_EQ(config.kinds, recorded.kinds);
		CHECK_EQ(config.emit_slots, recorded.emit_slots);
		CHECK_EQ(config.emit_data_blocks, recorded.emit_data_blocks);
		CHECK_EQ(config.data_max, recorded.data_max);
		CHECK_EQ(config.output_max, recorded.output_max);
		CHECK_EQ(config.fibers, recorded.fibers);
		AND("measures nothing, has room for long turns and none for old segments");
		CHECK_EQ(config.flags, BITACTOR_VIRTUAL);
		CHECK(config.queue_slots > recorded.queue_slots);
		CHECK(config.data_blocks > recorded.data_blocks);
		CHECK_EQ(config.segments, 2);
		CHECK(config.host != NULL && config.sink != NULL);
		CHECK(bitactor_engine_bytes(&config) > 0);
		playing_close(&playing);
	}
	SCENARIO("whatever the size of its data, there is an engine for it") {
		for (uint32_t data_max = 8; data_max <= 32768; data_max *= 8) {
			taping_t taping = { .name = "genuine", .seed = seed, .data_max = data_max };
			taping_begin(&taping);
			taping_run(&taping, 50);
			taping_end(&taping, true);
			places_t  places  = places_of("genuine");
			playing_t playing = { 0 };
			CHECK(play(&playing, "genuine"));
			check_equal(&playing, &places);
			playing_close(&playing);
			free(places.at);
		}
	}
}

/* ---- long turns ---------------------------------------------------------------------- */

/* A producer that goes on while the turn runs: each output lets one more in. */
typedef struct feeder {
	bitactor_engine_t *engine;
	uint64_t left;
	bool     with_data;
} feeder_t;

static void
feed(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)port, (void)bytes, (void)byte_count;
	feeder_t *feeder = context;
	bitactor_signal_t signal = { .kind = SPEAK, .payload = 1 };
	if (feeder->left == 0)
		return;
	feeder->left--;
	CHECK_EQ(bitactor_enqueue_data(feeder->engine, &signal, "fed", feeder->with_data ? 3 : 0),
	         BITACTOR_OK);
}

/* One turn that takes `signals` signals through a queue of two slots. */
static void
tape_long_turn(const char *name, uint64_t signals, bool with_data)
{
	feeder_t feeder = { .left = signals - 1, .with_data = with_data };
	taping_t taping = { .name = name, .seed = 3, .queue_slots = 128,
		            .outlet = { .context = &feeder, .deliver = feed } };
	taping_begin(&taping);
	feeder.engine = taping.memory.engine;
	const bitactor_signal_t first = { .kind = SPEAK, .payload = 1 };
	CHECK_EQ(bitactor_enqueue(taping.memory.engine, &first), BITACTOR_OK);
	uint64_t done = 0;
	CHECK_EQ(bitactor_drain(taping.memory.engine, UINT64_MAX, &done), BITACTOR_OK);
	CHECK_EQ(done, signals);
	taping_end(&taping, true);
}

static void
check_long_turn(uint64_t signals, bool with_data, bitactor_status_t status)
{
	tape_long_turn("long", signals, with_data);
	playing_t playing = { 0 };
	CHECK(play(&playing, "long"));
	CHECK_EQ(playing.status, status);
	CHECK_EQ(playing.report.signals, status == BITACTOR_OK ? signals : 0);
	CHECK_EQ(playing.report.difference, NONE);
	if (status == BITACTOR_OK)
		CHECK_EQ(playing.report.end, BITACTOR_TRACE_CLOSED);
	playing_close(&playing);
}

static void
test_long_turns(void)
{
	SCENARIO("a turn may be longer than a batch, and than the queue it came through") {
		GIVEN("a turn of 257 signals, one of 5,000, through a queue of 128");
		check_long_turn(257, false, BITACTOR_OK);
		check_long_turn(5000, false, BITACTOR_OK);
		check_long_turn(5000, true, BITACTOR_OK);
		GIVEN("just as many as a replay can offer, and one more");
		check_long_turn(65536, false, BITACTOR_OK);
		check_long_turn(65537, false, BITACTOR_UNSUPPORTED);
		GIVEN("just as many with data as it has blocks, and one more");
		check_long_turn(8193, true, BITACTOR_OK); /* the first has none */
		check_long_turn(8194, true, BITACTOR_UNSUPPORTED);
	}
}

/* ---- memory -------------------------------------------------------------------------- */

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t
heap_bytes(void)
{
	if (__sanitizer_get_current_allocated_bytes != NULL)
		return __sanitizer_get_current_allocated_bytes();
	struct mallinfo2 info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

typedef struct heap_watch {
	uint64_t calls;
	size_t   most;
} heap_watch_t;

static bitactor_status_t
watch_heap(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	heap_watch_t *watch = state;
	(void)turn, (void)signal;
	if (watch->calls++ % 4096 == 0) {
		size_t now = heap_bytes();
		watch->most = now > watch->most ? now : watch->most;
	}
	return BITACTOR_OK;
}

/* Record `signals` bare signals, play them; the most memory that was in use. */
static size_t
heap_of_replay(uint64_t signals)
{
	taping_t taping = { .name = "long", .seed = 4, .queue_slots = 1024 };
	bitactor_handler_t handler = { .kind = PLAIN, .fn = watch_heap };
	heap_watch_t recorded = { 0 }, watch = { 0 };
	taping_begin(&taping);
	handler.state = &recorded;
	CHECK_EQ(bitactor_register_handler(taping.memory.engine, &handler), BITACTOR_OK);
	bitactor_signal_t many[255], with_data = { .kind = PLAIN };
	for (size_t i = 0; i < 255; i++)
		many[i] = (bitactor_signal_t){ .kind = PLAIN, .payload = i };
	for (uint64_t sent = 0; sent < signals; sent += 256) {
		CHECK_EQ(bitactor_enqueue_many(taping.memory.engine, many, 255, NULL),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_enqueue_data(taping.memory.engine, &with_data, many, 200),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_drain(taping.memory.engine, 256, NULL), BITACTOR_OK);
	}
	taping_end(&taping, true);

	playing_t playing = { 0 };
	CHECK(playing_open(&playing, "long"));
	bitactor_trace_facts_t facts;
	bitactor_replay_facts(playing.replay, &facts);
	CHECK(facts.file_bytes > signals * 32);
	playing_engine(&playing, NULL, NULL);
	table_t table = table_of(&playing.side);
	table_register(&table, playing.memory.engine);
	handler.state = &watch;
	CHECK_EQ(bitactor_register_handler(playing.memory.engine, &handler), BITACTOR_OK);
	playing_run(&playing);
	CHECK_EQ(playing.status, BITACTOR_OK);
	CHECK(watch.calls >= signals);
	playing_close(&playing);
	return watch.most;
}

static void
test_memory(void)
{
	SCENARIO("the memory of a replay does not grow with the trace") {
		GIVEN("a trace of 1 MB and one of 50 MB");
		size_t small = heap_of_replay(32768);
		uint64_t signals = probe_scale(1600000);
		size_t large = heap_of_replay(signals < 3200000 ? signals : 3200000);
		THEN("both take the same memory, but for a few KiB");
		CHECK(small > 0);
		CHECK(large < small + 16384);
		if (large >= small + 16384)
			printf("%zu bytes for the small one, %zu for the large one\n", small,
			       large);
	}
}

#if !PROBE_SANITIZED && defined(__GLIBC__)
/* Play "genuine" with a heap whose nth call fails; false: it was not called so often. */
static bool
play_short_of_memory(uint64_t nth, met_t *met)
{
	playing_t playing = { 0 };
	fail_in = nth;
	bool opened = playing_open(&playing, "genuine");
	uint64_t left = fail_in;
	fail_in = 0;
	if (opened) {
		playing_engine(&playing, NULL, NULL);
		table_t table = table_of(&playing.side);
		table_register(&table, playing.memory.engine);
		fail_in = left;
		playing_run(&playing);
		left    = fail_in;
		fail_in = 0;
	}
	CHECK_EQ(playing.status, left == 0 ? BITACTOR_ERROR : BITACTOR_OK);
	CHECK(left != 0 || strstr(playing.error.text, "out of memory") != NULL);
	CHECK(!opened || playing.report.difference == NONE);
	met->failed += left == 0 && opened;
	playing_close(&playing);
	return left == 0;
}

static void
test_out_of_memory(uint64_t seed)
{
	SCENARIO("a replay that gets no memory says so, wherever it asks for it") {
		tape("genuine", seed, 300, true);
		met_t met = { 0 };
		for (uint64_t nth = 1; play_short_of_memory(nth, &met) && bdd_broken == 0;)
			nth += 1 + nth / 20;
		CHECK(met.failed > 20);
	}
}
#else
static void
test_out_of_memory(uint64_t seed)
{
	(void)seed;
}
#endif

/* ---- stop, and bytes that are broken ------------------------------------------------- */

static volatile sig_atomic_t stop;

static void
set_stop(void *context)
{
	(void)context;
	stop = 1;
}

static void
test_stop(uint64_t seed)
{
	SCENARIO("stop ends a replay between turns; what was played is said") {
		tape("genuine", seed, 1000, true);
		places_t places = places_of("genuine");
		const place_t *place = places_find(&places, COUNT, 50);
		playing_t playing = { .stop = &stop,
			              .side = { .kind = COUNT, .at = 50, .in_call = set_stop } };
		CHECK(play(&playing, "genuine"));
		CHECK_EQ(playing.status, BITACTOR_OK);
		CHECK_EQ(playing.report.end, BITACTOR_TRACE_MORE);
		CHECK_EQ(playing.report.turn, place->turn_number);
		CHECK_EQ(playing.report.compared,
		         places_find(&places, BITACTOR_RECORD_TURN, place->turn_number + 1)->seq);
		stop = 0;
		playing_close(&playing);
		free(places.at);
	}
}

static void
test_broken(uint64_t seed)
{
	SCENARIO("a broken byte ends a replay with its place, and is no divergence") {
		tape("genuine", seed, 2000, true);
		places_t    places = places_of("genuine");
		rig_bytes_t whole  = rig_read(rig_path("genuine", "trace"));
		uint64_t    chance = seed;
		for (int i = 0; i < 50; i++) {
			size_t middle = places.count / 4 + probe_random(&chance) % places.count / 2;
			const place_t *place = &places.at[middle];
			size_t at = place->segment * BITACTOR_SEGMENT_BYTES + place->record.offset +
			            probe_random(&chance) % place->record.bytes;
			whole.at[at] ^= 0x10;
			(void)rig_forge("broken", "genuine", whole.at, whole.count);
			whole.at[at] ^= 0x10;
			playing_t playing = { 0 };
			CHECK(play(&playing, "broken"));
			CHECK_EQ(playing.status, BITACTOR_CORRUPT);
			CHECK_EQ(playing.report.difference, NONE);
			CHECK(strstr(playing.error.text, "offset") != NULL);
			CHECK(playing.report.compared <= place->seq);
			CHECK(playing.report.compared > 10);
			playing_close(&playing);
		}
		AND("so does what follows CLOSE");
		size_t more = whole.count + BITACTOR_SEGMENT_BYTES;
		whole.at = realloc(whole.at, more);
		memcpy(whole.at + whole.count, whole.at, BITACTOR_SEGMENT_BYTES);
		(void)rig_forge("broken", "genuine", whole.at, more);
		playing_t playing = { 0 };
		CHECK(play(&playing, "broken"));
		CHECK_EQ(playing.status, BITACTOR_CORRUPT);
		CHECK_EQ(playing.report.difference, NONE);
		playing_close(&playing);
		free(places.at);
		free(whole.at);
	}
}

/* ---- a check that is zero ------------------------------------------------------------ */

/* The check of the only TURN of a trace whose clock said `now`. */
static uint32_t
check_at(uint64_t now)
{
	const bitactor_signal_t signal = { .kind = PLAIN };
	taping_t taping = { .name = "zero", .seed = 6, .now_ns = now };
	taping_begin(&taping);
	CHECK_EQ(bitactor_enqueue(taping.memory.engine, &signal), BITACTOR_OK);
	CHECK_EQ(bitactor_drain(taping.memory.engine, 1, NULL), BITACTOR_OK);
	taping_end(&taping, true);
	places_t places = places_of("zero");
	const place_t *turn = places_find(&places, BITACTOR_RECORD_TURN, 1);
	uint32_t check = turn != NULL ? turn->record.check : 1;
	CHECK(turn != NULL);
	free(places.at);
	return check;
}

/* CRC is linear: which of 32 bits of the time make the check zero?  Gauss. */
static uint64_t
now_for_zero(void)
{
	uint32_t base = check_at(0), row[32], bits[32];
	for (int i = 0; i < 32; i++) {
		row[i]  = check_at(UINT64_C(1) << i) ^ base;
		bits[i] = UINT32_C(1) << i;
	}
	uint32_t rest = base, now = 0;
	for (int pivot = 31; pivot >= 0; pivot--) {
		int use = 0;
		while (use <= pivot && (row[use] >> pivot & 1) == 0)
			use++;
		if (use > pivot)
			return 0; /* they do not span: not with CRC32C */
		uint32_t swap_row = row[use], swap_bits = bits[use];
		row[use]   = row[pivot];
		bits[use]  = bits[pivot];
		row[pivot]  = swap_row;
		bits[pivot] = swap_bits;
		for (int i = 0; i < pivot; i++)
			if ((row[i] >> pivot & 1) != 0) {
				row[i] ^= swap_row;
				bits[i] ^= swap_bits;
			}
		if ((rest >> pivot & 1) != 0) {
			rest ^= swap_row;
			now ^= swap_bits;
		}
	}
	return now;
}

static void
test_zero_check(void)
{
	SCENARIO("a record whose check happens to be zero is not taken for an open one") {
		GIVEN("a time for which the check of the TURN is zero");
		uint64_t now = now_for_zero();
		CHECK_EQ(check_at(now), 0);
		playing_t playing = { 0 };
		places_t  places  = places_of("zero");
		CHECK(play(&playing, "zero"));
		check_equal(&playing, &places);
		playing_close(&playing);
		free(places.at);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	rig_begin();
	test_random(seed);
	test_policies(seed);
	test_virtual(seed);
	test_changes(seed);
	test_intruder();
	test_forged(seed);
	test_stop_random(seed);
	test_stop_forged(seed);
	test_stop_killed(seed);
	test_cut(seed);
	test_open(seed);
	test_prologue(seed);
	test_refused(seed);
	test_config(seed);
	test_long_turns();
	test_memory();
	test_out_of_memory(seed);
	test_stop(seed);
	test_broken(seed);
	test_zero_check();
	return bdd_close();
}
