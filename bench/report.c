/* SPDX-License-Identifier: Apache-2.0 */
/* report.c -- rows and the machine they were measured on, for people or as JSON.
 *
 *      machine   what a figure depends on: processor, counter, guest or not,
 *                compiler, flags, commit
 *      row       p50 [p10 p90] of the passes, or p50, p99 and max of events;
 *                ns; times the floor; what was measured beside it; the proof
 */
#include "report.h"

#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* The build may say more than the compiler does. */
#ifndef BITACTOR_COMMIT
#define BITACTOR_COMMIT "unknown"
#endif
#ifndef BITACTOR_BUILD_FLAGS
#ifdef __OPTIMIZE__
#define BITACTOR_BUILD_FLAGS "optimised (the build does not say more)"
#else
#define BITACTOR_BUILD_FLAGS "not optimised"
#endif
#endif

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

enum { FACT_BYTES = 128 };

/* Below this the median of the passes is the neighbours' as well. */
#define BUSY 0.9

typedef struct facts {
	char model[FACT_BYTES];
	char guest[FACT_BYTES]; /* of which hypervisor, "no", or "unknown" */
	bitactor_build_info_t build;
} facts_t;

/* ---- the machine ---------------------------------------------------------------------- */

/* Append what comes after the colon of the line that begins with `key`. */
static void
cpuinfo_append(const char *key, const char *before, char *to)
{
	char  line[512];
	FILE *file = fopen("/proc/cpuinfo", "re");
	if (file == NULL)
		return;
	while (fgets(line, sizeof line, file) != NULL) {
		char *value = strchr(line, ':');
		if (strncmp(line, key, strlen(key)) != 0 || value == NULL)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = '\0';
		size_t used = strlen(to);
		(void)snprintf(to + used, FACT_BYTES - used, "%s%s", before, value);
		break;
	}
	(void)fclose(file);
}

static void
guest_of(char *guest)
{
#if defined(__x86_64__)
	unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx >> 31) == 0) {
		(void)snprintf(guest, FACT_BYTES, "no");
		return;
	}
	unsigned name[3]; /* leaf 0x40000000: who the hypervisor says it is */
	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	(void)snprintf(guest, FACT_BYTES, "of %.12s", (const char *)name);
#else
	(void)snprintf(guest, FACT_BYTES, "unknown");
#endif
}

static void
facts_read(facts_t *facts)
{
	*facts = (facts_t){ .model = "" };
	cpuinfo_append("model name", "", facts->model);
	cpuinfo_append("cpu family", ", family ", facts->model);
	cpuinfo_append("model\t", " model ", facts->model);
	cpuinfo_append("CPU implementer", "ARM implementer ", facts->model);
	cpuinfo_append("CPU part", " part ", facts->model);
	if (facts->model[0] == '\0')
		(void)snprintf(facts->model, FACT_BYTES, "unknown");
	guest_of(facts->guest);
	bitactor_build_info(&facts->build);
}

/* ---- for people -------------------------------------------------------------------------- */

static void
print_machine(const bench_t *bench, const facts_t *facts, bool pinned, FILE *out)
{
	fprintf(out, "machine   %s; %d processors; virtual machine: %s\n", facts->model,
	        bench_cpus(), facts->guest);
	fprintf(out, "counter   %s, %.3f MHz measured, a reading takes %llu counts\n",
	        bench->clock.name, (double)bench->clock.hz / 1e6,
	        (unsigned long long)bench->clock.read_counts);
	fprintf(out, "build     %s; %s; blake3 %s; crc32c %s; commit %s\n", COMPILER,
	        BITACTOR_BUILD_FLAGS, facts->build.blake3_path, facts->build.crc_path,
	        BITACTOR_COMMIT);
	fprintf(out, "method    %u interleaved passes after one that is dropped; %s\n",
	        bench->plan.passes, pinned ? "on the last processor" : "not pinned");
	fprintf(out, "share     this thread got %.0f %% of its processor%s\n", bench->share * 100,
	        bench->share < BUSY ? ": a busy machine, look at p10" : "");
}

static void
print_heading(const bench_row_t *row, FILE *out)
{
	fprintf(out, "\n%s: %s\n", row->case_name, row->group);
	if (row->is_events)
		fprintf(out, "  %-44s %-7s %9s %9s %9s %9s %8s  %s\n", "counts and ns of one",
		        "", "p50", "p99", "max", "p50 ns", "", "proof");
	else
		fprintf(out, "  %-44s %-7s %9s %9s %9s %9s %8s  %s\n", "counts and ns of one", "",
		        "p50", "p10", "p90", "p50 ns", row->floor > 0 ? "x floor"
		                                        : row->beside_ns > 0 ? "line ns"
		                                                             : "",
		        "proof");
}

static void
print_row(const bench_t *bench, const bench_row_t *row, FILE *out)
{
	if (row->skipped != NULL) {
		fprintf(out, "  %s: %s\n", row->name, row->skipped);
		return;
	}
	char name[64], more[16] = "", proof[64];
	(void)snprintf(name, sizeof name, "%s: %s", row->unit, row->name);
	if (row->floor > 0)
		(void)snprintf(more, sizeof more, "%.2f", row->floor);
	else if (row->beside_ns > 0)
		(void)snprintf(more, sizeof more, "%.0f", row->beside_ns);
	if (row->proof.got == row->proof.expected)
		(void)snprintf(proof, sizeof proof, "%016llx =",
		               (unsigned long long)row->proof.got);
	else
		(void)snprintf(proof, sizeof proof, "WRONG %016llx, not %016llx",
		               (unsigned long long)row->proof.got,
		               (unsigned long long)row->proof.expected);
	fprintf(out, "  %-44s %-7s %9.1f %9.1f %9.1f %9.1f %8s  %s\n", name, row->kinds, row->p50,
	        row->is_events ? row->p99 : row->p10, row->is_events ? row->max : row->p90,
	        bench_ns(&bench->clock, row->p50), more, proof);
}

static void
print_table(const bench_t *bench, FILE *out)
{
	const char *group = NULL;
	for (int i = 0; i < bench->row_count; i++) {
		const bench_row_t *row = &bench->rows[i];
		if (group != row->group)
			print_heading(row, out);
		group = row->group;
		print_row(bench, row, out);
	}
	if (bench->failed)
		fprintf(out, "\nsome of it could not be set up\n");
}

/* ---- for programs ------------------------------------------------------------------------- */

static void
json_text(const char *key, const char *text, const char *after, FILE *out)
{
	fprintf(out, "\"%s\":\"", key);
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (byte >= 0x20)
			fputc(byte, out);
	}
	fprintf(out, "\"%s", after);
}

static void
json_machine(const bench_t *bench, const facts_t *facts, bool pinned, FILE *out)
{
	fprintf(out, "\"machine\":{");
	json_text("model", facts->model, ",", out);
	json_text("guest", facts->guest, ",", out);
	json_text("counter", bench->clock.name, ",", out);
	json_text("compiler", COMPILER, ",", out);
	json_text("flags", BITACTOR_BUILD_FLAGS, ",", out);
	json_text("commit", BITACTOR_COMMIT, ",", out);
	json_text("blake3", facts->build.blake3_path, ",", out);
	json_text("crc32c", facts->build.crc_path, ",", out);
	fprintf(out, "\"processors\":%d,\"pinned\":%s,\"counter_hz\":%llu,\"read_counts\":%llu,"
	             "\"passes\":%u,\"share\":%.3f}",
	        bench_cpus(), pinned ? "true" : "false", (unsigned long long)bench->clock.hz,
	        (unsigned long long)bench->clock.read_counts, bench->plan.passes, bench->share);
}

static void
json_row(const bench_t *bench, const bench_row_t *row, FILE *out)
{
	fprintf(out, "{");
	json_text("case", row->case_name, ",", out);
	json_text("group", row->group, ",", out);
	json_text("name", row->name, ",", out);
	if (row->skipped != NULL) {
		json_text("skipped", row->skipped, "}", out);
		return;
	}
	json_text("kinds", row->kinds, ",", out);
	json_text("unit", row->unit, ",", out);
	fprintf(out, "\"operations\":%llu,\"counts\":{\"p10\":%.3f,\"p50\":%.3f,\"p90\":%.3f",
	        (unsigned long long)row->operations, row->p10, row->p50, row->p90);
	if (row->is_events)
		fprintf(out, ",\"p99\":%.3f", row->p99);
	fprintf(out, ",\"max\":%.3f},\"p50_ns\":%.3f", row->max,
	        bench_ns(&bench->clock, row->p50));
	if (row->floor > 0)
		fprintf(out, ",\"times_floor\":%.3f", row->floor);
	if (row->beside_ns > 0)
		fprintf(out, ",\"line_round_trip_ns\":%.1f", row->beside_ns);
	fprintf(out, ",\"proof\":\"%016llx\",\"expected\":\"%016llx\",\"proved\":%s}",
	        (unsigned long long)row->proof.got, (unsigned long long)row->proof.expected,
	        row->proof.got == row->proof.expected ? "true" : "false");
}

/* ---- both --------------------------------------------------------------------------------- */

void
bench_report(const bench_t *bench, bool pinned, bool json, FILE *out)
{
	facts_t facts;
	facts_read(&facts);
	if (!json) {
		print_machine(bench, &facts, pinned, out);
		print_table(bench, out);
		return;
	}
	fprintf(out, "{");
	json_machine(bench, &facts, pinned, out);
	fprintf(out, ",\"complete\":%s,\"rows\":[", bench->failed ? "false" : "true");
	for (int i = 0; i < bench->row_count; i++) {
		if (i > 0)
			fprintf(out, ",\n");
		json_row(bench, &bench->rows[i], out);
	}
	fprintf(out, "]}\n");
}

void
bench_report_list(FILE *out, bool json)
{
	if (json)
		fprintf(out, "{\"cases\":[");
	for (int i = 0; i < bench_case_count; i++) {
		if (!json) {
			fprintf(out, "%-10s %s\n", bench_cases[i].name, bench_cases[i].text);
			continue;
		}
		fprintf(out, i > 0 ? ",{" : "{");
		json_text("name", bench_cases[i].name, ",", out);
		json_text("text", bench_cases[i].text, "}", out);
	}
	if (json)
		fprintf(out, "]}\n");
}
