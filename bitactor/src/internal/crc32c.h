/* SPDX-License-Identifier: Apache-2.0 */
/* crc32c.h -- CRC32C on a raw state: an instruction, or eight tables.
 *
 *      state --> [ 8 bytes ] --> [ 8 bytes ] --> ... --> state
 *                 crc32q          crc32q       or, without the instruction:
 *
 *      byte     0    1    2    3    4    5    6    7     of (state ^ word)
 *      table   [7]  [6]  [5]  [4]  [3]  [2]  [1]  [0]    all eight XORed
 *
 * Table k holds the state after one byte and then k zero bytes, so the eight
 * look-ups are independent of one another ("slicing by 8").
 *
 * Nothing is inverted in here: a caller may join lanes, start from a seed, or
 * go on later.  What RFC 3720 calls the CRC of some bytes is
 *
 *      ~ba_crc32c_bytes(hw, ~UINT32_C(0), bytes, n)
 *
 * `hw` says whether to use the instruction.  At a hot place it is a constant
 * and the branch is gone; true needs ba_crc32c_have_hw(), false needs a filled
 * table.  Both give the same state for the same bytes.  It finds accidents, not
 * tampering: BLAKE3 is for that.
 *
 * Source: RFC 3720, 12.1 and B.4 (polynomial 0x1EDC6F41, reflected 0x82F63B78);
 * M. Kounavis and F. Berry, "A Systematic Approach to Building High Performance
 * Software-based CRC Generators", ISCC 2005.
 */
#ifndef BA_CRC32C_H
#define BA_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "words stand for the bytes of memory in order; traces are little-endian");

#define BA_CRC32C_POLYNOMIAL UINT32_C(0x82F63B78)
#define BA_CRC32C_INLINE     static inline __attribute__((always_inline))

/* Defined in bitactor_telemetry.c, filled once before the first hw == false. */
extern uint32_t ba_crc32c_table[8][256];

static inline void
ba_crc32c_fill_table(uint32_t table[8][256])
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t state = byte;
		for (int bit = 0; bit < 8; bit++)
			state = (state >> 1) ^ ((state & 1) != 0 ? BA_CRC32C_POLYNOMIAL : 0);
		table[0][byte] = state;
	}
	for (int zeros = 1; zeros < 8; zeros++) {
		for (int byte = 0; byte < 256; byte++) {
			uint32_t state = table[zeros - 1][byte];
			table[zeros][byte] = (state >> 8) ^ table[0][state & 0xFF];
		}
	}
}

/* Does this processor have the instruction?  Asks each time: keep the answer. */
static inline bool
ba_crc32c_have_hw(void)
{
#if defined(__x86_64__)
	unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSE4_2) != 0;
#elif defined(__aarch64__) && defined(__linux__)
	return (getauxval(AT_HWCAP) & (1ul << 7)) != 0; /* HWCAP_CRC32, asm/hwcap.h */
#else
	return false;
#endif
}

/* The instruction's name where ba_crc32c_have_hw() answers true. */
static inline const char *
ba_crc32c_name(void)
{
#if defined(__x86_64__)
	return "sse4.2";
#elif defined(__aarch64__)
	return "armv8-crc";
#else
	return "none";
#endif
}

BA_CRC32C_INLINE uint32_t
ba_crc32c_table_u32(uint32_t state, uint32_t word)
{
	uint32_t x = state ^ word;
	return ba_crc32c_table[3][x & 0xFF] ^ ba_crc32c_table[2][(x >> 8) & 0xFF] ^
	       ba_crc32c_table[1][(x >> 16) & 0xFF] ^ ba_crc32c_table[0][x >> 24];
}

BA_CRC32C_INLINE uint32_t
ba_crc32c_table_u64(uint32_t state, uint64_t word)
{
	uint32_t x = state ^ (uint32_t)word;
	uint32_t y = (uint32_t)(word >> 32);
	return ba_crc32c_table[7][x & 0xFF] ^ ba_crc32c_table[6][(x >> 8) & 0xFF] ^
	       ba_crc32c_table[5][(x >> 16) & 0xFF] ^ ba_crc32c_table[4][x >> 24] ^
	       ba_crc32c_table[3][y & 0xFF] ^ ba_crc32c_table[2][(y >> 8) & 0xFF] ^
	       ba_crc32c_table[1][(y >> 16) & 0xFF] ^ ba_crc32c_table[0][y >> 24];
}

/* The state after the 8 bytes of `word`, lowest first.
 * Inline assembly and not the intrinsic: the base build has no -msse4.2, and
 * "r" rather than "rm", for which clang 14 would go through memory. */
BA_CRC32C_INLINE uint32_t
ba_crc32c_u64(bool hw, uint32_t state, uint64_t word)
{
#if defined(__x86_64__)
	if (hw) {
		uint64_t wide = state;
		__asm__("crc32q %1, %0" : "+r"(wide) : "r"(word));
		return (uint32_t)wide;
	}
#elif defined(__aarch64__)
	if (hw) {
		__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(state) : "r"(word));
		return state;
	}
#else
	(void)hw;
#endif
	return ba_crc32c_table_u64(state, word);
}

/* The same with the state in 64 bits, of which the upper 32 are zero: the
 * instruction leaves it so, and a chain of them needs no instruction between. */
BA_CRC32C_INLINE uint64_t
ba_crc32c_wide(bool hw, uint64_t state, uint64_t word)
{
#if defined(__x86_64__)
	if (hw) {
		__asm__("crc32q %1, %0" : "+r"(state) : "r"(word));
		return state;
	}
#endif
	return ba_crc32c_u64(hw, (uint32_t)state, word);
}

/* The state after the 4 bytes of `word`, lowest first. */
BA_CRC32C_INLINE uint32_t
ba_crc32c_u32(bool hw, uint32_t state, uint32_t word)
{
#if defined(__x86_64__)
	if (hw) {
		__asm__("crc32l %1, %0" : "+r"(state) : "r"(word));
		return state;
	}
#elif defined(__aarch64__)
	if (hw) {
		__asm__(".arch_extension crc\n\tcrc32cw %w0, %w0, %w1" : "+r"(state) : "r"(word));
		return state;
	}
#else
	(void)hw;
#endif
	return ba_crc32c_table_u32(state, word);
}

BA_CRC32C_INLINE uint32_t
ba_crc32c_u8(bool hw, uint32_t state, uint8_t byte)
{
#if defined(__x86_64__)
	if (hw) {
		__asm__("crc32b %1, %0" : "+r"(state) : "q"(byte));
		return state;
	}
#elif defined(__aarch64__)
	if (hw) {
		__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(state) : "r"(byte));
		return state;
	}
#else
	(void)hw;
#endif
	return (state >> 8) ^ ba_crc32c_table[0][(state ^ byte) & 0xFF];
}

/* The state after `n` bytes of any alignment. */
BA_CRC32C_INLINE uint32_t
ba_crc32c_bytes(bool hw, uint32_t state, const void *bytes, size_t n)
{
	const uint8_t *at = bytes;
	for (; n >= 8; at += 8, n -= 8) {
		uint64_t word;
		memcpy(&word, at, sizeof word);
		state = ba_crc32c_u64(hw, state, word);
	}
	for (; n > 0; at++, n--)
		state = ba_crc32c_u8(hw, state, *at);
	return state;
}

#endif
