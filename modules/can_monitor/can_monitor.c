/* SPDX-License-Identifier: Apache-2.0 */
/* can_monitor.c -- a module that watches a CAN bus and reads its NMEA 2000.
 *
 *      can.frame --+
 *      can.fd -----+--> on_frame --- nmea.heading ... ---> on_decoded   values
 *      can.remote -+        |
 *      can.error -----> on_error --- can.alarm ----------> on_alarm     port "alarm"
 *
 * This file is the module as the engine sees it: kinds, cells, parameters, and
 * the handlers, which fetch, ask and emit.  What they ask is next door and knows
 * nothing of engines:
 *
 *      nmea2000.h      what the bytes of a message mean
 *      identifiers.h   what an identifier does, and when it misbehaves
 *      series.h        the newest and the extreme values
 *      monitor.h       the state they live in
 *      text.h          how all that reads
 *
 * A frame is a signal whose context is the SocketCAN id word, the length at bit
 * 32, the interface at 40 and the FD flags at 56, and whose payload is the first
 * eight data bytes.  Its timestamp is the only clock in here.
 *
 * Build:  cc -std=c11 -O2 -fPIC -shared -ffp-contract=off \
 *            -Ibitactor/include -Iruntime/include -o can_monitor.so can_monitor.c
 */
#include <bitactor/module.h>

#include "identifiers.h"
#include "monitor.h"
#include "nmea2000.h"
#include "series.h"
#include "text.h"

/* ---- alarms: said first, then remembered --------------------------------------- */

/* False when there was no room: the fault is still there to be found again. */
static bool
say(bitactor_turn_t *turn, const alarm_notice_t *notice)
{
	bitactor_signal_t signal = alarm_to_signal(notice);
	return bitactor_emit(turn, &signal) == BITACTOR_OK;
}

/* Bytes of an identifier that its frames change once it is learned. */
static void
touch_identifier(bitactor_turn_t *turn, const identifier_t *identifier)
{
	bitactor_touched(turn, &identifier->frames,
	                 offsetof(identifier_t, gap_sum_us) - offsetof(identifier_t, frames));
}

static alarm_notice_t
notice_of(const identifier_t *identifier, uint32_t what, uint64_t when_ns)
{
	return (alarm_notice_t){
		.what = what,
		.word = identifier->word,
		.interface = identifier->interface,
		.when_ns = when_ns,
	};
}

/* Say what a frame brought to light about its own identifier. */
static void
say_verdict(bitactor_turn_t *turn, identifier_t *identifier, const verdict_t *verdict,
            uint64_t when_ns)
{
	for (uint32_t what = ALARM_MISSING; what <= ALARM_STUCK; what++) {
		uint32_t bit = 1u << what;
		if (((verdict->raise | verdict->over) & bit) == 0)
			continue;
		alarm_notice_t notice = notice_of(identifier, what, when_ns);
		notice.over = (verdict->over & bit) != 0;
		if (what == ALARM_STUCK)
			notice.count = count_to_32(identifier->same_frames);
		else
			notice.value_ns = verdict->gap_ns;
		if (say(turn, &notice))
			identifier->alarms ^= bit;
	}
}

/* Look at the next few identifiers for one that has fallen silent. */
static void
go_round(bitactor_turn_t *turn, monitor_t *monitor, uint64_t when_ns)
{
	pulse_t *pulse = &monitor->pulse;
	for (uint32_t i = 0; i < ROUND_STEP && pulse->identifiers > 0; i++) {
		identifier_t *identifier = &monitor->table.list[pulse->next_in_round];
		pulse->next_in_round = (pulse->next_in_round + 1) % pulse->identifiers;
		if (!identifier_is_missing(identifier, &pulse->clock))
			continue;
		alarm_notice_t notice = notice_of(identifier, ALARM_MISSING, when_ns);
		notice.value_ns = identifier_silence_ns(identifier, &pulse->clock);
		if (!say(turn, &notice))
			continue;
		identifier->alarms |= 1u << ALARM_MISSING;
		identifier->calm = 0;
		touch_identifier(turn, identifier);
	}
}

/* ---- frames -------------------------------------------------------------------- */

/* What every frame changes; NULL when its interface is one too many. */
static interface_t *
hear_interface(bitactor_turn_t *turn, monitor_t *monitor, const frame_t *frame)
{
	pulse_t *pulse = &monitor->pulse;
	bitactor_touched(turn, pulse, sizeof *pulse);
	pulse->frames++;
	if (frame->interface >= INTERFACES_MAX) {
		pulse->beyond++;
		return NULL;
	}
	interface_t *interface = &monitor->interfaces[frame->interface];
	bitactor_touched(turn, interface, sizeof *interface);
	clock_hear(&pulse->clock, frame->when_ns);
	interface_hear(interface, frame->when_ns);
	return interface;
}

static void
say_full(bitactor_turn_t *turn, monitor_t *monitor, const frame_t *frame)
{
	pulse_t *pulse = &monitor->pulse;
	alarm_notice_t notice = {
		.what = ALARM_FULL,
		.word = frame->word,
		.interface = frame->interface,
		.count = pulse->identifiers,
		.when_ns = frame->when_ns,
	};
	pulse->unlisted++;
	if (pulse->full_is_said == 0)
		pulse->full_is_said = say(turn, &notice);
}

/* An identifier never seen before; NULL when there is no room for it. */
static identifier_t *
meet(bitactor_turn_t *turn, monitor_t *monitor, interface_t *interface, const frame_t *frame,
     uint16_t *slot)
{
	pulse_t *pulse = &monitor->pulse;
	if (pulse->identifiers == IDENTIFIERS_MAX) {
		say_full(turn, monitor, frame);
		return NULL;
	}
	identifier_t *identifier = &monitor->table.list[pulse->identifiers++];
	*identifier = identifier_met(frame);
	*slot = (uint16_t)pulse->identifiers;
	interface->identifiers++;
	bitactor_touched(turn, identifier, sizeof *identifier);
	bitactor_touched(turn, slot, sizeof *slot);

	if (interface_is_learned(interface, &monitor->rules)) {
		alarm_notice_t notice = notice_of(identifier, ALARM_NEW, frame->when_ns);
		notice.value_ns = interface->elapsed_ns;
		notice.count = count_to_32(interface->frames);
		if (!say(turn, &notice))
			pulse->undelivered++; /* unlike a fault, it will not come again */
	}
	return identifier;
}

static identifier_t *
recognise(bitactor_turn_t *turn, monitor_t *monitor, interface_t *interface,
          const frame_t *frame)
{
	uint16_t *slot = table_slot(&monitor->table, frame->word, frame->interface);
	if (*slot == 0)
		return meet(turn, monitor, interface, frame, slot);
	return &monitor->table.list[*slot - 1];
}

static void
judge(bitactor_turn_t *turn, monitor_t *monitor, identifier_t *identifier, const frame_t *frame)
{
	verdict_t verdict =
	        identifier_hear(identifier, &monitor->rules, &monitor->pulse.clock, frame);
	if (verdict.learned)
		bitactor_touched(turn, identifier, sizeof *identifier);
	else
		touch_identifier(turn, identifier);
	if ((verdict.raise | verdict.over) != 0)
		say_verdict(turn, identifier, &verdict, frame->when_ns);
	bitactor_turn_result(turn, verdict.gap_ns);
}

static void
decode(bitactor_turn_t *turn, monitor_t *monitor, const identifier_t *identifier,
       const frame_t *frame)
{
	if (identifier->meaning >= NMEA_MESSAGES)
		return;
	const nmea_message_t *message = &nmea_messages[identifier->meaning];
	bitactor_signal_t signal = {
		.id = frame->word,
		.kind = (uint16_t)(KIND_NMEA + message->kind),
		.context = frame->interface,
		.timestamp = frame->when_ns,
	};
	nmea_decode(message, frame->data, frame->bytes, &signal);
	if (bitactor_emit(turn, &signal) != BITACTOR_OK)
		monitor->pulse.undelivered++;
}

/* After enough frames without an error frame the trouble is over. */
static void
calm_errors(bitactor_turn_t *turn, const rules_t *rules, interface_t *interface,
            const frame_t *frame)
{
	if (interface->error_classes == 0 || ++interface->quiet < rules->quiet_frames)
		return;
	alarm_notice_t notice = {
		.what = ALARM_ERROR,
		.word = CAN_ERROR | interface->error_classes,
		.interface = frame->interface,
		.when_ns = frame->when_ns,
		.over = true,
	};
	if (say(turn, &notice))
		interface->error_classes = 0;
}

/* ---- handlers ------------------------------------------------------------------ */

/* can.frame, can.fd, can.remote; answers the gap in ns. */
static bitactor_status_t
on_frame(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	monitor_t *monitor = state;
	frame_t frame = frame_from_signal(signal, signal->kind == KIND_FRAME);
	interface_t *interface = hear_interface(turn, monitor, &frame);
	if (interface == NULL)
		return BITACTOR_OK;
	interface->fd_frames += signal->kind == KIND_FD;
	interface->remote_frames += signal->kind == KIND_REMOTE;

	identifier_t *identifier = recognise(turn, monitor, interface, &frame);
	if (identifier != NULL) {
		judge(turn, monitor, identifier, &frame);
		decode(turn, monitor, identifier, &frame);
	}
	calm_errors(turn, &monitor->rules, interface, &frame);
	if (frame.when_ns != 0)
		go_round(turn, monitor, frame.when_ns);
	return BITACTOR_OK;
}

/* can.error: each class of error is an alarm of its own until the bus is quiet. */
static bitactor_status_t
on_error(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	monitor_t *monitor = state;
	frame_t frame = frame_from_signal(signal, false);
	interface_t *interface = hear_interface(turn, monitor, &frame);
	if (interface == NULL)
		return BITACTOR_OK;
	interface->error_frames++;
	interface->quiet = 0;

	uint32_t classes = frame.word & CAN_ID_29;
	if (classes == 0)
		classes = CAN_ERROR_UNSPECIFIED;
	alarm_notice_t notice = {
		.what = ALARM_ERROR,
		.word = CAN_ERROR | (classes & ~interface->error_classes),
		.interface = frame.interface,
		.when_ns = frame.when_ns,
	};
	if (notice.word != CAN_ERROR && say(turn, &notice))
		interface->error_classes |= classes;
	if (frame.when_ns != 0)
		go_round(turn, monitor, frame.when_ns);
	return BITACTOR_OK;
}

static void
count_alarm(alarm_count_t *count, const alarm_notice_t *notice)
{
	if (notice->over) {
		count->over++;
		return;
	}
	if (count->raised++ == 0)
		count->first_ns = notice->when_ns;
}

/* can.alarm: one line to the port, one more in the count. */
static bitactor_status_t
on_alarm(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	monitor_t *monitor = state;
	alarm_notice_t notice = alarm_from_signal(signal);
	if (notice.what == ALARM_NONE || notice.what >= ALARM_KINDS)
		return BITACTOR_INVALID_SIGNAL;

	count_alarm(&monitor->alarms[notice.what], &notice);
	bitactor_touched(turn, &monitor->alarms[notice.what], sizeof(alarm_count_t));

	line_t line = { .used = 0 };
	uint16_t slot = *table_slot(&monitor->table, notice.word, notice.interface);
	line_add_alarm(&line, &notice, slot != 0 ? &monitor->table.list[slot - 1] : NULL);
	return bitactor_output(turn, PORT_ALARM, line.text, line.used);
}

/* The series a message belongs to, met if need be; NULL when there are too many. */
static series_t *
find_series(bitactor_turn_t *turn, series_table_t *values, uint64_t key)
{
	uint16_t *slot = series_slot(values, key);
	if (*slot != 0)
		return &values->list[*slot - 1];
	if (values->count == SERIES_MAX)
		return NULL;
	series_t *series = &values->list[values->count++];
	series->key = key;
	*slot = (uint16_t)values->count;
	bitactor_touched(turn, slot, sizeof *slot);
	bitactor_touched(turn, &values->count, sizeof values->count);
	return series;
}

/* nmea.*: keep the newest and the extremes. */
static bitactor_status_t
on_decoded(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	series_table_t *values = state;
	uint32_t kind = signal->kind - (uint32_t)KIND_NMEA;

	values->messages[kind]++;
	bitactor_touched(turn, &values->messages[kind], sizeof values->messages[kind]);
	series_t *series = find_series(turn, values, series_key(kind, signal));
	if (series == NULL) {
		values->unlisted++;
		bitactor_touched(turn, &values->unlisted, sizeof values->unlisted);
		return BITACTOR_OK;
	}
	series_add(series, &nmea_kinds[kind], signal);
	bitactor_touched(turn, series, sizeof *series);
	return BITACTOR_OK;
}

/* ---- the module ---------------------------------------------------------------- */

#define CONTEXT(name, shift, bits, format) \
	{ name, "", BITACTOR_WORD_CONTEXT, shift, bits, BITACTOR_FORMAT_##format, 0 }

static const bitactor_field_t frame_fields[] = {
	CONTEXT("id", 0, 29, HEX),
	CONTEXT("extended", 31, 1, FLAG),
	CONTEXT("length", 32, 8, UNSIGNED),
	CONTEXT("interface", 40, 16, UNSIGNED),
	{ "data", "", BITACTOR_WORD_PAYLOAD, 0, 64, BITACTOR_FORMAT_BYTES, 0 },
	CONTEXT("fd_flags", 56, 8, HEX), /* last: can.fd alone has them */
};

static const bitactor_field_t remote_fields[] = {
	CONTEXT("id", 0, 29, HEX),
	CONTEXT("extended", 31, 1, FLAG),
	CONTEXT("length", 32, 8, UNSIGNED),
	CONTEXT("interface", 40, 16, UNSIGNED),
};

static const bitactor_field_t error_fields[] = {
	CONTEXT("classes", 0, 29, HEX),
	CONTEXT("interface", 40, 16, UNSIGNED),
	{ "data", "", BITACTOR_WORD_PAYLOAD, 0, 64, BITACTOR_FORMAT_BYTES, 0 },
};

static const bitactor_field_t alarm_fields[] = {
	CONTEXT("what", 48, 8, UNSIGNED), /* enum alarm */
	CONTEXT("cleared", 56, 1, FLAG),
	CONTEXT("id", 0, 32, HEX),
	CONTEXT("interface", 32, 16, UNSIGNED),
	{ "value", "ns", BITACTOR_WORD_PAYLOAD, 0, 64, BITACTOR_FORMAT_UNSIGNED, 0 },
	{ "count", "", BITACTOR_WORD_ID, 0, 32, BITACTOR_FORMAT_UNSIGNED, 0 },
};

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DECODED(NAME, lower, values)                                                  \
	[KIND_NMEA + NMEA_##NAME] = { .name = "nmea." #lower, .fn = on_decoded,       \
	                              .cell = CELL_VALUES, .fields = nmea_##lower,    \
	                              .field_count = COUNT(nmea_##lower) },

static const bitactor_kind_t kinds[KINDS] = {
	[KIND_FRAME]  = { .name = "can.frame", .fn = on_frame, .cell = CELL_BUS,
	                  .fields = frame_fields, .field_count = COUNT(frame_fields) - 1 },
	[KIND_FD]     = { .name = "can.fd", .fn = on_frame, .cell = CELL_BUS,
	                  .fields = frame_fields, .field_count = COUNT(frame_fields) },
	[KIND_REMOTE] = { .name = "can.remote", .fn = on_frame, .cell = CELL_BUS,
	                  .fields = remote_fields, .field_count = COUNT(remote_fields) },
	[KIND_ERROR]  = { .name = "can.error", .fn = on_error, .cell = CELL_BUS,
	                  .fields = error_fields, .field_count = COUNT(error_fields) },
	/* Text takes its time: 500 ns a line, and 5,000 ns the first. */
	[KIND_ALARM]  = { .name = "can.alarm", .fn = on_alarm, .cell = CELL_BUS,
	                  .budget_ticks = 240,
	                  .fields = alarm_fields, .field_count = COUNT(alarm_fields) },
	NMEA_KIND_LIST(DECODED)
};

static const bitactor_cell_t cells[CELLS] = {
	[CELL_BUS]    = { "bus", sizeof(monitor_t) },
	[CELL_VALUES] = { "values", sizeof(series_table_t) },
};

static const char *const ports[PORTS] = { [PORT_ALARM] = "alarm" };

enum param {
	PARAM_LEARN_MS,
	PARAM_LEARN_FRAMES,
	PARAM_LEARN_GAPS,
	PARAM_LATE_PERCENT,
	PARAM_MISSING_PERIODS,
	PARAM_STUCK_FRAMES,
	PARAM_CALM_FRAMES,
	PARAM_QUIET_FRAMES,
	PARAMS
};

static const bitactor_param_t params[PARAMS] = {
	[PARAM_LEARN_MS] = { "learn_ms", "ms", 5000, 0, 86400000,
		"bus time in which an identifier, and an interface, is learned" },
	[PARAM_LEARN_FRAMES] = { "learn_frames", "", 1000, 1, 1000000000,
		"frames in which an interface without times is learned" },
	[PARAM_LEARN_GAPS] = { "learn_gaps", "", 8, 4, 1000,
		"gaps from which the period of an identifier is taken, at least" },
	[PARAM_LATE_PERCENT] = { "late_percent", "%", 150, 101, 100000,
		"a gap longer than this share of the period is late" },
	[PARAM_MISSING_PERIODS] = { "missing_periods", "", 5, 2, 10000,
		"silence longer than so many periods is missing" },
	[PARAM_STUCK_FRAMES] = { "stuck_frames", "", 100, 2, 1000000,
		"data that used to change is stuck when the same in more frames" },
	[PARAM_CALM_FRAMES] = { "calm_frames", "", 4, 1, 1000,
		"frames in time, in a row, until late or missing is cleared" },
	[PARAM_QUIET_FRAMES] = { "quiet_frames", "", 100, 1, 1000000,
		"frames without an error frame until error is cleared" },
};

static bitactor_status_t
init(void *const *cell, const int64_t *given)
{
	monitor_t *monitor = cell[CELL_BUS];
	monitor->rules = (rules_t){
		.learn_ns = (uint64_t)given[PARAM_LEARN_MS] * 1000000,
		.learn_frames = (uint64_t)given[PARAM_LEARN_FRAMES],
		.learn_gaps = (uint64_t)given[PARAM_LEARN_GAPS],
		.late_percent = (uint64_t)given[PARAM_LATE_PERCENT],
		.missing_periods = (uint64_t)given[PARAM_MISSING_PERIODS],
		.stuck_frames = (uint64_t)given[PARAM_STUCK_FRAMES],
		.calm_frames = (uint64_t)given[PARAM_CALM_FRAMES],
		.quiet_frames = (uint64_t)given[PARAM_QUIET_FRAMES],
	};
	return BITACTOR_OK;
}

static void
report(const void *const *cell, void (*say_line)(void *context, const char *line), void *context)
{
	const monitor_t *monitor = cell[CELL_BUS];
	const series_table_t *values = cell[CELL_VALUES];
	const audience_t audience = { say_line, context };

	report_interfaces(monitor, &audience);
	report_sums(monitor, &audience);
	report_identifiers(monitor, &audience);
	report_alarms(monitor, &audience);
	report_values(values, &audience);
	report_notes(monitor, values, &audience);
}

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "can_monitor",
	.version = "1.0.0",
	.kinds = kinds,
	.cells = cells,
	.params = params,
	.ports = ports,
	.kind_count = KINDS,
	.cell_count = CELLS,
	.param_count = PARAMS,
	.port_count = PORTS,
	.init = init,
	.report = report,
};
