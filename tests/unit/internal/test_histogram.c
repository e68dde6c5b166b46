/* SPDX-License-Identifier: Apache-2.0 */
/* test_histogram.c -- quantiles against the sorted samples themselves. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../../../bitactor/src/internal/histogram.h"
#include "../../bdd.h"

enum { SAMPLES = 20000 };

static ba_hist_t       hist;
static ba_hist_small_t small;
static uint64_t        samples[SAMPLES];

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

static uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15); /* splitmix64, S. Vigna */
	z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
	return z ^ z >> 31;
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void
test_buckets(uint32_t sub_bits, uint32_t buckets, uint64_t top)
{
	SCENARIO("buckets cover the numbers once, without gap") {
		GIVEN(sub_bits == 5 ? "1920 buckets, 32 a power of two"
		                    : "64 buckets, 2 a power of two");
		WHEN("they are walked in order");
		THEN("each begins where the last ended, both ends map to it, the last ends at "
		     "the top, and none is wider than its share");
		uint64_t next = 0;
		for (uint32_t i = 0; i < buckets; i++) {
			uint64_t low = ba_hist_lowest(i, sub_bits);
			uint64_t high = ba_hist_highest(i, sub_bits);
			CHECK(low == next);
			CHECK(high >= low);
			CHECK(high - low <= low >> sub_bits);
			CHECK_EQ(ba_hist_index(low, sub_bits), i);
			CHECK_EQ(ba_hist_index(high, sub_bits), i);
			next = high + 1;
		}
		CHECK(next == top);
	}
}

/* 0: one power of two; 1: handler times; 2: all of 64 bits; 3: all the same */
static uint64_t
draw(int shape, uint64_t *random)
{
	uint64_t r = random_next(random);
	switch (shape) {
	case 0:  return r % 256;
	case 1:  return 20 + r % 100 + (r % 97 == 0 ? r >> 40 : 0);
	case 2:  return r >> (random_next(random) % 64);
	default: return 1000003;
	}
}

static void
check_quantiles(void)
{
	static const uint32_t ppms[] = { 0, 1, 1000, 250000, 500000, 900000, 990000,
		                         999000, 999900, 999999, 1000000, 2000000 };
	uint64_t max = samples[SAMPLES - 1];
	for (size_t i = 0; i < sizeof ppms / sizeof *ppms; i++) {
		uint64_t ppm  = ppms[i] > 1000000 ? 1000000 : ppms[i];
		uint64_t rank = (SAMPLES * ppm + 999999) / 1000000; /* from 1 */
		uint64_t exact = samples[rank == 0 ? 0 : rank - 1];

		uint64_t answer = ba_hist_quantile(&hist, ppms[i]);
		CHECK(answer >= exact);
		CHECK(answer - exact <= exact / 32);
		CHECK(answer <= max);

		answer = ba_hist_small_quantile(&small, ppms[i], max);
		CHECK(answer >= exact);
		CHECK(answer <= max);
		if (exact < UINT32_MAX / 2)
			CHECK(answer - exact <= exact / 2);
	}
	CHECK(ba_hist_quantile(&hist, 1000000) == max);
	CHECK(ba_hist_max(&hist) == max);
}

static void
test_quantiles(uint64_t seed)
{
	uint64_t random = seed;
	for (int shape = 0; shape < 4; shape++) {
		SCENARIO("a quantile is an upper bound, near the exact one") {
			GIVEN("20000 random values, one of four distributions");
			WHEN("quantiles from 0 to 2000000 ppm are asked for");
			THEN("each is at least the exact one and at most 1/32 (small: 1/2) more");
			ba_hist_clear(&hist);
			ba_hist_small_clear(&small);
			for (int i = 0; i < SAMPLES; i++) {
				samples[i] = draw(shape, &random);
				ba_hist_record(&hist, samples[i]);
				ba_hist_small_record(&small, samples[i]);
			}
			qsort(samples, SAMPLES, sizeof *samples, by_value);
			CHECK_EQ(ba_hist_count(&hist), SAMPLES);
			CHECK_EQ(ba_hist_small_count(&small), SAMPLES);
			check_quantiles();
		}
	}
}

static void
test_edges(void)
{
	ba_hist_clear(&hist);
	ba_hist_small_clear(&small);
	SCENARIO("an empty histogram has no quantile") {
		GIVEN("nothing recorded");
		THEN("the answers are 0 and the count says why");
		CHECK_EQ(ba_hist_count(&hist), 0);
		CHECK_EQ(ba_hist_quantile(&hist, 500000), 0);
		CHECK_EQ(ba_hist_small_quantile(&small, 500000, 0), 0);
	}
	SCENARIO("one value is all its quantiles") {
		GIVEN("12345 recorded once");
		THEN("minimum, median and maximum are 12345, not the top of a bucket");
		ba_hist_record(&hist, 12345);
		CHECK_EQ(ba_hist_quantile(&hist, 0), 12345);
		CHECK_EQ(ba_hist_quantile(&hist, 500000), 12345);
		CHECK_EQ(ba_hist_quantile(&hist, 1000000), 12345);
	}
	SCENARIO("the ends of the numbers fit") {
		GIVEN("0 and 2^64 - 1 recorded");
		THEN("they come back");
		ba_hist_clear(&hist);
		ba_hist_record(&hist, 0);
		ba_hist_record(&hist, UINT64_MAX);
		CHECK(ba_hist_quantile(&hist, 0) == 0);
		CHECK(ba_hist_quantile(&hist, 500000) == 0);
		CHECK(ba_hist_quantile(&hist, 500001) == UINT64_MAX);
	}
	SCENARIO("a small count stops, it does not start again from 0") {
		GIVEN("a bucket that holds UINT32_MAX - 1");
		WHEN("three more arrive");
		THEN("it holds UINT32_MAX");
		atomic_store_explicit(&small.counts[ba_hist_index(100, BA_HIST_SMALL_SUB_BITS)],
		                      UINT32_MAX - 1, memory_order_relaxed);
		for (int i = 0; i < 3; i++)
			ba_hist_small_record(&small, 100);
		CHECK(ba_hist_small_count(&small) == UINT32_MAX);
	}
	SCENARIO("a rank does not overflow") {
		GIVEN("2^64 - 1 samples");
		THEN("the last ppm is the last of them, the median the middle one");
		CHECK(ba_hist_rank(UINT64_MAX, 1000000) == UINT64_MAX);
		CHECK(ba_hist_rank(UINT64_MAX, 500000) == UINT64_C(1) << 63);
	}
}

static void *
write_many(void *count)
{
	uint64_t random = 1;
	for (uint64_t i = 0; i < *(uint64_t *)count; i++)
		ba_hist_record(&hist, 1000 + random_next(&random) % 1000);
	return NULL;
}

static void
test_reader(void)
{
	SCENARIO("a reader beside the writer sees numbers that were true") {
		GIVEN("a thread that records 300000 values of 1000..1999");
		WHEN("quantiles are asked for meanwhile");
		THEN("each lies in that range, counts never shrink, and none is lost");
		ba_hist_clear(&hist);
		uint64_t count = 300000, last = 0;
		pthread_t writer;
		CHECK_EQ(pthread_create(&writer, NULL, write_many, &count), 0);
		while (last < count && bdd_broken == 0) {
			uint64_t median = ba_hist_quantile(&hist, 500000);
			uint64_t seen = ba_hist_count(&hist);
			CHECK(median == 0 || (median >= 1000 && median < 2048));
			CHECK(seen >= last);
			last = seen;
		}
		pthread_join(writer, NULL);
		CHECK_EQ(ba_hist_count(&hist), 300000);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = 20251125;
	if (argc == 3 && strcmp(argv[1], "--seed") == 0)
		seed = strtoull(argv[2], NULL, 0);
	printf("seed=%" PRIu64 "\n", seed);

	test_buckets(BA_HIST_SUB_BITS, BA_HIST_BUCKETS, 0);
	test_buckets(BA_HIST_SMALL_SUB_BITS, BA_HIST_SMALL_BUCKETS, UINT64_C(1) << 32);
	test_quantiles(seed);
	test_edges();
	test_reader();
	return bdd_close();
}
