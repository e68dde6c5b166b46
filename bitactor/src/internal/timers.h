/* SPDX-License-Identifier: Apache-2.0 */
/* timers.h -- what is due, and in which order; caller's memory, one thread.
 *
 *             arm                   turn                 hand_out          fired
 *      free ---+-- relative, past --> [ waiting ] --> [ heap ] --> [ window ] --> free
 *              |                                      ^      |
 *              +-- absolute, to come -----------------+      +--> its next period
 *
 * They fire by due, then by the order in which they were armed, so what fires is a
 * function of the calls alone.  Nothing fires early, and nothing that was armed in a
 * turn fires in it.
 *
 *   Relative   A delay counts from the `now` of the next turn: the `now` of this one is
 *              older than whatever the handler that arms has done since (waiting).
 *   Periodic   next due = previous due + period, so there is no drift.  When late:
 *                SKIP      one firing; `missed` is counted
 *                COALESCE  one firing; `missed` is counted, and told to the handler
 *                CATCH_UP  a firing for each period, each with its own due
 *              After SKIP and COALESCE the next due is the first on the grid after now.
 *              fired + missed is how many periods have passed, whatever the policy.
 *   Cancel     wins within the turn: what is in the window, and not fired yet, is called
 *              off in place.  A timer that fires once is over as it fires: to its own
 *              handler its reference is STALE, and there is room for its successor.
 *   Arm again  is cancel and arm: a new reference and a new place in the order.
 *   The end    of time is UINT64_MAX, "never".  What can be seen to be due then when it
 *              is armed is an ERROR.  What comes to it later (a delay, when the clock
 *              jumped; the next period) stays armed, fires no more, and is counted as
 *              an overflow; it can be cancelled like any other.
 *
 * Arms are staged: commit makes those since the last commit final, undo takes them back
 * and leaves no trace: indices, generations, order and high water are as before.
 *
 * In memory, 96 bytes a timer and the window, 6 KiB at most:
 *
 *      keys      [ heap, by (due, order), four children each -> | <- waiting ]
 *      who       the same places: whose key it is
 *      positions by timer: where its key is
 *      timers    signal, cause, period; free ones are linked, oldest first
 *      window    up to 64 firings, copies, so nothing that happens to a timer moves what
 *                is about to be dispatched
 *
 * Only who and positions move with a key; a timer's own line is read when it is armed,
 * fires or ends.  Children of a key share a cache line.
 *
 * Cost: arm, cancel, a firing O(log n), an arm O(1) for a due that is later than most.
 *
 * Not promised: CATCH_UP with a period shorter than the limit of a turn lets it work off
 * falls ever further behind, and as the oldest due goes first, it delays all others.
 *
 * Sources: J. W. J. Williams, CACM 7(6), 1964 (heap); D. B. Johnson, Inf. Proc. Letters
 * 4(3), 1975 (more than two children).
 */
#ifndef BA_TIMERS_H
#define BA_TIMERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../include/bitactor/bitactor.h"
#include "invariant.h"
#include "queue.h"

#define BA_TIMER_NEVER UINT64_MAX /* ns */

enum {
	BA_TIMERS_WINDOW    = 64, /* firings handed out at once: a chunk              */
	BA_TIMER_INDEX_BITS = 20, /* of a reference: index + 1, so that 0 is nobody   */
	BA_TIMERS_MOST      = (1 << BA_TIMER_INDEX_BITS) - 1,
	BA_TIMER_LIVES      = 4095, /* generations 1..4095, in the upper 12 bits      */
	BA_TIMER_CHILDREN   = 4
};

#define BA_TIMER_NOWHERE UINT32_MAX /* position of who has no key */

typedef enum ba_timer_policy {
	BA_TIMER_ONCE     = 0, /* has no period */
	BA_TIMER_SKIP     = 1,
	BA_TIMER_COALESCE = 2,
	BA_TIMER_CATCH_UP = 3
} ba_timer_policy_t;

typedef struct ba_timer_spec {
	bitactor_signal_t signal;    /* without data                                 */
	uint64_t cause;              /* seq of the record that arms it                */
	uint64_t due_or_delay_ns;    /* of the first firing                           */
	uint64_t period_ns;          /* 0 with ONCE, and only then                    */
	ba_timer_policy_t policy;
	bool     relative;           /* a delay, from the next turn's now             */
} ba_timer_spec_t;

/* What fires: its own copy, in the form in which signals are dispatched. */
typedef struct ba_timer_firing {
	ba_slot_t slot;      /* sequence: the cause                                   */
	uint64_t  due_ns;    /* this period's                                         */
	uint64_t  order;     /* of arming                                             */
	uint64_t  missed;    /* later periods up to now that get no firing            */
	uint32_t  reference; /* 0: cancelled since it was handed out                  */
	uint8_t   policy;
	bool      is_last;   /* the next period would be past the end of time         */
} ba_timer_firing_t;

typedef struct ba_timer_key {
	uint64_t due_ns; /* of a relative one that waits: the delay */
	uint64_t order;  /* of arming; 2^64 never come to an end    */
} ba_timer_key_t;

typedef struct ba_timer {
	bitactor_signal_t signal;
	uint64_t cause;
	uint64_t period_ns;
	uint32_t link;       /* index + 1: of the next free one, of the one staged before */
	uint16_t generation; /* of who has it, or will have it next */
	uint8_t  policy;
	bool     relative;
} ba_timer_t;

_Static_assert(sizeof(ba_timer_key_t) * BA_TIMER_CHILDREN == BA_CACHE_LINE,
               "the children of a key share a line");
_Static_assert(sizeof(ba_timer_t) == 72, "no padding: 96 bytes a timer with its key");
_Static_assert(sizeof(ba_timer_firing_t) == 96, "no hidden padding");

typedef struct ba_timers {
	/* Read-only after init. */
	ba_timer_key_t    *keys;
	uint32_t          *who;
	uint32_t          *positions;
	ba_timer_t        *timers;
	ba_timer_firing_t *window;
	uint32_t capacity;
	uint32_t window_capacity;

	uint32_t heap_count;    /* keys[0, heap_count)                       */
	uint32_t waiting_count; /* keys[capacity - waiting_count, capacity)  */
	uint32_t window_first, window_count; /* window[first, count) has not fired yet */
	uint32_t free_first, free_last;      /* index + 1, 0: none           */
	uint32_t staged;        /* index + 1 of the newest, 0: none          */
	uint64_t next_order;
	uint64_t now_ns;        /* of this turn                              */
	uint64_t limit_left;    /* firings, in this turn                     */

	uint32_t armed, armed_high; /* high: of those that were committed    */
	uint64_t fired, missed, overflows;
} ba_timers_t;

/* ---- memory ------------------------------------------------------------- */

static inline uint32_t
ba_timers_window(uint32_t capacity)
{
	return capacity < BA_TIMERS_WINDOW ? capacity : BA_TIMERS_WINDOW;
}

/* keys[0] stands at the end of a line, so that its children begin the next. */
static inline size_t
ba_timers_keys_bytes(uint32_t capacity)
{
	return ((size_t)capacity + BA_TIMER_CHILDREN - 1) * sizeof(ba_timer_key_t);
}

/* Bytes that `capacity` timers need, 0..BA_TIMERS_MOST. */
static inline size_t
ba_timers_bytes(uint32_t capacity)
{
	BA_ASSERT(capacity <= BA_TIMERS_MOST);
	if (capacity == 0)
		return 0;
	return ba_timers_keys_bytes(capacity) + capacity * sizeof(ba_timer_t) +
	       ba_timers_window(capacity) * sizeof(ba_timer_firing_t) +
	       2 * (size_t)capacity * sizeof(uint32_t);
}

/* `memory` is aligned to a cache line; NULL for a capacity of 0, where every arm is
 * FULL.  All of it but the window is written: no page fault comes later. */
static inline void
ba_timers_init(ba_timers_t *t, void *memory, uint32_t capacity)
{
	BA_ASSERT((uintptr_t)memory % BA_CACHE_LINE == 0);
	BA_ASSERT(capacity <= BA_TIMERS_MOST);
	*t = (ba_timers_t){ .capacity        = capacity,
		            .window_capacity = ba_timers_window(capacity) };
	if (capacity == 0)
		return;
	BA_ASSERT(memory != NULL);
	uint8_t *at = memory;
	t->keys     = (ba_timer_key_t *)(void *)at + (BA_TIMER_CHILDREN - 1);
	t->timers   = (ba_timer_t *)(void *)(at += ba_timers_keys_bytes(capacity));
	t->window   = (ba_timer_firing_t *)(void *)(at += capacity * sizeof(ba_timer_t));
	t->who      = (uint32_t *)(void *)(at += t->window_capacity * sizeof *t->window);
	t->positions  = t->who + capacity;
	t->free_first = 1;
	t->free_last  = capacity;
	for (uint32_t i = 0; i < capacity; i++) {
		t->keys[i]      = (ba_timer_key_t){ .due_ns = BA_TIMER_NEVER };
		t->who[i]       = 0;
		t->positions[i] = BA_TIMER_NOWHERE;
		t->timers[i]    = (ba_timer_t){ .link       = i + 1 < capacity ? i + 2 : 0,
			                        .generation = 1 };
	}
}

/* ---- the heap ------------------------------------------------------------ */

static inline bool
ba_timer_is_before(ba_timer_key_t a, ba_timer_key_t b)
{
	/* By bits: which of four children is least, nobody can predict. */
	return (a.due_ns < b.due_ns) | ((a.due_ns == b.due_ns) & (a.order < b.order));
}

static inline void
ba_timers_put(ba_timers_t *t, uint32_t position, ba_timer_key_t key, uint32_t index)
{
	t->keys[position]   = key;
	t->who[position]    = index;
	t->positions[index] = position;
}

static inline void
ba_timers_sift_up(ba_timers_t *t, uint32_t position, ba_timer_key_t key, uint32_t index)
{
	while (position > 0) {
		uint32_t parent = (position - 1) / BA_TIMER_CHILDREN;
		if (!ba_timer_is_before(key, t->keys[parent]))
			break;
		ba_timers_put(t, position, t->keys[parent], t->who[parent]);
		position = parent;
	}
	ba_timers_put(t, position, key, index);
}

static inline void
ba_timers_sift_down(ba_timers_t *t, uint32_t position, ba_timer_key_t key, uint32_t index)
{
	for (;;) {
		uint32_t child = position * BA_TIMER_CHILDREN + 1, least = child;
		if (child >= t->heap_count)
			break;
		uint32_t end = child + BA_TIMER_CHILDREN;
		if (end > t->heap_count)
			end = t->heap_count;
		while (++child < end)
			if (ba_timer_is_before(t->keys[child], t->keys[least]))
				least = child;
		if (!ba_timer_is_before(t->keys[least], key))
			break;
		ba_timers_put(t, position, t->keys[least], t->who[least]);
		position = least;
	}
	ba_timers_put(t, position, key, index);
}

static inline void
ba_timers_push(ba_timers_t *t, ba_timer_key_t key, uint32_t index)
{
	BA_ASSERT(t->heap_count + t->waiting_count < t->capacity);
	ba_timers_sift_up(t, t->heap_count++, key, index);
}

/* Take a timer's key away, from the heap or from those that wait. */
static inline void
ba_timers_pull(ba_timers_t *t, uint32_t index)
{
	uint32_t position = t->positions[index];
	BA_ASSERT(position < t->capacity);
	t->positions[index] = BA_TIMER_NOWHERE;
	if (position >= t->heap_count) {
		uint32_t inner = t->capacity - t->waiting_count--;
		BA_ASSERT(position >= inner);
		if (position != inner)
			ba_timers_put(t, position, t->keys[inner], t->who[inner]);
		return;
	}
	uint32_t last = --t->heap_count;
	if (position == last)
		return;
	ba_timer_key_t key = t->keys[last];
	if (position > 0 &&
	    ba_timer_is_before(key, t->keys[(position - 1) / BA_TIMER_CHILDREN]))
		ba_timers_sift_up(t, position, key, t->who[last]);
	else
		ba_timers_sift_down(t, position, key, t->who[last]);
}

/* ---- references ---------------------------------------------------------- */

static inline uint32_t
ba_timers_reference(const ba_timers_t *t, uint32_t index)
{
	return (uint32_t)t->timers[index].generation << BA_TIMER_INDEX_BITS | (index + 1);
}

static inline uint32_t
ba_timer_index(uint32_t reference)
{
	return (reference & BA_TIMERS_MOST) - 1;
}

/* Is one armed by this name?  OK, or STALE: cancelled, over, or never was.  An index
 * comes to the same generation again after BA_TIMER_LIVES timers. */
static inline bitactor_status_t
ba_timers_find(const ba_timers_t *t, uint32_t reference)
{
	uint32_t index = ba_timer_index(reference); /* of index + 1 == 0: 2^32 - 1 */
	if (index >= t->capacity || reference != ba_timers_reference(t, index))
		return BITACTOR_STALE;
	/* A name that was not given out yet is the free one's next. */
	if (t->positions[index] != BA_TIMER_NOWHERE)
		return BITACTOR_OK;
	for (uint32_t i = t->window_first; i < t->window_count; i++)
		if (t->window[i].reference == reference)
			return BITACTOR_OK;
	return BITACTOR_STALE;
}

static inline void
ba_timers_free(ba_timers_t *t, uint32_t index)
{
	ba_timer_t *timer = &t->timers[index];
	timer->generation = (uint16_t)(timer->generation % BA_TIMER_LIVES + 1);
	timer->link       = 0;
	if (t->free_last != 0)
		t->timers[t->free_last - 1].link = index + 1;
	else
		t->free_first = index + 1;
	t->free_last = index + 1;
	t->armed--;
}

/* ---- arm, commit, undo, cancel ------------------------------------------- */

/* Stage a timer.
 *
 *   reference  set when it is OK; never 0
 *   returns    BITACTOR_OK
 *              BITACTOR_ERROR  ONCE with a period or periodic without, no such policy,
 *                              or due at the end of time already by this turn's now
 *              BITACTOR_FULL   `capacity` are armed
 *   cost       O(log n), O(1) for a relative one
 */
static inline bitactor_status_t
ba_timers_arm(ba_timers_t *t, const ba_timer_spec_t *spec, uint32_t *reference)
{
	uint64_t due = spec->due_or_delay_ns;
	uint64_t end = BA_TIMER_NEVER - (spec->relative ? t->now_ns : 0);
	BA_ASSERT(spec->signal.data_bytes == 0);
	if ((unsigned)spec->policy > BA_TIMER_CATCH_UP ||
	    (spec->policy == BA_TIMER_ONCE) != (spec->period_ns == 0) || due >= end)
		return BITACTOR_ERROR;
	if (t->free_first == 0)
		return BITACTOR_FULL;

	uint32_t    index = t->free_first - 1;
	ba_timer_t *timer = &t->timers[index];
	t->free_first = timer->link;
	if (t->free_first == 0)
		t->free_last = 0;
	timer->signal    = spec->signal;
	timer->cause     = spec->cause;
	timer->period_ns = spec->period_ns;
	timer->policy    = (uint8_t)spec->policy;
	timer->relative  = spec->relative;
	timer->link      = t->staged;
	t->staged        = index + 1;
	t->armed++;

	ba_timer_key_t key = { .due_ns = due, .order = t->next_order++ };
	if (spec->relative || due <= t->now_ns)
		ba_timers_put(t, t->capacity - ++t->waiting_count, key, index);
	else
		ba_timers_push(t, key, index);
	*reference = ba_timers_reference(t, index);
	return BITACTOR_OK;
}

/* What was armed since the last commit is armed for good. */
static inline void
ba_timers_commit(ba_timers_t *t)
{
	t->staged = 0;
	if (t->armed > t->armed_high)
		t->armed_high = t->armed;
}

/* What was armed since the last commit never was.  Nothing may have happened to the
 * timers in between but arming. */
static inline void
ba_timers_undo(ba_timers_t *t)
{
	while (t->staged != 0) {
		uint32_t    index = t->staged - 1;
		ba_timer_t *timer = &t->timers[index];
		t->next_order--;
		BA_ASSERT(t->keys[t->positions[index]].order == t->next_order);
		ba_timers_pull(t, index);
		t->staged   = timer->link;
		timer->link = t->free_first;
		if (t->free_first == 0)
			t->free_last = index + 1;
		t->free_first = index + 1;
		t->armed--;
	}
}

/* Call a timer off, also one that is handed out and has not fired.  OK or STALE;
 * nothing is staged. */
static inline bitactor_status_t
ba_timers_cancel(ba_timers_t *t, uint32_t reference)
{
	BA_ASSERT(t->staged == 0);
	if (ba_timers_find(t, reference) != BITACTOR_OK)
		return BITACTOR_STALE;
	uint32_t index = ba_timer_index(reference);
	for (uint32_t i = t->window_first; i < t->window_count; i++)
		if (t->window[i].reference == reference)
			t->window[i].reference = 0;
	if (t->positions[index] != BA_TIMER_NOWHERE)
		ba_timers_pull(t, index);
	ba_timers_free(t, index);
	return BITACTOR_OK;
}

/* ---- the turn ------------------------------------------------------------ */

/* When the next turn has something to do, at the earliest: this turn's now when a timer
 * waits for its delay to begin, BA_TIMER_NEVER when nothing will ever fire. */
static inline uint64_t
ba_timers_next_due(const ba_timers_t *t)
{
	if (t->waiting_count > 0)
		return t->now_ns;
	for (uint32_t i = t->window_first; i < t->window_count; i++)
		if (t->window[i].reference != 0)
			return t->window[i].due_ns; /* before all that is in the heap */
	return t->heap_count > 0 ? t->keys[0].due_ns : BA_TIMER_NEVER;
}

/* What was handed out and has not fired is due as before: from the last to the first, so
 * that of the periods of one timer the earliest stays. */
static inline void
ba_timers_take_back(ba_timers_t *t)
{
	while (t->window_count > t->window_first) {
		const ba_timer_firing_t *firing = &t->window[--t->window_count];
		if (firing->reference == 0)
			continue;
		uint32_t       index = ba_timer_index(firing->reference);
		ba_timer_key_t key   = { .due_ns = firing->due_ns, .order = firing->order };
		if (firing->policy == BA_TIMER_ONCE)
			ba_timers_push(t, key, index);
		else
			ba_timers_sift_up(t, t->positions[index], key, index);
	}
	t->window_first = 0;
	t->window_count = 0;
}

/* Begin a turn: delays begin at `now_ns`, which is never smaller than the last turn's,
 * and at most `limit` timers, at least 1, will fire.  What does not is due in the next. */
static inline void
ba_timers_turn(ba_timers_t *t, uint64_t now_ns, uint64_t limit)
{
	BA_ASSERT(now_ns >= t->now_ns);
	BA_ASSERT(limit >= 1);
	BA_ASSERT(t->staged == 0);
	ba_timers_take_back(t);
	t->now_ns     = now_ns < BA_TIMER_NEVER ? now_ns : BA_TIMER_NEVER - 1;
	t->limit_left = limit;
	while (t->waiting_count > 0) {
		uint32_t       inner = t->capacity - t->waiting_count--;
		uint32_t       index = t->who[inner];
		ba_timer_key_t key   = t->keys[inner];
		if (t->timers[index].relative) {
			bool fits = key.due_ns < BA_TIMER_NEVER - t->now_ns;
			key.due_ns = fits ? key.due_ns + t->now_ns : BA_TIMER_NEVER;
			t->overflows += !fits;
		}
		ba_timers_push(t, key, index);
	}
}

/* Move the first of the heap into the window; a periodic one goes on to its next due. */
static inline void
ba_timers_hand_one(ba_timers_t *t)
{
	ba_timer_firing_t *firing = &t->window[t->window_count++];
	ba_timer_key_t     key    = t->keys[0];
	uint32_t           index  = t->who[0];
	const ba_timer_t  *timer  = &t->timers[index];
	firing->slot.signal     = timer->signal;
	firing->slot.data_block = 0;
	firing->slot.spare      = 0;
	/* relaxed: ours; in the shared queue alone it publishes something */
	atomic_store_explicit(&firing->slot.sequence, timer->cause, memory_order_relaxed);
	firing->due_ns    = key.due_ns;
	firing->order     = key.order;
	firing->missed    = 0;
	firing->reference = ba_timers_reference(t, index);
	firing->policy    = timer->policy;
	firing->is_last   = false;
	if (timer->policy == BA_TIMER_ONCE) {
		ba_timers_pull(t, index);
		return;
	}
	uint64_t period = timer->period_ns;
	if (timer->policy != BA_TIMER_CATCH_UP) {
		firing->missed = (t->now_ns - key.due_ns) / period;
		key.due_ns += firing->missed * period; /* the last one up to now */
	}
	firing->is_last = period >= BA_TIMER_NEVER - key.due_ns;
	key.due_ns      = firing->is_last ? BA_TIMER_NEVER : key.due_ns + period;
	ba_timers_sift_down(t, 0, key, index);
}

/* Hand out the next that are due, at most `most`, in order, in t->window[0..]: how many;
 * 0: this turn has no more.  They stay readable until the next call of this or of
 * ba_timers_turn; what had been handed out before and did not fire comes again. */
static inline uint32_t
ba_timers_hand_out(ba_timers_t *t, uint32_t most)
{
	ba_timers_take_back(t);
	if (most > t->window_capacity)
		most = t->window_capacity;
	if (most > t->limit_left)
		most = (uint32_t)t->limit_left;
	while (t->window_count < most && t->heap_count > 0 && t->keys[0].due_ns <= t->now_ns)
		ba_timers_hand_one(t);
	return t->window_count;
}

/* The i-th of what was handed out; its reference is 0 when it must not fire.  Its place
 * stays: cancelling moves nobody. */
static inline ba_timer_firing_t *
ba_timers_due_at(ba_timers_t *t, uint32_t i)
{
	BA_ASSERT(i < t->window_count);
	return &t->window[i];
}

/* The next `count` of what was handed out, cancelled ones too, are dispatched now.  Say
 * so one by one, before each handler: whether it finds room for a timer must not depend
 * on how many others were handed out with it. */
static inline void
ba_timers_fired(ba_timers_t *t, uint32_t count)
{
	BA_ASSERT(count <= t->window_count - t->window_first);
	for (; count > 0; count--) {
		const ba_timer_firing_t *firing = &t->window[t->window_first++];
		if (firing->reference == 0)
			continue;
		t->limit_left--;
		t->fired++;
		t->missed += firing->missed;
		t->overflows += firing->is_last;
		if (firing->policy == BA_TIMER_ONCE)
			ba_timers_free(t, ba_timer_index(firing->reference));
	}
}

/* ---- invariants ----------------------------------------------------------- */

static inline void
ba_timers_check_key(const ba_timers_t *t, uint32_t position)
{
	uint32_t index = t->who[position];
	BA_ASSERT(index < t->capacity);
	BA_ASSERT(t->positions[index] == position);
	BA_ASSERT(t->keys[position].order < t->next_order);
	BA_ASSERT(t->timers[index].generation >= 1);
	BA_ASSERT(t->timers[index].generation <= BA_TIMER_LIVES);
	BA_ASSERT((t->timers[index].policy == BA_TIMER_ONCE) == (t->timers[index].period_ns == 0));
}

/* How many in the window have no key: they fire once and have not yet. */
static inline uint32_t
ba_timers_check_window(const ba_timers_t *t)
{
	uint32_t keyless = 0;
	BA_ASSERT(t->window_first <= t->window_count);
	BA_ASSERT(t->window_count <= t->window_capacity);
	const ba_timer_key_t *last = NULL;
	ba_timer_key_t        key, before = { 0 };
	for (uint32_t i = t->window_first; i < t->window_count; i++) {
		const ba_timer_firing_t *firing = &t->window[i];
		if (firing->reference == 0)
			continue;
		BA_ASSERT(ba_timers_find(t, firing->reference) == BITACTOR_OK);
		BA_ASSERT(firing->due_ns <= t->now_ns);
		uint32_t position = t->positions[ba_timer_index(firing->reference)];
		BA_ASSERT((position == BA_TIMER_NOWHERE) == (firing->policy == BA_TIMER_ONCE));
		keyless += position == BA_TIMER_NOWHERE;
		key = (ba_timer_key_t){ .due_ns = firing->due_ns, .order = firing->order };
		BA_ASSERT(last == NULL || ba_timer_is_before(before, key));
		before = key;
		last   = &before;
	}
	BA_ASSERT(last == NULL || t->heap_count == 0 || ba_timer_is_before(before, t->keys[0]));
	return keyless;
}

/* Everything that must be true between two calls; O(n). */
static inline void
ba_timers_check(const ba_timers_t *t)
{
	/* Heap and waiting lie apart; the heap is one; each key knows its timer and back. */
	BA_ASSERT(t->heap_count + t->waiting_count <= t->capacity);
	for (uint32_t i = 0; i < t->heap_count; i++) {
		ba_timers_check_key(t, i);
		BA_ASSERT(i == 0 || ba_timer_is_before(t->keys[(i - 1) / BA_TIMER_CHILDREN],
		                                       t->keys[i]));
	}
	for (uint32_t i = t->capacity - t->waiting_count; i < t->capacity; i++)
		ba_timers_check_key(t, i);

	/* The window is in order, before the heap.  An armed timer is in one place, or in the
	 * heap for its next period and in the window for this one. */
	uint32_t keyless = ba_timers_check_window(t);
	BA_ASSERT(t->armed == t->heap_count + t->waiting_count + keyless);

	/* All the others are free, each once. */
	uint32_t free_count = 0, last = 0;
	for (uint32_t i = t->free_first; i != 0; i = t->timers[i - 1].link) {
		BA_ASSERT(i <= t->capacity);
		BA_ASSERT(t->positions[i - 1] == BA_TIMER_NOWHERE);
		BA_ASSERT(free_count < t->capacity);
		free_count++;
		last = i;
	}
	BA_ASSERT(last == t->free_last);
	BA_ASSERT(free_count + t->armed == t->capacity);

	/* Staged ones are the newest, the newest first. */
	uint64_t order = t->next_order;
	for (uint32_t i = t->staged; i != 0; i = t->timers[i - 1].link) {
		order--;
		BA_ASSERT(t->positions[i - 1] < t->capacity);
		BA_ASSERT(t->keys[t->positions[i - 1]].order == order);
	}
	BA_ASSERT(t->staged != 0 || t->armed <= t->armed_high);
}

#endif
