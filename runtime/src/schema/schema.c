/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c -- a schema out of its text.
 *
 * Reading copies the text once and turns every tab and newline of the copy into
 * an end of string: names and units are pointers into it, so a schema is one
 * block of memory,
 *
 *      kinds | fields | ports | the text, cut into strings
 *
 * whose size follows from counting the lines that begin like a kind, a field or
 * a port.  Any other spelling than that of schema_text.c is refused.
 */
#include "schema_words.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 8 };

const char *
ba_schema_repeated_name(const bitactor_schema_t *schema, bitactor_status_t *status)
{
	uint32_t index = 0;
	*status = bitactor_names_unique(schema->kinds, sizeof *schema->kinds, schema->kind_count,
	                                &index);
	if (*status == BITACTOR_CORRUPT)
		return schema->kinds[index].name;
	for (uint32_t i = 0; i < schema->kind_count && *status == BITACTOR_OK; i++) {
		const bitactor_schema_kind_t *kind = &schema->kinds[i];
		*status = bitactor_names_unique(kind->fields, sizeof *kind->fields,
		                                kind->field_count, &index);
		if (*status == BITACTOR_CORRUPT)
			return kind->fields[index].name;
	}
	if (*status != BITACTOR_OK)
		return NULL;
	*status = bitactor_names_unique(schema->ports, sizeof *schema->ports, schema->port_count,
	                                &index);
	return *status == BITACTOR_CORRUPT ? schema->ports[index] : NULL;
}

/* A line in columns; more than COLUMNS_MAX of them are counted, not kept. */
typedef struct columns {
	const char *text[COLUMNS_MAX];
	uint32_t    count;
} columns_t;

/* What a text is being read into: room for all its lines, filled in order. */
typedef struct reading {
	bitactor_schema_t *schema;
	bitactor_field_t  *fields;
	uint32_t           field_count;
	char              *text;
} reading_t;

/* A number in its one spelling: no sign, no leading zero, at most `most`. */
static bool
read_number(const char *text, uint32_t most, uint32_t *number)
{
	uint64_t value = 0;
	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (uint64_t)(*text - '0');
		if (value > most)
			return false;
	}
	*number = (uint32_t)value;
	return true;
}

static bool
read_exponent(const char *text, int8_t *exponent)
{
	uint32_t number;
	bool negative = text[0] == '-';
	if (!read_number(text + negative, BA_SCHEMA_EXPONENT_MAX, &number))
		return false;
	if (negative && number == 0)
		return false;
	*exponent = (int8_t)(negative ? -(int)number : (int)number);
	return true;
}

static bool
read_choice(const char *text, const char *const *names, uint32_t name_count, uint8_t *choice)
{
	for (uint32_t i = 0; i < name_count; i++)
		if (strcmp(text, names[i]) == 0) {
			*choice = (uint8_t)i;
			return true;
		}
	return false;
}

/* The readers of a line answer NULL, or what is wrong with it. */
static const char *
read_kind(reading_t *reading, const columns_t *columns)
{
	bitactor_schema_t *schema = reading->schema;
	uint32_t number;
	if (columns->count != 3)
		return "a kind has 2 columns: number, name";
	if (schema->port_count > 0)
		return "kinds come before ports";
	if (!read_number(columns->text[1], BA_SCHEMA_KIND_LAST, &number))
		return "the number of a kind is 0 to 65279, without sign or leading zeros";
	if (schema->kind_count > 0 && number <= schema->kinds[schema->kind_count - 1].kind)
		return "kinds must ascend";
	if (!bitactor_name_is_valid(columns->text[2]))
		return "the name of a kind is 1 to 63 of A-Z a-z 0-9 _ . -";
	schema->kinds[schema->kind_count++] = (bitactor_schema_kind_t){
		.name = columns->text[2],
		.kind = (uint16_t)number,
		.fields = NULL,
		.field_count = 0,
	};
	return NULL;
}

static const char *
read_field(reading_t *reading, const columns_t *columns)
{
	bitactor_schema_t *schema = reading->schema;
	uint32_t shift, bits;
	if (columns->count != 8)
		return "a field has 7 columns: name, unit, word, shift, bits, format, exponent";
	if (schema->kind_count == 0 || schema->port_count > 0)
		return "a field belongs to the kind above it";
	bitactor_schema_kind_t *kind = &schema->kinds[schema->kind_count - 1];
	if (kind->field_count == BITACTOR_FIELDS_MAX)
		return "a kind has at most 256 fields";
	bitactor_field_t field = { .name = columns->text[1], .unit = columns->text[2] };
	if (!read_choice(columns->text[3], ba_word_names, BA_WORD_COUNT, &field.word))
		return "the word of a field is payload, context, timestamp or id";
	if (!read_number(columns->text[4], 63, &shift) || !read_number(columns->text[5], 64, &bits))
		return "shift is 0 to 63 and bits 1 to 64, without sign or leading zeros";
	if (!read_choice(columns->text[6], ba_format_names, BA_FORMAT_COUNT, &field.format))
		return "the format of a field is unsigned, signed, hex, bytes or flag";
	if (!read_exponent(columns->text[7], &field.exponent))
		return "the exponent of a field is -18 to 18, without \"+\" or leading zeros";
	field.shift = (uint8_t)shift;
	field.bits = (uint8_t)bits;
	const char *complaint = bitactor_field_complaint(&field);
	if (complaint != NULL)
		return complaint;
	if (kind->field_count == 0)
		kind->fields = &reading->fields[reading->field_count];
	reading->fields[reading->field_count++] = field;
	kind->field_count++;
	return NULL;
}

static const char *
read_port(reading_t *reading, const columns_t *columns)
{
	bitactor_schema_t *schema = reading->schema;
	uint32_t number;
	if (columns->count != 3)
		return "a port has 2 columns: number, name";
	if (!read_number(columns->text[1], UINT32_MAX, &number) || number != schema->port_count)
		return "ports count from 0 without gaps";
	if (!bitactor_name_is_valid(columns->text[2]))
		return "the name of a port is 1 to 63 of A-Z a-z 0-9 _ . -";
	schema->ports[schema->port_count++] = columns->text[2];
	return NULL;
}

/* Cut the line at `text`, which ends in a newline, into columns; the next line. */
static char *
split(char *text, columns_t *columns)
{
	columns->count = 0;
	for (char *start = text;; text++) {
		if (*text != '\t' && *text != '\n')
			continue;
		bool is_last = *text == '\n';
		*text = '\0';
		if (columns->count < COLUMNS_MAX)
			columns->text[columns->count] = start;
		columns->count++;
		start = text + 1;
		if (is_last)
			return start;
	}
}

static bitactor_status_t
corrupt(bitactor_error_t *error, uint32_t line, const char *complaint)
{
	return bitactor_error_set(error, BITACTOR_CORRUPT, 0, "schema, line %u: %s", line,
	                          complaint);
}

static bitactor_status_t
read_first_line(const columns_t *columns, bitactor_error_t *error)
{
	uint32_t version;
	if (columns->count != 2 || strcmp(columns->text[0], "schema") != 0 ||
	    !read_number(columns->text[1], UINT32_MAX, &version))
		return corrupt(error, 1, "the first is \"schema\" and a version, 1");
	if (version != BA_SCHEMA_VERSION)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "schema of version %u, this program knows version %d",
		                          version, BA_SCHEMA_VERSION);
	return BITACTOR_OK;
}

static bitactor_status_t
read_lines(reading_t *reading, size_t text_bytes, bitactor_error_t *error)
{
	columns_t columns;
	char *end = reading->text + text_bytes;
	char *next = split(reading->text, &columns);
	bitactor_status_t status = read_first_line(&columns, error);
	if (status != BITACTOR_OK)
		return status;
	for (uint32_t line = 2; next < end; line++) {
		next = split(next, &columns);
		const char *complaint = "an item is a kind, a field or a port";
		if (strcmp(columns.text[0], "kind") == 0)
			complaint = read_kind(reading, &columns);
		else if (strcmp(columns.text[0], "field") == 0)
			complaint = read_field(reading, &columns);
		else if (strcmp(columns.text[0], "port") == 0)
			complaint = read_port(reading, &columns);
		if (complaint != NULL)
			return corrupt(error, line, complaint);
	}
	return BITACTOR_OK;
}

static uint32_t
line_of(const char *text, size_t offset)
{
	uint32_t line = 1;
	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

/* The names are all read; now compare them. */
static bitactor_status_t
refuse_repeated_names(const reading_t *reading, const char *text, bitactor_error_t *error)
{
	bitactor_status_t status;
	const char *name = ba_schema_repeated_name(reading->schema, &status);
	if (name != NULL)
		return corrupt(error, line_of(text, (size_t)(name - reading->text)),
		               "an earlier item has this name");
	if (status != BITACTOR_OK)
		return bitactor_error_set(error, status, 0, "out of memory for a schema");
	return BITACTOR_OK;
}

/* What can be said of the text before it is read; then nothing below meets a
 * NUL, or runs past a line that does not end. */
static bitactor_status_t
check_whole(const char *text, size_t text_bytes, bitactor_error_t *error)
{
	if (text_bytes == 0)
		return corrupt(error, 1, "the text is empty");
	if (text_bytes > BITACTOR_SCHEMA_TEXT_MAX)
		return bitactor_error_set(error, BITACTOR_CORRUPT, 0,
		                          "schema of %zu bytes, at most %d are read", text_bytes,
		                          BITACTOR_SCHEMA_TEXT_MAX);
	const char *nul = memchr(text, '\0', text_bytes);
	if (nul != NULL)
		return corrupt(error, line_of(text, (size_t)(nul - text)), "there is a NUL byte");
	if (text[text_bytes - 1] != '\n')
		return corrupt(error, line_of(text, text_bytes), "its newline is missing");
	return BITACTOR_OK;
}

static size_t
count_lines(const char *text, size_t text_bytes, const char *prefix)
{
	size_t count = 0, prefix_bytes = strlen(prefix);
	const char *end = text + text_bytes;
	for (const char *line = text; line < end;) {
		count += (size_t)(end - line) >= prefix_bytes &&
		         memcmp(line, prefix, prefix_bytes) == 0;
		line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
	}
	return count;
}

/* One block for all of it; see the picture above. */
static bool
make_room(const char *text, size_t text_bytes, reading_t *reading)
{
	size_t kinds = count_lines(text, text_bytes, "kind\t");
	size_t fields = count_lines(text, text_bytes, "field\t");
	size_t ports = count_lines(text, text_bytes, "port\t");
	bitactor_schema_t *schema = reading->schema;
	size_t fields_at = kinds * sizeof *schema->kinds;
	size_t ports_at = fields_at + fields * sizeof *reading->fields;
	size_t text_at = ports_at + ports * sizeof *schema->ports;
	char *block = malloc(text_at + text_bytes);
	if (block == NULL)
		return false;
	schema->memory = block;
	schema->kinds = (bitactor_schema_kind_t *)(void *)block;
	schema->ports = (const char **)(void *)(block + ports_at);
	reading->fields = (bitactor_field_t *)(void *)(block + fields_at);
	reading->text = memcpy(block + text_at, text, text_bytes);
	return true;
}
_Static_assert(sizeof(bitactor_schema_kind_t) % _Alignof(bitactor_field_t) == 0,
               "fields may stand behind kinds");
_Static_assert(sizeof(bitactor_field_t) % _Alignof(const char *) == 0,
               "ports may stand behind fields");

bitactor_status_t
bitactor_schema_parse(const char *text, size_t text_bytes, bitactor_schema_t *schema,
                      bitactor_error_t *error)
{
	if (schema != NULL)
		*schema = (bitactor_schema_t){ 0 };
	if (schema == NULL || text == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "schema: NULL argument");
	bitactor_status_t status = check_whole(text, text_bytes, error);
	if (status != BITACTOR_OK)
		return status;

	reading_t reading = { .schema = schema };
	if (!make_room(text, text_bytes, &reading))
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory for a schema");
	status = read_lines(&reading, text_bytes, error);
	if (status == BITACTOR_OK)
		status = refuse_repeated_names(&reading, text, error);
	if (status != BITACTOR_OK)
		bitactor_schema_free(schema);
	return status;
}

void
bitactor_schema_free(bitactor_schema_t *schema)
{
	if (schema == NULL)
		return;
	free(schema->memory);
	*schema = (bitactor_schema_t){ 0 };
}

const bitactor_schema_kind_t *
bitactor_schema_find(const bitactor_schema_t *schema, uint16_t kind)
{
	if (schema == NULL || schema->kinds == NULL)
		return NULL;
	uint32_t from = 0, to = schema->kind_count;
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		const bitactor_schema_kind_t *found = &schema->kinds[middle];
		if (found->kind == kind)
			return found;
		if (found->kind < kind)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}
