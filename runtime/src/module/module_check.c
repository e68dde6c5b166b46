/* SPDX-License-Identifier: Apache-2.0 */
/* module_check.c -- is this table what module.h says?
 *
 * A module is code and could do anything once it is loaded; this protects from
 * mistakes, not from malice: a table of another ABI, a forgotten array, an index
 * that points nowhere.  Each would otherwise be a crash far from its cause, in a
 * handler or a replay, so each is named here in the words of its author: which
 * kind, which field, what to write instead.
 */
#include "module_check.h"

#include <bitactor/trace_program.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	COUNT_MAX      = BITACTOR_MAX_KINDS, /* of anything in a table: more is a wrong count */
	CELL_BYTES_MAX = 1 << 30,
	TEXT_BYTES_MAX = 255                 /* of a line of help */
};

#define NAME_RULE "is not 1 to 63 of A-Z a-z 0-9 _ . -"

/* Who complains, and to whom. */
typedef struct complaint {
	const char       *module; /* its name, or its path as long as it has none */
	bitactor_error_t *error;
} complaint_t;

/* "module can_monitor: kind 3 ...", always BITACTOR_ERROR. */
static bitactor_status_t wrong(const complaint_t *complaint, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static bitactor_status_t
wrong(const complaint_t *complaint, const char *format, ...)
{
	char words[320];
	va_list arguments;
	va_start(arguments, format);
	int written = vsnprintf(words, sizeof words, format, arguments);
	va_end(arguments);
	return bitactor_error_set(complaint->error, BITACTOR_ERROR, 0, "module %s: %s",
	                          complaint->module, written < 0 ? "wrong table" : words);
}

static const char *
shown(const char *text)
{
	return text != NULL ? text : "(NULL)";
}

/* An array and its count, of items that begin with their name. */
static bitactor_status_t
check_names(const complaint_t *complaint, const char *sort, const void *items, size_t item_bytes,
            uint32_t count)
{
	if (count == 0)
		return BITACTOR_OK;
	if (items == NULL)
		return wrong(complaint, "it counts %u %ss but their array is NULL", count, sort);
	if (count > COUNT_MAX)
		return wrong(complaint, "it counts %u %ss, at most %d can be", count, sort,
		             COUNT_MAX);
	for (uint32_t i = 0; i < count; i++) {
		const char *name;
		memcpy(&name, (const char *)items + i * item_bytes, sizeof name);
		if (!bitactor_name_is_valid(name))
			return wrong(complaint, "the name of %s %u, \"%.64s\", " NAME_RULE, sort, i,
			             shown(name));
	}
	uint32_t index = 0;
	bitactor_status_t status = bitactor_names_unique(items, item_bytes, count, &index);
	if (status == BITACTOR_CORRUPT) {
		const char *name;
		memcpy(&name, (const char *)items + index * item_bytes, sizeof name);
		return wrong(complaint, "%s %u is called %s like one before it", sort, index, name);
	}
	return status == BITACTOR_OK ? BITACTOR_OK : wrong(complaint, "out of memory");
}

static bitactor_status_t
check_fields(const complaint_t *complaint, const bitactor_kind_t *kind)
{
	if (kind->field_count > 0 && kind->fields == NULL)
		return wrong(complaint, "kind %s counts %u fields but their array is NULL",
		             kind->name, kind->field_count);
	if (kind->field_count > BITACTOR_FIELDS_MAX)
		return wrong(complaint, "kind %s counts %u fields, at most %d can be", kind->name,
		             kind->field_count, BITACTOR_FIELDS_MAX);
	for (uint32_t i = 0; i < kind->field_count; i++) {
		const char *what = bitactor_field_complaint(&kind->fields[i]);
		if (what != NULL)
			return wrong(complaint, "kind %s, field %u, \"%.64s\": %s", kind->name, i,
			             shown(kind->fields[i].name), what);
	}
	uint32_t index = 0;
	bitactor_status_t status = bitactor_names_unique(kind->fields, sizeof *kind->fields,
	                                                 kind->field_count, &index);
	if (status == BITACTOR_CORRUPT)
		return wrong(complaint, "kind %s: field %u is called %s like one before it",
		             kind->name, index, kind->fields[index].name);
	return status == BITACTOR_OK ? BITACTOR_OK : wrong(complaint, "out of memory");
}

static bitactor_status_t
check_kinds(const complaint_t *complaint, const bitactor_module_t *table)
{
	if (table->kind_count == 0)
		return wrong(complaint, "it has no kinds; kind_count is 0");
	bitactor_status_t status = check_names(complaint, "kind", table->kinds,
	                                       sizeof *table->kinds, table->kind_count);
	const uint32_t known = BITACTOR_HANDLER_FIBER | BITACTOR_HANDLER_EXACT;
	for (uint32_t i = 0; i < table->kind_count && status == BITACTOR_OK; i++) {
		const bitactor_kind_t *kind = &table->kinds[i];
		if (table->cell_count > 0 && kind->cell >= table->cell_count)
			return wrong(complaint, "kind %s names cell %u, there are %u", kind->name,
			             kind->cell, table->cell_count);
		if ((kind->flags & ~known) != 0)
			return wrong(complaint, "kind %s has flags 0x%x that this program does not "
			             "know", kind->name, kind->flags & ~known);
		status = check_fields(complaint, kind);
	}
	return status;
}

static bitactor_status_t
check_cells(const complaint_t *complaint, const bitactor_module_t *table)
{
	bitactor_status_t status = check_names(complaint, "cell", table->cells,
	                                       sizeof *table->cells, table->cell_count);
	for (uint32_t i = 0; i < table->cell_count && status == BITACTOR_OK; i++)
		if (table->cells[i].bytes == 0 || table->cells[i].bytes > CELL_BYTES_MAX)
			return wrong(complaint, "cell %s has %zu bytes, not 1 to %d",
			             table->cells[i].name, table->cells[i].bytes, CELL_BYTES_MAX);
	return status;
}

/* Something that can be shown on one line. */
static bool
is_line(const char *text)
{
	size_t text_bytes = text != NULL ? strnlen(text, TEXT_BYTES_MAX + 1) : TEXT_BYTES_MAX + 1;
	if (text_bytes > TEXT_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text_bytes; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			return false;
	return true;
}

static bitactor_status_t
check_params(const complaint_t *complaint, const bitactor_module_t *table)
{
	if (table->param_count > BITACTOR_PROGRAM_PARAMS)
		return wrong(complaint, "it counts %u parameters, at most %d can be",
		             table->param_count, BITACTOR_PROGRAM_PARAMS);
	bitactor_status_t status = check_names(complaint, "parameter", table->params,
	                                       sizeof *table->params, table->param_count);
	for (uint32_t i = 0; i < table->param_count && status == BITACTOR_OK; i++) {
		const bitactor_param_t *param = &table->params[i];
		if (param->least > param->initial || param->initial > param->most)
			return wrong(complaint, "parameter %s: initial %lld is not in %lld to %lld",
			             param->name, (long long)param->initial,
			             (long long)param->least, (long long)param->most);
		if (!bitactor_unit_is_valid(param->unit))
			return wrong(complaint, "parameter %s: its unit is not printable UTF-8 of "
			             "at most 31 bytes (\"\" for none)", param->name);
		if (!is_line(param->text))
			return wrong(complaint, "parameter %s: its text is not one line of at most "
			             "%d bytes (\"\" for none)", param->name, TEXT_BYTES_MAX);
	}
	return status;
}

bitactor_status_t
ba_module_check(const bitactor_module_t *table, const char *path, bitactor_error_t *error)
{
	/* The first two words are the same in every ABI; read nothing else yet. */
	if (table->abi != BITACTOR_MODULE_ABI)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "module %s has abi %u, this program knows %d; build it "
		                          "with this program's bitactor/module.h", path, table->abi,
		                          BITACTOR_MODULE_ABI);
	complaint_t complaint = { path, error };
	if (table->struct_bytes < sizeof *table)
		return wrong(&complaint, "struct_bytes is %u, at least %zu are needed; write "
		             "sizeof(bitactor_module_t)", table->struct_bytes, sizeof *table);
	if (!bitactor_name_is_valid(table->name))
		return wrong(&complaint, "its name, \"%.64s\", " NAME_RULE, shown(table->name));
	complaint.module = table->name;
	if (!bitactor_unit_is_valid(table->version) || table->version[0] == '\0')
		return wrong(&complaint, "its version is not 1 to 31 bytes of printable UTF-8");

	bitactor_status_t status = check_cells(&complaint, table);
	if (status == BITACTOR_OK)
		status = check_kinds(&complaint, table);
	if (status == BITACTOR_OK)
		status = check_params(&complaint, table);
	if (status == BITACTOR_OK)
		status = check_names(&complaint, "port", table->ports, sizeof *table->ports,
		                     table->port_count);
	return status;
}
