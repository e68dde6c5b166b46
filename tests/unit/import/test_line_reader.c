/* SPDX-License-Identifier: Apache-2.0 */
/* test_line_reader.c -- the same lines, however the bytes arrive.
 *
 * A dumb model cuts the whole text at its newlines; the reader gets the same
 * text in pieces through a pipe, with a buffer that is hardly longer than a
 * line.  Both must give the same lines, the too long ones included.
 */
#include "../../../runtime/src/import/line_reader.h"

#include "../../bdd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8, CAPACITY = 9, TEXT_MAX = 200, LINES_MAX = TEXT_MAX + 1 };

typedef struct lines {
	size_t count;
	size_t bytes[LINES_MAX]; /* SIZE_MAX: too long */
	char   text[LINES_MAX][LINE_MAX_BYTES + 1];
} lines_t;

static uint64_t seed = 0x5EED;

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014) */
static uint32_t
draw(uint32_t below)
{
	uint64_t z = seed += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return (uint32_t)((z ^ z >> 31) % below);
}

static void
keep(lines_t *lines, const char *text, size_t text_bytes, bool too_long)
{
	lines->bytes[lines->count] = too_long ? SIZE_MAX : text_bytes;
	if (!too_long)
		memcpy(lines->text[lines->count], text, text_bytes);
	lines->count++;
}

/* What the header says, in the plainest way. */
static void
model(const char *text, size_t text_bytes, lines_t *lines)
{
	for (size_t at = 0; at < text_bytes;) {
		size_t end = at;
		while (end < text_bytes && text[end] != '\n')
			end++;
		size_t next = end + 1;
		bool too_long = end - at > LINE_MAX_BYTES;
		if (at == 0 && !too_long && end >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
			at = 3;
		while (end > at && text[end - 1] == '\r')
			end--;
		keep(lines, text + at, end - at, too_long);
		at = next;
	}
}

/* Everything that can be had without another fill. */
static void
take(ba_line_reader_t *reader, lines_t *lines)
{
	ba_line_t line;
	ba_line_state_t state;
	while ((state = ba_line_reader_next(reader, &line)) != BA_LINE_NONE) {
		if (state == BA_LINE_WHOLE)
			CHECK_EQ(line.text[line.text_bytes], '\0');
		keep(lines, line.text, line.text_bytes, state == BA_LINE_TOO_LONG);
	}
}

/* Through a pipe, in pieces of up to `piece` bytes.  The buffer is the heap's, of
 * just the size it was promised, so that ASan sees a byte too many. */
static void
read_in_pieces(const char *text, size_t text_bytes, uint32_t piece, lines_t *lines)
{
	int ends[2];
	CHECK_EQ(pipe(ends), 0);
	ba_line_reader_t reader = { .fd = ends[0], .may_block = true, .at_start = true };
	reader.capacity = CAPACITY;
	reader.line_max = LINE_MAX_BYTES;
	reader.buffer = malloc(CAPACITY + 1);
	bitactor_status_t status = BITACTOR_OK;
	for (size_t at = 0; at < text_bytes;) {
		size_t count = 1 + draw(piece);
		count = count > text_bytes - at ? text_bytes - at : count;
		CHECK_EQ(write(ends[1], text + at, count), count);
		at += count;
		while ((status = ba_line_reader_fill(&reader, false)) == BITACTOR_OK)
			take(&reader, lines);
		CHECK_EQ(status, BITACTOR_EMPTY);
	}
	close(ends[1]);
	while ((status = ba_line_reader_fill(&reader, true)) == BITACTOR_OK)
		take(&reader, lines);
	CHECK_EQ(status, BITACTOR_CLOSED);
	CHECK_EQ(ba_line_reader_fill(&reader, true), BITACTOR_CLOSED);
	CHECK_EQ(reader.bytes_read, text_bytes);
	close(ends[0]);
	free(reader.buffer);
}

static bool
same(const lines_t *a, const lines_t *b)
{
	return a->count == b->count && memcmp(a, b, sizeof *a) == 0;
}

static size_t
random_text(char *text)
{
	static const char letters[] = { 'a', 'b', 'c', '\n', '\n', '\r', '\0', '\xEF' };
	size_t text_bytes = draw(TEXT_MAX);
	for (size_t i = 0; i < text_bytes; i++)
		text[i] = letters[draw(sizeof letters)];
	if (draw(4) == 0 && text_bytes >= 3)
		memcpy(text, "\xEF\xBB\xBF", 3);
	return text_bytes;
}

static void
test_model(void)
{
	static lines_t expected, got;
	SCENARIO("lines do not depend on how the bytes arrive") {
		GIVEN("3000 random texts with long lines, CR, NUL and a BOM");
		WHEN("they come in pieces of 1, 5 and 200 bytes");
		THEN("they are the lines that a plain model cuts");
		printf("seed=%#" PRIx64 "\n", seed);
		static const uint32_t pieces[] = { 1, 5, 200 };
		for (int i = 0; i < 3000; i++) {
			char text[TEXT_MAX];
			size_t text_bytes = random_text(text);
			memset(&expected, 0, sizeof expected);
			memset(&got, 0, sizeof got);
			model(text, text_bytes, &expected);
			read_in_pieces(text, text_bytes, pieces[i % 3], &got);
			CHECK(same(&expected, &got));
		}
	}
}

static void
test_errors(void)
{
	SCENARIO("a descriptor that cannot be read is IO, with the reason") {
		GIVEN("a closed descriptor, as a file and as a pipe");
		WHEN("the reader reads");
		THEN("IO and EBADF, and no hang");
		char buffer[CAPACITY + 1];
		for (int may_block = 0; may_block < 2; may_block++) {
			int fd = open("/dev/null", O_RDONLY);
			close(fd);
			ba_line_reader_t reader = { .fd = fd, .may_block = may_block != 0,
				                    .buffer = buffer, .capacity = CAPACITY,
				                    .line_max = LINE_MAX_BYTES };
			CHECK_EQ(ba_line_reader_fill(&reader, true), BITACTOR_IO);
			CHECK_EQ(reader.os_error, 9); /* EBADF on Linux */
		}
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	test_model();
	test_errors();
	return bdd_close();
}
