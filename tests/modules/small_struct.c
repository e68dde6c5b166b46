/* SPDX-License-Identifier: Apache-2.0 */
/* small_struct.c -- its table is shorter than this ABI's. */
#include <bitactor/module.h>

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	return state == NULL ? BITACTOR_OK : BITACTOR_ERROR;
}

static const bitactor_kind_t kinds[] = { { .name = "only", .fn = on_signal } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = offsetof(bitactor_module_t, report),
	.name = "small_struct",
	.version = "1",
	.kinds = kinds,
	.kind_count = 1,
};
