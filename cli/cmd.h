/* SPDX-License-Identifier: Apache-2.0 */
/* cmd.h -- what a command is, and what it may answer.
 *
 * stdout is data, stderr is talk.  A command composes library calls and decides
 * nothing that a library user would miss.
 */
#ifndef BITACTOR_CLI_CMD_H
#define BITACTOR_CLI_CMD_H

#include <bitactor/error.h>

enum exit_code {
	EXIT_AS_ASKED     = 0,
	EXIT_CHECK_FAILED = 1, /* verify, replay, --strict found something   */
	EXIT_USAGE        = 2, /* a wrong option, file or version            */
	EXIT_WORLD        = 3  /* files, pipes, memory                       */
};

typedef struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
	const char *summary;  /* one line */
	const char *synopsis; /* arguments */
	const char *example;  /* one complete line to copy */
} command_t;

extern const command_t cmd_info, cmd_run, cmd_verify, cmd_replay, cmd_show, cmd_new, cmd_bench;

/* Print "bitactor NAME: error's text" and say how the program should exit. */
int cmd_fail(const command_t *command, const bitactor_error_t *error);

/* The exit code for a status: usage for what the caller asked wrongly, world for
 * I/O, check failed for what was found to be wrong. */
int cmd_exit_code(bitactor_status_t status);

#endif
