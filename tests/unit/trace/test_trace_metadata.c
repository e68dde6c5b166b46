/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_metadata.c -- `metadata` is a function of uuid and schema, and other
 * people's programs read a trace by it. */
#include "trace_rig.h"

static const uint8_t uuid[16] = { 0x2a, 0x64, 0x22, 0xd0, 0x6c, 0xee, 0x11, 0xe0,
	                          0x8c, 0x08, 0xcb, 0x07, 0xd7, 0xb3, 0xa5, 0x64 };

static uint64_t
count_of(const char *text, const char *part)
{
	uint64_t count = 0;
	for (; (text = strstr(text, part)) != NULL; text++)
		count++;
	return count;
}

static void
text(void)
{
	SCENARIO("the text names the trace, every kind of ours, and those of the schema") {
		bitactor_schema_t schema;
		CHECK_EQ(bitactor_schema_parse(rig_schema, strlen(rig_schema), &schema, NULL),
		         BITACTOR_OK);
		size_t bytes, again_bytes, bare_bytes;
		char *metadata = bitactor_trace_metadata(&schema, uuid, &bytes);
		char *again = bitactor_trace_metadata(&schema, uuid, &again_bytes);
		char *bare = bitactor_trace_metadata(NULL, uuid, &bare_bytes);
		CHECK_EQ(strlen(metadata), bytes);
		CHECK_EQ(strncmp(metadata, "/* CTF 1.8 */\n", 14), 0);
		CHECK(strstr(metadata, "uuid = \"2a6422d0-6cee-11e0-8c08-cb07d7b3a564\";") != NULL);
		CHECK(strstr(metadata, "event { id = 0; name = \"plain\"; stream_id = 0;") != NULL);
		CHECK(strstr(metadata, "event { id = 6; name = \"yields\"; ") != NULL);
		CHECK(strstr(metadata, "event { id = 65280; name = \"TURN\"; ") != NULL);
		CHECK(strstr(metadata, "event { id = 65535; name = \"PAD\"; ") != NULL);
		uint64_t ours = 0;
		for (uint32_t kind = 0; kind <= UINT16_MAX; kind++)
			ours += bitactor_record_kind_name((uint16_t)kind) != NULL;
		CHECK_EQ(count_of(metadata, "event { "), ours + RIG_KINDS);
		CHECK_EQ(count_of(bare, "event { "), ours);
		AND("the same again gives the same bytes");
		CHECK_EQ(again_bytes, bytes);
		CHECK_EQ(strcmp(metadata, again), 0);
		free(metadata), free(again), free(bare);
		bitactor_schema_free(&schema);
	}
	SCENARIO("a name that would end its string is not written") {
		bitactor_schema_kind_t kind = { .name = "a\"; }" };
		bitactor_schema_t schema = { .kinds = &kind, .kind_count = 1 };
		size_t bytes = 1;
		CHECK(bitactor_trace_metadata(&schema, uuid, &bytes) == NULL);
		CHECK_EQ(bytes, 0);
		CHECK(bitactor_trace_metadata(NULL, NULL, NULL) == NULL);
	}
}

static void
comparing(void)
{
	SCENARIO("the first byte of `metadata` that is wrong is named") {
		GIVEN("a trace, and its metadata with every byte changed in turn, cut, and longer");
		rig_make("a.bitrace", 1, 3);
		ba_trace_file_t file;
		CHECK_EQ(ba_trace_file_open(rig_trace("a.bitrace"), &file, NULL), BITACTOR_OK);
		bitactor_schema_t schema;
		CHECK_EQ(bitactor_schema_parse(rig_schema, strlen(rig_schema), &schema, NULL),
		         BITACTOR_OK);
		uint8_t is[16];
		for (int i = 0; i < 16; i++)
			is[i] = (uint8_t)(31 + i);
		rig_bytes_t bytes = rig_read(rig_path("a.bitrace", "metadata"));
		uint32_t at = 7;
		CHECK_EQ(ba_trace_metadata_check(&file, &schema, is, &at, NULL), BITACTOR_OK);
		CHECK_EQ(at, bytes.count);
		for (size_t i = 0; i < bytes.count; i++) {
			bytes.at[i] = (uint8_t)(bytes.at[i] ^ 1 << i % 8);
			rig_write(rig_path("a.bitrace", "metadata"), bytes.at, bytes.count);
			CHECK_EQ(ba_trace_metadata_check(&file, &schema, is, &at, NULL),
			         BITACTOR_CORRUPT);
			CHECK_EQ(at, i);
			bytes.at[i] = (uint8_t)(bytes.at[i] ^ 1 << i % 8);
		}
		for (size_t cut = 0; cut < bytes.count; cut += 97) {
			bitactor_error_t error = { 0 };
			rig_write(rig_path("a.bitrace", "metadata"), bytes.at, cut);
			CHECK_EQ(ba_trace_metadata_check(&file, &schema, is, &at, &error),
			         BITACTOR_CORRUPT);
			CHECK_EQ(at, cut);
			CHECK(strstr(error.text, "a.bitrace/metadata: differs at byte") != NULL);
		}
		bytes.at = realloc(bytes.at, bytes.count + 1);
		bytes.at[bytes.count] = '\n';
		rig_write(rig_path("a.bitrace", "metadata"), bytes.at, bytes.count + 1);
		CHECK_EQ(ba_trace_metadata_check(&file, &schema, is, &at, NULL), BITACTOR_CORRUPT);
		CHECK_EQ(at, bytes.count);
		(void)unlink(rig_path("a.bitrace", "metadata"));
		CHECK_EQ(ba_trace_metadata_check(&file, &schema, is, &at, NULL), BITACTOR_CORRUPT);
		free(bytes.at);
		bitactor_schema_free(&schema);
		ba_trace_file_close(&file);
	}
}

/* babeltrace2 prints as many events as there are records, and says nothing else. */
static void
compare_with_babeltrace(const char *name)
{
	char command[700], said[2000];
	uint64_t lines, words;
	bitactor_verify_report_t report;
	bitactor_error_t error = { 0 };
	CHECK_EQ(bitactor_trace_verify(rig_trace(name), NULL, &report, &error), BITACTOR_OK);
	(void)snprintf(command, sizeof command, "babeltrace2 %s 2>/dev/null", rig_trace(name));
	int status = rig_run(command, said, 1, &lines);
	if (status == 127) {
		printf("   (babeltrace2 is not installed: not compared)\n");
		return;
	}
	CHECK_EQ(status, 0);
	CHECK_EQ(lines, report.records);
	(void)snprintf(command, sizeof command, "babeltrace2 %s 2>&1 >/dev/null",
	               rig_trace(name));
	CHECK_EQ(rig_run(command, said, sizeof said, &words), 0);
	CHECK_EQ(words, 0);
	if (words > 0)
		printf("%s\n", said);
}

static void
babeltrace(void)
{
	SCENARIO("babeltrace2 reads a closed trace as it is") {
		GIVEN("traces of all kinds of records, several segments, and with sub-folders");
		rig_make("b.bitrace", 2, 3000);
		(void)mkdir(rig_path("b.bitrace", "ckpt"), 0777);
		(void)mkdir(rig_path("b.bitrace", "seal"), 0777);
		rig_write(rig_path("b.bitrace", "seal/0"), "x", 1);
		THEN("it prints every record, without a warning");
		compare_with_babeltrace("b.bitrace");
		rig_make("c.bitrace", 3, 1);
		compare_with_babeltrace("c.bitrace");
	}
	SCENARIO("kinds may be called like ours") {
		static const char names[] = "schema\t1\nkind\t0\tTURN\nkind\t65279\tevent\n";
		bitactor_trace_options_t options = { .path = rig_trace("d.bitrace"),
			                             .schema_text = names,
			                             .schema_bytes = sizeof names - 1 };
		rig_t rig = { 0 };
		memcpy(options.uuid, uuid, sizeof uuid);
		CHECK_EQ(bitactor_trace_writer_open(&options, &rig.writer, NULL), BITACTOR_OK);
		rig.sink = bitactor_trace_writer_sink(rig.writer);
		bitactor_config_t config;
		bitactor_config_default(&config);
		config.schema = rig_schema_hash(names);
		config.sink = &rig.sink;
		config.kinds = 0xFF00;
		memcpy(config.uuid, uuid, sizeof uuid);
		rig.block = aligned_alloc(64, (bitactor_engine_bytes(&config) + 63) / 64 * 64);
		CHECK_EQ(bitactor_engine_init(rig.block, bitactor_engine_bytes(&config), &config,
		                              &rig.engine), BITACTOR_OK);
		CHECK_EQ(bitactor_telemetry_note(rig.engine, BITACTOR_RECORD_SCHEMA, names,
		                                 sizeof names - 1), BITACTOR_OK);
		uint64_t sum = 0;
		CHECK_EQ(bitactor_register(rig.engine, 65279, rig_on_plain, &sum), BITACTOR_OK);
		CHECK_EQ(bitactor_register(rig.engine, 0, rig_on_plain, &sum), BITACTOR_OK);
		bitactor_signal_t signal = { .kind = 65279 };
		(void)bitactor_tick(rig.engine, &signal, NULL);
		signal.kind = 0;
		(void)bitactor_tick(rig.engine, &signal, NULL);
		rig_close(&rig);
		rig_end(&rig);
		compare_with_babeltrace("d.bitrace");
	}
}

int
main(void)
{
	rig_begin();
	text();
	comparing();
	babeltrace();
	return bdd_close();
}
