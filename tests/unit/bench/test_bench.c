/* SPDX-License-Identifier: Apache-2.0 */
/* test_bench.c -- the benchmark measures what it says, and would notice if not.
 *
 * Every case runs with tiny inputs, so none rots; what its figures are, nobody
 * asks here.  The harness itself is given contenders whose counts are known. */
#include "../../../bench/bench.h"
#include "../../../bench/harness.h"
#include "../../../bench/report.h"

#include <jansson.h>
#include <string.h>

#include "../../bdd.h"

static bench_t bench; /* 24 KiB */

static void
begin(uint32_t passes, const char *case_name)
{
	bench_begin(&bench);
	bench.plan      = (bench_plan_t){ .passes = passes, .operations = 512, .events = 8 };
	bench.case_name = case_name;
}

/* ---- the cases ------------------------------------------------------------ */

static void
check_row(const bench_row_t *row)
{
	if (row->skipped != NULL) {
		printf("   (%s: %s)\n", row->group, row->skipped);
		CHECK(strlen(row->skipped) > 0);
		return;
	}
	bool good = row->proof.got == row->proof.expected && row->proof.expected != 0 &&
	            row->p10 > 0 && row->p10 <= row->p50 && row->p50 <= row->p90 &&
	            row->p90 <= row->max && row->operations > 0;
	if (!good)
		printf("%s: %s %s %s\n", row->case_name, row->unit, row->name, row->kinds);
	CHECK(row->proof.got == row->proof.expected);
	CHECK(row->proof.expected != 0);
	CHECK(row->p10 > 0);
	CHECK(row->p10 <= row->p50);
	CHECK(row->p50 <= row->p90);
	CHECK(row->p90 <= row->max);
	CHECK(row->operations > 0);
}

static void
test_cases(void)
{
	for (int i = 0; i < bench_case_count; i++) {
		SCENARIO("a case does what it is timed for") {
			GIVEN(bench_cases[i].name);
			WHEN("it runs with tiny inputs");
			THEN("every row has figures, and a proof that is right");
			begin(2, bench_cases[i].name);
			bench_cases[i].run(&bench);
			CHECK(bench.row_count > 0);
			CHECK(!bench.failed);
			for (int row = 0; row < bench.row_count; row++)
				check_row(&bench.rows[row]);
		}
	}
	bench_unpin();
}

/* ---- the harness ---------------------------------------------------------- */

enum { FAKE_PASSES = 11, FAKE_OPERATIONS = 10 };

/* A contender that takes 10 * pass counts, and remembers when it was its turn. */
typedef struct fake {
	uint64_t pass;
	int      name;
	int     *order, *count;
} fake_t;

static uint64_t
fake_pass(void *subject, uint64_t operations)
{
	fake_t *fake = subject;
	fake->order[(*fake->count)++] = fake->name;
	return fake->pass++ * operations;
}

static bench_proof_t
fake_proof(void *subject, uint64_t passes)
{
	const fake_t *fake = subject;
	return (bench_proof_t){ .got = fake->pass, .expected = passes };
}

static double
fake_beside(void *subject)
{
	return 100.0 + (double)((const fake_t *)subject)->pass;
}

static void
test_measuring(void)
{
	static const int first[] = { 1, 0, 0, 1, 1, 0, 0, 1 }; /* warm-up, then there and back */
	int    order[2 * (FAKE_PASSES + 1)], count = 0;
	fake_t fakes[] = { { .name = 0, .order = order, .count = &count },
		           { .name = 1, .order = order, .count = &count } };
	bench_contender_t contenders[2];
	for (int i = 0; i < 2; i++)
		contenders[i] = (bench_contender_t){ .name       = "fake",
			                             .kinds      = "",
			                             .unit       = "operation",
			                             .subject    = &fakes[i],
			                             .operations = FAKE_OPERATIONS,
			                             .pass       = fake_pass,
			                             .prove      = fake_proof,
			                             .beside     = fake_beside };

	SCENARIO("contenders are interleaved, and a row is the middle of its passes") {
		GIVEN("two that take 0, 1, 2, ... 11 counts an operation, pass by pass");
		WHEN("they are measured in 11 passes");
		THEN("they run in alternating order, and the first pass of each is dropped");
		AND("p10, p50, p90 are 2, 6, 10, and the first one is the floor of the other");
		begin(FAKE_PASSES, "fake");
		bench_measure(&bench, "group", contenders, 2, true);
		CHECK_EQ(count, 2 * (FAKE_PASSES + 1));
		for (int i = 0; i < 8; i++)
			CHECK_EQ(order[i], first[i]);
		CHECK_EQ(bench.row_count, 2);
		for (int i = 0; i < 2; i++) {
			const bench_row_t *row = &bench.rows[i];
			CHECK_EQ(row->p10, 2);
			CHECK_EQ(row->p50, 6);
			CHECK_EQ(row->p90, 10);
			CHECK_EQ(row->max, 11);
			CHECK_EQ(row->floor, 1);
			CHECK_EQ(row->beside_ns, 106);
			CHECK_EQ(row->proof.got, FAKE_PASSES + 1);
			CHECK_EQ(row->proof.expected, FAKE_PASSES + 1);
		}
	}
}

static void
test_events(void)
{
	uint64_t samples[101];
	for (uint64_t i = 0; i < 101; i++)
		samples[i] = (i * 7) % 101 + 1; /* 1..101, not in order */

	SCENARIO("single events are told by their distribution") {
		GIVEN("101 events that took 1, 2, ... 101 counts");
		WHEN("they become a row");
		THEN("it says 51, 100, 101");
		begin(1, "fake");
		bench_events(&bench, "group", "event", "event", samples, 101,
		             (bench_proof_t){ 1, 1 });
		CHECK_EQ(bench.rows[0].p50, 51);
		CHECK_EQ(bench.rows[0].p99, 100);
		CHECK_EQ(bench.rows[0].max, 101);
		CHECK(bench.rows[0].is_events);
	}
	SCENARIO("a row of no events is a failure, not a zero") {
		GIVEN("no events");
		WHEN("they become a row");
		THEN("it says why there is no figure, and the run has failed");
		begin(1, "fake");
		bench_events(&bench, "group", "event", "event", samples, 0,
		             (bench_proof_t){ 0, 0 });
		CHECK(bench.rows[0].skipped != NULL);
		CHECK(bench.failed);
	}
}

/* ---- proofs ----------------------------------------------------------------- */

/* Send kinds 0..count-1, and book them as if there had been `booked`. */
static bench_proof_t
proof_of(bitactor_config_t *config, uint16_t count, uint16_t booked, bool spoil)
{
	bench_engine_t subject;
	bench_proof_t  proof = { 0, 0 };
	begin(1, "proof");
	CHECK(bench_engine_open(&bench, &subject, config));
	if (subject.engine == NULL)
		return proof;
	for (uint16_t kind = 0; kind < count; kind++) {
		bitactor_signal_t signal;
		bench_compose(&signal, kind, 1000, UINT64_MAX);
		CHECK_EQ(bitactor_enqueue(subject.engine, &signal), BITACTOR_OK);
	}
	CHECK_EQ(bitactor_drain(subject.engine, count, NULL), BITACTOR_OK);
	for (uint16_t kind = 0; kind < booked; kind++)
		subject.expected += 1000 + bench_salt(kind);
	subject.sent = booked;
	if (spoil)
		subject.engine->recorder.ring[BITACTOR_HEADER_BYTES + 16] ^= 1;
	proof = bench_engine_proof(&subject, config->segments > 0);
	bench_engine_close(&subject);
	return proof;
}

static void
test_proofs(void)
{
	bitactor_config_t config;
	bitactor_config_default(&config);

	SCENARIO("the proof of an engine notices") {
		bench_proof_t proof;
		GIVEN("256 signals, one of each kind");
		WHEN("all are handled");
		THEN("both sides are equal");
		proof = proof_of(&config, 256, 256, false);
		CHECK(proof.got == proof.expected);
		WHEN("one is lost, or one too many was handled");
		THEN("they are not");
		proof = proof_of(&config, 255, 256, false);
		CHECK(proof.got != proof.expected);
		proof = proof_of(&config, 256, 255, false);
		CHECK(proof.got != proof.expected);
		WHEN("a bit of the ring has changed");
		THEN("they are not");
		proof = proof_of(&config, 256, 256, true);
		CHECK(proof.got != proof.expected);
	}
}

/* ---- options and JSON ------------------------------------------------------- */

static void
test_options(void)
{
	const char *const unknown[] = { "clock", "dispatsch" };

	SCENARIO("a case that is not there is named, and nothing is measured") {
		GIVEN("a name that is none");
		WHEN("the bench is asked for it");
		THEN("it answers 2");
		CHECK_EQ(bench_run(&(bench_options_t){ .cases = unknown, .case_count = 2 }), 2);
	}
	SCENARIO("the list measures nothing") {
		GIVEN("the option that asks for it");
		WHEN("the bench runs");
		THEN("it answers 0");
		CHECK_EQ(bench_run(&(bench_options_t){ .list = true }), 0);
	}
}

static void
test_json(void)
{
	SCENARIO("what a program reads is JSON") {
		GIVEN("the rows of a case, one more with quotes in it, and one without a figure");
		WHEN("they are written as JSON");
		THEN("a JSON reader finds each of them, and the machine");
		begin(1, "clock");
		bench_clock(&bench);
		bench_skip(&bench, "none", "because of a \"\\ and a\nline");
		FILE *file = tmpfile();
		CHECK(file != NULL);
		if (file == NULL)
			continue;
		bench_report(&bench, true, true, file);
		rewind(file);
		json_error_t error;
		json_t *report = json_loadf(file, 0, &error);
		CHECK(report != NULL);
		CHECK_EQ(json_array_size(json_object_get(report, "rows")), bench.row_count);
		CHECK(json_is_true(json_object_get(report, "complete")));
		const json_t *machine = json_object_get(report, "machine");
		CHECK(json_integer_value(json_object_get(machine, "counter_hz")) > 0);
		CHECK(json_string_length(json_object_get(machine, "model")) > 0);
		const json_t *row = json_array_get(json_object_get(report, "rows"), 0);
		CHECK(json_is_true(json_object_get(row, "proved")));
		json_decref(report);
		(void)fclose(file);
	}
}

static void
test_processors(void)
{
	SCENARIO("a processor that is not there is refused") {
		GIVEN("the processors this process may use");
		WHEN("the one behind the last is asked for");
		THEN("the answer is no");
		begin(1, "fake");
		CHECK(bench_cpus() >= 1);
		CHECK(bench_pin(0));
		CHECK(!bench_pin(bench_cpus()));
		bench_unpin();
	}
}

int
main(void)
{
	test_measuring();
	test_events();
	test_proofs();
	test_options();
	test_json();
	test_processors();
	test_cases();
	return bdd_close();
}
