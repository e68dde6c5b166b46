/* SPDX-License-Identifier: Apache-2.0 */
/* test_module_check.c -- each mistake in a table is found, and named in words. */
#include "../../../runtime/src/module/module_check.h"
#include "../../bdd.h"

#include <stdlib.h>
#include <string.h>

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	return BITACTOR_OK;
}

/* A right table, and everything it points to, to be made wrong in one place. */
struct module {
	bitactor_module_t table;
	bitactor_kind_t   kinds[3];
	bitactor_field_t  fields[2];
	bitactor_cell_t   cells[2];
	bitactor_param_t  params[2];
	const char       *ports[2];
};

static void
make_right(struct module *m)
{
	*m = (struct module){
		.table = { .abi = BITACTOR_MODULE_ABI, .struct_bytes = sizeof m->table,
		           .name = "right", .version = "1.0", .kinds = m->kinds,
		           .cells = m->cells, .params = m->params, .ports = m->ports,
		           .kind_count = 3, .cell_count = 2, .param_count = 2, .port_count = 2 },
		.kinds = { { .name = "a", .fn = on_signal, .cell = 1, .fields = m->fields,
		             .field_count = 2 },
		           { .name = "b", .fn = on_signal, .flags = 3 },
		           { .name = "c" } },
		.fields = { { "x", "V", 0, 0, 12, BITACTOR_FORMAT_SIGNED, -2 },
		            { "y", "", 1, 63, 1, BITACTOR_FORMAT_FLAG, 0 } },
		.cells = { { "one", 1 }, { "large", (size_t)1 << 30 } },
		.params = { { "p", "s", 0, INT64_MIN, INT64_MAX, "help" },
		            { "q", "", 7, 7, 7, "" } },
		.ports = { "out", "log" },
	};
}

static char text[sizeof((bitactor_error_t *)0)->text];

static bitactor_status_t
check(const struct module *m)
{
	bitactor_error_t error = { 0 };
	bitactor_status_t status = ba_module_check(&m->table, "./file.so", &error);
	CHECK_EQ(error.status, status);
	memcpy(text, error.text, sizeof text);
	return status;
}

/* Make it wrong with `change`; the status, and two words that the error has. */
#define WRONG(change, expected, who, what)                                               \
	do {                                                                             \
		struct module m;                                                         \
		make_right(&m);                                                          \
		change;                                                                  \
		bitactor_status_t status = check(&m);                                    \
		bool is_named = strstr(text, who) != NULL && strstr(text, what) != NULL; \
		if (status != expected || !is_named)                                     \
			printf("%s: \"%s\"\n", #change, text);                           \
		CHECK_EQ(status, expected);                                              \
		CHECK(is_named);                                                         \
	} while (0)

#define ERROR(change, who, what) WRONG(change, BITACTOR_ERROR, who, what)

static void
right(void)
{
	SCENARIO("a right table is right") {
		struct module m;
		make_right(&m);
		GIVEN("a table that uses everything up to its bounds");
		CHECK_EQ(check(&m), BITACTOR_OK);
		WHEN("what may be left out is left out");
		m.table.cells = NULL;
		m.table.params = NULL;
		m.table.ports = NULL;
		m.table.cell_count = m.table.param_count = m.table.port_count = 0;
		m.kinds[0].fields = NULL;
		m.kinds[0].field_count = 0;
		THEN("it is still right; a kind's cell is not looked at without cells");
		CHECK_EQ(check(&m), BITACTOR_OK);
		m.table.struct_bytes += 64;
		CHECK_EQ(check(&m), BITACTOR_OK);
		CHECK_EQ(ba_module_check(&m.table, "x", NULL), BITACTOR_OK);
		m.table.abi = 0;
		CHECK_EQ(ba_module_check(&m.table, "x", NULL), BITACTOR_UNSUPPORTED);
	}
}

static void
wrong_head(void)
{
	SCENARIO("a wrong head of the table") {
		WRONG(m.table.abi = 2, BITACTOR_UNSUPPORTED, "./file.so", "abi 2, this program");
		WRONG(m.table.abi = 0, BITACTOR_UNSUPPORTED, "./file.so", "abi 0");
		ERROR(m.table.struct_bytes--, "./file.so", "sizeof(bitactor_module_t)");
		ERROR(m.table.struct_bytes = 0, "./file.so", "struct_bytes is 0");
		ERROR(m.table.name = NULL, "./file.so", "its name, \"(NULL)\"");
		ERROR(m.table.name = "", "./file.so", "its name");
		ERROR(m.table.name = "a b", "./file.so", "\"a b\"");
		ERROR(m.table.version = NULL, "right", "version");
		ERROR(m.table.version = "", "right", "version");
		ERROR(m.table.version = "1\n2", "right", "version");
	}
}

static void
wrong_kinds(void)
{
	SCENARIO("wrong kinds") {
		ERROR(m.table.kind_count = 0, "right", "has no kinds");
		ERROR(m.table.kind_count = 0xFF01, "right", "65281 kinds, at most 65280");
		ERROR(m.table.kind_count = UINT32_MAX, "right", "4294967295 kinds");
		ERROR(m.table.kinds = NULL, "right", "counts 3 kinds but their array is NULL");
		ERROR(m.kinds[1].name = NULL, "right", "kind 1, \"(NULL)\"");
		ERROR(m.kinds[1].name = "a\tb", "right", "kind 1, \"a?b\"");
		ERROR(m.kinds[2].name = "a", "right", "kind 2 is called a like one before it");
		ERROR(m.kinds[0].cell = 2, "kind a", "cell 2, there are 2");
		ERROR(m.kinds[2].cell = UINT32_MAX, "kind c", "cell 4294967295");
		ERROR(m.kinds[1].flags = 4, "kind b", "flags 0x4");
		ERROR(m.kinds[1].flags = 0x80000003, "kind b", "flags 0x80000000");
	}
	SCENARIO("wrong fields") {
		ERROR(m.kinds[0].fields = NULL, "kind a", "2 fields but their array is NULL");
		ERROR(m.kinds[0].field_count = 257, "kind a", "257 fields, at most 256");
		ERROR(m.fields[1].name = "x", "kind a", "field 1 is called x like one before");
		ERROR(m.fields[1].name = NULL, "kind a, field 1, \"(NULL)\"", "name");
		ERROR(m.fields[0].unit = NULL, "kind a, field 0, \"x\"", "unit");
		ERROR(m.fields[0].word = 4, "kind a, field 0, \"x\"", "word");
		ERROR(m.fields[0].shift = 53, "kind a, field 0, \"x\"", "bits");
		ERROR(m.fields[0].bits = 0, "kind a, field 0, \"x\"", "bits");
		ERROR(m.fields[0].format = 5, "kind a, field 0, \"x\"", "format");
		ERROR(m.fields[0].exponent = 19, "kind a, field 0, \"x\"", "exponent");
		ERROR(m.fields[0].format = BITACTOR_FORMAT_HEX, "field 0", "exponent");
	}
}

static void
wrong_rest(void)
{
	SCENARIO("wrong cells") {
		ERROR(m.table.cells = NULL, "right", "counts 2 cells but their array is NULL");
		ERROR(m.table.cell_count = 0xFF01, "right", "65281 cells");
		ERROR(m.cells[1].name = "one", "right", "cell 1 is called one like one before");
		ERROR(m.cells[1].name = NULL, "right", "cell 1");
		ERROR(m.cells[0].bytes = 0, "cell one", "0 bytes");
		ERROR(m.cells[1].bytes++, "cell large", "1073741825 bytes, not 1 to 1073741824");
		ERROR(m.cells[1].bytes = SIZE_MAX, "cell large", "bytes");
	}
	SCENARIO("wrong parameters") {
		ERROR(m.table.params = NULL, "right", "2 parameters but their array is NULL");
		ERROR(m.table.param_count = 0xFF01, "right", "65281 parameters");
		ERROR(m.params[1].name = "p", "right", "parameter 1 is called p like one before");
		ERROR(m.params[1].name = "p q", "right", "parameter 1, \"p q\"");
		ERROR(m.params[1].initial = 6, "parameter q", "initial 6 is not in 7 to 7");
		ERROR(m.params[1].initial = 8, "parameter q", "initial 8 is not in 7 to 7");
		ERROR(m.params[1].least = 8, "parameter q", "initial 7 is not in 8 to 7");
		ERROR((m.params[1].least = 9, m.params[1].most = 5), "parameter q", "9 to 5");
		ERROR(m.params[0].unit = NULL, "parameter p", "unit");
		ERROR(m.params[0].unit = "\n", "parameter p", "unit");
		ERROR(m.params[0].text = NULL, "parameter p", "one line");
		ERROR(m.params[0].text = "two\nlines", "parameter p", "one line");
		char *help = malloc(257);
		memset(help, 'h', 256);
		help[256] = '\0';
		ERROR(m.params[0].text = help, "parameter p", "255 bytes");
		struct module m;
		make_right(&m);
		m.params[0].text = help + 1;
		CHECK_EQ(check(&m), BITACTOR_OK);
		free(help);
	}
	SCENARIO("wrong ports") {
		ERROR(m.table.ports = NULL, "right", "counts 2 ports but their array is NULL");
		ERROR(m.table.port_count = 0xFF01, "right", "65281 ports");
		ERROR(m.ports[1] = "out", "right", "port 1 is called out like one before it");
		ERROR(m.ports[0] = NULL, "right", "port 0, \"(NULL)\"");
	}
}

int
main(void)
{
	right();
	wrong_head();
	wrong_kinds();
	wrong_rest();
	return bdd_close();
}
