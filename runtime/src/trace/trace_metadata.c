/* SPDX-License-Identifier: Apache-2.0 */
/* trace_metadata.c -- `metadata`: the trace described for every CTF 1.8 reader.
 *
 *      trace, clock, types, stream     the same for all, but for the uuid
 *      event { id; name; fields }      one a kind: the schema's, then our own
 *
 * The text is a function of uuid and schema, both of which are in the segments
 * too: so it can be made again, and verify compares every byte of it.  There is
 * one clock, the turn: babeltrace2 shows it as nanoseconds.
 */
#include "trace_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char types_text[] =
        "/* CTF 1.8 */\n"
        "typealias integer { size = 8; align = 8; signed = false; } := uint8_t;\n"
        "typealias integer { size = 16; align = 8; signed = false; } := uint16_t;\n"
        "typealias integer { size = 32; align = 8; signed = false; } := uint32_t;\n"
        "typealias integer { size = 64; align = 8; signed = false; } := uint64_t;\n"
        "\n"
        "trace {\n"
        "\tmajor = 1;\n"
        "\tminor = 8;\n"
        "\tuuid = \"";

static const char stream_text[] =
        "\";\n"
        "\tbyte_order = le;\n"
        "\tpacket.header := struct {\n"
        "\t\tuint32_t magic;\n"
        "\t\tuint8_t uuid[16];\n"
        "\t\tuint32_t stream_id;\n"
        "\t};\n"
        "};\n"
        "\n"
        "clock {\n"
        "\tname = turn;\n"
        "\tdescription = \"number of the turn\";\n"
        "\tfreq = 1000000000;\n"
        "\toffset = 0;\n"
        "};\n"
        "\n"
        "typealias integer { size = 64; align = 8; signed = false; map = clock.turn.value; } "
        ":= ts64_t;\n"
        "typealias integer { size = 32; align = 8; signed = false; map = clock.turn.value; } "
        ":= ts32_t;\n"
        "\n"
        "struct slot {\n"
        "\tuint64_t a;\n"
        "\tuint64_t b;\n"
        "\tuint64_t c;\n"
        "\tuint64_t d;\n"
        "};\n"
        "\n"
        "stream {\n"
        "\tid = 0;\n"
        "\tpacket.context := struct {\n"
        "\t\tuint32_t content_size;\n"
        "\t\tuint32_t packet_size;\n"
        "\t\tts64_t timestamp_begin;\n"
        "\t\tts64_t timestamp_end;\n"
        "\t\tuint64_t packet_seq_num;\n"
        "\t\tuint64_t first_seq;\n"
        "\t\tuint64_t events_discarded;\n"
        "\t\tuint8_t prev_root[32];\n"
        "\t\tuint32_t header_crc;\n"
        "\t\tuint8_t version;\n"
        "\t\tuint8_t compat;\n"
        "\t\tuint8_t ro_compat;\n"
        "\t\tuint8_t incompat;\n"
        "\t\tuint64_t schema;\n"
        "\t\tuint32_t header_flags;\n"
        "\t\tuint32_t reserved;\n"
        "\t};\n"
        "\tevent.header := struct {\n"
        "\t\tts32_t timestamp;\n"
        "\t\tuint16_t id;\n"
        "\t};\n"
        "};\n"
        "\n";

static const char fields_text[] =
        "\"; stream_id = 0; fields := struct { uint8_t ext; uint8_t flags; uint32_t actor; "
        "uint32_t cause; uint64_t payload; uint32_t effect; uint32_t check; "
        "struct slot more[ext]; }; };\n";

/* Counts without `out`, writes with it: the same text twice. */
typedef struct writing {
	char  *out;
	size_t used;
} writing_t;

static void
put_bytes(writing_t *writing, const char *bytes, size_t byte_count)
{
	if (writing->out != NULL)
		memcpy(writing->out + writing->used, bytes, byte_count);
	writing->used += byte_count;
}

static void
put(writing_t *writing, const char *text)
{
	put_bytes(writing, text, strlen(text));
}

static void
put_uuid(writing_t *writing, const uint8_t uuid[16])
{
	static const char digits[] = "0123456789abcdef";
	char text[36];
	size_t at = 0;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		text[at++] = digits[uuid[i] >> 4];
		text[at++] = digits[uuid[i] & 15];
	}
	put_bytes(writing, text, at);
}

static void
put_event(writing_t *writing, uint32_t kind, const char *name)
{
	char digits[5]; /* of 65535 */
	size_t at = sizeof digits;
	do
		digits[--at] = (char)('0' + kind % 10);
	while ((kind /= 10) > 0);
	put(writing, "event { id = ");
	put_bytes(writing, digits + at, sizeof digits - at);
	put(writing, "; name = \"");
	put(writing, name);
	put(writing, fields_text);
}

static void
put_metadata(writing_t *writing, const bitactor_schema_t *schema, const uint8_t uuid[16])
{
	put(writing, types_text);
	put_uuid(writing, uuid);
	put(writing, stream_text);
	for (uint32_t i = 0; schema != NULL && i < schema->kind_count; i++)
		put_event(writing, schema->kinds[i].kind, schema->kinds[i].name);
	for (uint32_t kind = BITACTOR_MAX_KINDS; kind <= UINT16_MAX; kind++) {
		const char *name = bitactor_record_kind_name((uint16_t)kind);
		if (name != NULL)
			put_event(writing, kind, name);
	}
}

char *
bitactor_trace_metadata(const bitactor_schema_t *schema, const uint8_t uuid[16],
                        size_t *text_bytes)
{
	if (text_bytes != NULL)
		*text_bytes = 0;
	if (uuid == NULL)
		return NULL;
	for (uint32_t i = 0; schema != NULL && i < schema->kind_count; i++)
		if (!bitactor_name_is_valid(schema->kinds[i].name))
			return NULL; /* it could end its string */
	writing_t writing = { 0 };
	put_metadata(&writing, schema, uuid);
	char *text = malloc(writing.used + 1);
	if (text == NULL)
		return NULL;
	text[writing.used] = '\0';
	if (text_bytes != NULL)
		*text_bytes = writing.used;
	writing = (writing_t){ .out = text };
	put_metadata(&writing, schema, uuid);
	return text;
}

/* Where the file `fd` first differs from the text; `text_bytes` if nowhere. */
static bitactor_status_t
first_difference(const ba_trace_file_t *file, int fd, const char *text, size_t text_bytes,
                 size_t *offset, bitactor_error_t *error)
{
	char block[4096];
	for (*offset = 0; *offset < text_bytes;) {
		size_t want = text_bytes - *offset, got;
		if (want > sizeof block)
			want = sizeof block;
		bitactor_status_t status =
		        ba_trace_file_read(file, fd, *offset, block, want, &got, error);
		if (status != BITACTOR_OK)
			return status;
		size_t same = 0;
		while (same < got && block[same] == text[*offset + same])
			same++;
		*offset += same;
		if (same < want)
			break;
	}
	return BITACTOR_OK;
}

bitactor_status_t
ba_trace_metadata_check(const ba_trace_file_t *file, const bitactor_schema_t *schema,
                        const uint8_t uuid[16], uint32_t *offset, bitactor_error_t *error)
{
	int      fd;
	uint64_t file_bytes = 0;
	size_t   text_bytes = 0, same = 0;
	*offset = 0;
	bitactor_status_t status =
	        ba_trace_file_part(file, "metadata", BITACTOR_CORRUPT, &fd, &file_bytes, error);
	if (status != BITACTOR_OK)
		return status;
	char *text = bitactor_trace_metadata(schema, uuid, &text_bytes);
	if (text == NULL)
		status = bitactor_error_set(error, BITACTOR_ERROR, 0, "%s: out of memory",
		                            file->shown);
	else
		status = first_difference(file, fd, text, text_bytes, &same, error);
	(void)close(fd);
	free(text);
	if (status != BITACTOR_OK)
		return status;
	*offset = (uint32_t)same;
	if (same < text_bytes)
		return bitactor_error_set(error, BITACTOR_CORRUPT, 0,
		                          "%s/metadata: differs at byte %zu from what the trace's "
		                          "uuid and schema make it",
		                          file->shown, same);
	if (file_bytes > text_bytes)
		return bitactor_error_set(error, BITACTOR_CORRUPT, 0,
		                          "%s/metadata: goes on behind byte %zu, where it must end",
		                          file->shown, same);
	return BITACTOR_OK;
}
