/* SPDX-License-Identifier: Apache-2.0 */
/* import_candump.c -- candump lines as signals.
 *
 *      kind       can.frame, can.fd, can.remote, can.error
 *      id         low 32 bits of the signal's running number, from 1
 *      payload    the first 8 data bytes, byte 0 lowest; missing ones 0
 *      context     0..31  id, with 0x80000000 extended, 0x40000000 remote,
 *                         0x20000000 error, as SocketCAN has it
 *                 32..39  number of data bytes; of a remote frame those it asks for
 *                 40..55  number of the interface, in order of appearance
 *                 56..63  flags of CAN FD
 *      timestamp  ns, or 0 when the line has no time
 *      data       all bytes of a CAN FD frame, when it has any
 *
 * Interfaces are numbered by good lines alone, whether or not the module has a
 * kind for them: the numbers depend on the file, not on who reads it.
 *
 * Skipped are blank lines, comments (#), the header of canutils, whose name goes
 * to the lines that have none, and the lines starting with a tab in which
 * candump -e explains the error frame above.  DROPCOUNT is a bad line: it says
 * that frames are missing here, and that must not pass in silence.
 */
#include "import_source.h"

#include <string.h>

/* In the order of ba_can_sort_t. */
static const char *const kind_names[BA_CAN_SORTS] = { "can.frame", "can.fd", "can.remote",
	                                              "can.error" };

_Static_assert(BITACTOR_IMPORT_NAME_BYTES == BA_CAN_NAME_MAX + 1, "a name and its NUL");
_Static_assert(BITACTOR_IMPORT_INTERFACES <= 1 << 16, "bits 40..55 of the context");

static void
begin(bitactor_import_t *import)
{
	for (int sort = 0; sort < BA_CAN_SORTS; sort++)
		import->can_kind[sort] = bitactor_kind_find(&import->options.kinds,
		                                            kind_names[sort]);
	memcpy(import->header_name, "can0", sizeof "can0");
}

/* The number of an interface, or -1: there are too many. */
static int32_t
interface_number(bitactor_import_t *import, const char *name, size_t name_bytes)
{
	bitactor_import_stats_t *stats = &import->stats;
	uint32_t hint = import->interface_hint;
	for (uint32_t i = 0; i <= stats->interfaces; i++) {
		/* the one of the line before first, then all in order */
		uint32_t number = i == 0 ? hint : i - 1;
		const char *known = stats->interface_name[number];
		if (number < stats->interfaces && memcmp(known, name, name_bytes) == 0 &&
		    known[name_bytes] == '\0')
			return (int32_t)(import->interface_hint = number);
	}
	if (stats->interfaces == BITACTOR_IMPORT_INTERFACES)
		return -1;
	memcpy(stats->interface_name[stats->interfaces], name, name_bytes);
	import->interface_hint = stats->interfaces++;
	return (int32_t)import->interface_hint;
}

static void
count_sort(bitactor_import_stats_t *stats, ba_can_sort_t sort)
{
	stats->frames += sort == BA_CAN_SORT_FRAME;
	stats->fd_frames += sort == BA_CAN_SORT_FD;
	stats->remote_frames += sort == BA_CAN_SORT_REMOTE;
	stats->error_frames += sort == BA_CAN_SORT_ERROR;
}

/* Byte 0 lowest, on any machine. */
static uint64_t
load_8(const uint8_t *bytes)
{
	return (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
	       (uint64_t)bytes[3] << 24 | (uint64_t)bytes[4] << 32 | (uint64_t)bytes[5] << 40 |
	       (uint64_t)bytes[6] << 48 | (uint64_t)bytes[7] << 56;
}

static ba_verdict_t
read_frame(bitactor_import_t *import, const ba_line_t *line, bitactor_item_t *item)
{
	ba_can_frame_t frame = { .data = ba_import_data(import) };
	ba_can_fault_t why;
	if (!ba_candump_scan(line->text, line->text_bytes, &frame, &why))
		return ba_import_bad(import, "column %zu: %s", why.column, why.reason);
	if (frame.name == NULL) {
		frame.name = import->header_name;
		frame.name_bytes = strlen(import->header_name);
	}
	int32_t interface = interface_number(import, frame.name, frame.name_bytes);
	if (interface < 0)
		return ba_import_bad(import, "more than %d interfaces", BITACTOR_IMPORT_INTERFACES);
	count_sort(&import->stats, frame.sort);
	import->after_error = frame.sort == BA_CAN_SORT_ERROR;

	int32_t kind = import->can_kind[frame.sort];
	if (kind < 0)
		return BA_VERDICT_NO_HANDLER;
	bool has_data = frame.sort == BA_CAN_SORT_FD && frame.byte_count > 0;
	item->data = has_data ? frame.data : NULL;
	item->signal = (bitactor_signal_t){
		.id = (uint32_t)(import->stats.signals + 1),
		.kind = (uint16_t)kind,
		.data_bytes = has_data ? frame.byte_count : 0,
		.payload = load_8(frame.data),
		.context = frame.id | (uint64_t)frame.byte_count << 32 |
		           (uint64_t)interface << 40 | (uint64_t)frame.fd_flags << 56,
		.timestamp = frame.time_ns,
	};
	if (frame.timed)
		ba_import_timed(import, frame.time_ns);
	return BA_VERDICT_SIGNAL;
}

static bool
starts_with(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) == 0;
}

/* "interface = can0, family = 29, type = 3, proto = 1" */
static ba_verdict_t
read_header(bitactor_import_t *import, const char *name)
{
	size_t name_bytes = ba_candump_name_bytes(name);
	const char *comma = memchr(name, ',', name_bytes);
	if (comma != NULL)
		name_bytes = (size_t)(comma - name);
	if (name_bytes == 0 || name_bytes > BA_CAN_NAME_MAX)
		return ba_import_bad(import, "an interface name has 1 to %d bytes",
		                     BA_CAN_NAME_MAX);
	memcpy(import->header_name, name, name_bytes);
	import->header_name[name_bytes] = '\0';
	return BA_VERDICT_SKIPPED;
}

static ba_verdict_t
read_line(bitactor_import_t *import, const ba_line_t *line, bitactor_item_t *item)
{
	static const char header[] = "interface = ";
	const char *text = line->text, *end = text + line->text_bytes;
	bool after_error = import->after_error;
	import->after_error = false;

	if (*text == '(' || *text == '<')
		return read_frame(import, line, item);
	if (*text == '\t' && after_error) {
		import->after_error = true;
		return BA_VERDICT_SKIPPED;
	}
	while (*text == ' ' || *text == '\t')
		text++;
	if (text == end)
		return BA_VERDICT_SKIPPED;
	if (*text == '#') {
		if (strlen(text) == (size_t)(end - text))
			return BA_VERDICT_SKIPPED;
		return ba_import_bad(import, "column %zu: a NUL byte; is the file UTF-16?",
		                     strlen(line->text) + 1);
	}
	if (starts_with(text, header))
		return read_header(import, text + sizeof header - 1);
	if (starts_with(text, "DROPCOUNT: dropped "))
		return ba_import_bad(import, "candump says that frames were lost here: %.120s",
		                     text);
	return read_frame(import, line, item);
}

const ba_import_format_t ba_import_candump = {
	.scheme = "candump",
	.line_max = 4096, /* CAN FD in the display form has some 250 bytes */
	.buffer_bytes = 256 * 1024,
	.data_max = BA_CAN_FD_BYTES,
	.data_bytes = BITACTOR_BATCH_ITEMS * BA_CAN_FD_BYTES,
	.begin = begin,
	.read = read_line,
};
