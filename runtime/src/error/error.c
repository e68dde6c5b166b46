/* SPDX-License-Identifier: Apache-2.0 */
/* error.c -- one line of text about the first thing that went wrong.
 *
 *      "cannot open a.bitrace" + ": " + "No such file or directory"
 *       the caller's words              the system's, when os_error is not 0
 *
 * The text always fits, is valid to print on a terminal and stays on one line:
 * words that are too long end in "...", the system's part is kept whole, and a
 * control character becomes '?', for file names and modules are not to be
 * trusted.  errno is left as it was.
 */
/* The XSI strerror_r, the same in every C library; _GNU_SOURCE gives glibc's own. */
#undef _GNU_SOURCE
#define _POSIX_C_SOURCE 200809L

#include <bitactor/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The system's words for `os_error`, or none. */
static void
describe(int os_error, char *out, size_t room)
{
	out[0] = '\0';
	if (os_error == 0)
		return;
	char words[128];
	if (strerror_r(os_error, words, sizeof words) == 0)
		(void)snprintf(out, room, ": %s", words);
	else
		(void)snprintf(out, room, ": error %d", os_error);
}

/* Shorten `text` to `most` bytes, "..." included, not inside a UTF-8 character. */
static void
cut(char *text, size_t most)
{
	size_t end = most - 3;
	while (end > 0 && ((unsigned char)text[end] & 0xC0u) == 0x80u)
		end--;
	memcpy(text + end, "...", sizeof "...");
}

static void
keep_to_one_line(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20u || *text == 0x7F)
			*text = '?';
}

bitactor_status_t
bitactor_error_set(bitactor_error_t *error, bitactor_status_t status, int os_error,
                   const char *format, ...)
{
	if (error == NULL || error->status != BITACTOR_OK || status == BITACTOR_OK)
		return status;
	int saved_errno = errno;

	char system[160];
	describe(os_error, system, sizeof system);
	size_t most = sizeof error->text - 1 - strlen(system);

	va_list arguments;
	va_start(arguments, format);
	int written = vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	if (written < 0)
		error->text[0] = '\0';
	else if ((size_t)written > most)
		cut(error->text, most);
	memcpy(error->text + strlen(error->text), system, strlen(system) + 1);
	keep_to_one_line(error->text);

	error->status = status;
	error->os_error = os_error;
	errno = saved_errno;
	return status;
}
