// SPDX-License-Identifier: Apache-2.0
//
// Arithmetic on {asset, amount}: checks the asset first, then lets u256 check the range.
// Pure; any thread.

#include "controlplane/chain/money.h"

#include <errno.h>
#include <string.h>

bool money_asset_equal(const struct money_asset *a, const struct money_asset *b)
{
	return a->chain_id == b->chain_id && memcmp(a->token, b->token, sizeof(a->token)) == 0;
}

bool money_asset_is_native(const struct money_asset *asset)
{
	static const uint8_t native[MONEY_TOKEN_SIZE];

	return memcmp(asset->token, native, sizeof(native)) == 0;
}

int money_add(const struct money *a, const struct money *b, struct money *ret)
{
	struct u256 sum;
	int r;

	if (!money_asset_equal(&a->asset, &b->asset))
		return -EXDEV;
	r = u256_add(a->amount, b->amount, &sum);
	if (r < 0)
		return r;
	*ret = (struct money){.asset = a->asset, .amount = sum};
	return 0;
}

int money_sub(const struct money *a, const struct money *b, struct money *ret)
{
	struct u256 rest;
	int r;

	if (!money_asset_equal(&a->asset, &b->asset))
		return -EXDEV;
	r = u256_sub(a->amount, b->amount, &rest);
	if (r < 0)
		return r;
	*ret = (struct money){.asset = a->asset, .amount = rest};
	return 0;
}
