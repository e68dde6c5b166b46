/* SPDX-License-Identifier: Apache-2.0 */
/* table.h -- which handler a kind is bound to; a part of bitactor_dispatch.c alone.
 *
 * One entry a kind, changed between dispatches only: by anybody under the lock, or
 * by a handler, whose wish is staged and takes hold when it answers OK.  The rest
 * of its chunk is then resolved again, so the change holds from the next dispatch
 * on, in the run and in its replay.
 */
#ifndef BA_TABLE_H
#define BA_TABLE_H

#include <string.h>

#include "engine.h"

void
ba_entry_refresh(ba_entry_t *entry)
{
	bool fiber = (entry->flags & BA_ENTRY_FIBER) != 0;
	if (entry->own_fn == NULL) /* a fiber that gets it has no budget to break */
		entry->budget_counts = entry->first_waiter != 0 ? UINT32_MAX : 0;
	if (entry->first_waiter != 0)
		entry->fn = ba_fiber_deliver;
	else if (entry->own_fn == NULL || (entry->flags & BA_ENTRY_QUARANTINED) != 0)
		entry->fn = nobody;
	else
		entry->fn = fiber ? ba_fiber_start : entry->own_fn;
	entry->flags &= (uint16_t)~(BA_ENTRY_DOOR | BA_ENTRY_UNJUDGED);
	if (fiber || entry->fn != entry->own_fn)
		entry->flags |= BA_ENTRY_DOOR;
	if (entry->budget_counts == UINT32_MAX)
		entry->flags |= BA_ENTRY_UNJUDGED;
}

static uint32_t
budget_counts_of(const bitactor_engine_t *engine, uint32_t ticks)
{
	if (engine->clock.hz == 0)
		return UINT32_MAX; /* nothing can be judged */
	uint64_t counts = ba_ticks_to_counts(ticks, engine->clock.hz, engine->tick_hz);
	return counts < UINT32_MAX ? (uint32_t)counts : UINT32_MAX;
}

/* Bind, and say so; `cause`: how far back the record lies that asked for it, or 0:
 * the program did. */
static void
table_bind(bitactor_engine_t *engine, const bitactor_handler_t *handler, uint32_t cause)
{
	bool     small = handler->state_bytes <= BA_DIGEST_WHOLE;
	uint32_t ticks = handler->budget_ticks != 0 ? handler->budget_ticks
	                                            : engine->config.budget_ticks;
	bool     gone  = handler->fn == NULL;
	uint64_t says  = ticks | (uint64_t)handler->flags << 32;

	ba_entry_t *entry = ba_entry_of(engine, handler->kind);
	entry->own_fn       = handler->fn;
	entry->state        = handler->state;
	entry->state_bytes  = (uint32_t)handler->state_bytes;
	entry->digest_words = small ? (uint8_t)(handler->state_bytes / 8) : 0;
	entry->digest_tail  = small ? (uint8_t)(handler->state_bytes % 8) : 0;
	entry->retries      = handler->retries;
	entry->on_failure   = handler->on_failure;
	if ((entry->flags & BA_ENTRY_QUARANTINED) != 0)
		ba_count_set(&engine->quarantined, ba_count_get(&engine->quarantined) - 1);
	entry->flags = (uint16_t)((handler->flags & BITACTOR_HANDLER_FIBER ? BA_ENTRY_FIBER : 0) |
	                          (handler->flags & BITACTOR_HANDLER_EXACT ? BA_ENTRY_EXACT : 0));
	entry->budget_ticks  = gone ? 0 : ticks;
	entry->budget_counts = gone ? 0 : budget_counts_of(engine, ticks);
	ba_entry_refresh(entry);
	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_REGISTER,
	                                           .flags   = ba_asked_by(cause),
	                                           .actor   = handler->kind,
	                                           .cause   = cause,
	                                           .payload = gone ? UINT64_MAX : says });
}

/* Between turns at once; inside a handler when its dispatch has answered OK. */
static bitactor_status_t
table_set(bitactor_engine_t *engine, const bitactor_handler_t *handler)
{
	if (ba_engine_is_dispatching(engine)) {
		ba_op_t *op = ba_op_stage(engine, BA_OP_REGISTER);
		if (op == NULL)
			return BITACTOR_FULL;
		op->of.handler = *handler;
		if (is_recording(engine)) {
			ba_effect_word(engine, BA_EFFECT_REGISTER |
			                               (uint64_t)handler->kind << 16 |
			                               (uint64_t)handler->flags << 32);
			ba_effect_word(engine, handler->fn == NULL ? UINT64_MAX
			                                           : handler->budget_ticks);
		}
		return BITACTOR_OK;
	}
	bitactor_status_t status = ba_engine_lock(engine);
	if (status != BITACTOR_OK)
		return status;
	table_bind(engine, handler, 0);
	ba_engine_unlock(engine);
	return BITACTOR_OK;
}

static bool
handler_is_valid(const bitactor_engine_t *engine, const bitactor_handler_t *handler)
{
	const uint32_t flags = BITACTOR_HANDLER_FIBER | BITACTOR_HANDLER_EXACT;

	return handler->kind < engine->kinds && handler->state_bytes <= UINT32_MAX &&
	       (handler->state != NULL || handler->state_bytes == 0) &&
	       (handler->flags & ~flags) == 0 &&
	       handler->on_failure <= BITACTOR_FAILURE_STOP &&
	       /* a fiber that waited cannot be begun again: its signal is gone */
	       ((handler->flags & BITACTOR_HANDLER_FIBER) == 0 || handler->retries == 0);
}

bitactor_status_t
bitactor_register_handler(bitactor_engine_t *engine, const bitactor_handler_t *handler)
{
	if (engine == NULL || handler == NULL || handler->fn == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (!handler_is_valid(engine, handler))
		return BITACTOR_ERROR;
	if ((handler->flags & BITACTOR_HANDLER_FIBER) != 0 && engine->fibers == NULL)
		return BITACTOR_UNSUPPORTED;
	return table_set(engine, handler);
}

bitactor_status_t
bitactor_register(bitactor_engine_t *engine, uint16_t kind, bitactor_handler_fn fn, void *state)
{
	bitactor_handler_t handler = { .fn = fn, .state = state, .kind = kind };
	return bitactor_register_handler(engine, &handler);
}

bitactor_status_t
bitactor_unregister(bitactor_engine_t *engine, uint16_t kind)
{
	if (engine == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (kind >= engine->kinds)
		return BITACTOR_ERROR;
	bitactor_handler_t nobody_there = { .kind = kind };
	return table_set(engine, &nobody_there);
}

bitactor_status_t
bitactor_unregister_sync(bitactor_engine_t *engine, uint16_t kind)
{
	bitactor_status_t status = ba_engine_enter(engine);
	if (status != BITACTOR_OK)
		return status;
	if (kind >= engine->kinds) {
		ba_engine_unlock(engine);
		return BITACTOR_ERROR;
	}
	ba_entry_t *entry = ba_entry_of(engine, kind);
	if (entry->own_fn != NULL)
		table_bind(engine, &(bitactor_handler_t){ .kind = kind }, 0);
	status = ba_fiber_lives(engine, entry) ? BITACTOR_BUSY : BITACTOR_OK;
	ba_engine_unlock(engine);
	return status;
}

#endif
