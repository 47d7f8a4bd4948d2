// SPDX-License-Identifier: Apache-2.0
//
// chain_purchase: each verdict from one change to a good purchase, and its counter.

#include "controlplane/chain/chain_purchase.h"
#include "tests/unit/test.h"

#include <string.h>

static const struct chain_offer offers[] = {
	{.price_per_gb = {{1000000000000000, 0, 0, 0}}}, // native, 0.001
	{.asset = {[31] = 0xcc}, .price_per_gb = {{2500000, 0, 0, 0}}},
};

static const struct chain_purchase_terms terms = {
	.offers = offers,
	.n_offers = 2,
	.wg_public_key = {1},
	.usage_signer = {[31] = 2},
	.modes = 1,
};

static struct chain_event good(void)
{
	struct chain_event event = {
		.kind = CHAIN_EVENT_CREATED,
		.bytes = 10000000000,
		.buyer_amount = u256_from_u64(10000000000000000),
		.price_per_gb = offers[0].price_per_gb,
		.wg_public_key = {1},
		.usage_signer = {[31] = 2},
	};

	return event;
}

static enum chain_purchase check(struct chain_event event)
{
	uint64_t before[CHAIN_N_PURCHASE];
	enum chain_purchase verdict;

	for (unsigned int i = 0; i < CHAIN_N_PURCHASE; i++)
		before[i] = chain_purchase_count((enum chain_purchase)i);
	verdict = chain_purchase_check(&terms, &event);
	for (unsigned int i = 0; i < CHAIN_N_PURCHASE; i++)
		assert_int_equal(
			chain_purchase_count((enum chain_purchase)i) - before[i], i == verdict
		);
	return verdict;
}

static void test_accepted(void **state)
{
	struct chain_event event = good();

	(void)state;
	assert_int_equal(check(event), CHAIN_PURCHASE_ACCEPTED);
	event.asset[31] = 0xcc;
	event.price_per_gb = offers[1].price_per_gb;
	event.buyer_amount = u256_from_u64(25000000);
	assert_int_equal(check(event), CHAIN_PURCHASE_ACCEPTED);
}

static void test_refused(void **state)
{
	struct chain_event event = good();

	(void)state;
	event.asset[31] = 0xcd;
	assert_int_equal(check(event), CHAIN_PURCHASE_FOREIGN_TOKEN);
	event = good();
	event.price_per_gb = u256_from_u64(999999999999999); // a wei below, and paid for
	event.buyer_amount = u256_from_u64(9999999999999990);
	assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_PRICE);
	event.price_per_gb = u256_from_u64(1000000000000001); // above: not what is offered either
	event.buyer_amount = u256_from_u64(10000000000000010);
	assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_PRICE);
	event = good();
	event.bytes = 0;
	assert_int_equal(check(event), CHAIN_PURCHASE_ZERO_AMOUNT);
	event = good();
	event.buyer_amount = U256_ZERO;
	assert_int_equal(check(event), CHAIN_PURCHASE_ZERO_AMOUNT);
	event = good();
	event.price_per_gb = U256_ZERO;
	assert_int_equal(check(event), CHAIN_PURCHASE_ZERO_AMOUNT);
	event = good();
	event.buyer_amount = u256_from_u64(9999999999999999);
	assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_DEPOSIT);
	event = good();
	event.bytes++; // no whole GB
	assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_DEPOSIT);
	event = good();
	event.bytes = UINT64_MAX;
	assert_int_equal(check(event), CHAIN_PURCHASE_OVERFLOW);
	event = good();
	memset(&event.price_per_gb, 0xff, sizeof(event.price_per_gb));
	assert_int_equal(check(event), CHAIN_PURCHASE_OVERFLOW);
	event = good();
	event.wg_public_key[31] = 1;
	assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_KEY);
	event = good();
	event.usage_signer[31] = 3;
	assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_SIGNER);
	for (uint8_t mode = 1; mode != 0; mode++) {
		event = good();
		event.mode = mode;
		assert_int_equal(check(event), CHAIN_PURCHASE_WRONG_MODE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
