/* SPDX-License-Identifier: Apache-2.0 */
/* import_probe.h -- run an importer over some bytes and keep all it says.
 *
 * Kinds are the four of CAN and "sensor"; data is copied, for it lives only
 * until the next poll.  The caller decides how much a poll may bring.
 */
#ifndef BA_IMPORT_PROBE_H
#define BA_IMPORT_PROBE_H

#include <bitactor/import.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROBE_SIGNALS = 8192, PROBE_BAD = 128, PROBE_DATA = 256 };

typedef struct probe {
	/* in */
	uint32_t capacity; /* of a batch; 0: BITACTOR_BATCH_ITEMS */
	bool     strict;
	bool     no_kinds;
	/* out */
	bitactor_status_t       opened, ended;
	bitactor_error_t        error;
	bitactor_import_stats_t stats;
	uint32_t                signals, bad;
	bitactor_signal_t       signal[PROBE_SIGNALS];
	uint8_t                 data[PROBE_SIGNALS][PROBE_DATA]; /* as much as fits */
	bool                    has_data[PROBE_SIGNALS];
	uint64_t                bad_line[PROBE_BAD];
	char                    reason[PROBE_BAD][256];
} probe_t;

static const char *const probe_kinds[] = { "can.frame", "can.fd", "can.remote", "can.error",
	                                   "sensor" };

static inline void
probe_bad(void *context, uint64_t line, const char *reason)
{
	probe_t *probe = context;
	if (probe->bad < PROBE_BAD) {
		probe->bad_line[probe->bad] = line;
		snprintf(probe->reason[probe->bad], sizeof probe->reason[0], "%s", reason);
	}
	probe->bad++;
}

static inline bitactor_import_options_t
probe_options(probe_t *probe)
{
	return (bitactor_import_options_t){
		.kinds = { .names = probe_kinds, .count = probe->no_kinds ? 0 : 5 },
		.strict = probe->strict,
		.bad = probe_bad,
		.bad_context = probe,
	};
}

static inline void
probe_take(probe_t *probe, const bitactor_batch_t *batch)
{
	for (uint32_t i = 0; i < batch->count; i++, probe->signals++) {
		if (probe->signals >= PROBE_SIGNALS)
			continue;
		const bitactor_item_t *item = &batch->items[i];
		size_t data_bytes = item->signal.data_bytes;
		probe->signal[probe->signals] = item->signal;
		probe->has_data[probe->signals] = item->data != NULL;
		if (item->data != NULL)
			memcpy(probe->data[probe->signals], item->data,
			       data_bytes < PROBE_DATA ? data_bytes : PROBE_DATA);
	}
}

/* Poll to the end.  What was asked for (capacity, strict, no_kinds) is kept. */
static inline void
probe_input(probe_t *probe, const char *input)
{
	bitactor_item_t items[BITACTOR_BATCH_ITEMS];
	bitactor_import_t *import = NULL;
	bitactor_batch_t batch = { .items = items };
	batch.capacity = probe->capacity == 0 ? BITACTOR_BATCH_ITEMS : probe->capacity;

	probe->signals = probe->bad = 0;
	memset(&probe->error, 0, sizeof probe->error);
	memset(&probe->stats, 0, sizeof probe->stats);
	bitactor_import_options_t options = probe_options(probe);
	probe->opened = probe->ended = bitactor_import_open(input, &options, &import,
	                                                    &probe->error);
	if (probe->opened != BITACTOR_OK)
		return;
	bitactor_source_t source = bitactor_import_source(import);
	do {
		probe->ended = source.poll(source.context, &batch, true, &probe->error);
		probe_take(probe, &batch);
	} while (probe->ended == BITACTOR_OK || probe->ended == BITACTOR_EMPTY);
	bitactor_import_stats(import, &probe->stats);
	bitactor_import_close(import);
}

/* The same for bytes, through a file of their own. */
static inline void
probe_bytes(probe_t *probe, const char *scheme, const void *bytes, size_t byte_count)
{
	char path[] = "/tmp/bitactor-import-XXXXXX", input[64];
	int fd = mkstemp(path);
	if (fd < 0 || write(fd, bytes, byte_count) != (ssize_t)byte_count) {
		perror("import_probe: temporary file");
		exit(77);
	}
	close(fd);
	snprintf(input, sizeof input, "%s:%s", scheme, path);
	probe_input(probe, input);
	unlink(path);
}

static inline void
probe_text(probe_t *probe, const char *scheme, const char *text)
{
	probe_bytes(probe, scheme, text, strlen(text));
}

/* lines = signals + skipped + bad + no_handler, and each was told of. */
static inline bool
probe_adds_up(const probe_t *probe)
{
	const bitactor_import_stats_t *s = &probe->stats;
	return s->lines == s->signals + s->skipped + s->bad + s->no_handler &&
	       s->signals == probe->signals && s->bad == probe->bad;
}

#endif
