/* SPDX-License-Identifier: Apache-2.0 */
/* failure.h -- what becomes of a signal whose handler failed; a part of
 * bitactor_dispatch.c alone.
 *
 *      answered not OK ---> again, `retries` times ---> still not: the policy
 *
 *      CONTINUE      counted, nothing else
 *      DEAD_LETTER   the signal is kept with its data
 *      QUARANTINE    the same, and no further signal reaches the handler until it
 *                    is registered again: they are rejected, and kept too
 *      STOP          the same as DEAD_LETTER, and the engine stops with this turn
 *
 * Letters lie in a ring: when it is full the oldest is overwritten, and counted.
 * All of this is a function of recorded facts, so a replay does it again.
 */
#ifndef BA_FAILURE_H
#define BA_FAILURE_H

#include <string.h>

#include "engine.h"

static bool is_recording(const bitactor_engine_t *engine);

/* Keep the signal of a slot, and its data. */
static void
letter_keep(bitactor_engine_t *engine, const ba_slot_t *slot, uint32_t reason,
            bitactor_status_t status, uint32_t attempts)
{
	ba_letters_t *letters = &engine->letters;
	uint64_t      count   = ba_count_get(&letters->count);
	if (letters->capacity == 0) {
		ba_count_add(&letters->lost, 1);
		return;
	}
	if (count == letters->capacity) {
		letters->first = (letters->first + 1) % letters->capacity;
		ba_count_add(&letters->lost, 1);
	} else {
		ba_count_set(&letters->count, ++count);
	}
	uint32_t index = (letters->first + (uint32_t)count - 1) % letters->capacity;
	letters->at[index] = (bitactor_dead_letter_t){
		.signal   = slot->signal,
		.seq      = engine->recorder.seq - (is_recording(engine) ? 1 : 0),
		.reason   = reason,
		.status   = status,
		.attempts = attempts,
	};
	if (slot->signal.data_bytes == 0)
		return;
	const ba_pool_t *pool = engine->turn.outside ? &engine->data : &engine->emit_data;
	memcpy(letters->data + (size_t)index * engine->config.data_max,
	       ba_pool_block(pool, slot->data_block), slot->signal.data_bytes);
}

/* No signal reaches the handler of this entry any more. */
static void
quarantine(bitactor_engine_t *engine, ba_entry_t *entry, enum bitactor_quarantine_reason reason,
           uint32_t cause)
{
	if ((entry->flags & BA_ENTRY_QUARANTINED) != 0)
		return;
	entry->flags |= BA_ENTRY_QUARANTINED;
	ba_entry_refresh(entry);
	ba_count_add(&engine->quarantines, 1);
	ba_count_add(&engine->quarantined, 1);
	engine->turn.again = true;
	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_QUARANTINE,
	                                           .actor   = entry->kind,
	                                           .cause   = cause,
	                                           .payload = reason });
}

/* The handler of this entry failed, and so did all its retries: `attempts` in all, the
 * last one's record is one seq back.  A fiber that fails after a yield leaves no
 * letter: what began that stretch was no signal of anybody's. */
static void
failure_policy(bitactor_engine_t *engine, ba_entry_t *entry, const ba_slot_t *slot,
               uint32_t attempts)
{
	uint32_t cause = 1;
	if (entry->on_failure == BITACTOR_FAILURE_CONTINUE)
		return;
	if (slot->signal.kind < BITACTOR_MAX_KINDS) {
		letter_keep(engine, slot, BITACTOR_REJECT_FAILED, engine->turn.status, attempts);
		ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_DEAD,
		                                           .actor   = entry->kind,
		                                           .cause   = cause++,
		                                           .payload = BITACTOR_REJECT_FAILED });
	}
	if (entry->on_failure == BITACTOR_FAILURE_QUARANTINE)
		quarantine(engine, entry, BITACTOR_QUARANTINE_FAILED, cause);
	if (entry->on_failure == BITACTOR_FAILURE_STOP)
		ba_engine_stop_ask(engine, false, cause);
}

/* ---- reading them ------------------------------------------------------- */

/* Letter `index` from the oldest on; the lock is held. */
static bitactor_status_t
letter_copy(const bitactor_engine_t *engine, uint64_t index, bitactor_dead_letter_t *letter,
            void *data, size_t data_room)
{
	const ba_letters_t *letters = &engine->letters;
	if (index >= ba_count_get(&letters->count))
		return BITACTOR_EMPTY;
	uint32_t at = (letters->first + (uint32_t)index) % letters->capacity;
	*letter = letters->at[at];
	if (letter->signal.data_bytes == 0)
		return BITACTOR_OK;
	if (data == NULL || data_room < letter->signal.data_bytes)
		return BITACTOR_FULL;
	memcpy(data, letters->data + (size_t)at * engine->config.data_max,
	       letter->signal.data_bytes);
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_dead_letter(const bitactor_engine_t *engine, uint64_t index,
                     bitactor_dead_letter_t *letter, void *data, size_t data_room)
{
	if (letter == NULL)
		return BITACTOR_ERROR;
	/* a reader changes the lock only */
	bitactor_engine_t *locked = (bitactor_engine_t *)(uintptr_t)engine;
	bitactor_status_t  status = ba_engine_enter(locked);
	if (status != BITACTOR_OK)
		return status;
	status = letter_copy(engine, index, letter, data, data_room);
	ba_engine_unlock(locked);
	return status;
}

bitactor_status_t
bitactor_dead_letter_take(bitactor_engine_t *engine, bitactor_dead_letter_t *letter, void *data,
                          size_t data_room)
{
	if (letter == NULL)
		return BITACTOR_ERROR;
	bitactor_status_t status = ba_engine_enter(engine);
	if (status != BITACTOR_OK)
		return status;
	status = letter_copy(engine, 0, letter, data, data_room);
	if (status == BITACTOR_OK) {
		ba_letters_t *letters = &engine->letters;
		letters->first = (letters->first + 1) % letters->capacity;
		ba_count_set(&letters->count, ba_count_get(&letters->count) - 1);
	}
	ba_engine_unlock(engine);
	return status;
}

#endif
