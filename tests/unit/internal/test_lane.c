/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane.c -- the lane against an array, inside a handler, and when it is closed.
 *
 * Everything is done twice: as a lane claims with a barrier (unlocked, where the
 * machine can) and as it claims without.  The handlers that interrupt a claim at
 * every instruction are in tests/stress/test_lane_storm.c; closing under a thread
 * that claims is in tests/stress/test_store_buffer.c.
 */
#include <errno.h>
#include <signal.h>

#include "../../../bitactor/src/internal/lane.h"
#include "../../engine_probe.h"

enum { MOST = 64 };

static ba_slot_t slots[MOST];
static ba_lane_t lane;

_Noreturn void
ba_invariant_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

/* Nothing else runs here, so nothing needs to pass a barrier. */
static bool
pass_alone(void *context)
{
	(void)context;
	return true;
}

static ba_barrier_t with, without;

/* As if `start` positions had come and gone. */
static void
begin_at(const ba_barrier_t *barrier, uint64_t capacity, uint64_t start)
{
	ba_lane_init(&lane, slots, capacity, barrier);
	atomic_store(&lane.queue.claim, start);
	atomic_store(&lane.queue.head, start);
	atomic_store(&lane.room_end, start + capacity);
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
	bitactor_status_t status = ba_lane_claim(&lane, count, &position);
	expect(status == (fits ? BITACTOR_OK : BITACTOR_FULL));
	if (!fits || status != BITACTOR_OK)
		return;
	expect(position == model->claim);
	for (uint64_t i = 0; i < count; i++)
		model->published[(model->claim + i) % model->capacity] = false;
	model->claim += count;
}

/* Publish a claimed position and, if none behind it is published, more in place. */
static void
step_publish(model_t *model, uint64_t chance)
{
	uint64_t length = model->claim - model->head, count = 1;
	if (length == 0)
		return;
	uint64_t position = model->head + chance % length;
	if (model->published[position % model->capacity])
		return;
	while (position + count < model->claim && count < 4 &&
	       !model->published[(position + count) % model->capacity])
		count++;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t   at   = (position + i) % model->capacity;
		ba_slot_t *slot = ba_queue_slot(&lane.queue, position + i);
		slot->signal    = (bitactor_signal_t){ .payload = chance + i, .seal = 7 };
		model->published[at] = true;
		model->payload[at]   = chance + i;
	}
	ba_queue_publish_filled(&lane.queue, position, count);
}

/* Look at every position of the lap, free some of the published ones in front. */
static void
step_consume(model_t *model, uint64_t chance)
{
	uint64_t freed = 0;
	for (uint64_t position = model->head; position != model->head + model->capacity;
	     position++) {
		uint64_t   at   = position % model->capacity;
		ba_slot_t *slot = ba_queue_peek(&lane.queue, position);
		bool there = position < model->claim && model->published[at];
		expect((slot != NULL) == there);
		if (slot == NULL || !there)
			continue;
		expect(slot->signal.payload == model->payload[at]);
		expect(slot->signal.seal == 0);
	}
	while (model->head < model->claim && model->published[model->head % model->capacity] &&
	       freed < chance % 16) {
		model->head++;
		freed++;
	}
	if (freed > 0)
		ba_queue_free(&lane.queue, model->head);
}

static void
test_against_array(uint64_t seed, uint64_t capacity, uint64_t start)
{
	model_t model = { .head = start, .claim = start, .capacity = capacity };
	uint64_t random = seed, steps = probe_scale(1000000);
	begin_at(seed % 2 == 0 ? &with : &without, capacity, start);
	for (uint64_t i = 0; i < steps; i++) {
		uint64_t chance = probe_random(&random);
		if (chance % 4 == 0)
			step_claim(&model, (chance >> 8) % (capacity + 2) % 9);
		else if (chance % 4 < 3 || i % (2 * capacity) != 0)
			step_publish(&model, chance >> 3);
		if (i % (1 + capacity / 2) == 0)
			step_consume(&model, chance >> 8);
		expect(ba_queue_length(&lane.queue) == model.claim - model.head);
		expect(ba_queue_claimed(&lane.queue) == model.claim);
	}
	CHECK(model.head - start > steps / 64);
}

static void
test_model(uint64_t seed)
{
	static const uint64_t capacities[] = { 2, 4, 16, 64 };
	static const uint64_t starts[] = { 0, UINT32_MAX - 100u, (UINT64_C(1) << 62) - 100,
		                           UINT64_MAX / 4 - 7 };
	SCENARIO("the lane is the array, at every position") {
		GIVEN("lanes of 2 to 64 slots, beginning at 0, below 2^32 and about 2^62");
		WHEN("positions are claimed some at a time, filled in place, published in any "
		     "order, looked at and freed, 32 times a million steps");
		THEN("full, published, contents and length are the array's after every step");
		wrong = 0;
		for (uint64_t i = 0; i < 32; i++)
			test_against_array(2 * seed + i, capacities[i / 2 % 4],
			                   starts[i / 8] & ~(capacities[i / 2 % 4] - 1));
		CHECK_EQ(wrong, 0);
	}
}

/* ---- edges ----------------------------------------------------------- */

static void
test_exact_full(const ba_barrier_t *barrier)
{
	SCENARIO("full is exact, and asked of the head only when it seems full") {
		GIVEN("a lane of 64");
		WHEN("more is claimed at once than there is room for, and then just as much");
		THEN("FULL takes nothing; what was freed can be had at once; no count is too "
		     "large to be refused");
		uint64_t position = 77;
		begin_at(barrier, 64, 0);
		CHECK_EQ(ba_lane_claim(&lane, 65, &position), BITACTOR_FULL);
		CHECK_EQ(ba_lane_claim(&lane, UINT64_MAX, &position), BITACTOR_FULL);
		CHECK_EQ(ba_lane_claim(&lane, UINT64_MAX / 2 + 1, &position), BITACTOR_FULL);
		CHECK_EQ(position, 77);
		CHECK_EQ(ba_lane_claim(&lane, 60, &position), BITACTOR_OK);
		ba_queue_free(&lane.queue, 1);
		CHECK_EQ(ba_lane_claim(&lane, 4, &position), BITACTOR_OK);
		CHECK_EQ(atomic_load(&lane.room_end), 64); /* it fitted: no look at head */
		CHECK_EQ(ba_lane_claim(&lane, 2, &position), BITACTOR_FULL);
		CHECK_EQ(ba_queue_length(&lane.queue), 63);
		CHECK_EQ(ba_lane_claim(&lane, 1, &position), BITACTOR_OK);
		CHECK_EQ(position, 64);
		CHECK_EQ(atomic_load(&lane.room_end), 65);
	}
}

static void
test_stale_room(const ba_barrier_t *barrier)
{
	SCENARIO("an old idea of the room does no harm") {
		GIVEN("a lane whose thread was interrupted while it kept the head it had seen");
		WHEN("its handler has used more room than that, up to the last slot or not");
		THEN("the next claim asks the head: it fits, or is FULL");
		uint64_t position = 0;
		begin_at(barrier, 4, 100);
		CHECK_EQ(ba_lane_claim(&lane, 4, &position), BITACTOR_OK);
		ba_queue_free(&lane.queue, 104);
		CHECK_EQ(ba_lane_claim(&lane, 3, &position), BITACTOR_OK);
		atomic_store(&lane.room_end, 104); /* behind the claim, which is 107 */
		CHECK_EQ(ba_lane_claim(&lane, 2, &position), BITACTOR_FULL);
		atomic_store(&lane.room_end, 104);
		CHECK_EQ(ba_lane_claim(&lane, 1, &position), BITACTOR_OK);
		CHECK_EQ(position, 107);
	}
}

static void
test_stale_claim(const ba_barrier_t *barrier)
{
	SCENARIO("a claim that was overtaken is not made") {
		GIVEN("the number a thread read before its handler claimed that and more");
		WHEN("the thread goes on");
		THEN("its swap fails, changes nothing and tells it the number of now");
		uint64_t position = 0, stale = 200;
		begin_at(barrier, 4, 200);
		CHECK_EQ(ba_lane_claim(&lane, 3, &position), BITACTOR_OK);
		CHECK(!ba_lane_swap(&lane, &stale, 201));
		CHECK_EQ(stale, 203);
		CHECK_EQ(ba_queue_claimed(&lane.queue), 203);
		CHECK(ba_lane_swap(&lane, &stale, 204));
		CHECK_EQ(ba_queue_claimed(&lane.queue), 204);
	}
}

static void
test_layout(void)
{
	SCENARIO("the lane's thread and the consumer share no line") {
		GIVEN("the lane's layout");
		WHEN("its offsets are measured");
		THEN("claim, head and what the thread keeps are 128 bytes apart");
		CHECK_EQ(_Alignof(ba_lane_t), 128);
		CHECK(offsetof(ba_lane_t, room_end) -
		              (offsetof(ba_lane_t, queue) + offsetof(ba_queue_t, head)) >= 128);
		CHECK_EQ(offsetof(ba_lane_t, room_end) % 128, 0);
		begin_at(&with, 4, 0);
		CHECK_EQ(lane.unlocked, BA_LANE_CAN_UNLOCK);
		begin_at(&without, 4, 0);
		CHECK_EQ(lane.unlocked, 0);
	}
}

/* ---- a handler between claim and publish ------------------------------ */

static volatile sig_atomic_t handler_status = -1;

static void
on_signal(int number)
{
	uint64_t position = 0;
	bitactor_signal_t signal = { .id = 1, .payload = (uint64_t)number };
	bitactor_status_t status = ba_lane_claim(&lane, 1, &position);
	handler_status = (sig_atomic_t)status;
	if (status == BITACTOR_OK)
		ba_queue_publish_plain(&lane.queue, position, &signal);
}

static void
test_handler(const ba_barrier_t *barrier)
{
	SCENARIO("a handler that sends between a claim and its publish") {
		GIVEN("a thread that has claimed two of four slots");
		WHEN("three signals come, whose handler sends, and then it publishes");
		THEN("two are taken and one is FULL; none is seen before the thread's own two; "
		     "errno is nobody's");
		struct sigaction action = { .sa_handler = on_signal }, before;
		uint64_t position = 0;
		bitactor_signal_t two[2] = { { .payload = 10 }, { .payload = 11 } };
		begin_at(barrier, 4, 0);
		CHECK_EQ(sigaction(SIGUSR1, &action, &before), 0);
		errno = 4242;
		CHECK_EQ(ba_lane_claim(&lane, 2, &position), BITACTOR_OK);
		raise(SIGUSR1);
		CHECK_EQ(handler_status, BITACTOR_OK);
		raise(SIGUSR1);
		CHECK_EQ(handler_status, BITACTOR_OK);
		raise(SIGUSR1);
		CHECK_EQ(handler_status, BITACTOR_FULL);
		CHECK(ba_queue_peek(&lane.queue, 0) == NULL);
		CHECK(ba_queue_peek(&lane.queue, 2) != NULL);
		ba_queue_publish_many(&lane.queue, position, two, 2);
		CHECK_EQ(errno, 4242);
		for (uint64_t i = 0; i < 4; i++) {
			ba_slot_t *slot = ba_queue_peek(&lane.queue, i);
			CHECK(slot != NULL);
			if (slot == NULL)
				continue;
			CHECK_EQ(slot->signal.id, i / 2);
			CHECK_EQ(slot->signal.payload, i < 2 ? 10 + i : SIGUSR1);
		}
		CHECK_EQ(sigaction(SIGUSR1, &before, NULL), 0);
	}
}

/* ---- closing --------------------------------------------------------- */

static struct closer {
	uint64_t calls, overwrites, refuses_from;
} closer;

/* The lane's thread is in the middle of its claim each time, `overwrites` times. */
static bool
pass_late(void *context)
{
	(void)context;
	if (closer.calls++ >= closer.refuses_from)
		return false;
	if (closer.calls > 1 && closer.calls <= 1 + closer.overwrites)
		atomic_store(&lane.queue.claim, ba_queue_claimed(&lane.queue) + 1);
	return true;
}

static void
begin_late(ba_barrier_t *barrier, uint64_t overwrites, uint64_t refuses_from)
{
	closer = (struct closer){ .overwrites = overwrites, .refuses_from = refuses_from };
	ba_barrier_init(barrier, pass_late, NULL);
	begin_at(barrier, MOST, 0);
}

static void
test_close(const ba_barrier_t *barrier)
{
	SCENARIO("a closed lane takes nothing and loses nothing") {
		GIVEN("two claimed positions, one of them published");
		WHEN("it is closed, and closed again");
		THEN("claims are CLOSED, lengths are true, the other can still be published");
		uint64_t position = 0;
		bitactor_signal_t signal = { .payload = 5 };
		begin_at(barrier, 4, 40);
		CHECK(!ba_queue_is_closed(&lane.queue));
		CHECK_EQ(ba_lane_claim(&lane, 2, &position), BITACTOR_OK);
		ba_queue_publish_plain(&lane.queue, 40, &signal);
		CHECK(ba_lane_close(&lane));
		CHECK(ba_lane_close(&lane));
		CHECK(ba_queue_is_closed(&lane.queue));
		CHECK_EQ(ba_lane_claim(&lane, 1, &position), BITACTOR_CLOSED);
		CHECK_EQ(ba_queue_length(&lane.queue), 2);
		CHECK_EQ(ba_queue_claimed(&lane.queue), 42);
		CHECK(ba_queue_peek(&lane.queue, 41) == NULL);
		ba_queue_publish_plain(&lane.queue, 41, &signal);
		CHECK(ba_queue_peek(&lane.queue, 41) != NULL);
		ba_queue_free(&lane.queue, 42);
		CHECK_EQ(ba_queue_length(&lane.queue), 0);
		CHECK_EQ(ba_lane_claim(&lane, 1, &position), BITACTOR_CLOSED);
	}
}

static void
test_close_under_a_claim(void)
{
	SCENARIO("closing while a claim is in the middle of its instruction") {
		GIVEN("claims that write over the bit, thrice, without end, or a host that no "
		      "longer does barriers");
		WHEN("the lane is closed");
		THEN("it is closed after the fourth barrier; or the caller is told it is not, and "
		     "no claim is lost; a locked lane needs no barrier");
		ba_barrier_t barrier;
		uint64_t position = 0;
		if (!BA_LANE_CAN_UNLOCK) {
			begin_late(&barrier, 3, UINT64_MAX);
			CHECK(ba_lane_close(&lane));
			CHECK_EQ(closer.calls, BA_TSAN ? 0 : 1);
			continue;
		}
		begin_late(&barrier, 3, UINT64_MAX);
		CHECK(ba_lane_close(&lane));
		CHECK_EQ(closer.calls, 1 + 4); /* init asks once */
		CHECK_EQ(ba_queue_claimed(&lane.queue), 3);
		CHECK_EQ(ba_lane_claim(&lane, 1, &position), BITACTOR_CLOSED);

		begin_late(&barrier, 1000, UINT64_MAX);
		CHECK(!ba_lane_close(&lane));
		CHECK_EQ(ba_queue_claimed(&lane.queue), BA_LANE_CLOSE_ROUNDS);

		begin_late(&barrier, 0, 2);
		CHECK(ba_lane_close(&lane));
		CHECK(!ba_lane_close(&lane));
		begin_late(&barrier, 0, 0);
		CHECK(!lane.unlocked);
		CHECK(ba_lane_close(&lane));
		CHECK_EQ(closer.calls, 1);
	}
}

int
main(int argc, char **argv)
{
	uint64_t seed = probe_seed(argc, argv);
	ba_barrier_init(&with, pass_alone, NULL);
	ba_barrier_init(&without, NULL, NULL);
	test_layout();
	for (int i = 0; i < 2; i++) {
		const ba_barrier_t *barrier = i == 0 ? &with : &without;
		test_exact_full(barrier);
		test_stale_room(barrier);
		test_stale_claim(barrier);
		test_handler(barrier);
		test_close(barrier);
	}
	test_close_under_a_claim();
	test_model(seed);
	return bdd_close();
}
