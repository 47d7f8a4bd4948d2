// SPDX-License-Identifier: Apache-2.0
//
// Bounds-checked cursors over bytes that somebody else wrote (struct cursor) or that we write
// (struct cursor_out). The error is sticky: past the end, every further call does nothing and reads
// zero, so a parser is a straight line with one check of cursor_ok() at its end. Pure; no
// allocation; the bytes belong to the caller and must outlive the cursor.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *data;
	size_t len;
	size_t pos; // <= len
	bool is_failed;
};

static inline void cursor_init(struct cursor *cur, const void *data, size_t len)
{
	*cur = (struct cursor){.data = data, .len = len};
}

static inline bool cursor_ok(const struct cursor *cur)
{
	return !cur->is_failed;
}

static inline size_t cursor_left(const struct cursor *cur)
{
	return cur->is_failed ? 0 : cur->len - cur->pos;
}

// True when nothing failed and every byte was taken: the end of a format without trailing bytes.
static inline bool cursor_is_done(const struct cursor *cur)
{
	return !cur->is_failed && cur->pos == cur->len;
}

static inline void cursor_fail(struct cursor *cur)
{
	cur->is_failed = true;
}

// Returns: the next len bytes, in place; NULL (and the sticky error) when there are fewer.
static inline const uint8_t *cursor_take(struct cursor *cur, size_t len)
{
	if (cur->is_failed || len > cur->len - cur->pos) {
		cur->is_failed = true;
		return NULL;
	}
	const uint8_t *at = cur->data + cur->pos;
	cur->pos += len;
	return at;
}

static inline void cursor_skip(struct cursor *cur, size_t len)
{
	(void)cursor_take(cur, len);
}

// Out: dst, zeroed when there are fewer than len bytes.
static inline void cursor_bytes(struct cursor *cur, void *dst, size_t len)
{
	const uint8_t *at = cursor_take(cur, len);

	if (at != NULL)
		memcpy(dst, at, len);
	else
		memset(dst, 0, len);
}

// Out: sub covers the next len bytes; failed when there are fewer.
static inline void cursor_sub(struct cursor *cur, struct cursor *sub, size_t len)
{
	const uint8_t *at = cursor_take(cur, len);

	*sub = (struct cursor){.data = at, .len = at != NULL ? len : 0, .is_failed = at == NULL};
}

static inline uint64_t cursor_be(struct cursor *cur, unsigned n)
{
	const uint8_t *at = cursor_take(cur, n);
	uint64_t value = 0;

	for (unsigned i = 0; at != NULL && i < n; i++)
		value = value << 8 | at[i];
	return value;
}

static inline uint64_t cursor_le(struct cursor *cur, unsigned n)
{
	const uint8_t *at = cursor_take(cur, n);
	uint64_t value = 0;

	for (unsigned i = n; at != NULL && i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

static inline uint8_t cursor_u8(struct cursor *cur)
{
	return (uint8_t)cursor_be(cur, 1);
}

static inline uint16_t cursor_be16(struct cursor *cur)
{
	return (uint16_t)cursor_be(cur, 2);
}

static inline uint32_t cursor_be32(struct cursor *cur)
{
	return (uint32_t)cursor_be(cur, 4);
}

static inline uint64_t cursor_be64(struct cursor *cur)
{
	return cursor_be(cur, 8);
}

static inline uint16_t cursor_le16(struct cursor *cur)
{
	return (uint16_t)cursor_le(cur, 2);
}

static inline uint32_t cursor_le32(struct cursor *cur)
{
	return (uint32_t)cursor_le(cur, 4);
}

static inline uint64_t cursor_le64(struct cursor *cur)
{
	return cursor_le(cur, 8);
}

struct cursor_out {
	uint8_t *data;
	size_t cap;
	size_t pos; // bytes written, <= cap
	bool is_failed;
};

static inline void cursor_out_init(struct cursor_out *out, void *data, size_t cap)
{
	*out = (struct cursor_out){.data = data, .cap = cap};
}

static inline bool cursor_out_ok(const struct cursor_out *out)
{
	return !out->is_failed;
}

// Returns: room for len bytes, in place; NULL (and the sticky error) when there is less.
static inline uint8_t *cursor_out_take(struct cursor_out *out, size_t len)
{
	if (out->is_failed || len > out->cap - out->pos) {
		out->is_failed = true;
		return NULL;
	}
	uint8_t *at = out->data + out->pos;
	out->pos += len;
	return at;
}

static inline void cursor_out_bytes(struct cursor_out *out, const void *src, size_t len)
{
	uint8_t *at = cursor_out_take(out, len);

	if (at != NULL && len != 0)
		memcpy(at, src, len);
}

static inline void cursor_out_be(struct cursor_out *out, uint64_t value, unsigned n)
{
	uint8_t *at = cursor_out_take(out, n);

	for (unsigned i = n; at != NULL && i-- > 0; value >>= 8)
		at[i] = (uint8_t)value;
}

static inline void cursor_out_le(struct cursor_out *out, uint64_t value, unsigned n)
{
	uint8_t *at = cursor_out_take(out, n);

	for (unsigned i = 0; at != NULL && i < n; i++, value >>= 8)
		at[i] = (uint8_t)value;
}

static inline void cursor_out_u8(struct cursor_out *out, uint8_t value)
{
	cursor_out_be(out, value, 1);
}

static inline void cursor_out_be16(struct cursor_out *out, uint16_t value)
{
	cursor_out_be(out, value, 2);
}

static inline void cursor_out_be32(struct cursor_out *out, uint32_t value)
{
	cursor_out_be(out, value, 4);
}

static inline void cursor_out_be64(struct cursor_out *out, uint64_t value)
{
	cursor_out_be(out, value, 8);
}

static inline void cursor_out_le16(struct cursor_out *out, uint16_t value)
{
	cursor_out_le(out, value, 2);
}

static inline void cursor_out_le32(struct cursor_out *out, uint32_t value)
{
	cursor_out_le(out, value, 4);
}

static inline void cursor_out_le64(struct cursor_out *out, uint64_t value)
{
	cursor_out_le(out, value, 8);
}
