/* SPDX-License-Identifier: Apache-2.0 */
/* stateless.c -- no cells: the handler must be given no state. */
#include <bitactor/module.h>

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	return state == NULL ? BITACTOR_OK : BITACTOR_ERROR;
}

static const bitactor_kind_t kinds[] = { { .name = "only", .fn = on_signal, .cell = 7 } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "stateless",
	.version = "1",
	.kinds = kinds,
	.kind_count = 1,
};
