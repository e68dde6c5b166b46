/* SPDX-License-Identifier: Apache-2.0 */
/* report.h -- rows and the machine they were measured on, for people or as JSON. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "harness.h"

void bench_report(const bench_t *bench, bool pinned, bool json, FILE *out);
void bench_report_list(FILE *out, bool json);

#endif
