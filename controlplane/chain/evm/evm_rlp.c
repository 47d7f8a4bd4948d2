// SPDX-License-Identifier: Apache-2.0
//
// RLP encoding and strict decoding. A list's header is put in front of its payload when the list
// ends, by moving the payload: lists here are a few hundred bytes, and the caller needs no second
// pass to learn their length.

#include "evm_rlp.h"

#include <errno.h>
#include <string.h>

#define EVM_RLP_STRING 0x80
#define EVM_RLP_LIST 0xc0
#define EVM_RLP_SHORT_MAX 55

void evm_rlp_writer_init(struct evm_rlp_writer *w, void *buf, size_t cap)
{
	*w = (struct evm_rlp_writer){.buf = buf, .cap = cap};
}

void evm_rlp_put_encoded(struct evm_rlp_writer *w, const void *rlp, size_t len)
{
	if (w->error == 0 && len > w->cap - w->len)
		w->error = -ENOSPC;
	if (w->error < 0 || len == 0)
		return;
	memcpy(w->buf + w->len, rlp, len);
	w->len += len;
}

// Returns the header's length, 1 to 9 bytes.
static size_t evm_rlp_header(uint8_t dst[9], uint8_t kind, size_t len)
{
	size_t n_len_bytes = 0;

	if (len <= EVM_RLP_SHORT_MAX) {
		dst[0] = (uint8_t)(kind + len);
		return 1;
	}
	for (size_t rest = len; rest > 0; rest >>= 8)
		n_len_bytes++;
	dst[0] = (uint8_t)(kind + EVM_RLP_SHORT_MAX + n_len_bytes);
	for (size_t i = 0; i < n_len_bytes; i++)
		dst[1 + i] = (uint8_t)(len >> (8 * (n_len_bytes - 1 - i)));
	return 1 + n_len_bytes;
}

void evm_rlp_put_bytes(struct evm_rlp_writer *w, const void *data, size_t len)
{
	uint8_t header[9];

	// A single byte below 0x80 is its own encoding.
	if (len != 1 || *(const uint8_t *)data >= EVM_RLP_STRING)
		evm_rlp_put_encoded(w, header, evm_rlp_header(header, EVM_RLP_STRING, len));
	evm_rlp_put_encoded(w, data, len);
}

void evm_rlp_put_u256(struct evm_rlp_writer *w, struct u256 value)
{
	uint8_t be[32];
	size_t n_bytes = (u256_bit_len(value) + 7) / 8;

	u256_to_be(value, be);
	evm_rlp_put_bytes(w, be + sizeof(be) - n_bytes, n_bytes);
}

void evm_rlp_put_u64(struct evm_rlp_writer *w, uint64_t value)
{
	evm_rlp_put_u256(w, u256_from_u64(value));
}

size_t evm_rlp_list_begin(struct evm_rlp_writer *w)
{
	return w->len;
}

void evm_rlp_list_end(struct evm_rlp_writer *w, size_t mark)
{
	uint8_t header[9];
	size_t payload_len = w->len - mark;
	size_t header_len = evm_rlp_header(header, EVM_RLP_LIST, payload_len);

	if (w->error == 0 && header_len > w->cap - w->len)
		w->error = -ENOSPC;
	if (w->error < 0)
		return;
	memmove(w->buf + mark + header_len, w->buf + mark, payload_len);
	memcpy(w->buf + mark, header, header_len);
	w->len += header_len;
}

void evm_rlp_cursor_init(struct evm_rlp_cursor *c, const void *src, size_t len)
{
	*c = (struct evm_rlp_cursor){.src = src, .left = len};
}

static int evm_rlp_parse_long_len(const uint8_t *src, size_t left, size_t n_len_bytes, size_t *ret)
{
	size_t len = 0;

	if (n_len_bytes > left || src[0] == 0)
		return -EBADMSG;
	for (size_t i = 0; i < n_len_bytes; i++)
		len = len << 8 | src[i];
	if (len <= EVM_RLP_SHORT_MAX)
		return -EBADMSG;
	*ret = len;
	return 0;
}

// The header at the front of src: kind, its own length, the payload's length.
static int evm_rlp_parse_header(
	const uint8_t *src, size_t left, struct evm_rlp_item *item, size_t *header_len
)
{
	uint8_t kind, code;
	int r;

	if (left == 0)
		return -EBADMSG;
	item->is_list = src[0] >= EVM_RLP_LIST;
	if (src[0] < EVM_RLP_STRING) {
		*header_len = 0;
		item->len = 1;
		return 0;
	}
	kind = item->is_list ? EVM_RLP_LIST : EVM_RLP_STRING;
	code = (uint8_t)(src[0] - kind);
	*header_len = 1;
	item->len = code;
	if (code > EVM_RLP_SHORT_MAX) {
		size_t n_len_bytes = code - EVM_RLP_SHORT_MAX;

		r = evm_rlp_parse_long_len(src + 1, left - 1, n_len_bytes, &item->len);
		if (r < 0)
			return r;
		*header_len += n_len_bytes;
	}
	if (item->len > left - *header_len)
		return -EBADMSG;
	if (!item->is_list && item->len == 1 && src[*header_len] < EVM_RLP_STRING)
		return -EBADMSG;
	return 0;
}

void evm_rlp_get_item(struct evm_rlp_cursor *c, struct evm_rlp_item *ret)
{
	struct evm_rlp_item item = {0};
	size_t header_len = 0;

	*ret = (struct evm_rlp_item){.data = c->src};
	if (c->error < 0)
		return;
	c->error = evm_rlp_parse_header(c->src, c->left, &item, &header_len);
	if (c->error < 0)
		return;
	item.data = c->src + header_len;
	c->src += header_len + item.len;
	c->left -= header_len + item.len;
	*ret = item;
}

struct evm_rlp_cursor evm_rlp_get_list(struct evm_rlp_cursor *c)
{
	struct evm_rlp_cursor inner;
	struct evm_rlp_item item;

	evm_rlp_get_item(c, &item);
	if (c->error == 0 && !item.is_list)
		c->error = -EBADMSG;
	evm_rlp_cursor_init(&inner, item.data, c->error < 0 ? 0 : item.len);
	inner.error = c->error;
	return inner;
}

void evm_rlp_get_bytes(struct evm_rlp_cursor *c, const uint8_t **ret, size_t *ret_len)
{
	struct evm_rlp_item item;

	evm_rlp_get_item(c, &item);
	if (c->error == 0 && item.is_list)
		c->error = -EBADMSG;
	*ret = item.data;
	*ret_len = c->error < 0 ? 0 : item.len;
}

void evm_rlp_get_fixed(struct evm_rlp_cursor *c, uint8_t *dst, size_t len)
{
	const uint8_t *data;
	size_t data_len;

	evm_rlp_get_bytes(c, &data, &data_len);
	if (c->error == 0 && data_len != len)
		c->error = -EBADMSG;
	if (c->error < 0)
		memset(dst, 0, len);
	else
		memcpy(dst, data, len);
}

struct u256 evm_rlp_get_u256(struct evm_rlp_cursor *c)
{
	struct u256 value = U256_ZERO;
	const uint8_t *data;
	size_t len;

	evm_rlp_get_bytes(c, &data, &len);
	if (c->error < 0 || len == 0)
		return U256_ZERO;
	if (data[0] == 0 || u256_decode_be(data, len, &value) < 0)
		c->error = -EBADMSG;
	return value;
}

uint64_t evm_rlp_get_u64(struct evm_rlp_cursor *c)
{
	uint64_t value = 0;

	if (u256_to_u64(evm_rlp_get_u256(c), &value) < 0)
		c->error = -EBADMSG;
	return value;
}

int evm_rlp_verify_end(struct evm_rlp_cursor *c)
{
	if (c->error == 0 && c->left != 0)
		c->error = -EBADMSG;
	return c->error;
}
