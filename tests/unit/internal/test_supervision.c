/* SPDX-License-Identifier: Apache-2.0 */
/* test_supervision.c -- who is restarted, who is stopped, and when it is too much.
 *
 * The model keeps every actor in the order of spawning, every restart there ever was
 * with its time, and decides by calling itself.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../bitactor/src/internal/supervision.h"
#include "../../engine_probe.h"

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	_exit(99);
}

/* ---- a table --------------------------------------------------------- */

static ba_actors_t table;
static ba_actors_limits_t limits;
static void *block;

static void
open_table(uint32_t capacity, uint32_t rules)
{
	limits = (ba_actors_limits_t){ .capacity   = capacity,
		                       .cell_bytes = 8,
		                       .monitors   = 8,
		                       .rules      = rules };
	block  = probe_block_take(ba_actors_bytes(&limits));
	ba_actors_init(&table, block, &limits);
}

static void
close_table(void)
{
	ba_actors_check(&table);
	probe_block_give(block, ba_actors_bytes(&limits));
}

static uint64_t *
cell_of(uint32_t reference)
{
	ba_actor_t *line = ba_actors_find(&table, reference);
	static uint64_t none;
	CHECK(line != NULL);
	return line != NULL ? ba_actors_cell(line) : &none;
}

/* Its cell is its reference, so that a restart shows. */
static uint32_t
spawn(uint32_t supervisor)
{
	uint32_t reference = 0;
	CHECK_EQ(ba_actors_spawn(&table, 1, supervisor, &reference), BITACTOR_OK);
	*cell_of(reference) = reference;
	return reference;
}

static void
rule(uint32_t reference, uint32_t strategy, uint32_t most, uint64_t period_ns)
{
	CHECK_EQ(ba_actors_supervise(&table, reference, strategy, most, period_ns), BITACTOR_OK);
}

static ba_decision_t
decide(uint32_t failed, uint64_t now_ns)
{
	ba_decision_t decision = { .what = UINT32_MAX };
	CHECK_EQ(ba_supervise(&table, failed, now_ns, &decision), BITACTOR_OK);
	return decision;
}

static void
decision_is(ba_decision_t decision, uint32_t what, uint32_t reference, uint32_t escalations)
{
	CHECK_EQ(decision.what, what);
	CHECK_EQ(decision.reference, reference);
	CHECK_EQ(decision.escalations, escalations);
}

static void
event_is(uint32_t what, uint32_t reference, bitactor_status_t reason)
{
	ba_actor_event_t event = { .what = UINT32_MAX };
	CHECK(ba_actors_next(&table, &event));
	CHECK_EQ(event.what, what);
	CHECK_EQ(event.reference, reference);
	CHECK_EQ(event.reason, reason);
}

static void
no_more_events(void)
{
	ba_actor_event_t event;
	CHECK(!ba_actors_next(&table, &event));
	ba_actors_check(&table);
}

/* Decide and carry out; what was decided. */
static uint32_t
fail_at(uint32_t failed, uint64_t now_ns)
{
	ba_decision_t decision = decide(failed, now_ns);
	ba_actor_event_t event;
	ba_supervision_carry_out(&table, &decision, BITACTOR_ERROR);
	while (ba_actors_next(&table, &event))
		;
	return decision.what;
}

/* ---- strategies ------------------------------------------------------ */

static void
test_stop(void)
{
	SCENARIO("without a rule a failed child is stopped, and nobody else") {
		GIVEN("a supervisor without a rule, or with STOP, and three children");
		WHEN("the second fails");
		THEN("it is stopped with what is below it; the supervisor's cell is untouched");
		for (int with_rule = 0; with_rule < 2; with_rule++) {
			open_table(8, 1);
			uint32_t top = spawn(0), a = spawn(top), b = spawn(top), c = spawn(top);
			uint32_t below = spawn(b);
			if (with_rule)
				rule(top, BA_STRATEGY_STOP, 3, 100);
			ba_decision_t decision = decide(b, 0);
			decision_is(decision, BA_DECIDED_STOP, b, 0);
			ba_supervision_carry_out(&table, &decision, BITACTOR_FAULT);
			event_is(BA_ACTOR_STOPPED, below, BITACTOR_CANCELLED);
			event_is(BA_ACTOR_STOPPED, b, BITACTOR_FAULT);
			no_more_events();
			CHECK_EQ(*cell_of(top), top);
			CHECK_EQ(*cell_of(a), a);
			CHECK_EQ(*cell_of(c), c);
			CHECK_EQ(table.rule_count, 0);
			CHECK_EQ(ba_supervise(&table, b, 0, &decision), BITACTOR_STALE);
			CHECK_EQ(ba_supervise(&table, 0, 0, &decision), BITACTOR_STALE);
			close_table();
		}
	}
}

static void
test_restart_one(void)
{
	SCENARIO("restart-one zeroes the cell and keeps the reference") {
		GIVEN("a child with a child of its own, watched by w, watching w, with a rule");
		WHEN("it fails");
		THEN("its child ends, its cell is zero; w still watches it, it watches nobody");
		open_table(8, 2);
		uint32_t w = spawn(0), top = spawn(0), a = spawn(top), b = spawn(top);
		uint32_t below = spawn(a);
		rule(top, BA_STRATEGY_RESTART_ONE, 16, 1000);
		rule(a, BA_STRATEGY_ESCALATE, 0, 0);
		ba_actors_find(&table, a)->flags = 7;
		CHECK_EQ(ba_actors_monitor(&table, w, a), BITACTOR_OK);
		CHECK_EQ(ba_actors_monitor(&table, a, w), BITACTOR_OK);
		ba_decision_t decision = decide(a, 5);
		decision_is(decision, BA_DECIDED_RESTART_ONE, a, 0);
		ba_supervision_carry_out(&table, &decision, BITACTOR_FAULT);
		event_is(BA_ACTOR_STOPPED, below, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_RESTARTED, a, BITACTOR_FAULT);
		no_more_events();
		CHECK_EQ(*cell_of(a), 0);
		CHECK_EQ(*cell_of(b), b);
		CHECK_EQ(ba_actors_find(&table, a)->behaviour, 1);
		CHECK_EQ(ba_actors_rule(&table, ba_actor_index(a))->strategy, BA_STRATEGY_ESCALATE);
		CHECK_EQ(table.monitor_count, 1);
		CHECK_EQ(ba_actors_stop(&table, a, BITACTOR_OK), BITACTOR_OK);
		event_is(BA_ACTOR_STOPPED, a, BITACTOR_OK);
		event_is(BA_ACTOR_TELL, a, BITACTOR_OK);
		no_more_events();
		close_table();
	}
}

static void
test_restart_all(void)
{
	SCENARIO("restart-all begins every child anew, in the order of spawning") {
		GIVEN("children a, b, c, d; b was stopped and e came; c has two children");
		WHEN("d fails");
		THEN("a, c (after its children), d, e are restarted; it counts as one restart");
		open_table(10, 1);
		uint32_t top = spawn(0), a = spawn(top), b = spawn(top), c = spawn(top);
		uint32_t d = spawn(top), c1 = spawn(c), c2 = spawn(c), other = spawn(0);
		CHECK_EQ(ba_actors_stop(&table, b, BITACTOR_OK), BITACTOR_OK);
		event_is(BA_ACTOR_STOPPED, b, BITACTOR_OK);
		no_more_events();
		uint32_t e = spawn(top);
		rule(top, BA_STRATEGY_RESTART_ALL, 2, 1000);
		for (uint64_t now = 0; now < 2; now++) {
			ba_decision_t decision = decide(d, now);
			decision_is(decision, BA_DECIDED_RESTART_ALL, top, 0);
			ba_supervision_carry_out(&table, &decision, BITACTOR_ERROR);
			event_is(BA_ACTOR_RESTARTED, a, BITACTOR_ERROR);
			if (now == 0) {
				event_is(BA_ACTOR_STOPPED, c2, BITACTOR_CANCELLED);
				event_is(BA_ACTOR_STOPPED, c1, BITACTOR_CANCELLED);
			}
			event_is(BA_ACTOR_RESTARTED, c, BITACTOR_ERROR);
			event_is(BA_ACTOR_RESTARTED, d, BITACTOR_ERROR);
			event_is(BA_ACTOR_RESTARTED, e, BITACTOR_ERROR);
			no_more_events();
			CHECK_EQ(*cell_of(a) | *cell_of(c) | *cell_of(d) | *cell_of(e), 0);
		}
		CHECK_EQ(*cell_of(top), top);
		CHECK_EQ(*cell_of(other), other);
		decision_is(decide(a, 2), BA_DECIDED_ROOT, top, 1);
		close_table();
	}
}

static void
test_escalate(void)
{
	SCENARIO("a failure climbs until somebody has an answer") {
		GIVEN("root (restart-one) > s1 (escalate) > s2 (escalate) > s3 (escalate) > c");
		WHEN("c fails because of a fault");
		THEN("s1 is restarted, what is below it ends, and c's own end says the fault");
		open_table(8, 5);
		uint32_t root = spawn(0), s1 = spawn(root), s2 = spawn(s1), s3 = spawn(s2);
		uint32_t c = spawn(s3);
		rule(root, BA_STRATEGY_RESTART_ONE, 1, 1000);
		rule(s1, BA_STRATEGY_ESCALATE, 0, 0);
		rule(s2, BA_STRATEGY_ESCALATE, 0, 0);
		rule(s3, BA_STRATEGY_ESCALATE, 0, 0);
		ba_decision_t decision = decide(c, 1);
		decision_is(decision, BA_DECIDED_RESTART_ONE, s1, 3);
		ba_supervision_carry_out(&table, &decision, BITACTOR_FAULT);
		event_is(BA_ACTOR_STOPPED, c, BITACTOR_FAULT);
		event_is(BA_ACTOR_STOPPED, s3, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_STOPPED, s2, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_RESTARTED, s1, BITACTOR_FAULT);
		no_more_events();
		CHECK_EQ(table.rule_count, 2); /* root's and s1's */

		/* once more within the second: root itself has failed, and nobody is above */
		s2 = spawn(s1);
		decision = decide(s2, 2);
		decision_is(decision, BA_DECIDED_ROOT, root, 2);
		ba_supervision_carry_out(&table, &decision, BITACTOR_FAULT);
		event_is(BA_ACTOR_STOPPED, s2, BITACTOR_FAULT);
		event_is(BA_ACTOR_STOPPED, s1, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_STOPPED, root, BITACTOR_FAULT);
		no_more_events();
		CHECK_EQ(ba_actors_count(&table), 0);
		close_table();
	}
}

static void
test_nobodys(void)
{
	SCENARIO("who has no supervisor is stopped and reported") {
		GIVEN("an actor of nobody's, with a rule for its children");
		WHEN("it fails itself");
		THEN("the decision is to stop it and say so: its own rule is not asked");
		open_table(2, 1);
		uint32_t alone = spawn(0);
		rule(alone, BA_STRATEGY_RESTART_ONE, 16, 1000);
		decision_is(decide(alone, 0), BA_DECIDED_ROOT, alone, 0);
		CHECK_EQ(fail_at(alone, 0), BA_DECIDED_ROOT);
		CHECK_EQ(ba_actors_count(&table), 0);
		close_table();
	}
}

static void
test_escalate_to_rules(void)
{
	SCENARIO("an escalation that meets STOP or restart-all") {
		GIVEN("grand > middle (escalate) > c, and a sister of middle's");
		WHEN("c fails, grand having no rule, or restart-all");
		THEN("middle is stopped; or middle and its sister are restarted");
		open_table(8, 2);
		uint32_t grand = spawn(0), middle = spawn(grand), sister = spawn(grand);
		uint32_t c = spawn(middle);
		rule(middle, BA_STRATEGY_ESCALATE, 0, 0);
		decision_is(decide(c, 0), BA_DECIDED_STOP, middle, 1);
		rule(grand, BA_STRATEGY_RESTART_ALL, 1, 1);
		ba_decision_t decision = decide(c, 0);
		decision_is(decision, BA_DECIDED_RESTART_ALL, grand, 1);
		ba_supervision_carry_out(&table, &decision, BITACTOR_ERROR);
		event_is(BA_ACTOR_STOPPED, c, BITACTOR_ERROR);
		event_is(BA_ACTOR_RESTARTED, middle, BITACTOR_ERROR);
		event_is(BA_ACTOR_RESTARTED, sister, BITACTOR_ERROR);
		no_more_events();
		close_table();
	}
}

/* ---- intensity ------------------------------------------------------- */

static void
test_intensity(void)
{
	SCENARIO("at most n restarts within a period, to the nanosecond") {
		GIVEN("supervisors that allow 1 to 16 restarts in 1,000 ns");
		WHEN("n failures come one ns apart, and one more just before or just at the time "
		     "when the first is 1,000 ns old");
		THEN("n are restarts; the one more is none, or is one; then again");
		for (uint32_t most = 1; most <= BA_RESTARTS_MOST; most++) {
			open_table(4, 1);
			uint32_t top = spawn(0), c = spawn(top);
			rule(top, BA_STRATEGY_RESTART_ONE, most, 1000);
			for (uint64_t lap = 0; lap < 40; lap++) {
				uint64_t began = 7 + lap * 1000;
				for (uint64_t k = 0; k < most; k++)
					CHECK_EQ(fail_at(c, began + k), BA_DECIDED_RESTART_ONE);
				decision_is(decide(c, began + most - 1), BA_DECIDED_ROOT, top, 1);
				decision_is(decide(c, began + 999), BA_DECIDED_ROOT, top, 1);
				decision_is(decide(c, began + 1000), BA_DECIDED_RESTART_ONE, c, 0);
			}
			CHECK_EQ(fail_at(c, 7 + 39 * 1000 + 999), BA_DECIDED_ROOT);
			CHECK_EQ(ba_actors_count(&table), 0);
			close_table();
		}
	}
}

static void
test_intensity_ends(void)
{
	SCENARIO("the ends of the range") {
		GIVEN("most 0; a period of 1 ns; a period of 2^64-1 ns; a time of 2^64-1");
		WHEN("children fail");
		THEN("never; always, a ns apart; once, for ever; once");
		open_table(8, 4);
		uint32_t top = spawn(0), c = spawn(top);
		rule(top, BA_STRATEGY_RESTART_ONE, 0, 0);
		decision_is(decide(c, 0), BA_DECIDED_ROOT, top, 1);
		rule(top, BA_STRATEGY_RESTART_ONE, 1, 1);
		for (uint64_t now = 0; now < 40; now++) {
			CHECK_EQ(fail_at(c, now), BA_DECIDED_RESTART_ONE);
			CHECK_EQ(decide(c, now).what, BA_DECIDED_ROOT);
		}
		rule(top, BA_STRATEGY_RESTART_ONE, 1, UINT64_MAX);
		CHECK_EQ(decide(c, UINT64_MAX - 1).what, BA_DECIDED_ROOT);
		uint32_t late = spawn(0), d = spawn(late);
		rule(late, BA_STRATEGY_RESTART_ALL, 1, 1);
		CHECK_EQ(fail_at(d, UINT64_MAX), BA_DECIDED_RESTART_ALL);
		CHECK_EQ(decide(d, UINT64_MAX).what, BA_DECIDED_ROOT);
		CHECK_EQ(decide(d, 0).what, BA_DECIDED_ROOT); /* time does not go back; if it did */
		close_table();
	}
}

static void
test_intensity_anew(void)
{
	SCENARIO("a supervisor that begins anew counts anew") {
		GIVEN("root > s > c, both allow one restart in an hour");
		WHEN("c fails twice, which restarts s, and s has another child that fails");
		THEN("that child is restarted");
		open_table(8, 2);
		uint32_t root = spawn(0), s = spawn(root), c = spawn(s);
		rule(root, BA_STRATEGY_RESTART_ONE, 1, UINT64_C(3600000000000));
		rule(s, BA_STRATEGY_RESTART_ONE, 1, UINT64_C(3600000000000));
		CHECK_EQ(fail_at(c, 1), BA_DECIDED_RESTART_ONE);
		decision_is(decide(c, 2), BA_DECIDED_RESTART_ONE, s, 1);
		CHECK_EQ(fail_at(c, 2), BA_DECIDED_RESTART_ONE);
		uint32_t d = spawn(s);
		decision_is(decide(d, 3), BA_DECIDED_RESTART_ONE, d, 0);
		close_table();
	}
}

/* ---- rules ----------------------------------------------------------- */

static void
test_rules(void)
{
	SCENARIO("rules are checked, bounded, and given back") {
		GIVEN("a table with two rules");
		WHEN("rules are set, wrongly, on somebody gone, a third, and taken away");
		THEN("ERROR, STALE, FULL, and the old rule stands; an end gives a rule back");
		open_table(8, 2);
		uint32_t a = spawn(0), b = spawn(0), c = spawn(0), child = spawn(a);
		CHECK_EQ(ba_actors_supervise(&table, a, 4, 1, 1), BITACTOR_ERROR);
		CHECK_EQ(ba_actors_supervise(&table, a, 1, 17, 1), BITACTOR_ERROR);
		CHECK_EQ(ba_actors_supervise(&table, a, 1, 1, 0), BITACTOR_ERROR);
		CHECK_EQ(ba_actors_supervise(&table, a, 2, 1, 0), BITACTOR_ERROR);
		CHECK_EQ(ba_actors_supervise(&table, 0, 1, 1, 1), BITACTOR_STALE);
		CHECK_EQ(ba_actors_supervise(&table, a + 1024, 1, 1, 1), BITACTOR_STALE);
		CHECK_EQ(table.rule_count, 0);
		rule(a, BA_STRATEGY_RESTART_ONE, 1, 1);
		rule(b, BA_STRATEGY_ESCALATE, 0, 0);
		CHECK_EQ(ba_actors_supervise(&table, c, 1, 1, 1), BITACTOR_FULL);
		CHECK_EQ(ba_actors_supervise(&table, c, BA_STRATEGY_STOP, 0, 0), BITACTOR_OK);
		CHECK_EQ(ba_actors_supervise(&table, a, 9, 1, 1), BITACTOR_ERROR);
		decision_is(decide(child, 0), BA_DECIDED_RESTART_ONE, child, 0);
		rule(b, BA_STRATEGY_STOP, 0, 0);
		rule(c, BA_STRATEGY_ESCALATE, 0, 0);
		CHECK_EQ(ba_actors_supervise(&table, b, 1, 1, 1), BITACTOR_FULL);
		CHECK_EQ(fail_at(c, 0), BA_DECIDED_ROOT);
		rule(b, BA_STRATEGY_RESTART_ALL, 1, 1);
		uint32_t d = 0;
		rule(b, BA_STRATEGY_STOP, 0, 0);
		CHECK_EQ(ba_actors_spawn(&table, 1, 0, &d), BITACTOR_OK);
		rule(d, BA_STRATEGY_RESTART_ONE, 1, 1);
		ba_actors_unspawn(&table, d);
		CHECK_EQ(table.rule_count, 1);
		close_table();
	}
}

static void
test_rule_undone(void)
{
	SCENARIO("to change a rule and change it back leaves no trace") {
		GIVEN("a supervisor that allows 5 in 1,000 ns and has restarted 5 times");
		WHEN("it is told 2, then STOP, then 16 in 10, and 5 in 1,000 again");
		THEN("it allows the sixth exactly when it would have");
		open_table(4, 1);
		uint32_t top = spawn(0), c = spawn(top);
		rule(top, BA_STRATEGY_RESTART_ONE, 5, 1000);
		for (uint64_t now = 100; now < 105; now++)
			CHECK_EQ(fail_at(c, now), BA_DECIDED_RESTART_ONE);
		rule(top, BA_STRATEGY_RESTART_ONE, 2, 1000);
		CHECK_EQ(decide(c, 1102).what, BA_DECIDED_ROOT);
		CHECK_EQ(decide(c, 1103).what, BA_DECIDED_RESTART_ONE);
		rule(top, BA_STRATEGY_STOP, 0, 0);
		CHECK_EQ(decide(c, 105).what, BA_DECIDED_STOP);
		rule(top, BA_STRATEGY_RESTART_ALL, 16, 10);
		CHECK_EQ(decide(c, 105).what, BA_DECIDED_RESTART_ALL);
		rule(top, BA_STRATEGY_RESTART_ONE, 5, 1000);
		CHECK_EQ(decide(c, 1099).what, BA_DECIDED_ROOT);
		CHECK_EQ(decide(c, 1100).what, BA_DECIDED_RESTART_ONE);
		close_table();
	}
}

static void
test_deciding(void)
{
	SCENARIO("deciding changes nothing") {
		GIVEN("a supervisor with one restart left");
		WHEN("the same failure is decided on a thousand times");
		THEN("the answer is the same, and the table is byte for byte what it was");
		open_table(4, 1);
		uint32_t top = spawn(0), c = spawn(top);
		rule(top, BA_STRATEGY_RESTART_ONE, 1, 1000);
		ba_actors_t before = table;
		uint8_t *copy = malloc(ba_actors_bytes(&limits));
		memcpy(copy, block, ba_actors_bytes(&limits));
		for (int i = 0; i < 1000; i++)
			decision_is(decide(c, 5), BA_DECIDED_RESTART_ONE, c, 0);
		CHECK(memcmp(copy, block, ba_actors_bytes(&limits)) == 0);
		CHECK(memcmp(&before, &table, sizeof table) == 0);
		free(copy);
		close_table();
	}
}

/* ---- depth ----------------------------------------------------------- */

enum { LEVELS = 10000, SMALL_STACK = 128 * 1024 };

static uint32_t deep_top, deep_lowest, deep_bad;

static void *
fail_deep(void *ignored)
{
	ba_decision_t decision = { .what = UINT32_MAX };
	ba_actor_event_t event;
	uint32_t index = LEVELS;
	(void)ignored;
	deep_bad += ba_supervise(&table, deep_lowest, 0, &decision) != BITACTOR_OK;
	deep_bad += decision.what != BA_DECIDED_ROOT || decision.reference != deep_top;
	deep_bad += decision.escalations != LEVELS - 1;
	ba_supervision_carry_out(&table, &decision, BITACTOR_FAULT);
	for (; ba_actors_next(&table, &event); index--) {
		bool ends = index == LEVELS || index == 1;
		deep_bad += ba_actor_index(event.reference) != index;
		deep_bad += event.reason != (ends ? BITACTOR_FAULT : BITACTOR_CANCELLED);
	}
	deep_bad += index != 0;
	return NULL;
}

static void
test_depth(void)
{
	SCENARIO("an escalation climbs 10,000 levels without a stack") {
		GIVEN("a chain of 10,000 that all escalate, and a stack of 64 KiB");
		WHEN("the lowest fails");
		THEN("the decision meets the topmost, all end, the lowest first");
		open_table(LEVELS, LEVELS);
		uint32_t at = deep_top = spawn(0);
		for (int i = 1; i < LEVELS; i++) {
			rule(at, BA_STRATEGY_ESCALATE, 0, 0);
			at = spawn(at);
		}
		deep_lowest = at;
		pthread_attr_t attributes;
		pthread_t thread;
		pthread_attr_init(&attributes);
		CHECK_EQ(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
		CHECK_EQ(pthread_create(&thread, &attributes, fail_deep, NULL), 0);
		pthread_join(thread, NULL);
		pthread_attr_destroy(&attributes);
		CHECK_EQ(deep_bad, 0);
		CHECK_EQ(table.rule_count, 0);
		close_table();
	}
}

/* ---- against a model ------------------------------------------------- */

enum { MODEL_ACTORS = 24, MODEL_TIMES = 512, MODEL_EVENTS = 128, MODEL_RULES = 8 };

typedef struct life {
	uint32_t reference, supervisor, strategy, most;
	uint64_t period_ns;
	uint64_t times[MODEL_TIMES]; /* of all restarts it ever ordered */
	uint32_t time_count;
	bool     zero; /* the cell */
} life_t;

static life_t   lives[MODEL_ACTORS]; /* in the order of spawning */
static uint32_t life_count, event_count;
static ba_actor_event_t events[MODEL_EVENTS];

static life_t *
model_find(uint32_t reference)
{
	for (uint32_t i = 0; i < life_count; i++)
		if (lives[i].reference == reference)
			return &lives[i];
	return NULL;
}

static void
model_event(uint32_t what, uint32_t reference, bitactor_status_t reason)
{
	events[event_count++] = (ba_actor_event_t){
		.what = what, .reference = reference, .behaviour = 1, .reason = (uint16_t)reason
	};
}

static uint32_t
model_rule_count(void)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < life_count; i++)
		count += lives[i].strategy != BA_STRATEGY_STOP || lives[i].time_count > 0;
	return count;
}

static void model_stop(uint32_t reference, uint32_t failed, bitactor_status_t reason, bool top);

static void
model_stop_children(uint32_t reference, uint32_t failed, bitactor_status_t reason)
{
	for (uint32_t i = life_count; i > 0; i--)
		if (i <= life_count && lives[i - 1].supervisor == reference)
			model_stop(lives[i - 1].reference, failed, reason, false);
}

static void
model_stop(uint32_t reference, uint32_t failed, bitactor_status_t reason, bool top)
{
	model_stop_children(reference, failed, reason);
	model_event(BA_ACTOR_STOPPED, reference,
	            top || reference == failed ? reason : BITACTOR_CANCELLED);
	life_t *life = model_find(reference);
	memmove(life, life + 1, (size_t)(&lives[--life_count] - life) * sizeof *life);
}

static void
model_restart(uint32_t reference, uint32_t failed)
{
	model_stop_children(reference, failed, BITACTOR_ERROR);
	model_event(BA_ACTOR_RESTARTED, reference, BITACTOR_ERROR);
	life_t *life = model_find(reference);
	life->zero = true;
	life->time_count = 0;
}

/* What is to be done about `at`, who failed or counts as failed. */
static void
model_fail(uint32_t at, uint32_t failed, uint64_t now_ns)
{
	life_t *above = model_find(model_find(at)->supervisor);
	if (above == NULL || above->strategy == BA_STRATEGY_STOP) {
		model_stop(at, failed, BITACTOR_ERROR, true);
		return;
	}
	uint32_t recent = 0;
	for (uint32_t i = 0; i < above->time_count; i++)
		recent += above->times[i] + above->period_ns > now_ns;
	if (above->strategy == BA_STRATEGY_ESCALATE || recent >= above->most) {
		model_fail(above->reference, failed, now_ns);
		return;
	}
	above->times[above->time_count++] = now_ns;
	if (above->strategy == BA_STRATEGY_RESTART_ONE) {
		model_restart(at, failed);
		return;
	}
	uint32_t children[MODEL_ACTORS], count = 0;
	for (uint32_t i = 0; i < life_count; i++)
		if (lives[i].supervisor == above->reference)
			children[count++] = lives[i].reference;
	for (uint32_t i = 0; i < count; i++)
		model_restart(children[i], failed);
}

static bitactor_status_t
model_supervise(uint32_t reference, uint32_t strategy, uint32_t most, uint64_t period_ns)
{
	life_t *life = model_find(reference);
	if (life == NULL)
		return BITACTOR_STALE;
	if (strategy > 3 || most > 16 || (most > 0 && period_ns == 0 && strategy % 3 != 0))
		return BITACTOR_ERROR;
	life_t before   = *life;
	life->strategy  = strategy;
	life->most      = most;
	life->period_ns = period_ns;
	if (model_rule_count() <= MODEL_RULES)
		return BITACTOR_OK;
	*life = before;
	return BITACTOR_FULL;
}

static uint64_t chance, now;
static unsigned wrong, decided[4];

static void
agree(bool ok, int line)
{
	if (!ok && wrong++ < 5)
		printf("  line %d: table and model differ\n", line);
}
#define AGREE(condition) agree(condition, __LINE__)

static uint32_t
any_reference(void)
{
	uint64_t roll = probe_random(&chance);
	if (roll % 16 == 0 || life_count == 0)
		return roll % 32 == 0 ? 0 : (uint32_t)(roll >> 8) & 0x00F0001F;
	return lives[(roll >> 8) % life_count].reference;
}

static void
step_spawn(void)
{
	uint64_t roll = probe_random(&chance);
	uint32_t supervisor = roll % 8 == 0 || life_count == 0 ? 0 : any_reference();
	uint32_t reference  = 0;
	bitactor_status_t status = ba_actors_spawn(&table, 1, supervisor, &reference);
	AGREE((status == BITACTOR_STALE) == (supervisor != 0 && model_find(supervisor) == NULL));
	if (status != BITACTOR_OK)
		return;
	*cell_of(reference) = reference;
	lives[life_count++] = (life_t){ .reference = reference, .supervisor = supervisor };
}

static void
step_supervise(void)
{
	uint64_t roll = probe_random(&chance);
	uint32_t reference = any_reference();
	uint32_t strategy  = (uint32_t)(roll >> 56) % 9 % 5; /* 4 is none, and rare */
	uint32_t most = (uint32_t)(roll >> 8) % (roll % 7 == 0 ? 18 : 4);
	uint64_t period_ns = (roll >> 16) % 40;
	AGREE(ba_actors_supervise(&table, reference, strategy, most, period_ns) ==
	      model_supervise(reference, strategy, most, period_ns));
}

static void
step_fail(void)
{
	uint32_t failed = any_reference(), taken = 0;
	ba_decision_t decision = { .what = UINT32_MAX };
	ba_actor_event_t event;
	now += probe_random(&chance) % 8;
	bitactor_status_t status = ba_supervise(&table, failed, now, &decision);
	AGREE(status == (model_find(failed) != NULL ? BITACTOR_OK : BITACTOR_STALE));
	if (status != BITACTOR_OK || model_find(failed) == NULL)
		return;
	decided[decision.what % 4]++;
	event_count = 0;
	model_fail(failed, failed, now);
	ba_supervision_carry_out(&table, &decision, BITACTOR_ERROR);
	for (; ba_actors_next(&table, &event); taken++)
		AGREE(taken < event_count && memcmp(&event, &events[taken], sizeof event) == 0);
	AGREE(taken == event_count);
}

static void
one_seed(uint64_t seed)
{
	chance = seed;
	now    = 0;
	life_count = 0;
	open_table(MODEL_ACTORS, MODEL_RULES);
	for (int i = 0; i < MODEL_TIMES; i++) {
		uint32_t roll = (uint32_t)(probe_random(&chance) % 16);
		if (roll < 7)
			step_spawn();
		else if (roll < 13)
			step_supervise();
		else
			step_fail();
		AGREE(ba_actors_count(&table) == life_count);
		AGREE(table.rule_count == model_rule_count());
		for (uint32_t k = 0; k < life_count; k++)
			AGREE(*cell_of(lives[k].reference) ==
			      (lives[k].zero ? 0 : lives[k].reference));
		if (i % 16 == 0)
			ba_actors_check(&table);
	}
	close_table();
}

static void
test_against_model(uint64_t seed)
{
	SCENARIO("decisions are those of a list of all restarts, and a search") {
		GIVEN("tables of up to 24 actors with up to 8 rules, and the model");
		WHEN("both spawn, set rules and fail at random, 2000 seeds long");
		THEN("every event, cell and count is the same; every kind of decision came up");
		uint64_t seeds = probe_scale(2000);
		wrong = 0;
		for (uint64_t i = 0; i < seeds && wrong == 0; i++) {
			one_seed(seed + i);
			if (wrong > 0)
				printf("  seed %" PRIu64 "\n", seed + i);
		}
		CHECK_EQ(wrong, 0);
		printf("  stop %u, restart-one %u, restart-all %u, root %u\n", decided[0],
		       decided[1], decided[2], decided[3]);
		for (int i = 0; i < 4; i++)
			CHECK(decided[i] > 0);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_stop();
	test_restart_one();
	test_restart_all();
	test_escalate();
	test_nobodys();
	test_escalate_to_rules();
	test_intensity();
	test_intensity_ends();
	test_intensity_anew();
	test_rules();
	test_rule_undone();
	test_deciding();
	test_depth();
	test_against_model(seed);
	return bdd_close();
}
