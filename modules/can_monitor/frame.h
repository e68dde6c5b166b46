/* SPDX-License-Identifier: Apache-2.0 */
/* frame.h -- a CAN frame as a signal brings it.
 *
 *      context    id word | length | interface | FD flags
 *      bit        0       32       40          56
 *      payload    data bytes 0..7, the first one lowest
 *
 * The id word is SocketCAN's (linux/can.h): an 11- or 29-bit identifier, or of an
 * error frame its classes, under three flags.  Data bytes that the frame does
 * not have are taken as 0.
 */
#ifndef CAN_MONITOR_FRAME_H
#define CAN_MONITOR_FRAME_H

#include <bitactor/module.h>

#define CAN_EXTENDED UINT32_C(0x80000000)
#define CAN_REMOTE   UINT32_C(0x40000000)
#define CAN_ERROR    UINT32_C(0x20000000)
#define CAN_ID_29    UINT32_C(0x1FFFFFFF)
#define CAN_ID_11    UINT32_C(0x7FF)

/* Our own class, for error frames that name none; SocketCAN has no use for it. */
#define CAN_ERROR_UNSPECIFIED UINT32_C(0x10000000)

typedef struct frame {
	uint32_t word;
	uint32_t bytes;     /* of data: 0..64 */
	uint32_t interface;
	bool     is_nmea;   /* a classic data frame with a 29-bit identifier */
	uint64_t data;
	uint64_t when_ns;   /* 0: no time */
} frame_t;

static inline frame_t
frame_from_signal(const bitactor_signal_t *signal, bool is_classic)
{
	frame_t frame = {
		.word = (uint32_t)signal->context,
		.bytes = signal->context >> 32 & 0xFF,
		.interface = signal->context >> 40 & 0xFFFF,
		.data = signal->payload,
		.when_ns = signal->timestamp,
	};
	if (frame.bytes < 8)
		frame.data &= (UINT64_C(1) << 8 * frame.bytes) - 1;
	frame.is_nmea = is_classic && (frame.word & (CAN_EXTENDED | CAN_REMOTE)) == CAN_EXTENDED;
	return frame;
}

#endif
