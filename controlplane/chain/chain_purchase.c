// SPDX-License-Identifier: Apache-2.0
//
// The checks, cheapest and most telling first. 1 GB is 10^9 bytes.

#include "chain_purchase.h"

#include <stdatomic.h>
#include <string.h>

#define CHAIN_PURCHASE_GB 1000000000u

static const char *const chain_purchase_names[] = {
#define CHAIN_PURCHASE_NAME(id, name, help) name,
	CHAIN_PURCHASE_LIST(CHAIN_PURCHASE_NAME)};
static const char *const chain_purchase_helps[] = {
#define CHAIN_PURCHASE_HELP(id, name, help) help,
	CHAIN_PURCHASE_LIST(CHAIN_PURCHASE_HELP)};
static _Atomic uint64_t chain_purchase_counts[CHAIN_N_PURCHASE];

const char *chain_purchase_name(unsigned int verdict)
{
	return verdict < CHAIN_N_PURCHASE ? chain_purchase_names[verdict] : "unknown";
}

const char *chain_purchase_help(unsigned int verdict)
{
	return verdict < CHAIN_N_PURCHASE ? chain_purchase_helps[verdict] : "unknown";
}

uint64_t chain_purchase_count(enum chain_purchase verdict)
{
	return atomic_load_explicit(&chain_purchase_counts[verdict], memory_order_relaxed);
}

static const struct chain_offer *chain_purchase_offer(
	const struct chain_purchase_terms *terms, const uint8_t asset[32]
)
{
	for (size_t i = 0; i < terms->n_offers; i++) {
		if (memcmp(terms->offers[i].asset, asset, 32) == 0)
			return &terms->offers[i];
	}
	return NULL;
}

static enum chain_purchase chain_purchase_amounts(const struct chain_event *event)
{
	struct u256 cost;

	if (event->bytes == 0 || u256_is_zero(event->buyer_amount) ||
	    u256_is_zero(event->price_per_gb))
		return CHAIN_PURCHASE_ZERO_AMOUNT;
	// Sessions count billed bytes in 63 bits.
	if (event->bytes > INT64_MAX ||
	    u256_mul(u256_from_u64(event->bytes / CHAIN_PURCHASE_GB), event->price_per_gb, &cost) <
		    0)
		return CHAIN_PURCHASE_OVERFLOW;
	if (event->bytes % CHAIN_PURCHASE_GB != 0 || !u256_equal(cost, event->buyer_amount))
		return CHAIN_PURCHASE_WRONG_DEPOSIT;
	return CHAIN_PURCHASE_ACCEPTED;
}

static enum chain_purchase chain_purchase_verdict(
	const struct chain_purchase_terms *terms, const struct chain_event *event
)
{
	const struct chain_offer *offer = chain_purchase_offer(terms, event->asset);

	if (offer == NULL)
		return CHAIN_PURCHASE_FOREIGN_TOKEN;
	if (event->mode > 2 || (terms->modes & 1u << event->mode) == 0)
		return CHAIN_PURCHASE_WRONG_MODE;
	if (memcmp(terms->wg_public_key, event->wg_public_key, 32) != 0)
		return CHAIN_PURCHASE_WRONG_KEY;
	if (memcmp(terms->usage_signer, event->usage_signer, 32) != 0)
		return CHAIN_PURCHASE_WRONG_SIGNER;
	if (chain_purchase_amounts(event) != CHAIN_PURCHASE_ACCEPTED)
		return chain_purchase_amounts(event);
	if (!u256_equal(offer->price_per_gb, event->price_per_gb))
		return CHAIN_PURCHASE_WRONG_PRICE;
	return CHAIN_PURCHASE_ACCEPTED;
}

enum chain_purchase chain_purchase_check(
	const struct chain_purchase_terms *terms, const struct chain_event *event
)
{
	enum chain_purchase verdict = chain_purchase_verdict(terms, event);

	atomic_fetch_add_explicit(&chain_purchase_counts[verdict], 1, memory_order_relaxed);
	return verdict;
}
