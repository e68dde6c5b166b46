/* SPDX-License-Identifier: Apache-2.0 */
/* trace_private.h -- what the writer, the reader and verify have in common.
 *
 *      file    NAME.bitrace opened for reading: its lock looked at, `trace` at hand
 *      walk    the rules that hold from one record to the next
 *      place   where in the trace something is wrong
 *
 *                   bitactor_record_read          ba_trace_walk_record
 *      bytes  --->  one record is well formed --->  and stands where it may
 */
#ifndef BA_TRACE_PRIVATE_H
#define BA_TRACE_PRIVATE_H

#include <bitactor/trace.h>

/* ---- file ---------------------------------------------------------------------- */

enum {
	BA_TRACE_SHOWN_BYTES = 161,     /* of a path in an error text: its end          */
	BA_TRACE_TEXT_MAX    = 1 << 24  /* bytes of SCHEMA and of PROGRAM that are kept */
};
_Static_assert((int)BA_TRACE_TEXT_MAX == (int)BITACTOR_SCHEMA_TEXT_MAX,
               "every text that is a schema can be read");

/* The end of `path`, short enough that what is wrong with it fits behind it. */
void ba_trace_show_path(const char *path, char shown[BA_TRACE_SHOWN_BYTES]);

typedef struct ba_trace_file {
	int      dir, fd; /* -1: closed */
	uint64_t bytes;   /* of `trace`, when it was opened */
	char     shown[BA_TRACE_SHOWN_BYTES];
} ba_trace_file_t;

/* Open DIR.bitrace and its `trace`.  BITACTOR_IO: cannot be opened, or is being
 * written; BITACTOR_CORRUPT: it is there, but is no directory or no file. */
bitactor_status_t ba_trace_file_open(const char *path, ba_trace_file_t *file,
                                     bitactor_error_t *error);
void ba_trace_file_close(ba_trace_file_t *file);

/* Open a plain file of the directory; the same statuses, and `missing` when it is
 * not there.  `file_bytes` may be NULL. */
bitactor_status_t ba_trace_file_part(const ba_trace_file_t *file, const char *name,
                                     bitactor_status_t missing, int *fd, uint64_t *file_bytes,
                                     bitactor_error_t *error);

/* At most `byte_count` bytes of `fd` from `offset` on; fewer only at its end. */
bitactor_status_t ba_trace_file_read(const ba_trace_file_t *file, int fd, uint64_t offset,
                                     void *bytes, size_t byte_count, size_t *got,
                                     bitactor_error_t *error);

/* Segment `number` into 64 KiB; what the file lacks of it is zero. */
bitactor_status_t ba_trace_file_segment(const ba_trace_file_t *file, uint64_t number,
                                        uint8_t *bytes, uint32_t *got, bitactor_error_t *error);

/* Where in `trace` something is wrong. */
typedef struct ba_trace_place {
	uint64_t segment;
	uint32_t offset; /* in the segment */
	uint64_t seq;    /* that the record there has or would have */
} ba_trace_place_t;

/* "a.bitrace/trace: segment 3, offset 1152, seq 4711: `what`". */
bitactor_status_t ba_trace_complain(bitactor_error_t *error, bitactor_status_t status,
                                    const ba_trace_file_t *file, const ba_trace_place_t *place,
                                    const char *what);

/* Where the first byte is that is not zero; `byte_count` if there is none. */
size_t ba_trace_zero_until(const uint8_t *bytes, size_t byte_count);

/* ---- walk ------------------------------------------------------------------------ */

/* A text out of DATA records.  It grows with what is there, never with what is
 * announced. */
typedef struct ba_trace_text {
	char  *bytes; /* NUL behind the last */
	size_t used, room;
	bool   begun, whole;
} ba_trace_text_t;

typedef struct ba_trace_walk {
	/* The trace, as its first header has it. */
	bitactor_segment_header_t first;
	bool begun;

	/* Where the walk is. */
	uint64_t segment;  /* of the header that was read last                       */
	uint64_t seq;      /* of the next compared record                            */
	uint64_t turn;     /* of the last record                                     */
	uint64_t turn_end; /* no later one in this segment                           */
	bool     closed;   /* after CLOSE                                            */
	bool     open;     /* after an open record: only its DATA may follow         */
	bool     linked;   /* the first header has a previous root: LINK comes first  */
	bool     turned;   /* after the first TURN: SCHEMA and PROGRAM come before   */

	/* DATA that has to follow before anything but PAD. */
	uint64_t data_left;
	uint32_t data_number;
	bool     data_measured;

	/* What SCHEMA and PROGRAM said.  `text` is the one that DATA goes to. */
	ba_trace_text_t  schema_text, program_text, *text;
	bitactor_schema_t schema;
	bool     any_kind;    /* fibers take kinds that nobody registered */
	uint64_t known[1024]; /* a bit for each kind that may occur       */

	char complaint[320]; /* a `reason` that had to be made */
} ba_trace_walk_t;

/* Start at segment 0; `walk` is zero or was used before.  What SCHEMA and
 * PROGRAM said is kept, and then not read again. */
void ba_trace_walk_begin(ba_trace_walk_t *walk);
void ba_trace_walk_free(ba_trace_walk_t *walk);

/* The header of the next segment: is it this trace's, and the next one?
 * BITACTOR_OK or BITACTOR_CORRUPT with a `reason` that lives as long as `walk`. */
bitactor_status_t ba_trace_walk_header(ba_trace_walk_t *walk,
                                       const bitactor_segment_header_t *header,
                                       const char **reason);

/* The next record, well formed by itself: may it stand here?
 *
 *   open      bitactor_record_read answered BITACTOR_BUSY
 *   returns   BITACTOR_OK; BITACTOR_CORRUPT; BITACTOR_UNSUPPORTED for a schema
 *             of another version; BITACTOR_ERROR: out of memory
 */
bitactor_status_t ba_trace_walk_record(ba_trace_walk_t *walk, const bitactor_record_t *record,
                                       bool open, const char **reason);

/* May a signal of this kind occur? */
static inline bool
ba_trace_walk_knows(const ba_trace_walk_t *walk, uint16_t kind)
{
	return (walk->known[kind >> 6] >> (kind & 63) & 1) != 0 || walk->any_kind;
}

/* ---- checks ---------------------------------------------------------------------- */

/* From the record at `offset` on, where the first is whose check does not match, or
 * that is not whole in its chunk and before `limit`; `limit` if there is none.  It
 * may stop earlier: what it went past is right, the rest is for bitactor_record_read
 * to judge. */
uint32_t ba_trace_checks(const uint8_t *segment, uint32_t nonce, uint32_t offset,
                         uint32_t limit);

/* ---- metadata ----------------------------------------------------------------------- */

/* Compare the file `metadata` with what it must be, byte for byte.  `schema` may
 * be NULL.  BITACTOR_CORRUPT: *offset is the first byte that differs. */
bitactor_status_t ba_trace_metadata_check(const ba_trace_file_t *file,
                                          const bitactor_schema_t *schema,
                                          const uint8_t uuid[16], uint32_t *offset,
                                          bitactor_error_t *error);

#endif
