// SPDX-License-Identifier: Apache-2.0
//
// RLP (Ethereum yellow paper, appendix B). The writer and the cursor carry a sticky error: after a
// failure every call is a no-op and the caller looks once, at the end. Decoding is strict: only the
// shortest encoding of a length, an integer or a single byte is accepted, so that a value has one
// encoding and a hash one meaning. Pure, no allocation, no recursion; any thread.

#pragma once

#include "controlplane/chain/u256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evm_rlp_writer {
	uint8_t *buf;
	size_t cap;
	size_t len;
	int error; // 0, or the first failure: -ENOSPC
};

void evm_rlp_writer_init(struct evm_rlp_writer *w, void *buf, size_t cap);
void evm_rlp_put_bytes(struct evm_rlp_writer *w, const void *data, size_t len);
void evm_rlp_put_u64(struct evm_rlp_writer *w, uint64_t value);
void evm_rlp_put_u256(struct evm_rlp_writer *w, struct u256 value);

/* Appends bytes that are RLP already. */
void evm_rlp_put_encoded(struct evm_rlp_writer *w, const void *rlp, size_t len);

/* A list is what was written between begin and end. Returns: the mark that end takes. */
size_t evm_rlp_list_begin(struct evm_rlp_writer *w);
void evm_rlp_list_end(struct evm_rlp_writer *w, size_t mark);

struct evm_rlp_item {
	const uint8_t *data; // payload, without the header; points into the input
	size_t len;
	bool is_list;
};

struct evm_rlp_cursor {
	const uint8_t *src;
	size_t left;
	int error; // 0, or the first failure: -EBADMSG
};

void evm_rlp_cursor_init(struct evm_rlp_cursor *c, const void *src, size_t len);

/* Takes the next item of either kind; on failure *ret is an empty string and c->error is set. */
void evm_rlp_get_item(struct evm_rlp_cursor *c, struct evm_rlp_item *ret);

/* Takes a list; the returned cursor walks its payload. */
struct evm_rlp_cursor evm_rlp_get_list(struct evm_rlp_cursor *c);

/* Takes a string; exactly len bytes are wanted by get_fixed. On failure dst is zeroed. */
void evm_rlp_get_bytes(struct evm_rlp_cursor *c, const uint8_t **ret, size_t *ret_len);
void evm_rlp_get_fixed(struct evm_rlp_cursor *c, uint8_t *dst, size_t len);

/* Integers have no leading zero byte; zero is the empty string. 0 on failure. */
uint64_t evm_rlp_get_u64(struct evm_rlp_cursor *c);
struct u256 evm_rlp_get_u256(struct evm_rlp_cursor *c);

/* Sets the error unless everything was taken. Returns: 0 or -EBADMSG. */
int evm_rlp_verify_end(struct evm_rlp_cursor *c) __attribute__((warn_unused_result));
