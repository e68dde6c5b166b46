/* SPDX-License-Identifier: Apache-2.0 */
/* mixed.h -- one module that does a little of everything a handler may do.
 *
 *      count    adds its payload to the cell, answers the sum
 *      echo     outputs its data, or "-"
 *      twice    emits a count of twice its payload, and an echo with 8 bytes
 *      refuse   answers ERROR to an odd payload
 *      dice     outputs two random numbers, and of what now is only that it goes on
 *      nobody   has no handler
 *      spend    computes, payload times over
 *      large    outputs payload bytes
 *      burst    emits payload counts; the first that has no room is its answer
 *
 * mixed.c is it; its namesakes define one of the words below and are what a
 * replay must tell from it:
 *
 *      MIXED_CHANGED   from payload 1001 on, each kind does one thing otherwise
 *      MIXED_RAISES    count of 1001 raises this signal
 *      MIXED_VERSION   another version
 *      MIXED_SCHEMA    another field, with the version unchanged
 *      MIXED_BOUNDS    a parameter that takes less
 */
#ifndef MIXED_H
#define MIXED_H

#include <bitactor/module.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#ifdef MIXED_CHANGED
enum { CHANGED = 1 };
#else
enum { CHANGED = 0 };
#endif
#ifdef MIXED_RAISES
enum { RAISES = MIXED_RAISES };
#else
enum { RAISES = 0 };
#endif
#ifndef MIXED_VERSION
#define MIXED_VERSION "1.0"
#endif
#ifndef MIXED_BOUNDS
#define MIXED_BOUNDS 1000
#endif

enum { CHANGED_FROM = 1001 };
enum { COUNT, ECHO, TWICE, REFUSE, DICE, NOBODY, SPEND, LARGE, BURST, KINDS };
enum { PORT_ECHO, PORT_DICE, PORT_LARGE, PORTS };

typedef struct sums {
	uint64_t counts, sum, last_now, spent, weight;
} sums_t;

static bool
is_changed(const bitactor_signal_t *signal)
{
	return CHANGED && signal->payload >= CHANGED_FROM;
}

static bitactor_status_t
on_count(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	sums_t *sums = state;
	if (RAISES != 0 && signal->payload == CHANGED_FROM && raise(RAISES) != 0)
		return BITACTOR_ERROR;
	sums->counts++;
	sums->sum += sums->weight * signal->payload + is_changed(signal);
	bitactor_turn_result(turn, sums->sum);
	return BITACTOR_OK;
}

static bitactor_status_t
on_echo(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	if (is_changed(signal))
		return bitactor_output(turn, PORT_ECHO, "+", 1);
	const void *data = bitactor_turn_data(turn);
	return data != NULL ? bitactor_output(turn, PORT_ECHO, data, signal->data_bytes)
	                    : bitactor_output(turn, PORT_ECHO, "-", 1);
}

static bitactor_status_t
on_twice(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	const bitactor_signal_t count = { .kind = COUNT, .payload = 2 * signal->payload };
	const bitactor_signal_t echo = { .kind = ECHO, .id = signal->id };
	bitactor_status_t status = bitactor_emit(turn, &count);
	if (status == BITACTOR_OK && is_changed(signal) && signal->payload % 2 == 0)
		status = bitactor_emit(turn, &count); /* one more */
	if (status != BITACTOR_OK || (is_changed(signal) && signal->payload % 2 == 1))
		return status;                        /* one less */
	return bitactor_emit_data(turn, &echo, "eight by", 8);
}

static bitactor_status_t
on_refuse(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)state;
	return signal->payload % 2 == 1 && !is_changed(signal) ? BITACTOR_ERROR : BITACTOR_OK;
}

static bitactor_status_t
on_dice(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal;
	sums_t  *sums = state;
	uint64_t now = bitactor_turn_now_ns(turn), first = bitactor_random(turn);
	char line[64];
	int  bytes = snprintf(line, sizeof line, "%016" PRIx64 " %016" PRIx64 " %s", first,
	                      bitactor_random(turn), now >= sums->last_now ? "later" : "EARLIER");
	sums->last_now = now;
	return bitactor_output(turn, PORT_DICE, line, (size_t)bytes);
}

static bitactor_status_t
on_spend(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	sums_t  *sums = state;
	uint64_t spent = sums->spent;
	for (uint64_t i = 0; i < signal->payload; i++)
		spent = spent * 6364136223846793005u + 1442695040888963407u; /* Knuth's MMIX */
	sums->spent = spent;
	bitactor_turn_result(turn, spent);
	return BITACTOR_OK;
}

static bitactor_status_t
on_large(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	static const char line[4096];
	size_t bytes = signal->payload < sizeof line ? (size_t)signal->payload : sizeof line;
	return bitactor_output(turn, PORT_LARGE, line, bytes);
}

static bitactor_status_t
on_burst(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	const bitactor_signal_t count = { .kind = COUNT, .payload = 1 };
	bitactor_status_t status = BITACTOR_OK;
	for (uint64_t i = 0; i < signal->payload && status == BITACTOR_OK; i++)
		status = bitactor_emit(turn, &count);
	return status;
}

static bitactor_status_t
prepare(void *const *cells, const int64_t *params)
{
	sums_t *sums = cells[0];
	sums->weight = (uint64_t)params[0];
	return BITACTOR_OK;
}

static void
report(const void *const *cells, void (*say)(void *context, const char *line), void *context)
{
	const sums_t *sums = cells[0];
	char line[64];
	(void)snprintf(line, sizeof line, "counts %" PRIu64 " sum %" PRIu64, sums->counts,
	               sums->sum);
	say(context, line);
}

static const bitactor_field_t count_fields[] = {
	{ "amount", "mm", BITACTOR_WORD_PAYLOAD, 0, 64, BITACTOR_FORMAT_UNSIGNED, 0 },
#ifdef MIXED_SCHEMA
	{ "lowest", "", BITACTOR_WORD_PAYLOAD, 0, 1, BITACTOR_FORMAT_FLAG, 0 },
#endif
};

static const bitactor_kind_t kinds[] = {
	[COUNT] = { .name = "count", .fn = on_count, .fields = count_fields,
	            .field_count = sizeof count_fields / sizeof *count_fields },
	[ECHO] = { .name = "echo", .fn = on_echo },
	[TWICE] = { .name = "twice", .fn = on_twice },
	[REFUSE] = { .name = "refuse", .fn = on_refuse },
	[DICE] = { .name = "dice", .fn = on_dice },
	[NOBODY] = { .name = "nobody", .fn = NULL },
	[SPEND] = { .name = "spend", .fn = on_spend },
	[LARGE] = { .name = "large", .fn = on_large },
	[BURST] = { .name = "burst", .fn = on_burst },
};

static const bitactor_cell_t cells[] = { { "sums", sizeof(sums_t) } };

static const bitactor_param_t params[] = {
	{ "weight", "", 1, 1, MIXED_BOUNDS, "what each count is multiplied by" },
};

static const char *const ports[] = {
	[PORT_ECHO] = "echo", [PORT_DICE] = "dice", [PORT_LARGE] = "large",
};

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI,
	.struct_bytes = sizeof(bitactor_module_t),
	.name = "mixed",
	.version = MIXED_VERSION,
	.kinds = kinds,
	.cells = cells,
	.params = params,
	.ports = ports,
	.kind_count = KINDS,
	.cell_count = 1,
	.param_count = 1,
	.port_count = PORTS,
	.init = prepare,
	.report = report,
};

#endif
