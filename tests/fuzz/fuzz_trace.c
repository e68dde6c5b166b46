/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_trace.c -- whatever `trace` holds, reader and verify agree and stay in bounds.
 *
 *      input    u8 options, then for each segment u16 byte_count and its bytes; what
 *               is missing to 64 KiB is zero
 *      options  1 make checks, header CRCs and roots right, so that the rules behind
 *                 them are reached;  2 the file ends with the last byte;
 *               4 metadata of a trace without a schema
 *
 *      verify OK     the reader comes to CLOSE, past as many records
 *      verify BUSY   the reader comes to the end of an unclosed trace
 *      CORRUPT       there is a place, and words for it
 *
 * Run: make fuzz, or
 *      clang -fsanitize=fuzzer,address,undefined ... && ./fuzz_trace tests/fuzz/corpus/trace
 */
#include <bitactor/trace.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REPAIR = 1, CUT = 2, NO_SCHEMA = 4, SEGMENTS_MOST = 4 };

static const char schema_text[] = "schema\t1\nkind\t0\tplain\nkind\t1\temits\n";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static char     folder[64], traces[2][80];
static uint8_t  segments[SEGMENTS_MOST * BITACTOR_SEGMENT_BYTES];

static void
must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* ---- a place for it --------------------------------------------------------------- */

static void
clean_up(void)
{
	char path[120];
	for (int i = 0; i < 2; i++) {
		(void)snprintf(path, sizeof path, "%s/trace", traces[i]);
		(void)unlink(path);
		(void)snprintf(path, sizeof path, "%s/metadata", traces[i]);
		(void)unlink(path);
		(void)rmdir(traces[i]);
	}
	(void)rmdir(folder);
}

/* Two folders with metadata: [0] with the schema above, [1] without one. */
static void
prepare(void)
{
	static const uint8_t uuid[16] = "fuzz_trace uuid";
	bool in_memory = access("/dev/shm", W_OK) == 0;
	(void)snprintf(folder, sizeof folder, "%s/fuzz_trace-XXXXXX",
	               in_memory ? "/dev/shm" : "/tmp");
	must(mkdtemp(folder) != NULL, "a scratch folder");
	(void)atexit(clean_up);
	bitactor_schema_t schema;
	must(bitactor_schema_parse(schema_text, sizeof schema_text - 1, &schema, NULL) ==
	             BITACTOR_OK, "a schema");
	for (int i = 0; i < 2; i++) {
		char path[120];
		(void)snprintf(traces[i], sizeof traces[i], "%s/%d.bitrace", folder, i);
		must(mkdir(traces[i], 0777) == 0, "a folder");
		(void)snprintf(path, sizeof path, "%s/metadata", traces[i]);
		size_t text_bytes;
		char *text = bitactor_trace_metadata(i == 0 ? &schema : NULL, uuid, &text_bytes);
		FILE *file = fopen(path, "wb");
		must(text != NULL && file != NULL, "metadata");
		must(fwrite(text, 1, text_bytes, file) == text_bytes, "metadata written");
		(void)fclose(file);
		free(text);
	}
	bitactor_schema_free(&schema);
}

/* ---- segments out of the input ------------------------------------------------------- */

static uint32_t
load32(const uint8_t *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof value);
	return value;
}

static void
store32(uint8_t *to, uint32_t value)
{
	memcpy(to, &value, sizeof value);
}

/* The checks of all records that have a shape, from the first on. */
static void
repair_records(uint8_t *segment)
{
	uint64_t number;
	memcpy(&number, segment + 48, sizeof number);
	uint32_t nonce = ~bitactor_segment_nonce(segment + 4, number);
	for (uint32_t offset = BITACTOR_HEADER_BYTES; offset < BITACTOR_SEGMENT_BYTES;) {
		uint8_t *record = segment + offset;
		uint32_t bytes = 32u + 32u * record[6], slot = offset / 32;
		if (record[7] == 0 || offset % BITACTOR_CHUNK_BYTES + bytes > BITACTOR_CHUNK_BYTES)
			return;
		bool open = load32(record + 24) == 0 && load32(record + 28) == 0;
		store32(record + 28, 0);
		uint32_t crc = bitactor_crc32c(nonce, &slot, sizeof slot);
		if (!open)
			store32(record + 28, bitactor_crc32c(crc, record, bytes));
		offset += bytes;
	}
}

static void
repair(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *segment = segments + i * BITACTOR_SEGMENT_BYTES;
		repair_records(segment);
		bool open = (segment[120] & 1) != 0;
		if (i > 0 && !open)
			bitactor_blake3(segment - BITACTOR_SEGMENT_BYTES, BITACTOR_SEGMENT_BYTES,
			                segment + 72);
		store32(segment + 104, 0);
		store32(segment + 104, bitactor_crc32c(0, segment, BITACTOR_HEADER_BYTES));
	}
}

/* Lay the input out; how many bytes the file has. */
static size_t
lay_out(const uint8_t *bytes, size_t byte_count, uint8_t options)
{
	size_t count = 0, last = 0;
	while (byte_count >= 2 && count < SEGMENTS_MOST) {
		size_t want = bytes[0] + 256u * bytes[1];
		bytes += 2, byte_count -= 2;
		last = want < byte_count ? want : byte_count;
		uint8_t *segment = segments + count++ * BITACTOR_SEGMENT_BYTES;
		memcpy(segment, bytes, last);
		memset(segment + last, 0, BITACTOR_SEGMENT_BYTES - last);
		bytes += last, byte_count -= last;
	}
	if ((options & REPAIR) != 0)
		repair(count);
	size_t file_bytes = count * BITACTOR_SEGMENT_BYTES;
	return (options & CUT) != 0 && count > 0 ? file_bytes - BITACTOR_SEGMENT_BYTES + last
	                                         : file_bytes;
}

/* ---- what must hold --------------------------------------------------------------------- */

typedef struct reading {
	bitactor_status_t    status;
	bitactor_trace_end_t end;
	uint64_t             records;
	bool                 opened;
} reading_t;

/* Read it all; with `with_data` the data by bitactor_trace_data. */
static reading_t
read_all(const char *path, bool with_data)
{
	reading_t reading = { 0 };
	bitactor_trace_reader_t *reader;
	bitactor_error_t error = { 0 };
	bitactor_record_t record;
	uint64_t seq = 0, next_seq = 0;
	reading.status = bitactor_trace_open(path, &reader, &error);
	must(reading.status == error.status, "the error has the status");
	if (reading.status != BITACTOR_OK)
		return reading;
	reading.opened = true;
	for (;;) {
		reading.status = bitactor_trace_next(reader, &record, &seq, &error);
		if (reading.status != BITACTOR_OK && reading.status != BITACTOR_BUSY)
			break;
		must(seq == next_seq, "seq counts compared records");
		next_seq += bitactor_record_is_compared(&record);
		reading.records += reading.status == BITACTOR_OK;
		const uint8_t *data;
		size_t count, most = record.kind % 2 == 0 ? 1000 : SIZE_MAX;
		if (with_data && (record.flags & BITACTOR_RECORD_HAS_DATA) != 0 &&
		    bitactor_trace_data(reader, most, &data, &count, &error) == BITACTOR_OK)
			must(count > 0 && count <= most, "as much data as was asked for");
	}
	must(reading.status == BITACTOR_EMPTY || reading.status == error.status, "an end");
	reading.end = bitactor_trace_end(reader);
	must(reading.end != BITACTOR_TRACE_MORE, "an end");
	bitactor_trace_facts_t facts;
	bitactor_trace_facts(reader, &facts);
	must(strlen(facts.program_text) <= facts.program_bytes, "the text of PROGRAM");
	bitactor_trace_close(reader);
	return reading;
}

static bitactor_status_t
verify(const char *path, bool deep, bitactor_verify_report_t *report)
{
	bitactor_error_t error = { 0 };
	bitactor_verify_options_t options = { .deep = deep };
	bitactor_status_t status = bitactor_trace_verify(path, &options, report, &error);
	must(status == error.status, "the error has the status");
	must(status != BITACTOR_IO && status != BITACTOR_ERROR, "a file of bytes can be read");
	must(report->compared <= report->records, "compared records are records");
	if (status == BITACTOR_CORRUPT) {
		must(report->bad_file[0] != '\0', "a place");
		must(strstr(error.text, report->bad_file) != NULL, "words with the place");
		must(report->bad_offset < BITACTOR_SEGMENT_BYTES, "an offset in a segment");
	}
	return status;
}

static void
check(const char *path, bool repaired)
{
	bitactor_verify_report_t report, deep_report;
	bitactor_status_t status = verify(path, false, &report);
	bitactor_status_t deep = verify(path, true, &deep_report);
	reading_t reading = read_all(path, false);
	(void)read_all(path, true);
	must(!repaired || (status == deep && report.records == deep_report.records),
	     "with every check right, walking is as good as reading");
	must(deep != BITACTOR_OK || status == BITACTOR_OK, "deep finds no less");
	if (deep == BITACTOR_OK) {
		must(reading.status == BITACTOR_EMPTY && reading.end == BITACTOR_TRACE_CLOSED,
		     "the reader comes to CLOSE");
		must(reading.records == report.records, "past as many records");
	}
	if (deep == BITACTOR_BUSY && reading.opened) {
		must(reading.status == BITACTOR_EMPTY, "the reader comes to the end");
		must((reading.end == BITACTOR_TRACE_OPEN_RECORD) == report.open_record,
		     "the same end");
		must(report.open_record || reading.records == report.records,
		     "past as many records");
	}
	if (reading.status == BITACTOR_CORRUPT)
		must(deep == BITACTOR_CORRUPT || deep == BITACTOR_UNSUPPORTED ||
		     deep_report.records == 0, "verify finds what the reader finds");
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
	if (folder[0] == '\0')
		prepare();
	if (byte_count == 0)
		return 0;
	uint8_t options = bytes[0];
	const char *trace = traces[(options & NO_SCHEMA) != 0];
	size_t file_bytes = lay_out(bytes + 1, byte_count - 1, options);
	char path[120];
	(void)snprintf(path, sizeof path, "%s/trace", trace);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	must(fd >= 0 && write(fd, segments, file_bytes) == (ssize_t)file_bytes && close(fd) == 0,
	     "a file");
	check(trace, (options & REPAIR) != 0);
	return 0;
}
