/* SPDX-License-Identifier: Apache-2.0 */
/* tasks.h -- fibers as dispatches that can wait; a part of bitactor.c alone.
 *
 *              start                        returns
 *      FREE ----------> RUNNING ----------------------> DONE -> FREE
 *                        |   ^
 *            await(kind) |   | a signal of that kind to the same actor
 *                        v   | (or CANCELLED, when the engine stops)
 *                       AWAITS
 *            yield       |   ^ RESUME comes up in the internal queue
 *                        v   |
 *                      YIELDED
 *
 * Every stretch between two waits is a dispatch of its own: it has a record, and
 * what it staged takes hold at the wait.  A kind that somebody awaits has
 * ba_fiber_deliver as its `fn`, so a dispatch of any other kind pays nothing.
 *
 *      block   head | tasks | guard stack | guard stack | ...
 *
 * Stacks grow down into a guard of 64 KiB (gcc inlines recursion over a guard of
 * 4 KiB: compile handlers with -fstack-clash-protection), or, where the host has
 * none, onto a canary that is looked at after each stretch.
 */
#ifndef BA_TASKS_H
#define BA_TASKS_H

#include <pthread.h>
#include <string.h>

#include "engine.h"
#include "fiber.h"

enum task_state { TASK_FREE, TASK_RUNNING, TASK_AWAITS, TASK_YIELDED, TASK_DONE };

enum {
	GUARD_BYTES  = 65536, /* address space only: its pages are never touched */
	CANARY_BYTES = 64
};
#define CANARY UINT64_C(0x6B61654C6B636174) /* at the stack's end where no guard can be had */

/* One fiber: a dispatch that can wait. */
typedef struct task {
	ba_fiber_t   fiber;
	ba_fibers_t *fibers;
	ba_entry_t  *entry; /* the kind that started it */
	void        *cell;  /* its state               */
	const bitactor_signal_t *signal;
	bitactor_signal_t       *answer; /* where an awaited signal goes */
	uint8_t    *stack_low;
	uint32_t    state;
	bitactor_status_t status; /* what its handler returned, or CANCELLED */
	uint32_t    actor;
	uint16_t    awaits;
	bool        guarded;
	uint32_t    next;         /* index + 1: of the next free one, or waiter */
	uint32_t    older, newer; /* index + 1: live ones in the order they were started */
} task_t;

struct ba_fibers {
	bitactor_engine_t *engine;
	ba_fiber_t home; /* the thread that runs turns */
	uintptr_t  home_thread;
	task_t    *current;
	task_t    *tasks;
	uint32_t   count;
	uint32_t   free, oldest, newest; /* index + 1 */
};

static size_t
round_up(size_t bytes, size_t to)
{
	return (bytes + to - 1) / to * to;
}

static size_t
fibers_head_bytes(uint32_t count)
{
	return round_up(round_up(sizeof(ba_fibers_t), 64) + count * sizeof(task_t), 4096);
}

size_t
bitactor_fibers_bytes(const bitactor_config_t *config)
{
	if (config == NULL || bitactor_engine_bytes(config) == 0 || config->fibers == 0)
		return 0;
	return fibers_head_bytes(config->fibers) +
	       (size_t)config->fibers * (GUARD_BYTES + config->fiber_stack_bytes);
}

static void
canary_set(uint8_t *stack_low)
{
	for (int i = 0; i < CANARY_BYTES; i += 8)
		memcpy(stack_low + i, &(uint64_t){ CANARY }, 8);
}

static bool
canary_is_whole(const uint8_t *stack_low)
{
	uint64_t word, difference = 0;
	for (int i = 0; i < CANARY_BYTES; i += 8) {
		memcpy(&word, stack_low + i, 8);
		difference |= word ^ CANARY;
	}
	return difference == 0;
}

bitactor_status_t
bitactor_fibers_init(bitactor_engine_t *engine, void *block, size_t bytes)
{
	if (engine == NULL || block == NULL || (uintptr_t)block % 4096 != 0)
		return BITACTOR_ERROR;
	if (!ba_engine_is_live(engine))
		return BITACTOR_CLOSED;
	size_t needed = bitactor_fibers_bytes(&engine->config);
	if (needed == 0 || bytes < needed || engine->fibers != NULL)
		return BITACTOR_ERROR;
	if (!ba_fiber_supported())
		return BITACTOR_UNSUPPORTED;

	ba_fibers_t *fibers = block;
	uint32_t     count  = engine->config.fibers;
	memset(block, 0, fibers_head_bytes(count));
	fibers->engine = engine;
	fibers->count  = count;
	fibers->tasks  = (task_t *)(void *)((uint8_t *)block + round_up(sizeof *fibers, 64));
	fibers->free   = 1;
	uint8_t *stack = (uint8_t *)block + fibers_head_bytes(count);
	for (uint32_t i = 0; i < count; i++) {
		task_t *task = &fibers->tasks[i];
		task->fibers  = fibers;
		task->next    = i + 1 < count ? i + 2 : 0;
		task->guarded =
			engine->host.protect != NULL &&
			engine->host.protect(engine->host.context, stack, GUARD_BYTES, true);
		task->stack_low = stack + GUARD_BYTES;
		if (!task->guarded)
			canary_set(task->stack_low);
		stack += GUARD_BYTES + engine->config.fiber_stack_bytes;
	}
	engine->fibers = fibers;
	return BITACTOR_OK;
}

static task_t *
task_at(const ba_fibers_t *fibers, uint32_t index_1)
{
	BA_ASSERT(index_1 >= 1);
	BA_ASSERT(index_1 <= fibers->count);
	return &fibers->tasks[index_1 - 1];
}

static uint32_t
task_index_1(const ba_fibers_t *fibers, const task_t *task)
{
	return (uint32_t)(task - fibers->tasks) + 1;
}

/* What a fiber runs. */
static ba_fiber_t *
task_main(void *argument)
{
	task_t      *task   = argument;
	ba_fibers_t *fibers = task->fibers;
	bitactor_engine_t *engine = fibers->engine;

	task->status = task->entry->own_fn(&engine->turn.handlers, task->signal,
	                                   task->cell);
	task->state = TASK_DONE;
	return &fibers->home;
}

static void
live_append(ba_fibers_t *fibers, task_t *task)
{
	uint32_t index_1 = task_index_1(fibers, task);
	task->older = fibers->newest;
	task->newer = 0;
	if (fibers->newest != 0)
		task_at(fibers, fibers->newest)->newer = index_1;
	else
		fibers->oldest = index_1;
	fibers->newest = index_1;
}

static void
live_remove(ba_fibers_t *fibers, task_t *task)
{
	if (task->older != 0)
		task_at(fibers, task->older)->newer = task->newer;
	else
		fibers->oldest = task->newer;
	if (task->newer != 0)
		task_at(fibers, task->newer)->older = task->older;
	else
		fibers->newest = task->older;
}

/* Make a fiber the one that runs: the dispatch loop switches to it when the door
 * has returned, and comes to ba_fiber_left when the fiber waits or ends. */
static bitactor_status_t
task_enter(bitactor_engine_t *engine, task_t *task)
{
	ba_fibers_t *fibers = engine->fibers;

	engine->turn.cell       = task->entry;
	engine->turn.cell_state = task->cell;
	engine->turn.dirty |= BA_DIRTY_FIBER;
	task->state     = TASK_RUNNING;
	fibers->current = task;
	engine->turn.enter = &task->fiber;
	engine->turn.home  = &fibers->home;
	return BITACTOR_OK;
}

/* The status of the stretch that is over: the handler's, or OK when it waits. */
bitactor_status_t
ba_fiber_left(bitactor_engine_t *engine)
{
	ba_fibers_t *fibers = engine->fibers;
	task_t      *task   = fibers->current;
	fibers->current = NULL;
	if (!task->guarded) /* the neighbour below may be hurt: no going on */
		BA_ASSERT(canary_is_whole(task->stack_low));
	if (task->state != TASK_DONE)
		return BITACTOR_OK;

	live_remove(fibers, task);
	ba_fiber_release(&task->fiber);
	task->state  = TASK_FREE;
	task->next   = fibers->free;
	fibers->free = task_index_1(fibers, task);
	return task->status;
}

/* Fibers stay on the thread that first ran one. */
static bitactor_status_t
home_check(ba_fibers_t *fibers)
{
	uintptr_t self = (uintptr_t)pthread_self();
	if (fibers->home_thread == 0) {
		fibers->home_thread = self;
		ba_fiber_adopt_thread(&fibers->home);
	}
	return fibers->home_thread == self ? BITACTOR_OK : BITACTOR_WRONG_THREAD;
}

static bool
fibers_are_home(const ba_fibers_t *fibers)
{
	return fibers->home_thread == 0 || fibers->home_thread == (uintptr_t)pthread_self();
}

bitactor_status_t
ba_fiber_start(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_engine_t *engine = ba_turn_engine(turn);
	ba_fibers_t       *fibers = engine->fibers;
	bitactor_status_t  status = home_check(fibers);
	if (status != BITACTOR_OK)
		return status;
	if (fibers->free == 0)
		return BITACTOR_FULL;

	task_t *task = task_at(fibers, fibers->free);
	fibers->free = task->next;
	task->entry  = engine->turn.at->entry;
	task->cell   = state;
	task->signal = signal;
	task->actor  = signal->actor;
	live_append(fibers, task);
	ba_fiber_prepare(&task->fiber, task->stack_low + CANARY_BYTES,
	                 engine->config.fiber_stack_bytes - CANARY_BYTES, task_main, task);
	return task_enter(engine, task);
}

/* Take a fiber out of the list of those that await its kind. */
static void
waiter_remove(ba_fibers_t *fibers, task_t *task)
{
	ba_entry_t *entry   = ba_entry_of(fibers->engine, task->awaits);
	uint32_t    index_1 = task_index_1(fibers, task);
	uint32_t   *link    = &entry->first_waiter;

	while (*link != index_1)
		link = &task_at(fibers, *link)->next;
	*link = task->next;
	ba_entry_refresh(entry);
}

static task_t *
waiter_find(const bitactor_engine_t *engine, const ba_entry_t *entry, uint32_t actor)
{
	for (uint32_t i = entry->first_waiter; i != 0;) {
		task_t *task = task_at(engine->fibers, i);
		if (task->actor == actor)
			return task;
		i = task->next;
	}
	return NULL;
}

bool
ba_fiber_awaits(const bitactor_engine_t *engine, const ba_entry_t *entry, uint32_t actor)
{
	return waiter_find(engine, entry, actor) != NULL;
}

/* The awaited signal goes to the fiber that has waited longest. */
bitactor_status_t
ba_fiber_deliver(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	bitactor_engine_t *engine = ba_turn_engine(turn);
	bitactor_status_t  status = home_check(engine->fibers);
	if (status != BITACTOR_OK)
		return status;
	task_t *task = waiter_find(engine, engine->turn.at->entry, signal->actor);
	BA_ASSERT(task != NULL); /* the dispatch asked ba_fiber_awaits */
	waiter_remove(engine->fibers, task);
	*task->answer = *signal;
	task->status  = BITACTOR_OK;
	return task_enter(engine, task);
}

/* RESUME: a fiber that yielded goes on, or one that awaits is cancelled. */
bitactor_status_t
ba_fiber_resume(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)state;
	bitactor_engine_t *engine = ba_turn_engine(turn);
	ba_count_set(&engine->resumes_waiting, ba_count_get(&engine->resumes_waiting) - 1);
	ba_count_add(&engine->resumed, 1);
	bitactor_status_t status = home_check(engine->fibers);
	if (status != BITACTOR_OK)
		return status;

	task_t *task = task_at(engine->fibers, (uint32_t)signal->payload + 1);
	task->status = BITACTOR_OK;
	if (task->state == TASK_AWAITS) {
		waiter_remove(engine->fibers, task);
		task->status = BITACTOR_CANCELLED;
	}
	return task_enter(engine, task);
}

/* Back to the turn; returns when somebody runs this fiber again. */
static inline __attribute__((always_inline)) bitactor_status_t
task_wait(bitactor_engine_t *engine, task_t *task, enum task_state state)
{
	task->state = state;
	ba_fiber_switch(&task->fiber, &engine->fibers->home);
	return task->status;
}

static bitactor_signal_t
resume_signal(const ba_fibers_t *fibers, const task_t *task)
{
	return (bitactor_signal_t){ .kind    = BITACTOR_RECORD_RESUME,
		                    .actor   = task->actor,
		                    .payload = task_index_1(fibers, task) - 1 };
}

bitactor_status_t
ba_fiber_yield(bitactor_turn_t *turn)
{
	bitactor_engine_t *engine = ba_turn_engine(turn);
	ba_fibers_t       *fibers = engine->fibers;
	if (fibers == NULL || fibers->current == NULL)
		return BITACTOR_UNSUPPORTED;
	task_t           *task   = fibers->current;
	bitactor_status_t status =
	        ba_emit_stage_resume(engine, task->actor, task_index_1(fibers, task) - 1);
	if (status != BITACTOR_OK)
		return status;
	ba_effect_word(engine, BA_EFFECT_YIELD);
	return task_wait(engine, task, TASK_YIELDED);
}

bitactor_status_t
ba_fiber_await(bitactor_turn_t *turn, uint16_t kind, bitactor_signal_t *signal)
{
	bitactor_engine_t *engine = ba_turn_engine(turn);
	ba_fibers_t       *fibers = engine->fibers;
	if (fibers == NULL || fibers->current == NULL)
		return BITACTOR_UNSUPPORTED;
	if (signal == NULL || kind >= engine->kinds)
		return BITACTOR_ERROR;
	task_t     *task  = fibers->current;
	ba_entry_t *entry = ba_entry_of(engine, kind);
	uint32_t   *link  = &entry->first_waiter;

	while (*link != 0)
		link = &task_at(fibers, *link)->next;
	*link        = task_index_1(fibers, task);
	task->next   = 0;
	task->awaits = kind;
	task->answer = signal;
	ba_entry_refresh(entry);
	ba_effect_word(engine, BA_EFFECT_AWAIT | (uint64_t)kind << 32);
	return task_wait(engine, task, TASK_AWAITS);
}

/* Give back what the fibers' block was changed to. */
static void
fibers_end(bitactor_engine_t *engine)
{
	ba_fibers_t *fibers = engine->fibers;
	if (fibers == NULL)
		return;
	for (uint32_t i = 0; i < fibers->count; i++) {
		task_t *task = &fibers->tasks[i];
		if (task->state != TASK_FREE)
			ba_fiber_release(&task->fiber);
		if (task->guarded)
			(void)engine->host.protect(engine->host.context,
			                           task->stack_low - GUARD_BYTES, GUARD_BYTES,
			                           false);
	}
	engine->fibers = NULL;
}

/* Wake every fiber that awaits with CANCELLED, in the order they were started.
 * False: the internal queue had no room for all. */
static bool
cancel_waiters(bitactor_engine_t *engine)
{
	ba_fibers_t *fibers = engine->fibers;
	if (fibers == NULL)
		return true;
	for (uint32_t i = fibers->oldest; i != 0; i = task_at(fibers, i)->newer) {
		const task_t *task = task_at(fibers, i);
		bitactor_signal_t signal = resume_signal(fibers, task);
		if (task->state == TASK_AWAITS && !ba_emit_now(engine, &signal))
			return false;
	}
	return true;
}

/* Does a fiber that this kind started still run, or wait? */
bool
ba_fiber_lives(const bitactor_engine_t *engine, const ba_entry_t *entry)
{
	const ba_fibers_t *fibers = engine->fibers;
	for (uint32_t i = fibers != NULL ? fibers->oldest : 0; i != 0;) {
		const task_t *task = task_at(fibers, i);
		if (task->entry == entry)
			return true;
		i = task->newer;
	}
	return false;
}

static bool
someone_awaits(const bitactor_engine_t *engine)
{
	const ba_fibers_t *fibers = engine->fibers;
	for (uint32_t i = fibers != NULL ? fibers->oldest : 0; i != 0;) {
		const task_t *task = task_at(fibers, i);
		if (task->state == TASK_AWAITS)
			return true;
		i = task->newer;
	}
	return false;
}

#endif
