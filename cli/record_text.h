/* SPDX-License-Identifier: Apache-2.0 */
/* record_text.h -- a record in words: names, fields with units, cause, effect. */
#ifndef BITACTOR_CLI_RECORD_TEXT_H
#define BITACTOR_CLI_RECORD_TEXT_H

#include "json.h"

#include <bitactor/schema.h>
#include <bitactor/trace.h>

#include <stdio.h>

/* A record and what stands around it. */
typedef struct record_view {
	const bitactor_schema_t *schema;
	const bitactor_record_t *record;
	const uint8_t *own;  /* its own slot, or NULL */
	const uint8_t *data; /* the data behind it, or NULL */
	size_t   data_bytes;
	uint64_t seq, turn;
	bool     open; /* it was in dispatch when the process ended */
} record_view_t;

/* The name of its kind: the schema's, the engine's, or "kind N" in `room`. */
const char *record_kind_name(const bitactor_schema_t *schema, uint16_t kind, char room[16]);

/* One line without its newline. */
void record_print(FILE *out, const record_view_t *view);

/* One object. */
void record_json(json_writer_t *json, const record_view_t *view);

#endif
