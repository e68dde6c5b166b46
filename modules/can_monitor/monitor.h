/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.h -- what the module remembers: one cell for the bus, one for values.
 *
 *      "bus"      monitor_t        pulse | alarms | interfaces | identifiers
 *      "values"   series_table_t   see series.h
 *
 * `pulse` is what every frame changes, kept together so that it is one range to
 * name with bitactor_touched; the rules come from the parameters and stay.
 */
#ifndef CAN_MONITOR_MONITOR_H
#define CAN_MONITOR_MONITOR_H

#include <bitactor/module.h>

#include "frame.h"
#include "identifiers.h"
#include "series.h"

enum { INTERFACES_MAX = 64 }; /* as many as an import tells apart */

enum cell { CELL_BUS, CELL_VALUES, CELLS };

enum port { PORT_ALARM, PORTS };

enum kind {
	KIND_FRAME,
	KIND_FD,
	KIND_REMOTE,
	KIND_ERROR,
	KIND_ALARM,
	KIND_NMEA, /* the first of NMEA_KINDS */
	KINDS = KIND_NMEA + NMEA_KINDS
};

typedef struct alarm_count {
	uint64_t raised, over;
	uint64_t first_ns; /* time of the first; 0 if it had none */
} alarm_count_t;

typedef struct pulse {
	bus_clock_t clock;
	uint64_t frames;        /* of all kinds and interfaces              */
	uint64_t beyond;        /* on interfaces too many: not looked at    */
	uint64_t unlisted;      /* of identifiers too many: not looked at   */
	uint64_t undelivered;   /* decoded or new, but no room to emit it   */
	uint32_t identifiers;   /* in the list                              */
	uint32_t next_in_round; /* whom to look at next for silence         */
	uint64_t full_is_said;
} pulse_t;

typedef struct monitor {
	rules_t            rules;
	pulse_t            pulse;
	alarm_count_t      alarms[ALARM_KINDS];
	interface_t        interfaces[INTERFACES_MAX];
	identifier_table_t table;
} monitor_t;

_Static_assert(sizeof(pulse_t) == sizeof(bus_clock_t) + 6 * 8, "no padding");
_Static_assert(sizeof(monitor_t) ==
                       sizeof(rules_t) + sizeof(pulse_t) + sizeof(alarm_count_t) * ALARM_KINDS +
                               sizeof(interface_t) * INTERFACES_MAX + sizeof(identifier_table_t),
               "no padding: cells are digested");

/* ---- an alarm as a signal ------------------------------------------------------ */

/* payload: ns it is about; id: what was counted; context: as below. */
typedef struct alarm_notice {
	uint32_t what;      /* enum alarm                                    */
	uint32_t word;      /* identifier, or of an error frame its classes   */
	uint32_t interface;
	uint32_t count;     /* stuck: frames; full: identifiers              */
	uint64_t value_ns;  /* missing: silence; late: gap; new: learned so long */
	uint64_t when_ns;   /* 0: no time                                    */
	bool     over;
} alarm_notice_t;

static inline uint32_t
count_to_32(uint64_t count) /* saturates */
{
	return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static inline bitactor_signal_t
alarm_to_signal(const alarm_notice_t *notice)
{
	return (bitactor_signal_t){
		.id = notice->count,
		.kind = KIND_ALARM,
		.payload = notice->value_ns,
		.context = notice->word | (uint64_t)notice->interface << 32 |
		           (uint64_t)notice->what << 48 | (uint64_t)notice->over << 56,
		.timestamp = notice->when_ns,
	};
}

static inline alarm_notice_t
alarm_from_signal(const bitactor_signal_t *signal)
{
	return (alarm_notice_t){
		.what = signal->context >> 48 & 0xFF,
		.word = (uint32_t)signal->context,
		.interface = signal->context >> 32 & 0xFFFF,
		.count = signal->id,
		.value_ns = signal->payload,
		.when_ns = signal->timestamp,
		.over = (signal->context >> 56 & 1) != 0,
	};
}

#endif
