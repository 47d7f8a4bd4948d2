// SPDX-License-Identifier: Apache-2.0
//
// Field by field, each with its own check; results are written only when all hold.

#include "evm_reply.h"

#include "evm_hex.h"

#include <errno.h>
#include <string.h>

int evm_reply_quantity(const struct json_value *value, struct u256 *ret)
{
	const char *text = json_string(value);

	return text == NULL || u256_parse_quantity(text, ret) < 0 ? -EBADMSG : 0;
}

int evm_reply_u64(const struct json_value *value, uint64_t *ret)
{
	struct u256 number;

	if (evm_reply_quantity(value, &number) < 0 || u256_to_u64(number, ret) < 0)
		return -EBADMSG;
	return 0;
}

static int evm_reply_fixed(const struct json_value *value, uint8_t *ret, size_t len)
{
	const char *text = json_string(value);

	return text == NULL || evm_hex_parse(text, ret, len) < 0 ? -EBADMSG : 0;
}

int evm_reply_hash(const struct json_value *value, uint8_t ret[32])
{
	return evm_reply_fixed(value, ret, 32);
}

int evm_reply_block(const struct json_value *value, struct evm_block *ret)
{
	const struct json_value *base_fee = json_member(value, "baseFeePerGas");
	struct evm_block block = {0};

	if (json_is_null(value))
		return -ENOENT;
	if (evm_reply_u64(json_member(value, "number"), &block.number) < 0 ||
	    evm_reply_u64(json_member(value, "timestamp"), &block.timestamp_sec) < 0 ||
	    evm_reply_hash(json_member(value, "hash"), block.hash) < 0 ||
	    evm_reply_hash(json_member(value, "parentHash"), block.parent_hash) < 0)
		return -EBADMSG;
	if (base_fee != NULL && evm_reply_quantity(base_fee, &block.base_fee_wei) < 0)
		return -EBADMSG;
	*ret = block;
	return 0;
}

bool evm_reply_block_has_tx(const struct json_value *block, const uint8_t tx_hash[32])
{
	const struct json_value *list = json_member(block, "transactions");
	uint8_t hash[32];

	if (!json_is_array(list))
		return false;
	for (const struct json_value *v = json_first(list); v != NULL; v = json_next(v)) {
		if (evm_reply_hash(v, hash) == 0 && memcmp(hash, tx_hash, sizeof(hash)) == 0)
			return true;
	}
	return false;
}

int evm_reply_receipt(const struct json_value *value, struct evm_receipt *ret)
{
	struct evm_receipt receipt = {.logs = json_member(value, "logs")};
	uint64_t status;

	if (json_is_null(value))
		return -ENOENT;
	if (evm_reply_hash(json_member(value, "transactionHash"), receipt.tx_hash) < 0 ||
	    evm_reply_u64(json_member(value, "blockNumber"), &receipt.block_number) < 0 ||
	    evm_reply_hash(json_member(value, "blockHash"), receipt.block_hash) < 0 ||
	    evm_reply_u64(json_member(value, "gasUsed"), &receipt.gas_used) < 0 ||
	    evm_reply_u64(json_member(value, "status"), &status) < 0 || status > 1 ||
	    !json_is_array(receipt.logs))
		return -EBADMSG;
	receipt.is_success = status == 1;
	*ret = receipt;
	return 0;
}

static int evm_reply_topics(const struct json_value *value, struct evm_log *log)
{
	if (!json_is_array(value))
		return -EBADMSG;
	for (const struct json_value *t = json_first(value); t != NULL; t = json_next(t)) {
		if (log->n_topics == EVM_REPLY_TOPICS_MAX ||
		    evm_reply_hash(t, log->topics[log->n_topics++]) < 0)
			return -EBADMSG;
	}
	return 0;
}

int evm_reply_log_address(const struct json_value *value, uint8_t ret[EVM_ADDRESS_SIZE])
{
	return evm_reply_fixed(json_member(value, "address"), ret, EVM_ADDRESS_SIZE);
}

int evm_reply_log(const struct json_value *value, struct evm_log *ret)
{
	const struct json_value *removed = json_member(value, "removed");
	const char *data = json_string(json_member(value, "data"));
	struct evm_log log = {0};

	if (evm_reply_log_address(value, log.address) < 0 ||
	    evm_reply_topics(json_member(value, "topics"), &log) < 0 || data == NULL ||
	    evm_hex_parse_bytes(data, log.data, sizeof(log.data), &log.data_len) < 0 ||
	    evm_reply_u64(json_member(value, "blockNumber"), &log.block_number) < 0 ||
	    evm_reply_hash(json_member(value, "blockHash"), log.block_hash) < 0 ||
	    evm_reply_hash(json_member(value, "transactionHash"), log.tx_hash) < 0 ||
	    evm_reply_u64(json_member(value, "logIndex"), &log.log_index) < 0)
		return -EBADMSG;
	if (removed != NULL && json_bool(removed, &log.is_removed) < 0)
		return -EBADMSG;
	*ret = log;
	return 0;
}
