/* SPDX-License-Identifier: Apache-2.0 */
/* module_file.h -- is this a file that the dynamic linker can be given? */
#ifndef BA_MODULE_FILE_H
#define BA_MODULE_FILE_H

#include <bitactor/error.h>

/* BITACTOR_OK, or BITACTOR_IO with what is wrong and what to do. */
bitactor_status_t ba_module_file_check(const char *path, bitactor_error_t *error);

#endif
