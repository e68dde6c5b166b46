/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_replay.c -- bitactor replay: the same inputs again, every effect compared. */
#include "cmd.h"
#include "json.h"
#include "options.h"
#include "record_text.h"
#include "setup.h"

#include <bitactor/replay.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FOLLOWING_SHOWN = 3 };

typedef struct replayed {
	const char        *path, *module_file;
	bool               json;
	bitactor_replay_t *replay;
	bitactor_loaded_t *module;
	setup_t            setup;
	bitactor_trace_facts_t   facts;
	bitactor_replay_report_t report;
} replayed_t;

static replayed_t *dying; /* for the last words */

static void
last_words(int signal_number)
{
	uint64_t seq = 0;
	uint16_t kind = 0;
	setup_say("bitactor replay: the module died of signal ");
	setup_say_number((uint64_t)signal_number);
	if (setup_in_dispatch(dying->setup.engine, &seq, &kind)) {
		setup_say(" in the dispatch of seq ");
		setup_say_number(seq);
		const bitactor_schema_kind_t *known =
			bitactor_schema_find(dying->facts.schema, kind);
		setup_say(known != NULL ? ", " : "");
		setup_say(known != NULL ? known->name : "");
	}
	setup_say("\n");
	_exit(EXIT_CHECK_FAILED); /* what a replay found, not a crash of ours */
}

/* ---- the right module --------------------------------------------------- */

static bitactor_status_t
check_module(const replayed_t *replayed, bitactor_error_t *error)
{
	const bitactor_program_t *program = bitactor_replay_program(replayed->replay);
	const bitactor_module_t  *table   = bitactor_module_table(replayed->module);
	size_t      schema_bytes;
	const char *schema = bitactor_module_schema(replayed->module, &schema_bytes);
	uint8_t     hash[BITACTOR_DIGEST_BYTES];

	if (strcmp(program->module, table->name) != 0)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "the trace is of module %s, %s is %s: give --module the "
		                          "build of %s", program->module, replayed->module_file,
		                          table->name, program->module);
	if (strcmp(program->version, table->version) != 0)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "the trace is of %s version %s, %s is version %s",
		                          program->module, program->version, replayed->module_file,
		                          table->version);
	bitactor_blake3(schema, schema_bytes, hash);
	if (!bitactor_digest_equal(hash, program->schema))
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "%s has the trace's name and version but other kinds, "
		                          "fields or ports (its schema differs)",
		                          replayed->module_file);
	return BITACTOR_OK;
}

static bitactor_status_t
set_params(replayed_t *replayed, bitactor_error_t *error)
{
	const bitactor_program_t *program = bitactor_replay_program(replayed->replay);
	for (uint32_t i = 0; i < program->param_count; i++) {
		bitactor_error_t  why    = { .status = BITACTOR_OK };
		bitactor_status_t status = bitactor_module_set(
		        replayed->module, program->param[i].name, program->param[i].value, &why);
		if (status != BITACTOR_OK)
			return bitactor_error_set(
				error, BITACTOR_UNSUPPORTED, 0,
				"the module does not take the trace's parameters: %s", why.text);
	}
	return BITACTOR_OK;
}

/* ---- what came out ------------------------------------------------------ */

static const char *
difference_text(enum bitactor_difference difference)
{
	switch (difference) {
	case BITACTOR_DIFFERENCE_EFFECT:
		return "the same signal had another effect";
	case BITACTOR_DIFFERENCE_SIGNAL:
		return "another record came";
	case BITACTOR_DIFFERENCE_DATA:
		return "its data has other bytes";
	case BITACTOR_DIFFERENCE_MISSING:
		return "it was recorded and did not come again";
	case BITACTOR_DIFFERENCE_EXTRA:
		return "it came and was not recorded";
	default:
		return "none";
	}
}

static record_view_t
view_of(const replayed_t *replayed, const bitactor_replay_record_t *kept)
{
	return (record_view_t){ .schema     = replayed->facts.schema,
		                .record     = &kept->record,
		                .own        = kept->record.own_bytes > 0 ? kept->own_copy : NULL,
		                .data       = kept->data,
		                .data_bytes = kept->data_bytes,
		                .seq        = kept->seq,
		                .turn       = replayed->report.turn,
		                .open       = kept->open };
}

static void
print_kept(const replayed_t *replayed, const char *label, const bitactor_replay_record_t *kept)
{
	printf("  %-9s", label);
	if (kept != NULL) {
		record_view_t view = view_of(replayed, kept);
		record_print(stdout, &view);
	} else {
		fputs(" nothing", stdout);
	}
	putchar('\n');
}

/* What the diverging dispatch output and sent: the records that name it as their
 * cause, on both sides. */
static void
print_consequences(const replayed_t *replayed, const char *label,
                   const bitactor_replay_record_t *list, size_t count, uint64_t seq)
{
	int shown = 0;
	for (size_t i = 0; i < count && shown < FOLLOWING_SHOWN; i++) {
		const bitactor_record_t *record = &list[i].record;
		bool caused = (record->flags & BITACTOR_RECORD_OUTSIDE) == 0 && record->cause > 0 &&
		              record->cause != BITACTOR_CAUSE_FAR && list[i].seq > seq &&
		              list[i].seq - record->cause == seq;
		if (!caused)
			continue;
		print_kept(replayed, label, &list[i]);
		shown++;
	}
}

static void
print_divergence(const replayed_t *replayed)
{
	const bitactor_replay_report_t *report   = &replayed->report;
	const bitactor_replay_record_t *expected = report->expected, *actual = report->actual;
	uint64_t seq = expected != NULL ? expected->seq : actual->seq;
	size_t   count;

	printf("DIVERGED at seq %" PRIu64 ", turn %" PRIu64 ": %s\n", seq, report->turn,
	       difference_text(report->difference));
	print_kept(replayed, "expected", expected);
	print_kept(replayed, "actual", actual);
	const bitactor_replay_record_t *list = bitactor_replay_expected(replayed->replay, &count);
	puts("  what it led to, as recorded and now:");
	print_consequences(replayed, "expected", list, count, seq);
	list = bitactor_replay_actual(replayed->replay, &count);
	print_consequences(replayed, "actual", list, count, seq);
	printf("  before it %" PRIu64 " records came again, equal\n", report->compared);
}

/* A signal ended it before the trace ended: what was not played is not equal. */
static bool
is_stopped(const replayed_t *replayed, bitactor_status_t status)
{
	return status == BITACTOR_OK && replayed->report.end == BITACTOR_TRACE_MORE;
}

static void
print_equal(const replayed_t *replayed)
{
	const bitactor_replay_report_t *report = &replayed->report;
	printf("%s: %" PRIu64 " signals in %" PRIu64
	       " turns, every effect is as recorded (%" PRIu64 " records)\n",
	       is_stopped(replayed, BITACTOR_OK) ? "stopped, equal so far" : "equal",
	       report->signals, report->turn, report->compared);
	if (report->end == BITACTOR_TRACE_NOT_CLOSED)
		puts("the trace is not closed: that is all that was written");
	if (report->end == BITACTOR_TRACE_OPEN_RECORD)
		puts("the trace is not closed: its last signal was in dispatch when the process "
		     "ended, and was played without comparing");
}

static void
print_json(const replayed_t *replayed, bitactor_status_t status, const bitactor_error_t *error)
{
	const bitactor_replay_report_t *report = &replayed->report;
	json_writer_t json = { .out = stdout };
	json_open(&json, NULL, '{');
	json_text(&json, "trace", replayed->path);
	json_text(&json, "status", bitactor_status_name(status));
	json_bool(&json, "equal", status == BITACTOR_OK && !is_stopped(replayed, status));
	json_bool(&json, "stopped", is_stopped(replayed, status));
	json_bool(&json, "closed", report->end == BITACTOR_TRACE_CLOSED);
	json_u64(&json, "signals", report->signals);
	json_u64(&json, "turns", report->turn);
	json_u64(&json, "compared", report->compared);
	if (report->difference != BITACTOR_DIFFERENCE_NONE) {
		json_text(&json, "difference", difference_text(report->difference));
		json_u64(&json, "seq",
		         report->expected != NULL ? report->expected->seq : report->actual->seq);
	}
	const bitactor_replay_record_t *both[2] = { report->expected, report->actual };
	for (int i = 0; i < 2; i++) {
		if (both[i] == NULL)
			continue;
		record_view_t view = view_of(replayed, both[i]);
		json_open(&json, i == 0 ? "expected" : "actual", '[');
		record_json(&json, &view);
		json_close(&json, ']');
	}
	if (status != BITACTOR_OK)
		json_text(&json, "error", error->text);
	json_close(&json, '}');
}

/* ---- the command -------------------------------------------------------- */

static bitactor_status_t
play(replayed_t *replayed, bitactor_error_t *error)
{
	bitactor_status_t status = bitactor_replay_open(replayed->path, &replayed->replay, error);
	if (status == BITACTOR_OK)
		status = bitactor_module_load(replayed->module_file, &replayed->module, error);
	if (status == BITACTOR_OK)
		status = check_module(replayed, error);
	if (status == BITACTOR_OK)
		status = set_params(replayed, error);
	if (status != BITACTOR_OK)
		return status;
	bitactor_replay_facts(replayed->replay, &replayed->facts);
	dying = replayed; /* before the module is started: its init may die, too */
	setup_catch_stop();
	setup_catch_death(last_words);
	status = setup_engine(&replayed->setup, bitactor_replay_config(replayed->replay),
	                      replayed->facts.program_text, replayed->facts.program_bytes,
	                      replayed->module, error);
	if (status != BITACTOR_OK)
		return status;
	return bitactor_replay_run(replayed->replay, replayed->setup.engine, &setup_stop,
	                           &replayed->report, error);
}

static int
replay_all(replayed_t *replayed)
{
	bitactor_error_t  error  = { .status = BITACTOR_OK };
	bitactor_status_t status = play(replayed, &error);
	bool diverged = replayed->report.difference != BITACTOR_DIFFERENCE_NONE;

	if (replayed->json && replayed->setup.engine != NULL)
		print_json(replayed, status, &error);
	else if (diverged)
		print_divergence(replayed);
	else if (status == BITACTOR_OK)
		print_equal(replayed);
	int code = status == BITACTOR_OK ? EXIT_AS_ASKED
	           : diverged            ? EXIT_CHECK_FAILED
	                                 : cmd_fail(&cmd_replay, &error);
	setup_free(&replayed->setup);
	bitactor_replay_close(replayed->replay);
	bitactor_module_unload(replayed->module);
	return code;
}

static int
replay_main(int argc, char **argv)
{
	replayed_t     replayed = { 0 };
	const option_t list[]   = {
		{ "module", "FILE.so", "the handlers, of the same name, version and schema", NULL,
		    &replayed.module_file },
		{ "json", NULL, "one JSON object", &replayed.json, NULL },
	};
	const options_t options = { .command = &cmd_replay, .list = list,
		                    .count = (int)(sizeof list / sizeof *list),
		                    .operands = &replayed.path, .operand_least = 1,
		                    .operand_most = 1 };
	int code = options_read(&options, argc, argv, NULL);
	if (code >= 0)
		return code;
	if (replayed.module_file == NULL) {
		fprintf(stderr, "bitactor replay: --module is needed, for example\n  %s\n",
		        cmd_replay.example);
		return EXIT_USAGE;
	}
	code = replay_all(&replayed);
	if (fflush(stdout) == 0)
		setup_raise_stop();
	return code;
}

const command_t cmd_replay = {
	.name     = "replay",
	.run      = replay_main,
	.summary  = "play a trace again and compare every effect",
	.synopsis = "DIR.bitrace --module FILE.so [--json]",
	.example  = "bitactor replay bus.bitrace --module build/release/modules/can_monitor.so",
};
