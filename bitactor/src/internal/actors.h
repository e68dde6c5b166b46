/* SPDX-License-Identifier: Apache-2.0 */
/* actors.h -- the table of actors: references, cells, who supervises, who watches.
 *
 *      reference    generation << 20 | index      0: nobody
 *
 *      lines        | nobody | ref behaviour | cell | ref behaviour | cell | ...
 *      ties         | nobody | kin, watchers, rule  | kin, watchers, rule  | ...
 *
 * A dispatch touches an actor's line and nothing else: the line holds the whole
 * reference, so one comparison says whether it is still meant.  No other line equals
 * what leads there: where nobody lives, the index is 0 under the last generation;
 * nobody's own line says index 1, which always has a line of its own.  What binds an
 * actor to others lies in `ties`, which only spawn, stop and restart read.
 *
 * References are a function of the calls alone.  An index is given out in order of
 * how long it has been free: first those that never lived, then the ended ones,
 * oldest end first.  Its generation counts its lives, 1..4095 and again from 1, so a
 * reference is found stale until its index has lived 4,095 times more.
 *
 * Kin: an actor is the child of its supervisor, or of nobody, in the order of
 * spawning.  An end takes the children along, in an order that is the reverse of
 * how a tree is built: children before their supervisor, the youngest first.  It
 * goes by the links themselves, so no depth of tree needs a stack.
 *
 * A stop or a restart is a walk: begin it, then take its events one by one until
 * none is left; only then is anything else asked of the table but to find.  Nothing
 * allocates.  Everything but the four pointers in ba_actors_t is indices: the block
 * may be copied, and copied back.
 *
 * Not promised: spawn and stop from any thread but the dispatching one; a bound on
 * the events of a walk, which are as many as the tree has actors and watchers.
 *
 * Sources: index and generation in one word, A. Weissflog, "Handles are the better
 * pointers", floooh.github.io, 2018; the order of ends, Erlang/OTP, supervisor(3).
 */
#ifndef BA_ACTORS_H
#define BA_ACTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../../include/bitactor/bitactor.h"
#include "invariant.h"

enum {
	BA_ACTOR_INDEX_BITS  = 20,
	BA_ACTORS_MOST       = (1 << BA_ACTOR_INDEX_BITS) - 1,
	BA_ACTOR_GENERATIONS = 4095,
	BA_ACTOR_CELL_MOST   = 65528, /* bytes; with its header 1,024 lines */
	BA_TIES_POOL_MOST    = (1 << 24) - 1, /* monitors, and rules */
	BA_RESTARTS_MOST     = 16    /* restarts that a rule can count */
};

#define BA_NOBODY UINT16_MAX /* the behaviour of nobody: no kind has this number */

/* The head of a line; the cell lies behind it.  Read by every dispatch. */
typedef struct ba_actor {
	uint32_t reference; /* ended: its index bits are 0          */
	uint16_t behaviour;
	uint16_t flags;     /* the dispatch's own; 0 at spawn       */
} ba_actor_t;

/* What binds an actor to others: indices, 0 for none.  Those of nobody (index 0)
 * have the actors without a supervisor as children, so there is no special case. */
typedef struct ba_ties {
	uint32_t supervisor;
	uint32_t eldest, youngest; /* child                                      */
	uint32_t older, newer;     /* sibling; `newer` of a free one: freed after it */
	uint32_t watchers; /* monitor: the newest of a ring, where `next` is the oldest */
	uint32_t watching; /* monitor: the newest that is its own                */
	uint32_t rule;     /* how its children are supervised; 0: they are stopped */
} ba_ties_t;

/* One actor watches another.  Free ones are linked through `next`. */
typedef struct ba_monitor {
	uint32_t watcher, watched; /* indices; 0: free                           */
	uint32_t before, next;     /* in the ring of those who watch the same    */
	uint32_t older, newer;     /* among those of the same watcher            */
} ba_monitor_t;

/* What becomes of a child that failed; supervision.h decides by it. */
enum ba_strategy {
	BA_STRATEGY_STOP,
	BA_STRATEGY_RESTART_ONE,
	BA_STRATEGY_RESTART_ALL, /* in the order they were spawned */
	BA_STRATEGY_ESCALATE
};

/* How an actor's children are supervised.  There is one where the strategy is not
 * STOP, or restarts are noted that a change back would count. */
typedef struct ba_rule {
	uint64_t period_ns;
	uint64_t restarts; /* noted so far; the newest 16 of them: */
	uint64_t restarted_ns[BA_RESTARTS_MOST]; /* number n at [n % 16] */
	uint32_t owner;    /* index; 0: free      */
	uint32_t next;     /* free one, 0: none   */
	uint8_t  strategy; /* enum ba_strategy    */
	uint8_t  most;     /* restarts within period_ns, 0..BA_RESTARTS_MOST */
	uint8_t  pad[6];
} ba_rule_t;

_Static_assert(sizeof(ba_actor_t) == 8, "a cell of 56 bytes and its header are one line");
_Static_assert(sizeof(ba_ties_t) == 32, "8 + 32 bytes beside the cell: within the 64 promised");
_Static_assert(sizeof(ba_monitor_t) == 24, "six indices");
_Static_assert(sizeof(ba_rule_t) == 160, "no padding that nobody sees");

typedef struct ba_actors_limits {
	uint32_t capacity;   /* actors at a time, 1..2^20-1                            */
	uint32_t cell_bytes; /* state of each, 0..65528; made 8, 24, 56, 120, 184, ... */
	uint32_t monitors;   /* that may be set at a time, 0..2^24-1                   */
	uint32_t rules;      /* supervisors with a rule of their own, 0..2^24-1        */
} ba_actors_limits_t;

enum ba_actor_event_kind {
	BA_ACTOR_STOPPED,   /* its reference is stale from now on                 */
	BA_ACTOR_RESTARTED, /* its cell is zero, its children are gone            */
	BA_ACTOR_TELL       /* `watcher` is owed a signal: `reference` has ended  */
};

typedef struct ba_actor_event {
	uint32_t what;      /* enum ba_actor_event_kind                           */
	uint32_t reference;
	uint32_t watcher;   /* BA_ACTOR_TELL only, else 0                         */
	uint16_t behaviour; /* of `reference`                                     */
	uint16_t reason;    /* bitactor_status_t: why; CANCELLED: went with its supervisor */
} ba_actor_event_t;

/* A stop or a restart in progress. */
typedef struct ba_walk {
	uint32_t top;     /* index of who is to be stopped or restarted; 0: over   */
	uint32_t at;      /* where in its tree; 0 when over                        */
	uint32_t ended;   /* index whose watchers are told, then it is free; 0     */
	uint32_t ended_reference;
	uint32_t failed;  /* reference that gets `reason` wherever it is met       */
	uint16_t reason;
	uint16_t ended_reason;
	bool     restart; /* the top                                               */
	bool     all;     /* and then its newer siblings                           */
} ba_walk_t;

typedef struct ba_actors {
	/* What find needs. */
	uint8_t *lines;
	uint32_t stride_bytes;
	uint32_t line_count; /* indices 1..line_count have a line, at least 1     */

	ba_ties_t    *ties;
	ba_monitor_t *monitors; /* [0] is written to and never read */
	ba_rule_t    *rules;    /* [0] is never used                */

	uint32_t capacity, cell_bytes;
	uint32_t lived;            /* indices 1..lived have lived; lags behind line_count */
	                           /* by the first lives that were undone           */
	uint32_t count, high;      /* alive; `high` lags behind, see ba_actors_high */
	uint32_t free_oldest, free_newest; /* index of an ended one, 0: none        */
	uint64_t reused;           /* lives that were not the first of their index  */

	uint32_t monitor_limit, monitor_count, free_monitor;
	uint32_t rule_limit, rule_count, free_rule;
	ba_walk_t walk;
} ba_actors_t;

/* ---- memory ------------------------------------------------------------- */

/* Header and cell: a power of two up to a line, then whole lines, so that no
 * dispatch of a small cell touches two. */
static inline uint32_t
ba_actors_stride(uint32_t cell_bytes)
{
	uint32_t bytes = (uint32_t)sizeof(ba_actor_t) + cell_bytes;
	if (bytes <= 16)
		return 16;
	if (bytes <= 32)
		return 32;
	return (bytes + 63) / 64 * 64;
}

static inline size_t
ba_actors_lines_bytes(const ba_actors_limits_t *limits)
{
	size_t bytes = ((size_t)limits->capacity + 1) * ba_actors_stride(limits->cell_bytes);
	return (bytes + 63) / 64 * 64;
}

/* Bytes of a table, a multiple of 64; 0: a limit is out of range. */
static inline size_t
ba_actors_bytes(const ba_actors_limits_t *limits)
{
	if (limits->capacity < 1 || limits->capacity > BA_ACTORS_MOST ||
	    limits->cell_bytes > BA_ACTOR_CELL_MOST || limits->monitors > BA_TIES_POOL_MOST ||
	    limits->rules > BA_TIES_POOL_MOST)
		return 0;
	size_t bytes = ba_actors_lines_bytes(limits) +
	               ((size_t)limits->capacity + 1) * sizeof(ba_ties_t) +
	               ((size_t)limits->rules + 1) * sizeof(ba_rule_t) +
	               ((size_t)limits->monitors + 1) * sizeof(ba_monitor_t);
	return (bytes + 63) / 64 * 64;
}

/* Make an empty table in the caller's block of ba_actors_bytes(), aligned to 64.
 * Lines and ties are not touched before they live. */
static inline void
ba_actors_init(ba_actors_t *a, void *block, const ba_actors_limits_t *limits)
{
	BA_ASSERT(ba_actors_bytes(limits) != 0);
	BA_ASSERT((uintptr_t)block % 64 == 0);

	memset(a, 0, sizeof *a);
	a->lines        = block;
	a->stride_bytes = ba_actors_stride(limits->cell_bytes);
	a->cell_bytes   = a->stride_bytes - (uint32_t)sizeof(ba_actor_t);
	a->capacity     = limits->capacity;
	a->ties         = (ba_ties_t *)(void *)(a->lines + ba_actors_lines_bytes(limits));
	a->rules        = (ba_rule_t *)(void *)(a->ties + limits->capacity + 1);
	a->monitors     = (ba_monitor_t *)(void *)(a->rules + limits->rules + 1);

	memset(a->lines, 0, 2 * (size_t)a->stride_bytes);
	a->line_count = 1;
	*(ba_actor_t *)(void *)a->lines = (ba_actor_t){ .reference = 1, .behaviour = BA_NOBODY };
	a->ties[0] = (ba_ties_t){ .supervisor = 0 };

	a->monitor_limit = limits->monitors;
	a->free_monitor  = limits->monitors > 0;
	for (uint32_t i = 0; i <= limits->monitors; i++)
		a->monitors[i] = (ba_monitor_t){ .next = i < limits->monitors ? i + 1 : 0 };
	a->rule_limit = limits->rules;
	a->free_rule  = limits->rules > 0;
	for (uint32_t i = 0; i <= limits->rules; i++)
		a->rules[i] = (ba_rule_t){ .next = i < limits->rules ? i + 1 : 0 };
}

/* ---- finding ------------------------------------------------------------ */

static inline uint32_t
ba_actor_index(uint32_t reference)
{
	return reference & BA_ACTORS_MOST;
}

static inline ba_actor_t *
ba_actors_line(const ba_actors_t *a, uint32_t index)
{
	return (ba_actor_t *)(void *)(a->lines + (size_t)index * a->stride_bytes);
}

/* Where signals for those who are gone end: behaviour BA_NOBODY, no cell of use. */
static inline ba_actor_t *
ba_actors_nobody(const ba_actors_t *a)
{
	return ba_actors_line(a, 0);
}

/* The line that `reference` leads to, whether or not it is still meant.  Any u32:
 * what has no line leads to nobody's.  Reads nothing of the line, so it serves to
 * prefetch. */
static inline ba_actor_t *
ba_actors_at(const ba_actors_t *a, uint32_t reference)
{
	uint32_t index = ba_actor_index(reference);
	return ba_actors_line(a, index <= a->line_count ? index : 0);
}

/* The actor's line; NULL: stale, nobody, or no reference at all.  Any u32. */
static inline ba_actor_t *
ba_actors_find(const ba_actors_t *a, uint32_t reference)
{
	ba_actor_t *line = ba_actors_at(a, reference);
	return line->reference == reference ? line : NULL;
}

/* The same for a pass over many signals, whose next step is the same for all:
 * nobody's line instead of NULL. */
static inline ba_actor_t *
ba_actors_resolve(const ba_actors_t *a, uint32_t reference)
{
	ba_actor_t *line = ba_actors_at(a, reference);
	return line->reference == reference ? line : ba_actors_nobody(a);
}

/* Its state: cell_bytes of the table, aligned to 8. */
static inline void *
ba_actors_cell(ba_actor_t *line)
{
	return line + 1;
}

static inline uint32_t
ba_actors_count(const ba_actors_t *a)
{
	return a->count;
}

/* Most that lived at a time.  Kept up when one ends, not when one is spawned, so a
 * spawn that was undone never counts. */
static inline uint32_t
ba_actors_high(const ba_actors_t *a)
{
	return a->count > a->high ? a->count : a->high;
}

static inline bool
ba_actors_is_walking(const ba_actors_t *a)
{
	return a->walk.top != 0 || a->walk.ended != 0;
}

/* ---- kin ---------------------------------------------------------------- */

static inline void
ba_ties_join(ba_actors_t *a, uint32_t index, uint32_t supervisor)
{
	ba_ties_t *above = &a->ties[supervisor];

	a->ties[index] = (ba_ties_t){ .supervisor = supervisor, .older = above->youngest };
	if (above->youngest != 0)
		a->ties[above->youngest].newer = index;
	else
		above->eldest = index;
	above->youngest = index;
}

static inline void
ba_ties_leave(ba_actors_t *a, uint32_t index)
{
	ba_ties_t *ties  = &a->ties[index];
	ba_ties_t *above = &a->ties[ties->supervisor];

	BA_ASSERT(ties->eldest == 0);
	if (ties->older != 0)
		a->ties[ties->older].newer = ties->newer;
	else
		above->eldest = ties->newer;
	if (ties->newer != 0)
		a->ties[ties->newer].older = ties->older;
	else
		above->youngest = ties->older;
}

/* ---- monitors ----------------------------------------------------------- */

static inline void
ba_monitor_drop(ba_actors_t *a, uint32_t number)
{
	ba_monitor_t *monitor = &a->monitors[number];
	ba_ties_t    *watched = &a->ties[monitor->watched];

	a->monitors[monitor->before].next = monitor->next;
	a->monitors[monitor->next].before = monitor->before;
	if (watched->watchers == number)
		watched->watchers = monitor->before != number ? monitor->before : 0;

	a->monitors[monitor->older].newer = monitor->newer;
	a->monitors[monitor->newer].older = monitor->older;
	if (monitor->newer == 0)
		a->ties[monitor->watcher].watching = monitor->older;

	*monitor = (ba_monitor_t){ .next = a->free_monitor };
	a->free_monitor = number;
	a->monitor_count--;
}

/* When `watched` ends, the walk that ends it says BA_ACTOR_TELL, to its watchers in
 * the order in which they came; a monitor serves once.  The watcher's own end or
 * restart takes it back.  Setting it twice gives two.
 *
 * OK; STALE: either is gone; ERROR: an actor does not watch itself; FULL: all are
 * set, nothing was done. */
static inline bitactor_status_t
ba_actors_monitor(ba_actors_t *a, uint32_t watcher, uint32_t watched)
{
	BA_ASSERT(!ba_actors_is_walking(a));
	if (ba_actors_find(a, watcher) == NULL || ba_actors_find(a, watched) == NULL)
		return BITACTOR_STALE;
	if (watcher == watched)
		return BITACTOR_ERROR;
	uint32_t number = a->free_monitor;
	if (number == 0)
		return BITACTOR_FULL;

	ba_ties_t    *own     = &a->ties[ba_actor_index(watcher)];
	ba_ties_t    *its     = &a->ties[ba_actor_index(watched)];
	ba_monitor_t *monitor = &a->monitors[number];
	a->free_monitor = monitor->next;
	a->monitor_count++;
	*monitor = (ba_monitor_t){ .watcher = ba_actor_index(watcher),
		                   .watched = ba_actor_index(watched),
		                   .before  = number,
		                   .next    = number,
		                   .older   = own->watching };
	if (its->watchers != 0) {
		monitor->before = its->watchers;
		monitor->next   = a->monitors[its->watchers].next;
		a->monitors[monitor->before].next = number;
		a->monitors[monitor->next].before = number;
	}
	a->monitors[own->watching].newer = number;
	own->watching = its->watchers = number;
	return BITACTOR_OK;
}

/* Take back the newest monitor of this pair: also the exact undo of setting it.
 * EMPTY: there is none; STALE. */
static inline bitactor_status_t
ba_actors_unmonitor(ba_actors_t *a, uint32_t watcher, uint32_t watched)
{
	BA_ASSERT(!ba_actors_is_walking(a));
	if (ba_actors_find(a, watcher) == NULL || ba_actors_find(a, watched) == NULL)
		return BITACTOR_STALE;
	uint32_t number = a->ties[ba_actor_index(watcher)].watching;
	while (number != 0 && a->monitors[number].watched != ba_actor_index(watched))
		number = a->monitors[number].older;
	if (number == 0)
		return BITACTOR_EMPTY;
	ba_monitor_drop(a, number);
	return BITACTOR_OK;
}

/* ---- rules -------------------------------------------------------------- */

/* The rule of an index; NULL: it has none. */
static inline ba_rule_t *
ba_actors_rule(const ba_actors_t *a, uint32_t index)
{
	uint32_t number = a->ties[index].rule;
	return number != 0 ? &a->rules[number] : NULL;
}

/* NULL: all are in use. */
static inline ba_rule_t *
ba_rule_take(ba_actors_t *a, uint32_t index)
{
	uint32_t number = a->free_rule;
	if (number == 0)
		return NULL;
	a->free_rule         = a->rules[number].next;
	a->rules[number]     = (ba_rule_t){ .owner = index };
	a->ties[index].rule  = number;
	a->rule_count++;
	return &a->rules[number];
}

static inline void
ba_rule_give(ba_actors_t *a, uint32_t index)
{
	uint32_t number = a->ties[index].rule;
	if (number == 0)
		return;
	a->rules[number]    = (ba_rule_t){ .next = a->free_rule };
	a->free_rule        = number;
	a->ties[index].rule = 0;
	a->rule_count--;
}

/* ---- spawn and its undo ------------------------------------------------- */

/* One more actor, its cell zero.
 *
 *   supervisor   whose child it is; 0: nobody's
 *   reference    out
 *   returns      OK; STALE: the supervisor is gone; FULL: capacity live already
 *   cost         writes the line and two ties
 */
static inline bitactor_status_t
ba_actors_spawn(ba_actors_t *a, uint16_t behaviour, uint32_t supervisor, uint32_t *reference)
{
	BA_ASSERT(!ba_actors_is_walking(a));
	if (supervisor != 0 && ba_actors_find(a, supervisor) == NULL)
		return BITACTOR_STALE;
	if (a->count == a->capacity)
		return BITACTOR_FULL;

	uint32_t index, generation = 1;
	if (a->lived < a->capacity) {
		index = ++a->lived;
		if (index > a->line_count)
			a->line_count = index;
	} else {
		index          = a->free_oldest;
		a->free_oldest = a->ties[index].newer;
		if (a->free_oldest == 0)
			a->free_newest = 0;
		uint32_t last = ba_actors_line(a, index)->reference >> BA_ACTOR_INDEX_BITS;
		generation    = last % BA_ACTOR_GENERATIONS + 1;
		a->reused++;
	}
	ba_actor_t *line = ba_actors_line(a, index);
	memset(line, 0, a->stride_bytes);
	line->reference = generation << BA_ACTOR_INDEX_BITS | index;
	line->behaviour = behaviour;
	ba_ties_join(a, index, ba_actor_index(supervisor));
	a->count++;
	*reference = line->reference;
	return BITACTOR_OK;
}

/* What holds for a restart too: it watches nobody. */
static inline void
ba_actors_look_away(ba_actors_t *a, uint32_t index)
{
	while (a->ties[index].watching != 0)
		ba_monitor_drop(a, a->ties[index].watching);
}

/* Undo a spawn, as if it had never been: the next spawn gets the same reference.
 * Of several, the newest first, and before any stop; it has no children by then.
 * Monitors that it set or that were set on it go without a word. */
static inline void
ba_actors_unspawn(ba_actors_t *a, uint32_t reference)
{
	uint32_t    index = ba_actor_index(reference);
	ba_actor_t *line  = ba_actors_find(a, reference);

	BA_ASSERT(!ba_actors_is_walking(a));
	BA_ASSERT(line != NULL);
	BA_ASSERT(a->ties[a->ties[index].supervisor].youngest == index);
	ba_actors_look_away(a, index);
	while (a->ties[index].watchers != 0)
		ba_monitor_drop(a, a->ties[index].watchers);
	ba_rule_give(a, index);
	ba_ties_leave(a, index);
	a->count--;

	/* First lives come before all others: while any other stands, it is newer. */
	if (a->reused == 0) {
		BA_ASSERT(index == a->lived);
		line->reference = 0;
		a->lived--;
		return;
	}
	a->reused--;
	uint32_t generation = reference >> BA_ACTOR_INDEX_BITS;
	uint32_t last       = generation > 1 ? generation - 1 : BA_ACTOR_GENERATIONS;
	line->reference       = last << BA_ACTOR_INDEX_BITS;
	a->ties[index].newer  = a->free_oldest;
	a->free_oldest        = index;
	if (a->free_newest == 0)
		a->free_newest = index;
}

/* ---- stop and restart: a walk ------------------------------------------- */

/* Begin: `top` and its newer siblings if `all`.  `failed` is the reference whose
 * end has `reason`, beside the top's own. */
static inline void
ba_actors_walk(ba_actors_t *a, uint32_t top, bool restart, bool all, uint32_t failed,
               bitactor_status_t reason)
{
	BA_ASSERT(!ba_actors_is_walking(a));
	a->walk = (ba_walk_t){ .top     = top,
		               .at      = top,
		               .failed  = failed,
		               .reason  = (uint16_t)reason,
		               .restart = restart,
		               .all     = all };
}

/* Stop an actor and all below it: take the events with ba_actors_next, to the last.
 * OK, or STALE: nothing begins. */
static inline bitactor_status_t
ba_actors_stop(ba_actors_t *a, uint32_t reference, bitactor_status_t reason)
{
	if (ba_actors_find(a, reference) == NULL)
		return BITACTOR_STALE;
	ba_actors_walk(a, ba_actor_index(reference), false, false, reference, reason);
	return BITACTOR_OK;
}

/* The actor is gone; its index is free once its watchers are told. */
static inline void
ba_actors_end(ba_actors_t *a, uint32_t index, ba_actor_event_t *event)
{
	ba_walk_t  *walk = &a->walk;
	ba_actor_t *line = ba_actors_line(a, index);
	bool meant = index == walk->top || line->reference == walk->failed;

	walk->ended           = index;
	walk->ended_reference = line->reference;
	walk->ended_reason    = meant ? walk->reason : (uint16_t)BITACTOR_CANCELLED;
	*event = (ba_actor_event_t){ .what      = BA_ACTOR_STOPPED,
		                     .reference = line->reference,
		                     .behaviour = line->behaviour,
		                     .reason    = walk->ended_reason };
	line->reference &= ~(uint32_t)BA_ACTORS_MOST;

	ba_actors_look_away(a, index);
	ba_rule_give(a, index);
	ba_ties_leave(a, index);
	a->high = ba_actors_high(a);
	a->count--;
}

/* As just spawned, under the same reference: no children, no monitors of its own, a
 * cell of zeros.  Who watches it does so still, and its rule stays: that is how it
 * is run, as its behaviour is; but the restarts counted were of children now gone. */
static inline void
ba_actors_renew(ba_actors_t *a, uint32_t index, ba_actor_event_t *event)
{
	ba_actor_t *line = ba_actors_line(a, index);
	ba_rule_t  *rule = ba_actors_rule(a, index);

	ba_actors_look_away(a, index);
	if (rule != NULL && rule->strategy == BA_STRATEGY_STOP)
		ba_rule_give(a, index);
	else if (rule != NULL)
		rule->restarts = 0;
	memset(ba_actors_cell(line), 0, a->cell_bytes);
	*event = (ba_actor_event_t){ .what      = BA_ACTOR_RESTARTED,
		                     .reference = line->reference,
		                     .behaviour = line->behaviour,
		                     .reason    = a->walk.reason };
}

/* Tell the next watcher of the one that has ended; false: all know, it is free. */
static inline bool
ba_actors_tell(ba_actors_t *a, ba_actor_event_t *event)
{
	ba_walk_t *walk  = &a->walk;
	uint32_t   index = walk->ended, newest = a->ties[index].watchers;

	if (newest != 0) {
		uint32_t oldest  = a->monitors[newest].next;
		uint32_t watcher = a->monitors[oldest].watcher;
		*event = (ba_actor_event_t){
			.what      = BA_ACTOR_TELL,
			.reference = walk->ended_reference,
			.watcher   = ba_actors_line(a, watcher)->reference,
			.behaviour = ba_actors_line(a, index)->behaviour,
			.reason    = walk->ended_reason,
		};
		ba_monitor_drop(a, oldest);
		return true;
	}
	a->ties[index] = (ba_ties_t){ .newer = 0 };
	if (a->free_newest != 0)
		a->ties[a->free_newest].newer = index;
	else
		a->free_oldest = index;
	a->free_newest = index;
	walk->ended    = 0;
	return false;
}

/* The next event of the walk; false: it is over.  A watcher that the same walk ends
 * later is told all the same, and is stale when its signal comes. */
static inline bool
ba_actors_next(ba_actors_t *a, ba_actor_event_t *event)
{
	ba_walk_t *walk = &a->walk;

	if (walk->ended != 0 && ba_actors_tell(a, event))
		return true;
	if (walk->top == 0)
		return false;

	uint32_t at = walk->at;
	while (a->ties[at].youngest != 0)
		at = a->ties[at].youngest;
	if (at == walk->top && walk->restart) {
		walk->top = walk->at = walk->all ? a->ties[at].newer : 0;
		ba_actors_renew(a, at, event);
		return true;
	}
	walk->at = at != walk->top ? a->ties[at].supervisor : 0;
	ba_actors_end(a, at, event);
	if (walk->at == 0)
		walk->top = 0;
	return true;
}

/* ---- what always holds -------------------------------------------------- */

/* Every actor is reached once from nobody, going down by `eldest` and on by `newer`;
 * with as many found as live, no circle can exist beside the tree. */
static inline void
ba_actors_check_kin(const ba_actors_t *a)
{
	uint32_t at = 0, found = 0;

	for (;;) {
		const ba_ties_t *ties = &a->ties[at];
		uint32_t next = ties->eldest;
		if (next != 0) {
			BA_ASSERT(next <= a->lived);
			BA_ASSERT(a->ties[next].supervisor == at);
			BA_ASSERT(a->ties[next].older == 0);
		} else {
			BA_ASSERT(ties->youngest == 0);
			while (at != 0 && a->ties[at].newer == 0) {
				BA_ASSERT(a->ties[a->ties[at].supervisor].youngest == at);
				at = a->ties[at].supervisor;
			}
			if (at == 0)
				break;
			next = a->ties[at].newer;
			BA_ASSERT(next <= a->lived);
			BA_ASSERT(a->ties[next].older == at);
			BA_ASSERT(a->ties[next].supervisor == a->ties[at].supervisor);
		}
		BA_ASSERT(ba_actor_index(ba_actors_line(a, next)->reference) == next);
		BA_ASSERT(found < a->count);
		found++;
		at = next;
	}
	BA_ASSERT(found == a->count);
}

/* What lived and does not is free, in one list, or about to be. */
static inline void
ba_actors_check_lines(const ba_actors_t *a)
{
	uint32_t alive = 0, free_count = 0, last = 0;

	BA_ASSERT(ba_actors_nobody(a)->reference == 1);
	BA_ASSERT(ba_actors_nobody(a)->behaviour == BA_NOBODY);
	BA_ASSERT(a->lived <= a->line_count);
	BA_ASSERT(a->line_count <= a->capacity);
	BA_ASSERT(a->reused == 0 || a->lived == a->capacity);
	for (uint32_t index = a->lived + 1; index <= a->line_count; index++)
		BA_ASSERT(ba_actors_line(a, index)->reference == 0);
	for (uint32_t index = 1; index <= a->lived; index++) {
		uint32_t reference = ba_actors_line(a, index)->reference;
		uint32_t generation = reference >> BA_ACTOR_INDEX_BITS;
		BA_ASSERT(generation >= 1);
		BA_ASSERT(generation <= BA_ACTOR_GENERATIONS);
		if (ba_actor_index(reference) == 0)
			continue;
		BA_ASSERT(ba_actor_index(reference) == index);
		alive++;
	}
	BA_ASSERT(alive == a->count);
	for (uint32_t at = a->free_oldest; at != 0; at = a->ties[at].newer) {
		BA_ASSERT(at <= a->lived);
		BA_ASSERT(ba_actor_index(ba_actors_line(a, at)->reference) == 0);
		BA_ASSERT(at != a->walk.ended);
		BA_ASSERT(free_count < a->lived);
		free_count++;
		last = at;
	}
	BA_ASSERT(a->free_newest == last);
	BA_ASSERT(alive + free_count + (a->walk.ended != 0) == a->lived);
}

/* Each monitor is in the ring of the one and the list of the other, and every other
 * is free. */
static inline void
ba_actors_check_monitors(const ba_actors_t *a)
{
	uint32_t in_rings = 0, in_lists = 0, free_count = 0;

	for (uint32_t index = 1; index <= a->lived; index++) {
		bool alive = ba_actor_index(ba_actors_line(a, index)->reference) == index;
		if (!alive && index != a->walk.ended)
			continue;
		const ba_ties_t *ties = &a->ties[index];
		BA_ASSERT(alive || ties->watching == 0);
		uint32_t at = ties->watchers;
		for (bool first = true; at != 0 && (first || at != ties->watchers); first = false) {
			BA_ASSERT(at <= a->monitor_limit);
			const ba_monitor_t *monitor = &a->monitors[at];
			BA_ASSERT(monitor->watched == index);
			BA_ASSERT(monitor->next <= a->monitor_limit);
			BA_ASSERT(a->monitors[monitor->next].before == at);
			BA_ASSERT(in_rings < a->monitor_count);
			in_rings++;
			at = monitor->next;
		}
		uint32_t newer = 0;
		for (at = ties->watching; at != 0; at = a->monitors[at].older) {
			BA_ASSERT(at <= a->monitor_limit);
			BA_ASSERT(a->monitors[at].watcher == index);
			BA_ASSERT(a->monitors[at].newer == newer);
			BA_ASSERT(in_lists < a->monitor_count);
			in_lists++;
			newer = at;
		}
	}
	BA_ASSERT(in_rings == a->monitor_count);
	BA_ASSERT(in_lists == a->monitor_count);
	for (uint32_t at = a->free_monitor; at != 0; at = a->monitors[at].next) {
		BA_ASSERT(at <= a->monitor_limit);
		BA_ASSERT(a->monitors[at].watcher == 0);
		BA_ASSERT(a->monitors[at].watched == 0);
		BA_ASSERT(free_count < a->monitor_limit);
		free_count++;
	}
	BA_ASSERT(a->monitor_count + free_count == a->monitor_limit);
}

static inline void
ba_actors_check_rules(const ba_actors_t *a)
{
	uint32_t owned = 0, free_count = 0;

	for (uint32_t index = 1; index <= a->lived; index++) {
		if (ba_actor_index(ba_actors_line(a, index)->reference) == 0)
			continue;
		BA_ASSERT(a->ties[index].rule <= a->rule_limit);
		const ba_rule_t *rule = ba_actors_rule(a, index);
		if (rule == NULL)
			continue;
		BA_ASSERT(rule->owner == index);
		BA_ASSERT(rule->most <= BA_RESTARTS_MOST);
		BA_ASSERT(rule->strategy <= BA_STRATEGY_ESCALATE);
		BA_ASSERT(rule->strategy != BA_STRATEGY_STOP || rule->restarts > 0);
		owned++;
	}
	BA_ASSERT(owned == a->rule_count);
	for (uint32_t at = a->free_rule; at != 0; at = a->rules[at].next) {
		BA_ASSERT(at <= a->rule_limit);
		BA_ASSERT(a->rules[at].owner == 0);
		BA_ASSERT(free_count < a->rule_limit);
		free_count++;
	}
	BA_ASSERT(owned + free_count == a->rule_limit);
	BA_ASSERT(a->ties[0].rule == 0);
}

/* The head of this file, line by line.  O(capacity + monitors + rules). */
static inline void
ba_actors_check(const ba_actors_t *a)
{
	BA_ASSERT(a->count <= ba_actors_high(a));
	BA_ASSERT(ba_actors_high(a) <= a->capacity);
	ba_actors_check_lines(a);
	ba_actors_check_kin(a);
	ba_actors_check_monitors(a);
	ba_actors_check_rules(a);
}

#endif
