// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints: the EIP-712 hash word by word, the chain, and records cut and flipped at each place.
#include "controlplane/chain/evm/evm_keccak.h"
#include "controlplane/usage/usage_checkpoint.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

static struct usage_checkpoint first(void)
{
	struct usage_checkpoint checkpoint = {
		.sequence = 1,
		.out_bytes = 0x0102030405060708,
		.in_bytes = 9,
		.time_unix_sec = 1700000000,
	};

	memset(checkpoint.session_id, 0xab, 32);
	return checkpoint;
}

static struct usage_checkpoint after(const struct usage_checkpoint *last)
{
	struct usage_checkpoint next = *last;

	next.sequence++;
	next.out_bytes += 5;
	next.time_unix_sec += 60;
	usage_checkpoint_hash(last, next.previous_hash);
	return next;
}

static void put_u64(uint8_t *word, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		word[31 - i] = (uint8_t)(value >> 8 * i);
}

// encodeData written out by hand: seven words of 32 bytes.
static void test_hash_is_hash_struct(void **state)
{
	static const char type[] =
		"UsageCheckpoint(bytes32 sessionId,uint256 sequence,uint256 outBytes,"
		"uint256 inBytes,uint256 time,bytes32 previousHash)";
	const struct usage_checkpoint one = first(), two = after(&one);
	uint8_t words[7][32] = {0}, want[32], got[32];

	(void)state;
	evm_keccak_256(type, strlen(type), words[0]);
	memcpy(words[1], two.session_id, 32);
	put_u64(words[2], two.sequence);
	put_u64(words[3], two.out_bytes);
	put_u64(words[4], two.in_bytes);
	put_u64(words[5], two.time_unix_sec);
	memcpy(words[6], two.previous_hash, 32);
	evm_keccak_256(words, sizeof(words), want);
	usage_checkpoint_hash(&two, got);
	assert_memory_equal(got, want, 32);
}

static void test_chain(void **state)
{
	const struct usage_checkpoint one = first(), two = after(&one), three = after(&two);
	struct usage_checkpoint bad;

	(void)state;
	assert_int_equal(usage_checkpoint_verify_next(NULL, &one), 0);
	assert_int_equal(usage_checkpoint_verify_next(&one, &two), 0);
	assert_int_equal(usage_checkpoint_verify_next(&two, &three), 0);
	assert_int_equal(usage_checkpoint_verify_next(NULL, &two), -EBADMSG);
	assert_int_equal(usage_checkpoint_verify_next(&one, &three), -EBADMSG); // one left out
	bad = two;
	bad.out_bytes = one.out_bytes - 1;
	assert_int_equal(usage_checkpoint_verify_next(&one, &bad), -EBADMSG);
	bad = two;
	bad.in_bytes--;
	assert_int_equal(usage_checkpoint_verify_next(&one, &bad), -EBADMSG);
	bad = two;
	bad.time_unix_sec = one.time_unix_sec - 1;
	assert_int_equal(usage_checkpoint_verify_next(&one, &bad), -EBADMSG);
	bad = two;
	bad.session_id[31] ^= 1;
	assert_int_equal(usage_checkpoint_verify_next(&one, &bad), -EBADMSG);
}

// Any bit of a stored checkpoint breaks the record or the link to the next one.
static void test_each_bit_breaks_the_chain(void **state)
{
	const struct usage_checkpoint one = first(), two = after(&one);
	struct usage_checkpoint got;
	uint8_t record[USAGE_CHECKPOINT_BYTES + 1] = {0};

	(void)state;
	usage_checkpoint_encode(&one, record);
	assert_int_equal(usage_checkpoint_decode(&got, record, USAGE_CHECKPOINT_BYTES), 0);
	assert_memory_equal(&got, &one, sizeof(got));
	for (size_t len = 0; len <= sizeof(record); len++) {
		int want = len == USAGE_CHECKPOINT_BYTES ? 0 : -EBADMSG;
		assert_int_equal(usage_checkpoint_decode(&got, record, len), want);
	}
	for (size_t bit = 0; bit < USAGE_CHECKPOINT_BYTES * 8; bit++) {
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (usage_checkpoint_decode(&got, record, USAGE_CHECKPOINT_BYTES) == 0)
			assert_int_equal(usage_checkpoint_verify_next(&got, &two), -EBADMSG);
		record[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_is_hash_struct),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_each_bit_breaks_the_chain),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
