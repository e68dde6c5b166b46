/* SPDX-License-Identifier: Apache-2.0 */
/* trace_program.c -- PROGRAM's text, written and read by one table.
 *
 * A line is "key<TAB>value"; the limits of a configuration are the rows of
 * `limits`, so that what is written is what is read.  Reading takes nothing but
 * what writing gives: every key and every parameter once, in this order.  And
 * writing gives nothing but what reading takes: it reads its own text.
 */
#include <bitactor/trace_program.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct limit {
	const char *key;
	size_t      offset;
} limits[] = {
	{ "kinds", offsetof(bitactor_config_t, kinds) },
	{ "queue_slots", offsetof(bitactor_config_t, queue_slots) },
	{ "emit_slots", offsetof(bitactor_config_t, emit_slots) },
	{ "data_max", offsetof(bitactor_config_t, data_max) },
	{ "data_blocks", offsetof(bitactor_config_t, data_blocks) },
	{ "emit_data_blocks", offsetof(bitactor_config_t, emit_data_blocks) },
	{ "output_max", offsetof(bitactor_config_t, output_max) },
	{ "segments", offsetof(bitactor_config_t, segments) },
	{ "fibers", offsetof(bitactor_config_t, fibers) },
	{ "fiber_stack_bytes", offsetof(bitactor_config_t, fiber_stack_bytes) },
	{ "budget_ticks", offsetof(bitactor_config_t, budget_ticks) },
	{ "flags", offsetof(bitactor_config_t, flags) },
};
enum { LIMIT_COUNT = sizeof limits / sizeof *limits };

/* ---- writing ------------------------------------------------------------ */

static void
write_text(FILE *out, const bitactor_program_t *program)
{
	fprintf(out, "program\t1\nmodule\t%s\nversion\t%s\nschema\t", program->module,
	        program->version);
	for (size_t i = 0; i < sizeof program->schema; i++)
		fprintf(out, "%02x", program->schema[i]);
	fprintf(out, "\nseed\t%" PRIu64 "\n", program->config.seed);
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		uint32_t value;
		memcpy(&value, (const char *)&program->config + limits[i].offset, sizeof value);
		fprintf(out, "%s\t%" PRIu32 "\n", limits[i].key, value);
	}
	for (uint32_t i = 0; i < program->param_count; i++)
		fprintf(out, "param\t%s\t%" PRId64 "\n", program->param[i].name,
		        program->param[i].value);
}

char *
bitactor_program_text(const bitactor_program_t *program, size_t *text_bytes)
{
	char  *text  = NULL;
	size_t bytes = 0;
	bitactor_program_t again;

	if (program == NULL || text_bytes == NULL || program->param_count > BITACTOR_PROGRAM_PARAMS)
		return NULL;
	FILE *out = open_memstream(&text, &bytes);
	if (out == NULL)
		return NULL;
	write_text(out, program);
	bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed ||
	    bitactor_program_parse(text, bytes, &again, NULL) != BITACTOR_OK ||
	    again.param_count != program->param_count) { /* a name that holds a line */
		free(text);
		return NULL;
	}
	*text_bytes = bytes;
	return text;
}

/* ---- reading ------------------------------------------------------------ */

typedef struct lines {
	const char *at, *end;
	uint64_t    number;
	char        line[256]; /* the one read last, NUL-terminated */
	bitactor_error_t *error;
} lines_t;

static bitactor_status_t
wrong(lines_t *lines, const char *what)
{
	return bitactor_error_set(lines->error, BITACTOR_CORRUPT, 0,
	                          "PROGRAM record, line %" PRIu64 ": %s", lines->number, what);
}

static bool
next_line(lines_t *lines)
{
	size_t      left    = (size_t)(lines->end - lines->at);
	const char *newline = left > 0 ? memchr(lines->at, '\n', left) : NULL;
	lines->number++;
	if (newline == NULL)
		return false;
	size_t length = (size_t)(newline - lines->at);
	if (length >= sizeof lines->line || memchr(lines->at, '\0', length) != NULL)
		return false;
	memcpy(lines->line, lines->at, length);
	lines->line[length] = '\0';
	lines->at = newline + 1;
	return true;
}

/* The value of a line "key<TAB>value", or NULL. */
static char *
value_of(lines_t *lines, const char *key)
{
	size_t length = strlen(key);
	if (!next_line(lines) || strncmp(lines->line, key, length) != 0 ||
	    lines->line[length] != '\t')
		return NULL;
	return lines->line + length + 1;
}

/* Decimal digits only, as writing gives them. */
static bool
parse_u64(const char *text, uint64_t most, uint64_t *value)
{
	uint64_t number = 0;
	if (*text == '\0' || (*text == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');
		if (*text < '0' || *text > '9' || number > (most - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*value = number;
	return true;
}

static bool
parse_i64(const char *text, int64_t *value)
{
	bool     negative = *text == '-';
	uint64_t most = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	uint64_t number;
	if (!parse_u64(text + negative, most, &number) || (negative && number == 0))
		return false;
	*value = negative ? (int64_t)(0 - number) : (int64_t)number;
	return true;
}

static bool
parse_hex(const char *text, uint8_t *out, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes * 2; i++) {
		const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
		if (digit == NULL)
			return false;
		uint8_t nibble = (uint8_t)(digit - digits);
		out[i / 2] = (uint8_t)(i % 2 == 0 ? nibble << 4 : out[i / 2] | nibble);
	}
	return text[bytes * 2] == '\0';
}

static bool
parse_name(const char *text, char out[BITACTOR_NAME_MAX + 1])
{
	if (text == NULL || !bitactor_name_is_valid(text))
		return false;
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bitactor_status_t
parse_identity(lines_t *lines, bitactor_program_t *program)
{
	const char *value = value_of(lines, "program");
	if (value == NULL || strcmp(value, "1") != 0)
		return wrong(lines, "not \"program\" and the version 1");
	if (!parse_name(value_of(lines, "module"), program->module))
		return wrong(lines, "not \"module\" and a name");
	value = value_of(lines, "version"); /* printable, as a module's must be */
	if (value == NULL || *value == '\0' || !bitactor_unit_is_valid(value))
		return wrong(lines, "not \"version\" and a text");
	memcpy(program->version, value, strlen(value) + 1);
	value = value_of(lines, "schema");
	if (value == NULL || !parse_hex(value, program->schema, sizeof program->schema))
		return wrong(lines, "not \"schema\" and 64 hex digits");
	value = value_of(lines, "seed");
	if (value == NULL || !parse_u64(value, UINT64_MAX, &program->config.seed))
		return wrong(lines, "not \"seed\" and a number");
	return BITACTOR_OK;
}

static bool
has_param(const bitactor_program_t *program, const char *name)
{
	for (uint32_t i = 0; i < program->param_count; i++)
		if (strcmp(program->param[i].name, name) == 0)
			return true;
	return false;
}

static bitactor_status_t
parse_params(lines_t *lines, bitactor_program_t *program)
{
	while (lines->at != lines->end) {
		char *name = value_of(lines, "param");
		char *tab  = name != NULL ? strchr(name, '\t') : NULL;
		if (tab == NULL)
			return wrong(lines, "not \"param\", a name and a number");
		if (program->param_count == BITACTOR_PROGRAM_PARAMS)
			return wrong(lines, "more parameters than a program has");
		*tab = '\0';
		uint32_t i = program->param_count;
		if (has_param(program, name))
			return wrong(lines, "a parameter of this name stands above it");
		if (!parse_name(name, program->param[i].name) ||
		    !parse_i64(tab + 1, &program->param[i].value))
			return wrong(lines, "not \"param\", a name and a number");
		program->param_count++;
	}
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_program_parse(const char *text, size_t text_bytes, bitactor_program_t *program,
                       bitactor_error_t *error)
{
	if (text == NULL || program == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "NULL argument");
	lines_t lines = { .at = text, .end = text + text_bytes, .error = error };
	memset(program, 0, sizeof *program);

	bitactor_status_t status = parse_identity(&lines, program);
	if (status != BITACTOR_OK)
		return status;
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		const char *value = value_of(&lines, limits[i].key);
		uint64_t    number;
		if (value == NULL || !parse_u64(value, UINT32_MAX, &number))
			return wrong(&lines, "not the next limit and a number");
		uint32_t limit = (uint32_t)number;
		memcpy((char *)&program->config + limits[i].offset, &limit, sizeof limit);
	}
	if (bitactor_engine_bytes(&program->config) == 0)
		return wrong(&lines, "these limits cannot be an engine's");
	return parse_params(&lines, program);
}
