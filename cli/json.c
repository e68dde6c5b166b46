/* SPDX-License-Identifier: Apache-2.0 */
/* json.c -- RFC 8259 output; bytes that are no UTF-8 become U+FFFD. */
#include "json.h"

#include <inttypes.h>
#include <string.h>

/* Bytes of the UTF-8 sequence at `at`, or 0 (RFC 3629: no surrogates, nothing
 * overlong, nothing above U+10FFFF). */
static size_t
utf8_length(const uint8_t *at, size_t left)
{
	uint8_t lead = at[0];
	size_t  length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
	if (lead >= 0x80 && (lead < 0xC2 || lead > 0xF4))
		return 0;
	if (length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F) ||
	    (lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
		return 0;
	return length;
}

static void
write_string(FILE *out, const void *bytes, size_t byte_count)
{
	const uint8_t *at = bytes, *end = at + byte_count;

	putc('"', out);
	while (at < end) {
		size_t length = utf8_length(at, (size_t)(end - at));
		if (length == 0) {
			fputs("\\ufffd", out);
			length = 1;
		} else if (*at == '"' || *at == '\\') {
			putc('\\', out);
			putc(*at, out);
		} else if (*at < 0x20) {
			fprintf(out, "\\u%04x", *at);
		} else {
			fwrite(at, 1, length, out);
		}
		at += length;
	}
	putc('"', out);
}

/* The comma before, and the name. */
static void
member(json_writer_t *json, const char *name)
{
	uint32_t bit = UINT32_C(1) << (json->depth & 31);
	if (json->depth > 0 && (json->begun & bit) != 0)
		fputs(", ", json->out);
	json->begun |= bit;
	if (name != NULL) {
		write_string(json->out, name, strlen(name));
		fputs(": ", json->out);
	}
}

void
json_open(json_writer_t *json, const char *name, char bracket)
{
	member(json, name);
	putc(bracket, json->out);
	json->depth++;
	json->begun &= ~(UINT32_C(1) << (json->depth & 31));
}

void
json_close(json_writer_t *json, char bracket)
{
	putc(bracket, json->out);
	if (--json->depth == 0)
		putc('\n', json->out);
}

void
json_u64(json_writer_t *json, const char *name, uint64_t value)
{
	member(json, name);
	fprintf(json->out, "%" PRIu64, value);
}

void
json_i64(json_writer_t *json, const char *name, int64_t value)
{
	member(json, name);
	fprintf(json->out, "%" PRId64, value);
}

void
json_bool(json_writer_t *json, const char *name, bool value)
{
	member(json, name);
	fputs(value ? "true" : "false", json->out);
}

void
json_bytes_text(json_writer_t *json, const char *name, const void *bytes, size_t byte_count)
{
	member(json, name);
	write_string(json->out, bytes, byte_count);
}

void
json_text(json_writer_t *json, const char *name, const char *value)
{
	if (value != NULL) {
		json_bytes_text(json, name, value, strlen(value));
		return;
	}
	member(json, name);
	fputs("null", json->out);
}

void
json_hex(json_writer_t *json, const char *name, const void *bytes, size_t byte_count)
{
	const uint8_t *at = bytes;
	member(json, name);
	putc('"', json->out);
	for (size_t i = 0; i < byte_count; i++)
		fprintf(json->out, "%02x", at[i]);
	putc('"', json->out);
}
