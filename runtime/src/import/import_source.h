/* SPDX-License-Identifier: Apache-2.0 */
/* import_source.h -- what import.c and the formats share.
 *
 *      import.c             open, poll, count, close: the same for all formats
 *        |  one line            ^  one verdict
 *        v                      |
 *      import_candump.c     import_ndjson.c
 *
 * A format's `read` looks at one line and says what it is.  It counts what only
 * it knows (sorts of frames, interfaces); import.c counts the verdicts, so that
 * lines = signals + skipped + bad + no_handler always holds.
 */
#ifndef BA_IMPORT_SOURCE_H
#define BA_IMPORT_SOURCE_H

#include <bitactor/import.h>

#include "candump_scan.h"
#include "line_reader.h"

typedef enum ba_verdict {
	BA_VERDICT_SIGNAL,
	BA_VERDICT_SKIPPED,
	BA_VERDICT_BAD,       /* import->reason says why */
	BA_VERDICT_NO_HANDLER
} ba_verdict_t;

typedef struct ba_import_format {
	const char *scheme;
	size_t line_max;      /* bytes of a line, its carriage return included */
	size_t buffer_bytes;  /* read at once; more than line_max              */
	size_t data_max;      /* most data bytes a line can bring              */
	size_t data_bytes;    /* for the data of one poll; at least data_max   */
	void (*begin)(bitactor_import_t *import);
	/* Fill in `item` when the verdict is a signal; data goes to ba_import_data(). */
	ba_verdict_t (*read)(bitactor_import_t *import, const ba_line_t *line,
	                     bitactor_item_t *item);
} ba_import_format_t;

struct bitactor_import {
	const ba_import_format_t *format;
	bitactor_import_options_t options;
	bitactor_import_stats_t   stats;
	ba_line_reader_t          reader;
	bool     owns_fd;
	uint64_t newest_ns;   /* time of the last timed signal */
	char     reason[256]; /* of the bad line at hand */

	/* What ended the import; said at each further poll. */
	bitactor_error_t failure;

	/* Data of the signals of one poll. */
	uint8_t *data;
	size_t   data_used;

	/* candump only */
	int32_t  can_kind[BA_CAN_SORTS]; /* kinds of the module, or -1                 */
	uint32_t interface_hint;         /* the last one used                          */
	char     header_name[BITACTOR_IMPORT_NAME_BYTES]; /* for lines without a name   */
	bool     after_error;            /* the line before was, or explained, an error */

	const char *name; /* of the input, for people */
};

/* Room for format->data_max bytes, for the line at hand. */
static inline uint8_t *
ba_import_data(bitactor_import_t *import)
{
	return import->data + import->data_used;
}

/* The line at hand is bad: keep the reason, printable and on one line. */
ba_verdict_t ba_import_bad(bitactor_import_t *import, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* The line at hand is a signal with a time. */
void ba_import_timed(bitactor_import_t *import, uint64_t time_ns);

extern const ba_import_format_t ba_import_candump;
extern const ba_import_format_t ba_import_ndjson;

#endif
