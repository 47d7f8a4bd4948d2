// SPDX-License-Identifier: Apache-2.0
//
// See chain_limits.h.
#include "controlplane/chain_limits.h"

#include "controlplane/chain/evm/evm_address.h"
#include "controlplane/lifecycle.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WEI_PER_GWEI 1000000000

static_assert(
	CONFIG_MAX_TOKENS <= SETTLE_BATCH_TOKENS_MAX,
	"what the configuration takes, the outbox carries"
);

// Below 2^94: it fits.
struct u256 chain_limits_wei(uint64_t gwei)
{
	struct u256 wei = U256_ZERO;

	if (u256_mul(u256_from_u64(gwei), u256_from_u64(WEI_PER_GWEI), &wei) != 0)
		return U256_ZERO;
	return wei;
}

static int add_token(
	const struct config_token_amount *conf,
	struct settle_batch_limits *limits,
	const char **wrong
)
{
	struct settle_batch_amounts *amounts = &limits->tokens[limits->n_tokens].amounts;
	uint8_t *asset = limits->tokens[limits->n_tokens].asset;
	int rc = evm_address_parse(conf->token, asset + 12);

	*wrong = rc == -EBADMSG
		? "has a wrong check sum (EIP-55), so a digit is wrong; copy it again "
		  "from where it was deployed"
		: "is no address; allowed: 0x and 40 hex digits";
	if (rc != 0)
		return -EINVAL;
	*wrong = "has an amount that is no number; allowed: 1 to 10^38 - 1";
	if (u256_parse_dec(conf->amount, &amounts->payout_threshold) != 0)
		return -EINVAL;
	limits->n_tokens++;
	return 0;
}

int chain_limits_read(const struct config_batch *batch, struct settle_batch_limits *ret, char *why)
{
	struct settle_batch_limits limits = {
		.count = batch->count,
		.age_sec = batch->age_sec,
		.value = chain_limits_wei(batch->value_gwei),
		.payout_threshold = chain_limits_wei(batch->payout_threshold_gwei),
		.deadline_margin_sec = LIFECYCLE_MARGIN_SEC,
	};
	const char *wrong;

	for (uint32_t i = 0; i < batch->n_token_payout_thresholds; i++) {
		const struct config_token_amount *conf = &batch->token_payout_thresholds[i];

		if (add_token(conf, &limits, &wrong) == 0)
			continue;
		snprintf(
			why,
			CHAIN_LIMITS_WHY_SIZE,
			"batch.token_payout_thresholds[%u]: value '%s=%s' %s",
			i,
			conf->token,
			conf->amount,
			wrong
		);
		return -EINVAL;
	}
	*ret = limits;
	return 0;
}
