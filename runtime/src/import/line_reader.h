/* SPDX-License-Identifier: Apache-2.0 */
/* line_reader.h -- lines out of a file descriptor, in bounded memory.
 *
 *      buffer  |  given out  |  a line not yet whole  |   free   |
 *              0           begin          scanned    end     capacity
 *                                     (no newline before it)
 *
 * `next` gives lines out of the buffer and never reads; `fill` reads once and
 * never looks for lines.  So the caller alone decides when it may block.
 *
 * A line ends at a newline, or at the end of input; until then it is kept.
 * Carriage returns before the newline and a UTF-8 byte order mark at the start
 * of the input are no part of a line.  A line of more than line_max bytes is
 * reported once, as soon as it is known to be too long, and swallowed: however
 * long it is, it takes no memory.
 *
 * The byte after a line's text is always NUL, so that a scanner may look one
 * byte ahead; a NUL inside the text is the input's own.
 */
#ifndef BA_LINE_READER_H
#define BA_LINE_READER_H

#include <bitactor/bitactor.h>

typedef enum ba_line_state {
	BA_LINE_NONE,    /* none is whole yet: fill                 */
	BA_LINE_WHOLE,
	BA_LINE_TOO_LONG /* counts as one line; there is no text    */
} ba_line_state_t;

typedef struct ba_line {
	const char *text;  /* text[text_bytes] is NUL; valid until the next fill */
	size_t      text_bytes;
} ba_line_t;

typedef struct ba_line_reader {
	int      fd;         /* not ours to close                               */
	int      os_error;   /* after BITACTOR_IO                               */
	bool     may_block;  /* a pipe, a terminal: ask poll(2) before a read    */
	bool     at_end;     /* the input has no more                           */
	bool     at_start;   /* no line was given out yet                       */
	bool     swallowing; /* inside a line that was reported as too long      */
	char    *buffer;     /* capacity + 1 bytes                              */
	size_t   capacity;   /* more than line_max, else a line could not end    */
	size_t   line_max;
	size_t   begin, scanned, end;
	uint64_t bytes_read;
} ba_line_reader_t;

ba_line_state_t ba_line_reader_next(ba_line_reader_t *reader, ba_line_t *line);

/* Read once.
 *
 *   may_wait  false: answer at once when a pipe or terminal has nothing
 *   returns   BITACTOR_OK      there is more, call next
 *             BITACTOR_EMPTY   nothing now, or a signal came
 *             BITACTOR_CLOSED  every line was given out, and no more will come
 *             BITACTOR_IO      os_error says why
 * Call it only after next said BA_LINE_NONE: what is left is then at most
 * line_max bytes, and is moved to the front. */
bitactor_status_t ba_line_reader_fill(ba_line_reader_t *reader, bool may_wait);

#endif
