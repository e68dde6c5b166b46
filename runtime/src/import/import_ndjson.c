/* SPDX-License-Identifier: Apache-2.0 */
/* import_ndjson.c -- one JSON object a line, one signal an object.
 *
 *      {"kind":"can.frame","payload":"0xC0A0A0001CBEA005","timestamp":12,"data":"05a0"}
 *
 * Only "kind" must be there: a name of the module's, or a number, which is not
 * looked up (the engine rejects, with a record, what nobody handles).  The
 * others are 0 when they are not there, "id" too.
 *
 * Integers go through a string without loss: "31" or "0x1F".  As bare JSON
 * numbers they end at 2^63-1, where jansson's do.  A real is never an integer,
 * not even 1.0: it has been through floating point.
 *
 * jansson reads the text: UTF-8 is checked, a key twice is an error, and so is
 * a second value.  A line is at most 256 KiB, which bounds its memory.
 */
#include "import_source.h"

#include <jansson.h>
#include <string.h>

enum key {
	KEY_KIND,
	KEY_PAYLOAD,
	KEY_CONTEXT,
	KEY_TIMESTAMP,
	KEY_ID,
	KEY_ACTOR,
	KEY_PRIORITY,
	KEY_FLAGS,
	KEY_DATA,
	KEYS
};

static const char *const key_names[KEYS] = { "kind",  "payload",  "context", "timestamp", "id",
	                                     "actor", "priority", "flags",   "data" };

static const uint64_t key_most[KEYS] = { BITACTOR_MAX_KINDS - 1,
	                                 UINT64_MAX,
	                                 UINT64_MAX,
	                                 UINT64_MAX,
	                                 UINT32_MAX,
	                                 UINT32_MAX,
	                                 UINT8_MAX,
	                                 UINT8_MAX,
	                                 0 };

enum { LINE_MAX_BYTES = 256 * 1024 };

/* What an object said. */
typedef struct object {
	uint64_t value[KEYS];
	bool     given[KEYS];
	uint32_t data_bytes;
} object_t;

static void
begin(bitactor_import_t *import)
{
	(void)import;
}

/* The value of a digit up to 16, or 16. */
static uint32_t
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (uint32_t)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (uint32_t)(c - 'A') + 10;
	return 16;
}

typedef enum number { NUMBER_GOOD, NUMBER_NONE, NUMBER_TOO_LARGE } number_t;

/* "31" or "0x1F" */
static number_t
parse_number(const char *text, uint64_t *value)
{
	uint32_t base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	number_t number = NUMBER_GOOD;
	text += base == 16 ? 2 : 0;
	if (*text == '\0')
		return NUMBER_NONE;
	for (*value = 0; *text != '\0'; text++) {
		uint32_t digit = digit_value(*text);
		if (digit >= base)
			return NUMBER_NONE;
		if (*value > (UINT64_MAX - digit) / base)
			number = NUMBER_TOO_LARGE; /* and the rest must be digits */
		*value = *value * base + digit;
	}
	return number;
}

static ba_verdict_t
read_number(bitactor_import_t *import, object_t *object, int key, const json_t *json)
{
	uint64_t value = 0;
	number_t number = NUMBER_NONE;
	if (json_is_integer(json)) {
		json_int_t integer = json_integer_value(json);
		number = integer < 0 ? NUMBER_TOO_LARGE : NUMBER_GOOD;
		value = (uint64_t)integer;
	} else if (json_is_string(json)) {
		number = parse_number(json_string_value(json), &value);
	}
	if (number == NUMBER_NONE && key == KEY_KIND)
		return ba_import_bad(import, "\"kind\" must be a name or an integer");
	if (number == NUMBER_NONE)
		return ba_import_bad(import,
		                     "\"%s\" must be an integer, or one in a string: 31, \"31\" or "
		                     "\"0x1F\"",
		                     key_names[key]);
	if (number == NUMBER_TOO_LARGE || value > key_most[key])
		return ba_import_bad(import, "\"%s\" is out of range: 0 to %llu", key_names[key],
		                     (unsigned long long)key_most[key]);
	object->value[key] = value;
	return BA_VERDICT_SIGNAL;
}

static ba_verdict_t
read_kind(bitactor_import_t *import, object_t *object, const json_t *json)
{
	if (!json_is_string(json))
		return read_number(import, object, KEY_KIND, json);
	const char *name = json_string_value(json);
	int32_t kind = bitactor_kind_find(&import->options.kinds, name);
	if (kind >= 0) {
		object->value[KEY_KIND] = (uint64_t)kind;
		return BA_VERDICT_SIGNAL;
	}
	const char *nearest = bitactor_kind_nearest(&import->options.kinds, name);
	if (nearest == NULL)
		return ba_import_bad(import, "unknown kind \"%.63s\"", name);
	return ba_import_bad(import, "unknown kind \"%.63s\"; the nearest is \"%s\"", name,
	                     nearest);
}

static ba_verdict_t
read_data(bitactor_import_t *import, object_t *object, const json_t *json)
{
	if (!json_is_string(json))
		return ba_import_bad(import, "\"data\" must be a string of hex digits");
	const char *text = json_string_value(json);
	size_t digits = json_string_length(json);
	if (digits % 2 != 0)
		return ba_import_bad(import, "\"data\" has an odd number of hex digits");
	uint8_t *data = ba_import_data(import);
	for (size_t i = 0; i < digits / 2; i++) {
		uint32_t high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);
		if (high > 15 || low > 15)
			return ba_import_bad(import, "\"data\": byte %zu is not two hex digits", i);
		data[i] = (uint8_t)(high << 4 | low);
	}
	object->data_bytes = (uint32_t)(digits / 2);
	return BA_VERDICT_SIGNAL;
}

static ba_verdict_t
read_member(bitactor_import_t *import, object_t *object, const char *name, const json_t *json)
{
	const bitactor_kind_names_t keys = { .names = key_names, .count = KEYS };
	int32_t key = bitactor_kind_find(&keys, name);
	if (key < 0) {
		const char *nearest = bitactor_kind_nearest(&keys, name);
		if (nearest == NULL)
			return ba_import_bad(import, "unknown key \"%.63s\"", name);
		return ba_import_bad(import, "unknown key \"%.63s\"; the nearest is \"%s\"", name,
		                     nearest);
	}
	object->given[key] = true;
	if (key == KEY_KIND)
		return read_kind(import, object, json);
	if (key == KEY_DATA)
		return read_data(import, object, json);
	return read_number(import, object, key, json);
}

/* Each member is looked at in the order of the line: the first fault is said. */
static ba_verdict_t
read_object(bitactor_import_t *import, object_t *object, json_t *json)
{
	const char *name;
	json_t *member;
	json_object_foreach(json, name, member)
	{
		ba_verdict_t verdict = read_member(import, object, name, member);
		if (verdict != BA_VERDICT_SIGNAL)
			return verdict;
	}
	if (!object->given[KEY_KIND])
		return ba_import_bad(import, "\"kind\" is missing");
	return BA_VERDICT_SIGNAL;
}

/* jansson's words, but where they speak of its own flags or leave one guessing. */
static ba_verdict_t
bad_json(bitactor_import_t *import, const json_error_t *error)
{
	const char *reason = error->text;
	switch (json_error_code(error)) {
	case json_error_end_of_input_expected:
		reason = "text after the object; a line is one object";
		break;
	case json_error_premature_end_of_input:
		reason = "the line ends inside the object";
		break;
	case json_error_numeric_overflow:
		reason = "a number out of range; above 9223372036854775807 write it as a string";
		break;
	case json_error_null_character:
	case json_error_null_byte_in_key:
		reason = "a NUL in a string";
		break;
	default:
		break;
	}
	return ba_import_bad(import, "column %d: %s", error->position, reason);
}

static ba_verdict_t
read_line(bitactor_import_t *import, const ba_line_t *line, bitactor_item_t *item)
{
	size_t blanks = strspn(line->text, " \t");
	if (blanks == line->text_bytes)
		return BA_VERDICT_SKIPPED;
	if (line->text[blanks] != '{')
		return ba_import_bad(import, "column %zu: a line is one JSON object, {...}",
		                     blanks + 1);
	json_error_t error;
	json_t *json = json_loadb(line->text, line->text_bytes, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		return bad_json(import, &error);

	object_t object = { .data_bytes = 0 };
	ba_verdict_t verdict = read_object(import, &object, json);
	json_decref(json);
	if (verdict != BA_VERDICT_SIGNAL)
		return verdict;

	item->data = object.data_bytes > 0 ? ba_import_data(import) : NULL;
	item->signal = (bitactor_signal_t){
		.id = (uint32_t)object.value[KEY_ID],
		.actor = (uint32_t)object.value[KEY_ACTOR],
		.kind = (uint16_t)object.value[KEY_KIND],
		.priority = (uint8_t)object.value[KEY_PRIORITY],
		.flags = (uint8_t)object.value[KEY_FLAGS],
		.data_bytes = object.data_bytes,
		.payload = object.value[KEY_PAYLOAD],
		.context = object.value[KEY_CONTEXT],
		.timestamp = object.value[KEY_TIMESTAMP],
	};
	if (object.given[KEY_TIMESTAMP])
		ba_import_timed(import, object.value[KEY_TIMESTAMP]);
	return BA_VERDICT_SIGNAL;
}

const ba_import_format_t ba_import_ndjson = {
	.scheme = "ndjson",
	.line_max = LINE_MAX_BYTES,
	.buffer_bytes = 2 * LINE_MAX_BYTES,
	.data_max = LINE_MAX_BYTES / 2, /* two digits a byte */
	.data_bytes = LINE_MAX_BYTES,
	.begin = begin,
	.read = read_line,
};
