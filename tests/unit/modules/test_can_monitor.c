/* SPDX-License-Identifier: Apache-2.0 */
/* test_can_monitor.c -- the module can_monitor, behind a real engine.
 *
 *      frames --> real engine --> probe --> the module's handlers
 *                                   |
 *                                   +-- after each dispatch: is every byte of state that
 *                                       changed inside a range named with touched?
 *
 * The probe hands everything on; it only listens.  So each scenario below also
 * shows that replay would see whatever the module did.  The samples are compared
 * with tests/tools/can_monitor_check.py, which was written from README.md.
 */
#include "../../bdd.h"

#include "../../../modules/can_monitor/can_monitor.c"

#include <bitactor/schema.h>

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 8192, RANGES_MAX = 16, MS = 1000000 };

static const bitactor_module_t *const module = &bitactor_module_v1;

static struct bus {
	void              *block;
	bitactor_engine_t *engine;
	void              *cells[CELLS];
	uint8_t           *shadow[CELLS]; /* the cells before this dispatch        */
	bool               is_probed;
	bitactor_turn_t   *turn;          /* the engine's, under the probe         */
	struct { const uint8_t *start; size_t bytes; } ranges[RANGES_MAX];
	uint32_t           range_count;
	uint64_t           untold;        /* bytes changed outside every range     */
	uint32_t           line_count;    /* lines of the port "alarm"             */
	char               lines[LINES_MAX][160];
	uint32_t           said_count;    /* lines of the report                   */
	char               said[LINES_MAX][256];
} bus;

/* ---- the probe ----------------------------------------------------------------- */

static uint64_t
probe_now(bitactor_turn_t *turn)
{
	(void)turn;
	return bus.turn->calls->now_ns(bus.turn);
}

static uint64_t
probe_random(bitactor_turn_t *turn)
{
	(void)turn;
	return bus.turn->calls->random(bus.turn);
}

static bitactor_status_t
probe_emit(bitactor_turn_t *turn, const bitactor_signal_t *signal, const void *data, size_t bytes)
{
	(void)turn;
	return bus.turn->calls->emit(bus.turn, signal, data, bytes);
}

static bitactor_status_t
probe_output(bitactor_turn_t *turn, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)turn;
	return bus.turn->calls->output(bus.turn, port, bytes, byte_count);
}

static void
probe_touched(bitactor_turn_t *turn, const void *start, size_t bytes)
{
	(void)turn;
	if (bus.range_count < RANGES_MAX) {
		bus.ranges[bus.range_count].start = start;
		bus.ranges[bus.range_count].bytes = bytes;
	}
	bus.range_count++;
	bus.turn->calls->touched(bus.turn, start, bytes);
}

static const bitactor_turn_calls_t probe_calls = {
	.bytes = sizeof(bitactor_turn_calls_t),
	.now_ns = probe_now,
	.random = probe_random,
	.emit = probe_emit,
	.output = probe_output,
	.touched = probe_touched,
};

/* Bring the shadow up to date in the ranges; what then still differs was not told. */
static void
compare_with_shadow(void)
{
	for (uint32_t c = 0; c < CELLS; c++) {
		uint8_t *cell = bus.cells[c];
		for (uint32_t i = 0; i < bus.range_count && i < RANGES_MAX; i++) {
			const uint8_t *start = bus.ranges[i].start;
			if (start >= cell && start < cell + cells[c].bytes)
				memcpy(bus.shadow[c] + (start - cell), start,
				       bus.ranges[i].bytes);
		}
		if (memcmp(cell, bus.shadow[c], cells[c].bytes) == 0)
			continue;
		for (size_t i = 0; i < cells[c].bytes; i++)
			bus.untold += cell[i] != bus.shadow[c][i];
		memcpy(bus.shadow[c], cell, cells[c].bytes);
	}
}

static bitactor_status_t
probed(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_turn_t listening = { &probe_calls, turn->engine_private, 0 };

	bus.turn = turn;
	bus.range_count = 0;
	bitactor_status_t status = kinds[signal->kind].fn(&listening, signal, state);
	turn->result = listening.result;
	if (bus.range_count > RANGES_MAX)
		bus.untold++; /* more than the engine keeps apart */
	compare_with_shadow();
	return status;
}

/* ---- a bus --------------------------------------------------------------------- */

static void
keep_line(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)context;
	if (port != PORT_ALARM || bus.line_count == LINES_MAX)
		return;
	snprintf(bus.lines[bus.line_count++], sizeof bus.lines[0], "%.*s", (int)byte_count,
	         (const char *)bytes);
}

static void
keep_said(void *context, const char *line)
{
	(void)context;
	if (bus.said_count < LINES_MAX)
		snprintf(bus.said[bus.said_count++], sizeof bus.said[0], "%s", line);
}

static void
switch_off(void)
{
	if (bus.engine != NULL)
		bitactor_destroy(bus.engine);
	free(bus.block);
	for (uint32_t c = 0; c < CELLS; c++) {
		free(bus.cells[c]);
		free(bus.shadow[c]);
	}
	memset(&bus, 0, sizeof bus);
}

static bool
make_engine(uint32_t emit_slots)
{
	bitactor_outlet_t outlet = { NULL, keep_line };
	bitactor_config_t config;
	bitactor_config_default(&config);
	config.emit_slots = emit_slots;
	config.outlet = &outlet;
	size_t bytes = (bitactor_engine_bytes(&config) + 63) / 64 * 64;
	bus.block = aligned_alloc(64, bytes);
	return bus.block != NULL &&
	       bitactor_engine_init(bus.block, bytes, &config, &bus.engine) == BITACTOR_OK;
}

/* A bus that nothing was heard of yet.  `given` NULL: the parameters' defaults. */
static void
switch_on(const int64_t *given, bool is_probed, uint32_t emit_slots)
{
	int64_t values[PARAMS];
	switch_off();
	bus.is_probed = is_probed;
	bool is_ready = make_engine(emit_slots);
	CHECK(is_ready);
	for (uint32_t c = 0; c < CELLS; c++) {
		bus.cells[c] = aligned_alloc(64, (cells[c].bytes + 63) / 64 * 64);
		bus.shadow[c] = malloc(cells[c].bytes);
		memset(bus.cells[c], 0, cells[c].bytes);
	}
	for (uint32_t i = 0; i < PARAMS; i++)
		values[i] = given != NULL ? given[i] : params[i].initial;
	CHECK_EQ(module->init(bus.cells, values), BITACTOR_OK);
	for (uint32_t c = 0; c < CELLS; c++)
		memcpy(bus.shadow[c], bus.cells[c], cells[c].bytes);
	for (uint16_t kind = 0; kind < KINDS; kind++) {
		const bitactor_handler_t handler = {
			.fn = is_probed ? probed : kinds[kind].fn,
			.state = bus.cells[kinds[kind].cell],
			.state_bytes = cells[kinds[kind].cell].bytes,
			.budget_ticks = kinds[kind].budget_ticks,
			.kind = kind,
		};
		CHECK_EQ(bitactor_register_handler(bus.engine, &handler), BITACTOR_OK);
	}
}

static void
turn_on(void)
{
	switch_on(NULL, true, 1024);
}

static const monitor_t *
monitored(void)
{
	return bus.cells[CELL_BUS];
}

static void
enqueue(const bitactor_signal_t *signal)
{
	CHECK_EQ(bitactor_enqueue(bus.engine, signal), BITACTOR_OK);
}

static void
work_off(void)
{
	while (bitactor_drain(bus.engine, 1024, NULL) == BITACTOR_OK)
		;
}

static void
send(uint16_t kind, uint32_t word, uint32_t bytes, uint32_t interface, uint64_t data,
     uint64_t when_ns)
{
	bitactor_signal_t signal = {
		.kind = kind,
		.payload = data,
		.context = word | (uint64_t)bytes << 32 | (uint64_t)interface << 40,
		.timestamp = when_ns,
	};
	enqueue(&signal);
	work_off();
}

/* A classic frame of eight bytes on interface 0. */
static void
frame(uint32_t word, uint64_t data, uint64_t when_ms)
{
	send(KIND_FRAME, word, 8, 0, data, when_ms * MS);
}

static const identifier_t *
known(uint32_t word)
{
	const monitor_t *monitor = monitored();
	for (uint32_t i = 0; i < monitor->pulse.identifiers; i++)
		if (monitor->table.list[i].word == word)
			return &monitor->table.list[i];
	bdd_broken++;
	printf("%s:%d: 0x%" PRIX32 " is not known\n", __FILE__, __LINE__, word);
	return &monitor->table.list[0];
}

static uint64_t
raised(uint32_t what)
{
	return monitored()->alarms[what].raised;
}

static uint64_t
cleared(uint32_t what)
{
	return monitored()->alarms[what].over;
}

static bool
is_said(const char *line)
{
	for (uint32_t i = 0; i < bus.said_count; i++)
		if (strcmp(bus.said[i], line) == 0)
			return true;
	return false;
}

#define CHECK_LINE(number, expected)                                                      \
	do {                                                                              \
		if (strcmp(bus.lines[number], expected) != 0) {                           \
			bdd_broken++;                                                     \
			printf("%s:%d: \"%s\"\n", __FILE__, __LINE__, bus.lines[number]); \
		}                                                                         \
	} while (0)

#define CHECK_SAID(line)                                                                  \
	do {                                                                              \
		bus.said_count = 0;                                                       \
		module->report((const void *const *)bus.cells, keep_said, NULL);          \
		if (!is_said(line)) {                                                     \
			bdd_broken++;                                                     \
			printf("%s:%d: not said: %s\n", __FILE__, __LINE__, line);        \
		}                                                                         \
	} while (0)

static uint64_t seed;

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014) */
static uint64_t
draw(void)
{
	uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* Data as it is written in a log: "FF725AFF7FFF7FFD". */
static uint64_t
data_of(const char *hex)
{
	uint64_t data = 0;
	for (uint32_t i = 0; hex[2 * i] != '\0'; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
		data |= (uint64_t)strtoul(pair, NULL, 16) << 8 * i;
	}
	return data;
}

/* ---- the table ----------------------------------------------------------------- */

static void
table_is_sound(void)
{
	SCENARIO("the module's table is one that a loader takes") {
		GIVEN("the exported table");
		THEN("each field can be shown, and names differ");
		uint32_t index;
		for (uint32_t k = 0; k < KINDS; k++) {
			CHECK(bitactor_name_is_valid(kinds[k].name));
			CHECK(kinds[k].fn != NULL);
			for (uint32_t i = 0; i < kinds[k].field_count; i++)
				CHECK(bitactor_field_complaint(&kinds[k].fields[i]) == NULL);
			CHECK_EQ(bitactor_names_unique(kinds[k].fields, sizeof(bitactor_field_t),
			                               kinds[k].field_count, &index),
			         BITACTOR_OK);
		}
		CHECK_EQ(bitactor_names_unique(kinds, sizeof *kinds, KINDS, &index), BITACTOR_OK);
		CHECK_EQ(bitactor_names_unique(params, sizeof *params, PARAMS, &index),
		         BITACTOR_OK);
		for (uint32_t i = 0; i < PARAMS; i++) {
			CHECK(params[i].least <= params[i].initial);
			CHECK(params[i].initial <= params[i].most);
		}
	}
}

static void
parts_fit_fields(void)
{
	SCENARIO("whatever a frame holds fits the field it goes to") {
		GIVEN("every part of every message");
		THEN("sign, flag and width agree, and parts of a message do not overlap");
		for (uint32_t m = 0; m < NMEA_MESSAGES; m++) {
			const nmea_message_t *message = &nmea_messages[m];
			const nmea_kind_info_t *kind = &nmea_kinds[message->kind];
			uint64_t taken = 0;
			for (uint32_t i = 0; i < message->part_count; i++) {
				const nmea_part_t *part = &message->parts[i];
				const bitactor_field_t *field = &kind->fields[part->field];
				uint64_t most = nmea_ones(part->bits) * part->times;
				uint64_t bits = nmea_ones(part->bits) << part->from;
				CHECK(part->from + part->bits <= 64);
				CHECK(most <= nmea_ones(field->bits) || part->times == 4);
				CHECK_EQ(taken & bits, 0);
				taken |= bits;
				CHECK_EQ(part->form == NMEA_SIGNED,
				         field->format == BITACTOR_FORMAT_SIGNED);
				bool is_value = part->field < 2 * kind->value_count;
				CHECK_EQ(part->form != NMEA_AS_IS, is_value);
				if (is_value)
					CHECK_EQ(field[1].format, BITACTOR_FORMAT_FLAG);
			}
		}
	}
}

/* ---- decoding ------------------------------------------------------------------ */

typedef struct example {
	uint32_t    word;
	const char *data;
	uint32_t    kind; /* enum nmea_kind */
	struct { bool known; int64_t value; } values[NMEA_VALUES_MAX];
} example_t;

#define EFF CAN_EXTENDED
#define YES(value) { true, value }
#define NO         { false, 0 }

/* Of the samples, worked out by hand; the last ones are made up. */
static const example_t examples[] = {
	{ EFF | 0x09F112CC, "FF725AFF7FFF7FFD", NMEA_HEADING, { YES(23154), NO, NO } },
	{ EFF | 0x09F11280, "009C99FF7FF6F5FD", NMEA_HEADING, { YES(39324), NO, YES(-2570) } },
	{ EFF | 0x09F113CC, "FFD4E10000FFFFFF", NMEA_RATE_OF_TURN, { YES(57812 * 3125) } },
	{ EFF | 0x09F113CC, "FFB5E3FFFFFFFFFF", NMEA_RATE_OF_TURN, { YES(-7243 * 3125) } },
	{ EFF | 0x0DF11980, "00FF7F9C000800FF", NMEA_ATTITUDE, { NO, YES(156), YES(8) } },
	{ EFF | 0x1DF11A7F, "00F6FFFFF6F5FFFF", NMEA_VARIATION, { YES(-2570), NO } },
	{ EFF | 0x09F10DCC, "00FFFF7FE9FBFFFF", NMEA_RUDDER, { YES(-1047), NO } },
	{ EFF | 0x09F50374, "001200FFFF00FFFF", NMEA_SPEED, { YES(18), NO } },
	{ EFF | 0x0DF50B74, "00D0000000FFFFFF", NMEA_DEPTH, { YES(208), YES(-1), NO } },
	{ EFF | 0x09F80100, "047E5419243355D5", NMEA_POSITION,
	  { YES(424967684), YES(-715836636) } },
	{ EFF | 0x09F8027F, "00FCFFFF0000FFFF", NMEA_COG_SOG, { NO, YES(0) } },
	{ EFF | 0x09FD0207, "000000F504FAFFFF", NMEA_WIND, { YES(0), YES(1269) } },
	{ EFF | 0x15FD0774, "00C07774FF7FFFFF", NMEA_ENVIRONMENT, { YES(29815), NO, NO, NO } },
	{ EFF | 0x15FD0774, "000000000300FFFF", NMEA_ENVIRONMENT, { YES(0), YES(12), NO, NO } },
	{ EFF | 0x15FD0611, "007774FFFFF603FF", NMEA_ENVIRONMENT,
	  { YES(29815), NO, YES(1014), NO } },
	{ EFF | 0x15FD0811, "0001027774FFFFFF", NMEA_TEMPERATURE, { YES(298150), NO } },
	{ EFF | 0x15FD0C11, "000102A68C04FDFF", NMEA_TEMPERATURE, { YES(298150), NO } },
	{ EFF | 0x0DF01000, "00F0953D003E1E2A", NMEA_TIME, { YES(15765), YES(706625024), NO } },
	{ EFF | 0x1DF80900, "953DFFFFFFFFC4FF", NMEA_TIME, { YES(15765), NO, YES(-60) } },
};

static void
messages_are_decoded(void)
{
	SCENARIO("a message becomes a signal with its values in the fields' units") {
		GIVEN("frames of the samples, and what they hold, worked out by hand");
		WHEN("each is decoded");
		THEN("known values are right and unknown ones are 0 with their flag down");
		for (uint32_t i = 0; i < COUNT(examples); i++) {
			const example_t *example = &examples[i];
			uint8_t meaning = nmea_meaning_of(nmea_pgn(example->word));
			bitactor_signal_t signal = { 0 };
			CHECK(meaning < NMEA_MESSAGES);
			if (meaning >= NMEA_MESSAGES)
				continue;
			nmea_decode(&nmea_messages[meaning], data_of(example->data), 8, &signal);
			CHECK_EQ(nmea_messages[meaning].kind, example->kind);
			const nmea_kind_info_t *kind = &nmea_kinds[example->kind];
			for (uint32_t n = 0; n < kind->value_count; n++) {
				int64_t value = -1;
				bool is_known = nmea_value(kind, n, &signal, &value);
				if (is_known != example->values[n].known)
					printf("  %s %s\n", kind->name, kind->fields[2 * n].name);
				CHECK_EQ(is_known, example->values[n].known);
				CHECK_EQ(value, example->values[n].value);
			}
		}
	}
}

static void
absent_and_short(void)
{
	const nmea_message_t *heading = &nmea_messages[nmea_meaning_of(127250)];
	const nmea_message_t *depth = &nmea_messages[nmea_meaning_of(128267)];

	SCENARIO("the three highest numbers are no values, the fourth is") {
		GIVEN("an unsigned and a signed field at their upper ends");
		for (uint64_t raw = 0xFFF8; raw <= 0xFFFF; raw++) {
			bitactor_signal_t signal = { 0 };
			nmea_decode(heading, raw << 8 | (raw - 0x8000) << 24, 8, &signal);
			int64_t value, deviation;
			bool is_known = nmea_value(&nmea_kinds[NMEA_HEADING], 0, &signal, &value);
			bool is_there = nmea_value(&nmea_kinds[NMEA_HEADING], 1, &signal,
			                           &deviation);
			CHECK_EQ(is_known, raw < 0xFFFD);
			CHECK_EQ(is_there, raw < 0xFFFD);
			CHECK_EQ(value, raw < 0xFFFD ? (int64_t)raw : 0);
			CHECK_EQ(deviation, raw < 0xFFFD ? (int64_t)raw - 0x8000 : 0);
		}
		AND("all ones in a signed field is -1");
		bitactor_signal_t signal = { 0 };
		int64_t value;
		nmea_decode(heading, UINT64_C(0xFFFF) << 24, 8, &signal);
		CHECK(nmea_value(&nmea_kinds[NMEA_HEADING], 1, &signal, &value));
		CHECK_EQ(value, -1);
	}
	SCENARIO("a value that the frame is too short for is not known") {
		GIVEN("a depth message of 0 to 8 bytes");
		for (uint32_t bytes = 0; bytes <= 8; bytes++) {
			bitactor_signal_t signal = { 0 };
			int64_t value;
			nmea_decode(depth, 0x0100020000000300, bytes, &signal);
			CHECK_EQ(nmea_value(&nmea_kinds[NMEA_DEPTH], 0, &signal, &value),
			         bytes >= 5);
			CHECK_EQ(nmea_value(&nmea_kinds[NMEA_DEPTH], 1, &signal, &value),
			         bytes >= 7);
			CHECK_EQ(nmea_value(&nmea_kinds[NMEA_DEPTH], 2, &signal, &value),
			         bytes == 8);
		}
	}
}

static void
groups_and_fast_packets(void)
{
	SCENARIO("the group number leaves out the address it is sent to") {
		THEN("format bytes below 240 have an address, others are part of the number");
		CHECK_EQ(nmea_pgn(0x09F112CC), 127250);
		CHECK_EQ(nmea_pgn(0x18EAFF01), 59904);
		CHECK_EQ(nmea_pgn(0x1DEFCCAC), 126720);
		CHECK_EQ(nmea_pgn(0x0DEDACCC), 126208);
		CHECK_EQ(nmea_pgn(0x1CFF4FCC), 65359);
		AND("fast packets are told from single frames and from what is not known");
		CHECK_EQ(nmea_meaning_of(129029), NMEA_FAST_PACKET);
		CHECK_EQ(nmea_meaning_of(126720), NMEA_FAST_PACKET);
		CHECK_EQ(nmea_meaning_of(130944), NMEA_FAST_PACKET);
		CHECK_EQ(nmea_meaning_of(65359), NMEA_OTHER);
		CHECK_EQ(nmea_meaning_of(127505), NMEA_OTHER);
	}
}

static void
decoded_through_the_engine(void)
{
	SCENARIO("two series of one sender are kept apart") {
		GIVEN("a helm that sends two rudders under one identifier");
		turn_on();
		WHEN("they point to different sides");
		for (uint32_t i = 0; i < 10; i++) {
			frame(EFF | 0x09F10DCC, data_of("00FFFF7FE803FFFF"), 0);
			frame(EFF | 0x09F10DCC, data_of("01FFFF7F18FCFFFF"), 0);
		}
		THEN("each has its own extremes, and the message counts are right");
		const series_table_t *values = bus.cells[CELL_VALUES];
		CHECK_EQ(values->count, 2);
		CHECK_EQ(values->list[0].values[0].least, 1000);
		CHECK_EQ(values->list[0].values[0].most, 1000);
		CHECK_EQ(values->list[1].values[0].latest, -1000);
		CHECK_EQ(values->list[1].values[1].absent, 10);
		CHECK_SAID("decoded nmea.rudder 20");
		CHECK_SAID("value nmea.rudder position -0.1000 rad source 204 interface 0 "
		           "instance 1 known 10 absent 0 first -0.1000 min -0.1000 "
		           "max -0.1000 sum -1.0000");
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("more series than there is room for are counted, not mixed up") {
		GIVEN("rudder messages of all instances from four senders");
		turn_on();
		for (uint32_t i = 0; i < 1024; i++)
			frame(EFF | 0x09F10D00 | i % 4, i / 4, 0);
		THEN("256 are kept, and what the others sent is said");
		const series_table_t *values = bus.cells[CELL_VALUES];
		CHECK_EQ(values->count, SERIES_MAX);
		CHECK_EQ(values->unlisted, 1024 - SERIES_MAX);
		CHECK_EQ(values->messages[NMEA_RUDDER], 1024);
		CHECK_SAID("note 768 decoded messages of series beyond the table's room");
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("what finds no room to be emitted is counted") {
		GIVEN("an engine with room for two emitted signals");
		switch_on(NULL, true, 2);
		WHEN("ten headings are handled in one turn");
		for (uint32_t i = 0; i < 10; i++) {
			bitactor_signal_t signal = {
				.kind = KIND_FRAME,
				.payload = i << 8,
				.context = EFF | 0x09F112CC | UINT64_C(8) << 32,
			};
			enqueue(&signal);
		}
		work_off();
		THEN("two are decoded and eight are said to have found no room");
		CHECK_EQ(monitored()->pulse.undelivered, 8);
		CHECK_SAID("decoded nmea.heading 2");
		CHECK_SAID("note 8 decoded messages or newcomers found no room to be emitted");
	}
}

/* ---- periods ------------------------------------------------------------------- */

enum { A = 0x100, B = 0x200, C = 0x300 }; /* 11-bit identifiers */

/* A every 100 ms and B every 50 ms, from `from_ms` up to but not at `to_ms`. */
static void
run_bus(uint64_t from_ms, uint64_t to_ms)
{
	for (uint64_t ms = from_ms; ms < to_ms; ms += 50) {
		if (ms % 100 == 0)
			frame(A, ms, ms);
		frame(B, ms, ms + 1);
	}
}

static void
periods_are_learned(void)
{
	SCENARIO("the period of an identifier is learned from its timestamps") {
		GIVEN("a bus with one identifier every 100 ms and one every 50 ms");
		turn_on();
		run_bus(1000, 5900);
		THEN("nothing is settled before five seconds");
		CHECK_EQ(known(A)->rhythm, LEARNING);
		CHECK_EQ(identifier_typical_us(known(A)), 100000);
		run_bus(5900, 6200);
		AND("then the periods are known to the microsecond");
		CHECK_EQ(known(A)->rhythm, STEADY);
		CHECK_EQ(known(A)->typical_us, 100000);
		CHECK_EQ(known(B)->typical_us, 50000);
		CHECK_EQ(known(B)->shortest_us, 50000);
		CHECK_EQ(known(B)->longest_us, 50000);
		CHECK_SAID("identifiers 2 learning 0 steady 2 uneven 0 sporadic 0");
		CHECK_SAID("identifier 0 0x100 52 0 100.000 100.000 100.000 steady 11-bit");
		CHECK_EQ(bus.line_count, 0);
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("identifiers are told apart by interface and by the kind of frame") {
		GIVEN("one number as data on two interfaces, as FD, as a remote and a long one");
		turn_on();
		send(KIND_FRAME, A, 8, 0, 0, 0);
		send(KIND_FRAME, A, 8, 1, 0, 0);
		send(KIND_REMOTE, A | CAN_REMOTE, 0, 0, 0, 0);
		send(KIND_FRAME, A | EFF, 8, 0, 0, 0);
		send(KIND_FD, A, 64, 1, 0, 0);
		THEN("data and FD share an identifier, the others are their own");
		CHECK_EQ(monitored()->pulse.identifiers, 4);
		CHECK_SAID("interface 0 frames 3 fd 0 remote 1 error 0 identifiers 3 "
		           "elapsed_ms 0.000");
		CHECK_SAID("interface 1 frames 2 fd 1 remote 0 error 0 identifiers 1 "
		           "elapsed_ms 0.000");
	}
	SCENARIO("interfaces beyond the 64th are counted, not looked at") {
		turn_on();
		send(KIND_FRAME, A, 8, INTERFACES_MAX, 0, 0);
		send(KIND_ERROR, CAN_ERROR | 4, 8, 0xFFFF, 0, 0);
		CHECK_EQ(monitored()->pulse.identifiers, 0);
		CHECK_SAID("note 2 frames on interfaces beyond the table's room");
		CHECK_EQ(bus.untold, 0);
	}
}

static void
fast_packets_begin_messages(void)
{
	SCENARIO("the period of a fast packet is that of its first frames") {
		GIVEN("a message of three frames in a burst, each second");
		turn_on();
		for (uint64_t second = 1; second < 12; second++)
			for (uint64_t part = 0; part < 3; part++)
				frame(EFF | 0x0DF80500, second % 8 << 5 | part,
				      second * 1000 + part);
		THEN("the period is a second, and nothing is stuck or late");
		CHECK_EQ(known(EFF | 0x0DF80500)->rhythm, STEADY);
		CHECK_EQ(known(EFF | 0x0DF80500)->typical_us, 1000000);
		CHECK_SAID("meaning decoded 0 fast_packet 33 other 0");
		CHECK_EQ(bus.line_count, 0);
	}
}

static void
late_once(void)
{
	SCENARIO("a lost frame is one alarm, and calm is one more line") {
		GIVEN("one identifier, learned");
		turn_on();
		for (uint64_t ms = 1000; ms < 8000; ms += 100)
			frame(A, ms, ms);
		WHEN("one frame is left out, and then another and another");
		frame(A, 1, 8100);
		frame(A, 2, 8300);
		frame(A, 3, 8500);
		THEN("the first gap is said, the others belong to the same fault");
		CHECK_EQ(raised(ALARM_LATE), 1);
		CHECK_EQ(known(A)->late_gaps, 3);
		CHECK_LINE(0, "8.100000 interface 0 0x100 11-bit: late, after 200.000 ms, "
		              "usually 100.000 ms\n");
		AND("after four gaps in time it is over");
		for (uint64_t i = 1; i <= 3; i++)
			frame(A, i, 8500 + 100 * i);
		CHECK_EQ(cleared(ALARM_LATE), 0);
		frame(A, 9, 8900);
		CHECK_EQ(cleared(ALARM_LATE), 1);
		CHECK_LINE(1, "8.900000 interface 0 0x100 11-bit: late cleared\n");
		CHECK_SAID("alarms late 1 cleared 1 first 8.100000");
		CHECK_EQ(bus.untold, 0);
	}
}

static void
missing_by_others(void)
{
	SCENARIO("silence is noticed by the time of other identifiers' frames") {
		GIVEN("a learned bus");
		turn_on();
		run_bus(1000, 8000);
		WHEN("A falls silent and B goes on");
		for (uint64_t ms = 8000; ms <= 8350; ms += 50)
			frame(B, ms, ms + 1);
		THEN("up to five periods are no alarm");
		frame(B, 0, 8400);
		CHECK_EQ(raised(ALARM_MISSING), 0);
		send(KIND_FRAME, B, 8, 0, 0, 8400 * (uint64_t)MS + 1000);
		for (uint64_t ms = 8450; ms < 12000; ms += 50)
			frame(B, ms, ms + 1);
		AND("then there is one, however long it takes");
		CHECK_EQ(raised(ALARM_MISSING), 1);
		CHECK_LINE(0, "8.400001 interface 0 0x100 11-bit: missing, silent for 500.001 ms, "
		              "usually 100.000 ms\n");
		CHECK_SAID("identifier 0 0x100 70 0 100.000 100.000 100.000 steady 11-bit, "
		           "still missing");
		AND("it is cleared when A came four times in time");
		run_bus(12000, 12350);
		CHECK_EQ(cleared(ALARM_MISSING), 0);
		run_bus(12350, 12500);
		CHECK_EQ(cleared(ALARM_MISSING), 1);
		CHECK_EQ(raised(ALARM_LATE), 0);
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("a silence of the whole bus is found by whoever comes back") {
		GIVEN("a learned bus that was silent for an hour");
		turn_on();
		run_bus(1000, 8000);
		WHEN("A comes first");
		frame(A, 0, 3608000);
		THEN("both are said to be missing, each once");
		CHECK_EQ(raised(ALARM_MISSING), 2);
		run_bus(3608050, 3609000);
		CHECK_EQ(raised(ALARM_MISSING), 2);
		CHECK_EQ(cleared(ALARM_MISSING), 2);
		CHECK_EQ(raised(ALARM_LATE), 0);
		CHECK_EQ(bus.untold, 0);
	}
}

static void
missing_at_bounded_cost(void)
{
	enum { MANY = 500 };
	SCENARIO("whatever falls silent, a frame looks at two identifiers at most") {
		GIVEN("500 learned identifiers, of which only the first goes on");
		turn_on();
		for (uint64_t ms = 1000; ms < 8000; ms += 100)
			for (uint32_t i = 0; i < MANY; i++)
				frame(i, ms, ms);
		WHEN("all limits are past at once");
		uint32_t frames = 0;
		frame(0, 0, 8000);
		for (; raised(ALARM_MISSING) < MANY - 1 && frames < MANY; frames++) {
			uint64_t before = raised(ALARM_MISSING);
			frame(0, frames, 8500 + frames);
			CHECK(raised(ALARM_MISSING) <= before + 1 + ROUND_STEP);
		}
		THEN("all are found within half as many frames as there are identifiers");
		CHECK_EQ(raised(ALARM_MISSING), MANY - 1);
		CHECK(frames <= MANY / ROUND_STEP + 1);
		CHECK_EQ(bus.untold, 0);
	}
}

static void
uneven_and_sporadic(void)
{
	SCENARIO("what has no rhythm is judged by what it does have") {
		GIVEN("A twice in each 100 ms, C in bursts of ten every two seconds, B steady");
		turn_on();
		for (uint64_t ms = 1000; ms < 21000; ms += 50) {
			frame(B, ms, ms);
			if (ms % 100 == 0) {
				frame(A, 0, ms + 10);
				frame(A, 1, ms + 17);
			}
			for (uint64_t i = 0; i < 10 && ms % 2000 == 0; i++)
				frame(C, 0, ms + 20 + i);
		}
		THEN("A is uneven, C sporadic, and neither was late");
		CHECK_EQ(known(A)->rhythm, UNEVEN);
		CHECK_EQ(known(C)->rhythm, SPORADIC);
		CHECK_EQ(bus.line_count, 0);
		WHEN("both fall silent");
		for (uint64_t ms = 21000; ms < 40000; ms += 50)
			frame(B, ms, ms);
		THEN("A is missing after five of its longest gaps, C never");
		CHECK_EQ(raised(ALARM_MISSING), 1);
		CHECK_EQ(known(A)->alarms, 1u << ALARM_MISSING);
		CHECK_EQ(known(A)->missing_ns, UINT64_C(5) * 93 * MS);
		CHECK_EQ(bus.untold, 0);
	}
}

/* ---- clocks -------------------------------------------------------------------- */

static void
clock_steps_back(void)
{
	SCENARIO("a clock that steps back makes no absurd period and no false alarm") {
		GIVEN("a learned bus");
		turn_on();
		run_bus(100000, 108000);
		WHEN("the clock goes back by a minute");
		run_bus(48000, 60000);
		THEN("nothing is late or missing, and the step is counted");
		CHECK_EQ(bus.line_count, 0);
		CHECK_EQ(known(A)->longest_us, 100000);
		CHECK_EQ(known(A)->shortest_us, 100000);
		CHECK_SAID("note 1 times the clock stepped back");
		CHECK_SAID("note 1 of these by a second or more");
		CHECK_SAID("interface 0 frames 600 fd 0 remote 0 error 0 identifiers 2 "
		           "elapsed_ms 19902.000");
		AND("an identifier that died at the step is missed from the step on");
		turn_on();
		run_bus(100000, 108000);
		for (uint64_t ms = 48000; ms < 49000; ms += 50)
			frame(B, ms, ms);
		CHECK_EQ(raised(ALARM_MISSING), 1);
		CHECK_LINE(0, "48.550000 interface 0 0x100 11-bit: missing, silent for 550.000 ms, "
		              "usually 100.000 ms\n");
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("no gap spans a step back, even one that looks plausible") {
		GIVEN("A every two seconds, and B, whose time goes back by 1.5 s");
		turn_on();
		for (uint64_t ms = 100000; ms <= 104000; ms += 50) {
			frame(B, 0, ms);
			if (ms % 2000 == 0)
				frame(A, 0, ms);
		}
		for (uint64_t ms = 102500; ms < 104500; ms += 50)
			frame(B, 0, ms);
		WHEN("A comes two seconds after its last frame, which is 500 ms by the times");
		frame(A, 0, 104500);
		THEN("that is not taken for a gap, the next one is");
		CHECK_EQ(known(A)->gap_count, 2);
		CHECK_EQ(known(A)->shortest_us, 2000000);
		frame(A, 0, 106500);
		CHECK_EQ(known(A)->gap_count, 3);
	}
	SCENARIO("disorder between two interfaces is no step") {
		GIVEN("two interfaces whose times are up to 3 ms out of order");
		turn_on();
		for (uint64_t ms = 1000; ms < 9000; ms += 100) {
			send(KIND_FRAME, A, 8, 0, ms, ms * MS);
			send(KIND_FRAME, A, 8, 1, ms, (ms - 3) * MS);
		}
		THEN("both are learned as if each were alone");
		CHECK_EQ(monitored()->pulse.clock.steps, 0);
		CHECK_EQ(monitored()->table.list[0].typical_us, 100000);
		CHECK_EQ(monitored()->table.list[1].typical_us, 100000);
		CHECK_EQ(bus.line_count, 0);
	}
}

static void
no_times(void)
{
	SCENARIO("without times nothing is judged by time, and that is said once") {
		GIVEN("frames whose timestamp is 0");
		turn_on();
		for (uint32_t i = 0; i < 5000; i++)
			frame(i % 7 == 0 ? A : B, i, 0);
		THEN("there is no period and no alarm");
		CHECK_EQ(bus.line_count, 0);
		CHECK_EQ(known(A)->gap_count, 0);
		CHECK_EQ(known(B)->last_ns, 0);
		CHECK_SAID("note no times in the input: periods not judged");
		uint32_t said = 0;
		for (uint32_t i = 0; i < bus.said_count; i++)
			said += strncmp(bus.said[i], "note", 4) == 0;
		CHECK_EQ(said, 1);
	}
}

/* ---- data ---------------------------------------------------------------------- */

static void
stuck_data(void)
{
	SCENARIO("data that used to change and does not any more is stuck, once") {
		GIVEN("an identifier that changed in each of 20 frames, and a constant one");
		turn_on();
		for (uint32_t i = 0; i < 20; i++)
			frame(A, i, 0);
		WHEN("it stays the same for 100 frames, then for one more");
		for (uint32_t i = 0; i < 99; i++)
			frame(A, 19, 0);
		CHECK_EQ(raised(ALARM_STUCK), 0);
		for (uint32_t i = 0; i < 300; i++) {
			frame(A, 19, 0);
			frame(B, 7, 0);
		}
		THEN("one alarm says so; the constant one was never judged");
		CHECK_EQ(raised(ALARM_STUCK), 1);
		CHECK_LINE(0, "- interface 0 0x100 11-bit: stuck, the same data in 101 frames\n");
		AND("the next change clears it, and makes the module more patient");
		frame(A, 20, 0);
		CHECK_EQ(cleared(ALARM_STUCK), 1);
		for (uint32_t i = 0; i < 399; i++)
			frame(A, 20, 0);
		CHECK_EQ(raised(ALARM_STUCK), 1);
		frame(A, 20, 0);
		CHECK_EQ(raised(ALARM_STUCK), 2);
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("a value that is slow by nature sets its own measure") {
		GIVEN("data that changes every 60 frames");
		turn_on();
		for (uint32_t i = 0; i < 60 * 20; i++)
			frame(A, i / 60, 0);
		WHEN("it stays the same for 200 frames");
		for (uint32_t i = 0; i < 140; i++)
			frame(A, 19, 0);
		THEN("that is not yet suspicious");
		CHECK_EQ(raised(ALARM_STUCK), 0);
	}
	SCENARIO("a running sequence id does not hide a frozen sensor") {
		GIVEN("a heading that moved, then freezes while its sequence id runs on");
		turn_on();
		for (uint64_t i = 0; i < 120; i++)
			frame(EFF | 0x09F112CC, i % 253 | (i < 20 ? i : 20) << 8, 0);
		CHECK_EQ(raised(ALARM_STUCK), 0);
		frame(EFF | 0x09F112CC, 120 | 20 << 8, 0);
		THEN("it is stuck");
		CHECK_EQ(raised(ALARM_STUCK), 1);
	}
}

/* ---- who is there -------------------------------------------------------------- */

static void
newcomers(void)
{
	SCENARIO("who comes after the learning phase is announced") {
		GIVEN("a bus known for 7 s, and C at its start");
		turn_on();
		frame(C, 0, 1000);
		run_bus(1000, 8000);
		CHECK_EQ(raised(ALARM_NEW), 0);
		WHEN("an identifier is first heard, twice");
		frame(0x18FF0005 | EFF, 0, 8000);
		frame(0x18FF0005 | EFF, 0, 8010);
		THEN("it is announced once; C, long silent, is no stranger");
		frame(C, 0, 8020);
		CHECK_EQ(raised(ALARM_NEW), 1);
		CHECK_EQ(monitored()->interfaces[0].elapsed_ns, 7020 * (uint64_t)MS);
		CHECK_LINE(0, "8.000000 interface 0 0x18FF0005 PGN 65280 from 5: new, not seen "
		              "before in 7000.000 ms\n");
		AND("another interface is learned for itself");
		send(KIND_FRAME, A, 8, 1, 0, (uint64_t)8030 * MS);
		CHECK_EQ(raised(ALARM_NEW), 1);
		CHECK_EQ(bus.untold, 0);
	}
	SCENARIO("without times the learning phase is counted in frames") {
		GIVEN("1000 frames without times");
		turn_on();
		for (uint32_t i = 0; i < 999; i++)
			frame(A, 0, 0);
		frame(B, 0, 0);
		CHECK_EQ(raised(ALARM_NEW), 0);
		frame(C, 0, 0);
		CHECK_EQ(raised(ALARM_NEW), 1);
		CHECK_LINE(0, "- interface 0 0x300 11-bit: new, not seen before in 1001 frames\n");
	}
}

static size_t
place_in_index(uint32_t word, uint32_t interface)
{
	monitor_t *monitor = bus.cells[CELL_BUS];
	return (size_t)(table_slot(&monitor->table, word, interface) - monitor->table.index);
}

static void
neighbours_in_the_index(void)
{
	SCENARIO("one number on two interfaces is two identifiers, also side by side") {
		GIVEN("A on interface 0, and the index full from where A on 2 would be up to it");
		turn_on();
		size_t mine = place_in_index(A, 0), place = place_in_index(A, 2), filled = 0;
		send(KIND_FRAME, A, 8, 0, 0, 0);
		for (uint32_t word = EFF; place != mine; word++) {
			if (place_in_index(word, 0) != place)
				continue;
			send(KIND_FRAME, word, 8, 0, 0, 0);
			place = (place + 1) % INDEX_SLOTS;
			filled++;
		}
		WHEN("A is sent on interface 2");
		send(KIND_FRAME, A, 8, 2, 0, 0);
		THEN("it is not taken for the other");
		CHECK(filled > 0);
		CHECK_EQ(monitored()->pulse.identifiers, filled + 2);
		CHECK_EQ(monitored()->interfaces[2].identifiers, 1);
	}
}

static void
table_full(void)
{
	SCENARIO("a full table is said once, and what it has no room for is counted") {
		GIVEN("100 more than there is room for, on 64 interfaces, each twice");
		turn_on();
		for (uint32_t turn = 0; turn < 2; turn++)
			for (uint32_t i = 0; i < IDENTIFIERS_MAX + 100; i++)
				send(KIND_FRAME, EFF | (i / 64 * 7), 8, i % 64, turn, 0);
		THEN("one alarm, 200 frames not looked at, and the others complete");
		CHECK_EQ(raised(ALARM_FULL), 1);
		CHECK_EQ(monitored()->pulse.identifiers, IDENTIFIERS_MAX);
		CHECK_SAID("note 200 frames of identifiers beyond the table's room");
		CHECK_SAID("identifiers_not_shown 2008");
		uint32_t complete = 0;
		for (uint32_t i = 0; i < IDENTIFIERS_MAX; i++)
			complete += monitored()->table.list[i].frames == 2;
		CHECK_EQ(complete, IDENTIFIERS_MAX);
		CHECK_EQ(bus.untold, 0);
	}
}

static void
error_frames(void)
{
	SCENARIO("an error frame is an alarm, a storm of them is still one") {
		GIVEN("a bus with 50 error frames of one class, then one of another");
		turn_on();
		for (uint32_t i = 0; i < 50; i++)
			send(KIND_ERROR, CAN_ERROR | 0x88, 8, 0, 0, 1000 * (uint64_t)MS);
		send(KIND_ERROR, CAN_ERROR | 0x40, 8, 0, 0, 1001 * (uint64_t)MS);
		THEN("there are two alarms, with names");
		CHECK_EQ(raised(ALARM_ERROR), 2);
		CHECK_LINE(0, "1.000000 interface 0: error, error frame: protocol bus-error\n");
		CHECK_LINE(1, "1.001000 interface 0: error, error frame: bus-off\n");
		CHECK_EQ(monitored()->pulse.identifiers, 0);
		AND("after a hundred good frames in a row it is over");
		for (uint32_t i = 0; i < 60; i++)
			frame(A, 0, 1002);
		send(KIND_ERROR, CAN_ERROR | 0x40, 8, 0, 0, 1002 * (uint64_t)MS);
		for (uint32_t i = 0; i < 99; i++)
			frame(A, 0, 1002);
		CHECK_EQ(cleared(ALARM_ERROR), 0);
		frame(A, 0, 1002);
		CHECK_EQ(cleared(ALARM_ERROR), 1);
		CHECK_LINE(2, "1.002000 interface 0: error cleared\n");
		AND("an error frame that names no class is one as well");
		send(KIND_ERROR, CAN_ERROR, 8, 0, 0, 0);
		send(KIND_ERROR, CAN_ERROR, 8, 0, 0, 0);
		CHECK_EQ(raised(ALARM_ERROR), 3);
		CHECK_LINE(3, "- interface 0: error, error frame: unspecified\n");
		CHECK_EQ(bus.untold, 0);
	}
}

static void
alarm_without_room(void)
{
	SCENARIO("an alarm that found no room is raised later, not lost") {
		GIVEN("a learned bus on an engine with room for two emitted signals");
		switch_on(NULL, true, 2);
		for (uint64_t ms = 1000; ms < 8000; ms += 100)
			for (uint32_t i = 0; i < 10; i++)
				frame(i, ms, ms);
		WHEN("nine fall silent, and the frames after that come in one turn");
		for (uint32_t i = 0; i < 40; i++) {
			bitactor_signal_t signal = {
				.kind = KIND_FRAME,
				.context = UINT64_C(8) << 32,
				.timestamp = (uint64_t)(9000 + i) * MS,
			};
			enqueue(&signal);
		}
		work_off();
		THEN("two were said in that turn");
		CHECK_EQ(raised(ALARM_MISSING), 2);
		AND("the others in the next ones");
		for (uint32_t i = 0; i < 10; i++)
			frame(0, i, 9050 + i);
		CHECK_EQ(raised(ALARM_MISSING), 10);
		CHECK_EQ(bus.untold, 0);
	}
}

static void
late_without_room(void)
{
	SCENARIO("what one turn had no room to say of many is said in the next ones") {
		GIVEN("ten learned identifiers on an engine with room for two emitted signals");
		switch_on(NULL, true, 2);
		for (uint64_t ms = 1000; ms < 8000; ms += 100)
			for (uint32_t i = 0; i < 10; i++)
				frame(i, ms, ms);
		WHEN("all come late, again and again, each time in one turn");
		for (uint64_t round = 1; round <= 8; round++) {
			for (uint32_t i = 0; i < 10; i++) {
				bitactor_signal_t signal = {
					.kind = KIND_FRAME,
					.context = i | UINT64_C(8) << 32,
					.timestamp = (7900 + 200 * round) * MS,
				};
				enqueue(&signal);
			}
			work_off();
			CHECK_EQ(raised(ALARM_LATE), round < 5 ? 2 * round : 10);
		}
		THEN("each was said once");
		CHECK_EQ(bus.line_count, 10);
		CHECK_EQ(bus.untold, 0);
	}
}

/* ---- whatever comes ------------------------------------------------------------ */

/* An identifier out of few, so that they come again: a third are no messages we know. */
static uint32_t
random_word(uint64_t dice)
{
	static const uint32_t groups[] = { 0x1F112, 0x1F801, 0x1F805, 0x1FD07, 0x1F10D, 0x0FF00 };
	return EFF | 0x08000000 | groups[dice % COUNT(groups)] << 8 | (uint32_t)(dice >> 32 & 3);
}

/* Every tenth is of one identifier, which thus has a period, more or less. */
static bitactor_signal_t
random_signal(uint64_t *now, bool is_tenth)
{
	uint64_t dice = draw(), step = draw();
	bitactor_signal_t signal = {
		.id = (uint32_t)draw(),
		.kind = (uint16_t)(dice % 64 == 0 ? draw() % KINDS : dice >> 20 & 1),
		.payload = dice % 5 == 0 ? draw() : dice % 7,
		.context = random_word(draw()) | UINT64_C(8) << 32 | (dice >> 30 & 3) << 40,
	};
	*now += step % (2 * MS);
	if (dice % 997 == 0)
		*now -= step % (5000 * (uint64_t)MS);
	if (dice % 101 == 0)
		signal.context = draw();
	if (is_tenth)
		signal.context = A | UINT64_C(8) << 32;
	if (dice % 50 != 0)
		signal.timestamp = *now;
	return signal;
}

static void
storm(uint32_t signals)
{
	uint64_t now = UINT64_C(1700000000000000000);
	for (uint32_t i = 0; i < signals; i++) {
		bitactor_signal_t signal = random_signal(&now, i % 10 == 0);
		enqueue(&signal);
		if (i % 16 == 0)
			work_off();
	}
	work_off();
}

static void
whatever_comes(void)
{
	SCENARIO("whatever comes, every change is named and nothing fails but made-up alarms") {
		GIVEN("signals of all kinds with random contents, impatient rules");
		static const int64_t impatient[PARAMS] = { 100, 50, 4, 101, 2, 5, 1, 3 };
		seed = 20250101;
		printf("seed=%" PRIu64 "\n", seed);
		switch_on(impatient, true, 1024);
		storm(20000);
		THEN("the probe saw no change outside the ranges");
		CHECK_EQ(bus.untold, 0);
		bitactor_stats_t stats;
		CHECK_EQ(bitactor_stats(bus.engine, &stats), BITACTOR_OK);
		bitactor_kind_stats_t alarm;
		CHECK_EQ(bitactor_kind_stats(bus.engine, KIND_ALARM, &alarm), BITACTOR_OK);
		CHECK_EQ(stats.failed, alarm.failed);
		CHECK_EQ(stats.rejected, 0);
		for (uint32_t what = ALARM_NONE + 1; what < ALARM_KINDS; what++)
			CHECK(raised(what) > 0 || what == ALARM_FULL);
	}
	SCENARIO("the same signals give the same state, byte for byte") {
		GIVEN("one storm with the probe and one without, in other memory");
		void *kept[CELLS];
		seed = 7;
		turn_on();
		storm(20000);
		for (uint32_t c = 0; c < CELLS; c++) {
			kept[c] = malloc(cells[c].bytes);
			memcpy(kept[c], bus.cells[c], cells[c].bytes);
		}
		seed = 7;
		switch_on(NULL, false, 1024);
		storm(20000);
		THEN("the cells are equal: no address, no padding, no clock got in");
		for (uint32_t c = 0; c < CELLS; c++) {
			CHECK_EQ(memcmp(kept[c], bus.cells[c], cells[c].bytes), 0);
			free(kept[c]);
		}
	}
	SCENARIO("the rules hold at both ends of their parameters") {
		for (uint32_t end = 0; end < 2; end++) {
			int64_t given[PARAMS];
			for (uint32_t i = 0; i < PARAMS; i++)
				given[i] = end == 0 ? params[i].least : params[i].most;
			seed = 11;
			switch_on(given, true, 1024);
			storm(5000);
			CHECK_EQ(bus.untold, 0);
			CHECK_EQ(raised(ALARM_LATE) > 0, end == 0);
		}
	}
}

int
main(void)
{
	table_is_sound();
	parts_fit_fields();
	messages_are_decoded();
	absent_and_short();
	groups_and_fast_packets();
	decoded_through_the_engine();
	periods_are_learned();
	fast_packets_begin_messages();
	late_once();
	missing_by_others();
	missing_at_bounded_cost();
	uneven_and_sporadic();
	clock_steps_back();
	no_times();
	stuck_data();
	newcomers();
	neighbours_in_the_index();
	table_full();
	error_frames();
	alarm_without_room();
	late_without_room();
	whatever_comes();
	switch_off();
	return bdd_close();
}
