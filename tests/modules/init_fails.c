/* SPDX-License-Identifier: Apache-2.0 */
/* init_fails.c -- its init does not answer OK. */
#include <bitactor/module.h>

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	return state == NULL ? BITACTOR_OK : BITACTOR_ERROR;
}

static bitactor_status_t
prepare(void *const *cells, const int64_t *params)
{
	(void)cells, (void)params;
	return BITACTOR_STUCK;
}

static const bitactor_kind_t kinds[] = { { .name = "only", .fn = on_signal } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "init_fails",
	.version = "1",
	.kinds = kinds,
	.kind_count = 1,
	.init = prepare,
};
