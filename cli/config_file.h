/* SPDX-License-Identifier: Apache-2.0 */
/* config_file.h -- limits and parameters from a JSON file.
 *
 *      { "queue_slots": 4096, "seed": 7, "module": { "late_percent": 200 } }
 *
 * Every key is known or an error that names its line.
 */
#ifndef BITACTOR_CLI_CONFIG_FILE_H
#define BITACTOR_CLI_CONFIG_FILE_H

#include <bitactor/module_loader.h>

/* Read FILE into the configuration and the module's parameters.  BITACTOR_IO: it
 * cannot be read; BITACTOR_ERROR: something in it is wrong. */
bitactor_status_t config_file_read(const char *file, bitactor_config_t *config,
                                   bitactor_loaded_t *module, bitactor_error_t *error);

#endif
