/* SPDX-License-Identifier: Apache-2.0 */
/* park.pml -- who sleeps is woken, with the store buffers of x86-64.
 *
 *      sleeper                             producer
 *      asleep = 1, and out of its buffer   publish          into its buffer
 *      membarrier: all buffers are out     if (asleep)      read past the buffer
 *      look again                                  asleep = 0, wake the futex
 *      sleep while asleep == 1
 *
 * Each thread has a buffer of one store, which reaches memory at any later
 * moment; a locked instruction and a barrier wait until it has (P. Sewell et
 * al., "x86-TSO", CACM 53(7), 2010).  Without the sleeper's barrier both may read
 * what was true before the other's store: the producer finds nobody asleep, the
 * sleeper nothing published.  Weaker orders than TSO are not shown.
 *
 * One line is one access to memory or one system call.  All that is published
 * is taken: a sleeper that nobody wakes is an invalid end state.
 *
 *      VARIANT_EXCHANGE   no membarrier here: who publishes does it by an exchange
 *      VARIANT_EVENTFD    sleeps in epoll_wait; a wake-up stays in the eventfd
 */
#define PRODUCERS 2
#define EACH      2

/* Memory. */
byte published[PRODUCERS]; /* how many signals; stands for their slots' sequences */
bool asleep;

/* Each buffer holds a store to the one variable that its thread stores to
 * without a lock: a producer `published`, the sleeper `asleep = 0`. */
bool buffered[PRODUCERS], sleeper_buffered;

/* The kernel's. */
#ifdef VARIANT_EVENTFD
bool event;   /* the eventfd is readable */
#define WAKE_UP event = true
#else
bool waiting; /* at the futex */
#define WAKE_UP waiting = false
#endif

active [PRODUCERS] proctype producer()
{
	byte sent;
	bool was_asleep;

	do
	:: sent < EACH ->
		/* ba_queue_publish(): store, release; a full buffer has to wait */
#ifdef VARIANT_EXCHANGE
		published[_pid]++;
#else
		atomic { !buffered[_pid] -> buffered[_pid] = true };
#endif
		sent++;
		/* the compiler may not swap these two; the processor may */
		if
		:: asleep ->
			/* bitactor_wake() */
			atomic { !buffered[_pid] -> was_asleep = asleep; asleep = false };
			if
			:: was_asleep -> WAKE_UP; was_asleep = false
			:: else
			fi
		:: else
		fi
	:: else -> break
	od
}

/* Memory takes what is buffered, whenever it likes. */
active proctype memory()
{
end:
	do
	:: atomic { buffered[0] -> published[0]++; buffered[0] = false }
	:: atomic { buffered[1] -> published[1]++; buffered[1] = false }
	:: atomic { sleeper_buffered -> asleep = false; sleeper_buffered = false }
	od
}

active proctype sleeper()
{
	byte taken[PRODUCERS];

	do /* the first look; the second decides */
	:: published[0] > taken[0] -> taken[0]++
	:: published[1] > taken[1] -> taken[1]++
	:: taken[0] == EACH && taken[1] == EACH -> break
	:: else ->
		/* bitactor_prepare_wait() */
		atomic { !sleeper_buffered -> asleep = true }; /* exchange */
#if !defined(PLANTED_NO_BARRIER) && !defined(VARIANT_EXCHANGE)
		!buffered[0]; /* membarrier(), one processor after the other */
		!buffered[1];
#endif
#ifndef PLANTED_NO_SECOND_LOOK
		if
		:: published[0] > taken[0] -> goto awake
		:: else
		fi;
		if
		:: published[1] > taken[1] -> goto awake
		:: else
		fi;
#endif
#ifdef VARIANT_EVENTFD
		event; /* epoll_wait() */
		event = false;
#else
		atomic { /* futex_wait(&asleep, 1) */
			if
#ifdef PLANTED_NO_COMPARE
			:: waiting = true
#else
			:: asleep -> waiting = true
			:: else
#endif
			fi
		};
		!waiting;
#endif
awake:
		atomic { !sleeper_buffered -> sleeper_buffered = true } /* asleep = 0 */
	od
}
