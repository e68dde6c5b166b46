/* SPDX-License-Identifier: Apache-2.0 */
/* wake.pml -- bitactor/src/internal/wake.h over runtime/src/host/host_park.c, with
 * the store buffers of x86-64.
 *
 *      sleeper                               producer
 *      asleep = 1, locked                    publish, into its store buffer
 *      barrier: every buffer is out          asleep?  read past the buffer
 *      look again                                yes: exchange it for 0, wake
 *      park
 *
 * What a producer publishes stays in its buffer, of one store, and reaches memory
 * at any later moment; a locked instruction and a barrier wait until it has (P.
 * Sewell et al., "x86-TSO", CACM 53(7), 2010).  Without the sleeper's barrier both
 * may read what was true before the other's store.  All other stores are locked,
 * so no other thread needs a buffer.  Weaker orders than TSO are not shown.
 *
 * One line is one access to memory or one system call, in the order of the function
 * that stands above.  The sleeper ends when it has taken all that was published:
 * one that nobody wakes is an invalid end state.
 *
 *      VARIANT_EXCHANGE     no barrier here: a producer asks by the exchange itself
 *      VARIANT_DESCRIPTOR   a loop of the caller's, asleep in poll()
 */
#define PRODUCERS 2
#define EACH      2

#ifdef PLANTED_WORD_FIRST
#define VARIANT_DESCRIPTOR
#endif

byte published[PRODUCERS]; /* how many; stands for their slots' sequences */
bool buffered[PRODUCERS];  /* one more, in the producer's store buffer    */
bool asleep;               /* struct ba_wake */

/* The host's. */
mtype = { AWAKE, WOKEN, PARKED };
mtype state = AWAKE;
bool in_futex, readable; /* the kernel's: somebody waits; the eventfd is not 0 */

active [PRODUCERS] proctype producer()
{
	byte sent;
	bool was_asleep;
	mtype before;

	do
	:: sent < EACH ->
		/* ba_queue_publish(): a second store waits for the first */
		atomic { !buffered[_pid] -> buffered[_pid] = true; sent++ };

		/* ba_wake_published() */
#ifndef VARIANT_EXCHANGE
		if
		:: asleep
		:: !asleep -> goto nobody_sleeps
		fi;
#endif
		atomic { !buffered[_pid] -> was_asleep = asleep; asleep = false };
		if
		:: was_asleep ->
			/* wake() */
			atomic { before = state; state = WOKEN };
			if
			:: before != WOKEN ->
#ifdef VARIANT_DESCRIPTOR
				readable = true
#else
				if
				:: before == PARKED -> in_futex = false
				:: else
				fi
#endif
			:: else
			fi
		:: else
		fi;
nobody_sleeps:
		atomic { was_asleep = false; before = 0 }
	:: else -> break
	od
}

/* The store buffers give what they hold when they like. */
active proctype memory()
{
end:
	do
	:: atomic { buffered[0] -> published[0]++; buffered[0] = false }
	:: atomic { buffered[1] -> published[1]++; buffered[1] = false }
	od
}

active proctype sleeper()
{
	byte taken[PRODUCERS];

	do /* takes what it sees; the look that counts is the second */
	:: published[0] > taken[0] -> taken[0]++
	:: published[1] > taken[1] -> taken[1]++
	:: taken[0] == EACH && taken[1] == EACH -> break
	:: else ->
		/* ba_wake_prepare() */
		asleep = true;
#if !defined(VARIANT_EXCHANGE) && !defined(PLANTED_NO_BARRIER)
		!buffered[0]; /* membarrier: one processor after the other */
		!buffered[1];
#endif
#ifndef PLANTED_NO_SECOND_LOOK
		if
		:: published[0] > taken[0] -> goto cancel
		:: else
		fi;
		if
		:: published[1] > taken[1] -> goto cancel
		:: else
		fi;
#endif
#ifdef VARIANT_DESCRIPTOR
		readable; /* poll() */
#else
		/* park() */
		if
		:: atomic { state == AWAKE -> state = PARKED }
		:: state == WOKEN -> goto use_wake
		fi;
#ifdef PLANTED_NO_COMPARE
		in_futex = true; /* whatever the word says by now */
#else
		if /* FUTEX_WAIT: compares and waits in one */
		:: atomic { state == PARKED -> in_futex = true }
		:: state != PARKED -> goto use_wake
		fi;
#endif
		!in_futex;
#endif
use_wake:
#ifdef PLANTED_WORD_FIRST
		state = AWAKE; readable = false;
#else
#ifdef VARIANT_DESCRIPTOR
		readable = false;
#endif
		state = AWAKE;
#endif
cancel:
		asleep = false /* ba_wake_cancel() */
	od
}
