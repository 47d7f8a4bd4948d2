// SPDX-License-Identifier: Apache-2.0
//
// See buyer_decide.h. Pure.
#include "buyer_decide.h"

#include <errno.h>

int buyer_decide_limit(
	const struct buyer_decide_conf *conf, uint64_t own_bytes, uint64_t *ret_bytes
)
{
	// Quotient and rest apart: the product would pass 64 bits.
	uint64_t tolerance = own_bytes / BUYER_DECIDE_BPS_MAX * conf->tolerance_bps +
		own_bytes % BUYER_DECIDE_BPS_MAX * conf->tolerance_bps / BUYER_DECIDE_BPS_MAX;
	uint64_t limit;

	if (conf->tolerance_bps > BUYER_DECIDE_BPS_MAX)
		return -EOVERFLOW;
	if (tolerance < conf->floor_bytes)
		tolerance = conf->floor_bytes;
	if (__builtin_add_overflow(own_bytes, tolerance, &limit))
		return -EOVERFLOW;
	*ret_bytes = limit;
	return 0;
}

static enum buyer_decide_verdict hold(
	struct buyer_decide *state, const struct buyer_decide_conf *conf, uint64_t now_ns
)
{
	// A clock that went back starts the hold anew rather than end it.
	if (!state->is_holding || now_ns < state->hold_since_ns) {
		state->is_holding = true;
		state->hold_since_ns = now_ns;
	}
	return now_ns - state->hold_since_ns >= conf->hold_ns ? BUYER_DECIDE_STOP_LOSS
							      : BUYER_DECIDE_HOLD;
}

int buyer_decide_next(
	struct buyer_decide *state,
	const struct buyer_decide_conf *conf,
	const struct buyer_decide_input *input,
	enum buyer_decide_verdict *ret
)
{
	uint64_t limit;
	int r = buyer_decide_limit(conf, input->own_bytes, &limit);

	if (r < 0)
		return r;
	// What is signed is signed: an old claim, too high or not, asks for nothing.
	if (input->claim_bytes <= state->signed_bytes) {
		*ret = BUYER_DECIDE_IDLE;
	} else if (input->claim_bytes > input->bought_bytes) {
		*ret = BUYER_DECIDE_STOP_BOUGHT;
	} else if (input->claim_bytes > limit) {
		*ret = hold(state, conf, input->now_ns);
		return 0;
	} else {
		*ret = BUYER_DECIDE_SIGN;
	}
	state->is_holding = false;
	return 0;
}

uint64_t buyer_decide_loss(const struct buyer_decide_input *input)
{
	return input->claim_bytes > input->own_bytes ? input->claim_bytes - input->own_bytes : 0;
}
