/* SPDX-License-Identifier: Apache-2.0 */
/* identifiers.h -- what is known of each identifier, and when it misbehaves.
 *
 *      index    [ 0 | 3 | 0 | 1 | 0 | 2 | ... ]     hash of (interface, id) -> number
 *      list     [ 1st met | 2nd | 3rd | ... ]       in order of discovery
 *
 * An identifier is first learned, then judged:
 *
 *      LEARNING --(enough gaps, enough time)--> STEADY     late and missing judged
 *                                           --> UNEVEN     missing judged
 *                                           --> SPORADIC   not judged, learned anew
 *
 * A gap is the time between two frames; of a fast packet, between two first
 * frames.  STEADY: three quarters of the newest gaps are within half of their
 * median, and the mean of all is at most twice the median, else they are but
 * the inside of a burst.  UNEVEN: not so, but the longest gap is at most four
 * times the mean, as when two senders' worth of frames share an identifier.
 * SPORADIC: neither; what comes when it likes cannot be late.
 *
 * Time is the frames' own, never the engine's.  It may step back: then every
 * gap under way is forgotten, and silence counts from the step on.  A gap is
 * thus never negative and never spans a step.
 *
 * Missing is found in two ways that agree: by a round over the list, two
 * identifiers a frame, and by the identifier's own next frame, should it come
 * before the round did.  So a frame costs the same whatever goes missing, and a
 * silence is noticed at the latest half as many frames after its limit as there
 * are identifiers.
 *
 * Nothing in here knows of turns and signals: verdicts are returned, and an
 * alarm is marked as raised by whoever managed to say it.
 */
#ifndef CAN_MONITOR_IDENTIFIERS_H
#define CAN_MONITOR_IDENTIFIERS_H

#include <bitactor/module.h>

#include "frame.h"
#include "nmea2000.h"

enum {
	IDENTIFIERS_MAX  = 2048,
	INDEX_SLOTS      = 4096, /* half full at most: one or two looks find it */
	GAPS_KEPT        = 16,   /* the newest, of which the median is taken    */
	ROUND_STEP       = 2,    /* identifiers looked at for silence, a frame  */
	STUCK_CHANGES    = 8,    /* data that changed less often is not judged  */
	STUCK_PATIENCE   = 4,    /* times the longest pause that ended well     */
	STEADY_MEAN      = 2,    /* times the median at most                    */
	UNEVEN_LONGEST   = 4,    /* times the mean at most                      */
	STEP_BACK_NS     = 1000000000 /* less is disorder, not a step           */
};

_Static_assert((INDEX_SLOTS & (INDEX_SLOTS - 1)) == 0, "the hash's top bits are a slot");
_Static_assert(INDEX_SLOTS >= 2 * IDENTIFIERS_MAX, "a search ends at an empty slot");
_Static_assert(IDENTIFIERS_MAX < UINT16_MAX, "number + 1 fits a slot");

#define NOT_JUDGED UINT64_MAX

/* What an alarm is about; the number is in can.alarm. */
enum alarm {
	ALARM_NONE,
	ALARM_MISSING,
	ALARM_LATE,
	ALARM_STUCK,
	ALARM_NEW,
	ALARM_ERROR,
	ALARM_FULL,
	ALARM_KINDS
};

enum rhythm { LEARNING, STEADY, UNEVEN, SPORADIC, RHYTHMS };

/* The user's numbers, from the parameters. */
typedef struct rules {
	uint64_t learn_ns;        /* an identifier, and an interface, is learned so long  */
	uint64_t learn_frames;    /* an interface without times: so many frames           */
	uint64_t learn_gaps;      /* an identifier: at least so many gaps                 */
	uint64_t late_percent;    /* of the period                                        */
	uint64_t missing_periods;
	uint64_t stuck_frames;
	uint64_t calm_frames;     /* frames in time until an alarm is over                */
	uint64_t quiet_frames;    /* frames without an error frame until that is over     */
} rules_t;

/* The time of the bus. */
typedef struct bus_clock {
	uint64_t now_ns;     /* of the newest frame that had a time        */
	uint64_t stepped_ns; /* where the newest step back went            */
	uint64_t timed;      /* frames with a time                         */
	uint64_t untimed;
	uint64_t backward;   /* times earlier than the one before          */
	uint64_t steps;      /* of these, by STEP_BACK_NS or more          */
} bus_clock_t;

typedef struct interface {
	uint64_t frames;     /* of all kinds                               */
	uint64_t fd_frames, remote_frames, error_frames;
	uint64_t timed;
	uint64_t last_ns;
	uint64_t elapsed_ns; /* sum of its steps forward                   */
	uint32_t identifiers;
	uint32_t error_classes; /* seen in the present trouble; 0: none    */
	uint64_t quiet;      /* frames since the newest error frame        */
} interface_t;

_Static_assert(sizeof(interface_t) == 9 * 8, "no padding: cells are digested");

typedef struct identifier {
	/* Who it is. */
	uint32_t word;        /* as SocketCAN has it: id and flags          */
	uint16_t interface;
	uint8_t  meaning;     /* enum nmea_meaning                          */
	uint8_t  rhythm;      /* enum rhythm                                */
	uint64_t data_mask;   /* which bits of the data can be stuck        */

	/* When it comes. */
	uint64_t frames;
	uint64_t last_ns;     /* where the gap under way began; 0: nowhere  */
	uint64_t epoch;       /* the clock's steps back at that time        */
	uint64_t late_ns;     /* a longer gap is late                       */
	uint64_t missing_ns;  /* a longer silence is missing                */
	uint64_t late_gaps;
	uint32_t shortest_us, longest_us;
	uint32_t typical_us;  /* median of the learned gaps; 0 before       */
	uint32_t calm;        /* gaps in time, in a row                     */

	/* What it says. */
	uint64_t data;        /* the newest, under the mask                 */
	uint64_t same_frames; /* in a row with this data                    */
	uint64_t longest_same; /* such row that ended in a change           */
	uint32_t changes;     /* saturates at STUCK_CHANGES                 */
	uint32_t alarms;      /* 1 << enum alarm: raised, not yet over      */

	/* Learning alone. */
	uint64_t gap_sum_us;
	uint32_t gap_count, gap_longest_us;
	uint32_t gaps_us[GAPS_KEPT]; /* the newest; gap n is at n % GAPS_KEPT */
} identifier_t;

_Static_assert(offsetof(identifier_t, gap_sum_us) == 14 * 8, "no padding");
_Static_assert(sizeof(identifier_t) == 16 * 8 + 4 * GAPS_KEPT, "three cache lines");

/* What one frame did to an identifier. */
typedef struct verdict {
	uint32_t raise, over; /* sets of 1 << enum alarm */
	uint64_t gap_ns;      /* 0: none                 */
	bool     learned;     /* the gap was written into gaps_us */
} verdict_t;

/* ---- the clock ----------------------------------------------------------------- */

/* Without a time a frame changes nothing but a count. */
static inline void
clock_hear(bus_clock_t *clock, uint64_t timestamp_ns)
{
	if (timestamp_ns == 0) {
		clock->untimed++;
		return;
	}
	if (timestamp_ns < clock->now_ns) {
		clock->backward++;
		if (clock->now_ns - timestamp_ns >= STEP_BACK_NS) {
			clock->steps++;
			clock->stepped_ns = timestamp_ns;
		}
	}
	clock->timed++;
	clock->now_ns = timestamp_ns;
}

static inline void
interface_hear(interface_t *interface, uint64_t timestamp_ns)
{
	interface->frames++;
	if (timestamp_ns == 0)
		return;
	if (interface->timed > 0 && timestamp_ns > interface->last_ns)
		interface->elapsed_ns += timestamp_ns - interface->last_ns;
	interface->timed++;
	interface->last_ns = timestamp_ns;
}

/* From then on an identifier never seen before is worth an alarm. */
static inline bool
interface_is_learned(const interface_t *interface, const rules_t *rules)
{
	if (interface->timed > 0)
		return interface->elapsed_ns >= rules->learn_ns;
	return interface->frames > rules->learn_frames;
}

/* ---- gaps ---------------------------------------------------------------------- */

static inline uint32_t
gap_to_us(uint64_t gap_ns) /* saturates at 71 minutes */
{
	uint64_t gap_us = gap_ns / 1000;
	return gap_us < UINT32_MAX ? (uint32_t)gap_us : UINT32_MAX;
}

static inline uint32_t
gaps_kept(const identifier_t *identifier)
{
	return identifier->gap_count < GAPS_KEPT ? identifier->gap_count : GAPS_KEPT;
}

/* The median (of an even count: the upper) of the newest gaps; 0 of none. */
static inline uint32_t
median_us(const identifier_t *identifier)
{
	uint32_t sorted[GAPS_KEPT], count = gaps_kept(identifier);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t gap = identifier->gaps_us[i], at = i;
		for (; at > 0 && sorted[at - 1] > gap; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = gap;
	}
	return count > 0 ? sorted[count / 2] : 0;
}

static inline bool
gaps_are_steady(const identifier_t *identifier, uint64_t median)
{
	uint32_t count = gaps_kept(identifier), near = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t gap = identifier->gaps_us[i];
		near += gap >= median / 2 && gap <= 3 * median / 2;
	}
	return median > 0 && near * 4 >= count * 3 &&
	       identifier->gap_sum_us <= STEADY_MEAN * median * identifier->gap_count;
}

static inline bool
gaps_are_bounded(const identifier_t *identifier)
{
	return (uint64_t)identifier->gap_longest_us * identifier->gap_count <=
	       identifier->gap_sum_us * UNEVEN_LONGEST;
}

/* The newest gaps' median while it learns, then the one it settled with. */
static inline uint32_t
identifier_typical_us(const identifier_t *identifier)
{
	return identifier->rhythm == LEARNING ? median_us(identifier) : identifier->typical_us;
}

/* Learning is over: what is the rhythm, and what its limits? */
static inline void
settle(identifier_t *identifier, const rules_t *rules)
{
	uint64_t median = median_us(identifier);

	identifier->typical_us = (uint32_t)median;
	if (gaps_are_steady(identifier, median)) {
		identifier->rhythm = STEADY;
		identifier->late_ns = median * rules->late_percent * 10;
		identifier->missing_ns = median * rules->missing_periods * 1000;
	} else if (gaps_are_bounded(identifier)) {
		identifier->rhythm = UNEVEN;
		identifier->missing_ns =
		        identifier->gap_longest_us * rules->missing_periods * 1000;
	} else {
		identifier->rhythm = SPORADIC;
		identifier->gap_sum_us = 0;
		identifier->gap_count = 0;
		identifier->gap_longest_us = 0;
	}
}

static inline void
learn_gap(identifier_t *identifier, const rules_t *rules, uint32_t gap_us)
{
	identifier->gaps_us[identifier->gap_count % GAPS_KEPT] = gap_us;
	identifier->gap_count++;
	identifier->gap_sum_us += gap_us;
	if (gap_us > identifier->gap_longest_us)
		identifier->gap_longest_us = gap_us;
	if (identifier->gap_count >= rules->learn_gaps &&
	    identifier->gap_sum_us * 1000 >= rules->learn_ns)
		settle(identifier, rules);
}

/* One fault is one alarm: a late gap says nothing while something is wrong
 * already, and it is over when `calm_frames` gaps in a row were in time. */
static inline void
judge_gap(identifier_t *identifier, const rules_t *rules, uint64_t gap_ns, verdict_t *verdict)
{
	const uint32_t missing = 1u << ALARM_MISSING, late = 1u << ALARM_LATE;

	if (gap_ns > identifier->late_ns || gap_ns > identifier->missing_ns) {
		identifier->late_gaps++;
		identifier->calm = 0;
		if (gap_ns > identifier->missing_ns)
			verdict->raise |= missing & ~identifier->alarms;
		else if ((identifier->alarms & (missing | late)) == 0)
			verdict->raise |= late;
		return;
	}
	if (identifier->calm < rules->calm_frames)
		identifier->calm++;
	if (identifier->calm >= rules->calm_frames)
		verdict->over |= identifier->alarms & (missing | late);
}

/* Is this a frame that gaps are counted from? */
static inline bool
begins_message(const identifier_t *identifier, uint64_t data)
{
	return identifier->meaning != NMEA_FAST_PACKET || (data & 0x1F) == 0;
}

static inline void
identifier_hear_time(identifier_t *identifier, const rules_t *rules, const bus_clock_t *clock,
                     verdict_t *verdict)
{
	uint64_t began_ns = identifier->last_ns;
	bool is_gap = began_ns != 0 && began_ns <= clock->now_ns &&
	              identifier->epoch == clock->steps;

	identifier->last_ns = clock->now_ns;
	identifier->epoch = clock->steps;
	if (!is_gap)
		return;

	verdict->gap_ns = clock->now_ns - began_ns;
	uint32_t gap_us = gap_to_us(verdict->gap_ns);
	if (gap_us < identifier->shortest_us)
		identifier->shortest_us = gap_us;
	if (gap_us > identifier->longest_us)
		identifier->longest_us = gap_us;

	verdict->learned = identifier->rhythm == LEARNING || identifier->rhythm == SPORADIC;
	if (verdict->learned)
		learn_gap(identifier, rules, gap_us);
	else
		judge_gap(identifier, rules, verdict->gap_ns, verdict);
}

/* How long has it been silent?  0 when that cannot be said. */
static inline uint64_t
identifier_silence_ns(const identifier_t *identifier, const bus_clock_t *clock)
{
	uint64_t since_ns =
	        identifier->epoch == clock->steps ? identifier->last_ns : clock->stepped_ns;
	return clock->now_ns > since_ns ? clock->now_ns - since_ns : 0;
}

static inline bool
identifier_is_missing(const identifier_t *identifier, const bus_clock_t *clock)
{
	return identifier_silence_ns(identifier, clock) > identifier->missing_ns &&
	       (identifier->alarms & 1u << ALARM_MISSING) == 0;
}

/* ---- data ---------------------------------------------------------------------- */

/* A row of equal data is suspicious when it is longer than `stuck_frames` and
 * than four times any row that ended by itself: what changes slowly by nature
 * sets its own measure, and what never changed is not judged. */
static inline uint64_t
stuck_limit(const identifier_t *identifier, const rules_t *rules)
{
	uint64_t patience = STUCK_PATIENCE * identifier->longest_same;
	return patience > rules->stuck_frames ? patience : rules->stuck_frames;
}

static inline void
data_changed(identifier_t *identifier, const rules_t *rules, uint64_t data, verdict_t *verdict)
{
	uint64_t limit = stuck_limit(identifier, rules);
	uint64_t row = identifier->same_frames < limit ? identifier->same_frames : limit;

	/* A row that raised an alarm counts as long as its limit: each false
	 * alarm makes us four times as patient, a long fault no more than that. */
	if (row > identifier->longest_same)
		identifier->longest_same = row;
	if (identifier->changes < STUCK_CHANGES)
		identifier->changes++;
	identifier->data = data;
	identifier->same_frames = 1;
	verdict->over |= identifier->alarms & 1u << ALARM_STUCK;
}

static inline void
identifier_hear_data(identifier_t *identifier, const rules_t *rules, uint64_t data,
                     verdict_t *verdict)
{
	data &= identifier->data_mask;
	if (identifier->frames == 1) {
		identifier->data = data;
		identifier->same_frames = 1;
		return;
	}
	if (data != identifier->data) {
		data_changed(identifier, rules, data, verdict);
		return;
	}
	identifier->same_frames++;
	if (identifier->changes >= STUCK_CHANGES &&
	    identifier->same_frames > stuck_limit(identifier, rules))
		verdict->raise |= 1u << ALARM_STUCK & ~identifier->alarms;
}

/* ---- one frame ----------------------------------------------------------------- */

/* The clock has heard the frame already. */
static inline verdict_t
identifier_hear(identifier_t *identifier, const rules_t *rules, const bus_clock_t *clock,
                const frame_t *frame)
{
	verdict_t verdict = { 0 };
	identifier->frames++;
	if (frame->when_ns != 0 && begins_message(identifier, frame->data))
		identifier_hear_time(identifier, rules, clock, &verdict);
	identifier_hear_data(identifier, rules, frame->data, &verdict);
	return verdict;
}

/* ---- the table ----------------------------------------------------------------- */

typedef struct identifier_table {
	uint16_t     index[INDEX_SLOTS]; /* number + 1; 0: empty */
	identifier_t list[IDENTIFIERS_MAX];
} identifier_table_t;

_Static_assert(sizeof(identifier_table_t) ==
                       sizeof(uint16_t) * INDEX_SLOTS + sizeof(identifier_t) * IDENTIFIERS_MAX,
               "no padding");

/* The slot of an identifier: its own, or the empty one where it would be. */
static inline uint16_t *
table_slot(identifier_table_t *table, uint32_t word, uint32_t interface)
{
	uint64_t key = (uint64_t)interface << 32 | word;
	uint32_t at = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 52);

	for (;; at = (at + 1) % INDEX_SLOTS) {
		uint16_t *slot = &table->index[at];
		if (*slot == 0)
			return slot;
		const identifier_t *identifier = &table->list[*slot - 1];
		if (identifier->word == word && identifier->interface == interface)
			return slot;
	}
}

_Static_assert(INDEX_SLOTS == 1 << (64 - 52), "the hash's shift");

/* What can be said of an identifier from its first frame. */
static inline identifier_t
identifier_met(const frame_t *frame)
{
	identifier_t identifier = {
		.word = frame->word,
		.interface = (uint16_t)frame->interface,
		.meaning = NMEA_OTHER,
		.rhythm = LEARNING,
		.late_ns = NOT_JUDGED,
		.missing_ns = NOT_JUDGED,
		.shortest_us = UINT32_MAX,
	};
	if (frame->bytes <= 8 && (frame->word & CAN_REMOTE) == 0)
		identifier.data_mask = UINT64_MAX;
	if (frame->is_nmea)
		identifier.meaning = nmea_meaning_of(nmea_pgn(frame->word));
	if (identifier.meaning < NMEA_MESSAGES)
		identifier.data_mask = nmea_data_mask(&nmea_messages[identifier.meaning]);
	if (identifier.meaning == NMEA_FAST_PACKET)
		identifier.data_mask = 0;
	return identifier;
}

#endif
