/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema_field.c -- a value is shown exactly, whatever bits it has. */
#include "../../bdd.h"

#include <bitactor/schema.h>

#include <stdlib.h>
#include <string.h>

#define CHECK_TEXT(actual, expected)                                                       \
	do {                                                                               \
		if (strcmp(actual, expected) != 0) {                                       \
			bdd_broken++;                                                      \
			printf("%s:%d: \"%s\", not \"%s\"\n", __FILE__, __LINE__, actual,  \
			       expected);                                                  \
		}                                                                          \
	} while (0)

enum {
	U = BITACTOR_FORMAT_UNSIGNED,
	S = BITACTOR_FORMAT_SIGNED,
	H = BITACTOR_FORMAT_HEX,
	B = BITACTOR_FORMAT_BYTES,
	F = BITACTOR_FORMAT_FLAG
};

static uint64_t seed = 0x5EED;

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014) */
static uint64_t
draw(void)
{
	uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static void
known_values(void)
{
	static const struct {
		uint8_t     word, shift, bits, format;
		int8_t      exponent;
		uint64_t    value; /* of that word; the others are all ones */
		const char *text;
	} rows[] = {
		{ 0, 0, 16, S, -4, 0xFFFF, "-0.0001" },
		{ 0, 0, 16, S, -2, 0xFB2E, "-12.34" },
		{ 1, 0, 29, H, 0, 0x18EEFF01, "0x18eeff01" },
		{ 1, 29, 3, H, 0, 0xFFFFFFFF18EEFF01, "0x0" },
		{ 1, 31, 1, F, 0, 0x80000000, "true" },
		{ 1, 31, 1, F, 0, ~UINT64_C(0x80000000), "false" },
		{ 0, 0, 32, B, 0, 0x1CBEA005, "05a0be1c" },
		{ 0, 0, 64, B, 0, 0x0807060504030201, "0102030405060708" },
		{ 0, 8, 8, B, 0, 0xFFFFAAFF, "aa" },
		{ 0, 0, 64, U, 0, 0, "0" },
		{ 0, 0, 64, U, 0, UINT64_MAX, "18446744073709551615" },
		{ 2, 0, 64, U, -9, 1700000000123456789, "1700000000.123456789" },
		{ 0, 0, 64, S, 0, UINT64_C(1) << 63, "-9223372036854775808" },
		{ 0, 0, 64, S, 0, UINT64_MAX, "-1" },
		{ 0, 0, 64, S, 0, INT64_MAX, "9223372036854775807" },
		{ 0, 0, 64, S, 18, UINT64_C(1) << 63, "-9223372036854775808000000000000000000" },
		{ 0, 0, 64, S, -18, UINT64_C(1) << 63, "-9.223372036854775808" },
		{ 0, 0, 64, U, 18, UINT64_MAX, "18446744073709551615000000000000000000" },
		{ 0, 0, 64, U, -18, 1, "0.000000000000000001" },
		{ 0, 0, 64, U, -18, 0, "0.000000000000000000" },
		{ 0, 0, 8, U, 3, 12, "12000" },
		{ 0, 0, 8, U, 18, 0, "0" },
		{ 0, 0, 8, U, -1, 0, "0.0" },
		{ 0, 0, 8, U, -1, 10, "1.0" },
		{ 0, 0, 8, U, -3, 100, "0.100" },
		{ 0, 0, 1, S, 0, 1, "-1" },
		{ 0, 0, 1, S, 0, 0, "0" },
		{ 0, 63, 1, S, 0, UINT64_C(1) << 63, "-1" },
		{ 0, 63, 1, U, 0, UINT64_C(1) << 63, "1" },
		{ 0, 0, 2, S, 0, 2, "-2" },
		{ 3, 0, 32, U, 0, 4294967295, "4294967295" },
		{ 0, 0, 1, H, 0, 1, "0x1" },
		{ 0, 0, 4, H, 0, 10, "0xa" },
		{ 0, 0, 5, H, 0, 10, "0x0a" },
		{ 0, 0, 64, H, 0, 0xDEADBEEF, "0x00000000deadbeef" },
	};
	SCENARIO("values worked out by hand") {
		GIVEN("a field of every format, at both ends of a word");
		WHEN("it is shown, all other words being ones");
		THEN("the text is the one worked out, and its length is answered");
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			bitactor_field_t field = { "x",           "",  rows[i].word,
				                   rows[i].shift, rows[i].bits, rows[i].format,
				                   rows[i].exponent };
			uint64_t words[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
			words[rows[i].word] = rows[i].value;
			char text[BITACTOR_FIELD_TEXT_BYTES];
			size_t text_bytes = bitactor_field_format(&field, words, text, sizeof text);
			CHECK_TEXT(text, rows[i].text);
			CHECK_EQ(text_bytes, strlen(rows[i].text));
			CHECK(bitactor_field_complaint(&field) == NULL);
		}
	}
}

/* Slow and obvious: bit by bit, the C library's digits, then the point. */
static void
model(const bitactor_field_t *field, const uint64_t words[4], char *out)
{
	uint64_t value = 0;
	for (int bit = 0; bit < field->bits; bit++)
		if (words[field->word] >> (field->shift + bit) & 1)
			value += UINT64_C(1) << bit;
	if (field->format == F) {
		strcpy(out, value ? "true" : "false");
	} else if (field->format == H) {
		sprintf(out, "0x%0*llx", (field->bits + 3) / 4, (unsigned long long)value);
	} else if (field->format == B) {
		for (int i = 0; i < field->bits / 8; i++)
			sprintf(out + 2 * i, "%02x", (unsigned)(value >> 8 * i & 0xFF));
	} else {
		bool negative = field->format == S && value >> (field->bits - 1) & 1;
		for (int bit = field->bits; negative && bit < 64; bit++)
			value |= UINT64_C(1) << bit;
		int zeros = field->exponent < 0 ? 1 - field->exponent : 1;
		char digits[80];
		sprintf(digits, "%0*llu", zeros,
		        (unsigned long long)(negative ? ~value + 1 : value));
		for (int i = 0; i < field->exponent && value != 0; i++)
			strcat(digits, "0");
		size_t whole = strlen(digits) - (size_t)(zeros - 1);
		sprintf(out, "%s%.*s%s%s", negative ? "-" : "", (int)whole, digits,
		        zeros > 1 ? "." : "", digits + whole);
	}
}

static void
random_values(void)
{
	SCENARIO("shown as a slow and obvious program shows it") {
		GIVEN("200,000 random fields and words, dense at the ends of the range");
		WHEN("both show them");
		THEN("the texts are equal, and fit the room that the header promises");
		for (int i = 0; i < 200000; i++) {
			bitactor_field_t field = { .name = "x", .unit = "" };
			uint64_t words[4];
			for (int w = 0; w < 4; w++) {
				words[w] = draw() >> draw() % 64;
				if (draw() % 4 == 0)
					words[w] = ~words[w];
			}
			field.word = draw() % 4;
			field.format = (uint8_t)(draw() % 5);
			field.shift = draw() % 64;
			field.bits = (uint8_t)(1 + draw() % (64u - field.shift));
			if (field.format == B && field.bits < 8)
				field.format = H;
			if (field.format == B)
				field.bits &= 0xF8;
			if (field.format == F)
				field.bits = 1;
			if (field.format <= S)
				field.exponent = (int8_t)((int)(draw() % 37) - 18);
			char text[BITACTOR_FIELD_TEXT_BYTES], expected[128];
			model(&field, words, expected);
			(void)bitactor_field_format(&field, words, text, sizeof text);
			CHECK_TEXT(text, expected);
		}
	}
}

static void
rooms(void)
{
	SCENARIO("a small room is not overrun") {
		bitactor_field_t field = { "x", "", 0, 0, 64, S, -18 };
		uint64_t words[4] = { UINT64_C(1) << 63, 0, 0, 0 };
		const char *whole = "-9.223372036854775808";
		GIVEN("rooms of 0 to 40 bytes");
		WHEN("a value of 21 bytes is shown in each");
		THEN("what fits is there, ended by a NUL, and the whole length is answered");
		for (size_t room = 0; room <= BITACTOR_FIELD_TEXT_BYTES; room++) {
			char *text = malloc(room + 1); /* so that ASan sees one byte too many */
			memset(text, '#', room + 1);
			size_t text_bytes = bitactor_field_format(&field, words, text, room);
			CHECK_EQ(text_bytes, strlen(whole));
			CHECK_EQ(text[room], '#');
			if (room > 0) {
				size_t kept = room - 1 < text_bytes ? room - 1 : text_bytes;
				CHECK_EQ(strlen(text), kept);
				CHECK(memcmp(text, whole, kept) == 0);
			}
			free(text);
		}
		CHECK_EQ(bitactor_field_format(&field, words, NULL, 0), strlen(whole));
	}
}

static void
wrong_fields(void)
{
	const bitactor_field_t right = { "x", "km/h", 0, 8, 16, S, -1 };
	const struct {
		bitactor_field_t field;
		const char      *word; /* that the complaint must have */
		bool             readable; /* its value could still be shown */
	} rows[] = {
		{ { NULL, "", 0, 0, 1, U, 0 }, "name", true },
		{ { "a b", "", 0, 0, 1, U, 0 }, "name", true },
		{ { "x", NULL, 0, 0, 1, U, 0 }, "unit", true },
		{ { "x", "\t", 0, 0, 1, U, 0 }, "unit", true },
		{ { "x", "", 4, 0, 1, U, 0 }, "word", false },
		{ { "x", "", 255, 0, 1, U, 0 }, "word", false },
		{ { "x", "", 0, 64, 1, U, 0 }, "bits", false },
		{ { "x", "", 0, 255, 255, U, 0 }, "bits", false },
		{ { "x", "", 0, 0, 0, U, 0 }, "bits", false },
		{ { "x", "", 0, 0, 65, U, 0 }, "bits", false },
		{ { "x", "", 0, 1, 64, U, 0 }, "bits", false },
		{ { "x", "", 0, 63, 2, U, 0 }, "bits", false },
		{ { "x", "", 0, 0, 1, 5, 0 }, "format", false },
		{ { "x", "", 0, 0, 1, 255, 0 }, "format", false },
		{ { "x", "", 0, 0, 1, U, 19 }, "exponent", false },
		{ { "x", "", 0, 0, 1, U, -19 }, "exponent", false },
		{ { "x", "", 0, 0, 1, U, -128 }, "exponent", false },
		{ { "x", "", 0, 0, 2, F, 0 }, "flag", false },
		{ { "x", "", 0, 0, 12, B, 0 }, "multiple of 8", false },
		{ { "x", "", 0, 0, 8, H, 1 }, "exponent", false },
		{ { "x", "", 0, 0, 8, B, -1 }, "exponent", false },
		{ { "x", "", 0, 0, 1, F, 1 }, "exponent", false },
	};
	SCENARIO("a wrong field is named wrong and never read") {
		uint64_t words[4] = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
		char text[BITACTOR_FIELD_TEXT_BYTES];
		GIVEN("a right field, and ones with each of their parts wrong");
		WHEN("they are looked at and shown");
		THEN("the complaint says which part; what has no value shows as nothing");
		CHECK(bitactor_field_complaint(&right) == NULL);
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			const char *complaint = bitactor_field_complaint(&rows[i].field);
			CHECK(complaint != NULL && strstr(complaint, rows[i].word) != NULL);
			strcpy(text, "#");
			size_t text_bytes =
			        bitactor_field_format(&rows[i].field, words, text, sizeof text);
			CHECK_EQ(text_bytes > 0, rows[i].readable);
			CHECK_EQ(strlen(text), text_bytes);
		}
		CHECK(bitactor_field_complaint(NULL) != NULL);
		CHECK_EQ(bitactor_field_format(NULL, words, text, sizeof text), 0);
		CHECK_EQ(bitactor_field_format(&right, NULL, text, sizeof text), 0);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%#" PRIx64 "\n", seed);
	known_values();
	random_values();
	rooms();
	wrong_fields();
	return bdd_close();
}
