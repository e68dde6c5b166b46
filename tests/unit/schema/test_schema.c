/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema.c -- a text is read as it stands, or refused with its line.
 *
 * Texts are read from memory of just their length, so that ASan sees one byte
 * too many.
 */
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

static const char example[] = "schema\t1\n"
                              "kind\t0\tcan.frame\n"
                              "field\tid\t\tcontext\t0\t29\thex\t0\n"
                              "field\textended\t\tcontext\t31\t1\tflag\t0\n"
                              "field\tdata\t\tpayload\t0\t64\tbytes\t0\n"
                              "kind\t1\ttick\n"
                              "kind\t65279\toil\n"
                              "field\ttemperature\t\xC2\xB0" "C\tpayload\t16\t16\tsigned\t-1\n"
                              "field\tage\ts\ttimestamp\t0\t64\tunsigned\t-9\n"
                              "field\tsender\t\tid\t0\t32\tunsigned\t18\n"
                              "port\t0\talarm\n"
                              "port\t1\tlog\n";

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

static uint32_t
draw_below(uint32_t bound)
{
	return (uint32_t)(draw() % bound);
}

static bitactor_status_t
parse(const char *text, size_t text_bytes, bitactor_schema_t *schema, bitactor_error_t *error)
{
	char *copy = malloc(text_bytes > 0 ? text_bytes : 1);
	memcpy(copy, text, text_bytes);
	*error = (bitactor_error_t){ 0 };
	bitactor_status_t status = bitactor_schema_parse(copy, text_bytes, schema, error);
	free(copy); /* the schema must not need it */
	return status;
}

static bool
fields_equal(const bitactor_field_t *a, const bitactor_field_t *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->unit, b->unit) == 0 &&
	       a->word == b->word && a->shift == b->shift && a->bits == b->bits &&
	       a->format == b->format && a->exponent == b->exponent;
}

/* Refused and said why, or accepted and written again byte for byte. */
static bool
is_refused_or_round(const char *text, size_t text_bytes, bool *accepted)
{
	bitactor_schema_t schema;
	bitactor_error_t error;
	bitactor_status_t status = parse(text, text_bytes, &schema, &error);
	*accepted = status == BITACTOR_OK;
	if (!*accepted) {
		bool is_named = status == BITACTOR_UNSUPPORTED ||
		                (status == BITACTOR_CORRUPT && strstr(error.text, "line "));
		return is_named && error.status == status && schema.memory == NULL &&
		       schema.kind_count == 0 && schema.port_count == 0;
	}
	size_t again_bytes;
	char *again = bitactor_schema_text(&schema, &again_bytes);
	bool round = again != NULL && again_bytes == text_bytes &&
	             memcmp(again, text, text_bytes) == 0 && again[again_bytes] == '\0';
	free(again);
	bitactor_schema_free(&schema);
	return round;
}

static void
reading(void)
{
	SCENARIO("a schema says what it says") {
		bitactor_schema_t schema;
		bitactor_error_t error;
		GIVEN("a text with three kinds, six fields and two ports");
		WHEN("it is read");
		THEN("everything in it is found again");
		CHECK_EQ(parse(example, sizeof example - 1, &schema, &error), BITACTOR_OK);
		CHECK_EQ(error.status, BITACTOR_OK);
		CHECK_EQ(schema.kind_count, 3);
		CHECK_EQ(schema.port_count, 2);
		const bitactor_schema_kind_t *frame = bitactor_schema_find(&schema, 0);
		const bitactor_schema_kind_t *oil = bitactor_schema_find(&schema, 65279);
		CHECK(frame != NULL && oil != NULL && bitactor_schema_find(&schema, 1) != NULL);
		CHECK(bitactor_schema_find(&schema, 2) == NULL);
		CHECK(bitactor_schema_find(&schema, 65535) == NULL);
		if (frame != NULL && oil != NULL) {
			const bitactor_field_t id = { "id", "", BITACTOR_WORD_CONTEXT, 0, 29,
				                      BITACTOR_FORMAT_HEX, 0 };
			const bitactor_field_t age = { "age", "s", BITACTOR_WORD_TIMESTAMP, 0, 64,
				                       BITACTOR_FORMAT_UNSIGNED, -9 };
			CHECK_TEXT(frame->name, "can.frame");
			CHECK_EQ(frame->field_count, 3);
			CHECK(fields_equal(&frame->fields[0], &id));
			CHECK_EQ(oil->field_count, 3);
			CHECK(fields_equal(&oil->fields[1], &age));
			CHECK_TEXT(oil->fields[0].unit, "\xC2\xB0" "C");
			CHECK_TEXT(schema.ports[1], "log");
		}
		bitactor_schema_free(&schema);
		bitactor_schema_free(&schema);
		CHECK(schema.memory == NULL);
	}
	SCENARIO("the shortest schema") {
		bool accepted;
		GIVEN("a first line and no item");
		WHEN("it is read and written");
		THEN("it is a schema");
		CHECK(is_refused_or_round("schema\t1\n", 9, &accepted) && accepted);
	}
	SCENARIO("wrong arguments are answered") {
		bitactor_schema_t schema = { .kind_count = 7 };
		bitactor_error_t error = { 0 };
		CHECK_EQ(bitactor_schema_parse(NULL, 0, &schema, &error), BITACTOR_ERROR);
		CHECK_EQ(schema.kind_count, 0);
		CHECK_EQ(bitactor_schema_parse("", 0, NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_schema_parse("", 0, &schema, NULL), BITACTOR_CORRUPT);
		bitactor_schema_free(NULL);
		CHECK(bitactor_schema_find(NULL, 0) == NULL);
		CHECK(bitactor_schema_find(&(bitactor_schema_t){ 0 }, 0) == NULL);
	}
}

#define START "schema\t1\n"
#define KIND  START "kind\t0\ta\n"
#define N32   "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define N63   "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

static const struct {
	const char *text;
	uint32_t    line;
	const char *word; /* that the error must have */
} hostile_texts[] = {
	{ "", 1, "empty" },
	{ "\n", 1, "first" },
	{ "schema\n", 1, "first" },
	{ "schema\t1", 1, "newline" },
	{ "schema\t1\t\n", 1, "first" },
	{ "schema\t01\n", 1, "first" },
	{ "schema\t+1\n", 1, "first" },
	{ "schema\t1\r\n", 1, "first" },
	{ "Schema\t1\n", 1, "first" },
	{ "schema\t4294967296\n", 1, "first" },
	{ "schema 1\n", 1, "first" },
	{ "\xEF\xBB\xBFschema\t1\n", 1, "first" },
	{ "kind\t0\ta\n", 1, "first" },
	{ START "\n", 2, "item" },
	{ START "schema\t1\n", 2, "item" },
	{ START "kinds\t0\ta\n", 2, "item" },
	{ START " kind\t0\ta\n", 2, "item" },
	{ START "kind\n", 2, "columns" },
	{ START "kind\t0\n", 2, "columns" },
	{ START "kind\t0\ta\t\n", 2, "columns" },
	{ START "kind\t0\ta\tb\n", 2, "columns" },
	{ START "kind\t\ta\n", 2, "number" },
	{ START "kind\t00\ta\n", 2, "number" },
	{ START "kind\t01\ta\n", 2, "number" },
	{ START "kind\t-1\ta\n", 2, "number" },
	{ START "kind\t-0\ta\n", 2, "number" },
	{ START "kind\t+1\ta\n", 2, "number" },
	{ START "kind\t 1\ta\n", 2, "number" },
	{ START "kind\t0x1\ta\n", 2, "number" },
	{ START "kind\t1e1\ta\n", 2, "number" },
	{ START "kind\t65280\ta\n", 2, "number" },
	{ START "kind\t4294967296\ta\n", 2, "number" },
	{ START "kind\t18446744073709551616\ta\n", 2, "number" },
	{ START "kind\t99999999999999999999999999999999\ta\n", 2, "number" },
	{ START "kind\t0\t\n", 2, "name" },
	{ START "kind\t0\ta b\n", 2, "name" },
	{ START "kind\t0\ta\r\n", 2, "name" },
	{ START "kind\t0\t\xC3\xA4\n", 2, "name" },
	{ START "kind\t0\tn" N63 "\n", 2, "name" },
	{ KIND "kind\t0\tb\n", 3, "ascend" },
	{ START "kind\t1\ta\nkind\t0\tb\n", 3, "ascend" },
	{ KIND "kind\t1\tb\nkind\t2\ta\n", 4, "earlier" },
	{ KIND "kind\t1\tb", 3, "newline" },
	{ START "field\tx\t\tid\t0\t1\thex\t0\n", 2, "belongs" },
	{ KIND "field\tx\t\tid\t0\t1\thex\n", 3, "columns" },
	{ KIND "field\tx\t\tid\t0\t1\thex\t0\t\n", 3, "columns" },
	{ KIND "field\tx\t\tid\t0\t1\thex\t0\t0\t0\t0\t0\t0\t0\t0\n", 3, "columns" },
	{ KIND "field\t\t\tid\t0\t1\thex\t0\n", 3, "name" },
	{ KIND "field\tx\ta\rb\tid\t0\t1\thex\t0\n", 3, "unit" },
	{ KIND "field\tx\t\xFF\tid\t0\t1\thex\t0\n", 3, "unit" },
	{ KIND "field\tx\t" N32 "\tid\t0\t1\thex\t0\n", 3, "unit" },
	{ KIND "field\tx\t\tID\t0\t1\thex\t0\n", 3, "word" },
	{ KIND "field\tx\t\t3\t0\t1\thex\t0\n", 3, "word" },
	{ KIND "field\tx\t\t\t0\t1\thex\t0\n", 3, "word" },
	{ KIND "field\tx\t\tid\t64\t1\thex\t0\n", 3, "shift" },
	{ KIND "field\tx\t\tid\t256\t1\thex\t0\n", 3, "shift" },
	{ KIND "field\tx\t\tid\t00\t1\thex\t0\n", 3, "shift" },
	{ KIND "field\tx\t\tid\t0\t65\thex\t0\n", 3, "shift" },
	{ KIND "field\tx\t\tid\t0\t257\thex\t0\n", 3, "shift" },
	{ KIND "field\tx\t\tid\t0\t0\thex\t0\n", 3, "bits" },
	{ KIND "field\tx\t\tid\t1\t64\thex\t0\n", 3, "bits" },
	{ KIND "field\tx\t\tid\t63\t2\thex\t0\n", 3, "bits" },
	{ KIND "field\tx\t\tid\t0\t1\tHex\t0\n", 3, "format" },
	{ KIND "field\tx\t\tid\t0\t1\t\t0\n", 3, "format" },
	{ KIND "field\tx\t\tid\t0\t1\thex\t1\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t2\tflag\t0\n", 3, "flag" },
	{ KIND "field\tx\t\tid\t0\t12\tbytes\t0\n", 3, "multiple" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t-\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t--1\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t-0\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t-01\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t+1\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t19\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t-19\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\tsigned\t256\n", 3, "exponent" },
	{ KIND "field\tx\t\tid\t0\t1\thex\t0\nfield\tx\t\tid\t1\t1\thex\t0\n", 4,
	  "earlier" },
	{ START "port\t0\n", 2, "columns" },
	{ START "port\t0\ta\t\n", 2, "columns" },
	{ START "port\t1\ta\n", 2, "count" },
	{ START "port\t00\ta\n", 2, "count" },
	{ START "port\t0\ta\nport\t0\tb\n", 3, "count" },
	{ START "port\t0\ta\nport\t2\tb\n", 3, "count" },
	{ START "port\t0\ta\nport\t1\ta\n", 3, "earlier" },
	{ START "port\t0\ta b\n", 2, "name" },
	{ START "port\t0\ta\nkind\t0\ta\n", 3, "before" },
	{ KIND "port\t0\ta\nfield\tx\t\tid\t0\t1\thex\t0\n", 4, "belongs" },
	{ KIND "port\t0\ta\n\n", 4, "item" },
};

static void
hostile(void)
{
	SCENARIO("what is not written just so is refused, and the line is named") {
		GIVEN("texts with one thing wrong each");
		WHEN("they are read");
		THEN("each is CORRUPT, the error has its line and what is wrong");
		const size_t count = sizeof hostile_texts / sizeof hostile_texts[0];
		for (size_t i = 0; i < count; i++) {
			const char *text = hostile_texts[i].text, *word = hostile_texts[i].word;
			bitactor_schema_t schema;
			bitactor_error_t error;
			char line[24];
			(void)snprintf(line, sizeof line, "line %u:", hostile_texts[i].line);
			bitactor_status_t status = parse(text, strlen(text), &schema, &error);
			bool named = strstr(error.text, line) && strstr(error.text, word);
			if (status != BITACTOR_CORRUPT || !named)
				printf("row %zu: %s\n", i, error.text);
			CHECK_EQ(status, BITACTOR_CORRUPT);
			CHECK(named);
			CHECK(schema.memory == NULL);
		}
	}
	SCENARIO("a later version is not called corrupt") {
		bitactor_schema_t schema;
		bitactor_error_t error;
		CHECK_EQ(parse("schema\t2\nwhatever\n", 18, &schema, &error),
		         BITACTOR_UNSUPPORTED);
		CHECK(strstr(error.text, "version 2") != NULL);
	}
	SCENARIO("a NUL byte ends nothing") {
		WHEN("each byte in turn is a NUL");
		THEN("the text is refused, with the line of the NUL");
		uint32_t line = 1;
		for (size_t i = 0; i < sizeof example - 1; i++) {
			char text[sizeof example], expected[24];
			memcpy(text, example, sizeof example);
			text[i] = '\0';
			bitactor_schema_t schema;
			bitactor_error_t error;
			(void)snprintf(expected, sizeof expected, "line %u: there is a NUL", line);
			CHECK_EQ(parse(text, sizeof example - 1, &schema, &error),
			         BITACTOR_CORRUPT);
			CHECK(strstr(error.text, expected) != NULL);
			line += example[i] == '\n';
		}
	}
}

/* "schema 1, kind 0" and so many fields, ports or kinds; for free(). */
static char *
make_text(uint32_t kinds, uint32_t fields, uint32_t ports)
{
	char *text = malloc(64 + 40 * ((size_t)kinds + fields + ports));
	size_t used = (size_t)sprintf(text, START);
	for (uint32_t i = 0; i < kinds; i++)
		used += (size_t)sprintf(text + used, "kind\t%u\tk%u\n", i, i);
	for (uint32_t i = 0; i < fields; i++)
		used += (size_t)sprintf(text + used, "field\tf%u\t\tid\t0\t1\thex\t0\n", i);
	for (uint32_t i = 0; i < ports; i++)
		used += (size_t)sprintf(text + used, "port\t%u\tp%u\n", i, i);
	return text;
}

static void
limits(void)
{
	static const struct {
		uint32_t kinds, fields, ports;
		bool     accepted;
	} rows[] = {
		{ 1, 256, 0, true },   { 1, 257, 0, false }, { 65280, 0, 0, true },
		{ 65281, 0, 0, false }, { 0, 0, 100000, true }, { 3, 7, 2, true },
	};
	SCENARIO("as much as is allowed, and one more") {
		GIVEN("schemas with 256 fields a kind, all 65,280 kinds, 100,000 ports");
		WHEN("they are read, and with one more field or kind");
		THEN("the first are read and written again, the second refused");
		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			bool accepted;
			char *text = make_text(rows[i].kinds, rows[i].fields, rows[i].ports);
			CHECK(is_refused_or_round(text, strlen(text), &accepted));
			CHECK_EQ(accepted, rows[i].accepted);
			free(text);
		}
	}
	SCENARIO("a text of more than 16 MiB is not read") {
		size_t text_bytes = BITACTOR_SCHEMA_TEXT_MAX + 1;
		char *text = malloc(text_bytes);
		memset(text, '\n', text_bytes);
		bitactor_schema_t schema;
		bitactor_error_t error = { 0 };
		CHECK_EQ(bitactor_schema_parse(text, text_bytes, &schema, &error),
		         BITACTOR_CORRUPT);
		CHECK(strstr(error.text, "16777217 bytes") != NULL);
		free(text);
	}
}

/* One small change, like those that a bad disk or a bad hand makes. */
static size_t
mutate(char *text, size_t text_bytes)
{
	static const char spice[] = "\t\n\r 0019+-kfps\x7F\xC2\xB5\xFF";
	size_t at = draw_below((uint32_t)text_bytes), from = draw_below((uint32_t)text_bytes);
	size_t count = 1 + draw_below(12);
	if (count > text_bytes - (at > from ? at : from))
		count = text_bytes - (at > from ? at : from);
	switch (draw_below(6)) {
	case 0:
		text[at] = (char)draw();
		return text_bytes;
	case 1:
		text[at] = spice[draw_below(sizeof spice)];
		return text_bytes;
	case 2: /* take out */
		memmove(text + at, text + at + count, text_bytes - at - count);
		return text_bytes - count;
	case 3: /* one byte more */
		memmove(text + at + 1, text + at, text_bytes - at);
		text[at] = spice[draw_below(sizeof spice)];
		return text_bytes + 1;
	case 4: /* copy over */
		memmove(text + at, text + from, count);
		return text_bytes;
	default: /* cut */
		return at;
	}
}

static void
mutations(void)
{
	SCENARIO("a damaged text is refused, or is another schema's one text") {
		GIVEN("300,000 copies of a text with 1 to 4 small changes each");
		WHEN("they are read");
		THEN("each is refused with its line, or written again byte for byte");
		uint32_t accepted_count = 0;
		for (int round = 0; round < 300000; round++) {
			char text[sizeof example + 8];
			size_t text_bytes = sizeof example - 1;
			memcpy(text, example, text_bytes);
			for (uint32_t n = 1 + draw_below(4); n > 0 && text_bytes > 0; n--)
				text_bytes = mutate(text, text_bytes);
			bool accepted;
			bool right = is_refused_or_round(text, text_bytes, &accepted);
			if (!right)
				printf("round %d: <<%.*s>>\n", round, (int)text_bytes, text);
			CHECK(right);
			accepted_count += accepted;
		}
		printf("         (%u of them were schemas)\n", accepted_count);
		CHECK(accepted_count > 1000);
		CHECK(accepted_count < 200000);
	}
	SCENARIO("a text cut anywhere") {
		WHEN("it ends after every byte in turn");
		THEN("it is read if it ends with a line, and refused if not");
		for (size_t text_bytes = 0; text_bytes < sizeof example; text_bytes++) {
			bool accepted;
			CHECK(is_refused_or_round(example, text_bytes, &accepted));
			CHECK_EQ(accepted, text_bytes > 0 && example[text_bytes - 1] == '\n');
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%#" PRIx64 "\n", seed);
	reading();
	hostile();
	limits();
	mutations();
	return bdd_close();
}
