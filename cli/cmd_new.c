/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_new.c -- bitactor new: a module's folder that builds and runs at once.
 *
 * The texts are below; the Makefile gets the paths of this program and its
 * headers, found beside the program: as installed, or in the build tree.
 */
#include "cmd.h"
#include "options.h"

#include <bitactor/schema.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char module_text[] =
	"/* @ -- counts what it reads and raises an alarm at every tenth.\n"
	" *\n"
	" * kinds    reading (from the input), alarm (emitted here)\n"
	" * state    one cell, no globals: a replay starts from the same zero\n"
	" */\n"
	"#include <bitactor/module.h>\n"
	"\n"
	"#include <stdio.h>\n"
	"\n"
	"enum { READING, ALARM };\n"
	"enum { PORT_ALARM };\n"
	"\n"
	"struct totals {\n"
	"\tuint64_t readings;\n"
	"\tuint64_t sum;\n"
	"};\n"
	"\n"
	"static bitactor_status_t\n"
	"on_reading(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)\n"
	"{\n"
	"\tstruct totals *totals = state;\n"
	"\ttotals->readings++;\n"
	"\ttotals->sum += signal->payload;\n"
	"\tbitactor_turn_result(turn, totals->sum);\n"
	"\tif (totals->readings % 10 != 0)\n"
	"\t\treturn BITACTOR_OK;\n"
	"\tbitactor_signal_t alarm = { .kind = ALARM, .payload = totals->readings };\n"
	"\treturn bitactor_emit(turn, &alarm);\n"
	"}\n"
	"\n"
	"static bitactor_status_t\n"
	"on_alarm(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)\n"
	"{\n"
	"\t(void)state;\n"
	"\tchar line[64];\n"
	"\tint  bytes = snprintf(line, sizeof line, \"%llu readings\",\n"
	"\t                      (unsigned long long)signal->payload);\n"
	"\treturn bitactor_output(turn, PORT_ALARM, line, (size_t)bytes);\n"
	"}\n"
	"\n"
	"static const bitactor_field_t reading_fields[] = {\n"
	"\t{ \"value\", \"mV\", BITACTOR_WORD_PAYLOAD, 0, 32, BITACTOR_FORMAT_UNSIGNED, 0 },\n"
	"};\n"
	"static const bitactor_field_t alarm_fields[] = {\n"
	"\t{ \"readings\", \"\", BITACTOR_WORD_PAYLOAD, 0, 64, BITACTOR_FORMAT_UNSIGNED, 0 },\n"
	"};\n"
	"static const bitactor_kind_t kinds[] = {\n"
	"\t[READING] = { .name = \"reading\", .fn = on_reading, .fields = reading_fields, "
	".field_count = 1 },\n"
	"\t[ALARM]   = { .name = \"alarm\", .fn = on_alarm, .fields = alarm_fields, "
	".field_count = 1 },\n"
	"};\n"
	"static const bitactor_cell_t cells[] = { { \"totals\", sizeof(struct totals) } };\n"
	"static const char *const     ports[] = { [PORT_ALARM] = \"alarm\" };\n"
	"\n"
	"BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {\n"
	"\t.abi = BITACTOR_MODULE_ABI, .struct_bytes = sizeof(bitactor_module_t),\n"
	"\t.name = \"@\", .version = \"0.1.0\",\n"
	"\t.kinds = kinds, .kind_count = 2,\n"
	"\t.cells = cells, .cell_count = 1,\n"
	"\t.ports = ports, .port_count = 1,\n"
	"};\n";

static const char makefile_text[] =
	"# make        build the module, run it on readings.ndjson, check and replay the trace\n"
	"# make clean  forget what was built\n"
	"BITACTOR ?= \1\n"
	"INCLUDE  ?= \2\n"
	"CFLAGS   ?= -std=c11 -O2 -Wall -Wextra\n"
	"\n"
	"all: @.so\n"
	"\trm -rf @.bitrace\n"
	"\t\"$(BITACTOR)\" run --module ./@.so --input ndjson:readings.ndjson --trace @.bitrace "
	"--print alarm\n"
	"\t\"$(BITACTOR)\" verify @.bitrace\n"
	"\t\"$(BITACTOR)\" replay @.bitrace --module ./@.so\n"
	"\n"
	"@.so: @.c\n"
	"\t$(CC) $(CFLAGS) $(INCLUDE) -fPIC -shared -ffp-contract=off -o $@ @.c\n"
	"\n"
	"clean:\n"
	"\trm -rf @.so @.bitrace\n"
	"\n"
	".PHONY: all clean\n";

/* ---- where this program's headers are ----------------------------------- */

static bool
is_file(const char *path)
{
	struct stat status;
	return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* The folder `levels` above the program, or false. */
static bool
above_program(const char *program, int levels, char folder[PATH_MAX])
{
	snprintf(folder, PATH_MAX, "%s", program);
	for (; levels > 0; levels--) {
		char *slash = strrchr(folder, '/');
		if (slash == NULL)
			return false;
		*slash = '\0';
	}
	return true;
}

/* The compiler's -I options for our headers; "" when they cannot be found. */
static void
find_headers(const char *program, char *options, size_t room)
{
	char folder[PATH_MAX], header[PATH_MAX + 64];

	options[0] = '\0';
	if (above_program(program, 2, folder)) { /* PREFIX/bin/bitactor */
		snprintf(header, sizeof header, "%s/include/bitactor/module.h", folder);
		if (is_file(header)) {
			snprintf(options, room, "-I\"%s/include\"", folder);
			return;
		}
	}
	if (above_program(program, 4, folder)) { /* build/release/bin/bitactor */
		snprintf(header, sizeof header, "%s/runtime/include/bitactor/module.h", folder);
		if (is_file(header))
			snprintf(options, room,
			         "-I\"%s/bitactor/include\" -I\"%s/runtime/include\"",
			         folder, folder);
	}
}

/* ---- writing ------------------------------------------------------------ */

static int
world(const char *path)
{
	fprintf(stderr, "bitactor new: %s: %s\n", path, strerror(errno));
	return EXIT_WORLD;
}

/* Write a text; every @ that is not make's $@ becomes the name, \1 the program,
 * \2 the options with which the compiler finds our headers. */
static bool
write_file(const char *path, const char *text, const char *name, const char *program,
           const char *headers)
{
	FILE *out = fopen(path, "wx");
	if (out == NULL)
		return false;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '@' && (at == text || at[-1] != '$'))
			fputs(name, out);
		else if (*at == '\1' || *at == '\2')
			fputs(*at == '\1' ? program : headers, out);
		else
			putc(*at, out);
	}
	bool failed = ferror(out) != 0;
	return fclose(out) == 0 && !failed;
}

static bool
write_readings(const char *path)
{
	FILE *out = fopen(path, "wx");
	if (out == NULL)
		return false;
	for (int i = 1; i <= 25; i++)
		fprintf(out, "{\"kind\": \"reading\", \"payload\": %d, \"id\": %d}\n", 1000 + i * 7,
		        i);
	bool failed = ferror(out) != 0;
	return fclose(out) == 0 && !failed;
}

static int
new_folder(const char *name)
{
	char    program[PATH_MAX], headers[2 * PATH_MAX + 64], path[BITACTOR_NAME_MAX * 2 + 32];
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	program[length > 0 ? length : 0] = '\0';
	find_headers(program, headers, sizeof headers);

	if (mkdir(name, 0777) != 0)
		return world(name);
	snprintf(path, sizeof path, "%s/%s.c", name, name);
	if (!write_file(path, module_text, name, program, headers))
		return world(path);
	snprintf(path, sizeof path, "%s/Makefile", name);
	if (!write_file(path, makefile_text, name, program, headers))
		return world(path);
	snprintf(path, sizeof path, "%s/readings.ndjson", name);
	if (!write_readings(path))
		return world(path);
	printf("%s/ has %s.c, a Makefile and readings.ndjson; next: make -C %s\n", name, name,
	       name);
	if (headers[0] == '\0')
		fprintf(stderr,
		        "bitactor new: bitactor's headers were not found beside %s; set INCLUDE "
		        "in %s/Makefile\n",
		        program, name);
	return EXIT_AS_ASKED;
}

static int
new_main(int argc, char **argv)
{
	const char *name = NULL;
	const options_t options = { .command = &cmd_new, .operands = &name, .operand_least = 1,
		                    .operand_most = 1 };
	int code = options_read(&options, argc, argv, NULL);
	if (code >= 0)
		return code;
	if (!bitactor_name_is_valid(name) || name[0] == '.' || name[0] == '-') {
		fprintf(stderr,
		        "bitactor new: \"%s\" is no name for a module: letters, digits, _ . -, at "
		        "most %d\n",
		        name, BITACTOR_NAME_MAX);
		return EXIT_USAGE;
	}
	return new_folder(name);
}

const command_t cmd_new = {
	.name     = "new",
	.run      = new_main,
	.summary  = "a folder with a module that builds and runs at once",
	.synopsis = "NAME",
	.example  = "bitactor new counter && make -C counter",
};
