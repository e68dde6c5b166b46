/* SPDX-License-Identifier: Apache-2.0 */
/* module.h -- handlers as a shared object with one exported symbol.
 *
 * A module is a constant table named bitactor_module_v1.  It links to nothing
 * of BitActor: handlers reach the engine through their turn.  It has no global
 * variables: state lives in cells that the program allocates, zeroes and hands
 * to the handlers, so that a replay starts from the same state.
 *
 *      BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
 *              .abi = BITACTOR_MODULE_ABI,
 *              .struct_bytes = sizeof(bitactor_module_t),
 *              .name = "counter", .version = "1.0.0",
 *              .kinds = kinds, .kind_count = 1,
 *              .cells = cells, .cell_count = 1,
 *      };
 *
 * Build:  cc -std=c11 -O2 -fPIC -shared -ffp-contract=off -o counter.so counter.c
 */
#ifndef BITACTOR_MODULE_H
#define BITACTOR_MODULE_H

#include <bitactor/bitactor_dispatch.h>
#include <bitactor/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BITACTOR_MODULE_ABI = 1 };

#ifdef __cplusplus /* a C++ constant is private, and its name another */
#define BITACTOR_MODULE_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define BITACTOR_MODULE_EXPORT __attribute__((visibility("default")))
#endif

/* A kind of signal; its number is its index in the table.  `fn` NULL: signals
 * of this kind have no handler here (they are rejected, with a record). */
typedef struct bitactor_kind {
	const char         *name;  /* [A-Za-z0-9_.-]+, at most 63 */
	bitactor_handler_fn fn;
	uint32_t            cell;  /* index of the cell given as `state`, NULL without cells */
	uint32_t            budget_ticks; /* 0: the configuration's */
	uint32_t            flags; /* enum bitactor_handler_flags */
	const bitactor_field_t *fields;
	uint32_t            field_count; /* at most 256 */
} bitactor_kind_t;

/* State: zeroed before init, digested in replay (see bitactor_touched). */
typedef struct bitactor_cell {
	const char *name;
	size_t      bytes; /* 1..2^30; the start is aligned to 64 */
} bitactor_cell_t;

/* A number that the user may set: in "module" of the configuration file.  At most
 * 64 of them: they are written into the trace. */
typedef struct bitactor_param {
	const char *name;
	const char *unit;
	int64_t     initial, least, most;
	const char *text; /* one line of help, at most 255 bytes; "" for none, as the unit */
} bitactor_param_t;

typedef struct bitactor_module {
	uint32_t abi;          /* BITACTOR_MODULE_ABI */
	uint32_t struct_bytes; /* sizeof(bitactor_module_t) */
	const char *name;      /* [A-Za-z0-9_.-]+, at most 63 */
	const char *version;   /* printable, 1..31 bytes */
	const bitactor_kind_t  *kinds;
	const bitactor_cell_t  *cells;
	const bitactor_param_t *params;
	const char *const      *ports; /* names of outputs; the number is the index */
	uint32_t kind_count, cell_count, param_count, port_count; /* 0..0xFF00; kinds from 1 */

	/* Prepare the zeroed cells; may be NULL.  Must depend on `params` alone.
	 *   params    one value for each of the table, within its bounds
	 *   returns   BITACTOR_OK, or anything else: the module is not started */
	bitactor_status_t (*init)(void *const *cells, const int64_t *params);

	/* Say what was found, after the last turn, a line a call; may be NULL. */
	void (*report)(const void *const *cells, void (*say)(void *context, const char *line),
	               void *context);
} bitactor_module_t;


#ifdef __cplusplus
}
#endif
#endif
