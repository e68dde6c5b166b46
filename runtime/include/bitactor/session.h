/* SPDX-License-Identifier: Apache-2.0 */
/* session.h -- one loop, three doors.
 *
 *      door 1: source           door 2: clock            door 3: sink
 *      who sends signals        what time it is          who keeps the records
 *
 *      poll a batch -> admit it in order -> a turn -> hand records on
 *
 * A run, a replay and a simulation are this same loop over the same engine.
 * The clock (bitactor_host_t.now_ns) and the sink (bitactor_sink_t) are given
 * to the engine at its init; the source is given to the session.
 */
#ifndef BITACTOR_SESSION_H
#define BITACTOR_SESSION_H

#include <bitactor/bitactor.h>
#include <bitactor/error.h>

#include <signal.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A signal on its way in.  `data` is valid until the next poll. */
typedef struct bitactor_item {
	bitactor_signal_t signal; /* data_bytes says how much data there is */
	const void       *data;
} bitactor_item_t;

enum { BITACTOR_BATCH_ITEMS = 256 };

/* What a source answers to a poll. */
typedef struct bitactor_batch {
	bitactor_item_t *items;      /* room for `capacity`, filled from 0; or the   */
	                             /* source's own array, valid until the next poll */
	uint32_t         capacity;
	uint32_t         count;      /* out: how many were filled in              */
	uint64_t         max;        /* out: most dispatches of the turn; 0: 1,024 */
	bool             as_tick;    /* out: one item, through bitactor_tick      */
	bool             as_stop;    /* out: no turn but bitactor_stop, `max` turns of it */
	bool             drain;      /* out: of that stop                         */
} bitactor_batch_t;

/* A source of signals.  `poll` is called by the session on its own thread.
 *
 *   may_wait  false: answer at once; true: block until there is something
 *   returns   BITACTOR_OK      `count` items, perhaps 0 with `max` set
 *             BITACTOR_EMPTY   nothing now (only when may_wait is false, or
 *                              when a wait was interrupted by a signal)
 *             BITACTOR_CLOSED  no more will come; `count` is 0
 *             anything else    ends the session; `error` is filled in
 * A source never calls the engine. */
typedef struct bitactor_source {
	void *context;
	bitactor_status_t (*poll)(void *context, bitactor_batch_t *batch, bool may_wait,
	                          bitactor_error_t *error);
} bitactor_source_t;

/* Callbacks of a session; anything but BITACTOR_OK ends it with that status and
 * `error` filled in. */
typedef bitactor_status_t (*bitactor_session_fn)(void *context, bitactor_error_t *error);

typedef struct bitactor_session {
	bitactor_engine_t *engine;
	bitactor_source_t  source;
	/* Looked at between batches and when a wait was interrupted; set by a signal
	 * handler to end the loop.  The batch in hand is admitted first, unless turns
	 * make no room for it.  NULL: never. */
	const volatile sig_atomic_t *stop;
	/* What still waits in the engine then: bitactor_stop works it off in at most so
	 * many turns and drops the rest, with a record.  0: it stays where it is. */
	uint64_t stop_turns;
	bool     exact_turns; /* the source says where turns end: nothing is dispatched beyond */

	bitactor_session_fn after_turn;  /* records were handed to the sink; a stop is one turn
	                                  * here.  NULL: none */
	bitactor_session_fn before_wait; /* the engine is empty, the source too. NULL: none */
	void               *context;     /* of both */

	/* Filled in by the session. */
	uint64_t offered; /* items taken from the source             */
	uint64_t refused; /* of these, ticks too, refused as invalid */
	bool     stopped; /* ended by `stop`                          */
} bitactor_session_t;

/* Run until the source is closed and the engine is empty, or stop is set, or
 * something fails.  BITACTOR_OK in the first two cases.
 *
 *   threads   one; it blocks
 *   order     when the queue is full the session takes turns until there is
 *             room: nothing is lost and nothing is reordered
 *   errors    what the source or a callback answered; BITACTOR_FULL when turns
 *             make no room for a signal; BITACTOR_IO when the sink
 *             failed; with exact_turns, BITACTOR_CORRUPT when the engine did not
 *             take what it took when it was recorded
 */
bitactor_status_t bitactor_session_run(bitactor_session_t *session, bitactor_error_t *error);

#ifdef __cplusplus
}
#endif
#endif
