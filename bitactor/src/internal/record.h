/* SPDX-License-Identifier: Apache-2.0 */
/* record.h -- the words of a record, as they are built in registers.
 *
 *      63      56 55  48 47        32 31                    0
 *      +---------+------+------------+-----------------------+
 *      |  flags  | ext  |    kind    |        turn_lo        |  word 0
 *      |         cause               |         actor         |  word 1
 *      |                       payload                       |  word 2
 *      |         check               |        effect         |  word 3
 *      +-----------------------------+-----------------------+
 *
 * Four u64 stores: composing mixed-width fields in memory and reading them back
 * as words costs three times as much (store forwarding).  The byte layout is
 * bitactor_telemetry.h's.
 */
#ifndef BA_RECORD_H
#define BA_RECORD_H

#include <stdint.h>
#include <string.h>

#include "../../include/bitactor/bitactor.h"
#include "../../include/bitactor/bitactor_telemetry.h"
#include "crc32c.h"

static inline void
ba_store64(void *to, uint64_t value)
{
	memcpy(to, &value, sizeof value);
}

static inline uint64_t
ba_load64(const void *from)
{
	uint64_t value;
	memcpy(&value, from, sizeof value);
	return value;
}

static inline uint64_t
ba_word0(uint64_t turn, uint32_t kind, uint32_t ext, uint32_t flags)
{
	return (turn & 0xFFFFFFFFu) | (uint64_t)kind << 32 | (uint64_t)ext << 48 |
	       (uint64_t)(flags | BITACTOR_RECORD_WRITTEN) << 56;
}

static inline uint64_t
ba_word1(uint32_t actor, uint32_t cause)
{
	return actor | (uint64_t)cause << 32;
}

/* The FIELDS slot of a signal: u64 context, u64 timestamp, u32 id, u32 data_bytes,
 * u8 flags, u8 priority, 6 zero bytes. */
static inline uint64_t
ba_fields_word2(const bitactor_signal_t *signal)
{
	return signal->id | (uint64_t)signal->data_bytes << 32;
}

static inline uint64_t
ba_fields_word3(const bitactor_signal_t *signal)
{
	return signal->flags | (uint64_t)signal->priority << 8;
}

/* The first two words of a signal, as they lie in memory:
 *      id | actor << 32        kind | priority << 16 | flags << 24 | data_bytes << 32 */
_Static_assert(offsetof(bitactor_signal_t, actor) == 4, "the upper half of word 0");
_Static_assert(offsetof(bitactor_signal_t, kind) == 8, "the lowest 16 bits of word 1");
_Static_assert(offsetof(bitactor_signal_t, data_bytes) == 12, "the upper half of word 1");

/* Not 0: what a record of one slot has no room for. */
static inline uint64_t
ba_signal_fields(const bitactor_signal_t *signal, uint64_t word0, uint64_t word1)
{
	return signal->context | signal->timestamp | (uint32_t)word0 | word1 >> 16;
}

static inline bool
ba_signal_has_fields(const bitactor_signal_t *signal)
{
	const uint8_t *bytes = (const uint8_t *)signal;
	return ba_signal_fields(signal, ba_load64(bytes), ba_load64(bytes + 8)) != 0;
}

/* The number of the slot at `record` in the ring, whose segments are aligned. */
static inline uint32_t
ba_slot_number(const uint8_t *record)
{
	return ((uint32_t)(uintptr_t)record & (BITACTOR_SEGMENT_BYTES - 1)) / BITACTOR_RECORD_BYTES;
}

/* The check of a record, as slot number `slot` of its segment: CRC32C of uuid,
 * segment, slot and the record, the check itself 0.  In two halves, so that the
 * first is done while the handler is still to be called: words 0..2 are in
 * registers then, and nobody waits for it. */
static inline __attribute__((always_inline)) uint32_t
ba_record_check_begin(bool hw, uint32_t nonce, uint32_t slot, uint64_t word0, uint64_t word1,
                      uint64_t word2)
{
	uint64_t state = ba_crc32c_u32(hw, nonce, slot);

	state = ba_crc32c_wide(hw, state, word0);
	state = ba_crc32c_wide(hw, state, word1);
	return (uint32_t)ba_crc32c_wide(hw, state, word2);
}

static inline __attribute__((always_inline)) uint32_t
ba_record_check_end(bool hw, uint32_t begun, const uint8_t *record, uint32_t slots,
                    uint32_t effect)
{
	uint64_t       state = ba_crc32c_wide(hw, begun, effect);
	const uint8_t *end = record + slots * 32;
	for (record += 32; record != end; record += 32) {
		state = ba_crc32c_wide(hw, state, ba_load64(record));
		state = ba_crc32c_wide(hw, state, ba_load64(record + 8));
		state = ba_crc32c_wide(hw, state, ba_load64(record + 16));
		state = ba_crc32c_wide(hw, state, ba_load64(record + 24));
	}
	return ~(uint32_t)state;
}

/* Of a record of `slots` slots whose words 0..2 and further slots are in place. */
static inline __attribute__((always_inline)) uint32_t
ba_record_check(bool hw, uint32_t nonce, uint32_t slot, const uint8_t *record, uint32_t slots,
                uint32_t effect)
{
	uint32_t begun = ba_record_check_begin(hw, nonce, slot, ba_load64(record),
	                                       ba_load64(record + 8), ba_load64(record + 16));
	return ba_record_check_end(hw, begun, record, slots, effect);
}

static inline uint64_t
ba_word3(uint32_t effect, uint32_t check)
{
	return effect | (uint64_t)check << 32;
}

#endif
