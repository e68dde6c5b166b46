/* SPDX-License-Identifier: Apache-2.0 */
/* handlers.c -- 256 tiny handlers that a compiler can neither merge nor inline.
 *
 *      ALL(M)  ->  ROW(M, 0) .. ROW(M, F)  ->  M(00) M(01) .. M(FF)
 *
 * Each adds a constant of its own, so no two are the same code; and a signal that
 * reached the wrong one leaves a wrong sum.
 */
#include "harness.h"

#define ROW(M, x)                                                                      \
	M(x##0) M(x##1) M(x##2) M(x##3) M(x##4) M(x##5) M(x##6) M(x##7)                \
	M(x##8) M(x##9) M(x##A) M(x##B) M(x##C) M(x##D) M(x##E) M(x##F)
#define ALL(M)                                                                         \
	ROW(M, 0) ROW(M, 1) ROW(M, 2) ROW(M, 3) ROW(M, 4) ROW(M, 5) ROW(M, 6)          \
	ROW(M, 7) ROW(M, 8) ROW(M, 9) ROW(M, A) ROW(M, B) ROW(M, C) ROW(M, D)          \
	ROW(M, E) ROW(M, F)

#define HANDLER(hex)                                                                   \
	static bitactor_status_t on_##hex(bitactor_turn_t *turn,                       \
	                                  const bitactor_signal_t *signal, void *state) \
	{                                                                              \
		bench_cell_t *cell = state;                                            \
		cell->sum += signal->payload + bench_salt(0x##hex);                    \
		bitactor_turn_result(turn, cell->sum);                                 \
		return BITACTOR_OK;                                                    \
	}
#define NAME(hex) on_##hex,

ALL(HANDLER)

const bitactor_handler_fn bench_handlers[BENCH_KINDS] = { ALL(NAME) };
