// SPDX-License-Identifier: Apache-2.0
//
// See buyer_pace.h. Pure.
#include "buyer_pace.h"

// A quarter: the question, the answer and the voucher are on their way while the rest is used.
#define CREDIT_PART 4
#define STEP_MIN_BYTES 16384

void buyer_pace_init(struct buyer_pace *pace, uint64_t interval_ns)
{
	*pace = (struct buyer_pace){
		.interval_ns = interval_ns,
		.step_bytes = UINT64_MAX,
	};
}

bool buyer_pace_check(const struct buyer_pace *pace, uint64_t now_ns, uint64_t own_bytes)
{
	if (now_ns < pace->not_before_ns)
		return false;
	return now_ns >= pace->due_ns ||
		(pace->retry_ns == 0 && own_bytes > pace->asked_bytes &&
		 own_bytes - pace->asked_bytes >= pace->step_bytes);
}

void buyer_pace_answered(
	struct buyer_pace *pace, uint64_t now_ns, uint64_t own_bytes, uint64_t credit_bytes
)
{
	pace->not_before_ns = now_ns + BUYER_PACE_GAP_NS;
	pace->due_ns = now_ns + pace->interval_ns;
	pace->retry_ns = 0;
	pace->asked_bytes = own_bytes;
	pace->step_bytes = credit_bytes / CREDIT_PART;
	// The gate may close before such a step is made, and the count would stand still.
	if (pace->step_bytes < STEP_MIN_BYTES)
		buyer_pace_again(pace, now_ns, BUYER_PACE_SOON_NS);
}

void buyer_pace_again(struct buyer_pace *pace, uint64_t now_ns, uint64_t in_ns)
{
	pace->retry_ns = 0;
	pace->not_before_ns = now_ns + in_ns;
	pace->due_ns = now_ns + in_ns;
}

void buyer_pace_failed(struct buyer_pace *pace, uint64_t now_ns)
{
	pace->retry_ns = pace->retry_ns == 0 ? BUYER_PACE_RETRY_MIN_NS : 2 * pace->retry_ns;
	if (pace->retry_ns > BUYER_PACE_RETRY_MAX_NS)
		pace->retry_ns = BUYER_PACE_RETRY_MAX_NS;
	pace->not_before_ns = now_ns + pace->retry_ns;
	pace->due_ns = pace->not_before_ns;
}
