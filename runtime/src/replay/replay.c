/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c -- read a turn, play it, compare it; one turn in memory.
 *
 *      poll          reads the records of the next turn into `expected` and
 *                    offers those from outside as items; so for a stop, which is
 *                    repeated whole: its turns and what it dropped
 *      take (sink)   collects what the engine records now into `actual`
 *      after_turn    compares the two lists
 *
 * Records are compared without their place: PAD and measured records may lie
 * between them anywhere, and DATA may be cut differently, so both lists hold
 * whole records with their data joined.
 *
 * What comes before the first turn (PROGRAM, SCHEMA, REGISTER) is compared the
 * same way.  A record that is open ends a trace whose process died in that
 * dispatch: it is played, and nothing is compared for it.
 */
#include <bitactor/replay.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	DATA_MOST = 16 << 20, /* of a SCHEMA or PROGRAM text; signals have far less */
	/* All signals of a turn are offered before it begins; when it was recorded
	 * producers went on while it ran, and one turn took more than a queueful. */
	QUEUE_SLOTS = 65536,
	BLOCK_BYTES = 16 << 20 /* of data that waits in the queue */
};

typedef bitactor_replay_record_t entry_t;

typedef struct list {
	entry_t *entries;
	size_t   count, room;
} list_t;

struct bitactor_replay {
	bitactor_trace_reader_t *reader;
	bitactor_program_t program;
	bitactor_config_t  config;
	bitactor_host_t    clock;
	bitactor_sink_t    sink;

	list_t   expected, actual;
	entry_t  ahead;      /* read, belongs to the next turn */
	bool     has_ahead;
	bool     ended;      /* the trace has no more records, CLOSE neither */
	bool     closing;    /* a handler has stopped the engine, in an earlier turn */
	size_t   clock_at;   /* in `expected`: behind the last TURN that was played */
	uint64_t now_ns;     /* of that turn */

	bitactor_item_t *items; /* offered to the session */
	size_t           item_room;

	uint32_t actual_at;  /* offset in the segment that is collected */
	uint32_t nonce;      /* of that segment */
	uint64_t actual_seq;
	bool     out_of_memory;
	bool     begun, over; /* it is played once */

	_Atomic uint64_t         compared_seq; /* read by a signal handler */
	bitactor_replay_report_t report;
};

/* ---- lists -------------------------------------------------------------- */

static void
list_clear(list_t *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].data);
	list->count = 0;
}

static entry_t *
list_append(list_t *list)
{
	if (list->count == list->room) {
		size_t   room    = list->room > 0 ? list->room * 2 : 512;
		entry_t *entries = realloc(list->entries, room * sizeof *entries);
		if (entries == NULL)
			return NULL;
		list->entries = entries;
		list->room    = room;
	}
	entry_t *entry = &list->entries[list->count++];
	memset(entry, 0, sizeof *entry);
	return entry;
}

/* Copy a record out of the segment it was read from. */
static void
entry_fill(entry_t *entry, const bitactor_record_t *record, uint64_t seq)
{
	size_t own = record->own_bytes < sizeof entry->own_copy ? record->own_bytes
	                                                        : sizeof entry->own_copy;
	entry->record = *record;
	entry->seq    = seq;
	if (own > 0)
		memcpy(entry->own_copy, record->own, own);
	entry->record.own = NULL; /* see own_copy: entries move */
}

static bool
entry_add_data(entry_t *entry, const void *bytes, size_t byte_count)
{
	uint8_t *data = realloc(entry->data, entry->data_bytes + byte_count);
	if (data == NULL)
		return false;
	memcpy(data + entry->data_bytes, bytes, byte_count);
	entry->data = data;
	entry->data_bytes += byte_count;
	return true;
}

static bitactor_status_t
diverged(bitactor_replay_t *replay, enum bitactor_difference difference, const entry_t *expected,
         const entry_t *actual, bitactor_error_t *error)
{
	replay->report.difference = difference;
	replay->report.expected   = expected;
	replay->report.actual     = actual;
	return bitactor_error_set(error, BITACTOR_CORRUPT, 0, "diverged at seq %" PRIu64,
	                          expected != NULL ? expected->seq : actual->seq);
}

/* ---- what was recorded -------------------------------------------------- */

static bool
begins_something(const bitactor_record_t *record)
{
	switch (record->kind) {
	case BITACTOR_RECORD_TURN:
	case BITACTOR_RECORD_CLOSE:
	case BITACTOR_RECORD_PROGRAM:
	case BITACTOR_RECORD_SCHEMA:
		return true;
	case BITACTOR_RECORD_STOP:
	case BITACTOR_RECORD_REGISTER: /* else a handler asked for it */
		return (record->flags & BITACTOR_RECORD_OUTSIDE) != 0;
	default:
		return false;
	}
}

/* Read the next compared record with its data into `ahead`.  EMPTY at the end. */
static bitactor_status_t
read_ahead(bitactor_replay_t *replay, bitactor_error_t *error)
{
	bitactor_record_t record;
	bitactor_status_t status;
	uint64_t          seq = 0;

	do
		status = bitactor_trace_next(replay->reader, &record, &seq, error);
	while (status == BITACTOR_OK && !bitactor_record_is_compared(&record));
	if (status != BITACTOR_OK && status != BITACTOR_BUSY)
		return status;

	memset(&replay->ahead, 0, sizeof replay->ahead);
	entry_fill(&replay->ahead, &record, seq);
	replay->ahead.open = status == BITACTOR_BUSY;
	if ((record.flags & BITACTOR_RECORD_HAS_DATA) == 0)
		return BITACTOR_OK;
	const uint8_t *bytes;
	size_t         byte_count;
	status = bitactor_trace_data(replay->reader, DATA_MOST, &bytes, &byte_count, error);
	if (status == BITACTOR_OK && !entry_add_data(&replay->ahead, bytes, byte_count))
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory");
	return status;
}

static bitactor_status_t
look_ahead(bitactor_replay_t *replay, bitactor_error_t *error)
{
	if (replay->has_ahead)
		return BITACTOR_OK;
	bitactor_status_t status = read_ahead(replay, error);
	replay->has_ahead = status == BITACTOR_OK;
	replay->ended     = status == BITACTOR_EMPTY;
	return status == BITACTOR_EMPTY ? BITACTOR_OK : status;
}

/* Move `ahead` to the end of `expected`. */
static bitactor_status_t
take_ahead(bitactor_replay_t *replay, bitactor_error_t *error)
{
	entry_t *entry = list_append(&replay->expected);
	if (entry == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory");
	*entry = replay->ahead;
	replay->has_ahead = false;
	return BITACTOR_OK;
}

static bitactor_status_t
cannot_repeat(const bitactor_replay_t *replay, bitactor_error_t *error)
{
	return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
	                          "seq %" PRIu64 " is a %s record between turns: a program "
	                          "changed the engine there, which a replay cannot repeat",
	                          replay->ahead.seq,
	                          bitactor_record_kind_name(replay->ahead.record.kind));
}

static bool
ends_prologue(uint16_t kind)
{
	return kind == BITACTOR_RECORD_TURN || kind == BITACTOR_RECORD_STOP ||
	       kind == BITACTOR_RECORD_CLOSE;
}

/* Everything before the first turn. */
static bitactor_status_t
read_prologue(bitactor_replay_t *replay, bitactor_error_t *error)
{
	bitactor_status_t status = look_ahead(replay, error);
	while (status == BITACTOR_OK && replay->has_ahead &&
	       !ends_prologue(replay->ahead.record.kind)) {
		status = take_ahead(replay, error);
		if (status == BITACTOR_OK)
			status = look_ahead(replay, error);
	}
	return status;
}

/* CLOSE lies ahead: nothing may follow it.  EMPTY when nothing does. */
static bitactor_status_t
read_close(bitactor_replay_t *replay, bitactor_error_t *error)
{
	replay->has_ahead = false;
	bitactor_status_t status = look_ahead(replay, error);
	return status == BITACTOR_OK ? BITACTOR_EMPTY : status;
}

/* A TURN record and all that belongs to it, or a STOP with the turns that it took.
 * EMPTY: there is no more turn. */
static bitactor_status_t
read_turn(bitactor_replay_t *replay, bitactor_error_t *error)
{
	list_clear(&replay->expected);
	replay->clock_at = 0;
	bitactor_status_t status = look_ahead(replay, error);
	if (status != BITACTOR_OK)
		return status;
	if (!replay->has_ahead)
		return BITACTOR_EMPTY;
	uint16_t first = replay->ahead.record.kind;
	if (first == BITACTOR_RECORD_CLOSE)
		return read_close(replay, error);
	if (first != BITACTOR_RECORD_TURN && first != BITACTOR_RECORD_STOP)
		return cannot_repeat(replay, error);
	bool more;
	do {
		status = take_ahead(replay, error);
		if (status == BITACTOR_OK)
			status = look_ahead(replay, error);
		const bitactor_record_t *ahead = &replay->ahead.record;
		more = status == BITACTOR_OK && replay->has_ahead &&
		       (!begins_something(ahead) ||
		        (first == BITACTOR_RECORD_STOP && ahead->kind == BITACTOR_RECORD_TURN));
	} while (more);
	return status;
}

/* ---- door 1: the source ------------------------------------------------- */

static bool
is_dispatch(const bitactor_record_t *record)
{
	return record->kind < BITACTOR_MAX_KINDS || record->kind == BITACTOR_RECORD_REJECT ||
	       record->kind == BITACTOR_RECORD_RESUME;
}

static void
item_fill(bitactor_item_t *item, const entry_t *entry)
{
	const bitactor_record_t *record = &entry->record;
	uint16_t kind = record->kind;
	if (kind == BITACTOR_RECORD_REJECT)
		memcpy(&kind, entry->own_copy, sizeof kind);
	*item = (bitactor_item_t){
		.signal = { .id         = record->id,
		            .actor      = record->actor,
		            .kind       = kind,
		            .priority   = record->priority,
		            .flags      = record->signal_flags,
		            .data_bytes = (uint32_t)entry->data_bytes,
		            .payload    = record->payload,
		            .context    = record->context,
		            .timestamp  = record->timestamp },
		.data = entry->data,
	};
}

static bool
items_reserve(bitactor_replay_t *replay, size_t count)
{
	if (count <= replay->item_room)
		return true;
	bitactor_item_t *items = realloc(replay->items, count * sizeof *items);
	if (items == NULL)
		return false;
	replay->items     = items;
	replay->item_room = count;
	return true;
}

/* What `expected` has from outside, and how many dispatches; behind it `drops`
 * signals of any kind, for a stop to drop. */
static bitactor_status_t
fill_batch(bitactor_replay_t *replay, bitactor_batch_t *batch, uint64_t drops,
           bitactor_error_t *error)
{
	uint64_t from_outside = drops;
	uint32_t with_data = 0;
	for (size_t i = 0; i < replay->expected.count; i++) {
		const entry_t *entry = &replay->expected.entries[i];
		bool outside = is_dispatch(&entry->record) &&
		               (entry->record.flags & BITACTOR_RECORD_OUTSIDE) != 0;
		from_outside += outside;
		with_data += outside && entry->data_bytes > 0;
	}
	if (from_outside > replay->config.queue_slots || with_data > replay->config.data_blocks)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "the turn at seq %" PRIu64 " took %" PRIu64 " signals "
		                          "from outside, %" PRIu32 " with data: more than a replay "
		                          "offers at once", replay->expected.entries[0].seq,
		                          from_outside, with_data);
	if (!items_reserve(replay, (size_t)from_outside))
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory");
	batch->items = replay->items;
	for (size_t i = 0; i < replay->expected.count; i++) {
		const entry_t *entry = &replay->expected.entries[i];
		if (!is_dispatch(&entry->record))
			continue;
		batch->max++;
		if ((entry->record.flags & BITACTOR_RECORD_OUTSIDE) == 0)
			continue;
		batch->as_tick |= entry->record.cause == BITACTOR_SOURCE_TICK;
		item_fill(&batch->items[batch->count++], entry);
	}
	for (; drops > 0; drops--)
		batch->items[batch->count++] = (bitactor_item_t){ .data = NULL };
	return BITACTOR_OK;
}

/* ---- a stop ------------------------------------------------------------- */

/* How a stop went, from its records.  Its turns had no bound of their own, so one
 * of fewer than TURN_FULL dispatches left nothing to do but to call off fibers:
 * the next turn begins with a RESUME whose cause is that very TURN. */
typedef struct stopping {
	uint64_t rounds;    /* as bitactor_stop counts them: turns, and looks that found
	                     * nothing left and called off fibers */
	uint64_t drops;     /* from the shared queue */
	uint64_t in_turn;   /* dispatches */
	bool     begun;     /* there was a turn */
	bool     exhausted; /* there is nothing more from outside */
	bool     surprised; /* but it came */
} stopping_t;

enum { TURN_FULL = BITACTOR_MAX_SIGNALS };

static void
stopping_turn(stopping_t *stopping, const list_t *expected, size_t at)
{
	const entry_t *turn = &expected->entries[at], *next = turn + 1;
	bool calls_off = at + 1 < expected->count &&
	                 next->record.kind == BITACTOR_RECORD_RESUME &&
	                 next->seq - next->record.cause == turn->seq;
	bool nothing_left = stopping->begun && stopping->in_turn < TURN_FULL;

	stopping->surprised |= nothing_left && !calls_off;
	stopping->exhausted |= nothing_left || calls_off;
	stopping->rounds += 1 + calls_off;
	stopping->in_turn = 0;
	stopping->begun   = true;
}

static stopping_t
stopping_of(const list_t *expected)
{
	stopping_t stopping = { 0 };
	for (size_t i = 0; i < expected->count; i++) {
		const bitactor_record_t *record = &expected->entries[i].record;
		if (record->kind == BITACTOR_RECORD_TURN)
			stopping_turn(&stopping, expected, i);
		stopping.in_turn += is_dispatch(record);
		stopping.surprised |= stopping.exhausted && is_dispatch(record) &&
		                      (record->flags & BITACTOR_RECORD_OUTSIDE) != 0;
		if (record->kind != BITACTOR_RECORD_DROP)
			continue;
		stopping.surprised |= stopping.begun && stopping.in_turn < TURN_FULL;
		if (record->cause == BITACTOR_SOURCE_SHARED)
			stopping.drops += record->payload < UINT32_MAX ? record->payload
			                                               : UINT32_MAX;
	}
	return stopping;
}

/* All that it took, and dropped, is offered before; then it happens in one call. */
static bitactor_status_t
poll_stop(bitactor_replay_t *replay, bitactor_batch_t *batch, bitactor_error_t *error)
{
	list_t        *expected = &replay->expected;
	const entry_t *stop     = &expected->entries[0];
	/* a killed process may have left a TURN and nothing behind it */
	if (replay->ended &&
	    expected->entries[expected->count - 1].record.kind == BITACTOR_RECORD_TURN)
		expected->count--;
	stopping_t stopping = stopping_of(expected);
	if (stopping.surprised)
		return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                          "the STOP at seq %" PRIu64 " waited for a producer or "
		                          "gave way to a tick, which a replay cannot repeat",
		                          stop->seq);
	bitactor_status_t status = fill_batch(replay, batch, stopping.drops, error);
	batch->as_stop = true;
	batch->drain   = stop->record.payload != 0;
	batch->max     = stopping.rounds;
	return status;
}

/* A handler's stop closes the door with its dispatch.  What had come in by then was
 * dropped, or worked off in later turns; which that was no record says before it is
 * dispatched, and then the door is closed here too.  So a stop that met signals from
 * outside is refused, not called a difference. */
static bitactor_status_t
check_closing(bitactor_replay_t *replay, const bitactor_batch_t *batch, bitactor_error_t *error)
{
	bool refused = replay->closing && batch->count > 0, begins = false;
	for (size_t i = 0; i < replay->expected.count; i++) {
		const bitactor_record_t *record = &replay->expected.entries[i].record;
		bool outside = (record->flags & BITACTOR_RECORD_OUTSIDE) != 0;
		refused |= begins && record->kind == BITACTOR_RECORD_DROP &&
		           record->cause == BITACTOR_SOURCE_SHARED;
		begins |= record->kind == BITACTOR_RECORD_STOP && !outside && record->actor == 0;
	}
	replay->closing |= begins;
	if (!refused)
		return BITACTOR_OK;
	return bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
	                          "the turn at seq %" PRIu64 " has signals from outside that "
	                          "waited when a handler stopped the engine, which a replay "
	                          "cannot repeat", replay->expected.entries[0].seq);
}

static bitactor_status_t
poll(void *context, bitactor_batch_t *batch, bool may_wait, bitactor_error_t *error)
{
	(void)may_wait;
	bitactor_replay_t *replay = context;
	bitactor_status_t  status = read_turn(replay, error);
	if (status == BITACTOR_EMPTY)
		return BITACTOR_CLOSED;
	if (status != BITACTOR_OK)
		return status;
	if (replay->expected.entries[0].record.kind == BITACTOR_RECORD_STOP)
		return poll_stop(replay, batch, error);
	/* a killed process may have left a TURN and nothing behind it */
	status = fill_batch(replay, batch, 0, error);
	if (status == BITACTOR_OK)
		status = check_closing(replay, batch, error);
	if (status == BITACTOR_OK && batch->max == 0 && replay->ended)
		return BITACTOR_CLOSED;
	replay->report.turn++;
	if (status == BITACTOR_OK && batch->max == 0) /* no engine takes such a turn */
		return diverged(replay, BITACTOR_DIFFERENCE_MISSING,
		                &replay->expected.entries[0], NULL, error);
	return status;
}

/* ---- door 2: the clock -------------------------------------------------- */

/* The engine asks once a turn: each time it is the next TURN's. */
static uint64_t
recorded_now(void *context)
{
	bitactor_replay_t *replay = context;
	for (bool found = false; !found && replay->clock_at < replay->expected.count;) {
		const bitactor_record_t *record =
		        &replay->expected.entries[replay->clock_at++].record;
		found = record->kind == BITACTOR_RECORD_TURN;
		if (found)
			replay->now_ns = record->payload;
	}
	return replay->now_ns;
}

/* ---- door 3: the sink --------------------------------------------------- */

static bool
collect(bitactor_replay_t *replay, const bitactor_record_t *record)
{
	list_t *actual = &replay->actual;
	if ((record->flags & BITACTOR_RECORD_MEASURED) != 0)
		return true; /* DATA of a measured record, too */
	if (record->kind == BITACTOR_RECORD_DATA)
		return actual->count == 0 || /* a head's DATA comes with it: never */
		       entry_add_data(&actual->entries[actual->count - 1], record->own,
		                      (size_t)record->payload);
	if (!bitactor_record_is_compared(record))
		return true;
	entry_t *entry = list_append(actual);
	if (entry != NULL)
		entry_fill(entry, record, replay->actual_seq++);
	return entry != NULL;
}

static bitactor_status_t
take(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from, uint32_t to,
     bool sealed)
{
	bitactor_replay_t *replay = context;
	bitactor_record_t  record;
	(void)sealed; /* the next segment begins with `from` 0 */

	if (replay->over)
		return BITACTOR_OK; /* the report points into the lists */
	if (from == 0) {
		replay->actual_at = BITACTOR_HEADER_BYTES;
		replay->nonce     = bitactor_segment_nonce(replay->config.uuid, segment);
	}
	while (replay->actual_at < to && !replay->out_of_memory &&
	       bitactor_record_read(bytes, replay->nonce, replay->actual_at, to, false, &record,
	                            NULL) == BITACTOR_OK) {
		replay->out_of_memory = !collect(replay, &record);
		replay->actual_at += record.bytes;
	}
	return BITACTOR_OK;
}

/* ---- comparing ---------------------------------------------------------- */

static enum bitactor_difference
difference_of(const entry_t *expected, const entry_t *actual)
{
	const bitactor_record_t *e = &expected->record, *a = &actual->record;
	uint8_t flags = e->flags ^ a->flags;

	if (e->kind != a->kind || e->actor != a->actor || e->cause != a->cause ||
	    e->cause_seq != a->cause_seq || e->payload != a->payload ||
	    e->context != a->context || e->timestamp != a->timestamp || e->id != a->id ||
	    e->signal_flags != a->signal_flags || e->priority != a->priority ||
	    memcmp(expected->own_copy, actual->own_copy, sizeof actual->own_copy) != 0 ||
	    (flags & ~(BITACTOR_RECORD_FAILED | BITACTOR_RECORD_HAS_DATA)) != 0)
		return BITACTOR_DIFFERENCE_SIGNAL;
	if (expected->data_bytes != actual->data_bytes ||
	    (actual->data_bytes > 0 &&
	     memcmp(expected->data, actual->data, actual->data_bytes) != 0))
		return BITACTOR_DIFFERENCE_DATA;
	if (e->effect != a->effect || (flags & BITACTOR_RECORD_FAILED) != 0)
		return BITACTOR_DIFFERENCE_EFFECT;
	return BITACTOR_DIFFERENCE_NONE;
}

/* After a turn, and once before the first: both lists hold the same records? */
static bitactor_status_t
compare(void *context, bitactor_error_t *error)
{
	bitactor_replay_t *replay = context;
	const list_t *expected = &replay->expected, *actual = &replay->actual;
	if (replay->out_of_memory)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory");

	bool   is_stop = expected->count > 0 &&
	               expected->entries[0].record.kind == BITACTOR_RECORD_STOP;
	size_t i = 0;
	for (; i < expected->count; i++) {
		const entry_t *e = &expected->entries[i];
		if (e->open)
			break;
		replay->report.turn += is_stop && e->record.kind == BITACTOR_RECORD_TURN;
		if (i == actual->count)
			return diverged(replay, BITACTOR_DIFFERENCE_MISSING, e, NULL, error);
		const entry_t *a = &actual->entries[i];
		enum bitactor_difference difference = difference_of(e, a);
		if (difference != BITACTOR_DIFFERENCE_NONE)
			return diverged(replay, difference, e, a, error);
		replay->report.compared++;
		replay->report.signals += is_dispatch(&e->record);
		/* relaxed: a signal handler of this thread reads it */
		atomic_store_explicit(&replay->compared_seq, e->seq, memory_order_relaxed);
	}
	/* what came behind the end of a trace that nobody closed is no difference */
	if (i < actual->count && !replay->ended)
		return diverged(replay, BITACTOR_DIFFERENCE_EXTRA, NULL, &actual->entries[i],
		                error);
	list_clear(&replay->actual);
	return BITACTOR_OK;
}

/* ---- public ------------------------------------------------------------- */

/* Room for more than the recorded queue had; no handler can tell. */
static void
make_room(bitactor_config_t *config)
{
	uint32_t blocks = config->data_max > 0 ? BLOCK_BYTES / config->data_max : 0;
	if (blocks > QUEUE_SLOTS)
		blocks = QUEUE_SLOTS;
	if (config->queue_slots < QUEUE_SLOTS)
		config->queue_slots = QUEUE_SLOTS;
	if (config->data_blocks < blocks)
		config->data_blocks = blocks;
	config->segments = 2; /* each is compared as soon as it is full */
}

static void
doors_init(bitactor_replay_t *replay, const bitactor_segment_header_t *header)
{
	replay->clock  = (bitactor_host_t){ .context = replay, .now_ns = recorded_now };
	replay->sink   = (bitactor_sink_t){ .context = replay, .take = take };
	replay->config = replay->program.config;
	memcpy(replay->config.uuid, header->uuid, sizeof header->uuid);
	replay->config.schema = header->schema;
	make_room(&replay->config);
	replay->config.flags &= ~(uint32_t)BITACTOR_TIME_EACH;
	replay->config.flags |= BITACTOR_VIRTUAL; /* nothing measured here belongs in it */
	replay->config.host = &replay->clock;
	replay->config.sink = &replay->sink;
}

bitactor_status_t
bitactor_replay_open(const char *path, bitactor_replay_t **replay_out, bitactor_error_t *error)
{
	if (replay_out != NULL)
		*replay_out = NULL;
	if (path == NULL || replay_out == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "replay: NULL argument");
	bitactor_replay_t *replay = calloc(1, sizeof *replay);
	if (replay == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "out of memory");

	bitactor_trace_facts_t facts;
	bitactor_status_t status = bitactor_trace_open(path, &replay->reader, error);
	if (status != BITACTOR_OK)
		goto free_replay;
	bitactor_trace_facts(replay->reader, &facts);
	if (facts.program_bytes == 0) {
		status = bitactor_error_set(error, BITACTOR_UNSUPPORTED, 0,
		                            "%s has no PROGRAM record: it does not say which "
		                            "module and limits to replay it with", path);
		goto free_replay;
	}
	status = bitactor_program_parse(facts.program_text, facts.program_bytes,
	                                &replay->program, error);
	if (status != BITACTOR_OK)
		goto free_replay;
	doors_init(replay, &facts.header);
	*replay_out = replay;
	return BITACTOR_OK;

free_replay:
	bitactor_replay_close(replay);
	return status;
}

void
bitactor_replay_close(bitactor_replay_t *replay)
{
	if (replay == NULL)
		return;
	bitactor_trace_close(replay->reader);
	list_clear(&replay->expected);
	list_clear(&replay->actual);
	if (replay->has_ahead)
		free(replay->ahead.data);
	free(replay->expected.entries);
	free(replay->actual.entries);
	free(replay->items);
	free(replay);
}

const bitactor_program_t *
bitactor_replay_program(const bitactor_replay_t *replay)
{
	return replay != NULL ? &replay->program : NULL;
}

void
bitactor_replay_facts(const bitactor_replay_t *replay, bitactor_trace_facts_t *facts)
{
	bitactor_trace_facts(replay != NULL ? replay->reader : NULL, facts);
}

const bitactor_config_t *
bitactor_replay_config(bitactor_replay_t *replay)
{
	return replay != NULL ? &replay->config : NULL;
}

/* What the engine recorded before the first turn, against the same of the trace. */
static bitactor_status_t
compare_prologue(bitactor_replay_t *replay, bitactor_engine_t *engine, bitactor_error_t *error)
{
	bitactor_status_t status = read_prologue(replay, error);
	if (status != BITACTOR_OK)
		return status;
	status = bitactor_telemetry_flush(engine);
	if (status != BITACTOR_OK)
		return bitactor_error_set(error, status, 0, "this engine cannot play a trace: %s",
		                          bitactor_status_text(status));
	return compare(replay, error);
}

bitactor_status_t
bitactor_replay_run(bitactor_replay_t *replay, bitactor_engine_t *engine,
                    const volatile sig_atomic_t *stop, bitactor_replay_report_t *report,
                    bitactor_error_t *error)
{
	if (replay == NULL || engine == NULL || report == NULL)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "replay: NULL argument");
	if (replay->begun)
		return bitactor_error_set(error, BITACTOR_ERROR, 0, "a replay is played once");
	replay->begun = true;
	bitactor_session_t session = {
		.engine      = engine,
		.source      = { .context = replay, .poll = poll },
		.stop        = stop,
		.exact_turns = true,
		.after_turn  = compare,
		.context     = replay,
	};
	bitactor_status_t status = compare_prologue(replay, engine, error);
	if (status == BITACTOR_OK)
		status = bitactor_session_run(&session, error);
	replay->over       = true;
	replay->report.end = bitactor_trace_end(replay->reader);
	*report = replay->report;
	return status;
}

static const bitactor_replay_record_t *
list_of(const list_t *list, size_t *count)
{
	if (count != NULL)
		*count = list->count;
	return list->entries;
}

const bitactor_replay_record_t *
bitactor_replay_expected(const bitactor_replay_t *replay, size_t *count)
{
	static const list_t none;
	return list_of(replay != NULL ? &replay->expected : &none, count);
}

const bitactor_replay_record_t *
bitactor_replay_actual(const bitactor_replay_t *replay, size_t *count)
{
	static const list_t none;
	return list_of(replay != NULL ? &replay->actual : &none, count);
}

uint64_t
bitactor_replay_seq(const bitactor_replay_t *replay)
{
	if (replay == NULL)
		return 0;
	/* relaxed: written by the thread that a signal handler interrupts */
	return atomic_load_explicit(&replay->compared_seq, memory_order_relaxed);
}
