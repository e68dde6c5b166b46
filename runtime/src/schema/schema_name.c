/* SPDX-License-Identifier: Apache-2.0 */
/* schema_name.c -- names and units: which are allowed, unique, found, near.
 *
 * Nothing here reads past the first byte that settles the answer, so a string
 * without an end is no danger beyond 64 bytes.
 */
#include <bitactor/schema.h>

#include <stdlib.h>
#include <string.h>

enum {
	UNIT_MAX = 31, /* bytes */
	NEAR_MAX = 3   /* edits: more than that is another word */
};

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-';
}

bool
bitactor_name_is_valid(const char *name)
{
	if (name == NULL)
		return false;
	size_t name_bytes = 0;
	while (name_bytes <= BITACTOR_NAME_MAX && is_name_byte(name[name_bytes]))
		name_bytes++;
	return name_bytes >= 1 && name_bytes <= BITACTOR_NAME_MAX && name[name_bytes] == '\0';
}

/* Characters without a picture, or that change how others are shown: a unit out
 * of a hostile trace must not turn the text around it. */
static bool
is_printable(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0x0000, 0x001F }, { 0x007F, 0x009F }, /* controls                         */
		{ 0x00AD, 0x00AD }, { 0x061C, 0x061C }, /* soft hyphen, Arabic letter mark  */
		{ 0x200B, 0x200F }, { 0x2028, 0x202E }, /* no width, separators, directions */
		{ 0x2060, 0x206F }, { 0xD800, 0xF8FF }, /* the same; surrogates, private    */
		{ 0xFEFF, 0xFEFF }, { 0xFFF0, 0xFFFF }, /* byte order mark, specials        */
		{ 0xE0000, UINT32_MAX },                /* tags, private, past the end      */
	};
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (character >= hidden[i].first && character <= hidden[i].last)
			return false;
	return true;
}

/* Bytes of the printable UTF-8 character at `text`; 0 if there is none.  A NUL
 * is no continuation byte, so it never reads past the end of a string. */
static size_t
printable_bytes(const char *text)
{
	/* the least character that needs n bytes: a longer form than needed is wrong */
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t lead = (unsigned char)text[0];
	size_t count = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
	if (count == 0 || lead > 0xF4)
		return 0;

	uint32_t character = count == 1 ? lead : lead & (0x7Fu >> count);
	for (size_t i = 1; i < count; i++) {
		uint32_t next = (unsigned char)text[i];
		if ((next & 0xC0u) != 0x80u)
			return 0;
		character = character << 6 | (next & 0x3Fu);
	}
	return character >= least[count] && is_printable(character) ? count : 0;
}

bool
bitactor_unit_is_valid(const char *unit)
{
	if (unit == NULL)
		return false;
	size_t unit_bytes = 0;
	while (unit[unit_bytes] != '\0') {
		size_t step = printable_bytes(unit + unit_bytes);
		unit_bytes += step;
		if (step == 0 || unit_bytes > UNIT_MAX)
			return false;
	}
	return true;
}

struct place {
	const char *name;
	uint32_t    index;
};

static int
by_name_then_index(const void *a, const void *b)
{
	const struct place *left = a, *right = b;
	int order = strcmp(left->name, right->name);
	return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

bitactor_status_t
bitactor_names_unique(const void *items, size_t item_bytes, uint32_t count, uint32_t *index)
{
	if (count < 2)
		return BITACTOR_OK;
	if (items == NULL || index == NULL || item_bytes < sizeof(const char *))
		return BITACTOR_ERROR;
	struct place *places = calloc(count, sizeof *places);
	if (places == NULL)
		return BITACTOR_ERROR;
	for (uint32_t i = 0; i < count; i++) {
		memcpy(&places[i].name, (const char *)items + i * item_bytes, sizeof(char *));
		places[i].index = i;
	}
	/* Sorted, not hashed: names out of a hostile file cannot make it slow. */
	qsort(places, count, sizeof *places, by_name_then_index);

	uint32_t first = UINT32_MAX;
	for (uint32_t i = 1; i < count; i++)
		if (strcmp(places[i - 1].name, places[i].name) == 0 && places[i].index < first)
			first = places[i].index;
	free(places);
	if (first == UINT32_MAX)
		return BITACTOR_OK;
	*index = first;
	return BITACTOR_CORRUPT;
}

int32_t
bitactor_kind_find(const bitactor_kind_names_t *kinds, const char *name)
{
	if (kinds == NULL || kinds->names == NULL || name == NULL)
		return -1;
	for (uint32_t i = 0; i < kinds->count && i < BITACTOR_MAX_KINDS; i++)
		if (kinds->names[i] != NULL && strcmp(kinds->names[i], name) == 0)
			return (int32_t)i;
	return -1;
}

static uint32_t
least_of(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Edits from one name to the other: insert, remove, replace, or swap two
 * neighbours; `most` + 1 when they are more than `most`.
 *
 * Three rows of the table are kept, for a swap looks two rows back.  (Optimal
 * string alignment: a swapped pair is not edited again.) */
static uint32_t
edits(const char *a, size_t a_bytes, const char *b, size_t b_bytes, uint32_t most)
{
	uint32_t rows[3][BITACTOR_NAME_MAX + 1];
	for (size_t j = 0; j <= b_bytes; j++)
		rows[0][j] = (uint32_t)j;
	for (size_t i = 1; i <= a_bytes; i++) {
		const uint32_t *above = rows[(i - 1) % 3];
		const uint32_t *second = rows[(i + 1) % 3]; /* (i - 2) % 3 */
		uint32_t *row = rows[i % 3];
		uint32_t least = row[0] = (uint32_t)i;
		for (size_t j = 1; j <= b_bytes; j++) {
			uint32_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = least_of(replaced, least_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least_of(row[j], second[j - 2] + 1);
			least = least_of(least, row[j]);
		}
		/* No later row gets below the least of this one: the row before has
		 * at least that less one, and a swap adds one to it. */
		if (least > most)
			return most + 1;
	}
	return least_of(rows[a_bytes % 3][b_bytes], most + 1);
}

const char *
bitactor_kind_nearest(const bitactor_kind_names_t *kinds, const char *name)
{
	if (kinds == NULL || kinds->names == NULL || name == NULL)
		return NULL;
	size_t name_bytes = strnlen(name, BITACTOR_NAME_MAX + NEAR_MAX + 1);
	if (name_bytes == 0)
		return NULL;

	/* A third of the name may be wrong, and never all of it. */
	uint32_t most = least_of((uint32_t)(name_bytes + 2) / 3, (uint32_t)name_bytes - 1);
	uint32_t fewest = least_of(NEAR_MAX, most) + 1; /* the next must have fewer */
	const char *nearest = NULL;
	for (uint32_t i = 0; i < kinds->count && fewest > 0; i++) {
		const char *other = kinds->names[i];
		if (other == NULL)
			continue;
		size_t other_bytes = strnlen(other, BITACTOR_NAME_MAX + 1);
		if (other_bytes > BITACTOR_NAME_MAX || other_bytes >= name_bytes + fewest ||
		    name_bytes >= other_bytes + fewest)
			continue;
		uint32_t distance = edits(name, name_bytes, other, other_bytes, fewest - 1);
		if (distance < fewest) {
			nearest = other;
			fewest = distance;
		}
	}
	return nearest;
}
