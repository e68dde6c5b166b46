/* SPDX-License-Identifier: Apache-2.0 */
/* bench_telemetry.c -- a record, its checks, its hash, and the pauses for hashing.
 *
 *      append    ba_record_put, the engine's general way to write 32 bytes
 *      hash      BLAKE3 of a segment: at once, by slices, record by record
 *      check     CRC32C of a record; of 64 KiB, by instruction and by table
 *      pauses    each ba_record_slice by itself, as the dispatch that meets it
 *                waits for it: three that only hash, and the one that completes
 *                the root, writes two headers and goes on to the next segment
 *
 * What a record adds to a dispatch is in the case `dispatch`.
 */
#include "harness.h"
#include "../bitactor/src/internal/record.h"

#include <blake3.h>
#include <stdlib.h>
#include <string.h>

enum { SEGMENT_RECORDS = BITACTOR_SEGMENT_BYTES / BITACTOR_RECORD_BYTES };

/* ---- append ---------------------------------------------------------------------------- */

typedef struct append {
	const ba_cycles_t *clock;
	bench_engine_t     engine;
	uint64_t before;   /* records of the engine when it was new */
	uint64_t written;
	bool     no_hash;
} append_t;

static void
append_one(bitactor_engine_t *engine, uint64_t payload)
{
	ba_record_put(engine, &(ba_record_spec_t){ .kind    = BITACTOR_RECORD_TURN,
	                                           .payload = payload });
}

static uint64_t
pass_append(void *argument, uint64_t operations)
{
	append_t *append = argument;
	bitactor_engine_t *engine = append->engine.engine;
	uint64_t began = bench_counts(append->clock);
	for (uint64_t first = 0; first < operations; first += BENCH_BATCH) {
		for (uint64_t i = 0; i < BENCH_BATCH; i++)
			append_one(engine, first + i);
		if (append->no_hash)
			engine->recorder.hash_left = 0; /* nothing is due */
	}
	uint64_t spent = bench_counts(append->clock) - began;
	append->written += operations;
	return spent;
}

static bench_proof_t
prove_append(void *argument, uint64_t passes)
{
	(void)passes;
	const append_t *append  = argument;
	uint64_t        records = append->engine.engine->recorder.seq - append->before;
	uint64_t        segment = 0;
	uint32_t        offset  = 0;
	if (!append->no_hash &&
	    bitactor_telemetry_check(append->engine.engine, &segment, &offset) != BITACTOR_OK)
		records = ~append->written;
	return (bench_proof_t){ .got = records, .expected = append->written };
}

static bool
append_open(bench_t *bench, append_t *append, bool no_hash)
{
	bitactor_config_t config;
	bitactor_config_default(&config);
	*append = (append_t){ .clock = &bench->clock, .no_hash = no_hash };
	if (!bench_engine_open(bench, &append->engine, &config))
		return false;
	append->before = append->engine.engine->recorder.seq;
	return true;
}

static void
append_rows(bench_t *bench)
{
	append_t bare, hashed;
	bool     ready = append_open(bench, &bare, true);
	ready &= append_open(bench, &hashed, false);
	const bench_contender_t contenders[] = {
		{ .name = "32 B, no hash",
		  .kinds = "",
		  .unit = "append",
		  .subject = &bare,
		  .operations = bench->plan.operations,
		  .pass = pass_append,
		  .prove = prove_append },
		{ .name = "32 B, hashed by slices",
		  .kinds = "",
		  .unit = "append",
		  .subject = &hashed,
		  .operations = bench->plan.operations,
		  .pass = pass_append,
		  .prove = prove_append },
	};
	if (ready)
		bench_measure(bench, "ba_record_put, no sink", contenders, 2, false);
	bench_engine_close(&bare.engine);
	bench_engine_close(&hashed.engine);
}

/* ---- hash and check --------------------------------------------------------------------- */

/* 64 KiB that are hashed or checked again and again. */
typedef struct digest {
	const ba_cycles_t *clock;
	const uint8_t     *bytes;
	size_t   step;     /* bytes an update is given, or a record has */
	bool     hw;
	uint64_t got, expected; /* folded results */
	uint64_t once;     /* what one time over all 64 KiB has to give */
} digest_t;

static uint64_t
blake3_of(const uint8_t *bytes, size_t step)
{
	blake3_hasher hasher;
	uint8_t       root[BITACTOR_DIGEST_BYTES];
	blake3_hasher_init(&hasher);
	for (size_t at = 0; at < BITACTOR_SEGMENT_BYTES; at += step)
		blake3_hasher_update(&hasher, bytes + at, step);
	blake3_hasher_finalize(&hasher, root, sizeof root);
	return ba_load64(root);
}

static inline __attribute__((always_inline)) uint64_t
checks_of(bool hw, const uint8_t *bytes, size_t step)
{
	uint64_t sum = 0;
	for (size_t at = 0; at < BITACTOR_SEGMENT_BYTES; at += step)
		sum += ba_record_check(hw, 1, (uint32_t)(at / 32), bytes + at,
		                       (uint32_t)(step / 32), 2);
	return sum;
}

static uint64_t
crc_of(bool hw, const uint8_t *bytes)
{
	return hw ? ba_crc32c_bytes(true, 0, bytes, BITACTOR_SEGMENT_BYTES)
	          : ba_crc32c_bytes(false, 0, bytes, BITACTOR_SEGMENT_BYTES);
}

/* Operations are records of 32 bytes for some rows, segments for others. */
#define DIGEST_PASS(name, an_operation, result)                                        \
	static uint64_t name(void *argument, uint64_t operations)                      \
	{                                                                              \
		digest_t *digest = argument;                                           \
		uint64_t  began  = bench_counts(digest->clock);                        \
		for (uint64_t i = 0; i < operations; i += (an_operation))              \
			digest->got += (result);                                       \
		uint64_t spent = bench_counts(digest->clock) - began;                  \
		digest->expected += operations / (an_operation) * digest->once;        \
		return spent;                                                          \
	}
DIGEST_PASS(pass_blake3, 1, blake3_of(digest->bytes, digest->step))
DIGEST_PASS(pass_blake3_records, SEGMENT_RECORDS, blake3_of(digest->bytes, digest->step))
DIGEST_PASS(pass_crc, 1, crc_of(digest->hw, digest->bytes))
DIGEST_PASS(pass_checks, BITACTOR_SEGMENT_BYTES / digest->step,
            digest->hw ? checks_of(true, digest->bytes, digest->step)
                       : checks_of(false, digest->bytes, digest->step))

static bench_proof_t
prove_digest(void *argument, uint64_t passes)
{
	(void)passes;
	const digest_t *digest = argument;
	return (bench_proof_t){ .got = digest->got, .expected = digest->expected };
}

static const struct digest_way {
	const char *name, *unit;
	uint64_t  (*pass)(void *subject, uint64_t operations);
	size_t      step;
	bool        hw, records;
} digest_ways[] = {
	{ "BLAKE3, one call", "64 KiB", pass_blake3, BITACTOR_SEGMENT_BYTES, false, false },
	{ "BLAKE3, slices of 16 KiB", "64 KiB", pass_blake3, BA_SLICE_BYTES, false, false },
	{ "BLAKE3, 32 B at a time", "64 KiB", pass_blake3, 32, false, false },
	{ "BLAKE3, its share of a slice", "32 B", pass_blake3_records, BA_SLICE_BYTES, false,
	  true },
	{ "CRC32C, table", "64 KiB", pass_crc, 0, false, false },
	{ "CRC32C, instruction", "64 KiB", pass_crc, 0, true, false },
	{ "check of a record, table", "32 B", pass_checks, 32, false, true },
	{ "check of a record, instruction", "32 B", pass_checks, 32, true, true },
	{ "check of a record, instruction", "64 B", pass_checks, 64, true, true },
};

enum { DIGEST_WAYS = sizeof digest_ways / sizeof *digest_ways };

/* What it has to be: by another path where there is one. */
static uint64_t
digest_once(const digest_t *digest, const struct digest_way *way, bool have_hw)
{
	bool other = have_hw && !way->hw;
	if (way->pass == pass_crc)
		return crc_of(other, digest->bytes);
	if (way->pass == pass_checks)
		return other ? checks_of(true, digest->bytes, way->step)
		             : checks_of(false, digest->bytes, way->step);
	uint8_t root[BITACTOR_DIGEST_BYTES];
	bitactor_blake3(digest->bytes, BITACTOR_SEGMENT_BYTES, root);
	return ba_load64(root);
}

static void
digest_rows(bench_t *bench)
{
	digest_t          digests[DIGEST_WAYS];
	bench_contender_t contenders[DIGEST_WAYS];
	/* a segment is aligned to its size, and the check of a record knows its slot */
	uint8_t *bytes = aligned_alloc(BITACTOR_SEGMENT_BYTES, BITACTOR_SEGMENT_BYTES);
	bool     hw    = ba_crc32c_ready();
	uint64_t state = 1, segments = bench->plan.operations / SEGMENT_RECORDS;
	int      count = 0;

	bench->failed |= bytes == NULL;
	for (size_t i = 0; i < BITACTOR_SEGMENT_BYTES && bytes != NULL; i++)
		bytes[i] = (uint8_t)bench_random(&state);
	segments = segments > 0 ? segments : 1;
	for (int i = 0; i < DIGEST_WAYS && bytes != NULL; i++) {
		const struct digest_way *way = &digest_ways[i];
		if (way->hw && !hw)
			continue;
		digest_t *digest = &digests[count];
		*digest = (digest_t){ .clock = &bench->clock, .bytes = bytes, .step = way->step,
			              .hw = way->hw };
		digest->once = digest_once(digest, way, hw);
		contenders[count++] = (bench_contender_t){
			.name       = way->name,
			.kinds      = "",
			.unit       = way->unit,
			.subject    = digest,
			.operations = way->records ? segments * SEGMENT_RECORDS : segments,
			.pass       = way->pass,
			.prove      = prove_digest,
		};
	}
	if (!bench->failed)
		bench_measure(bench, "hash and check", contenders, count, false);
	free(bytes);
}

/* ---- pauses ------------------------------------------------------------------------------ */

typedef struct pauses {
	uint64_t *hashing, *sealing; /* counts */
	uint64_t  hashed, sealed;    /* how many of each */
} pauses_t;

/* Fill each slice with records, then time what its end costs. */
static void
pauses_take(bench_t *bench, bitactor_engine_t *engine, pauses_t *pauses)
{
	ba_recorder_t *recorder = &engine->recorder;
	uint64_t       wanted   = bench->plan.events;

	for (uint64_t slice = 0; pauses->sealed * 4 < wanted; slice++) {
		while (recorder->at != recorder->end)
			append_one(engine, slice);
		uint64_t segment = ba_count_get(&recorder->segment);
		bool     hashes  = recorder->hash_left > 0;
		uint64_t began   = bench_counts(&bench->clock);
		ba_record_slice(engine);
		uint64_t spent = bench_counts(&bench->clock) - began;
		if (!hashes)
			continue; /* the first segment has none before it */
		if (segment == ba_count_get(&recorder->segment))
			pauses->hashing[pauses->hashed++] = spent;
		else
			pauses->sealing[pauses->sealed++] = spent;
	}
}

static void
pause_rows(bench_t *bench)
{
	const char *group = "pauses, p50 p99 max";
	uint64_t    most  = bench->plan.events + 4;
	append_t    append;
	pauses_t pauses = { .hashing = bench_memory(bench, most * sizeof(uint64_t)),
		            .sealing = bench_memory(bench, most * sizeof(uint64_t)) };
	if (pauses.hashing != NULL && pauses.sealing != NULL &&
	    append_open(bench, &append, false)) {
		pauses_take(bench, append.engine.engine, &pauses);
		/* three that hash and one that seals, a segment; and the ring is whole */
		bench_proof_t proof = { .got = pauses.hashed, .expected = 3 * pauses.sealed };
		uint64_t      segment = 0;
		uint32_t      offset  = 0;
		if (bitactor_telemetry_check(append.engine.engine, &segment, &offset) !=
		    BITACTOR_OK)
			proof.got = ~proof.expected;
		bench_events(bench, group, "hashes 16 KiB", "slice", pauses.hashing,
		             pauses.hashed, proof);
		bench_events(bench, group, "and completes a root, seals, opens", "slice",
		             pauses.sealing, pauses.sealed, proof);
		bench_engine_close(&append.engine);
	}
	free(pauses.hashing);
	free(pauses.sealing);
}

void
bench_telemetry(bench_t *bench)
{
	append_rows(bench);
	if (!bench->failed)
		digest_rows(bench);
	if (!bench->failed)
		pause_rows(bench);
}
