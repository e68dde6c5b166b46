/* SPDX-License-Identifier: Apache-2.0 */
/* deaths.c -- a kind for each way in which a handler takes its process with it.
 *
 * Real faults where the machine makes them (si_code > 0), sent ones where not: the
 * last words go both ways.  "live" does nothing, so that there is something before.
 */
#include <bitactor/module.h>

#include <signal.h>
#include <stdlib.h>

typedef struct deaths {
	uint64_t lived;
} deaths_t;

static bitactor_status_t
on_live(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal;
	deaths_t *deaths = state;
	bitactor_turn_result(turn, ++deaths->lived);
	return BITACTOR_OK;
}

static bitactor_status_t
on_abort(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	abort();
}

static bitactor_status_t
on_segv(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	/* nothing is mapped in the first page, whatever the payload adds */
	volatile uint64_t *nowhere = (volatile uint64_t *)(uintptr_t)(64 + signal->payload % 8 * 8);
	*nowhere = 1;
	return BITACTOR_OK;
}

/* Deeper than any stack; the compiler must not see that it never ends. */
static uint64_t
descend(volatile uint64_t *depth)
{
	volatile uint64_t frame[64] = { *depth };
	*depth += 1;
	return *depth == 0 ? 0 : descend(depth) + frame[*depth % 64];
}

static bitactor_status_t
on_overflow(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	volatile uint64_t depth = signal->payload + 1;
	bitactor_turn_result(turn, descend(&depth));
	return BITACTOR_OK;
}

static bitactor_status_t
on_trap(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	if (state != NULL)
		__builtin_trap();
	return BITACTOR_OK;
}

static bitactor_status_t
on_fpe(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	return raise(SIGFPE) == 0 ? BITACTOR_OK : BITACTOR_ERROR;
}

static bitactor_status_t
on_bus(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	return raise(SIGBUS) == 0 ? BITACTOR_OK : BITACTOR_ERROR;
}

static const bitactor_kind_t kinds[] = {
	{ .name = "live", .fn = on_live },
	{ .name = "abort", .fn = on_abort },
	{ .name = "segv", .fn = on_segv },
	{ .name = "overflow", .fn = on_overflow },
	{ .name = "trap", .fn = on_trap },
	{ .name = "fpe", .fn = on_fpe },
	{ .name = "bus", .fn = on_bus },
	{ .name = "fiber_segv", .fn = on_segv, .flags = BITACTOR_HANDLER_FIBER },
	{ .name = "fiber_abort", .fn = on_abort, .flags = BITACTOR_HANDLER_FIBER },
	{ .name = "fiber_overflow", .fn = on_overflow, .flags = BITACTOR_HANDLER_FIBER },
};

static const bitactor_cell_t cells[] = { { "deaths", sizeof(deaths_t) } };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "deaths",
	.version = "1",
	.kinds = kinds,
	.cells = cells,
	.kind_count = 10,
	.cell_count = 1,
};
