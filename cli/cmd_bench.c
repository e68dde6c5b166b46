/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_bench.c -- bitactor bench: the measurements of bench/, by name. */
#include "cmd.h"
#include "options.h"

#include "../bench/bench.h"

enum { CASES_MOST = 32 };

static int
bench_main(int argc, char **argv)
{
	const char     *cases[CASES_MOST];
	bench_options_t bench  = { .cases = cases };
	const option_t  list[] = {
		{ "list", NULL, "the names of the cases", &bench.list, NULL },
		{ "quick", NULL, "tiny inputs: does it run at all?", &bench.quick, NULL },
		{ "json", NULL, "one JSON object", &bench.json, NULL },
	};
	const options_t options = { .command = &cmd_bench, .list = list,
		                    .count = (int)(sizeof list / sizeof *list),
		                    .operands = cases, .operand_most = CASES_MOST };
	int code = options_read(&options, argc, argv, &bench.case_count);
	return code >= 0 ? code : bench_run(&bench);
}

const command_t cmd_bench = {
	.name     = "bench",
	.run      = bench_main,
	.summary  = "what dispatching, queueing, recording and switching cost here",
	.synopsis = "[CASE...] [--list] [--quick] [--json]",
	.example  = "bitactor bench dispatch",
};
