/* SPDX-License-Identifier: Apache-2.0 */
/* schema_field.c -- a field: what it may say, and its value as text.
 *
 *      word   63                      shift+bits      shift        0
 *             |  ...                  |    value      |     ...    |
 *
 *      value 0xFFFF, signed 16 bits, exponent -4    ->  -0.0001
 *      value 12, unsigned, exponent 3               ->  12000
 *
 * All in integers: digits are made from the value, then the point is put among
 * them, so what is shown is exact and the same on every machine.
 */
#include <bitactor/schema.h>

#include <string.h>

enum { EXPONENT_MAX = 18 };

/* "-9223372036854775808" and 18 zeros; 20 digits and 18 zeros. */
_Static_assert(BITACTOR_FIELD_TEXT_BYTES >= 20 + EXPONENT_MAX + 1, "every value fits");

/* What matters for reading a value: everything but the words. */
static const char *
shape_complaint(const bitactor_field_t *field)
{
	if (field->word > BITACTOR_WORD_ID)
		return "its word is not payload, context, timestamp or id";
	if (field->format > BITACTOR_FORMAT_FLAG)
		return "its format is not unsigned, signed, hex, bytes or flag";
	if (field->shift > 63 || field->bits < 1 || field->bits > 64 - field->shift)
		return "its bits are not 1 to 64 from shift on, within the word";
	if (field->exponent < -EXPONENT_MAX || field->exponent > EXPONENT_MAX)
		return "its exponent is not -18 to 18";
	if (field->format == BITACTOR_FORMAT_FLAG && field->bits != 1)
		return "a flag has 1 bit";
	if (field->format == BITACTOR_FORMAT_BYTES && field->bits % 8 != 0)
		return "the bits of a field of bytes are a multiple of 8";
	if (field->format > BITACTOR_FORMAT_SIGNED && field->exponent != 0)
		return "only a number has an exponent";
	return NULL;
}

const char *
bitactor_field_complaint(const bitactor_field_t *field)
{
	if (field == NULL)
		return "there is no field";
	if (!bitactor_name_is_valid(field->name))
		return "its name is not 1 to 63 of A-Z a-z 0-9 _ . -";
	if (!bitactor_unit_is_valid(field->unit))
		return "its unit is not printable UTF-8 of at most 31 bytes (\"\" for none)";
	return shape_complaint(field);
}

/* Bits above the field are cleared; 64 of them have nothing above. */
static uint64_t
field_value(const bitactor_field_t *field, const uint64_t words[4])
{
	uint64_t value = words[field->word] >> field->shift;
	return field->bits < 64 ? value & ((UINT64_C(1) << field->bits) - 1) : value;
}

static size_t
put_decimal(bool negative, uint64_t magnitude, int exponent, char *out)
{
	char digits[BITACTOR_FIELD_TEXT_BYTES]; /* the lowest first */
	int count = 0;
	do {
		digits[count++] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude > 0);
	bool is_zero = count == 1 && digits[0] == '0';
	while (count <= -exponent)
		digits[count++] = '0';

	size_t used = 0;
	if (negative)
		out[used++] = '-';
	while (count > 0) {
		out[used++] = digits[--count];
		if (count > 0 && count == -exponent)
			out[used++] = '.';
	}
	for (int i = 0; i < exponent && !is_zero; i++)
		out[used++] = '0';
	return used;
}

static size_t
put_hex(uint64_t value, unsigned digit_count, char *out)
{
	for (unsigned i = 0; i < digit_count; i++)
		out[i] = "0123456789abcdef"[value >> (4 * (digit_count - 1 - i)) & 15u];
	return digit_count;
}

static size_t
put_bytes(uint64_t value, unsigned byte_count, char *out)
{
	for (unsigned i = 0; i < byte_count; i++)
		put_hex(value >> (8 * i) & 0xFFu, 2, out + (size_t)2 * i);
	return (size_t)2 * byte_count;
}

static size_t
put_flag(bool value, char *out)
{
	memcpy(out, value ? "true" : "false", 5);
	return value ? 4 : 5;
}

static size_t
put_value(const bitactor_field_t *field, uint64_t value, char *out)
{
	switch (field->format) {
	case BITACTOR_FORMAT_SIGNED: {
		bool negative = (value >> (field->bits - 1) & 1u) != 0;
		/* Two's complement: 2^bits - value, and 2^64 is 0. */
		uint64_t above = field->bits < 64 ? UINT64_C(1) << field->bits : 0;
		return put_decimal(negative, negative ? above - value : value, field->exponent,
		                   out);
	}
	case BITACTOR_FORMAT_HEX:
		memcpy(out, "0x", 2);
		return 2 + put_hex(value, (field->bits + 3u) / 4u, out + 2);
	case BITACTOR_FORMAT_BYTES:
		return put_bytes(value, field->bits / 8u, out);
	case BITACTOR_FORMAT_FLAG:
		return put_flag(value != 0, out);
	default:
		return put_decimal(false, value, field->exponent, out);
	}
}

size_t
bitactor_field_format(const bitactor_field_t *field, const uint64_t words[4], char *out,
                      size_t room)
{
	char text[BITACTOR_FIELD_TEXT_BYTES];
	size_t text_bytes = 0;
	if (words != NULL && field != NULL && shape_complaint(field) == NULL)
		text_bytes = put_value(field, field_value(field, words), text);
	if (out != NULL && room > 0) {
		size_t kept = text_bytes < room ? text_bytes : room - 1;
		memcpy(out, text, kept);
		out[kept] = '\0';
	}
	return text_bytes;
}
