/* SPDX-License-Identifier: Apache-2.0 */
/* test_pool.c -- a block belongs to one taker at a time, and none gets lost. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../bitactor/src/internal/pool.h"
#include "../../engine_probe.h"

enum { MOST = 64, BLOCK_BYTES = 24, THREADS = 4 };

static _Alignas(8) uint8_t blocks[MOST * BLOCK_BYTES];
static _Atomic uint32_t next[MOST];
static ba_pool_t pool;

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	(void)file, (void)line, (void)what;
	_exit(99);
}

static void
test_all(uint32_t count)
{
	SCENARIO(count == 0 ? "a pool of nothing" : "every block can be had, once") {
		GIVEN("a pool of 0, 1 or 64 blocks");
		WHEN("all are taken, given back, and taken again");
		THEN("each comes once, aligned to 8, apart from the others; one more is refused");
		ba_pool_init(&pool, blocks, next, count, BLOCK_BYTES);
		for (int round = 0; round < 3; round++) {
			bool taken[MOST + 1] = { false };
			for (uint32_t i = 0; i < count; i++) {
				uint32_t block = ba_pool_take(&pool);
				CHECK(block >= 1 && block <= count);
				if (block < 1 || block > count)
					break;
				CHECK(!taken[block]);
				taken[block] = true;
				const uint8_t *bytes = ba_pool_block(&pool, block);
				CHECK(bytes == blocks + (block - 1) * BLOCK_BYTES);
				CHECK_EQ((uintptr_t)bytes % 8, 0);
			}
			CHECK_EQ(ba_pool_take(&pool), 0);
			CHECK_EQ(ba_pool_take(&pool), 0);
			for (uint32_t i = 1; i <= count; i++)
				ba_pool_give(&pool, round % 2 == 0 ? i : count + 1 - i);
		}
	}
}

static void
test_against_set(uint64_t seed)
{
	SCENARIO("the pool is a set") {
		GIVEN("64 blocks, and a set of those that are out");
		WHEN("a million are taken and given back at random");
		THEN("none comes that is out, and none is refused while one is in");
		uint64_t random = seed, steps = probe_scale(1000000);
		bool     out[MOST + 1] = { false };
		uint32_t held[MOST], count = 0;
		unsigned wrong = 0;
		ba_pool_init(&pool, blocks, next, MOST, BLOCK_BYTES);
		for (uint64_t i = 0; i < steps; i++) {
			uint64_t chance = probe_random(&random);
			if (chance % 2 == 0) {
				uint32_t block = ba_pool_take(&pool);
				wrong += (block == 0) != (count == MOST) || out[block];
				if (block == 0 || block > MOST)
					continue;
				out[block]    = true;
				held[count++] = block;
			} else if (count > 0) {
				uint32_t k = (uint32_t)(chance >> 8) % count;
				out[held[k]] = false;
				ba_pool_give(&pool, held[k]);
				held[k] = held[--count];
			}
		}
		CHECK_EQ(wrong, 0);
	}
}

/* ---- many threads ---------------------------------------------------- */

static _Atomic uint32_t owner[MOST + 1];
static uint64_t rounds;

static uint32_t
own(uint32_t block, uint32_t name)
{
	/* relaxed: the order of what is in a block is the pool's to give, see TSan */
	return atomic_exchange_explicit(&owner[block], name, memory_order_relaxed);
}

/* Hold up to three blocks, write a name into each, look that it stayed. */
static void *
take_and_give(void *argument)
{
	uint32_t name = (uint32_t)(uintptr_t)argument;
	uint64_t bad = 0, random = name;
	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t held[3], count = 0, wanted = 1 + (uint32_t)probe_random(&random) % 3;
		for (; count < wanted && (held[count] = ba_pool_take(&pool)) != 0; count++) {
			bad += own(held[count], name) != 0;
			uint64_t *words = (uint64_t *)(void *)ba_pool_block(&pool, held[count]);
			for (int k = 0; k < BLOCK_BYTES / 8; k++) /* TSan sees no short memset */
				words[k] = name;
		}
		if (i % 16 == 0)
			sched_yield();
		while (count-- > 0) {
			uint64_t *words = (uint64_t *)(void *)ba_pool_block(&pool, held[count]);
			for (int k = 0; k < BLOCK_BYTES / 8; k++)
				bad += words[k] != name;
			bad += own(held[count], 0) != name;
			ba_pool_give(&pool, held[count]);
		}
	}
	return (void *)(uintptr_t)bad;
}

static void
test_threads(uint32_t count)
{
	SCENARIO("nobody holds what another holds") {
		GIVEN(count < THREADS ? "3 blocks and 4 threads" : "16 blocks and 4 threads");
		WHEN("all take one to three and give them back, again and again (ABA)");
		THEN("no block has two owners, contents stay, and at the end all are in");
		pthread_t threads[THREADS];
		uint64_t  taken = 0;
		rounds = probe_scale(300000);
		ba_pool_init(&pool, blocks, next, count, BLOCK_BYTES);
		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK_EQ(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)),
			         0);
		for (int i = 0; i < THREADS; i++) {
			void *bad = NULL;
			pthread_join(threads[i], &bad);
			CHECK_EQ((uintptr_t)bad, 0);
		}
		while (ba_pool_take(&pool) != 0)
			taken++;
		CHECK_EQ(taken, count);
	}
}

/* The top was seen, then changed and changed back: its tag must tell. */
static void
test_tag(void)
{
	SCENARIO("a top that came back is not the same top") {
		GIVEN("a pool whose top word was read");
		WHEN("the block is taken and given back");
		THEN("the same block is on top and the word differs");
		ba_pool_init(&pool, blocks, next, 4, BLOCK_BYTES);
		uint64_t before = atomic_load(&pool.top);
		uint32_t block  = ba_pool_take(&pool);
		CHECK_EQ(block, (uint32_t)before);
		ba_pool_give(&pool, block);
		CHECK_EQ((uint32_t)atomic_load(&pool.top), block);
		CHECK(atomic_load(&pool.top) != before);
	}
}

static void
test_assertions(void)
{
	static const uint32_t bad[] = { 0, 5, UINT32_MAX };
	SCENARIO("giving back what is no block ends the process") {
		GIVEN("a pool of 4, and children that give back 0, 5 and 2^32 - 1");
		WHEN("they do, or ask for its address");
		THEN("an invariant fails each time");
		for (int i = 0; i < 6; i++) {
			fflush(stdout);
			pid_t child = fork();
			if (child == 0) {
				ba_pool_init(&pool, blocks, next, 4, BLOCK_BYTES);
				if (i < 3)
					ba_pool_give(&pool, bad[i]);
				else
					(void)*(volatile uint8_t *)ba_pool_block(&pool, bad[i - 3]);
				_exit(0);
			}
			int status = 0;
			CHECK(waitpid(child, &status, 0) == child);
			CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 99);
		}
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_all(0);
	test_all(1);
	test_all(MOST);
	test_tag();
	test_assertions();
	test_against_set(seed);
	test_threads(3);
	test_threads(16);
	return bdd_close();
}
