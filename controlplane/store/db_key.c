// SPDX-License-Identifier: Apache-2.0
//
// Keys of db.h: numbers big-endian, so that LMDB's byte order is the numbers' order. Pure.
#include "common/cursor.h"
#include "controlplane/store/db.h"

#include <string.h>

struct db_key db_key_bytes(const void *bytes, size_t len)
{
	struct db_key key = {.form = DB_KEY_BYTES, .len = (uint32_t)len};

	// Too long or empty: len 0 is refused by every operation.
	if (len > DB_KEY_CAP)
		key.len = 0;
	else if (len != 0)
		memcpy(key.bytes, bytes, len);
	return key;
}

struct db_key db_key_text(const char *text)
{
	struct db_key key = db_key_bytes(text, strlen(text));

	key.form = DB_KEY_TEXT;
	return key;
}

struct db_key db_key_u64(uint64_t number)
{
	struct db_key key = {.form = DB_KEY_U64, .len = 8};
	struct cursor_out out;

	cursor_out_init(&out, key.bytes, 8);
	cursor_out_be64(&out, number);
	return key;
}

struct db_key db_key_pair(uint64_t first, uint64_t second)
{
	struct db_key key = {.form = DB_KEY_PAIR, .len = 16};
	struct cursor_out out;

	cursor_out_init(&out, key.bytes, 16);
	cursor_out_be64(&out, first);
	cursor_out_be64(&out, second);
	return key;
}

static uint64_t number_at(const struct db_key *key, size_t offset)
{
	struct cursor cur;

	cursor_init(&cur, key->bytes, key->len);
	cursor_skip(&cur, offset);
	return cursor_be64(&cur);
}

uint64_t db_key_first(const struct db_key *key)
{
	return number_at(key, 0);
}

uint64_t db_key_second(const struct db_key *key)
{
	return number_at(key, 8);
}
