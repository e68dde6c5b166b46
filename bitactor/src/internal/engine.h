/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h -- struct bitactor_engine and what its three files do for each other.
 *
 *      bitactor.c             life, the door, the turn, fibers, seeing
 *      bitactor_dispatch.c    the table, the dispatch, what a handler may call
 *      bitactor_telemetry.c   records, segments, roots; alone sees <blake3.h>
 *
 * Who writes what:
 *
 *      any thread                 queue.claim, the slots it claimed, pools.top,
 *                                 refused_*, tick_waiters
 *      the thread in the turn     everything else, under `lock`
 *
 * Counters that other threads may read while a turn runs are written with
 * relaxed stores by their one writer (ba_count_add).
 */
#ifndef BA_ENGINE_H
#define BA_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../include/bitactor/bitactor.h"
#include "../../include/bitactor/bitactor_dispatch.h"
#include "../../include/bitactor/bitactor_telemetry.h"
#include "cycles.h"
#include "histogram.h"
#include "invariant.h"
#include "pool.h"
#include "queue.h"

#define BA_ENGINE_LIVE UINT64_C(0x6E69674574634142) /* "BActEgin"; anything else: not ours */

enum {
	BA_CHUNK        = 64,    /* signals resolved, then dispatched, at a time       */
	BA_SLICE_BYTES  = 16384, /* hashed at a time: 2.4 us at 0.4 counts a byte, 2.6 GHz */
	BA_HASHER_BYTES = 1920,  /* of a blake3_hasher; checked in bitactor_telemetry.c */
	BA_TOUCHED_MAX  = 16,    /* ranges a dispatch; more are folded into the last    */
	BA_DIGEST_WHOLE = 256,   /* cells up to this many bytes are digested whole      */
	BA_SINGLES_AFTER_OVERRUN = 1024 /* timed by themselves after a batch overran     */
};

#define BA_LIKELY(x)   __builtin_expect(!!(x), 1)
#define BA_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- counters with one writer ------------------------------------------- */

typedef _Atomic uint64_t ba_count_t;

static inline uint64_t
ba_count_get(const ba_count_t *count)
{
	/* relaxed: a number that was true a moment ago */
	return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void
ba_count_set(ba_count_t *count, uint64_t value)
{
	/* relaxed: as above */
	atomic_store_explicit(count, value, memory_order_relaxed);
}

/* By its one writer: no read-modify-write is needed. */
static inline void
ba_count_add(ba_count_t *count, uint64_t more)
{
	ba_count_set(count, ba_count_get(count) + more);
}

/* ---- the dispatch table ------------------------------------------------- */

/* One line a kind.  `fn` is what the dispatch loop calls: the handler itself, or
 * one of the engine's own doors (reject, start a fiber, deliver to a waiter). */
typedef struct ba_entry {
	bitactor_handler_fn fn;
	void      *state;
	ba_count_t calls;
	uint32_t   budget_counts;  /* UINT32_MAX: not judged                            */
	uint16_t   flags;          /* BA_ENTRY_*                                        */
	uint8_t    digest_words;   /* whole words of a state of at most 256 bytes       */
	uint8_t    digest_tail;    /* bytes after the last whole word                   */
	bitactor_handler_fn own_fn; /* the registered handler; NULL: none                */
	uint32_t   state_bytes;
	uint32_t   first_waiter;   /* fiber index + 1 that awaits this kind, 0: none     */
	ba_count_t failed;
	uint32_t   budget_ticks;
	uint16_t   kind;
	uint8_t    retries;
	uint8_t    on_failure;     /* enum bitactor_failure_policy                      */
} ba_entry_t;

_Static_assert(sizeof(ba_entry_t) == 64, "one cache line a kind");
_Static_assert(offsetof(ba_entry_t, own_fn) == 32, "what the loop reads comes first");

enum {
	BA_ENTRY_FIBER = 1,
	BA_ENTRY_EXACT = 2,
	BA_ENTRY_DOOR  = 4, /* `fn` is not the handler, or may change while a chunk runs */
	BA_ENTRY_UNJUDGED = 8, /* budget_counts is UINT32_MAX                            */
	BA_ENTRY_QUARANTINED = 16 /* its signals are rejected until it is registered again */
};

static inline bool
ba_is_over(uint64_t spent_counts, const ba_entry_t *entry)
{
	return spent_counts > entry->budget_counts && entry->budget_counts != UINT32_MAX;
}

/* What timing adds to a kind, apart from the line that every dispatch reads. */
typedef struct ba_timing {
	ba_hist_small_t histogram;
	ba_count_t      max_counts;
	ba_count_t      overruns;
} ba_timing_t;

/* A signal and what is bound to its kind, resolved before its chunk runs. */
typedef struct ba_admitted {
	ba_entry_t *entry;
	ba_slot_t  *slot;
} ba_admitted_t;

/* What is dispatched in one go, and what all of it has in common. */
typedef struct ba_chunk {
	ba_admitted_t at[BA_CHUNK + 1]; /* at[count] repeats the last one: looking ahead */
	                                /* needs no test                                 */
	uint64_t budget_counts; /* of all                                        */
	uint32_t count;
	uint32_t from;          /* done before                                   */
	uint32_t source;        /* of signals from outside                       */
	bool     outside;
	uint16_t entry_flags;   /* BA_ENTRY_* of all, or-ed                      */
	uint32_t data_bytes;    /* of all, or-ed: 0 when none has data           */
} ba_chunk_t;

/* Dispatches that were timed by themselves and are not in the histograms yet: the
 * last chunk's.  A bucket has an address that waits for the reading of the counter,
 * and what comes after such a store waits for it; booked at once it costs 10 to 15
 * counts a dispatch more (docs/benchmarks.md, dispatch). */
typedef struct ba_timed {
	struct {
		const ba_entry_t *entry;
		uint64_t          spent;
	} at[BA_CHUNK];
	uint32_t count;
} ba_timed_t;

/* ---- the turn, as the engine sees it ------------------------------------ */

enum ba_dirty {
	BA_DIRTY_STAGED    = 1, /* emits, outputs or ops are staged        */
	BA_DIRTY_TOUCHED   = 2, /* ranges of a large cell were named       */
	BA_DIRTY_FIBER     = 4  /* a fiber ran: the effect covers its cell */
};

typedef struct ba_range {
	const uint8_t *start;
	size_t         bytes;
} ba_range_t;

typedef struct ba_turn {
	bitactor_turn_t handlers; /* calls, engine, result: what handlers see */
	uint32_t effect;          /* CRC32C of what was asked of the engine so far */
	uint32_t dirty;           /* enum ba_dirty */

	const ba_admitted_t *at;  /* the one in dispatch */
	struct ba_fiber *enter, *home; /* to switch to, from; NULL: the door wants none  */
	ba_entry_t *cell;         /* whose cell the effect covers, under BA_DIRTY_FIBER */
	const void *cell_state;   /* and where it lies                                  */
	bool     again;           /* the rest of the chunk is to be resolved again      */
	uint64_t now_ns;
	bool     now_known;
	bool     outside;         /* this chunk came from outside */
	uint32_t randoms;         /* drawn in this dispatch */
	uint64_t random_order;    /* the dispatch they were drawn in */
	const ba_admitted_t *first; /* of the chunk; gives a dispatch its number in it */
	uint32_t source;            /* of the chunk, if it is from outside              */

	uint32_t   touched;
	ba_range_t touched_range[BA_TOUCHED_MAX];

	bitactor_status_t status; /* of the last dispatch; the loop writes failures only */
	uint64_t spent_counts;    /* of the last dispatch timed by itself */
} ba_turn_t;

_Static_assert(sizeof(bitactor_turn_t) == 24, "result, effect and dirty are 16 bytes in a row");
_Static_assert(offsetof(ba_turn_t, effect) == 24, "zeroed by one store with result");
_Static_assert(offsetof(ba_turn_t, dirty) == 28, "zeroed by one store with result");

/* ---- what a handler asked for besides emits and outputs ------------------ */

enum ba_op_what {
	BA_OP_REGISTER, /* or, with fn NULL, unregister */
	BA_OP_STOP      /* the engine                   */
};

/* One thing that takes hold when the dispatch answers OK. */
typedef struct ba_op {
	enum ba_op_what what;
	union {
		bitactor_handler_t handler;
		bool               drain;
	} of;
} ba_op_t;

enum { BA_OPS_MAX = 32 }; /* a dispatch; more are FULL */

typedef struct ba_ops {
	ba_op_t  at[BA_OPS_MAX];
	uint32_t count;
} ba_ops_t;

/* ---- the internal queue ------------------------------------------------- */

/* Emits: only the dispatching thread touches it.  [head, tail) waits, [tail,
 * staged) belongs to the dispatch that is running.  A slot's `sequence` holds
 * the seq of the record that emitted it. */
typedef struct ba_emits {
	ba_slot_t *slots;
	uint64_t   capacity, mask;
	ba_count_t head, tail;
	uint64_t   staged;
	ba_count_t high;
} ba_emits_t;

typedef struct ba_outputs {
	uint8_t *bytes; /* staged: {u32 port, u32 bytes, data padded to 8}... */
	uint32_t capacity, used, count;
} ba_outputs_t;

typedef struct ba_output_head {
	uint32_t port, byte_count;
} ba_output_head_t;

/* ---- dead letters ------------------------------------------------------- */

/* The newest that fit, oldest first from `first` on; the dispatching thread's. */
typedef struct ba_letters {
	bitactor_dead_letter_t *at;
	uint8_t   *data;       /* data_max bytes each */
	uint32_t   capacity, first;
	ba_count_t count, lost;
} ba_letters_t;

/* ---- the recorder ------------------------------------------------------- */

typedef struct ba_recorder {
	uint8_t *ring;      /* NULL: nothing is recorded; aligned to 64 KiB            */
	uint32_t segments;
	bool     closed;
	bool     hw_crc;

	_Atomic(uint8_t *) at; /* where the next record goes, and what a last gasp saves */
	uint8_t *end;       /* of the slice that `at` is in: there ba_record_slice runs  */
	uint64_t seq;       /* of the next compared record                              */
	uint32_t nonce;     /* CRC32C state after uuid and segment                      */
	uint32_t handed;    /* bytes of this segment that the sink has                  */
	uint32_t slices;    /* boundaries passed; tells the loop that time went by      */

	ba_count_t segment; /* number of the one that is written                        */
	uint64_t first_seq, turn_begin;

	/* Hashing runs one segment behind, a slice at each boundary. */
	const uint8_t *hash_next;
	uint32_t hash_left; /* slices */
	uint8_t  root[BITACTOR_DIGEST_BYTES]; /* of segment - 1, once hash_left is 0 */
	_Alignas(8) uint8_t hasher[BA_HASHER_BYTES];

	bitactor_status_t sink_status;
} ba_recorder_t;

static inline uint8_t *
ba_recorder_at(const ba_recorder_t *recorder)
{
	/* relaxed: ours; and a signal handler of a dying process looks at it */
	return atomic_load_explicit(&recorder->at, memory_order_relaxed);
}

static inline void
ba_recorder_go(ba_recorder_t *recorder, uint8_t *at)
{
	/* relaxed: as above */
	atomic_store_explicit(&recorder->at, at, memory_order_relaxed);
}

/* ---- fibers ------------------------------------------------------------- */

typedef struct ba_fibers ba_fibers_t; /* bitactor.c's own, at the start of their block */

/* ---- the engine --------------------------------------------------------- */

typedef uint32_t (*ba_run_fn)(bitactor_engine_t *engine, const ba_chunk_t *chunk);

struct bitactor_engine {
	_Atomic uint64_t magic;
	bitactor_config_t config;
	bitactor_host_t    host;
	bitactor_counter_t counter;
	bitactor_sink_t    sink;
	bitactor_outlet_t  outlet;

	ba_cycles_t clock;
	uint64_t    tick_hz;

	/* the table: entries 0..kinds-1, then the one that rejects every other
	 * kind, then the one that resumes fibers */
	ba_entry_t  *table;
	ba_timing_t *timing;
	uint32_t     kinds;

	/* how chunks run; chosen at init from recorder, CPU and timing */
	ba_run_fn run[4]; /* by batch, each, and the same with doors */

	ba_queue_t queue;
	ba_pool_t  data, emit_data;

	/* touched by refused callers only */
	_Alignas(BA_APART) _Atomic uint64_t refused_full;
	_Atomic uint64_t refused_data, refused_invalid, refused_closed;
	_Atomic uint32_t tick_waiters;

	/* the dispatching thread's */
	_Alignas(BA_APART) pthread_mutex_t lock;
	_Atomic uintptr_t owner; /* pthread_self of who is in a turn, 0: nobody */
	_Alignas(16) ba_turn_t turn;
	ba_emits_t    emits;
	ba_outputs_t  outputs;
	ba_ops_t      ops;
	ba_letters_t  letters;
	ba_recorder_t recorder;
	ba_fibers_t  *fibers;
	ba_slot_t     tick_slot;

	ba_count_t resumes_waiting; /* in the internal queue; they are nobody's signals */
	uint64_t turn_number;
	uint64_t last_now_ns;
	uint32_t singles_left;    /* dispatches still timed by themselves */
	bool     stopped;
	bool     stop_asked;      /* by a handler: when its turn ends, discard */

	ba_count_t ticks;         /* signals that came through tick            */
	ba_count_t order;         /* dispatches, rejections and resumptions so far */
	ba_count_t dispatched, rejected, dropped, failed, undone, emitted, emit_full, emit_invalid;
	ba_count_t output_count, resumed, turns, overruns, batch_overruns, clock_backward;
	ba_count_t stalled_claims, queue_high, records, retried, quarantines, quarantined;
	ba_hist_t  latency;
	ba_timed_t timed; /* belongs in `latency` and `timing` */
};

/* The engine's counter, now. */
static inline uint64_t
ba_engine_counts(const bitactor_engine_t *engine)
{
	if (BA_UNLIKELY(engine->counter.read != NULL))
		return engine->counter.read(engine->counter.context);
	return ba_cycles_read(&engine->clock);
}

/* What bitactor.c offers the others. */
bool ba_engine_is_live(const bitactor_engine_t *engine);
bool ba_engine_is_mine(const bitactor_engine_t *engine); /* this thread is in its turn */
bool ba_engine_is_dispatching(const bitactor_engine_t *engine); /* and in a handler */
/* The engine whose dispatch runs on this thread; the one before is returned.
 * NULL while a sink or an outlet is called: what they send comes from outside. */
bitactor_engine_t *ba_engine_exchange_current(bitactor_engine_t *engine);
void ba_engine_check(const bitactor_engine_t *engine);
bitactor_status_t ba_engine_lock(bitactor_engine_t *engine);
bitactor_status_t ba_engine_enter(bitactor_engine_t *engine); /* the same, any pointer */
void ba_engine_unlock(bitactor_engine_t *engine);
uint64_t ba_engine_now(bitactor_engine_t *engine);
bitactor_status_t ba_signal_check(const bitactor_engine_t *engine,
                                  const bitactor_signal_t *signal, size_t data_bytes);

bitactor_status_t ba_fiber_start(bitactor_turn_t *turn, const bitactor_signal_t *signal,
                                 void *state);
bitactor_status_t ba_fiber_resume(bitactor_turn_t *turn, const bitactor_signal_t *signal,
                                  void *state);
bool ba_fiber_awaits(const bitactor_engine_t *engine, const ba_entry_t *entry, uint32_t actor);
bitactor_status_t ba_fiber_deliver(bitactor_turn_t *turn, const bitactor_signal_t *signal,
                                   void *state);
bool ba_fiber_lives(const bitactor_engine_t *engine, const ba_entry_t *entry);
bitactor_status_t ba_fiber_left(bitactor_engine_t *engine);
bitactor_status_t ba_fiber_yield(bitactor_turn_t *turn);
bitactor_status_t ba_fiber_await(bitactor_turn_t *turn, uint16_t kind,
                                 bitactor_signal_t *signal);

/* What bitactor_dispatch.c offers. */
extern const bitactor_turn_calls_t ba_turn_calls;
void ba_table_init(bitactor_engine_t *engine);
void ba_timed_book(bitactor_engine_t *engine); /* between chunks, under the lock */
/* Dispatch a resolved chunk; answers how many are done, at least one.  The others
 * are to be resolved again. */
uint32_t ba_chunk_run(bitactor_engine_t *engine, ba_chunk_t *chunk);
ba_op_t *ba_op_stage(bitactor_engine_t *engine, enum ba_op_what what);
void ba_op_apply(bitactor_engine_t *engine, const ba_op_t *op, uint32_t cause);
void ba_op_undo(bitactor_engine_t *engine, const ba_op_t *op);
void ba_engine_stop_ask(bitactor_engine_t *engine, bool drain, uint32_t cause);
void ba_entry_refresh(ba_entry_t *entry); /* choose `fn` again */
bitactor_status_t ba_emit_stage(bitactor_engine_t *engine, const bitactor_signal_t *signal,
                                const void *data, size_t data_bytes);
bitactor_status_t ba_emit_stage_resume(bitactor_engine_t *engine, uint32_t actor,
                                       uint32_t number);
bool ba_emit_now(bitactor_engine_t *engine, const bitactor_signal_t *signal);
void ba_effect_word(bitactor_engine_t *engine, uint64_t word);

/* What was asked of the engine is folded into turn.effect as it is asked, each
 * under its tag. */
enum ba_effect_tag {
	BA_EFFECT_EMIT    = 1, /* the signal's 48 bytes, its data            */
	BA_EFFECT_OUTPUT  = 2, /* port | bytes << 32, the bytes              */
	BA_EFFECT_TOUCHED = 3, /* offset in the cell, bytes, the bytes       */
	BA_EFFECT_AWAIT   = 4, /* kind << 32, in the same word               */
	BA_EFFECT_YIELD   = 5,
	BA_EFFECT_STOP    = 7, /* drain << 32, in the same word */
	BA_EFFECT_REGISTER = 6 /* kind << 16 | flags << 32, in the same word; budget ticks */
};

static inline ba_entry_t *
ba_entry_of(const bitactor_engine_t *engine, uint16_t kind)
{
	return engine->table + (kind < engine->kinds ? kind : engine->kinds);
}

static inline ba_entry_t *
ba_entry_that_resumes(const bitactor_engine_t *engine)
{
	return engine->table + engine->kinds + 1;
}

static inline bitactor_engine_t *
ba_turn_engine(bitactor_turn_t *turn)
{
	return (bitactor_engine_t *)(uintptr_t)turn->engine_private;
}

/* What bitactor_telemetry.c offers. */
void ba_recorder_init(bitactor_engine_t *engine, uint8_t *ring);
void ba_record_slice(bitactor_engine_t *engine);
void ba_record_reserve(bitactor_engine_t *engine, uint32_t slots, uint32_t data_bytes);
void ba_record_data(bitactor_engine_t *engine, const void *bytes, size_t byte_count,
                    uint8_t flags);

/* A whole record of the engine's own, at once. */
typedef struct ba_record_spec {
	uint16_t kind;
	uint8_t  flags;  /* besides WRITTEN */
	uint32_t actor, cause;
	uint64_t payload;
	const uint64_t *own; /* four words, or NULL */
	const void *data;    /* DATA records behind it, or NULL */
	size_t      data_bytes;
} ba_record_spec_t;

void ba_record_put(bitactor_engine_t *engine, const ba_record_spec_t *spec);

/* Flags of a record of something that was asked for by the record `cause` back, or,
 * with 0, by the program. */
static inline uint8_t
ba_asked_by(uint32_t cause)
{
	return cause == 0 ? BITACTOR_RECORD_OUTSIDE : 0;
}

extern uint32_t ba_crc32c_table[8][256];
bool ba_crc32c_ready(void); /* fills the table once; true: the CPU computes CRC32C */
const char *ba_crc32c_path(void); /* "sse4.2", "armv8-crc" or "table" */
const char *ba_blake3_version(void);
const char *ba_blake3_path(void); /* what its dispatcher chooses on this machine */
void ba_derive_uuid(const bitactor_config_t *config, uint8_t uuid[16]);

#endif
