/* SPDX-License-Identifier: Apache-2.0 */
/* test_failure.c -- a signal whose handler fails goes where its policy says.
 *
 * What is protected: nothing that failed is lost silently.  Each attempt has its
 * record, each letter its signal and its data, and the ledger adds up.
 */
#include "engine_probe.h"

static probe_t probe;

enum { BAD = 1, GOOD = 2, DATA_MAX = 64 };

typedef struct failing {
	uint32_t calls, fail_first; /* the first `fail_first` calls of each signal fail */
	uint64_t last;
} failing_t;

static failing_t failing;

static bitactor_status_t
fail_some(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	failing_t *self = state;
	if (signal->payload != self->last)
		self->calls = 0;
	self->last = signal->payload;
	self->calls++;
	bitactor_signal_t out = { .kind = GOOD, .payload = signal->payload };
	CHECK_EQ(bitactor_emit(turn, &out), BITACTOR_OK);
	return self->calls <= self->fail_first ? BITACTOR_STALE : BITACTOR_OK;
}

static probe_seen_t seen;

static void
open_probe(uint8_t retries, uint8_t on_failure, uint32_t fail_first, uint32_t letters)
{
	probe_config(&probe);
	probe.config.dead_letters = letters;
	probe.config.data_max     = DATA_MAX;
	probe_counter(&probe, 1000000000); /* it stands still: nobody is over budget */
	probe_open(&probe);
	failing    = (failing_t){ .fail_first = fail_first, .last = UINT64_MAX };
	seen.count = 0;
	bitactor_handler_t handler = { .fn         = fail_some,
		                       .state      = &failing,
		                       .kind       = BAD,
		                       .retries    = retries,
		                       .on_failure = on_failure };
	CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_OK);
	CHECK_EQ(bitactor_register(probe.engine, GOOD, probe_see, &seen), BITACTOR_OK);
}

static void
send_data(uint64_t payload, uint32_t data_bytes)
{
	uint8_t data[DATA_MAX];
	memset(data, (int)payload, sizeof data);
	bitactor_signal_t signal = { .kind = BAD, .payload = payload, .id = 7 };
	CHECK_EQ(bitactor_enqueue_data(probe.engine, &signal, data, data_bytes), BITACTOR_OK);
}

/* Records of the first segment of a kind; the last of them in `last`. */
static uint32_t
records_of(uint16_t kind, bitactor_record_t *last)
{
	const uint8_t *segment;
	bitactor_record_t record;
	uint32_t offset = BITACTOR_HEADER_BYTES, count = 0;
	CHECK_EQ(bitactor_telemetry_segment(probe.engine, 0, &segment), BITACTOR_OK);
	while (bitactor_record_read(segment, 0, offset, BITACTOR_SEGMENT_BYTES, false, &record,
	                            NULL) == BITACTOR_OK) {
		offset += record.bytes;
		if (record.kind != kind)
			continue;
		count++;
		*last = record;
	}
	return count;
}

static void
test_retry(void)
{
	SCENARIO("a handler that succeeds at the third attempt") {
		GIVEN("3 retries, and a handler that fails twice");
		WHEN("a signal comes");
		THEN("it is called three times, what the last one emitted takes hold, no letter is "
		     "kept, and each attempt has its record");
		open_probe(3, BITACTOR_FAILURE_DEAD_LETTER, 2, 4);
		probe_send(probe.engine, BAD, 5);
		CHECK_EQ(probe_drain(probe.engine, 100), 2);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.dispatched, 2);
		CHECK_EQ(stats.retried, 2);
		CHECK_EQ(stats.failed, 2);
		CHECK_EQ(stats.undone, 2);
		CHECK_EQ(stats.dead_letters, 0);
		CHECK_EQ(seen.count, 1);
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_RETRY, &record), 2);
		CHECK_EQ(record.flags & BITACTOR_RECORD_FAILED, 0);
		CHECK_EQ(record.payload, 5);
		CHECK_EQ(record.own[0], BAD);
		CHECK_EQ(record.own[2], 3);
		CHECK_EQ(records_of(BITACTOR_RECORD_DEAD, &record), 0);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
	SCENARIO("a fiber kind cannot be retried") {
		GIVEN("a registration of a fiber kind with retries, and one with no such policy");
		WHEN("they are made");
		THEN("both are errors");
		open_probe(0, 0, 0, 4);
		bitactor_handler_t handler = { .fn      = fail_some,
			                       .kind    = BAD,
			                       .flags   = BITACTOR_HANDLER_FIBER,
			                       .retries = 1 };
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_ERROR);
		handler.retries = 2;
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_ERROR);
		handler = (bitactor_handler_t){ .fn = fail_some, .kind = BAD, .on_failure = 4 };
		CHECK_EQ(bitactor_register_handler(probe.engine, &handler), BITACTOR_ERROR);
		probe_close(&probe);
	}
}

static void
test_letters(void)
{
	SCENARIO("signals that stay undone are kept, the newest of them, with their data") {
		GIVEN("room for 4 letters, 2 retries, a handler that always fails");
		WHEN("6 signals with data come");
		THEN("the last 4 are there, oldest first, with data, status, attempts and seq");
		open_probe(2, BITACTOR_FAILURE_DEAD_LETTER, 99, 4);
		for (uint64_t i = 1; i <= 6; i++)
			send_data(i, (uint32_t)i * 8);
		CHECK_EQ(probe_drain(probe.engine, 100), 6);
		CHECK_EQ(probe_stats(probe.engine).dead_letters, 4);
		CHECK_EQ(probe_stats(probe.engine).dead_lost, 2);
		bitactor_dead_letter_t letter;
		uint8_t data[DATA_MAX];
		for (uint64_t i = 0; i < 4; i++) {
			CHECK_EQ(bitactor_dead_letter(probe.engine, i, &letter, data, sizeof data),
			         BITACTOR_OK);
			CHECK_EQ(letter.signal.payload, i + 3);
			CHECK_EQ(letter.signal.id, 7);
			CHECK_EQ(letter.signal.data_bytes, (i + 3) * 8);
			CHECK_EQ(data[0], i + 3);
			CHECK_EQ(data[(i + 3) * 8 - 1], i + 3);
			CHECK_EQ(letter.status, BITACTOR_STALE);
			CHECK_EQ(letter.attempts, 3);
			CHECK_EQ(letter.reason, BITACTOR_REJECT_FAILED);
		}
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_DEAD, &record), 6);
		/* REGISTER x 2, TURN, then three attempts and DEAD for each */
		CHECK_EQ(letter.seq, 3 + 5 * 4 + 2);
		CHECK_EQ(bitactor_dead_letter(probe.engine, 4, &letter, data, sizeof data),
		         BITACTOR_EMPTY);

		WHEN("they are taken, the first with too little room");
		THEN("it is FULL and stays; then all come, and none is left");
		CHECK_EQ(bitactor_dead_letter_take(probe.engine, &letter, data, 23), BITACTOR_FULL);
		CHECK_EQ(letter.signal.data_bytes, 24);
		for (uint64_t i = 3; i <= 6; i++) {
			CHECK_EQ(bitactor_dead_letter_take(probe.engine, &letter, data,
			                                   sizeof data),
			         BITACTOR_OK);
			CHECK_EQ(letter.signal.payload, i);
		}
		CHECK_EQ(bitactor_dead_letter_take(probe.engine, &letter, data, sizeof data),
		         BITACTOR_EMPTY);
		probe_close(&probe);
	}
	SCENARIO("an engine without room for letters") {
		GIVEN("dead_letters 0");
		WHEN("a signal fails");
		THEN("it counts as lost, and its DEAD record stands in the trace");
		open_probe(0, BITACTOR_FAILURE_DEAD_LETTER, 99, 0);
		probe_send(probe.engine, BAD, 1);
		CHECK_EQ(probe_drain(probe.engine, 100), 1);
		CHECK_EQ(probe_stats(probe.engine).dead_lost, 1);
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_DEAD, &record), 1);
		CHECK_EQ(record.actor, BAD);
		probe_close(&probe);
	}
}

static void
test_quarantine(void)
{
	SCENARIO("a handler that is quarantined by its failure") {
		GIVEN("five signals in one chunk, the policy QUARANTINE");
		WHEN("the first fails");
		THEN("the others are rejected and kept, until it is registered again");
		open_probe(0, BITACTOR_FAILURE_QUARANTINE, 99, 16);
		for (uint64_t i = 1; i <= 5; i++)
			probe_send(probe.engine, BAD, i);
		CHECK_EQ(probe_drain(probe.engine, 100), 5);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.dispatched, 1);
		CHECK_EQ(stats.rejected, 4);
		CHECK_EQ(stats.quarantines, 1);
		CHECK_EQ(stats.quarantined, 1);
		CHECK_EQ(stats.dead_letters, 5);
		bitactor_dead_letter_t letter;
		CHECK_EQ(bitactor_dead_letter(probe.engine, 4, &letter, NULL, 0), BITACTOR_OK);
		CHECK_EQ(letter.reason, BITACTOR_REJECT_QUARANTINE);
		CHECK_EQ(letter.attempts, 0);
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_QUARANTINE, &record), 1);
		CHECK_EQ(record.payload, BITACTOR_QUARANTINE_FAILED);
		CHECK_EQ(record.cause, 2);
		CHECK_EQ(records_of(BITACTOR_RECORD_REJECT, &record), 4);
		CHECK_EQ(record.own[2], BITACTOR_REJECT_QUARANTINE);

		bitactor_result_t result;
		bitactor_signal_t signal = { .kind = BAD };
		CHECK_EQ(bitactor_tick(probe.engine, &signal, &result), BITACTOR_INVALID_SIGNAL);
		CHECK_EQ(bitactor_register(probe.engine, BAD, probe_see, &seen), BITACTOR_OK);
		CHECK_EQ(probe_stats(probe.engine).quarantined, 0);
		CHECK_EQ(bitactor_tick(probe.engine, &signal, &result), BITACTOR_OK);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
}

static bitactor_status_t
stop_engine(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t out = { .kind = GOOD };
	(void)bitactor_emit(turn, &out);
	(void)bitactor_stop(state, signal->payload != 0, 0, NULL);
	return bitactor_stop(state, signal->payload != 0, 0, NULL); /* twice is once */
}

static void
test_stop(void)
{
	SCENARIO("a failure that stops the engine") {
		GIVEN("the policy STOP, and signals behind the one that fails");
		WHEN("it fails");
		THEN("the others are dropped with a record, the door is closed, and the ledger "
		     "adds up");
		open_probe(0, BITACTOR_FAILURE_STOP, 99, 16);
		for (uint64_t i = 1; i <= 5; i++)
			probe_send(probe.engine, BAD, i);
		uint64_t done;
		CHECK_EQ(bitactor_drain(probe.engine, 100, &done), BITACTOR_OK);
		CHECK_EQ(done, 1);
		CHECK_EQ(bitactor_drain(probe.engine, 100, &done), BITACTOR_CLOSED);
		bitactor_signal_t signal = { .kind = GOOD };
		CHECK_EQ(bitactor_enqueue(probe.engine, &signal), BITACTOR_CLOSED);
		CHECK(!bitactor_is_ready(probe.engine));
		CHECK_EQ(probe_stats(probe.engine).dropped, 4);
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_STOP, &record), 1);
		CHECK_EQ(record.flags & BITACTOR_RECORD_OUTSIDE, 0);
		CHECK_EQ(records_of(BITACTOR_RECORD_DROP, &record), 1);
		CHECK_EQ(record.payload, 4);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
	for (int drain = 0; drain <= 1; drain++)
		SCENARIO("a handler that stops its engine") {
			GIVEN(drain ? "a stop with drain" : "a stop without drain");
			WHEN("signals lie behind it, and it emitted one");
			THEN(drain ? "they are dispatched, then the engine is closed"
			           : "they are dropped, and it is closed");
			open_probe(0, 0, 0, 4);
			CHECK_EQ(bitactor_register(probe.engine, BAD, stop_engine, probe.engine),
			         BITACTOR_OK);
			probe_send(probe.engine, BAD, (uint64_t)drain);
			probe_send(probe.engine, GOOD, 1);
			probe_send(probe.engine, GOOD, 2);
			uint64_t done, all = 0;
			bitactor_status_t status;
			while ((status = bitactor_drain(probe.engine, 2, &done)) == BITACTOR_OK)
				all += done;
			CHECK_EQ(status, BITACTOR_CLOSED);
			CHECK_EQ(all, drain ? 4 : 1);
			CHECK_EQ(seen.count, drain ? 3 : 0);
			CHECK_EQ(probe_stats(probe.engine).dropped, drain ? 0 : 3);
			bitactor_record_t record;
			CHECK_EQ(records_of(BITACTOR_RECORD_STOP, &record), 1);
			CHECK_EQ(record.payload, drain);
			CHECK_EQ(bitactor_pending_count(probe.engine), 0);
			probe_close(&probe);
		}
}

enum { WAITER = 3, AWAITED = 4 };

static bitactor_status_t
wait_and_fail(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	bitactor_signal_t answer;
	(void)signal, (void)state;
	CHECK_EQ(bitactor_await(turn, AWAITED, &answer), BITACTOR_OK);
	return BITACTOR_STALE;
}

static bitactor_status_t
yield_and_fail(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	(void)signal, (void)state;
	CHECK_EQ(bitactor_yield(turn), BITACTOR_OK);
	return BITACTOR_STALE;
}

static uint64_t
failed_of(uint16_t kind)
{
	bitactor_kind_stats_t stats = { .failed = UINT64_MAX };
	CHECK_EQ(bitactor_kind_stats(probe.engine, kind, &stats), BITACTOR_OK);
	return stats.failed;
}

static void
open_waiter(bitactor_handler_fn fn)
{
	probe_config(&probe);
	probe.config.fibers = 2;
	probe_counter(&probe, 1000000000);
	probe_open(&probe);
	seen.count = 0;
	bitactor_handler_t waiter = { .fn         = fn,
		                      .kind       = WAITER,
		                      .flags      = BITACTOR_HANDLER_FIBER,
		                      .on_failure = BITACTOR_FAILURE_QUARANTINE };
	bitactor_handler_t awaited = { .fn         = probe_see,
		                       .state      = &seen,
		                       .kind       = AWAITED,
		                       .retries    = 2,
		                       .on_failure = BITACTOR_FAILURE_STOP };
	CHECK_EQ(bitactor_register_handler(probe.engine, &waiter), BITACTOR_OK);
	CHECK_EQ(bitactor_register_handler(probe.engine, &awaited), BITACTOR_OK);
}

static void
test_fibers(void)
{
	SCENARIO("a fiber that fails with the signal it awaited") {
		GIVEN("a fiber kind that is to be quarantined, and a kind with retries and STOP "
		      "that it awaits");
		WHEN("the awaited signal comes and the fiber fails");
		THEN("the failure is the fiber kind's: it is quarantined, nobody else is called, "
		     "nothing is retried, and the engine goes on");
		open_waiter(wait_and_fail);
		probe_send(probe.engine, WAITER, 1);
		probe_send(probe.engine, AWAITED, 2);
		probe_send(probe.engine, AWAITED, 3);
		CHECK_EQ(probe_drain(probe.engine, 100), 3);
		CHECK_EQ(seen.count, 1);
		CHECK_EQ(seen.at[0].payload, 3);
		CHECK_EQ(failed_of(WAITER), 1);
		CHECK_EQ(failed_of(AWAITED), 0);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.retried, 0);
		CHECK_EQ(stats.quarantined, 1);
		CHECK_EQ(stats.dead_letters, 1);
		CHECK(bitactor_is_ready(probe.engine));
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_QUARANTINE, &record), 1);
		CHECK_EQ(record.actor, WAITER);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
	SCENARIO("two fibers of one kind that both fail") {
		GIVEN("two that wait when the kind is quarantined by the first");
		WHEN("the second fails too");
		THEN("it is quarantined once, with one record, and both signals are kept");
		open_waiter(wait_and_fail);
		probe_send(probe.engine, WAITER, 1);
		probe_send(probe.engine, WAITER, 2);
		probe_send(probe.engine, AWAITED, 3);
		probe_send(probe.engine, AWAITED, 4);
		CHECK_EQ(probe_drain(probe.engine, 100), 4);
		CHECK_EQ(failed_of(WAITER), 2);
		CHECK_EQ(probe_stats(probe.engine).quarantines, 1);
		CHECK_EQ(probe_stats(probe.engine).quarantined, 1);
		CHECK_EQ(probe_stats(probe.engine).dead_letters, 2);
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_QUARANTINE, &record), 1);
		probe_close(&probe);
	}
	SCENARIO("a fiber that fails after a yield") {
		GIVEN("a fiber kind that is to be quarantined");
		WHEN("it fails in a stretch that no signal began");
		THEN("it is quarantined; there is no signal to keep, so no letter says there is");
		open_waiter(yield_and_fail);
		probe_send(probe.engine, WAITER, 1);
		CHECK_EQ(probe_drain(probe.engine, 100), 2);
		CHECK_EQ(failed_of(WAITER), 1);
		CHECK_EQ(probe_stats(probe.engine).quarantined, 1);
		CHECK_EQ(probe_stats(probe.engine).dead_letters, 0);
		bitactor_record_t record;
		CHECK_EQ(records_of(BITACTOR_RECORD_DEAD, &record), 0);
		CHECK_EQ(records_of(BITACTOR_RECORD_QUARANTINE, &record), 1);
		CHECK_EQ(record.cause, 1);
		probe_close(&probe);
	}
}

static void
test_stop_in_a_tick(void)
{
	SCENARIO("a handler that stops its engine in a tick") {
		GIVEN("signals that wait, and a stop without drain");
		WHEN("it is ticked");
		THEN("they are dropped with it, not dispatched by a drain that comes later");
		open_probe(0, 0, 0, 4);
		CHECK_EQ(bitactor_register(probe.engine, BAD, stop_engine, probe.engine),
		         BITACTOR_OK);
		probe_send(probe.engine, GOOD, 1);
		probe_send(probe.engine, GOOD, 2);
		bitactor_signal_t signal = { .kind = BAD };
		CHECK_EQ(bitactor_tick(probe.engine, &signal, NULL), BITACTOR_OK);
		CHECK_EQ(bitactor_pending_count(probe.engine), 0);
		uint64_t done;
		CHECK_EQ(bitactor_drain(probe.engine, 100, &done), BITACTOR_CLOSED);
		CHECK_EQ(done, 0);
		CHECK_EQ(seen.count, 0);
		CHECK_EQ(probe_stats(probe.engine).dropped, 3); /* two, and what it emitted */
		probe_close(&probe);
	}
}

int
main(void)
{
	test_fibers();
	test_stop_in_a_tick();
	test_retry();
	test_letters();
	test_quarantine();
	test_stop();
	return bdd_close();
}
