/* SPDX-License-Identifier: Apache-2.0 */
/* seeing.h -- the engine's numbers and words; a part of bitactor.c alone.
 *
 *      offered  = accepted + refused
 *      accepted = dispatched + rejected + dropped + queued
 *
 * Nothing is counted twice to make this true: accepted is the number of claims,
 * ticks and emits; queued is what lies in the two queues; and each dispatch adds
 * to exactly one of the others.
 */
#ifndef BA_SEEING_H
#define BA_SEEING_H

#include "engine.h"
#include "fiber.h"

/* A reader waits for a running turn, but not inside one of its own handlers:
 * there it reads what is there.  True if it holds the lock now. */
static bool
look_begin(const bitactor_engine_t *engine)
{
	/* a reader changes the lock, and puts what was timed where it is counted */
	bitactor_engine_t *changed = (bitactor_engine_t *)(uintptr_t)engine;
	if (ba_engine_lock(changed) != BITACTOR_OK)
		return false;
	ba_timed_book(changed);
	return true;
}

static void
look_end(const bitactor_engine_t *engine, bool locked)
{
	if (locked)
		ba_engine_unlock((bitactor_engine_t *)(uintptr_t)engine);
}

/* relaxed: a number that was true a moment ago */
static uint64_t
shared_get(const _Atomic uint64_t *count)
{
	return atomic_load_explicit(count, memory_order_relaxed);
}

static void
stats_fill(const bitactor_engine_t *engine, bitactor_stats_t *stats)
{
	*stats = (bitactor_stats_t){
		.refused_full    = shared_get(&engine->refused_full) +
		                   ba_count_get(&engine->emit_full),
		.refused_data    = shared_get(&engine->refused_data),
		.refused_invalid = shared_get(&engine->refused_invalid) +
		                   ba_count_get(&engine->emit_invalid),
		.refused_closed  = shared_get(&engine->refused_closed),
		.dispatched      = ba_count_get(&engine->dispatched),
		.rejected        = ba_count_get(&engine->rejected),
		.dropped         = ba_count_get(&engine->dropped),
		.queued          = bitactor_pending_count(engine),
		.failed          = ba_count_get(&engine->failed),
		.retried         = ba_count_get(&engine->retried),
		.quarantines     = ba_count_get(&engine->quarantines),
		.quarantined     = ba_count_get(&engine->quarantined),
		.dead_letters    = ba_count_get(&engine->letters.count),
		.dead_lost       = ba_count_get(&engine->letters.lost),
		.undone          = ba_count_get(&engine->undone),
		.emitted         = ba_count_get(&engine->emitted),
		.outputs         = ba_count_get(&engine->output_count),
		.resumed         = ba_count_get(&engine->resumed),
		.turns           = ba_count_get(&engine->turns),
		.overruns        = ba_count_get(&engine->overruns),
		.batch_overruns  = ba_count_get(&engine->batch_overruns),
		.clock_backward  = ba_count_get(&engine->clock_backward),
		.stalled_claims  = ba_count_get(&engine->stalled_claims),
		.queue_high      = ba_count_get(&engine->queue_high),
		.emit_high       = ba_count_get(&engine->emits.high),
		.records         = ba_count_get(&engine->records),
	};
	stats->refused = stats->refused_full + stats->refused_data + stats->refused_invalid +
	                 stats->refused_closed;
	stats->accepted = ba_queue_claimed(&engine->queue) + ba_count_get(&engine->ticks) +
	                  stats->emitted;
	stats->offered  = stats->accepted + stats->refused;
	if (engine->recorder.ring != NULL)
		stats->segments = ba_count_get(&engine->recorder.segment) + 1;
}

bitactor_status_t
bitactor_stats(const bitactor_engine_t *engine, bitactor_stats_t *stats)
{
	if (engine == NULL || stats == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	bool locked = look_begin(engine);
	stats_fill(engine, stats);
	look_end(engine, locked);
	return BITACTOR_OK;
}

bitactor_status_t
bitactor_kind_stats(const bitactor_engine_t *engine, uint16_t kind, bitactor_kind_stats_t *stats)
{
	if (engine == NULL || stats == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	if (kind >= engine->kinds)
		return BITACTOR_ERROR;
	bool locked = look_begin(engine);
	const ba_entry_t  *entry  = &engine->table[kind];
	const ba_timing_t *timing = &engine->timing[kind];
	*stats = (bitactor_kind_stats_t){
		.dispatched    = ba_count_get(&entry->calls),
		.failed        = ba_count_get(&entry->failed),
		.overruns      = ba_count_get(&timing->overruns),
		.max_counts    = ba_count_get(&timing->max_counts),
		.budget_ticks  = entry->budget_ticks,
		.budget_counts = entry->budget_counts,
	};
	look_end(engine, locked);
	return BITACTOR_OK;
}

bool
bitactor_is_registered(const bitactor_engine_t *engine, uint16_t kind)
{
	if (engine == NULL || !ba_engine_is_live(engine) || kind >= engine->kinds)
		return false;
	bool locked = look_begin(engine);
	bool there  = engine->table[kind].own_fn != NULL;
	look_end(engine, locked);
	return there;
}

uint64_t
bitactor_pending_count(const bitactor_engine_t *engine)
{
	if (engine == NULL || !ba_engine_is_live(engine))
		return 0;
	const ba_emits_t *emits = &engine->emits;
	/* head first, then the tail that only grows: never negative.
	 * acquire: keeps the two loads in this order */
	uint64_t head = atomic_load_explicit(&emits->head, memory_order_acquire);
	uint64_t waiting = ba_count_get(&emits->tail) - head;
	uint64_t resumes = ba_count_get(&engine->resumes_waiting);
	waiting = waiting < emits->capacity ? waiting : emits->capacity;
	return ba_queue_length(&engine->queue) + (waiting > resumes ? waiting - resumes : 0);
}

bitactor_status_t
bitactor_latency(const bitactor_engine_t *engine, uint32_t ppm, uint64_t *counts,
                 uint64_t *samples)
{
	if (engine == NULL || counts == NULL || ppm > BA_HIST_PPM)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	bool     locked = look_begin(engine);
	uint64_t count  = ba_hist_count(&engine->latency);
	if (samples != NULL)
		*samples = count;
	if (count > 0)
		*counts = ba_hist_quantile(&engine->latency, ppm);
	look_end(engine, locked);
	return count > 0 ? BITACTOR_OK : BITACTOR_EMPTY;
}

bitactor_status_t
bitactor_clock_info(const bitactor_engine_t *engine, bitactor_clock_info_t *info)
{
	if (engine == NULL || info == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	*info = (bitactor_clock_info_t){
		.name                = engine->clock.name,
		.hz                  = engine->clock.hz,
		.read_counts         = engine->clock.read_counts,
		.counts_per_tick_q32 = ba_counts_per_tick_q32(engine->clock.hz, engine->tick_hz),
	};
	return BITACTOR_OK;
}

uint64_t
bitactor_counts_to_ns(const bitactor_engine_t *engine, uint64_t counts)
{
	if (engine == NULL || !ba_engine_is_live(engine))
		return 0;
	return ba_counts_to_ns(counts, engine->clock.hz);
}

void
bitactor_build_info(bitactor_build_info_t *info)
{
	if (info == NULL)
		return;
	*info = (bitactor_build_info_t){
		.version          = BITACTOR_VERSION,
		.blake3_version   = ba_blake3_version(),
		.blake3_path      = ba_blake3_path(),
		.crc_path         = ba_crc32c_path(),
		.fiber_switch     = ba_fiber_name(),
		.cache_line_bytes = BA_CACHE_LINE,
		.signal_bytes     = sizeof(bitactor_signal_t),
		.slot_bytes       = sizeof(ba_slot_t),
		.record_bytes     = BITACTOR_RECORD_BYTES,
		.segment_bytes    = BITACTOR_SEGMENT_BYTES,
	};
}

/* ---- words for statuses ------------------------------------------------- */

static const struct status_words {
	const char *name, *text;
} status_words[] = {
	[BITACTOR_OK]             = { "OK", "it was done" },
	[BITACTOR_INVALID_SIGNAL] = { "INVALID_SIGNAL",
	                              "the signal can never be right, or nobody is registered" },
	[BITACTOR_TICK_EXCEEDED]  = { "TICK_EXCEEDED", "it was done, but over its budget" },
	[BITACTOR_ERROR]          = { "ERROR", "a wrong argument, or the handler's own failure" },
	[BITACTOR_FULL]           = { "FULL", "nothing was taken; try again after a turn" },
	[BITACTOR_BUSY]           = { "BUSY", "a claim ahead is not published yet" },
	[BITACTOR_CLOSED]         = { "CLOSED", "the engine is stopping or gone" },
	[BITACTOR_EMPTY]          = { "EMPTY", "nothing was waiting" },
	[BITACTOR_STALE]          = { "STALE", "what it names is gone" },
	[BITACTOR_FAULT]          = { "FAULT", "the handler faulted and was contained" },
	[BITACTOR_CANCELLED]      = { "CANCELLED", "what was waited for was called off" },
	[BITACTOR_TIMEOUT]        = { "TIMEOUT", "the deadline passed first" },
	[BITACTOR_REENTRANT]      = { "REENTRANT", "called from a handler of this engine" },
	[BITACTOR_WRONG_THREAD]   = { "WRONG_THREAD", "fibers stay on the thread that ran one" },
	[BITACTOR_UNSUPPORTED]    = { "UNSUPPORTED", "this engine, build or machine cannot do it" },
	[BITACTOR_IO]             = { "IO", "the sink could not keep what it was given" },
	[BITACTOR_CORRUPT]        = { "CORRUPT", "the bytes are not what they claim to be" },
	[BITACTOR_STUCK]          = { "STUCK", "a handler does not come back" },
};

static const struct status_words *
words_of(bitactor_status_t status)
{
	static const struct status_words unknown = { "UNKNOWN", "no such status" };
	size_t number = (size_t)status;
	return number < sizeof status_words / sizeof *status_words ? &status_words[number]
	                                                           : &unknown;
}

const char *
bitactor_status_name(bitactor_status_t status)
{
	return words_of(status)->name;
}

const char *
bitactor_status_text(bitactor_status_t status)
{
	return words_of(status)->text;
}

#endif
