/* SPDX-License-Identifier: Apache-2.0 */
/* host.h -- the services of a POSIX system that the core asks for. */
#ifndef BITACTOR_HOST_H
#define BITACTOR_HOST_H

#include <bitactor/bitactor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* now_ns: CLOCK_MONOTONIC.  protect: guard pages by MADV_GUARD_INSTALL where the
 * kernel has it, else mprotect.  One constant table; any thread. */
const bitactor_host_t *bitactor_host_posix(void);

/* "madv-guard", "mprotect" or "canary": what protect does here.  Tries it once
 * on a page of its own. */
const char *bitactor_host_guard_name(void);

#ifdef __cplusplus
}
#endif
#endif
