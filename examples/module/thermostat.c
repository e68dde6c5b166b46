/* SPDX-License-Identifier: Apache-2.0 */
/* thermostat.c -- a heater goes on below 19.5 degrees and off above 20.5. */
#include <bitactor/module.h>

typedef struct heater { uint64_t on; } heater_t;

static bitactor_status_t
on_temperature(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	heater_t *heater = state;
	int32_t   tenths = (int32_t)signal->payload;
	uint64_t  wanted = tenths < 195 ? 1 : tenths > 205 ? 0 : heater->on;
	if (wanted == heater->on)
		return BITACTOR_OK;
	bitactor_status_t status = bitactor_output(turn, 0, wanted ? "on" : "off", wanted ? 2 : 3);
	if (status == BITACTOR_OK)
		heater->on = wanted;
	return status;
}

static const bitactor_field_t fields[] = { /* bits 0..31 of the payload, in tenths */
	{ "temperature", "C", BITACTOR_WORD_PAYLOAD, 0, 32, BITACTOR_FORMAT_SIGNED, -1 },
};
static const bitactor_kind_t kinds[] = {
	{ .name = "temperature", .fn = on_temperature, .fields = fields, .field_count = 1 },
};
static const bitactor_cell_t cells[] = { { "heater", sizeof(heater_t) } };
static const char *const     ports[] = { "heater" };

BITACTOR_MODULE_EXPORT const bitactor_module_t bitactor_module_v1 = {
	.abi = BITACTOR_MODULE_ABI, .struct_bytes = sizeof(bitactor_module_t),
	.name = "thermostat", .version = "1.0.0", .kinds = kinds, .kind_count = 1,
	.cells = cells, .cell_count = 1, .ports = ports, .port_count = 1,
};
