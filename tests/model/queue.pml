/* SPDX-License-Identifier: Apache-2.0 */
/* queue.pml -- bitactor/src/internal/queue.h, in every interleaving.
 *
 *      producers  claim one or two positions, publish one after the other
 *      consumer   peeks, reads, frees now or later
 *      closer     closes the door at any moment
 *
 * One line is one access to memory, in the order of the function that stands
 * above; what an atomic holds besides belongs to the judge.
 *
 *      nothing lost, nothing twice, each producer's order       (1)
 *      a slot is written when it was freed, not before          (2)
 *      FULL: it was full when head was read                     (3)
 *      nothing is claimed behind a close, and CLOSED is true    (4)
 *      all that was claimed arrives: nobody waits for ever      an invalid end state
 *
 * Sequential consistency: this shows interleavings, not memory orders.
 */
#ifdef VARIANT_THREE
#define PRODUCERS 3
#define EACH      1
#else
#define PRODUCERS 2
#define EACH      3   /* signals of a producer: three laps altogether */
#endif
#define CAPACITY  2
#define CLOSED    128 /* BA_QUEUE_CLOSED */

byte claim, head;                           /* struct ba_queue */
byte sequence[CAPACITY], content[CAPACITY]; /* struct ba_slot  */

/* The judge's. */
byte claimed[PRODUCERS], delivered[PRODUCERS];
bool in_use[CAPACITY], closed;

#define AT(position)       ((position) % CAPACITY)
#define POSITION(word)     ((word) & (CLOSED - 1))
#define NO_ROOM(count)     (POSITION(claim) - head + (count) > CAPACITY)
#define SIGNAL(from, number) ((from) * 16 + (number))

#ifdef PLANTED_DOOR_APART /* the door in another word than the claim */
bool door;
#define THE_DOOR(seen) door
#else
#define THE_DOOR(seen) ((seen) & CLOSED)
#endif

#ifdef PLANTED_UNSIGNED /* a claim that is older than head looks like a full queue */
#define USED(seen, head) ((seen) - (head) & 255)
#else
#define USED(seen, head) ((seen) - (head))
#endif
#ifdef PLANTED_ONE_TOO_MANY
#define ROOM (CAPACITY + 1)
#else
#define ROOM CAPACITY
#endif

proctype producer(byte me)
{
	byte seen, seen_head, count, sent;
	bool was_full;

	do
	:: sent < EACH ->
		if
		:: count = 1                     /* bitactor_enqueue()      */
		:: sent + 2 <= EACH -> count = 2 /* bitactor_enqueue_many() */
		fi;

		/* ba_queue_claim() */
#ifdef PLANTED_HEAD_FIRST
		atomic { seen_head = head; was_full = NO_ROOM(count) };
#endif
		seen = claim;
again:
		if
		:: THE_DOOR(seen) -> assert(closed); break /* (4) */
		:: else
		fi;
#ifndef PLANTED_HEAD_FIRST
		atomic { seen_head = head; was_full = NO_ROOM(count) };
#endif
		if
		:: USED(seen, seen_head) + count > ROOM ->
			assert(was_full); goto next /* (3) */
		:: else
		fi;
		if /* compare_exchange_weak, which also fails without a reason */
		:: atomic { claim == seen -> claim = seen + count;
			assert(!closed); claimed[me] = claimed[me] + count /* (4) */ }
		:: seen = claim; goto again
		fi;

		/* ba_queue_publish_many() */
		do
		:: count > 0 ->
#ifdef PLANTED_PUBLISH_FIRST
			sequence[AT(seen)] = seen + 1;
#endif
			atomic { content[AT(seen)] = SIGNAL(me, sent);
				assert(!in_use[AT(seen)]); in_use[AT(seen)] = true /* (2) */ };
#ifndef PLANTED_PUBLISH_FIRST
			sequence[AT(seen)] = seen + 1;
#endif
			atomic { sent++; seen++; count-- }
		:: else -> break
		od;
next:
		atomic { seen = 0; seen_head = 0; count = 0; was_full = false } /* fewer states */
	:: else -> break
	od
}

active proctype consumer()
{
	byte position, from;

	do
	:: sequence[AT(position)] == position + 1 -> /* ba_queue_peek() */
		atomic {
			from = content[AT(position)] / 16;
			assert(content[AT(position)] == SIGNAL(from, delivered[from])); /* (1) */
			delivered[from]++; from = 0;
		};
		position++
	:: head != position -> /* ba_queue_free() */
		atomic {
			do
			:: in_use[AT(head)] = false; head++; if :: head == position -> break :: else fi
			od
		}
	:: closed && position == POSITION(claim) -> break /* bitactor_drain(): CLOSED */
	od;
	for (from : 0 .. PRODUCERS - 1) {
		assert(delivered[from] == claimed[from]) /* (1) */
	}
}

active proctype closer()
{
	/* ba_queue_close() */
#ifdef PLANTED_DOOR_APART
	atomic { door = true; closed = true }
#else
	atomic { claim = claim | CLOSED; closed = true }
#endif
}

init
{
	byte me;
	atomic {
		for (me : 0 .. PRODUCERS - 1) {
			run producer(me)
		}
	}
}
