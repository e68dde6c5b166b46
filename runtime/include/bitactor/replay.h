/* SPDX-License-Identifier: Apache-2.0 */
/* replay.h -- a trace as source and clock, and a comparer as sink.
 *
 *      trace --> turn k: now, signals from outside, number of dispatches
 *                  |
 *                  +--> engine (the same handlers) --> records of turn k
 *                  |                                        |
 *                  +--> records of turn k, as recorded --> compare
 *
 * Every compared record must come again, word for word and byte for byte, in
 * the same order.  The first that does not is the divergence.
 */
#ifndef BITACTOR_REPLAY_H
#define BITACTOR_REPLAY_H

#include <bitactor/session.h>
#include <bitactor/trace.h>
#include <bitactor/trace_program.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bitactor_replay bitactor_replay_t;

/* A record kept in memory, with the data that follows it. */
typedef struct bitactor_replay_record {
	bitactor_record_t record; /* `own` is NULL: see own_copy */
	uint64_t seq;
	bool     open;            /* in dispatch when the process ended */
	uint8_t  own_copy[32];    /* the kind's own slot, if it has one */
	uint8_t *data;            /* NULL: none; the list's */
	size_t   data_bytes;
} bitactor_replay_record_t;

enum bitactor_difference {
	BITACTOR_DIFFERENCE_NONE = 0,
	BITACTOR_DIFFERENCE_EFFECT,  /* the same signal did something else   */
	BITACTOR_DIFFERENCE_SIGNAL,  /* another signal, or another record    */
	BITACTOR_DIFFERENCE_DATA,    /* data or output with other bytes      */
	BITACTOR_DIFFERENCE_MISSING, /* recorded, but it did not come again  */
	BITACTOR_DIFFERENCE_EXTRA    /* came, but was not recorded           */
};

typedef struct bitactor_replay_report {
	enum bitactor_difference difference;
	uint64_t turn;      /* of the divergence, or turns played (those of a stop, too) */
	uint64_t compared;  /* records that came again                           */
	uint64_t signals;   /* of these, dispatches                              */
	const bitactor_replay_record_t *expected; /* NULL for EXTRA               */
	const bitactor_replay_record_t *actual;   /* NULL for MISSING             */
	bitactor_trace_end_t end;                 /* how the trace ends           */
} bitactor_replay_report_t;

/* Open a trace and read its program.
 *
 *   returns   what bitactor_trace_open returns, or BITACTOR_UNSUPPORTED: the
 *             trace has no PROGRAM record, so nobody can say what to replay
 */
bitactor_status_t bitactor_replay_open(const char *path, bitactor_replay_t **replay,
                                       bitactor_error_t *error);

/* NULL is allowed.  After the engine is destroyed. */
void bitactor_replay_close(bitactor_replay_t *replay);

const bitactor_program_t *bitactor_replay_program(const bitactor_replay_t *replay);
void bitactor_replay_facts(const bitactor_replay_t *replay, bitactor_trace_facts_t *facts);

/* The configuration of an engine that repeats the trace: its limits, clock and
 * sink are the replay's.  Valid until close. */
const bitactor_config_t *bitactor_replay_config(bitactor_replay_t *replay);

/* Play the trace in an engine made from that configuration, on which the
 * handlers have been registered in the recorded order, after PROGRAM and SCHEMA
 * were noted with the trace's own texts.
 *
 *   returns   BITACTOR_OK       all that was recorded came again; with
 *                               report->end BITACTOR_TRACE_MORE: until `stop`
 *             BITACTOR_CORRUPT  a divergence (report->difference), or a broken
 *                               trace (difference is NONE, error says where)
 *             BITACTOR_UNSUPPORTED  REGISTER between turns; a turn of more than
 *                               65,536 signals from outside; a STOP that waited for
 *                               a producer or gave way to a tick
 *             BITACTOR_ERROR    a second time; BITACTOR_IO
 *   stop      as in bitactor_session_t
 */
bitactor_status_t bitactor_replay_run(bitactor_replay_t *replay, bitactor_engine_t *engine,
                                      const volatile sig_atomic_t *stop,
                                      bitactor_replay_report_t *report,
                                      bitactor_error_t *error);

/* Records of the last turn, as recorded and as they came now: to explain a
 * divergence by what follows it. */
const bitactor_replay_record_t *bitactor_replay_expected(const bitactor_replay_t *replay,
                                                         size_t *count);
const bitactor_replay_record_t *bitactor_replay_actual(const bitactor_replay_t *replay,
                                                       size_t *count);

/* Async-signal-safe: the seq of the last record known to have come again, for a
 * last word when a handler kills the process during a replay. */
uint64_t bitactor_replay_seq(const bitactor_replay_t *replay);

#ifdef __cplusplus
}
#endif
#endif
