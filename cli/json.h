/* SPDX-License-Identifier: Apache-2.0 */
/* json.h -- write JSON as it comes, without building it first.
 *
 *      json_writer_t json = { .out = stdout };
 *      json_open(&json, NULL, '{');
 *      json_u64(&json, "records", 12);
 *      json_close(&json, '}');            and after the outermost, a newline
 *
 * A member of an array has the name NULL.  Nesting at most 32 deep.
 */
#ifndef BITACTOR_CLI_JSON_H
#define BITACTOR_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef struct json_writer {
	FILE    *out;
	int      depth;
	uint32_t begun; /* one bit a level: something was written there */
} json_writer_t;

void json_open(json_writer_t *json, const char *name, char bracket);
void json_close(json_writer_t *json, char bracket);
void json_u64(json_writer_t *json, const char *name, uint64_t value);
void json_i64(json_writer_t *json, const char *name, int64_t value);
void json_bool(json_writer_t *json, const char *name, bool value);
void json_text(json_writer_t *json, const char *name, const char *value); /* NULL: null */
void json_bytes_text(json_writer_t *json, const char *name, const void *bytes, size_t byte_count);
void json_hex(json_writer_t *json, const char *name, const void *bytes, size_t byte_count);

#endif
