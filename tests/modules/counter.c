/* SPDX-License-Identifier: Apache-2.0 */
/* counter.c -- a whole module in small: cells, parameters, fields, ports, a report.
 *
 * Kind 0 adds its payload times a parameter, kind 1 answers the sum and sends it
 * to a port, kind 2 has no handler, kind 3 asks whether init came first.
 */
#include <bitactor/module.h>

typedef struct sum {
	uint64_t value, count;
} sum_t;

typedef struct settings {
	uint64_t factor, was_zero;
} settings_t;

/* A cell has no pointer to another: what add needs to know is in its own. */
typedef struct adder {
	sum_t      sum;
	settings_t settings;
} adder_t;

static bitactor_status_t
on_add(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	adder_t *adder = state;
	adder->sum.value += signal->payload * adder->settings.factor;
	adder->sum.count++;
	bitactor_turn_result(turn, adder->sum.value);
	return BITACTOR_OK;
}

static bitactor_status_t
on_get(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal;
	const adder_t *adder = state;
	bitactor_turn_result(turn, adder->sum.value);
	return bitactor_output(turn, 1, &adder->sum.value, sizeof adder->sum.value);
}

static bitactor_status_t
on_ask(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal;
	const settings_t *settings = state;
	bitactor_turn_result(turn, settings->was_zero);
	return BITACTOR_OK;
}

static bitactor_status_t
prepare(void *const *cells, const int64_t *params)
{
	adder_t *adder = cells[0];
	settings_t *settings = cells[1];
	settings->was_zero = adder->sum.value == 0 && adder->sum.count == 0 &&
	                     adder->settings.factor == 0 && settings->factor == 0;
	adder->settings.factor = (uint64_t)params[0];
	settings->factor = (uint64_t)params[1];
	return BITACTOR_OK;
}

static void
report(const void *const *cells, void (*say)(void *context, const char *line), void *context)
{
	const adder_t *adder = cells[0];
	say(context, adder->sum.count > 0 ? "added" : "nothing was added");
	say(context, "that is all");
}

static const bitactor_field_t add_fields[] = {
	{ "amount", "mm", BITACTOR_WORD_PAYLOAD, 0, 32, BITACTOR_FORMAT_SIGNED, -3 },
	{ "urgent", "", BITACTOR_WORD_CONTEXT, 0, 1, BITACTOR_FORMAT_FLAG, 0 },
};

static const bitactor_kind_t kinds[] = {
	{ .name = "add", .fn = on_add, .cell = 0, .fields = add_fields, .field_count = 2 },
	{ .name = "get", .fn = on_get, .cell = 0 },
	{ .name = "silent", .fn = NULL },
	{ .name = "ask", .fn = on_ask, .cell = 1, .flags = BITACTOR_HANDLER_EXACT },
};

static const bitactor_cell_t cells[] = {
	{ "adder", sizeof(adder_t) },
	{ "settings", sizeof(settings_t) },
};

static const bitactor_param_t params[] = {
	{ "factor", "", 1, 1, 100, "what each amount is multiplied by" },
	{ "offset", "mm", -5, INT64_MIN, INT64_MAX, "" },
};

static const char *const ports[] = { "log", "sum" };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "counter",
	.version = "1.0.0+test",
	.kinds = kinds,
	.cells = cells,
	.params = params,
	.ports = ports,
	.kind_count = 4,
	.cell_count = 2,
	.param_count = 2,
	.port_count = 2,
	.init = prepare,
	.report = report,
};
