/* SPDX-License-Identifier: Apache-2.0 */
/* schema_words.h -- the text of a schema, as its reader and its writer agree. */
#ifndef BA_SCHEMA_WORDS_H
#define BA_SCHEMA_WORDS_H

#include <bitactor/schema.h>

enum {
	BA_SCHEMA_VERSION      = 1,
	BA_SCHEMA_KIND_LAST    = BITACTOR_MAX_KINDS - 1,
	BA_SCHEMA_EXPONENT_MAX = 18
};

static const char *const ba_word_names[] = { "payload", "context", "timestamp", "id" };
static const char *const ba_format_names[] = { "unsigned", "signed", "hex", "bytes", "flag" };

enum {
	BA_WORD_COUNT   = sizeof ba_word_names / sizeof ba_word_names[0],
	BA_FORMAT_COUNT = sizeof ba_format_names / sizeof ba_format_names[0]
};
_Static_assert((int)BA_WORD_COUNT == (int)BITACTOR_WORD_ID + 1, "a name for every word");
_Static_assert((int)BA_FORMAT_COUNT == (int)BITACTOR_FORMAT_FLAG + 1, "a name for every format");

/* The name that an earlier kind, field of the same kind, or port has; NULL if
 * there is none, or when there was no memory to look: then *status is
 * BITACTOR_ERROR. */
const char *ba_schema_repeated_name(const bitactor_schema_t *schema, bitactor_status_t *status);

#endif
