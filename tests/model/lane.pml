/* SPDX-License-Identifier: Apache-2.0 */
/* lane.pml -- bitactor/src/internal/lane.h: a thread's own queue, and its signal
 * handlers'.
 *
 *      level 2                  +-----+                interrupts 0 or 1
 *      level 1            +-----+     +--+             interrupts 0
 *      level 0   ---------+              +----------   the thread that claims
 *      consumer, closer  ---------------------------   on other processors
 *
 * Whoever is interrupted, wherever it is, stands still until the level above it
 * has returned; but not inside an instruction.  The unlocked cmpxchg of
 * ba_lane_swap() is one for the handlers, and two accesses, a read and a write, for
 * the closer.  A consumer on the same thread does nothing that this one may not do.
 *
 * One line is one access to memory, in the order of the function that stands above;
 * what an atomic holds besides belongs to the judge.
 *
 *      nothing lost, nothing twice, each level's order        (1)
 *      a slot is written when it was freed, not before        (2)
 *      FULL: it was full when head was read                   (3)
 *      nothing is claimed after ba_lane_close() said true     (4)
 *      all that was claimed arrives: nobody waits for ever    an invalid end state
 *
 *      VARIANT_LOCKED    no barrier here, or another machine: a locked swap
 *
 * Sequential consistency: this shows interleavings, not memory orders.
 */
#define LEVELS   3
#define CAPACITY 2
#define CLOSED   128 /* BA_QUEUE_CLOSED */

byte claim, head, room_end = CAPACITY;      /* struct ba_lane */
byte sequence[CAPACITY], content[CAPACITY]; /* struct ba_slot */

/* The thread: whose code it runs, whom that interrupted, what cannot be interrupted. */
byte level, interrupted[LEVELS];
byte in_instruction;
#ifdef PLANTED_TWO_STEPS
#define INTERRUPTIBLE true
#else
#define INTERRUPTIBLE (in_instruction == 0)
#endif

/* The judge's. */
byte claimed[LEVELS], delivered[LEVELS];
bool in_use[CAPACITY], closed;

#define AT(position)         ((position) % CAPACITY)
#define POSITION(word)       ((word) & (CLOSED - 1))
#define NO_ROOM              (POSITION(claim) - head + 1 > CAPACITY)
#define SIGNAL(from, number) ((from) * 16 + (number))
#define CALLS(level)         (level == 0 -> 2 : 1)

active [LEVELS] proctype producer() provided (level == _pid)
{
	byte seen, found, end, number, calls;
	bool was_full;

end_of_calls:
	do
	:: calls < CALLS(_pid) ->
		/* ba_lane_claim() */
		seen = claim;
again:
		if
		:: seen & CLOSED -> goto over
		:: else
		fi;

		/* ba_lane_fits() */
		end = room_end;
		if
		:: end - seen < 1 ->
			atomic { end = head + CAPACITY; was_full = NO_ROOM };
			room_end = end;
			if
			:: end - seen < 1 -> assert(was_full); goto over /* (3) */
			:: else
			fi
		:: else
		fi;

		/* ba_lane_swap() */
#ifdef VARIANT_LOCKED
		atomic {
			found = claim;
#else
		atomic { found = claim; in_instruction++; end = 0; was_full = false };
		atomic { /* a swap that fails writes back what it read */
			in_instruction--;
#endif
			if
			:: found == seen ->
				claim = seen + 1; number = claimed[_pid]; claimed[_pid]++;
				assert(!closed) /* (4) */
			:: else -> claim = found; seen = found; found = 0; goto again
			fi;
			found = 0
		};

		/* ba_queue_publish() */
		atomic { content[AT(seen)] = SIGNAL(_pid, number);
			assert(!in_use[AT(seen)]); in_use[AT(seen)] = true /* (2) */ };
		sequence[AT(seen)] = seen + 1;
over:
		atomic { /* returns */
			seen = 0; end = 0; number = 0; was_full = false;
			calls++; level = interrupted[_pid]
		}
	od
}

active proctype interrupts()
{
	bool handled_1, handled_2;

	do
	:: atomic { INTERRUPTIBLE && level < 1 && !handled_1 ->
		interrupted[1] = level; level = 1; handled_1 = true }
	:: atomic { INTERRUPTIBLE && level < 2 && !handled_2 ->
		interrupted[2] = level; level = 2; handled_2 = true }
	:: handled_1 && handled_2 -> break
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
			delivered[from]++; from = 0
		};
		position++
	:: head != position -> /* ba_queue_free() */
		atomic {
			do
			:: head != position -> in_use[AT(head)] = false; head++
			:: else -> break
			od
		}
	:: closed && position == POSITION(claim) -> break
	od;
	for (from : 0 .. LEVELS - 1) {
		assert(delivered[from] == claimed[from]) /* (1) */
	}
}

active proctype closer()
{
	/* ba_lane_close() */
	do
	:: claim = claim | CLOSED;
#ifdef VARIANT_LOCKED
		break
#else
#ifndef PLANTED_NO_BARRIER
		in_instruction == 0; /* ba_barrier_pass() */
#endif
#ifdef PLANTED_NO_SECOND_LOOK
		break
#else
		if /* ba_queue_is_closed() */
		:: claim & CLOSED -> break
		:: else
		fi
#endif
#endif
	od;
	closed = true
}
