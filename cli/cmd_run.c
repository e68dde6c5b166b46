/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_run.c -- bitactor run: a file or a pipe through a module, recorded.
 *
 *      input --> import --> session --> engine + module --> trace writer
 *                                             |
 *                                             +--> outputs, if asked for
 *
 * It ends with a summary whose numbers add up, and with the head of the trace.
 */
#include "allocations.h"
#include "cmd.h"
#include "config_file.h"
#include "json.h"
#include "options.h"
#include "setup.h"

#include <bitactor/host.h>
#include <bitactor/import.h>
#include <bitactor/session.h>
#include <bitactor/trace_program.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum {
	BAD_LINES_SHOWN   = 10,
	FIBERS_BY_DEFAULT = 64,
	STOP_TURNS        = 64 /* when interrupted: 65,536 dispatches; handlers may emit for ever */
};

typedef struct run {
	/* as asked */
	const char *module_file, *input, *trace_path, *config_file, *print_port;
	bool        strict, json, quiet;

	bitactor_loaded_t       *module;
	bitactor_import_t       *import;
	bitactor_trace_writer_t *writer;
	bitactor_config_t        config;
	setup_t                  setup;
	bitactor_session_t       session;

	uint32_t print_number; /* of print_port; UINT32_MAX: none */
	uint64_t bad_shown;
	uint64_t began_ns, shown_ns;
	bool     progress;
	bool     progress_shown;
	uint64_t allocations;
	uint8_t  head[BITACTOR_DIGEST_BYTES];
} run_t;

static run_t *dying; /* for the last words */

/* ---- talk while running ------------------------------------------------- */

static uint64_t
now_ns(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
progress_clear(run_t *run)
{
	if (run->progress_shown)
		fputs("\r\033[K", stderr);
	run->progress_shown = false;
}

static void
on_bad_line(void *context, uint64_t line, const char *reason)
{
	run_t *run = context;
	if (run->strict || run->quiet || run->bad_shown > BAD_LINES_SHOWN) /* strict: the error */
		return;
	progress_clear(run);
	if (run->bad_shown++ == BAD_LINES_SHOWN)
		fprintf(stderr, "bitactor run: further bad lines are only counted\n");
	else
		fprintf(stderr, "bitactor run: line %" PRIu64 ": %s\n", line, reason);
}

static bitactor_status_t
show_progress(void *context, bitactor_error_t *error)
{
	(void)error;
	run_t   *run = context;
	uint64_t now = now_ns();
	if (now - run->shown_ns < 100000000u)
		return BITACTOR_OK;
	bitactor_import_stats_t stats;
	bitactor_import_stats(run->import, &stats);
	run->shown_ns = now;
	fprintf(stderr, "\r\033[K%" PRIu64 " lines", stats.lines);
	if (stats.total_bytes > 0)
		fprintf(stderr, ", %" PRIu64 " %%", stats.bytes * 100 / stats.total_bytes);
	run->progress_shown = true;
	return BITACTOR_OK;
}

/* Nothing to do: write what was held back, for we may be killed while waiting. */
static bitactor_status_t
before_wait(void *context, bitactor_error_t *error)
{
	run_t *run = context;
	return run->writer != NULL ? bitactor_trace_writer_sync(run->writer, error) : BITACTOR_OK;
}

static void
print_output(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	run_t *run = context;
	if (port != run->print_number)
		return;
	progress_clear(run);
	fwrite(bytes, 1, byte_count, stdout);
	if (byte_count == 0 || ((const char *)bytes)[byte_count - 1] != '\n')
		putchar('\n'); /* an output is a line of its own */
}

static void
last_words(int signal_number)
{
	if (dying->writer != NULL)
		bitactor_trace_writer_last_gasp(dying->writer, dying->setup.engine);
	uint64_t seq = 0;
	uint16_t kind = 0;
	setup_say("bitactor run: died of signal ");
	setup_say_number((uint64_t)signal_number);
	if (setup_in_dispatch(dying->setup.engine, &seq, &kind)) {
		setup_say(" in the dispatch of seq ");
		setup_say_number(seq);
	}
	if (dying->writer != NULL) {
		setup_say("; see the end of: bitactor show ");
		setup_say(dying->trace_path);
	}
	setup_say("\n");
}

/* ---- getting ready ------------------------------------------------------ */

static bool
uses_fibers(const bitactor_module_t *table)
{
	for (uint32_t i = 0; i < table->kind_count; i++)
		if ((table->kinds[i].flags & BITACTOR_HANDLER_FIBER) != 0)
			return true;
	return false;
}

static bitactor_status_t
choose_port(run_t *run, const bitactor_module_t *table, bitactor_error_t *error)
{
	run->print_number = UINT32_MAX;
	if (run->print_port == NULL)
		return BITACTOR_OK;
	for (uint32_t i = 0; i < table->port_count; i++)
		if (strcmp(table->ports[i], run->print_port) == 0)
			run->print_number = i;
	if (run->print_number != UINT32_MAX)
		return BITACTOR_OK;
	const bitactor_kind_names_t ports = { .names = table->ports, .count = table->port_count };
	const char *nearest = bitactor_kind_nearest(&ports, run->print_port);
	return bitactor_error_set(error, BITACTOR_ERROR, 0, "module %s has no port \"%s\"%s%s",
	                          table->name, run->print_port,
	                          nearest != NULL ? "; the nearest is " : "",
	                          nearest != NULL ? nearest : "");
}

static bitactor_status_t
load(run_t *run, bitactor_error_t *error)
{
	bitactor_status_t status = bitactor_module_load(run->module_file, &run->module, error);
	if (status != BITACTOR_OK)
		return status;
	const bitactor_module_t *table = bitactor_module_table(run->module);
	bitactor_config_default(&run->config);
	run->config.kinds  = table->kind_count;
	run->config.flags  = BITACTOR_TIME_EACH;
	run->config.data_blocks = BITACTOR_BATCH_ITEMS; /* a batch is admitted without waiting */
	run->config.fibers = uses_fibers(table) ? FIBERS_BY_DEFAULT : 0;
	if (run->config_file != NULL)
		status = config_file_read(run->config_file, &run->config, run->module, error);
	if (status == BITACTOR_OK)
		status = choose_port(run, table, error);
	if (status != BITACTOR_OK)
		return status;
	if (run->config.segments == 0)
		run->config.segments = 2; /* a run is always recorded */
	const bitactor_import_options_t options = {
		.kinds       = bitactor_module_kinds(run->module),
		.strict      = run->strict,
		.bad         = on_bad_line,
		.bad_context = run,
	};
	return bitactor_import_open(run->input, &options, &run->import, error);
}

static char *
facts_text(const run_t *run)
{
	char  *text  = NULL;
	size_t bytes = 0;
	FILE  *out   = open_memstream(&text, &bytes);
	if (out == NULL)
		return NULL;
	struct utsname machine;
	struct timespec wall;
	bitactor_build_info_t build;
	(void)uname(&machine);
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	bitactor_build_info(&build);

	json_writer_t json = { .out = out };
	json_open(&json, NULL, '{');
	json_text(&json, "version", build.version);
	json_text(&json, "compiler", __VERSION__);
	json_text(&json, "blake3", build.blake3_path);
	json_text(&json, "crc32c", build.crc_path);
	json_text(&json, "system", machine.sysname);
	json_text(&json, "release", machine.release);
	json_text(&json, "machine", machine.machine);
	json_text(&json, "module", run->module_file);
	json_text(&json, "input", run->input);
	json_i64(&json, "began_unix_s", (int64_t)wall.tv_sec);
	json_close(&json, '}');
	(void)fclose(out);
	return text;
}

static bitactor_status_t
open_trace(run_t *run, bitactor_error_t *error)
{
	size_t      schema_bytes;
	const char *schema = bitactor_module_schema(run->module, &schema_bytes);
	uint8_t     hash[BITACTOR_DIGEST_BYTES];

	bitactor_blake3(schema, schema_bytes, hash);
	memcpy(&run->config.schema, hash, sizeof run->config.schema);
	if (getrandom(run->config.uuid, sizeof run->config.uuid, 0) !=
	    (ssize_t)sizeof run->config.uuid)
		return bitactor_error_set(error, BITACTOR_IO, errno, "no random bytes");
	if (run->trace_path == NULL)
		return BITACTOR_OK;

	char *facts = facts_text(run);
	bitactor_trace_options_t options = { .path         = run->trace_path,
		                             .schema_text  = schema,
		                             .schema_bytes = schema_bytes,
		                             .facts        = facts };
	memcpy(options.uuid, run->config.uuid, sizeof options.uuid);
	bitactor_status_t status = bitactor_trace_writer_open(&options, &run->writer, error);
	free(facts);
	return status;
}

static char *
program_text(const run_t *run, size_t *text_bytes)
{
	const bitactor_module_t *table = bitactor_module_table(run->module);
	bitactor_program_t program = { .config = run->config, .param_count = table->param_count };
	size_t      schema_bytes;
	const char *schema = bitactor_module_schema(run->module, &schema_bytes);

	snprintf(program.module, sizeof program.module, "%s", table->name);
	snprintf(program.version, sizeof program.version, "%s", table->version);
	bitactor_blake3(schema, schema_bytes, program.schema);
	for (uint32_t i = 0; i < table->param_count && i < BITACTOR_PROGRAM_PARAMS; i++) {
		snprintf(program.param[i].name, sizeof program.param[i].name, "%s",
		         table->params[i].name);
		program.param[i].value = bitactor_module_param(run->module, i);
	}
	return bitactor_program_text(&program, text_bytes);
}

static bitactor_status_t
make_engine(run_t *run, bitactor_error_t *error)
{
	bitactor_sink_t   sink;
	bitactor_outlet_t outlet = { .context = run, .deliver = print_output };

	if (run->writer != NULL) {
		sink = bitactor_trace_writer_sink(run->writer);
		run->config.sink = &sink;
	}
	run->config.host = bitactor_host_posix();
	if (run->print_number != UINT32_MAX)
		run->config.outlet = &outlet;

	size_t program_bytes;
	char  *program = program_text(run, &program_bytes);
	if (program == NULL)
		return bitactor_error_set(error, BITACTOR_IO, 0, "out of memory");
	bitactor_status_t status =
	        setup_engine(&run->setup, &run->config, program, program_bytes, run->module, error);
	free(program);
	run->config.sink   = NULL; /* the engine has its copies */
	run->config.outlet = NULL;
	return status;
}

/* ---- running ------------------------------------------------------------ */

static bitactor_status_t
play(run_t *run, bitactor_error_t *error)
{
	run->progress = !run->quiet && !run->json && isatty(STDERR_FILENO) == 1;
	run->session  = (bitactor_session_t){
		.engine      = run->setup.engine,
		.source      = bitactor_import_source(run->import),
		.stop        = &setup_stop,
		.stop_turns  = STOP_TURNS,
		.after_turn  = run->progress ? show_progress : NULL,
		.before_wait = before_wait,
		.context     = run,
	};
	run->began_ns = now_ns();
	uint64_t before = allocations_so_far();
	bitactor_status_t status = bitactor_session_run(&run->session, error);
	run->allocations = allocations_so_far() - before;
	progress_clear(run);
	/* what the sink met says more than that it failed */
	if (status == BITACTOR_IO && run->writer != NULL &&
	    bitactor_trace_writer_error(run->writer)->status != BITACTOR_OK)
		*error = *bitactor_trace_writer_error(run->writer);
	return status;
}

static void
note_stats(const run_t *run)
{
	bitactor_stats_t stats;
	char text[512];
	(void)bitactor_stats(run->setup.engine, &stats);
	int bytes = snprintf(text, sizeof text,
	                     "offered\t%" PRIu64 "\naccepted\t%" PRIu64 "\nrefused\t%" PRIu64
	                     "\ndispatched\t%" PRIu64 "\nrejected\t%" PRIu64 "\ndropped\t%" PRIu64
	                     "\nqueued\t%" PRIu64 "\nfailed\t%" PRIu64 "\noverruns\t%" PRIu64 "\n",
	                     stats.offered, stats.accepted, stats.refused, stats.dispatched,
	                     stats.rejected, stats.dropped, stats.queued, stats.failed,
	                     stats.overruns);
	(void)bitactor_telemetry_note(run->setup.engine, BITACTOR_RECORD_STATS, text,
	                              (size_t)bytes);
}

/* Close the trace, also after a failure: what is there shall verify. */
static bitactor_status_t
finish(run_t *run, bitactor_status_t status, bitactor_error_t *error)
{
	note_stats(run);
	bitactor_status_t closed = bitactor_telemetry_close(run->setup.engine, run->head);
	if (run->writer != NULL) {
		if (closed != BITACTOR_OK && status == BITACTOR_OK) {
			*error = *bitactor_trace_writer_error(run->writer);
			status = error->status != BITACTOR_OK ? error->status : closed;
		}
		closed = bitactor_trace_writer_close(run->writer,
		                                     status == BITACTOR_OK ? error : NULL);
		run->writer = NULL;
		if (status == BITACTOR_OK)
			status = closed;
	}
	return status;
}

/* ---- the summary -------------------------------------------------------- */

static uint64_t
latency_ns(const run_t *run, uint32_t ppm)
{
	uint64_t counts = 0;
	(void)bitactor_latency(run->setup.engine, ppm, &counts, NULL);
	return bitactor_counts_to_ns(run->setup.engine, counts);
}

static void
say_line(void *context, const char *line)
{
	fprintf(context, "  %s\n", line);
}

static void
print_overruns(const run_t *run)
{
	const bitactor_module_t *table = bitactor_module_table(run->module);
	for (uint32_t kind = 0; kind < table->kind_count; kind++) {
		bitactor_kind_stats_t stats;
		(void)bitactor_kind_stats(run->setup.engine, (uint16_t)kind, &stats);
		if (stats.overruns > 0)
			printf("  %-24s %" PRIu64 " of %" PRIu64 " over %" PRIu32
			       " ticks, longest %" PRIu64 " ns\n",
			       table->kinds[kind].name, stats.overruns, stats.dispatched,
			       stats.budget_ticks,
			       bitactor_counts_to_ns(run->setup.engine, stats.max_counts));
	}
}

static void
print_head(const run_t *run)
{
	if (run->trace_path == NULL)
		return;
	printf("trace      %s\nhead       ", run->trace_path);
	for (int i = 0; i < BITACTOR_DIGEST_BYTES; i++)
		printf("%02x", run->head[i]);
	putchar('\n');
}

static void
print_text(const run_t *run, const bitactor_stats_t *stats, const bitactor_import_stats_t *read)
{
	printf("read       %" PRIu64 " lines: %" PRIu64 " signals, %" PRIu64 " skipped, %" PRIu64
	       " bad, %" PRIu64 " without a handler\n",
	       read->lines, read->signals, read->skipped, read->bad, read->no_handler);
	for (uint32_t i = 0; i < read->interfaces; i++)
		printf("  interface %" PRIu32 "              %s\n", i, read->interface_name[i]);
	if (read->clock_backward > 0)
		printf("  the input's clock stepped back %" PRIu64 " times\n",
		       read->clock_backward);
	printf("signals    %" PRIu64 " offered = %" PRIu64 " accepted + %" PRIu64 " refused\n",
	       stats->offered, stats->accepted, stats->refused);
	printf("           %" PRIu64 " accepted = %" PRIu64 " dispatched + %" PRIu64
	       " rejected + %" PRIu64 " dropped + %" PRIu64 " queued\n",
	       stats->accepted, stats->dispatched, stats->rejected, stats->dropped, stats->queued);
	printf("           %" PRIu64 " emitted, %" PRIu64 " outputs, %" PRIu64 " failed, %" PRIu64
	       " turns\n",
	       stats->emitted, stats->outputs, stats->failed, stats->turns);
	printf("dispatch   p50 %" PRIu64 " ns, p99 %" PRIu64 " ns, p99.99 %" PRIu64
	       " ns, max %" PRIu64 " ns (record included)\n",
	       latency_ns(run, 500000), latency_ns(run, 990000), latency_ns(run, 999900),
	       latency_ns(run, 1000000));
	printf("over budget %" PRIu64 "\n", stats->overruns);
	print_overruns(run);
	printf("found by %s\n", bitactor_module_table(run->module)->name);
	bitactor_module_report(run->module, say_line, stdout);
	if (allocations_are_counted())
		printf("allocations while running: %" PRIu64 "\n", run->allocations);
	print_head(run);
}

static void
json_line(void *context, const char *line)
{
	json_text(context, NULL, line);
}

static void
json_import(json_writer_t *json, const bitactor_import_stats_t *read)
{
	json_open(json, "input", '{');
	json_u64(json, "lines", read->lines);
	json_u64(json, "signals", read->signals);
	json_u64(json, "skipped", read->skipped);
	json_u64(json, "bad", read->bad);
	json_u64(json, "no_handler", read->no_handler);
	json_u64(json, "timed", read->timed);
	json_u64(json, "clock_backward", read->clock_backward);
	json_u64(json, "frames", read->frames);
	json_u64(json, "fd_frames", read->fd_frames);
	json_u64(json, "remote_frames", read->remote_frames);
	json_u64(json, "error_frames", read->error_frames);
	json_open(json, "interfaces", '[');
	for (uint32_t i = 0; i < read->interfaces; i++)
		json_text(json, NULL, read->interface_name[i]);
	json_close(json, ']');
	json_close(json, '}');
}

static void
json_signals(json_writer_t *json, const bitactor_stats_t *stats)
{
	json_open(json, "signals", '{');
	json_u64(json, "offered", stats->offered);
	json_u64(json, "accepted", stats->accepted);
	json_u64(json, "refused", stats->refused);
	json_u64(json, "dispatched", stats->dispatched);
	json_u64(json, "rejected", stats->rejected);
	json_u64(json, "dropped", stats->dropped);
	json_u64(json, "queued", stats->queued);
	json_u64(json, "failed", stats->failed);
	json_u64(json, "emitted", stats->emitted);
	json_u64(json, "outputs", stats->outputs);
	json_u64(json, "turns", stats->turns);
	json_u64(json, "overruns", stats->overruns);
	json_u64(json, "records", stats->records);
	json_close(json, '}');
}

static void
print_json(const run_t *run, const bitactor_stats_t *stats, const bitactor_import_stats_t *read)
{
	json_writer_t json = { .out = stdout };
	json_open(&json, NULL, '{');
	json_text(&json, "module", bitactor_module_table(run->module)->name);
	json_import(&json, read);
	json_signals(&json, stats);
	json_open(&json, "dispatch_ns", '{');
	json_u64(&json, "p50", latency_ns(run, 500000));
	json_u64(&json, "p99", latency_ns(run, 990000));
	json_u64(&json, "p99.99", latency_ns(run, 999900));
	json_u64(&json, "max", latency_ns(run, 1000000));
	json_close(&json, '}');
	json_open(&json, "report", '[');
	bitactor_module_report(run->module, json_line, &json);
	json_close(&json, ']');
	if (allocations_are_counted())
		json_u64(&json, "allocations", run->allocations);
	json_bool(&json, "stopped", run->session.stopped);
	json_text(&json, "trace", run->trace_path);
	if (run->trace_path != NULL)
		json_hex(&json, "head", run->head, sizeof run->head);
	json_close(&json, '}');
}

static void
summarise(const run_t *run)
{
	bitactor_stats_t        stats;
	bitactor_import_stats_t read;
	(void)bitactor_stats(run->setup.engine, &stats);
	bitactor_import_stats(run->import, &read);
	if (run->json)
		print_json(run, &stats, &read);
	else if (!run->quiet)
		print_text(run, &stats, &read);
	if (run->session.stopped)
		fprintf(stderr, "bitactor run: stopped by signal %d%s\n", (int)setup_stop,
		        run->trace_path != NULL ? "; the trace is closed" : "");
}

/* ---- the command -------------------------------------------------------- */

static int
run_all(run_t *run)
{
	bitactor_error_t  error  = { .status = BITACTOR_OK };
	bitactor_status_t status = load(run, &error);
	if (status == BITACTOR_OK) {
		/* before there is a trace to close, and a module to start */
		dying = run;
		setup_catch_stop();
		setup_catch_death(last_words);
		status = open_trace(run, &error);
	}
	if (status == BITACTOR_OK)
		status = make_engine(run, &error);
	if (status == BITACTOR_OK) {
		status = play(run, &error);
		status = finish(run, status, &error);
		if (status == BITACTOR_OK || error.status == BITACTOR_CORRUPT)
			summarise(run);
	}
	int code = status == BITACTOR_OK ? EXIT_AS_ASKED : cmd_fail(&cmd_run, &error);

	bitactor_trace_writer_t *unused = run->writer; /* of a run that could not be started */
	run->writer = NULL;
	bitactor_trace_writer_discard(unused);
	setup_free(&run->setup);
	bitactor_import_close(run->import);
	bitactor_module_unload(run->module);
	return code;
}

static int
run_main(int argc, char **argv)
{
	run_t run = { 0 };
	const option_t list[] = {
		{ "module", "FILE.so", "the handlers", NULL, &run.module_file },
		{ "input", "FORM:FILE", "candump:FILE or ndjson:FILE; - is standard input", NULL,
		  &run.input },
		{ "trace", "DIR.bitrace", "keep the records there; must not exist", NULL,
		  &run.trace_path },
		{ "config", "FILE.json", "limits, seed, and the module's parameters", NULL,
		  &run.config_file },
		{ "print", "PORT", "print what the module outputs to this port", NULL,
		  &run.print_port },
		{ "strict", NULL, "the first bad line ends the run, exit 1", &run.strict, NULL },
		{ "json", NULL, "the summary as one JSON object", &run.json, NULL },
		{ "quiet", NULL, "no summary, no progress, no word on bad lines", &run.quiet,
		  NULL },
	};
	const options_t options = { .command = &cmd_run, .list = list,
		                    .count = (int)(sizeof list / sizeof *list) };
	int code = options_read(&options, argc, argv, NULL);
	if (code >= 0)
		return code;
	if (run.module_file == NULL || run.input == NULL) {
		fprintf(stderr,
		        "bitactor run: --module and --input are needed, for example\n  %s\n",
		        cmd_run.example);
		return EXIT_USAGE;
	}
	code = run_all(&run);
	if (fflush(stdout) == 0)
		setup_raise_stop();
	return code;
}

const command_t cmd_run = {
	.name     = "run",
	.run      = run_main,
	.summary  = "signals from a file or a pipe through a module, recorded",
	.synopsis = "--module FILE.so --input FORM:FILE [--trace DIR.bitrace] [OPTION...]",
	.example  = "bitactor run --module build/release/modules/can_monitor.so "
	            "--input candump:tests/data/can-candumpSample3.txt --trace bus.bitrace",
};
