/* SPDX-License-Identifier: Apache-2.0 */
/* replay_forge.h -- a trace taken apart, changed, and put together as if an
 * engine had recorded it so.
 *
 *      forge_load     the compared records of a closed trace, each with its data
 *      ...            change, insert, remove
 *      forge_save     laid out anew: seqs, causes, checks, headers, CLOSE
 *
 * What is saved is a good trace in every check there is, but of a run that never
 * was: so a replay must diverge at just the record that was changed.  The layout
 * in here is written from the format's page, with none of the engine's code but
 * CRC32C.
 */
#ifndef BITACTOR_TESTS_REPLAY_FORGE_H
#define BITACTOR_TESTS_REPLAY_FORGE_H

#include "replay_rig.h"

typedef struct forged {
	bitactor_record_t record;
	uint8_t  own[32];
	uint8_t *data;
	size_t   data_bytes;
	uint64_t turn;
	size_t   cause_at; /* index of the record that is its cause; SIZE_MAX: as it stands */
} forged_t;

typedef struct forge {
	forged_t *at;
	size_t    count, room;
	bitactor_segment_header_t first;
	/* being laid out */
	uint8_t *bytes;
	size_t   segments;
	uint32_t offset; /* in the last segment */
	uint64_t seq, turn;
} forge_t;

static inline bool
forge_is_caused(const bitactor_record_t *record)
{
	return (record->flags & BITACTOR_RECORD_OUTSIDE) == 0 &&
	       (record->kind < BITACTOR_MAX_KINDS || record->kind == BITACTOR_RECORD_REJECT ||
	        record->kind == BITACTOR_RECORD_RESUME || record->kind == BITACTOR_RECORD_OUTPUT);
}

static inline bool
forge_is_dispatch(const bitactor_record_t *record)
{
	return record->kind < BITACTOR_MAX_KINDS || record->kind == BITACTOR_RECORD_REJECT ||
	       record->kind == BITACTOR_RECORD_RESUME;
}

/* Is the length of its data in `payload`, not in a FIELDS slot? */
static inline bool
forge_is_text(uint16_t kind)
{
	return kind == BITACTOR_RECORD_OUTPUT || kind == BITACTOR_RECORD_PROGRAM ||
	       kind == BITACTOR_RECORD_SCHEMA;
}

/* ---- taken apart --------------------------------------------------------------------- */

/* Room for one more at `index`. */
static inline forged_t *
forge_insert(forge_t *forge, size_t index, const forged_t *what)
{
	if (forge->count == forge->room) {
		forge->room = forge->room * 2 + 256;
		forge->at   = realloc(forge->at, forge->room * sizeof *forge->at);
	}
	memmove(&forge->at[index + 1], &forge->at[index],
	        (forge->count - index) * sizeof *forge->at);
	forge->count++;
	for (size_t i = 0; i < forge->count; i++) {
		size_t *cause_at = &forge->at[i].cause_at;
		*cause_at += i != index && *cause_at != SIZE_MAX && *cause_at >= index;
	}
	forge->at[index] = *what;
	return &forge->at[index];
}

static inline void
forge_remove(forge_t *forge, size_t index)
{
	free(forge->at[index].data);
	forge->count--;
	memmove(&forge->at[index], &forge->at[index + 1],
	        (forge->count - index) * sizeof *forge->at);
	for (size_t i = 0; i < forge->count; i++)
		if (forge->at[i].cause_at != SIZE_MAX && forge->at[i].cause_at > index)
			forge->at[i].cause_at--;
}

static inline void
forge_load(forge_t *forge, const char *name)
{
	bitactor_trace_reader_t *reader = NULL;
	bitactor_trace_facts_t   facts;
	memset(forge, 0, sizeof *forge);
	CHECK_EQ(bitactor_trace_open(rig_path(name, NULL), &reader, NULL), BITACTOR_OK);
	bitactor_trace_facts(reader, &facts);
	forge->first = facts.header;
	for (;;) {
		forged_t one = { .cause_at = SIZE_MAX };
		uint64_t seq;
		if (bitactor_trace_next(reader, &one.record, &seq, NULL) != BITACTOR_OK)
			break;
		if (!bitactor_record_is_compared(&one.record))
			continue;
		one.turn = bitactor_trace_turn(reader);
		memcpy(one.own, one.record.own, one.record.own_bytes); /* before it moves */
		if (forge_is_caused(&one.record))
			one.cause_at = (size_t)(seq - one.record.cause);
		if ((one.record.flags & BITACTOR_RECORD_HAS_DATA) != 0) {
			const uint8_t *data;
			CHECK_EQ(bitactor_trace_data(reader, 1 << 24, &data, &one.data_bytes, NULL),
			         BITACTOR_OK);
			one.data = memcpy(malloc(one.data_bytes), data, one.data_bytes);
		}
		(void)forge_insert(forge, forge->count, &one);
	}
	bitactor_trace_close(reader);
}

static inline void
forge_free(forge_t *forge)
{
	for (size_t i = 0; i < forge->count; i++)
		free(forge->at[i].data);
	free(forge->at);
	free(forge->bytes);
	memset(forge, 0, sizeof *forge);
}

/* ---- put together -------------------------------------------------------------------- */

static inline void
put32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, 4);
}

static inline void
put64(uint8_t *to, uint64_t value)
{
	memcpy(to, &value, 8);
}

static inline void
forge_segment_open(forge_t *forge)
{
	size_t bytes = (forge->segments + 1) * BITACTOR_SEGMENT_BYTES;
	forge->bytes = realloc(forge->bytes, bytes);
	uint8_t *header = forge->bytes + forge->segments * BITACTOR_SEGMENT_BYTES;
	memset(header, 0, BITACTOR_SEGMENT_BYTES);
	put32(header, BITACTOR_SEGMENT_MAGIC);
	memcpy(header + 4, forge->first.uuid, 16);
	put32(header + 28, BITACTOR_SEGMENT_BYTES * 8);
	put64(header + 32, forge->turn);
	put64(header + 48, forge->segments);
	put64(header + 56, forge->seq);
	header[108] = BITACTOR_TRACE_VERSION;
	put64(header + 112, forge->first.schema);
	forge->segments++;
	forge->offset = BITACTOR_HEADER_BYTES;
}

static inline void
forge_segment_seal(forge_t *forge)
{
	uint8_t *header = forge->bytes + (forge->segments - 1) * BITACTOR_SEGMENT_BYTES;
	put32(header + 24, forge->offset * 8);
	put64(header + 40, forge->turn);
	put32(header + 104, bitactor_crc32c(0, header, BITACTOR_HEADER_BYTES));
}

/* `slots` slots at `record`, check included, as the next record. */
static inline void
forge_put(forge_t *forge, uint8_t *record, uint32_t slots)
{
	uint8_t *segment = forge->bytes + (forge->segments - 1) * BITACTOR_SEGMENT_BYTES;
	uint64_t number  = forge->segments - 1;
	uint32_t slot    = forge->offset / 32;
	put32(record + 28, 0);
	uint32_t crc = bitactor_crc32c(0, forge->first.uuid, 16);
	crc = bitactor_crc32c(crc, &number, 8);
	crc = bitactor_crc32c(crc, &slot, 4);
	put32(record + 28, bitactor_crc32c(crc, record, (size_t)slots * 32));
	memcpy(segment + forge->offset, record, (size_t)slots * 32);
	forge->offset += slots * 32;
	if (forge->offset == BITACTOR_SEGMENT_BYTES) {
		forge_segment_seal(forge);
		forge_segment_open(forge);
	}
}

/* Room for `slots` slots in this chunk, or PAD and the next one. */
static inline void
forge_room(forge_t *forge, uint32_t slots)
{
	uint8_t  pad[BITACTOR_CHUNK_BYTES] = { 0 };
	uint32_t left = (BITACTOR_CHUNK_BYTES - forge->offset % BITACTOR_CHUNK_BYTES) / 32;
	if (left >= slots)
		return;
	put32(pad, (uint32_t)forge->turn);
	put32(pad + 4, BITACTOR_RECORD_PAD | (left - 1) << 16 | BITACTOR_RECORD_WRITTEN << 24);
	forge_put(forge, pad, left);
}

static inline void
forge_put_data(forge_t *forge, const uint8_t *data, size_t data_bytes)
{
	for (uint32_t number = 0; data_bytes > 0; number++) {
		uint8_t record[BITACTOR_CHUNK_BYTES] = { 0 };
		size_t  take = data_bytes < 300 ? data_bytes : 300; /* unlike the engine's cuts */
		uint32_t ext = (uint32_t)(take + 31) / 32;
		forge_room(forge, 1 + ext);
		put32(record, (uint32_t)forge->turn);
		put32(record + 4, BITACTOR_RECORD_DATA | ext << 16 | BITACTOR_RECORD_WRITTEN << 24);
		put32(record + 8, number);
		put64(record + 16, take);
		memcpy(record + 32, data, take);
		forge_put(forge, record, 1 + ext);
		data += take;
		data_bytes -= take;
	}
}

static inline void
forge_put_one(forge_t *forge, const forged_t *one, const uint64_t *seqs)
{
	const bitactor_record_t *record = &one->record;
	bool     text   = forge_is_text(record->kind);
	uint32_t length = text ? 0 : (uint32_t)one->data_bytes;
	bool     fields = (record->context | record->timestamp | record->id | length |
	                   record->signal_flags | record->priority) != 0;
	uint32_t own    = record->kind == BITACTOR_RECORD_REJECT;
	uint32_t slots  = 1 + fields + own;
	uint32_t keep   = record->flags & (BITACTOR_RECORD_OUTSIDE | BITACTOR_RECORD_FAILED |
	                                 BITACTOR_RECORD_ZERO_TICK);
	uint32_t flags  = keep | BITACTOR_RECORD_WRITTEN |
	                 (fields ? BITACTOR_RECORD_HAS_FIELDS : 0u) |
	                 (one->data_bytes > 0 ? BITACTOR_RECORD_HAS_DATA : 0u);
	uint8_t  bytes[96] = { 0 };

	forge->turn = one->turn;
	forge_room(forge, slots);
	put32(bytes, (uint32_t)one->turn);
	put32(bytes + 4, record->kind | (slots - 1) << 16 | flags << 24);
	put32(bytes + 8, record->actor);
	put32(bytes + 12, one->cause_at != SIZE_MAX ? (uint32_t)(forge->seq - seqs[one->cause_at])
	                                            : record->cause);
	put64(bytes + 16, record->kind == BITACTOR_RECORD_CLOSE ? forge->seq
	                  : text                                ? one->data_bytes
	                                                        : record->payload);
	put32(bytes + 24, record->effect);
	if (fields) {
		put64(bytes + 32, record->context);
		put64(bytes + 40, record->timestamp);
		put32(bytes + 48, record->id);
		put32(bytes + 52, length);
		bytes[56] = record->signal_flags;
		bytes[57] = record->priority;
	}
	if (own != 0)
		memcpy(bytes + 32 * (1 + fields), one->own, 32);
	forge->seq++; /* before it is put: a header that follows counts it */
	forge_put(forge, bytes, slots);
	forge_put_data(forge, one->data, one->data_bytes);
}

static inline void
forge_save(forge_t *forge, const char *name, const char *like)
{
	uint64_t *seqs = calloc(forge->count + 1, sizeof *seqs);
	for (size_t i = 0; i < forge->count; i++)
		seqs[i] = i;
	free(forge->bytes);
	forge->bytes    = NULL;
	forge->segments = 0;
	forge->seq = forge->turn = 0;
	forge_segment_open(forge);
	for (size_t i = 0; i < forge->count; i++)
		forge_put_one(forge, &forge->at[i], seqs);
	forge_segment_seal(forge);
	if (forge->offset == BITACTOR_HEADER_BYTES)
		forge->segments--; /* CLOSE filled the one before */
	(void)rig_forge(name, like, forge->bytes, forge->segments * BITACTOR_SEGMENT_BYTES);
	free(seqs);
}

/* ---- found --------------------------------------------------------------------------- */

/* The first record that this says yes to; SIZE_MAX: none. */
static inline size_t
forge_find(const forge_t *forge, bool (*is_it)(const forge_t *forge, size_t index))
{
	for (size_t i = 0; i < forge->count; i++)
		if (is_it(forge, i))
			return i;
	return SIZE_MAX;
}

#endif
