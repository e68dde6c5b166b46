/* SPDX-License-Identifier: Apache-2.0 */
/* error.h -- what went wrong, for people, beside the status for programs. */
#ifndef BITACTOR_ERROR_H
#define BITACTOR_ERROR_H

#include <bitactor/bitactor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The caller's; zero it before use.  The first error stays. */
typedef struct bitactor_error {
	bitactor_status_t status;   /* BITACTOR_OK: none                     */
	int               os_error; /* errno, or 0                           */
	char              text[400]; /* what was wrong, where, what to do    */
} bitactor_error_t;

/* Fill in `error` (may be NULL; an earlier one is kept) and return `status`.
 * With `os_error` not 0, ": " and its text are appended.  The text is one line:
 * what is too long ends in "...", a control character becomes '?'.  BITACTOR_OK
 * is no error and fills in nothing.  errno stays as it was. */
bitactor_status_t bitactor_error_set(bitactor_error_t *error, bitactor_status_t status,
                                     int os_error, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

#ifdef __cplusplus
}
#endif
#endif
