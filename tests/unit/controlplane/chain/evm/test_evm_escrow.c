// SPDX-License-Identifier: Apache-2.0
//
// evm_escrow against tests/vectors/evm_terms.json, which ethers computed: ids, terms, vouchers and
// attestations, also those that belong to another chain, contract, session or signer, or are
// malleable. Events there and back are tests/evm/driver's, with a real node.

#include "controlplane/chain/evm/evm_escrow.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#include <errno.h>
#include <string.h>

static struct json_value *doc;
static uint8_t separator[EVM_KECCAK_SIZE];
static uint8_t escrow[EVM_ADDRESS_SIZE];

static int setup(void **state)
{
	const struct json_value *domain;

	(void)state;
	doc = vectors_load("evm_terms");
	domain = json_member(doc, "domain");
	vectors_hex(domain, "verifyingContract", escrow, sizeof(escrow));
	evm_escrow_domain(vectors_u64(domain, "chainId"), escrow, separator);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_free(doc);
	return 0;
}

static void assert_hex(const struct json_value *object, const char *name, const uint8_t *actual)
{
	uint8_t expected[32];

	assert_int_equal(vectors_hex(object, name, expected, sizeof(expected)), 32);
	assert_memory_equal(actual, expected, sizeof(expected));
}

static struct u256 number(const struct json_value *object, const char *name)
{
	struct u256 value;

	assert_int_equal(u256_parse_dec(vectors_string(object, name), &value), 0);
	return value;
}

static void test_domain_and_ids(void **state)
{
	const struct json_value *rows = json_member(doc, "session_ids");
	size_t n_rows = 0;

	(void)state;
	assert_hex(json_member(doc, "domain"), "separator", separator);
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		uint8_t contract[20], buyer[20], salt[32], id[32];

		vectors_hex(row, "escrow", contract, sizeof(contract));
		vectors_hex(row, "buyer", buyer, sizeof(buyer));
		vectors_hex(row, "salt", salt, sizeof(salt));
		evm_escrow_session_id(vectors_u64(row, "chain_id"), contract, buyer, salt, id);
		assert_hex(row, "session_id", id);
		n_rows++;
	}
	assert_int_equal(n_rows, 4);
}

static void test_terms(void **state)
{
	const struct json_value *rows = json_member(doc, "terms");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *row = json_first(rows); row != NULL; row = json_next(row)) {
		const struct json_value *m = json_member(row, "message");
		struct evm_escrow_terms terms = {0};
		uint8_t hash[EVM_KECCAK_SIZE];

		if (u256_to_u64(number(m, "feeBps"), &terms.fee_bps) < 0 ||
		    u256_to_u64(number(m, "windowSec"), &terms.window_sec) < 0 ||
		    u256_to_u64(number(m, "graceSec"), &terms.grace_sec) < 0)
			continue; // beyond what the contract lets anybody create
		terms.node_id = number(m, "nodeId");
		terms.price_per_gb = number(m, "pricePerGB");
		vectors_hex(m, "asset", terms.asset, 20);
		vectors_hex(m, "payout", terms.payout, 20);
		vectors_hex(m, "treasury", terms.treasury, 20);
		vectors_hex(m, "attestor", terms.attestor, 20);
		vectors_hex(m, "usageSigner", terms.usage_signer, 20);
		vectors_hex(m, "wgPublicKey", terms.wg_public_key, 32);
		evm_escrow_terms_hash(&terms, hash);
		assert_hex(
			row,
			json_member(row, "terms_hash") != NULL ? "terms_hash" : "struct_hash",
			hash
		);
		n_rows++;
	}
	assert_true(n_rows >= 2);
}

struct voucher_row {
	uint8_t session_id[32];
	uint8_t signer[EVM_ADDRESS_SIZE];
	struct evm_escrow_voucher voucher;
};

static bool read_voucher(const struct json_value *row, struct voucher_row *ret)
{
	const struct json_value *m = json_member(row, "message");

	if (u256_to_u64(number(m, "cumulativeBytes"), &ret->voucher.cumulative_bytes) < 0)
		return false;
	vectors_hex(m, "sessionId", ret->session_id, 32);
	vectors_hex(row, "signer", ret->signer, 20);
	vectors_hex(row, "r", ret->voucher.r, 32);
	vectors_hex(row, "vs", ret->voucher.vs, 32);
	return true;
}

static int verify(const struct voucher_row *row)
{
	return evm_escrow_verify_voucher(separator, row->session_id, row->signer, &row->voucher);
}

static void test_vouchers(void **state)
{
	const struct json_value *rows = json_member(doc, "vouchers");
	size_t n_rows = 0;

	(void)state;
	for (const struct json_value *v = json_first(rows); v != NULL; v = json_next(v)) {
		uint8_t digest[EVM_KECCAK_SIZE], key[32], signature[EVM_SIGNER_SIGNATURE_SIZE];
		struct voucher_row row, made;
		struct evm_signer *signer;

		if (!read_voucher(v, &row))
			continue;
		evm_escrow_voucher_digest(
			separator, row.session_id, row.voucher.cumulative_bytes, digest
		);
		assert_hex(v, "digest", digest);
		assert_int_equal(verify(&row), 0);
		vectors_hex(v, "private_key", key, sizeof(key));
		assert_int_equal(evm_signer_create(&signer, key), 0);
		assert_int_equal(evm_signer_sign(signer, digest, signature), 0);
		evm_escrow_compact(signature, made.voucher.r, made.voucher.vs);
		assert_memory_equal(made.voucher.r, row.voucher.r, 32);
		assert_memory_equal(made.voucher.vs, row.voucher.vs, 32);
		evm_signer_destroy(signer);
		n_rows++;
	}
	assert_true(n_rows >= 3);
}

static void test_foreign_vouchers(void **state)
{
	struct voucher_row good, bad;
	uint8_t zero[EVM_ADDRESS_SIZE] = {0};

	(void)state;
	assert_true(read_voucher(json_first(json_member(doc, "vouchers")), &good));
	assert_true(read_voucher(json_first(json_member(doc, "vouchers_of_another_chain")), &bad));
	assert_int_equal(verify(&bad), -EBADMSG);
	bad = good;
	bad.voucher.cumulative_bytes++; // more than was signed
	assert_int_equal(verify(&bad), -EBADMSG);
	bad = good;
	bad.session_id[31] ^= 1; // another session's
	assert_int_equal(verify(&bad), -EBADMSG);
	bad = good;
	bad.signer[19] ^= 1;
	assert_int_equal(verify(&bad), -EBADMSG);
	bad = good;
	memcpy(bad.signer, zero, sizeof(zero)); // a session without a voucher signer
	assert_int_equal(verify(&bad), -EBADMSG);
	bad = good;
	memset(&bad.voucher.r, 0, 64); // "no voucher"
	assert_int_equal(verify(&bad), -EBADMSG);
	escrow[19] ^= 1; // another contract
	evm_escrow_domain(vectors_u64(json_member(doc, "domain"), "chainId"), escrow, separator);
	assert_int_equal(verify(&good), -EBADMSG);
	escrow[19] ^= 1;
	evm_escrow_domain(vectors_u64(json_member(doc, "domain"), "chainId"), escrow, separator);
	for (size_t bit = 0; bit < 512; bit++) {
		uint8_t *at = bit < 256 ? good.voucher.r : good.voucher.vs;

		at[bit % 256 / 8] = (uint8_t)(at[bit % 256 / 8] ^ (1 << (bit % 8)));
		assert_int_equal(verify(&good), -EBADMSG);
		at[bit % 256 / 8] = (uint8_t)(at[bit % 256 / 8] ^ (1 << (bit % 8)));
	}
	assert_int_equal(verify(&good), 0);
}

static void read_attestation(
	const struct json_value *row,
	struct evm_escrow_item *item,
	uint8_t attestor[EVM_ADDRESS_SIZE]
)
{
	const struct json_value *m = json_member(row, "message");

	memset(item, 0, sizeof(*item));
	vectors_hex(m, "sessionId", item->session_id, 32);
	vectors_hex(m, "checkpointsRoot", item->checkpoints_root, 32);
	assert_int_equal(u256_to_u64(number(m, "bytesUsed"), &item->bytes_used), 0);
	vectors_hex(row, "r", item->attestation.r, 32);
	vectors_hex(row, "vs", item->attestation.vs, 32);
	vectors_hex(row, "signer", attestor, EVM_ADDRESS_SIZE);
}

static void test_attestations(void **state)
{
	static const uint8_t zero[EVM_ADDRESS_SIZE];
	uint8_t attestor[EVM_ADDRESS_SIZE], digest[32], expected[32];
	struct evm_escrow_item item;
	size_t n = 0;

	(void)state;
	for (const struct json_value *v = json_first(json_member(doc, "attestations")); v != NULL;
	     v = json_next(v), n++) {
		read_attestation(v, &item, attestor);
		vectors_hex(v, "digest", expected, 32);
		evm_escrow_attestation_digest(separator, &item, digest);
		assert_memory_equal(digest, expected, 32);
		assert_int_equal(evm_escrow_verify_attestation(separator, &item, attestor), 0);
		// A session without an attestor takes nobody's word.
		assert_int_equal(evm_escrow_verify_attestation(separator, &item, zero), -EBADMSG);
		item.bytes_used++;
		assert_int_equal(
			evm_escrow_verify_attestation(separator, &item, attestor), -EBADMSG
		);
		item.bytes_used--;
		// Each bit of session, root and signature counts.
		for (size_t bit = 0; bit < 4 * 256; bit++) {
			uint8_t *fields[] = {
				item.session_id,
				item.checkpoints_root,
				item.attestation.r,
				item.attestation.vs,
			};
			uint8_t *at = &fields[bit / 256][bit % 256 / 8];

			*at ^= (uint8_t)(1 << (bit % 8));
			assert_int_equal(
				evm_escrow_verify_attestation(separator, &item, attestor), -EBADMSG
			);
			*at ^= (uint8_t)(1 << (bit % 8));
		}
	}
	assert_true(n > 0);
}

static void test_errors_and_unknown_events(void **state)
{
	uint8_t selector[EVM_ABI_SELECTOR];
	struct evm_escrow_event event;
	struct evm_log log = {.n_topics = 2, .data_len = 32};

	(void)state;
	evm_abi_selector("WrongStatus()", selector);
	assert_string_equal(evm_escrow_error_name(selector), "WrongStatus");
	selector[0] ^= 1;
	assert_string_equal(evm_escrow_error_name(selector), "unknown error");
	assert_int_equal(evm_escrow_decode(&log, &event), -ENOENT);
	evm_escrow_topic(EVM_ESCROW_SKIPPED, log.topics[0]);
	assert_int_equal(evm_escrow_decode(&log, &event), 0);
	log.data_len = 31;
	assert_int_equal(evm_escrow_decode(&log, &event), -EBADMSG);
	log.data_len = 32;
	log.n_topics = 1;
	assert_int_equal(evm_escrow_decode(&log, &event), -EBADMSG);
	log.n_topics = 0;
	assert_int_equal(evm_escrow_decode(&log, &event), -ENOENT);
	// Bytes beyond 64 bits are no session that we can serve.
	log = (struct evm_log){.n_topics = 2, .data_len = 64 + 32};
	evm_escrow_topic(EVM_ESCROW_CLAIMED, log.topics[0]);
	assert_int_equal(evm_escrow_decode(&log, &event), 0);
	log.data[0] = 1;
	assert_int_equal(evm_escrow_decode(&log, &event), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domain_and_ids),
		cmocka_unit_test(test_terms),
		cmocka_unit_test(test_vouchers),
		cmocka_unit_test(test_foreign_vouchers),
		cmocka_unit_test(test_attestations),
		cmocka_unit_test(test_errors_and_unknown_events),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
