/* SPDX-License-Identifier: Apache-2.0 */
/* lane.pml -- a lane: one thread's own queue, and that of its signal handlers.
 *
 *      level 2                      +--------+           interrupts level 1
 *      level 1             +--------+        +---+       interrupts level 0
 *      level 0    ---------+                     +-----  the thread that opened it
 *      consumer   -------------------------------------  on another processor
 *
 * Whoever is interrupted, wherever it is, stands still until the level above has
 * returned.  A claim is one instruction: unlocked, but no handler can come into
 * the middle of it, and no other processor writes `claim`.  A consumer on the
 * same thread does nothing that this one may not do.
 *
 * One line is one access to memory, in the order of the function that stands
 * above; what an atomic holds besides belongs to the judge.
 *
 *      nothing lost, nothing twice, each level's order   (1)
 *      a slot is written when it was freed, not before   (2)
 *      FULL: it was full when head was read              (3)
 *      all that was claimed arrives                      an invalid end state
 *
 * Sequential consistency: this shows interleavings, not memory orders.
 */
#define LEVELS   3
#define CALLS    2 /* of each level; who finds it full does not try again */
#define CAPACITY 2

byte claim, head;
byte sequence[CAPACITY], content[CAPACITY];
#ifdef PLANTED_TAIL /* published by moving a tail instead of marking the slot */
byte tail;
#define IS_PUBLISHED(position) ((position) < tail)
#else
#define IS_PUBLISHED(position) (sequence[AT(position)] == (position) + 1)
#endif

/* The thread: whose code it runs, and whose it interrupted for that. */
byte level, interrupted[LEVELS];

/* The judge's. */
byte claimed[LEVELS], delivered[LEVELS];
bool in_use[CAPACITY];
byte returned; /* calls that are over */

#define AT(position)         ((position) % CAPACITY)
#define NO_ROOM              (claim - head + 1 > CAPACITY)
#define SIGNAL(from, number) ((from) * 16 + (number))

active [LEVELS] proctype producer() provided (level == _pid)
{
	byte seen, seen_head, calls, number;
	bool was_full;

end:
	do
	:: calls < CALLS ->
		/* ba_lane_claim() */
again:
		seen = claim;
		atomic { seen_head = head; was_full = NO_ROOM };
		if
		:: seen - seen_head + 1 > CAPACITY -> /* signed, as in the queue */
			assert(was_full); goto over /* (3) */
		:: else
		fi;
#ifdef PLANTED_TWO_STEPS
		atomic { claim = seen + 1; number = claimed[_pid]; claimed[_pid]++ };
#else
		if /* cmpxchg */
		:: atomic { claim == seen -> claim = seen + 1;
			number = claimed[_pid]; claimed[_pid]++ }
		:: claim != seen -> goto again
		fi;
#endif
		/* ba_lane_publish() */
		atomic { content[AT(seen)] = SIGNAL(_pid, number);
			assert(!in_use[AT(seen)]); in_use[AT(seen)] = true /* (2) */ };
#ifdef PLANTED_TAIL
		tail = seen + 1;
#else
		sequence[AT(seen)] = seen + 1;
#endif
over:
		atomic {
			calls++; returned++;
			seen = 0; seen_head = 0; number = 0; was_full = false;
			level = interrupted[_pid]
		}
	od
}

active proctype interrupts()
{
	byte left_1 = CALLS, left_2 = CALLS;

	do
	:: atomic { level < 1 && left_1 > 0 -> interrupted[1] = level; level = 1; left_1-- }
	:: atomic { level < 2 && left_2 > 0 -> interrupted[2] = level; level = 2; left_2-- }
	:: left_1 == 0 && left_2 == 0 -> break
	od
}

active proctype consumer()
{
	byte position, from;

	do
	:: IS_PUBLISHED(position) -> /* ba_lane_peek() */
		atomic {
			from = content[AT(position)] / 16;
			assert(content[AT(position)] == SIGNAL(from, delivered[from])); /* (1) */
			delivered[from]++; from = 0
		};
		position++
	:: head != position -> /* ba_lane_free() */
		atomic {
			do
			:: head != position -> in_use[AT(head)] = false; head++
			:: else -> break
			od
		}
	:: returned == LEVELS * CALLS && position == claim -> break
	od;
	for (from : 0 .. LEVELS - 1) {
		assert(delivered[from] == claimed[from]) /* (1) */
	}
}
