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
effect_of(bool hw, uint32_t status, uint32_t asked, uint64_t result, const ba_entry_t *entry,
          const void *state)
{
	uint64_t a = ba_crc32c_wide(hw, 0, status | (uint64_t)asked << 32);
	uint64_t b = ba_crc32c_wide(hw, 0, result);
	const uint8_t *cell  = state;
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
	uint32_t tail = entry->digest_tail;
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

static inline __attribute__((always_inline)) common_words_t
common_words_of(const bitactor_engine_t *engine, const ba_chunk_t *chunk)
{
	uint32_t flags = chunk->outside ? BITACTOR_RECORD_OUTSIDE : 0;
	return (common_words_t){ .word0   = ba_word0(engine->turn_number, 0, 0, flags),
		                 .word1   = (uint64_t)chunk->source << 32,
		                 .outside = chunk->outside };
}

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

#include "internal/failure.h"

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
	ba_count_add(&engine->undone, engine->ops.count);
	for (uint32_t i = engine->ops.count; i > 0; i--)
		ba_op_undo(engine, &engine->ops.at[i - 1]);
	engine->ops.count = 0;
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
digest_touched(bitactor_engine_t *engine, const ba_entry_t *entry, const void *state)
{
	ba_turn_t *turn = &engine->turn;
	uintptr_t  cell = (uintptr_t)state;

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

/* What else was asked for takes hold, in the order it was asked for; each has its
 * record behind the dispatch's, whose number is `seq`. */
static void
commit_ops(bitactor_engine_t *engine, uint64_t seq)
{
	ba_ops_t *ops = &engine->ops;

	for (uint32_t i = 0; i < ops->count; i++)
		ba_op_apply(engine, &ops->at[i], (uint32_t)(engine->recorder.seq - seq));
	ops->count = 0;
	engine->turn.again = true; /* what was resolved may be bound otherwise now */
}

/* Everything but the fast end of a dispatch.  True: it answered OK. */
static bool
settle_one(bitactor_engine_t *engine, const ba_admitted_t *at, const void *state,
       bitactor_status_t status, opened_t open)
{
	ba_turn_t  *turn  = &engine->turn;
	ba_entry_t *entry = at->entry;
	uint64_t    seq   = engine->recorder.seq; /* of this dispatch's record */

	if ((turn->dirty & BA_DIRTY_FIBER) != 0) {
		entry = turn->cell;
		state = turn->cell_state;
	}
	if (status == BITACTOR_TICK_EXCEEDED)
		status = BITACTOR_ERROR; /* the engine's to say */
	turn->status = status;
	if (status != BITACTOR_OK) {
		ba_count_add(&engine->failed, 1);
		ba_count_add(&entry->failed, 1);
		drop_staged(engine);
	} else {
		commit_emits(engine);
	}
	if (open.at != NULL) {
		bool hw = engine->recorder.hw_crc;
		if ((turn->dirty & BA_DIRTY_TOUCHED) != 0)
			digest_touched(engine, entry, state);
		uint64_t result = turn->handlers.result;
		uint32_t effect =
			hw ? effect_of(true, status, turn->effect, result, entry, state)
			   : effect_of(false, status, turn->effect, result, entry, state);
		if (status != BITACTOR_OK) {
			ba_store64(open.at, ba_load64(open.at) |
			                             (uint64_t)BITACTOR_RECORD_FAILED << 56);
			open.check = check_begun(engine, open.at);
		}
		record_close(engine, hw, open, effect);
	}
	if (engine->outputs.count > 0)
		commit_outputs(engine);
	if (engine->ops.count > 0)
		commit_ops(engine, seq);
	turn->touched = 0;
	turn->dirty   = 0;
	return status == BITACTOR_OK;
}

/* The same signal to the same handler again, as a dispatch of its own. */
static bool
retry(bitactor_engine_t *engine, const ba_admitted_t *at, void *state, uint32_t attempt)
{
	ba_turn_t *turn = &engine->turn;
	opened_t   open = { .at = NULL };
	uint64_t   own  = at->slot->signal.kind | (uint64_t)attempt << 16;

	ba_count_add(&engine->retried, 1);
	if (is_recording(engine))
		open = record_open_any(engine, at->slot, BITACTOR_RECORD_RETRY, turn->source, own);
	memset(&turn->handlers.result, 0, 16); /* as in run_chunk */
	bitactor_status_t status = at->entry->own_fn(&turn->handlers, &at->slot->signal, state);
	return settle_one(engine, at, state, status, open);
}

/* Out of line: what the fast end of the loop does not do. */
static __attribute__((noinline)) void
settle(bitactor_engine_t *engine, const ba_admitted_t *at, void *state, bitactor_status_t status,
       opened_t open)
{
	/* a fiber's failure is its own kind's, whatever signal it had come for */
	bool        fiber = (engine->turn.dirty & BA_DIRTY_FIBER) != 0;
	ba_entry_t *entry = fiber ? engine->turn.cell : at->entry;
	if (settle_one(engine, at, state, status, open))
		return;
	uint32_t attempts = 1;
	while (attempts <= entry->retries) {
		attempts++;
		if (retry(engine, at, state, attempts))
			return;
	}
	failure_policy(engine, entry, at->slot, attempts);
}

/* A signal that nobody is registered for, or nobody who may be called. */
static __attribute__((noinline)) void
reject(bitactor_engine_t *engine, const ba_admitted_t *at)
{
	bool     quarantined = (at->entry->flags & BA_ENTRY_QUARANTINED) != 0;
	uint32_t reason = quarantined ? BITACTOR_REJECT_QUARANTINE : BITACTOR_REJECT_UNREGISTERED;

	ba_count_add(&engine->rejected, 1);
	engine->turn.status = BITACTOR_INVALID_SIGNAL;
	if (is_recording(engine)) {
		uint64_t own = at->slot->signal.kind | (uint64_t)reason << 16;
		record_close(engine, engine->recorder.hw_crc,
		             record_open_any(engine, at->slot, BITACTOR_RECORD_REJECT,
		                             engine->turn.source, own), 0);
	}
	if (quarantined)
		letter_keep(engine, at->slot, reason, BITACTOR_INVALID_SIGNAL, 0);
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
	if (entry->own_fn == NULL || (entry->flags & BA_ENTRY_QUARANTINED) != 0)
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

/* Dispatch from chunk->from on; answers how many of the chunk are done: fewer than
 * all when the last one changed what the others were resolved to. */
static inline __attribute__((always_inline)) uint32_t
run_chunk(bitactor_engine_t *engine, const ba_chunk_t *chunk, unsigned mode)
{
	const bool record = (mode & RUN_RECORD) != 0;
	const bool hw     = (mode & RUN_HW_CRC) != 0;
	const bool each   = (mode & RUN_EACH) != 0;
	const bool doors  = (mode & RUN_DOORS) != 0;
	ba_turn_t *turn   = &engine->turn;
	const ba_admitted_t *at  = chunk->at + chunk->from;
	const ba_admitted_t *end = chunk->at + chunk->count;
	const common_words_t common = common_words_of(engine, chunk);
	bitactor_handler_fn next = at->entry->fn;
	uint64_t began = each ? ba_engine_counts(engine) : 0;
	opened_t open = { .at = NULL };

	while (at != end) {
		ba_entry_t *entry = at->entry;
		/* with doors the last dispatch may have changed this one's */
		bitactor_handler_fn fn = doors ? entry->fn : next;
		next = at[1].entry->fn;

		if (doors && (entry->flags & BA_ENTRY_DOOR) != 0)
			fn = behind_door(engine, at);
		if (doors && fn == NULL) {
			reject(engine, at);
			began = each ? ba_engine_counts(engine) : 0;
			at++;
			continue;
		}
		if (record) {
			open = record_open(engine, hw, at->slot, chunk->source, &common);
			if (each && BA_UNLIKELY(engine->recorder.slices != 0)) {
				engine->recorder.slices = 0;
				began = ba_engine_counts(engine);
			}
		}
		uint64_t seq   = engine->recorder.seq; /* this record's; outputs get later ones */
		void    *state = entry->state;
		memset(&turn->handlers.result, 0, 16); /* result, effect, dirty */
		turn->at = at;
		bitactor_status_t status = fn(&turn->handlers, &at->slot->signal, state);
		if (doors && turn->enter != NULL)
			status = enter_fiber(engine);
		ba_count_add(&entry->calls, 1);

		uint64_t ended = each ? ba_engine_counts(engine) : 0;
		bool     slow  = ((uint32_t)status | turn->dirty) != 0;
		if (BA_UNLIKELY(slow))
			settle(engine, at, state, status, open);
		else if (record)
			record_close(engine, hw, open,
			             effect_of(hw, 0, turn->effect, turn->handlers.result, entry,
			                       state));
		if (each) {
			time_one(engine, entry, spent_between(engine, began, ended), seq);
			began = BA_UNLIKELY(slow) ? ba_engine_counts(engine) : ended;
		}
		at++;
		if (BA_UNLIKELY(slow) && turn->again)
			break;
	}
	return (uint32_t)(at - chunk->at);
}

static inline __attribute__((always_inline)) uint32_t
run_each(bitactor_engine_t *engine, const ba_chunk_t *chunk, unsigned mode)
{
	ba_timed_book(engine); /* of the chunk before: now there is room for this one */
	uint32_t done = run_chunk(engine, chunk, mode | RUN_EACH);
	uint32_t ran  = done - chunk->from;
	engine->singles_left -= engine->singles_left < ran ? engine->singles_left : ran;
	return done;
}

/* Timed as one against the sum of its budgets; signals that nobody takes have
 * none.  Not judged with an entry that is not, nor when the recorder hashed a
 * slice or called the sink meanwhile: that is nobody's time here. */
static inline __attribute__((always_inline)) uint32_t
run_batch(bitactor_engine_t *engine, const ba_chunk_t *chunk, unsigned mode)
{
	engine->recorder.slices = 0;
	uint64_t began = ba_engine_counts(engine);
	uint32_t done  = run_chunk(engine, chunk, mode);
	uint64_t spent = spent_between(engine, began, ba_engine_counts(engine));
	bool    judged = (chunk->entry_flags & BA_ENTRY_UNJUDGED) == 0 &&
	                 engine->recorder.slices == 0;
	if (BA_UNLIKELY(spent > chunk->budget_counts && judged)) {
		ba_count_add(&engine->batch_overruns, 1);
		engine->singles_left = BA_SINGLES_AFTER_OVERRUN;
		overrun_record(engine, chunk->at[done - 1].entry->kind, BITACTOR_OVERRUN_BATCH,
		               spent, chunk->budget_counts, done - chunk->from,
		               engine->recorder.seq - 1);
	}
	return done;
}

#define BA_RUN(name, how, mode)                                                             \
	static __attribute__((noinline)) uint32_t name(bitactor_engine_t *engine,           \
	                                               const ba_chunk_t *chunk)             \
	{                                                                                   \
		return how(engine, chunk, mode);                                            \
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

/* The totals of what was done, and what came with its signals. */
static void
close_chunk(bitactor_engine_t *engine, const ba_chunk_t *chunk, uint32_t done,
            uint64_t not_dispatched)
{
	uint64_t others = ba_count_get(&engine->rejected) + ba_count_get(&engine->resumed);
	ba_count_add(&engine->dispatched, done - (others - not_dispatched));
	ba_count_add(&engine->order, done);
	ba_count_set(&engine->records, engine->recorder.seq);

	if (BA_LIKELY(chunk->data_bytes == 0))
		return;
	ba_pool_t *pool = chunk->outside ? &engine->data : &engine->emit_data;
	for (uint32_t i = 0; i < done; i++) {
		const ba_slot_t *slot = chunk->at[i].slot;
		if (slot->signal.data_bytes != 0)
			ba_pool_give(pool, slot->data_block);
	}
}

uint32_t
ba_chunk_run(bitactor_engine_t *engine, ba_chunk_t *chunk)
{
	uint64_t before = ba_count_get(&engine->rejected) + ba_count_get(&engine->resumed);
	/* the entry alone: 16 bytes would be read across two stores of 8 just made */
	chunk->at[chunk->count].entry = chunk->at[chunk->count - 1].entry;
	chunk->from = 0;
	engine->turn.first   = chunk->at;
	engine->turn.outside = chunk->outside;
	engine->turn.source  = chunk->source;
	engine->turn.again   = false;
	bool each = (engine->config.flags & BITACTOR_TIME_EACH) != 0 || engine->singles_left > 0 ||
	            (chunk->entry_flags & BA_ENTRY_EXACT) != 0;
	bool doors = (chunk->entry_flags & BA_ENTRY_DOOR) != 0;
	uint32_t done = engine->run[2 * doors + each](engine, chunk);
	close_chunk(engine, chunk, done, before);
	return done;
}

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

#include "internal/table.h"
#include "internal/turn_calls.h"
