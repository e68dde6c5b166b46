/* SPDX-License-Identifier: Apache-2.0 */
/* bench_fiber.c -- a bare switch, and what it becomes inside the engine.
 *
 *      bare         home -> fiber -> home: two switches
 *      yield        fiber -> turn -> RESUME in the internal queue -> fiber
 *      await        fiber -> turn -> a signal of its kind -> fiber
 *      start        a signal that starts a fiber, which returns at once
 *
 * Beside them a call through a pointer, and the same signals with a handler that is
 * not a fiber.  Stacks have guard pages, as `bitactor run` gives them; without, each
 * stretch would look at a canary.
 */
#include "harness.h"
#include "../bitactor/src/internal/fiber.h"

#include <bitactor/host.h>

#include <stdlib.h>
#include <string.h>

enum { FIBER_STACK_BYTES = 16384 };

/* ---- a bare switch ----------------------------------------------------------------------- */

typedef struct bare {
	const ba_cycles_t *clock;
	ba_fiber_t home, fiber;
	uint64_t   got, expected;
} bare_t;

static ba_fiber_t *
bare_main(void *argument)
{
	bare_t *bare = argument;
	for (;;) {
		bare->got++;
		ba_fiber_switch(&bare->fiber, &bare->home);
	}
	return &bare->home;
}

static uint64_t
pass_switch(void *argument, uint64_t operations)
{
	bare_t  *bare  = argument;
	uint64_t began = bench_counts(bare->clock);
	for (uint64_t i = 0; i < operations; i += 2)
		ba_fiber_switch(&bare->home, &bare->fiber);
	uint64_t spent = bench_counts(bare->clock) - began;
	bare->expected += operations / 2;
	return spent;
}

static __attribute__((noinline)) void
called(bare_t *bare)
{
	bare->got++;
}

static uint64_t
pass_call(void *argument, uint64_t operations)
{
	bare_t *bare = argument;
	void (*call)(bare_t *) = called;
	__asm__("" : "+r"(call)); /* through the pointer, whatever the compiler knows */
	uint64_t began = bench_counts(bare->clock);
	for (uint64_t i = 0; i < operations; i++)
		call(bare);
	uint64_t spent = bench_counts(bare->clock) - began;
	bare->expected += operations;
	return spent;
}

static bench_proof_t
prove_bare(void *argument, uint64_t passes)
{
	(void)passes;
	const bare_t *bare = argument;
	return (bench_proof_t){ .got = bare->got, .expected = bare->expected };
}

static void
bare_rows(bench_t *bench)
{
	static bare_t call, jump;
	void *stack = bench_memory(bench, FIBER_STACK_BYTES);
	if (stack == NULL)
		return;
	call = (bare_t){ .clock = &bench->clock };
	jump = (bare_t){ .clock = &bench->clock };
	ba_fiber_adopt_thread(&jump.home);
	ba_fiber_prepare(&jump.fiber, stack, FIBER_STACK_BYTES, bare_main, &jump);

	const bench_contender_t contenders[] = {
		{ .name = "call through a pointer", .kinds = "", .unit = "call",
		  .subject = &call, .operations = bench->plan.operations, .pass = pass_call,
		  .prove = prove_bare },
		{ .name = "one way", .kinds = "", .unit = "switch",
		  .subject = &jump, .operations = bench->plan.operations, .pass = pass_switch,
		  .prove = prove_bare },
	};
	bench_measure(bench, "a bare switch", contenders, 2, false);
	ba_fiber_release(&jump.fiber);
	free(stack);
}

/* ---- through the engine -------------------------------------------------------------------- */

enum { KIND_PLAIN, KIND_START, KIND_YIELD, KIND_AWAIT, KIND_AWAITED };

typedef struct staged {
	const ba_cycles_t *clock;
	bench_engine_t     engine;
	void    *stacks;
	uint16_t kind;     /* of the signals of a pass */
	uint64_t fibers;   /* that yield by turns */
	uint64_t handled;  /* by the handlers below */
	uint64_t expected;
	bool     recorded, waits;
	bitactor_signal_t signals[BENCH_BATCH]; /* at least one a fiber */
} staged_t;

static bitactor_status_t
on_signal(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	staged_t *staged = state;
	staged->handled++;
	bitactor_turn_result(turn, signal->payload);
	return BITACTOR_OK;
}

static bitactor_status_t
on_yield(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	staged_t *staged = state;
	uint64_t  times  = signal->payload; /* the signal is gone after the first yield */
	for (uint64_t i = 0; i < times; i++) {
		bitactor_status_t status = bitactor_yield(turn);
		if (status != BITACTOR_OK)
			return status;
		staged->handled++;
	}
	return BITACTOR_OK;
}

static bitactor_status_t
on_await(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	staged_t *staged = state;
	(void)signal;
	for (;;) {
		bitactor_signal_t awaited;
		bitactor_status_t status = bitactor_await(turn, KIND_AWAITED, &awaited);
		if (status != BITACTOR_OK)
			return status; /* CANCELLED: the engine stops */
		staged->handled++;
		bitactor_turn_result(turn, awaited.payload);
	}
}

static uint64_t
pass_signals(void *argument, uint64_t operations)
{
	staged_t *staged = argument;
	uint64_t  began  = bench_counts(staged->clock);
	for (uint64_t first = 0; first < operations; first += BENCH_BATCH) {
		for (uint64_t i = 0; i < BENCH_BATCH; i++)
			bench_compose(&staged->signals[i], staged->kind, first + i, 0);
		(void)bitactor_enqueue_many(staged->engine.engine, staged->signals, BENCH_BATCH,
		                            NULL);
		(void)bitactor_drain(staged->engine.engine, BENCH_BATCH, NULL);
	}
	uint64_t spent = bench_counts(staged->clock) - began;
	staged->expected += operations;
	return spent;
}

/* Each fiber its share of the yields; drained until none is left. */
static uint64_t
pass_yields(void *argument, uint64_t operations)
{
	staged_t *staged = argument;
	uint64_t  began  = bench_counts(staged->clock);
	for (uint64_t i = 0; i < staged->fibers; i++)
		bench_compose(&staged->signals[i], KIND_YIELD, operations / staged->fibers, 0);
	(void)bitactor_enqueue_many(staged->engine.engine, staged->signals, staged->fibers, NULL);
	while (bitactor_drain(staged->engine.engine, BENCH_BATCH, NULL) == BITACTOR_OK)
		continue;
	uint64_t spent = bench_counts(staged->clock) - began;
	staged->expected += operations / staged->fibers * staged->fibers;
	return spent;
}

static bench_proof_t
prove_staged(void *argument, uint64_t passes)
{
	(void)passes;
	const staged_t *staged  = argument;
	uint64_t        segment = 0;
	uint32_t        offset  = 0;
	bool good = !staged->recorded || bitactor_telemetry_check(staged->engine.engine, &segment,
	                                                          &offset) == BITACTOR_OK;
	return (bench_proof_t){ .got      = good ? staged->handled : ~staged->expected,
		                .expected = staged->expected };
}

static bool
staged_open(bench_t *bench, staged_t *staged)
{
	const struct {
		uint16_t kind;
		uint32_t flags;
		bitactor_handler_fn fn;
	} handlers[] = {
		{ KIND_PLAIN, 0, on_signal },
		{ KIND_START, BITACTOR_HANDLER_FIBER, on_signal },
		{ KIND_YIELD, BITACTOR_HANDLER_FIBER, on_yield },
		{ KIND_AWAIT, BITACTOR_HANDLER_FIBER, on_await },
	};
	/* the guards alone: the clock stays the counter, as in the other cases */
	bitactor_host_t guards = *bitactor_host_posix();
	guards.now_ns = NULL;

	bitactor_config_t config;
	bitactor_config_default(&config);
	config.segments = staged->recorded ? 2 : 0;
	config.fibers   = staged->fibers > 1 ? (uint32_t)staged->fibers : 1;
	config.fiber_stack_bytes = FIBER_STACK_BYTES;
	config.host     = &guards;

	size_t bytes = bitactor_fibers_bytes(&config);
	staged->stacks = bench_memory(bench, bytes);
	if (staged->stacks == NULL || !bench_engine_open(bench, &staged->engine, &config))
		return false;
	bitactor_engine_t *engine = staged->engine.engine;
	bitactor_status_t  status = bitactor_fibers_init(engine, staged->stacks, bytes);
	for (int i = 0; i < 4 && status == BITACTOR_OK; i++) {
		bitactor_handler_t handler = { .kind  = handlers[i].kind,
			                       .flags = handlers[i].flags,
			                       .fn    = handlers[i].fn,
			                       .state = staged };
		status = bitactor_register_handler(engine, &handler);
	}
	if (status == BITACTOR_OK && staged->waits) {
		bitactor_signal_t signal = { .kind = KIND_AWAIT };
		status = bitactor_enqueue(engine, &signal);
		if (status == BITACTOR_OK)
			status = bitactor_drain(engine, 1, NULL);
	}
	bench->failed |= status != BITACTOR_OK;
	return !bench->failed;
}

static const struct fiber_way {
	const char *name, *unit;
	uint64_t  (*pass)(void *subject, uint64_t operations);
	uint16_t    kind;
	bool        waits, recorded;
	uint64_t    fibers;
} fiber_ways[] = {
	{ "no fiber, a plain handler", "signal", pass_signals, KIND_PLAIN, false, false, 0 },
	{ "starts a fiber, which returns", "signal", pass_signals, KIND_START, false, false, 0 },
	{ "goes to a fiber that awaits", "signal", pass_signals, KIND_AWAITED, true, false, 0 },
	{ "and back, 1 fiber", "yield", pass_yields, KIND_YIELD, false, false, 1 },
	{ "and back, 256 fibers by turns", "yield", pass_yields, KIND_YIELD, false, false, 256 },
	{ "and back, 1 fiber, 32 B record", "yield", pass_yields, KIND_YIELD, false, true, 1 },
};

enum { FIBER_WAYS = sizeof fiber_ways / sizeof *fiber_ways };

void
bench_fiber(bench_t *bench)
{
	static staged_t   staged[FIBER_WAYS];
	bench_contender_t contenders[FIBER_WAYS];
	int count = 0;

	if (!ba_fiber_supported()) {
		bench_skip(bench, "a bare switch", "no fibers on this machine");
		return;
	}
	bare_rows(bench);
	memset(staged, 0, sizeof staged);
	for (int i = 0; i < FIBER_WAYS; i++) {
		const struct fiber_way *way = &fiber_ways[i];
		staged[i].clock    = &bench->clock;
		staged[i].kind     = way->kind;
		staged[i].fibers   = way->fibers;
		staged[i].recorded = way->recorded;
		staged[i].waits    = way->waits;
		if (!staged_open(bench, &staged[i]))
			break;
		contenders[count++] = (bench_contender_t){
			.name       = way->name,
			.kinds      = "",
			.unit       = way->unit,
			.subject    = &staged[i],
			.operations = bench->plan.operations >= 1024 ? bench->plan.operations / 4
			                                             : bench->plan.operations,
			.pass       = way->pass,
			.prove      = prove_staged,
		};
	}
	if (!bench->failed)
		bench_measure(bench, "through the engine", contenders, count, false);
	for (int i = 0; i < FIBER_WAYS; i++) {
		bench_engine_close(&staged[i].engine); /* before its stacks */
		free(staged[i].stacks);
	}
}
