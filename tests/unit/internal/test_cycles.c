/* SPDX-License-Identifier: Apache-2.0 */
/* test_cycles.c -- conversions against a 128-bit reference, and the counter. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdlib.h>
#include <string.h>

#include "../../../bitactor/src/internal/cycles.h"
#include "../../bdd.h"

static const uint64_t frequencies[] = { 1, 24000000, 62500000, 999999937, 1000000000, 2596121333,
	                                3000000000, 18446744074, UINT64_C(1) << 40,
	                                UINT64_MAX };
static const uint64_t counts_of_interest[] = { 0, 1, 2, 107, 108, 109, 999999999, 1000000000,
	                                       UINT32_MAX, UINT64_C(1) << 52, INT64_MAX,
	                                       UINT64_MAX };
#define EACH(i, array) size_t i = 0; i < sizeof(array) / sizeof(array)[0]; i++

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

/* value * by / per with the compiler's own 128-bit division. */
static uint64_t
reference(uint64_t value, uint64_t by, uint64_t per, bool round_up)
{
	ba_u128_t product = (ba_u128_t)value * by;
	ba_u128_t result = product / per + (round_up && product % per != 0 ? 1 : 0);
	return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

static void
test_conversions(uint64_t seed)
{
	SCENARIO("a conversion is exact") {
		GIVEN("frequencies from 1 Hz to 2^64 - 1 and counts from 0 to 2^64 - 1");
		THEN("every result is that of 128-bit arithmetic, or UINT64_MAX if too large");
		for (EACH(f, frequencies)) {
			for (EACH(c, counts_of_interest)) {
				uint64_t hz = frequencies[f], n = counts_of_interest[c];
				CHECK(ba_counts_to_ns(n, hz) ==
				      reference(n, BA_NS_PER_S, hz, false));
				CHECK(ba_ns_to_counts(n, hz) ==
				      reference(n, hz, BA_NS_PER_S, false));
				CHECK(ba_counts_to_ticks_begun(n, hz, 24000000) ==
				      reference(n, 24000000, hz, true));
				CHECK(ba_ticks_to_counts(n, hz, 24000000) ==
				      reference(n, hz, 24000000, false));
			}
		}
	}
	SCENARIO("a conversion of any three numbers is exact") {
		GIVEN("200000 random triples of random lengths");
		THEN("both roundings are those of 128-bit arithmetic");
		uint64_t random = seed;
		for (int i = 0; i < 200000 && bdd_broken == 0; i++) {
			uint64_t value = random_next(&random) >> random_next(&random) % 64;
			uint64_t by = random_next(&random) >> random_next(&random) % 64;
			uint64_t per = (random_next(&random) >> random_next(&random) % 64) | 1;
			CHECK(ba_scale(value, by, per, false) == reference(value, by, per, false));
			CHECK(ba_scale(value, by, per, true) == reference(value, by, per, true));
		}
	}
	SCENARIO("292 years of counts at 3 GHz are exact to 1 ns") {
		GIVEN("2^63 - 1 counts");
		THEN("they are 3074457345618258602 ns");
		CHECK(ba_counts_to_ns(INT64_MAX, 3000000000) == UINT64_C(3074457345618258602));
	}
}

static void
test_ticks(uint64_t seed)
{
	SCENARIO("a tick begun is a tick spent") {
		GIVEN("a counter of 2.4 GHz, 100 counts a tick of 24 MHz");
		THEN("0, 1, 100, 101 counts are 0, 1, 1, 2 ticks");
		CHECK_EQ(ba_counts_to_ticks_begun(0, 2400000000, 24000000), 0);
		CHECK_EQ(ba_counts_to_ticks_begun(1, 2400000000, 24000000), 1);
		CHECK_EQ(ba_counts_to_ticks_begun(100, 2400000000, 24000000), 1);
		CHECK_EQ(ba_counts_to_ticks_begun(101, 2400000000, 24000000), 2);
		CHECK_EQ(ba_ticks_to_counts(8, 2400000000, 24000000), 800);
		CHECK(ba_counts_per_tick_q32(2400000000, 24000000) == UINT64_C(100) << 32);
	}
	SCENARIO("over budget in counts is over budget in ticks") {
		GIVEN("random frequencies and budgets");
		WHEN("counts lie at the limit and one beyond");
		THEN("the ticks begun are within the budget, and one over it");
		uint64_t random = seed;
		for (int i = 0; i < 20000 && bdd_broken == 0; i++) {
			uint64_t hz = 24000000 + random_next(&random) % 5000000000;
			uint64_t budget = random_next(&random) % 100000;
			uint64_t limit = ba_ticks_to_counts(budget, hz, 24000000);
			CHECK(ba_counts_to_ticks_begun(limit, hz, 24000000) <= budget);
			CHECK_EQ(ba_counts_to_ticks_begun(limit + 1, hz, 24000000), budget + 1);
		}
	}
	SCENARIO("the same 50 us get the same verdict on every counter") {
		GIVEN("counters of 24 MHz, 62.5 MHz, 1 GHz and 3 GHz, and budgets around 50 us");
		WHEN("each counts 50 us");
		THEN("1200 ticks are enough and 1199 are not");
		for (EACH(f, frequencies)) {
			uint64_t hz = frequencies[f];
			if (hz < 24000000 || hz % 1000000 != 0)
				continue;
			uint64_t counts = ba_ns_to_counts(50000, hz);
			CHECK_EQ(ba_counts_to_ticks_begun(counts, hz, 24000000), 1200);
			CHECK(counts <= ba_ticks_to_counts(1200, hz, 24000000));
			CHECK(counts > ba_ticks_to_counts(1199, hz, 24000000));
		}
	}
	SCENARIO("an unknown frequency divides nothing by zero") {
		GIVEN("hz 0");
		THEN("every conversion answers 0");
		CHECK_EQ(ba_counts_to_ns(1000, 0), 0);
		CHECK_EQ(ba_ns_to_counts(1000, 0), 0);
		CHECK_EQ(ba_counts_to_ticks_begun(1000, 0, 24000000), 0);
		CHECK_EQ(ba_ticks_to_counts(1000, 0, 24000000), 0);
		CHECK_EQ(ba_ticks_to_counts(1000, 24000000, 0), 0);
		CHECK_EQ(ba_counts_per_tick_q32(0, 0), 0);
	}
}

static void
test_backward(void)
{
	SCENARIO("a counter that steps back costs nobody anything") {
		GIVEN("a reading, and one taken 1.6 s earlier by another core's counter");
		WHEN("the difference is taken");
		THEN("it is 0 and counted, and a forward one is not");
		uint64_t back = 0;
		CHECK_EQ(ba_counts_since(UINT64_C(9000000000), UINT64_C(5000000000), &back), 0);
		CHECK_EQ(back, 1);
		CHECK_EQ(ba_counts_since(5, 9, &back), 4);
		CHECK_EQ(ba_counts_since(UINT64_MAX - 1, 3, &back), 5);
		CHECK_EQ(ba_counts_since(7, 7, &back), 0);
		CHECK_EQ(back, 1);
	}
	SCENARIO("a stated frequency is believed only if it is about right") {
		GIVEN("24 MHz stated, or nothing");
		THEN("within 1 % it is taken, else what was measured");
		CHECK_EQ(ba_cycles_choose_hz(24000000, 24010000), 24000000);
		CHECK_EQ(ba_cycles_choose_hz(24000000, 23990000), 24000000);
		CHECK_EQ(ba_cycles_choose_hz(24000000, 62500000), 62500000);
		CHECK_EQ(ba_cycles_choose_hz(0, 62500000), 62500000);
		CHECK_EQ(ba_cycles_choose_hz(0, 0), 0);
	}
}

static uint64_t
raw_ns(void) /* not the code under test */
{
	struct timespec t;
	if (clock_gettime(CLOCK_MONOTONIC_RAW, &t) != 0)
		abort();
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Frequency over 50 ms of CLOCK_MONOTONIC_RAW, the least disturbed of three. */
static uint64_t
check_hz(const ba_cycles_t *cycles, uint64_t nearest_to)
{
	uint64_t best = 0, best_apart = UINT64_MAX;
	for (int try = 0; try < 3; try++) {
		uint64_t ns0 = raw_ns(), c0 = ba_cycles_read(cycles), ns1;
		while ((ns1 = raw_ns()) - ns0 < 50000000)
			continue;
		uint64_t c1 = ba_cycles_read(cycles);
		uint64_t hz = ba_scale(c1 - c0, BA_NS_PER_S, ns1 - ns0, false);
		uint64_t apart = hz > nearest_to ? hz - nearest_to : nearest_to - hz;
		if (apart < best_apart) {
			best = hz;
			best_apart = apart;
		}
	}
	return best;
}

static void
test_counter(void)
{
	ba_cycles_t cycles;
	ba_cycles_calibrate(&cycles);
	printf("%s, %" PRIu64 " Hz, %" PRIu64 " counts a reading, %s\n", cycles.name, cycles.hz,
	       cycles.read_counts, cycles.usable ? "usable" : "not usable");

	SCENARIO("calibration finds the frequency") {
		GIVEN("1 ms of measuring");
		WHEN("it is compared with 50 ms");
		THEN("they are within 5 % of each other, and the cost of a reading is sane");
		uint64_t hz = check_hz(&cycles, cycles.hz);
		uint64_t apart = hz > cycles.hz ? hz - cycles.hz : cycles.hz - hz;
		CHECK(cycles.hz >= 1000000);
		CHECK(apart <= cycles.hz / 20);
		CHECK(ba_counts_to_ns(cycles.read_counts, cycles.hz) < 100000);
		CHECK(cycles.name != NULL);
		CHECK(strcmp(cycles.name, cycles.usable ? ba_cycles_name() : "clock_gettime") == 0);
		CHECK(cycles.usable || cycles.hz == BA_NS_PER_S);
	}
	SCENARIO("without a usable counter the clock counts nanoseconds") {
		GIVEN("a counter marked as not usable");
		WHEN("it is read around 50 ms");
		THEN("about 50,000,000 counts have passed");
		ba_cycles_t fallback = { "clock_gettime", BA_NS_PER_S, 0, false };
		uint64_t hz = check_hz(&fallback, BA_NS_PER_S);
		CHECK(hz > BA_NS_PER_S / 20 * 19);
		CHECK(hz < BA_NS_PER_S / 20 * 21);
	}
	SCENARIO("on one thread the counter does not go back") {
		GIVEN("100000 readings in a row");
		THEN("none is before the last");
		uint64_t back = 0, last = ba_cycles_read(&cycles);
		for (int i = 0; i < 100000; i++) {
			uint64_t now = ba_cycles_read(&cycles);
			(void)ba_counts_since(last, now, &back);
			last = now;
		}
		CHECK_EQ(back, 0);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = 20251125;
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%" PRIu64 "\n", seed);

	test_conversions(seed);
	test_ticks(seed);
	test_backward();
	test_counter();
	return bdd_close();
}
