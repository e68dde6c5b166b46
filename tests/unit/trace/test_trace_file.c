/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_file.c -- what can be opened as a trace, and what is said of the rest. */
#include "trace_rig.h"

#include <sys/file.h>

static bitactor_status_t
try_open(const char *path, bitactor_error_t *error)
{
	ba_trace_file_t file;
	*error = (bitactor_error_t){ 0 };
	bitactor_status_t status = ba_trace_file_open(path, &file, error);
	if (status == BITACTOR_OK)
		ba_trace_file_close(&file);
	CHECK_EQ(status, error->status);
	CHECK_EQ(file.dir, -1);
	CHECK_EQ(file.fd, -1);
	return status;
}

static void
opening(void)
{
	bitactor_error_t error;
	SCENARIO("what is no trace is refused, with the reason") {
		GIVEN("nothing, a file, an empty folder, and folders with a wrong `trace`");
		rig_write(rig_trace("file"), "text", 4);
		(void)mkdir(rig_trace("empty"), 0777);
		(void)mkdir(rig_trace("folder"), 0777);
		(void)mkdir(rig_path("folder", "trace"), 0777);
		(void)mkdir(rig_trace("fifo"), 0777);
		CHECK_EQ(mkfifo(rig_path("fifo", "trace"), 0666), 0);
		THEN("missing is IO, there but something else is CORRUPT, and nothing waits");
		CHECK_EQ(try_open(rig_trace("nowhere"), &error), BITACTOR_IO);
		CHECK(strstr(error.text, "nowhere: cannot be opened: No such file") != NULL);
		CHECK_EQ(try_open(rig_trace("file"), &error), BITACTOR_CORRUPT);
		CHECK(strstr(error.text, "a trace is a directory") != NULL);
		CHECK_EQ(try_open(rig_path("file", "x"), &error), BITACTOR_IO);
		CHECK_EQ(error.os_error, ENOTDIR);
		CHECK_EQ(try_open(rig_path("file", ""), &error), BITACTOR_IO);
		CHECK_EQ(try_open(rig_trace("empty"), &error), BITACTOR_IO);
		CHECK(strstr(error.text, "empty/trace: cannot be opened") != NULL);
		CHECK_EQ(try_open(rig_trace("folder"), &error), BITACTOR_CORRUPT);
		CHECK(strstr(error.text, "is no plain file") != NULL);
		CHECK_EQ(try_open(rig_trace("fifo"), &error), BITACTOR_CORRUPT);
		CHECK(strstr(error.text, "is no plain file") != NULL);
	}
	SCENARIO("a lock that is held refuses, one that was left behind does not") {
		GIVEN("a folder with `trace` and .lock");
		(void)mkdir(rig_trace("locked"), 0777);
		rig_write(rig_path("locked", "trace"), "x", 1);
		rig_write(rig_path("locked", ".lock"), "", 0);
		int fd = open(rig_path("locked", ".lock"), O_RDWR | O_CLOEXEC);
		CHECK(fd >= 0);
		WHEN("somebody holds it");
		CHECK_EQ(flock(fd, LOCK_EX), 0);
		THEN("it is being written: IO");
		CHECK_EQ(try_open(rig_trace("locked"), &error), BITACTOR_IO);
		CHECK(strstr(error.text, "is being written") != NULL);
		WHEN("its holder is gone");
		(void)close(fd);
		THEN("it can be read");
		CHECK_EQ(try_open(rig_trace("locked"), &error), BITACTOR_OK);
	}
}

static void
paths(void)
{
	SCENARIO("a path of any length leaves room for what is wrong with it") {
		char shown[BA_TRACE_SHOWN_BYTES], path[4001];
		ba_trace_show_path("a.bitrace", shown);
		CHECK_EQ(strcmp(shown, "a.bitrace"), 0);
		ba_trace_show_path("a.bitrace///", shown);
		CHECK_EQ(strcmp(shown, "a.bitrace"), 0);
		ba_trace_show_path("/", shown);
		CHECK_EQ(strcmp(shown, "/"), 0);
		ba_trace_show_path("", shown);
		CHECK_EQ(strcmp(shown, ""), 0);
		for (size_t length = 1; length <= 4000; length += length < 400 ? 1 : 97) {
			for (size_t i = 0; i + 1 < length; i += 2)
				memcpy(path + i, "\xC3\xA9", 2); /* two bytes a letter */
			path[length - 1] = 'z';
			path[length] = '\0';
			ba_trace_show_path(path, shown);
			size_t kept = strlen(shown);
			CHECK(kept < sizeof shown);
			CHECK_EQ(shown[kept - 1], 'z');
			if (length >= sizeof shown) {
				CHECK_EQ(memcmp(shown, "...", 3), 0);
				CHECK_EQ((uint8_t)shown[3] & 0xC0, 0xC0);
				CHECK(kept >= sizeof shown - 3);
			}
		}
	}
	SCENARIO("an error names file, segment, offset and seq") {
		ba_trace_file_t file = { .dir = -1, .fd = -1 };
		ba_trace_place_t place = { .segment = 3, .offset = 1152, .seq = 4711 };
		bitactor_error_t error = { 0 };
		ba_trace_show_path("a.bitrace", file.shown);
		CHECK_EQ(ba_trace_complain(&error, BITACTOR_CORRUPT, &file, &place, "is cut off"),
		         BITACTOR_CORRUPT);
		CHECK_EQ(strcmp(error.text, "a.bitrace/trace: segment 3, offset 1152, seq 4711: "
		                            "is cut off"), 0);
	}
}

static void
reading(void)
{
	SCENARIO("a segment is read whole, and what the file lacks is zero") {
		static uint8_t model[SEGMENT + 1000];
		for (size_t i = 0; i < sizeof model; i++)
			model[i] = (uint8_t)(1 + i % 255);
		(void)mkdir(rig_trace("short"), 0777);
		rig_write(rig_path("short", "trace"), model, sizeof model);
		ba_trace_file_t file;
		CHECK_EQ(ba_trace_file_open(rig_trace("short"), &file, NULL), BITACTOR_OK);
		CHECK_EQ(file.bytes, sizeof model);
		uint8_t *bytes = malloc(SEGMENT);
		uint32_t got;
		CHECK_EQ(ba_trace_file_segment(&file, 0, bytes, &got, NULL), BITACTOR_OK);
		CHECK_EQ(got, SEGMENT);
		CHECK_EQ(memcmp(bytes, model, got), 0);
		CHECK_EQ(ba_trace_file_segment(&file, 1, bytes, &got, NULL), BITACTOR_OK);
		CHECK_EQ(got, 1000);
		CHECK_EQ(memcmp(bytes, model + SEGMENT, got), 0);
		CHECK_EQ(ba_trace_zero_until(bytes + 1000, SEGMENT - 1000),
		         SEGMENT - 1000);
		CHECK_EQ(ba_trace_file_segment(&file, 2, bytes, &got, NULL), BITACTOR_OK);
		CHECK_EQ(got, 0);
		CHECK_EQ(ba_trace_file_segment(&file, UINT64_MAX, bytes, &got, NULL), BITACTOR_OK);
		CHECK_EQ(got, 0);
		free(bytes);
		ba_trace_file_close(&file);
		AND("what cannot be read is IO, with the place");
		bitactor_error_t error = { 0 };
		CHECK_EQ(ba_trace_file_segment(&file, 2, model, &got, &error), BITACTOR_IO);
		CHECK(strstr(error.text, "cannot be read at byte 131072: Bad file") != NULL);
	}
	SCENARIO("the first byte that is not zero is found, wherever it is") {
		static uint8_t bytes[300];
		for (size_t count = 0; count < sizeof bytes; count++) {
			CHECK_EQ(ba_trace_zero_until(bytes, count), count);
			for (size_t at = 0; at < count; at += 1 + count / 40) {
				bytes[at] = 1;
				bytes[count - 1] |= 128;
				CHECK_EQ(ba_trace_zero_until(bytes, count), at);
				bytes[at] = bytes[count - 1] = 0;
			}
		}
	}
}

int
main(void)
{
	rig_begin();
	opening();
	paths();
	reading();
	return bdd_close();
}
