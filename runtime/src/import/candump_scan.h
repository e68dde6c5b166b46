/* SPDX-License-Identifier: Apache-2.0 */
/* candump_scan.h -- one line of candump, read by hand.
 *
 * Three programs' dialects, told apart by what stands where:
 *
 *      (1502979132.106111) can0 09F8027F#00FCFFFF R        log: candump -l, -L
 *       ( time )           name ID      #data    direction
 *
 *      (2017-08-17 15:49:26.421964)  can0  TX B -  123  [12]  00 FC ..  'text'
 *       ( time or date, optional )   name  columns ID  [bytes] data     display
 *
 *      <0x18eeff01> [8] 05 a0 be 1c 00 a0 a0 c0            display of canutils 4
 *
 * After ID#:  data | R | R4 | #<flags>data (CAN FD);  a raw DLC may follow 8
 * bytes or R8 as _9 .. _F, and {9} .. {F} stands for [8]: it is checked, and not
 * kept.  An id has 3 digits (standard) or 8 (extended; error frame with bit 29).
 *
 * The whole line is read or none of it: what is left over makes it bad.  Times
 * are integers.  A date has no zone in it and is taken as UTC: reading it in the
 * zone of the reader would make one file two inputs on two machines.
 *
 * Source: candump.c, lib.c, lib.h of linux-can/can-utils at 95aae6bf; candump.c
 * of Pengutronix canutils 4 (ids masked: never an error frame, never CAN FD).
 */
#ifndef BA_CANDUMP_SCAN_H
#define BA_CANDUMP_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As in linux/can.h, which not every system has. */
#define BA_CAN_EXTENDED UINT32_C(0x80000000)
#define BA_CAN_REMOTE   UINT32_C(0x40000000)
#define BA_CAN_ERROR    UINT32_C(0x20000000)

enum { BA_CAN_BYTES = 8, BA_CAN_FD_BYTES = 64, BA_CAN_NAME_MAX = 31 };

typedef enum ba_can_sort {
	BA_CAN_SORT_FRAME,
	BA_CAN_SORT_FD,
	BA_CAN_SORT_REMOTE,
	BA_CAN_SORT_ERROR,
	BA_CAN_SORTS
} ba_can_sort_t;

typedef struct ba_can_frame {
	uint8_t      *data;       /* in: room for 64 bytes; the first 8 are always set   */
	uint64_t      time_ns;
	const char   *name;       /* of the interface, in the line; NULL: the line has none */
	size_t        name_bytes; /* 1..31 */
	uint32_t      id;         /* with the flags above */
	ba_can_sort_t sort;
	uint8_t       byte_count; /* of data; of a remote frame the length it asks for   */
	uint8_t       fd_flags;   /* 1 bit rate switch, 2 error state, as in the line    */
	bool          timed;
} ba_can_frame_t;

typedef struct ba_can_fault {
	const char *reason;
	size_t      column; /* from 1, in bytes */
} ba_can_fault_t;

/* Read a line that is not blank, a comment or a header.
 *
 *   text      text[text_bytes] is NUL
 *   returns   false: `fault` says why, and `frame` means nothing
 */
bool ba_candump_scan(const char *text, size_t text_bytes, ba_can_frame_t *frame,
                     ba_can_fault_t *fault);

/* A name as Linux allows it, without what cannot be shown: printable ASCII, no
 * blank.  Returns its bytes at the start of `text`. */
size_t ba_candump_name_bytes(const char *text);

#endif
