/* SPDX-License-Identifier: Apache-2.0 */
/* test_candump_scan.c -- what is no line of candump, and where it stops being one.
 *
 * Lines are read from memory of just their length, so that ASan sees one byte
 * too many.  What good lines mean is in test_import_candump.c.
 */
#include "../../../runtime/src/import/candump_scan.h"

#include "../../bdd.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *line;
	size_t      column;
	const char *reason;
} bad_lines[] = {
	{ "(1.5) can0 800#11", 12, "a standard id is at most 7FF" },
	{ "(1.5) can0 40000000#11", 12, "an extended id is at most 1FFFFFFF" },
	{ "(1.5) can0 1234#11", 12, "an id has 3 or 8 hex digits" },
	{ "(1.5) can0 123456789#11", 12, "an id has 3 or 8 hex digits" },
	{ "(1.5) can0 12G#11", 12, "an id has 3 or 8 hex digits" },
	{ "(1.5) can0 45123#81:00:12345678#11", 12, "CAN XL is not supported" },
	{ "(1.5) can0 123#1", 16, "an odd number of hex digits" },
	{ "(1.5) can0 123#11.", 18, "text after the frame" },
	{ "(1.5) can0 123#112233445566778899", 32, "more than 8 data bytes" },
	{ "(1.5) can0 123#11(1.6) can0 123#22", 18, "a second message on the line" },
	{ "(1.5) can0 123#11 (1.6) can0 123#22", 19, "a second message on the line" },
	{ "(1.5) can0 123#11223344556677(1.6) can0 123#22",
	  30, "a second message on the line" },
	{ "(1.5) can0 123#0123#22", 20, "a second message on the line" },
	{ "(1.5) can0 123#11 RT", 19, "text after the frame" },
	{ "(1.5) can0 123#11 R T", 21, "text after the frame" },
	{ "(1.5) can0 123#1122_9", 20, "text after the frame" },
	{ "(1.5) can0 123#1122334455667788_8", 32, "a raw DLC is _9 to _F" },
	{ "(1.5) can0 123#R9", 17, "a remote frame asks for at most 8 bytes" },
	{ "(1.5) can0 123#R44", 18, "text after the frame" },
	{ "(1.5) can0 20000004#R", 21, "an error frame is never a remote frame" },
	{ "(1.5) can0 20000004##0", 21, "an error frame is never a CAN FD frame" },
	{ "(1.5) can0 123##", 16, "## is followed by a digit of flags" },
	{ "(1.5) can0 123##0R", 18, "text after the frame" },
	{ "(1.5) can0 123##0112233445566778899",
	  16, "CAN FD has 0-8, 12, 16, 20, 24, 32, 48 or 64 bytes" },
	{ "(1.5) can0 123##00001020304050607080910111213141516171819202122232425262728293031323334"
	  "35363738394041424344454647484950515253545556575859606162636465",
	  146, "more than 64 data bytes" },
	{ "(1.5) can0", 11, "an interface name and a blank must stand here" },
	{ "(1.5) 123#11", 13, "an interface name and a blank must stand here" },
	{ "(1.5) an_interface_of_more_than_31_bytes 123#11",
	  7, "an interface name has at most 31 bytes" },
	{ "(1.5)can0 123#11", 6, "a blank must follow the time" },
	{ "(15) can0 123#11", 4, "a time is (seconds.fraction)" },
	{ "(.5) can0 123#11", 2, "a time is (seconds.fraction)" },
	{ "(-1.5) can0 123#11", 2, "a time is (seconds.fraction)" },
	{ "(1.) can0 123#11", 4, "a time has digits after the point" },
	{ "(1.5 can0 123#11", 5, "a time is (seconds.fraction)" },
	{ "(1.0000000000) can0 123#11", 13, "a time has at most 9 digits after the point" },
	{ "(18446744073.709551616) can0 123#11", 1, "the time is too large" },
	{ "(99999999999999999999.0) can0 123#11", 2, "the time is too large" },
	{ "(2017-02-29 00:00:00.0) can0 123#11", 2, "there is no such date" },
	{ "(2100-02-29 00:00:00.0) can0 123#11", 2, "there is no such date" },
	{ "(2554-07-21 23:34:33.709551616) can0 123#11", 1, "the time is too large" },
	{ "(2017-13-01 00:00:00.0) can0 123#11", 7, "there is no such date" },
	{ "(2017-01-01 24:00:00.0) can0 123#11", 13, "there is no such date" },
	{ "(2017-01-01T00:00:00.0) can0 123#11",
	  12, "a date is YYYY-MM-DD hh:mm:ss.ffffff" },
	{ "can0 123#11", 1, "a line with # starts with (time)" },
	{ "  can0  123   [9]  11 22 33 44 55 66 77 88 99",
	  15, "a classic frame has at most 8 bytes" },
	{ "  can0  123   [3]  11 22", 25, "fewer data bytes than the length says" },
	{ "  can0  123   [3]  11 22 33 44", 29, "more data bytes than the length says" },
	{ "  can0  123   [3]  11 22 3", 26, "data bytes are two hex digits each" },
	{ "  can0  123   [2]  1122", 22, "a blank must stand before each data byte" },
	{ "  can0  123   [1]  11can0  123   [1]  11", 22, "a second message on the line" },
	{ "  can0  123   [13]  00 01 02 03 04 05 06 07 08 09 0A 0B 0C",
	  15, "CAN FD has 0-8, 12, 16, 20, 24, 32, 48 or 64 bytes" },
	{ "  can0  123   [0003] (45|81:00:12345678) 11 22 33",
	  15, "CAN XL is not supported" },
	{ "  can0  123   []", 15, "a length is [8], or [08] for CAN FD" },
	{ "  can0  123[1]  11", 12, "a blank must follow the id" },
	{ "  can0  123   11 22", 15, "the length in brackets must stand here" },
	{ "  can0  TX 123 [0]",
	  12, "the columns of candump -x are RX or TX, B or -, E or -" },
	{ "  can0  20000080   [08]  00 00 00 00 00 00 00 00",
	  20, "an error frame is never a CAN FD frame" },
	{ "  can0  20000080   [0]  remote request",
	  23, "only a classic data frame can be remote" },
	{ "  can0  123   [1]  11   ERRORFRAME",
	  22, "ERRORFRAME, but the id is no error id" },
	{ "  can0  123   [1]  ERRORFRAME", 20, "data bytes are two hex digits each" },
	{ "  can0  123   [2]  11 22   'xx'",
	  28, "the text beside the data is not that data" },
	{ "  can0  123   [2]  22`11", 22, "bytes in swapped order (candump -S) are not "
	                             "supported" },
	{ "  can0  123   [1]  11 remote request", 23, "text after the frame" },
	{ "<0x20000001> [0] ", 4, "an extended id is at most 1FFFFFFF" },
	{ "<0x1234> [0] ", 4, "an id has 3 or 8 hex digits" },
	{ "<123> [0] ", 1, "an id here is <0x123> or <0x12345678>" },
	{ "<0x123> [12] 00 01 02 03 04 05 06 07 08 09 0A 0B ",
	  9, "a classic frame has at most 8 bytes" },
	{ "\tnot after an error frame", 6, "an id has 3 or 8 hex digits" },
	{ "\033[1m  can0  123   [1]  11",
	  1, "a terminal colour; record without candump -c" },
};

static uint64_t seed = 0x5EED;

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014) */
static uint64_t
draw(void)
{
	uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static uint8_t data[BA_CAN_FD_BYTES];

/* `frame` keeps no pointer into the copy but `name`, which is not looked at. */
static bool
scan_bytes(const char *line, size_t line_bytes, ba_can_frame_t *frame, ba_can_fault_t *why)
{
	char *copy = malloc(line_bytes + 1);
	if (copy == NULL)
		return false;
	memcpy(copy, line, line_bytes);
	copy[line_bytes] = '\0';
	*frame = (ba_can_frame_t){ .data = data };
	memset(data, 0xEE, sizeof data);
	bool good = ba_candump_scan(copy, line_bytes, frame, why);
	free(copy);
	return good;
}

static bool
scan(const char *line, ba_can_frame_t *frame)
{
	ba_can_fault_t why;
	return scan_bytes(line, strlen(line), frame, &why);
}

static int
check_bad(size_t row)
{
	ba_can_frame_t frame;
	ba_can_fault_t why = { .reason = "good" };
	bool good = scan_bytes(bad_lines[row].line, strlen(bad_lines[row].line), &frame, &why);
	if (!good && why.column == bad_lines[row].column &&
	    strcmp(why.reason, bad_lines[row].reason) == 0)
		return 0;
	printf("%s\n  says: column %zu: %s\n  not:  column %zu: %s\n", bad_lines[row].line,
	       why.column, why.reason, bad_lines[row].column, bad_lines[row].reason);
	return 1;
}

static void
test_faults(void)
{
	SCENARIO("a line that is not candump's is refused where it goes wrong") {
		GIVEN("lines with one fault each");
		WHEN("they are scanned");
		THEN("each gives its column and its reason");
		for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++)
			CHECK_EQ(check_bad(i), 0);
	}
	SCENARIO("no byte sequence is read beyond its end") {
		GIVEN("the lines above, cut at each byte, and with each byte made another");
		WHEN("they are scanned");
		THEN("a fault has a reason and a column inside the line or just behind it");
		printf("seed=%#" PRIx64 "\n", seed);
		for (size_t i = 0; i < sizeof bad_lines / sizeof bad_lines[0]; i++) {
			char line[256];
			size_t line_bytes = strlen(bad_lines[i].line);
			for (size_t n = 0; n <= line_bytes; n++) {
				ba_can_frame_t frame;
				ba_can_fault_t why = { .reason = NULL };
				memcpy(line, bad_lines[i].line, line_bytes);
				bool good = scan_bytes(line, n, &frame, &why);
				CHECK(good || (why.reason != NULL && why.column <= n + 1));
				line[n] = (char)draw();
				good = scan_bytes(line, line_bytes, &frame, &why);
				CHECK(good || why.column <= line_bytes + 1);
			}
		}
	}
}

static void
test_lengths(void)
{
	static const char valid[] = "111111111000100010001000100000001000"
	                            "00000000000010000000000000001";
	SCENARIO("CAN FD has the sixteen lengths of ISO 11898-1, in both forms") {
		GIVEN("frames of 0 to 64 bytes");
		WHEN("they are scanned in log and display form");
		THEN("0-8, 12, 16, 20, 24, 32, 48 and 64 are good, the others bad");
		CHECK_EQ(strlen(valid), 65);
		for (int length = 0; length <= 64; length++) {
			char log[256] = "(1.0) can0 123##0", shown[256];
			ba_can_frame_t frame;
			sprintf(shown, "can0 123 [%02d]", length);
			for (int i = 0; i < length; i++) {
				sprintf(log + strlen(log), "%02X", i);
				sprintf(shown + strlen(shown), " %02X", i);
			}
			CHECK_EQ(scan(log, &frame), valid[length] == '1');
			CHECK_EQ(scan(shown, &frame), valid[length] == '1');
			if (valid[length] == '1')
				CHECK_EQ(frame.byte_count, length);
			for (int i = 0; i < frame.byte_count && valid[length] == '1'; i++)
				CHECK_EQ(data[i], i);
		}
	}
}

static void
test_times(void)
{
	SCENARIO("a date is the second that timegm(3) says it is") {
		GIVEN("20000 random seconds of the 584 years that 2^64 ns are");
		WHEN("they are written as dates and scanned");
		THEN("the same second comes back");
		printf("seed=%#" PRIx64 "\n", seed);
		for (int i = 0; i < 20000; i++) {
			time_t seconds = (time_t)(draw() % UINT64_C(18446744073));
			struct tm parts;
			char date[64], line[128];
			ba_can_frame_t frame;
			gmtime_r(&seconds, &parts);
			strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
			snprintf(line, sizeof line, " (%s.000000001)  can0  123   [0] ", date);
			CHECK(scan(line, &frame));
			CHECK_EQ(frame.time_ns, (uint64_t)timegm(&parts) * 1000000000 + 1);
		}
	}
	SCENARIO("a day that is in no calendar is refused") {
		GIVEN("the days 29 to 32 of each month of five years, leap and not");
		WHEN("they are scanned");
		THEN("those are good that gmtime_r(3) gives back unchanged");
		static const int years[] = { 1970, 2000, 2016, 2017, 2100 };
		for (int i = 0; i < 5 * 12 * 4; i++) {
			int year = years[i / 48], month = i / 4 % 12 + 1, day = 29 + i % 4;
			struct tm parts = { .tm_year = year - 1900, .tm_mon = month - 1,
				            .tm_mday = day };
			char line[128];
			ba_can_frame_t frame;
			timegm(&parts); /* carries what is too much into the next month */
			snprintf(line, sizeof line, "(%d-%02d-%02d 00:00:00.0) can0 123#", year,
			         month, day);
			CHECK_EQ(scan(line, &frame), parts.tm_mday == day);
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	test_faults();
	test_lengths();
	test_times();
	return bdd_close();
}
