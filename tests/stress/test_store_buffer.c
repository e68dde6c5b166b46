/* SPDX-License-Identifier: Apache-2.0 */
/* test_store_buffer.c -- what barrier.h is for, on the machine, with and without it.
 *
 *      sleeper   asleep = 1; barrier; is there a signal?      no: sleeps
 *      producer  publishes a signal; asleep?                  no: wakes nobody
 *
 * Both "no" in one round is a wake-up lost for good.  Rounds are played on two
 * cores, begun together and drawn apart a little at random.  The same rounds with
 * a barrier that does nothing must lose some, or they show nothing; so must the
 * closing of a lane.  And two threads play ping-pong and sleep between strokes, on
 * futexes, by the same order.
 *
 * Where other work takes the cores away a round lasts a slice of the scheduler.  So
 * what is repeated ends after FOR_MS as well, with as many rounds as there were.
 */
#include "../../bitactor/src/internal/lane.h"
#include "../../bitactor/src/internal/wake.h"
#include "../engine_probe.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLOTS = 64, BALLAST = 24, FOR_MS = 3000, LEAST_ROUNDS = 200 };

/* ---- the host -------------------------------------------------------- */

static bool
pass_membarrier(void *context)
{
	(void)context;
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

/* The barrier removed on purpose. */
static bool
pass_nothing(void *context)
{
	(void)context;
	return true;
}

/* Two CPUs to play on; false: there is one only. */
static int cpus[2];

static bool
find_cpus(void)
{
	cpu_set_t allowed;
	int found = 0;
	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof allowed, &allowed);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[found++] = (int)cpu;
	return found == 2;
}

/* Two threads on one core never have two store buffers. */
static void
stay_on(int cpu)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void
wait_until(_Atomic uint64_t *word, uint64_t value)
{
	for (uint64_t i = 1; atomic_load_explicit(word, memory_order_acquire) != value; i++)
		if (i % 4096 == 0)
			sched_yield(); /* the other may wait for this core */
}

static void
delay(uint64_t loops)
{
	for (volatile uint64_t i = loops; i > 0; i--)
		;
}

static uint64_t
now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Asked by the side that says when it ends. */
static bool
is_last(uint64_t round, uint64_t rounds, uint64_t ends_ns)
{
	return round == rounds || (round >= LEAST_ROUNDS && now_ns() >= ends_ns);
}

/* ---- one sleeper, one producer, one signal a round -------------------- */

typedef struct line {
	_Alignas(128) _Atomic uint64_t word;
} line_t;

static struct litmus {
	line_t begun, looked;
	line_t ballast[BALLAST]; /* what a producer fills before it publishes */
	ba_slot_t    slots[SLOTS];
	ba_queue_t   queue;
	ba_barrier_t barrier;
	ba_wake_t    wake;
	bool         last;        /* round; written by the producer, before `begun` */
	uint64_t     delay_loops; /* the sleeper's in this round; likewise */
	bool         woken;       /* the producer saw `asleep` */
	bool         saw;         /* the sleeper saw the signal; written before `looked` */
} litmus;

static void
litmus_wake(void *context)
{
	((struct litmus *)context)->woken = true;
}

static void *
sleeper(void *argument)
{
	(void)argument;
	stay_on(cpus[1]);
	bool last = false;
	for (uint64_t round = 1; !last; round++) {
		wait_until(&litmus.begun.word, round);
		last = litmus.last;
		bool early = ba_queue_peek(&litmus.queue, round - 1) != NULL;
		delay(litmus.delay_loops);
		bool ready = ba_wake_prepare(&litmus.wake);
		litmus.saw = ba_queue_peek(&litmus.queue, round - 1) != NULL || early || !ready;
		for (int i = 0; i < BALLAST; i++) /* its lines are now on this core */
			atomic_fetch_add_explicit(&litmus.ballast[i].word, 1, memory_order_relaxed);
		atomic_store_explicit(&litmus.looked.word, round, memory_order_release);
	}
	return NULL;
}

/* Publish one signal in this round, `delay_loops` after it begins. */
static void
play_round(uint64_t round, uint64_t delay_loops)
{
	bitactor_signal_t signal = { .payload = round };
	uint64_t position = 0;
	CHECK_EQ(ba_queue_claim(&litmus.queue, 1, &position), BITACTOR_OK);
	ba_wake_cancel(&litmus.wake); /* the sleeper waits for the round: alone here */
	litmus.woken = false;
	atomic_store_explicit(&litmus.begun.word, round, memory_order_release);
	delay(delay_loops);
	for (int i = 0; i < BALLAST; i++)
		atomic_store_explicit(&litmus.ballast[i].word, round, memory_order_relaxed);
	ba_queue_publish_plain(&litmus.queue, position, &signal);
	ba_wake_published(&litmus.wake);
	wait_until(&litmus.looked.word, round);
	ba_queue_free(&litmus.queue, position + 1);
}

/* The producer's half, of `rounds` or until about `enough` are lost.  If it saw `asleep`
 * it was late and goes earlier, else the other way, in larger steps the longer the
 * way: so it stays where one of the two begins to see the other, and where a barrier
 * is needed. */
static uint64_t
play(uint64_t rounds, uint64_t enough, uint64_t *played)
{
	uint64_t random = 7, lost = 0, round = 0;
	uint64_t ends_ns = enough == UINT64_MAX ? now_ns() + FOR_MS * UINT64_C(1000000)
	                                        : UINT64_MAX; /* until it is lost */
	int64_t  lead = 0; /* loops that the producer is held back; below 0, the sleeper */
	int64_t  step = 0;
	do {
		uint64_t behind = probe_random(&random) % 16, ahead = probe_random(&random) % 16;
		litmus.last        = is_last(++round, rounds, ends_ns) || lost + 1 >= enough;
		litmus.delay_loops = ahead + (uint64_t)(lead < 0 ? -lead : 0);
		play_round(round, behind + (uint64_t)(lead > 0 ? lead : 0));
		step = litmus.woken ? (step < 0 && step > -32 ? 2 * step : -1)
		                    : (step > 0 && step < 32 ? 2 * step : 1);
		lead += litmus.woken || litmus.saw ? step : 0;
		lost += !litmus.woken && !litmus.saw;
	} while (!litmus.last);
	*played = round;
	return lost;
}

static uint64_t
count_lost(bool (*pass)(void *context), uint64_t rounds, uint64_t enough)
{
	const ba_wake_host_t host = { .context = &litmus, .wake = litmus_wake };
	cpu_set_t before;
	pthread_t thread;
	uint64_t  played = 0;
	memset(&litmus, 0, sizeof litmus);
	ba_queue_init(&litmus.queue, litmus.slots, SLOTS);
	ba_barrier_init(&litmus.barrier, pass, NULL);
	ba_wake_init(&litmus.wake, &litmus.barrier, &host);
	CHECK_EQ(litmus.wake.exchanges, pass == NULL);
	sched_getaffinity(0, sizeof before, &before);
	CHECK_EQ(pthread_create(&thread, NULL, sleeper, NULL), 0);
	stay_on(cpus[0]);
	uint64_t lost = play(rounds, enough, &played);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof before, &before);
	printf("  %" PRIu64 " lost in %" PRIu64 " rounds\n", lost, played);
	return lost;
}

static void
test_litmus(bool can_membarrier)
{
	SCENARIO("no wake-up is lost without a barrier, where producers exchange") {
		GIVEN("a sleeper and a producer on two cores, drawn together round by round");
		WHEN("the producer asks by exchange");
		THEN("in every round one sees the other");
		CHECK_EQ(count_lost(NULL, probe_scale(500000), UINT64_MAX), 0);
	}
	if (BA_TSAN || !can_membarrier) {
		printf("skipped: %s\n", BA_TSAN ? "ThreadSanitizer sees no membarrier"
		                                : "no membarrier here");
		return;
	}
	SCENARIO("no wake-up is lost with the sleeper's barrier") {
		GIVEN("the same two");
		WHEN("the sleeper's barrier is membarrier and the producer asks by one load");
		THEN("in every round one sees the other");
		CHECK_EQ(count_lost(pass_membarrier, probe_scale(100000), UINT64_MAX), 0);
	}
	SCENARIO("without any barrier wake-ups are lost: the rounds can tell") {
		GIVEN("the same two");
		WHEN("the barrier is taken away, and nothing else is changed");
		THEN("in some rounds neither sees the other");
		CHECK(count_lost(pass_nothing, 5000000, 100) > 0);
	}
}

/* ---- what the exchange carries ---------------------------------------- */

enum { CARRIED = 2000 };

static struct carry {
	line_t token, taken; /* relaxed; release */
	/* Plain, one a round: ordered by `asleep`, or a race. */
	uint64_t before_sleep[CARRIED + 1], before_publish[CARRIED + 1];
	uint64_t round; /* the waker's */
	uint64_t wrong_awake, wrong_waking;
	ba_barrier_t barrier;
	ba_wake_t    wake;
} carry;

static void
carry_wake(void *context)
{
	(void)context;
	uint64_t round = carry.round;
	carry.wrong_waking += carry.before_sleep[round] != round;
	atomic_store_explicit(&carry.token.word, round, memory_order_relaxed);
}

static void *
carry_sleep(void *argument)
{
	(void)argument;
	for (uint64_t round = 1; round <= CARRIED; round++) {
		carry.before_sleep[round] = round;
		(void)ba_wake_prepare(&carry.wake);
		while (atomic_load_explicit(&carry.token.word, memory_order_relaxed) != round)
			sched_yield();
		ba_wake_cancel(&carry.wake);
		carry.wrong_awake += carry.before_publish[round] != round;
		atomic_store_explicit(&carry.taken.word, round, memory_order_release);
	}
	return NULL;
}

static void
test_carry(void)
{
	SCENARIO("what came before is there, for who wakes and for who is woken") {
		GIVEN("a word written before going to sleep, one before waking, and nothing else "
		      "that orders them");
		WHEN("one thread wakes the other again and again");
		THEN("each reads the other's word of this round; ThreadSanitizer sees no race");
		const ba_wake_host_t host = { .wake = carry_wake };
		pthread_t thread;
		memset(&carry, 0, sizeof carry);
		ba_barrier_init(&carry.barrier, NULL, NULL);
		ba_wake_init(&carry.wake, &carry.barrier, &host);
		CHECK_EQ(pthread_create(&thread, NULL, carry_sleep, NULL), 0);
		for (uint64_t round = 1; round <= CARRIED; round++) {
			carry.round                 = round;
			carry.before_publish[round] = round;
			while (atomic_load_explicit(&carry.token.word, memory_order_relaxed) !=
			       round) {
				ba_wake_published(&carry.wake);
				sched_yield();
			}
			wait_until(&carry.taken.word, round);
		}
		pthread_join(thread, NULL);
		CHECK_EQ(carry.wrong_awake, 0);
		CHECK_EQ(carry.wrong_waking, 0);
	}
}

/* ---- closing a lane under its thread ---------------------------------- */

static struct closing {
	line_t begun, over, ended;
	ba_slot_t    slots[SLOTS];
	ba_lane_t    lane;
	ba_barrier_t barrier;
	uint64_t     taken;  /* by the lane, as its thread was told; written before `ended` */
	bool         closed; /* its thread was told; likewise */
	bool         last;   /* round; written before `begun` */
} closing;

/* The lane's thread: sends until it is told CLOSED, or that nobody waits for that. */
static void *
send_until_closed(void *argument)
{
	bool last = false;
	(void)argument;
	stay_on(cpus[0]);
	for (uint64_t round = 1; !last; round++) {
		bool over = false;
		wait_until(&closing.begun.word, round);
		last           = closing.last;
		closing.taken  = 0;
		closing.closed = false;
		while (!over && !closing.closed) {
			/* acquire: the last claim comes after the close */
			over = atomic_load_explicit(&closing.over.word, memory_order_acquire) ==
			       round;
			bitactor_signal_t signal = { .payload = closing.taken };
			uint64_t position = 0;
			bitactor_status_t status = ba_lane_claim(&closing.lane, 1, &position);
			if (status == BITACTOR_OK) {
				ba_queue_publish_plain(&closing.lane.queue, position, &signal);
				closing.taken++;
			}
			closing.closed = status == BITACTOR_CLOSED;
		}
		atomic_store_explicit(&closing.ended.word, round, memory_order_release);
	}
	return NULL;
}

/* Take for a while, close, and see whether that was the end; true if it was. */
static bool
close_once(uint64_t round, uint64_t take)
{
	uint64_t head = 0, idle = 0;
	ba_lane_init(&closing.lane, closing.slots, SLOTS, &closing.barrier);
	atomic_store_explicit(&closing.begun.word, round, memory_order_release);
	while (head < take)
		if (ba_queue_peek(&closing.lane.queue, head) != NULL)
			ba_queue_free(&closing.lane.queue, ++head);
		else if (++idle % 4096 == 0)
			sched_yield();
	bool     done  = ba_lane_close(&closing.lane);
	uint64_t final = ba_queue_claimed(&closing.lane.queue);
	delay(200); /* who comes behind the close has time to */
	atomic_store_explicit(&closing.over.word, round, memory_order_release);
	wait_until(&closing.ended.word, round);
	return done && closing.closed && closing.taken == final;
}

static uint64_t
count_open(bool (*pass)(void *context), uint64_t rounds, uint64_t enough)
{
	cpu_set_t before;
	pthread_t thread;
	uint64_t  random = 5, open = 0, round = 0;
	uint64_t  ends_ns = enough == UINT64_MAX ? now_ns() + FOR_MS * UINT64_C(1000000)
	                                         : UINT64_MAX;
	memset(&closing, 0, sizeof closing);
	ba_barrier_init(&closing.barrier, pass, NULL);
	sched_getaffinity(0, sizeof before, &before);
	CHECK_EQ(pthread_create(&thread, NULL, send_until_closed, NULL), 0);
	stay_on(cpus[1]);
	do {
		closing.last = is_last(++round, rounds, ends_ns) || open + 1 >= enough;
		open += !close_once(round, probe_random(&random) % 200);
	} while (!closing.last);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof before, &before);
	printf("  %" PRIu64 " of %" PRIu64 " not closed\n", open, round);
	return open;
}

static void
test_closing(bool can_membarrier)
{
	SCENARIO("a lane without a barrier is closed for good") {
		GIVEN("a thread that sends on its lane without pause, claims being locked");
		WHEN("another takes, and closes it");
		THEN("every time the sender is told, and has sent no more than the closer saw");
		CHECK_EQ(count_open(NULL, probe_scale(20000), UINT64_MAX), 0);
	}
	if (!BA_LANE_CAN_UNLOCK || !can_membarrier) {
		printf("skipped: claims are always locked here\n");
		return;
	}
	SCENARIO("a lane with a barrier is closed for good") {
		GIVEN("the same two, claims being unlocked");
		WHEN("the closer passes membarrier");
		THEN("every time the sender is told, and has sent no more than the closer saw");
		CHECK_EQ(count_open(pass_membarrier, probe_scale(20000), UINT64_MAX), 0);
	}
	SCENARIO("without its barrier close is not the end: the rounds can tell") {
		GIVEN("the same two");
		WHEN("the barrier is taken away, and nothing else is changed");
		THEN("sometimes a claim writes over the close");
		CHECK(count_open(pass_nothing, 2000000, 10) > 0);
	}
}

/* ---- ping-pong -------------------------------------------------------- */

#define LONG_NS UINT64_C(10000000000) /* a stroke that is lost would take this long */

typedef struct player {
	ba_lane_t in; /* the other one sends on it */
	ba_slot_t slots[4];
	ba_wake_t wake;
	_Alignas(128) _Atomic uint32_t token; /* the futex; 1: somebody woke it */
	uint64_t parks, lost; /* lost: it was there, and nobody had woken the player */
	uint64_t random, returned, sum;
	struct player *other;
} player_t;

static void
player_park(void *context, uint64_t deadline_ns)
{
	player_t *player = context;
	struct timespec until = { .tv_sec  = (time_t)(deadline_ns / 1000000000u),
		                  .tv_nsec = (long)(deadline_ns % 1000000000u) };
	player->parks++;
	while (atomic_exchange(&player->token, 0) == 0 && now_ns() < deadline_ns)
		syscall(SYS_futex, &player->token, FUTEX_WAIT_BITSET_PRIVATE, 0, &until, NULL,
		        FUTEX_BITSET_MATCH_ANY);
}

static void
player_wake(void *context)
{
	player_t *player = context;
	int saved = errno;
	if (atomic_exchange(&player->token, 1) == 0)
		syscall(SYS_futex, &player->token, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = saved;
}

/* The next signal; sleeps until it is there. */
static const bitactor_signal_t *
player_wait(player_t *player, uint64_t position)
{
	const ba_slot_t *slot;
	while ((slot = ba_queue_peek(&player->in.queue, position)) == NULL) {
		delay(probe_random(&player->random) % 4 == 0 ? 3000 : 0);
		if (!ba_wake_prepare(&player->wake)) {
			sched_yield();
			continue;
		}
		if (ba_queue_peek(&player->in.queue, position) != NULL) {
			ba_wake_cancel(&player->wake);
			continue;
		}
		uint64_t deadline_ns = now_ns() + LONG_NS;
		ba_wake_sleep(&player->wake, deadline_ns);
		player->lost += now_ns() >= deadline_ns &&
		                ba_queue_peek(&player->in.queue, position) != NULL;
	}
	return &slot->signal;
}

static void
player_send(player_t *player, uint64_t payload, bool last)
{
	uint64_t position = 0;
	bitactor_signal_t signal = { .payload = payload, .flags = last };
	if (ba_lane_claim(&player->other->in, 1, &position) != BITACTOR_OK)
		abort(); /* one is on its way at a time */
	ba_queue_publish_plain(&player->other->in.queue, position, &signal);
	ba_wake_published(&player->other->wake);
}

/* Wait for one and take it; true: it was the last. */
static bool
player_take(player_t *player)
{
	bitactor_signal_t signal = *player_wait(player, player->returned);
	ba_queue_free(&player->in.queue, ++player->returned);
	player->sum += signal.payload;
	return signal.flags != 0;
}

/* Return each one, until the last. */
static void *
player_return(void *argument)
{
	player_t *player = argument;
	bool last = false;
	while (!last) {
		last = player_take(player);
		player_send(player, player->returned, last);
	}
	return NULL;
}

static void
player_begin(player_t *player, player_t *other, const ba_barrier_t *barrier)
{
	const ba_wake_host_t host = { player, player_park, player_wake };
	memset(player, 0, sizeof *player);
	ba_lane_init(&player->in, player->slots, 4, barrier);
	ba_wake_init(&player->wake, barrier, &host);
	player->other  = other;
	player->random = (uint64_t)(uintptr_t)player;
}

static void
test_ping_pong(bool (*pass)(void *context), uint64_t most)
{
	SCENARIO(pass != NULL ? "ping-pong, asleep in between, with membarrier"
	                      : "ping-pong, asleep in between, by exchange") {
		GIVEN("two threads with a lane to each, which sleep on a futex for the next one");
		WHEN("one serves and the other returns");
		THEN("every stroke comes, and no sleeper is left with one");
		static player_t ping, pong;
		ba_barrier_t barrier;
		pthread_t    thread;
		bool         last = false;
		uint64_t     ends_ns = now_ns() + FOR_MS * UINT64_C(1000000);
		ba_barrier_init(&barrier, pass, NULL);
		player_begin(&ping, &pong, &barrier);
		player_begin(&pong, &ping, &barrier);
		CHECK_EQ(pthread_create(&thread, NULL, player_return, &pong), 0);
		while (!last) {
			uint64_t round = ping.returned + 1;
			player_send(&ping, round, is_last(round, most, ends_ns));
			last = player_take(&ping);
		}
		pthread_join(thread, NULL);
		printf("  %" PRIu64 " there and back, slept %" PRIu64 " + %" PRIu64 " times\n",
		       ping.returned, ping.parks, pong.parks);
		CHECK_EQ(ping.returned, pong.returned);
		CHECK_EQ(ping.sum, ping.returned * (ping.returned + 1) / 2);
		CHECK_EQ(pong.sum, ping.sum);
		CHECK_EQ(ping.lost + pong.lost, 0);
		CHECK(ping.parks + pong.parks > 0);
	}
}

int
main(void)
{
	bool can_membarrier =
	        syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
	test_ping_pong(NULL, probe_scale(100000));
	if (can_membarrier)
		test_ping_pong(pass_membarrier, probe_scale(50000));
	test_carry();
	if (find_cpus()) {
		test_litmus(can_membarrier);
		test_closing(can_membarrier);
	} else {
		printf("skipped: one CPU has one store buffer\n");
	}
	return bdd_close();
}
