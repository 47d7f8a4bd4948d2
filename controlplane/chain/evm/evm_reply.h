// SPDX-License-Identifier: Apache-2.0
//
// From an endpoint's JSON to blocks, logs and receipts. Strict: a field that is missing, of another
// type or out of range makes the whole object -EBADMSG, since half an answer about money is none.
// Pure; any thread.

#pragma once

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain/u256.h"
#include "controlplane/json/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVM_REPLY_LOG_DATA_MAX 1024 // the longest event of ours has 544 bytes
#define EVM_REPLY_TOPICS_MAX 4

struct evm_block {
	uint64_t number;
	uint64_t timestamp_sec;
	uint8_t hash[32];
	uint8_t parent_hash[32];
	struct u256 base_fee_wei; // 0 before London
};

struct evm_log {
	uint8_t address[EVM_ADDRESS_SIZE];
	uint8_t topics[EVM_REPLY_TOPICS_MAX][32];
	size_t n_topics;
	uint8_t data[EVM_REPLY_LOG_DATA_MAX];
	size_t data_len;
	uint64_t block_number;
	uint8_t block_hash[32];
	uint8_t tx_hash[32];
	uint64_t log_index; // in the block
	bool is_removed;
};

struct evm_receipt {
	uint8_t tx_hash[32];
	uint64_t block_number;
	uint8_t block_hash[32];
	bool is_success;
	uint64_t gas_used;
	const struct json_value *logs; // an array, in the document it came from
};

int evm_reply_quantity(const struct json_value *value, struct u256 *ret)
	__attribute__((warn_unused_result));
int evm_reply_u64(const struct json_value *value, uint64_t *ret)
	__attribute__((warn_unused_result));
int evm_reply_hash(const struct json_value *value, uint8_t ret[32])
	__attribute__((warn_unused_result));

/* Return: 0; -ENOENT for null (no such block or receipt); -EBADMSG. */
int evm_reply_block(const struct json_value *value, struct evm_block *ret)
	__attribute__((warn_unused_result));
int evm_reply_receipt(const struct json_value *value, struct evm_receipt *ret)
	__attribute__((warn_unused_result));
/* Of a block as evm_reply_block() takes it, with its transactions as hashes. */
bool evm_reply_block_has_tx(const struct json_value *block, const uint8_t tx_hash[32]);
/* A log of ours; another contract's may be longer than fits, so ask for its address first. */
int evm_reply_log(const struct json_value *value, struct evm_log *ret)
	__attribute__((warn_unused_result));
int evm_reply_log_address(const struct json_value *value, uint8_t ret[EVM_ADDRESS_SIZE])
	__attribute__((warn_unused_result));
