// SPDX-License-Identifier: Apache-2.0
//
// Quota, expiry, rate and gate of one session, on its owner worker. Pure: no packets, no DPDK; time
// is a parameter. Called per packet by stage/admit and stage/tx, and by the worker for mail.
#include "dataplane/dp_session.h"

#include "common/abi_names.h"
#include "common/counter.h"

#include <string.h>

// The gate in force. What the control plane closed is closed; then expiry, then quota.
static void gate_update(struct dp_session *session)
{
	uint8_t gate = session->commanded_gate;

	if (gate != ABI_GATE_CLOSED) {
		if (session->is_expired)
			gate = ABI_GATE_EXPIRED;
		else if (session->is_quota_hit)
			gate = session->is_throttled_on_quota ? ABI_GATE_THROTTLED : ABI_GATE_QUOTA;
	}
	session->gate = gate;
	__atomic_store_n(&session->slot->live.gate, gate, __ATOMIC_RELAXED);
}

// Bytes that may still be admitted. A limit below what is used (a top-up reorganised away) is zero.
static uint64_t quota_left(const struct dp_session *session)
{
	uint64_t used = session->base_bytes + session->billed_bytes + session->reserved_bytes;

	return session->limit_bytes > used ? session->limit_bytes - used : 0;
}

static enum dp_admission admit_free(
	struct dp_session *session, uint32_t bytes, bool is_inbound, uint64_t now_ns
)
{
	struct dp_bucket *bucket =
		is_inbound ? &session->bucket_free_in : &session->bucket_free_out;

	// Here a rate of 0 grants nothing: throttled to nothing is closed.
	if (bucket->rate_bytes_per_sec == 0 || !dp_bucket_check(bucket, bytes, now_ns))
		return DP_REFUSE_RATE;
	dp_bucket_take(bucket, bytes);
	return DP_ADMIT_FREE;
}

enum dp_admission dp_session_admit(
	struct dp_session *session, uint32_t bytes, bool is_inbound, uint64_t now_ns
)
{
	struct dp_bucket *bucket = is_inbound ? &session->bucket_in : &session->bucket_out;

	if (now_ns >= session->expires_ns) {
		if (!session->is_expired) {
			session->is_expired = true;
			gate_update(session);
		}
		return DP_REFUSE_EXPIRED;
	}
	if (session->gate == ABI_GATE_THROTTLED)
		return admit_free(session, bytes, is_inbound, now_ns);
	if (session->gate != ABI_GATE_OPEN)
		return DP_REFUSE_GATE;
	if (!dp_bucket_check(bucket, bytes, now_ns))
		return DP_REFUSE_RATE;
	if (bytes > quota_left(session)) {
		session->is_quota_hit = true;
		session->refused_bytes = bytes;
		gate_update(session);
		return session->gate == ABI_GATE_THROTTLED
			? admit_free(session, bytes, is_inbound, now_ns)
			: DP_REFUSE_QUOTA;
	}
	dp_bucket_take(bucket, bytes);
	session->reserved_bytes += bytes;
	return DP_ADMIT_BILLED;
}

void dp_session_bill(struct dp_session *session, uint32_t bytes, bool is_inbound)
{
	struct abi_session_live *live = &session->slot->live;

	session->reserved_bytes -= bytes;
	session->billed_bytes += bytes;
	counter_add(is_inbound ? &live->in_pkts : &live->out_pkts, 1);
	counter_add(is_inbound ? &live->in_bytes : &live->out_bytes, bytes);
}

void dp_session_return(struct dp_session *session, uint32_t bytes)
{
	session->reserved_bytes -= bytes;
	if (session->is_quota_hit && session->refused_bytes <= quota_left(session)) {
		session->is_quota_hit = false;
		gate_update(session);
	}
}

void dp_session_adopt(
	struct dp_session *session,
	struct abi_session_slot *slot,
	const struct mail *mail,
	uint64_t now_ns
)
{
	const struct dp_session fresh = {
		.generation = mail->generation,
		.inner_addr_be = mail->session.inner_addr_be,
		.base_bytes = mail->session.base_bytes,
		.billed_bytes =
			counter_read(&slot->live.out_bytes) + counter_read(&slot->live.in_bytes),
	};

	// The stamps, which the slow path's scan may be reading, are written one by one as atomics.
	memcpy(session, &fresh, offsetof(struct dp_session, timers));
	wg_timers_init(&session->timers);
	session->slot = slot;
	session->commanded_gate = mail->gate;
	dp_session_set_limits(session, &mail->session.limits, now_ns);
	__atomic_store_n(&slot->live.state, ABI_SLOT_ACTIVE, __ATOMIC_RELAXED);
}

void dp_session_set_limits(
	struct dp_session *session, const struct mail_limits *limits, uint64_t now_ns
)
{
	struct abi_session_free *free_line = &session->slot->free;

	if (limits->limit_bytes > session->limit_bytes) {
		session->is_quota_hit = false;
		session->is_quota_90_told = false;
	}
	session->limit_bytes = limits->limit_bytes;
	session->expires_ns = limits->expires_ns;
	session->is_throttled_on_quota = limits->is_throttled_on_quota;
	dp_bucket_set(&session->bucket_out, limits->rate_out_kbps, now_ns);
	dp_bucket_set(&session->bucket_in, limits->rate_in_kbps, now_ns);
	dp_bucket_set(&session->bucket_free_out, limits->free_rate_kbps, now_ns);
	dp_bucket_set(&session->bucket_free_in, limits->free_rate_kbps, now_ns);
	__atomic_store_n(&free_line->rate_out_kbps, limits->rate_out_kbps, __ATOMIC_RELAXED);
	__atomic_store_n(&free_line->rate_in_kbps, limits->rate_in_kbps, __ATOMIC_RELAXED);
	if (now_ns < limits->expires_ns)
		session->is_expired = false;
	gate_update(session);
}

void dp_session_set_gate(struct dp_session *session, uint8_t gate, uint64_t now_ns)
{
	if (gate == ABI_GATE_EXPIRED)
		session->is_expired = now_ns >= session->expires_ns;
	else
		session->commanded_gate = gate;
	gate_update(session);
}
