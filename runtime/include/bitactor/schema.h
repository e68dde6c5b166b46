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
 * the kind above them; then ports ascending from 0 without gaps.  Field columns:
 * name, unit, word, shift, bits, format, exponent.  Words and formats are spelled
 * as the enums below, in small letters; numbers are decimal without "+" or
 * leading zeros: there is one way to write a schema.  Kinds, ports, and the
 * fields of a kind have names of their own.
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

enum {
	BITACTOR_NAME_MAX         = 63,      /* bytes of a name: [A-Za-z0-9_.-]+            */
	BITACTOR_FIELDS_MAX       = 256,     /* of a kind: as many as a signal has bits     */
	BITACTOR_FIELD_TEXT_BYTES = 40,      /* room for any value, its NUL included        */
	BITACTOR_SCHEMA_TEXT_MAX  = 1 << 24  /* bytes: 257 for each of 0xFF00 kinds         */
};

bool bitactor_name_is_valid(const char *name);

/* Printable UTF-8 (so no tab, newline, or character that hides or turns the
 * text around it), at most 31 bytes. */
bool bitactor_unit_is_valid(const char *unit);

/* NULL if the field is one that a schema may have, else what is wrong with it.
 * Beside the bounds above: a flag has 1 bit, bytes come whole, and only numbers
 * (unsigned, signed) have an exponent. */
const char *bitactor_field_complaint(const bitactor_field_t *field);

/* Are the names of these items all different?  Every item begins with a
 * `const char *`, its name, not NULL: kinds, fields, cells, parameters, ports.
 *
 *   returns   BITACTOR_OK; BITACTOR_CORRUPT: *index is the first item whose name
 *             an earlier one has; BITACTOR_ERROR: a NULL, or out of memory
 */
bitactor_status_t bitactor_names_unique(const void *items, size_t item_bytes, uint32_t count,
                                        uint32_t *index);

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

/* Read the text of a schema.  Trusts nothing.
 *
 *   schema    out; the caller's, for bitactor_schema_free; zeroed on failure.  It
 *             needs nothing of `text` afterwards
 *   returns   BITACTOR_OK; BITACTOR_CORRUPT, the error names the line;
 *             BITACTOR_UNSUPPORTED, a version that this build does not know;
 *             BITACTOR_ERROR, a NULL or out of memory
 *   cost      memory of at most 8 times the text
 */
bitactor_status_t bitactor_schema_parse(const char *text, size_t text_bytes,
                                        bitactor_schema_t *schema, bitactor_error_t *error);

/* Frees what parse made; a zeroed schema is allowed. */
void bitactor_schema_free(bitactor_schema_t *schema);

/* The text of a schema, NUL-terminated, for free(); NULL when out of memory or
 * when parse would refuse it (a wrong name, kinds that do not ascend, ...).
 * Equal schemas give equal texts: parse(text) written again is `text`.
 *   text_bytes  out, may be NULL: without the NUL */
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

/* The name nearest to a wrong one (fewest edits, a swapped pair is one; the first
 * of equals), or NULL if none is near: more than a third wrong, or 3 edits. */
const char *bitactor_kind_nearest(const bitactor_kind_names_t *kinds, const char *name);

/* The value of a field as text without its unit: "0x18eeff01", "-12.34", "true",
 * "05a0be1c".  Exact: integers and a decimal point, no floating point.
 * `words` are payload, context, timestamp, id.  Returns the length of the whole
 * text (below BITACTOR_FIELD_TEXT_BYTES; 0 for a wrong field); writes at most
 * `room` bytes, always NUL-terminated unless `room` is 0. */
size_t bitactor_field_format(const bitactor_field_t *field, const uint64_t words[4], char *out,
                             size_t room);

#ifdef __cplusplus
}
#endif
#endif
