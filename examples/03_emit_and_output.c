/* SPDX-License-Identifier: Apache-2.0 */
/* 03_emit_and_output.c -- what a handler asks for takes hold when it returns OK.
 *
 *      ORDER --> on_order --emit--> INVOICE --> on_invoice --output--> port 0
 *
 * An order that is refused emits its invoice first and fails afterwards: the
 * invoice is never dispatched.  The engine counts it as undone, and the record of
 * the order says FAILED.
 */
#include <bitactor/bitactor_dispatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORDER, INVOICE, KINDS };
enum { PORT_PRINTER };
enum { LIMIT = 1000 };

static bitactor_status_t
on_order(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	bitactor_signal_t invoice = { .kind = INVOICE,
		                      .id = signal->id,
		                      .payload = signal->payload };
	bitactor_status_t status  = bitactor_emit(turn, &invoice);
	if (status != BITACTOR_OK)
		return status;
	return signal->payload <= LIMIT ? BITACTOR_OK : BITACTOR_ERROR;
}

static bitactor_status_t
on_invoice(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	char line[64];
	int  bytes = snprintf(line, sizeof line, "invoice %u: %llu", (unsigned)signal->id,
	                      (unsigned long long)signal->payload);
	return bitactor_output(turn, PORT_PRINTER, line, (size_t)bytes);
}

/* The program around the engine: what handlers output comes here, after it was
 * recorded.  A replay records the same outputs and has no outlet. */
typedef struct printer {
	char     text[256];
	size_t   used;
	unsigned lines;
} printer_t;

static void
deliver(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	printer_t *printer = context;
	if (port != PORT_PRINTER || byte_count + 1 > sizeof printer->text - printer->used)
		return;
	memcpy(printer->text + printer->used, bytes, byte_count);
	printer->used += byte_count;
	printer->text[printer->used++] = '\n';
	printer->lines++;
}

static int
run(bitactor_engine_t *engine, const printer_t *printer)
{
	static const uint64_t amounts[] = { 250, 4000, 999 };
	bitactor_status_t     status    = BITACTOR_OK;

	if (bitactor_register(engine, ORDER, on_order, NULL) != BITACTOR_OK ||
	    bitactor_register(engine, INVOICE, on_invoice, NULL) != BITACTOR_OK)
		return 1;
	for (uint32_t i = 0; i < 3 && status == BITACTOR_OK; i++) {
		bitactor_signal_t order = { .kind = ORDER, .id = i + 1, .payload = amounts[i] };
		status = bitactor_enqueue(engine, &order);
	}
	while (status == BITACTOR_OK)
		status = bitactor_drain(engine, 64, NULL);

	bitactor_stats_t stats;
	(void)bitactor_stats(engine, &stats);
	fwrite(printer->text, 1, printer->used, stdout);
	printf("%llu dispatched, %llu failed, %llu undone\n", (unsigned long long)stats.dispatched,
	       (unsigned long long)stats.failed, (unsigned long long)stats.undone);
	return status == BITACTOR_EMPTY && printer->lines == 2 && stats.dispatched == 5 &&
	       stats.failed == 1 && stats.undone == 1 && stats.emitted == 2 ? 0 : 1;
}

int
main(void)
{
	static printer_t        printer;
	const bitactor_outlet_t outlet = { .context = &printer, .deliver = deliver };
	bitactor_config_t       config;
	bitactor_config_default(&config);
	config.kinds  = KINDS;
	config.outlet = &outlet;

	/* ask how much, bring it, use it: nothing is allocated afterwards */
	size_t             bytes = bitactor_engine_bytes(&config);
	void              *block = aligned_alloc(64, (bytes + 63) / 64 * 64);
	bitactor_engine_t *engine;
	if (block == NULL || bitactor_engine_init(block, bytes, &config, &engine) != BITACTOR_OK)
		return 1;
	int failed = run(engine, &printer);
	(void)bitactor_destroy(engine);
	free(block);
	return failed;
}
