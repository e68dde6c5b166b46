/* SPDX-License-Identifier: Apache-2.0 */
/* series.h -- the decoded values: newest, extremes and sum, by who sent them.
 *
 *      series = kind + sender's address + interface + (reference, instance, ...)
 *
 * One sender may have several: a wind sensor sends true and apparent wind under
 * one identifier, a helm sends two rudders.  Together they would be one value
 * that jumps; apart they are two that do not.  So the series is the kind, the
 * source address and the low 24 bits of the context, where nmea2000.h puts
 * whatever tells them apart.
 *
 * The sum is modulo 2^64, in the field's unit: it is there to be compared.
 */
#ifndef CAN_MONITOR_SERIES_H
#define CAN_MONITOR_SERIES_H

#include <bitactor/module.h>

#include "nmea2000.h"

enum {
	SERIES_MAX   = 256,
	SERIES_SLOTS = 512 /* half full at most */
};

typedef struct series_value {
	int64_t  first, latest, least, most;
	uint64_t sum;
	uint64_t known, absent; /* messages with and without it */
} series_value_t;

typedef struct series {
	uint64_t key;      /* see series_key */
	uint64_t messages;
	uint64_t last_ns;
	series_value_t values[NMEA_VALUES_MAX];
} series_t;

typedef struct series_table {
	uint64_t messages[NMEA_KINDS]; /* decoded, listed or not     */
	uint64_t unlisted;             /* messages of series too many */
	uint64_t count;                /* series                     */
	uint16_t index[SERIES_SLOTS];  /* number + 1; 0: empty       */
	series_t list[SERIES_MAX];
} series_table_t;

_Static_assert(sizeof(series_t) == 3 * 8 + 7 * 8 * NMEA_VALUES_MAX, "no padding");
_Static_assert(sizeof(series_table_t) == 8 * (NMEA_KINDS + 2) + sizeof(uint16_t) * SERIES_SLOTS +
                                                 sizeof(series_t) * SERIES_MAX,
               "no padding");

static inline uint64_t
series_key(uint32_t kind, const bitactor_signal_t *signal)
{
	return (uint64_t)kind << 32 | (uint64_t)(signal->id & 0xFF) << 24 |
	       (signal->context & 0xFFFFFF);
}

static inline uint32_t
series_kind(const series_t *series)
{
	return (uint32_t)(series->key >> 32);
}

/* The slot of a series: its own, or the empty one where it would be. */
static inline uint16_t *
series_slot(series_table_t *table, uint64_t key)
{
	uint32_t at = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 55);

	for (;; at = (at + 1) % SERIES_SLOTS) {
		uint16_t *slot = &table->index[at];
		if (*slot == 0 || table->list[*slot - 1].key == key)
			return slot;
	}
}

_Static_assert(SERIES_SLOTS == 1 << (64 - 55), "the hash's shift");
_Static_assert(SERIES_SLOTS >= 2 * SERIES_MAX, "a search ends at an empty slot");

static inline void
series_value_add(series_value_t *value, int64_t number)
{
	if (value->known == 0)
		*value = (series_value_t){ .first = number, .least = number, .most = number,
		                           .absent = value->absent };
	value->known++;
	value->latest = number;
	value->sum += (uint64_t)number;
	if (number < value->least)
		value->least = number;
	if (number > value->most)
		value->most = number;
}

static inline void
series_add(series_t *series, const nmea_kind_info_t *kind, const bitactor_signal_t *signal)
{
	series->messages++;
	series->last_ns = signal->timestamp;
	for (uint32_t i = 0; i < kind->value_count; i++) {
		int64_t number;
		if (nmea_value(kind, i, signal, &number))
			series_value_add(&series->values[i], number);
		else
			series->values[i].absent++;
	}
}

#endif
