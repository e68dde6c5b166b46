/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_show.c -- bitactor show: the records of a trace, a line each.
 *
 * By default signals, rejections, fibers that go on, and outputs, each with its
 * data; with --all every record there is, PAD and DATA too: as many lines as
 * babeltrace2 prints.
 */
#include "cmd.h"
#include "json.h"
#include "options.h"
#include "record_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { DATA_MOST = 16 << 20 };

typedef struct show {
	bitactor_trace_reader_t *reader;
	bitactor_trace_facts_t   facts;
	bool     all, json;
	uint64_t from, to;
	uint64_t last_seq; /* complete: one in dispatch is shown, not counted */
	bool     any_seq;
} show_t;

static bool
is_wanted(const show_t *show, const bitactor_record_t *record, uint64_t seq)
{
	if (seq < show->from || seq > show->to)
		return false;
	return show->all || record->kind < BITACTOR_MAX_KINDS ||
	       record->kind == BITACTOR_RECORD_REJECT || record->kind == BITACTOR_RECORD_RESUME ||
	       record->kind == BITACTOR_RECORD_OUTPUT || record->kind == BITACTOR_RECORD_DROP;
}

static void
show_one(show_t *show, const record_view_t *view)
{
	if (show->json) {
		json_writer_t json = { .out = stdout };
		record_json(&json, view);
		return;
	}
	record_print(stdout, view);
	putchar('\n');
}

/* Show a record; the data behind it goes into its line, but not with --all, where
 * DATA records have lines of their own. */
static bitactor_status_t
show_record(show_t *show, const bitactor_record_t *record, uint64_t seq, bool open,
            bitactor_error_t *error)
{
	bool          compared = bitactor_record_is_compared(record);
	record_view_t view = { .schema = show->facts.schema,
		               .record = record,
		               .own = record->own_bytes > 0 ? record->own : NULL,
		               .seq = seq,
		               .turn = bitactor_trace_turn(show->reader),
		               .open = open };
	uint8_t own[32] = { 0 };

	if (compared && !open) {
		show->last_seq = seq;
		show->any_seq  = true;
	}
	if (!is_wanted(show, record, compared || !show->any_seq ? seq : show->last_seq))
		return BITACTOR_OK;
	if (show->all || (record->flags & BITACTOR_RECORD_HAS_DATA) == 0) {
		show_one(show, &view);
		return BITACTOR_OK;
	}
	bitactor_record_t copy = *record; /* reading on ends what it points to */
	if (view.own != NULL)
		memcpy(own, record->own, sizeof own);
	view.record = &copy;
	view.own    = view.own != NULL ? own : NULL;
	bitactor_status_t status =
	        bitactor_trace_data(show->reader, DATA_MOST, &view.data, &view.data_bytes, error);
	if (status == BITACTOR_OK || status == BITACTOR_EMPTY)
		show_one(show, &view);
	return status == BITACTOR_EMPTY ? BITACTOR_OK : status;
}

/* Talk, so that data stays data. */
static void
say_how_it_ends(const show_t *show)
{
	bitactor_trace_end_t end = bitactor_trace_end(show->reader);
	if (end != BITACTOR_TRACE_NOT_CLOSED && end != BITACTOR_TRACE_OPEN_RECORD)
		return;
	if (show->any_seq)
		fprintf(stderr, "bitactor show: not closed, valid to seq %" PRIu64 "\n",
		        show->last_seq);
	else
		fputs("bitactor show: not closed, and nothing was written yet\n", stderr);
}

static bitactor_status_t
show_all(show_t *show, bitactor_error_t *error)
{
	bitactor_record_t record;
	bitactor_status_t status;
	uint64_t          seq;

	for (;;) {
		status = bitactor_trace_next(show->reader, &record, &seq, error);
		if (status != BITACTOR_OK && status != BITACTOR_BUSY)
			break;
		status = show_record(show, &record, seq, status == BITACTOR_BUSY, error);
		if (status != BITACTOR_OK || ferror(stdout) != 0)
			break;
	}
	if (status != BITACTOR_EMPTY)
		return status;
	say_how_it_ends(show);
	return BITACTOR_OK;
}

static int
show_main(int argc, char **argv)
{
	show_t      show = { .to = UINT64_MAX };
	const char *path = NULL, *from = NULL, *to = NULL;
	const option_t list[] = {
		{ "all", NULL, "every record, PAD and DATA too, a line each", &show.all, NULL },
		{ "from", "N", "from seq N on", NULL, &from },
		{ "to", "N", "up to seq N", NULL, &to },
		{ "json", NULL, "an object a line", &show.json, NULL },
	};
	const options_t options = { .command = &cmd_show, .list = list,
		                    .count = (int)(sizeof list / sizeof *list),
		                    .operands = &path, .operand_least = 1, .operand_most = 1 };
	int code = options_read(&options, argc, argv, NULL);
	if (code >= 0)
		return code;
	if ((from != NULL && !options_number(&cmd_show, "from", from, &show.from)) ||
	    (to != NULL && !options_number(&cmd_show, "to", to, &show.to)))
		return EXIT_USAGE;

	bitactor_error_t  error  = { .status = BITACTOR_OK };
	bitactor_status_t status = bitactor_trace_open(path, &show.reader, &error);
	if (status != BITACTOR_OK)
		return cmd_fail(&cmd_show, &error);
	bitactor_trace_facts(show.reader, &show.facts);
	status = show_all(&show, &error);
	bitactor_trace_close(show.reader);
	return status == BITACTOR_OK ? EXIT_AS_ASKED : cmd_fail(&cmd_show, &error);
}

const command_t cmd_show = {
	.name     = "show",
	.run      = show_main,
	.summary  = "the records of a trace, with names and units",
	.synopsis = "DIR.bitrace [--all] [--from N] [--to N] [--json]",
	.example  = "bitactor show bus.bitrace --from 100 --to 120",
};
