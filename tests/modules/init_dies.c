/* SPDX-License-Identifier: Apache-2.0 */
/* init_dies.c -- its init ends the process if a parameter says so. */
#include <bitactor/module.h>

#include <stdlib.h>

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	return state == NULL ? BITACTOR_OK : BITACTOR_ERROR;
}

static bitactor_status_t
prepare(void *const *cells, const int64_t *params)
{
	(void)cells;
	if (params[0] != 0)
		abort();
	return BITACTOR_OK;
}

static const bitactor_kind_t  kinds[] = { { .name = "only", .fn = on_signal } };
static const bitactor_param_t params[] = { { "die", "", 0, 0, 1, "1: init calls abort()" } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "init_dies",
	.version = "1",
	.kinds = kinds,
	.params = params,
	.kind_count = 1,
	.param_count = 1,
	.init = prepare,
};
