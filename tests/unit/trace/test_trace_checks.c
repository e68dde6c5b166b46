/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_checks.c -- what the pass over a segment's checks goes past is right.
 *
 * The model is the reading of one record after the other, which computes each check
 * in another way.  Segments are made here: heads of every length, all bytes random.
 */
#include "../../engine_probe.h"
#include "trace_rig.h"

typedef struct segment {
	uint8_t  bytes[BITACTOR_SEGMENT_BYTES];
	uint32_t at[2048], count; /* where its records begin */
	uint32_t limit, nonce;
} segment_t;

static uint32_t
check_of(const segment_t *segment, uint32_t offset, const uint8_t uuid[16], uint64_t number)
{
	uint32_t slot = offset / 32, ext = segment->bytes[offset + 6];
	uint8_t  copy[1024];
	memcpy(copy, segment->bytes + offset, 32 + 32 * ext);
	memset(copy + 28, 0, 4);
	uint32_t crc = bitactor_crc32c(0, uuid, 16);
	crc = bitactor_crc32c(crc, &number, sizeof number);
	crc = bitactor_crc32c(crc, &slot, sizeof slot);
	return bitactor_crc32c(crc, copy, 32 + 32 * ext);
}

/* Records of up to `most` slots up to about `limit`, bare signals as a rule. */
static void
segment_make(segment_t *segment, uint64_t *chance, uint32_t limit, uint32_t most)
{
	uint8_t  uuid[16];
	uint64_t number = probe_random(chance);
	memset(segment, 0, sizeof *segment);
	probe_random_bytes(chance, uuid, sizeof uuid);
	segment->nonce = bitactor_segment_nonce(uuid, number);
	uint32_t offset = BITACTOR_HEADER_BYTES;
	while (offset + 32 <= limit) {
		uint32_t left = (1024 - offset % 1024) / 32, slots = 1;
		if (probe_random(chance) % 3 == 0)
			slots += (uint32_t)probe_random(chance) % most;
		slots = slots > left ? left : slots;
		if (offset + slots * 32 > limit)
			slots = 1;
		uint8_t *record = segment->bytes + offset;
		probe_random_bytes(chance, record, slots * 32);
		record[5] = 0; /* kind: a signal */
		record[6] = (uint8_t)(slots - 1);
		record[7] = BITACTOR_RECORD_WRITTEN;
		memset(record + 12, 1, 4);
		uint32_t check = check_of(segment, offset, uuid, number);
		memcpy(record + 28, &check, sizeof check);
		segment->at[segment->count++] = offset;
		offset += slots * 32;
	}
	segment->limit = offset;
}

/* The first record that a reading of each does not find whole, and its check right. */
static uint32_t
first_wrong(const segment_t *segment, uint32_t offset, uint32_t limit)
{
	while (offset < limit) {
		bitactor_record_t record;
		const char       *reason = "";
		bitactor_status_t status =
		        bitactor_record_read(segment->bytes, segment->nonce, offset, limit, true,
		                             &record, &reason);
		/* a signal has no slots of its own: said only when the check is right */
		if (status != BITACTOR_OK && strstr(reason, "slots that its kind") == NULL)
			return offset;
		offset += record.bytes;
	}
	return offset;
}

/* Where there is no instruction for it, nothing is gone past. */
static bool
is_exact(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("sse4.2") != 0;
#else
	return false;
#endif
}

static void
check_all(const segment_t *segment, uint32_t offset, uint32_t limit)
{
	uint32_t got = ba_trace_checks(segment->bytes, segment->nonce, offset, limit);
	CHECK_EQ(got, is_exact() ? first_wrong(segment, offset, limit) : offset);
}

static void
test_random(uint64_t seed)
{
	static segment_t segment;
	SCENARIO("records that are right are gone past, up to the first that is not") {
		uint64_t chance = seed, rounds = probe_scale(60);
		for (uint64_t i = 0; i < rounds && bdd_broken == 0; i++) {
			uint32_t limit = i % 4 == 0 ? BITACTOR_SEGMENT_BYTES
			                            : 160 + (uint32_t)probe_random(&chance) % 6000;
			segment_make(&segment, &chance, limit, i % 2 == 0 ? 2 : 32);
			check_all(&segment, BITACTOR_HEADER_BYTES, segment.limit);
			check_all(&segment, segment.at[segment.count / 2], segment.limit);
			CHECK_EQ(first_wrong(&segment, BITACTOR_HEADER_BYTES, segment.limit),
			         segment.limit);
			for (int flips = 0; flips < 20; flips++) {
				uint32_t k  = (uint32_t)probe_random(&chance) % segment.count;
				uint32_t at = segment.at[k];
				at += (uint32_t)probe_random(&chance) %
				      (32 + 32 * (uint32_t)segment.bytes[at + 6]);
				segment.bytes[at] ^= (uint8_t)(1u << probe_random(&chance) % 8);
				check_all(&segment, BITACTOR_HEADER_BYTES, segment.limit);
				CHECK(ba_trace_checks(segment.bytes, segment.nonce,
				                      BITACTOR_HEADER_BYTES, segment.limit) <= at);
				segment_make(&segment, &chance, limit, 32);
			}
			if (bdd_broken != 0)
				printf("round %" PRIu64 " of --seed %" PRIu64 "\n", i, seed);
		}
	}
}

static void
test_ends(uint64_t seed)
{
	static segment_t segment;
	SCENARIO("no byte behind the limit is looked at, and none of the next chunk") {
		uint64_t chance = seed;
		segment_make(&segment, &chance, 4096, 32);
		for (uint32_t limit = BITACTOR_HEADER_BYTES; limit <= segment.limit; limit++) {
			size_t   bytes = limit;
			uint8_t *exact = malloc(bytes); /* so that a sanitizer sees it */
			memcpy(exact, segment.bytes, bytes);
			uint32_t got =
			        ba_trace_checks(exact, segment.nonce, BITACTOR_HEADER_BYTES, limit);
			check_all(&segment, BITACTOR_HEADER_BYTES, limit);
			CHECK(got <= limit);
			CHECK(!is_exact() || got == first_wrong(&segment, BITACTOR_HEADER_BYTES,
			                                        limit));
			free(exact);
		}
		check_all(&segment, segment.limit, segment.limit);
		WHEN("a record says that it is longer than its chunk");
		segment.bytes[segment.at[segment.count - 1] + 6] = 255;
		check_all(&segment, BITACTOR_HEADER_BYTES, BITACTOR_SEGMENT_BYTES);
		WHEN("nothing was ever written");
		memset(&segment, 0, sizeof segment);
		CHECK_EQ(ba_trace_checks(segment.bytes, 1, BITACTOR_HEADER_BYTES,
		                         BITACTOR_SEGMENT_BYTES), BITACTOR_HEADER_BYTES);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_random(seed);
	test_ends(seed);
	return bdd_close();
}
