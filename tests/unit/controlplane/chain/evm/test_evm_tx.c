// SPDX-License-Identifier: Apache-2.0
//
// evm_tx and signing against other implementations' published transactions, there and back; every
// truncation and every flipped bit; a decoded transaction encodes to the same bytes or is refused.

#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/chain/evm/evm_tx.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct evm_signer *open_signer(const struct json_value *row)
{
	uint8_t key[EVM_SIGNER_KEY_SIZE];
	struct evm_signer *signer;

	assert_int_equal(vectors_hex(row, "private_key", key, sizeof(key)), sizeof(key));
	assert_int_equal(evm_signer_create(&signer, key), 0);
	return signer;
}

// Whatever decodes must encode to the very same bytes.
static int check_decode(const uint8_t *raw, size_t len)
{
	uint8_t *exact = malloc(len + (len == 0)), *again = malloc(len + 16);
	struct evm_tx tx;
	size_t again_len;
	int r;

	memcpy(exact, raw, len);
	r = evm_tx_decode(&tx, exact, len);
	if (r == 0) {
		assert_int_equal(evm_tx_encode(&tx, again, len + 16, &again_len), 0);
		assert_int_equal(again_len, len);
		assert_memory_equal(again, raw, len);
	} else {
		assert_int_equal(r, -EBADMSG);
	}
	free(exact);
	free(again);
	return r;
}

static void break_everywhere(uint8_t *raw, size_t len)
{
	uint8_t longer[1024] = {0};

	assert_int_equal(check_decode(raw, len), 0);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(check_decode(raw, cut), -EBADMSG);
	memcpy(longer, raw, len);
	assert_int_equal(check_decode(longer, len + 1), -EBADMSG);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		raw[bit / 8] = (uint8_t)(raw[bit / 8] ^ (1 << (bit % 8)));
		(void)check_decode(raw, len);
		raw[bit / 8] = (uint8_t)(raw[bit / 8] ^ (1 << (bit % 8)));
	}
}

static void test_dynamic_fee(void **state)
{
	struct json_value *doc = vectors_load("evm_tx");
	const struct json_value *rows = json_member(doc, "dynamic_fee");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		struct evm_signer *signer = open_signer(row);
		uint8_t expected[512], made[512], sender[EVM_ADDRESS_SIZE], self[EVM_ADDRESS_SIZE];
		size_t len = vectors_hex(row, "raw", expected, sizeof(expected)), made_len;
		struct evm_tx back,
			tx = {
				.type = EVM_TX_DYNAMIC_FEE,
				.chain_id = vectors_u64(row, "chain_id"),
				.account_nonce = vectors_u64(row, "nonce"),
				.max_priority_fee_per_gas_wei =
					u256_from_u64(vectors_u64(row, "tip")),
				.max_fee_per_gas_wei = u256_from_u64(vectors_u64(row, "max_fee")),
				.gas_limit = vectors_u64(row, "gas_limit"),
				.value_wei = u256_from_u64(vectors_u64(row, "value")),
			};

		vectors_hex(row, "to", tx.to, sizeof(tx.to));
		assert_int_equal(evm_signer_sign_tx(signer, &tx, made, sizeof(made), &made_len), 0);
		assert_int_equal(made_len, len);
		assert_memory_equal(made, expected, len);
		assert_int_equal(evm_tx_decode(&back, made, made_len), 0);
		assert_int_equal(back.account_nonce, tx.account_nonce);
		assert_int_equal(
			evm_signer_recover_tx(&back, expected, sizeof(expected), sender), 0
		);
		evm_signer_address(signer, self);
		assert_memory_equal(sender, self, sizeof(self));
		break_everywhere(made, made_len);
		evm_signer_destroy(signer);
		n_rows++;
	}
	assert_int_equal(n_rows, 6);
	json_free(doc);
}

static void test_access_list_type(void **state)
{
	struct json_value *doc = vectors_load("evm_tx");
	const struct json_value *row = json_member(doc, "access_list");
	uint8_t raw[512], made[512], data[2], digest[EVM_KECCAK_SIZE], expected[EVM_KECCAK_SIZE];
	size_t len = vectors_hex(row, "raw", raw, sizeof(raw)), made_len;
	struct evm_tx decoded,
		tx = {
			.type = EVM_TX_ACCESS_LIST,
			.chain_id = vectors_u64(row, "chain_id"),
			.account_nonce = vectors_u64(row, "nonce"),
			.max_fee_per_gas_wei = u256_from_u64(vectors_u64(row, "gas_price")),
			.gas_limit = vectors_u64(row, "gas_limit"),
			.value_wei = u256_from_u64(vectors_u64(row, "value")),
			.data = data,
			.data_len = vectors_hex(row, "data", data, sizeof(data)),
		};

	(void)state;
	vectors_hex(row, "to", tx.to, sizeof(tx.to));
	vectors_hex(row, "digest", expected, sizeof(expected));
	assert_int_equal(evm_tx_digest(&tx, made, sizeof(made), digest), 0);
	assert_memory_equal(digest, expected, sizeof(expected));
	assert_int_equal(evm_tx_decode(&decoded, raw, len), 0);
	tx.signature = decoded.signature;
	assert_int_equal(evm_tx_encode(&tx, made, sizeof(made), &made_len), 0);
	assert_int_equal(made_len, len);
	assert_memory_equal(made, raw, len);
	break_everywhere(raw, len);
	json_free(doc);
}

// EIP-155's own example: the signature of a digest that the EIP states.
static void test_eip155_example(void **state)
{
	struct json_value *doc = vectors_load("evm_tx");
	const struct json_value *row = json_member(doc, "legacy");
	struct evm_signer *signer = open_signer(row);
	uint8_t data[128], digest[EVM_KECCAK_SIZE], expected[32], self[20], address[20];
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE];

	(void)state;
	evm_keccak_256(data, vectors_hex(row, "signing_data", data, sizeof(data)), digest);
	vectors_hex(row, "digest", expected, sizeof(expected));
	assert_memory_equal(digest, expected, sizeof(digest));
	assert_int_equal(evm_signer_sign(signer, digest, signature), 0);
	vectors_hex(row, "r", expected, sizeof(expected));
	assert_memory_equal(signature, expected, 32);
	vectors_hex(row, "s", expected, sizeof(expected));
	assert_memory_equal(signature + 32, expected, 32);
	// EIP-155: v = chain id * 2 + 35 + y parity, with chain id 1.
	assert_int_equal(signature[64] - 27 + 37, vectors_u64(row, "v"));
	evm_signer_address(signer, self);
	vectors_hex(row, "address", address, sizeof(address));
	assert_memory_equal(self, address, sizeof(self));
	evm_signer_destroy(signer);
	json_free(doc);
}

static size_t make_full(struct evm_signer *signer, uint8_t *raw, size_t cap, bool is_create)
{
	static const uint8_t keys[2][32] = {{1}, {2}};
	uint8_t list[256], data[60] = {0x60, 0x80};
	struct evm_rlp_writer w;
	struct evm_tx tx = {
		.type = EVM_TX_DYNAMIC_FEE,
		.chain_id = 31337,
		.gas_limit = 21000,
		.is_create = is_create,
		.to = {1},
		.data = data,
		.data_len = sizeof(data),
		.access_list = list,
	};
	size_t len = 0;

	evm_rlp_writer_init(&w, list, sizeof(list));
	evm_tx_access_list_put(&w, tx.to, keys, 2);
	evm_tx_access_list_put(&w, tx.to, NULL, 0);
	assert_int_equal(w.error, 0);
	tx.access_list_len = w.len;
	assert_int_equal(evm_signer_sign_tx(signer, &tx, raw, cap, &len), 0);
	for (size_t small = 0; small < len; small++) {
		uint8_t *exact = malloc(small + 1);

		assert_int_equal(evm_tx_encode(&tx, exact, small, &(size_t){0}), -ENOSPC);
		free(exact);
	}
	return len;
}

static void test_full(void **state)
{
	static const uint8_t key[EVM_SIGNER_KEY_SIZE] = {[31] = 1};
	struct evm_signer *signer;
	uint8_t raw[1024];
	struct evm_tx tx;
	size_t len;

	(void)state;
	assert_int_equal(evm_signer_create(&signer, key), 0);
	len = make_full(signer, raw, sizeof(raw), false);
	break_everywhere(raw, len);
	assert_int_equal(evm_tx_decode(&tx, raw, len), 0);
	assert_false(tx.is_create);
	len = make_full(signer, raw, sizeof(raw), true);
	break_everywhere(raw, len);
	assert_int_equal(evm_tx_decode(&tx, raw, len), 0);
	assert_true(tx.is_create);
	tx.type = 3;
	assert_int_equal(evm_tx_encode(&tx, raw, sizeof(raw), &len), -EINVAL);
	evm_signer_destroy(signer);
}

// Well-formed RLP that no transaction is.
static void test_no_transaction(void **state)
{
	uint8_t list[64], raw[256];
	struct evm_rlp_writer w;
	struct evm_tx decoded, tx = {.type = EVM_TX_DYNAMIC_FEE, .access_list = list};
	size_t entry, len;

	(void)state;
	for (int parity = 0; parity < 4; parity++) {
		tx.signature.y_parity = (uint8_t)parity;
		assert_int_equal(evm_tx_encode(&tx, raw, sizeof(raw), &len), 0);
		assert_int_equal(evm_tx_decode(&decoded, raw, len), parity > 1 ? -EBADMSG : 0);
	}
	tx.signature.y_parity = 0;
	// An access list's entry of three parts.
	evm_rlp_writer_init(&w, list, sizeof(list));
	entry = evm_rlp_list_begin(&w);
	evm_rlp_put_bytes(&w, tx.to, EVM_ADDRESS_SIZE);
	evm_rlp_list_end(&w, evm_rlp_list_begin(&w));
	evm_rlp_put_u64(&w, 1);
	evm_rlp_list_end(&w, entry);
	tx.access_list_len = w.len;
	assert_int_equal(evm_tx_encode(&tx, raw, sizeof(raw), &len), 0);
	assert_int_equal(evm_tx_decode(&decoded, raw, len), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dynamic_fee),
		cmocka_unit_test(test_access_list_type),
		cmocka_unit_test(test_eip155_example),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
