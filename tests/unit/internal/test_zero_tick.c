/* SPDX-License-Identifier: Apache-2.0 */
/* test_zero_tick.c -- a chunk splits in two, and no signal is lost on the way. */
#include "../../../bitactor/src/internal/zero_tick.h"
#include "../../engine_probe.h"

enum { MOST = 1025, CHUNK = 64, KINDS = 32, PAIR_BYTES = 16, SHIFTS = 8, SHIFT_BYTES = 8 };
enum { FENCE_BYTES = 32, AREA_BYTES = MOST * PAIR_BYTES + 2 * FENCE_BYTES + SHIFTS * SHIFT_BYTES };

/* What stands behind a pair: as the engine's, but nothing of it. */
typedef struct entry {
	uint32_t       kind;
	ba_zero_rule_t rule;
} entry_t;

typedef struct slot {
	uint64_t number, payload;
} slot_t;

typedef struct pair {
	entry_t *entry;
	slot_t  *slot;
} pair_t;

_Static_assert(sizeof(pair_t) == PAIR_BYTES, "two pointers");
_Static_assert(sizeof(ba_zero_pair_t) == PAIR_BYTES, "ours lies as it says");

static entry_t entries[KINDS];
static slot_t  slots[MOST];

/* Where the two arrays lie, at one of 8 places in a cache line: a pair is aligned to 8. */
static uint8_t *at_area, *zero_area;

/* What must come out. */
static pair_t   kept[MOST], left[MOST];
static uint32_t kept_count, left_count;
static uint64_t kind_zeros[KINDS];

static bool
pair_is_zero(const void *entry, const void *slot)
{
	return ba_zero_is(((const entry_t *)entry)->rule, ((const slot_t *)slot)->payload);
}

/* A third never, a third always, a third by a mask of the payload. */
static void
kinds_fill(void)
{
	for (uint32_t kind = 0; kind < KINDS; kind++) {
		entries[kind].kind = kind;
		entries[kind].rule = kind % 3 == 0   ? BA_ZERO_NEVER
		                     : kind % 3 == 1 ? BA_ZERO_ALWAYS
		                                     : (ba_zero_rule_t){ .mask  = 0xF0,
		                                                         .value = 0x30 };
	}
}

/* Said in words, not by the rule: what a kind declared. */
static bool
model_is_zero(uint32_t kind, uint64_t payload)
{
	if (kind % 3 == 2)
		return payload / 16 % 16 == 3;
	return kind % 3 == 1;
}

/* `share` of 100 zero-tick; a kind with a mask comes on both sides. */
static void
model_draw(uint32_t count, uint32_t share, uint64_t *random)
{
	memset(kind_zeros, 0, sizeof kind_zeros);
	kept_count = left_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t kind    = 0;
		uint64_t payload = 0;
		bool     wanted  = probe_random(random) % 100 < share;
		do {
			kind    = (uint32_t)(probe_random(random) % KINDS);
			payload = probe_random(random);
		} while (model_is_zero(kind, payload) != wanted);
		slots[i]    = (slot_t){ .number = i, .payload = payload };
		pair_t pair = { .entry = &entries[kind], .slot = &slots[i] };
		if (wanted) {
			left[left_count++] = pair;
			kind_zeros[kind]++;
		} else {
			kept[kept_count++] = pair;
		}
	}
}

/* Put the two lists of the model together again, by number. */
static void
input_store(pair_t *at, uint32_t count)
{
	for (uint32_t i = 0, k = 0; i < count; i++) {
		bool is_kept = k < kept_count && kept[k].slot->number == i;
		at[i] = is_kept ? kept[k] : left[i - k];
		k += is_kept;
	}
}

static unsigned
fences_hurt(const uint8_t *area, uint32_t shift, uint32_t count)
{
	uint32_t begin = FENCE_BYTES + shift * SHIFT_BYTES, end = begin + count * PAIR_BYTES;
	unsigned hurt  = 0;
	for (uint32_t i = 0; i < FENCE_BYTES; i++)
		hurt += area[begin - 1 - i] != 0xA5 || area[end + i] != 0xA5;
	return hurt;
}

/* Split `count` pairs by chunks of `chunk` from arrays that begin `shift` and
 * `zero_shift` times 8 bytes further on.  How much was not as the model says. */
static unsigned
split_and_compare(uint32_t count, uint32_t chunk, uint32_t shift, uint32_t zero_shift)
{
	memset(at_area, 0xA5, AREA_BYTES);
	memset(zero_area, 0xA5, AREA_BYTES);
	pair_t  *at   = (pair_t *)(void *)(at_area + FENCE_BYTES + shift * SHIFT_BYTES);
	pair_t  *zero = (pair_t *)(void *)(zero_area + FENCE_BYTES + zero_shift * SHIFT_BYTES);
	uint64_t counted[KINDS] = { 0 };
	uint32_t k = 0, z = 0;
	unsigned wrong = 0;

	input_store(at, count);
	for (uint32_t first = 0; first < count; first += chunk) {
		uint32_t some = count - first < chunk ? count - first : chunk;
		pair_t  *from = at + first;
		uint32_t dispatched = ba_zero_split(from, some, zero, pair_is_zero);
		if (dispatched > some || k + dispatched > kept_count ||
		    z + some - dispatched > left_count)
			return wrong + 1;
		wrong += dispatched > 0 && memcmp(from, kept + k, dispatched * sizeof *from) != 0;
		k += dispatched;
		for (uint32_t i = 0; i < some - dispatched; i++, z++) {
			wrong += memcmp(&zero[i], &left[z], sizeof *zero) != 0;
			counted[zero[i].entry->kind]++;
		}
	}
	wrong += k != kept_count || z != left_count;
	wrong += memcmp(counted, kind_zeros, sizeof counted) != 0;
	wrong += fences_hurt(at_area, shift, count);
	return wrong + fences_hurt(zero_area, zero_shift, count < chunk ? count : chunk);
}

static void
test_rules(void)
{
	SCENARIO("a kind is zero-tick as far as it said so") {
		GIVEN("a kind that declared nothing, one that declared all, one a mask");
		WHEN("payloads are looked at");
		THEN("never, always, and where the bits of the mask are the value");
		static const uint64_t payloads[] = { 0, 1, 0x30, 0x3F, 0x130, 0x31F, 0x20, 0x70,
			                             UINT64_MAX, UINT64_C(1) << 63 };
		const ba_zero_rule_t rule = { .mask = 0xF0, .value = 0x30 };
		const ba_zero_rule_t all_bits = { .mask  = UINT64_MAX,
			                          .value = UINT64_C(1) << 63 };
		for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
			CHECK(!ba_zero_is(BA_ZERO_NEVER, payloads[i]));
			CHECK(ba_zero_is(BA_ZERO_ALWAYS, payloads[i]));
			CHECK_EQ(ba_zero_is(rule, payloads[i]), i == 2 || i == 3 || i == 4);
			CHECK_EQ(ba_zero_is(all_bits, payloads[i]), i == 9);
		}
		CHECK(ba_zero_rule_is_possible(rule));
		CHECK(ba_zero_rule_is_possible(all_bits));
		CHECK(ba_zero_rule_is_possible(BA_ZERO_ALWAYS));
		CHECK(!ba_zero_rule_is_possible(BA_ZERO_NEVER));
		CHECK(!ba_zero_rule_is_possible((ba_zero_rule_t){ .mask = 0xF0, .value = 0x31 }));
	}
}

static void
test_every_order(void)
{
	SCENARIO("every order of up to 12 signals") {
		GIVEN("all strings of kept and zero-tick signals of 0 to 12");
		WHEN("each is split");
		THEN("both sides have theirs, in order");
		unsigned wrong = 0;
		for (uint32_t count = 0; count <= 12; count++) {
			for (uint32_t bits = 0; bits < 1u << count; bits++) {
				memset(kind_zeros, 0, sizeof kind_zeros);
				kept_count = left_count = 0;
				for (uint32_t i = 0; i < count; i++) {
					uint32_t is_zero = bits >> i & 1;
					slots[i] = (slot_t){ .number = i, .payload = i };
					pair_t pair = { &entries[is_zero], &slots[i] };
					if (is_zero != 0)
						left[left_count++] = pair;
					else
						kept[kept_count++] = pair;
					kind_zeros[1] += is_zero;
				}
				wrong += split_and_compare(count, CHUNK, 0, 0);
			}
		}
		CHECK_EQ(wrong, 0);
	}
}

static void
test_every_count(uint64_t seed, uint32_t share)
{
	SCENARIO("every number of signals, wherever they lie") {
		GIVEN("0 to 1025 signals of 32 kinds, 0, 10, 50, 90 or 100 % zero-tick");
		WHEN("they are split by chunks of 64, from and to 8 places in a cache line");
		THEN("each is on its side, in order; counts are exact by kind; nothing "
		     "beside the two arrays is written");
		uint64_t random = seed + share;
		unsigned wrong  = 0;
		for (uint32_t count = 0; count <= MOST; count++) {
			model_draw(count, share, &random);
			uint32_t zero_shift = (uint32_t)probe_random(&random) % SHIFTS;
			for (uint32_t shift = 0; shift < SHIFTS; shift++)
				wrong += split_and_compare(count, CHUNK, shift,
				                           (shift + zero_shift) % SHIFTS);
			wrong += split_and_compare(count, MOST, 0, 0);
			wrong += split_and_compare(count, 1, 0, 0);
		}
		CHECK_EQ(wrong, 0);
	}
}

int
main(int argc, char **argv)
{
	static const uint32_t shares[] = { 0, 10, 50, 90, 100 };
	uint64_t seed = probe_seed(argc, argv);
	at_area   = aligned_alloc(64, (AREA_BYTES + 63) / 64 * 64);
	zero_area = aligned_alloc(64, (AREA_BYTES + 63) / 64 * 64);
	if (at_area == NULL || zero_area == NULL)
		return 1;
	kinds_fill();
	test_rules();
	test_every_order();
	for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
		test_every_count(seed, shares[i]);
	free(at_area);
	free(zero_area);
	return bdd_close();
}
