/* SPDX-License-Identifier: Apache-2.0 */
/* test_actors.c -- references that never mislead, ends in order, nobody forgotten.
 *
 * Beside the table runs a model of the plainest kind: an array of lives in the order
 * of spawning, searched from end to end, a queue of free indices that is moved up by
 * hand, and a stop that calls itself.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../bitactor/src/internal/actors.h"
#include "../../engine_probe.h"

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	_exit(99);
}

/* ---- a table --------------------------------------------------------- */

static ba_actors_t table;
static ba_actors_limits_t limits;
static void *block;

static void
open_table(uint32_t capacity, uint32_t cell_bytes, uint32_t monitors)
{
	limits = (ba_actors_limits_t){ .capacity   = capacity,
		                       .cell_bytes = cell_bytes,
		                       .monitors   = monitors };
	block  = probe_block_take(ba_actors_bytes(&limits));
	ba_actors_init(&table, block, &limits);
}

static void
close_table(void)
{
	ba_actors_check(&table);
	probe_block_give(block, ba_actors_bytes(&limits));
}

static uint32_t
spawn(uint16_t behaviour, uint32_t supervisor)
{
	uint32_t reference = 0;
	CHECK_EQ(ba_actors_spawn(&table, behaviour, supervisor, &reference), BITACTOR_OK);
	return reference;
}

static uint32_t
drain_events(void)
{
	ba_actor_event_t event;
	uint32_t events = 0;
	while (ba_actors_next(&table, &event))
		events++;
	return events;
}

static void
stop(uint32_t reference)
{
	CHECK_EQ(ba_actors_stop(&table, reference, BITACTOR_OK), BITACTOR_OK);
	drain_events();
}

/* ---- the model ------------------------------------------------------- */

enum { MODEL_ACTORS = 40, MODEL_MONITORS = 30, MODEL_EVENTS = 256, CELL = 24 };

typedef struct life {
	uint32_t reference, supervisor;
	uint16_t behaviour;
	uint8_t  cell[CELL];
} life_t;

static struct model {
	life_t   lives[MODEL_ACTORS]; /* in the order of spawning */
	uint32_t count, high, capacity;
	uint32_t free[MODEL_ACTORS], free_count;  /* in the order of ending */
	uint32_t generation[MODEL_ACTORS + 1];
	struct { uint32_t watcher, watched; } monitors[MODEL_MONITORS]; /* in order */
	uint32_t monitor_count;
	ba_actor_event_t events[MODEL_EVENTS];
	uint32_t event_count;
} model;

static void
model_open(uint32_t capacity)
{
	memset(&model, 0, sizeof model);
	model.capacity = capacity;
	for (uint32_t i = 0; i < capacity; i++)
		model.free[model.free_count++] = i + 1;
}

static life_t *
model_find(uint32_t reference)
{
	for (uint32_t i = 0; i < model.count; i++)
		if (model.lives[i].reference == reference)
			return &model.lives[i];
	return NULL;
}

static bitactor_status_t
model_spawn(uint16_t behaviour, uint32_t supervisor, uint32_t *reference)
{
	if (supervisor != 0 && model_find(supervisor) == NULL)
		return BITACTOR_STALE;
	if (model.free_count == 0)
		return BITACTOR_FULL;
	uint32_t index = model.free[0];
	memmove(model.free, model.free + 1, --model.free_count * sizeof model.free[0]);
	model.generation[index] =
		model.generation[index] == 4095 ? 1 : model.generation[index] + 1;
	*reference = model.generation[index] * 1048576 + index;
	model.lives[model.count++] = (life_t){ .reference  = *reference,
		                               .supervisor = supervisor,
		                               .behaviour  = behaviour };
	return BITACTOR_OK;
}

static void
model_forget(uint32_t reference, bool as_watcher, bool as_watched)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < model.monitor_count; i++)
		if (!(as_watcher && model.monitors[i].watcher == reference) &&
		    !(as_watched && model.monitors[i].watched == reference))
			model.monitors[kept++] = model.monitors[i];
	model.monitor_count = kept;
}

static void
model_remove(uint32_t reference)
{
	life_t *life = model_find(reference);
	size_t  rest = (size_t)(&model.lives[model.count] - (life + 1));
	memmove(life, life + 1, rest * sizeof *life);
	model.count--;
}

static void
model_event(uint32_t what, uint32_t reference, uint32_t watcher, uint16_t behaviour,
            bitactor_status_t reason)
{
	if (model.event_count < MODEL_EVENTS)
		model.events[model.event_count] =
			(ba_actor_event_t){ what, reference, watcher, behaviour, (uint16_t)reason };
	model.event_count++;
}

/* The children, youngest first, then itself, then those who watch it. */
static void
model_stop(uint32_t reference, bitactor_status_t reason)
{
	uint16_t behaviour = model_find(reference)->behaviour;
	for (uint32_t i = model.count; i > 0; i--)
		if (i <= model.count && model.lives[i - 1].supervisor == reference)
			model_stop(model.lives[i - 1].reference, BITACTOR_CANCELLED);
	model_event(BA_ACTOR_STOPPED, reference, 0, behaviour, reason);
	model_forget(reference, true, false);
	for (uint32_t i = 0; i < model.monitor_count; i++)
		if (model.monitors[i].watched == reference)
			model_event(BA_ACTOR_TELL, reference, model.monitors[i].watcher, behaviour,
			            reason);
	model_forget(reference, false, true);
	model_remove(reference);
	model.free[model.free_count++] = reference % 1048576;
}

static void
model_unspawn(uint32_t reference)
{
	uint32_t index = reference % 1048576;
	model_forget(reference, true, true);
	model_remove(reference);
	memmove(model.free + 1, model.free, model.free_count++ * sizeof model.free[0]);
	model.free[0] = index;
	model.generation[index] =
		model.generation[index] == 1 ? 4095 : model.generation[index] - 1;
}

static bitactor_status_t
model_monitor(uint32_t watcher, uint32_t watched)
{
	if (model_find(watcher) == NULL || model_find(watched) == NULL)
		return BITACTOR_STALE;
	if (watcher == watched)
		return BITACTOR_ERROR;
	if (model.monitor_count == MODEL_MONITORS)
		return BITACTOR_FULL;
	model.monitors[model.monitor_count].watcher   = watcher;
	model.monitors[model.monitor_count++].watched = watched;
	return BITACTOR_OK;
}

static bitactor_status_t
model_unmonitor(uint32_t watcher, uint32_t watched)
{
	if (model_find(watcher) == NULL || model_find(watched) == NULL)
		return BITACTOR_STALE;
	for (uint32_t i = model.monitor_count; i > 0; i--) {
		if (model.monitors[i - 1].watcher != watcher ||
		    model.monitors[i - 1].watched != watched)
			continue;
		for (uint32_t k = i; k < model.monitor_count; k++)
			model.monitors[k - 1] = model.monitors[k];
		model.monitor_count--;
		return BITACTOR_OK;
	}
	return BITACTOR_EMPTY;
}

/* ---- both, step by step ---------------------------------------------- */

static uint64_t chance;
static unsigned wrong;
static uint32_t known[256]; /* references seen lately, dead or alive */

static void
agree(bool ok, int line)
{
	if (!ok && wrong++ < 5)
		printf("  line %d: table and model differ\n", line);
}
#define AGREE(condition) agree(condition, __LINE__)

/* Alive for the most part, else stale, nobody, or noise. */
static uint32_t
any_reference(void)
{
	uint64_t roll = probe_random(&chance);
	if (roll % 8 < 5 && model.count > 0)
		return model.lives[(roll >> 8) % model.count].reference;
	if (roll % 8 < 7)
		return known[(roll >> 8) % 256];
	return (uint32_t)(roll >> 16) & (roll & 256 ? 0xFFFFFFFF : 0xFFF0003F);
}

static bool
step_spawn(uint32_t *reference)
{
	uint64_t roll = probe_random(&chance);
	uint32_t supervisor = roll % 4 == 0 ? 0 : any_reference(), mine = 0, its = 0;
	uint16_t behaviour  = (uint16_t)(roll >> 32);
	bitactor_status_t status = ba_actors_spawn(&table, behaviour, supervisor, &mine);
	AGREE(status == model_spawn(behaviour, supervisor, &its));
	AGREE(mine == its);
	*reference = its;
	if (status == BITACTOR_OK)
		known[roll >> 56] = its;
	return status == BITACTOR_OK;
}

static void
step_monitor(void)
{
	uint32_t watcher = any_reference(), watched = any_reference();
	AGREE(ba_actors_monitor(&table, watcher, watched) == model_monitor(watcher, watched));
}

static void
step_stop(void)
{
	uint32_t reference = any_reference();
	bool     alive     = model_find(reference) != NULL;
	uint16_t reason    = (uint16_t)(probe_random(&chance) % 10);
	ba_actor_event_t event;
	bitactor_status_t status =
		ba_actors_stop(&table, reference, (bitactor_status_t)reason);
	AGREE(status == (alive ? BITACTOR_OK : BITACTOR_STALE));
	model.event_count = 0;
	if (alive)
		model_stop(reference, (bitactor_status_t)reason);
	uint32_t events = 0;
	for (; ba_actors_next(&table, &event); events++) {
		if (probe_random(&chance) % 4 == 0)
			ba_actors_check(&table); /* in the middle of the walk */
		AGREE(events >= MODEL_EVENTS ||
		      memcmp(&event, &model.events[events], sizeof event) == 0);
	}
	AGREE(events == model.event_count);
	AGREE(!ba_actors_next(&table, &event));
}

/* A dispatch that spawns and monitors, and is taken back or not. */
static void
step_transaction(void)
{
	uint32_t spawned[6], count = 0, pairs[12][2], pair_count = 0;
	bool     undo = probe_random(&chance) % 2 == 0;
	for (uint64_t i = probe_random(&chance) % 6; i > 0; i--) {
		count += step_spawn(&spawned[count]);
		if (!undo) {
			step_monitor();
			continue;
		}
		uint32_t watcher = any_reference(), watched = any_reference();
		bitactor_status_t status = ba_actors_monitor(&table, watcher, watched);
		AGREE(status == model_monitor(watcher, watched));
		if (status != BITACTOR_OK || probe_random(&chance) % 4 == 0)
			continue; /* a quarter stays: of the spawned it must go by itself */
		pairs[pair_count][0]   = watcher;
		pairs[pair_count++][1] = watched;
	}
	if (!undo)
		return;
	while (pair_count-- > 0)
		AGREE(ba_actors_unmonitor(&table, pairs[pair_count][0], pairs[pair_count][1]) ==
		      model_unmonitor(pairs[pair_count][0], pairs[pair_count][1]));
	while (count-- > 0) {
		ba_actors_unspawn(&table, spawned[count]);
		model_unspawn(spawned[count]);
	}
}

static void
step_unmonitor(void)
{
	uint32_t watcher = any_reference(), watched = any_reference();
	if (probe_random(&chance) % 2 == 0 && model.monitor_count > 0) {
		uint64_t k = probe_random(&chance) % model.monitor_count;
		watcher = model.monitors[k].watcher;
		watched = model.monitors[k].watched;
	}
	AGREE(ba_actors_unmonitor(&table, watcher, watched) == model_unmonitor(watcher, watched));
}

/* Everything a caller can see of one actor; and its cell changes now and then. */
static void
step_look(void)
{
	uint32_t    reference = any_reference();
	life_t     *life = model_find(reference);
	ba_actor_t *line = ba_actors_find(&table, reference);
	ba_actor_t *into = ba_actors_resolve(&table, reference);
	AGREE((line != NULL) == (life != NULL));
	AGREE(into == (life != NULL ? line : ba_actors_nobody(&table)));
	AGREE(life != NULL || into->behaviour == BA_NOBODY);
	if (life == NULL || line == NULL)
		return;
	AGREE(line->reference == reference);
	AGREE(line->behaviour == life->behaviour);
	AGREE(memcmp(ba_actors_cell(line), life->cell, CELL) == 0);
	uint64_t roll = probe_random(&chance);
	((uint8_t *)ba_actors_cell(line))[roll % CELL] = (uint8_t)(roll >> 8);
	life->cell[roll % CELL] = (uint8_t)(roll >> 8);
}

static void
one_seed(uint64_t seed)
{
	chance = seed;
	uint32_t capacity = 1 + (uint32_t)(probe_random(&chance) % MODEL_ACTORS);
	uint32_t stops    = 1 + (uint32_t)(probe_random(&chance) % 8);
	memset(known, 0, sizeof known);
	open_table(capacity, CELL, MODEL_MONITORS);
	model_open(capacity);
	for (int i = 0; i < 2000; i++) {
		uint32_t ignored, roll = (uint32_t)(probe_random(&chance) % 32);
		if (roll < stops)
			step_stop();
		else if (roll < 12)
			step_spawn(&ignored);
		else if (roll < 16)
			step_monitor();
		else if (roll < 18)
			step_unmonitor();
		else if (roll < 21)
			step_transaction();
		else
			step_look();
		if (model.count > model.high)
			model.high = model.count;
		AGREE(ba_actors_count(&table) == model.count);
		AGREE(ba_actors_high(&table) == model.high);
		AGREE(table.monitor_count == model.monitor_count);
		if (i % 16 == 0)
			ba_actors_check(&table);
	}
	close_table();
}

static void
test_against_model(uint64_t seed)
{
	SCENARIO("the table does what an array and a linear search do") {
		GIVEN("tables of 1 to 40 actors, and a model of arrays");
		WHEN("both spawn, undo, stop, monitor and look at random, 1000 seeds long");
		THEN("every reference, status, event and cell is the same");
		uint64_t seeds = probe_scale(1000);
		wrong = 0;
		for (uint64_t i = 0; i < seeds && wrong == 0; i++) {
			one_seed(seed + i);
			if (wrong > 0)
				printf("  seed %" PRIu64 "\n", seed + i);
		}
		CHECK_EQ(wrong, 0);
	}
}

/* ---- memory ---------------------------------------------------------- */

static void
test_bytes(void)
{
	SCENARIO("an idle actor costs its state and 40 bytes") {
		GIVEN("a million actors, without monitors and rules, cells of many sizes");
		WHEN("the table's bytes are asked for");
		THEN("what is beside the cell is at most 64 bytes; a line holds header and cell");
		static const struct { uint32_t asked, cell, stride; } sizes[] = {
			{ 0, 8, 16 }, { 8, 8, 16 }, { 9, 24, 32 }, { 24, 24, 32 },
			{ 25, 56, 64 }, { 32, 56, 64 }, { 56, 56, 64 }, { 57, 120, 128 },
			{ 120, 120, 128 }, { 1000, 1016, 1024 }, { 65528, 65528, 65536 },
		};
		for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
			ba_actors_limits_t most = { .capacity   = 1000000,
				                    .cell_bytes = sizes[i].asked };
			uint64_t bytes = ba_actors_bytes(&most);
			double   each  = (double)bytes / 1e6;
			printf("  state of %5u bytes: cell of %5u, %.2f bytes an actor in all, "
			       "%.2f beside the cell\n",
			       sizes[i].asked, sizes[i].cell, each, each - sizes[i].cell);
			CHECK(bytes <= UINT64_C(1000000) * (sizes[i].cell + 64));
			CHECK_EQ(bytes / 1000000, sizes[i].stride + sizeof(ba_ties_t));
			CHECK_EQ(ba_actors_stride(sizes[i].asked), sizes[i].stride);
		}
		ba_actors_limits_t rich = { .capacity = 1000000, .cell_bytes = 56,
			                    .monitors = 65536, .rules = 65536 };
		printf("  with 65536 monitors and 65536 rules: %.2f bytes an actor in all\n",
		       (double)ba_actors_bytes(&rich) / 1e6);
		CHECK(ba_actors_bytes(&rich) <= UINT64_C(1000000) * (56 + 64));
	}
	SCENARIO("limits out of range have no size") {
		GIVEN("good limits");
		WHEN("one of them is just out of range, or just within");
		THEN("the size is 0, or not");
		ba_actors_limits_t good = { .capacity = 1 }, bad = good;
		CHECK(ba_actors_bytes(&good) > 0);
		CHECK_EQ(ba_actors_bytes(&good) % 64, 0);
		bad.capacity = 0;
		CHECK_EQ(ba_actors_bytes(&bad), 0);
		bad.capacity = 1 << 20;
		CHECK_EQ(ba_actors_bytes(&bad), 0);
		bad.capacity = (1 << 20) - 1;
		CHECK(ba_actors_bytes(&bad) > 0);
		bad.cell_bytes = 65529;
		CHECK_EQ(ba_actors_bytes(&bad), 0);
		bad = good, bad.monitors = 1 << 24;
		CHECK_EQ(ba_actors_bytes(&bad), 0);
		bad = good, bad.rules = 1 << 24;
		CHECK_EQ(ba_actors_bytes(&bad), 0);
	}
}

static void
test_lines(void)
{
	SCENARIO("no cell of up to 56 bytes lies in two lines, and none overlaps another") {
		GIVEN("tables with cells of 8, 24, 56 and 120 bytes");
		WHEN("every cell is filled with a byte of its own");
		THEN("each is where its header is, and all bytes are still there");
		for (uint32_t bytes = 8; bytes <= 120; bytes = bytes * 2 + 8) {
			unsigned bad = 0;
			open_table(50, bytes, 0);
			CHECK_EQ(table.cell_bytes, bytes);
			for (uint32_t i = 1; i <= 50; i++) {
				ba_actor_t *line = ba_actors_find(&table, spawn(1, 0));
				uint8_t    *cell = ba_actors_cell(line);
				for (uint32_t k = 0; k < bytes; k++)
					bad += cell[k] != 0;
				memset(cell, (int)i, bytes);
				bad += (uintptr_t)cell % 8 != 0;
				if (bytes <= 56)
					bad += (uintptr_t)line / 64 !=
					       ((uintptr_t)cell + bytes - 1) / 64;
				else
					bad += (uintptr_t)line % 64 != 0;
			}
			for (uint32_t i = 1; i <= 50; i++) {
				ba_actor_t *line = ba_actors_find(&table, 1u << 20 | i);
				const uint8_t *cell = ba_actors_cell(line);
				for (uint32_t k = 0; k < bytes; k++)
					bad += cell[k] != i;
			}
			CHECK_EQ(bad, 0);
			close_table();
		}
	}
}

/* ---- references ------------------------------------------------------ */

/* Numbers that find somebody though they are not in `alive`, or the reverse. */
static unsigned
count_misled(const uint32_t *alive, unsigned count, uint64_t first, uint64_t step, uint64_t end)
{
	unsigned bad = 0;
	for (uint64_t number = first; number < end; number += step) {
		uint32_t    reference = (uint32_t)number;
		ba_actor_t *line = ba_actors_find(&table, reference);
		ba_actor_t *into = ba_actors_resolve(&table, reference);
		bool meant = false;
		for (unsigned i = 0; i < count; i++)
			meant |= alive[i] == reference;
		bad += (line != NULL) != meant;
		bad += into != (meant ? line : ba_actors_nobody(&table));
	}
	return bad;
}

/* All generations of the indices in use and next to them, those at the ends of the
 * range, and every 251st number; with BA_SCALE=100 every number. */
static void
no_number_misleads(const uint32_t *alive, unsigned count)
{
	uint64_t all = UINT64_C(1) << 32, step = probe_scale(10) >= 1000 ? 1 : 251;
	for (uint64_t index = 0; index < 16; index++)
		CHECK_EQ(count_misled(alive, count, index, 1 << 20, all), 0);
	CHECK_EQ(count_misled(alive, count, (1 << 20) - 1, 1 << 20, all), 0);
	CHECK_EQ(count_misled(alive, count, 0, step, all), 0);
	for (unsigned i = 0; i < count; i++)
		CHECK(ba_actors_find(&table, alive[i]) != NULL);
}

static void
test_every_reference(void)
{
	SCENARIO("no number is mistaken for a reference") {
		GIVEN("a table with two alive, two dead and one that never lived; one where all "
		      "have lived, thrice or twice; and one that is empty");
		WHEN("every generation of every index in use and around, and numbers from all of "
		     "2^32");
		THEN("find and resolve tell the living from all others, and touch nothing foreign");
		const uint32_t young[2] = { 1u << 20 | 1, 1u << 20 | 4 };
		open_table(5, 8, 0);
		no_number_misleads(NULL, 0);
		for (uint16_t i = 1; i <= 4; i++)
			spawn(i, 0);
		stop(1u << 20 | 2);
		stop(1u << 20 | 3);
		no_number_misleads(young, 2);
		close_table();

		const uint32_t old[2] = { 3u << 20 | 1, 2u << 20 | 3 };
		open_table(3, 56, 0);
		for (uint32_t i = 1; i <= 3; i++)
			spawn(0, 0);
		for (uint32_t i = 1; i <= 3; i++) {
			stop(1u << 20 | i);
			CHECK_EQ(spawn(0, 0), 2u << 20 | i);
		}
		stop(2u << 20 | 1);
		CHECK_EQ(spawn(0, 0), old[0]);
		stop(2u << 20 | 2);
		no_number_misleads(old, 2);
		close_table();
	}
}

static void
test_undone_first_lives(void)
{
	SCENARIO("a first life that is undone leaves nothing to be found") {
		GIVEN("a table of 4, and three spawned in one dispatch");
		WHEN("all are undone, and no number misleads; then two are spawned for good");
		THEN("they have the references of the first two");
		const uint32_t two[2] = { 1u << 20 | 1, 1u << 20 | 2 };
		open_table(4, 8, 0);
		uint32_t undone[3] = { spawn(1, 0), 0, 0 };
		undone[1] = spawn(2, undone[0]);
		undone[2] = spawn(3, undone[1]);
		for (int i = 2; i >= 0; i--)
			ba_actors_unspawn(&table, undone[i]);
		ba_actors_check(&table);
		CHECK_EQ(ba_actors_high(&table), 0);
		for (uint64_t index = 0; index < 8; index++)
			CHECK_EQ(count_misled(NULL, 0, index, 1 << 20, UINT64_C(1) << 32), 0);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(spawn(4, 0), two[i]);
		for (uint64_t index = 0; index < 8; index++)
			CHECK_EQ(count_misled(two, 2, index, 1 << 20, UINT64_C(1) << 32), 0);
		close_table();
	}
}

static void
test_used_block(void)
{
	SCENARIO("what a block held before is not found") {
		GIVEN("a block that held 5 live actors, made an empty table again");
		WHEN("one is spawned, and the old references are looked for");
		THEN("only the first is found: it is the new one's too");
		const uint32_t alive = 1u << 20 | 1;
		open_table(5, 8, 0);
		for (int i = 0; i < 5; i++)
			spawn(7, 0);
		ba_actors_init(&table, block, &limits);
		for (uint64_t index = 0; index < 8; index++)
			CHECK_EQ(count_misled(NULL, 0, index, 1 << 20, UINT64_C(1) << 32), 0);
		CHECK_EQ(spawn(8, 0), alive);
		for (uint64_t index = 0; index < 8; index++)
			CHECK_EQ(count_misled(&alive, 1, index, 1 << 20, UINT64_C(1) << 32), 0);
		close_table();
	}
}

static void
test_generations(void)
{
	SCENARIO("a reference is stale for 4,095 lives") {
		GIVEN("a table for one, and the reference of its first life");
		WHEN("the index lives 4,095 times more, with a spawn undone in each");
		THEN("all lives differ, the first is stale until the last, which is equal to it");
		open_table(1, 8, 0);
		uint32_t first = spawn(0, 0), bad = 0;
		stop(first);
		for (uint32_t life = 2; life <= 4096; life++) {
			uint32_t undone = spawn(1, 0);
			bad += life <= 4095 && ba_actors_find(&table, first) != NULL;
			bad += undone != (((life - 1) % 4095 + 1) << 20 | 1);
			ba_actors_unspawn(&table, undone);
			bad += ba_actors_find(&table, undone) != NULL;
			ba_actors_check(&table);
			uint32_t again = spawn(2, 0);
			bad += again != undone;
			if (life == 4096)
				CHECK_EQ(again, first);
			else
				stop(again);
		}
		CHECK_EQ(bad, 0);
		CHECK(ba_actors_find(&table, first) != NULL);
		close_table();
	}
}

static void
test_oldest_first(void)
{
	SCENARIO("an index rests as long as it can") {
		GIVEN("8 of 8 actors");
		WHEN("they end in an order of their own, with an undone spawn between");
		THEN("their indices come back in that order; before, those that never lived");
		static const uint32_t order[8] = { 5, 2, 8, 1, 7, 3, 6, 4 };
		open_table(8, 8, 0);
		uint32_t ignored;
		stop(spawn(0, 0));
		for (uint32_t i = 2; i <= 8; i++)
			CHECK_EQ(spawn(0, 0), 1u << 20 | i);
		CHECK_EQ(spawn(0, 0), 2u << 20 | 1);
		CHECK_EQ(ba_actors_spawn(&table, 0, 0, &ignored), BITACTOR_FULL);
		for (uint32_t i = 0; i < 8; i++) {
			stop((order[i] == 1 ? 2u : 1u) << 20 | order[i]);
			uint32_t undone = spawn(0, 0);
			CHECK_EQ(ba_actor_index(undone), order[0]);
			ba_actors_unspawn(&table, undone);
		}
		CHECK_EQ(ba_actors_count(&table), 0);
		for (uint32_t i = 0; i < 8; i++)
			CHECK_EQ(spawn(0, 0), (order[i] == 1 ? 3u : 2u) << 20 | order[i]);
		CHECK_EQ(ba_actors_high(&table), 8);
		close_table();
	}
}

/* ---- ends ------------------------------------------------------------ */

static void
event_is(uint32_t what, uint32_t reference, uint32_t watcher, bitactor_status_t reason)
{
	ba_actor_event_t event = { .what = UINT32_MAX };
	CHECK(ba_actors_next(&table, &event));
	CHECK_EQ(event.what, what);
	CHECK_EQ(event.reference, reference);
	CHECK_EQ(event.watcher, watcher);
	CHECK_EQ(event.reason, reason);
}

static void
test_order_of_ends(void)
{
	SCENARIO("children end before their supervisor, the youngest first") {
		GIVEN("a with children b, c, d; b with e, f; c watches f, b twice; x watches a");
		WHEN("a is stopped because of a fault");
		THEN("d, c, f, e, b, a; c is told nothing, being gone; x is told of a");
		open_table(10, 8, 4);
		uint32_t x = spawn(9, 0), a = spawn(1, 0), b = spawn(2, a), c = spawn(3, a);
		uint32_t d = spawn(4, a), e = spawn(5, b), f = spawn(6, b);
		ba_actor_event_t event;
		CHECK_EQ(ba_actors_monitor(&table, c, f), BITACTOR_OK);
		CHECK_EQ(ba_actors_monitor(&table, c, b), BITACTOR_OK);
		CHECK_EQ(ba_actors_monitor(&table, c, b), BITACTOR_OK);
		CHECK_EQ(ba_actors_monitor(&table, x, a), BITACTOR_OK);
		CHECK_EQ(ba_actors_monitor(&table, x, b), BITACTOR_FULL);
		CHECK_EQ(ba_actors_stop(&table, a, BITACTOR_FAULT), BITACTOR_OK);
		event_is(BA_ACTOR_STOPPED, d, 0, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_STOPPED, c, 0, BITACTOR_CANCELLED);
		CHECK_EQ(table.monitor_count, 1);
		event_is(BA_ACTOR_STOPPED, f, 0, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_STOPPED, e, 0, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_STOPPED, b, 0, BITACTOR_CANCELLED);
		event_is(BA_ACTOR_STOPPED, a, 0, BITACTOR_FAULT);
		event_is(BA_ACTOR_TELL, a, x, BITACTOR_FAULT);
		CHECK(!ba_actors_next(&table, &event));
		CHECK_EQ(table.monitor_count, 0);
		CHECK_EQ(ba_actors_count(&table), 1);
		CHECK_EQ(ba_actors_stop(&table, a, BITACTOR_OK), BITACTOR_STALE);
		CHECK_EQ(ba_actors_monitor(&table, x, a), BITACTOR_STALE);
		CHECK_EQ(ba_actors_monitor(&table, x, x), BITACTOR_ERROR);
		close_table();
	}
}

static void
test_watchers(void)
{
	SCENARIO("watchers are told in the order in which they came, each once a monitor") {
		GIVEN("w watched by 5 actors, by the second twice; the fourth ends, the first "
		      "stops watching");
		WHEN("w ends");
		THEN("second, third, second, fifth are told; all monitors are free again");
		open_table(10, 8, 6);
		uint32_t w = spawn(0, 0), by[6];
		for (int i = 1; i <= 5; i++)
			by[i] = spawn((uint16_t)i, 0);
		static const int order[6] = { 1, 2, 3, 2, 4, 5 };
		for (int i = 0; i < 6; i++)
			CHECK_EQ(ba_actors_monitor(&table, by[order[i]], w), BITACTOR_OK);
		CHECK_EQ(ba_actors_monitor(&table, by[1], by[2]), BITACTOR_FULL);
		stop(by[4]);
		CHECK_EQ(ba_actors_unmonitor(&table, by[1], w), BITACTOR_OK);
		CHECK_EQ(ba_actors_unmonitor(&table, by[1], w), BITACTOR_EMPTY);
		CHECK_EQ(ba_actors_unmonitor(&table, by[4], w), BITACTOR_STALE);
		CHECK_EQ(ba_actors_stop(&table, w, BITACTOR_ERROR), BITACTOR_OK);
		event_is(BA_ACTOR_STOPPED, w, 0, BITACTOR_ERROR);
		event_is(BA_ACTOR_TELL, w, by[2], BITACTOR_ERROR);
		event_is(BA_ACTOR_TELL, w, by[3], BITACTOR_ERROR);
		event_is(BA_ACTOR_TELL, w, by[2], BITACTOR_ERROR);
		event_is(BA_ACTOR_TELL, w, by[5], BITACTOR_ERROR);
		CHECK_EQ(drain_events(), 0);
		for (int i = 0; i < 6; i++)
			CHECK_EQ(ba_actors_monitor(&table, by[1], by[2]), BITACTOR_OK);
		close_table();
	}
}

/* ---- size ------------------------------------------------------------ */

enum { SMALL_STACK = 128 * 1024 };

static void
on_small_stack(void *(*fn)(void *))
{
	pthread_attr_t attributes;
	pthread_t thread;
	pthread_attr_init(&attributes);
	CHECK_EQ(pthread_attr_setstacksize(&attributes, SMALL_STACK), 0);
	CHECK_EQ(pthread_create(&thread, &attributes, fn, NULL), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
}

static uint32_t deep_top, deep_levels, deep_wrong;

static void *
stop_deep(void *ignored)
{
	ba_actor_event_t event;
	uint32_t level = deep_levels;
	(void)ignored;
	ba_actors_check(&table);
	deep_wrong += ba_actors_stop(&table, deep_top, BITACTOR_OK) != BITACTOR_OK;
	for (; ba_actors_next(&table, &event); level--)
		deep_wrong += ba_actor_index(event.reference) != level;
	deep_wrong += level != 0;
	ba_actors_check(&table);
	return NULL;
}

static void
test_depth(uint32_t levels)
{
	SCENARIO("a tree is as deep as it likes") {
		GIVEN("a chain of supervisors, 10,000 or a million long, and a stack of 64 KiB");
		WHEN("the topmost is stopped");
		THEN("all end, the lowest first, on that stack");
		open_table(levels, 8, 0);
		uint32_t above = deep_top = spawn(0, 0);
		for (uint32_t i = 1; i < levels; i++)
			ba_actors_spawn(&table, 0, above, &above);
		CHECK_EQ(ba_actors_count(&table), levels);
		deep_levels = levels;
		deep_wrong  = 0;
		on_small_stack(stop_deep);
		CHECK_EQ(deep_wrong, 0);
		CHECK_EQ(ba_actors_count(&table), 0);
		close_table();
	}
}

static void
test_million(void)
{
	SCENARIO("a million actors") {
		GIVEN("a table of 1,000,000 with cells of 56 bytes");
		WHEN("all are spawned, found, stopped from the last to the first, spawned again");
		THEN("none is missing, one more is refused, the old are stale, the order is kept");
		enum { MILLION = 1000000 };
		uint32_t reference = 0, bad = 0;
		open_table(MILLION, 56, 0);
		for (uint32_t i = 1; i <= MILLION; i++) {
			ba_actors_spawn(&table, (uint16_t)i, 0, &reference);
			bad += reference != (1u << 20 | i);
			uint32_t *cell = ba_actors_cell(ba_actors_find(&table, reference));
			cell[13] = i;
		}
		CHECK_EQ(ba_actors_spawn(&table, 0, 0, &reference), BITACTOR_FULL);
		for (uint32_t i = 1; i <= MILLION; i++) {
			ba_actor_t *line = ba_actors_find(&table, 1u << 20 | i);
			if (line == NULL || line->behaviour != (uint16_t)i ||
			    ((uint32_t *)ba_actors_cell(line))[13] != i)
				bad++;
		}
		for (uint32_t i = MILLION; i >= 1; i--) {
			bad += ba_actors_stop(&table, 1u << 20 | i, BITACTOR_OK) != BITACTOR_OK;
			bad += drain_events() != 1;
			bad += ba_actors_find(&table, 1u << 20 | i) != NULL;
		}
		CHECK_EQ(ba_actors_count(&table), 0);
		for (uint32_t i = MILLION; i >= 1; i--) {
			ba_actors_spawn(&table, 7, 0, &reference);
			bad += reference != (2u << 20 | i);
			bad += ((uint32_t *)ba_actors_cell(ba_actors_find(&table, reference)))[13];
		}
		CHECK_EQ(bad, 0);
		CHECK_EQ(ba_actors_high(&table), MILLION);
		printf("  %.2f bytes an actor, 56 of them its state\n",
		       (double)ba_actors_bytes(&limits) / MILLION);
		close_table();
	}
}

/* ---- what must not be ------------------------------------------------ */

static void
misuse(int how, uint32_t elder, uint32_t younger, uint32_t ended)
{
	uint32_t reference;
	ba_actor_event_t event;
	switch (how) {
	case 0: ba_actors_unspawn(&table, elder); break;
	case 1: ba_actors_unspawn(&table, ended); break;
	case 2: ba_actors_unspawn(&table, 0); break;
	case 3: spawn(1, younger), ba_actors_unspawn(&table, younger); break;
	default:
		ba_actors_stop(&table, elder, BITACTOR_OK);
		if (how >= 8)
			ba_actors_next(&table, &event); /* ended; its watchers wait */
		if (how % 4 == 0)
			ba_actors_spawn(&table, 1, 0, &reference);
		else if (how % 4 == 1)
			ba_actors_stop(&table, younger, BITACTOR_OK);
		else if (how % 4 == 2)
			ba_actors_monitor(&table, younger, younger);
		else
			ba_actors_unmonitor(&table, younger, younger);
	}
}

static void
test_assertions(void)
{
	SCENARIO("a walk is taken to its end, and only the newest spawn is undone") {
		GIVEN("a table, and children that use it wrongly");
		WHEN("they undo what is not the newest, or ask for more within a walk");
		THEN("an invariant fails each time");
		for (int how = 0; how < 12; how++) {
			fflush(stdout);
			pid_t child = fork();
			if (child == 0) {
				fclose(stderr);
				/* 2: the younger lives in what the ended left */
				open_table(how == 0 ? 2 : 8, 8, 1);
				uint32_t ended = spawn(0, 0);
				stop(ended);
				uint32_t elder = spawn(0, 0), younger = spawn(0, 0);
				misuse(how, elder, younger, ended);
				_exit(0);
			}
			int status = 0;
			CHECK(waitpid(child, &status, 0) == child);
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 99);
		}
	}
}

enum { TIES_WORDS = 8 * 6, MONITOR_WORDS = 6 * 3, LINE_WORDS = 6 };

/* Word number `word` of the ties, the monitors, the lines' references. */
static uint32_t *
word_of_table(uint32_t word)
{
	if (word < TIES_WORDS)
		return &table.ties[1].supervisor + word;
	if (word < TIES_WORDS + MONITOR_WORDS)
		return &table.monitors[1].watcher + (word - TIES_WORDS);
	return &ba_actors_line(&table, word - TIES_WORDS - MONITOR_WORDS + 1)->reference;
}

static void
fill_table(void)
{
	open_table(6, 8, 3);
	uint32_t a = spawn(0, 0), b = spawn(0, a), c = spawn(0, a);
	uint32_t d = spawn(0, c), e = spawn(0, c), f = spawn(0, 0);
	CHECK_EQ(ba_actors_monitor(&table, a, d), BITACTOR_OK);
	CHECK_EQ(ba_actors_monitor(&table, b, d), BITACTOR_OK);
	stop(e);
	stop(f);
}

static bool
check_sees(uint32_t word, uint32_t change)
{
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		fclose(stderr);
		fill_table();
		*word_of_table(word) ^= change;
		ba_actors_check(&table);
		_exit(0);
	}
	int status = 0;
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status) == 99;
}

static void
test_check_sees(void)
{
	SCENARIO("the check of the table sees a word that is wrong") {
		GIVEN("a table with kin, monitors and two that have ended");
		WHEN("a word of the ties, the monitors or a line's reference changes");
		THEN("an invariant fails, but where nothing is said or another would do");
		for (uint32_t word = 0; word < TIES_WORDS + MONITOR_WORDS + LINE_WORDS; word++) {
			bool in_line = word >= TIES_WORDS + MONITOR_WORDS;
			/* of the ended, 5 and 6, only `newer` says anything; of the free
			 * monitor watcher, watched and next */
			bool silent = (word >= 32 && word < TIES_WORDS && word % 8 != 4) ||
			              word == 62 || word == 64 || word == 65;
			/* generations may be anything, indices not */
			bool low  = check_sees(word, in_line ? 1 : 3);
			bool high = check_sees(word, in_line ? 1u << 19 : 1u << 30);
			/* word 29, the newest of those who watch d: either of the ring may be */
			if (low != !(silent || word == 29) || high == silent)
				printf("  word %u: %d %d\n", word, low, high);
			CHECK_EQ(low, !(silent || word == 29));
			CHECK_EQ(high, !silent);
		}
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_bytes();
	test_lines();
	test_every_reference();
	test_undone_first_lives();
	test_used_block();
	test_generations();
	test_oldest_first();
	test_order_of_ends();
	test_watchers();
	test_depth(10000);
	test_depth(1000000);
	test_million();
	test_assertions();
	test_check_sees();
	test_against_model(seed);
	return bdd_close();
}
