/* SPDX-License-Identifier: Apache-2.0 */
/* module_loader.h -- for programs that load modules: open, check, bind.
 *
 * A module comes from outside: its table is checked before any of it is used,
 * and what is wrong is said in words.
 */
#ifndef BITACTOR_MODULE_LOADER_H
#define BITACTOR_MODULE_LOADER_H

#include <bitactor/module.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bitactor_loaded bitactor_loaded_t;

/* dlopen FILE, find bitactor_module_v1, check it, allocate its cells.
 *
 *   file      a path; one without a slash is looked for in the working directory
 *   returns   BITACTOR_OK; BITACTOR_IO (cannot be opened); BITACTOR_UNSUPPORTED
 *             (no such symbol, another ABI); BITACTOR_ERROR (a wrong table)
 *   owner     *loaded is the caller's; end it with bitactor_module_unload, after
 *             the engine that uses it is destroyed
 */
bitactor_status_t bitactor_module_load(const char *file, bitactor_loaded_t **loaded,
                                       bitactor_error_t *error);

void bitactor_module_unload(bitactor_loaded_t *loaded);

const bitactor_module_t *bitactor_module_table(const bitactor_loaded_t *loaded);

/* Set one parameter.  BITACTOR_ERROR: no such name (the error has the nearest)
 * or out of its bounds. */
bitactor_status_t bitactor_module_set(bitactor_loaded_t *loaded, const char *name, int64_t value,
                                      bitactor_error_t *error);

/* The value that start will give to init; 0 for an index that there is none of. */
int64_t bitactor_module_param(const bitactor_loaded_t *loaded, uint32_t index);

/* The schema of its kinds and ports, as text, valid until unload. */
const char *bitactor_module_schema(const bitactor_loaded_t *loaded, size_t *text_bytes);

/* Names of its kinds for importers, valid until unload. */
bitactor_kind_names_t bitactor_module_kinds(const bitactor_loaded_t *loaded);

/* Zero the cells, call init with the parameters, register every handler.
 *
 *   returns   BITACTOR_OK; BITACTOR_ERROR, its init did not answer OK (the error
 *             names the answer); what bitactor_register_handler answered.  Then
 *             some handlers may be registered: destroy the engine
 *   threads   no turn may run meanwhile
 */
bitactor_status_t bitactor_module_start(bitactor_loaded_t *loaded, bitactor_engine_t *engine,
                                        bitactor_error_t *error);

/* Let the module say what it found. */
void bitactor_module_report(const bitactor_loaded_t *loaded,
                            void (*say)(void *context, const char *line), void *context);

#ifdef __cplusplus
}
#endif
#endif
