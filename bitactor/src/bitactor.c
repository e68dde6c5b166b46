/* SPDX-License-Identifier: Apache-2.0 */
/* bitactor.c -- the engine's life, its door, its turn, its end.
 *
 * Fibers are in internal/tasks.h, the engine's numbers in internal/seeing.h; both
 * are parts of this file.
 *
 * A turn, under the lock:
 *
 *      1  now              read once, never smaller than the last
 *      2  left over        what the last turn's dispatches emitted and it had no
 *                          room for
 *      3  admitted         from the shared queue, in the order of their claims
 *      4  emitted          in this turn, until none is left
 *
 * and it ends at `max` dispatches, when all three are empty, or when a caller of
 * bitactor_tick waits.  Where it ended is recorded, so the order is a function
 * of recorded facts.
 *
 * Invariants (ba_engine_check states them in this order):
 *      head <= claim <= head + capacity, in both queues
 *      between dispatches nothing is staged
 *      the recorder is inside its ring, on a slot, in its slice
 *      accepted = dispatched + rejected + dropped + queued, when nobody is in a call
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the documented bare build line brings none */
#endif
#include "../include/bitactor/bitactor.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal/engine.h"
#include "internal/seeing.h"
#include "internal/tasks.h"

/* The engine whose dispatch runs on this thread: there, enqueue is an emit.
 * initial-exec: a dynamic TLS access may allocate, and enqueue must not. */
static _Thread_local bitactor_engine_t *current __attribute__((tls_model("initial-exec")));

/* ---- last words --------------------------------------------------------- */

/* write(), not stdio: it allocates nothing and is safe in a signal handler. */
static void
say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return; /* nobody is left to tell */
}

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	char  digits[12]; /* 2^31 has 10 */
	char *at = digits + sizeof digits;
	*--at    = '\0';
	do
		*--at = (char)('0' + line % 10);
	while ((line /= 10) > 0);

	say(file);
	say(":");
	say(at);
	say(": must hold: ");
	say(what);
	say("\n");
	abort();
}

/* ---- configuration and memory ------------------------------------------- */

void
bitactor_config_default(bitactor_config_t *config)
{
	if (config == NULL)
		return;
	*config = (bitactor_config_t){
		.kinds             = 256,
		.queue_slots       = BITACTOR_MAX_SIGNALS,
		.emit_slots        = 1024,
		.data_max          = 64,
		.data_blocks       = 128,
		.emit_data_blocks  = 128,
		.dead_letters      = 16,
		.output_max        = 4096,
		.segments          = 2,
		.fiber_stack_bytes = 65536,
		.budget_ticks      = BITACTOR_TICK_BUDGET,
	};
}

static bool
is_power_of_two(uint32_t value, uint32_t least, uint32_t most)
{
	return value >= least && value <= most && (value & (value - 1)) == 0;
}

static bool
config_is_valid(const bitactor_config_t *config)
{
	const uint32_t flags = BITACTOR_TIME_EACH | BITACTOR_TICK_RAW | BITACTOR_VIRTUAL;

	return config->kinds >= 1 && config->kinds <= BITACTOR_MAX_KINDS &&
	       is_power_of_two(config->queue_slots, 2, 1u << 20) &&
	       is_power_of_two(config->emit_slots, 2, 1u << 20) &&
	       config->data_max % 8 == 0 && config->data_max <= 32768 &&
	       config->data_blocks <= 1u << 20 && config->emit_data_blocks <= 1u << 20 &&
	       config->dead_letters <= 1u << 16 &&
	       config->output_max % 8 == 0 && config->output_max <= 1u << 20 &&
	       config->segments != 1 && config->segments <= 1u << 16 &&
	       config->fibers <= 65535 && config->fiber_stack_bytes % 4096 == 0 &&
	       config->fiber_stack_bytes >= 16384 && config->fiber_stack_bytes <= 1u << 30 &&
	       config->budget_ticks >= 1 && (config->flags & ~flags) == 0;
}

/* Offsets of the parts in the caller's block. */
typedef struct layout {
	size_t table, timing, queue, emits, data, data_next, emit_data, emit_data_next, outputs;
	size_t letters, letter_data;
	size_t ring; /* to be rounded up to 64 KiB at its address */
	size_t total;
} layout_t;

static size_t
place(size_t *at, size_t bytes)
{
	size_t here = *at;
	*at += (bytes + BA_CACHE_LINE - 1) / BA_CACHE_LINE * BA_CACHE_LINE;
	return here;
}

static layout_t
layout_of(const bitactor_config_t *config)
{
	layout_t layout;
	size_t   at      = 0;
	size_t   entries = (size_t)config->kinds + 2;

	(void)place(&at, sizeof(bitactor_engine_t));
	layout.table     = place(&at, entries * sizeof(ba_entry_t));
	layout.timing    = place(&at, entries * sizeof(ba_timing_t));
	layout.queue     = place(&at, config->queue_slots * sizeof(ba_slot_t));
	layout.emits     = place(&at, config->emit_slots * sizeof(ba_slot_t));
	layout.data      = place(&at, (size_t)config->data_blocks * config->data_max);
	layout.data_next = place(&at, config->data_blocks * sizeof(uint32_t));
	layout.emit_data = place(&at, (size_t)config->emit_data_blocks * config->data_max);
	layout.emit_data_next = place(&at, config->emit_data_blocks * sizeof(uint32_t));
	layout.outputs        = place(&at, config->output_max);
	layout.letters        = place(&at, config->dead_letters * sizeof(bitactor_dead_letter_t));
	layout.letter_data    = place(&at, (size_t)config->dead_letters * config->data_max);
	layout.ring           = at;
	if (config->segments > 0)
		at += (size_t)(config->segments + 1) * BITACTOR_SEGMENT_BYTES - BA_CACHE_LINE;
	layout.total = at + BA_APART - BA_CACHE_LINE; /* see engine_in */
	return layout;
}

size_t
bitactor_engine_bytes(const bitactor_config_t *config)
{
	bitactor_config_t defaults;
	if (config == NULL) {
		bitactor_config_default(&defaults);
		config = &defaults;
	}
	return config_is_valid(config) ? layout_of(config).total : 0;
}

/* ---- life --------------------------------------------------------------- */

static ba_cycles_t    process_clock; /* calibrated once a process */
static pthread_once_t process_clock_once = PTHREAD_ONCE_INIT;

static void
process_clock_calibrate(void)
{
	ba_cycles_calibrate(&process_clock);
}

static void
clock_init(bitactor_engine_t *engine)
{
	(void)pthread_once(&process_clock_once, process_clock_calibrate);
	engine->clock   = process_clock;
	engine->tick_hz = BITACTOR_TICK_HZ;
	if (engine->counter.read != NULL)
		engine->clock = (ba_cycles_t){ .name   = "injected",
			                       .hz     = engine->counter.hz,
			                       .usable = true };
	if ((engine->config.flags & BITACTOR_TICK_RAW) != 0)
		engine->tick_hz = engine->clock.hz;
}

static void
tables_copy(bitactor_engine_t *engine, const bitactor_config_t *config)
{
	engine->config = *config;
	if (config->host != NULL)
		engine->host = *config->host;
	if (config->counter != NULL)
		engine->counter = *config->counter;
	if (config->sink != NULL)
		engine->sink = *config->sink;
	if (config->outlet != NULL)
		engine->outlet = *config->outlet;
	engine->config.host    = NULL; /* ours are the copies */
	engine->config.counter = NULL;
	engine->config.sink    = NULL;
	engine->config.outlet  = NULL;

	static const uint8_t none[16];
	if (memcmp(config->uuid, none, sizeof none) == 0)
		ba_derive_uuid(&engine->config, engine->config.uuid);
}

/* Where in a block the engine lies: a caller aligns to a cache line, the engine
 * keeps its writers two of them apart. */
static uint8_t *
engine_in(void *block)
{
	_Static_assert(_Alignof(bitactor_engine_t) == BA_APART, "as aligned as it needs");
	return (uint8_t *)(((uintptr_t)block + BA_APART - 1) & ~(uintptr_t)(BA_APART - 1));
}

static void
parts_init(bitactor_engine_t *engine, uint8_t *block)
{
	const bitactor_config_t *config = &engine->config;
	layout_t layout = layout_of(config);

	engine->kinds  = config->kinds;
	engine->table  = (ba_entry_t *)(void *)(block + layout.table);
	engine->timing = (ba_timing_t *)(void *)(block + layout.timing);
	memset(engine->timing, 0, ((size_t)config->kinds + 2) * sizeof *engine->timing);

	ba_queue_init(&engine->queue, (ba_slot_t *)(void *)(block + layout.queue),
	              config->queue_slots);
	ba_pool_init(&engine->data, block + layout.data,
	             (_Atomic uint32_t *)(void *)(block + layout.data_next),
	             config->data_max > 0 ? config->data_blocks : 0, config->data_max);
	ba_pool_init(&engine->emit_data, block + layout.emit_data,
	             (_Atomic uint32_t *)(void *)(block + layout.emit_data_next),
	             config->data_max > 0 ? config->emit_data_blocks : 0, config->data_max);
	engine->emits = (ba_emits_t){ .slots    = (ba_slot_t *)(void *)(block + layout.emits),
		                      .capacity = config->emit_slots,
		                      .mask     = config->emit_slots - 1 };
	memset(engine->emits.slots, 0, config->emit_slots * sizeof *engine->emits.slots);
	engine->outputs =
	        (ba_outputs_t){ .bytes = block + layout.outputs, .capacity = config->output_max };

	engine->letters = (ba_letters_t){
		.at       = (bitactor_dead_letter_t *)(void *)(block + layout.letters),
		.data     = block + layout.letter_data,
		.capacity = config->dead_letters,
	};

	uintptr_t ring = ((uintptr_t)(block + layout.ring) + BITACTOR_SEGMENT_BYTES - 1) &
	                 ~(uintptr_t)(BITACTOR_SEGMENT_BYTES - 1);
	ba_recorder_init(engine, (uint8_t *)ring);
	ba_table_init(engine);
}

bitactor_status_t
bitactor_engine_init(void *block, size_t bytes, const bitactor_config_t *config,
                     bitactor_engine_t **engine_out)
{
	bitactor_config_t defaults;
	if (config == NULL) {
		bitactor_config_default(&defaults);
		config = &defaults;
	}
	if (block == NULL || engine_out == NULL || (uintptr_t)block % BA_CACHE_LINE != 0)
		return BITACTOR_ERROR;
	size_t needed = bitactor_engine_bytes(config);
	if (needed == 0 || bytes < needed)
		return BITACTOR_ERROR;

	uint8_t           *base   = engine_in(block);
	bitactor_engine_t *engine = (bitactor_engine_t *)(void *)base;
	memset(engine, 0, sizeof *engine);
	tables_copy(engine, config);
	clock_init(engine);
	if (pthread_mutex_init(&engine->lock, NULL) != 0)
		return BITACTOR_ERROR;
	engine->turn.handlers.calls          = &ba_turn_calls;
	engine->turn.handlers.engine_private = (uintptr_t)engine;
	parts_init(engine, base);
	/* release: pairs with the acquire in ba_engine_is_live */
	atomic_store_explicit(&engine->magic, BA_ENGINE_LIVE, memory_order_release);
	*engine_out = engine;
	return BITACTOR_OK;
}

bool
ba_engine_is_live(const bitactor_engine_t *engine)
{
	/* acquire: pairs with the release in bitactor_engine_init */
	return atomic_load_explicit(&engine->magic, memory_order_acquire) == BA_ENGINE_LIVE;
}

enum { PROCESS_BLOCK_BYTES = 512 * 1024 };
static _Alignas(4096) uint8_t process_block[PROCESS_BLOCK_BYTES];
static pthread_mutex_t        process_lock = PTHREAD_MUTEX_INITIALIZER;

bitactor_engine_t *
bitactor_init(void)
{
	bitactor_engine_t *engine = (bitactor_engine_t *)(void *)process_block;

	(void)pthread_mutex_lock(&process_lock);
	if (!ba_engine_is_live(engine)) {
		bitactor_status_t status =
		        bitactor_engine_init(process_block, sizeof process_block, NULL, &engine);
		BA_ASSERT(status == BITACTOR_OK); /* the defaults fit: see test_bitactor.c */
	}
	(void)pthread_mutex_unlock(&process_lock);
	return engine;
}

bool
bitactor_is_ready(const bitactor_engine_t *engine)
{
	return engine != NULL && ba_engine_is_live(engine) && !ba_queue_is_closed(&engine->queue);
}

/* ---- the lock ----------------------------------------------------------- */

bool
ba_engine_is_mine(const bitactor_engine_t *engine)
{
	/* relaxed: only this thread can have stored its own name */
	return atomic_load_explicit(&engine->owner, memory_order_relaxed) ==
	       (uintptr_t)pthread_self();
}

/* OK, or REENTRANT: the caller is inside a turn of this engine. */
bitactor_status_t
ba_engine_lock(bitactor_engine_t *engine)
{
	if (ba_engine_is_mine(engine))
		return BITACTOR_REENTRANT;
	(void)pthread_mutex_lock(&engine->lock);
	/* relaxed: read back by this thread only, see ba_engine_is_mine */
	atomic_store_explicit(&engine->owner, (uintptr_t)pthread_self(), memory_order_relaxed);
	return BITACTOR_OK;
}

/* How public calls begin that may not come from inside a turn: ERROR for NULL, CLOSED
 * for an engine that is gone, else as ba_engine_lock. */
bitactor_status_t
ba_engine_enter(bitactor_engine_t *engine)
{
	if (engine == NULL)
		return BITACTOR_ERROR;
	return ba_engine_is_live(engine) ? ba_engine_lock(engine) : BITACTOR_CLOSED;
}

/* As ba_engine_lock, but BUSY when another thread has it. */
static bitactor_status_t
try_lock(bitactor_engine_t *engine)
{
	if (ba_engine_is_mine(engine))
		return BITACTOR_REENTRANT;
	if (pthread_mutex_trylock(&engine->lock) != 0)
		return BITACTOR_BUSY;
	/* relaxed: as above */
	atomic_store_explicit(&engine->owner, (uintptr_t)pthread_self(), memory_order_relaxed);
	return BITACTOR_OK;
}

void
ba_engine_unlock(bitactor_engine_t *engine)
{
	/* relaxed: as above */
	atomic_store_explicit(&engine->owner, 0, memory_order_relaxed);
	(void)pthread_mutex_unlock(&engine->lock);
}

bool
ba_engine_is_dispatching(const bitactor_engine_t *engine)
{
	return current == engine;
}

bitactor_engine_t *
ba_engine_exchange_current(bitactor_engine_t *engine)
{
	bitactor_engine_t *before = current;
	current = engine;
	return before;
}

/* ---- the door ----------------------------------------------------------- */

static void
count_refused(bitactor_engine_t *engine, bitactor_status_t status, uint64_t signals)
{
	_Atomic uint64_t *count = status == BITACTOR_FULL     ? &engine->refused_full
	                          : status == BITACTOR_CLOSED ? &engine->refused_closed
	                                                      : &engine->refused_invalid;
	/* relaxed: a count, many writers */
	atomic_fetch_add_explicit(count, signals, memory_order_relaxed);
}

/* Can this signal ever be right?  The table is not looked at: an unregistered
 * kind is found at dispatch, where the order is fixed. */
bitactor_status_t
ba_signal_check(const bitactor_engine_t *engine, const bitactor_signal_t *signal,
                size_t data_bytes)
{
	if (signal == NULL || signal->kind >= BITACTOR_MAX_KINDS || signal->reserved != 0)
		return BITACTOR_INVALID_SIGNAL;
	if (data_bytes > engine->config.data_max || (data_bytes == 0 && signal->data_bytes != 0))
		return BITACTOR_INVALID_SIGNAL;
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_enqueue(bitactor_engine_t *engine, const bitactor_signal_t *signal)
{
	if (engine == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (BA_UNLIKELY(current == engine))
		return engine->turn.handlers.calls->emit(&engine->turn.handlers, signal, NULL, 0);

	uint64_t position;
	bitactor_status_t status = ba_signal_check(engine, signal, 0);
	if (BA_LIKELY(status == BITACTOR_OK))
		status = ba_queue_claim(&engine->queue, 1, &position);
	if (BA_UNLIKELY(status != BITACTOR_OK)) {
		count_refused(engine, status, 1);
		return status;
	}
	ba_queue_publish_plain(&engine->queue, position, signal);
	return BITACTOR_OK;
}

/* Inside a handler: one emit each, all or none. */
static bitactor_status_t
emit_many(bitactor_engine_t *engine, const bitactor_signal_t *signals, size_t count)
{
	const ba_emits_t *emits = &engine->emits;
	uint64_t used = emits->staged - ba_count_get(&emits->head);
	if (count > emits->capacity)
		return BITACTOR_ERROR;
	if (count > emits->capacity - used) {
		ba_count_add(&engine->emit_full, count);
		return BITACTOR_FULL;
	}
	for (size_t i = 0; i < count; i++)
		(void)engine->turn.handlers.calls->emit(&engine->turn.handlers, &signals[i], NULL,
		                                        0);
	return BITACTOR_OK;
}

/* As ba_signal_check for each, without data; one answer, so no branch a signal. */
static bitactor_status_t
signals_check(const bitactor_signal_t *signals, size_t count)
{
	uint32_t wrong = 0;
	if (signals == NULL)
		return BITACTOR_INVALID_SIGNAL;
	for (const bitactor_signal_t *end = signals + count; signals != end; signals++) {
		wrong |= signals->reserved | signals->data_bytes;
		wrong |= signals->kind >= BITACTOR_MAX_KINDS;
	}
	return wrong == 0 ? BITACTOR_OK : BITACTOR_INVALID_SIGNAL;
}

bitactor_status_t
bitactor_enqueue_many(bitactor_engine_t *engine, const bitactor_signal_t *signals, size_t count,
                      size_t *taken)
{
	if (taken != NULL)
		*taken = 0;
	if (engine == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (count == 0)
		return BITACTOR_OK;

	bitactor_status_t status = signals_check(signals, count);
	uint64_t position = 0;
	bool     inside   = current == engine;
	if (status == BITACTOR_OK && !inside && count > engine->queue.capacity)
		return BITACTOR_ERROR; /* no turn can make room for them together */
	if (status == BITACTOR_OK)
		status = inside ? emit_many(engine, signals, count)
		                : ba_queue_claim(&engine->queue, count, &position);
	if (status != BITACTOR_OK) {
		if (!inside)
			count_refused(engine, status, count);
		else if (status == BITACTOR_INVALID_SIGNAL)
			ba_count_add(&engine->emit_invalid, count); /* emit_many counts FULL */
		return status;
	}
	if (!inside)
		ba_queue_publish_many(&engine->queue, position, signals, count);
	if (taken != NULL)
		*taken = count;
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_enqueue_data(bitactor_engine_t *engine, const bitactor_signal_t *signal,
                      const void *data, size_t data_bytes)
{
	if (engine == NULL || (data == NULL && data_bytes > 0))
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	bitactor_signal_t plain = signal != NULL ? *signal : (bitactor_signal_t){ .reserved = 1 };
	plain.data_bytes = 0; /* said by the argument */
	if (current == engine)
		return engine->turn.handlers.calls->emit(&engine->turn.handlers, &plain, data,
		                                         data_bytes);

	bitactor_status_t status = ba_signal_check(engine, &plain, data_bytes);
	if (status != BITACTOR_OK) {
		count_refused(engine, status, 1);
		return status;
	}
	uint32_t block = 0;
	if (data_bytes > 0) {
		block = ba_pool_take(&engine->data);
		if (block == 0) {
			/* relaxed: a count, many writers */
			atomic_fetch_add_explicit(&engine->refused_data, 1, memory_order_relaxed);
			return BITACTOR_FULL;
		}
		memcpy(ba_pool_block(&engine->data, block), data, data_bytes);
	}
	uint64_t position;
	status = ba_queue_claim(&engine->queue, 1, &position);
	if (status != BITACTOR_OK) {
		if (block != 0)
			ba_pool_give(&engine->data, block);
		count_refused(engine, status, 1);
		return status;
	}
	ba_queue_publish(&engine->queue, position, signal, (uint32_t)data_bytes, block);
	return BITACTOR_OK;
}

/* ---- the end of what is queued ------------------------------------------- */

static void
drop_record(bitactor_engine_t *engine, uint32_t source, uint64_t dropped)
{
	ba_count_add(&engine->dropped, dropped);
	if (dropped > 0)
		ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_DROP,
		                                           .cause   = source,
		                                           .payload = dropped });
}

/* Drop all that is queued.  False: a claim is not published yet. */
static bool
stop_discard(bitactor_engine_t *engine, uint64_t *discarded)
{
	ba_emits_t *emits = &engine->emits;
	uint64_t    dropped = 0, head = ba_count_get(&emits->head);

	for (; head != ba_count_get(&emits->tail); head++) {
		const ba_slot_t *slot = &emits->slots[head & emits->mask];
		if (slot->signal.data_bytes != 0)
			ba_pool_give(&engine->emit_data, slot->data_block);
		dropped += slot->signal.kind != BITACTOR_RECORD_RESUME;
	}
	ba_count_set(&emits->head, head);
	ba_count_set(&engine->resumes_waiting, 0);
	drop_record(engine, BITACTOR_SOURCE_EMIT, dropped);
	*discarded += dropped;

	/* relaxed: ours, written by this side only */
	head    = atomic_load_explicit(&engine->queue.head, memory_order_relaxed);
	dropped = 0;
	for (const ba_slot_t *slot; (slot = ba_queue_peek(&engine->queue, head)) != NULL; head++) {
		if (slot->signal.data_bytes != 0)
			ba_pool_give(&engine->data, slot->data_block);
		dropped++;
		ba_queue_free(&engine->queue, head + 1);
	}
	drop_record(engine, BITACTOR_SOURCE_SHARED, dropped);
	*discarded += dropped;
	return ba_queue_length(&engine->queue) == 0;
}

/* Close the door, and say so once; `cause` as in ba_asked_by. */
static void
stop_begin(bitactor_engine_t *engine, bool drain, uint32_t cause)
{
	if (ba_queue_is_closed(&engine->queue))
		return;
	ba_queue_close(&engine->queue);
	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_STOP,
	                                           .flags   = ba_asked_by(cause),
	                                           .cause   = cause,
	                                           .payload = drain });
}

/* The door is closed: is this the end?  What waits is dropped if a handler asked for
 * that; else it is worked off, and fibers that wait are called off, in turns that
 * the caller runs. */
static bool
stop_finish(bitactor_engine_t *engine)
{
	if (engine->stop_asked)
		engine->stopped = stop_discard(engine, &(uint64_t){ 0 });
	else if (bitactor_pending_count(engine) == 0 &&
	         ba_count_get(&engine->resumes_waiting) == 0 && someone_awaits(engine))
		(void)cancel_waiters(engine); /* those with no room in a later turn */
	else
		engine->stopped = bitactor_pending_count(engine) == 0 &&
		                  ba_count_get(&engine->resumes_waiting) == 0;
	return engine->stopped;
}

/* A dispatch asked for the end.  Without drain its turn ends with it, and what
 * waits is dropped; with it the turns that follow work off what waits. */
void
ba_engine_stop_ask(bitactor_engine_t *engine, bool drain, uint32_t cause)
{
	stop_begin(engine, drain, cause);
	engine->stop_asked |= !drain;
	engine->turn.again = true;
}

/* From inside a handler: when its dispatch has answered OK. */
static bitactor_status_t
stop_stage(bitactor_engine_t *engine, bool drain)
{
	ba_op_t *op = ba_op_stage(engine, BA_OP_STOP);
	if (op == NULL)
		return BITACTOR_FULL;
	op->of.drain = drain;
	ba_effect_word(engine, BA_EFFECT_STOP | (uint64_t)drain << 32);
	return BITACTOR_OK;
}

/* ---- the turn ----------------------------------------------------------- */

static uint64_t
emits_waiting(const bitactor_engine_t *engine)
{
	return ba_count_get(&engine->emits.tail) - ba_count_get(&engine->emits.head);
}

/* The turn's time: read when first asked for, never smaller than the last. */
uint64_t
ba_engine_now(bitactor_engine_t *engine)
{
	ba_turn_t *turn = &engine->turn;
	if (turn->now_known)
		return turn->now_ns;

	uint64_t now = engine->host.now_ns != NULL
	                       ? engine->host.now_ns(engine->host.context)
	                       : ba_counts_to_ns(ba_engine_counts(engine), engine->clock.hz);
	if (now < engine->last_now_ns) {
		ba_count_add(&engine->clock_backward, 1);
		now = engine->last_now_ns;
	}
	engine->last_now_ns = now;
	turn->now_ns        = now;
	turn->now_known     = true;
	return now;
}

static void
turn_begin(bitactor_engine_t *engine)
{
	engine->turn_number++;
	ba_count_add(&engine->turns, 1);
	engine->turn.now_known = false;
	if (engine->recorder.ring == NULL)
		return; /* nobody needs to know the time unless a handler asks */
	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_TURN,
	                                           .payload = ba_engine_now(engine) });
}

/* Resolve a signal into the chunk. */
static inline __attribute__((always_inline)) void
chunk_add(ba_chunk_t *chunk, ba_admitted_t *at, ba_entry_t *entry, ba_slot_t *slot)
{
	at->slot  = slot;
	at->entry = entry;
	chunk->budget_counts += entry->budget_counts;
	chunk->entry_flags |= entry->flags;
	chunk->data_bytes |= slot->signal.data_bytes;
}

/* Is the turn to end early: for a caller of tick, or for good? */
static bool
turn_ends(const bitactor_engine_t *engine)
{
	/* relaxed: a hint to be quick; the lock does the rest */
	return atomic_load_explicit(&engine->tick_waiters, memory_order_relaxed) != 0 ||
	       engine->stop_asked;
}

/* Dispatch at most `max` from the internal queue. */
static uint64_t
run_emits(bitactor_engine_t *engine, uint64_t max)
{
	ba_chunk_t    chunk;
	ba_emits_t   *emits = &engine->emits;
	uint64_t      done  = 0;

	while (done < max && emits_waiting(engine) > 0 && !(done > 0 && turn_ends(engine))) {
		uint64_t head = ba_count_get(&emits->head);
		uint64_t room = max - done, waiting = emits_waiting(engine);
		uint32_t count = 0;
		chunk.budget_counts = 0;
		chunk.source        = 0;
		chunk.outside       = false;
		chunk.entry_flags   = 0;
		chunk.data_bytes    = 0;
		for (; count < BA_CHUNK && count < room && count < waiting; count++) {
			ba_slot_t  *slot  = &emits->slots[(head + count) & emits->mask];
			ba_entry_t *entry = slot->signal.kind == BITACTOR_RECORD_RESUME
			                             ? ba_entry_that_resumes(engine)
			                             : ba_entry_of(engine, slot->signal.kind);
			chunk_add(&chunk, &chunk.at[count], entry, slot);
		}
		chunk.count = count;
		count = ba_chunk_run(engine, &chunk);
		ba_count_set(&emits->head, head + count);
		done += count;
	}
	return done;
}

/* Resolve what is published from `head` on, at most a chunk and at most `room`. */
static uint32_t
chunk_admit(const bitactor_engine_t *engine, ba_chunk_t *chunk, uint64_t head, uint64_t room)
{
	ba_slot_t  *slots = engine->queue.slots;
	uint64_t    mask  = engine->queue.mask;
	ba_entry_t *table = engine->table;
	uint32_t    kinds = engine->kinds;
	uint64_t    budget_counts = 0;
	uint32_t    data_bytes    = 0;
	uint16_t    entry_flags   = 0;
	ba_admitted_t *at  = chunk->at;
	ba_admitted_t *end = at + (room < BA_CHUNK ? room : BA_CHUNK);

	while (at != end) {
		ba_slot_t *slot = &slots[head++ & mask];
		/* acquire: as in ba_queue_peek */
		if (atomic_load_explicit(&slot->sequence, memory_order_acquire) != head)
			break;
		uint32_t    kind  = slot->signal.kind;
		ba_entry_t *entry = table + (kind < kinds ? kind : kinds);
		at->entry = entry;
		at->slot  = slot;
		at++;
		budget_counts += entry->budget_counts;
		entry_flags |= entry->flags;
		data_bytes |= slot->signal.data_bytes;
	}
	chunk->count         = (uint32_t)(at - chunk->at);
	chunk->budget_counts = budget_counts;
	chunk->entry_flags   = entry_flags;
	chunk->data_bytes    = data_bytes;
	chunk->outside       = true;
	chunk->source        = BITACTOR_SOURCE_SHARED;
	return chunk->count;
}

/* Dispatch at most `max` from the shared queue, in place. */
static uint64_t
run_admitted(bitactor_engine_t *engine, uint64_t max)
{
	ba_chunk_t  chunk;
	ba_queue_t *queue = &engine->queue;
	/* relaxed: ours, written by this side only */
	uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
	uint64_t done = 0;

	while (done < max && !(done > 0 && turn_ends(engine))) {
		if (chunk_admit(engine, &chunk, head, max - done) == 0)
			break;
		uint32_t count = ba_chunk_run(engine, &chunk);
		head += count;
		done += count;
		ba_queue_free(queue, head);
	}
	return done;
}

/* One turn of at most `max` dispatches; the lock is held. */
static bitactor_status_t
turn_run(bitactor_engine_t *engine, uint64_t max, uint64_t *done)
{
	if (engine->recorder.sink_status != BITACTOR_OK)
		return BITACTOR_IO;
	if (ba_count_get(&engine->resumes_waiting) > 0 && !fibers_are_home(engine->fibers))
		return BITACTOR_WRONG_THREAD; /* or their going on would be spent here in vain */
	uint64_t left_over = emits_waiting(engine);
	uint64_t length    = ba_queue_length(&engine->queue);
	/* relaxed: ours, written by this side only */
	uint64_t head  = atomic_load_explicit(&engine->queue.head, memory_order_relaxed);
	bool     ready = length > 0 && ba_queue_peek(&engine->queue, head) != NULL;
	if (length > ba_count_get(&engine->queue_high))
		ba_count_set(&engine->queue_high, length);
	if (length > 0 && !ready)
		ba_count_add(&engine->stalled_claims, 1);
	if (left_over == 0 && !ready)
		return length > 0 ? BITACTOR_BUSY : BITACTOR_EMPTY;

	bitactor_engine_t *before = ba_engine_exchange_current(engine);
	turn_begin(engine);
	uint64_t ran = 0;
	if (left_over > 0)
		ran = run_emits(engine, left_over < max ? left_over : max);
	if (!turn_ends(engine) || ran == 0)
		ran += run_admitted(engine, max - ran);
	if (emits_waiting(engine) > 0 && !turn_ends(engine))
		ran += run_emits(engine, max - ran);
	(void)ba_engine_exchange_current(before);
	BA_VERIFY((ba_engine_check(engine), true));
	*done = ran;
	if (engine->stop_asked)
		(void)stop_finish(engine);
	return engine->recorder.sink_status == BITACTOR_OK ? BITACTOR_OK : BITACTOR_IO;
}

bitactor_status_t
bitactor_drain(bitactor_engine_t *engine, uint64_t max, uint64_t *done)
{
	uint64_t ran = 0;
	if (done != NULL)
		*done = 0;
	if (engine == NULL || max == 0)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	bitactor_status_t status = ba_engine_lock(engine);
	if (status != BITACTOR_OK)
		return status;
	status = engine->stopped ? BITACTOR_CLOSED : turn_run(engine, max, &ran);
	if (!engine->stopped && status != BITACTOR_OK && ba_queue_is_closed(&engine->queue)) {
		if (stop_finish(engine))
			status = BITACTOR_CLOSED;
		else if (status == BITACTOR_EMPTY) /* fibers were called off: they go on now */
			status = turn_run(engine, max, &ran);
	}
	ba_engine_unlock(engine);
	if (done != NULL)
		*done = ran;
	return status;
}

/* The turn of one; the lock is held. */
static bitactor_status_t
tick_run(bitactor_engine_t *engine, const bitactor_signal_t *signal, bitactor_result_t *result)
{
	if (ba_queue_is_closed(&engine->queue)) { /* also by a stop that is not done yet */
		count_refused(engine, BITACTOR_CLOSED, 1);
		return BITACTOR_CLOSED;
	}
	if (engine->recorder.sink_status != BITACTOR_OK)
		return BITACTOR_IO;
	ba_turn_t    *turn = &engine->turn;
	ba_entry_t   *entry = ba_entry_of(engine, signal->kind);
	ba_chunk_t    chunk;

	engine->tick_slot.signal      = *signal;
	engine->tick_slot.signal.seal = 0; /* as in ba_queue_publish */
	ba_count_add(&engine->ticks, 1);
	turn->status          = BITACTOR_OK;
	turn->spent_counts    = 0;
	turn->handlers.result = 0;
	bitactor_engine_t *before = ba_engine_exchange_current(engine);
	turn_begin(engine);
	chunk.at[0].entry = entry;
	chunk.at[0].slot  = &engine->tick_slot;
	chunk.count       = 1;
	chunk.source      = BITACTOR_SOURCE_TICK;
	chunk.outside     = true;
	chunk.entry_flags = (uint16_t)(entry->flags | BA_ENTRY_EXACT);
	chunk.data_bytes  = 0;
	(void)ba_chunk_run(engine, &chunk);
	(void)ba_engine_exchange_current(before);
	BA_VERIFY((ba_engine_check(engine), true));
	if (engine->stop_asked)
		(void)stop_finish(engine);

	bool over = ba_is_over(turn->spent_counts, entry);
	if (result != NULL)
		*result = (bitactor_result_t){
			.value        = turn->handlers.result,
			.spent_counts = turn->spent_counts,
			.spent_ticks  = ba_counts_to_ticks_begun(turn->spent_counts,
			                                         engine->clock.hz, engine->tick_hz),
			.handler      = turn->status,
		};
	if (engine->recorder.sink_status != BITACTOR_OK)
		return BITACTOR_IO;
	return turn->status == BITACTOR_OK && over ? BITACTOR_TICK_EXCEEDED : turn->status;
}

bitactor_status_t
bitactor_tick(bitactor_engine_t *engine, const bitactor_signal_t *signal,
              bitactor_result_t *result)
{
	if (result != NULL)
		*result = (bitactor_result_t){ 0 };
	if (engine == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (ba_signal_check(engine, signal, 0) != BITACTOR_OK) {
		count_refused(engine, BITACTOR_INVALID_SIGNAL, 1);
		return BITACTOR_INVALID_SIGNAL;
	}
	bitactor_status_t status = try_lock(engine);
	if (status == BITACTOR_BUSY) {
		/* relaxed: a hint to the turn that runs, see tick_waits */
		atomic_fetch_add_explicit(&engine->tick_waiters, 1, memory_order_relaxed);
		status = ba_engine_lock(engine);
		atomic_fetch_sub_explicit(&engine->tick_waiters, 1, memory_order_relaxed);
	}
	if (status != BITACTOR_OK)
		return status;
	status = tick_run(engine, signal, result);
	ba_engine_unlock(engine);
	return status;
}

/* ---- stopping ----------------------------------------------------------- */

/* Work off what waits, then call off who waits, until neither is left. */
static void
stop_drain(bitactor_engine_t *engine, uint64_t turns)
{
	for (; turns > 0; turns--) {
		uint64_t          done   = 0;
		bitactor_status_t status = turn_run(engine, BITACTOR_MAX_SIGNALS, &done);
		if (status == BITACTOR_EMPTY) {
			if (!someone_awaits(engine))
				return;
			(void)cancel_waiters(engine); /* the rest in a later round */
		} else if (status != BITACTOR_OK) {
			return;
		}
	}
}

bitactor_status_t
bitactor_stop(bitactor_engine_t *engine, bool drain, uint64_t turns, uint64_t *discarded)
{
	uint64_t dropped = 0;
	if (engine == NULL)
		return BITACTOR_ERROR;
	if (discarded != NULL)
		*discarded = 0;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (ba_engine_is_dispatching(engine))
		return stop_stage(engine, drain);
	bitactor_status_t status = ba_engine_lock(engine);
	if (status != BITACTOR_OK)
		return status;

	stop_begin(engine, drain, 0);
	if (!engine->stopped) {
		if (drain)
			stop_drain(engine, turns);
		engine->stopped = stop_discard(engine, &dropped);
	}
	status = engine->stopped ? BITACTOR_OK : BITACTOR_BUSY;
	ba_engine_unlock(engine);
	if (discarded != NULL)
		*discarded = dropped;
	return status;
}

bitactor_status_t
bitactor_destroy(bitactor_engine_t *engine)
{
	if (engine == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (ba_engine_is_mine(engine))
		return BITACTOR_REENTRANT;
	fibers_end(engine);
	/* release: pairs with the acquire in ba_engine_is_live */
	atomic_store_explicit(&engine->magic, 0, memory_order_release);
	(void)pthread_mutex_destroy(&engine->lock);
	return BITACTOR_OK;
}

/* ---- what must hold ----------------------------------------------------- */

void
ba_engine_check(const bitactor_engine_t *engine)
{
	const ba_emits_t    *emits    = &engine->emits;
	const ba_recorder_t *recorder = &engine->recorder;

	BA_ASSERT(ba_queue_length(&engine->queue) <= engine->queue.capacity);
	BA_ASSERT(emits_waiting(engine) <= emits->capacity);
	BA_ASSERT(emits->staged == ba_count_get(&emits->tail));
	BA_ASSERT(engine->outputs.used == 0);
	BA_ASSERT(engine->ops.count == 0);
	BA_ASSERT(engine->turn.dirty == 0);
	if (recorder->ring == NULL)
		return;
	BA_ASSERT(ba_recorder_at(recorder) <= recorder->end);
	BA_ASSERT(recorder->end - ba_recorder_at(recorder) < BA_SLICE_BYTES + 1);
	BA_ASSERT(((uintptr_t)ba_recorder_at(recorder) & 31) == 0);
	BA_ASSERT(((uintptr_t)recorder->end & (BA_SLICE_BYTES - 1)) == 0);
	BA_ASSERT(recorder->seq == ba_count_get(&engine->records));
}
