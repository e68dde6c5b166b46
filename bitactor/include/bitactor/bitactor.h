/* SPDX-License-Identifier: Apache-2.0 */
/* bitactor.h -- the engine: signals go in, handlers run, in one total order.
 *
 *      any thread                     one thread at a time
 *      enqueue ----> shared queue --> turn: admit -> dispatch -> record
 *      tick -------------------------> a turn of one      |
 *                        internal queue <--- emit --------+
 *
 * A program asks for the size of an engine, brings the memory, and uses it:
 *
 *      bitactor_config_t config;
 *      bitactor_config_default(&config);
 *      void *block = aligned_alloc(64, bitactor_engine_bytes(&config));
 *      bitactor_engine_t *engine;
 *      bitactor_engine_init(block, bitactor_engine_bytes(&config), &config, &engine);
 *
 * or takes the process's own with bitactor_init().  After init nothing is
 * allocated; the core starts no thread, opens no file and reads no clock but
 * the counter and the host it was given.  The block holds atomics and interior
 * pointers: it must not move while the engine lives.
 *
 * Every public function checks its arguments: a NULL signal answers
 * BITACTOR_INVALID_SIGNAL, any other NULL BITACTOR_ERROR, a destroyed engine
 * BITACTOR_CLOSED.  Handlers are in bitactor_dispatch.h, the trace in
 * bitactor_telemetry.h.
 */
#ifndef BITACTOR_BITACTOR_H
#define BITACTOR_BITACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define BITACTOR_API __attribute__((visibility("default")))
#else
#define BITACTOR_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define BITACTOR_VERSION_MAJOR 0
#define BITACTOR_VERSION_MINOR 1
#define BITACTOR_VERSION_PATCH 0
#define BITACTOR_VERSION "0.1.0"

enum {
	BITACTOR_MAX_SIGNALS = 1024,       /* slots of the default shared queue            */
	BITACTOR_MAX_KINDS   = 0xFF00,     /* kinds 0..0xFEFF are the user's               */
	BITACTOR_TICK_BUDGET = 8,          /* ticks a dispatch may take by default         */
	BITACTOR_TICK_HZ     = 24000000    /* one tick is 1/24 MHz = 41.67 ns              */
};

/* What a call answers.  Numbers are never reused; a name and a sentence come
 * from bitactor_status_name() and bitactor_status_text(). */
typedef enum bitactor_status {
	BITACTOR_OK             = 0,
	BITACTOR_INVALID_SIGNAL = 1,  /* the signal can never be right, or nobody is registered */
	BITACTOR_TICK_EXCEEDED  = 2,  /* it was done, but took longer than its budget           */
	BITACTOR_ERROR          = 3,  /* a wrong argument, or a handler's own failure           */
	BITACTOR_FULL           = 4,  /* nothing was taken; try again after a turn              */
	BITACTOR_BUSY           = 5,  /* a claim ahead is not published yet; nothing was done   */
	BITACTOR_CLOSED         = 6,  /* the engine is stopping or gone                         */
	BITACTOR_EMPTY          = 7,  /* nothing was waiting                                    */
	BITACTOR_STALE          = 8,  /* the reference names someone who is gone                */
	BITACTOR_FAULT          = 9,  /* the handler faulted and was contained                  */
	BITACTOR_CANCELLED      = 10, /* what was waited for was called off                     */
	BITACTOR_TIMEOUT        = 11, /* the deadline passed first                              */
	BITACTOR_REENTRANT      = 12, /* the call came from inside a handler of this engine     */
	BITACTOR_WRONG_THREAD   = 13, /* fibers stay on the thread that first ran one           */
	BITACTOR_UNSUPPORTED    = 14, /* this engine, build or machine cannot do it             */
	BITACTOR_IO             = 15, /* the sink could not keep what it was given              */
	BITACTOR_CORRUPT        = 16, /* bytes that do not say what they claim to say           */
	BITACTOR_STUCK          = 17  /* a handler does not come back                           */
} bitactor_status_t;

/* A signal: a plain value, 48 bytes, no padding, no pointer. */
typedef struct bitactor_signal {
	uint32_t id;         /* sender's correlation id                         */
	uint32_t actor;      /* destination; 0: the kind's own handler          */
	uint16_t kind;       /* 0..0xFEFF                                       */
	uint8_t  priority;
	uint8_t  flags;      /* sender's, opaque                                */
	uint32_t data_bytes; /* of attached data; set by bitactor_enqueue_data  */
	uint64_t payload;
	uint64_t context;
	uint64_t timestamp;  /* sender's ns, opaque                             */
	uint32_t seal;       /* for the door alone: a handler sees 0            */
	uint32_t reserved;   /* 0, else the signal is invalid                   */
} bitactor_signal_t;

typedef struct bitactor_engine bitactor_engine_t;

/* ---- what the core may not do itself, it asks for ------------------------ */

/* One dispatching thread as its host sees it: what it runs, and whether it may be
 * taken back.  The engine owns it, one an engine; `busy`, `hold` and `condemned`
 * are read and written by other threads and by signal handlers, with the
 * compiler's __atomic operations, relaxed: the host decides on the dispatching
 * thread itself, so one store of the engine's (busy = 0) decides. */
typedef struct bitactor_watched {
	uint64_t busy;      /* number of the dispatch in progress << 1 | it is CONTAINED; 0: none */
	uint64_t hold;      /* not 0: inside a call into the engine; a fault is the engine's     */
	uint64_t condemned; /* the host's: the `busy` that it is about to take back; else 0      */
	uint64_t stuck;     /* the host says here which `busy` it will not take back; it may be  */
	                    /* over by then, so compare; the engine sets it back to 0            */
	uint64_t limit_ns;  /* how long a dispatch may take; 0: no limit                         */
	uint64_t host[8];   /* the host's own                                                    */
} bitactor_watched_t;

/* How a contained run ended. */
enum bitactor_outcome_what {
	BITACTOR_RETURNED  = 0, /* it came back by itself              */
	BITACTOR_FAULTED   = 1, /* by a fault of its own               */
	BITACTOR_ABANDONED = 2  /* taken back, over its hard limit     */
};

typedef struct bitactor_outcome {
	int32_t  what;    /* enum bitactor_outcome_what                  */
	int32_t  signal;  /* of a fault: SIGSEGV, SIGBUS, SIGFPE, SIGILL */
	uint64_t address; /* of a fault: where                           */
} bitactor_outcome_t;

/* A word of the calling thread that its system clears whenever the thread leaves
 * its CPU or gets a signal: `armed` is stored there before a dispatch and looked for
 * after it.  Store 0 when the last look is done: armed, it points into the host. */
typedef struct bitactor_witness {
	uint64_t *word;
	uint64_t  armed;
} bitactor_witness_t;

/* Of the calling thread, since it began. */
typedef struct bitactor_cpu_times {
	uint64_t cpu_ns;
	uint64_t voluntary, involuntary; /* times it left its CPU */
} bitactor_cpu_times_t;

/* Services of the world.  The table is copied; `context` must outlive the
 * engine.  Any entry may be NULL: then time comes from the counter alone, fiber
 * stacks have a canary instead of a guard, no overrun is called preempted, waiting
 * spins and yields, nothing is contained and no limit is hard. */
typedef struct bitactor_host {
	void *context;
	uint64_t (*now_ns)(void *context); /* the clock; read once a turn, never inside */
	/* on: make [address, address + bytes) inaccessible; else accessible again. */
	bool (*protect)(void *context, void *address, size_t bytes, bool on);

	/* The word of this thread; false: there is none.  Once a turn at most. */
	bool (*witness)(void *context, bitactor_witness_t *witness);
	bool (*cpu_times)(void *context, bitactor_cpu_times_t *times);

	/* Wait until wake, or until now_ns says `deadline_ns` (UINT64_MAX: no end), or
	 * for no reason.  A wake that came since the last park ended ends this one. */
	void (*park)(void *context, uint64_t deadline_ns);
	void (*wake)(void *context);    /* any thread, and signal handlers; keeps errno      */
	bool (*barrier)(void *context); /* orders the memory of all threads; false: it cannot */

	/* Call run(argument); come back also when a CONTAINED dispatch in it faults or
	 * is abandoned, on this stack, with everything between left as it is and `busy`
	 * 0.  Only the innermost contain of a thread counts, and only while `hold` is 0. */
	bitactor_outcome_t (*contain)(void *context, bitactor_watched_t *watched,
	                              void (*run)(void *argument), void *argument);
	/* Look at `watched` from now on and take a CONTAINED dispatch back that is over
	 * its limit, or say that it is stuck; or look no more.  False: it cannot. */
	bool (*watch)(void *context, bitactor_watched_t *watched, bool on);
} bitactor_host_t;

/* A counter in place of the machine's (rdtsc, cntvct_el0), for tests and
 * simulation.  `hz` 0 means unknown: budgets are then not judged. */
typedef struct bitactor_counter {
	void *context;
	uint64_t (*read)(void *context);
	uint64_t hz;
} bitactor_counter_t;

/* Who keeps the records.  Called on the dispatching thread, never inside a
 * dispatch: bytes [from, to) of segment number `segment` are new; `bytes` is
 * the start of that segment and is valid during the call.  `sealed`: the
 * segment is complete and its header, the first 128 bytes, is now final.
 * Anything but BITACTOR_OK is remembered: no record is handed on afterwards,
 * and bitactor_drain and bitactor_tick answer BITACTOR_IO. */
typedef struct bitactor_sink {
	void *context;
	bitactor_status_t (*take)(void *context, uint64_t segment, const uint8_t *bytes,
	                          uint32_t from, uint32_t to, bool sealed);
} bitactor_sink_t;

/* Where outputs go.  Called on the dispatching thread after the dispatch that
 * made them has been recorded; `bytes` is valid during the call. */
typedef struct bitactor_outlet {
	void *context;
	void (*deliver)(void *context, uint32_t port, const void *bytes, size_t byte_count);
} bitactor_outlet_t;

enum bitactor_config_flags {
	BITACTOR_TIME_EACH = 1, /* time every dispatch by itself, not batches of up to 64 */
	BITACTOR_TICK_RAW  = 2, /* a tick is one count of the counter                    */
	BITACTOR_VIRTUAL   = 4  /* no measured record is written; host.now_ns is virtual */
};

/* Limits, given once; memory follows from them.  Start from
 * bitactor_config_default().  Powers of two where said. */
typedef struct bitactor_config {
	uint32_t kinds;             /* size of the dispatch table, 1..0xFF00                  256 */
	uint32_t queue_slots;       /* shared queue, power of two, 2..2^20                   1024 */
	uint32_t emit_slots;        /* internal queue, power of two, 2..2^20                 1024 */
	uint32_t data_max;          /* most bytes a signal may attach, multiple of 8, 0..32768 64 */
	uint32_t data_blocks;       /* signals with data that may wait in the shared queue    128 */
	uint32_t emit_data_blocks;  /* the same for the internal queue                        128 */
	uint32_t dead_letters;      /* that are kept, 0..65536                               16 */
	uint32_t output_max;        /* bytes of output a dispatch may stage, multiple of 8:  4096 */
	                            /* each output takes 8 more, rounded up to a multiple of 8  */
	uint32_t segments;          /* of the telemetry ring, 64 KiB each: 0, or 2..2^16        2 */
	uint32_t fibers;            /* that may be live at once, 0..65535                       0 */
	uint32_t fiber_stack_bytes; /* each, multiple of 4096, at least 16384               65536 */
	uint32_t budget_ticks;      /* of a handler that names none                             8 */
	uint32_t flags;             /* enum bitactor_config_flags                               0 */
	uint64_t seed;              /* of bitactor_random; goes into the trace                  0 */
	uint8_t  uuid[16];          /* of the trace; all zero: derived from configuration, seed  */
	uint64_t schema;            /* first 8 bytes of the schema's BLAKE3, little-endian      0 */
	const bitactor_host_t    *host;    /* NULL: none */
	const bitactor_counter_t *counter; /* NULL: the machine's */
	const bitactor_sink_t    *sink;    /* NULL: the ring keeps the newest segments only */
	const bitactor_outlet_t  *outlet;  /* NULL: outputs are recorded and go nowhere */
} bitactor_config_t;

/* ---- life ------------------------------------------------------------------ */

/* Fill in the defaults shown above. */
BITACTOR_API void bitactor_config_default(bitactor_config_t *config);

/* Bytes that an engine of these limits needs; 0 if a limit is out of range.
 * NULL means the defaults. */
BITACTOR_API size_t bitactor_engine_bytes(const bitactor_config_t *config);

/* Make an engine in the caller's block.
 *
 *   block     aligned to 64, stays the caller's, must not move until destroy
 *   bytes     at least bitactor_engine_bytes(config)
 *   config    copied with the tables it points to; NULL means the defaults
 *   returns   BITACTOR_OK, or BITACTOR_ERROR (a NULL, a limit out of range, a
 *             block too small or misaligned)
 *   threads   none may use the block meanwhile
 *   cost      touches the whole block; the first call of a process calibrates
 *             the counter for 1 ms
 */
BITACTOR_API bitactor_status_t bitactor_engine_init(void *block, size_t bytes,
                                                    const bitactor_config_t *config,
                                                    bitactor_engine_t **engine);

/* Bytes of stacks that `config->fibers` fibers need, guards included. */
BITACTOR_API size_t bitactor_fibers_bytes(const bitactor_config_t *config);

/* Give the engine its fiber stacks, once, before the first fiber kind is
 * registered.  `block` is aligned to 4096 and stays the caller's; destroying
 * the engine lifts its guards, so it must not be freed earlier.  BITACTOR_ERROR:
 * NULL, misaligned, too small, a second time, or config.fibers is 0;
 * BITACTOR_UNSUPPORTED: no fibers on this machine; BITACTOR_CLOSED. */
BITACTOR_API bitactor_status_t bitactor_fibers_init(bitactor_engine_t *engine, void *block,
                                                    size_t bytes);

/* The engine of the process, in a static block of at most 512 KiB, made with
 * default limits on the first call, and anew on the first after it was destroyed.
 * Any thread.  Never NULL: there is nothing that could be missing. */
BITACTOR_API bitactor_engine_t *bitactor_init(void);

/* Close the door for good, then leave or work off what waits.
 *
 *   drain       true: dispatch what is queued, for at most `turns` turns;
 *               what is left then, or with false everything, is dropped and
 *               counted, with a record
 *   discarded   out, may be NULL: signals dropped
 *   returns     BITACTOR_OK, BITACTOR_REENTRANT, or BITACTOR_BUSY: a producer
 *               stopped between claim and publish; its signal and those behind
 *               it are still queued, call again
 *   threads     any; serialised with tick and drain
 */
BITACTOR_API bitactor_status_t bitactor_stop(bitactor_engine_t *engine, bool drain, uint64_t turns,
                                             uint64_t *discarded);

/* End the engine: lifts guards, forgets the block.  Nobody may be inside a
 * call.  The trace is not closed by it: see bitactor_telemetry_close(). */
BITACTOR_API bitactor_status_t bitactor_destroy(bitactor_engine_t *engine);

/* True between init and stop. */
BITACTOR_API bool bitactor_is_ready(const bitactor_engine_t *engine);

/* ---- signals in ------------------------------------------------------------ */

/* Hand one signal to the engine.
 *
 *   signal    copied; the caller may reuse it at once.  data_bytes must be 0
 *   returns   BITACTOR_OK, or
 *             BITACTOR_FULL            nothing was taken; try again after a turn
 *             BITACTOR_INVALID_SIGNAL  NULL, a reserved kind, reserved not 0,
 *                                      data_bytes without data
 *             BITACTOR_CLOSED          the engine is stopping
 *   threads   any number, and signal handlers that do not interrupt a dispatch
 *             of this engine (see docs/architecture.md); inside a handler of
 *             this engine it is an emit
 *   progress  lock-free: some caller always finishes.  A caller stopped between
 *             claim and publish hides later signals from the consumer, which
 *             then answers BITACTOR_BUSY
 *   cost      no allocation, no system call; 1 atomic RMW when uncontended
 *   order     the order of claims is the order of admission
 */
BITACTOR_API bitactor_status_t bitactor_enqueue(bitactor_engine_t *engine,
                                                const bitactor_signal_t *signal);

/* The same for `count` signals that stay together; `taken` is 0 or `count`.
 * BITACTOR_ERROR when there are more than the queue has slots. */
BITACTOR_API bitactor_status_t bitactor_enqueue_many(bitactor_engine_t *engine,
                                                     const bitactor_signal_t *signals,
                                                     size_t count, size_t *taken);

/* The same for a signal with `data_bytes` bytes of data, copied into a block of
 * the engine's.  signal->data_bytes is ignored.  No free block is BITACTOR_FULL
 * (counted apart, as refused_data). */
BITACTOR_API bitactor_status_t bitactor_enqueue_data(bitactor_engine_t *engine,
                                                     const bitactor_signal_t *signal,
                                                     const void *data, size_t data_bytes);

/* ---- turns ----------------------------------------------------------------- */

typedef struct bitactor_result {
	uint64_t value;        /* what the handler set with bitactor_turn_result        */
	uint64_t spent_counts; /* of the counter, the cost of reading it taken off       */
	uint64_t spent_ticks;  /* begun ticks                                            */
	bitactor_status_t handler; /* what the handler itself answered                   */
} bitactor_result_t;

/* One turn: dispatch at most `max` signals in order.
 *
 *   done      out, may be NULL: dispatches and rejections of this turn
 *   returns   BITACTOR_OK     the turn had something to do
 *             BITACTOR_EMPTY  nothing was waiting
 *             BITACTOR_BUSY   nothing done: the next claim is not published
 *             BITACTOR_CLOSED stopped and empty, or destroyed
 *             BITACTOR_REENTRANT  called from a handler of this engine
 *             BITACTOR_WRONG_THREAD  nothing done: a fiber that yielded goes on
 *                             on another thread
 *             BITACTOR_IO     the sink failed
 *   threads   any; one at a time gets the engine, the others wait (a mutex:
 *             deadlock-free, not FIFO)
 *   progress  blocking; ends early when a caller of bitactor_tick waits
 */
BITACTOR_API bitactor_status_t bitactor_drain(bitactor_engine_t *engine, uint64_t max,
                                              uint64_t *done);

/* A turn of one: dispatch this signal now, ahead of what is queued.  What its
 * handler emits waits for the next turn.
 *
 *   result    out, may be NULL
 *   returns   the handler's status; BITACTOR_TICK_EXCEEDED if it answered OK but
 *             took more than its budget; BITACTOR_INVALID_SIGNAL if nobody is
 *             registered, or as enqueue; BITACTOR_REENTRANT; BITACTOR_CLOSED;
 *             BITACTOR_IO
 *   threads   any; waits for a running turn to end.  Enqueue never waits for it
 */
BITACTOR_API bitactor_status_t bitactor_tick(bitactor_engine_t *engine,
                                             const bitactor_signal_t *signal,
                                             bitactor_result_t *result);

/* ---- seeing ---------------------------------------------------------------- */

/* At any quiet moment:
 *      offered  = accepted + refused
 *      accepted = dispatched + rejected + dropped + queued
 * Emits and ticks count as offered. */
typedef struct bitactor_stats {
	uint64_t offered, accepted, refused;
	uint64_t refused_full;    /* no slot                                          */
	uint64_t refused_data;    /* no block for its data                            */
	uint64_t refused_invalid; /* could never be right                             */
	uint64_t refused_closed;  /* after stop                                       */

	uint64_t dispatched;      /* handed to a handler or a waiting fiber           */
	uint64_t rejected;        /* nobody was registered for their kind             */
	uint64_t dropped;         /* discarded by stop                                */
	uint64_t queued;          /* waiting in both queues now                       */

	uint64_t failed;          /* dispatches that did not answer OK                */
	uint64_t retried;         /* dispatches made again after one that failed; they */
	                          /* are not in `dispatched`                           */
	uint64_t quarantines;     /* times a handler was quarantined                  */
	uint64_t quarantined;     /* handlers that are now                            */
	uint64_t dead_letters;    /* kept now                                         */
	uint64_t dead_lost;       /* overwritten, or never kept for want of room      */
	uint64_t undone;          /* emits and outputs of those, which never took hold */
	uint64_t emitted;         /* signals from handlers that took hold             */
	uint64_t outputs;         /* outputs that took hold                           */
	uint64_t resumed;         /* fibers that went on after a yield                */
	uint64_t turns;
	uint64_t overruns;        /* dispatches, timed by themselves, over budget     */
	uint64_t batch_overruns;  /* batches over the sum of their budgets            */
	uint64_t clock_backward;  /* readings of clock or counter that went back      */
	uint64_t stalled_claims;  /* turns that met an unpublished claim              */
	uint64_t queue_high;      /* most signals ever seen in the shared queue       */
	uint64_t emit_high;       /* most signals ever in the internal queue          */
	uint64_t records;         /* compared records written (the next seq)          */
	uint64_t segments;        /* segments begun                                   */
} bitactor_stats_t;

/* Exact when no call is in progress; else each number is one that was true a
 * moment ago.  Any thread; waits for a running turn, but not inside a handler. */
BITACTOR_API bitactor_status_t bitactor_stats(const bitactor_engine_t *engine,
                                              bitactor_stats_t *stats);

typedef struct bitactor_kind_stats {
	uint64_t dispatched;
	uint64_t failed;
	uint64_t overruns;
	uint64_t max_counts;    /* longest dispatch timed by itself */
	uint32_t budget_ticks;
	uint32_t budget_counts;
} bitactor_kind_stats_t;

BITACTOR_API bitactor_status_t bitactor_kind_stats(const bitactor_engine_t *engine, uint16_t kind,
                                                   bitactor_kind_stats_t *stats);

/* Signals waiting now: in 0..queue_slots + emit_slots at any moment. */
BITACTOR_API uint64_t bitactor_pending_count(const bitactor_engine_t *engine);

/* Quantile of single dispatch times, in counts, error at most 1/32; `ppm` is
 * parts per million (500000 the median, 1000000 the longest).  `samples` may
 * be NULL.  BITACTOR_EMPTY when nothing was timed by itself. */
BITACTOR_API bitactor_status_t bitactor_latency(const bitactor_engine_t *engine, uint32_t ppm,
                                                uint64_t *counts, uint64_t *samples);

/* The counter an engine measures with. */
typedef struct bitactor_clock_info {
	const char *name;        /* "rdtsc", "cntvct_el0", "clock_gettime", "injected" */
	uint64_t    hz;          /* measured against CLOCK_MONOTONIC_RAW, or as injected */
	uint64_t    read_counts; /* cost of reading it once */
	uint64_t    counts_per_tick_q32; /* counts in a tick, 32 fractional bits */
} bitactor_clock_info_t;

BITACTOR_API bitactor_status_t bitactor_clock_info(const bitactor_engine_t *engine,
                                                   bitactor_clock_info_t *info);

/* Counts to nanoseconds, exact to 1 ns for any count. */
BITACTOR_API uint64_t bitactor_counts_to_ns(const bitactor_engine_t *engine, uint64_t counts);

/* Facts of this build and machine, for `bitactor info` and bug reports. */
typedef struct bitactor_build_info {
	const char *version;
	const char *blake3_version;
	const char *blake3_path; /* "avx512", "avx2", "sse41", "sse2", "neon", "portable" */
	const char *crc_path;    /* "sse4.2", "armv8-crc", "table"                        */
	const char *fiber_switch; /* "x86-64", "aarch64", "none"                          */
	uint32_t    cache_line_bytes;
	uint32_t    signal_bytes, slot_bytes, record_bytes, segment_bytes;
} bitactor_build_info_t;

BITACTOR_API void bitactor_build_info(bitactor_build_info_t *info);

/* Never NULL: an unknown number gets "UNKNOWN". */
BITACTOR_API const char *bitactor_status_name(bitactor_status_t status);
BITACTOR_API const char *bitactor_status_text(bitactor_status_t status);

#ifdef __cplusplus
}
#endif

/* Short names for code written against the first sketch of this library. */
#ifdef BITACTOR_SHORT_NAMES
typedef bitactor_signal_t signal_t;
typedef bitactor_result_t result_t;
#endif

#endif
