/* SPDX-License-Identifier: Apache-2.0 */
/* module_loader.c -- from a file to a module whose handlers are registered.
 *
 *      file -- module_file.c, dlopen --> table -- module_check.c -->
 *              cells, parameters, names, schema text
 *      start: zero the cells, init(cells, params), register kind by kind
 *
 * The table stays where it is, in the shared object, which therefore stays open
 * until unload: handlers are called and names are read there.  Everything that
 * changes is here and not there: two programs' worth of state never meet in a
 * module's own variables, for it has none.
 */
#include "module_check.h"
#include "module_file.h"

#include <bitactor/module_loader.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_ALIGNMENT = 64 }; /* a cache line: no two cells share one */

struct bitactor_loaded {
	void                    *handle; /* of dlopen */
	const bitactor_module_t *table;
	void                   **cells;  /* cell_count */
	int64_t                 *params; /* param_count */
	const char             **kind_names;
	const char             **param_names;
	char                    *schema;
	size_t                   schema_bytes;
};

/* ---- opening --------------------------------------------------------------- */

/* The dynamic linker takes a name without a slash for a library to search for;
 * a user means the file.  For free(). */
static char *
path_of(const char *file)
{
	static const char here[] = "./";
	const char *prefix = strchr(file, '/') == NULL ? here : "";
	size_t prefix_bytes = strlen(prefix), file_bytes = strlen(file) + 1;
	char *path = malloc(prefix_bytes + file_bytes);
	if (path == NULL)
		return NULL;
	memcpy(path, prefix, prefix_bytes);
	memcpy(path + prefix_bytes, file, file_bytes);
	return path;
}

static bitactor_status_t
open_object(const char *path, bitactor_loaded_t *loaded, bitactor_error_t *error)
{
	bitactor_status_t status = ba_module_file_check(path, error);
	if (status != BITACTOR_OK)
		return status;
	loaded->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (loaded->handle == NULL) {
		const char *why = dlerror();
		const char *hint = why != NULL && strstr(why, "undefined symbol") != NULL
		                           ? "; a module links to nothing of BitActor, "
		                             "handlers call through their turn"
		                           : "";
		return bitactor_error_set(error, BITACTOR_IO, 0, "cannot load module: %s%s",
		                          why != NULL ? why : path, hint);
	}
	loaded->table = dlsym(loaded->handle, "bitactor_module_v1");
	if (loaded->table == NULL)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "%s has no symbol bitactor_module_v1; define it with "
		                          "BITACTOR_MODULE_EXPORT as in bitactor/module.h", path);
	return BITACTOR_OK;
}

/* ---- what the program keeps beside the table ------------------------------- */

static bitactor_status_t
no_memory(bitactor_error_t *error, const bitactor_module_t *table)
{
	return bitactor_error_set(error, BITACTOR_ERROR, ENOMEM, "module %s", table->name);
}

static bitactor_status_t
make_cells(bitactor_loaded_t *loaded, bitactor_error_t *error)
{
	const bitactor_module_t *table = loaded->table;
	loaded->cells = calloc(table->cell_count + 1u, sizeof *loaded->cells);
	if (loaded->cells == NULL)
		return no_memory(error, table);
	for (uint32_t i = 0; i < table->cell_count; i++) {
		const bitactor_cell_t *cell = &table->cells[i];
		if (posix_memalign(&loaded->cells[i], CELL_ALIGNMENT, cell->bytes) != 0) {
			loaded->cells[i] = NULL; /* unspecified after a failure */
			return bitactor_error_set(error, BITACTOR_ERROR, ENOMEM,
			                          "module %s: cell %s of %zu bytes", table->name,
			                          cell->name, cell->bytes);
		}
		memset(loaded->cells[i], 0, cell->bytes);
	}
	return BITACTOR_OK;
}

static bitactor_status_t
make_names(bitactor_loaded_t *loaded, bitactor_error_t *error)
{
	const bitactor_module_t *table = loaded->table;
	loaded->kind_names = calloc(table->kind_count + 1u, sizeof *loaded->kind_names);
	loaded->param_names = calloc(table->param_count + 1u, sizeof *loaded->param_names);
	loaded->params = calloc(table->param_count + 1u, sizeof *loaded->params);
	if (loaded->kind_names == NULL || loaded->param_names == NULL || loaded->params == NULL)
		return no_memory(error, table);
	for (uint32_t i = 0; i < table->kind_count; i++)
		loaded->kind_names[i] = table->kinds[i].name;
	for (uint32_t i = 0; i < table->param_count; i++) {
		loaded->param_names[i] = table->params[i].name;
		loaded->params[i] = table->params[i].initial;
	}
	return BITACTOR_OK;
}

static bitactor_status_t
make_schema(bitactor_loaded_t *loaded, bitactor_error_t *error)
{
	const bitactor_module_t *table = loaded->table;
	bitactor_schema_kind_t *kinds = calloc(table->kind_count, sizeof *kinds);
	const char **ports = calloc(table->port_count + 1u, sizeof *ports);
	if (kinds != NULL && ports != NULL) {
		for (uint32_t i = 0; i < table->kind_count; i++)
			kinds[i] = (bitactor_schema_kind_t){
				.name = table->kinds[i].name,
				.kind = (uint16_t)i,
				.fields = table->kinds[i].fields,
				.field_count = table->kinds[i].field_count,
			};
		for (uint32_t i = 0; i < table->port_count; i++)
			ports[i] = table->ports[i];
		bitactor_schema_t schema = {
			.kinds = kinds,
			.kind_count = table->kind_count,
			.ports = ports,
			.port_count = table->port_count,
		};
		loaded->schema = bitactor_schema_text(&schema, &loaded->schema_bytes);
	}
	free(ports);
	free(kinds);
	if (loaded->schema == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "module %s: no memory for its schema, or more than %d "
		                          "bytes of it", table->name,
		                          BITACTOR_SCHEMA_TEXT_MAX);
	return BITACTOR_OK;
}

/* ---- life ------------------------------------------------------------------ */

void
bitactor_module_unload(bitactor_loaded_t *loaded)
{
	if (loaded == NULL)
		return;
	/* Without cells the table may be one that was never checked. */
	for (uint32_t i = 0; loaded->cells != NULL && i < loaded->table->cell_count; i++)
		free(loaded->cells[i]);
	free(loaded->cells);
	free(loaded->params);
	free(loaded->kind_names);
	free(loaded->param_names);
	free(loaded->schema);
	if (loaded->handle != NULL)
		(void)dlclose(loaded->handle);
	free(loaded);
}

bitactor_status_t
bitactor_module_load(const char *file, bitactor_loaded_t **loaded, bitactor_error_t *error)
{
	if (loaded != NULL)
		*loaded = NULL;
	if (loaded == NULL || file == NULL || file[0] == '\0')
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "module: no file is named");
	char *path = path_of(file);
	bitactor_loaded_t *module = calloc(1, sizeof *module);
	bitactor_status_t status =
	        path != NULL && module != NULL
	                ? open_object(path, module, error)
	                : bitactor_error_set(error, BITACTOR_ERROR, ENOMEM, "module %s", file);
	if (status == BITACTOR_OK)
		status = ba_module_check(module->table, path, error);
	if (status == BITACTOR_OK)
		status = make_cells(module, error);
	if (status == BITACTOR_OK)
		status = make_names(module, error);
	if (status == BITACTOR_OK)
		status = make_schema(module, error);
	free(path);
	if (status != BITACTOR_OK) {
		bitactor_module_unload(module);
		return status;
	}
	*loaded = module;
	return BITACTOR_OK;
}

/* ---- parameters ------------------------------------------------------------ */

bitactor_status_t
bitactor_module_set(bitactor_loaded_t *loaded, const char *name, int64_t value,
                    bitactor_error_t *error)
{
	if (loaded == NULL || name == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "module: NULL argument");
	const bitactor_module_t *table = loaded->table;
	bitactor_kind_names_t names = { loaded->param_names, table->param_count };
	int32_t index = bitactor_kind_find(&names, name);
	if (index < 0) {
		const char *nearest = bitactor_kind_nearest(&names, name);
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "module %s has no parameter \"%s\"%s%s%s", table->name,
		                          name, nearest != NULL ? "; did you mean \"" : "",
		                          nearest != NULL ? nearest : "",
		                          nearest != NULL ? "\"?" : "");
	}
	const bitactor_param_t *param = &table->params[index];
	if (value < param->least || value > param->most)
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "module %s: %s is %lld, not in %lld to %lld%s%s",
		                          table->name, name, (long long)value,
		                          (long long)param->least, (long long)param->most,
		                          param->unit[0] != '\0' ? " " : "", param->unit);
	loaded->params[index] = value;
	return BITACTOR_OK;
}

int64_t
bitactor_module_param(const bitactor_loaded_t *loaded, uint32_t index)
{
	return loaded != NULL && index < loaded->table->param_count ? loaded->params[index] : 0;
}

/* ---- looking --------------------------------------------------------------- */

const bitactor_module_t *
bitactor_module_table(const bitactor_loaded_t *loaded)
{
	return loaded != NULL ? loaded->table : NULL;
}

const char *
bitactor_module_schema(const bitactor_loaded_t *loaded, size_t *text_bytes)
{
	if (text_bytes != NULL)
		*text_bytes = loaded != NULL ? loaded->schema_bytes : 0;
	return loaded != NULL ? loaded->schema : NULL;
}

bitactor_kind_names_t
bitactor_module_kinds(const bitactor_loaded_t *loaded)
{
	if (loaded == NULL)
		return (bitactor_kind_names_t){ NULL, 0 };
	return (bitactor_kind_names_t){ loaded->kind_names, loaded->table->kind_count };
}

/* ---- running --------------------------------------------------------------- */

static bitactor_status_t
register_kind(const bitactor_loaded_t *loaded, uint32_t index, bitactor_engine_t *engine,
              bitactor_error_t *error)
{
	const bitactor_module_t *table = loaded->table;
	const bitactor_kind_t *kind = &table->kinds[index];
	bool has_cell = table->cell_count > 0;
	bitactor_handler_t handler = {
		.fn = kind->fn,
		.state = has_cell ? loaded->cells[kind->cell] : NULL,
		.state_bytes = has_cell ? table->cells[kind->cell].bytes : 0,
		.budget_ticks = kind->budget_ticks,
		.flags = kind->flags,
		.kind = (uint16_t)index,
	};
	bitactor_status_t status = bitactor_register_handler(engine, &handler);
	if (status == BITACTOR_OK)
		return BITACTOR_OK;
	const char *hint = "";
	if (status == BITACTOR_UNSUPPORTED)
		hint = "; it needs fiber stacks: \"fibers\" of the configuration";
	else if (status == BITACTOR_ERROR)
		hint = "; is \"kinds\" of the configuration large enough?";
	return bitactor_error_set(error, status, 0, "module %s: kind %s is not registered: %s%s",
	                          table->name, kind->name, bitactor_status_text(status), hint);
}

bitactor_status_t
bitactor_module_start(bitactor_loaded_t *loaded, bitactor_engine_t *engine,
                      bitactor_error_t *error)
{
	if (loaded == NULL || engine == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "module: NULL argument");
	const bitactor_module_t *table = loaded->table;
	for (uint32_t i = 0; i < table->cell_count; i++)
		memset(loaded->cells[i], 0, table->cells[i].bytes);
	bitactor_status_t status = BITACTOR_OK;
	if (table->init != NULL)
		status = table->init(loaded->cells, loaded->params);
	if (status != BITACTOR_OK)
		return bitactor_error_set(error, BITACTOR_ERROR, 0,
		                          "module %s: its init answered %s", table->name,
		                          bitactor_status_name(status));
	for (uint32_t i = 0; i < table->kind_count && status == BITACTOR_OK; i++)
		if (table->kinds[i].fn != NULL)
			status = register_kind(loaded, i, engine, error);
	return status;
}

void
bitactor_module_report(const bitactor_loaded_t *loaded,
                       void (*say)(void *context, const char *line), void *context)
{
	if (loaded == NULL || say == NULL || loaded->table->report == NULL)
		return;
	loaded->table->report((const void *const *)loaded->cells, say, context);
}
