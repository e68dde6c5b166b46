/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_info.c -- bitactor info: which of several ways this build and machine take. */
#include "cmd.h"
#include "json.h"
#include "options.h"

#include <bitactor/host.h>

#include <inttypes.h>
#include <stdio.h>

static void
print_text(const bitactor_build_info_t *build, const bitactor_clock_info_t *clock, size_t bytes)
{
	printf("version        %s\n", build->version);
	printf("clock          %s, %" PRIu64 " Hz, %" PRIu64
	       " counts to read it, %.2f counts a tick\n",
	       clock->name, clock->hz, clock->read_counts,
	       (double)clock->counts_per_tick_q32 / 4294967296.0);
	printf("BLAKE3         %s, path %s\n", build->blake3_version, build->blake3_path);
	printf("CRC32C         %s\n", build->crc_path);
	printf("cache line     %" PRIu32 " bytes\n", build->cache_line_bytes);
	printf("fibers         %s switch, guards by %s\n", build->fiber_switch,
	       bitactor_host_guard_name());
	printf("signal         %" PRIu32 " bytes, a slot %" PRIu32 "\n", build->signal_bytes,
	       build->slot_bytes);
	printf("record         %" PRIu32 " bytes and up, a segment %" PRIu32 "\n",
	       build->record_bytes, build->segment_bytes);
	printf("engine         %zu bytes with default limits\n", bytes);
}

static void
print_json(const bitactor_build_info_t *build, const bitactor_clock_info_t *clock, size_t bytes)
{
	json_writer_t json = { .out = stdout };
	json_open(&json, NULL, '{');
	json_text(&json, "version", build->version);
	json_open(&json, "clock", '{');
	json_text(&json, "name", clock->name);
	json_u64(&json, "hz", clock->hz);
	json_u64(&json, "read_counts", clock->read_counts);
	json_u64(&json, "counts_per_tick_q32", clock->counts_per_tick_q32);
	json_close(&json, '}');
	json_text(&json, "blake3_version", build->blake3_version);
	json_text(&json, "blake3_path", build->blake3_path);
	json_text(&json, "crc_path", build->crc_path);
	json_u64(&json, "cache_line_bytes", build->cache_line_bytes);
	json_text(&json, "fiber_switch", build->fiber_switch);
	json_text(&json, "fiber_guard", bitactor_host_guard_name());
	json_u64(&json, "signal_bytes", build->signal_bytes);
	json_u64(&json, "slot_bytes", build->slot_bytes);
	json_u64(&json, "record_bytes", build->record_bytes);
	json_u64(&json, "segment_bytes", build->segment_bytes);
	json_u64(&json, "engine_bytes", bytes);
	json_close(&json, '}');
}

static int
info_main(int argc, char **argv)
{
	bool           as_json = false;
	const option_t list[]  = { { "json", NULL, "one JSON object", &as_json, NULL } };
	const options_t options = { .command = &cmd_info, .list = list, .count = 1 };
	int code = options_read(&options, argc, argv, NULL);
	if (code >= 0)
		return code;

	bitactor_build_info_t build;
	bitactor_clock_info_t clock;
	bitactor_build_info(&build);
	(void)bitactor_clock_info(bitactor_init(), &clock);
	(as_json ? print_json : print_text)(&build, &clock, bitactor_engine_bytes(NULL));
	return EXIT_AS_ASKED;
}

const command_t cmd_info = {
	.name     = "info",
	.run      = info_main,
	.summary  = "clock, hash, fibers and sizes on this machine",
	.synopsis = "[--json]",
	.example  = "bitactor info",
};
