/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h -- traces on disk: NAME.bitrace/ with `trace`, `metadata`, sub-folders.
 *
 *      trace      segments and nothing else; segment k at k x 64 KiB
 *      metadata   CTF 1.8 TSDL; a function of the uuid and the SCHEMA record
 *      host/      facts.json: what this machine and build were
 *      .lock      held (flock) while the trace is being written
 *
 * The bytes of segments and records are in bitactor_telemetry.h and, for readers
 * without this library, in docs/trace-format.md.
 */
#ifndef BITACTOR_TRACE_H
#define BITACTOR_TRACE_H

#include <bitactor/bitactor_telemetry.h>
#include <bitactor/error.h>
#include <bitactor/schema.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- writing ---------------------------------------------------------------- */

typedef struct bitactor_trace_writer bitactor_trace_writer_t;

typedef struct bitactor_trace_options {
	const char *path;        /* the directory to make; must not exist           */
	uint8_t     uuid[16];    /* the engine's                                    */
	const char *schema_text; /* for metadata; NULL: no kinds                    */
	size_t      schema_bytes;
	const char *facts;       /* text of host/facts.json; NULL: none is written  */
} bitactor_trace_options_t;

/* Make the directory, take the lock, write metadata.  What is pointed to by
 * `options` is not needed afterwards.
 *
 *   returns   BITACTOR_OK; BITACTOR_IO (exists already, cannot be made, ...);
 *             what bitactor_schema_parse says of schema_text.  On failure nothing
 *             is left on disk
 *   owner     *writer is the caller's; end it with bitactor_trace_writer_close
 */
bitactor_status_t bitactor_trace_writer_open(const bitactor_trace_options_t *options,
                                             bitactor_trace_writer_t **writer,
                                             bitactor_error_t *error);

/* The sink to give to the engine.  Writes with pwrite on the calling thread:
 * an open segment is written 16 KiB at a time and when
 * bitactor_trace_writer_sync is called; body before header, so that a process
 * killed in between leaves an open segment that can be read.
 *
 * What the disk refuses (full, a limit on file sizes, a device error) is
 * remembered, and nothing more is written: the sink answers BITACTOR_IO from then
 * on, and what is there is a good trace that is not closed.  A limit also raises
 * SIGXFSZ: the program ignores that signal. */
bitactor_sink_t bitactor_trace_writer_sink(bitactor_trace_writer_t *writer);

/* Write what the sink has held back, so that a killed process loses nothing of
 * what came before.  Call after bitactor_telemetry_flush, before waiting. */
bitactor_status_t bitactor_trace_writer_sync(bitactor_trace_writer_t *writer,
                                             bitactor_error_t *error);

/* Async-signal-safe: write the open segment of `engine` as it is now.  Nothing if
 * something could not be written before. */
void bitactor_trace_writer_last_gasp(bitactor_trace_writer_t *writer,
                                     const bitactor_engine_t *engine);

/* Write what is held back, sync to disk and release; the first error there was.
 * The trace is closed only if bitactor_telemetry_close was called before.  NULL is
 * allowed. */
bitactor_status_t bitactor_trace_writer_close(bitactor_trace_writer_t *writer,
                                              bitactor_error_t *error);

/* Take the trace back, as if it had never been begun: for a program that cannot go
 * on before anything happened.  What the writer made is removed; what somebody else
 * put into the directory stays, and the directory with it.  Releases the writer, as
 * close does; NULL is allowed. */
void bitactor_trace_writer_discard(bitactor_trace_writer_t *writer);

/* What the sink met first; its status is BITACTOR_OK if nothing.  The writer's. */
const bitactor_error_t *bitactor_trace_writer_error(const bitactor_trace_writer_t *writer);

/* The text of `metadata` for these kinds, NUL-terminated, for free().  `schema` may
 * be NULL: no kinds.  NULL when out of memory, or for a kind whose name is none. */
char *bitactor_trace_metadata(const bitactor_schema_t *schema, const uint8_t uuid[16],
                              size_t *text_bytes);

/* ---- reading ---------------------------------------------------------------- */

typedef struct bitactor_trace_reader bitactor_trace_reader_t;

/* For show and replay.  Every check is computed again and every rule of the format
 * between records is kept; roots, the zeros behind a segment's records and
 * `metadata` are left to bitactor_trace_verify. */

/* Where a trace ends for a reader that goes record by record. */
typedef enum bitactor_trace_end {
	BITACTOR_TRACE_MORE = 0,  /* not at the end yet                              */
	BITACTOR_TRACE_CLOSED,    /* after CLOSE, or after a broken byte: see status */
	BITACTOR_TRACE_NOT_CLOSED, /* after the last good record of an unclosed trace */
	BITACTOR_TRACE_OPEN_RECORD /* the same, and the last record is open           */
} bitactor_trace_end_t;

/* Open DIR.bitrace for streaming: one segment in memory, no length is trusted.
 *
 *   returns   BITACTOR_OK; BITACTOR_IO (cannot be opened or read, or is being
 *             written); BITACTOR_CORRUPT (can be read, is no trace: empty, cut
 *             before the first record, wrong magic, broken SCHEMA);
 *             BITACTOR_UNSUPPORTED (a version or feature not known here)
 */
bitactor_status_t bitactor_trace_open(const char *path, bitactor_trace_reader_t **reader,
                                      bitactor_error_t *error);

void bitactor_trace_close(bitactor_trace_reader_t *reader);

/* The next record; every check is recomputed.
 *
 *   record    `own` is valid until the next call of next or data, all else longer
 *   seq       out, may be NULL: its number if it is compared, else that of the
 *             next one that is
 *   returns   BITACTOR_OK
 *             BITACTOR_BUSY     an open record, the last one
 *             BITACTOR_EMPTY    the end; bitactor_trace_end says which
 *             BITACTOR_CORRUPT  error names segment, offset and seq; the
 *                               records before it were good
 *             BITACTOR_IO
 *             What ended it is answered again by every later call
 */
bitactor_status_t bitactor_trace_next(bitactor_trace_reader_t *reader, bitactor_record_t *record,
                                      uint64_t *seq, bitactor_error_t *error);

bitactor_trace_end_t bitactor_trace_end(const bitactor_trace_reader_t *reader);

/* The bytes of the data that follows the last record with BITACTOR_RECORD_HAS_DATA:
 * reads the DATA records behind it, which bitactor_trace_next would else give out
 * one by one.
 *
 *   most      more than that is CORRUPT, and ends the reading
 *   bytes     valid until the next call of data
 *   returns   BITACTOR_OK (without data too: 0 bytes); BITACTOR_EMPTY: an unclosed
 *             trace ends inside, *byte_count bytes are there; else as next
 */
bitactor_status_t bitactor_trace_data(bitactor_trace_reader_t *reader, size_t most,
                                      const uint8_t **bytes, size_t *byte_count,
                                      bitactor_error_t *error);

/* Facts, known after open: the first segment's header, the schema (empty if the
 * trace has none) and PROGRAM (empty text if it has none). */
typedef struct bitactor_trace_facts {
	bitactor_segment_header_t header;
	const bitactor_schema_t  *schema;
	const char *schema_text;
	size_t      schema_bytes;
	const char *program_text; /* lines "key<TAB>value" */
	size_t      program_bytes;
	uint64_t    file_bytes;
} bitactor_trace_facts_t;

void bitactor_trace_facts(const bitactor_trace_reader_t *reader, bitactor_trace_facts_t *facts);

/* The value of a key in PROGRAM's text, copied; false if it is not there. */
bool bitactor_program_value(const char *program_text, size_t program_bytes, const char *key,
                            char *value, size_t room);

/* The number of the segment and the turn of the record that was read last. */
uint64_t bitactor_trace_segment(const bitactor_trace_reader_t *reader);
uint64_t bitactor_trace_turn(const bitactor_trace_reader_t *reader);

/* ---- verifying --------------------------------------------------------------- */

typedef struct bitactor_verify_options {
	bool           deep; /* recompute the check of every record               */
	const uint8_t *head; /* 32 bytes the user kept; NULL: none                */
	void (*progress)(void *context, uint64_t bytes, uint64_t total_bytes);
	void          *progress_context;
} bitactor_verify_options_t;

typedef struct bitactor_verify_report {
	bool     closed;
	uint64_t segments, records, compared; /* good ones                            */
	uint64_t last_seq;      /* of the last good compared record, if compared > 0  */
	uint64_t signals, rejects, outputs, failed, overruns; /* by record            */
	uint64_t bytes;         /* read                                               */
	uint8_t  head[BITACTOR_DIGEST_BYTES]; /* root of the last segment, if closed  */
	bool     open_record;   /* the last record was in dispatch                    */
	uint64_t bad_segment;   /* where it breaks, if status is CORRUPT              */
	uint32_t bad_offset;    /* in that segment                                    */
	uint64_t bad_seq;       /* the seq that the broken record has or would have   */
	char     bad_file[16];  /* "trace" or "metadata"                              */
} bitactor_verify_report_t;

/* Check everything there is in one pass: bounds, order and kind of every record,
 * every header, every byte between content and end of segment, roots, CLOSE, and
 * metadata against the SCHEMA record.
 *
 *   options   NULL: none of them
 *   report    out, may be NULL: as far as it came, whatever is returned
 *   returns   BITACTOR_OK       closed and good
 *             BITACTOR_CORRUPT  a byte is wrong, or it does not match `head`;
 *                               error names the first place, in words
 *             BITACTOR_BUSY     good as far as it goes, but not closed
 *             BITACTOR_IO, BITACTOR_UNSUPPORTED
 *   cost      one pass, one segment in memory
 */
bitactor_status_t bitactor_trace_verify(const char *path,
                                        const bitactor_verify_options_t *options,
                                        bitactor_verify_report_t *report,
                                        bitactor_error_t *error);

#ifdef __cplusplus
}
#endif
#endif
