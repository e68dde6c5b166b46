/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_replay.c -- whatever `trace` holds, a replay ends, in bounds, and says why.
 *
 *      input    u8 options, then edits or bytes
 *      options  1 the bytes are the file; else edits of a trace recorded here, each
 *                 u16 slot, u8 what, u8 value
 *               2 make checks and header CRCs right, so that the player is reached
 *               4 the trace recorded here is one that nobody closed
 *
 * Played on an engine with as many handlers as the trace registers.  Without an edit
 * all of it must come again.
 *
 * Run: make fuzz, or
 *      clang -fsanitize=fuzzer,address,undefined ... && ./fuzz_replay tests/fuzz/corpus/replay
 */
#include "unit/replay/replay_rig.h"

enum {
	AS_FILE = 1, REPAIR = 2, UNCLOSED = 4,
	FILE_MOST    = 4 * BITACTOR_SEGMENT_BYTES,
	ENGINE_MOST  = 8 << 20, /* bytes: larger ones are not made here */
	SIGNALS      = 150
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

static rig_bytes_t recorded[2]; /* closed, not closed */
static uint8_t     file[FILE_MOST];

static void
must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void
prepare(void)
{
	if (access("/dev/shm", W_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 0);
	rig_begin();
	for (int i = 0; i < 2; i++) {
		tape("recorded", 11 + (uint64_t)i, SIGNALS, i == 0);
		recorded[i] = rig_read(rig_path("recorded", "trace"));
		must(recorded[i].count > 0 && recorded[i].count <= FILE_MOST, "a trace");
	}
	(void)mkdir(rig_path("fuzzed", NULL), 0777);
}

/* ---- what is played --------------------------------------------------------------- */

/* One edit of the first `count` bytes of `file`; how many there are then. */
static size_t
edit(size_t count, const uint8_t *how)
{
	size_t   slots = count / BITACTOR_RECORD_BYTES;
	size_t   slot  = (size_t)(how[0] | how[1] << 8) % slots;
	uint8_t *at    = file + slot * BITACTOR_RECORD_BYTES;
	size_t   other = (slot + how[3]) % slots;

	switch (how[2] / 32) {
	case 0:
		at[how[2] % 32] ^= how[3];
		return count;
	case 1:
		at[how[2] % 32] = how[3];
		return count;
	case 2: /* a slot from behind comes here */
		memmove(at, file + other * BITACTOR_RECORD_BYTES, BITACTOR_RECORD_BYTES);
		return count;
	case 3: /* what follows moves up */
		memmove(at, at + BITACTOR_RECORD_BYTES,
		        count - (slot + 1) * BITACTOR_RECORD_BYTES);
		return count;
	case 4: /* the file ends here */
		return slot * BITACTOR_RECORD_BYTES + how[3] % 33;
	case 5: /* not done yet, if it is a record */
		memset(at + 24, 0, 8);
		return count;
	default:
		at[how[2] % 8] = (uint8_t)(at[how[2] % 8] + how[3]);
		return count;
	}
}

static void
repair_segment(uint8_t *segment)
{
	static const uint8_t zero[4];
	uint64_t number;
	memcpy(&number, segment + 48, 8);
	for (uint32_t at = BITACTOR_HEADER_BYTES; at < BITACTOR_SEGMENT_BYTES;) {
		uint32_t bytes = 32u + 32u * segment[at + 6], slot = at / 32, crc;
		if (segment[at + 7] == 0 || bytes > BITACTOR_SEGMENT_BYTES - at)
			break;
		bool open = memcmp(segment + at + 24, zero, 4) == 0 &&
		            memcmp(segment + at + 28, zero, 4) == 0;
		memset(segment + at + 28, 0, 4);
		crc = bitactor_crc32c(0, segment + 4, 16);
		crc = bitactor_crc32c(crc, &number, 8);
		crc = bitactor_crc32c(crc, &slot, 4);
		crc = bitactor_crc32c(crc, segment + at, bytes);
		if (!open)
			memcpy(segment + at + 28, &crc, 4);
		at += bytes;
	}
	memset(segment + 104, 0, 4);
	uint32_t crc = bitactor_crc32c(0, segment, BITACTOR_HEADER_BYTES);
	memcpy(segment + 104, &crc, 4);
}

/* Fill `file`; the bytes in it. */
static size_t
make_file(const uint8_t *bytes, size_t byte_count)
{
	uint8_t options = byte_count > 0 ? bytes[0] : 0;
	size_t  count;
	memset(file, 0, sizeof file);
	if ((options & AS_FILE) != 0) {
		count = byte_count - 1 < FILE_MOST ? byte_count - 1 : FILE_MOST;
		memcpy(file, bytes + 1, count);
	} else {
		const rig_bytes_t *base = &recorded[(options & UNCLOSED) != 0];
		count = base->count;
		memcpy(file, base->at, count);
		for (size_t i = 1; i + 4 <= byte_count && count >= BITACTOR_RECORD_BYTES; i += 4)
			count = edit(count, bytes + i);
	}
	for (size_t at = 0; (options & REPAIR) != 0 && at < count; at += BITACTOR_SEGMENT_BYTES)
		repair_segment(file + at);
	return count;
}

/* ---- playing ------------------------------------------------------------------------- */

/* Register what the trace registers, in its order. */
static void
register_as_recorded(playing_t *playing)
{
	places_t places = places_of("fuzzed");
	table_t  table  = table_of(&playing->side);
	for (size_t i = 0; i < places.count; i++) {
		const bitactor_record_t *record = &places.at[i].record;
		if (record->kind != BITACTOR_RECORD_REGISTER)
			continue;
		bitactor_handler_t handler = { .fn = on_plain };
		for (uint32_t line = 0; line < table.count; line++)
			if (table.lines[line].kind == record->actor)
				handler = table.lines[line];
		handler.kind         = (uint16_t)record->actor;
		handler.flags        = (uint32_t)(record->payload >> 32);
		handler.budget_ticks = (uint32_t)record->payload;
		(void)bitactor_register_handler(playing->memory.engine, &handler);
	}
	free(places.at);
}

static void
check_report(const playing_t *playing)
{
	const bitactor_replay_report_t *report = &playing->report;
	bitactor_status_t status = playing->status;
	enum bitactor_difference difference = report->difference;
	must(status == BITACTOR_OK || status == BITACTOR_CORRUPT || status == BITACTOR_UNSUPPORTED,
	     "why it ended");
	must(difference <= BITACTOR_DIFFERENCE_EXTRA, "a difference there is");
	must(difference == BITACTOR_DIFFERENCE_NONE || status == BITACTOR_CORRUPT, "it diverged");
	bool none = difference == BITACTOR_DIFFERENCE_NONE;
	must((report->expected != NULL) == (!none && difference != BITACTOR_DIFFERENCE_EXTRA),
	     "what was expected");
	must((report->actual != NULL) == (!none && difference != BITACTOR_DIFFERENCE_MISSING),
	     "what came");
	must(status != BITACTOR_OK || report->end != BITACTOR_TRACE_MORE, "OK is at the end");
	must(report->signals <= report->compared, "signals are records");
}

static void
make_smaller(bitactor_config_t *config, void *context)
{
	(void)context;
	config->queue_slots = 1024; /* the file has not more; made in less time */
	config->data_blocks = config->data_blocks < 256 ? config->data_blocks : 256;
}

static void
play_file(bool genuine)
{
	static playing_t playing;
	memset(&playing, 0, sizeof playing);
	if (!playing_open(&playing, "fuzzed")) {
		must(!genuine, "a genuine trace is opened");
		return;
	}
	bitactor_config_t config = *bitactor_replay_config(playing.replay);
	make_smaller(&config, NULL);
	if (bitactor_engine_bytes(&config) <= ENGINE_MOST &&
	    bitactor_fibers_bytes(&config) <= ENGINE_MOST) {
		playing_engine(&playing, make_smaller, NULL);
		register_as_recorded(&playing);
		playing_run(&playing);
		check_report(&playing);
		must(!genuine || playing.status == BITACTOR_OK, "a genuine trace comes again");
	}
	playing_close(&playing);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
	static bool prepared;
	if (!prepared)
		prepare();
	prepared   = true;
	bdd_broken = 0;
	size_t count = make_file(bytes, byte_count);
	rig_write(rig_path("fuzzed", "trace"), file, count);
	play_file(byte_count < 5 && (byte_count == 0 || (bytes[0] & AS_FILE) == 0));
	must(bdd_broken == 0, "what the rig checks");
	return 0;
}
