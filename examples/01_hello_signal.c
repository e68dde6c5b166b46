/* SPDX-License-Identifier: Apache-2.0 */
/* Four readings go in, their sum comes out, and all of it was recorded. */
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/bitactor_telemetry.h>
#include <stdio.h>

enum { READING = 1 };

static bitactor_status_t
on_reading(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *sum = (uint64_t *)state;
	*sum += signal->payload;
	bitactor_turn_result(turn, *sum); /* what this dispatch answers: it is recorded */
	return BITACTOR_OK;
}

int
main(void)
{
	static bitactor_signal_t signal;               /* 48 bytes, all zero */
	bitactor_engine_t *engine = bitactor_init();   /* the process's own; nothing to free */
	bitactor_stats_t   stats;
	uint64_t           sum = 0;

	bitactor_register(engine, READING, on_reading, &sum);
	signal.kind = READING;
	for (signal.payload = 10; signal.payload <= 40; signal.payload += 10)
		if (bitactor_enqueue(engine, &signal) != BITACTOR_OK) /* from any thread */
			return 1;
	while (bitactor_drain(engine, 64, NULL) == BITACTOR_OK) /* a turn: at most 64 signals */
		continue;

	bitactor_stats(engine, &stats);
	printf("sum %u; %u accepted, %u dispatched, %u records\n", (unsigned)sum,
	       (unsigned)stats.accepted, (unsigned)stats.dispatched, (unsigned)stats.records);
	return sum == 100 && stats.accepted == stats.dispatched + stats.queued &&
	       bitactor_telemetry_check(engine, NULL, NULL) == BITACTOR_OK ? 0 : 1;
}
