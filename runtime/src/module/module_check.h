/* SPDX-License-Identifier: Apache-2.0 */
/* module_check.h -- a module's table before any of it is used. */
#ifndef BA_MODULE_CHECK_H
#define BA_MODULE_CHECK_H

#include <bitactor/module.h>

/* BITACTOR_OK; BITACTOR_UNSUPPORTED, another ABI; BITACTOR_ERROR, a wrong table.
 * `path` is for the words.  Afterwards every pointer that a count promises is
 * there, names are valid and unique in their sort, and every number is within
 * its bounds. */
bitactor_status_t ba_module_check(const bitactor_module_t *table, const char *path,
                                  bitactor_error_t *error);

#endif
