/* SPDX-License-Identifier: Apache-2.0 */
/* options.h -- one way to read options for every command.
 *
 * A command lists its options; help is printed from that list, and a wrong
 * option is answered with the nearest right one.
 */
#ifndef BITACTOR_CLI_OPTIONS_H
#define BITACTOR_CLI_OPTIONS_H

#include "cmd.h"

#include <stdint.h>

typedef struct option {
	const char  *name;     /* without the two dashes                  */
	const char  *argument; /* what it takes, in capitals; NULL: nothing */
	const char  *help;
	bool        *flag;     /* set when it takes nothing               */
	const char **value;    /* set when it takes something             */
} option_t;

typedef struct options {
	const command_t *command;
	const option_t  *list;
	int              count;
	const char     **operands;     /* where operands go, in order      */
	int              operand_least, operand_most;
} options_t;

/* Read argv[1..].
 *
 *   returns   -1: go on; otherwise the code to exit with (help was printed, or
 *             what is wrong was said)
 *   *found    operands found */
int options_read(const options_t *options, int argc, char **argv, int *found);

/* A decimal number for option `name`; false after saying what is wrong. */
bool options_number(const command_t *command, const char *name, const char *text,
                    uint64_t *number);

#endif
