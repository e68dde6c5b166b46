/* SPDX-License-Identifier: Apache-2.0 */
/* supervision.h -- what becomes of an actor that failed: a decision, then its walk.
 *
 *      failed --> its supervisor's rule
 *                   STOP          the child is stopped               (no rule: this)
 *                   RESTART_ONE   the child begins anew  \  if fewer than `most`
 *                   RESTART_ALL   all children do        /  restarts in `period_ns`
 *                   ESCALATE      the supervisor itself has failed, ask its own
 *                   too many      likewise
 *                 nobody --> the topmost that failed is stopped, and it is said
 *
 * Deciding changes nothing: a function of the table, of who failed and of the time
 * that the turn recorded.  Carrying out notes the restart and begins a walk
 * (actors.h), whose events the caller takes one by one.
 *
 * Intensity is exact: a restart is allowed if fewer than `most` were noted less than
 * period_ns ago.  Two restarts period_ns apart do not count together.  To restart
 * all counts once.  The newest 16 are kept whatever `most` is, so to change a rule
 * and change it back leaves no trace.
 *
 * A restarted actor keeps reference, behaviour, rule and who watches it; its
 * children are stopped, since nothing in its zeroed cell knows of them.
 *
 * Source: Erlang/OTP, supervisor(3): one_for_one, one_for_all, intensity, period.
 */
#ifndef BA_SUPERVISION_H
#define BA_SUPERVISION_H

#include <stdbool.h>
#include <stdint.h>

#include "actors.h"

enum ba_decided {
	BA_DECIDED_STOP,        /* `reference`                                       */
	BA_DECIDED_RESTART_ONE, /* `reference`                                       */
	BA_DECIDED_RESTART_ALL, /* the children of `reference`                       */
	BA_DECIDED_ROOT         /* stop `reference`: it has failed and has no supervisor */
};

typedef struct ba_decision {
	uint64_t now_ns;
	uint32_t what;        /* enum ba_decided                                     */
	uint32_t failed;      /* whose handler it was                                */
	uint32_t reference;   /* whom it meets: `failed`, or a supervisor above it   */
	uint32_t escalations; /* supervisors that counted as failed                  */
} ba_decision_t;

/* Say how the children of an actor are supervised.
 *
 *   most        restarts within period_ns, 0..16; 0: the first one escalates
 *   period_ns   at least 1 where `most` counts; ignored by STOP and ESCALATE
 *   returns     OK; STALE; ERROR: a number out of range; FULL: no rule is free.
 *               Unless OK, the rule is what it was
 *   undo        to say again what was said before, newest change first, is exact
 */
static inline bitactor_status_t
ba_actors_supervise(ba_actors_t *a, uint32_t reference, uint32_t strategy, uint32_t most,
                    uint64_t period_ns)
{
	bool restarts =
		strategy == BA_STRATEGY_RESTART_ONE || strategy == BA_STRATEGY_RESTART_ALL;

	BA_ASSERT(!ba_actors_is_walking(a));
	if (ba_actors_find(a, reference) == NULL)
		return BITACTOR_STALE;
	if (strategy > BA_STRATEGY_ESCALATE || most > BA_RESTARTS_MOST ||
	    (restarts && most > 0 && period_ns == 0))
		return BITACTOR_ERROR;

	uint32_t   index = ba_actor_index(reference);
	ba_rule_t *rule  = ba_actors_rule(a, index);
	bool needed = strategy != BA_STRATEGY_STOP || (rule != NULL && rule->restarts > 0);
	if (!needed) {
		ba_rule_give(a, index);
		return BITACTOR_OK;
	}
	if (rule == NULL)
		rule = ba_rule_take(a, index);
	if (rule == NULL)
		return BITACTOR_FULL;
	rule->strategy  = (uint8_t)strategy;
	rule->most      = (uint8_t)most;
	rule->period_ns = period_ns;
	return BITACTOR_OK;
}

/* May there be one more restart at `now_ns`?  Times are noted in order, so it is
 * enough to look at the one that is `most` back. */
static inline bool
ba_rule_allows(const ba_rule_t *rule, uint64_t now_ns)
{
	if (rule->most == 0)
		return false;
	if (rule->restarts < rule->most)
		return true;
	uint64_t then = rule->restarted_ns[(rule->restarts - rule->most) % BA_RESTARTS_MOST];
	uint64_t ago  = now_ns > then ? now_ns - then : 0;
	return ago >= rule->period_ns;
}

static inline void
ba_rule_note(ba_rule_t *rule, uint64_t now_ns)
{
	rule->restarted_ns[rule->restarts % BA_RESTARTS_MOST] = now_ns;
	rule->restarts++;
}

/* Decide what a failure leads to; nothing is changed.
 *
 *   failed    whose handler failed
 *   now_ns    of the turn; never smaller than in an earlier call
 *   returns   OK, or STALE: it is gone, there is nothing to decide
 *   cost      one step a supervisor that escalates
 */
static inline bitactor_status_t
ba_supervise(const ba_actors_t *a, uint32_t failed, uint64_t now_ns, ba_decision_t *decision)
{
	BA_ASSERT(!ba_actors_is_walking(a));
	if (ba_actors_find(a, failed) == NULL)
		return BITACTOR_STALE;

	uint32_t index = ba_actor_index(failed), above, escalations = 0;
	uint32_t what  = BA_DECIDED_ROOT;
	for (; (above = a->ties[index].supervisor) != 0; index = above, escalations++) {
		const ba_rule_t *rule = ba_actors_rule(a, above);
		uint32_t strategy = rule != NULL ? rule->strategy : BA_STRATEGY_STOP;
		if (strategy == BA_STRATEGY_STOP)
			what = BA_DECIDED_STOP;
		else if (strategy == BA_STRATEGY_ESCALATE || !ba_rule_allows(rule, now_ns))
			continue;
		else if (strategy == BA_STRATEGY_RESTART_ONE)
			what = BA_DECIDED_RESTART_ONE;
		else
			what = BA_DECIDED_RESTART_ALL;
		break;
	}
	uint32_t meets = what == BA_DECIDED_RESTART_ALL ? above : index;
	*decision = (ba_decision_t){ .now_ns      = now_ns,
		                     .what        = what,
		                     .failed      = failed,
		                     .reference   = ba_actors_line(a, meets)->reference,
		                     .escalations = escalations };
	return BITACTOR_OK;
}

/* Do what was decided, before anything else is asked of the table: take the events
 * with ba_actors_next, to the last.  `reason` is what the failed one, and whom the
 * decision meets, end with. */
static inline void
ba_supervision_carry_out(ba_actors_t *a, const ba_decision_t *decision, bitactor_status_t reason)
{
	uint32_t index = ba_actor_index(decision->reference);
	bool     all   = decision->what == BA_DECIDED_RESTART_ALL;
	bool     renew = all || decision->what == BA_DECIDED_RESTART_ONE;

	BA_ASSERT(ba_actors_find(a, decision->reference) != NULL);
	if (renew) {
		uint32_t   above = all ? index : a->ties[index].supervisor;
		ba_rule_t *rule  = ba_actors_rule(a, above);
		BA_ASSERT(rule != NULL);
		ba_rule_note(rule, decision->now_ns);
	}
	uint32_t top = all ? a->ties[index].eldest : index;
	BA_ASSERT(top != 0);
	ba_actors_walk(a, top, renew, all, decision->failed, reason);
}

#endif
