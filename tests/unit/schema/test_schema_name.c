/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema_name.c -- names and units: the rules at their edges, and what is near. */
#include "../../bdd.h"

#include <bitactor/schema.h>

#include <stdlib.h>
#include <string.h>

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
names(void)
{
	SCENARIO("a name is 1 to 63 of A-Z a-z 0-9 _ . -") {
		static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		                              "0123456789_.-";
		GIVEN("every byte, and every length up to 70");
		WHEN("they are names");
		THEN("exactly those are valid");
		for (int byte = 0; byte < 256; byte++) {
			char name[4] = { 'a', (char)byte, 'b', '\0' };
			bool is_allowed = byte == 0 || strchr(allowed, byte) != NULL;
			CHECK_EQ(bitactor_name_is_valid(name), is_allowed);
		}
		for (size_t name_bytes = 0; name_bytes < 70; name_bytes++) {
			char name[71] = "";
			memset(name, 'n', name_bytes);
			CHECK_EQ(bitactor_name_is_valid(name), name_bytes >= 1 && name_bytes <= 63);
		}
		CHECK(!bitactor_name_is_valid(NULL));
	}
	SCENARIO("a string without an end is not read to find it") {
		char *endless = malloc(64);
		memset(endless, 'n', 64);
		GIVEN("64 letters, then memory that is not ours");
		WHEN("it is a name");
		THEN("it is refused after 64 bytes (ASan watches)");
		CHECK(!bitactor_name_is_valid(endless));
		free(endless);
	}
}

static void
units(void)
{
	static const struct {
		const char *unit;
		bool        is_valid;
	} rows[] = {
		{ "", true },
		{ "km/h", true },
		{ "%", true },
		{ "per cent of full", true },
		{ "\xC2\xB0" "C", true },             /* degree                                */
		{ "\xC2\xB5s", true },
		{ "\xE2\x84\xA6", true },             /* ohm                                   */
		{ "m/s\xC2\xB2", true },
		{ "\xF0\x9F\x90\x9D", true },         /* 4 bytes                               */
		{ "1234567890123456789012345678901", true },
		{ "12345678901234567890123456789012", false },
		{ "12345678901234567890123456789\xC2\xB5", true },
		{ "123456789012345678901234567890\xC2\xB5", false },
		{ "a\tb", false },
		{ "a\nb", false },
		{ "\x1B[2J", false },
		{ "\x7F", false },
		{ "\xC2\x85", false },                /* next line, a C1 control               */
		{ "\xC2", false },                    /* ends inside a character               */
		{ "\xE2\x84", false },
		{ "\xF0\x9F\x90", false },
		{ "\xC2\x41", false },                /* no continuation                       */
		{ "\x80", false },                    /* no lead                               */
		{ "\xC0\xAF", false },                /* '/' in two bytes                      */
		{ "\xC1\xBF", false },
		{ "\xE0\x80\xAF", false },            /* '/' in three                          */
		{ "\xE0\x9F\xBF", false },
		{ "\xF0\x8F\xBF\xBF", false },
		{ "\xED\xA0\x80", false },            /* a surrogate                           */
		{ "\xF4\x90\x80\x80", false },        /* past U+10FFFF                         */
		{ "\xF5\x80\x80\x80", false },
		{ "\xFE", false },
		{ "\xFF", false },
		{ "\xE2\x80\xA8", false },            /* line separator                        */
		{ "\xE2\x80\xAE", false },            /* right-to-left override                */
		{ "\xE2\x81\xA6", false },            /* left-to-right isolate                 */
		{ "\xE2\x80\x8B", false },            /* zero width space                      */
		{ "\xEF\xBB\xBF", false },            /* byte order mark                       */
		{ "\xEF\xBF\xBE", false },            /* no character                          */
	};
	SCENARIO("a unit can be printed, and does nothing to what stands around it") {
		GIVEN("units right and wrong, each in memory of just its length");
		WHEN("they are looked at");
		THEN("printable UTF-8 of at most 31 bytes is valid and nothing else");
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			char *unit = strdup(rows[i].unit);
			if (bitactor_unit_is_valid(unit) != rows[i].is_valid)
				printf("row %zu\n", i);
			CHECK_EQ(bitactor_unit_is_valid(unit), rows[i].is_valid);
			free(unit);
		}
		CHECK(!bitactor_unit_is_valid(NULL));
	}
}

static void
unique(void)
{
	SCENARIO("the first name that was there before is found") {
		struct item {
			const char *name;
			int         other[3];
		} items[6] = { { .name = "f" }, { .name = "b" }, { .name = "d" },
			       { .name = "b" }, { .name = "f" }, { .name = "b" } };
		uint32_t index = 99;
		GIVEN("f b d b f b");
		WHEN("more and more of them are compared");
		THEN("the second b is found, index 3, and not before it is looked at");
		for (uint32_t count = 0; count <= 3; count++)
			CHECK_EQ(bitactor_names_unique(items, sizeof items[0], count, &index),
			         BITACTOR_OK);
		CHECK_EQ(index, 99);
		for (uint32_t count = 4; count <= 6; count++) {
			index = 99;
			CHECK_EQ(bitactor_names_unique(items, sizeof items[0], count, &index),
			         BITACTOR_CORRUPT);
			CHECK_EQ(index, 3);
		}
		CHECK_EQ(bitactor_names_unique(NULL, 0, 0, &index), BITACTOR_OK);
		CHECK_EQ(bitactor_names_unique(NULL, sizeof items[0], 2, &index), BITACTOR_ERROR);
		CHECK_EQ(bitactor_names_unique(items, sizeof items[0], 2, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_names_unique(items, 4, 2, &index), BITACTOR_ERROR);
	}
	SCENARIO("as a double loop says") {
		GIVEN("2000 lists of up to 12 names of one letter out of 40");
		WHEN("they are compared");
		THEN("the answer is that of comparing each with all before it");
		static const char letters[] = "a\0b\0c\0d\0e\0f\0g\0h\0i\0j\0k\0l\0m\0n\0o\0p\0q\0"
		                              "r\0s\0t\0u\0v\0w\0x\0y\0z\0" "0\0" "1\0" "2\0" "3\0"
		                              "4\0" "5\0" "6\0" "7\0" "8\0" "9\0" "A\0B\0C\0D";
		for (int round = 0; round < 2000; round++) {
			const char *list[12];
			uint32_t count = (uint32_t)(draw() % 13), index = 99, expected = 99;
			for (uint32_t i = 0; i < count; i++) {
				list[i] = letters + 2 * (draw() % 40);
				for (uint32_t j = 0; j < i && expected == 99; j++)
					if (strcmp(list[i], list[j]) == 0)
						expected = i;
			}
			bitactor_status_t status =
			        bitactor_names_unique(list, sizeof list[0], count, &index);
			CHECK_EQ(status, expected == 99 ? BITACTOR_OK : BITACTOR_CORRUPT);
			CHECK_EQ(index, expected);
		}
	}
}

static void
finding(void)
{
	static const char *const list[] = { "can.frame", "can.error", NULL, "tick", "can.frames" };
	const bitactor_kind_names_t kinds = { list, 5 };
	SCENARIO("a name gives its kind") {
		GIVEN("can.frame can.error (none) tick can.frames");
		WHEN("names are looked for");
		THEN("the index comes back, or -1 for what is not there");
		CHECK_EQ(bitactor_kind_find(&kinds, "can.frame"), 0);
		CHECK_EQ(bitactor_kind_find(&kinds, "tick"), 3);
		CHECK_EQ(bitactor_kind_find(&kinds, "can.frames"), 4);
		CHECK_EQ(bitactor_kind_find(&kinds, "can.fram"), -1);
		CHECK_EQ(bitactor_kind_find(&kinds, ""), -1);
		CHECK_EQ(bitactor_kind_find(&kinds, NULL), -1);
		CHECK_EQ(bitactor_kind_find(NULL, "tick"), -1);
		CHECK_EQ(bitactor_kind_find(&(bitactor_kind_names_t){ NULL, 0 }, "tick"), -1);
	}
	static const struct {
		const char *typed, *meant;
	} rows[] = {
		{ "can.frame", "can.frame" }, { "can.farme", "can.frame" },
		{ "can-frame", "can.frame" }, { "canframe", "can.frame" },
		{ "can.frmaes", "can.frames" }, { "can.eror", "can.error" },
		{ "tcik", "tick" },           { "tik", "tick" },
		{ "t", NULL },                { "speed", NULL },
		{ "", NULL },                 { "xxxx", NULL },
	};
	SCENARIO("a wrong name gets the one that was meant, if one is near") {
		GIVEN("the same kinds");
		WHEN("a name is mistyped");
		THEN("the nearest is named; of nothing near, nothing");
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			const char *nearest = bitactor_kind_nearest(&kinds, rows[i].typed);
			if (nearest == NULL || rows[i].meant == NULL)
				CHECK(nearest == rows[i].meant);
			else
				CHECK(strcmp(nearest, rows[i].meant) == 0);
		}
		CHECK(bitactor_kind_nearest(&kinds, NULL) == NULL);
		CHECK(bitactor_kind_nearest(NULL, "tick") == NULL);
		char long_name[5000] = "";
		memset(long_name, 't', sizeof long_name - 1);
		CHECK(bitactor_kind_nearest(&kinds, long_name) == NULL);
	}
}

static int
least3(int a, int b, int c)
{
	int least = a < b ? a : b;
	return least < c ? least : c;
}

/* The whole table, no bound. */
static int
model_edits(const char *a, const char *b)
{
	int table[65][65], a_bytes = (int)strlen(a), b_bytes = (int)strlen(b);
	for (int i = 0; i <= a_bytes; i++)
		for (int j = 0; j <= b_bytes; j++) {
			if (i == 0 || j == 0) {
				table[i][j] = i + j;
				continue;
			}
			table[i][j] = least3(table[i - 1][j] + 1, table[i][j - 1] + 1,
			                     table[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    table[i - 2][j - 2] + 1 < table[i][j])
				table[i][j] = table[i - 2][j - 2] + 1;
		}
	return table[a_bytes][b_bytes];
}

static void
draw_name(char *name, size_t most)
{
	size_t name_bytes = 1 + draw() % most;
	for (size_t i = 0; i < name_bytes; i++)
		name[i] = "abc"[draw() % 3];
	name[name_bytes] = '\0';
}

static void
nearest_model(void)
{
	SCENARIO("nearest as the whole table of edits says") {
		GIVEN("20,000 names of a, b and c, and lists of 6 to choose from");
		WHEN("the nearest is asked for");
		THEN("it is the first of those with the fewest edits, within a third and 3");
		for (int round = 0; round < 20000; round++) {
			size_t most = round % 10 == 0 ? 63 : 9;
			char typed[64], text[6][64];
			const char *list[6], *expected = NULL;
			draw_name(typed, most);
			int typed_bytes = (int)strlen(typed);
			int limit = least3(3, (typed_bytes + 2) / 3, typed_bytes - 1), fewest = 99;
			for (int i = 0; i < 6; i++) {
				draw_name(text[i], most);
				if (most == 63) { /* far apart by chance: make it near */
					strcpy(text[i], typed);
					for (uint64_t n = draw() % 5; n > 0; n--)
						text[i][draw() % (uint64_t)typed_bytes] = 'd';
				}
				list[i] = text[i];
				int distance = model_edits(typed, text[i]);
				if (distance < fewest && distance <= limit) {
					fewest = distance;
					expected = list[i];
				}
			}
			bitactor_kind_names_t kinds = { list, 6 };
			const char *nearest = bitactor_kind_nearest(&kinds, typed);
			if (nearest != expected)
				printf("\"%s\"\n", typed);
			CHECK(nearest == expected);
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%#" PRIx64 "\n", seed);
	names();
	units();
	unique();
	finding();
	nearest_model();
	return bdd_close();
}
