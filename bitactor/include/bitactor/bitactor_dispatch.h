/* SPDX-License-Identifier: Apache-2.0 */
/* bitactor_dispatch.h -- handlers: what they may do, and how they are bound.
 *
 * A dispatch is a transaction.  The handler gets the signal, its own state and
 * a turn; what it emits and outputs through the turn is staged and takes hold
 * when it returns BITACTOR_OK; with any other status it is dropped and counted.
 * (Its own state is not rolled back.)
 *
 *      bitactor_status_t
 *      on_reading(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
 *      {
 *              struct reading *reading = state;
 *              reading->sum += signal->payload;
 *              bitactor_turn_result(turn, reading->sum);
 *              return BITACTOR_OK;
 *      }
 *
 * Everything goes through `turn`, a table of calls, so that a module with
 * handlers links to nothing.  The calls below may be made only from inside a
 * dispatch of that turn, on its thread; none allocates or waits, but await and
 * yield, which suspend a fiber.
 */
#ifndef BITACTOR_DISPATCH_H
#define BITACTOR_DISPATCH_H

#include "bitactor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bitactor_turn bitactor_turn_t;

/*   signal    valid until the handler returns (a fiber: until it waits)
 *   state     what was registered with the kind
 *   returns   BITACTOR_OK, or why not: counted, recorded, and what was staged
 *             is dropped.  BITACTOR_TICK_EXCEEDED is the engine's to say: a
 *             handler that returns it is taken to have said BITACTOR_ERROR
 */
typedef bitactor_status_t (*bitactor_handler_fn)(bitactor_turn_t *turn,
                                                 const bitactor_signal_t *signal, void *state);

/* The engine's side of a turn.  Calls are only ever appended; `bytes` says how
 * many there are. */
typedef struct bitactor_turn_calls {
	size_t bytes; /* of this table */
	uint64_t (*now_ns)(bitactor_turn_t *turn);
	uint64_t (*random)(bitactor_turn_t *turn);
	const void *(*data)(bitactor_turn_t *turn);
	bitactor_status_t (*emit)(bitactor_turn_t *turn, const bitactor_signal_t *signal,
	                          const void *data, size_t data_bytes);
	bitactor_status_t (*output)(bitactor_turn_t *turn, uint32_t port, const void *bytes,
	                            size_t byte_count);
	void (*touched)(bitactor_turn_t *turn, const void *start, size_t bytes);
	bitactor_status_t (*yield)(bitactor_turn_t *turn);
	bitactor_status_t (*await)(bitactor_turn_t *turn, uint16_t kind, bitactor_signal_t *signal);
} bitactor_turn_calls_t;

/* The part of a turn that handlers see. */
struct bitactor_turn {
	const bitactor_turn_calls_t *calls;
	uint64_t engine_private;
	uint64_t result; /* set by bitactor_turn_result */
};

/* The value this dispatch answers: recorded by its effect, given by tick. */
static inline void
bitactor_turn_result(bitactor_turn_t *turn, uint64_t value)
{
	turn->result = value;
}

/* The turn's one time in ns, the same for all its dispatches; recorded. */
static inline uint64_t
bitactor_turn_now_ns(bitactor_turn_t *turn)
{
	return turn->calls->now_ns(turn);
}

/* A number that depends on the seed, the destination, this dispatch's place in
 * the order and how many were drawn before, and on nothing else. */
static inline uint64_t
bitactor_random(bitactor_turn_t *turn)
{
	return turn->calls->random(turn);
}

/* The signal's attached data, signal->data_bytes of them, aligned to 8; NULL if none. */
static inline const void *
bitactor_turn_data(bitactor_turn_t *turn)
{
	return turn->calls->data(turn);
}

/* Send a signal: it is dispatched after what this turn has admitted, in this turn
 * while its `max` is not reached, else at the beginning of the next; what a tick
 * emits waits for the next turn.  BITACTOR_FULL when the internal queue has no
 * room, or no block for the data: a function of recorded facts only, for
 * outsiders never fill it.  BITACTOR_INVALID_SIGNAL as from enqueue. */
static inline bitactor_status_t
bitactor_emit(bitactor_turn_t *turn, const bitactor_signal_t *signal)
{
	return turn->calls->emit(turn, signal, NULL, 0);
}

static inline bitactor_status_t
bitactor_emit_data(bitactor_turn_t *turn, const bitactor_signal_t *signal, const void *data,
                   size_t data_bytes)
{
	return turn->calls->emit(turn, signal, data, data_bytes);
}

/* Send bytes to a port of the program around the engine: recorded, handed on
 * after the dispatch returned OK, and in a replay compared but not handed on.
 * BITACTOR_FULL beyond config.output_max bytes a dispatch, of which each output takes 8
 * besides its own, rounded up to 8. */
static inline bitactor_status_t
bitactor_output(bitactor_turn_t *turn, uint32_t port, const void *bytes, size_t byte_count)
{
	return turn->calls->output(turn, port, bytes, byte_count);
}

/* State larger than 256 bytes is not digested whole after each dispatch: name
 * the bytes that were changed, so that a replay can compare them.  May be
 * called before or after the change; at most 16 ranges a dispatch are kept
 * apart, more are folded into one that spans them. */
static inline void
bitactor_touched(bitactor_turn_t *turn, const void *start, size_t bytes)
{
	turn->calls->touched(turn, start, bytes);
}

/* Fiber kinds only (else BITACTOR_UNSUPPORTED): go on after what is already
 * queued.  What was staged so far takes hold now; `signal` and its data are
 * gone afterwards, so copy what is needed.  BITACTOR_FULL, without waiting, when
 * the internal queue has no room. */
static inline bitactor_status_t
bitactor_yield(bitactor_turn_t *turn)
{
	return turn->calls->yield(turn);
}

/* Fiber kinds only: wait for the next signal of `kind` to the same actor; it
 * comes here instead of to the kind's handler.  The longest-waiting fiber is
 * served first.  BITACTOR_CANCELLED when the engine stops and drains; a stop that
 * discards runs nobody.  BITACTOR_ERROR, without waiting, for a kind outside the
 * table or a NULL. */
static inline bitactor_status_t
bitactor_await(bitactor_turn_t *turn, uint16_t kind, bitactor_signal_t *signal)
{
	return turn->calls->await(turn, kind, signal);
}

/* ---- the table -------------------------------------------------------------- */

enum bitactor_handler_flags {
	BITACTOR_HANDLER_FIBER = 1, /* each dispatch starts a fiber on a stack of its own */
	BITACTOR_HANDLER_EXACT = 2  /* time each dispatch of this kind by itself          */
};

/* What becomes of a signal whose handler failed, its retries too. */
enum bitactor_failure_policy {
	BITACTOR_FAILURE_CONTINUE    = 0, /* it is counted, nothing else                    */
	BITACTOR_FAILURE_DEAD_LETTER = 1, /* it is kept: see bitactor_dead_letter           */
	BITACTOR_FAILURE_QUARANTINE  = 2, /* kept; and no further signal reaches the handler */
	                                  /* until it is registered again                   */
	BITACTOR_FAILURE_STOP        = 3  /* kept; and the engine stops after this dispatch */
};

typedef struct bitactor_handler {
	bitactor_handler_fn fn;
	void    *state;        /* the caller's; may be NULL                                  */
	size_t   state_bytes;  /* of it that belong in the effect digest; up to 256 are      */
	                       /* digested whole, of more only what is named with touched    */
	uint32_t budget_ticks; /* 0: the configuration's                                     */
	uint32_t flags;        /* enum bitactor_handler_flags                                */
	uint16_t kind;
	uint8_t  retries;      /* after a failure, at once, each a dispatch of its own; 0 for */
	                       /* fiber kinds                                                */
	uint8_t  on_failure;   /* enum bitactor_failure_policy                               */
} bitactor_handler_t;

/* Bind a handler to a kind, in place of any before it.  Holds from the next
 * dispatch on; called by a handler of this engine, it is a part of its dispatch
 * and holds if that answers OK.
 *
 *   returns   BITACTOR_OK, or BITACTOR_ERROR (a NULL, a kind outside the
 *             table), BITACTOR_UNSUPPORTED (a fiber kind without fiber stacks),
 *             BITACTOR_FULL (a handler asked for more than 32 such changes),
 *             BITACTOR_REENTRANT from a sink or an outlet, BITACTOR_CLOSED
 *   threads   any; waits for a running turn
 */
BITACTOR_API bitactor_status_t bitactor_register_handler(bitactor_engine_t *engine,
                                                         const bitactor_handler_t *handler);

/* The same in short: state that is not digested, the default budget. */
BITACTOR_API bitactor_status_t bitactor_register(bitactor_engine_t *engine, uint16_t kind,
                                                 bitactor_handler_fn fn, void *state);

/* Signals of this kind are rejected from the next dispatch on.  Called between
 * dispatches the handler does not run when it returns and will not be started
 * again; a fiber of it that waits goes on when its wait ends.  Answers and threads
 * as above; called by a handler, as above. */
BITACTOR_API bitactor_status_t bitactor_unregister(bitactor_engine_t *engine, uint16_t kind);

/* The same as a barrier: with BITACTOR_OK nothing of the handler runs, waits or will
 * run, and its state may be freed.  BITACTOR_BUSY: it is unregistered, but a fiber
 * of it still lives; call again after a turn.  BITACTOR_REENTRANT from inside a
 * handler.  Waits for a running turn. */
BITACTOR_API bitactor_status_t bitactor_unregister_sync(bitactor_engine_t *engine, uint16_t kind);

/* A signal that could not be done, with the seq of the record that says so. */
typedef struct bitactor_dead_letter {
	bitactor_signal_t signal;
	uint64_t seq;
	uint32_t reason;          /* enum bitactor_reject_reason: FAILED or QUARANTINE     */
	bitactor_status_t status; /* what the handler answered last, or INVALID_SIGNAL     */
	uint32_t attempts;        /* dispatches of it; 0: it was rejected                  */
	uint32_t reserved;
} bitactor_dead_letter_t;

/* Look at the dead letter that is `index` behind the oldest.  The newest
 * config.dead_letters are kept; stats.dead_lost says how many were overwritten.
 *
 *   data      its data goes here; may be NULL if data_room is 0
 *   returns   BITACTOR_OK; BITACTOR_EMPTY: there is none; BITACTOR_FULL: the letter is
 *             filled in, but its data needs signal.data_bytes of room;
 *             BITACTOR_ERROR; BITACTOR_CLOSED; BITACTOR_REENTRANT
 *   threads   any; waits for a running turn
 */
BITACTOR_API bitactor_status_t bitactor_dead_letter(const bitactor_engine_t *engine,
                                                    uint64_t index,
                                                    bitactor_dead_letter_t *letter, void *data,
                                                    size_t data_room);

/* The same for the oldest, which is then no longer there. */
BITACTOR_API bitactor_status_t bitactor_dead_letter_take(bitactor_engine_t *engine,
                                                         bitactor_dead_letter_t *letter,
                                                         void *data, size_t data_room);

BITACTOR_API bool bitactor_is_registered(const bitactor_engine_t *engine, uint16_t kind);

#ifdef __cplusplus
}
#endif
#endif
