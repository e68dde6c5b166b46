/* SPDX-License-Identifier: Apache-2.0 */
/* import.h -- sources that read files and pipes: candump logs and NDJSON.
 *
 * One line, one verdict: a good line is one signal, a bad line is counted with
 * its number and reason and nothing is taken out of it.  Times are integers and
 * are never sorted; a clock that steps back is counted.
 */
#ifndef BITACTOR_IMPORT_H
#define BITACTOR_IMPORT_H

#include <bitactor/schema.h>
#include <bitactor/session.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bitactor_import bitactor_import_t;

/* A line that was not taken.  `text` is valid during the call. */
typedef void (*bitactor_import_bad_fn)(void *context, uint64_t line, const char *reason);

typedef struct bitactor_import_options {
	bitactor_kind_names_t  kinds;    /* must outlive the import                     */
	bool                   strict;   /* the first bad line ends the session: CORRUPT */
	bitactor_import_bad_fn bad;      /* told of each bad line; NULL: only counted    */
	void                  *bad_context;
} bitactor_import_options_t;

enum { BITACTOR_IMPORT_INTERFACES = 64, BITACTOR_IMPORT_NAME_BYTES = 32 };

typedef struct bitactor_import_stats {
	uint64_t lines;          /* all                                              */
	uint64_t signals;        /* lines that became a signal                       */
	uint64_t skipped;        /* blank lines, comments and headers                */
	uint64_t bad;            /* lines with an error                              */
	uint64_t no_handler;     /* good, but the module has no kind of that name    */
	uint64_t bytes;          /* read so far                                      */
	uint64_t total_bytes;    /* of a regular file, else 0                        */
	uint64_t timed;          /* signals whose line had a time                    */
	uint64_t clock_backward; /* of these, earlier than the one before            */
	/* candump only; good lines by sort, those without a kind in the module too */
	uint64_t frames, fd_frames, remote_frames, error_frames;
	uint32_t interfaces;     /* in order of appearance; more than 64 is a bad line */
	char     interface_name[BITACTOR_IMPORT_INTERFACES][BITACTOR_IMPORT_NAME_BYTES];
} bitactor_import_stats_t;

/* Open "candump:FILE", "ndjson:FILE" or, with FILE "-", standard input.
 *
 *   returns   BITACTOR_OK; BITACTOR_ERROR for a form that is not known (the
 *             error names the known ones); BITACTOR_IO
 *   owner     *import is the caller's; end it with bitactor_import_close
 */
bitactor_status_t bitactor_import_open(const char *input, const bitactor_import_options_t *options,
                                       bitactor_import_t **import, bitactor_error_t *error);

/* The source to give to a session; valid until close. */
bitactor_source_t bitactor_import_source(bitactor_import_t *import);

void bitactor_import_stats(const bitactor_import_t *import, bitactor_import_stats_t *stats);

/* NULL is allowed. */
void bitactor_import_close(bitactor_import_t *import);

#ifdef __cplusplus
}
#endif
#endif
