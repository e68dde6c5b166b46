/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_import.c -- any bytes are lines, each with one verdict, however they come.
 *
 *      byte 0   bit 0     0 candump, 1 NDJSON
 *               bit 1     the module has no kinds
 *               bit 2     strict
 *               bits 3-5  how much comes through the pipe at a time
 *               bits 6-7  how many items a poll may bring: 1, 2, 7, 256
 *      the rest           the input
 *
 * The bytes are imported twice, from a file and, in pieces, through a pipe to
 * standard input.  Both must give the same signals, the same bad lines and the
 * same counts, and each by itself must add up.
 *
 * Run: make fuzz, or
 *      clang -fsanitize=fuzzer,address,undefined ... && ./fuzz_import tests/fuzz/corpus/import
 */
#include <bitactor/import.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count);

enum { PIPE_BYTES = 60000 }; /* a pipe holds 65536: the writer is us, it may not block */

static const char *const kinds[] = { "can.frame", "can.fd", "can.remote", "can.error" };

/* All that an import said. */
typedef struct account {
	bitactor_import_stats_t stats;
	bitactor_status_t       ended;
	uint64_t                taken;   /* digest of signals and data, in order      */
	uint64_t                refused; /* digest of bad lines and reasons, in order */
	uint64_t                signals, bad, last_bad;
	bool                    candump;
} account_t;

static void
must(bool right, const char *what)
{
	if (right)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

/* FNV-1a, which touches every byte: unreadable data is found here. */
static void
digest(uint64_t *sum, const void *bytes, size_t byte_count)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < byte_count; i++)
		*sum = (*sum ^ at[i]) * UINT64_C(0x100000001B3);
}

static void
bad_line(void *context, uint64_t line, const char *reason)
{
	account_t *account = context;
	must(line > account->last_bad, "bad lines come in order");
	must(reason[0] != '\0' && strlen(reason) < 256, "a bad line has a reason");
	for (const char *at = reason; *at != '\0'; at++)
		must(*at >= 0x20 && *at <= 0x7E, "a reason is printable");
	account->last_bad = line;
	account->bad++;
	digest(&account->refused, &line, sizeof line);
	digest(&account->refused, reason, strlen(reason));
}

/* The fields of a CAN signal agree with each other. */
static void
check_can(const bitactor_signal_t *signal)
{
	uint32_t id = (uint32_t)signal->context;
	uint32_t length = signal->context >> 32 & 0xFF, flags = (uint32_t)(signal->context >> 56);
	bool extended = (id & 0x80000000) != 0, remote = (id & 0x40000000) != 0;
	bool error = (id & 0x20000000) != 0;
	must((signal->context >> 40 & 0xFFFF) < BITACTOR_IMPORT_INTERFACES, "an interface");
	must((id & 0x1FFFFFFF) <= (extended || error ? 0x1FFFFFFFu : 0x7FFu), "an id");
	must(!(error && (extended || remote)), "an error frame is only that");
	must(length <= (signal->kind == 1 ? 64u : 8u), "a length");
	must(flags <= (signal->kind == 1 ? 15u : 0u), "flags of CAN FD alone");
	must(signal->data_bytes == (signal->kind == 1 ? length : 0), "data of CAN FD alone");
	must(remote == (signal->kind == 2) && error == (signal->kind == 3), "the kind");
	must(signal->actor == 0 && signal->priority == 0 && signal->flags == 0, "the rest is 0");
	if (length < 8)
		must(signal->payload >> (8 * length) == 0, "missing bytes are 0");
	if (remote)
		must(signal->payload == 0, "a remote frame has no data");
}

static void
take(account_t *account, const bitactor_batch_t *batch)
{
	must(batch->count <= batch->capacity && batch->max == 0 && !batch->as_tick, "a batch");
	for (uint32_t i = 0; i < batch->count; i++) {
		const bitactor_item_t *item = &batch->items[i];
		account->signals++;
		must((item->data != NULL) == (item->signal.data_bytes > 0), "data if any");
		must(item->signal.seal == 0 && item->signal.reserved == 0, "0 where unused");
		must(item->signal.kind < BITACTOR_MAX_KINDS, "a kind");
		if (account->candump) {
			must(item->signal.id == account->signals, "the running number");
			check_can(&item->signal);
		}
		digest(&account->taken, &item->signal, sizeof item->signal);
		digest(&account->taken, item->data, item->signal.data_bytes);
	}
}

static bitactor_status_t
poll_all(account_t *account, bitactor_source_t source, uint32_t capacity, bool may_wait)
{
	bitactor_item_t items[BITACTOR_BATCH_ITEMS];
	bitactor_batch_t batch = { .items = items, .capacity = capacity };
	bitactor_error_t error = { .os_error = 0 };
	bitactor_status_t status;
	while ((status = source.poll(source.context, &batch, may_wait, &error)) == BITACTOR_OK)
		take(account, &batch);
	must(status == BITACTOR_CLOSED || status == BITACTOR_EMPTY || status == BITACTOR_CORRUPT,
	     "a status");
	must(batch.count == 0, "no items without OK");
	must((error.status == BITACTOR_CORRUPT) == (status == BITACTOR_CORRUPT), "an error");
	return status;
}

static void
check_sums(const account_t *account)
{
	const bitactor_import_stats_t *stats = &account->stats;
	must(stats->lines == stats->signals + stats->skipped + stats->bad + stats->no_handler,
	     "each line has one verdict");
	must(stats->signals == account->signals && stats->bad == account->bad, "none is hidden");
	must(stats->timed <= stats->signals && stats->clock_backward <= stats->timed, "times");
	must(stats->interfaces <= BITACTOR_IMPORT_INTERFACES, "interfaces");
	if (account->candump)
		must(stats->frames + stats->fd_frames + stats->remote_frames +
		                     stats->error_frames ==
		             stats->signals + stats->no_handler,
		     "each frame is of one sort");
	must(account->ended == BITACTOR_CLOSED ||
	             (account->ended == BITACTOR_CORRUPT && stats->bad == 1),
	     "it ends");
}

static bitactor_import_t *
open_import(uint8_t how, const char *file, account_t *account)
{
	char input[64];
	bitactor_import_t *import = NULL;
	memset(account, 0, sizeof *account);
	account->candump = (how & 1) == 0;
	snprintf(input, sizeof input, "%s:%s", account->candump ? "candump" : "ndjson", file);
	bitactor_import_options_t options = {
		.kinds = { .names = kinds, .count = (how & 2) != 0 ? 0 : 4 },
		.strict = (how & 4) != 0,
		.bad = bad_line,
		.bad_context = account,
	};
	must(bitactor_import_open(input, &options, &import, NULL) == BITACTOR_OK, "it opens");
	return import;
}

static void
import_file(uint8_t how, const uint8_t *bytes, size_t byte_count, account_t *account)
{
	char file[32];
	int fd = memfd_create("fuzz", 0);
	must(write(fd, bytes, byte_count) == (ssize_t)byte_count, "memfd");
	snprintf(file, sizeof file, "/proc/self/fd/%d", fd);
	bitactor_import_t *import = open_import(how, file, account);
	account->ended = poll_all(account, bitactor_import_source(import), BITACTOR_BATCH_ITEMS,
	                          true);
	bitactor_import_stats(import, &account->stats);
	must(account->stats.total_bytes == byte_count, "the size of a file is known");
	if (account->ended == BITACTOR_CLOSED)
		must(account->stats.bytes == byte_count, "all of it is read");
	bitactor_import_close(import);
	close(fd);
}

static void
import_pipe(uint8_t how, const uint8_t *bytes, size_t byte_count, account_t *account)
{
	static const uint32_t capacities[4] = { 1, 2, 7, 256 };
	size_t piece = (size_t)1 << (how >> 3 & 7) * 2;
	uint32_t capacity = capacities[how >> 6];
	int ends[2];
	must(pipe(ends) == 0 && dup2(ends[0], STDIN_FILENO) >= 0, "a pipe");
	close(ends[0]);
	bitactor_import_t *import = open_import(how, "-", account);
	bitactor_source_t source = bitactor_import_source(import);
	bitactor_status_t status = BITACTOR_EMPTY;
	for (size_t at = 0; at < byte_count && status == BITACTOR_EMPTY; at += piece) {
		size_t count = piece < byte_count - at ? piece : byte_count - at;
		must(write(ends[1], bytes + at, count) == (ssize_t)count, "a write");
		status = poll_all(account, source, capacity, false);
	}
	close(ends[1]);
	account->ended = poll_all(account, source, capacity, true);
	bitactor_import_stats(import, &account->stats);
	must(account->stats.total_bytes == 0, "the size of a pipe is not known");
	bitactor_import_close(import);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t byte_count)
{
	account_t file, pipe;
	if (byte_count == 0 || byte_count > PIPE_BYTES)
		return 0;
	import_file(bytes[0], bytes + 1, byte_count - 1, &file);
	check_sums(&file);
	import_pipe(bytes[0], bytes + 1, byte_count - 1, &pipe);
	check_sums(&pipe);
	must(file.taken == pipe.taken && file.refused == pipe.refused && file.ended == pipe.ended,
	     "the same from both");
	must(file.stats.lines == pipe.stats.lines && file.stats.skipped == pipe.stats.skipped &&
	             file.stats.timed == pipe.stats.timed &&
	             file.stats.no_handler == pipe.stats.no_handler &&
	             file.stats.clock_backward == pipe.stats.clock_backward &&
	             file.stats.interfaces == pipe.stats.interfaces,
	     "the same counts from both");
	return 0;
}
