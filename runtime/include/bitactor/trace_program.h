/* SPDX-License-Identifier: Apache-2.0 */
/* trace_program.h -- the identity of a run: the text of its PROGRAM record.
 *
 *      program<TAB>1
 *      module<TAB>can_monitor
 *      version<TAB>1.0.0
 *      schema<TAB>64 hex digits
 *      seed<TAB>0
 *      kinds<TAB>256            and every other limit of bitactor_config_t
 *      param<TAB>late_percent<TAB>150
 *
 * With the same program, the same inputs give the same records.  What differs
 * from machine to machine (build, CPU, time of day) is not in it.
 */
#ifndef BITACTOR_TRACE_PROGRAM_H
#define BITACTOR_TRACE_PROGRAM_H

#include <bitactor/bitactor.h>
#include <bitactor/error.h>
#include <bitactor/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { BITACTOR_PROGRAM_PARAMS = 64 };

typedef struct bitactor_program {
	char     module[BITACTOR_NAME_MAX + 1];
	char     version[BITACTOR_NAME_MAX + 1];
	uint8_t  schema[32];       /* BLAKE3 of the schema's text */
	bitactor_config_t config;  /* limits, seed, flags; tables are NULL, no uuid */
	uint32_t param_count;
	struct {
		char    name[BITACTOR_NAME_MAX + 1];
		int64_t value;
	} param[BITACTOR_PROGRAM_PARAMS];
} bitactor_program_t;

/* The text, NUL-terminated, for free(); NULL when out of memory, or for a program
 * that reading would refuse. */
char *bitactor_program_text(const bitactor_program_t *program, size_t *text_bytes);

/* Read it back.  BITACTOR_CORRUPT names the line. */
bitactor_status_t bitactor_program_parse(const char *text, size_t text_bytes,
                                         bitactor_program_t *program, bitactor_error_t *error);

#ifdef __cplusplus
}
#endif
#endif
