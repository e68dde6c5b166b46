/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_program.c -- the identity of a run: written, read, refused.
 *
 * What protects it most: any text that is accepted is, written again, the same
 * text.  So there is one way to write a program, and a text that was changed
 * anywhere is refused or says something else.
 */
#include <bitactor/trace_program.h>

#include "engine_probe.h"

static const char golden[] =
        "program\t1\n"
        "module\tcan_monitor\n"
        "version\t1.0.0\n"
        "schema\t000102030405060708090a0b0c0d0e0ff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n"
        "seed\t18446744073709551615\n"
        "kinds\t3\n"
        "queue_slots\t512\n"
        "emit_slots\t256\n"
        "data_max\t72\n"
        "data_blocks\t11\n"
        "emit_data_blocks\t12\n"
        "output_max\t4104\n"
        "segments\t5\n"
        "fibers\t6\n"
        "fiber_stack_bytes\t20480\n"
        "budget_ticks\t9\n"
        "flags\t5\n"
        "param\tlate_percent\t150\n"
        "param\tlow\t-9223372036854775808\n"
        "param\thigh\t9223372036854775807\n"
        "param\tnone\t0\n";

/* Every limit has a value that no other has. */
static bitactor_program_t
golden_program(void)
{
	bitactor_program_t program;
	memset(&program, 0, sizeof program); /* compared as bytes */
	strcpy(program.module, "can_monitor");
	strcpy(program.version, "1.0.0");
	for (int i = 0; i < 16; i++) {
		program.schema[i]      = (uint8_t)i;
		program.schema[16 + i] = (uint8_t)(0xF0 + i);
	}
	program.config.seed              = UINT64_MAX;
	program.config.kinds             = 3;
	program.config.queue_slots       = 512;
	program.config.emit_slots        = 256;
	program.config.data_max          = 72;
	program.config.data_blocks       = 11;
	program.config.emit_data_blocks  = 12;
	program.config.output_max        = 4104;
	program.config.segments          = 5;
	program.config.fibers            = 6;
	program.config.fiber_stack_bytes = 20480;
	program.config.budget_ticks      = 9;
	program.config.flags             = BITACTOR_TIME_EACH | BITACTOR_VIRTUAL;
	const struct {
		const char *name;
		int64_t     value;
	} params[] = {
		{ "late_percent", 150 }, { "low", INT64_MIN }, { "high", INT64_MAX }, { "none", 0 },
	};
	for (; program.param_count < 4; program.param_count++) {
		strcpy(program.param[program.param_count].name, params[program.param_count].name);
		program.param[program.param_count].value = params[program.param_count].value;
	}
	return program;
}

/* ---- refused, or the same again ------------------------------------------------------ */

static unsigned taken, refused;

/* The law of this file.  True when the text was taken. */
static bool
refused_or_same(const char *text, size_t text_bytes)
{
	bitactor_program_t program;
	bitactor_error_t   error  = { .status = BITACTOR_OK };
	bitactor_status_t  status = bitactor_program_parse(text, text_bytes, &program, &error);
	if (status != BITACTOR_OK) {
		refused++;
		CHECK_EQ(status, BITACTOR_CORRUPT);
		CHECK_EQ(error.status, BITACTOR_CORRUPT);
		CHECK(strncmp(error.text, "PROGRAM record, line ", 21) == 0);
		return false;
	}
	taken++;
	size_t again_bytes = 0;
	char  *again = bitactor_program_text(&program, &again_bytes);
	CHECK(again != NULL);
	CHECK_EQ(again_bytes, text_bytes);
	CHECK(again != NULL && memcmp(again, text, text_bytes) == 0);
	free(again);
	return true;
}

/* In a block of just its size, so that a sanitizer sees a read behind it. */
static bool
refused_or_same_copy(const char *text, size_t text_bytes)
{
	char *copy = malloc(text_bytes > 0 ? text_bytes : 1);
	memcpy(copy, text, text_bytes);
	bool was_taken = refused_or_same(copy, text_bytes);
	free(copy);
	return was_taken;
}

/* ---- random programs ----------------------------------------------------------------- */

static void
random_name(uint64_t *seed, char *out)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789_.-";
	size_t length = 1 + probe_random(seed) % BITACTOR_NAME_MAX;
	for (size_t i = 0; i < length; i++)
		out[i] = letters[probe_random(seed) % (sizeof letters - 1)];
	out[length] = '\0';
}

static void
random_version(uint64_t *seed, char *out)
{
	static const char *const pieces[] = { "1", ".", "0", "-", "\xC3\xA9", "\xE2\x82\xAC", " ",
		                              "~", "\xF0\x9F\x94\xA5" };
	size_t most = 1 + probe_random(seed) % 31, used = 1;
	strcpy(out, "v");
	for (;;) {
		const char *piece = pieces[probe_random(seed) % 9];
		if (used + strlen(piece) > most)
			break;
		strcpy(out + used, piece);
		used += strlen(piece);
	}
}

static bitactor_config_t
random_limits(uint64_t *seed)
{
	bitactor_config_t config;
	memset(&config, 0, sizeof config);
	config.kinds             = 1 + (uint32_t)(probe_random(seed) % BITACTOR_MAX_KINDS);
	config.queue_slots       = 2u << probe_random(seed) % 20;
	config.emit_slots        = 2u << probe_random(seed) % 20;
	config.data_max          = 8 * (uint32_t)(probe_random(seed) % 4097);
	config.data_blocks       = (uint32_t)(probe_random(seed) % ((1u << 20) + 1));
	config.emit_data_blocks  = (uint32_t)(probe_random(seed) % ((1u << 20) + 1));
	config.output_max        = 8 * (uint32_t)(probe_random(seed) % ((1u << 17) + 1));
	config.segments          = 2 + (uint32_t)(probe_random(seed) % 65535);
	config.segments         *= (uint32_t)(probe_random(seed) % 2); /* or none */
	config.fibers            = (uint32_t)(probe_random(seed) % 65536);
	config.fiber_stack_bytes = 16384 + 4096 * (uint32_t)(probe_random(seed) % 1000);
	config.budget_ticks      = 1 + (uint32_t)(probe_random(seed) % UINT32_MAX);
	config.flags             = (uint32_t)(probe_random(seed) % 8);
	config.seed              = probe_random(seed) >> probe_random(seed) % 64;
	return config;
}

static bitactor_program_t
random_program(uint64_t *seed)
{
	bitactor_program_t program;
	memset(&program, 0, sizeof program);
	random_name(seed, program.module);
	random_version(seed, program.version);
	probe_random_bytes(seed, program.schema, sizeof program.schema);
	program.config      = random_limits(seed);
	program.param_count = (uint32_t)(probe_random(seed) % (BITACTOR_PROGRAM_PARAMS + 1));
	for (uint32_t i = 0; i < program.param_count; i++) {
		random_name(seed, program.param[i].name);
		/* names of their own: the first two letters count */
		program.param[i].name[0] = (char)('a' + i % 16);
		program.param[i].name[1] = (char)('a' + i / 16);
		program.param[i].value = (int64_t)(probe_random(seed) >> probe_random(seed) % 64);
		if (probe_random(seed) % 2 == 0)
			program.param[i].value = (int64_t)(0 - (uint64_t)program.param[i].value);
	}
	return program;
}

static void
check_round_trip(const bitactor_program_t *program)
{
	size_t text_bytes = 0;
	char  *text = bitactor_program_text(program, &text_bytes);
	CHECK(text != NULL);
	if (text == NULL)
		return;
	CHECK_EQ(strlen(text), text_bytes);
	bitactor_program_t again;
	bitactor_error_t   error = { .status = BITACTOR_OK };
	CHECK_EQ(bitactor_program_parse(text, text_bytes, &again, &error), BITACTOR_OK);
	CHECK(memcmp(program, &again, sizeof again) == 0);
	CHECK(refused_or_same_copy(text, text_bytes));
	free(text);
}

/* ---- scenarios ----------------------------------------------------------------------- */

static void
test_golden(void)
{
	SCENARIO("the text is the one that the header shows, and says what it means") {
		GIVEN("a program in which no two values are the same");
		bitactor_program_t program = golden_program(), again;
		size_t text_bytes = 0;
		char  *text = bitactor_program_text(&program, &text_bytes);
		THEN("its text is this one, to the byte");
		CHECK(text != NULL);
		CHECK_EQ(text_bytes, sizeof golden - 1);
		CHECK(text != NULL && strcmp(text, golden) == 0);
		AND("read back, every value is where it was");
		CHECK_EQ(bitactor_program_parse(golden, sizeof golden - 1, &again, NULL),
		         BITACTOR_OK);
		CHECK(memcmp(&program, &again, sizeof again) == 0);
		AND("a pointer, a uuid or a schema number of the configuration is not in it");
		static const bitactor_host_t host;
		program.config.host    = &host;
		program.config.schema  = 7;
		program.config.uuid[3] = 1;
		char *same = bitactor_program_text(&program, &text_bytes);
		CHECK(same != NULL && strcmp(same, golden) == 0);
		free(same);
		free(text);
	}
}

static void
test_random(uint64_t seed)
{
	SCENARIO("any program can be written and read back") {
		GIVEN("random names, limits, seeds and parameters");
		uint64_t count = probe_scale(2000);
		WHEN("each is written and read");
		THEN("it is the same program, and the same text");
		for (uint64_t i = 0; i < count && bdd_broken == 0; i++) {
			bitactor_program_t program = random_program(&seed);
			check_round_trip(&program);
		}
	}
}

typedef void (*spoil_fn)(bitactor_program_t *program);

static void
spoil_module_empty(bitactor_program_t *program)
{
	program->module[0] = '\0';
}

static void
spoil_module_line(bitactor_program_t *program)
{
	strcpy(program->module, "a\nversion\t2");
}

static void
spoil_version_empty(bitactor_program_t *program)
{
	program->version[0] = '\0';
}

static void
spoil_version_long(bitactor_program_t *program)
{
	strcpy(program->version, "12345678901234567890123456789012");
}

static void
spoil_limit(bitactor_program_t *program)
{
	program->config.queue_slots = 3;
}

static void
spoil_flags(bitactor_program_t *program)
{
	program->config.flags = 8;
}

static void
spoil_count(bitactor_program_t *program)
{
	program->param_count = BITACTOR_PROGRAM_PARAMS + 1;
}

static void
spoil_param_name(bitactor_program_t *program)
{
	strcpy(program->param[1].name, "two words");
}

static void
spoil_param_twice(bitactor_program_t *program)
{
	strcpy(program->param[3].name, "low");
}

static void
spoil_param_line(bitactor_program_t *program)
{
	strcpy(program->param[3].name, "more\t1\nparam\tthan_one"); /* would read as two */
}

static void
test_unwritable(void)
{
	static const spoil_fn spoils[] = { spoil_module_empty,  spoil_module_line,
		                           spoil_version_empty, spoil_version_long,
		                           spoil_limit,         spoil_flags,
		                           spoil_count,         spoil_param_name,
		                           spoil_param_twice,   spoil_param_line };
	SCENARIO("what could not be read is not written") {
		GIVEN("a good program, spoilt in one place each time");
		WHEN("it is written");
		THEN("there is no text");
		for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
			bitactor_program_t program = golden_program();
			size_t text_bytes = 0;
			spoils[i](&program);
			char *text = bitactor_program_text(&program, &text_bytes);
			CHECK(text == NULL);
			if (text != NULL)
				printf("written although spoilt by number %zu\n", i);
			free(text);
		}
		AND("NULL arguments are answered");
		bitactor_program_t program = golden_program();
		size_t text_bytes;
		CHECK(bitactor_program_text(NULL, &text_bytes) == NULL);
		CHECK(bitactor_program_text(&program, NULL) == NULL);
		bitactor_error_t error = { .status = BITACTOR_OK };
		CHECK_EQ(bitactor_program_parse(NULL, 0, &program, &error), BITACTOR_ERROR);
		CHECK_EQ(bitactor_program_parse(golden, 1, NULL, NULL), BITACTOR_ERROR);
	}
}

/* `golden` with `old` replaced, then parsed; the error must name the line. */
static void
check_hostile(const char *old, const char *new, unsigned line)
{
	char        text[4096], where[48];
	const char *at = strstr(golden, old);
	CHECK(at != NULL);
	if (at == NULL)
		return;
	int text_bytes = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - golden), golden, new,
	                          at + strlen(old));
	bitactor_program_t program;
	bitactor_error_t   error = { .status = BITACTOR_OK };
	CHECK_EQ(bitactor_program_parse(text, (size_t)text_bytes, &program, &error),
	         BITACTOR_CORRUPT);
	snprintf(where, sizeof where, "PROGRAM record, line %u: ", line);
	CHECK(strncmp(error.text, where, strlen(where)) == 0);
	if (strncmp(error.text, where, strlen(where)) != 0)
		printf("\"%s\" -> \"%s\": %s, not line %u\n", old, new, error.text, line);
}

/* What is wrong, and the line that the error must name. */
static const struct {
	const char *old, *new;
	unsigned    line;
} hostile[] = {
	{ "program\t1", "program\t2", 1 },
	{ "program\t1", "program\t1 ", 1 },
	{ "program\t1\n", "", 1 },
	{ "program\t1\n", "\n", 1 },
	{ "module\tcan_monitor", "module\t", 2 },
	{ "module\tcan_monitor", "modules\tcan_monitor", 2 },
	{ "module\tcan_monitor", "module can_monitor", 2 },
	{ "can_monitor", "can monitor", 2 },
	{ "can_monitor", "../can_monitor", 2 },
	{ "can_monitor",
	  "a123456789012345678901234567890123456789012345678901234567890123", 2 },
	{ "version\t1.0.0", "version\t", 3 },
	{ "1.0.0", "1.0\t0", 3 },
	{ "1.0.0", "1.0\r", 3 },
	{ "1.0.0", "\xFF", 3 },
	{ "1.0.0", "12345678901234567890123456789012", 3 },
	{ "schema\t00", "schema\t0", 4 },
	{ "schema\t00", "schema\t000", 4 },
	{ "schema\t00", "schema\t0A", 4 },
	{ "schema\t00", "schema\t0x", 4 },
	{ "18446744073709551615", "18446744073709551616", 5 },
	{ "18446744073709551615", "99999999999999999999", 5 },
	{ "18446744073709551615", "", 5 },
	{ "18446744073709551615", "-1", 5 },
	{ "18446744073709551615", "+1", 5 },
	{ "18446744073709551615", "01", 5 },
	{ "18446744073709551615", "0x1", 5 },
	{ "18446744073709551615", "1 ", 5 },
	{ "kinds\t3\n", "", 6 },
	{ "kinds\t3", "kinds\t4294967299", 6 }, /* 3 in 32 bits */
	{ "kinds\t3", "kind\t3", 6 },
	{ "kinds\t3", "kinds\t0", 17 }, /* a number, but no engine has it */
	{ "queue_slots\t512", "queue_slots\t513", 17 },
	{ "segments\t5", "segments\t1", 17 },
	{ "flags\t5", "flags\t8", 17 },
	{ "flags\t5\n", "flags\t5\nflags\t5\n", 18 },
	{ "flags\t5\n", "flags\t5\n\n", 18 },
	{ "queue_slots\t512\nemit_slots\t256\n", "emit_slots\t256\nqueue_slots\t512\n", 7 },
	{ "param\tlate_percent\t150", "param\tlate_percent", 18 },
	{ "param\tlate_percent\t150", "param\tlate_percent\t", 18 },
	{ "param\tlate_percent\t150", "param\t\t150", 18 },
	{ "param\tlate_percent\t150", "param\tlate_percent\t150\t1", 18 },
	{ "param\tlate_percent\t150", "late_percent\t150", 18 },
	{ "-9223372036854775808", "-9223372036854775809", 19 },
	{ "\t9223372036854775807", "\t9223372036854775808", 20 },
	{ "none\t0", "none\t-0", 21 },
	{ "none\t0", "none\t00", 21 },
	{ "none\t0", "none\t-", 21 },
	{ "none\t0", "low\t0", 21 }, /* a second one of that name */
	{ "none\t0\n", "none\t0", 21 }, /* cut off before its newline */
	{ "none\t0\n", "none\t0\nmore", 22 },
};

static void
test_hostile(void)
{
	SCENARIO("a text that a run would not have written is refused by its line") {
		GIVEN("a good text with one thing wrong");
		for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
			check_hostile(hostile[i].old, hostile[i].new, hostile[i].line);
		AND("texts with a NUL inside, an endless line, nothing at all");
		char text[sizeof golden];
		memcpy(text, golden, sizeof golden);
		text[strcspn(text, "c")] = '\0'; /* in can_monitor */
		CHECK(!refused_or_same_copy(text, sizeof golden - 1));
		CHECK(!refused_or_same_copy("", 0));
		char *endless = malloc(1 << 20);
		memset(endless, 'a', 1 << 20);
		CHECK(!refused_or_same(endless, 1 << 20));
		memcpy(endless, golden, sizeof golden - 1);
		CHECK(!refused_or_same(endless, 1 << 20));
		for (size_t length = 250; length < 1 << 20; length += length < 260 ? 1 : length) {
			endless[sizeof golden - 1 + length] = '\n';
			CHECK(!refused_or_same(endless, sizeof golden + length));
			endless[sizeof golden - 1 + length] = 'a';
		}
		free(endless);
	}
	SCENARIO("64 parameters are taken, 65 are not") {
		char text[8192];
		int  used = snprintf(text, sizeof text, "%.*s",
		                     (int)(strstr(golden, "param") - golden), golden);
		for (int i = 0; i < BITACTOR_PROGRAM_PARAMS; i++)
			used += snprintf(text + used, sizeof text - (size_t)used,
			                 "param\tp%d\t%d\n", i, -i * 7);
		CHECK(refused_or_same_copy(text, (size_t)used));
		used += snprintf(text + used, sizeof text - (size_t)used, "param\tlast\t1\n");
		CHECK(!refused_or_same_copy(text, (size_t)used));
	}
}

static void
test_every_mutation(void)
{
	SCENARIO("a text changed anywhere is refused or says just what it says") {
		size_t bytes = sizeof golden - 1;
		char   text[sizeof golden + 1];
		taken = refused = 0;
		GIVEN("every prefix of a good text");
		for (size_t i = 0; i < bytes; i++)
			(void)refused_or_same_copy(golden, i);
		AND("every byte of it in every value");
		memcpy(text, golden, bytes);
		for (size_t i = 0; i < bytes; i++) {
			for (int value = 0; value < 256; value++) {
				text[i] = (char)value;
				(void)refused_or_same(text, bytes);
			}
			text[i] = golden[i];
		}
		AND("every byte left out, or there twice");
		for (size_t i = 0; i < bytes; i++) {
			memcpy(text, golden, i);
			memcpy(text + i, golden + i + 1, bytes - i - 1);
			(void)refused_or_same_copy(text, bytes - 1);
			memcpy(text + i, golden + i, 1);
			memcpy(text + i + 1, golden + i, bytes - i);
			(void)refused_or_same_copy(text, bytes + 1);
		}
		THEN("both happened, often");
		CHECK(taken > 2000);
		CHECK(refused > 20000);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_golden();
	test_random(seed);
	test_unwritable();
	test_hostile();
	test_every_mutation();
	return bdd_close();
}
