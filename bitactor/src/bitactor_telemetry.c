/* SPDX-License-Identifier: Apache-2.0 */
/* bitactor_telemetry.c -- the recorder: a ring of segments, hashed one behind.
 *
 *      ring    | segment k-1 | segment k          | ...
 *                  ^ hashed       ^ at     ^ end
 *
 * Records are appended at `at`.  Each time it reaches a 16 KiB boundary, `end`,
 * ba_record_slice runs before the next record: it hashes 16 KiB of the segment
 * before, so that a pause is one slice and no segment; and at the end of a segment
 * the fourth slice completes the root of the one before.  Only then is the
 * header of the full segment final (content, last turn, previous root), and only
 * then does hashing it begin: a header that is hashed is never changed again.
 *
 * Invariants, checked by ba_engine_check:
 *      ring <= at <= end, at is a multiple of 32, end of 16 KiB
 *      a record lies in one 1 KiB chunk
 *      hash_left slices of segment - 1 are still to be hashed; with 0 left,
 *      `root` is that segment's
 *
 * The reading half is internal/reading.h, a part of this file.  This is the only
 * file that sees BLAKE3.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the documented bare build line brings none */
#endif
#include "../include/bitactor/bitactor_telemetry.h"

#include <blake3.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <pthread.h>
#include <string.h>

#include "internal/engine.h"
#include "internal/reading.h"
#include "internal/record.h"

_Static_assert(sizeof(blake3_hasher) <= BA_HASHER_BYTES, "the engine holds one hasher");
_Static_assert(BITACTOR_SEGMENT_BYTES % BA_SLICE_BYTES == 0, "slices tile a segment");
_Static_assert(BLAKE3_OUT_LEN == BITACTOR_DIGEST_BYTES, "a root is a whole digest");

/* ---- CRC32C ------------------------------------------------------------- */

uint32_t ba_crc32c_table[8][256];
static bool           crc32c_hw;
static pthread_once_t crc32c_once = PTHREAD_ONCE_INIT;

static void
crc32c_prepare(void)
{
	ba_crc32c_fill_table(ba_crc32c_table);
	crc32c_hw = ba_crc32c_have_hw();
}

bool
ba_crc32c_ready(void)
{
	(void)pthread_once(&crc32c_once, crc32c_prepare);
	return crc32c_hw;
}

const char *
ba_crc32c_path(void)
{
	return ba_crc32c_ready() ? ba_crc32c_name() : "table";
}

uint32_t
bitactor_crc32c(uint32_t crc, const void *bytes, size_t byte_count)
{
	if (bytes == NULL)
		return crc;
	bool hw = ba_crc32c_ready();
	return ~(hw ? ba_crc32c_bytes(true, ~crc, bytes, byte_count)
	            : ba_crc32c_bytes(false, ~crc, bytes, byte_count));
}

/* ---- BLAKE3 ------------------------------------------------------------- */

void
bitactor_blake3(const void *bytes, size_t byte_count, uint8_t digest[BITACTOR_DIGEST_BYTES])
{
	if (digest == NULL)
		return;
	blake3_hasher hasher;
	blake3_hasher_init(&hasher);
	if (bytes != NULL)
		blake3_hasher_update(&hasher, bytes, byte_count);
	blake3_hasher_finalize(&hasher, digest, BITACTOR_DIGEST_BYTES);
}

bool
bitactor_digest_equal(const uint8_t a[BITACTOR_DIGEST_BYTES],
                      const uint8_t b[BITACTOR_DIGEST_BYTES])
{
	if (a == NULL || b == NULL)
		return false;
	uint32_t difference = 0;
	for (int i = 0; i < BITACTOR_DIGEST_BYTES; i++)
		difference |= (uint32_t)(a[i] ^ b[i]);
	return difference == 0;
}

const char *
ba_blake3_version(void)
{
	return blake3_version();
}

/* The library does not say what it chose; this repeats its rule. */
const char *
ba_blake3_path(void)
{
#if defined(__x86_64__)
	unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, xcr0 = 0, upper = 0;
	unsigned ebx7 = 0, ecx1 = 0;
	if (__get_cpuid(1, &eax, &ebx, &ecx1, &edx) == 0)
		return "portable";
	if ((ecx1 & bit_OSXSAVE) != 0)
		__asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(upper) : "c"(0));
	if (__get_cpuid_count(7, 0, &eax, &ebx7, &ecx, &edx) == 0)
		ebx7 = 0;
	if ((xcr0 & 6) == 6 && (ecx1 & bit_AVX) != 0) {
		if ((xcr0 & 0xE0) == 0xE0 && (ebx7 & bit_AVX512F) != 0 &&
		    (ebx7 & bit_AVX512VL) != 0)
			return "avx512";
		if ((ebx7 & bit_AVX2) != 0)
			return "avx2";
	}
	return (ecx1 & bit_SSE4_1) != 0 ? "sse41" : "sse2";
#elif defined(__aarch64__)
	return "neon";
#else
	return "portable";
#endif
}

/* The name of a trace whose author gave none: a function of its configuration. */
void
ba_derive_uuid(const bitactor_config_t *config, uint8_t uuid[16])
{
	const uint64_t facts[] = {
		config->kinds, config->queue_slots, config->emit_slots, config->data_max,
		config->data_blocks, config->emit_data_blocks, config->output_max,
		config->segments, config->fibers, config->fiber_stack_bytes,
		config->budget_ticks, config->flags, config->schema, config->seed,
	};
	uint8_t digest[BITACTOR_DIGEST_BYTES];
	bitactor_blake3(facts, sizeof facts, digest);
	memcpy(uuid, digest, 16);
}

/* ---- segment headers ---------------------------------------------------- */

/* content_bytes 0: the segment is open. */
static void
header_write(const bitactor_engine_t *engine, uint8_t *header, uint32_t content_bytes)
{
	const ba_recorder_t *recorder = &engine->recorder;
	bool     open    = content_bytes == 0;
	uint64_t segment = ba_count_get(&recorder->segment);

	memset(header, 0, BITACTOR_HEADER_BYTES);
	store32(header + H_MAGIC, BITACTOR_SEGMENT_MAGIC);
	memcpy(header + H_UUID, engine->config.uuid, 16);
	store32(header + H_CONTENT_BITS, content_bytes * 8);
	store32(header + H_PACKET_BITS, BITACTOR_SEGMENT_BYTES * 8);
	ba_store64(header + H_TURN_BEGIN, recorder->turn_begin);
	ba_store64(header + H_TURN_END, open ? 0 : engine->turn_number);
	ba_store64(header + H_SEGMENT, segment);
	ba_store64(header + H_FIRST_SEQ, recorder->first_seq);
	if (!open && segment > 0)
		memcpy(header + H_PREV_ROOT, recorder->root, BITACTOR_DIGEST_BYTES);
	header[H_VERSION] = BITACTOR_TRACE_VERSION;
	ba_store64(header + H_SCHEMA, engine->config.schema);
	store32(header + H_FLAGS, open ? HEADER_FLAG_OPEN : 0);
	store32(header + H_CRC, header_crc(header));
}

/* ---- the ring ----------------------------------------------------------- */

static uint8_t *
segment_at(const ba_recorder_t *recorder, uint64_t segment)
{
	return recorder->ring + segment % recorder->segments * BITACTOR_SEGMENT_BYTES;
}

static uint32_t
used_bytes(const ba_recorder_t *recorder)
{
	const uint8_t *start = segment_at(recorder, ba_count_get(&recorder->segment));
	return (uint32_t)(ba_recorder_at(recorder) - start);
}

static void
segment_open(bitactor_engine_t *engine, uint64_t segment)
{
	ba_recorder_t *recorder = &engine->recorder;
	uint8_t       *bytes    = segment_at(recorder, segment);

	ba_count_set(&recorder->segment, segment);
	recorder->nonce      = bitactor_segment_nonce(engine->config.uuid, segment);
	recorder->first_seq  = recorder->seq;
	recorder->turn_begin = engine->turn_number;
	recorder->handed     = 0;
	recorder->end        = bytes + BA_SLICE_BYTES;
	header_write(engine, bytes, 0);
	ba_recorder_go(recorder, bytes + BITACTOR_HEADER_BYTES);
}

void
ba_recorder_init(bitactor_engine_t *engine, uint8_t *ring)
{
	ba_recorder_t *recorder = &engine->recorder;

	recorder->hw_crc = ba_crc32c_ready();
	if (engine->config.segments == 0)
		return;
	BA_ASSERT(((uintptr_t)ring & (BITACTOR_SEGMENT_BYTES - 1)) == 0);
	recorder->ring     = ring;
	recorder->segments = engine->config.segments;
	segment_open(engine, 0);
}

/* Give [handed, to) to the sink.  After a failure nothing is handed on. */
static void
hand_on(bitactor_engine_t *engine, uint32_t to, bool sealed)
{
	ba_recorder_t *recorder = &engine->recorder;
	if (engine->sink.take == NULL || recorder->sink_status != BITACTOR_OK)
		return;
	uint64_t segment = ba_count_get(&recorder->segment);
	bitactor_engine_t *inside = ba_engine_exchange_current(NULL);
	bitactor_status_t status =
	        engine->sink.take(engine->sink.context, segment, segment_at(recorder, segment),
	                          recorder->handed, to, sealed);
	(void)ba_engine_exchange_current(inside);
	if (status != BITACTOR_OK)
		recorder->sink_status = BITACTOR_IO; /* whatever it said: that is what we answer */
	recorder->handed = to;
}

static void
hash_slice(ba_recorder_t *recorder)
{
	blake3_hasher *hasher = (blake3_hasher *)(void *)recorder->hasher;

	blake3_hasher_update(hasher, recorder->hash_next, BA_SLICE_BYTES);
	recorder->hash_next += BA_SLICE_BYTES;
	if (--recorder->hash_left == 0)
		blake3_hasher_finalize(hasher, recorder->root, BITACTOR_DIGEST_BYTES);
}

/* The current segment is complete: finish its header, hand it on. */
static void
segment_seal(bitactor_engine_t *engine)
{
	ba_recorder_t *recorder = &engine->recorder;
	uint8_t *bytes   = segment_at(recorder, ba_count_get(&recorder->segment));
	uint32_t content = used_bytes(recorder);

	while (recorder->hash_left > 0)
		hash_slice(recorder);
	memset(bytes + content, 0, BITACTOR_SEGMENT_BYTES - content);
	header_write(engine, bytes, content);
	hand_on(engine, BITACTOR_SEGMENT_BYTES, true);
	recorder->hash_next = bytes;
	recorder->hash_left = BITACTOR_SEGMENT_BYTES / BA_SLICE_BYTES;
	blake3_hasher_init((blake3_hasher *)(void *)recorder->hasher);
}

/* `at` has reached `end`: hash a slice of the segment before, and at the end of
 * this one go on to the next. */
void
ba_record_slice(bitactor_engine_t *engine)
{
	ba_recorder_t *recorder = &engine->recorder;
	BA_ASSERT(ba_recorder_at(recorder) == recorder->end);

	recorder->slices++;
	if (recorder->hash_left > 0)
		hash_slice(recorder);
	if (used_bytes(recorder) < BITACTOR_SEGMENT_BYTES) {
		recorder->end += BA_SLICE_BYTES;
		return;
	}
	segment_seal(engine);
	segment_open(engine, ba_count_get(&recorder->segment) + 1);
}

/* ---- records ------------------------------------------------------------ */

/* Bytes left in the chunk that `at` is in: 32..1024. */
static uint32_t
chunk_room(const ba_recorder_t *recorder)
{
	return BITACTOR_CHUNK_BYTES -
	       ((uint32_t)(uintptr_t)ba_recorder_at(recorder) & (BITACTOR_CHUNK_BYTES - 1));
}

/* Close the record of `slots` slots at `at` and go past it. */
static void
record_finish(ba_recorder_t *recorder, uint32_t slots, uint32_t effect)
{
	uint8_t *at    = ba_recorder_at(recorder);
	uint32_t check = check_of(recorder->hw_crc, recorder->nonce, ba_slot_number(at), at, slots,
	                          effect);
	ba_store64(at + 24, ba_word3(effect, check));
	ba_recorder_go(recorder, at + slots * BITACTOR_RECORD_BYTES);
}

static void
record_pad(bitactor_engine_t *engine, uint32_t slots)
{
	ba_recorder_t *recorder = &engine->recorder;

	memset(ba_recorder_at(recorder), 0, (size_t)slots * BITACTOR_RECORD_BYTES);
	ba_store64(ba_recorder_at(recorder),
	           ba_word0(engine->turn_number, BITACTOR_RECORD_PAD, slots - 1, 0));
	record_finish(recorder, slots, 0);
}

static void
slice_if_due(bitactor_engine_t *engine)
{
	if (ba_recorder_at(&engine->recorder) == engine->recorder.end)
		ba_record_slice(engine);
}

/* Slots that `data_bytes` of DATA can take, padding between chunks included. */
static uint32_t
data_slots_most(uint32_t data_bytes)
{
	uint32_t a_chunk = BITACTOR_CHUNK_BYTES - BITACTOR_RECORD_BYTES;
	uint32_t chunks  = data_bytes / a_chunk + 2; /* begun in the middle, and the rest */
	return (data_bytes + 31) / 32 + chunks * 2;  /* a head each, and a PAD each        */
}

/* Make room at `at` for a head of `slots` slots in one chunk; with data, for the
 * DATA records too in one segment: the head stays open until its handler
 * returns, and a segment with an open record cannot be sealed. */
void
ba_record_reserve(bitactor_engine_t *engine, uint32_t slots, uint32_t data_bytes)
{
	ba_recorder_t *recorder = &engine->recorder;
	BA_ASSERT(slots >= 1);
	BA_ASSERT(slots <= BITACTOR_CHUNK_BYTES / BITACTOR_RECORD_BYTES);

	slice_if_due(engine);
	if (data_bytes > 0) {
		uint32_t most = (slots * 2 + data_slots_most(data_bytes)) * BITACTOR_RECORD_BYTES;
		uint64_t segment = ba_count_get(&recorder->segment);
		BA_ASSERT(most < BITACTOR_SEGMENT_BYTES - BITACTOR_HEADER_BYTES);
		while (used_bytes(recorder) + most > BITACTOR_SEGMENT_BYTES &&
		       ba_count_get(&recorder->segment) == segment) {
			record_pad(engine, chunk_room(recorder) / BITACTOR_RECORD_BYTES);
			slice_if_due(engine);
		}
	}
	if (chunk_room(recorder) < slots * BITACTOR_RECORD_BYTES) {
		record_pad(engine, chunk_room(recorder) / BITACTOR_RECORD_BYTES);
		slice_if_due(engine);
	}
	/* the first chunk of a segment begins with the header */
	BA_ASSERT(chunk_room(recorder) >= slots * BITACTOR_RECORD_BYTES);
}

/* DATA records with these bytes, behind the record they belong to. */
void
ba_record_data(bitactor_engine_t *engine, const void *bytes, size_t byte_count, uint8_t flags)
{
	ba_recorder_t *recorder = &engine->recorder;
	const uint8_t *from     = bytes;

	for (uint32_t number = 0; byte_count > 0; number++) {
		ba_record_reserve(engine, 2, 0); /* a head and at least one slot */
		size_t room = chunk_room(recorder) - BITACTOR_RECORD_BYTES;
		size_t take = byte_count < room ? byte_count : room;
		uint32_t ext = (uint32_t)(take + 31) / 32;

		memset(ba_recorder_at(recorder) + 32 + (size_t)(ext - 1) * 32, 0, 32);
		memcpy(ba_recorder_at(recorder) + 32, from, take);
		ba_store64(ba_recorder_at(recorder),
		           ba_word0(engine->turn_number, BITACTOR_RECORD_DATA, ext, flags));
		ba_store64(ba_recorder_at(recorder) + 8, ba_word1(number, 0));
		ba_store64(ba_recorder_at(recorder) + 16, take);
		record_finish(recorder, 1 + ext, 0);
		from += take;
		byte_count -= take;
	}
}

void
ba_record_put(bitactor_engine_t *engine, const ba_record_spec_t *spec)
{
	ba_recorder_t *recorder = &engine->recorder;
	if (recorder->ring == NULL || recorder->closed)
		return;
	uint32_t slots = spec->own != NULL ? 2 : 1;
	uint32_t flags = spec->flags;
	if (spec->data_bytes > 0)
		flags |= BITACTOR_RECORD_HAS_DATA;

	ba_record_reserve(engine, slots, 0);
	ba_store64(ba_recorder_at(recorder),
	           ba_word0(engine->turn_number, spec->kind, slots - 1, flags));
	ba_store64(ba_recorder_at(recorder) + 8, ba_word1(spec->actor, spec->cause));
	ba_store64(ba_recorder_at(recorder) + 16, spec->payload);
	if (spec->own != NULL)
		memcpy(ba_recorder_at(recorder) + 32, spec->own, 32);
	record_finish(recorder, slots, 0);
	if (kind_has_seq(spec->kind, spec->flags))
		recorder->seq++;
	if (spec->data_bytes > 0)
		ba_record_data(engine, spec->data, spec->data_bytes,
		               spec->flags & BITACTOR_RECORD_MEASURED);
	ba_count_set(&engine->records, recorder->seq);
}

/* ---- public: writing ---------------------------------------------------- */

/* The recorder's calls share this opening: live, recording, not inside a turn. */
static bitactor_status_t
recorder_enter(bitactor_engine_t *engine)
{
	bitactor_status_t status = ba_engine_enter(engine);
	if (status != BITACTOR_OK)
		return status;
	status = engine->recorder.ring == NULL ? BITACTOR_UNSUPPORTED
	         : engine->recorder.closed     ? BITACTOR_CLOSED
	                                       : BITACTOR_OK;
	if (status != BITACTOR_OK)
		ba_engine_unlock(engine);
	return status;
}

bitactor_status_t
bitactor_telemetry_note(bitactor_engine_t *engine, uint16_t kind, const void *text,
                        size_t text_bytes)
{
	bool measured = kind == BITACTOR_RECORD_STATS;
	if (!measured && kind != BITACTOR_RECORD_PROGRAM && kind != BITACTOR_RECORD_SCHEMA)
		return BITACTOR_ERROR;
	if (text == NULL && text_bytes > 0)
		return BITACTOR_ERROR;
	bitactor_status_t status = recorder_enter(engine);
	if (status != BITACTOR_OK)
		return status;
	if (!measured || (engine->config.flags & BITACTOR_VIRTUAL) == 0)
		ba_record_put(engine, &(ba_record_spec_t){
			.kind       = kind,
			.flags      = measured ? BITACTOR_RECORD_MEASURED : 0,
			.payload    = text_bytes,
			.data       = text,
			.data_bytes = text_bytes,
		});
	status = engine->recorder.sink_status;
	ba_engine_unlock(engine);
	return status;
}

bitactor_status_t
bitactor_telemetry_flush(bitactor_engine_t *engine)
{
	bitactor_status_t status = recorder_enter(engine);
	if (status != BITACTOR_OK)
		return status;
	uint32_t used = used_bytes(&engine->recorder);
	if (used > engine->recorder.handed)
		hand_on(engine, used, false);
	status = engine->recorder.sink_status;
	ba_engine_unlock(engine);
	return status;
}

bitactor_status_t
bitactor_telemetry_close(bitactor_engine_t *engine, uint8_t head[BITACTOR_DIGEST_BYTES])
{
	bitactor_status_t status = recorder_enter(engine);
	if (status != BITACTOR_OK)
		return status;
	ba_recorder_t *recorder = &engine->recorder;

	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_CLOSE,
	                                           .payload = recorder->seq });
	segment_seal(engine);
	while (recorder->hash_left > 0)
		hash_slice(recorder);
	if (head != NULL)
		memcpy(head, recorder->root, BITACTOR_DIGEST_BYTES);
	recorder->closed = true;
	engine->stopped  = true;
	ba_queue_close(&engine->queue);
	status = recorder->sink_status;
	ba_engine_unlock(engine);
	return status;
}

bitactor_status_t
bitactor_telemetry_segment(const bitactor_engine_t *engine, uint64_t segment,
                           const uint8_t **bytes)
{
	if (engine == NULL || bytes == NULL)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	const ba_recorder_t *recorder = &engine->recorder;
	if (recorder->ring == NULL)
		return BITACTOR_UNSUPPORTED;
	uint64_t newest = ba_count_get(&recorder->segment);
	if (segment > newest)
		return BITACTOR_EMPTY;
	if (newest - segment >= recorder->segments)
		return BITACTOR_STALE;
	*bytes = segment_at(recorder, segment);
	return BITACTOR_OK;
}

const uint8_t *
bitactor_telemetry_last_gasp(const bitactor_engine_t *engine, uint64_t *segment, uint32_t *bytes)
{
	if (engine == NULL || segment == NULL || bytes == NULL)
		return NULL;
	const ba_recorder_t *recorder = &engine->recorder;
	if (!ba_engine_is_live(engine) || recorder->ring == NULL || recorder->closed)
		return NULL;
	*segment = ba_count_get(&recorder->segment);
	const uint8_t *start = segment_at(recorder, *segment);
	*bytes = (uint32_t)(ba_recorder_at(recorder) - start);
	return start;
}

/* ---- the ring's own check ----------------------------------------------- */

typedef struct ring_walk {
	uint64_t segment;
	uint32_t offset;
	uint64_t next_seq; /* of the segment walked last, UINT64_MAX: none yet */
} ring_walk_t;

static bool
ring_segment_is_good(const bitactor_engine_t *engine, ring_walk_t *walk)
{
	const ba_recorder_t *recorder = &engine->recorder;
	const uint8_t *bytes   = segment_at(recorder, walk->segment);
	bool           newest  = walk->segment == ba_count_get(&recorder->segment);
	bitactor_segment_header_t header;

	walk->offset = 0;
	if (bitactor_segment_header_read(bytes, &header, NULL) != BITACTOR_OK ||
	    header.segment != walk->segment || header.open != (newest && !recorder->closed))
		return false;
	if (walk->next_seq != UINT64_MAX && header.first_seq != walk->next_seq)
		return false;

	uint32_t limit = header.open ? used_bytes(recorder) : header.content_bytes;
	uint32_t nonce = bitactor_segment_nonce(engine->config.uuid, walk->segment);
	bitactor_record_t record;
	walk->next_seq = header.first_seq;
	for (walk->offset = BITACTOR_HEADER_BYTES; walk->offset < limit;
	     walk->offset += record.bytes) {
		if (bitactor_record_read(bytes, nonce, walk->offset, limit, true, &record, NULL) !=
		    BITACTOR_OK)
			return false;
		walk->next_seq += bitactor_record_is_compared(&record);
	}
	return header.open || all_zero(bytes + limit, BITACTOR_SEGMENT_BYTES - limit);
}

/* The root that the header of the segment after `segment` holds, or the
 * recorder for the last one. */
static bool
ring_root_is_good(const bitactor_engine_t *engine, uint64_t segment)
{
	const ba_recorder_t *recorder = &engine->recorder;
	uint64_t newest = ba_count_get(&recorder->segment);
	uint8_t  root[BITACTOR_DIGEST_BYTES];

	bool in_header = segment + 1 < newest || (segment + 1 == newest && recorder->closed);
	if (!in_header && recorder->hash_left > 0)
		return true; /* not known yet */
	bitactor_blake3(segment_at(recorder, segment), BITACTOR_SEGMENT_BYTES, root);
	const uint8_t *expected =
	        in_header ? segment_at(recorder, segment + 1) + H_PREV_ROOT : recorder->root;
	return bitactor_digest_equal(root, expected);
}

bitactor_status_t
bitactor_telemetry_check(const bitactor_engine_t *engine, uint64_t *segment, uint32_t *offset)
{
	/* the lock is the engine's only part that a reader changes */
	bitactor_engine_t *locked = (bitactor_engine_t *)(uintptr_t)engine;
	bitactor_status_t status = ba_engine_enter(locked);
	if (status != BITACTOR_OK)
		return status;
	const ba_recorder_t *recorder = &engine->recorder;
	ring_walk_t walk = { .next_seq = UINT64_MAX };
	if (recorder->ring == NULL) {
		ba_engine_unlock(locked);
		return BITACTOR_UNSUPPORTED;
	}

	uint64_t newest = ba_count_get(&recorder->segment);
	uint64_t oldest = newest + 1 > recorder->segments ? newest + 1 - recorder->segments : 0;
	for (walk.segment = oldest; walk.segment <= newest; walk.segment++) {
		if (!ring_segment_is_good(engine, &walk)) {
			status = BITACTOR_CORRUPT;
			break;
		}
		/* the one before, now that the header which holds its root is good */
		if (walk.segment > oldest && !ring_root_is_good(engine, walk.segment - 1)) {
			walk.segment--;
			walk.offset = BITACTOR_SEGMENT_BYTES;
			status      = BITACTOR_CORRUPT;
			break;
		}
	}
	if (status == BITACTOR_OK && recorder->closed && !ring_root_is_good(engine, newest)) {
		walk.segment = newest;
		walk.offset  = BITACTOR_SEGMENT_BYTES;
		status       = BITACTOR_CORRUPT;
	}
	ba_engine_unlock(locked);
	if (status == BITACTOR_CORRUPT && segment != NULL)
		*segment = walk.segment;
	if (status == BITACTOR_CORRUPT && offset != NULL)
		*offset = walk.offset;
	return status;
}
