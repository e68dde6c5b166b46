/* SPDX-License-Identifier: Apache-2.0 */
/* allocations.h -- how often this process asked the heap for memory.
 *
 * The program's own malloc, calloc, realloc and aligned_alloc stand before the
 * C library's and count; so "allocations while running: 0" is a measurement of
 * everything in the process, the module and the C library included.
 */
#ifndef BITACTOR_CLI_ALLOCATIONS_H
#define BITACTOR_CLI_ALLOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

/* False under a sanitizer, which has a malloc of its own, or without glibc. */
bool allocations_are_counted(void);

uint64_t allocations_so_far(void);

#endif
