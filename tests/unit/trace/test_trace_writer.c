/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_writer.c -- what is on disk, whatever the disk and the process do.
 *
 * pwrite, pwritev and ftruncate are this program's own: they do what the system
 * does, but can fail, do a part, be interrupted, or "die" (do a part and then
 * nothing more, as the calls of a killed process) at the n-th call. */
#include "trace_rig.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* ---- a disk with faults --------------------------------------------------------- */

enum mode { SOUND, FAIL, DIE, DIE_ANYWHERE, DISTURB };

static struct {
	enum mode mode;
	uint64_t  calls, at; /* the call at which it happens */
	int       os_error;
	uint64_t  chance;
	bool      dead;
} fault;

static void
fault_plan(enum mode mode, uint64_t at, int os_error)
{
	memset(&fault, 0, sizeof fault);
	fault.mode = mode;
	fault.at = at;
	fault.os_error = os_error;
	fault.chance = at + 1;
}

/* How many of these bytes are written before the fault; -1: it fails. */
static ssize_t
fault_share(size_t count, off_t offset)
{
	bool now = ++fault.calls == fault.at;
	if (fault.dead)
		return 0;
	if (fault.mode == FAIL && now) {
		errno = fault.os_error;
		return -1;
	}
	if (fault.mode == DISTURB) {
		uint64_t draw = rig_random(&fault.chance);
		if (draw % 4 == 0) {
			errno = EINTR;
			return -1;
		}
		return draw % 4 == 1 ? (ssize_t)(1 + draw / 4 % count) : (ssize_t)count;
	}
	if ((fault.mode != DIE && fault.mode != DIE_ANYWHERE) || !now)
		return (ssize_t)count;
	fault.dead = true;
	uint64_t end = (uint64_t)offset + rig_random(&fault.chance) % (count + 1);
	if (count <= HEADER)
		end = (uint64_t)offset; /* in one page: whole or not at all */
	else if (fault.mode == DIE)
		end = end / 4096 * 4096; /* a page at a time */
	return end > (uint64_t)offset ? (ssize_t)(end - (uint64_t)offset) : 0;
}

ssize_t
pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
	ssize_t share = fault_share(count, offset);
	if (share > 0)
		share = syscall(SYS_pwrite64, fd, bytes, (size_t)share, offset);
	return fault.dead && share >= 0 ? (ssize_t)count : share;
}

ssize_t
pwritev(int fd, const struct iovec *parts, int part_count, off_t offset)
{
	uint8_t bytes[SEGMENT];
	size_t  count = 0;
	for (int i = 0; i < part_count; i++) {
		memcpy(bytes + count, parts[i].iov_base, parts[i].iov_len);
		count += parts[i].iov_len;
	}
	return pwrite(fd, bytes, count, offset);
}

int
ftruncate(int fd, off_t file_bytes)
{
	if (fault_share(1, 0) < 0)
		return -1;
	return fault.dead ? 0 : (int)syscall(SYS_ftruncate, fd, file_bytes);
}

/* ---- a run on it ------------------------------------------------------------------- */

static void
begin(rig_t *rig, const char *name, uint64_t seed)
{
	fault_plan(SOUND, 0, 0);
	rig_open_with(rig, name, seed, RIG_ALL | RIG_VIRTUAL);
	rig->may_fail = true;
}

/* Signals, flushes now and then, CLOSE; all that the disk lets through. */
static bitactor_status_t
run(rig_t *rig, size_t signals, bitactor_error_t *error)
{
	for (size_t i = 0; i < signals; i += 10) {
		rig_send(rig, 10);
		if (rig_random(&rig->chance) % 4 == 0) {
			(void)bitactor_telemetry_flush(rig->engine);
			(void)bitactor_trace_writer_sync(rig->writer, NULL);
		} else if (rig_random(&rig->chance) % 4 == 0) {
			(void)bitactor_telemetry_flush(rig->engine);
		}
	}
	(void)bitactor_telemetry_close(rig->engine, rig->head);
	bitactor_status_t status = bitactor_trace_writer_close(rig->writer, error);
	rig->writer = NULL;
	return status;
}

/* Everything the reader gives is what was sent, in order; how many signals. */
static size_t
read_back(const char *name, const rig_t *rig, bitactor_trace_end_t *end)
{
	bitactor_trace_reader_t *reader;
	bitactor_error_t error = { 0 };
	bitactor_record_t record;
	size_t at = 0;
	*end = BITACTOR_TRACE_MORE;
	if (bitactor_trace_open(rig_trace(name), &reader, &error) != BITACTOR_OK)
		return 0;
	bitactor_status_t status;
	while ((status = bitactor_trace_next(reader, &record, NULL, &error)) == BITACTOR_OK) {
		if ((record.flags & BITACTOR_RECORD_OUTSIDE) == 0 ||
		    record.kind == BITACTOR_RECORD_REGISTER)
			continue;
		CHECK(at < rig->sent_count);
		if (at < rig->sent_count)
			CHECK_EQ(record.payload, rig->sent[at].signal.payload);
		at++;
	}
	if (status == BITACTOR_BUSY)
		status = bitactor_trace_next(reader, &record, NULL, &error);
	CHECK_EQ(status, BITACTOR_EMPTY);
	if (status != BITACTOR_EMPTY)
		printf("   %s\n", error.text);
	*end = bitactor_trace_end(reader);
	bitactor_trace_close(reader);
	return at;
}

/* What is printed is printed once. */
static pid_t
fork_flushed(void)
{
	(void)fflush(stdout);
	return fork();
}

/* ---- scenarios ------------------------------------------------------------------------ */

static void
layout(void)
{
	SCENARIO("a closed trace is `trace`, `metadata`, host/ and no lock") {
		rig_t rig;
		rig_open(&rig, "a.bitrace", 1);
		CHECK_EQ(access(rig_path("a.bitrace", ".lock"), F_OK), 0);
		rig_send(&rig, 500);
		rig_close(&rig);
		CHECK(access(rig_path("a.bitrace", ".lock"), F_OK) != 0);
		CHECK(access(rig_path("a.bitrace", ".metadata"), F_OK) != 0);
		rig_bytes_t facts = rig_read(rig_path("a.bitrace", "host/facts.json"));
		CHECK_EQ(facts.count, 19);
		CHECK_EQ(memcmp(facts.at, "{\"machine\": \"rig\"}\n", 19), 0);
		rig_bytes_t trace = rig_read(rig_path("a.bitrace", "trace"));
		CHECK(trace.count > SEGMENT);
		CHECK_EQ(trace.count % SEGMENT, 0);
		bitactor_verify_report_t report;
		CHECK_EQ(bitactor_trace_verify(rig_trace("a.bitrace"), NULL, &report, NULL),
		         BITACTOR_OK);
		CHECK_EQ(memcmp(report.head, rig.head, sizeof rig.head), 0);
		free(facts.at), free(trace.at);
		rig_end(&rig);
	}
	SCENARIO("the same signals under a virtual clock give the same bytes") {
		rig_t one, two;
		bitactor_error_t error = { 0 };
		begin(&one, "one.bitrace", 5);
		CHECK_EQ(run(&one, 1000, &error), BITACTOR_OK);
		begin(&two, "two.bitrace", 5);
		WHEN("writes are interrupted and cut short for one of them");
		fault_plan(DISTURB, 3, 0);
		CHECK_EQ(run(&two, 1000, &error), BITACTOR_OK);
		fault_plan(SOUND, 0, 0);
		rig_bytes_t a = rig_read(rig_path("one.bitrace", "trace"));
		rig_bytes_t b = rig_read(rig_path("two.bitrace", "trace"));
		THEN("they do not differ");
		CHECK_EQ(a.count, b.count);
		CHECK(a.count > 3 * SEGMENT);
		CHECK_EQ(a.count == b.count && memcmp(a.at, b.at, a.count) == 0, true);
		free(a.at), free(b.at);
		rig_end(&one), rig_end(&two);
	}
}

static void
open_segment(void)
{
	SCENARIO("an open segment is written 16 KiB at a time, and whole by sync") {
		rig_t rig;
		rig_open(&rig, "open.bitrace", 2);
		struct stat facts;
		for (int i = 0; i < 400; i++) {
			const uint8_t *bytes;
			uint64_t segment;
			uint32_t used;
			rig_send(&rig, 5);
			CHECK_EQ(bitactor_telemetry_flush(rig.engine), BITACTOR_OK);
			bytes = bitactor_telemetry_last_gasp(rig.engine, &segment, &used);
			if (i % 3 == 0)
				CHECK_EQ(bitactor_trace_writer_sync(rig.writer, NULL), BITACTOR_OK);
			rig_bytes_t trace = rig_read(rig_path("open.bitrace", "trace"));
			CHECK_EQ(stat(rig_path("open.bitrace", "trace"), &facts), 0);
			CHECK_EQ(trace.count % SEGMENT, 0);
			uint64_t base = segment * SEGMENT, there = 0;
			if (trace.count > base)
				while (there < used && trace.at[base + there] == bytes[there])
					there++;
			CHECK(used - there < 16384 + 1024);
			if (i % 3 == 0)
				CHECK_EQ(there, used);
			if (trace.count > base) {
				CHECK_EQ(trace.count, base + SEGMENT);
				CHECK_EQ(ba_trace_zero_until(trace.at + base + used,
				                             SEGMENT - used),
				         SEGMENT - used);
			}
			free(trace.at);
		}
		rig_close(&rig);
		rig_end(&rig);
	}
}

static void
killed(enum mode mode)
{
	uint64_t at = 1, busy = 0, empty = 0;
	size_t most = 0;
	for (bool died = true; died; at += rig_scale() > 1 ? 1 : 1 + at / 40) {
		rig_t rig;
		bitactor_trace_end_t end;
		bitactor_verify_report_t report;
		bitactor_error_t error = { 0 };
		begin(&rig, "killed.bitrace", 40 + at % 7);
		fault_plan(mode, at, 0);
		(void)run(&rig, 700, NULL);
		died = fault.dead;
		fault_plan(SOUND, 0, 0);
		size_t back = read_back("killed.bitrace", &rig, &end);
		bitactor_status_t status = bitactor_trace_verify(rig_trace("killed.bitrace"),
		                                                 NULL, &report, &error);
		if (!died) {
			CHECK_EQ(status, BITACTOR_OK);
			CHECK_EQ(end, BITACTOR_TRACE_CLOSED);
			CHECK_EQ(back, rig.sent_count);
		} else if (report.records == 0) {
			CHECK_EQ(status, BITACTOR_CORRUPT); /* not even the first header */
			CHECK_EQ(end, BITACTOR_TRACE_MORE);
			empty++;
		} else {
			CHECK(status == BITACTOR_BUSY || mode == DIE_ANYWHERE);
			CHECK(end == BITACTOR_TRACE_NOT_CLOSED ||
			      (end == BITACTOR_TRACE_OPEN_RECORD && mode == DIE_ANYWHERE));
			CHECK(status != BITACTOR_BUSY || report.signals + report.rejects >= back);
			busy++;
			most = back > most ? back : most;
		}
		if (status != BITACTOR_OK && status != BITACTOR_BUSY && bdd_broken > 0)
			printf("   call %" PRIu64 ": %s\n", at, error.text);
		rig_end(&rig);
	}
	CHECK(busy > 20);
	CHECK(empty > 0);
	CHECK(most > 500);
}

static void
killing(void)
{
	SCENARIO("killed inside any write, a trace is good up to its last whole record") {
		GIVEN("runs that end at the n-th call, in it, at a page");
		killed(DIE);
	}
	SCENARIO("torn anywhere, a trace can still be read to its last whole record") {
		GIVEN("runs that end at the n-th call, after any number of its bytes");
		killed(DIE_ANYWHERE);
	}
	SCENARIO("a process that is killed leaves a trace and no lock") {
		for (int i = 0; i < 12 * (int)rig_scale(); i++) {
			rig_remove(rig_trace("shot.bitrace"));
			pid_t child = fork_flushed();
			if (child == 0) {
				rig_t rig;
				rig_open(&rig, "shot.bitrace", (uint64_t)i);
				for (;;)
					rig_send(&rig, 1000);
			}
			const char *trace = rig_path("shot.bitrace", "trace");
			for (int wait = 0; wait < 10000 && access(trace, F_OK) != 0; wait++)
				(void)usleep(1000);
			(void)usleep((useconds_t)i * 1733);
			(void)kill(child, SIGKILL);
			(void)waitpid(child, NULL, 0);
			bitactor_verify_report_t report;
			bitactor_error_t error = { 0 };
			bitactor_status_t status = bitactor_trace_verify(rig_trace("shot.bitrace"),
			                                                 NULL, &report, &error);
			CHECK(status == BITACTOR_BUSY || report.segments == 0);
			if (status != BITACTOR_BUSY)
				printf("   %s\n", error.text);
		}
	}
}

static void
one_refusal(int os_error, const char *advice)
{
	uint64_t met = 0;
	for (uint64_t at = 1; at < 60; at++) {
		rig_t rig;
		bitactor_error_t error = { 0 };
		bitactor_trace_end_t end;
		bitactor_verify_report_t report;
		begin(&rig, "full.bitrace", 3);
		fault_plan(FAIL, at, os_error);
		rig_send(&rig, 600);
		while (fault.calls < at)
			rig_send(&rig, 50);
		bitactor_status_t told = bitactor_telemetry_flush(rig.engine);
		uint64_t calls = fault.calls;
		rig_send(&rig, 600);
		if (told == BITACTOR_IO) {
			met++;
			CHECK_EQ(bitactor_trace_writer_error(rig.writer)->os_error, os_error);
			CHECK_EQ(bitactor_drain(rig.engine, 1, NULL), BITACTOR_IO);
			CHECK_EQ(fault.calls, calls); /* not tried again */
			bitactor_error_t again = { 0 };
			CHECK_EQ(bitactor_trace_writer_sync(rig.writer, &again), BITACTOR_IO);
			CHECK_EQ(again.os_error, os_error);
			CHECK_EQ(bitactor_trace_writer_close(rig.writer, &error), BITACTOR_IO);
			CHECK(strstr(error.text, "full.bitrace/trace: segment ") != NULL);
			CHECK(strstr(error.text, advice) != NULL);
			CHECK(strstr(error.text, strerror(os_error)) != NULL);
			CHECK_EQ(strcmp(error.text, again.text), 0);
			fault_plan(SOUND, 0, 0);
			(void)read_back("full.bitrace", &rig, &end);
			bitactor_status_t status = bitactor_trace_verify(
			        rig_trace("full.bitrace"), NULL, &report, NULL);
			CHECK(status == BITACTOR_BUSY || report.records == 0);
		} else {
			CHECK_EQ(bitactor_trace_writer_close(rig.writer, NULL), BITACTOR_OK);
		}
		fault_plan(SOUND, 0, 0);
		rig_end(&rig);
	}
	CHECK(met > 40);
}

static int
on_a_full_disk(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", rig_trace("disk"), "tmpfs", 0, "size=200k") != 0)
		return 77;
	rig_t rig;
	bitactor_error_t error = { 0 };
	bitactor_verify_report_t report;
	bitactor_trace_end_t end;
	rig_open(&rig, "disk/full.bitrace", 1);
	rig.may_fail = true;
	rig_send(&rig, 2000);
	CHECK_EQ(bitactor_telemetry_flush(rig.engine), BITACTOR_IO);
	CHECK_EQ(bitactor_trace_writer_close(rig.writer, &error), BITACTOR_IO);
	CHECK_EQ(error.os_error, ENOSPC);
	CHECK_EQ(bitactor_trace_verify(rig_trace("disk/full.bitrace"), NULL, &report, NULL),
	         BITACTOR_BUSY);
	CHECK(report.signals > 100);
	CHECK(read_back("disk/full.bitrace", &rig, &end) > 100);
	CHECK_EQ(end, BITACTOR_TRACE_NOT_CLOSED);
	rig_end(&rig);
	(void)fflush(stdout);
	return bdd_broken > 0;
}

static void
refused(void)
{
	SCENARIO("a disk that refuses is said once, in words, and ends the writing") {
		one_refusal(ENOSPC, "make room there");
		one_refusal(EIO, "the device failed");
		one_refusal(EFBIG, "ulimit -f");
	}
	SCENARIO("a limit on file sizes ends the trace, not the process") {
		pid_t child = fork_flushed();
		if (child == 0) {
			struct rlimit limit = { .rlim_cur = 150000, .rlim_max = 150000 };
			(void)signal(SIGXFSZ, SIG_IGN);
			(void)setrlimit(RLIMIT_FSIZE, &limit);
			rig_t rig;
			bitactor_error_t error = { 0 };
			rig_open(&rig, "limit.bitrace", 1);
			rig.may_fail = true;
			rig_send(&rig, 2000);
			CHECK_EQ(bitactor_telemetry_flush(rig.engine), BITACTOR_IO);
			CHECK_EQ(bitactor_trace_writer_close(rig.writer, &error), BITACTOR_IO);
			CHECK_EQ(error.os_error, EFBIG);
			(void)fflush(stdout);
			_exit(bdd_broken > 0);
		}
		int status;
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, 0);
		bitactor_verify_report_t report;
		CHECK_EQ(bitactor_trace_verify(rig_trace("limit.bitrace"), NULL, &report, NULL),
		         BITACTOR_BUSY);
		CHECK_EQ(report.segments, 2);
	}
	SCENARIO("a disk that is full ends the trace, and what is there is good") {
		(void)mkdir(rig_trace("disk"), 0777);
		pid_t child = fork_flushed();
		if (child == 0)
			_exit(on_a_full_disk()); /* its mount ends with it */
		int status;
		CHECK_EQ(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			printf("   (no right to mount a small disk here: not tried)\n");
		else
			CHECK_EQ(status, 0);
	}
}

static rig_t *dying;

static void
gasp(int number)
{
	(void)number;
	bitactor_trace_writer_last_gasp(dying->writer, dying->engine);
	_exit(0);
}

static bitactor_status_t
on_deadly(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	return raise(SIGSEGV) == 0 ? BITACTOR_ERROR : BITACTOR_OK;
}

/* In a child: signals, and then one that its handler dies of. */
static void
die_of_a_signal(uint32_t data_bytes)
{
	static uint8_t data[3000];
	rig_t rig;
	(void)signal(SIGSEGV, gasp);
	rig_open(&rig, "deadly.bitrace", 1);
	dying = &rig;
	rig_send(&rig, 300 + data_bytes);
	(void)bitactor_register(rig.engine, 0, on_deadly, NULL);
	bitactor_signal_t signal = { .payload = 4711, .id = 9 };
	rig_send_one(&rig, &signal, data, data_bytes);
	(void)bitactor_drain(rig.engine, 1, NULL);
	_exit(1); /* it should not have come here */
}

/* The last record is that signal, open, with its data. */
static void
read_the_deadly(uint64_t last_seq, uint32_t data_bytes)
{
	bitactor_trace_reader_t *reader;
	bitactor_record_t record = { 0 };
	bitactor_status_t answer;
	const uint8_t *bytes;
	size_t byte_count;
	uint64_t seq;
	CHECK_EQ(bitactor_trace_open(rig_trace("deadly.bitrace"), &reader, NULL), BITACTOR_OK);
	do
		answer = bitactor_trace_next(reader, &record, &seq, NULL);
	while (answer == BITACTOR_OK);
	CHECK_EQ(answer, BITACTOR_BUSY);
	CHECK_EQ(record.payload, 4711);
	CHECK_EQ(record.id, 9);
	CHECK_EQ(seq, last_seq + 1);
	if (data_bytes != 1400) { /* else: not asked for, not given out */
		CHECK_EQ(bitactor_trace_data(reader, 3000, &bytes, &byte_count, NULL), BITACTOR_OK);
		CHECK_EQ(byte_count, data_bytes);
	}
	CHECK_EQ(bitactor_trace_next(reader, &record, &seq, NULL), BITACTOR_EMPTY);
	CHECK_EQ(bitactor_trace_end(reader), BITACTOR_TRACE_OPEN_RECORD);
	bitactor_trace_close(reader);
}

static void
last_gasp(void)
{
	SCENARIO("the signal that kills the process is the last record") {
		for (uint32_t data_bytes = 0; data_bytes < 3000; data_bytes += 700) {
			pid_t child = fork_flushed();
			if (child == 0)
				die_of_a_signal(data_bytes);
			int status;
			CHECK_EQ(waitpid(child, &status, 0), child);
			CHECK_EQ(status, 0);
			bitactor_verify_report_t report;
			bitactor_error_t error = { 0 };
			CHECK_EQ(bitactor_trace_verify(rig_trace("deadly.bitrace"), NULL, &report,
			                               &error), BITACTOR_BUSY);
			CHECK(strstr(error.text, "not closed, valid to seq") != NULL);
			CHECK(strstr(error.text, "was in dispatch") != NULL);
			CHECK_EQ(report.open_record, true);
			read_the_deadly(report.last_seq, data_bytes);
			rig_remove(rig_trace("deadly.bitrace"));
		}
	}
	SCENARIO("after a failure nothing is written behind the hole") {
		rig_t rig;
		begin(&rig, "hole.bitrace", 1);
		fault_plan(FAIL, 4, EIO);
		rig_send(&rig, 1500);
		CHECK_EQ(bitactor_telemetry_flush(rig.engine), BITACTOR_IO);
		fault_plan(SOUND, 0, 0);
		bitactor_trace_writer_last_gasp(rig.writer, rig.engine);
		CHECK_EQ(fault.calls, 0);
		bitactor_trace_writer_last_gasp(NULL, rig.engine);
		bitactor_trace_writer_last_gasp(rig.writer, NULL);
		CHECK_EQ(bitactor_trace_writer_close(rig.writer, NULL), BITACTOR_IO);
		rig_end(&rig);
	}
}

static void
locks(void)
{
	SCENARIO("while it is written nobody else reads or writes it") {
		rig_t rig;
		rig_open(&rig, "held.bitrace", 1);
		rig_send(&rig, 50);
		bitactor_error_t error = { 0 };
		bitactor_trace_options_t options = { .path = rig_trace("held.bitrace") };
		bitactor_trace_writer_t *second;
		CHECK_EQ(bitactor_trace_writer_open(&options, &second, &error), BITACTOR_IO);
		CHECK(strstr(error.text, "is being written already") != NULL);
		CHECK(second == NULL);
		error = (bitactor_error_t){ 0 };
		bitactor_trace_reader_t *reader;
		CHECK_EQ(bitactor_trace_open(options.path, &reader, &error), BITACTOR_IO);
		CHECK(strstr(error.text, "is being written") != NULL);
		CHECK(reader == NULL);
		CHECK_EQ(bitactor_trace_verify(options.path, NULL, NULL, NULL), BITACTOR_IO);
		rig_close(&rig);
		CHECK_EQ(bitactor_trace_verify(options.path, NULL, NULL, NULL), BITACTOR_OK);
		AND("later neither: a trace is never written over");
		error = (bitactor_error_t){ 0 };
		CHECK_EQ(bitactor_trace_writer_open(&options, &second, &error), BITACTOR_IO);
		CHECK(strstr(error.text, "never written over") != NULL);
		CHECK_EQ(error.os_error, EEXIST);
		CHECK_EQ(bitactor_trace_verify(options.path, NULL, NULL, NULL), BITACTOR_OK);
		rig_end(&rig);
	}
}

static void
taking_back(void)
{
	SCENARIO("what was begun can be taken back, and nobody else's file goes with it") {
		char back[512], away[512]; /* rig_path keeps four */
		(void)snprintf(back, sizeof back, "%s", rig_trace("back.bitrace"));
		(void)snprintf(away, sizeof away, "%s", rig_trace("away.bitrace"));
		for (int in_use = 0; in_use < 3; in_use++) {
			rig_t rig;
			rig_remove(back);
			rig_open(&rig, "back.bitrace", 1);
			if (in_use > 0)
				rig_send(&rig, 2000);
			if (in_use == 2)
				rig_write(rig_path("back.bitrace", "mine"), "x", 1);
			bitactor_trace_writer_discard(rig.writer);
			rig_end(&rig);
			CHECK_EQ(access(back, F_OK) == 0, in_use == 2);
		}
		CHECK_EQ(access(rig_path("back.bitrace", "mine"), F_OK), 0);
		CHECK(access(rig_path("back.bitrace", "trace"), F_OK) != 0);
		CHECK(access(rig_path("back.bitrace", "host"), F_OK) != 0);
		rig_remove(back);
		WHEN("another directory stands in its place by then");
		bitactor_trace_writer_t *writer;
		const bitactor_trace_options_t options = { .path = back, .facts = "{}" };
		CHECK_EQ(bitactor_trace_writer_open(&options, &writer, NULL), BITACTOR_OK);
		CHECK_EQ(rename(back, away), 0);
		CHECK_EQ(mkdir(back, 0777), 0);
		bitactor_trace_writer_discard(writer);
		CHECK_EQ(access(back, F_OK), 0);
		CHECK_EQ(rmdir(away), 0); /* empty by now */
		bitactor_trace_writer_discard(NULL);
	}
}

static void
beginnings(void)
{
	SCENARIO("a trace that cannot be begun leaves nothing behind") {
		bitactor_trace_writer_t *writer;
		bitactor_error_t error = { 0 };
		bitactor_trace_options_t options = { .path = rig_trace("new.bitrace"),
			                             .schema_text = "schema\t1\nnonsense\n",
			                             .schema_bytes = 18 };
		CHECK_EQ(bitactor_trace_writer_open(&options, &writer, &error), BITACTOR_CORRUPT);
		CHECK(access(options.path, F_OK) != 0);
		for (uint64_t at = 1; at <= 2; at++) {
			options.schema_text = NULL;
			options.facts = "{}";
			error = (bitactor_error_t){ 0 };
			fault_plan(FAIL, at, ENOSPC);
			CHECK_EQ(bitactor_trace_writer_open(&options, &writer, &error),
			         BITACTOR_IO);
			CHECK_EQ(error.os_error, ENOSPC);
			CHECK(strstr(error.text, at == 1 ? "metadata" : "facts.json") != NULL);
			CHECK(access(options.path, F_OK) != 0);
		}
		fault_plan(SOUND, 0, 0);
		error = (bitactor_error_t){ 0 };
		options.path = rig_trace("no/such/folder");
		CHECK_EQ(bitactor_trace_writer_open(&options, &writer, &error), BITACTOR_IO);
		CHECK_EQ(error.os_error, ENOENT);
	}
	SCENARIO("wrong arguments are answered") {
		bitactor_trace_writer_t *writer;
		bitactor_trace_options_t options = { .path = NULL };
		CHECK_EQ(bitactor_trace_writer_open(NULL, &writer, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_writer_open(&options, &writer, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_writer_open(&options, NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_writer_sync(NULL, NULL), BITACTOR_ERROR);
		CHECK_EQ(bitactor_trace_writer_close(NULL, NULL), BITACTOR_OK);
		CHECK(bitactor_trace_writer_error(NULL) == NULL);
		CHECK(bitactor_trace_writer_sink(NULL).take == NULL);
	}
	SCENARIO("an engine of another uuid, or records out of order, are refused") {
		static uint8_t segment[SEGMENT];
		bitactor_trace_writer_t *writer;
		bitactor_error_t error = { 0 };
		bitactor_trace_options_t options = { .path = rig_trace("odd.bitrace") };
		CHECK_EQ(bitactor_trace_writer_open(&options, &writer, NULL), BITACTOR_OK);
		bitactor_sink_t sink = bitactor_trace_writer_sink(writer);
		CHECK_EQ(sink.take(sink.context, 0, segment, 0, 160, false), BITACTOR_OK);
		CHECK_EQ(sink.take(sink.context, 0, segment, 192, 256, false), BITACTOR_ERROR);
		CHECK_EQ(sink.take(sink.context, 0, segment, 160, 256, false), BITACTOR_IO);
		CHECK_EQ(bitactor_trace_writer_close(writer, &error), BITACTOR_ERROR);
		CHECK(strstr(error.text, "in order") != NULL);
		rig_remove(options.path);
		CHECK_EQ(bitactor_trace_writer_open(&options, &writer, NULL), BITACTOR_OK);
		sink = bitactor_trace_writer_sink(writer);
		segment[4] = 1;
		CHECK_EQ(sink.take(sink.context, 0, segment, 0, 160, false), BITACTOR_ERROR);
		error = (bitactor_error_t){ 0 };
		CHECK_EQ(bitactor_trace_writer_close(writer, &error), BITACTOR_ERROR);
		CHECK(strstr(error.text, "uuid") != NULL);
	}
}

int
main(void)
{
	rig_begin();
	layout();
	open_segment();
	killing();
	refused();
	last_gasp();
	locks();
	beginnings();
	taking_back();
	return bdd_close();
}
