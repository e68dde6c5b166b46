/* SPDX-License-Identifier: Apache-2.0 */
/* test_error.c -- what a person reads is whole, on one line, and the first cause. */
#include "../../bdd.h"

#include <bitactor/error.h>

#include <errno.h>
#include <string.h>
#include <wchar.h>

#define CHECK_TEXT(actual, expected)                                                       \
	do {                                                                               \
		if (strcmp(actual, expected) != 0) {                                       \
			bdd_broken++;                                                      \
			printf("%s:%d: \"%s\", not \"%s\"\n", __FILE__, __LINE__, actual,  \
			       expected);                                                  \
		}                                                                          \
	} while (0)

static bool
is_one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			return false;
	return true;
}

static void
words(void)
{
	SCENARIO("status, system error and words are kept together") {
		bitactor_error_t error = { 0 };
		GIVEN("no error yet");
		WHEN("a file could not be opened");
		bitactor_status_t status =
		        bitactor_error_set(&error, BITACTOR_IO, ENOENT, "cannot open %s", "a.so");
		THEN("the call answers the status, and the text ends in the system's reason");
		CHECK_EQ(status, BITACTOR_IO);
		CHECK_EQ(error.status, BITACTOR_IO);
		CHECK_EQ(error.os_error, ENOENT);
		CHECK_TEXT(error.text, "cannot open a.so: No such file or directory");
	}
	SCENARIO("the first error stays") {
		bitactor_error_t error = { 0 };
		GIVEN("an error");
		(void)bitactor_error_set(&error, BITACTOR_CORRUPT, 0, "line %d", 7);
		WHEN("the next one follows from it");
		bitactor_status_t status =
		        bitactor_error_set(&error, BITACTOR_IO, EIO, "could not go on");
		THEN("the call answers the new status and the old one can still be read");
		CHECK_EQ(status, BITACTOR_IO);
		CHECK_EQ(error.status, BITACTOR_CORRUPT);
		CHECK_EQ(error.os_error, 0);
		CHECK_TEXT(error.text, "line 7");
	}
	SCENARIO("OK is no error, and nobody has to ask for words") {
		bitactor_error_t error = { 0 };
		WHEN("OK is reported, or the error is NULL");
		THEN("the status comes back and nothing is filled in");
		CHECK_EQ(bitactor_error_set(&error, BITACTOR_OK, EIO, "fine"), BITACTOR_OK);
		CHECK_EQ(error.status, BITACTOR_OK);
		CHECK_TEXT(error.text, "");
		CHECK_EQ(bitactor_error_set(NULL, BITACTOR_STUCK, EIO, "%d", 1), BITACTOR_STUCK);
	}
	SCENARIO("a system error without a name has at least its number") {
		bitactor_error_t error = { 0 };
		WHEN("errno is 99999");
		(void)bitactor_error_set(&error, BITACTOR_IO, 99999, "odd");
		THEN("the text has 99999 in it");
		CHECK(strstr(error.text, "99999") != NULL);
	}
	SCENARIO("errno is left as it was") {
		static const wchar_t no_character[] = { 0x7FFFFFFF, 0 };
		bitactor_error_t error = { 0 };
		errno = EXDEV;
		WHEN("words cannot even be formatted (vsnprintf fails and sets EILSEQ)");
		(void)bitactor_error_set(&error, BITACTOR_IO, ENOENT, "x%ls", no_character);
		THEN("errno is still what the caller had, and the reason is there");
		CHECK_EQ(errno, EXDEV);
		CHECK_EQ(error.status, BITACTOR_IO);
		CHECK_TEXT(error.text, ": No such file or directory");
	}
}

/* `letters` is one letter of `letter_bytes`, many times. */
static void
check_cut(const char *letters, size_t letter_bytes, int os_error)
{
	const char *reason = os_error != 0 ? ": No such file or directory" : "";
	char expected[1100];
	(void)snprintf(expected, sizeof expected, "%s%s", letters, reason);

	bitactor_error_t error = { 0 };
	(void)bitactor_error_set(&error, BITACTOR_IO, os_error, "%s", letters);
	if (strlen(expected) < sizeof error.text) {
		CHECK_TEXT(error.text, expected);
		return;
	}
	const char *dots = strstr(error.text, "...");
	CHECK(dots != NULL);
	if (dots == NULL)
		return;
	CHECK_EQ((size_t)(dots - error.text) % letter_bytes, 0);
	CHECK(strlen(error.text) > sizeof error.text - 1 - letter_bytes);
	CHECK_TEXT(dots + 3, reason);
}

static void
bounds(void)
{
	SCENARIO("words that are too long are cut visibly, the system's reason is kept") {
		GIVEN("words of every length up to 1000, in letters of 1 to 4 bytes");
		WHEN("they are set");
		THEN("the text fits, is whole or ends in \"...\", and never inside a character");
		static const char *const alphabet[] = { "a", "\xC3\xA9", "\xE2\x82\xAC",
			                                "\xF0\x9F\x90\x9D" };
		for (size_t letter_bytes = 1; letter_bytes <= 4; letter_bytes++) {
			char letters[1004] = "";
			for (size_t used = 0; used + letter_bytes <= 1000; used += letter_bytes) {
				memcpy(letters + used, alphabet[letter_bytes - 1],
				       letter_bytes + 1);
				check_cut(letters, letter_bytes, 0);
				check_cut(letters, letter_bytes, ENOENT);
			}
		}
	}
	SCENARIO("hostile words cannot write to the terminal") {
		bitactor_error_t error = { 0 };
		WHEN("a file name has a newline, an escape and a DEL in it");
		(void)bitactor_error_set(&error, BITACTOR_IO, 0, "%s", "a\n\x1B[2Jb\x7F\xC2\xB5");
		THEN("each has become '?', and letters of other languages are left");
		CHECK(is_one_line(error.text));
		CHECK_TEXT(error.text, "a??[2Jb?\xC2\xB5");
	}
}

int
main(void)
{
	words();
	bounds();
	return bdd_close();
}
