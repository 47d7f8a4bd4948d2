// SPDX-License-Identifier: Apache-2.0
//
// The contract ABI (Solidity's "Contract ABI Specification", formal encoding). A value is written
// as frames: a frame is a tuple or an array, it has a fixed number of head words, and whatever is
// dynamic leaves an offset in the head and its content in the tail. Static tuples are simply their
// words in the frame around them.
//
//	f(uint256 a, (bytes32,bytes)[] b)          evm_abi_call(w, "f(uint256,(bytes32,bytes)[])", 2)
//	                                           evm_abi_put_u256(w, a)
//	  array of n dynamic elements              evm_abi_array_begin(w, n, n)
//	    each a dynamic tuple of 2 head words     evm_abi_tuple_begin(w, 2)
//	                                             evm_abi_put_word / evm_abi_put_bytes
//	                                             evm_abi_end(w)
//	                                           evm_abi_end(w), evm_abi_end(w)
//
// Writer and reader carry a sticky error. Reading is strict: words out of their type's range, dirty
// padding, and offsets or lengths outside the data are errors; the deepest nesting is bounded.
// Pure, no allocation, any thread.

#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/u256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVM_ABI_WORD 32
#define EVM_ABI_SELECTOR 4
#define EVM_ABI_DEPTH_MAX 8

struct evm_abi_frame {
	size_t start; // offsets in the frame's head count from here
	size_t next; // the next free head word
	size_t end; // end of the head
};

struct evm_abi_writer {
	uint8_t *buf;
	size_t cap;
	size_t len;
	struct evm_abi_frame frames[EVM_ABI_DEPTH_MAX];
	unsigned int n_frames;
	int error; // 0, or the first failure: -ENOSPC, -EOVERFLOW (head or nesting), -EINVAL
};

void evm_abi_writer_init(struct evm_abi_writer *w, void *buf, size_t cap);

/* The selector of a canonical signature and the frame of its arguments. */
void evm_abi_call(struct evm_abi_writer *w, const char *signature, size_t n_head_words);
void evm_abi_selector(const char *signature, uint8_t selector[EVM_ABI_SELECTOR]);

/* The outermost frame without a selector (abi.encode). */
void evm_abi_begin(struct evm_abi_writer *w, size_t n_head_words);

/* A dynamic tuple, or a dynamic-length array of n_elements whose heads take n_head_words in all. */
void evm_abi_tuple_begin(struct evm_abi_writer *w, size_t n_head_words);
void evm_abi_array_begin(struct evm_abi_writer *w, size_t n_elements, size_t n_head_words);

/* Ends the innermost frame; a head word left unwritten is -EINVAL. */
void evm_abi_end(struct evm_abi_writer *w);

/* Returns: 0, or the sticky error; -EINVAL when a frame is still open. */
int evm_abi_finish(const struct evm_abi_writer *w) __attribute__((warn_unused_result));

void evm_abi_put_word(struct evm_abi_writer *w, const uint8_t word[EVM_ABI_WORD]);
void evm_abi_put_u256(struct evm_abi_writer *w, struct u256 value);
void evm_abi_put_u64(struct evm_abi_writer *w, uint64_t value);
void evm_abi_put_i64(struct evm_abi_writer *w, int64_t value);
void evm_abi_put_bool(struct evm_abi_writer *w, bool value);
void evm_abi_put_address(struct evm_abi_writer *w, const uint8_t address[EVM_ADDRESS_SIZE]);

/* `bytes` and `string`. */
void evm_abi_put_bytes(struct evm_abi_writer *w, const void *data, size_t len);

struct evm_abi_reader {
	const uint8_t *data; // the whole encoding
	size_t len;
	size_t start; // of this frame
	size_t next;
	size_t end; // of its head
	unsigned int depth;
	int error; // 0, or the first failure: -EBADMSG
};

void evm_abi_reader_init(
	struct evm_abi_reader *r, const void *data, size_t len, size_t n_head_words
);

/* Return zero values (and empty, failed frames) once the error is set. */
void evm_abi_get_word(struct evm_abi_reader *r, uint8_t ret[EVM_ABI_WORD]);
struct u256 evm_abi_get_u256(struct evm_abi_reader *r);
uint64_t evm_abi_get_u64(struct evm_abi_reader *r);
int64_t evm_abi_get_i64(struct evm_abi_reader *r);
bool evm_abi_get_bool(struct evm_abi_reader *r);
void evm_abi_get_address(struct evm_abi_reader *r, uint8_t ret[EVM_ADDRESS_SIZE]);
void evm_abi_get_bytes(struct evm_abi_reader *r, const uint8_t **ret, size_t *ret_len);

/* The error of an inner frame does not reach the outer one: check each, or evm_abi_leave(). */
struct evm_abi_reader evm_abi_enter_tuple(struct evm_abi_reader *r, size_t n_head_words);

/* head_words_each is what one element takes in the array's head; n is bounded by the data. */
struct evm_abi_reader evm_abi_enter_array(
	struct evm_abi_reader *r, size_t head_words_each, size_t *ret_n
);

/* Carries the inner frame's error to the outer one. */
void evm_abi_leave(struct evm_abi_reader *outer, const struct evm_abi_reader *inner);
