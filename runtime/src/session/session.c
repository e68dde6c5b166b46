/* SPDX-License-Identifier: Apache-2.0 */
/* session.c -- the loop: poll a batch, admit it in order, a turn, hand on.
 *
 *      source --poll--> items --enqueue--> engine --drain--> records --> sink
 *                         |                   ^
 *                         +---- full? --------+  a turn first, then again
 *
 * Nothing in here knows whether it is a run, a replay or a simulation.
 */
#include <bitactor/bitactor_telemetry.h>
#include <bitactor/session.h>

#include <string.h>

enum { TURN_MAX = BITACTOR_MAX_SIGNALS }; /* dispatches a turn, when the source does not say */

static bool
must_stop(bitactor_session_t *session)
{
	if (session->stop != NULL && *session->stop != 0)
		session->stopped = true;
	return session->stopped;
}

/* What an engine's own call answered, as the session's error. */
static bitactor_status_t
engine_failed(bitactor_status_t status, bitactor_error_t *error)
{
	return bitactor_error_set(error, status, 0, "the engine answers %s: %s",
	                          bitactor_status_name(status), bitactor_status_text(status));
}

/* Hand records on and tell whoever wants to know. */
static bitactor_status_t
turn_ended(bitactor_session_t *session, bitactor_error_t *error)
{
	bitactor_status_t status = bitactor_telemetry_flush(session->engine);
	if (status != BITACTOR_OK && status != BITACTOR_UNSUPPORTED)
		return engine_failed(status, error);
	return session->after_turn != NULL ? session->after_turn(session->context, error)
	                                   : BITACTOR_OK;
}

/* One turn.  EMPTY when there was nothing to do. */
static bitactor_status_t
take_turn(bitactor_session_t *session, uint64_t max, bitactor_error_t *error)
{
	uint64_t          done   = 0;
	bitactor_status_t status = bitactor_drain(session->engine, max, &done);
	if (status == BITACTOR_EMPTY || status == BITACTOR_BUSY)
		return BITACTOR_EMPTY; /* one thread: a claim of ours is always published */
	if (status != BITACTOR_OK)
		return engine_failed(status, error);
	return turn_ended(session, error);
}

static bitactor_status_t
offer(bitactor_session_t *session, const bitactor_item_t *item)
{
	const bitactor_signal_t *signal = &item->signal;
	if (signal->data_bytes > 0)
		return bitactor_enqueue_data(session->engine, signal, item->data,
		                             signal->data_bytes);
	return bitactor_enqueue(session->engine, signal);
}

/* Admit one item, taking turns while the queue is full. */
static bitactor_status_t
admit(bitactor_session_t *session, const bitactor_item_t *item, bitactor_error_t *error)
{
	bitactor_status_t status = offer(session, item);
	while (status == BITACTOR_FULL && !session->exact_turns) {
		bitactor_status_t turn = take_turn(session, TURN_MAX, error);
		if (turn != BITACTOR_OK && turn != BITACTOR_EMPTY)
			return turn;
		status = offer(session, item);
	}
	if (status == BITACTOR_OK)
		return BITACTOR_OK;
	if (status == BITACTOR_INVALID_SIGNAL && !session->exact_turns) {
		session->refused++;
		return BITACTOR_OK;
	}
	return engine_failed(status, error);
}

/* A turn that was a call of bitactor_tick. */
static bitactor_status_t
take_tick(bitactor_session_t *session, const bitactor_item_t *item, bitactor_error_t *error)
{
	bitactor_status_t status = bitactor_tick(session->engine, &item->signal, NULL);
	if (status == BITACTOR_IO || status == BITACTOR_CLOSED)
		return engine_failed(status, error);
	return turn_ended(session, error); /* any other answer is the handler's */
}

static bitactor_status_t
play_batch(bitactor_session_t *session, const bitactor_batch_t *batch, bitactor_error_t *error)
{
	session->offered += batch->count;
	if (batch->as_tick && batch->count == 1)
		return take_tick(session, &batch->items[0], error);
	for (uint32_t i = 0; i < batch->count; i++) {
		bitactor_status_t status = admit(session, &batch->items[i], error);
		if (status != BITACTOR_OK)
			return status;
	}
	bitactor_status_t status =
	        take_turn(session, batch->max > 0 ? batch->max : TURN_MAX, error);
	if (status == BITACTOR_EMPTY && session->exact_turns)
		return bitactor_error_set(error, BITACTOR_CORRUPT, 0,
		                          "a recorded turn has nothing to dispatch here");
	return status == BITACTOR_EMPTY ? BITACTOR_OK : status;
}

/* Work off what waits in the engine. */
static bitactor_status_t
play_rest(bitactor_session_t *session, bitactor_error_t *error)
{
	bitactor_status_t status = BITACTOR_OK;
	while (status == BITACTOR_OK && !session->exact_turns && !must_stop(session))
		status = take_turn(session, TURN_MAX, error);
	return status == BITACTOR_EMPTY ? BITACTOR_OK : status;
}

/* The source has nothing: finish what there is, then wait for it. */
static bitactor_status_t
wait_for_source(bitactor_session_t *session, bitactor_batch_t *batch, bitactor_error_t *error)
{
	bitactor_status_t status = play_rest(session, error);
	if (status == BITACTOR_OK && session->before_wait != NULL)
		status = session->before_wait(session->context, error);
	if (status != BITACTOR_OK)
		return status;
	if (must_stop(session))
		return BITACTOR_EMPTY;
	return session->source.poll(session->source.context, batch, true, error);
}

bitactor_status_t
bitactor_session_run(bitactor_session_t *session, bitactor_error_t *error)
{
	if (session == NULL || session->engine == NULL || session->source.poll == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "NULL argument");
	bitactor_item_t items[BITACTOR_BATCH_ITEMS];

	while (!must_stop(session)) {
		bitactor_batch_t  batch = { .items = items, .capacity = BITACTOR_BATCH_ITEMS };
		bitactor_status_t status =
		        session->source.poll(session->source.context, &batch, false, error);
		if (status == BITACTOR_EMPTY)
			status = wait_for_source(session, &batch, error);
		if (status == BITACTOR_CLOSED)
			break;
		if (status == BITACTOR_OK)
			status = play_batch(session, &batch, error);
		if (status != BITACTOR_OK && status != BITACTOR_EMPTY)
			return status;
	}
	return play_rest(session, error);
}
