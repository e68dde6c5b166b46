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

#include <sched.h>
#include <time.h>

enum {
	TURN_MAX = BITACTOR_MAX_SIGNALS, /* dispatches a turn, when the source does not say */
	/* An item may find no room in an empty engine, because another producer holds
	 * a block that it has not sent yet.  After so many looks, and then as many
	 * milliseconds, there never was one. */
	LOOKS_MAX = 1000
};

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

/* One turn; `idle`: there was nothing to do. */
static bitactor_status_t
take_turn(bitactor_session_t *session, uint64_t max, bool *idle, bitactor_error_t *error)
{
	bitactor_status_t status = bitactor_drain(session->engine, max, NULL);
	/* BUSY is idle, too: a claim of ours is always published */
	*idle = status == BITACTOR_EMPTY || status == BITACTOR_BUSY;
	if (*idle)
		return BITACTOR_OK;
	return status == BITACTOR_OK ? turn_ended(session, error) : engine_failed(status, error);
}

/* Close the door; what waits is worked off, or dropped with a record. */
static bitactor_status_t
take_stop(bitactor_session_t *session, bool drain, uint64_t turns, bitactor_error_t *error)
{
	bitactor_status_t status = bitactor_stop(session->engine, drain, turns, NULL);
	/* BUSY: the claim of another producer, who may never send it */
	if (status != BITACTOR_OK && status != BITACTOR_BUSY)
		return engine_failed(status, error);
	return turn_ended(session, error);
}

/* The door did not take an item. */
static bitactor_status_t
not_taken(bitactor_session_t *session, bitactor_status_t status, bitactor_error_t *error)
{
	bool never = status == BITACTOR_INVALID_SIGNAL;
	if (session->exact_turns && (never || status == BITACTOR_FULL))
		return bitactor_error_set(error, BITACTOR_CORRUPT, 0,
		                          "the engine answers %s to what it took when it was "
		                          "recorded", bitactor_status_name(status));
	if (!never)
		return engine_failed(status, error);
	session->refused++;
	return BITACTOR_OK;
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

/* Give another producer the time to go on.  False: there has been enough of it. */
static bool
wait_for_room(uint32_t looks)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	if (looks < LOOKS_MAX)
		(void)sched_yield();
	else
		(void)nanosleep(&millisecond, NULL);
	return looks < 2 * LOOKS_MAX;
}

/* Admit one item, taking turns while the queue is full.  Turns that make no room
 * (handlers that emit without end) go on until stop is set: OK, not admitted. */
static bitactor_status_t
admit(bitactor_session_t *session, const bitactor_item_t *item, bitactor_error_t *error)
{
	bitactor_status_t status = offer(session, item);
	uint32_t looks = 0;
	while (status == BITACTOR_FULL && !session->exact_turns) {
		bool idle;
		bitactor_status_t turn = take_turn(session, TURN_MAX, &idle, error);
		if (turn != BITACTOR_OK)
			return turn;
		status = offer(session, item);
		if (status != BITACTOR_FULL)
			break;
		if (must_stop(session))
			return BITACTOR_OK;
		if (idle && !wait_for_room(looks++))
			return bitactor_error_set(error, BITACTOR_FULL, 0,
			                          "the engine is empty and has no room for a "
			                          "signal: has it blocks for data?");
	}
	return status == BITACTOR_OK ? BITACTOR_OK : not_taken(session, status, error);
}

/* A turn that was a call of bitactor_tick. */
static bitactor_status_t
take_tick(bitactor_session_t *session, const bitactor_item_t *item, bitactor_error_t *error)
{
	bitactor_result_t result;
	bitactor_status_t status = bitactor_tick(session->engine, &item->signal, &result);
	bool done = status == BITACTOR_OK || status == BITACTOR_TICK_EXCEEDED;
	if (!done && status != result.handler) /* not the handler's: no turn was taken */
		return not_taken(session, status, error);
	return turn_ended(session, error);
}

static bitactor_status_t
play_batch(bitactor_session_t *session, const bitactor_batch_t *batch, bitactor_error_t *error)
{
	bool idle;
	session->offered += batch->count;
	if (batch->as_tick && batch->count == 1 && !batch->as_stop)
		return take_tick(session, &batch->items[0], error);
	for (uint32_t i = 0; i < batch->count && !session->stopped; i++) {
		bitactor_status_t status = admit(session, &batch->items[i], error);
		if (status != BITACTOR_OK)
			return status;
	}
	if (batch->as_stop)
		return take_stop(session, batch->drain, batch->max, error);
	bitactor_status_t status =
	        take_turn(session, batch->max > 0 ? batch->max : TURN_MAX, &idle, error);
	if (status != BITACTOR_OK || !idle || !session->exact_turns)
		return status;
	status = turn_ended(session, error); /* who compares says what is missing */
	return status != BITACTOR_OK
	               ? status
	               : bitactor_error_set(error, BITACTOR_CORRUPT, 0,
	                                    "a recorded turn has nothing to dispatch here");
}

/* Work off what waits in the engine. */
static bitactor_status_t
play_rest(bitactor_session_t *session, bitactor_error_t *error)
{
	bitactor_status_t status = BITACTOR_OK;
	bool idle = session->exact_turns;
	while (status == BITACTOR_OK && !idle && !must_stop(session))
		status = take_turn(session, TURN_MAX, &idle, error);
	return status;
}

static bitactor_status_t
poll_source(bitactor_session_t *session, bitactor_item_t items[BITACTOR_BATCH_ITEMS],
            bitactor_batch_t *batch, bool may_wait, bitactor_error_t *error)
{
	*batch = (bitactor_batch_t){ .items = items, .capacity = BITACTOR_BATCH_ITEMS };
	return session->source.poll(session->source.context, batch, may_wait, error);
}

/* The source has nothing: finish what there is and say so. */
static bitactor_status_t
prepare_to_wait(bitactor_session_t *session, bitactor_error_t *error)
{
	bitactor_status_t status = play_rest(session, error);
	if (status != BITACTOR_OK || session->stopped || session->before_wait == NULL)
		return status;
	return session->before_wait(session->context, error);
}

bitactor_status_t
bitactor_session_run(bitactor_session_t *session, bitactor_error_t *error)
{
	if (session == NULL || session->engine == NULL || session->source.poll == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "session: NULL argument");
	bitactor_item_t  items[BITACTOR_BATCH_ITEMS];
	bitactor_batch_t batch;
	session->offered = session->refused = 0;
	session->stopped = false;

	while (!must_stop(session)) {
		bitactor_status_t status = poll_source(session, items, &batch, false, error);
		if (status == BITACTOR_EMPTY) {
			status = prepare_to_wait(session, error);
			if (status != BITACTOR_OK)
				return status;
			if (must_stop(session))
				break;
			status = poll_source(session, items, &batch, true, error);
		}
		if (status == BITACTOR_EMPTY) /* the wait was interrupted */
			continue;
		if (status == BITACTOR_CLOSED)
			break;
		if (status == BITACTOR_OK)
			status = play_batch(session, &batch, error);
		if (status != BITACTOR_OK)
			return status;
	}
	bitactor_status_t status = play_rest(session, error);
	if (status != BITACTOR_OK || !session->stopped || session->stop_turns == 0)
		return status;
	return take_stop(session, true, session->stop_turns, error);
}
