/* SPDX-License-Identifier: Apache-2.0 */
/* test_enqueue_stress.c -- the door under many threads, and under signals.
 *
 * Every signal carries its producer (id) and its number (payload).  The handler
 * keeps the next number of each producer, so that a signal that is lost, comes
 * twice or overtakes another is seen at once, and the sums at the end prove that
 * nothing else came.  Under TSan this is also the proof of docs/memory-model.md.
 */
#include "../../bitactor/src/internal/engine.h"
#include "../engine_probe.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

enum { MOST = 16, KIND = 1 };

static probe_t probe;

/* ---- who sends and who receives -------------------------------------- */

static struct receiver {
	uint64_t next[MOST]; /* number that must come next, by producer */
	uint64_t wrong, data_wrong;
} receiver;

static bitactor_status_t
receive(bitactor_turn_t *turn, const bitactor_signal_t *signal, void *state)
{
	const uint64_t *data = bitactor_turn_data(turn);
	(void)state;
	if (signal->id >= MOST || signal->payload != receiver.next[signal->id])
		receiver.wrong++;
	else
		receiver.next[signal->id]++;
	for (uint32_t i = 0; i < signal->data_bytes / 8; i++)
		receiver.data_wrong += data[i] != (signal->payload ^ signal->id);
	return BITACTOR_OK;
}

typedef struct producer {
	uint32_t number;
	uint64_t count;    /* to send */
	bool     plain;    /* one at a time, without data */
	uint64_t full, taken;
	bitactor_status_t last;
	pthread_t thread;
} producer_t;

/* One, several, or one with data; how many were taken. */
static uint64_t
send_some(producer_t *producer, uint64_t at)
{
	bitactor_engine_t *engine = probe.engine;
	bitactor_signal_t  batch[4];
	uint64_t data[4];
	size_t   taken = 0;
	for (uint64_t i = 0; i < 4; i++) {
		batch[i] = (bitactor_signal_t){ .kind = KIND, .id = producer->number,
			                        .payload = at + i };
		data[i]  = at ^ producer->number;
	}
	uint64_t way = producer->plain || producer->count - at < 4 ? 0 : at % 3;
	switch (way) {
	case 0:
		producer->last = bitactor_enqueue(engine, batch);
		return producer->last == BITACTOR_OK;
	case 1:
		producer->last = bitactor_enqueue_many(engine, batch, 4, &taken);
		return taken;
	default:
		producer->last = bitactor_enqueue_data(engine, batch, data, 8 + at % 4 * 8);
		return producer->last == BITACTOR_OK;
	}
}

static void *
produce(void *argument)
{
	producer_t *producer = argument;
	while (producer->taken < producer->count) {
		uint64_t taken = send_some(producer, producer->taken);
		producer->taken += taken;
		if (producer->last == BITACTOR_CLOSED)
			break;
		if (taken == 0) {
			producer->full++;
			sched_yield();
		}
	}
	return NULL;
}

static void
open_engine(uint32_t queue_slots)
{
	memset(&receiver, 0, sizeof receiver);
	probe_config(&probe);
	probe.config.queue_slots = queue_slots;
	probe_open(&probe);
	CHECK_EQ(bitactor_register(probe.engine, KIND, receive, NULL), BITACTOR_OK);
}

static void
start(producer_t *producers, uint32_t count, uint64_t each, bool plain)
{
	for (uint32_t i = 0; i < count; i++) {
		producers[i] = (producer_t){ .number = i, .count = each, .plain = plain };
		CHECK_EQ(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
	}
}

static void
all_came(const producer_t *producers, uint32_t count)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		CHECK_EQ(receiver.next[i], producers[i].taken);
		sum += producers[i].taken;
	}
	CHECK_EQ(receiver.wrong, 0);
	CHECK_EQ(receiver.data_wrong, 0);
	bitactor_stats_t stats = probe_stats(probe.engine);
	CHECK_EQ(stats.dispatched, sum);
	CHECK_EQ(stats.queued, 0);
	CHECK_EQ(stats.rejected, 0);
	ba_engine_check(probe.engine);
	CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
}

/* ---- somebody who asks how many wait --------------------------------- */

static _Atomic bool sampler_ends;

static void *
sample(void *argument)
{
	uint64_t *bad = argument, most = probe.config.queue_slots;
	while (!atomic_load(&sampler_ends)) {
		bitactor_stats_t stats;
		*bad += bitactor_pending_count(probe.engine) > most;
		*bad += !bitactor_is_ready(probe.engine);
		*bad += bitactor_stats(probe.engine, &stats) != BITACTOR_OK;
		*bad += stats.offered != stats.accepted + stats.refused;
		sched_yield();
	}
	return NULL;
}

static void
test_producers(uint32_t count, uint32_t queue_slots)
{
	static char title[80];
	snprintf(title, sizeof title, "%u producers, %u slots", count, queue_slots);
	SCENARIO(title) {
		GIVEN("threads that send one, four at once, or one with data, and try again when "
		      "there is no room");
		WHEN("one thread drains, and another asks all the time how many wait");
		THEN("everything comes once, in each producer's order, and the answer is never "
		     "more than the queue can hold");
		producer_t producers[MOST];
		pthread_t  sampler;
		uint64_t   each = probe_scale(120000) / count + 4, bad = 0, taken = 0, done = 0;
		open_engine(queue_slots);
		atomic_store(&sampler_ends, false);
		CHECK_EQ(pthread_create(&sampler, NULL, sample, &bad), 0);
		start(producers, count, each, false);
		while (taken < each * count) {
			if (bitactor_drain(probe.engine, 100, &done) != BITACTOR_OK)
				sched_yield();
			taken += done;
		}
		for (uint32_t i = 0; i < count; i++)
			pthread_join(producers[i].thread, NULL);
		atomic_store(&sampler_ends, true);
		pthread_join(sampler, NULL);
		CHECK_EQ(bad, 0);
		CHECK_EQ(taken, each * count);
		all_came(producers, count);
		probe_close(&probe);
	}
}

/* ---- a producer that stops half way ---------------------------------- */

static void
test_parked_producer(void)
{
	SCENARIO("a producer stopped between claim and publish") {
		GIVEN("producer A, which has claimed and goes no further");
		WHEN("B, C and D send 100 each, the engine is drained 1000 times, and A goes on");
		THEN("BUSY each time, at once, and counted; then 301 signals in the producers' "
		     "order, A's first");
		producer_t producers[4];
		uint64_t position = 0, done = 99;
		open_engine(1024);
		CHECK_EQ(ba_queue_claim(&probe.engine->queue, 1, &position), BITACTOR_OK);
		start(producers, 3, 100, true);
		for (int i = 0; i < 3; i++)
			pthread_join(producers[i].thread, NULL);
		CHECK_EQ(bitactor_drain(probe.engine, 1000, &done), BITACTOR_BUSY);
		CHECK_EQ(probe_stats(probe.engine).stalled_claims, 1);
		for (int i = 0; i < 999; i++)
			CHECK_EQ(bitactor_drain(probe.engine, 1000, &done), BITACTOR_BUSY);
		CHECK_EQ(done, 0);
		CHECK_EQ(probe_stats(probe.engine).stalled_claims, 1000);
		CHECK_EQ(probe_stats(probe.engine).turns, 0);
		CHECK_EQ(bitactor_pending_count(probe.engine), 301);
		bitactor_signal_t late = { .kind = KIND, .id = 3 };
		ba_queue_publish(&probe.engine->queue, position, &late, 0, 0);
		CHECK_EQ(bitactor_drain(probe.engine, 1, &done), BITACTOR_OK);
		CHECK_EQ(receiver.next[3], 1);
		CHECK_EQ(probe_drain(probe.engine, 1000), 300);
		producers[3] = (producer_t){ .number = 3, .taken = 1 };
		all_came(producers, 4);
		probe_close(&probe);
	}
}

/* ---- signal handlers ------------------------------------------------- */

static struct storm {
	bitactor_engine_t *engine;
	volatile sig_atomic_t signals;
	uint64_t taken, full, other; /* by the handler alone */
} storm;

/* Producer 1: sends from wherever the main thread, producer 0, happens to be. */
static void
on_alarm(int number)
{
	int saved = errno;
	(void)number;
	for (int i = 0; i < 3; i++) {
		bitactor_signal_t signal = { .kind = KIND, .id = 1, .payload = storm.taken };
		uint64_t data = storm.taken ^ 1;
		bitactor_status_t status =
		        i == 1 ? bitactor_enqueue_data(storm.engine, &signal, &data, 8)
		               : bitactor_enqueue(storm.engine, &signal);
		storm.taken += status == BITACTOR_OK;
		storm.full += status == BITACTOR_FULL;
		storm.other += status != BITACTOR_OK && status != BITACTOR_FULL;
	}
	storm.signals++;
	errno = saved;
}

static _Atomic bool drainer_ends;

static void *
drain_until_told(void *argument)
{
	uint64_t *taken = argument, done = 0;
	for (;;) {
		bool last = atomic_load(&drainer_ends);
		bitactor_status_t status = bitactor_drain(probe.engine, 64, &done);
		*taken += done;
		if (status == BITACTOR_EMPTY && last)
			return NULL;
		if (status != BITACTOR_OK)
			sched_yield();
	}
}

static uint64_t
milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* 10,000 alarms a second while this thread sends; how long they are to last. */
static void
alarms_while_sending(producer_t *main_thread, uint64_t for_ms)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, before;
	struct itimerval often = { .it_interval = { .tv_usec = 100 },
		                   .it_value = { .tv_usec = 100 } }, never = { { 0 }, { 0 } };
	uint64_t ends = milliseconds() + for_ms;
	CHECK_EQ(sigaction(SIGALRM, &action, &before), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	while (milliseconds() < ends) {
		uint64_t taken = send_some(main_thread, main_thread->taken);
		main_thread->taken += taken;
		main_thread->full += taken == 0;
		(void)bitactor_pending_count(probe.engine);
	}
	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
	CHECK_EQ(sigaction(SIGALRM, &before, NULL), 0);
}

static void
test_alarm_storm(uint32_t queue_slots)
{
	SCENARIO(queue_slots == 16 ? "alarms, and a queue that is often full"
	                           : "alarms, 10,000 a second") {
		GIVEN("a thread that sends, and a signal handler that interrupts it and sends too");
		WHEN("another thread drains");
		THEN("what either was told was taken comes once, in order, and nothing else");
		pthread_t  drainer;
		sigset_t   alarm, before;
		uint64_t   taken = 0;
		producer_t producers[2] = { { .number = 0, .count = UINT64_MAX }, { .number = 1 } };
		open_engine(queue_slots);
		memset(&storm, 0, sizeof storm);
		storm.engine = probe.engine;
		atomic_store(&drainer_ends, false);
		sigemptyset(&alarm);
		sigaddset(&alarm, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &alarm, &before); /* the drainer must not get them */
		CHECK_EQ(pthread_create(&drainer, NULL, drain_until_told, &taken), 0);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		alarms_while_sending(&producers[0], probe_scale(PROBE_SANITIZED ? 8000 : 1000));
		atomic_store(&drainer_ends, true);
		pthread_join(drainer, NULL);
		producers[1].taken = storm.taken;
		printf("  %d alarms, %" PRIu64 " sent by them (%" PRIu64 " refused), %" PRIu64
		       " by the thread\n", (int)storm.signals, storm.taken, storm.full,
		       producers[0].taken);
		CHECK(storm.signals > 10);
		CHECK(storm.taken > 0);
		CHECK_EQ(storm.other, 0);
		CHECK_EQ(storm.taken + storm.full, 3 * (uint64_t)storm.signals);
		CHECK_EQ(taken, producers[0].taken + storm.taken);
		all_came(producers, 2);
		probe_close(&probe);
	}
}

/* ---- all of it at once ----------------------------------------------- */

static _Atomic bool     others_end;
static _Atomic uint64_t ticked;

/* Ticks, registers, looks; what is not in the way of the others. */
static void *
meddle(void *argument)
{
	uintptr_t number = (uintptr_t)argument;
	uint64_t  bad = 0;
	for (uint64_t i = 0; !atomic_load(&others_end); i++) {
		bitactor_signal_t signal = { .kind = (uint16_t)(2 + number) };
		bitactor_status_t status;
		bitactor_kind_stats_t kind;
		uint64_t counts;
		switch (i % 6) {
		case 0:
			bad += bitactor_register(probe.engine, signal.kind, receive, NULL) !=
			       BITACTOR_OK;
			break;
		case 1:
			bad += bitactor_unregister(probe.engine, signal.kind) != BITACTOR_OK;
			break;
		case 2:
			status = bitactor_tick(probe.engine, &signal, NULL);
			bad += status != BITACTOR_INVALID_SIGNAL;
			atomic_fetch_add(&ticked, 1);
			break;
		case 3:
			bad += bitactor_telemetry_flush(probe.engine) != BITACTOR_OK;
			break;
		case 4:
			bad += bitactor_kind_stats(probe.engine, KIND, &kind) != BITACTOR_OK;
			break;
		default:
			status = bitactor_latency(probe.engine, 500000, &counts, NULL);
			bad += status != BITACTOR_OK && status != BITACTOR_EMPTY;
		}
		sched_yield();
	}
	return (void *)(uintptr_t)bad;
}

static void
test_everything(void)
{
	SCENARIO("everything at once") {
		GIVEN("4 producers, 2 threads that drain, 3 that tick, register, flush and look");
		WHEN("all run");
		THEN("everything comes once and in order, every call is answered, all adds up");
		producer_t producers[4];
		pthread_t  drainers[2], meddlers[3];
		uint64_t   taken[2] = { 0 };
		open_engine(256);
		atomic_store(&drainer_ends, false);
		atomic_store(&others_end, false);
		atomic_store(&ticked, 0);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(pthread_create(&drainers[i], NULL, drain_until_told, &taken[i]),
			         0);
		for (uintptr_t i = 0; i < 3; i++)
			CHECK_EQ(pthread_create(&meddlers[i], NULL, meddle, (void *)i), 0);
		start(producers, 4, probe_scale(20000), false);
		for (int i = 0; i < 4; i++)
			pthread_join(producers[i].thread, NULL);
		atomic_store(&others_end, true);
		for (int i = 0; i < 3; i++) {
			void *bad = NULL;
			pthread_join(meddlers[i], &bad);
			CHECK_EQ((uintptr_t)bad, 0);
		}
		atomic_store(&drainer_ends, true);
		for (int i = 0; i < 2; i++)
			pthread_join(drainers[i], NULL);
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(stats.rejected, atomic_load(&ticked));
		CHECK_EQ(taken[0] + taken[1], stats.dispatched);
		CHECK_EQ(stats.queued, 0);
		CHECK_EQ(receiver.wrong, 0);
		CHECK_EQ(receiver.data_wrong, 0);
		for (int i = 0; i < 4; i++)
			CHECK_EQ(receiver.next[i], producers[i].count);
		CHECK_EQ(bitactor_telemetry_check(probe.engine, NULL, NULL), BITACTOR_OK);
		probe_close(&probe);
	}
}

static void
test_stop_in_the_middle(bool drain)
{
	SCENARIO(drain ? "stop and drain while producers send"
	               : "stop and discard while producers send") {
		GIVEN("8 producers without end");
		WHEN("the engine is stopped");
		THEN("each is told CLOSED; what was taken was dispatched or dropped, to the last");
		producer_t producers[8];
		uint64_t   sum = 0, discarded = 0, all_discarded = 0, done = 0;
		open_engine(1024);
		start(producers, 8, UINT64_MAX, true);
		for (uint64_t i = 0; i < probe_scale(2000);) {
			i += bitactor_drain(probe.engine, 64, &done) == BITACTOR_OK;
			sched_yield();
		}
		bitactor_status_t status;
		do {
			status = bitactor_stop(probe.engine, drain, 2, &discarded);
			all_discarded += discarded;
			sched_yield();
		} while (status == BITACTOR_BUSY);
		CHECK_EQ(status, BITACTOR_OK);
		for (int i = 0; i < 8; i++) {
			pthread_join(producers[i].thread, NULL);
			CHECK_EQ(producers[i].last, BITACTOR_CLOSED);
			CHECK(receiver.next[i] <= producers[i].taken);
			sum += producers[i].taken;
		}
		bitactor_stats_t stats = probe_stats(probe.engine);
		CHECK_EQ(receiver.wrong, 0);
		CHECK_EQ(stats.dispatched + stats.dropped, sum);
		CHECK_EQ(stats.dropped, all_discarded);
		CHECK_EQ(stats.queued, 0);
		CHECK_EQ(stats.refused_closed, 8);
		probe_close(&probe);
	}
}

int
main(void)
{
	for (uint32_t count = 1; count <= 8; count *= 2)
		test_producers(count, 1024);
	test_producers(3, 8);
	test_producers(8, 16);
	test_parked_producer();
	test_alarm_storm(1024);
	test_alarm_storm(16);
	test_everything();
	test_stop_in_the_middle(true);
	test_stop_in_the_middle(false);
	return bdd_close();
}
