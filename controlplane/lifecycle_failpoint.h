// SPDX-License-Identifier: Apache-2.0
//
// The lifecycle's durable steps. Test builds can be killed at each, by the same mechanism as the
// outbox (settle_failpoint.h): tests/evm/lifecycle/failpoints.test.mjs goes through this very list,
// so a step that is added here without a scenario there fails it. Product builds compile to nothing.
#pragma once

#include "controlplane/settle/settle_failpoint.h"

// id, name, what has just happened
#define LIFECYCLE_STEP_LIST(X) \
	X(DECIDED, "decided", "a round decided on a change, nothing is stored") \
	X(EVENT_STORED, "event_stored", "an event is applied and taken, nobody was told") \
	X(UNWOUND_STORED, "unwound_stored", "a reorganisation is applied and taken") \
	X(WARNED_STORED, "warned_stored", "nine tenths of the quota are noted") \
	X(WAITING_STORED, "waiting_stored", "the wait for a voucher began") \
	X(ENDED_STORED, "ended_stored", "serving is over, the data plane was not told") \
	X(OVERDUE_STORED, "overdue_stored", "draining was cut short by the contract's deadline") \
	X(FINAL_STORED, "final_stored", "usage is final, its last proof is waited for") \
	X(QUEUED_STORED, "queued_stored", "the settlement is queued, the outbox was not told") \
	X(CLAIM_STORED, "claim_stored", "a claim in a dispute is queued") \
	X(EXECUTION_STORED, "execution_stored", "what follows the proposal is queued") \
	X(REVIEW_STORED, "review_stored", "the need of review is noted, or its end") \
	X(OUTCOME_STORED, "outcome_stored", "the session is settled") \
	X(REOPENED_STORED, "reopened_stored", "the settlement was undone, it is open again") \
	X(RETIRED_STORED, "retired_stored", "the purchase is looked at no more") \
	X(VOUCHER_STORED, "voucher_stored", "a voucher is stored, the limit was not raised") \
	X(ATTESTATION_STORED, "attestation_stored", "an attestation is stored")

#define LIFECYCLE_STEP_ENUM(id, name, help) LIFECYCLE_STEP_##id,
enum lifecycle_step { LIFECYCLE_STEP_LIST(LIFECYCLE_STEP_ENUM) LIFECYCLE_N_STEP };

#ifdef SETTLE_FAILPOINTS
static inline const char *lifecycle_failpoint_name(unsigned step)
{
#define LIFECYCLE_STEP_NAME(id, name, help) name,
	static const char *const names[] = {LIFECYCLE_STEP_LIST(LIFECYCLE_STEP_NAME)};

	return names[step];
}

static inline void lifecycle_failpoint(enum lifecycle_step step)
{
	settle_failpoint_hit(lifecycle_failpoint_name(step));
}
#else
static inline void lifecycle_failpoint(enum lifecycle_step step)
{
	(void)step;
}
#endif
