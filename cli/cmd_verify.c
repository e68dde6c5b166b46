/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_verify.c -- bitactor verify: is every byte of a trace what was written? */
#include "cmd.h"
#include "json.h"
#include "options.h"

#include <bitactor/trace.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool
parse_head(const char *text, uint8_t head[BITACTOR_DIGEST_BYTES])
{
	if (strlen(text) != 2 * BITACTOR_DIGEST_BYTES ||
	    strspn(text, "0123456789abcdefABCDEF") != 2 * BITACTOR_DIGEST_BYTES)
		return false;
	for (int i = 0; i < BITACTOR_DIGEST_BYTES; i++) {
		unsigned byte;
		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		head[i] = (uint8_t)byte;
	}
	return true;
}

static void
print_text(const char *path, bitactor_status_t status, const bitactor_verify_report_t *report)
{
	printf("trace      %s: %" PRIu64 " segments, %" PRIu64 " records, %" PRIu64 " bytes\n",
	       path, report->segments, report->records, report->bytes);
	printf("holds      %" PRIu64 " signals, %" PRIu64 " rejected, %" PRIu64 " outputs, %" PRIu64
	       " failed, %" PRIu64 " over budget\n",
	       report->signals, report->rejects, report->outputs, report->failed, report->overruns);
	if (status != BITACTOR_OK)
		return;
	fputs("head       ", stdout);
	for (int i = 0; i < BITACTOR_DIGEST_BYTES; i++)
		printf("%02x", report->head[i]);
	puts("\ngood: every byte is accounted for");
}

static void
print_json(const char *path, bitactor_status_t status, const bitactor_verify_report_t *report,
           const bitactor_error_t *error)
{
	json_writer_t json = { .out = stdout };
	json_open(&json, NULL, '{');
	json_text(&json, "trace", path);
	json_text(&json, "status", bitactor_status_name(status));
	json_bool(&json, "closed", report->closed);
	json_u64(&json, "segments", report->segments);
	json_u64(&json, "records", report->records);
	json_u64(&json, "compared", report->compared);
	json_u64(&json, "signals", report->signals);
	json_u64(&json, "rejected", report->rejects);
	json_u64(&json, "outputs", report->outputs);
	json_u64(&json, "failed", report->failed);
	json_u64(&json, "overruns", report->overruns);
	json_u64(&json, "bytes", report->bytes);
	if (report->compared > 0)
		json_u64(&json, "last_seq", report->last_seq);
	json_bool(&json, "open_record", report->open_record);
	if (status == BITACTOR_OK)
		json_hex(&json, "head", report->head, sizeof report->head);
	if (status == BITACTOR_CORRUPT) {
		json_text(&json, "bad_file", report->bad_file);
		json_u64(&json, "bad_segment", report->bad_segment);
		json_u64(&json, "bad_offset", report->bad_offset);
		json_u64(&json, "bad_seq", report->bad_seq);
	}
	if (status != BITACTOR_OK)
		json_text(&json, "error", error->text);
	json_close(&json, '}');
}

static int
verify_main(int argc, char **argv)
{
	const char *path = NULL, *head_text = NULL;
	bool        deep = false, json = false;
	const option_t list[] = {
		{ "deep", NULL, "recompute the check of every record too", &deep, NULL },
		{ "head", "HEX", "the head that was kept; another one is a failure", NULL,
		  &head_text },
		{ "json", NULL, "one JSON object", &json, NULL },
	};
	const options_t options = { .command = &cmd_verify, .list = list,
		                    .count = (int)(sizeof list / sizeof *list),
		                    .operands = &path, .operand_least = 1, .operand_most = 1 };
	int code = options_read(&options, argc, argv, NULL);
	if (code >= 0)
		return code;
	uint8_t head[BITACTOR_DIGEST_BYTES];
	if (head_text != NULL && !parse_head(head_text, head)) {
		fprintf(stderr, "bitactor verify: --head takes 64 hex digits\n");
		return EXIT_USAGE;
	}

	bitactor_verify_options_t how = { .deep = deep, .head = head_text != NULL ? head : NULL };
	bitactor_verify_report_t  report = { .closed = false };
	bitactor_error_t          error  = { .status = BITACTOR_OK };
	bitactor_status_t status = bitactor_trace_verify(path, &how, &report, &error);
	if (json)
		print_json(path, status, &report, &error);
	else if (status == BITACTOR_OK || status == BITACTOR_BUSY || report.records > 0)
		print_text(path, status, &report);
	return status == BITACTOR_OK ? EXIT_AS_ASKED : cmd_fail(&cmd_verify, &error);
}

const command_t cmd_verify = {
	.name     = "verify",
	.run      = verify_main,
	.summary  = "check every byte of a trace",
	.synopsis = "DIR.bitrace [--deep] [--head HEX] [--json]",
	.example  = "bitactor verify bus.bitrace",
};
