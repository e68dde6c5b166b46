/* SPDX-License-Identifier: Apache-2.0 */
/* trace_checks.c -- the checks of a segment's records, as fast as they can be read.
 *
 *      record k     nonce, slot --> word 0 --> word 1 --> word 2 --> effect --> ...
 *      record k+1        nonce, slot --> word 0 --> ...
 *      record k+2             nonce, slot --> ...
 *
 * A check is a chain of CRC steps, each of which waits for the one before it (3
 * cycles).  The chains of two records have nothing in common, since each begins
 * with the segment's nonce: the processor works on several at once, if only the
 * place of the next record does not wait for this one.  So records of one slot and
 * of two, which are nearly all, have a branch each, which is guessed.
 *
 * Where there is no such instruction nothing is gone past, and the records are read
 * one by one.
 */
#include "trace_private.h"

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <string.h>

static inline __attribute__((always_inline)) uint64_t
load64(const uint8_t *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return value;
}

static inline __attribute__((always_inline, target("sse4.2"))) uint64_t
state_after_slot(uint64_t state, const uint8_t *slot)
{
	state = _mm_crc32_u64(state, load64(slot));
	state = _mm_crc32_u64(state, load64(slot + 8));
	state = _mm_crc32_u64(state, load64(slot + 16));
	return _mm_crc32_u64(state, load64(slot + 24));
}

static __attribute__((target("sse4.2"))) uint32_t
checks_until(const uint8_t *segment, uint32_t nonce, uint32_t offset, uint32_t limit)
{
	while (limit - offset >= BITACTOR_RECORD_BYTES) {
		const uint8_t *head = segment + offset;
		uint64_t word0 = load64(head), word3 = load64(head + 24);
		uint32_t ext   = (uint32_t)(word0 >> 48) & 0xFF;
		uint32_t next  = offset + BITACTOR_RECORD_BYTES;

		uint64_t state = _mm_crc32_u32(nonce, offset / BITACTOR_RECORD_BYTES);
		state = _mm_crc32_u64(state, word0);
		state = _mm_crc32_u64(state, load64(head + 8));
		state = _mm_crc32_u64(state, load64(head + 16));
		state = _mm_crc32_u64(state, (uint32_t)word3); /* the effect; the check as 0 */
		if (ext != 0) {
			uint32_t end = next + ext * BITACTOR_RECORD_BYTES;
			if (end > limit || offset % BITACTOR_CHUNK_BYTES + (end - offset) >
			                           BITACTOR_CHUNK_BYTES)
				break;
			for (; next != end; next += BITACTOR_RECORD_BYTES)
				state = state_after_slot(state, segment + next);
		}
		if (~(uint32_t)state != (uint32_t)(word3 >> 32))
			break;
		offset = next;
	}
	return offset;
}

uint32_t
ba_trace_checks(const uint8_t *segment, uint32_t nonce, uint32_t offset, uint32_t limit)
{
	return __builtin_cpu_supports("sse4.2") ? checks_until(segment, nonce, offset, limit)
	                                        : offset;
}

#else

uint32_t
ba_trace_checks(const uint8_t *segment, uint32_t nonce, uint32_t offset, uint32_t limit)
{
	(void)segment, (void)nonce, (void)limit;
	return offset;
}

#endif
