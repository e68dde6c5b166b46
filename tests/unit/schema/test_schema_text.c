/* SPDX-License-Identifier: Apache-2.0 */
/* test_schema_text.c -- one text for a schema, and the schema comes back from it. */
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

static uint32_t
draw_below(uint32_t bound)
{
	return (uint32_t)(draw() % bound);
}

static bool
fields_equal(const bitactor_field_t *a, const bitactor_field_t *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->unit, b->unit) == 0 &&
	       a->word == b->word && a->shift == b->shift && a->bits == b->bits &&
	       a->format == b->format && a->exponent == b->exponent;
}

static bool
schemas_equal(const bitactor_schema_t *a, const bitactor_schema_t *b)
{
	if (a->kind_count != b->kind_count || a->port_count != b->port_count)
		return false;
	for (uint32_t i = 0; i < a->kind_count; i++) {
		const bitactor_schema_kind_t *left = &a->kinds[i], *right = &b->kinds[i];
		if (left->kind != right->kind || strcmp(left->name, right->name) != 0 ||
		    left->field_count != right->field_count)
			return false;
		for (uint32_t j = 0; j < left->field_count; j++)
			if (!fields_equal(&left->fields[j], &right->fields[j]))
				return false;
	}
	for (uint32_t i = 0; i < a->port_count; i++)
		if (strcmp(a->ports[i], b->ports[i]) != 0)
			return false;
	return true;
}

/* A name or unit that no other index has. */
static const char *
draw_words(char *out, uint32_t index, const char *letters, size_t most)
{
	size_t used = (size_t)sprintf(out, "%u", index);
	size_t letter_count = strlen(letters);
	for (size_t more = draw_below((uint32_t)(most - used) + 1); more > 0; more--)
		out[used++] = letters[draw() % letter_count];
	out[used] = '\0';
	return out;
}

static const char name_letters[] = "ABCXYZabcxyz0189_.-";

static void
draw_field(bitactor_field_t *field, uint32_t index, char *name, char *unit)
{
	static const uint8_t bytes_bits[] = { 8, 16, 32, 64 };
	field->name = draw_words(name, index, name_letters, BITACTOR_NAME_MAX);
	field->unit = draw_below(2) ? "" : draw_words(unit, index, "/ %\"\\'\x7E!azAZ09", 31);
	field->word = (uint8_t)draw_below(4);
	field->format = (uint8_t)draw_below(5);
	field->shift = (uint8_t)draw_below(64);
	field->bits = (uint8_t)(1 + draw_below(64u - field->shift));
	field->exponent = 0;
	if (field->format <= BITACTOR_FORMAT_SIGNED)
		field->exponent = (int8_t)((int)draw_below(37) - 18);
	if (field->format == BITACTOR_FORMAT_FLAG)
		field->bits = 1;
	if (field->format == BITACTOR_FORMAT_BYTES) {
		field->shift = 0;
		field->bits = bytes_bits[draw_below(4)];
	}
}

enum { KINDS = 9, FIELDS = 9, PORTS = 5, WORDS = 64 };

/* A schema and all that it points to. */
struct drawn {
	bitactor_schema_t      schema;
	bitactor_schema_kind_t kinds[KINDS];
	bitactor_field_t       fields[KINDS][FIELDS];
	const char            *ports[PORTS];
	char kind_names[KINDS][WORDS], port_names[PORTS][WORDS];
	char names[KINDS][FIELDS][WORDS], units[KINDS][FIELDS][WORDS];
};

static void
draw_schema(struct drawn *drawn)
{
	bitactor_schema_t *schema = &drawn->schema;
	*schema = (bitactor_schema_t){ .kinds = drawn->kinds, .ports = drawn->ports };
	schema->kind_count = draw_below(KINDS + 1);
	schema->port_count = draw_below(PORTS + 1);
	uint32_t number = 0;
	for (uint32_t i = 0; i < schema->kind_count; i++) {
		bitactor_schema_kind_t *kind = &drawn->kinds[i];
		number += 1 + draw_below(draw_below(4) == 0 ? 7000 : 2);
		kind->name = draw_words(drawn->kind_names[i], i, name_letters, 63);
		kind->kind = (uint16_t)(number - 1);
		kind->fields = drawn->fields[i];
		kind->field_count = draw_below(FIELDS + 1);
		for (uint32_t j = 0; j < kind->field_count; j++)
			draw_field(&drawn->fields[i][j], j, drawn->names[i][j],
			           drawn->units[i][j]);
	}
	for (uint32_t i = 0; i < schema->port_count; i++)
		drawn->ports[i] = draw_words(drawn->port_names[i], i, name_letters, 63);
}

static void
check_round(const bitactor_schema_t *schema)
{
	size_t text_bytes = 0, again_bytes = 0;
	char *text = bitactor_schema_text(schema, &text_bytes);
	CHECK(text != NULL && strlen(text) == text_bytes);
	bitactor_schema_t again;
	bitactor_error_t error = { 0 };
	CHECK_EQ(bitactor_schema_parse(text, text_bytes, &again, &error), BITACTOR_OK);
	CHECK(schemas_equal(schema, &again));
	char *text_again = bitactor_schema_text(&again, &again_bytes);
	CHECK(text_again != NULL && again_bytes == text_bytes);
	CHECK(text != NULL && text_again != NULL && strcmp(text, text_again) == 0);
	free(text_again);
	bitactor_schema_free(&again);
	free(text);
}

static void
round_trips(void)
{
	SCENARIO("the text is the one that the header shows") {
		bitactor_field_t id = { "id", "", BITACTOR_WORD_CONTEXT, 0, 29,
			                BITACTOR_FORMAT_HEX, 0 };
		bitactor_schema_kind_t kind = { "can.frame", 0, &id, 1 };
		const char *port = "alarm";
		bitactor_schema_t schema = { &kind, 1, &port, 1, NULL };
		GIVEN("the schema of schema.h's example");
		WHEN("it is written");
		char *text = bitactor_schema_text(&schema, NULL);
		THEN("the text is the example, byte for byte");
		CHECK(text != NULL && strcmp(text, "schema\t1\n"
		                                   "kind\t0\tcan.frame\n"
		                                   "field\tid\t\tcontext\t0\t29\thex\t0\n"
		                                   "port\t0\talarm\n") == 0);
		free(text);
	}
	SCENARIO("parse(text(s)) == s") {
		GIVEN("5000 random schemas");
		WHEN("they are written, read, and written again");
		THEN("the schemas are equal, and so are the texts");
		static struct drawn drawn;
		for (int round = 0; round < 5000; round++) {
			draw_schema(&drawn);
			check_round(&drawn.schema);
		}
	}
}

/* A schema with one thing wrong at a time. */
static bitactor_field_t right[2] = { { "x", "", 0, 0, 8, BITACTOR_FORMAT_HEX, 0 },
	                             { "y", "", 0, 8, 8, BITACTOR_FORMAT_HEX, 0 } };
static bitactor_field_t wrong[1] = { { "x", "", 0, 0, 65, BITACTOR_FORMAT_HEX, 0 } };
static bitactor_field_t twice[2] = { { "x", "", 0, 0, 8, BITACTOR_FORMAT_HEX, 0 },
	                             { "x", "", 0, 8, 8, BITACTOR_FORMAT_HEX, 0 } };

#define REFUSED(change)                                                          \
	do {                                                                     \
		const char *ports[2] = { "p", "q" };                             \
		bitactor_schema_kind_t kinds[2] = { { "a", 3, right, 2 },        \
			                            { "b", 4, NULL, 0 } };       \
		bitactor_schema_t schema = { kinds, 2, ports, 2, NULL };         \
		size_t text_bytes = 7;                                           \
		change;                                                          \
		char *text = bitactor_schema_text(&schema, &text_bytes);         \
		if (text != NULL)                                                \
			printf("written: %s\n", #change);                        \
		CHECK(text == NULL);                                             \
		CHECK_EQ(text_bytes, 0);                                         \
		free(text);                                                      \
	} while (0)

static void
refused(void)
{
	SCENARIO("what could not be read is not written") {
		const char *port_twice[2] = { "p", "p" };
		const char *port_wrong[1] = { "p q" }, *port_null[1] = { NULL };
		GIVEN("a schema that can be written");
		bitactor_schema_kind_t one = { "a", 3, right, 2 };
		check_round(&(bitactor_schema_t){ &one, 1, NULL, 0, NULL });
		WHEN("one thing in one like it is wrong");
		THEN("there is no text");
		REFUSED(kinds[1].kind = 3);
		REFUSED(kinds[1].kind = 2);
		REFUSED(kinds[1].kind = 0xFF00);
		REFUSED(kinds[1].name = "a");
		REFUSED(kinds[1].name = NULL);
		REFUSED(kinds[1].name = "a\tb");
		REFUSED(kinds[1].field_count = 1);
		REFUSED(kinds[0].field_count = 257);
		REFUSED(kinds[0].fields = twice);
		REFUSED((kinds[0].fields = wrong, kinds[0].field_count = 1));
		REFUSED(schema.kinds = NULL);
		REFUSED(schema.ports = NULL);
		REFUSED(schema.ports = port_twice);
		REFUSED((schema.ports = port_wrong, schema.port_count = 1));
		REFUSED((schema.ports = port_null, schema.port_count = 1));
		size_t text_bytes = 7;
		CHECK(bitactor_schema_text(NULL, &text_bytes) == NULL);
		CHECK_EQ(text_bytes, 0);
	}
	SCENARIO("more than 16 MiB are not written") {
		GIVEN("65,280 kinds, which can be written");
		static bitactor_field_t fields[BITACTOR_FIELDS_MAX];
		static char names[BITACTOR_MAX_KINDS + BITACTOR_FIELDS_MAX][8];
		static bitactor_schema_kind_t kinds[BITACTOR_MAX_KINDS];
		for (uint32_t i = 0; i < BITACTOR_FIELDS_MAX; i++) {
			(void)snprintf(names[i], sizeof names[i], "f%u", i);
			fields[i] = right[0];
			fields[i].name = names[i];
		}
		for (uint32_t i = 0; i < BITACTOR_MAX_KINDS; i++) {
			(void)snprintf(names[BITACTOR_FIELDS_MAX + i], sizeof names[0], "k%u", i);
			kinds[i] = (bitactor_schema_kind_t){ names[BITACTOR_FIELDS_MAX + i],
				                             (uint16_t)i, NULL, 0 };
		}
		check_round(&(bitactor_schema_t){ kinds, BITACTOR_MAX_KINDS, NULL, 0, NULL });
		WHEN("4,080 of them get 256 fields");
		for (uint32_t i = 0; i < BITACTOR_MAX_KINDS / 16; i++) {
			kinds[i].fields = fields;
			kinds[i].field_count = BITACTOR_FIELDS_MAX;
		}
		bitactor_schema_t large = { kinds, BITACTOR_MAX_KINDS, NULL, 0, NULL };
		THEN("there is no text");
		char *text = bitactor_schema_text(&large, NULL);
		CHECK(text == NULL);
		free(text);
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%#" PRIx64 "\n", seed);
	round_trips();
	refused();
	return bdd_close();
}
