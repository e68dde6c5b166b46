/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h -- what the numbers in a signal mean, so that they can be shown.
 *
 * A schema is text, kept in the trace (a SCHEMA record) and hashed into every
 * segment header; whoever has the trace can name its kinds and fields:
 *
 *      schema<TAB>1
 *      kind<TAB>0<TAB>can.frame
 *      field<TAB>id<TAB><TAB>context<TAB>0<TAB>29<TAB>hex<TAB>0
 *      port<TAB>0<TAB>alarm
 *
 * One item a line, each ended by a newline; kinds ascending; fields belong to
 * the kind above them; then ports ascending.  Field columns: name, unit, word,
 * shift, bits, format, exponent.
 */
#ifndef BITACTOR_SCHEMA_H
#define BITACTOR_SCHEMA_H

#include <bitactor/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum bitactor_word {
	BITACTOR_WORD_PAYLOAD   = 0,
	BITACTOR_WORD_CONTEXT   = 1,
	BITACTOR_WORD_TIMESTAMP = 2,
	BITACTOR_WORD_ID        = 3
};

enum bitactor_format {
	BITACTOR_FORMAT_UNSIGNED = 0,
	BITACTOR_FORMAT_SIGNED   = 1, /* two's complement in `bits` bits             */
	BITACTOR_FORMAT_HEX      = 2,
	BITACTOR_FORMAT_BYTES    = 3, /* `bits`/8 bytes, lowest first, as hex pairs  */
	BITACTOR_FORMAT_FLAG     = 4  /* one bit                                     */
};

/* How to show a part of a signal: bits [shift, shift + bits) of a word, times
 * 10^exponent, in `unit`.  For display alone: the engine never looks at it. */
typedef struct bitactor_field {
	const char *name;
	const char *unit;     /* "" for none */
	uint8_t     word;     /* enum bitactor_word */
	uint8_t     shift;    /* 0..63 */
	uint8_t     bits;     /* 1..64 - shift */
	uint8_t     format;   /* enum bitactor_format */
	int8_t      exponent; /* -18..18 */
} bitactor_field_t;

enum { BITACTOR_NAME_MAX = 63 }; /* bytes of a name: [A-Za-z0-9_.-]+ */

bool bitactor_name_is_valid(const char *name);

/* Printable UTF-8 without tab or newline,
 * at most 31 bytes. */
bool bitactor_unit_is_valid(const char *unit);

typedef struct bitactor_schema_kind {
	const char             *name;
	uint16_t                kind;
	const bitactor_field_t *fields;
	uint32_t                field_count;
} bitactor_schema_kind_t;

typedef struct bitactor_schema {
	bitactor_schema_kind_t *kinds; /* ascending */
	uint32_t                kind_count;
	const char            **ports;
	uint32_t                port_count;
	void                   *memory; /* private: what bitactor_schema_free frees */
} bitactor_schema_t;

/* Read the text of a schema.  BITACTOR_CORRUPT names the line.  The schema is
 * the caller's and needs nothing of `text` afterwards. */
bitactor_status_t bitactor_schema_parse(const char *text, size_t text_bytes,
                                        bitactor_schema_t *schema, bitactor_error_t *error);

/* Frees what parse made; a zeroed schema is allowed. */
void bitactor_schema_free(bitactor_schema_t *schema);

/* The text of a schema, NUL-terminated, for free(); NULL when out of memory.
 * Equal schemas give equal texts: parse(text) written again is `text`. */
char *bitactor_schema_text(const bitactor_schema_t *schema, size_t *text_bytes);

/* NULL when the schema has no such kind. */
const bitactor_schema_kind_t *bitactor_schema_find(const bitactor_schema_t *schema,
                                                   uint16_t kind);

/* Kinds by name, for those who read text. */
typedef struct bitactor_kind_names {
	const char *const *names; /* index is the kind */
	uint32_t           count;
} bitactor_kind_names_t;

/* The kind called `name`, or -1. */
int32_t bitactor_kind_find(const bitactor_kind_names_t *kinds, const char *name);

/* The name nearest to a wrong one (fewest edits), or NULL if none is near. */
const char *bitactor_kind_nearest(const bitactor_kind_names_t *kinds, const char *name);

/* The value of a field as text without its unit: "0x18eeff01", "-12.34", "true",
 * "05a0be1c".  Exact: integers and a decimal point, no floating point.
 * `words` are payload, context, timestamp, id.  Returns the length; writes at
 * most `room` bytes, always NUL-terminated. */
size_t bitactor_field_format(const bitactor_field_t *field, const uint64_t words[4], char *out,
                             size_t room);

#ifdef __cplusplus
}
#endif
#endif
