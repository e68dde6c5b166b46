/* SPDX-License-Identifier: Apache-2.0 */
/* test_crc32c.c -- the instruction, the tables and the standard agree. */
#include <stdlib.h>

#include "../../../bitactor/src/internal/crc32c.h"
#include "../../bdd.h"

uint32_t ba_crc32c_table[8][256];

static uint32_t
standard_crc(bool hw, const void *bytes, size_t n)
{
	return ~ba_crc32c_bytes(hw, ~UINT32_C(0), bytes, n);
}

/* The definition, one bit at a time. */
static uint32_t
bitwise(uint32_t state, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		state ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			state = (state >> 1) ^ ((state & 1) != 0 ? UINT32_C(0x82F63B78) : 0);
	}
	return state;
}

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static void
test_standard(bool hw)
{
	static const uint8_t read10[48] = { /* an iSCSI SCSI Read (10) command */
		0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04,
		0, 0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0,
		0, 0
	};
	uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
	for (uint8_t i = 0; i < 32; i++) {
		ones[i] = 0xFF;
		up[i]   = i;
		down[i] = (uint8_t)(31 - i);
	}
	SCENARIO("a CRC is the one other programs compute") {
		GIVEN("the five examples of RFC 3720, B.4, and the check value 123456789");
		WHEN(hw ? "the instruction computes them" : "the tables compute them");
		THEN("each is the published number");
		CHECK_EQ(standard_crc(hw, zeros, 32), UINT32_C(0x8A9136AA));
		CHECK_EQ(standard_crc(hw, ones, 32), UINT32_C(0x62A8AB43));
		CHECK_EQ(standard_crc(hw, up, 32), UINT32_C(0x46DD794E));
		CHECK_EQ(standard_crc(hw, down, 32), UINT32_C(0x113FDB5C));
		CHECK_EQ(standard_crc(hw, read10, 48), UINT32_C(0xD9963A56));
		CHECK_EQ(standard_crc(hw, "123456789", 9), UINT32_C(0xE3069283));
		CHECK_EQ(standard_crc(hw, "", 0), 0);
	}
}

static void
test_agreement(bool hw, uint64_t seed)
{
	static uint8_t bytes[4096 + 16];
	uint64_t random = seed;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)random_next(&random);

	SCENARIO("every way to the same bytes gives the same state") {
		GIVEN("random bytes at every alignment and of random length, a random state");
		WHEN("one bit, one byte, one word and one run at a time are used");
		THEN("all agree, with the instruction and without");
		for (int round = 0; round < 3000 && bdd_broken == 0; round++) {
			size_t n = random_next(&random) % (round % 10 == 0 ? 4096 : 80);
			const uint8_t *at = bytes + random_next(&random) % 16;
			uint32_t state = (uint32_t)random_next(&random);
			uint32_t right = bitwise(state, at, n);
			CHECK_EQ(ba_crc32c_bytes(false, state, at, n), right);
			CHECK_EQ(ba_crc32c_bytes(hw, state, at, n), right);

			uint64_t u64;
			uint32_t u32;
			memcpy(&u64, at, 8);
			memcpy(&u32, at, 4);
			CHECK_EQ(ba_crc32c_u64(false, state, u64), bitwise(state, at, 8));
			CHECK_EQ(ba_crc32c_u64(hw, state, u64), bitwise(state, at, 8));
			CHECK_EQ(ba_crc32c_u32(false, state, u32), bitwise(state, at, 4));
			CHECK_EQ(ba_crc32c_u32(hw, state, u32), bitwise(state, at, 4));
			CHECK_EQ(ba_crc32c_u8(false, state, *at), bitwise(state, at, 1));
			CHECK_EQ(ba_crc32c_u8(hw, state, *at), bitwise(state, at, 1));
		}
	}
	SCENARIO("a run may be cut anywhere") {
		GIVEN("1000 random bytes");
		WHEN("they are given in two parts, at every cut");
		THEN("the state is that of one part");
		uint32_t whole = bitwise(7, bytes, 1000);
		for (size_t cut = 0; cut <= 1000 && bdd_broken == 0; cut++) {
			uint32_t part = ba_crc32c_bytes(hw, 7, bytes, cut);
			CHECK_EQ(ba_crc32c_bytes(hw, part, bytes + cut, 1000 - cut), whole);
			part = ba_crc32c_bytes(false, 7, bytes, cut);
			CHECK_EQ(ba_crc32c_bytes(false, part, bytes + cut, 1000 - cut), whole);
		}
	}
}

static void
test_errors(bool hw)
{
	SCENARIO("a damaged bit is seen") {
		GIVEN("a record of 32 bytes");
		WHEN("any one of its 256 bits is turned over");
		THEN("its CRC differs");
		uint8_t record[32];
		for (uint8_t i = 0; i < 32; i++)
			record[i] = (uint8_t)(i * 37);
		uint32_t right = standard_crc(hw, record, 32);
		for (int bit = 0; bit < 256; bit++) {
			record[bit / 8] ^= (uint8_t)(1 << bit % 8);
			CHECK(standard_crc(hw, record, 32) != right);
			record[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		CHECK_EQ(standard_crc(hw, record, 32), right);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = 20251125;
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	bool hw = ba_crc32c_have_hw();
	printf("seed=%" PRIu64 " instruction=%s\n", seed, hw ? "yes" : "no, tables twice");
	ba_crc32c_fill_table(ba_crc32c_table);

	test_standard(false);
	test_standard(hw);
	test_agreement(hw, seed);
	test_errors(hw);
	return bdd_close();
}
