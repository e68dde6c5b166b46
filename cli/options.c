/* SPDX-License-Identifier: Apache-2.0 */
/* options.c -- "--name", "--name VALUE", "--name=VALUE", "--", operands. */
#include "options.h"

#include <bitactor/schema.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_help(const options_t *options)
{
	const command_t *command = options->command;

	printf("bitactor %s: %s\n\nusage: bitactor %s %s\n\n", command->name, command->summary,
	       command->name, command->synopsis);
	for (int i = 0; i < options->count; i++) {
		const option_t *option = &options->list[i];
		char left[64];
		snprintf(left, sizeof left, "--%s%s%s", option->name,
		         option->argument != NULL ? " " : "",
		         option->argument != NULL ? option->argument : "");
		printf("  %-24s %s\n", left, option->help);
	}
	printf("  %-24s %s\n\nexample: %s\n", "--help", "this text", command->example);
}

static const option_t *
find(const options_t *options, const char *name, size_t length)
{
	for (int i = 0; i < options->count; i++) {
		const option_t *option = &options->list[i];
		if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
			return option;
	}
	return NULL;
}

static int
usage_error(const options_t *options, const char *what, const char *which)
{
	fprintf(stderr, "bitactor %s: %s%s\nusage: bitactor %s %s\n", options->command->name, what,
	        which, options->command->name, options->command->synopsis);
	return EXIT_USAGE;
}

static int
unknown_option(const options_t *options, const char *argument)
{
	const char *names[32];
	uint32_t    count = 0;
	for (; (int)count < options->count && count < 32; count++)
		names[count] = options->list[count].name;
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
	const bitactor_kind_names_t known = { .names = names, .count = count };
	const char *nearest = bitactor_kind_nearest(&known, name);
	fprintf(stderr, "bitactor %s: no option --%s", options->command->name, name);
	if (nearest != NULL)
		fprintf(stderr, "; the nearest is --%s", nearest);
	fprintf(stderr, "\nsee: bitactor %s --help\n", options->command->name);
	return EXIT_USAGE;
}

/* Take the option at argv[*at]; -1 or an exit code. */
static int
take_option(const options_t *options, int argc, char **argv, int *at)
{
	const char     *name   = argv[*at] + 2;
	size_t          length = strcspn(name, "=");
	const option_t *option = find(options, name, length);
	bool            joined = name[length] == '=';

	if (option == NULL)
		return unknown_option(options, argv[*at]);
	if (option->argument == NULL) {
		if (joined)
			return usage_error(options, "this option takes no value: ", argv[*at]);
		*option->flag = true;
		return -1;
	}
	if (!joined && *at + 1 >= argc)
		return usage_error(options, "this option needs a value: ", argv[*at]);
	*option->value = joined ? name + length + 1 : argv[++*at];
	return -1;
}

int
options_read(const options_t *options, int argc, char **argv, int *found)
{
	bool only_operands = false;
	int  operands      = 0;

	for (int i = 1; i < argc; i++) {
		const char *argument = argv[i];
		if (!only_operands && strcmp(argument, "--") == 0) {
			only_operands = true;
		} else if (!only_operands &&
		           (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)) {
			print_help(options);
			return EXIT_AS_ASKED;
		} else if (!only_operands && strncmp(argument, "--", 2) == 0) {
			int code = take_option(options, argc, argv, &i);
			if (code >= 0)
				return code;
		} else if (!only_operands && argument[0] == '-' && argument[1] != '\0') {
			return usage_error(options, "options have two dashes: ", argument);
		} else if (operands == options->operand_most) {
			return usage_error(options, "too many arguments, from: ", argument);
		} else {
			options->operands[operands++] = argument;
		}
	}
	if (operands < options->operand_least)
		return usage_error(options, "an argument is missing", "");
	if (found != NULL)
		*found = operands;
	return -1;
}

bool
options_number(const command_t *command, const char *name, const char *text, uint64_t *number)
{
	char *end;
	*number = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && strlen(text) <= 19)
		return true;
	fprintf(stderr, "bitactor %s: --%s takes a number, not \"%s\"\n", command->name, name,
	        text);
	return false;
}
