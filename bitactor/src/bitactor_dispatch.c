/* SPDX-License-Identifier: Apache-2.0 */
/* bitactor_dispatch.c -- the table, the dispatch, and what a handler may call.
 *
 * A chunk of at most 64 signals comes here resolved (kind -> entry).  For each:
 *
 *      open record    words 0..2 into the ring, word 3 zero
 *      call           next target loaded first, so that its misprediction is
 *                     found before this call, not after it
 *      fast end       nothing staged, status OK: effect, check, word 3
 *      settle         anything else, out of line: commit or drop what is staged,
 *                     rewrite the record of a failure, append OUTPUT records
 *
 * The loop exists once in the source and several times in the object: recorder
 * or none, CRC instruction or table, timed by batch or each.  The choice is made
 * a turn, never a record (docs/benchmarks.md, dispatch).
 *
 * What holds between dispatches: turn.dirty is looked at and dealt with;
 * emits.staged == emits.tail; outputs.used == 0; no record is open.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the documented bare build line brings none */
#endif
#include "../include/bitactor/bitactor_dispatch.h"

#include <string.h>

#include "internal/engine.h"
#include "internal/fiber.h"
#include "internal/record.h"

/* ---- effect ------------------------------------------------------------- */

void
ba_effect_word(bitactor_engine_t *engine, uint64_t word)
{
	ba_turn_t *turn = &engine->turn;
	turn->effect    = engine->recorder.hw_crc ? ba_crc32c_u64(true, turn->effect, word)
	                                          : ba_crc32c_u64(false, turn->effect, word);
}

static void
effect_bytes(bitactor_engine_t *engine, const void *bytes, size_t byte_count)
{
	ba_turn_t *turn = &engine->turn;
	turn->effect =
	        engine->recorder.hw_crc
	                ? ba_crc32c_bytes(true, turn->effect, bytes, byte_count)
	                : ba_crc32c_bytes(false, turn->effect, bytes, byte_count);
}

/* The digest of a dispatch, in two lanes, so that the latency of one hides
 * behind the other (docs/benchmarks.md, record).
 *
 *      a  status | asked << 32, cell words 0, 2, 4, ...
 *      b  result,               cell words 1, 3, 5, ...
 *      effect = crc of a and b as one word
 *
 * CRC is linear, so equal words would cancel if they entered with the same power
 * of x: those of lane a carry 32 more than any of lane b.
 *
 * A cell's last bytes that are no whole word count as one, filled up with zero,
 * and always go into b. */
static inline __attribute__((always_inline)) uint32_t
effect_of(bool hw, uint32_t status, uint32_t asked, uint64_t result, const ba_entry_t *entry)
{
	uint64_t a = ba_crc32c_wide(hw, 0, status | (uint64_t)asked << 32);
	uint64_t b = ba_crc32c_wide(hw, 0, result);
	const uint8_t *cell  = entry->state;
	uint32_t       words = entry->digest_words;

	for (; words >= 8; words -= 8, cell += 64) {
		a = ba_crc32c_wide(hw, a, ba_load64(cell));
		b = ba_crc32c_wide(hw, b, ba_load64(cell + 8));
		a = ba_crc32c_wide(hw, a, ba_load64(cell + 16));
		b = ba_crc32c_wide(hw, b, ba_load64(cell + 24));
		a = ba_crc32c_wide(hw, a, ba_load64(cell + 32));
		b = ba_crc32c_wide(hw, b, ba_load64(cell + 40));
		a = ba_crc32c_wide(hw, a, ba_load64(cell + 48));
		b = ba_crc32c_wide(hw, b, ba_load64(cell + 56));
	}
	for (; words >= 2; words -= 2, cell += 16) {
		a = ba_crc32c_wide(hw, a, ba_load64(cell));
		b = ba_crc32c_wide(hw, b, ba_load64(cell + 8));
	}
	if (words > 0) {
		a = ba_crc32c_wide(hw, a, ba_load64(cell));
		cell += 8;
	}
	uint32_t tail = (uint32_t)entry->flags >> BA_ENTRY_TAIL_SHIFT;
	if (BA_UNLIKELY(tail > 0)) {
		uint64_t word = 0;
		memcpy(&word, cell, tail);
		b = ba_crc32c_wide(hw, b, word);
	}
	return (uint32_t)ba_crc32c_wide(hw, 0, a | b << 32);
}

/* ---- the record of a dispatch ------------------------------------------- */

/* A record that is open: what it takes to close it; in two registers.  Its flags
 * and how many slots it has stand in its first word. */
typedef struct opened {
	uint8_t *at;    /* NULL: nothing is recorded */
	uint64_t check; /* ba_record_check_begin of it */
} opened_t;

static bool
is_recording(const bitactor_engine_t *engine)
{
	return engine->recorder.ring != NULL && !engine->recorder.closed;
}

/* How far back in seq the record lies that emitted this signal. */
static inline uint64_t
cause_distance(const ba_recorder_t *recorder, const ba_slot_t *slot)
{
	/* relaxed: in the internal queue only the dispatching thread uses it */
	return recorder->seq - atomic_load_explicit(&slot->sequence, memory_order_relaxed);
}

static void
fields_store(uint8_t *at, const bitactor_signal_t *signal)
{
	ba_store64(at, signal->context);
	ba_store64(at + 8, signal->timestamp);
	ba_store64(at + 16, ba_fields_word2(signal));
	ba_store64(at + 24, ba_fields_word3(signal));
}

/* ba_record_check_begin of a record whose words 0..2 are in place. */
static uint32_t
check_begun(const bitactor_engine_t *engine, const uint8_t *at)
{
	uint64_t word0 = ba_load64(at), word1 = ba_load64(at + 8), word2 = ba_load64(at + 16);
	uint32_t nonce = engine->recorder.nonce, slot = ba_slot_number(at);
	return engine->recorder.hw_crc
	               ? ba_record_check_begin(true, nonce, slot, word0, word1, word2)
	               : ba_record_check_begin(false, nonce, slot, word0, word1, word2);
}

/* Any record of a signal, with all that it can have: FIELDS, CAUSE, a slot of its
 * own (zeroed; the second last argument), DATA behind it. */
static __attribute__((noinline)) opened_t
record_open_any(bitactor_engine_t *engine, const ba_slot_t *slot, uint16_t kind, uint32_t source,
                uint64_t own)
{
	opened_t open;
	ba_recorder_t *recorder = &engine->recorder;
	const bitactor_signal_t *signal = &slot->signal;
	bool     outside  = engine->turn.outside;
	uint64_t distance = outside ? source : cause_distance(recorder, slot);
	bool     far      = !outside && distance >= BITACTOR_CAUSE_FAR;
	bool     fields   = ba_signal_has_fields(signal);

	uint32_t slots = 1u + fields + far + (own != 0);
	uint32_t flags = (outside ? BITACTOR_RECORD_OUTSIDE : 0u) |
	                 (fields ? BITACTOR_RECORD_HAS_FIELDS : 0u) |
	                 (signal->data_bytes > 0 ? BITACTOR_RECORD_HAS_DATA : 0u);
	ba_record_reserve(engine, slots, signal->data_bytes);

	uint8_t *at = open.at = ba_recorder_at(recorder);
	ba_store64(at, ba_word0(engine->turn_number, kind, slots - 1, flags));
	ba_store64(at + 8,
	           ba_word1(signal->actor, far ? BITACTOR_CAUSE_FAR : (uint32_t)distance));
	ba_store64(at + 16, signal->payload);
	ba_store64(at + 24, 0);
	memset(at + 32, 0, (slots - 1) * (size_t)BITACTOR_RECORD_BYTES);
	at += 32;
	if (fields) {
		fields_store(at, signal);
		at += 32;
	}
	if (far) {
		ba_store64(at, recorder->seq - distance);
		at += 32;
	}
	if (own != 0) {
		ba_store64(at, own);
		at += 32;
	}
	ba_recorder_go(recorder, at);
	if (signal->data_bytes > 0) {
		const ba_pool_t *pool = outside ? &engine->data : &engine->emit_data;
		ba_record_data(engine, ba_pool_block(pool, slot->data_block), signal->data_bytes,
		               0);
	}
	open.check = check_begun(engine, open.at);
	return open;
}

/* What the first words of all records of a chunk have in common. */
typedef struct common_words {
	uint64_t word0; /* turn, flags                       */
	uint64_t word1; /* the source, if it is from outside */
	bool     outside;
} common_words_t;

/* The common record: one slot, or two with FIELDS. */
static inline __attribute__((always_inline)) opened_t
record_open(bitactor_engine_t *engine, bool hw, const ba_slot_t *slot, uint32_t source,
            const common_words_t *common)
{
	ba_recorder_t *recorder = &engine->recorder;
	const bitactor_signal_t *signal = &slot->signal;
	uint8_t *at      = ba_recorder_at(recorder);
	uint64_t signal0 = ba_load64(signal);
	uint64_t signal1 = ba_load64((const uint8_t *)signal + 8);
	uint64_t payload = signal->payload;
	uint64_t fields  = ba_signal_fields(signal, signal0, signal1);
	uint64_t word0   = common->word0 | (signal1 & 0xFFFF) << 32;
	uint64_t word1   = common->word1 | signal0 >> 32;
	uint32_t slots   = 1;

	if (BA_UNLIKELY(at == recorder->end) || BA_UNLIKELY(signal1 >> 32 != 0))
		goto unusual; /* a boundary, or data */
	if (BA_UNLIKELY(!common->outside)) {
		uint64_t distance = cause_distance(recorder, slot);
		if (distance >= BITACTOR_CAUSE_FAR)
			goto unusual;
		word1 |= distance << 32;
	}
	if (fields != 0) {
		if (((uintptr_t)at & (BITACTOR_CHUNK_BYTES - 1)) ==
		    BITACTOR_CHUNK_BYTES - BITACTOR_RECORD_BYTES)
			goto unusual; /* it would cross a chunk */
		word0 |= UINT64_C(1) << 48 | (uint64_t)BITACTOR_RECORD_HAS_FIELDS << 56;
		slots = 2;
		fields_store(at + 32, signal);
	}
	ba_store64(at, word0);
	ba_store64(at + 8, word1);
	ba_store64(at + 16, payload);
	ba_store64(at + 24, 0);
	ba_recorder_go(recorder, at + slots * BITACTOR_RECORD_BYTES);
	return (opened_t){
		.at    = at,
		.check = ba_record_check_begin(hw, recorder->nonce, ba_slot_number(at), word0,
		                               word1, payload),
	};

unusual:
	return record_open_any(engine, slot, signal->kind, source, 0);
}

static inline __attribute__((always_inline)) void
record_close(bitactor_engine_t *engine, bool hw, opened_t open, uint32_t effect)
{
	uint32_t slots = 1u + open.at[6]; /* see ba_word0 */
	uint32_t check = ba_record_check_end(hw, (uint32_t)open.check, open.at, slots, effect);
	ba_store64(open.at + 24, ba_word3(effect, check));
	engine->recorder.seq++;
}

/* ---- settling: dispatches that did more than answer OK ------------------ */

static void
drop_staged(bitactor_engine_t *engine)
{
	ba_emits_t *emits = &engine->emits;

	for (uint64_t i = ba_count_get(&emits->tail); i != emits->staged; i++) {
		ba_slot_t *slot = &emits->slots[i & emits->mask];
		if (slot->signal.data_bytes != 0)
			ba_pool_give(&engine->emit_data, slot->data_block);
		ba_count_add(&engine->undone, 1);
	}
	emits->staged = ba_count_get(&emits->tail);
	ba_count_add(&engine->undone, engine->outputs.count);
	engine->outputs.used = engine->outputs.count = 0;
}

/* What was emitted takes hold; each remembers the record that emitted it. */
static void
commit_emits(bitactor_engine_t *engine)
{
	ba_emits_t *emits = &engine->emits;
	uint64_t    tail  = ba_count_get(&emits->tail);

	for (; tail != emits->staged; tail++) {
		ba_slot_t *slot = &emits->slots[tail & emits->mask];
		bool resume = slot->signal.kind == BITACTOR_RECORD_RESUME;
		/* relaxed: in the internal queue only the dispatching thread uses it */
		atomic_store_explicit(&slot->sequence, engine->recorder.seq, memory_order_relaxed);
		ba_count_add(&engine->resumes_waiting, resume);
		ba_count_add(&engine->emitted, !resume);
	}
	ba_count_set(&emits->tail, tail);
	uint64_t waiting = tail - ba_count_get(&emits->head);
	if (waiting > ba_count_get(&emits->high))
		ba_count_set(&emits->high, waiting);
}

/* Record what was output, then hand it on.  The dispatch's own record is closed:
 * it is one seq back from the first OUTPUT. */
static void
commit_outputs(bitactor_engine_t *engine)
{
	ba_outputs_t  *outputs = &engine->outputs;
	const uint8_t *at      = outputs->bytes;

	for (uint32_t i = 0; i < outputs->count; i++) {
		ba_output_head_t head;
		memcpy(&head, at, sizeof head);
		const uint8_t *bytes = at + sizeof head;
		ba_record_put(engine, &(ba_record_spec_t){
			.kind       = BITACTOR_RECORD_OUTPUT,
			.actor      = head.port,
			.cause      = i + 1,
			.payload    = head.byte_count,
			.data       = bytes,
			.data_bytes = head.byte_count,
		});
		if (engine->outlet.deliver != NULL) {
			bitactor_engine_t *inside = ba_engine_exchange_current(NULL);
			engine->outlet.deliver(engine->outlet.context, head.port, bytes,
			                       head.byte_count);
			(void)ba_engine_exchange_current(inside);
		}
		at = bytes + (head.byte_count + 7u) / 8u * 8u;
	}
	ba_count_add(&engine->output_count, outputs->count);
	outputs->used = outputs->count = 0;
}

/* Fold the ranges a handler named into what it asked: place and contents. */
static void
digest_touched(bitactor_engine_t *engine, const ba_entry_t *entry)
{
	ba_turn_t *turn = &engine->turn;
	uintptr_t  cell = (uintptr_t)entry->state;

	for (uint32_t i = 0; i < turn->touched; i++) {
		const ba_range_t *range  = &turn->touched_range[i];
		uintptr_t         offset = (uintptr_t)range->start - cell;
		bool inside = offset < entry->state_bytes &&
		              range->bytes <= entry->state_bytes - offset;
		ba_effect_word(engine, BA_EFFECT_TOUCHED);
		ba_effect_word(engine, inside ? offset : UINT64_MAX);
		ba_effect_word(engine, range->bytes);
		effect_bytes(engine, range->start, range->bytes);
	}
	turn->touched = 0;
}

/* Everything but the fast end of a dispatch. */
static __attribute__((noinline)) void
settle(bitactor_engine_t *engine, const ba_admitted_t *at, bitactor_status_t status,
       opened_t open)
{
	ba_turn_t  *turn  = &engine->turn;
	ba_entry_t *entry = (turn->dirty & BA_DIRTY_FIBER) != 0 ? turn->cell : at->entry;

	if (status == BITACTOR_TICK_EXCEEDED)
		status = BITACTOR_ERROR; /* the engine's to say */
	turn->status = status;
	if (status != BITACTOR_OK) {
		ba_count_add(&engine->failed, 1);
		ba_count_add(&at->entry->failed, 1);
		drop_staged(engine);
	} else {
		commit_emits(engine);
	}
	if (open.at != NULL) {
		bool hw = engine->recorder.hw_crc;
		if ((turn->dirty & BA_DIRTY_TOUCHED) != 0)
			digest_touched(engine, entry);
		uint64_t result = turn->handlers.result;
		uint32_t effect = hw ? effect_of(true, status, turn->effect, result, entry)
		                     : effect_of(false, status, turn->effect, result, entry);
		if (status != BITACTOR_OK) {
			ba_store64(open.at, ba_load64(open.at) |
			                             (uint64_t)BITACTOR_RECORD_FAILED << 56);
			open.check = check_begun(engine, open.at);
		}
		record_close(engine, hw, open, effect);
	}
	if (engine->outputs.count > 0)
		commit_outputs(engine);
	turn->touched = 0;
	turn->dirty   = 0;
}

/* A signal that nobody is registered for. */
static __attribute__((noinline)) void
reject(bitactor_engine_t *engine, const ba_slot_t *slot, uint32_t source)
{
	ba_count_add(&engine->rejected, 1);
	engine->turn.status = BITACTOR_INVALID_SIGNAL;
	if (!is_recording(engine))
		return;
	uint64_t own = slot->signal.kind | (uint64_t)BITACTOR_REJECT_UNREGISTERED << 16;
	record_close(engine, engine->recorder.hw_crc,
	             record_open_any(engine, slot, BITACTOR_RECORD_REJECT, source, own), 0);
}

/* ---- timing ------------------------------------------------------------- */

static void
overrun_record(bitactor_engine_t *engine, uint32_t kind, enum bitactor_overrun_class class,
               uint64_t spent, uint64_t budget, uint64_t dispatches, uint64_t seq)
{
	if (!is_recording(engine) || (engine->config.flags & BITACTOR_VIRTUAL) != 0)
		return;
	const uint64_t own[4] = { seq, budget, dispatches, 0 };
	ba_record_put(engine, &(ba_record_spec_t){
		.kind    = BITACTOR_RECORD_OVERRUN,
		.flags   = BITACTOR_RECORD_MEASURED,
		.actor   = kind,
		.cause   = class,
		.payload = spent,
		.own     = own,
	});
}

/* Counts that a span took, the reading itself taken off; never negative. */
static uint64_t
spent_between(bitactor_engine_t *engine, uint64_t began, uint64_t ended)
{
	if (BA_UNLIKELY(ended < began)) {
		ba_count_add(&engine->clock_backward, 1);
		return 0;
	}
	/* By a mask, not a branch: a tiny handler takes about as long as the reading,
	 * so nobody could predict it (4 counts a dispatch). */
	uint64_t spent = ended - began, reading = engine->clock.read_counts;
	return (spent - reading) & -(uint64_t)(spent > reading);
}

/* Note one dispatch that was timed by itself, and judge it. */
static inline __attribute__((always_inline)) void
time_one(bitactor_engine_t *engine, const ba_entry_t *entry, uint64_t spent, uint64_t seq)
{
	ba_timed_t *timed = &engine->timed;

	engine->turn.spent_counts     = spent;
	timed->at[timed->count].entry = entry;
	timed->at[timed->count].spent = spent;
	timed->count++;
	if (BA_UNLIKELY(ba_is_over(spent, entry))) {
		ba_count_add(&engine->timing[entry - engine->table].overruns, 1);
		ba_count_add(&engine->overruns, 1);
		overrun_record(engine, entry->kind, BITACTOR_OVERRUN_UNEXPLAINED, spent,
		               entry->budget_counts, 1, seq);
	}
}

void
ba_timed_book(bitactor_engine_t *engine)
{
	ba_timed_t *timed = &engine->timed;

	for (uint32_t i = 0; i < timed->count; i++) {
		uint64_t     spent  = timed->at[i].spent;
		ba_timing_t *timing = &engine->timing[timed->at[i].entry - engine->table];
		ba_hist_record(&engine->latency, spent);
		ba_hist_small_record(&timing->histogram, spent);
		if (spent > ba_count_get(&timing->max_counts))
			ba_count_set(&timing->max_counts, spent);
	}
	timed->count = 0;
}

/* ---- a chunk runs ------------------------------------------------------- */

enum run_mode { RUN_RECORD = 1, RUN_HW_CRC = 2, RUN_EACH = 4, RUN_DOORS = 8 };

/* What to call behind a door: a kind that somebody awaits goes to the fiber only if
 * one of the signal's actor waits, else to the kind's own handler.  NULL: reject. */
static __attribute__((noinline)) bitactor_handler_fn
behind_door(const bitactor_engine_t *engine, const ba_admitted_t *at)
{
	const ba_entry_t *entry = at->entry;
	if (entry == ba_entry_that_resumes(engine))
		return ba_fiber_resume;
	if (ba_fiber_awaits(engine, entry, at->slot->signal.actor))
		return ba_fiber_deliver;
	if (entry->own_fn == NULL)
		return NULL;
	return (entry->flags & BA_ENTRY_FIBER) != 0 ? ba_fiber_start : entry->own_fn;
}

/* Stands in the table where nobody is registered; never called. */
static bitactor_status_t
nobody(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	return BITACTOR_INVALID_SIGNAL;
}

/* Run the fiber that a door made ready, until it waits or ends.  In the loop, not
 * in a function that returns after the switch: so the return predictor stays in
 * step with both sides (internal/fiber.h). */
static inline __attribute__((always_inline)) bitactor_status_t
enter_fiber(bitactor_engine_t *engine)
{
	ba_fiber_t *to = engine->turn.enter;
	engine->turn.enter = NULL;
	ba_fiber_switch(engine->turn.home, to);
	return ba_fiber_left(engine);
}

static inline __attribute__((always_inline)) void
run_chunk(bitactor_engine_t *engine, const ba_chunk_t *chunk, unsigned mode)
{
	const bool record = (mode & RUN_RECORD) != 0;
	const bool hw     = (mode & RUN_HW_CRC) != 0;
	const bool each   = (mode & RUN_EACH) != 0;
	const bool doors  = (mode & RUN_DOORS) != 0;
	ba_turn_t *turn   = &engine->turn;
	const ba_admitted_t *end = chunk->at + chunk->count;
	const common_words_t common = {
		.word0   = ba_word0(engine->turn_number, 0, 0,
		                    chunk->outside ? BITACTOR_RECORD_OUTSIDE : 0),
		.word1   = (uint64_t)chunk->source << 32,
		.outside = chunk->outside,
	};
	bitactor_handler_fn next = chunk->at[0].entry->fn;
	uint64_t began = each ? ba_engine_counts(engine) : 0;
	opened_t open = { .at = NULL };

	for (const ba_admitted_t *at = chunk->at; at != end; at++) {
		ba_entry_t *entry = at->entry;
		/* with doors the last dispatch may have changed this one's */
		bitactor_handler_fn fn = doors ? entry->fn : next;
		next = at[1].entry->fn;

		if (doors && (entry->flags & BA_ENTRY_DOOR) != 0) {
			fn = behind_door(engine, at);
			if (fn == NULL) {
				reject(engine, at->slot, chunk->source);
				began = each ? ba_engine_counts(engine) : 0;
				continue;
			}
		}
		if (record) {
			open = record_open(engine, hw, at->slot, chunk->source, &common);
			if (each && BA_UNLIKELY(engine->recorder.slices != 0)) {
				engine->recorder.slices = 0;
				began = ba_engine_counts(engine);
			}
		}
		uint64_t seq = engine->recorder.seq; /* this record's; outputs get later ones */
		memset(&turn->handlers.result, 0, 16); /* result, effect, dirty */
		turn->at = at;
		bitactor_status_t status = fn(&turn->handlers, &at->slot->signal, entry->state);
		if (doors && turn->enter != NULL)
			status = enter_fiber(engine);
		ba_count_add(&entry->calls, 1);

		uint64_t ended = each ? ba_engine_counts(engine) : 0;
		bool     slow  = ((uint32_t)status | turn->dirty) != 0;
		if (BA_UNLIKELY(slow))
			settle(engine, at, status, open);
		else if (record)
			record_close(engine, hw, open,
			             effect_of(hw, 0, turn->effect, turn->handlers.result, entry));
		if (each) {
			time_one(engine, entry, spent_between(engine, began, ended), seq);
			began = BA_UNLIKELY(slow) ? ba_engine_counts(engine) : ended;
		}
	}
}

/* The chunk's totals, and what came with its signals. */
static void
close_chunk(bitactor_engine_t *engine, const ba_chunk_t *chunk, uint64_t not_dispatched)
{
	uint64_t others = ba_count_get(&engine->rejected) + ba_count_get(&engine->resumed);
	ba_count_add(&engine->dispatched, chunk->count - (others - not_dispatched));
	ba_count_add(&engine->order, chunk->count);
	ba_count_set(&engine->records, engine->recorder.seq);

	if (BA_LIKELY(chunk->data_bytes == 0))
		return;
	ba_pool_t *pool = chunk->outside ? &engine->data : &engine->emit_data;
	for (uint32_t i = 0; i < chunk->count; i++) {
		const ba_slot_t *slot = chunk->at[i].slot;
		if (slot->signal.data_bytes != 0)
			ba_pool_give(pool, slot->data_block);
	}
}

static inline __attribute__((always_inline)) void
run_each(bitactor_engine_t *engine, const ba_chunk_t *chunk, unsigned mode)
{
	uint64_t before = ba_count_get(&engine->rejected) + ba_count_get(&engine->resumed);
	ba_timed_book(engine); /* of the chunk before: now there is room for this one */
	run_chunk(engine, chunk, mode | RUN_EACH);
	engine->singles_left -= engine->singles_left < chunk->count ? engine->singles_left
	                                                            : chunk->count;
	close_chunk(engine, chunk, before);
}

/* Timed as one against the sum of its budgets; signals that nobody takes have
 * none.  Not judged with an entry that is not, nor when the recorder hashed a
 * slice or called the sink meanwhile: that is nobody's time here. */
static inline __attribute__((always_inline)) void
run_batch(bitactor_engine_t *engine, const ba_chunk_t *chunk, unsigned mode)
{
	uint64_t before = ba_count_get(&engine->rejected) + ba_count_get(&engine->resumed);
	engine->recorder.slices = 0;
	uint64_t began = ba_engine_counts(engine);
	run_chunk(engine, chunk, mode);
	uint64_t spent  = spent_between(engine, began, ba_engine_counts(engine));
	bool     judged = (chunk->entry_flags & BA_ENTRY_UNJUDGED) == 0 &&
	                  engine->recorder.slices == 0;
	if (BA_UNLIKELY(spent > chunk->budget_counts && judged)) {
		ba_count_add(&engine->batch_overruns, 1);
		engine->singles_left = BA_SINGLES_AFTER_OVERRUN;
		overrun_record(engine, chunk->at[chunk->count - 1].entry->kind,
		               BITACTOR_OVERRUN_BATCH, spent, chunk->budget_counts, chunk->count,
		               engine->recorder.seq - 1);
	}
	close_chunk(engine, chunk, before);
}

#define BA_RUN(name, how, mode)                                                             \
	static __attribute__((noinline)) void name(bitactor_engine_t *engine,               \
	                                           const ba_chunk_t *chunk)                 \
	{                                                                                   \
		how(engine, chunk, mode);                                                   \
	}
BA_RUN(run_bare_batch, run_batch, 0)
BA_RUN(run_bare_each, run_each, 0)
BA_RUN(run_hw_batch, run_batch, RUN_RECORD | RUN_HW_CRC)
BA_RUN(run_hw_each, run_each, RUN_RECORD | RUN_HW_CRC)
BA_RUN(run_bare_batch_doors, run_batch, RUN_DOORS)
BA_RUN(run_bare_each_doors, run_each, RUN_DOORS)
BA_RUN(run_table_batch_doors, run_batch, RUN_RECORD | RUN_DOORS)
BA_RUN(run_table_each_doors, run_each, RUN_RECORD | RUN_DOORS)
BA_RUN(run_hw_batch_doors, run_batch, RUN_RECORD | RUN_HW_CRC | RUN_DOORS)
BA_RUN(run_hw_each_doors, run_each, RUN_RECORD | RUN_HW_CRC | RUN_DOORS)

void
ba_table_init(bitactor_engine_t *engine)
{
	static const ba_run_fn runs[3][4] = {
		{ run_bare_batch, run_bare_each, run_bare_batch_doors, run_bare_each_doors },
		/* large, and rare: two will do */
		{ run_table_batch_doors, run_table_each_doors, run_table_batch_doors,
		  run_table_each_doors },
		{ run_hw_batch, run_hw_each, run_hw_batch_doors, run_hw_each_doors },
	};
	bool record = engine->recorder.ring != NULL;
	memcpy(engine->run, runs[!record ? 0 : engine->recorder.hw_crc ? 2 : 1],
	       sizeof engine->run);

	for (uint32_t kind = 0; kind <= engine->kinds; kind++)
		engine->table[kind] = (ba_entry_t){ .fn    = nobody,
		                                    .flags = BA_ENTRY_DOOR,
		                                    .kind  = (uint16_t)kind };
	*ba_entry_that_resumes(engine) = (ba_entry_t){ .fn            = ba_fiber_resume,
		                                       .own_fn        = ba_fiber_resume,
		                                       .flags         = BA_ENTRY_DOOR |
		                                                        BA_ENTRY_UNJUDGED,
		                                       .kind          = BITACTOR_RECORD_RESUME,
		                                       .budget_counts = UINT32_MAX };
}

/* ---- what a handler may call -------------------------------------------- */

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

/* ---- the table ---------------------------------------------------------- */

void
ba_entry_refresh(ba_entry_t *entry)
{
	bool fiber = (entry->flags & BA_ENTRY_FIBER) != 0;
	if (entry->own_fn == NULL) /* a fiber that gets it has no budget to break */
		entry->budget_counts = entry->first_waiter != 0 ? UINT32_MAX : 0;
	if (entry->first_waiter != 0)
		entry->fn = ba_fiber_deliver;
	else if (entry->own_fn == NULL)
		entry->fn = nobody;
	else
		entry->fn = fiber ? ba_fiber_start : entry->own_fn;
	entry->flags &= (uint8_t)~(BA_ENTRY_DOOR | BA_ENTRY_UNJUDGED);
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

/* Both ways of changing the table: lock, change, record. */
static bitactor_status_t
table_set(bitactor_engine_t *engine, const bitactor_handler_t *handler)
{
	bool     small = handler->state_bytes <= BA_DIGEST_WHOLE;
	uint32_t ticks = handler->budget_ticks != 0 ? handler->budget_ticks
	                                            : engine->config.budget_ticks;
	bool     gone  = handler->fn == NULL;
	bitactor_status_t status = ba_engine_lock(engine);
	if (status != BITACTOR_OK)
		return status;

	ba_entry_t *entry = ba_entry_of(engine, handler->kind);
	entry->own_fn       = handler->fn;
	entry->state        = handler->state;
	entry->state_bytes  = (uint32_t)handler->state_bytes;
	entry->digest_words = small ? (uint8_t)(handler->state_bytes / 8) : 0;
	entry->flags = (uint8_t)((handler->flags & BITACTOR_HANDLER_FIBER ? BA_ENTRY_FIBER : 0) |
	                         (handler->flags & BITACTOR_HANDLER_EXACT ? BA_ENTRY_EXACT : 0) |
	                         (small ? handler->state_bytes % 8 << BA_ENTRY_TAIL_SHIFT : 0));
	entry->budget_ticks  = gone ? 0 : ticks;
	entry->budget_counts = gone ? 0 : budget_counts_of(engine, ticks);
	ba_entry_refresh(entry);
	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_REGISTER,
	                                           .actor   = handler->kind,
	                                           .cause   = handler->flags,
	                                           .payload = gone ? UINT64_MAX : ticks });
	ba_engine_unlock(engine);
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_register_handler(bitactor_engine_t *engine, const bitactor_handler_t *handler)
{
	if (engine == NULL || handler == NULL || handler->fn == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (handler->kind >= engine->kinds || handler->state_bytes > UINT32_MAX ||
	    (handler->state == NULL && handler->state_bytes > 0) ||
	    (handler->flags & ~(uint32_t)(BITACTOR_HANDLER_FIBER | BITACTOR_HANDLER_EXACT)) != 0)
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
