/* SPDX-License-Identifier: Apache-2.0 */
/* test_lane_storm.c -- sends that are interrupted by handlers that send.
 *
 * Two ways in: a timer that interrupts a sending thread 10,000 times a second,
 * wherever it happens to be; and the processor's single step, which interrupts one
 * send after each of its instructions in turn, so that no place is left to luck.
 * Everything that was taken must come once, and each sender's in its order.
 *
 * What is tested is the lane, with and without a barrier, and the shared queue.
 * The naive lane, two steps in C with a gap between them, goes through the same
 * mill and must come out broken, or the mill grinds nothing.
 */
#include "../../bitactor/src/internal/lane.h"
#include "../engine_probe.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

enum { SLOTS = 1024, THREAD = 0, HANDLER = 1, SENDERS = 2 };

/* More than ever waits; the naive lane's tail goes back behind its head, and then
 * there is no end to what it has. */
enum { ALL = 4 * SLOTS };

/* ---- the doors ------------------------------------------------------- */

typedef struct door {
	const char *name;
	void (*begin)(uint64_t capacity);
	bitactor_status_t (*send)(uint32_t sender, uint64_t number);
	const bitactor_signal_t *(*look)(void); /* the next one, or NULL */
	void (*free)(void);                     /* it has been looked at */
	bool broken;
} door_t;

static ba_slot_t slots[SLOTS];
static uint64_t  at; /* the consumer's position */

static bool
pass_unasked(void *context)
{
	(void)context; /* nothing is closed here, so nobody asks */
	return true;
}

static ba_barrier_t with, without;
static ba_lane_t    lane;

static void
lane_begin_with(uint64_t capacity)
{
	ba_barrier_init(&with, pass_unasked, NULL);
	ba_lane_init(&lane, slots, capacity, &with);
	at = 0;
}

static void
lane_begin_without(uint64_t capacity)
{
	ba_barrier_init(&without, NULL, NULL);
	ba_lane_init(&lane, slots, capacity, &without);
	at = 0;
}

static bitactor_status_t
lane_send(uint32_t sender, uint64_t number)
{
	uint64_t position = 0;
	bitactor_status_t status = ba_lane_claim(&lane, 1, &position);
	if (status != BITACTOR_OK)
		return status;
	bitactor_signal_t signal = { .id = sender, .payload = number, .context = ~number };
	ba_queue_publish_plain(&lane.queue, position, &signal);
	return BITACTOR_OK;
}

static const bitactor_signal_t *
lane_look(void)
{
	const ba_slot_t *slot = ba_queue_peek(&lane.queue, at);
	return slot != NULL ? &slot->signal : NULL;
}

static void
lane_free(void)
{
	ba_queue_free(&lane.queue, ++at);
}

static ba_queue_t queue;

static void
queue_begin(uint64_t capacity)
{
	ba_queue_init(&queue, slots, capacity);
	at = 0;
}

static bitactor_status_t
queue_send(uint32_t sender, uint64_t number)
{
	uint64_t position = 0;
	bitactor_status_t status = ba_queue_claim(&queue, 1, &position);
	if (status != BITACTOR_OK)
		return status;
	bitactor_signal_t signal = { .id = sender, .payload = number, .context = ~number };
	ba_queue_publish_plain(&queue, position, &signal);
	return BITACTOR_OK;
}

static const bitactor_signal_t *
queue_look(void)
{
	const ba_slot_t *slot = ba_queue_peek(&queue, at);
	return slot != NULL ? &slot->signal : NULL;
}

static void
queue_free(void)
{
	ba_queue_free(&queue, ++at);
}

/* The lane of the textbook: right for one thread, and not for its handlers. */
static struct naive {
	bitactor_signal_t slots[SLOTS];
	uint64_t          capacity;
	_Atomic uint64_t  head, tail;
	uint64_t          raise_every; /* 0: never */
} naive;

static void
naive_begin(uint64_t capacity)
{
	naive.capacity    = capacity;
	naive.raise_every = 0;
	atomic_store(&naive.head, 0);
	atomic_store(&naive.tail, 0);
}

static bitactor_status_t
naive_send(uint32_t sender, uint64_t number)
{
	uint64_t tail = atomic_load_explicit(&naive.tail, memory_order_relaxed);
	if (tail - atomic_load_explicit(&naive.head, memory_order_acquire) >= naive.capacity)
		return BITACTOR_FULL;
	naive.slots[tail % naive.capacity] =
	        (bitactor_signal_t){ .id = sender, .payload = number, .context = ~number };
	if (sender == THREAD && naive.raise_every != 0 && number % naive.raise_every == 0)
		raise(SIGALRM); /* what a timer does here sooner or later */
	atomic_store_explicit(&naive.tail, tail + 1, memory_order_release);
	return BITACTOR_OK;
}

static const bitactor_signal_t *
naive_look(void)
{
	uint64_t head = atomic_load_explicit(&naive.head, memory_order_relaxed);
	if (head == atomic_load_explicit(&naive.tail, memory_order_acquire))
		return NULL;
	return &naive.slots[head % naive.capacity];
}

static void
naive_free(void)
{
	uint64_t head = atomic_load_explicit(&naive.head, memory_order_relaxed);
	atomic_store_explicit(&naive.head, head + 1, memory_order_release);
}

static const door_t doors[] = {
	{ "a lane with a barrier", lane_begin_with, lane_send, lane_look, lane_free, false },
	{ "a lane without", lane_begin_without, lane_send, lane_look, lane_free, false },
	{ "the shared queue", queue_begin, queue_send, queue_look, queue_free, false },
	{ "the naive lane", naive_begin, naive_send, naive_look, naive_free, true },
};

enum { LANE, LOCKED_LANE, QUEUE, NAIVE, DOORS };

/* ---- who sends, who receives ------------------------------------------ */

static const door_t *door;

static struct sent { /* each written by its sender alone */
	uint64_t taken[SENDERS], full[SENDERS], other[SENDERS];
	volatile sig_atomic_t interrupts;
} sent;

static struct received {
	uint64_t count[SENDERS], next[SENDERS], wrong;
} received;

static void
begin(const door_t *of, uint64_t capacity)
{
	door = of;
	memset(&sent, 0, sizeof sent);
	memset(&received, 0, sizeof received);
	door->begin(capacity);
}

static void
send_one(uint32_t sender)
{
	bitactor_status_t status = door->send(sender, sent.taken[sender]);
	sent.taken[sender] += status == BITACTOR_OK;
	sent.full[sender] += status == BITACTOR_FULL;
	sent.other[sender] += status != BITACTOR_OK && status != BITACTOR_FULL;
}

/* Take up to `most`; how many there were. */
static uint64_t
take(uint64_t most)
{
	uint64_t taken = 0;
	for (const bitactor_signal_t *signal; taken < most && (signal = door->look()) != NULL;
	     taken++) {
		uint32_t sender = signal->id % SENDERS;
		received.wrong += signal->id >= SENDERS || signal->context != ~signal->payload ||
		                  signal->payload != received.next[sender];
		received.next[sender] = signal->payload + 1;
		received.count[sender]++;
		door->free();
	}
	return taken;
}

/* What was taken at the door and is not here, by either side's count, or is here
 * twice, changed or out of order. */
static uint64_t
amiss(void)
{
	uint64_t sum = received.wrong;
	for (int i = 0; i < SENDERS; i++)
		sum += received.count[i] != sent.taken[i] || received.next[i] != sent.taken[i];
	return sum;
}

/* ---- a timer --------------------------------------------------------- */

static void
on_alarm(int number)
{
	(void)number; /* errno is not kept here: nobody below may touch it */
	for (int i = 0; i < 3; i++)
		send_one(HANDLER);
	sent.interrupts++;
}

static uint64_t
milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ThreadSanitizer holds a signal back until the next call of the C library: the
 * clock is asked often enough. */
static void
send_under_alarms(bool takes_too, uint64_t for_ms)
{
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, before;
	struct itimerval often = { .it_interval = { .tv_usec = 100 },
		                   .it_value = { .tv_usec = 100 } }, never = { { 0 }, { 0 } };
	uint64_t ends = milliseconds() + probe_scale(PROBE_SANITIZED ? 4 * for_ms : for_ms);
	CHECK_EQ(sigaction(SIGALRM, &action, &before), 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
	errno = 4242;
	while (milliseconds() < ends) {
		uint64_t full = sent.full[THREAD];
		for (int i = 0; i < 64; i++) {
			send_one(THREAD);
			if (takes_too && i % 7 == 0)
				take(16);
		}
		if (sent.full[THREAD] != full)
			sched_yield();
	}
	CHECK_EQ(errno, 4242);
	CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
	CHECK_EQ(sigaction(SIGALRM, &before, NULL), 0);
}

static _Atomic bool consumer_ends;

static void *
take_until_told(void *argument)
{
	(void)argument;
	for (;;) {
		bool last = atomic_load(&consumer_ends);
		if (take(64) > 0)
			continue;
		if (last)
			return NULL;
		sched_yield();
	}
}

static void
print_storm(void)
{
	printf("  %d alarms; taken %" PRIu64 " + %" PRIu64 ", full %" PRIu64 " + %" PRIu64
	       ", received %" PRIu64 " + %" PRIu64 ", out of order %" PRIu64 "\n",
	       (int)sent.interrupts, sent.taken[THREAD], sent.taken[HANDLER], sent.full[THREAD],
	       sent.full[HANDLER], received.count[THREAD], received.count[HANDLER],
	       received.wrong);
}

static void
test_storm(const door_t *of, bool other_thread)
{
	static char title[80];
	snprintf(title, sizeof title, "alarms in %s, %s", of->name,
	         other_thread ? "another thread takes" : "the same thread takes");
	SCENARIO(title) {
		GIVEN("a thread that sends, and 10,000 alarms a second whose handler sends three");
		WHEN("what is there is taken");
		THEN("it is what either was told was taken, once, each in its order");
		pthread_t consumer;
		sigset_t  alarm, before;
		begin(of, SLOTS);
		atomic_store(&consumer_ends, false);
		sigemptyset(&alarm);
		sigaddset(&alarm, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &alarm, &before); /* the consumer must not get them */
		if (other_thread)
			CHECK_EQ(pthread_create(&consumer, NULL, take_until_told, NULL), 0);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		send_under_alarms(!other_thread, 2000);
		atomic_store(&consumer_ends, true);
		if (other_thread)
			pthread_join(consumer, NULL);
		else
			take(ALL);
		print_storm();
		CHECK(sent.interrupts > 10);
		CHECK(sent.taken[HANDLER] > 0);
		CHECK_EQ(sent.taken[HANDLER] + sent.full[HANDLER], 3 * sent.interrupts);
		CHECK_EQ(sent.other[THREAD] + sent.other[HANDLER], 0);
		CHECK_EQ(amiss(), 0);
	}
}

static void
test_naive_storm(void)
{
	SCENARIO("the naive lane does not survive it") {
		GIVEN("the naive lane, and a signal between its two steps now and then");
		WHEN("the same is done to it");
		THEN("it loses signals and order: the storm would have seen it");
		begin(&doors[NAIVE], SLOTS);
		naive.raise_every = 1000;
		send_under_alarms(true, 500);
		take(ALL);
		print_storm();
		CHECK(amiss() != 0);
		CHECK(received.count[HANDLER] < sent.taken[HANDLER]);
	}
}

/* ---- every instruction ------------------------------------------------ */

#if defined(__x86_64__) && !BA_TSAN
enum { CAN_STEP = 1, TRAP_FLAG = 0x100 };

static void
single_step(bool on)
{
	uint64_t flags = __builtin_ia32_readeflags_u64();
	__builtin_ia32_writeeflags_u64(on ? flags | TRAP_FLAG : flags & ~(uint64_t)TRAP_FLAG);
}
#else
enum { CAN_STEP = 0 };

static void
single_step(bool on)
{
	(void)on;
}
#endif

static struct step {
	uint64_t traps, strikes_at; /* instructions so far; after which to send */
	bool     takes_too;         /* and everything that is there is taken first */
} step;

/* The rest of the send then runs through. */
static void
stop_stepping(void *context)
{
#if defined(__x86_64__) && !BA_TSAN
	((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
#else
	(void)context;
#endif
}

static void
on_step(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	if (step.traps++ != step.strikes_at)
		return;
	stop_stepping(context);
	if (step.takes_too)
		take(ALL);
	for (int i = 0; i < 3; i++)
		send_one(HANDLER);
	if (step.takes_too)
		take(ALL);
}

/* One send, with `filled` of four slots in use, interrupted after instruction
 * `strikes_at`; false: it has no so many. */
static bool
send_and_strike(const door_t *of, uint64_t filled, uint64_t strikes_at, uint64_t *wrong)
{
	uint64_t room = 4 - filled;
	begin(of, 4);
	for (uint64_t i = 0; i < 5; i++) { /* not from position 0, and with old sequences */
		send_one(THREAD);
		take(1);
	}
	for (uint64_t i = 0; i < filled; i++)
		send_one(THREAD);
	uint64_t before = sent.taken[THREAD];
	step.traps      = 0;
	step.strikes_at = strikes_at;
	single_step(true);
	send_one(THREAD);
	single_step(false);
	take(ALL);
	uint64_t taken = sent.taken[THREAD] - before + sent.taken[HANDLER];
	*wrong += amiss() != 0;
	if (step.traps <= strikes_at)
		return false;
	if (!step.takes_too) /* full is exact: no slot stays empty */
		*wrong += taken != (room < 4 ? room : 4);
	else
		*wrong += sent.taken[HANDLER] != 3;
	return true;
}

/* A sanitizer makes hundreds of instructions of a send: each fifth, from another
 * one with another fill. */
enum { STRIDE = PROBE_SANITIZED ? 5 : 1 };

static void
test_every_instruction(const door_t *of)
{
	static char title[80];
	snprintf(title, sizeof title, "a signal after every instruction of a send: %s", of->name);
	SCENARIO(title) {
		GIVEN("four slots, none to all of them in use");
		WHEN("one send is interrupted, at each of its instructions in turn, by a handler "
		     "that sends three, and perhaps takes what is there");
		THEN(of->broken ? "signals are lost at some of them"
		                : "all that was taken comes, in order, and none is refused while "
		                  "there is room");
		struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
		struct sigaction before;
		uint64_t places = 0, wrong = 0;
		CHECK_EQ(sigaction(SIGTRAP, &action, &before), 0);
		for (uint64_t i = 0; i < 10; i++) {
			step.takes_too = i >= 5;
			for (uint64_t n = i % STRIDE; send_and_strike(of, i % 5, n, &wrong);
			     n += STRIDE)
				places++;
		}
		CHECK_EQ(sigaction(SIGTRAP, &before, NULL), 0);
		printf("  %" PRIu64 " places, %" PRIu64 " wrong\n", places, wrong);
		CHECK(places > 100);
		CHECK((wrong != 0) == of->broken);
	}
}

int
main(void)
{
	for (int i = 0; CAN_STEP && i < DOORS; i++)
		test_every_instruction(&doors[i]);
	for (int i = LANE; i <= QUEUE; i++)
		for (int other_thread = 0; other_thread < 2; other_thread++)
			test_storm(&doors[i], other_thread);
	test_naive_storm();
	return bdd_close();
}
