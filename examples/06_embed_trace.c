/* SPDX-License-Identifier: Apache-2.0 */
/* 06_embed_trace.c -- a trace on disk from a program of one's own, then verified.
 *
 *      engine --sink--> bitactor_trace_writer --> DIR.bitrace --> bitactor_trace_verify
 *
 *      06_embed_trace              in a temporary folder, removed again
 *      06_embed_trace DIR.bitrace  kept; then try:  bitactor show DIR.bitrace
 *
 * In this order: choose the uuid; write down what the kinds mean (the schema) and
 * hash it; open the writer with both; give its sink to the engine together with
 * the same uuid and hash; note SCHEMA before the first turn.
 *
 * What is missing for `bitactor replay` is a PROGRAM record: the handlers of this
 * program are no module that it could load (see module/thermostat.c).
 */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/bitactor_telemetry.h>
#include <bitactor/host.h>
#include <bitactor/schema.h>
#include <bitactor/trace.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LEVEL, LEVELS = 5000 };

static bitactor_status_t
on_level(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *highest = state;
	if (signal->payload > *highest)
		*highest = signal->payload;
	bitactor_turn_result(turn, *highest);
	return BITACTOR_OK;
}

/* ---- what the numbers mean ------------------------------------------------------------ */

static char *
schema_text(size_t *text_bytes)
{
	static const bitactor_field_t fields[] = {
		{ .name = "level", .unit = "m", .word = BITACTOR_WORD_PAYLOAD, .bits = 32,
		  .format = BITACTOR_FORMAT_UNSIGNED, .exponent = -3 },
	};
	bitactor_schema_kind_t  kind   = { .name = "level", .kind = LEVEL, .fields = fields,
		                           .field_count = 1 };
	const bitactor_schema_t schema = { .kinds = &kind, .kind_count = 1 };
	return bitactor_schema_text(&schema, text_bytes);
}

/* ---- recording -------------------------------------------------------------------------- */

static bool
play(bitactor_engine_t *engine, const char *schema, size_t schema_bytes)
{
	uint64_t                 highest = 0;
	const bitactor_handler_t handler = { .fn = on_level, .kind = LEVEL, .state = &highest,
		                             .state_bytes = sizeof highest };
	bool done = bitactor_telemetry_note(engine, BITACTOR_RECORD_SCHEMA, schema, schema_bytes) ==
	                    BITACTOR_OK &&
	            bitactor_register_handler(engine, &handler) == BITACTOR_OK;
	for (uint64_t i = 0; i < LEVELS && done; i++) {
		bitactor_signal_t signal = { .kind = LEVEL, .payload = i * 7 % 4001 };
		while (done && bitactor_enqueue(engine, &signal) == BITACTOR_FULL)
			done = bitactor_drain(engine, 256, NULL) == BITACTOR_OK;
	}
	while (done && bitactor_drain(engine, 256, NULL) == BITACTOR_OK)
		continue;
	return done && highest == 4000;
}

static bool
record(const char *path, uint8_t head[BITACTOR_DIGEST_BYTES], bitactor_error_t *error)
{
	size_t schema_bytes;
	char  *schema = schema_text(&schema_bytes);
	if (schema == NULL)
		return false;

	bitactor_config_t config;
	bitactor_config_default(&config);
	memcpy(config.uuid, "not so random 16", 16); /* yours should be: getrandom(2) */
	uint8_t digest[BITACTOR_DIGEST_BYTES];
	bitactor_blake3(schema, schema_bytes, digest);
	memcpy(&config.schema, digest, sizeof config.schema);

	bitactor_trace_options_t options = { .path = path, .schema_text = schema,
		                             .schema_bytes = schema_bytes };
	memcpy(options.uuid, config.uuid, sizeof options.uuid);
	bitactor_trace_writer_t *writer;
	bool done = bitactor_trace_writer_open(&options, &writer, error) == BITACTOR_OK;
	if (done) {
		bitactor_sink_t sink = bitactor_trace_writer_sink(writer);
		config.sink = &sink;
		config.host = bitactor_host_posix();
		size_t             bytes = bitactor_engine_bytes(&config);
		void              *block = aligned_alloc(64, (bytes + 63) / 64 * 64);
		bitactor_engine_t *engine;
		done = block != NULL &&
		       bitactor_engine_init(block, bytes, &config, &engine) == BITACTOR_OK;
		if (done) {
			done = play(engine, schema, schema_bytes);
			done = bitactor_telemetry_close(engine, head) == BITACTOR_OK && done;
			(void)bitactor_destroy(engine);
		}
		free(block);
		done = bitactor_trace_writer_close(writer, error) == BITACTOR_OK && done;
	}
	free(schema);
	return done;
}

/* ---- reading ----------------------------------------------------------------------------- */

/* Is every byte what was written, and is it the trace with this head? */
static bool
verify(const char *path, const uint8_t head[BITACTOR_DIGEST_BYTES], bitactor_error_t *error)
{
	const bitactor_verify_options_t options = { .head = head };
	bitactor_verify_report_t        report;
	if (bitactor_trace_verify(path, &options, &report, error) != BITACTOR_OK)
		return false;
	printf("%llu segments, %llu records, %llu signals: good\n",
	       (unsigned long long)report.segments, (unsigned long long)report.records,
	       (unsigned long long)report.signals);
	return report.closed && report.signals == LEVELS && report.failed == 0;
}

/* Flip one bit of the file: it must be found, in the right segment. */
static bool
tampering_is_found(const char *path, const char *file)
{
	bitactor_verify_report_t report;
	bitactor_error_t         error = { .status = BITACTOR_OK };
	FILE *trace = fopen(file, "r+b");
	if (trace == NULL)
		return false;
	bool done = fseek(trace, 100000, SEEK_SET) == 0;
	int  byte = fgetc(trace);
	done = done && fseek(trace, 100000, SEEK_SET) == 0 && fputc(byte ^ 1, trace) != EOF;
	done = fclose(trace) == 0 && done &&
	       bitactor_trace_verify(path, NULL, &report, &error) == BITACTOR_CORRUPT;
	printf("one bit flipped: %s\n", error.text);
	return done && report.bad_segment == 1;
}

int
main(int argc, char **argv)
{
	char             folder[] = "/tmp/bitactor-example-XXXXXX";
	char             path[256], file[300];
	uint8_t          head[BITACTOR_DIGEST_BYTES];
	bitactor_error_t error = { .status = BITACTOR_OK };
	bool             keep  = argc > 1;

	if (!keep && mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s%s", keep ? argv[1] : folder, keep ? "" : "/levels.bitrace");
	bool good = record(path, head, &error) && verify(path, head, &error);
	if (!keep) {
		snprintf(file, sizeof file, "%s/trace", path);
		good = good && tampering_is_found(path, file);
		(void)unlink(file);
		snprintf(file, sizeof file, "%s/metadata", path);
		(void)unlink(file);
		(void)rmdir(path);
		(void)rmdir(folder);
	}
	if (!good)
		fprintf(stderr, "06_embed_trace: %s\n",
		        error.status != BITACTOR_OK ? error.text : "not as expected");
	return good ? 0 : 1;
}
