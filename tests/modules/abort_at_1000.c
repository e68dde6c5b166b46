/* SPDX-License-Identifier: Apache-2.0 */
/* abort_at_1000.c -- the thousandth signal of its kind ends the process. */
#include <bitactor/module.h>

#include <stdlib.h>

typedef struct steps {
	uint64_t taken;
} steps_t;

static bitactor_status_t
on_step(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal;
	steps_t *steps = state;
	if (++steps->taken == 1000)
		abort();
	bitactor_turn_result(turn, steps->taken);
	return BITACTOR_OK;
}

static const bitactor_kind_t kinds[] = { { .name = "step", .fn = on_step } };
static const bitactor_cell_t cells[] = { { "steps", sizeof(steps_t) } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "abort_at_1000",
	.version = "1",
	.kinds = kinds,
	.cells = cells,
	.kind_count = 1,
	.cell_count = 1,
};
