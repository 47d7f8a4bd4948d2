// SPDX-License-Identifier: Apache-2.0
//
// Frames of head and tail. Every tail is appended at the end of the buffer, which is the order in
// which Solidity and the client libraries lay them out, so encodings compare byte for byte.

#include "evm_abi.h"

#include "evm_keccak.h"

#include <errno.h>
#include <string.h>

void evm_abi_writer_init(struct evm_abi_writer *w, void *buf, size_t cap)
{
	*w = (struct evm_abi_writer){.buf = buf, .cap = cap};
}

static uint8_t *evm_abi_extend(struct evm_abi_writer *w, size_t len)
{
	uint8_t *at = w->buf + w->len;

	if (w->error == 0 && len > w->cap - w->len)
		w->error = -ENOSPC;
	if (w->error < 0)
		return NULL;
	memset(at, 0, len);
	w->len += len;
	return at;
}

void evm_abi_begin(struct evm_abi_writer *w, size_t n_head_words)
{
	size_t start = w->len;

	if (w->error == 0 && (w->n_frames == EVM_ABI_DEPTH_MAX || n_head_words > SIZE_MAX / 64))
		w->error = -EOVERFLOW;
	if (w->error < 0 || evm_abi_extend(w, n_head_words * EVM_ABI_WORD) == NULL)
		return;
	w->frames[w->n_frames++] = (struct evm_abi_frame){start, start, w->len};
}

void evm_abi_selector(const char *signature, uint8_t selector[EVM_ABI_SELECTOR])
{
	uint8_t hash[EVM_KECCAK_SIZE];

	evm_keccak_256(signature, strlen(signature), hash);
	memcpy(selector, hash, EVM_ABI_SELECTOR);
}

void evm_abi_call(struct evm_abi_writer *w, const char *signature, size_t n_head_words)
{
	uint8_t *at = evm_abi_extend(w, EVM_ABI_SELECTOR);

	if (at == NULL)
		return;
	evm_abi_selector(signature, at);
	evm_abi_begin(w, n_head_words);
}

void evm_abi_put_word(struct evm_abi_writer *w, const uint8_t word[EVM_ABI_WORD])
{
	struct evm_abi_frame *frame;

	if (w->error == 0 && w->n_frames == 0)
		w->error = -EINVAL;
	if (w->error < 0)
		return;
	frame = &w->frames[w->n_frames - 1];
	if (frame->next == frame->end) {
		w->error = -EOVERFLOW;
		return;
	}
	memcpy(w->buf + frame->next, word, EVM_ABI_WORD);
	frame->next += EVM_ABI_WORD;
}

void evm_abi_put_u256(struct evm_abi_writer *w, struct u256 value)
{
	uint8_t word[EVM_ABI_WORD];

	u256_to_be(value, word);
	evm_abi_put_word(w, word);
}

void evm_abi_put_u64(struct evm_abi_writer *w, uint64_t value)
{
	evm_abi_put_u256(w, u256_from_u64(value));
}

void evm_abi_put_i64(struct evm_abi_writer *w, int64_t value)
{
	uint64_t sign = value < 0 ? UINT64_MAX : 0;

	evm_abi_put_u256(w, (struct u256){{(uint64_t)value, sign, sign, sign}});
}

void evm_abi_put_bool(struct evm_abi_writer *w, bool value)
{
	evm_abi_put_u64(w, value ? 1 : 0);
}

void evm_abi_put_address(struct evm_abi_writer *w, const uint8_t address[EVM_ADDRESS_SIZE])
{
	uint8_t word[EVM_ABI_WORD] = {0};

	memcpy(word + EVM_ABI_WORD - EVM_ADDRESS_SIZE, address, EVM_ADDRESS_SIZE);
	evm_abi_put_word(w, word);
}

// The head word of something dynamic: where its tail, the end of the buffer, lies in this frame.
static void evm_abi_put_offset(struct evm_abi_writer *w)
{
	if (w->error == 0 && w->n_frames == 0)
		w->error = -EINVAL;
	if (w->error < 0)
		return;
	evm_abi_put_u64(w, w->len - w->frames[w->n_frames - 1].start);
}

static void evm_abi_append_u64(struct evm_abi_writer *w, uint64_t value)
{
	uint8_t *at = evm_abi_extend(w, EVM_ABI_WORD);

	if (at != NULL)
		u256_to_be(u256_from_u64(value), at);
}

void evm_abi_put_bytes(struct evm_abi_writer *w, const void *data, size_t len)
{
	uint8_t *at;

	if (w->error == 0 && len > SIZE_MAX - EVM_ABI_WORD)
		w->error = -EOVERFLOW;
	evm_abi_put_offset(w);
	evm_abi_append_u64(w, len);
	at = evm_abi_extend(w, (len + EVM_ABI_WORD - 1) / EVM_ABI_WORD * EVM_ABI_WORD);
	if (at != NULL && len > 0)
		memcpy(at, data, len);
}

void evm_abi_tuple_begin(struct evm_abi_writer *w, size_t n_head_words)
{
	evm_abi_put_offset(w);
	evm_abi_begin(w, n_head_words);
}

void evm_abi_array_begin(struct evm_abi_writer *w, size_t n_elements, size_t n_head_words)
{
	evm_abi_put_offset(w);
	evm_abi_append_u64(w, n_elements);
	evm_abi_begin(w, n_head_words);
}

void evm_abi_end(struct evm_abi_writer *w)
{
	if (w->error == 0 &&
	    (w->n_frames == 0 || w->frames[w->n_frames - 1].next != w->frames[w->n_frames - 1].end))
		w->error = -EINVAL;
	if (w->error == 0)
		w->n_frames--;
}

int evm_abi_finish(const struct evm_abi_writer *w)
{
	if (w->error == 0 && w->n_frames != 0)
		return -EINVAL;
	return w->error;
}

static void evm_abi_reader_open(
	struct evm_abi_reader *r,
	const struct evm_abi_reader *outer,
	size_t start,
	size_t n_head_words
)
{
	*r = *outer;
	r->start = start;
	r->next = start;
	r->end = start;
	if (r->error < 0)
		return;
	r->depth++;
	if (r->depth > EVM_ABI_DEPTH_MAX || start > r->len ||
	    n_head_words > (r->len - start) / EVM_ABI_WORD)
		r->error = -EBADMSG;
	else
		r->end = start + n_head_words * EVM_ABI_WORD;
}

void evm_abi_reader_init(
	struct evm_abi_reader *r, const void *data, size_t len, size_t n_head_words
)
{
	struct evm_abi_reader outer = {.data = data, .len = len};

	evm_abi_reader_open(r, &outer, 0, n_head_words);
}

void evm_abi_get_word(struct evm_abi_reader *r, uint8_t ret[EVM_ABI_WORD])
{
	if (r->error == 0 && r->next == r->end)
		r->error = -EBADMSG;
	if (r->error < 0) {
		memset(ret, 0, EVM_ABI_WORD);
		return;
	}
	memcpy(ret, r->data + r->next, EVM_ABI_WORD);
	r->next += EVM_ABI_WORD;
}

struct u256 evm_abi_get_u256(struct evm_abi_reader *r)
{
	uint8_t word[EVM_ABI_WORD];

	evm_abi_get_word(r, word);
	return u256_from_be(word);
}

uint64_t evm_abi_get_u64(struct evm_abi_reader *r)
{
	uint64_t value = 0;

	if (u256_to_u64(evm_abi_get_u256(r), &value) < 0)
		r->error = -EBADMSG;
	return value;
}

int64_t evm_abi_get_i64(struct evm_abi_reader *r)
{
	struct u256 word = evm_abi_get_u256(r);
	int64_t value = (int64_t)word.limb[0];
	uint64_t sign = value < 0 ? UINT64_MAX : 0;

	if (word.limb[1] == sign && word.limb[2] == sign && word.limb[3] == sign)
		return value;
	r->error = -EBADMSG;
	return 0;
}

bool evm_abi_get_bool(struct evm_abi_reader *r)
{
	uint64_t value = evm_abi_get_u64(r);

	if (value > 1)
		r->error = -EBADMSG;
	return value == 1;
}

static bool evm_abi_check_zero(const uint8_t *data, size_t len)
{
	uint8_t any = 0;

	for (size_t i = 0; i < len; i++)
		any |= data[i];
	return any == 0;
}

void evm_abi_get_address(struct evm_abi_reader *r, uint8_t ret[EVM_ADDRESS_SIZE])
{
	uint8_t word[EVM_ABI_WORD];

	evm_abi_get_word(r, word);
	if (!evm_abi_check_zero(word, EVM_ABI_WORD - EVM_ADDRESS_SIZE)) {
		r->error = -EBADMSG;
		memset(word, 0, sizeof(word));
	}
	memcpy(ret, word + EVM_ABI_WORD - EVM_ADDRESS_SIZE, EVM_ADDRESS_SIZE);
}

// Follows an offset: where the tail begins. It must leave room for at least min_len bytes.
static size_t evm_abi_get_tail(struct evm_abi_reader *r, size_t min_len)
{
	uint64_t offset = evm_abi_get_u64(r);
	size_t room = r->len - r->start;

	if (r->error == 0 && (room < min_len || offset > room - min_len))
		r->error = -EBADMSG;
	return r->error < 0 ? r->start : r->start + (size_t)offset;
}

// The length word of a dynamic value at *at, which moves past it.
static uint64_t evm_abi_get_len(struct evm_abi_reader *r, size_t *at)
{
	uint64_t n = 0;

	if (r->error < 0)
		return 0;
	if (u256_to_u64(u256_from_be(r->data + *at), &n) < 0)
		r->error = -EBADMSG;
	*at += EVM_ABI_WORD;
	return n;
}

void evm_abi_get_bytes(struct evm_abi_reader *r, const uint8_t **ret, size_t *ret_len)
{
	size_t at = evm_abi_get_tail(r, EVM_ABI_WORD);
	uint64_t len = evm_abi_get_len(r, &at);
	size_t padding = (EVM_ABI_WORD - len % EVM_ABI_WORD) % EVM_ABI_WORD;

	*ret = r->data;
	*ret_len = 0;
	if (r->error < 0)
		return;
	if (len > r->len - at || padding > r->len - at - len ||
	    !evm_abi_check_zero(r->data + at + len, padding)) {
		r->error = -EBADMSG;
		return;
	}
	*ret = r->data + at;
	*ret_len = (size_t)len;
}

struct evm_abi_reader evm_abi_enter_tuple(struct evm_abi_reader *r, size_t n_head_words)
{
	struct evm_abi_reader inner;
	size_t at = evm_abi_get_tail(r, 0);

	evm_abi_reader_open(&inner, r, at, n_head_words);
	return inner;
}

struct evm_abi_reader evm_abi_enter_array(
	struct evm_abi_reader *r, size_t head_words_each, size_t *ret_n
)
{
	struct evm_abi_reader inner;
	size_t at = evm_abi_get_tail(r, EVM_ABI_WORD);
	uint64_t n = evm_abi_get_len(r, &at);

	// An element without a head word would let a length of 2^64 through.
	if (r->error == 0 &&
	    (head_words_each == 0 || n > (r->len - at) / EVM_ABI_WORD / head_words_each))
		r->error = -EBADMSG;
	if (r->error < 0)
		n = 0;
	evm_abi_reader_open(&inner, r, at, (size_t)n * head_words_each);
	*ret_n = (size_t)n;
	return inner;
}

void evm_abi_leave(struct evm_abi_reader *outer, const struct evm_abi_reader *inner)
{
	if (outer->error == 0)
		outer->error = inner->error;
}
