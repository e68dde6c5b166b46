/* SPDX-License-Identifier: Apache-2.0 */
/* test_wake.c -- who wakes whom, step by step, with a host that only counts.
 *
 * What the machine does between the steps is in tests/stress/test_store_buffer.c.
 */
#include "../../../bitactor/src/internal/wake.h"
#include "../../engine_probe.h"

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* ---- a host that counts ---------------------------------------------- */

static ba_wake_t wake;

static struct host {
	uint64_t barriers, wakes, parks, deadline_ns;
	uint64_t refuses_from;   /* barriers that are done */
	bool     publish_inside; /* a producer publishes during the barrier, */
	bool     wake_inside;    /* or while the sleeper is in park */
	uint32_t asleep_in_park;
} host;

static bool
host_barrier(void *context)
{
	struct host *counts = context;
	if (counts->barriers++ >= counts->refuses_from)
		return false;
	if (counts->publish_inside)
		ba_wake_published(&wake);
	return true;
}

static void
host_park(void *context, uint64_t deadline_ns)
{
	struct host *counts = context;
	counts->parks++;
	counts->deadline_ns    = deadline_ns;
	counts->asleep_in_park = atomic_load(&wake.asleep);
	if (counts->wake_inside)
		ba_wake_published(&wake);
}

static void
host_wake(void *context)
{
	((struct host *)context)->wakes++;
}

static ba_barrier_t barrier;

static void
begin(bool with_barrier, uint64_t refuses_from)
{
	const ba_wake_host_t table = { &host, host_park, host_wake };
	host = (struct host){ .refuses_from = refuses_from };
	ba_barrier_init(&barrier, with_barrier ? host_barrier : NULL, &host);
	ba_wake_init(&wake, &barrier, &table);
}

/* ---- one step after the other ---------------------------------------- */

static void
test_choice(void)
{
	SCENARIO("how producers ask is chosen once") {
		GIVEN("hosts that do a barrier, refuse it, or have none");
		WHEN("each is looked at");
		THEN("producers exchange unless there is one; under ThreadSanitizer always");
		begin(true, UINT64_MAX);
		CHECK_EQ(wake.exchanges, BA_TSAN);
		begin(true, 0);
		CHECK_EQ(wake.exchanges, 1);
		CHECK(!ba_barrier_pass(&barrier));
		begin(false, 0);
		CHECK_EQ(wake.exchanges, 1);
		CHECK_EQ(host.barriers, 0);
		CHECK_EQ(_Alignof(ba_wake_t), BA_APART);
	}
}

static void
test_steps(bool with_barrier)
{
	SCENARIO(with_barrier ? "asleep, with a barrier" : "asleep, without a barrier") {
		GIVEN("one sleeper and a producer that publishes twice at each step");
		WHEN("nobody sleeps, it prepares, cancels, and sleeps");
		THEN("one wake for each time it was about to sleep or slept, and none else");
		begin(with_barrier, UINT64_MAX);
		uint64_t barriers = host.barriers, each = wake.exchanges ? 0 : 1;
		ba_wake_published(&wake);
		CHECK_EQ(host.wakes, 0);

		CHECK(ba_wake_prepare(&wake));
		CHECK_EQ(host.barriers - barriers, each);
		ba_wake_published(&wake);
		ba_wake_published(&wake);
		CHECK_EQ(host.wakes, 1);

		CHECK(ba_wake_prepare(&wake));
		ba_wake_cancel(&wake);
		ba_wake_published(&wake);
		CHECK_EQ(host.wakes, 1);

		CHECK(ba_wake_prepare(&wake));
		ba_wake_sleep(&wake, 1234567); /* nobody came: its deadline */
		CHECK_EQ(host.parks, 1);
		CHECK_EQ(host.deadline_ns, 1234567);
		CHECK_EQ(host.asleep_in_park, 1);
		ba_wake_published(&wake);
		CHECK_EQ(host.wakes, 1);

		CHECK(ba_wake_prepare(&wake));
		host.wake_inside = true;
		ba_wake_sleep(&wake, 1);
		CHECK_EQ(host.wakes, 2);
		ba_wake_published(&wake);
		CHECK_EQ(host.wakes, 2);
		CHECK_EQ(host.barriers - barriers, 4 * each);
	}
}

static void
test_barrier_comes_after(void)
{
	SCENARIO("the flag is up before the barrier") {
		GIVEN("a producer that publishes while the barrier is being passed");
		WHEN("the sleeper prepares");
		THEN("it is woken; a flag set later would have missed it");
		begin(true, UINT64_MAX);
		host.publish_inside = true;
		CHECK(ba_wake_prepare(&wake));
		CHECK_EQ(host.wakes, BA_TSAN ? 0 : 1);
		ba_wake_cancel(&wake);
	}
}

static void
test_refused(void)
{
	SCENARIO("a host that stops doing barriers") {
		GIVEN("a host whose second barrier fails");
		WHEN("the sleeper prepares");
		THEN("it is told not to sleep, and no producer takes it for asleep");
		begin(true, 1);
		CHECK_EQ(ba_wake_prepare(&wake), BA_TSAN);
		if (BA_TSAN) /* no barrier was ever asked for */
			ba_wake_cancel(&wake);
		ba_wake_published(&wake);
		CHECK_EQ(host.wakes, 0);
		CHECK_EQ(atomic_load(&wake.asleep), 0);
	}
}

/* ---- against one bit ------------------------------------------------- */

static void
test_model(uint64_t seed, bool with_barrier)
{
	SCENARIO("any order of steps is one bit") {
		GIVEN("a sleeper and producers");
		WHEN("a million steps are taken at random");
		THEN("a publish wakes exactly when the bit is up, and takes it down");
		uint64_t random = seed, wakes = 0, steps = probe_scale(1000000), wrong = 0;
		bool up = false;
		begin(with_barrier, UINT64_MAX);
		for (uint64_t i = 0; i < steps; i++) {
			switch (probe_random(&random) % 6) {
			case 0:
				wrong += !ba_wake_prepare(&wake);
				up = true;
				break;
			case 1:
				ba_wake_cancel(&wake);
				up = false;
				break;
			case 2:
				host.wake_inside = i % 2 == 0;
				wakes += up && host.wake_inside;
				ba_wake_sleep(&wake, i);
				up = false;
				break;
			default:
				ba_wake_published(&wake);
				wakes += up;
				up = false;
			}
			wrong += host.wakes != wakes;
		}
		CHECK_EQ(wrong, 0);
		CHECK(wakes > steps / 16);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_choice();
	test_steps(true);
	test_steps(false);
	test_barrier_comes_after();
	test_refused();
	test_model(seed, true);
	test_model(seed, false);
	return bdd_close();
}
