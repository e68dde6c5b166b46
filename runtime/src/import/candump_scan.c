/* SPDX-License-Identifier: Apache-2.0 */
/* candump_scan.c -- see candump_scan.h.
 *
 * Each scan_ function reads one part at `at` and leaves `at` behind it, or
 * leaves `at` where the fault is.  None asks whether the line has ended: the
 * byte there is NUL, which is no digit, no blank and no mark.
 */
#include "candump_scan.h"

#include <string.h>

typedef struct scan {
	const char *at;
	const char *end;    /* *end is NUL */
	const char *reason;
} scan_t;

/* 0x10 + value; 0: not a hex digit. */
static const uint8_t hex[256] = {
	['0'] = 0x10, ['1'] = 0x11, ['2'] = 0x12, ['3'] = 0x13, ['4'] = 0x14, ['5'] = 0x15,
	['6'] = 0x16, ['7'] = 0x17, ['8'] = 0x18, ['9'] = 0x19, ['A'] = 0x1A, ['B'] = 0x1B,
	['C'] = 0x1C, ['D'] = 0x1D, ['E'] = 0x1E, ['F'] = 0x1F, ['a'] = 0x1A, ['b'] = 0x1B,
	['c'] = 0x1C, ['d'] = 0x1D, ['e'] = 0x1E, ['f'] = 0x1F,
};

static bool
fault(scan_t *scan, const char *reason)
{
	scan->reason = reason;
	return false;
}

static bool
fault_at(scan_t *scan, const char *at, const char *reason)
{
	scan->at = at;
	return fault(scan, reason);
}

/* What is left of the line does not belong there.  If it looks like the start
 * of another message, say that: gateways do lose newlines. */
static bool
fault_rest(scan_t *scan, const char *reason)
{
	for (const char *at = scan->at; at < scan->end; at++)
		if (*at == '#' || *at == '(' || *at == '[' || *at == '<')
			return fault(scan, "a second message on the line");
	return fault(scan, reason);
}

static inline uint32_t
hex_at(const char *at)
{
	return hex[(uint8_t)*at];
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* False: there were none. */
static inline bool
skip_blanks(scan_t *scan)
{
	const char *from = scan->at;
	while (is_blank(*scan->at))
		scan->at++;
	return scan->at != from;
}

static bool
skip_word(scan_t *scan, const char *word)
{
	size_t word_bytes = strlen(word);
	if ((size_t)(scan->end - scan->at) < word_bytes || memcmp(scan->at, word, word_bytes) != 0)
		return false;
	scan->at += word_bytes;
	return true;
}

/* ---- time ------------------------------------------------------------------ */

enum { SECONDS_MAX = 1844674407 }; /* tenths of the seconds that 2^64 ns are */

/* A number of `digits` digits in [least, most], and the mark behind it. */
static bool
scan_date_part(scan_t *scan, int digits, uint32_t least, uint32_t most, char mark, uint32_t *value)
{
	const char *from = scan->at;
	*value = 0;
	for (int i = 0; i < digits; i++, scan->at++) {
		if (!is_digit(*scan->at))
			return fault(scan, "a date is YYYY-MM-DD hh:mm:ss.ffffff");
		*value = *value * 10 + (uint32_t)(*scan->at - '0');
	}
	if (*scan->at != mark)
		return fault(scan, "a date is YYYY-MM-DD hh:mm:ss.ffffff");
	if (*value < least || *value > most)
		return fault_at(scan, from, "there is no such date");
	scan->at += mark != '.'; /* scan_fraction wants the point */
	return true;
}

/* Seconds from 1970 to a date, taken as UTC. */
static bool
scan_date(scan_t *scan, uint64_t *seconds)
{
	static const uint16_t days_before[13] = { 0,   31,  59,  90,  120, 151, 181,
		                                  212, 243, 273, 304, 334, 365 };
	const char *from = scan->at;
	uint32_t year, month, day, hour, minute, second;
	if (!scan_date_part(scan, 4, 1970, 9999, '-', &year) ||
	    !scan_date_part(scan, 2, 1, 12, '-', &month) ||
	    !scan_date_part(scan, 2, 1, 31, ' ', &day) ||
	    !scan_date_part(scan, 2, 0, 23, ':', &hour) ||
	    !scan_date_part(scan, 2, 0, 59, ':', &minute) ||
	    !scan_date_part(scan, 2, 0, 59, '.', &second))
		return false;

	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	uint32_t month_days = (uint32_t)days_before[month] - days_before[month - 1];
	if (day > month_days + (leap && month == 2))
		return fault_at(scan, from, "there is no such date");
	/* 477 leap days before 1970 */
	uint32_t last = year - 1, leaps = last / 4 - last / 100 + last / 400 - 477;
	uint64_t days = (uint64_t)(year - 1970) * 365 + leaps + days_before[month - 1] +
	                (leap && month > 2) + day - 1;
	*seconds = days * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

static bool
scan_seconds(scan_t *scan, uint64_t *seconds)
{
	const char *from = scan->at;
	*seconds = 0;
	for (; is_digit(*scan->at); scan->at++) {
		if (*seconds > SECONDS_MAX)
			return fault_at(scan, from, "the time is too large");
		*seconds = *seconds * 10 + (uint64_t)(*scan->at - '0');
	}
	if (scan->at == from)
		return fault(scan, "a time is (seconds.fraction)");
	return true;
}

/* ".421964)" */
static bool
scan_fraction(scan_t *scan, uint32_t *ns)
{
	static const uint32_t scale[10] = { 1000000000, 100000000, 10000000, 1000000, 100000,
		                            10000,      1000,      100,      10,      1 };
	if (*scan->at != '.')
		return fault(scan, "a time is (seconds.fraction)");
	const char *from = ++scan->at;
	uint32_t value = 0;
	for (; is_digit(*scan->at); scan->at++) {
		if (scan->at - from == 9)
			return fault(scan, "a time has at most 9 digits after the point");
		value = value * 10 + (uint32_t)(*scan->at - '0');
	}
	if (scan->at == from)
		return fault(scan, "a time has digits after the point");
	*ns = value * scale[scan->at - from];
	if (*scan->at != ')')
		return fault(scan, "a time is (seconds.fraction)");
	scan->at++;
	return true;
}

/* "(seconds.fraction) " or "(date) " */
static bool
scan_time(scan_t *scan, ba_can_frame_t *frame)
{
	const char *from = scan->at++;
	uint64_t seconds;
	uint32_t ns;
	bool date = scan->end - scan->at > 4 && scan->at[4] == '-';
	if (!(date ? scan_date(scan, &seconds) : scan_seconds(scan, &seconds)) ||
	    !scan_fraction(scan, &ns))
		return false;
	if (seconds > (UINT64_MAX - ns) / 1000000000)
		return fault_at(scan, from, "the time is too large");
	frame->time_ns = seconds * 1000000000 + ns;
	frame->timed = true;
	if (!skip_blanks(scan))
		return fault(scan, "a blank must follow the time");
	return true;
}

/* ---- id and interface ------------------------------------------------------ */

static bool
scan_id(scan_t *scan, ba_can_frame_t *frame)
{
	const char *from = scan->at;
	uint32_t value = 0, digit;
	for (; (digit = hex_at(scan->at)) != 0 && scan->at - from < 9; scan->at++)
		value = value << 4 | (digit & 0xF);

	frame->sort = BA_CAN_SORT_FRAME;
	frame->id = value;
	if (scan->at - from == 8) {
		if (value > 0x3FFFFFFF)
			return fault_at(scan, from, "an extended id is at most 1FFFFFFF");
		if ((value & BA_CAN_ERROR) != 0)
			frame->sort = BA_CAN_SORT_ERROR;
		else
			frame->id |= BA_CAN_EXTENDED;
		return true;
	}
	if (scan->at - from == 3) {
		if (value > 0x7FF)
			return fault_at(scan, from, "a standard id is at most 7FF");
		return true;
	}
	if (scan->at - from == 5 && *scan->at == '#')
		return fault_at(scan, from, "CAN XL is not supported");
	return fault_at(scan, from, "an id has 3 or 8 hex digits");
}

size_t
ba_candump_name_bytes(const char *text)
{
	const char *at = text;
	while (*at > ' ' && *at <= '~')
		at++;
	return (size_t)(at - text);
}

static bool
scan_name(scan_t *scan, ba_can_frame_t *frame)
{
	frame->name = scan->at;
	frame->name_bytes = ba_candump_name_bytes(scan->at);
	if (frame->name_bytes > BA_CAN_NAME_MAX)
		return fault(scan, "an interface name has at most 31 bytes");
	scan->at += frame->name_bytes;
	if (frame->name_bytes == 0 || !skip_blanks(scan))
		return fault(scan, "an interface name and a blank must stand here");
	return true;
}

/* ---- data ------------------------------------------------------------------ */

static bool
is_fd_length(size_t byte_count)
{
	return byte_count <= 8 ||
	       (byte_count <= 24 ? byte_count % 4 == 0
	                         : byte_count == 32 || byte_count == 48 || byte_count == 64);
}

/* Nothing, or a blank and the direction of candump -x; then the end. */
static bool
scan_log_tail(scan_t *scan)
{
	if (scan->at == scan->end)
		return true;
	if (skip_blanks(scan)) {
		if ((*scan->at == 'R' || *scan->at == 'T') &&
		    (is_blank(scan->at[1]) || scan->at + 1 == scan->end))
			scan->at++;
		skip_blanks(scan);
	}
	if (scan->at != scan->end)
		return fault_rest(scan, "text after the frame");
	return true;
}

/* "_9" .. "_F" behind 8 bytes: the length code as it was sent. */
static bool
scan_raw_dlc(scan_t *scan, const ba_can_frame_t *frame)
{
	if (*scan->at != '_' || frame->byte_count != 8 || frame->sort == BA_CAN_SORT_FD)
		return true;
	uint32_t digit = hex_at(scan->at + 1);
	if (digit < 0x19)
		return fault(scan, "a raw DLC is _9 to _F");
	scan->at += 2;
	return true;
}

/* "R", "R4", "R8_F" */
static bool
scan_log_remote(scan_t *scan, ba_can_frame_t *frame)
{
	if (frame->sort == BA_CAN_SORT_ERROR)
		return fault(scan, "an error frame is never a remote frame");
	frame->sort = BA_CAN_SORT_REMOTE;
	frame->id |= BA_CAN_REMOTE;
	scan->at++;
	uint32_t digit = hex_at(scan->at);
	if (digit != 0) {
		if (digit > 0x18)
			return fault(scan, "a remote frame asks for at most 8 bytes");
		frame->byte_count = digit & 0xF;
		scan->at++;
	}
	return scan_raw_dlc(scan, frame) && scan_log_tail(scan);
}

/* Pairs of digits to the first byte that is none; a point may stand between. */
static bool
scan_log_bytes(scan_t *scan, ba_can_frame_t *frame, size_t most)
{
	size_t count = 0;
	const char *at = scan->at;
	for (;;) {
		uint32_t high = hex_at(at);
		if (high == 0) {
			if (*at != '.' || count == 0 || hex_at(at + 1) == 0)
				break;
			high = hex_at(++at);
		}
		scan->at = at;
		uint32_t low = hex_at(at + 1);
		if (low == 0)
			return fault_rest(scan, "an odd number of hex digits");
		if (count == most)
			return fault_rest(scan, most == BA_CAN_BYTES ? "more than 8 data bytes"
			                                             : "more than 64 data bytes");
		frame->data[count++] = (uint8_t)(high << 4 | (low & 0xF));
		at += 2;
	}
	scan->at = at;
	frame->byte_count = (uint8_t)count;
	return true;
}

/* What follows "ID#". */
static bool
scan_log(scan_t *scan, ba_can_frame_t *frame)
{
	const char *from = scan->at;
	if (*from == 'R' || *from == 'r')
		return scan_log_remote(scan, frame);
	if (*from != '#')
		return scan_log_bytes(scan, frame, BA_CAN_BYTES) && scan_raw_dlc(scan, frame) &&
		       scan_log_tail(scan);

	if (frame->sort == BA_CAN_SORT_ERROR)
		return fault(scan, "an error frame is never a CAN FD frame");
	uint32_t flags = hex_at(from + 1);
	if (flags == 0)
		return fault(scan, "## is followed by a digit of flags");
	frame->sort = BA_CAN_SORT_FD;
	frame->fd_flags = flags & 0xF;
	scan->at += 2;
	scan->at += *scan->at == '.' && hex_at(scan->at + 1) != 0;
	if (!scan_log_bytes(scan, frame, BA_CAN_FD_BYTES) || !scan_log_tail(scan))
		return false;
	if (!is_fd_length(frame->byte_count))
		return fault_at(scan, from, "CAN FD has 0-8, 12, 16, 20, 24, 32, 48 or 64 bytes");
	return true;
}

/* ---- display --------------------------------------------------------------- */

/* "[8]", "[12]" (CAN FD always has two digits) or "{F}" (a raw DLC). */
static bool
scan_length(scan_t *scan, ba_can_frame_t *frame, bool canutils)
{
	const char *from = scan->at;
	if (*from == '{' && !canutils) {
		uint32_t digit = hex_at(from + 1);
		if (digit == 0 || from[2] != '}')
			return fault(scan, "a raw DLC is {0} to {F}");
		frame->byte_count = digit > 0x18 ? 8 : digit & 0xF;
		scan->at += 3;
		return true;
	}
	if (*from != '[')
		return fault(scan, "the length in brackets must stand here");
	uint32_t value = 0;
	for (scan->at++; is_digit(*scan->at) && scan->at - from <= 4; scan->at++)
		value = value * 10 + (uint32_t)(*scan->at - '0');
	long digits = scan->at - from - 1;
	if (*scan->at != ']' || digits == 0)
		return fault_at(scan, from, "a length is [8], or [08] for CAN FD");
	scan->at++;
	frame->byte_count = (uint8_t)value;
	if (digits == 1 && value <= BA_CAN_BYTES)
		return true;
	if (digits == 1 || canutils)
		return fault_at(scan, from, "a classic frame has at most 8 bytes");
	if (digits > 2)
		return fault_at(scan, from, "CAN XL is not supported");
	if (!is_fd_length(value))
		return fault_at(scan, from, "CAN FD has 0-8, 12, 16, 20, 24, 32, 48 or 64 bytes");
	if (frame->sort == BA_CAN_SORT_ERROR)
		return fault_at(scan, from, "an error frame is never a CAN FD frame");
	frame->sort = BA_CAN_SORT_FD;
	return true;
}

static bool
scan_display_bytes(scan_t *scan, ba_can_frame_t *frame)
{
	for (size_t i = 0; i < frame->byte_count; i++) {
		bool apart = skip_blanks(scan);
		if (*scan->at == '`')
			return fault(scan, "bytes in swapped order (candump -S) are not supported");
		uint32_t high = hex_at(scan->at), low = high == 0 ? 0 : hex_at(scan->at + 1);
		if (low == 0)
			return fault_rest(scan, scan->at == scan->end
			                                ? "fewer data bytes than the length says"
			                                : "data bytes are two hex digits each");
		if (!apart)
			return fault_rest(scan, "a blank must stand before each data byte");
		frame->data[i] = (uint8_t)(high << 4 | (low & 0xF));
		scan->at += 2;
	}
	return true;
}

/* 'A.z' beside the data: it must be that data. */
static bool
scan_ascii(scan_t *scan, const ba_can_frame_t *frame)
{
	const char *from = scan->at++;
	for (size_t i = 0; i < frame->byte_count; i++, scan->at++) {
		char shown = frame->data[i] > 0x1F && frame->data[i] < 0x7F
		                     ? (char)frame->data[i]
		                     : '.';
		if (*scan->at != shown)
			return fault_at(scan, from, "the text beside the data is not that data");
	}
	if (*scan->at != '\'')
		return fault_at(scan, from, "the text beside the data is not that data");
	scan->at++;
	return true;
}

/* What follows the id in both display forms. */
static bool
scan_display(scan_t *scan, ba_can_frame_t *frame, bool canutils)
{
	if (!skip_blanks(scan))
		return fault(scan, "a blank must follow the id");
	if (!scan_length(scan, frame, canutils))
		return false;
	const char *from = scan->at;
	if (skip_blanks(scan) && skip_word(scan, "remote request")) {
		if (frame->sort == BA_CAN_SORT_ERROR || frame->sort == BA_CAN_SORT_FD)
			return fault_at(scan, from, "only a classic data frame can be remote");
		frame->sort = BA_CAN_SORT_REMOTE;
		frame->id |= BA_CAN_REMOTE;
	} else {
		scan->at = from;
		if (!scan_display_bytes(scan, frame))
			return false;
		from = scan->at;
		if (skip_blanks(scan) && hex_at(scan->at) != 0 && hex_at(scan->at + 1) != 0)
			return fault_rest(scan, "more data bytes than the length says");
		if (*scan->at == '\'' && scan->at != from && !canutils) {
			if (!scan_ascii(scan, frame))
				return false;
		} else if (scan->at != from && skip_word(scan, "ERRORFRAME") &&
		           frame->sort != BA_CAN_SORT_ERROR) {
			return fault_at(scan, from, "ERRORFRAME, but the id is no error id");
		}
	}
	skip_blanks(scan);
	if (scan->at != scan->end)
		return fault_rest(scan, "text after the frame");
	return true;
}

/* "RX B E  ", of candump -x: direction, bit rate switch, error state. */
static bool
scan_columns(scan_t *scan, uint8_t *fd_flags)
{
	scan->at += 2;
	bool good = skip_blanks(scan);
	*fd_flags = *scan->at == 'B' ? 1 : 0;
	good = good && (*scan->at == 'B' || *scan->at == '-');
	scan->at += good;
	good = good && skip_blanks(scan);
	*fd_flags |= *scan->at == 'E' ? 2 : 0;
	good = good && (*scan->at == 'E' || *scan->at == '-');
	scan->at += good;
	if (!good || !skip_blanks(scan))
		return fault(scan, "the columns of candump -x are RX or TX, B or -, E or -");
	return true;
}

/* "<0x18eeff01> [8] 05 a0 ..": no interface, no time. */
static bool
scan_canutils(scan_t *scan, ba_can_frame_t *frame)
{
	if (!skip_word(scan, "<0x"))
		return fault(scan, "an id here is <0x123> or <0x12345678>");
	const char *from = scan->at;
	if (!scan_id(scan, frame))
		return false;
	if (frame->sort == BA_CAN_SORT_ERROR)
		return fault_at(scan, from, "an extended id is at most 1FFFFFFF");
	if (*scan->at != '>')
		return fault(scan, "an id here is <0x123> or <0x12345678>");
	scan->at++;
	return scan_display(scan, frame, true);
}

static bool
scan_line(scan_t *scan, ba_can_frame_t *frame)
{
	skip_blanks(scan);
	if (*scan->at == '<')
		return scan_canutils(scan, frame);
	if (*scan->at == '(' && !scan_time(scan, frame))
		return false;
	if (!scan_name(scan, frame))
		return false;

	uint8_t fd_flags = 0;
	bool columns = (*scan->at == 'T' || *scan->at == 'R') && scan->at[1] == 'X';
	if ((columns && !scan_columns(scan, &fd_flags)) || !scan_id(scan, frame))
		return false;
	if (*scan->at == '#' && !columns) {
		if (!frame->timed)
			return fault_at(scan, frame->name, "a line with # starts with (time)");
		scan->at++;
		return scan_log(scan, frame);
	}
	if (!scan_display(scan, frame, false))
		return false;
	/* Of a classic frame this byte is padding; old candumps print it. */
	frame->fd_flags = frame->sort == BA_CAN_SORT_FD ? fd_flags : 0;
	return true;
}

bool
ba_candump_scan(const char *text, size_t text_bytes, ba_can_frame_t *frame, ba_can_fault_t *why)
{
	uint8_t *data = frame->data;
	scan_t scan = { .at = text, .end = text + text_bytes };
	*frame = (ba_can_frame_t){ .data = data };
	memset(data, 0, BA_CAN_BYTES);

	if (scan_line(&scan, frame))
		return true;
	/* Two bytes that explain more than what was missed in their place. */
	if (scan.at < scan.end && *scan.at == '\0')
		scan.reason = "a NUL byte; is the file UTF-16?";
	else if (*scan.at == '\033')
		scan.reason = "a terminal colour; record without candump -c";
	*why = (ba_can_fault_t){ .reason = scan.reason, .column = (size_t)(scan.at - text) + 1 };
	return false;
}
