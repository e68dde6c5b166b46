/* SPDX-License-Identifier: Apache-2.0 */
/* test_import_ndjson.c -- one JSON object a line: what it says, or why it is bad. */
#include "import_probe.h"

#include "../../bdd.h"

static probe_t probe; /* 2.6 MiB: too much for a stack */

enum { FRAME, FD, REMOTE, ERROR, SENSOR };

static const struct good {
	const char       *line;
	bitactor_signal_t signal;
	const char       *data; /* hex, NULL: none */
} good_lines[] = {
	{ "{\"kind\":\"sensor\"}", { .kind = SENSOR }, NULL },
	{ " \t{ \"kind\" : 3 } \t", { .kind = 3 }, NULL },
	{ "{\"kind\":65279}", { .kind = 65279 }, NULL },
	{ "{\"kind\":\"can.frame\",\"payload\":1,\"context\":2,\"timestamp\":3,\"id\":4,"
	  "\"actor\":5,\"priority\":6,\"flags\":7,\"data\":\"00ffAb\"}",
	  { .kind = FRAME, .payload = 1, .context = 2, .timestamp = 3, .id = 4, .actor = 5,
	    .priority = 6, .flags = 7, .data_bytes = 3 }, "00FFAB" },
	{ "{\"flags\":255,\"priority\":255,\"actor\":4294967295,\"id\":4294967295,\"kind\":0}",
	  { .id = UINT32_MAX, .actor = UINT32_MAX, .priority = 255, .flags = 255 }, NULL },
	{ "{\"kind\":0,\"payload\":9223372036854775807}", { .payload = INT64_MAX }, NULL },
	{ "{\"kind\":0,\"payload\":\"18446744073709551615\"}", { .payload = UINT64_MAX }, NULL },
	{ "{\"kind\":0,\"payload\":\"0xFFFFFFFFFFFFFFFF\"}", { .payload = UINT64_MAX }, NULL },
	{ "{\"kind\":0,\"payload\":\"0X00000000000000000000aB\"}", { .payload = 0xAB }, NULL },
	{ "{\"kind\":0,\"id\":\"007\",\"priority\":\"0x7F\"}", { .id = 7, .priority = 127 }, NULL },
	{ "{\"kind\":0,\"data\":\"\"}", { .kind = 0 }, NULL },
	{ "{\"kind\":\"s\\u0065nsor\"}", { .kind = SENSOR }, NULL },
};

#define INTEGER "must be an integer, or one in a string: 31, \"31\" or \"0x1F\""
#define U64 "0 to 18446744073709551615"

static const struct {
	const char *line, *reason;
} bad_lines[] = {
	{ "{}", "\"kind\" is missing" },
	{ "{\"payload\":1}", "\"kind\" is missing" },
	{ "{\"kind\":\"can.frme\"}", "unknown kind \"can.frme\"; the nearest is \"can.frame\"" },
	{ "{\"kind\":\"temperature\"}", "unknown kind \"temperature\"" },
	{ "{\"kind\":\"a\\tb\\u001b[1m\\u00e9\"}", "unknown kind \"a?b?[1m??\"" },
	{ "{\"kind\":65280}", "\"kind\" is out of range: 0 to 65279" },
	{ "{\"kind\":-1}", "\"kind\" is out of range: 0 to 65279" },
	{ "{\"kind\":1.0}", "\"kind\" must be a name or an integer" },
	{ "{\"kind\":null}", "\"kind\" must be a name or an integer" },
	{ "{\"kind\":0,\"paylod\":1}", "unknown key \"paylod\"; the nearest is \"payload\"" },
	{ "{\"kind\":0,\"temperature\":1}", "unknown key \"temperature\"" },
	{ "{\"kind\":0,\"Kind\":0}", "unknown key \"Kind\"; the nearest is \"kind\"" },
	{ "{\"kind\":0,\"payload\":1.0}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":1e3}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":true}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"context\":[1]}", "\"context\" " INTEGER },
	{ "{\"kind\":0,\"payload\":\"\"}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":\"0x\"}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":\" 1\"}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":\"-1\"}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":\"1F\"}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":\"99999999999999999999x\"}", "\"payload\" " INTEGER },
	{ "{\"kind\":0,\"payload\":-1}", "\"payload\" is out of range: " U64 },
	{ "{\"kind\":0,\"payload\":\"18446744073709551616\"}",
	  "\"payload\" is out of range: " U64 },
	{ "{\"kind\":0,\"payload\":\"0x10000000000000000\"}", "\"payload\" is out of range: " U64 },
	{ "{\"kind\":0,\"payload\":9223372036854775808}",
	  "column 39: a number out of range; above 9223372036854775807 write it as a string" },
	{ "{\"kind\":0,\"id\":4294967296}", "\"id\" is out of range: 0 to 4294967295" },
	{ "{\"kind\":0,\"actor\":4294967296}", "\"actor\" is out of range: 0 to 4294967295" },
	{ "{\"kind\":0,\"priority\":256}", "\"priority\" is out of range: 0 to 255" },
	{ "{\"kind\":0,\"flags\":\"0x100\"}", "\"flags\" is out of range: 0 to 255" },
	{ "{\"kind\":0,\"data\":1}", "\"data\" must be a string of hex digits" },
	{ "{\"kind\":0,\"data\":\"123\"}", "\"data\" has an odd number of hex digits" },
	{ "{\"kind\":0,\"data\":\"12 4\"}", "\"data\": byte 1 is not two hex digits" },
	{ "{\"kind\":0,\"data\":\"0x12\"}", "\"data\": byte 0 is not two hex digits" },
	{ "{\"kind\":0,\"kind\":0}", "column 16: duplicate object key near '\"kind\"'" },
	{ "{\"kind\":0}{\"kind\":0}", "column 11: text after the object; a line is one object" },
	{ "{\"kind\":0} {\"kind\":0}", "column 12: text after the object; a line is one object" },
	{ "{\"kind\":0},", "column 11: text after the object; a line is one object" },
	{ "{\"kind\":0", "column 9: the line ends inside the object" },
	{ "{\"kind\":\"sens", "column 13: the line ends inside the object" },
	{ "[{\"kind\":0}]", "column 1: a line is one JSON object, {...}" },
	{ "  7", "column 3: a line is one JSON object, {...}" },
	{ "# no comment in JSON", "column 1: a line is one JSON object, {...}" },
	{ "{\"kind\":\"\xFF\"}", "column 9: unable to decode byte 0xff near '\"'" },
	{ "{\"kind\":\"\xC0\x80\"}", "column 9: unable to decode byte 0xc0 near '\"'" },
	{ "{\"kind\":\"\xED\xA0\x80\"}", "column 9: unable to decode byte 0xed near '\"'" },
	{ "{\"kind\":\"a\\u0000\"}", "column 17: a NUL in a string" },
};

/* 0: as expected; else the row was printed. */
static int
check_good(const struct good *good, const char *ending)
{
	char text[512], hex[64] = "";
	snprintf(text, sizeof text, "%s%s", good->line, ending);
	probe_text(&probe, "ndjson", text);
	if (probe.signals == 1)
		for (uint32_t i = 0; i < probe.signal[0].data_bytes; i++)
			sprintf(hex + 2 * i, "%02X", probe.data[0][i]);
	if (probe.ended == BITACTOR_CLOSED && probe.signals == 1 && probe.stats.lines == 1 &&
	    memcmp(&probe.signal[0], &good->signal, sizeof good->signal) == 0 &&
	    probe.has_data[0] == (good->data != NULL) &&
	    strcmp(hex, good->data == NULL ? "" : good->data) == 0 && probe_adds_up(&probe))
		return 0;
	printf("%s\n  kind %u payload %#" PRIx64 " data %s; bad: %s\n", good->line,
	       probe.signal[0].kind, probe.signal[0].payload, hex,
	       probe.bad > 0 ? probe.reason[0] : "no");
	return 1;
}

static int
check_bad(const char *line, const char *reason)
{
	probe_text(&probe, "ndjson", line);
	if (probe.ended == BITACTOR_CLOSED && probe.signals == 0 && probe.bad == 1 &&
	    probe.bad_line[0] == 1 && strcmp(probe.reason[0], reason) == 0 &&
	    probe.stats.timed == 0 && probe_adds_up(&probe))
		return 0;
	printf("%s\n  says: %s\n  not:  %s\n", line, probe.bad > 0 ? probe.reason[0] : "good",
	       reason);
	return 1;
}

static void
test_tables(void)
{
	SCENARIO("an object becomes the signal it describes") {
		GIVEN("objects with few and with all keys; LF, CR LF and no newline");
		WHEN("they are imported");
		THEN("each field is as written, and 0 when it is not");
		for (size_t i = 0; i < sizeof good_lines / sizeof good_lines[0]; i++) {
			CHECK_EQ(check_good(&good_lines[i], ""), 0);
			CHECK_EQ(check_good(&good_lines[i], "\n"), 0);
			CHECK_EQ(check_good(&good_lines[i], "\r\n"), 0);
		}
	}
	SCENARIO("a bad object says why, and nothing is taken out of it") {
		GIVEN("objects with each fault");
		WHEN("they are imported");
		THEN("there is no signal, but a line number and a reason");
		for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++)
			CHECK_EQ(check_bad(bad_lines[i].line, bad_lines[i].reason), 0);
	}
	SCENARIO("a cut line is never a shorter signal") {
		GIVEN("an object with all keys, cut at each byte");
		WHEN("it is imported");
		THEN("it is bad until it is whole");
		const char *whole = good_lines[3].line;
		for (size_t n = 1; n < strlen(whole); n++) {
			probe_bytes(&probe, "ndjson", whole, n);
			CHECK_EQ(probe.bad, 1);
			CHECK_EQ(probe.signals, 0);
		}
	}
}

static void
test_files(void)
{
	SCENARIO("blank lines are skipped, a BOM only at the start, bad lines do not stop it") {
		GIVEN("a BOM, blank lines, a bad line, a late BOM, a NUL, no last newline");
		WHEN("the file is imported");
		THEN("line numbers are those of the file, and the good ones are there");
		static const char text[] = "\xEF\xBB\xBF{\"kind\":0,\"id\":1}\n\n \t\r\n{]\n"
		                           "\xEF\xBB\xBF{\"kind\":0}\n{\"kind\":0}\0\n"
		                           "{\"kind\":0,\"id\":2}";
		probe_bytes(&probe, "ndjson", text, sizeof text - 1);
		CHECK_EQ(probe.stats.lines, 7);
		CHECK_EQ(probe.stats.skipped, 2);
		CHECK_EQ(probe.bad, 3);
		CHECK_EQ(probe.bad_line[0], 4);
		CHECK_EQ(probe.bad_line[1], 5);
		CHECK_EQ(probe.bad_line[2], 6);
		CHECK_EQ(probe.signals, 2);
		CHECK_EQ(probe.signal[1].id, 2);
		CHECK(probe_adds_up(&probe));
	}
	SCENARIO("a clock that steps back is counted and left alone") {
		GIVEN("timestamps 5, none, 3, \"0\"");
		WHEN("they are imported");
		THEN("two steps back, three timed signals");
		probe_text(&probe, "ndjson",
		           "{\"kind\":0,\"timestamp\":5}\n{\"kind\":0}\n"
		           "{\"kind\":0,\"timestamp\":3}\n{\"kind\":0,\"timestamp\":\"0\"}\n");
		CHECK_EQ(probe.stats.timed, 3);
		CHECK_EQ(probe.stats.clock_backward, 2);
		CHECK_EQ(probe.signal[2].timestamp, 3);
	}
	SCENARIO("strict ends at the first bad line, after the good ones before it") {
		GIVEN("a good line, an unknown kind, a good line");
		WHEN("they are imported strictly");
		THEN("one signal, then CORRUPT with file, line and reason");
		probe.strict = true;
		probe_text(&probe, "ndjson",
		           "{\"kind\":0}\n{\"kind\":\"can.frme\"}\n{\"kind\":0}\n");
		probe.strict = false;
		CHECK_EQ(probe.ended, BITACTOR_CORRUPT);
		CHECK_EQ(probe.signals, 1);
		CHECK(strstr(probe.error.text, ":2: unknown kind \"can.frme\"; the nearest is "
		                               "\"can.frame\"") != NULL);
	}
	SCENARIO("names need a module, numbers do not") {
		GIVEN("a module without kinds");
		WHEN("a kind comes by name and by number");
		THEN("the name is a bad line, the number goes to the engine, which decides");
		probe.no_kinds = true;
		probe_text(&probe, "ndjson", "{\"kind\":\"sensor\"}\n{\"kind\":4}\n");
		probe.no_kinds = false;
		CHECK_EQ(probe.bad, 1);
		CHECK_EQ(probe.signals, 1);
		CHECK_EQ(probe.signal[0].kind, 4);
	}
}

enum { LONG_LINE = 256 * 1024 };

static void
test_long_lines(void)
{
	static char text[3 * LONG_LINE];
	static const char head[] = "{\"kind\":0,\"data\":\"", tail[] = "\"}";
	size_t digits = LONG_LINE - (sizeof head - 1) - (sizeof tail - 1);
	SCENARIO("a line may have 256 KiB and not a byte more") {
		GIVEN("objects of 262144 and of 262146 bytes, full of data, and a short one");
		WHEN("they are imported");
		THEN("the first is read with all its data, the second is bad, the third is read");
		size_t at = 0;
		for (int i = 0; i < 2; i++) {
			at += (size_t)sprintf(text + at, "%s", head);
			memset(text + at, '5', digits + 2 * (size_t)i);
			at += digits + 2 * (size_t)i;
			at += (size_t)sprintf(text + at, "%s\n", tail);
		}
		at += (size_t)sprintf(text + at, "{\"kind\":0,\"id\":9}\n");
		probe_bytes(&probe, "ndjson", text, at);
		CHECK_EQ(probe.stats.lines, 3);
		CHECK_EQ(probe.bad, 1);
		CHECK_EQ(probe.bad_line[0], 2);
		CHECK(strcmp(probe.reason[0], "the line has more than 262144 bytes") == 0);
		CHECK_EQ(probe.signals, 2);
		CHECK_EQ(probe.signal[0].data_bytes, digits / 2);
		CHECK_EQ(probe.data[0][PROBE_DATA - 1], 0x55);
		CHECK_EQ(probe.signal[1].id, 9);
	}
	SCENARIO("data of all signals of a batch is there until the next poll") {
		GIVEN("40 objects with 4 KiB to 20 KiB of data, each its own");
		WHEN("they are imported 256 at a time");
		THEN("a poll gives fewer rather than overwrite; each signal has its own data");
		size_t at = 0;
		int wrong = 0;
		for (int i = 0; i < 40; i++) {
			at += (size_t)sprintf(text + at, "%s", head);
			for (int k = 0; k < 4096 + 400 * i; k++)
				at += (size_t)sprintf(text + at, "%02X", i);
			at += (size_t)sprintf(text + at, "%s\n", tail);
			if (at > sizeof text - 64 * 1024)
				break;
		}
		probe_bytes(&probe, "ndjson", text, at);
		CHECK(probe.signals > 20);
		CHECK_EQ(probe.bad, 0);
		for (uint32_t i = 0; i < probe.signals; i++)
			for (int k = 0; k < PROBE_DATA; k++)
				wrong += probe.data[i][k] != i;
		CHECK_EQ(wrong, 0);
	}
}

int
main(void)
{
	test_tables();
	test_files();
	test_long_lines();
	return bdd_close();
}
