/* SPDX-License-Identifier: Apache-2.0 */
/* reading.h -- bytes of a trace taken apart; a part of bitactor_telemetry.c alone.
 *
 * Nothing is believed: every field that could be wrong is looked at before it is
 * used, and what is wrong has a sentence.  The ring's own check, verify, show and
 * replay all read through here, so there is one opinion on what a record is.
 */
#ifndef BA_READING_H
#define BA_READING_H

#include <string.h>

#include "engine.h"
#include "record.h"

/* ---- checks ------------------------------------------------------------- */

static uint32_t
check_of(bool hw, uint32_t nonce, uint32_t slot, const uint8_t *record, uint32_t slots,
         uint32_t effect)
{
	return hw ? ba_record_check(true, nonce, slot, record, slots, effect)
	          : ba_record_check(false, nonce, slot, record, slots, effect);
}

uint32_t
bitactor_segment_nonce(const uint8_t uuid[16], uint64_t segment)
{
	if (uuid == NULL)
		return 0;
	bool     hw    = ba_crc32c_ready();
	uint32_t state = hw ? ba_crc32c_bytes(true, ~0u, uuid, 16)
	                    : ba_crc32c_bytes(false, ~0u, uuid, 16);
	return hw ? ba_crc32c_u64(true, state, segment) : ba_crc32c_u64(false, state, segment);
}

/* ---- segment headers ---------------------------------------------------- */

/* Offsets of the 128 bytes; docs/trace-format.md has the table.  H_ and not AT_:
 * on AArch64 <sys/auxv.h> brings the AT_ names of <elf.h>. */
enum {
	H_MAGIC = 0, H_UUID = 4, H_STREAM = 20, H_CONTENT_BITS = 24, H_PACKET_BITS = 28,
	H_TURN_BEGIN = 32, H_TURN_END = 40, H_SEGMENT = 48, H_FIRST_SEQ = 56,
	H_DISCARDED = 64, H_PREV_ROOT = 72, H_CRC = 104, H_VERSION = 108, H_COMPAT = 109,
	H_RO_COMPAT = 110, H_INCOMPAT = 111, H_SCHEMA = 112, H_FLAGS = 120, H_RESERVED = 124
};
_Static_assert(H_RESERVED + 4 == BITACTOR_HEADER_BYTES, "the fields fill the header");

enum { HEADER_FLAG_OPEN = 1 };

static void
store32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof value);
}

static uint32_t
load32(const uint8_t *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof value);
	return value;
}

static uint32_t
header_crc(const uint8_t *header)
{
	static const uint8_t zero[4];
	uint32_t crc = bitactor_crc32c(0, header, H_CRC);
	crc = bitactor_crc32c(crc, zero, sizeof zero);
	return bitactor_crc32c(crc, header + H_VERSION, BITACTOR_HEADER_BYTES - H_VERSION);
}

static bitactor_status_t
refuse(const char **reason, bitactor_status_t status, const char *text)
{
	if (reason != NULL)
		*reason = text;
	return status;
}

bitactor_status_t
bitactor_segment_header_read(const uint8_t *bytes, bitactor_segment_header_t *header,
                             const char **reason)
{
	if (bytes == NULL || header == NULL)
		return refuse(reason, BITACTOR_ERROR, "NULL argument");
	if (load32(bytes + H_MAGIC) != BITACTOR_SEGMENT_MAGIC)
		return refuse(reason, BITACTOR_CORRUPT, "wrong magic: no segment starts here");
	if (load32(bytes + H_CRC) != header_crc(bytes))
		return refuse(reason, BITACTOR_CORRUPT, "the header's CRC does not match");
	if (bytes[H_VERSION] != BITACTOR_TRACE_VERSION)
		return refuse(reason, BITACTOR_UNSUPPORTED, "a format version not known here");
	if (bytes[H_INCOMPAT] != 0)
		return refuse(reason, BITACTOR_UNSUPPORTED,
		              "an incompatible feature not known here");

	uint32_t content_bits = load32(bytes + H_CONTENT_BITS);
	uint32_t flags        = load32(bytes + H_FLAGS);
	bool     open         = (flags & HEADER_FLAG_OPEN) != 0;
	if (load32(bytes + H_STREAM) != 0 || load32(bytes + H_RESERVED) != 0 ||
	    (flags & ~(uint32_t)HEADER_FLAG_OPEN) != 0)
		return refuse(reason, BITACTOR_CORRUPT,
		              "a reserved field of the header is not zero");
	if (load32(bytes + H_PACKET_BITS) != BITACTOR_SEGMENT_BYTES * 8)
		return refuse(reason, BITACTOR_CORRUPT, "the header's packet size is not 64 KiB");
	if (open ? content_bits != 0
	         : (content_bits % 256 != 0 || content_bits > BITACTOR_SEGMENT_BYTES * 8 ||
	            content_bits < BITACTOR_HEADER_BYTES * 8))
		return refuse(reason, BITACTOR_CORRUPT, "the header's content size is impossible");

	*header = (bitactor_segment_header_t){
		.content_bytes    = content_bits / 8,
		.turn_begin       = ba_load64(bytes + H_TURN_BEGIN),
		.turn_end         = ba_load64(bytes + H_TURN_END),
		.segment          = ba_load64(bytes + H_SEGMENT),
		.first_seq        = ba_load64(bytes + H_FIRST_SEQ),
		.events_discarded = ba_load64(bytes + H_DISCARDED),
		.version          = bytes[H_VERSION],
		.compat           = bytes[H_COMPAT],
		.ro_compat        = bytes[H_RO_COMPAT],
		.incompat         = bytes[H_INCOMPAT],
		.schema           = ba_load64(bytes + H_SCHEMA),
		.open             = open,
	};
	memcpy(header->uuid, bytes + H_UUID, sizeof header->uuid);
	memcpy(header->prev_root, bytes + H_PREV_ROOT, sizeof header->prev_root);
	if (!open && header->turn_end < header->turn_begin)
		return refuse(reason, BITACTOR_CORRUPT, "the header's turns end before they begin");
	return BITACTOR_OK;
}

/* ---- records ------------------------------------------------------------ */

static bool
kind_has_seq(uint16_t kind, uint8_t flags)
{
	return kind != BITACTOR_RECORD_PAD && kind != BITACTOR_RECORD_DATA &&
	       (flags & BITACTOR_RECORD_MEASURED) == 0;
}

static bool
all_zero(const uint8_t *bytes, size_t byte_count)
{
	uint64_t any = 0;
	for (; byte_count >= 8; bytes += 8, byte_count -= 8)
		any |= ba_load64(bytes);
	for (; byte_count > 0; byte_count--)
		any |= *bytes++;
	return any == 0;
}

/* Take the slots behind the head apart.  NULL, or what is wrong. */
static const char *
record_slots(const uint8_t *head, bitactor_record_t *record)
{
	const uint8_t *slot = head + 32;
	const uint8_t *end  = head + record->bytes;

	if (record->flags & BITACTOR_RECORD_HAS_FIELDS) {
		if (slot == end)
			return "its FIELDS slot is missing";
		if (!all_zero(slot + 26, 6))
			return "its FIELDS slot does not end in zeros";
		record->context      = ba_load64(slot);
		record->timestamp    = ba_load64(slot + 8);
		record->id           = load32(slot + 16);
		record->data_bytes   = load32(slot + 20);
		record->signal_flags = slot[24];
		record->priority     = slot[25];
		slot += 32;
	}
	if (record->cause == BITACTOR_CAUSE_FAR) {
		if (slot == end)
			return "its CAUSE slot is missing";
		if (!all_zero(slot + 8, 24))
			return "its CAUSE slot does not end in zeros";
		record->cause_seq = ba_load64(slot);
		slot += 32;
	}
	record->own       = slot;
	record->own_bytes = (uint32_t)(end - slot);
	return NULL;
}

/* How many slots of its own a kind must have; UINT32_MAX: any, but at least one. */
static uint32_t
own_slots(uint16_t kind)
{
	switch (kind) {
	case BITACTOR_RECORD_REJECT:
	case BITACTOR_RECORD_OVERRUN:
	case BITACTOR_RECORD_RETRY:
	case BITACTOR_RECORD_TIMER:
		return 1;
	case BITACTOR_RECORD_DATA:
	case BITACTOR_RECORD_ZERO:
		return UINT32_MAX;
	default:
		return 0;
	}
}

static const char *
record_shape(const uint8_t *head, const bitactor_record_t *record)
{
	if (record->kind == BITACTOR_RECORD_PAD)
		return all_zero(head + 8, 20) && all_zero(head + 32, record->bytes - 32)
		               ? NULL
		               : "a PAD record is not zero";
	if (record->kind >= BITACTOR_MAX_KINDS && bitactor_record_kind_name(record->kind) == NULL)
		return "its kind is not assigned";
	uint32_t own = own_slots(record->kind);
	if (own == UINT32_MAX ? record->own_bytes == 0 : record->own_bytes != own * 32)
		return "it has not the slots that its kind has";
	if (record->kind == BITACTOR_RECORD_DATA &&
	    (record->payload > record->own_bytes || record->payload + 31 < record->own_bytes))
		return "its length does not fit its slots";
	return NULL;
}

/* What is in the head, nothing else.  Each field by name: the rest of a literal is
 * zeroed by a string instruction, which took a third of the time of reading. */
static inline void
record_head(bitactor_record_t *record, uint32_t offset, const uint8_t *head)
{
	uint64_t word0 = ba_load64(head), word3 = ba_load64(head + 24);
	record->offset       = offset;
	record->bytes        = 32 + 32 * (uint32_t)(word0 >> 48 & 0xFF);
	record->turn_lo      = (uint32_t)word0;
	record->kind         = (uint16_t)(word0 >> 32);
	record->flags        = (uint8_t)(word0 >> 56);
	record->actor        = load32(head + 8);
	record->cause        = load32(head + 12);
	record->cause_seq    = 0;
	record->payload      = ba_load64(head + 16);
	record->effect       = (uint32_t)word3;
	record->check        = (uint32_t)(word3 >> 32);
	record->context      = 0;
	record->timestamp    = 0;
	record->id           = 0;
	record->data_bytes   = 0;
	record->signal_flags = 0;
	record->priority     = 0;
	record->own          = NULL;
	record->own_bytes    = 0;
}

bitactor_status_t
bitactor_record_read(const uint8_t *segment, uint32_t nonce, uint32_t offset, uint32_t limit,
                     bool deep, bitactor_record_t *record, const char **reason)
{
	if (segment == NULL || record == NULL)
		return refuse(reason, BITACTOR_ERROR, "NULL argument");
	if (offset < BITACTOR_HEADER_BYTES || offset % 32 != 0 || limit > BITACTOR_SEGMENT_BYTES)
		return refuse(reason, BITACTOR_ERROR, "no record can start there");
	if (offset >= limit)
		return BITACTOR_EMPTY;
	if (limit - offset < 32)
		return refuse(reason, BITACTOR_CORRUPT, "it is cut off");
	const uint8_t *head = segment + offset;
	uint64_t word3 = ba_load64(head + 24);
	if ((ba_load64(head) | ba_load64(head + 8) | ba_load64(head + 16) | word3) == 0)
		return BITACTOR_EMPTY;

	record_head(record, offset, head);
	if ((record->flags & BITACTOR_RECORD_WRITTEN) == 0 || (record->flags & 4) != 0)
		return refuse(reason, BITACTOR_CORRUPT, "its flags are impossible");
	if (offset % BITACTOR_CHUNK_BYTES + record->bytes > BITACTOR_CHUNK_BYTES)
		return refuse(reason, BITACTOR_CORRUPT, "it crosses a 1 KiB chunk");
	if (record->bytes > limit - offset)
		return refuse(reason, BITACTOR_CORRUPT, "it is cut off");

	bool looks_open = word3 == 0; /* no two fields read as one: they were just stored */
	bool check_matches = true;
	if (deep || looks_open)
		check_matches = check_of(ba_crc32c_ready(), nonce, offset / BITACTOR_RECORD_BYTES,
		                         head, record->bytes / BITACTOR_RECORD_BYTES,
		                         record->effect) == record->check;
	if (!check_matches && !looks_open)
		return refuse(reason, BITACTOR_CORRUPT, "its check does not match its bytes");
	const char *wrong = record_slots(head, record);
	if (wrong == NULL)
		wrong = record_shape(head, record);
	if (wrong != NULL)
		return refuse(reason, BITACTOR_CORRUPT, wrong);
	return check_matches ? BITACTOR_OK : BITACTOR_BUSY;
}

bool
bitactor_record_is_compared(const bitactor_record_t *record)
{
	return record != NULL && kind_has_seq(record->kind, record->flags);
}

const char *
bitactor_record_kind_name(uint16_t kind)
{
	static const char *const own[] = {
		"TURN", "TIMER", "RANDOM", "SPAWN", "STOP", "REGISTER", "SCHEMA", "REJECT", "ZERO",
		"DROP", "RETRY", "DEAD", "QUARANTINE", "ABANDON", "FAULT", "OUTPUT", "CHECKPOINT",
		"GAP", "RECOVERED", "LINK", "KEY", "CLOSE", "DATA", "PROGRAM", "RESUME", "ADMIT",
		"RESTART",
	};
	static const char *const measured[] = { "TIMING", "OVERRUN", "WALL", "STATS" };

	if (kind == BITACTOR_RECORD_PAD)
		return "PAD";
	if (kind >= BITACTOR_RECORD_TURN && kind <= BITACTOR_RECORD_RESTART)
		return own[kind - BITACTOR_RECORD_TURN];
	if (kind >= BITACTOR_RECORD_TIMING && kind <= BITACTOR_RECORD_STATS)
		return measured[kind - BITACTOR_RECORD_TIMING];
	return NULL;
}

#endif
