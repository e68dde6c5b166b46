/* SPDX-License-Identifier: Apache-2.0 */
/* test_no_allocation.c -- from init to destroy nobody asks for memory.
 *
 *      core, libc  -->  malloc, calloc, realloc, free, ...  -->  an arena of ours
 *                       mmap, munmap, mremap, brk, sbrk     -->  the system call
 *                              |
 *                              +-- counted while `watching`
 *
 * The program's own definitions take the place of libc's, for libc too, so what
 * a function of libc allocates on the core's behalf is counted as well.  That the
 * trap fires is shown first, by each of them once.
 */
#include "../../engine_probe.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#if PROBE_SANITIZED
int
main(void)
{
	printf("sanitizers bring an allocator of their own\n");
	return 77;
}
#else

/* ---- the trap -------------------------------------------------------- */

enum caught {
	MALLOC, CALLOC, REALLOC, FREE, ALIGNED, MMAP, MUNMAP, MREMAP, BRK, SBRK, CAUGHT
};

static _Atomic bool     watching;
static _Atomic unsigned caught[CAUGHT];

static void
count(enum caught what)
{
	if (atomic_load_explicit(&watching, memory_order_relaxed))
		atomic_fetch_add_explicit(&caught[what], 1, memory_order_relaxed);
}

/* Nothing is ever given back to the arena; the test asks for little. */
enum { ARENA_BYTES = 256 << 20, HEAD_BYTES = 16 };

static _Alignas(4096) unsigned char arena[ARENA_BYTES];
static _Atomic size_t arena_used;

static void *
arena_take(size_t alignment, size_t bytes)
{
	size_t all = bytes + alignment + HEAD_BYTES;
	if (bytes > ARENA_BYTES / 2)
		return NULL;
	size_t begin = atomic_fetch_add(&arena_used, (all + 15) / 16 * 16);
	if (begin + all > ARENA_BYTES)
		return NULL;
	size_t at = (begin + HEAD_BYTES + alignment - 1) / alignment * alignment;
	memcpy(&arena[at - HEAD_BYTES], &bytes, sizeof bytes); /* for realloc */
	return &arena[at];
}

#pragma GCC visibility push(default) /* libc must find them, too */
void *
malloc(size_t bytes)
{
	count(MALLOC);
	return arena_take(16, bytes);
}

void *
calloc(size_t n, size_t bytes)
{
	count(CALLOC);
	if (bytes != 0 && n > SIZE_MAX / bytes)
		return NULL;
	return arena_take(16, n * bytes); /* fresh from .bss: zero */
}

void *
realloc(void *old, size_t bytes)
{
	size_t had = 0;
	count(REALLOC);
	void *new = arena_take(16, bytes);
	if (old != NULL && new != NULL) {
		memcpy(&had, (unsigned char *)old - HEAD_BYTES, sizeof had);
		memcpy(new, old, had < bytes ? had : bytes);
	}
	return new;
}

void
free(void *memory)
{
	if (memory != NULL)
		count(FREE);
}

void *
aligned_alloc(size_t alignment, size_t bytes)
{
	count(ALIGNED);
	return arena_take(alignment < 16 ? 16 : alignment, bytes);
}

void *memalign(size_t alignment, size_t bytes);
void *
memalign(size_t alignment, size_t bytes)
{
	return aligned_alloc(alignment, bytes);
}

int
posix_memalign(void **memory, size_t alignment, size_t bytes)
{
	*memory = aligned_alloc(alignment, bytes);
	return *memory != NULL ? 0 : ENOMEM;
}

void *
mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	count(MMAP);
	return (void *)syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}

int
munmap(void *address, size_t bytes)
{
	count(MUNMAP);
	return (int)syscall(SYS_munmap, address, bytes);
}

void *
mremap(void *old, size_t old_bytes, size_t bytes, int flags, ...)
{
	count(MREMAP);
	return (void *)syscall(SYS_mremap, old, old_bytes, bytes, flags, NULL);
}

int
brk(void *address)
{
	count(BRK);
	return (uintptr_t)syscall(SYS_brk, address) >= (uintptr_t)address ? 0 : -1;
}

void *
sbrk(intptr_t more)
{
	count(SBRK);
	uintptr_t now = (uintptr_t)syscall(SYS_brk, NULL);
	return more == 0 ? (void *)now : (void *)-1;
}
#pragma GCC visibility pop

static void
watch(void)
{
	for (int i = 0; i < CAUGHT; i++)
		atomic_store(&caught[i], 0);
	atomic_store(&watching, true);
}

/* How often anybody asked for memory meanwhile. */
static unsigned
watched(void)
{
	unsigned all = 0;
	atomic_store(&watching, false);
	for (int i = 0; i < CAUGHT; i++)
		all += atomic_load(&caught[i]);
	return all;
}

static void
test_trap(void)
{
	SCENARIO("the trap fires") {
		GIVEN("the ten calls that get or give back memory, and two of libc that use them");
		WHEN("each is made once");
		THEN("each is counted; and nothing is when nobody watches");
		void *volatile memory;
		void *(*volatile resize)(void *, size_t) = realloc;
		watch();
		memory = malloc(10);
		memory = resize(memory, 20);
		free(memory);
		memory = calloc(1, 1);
		memory = aligned_alloc(64, 64);
		memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(memory != MAP_FAILED);
		memory = mremap(memory, 4096, 8192, MREMAP_MAYMOVE);
		CHECK(memory != MAP_FAILED);
		CHECK_EQ(munmap(memory, 8192), 0);
		CHECK_EQ(brk(sbrk(0)), 0);
		CHECK_EQ(watched(), CAUGHT);
		for (int i = 0; i < CAUGHT; i++)
			CHECK_EQ(atomic_load(&caught[i]), 1);
		watch();
		char *text = strdup("libc's own calls");
		FILE *file = fopen("/dev/null", "r");
		memory = text;
		CHECK(watched() >= 2);
		if (file != NULL)
			fclose(file);
		free(memory);
		memory = malloc(1);
		CHECK(watched() >= 2); /* the two above and none later */
		CHECK_EQ(atomic_load(&caught[FREE]), 0);
	}
}

/* ---- what is watched ------------------------------------------------- */

enum { KINDS = 8, FIBER = 5, AWAITED = 6, SPARE = 7, STACK_BYTES = 65536, FIBERS = 4 };

static struct world {
	uint8_t  last_segment[BITACTOR_SEGMENT_BYTES]; /* the memory sink */
	uint64_t sink_calls, outputs, dispatched;
	uint64_t done[8]; /* operations, by kind */
} world;

static bitactor_status_t
take(void *context, uint64_t segment, const uint8_t *bytes, uint32_t from, uint32_t to,
     bool sealed)
{
	struct world *into = context;
	(void)segment, (void)sealed;
	memcpy(into->last_segment + from, bytes + from, to - from);
	into->sink_calls++;
	return BITACTOR_OK;
}

static void
deliver(void *context, uint32_t port, const void *bytes, size_t byte_count)
{
	(void)port, (void)bytes, (void)byte_count;
	((struct world *)context)->outputs++;
}

static bitactor_status_t
work(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t more = { .kind    = (uint16_t)(signal->payload % 9),
		                   .payload = signal->payload / 9 };
	struct world *in = state;
	in->dispatched++;
	bitactor_turn_result(turn, bitactor_random(turn) + bitactor_turn_now_ns(turn));
	bitactor_touched(turn, in, 8);
	if (signal->payload % 3 == 0 && signal->payload > 0)
		(void)bitactor_emit(turn, &more);
	if (signal->payload % 5 == 0)
		(void)bitactor_emit_data(turn, &more, in->last_segment, signal->payload % 64);
	if (signal->payload % 4 == 0)
		(void)bitactor_output(turn, 1, in->last_segment, signal->payload % 300);
	return signal->payload % 13 == 0 ? BITACTOR_ERROR : BITACTOR_OK;
}

static bitactor_status_t
work_slowly(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	uint64_t payload = signal->payload;
	(void)state;
	if (payload % 2 == 0)
		(void)bitactor_yield(turn);
	if (payload % 3 == 0)
		(void)bitactor_await(turn, AWAITED, &answer);
	return BITACTOR_OK;
}

static void
look(bitactor_engine_t *engine, uint64_t chance)
{
	bitactor_stats_t      stats;
	bitactor_kind_stats_t kind;
	bitactor_clock_info_t clock;
	bitactor_build_info_t build;
	const uint8_t *bytes;
	uint64_t counts, segment;
	uint32_t used;
	(void)bitactor_stats(engine, &stats);
	(void)bitactor_kind_stats(engine, (uint16_t)(chance % KINDS), &kind);
	(void)bitactor_latency(engine, 990000, &counts, &segment);
	(void)bitactor_clock_info(engine, &clock);
	(void)bitactor_counts_to_ns(engine, chance);
	(void)bitactor_pending_count(engine);
	(void)bitactor_telemetry_segment(engine, 0, &bytes);
	(void)bitactor_telemetry_last_gasp(engine, &segment, &used);
	if (chance % 64 == 0) {
		(void)bitactor_telemetry_check(engine, NULL, NULL);
		bitactor_build_info(&build);
	}
}

static bitactor_signal_t
any_signal(uint64_t chance)
{
	bitactor_signal_t signal = { .kind = (uint16_t)(chance % (KINDS + 1)),
		                     .payload = chance >> 40, .id = (uint32_t)chance & 1 };
	if (signal.kind == KINDS && chance % 5 == 0)
		signal.reserved = 1;
	return signal;
}

static void
operate(bitactor_engine_t *engine, uint64_t *random)
{
	uint64_t chance = probe_random(random), way = chance >> 60 & 7;
	bitactor_signal_t signals[3] = { any_signal(chance), any_signal(chance >> 3),
		                         any_signal(chance >> 5) };
	world.done[way]++;
	switch (way) {
	case 0:
		(void)bitactor_enqueue_many(engine, signals, 3, NULL);
		break;
	case 1:
		(void)bitactor_enqueue_data(engine, signals, world.last_segment, chance % 66);
		break;
	case 2:
		(void)bitactor_drain(engine, 1 + chance % 100, NULL);
		break;
	case 3:
		(void)bitactor_tick(engine, signals, NULL);
		break;
	case 4:
		look(engine, chance >> 8);
		break;
	case 5:
		if (chance % 2 == 0)
			(void)bitactor_register(engine, SPARE, work, &world);
		else
			(void)bitactor_unregister(engine, SPARE);
		break;
	case 6:
		if (chance % 2 == 0)
			(void)bitactor_telemetry_flush(engine);
		else
			(void)bitactor_telemetry_note(engine, BITACTOR_RECORD_STATS, "note", 4);
		break;
	default:
		(void)bitactor_enqueue(engine, signals);
	}
}

static void
bind(bitactor_engine_t *engine)
{
	for (uint16_t kind = 0; kind < FIBER; kind++) {
		bitactor_handler_t handler = { .fn = work, .state = &world, .kind = kind,
			                       .state_bytes = sizeof world };
		CHECK_EQ(bitactor_register_handler(engine, &handler), BITACTOR_OK);
	}
	bitactor_handler_t fiber = { .fn = work_slowly, .kind = FIBER,
		                     .flags = BITACTOR_HANDLER_FIBER };
	CHECK_EQ(bitactor_register_handler(engine, &fiber), BITACTOR_OK);
}

/* ---- the proof ------------------------------------------------------- */

static probe_t probe; /* its blocks are taken before anybody watches */

static void
prepare(uint32_t fibers)
{
	static bitactor_outlet_t outlet = { .context = &world, .deliver = deliver };
	probe_config(&probe);
	probe.config.kinds  = KINDS;
	probe.config.outlet = &outlet;
	probe.config.fibers = fibers;
	probe.config.fiber_stack_bytes = STACK_BYTES;
	probe.sink        = (bitactor_sink_t){ .context = &world, .take = take };
	probe.config.sink = &probe.sink;
	probe.block_bytes = bitactor_engine_bytes(&probe.config);
	probe.block       = probe_block_take(probe.block_bytes);
	probe.stacks      = aligned_alloc(4096, bitactor_fibers_bytes(&probe.config) + 4096);
	memset(&world, 0, sizeof world);
}

static void
test_one_thread(uint64_t seed)
{
	SCENARIO("a million operations, and not one call for memory") {
		GIVEN("an engine's two blocks, and a trap around every way to get more");
		WHEN("it is made, does a million mixed operations, is stopped and destroyed");
		THEN("the trap has caught nothing");
		uint64_t operations = probe_scale(1000000), random = seed;
		prepare(FIBERS);
		fflush(stdout);
		watch();
		bitactor_status_t status = bitactor_engine_init(
		        probe.block, probe.block_bytes, &probe.config, &probe.engine);
		CHECK_EQ(status, BITACTOR_OK);
		status = bitactor_fibers_init(probe.engine, probe.stacks,
		                              bitactor_fibers_bytes(&probe.config));
		CHECK_EQ(status, BITACTOR_OK);
		bind(probe.engine);
		for (uint64_t i = 0; i < operations; i++)
			operate(probe.engine, &random);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_stop(probe.engine, true, 100, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_telemetry_close(probe.engine, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_destroy(probe.engine), BITACTOR_OK);
		CHECK_EQ(watched(), 0);

		for (int i = 0; i < 8; i++) /* it was not idle */
			CHECK(world.done[i] > operations / 10);
		CHECK(stats.dispatched > operations / 10);
		CHECK(stats.emitted > operations / 100);
		CHECK(stats.resumed > operations / 1000);
		CHECK(stats.failed > 0);
		CHECK(world.outputs > 0);
		CHECK(world.sink_calls > 0);
		probe_block_give(probe.block, probe.block_bytes);
	}
}

static _Atomic unsigned ready, finished;
static _Atomic bool     go, leave;

static void *
send_many(void *argument)
{
	uint64_t count_left = *(uint64_t *)argument, sent = 0;
	atomic_fetch_add(&ready, 1);
	while (!atomic_load(&go))
		sched_yield();
	while (sent < count_left) {
		bitactor_signal_t signal = { .kind = 1, .payload = sent };
		bitactor_status_t status =
		        sent % 3 == 0 ? bitactor_enqueue_data(probe.engine, &signal, "12345678", 8)
		                      : bitactor_enqueue(probe.engine, &signal);
		if (status != BITACTOR_OK)
			sched_yield();
		sent += status == BITACTOR_OK;
	}
	atomic_fetch_add(&finished, 1);
	while (!atomic_load(&leave)) /* ending a thread frees */
		sched_yield();
	return NULL;
}

static void
test_threads(void)
{
	enum { THREADS = 4 };
	SCENARIO("nor by other threads") {
		GIVEN("4 threads that exist already and have never called the engine");
		WHEN("each sends 25,000 signals while this one drains");
		THEN("the trap has caught nothing");
		pthread_t threads[THREADS];
		uint64_t  each = probe_scale(25000);
		prepare(0);
		CHECK_EQ(bitactor_engine_init(probe.block, probe.block_bytes, &probe.config,
		                              &probe.engine),
		         BITACTOR_OK);
		CHECK_EQ(bitactor_register(probe.engine, 1, work, &world), BITACTOR_OK);
		for (int i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, send_many, &each), 0);
		while (atomic_load(&ready) < THREADS)
			sched_yield();
		watch();
		atomic_store(&go, true);
		while (atomic_load(&finished) < THREADS || bitactor_pending_count(probe.engine) > 0)
			if (bitactor_drain(probe.engine, 100, NULL) != BITACTOR_OK)
				sched_yield();
		CHECK_EQ(watched(), 0);
		atomic_store(&leave, true);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		CHECK(probe_stats(probe.engine).dispatched >= THREADS * each);
		CHECK_EQ(bitactor_destroy(probe.engine), BITACTOR_OK);
		probe_block_give(probe.block, probe.block_bytes);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_trap();
	test_one_thread(seed);
	test_threads();
	return bdd_close();
}
#endif
