/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_schema.c -- whatever the text, it is refused in words or round-trips.
 *
 *   refused    the error has the status and one line of text; the schema is empty
 *   accepted   written again it is the same text; every name is a name, every
 *              field can be shown, every kind is found
 *
 * Run: make fuzz, or
 *      clang -fsanitize=fuzzer,address,undefined ... && ./fuzz_schema tests/fuzz/corpus/schema
 */
#include <bitactor/schema.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static void
must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void
check_refused(bitactor_status_t status, const bitactor_schema_t *schema,
              const bitactor_error_t *error)
{
	must(error->status == status, "the error has the status");
	must(status == BITACTOR_CORRUPT || status == BITACTOR_UNSUPPORTED, "why");
	must(status != BITACTOR_CORRUPT || strstr(error->text, "line ") != NULL, "where");
	for (const char *c = error->text; *c != '\0'; c++)
		must((unsigned char)*c >= 0x20, "one line");
	must(schema->memory == NULL && schema->kinds == NULL && schema->kind_count == 0 &&
	     schema->ports == NULL && schema->port_count == 0, "an empty schema");
}

static void
check_kind(const bitactor_schema_t *schema, const bitactor_schema_kind_t *kind)
{
	static const uint64_t words[4] = { UINT64_MAX, UINT64_C(0x8000000000000001), 0,
		                           UINT64_C(0x0123456789ABCDEF) };
	must(bitactor_name_is_valid(kind->name), "the kind's name");
	must(bitactor_schema_find(schema, kind->kind) == kind, "the kind is found");
	for (uint32_t i = 0; i < kind->field_count; i++) {
		const bitactor_field_t *field = &kind->fields[i];
		char text[BITACTOR_FIELD_TEXT_BYTES];
		must(bitactor_field_complaint(field) == NULL, "the field");
		size_t text_bytes = bitactor_field_format(field, words, text, sizeof text);
		must(text_bytes > 0 && text_bytes == strlen(text), "the field is shown");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
	bitactor_schema_t schema;
	bitactor_error_t error = { 0 };
	/* libFuzzer's block has just these bytes; NULL is for empty ones. */
	const char *text = byte_count > 0 ? (const char *)bytes : "";
	bitactor_status_t status = bitactor_schema_parse(text, byte_count, &schema, &error);
	if (status != BITACTOR_OK) {
		check_refused(status, &schema, &error);
		return 0;
	}
	for (uint32_t i = 0; i < schema.kind_count; i++) {
		check_kind(&schema, &schema.kinds[i]);
		must(i == 0 || schema.kinds[i - 1].kind < schema.kinds[i].kind, "ascending");
	}
	for (uint32_t i = 0; i < schema.port_count; i++)
		must(bitactor_name_is_valid(schema.ports[i]), "the port's name");

	size_t again_bytes;
	char *again = bitactor_schema_text(&schema, &again_bytes);
	must(again != NULL && again_bytes == byte_count &&
	     memcmp(again, text, byte_count) == 0, "the same text");
	free(again);
	bitactor_schema_free(&schema);
	return 0;
}
