/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- the program: a table of commands, and help printed from it. */
#include "cmd.h"

#include <bitactor/schema.h>

#include <stdio.h>
#include <string.h>

static const command_t *const commands[] = {
	&cmd_run, &cmd_verify, &cmd_replay, &cmd_show, &cmd_new, &cmd_bench, &cmd_info,
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void
print_help(void)
{
	puts("bitactor " BITACTOR_VERSION ": an event engine with a flight recorder\n\n"
	     "usage: bitactor COMMAND [OPTION...] [ARGUMENT...]\n");
	for (int i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
	puts("\nbitactor COMMAND --help shows a command's options and a line to copy.\n"
	     "exit: 0 as asked, 1 a check failed, 2 wrong usage, 3 the world (files, memory)");
}

int
cmd_exit_code(bitactor_status_t status)
{
	switch (status) {
	case BITACTOR_OK:
		return EXIT_AS_ASKED;
	case BITACTOR_CORRUPT:
	case BITACTOR_BUSY:
		return EXIT_CHECK_FAILED;
	case BITACTOR_UNSUPPORTED:
	case BITACTOR_ERROR:
		return EXIT_USAGE;
	default:
		return EXIT_WORLD;
	}
}

int
cmd_fail(const command_t *command, const bitactor_error_t *error)
{
	fprintf(stderr, "bitactor %s: %s\n", command->name, error->text);
	return cmd_exit_code(error->status);
}

static int
unknown_command(const char *name)
{
	const char *names[COMMAND_COUNT];
	for (int i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i]->name;
	const bitactor_kind_names_t known = { .names = names, .count = COMMAND_COUNT };
	const char *nearest = bitactor_kind_nearest(&known, name);
	fprintf(stderr, "bitactor: no command \"%s\"", name);
	if (nearest != NULL)
		fprintf(stderr, "; the nearest is \"%s\"", nearest);
	fputs("\nsee: bitactor --help\n", stderr);
	return EXIT_USAGE;
}

static int
answer(int argc, char **argv)
{
	if (argc < 2) {
		fputs("bitactor: which command? see: bitactor --help\n", stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help();
		return EXIT_AS_ASKED;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("bitactor " BITACTOR_VERSION);
		return EXIT_AS_ASKED;
	}
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i]->name) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	return unknown_command(argv[1]);
}

int
main(int argc, char **argv)
{
	int code = answer(argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("bitactor: standard output");
		return EXIT_WORLD;
	}
	return code;
}
