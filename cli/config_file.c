/* SPDX-License-Identifier: Apache-2.0 */
/* config_file.c -- jansson reads, a table says what is known.
 *
 * jansson tells the line of a syntax error but not of a key; so for a key that
 * is wrong the text is scanned once more.  By then it is known to be JSON.
 */
#include "config_file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct setting {
	const char *key;
	size_t      offset;
} settings[] = {
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
};
enum { SETTING_COUNT = sizeof settings / sizeof *settings, FILE_MOST = 1 << 20 };

typedef struct config_file {
	const char *name;
	char       *text; /* NUL-terminated */
	size_t      text_bytes;
	bitactor_error_t *error;
} config_file_t;

/* ---- where a key stands ------------------------------------------------- */

/* The line of `key` in the object that is `depth` brackets deep; from 1. */
static unsigned
line_of(const char *text, const char *key, int depth)
{
	unsigned line = 1;
	int      level = 0;
	size_t   length = strlen(key);

	for (const char *at = text; *at != '\0'; at++) {
		line += *at == '\n';
		level += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
		if (*at != '"')
			continue;
		const char *string = at + 1;
		for (at++; *at != '"'; at++)
			at += *at == '\\';
		const char *after = at + 1 + strspn(at + 1, " \t\r\n");
		if (level == depth && *after == ':' && (size_t)(at - string) == length &&
		    memcmp(string, key, length) == 0)
			return line;
	}
	return 1;
}

static bitactor_status_t
wrong_key(const config_file_t *file, const char *key, int depth, const char *what)
{
	return bitactor_error_set(file->error, BITACTOR_ERROR, 0, "%s:%u: \"%s\": %s", file->name,
	                          line_of(file->text, key, depth), key, what);
}

/* ---- what a key sets ---------------------------------------------------- */

static bitactor_status_t
unknown_key(const config_file_t *file, const char *key)
{
	const char *names[SETTING_COUNT + 3];
	uint32_t    count = 0;
	for (; count < SETTING_COUNT; count++)
		names[count] = settings[count].key;
	names[count++] = "seed";
	names[count++] = "tick_raw";
	names[count++] = "module";
	const bitactor_kind_names_t known = { .names = names, .count = count };
	const char *nearest = bitactor_kind_nearest(&known, key);
	char what[128];
	snprintf(what, sizeof what, "no such setting%s%s%s",
	         nearest != NULL ? "; the nearest is \"" : "", nearest != NULL ? nearest : "",
	         nearest != NULL ? "\"" : "");
	return wrong_key(file, key, 1, what);
}

static bitactor_status_t
set_module(const config_file_t *file, json_t *params, bitactor_loaded_t *module)
{
	const char *key;
	json_t     *value;

	if (!json_is_object(params))
		return wrong_key(file, "module", 1, "takes an object of parameters");
	json_object_foreach(params, key, value) {
		bitactor_error_t why = { .status = BITACTOR_OK };
		if (!json_is_integer(value))
			return wrong_key(file, key, 2, "takes a whole number");
		if (bitactor_module_set(module, key, json_integer_value(value), &why) !=
		    BITACTOR_OK)
			return wrong_key(file, key, 2, why.text);
	}
	return BITACTOR_OK;
}

static bitactor_status_t
set_one(const config_file_t *file, const char *key, json_t *value, bitactor_config_t *config)
{
	json_int_t number = json_integer_value(value);

	if (strcmp(key, "tick_raw") == 0) {
		if (!json_is_boolean(value))
			return wrong_key(file, key, 1, "takes true or false");
		if (json_is_true(value))
			config->flags |= BITACTOR_TICK_RAW;
		return BITACTOR_OK;
	}
	if (!json_is_integer(value) || number < 0)
		return wrong_key(file, key, 1, "takes a whole number, not negative");
	if (strcmp(key, "seed") == 0) {
		config->seed = (uint64_t)number;
		return BITACTOR_OK;
	}
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(key, settings[i].key) != 0)
			continue;
		bitactor_config_t tried = *config;
		uint32_t          limit = (uint32_t)number;
		memcpy((char *)&tried + settings[i].offset, &limit, sizeof limit);
		if (number > UINT32_MAX || bitactor_engine_bytes(&tried) == 0)
			return wrong_key(file, key, 1,
			                 "out of range (see bitactor.h, bitactor_config_t)");
		*config = tried;
		return BITACTOR_OK;
	}
	return unknown_key(file, key);
}

/* ---- the file ----------------------------------------------------------- */

static bitactor_status_t
read_text(config_file_t *file)
{
	FILE *in = fopen(file->name, "r");
	if (in == NULL)
		return bitactor_error_set(file->error, BITACTOR_IO, errno, "%s: cannot be opened",
		                          file->name);
	file->text = malloc(FILE_MOST + 1);
	size_t bytes  = file->text != NULL ? fread(file->text, 1, FILE_MOST + 1, in) : 0;
	bool   failed = file->text == NULL || ferror(in) != 0;
	int    why    = errno;
	(void)fclose(in);
	if (failed)
		return bitactor_error_set(file->error, BITACTOR_IO, why, "%s: cannot be read",
		                          file->name);
	if (bytes > FILE_MOST)
		return bitactor_error_set(file->error, BITACTOR_ERROR, 0,
		                          "%s: more than 1 MiB is no configuration", file->name);
	file->text[bytes] = '\0';
	file->text_bytes  = bytes;
	return BITACTOR_OK;
}

/* What no setting alone says: the door would answer FULL for ever. */
static bitactor_status_t
check_together(const config_file_t *file, const bitactor_config_t *config)
{
	char what[160];
	if (config->data_max == 0 || config->data_blocks > 0)
		return BITACTOR_OK;
	snprintf(what, sizeof what,
	         "is 0, but data_max is %" PRIu32 ": a signal with data would wait for ever; "
	         "set it to 1 at least, or data_max to 0", config->data_max);
	return wrong_key(file, "data_blocks", 1, what);
}

static bitactor_status_t
set_all(const config_file_t *file, json_t *root, bitactor_config_t *config,
        bitactor_loaded_t *module)
{
	const char *key;
	json_t     *value;

	if (!json_is_object(root))
		return bitactor_error_set(file->error, BITACTOR_ERROR, 0,
		                          "%s:1: a configuration is an object, { ... }",
		                          file->name);
	json_object_foreach(root, key, value) {
		bitactor_status_t status = strcmp(key, "module") == 0
		                                   ? set_module(file, value, module)
		                                   : set_one(file, key, value, config);
		if (status != BITACTOR_OK)
			return status;
	}
	return check_together(file, config);
}

bitactor_status_t
config_file_read(const char *name, bitactor_config_t *config, bitactor_loaded_t *module,
                 bitactor_error_t *error)
{
	config_file_t     file   = { .name = name, .error = error };
	json_error_t      where;
	json_t           *root   = NULL;
	bitactor_status_t status = read_text(&file);

	if (status == BITACTOR_OK) {
		root = json_loadb(file.text, file.text_bytes, JSON_REJECT_DUPLICATES, &where);
		status = root != NULL ? set_all(&file, root, config, module)
		                      : bitactor_error_set(error, BITACTOR_ERROR, 0, "%s:%d: %s",
		                                           name, where.line, where.text);
	}
	json_decref(root);
	free(file.text);
	return status;
}
