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

static inline bool
ba_signal_has_fields(const bitactor_signal_t *signal)
{
	return (signal->context | signal->timestamp | ba_fields_word2(signal) |
	        ba_fields_word3(signal)) != 0;
}

/* The number of the slot at `record` in the ring, whose segments are aligned. */
static inline uint32_t
ba_slot_number(const uint8_t *record)
{
	return ((uint32_t)(uintptr_t)record & (BITACTOR_SEGMENT_BYTES - 1)) / BITACTOR_RECORD_BYTES;
}

/* The check of a record of `slots` slots whose words 0..2 and further slots are
 * in place, as slot number `slot` of its segment: CRC32C of uuid, segment, slot
 * and the record, the check itself 0. */
static inline uint32_t
ba_record_check(bool hw, uint32_t nonce, uint32_t slot, const uint8_t *record, uint32_t slots,
                uint32_t effect)
{
	uint32_t state = ba_crc32c_u32(hw, nonce, slot);

	state = ba_crc32c_u64(hw, state, ba_load64(record));
	state = ba_crc32c_u64(hw, state, ba_load64(record + 8));
	state = ba_crc32c_u64(hw, state, ba_load64(record + 16));
	state = ba_crc32c_u64(hw, state, effect);
	for (uint32_t i = 32; i < slots * 32; i += 8)
		state = ba_crc32c_u64(hw, state, ba_load64(record + i));
	return ~state;
}

static inline uint64_t
ba_word3(uint32_t effect, uint32_t check)
{
	return effect | (uint64_t)check << 32;
}

#endif
