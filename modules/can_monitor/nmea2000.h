/* SPDX-License-Identifier: Apache-2.0 */
/* nmea2000.h -- from a frame's eight bytes to a signal with named numbers.
 *
 *      frame    |sid | heading  |deviation |variation |ref |      PGN 127250
 *      bit      0    8          24         40         56   64
 *                       \           \          \         \
 *      payload       [0,16)      [16,32)    [32,48)       |
 *      context     bits 56, 57, 58: heading, deviation,   +-> [8,10)
 *                                   variation are known
 *
 * Three tables say it all.  A kind of signal has fields, the same ones that the
 * schema shows: first its values, each followed by the flag that says whether
 * the value is known, then its codes.  A message has parts: bits on the wire and
 * the number of the field they go to.  Decoding is one loop over the parts.
 *
 * A value is not known when the frame is too short for it or when it is one of
 * the three highest that its bits can hold: "not available", "out of range" and
 * "reserved".  It is then 0 and its flag is down.  Codes are copied as they are.
 * A value is never rounded: the field's unit is the wire's, or a fraction of it.
 *
 *      context  [0,8) interface  [8,16) and [16,24) what tells two series of one
 *               sender apart  [24,40) a fourth value  [40,48) codes that are no
 *               identity  [56,64) which values are known
 *
 * To add a message: its parts and a row in nmea_messages; for a new kind of
 * signal also its fields and a row in NMEA_KIND_LIST.  That is all: the module's
 * table, the schema and the report follow.
 *
 * Source: canboat, docs/canboat.json 8.0.0-beta3 (schema 2.5.0), which describes
 * the messages as observed; NMEA's own document is not public.
 */
#ifndef CAN_MONITOR_NMEA2000_H
#define CAN_MONITOR_NMEA2000_H

#include <bitactor/module.h>

/* ---- kinds of signals ---------------------------------------------------------- */

/* The name, its fields below, and how many of those are values. */
#define NMEA_KIND_LIST(ROW)            \
	ROW(HEADING, heading, 3)           \
	ROW(RATE_OF_TURN, rate_of_turn, 1) \
	ROW(ATTITUDE, attitude, 3)         \
	ROW(VARIATION, variation, 2)       \
	ROW(RUDDER, rudder, 2)             \
	ROW(SPEED, speed, 2)               \
	ROW(DEPTH, depth, 3)               \
	ROW(POSITION, position, 2)         \
	ROW(COG_SOG, cog_sog, 2)           \
	ROW(DOP, dop, 3)                   \
	ROW(WIND, wind, 2)                 \
	ROW(ENVIRONMENT, environment, 4)   \
	ROW(TEMPERATURE, temperature, 2)   \
	ROW(TIME, time, 3)

#define NMEA_ENUM(NAME, name, values) NMEA_##NAME,
enum nmea_kind { NMEA_KIND_LIST(NMEA_ENUM) NMEA_KINDS };

enum { NMEA_VALUES_MAX = 4, NMEA_KNOWN_SHIFT = 56 };

#define NMEA_VALUE(number, name, unit, word, shift, bits, format, exponent)               \
	{ name, unit, BITACTOR_WORD_##word, shift, bits, BITACTOR_FORMAT_##format, exponent }, \
	{ name "_known", "", BITACTOR_WORD_CONTEXT, NMEA_KNOWN_SHIFT + (number), 1,       \
	  BITACTOR_FORMAT_FLAG, 0 }
#define NMEA_CODE(name, shift, bits) \
	{ name, "", BITACTOR_WORD_CONTEXT, shift, bits, BITACTOR_FORMAT_UNSIGNED, 0 }
#define NMEA_SENDER                                                         \
	NMEA_CODE("interface", 0, 8),                                       \
	{ "source", "", BITACTOR_WORD_ID, 0, 8, BITACTOR_FORMAT_UNSIGNED, 0 },   \
	{ "pgn", "", BITACTOR_WORD_ID, 8, 18, BITACTOR_FORMAT_UNSIGNED, 0 },     \
	{ "priority", "", BITACTOR_WORD_ID, 26, 3, BITACTOR_FORMAT_UNSIGNED, 0 }

static const bitactor_field_t nmea_heading[] = {
	NMEA_VALUE(0, "heading", "rad", PAYLOAD, 0, 16, UNSIGNED, -4),
	NMEA_VALUE(1, "deviation", "rad", PAYLOAD, 16, 16, SIGNED, -4),
	NMEA_VALUE(2, "variation", "rad", PAYLOAD, 32, 16, SIGNED, -4),
	NMEA_CODE("reference", 8, 2), /* 0 true, 1 magnetic, 3 not said */
	NMEA_SENDER
};

static const bitactor_field_t nmea_rate_of_turn[] = {
	/* The wire counts 2^-5 microrad/s, which is 3125 of these. */
	NMEA_VALUE(0, "rate", "rad/s", PAYLOAD, 0, 48, SIGNED, -11),
	NMEA_SENDER
};

static const bitactor_field_t nmea_attitude[] = {
	NMEA_VALUE(0, "yaw", "rad", PAYLOAD, 0, 16, SIGNED, -4),
	NMEA_VALUE(1, "pitch", "rad", PAYLOAD, 16, 16, SIGNED, -4),
	NMEA_VALUE(2, "roll", "rad", PAYLOAD, 32, 16, SIGNED, -4),
	NMEA_SENDER
};

static const bitactor_field_t nmea_variation[] = {
	NMEA_VALUE(0, "variation", "rad", PAYLOAD, 0, 16, SIGNED, -4),
	NMEA_VALUE(1, "age_of_service", "d", PAYLOAD, 16, 16, UNSIGNED, 0), /* since 1970 */
	NMEA_CODE("method", 8, 4), /* 0 manual, 1 chart, 2 table, 3 computed, 4.. WMM 2000.. */
	NMEA_SENDER
};

static const bitactor_field_t nmea_rudder[] = {
	NMEA_VALUE(0, "position", "rad", PAYLOAD, 0, 16, SIGNED, -4),
	NMEA_VALUE(1, "angle_order", "rad", PAYLOAD, 16, 16, SIGNED, -4),
	NMEA_CODE("instance", 8, 8),
	NMEA_CODE("direction_order", 40, 3), /* 0 none, 1 to starboard, 2 to port */
	NMEA_SENDER
};

static const bitactor_field_t nmea_speed[] = {
	NMEA_VALUE(0, "water", "m/s", PAYLOAD, 0, 16, UNSIGNED, -2),
	NMEA_VALUE(1, "ground", "m/s", PAYLOAD, 16, 16, UNSIGNED, -2),
	NMEA_CODE("sensor", 8, 8), /* 0 paddle wheel, 1 pitot, 2 doppler, 3 sound, 4 magnetic */
	NMEA_CODE("direction", 40, 4),
	NMEA_SENDER
};

static const bitactor_field_t nmea_depth[] = {
	NMEA_VALUE(0, "depth", "m", PAYLOAD, 0, 32, UNSIGNED, -2), /* below the transducer */
	NMEA_VALUE(1, "offset", "m", PAYLOAD, 32, 16, SIGNED, -3), /* > 0: to the water */
	NMEA_VALUE(2, "range", "m", PAYLOAD, 48, 8, UNSIGNED, 1),
	NMEA_SENDER
};

static const bitactor_field_t nmea_position[] = {
	NMEA_VALUE(0, "latitude", "deg", PAYLOAD, 0, 32, SIGNED, -7),
	NMEA_VALUE(1, "longitude", "deg", PAYLOAD, 32, 32, SIGNED, -7),
	NMEA_SENDER
};

static const bitactor_field_t nmea_cog_sog[] = {
	NMEA_VALUE(0, "cog", "rad", PAYLOAD, 0, 16, UNSIGNED, -4),
	NMEA_VALUE(1, "sog", "m/s", PAYLOAD, 16, 16, UNSIGNED, -2),
	NMEA_CODE("reference", 8, 2), /* as in nmea.heading */
	NMEA_SENDER
};

static const bitactor_field_t nmea_dop[] = {
	NMEA_VALUE(0, "hdop", "", PAYLOAD, 0, 16, SIGNED, -2),
	NMEA_VALUE(1, "vdop", "", PAYLOAD, 16, 16, SIGNED, -2),
	NMEA_VALUE(2, "tdop", "", PAYLOAD, 32, 16, SIGNED, -2),
	NMEA_CODE("desired_mode", 40, 3), /* 0 1D, 1 2D, 2 3D, 3 auto */
	NMEA_CODE("actual_mode", 43, 3),
	NMEA_SENDER
};

static const bitactor_field_t nmea_wind[] = {
	NMEA_VALUE(0, "speed", "m/s", PAYLOAD, 0, 16, UNSIGNED, -2),
	NMEA_VALUE(1, "angle", "rad", PAYLOAD, 16, 16, UNSIGNED, -4),
	NMEA_CODE("reference", 8, 3), /* 0 true north, 1 magnetic, 2 apparent, 3 boat, 4 water */
	NMEA_SENDER
};

static const bitactor_field_t nmea_environment[] = {
	NMEA_VALUE(0, "temperature", "K", PAYLOAD, 0, 16, UNSIGNED, -2),
	NMEA_VALUE(1, "humidity", "%", PAYLOAD, 16, 32, SIGNED, -3),
	NMEA_VALUE(2, "pressure", "hPa", PAYLOAD, 48, 16, UNSIGNED, 0),
	NMEA_VALUE(3, "outside", "K", CONTEXT, 24, 16, UNSIGNED, -2), /* 130310 alone */
	NMEA_CODE("temperature_source", 8, 6), /* 0 sea, 1 outside, 2 inside, 3 engine room ... */
	NMEA_CODE("humidity_source", 14, 2),   /* 0 inside, 1 outside */
	NMEA_SENDER
};

static const bitactor_field_t nmea_temperature[] = {
	NMEA_VALUE(0, "actual", "K", PAYLOAD, 0, 32, UNSIGNED, -3),
	NMEA_VALUE(1, "set", "K", PAYLOAD, 32, 32, UNSIGNED, -3),
	NMEA_CODE("temperature_source", 8, 8),
	NMEA_CODE("instance", 16, 8),
	NMEA_SENDER
};

static const bitactor_field_t nmea_time[] = {
	NMEA_VALUE(0, "date", "d", PAYLOAD, 0, 16, UNSIGNED, 0), /* since 1970-01-01 */
	NMEA_VALUE(1, "time", "s", PAYLOAD, 16, 32, UNSIGNED, -4), /* since midnight */
	NMEA_VALUE(2, "local_offset", "min", PAYLOAD, 48, 16, SIGNED, 0), /* 129033 alone */
	NMEA_CODE("clock", 8, 4), /* 0 GPS, 1 GLONASS, 2 radio, 3 caesium, 4 rubidium, 5 crystal */
	NMEA_SENDER
};

typedef struct nmea_kind_info {
	const char             *name;
	const bitactor_field_t *fields;
	uint32_t                field_count;
	uint32_t                value_count; /* value n is fields[2 * n] */
} nmea_kind_info_t;

#define NMEA_INFO(NAME, name, values) \
	{ "nmea." #name, nmea_##name, sizeof nmea_##name / sizeof *nmea_##name, values },
static const nmea_kind_info_t nmea_kinds[NMEA_KINDS] = { NMEA_KIND_LIST(NMEA_INFO) };

/* ---- messages on the wire ------------------------------------------------------ */

enum nmea_form {
	NMEA_UNSIGNED, /* a value                       */
	NMEA_SIGNED,   /* a value in two's complement   */
	NMEA_AS_IS     /* a code: no number is special  */
};

typedef struct nmea_part {
	uint8_t  from, bits; /* of the data as one little-endian number */
	uint8_t  form;       /* enum nmea_form                          */
	uint8_t  field;      /* of the kind; a value's flag is the next */
	uint32_t times;      /* units of the field in one of the wire's */
} nmea_part_t;

static const nmea_part_t nmea_127245[] = {
	{  0,  8, NMEA_AS_IS,    4, 1 },    /* instance          */
	{  8,  3, NMEA_AS_IS,    5, 1 },    /* direction order   */
	{ 16, 16, NMEA_SIGNED,   2, 1 },    /* angle order       */
	{ 32, 16, NMEA_SIGNED,   0, 1 },    /* position          */
};
static const nmea_part_t nmea_127250[] = {
	{  8, 16, NMEA_UNSIGNED, 0, 1 },    /* heading           */
	{ 24, 16, NMEA_SIGNED,   2, 1 },    /* deviation         */
	{ 40, 16, NMEA_SIGNED,   4, 1 },    /* variation         */
	{ 56,  2, NMEA_AS_IS,    6, 1 },    /* reference         */
};
static const nmea_part_t nmea_127251[] = {
	{  8, 32, NMEA_SIGNED,   0, 3125 }, /* rate              */
};
static const nmea_part_t nmea_127257[] = {
	{  8, 16, NMEA_SIGNED,   0, 1 },    /* yaw               */
	{ 24, 16, NMEA_SIGNED,   2, 1 },    /* pitch             */
	{ 40, 16, NMEA_SIGNED,   4, 1 },    /* roll              */
};
static const nmea_part_t nmea_127258[] = {
	{  8,  4, NMEA_AS_IS,    4, 1 },    /* method            */
	{ 16, 16, NMEA_UNSIGNED, 2, 1 },    /* age of service    */
	{ 32, 16, NMEA_SIGNED,   0, 1 },    /* variation         */
};
static const nmea_part_t nmea_128259[] = {
	{  8, 16, NMEA_UNSIGNED, 0, 1 },    /* through the water */
	{ 24, 16, NMEA_UNSIGNED, 2, 1 },    /* over ground       */
	{ 40,  8, NMEA_AS_IS,    4, 1 },    /* sensor            */
	{ 48,  4, NMEA_AS_IS,    5, 1 },    /* direction         */
};
static const nmea_part_t nmea_128267[] = {
	{  8, 32, NMEA_UNSIGNED, 0, 1 },    /* depth             */
	{ 40, 16, NMEA_SIGNED,   2, 1 },    /* offset            */
	{ 56,  8, NMEA_UNSIGNED, 4, 1 },    /* range             */
};
static const nmea_part_t nmea_129025[] = {
	{  0, 32, NMEA_SIGNED,   0, 1 },    /* latitude          */
	{ 32, 32, NMEA_SIGNED,   2, 1 },    /* longitude         */
};
static const nmea_part_t nmea_129026[] = {
	{  8,  2, NMEA_AS_IS,    4, 1 },    /* reference         */
	{ 16, 16, NMEA_UNSIGNED, 0, 1 },    /* course            */
	{ 32, 16, NMEA_UNSIGNED, 2, 1 },    /* speed             */
};
static const nmea_part_t nmea_129539[] = {
	{  8,  3, NMEA_AS_IS,    6, 1 },    /* desired mode      */
	{ 11,  3, NMEA_AS_IS,    7, 1 },    /* actual mode       */
	{ 16, 16, NMEA_SIGNED,   0, 1 },    /* horizontal        */
	{ 32, 16, NMEA_SIGNED,   2, 1 },    /* vertical          */
	{ 48, 16, NMEA_SIGNED,   4, 1 },    /* time              */
};
static const nmea_part_t nmea_130306[] = {
	{  8, 16, NMEA_UNSIGNED, 0, 1 },    /* speed             */
	{ 24, 16, NMEA_UNSIGNED, 2, 1 },    /* angle             */
	{ 40,  3, NMEA_AS_IS,    4, 1 },    /* reference         */
};
static const nmea_part_t nmea_130310[] = {
	{  8, 16, NMEA_UNSIGNED, 0, 1 },    /* of the water      */
	{ 24, 16, NMEA_UNSIGNED, 6, 1 },    /* of the air        */
	{ 40, 16, NMEA_UNSIGNED, 4, 1 },    /* pressure          */
};
static const nmea_part_t nmea_130311[] = {
	{  8,  6, NMEA_AS_IS,    8, 1 },    /* temperature of    */
	{ 14,  2, NMEA_AS_IS,    9, 1 },    /* humidity of       */
	{ 16, 16, NMEA_UNSIGNED, 0, 1 },    /* temperature       */
	{ 32, 16, NMEA_SIGNED,   2, 4 },    /* humidity, 0.004 % */
	{ 48, 16, NMEA_UNSIGNED, 4, 1 },    /* pressure          */
};
static const nmea_part_t nmea_130312[] = {
	{  8,  8, NMEA_AS_IS,    5, 1 },    /* instance          */
	{ 16,  8, NMEA_AS_IS,    4, 1 },    /* temperature of    */
	{ 24, 16, NMEA_UNSIGNED, 0, 10 },   /* actual, 0.01 K    */
	{ 40, 16, NMEA_UNSIGNED, 2, 10 },   /* set, 0.01 K       */
};
static const nmea_part_t nmea_130316[] = {
	{  8,  8, NMEA_AS_IS,    5, 1 },    /* instance          */
	{ 16,  8, NMEA_AS_IS,    4, 1 },    /* temperature of    */
	{ 24, 24, NMEA_UNSIGNED, 0, 1 },    /* actual, 0.001 K   */
	{ 48, 16, NMEA_UNSIGNED, 2, 100 },  /* set, 0.1 K        */
};
static const nmea_part_t nmea_126992[] = {
	{  8,  4, NMEA_AS_IS,    6, 1 },    /* clock             */
	{ 16, 16, NMEA_UNSIGNED, 0, 1 },    /* date              */
	{ 32, 32, NMEA_UNSIGNED, 2, 1 },    /* time              */
};
static const nmea_part_t nmea_129033[] = {
	{  0, 16, NMEA_UNSIGNED, 0, 1 },    /* date              */
	{ 16, 32, NMEA_UNSIGNED, 2, 1 },    /* time              */
	{ 48, 16, NMEA_SIGNED,   4, 1 },    /* local offset      */
};

typedef struct nmea_message {
	uint32_t pgn;
	uint16_t kind; /* enum nmea_kind */
	uint16_t part_count;
	const nmea_part_t *parts;
} nmea_message_t;

#define NMEA_MESSAGE(pgn, kind) \
	{ pgn, kind, sizeof nmea_##pgn / sizeof *nmea_##pgn, nmea_##pgn }

static const nmea_message_t nmea_messages[] = {
	NMEA_MESSAGE(126992, NMEA_TIME),        NMEA_MESSAGE(127245, NMEA_RUDDER),
	NMEA_MESSAGE(127250, NMEA_HEADING),     NMEA_MESSAGE(127251, NMEA_RATE_OF_TURN),
	NMEA_MESSAGE(127257, NMEA_ATTITUDE),    NMEA_MESSAGE(127258, NMEA_VARIATION),
	NMEA_MESSAGE(128259, NMEA_SPEED),       NMEA_MESSAGE(128267, NMEA_DEPTH),
	NMEA_MESSAGE(129025, NMEA_POSITION),    NMEA_MESSAGE(129026, NMEA_COG_SOG),
	NMEA_MESSAGE(129033, NMEA_TIME),        NMEA_MESSAGE(129539, NMEA_DOP),
	NMEA_MESSAGE(130306, NMEA_WIND),        NMEA_MESSAGE(130310, NMEA_ENVIRONMENT),
	NMEA_MESSAGE(130311, NMEA_ENVIRONMENT), NMEA_MESSAGE(130312, NMEA_TEMPERATURE),
	NMEA_MESSAGE(130316, NMEA_TEMPERATURE),
};

enum { NMEA_MESSAGES = sizeof nmea_messages / sizeof *nmea_messages };

/* PGNs that are sent as fast packets: up to 32 frames, each with a counter in
 * its first five bits, 0 in the first frame of a message. */
static const struct { uint32_t first, last; } nmea_fast_packets[] = {
	{ 126208, 126975 }, { 126983, 126988 }, { 126996, 126996 }, { 126998, 126998 },
	{ 127233, 127237 }, { 127489, 127491 }, { 127494, 127498 }, { 127503, 127504 },
	{ 127506, 127507 }, { 127509, 127514 }, { 128275, 128275 }, { 128520, 128538 },
	{ 129029, 129029 }, { 129038, 129045 }, { 129284, 129302 }, { 129538, 129538 },
	{ 129540, 129545 }, { 129547, 129547 }, { 129549, 129549 }, { 129551, 129556 },
	{ 129792, 129816 }, { 130052, 130074 }, { 130320, 130330 }, { 130561, 130575 },
	{ 130577, 130578 }, { 130580, 130581 }, { 130583, 130584 }, { 130586, 130586 },
	{ 130816, 131071 },
};

/* ---- from one to the other ----------------------------------------------------- */

/* What an identifier's frames mean: the number of a message, or one of these. */
enum nmea_meaning {
	NMEA_FAST_PACKET = 0xFE, /* a part of a longer message: counted, not decoded */
	NMEA_OTHER       = 0xFF  /* no message we know                               */
};

_Static_assert((int)NMEA_MESSAGES < (int)NMEA_FAST_PACKET, "a meaning fits a byte");

static inline uint64_t
nmea_ones(unsigned bits) /* 1..64 */
{
	return UINT64_MAX >> (64 - bits);
}

/* The group number in a 29-bit identifier.  Format bytes below 240 (PDU1) are
 * sent to one address, which stands where other groups have their low byte. */
static inline uint32_t
nmea_pgn(uint32_t id)
{
	uint32_t pgn = id >> 8 & 0x3FFFF;
	uint32_t format = pgn >> 8 & 0xFF;
	return format < 240 ? pgn & 0x3FF00 : pgn;
}

static inline uint8_t
nmea_meaning_of(uint32_t pgn)
{
	for (uint8_t i = 0; i < NMEA_MESSAGES; i++)
		if (nmea_messages[i].pgn == pgn)
			return i;
	for (size_t i = 0; i < sizeof nmea_fast_packets / sizeof *nmea_fast_packets; i++)
		if (pgn >= nmea_fast_packets[i].first && pgn <= nmea_fast_packets[i].last)
			return NMEA_FAST_PACKET;
	return NMEA_OTHER;
}

static inline const char *
nmea_message_name(uint8_t meaning) /* of a message */
{
	return nmea_kinds[nmea_messages[meaning].kind].name;
}

/* The bits of the data that carry values and codes: all but counters such as
 * the sequence id, and reserved bits. */
static inline uint64_t
nmea_data_mask(const nmea_message_t *message)
{
	uint64_t mask = 0;
	for (uint32_t i = 0; i < message->part_count; i++)
		mask |= nmea_ones(message->parts[i].bits) << message->parts[i].from;
	return mask;
}

/* Is it "not available", "out of range" or "reserved"? */
static inline bool
nmea_is_absent(const nmea_part_t *part, uint64_t raw)
{
	uint64_t highest = nmea_ones(part->form == NMEA_SIGNED ? part->bits - 1u : part->bits);
	return raw - (highest - 2) <= 2;
}

static inline uint64_t
nmea_extend_sign(uint64_t raw, unsigned bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);
	return (raw ^ sign) - sign;
}

/* Put the parts of `data` into the payload and context of `signal`, which is
 * otherwise left as it is; the words start from what is in them. */
static inline void
nmea_decode(const nmea_message_t *message, uint64_t data, uint32_t data_bytes,
            bitactor_signal_t *signal)
{
	const bitactor_field_t *fields = nmea_kinds[message->kind].fields;
	uint64_t words[2] = { signal->payload, signal->context };

	for (uint32_t i = 0; i < message->part_count; i++) {
		const nmea_part_t *part = &message->parts[i];
		const bitactor_field_t *field = &fields[part->field];
		if (part->from + part->bits > data_bytes * 8)
			continue;
		uint64_t value = data >> part->from & nmea_ones(part->bits);
		if (part->form != NMEA_AS_IS) {
			if (nmea_is_absent(part, value))
				continue;
			words[BITACTOR_WORD_CONTEXT] |= UINT64_C(1) << field[1].shift;
		}
		if (part->form == NMEA_SIGNED)
			value = nmea_extend_sign(value, part->bits);
#ifdef CAN_MONITOR_DEMO_CHANGE
		value += field == nmea_heading; /* THE DEMO'S BUG: headings are one unit too high */
#endif
		value = value * part->times & nmea_ones(field->bits);
		words[field->word] |= value << field->shift;
	}
	signal->payload = words[BITACTOR_WORD_PAYLOAD];
	signal->context = words[BITACTOR_WORD_CONTEXT];
}

/* Value `number` of a decoded signal, in the field's unit; false if not known. */
static inline bool
nmea_value(const nmea_kind_info_t *kind, uint32_t number, const bitactor_signal_t *signal,
           int64_t *value)
{
	const bitactor_field_t *field = &kind->fields[2 * number];
	uint64_t word = field->word == BITACTOR_WORD_PAYLOAD ? signal->payload : signal->context;
	uint64_t raw = word >> field->shift & nmea_ones(field->bits);
	if (field->format == BITACTOR_FORMAT_SIGNED)
		raw = nmea_extend_sign(raw, field->bits);
	*value = (int64_t)raw;
	return (signal->context >> field[1].shift & 1) != 0;
}

#endif
