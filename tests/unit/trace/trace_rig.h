/* SPDX-License-Identifier: Apache-2.0 */
/* trace_rig.h -- real traces for tests: the engine, its recorder, the writer.
 *
 *      rig_open     engine with every kind of handler, writer as its sink
 *      rig_send     signals out of a seeded generator, remembered as they were sent
 *      rig_close    CLOSE, writer closed;  rig_kill: as if the process had died
 *
 * What was sent is the model: a reader must give back just that.
 */
#ifndef BITACTOR_TESTS_TRACE_RIG_H
#define BITACTOR_TESTS_TRACE_RIG_H

#include "../../../runtime/src/trace/trace_private.h"
#include "../../bdd.h"

#include <bitactor/bitactor_dispatch.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEGMENT = BITACTOR_SEGMENT_BYTES, HEADER = BITACTOR_HEADER_BYTES };

/* ---- chance, files, folders -------------------------------------------------- */

static inline uint64_t
rig_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static char rig_folder[64];

static int
rig_remove_one(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
	(void)facts, (void)type, (void)walk;
	return remove(path);
}

static inline void
rig_remove(const char *path)
{
	(void)nftw(path, rig_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
rig_forget_folder(void)
{
	rig_remove(rig_folder);
}

/* A scratch folder, gone at exit. */
static inline void
rig_begin(void)
{
	const char *base = getenv("TMPDIR");
	if (base == NULL) /* in memory: a trace is synced to disk when it is closed */
		base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(rig_folder, sizeof rig_folder, "%.40s/trace-XXXXXX", base);
	if (mkdtemp(rig_folder) == NULL) {
		perror(rig_folder);
		exit(1);
	}
	(void)atexit(rig_forget_folder);
}

/* A path in the scratch folder; four may be in use at once. */
static inline const char *
rig_path(const char *name, const char *part)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];
	(void)snprintf(path, sizeof paths[0], "%s/%s%s%s", rig_folder, name,
	               part != NULL ? "/" : "", part != NULL ? part : "");
	return path;
}

static inline const char *
rig_trace(const char *name)
{
	return rig_path(name, NULL);
}

typedef struct rig_bytes {
	uint8_t *at;
	size_t   count;
} rig_bytes_t;

static inline rig_bytes_t
rig_read(const char *path)
{
	rig_bytes_t bytes = { 0 };
	FILE *file = fopen(path, "rb");
	if (file == NULL)
		return bytes;
	size_t room = 1 << 16, got;
	bytes.at = malloc(room);
	while ((got = fread(bytes.at + bytes.count, 1, room - bytes.count, file)) > 0) {
		bytes.count += got;
		if (bytes.count == room)
			bytes.at = realloc(bytes.at, room *= 2);
	}
	(void)fclose(file);
	return bytes;
}

static inline void
rig_write(const char *path, const void *bytes, size_t count)
{
	FILE *file = fopen(path, "wb");
	if (file == NULL || fwrite(bytes, 1, count, file) != count || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

/* A trace made of these bytes, with the metadata of another. */
static inline const char *
rig_forge(const char *name, const char *like, const void *trace, size_t count)
{
	rig_remove(rig_trace(name));
	(void)mkdir(rig_trace(name), 0777);
	rig_bytes_t metadata = rig_read(rig_path(like, "metadata"));
	rig_write(rig_path(name, "metadata"), metadata.at, metadata.count);
	rig_write(rig_path(name, "trace"), trace, count);
	free(metadata.at);
	return rig_trace(name);
}

/* ---- the engine ---------------------------------------------------------------- */

enum rig_kind {
	KIND_PLAIN  = 0, /* adds its payload                        */
	KIND_EMITS  = 1, /* emits a KIND_PLAIN                      */
	KIND_SPEAKS = 2, /* outputs payload % 3000 bytes            */
	KIND_FAILS  = 3,
	KIND_SLOW   = 4, /* over its budget: OVERRUN                */
	KIND_NOBODY = 5, /* in the schema, but not registered: REJECT */
	KIND_YIELDS = 6, /* a fiber that yields: RESUME             */
	RIG_KINDS   = 7
};

static const char rig_schema[] = "schema\t1\n"
                                 "kind\t0\tplain\n"
                                 "field\tvalue\tm\tpayload\t0\t32\tunsigned\t-2\n"
                                 "kind\t1\temits\n"
                                 "kind\t2\tspeaks\n"
                                 "kind\t3\tfails\n"
                                 "kind\t4\tslow\n"
                                 "kind\t5\tnobody\n"
                                 "kind\t6\tyields\n"
                                 "port\t0\tvoice\n";
static const char rig_program[] = "module\trig\nversion\t1.2.3\nseed\t7\nempty\t\n";

enum rig_flags {
	RIG_SCHEMA  = 1,
	RIG_PROGRAM = 2,
	RIG_VIRTUAL = 4, /* no measured records */
	RIG_ALL     = RIG_SCHEMA | RIG_PROGRAM
};

typedef struct rig_sent {
	bitactor_signal_t signal;
	uint8_t *data;
} rig_sent_t;

typedef struct rig {
	char     name[40];
	uint64_t chance, counts;
	uint64_t sum[8]; /* what handlers keep */
	void    *block, *fibers;
	bitactor_host_t    host;
	bitactor_counter_t counter;
	bitactor_engine_t *engine;
	bitactor_trace_writer_t *writer;
	bitactor_sink_t sink;
	uint64_t now;
	bool     may_fail; /* its disk does */
	rig_sent_t *sent;
	size_t      sent_count;
	uint8_t     head[BITACTOR_DIGEST_BYTES];
} rig_t;

static uint64_t
rig_now(void *context)
{
	return ((rig_t *)context)->now += 1000;
}

static uint64_t
rig_counts(void *context)
{
	return ((rig_t *)context)->counts += 1;
}

static bitactor_status_t
rig_on_plain(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	uint64_t *sum = state;
	*sum += signal->payload;
	bitactor_turn_result(turn, *sum);
	return BITACTOR_OK;
}

static bitactor_status_t
rig_on_emits(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	bitactor_signal_t child = { .kind = KIND_PLAIN, .payload = signal->payload + 1 };
	size_t data_bytes = signal->payload % 4 == 0 ? signal->payload % 11 : 0;
	return bitactor_emit_data(turn, &child, "to a child", data_bytes);
}

static bitactor_status_t
rig_on_speaks(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	char words[3000];
	memset(words, 'a' + (int)(signal->payload % 26), sizeof words);
	return bitactor_output(turn, 0, words, signal->payload % sizeof words);
}

static bitactor_status_t
rig_on_fails(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal, (void)state;
	return BITACTOR_ERROR;
}

static bitactor_status_t
rig_on_slow(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)turn, (void)signal;
	((rig_t *)state)->counts += 100000;
	return BITACTOR_OK;
}

static bitactor_status_t
rig_on_yields(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal, (void)state;
	return bitactor_yield(turn);
}

static inline uint64_t
rig_schema_hash(const char *text)
{
	uint8_t  digest[BITACTOR_DIGEST_BYTES];
	uint64_t hash;
	bitactor_blake3(text, strlen(text), digest);
	memcpy(&hash, digest, sizeof hash);
	return hash;
}

static inline void
rig_engine(rig_t *rig, const uint8_t uuid[16], unsigned flags)
{
	bitactor_config_t config;
	bitactor_config_default(&config);
	rig->host = (bitactor_host_t){ .context = rig, .now_ns = rig_now };
	rig->counter = (bitactor_counter_t){ .context = rig, .read = rig_counts, .hz = 24000000 };
	config.kinds = 16;
	config.data_max = 32768;
	config.data_blocks = config.emit_data_blocks = 16;
	config.fibers = 4;
	config.flags = (flags & RIG_VIRTUAL) != 0 ? BITACTOR_VIRTUAL : BITACTOR_TIME_EACH;
	config.seed = 7;
	config.schema = (flags & RIG_SCHEMA) != 0 ? rig_schema_hash(rig_schema) : 0;
	config.host = &rig->host;
	config.counter = &rig->counter;
	config.sink = &rig->sink;
	memcpy(config.uuid, uuid, 16);
	size_t bytes = bitactor_engine_bytes(&config);
	rig->block = aligned_alloc(64, (bytes + 63) / 64 * 64);
	CHECK_EQ(bitactor_engine_init(rig->block, bytes, &config, &rig->engine), BITACTOR_OK);
	bytes = bitactor_fibers_bytes(&config);
	rig->fibers = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
	CHECK_EQ(bitactor_fibers_init(rig->engine, rig->fibers, bytes), BITACTOR_OK);
}

/* An engine whose records go to `name`. */
static inline void
rig_open_with(rig_t *rig, const char *name, uint64_t seed, unsigned flags)
{
	*rig = (rig_t){ .chance = seed * UINT64_C(0x9E3779B97F4A7C15) + 1 };
	(void)snprintf(rig->name, sizeof rig->name, "%s", name);
	rig_remove(rig_trace(name));
	bitactor_trace_options_t options = { .path = rig_trace(name) };
	for (int i = 0; i < 16; i++)
		options.uuid[i] = (uint8_t)(seed * 31 + (uint64_t)i);
	if ((flags & RIG_SCHEMA) != 0) {
		options.schema_text = rig_schema;
		options.schema_bytes = strlen(rig_schema);
	}
	options.facts = "{\"machine\": \"rig\"}\n";
	bitactor_error_t error = { 0 };
	CHECK_EQ(bitactor_trace_writer_open(&options, &rig->writer, &error), BITACTOR_OK);
	if (error.status != BITACTOR_OK) {
		printf("%s\n", error.text);
		exit(1);
	}
	rig->sink = bitactor_trace_writer_sink(rig->writer);
	rig_engine(rig, options.uuid, flags);

	const bitactor_handler_fn handlers[RIG_KINDS] = {
		rig_on_plain, rig_on_emits, rig_on_speaks, rig_on_fails,
		rig_on_slow,  NULL,         rig_on_yields,
	};
	for (uint16_t kind = 0; kind < RIG_KINDS; kind++) {
		bitactor_handler_t handler = { .fn = handlers[kind], .kind = kind,
			                       .state = &rig->sum[kind],
			                       .state_bytes = sizeof rig->sum[0] };
		if (kind == KIND_SLOW) {
			handler.state = rig;
			handler.state_bytes = 0;
		}
		handler.flags = kind == KIND_YIELDS ? BITACTOR_HANDLER_FIBER : 0;
		if (handler.fn != NULL)
			CHECK_EQ(bitactor_register_handler(rig->engine, &handler), BITACTOR_OK);
	}
	if ((flags & RIG_PROGRAM) != 0)
		CHECK_EQ(bitactor_telemetry_note(rig->engine, BITACTOR_RECORD_PROGRAM, rig_program,
		                                 strlen(rig_program)), BITACTOR_OK);
	if ((flags & RIG_SCHEMA) != 0)
		CHECK_EQ(bitactor_telemetry_note(rig->engine, BITACTOR_RECORD_SCHEMA, rig_schema,
		                                 strlen(rig_schema)), BITACTOR_OK);
}

static inline void
rig_open(rig_t *rig, const char *name, uint64_t seed)
{
	rig_open_with(rig, name, seed, RIG_ALL);
}

/* Send one signal, remember it, and dispatch it. */
static inline void
rig_send_one(rig_t *rig, const bitactor_signal_t *signal, const void *data, uint32_t data_bytes)
{
	rig_sent_t sent = { .signal = *signal };
	sent.signal.data_bytes = data_bytes;
	if (data_bytes > 0)
		sent.data = memcpy(malloc(data_bytes), data, data_bytes);
	bitactor_status_t status =
	        data_bytes > 0 ? bitactor_enqueue_data(rig->engine, signal, data, data_bytes)
	                       : bitactor_enqueue(rig->engine, signal);
	if (rig->may_fail && status != BITACTOR_OK) {
		free(sent.data);
		return;
	}
	CHECK_EQ(status, BITACTOR_OK);
	rig->sent = realloc(rig->sent, (rig->sent_count + 1) * sizeof *rig->sent);
	rig->sent[rig->sent_count++] = sent;
}

/* `count` signals of all kinds, bare, with fields and with data, a few a turn. */
static inline void
rig_send(rig_t *rig, size_t count)
{
	static uint8_t data[32768];
	while (count > 0) {
		size_t turn = 1 + rig_random(&rig->chance) % 8;
		for (; turn > 0 && count > 0; turn--, count--) {
			uint64_t draw = rig_random(&rig->chance);
			bitactor_signal_t signal = { .payload = draw >> 8 & 0xFFFFF };
			signal.kind = (uint16_t)(draw % 16 < RIG_KINDS ? draw % 16 : KIND_PLAIN);
			if ((draw & 0x30000000) == 0) {
				signal.context = draw >> 7;
				signal.timestamp = draw;
				signal.id = (uint32_t)(draw >> 3);
				signal.priority = (uint8_t)draw;
				signal.flags = (uint8_t)(draw >> 9);
			}
			uint32_t data_bytes = 0;
			if ((draw & 0xF00000000) == 0)
				data_bytes = (uint32_t)((draw >> 40) % 3000);
			else if ((draw & 0x7F00000000) == 0x7F00000000)
				data_bytes = (uint32_t)((draw >> 40) % sizeof data);
			for (uint32_t i = 0; i < data_bytes; i++)
				data[i] = (uint8_t)(i * 7 + draw);
			rig_send_one(rig, &signal, data, data_bytes);
		}
		(void)bitactor_drain(rig->engine, 64, NULL);
	}
}

static inline void
rig_end(rig_t *rig)
{
	CHECK_EQ(bitactor_destroy(rig->engine), BITACTOR_OK);
	free(rig->block);
	free(rig->fibers);
	for (size_t i = 0; i < rig->sent_count; i++)
		free(rig->sent[i].data);
	free(rig->sent);
}

static inline void
rig_close(rig_t *rig)
{
	bitactor_error_t error = { 0 };
	CHECK_EQ(bitactor_telemetry_close(rig->engine, rig->head), BITACTOR_OK);
	CHECK_EQ(bitactor_trace_writer_close(rig->writer, &error), BITACTOR_OK);
	rig->writer = NULL;
}

/* Flush and release without CLOSE: what a kill leaves. */
static inline void
rig_kill(rig_t *rig)
{
	CHECK_EQ(bitactor_telemetry_flush(rig->engine), BITACTOR_OK);
	CHECK_EQ(bitactor_trace_writer_close(rig->writer, NULL), BITACTOR_OK);
	rig->writer = NULL;
}

/* A closed trace of `count` signals. */
static inline void
rig_make(const char *name, uint64_t seed, size_t count)
{
	rig_t rig;
	rig_open(&rig, name, seed);
	rig_send(&rig, count);
	rig_close(&rig);
	rig_end(&rig);
}

/* A number given by the environment: make test-long sets BA_SCALE=100. */
static inline uint64_t
rig_scale(void)
{
	const char *text = getenv("BA_SCALE");
	uint64_t scale = text != NULL ? strtoull(text, NULL, 10) : 1;
	return scale > 0 ? scale : 1;
}

/* ---- other people's programs ----------------------------------------------------------- */

/* Run a command; its exit status, the first bytes of what it said and the number
 * of lines.  127: it is not installed. */
static inline int
rig_run(const char *command, char *said, size_t room, uint64_t *lines)
{
	*lines = 0;
	FILE *pipe = popen(command, "r");
	if (pipe == NULL)
		return 127;
	size_t used = 0;
	int    c;
	while ((c = fgetc(pipe)) != EOF) {
		*lines += c == '\n';
		if (used + 1 < room)
			said[used++] = (char)c;
	}
	if (room > 0)
		said[used] = '\0';
	int status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* ---- records as bytes --------------------------------------------------------------- */

/* The offset of every record of a sealed segment; the number of them. */
static inline size_t
rig_offsets(const uint8_t *segment, uint32_t offsets[2048])
{
	uint32_t content_bits, offset = HEADER;
	size_t count = 0;
	memcpy(&content_bits, segment + 24, 4);
	for (; offset < content_bits / 8; offset += 32u + 32u * segment[offset + 6])
		offsets[count++] = offset;
	return count;
}

/* Make the check of the record at `offset` anew, with no code of the engine's. */
static inline uint32_t
rig_crc_step(uint32_t state, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		state ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			state = state >> 1 ^ (state & 1 ? 0x82F63B78u : 0);
	}
	return state;
}

static inline void
rig_recheck(uint8_t *segment, uint32_t offset)
{
	uint32_t slot = offset / 32, state = rig_crc_step(~0u, segment + 4, 16);
	state = rig_crc_step(state, segment + 48, 8);
	state = rig_crc_step(state, (const uint8_t *)&slot, 4);
	memset(segment + offset + 28, 0, 4);
	state = ~rig_crc_step(state, segment + offset, 32u + 32u * segment[offset + 6]);
	memcpy(segment + offset + 28, &state, 4);
}

static inline void
rig_recheck_header(uint8_t *segment)
{
	memset(segment + 104, 0, 4);
	uint32_t crc = ~rig_crc_step(~0u, segment, 128);
	memcpy(segment + 104, &crc, 4);
}

#endif
