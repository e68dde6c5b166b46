/* SPDX-License-Identifier: Apache-2.0 */
/* fibers.c -- asks and answers: each ask is a fiber.
 *
 *      ask      says so, waits for an answer, yields, outputs its sum with it
 *      answer   goes to the fiber that has waited longest; with none waiting its
 *               handler counts it as unasked
 *      rest     a fiber that yields payload times
 *      faint    a fiber that yields, then answers ERROR
 *      leave    a fiber that yields, then ends the process
 */
#include <bitactor/module.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { ASK, ANSWER, REST, FAINT, LEAVE, KINDS };
enum { PORT_TALK };

typedef struct talk {
	uint64_t asked, answered, unasked;
} talk_t;

static bitactor_status_t
say(bitactor_turn_t *turn, const char *what, uint64_t number)
{
	char line[64];
	int  bytes = snprintf(line, sizeof line, "%s %" PRIu64, what, number);
	return bitactor_output(turn, PORT_TALK, line, (size_t)bytes);
}

static bitactor_status_t
on_ask(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	talk_t  *talk = state;
	uint64_t question = signal->payload; /* the signal is gone after a wait */
	talk->asked++;
	bitactor_status_t status = say(turn, "asked", question);
	bitactor_signal_t answer;
	if (status == BITACTOR_OK)
		status = bitactor_await(turn, ANSWER, &answer);
	if (status == BITACTOR_OK)
		status = bitactor_yield(turn);
	if (status != BITACTOR_OK)
		return status;
	talk->answered++;
	bitactor_turn_result(turn, question + answer.payload);
	return say(turn, "answered", question + answer.payload);
}

static bitactor_status_t
on_answer(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	talk_t *talk = state;
	talk->unasked++;
	return say(turn, "unasked", signal->payload);
}

static bitactor_status_t
on_rest(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	uint64_t times = signal->payload;
	bitactor_status_t status = BITACTOR_OK;
	while (times-- > 0 && status == BITACTOR_OK)
		status = bitactor_yield(turn);
	return status == BITACTOR_OK ? say(turn, "rested", 0) : status;
}

static bitactor_status_t
on_faint(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal, (void)state;
	bitactor_status_t status = bitactor_yield(turn);
	return status == BITACTOR_OK ? BITACTOR_ERROR : status;
}

static bitactor_status_t
on_leave(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal, (void)state;
	bitactor_status_t status = bitactor_yield(turn);
	if (status == BITACTOR_OK)
		abort();
	return status;
}

static const bitactor_kind_t kinds[] = {
	[ASK] = { .name = "ask", .fn = on_ask, .flags = BITACTOR_HANDLER_FIBER },
	[ANSWER] = { .name = "answer", .fn = on_answer },
	[REST] = { .name = "rest", .fn = on_rest, .flags = BITACTOR_HANDLER_FIBER },
	[FAINT] = { .name = "faint", .fn = on_faint, .flags = BITACTOR_HANDLER_FIBER },
	[LEAVE] = { .name = "leave", .fn = on_leave, .flags = BITACTOR_HANDLER_FIBER },
};

static const bitactor_cell_t cells[] = { { "talk", sizeof(talk_t) } };
static const char *const     ports[] = { [PORT_TALK] = "talk" };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "fibers",
	.version = "1",
	.kinds = kinds,
	.cells = cells,
	.ports = ports,
	.kind_count = KINDS,
	.cell_count = 1,
	.port_count = 1,
};
