// SPDX-License-Identifier: Apache-2.0
//
// The rest of an endpoint that failed: doubled at each fault in a row up to the limit, anywhere in the
// upper half of that so that nodes do not come back in step, and nobody asks it meanwhile.
#include "common/clock.h"
#include "controlplane/chain/evm/evm_rpc.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#define MIN_MS 1000
#define MAX_MS 8000
#define N_CLIENTS 20

static struct clock clock_of_test;
static struct clock_manual manual;
static unsigned int n_told;

static void on_fault(void *ctx, const char *endpoint, enum evm_rpc_fault fault, const char *why)
{
	(void)ctx;
	(void)why;
	assert_string_equal(endpoint, "http://127.0.0.1:1");
	assert_int_equal(fault, EVM_RPC_UNREACHABLE);
	n_told++;
}

// Nobody listens on port 1 of the loopback address: refused at once.
static struct evm_rpc *create(void)
{
	const struct evm_rpc_conf conf = {
		.chain_id = 1,
		.urls = {"http://user:secret@127.0.0.1:1/secret"},
		.n_urls = 1,
		.connect_timeout_ms = 5000,
		.timeout_ms = 5000,
		.backoff_min_ms = MIN_MS,
		.backoff_max_ms = MAX_MS,
		.response_max_bytes = 1000,
		.clock = &clock_of_test,
		.on_fault = on_fault,
	};
	struct evm_rpc *rpc;

	assert_int_equal(evm_rpc_create(&rpc, &conf), 0);
	return rpc;
}

static void ask(struct evm_rpc *rpc)
{
	struct evm_rpc_call call = {.method = "eth_blockNumber", .params = "[]"};
	char why[EVM_RPC_WHY_SIZE];

	assert_int_equal(evm_rpc_ask(rpc, &call, NULL, why), -EIO);
	assert_null(strstr(why, "secret"));
	evm_rpc_call_fini(&call);
}

// Returns: for how many milliseconds it rests from now on; the clock is behind them.
static uint32_t rest_ms(struct evm_rpc *rpc)
{
	struct evm_rpc_stats stats;
	uint32_t ms = 0;

	for (;; ms++) {
		evm_rpc_get_stats(rpc, 0, &stats);
		if (!stats.is_resting)
			return ms;
		if (ms % 100 == 0) {
			unsigned int before = n_told;

			ask(rpc);
			assert_int_equal(n_told, before); // not asked
		}
		clock_manual_advance(&manual, NS_PER_MS);
	}
}

static void test_backoff(void **state)
{
	static const uint32_t limits_ms[] = {1000, 2000, 4000, 8000, 8000, 8000};
	struct evm_rpc *rpc = create();

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(limits_ms); i++) {
		uint32_t ms;

		ask(rpc);
		assert_int_equal(n_told, i + 1);
		ms = rest_ms(rpc);
		// A rest ends within the last millisecond counted.
		assert_in_range(ms, limits_ms[i] / 2, limits_ms[i] + 1);
	}
	evm_rpc_destroy(rpc);
}

static void test_jitter(void **state)
{
	uint32_t first_ms = 0, n_other = 0;

	(void)state;
	for (int i = 0; i < N_CLIENTS; i++) {
		struct evm_rpc *rpc = create();
		uint32_t ms;

		ask(rpc);
		ms = rest_ms(rpc);
		n_other += i > 0 && ms != first_ms;
		if (i == 0)
			first_ms = ms;
		evm_rpc_destroy(rpc);
	}
	// 500 values: that nearly all are the first client's is no chance.
	assert_true(n_other > N_CLIENTS / 2);
}

static int set_up(void **state)
{
	(void)state;
	n_told = 0;
	clock_manual_init(&clock_of_test, &manual, NS_PER_SEC);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_backoff, set_up),
		cmocka_unit_test_setup(test_jitter, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
