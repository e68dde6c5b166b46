/* SPDX-License-Identifier: Apache-2.0 */
/* fiber.c -- its kind runs on a stack of its own, which the engine may not have. */
#include <bitactor/module.h>

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	return state == NULL ? BITACTOR_OK : BITACTOR_ERROR;
}

static const bitactor_kind_t kinds[] = {
	{ .name = "only", .fn = on_signal, .flags = BITACTOR_HANDLER_FIBER },
};

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "fiber",
	.version = "1",
	.kinds = kinds,
	.kind_count = 1,
};
