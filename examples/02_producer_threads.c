/* SPDX-License-Identifier: Apache-2.0 */
/* 02_producer_threads.c -- four threads send, one dispatches, the numbers add up.
 *
 *      send (x 4) --bitactor_enqueue--> shared queue --bitactor_drain--> on_count
 *
 * The queue has room for 1024 signals and the threads send faster than that: a
 * full queue is an answer, BITACTOR_FULL, and not a loss.  Whoever gets it waits
 * and offers the same signal again; the engine counts each refusal.
 */
#include <bitactor/bitactor_dispatch.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

enum { COUNT = 1, PRODUCERS = 4, EACH = 25000 };

/* What has arrived, by sender: the handler's state.  No lock: handlers run one
 * after the other, on the thread that drains. */
typedef struct arrived {
	uint64_t next[PRODUCERS]; /* the number that comes next */
	uint64_t out_of_order;
} arrived_t;

typedef struct producer {
	bitactor_engine_t *engine;
	uint32_t           number;
	uint64_t           refused; /* how often it was told FULL */
} producer_t;

static bitactor_status_t
on_count(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	arrived_t *arrived = state;
	(void)turn;
	if (signal->payload != arrived->next[signal->id])
		arrived->out_of_order++;
	arrived->next[signal->id] = signal->payload + 1;
	return BITACTOR_OK;
}

static void *
send(void *argument)
{
	producer_t       *producer = argument;
	bitactor_signal_t signal   = { .kind = COUNT, .id = producer->number };

	while (signal.payload < EACH) {
		bitactor_status_t status = bitactor_enqueue(producer->engine, &signal);
		if (status == BITACTOR_FULL) {
			producer->refused++;
			(void)sched_yield();
			continue;
		}
		if (status != BITACTOR_OK)
			break;
		signal.payload++;
	}
	return NULL;
}

/* Dispatch until everything has arrived. */
static void
drain(bitactor_engine_t *engine)
{
	for (uint64_t done, total = 0; total < (uint64_t)PRODUCERS * EACH; total += done) {
		bitactor_status_t status = bitactor_drain(engine, 256, &done);
		/* EMPTY: nothing waits.  BUSY: a sender is between taking its slot and
		 * filling it.  Both end by themselves. */
		if (status == BITACTOR_EMPTY || status == BITACTOR_BUSY)
			(void)sched_yield();
		else if (status != BITACTOR_OK)
			return;
	}
}

static int
report(const bitactor_stats_t *stats, const arrived_t *arrived, uint64_t refused)
{
	printf("%llu offered = %llu accepted + %llu refused\n", (unsigned long long)stats->offered,
	       (unsigned long long)stats->accepted, (unsigned long long)stats->refused);
	printf("%llu dispatched, %llu out of their sender's order\n",
	       (unsigned long long)stats->dispatched, (unsigned long long)arrived->out_of_order);
	return stats->accepted == (uint64_t)PRODUCERS * EACH &&
	       stats->dispatched == stats->accepted && stats->refused_full == refused &&
	       stats->offered == stats->accepted + stats->refused && arrived->out_of_order == 0
	               ? 0
	               : 1;
}

int
main(void)
{
	bitactor_engine_t *engine  = bitactor_init();
	arrived_t          arrived = { .out_of_order = 0 };
	producer_t         producers[PRODUCERS];
	pthread_t          threads[PRODUCERS];

	if (bitactor_register(engine, COUNT, on_count, &arrived) != BITACTOR_OK)
		return 1;
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i] = (producer_t){ .engine = engine, .number = i };
		if (pthread_create(&threads[i], NULL, send, &producers[i]) != 0)
			return 1;
	}
	drain(engine);

	uint64_t refused = 0;
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		(void)pthread_join(threads[i], NULL);
		refused += producers[i].refused;
	}
	bitactor_stats_t stats;
	(void)bitactor_stats(engine, &stats);
	return report(&stats, &arrived, refused);
}
