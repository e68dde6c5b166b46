/* SPDX-License-Identifier: Apache-2.0 */
/* 05_fiber.c -- a handler that waits in the middle, on a stack of its own.
 *
 *      ORDER --> on_order --output--> port 0: "please pay"
 *                   |
 *                await(PAYMENT) <---- a PAYMENT to the same actor
 *                   |
 *                yield                what is queued goes first
 *                   |
 *                   +----output--> port 1: "paid by"
 *
 * Each ORDER starts a fiber.  Every stretch between two waits is a dispatch of its
 * own: it has a record, and what it asked for takes hold at the wait.  After a
 * wait `signal` and its data are gone: on_order copies what it needs.
 */
#include <bitactor/bitactor_dispatch.h>
#include <bitactor/host.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDER, PAYMENT, KINDS };
enum { PORT_REQUESTS, PORT_RESULTS };
enum { ORDERS = 3 };

static bitactor_status_t
say(bitactor_turn_t *turn, uint32_t port, const char *what, uint32_t actor, uint64_t number)
{
	char line[64];
	int  bytes = snprintf(line, sizeof line, "%s %u: %llu", what, (unsigned)actor,
	                      (unsigned long long)number);
	return bitactor_output(turn, port, line, (size_t)bytes);
}

static bitactor_status_t
on_order(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	uint32_t          actor = signal->actor;
	uint64_t          price = signal->payload, paid = 0;
	bitactor_status_t status = say(turn, PORT_REQUESTS, "please pay", actor, price);

	while (status == BITACTOR_OK && paid < price) {
		bitactor_signal_t payment;
		status = bitactor_await(turn, PAYMENT, &payment); /* CANCELLED: it stops */
		if (status == BITACTOR_OK)
			paid += payment.payload;
	}
	if (status == BITACTOR_OK)
		status = bitactor_yield(turn);
	if (status != BITACTOR_OK)
		return status;
	return say(turn, PORT_RESULTS, "paid by", actor, paid);
}

/* What came out of each port. */
typedef struct outside {
	unsigned lines[2];
} outside_t;

static void
deliver(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	outside_t *outside = context;
	outside->lines[port]++;
	printf("port %u: %.*s\n", (unsigned)port, (int)byte_count, (const char *)bytes);
}

static bool
send_and_drain(bitactor_engine_t *engine, uint16_t kind, uint32_t actor, uint64_t amount)
{
	bitactor_signal_t signal = { .kind = kind, .actor = actor, .payload = amount };
	if (bitactor_enqueue(engine, &signal) != BITACTOR_OK)
		return false;
	while (bitactor_drain(engine, 64, NULL) == BITACTOR_OK)
		continue;
	return true;
}

static int
run(bitactor_engine_t *engine, const outside_t *outside)
{
	const bitactor_handler_t handler = { .fn = on_order, .kind = ORDER,
		                             .flags = BITACTOR_HANDLER_FIBER };
	bool done = bitactor_register_handler(engine, &handler) == BITACTOR_OK;

	for (uint32_t actor = 1; actor <= ORDERS; actor++)
		done = done && send_and_drain(engine, ORDER, actor, 100 * actor);
	/* The third pays first, and the first in two parts.  Nobody is registered for
	 * PAYMENT: the fibers that wait for it take it.  The second never pays. */
	done = done && send_and_drain(engine, PAYMENT, 3, 300) &&
	       send_and_drain(engine, PAYMENT, 1, 60) && send_and_drain(engine, PAYMENT, 1, 40);
	done = done && outside->lines[PORT_REQUESTS] == 3 && outside->lines[PORT_RESULTS] == 2;

	/* Stopping calls off who still waits: their handler gets CANCELLED and fails. */
	bitactor_stats_t stats;
	done = done && bitactor_stop(engine, true, 64, NULL) == BITACTOR_OK &&
	       bitactor_stats(engine, &stats) == BITACTOR_OK && stats.failed == 1 &&
	       stats.rejected == 0 && outside->lines[PORT_RESULTS] == 2;
	puts(done ? "two paid, one was called off" : "NOT AS EXPECTED");
	return done ? 0 : 1;
}

int
main(void)
{
	static outside_t        outside;
	const bitactor_outlet_t outlet = { .context = &outside, .deliver = deliver };
	bitactor_config_t       config;
	bitactor_config_default(&config);
	config.kinds  = KINDS;
	config.fibers = ORDERS;
	config.host   = bitactor_host_posix(); /* a clock, and guards between the stacks */
	config.outlet = &outlet;

	size_t             bytes  = bitactor_engine_bytes(&config);
	size_t             stacks = bitactor_fibers_bytes(&config); /* a multiple of 4096 */
	void              *block  = aligned_alloc(64, (bytes + 63) / 64 * 64);
	void              *stack_block = aligned_alloc(4096, stacks);
	bitactor_engine_t *engine;
	if (block == NULL || stack_block == NULL ||
	    bitactor_engine_init(block, bytes, &config, &engine) != BITACTOR_OK)
		return 1;
	bitactor_status_t status = bitactor_fibers_init(engine, stack_block, stacks);
	if (status == BITACTOR_UNSUPPORTED) {
		puts("no fibers on this machine: no switch for it, or a shadow stack is on");
		return 77; /* for `make test`: skipped */
	}
	int failed = status == BITACTOR_OK ? run(engine, &outside) : 1;
	(void)bitactor_destroy(engine); /* lifts the guards: before the stacks are freed */
	free(stack_block);
	free(block);
	return failed;
}
