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

/* ---- the probe ------------------------------------------------------------------- */

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

/* ---- a bus ----------------------------------------------------------------------- */

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
	CHECK(!"this identifier is known");
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

/* ---- the table --------------------------------------------------------------------- */

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

/* ---- decoding ----------------------------------------------------------------------- */

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
	{ EFF | 0x15FD0611, "00777400FFF603FF", NMEA_ENVIRONMENT, { YES(29815), NO, YES(1014), NO } },
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
		CHECK_SAID("note 8 decoded messages found no room to be emitted");
	}
}
