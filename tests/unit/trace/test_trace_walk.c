/* SPDX-License-Identifier: Apache-2.0 */
/* test_trace_walk.c -- which record may stand where: each rule kept, each broken. */
#include "trace_rig.h"

enum {
	W = BITACTOR_RECORD_WRITTEN, OUT = BITACTOR_RECORD_OUTSIDE | W,
	MEASURED = BITACTOR_RECORD_MEASURED,

	TURN = BITACTOR_RECORD_TURN, STOP = BITACTOR_RECORD_STOP, LINK = BITACTOR_RECORD_LINK,
	REGISTER = BITACTOR_RECORD_REGISTER, REJECT = BITACTOR_RECORD_REJECT,
	SCHEMA = BITACTOR_RECORD_SCHEMA, PROGRAM = BITACTOR_RECORD_PROGRAM,
	OUTPUT = BITACTOR_RECORD_OUTPUT, CLOSE = BITACTOR_RECORD_CLOSE,
	DATA = BITACTOR_RECORD_DATA, RESUME = BITACTOR_RECORD_RESUME,
	OVERRUN = BITACTOR_RECORD_OVERRUN, STATS = BITACTOR_RECORD_STATS,
	PAD = BITACTOR_RECORD_PAD
};
#define FAR BITACTOR_CAUSE_FAR

static const uint8_t zeros[992];
static ba_trace_walk_t walk;

static bitactor_segment_header_t
header_of(uint64_t segment)
{
	return (bitactor_segment_header_t){ .content_bytes = 4096, .turn_end = 1000,
		                            .segment = segment, .version = 1, .uuid = { 1, 2, 3 } };
}

/* A walk at the start of a trace without a schema, kind 1 registered, `turns`
 * turns on. */
static void
begin(uint64_t schema, uint32_t turns)
{
	const char *reason = "";
	ba_trace_walk_free(&walk);
	walk = (ba_trace_walk_t){ 0 };
	ba_trace_walk_begin(&walk);
	bitactor_segment_header_t header = header_of(0);
	header.schema = schema;
	CHECK_EQ(ba_trace_walk_header(&walk, &header, &reason), BITACTOR_OK);
	bitactor_record_t record = { .kind = REGISTER, .actor = 1, .flags = OUT };
	CHECK_EQ(ba_trace_walk_record(&walk, &record, false, &reason), BITACTOR_OK);
	for (uint32_t turn = 1; turn <= turns; turn++) {
		record = (bitactor_record_t){ .kind = TURN, .turn_lo = turn, .flags = W };
		CHECK_EQ(ba_trace_walk_record(&walk, &record, false, &reason), BITACTOR_OK);
	}
}

/* Take a record; the complaint, or NULL. */
static const char *
take(bitactor_record_t record, bool open)
{
	const char *reason = "";
	if (record.own == NULL)
		record.own = zeros;
	if (record.flags == 0)
		record.flags = W;
	if (record.turn_lo == 0)
		record.turn_lo = (uint32_t)walk.turn;
	bitactor_status_t status = ba_trace_walk_record(&walk, &record, open, &reason);
	CHECK(status == BITACTOR_OK || reason[0] != '\0');
	return status == BITACTOR_OK ? NULL : reason;
}

#define TAKEN(...) CHECK_EQ(take((bitactor_record_t){ __VA_ARGS__ }, false) == NULL, true)
#define REFUSED(what, ...)                                                         \
	do {                                                                       \
		const char *said = take((bitactor_record_t){ __VA_ARGS__ }, false); \
		said = said != NULL ? said : "nothing";                            \
		CHECK(strstr(said, what) != NULL);                                 \
		if (strstr(said, what) == NULL)                                    \
			printf("   it said: %s\n", said);                          \
	} while (0)

static const char *
header_said(bitactor_segment_header_t header)
{
	const char *reason = "";
	bitactor_status_t status = ba_trace_walk_header(&walk, &header, &reason);
	return status == BITACTOR_OK ? "OK" : reason;
}

static void
headers(void)
{
	SCENARIO("a header must be this trace's and the next one") {
		begin(0, 3);
		bitactor_segment_header_t good = header_of(1), bad;
		good.first_seq = 4;
		good.turn_begin = 3;
		bad = good, bad.segment = 2;
		CHECK(strstr(header_said(bad), "number 2") != NULL);
		bad = good, bad.segment = 0;
		CHECK(strstr(header_said(bad), "number 0") != NULL);
		bad = good, bad.uuid[15] = 9;
		CHECK(strstr(header_said(bad), "uuid of another") != NULL);
		bad = good, bad.schema = 9;
		CHECK(strstr(header_said(bad), "another schema") != NULL);
		bad = good, bad.first_seq = 5;
		CHECK(strstr(header_said(bad), "first_seq 5") != NULL);
		bad = good, bad.turn_begin = 2;
		CHECK(strstr(header_said(bad), "begins before") != NULL);
		bad = good, bad.open = true;
		CHECK(strstr(header_said(bad), "open and has a last turn") != NULL);
		bad.turn_end = 0, bad.prev_root[31] = 1;
		CHECK(strstr(header_said(bad), "open and has a previous root") != NULL);
		CHECK_EQ(strcmp(header_said(good), "OK"), 0);
		TAKEN(.kind = CLOSE, .payload = 4);
		bad = header_of(2), bad.first_seq = 5, bad.turn_begin = 3;
		CHECK(strstr(header_said(bad), "follows the one that CLOSE") != NULL);
	}
	SCENARIO("a first header with a previous root needs LINK, and only then") {
		ba_trace_walk_begin(&walk);
		bitactor_segment_header_t header = header_of(0);
		header.prev_root[0] = 1;
		CHECK_EQ(strcmp(header_said(header), "OK"), 0);
		REFUSED("LINK is not the first", .kind = TURN);
		TAKEN(.kind = LINK);
		TAKEN(.kind = TURN);
	}
}

static void
turns(void)
{
	SCENARIO("turns never go back, and 32 bits are enough to follow them") {
		begin(0, 2);
		REFUSED("before the one", .kind = 1, .flags = OUT, .turn_lo = 1);
		TAKEN(.kind = 1, .flags = OUT, .turn_lo = 2);
		TAKEN(.kind = 1, .flags = OUT, .turn_lo = 1000);
		REFUSED("behind the last turn", .kind = 1, .flags = OUT, .turn_lo = 1001);
		bitactor_segment_header_t header = header_of(1);
		header.first_seq = walk.seq;
		header.turn_begin = UINT64_C(0x5FFFFFFFE);
		header.turn_end = UINT64_C(0x600000010);
		CHECK_EQ(strcmp(header_said(header), "OK"), 0);
		TAKEN(.kind = 1, .flags = OUT, .turn_lo = 0xFFFFFFFF);
		TAKEN(.kind = 1, .flags = OUT, .turn_lo = 0x00000010);
		CHECK_EQ(walk.turn, UINT64_C(0x600000010));
		REFUSED("before the one", .kind = 1, .flags = OUT, .turn_lo = 0xFFFFFFFF);
		REFUSED("behind the last turn", .kind = 1, .flags = OUT, .turn_lo = 0x11);
	}
	SCENARIO("the last turns there can be do not wrap") {
		begin(0, 1);
		bitactor_segment_header_t header = header_of(1);
		header.first_seq = walk.seq;
		header.turn_begin = UINT64_MAX - 1;
		header.turn_end = 0;
		header.open = true;
		CHECK_EQ(strcmp(header_said(header), "OK"), 0);
		TAKEN(.kind = 1, .flags = OUT, .turn_lo = UINT32_MAX);
		REFUSED("behind the last turn", .kind = 1, .flags = OUT, .turn_lo = 7);
	}
}

static void
kinds(void)
{
	SCENARIO("without a schema a kind must have been registered") {
		begin(0, 1);
		REFUSED("never registered", .kind = 2, .flags = OUT);
		TAKEN(.kind = REGISTER, .actor = 2, .flags = OUT);
		TAKEN(.kind = 2, .flags = OUT);
		REFUSED("no signal can have", .kind = REGISTER, .actor = 0xFF00, .flags = OUT);
		AND("a fiber may take kinds that nobody registered");
		REFUSED("never registered", .kind = 9, .flags = OUT);
		TAKEN(.kind = REGISTER, .actor = 3, .cause = 1,
		      .payload = (uint64_t)BITACTOR_HANDLER_FIBER << 32);
		TAKEN(.kind = 9, .flags = OUT);
	}
	SCENARIO("with a schema a kind must be in it") {
		uint8_t slots[192] = { 0 };
		size_t  bytes = strlen(rig_schema);
		begin(rig_schema_hash(rig_schema), 0);
		REFUSED("not in the schema", .kind = 1, .flags = OUT);
		memcpy(slots, rig_schema, bytes);
		TAKEN(.kind = SCHEMA, .payload = bytes, .flags = W | 2);
		TAKEN(.kind = DATA, .payload = bytes, .own = slots,
		      .own_bytes = (uint32_t)(bytes + 31) / 32 * 32);
		CHECK_EQ(walk.schema.kind_count, RIG_KINDS);
		TAKEN(.kind = REGISTER, .actor = 12, .flags = OUT);
		TAKEN(.kind = TURN);
		TAKEN(.kind = 1, .flags = OUT);
		REFUSED("not in the schema", .kind = 12, .flags = OUT);
	}
	SCENARIO("a REJECT names a kind and a reason") {
		uint8_t own[32] = { 5, 0, 1 };
		begin(0, 1);
		TAKEN(.kind = REJECT, .flags = OUT, .own = own, .own_bytes = 32);
		own[31] = 1;
		REFUSED("own slot", .kind = REJECT, .flags = OUT, .own = own);
		own[31] = 0, own[2] = 0;
		REFUSED("own slot", .kind = REJECT, .flags = OUT, .own = own);
		own[1] = 0xFF, own[2] = 1;
		REFUSED("own slot", .kind = REJECT, .flags = OUT, .own = own);
	}
}

static void
flags_and_causes(void)
{
	SCENARIO("flags are those that the kind can have") {
		begin(0, 1);
		TAKEN(.kind = 1, .flags = OUT | BITACTOR_RECORD_FAILED);
		TAKEN(.kind = 1, .flags = OUT | BITACTOR_RECORD_ZERO_TICK);
		REFUSED("flags that", .kind = 1, .flags = OUT | MEASURED);
		REFUSED("flags that", .kind = TURN, .flags = OUT);
		REFUSED("flags that", .kind = PAD, .flags = W | 1);
		REFUSED("flags that", .kind = OUTPUT, .cause = 1, .flags = W | 16);
		REFUSED("flags that", .kind = STOP, .flags = W | 32);
		REFUSED("has not the flag", .kind = OVERRUN);
		TAKEN(.kind = OVERRUN, .flags = W | MEASURED);
		REFUSED("data bytes differ", .kind = 1, .flags = OUT | 2);
		REFUSED("data bytes differ", .kind = 1, .flags = OUT, .data_bytes = 1);
		REFUSED("data bytes differ", .kind = STATS, .flags = W | 32, .payload = 1);
	}
	SCENARIO("a cause is an earlier record") {
		begin(0, 4); /* seq 5 is next */
		CHECK_EQ(walk.seq, 5);
		TAKEN(.kind = 1, .cause = 5);
		TAKEN(.kind = 1, .cause = 1);
		REFUSED("no earlier record", .kind = 1, .cause = 0);
		REFUSED("no earlier record", .kind = 1, .cause = 8);
		REFUSED("no earlier record", .kind = OUTPUT, .cause = 0);
		REFUSED("no earlier record", .kind = RESUME, .cause = 100);
		TAKEN(.kind = 1, .cause = 8, .flags = OUT);
		REFUSED("CAUSE slot", .kind = 1, .cause = FAR, .cause_seq = 0);
		REFUSED("none that it can have", .kind = 1, .cause = FAR, .flags = OUT);
		REFUSED("none that it can have", .kind = STOP, .cause = UINT32_MAX, .flags = OUT);
		walk.seq = UINT64_C(0x100000000);
		TAKEN(.kind = 1, .cause = FAR, .cause_seq = 1);
		REFUSED("CAUSE slot", .kind = 1, .cause = FAR, .cause_seq = 3);
		REFUSED("CAUSE slot", .kind = 1, .cause = FAR, .cause_seq = UINT64_MAX);
	}
	SCENARIO("seq counts what a replay repeats") {
		begin(0, 1);
		uint64_t seq = walk.seq;
		TAKEN(.kind = PAD);
		TAKEN(.kind = OVERRUN, .flags = W | MEASURED);
		CHECK_EQ(walk.seq, seq);
		TAKEN(.kind = 1, .flags = OUT | 2, .data_bytes = 8);
		CHECK_EQ(walk.seq, seq + 1);
		TAKEN(.kind = DATA, .payload = 8, .own_bytes = 32);
		CHECK_EQ(walk.seq, seq + 1);
	}
}

static void
data(void)
{
	const bitactor_record_t part = { .kind = DATA, .payload = 40, .own_bytes = 64 };
	bitactor_record_t record;
	SCENARIO("DATA stands behind its head, in order, as much as announced") {
		begin(0, 1);
		REFUSED("announces it", .kind = DATA, .payload = 1, .own_bytes = 32);
		TAKEN(.kind = 1, .flags = OUT | 2, .data_bytes = 100);
		REFUSED("is not complete", .kind = TURN);
		record = part, record.actor = 1;
		CHECK(strstr(take(record, false), "number 1 where number 0") != NULL);
		record = part, record.cause = 1;
		CHECK(strstr(take(record, false), "flags and the cause") != NULL);
		record = part, record.flags = W | MEASURED;
		CHECK(strstr(take(record, false), "flags and the cause") != NULL);
		CHECK(take(part, false) == NULL);
		TAKEN(.kind = PAD);
		record = part, record.actor = 1;
		CHECK(take(record, false) == NULL);
		REFUSED("is not complete", .kind = CLOSE, .payload = walk.seq);
		record.actor = 2;
		CHECK(strstr(take(record, false), "more DATA than") != NULL);
		TAKEN(.kind = DATA, .actor = 2, .payload = 20, .own_bytes = 32);
		REFUSED("announces it", .kind = DATA, .actor = 3, .payload = 1);
	}
	SCENARIO("what DATA does not fill is zero") {
		uint8_t slots[64] = { 0 };
		begin(0, 1);
		TAKEN(.kind = 1, .flags = OUT | 2, .data_bytes = 80);
		slots[39] = 1;
		record = part, record.own = slots;
		CHECK(take(record, false) == NULL);
		slots[40] = 1;
		record.actor = 1;
		CHECK(strstr(take(record, false), "end in zeros") != NULL);
	}
	SCENARIO("DATA of a measured record is measured") {
		begin(0, 1);
		TAKEN(.kind = STATS, .flags = W | 2 | MEASURED,
		      .payload = 40);
		CHECK(take(part, false) != NULL);
		record = part, record.flags = W | MEASURED;
		CHECK(take(record, false) == NULL);
	}
	SCENARIO("DATA goes on in the next segment") {
		begin(0, 1);
		TAKEN(.kind = OUTPUT, .cause = 1, .flags = W | 2, .payload = 80);
		CHECK(take(part, false) == NULL);
		bitactor_segment_header_t header = header_of(1);
		header.first_seq = walk.seq, header.turn_begin = 1;
		CHECK_EQ(strcmp(header_said(header), "OK"), 0);
		record = part, record.actor = 1;
		CHECK(take(record, false) == NULL);
		CHECK_EQ(walk.data_left, 0);
	}
}

static void
texts(void)
{
	static const char text[] = "schema\t1\nkind\t1\ta\n";
	uint8_t slots[32] = { 0 };
	memcpy(slots, text, sizeof text - 1);
	const bitactor_record_t head = { .kind = SCHEMA, .flags = W | 2,
		                         .payload = sizeof text - 1 };
	const bitactor_record_t part = { .kind = DATA, .payload = sizeof text - 1,
		                         .own = slots, .own_bytes = 32 };
	SCENARIO("SCHEMA is the one that the headers name, once, before the first TURN") {
		begin(rig_schema_hash(text), 0);
		REFUSED("is not before it", .kind = TURN);
		CHECK(take(head, false) == NULL);
		CHECK(take(part, false) == NULL);
		CHECK_EQ(walk.schema_text.used, sizeof text - 1);
		CHECK_EQ(strcmp(walk.schema_text.bytes, text), 0);
		CHECK(strstr(take(head, false), "an earlier one") != NULL);
		TAKEN(.kind = PROGRAM); /* empty */
		CHECK_EQ(walk.program_text.whole, true);
		REFUSED("an earlier one", .kind = PROGRAM);
		TAKEN(.kind = TURN);
		REFUSED("behind the first TURN", .kind = PROGRAM);
		AND("read again it is known already");
		ba_trace_walk_begin(&walk);
		bitactor_segment_header_t header = header_of(0);
		header.schema = rig_schema_hash(text);
		CHECK_EQ(strcmp(header_said(header), "OK"), 0);
		CHECK(take(head, false) == NULL);
		CHECK(take(part, false) == NULL);
		CHECK_EQ(walk.schema_text.used, sizeof text - 1);
		TAKEN(.kind = 1, .flags = OUT);
	}
	SCENARIO("another SCHEMA than the headers name, or none that can be read, is refused") {
		begin(0, 0);
		CHECK(take(head, false) == NULL);
		CHECK(strstr(take(part, false), "name another schema") != NULL);
		begin(rig_schema_hash("schema\t1\nkind\t1\ta b\n"), 0);
		memcpy(slots, "schema\t1\nkind\t1\ta b\n", 21);
		TAKEN(.kind = SCHEMA, .flags = W | 2, .payload = 20);
		REFUSED("schema, line 2", .kind = DATA, .payload = 20, .own = slots,
		        .own_bytes = 32);
		begin(rig_schema_hash("schema\t2\n"), 0);
		memcpy(slots, "schema\t2\n\0\0\0\0\0\0\0\0\0\0\0\0", 21);
		TAKEN(.kind = SCHEMA, .flags = W | 2, .payload = 9);
		bitactor_record_t newer = { .kind = DATA, .payload = 9, .own = slots,
			                    .own_bytes = 32, .flags = W };
		const char *reason;
		CHECK_EQ(ba_trace_walk_record(&walk, &newer, false, &reason), BITACTOR_UNSUPPORTED);
	}
	SCENARIO("a text that is announced too long takes no memory") {
		begin(1, 0);
		REFUSED("longer than 16 MiB", .kind = SCHEMA, .flags = W | 2,
		        .payload = UINT64_MAX);
		REFUSED("longer than 16 MiB", .kind = PROGRAM, .flags = W | 2,
		        .payload = BA_TRACE_TEXT_MAX + 1);
		TAKEN(.kind = PROGRAM, .flags = W | 2, .payload = BA_TRACE_TEXT_MAX);
		CHECK(walk.program_text.room <= 4096);
	}
}

static void
ends(void)
{
	SCENARIO("after an open record only its DATA follows") {
		begin(0, 1);
		const bitactor_record_t turn = { .kind = TURN };
		CHECK(strstr(take(turn, true), "nothing is dispatched") != NULL);
		const bitactor_record_t open = { .kind = 1, .flags = OUT | 2, .data_bytes = 8 };
		CHECK(take(open, true) == NULL);
		TAKEN(.kind = PAD);
		TAKEN(.kind = DATA, .payload = 8, .own_bytes = 32);
		REFUSED("still open", .kind = 1, .flags = OUT);
		REFUSED("still open", .kind = CLOSE, .payload = walk.seq);
	}
	SCENARIO("CLOSE counts the records before it, and nothing follows") {
		begin(0, 2);
		REFUSED("compared records before it", .kind = CLOSE, .payload = 4);
		TAKEN(.kind = CLOSE, .payload = 3);
		CHECK_EQ(walk.closed, true);
		REFUSED("follows CLOSE", .kind = PAD);
		REFUSED("follows CLOSE", .kind = CLOSE, .payload = 4);
	}
}

int
main(void)
{
	headers();
	turns();
	kinds();
	flags_and_causes();
	data();
	texts();
	ends();
	ba_trace_walk_free(&walk);
	return bdd_close();
}
