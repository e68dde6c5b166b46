/* SPDX-License-Identifier: Apache-2.0 */
/* bench.h -- what `bitactor bench` calls: measure this machine, say how.
 *
 *      bitactor bench dispatch clock      these cases; none named: all of them
 *      bitactor bench --list              their names, nothing is measured
 *      bitactor bench --quick             tiny inputs: does it run at all?
 *      bitactor bench --json              one JSON object instead of tables
 *
 * Results go to stdout, progress and complaints to stderr.  The calling thread
 * is pinned while it measures and given its processors back afterwards.  What
 * the rows mean is in docs/benchmarks.md.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>

typedef struct bench_options {
	const char *const *cases; /* names; NULL or none: every case */
	int  case_count;
	bool json, quick, list;
} bench_options_t;

/* 0; 1 when a row did not do what it was timed for, or could not be set up (its
 * proof says so); 2 for the name of no case, and nothing is measured. */
int bench_run(const bench_options_t *options);

#endif
