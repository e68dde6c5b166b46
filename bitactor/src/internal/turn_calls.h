/* SPDX-License-Identifier: Apache-2.0 */
/* turn_calls.h -- what a handler may call; a part of bitactor_dispatch.c alone.
 *
 * Whatever has an effect outside the handler's own state is staged, and folded into
 * turn.effect as it is asked for: so a replay that asks for something else, or in
 * another order, is found out at this dispatch.
 *
 *      emits      slots behind the tail of the internal queue
 *      outputs    bytes behind each other, each with its port
 *      ops        what changes the engine itself
 */
#ifndef BA_TURN_CALLS_H
#define BA_TURN_CALLS_H

#include <string.h>

#include "engine.h"
#include "record.h"

static uint64_t
turn_now_ns(bitactor_turn_t *turn)
{
	return ba_engine_now(ba_turn_engine(turn));
}

/* splitmix64's finaliser: every bit of the input reaches every bit. */
static uint64_t
mix64(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

static uint64_t
turn_random(bitactor_turn_t *handlers)
{
	bitactor_engine_t *engine = ba_turn_engine(handlers);
	ba_turn_t *turn = &engine->turn;
	uint64_t order  = ba_count_get(&engine->order) + (uint64_t)(turn->at - turn->first) + 1;

	if (turn->random_order != order) {
		turn->random_order = order;
		turn->randoms      = 0;
	}
	uint64_t x = mix64(engine->config.seed + UINT64_C(0x9E3779B97F4A7C15));
	x = mix64(x ^ order);
	return mix64(x ^ ((uint64_t)turn->at->slot->signal.actor << 32 | turn->randoms++));
}

static const void *
turn_data(bitactor_turn_t *handlers)
{
	bitactor_engine_t *engine = ba_turn_engine(handlers);
	const ba_slot_t   *slot   = engine->turn.at->slot;
	if (slot->signal.data_bytes == 0)
		return NULL;
	return ba_pool_block(engine->turn.outside ? &engine->data : &engine->emit_data,
	                     slot->data_block);
}

/* A slot of the internal queue for the dispatch that is running. */
bitactor_status_t
ba_emit_stage(bitactor_engine_t *engine, const bitactor_signal_t *signal, const void *data,
              size_t data_bytes)
{
	ba_emits_t *emits = &engine->emits;
	uint32_t    block = 0;

	if (emits->staged - ba_count_get(&emits->head) == emits->capacity)
		return BITACTOR_FULL;
	if (data_bytes > 0) {
		block = ba_pool_take(&engine->emit_data);
		if (block == 0)
			return BITACTOR_FULL;
		memcpy(ba_pool_block(&engine->emit_data, block), data, data_bytes);
	}
	ba_slot_t *slot = &emits->slots[emits->staged++ & emits->mask];
	slot->signal            = *signal;
	slot->signal.data_bytes = (uint32_t)data_bytes;
	slot->signal.seal       = 0; /* as in ba_queue_publish */
	slot->data_block        = block;
	engine->turn.dirty |= BA_DIRTY_STAGED;
	return BITACTOR_OK;
}

/* The same for RESUME of fiber `number`, composed in the slot: a signal composed
 * elsewhere and copied at once waits for its stores (10 counts). */
bitactor_status_t
ba_emit_stage_resume(bitactor_engine_t *engine, uint32_t actor, uint32_t number)
{
	ba_emits_t *emits = &engine->emits;
	if (emits->staged - ba_count_get(&emits->head) == emits->capacity)
		return BITACTOR_FULL;
	ba_slot_t *slot = &emits->slots[emits->staged++ & emits->mask];
	slot->signal = (bitactor_signal_t){ .kind    = BITACTOR_RECORD_RESUME,
		                            .actor   = actor,
		                            .payload = number };
	engine->turn.dirty |= BA_DIRTY_STAGED;
	return BITACTOR_OK;
}

/* One more op of the running dispatch; NULL: it has asked for too much. */
ba_op_t *
ba_op_stage(bitactor_engine_t *engine, enum ba_op_what what)
{
	ba_ops_t *ops = &engine->ops;
	if (ops->count == BA_OPS_MAX)
		return NULL;
	ba_op_t *op = &ops->at[ops->count++];
	op->what = what;
	engine->turn.dirty |= BA_DIRTY_STAGED;
	return op;
}

/* It takes hold; `cause`: how far back in seq the record of its dispatch lies. */
void
ba_op_apply(bitactor_engine_t *engine, const ba_op_t *op, uint32_t cause)
{
	switch (op->what) {
	case BA_OP_REGISTER: table_bind(engine, &op->of.handler, cause); break;
	case BA_OP_STOP:     ba_engine_stop_ask(engine, op->of.drain, cause); break;
	}
}

/* It does not: what staging it had changed already is as before. */
void
ba_op_undo(bitactor_engine_t *engine, const ba_op_t *op)
{
	(void)engine;
	switch (op->what) {
	case BA_OP_REGISTER:
	case BA_OP_STOP:     break; /* nothing */
	}
}

/* Outside any dispatch, by the engine itself.  False: no room. */
bool
ba_emit_now(bitactor_engine_t *engine, const bitactor_signal_t *signal)
{
	if (ba_emit_stage(engine, signal, NULL, 0) != BITACTOR_OK)
		return false;
	commit_emits(engine);
	engine->turn.dirty = 0;
	return true;
}

static bitactor_status_t
turn_emit(bitactor_turn_t *turn, const bitactor_signal_t *signal, const void *data,
          size_t data_bytes)
{
	bitactor_engine_t *engine = ba_turn_engine(turn);
	if (data == NULL && data_bytes > 0)
		return BITACTOR_ERROR;
	bitactor_status_t status = ba_signal_check(engine, signal, data_bytes);
	if (status == BITACTOR_OK)
		status = ba_emit_stage(engine, signal, data, data_bytes);
	if (status != BITACTOR_OK) {
		ba_count_add(status == BITACTOR_FULL ? &engine->emit_full : &engine->emit_invalid,
		             1);
		return status;
	}
	if (is_recording(engine)) {
		ba_effect_word(engine, BA_EFFECT_EMIT);
		effect_bytes(engine, signal, sizeof *signal);
		effect_bytes(engine, data, data_bytes);
	}
	return BITACTOR_OK;
}

static bitactor_status_t
turn_output(bitactor_turn_t *turn, uint32_t port, const void *bytes, size_t byte_count)
{
	bitactor_engine_t *engine  = ba_turn_engine(turn);
	ba_outputs_t      *outputs = &engine->outputs;
	if (bytes == NULL && byte_count > 0)
		return BITACTOR_ERROR;

	ba_output_head_t head = { .port = port };
	uint32_t room = outputs->capacity - outputs->used;
	if (room < sizeof head || byte_count > room - sizeof head)
		return BITACTOR_FULL;
	head.byte_count = (uint32_t)byte_count;
	uint8_t *at = outputs->bytes + outputs->used;
	memcpy(at, &head, sizeof head);
	if (byte_count > 0)
		memcpy(at + sizeof head, bytes, byte_count);
	/* capacity, and with it the room, is a multiple of 8 */
	outputs->used += (uint32_t)sizeof head + (head.byte_count + 7u) / 8u * 8u;
	outputs->count++;
	engine->turn.dirty |= BA_DIRTY_STAGED;
	if (is_recording(engine)) {
		ba_effect_word(engine, BA_EFFECT_OUTPUT);
		ba_effect_word(engine, port | (uint64_t)head.byte_count << 32);
		effect_bytes(engine, bytes, byte_count);
	}
	return BITACTOR_OK;
}

static void
turn_touched(bitactor_turn_t *handlers, const void *start, size_t bytes)
{
	ba_turn_t *turn = &ba_turn_engine(handlers)->turn;
	if (start == NULL || bytes == 0)
		return;
	turn->dirty |= BA_DIRTY_TOUCHED;
	if (turn->touched < BA_TOUCHED_MAX) {
		turn->touched_range[turn->touched++] = (ba_range_t){ start, bytes };
		return;
	}
	/* No room: the last range grows to span this one too. */
	ba_range_t *last  = &turn->touched_range[BA_TOUCHED_MAX - 1];
	uintptr_t   begin = (uintptr_t)last->start, end = begin + last->bytes;
	uintptr_t   more  = (uintptr_t)start;
	begin = more < begin ? more : begin;
	end   = more + bytes > end ? more + bytes : end;
	*last = (ba_range_t){ (const uint8_t *)begin, end - begin };
}

const bitactor_turn_calls_t ba_turn_calls = {
	.bytes   = sizeof(bitactor_turn_calls_t),
	.now_ns  = turn_now_ns,
	.random  = turn_random,
	.data    = turn_data,
	.emit    = turn_emit,
	.output  = turn_output,
	.touched = turn_touched,
	.yield   = ba_fiber_yield,
	.await   = ba_fiber_await,
};

#endif
