/* SPDX-License-Identifier: Apache-2.0 */
/* endless.c -- a module that never comes to an end by itself: each signal is sent
 * again by its handler, after some work, so that a trace does not grow too fast.
 */
#include <bitactor/module.h>

enum { WORK = 2000 }; /* some microseconds */

static bitactor_status_t
on_again(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *sum = state;
	bitactor_signal_t again = { .kind = signal->kind, .payload = signal->payload + 1 };
	for (uint64_t i = 0; i < WORK; i++)
		*sum = *sum * 6364136223846793005u + signal->payload; /* Knuth's MMIX */
	return bitactor_emit(turn, &again);
}

static const bitactor_kind_t kinds[] = { { .name = "again", .fn = on_again, .cell = 0 } };
static const bitactor_cell_t cells[] = { { "sum", sizeof(uint64_t) } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "endless",
	.version = "1.0",
	.kinds = kinds,
	.cells = cells,
	.kind_count = 1,
	.cell_count = 1,
};
