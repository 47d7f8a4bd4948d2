// SPDX-License-Identifier: Apache-2.0
//
// Edit distance over the table's names. Pure.
#include "config/config_suggest.h"

#include "config/config_keys.h"

#include <stdio.h>
#include <string.h>

#define MAX_NAME 40

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

// Returns: insertions, deletions, substitutions and swaps of neighbours (optimal string alignment)
//          between two names; UINT_MAX when one is longer than any name.
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][MAX_NAME + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	if (a_len > MAX_NAME || b_len > MAX_NAME)
		return ~0u;
	for (unsigned j = 0; j <= b_len; j++)
		above[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		unsigned *spare = before;

		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			unsigned cost = a[i - 1] != b[j - 1];

			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

// The part of a path in front of its last name, its dot excluded. A key that is no word stands in
// quotes and may itself have dots.
static size_t section_len(const char *path)
{
	size_t len = strcspn(path, "\"");

	if (path[len] != '\0')
		return len > 0 ? len - 1 : 0;
	while (len > 0 && path[len] != '.')
		len--;
	return len;
}

static const char *last_name(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL ? dot + 1 : path;
}

static bool check_same_section(const char *a, const char *b)
{
	size_t len = section_len(a);

	return len == section_len(b) && strncmp(a, b, len) == 0;
}

struct best {
	const char *path;
	unsigned distance;
	bool is_sibling;
};

static void consider(struct best *best, const char *known, const char *path)
{
	const char *name = last_name(path);
	const char *known_name = last_name(known);
	bool is_sibling = check_same_section(known, path);
	unsigned d = distance(name, strlen(name), known_name, strcspn(known_name, "["));
	// A third of the letters may be wrong; in another section only the name itself counts.
	unsigned limit = is_sibling ? 1 + (unsigned)strlen(name) / 3 : 0;

	if (d > limit)
		return;
	d += !is_sibling;
	if (d > best->distance || (d == best->distance && is_sibling <= best->is_sibling))
		return;
	*best = (struct best){.path = known, .distance = d, .is_sibling = is_sibling};
}

const char *config_suggest_key(const char *path)
{
	struct best best = {.path = NULL, .distance = MAX_NAME};

	for (uint32_t i = 0; i < config_keys_n; i++)
		consider(&best, config_keys[i].path, path);
	for (uint32_t i = 0; i < config_keys_n_sections; i++)
		consider(&best, config_keys_sections[i].path, path);
	return best.path;
}

static size_t append(char *dst, size_t dst_len, size_t used, const char *name)
{
	if (used >= dst_len)
		return used;
	return used +
		(size_t)snprintf(
			dst + used,
			dst_len - used,
			"%s%.*s",
			used > 0 ? ", " : "",
			(int)strcspn(name, "["),
			name
		);
}

void config_suggest_siblings(const char *path, char *dst, size_t dst_len)
{
	size_t used = 0;

	dst[0] = '\0';
	for (uint32_t i = 0; i < config_keys_n; i++) {
		if (check_same_section(config_keys[i].path, path))
			used = append(dst, dst_len, used, config_keys[i].name);
	}
	for (uint32_t i = 0; i < config_keys_n_sections; i++) {
		if (check_same_section(config_keys_sections[i].path, path))
			used = append(dst, dst_len, used, last_name(config_keys_sections[i].path));
	}
}
