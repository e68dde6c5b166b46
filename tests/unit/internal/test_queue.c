/* SPDX-License-Identifier: Apache-2.0 */
/* test_queue.c -- the shared queue against an array, and under many threads.
 *
 * The array holds what was claimed and not yet freed; every answer of the queue
 * (full, published or not, how many) must be the array's.  Positions start just
 * below 2^32 and 2^62 as well, where a narrower or signed counter would wrap.
 */
#include <pthread.h>
#include <sched.h>

#include "../../../bitactor/src/internal/queue.h"
#include "../../engine_probe.h"

enum { MOST = 1024, PRODUCERS = 4 };

static ba_slot_t  slots[MOST];
static ba_queue_t queue;

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* As if `start` positions had come and gone. */
static void
begin_at(uint64_t capacity, uint64_t start)
{
	ba_queue_init(&queue, slots, capacity);
	atomic_store(&queue.claim, start);
	atomic_store(&queue.head, start);
}

/* ---- against an array ------------------------------------------------ */

typedef struct model {
	uint64_t head, claim, capacity;
	uint64_t payload[MOST];
	bool     published[MOST];
} model_t;

static unsigned wrong;

static void
expect(bool so)
{
	wrong += !so;
}

static void
step_claim(model_t *model, uint64_t count)
{
	uint64_t position = 0;
	bool fits = model->claim - model->head + count <= model->capacity;
	bitactor_status_t status = ba_queue_claim(&queue, count, &position);
	expect(status == (fits ? BITACTOR_OK : BITACTOR_FULL));
	if (!fits || status != BITACTOR_OK)
		return;
	expect(position == model->claim);
	for (uint64_t i = 0; i < count; i++)
		model->published[(model->claim + i) % model->capacity] = false;
	model->claim += count;
}

/* Publish any claimed position, in any order. */
static void
step_publish(model_t *model, uint64_t chance)
{
	uint64_t length = model->claim - model->head;
	if (length == 0)
		return;
	uint64_t position = model->head + chance % length, at = position % model->capacity;
	if (model->published[at])
		return;
	bitactor_signal_t signal = { .payload = chance, .data_bytes = 99 };
	ba_queue_publish(&queue, position, &signal, (uint32_t)(chance >> 40), (uint32_t)chance);
	model->published[at] = true;
	model->payload[at]   = chance;
}

/* Look at every position of the lap, free some of the published ones in front. */
static void
step_consume(model_t *model, uint64_t chance)
{
	uint64_t freed = 0;
	for (uint64_t position = model->head; position != model->head + model->capacity;
	     position++) {
		uint64_t   at   = position % model->capacity;
		ba_slot_t *slot = ba_queue_peek(&queue, position);
		bool there = position < model->claim && model->published[at];
		expect((slot != NULL) == there);
		if (slot == NULL || !there)
			continue;
		expect(slot->signal.payload == model->payload[at]);
		expect(slot->signal.data_bytes == (uint32_t)(model->payload[at] >> 40));
		expect(slot->data_block == (uint32_t)model->payload[at]);
	}
	while (model->head < model->claim && model->published[model->head % model->capacity] &&
	       freed < chance % 16) {
		model->head++;
		freed++;
	}
	if (freed > 0)
		ba_queue_free(&queue, model->head);
}

static void
test_against_array(uint64_t seed, uint64_t capacity, uint64_t start)
{
	model_t model = { .head = start, .claim = start, .capacity = capacity };
	uint64_t random = seed, steps = probe_scale(1000000);
	begin_at(capacity, start);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t chance = probe_random(&random);
		if (chance % 4 == 0)
			step_claim(&model, 1 + (chance >> 8) % (capacity + 1) % 8);
		else if (chance % 4 < 3 || i % (2 * capacity) != 0)
			step_publish(&model, chance >> 3);
		if (i % (1 + capacity / 2) == 0)
			step_consume(&model, chance >> 8);
		expect(ba_queue_length(&queue) == model.claim - model.head);
		expect(ba_queue_claimed(&queue) == model.claim);
	}
	CHECK(model.head - start > steps / 64);
}

static void
test_model(uint64_t seed)
{
	static const uint64_t capacities[] = { 2, 4, 16, 64 };
	static const uint64_t starts[] = { 0, UINT32_MAX - 100u, (UINT64_C(1) << 62) - 100,
		                           UINT64_MAX / 4 - 7 };
	SCENARIO("the queue is the array, at every position") {
		GIVEN("queues of 2 to 64 slots, beginning at 0, below 2^32 and about 2^62");
		WHEN("positions are claimed one or more at a time, published in any order, looked "
		     "at and freed, 16 times a million steps");
		THEN("full, published, contents and length are the array's after every step");
		wrong = 0;
		for (uint64_t i = 0; i < 16; i++)
			test_against_array(seed + i, capacities[i % 4],
			                   starts[i / 4] & ~(capacities[i % 4] - 1));
		CHECK_EQ(wrong, 0);
	}
}

/* ---- edges ----------------------------------------------------------- */

static void
test_exact_full(void)
{
	SCENARIO("full is exact") {
		GIVEN("a queue of 1024");
		WHEN("more is claimed at once than there is room for, and then just as much");
		THEN("FULL takes nothing; the last slot can be had");
		uint64_t position = 77;
		begin_at(1024, 0);
		CHECK_EQ(ba_queue_claim(&queue, 1025, &position), BITACTOR_FULL);
		CHECK_EQ(ba_queue_claim(&queue, 1000, &position), BITACTOR_OK);
		CHECK_EQ(ba_queue_claim(&queue, 25, &position), BITACTOR_FULL);
		CHECK_EQ(ba_queue_length(&queue), 1000);
		CHECK_EQ(ba_queue_claim(&queue, 24, &position), BITACTOR_OK);
		CHECK_EQ(position, 1000);
		CHECK_EQ(ba_queue_claim(&queue, 1, &position), BITACTOR_FULL);
		ba_queue_free(&queue, 1);
		CHECK_EQ(ba_queue_claim(&queue, 2, &position), BITACTOR_FULL);
		CHECK_EQ(ba_queue_claim(&queue, 1, &position), BITACTOR_OK);
		CHECK_EQ(position, 1024);
	}
}

static void
test_close(void)
{
	SCENARIO("a closed queue takes nothing and loses nothing") {
		GIVEN("two claimed positions, one of them published");
		WHEN("it is closed, and closed again");
		THEN("claims are CLOSED, lengths are true, the other can still be published");
		uint64_t position = 0;
		bitactor_signal_t signal = { .payload = 5 };
		begin_at(4, 40);
		CHECK(!ba_queue_is_closed(&queue));
		CHECK_EQ(ba_queue_claim(&queue, 2, &position), BITACTOR_OK);
		ba_queue_publish(&queue, 40, &signal, 0, 0);
		ba_queue_close(&queue);
		ba_queue_close(&queue);
		CHECK(ba_queue_is_closed(&queue));
		CHECK_EQ(ba_queue_claim(&queue, 1, &position), BITACTOR_CLOSED);
		CHECK_EQ(ba_queue_length(&queue), 2);
		CHECK_EQ(ba_queue_claimed(&queue), 42);
		CHECK(ba_queue_peek(&queue, 41) == NULL);
		ba_queue_publish(&queue, 41, &signal, 0, 0);
		CHECK(ba_queue_peek(&queue, 41) != NULL);
		ba_queue_free(&queue, 42);
		CHECK_EQ(ba_queue_length(&queue), 0);
		CHECK_EQ(ba_queue_claim(&queue, 1, &position), BITACTOR_CLOSED);
	}
}

static void
test_layout(void)
{
	SCENARIO("producers and consumer do not share lines") {
		GIVEN("the queue's layout");
		WHEN("its offsets are measured");
		THEN("slots, claim and head are 128 bytes apart, from an aligned base; a slot is a "
		     "line");
		CHECK_EQ(_Alignof(ba_queue_t), 128);
		CHECK(offsetof(ba_queue_t, claim) >= 128);
		CHECK_EQ(offsetof(ba_queue_t, claim) % 128, 0);
		CHECK(offsetof(ba_queue_t, head) - offsetof(ba_queue_t, claim) >= 128);
		CHECK(sizeof(ba_queue_t) - offsetof(ba_queue_t, head) >= 128);
		CHECK_EQ(sizeof(ba_slot_t), 64);
	}
}

/* ---- many threads ---------------------------------------------------- */

typedef struct producer {
	uint64_t number, count, full;
} producer_t;

static uint64_t per_producer;
static _Atomic bool storm_over;

/* Claims one to four at a time; those of a claim stay together. */
static void *
produce(void *argument)
{
	producer_t *producer = argument;
	for (uint64_t sent = 0; sent < per_producer;) {
		uint64_t position = 0, count = 1 + sent % 4;
		if (count > per_producer - sent)
			count = 1;
		if (ba_queue_claim(&queue, count, &position) != BITACTOR_OK) {
			producer->full++;
			sched_yield();
			continue;
		}
		for (uint64_t i = 0; i < count; i++) {
			bitactor_signal_t signal = { .id = (uint32_t)producer->number,
				                     .payload = sent + i, .context = i,
				                     .timestamp = count };
			ba_queue_publish(&queue, position + i, &signal, 0, 0);
		}
		sent += count;
	}
	return NULL;
}

static void *
sample_length(void *argument)
{
	uint64_t *bad = argument;
	while (!atomic_load(&storm_over)) {
		*bad += ba_queue_length(&queue) > queue.capacity;
		sched_yield();
	}
	return NULL;
}

/* Take what is there; how much. */
static uint64_t
consume(uint64_t *head, uint64_t next[PRODUCERS], bitactor_signal_t *last)
{
	uint64_t taken = 0;
	for (ba_slot_t *slot; (slot = ba_queue_peek(&queue, *head)) != NULL; taken++) {
		const bitactor_signal_t *signal = &slot->signal;
		if (signal->id >= PRODUCERS)
			abort();
		expect(signal->payload == next[signal->id]++);
		expect(signal->context == 0 ||
		       (last->id == signal->id && last->context + 1 == signal->context));
		*last = *signal;
		++*head;
		if (*head % 3 == 0) /* sometimes one by one, sometimes more */
			ba_queue_free(&queue, *head);
	}
	ba_queue_free(&queue, *head);
	return taken;
}

static void
test_storm(uint64_t capacity)
{
	SCENARIO(capacity == 4 ? "four producers, four slots" : "four producers, 1024 slots") {
		GIVEN("producers that claim one to four at a time, and a thread that counts");
		WHEN("one consumer takes it all");
		THEN("each signal comes once, in its producer's order, batches whole, never more "
		     "than the capacity");
		pthread_t  threads[PRODUCERS], sampler;
		producer_t producers[PRODUCERS];
		uint64_t   next[PRODUCERS] = { 0 }, head = 0, taken = 0, bad = 0;
		bitactor_signal_t last = { .id = PRODUCERS };
		wrong = 0;
		per_producer = probe_scale(capacity == 4 ? 20000 : 200000);
		atomic_store(&storm_over, false);
		begin_at(capacity, 0);
		CHECK_EQ(pthread_create(&sampler, NULL, sample_length, &bad), 0);
		for (uint64_t i = 0; i < PRODUCERS; i++) {
			producers[i] = (producer_t){ .number = i };
			CHECK_EQ(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
		}
		while (taken < PRODUCERS * per_producer) {
			uint64_t more = consume(&head, next, &last);
			taken += more;
			if (more == 0)
				sched_yield();
		}
		atomic_store(&storm_over, true);
		for (int i = 0; i < PRODUCERS; i++)
			pthread_join(threads[i], NULL);
		pthread_join(sampler, NULL);
		for (int i = 0; i < PRODUCERS; i++)
			CHECK_EQ(next[i], per_producer);
		CHECK_EQ(wrong, 0);
		CHECK_EQ(bad, 0);
		CHECK_EQ(ba_queue_length(&queue), 0);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	test_layout();
	test_exact_full();
	test_close();
	test_model(seed);
	test_storm(4);
	test_storm(1024);
	return bdd_close();
}
