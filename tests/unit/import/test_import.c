/* SPDX-License-Identifier: Apache-2.0 */
/* test_import.c -- opening, failing, stopping, and reading what comes slowly. */
#include "import_probe.h"

#include "../../bdd.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

static probe_t probe; /* 2.6 MiB: too much for a stack */

static void
test_failures(void)
{
	SCENARIO("an input that cannot be read says what to do") {
		GIVEN("unknown forms, no file, a directory, a file that fails");
		WHEN("they are opened");
		THEN("status and text name the form or the file and the system's reason");
		static const char *const unknown[] = { "candump", "candump:", "can:x", "", ":x",
			                               "candumpx:y", "pcap:x" };
		for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
			probe_input(&probe, unknown[i]);
			CHECK_EQ(probe.opened, BITACTOR_ERROR);
			CHECK(strstr(probe.error.text, "candump:FILE, ndjson:FILE; FILE may be - "
			                               "for standard input") != NULL);
		}
		probe_input(&probe, "candump:/nowhere/x.log");
		CHECK_EQ(probe.opened, BITACTOR_IO);
		CHECK(strstr(probe.error.text, "cannot open /nowhere/x.log; check the name"));
		CHECK(strstr(probe.error.text, "No such file or directory") != NULL);
		probe_input(&probe, "candump:/tmp");
		CHECK_EQ(probe.opened, BITACTOR_IO);
		CHECK(strstr(probe.error.text, "cannot read /tmp; name a file in it") != NULL);
		probe_input(&probe, "candump:/proc/self/mem"); /* opens; read answers EIO */
		CHECK_EQ(probe.opened, BITACTOR_OK);
		CHECK_EQ(probe.ended, BITACTOR_IO);
		CHECK(strstr(probe.error.text, "cannot read /proc/self/mem after 0 bytes") != NULL);
		CHECK(probe.error.os_error != 0);
	}
	SCENARIO("NULL is answered, not followed") {
		GIVEN("calls without arguments");
		WHEN("they are made");
		THEN("they fail or do nothing");
		bitactor_import_t *import = NULL;
		bitactor_import_options_t options = { .strict = false };
		bitactor_import_stats_t stats = { .lines = 7 };
		bitactor_batch_t batch = { .capacity = 0 };
		CHECK_EQ(bitactor_import_open(NULL, &options, &import, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_import_open("candump:-", NULL, &import, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_import_open("candump:-", &options, NULL, NULL), BITACTOR_ERROR);
		bitactor_import_stats(NULL, &stats);
		CHECK_EQ(stats.lines, 0);
		bitactor_import_close(NULL);
		bitactor_source_t source = bitactor_import_source(NULL);
		CHECK_EQ(source.poll(source.context, &batch, false, NULL), BITACTOR_ERROR);
	}
}

static void
test_strict(void)
{
	SCENARIO("strict ends at the first bad line, after the good ones before it") {
		GIVEN("two good lines, two bad ones, a good one");
		WHEN("they are imported strictly");
		THEN("two signals, then CORRUPT with file, line and reason");
		probe.strict = true;
		probe_text(&probe, "candump",
		           "(1.0) can0 123#\n(1.0) can0 123#11\n(1.0) can0 123#1\n?\n"
		           "(1.0) can0 123#\n");
		probe.strict = false;
		CHECK_EQ(probe.ended, BITACTOR_CORRUPT);
		CHECK_EQ(probe.error.status, BITACTOR_CORRUPT);
		CHECK_EQ(probe.signals, 2);
		CHECK_EQ(probe.bad, 1);
		CHECK_EQ(probe.stats.lines, 3);
		CHECK(strncmp(probe.error.text, "/tmp/bitactor-import-", 21) == 0);
		CHECK(strstr(probe.error.text, ":3: column 16: an odd number of hex digits"));
	}
}

/* ---- pipes ------------------------------------------------------------------ */

typedef struct stream {
	int                old_stdin, in; /* `in`: what we write the import reads */
	bitactor_import_t *import;
	bitactor_source_t  source;
	bitactor_batch_t   batch;
	bitactor_item_t    items[8];
	bitactor_error_t   error;
} stream_t;

/* "candump:-" with `from` as standard input. */
static void
stream_open(stream_t *stream, int from)
{
	memset(stream, 0, sizeof *stream);
	stream->batch = (bitactor_batch_t){ .items = stream->items, .capacity = 8 };
	stream->old_stdin = dup(STDIN_FILENO);
	dup2(from, STDIN_FILENO);
	close(from);
	bitactor_import_options_t options = probe_options(&probe);
	CHECK_EQ(bitactor_import_open("candump:-", &options, &stream->import, &stream->error),
	         BITACTOR_OK);
	stream->source = bitactor_import_source(stream->import);
}

static void
stream_close(stream_t *stream)
{
	bitactor_import_close(stream->import);
	dup2(stream->old_stdin, STDIN_FILENO);
	close(stream->old_stdin);
}

static bitactor_status_t
stream_poll(stream_t *stream, bool may_wait)
{
	stream->batch.count = 99;
	return stream->source.poll(stream->source.context, &stream->batch, may_wait,
	                           &stream->error);
}

static void
say(int fd, const char *text)
{
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
}

static void
on_alarm(int number)
{
	(void)number; /* only to interrupt poll(2) */
}

static void
test_pipe(void)
{
	int ends[2];
	stream_t stream;
	SCENARIO("a pipe is read as it comes, line by line") {
		GIVEN("an import of standard input, a pipe");
		WHEN("nothing, half a line, its rest, and a last line without newline come");
		THEN("EMPTY until a line is whole; the last one is whole at the end");
		CHECK_EQ(pipe(ends), 0);
		stream_open(&stream, ends[0]);
		CHECK_EQ(stream_poll(&stream, false), BITACTOR_EMPTY);
		CHECK_EQ(stream.batch.count, 0);
		say(ends[1], "(1.0) can0 123#11");
		CHECK_EQ(stream_poll(&stream, false), BITACTOR_EMPTY);
		say(ends[1], "22\n(2.0) can0 123#33\n(3.0) can0 123#");
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		CHECK_EQ(stream.batch.count, 2);
		CHECK_EQ(stream.items[0].signal.payload, 0x2211);
		CHECK_EQ(stream.batch.max, 0);
		CHECK(!stream.batch.as_tick);
		CHECK_EQ(stream_poll(&stream, false), BITACTOR_EMPTY);
		say(ends[1], "44");
		close(ends[1]);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		CHECK_EQ(stream.batch.count, 1);
		CHECK_EQ(stream.items[0].signal.payload, 0x44);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_CLOSED);
		CHECK_EQ(stream_poll(&stream, false), BITACTOR_CLOSED);
		CHECK_EQ(stream.batch.count, 0);
		bitactor_import_stats_t stats;
		bitactor_import_stats(stream.import, &stats);
		CHECK_EQ(stats.total_bytes, 0);
		CHECK_EQ(stats.bytes, 55);
		stream_close(&stream);
	}
}

static void
test_waits(void)
{
	int ends[2];
	stream_t stream;
	SCENARIO("a wait ends with the first whole line") {
		GIVEN("a writer that takes its time over one line");
		WHEN("a poll may wait");
		THEN("it comes back with that line, not before");
		CHECK_EQ(pipe(ends), 0);
		stream_open(&stream, ends[0]);
		pid_t child = fork();
		if (child == 0) {
			usleep(20000);
			say(ends[1], "(1.0) can0 12");
			usleep(20000);
			say(ends[1], "3#77\n");
			_exit(0);
		}
		close(ends[1]);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		CHECK_EQ(stream.batch.count, 1);
		CHECK_EQ(stream.items[0].signal.payload, 0x77);
		waitpid(child, NULL, 0);
		stream_close(&stream);
	}
	SCENARIO("Ctrl-C is not swallowed by a wait") {
		GIVEN("an empty pipe and a signal in 20 ms");
		WHEN("a poll may wait");
		THEN("it answers EMPTY when the signal comes");
		struct sigaction act = { .sa_handler = on_alarm }, old;
		struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
		sigaction(SIGALRM, &act, &old);
		CHECK_EQ(pipe(ends), 0);
		stream_open(&stream, ends[0]);
		setitimer(ITIMER_REAL, &soon, NULL);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_EMPTY);
		CHECK_EQ(stream.error.status, BITACTOR_OK);
		close(ends[1]);
		stream_close(&stream);
		sigaction(SIGALRM, &old, NULL);
	}
}

static void
test_read_error(void)
{
	stream_t stream;
	SCENARIO("a read error in the middle comes after what was read before it") {
		GIVEN("a terminal whose other side is closed after one line and a half");
		WHEN("it is imported");
		THEN("the line is a signal, then IO with the count of bytes; the half is dropped");
		int master = posix_openpt(O_RDWR | O_NOCTTY);
		CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
		int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
		say(slave, "(1.0) can0 123#11\n(2.0)");
		stream_open(&stream, master);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		CHECK_EQ(stream.batch.count, 1);
		close(slave);
		bitactor_status_t status = stream_poll(&stream, true);
		CHECK_EQ(status, BITACTOR_IO);
		CHECK(strstr(stream.error.text, "cannot read standard input after 24 bytes"));
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_IO);
		CHECK_EQ(stream.batch.count, 0);
		stream_close(&stream);
	}
}

static void
test_fifo(void)
{
	stream_t stream;
	SCENARIO("a FIFO without a writer does not hold the importer") {
		GIVEN("a FIFO");
		WHEN("it is opened and polled before and after its writer comes");
		THEN("EMPTY, the line, and the end when the writer goes");
		char folder[] = "/tmp/bitactor-import-XXXXXX", path[64], input[80];
		CHECK(mkdtemp(folder) != NULL);
		snprintf(path, sizeof path, "%s/fifo", folder);
		snprintf(input, sizeof input, "candump:%s", path);
		CHECK_EQ(mkfifo(path, 0600), 0);
		bitactor_import_options_t options = probe_options(&probe);
		memset(&stream, 0, sizeof stream);
		stream.batch = (bitactor_batch_t){ .items = stream.items, .capacity = 8 };
		CHECK_EQ(bitactor_import_open(input, &options, &stream.import, NULL), BITACTOR_OK);
		stream.source = bitactor_import_source(stream.import);
		CHECK_EQ(stream_poll(&stream, false), BITACTOR_EMPTY);
		int writer = open(path, O_WRONLY);
		CHECK_EQ(stream_poll(&stream, false), BITACTOR_EMPTY);
		say(writer, "(1.0) can0 123#11\n");
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		CHECK_EQ(stream.batch.count, 1);
		close(writer);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_CLOSED);
		bitactor_import_close(stream.import);
		unlink(path);
		rmdir(folder);
	}
}

static void
test_endless(void)
{
	stream_t stream;
	SCENARIO("an input without end and without lines does not hold the session") {
		GIVEN("/dev/zero");
		WHEN("it is polled");
		THEN("the poll comes back without items, and there is one bad line in all");
		memset(&stream, 0, sizeof stream);
		stream.batch = (bitactor_batch_t){ .items = stream.items, .capacity = 8 };
		bitactor_import_options_t options = probe_options(&probe);
		CHECK_EQ(bitactor_import_open("candump:/dev/zero", &options, &stream.import, NULL),
		         BITACTOR_OK);
		stream.source = bitactor_import_source(stream.import);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		CHECK_EQ(stream.batch.count, 0);
		CHECK_EQ(stream_poll(&stream, true), BITACTOR_OK);
		bitactor_import_stats_t stats;
		bitactor_import_stats(stream.import, &stats);
		CHECK_EQ(stats.lines, 1);
		CHECK_EQ(stats.bad, 1);
		bitactor_import_close(stream.import);
	}
}

int
main(void)
{
	test_failures();
	test_strict();
	test_pipe();
	test_waits();
	test_read_error();
	test_fifo();
	test_endless();
	return bdd_close();
}
