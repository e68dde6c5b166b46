/* SPDX-License-Identifier: Apache-2.0 */
/* bitactor_telemetry.h -- the flight recorder: records, segments, roots.
 *
 *   ring      segment | segment | ...        64 KiB each, aligned to 64 KiB
 *   segment   header, 128 bytes | records | zero
 *   record    1..32 slots of 32 bytes, little-endian, never across a 1 KiB chunk
 *
 *   word 0    turn_lo u32        kind u16        ext u8        flags u8
 *   word 1    actor u32          cause u32
 *   word 2    payload u64
 *   word 3    effect u32         check u32
 *   slots     FIELDS if flag 0, CAUSE if cause is 0xFFFFFFFF, the kind's own
 *
 * check   CRC32C of uuid, segment u64, slot u32 and the record's bytes, its own
 *         four taken as zero.  (CRC32C as in RFC 3720: reflected 0x1EDC6F41,
 *         all ones before and after.)
 * seq     counts the compared records, those that a replay must repeat: all but
 *         PAD, DATA and the measured ones.  It is not stored but for the
 *         header's first_seq.
 * root    BLAKE3 of the segment's 65,536 bytes; the next header holds it.
 *
 * Words 0 to 2 are stored before the handler is called and word 3 after it: a
 * record whose word 3 is zero is "open", legal only as the last one, and names
 * the signal in dispatch when the process ended.
 *
 * The reading half of this header is what the ring's own check, `bitactor
 * verify` and every other reader use.  docs/trace-format.md says the same in
 * full for readers without this code.
 */
#ifndef BITACTOR_TELEMETRY_H
#define BITACTOR_TELEMETRY_H

#include "bitactor.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
	BITACTOR_SEGMENT_BYTES = 65536,
	BITACTOR_HEADER_BYTES  = 128,
	BITACTOR_CHUNK_BYTES   = 1024,
	BITACTOR_RECORD_BYTES  = 32, /* one slot */
	BITACTOR_DIGEST_BYTES  = 32,
	BITACTOR_TRACE_VERSION = 1
};
#define BITACTOR_SEGMENT_MAGIC 0xC1FC1FC1u /* CTF 1.8's packet magic */

/* Record kinds of the engine's own; 0..0xFEFF are signals.  "Asked for": with flag
 * OUTSIDE by the program between turns; else by a dispatch, and cause is the
 * distance back to its record. */
enum bitactor_record_kind {
	BITACTOR_RECORD_TURN       = 0xFF00, /* payload: now in ns                                */
	BITACTOR_RECORD_TIMER      = 0xFF01, /* asked for; as the signal; own slot: due or delay  */
	                                     /* u64, period u64, reference u32, kind u16, how u16 */
	BITACTOR_RECORD_RANDOM     = 0xFF02,
	BITACTOR_RECORD_SPAWN      = 0xFF03, /* asked for; actor: whom; payload: behaviour,       */
	                                     /* supervisor << 32                                  */
	BITACTOR_RECORD_STOP       = 0xFF04, /* asked for; actor 0: the engine; payload: 1 drain, */
	                                     /* 0 discard; else that actor; payload: why          */
	BITACTOR_RECORD_REGISTER   = 0xFF05, /* asked for; actor: kind; payload: budget ticks,    */
	                                     /* flags << 32, or all ones when it is gone          */
	BITACTOR_RECORD_SCHEMA     = 0xFF06, /* payload: bytes of text; DATA follows              */
	BITACTOR_RECORD_REJECT     = 0xFF07, /* as the signal; own slot: kind u16, reason u16     */
	BITACTOR_RECORD_ZERO       = 0xFF08, /* actor: kind; payload: signals; own slots: their   */
	                                     /* payloads, four a slot, none when all are own[0]   */
	BITACTOR_RECORD_DROP       = 0xFF09, /* payload: signals dropped; cause: their source     */
	BITACTOR_RECORD_RETRY      = 0xFF0A, /* as the signal; own slot: kind u16, attempt u16    */
	BITACTOR_RECORD_DEAD       = 0xFF0B, /* a dead letter; actor: kind; payload: why          */
	BITACTOR_RECORD_QUARANTINE = 0xFF0C, /* actor: kind; payload: why                         */
	BITACTOR_RECORD_ABANDON    = 0xFF0D, /* of the dispatch that is its cause; actor: kind    */
	BITACTOR_RECORD_FAULT      = 0xFF0E, /* the same; payload: the system's signal            */
	BITACTOR_RECORD_OUTPUT     = 0xFF0F, /* actor: port; payload: bytes; DATA follows         */
	BITACTOR_RECORD_CHECKPOINT = 0xFF10,
	BITACTOR_RECORD_GAP        = 0xFF11,
	BITACTOR_RECORD_RECOVERED  = 0xFF12,
	BITACTOR_RECORD_LINK       = 0xFF13,
	BITACTOR_RECORD_KEY        = 0xFF14,
	BITACTOR_RECORD_CLOSE      = 0xFF15, /* payload: compared records before this one         */
	BITACTOR_RECORD_DATA       = 0xFF16, /* actor: number among its head's, from 0;           */
	                                     /* payload: bytes in the slots that follow           */
	BITACTOR_RECORD_PROGRAM    = 0xFF17, /* payload: bytes of text; DATA follows              */
	BITACTOR_RECORD_RESUME     = 0xFF18, /* a fiber goes on after a wait; payload: which,     */
	                                     /* why << 32                                         */
	BITACTOR_RECORD_ADMIT      = 0xFF19, /* payload: bytes; DATA: u32 for each signal let in: */
	                                     /* source | level << 28                              */
	BITACTOR_RECORD_RESTART    = 0xFF1A, /* actor: whose cell is zero again; payload: by whom */
	BITACTOR_RECORD_TIMING     = 0xFF80,
	BITACTOR_RECORD_OVERRUN    = 0xFF81, /* actor: kind; cause: class; payload: counts spent; */
	                                     /* own slot: seq, budget counts, dispatches timed,   */
	                                     /* ns on its CPU (of one dispatch; 0: not known)     */
	BITACTOR_RECORD_WALL       = 0xFF82,
	BITACTOR_RECORD_STATS      = 0xFF83, /* payload: bytes of text; DATA follows              */
	BITACTOR_RECORD_PAD        = 0xFFFF  /* zero but for word 0 and the check                 */
};

enum bitactor_record_flags {
	BITACTOR_RECORD_HAS_FIELDS = 1,   /* a FIELDS slot follows the head           */
	BITACTOR_RECORD_HAS_DATA   = 2,   /* DATA records follow                      */
	BITACTOR_RECORD_ZERO_TICK  = 8,
	BITACTOR_RECORD_FAILED     = 16,  /* the dispatch did not answer OK           */
	BITACTOR_RECORD_MEASURED   = 32,  /* what it took here: never compared        */
	BITACTOR_RECORD_WRITTEN    = 64,  /* always 1: a zero slot is "not written"   */
	BITACTOR_RECORD_OUTSIDE    = 128  /* from outside: cause is the source        */
};

/* `cause` of a record from outside; else it is the distance back in seq. */
enum {
	BITACTOR_SOURCE_SHARED = 0,          /* the shared queue; n: lane n */
	BITACTOR_SOURCE_TICK   = 0x7FFFFFFF, /* bitactor_tick               */
	BITACTOR_SOURCE_EMIT   = 0x7FFFFFFE  /* of a DROP: the internal queue */
};
#define BITACTOR_SOURCE_TIMER 0x80000000u /* | index of the timer */
#define BITACTOR_CAUSE_FAR 0xFFFFFFFFu /* the u64 seq stands in a CAUSE slot */

/* What a signal is not dispatched for: of REJECT, and of dead letters. */
enum bitactor_reject_reason {
	BITACTOR_REJECT_UNREGISTERED = 1, /* nobody has its kind         */
	BITACTOR_REJECT_QUARANTINE   = 2, /* its handler is quarantined  */
	BITACTOR_REJECT_STALE        = 3, /* its actor is gone           */
	BITACTOR_REJECT_FAILED       = 4  /* its handler failed too often */
};

/* Why a handler is called no more; of QUARANTINE. */
enum bitactor_quarantine_reason {
	BITACTOR_QUARANTINE_FAILED    = 1, /* it failed, and its policy says so     */
	BITACTOR_QUARANTINE_SLOW      = 2, /* too large a share of overruns         */
	BITACTOR_QUARANTINE_FAULT     = 3, /* it faulted                            */
	BITACTOR_QUARANTINE_ABANDONED = 4  /* it was taken back over its hard limit */
};

enum bitactor_overrun_class {
	BITACTOR_OVERRUN_BATCH       = 1, /* a batch, over the sum of its budgets       */
	BITACTOR_OVERRUN_UNEXPLAINED = 2, /* one dispatch; no witness says why          */
	BITACTOR_OVERRUN_RAN_LONG    = 3, /* the handler itself: it was on its CPU      */
	BITACTOR_OVERRUN_PREEMPTED   = 4  /* its thread was off its CPU: not its fault  */
};

/* ---- writing ---------------------------------------------------------------- */

/* Append a record of the program's own, with its text, between turns: PROGRAM,
 * SCHEMA or STATS.  A trace that shall verify has the first two at most once, and
 * before its first turn.
 *
 *   returns   BITACTOR_OK; BITACTOR_ERROR (a NULL, another kind);
 *             BITACTOR_UNSUPPORTED without a recorder; BITACTOR_IO; BITACTOR_CLOSED;
 *             BITACTOR_REENTRANT
 */
BITACTOR_API bitactor_status_t bitactor_telemetry_note(bitactor_engine_t *engine, uint16_t kind,
                                                       const void *text, size_t text_bytes);

/* Hand what is new to the sink.  BITACTOR_IO if it failed, now or before;
 * BITACTOR_UNSUPPORTED without a recorder; BITACTOR_CLOSED; BITACTOR_REENTRANT. */
BITACTOR_API bitactor_status_t bitactor_telemetry_flush(bitactor_engine_t *engine);

/* Write CLOSE, seal, hand on, and stop the engine for good.
 *
 *   head      out, may be NULL: the root of the last segment, which is what a
 *             user keeps to prove later that nothing was cut or changed
 */
BITACTOR_API bitactor_status_t bitactor_telemetry_close(bitactor_engine_t *engine,
                                                        uint8_t head[BITACTOR_DIGEST_BYTES]);

/* Look at a segment that is still in the ring: number `segment`, its bytes as
 * they are now.  BITACTOR_STALE if it was overwritten, BITACTOR_EMPTY if it is
 * yet to come.  Not while another thread is inside a turn. */
BITACTOR_API bitactor_status_t bitactor_telemetry_segment(const bitactor_engine_t *engine,
                                                          uint64_t segment,
                                                          const uint8_t **bytes);

/* Check the whole ring: headers, records, order, and roots where both ends are
 * here.  BITACTOR_OK, or BITACTOR_CORRUPT with the place.  Waits for a turn. */
BITACTOR_API bitactor_status_t bitactor_telemetry_check(const bitactor_engine_t *engine,
                                                        uint64_t *segment, uint32_t *offset);

/* The segment that is being written, or about to be, and how far.  For use in
 * a signal handler that must save the last bytes of a dying process: reads two
 * words, locks nothing. */
BITACTOR_API const uint8_t *bitactor_telemetry_last_gasp(const bitactor_engine_t *engine,
                                                         uint64_t *segment, uint32_t *bytes);

/* ---- reading ---------------------------------------------------------------- */

typedef struct bitactor_segment_header {
	uint8_t  uuid[16];
	uint32_t content_bytes; /* of header and records; 0 while open */
	uint64_t turn_begin, turn_end;
	uint64_t segment;
	uint64_t first_seq;
	uint64_t events_discarded;
	uint8_t  prev_root[BITACTOR_DIGEST_BYTES];
	uint8_t  version, compat, ro_compat, incompat;
	uint64_t schema;
	bool     open;
} bitactor_segment_header_t;

/* Parse 128 bytes.  Trusts nothing.  BITACTOR_OK, BITACTOR_CORRUPT or, for a
 * version or incompatible feature that this build does not know,
 * BITACTOR_UNSUPPORTED; `reason` gets a sentence, may be NULL. */
BITACTOR_API bitactor_status_t bitactor_segment_header_read(const uint8_t *bytes,
                                                            bitactor_segment_header_t *header,
                                                            const char **reason);

typedef struct bitactor_record {
	uint32_t offset;      /* in its segment, in bytes                              */
	uint32_t bytes;       /* of the whole record                                   */
	uint32_t turn_lo;
	uint16_t kind;
	uint8_t  flags;
	uint32_t actor, cause;
	uint64_t cause_seq;   /* when cause is BITACTOR_CAUSE_FAR                      */
	uint64_t payload;
	uint32_t effect, check;
	/* from the FIELDS slot, zero without one */
	uint64_t context, timestamp;
	uint32_t id, data_bytes;
	uint8_t  signal_flags, priority;
	/* the kind's own slots */
	const uint8_t *own;
	uint32_t       own_bytes;
} bitactor_record_t;

/* The start value of a segment's checks. */
BITACTOR_API uint32_t bitactor_segment_nonce(const uint8_t uuid[16], uint64_t segment);

/* Read the record at `offset` of a segment.
 *
 *   limit     bytes of the segment that may be read, at most 65,536
 *   deep      false: bounds only, the check is not recomputed
 *   returns   BITACTOR_OK       next at record->offset + record->bytes
 *             BITACTOR_EMPTY    the slot is zero: not written; or offset == limit
 *             BITACTOR_BUSY     an open record: in dispatch when it was saved
 *             BITACTOR_CORRUPT  `reason` gets a sentence, may be NULL
 *             BITACTOR_ERROR    NULL, or no record can start at that offset
 */
BITACTOR_API bitactor_status_t bitactor_record_read(const uint8_t *segment, uint32_t nonce,
                                                    uint32_t offset, uint32_t limit, bool deep,
                                                    bitactor_record_t *record,
                                                    const char **reason);

/* True for records that have a seq and that a replay must repeat. */
BITACTOR_API bool bitactor_record_is_compared(const bitactor_record_t *record);

/* "TURN", "PAD", ...; NULL for kinds that are not the engine's or not assigned. */
BITACTOR_API const char *bitactor_record_kind_name(uint16_t kind);

/* Root of 65,536 bytes, or BLAKE3 of any others. */
BITACTOR_API void bitactor_blake3(const void *bytes, size_t byte_count,
                                  uint8_t digest[BITACTOR_DIGEST_BYTES]);

/* Compare in a time that does not depend on the contents. */
BITACTOR_API bool bitactor_digest_equal(const uint8_t a[BITACTOR_DIGEST_BYTES],
                                        const uint8_t b[BITACTOR_DIGEST_BYTES]);

/* CRC32C of bytes; `crc` is 0 at the start, or what an earlier call returned. */
BITACTOR_API uint32_t bitactor_crc32c(uint32_t crc, const void *bytes, size_t byte_count);

#ifdef __cplusplus
}
#endif
#endif
