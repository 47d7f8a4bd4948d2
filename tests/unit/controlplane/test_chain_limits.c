// SPDX-License-Identifier: Apache-2.0
//
// From the text of a configuration to when a batch is due: each token has the threshold that the
// file gives it, the native coin its own, and a token that the file does not name has none.
#include "config/config_load.h"
#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/chain_limits.h"
#include "controlplane/lifecycle.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define USDC "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" // EIP-55 check sum as its issuer gives it
#define WRONG "0xa0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" // the first letter's case
#define OTHER "0x00000000000000000000000000000000deadbee0"
#define UNNAMED "0x00000000000000000000000000000000deadbee1"
#define NATIVE "0x0000000000000000000000000000000000000000"
#define MOST "99999999999999999999999999999999999999"
#define BELOW_MOST "99999999999999999999999999999999999998"

static struct config config;

static void load(const char *batch)
{
	static struct config_report report;
	char text[2000];
	int len = snprintf(
		text,
		sizeof(text),
		"node: {name: x}\n"
		"ports: [{name: wan, devargs: d, role: both, address: 192.0.2.2/24, gateway: "
		"192.0.2.1}]\n"
		"chains: [{name: a, id: 1, endpoints: ['http://localhost'], node_id: 1, escrow: "
		"'" OTHER "', batch: {%s}}]\n",
		batch
	);

	if (config_load_text(&config, text, (size_t)len, "f", &report) != 0)
		fail_msg("%s", report.lines[0].text);
}

static struct u256 amount(const char *text)
{
	struct u256 ret;

	assert_int_equal(u256_parse_dec(text, &ret), 0);
	return ret;
}

static bool check_due(
	const struct settle_batch_limits *limits, const char *asset, const char *value
)
{
	struct settle_item item = {.id = 1, .value = amount(value), .queued_sec = 1};
	struct settle_batch batch;

	assert_int_equal(evm_address_parse(asset, item.asset + 12), 0);
	settle_batch_init(&batch, limits, CHAIN_CALL_FINALIZE, item.asset, 1000000);
	settle_batch_offer(&batch, &item);
	assert_int_equal(batch.n, 1);
	return settle_batch_is_due(&batch);
}

static void test_due(void **state)
{
	static const struct {
		const char *asset;
		const char *value;
		bool is_due;
	} rows[] = {
		{USDC, "4999999", false},
		{USDC, "5000000", true},
		{OTHER, BELOW_MOST, false},
		{OTHER, MOST, true},
		{UNNAMED, "0", true},
		{NATIVE, "6999999999", false}, // 7 gwei
		{NATIVE, "7000000000", true},
	};
	struct settle_batch_limits limits;
	char why[CHAIN_LIMITS_WHY_SIZE] = "";

	(void)state;
	load("payout_threshold_gwei: 7, value_gwei: 3, age_sec: 9, count: 4, "
	     "token_payout_thresholds: [" USDC "=5000000, " OTHER "=" MOST "]");
	assert_int_equal(chain_limits_read(&config.chains[0].batch, &limits, why), 0);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		if (check_due(&limits, rows[i].asset, rows[i].value) != rows[i].is_due)
			fail_msg("%s of %s", rows[i].value, rows[i].asset);
	}
	assert_int_equal(limits.count, 4);
	assert_int_equal(limits.age_sec, 9);
	assert_int_equal(limits.deadline_margin_sec, LIFECYCLE_MARGIN_SEC);
	assert_true(u256_equal(limits.value, u256_from_u64(3000000000)));
}

static void test_default(void **state)
{
	struct settle_batch_limits limits;
	char why[CHAIN_LIMITS_WHY_SIZE] = "";

	(void)state;
	load("");
	assert_int_equal(chain_limits_read(&config.chains[0].batch, &limits, why), 0);
	assert_int_equal(limits.n_tokens, 0);
	assert_true(check_due(&limits, NATIVE, "0"));
	assert_true(check_due(&limits, USDC, "0"));
}

static void test_wrong_check_sum(void **state)
{
	struct settle_batch_limits limits = {.count = 77};
	char why[CHAIN_LIMITS_WHY_SIZE] = "";

	(void)state;
	load("token_payout_thresholds: [" OTHER "=1, " WRONG "=5000000]");
	assert_int_equal(chain_limits_read(&config.chains[0].batch, &limits, why), -EINVAL);
	assert_string_equal(
		why,
		"batch.token_payout_thresholds[1]: value '" WRONG "=5000000' has a wrong check sum "
		"(EIP-55), so a digit is wrong; copy it again from where it was deployed"
	);
	assert_int_equal(limits.count, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_due),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_wrong_check_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
