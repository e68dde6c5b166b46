/* SPDX-License-Identifier: Apache-2.0 */
/* record_text.c -- one line, one record. */
#include "record_text.h"

#include <inttypes.h>
#include <string.h>

const char *
record_kind_name(const bitactor_schema_t *schema, uint16_t kind, char room[16])
{
	const bitactor_schema_kind_t *known =
	        schema != NULL ? bitactor_schema_find(schema, kind) : NULL;
	if (known != NULL)
		return known->name;
	const char *own = bitactor_record_kind_name(kind);
	if (own != NULL)
		return own;
	snprintf(room, 16, "kind %u", kind);
	return room;
}

/* The kind whose fields the words have: a REJECT has its signal's. */
static uint16_t
signal_kind(const record_view_t *view)
{
	uint16_t kind = view->record->kind;
	if (kind == BITACTOR_RECORD_REJECT && view->own != NULL)
		memcpy(&kind, view->own, sizeof kind);
	return kind;
}

static bool
is_signal(const bitactor_record_t *record)
{
	return record->kind < BITACTOR_MAX_KINDS || record->kind == BITACTOR_RECORD_REJECT;
}

/* A dispatch: of a signal, or of a fiber that goes on. */
static bool
has_effect(const bitactor_record_t *record)
{
	return record->kind < BITACTOR_MAX_KINDS || record->kind == BITACTOR_RECORD_RESUME;
}

static bool
holds_text(uint16_t kind)
{
	return kind == BITACTOR_RECORD_OUTPUT || kind == BITACTOR_RECORD_PROGRAM ||
	       kind == BITACTOR_RECORD_SCHEMA || kind == BITACTOR_RECORD_STATS;
}

static const char *
port_name(const record_view_t *view, char room[16])
{
	if (view->schema != NULL && view->record->actor < view->schema->port_count)
		return view->schema->ports[view->record->actor];
	snprintf(room, 16, "port %" PRIu32, view->record->actor);
	return room;
}

/* "from tick", "from queue", or the seq of the record that caused it. */
static void
cause_text(const record_view_t *view, char room[32])
{
	const bitactor_record_t *record = view->record;
	if ((record->flags & BITACTOR_RECORD_OUTSIDE) != 0)
		snprintf(room, 32, "%s",
		         record->cause == BITACTOR_SOURCE_TICK   ? "from tick"
		         : record->cause == BITACTOR_SOURCE_SHARED ? "from queue"
		                                                   : "from source");
	else if (record->cause == BITACTOR_CAUSE_FAR)
		snprintf(room, 32, "by %" PRIu64, record->cause_seq);
	else
		snprintf(room, 32, "by %" PRIu64, view->seq - record->cause);
}

/* ---- text --------------------------------------------------------------- */

static void
print_hex(FILE *out, const uint8_t *bytes, size_t byte_count)
{
	for (size_t i = 0; i < byte_count; i++)
		fprintf(out, "%02x", bytes[i]);
}

/* Printable as it is; the rest as \xNN, so that a line stays a line. */
static void
print_text(FILE *out, const uint8_t *bytes, size_t byte_count)
{
	for (size_t i = 0; i < byte_count; i++) {
		if (bytes[i] >= 0x20 && bytes[i] != 0x7F && bytes[i] != '\\')
			putc(bytes[i], out);
		else
			fprintf(out, "\\x%02x", bytes[i]);
	}
}

static void
print_fields(FILE *out, const record_view_t *view)
{
	const bitactor_record_t *record = view->record;
	const uint64_t words[4] = { record->payload, record->context, record->timestamp,
		                    record->id };
	const bitactor_schema_kind_t *kind =
	        view->schema != NULL ? bitactor_schema_find(view->schema, signal_kind(view)) : NULL;

	if (record->id != 0)
		fprintf(out, " #%" PRIu32, record->id);
	if (kind == NULL || kind->field_count == 0) {
		fprintf(out, " payload=%" PRIu64 " context=%" PRIu64 " timestamp=%" PRIu64,
		        record->payload, record->context, record->timestamp);
		return;
	}
	for (uint32_t i = 0; i < kind->field_count; i++) {
		const bitactor_field_t *field = &kind->fields[i];
		char text[BITACTOR_FIELD_TEXT_BYTES];
		bitactor_field_format(field, words, text, sizeof text);
		fprintf(out, " %s=%s%s%s", field->name, text, field->unit[0] != '\0' ? " " : "",
		        field->unit);
	}
}

static void
print_own(FILE *out, const record_view_t *view)
{
	const bitactor_record_t *record = view->record;
	char room[16];

	switch (record->kind) {
	case BITACTOR_RECORD_TURN:
		fprintf(out, " now=%" PRIu64 " ns", record->payload);
		break;
	case BITACTOR_RECORD_OUTPUT:
		fprintf(out, " to %s:", port_name(view, room));
		break;
	case BITACTOR_RECORD_REGISTER:
		fprintf(out, " %s", record_kind_name(view->schema, (uint16_t)record->actor, room));
		if (record->payload != UINT64_MAX)
			fprintf(out, " budget=%" PRIu32 " ticks", (uint32_t)record->payload);
		else
			fputs(" no longer", out);
		break;
	case BITACTOR_RECORD_OVERRUN:
		fprintf(out, " %s spent=%" PRIu64 " counts",
		        record_kind_name(view->schema, (uint16_t)record->actor, room),
		        record->payload);
		break;
	default:
		fprintf(out, " payload=%" PRIu64, record->payload);
		break;
	}
}

static void
print_data(FILE *out, const record_view_t *view)
{
	if (view->data_bytes == 0)
		return;
	putc(' ', out);
	if (holds_text(view->record->kind)) {
		print_text(out, view->data, view->data_bytes);
		return;
	}
	fputs("data=", out);
	print_hex(out, view->data, view->data_bytes);
}

void
record_print(FILE *out, const record_view_t *view)
{
	const bitactor_record_t *record = view->record;
	char room[16], cause[32];

	if (bitactor_record_is_compared(record))
		fprintf(out, "%9" PRIu64, view->seq);
	else
		fputs("        -", out);
	fprintf(out, " turn %-6" PRIu64 " %-18s", view->turn,
	        record_kind_name(view->schema, record->kind, room));
	if (is_signal(record) || record->kind == BITACTOR_RECORD_RESUME) {
		cause_text(view, cause);
		fprintf(out, " %-10s", cause);
		if (record->kind == BITACTOR_RECORD_REJECT)
			fprintf(out, " nobody is registered for %s:",
			        record_kind_name(view->schema, signal_kind(view), room));
		if (record->actor != 0)
			fprintf(out, " actor=%" PRIu32, record->actor);
		print_fields(out, view);
	} else {
		print_own(out, view);
	}
	print_data(out, view);
	if (view->open)
		fputs("  <- IN DISPATCH when the process ended", out);
	else if (has_effect(record))
		fprintf(out, "  effect=%08" PRIx32, record->effect);
	if ((record->flags & BITACTOR_RECORD_FAILED) != 0)
		fputs(" FAILED", out);
}

/* ---- JSON --------------------------------------------------------------- */

static void
json_fields(json_writer_t *json, const record_view_t *view)
{
	const bitactor_record_t *record = view->record;
	const uint64_t words[4] = { record->payload, record->context, record->timestamp,
		                    record->id };
	const bitactor_schema_kind_t *kind =
	        view->schema != NULL ? bitactor_schema_find(view->schema, signal_kind(view)) : NULL;
	if (kind == NULL || kind->field_count == 0)
		return;
	json_open(json, "fields", '{');
	for (uint32_t i = 0; i < kind->field_count; i++) {
		char text[BITACTOR_FIELD_TEXT_BYTES];
		bitactor_field_format(&kind->fields[i], words, text, sizeof text);
		json_text(json, kind->fields[i].name, text);
	}
	json_close(json, '}');
}

void
record_json(json_writer_t *json, const record_view_t *view)
{
	const bitactor_record_t *record = view->record;
	char room[16], cause[32];

	json_open(json, NULL, '{');
	if (bitactor_record_is_compared(record))
		json_u64(json, "seq", view->seq);
	json_u64(json, "turn", view->turn);
	json_text(json, "kind", record_kind_name(view->schema, record->kind, room));
	if (is_signal(record) || record->kind == BITACTOR_RECORD_RESUME) {
		cause_text(view, cause);
		json_text(json, "cause", cause);
	}
	if (record->kind == BITACTOR_RECORD_REJECT)
		json_text(json, "offered", record_kind_name(view->schema, signal_kind(view), room));
	if (record->kind == BITACTOR_RECORD_OUTPUT)
		json_text(json, "port", port_name(view, room));
	json_u64(json, "actor", record->actor);
	json_u64(json, "payload", record->payload);
	if ((record->flags & BITACTOR_RECORD_HAS_FIELDS) != 0) {
		json_u64(json, "context", record->context);
		json_u64(json, "timestamp", record->timestamp);
		json_u64(json, "id", record->id);
		json_u64(json, "signal_flags", record->signal_flags);
		json_u64(json, "priority", record->priority);
	}
	json_fields(json, view);
	if (view->data_bytes > 0 && holds_text(record->kind))
		json_bytes_text(json, "text", view->data, view->data_bytes);
	else if (view->data_bytes > 0)
		json_hex(json, "data", view->data, view->data_bytes);
	if (view->open)
		json_bool(json, "in_dispatch", true);
	else if (has_effect(record))
		json_u64(json, "effect", record->effect);
	if ((record->flags & BITACTOR_RECORD_FAILED) != 0)
		json_bool(json, "failed", true);
	json_close(json, '}');
}
