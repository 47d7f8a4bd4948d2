// SPDX-License-Identifier: Apache-2.0
//
// The field order of EIP-2930 and EIP-1559 stands here once, for signing and for the wire.

#include "evm_tx.h"

#include <errno.h>
#include <string.h>

void evm_tx_access_list_put(
	struct evm_rlp_writer *w,
	const uint8_t address[EVM_ADDRESS_SIZE],
	const uint8_t (*storage_keys)[32],
	size_t n_storage_keys
)
{
	size_t entry = evm_rlp_list_begin(w);
	size_t keys;

	evm_rlp_put_bytes(w, address, EVM_ADDRESS_SIZE);
	keys = evm_rlp_list_begin(w);
	for (size_t i = 0; i < n_storage_keys; i++)
		evm_rlp_put_bytes(w, storage_keys[i], 32);
	evm_rlp_list_end(w, keys);
	evm_rlp_list_end(w, entry);
}

// r and s are integers in RLP: without leading zeros.
static void evm_tx_put_scalar(struct evm_rlp_writer *w, const uint8_t be[32])
{
	evm_rlp_put_u256(w, u256_from_be(be));
}

static int evm_tx_write(const struct evm_tx *tx, bool is_signed, struct evm_rlp_writer *w)
{
	size_t body, list;

	if (tx->type != EVM_TX_ACCESS_LIST && tx->type != EVM_TX_DYNAMIC_FEE)
		return -EINVAL;
	evm_rlp_put_encoded(w, &tx->type, 1);
	body = evm_rlp_list_begin(w);
	evm_rlp_put_u64(w, tx->chain_id);
	evm_rlp_put_u64(w, tx->account_nonce);
	if (tx->type == EVM_TX_DYNAMIC_FEE)
		evm_rlp_put_u256(w, tx->max_priority_fee_per_gas_wei);
	evm_rlp_put_u256(w, tx->max_fee_per_gas_wei);
	evm_rlp_put_u64(w, tx->gas_limit);
	evm_rlp_put_bytes(w, tx->to, tx->is_create ? 0 : EVM_ADDRESS_SIZE);
	evm_rlp_put_u256(w, tx->value_wei);
	evm_rlp_put_bytes(w, tx->data, tx->data_len);
	list = evm_rlp_list_begin(w);
	evm_rlp_put_encoded(w, tx->access_list, tx->access_list_len);
	evm_rlp_list_end(w, list);
	if (is_signed) {
		evm_rlp_put_u64(w, tx->signature.y_parity);
		evm_tx_put_scalar(w, tx->signature.r);
		evm_tx_put_scalar(w, tx->signature.s);
	}
	evm_rlp_list_end(w, body);
	return w->error;
}

int evm_tx_digest(
	const struct evm_tx *tx, void *scratch, size_t cap, uint8_t digest[EVM_KECCAK_SIZE]
)
{
	struct evm_rlp_writer w;
	int r;

	evm_rlp_writer_init(&w, scratch, cap);
	r = evm_tx_write(tx, false, &w);
	if (r < 0)
		return r;
	evm_keccak_256(w.buf, w.len, digest);
	return 0;
}

int evm_tx_encode(const struct evm_tx *tx, void *buf, size_t cap, size_t *ret_len)
{
	struct evm_rlp_writer w;
	int r;

	evm_rlp_writer_init(&w, buf, cap);
	r = evm_tx_write(tx, true, &w);
	if (r < 0)
		return r;
	*ret_len = w.len;
	return 0;
}

static int evm_tx_verify_access_list(struct evm_rlp_cursor entries)
{
	while (entries.error == 0 && entries.left > 0) {
		struct evm_rlp_cursor entry = evm_rlp_get_list(&entries), keys;
		uint8_t address[EVM_ADDRESS_SIZE], storage_key[32];

		evm_rlp_get_fixed(&entry, address, sizeof(address));
		keys = evm_rlp_get_list(&entry);
		while (keys.error == 0 && keys.left > 0)
			evm_rlp_get_fixed(&keys, storage_key, sizeof(storage_key));
		if (keys.error < 0 || evm_rlp_verify_end(&entry) < 0)
			return -EBADMSG;
	}
	return entries.error;
}

static void evm_tx_get_to(struct evm_rlp_cursor *c, struct evm_tx *tx)
{
	const uint8_t *to;
	size_t len;

	evm_rlp_get_bytes(c, &to, &len);
	tx->is_create = len == 0;
	if (len == EVM_ADDRESS_SIZE)
		memcpy(tx->to, to, EVM_ADDRESS_SIZE);
	else if (len != 0)
		c->error = -EBADMSG;
}

int evm_tx_decode(struct evm_tx *ret, const void *raw, size_t len)
{
	struct evm_tx tx = {0};
	struct evm_rlp_cursor outer, c, entries;
	uint64_t y_parity;

	if (len == 0)
		return -EBADMSG;
	tx.type = *(const uint8_t *)raw;
	if (tx.type != EVM_TX_ACCESS_LIST && tx.type != EVM_TX_DYNAMIC_FEE)
		return -EBADMSG;
	evm_rlp_cursor_init(&outer, (const uint8_t *)raw + 1, len - 1);
	c = evm_rlp_get_list(&outer);
	tx.chain_id = evm_rlp_get_u64(&c);
	tx.account_nonce = evm_rlp_get_u64(&c);
	if (tx.type == EVM_TX_DYNAMIC_FEE)
		tx.max_priority_fee_per_gas_wei = evm_rlp_get_u256(&c);
	tx.max_fee_per_gas_wei = evm_rlp_get_u256(&c);
	tx.gas_limit = evm_rlp_get_u64(&c);
	evm_tx_get_to(&c, &tx);
	tx.value_wei = evm_rlp_get_u256(&c);
	evm_rlp_get_bytes(&c, &tx.data, &tx.data_len);
	entries = evm_rlp_get_list(&c);
	tx.access_list = entries.src;
	tx.access_list_len = entries.left;
	y_parity = evm_rlp_get_u64(&c);
	u256_to_be(evm_rlp_get_u256(&c), tx.signature.r);
	u256_to_be(evm_rlp_get_u256(&c), tx.signature.s);
	if (evm_rlp_verify_end(&c) < 0 || evm_rlp_verify_end(&outer) < 0 || y_parity > 1 ||
	    evm_tx_verify_access_list(entries) < 0)
		return -EBADMSG;
	tx.signature.y_parity = (uint8_t)y_parity;
	*ret = tx;
	return 0;
}

void evm_tx_hash(const void *raw, size_t len, uint8_t hash[EVM_KECCAK_SIZE])
{
	evm_keccak_256(raw, len, hash);
}
