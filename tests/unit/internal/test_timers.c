/* SPDX-License-Identifier: Apache-2.0 */
/* test_timers.c -- timers fire in the one right order, never early, and no trace stays of
 * those that were taken back.  The B.. and 12 in titles are cases that other engines met. */
#include <sys/wait.h>
#include <unistd.h>

#include "../../../bitactor/src/internal/timers.h"
#include "../../engine_probe.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	(void)file, (void)line, (void)what;
	_exit(99);
}

/* ---- what the scenarios share ---------------------------------------- */

static ba_timers_t timers;
static void       *block;

static void
begin(uint32_t capacity)
{
	block = probe_block_take(ba_timers_bytes(capacity));
	ba_timers_init(&timers, block, capacity);
}

static void
end(void)
{
	ba_timers_check(&timers);
	probe_block_give(block, ba_timers_bytes(timers.capacity));
}

static ba_timer_spec_t
spec_of(uint64_t name, uint64_t due, uint64_t period, ba_timer_policy_t policy)
{
	return (ba_timer_spec_t){ .signal          = { .kind = 1, .payload = name },
		                  .cause           = name + 1000,
		                  .due_or_delay_ns = due,
		                  .period_ns       = period,
		                  .policy          = policy };
}

/* Arm for good; 0 when it was refused. */
static uint32_t
arm(ba_timer_spec_t spec)
{
	uint32_t reference = 0;
	bitactor_status_t status = ba_timers_arm(&timers, &spec, &reference);
	ba_timers_commit(&timers);
	CHECK_EQ(status, BITACTOR_OK);
	return reference;
}

static uint32_t
arm_at(uint64_t name, uint64_t due)
{
	return arm(spec_of(name, due, 0, BA_TIMER_ONCE));
}

static uint32_t
arm_after(uint64_t name, uint64_t delay)
{
	ba_timer_spec_t spec = spec_of(name, delay, 0, BA_TIMER_ONCE);
	spec.relative = true;
	return arm(spec);
}

typedef struct fired {
	uint64_t name, due, missed;
} fired_t;

enum { SEEN_MOST = 4096 };
static fired_t  seen[SEEN_MOST];
static uint32_t seen_count;

/* Let the next one fire; false when this turn has no more. */
static bool
fire_one(void)
{
	if (ba_timers_hand_out(&timers, 1) == 0)
		return false;
	const ba_timer_firing_t *firing = ba_timers_due_at(&timers, 0);
	ba_timers_fired(&timers, 1);
	CHECK_EQ(atomic_load_explicit(&firing->slot.sequence, memory_order_relaxed),
	         firing->slot.signal.payload + 1000);
	CHECK(firing->due_ns <= timers.now_ns);
	if (seen_count < SEEN_MOST)
		seen[seen_count++] = (fired_t){ firing->slot.signal.payload, firing->due_ns,
			                        firing->missed };
	return true;
}

/* A whole turn; what fired is in seen[0, answer). */
static uint32_t
turn(uint64_t now, uint64_t limit)
{
	seen_count = 0;
	ba_timers_turn(&timers, now, limit);
	while (fire_one())
		continue;
	ba_timers_check(&timers);
	return seen_count;
}

/* ---- sizes ------------------------------------------------------------ */

static void
test_sizes(void)
{
	SCENARIO("memory is the caller's, and as much as was said") {
		GIVEN("a million timers, and the most that a reference can name");
		WHEN("their bytes are asked for");
		THEN("it is 96 a timer and the window's 64 firings, rounded to a line");
		size_t window = BA_TIMERS_WINDOW * sizeof(ba_timer_firing_t);
		CHECK(ba_timers_bytes(1000000) <= 96 * 1000000 + window + 64);
		CHECK(ba_timers_bytes(BA_TIMERS_MOST) <= 96 * (size_t)BA_TIMERS_MOST + window + 64);
		CHECK_EQ(BA_TIMERS_MOST, 1048575);
	}
	SCENARIO("an engine without timers has none to give") {
		GIVEN("a capacity of 0 and no memory");
		WHEN("one is armed, a turn comes, a reference is cancelled");
		THEN("FULL, nothing, STALE");
		CHECK_EQ(ba_timers_bytes(0), 0);
		ba_timers_init(&timers, NULL, 0);
		ba_timer_spec_t spec = spec_of(1, 1, 0, BA_TIMER_ONCE);
		uint32_t reference = 77;
		CHECK_EQ(ba_timers_arm(&timers, &spec, &reference), BITACTOR_FULL);
		CHECK_EQ(reference, 77);
		CHECK_EQ(turn(5, 1), 0);
		CHECK_EQ(ba_timers_cancel(&timers, 1 << 20 | 1), BITACTOR_STALE);
		CHECK_EQ(ba_timers_cancel(&timers, 0), BITACTOR_STALE);
		CHECK(ba_timers_next_due(&timers) == BA_TIMER_NEVER);
	}
}

/* ---- order -------------------------------------------------------------- */

static void
test_order(void)
{
	SCENARIO("B19: equal dues fire in the order of arming, again and again") {
		GIVEN("1,000 timers, every third relative, all due at 1 ms");
		WHEN("they fire in turns of at most 7, twice over from the beginning");
		THEN("by arming order both times");
		for (int round = 0; round < 2; round++) {
			begin(1000);
			for (uint64_t i = 0; i < 1000; i++)
				(void)(i % 3 == 0 ? arm_after(i, MS) : arm_at(i, MS));
			CHECK_EQ(turn(0, 7), 0); /* here the delays begin */
			uint64_t next = 0, wrong = 0;
			while (turn(MS, 7) > 0)
				for (uint32_t i = 0; i < seen_count; i++)
					wrong += seen[i].name != next++;
			CHECK_EQ(next, 1000);
			CHECK_EQ(wrong, 0);
			end();
		}
	}
	SCENARIO("the limit delays, it does not reorder") {
		GIVEN("10 due ones, 3 a turn, and an older one that is armed in between");
		WHEN("the turns go by");
		THEN("3 at a time, and the older one comes first in the next turn");
		begin(16);
		for (uint64_t i = 0; i < 10; i++)
			(void)arm_at(i, 100 + i);
		CHECK_EQ(turn(200, 3), 3);
		CHECK_EQ(ba_timers_next_due(&timers), 103);
		(void)arm_at(99, 50);
		CHECK_EQ(ba_timers_next_due(&timers), 200); /* it waits for a turn, any turn */
		CHECK_EQ(turn(200, 3), 3);
		CHECK_EQ(seen[0].name, 99);
		CHECK_EQ(seen[0].due, 50);
		CHECK_EQ(seen[1].name, 3);
		CHECK_EQ(turn(200, 100), 5);
		CHECK_EQ(seen[4].name, 9);
		end();
	}
}

/* A turn ends early: what was handed out and not fired is due in the next, in order. */
static void
test_take_back(void)
{
	SCENARIO("what was handed out and did not fire comes again, as it was") {
		GIVEN("one that fires once, one that catches up, one that skips, all late");
		WHEN("8 are handed out, 3 fire, and the next turn comes");
		THEN("the fourth is the first, and none is missing or comes twice");
		begin(8);
		(void)arm_at(1, 25);
		(void)arm(spec_of(2, 10, 10, BA_TIMER_CATCH_UP));
		(void)arm(spec_of(3, 15, 20, BA_TIMER_SKIP));
		ba_timers_turn(&timers, 52, 100);
		CHECK_EQ(ba_timers_hand_out(&timers, 64), 7);
		ba_timers_check(&timers);
		CHECK_EQ(ba_timers_due_at(&timers, 0)->due_ns, 10);
		CHECK_EQ(ba_timers_due_at(&timers, 1)->due_ns, 15);
		CHECK_EQ(ba_timers_due_at(&timers, 2)->due_ns, 20);
		ba_timers_fired(&timers, 3);
		CHECK_EQ(ba_timers_next_due(&timers), 25);
		ba_timers_check(&timers);
		static const fired_t expected[] = { { 1, 25, 0 }, { 2, 30, 0 }, { 2, 40, 0 },
			                            { 2, 50, 0 }, { 3, 55, 0 } };
		CHECK_EQ(turn(55, 100), 5);
		for (uint32_t i = 0; i < 5; i++) {
			CHECK_EQ(seen[i].name, expected[i].name);
			CHECK_EQ(seen[i].due, expected[i].due);
			CHECK_EQ(seen[i].missed, expected[i].missed);
		}
		CHECK_EQ(timers.missed, 1); /* 3 was due at 15 and 35, fired once */
		CHECK_EQ(timers.fired, 8);
		end();
	}
}

/* ---- time ---------------------------------------------------------------- */

static void
test_now(void)
{
	SCENARIO("B22: a delay begins after the handler that asked for it") {
		GIVEN("a turn at 0 whose handler takes 5 s and then arms 5 s");
		WHEN("turns come at 5 s, just before 10 s, and at 10 s");
		THEN("it fires at 10 s, and until its delay has begun a turn is wanted at once");
		begin(4);
		CHECK_EQ(turn(0, 1), 0);
		(void)arm_after(1, 5 * S);
		CHECK_EQ(ba_timers_next_due(&timers), 0);
		CHECK_EQ(turn(5 * S, 1), 0);
		CHECK_EQ(ba_timers_next_due(&timers), 10 * S);
		CHECK_EQ(turn(10 * S - 1, 1), 0);
		CHECK_EQ(turn(10 * S, 1), 1);
		CHECK_EQ(seen[0].due, 10 * S);
		CHECK(ba_timers_next_due(&timers) == BA_TIMER_NEVER);
		end();
	}
	SCENARIO("B23: never early, whatever part of a millisecond it is") {
		GIVEN("999 ms, armed at 26 s and 0 to 999 us, as a delay and as a due");
		WHEN("turns come 1 ns before its time and at it");
		THEN("it fires in the second of the two, for all 1,000 phases");
		for (uint64_t phase = 0; phase < 1000; phase++) {
			uint64_t now = 26 * S + phase * US, due = now + 999 * MS;
			begin(2);
			CHECK_EQ(turn(now - 1, 1), 0);
			(void)arm_after(1, 999 * MS);
			CHECK_EQ(turn(now, 1), 0);
			(void)arm_at(2, due);
			CHECK_EQ(turn(due - 1, 2), 0);
			CHECK_EQ(ba_timers_next_due(&timers), due);
			CHECK_EQ(turn(due, 2), 2);
			end();
		}
	}
	SCENARIO("nothing that is armed in a turn fires in it") {
		GIVEN("a turn at 100, and a handler that arms for 40, 100, 101 and after 0");
		WHEN("the turn goes on, and the next one comes at the same time");
		THEN("nothing in the first; all but 101 in the second, by due");
		begin(8);
		(void)arm_at(0, 100);
		CHECK_EQ(turn(100, 10), 1);
		(void)arm_at(1, 101);
		(void)arm_at(2, 100);
		(void)arm_after(3, 0);
		(void)arm_at(4, 40);
		CHECK(!fire_one());
		CHECK_EQ(turn(100, 10), 3);
		CHECK_EQ(seen[0].name, 4);
		CHECK_EQ(seen[1].name, 2);
		CHECK_EQ(seen[2].name, 3);
		end();
	}
}

/* ---- periods ------------------------------------------------------------- */

static void
test_periods(void)
{
	static const struct {
		ba_timer_policy_t policy;
		uint32_t          firings;
		uint64_t          told;
	} rows[] = { { BA_TIMER_SKIP, 1, 9 },
		     { BA_TIMER_COALESCE, 1, 9 },
		     { BA_TIMER_CATCH_UP, 10, 0 } };
	for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
		SCENARIO(row == 0   ? "B26: a slow call of 10 periods, skip"
		         : row == 1 ? "B26: a slow call of 10 periods, coalesce"
		                    : "B26: a slow call of 10 periods, catch up") {
			GIVEN("a period of 1 ms, and a handler that takes 10 of them at 1 ms");
			WHEN("the next turn comes at 11 ms, and then one each ms");
			THEN("1, 1 or 10 firings, 9, 9 or 0 missed; then one each ms, on the grid");
			begin(1);
			(void)arm(spec_of(5, MS, MS, rows[row].policy));
			CHECK_EQ(turn(MS, 100), 1);
			CHECK_EQ(turn(11 * MS + 3, 100), rows[row].firings);
			for (uint32_t i = 0; i < seen_count; i++) {
				CHECK_EQ(seen[i].due, (2 + i) * MS);
				CHECK_EQ(seen[i].missed, rows[row].told);
			}
			CHECK_EQ(timers.missed, rows[row].told);
			CHECK_EQ(timers.fired + timers.missed, 11);
			for (uint64_t now = 12; now < 20; now++) {
				CHECK_EQ(ba_timers_next_due(&timers), now * MS);
				CHECK_EQ(turn(now * MS + now * 7 % 5, 100), 1);
				CHECK_EQ(seen[0].due, now * MS);
				CHECK_EQ(seen[0].missed, 0);
			}
			end();
		}
}

static void
test_grid(void)
{
	SCENARIO("12: no drift") {
		GIVEN("a period of 1 ms and turns that come up to 0.9 ms late, 1,000 times");
		WHEN("they fire");
		THEN("the dues are the multiples of 1 ms");
		uint64_t random = 12, wrong = 0;
		begin(1);
		(void)arm(spec_of(1, MS, MS, BA_TIMER_SKIP));
		for (uint64_t i = 1; i <= 1000; i++)
			wrong += turn(i * MS + probe_random(&random) % (900 * US), 1) != 1 ||
			         seen[0].due != i * MS;
		CHECK_EQ(wrong, 0);
		end();
	}
	SCENARIO("who catches up takes its place among the others, by due") {
		GIVEN("a period of 10 from 10 on, and one of 20 armed before it, 55 late");
		WHEN("a turn lets all fire");
		THEN("dues never fall; of equal ones the older timer is first");
		begin(2);
		(void)arm(spec_of(1, 20, 20, BA_TIMER_CATCH_UP));
		(void)arm(spec_of(2, 10, 10, BA_TIMER_CATCH_UP));
		static const uint64_t names[] = { 2, 1, 2, 2, 1, 2, 2 };
		static const uint64_t dues[]  = { 10, 20, 20, 30, 40, 40, 50 };
		CHECK_EQ(turn(55, 100), 7);
		for (uint32_t i = 0; i < 7; i++) {
			CHECK_EQ(seen[i].name, names[i]);
			CHECK_EQ(seen[i].due, dues[i]);
		}
		end();
	}
}

/* Turns of `max` dispatches that cost 1 ms each; how many until `signals` are done. */
static uint64_t
steps_until_done(uint64_t max, uint64_t signals)
{
	uint64_t now = MS, steps = 0, limit = max / 4 > 0 ? max / 4 : 1;
	while (signals > 0 && steps < 100000) {
		uint64_t began = steps;
		ba_timers_turn(&timers, now, limit);
		for (; fire_one(); steps++)
			now += MS;
		for (; signals > 0 && steps - began < max; signals--, steps++)
			now += MS;
	}
	return steps;
}

static void
test_starvation(void)
{
	SCENARIO("B18: timers that take all the time there is do not starve signals") {
		GIVEN("a 1 ms timer that costs 1 ms, of each policy, and 100 queued signals");
		WHEN("turns of 2 to 64 dispatches give timers a quarter, and at least one");
		THEN("all signals have run within 200 dispatches");
		for (ba_timer_policy_t p = BA_TIMER_SKIP; p <= BA_TIMER_CATCH_UP; p++)
			for (uint64_t max = 2; max <= 64; max++) {
				begin(4);
				(void)arm(spec_of(1, MS, MS, p));
				CHECK(steps_until_done(max, 100) <= 200);
				end();
			}
	}
	SCENARIO("B18: two equal timers that take all the time there is alternate") {
		GIVEN("two 1 ms timers that cost 1 ms each, of each policy");
		WHEN("400 turns let one, or two, fire");
		THEN("strictly one, then the other");
		for (uint64_t limit = 1; limit <= 2; limit++)
			for (ba_timer_policy_t p = BA_TIMER_SKIP; p <= BA_TIMER_CATCH_UP; p++) {
				uint64_t now = MS, next = 0, wrong = 0;
				begin(2);
				(void)arm(spec_of(0, MS, MS, p));
				(void)arm(spec_of(1, MS, MS, p));
				for (int i = 0; i < 400; i++, now += seen_count * MS) {
					wrong += turn(now, limit) == 0;
					for (uint32_t k = 0; k < seen_count; k++, next++)
						wrong += seen[k].name != next % 2;
				}
				CHECK_EQ(wrong, 0);
				end();
			}
	}
}

/* ---- cancel, arm again ---------------------------------------------------- */

static void
test_cancel(void)
{
	SCENARIO("12: cancel wins within the turn") {
		GIVEN("three due ones and one that catches up, all handed out");
		WHEN("the first one's handler cancels the second and the catcher");
		THEN("they do not fire, the third does, and nobody has moved");
		begin(8);
		(void)arm_at(1, 10);
		uint32_t second = arm_at(2, 11), catcher;
		catcher = arm(spec_of(3, 9, 1, BA_TIMER_CATCH_UP));
		(void)arm_at(4, 12);
		ba_timers_turn(&timers, 12, 100);
		CHECK_EQ(ba_timers_hand_out(&timers, 64), 7);
		ba_timers_fired(&timers, 2);
		CHECK_EQ(ba_timers_due_at(&timers, 1)->slot.signal.payload, 1);
		CHECK_EQ(ba_timers_cancel(&timers, second), BITACTOR_OK);
		CHECK_EQ(ba_timers_cancel(&timers, second), BITACTOR_STALE);
		CHECK_EQ(ba_timers_cancel(&timers, catcher), BITACTOR_OK);
		ba_timers_check(&timers);
		static const uint64_t names[] = { 3, 1, 0, 0, 0, 0, 4 };
		for (uint32_t i = 2; i < 7; i++) {
			const ba_timer_firing_t *firing = ba_timers_due_at(&timers, i);
			CHECK_EQ(firing->reference != 0 ? firing->slot.signal.payload : 0,
			         names[i]);
		}
		CHECK_EQ(ba_timers_next_due(&timers), 12);
		ba_timers_fired(&timers, 5);
		CHECK_EQ(timers.fired, 3);
		CHECK_EQ(timers.armed, 0);
		CHECK_EQ(ba_timers_hand_out(&timers, 64), 0);
		end();
	}
	SCENARIO("what is cancelled takes nothing off the limit") {
		GIVEN("four due ones and a limit of 2");
		WHEN("two are handed out and one of them is cancelled");
		THEN("another takes its place in the same turn, and no more");
		begin(4);
		uint32_t first = arm_at(1, 1);
		for (uint64_t i = 2; i <= 4; i++)
			(void)arm_at(i, i);
		ba_timers_turn(&timers, 9, 2);
		CHECK_EQ(ba_timers_hand_out(&timers, 64), 2);
		CHECK_EQ(ba_timers_cancel(&timers, first), BITACTOR_OK);
		ba_timers_fired(&timers, 2);
		CHECK_EQ(ba_timers_hand_out(&timers, 64), 1);
		CHECK_EQ(ba_timers_due_at(&timers, 0)->slot.signal.payload, 3);
		ba_timers_fired(&timers, 1);
		CHECK_EQ(ba_timers_hand_out(&timers, 64), 0);
		CHECK_EQ(timers.armed, 1);
		end();
	}
}

static void
test_again(void)
{
	SCENARIO("arming again is a new timer, with a new place in the order") {
		GIVEN("two that are due together");
		WHEN("the first is cancelled and armed for the same time");
		THEN("it fires second, and its old reference is stale");
		begin(4);
		uint32_t old = arm_at(1, 50);
		(void)arm_at(2, 50);
		CHECK_EQ(ba_timers_cancel(&timers, old), BITACTOR_OK);
		uint32_t again = arm_at(1, 50);
		CHECK(again != old);
		CHECK_EQ(ba_timers_find(&timers, old), BITACTOR_STALE);
		CHECK_EQ(ba_timers_find(&timers, again), BITACTOR_OK);
		CHECK_EQ(turn(50, 9), 2);
		CHECK_EQ(seen[0].name, 2);
		CHECK_EQ(seen[1].name, 1);
		end();
	}
	SCENARIO("a handler arms its own timer again") {
		GIVEN("room for one timer, and a handler that arms the next from its firing");
		WHEN("it has fired 10,000 times");
		THEN("there was always room, and its reference was stale to itself");
		uint64_t wrong = 0;
		begin(1);
		uint32_t reference = arm_at(0, 0);
		for (uint64_t i = 0; i < 10000; i++) {
			wrong += turn(i, 5) != 1 || seen[0].name != i;
			wrong += ba_timers_cancel(&timers, reference) != BITACTOR_STALE;
			reference = arm_at(i + 1, i + 1);
		}
		CHECK_EQ(wrong, 0);
		CHECK_EQ(timers.armed_high, 1);
		end();
	}
	SCENARIO("a periodic one is cancelled by its own handler") {
		GIVEN("one that catches up, 3 periods late");
		WHEN("the handler of its first firing cancels it");
		THEN("that firing counts, the other periods do not fire");
		begin(1);
		uint32_t reference = arm(spec_of(1, 10, 10, BA_TIMER_CATCH_UP));
		ba_timers_turn(&timers, 30, 9);
		CHECK_EQ(ba_timers_hand_out(&timers, 9), 1); /* room for 1: a window of 1 */
		ba_timers_fired(&timers, 1);
		CHECK_EQ(ba_timers_cancel(&timers, reference), BITACTOR_OK);
		CHECK_EQ(ba_timers_hand_out(&timers, 9), 0);
		CHECK_EQ(timers.fired, 1);
		CHECK_EQ(timers.armed, 0);
		end();
	}
}

/* ---- references ----------------------------------------------------------- */

static void
test_references(void)
{
	SCENARIO("freed indices come again oldest first") {
		GIVEN("5 timers, and no room for more");
		WHEN("2, 0, 4 are cancelled, 1 and 3 fire, and 5 are armed");
		THEN("they have the indices 2, 0, 4, 1, 3, in generation 2");
		static const uint32_t cancelled[] = { 2, 0, 4 }, expected[] = { 2, 0, 4, 1, 3 };
		uint32_t references[5];
		begin(5);
		for (uint32_t i = 0; i < 5; i++) {
			references[i] = arm_at(i, 10 + i);
			CHECK_EQ(references[i], 1 << 20 | (i + 1));
		}
		for (uint32_t i = 0; i < 3; i++)
			CHECK_EQ(ba_timers_cancel(&timers, references[cancelled[i]]), BITACTOR_OK);
		CHECK_EQ(turn(20, 9), 2);
		for (uint32_t i = 0; i < 5; i++)
			CHECK_EQ(arm_at(i, 30), 2 << 20 | (expected[i] + 1));
		end();
	}
	SCENARIO("a reference is stale until its index has lived 4,095 times more") {
		GIVEN("room for 2, one armed to stay, one cancelled");
		WHEN("the other index lives 4,094 times, and once again");
		THEN("the cancelled reference is stale all the time; then it is a name again");
		begin(2);
		uint32_t kept = arm_at(1, 5), first = arm_at(2, 5), wrong = 0;
		CHECK_EQ(ba_timers_cancel(&timers, first), BITACTOR_OK);
		for (uint32_t life = 0; life < 4094; life++) {
			uint32_t reference = arm_at(life, 5);
			wrong += reference == first || (reference & 0xFFFFF) != 2;
			wrong += ba_timers_find(&timers, first) != BITACTOR_STALE;
			wrong += ba_timers_cancel(&timers, first) != BITACTOR_STALE;
			wrong += ba_timers_cancel(&timers, reference) != BITACTOR_OK;
		}
		CHECK_EQ(wrong, 0);
		CHECK_EQ(arm_at(9, 5), first);
		CHECK_EQ(ba_timers_find(&timers, kept), BITACTOR_OK);
		end();
	}
	SCENARIO("a reference that was not given out yet names nobody") {
		GIVEN("an index that is free, and the name that it will have");
		WHEN("that is looked for and cancelled");
		THEN("STALE, as are 0 and names beyond the capacity");
		static const uint32_t names[] = { 0,           1 << 20,      1 << 20 | 1,
			                          1 << 20 | 5, UINT32_MAX, 2u << 20 | 1 };
		begin(4);
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			CHECK_EQ(ba_timers_find(&timers, names[i]), BITACTOR_STALE);
			CHECK_EQ(ba_timers_cancel(&timers, names[i]), BITACTOR_STALE);
		}
		CHECK_EQ(timers.armed, 0);
		end();
	}
}

/* ---- errors ---------------------------------------------------------------- */

static void
test_errors(void)
{
	SCENARIO("what can never be right is refused, and leaves nothing") {
		GIVEN("a now of 100");
		WHEN("a policy does not fit its period, or the due is the end of time");
		THEN("ERROR, also when there is no room; one ns less is OK");
		ba_timer_spec_t bad[] = {
			spec_of(1, 200, 0, BA_TIMER_SKIP),
			spec_of(1, 200, 0, BA_TIMER_CATCH_UP),
			spec_of(1, 200, 5, BA_TIMER_ONCE),     spec_of(1, 200, 5, 4),
			spec_of(1, 200, 0, BA_TIMER_COALESCE), spec_of(1, BA_TIMER_NEVER, 0, 0),
			spec_of(1, BA_TIMER_NEVER - 100, 0, 0)
		};
		enum { BAD = sizeof bad / sizeof bad[0] };
		uint32_t reference = 7;
		bad[BAD - 1].relative = true;
		begin(2);
		CHECK_EQ(turn(100, 1), 0);
		for (int i = 0; i < BAD; i++)
			CHECK_EQ(ba_timers_arm(&timers, &bad[i], &reference), BITACTOR_ERROR);
		CHECK_EQ(reference, 7);
		CHECK_EQ(timers.armed, 0);
		bad[BAD - 1].due_or_delay_ns--;
		bad[BAD - 2].due_or_delay_ns--;
		(void)arm(bad[BAD - 1]);
		(void)arm(bad[BAD - 2]);
		CHECK_EQ(ba_timers_arm(&timers, &bad[0], &reference), BITACTOR_ERROR);
		CHECK_EQ(ba_timers_arm(&timers, &bad[BAD - 2], &reference), BITACTOR_FULL);
		CHECK_EQ(turn(100, 9), 0);
		CHECK_EQ(turn(BA_TIMER_NEVER - 1, 9), 2);
		CHECK_EQ(timers.overflows, 0);
		end();
	}
	SCENARIO("what runs past the end of time is never due, is counted, can be cancelled") {
		GIVEN("a delay of 50 before a jump to the end; periods of 30, of each policy");
		WHEN("turns come at the end of time, and past it");
		THEN("each period fires while it fits, then nothing; four overflows");
		const uint64_t last = BA_TIMER_NEVER - 1;
		begin(4);
		uint32_t late = arm_after(1, 50);
		for (uint64_t p = BA_TIMER_SKIP; p <= BA_TIMER_CATCH_UP; p++)
			(void)arm(spec_of(1 + p, last - 70, 30, (ba_timer_policy_t)p));
		CHECK_EQ(turn(last - 40, 9), 4); /* 1, 1 and 2 of CATCH_UP */
		CHECK_EQ(timers.overflows, 1);   /* the delay, of 50 from now */
		CHECK_EQ(turn(last, 9), 3);
		CHECK_EQ(seen[0].due, last - 10);
		CHECK_EQ(timers.overflows, 4);
		CHECK_EQ(turn(UINT64_MAX, 9), 0);
		CHECK_EQ(turn(UINT64_MAX, 9), 0);
		CHECK(ba_timers_next_due(&timers) == BA_TIMER_NEVER);
		CHECK_EQ(timers.armed, 4);
		CHECK_EQ(ba_timers_cancel(&timers, late), BITACTOR_OK);
		CHECK_EQ(timers.overflows, 4);
		end();
	}
}

/* ---- taking back ------------------------------------------------------------ */

/* Everything that later calls can show. */
static void
check_same(ba_timers_t *a, ba_timers_t *b)
{
	CHECK_EQ(a->armed, b->armed);
	CHECK_EQ(a->armed_high, b->armed_high);
	CHECK_EQ(a->fired, b->fired);
	CHECK_EQ(a->missed, b->missed);
	CHECK_EQ(a->overflows, b->overflows);
	CHECK_EQ(a->next_order, b->next_order);
	CHECK(ba_timers_next_due(a) == ba_timers_next_due(b));
}

static ba_timer_spec_t
random_spec(uint64_t *random, uint64_t now)
{
	uint64_t r = probe_random(random);
	ba_timer_policy_t policy = r % 8 < 4 ? BA_TIMER_ONCE : (ba_timer_policy_t)(r % 4);
	ba_timer_spec_t   spec =
	        spec_of(r >> 32, (r >> 8) % 60, policy == BA_TIMER_ONCE ? 0 : 1 + (r >> 16) % 20,
	                policy);
	spec.relative = (r >> 24) % 2 == 0;
	if (!spec.relative) {
		uint64_t past = now < 20 ? 0 : now - 20, room = BA_TIMER_NEVER - past;
		spec.due_or_delay_ns = past + (spec.due_or_delay_ns < room
		                                       ? spec.due_or_delay_ns
		                                       : room);
	}
	return spec;
}

static void
test_undo(uint64_t seed)
{
	SCENARIO("what was taken back leaves no trace") {
		GIVEN("two sets of timers, treated alike");
		WHEN("one of them arms up to all it has room for and undoes, between all steps");
		THEN("references, firings and counters stay the same");
		enum { ROOM = 24 };
		static ba_timers_t a, b;
		void *memory_a = probe_block_take(ba_timers_bytes(ROOM));
		void *memory_b = probe_block_take(ba_timers_bytes(ROOM));
		ba_timers_init(&a, memory_a, ROOM);
		ba_timers_init(&b, memory_b, ROOM);
		uint64_t random = seed, now = 0, wrong = 0, steps = probe_scale(50000);
		uint32_t last = 0;
		for (uint64_t i = 0; i < steps; i++) {
			ba_timer_spec_t spec = random_spec(&random, now);
			uint32_t reference_a = 0, reference_b = 0;
			for (uint64_t n = probe_random(&random) % (2 * ROOM); n > 0; n--) {
				ba_timer_spec_t other = random_spec(&random, now);
				(void)ba_timers_arm(&b, &other, &reference_b);
			}
			ba_timers_undo(&b);
			reference_b = 0;
			wrong += ba_timers_arm(&a, &spec, &reference_a) !=
			         ba_timers_arm(&b, &spec, &reference_b);
			wrong += reference_a != reference_b;
			ba_timers_commit(&a);
			ba_timers_commit(&b);
			if (i % 3 == 0)
				wrong += ba_timers_cancel(&a, last) != ba_timers_cancel(&b, last);
			last = reference_a;
			now += probe_random(&random) % 8;
			ba_timers_turn(&a, now, 3);
			ba_timers_turn(&b, now, 3);
			uint32_t count = ba_timers_hand_out(&a, 64);
			wrong += count != ba_timers_hand_out(&b, 64);
			for (uint32_t k = 0; k < count; k++)
				wrong += a.window[k].reference != b.window[k].reference ||
				         a.window[k].due_ns != b.window[k].due_ns;
			ba_timers_fired(&a, count);
			ba_timers_fired(&b, count);
			ba_timers_check(&b);
			check_same(&a, &b);
		}
		CHECK_EQ(wrong, 0);
		CHECK(a.fired > steps / 4);
		CHECK_EQ(a.armed_high, ROOM);
		probe_block_give(memory_a, ba_timers_bytes(ROOM));
		probe_block_give(memory_b, ba_timers_bytes(ROOM));
	}
}

static void
test_high_water(void)
{
	SCENARIO("high water is what was armed for good") {
		GIVEN("room for 4, one committed");
		WHEN("three more are armed and undone");
		THEN("the high water is 1, and the fourth finds room again");
		begin(4);
		(void)arm_at(1, 9);
		uint32_t reference = 0, again = 0;
		ba_timer_spec_t spec = spec_of(2, 9, 0, BA_TIMER_ONCE);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(ba_timers_arm(&timers, &spec, &reference), BITACTOR_OK);
		CHECK_EQ(ba_timers_arm(&timers, &spec, &again), BITACTOR_FULL);
		CHECK_EQ(timers.armed, 4);
		ba_timers_check(&timers);
		ba_timers_undo(&timers);
		CHECK_EQ(timers.armed, 1);
		CHECK_EQ(timers.armed_high, 1);
		CHECK_EQ(ba_timers_find(&timers, reference), BITACTOR_STALE);
		CHECK_EQ(arm_at(3, 9), 1 << 20 | 2);
		end();
	}
}

/* ---- against the obvious ------------------------------------------------------ */

/* The same rules, by looking at everything each time. */
enum { MODEL_MOST = 96 };

typedef struct model_timer {
	bool     used, waits;
	uint32_t reference;
	uint64_t due, order;
	ba_timer_spec_t spec;
} model_timer_t;

typedef struct model {
	model_timer_t at[MODEL_MOST];
	uint32_t capacity, armed, high;
	uint32_t free[MODEL_MOST], generation[MODEL_MOST]; /* free: oldest first */
	uint64_t order, now, left, fired, missed, overflows;
} model_t;

static model_t model, model_saved;

static void
model_begin(uint32_t capacity)
{
	memset(&model, 0, sizeof model);
	model.capacity = capacity;
	for (uint32_t i = 0; i < capacity; i++) {
		model.free[i]       = i;
		model.generation[i] = 1;
	}
}

static bitactor_status_t
model_arm(const ba_timer_spec_t *spec, uint32_t *reference)
{
	uint64_t room = UINT64_MAX - 1 - (spec->relative ? model.now : 0);
	if (spec->due_or_delay_ns > room)
		return BITACTOR_ERROR;
	if (model.armed == model.capacity)
		return BITACTOR_FULL;
	uint32_t index = model.free[0];
	memmove(model.free, model.free + 1, (MODEL_MOST - 1) * sizeof model.free[0]);
	model.armed++;
	*reference = model.generation[index] << 20 | (index + 1);
	model.at[index] = (model_timer_t){ .used      = true,
		                           .waits     = true,
		                           .reference = *reference,
		                           .due       = spec->due_or_delay_ns,
		                           .order     = model.order++,
		                           .spec      = *spec };
	return BITACTOR_OK;
}

static model_timer_t *
model_find(uint32_t reference)
{
	for (uint32_t i = 0; i < model.capacity; i++)
		if (model.at[i].used && model.at[i].reference == reference)
			return &model.at[i];
	return NULL;
}

static void
model_free(model_timer_t *timer)
{
	uint32_t index = (uint32_t)(timer - model.at);
	timer->used = false;
	if (++model.generation[index] == 4096)
		model.generation[index] = 1;
	model.free[model.capacity - model.armed--] = index;
}

static void
model_turn(uint64_t now, uint64_t limit)
{
	model.now  = now;
	model.left = limit;
	for (uint32_t i = 0; i < model.capacity; i++) {
		model_timer_t *timer = &model.at[i];
		if (timer->used && timer->waits && timer->spec.relative) {
			bool fits = timer->due <= UINT64_MAX - 1 - now;
			timer->due = fits ? timer->due + now : UINT64_MAX;
			model.overflows += !fits;
		}
		timer->waits = false;
	}
}

/* The one that fires next in this turn, or NULL. */
static model_timer_t *
model_next(void)
{
	model_timer_t *next = NULL;
	for (uint32_t i = 0; i < model.capacity && model.left > 0; i++) {
		model_timer_t *timer = &model.at[i];
		if (!timer->used || timer->waits || timer->due > model.now)
			continue;
		if (next == NULL || timer->due < next->due ||
		    (timer->due == next->due && timer->order < next->order))
			next = timer;
	}
	return next;
}

/* It fires: how many periods it misses. */
static uint64_t
model_fire(model_timer_t *timer)
{
	uint64_t missed = 0;
	model.left--;
	model.fired++;
	if (timer->spec.policy == BA_TIMER_ONCE) {
		model_free(timer);
		return 0;
	}
	for (;;) {
		if (timer->due > UINT64_MAX - 1 - timer->spec.period_ns) {
			timer->due = UINT64_MAX;
			model.overflows++;
			break;
		}
		timer->due += timer->spec.period_ns;
		if (timer->spec.policy == BA_TIMER_CATCH_UP || timer->due > model.now)
			break;
		missed++;
	}
	model.missed += missed;
	return missed;
}

static uint64_t
model_next_due(void)
{
	uint64_t due = UINT64_MAX;
	for (uint32_t i = 0; i < model.capacity; i++) {
		const model_timer_t *timer = &model.at[i];
		if (!timer->used)
			continue;
		/* not relative and to come: known without a turn */
		bool waits = timer->waits && (timer->spec.relative || timer->due <= model.now);
		if (waits || timer->due < due)
			due = waits ? model.now : timer->due;
		if (waits)
			break;
	}
	return due;
}

static uint64_t model_wrong, model_random;
static uint32_t recent[64]; /* references, most of them of the past */

static uint64_t
chance(uint64_t of)
{
	return probe_random(&model_random) % of;
}

/* What a handler does: arms some timers, which then hold or do not; cancels some. */
static void
act(void)
{
	uint32_t mine = 0, other = 0;
	model_saved = model;
	for (uint64_t n = chance(4); n > 0; n--) {
		ba_timer_spec_t spec = random_spec(&model_random, model.now);
		bitactor_status_t expected = model_arm(&spec, &other);
		model_wrong += ba_timers_arm(&timers, &spec, &mine) != expected;
		if (expected == BITACTOR_OK) {
			model_wrong += mine != other;
			recent[chance(64)] = other;
		}
	}
	if (chance(4) == 0) {
		ba_timers_undo(&timers);
		model = model_saved;
	} else {
		ba_timers_commit(&timers);
		model.high = model.armed > model.high ? model.armed : model.high;
	}
	for (uint64_t n = chance(3); n > 0; n--) {
		uint32_t       reference = recent[chance(64)];
		model_timer_t *found     = model_find(reference);
		bitactor_status_t status = found != NULL ? BITACTOR_OK : BITACTOR_STALE;
		model_wrong += ba_timers_find(&timers, reference) != status;
		model_wrong += ba_timers_cancel(&timers, reference) != status;
		if (found != NULL)
			model_free(found);
	}
}

/* Dispatch what is handed out, up to `most`; false: stop the turn here. */
static bool
dispatch(uint32_t most)
{
	uint32_t count = ba_timers_hand_out(&timers, most);
	if (count == 0)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		const ba_timer_firing_t *firing = ba_timers_due_at(&timers, i);
		if (firing->reference == 0) {
			ba_timers_fired(&timers, 1);
			continue;
		}
		model_timer_t *next = model_next();
		if (next == NULL || next->reference != firing->reference ||
		    next->due != firing->due_ns) {
			model_wrong++;
			return false;
		}
		uint64_t cause = atomic_load_explicit(&firing->slot.sequence, memory_order_relaxed);
		model_wrong += firing->slot.signal.payload != next->spec.signal.payload ||
		               cause != next->spec.cause || firing->order != next->order;
		ba_timers_fired(&timers, 1);
		model_wrong += model_fire(next) != firing->missed;
		if (chance(2) == 0)
			act();
		if (chance(16) == 0)
			return false;
	}
	return true;
}

static bool
model_agrees(void)
{
	return timers.armed == model.armed && timers.armed_high == model.high &&
	       timers.fired == model.fired && timers.missed == model.missed &&
	       timers.overflows == model.overflows && timers.next_order == model.order &&
	       ba_timers_next_due(&timers) == model_next_due();
}

static void
test_against_model(uint64_t seed, uint32_t capacity, bool at_the_end)
{
	SCENARIO(at_the_end ? "also at the end of time" : "timers are a sorted list") {
		printf("   Given room for %" PRIu32 ", and a list that is searched for the least\n",
		       capacity);
		WHEN("timers are armed, undone, cancelled and fired at random, also by each other");
		THEN("both say the same of all that can be seen");
		uint64_t steps = probe_scale(at_the_end ? 5000 : 60000), done = 0;
		/* a step is 8 ns on average: the end comes half-way */
		uint64_t now = at_the_end ? UINT64_MAX - 4 * steps : 0;
		model_wrong  = 0;
		model_random = seed + capacity;
		memset(recent, 0, sizeof recent);
		begin(capacity);
		model_begin(capacity);
		for (; done < steps && model_wrong == 0; done++) {
			uint64_t step = chance(8) == 0 ? chance(100) : chance(6);
			uint64_t limit = 1 + (chance(4) == 0 ? chance(200) : chance(4));
			now = now < UINT64_MAX - 1 - step ? now + step : UINT64_MAX - 1;
			ba_timers_turn(&timers, now, limit);
			model_turn(now, limit);
			while (dispatch(1 + (uint32_t)chance(80)))
				continue;
			/* cut short, or nothing more may fire */
			model_wrong += ba_timers_hand_out(&timers, 64) == 0 && model_next() != NULL;
			act();
			ba_timers_check(&timers);
			model_wrong += !model_agrees();
		}
		CHECK_EQ(model_wrong, 0);
		CHECK_EQ(done, steps);
		CHECK(timers.fired > 0);
		CHECK((timers.overflows > 0) == (at_the_end && steps >= 100));
		end();
	}
}

/* ---- many ------------------------------------------------------------------- */

static void
test_many(uint64_t seed)
{
	SCENARIO("a million are armed at once") {
		GIVEN("all that references can name, a million of them armed, half relative");
		WHEN("every third is cancelled and the others fire");
		THEN("in order, each once, none of the cancelled");
		uint32_t  count = (uint32_t)probe_scale(1000000);
		uint32_t *references = malloc(count * sizeof *references);
		uint64_t  random = seed, wrong = 0, fired = 0, due = 0, order = 0, sum = 0;
		count = count < 1000000 ? count : 1000000;
		begin(BA_TIMERS_MOST);
		for (uint32_t i = 0; i < count; i++)
			references[i] = i % 2 == 0 ? arm_at(i, 1 + probe_random(&random) % count)
			                           : arm_after(i, probe_random(&random) % count);
		ba_timers_turn(&timers, 0, 1); /* here the delays begin */
		CHECK_EQ(timers.armed, count);
		for (uint32_t i = 0; i < count; i++)
			if (i % 3 == 0)
				(void)ba_timers_cancel(&timers, references[i]);
			else
				sum += i;
		ba_timers_check(&timers);
		ba_timers_turn(&timers, count, UINT64_MAX);
		for (uint32_t n; (n = ba_timers_hand_out(&timers, 64)) > 0;) {
			for (uint32_t i = 0; i < n; i++, fired++) {
				const ba_timer_firing_t *firing = ba_timers_due_at(&timers, i);
				wrong += firing->due_ns < due ||
				         (firing->due_ns == due && fired > 0 &&
				          firing->order <= order);
				wrong += firing->slot.signal.payload % 3 == 0;
				sum -= firing->slot.signal.payload;
				due   = firing->due_ns;
				order = firing->order;
			}
			ba_timers_fired(&timers, n);
		}
		CHECK_EQ(wrong, 0);
		CHECK_EQ(sum, 0);
		CHECK_EQ(timers.armed, 0);
		CHECK_EQ(timers.armed_high, count);
		end();
		free(references);
	}
}

/* ---- our own bugs -------------------------------------------------------------- */

/* Does it end the process? */
static bool
ends(void (*what)(int), int which)
{
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		what(which);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 99;
}

static void
misuse(int which)
{
	uint32_t        reference = 0;
	ba_timer_spec_t spec = spec_of(1, 1, 0, BA_TIMER_ONCE);
	switch (which) {
	case 0: ba_timers_turn(&timers, timers.now_ns - 1, 1); break;
	case 1: ba_timers_turn(&timers, timers.now_ns, 0); break;
	case 2: ba_timers_fired(&timers, timers.window_count + 1); break;
	case 3: (void)ba_timers_due_at(&timers, timers.window_count); break;
	case 4: spec.signal.data_bytes = 8; break;
	case 5: ba_timers_init(&timers, (uint8_t *)block + 8, 4); break;
	case 6: ba_timers_init(&timers, NULL, 4); break;
	case 7: (void)ba_timers_bytes(BA_TIMERS_MOST + 1); break;
	default: break;
	}
	(void)ba_timers_arm(&timers, &spec, &reference);
	if (which == 8)
		(void)ba_timers_cancel(&timers, reference);
	if (which == 9)
		ba_timers_turn(&timers, timers.now_ns, 1);
}

/* What ba_timers_check is there to find. */
static void
damage(int which)
{
	ba_timer_key_t key = timers.keys[0];
	switch (which) {
	case 0: timers.keys[0] = timers.keys[1], timers.keys[1] = key; break;
	case 1: timers.positions[timers.who[0]] = 1; break;
	case 2: timers.who[1] = timers.who[2]; break;
	case 3: timers.armed--; break;
	case 4: timers.free_first = timers.timers[timers.free_first - 1].link; break;
	case 5: timers.timers[timers.free_last - 1].link = timers.free_first; break;
	case 6: timers.free_last = timers.free_first; break;
	case 7: timers.armed_high = 0; break;
	case 8: timers.window[2].due_ns = timers.window[1].due_ns - 1; break;
	case 9: timers.window[1].reference ^= 1 << 20; break;
	case 10: timers.waiting_count--; break;
	case 11: timers.staged = timers.who[0] + 1; break;
	case 12: timers.next_order = 0; break;
	case 13: timers.timers[timers.who[0]].generation = 0; break;
	case 14: timers.keys[0].due_ns = 1; break;
	default: break;
	}
	ba_timers_check(&timers);
}

static void
test_assertions(void)
{
	SCENARIO("a wrong call ends the process, and damage is found") {
		GIVEN("timers in the heap, in the window and waiting");
		WHEN("a child calls what it may not, or hurts one thing and has it checked");
		THEN("an invariant fails each time, and not without");
		begin(16);
		for (uint64_t i = 0; i < 10; i++)
			(void)arm_at(i, 10 + i);
		(void)arm(spec_of(20, 10, 10, BA_TIMER_CATCH_UP));
		ba_timers_turn(&timers, 14, 9);
		CHECK_EQ(ba_timers_hand_out(&timers, 4), 4);
		ba_timers_fired(&timers, 1);
		(void)arm_after(30, 1);
		for (int i = 0; i < 10; i++)
			CHECK(ends(misuse, i));
		CHECK(!ends(misuse, -1));
		for (int i = 0; i < 15; i++)
			CHECK(ends(damage, i));
		CHECK(!ends(damage, -1));
		end();
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_sizes();
	test_order();
	test_take_back();
	test_now();
	test_periods();
	test_grid();
	test_starvation();
	test_cancel();
	test_again();
	test_references();
	test_errors();
	test_assertions();
	test_undo(seed);
	test_high_water();
	test_against_model(seed, 1, false);
	test_against_model(seed, 7, false);
	test_against_model(seed, MODEL_MOST, false);
	for (uint64_t round = 0; round < 4; round++)
		test_against_model(seed + round, MODEL_MOST, true);
	test_many(seed);
	return bdd_close();
}
