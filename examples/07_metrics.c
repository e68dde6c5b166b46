/* SPDX-License-Identifier: Apache-2.0 */
/* 07_metrics.c -- how an engine fared in the last hour, minute by minute.
 *
 * The program says what time it is, so two hours take no time here; a real one
 * samples each second with its own clock.  Each tenth reading is refused.
 */
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/metrics.h>

#include <stdio.h>

enum { READING = 1, MINUTES = 120 };

#define MINUTE_NS UINT64_C(60000000000)

static bitactor_metrics_t metrics; /* 400 KiB: not for a stack */

static bitactor_status_t
on_reading(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	return signal->payload % 10 != 0 ? BITACTOR_OK : BITACTOR_ERROR;
}

/* A hundred readings a minute, each timed by tick; then a sample. */
static bool
work(bitactor_engine_t *engine, uint64_t minute, bitactor_metrics_given_t *given)
{
	bitactor_signal_t signal = { .kind = READING };
	bitactor_result_t result;
	for (; signal.payload < 100; signal.payload++) {
		(void)bitactor_tick(engine, &signal, &result);
		given->timed++;
		given->timed_counts += result.spent_counts;
	}
	return bitactor_metrics_sample(&metrics, engine, minute * MINUTE_NS, given) == BITACTOR_OK;
}

static bool
print_window(uint64_t now_ns, uint32_t minutes)
{
	bitactor_metrics_window_t window;
	uint64_t success_ppm = 0, average_ps = 0, memory_ppm = 0;
	if (bitactor_metrics_window(&metrics, now_ns, minutes, &window) == BITACTOR_EMPTY) {
		printf("%u minutes: nobody looked\n", (unsigned)minutes);
		return false;
	}
	(void)bitactor_metrics_success_ppm(&window, &success_ppm);
	(void)bitactor_metrics_average_ps(&window, &average_ps);
	(void)bitactor_metrics_memory_ppm(&window, 0, &memory_ppm);
	printf("%u minutes: %llu executed, %llu ppm with success, %llu ps each on average, "
	       "%llu ppm of %s in use\n",
	       (unsigned)minutes, (unsigned long long)window.sums.executed,
	       (unsigned long long)success_ppm, (unsigned long long)average_ps,
	       (unsigned long long)memory_ppm, window.pool_name[0]);
	return window.sums.executed == UINT64_C(100) * minutes && success_ppm == 900000 &&
	       average_ps > 0;
}

int
main(void)
{
	bitactor_engine_t       *engine = bitactor_init();
	bitactor_metrics_given_t given  = { .timed = 0 };
	bool good = bitactor_register(engine, READING, on_reading, NULL) == BITACTOR_OK &&
	            bitactor_metrics_init(&metrics, NULL, 0) == BITACTOR_OK &&
	            bitactor_metrics_sample(&metrics, engine, 0, &given) == BITACTOR_OK;

	for (uint64_t minute = 1; good && minute <= MINUTES; minute++)
		good = work(engine, minute, &given);
	uint64_t now_ns = MINUTES * MINUTE_NS, days_later_ns = now_ns + 2880 * MINUTE_NS;
	good = good && print_window(now_ns, 60) && print_window(now_ns, 1);
	return good && !print_window(days_later_ns, 1440) ? 0 : 1;
}
