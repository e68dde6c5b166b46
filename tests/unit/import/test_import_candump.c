/* SPDX-License-Identifier: Apache-2.0 */
/* test_import_candump.c -- each dialect of candump, what is counted, the samples.
 *
 * The table was written from can-utils' lib.h and candump.c, not from the
 * scanner.  The samples are read a second time by tests/tools/candump_count.py,
 * which shares nothing with it, and compared signal by signal.
 */
#include "import_probe.h"

#include "../../bdd.h"

#include <jansson.h>
#include <sys/stat.h>

static probe_t probe; /* 2.6 MiB: too much for a stack */

#define EFF UINT64_C(0x80000000)
#define RTR UINT64_C(0x40000000)
#define ERR UINT64_C(0x20000000)
#define CONTEXT(id, length, interface, flags)                                     \
	((uint64_t)(id) | (uint64_t)(length) << 32 | (uint64_t)(interface) << 40 | \
	 (uint64_t)(flags) << 56)

enum { FRAME, FD, REMOTE, ERROR };

typedef struct good {
	const char *line;
	uint16_t    kind;
	uint64_t    context, payload, time_ns;
	const char *data; /* hex of the attached data, NULL: none */
} good_t;

static const good_t good_lines[] = {
	/* log form */
	{ "(1502979132.106111) can0 09F8027F#00FCFFFF0000FFFF", FRAME,
	  CONTEXT(EFF | 0x09F8027F, 8, 0, 0), 0xFFFF0000FFFFFC00, 1502979132106111000, NULL },
	{ "(1502979132.106111222) can0 7ff#1122", FRAME, CONTEXT(0x7FF, 2, 0, 0), 0x2211,
	  1502979132106111222, NULL },
	{ "(1502979132.1) can0 123#1122 T", FRAME, CONTEXT(0x123, 2, 0, 0), 0x2211,
	  1502979132100000000, NULL },
	{ "(0.0)   can0   000#  R  ", FRAME, CONTEXT(0, 0, 0, 0), 0, 0, NULL },
	{ "(18446744073.709551615) can0 123#FF", FRAME, CONTEXT(0x123, 1, 0, 0), 0xFF, UINT64_MAX,
	  NULL },
	{ "(1.5) can0 123#11.2233.44", FRAME, CONTEXT(0x123, 4, 0, 0), 0x44332211, 1500000000,
	  NULL },
	{ "(1.5) can0 123#1122334455667788_9 R", FRAME, CONTEXT(0x123, 8, 0, 0),
	  0x8877665544332211, 1500000000, NULL },
	{ "(1.5) can0 123#R", REMOTE, CONTEXT(RTR | 0x123, 0, 0, 0), 0, 1500000000, NULL },
	{ "(1.5) can0 123#r", REMOTE, CONTEXT(RTR | 0x123, 0, 0, 0), 0, 1500000000, NULL },
	{ "(1.5) can0 12345678#R7 R", REMOTE, CONTEXT(EFF | RTR | 0x12345678, 7, 0, 0), 0,
	  1500000000, NULL },
	{ "(1.5) can0 123#R8_F", REMOTE, CONTEXT(RTR | 0x123, 8, 0, 0), 0, 1500000000, NULL },
	{ "(1.5) can0 20000004#0010000000000000", ERROR, CONTEXT(ERR | 4, 8, 0, 0), 0x1000,
	  1500000000, NULL },
	{ "(1.5) can0 3FFFFFFF#", ERROR, CONTEXT(0x3FFFFFFF, 0, 0, 0), 0, 1500000000, NULL },
	{ "(1.5) can0 123##3", FD, CONTEXT(0x123, 0, 0, 3), 0, 1500000000, NULL },
	{ "(1.5) can0 1FFFFFFF##F112233", FD, CONTEXT(EFF | 0x1FFFFFFF, 3, 0, 15), 0x332211,
	  1500000000, "112233" },
	{ "(1.5) can0 123##1.11.22334455.66778899AABBCC T", FD, CONTEXT(0x123, 12, 0, 1),
	  0x8877665544332211, 1500000000, "112233445566778899AABBCC" },
	{ "(1.5) can0 123##5000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F2021"
	  "22232425262728292A2B2C2D2E2F303132333435363738393A3B3C3D3E3F",
	  FD, CONTEXT(0x123, 64, 0, 5), 0x0706050403020100, 1500000000,
	  "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F2021222324252627282"
	  "92A2B2C2D2E2F303132333435363738393A3B3C3D3E3F" },
	/* display form */
	{ "  can0  09F8027F   [8]  00 FC FF FF 00 00 FF FF", FRAME,
	  CONTEXT(EFF | 0x09F8027F, 8, 0, 0), 0xFFFF0000FFFFFC00, 0, NULL },
	{ "can0 123 [0]", FRAME, CONTEXT(0x123, 0, 0, 0), 0, 0, NULL },
	{ "  can0       123   [3]  11 22 33 ", FRAME, CONTEXT(0x123, 3, 0, 0), 0x332211, 0, NULL },
	{ " (1502979134.106111)  can0  123   [1]  11", FRAME, CONTEXT(0x123, 1, 0, 0), 0x11,
	  1502979134106111000, NULL },
	{ " (000.000250)  can0  123   [1]  11", FRAME, CONTEXT(0x123, 1, 0, 0), 0x11, 250000,
	  NULL },
	/* date -u -d '2017-08-17 15:49:26' +%s; 2016-02-29 23:59:59; 2100-03-01 00:00:00 */
	{ " (2017-08-17 15:49:26.421964)  can0  123   [1]  11", FRAME, CONTEXT(0x123, 1, 0, 0),
	  0x11, 1502984966421964000, NULL },
	{ " (2016-02-29 23:59:59.999999999)  can0  123   [1]  11", FRAME,
	  CONTEXT(0x123, 1, 0, 0), 0x11, 1456790399999999999, NULL },
	{ " (2100-03-01 00:00:00.0)  can0  123   [1]  11", FRAME, CONTEXT(0x123, 1, 0, 0), 0x11,
	  4107542400000000000, NULL },
	{ " (1970-01-01 00:00:01.0)  can0  123   [1]  11", FRAME, CONTEXT(0x123, 1, 0, 0), 0x11,
	  1000000000, NULL },
	{ "  can0  TX - -  123   [2]  11 22", FRAME, CONTEXT(0x123, 2, 0, 0), 0x2211, 0, NULL },
	{ "  can0  RX B E  123   [1]  FF", FRAME, CONTEXT(0x123, 1, 0, 0), 0xFF, 0, NULL },
	{ "  can0  RX B E  12345678  [12]  00 01 02 03 04 05 06 07 08 09 0A 0B", FD,
	  CONTEXT(EFF | 0x12345678, 12, 0, 3), 0x0706050403020100, 0, "000102030405060708090A0B" },
	{ "  can0  RX - E  123  [01]  AA", FD, CONTEXT(0x123, 1, 0, 2), 0xAA, 0, "AA" },
	{ "  can0  123  [00]  ", FD, CONTEXT(0x123, 0, 0, 0), 0, 0, NULL },
	{ "  can0  123   [4]  remote request", REMOTE, CONTEXT(RTR | 0x123, 4, 0, 0), 0, 0, NULL },
	{ "  can0  20000080   [8]  01 00 00 00 00 00 00 00   ERRORFRAME", ERROR,
	  CONTEXT(ERR | 0x80, 8, 0, 0), 1, 0, NULL },
	{ "  can0  14B0DC51   [3]  4A 94 27               'J.''", FRAME,
	  CONTEXT(EFF | 0x14B0DC51, 3, 0, 0), 0x27944A, 0, NULL },
	{ "  can0  123   {B}  11 22 33 44 55 66 77 88", FRAME, CONTEXT(0x123, 8, 0, 0),
	  0x8877665544332211, 0, NULL },
	/* canutils 4 */
	{ "<0x18eeff01> [8] 05 a0 be 1c 00 a0 a0 c0 ", FRAME, CONTEXT(EFF | 0x18EEFF01, 8, 0, 0),
	  0xC0A0A0001CBEA005, 0, NULL },
	{ "<0x123> [0] ", FRAME, CONTEXT(0x123, 0, 0, 0), 0, 0, NULL },
	{ "<0x00000123> [2] remote request", REMOTE, CONTEXT(EFF | RTR | 0x123, 2, 0, 0), 0, 0,
	  NULL },
};

static const struct {
	const char *line, *reason;
} bad_lines[] = {
	{ "(1.5) can0 123#1", "column 16: an odd number of hex digits" },
	{ "interface = , family = 29", "an interface name has 1 to 31 bytes" },
	{ "DROPCOUNT: dropped 3 CAN frames on 'can0' socket (total drops 3)",
	  "candump says that frames were lost here: DROPCOUNT: dropped 3 CAN frames on 'can0' "
	  "socket (total drops 3)" },
};

/* 0: as expected; else the row was printed. */
static int
check_good(const good_t *good, const char *ending)
{
	char text[512], hex[2 * BITACTOR_BATCH_ITEMS] = "";
	snprintf(text, sizeof text, "%s%s", good->line, ending);
	probe_text(&probe, "candump", text);
	const bitactor_signal_t *signal = &probe.signal[0];
	if (probe.signals == 1)
		for (uint32_t i = 0; i < signal->data_bytes; i++)
			sprintf(hex + 2 * i, "%02X", probe.data[0][i]);
	bitactor_signal_t expected = {
		.id = 1,
		.kind = good->kind,
		.data_bytes = good->data == NULL ? 0 : (uint32_t)strlen(good->data) / 2,
		.payload = good->payload,
		.context = good->context,
		.timestamp = good->time_ns,
	};
	if (probe.ended == BITACTOR_CLOSED && probe.signals == 1 && probe.stats.lines == 1 &&
	    memcmp(signal, &expected, sizeof expected) == 0 &&
	    probe.has_data[0] == (good->data != NULL) &&
	    strcmp(hex, good->data == NULL ? "" : good->data) == 0 && probe_adds_up(&probe))
		return 0;
	printf("%s\n  kind %u context %#" PRIx64 " payload %#" PRIx64 " time %" PRIu64 " data %s\n"
	       "  bad: %s\n",
	       good->line, signal->kind, signal->context, signal->payload, signal->timestamp, hex,
	       probe.bad > 0 ? probe.reason[0] : "no");
	return 1;
}

static int
check_bad(const char *line, const char *reason)
{
	probe_text(&probe, "candump", line);
	if (probe.ended == BITACTOR_CLOSED && probe.signals == 0 && probe.bad == 1 &&
	    probe.bad_line[0] == 1 && strcmp(probe.reason[0], reason) == 0 &&
	    probe.stats.interfaces == 0 && probe.stats.frames == 0 && probe_adds_up(&probe))
		return 0;
	printf("%s\n  says: %s\n  not:  %s\n", line, probe.bad > 0 ? probe.reason[0] : "good",
	       reason);
	return 1;
}

static void
test_tables(void)
{
	SCENARIO("each dialect of candump becomes the signal it means") {
		GIVEN("one line of each form, with LF, with CR LF and without a newline");
		WHEN("it is imported");
		THEN("there is one signal, and each of its fields is right");
		size_t rows = sizeof good_lines / sizeof good_lines[0];
		for (size_t i = 0; i < rows; i++) {
			CHECK_EQ(check_good(&good_lines[i], ""), 0);
			CHECK_EQ(check_good(&good_lines[i], "\n"), 0);
			CHECK_EQ(check_good(&good_lines[i], "\r\n"), 0);
		}
	}
	SCENARIO("a bad line says why, and nothing is taken out of it") {
		GIVEN("lines that are no frames: what the scanner says of frames is its own test");
		WHEN("each is imported");
		THEN("there is no signal and no interface, but a line number and a reason");
		for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++)
			CHECK_EQ(check_bad(bad_lines[i].line, bad_lines[i].reason), 0);
	}
	SCENARIO("a good line is never half of a longer one") {
		GIVEN("each good line cut short at each byte");
		WHEN("it is imported");
		THEN("it is one line with one verdict, and never two signals");
		for (size_t i = 0; i < sizeof good_lines / sizeof good_lines[0]; i++)
			for (size_t n = 1; n < strlen(good_lines[i].line); n += 3) {
				probe_bytes(&probe, "candump", good_lines[i].line, n);
				CHECK_EQ(probe.stats.lines, 1);
				CHECK(probe_adds_up(&probe));
			}
	}
}

static void
test_lines(void)
{
	SCENARIO("what is no frame is skipped, not bad") {
		GIVEN("a BOM, comments, two headers and blank lines");
		WHEN("they are imported");
		THEN("all are skipped, and the header names the interface of nameless lines");
		probe_text(&probe, "candump",
		           "\xEF\xBB\xBF# a\n\n \t \r\n  # b\n"
		           "interface = vcan10, family = 29, type = 3, proto = 1\n"
		           "<0x123> [0] \ninterface = a, family = 29, type = 3, proto = 1\n"
		           "<0x123> [0] \n");
		CHECK_EQ(probe.stats.lines, 8);
		CHECK_EQ(probe.stats.skipped, 6);
		CHECK_EQ(probe.signals, 2);
		CHECK(strcmp(probe.stats.interface_name[0], "vcan10") == 0);
		CHECK(strcmp(probe.stats.interface_name[1], "a") == 0);
	}
	SCENARIO("what candump -e explains belongs to the error frame above it") {
		GIVEN("an error frame, two lines with a tab, a frame, a line with a tab,");
		AND("an error frame, a line that is too long, a line with a tab");
		WHEN("they are imported");
		THEN("the first two are skipped and the others bad");
		static char text[5000];
		static const char error[] = "  can0  20000080   [1]  00   ERRORFRAME\n";
		size_t at = (size_t)sprintf(text, "%s\tbus-error\n\terror-counter{{0}{8}}\n"
		                                  "  can0  123   [0] \n\tbus-error\n%s",
		                            error, error);
		memset(text + at, 'x', 4097);
		sprintf(text + at + 4097, "\n\tbus-error\n");
		probe_text(&probe, "candump", text);
		CHECK_EQ(probe.signals, 3);
		CHECK_EQ(probe.stats.skipped, 2);
		CHECK_EQ(probe.bad, 3);
		CHECK_EQ(probe.bad_line[0], 5);
		CHECK_EQ(probe.bad_line[2], 8);
	}
	SCENARIO("a BOM is only one at the start") {
		GIVEN("a BOM before the second line");
		WHEN("it is imported");
		THEN("that line is bad");
		probe_text(&probe, "candump", "(1.5) can0 123#\n\xEF\xBB\xBF(1.5) can0 123#\n");
		CHECK_EQ(probe.signals, 1);
		CHECK_EQ(probe.bad, 1);
	}
}

static void
test_odd_lines(void)
{
	SCENARIO("a NUL byte makes its line bad, wherever it is") {
		GIVEN("NUL in the data, alone, in a comment and before the newline");
		WHEN("they are imported");
		THEN("each is bad and says so, and the line after them is good");
		static const char nul[] = "(1.5) can0 123#11\0" "22\n\0\0\0\n# a\0b\n"
		                          "(1.5) can0 123#\0\n(1.5) can0 123#\n";
		probe_bytes(&probe, "candump", nul, sizeof nul - 1);
		CHECK_EQ(probe.stats.lines, 5);
		CHECK_EQ(probe.bad, 4);
		CHECK_EQ(probe.signals, 1);
		for (int i = 0; i < 4; i++)
			CHECK(strstr(probe.reason[i], "a NUL byte") != NULL);
	}
	SCENARIO("a line that is too long is one bad line, however long") {
		GIVEN("lines of 4096 and 4097 bytes, and a last one of 10000 without newline");
		WHEN("they are imported");
		THEN("the first is read, the others are bad, and what follows them is read");
		static char text[20000];
		memset(text, '#', sizeof text);
		text[4096] = text[4096 + 1 + 4097] = '\n';
		memcpy(text + 4096 + 1 + 4097 + 1, "(1.5) can0 123#\n", 16);
		probe_bytes(&probe, "candump", text, 4096 + 1 + 4097 + 1 + 16 + 10000);
		CHECK_EQ(probe.stats.lines, 4);
		CHECK_EQ(probe.stats.skipped, 1);
		CHECK_EQ(probe.signals, 1);
		CHECK_EQ(probe.bad, 2);
		CHECK_EQ(probe.bad_line[0], 2);
		CHECK_EQ(probe.bad_line[1], 4);
		CHECK(strcmp(probe.reason[0], "the line has more than 4096 bytes") == 0);
	}
	SCENARIO("an empty file is no error") {
		GIVEN("a file of 0 bytes");
		WHEN("it is imported");
		THEN("it closes at once");
		probe_text(&probe, "candump", "");
		CHECK_EQ(probe.ended, BITACTOR_CLOSED);
		CHECK_EQ(probe.stats.lines, 0);
	}
}

/* `count` frames on interfaces i0, i1, ... */
static size_t
many_interfaces(char *text, int count)
{
	size_t at = 0;
	for (int i = 0; i < count; i++)
		at += (size_t)sprintf(text + at, "(1.%d) i%d 123#%02X\n", i, i, i);
	return at;
}

static void
test_interfaces(void)
{
	static char text[4096];
	SCENARIO("interfaces are numbered as they appear, up to 64") {
		GIVEN("frames on 65 interfaces, then one more on the last but one");
		WHEN("they are imported");
		THEN("the 65th is a bad line, and known ones still go through");
		size_t at = many_interfaces(text, 65);
		at += (size_t)sprintf(text + at, "(2.0) i63 123#\n");
		probe_bytes(&probe, "candump", text, at);
		CHECK_EQ(probe.signals, 65);
		CHECK_EQ(probe.bad, 1);
		CHECK_EQ(probe.bad_line[0], 65);
		CHECK(strcmp(probe.reason[0], "more than 64 interfaces") == 0);
		CHECK_EQ(probe.stats.interfaces, 64);
		CHECK_EQ(probe.signal[10].context >> 40, 10);
		CHECK_EQ(probe.signal[64].context >> 40, 63);
		CHECK(strcmp(probe.stats.interface_name[63], "i63") == 0);
	}
	SCENARIO("a name that begins another is another interface") {
		GIVEN("frames on can10, can1 and can");
		WHEN("they are imported");
		THEN("there are three interfaces");
		probe_text(&probe, "candump",
		           "(1.0) can10 123#\n(1.0) can1 123#\n(1.0) can 123#\n");
		CHECK_EQ(probe.stats.interfaces, 3);
		CHECK_EQ(probe.signal[2].context >> 40, 2);
	}
}

static void
test_counts(void)
{
	SCENARIO("a clock that steps back is counted and left alone") {
		GIVEN("times 5, 3, none, 4, 4, and a bad line with 1");
		WHEN("they are imported");
		THEN("one step back, four timed signals, times as they were, numbers from 1");
		probe_text(&probe, "candump",
		           "(5.0) can0 123#\n(3.0) can0 123#\n  can0  123  [0]\n"
		           "(1.0) can0 123#X\n(4.0) can0 123#\n(4.0) can0 123#\n");
		CHECK_EQ(probe.stats.clock_backward, 1);
		CHECK_EQ(probe.stats.timed, 4);
		CHECK_EQ(probe.signal[1].timestamp, 3000000000);
		CHECK_EQ(probe.signal[2].timestamp, 0);
		CHECK_EQ(probe.signal[4].id, 5);
	}
	SCENARIO("a kind that the module lacks is counted apart") {
		GIVEN("a module without kinds");
		WHEN("four sorts of frames, a comment and a bad line come");
		THEN("four no_handler, no signal, one skipped, one bad, the sorts counted");
		probe.no_kinds = true;
		probe_text(&probe, "candump",
		           "(1.0) can0 123#\n(1.0) can0 123##0\n(1.0) can1 123#R\n"
		           "(1.0) can0 20000001#\n#\n?\n");
		probe.no_kinds = false;
		CHECK_EQ(probe.stats.no_handler, 4);
		CHECK_EQ(probe.signals, 0);
		CHECK_EQ(probe.stats.frames, 1);
		CHECK_EQ(probe.stats.fd_frames, 1);
		CHECK_EQ(probe.stats.remote_frames, 1);
		CHECK_EQ(probe.stats.error_frames, 1);
		CHECK_EQ(probe.stats.interfaces, 2);
		CHECK_EQ(probe.stats.timed, 0);
		CHECK(probe_adds_up(&probe));
	}
}

static void
test_batches(void)
{
	SCENARIO("data of all frames of a batch is there until the next poll") {
		GIVEN("600 CAN FD frames of 64 bytes, each its own");
		WHEN("they are imported 256 and 7 at a time");
		THEN("each has its own bytes");
		static char fd[600 * 160];
		size_t at = 0;
		for (int i = 0; i < 600; i++) {
			at += (size_t)sprintf(fd + at, "(1.0) can0 123##0");
			for (int k = 0; k < 64; k++)
				at += (size_t)sprintf(fd + at, "%02X", (i + k * 3) & 0xFF);
			fd[at++] = '\n';
		}
		for (int run = 0; run < 2; run++) {
			int wrong = 0;
			probe.capacity = run == 0 ? 0 : 7;
			probe_bytes(&probe, "candump", fd, at);
			probe.capacity = 0;
			CHECK_EQ(probe.signals, 600);
			for (int i = 0; i < 600; i++)
				for (int k = 0; k < 64; k++)
					wrong += probe.data[i][k] != ((i + k * 3) & 0xFF);
			CHECK_EQ(wrong, 0);
		}
	}
}

/* ---- the samples, and a second opinion -------------------------------------- */

static const struct sample {
	const char *file;
	uint64_t    lines, signals, skipped, bad, timed;
} samples[] = {
	/* wc -l, grep -c; signals of log files: log2asc (can-utils 2020.11) counts the same */
	{ "tests/data/can-candump-fast.txt", 23, 23, 0, 0, 23 },
	{ "tests/data/can-candump-fast-cr.txt", 23, 23, 0, 0, 23 },
	{ "tests/data/can-candumpSample1.txt", 6035, 6026, 9, 0, 0 },
	{ "tests/data/can-candumpSample2.txt", 408, 402, 6, 0, 0 },
	{ "tests/data/can-candumpSample3.txt", 2378, 2368, 10, 0, 2368 }, /* the last without LF */
	{ "tests/data/candump-dialects.txt", 84, 40, 7, 37, 22 },
};

/* Signals that differ from what the script lists, and its count. */
static int
compare_list(const char *file, uint32_t *listed)
{
	char command[256], line[128];
	int different = 0;
	*listed = 0;
	snprintf(command, sizeof command, "python3 tests/tools/candump_count.py --list %s", file);
	FILE *list = popen(command, "r");
	for (; list != NULL && fgets(line, sizeof line, list) != NULL; ++*listed) {
		uint64_t context = 0, payload = 0, time_ns = 0;
		const bitactor_signal_t *signal = &probe.signal[*listed % PROBE_SIGNALS];
		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &context, &payload,
		           &time_ns) != 3 ||
		    *listed >= probe.signals || signal->context != context ||
		    signal->payload != payload || signal->timestamp != time_ns)
			different++;
	}
	return list != NULL && pclose(list) == 0 ? different : -1;
}

static int64_t
number(const json_t *counts, const char *name)
{
	const json_t *value = json_object_get(counts, name);
	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static void
compare_counts(const char *file)
{
	const bitactor_import_stats_t *stats = &probe.stats;
	char command[256];
	snprintf(command, sizeof command, "python3 tests/tools/candump_count.py %s", file);
	FILE *out = popen(command, "r");
	json_t *counts = out == NULL ? NULL : json_loadf(out, 0, NULL);
	CHECK(counts != NULL);
	CHECK_EQ(stats->lines, number(counts, "lines"));
	CHECK_EQ(stats->signals, number(counts, "signals"));
	CHECK_EQ(stats->skipped, number(counts, "skipped"));
	CHECK_EQ(stats->bad, number(counts, "bad"));
	CHECK_EQ(stats->timed, number(counts, "timed"));
	CHECK_EQ(stats->clock_backward, number(counts, "clock_backward"));
	CHECK_EQ(stats->frames, number(counts, "frames"));
	CHECK_EQ(stats->fd_frames, number(counts, "fd_frames"));
	CHECK_EQ(stats->remote_frames, number(counts, "remote_frames"));
	CHECK_EQ(stats->error_frames, number(counts, "error_frames"));
	CHECK_EQ(stats->interfaces, number(counts, "interfaces"));
	json_decref(counts);
	if (out != NULL)
		CHECK_EQ(pclose(out), 0);
}

static void
test_samples(void)
{
	bool python = system("python3 -c '' 2>/dev/null") == 0;
	if (!python)
		printf("no python3: the samples are counted, but not read a second time\n");
	SCENARIO("real recordings are read whole") {
		GIVEN("five recordings in three dialects, and one file with every form and fault");
		WHEN("they are imported");
		THEN("counts are what they were found to be, and an independent reader agrees");
		for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
			const struct sample *sample = &samples[i];
			char input[128];
			struct stat about;
			snprintf(input, sizeof input, "candump:%s", sample->file);
			probe_input(&probe, input);
			CHECK_EQ(probe.ended, BITACTOR_CLOSED);
			CHECK_EQ(probe.stats.lines, sample->lines);
			CHECK_EQ(probe.stats.signals, sample->signals);
			CHECK_EQ(probe.stats.skipped, sample->skipped);
			CHECK_EQ(probe.stats.bad, sample->bad);
			CHECK_EQ(probe.stats.timed, sample->timed);
			CHECK(probe_adds_up(&probe));
			CHECK_EQ(stat(sample->file, &about), 0);
			CHECK_EQ(probe.stats.bytes, about.st_size);
			CHECK_EQ(probe.stats.total_bytes, about.st_size);
			if (!python)
				continue;
			uint32_t listed;
			compare_counts(sample->file);
			CHECK_EQ(compare_list(sample->file, &listed), 0);
			CHECK_EQ(listed, probe.signals);
		}
	}
}

int
main(void)
{
	test_tables();
	test_lines();
	test_odd_lines();
	test_interfaces();
	test_counts();
	test_batches();
	test_samples();
	return bdd_close();
}
