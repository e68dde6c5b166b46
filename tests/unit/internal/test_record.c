/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c -- words composed in registers are the bytes of the format. */
#include "../../../bitactor/src/internal/record.h"
#include "../../engine_probe.h"

uint32_t ba_crc32c_table[8][256];

/* RFC 3720 a bit at a time, nothing inverted. */
static uint32_t
crc_raw(uint32_t state, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		state ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			state = (state >> 1) ^ (UINT32_C(0x82F63B78) & (0 - (state & 1)));
	}
	return state;
}

static bool
bytes_are(uint64_t word, const uint8_t expected[8])
{
	uint8_t bytes[8];
	ba_store64(bytes, word);
	return memcmp(bytes, expected, 8) == 0 && ba_load64(bytes) == word;
}

static void
test_words(void)
{
	SCENARIO("the four words of a record") {
		GIVEN("fields of which no two bytes are equal");
		WHEN("the words are composed and stored");
		THEN("each byte lies where bitactor_telemetry.h says; WRITTEN is always set");
		bitactor_signal_t signal = { .id = 0x04030201, .data_bytes = 0x08070605,
			                     .flags = 0x0A, .priority = 0x0B };
		CHECK(bytes_are(ba_word0(0xFFFFFFFF04030201, 0x0605, 0x07, 0x80),
		                (const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 0xC0 }));
		CHECK(bytes_are(ba_word0(0, 0, 0, 0),
		                (const uint8_t[]){ 0, 0, 0, 0, 0, 0, 0, 64 }));
		CHECK(bytes_are(ba_word0(0, 0xFFFF, 31, 0),
		                (const uint8_t[]){ 0, 0, 0, 0, 255, 255, 31, 64 }));
		CHECK(bytes_are(ba_word1(0x04030201, 0x08070605),
		                (const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8 }));
		CHECK(bytes_are(ba_word3(0x04030201, 0x08070605),
		                (const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8 }));
		CHECK(bytes_are(ba_fields_word2(&signal),
		                (const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7, 8 }));
		CHECK(bytes_are(ba_fields_word3(&signal),
		                (const uint8_t[]){ 0x0A, 0x0B, 0, 0, 0, 0, 0, 0 }));
	}
}

static void
test_has_fields(void)
{
	SCENARIO("which signals have fields") {
		GIVEN("a signal of zeros");
		WHEN("each of its 384 bits is set alone");
		THEN("those of id, data_bytes, priority, flags, context and timestamp want a slot, "
		     "those of the head, the seal and reserved do not");
		for (uint32_t bit = 0; bit < sizeof(bitactor_signal_t) * 8; bit++) {
			bitactor_signal_t signal;
			uint8_t  bytes[sizeof signal] = { 0 };
			uint32_t at = bit / 8;
			bool head = (at >= 4 && at < 10) || (at >= 16 && at < 24) || at >= 40;
			bytes[at] = (uint8_t)(1 << bit % 8);
			memcpy(&signal, bytes, sizeof signal);
			CHECK_EQ(ba_signal_has_fields(&signal), !head);
		}
		bitactor_signal_t zero = { .kind = 0 };
		CHECK(!ba_signal_has_fields(&zero));
	}
}

static void
test_check(uint64_t *random)
{
	SCENARIO("the check of a record") {
		GIVEN("random records of 1 to 32 slots, at any address, of any number and nonce");
		WHEN("their checks are computed, with the instruction and with tables");
		THEN("both are the loop over bits, whatever word 3 held before");
		static uint8_t bytes[32 * 32 + 8];
		bool hw = ba_crc32c_have_hw();
		uint64_t rounds = probe_scale(20000);
		ba_crc32c_fill_table(ba_crc32c_table);
		for (uint64_t i = 0; i < rounds; i++) {
			uint64_t chance = probe_random(random);
			uint32_t slots  = 1 + (uint32_t)(chance % 32);
			uint32_t slot   = (uint32_t)(chance >> 8) % 2048;
			uint32_t effect = (uint32_t)(chance >> 32);
			uint32_t nonce  = (uint32_t)(chance >> 16);
			uint8_t *record = bytes + chance % 8; /* wherever it lies */
			uint8_t  number[4] = { (uint8_t)slot, (uint8_t)(slot >> 8), 0, 0 };
			uint8_t  word3[8]  = { (uint8_t)effect, (uint8_t)(effect >> 8),
				               (uint8_t)(effect >> 16), (uint8_t)(effect >> 24) };
			probe_random_bytes(random, record, slots * 32);
			uint32_t state = crc_raw(nonce, number, 4);
			state = crc_raw(state, record, 24);
			state = crc_raw(state, word3, 8);
			state = ~crc_raw(state, record + 32, (slots - 1) * 32);
			CHECK_EQ(ba_record_check(false, nonce, slot, record, slots, effect),
			         state);
			if (hw)
				CHECK_EQ(ba_record_check(true, nonce, slot, record, slots, effect),
				         state);
		}
	}
}

static void
test_slot_number(void)
{
	SCENARIO("the number of a slot in the ring") {
		GIVEN("a segment aligned to its size");
		WHEN("its 2048 slots are asked for their number");
		THEN("it is how many lie before");
		static uint8_t memory[2 * BITACTOR_SEGMENT_BYTES];
		uintptr_t begin = ((uintptr_t)memory + BITACTOR_SEGMENT_BYTES - 1) &
		                  ~(uintptr_t)(BITACTOR_SEGMENT_BYTES - 1);
		const uint8_t *segment = memory + (begin - (uintptr_t)memory);
		unsigned wrong = 0;
		for (uint32_t slot = 0; slot < 2048; slot++)
			wrong += ba_slot_number(segment + slot * 32) != slot;
		CHECK_EQ(wrong, 0);
	}
}

int
main(int argc, char **argv)
{
	uint64_t random = probe_seed(argc, argv);
	test_words();
	test_has_fields();
	test_slot_number();
	test_check(&random);
	return bdd_close();
}
