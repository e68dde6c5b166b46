/* SPDX-License-Identifier: Apache-2.0 */
/* schema_text.c -- the one text of a schema.
 *
 *      text(parse(t)) == t     for every t that parse accepts
 *      parse(text(s)) == s     for every s that text writes
 *
 * so a schema's hash names the schema and not a spelling of it.  The price:
 * what parse would refuse is not written.
 */
#include "schema_words.h"

#include <stdlib.h>
#include <string.h>

/* Counts without `out`, writes with it: the same lines twice. */
typedef struct writing {
	char  *out;
	size_t used;
} writing_t;

static void
put(writing_t *writing, const char *text)
{
	size_t text_bytes = strlen(text);
	if (writing->out != NULL)
		memcpy(writing->out + writing->used, text, text_bytes);
	writing->used += text_bytes;
}

static void
put_number(writing_t *writing, uint32_t number)
{
	char digits[11];
	size_t at = sizeof digits - 1;
	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(writing, digits + at);
}

static void
put_item(writing_t *writing, const char *sort, uint32_t number, const char *name)
{
	put(writing, sort);
	put_number(writing, number);
	put(writing, "\t");
	put(writing, name);
	put(writing, "\n");
}

static void
put_field(writing_t *writing, const bitactor_field_t *field)
{
	put(writing, "field\t");
	put(writing, field->name);
	put(writing, "\t");
	put(writing, field->unit);
	put(writing, "\t");
	put(writing, ba_word_names[field->word]);
	put(writing, "\t");
	put_number(writing, field->shift);
	put(writing, "\t");
	put_number(writing, field->bits);
	put(writing, "\t");
	put(writing, ba_format_names[field->format]);
	put(writing, field->exponent < 0 ? "\t-" : "\t");
	put_number(writing, (uint32_t)(field->exponent < 0 ? -field->exponent : field->exponent));
	put(writing, "\n");
}

static void
put_schema(writing_t *writing, const bitactor_schema_t *schema)
{
	put(writing, "schema\t");
	put_number(writing, BA_SCHEMA_VERSION);
	put(writing, "\n");
	for (uint32_t i = 0; i < schema->kind_count; i++) {
		const bitactor_schema_kind_t *kind = &schema->kinds[i];
		put_item(writing, "kind\t", kind->kind, kind->name);
		for (uint32_t j = 0; j < kind->field_count; j++)
			put_field(writing, &kind->fields[j]);
	}
	for (uint32_t i = 0; i < schema->port_count; i++)
		put_item(writing, "port\t", i, schema->ports[i]);
}

static bool
kind_can_be_written(const bitactor_schema_kind_t *kind)
{
	if (kind->kind > BA_SCHEMA_KIND_LAST || !bitactor_name_is_valid(kind->name))
		return false;
	if (kind->field_count > BITACTOR_FIELDS_MAX ||
	    (kind->field_count > 0 && kind->fields == NULL))
		return false;
	for (uint32_t i = 0; i < kind->field_count; i++)
		if (bitactor_field_complaint(&kind->fields[i]) != NULL)
			return false;
	return true;
}

/* Whether parse would accept what put_schema writes, but for its length. */
static bool
can_be_written(const bitactor_schema_t *schema)
{
	if ((schema->kind_count > 0 && schema->kinds == NULL) ||
	    (schema->port_count > 0 && schema->ports == NULL))
		return false;
	for (uint32_t i = 0; i < schema->kind_count; i++) {
		if (!kind_can_be_written(&schema->kinds[i]))
			return false;
		if (i > 0 && schema->kinds[i].kind <= schema->kinds[i - 1].kind)
			return false;
	}
	for (uint32_t i = 0; i < schema->port_count; i++)
		if (!bitactor_name_is_valid(schema->ports[i]))
			return false;
	bitactor_status_t status;
	return ba_schema_repeated_name(schema, &status) == NULL && status == BITACTOR_OK;
}

char *
bitactor_schema_text(const bitactor_schema_t *schema, size_t *text_bytes)
{
	if (text_bytes != NULL)
		*text_bytes = 0;
	if (schema == NULL || !can_be_written(schema))
		return NULL;
	writing_t writing = { 0 };
	put_schema(&writing, schema);
	if (writing.used > BITACTOR_SCHEMA_TEXT_MAX)
		return NULL;
	char *text = malloc(writing.used + 1);
	if (text == NULL)
		return NULL;
	text[writing.used] = '\0';
	if (text_bytes != NULL)
		*text_bytes = writing.used;
	writing = (writing_t){ .out = text };
	put_schema(&writing, schema);
	return text;
}
