/* SPDX-License-Identifier: Apache-2.0 */
/* pool.pml -- bitactor/src/internal/pool.h, in every interleaving.
 *
 * Each thread takes or gives, as it likes, until it has made its CALLS; it may
 * hold several blocks, which is what the ABA problem needs.  One line is one
 * access to memory, in the order of the function that stands above; what an
 * atomic holds besides belongs to the judge.
 *
 *      no block is handed to two takers                  (1)
 *      "none is free" was true when `top` was read       (2)
 *      in the end each block is held or in the stack     (3)
 *
 * The tag never comes round here, as that of pool.h does after 2^32 changes.
 * Sequential consistency: this shows interleavings, not memory orders.
 */
#define BLOCKS 3
#ifdef VARIANT_THREE
#define THREADS 3
#define CALLS   2
#else
#define THREADS 2
#define CALLS   5
#endif

/* struct ba_pool */
short top = 1;     /* tag * 8 + index + 1        */
byte next[BLOCKS]; /* index + 1 of the one below */

/* The judge's. */
byte holder[BLOCKS]; /* _pid of the thread; 0: nobody */
byte out;            /* of the stack                  */

#define BLOCK(word) ((word) & 7)
#define MINE(block) (holder[(block) - 1] == _pid)
#ifdef PLANTED_NO_TAG
#define CHANGED(word, block) (block)
#else
#define CHANGED(word, block) ((word) - BLOCK(word) + 8 + (block))
#endif

proctype thread()
{
	short seen;
	byte block, below, calls;

	do
	:: calls < CALLS -> /* ba_pool_take() */
take:
		atomic { seen = top; assert(BLOCK(seen) != 0 || out == BLOCKS) /* (2) */ };
		if
		:: BLOCK(seen) != 0 ->
			below = next[BLOCK(seen) - 1];
			if /* compare_exchange_weak; it fails without a reason, too */
			:: atomic { top == seen -> top = CHANGED(seen, below); block = BLOCK(seen);
				assert(holder[block - 1] == 0); /* (1) */
				holder[block - 1] = _pid; out++ }
			:: goto take
			fi
		:: else
		fi;
		atomic { calls++; seen = 0; block = 0; below = 0 } /* fewer states */

	:: atomic { calls < CALLS && (MINE(1) || MINE(2) || MINE(3)) -> /* ba_pool_give() */
		if
		:: MINE(1) -> block = 1
		:: MINE(2) -> block = 2
		:: MINE(3) -> block = 3
		fi;
		holder[block - 1] = 0 };
give:
		seen = top;
#ifndef PLANTED_LINK_LATE
		next[block - 1] = BLOCK(seen);
#endif
		if /* the same */
		:: atomic { top == seen -> top = CHANGED(seen, block); out-- }
		:: goto give
		fi;
#ifdef PLANTED_LINK_LATE
		next[block - 1] = BLOCK(seen);
#endif
		atomic { calls++; seen = 0; block = 0 }

	:: calls == CALLS -> break
	od
}

init
{
	byte block, in_stack;

	/* ba_pool_init() */
	for (block : 1 .. BLOCKS - 1) {
		next[block - 1] = block + 1
	}
	atomic {
		for (block : 1 .. THREADS) {
			run thread()
		}
	};
	_nr_pr == 1; /* all threads are over */

	block = BLOCK(top);
	do
	:: block != 0 ->
		assert(holder[block - 1] == 0); /* (3) */
		in_stack++;
		block = next[block - 1]
	:: else -> break
	od;
	assert(in_stack + out == BLOCKS) /* (3) */
}
