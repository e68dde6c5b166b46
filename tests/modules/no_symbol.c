/* SPDX-License-Identifier: Apache-2.0 */
/* no_symbol.c -- a shared object that is no module. */
#include <bitactor/module.h>

BITACTOR_MODULE_EXPORT int bitactor_module_v0(void);

int
bitactor_module_v0(void)
{
	return 0;
}
