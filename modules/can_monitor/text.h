/* SPDX-License-Identifier: Apache-2.0 */
/* text.h -- what people read: the line of an alarm, the lines of the report.
 *
 * Integers only: a number with a decimal point is a whole number, cut by hand,
 * so that the text depends neither on a locale nor on rounding.  The lines that
 * programs may rely on are listed in README.md; their words and the order of
 * their columns stay.
 */
#ifndef CAN_MONITOR_TEXT_H
#define CAN_MONITOR_TEXT_H

#include <bitactor/module.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "monitor.h"

enum { TOP_IDENTIFIERS = 40 };

static const char *const alarm_names[ALARM_KINDS] = {
	"none", "missing", "late", "stuck", "new", "error", "full"
};

static const char *const rhythm_names[RHYTHMS] = { "learning", "steady", "uneven", "sporadic" };

/* Classes of an error frame, lowest bit first: linux/can/error.h, CAN_ERR_*. */
static const char *const error_names[] = {
	"tx-timeout", "lost-arbitration", "controller", "protocol", "transceiver",
	"no-ack", "bus-off", "bus-error", "restarted", "counters"
};

/* ---- a line -------------------------------------------------------------------- */

typedef struct line {
	char   text[256]; /* always ended; what does not fit is cut */
	size_t used;
} line_t;

static inline void __attribute__((format(printf, 2, 3)))
line_add(line_t *line, const char *format, ...)
{
	size_t room = sizeof line->text - line->used;
	va_list arguments;
	va_start(arguments, format);
	int wanted = vsnprintf(line->text + line->used, room, format, arguments);
	va_end(arguments);
	if (wanted > 0)
		line->used += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

/* value * 10^exponent, with every digit that the exponent promises. */
static inline void
line_add_decimal(line_t *line, int64_t value, int exponent)
{
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value, one = 1;
	for (int i = exponent; i < 0; i++)
		one *= 10;
	for (int i = exponent; i > 0; i--)
		magnitude *= 10;
	line_add(line, "%s%" PRIu64, value < 0 ? "-" : "", magnitude / one);
	if (exponent < 0)
		line_add(line, ".%0*" PRIu64, -exponent, magnitude % one);
}

/* The same, or "-" when there was none to add up. */
static inline void
line_add_number(line_t *line, const char *name, uint64_t known, int64_t value, int exponent)
{
	line_add(line, "%s", name);
	if (known > 0)
		line_add_decimal(line, value, exponent);
	else
		line_add(line, "-");
}

static inline void
line_add_us_as_ms(line_t *line, uint64_t us)
{
	line_add_decimal(line, (int64_t)us, -3);
}

static inline void
line_add_time(line_t *line, uint64_t ns)
{
	if (ns == 0)
		line_add(line, "-");
	else
		line_add_decimal(line, (int64_t)(ns / 1000), -6);
}

static inline void
line_add_id(line_t *line, uint32_t word)
{
	if ((word & CAN_EXTENDED) != 0)
		line_add(line, "0x%08" PRIX32, word & CAN_ID_29);
	else
		line_add(line, "0x%03" PRIX32, word & CAN_ID_11);
}

static inline void
line_add_meaning(line_t *line, const identifier_t *identifier)
{
	uint32_t word = identifier->word;

	if ((word & CAN_EXTENDED) == 0)
		line_add(line, "11-bit");
	else if (identifier->meaning < NMEA_MESSAGES)
		line_add(line, "%s", nmea_message_name(identifier->meaning));
	else
		line_add(line, "PGN %" PRIu32, nmea_pgn(word));
	if ((word & CAN_EXTENDED) != 0)
		line_add(line, " from %" PRIu32, word & 0xFF);
	if (identifier->meaning == NMEA_FAST_PACKET)
		line_add(line, " fast-packet");
	if ((word & CAN_REMOTE) != 0)
		line_add(line, " remote");
}

static inline void
line_add_error_classes(line_t *line, uint32_t classes)
{
	for (uint32_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
		if ((classes >> i & 1) != 0)
			line_add(line, " %s", error_names[i]);
	if ((classes & CAN_ERROR_UNSPECIFIED) != 0)
		line_add(line, " unspecified");
}

/* ---- an alarm ------------------------------------------------------------------ */

static inline void
line_add_fault(line_t *line, const alarm_notice_t *notice, const identifier_t *identifier)
{
	switch (notice->what) {
	case ALARM_MISSING:
	case ALARM_LATE:
		line_add(line, notice->what == ALARM_LATE ? "after " : "silent for ");
		line_add_us_as_ms(line, notice->value_ns / 1000);
		line_add(line, " ms, usually ");
		line_add_us_as_ms(line, identifier != NULL ? identifier->typical_us : 0);
		line_add(line, " ms");
		break;
	case ALARM_STUCK:
		line_add(line, "the same data in %" PRIu32 " frames", notice->count);
		break;
	case ALARM_NEW:
		line_add(line, "not seen before in ");
		if (notice->value_ns == 0) {
			line_add(line, "%" PRIu32 " frames", notice->count);
			break;
		}
		line_add_us_as_ms(line, notice->value_ns / 1000);
		line_add(line, " ms");
		break;
	case ALARM_ERROR:
		line_add(line, "error frame:");
		line_add_error_classes(line, notice->word);
		break;
	default:
		line_add(line, "%" PRIu32 " identifiers, no room for more", notice->count);
	}
}

/* "1502984871.353424 interface 0 0x09F8012B nmea.position from 43: late, after ..." */
static inline void
line_add_alarm(line_t *line, const alarm_notice_t *notice, const identifier_t *identifier)
{
	line_add_time(line, notice->when_ns);
	line_add(line, " interface %" PRIu32, notice->interface);
	if (identifier != NULL) {
		line_add(line, " ");
		line_add_id(line, identifier->word);
		line_add(line, " ");
		line_add_meaning(line, identifier);
	}
	line_add(line, ": %s", alarm_names[notice->what]);
	if (notice->over) {
		line_add(line, " cleared\n");
		return;
	}
	line_add(line, ", ");
	line_add_fault(line, notice, identifier);
	line_add(line, "\n");
}

/* ---- the report ---------------------------------------------------------------- */

/* Where the lines go. */
typedef struct audience {
	void (*say)(void *context, const char *line);
	void *context;
} audience_t;

static inline void
tell(const audience_t *audience, line_t *line)
{
	audience->say(audience->context, line->text);
	*line = (line_t){ .used = 0 };
}

static inline void
report_interface(const interface_t *interface, uint32_t number, const audience_t *audience)
{
	line_t line = { .used = 0 };

	line_add(&line, "interface %" PRIu32 " frames %" PRIu64 " fd %" PRIu64, number,
	         interface->frames, interface->fd_frames);
	line_add(&line, " remote %" PRIu64 " error %" PRIu64 " identifiers %" PRIu32,
	         interface->remote_frames, interface->error_frames, interface->identifiers);
	line_add(&line, " elapsed_ms ");
	line_add_us_as_ms(&line, interface->elapsed_ns / 1000);
	tell(audience, &line);
}

static inline void
report_interfaces(const monitor_t *monitor, const audience_t *audience)
{
	const pulse_t *pulse = &monitor->pulse;
	line_t line = { .used = 0 };

	line_add(&line, "frames %" PRIu64 " timed %" PRIu64 " untimed %" PRIu64, pulse->frames,
	         pulse->clock.timed, pulse->clock.untimed);
	tell(audience, &line);
	for (uint32_t i = 0; i < INTERFACES_MAX; i++)
		if (monitor->interfaces[i].frames > 0)
			report_interface(&monitor->interfaces[i], i, audience);
}

static inline void
report_sums(const monitor_t *monitor, const audience_t *audience)
{
	uint64_t by_rhythm[RHYTHMS] = { 0 }, decoded = 0, fast = 0, other = 0;
	line_t line = { .used = 0 };

	for (uint32_t i = 0; i < monitor->pulse.identifiers; i++) {
		const identifier_t *identifier = &monitor->table.list[i];
		by_rhythm[identifier->rhythm]++;
		if (identifier->meaning == NMEA_FAST_PACKET)
			fast += identifier->frames;
		else if (identifier->meaning == NMEA_OTHER)
			other += identifier->frames;
		else
			decoded += identifier->frames;
	}
	line_add(&line, "identifiers %" PRIu32, monitor->pulse.identifiers);
	for (uint32_t i = 0; i < RHYTHMS; i++)
		line_add(&line, " %s %" PRIu64, rhythm_names[i], by_rhythm[i]);
	tell(audience, &line);
	line_add(&line, "meaning decoded %" PRIu64 " fast_packet %" PRIu64 " other %" PRIu64,
	         decoded, fast, other);
	tell(audience, &line);
}

static inline void
report_identifier(const identifier_t *identifier, const audience_t *audience)
{
	line_t line = { .used = 0 };

	line_add(&line, "identifier %" PRIu32 " ", (uint32_t)identifier->interface);
	line_add_id(&line, identifier->word);
	line_add(&line, " %" PRIu64 " %" PRIu64, identifier->frames, identifier->late_gaps);
	if (identifier->shortest_us <= identifier->longest_us) {
		line_add(&line, " ");
		line_add_us_as_ms(&line, identifier->shortest_us);
		line_add(&line, " ");
		line_add_us_as_ms(&line, identifier_typical_us(identifier));
		line_add(&line, " ");
		line_add_us_as_ms(&line, identifier->longest_us);
	} else {
		line_add(&line, " - - -");
	}
	line_add(&line, " %s ", rhythm_names[identifier->rhythm]);
	line_add_meaning(&line, identifier);
	for (uint32_t i = 0; i < ALARM_KINDS; i++)
		if ((identifier->alarms >> i & 1) != 0)
			line_add(&line, ", still %s", alarm_names[i]);
	tell(audience, &line);
}

/* The one with the most frames among those after `last`; of equals, the one met
 * first.  `last` NULL: among all. */
static inline const identifier_t *
next_busiest(const monitor_t *monitor, const identifier_t *last)
{
	const identifier_t *best = NULL;
	for (uint32_t i = 0; i < monitor->pulse.identifiers; i++) {
		const identifier_t *one = &monitor->table.list[i];
		bool is_after = last == NULL || one->frames < last->frames ||
		                (one->frames == last->frames && one > last);
		if (is_after && (best == NULL || one->frames > best->frames))
			best = one;
	}
	return best;
}

static inline void
report_identifiers(const monitor_t *monitor, const audience_t *audience)
{
	uint32_t shown = 0;
	const identifier_t *one = next_busiest(monitor, NULL);
	line_t line = { .used = 0 };

	if (one != NULL)
		audience->say(audience->context, "# identifier interface id frames late_gaps"
		              " min_ms typical_ms max_ms rhythm meaning");
	for (; one != NULL && shown < TOP_IDENTIFIERS; one = next_busiest(monitor, one), shown++)
		report_identifier(one, audience);
	if (one != NULL) {
		line_add(&line, "identifiers_not_shown %" PRIu32,
		         monitor->pulse.identifiers - shown);
		tell(audience, &line);
	}
}

static inline void
report_alarms(const monitor_t *monitor, const audience_t *audience)
{
	line_t line = { .used = 0 };
	for (uint32_t i = ALARM_NONE + 1; i < ALARM_KINDS; i++) {
		const alarm_count_t *count = &monitor->alarms[i];
		line_add(&line, "alarms %s %" PRIu64 " cleared %" PRIu64 " first ", alarm_names[i],
		         count->raised, count->over);
		line_add_time(&line, count->first_ns);
		tell(audience, &line);
	}
}

/* Who sent it, and the codes that tell two series of one sender apart. */
static inline void
line_add_series(line_t *line, const series_t *series)
{
	const nmea_kind_info_t *kind = &nmea_kinds[series_kind(series)];

	line_add(line, " source %u interface %u", (unsigned)(series->key >> 24 & 0xFF),
	         (unsigned)(series->key & 0xFF));
	for (uint32_t i = 2 * kind->value_count; i < kind->field_count; i++) {
		const bitactor_field_t *code = &kind->fields[i];
		if (code->word == BITACTOR_WORD_CONTEXT && code->shift >= 8 && code->shift < 24)
			line_add(line, " %s %u", code->name,
			         (unsigned)(series->key >> code->shift & nmea_ones(code->bits)));
	}
}

static inline void
report_value(const series_t *series, uint32_t number, const audience_t *audience)
{
	const nmea_kind_info_t *kind = &nmea_kinds[series_kind(series)];
	const series_value_t *value = &series->values[number];
	const bitactor_field_t *field = &kind->fields[2 * number];
	line_t line = { .used = 0 };

	line_add(&line, "value %s %s ", kind->name, field->name);
	line_add_number(&line, "", value->known, value->latest, field->exponent);
	line_add(&line, " %s", field->unit[0] != '\0' ? field->unit : "1");
	line_add_series(&line, series);
	line_add(&line, " known %" PRIu64 " absent %" PRIu64, value->known, value->absent);
	line_add_number(&line, " first ", value->known, value->first, field->exponent);
	line_add_number(&line, " min ", value->known, value->least, field->exponent);
	line_add_number(&line, " max ", value->known, value->most, field->exponent);
	line_add_number(&line, " sum ", value->known, (int64_t)value->sum, field->exponent);
	tell(audience, &line);
}

static inline void
report_values(const series_table_t *values, const audience_t *audience)
{
	line_t line = { .used = 0 };
	for (uint32_t kind = 0; kind < NMEA_KINDS; kind++) {
		if (values->messages[kind] == 0)
			continue;
		line_add(&line, "decoded %s %" PRIu64, nmea_kinds[kind].name,
		         values->messages[kind]);
		tell(audience, &line);
		for (uint32_t i = 0; i < values->count; i++)
			for (uint32_t n = 0; n < nmea_kinds[kind].value_count; n++)
				if (series_kind(&values->list[i]) == kind)
					report_value(&values->list[i], n, audience);
	}
}

static inline void
report_note(uint64_t count, const char *text, const audience_t *audience)
{
	line_t line = { .used = 0 };
	if (count == 0)
		return;
	line_add(&line, "note %" PRIu64 " %s", count, text);
	tell(audience, &line);
}

static inline void
report_notes(const monitor_t *monitor, const series_table_t *values, const audience_t *audience)
{
	const pulse_t *pulse = &monitor->pulse;

	if (pulse->frames > 0 && pulse->clock.timed == 0)
		audience->say(audience->context,
		              "note no times in the input: periods not judged");
	else
		report_note(pulse->clock.untimed, "frames had no time", audience);
	report_note(pulse->clock.backward, "times the clock stepped back", audience);
	report_note(pulse->clock.steps, "of these by a second or more", audience);
	report_note(pulse->unlisted, "frames of identifiers beyond the table's room", audience);
	report_note(pulse->beyond, "frames on interfaces beyond the table's room", audience);
	report_note(pulse->undelivered, "decoded messages or newcomers found no room to be emitted",
	            audience);
	report_note(values->unlisted, "decoded messages of series beyond the table's room",
	            audience);
}

#endif
