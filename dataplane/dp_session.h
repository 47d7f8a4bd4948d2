// SPDX-License-Identifier: Apache-2.0
//
// A session as its owner worker knows it: quota, reservation, token buckets, keypairs, endpoint.
// Private to the owner; the slow path reads only the stamps. Until a worker adopts the session the
// slow path is its owner and writes the slot's lines itself.
//
// Quota (ARCHITECTURE "Admit and meter"): billed + reserved <= limit at every moment. admit reserves;
// transmit moves a reservation to the public counters; every later drop returns it.
#pragma once

#include "common/abi_session.h"
#include "dataplane/dp_bucket.h"
#include "dataplane/mail.h"
#include "dataplane/wg/wg_keypair.h"
#include "dataplane/wg/wg_timers.h"

#include <stdbool.h>
#include <stdint.h>

struct dp_session {
	// hot: read for each packet
	uint32_t generation; // 0 = the worker does not own this slot
	uint32_t inner_addr_be;
	uint8_t gate; // enum abi_gate in force; derived from the three below
	uint8_t commanded_gate; // what the control plane asked for: OPEN, CLOSED or THROTTLED
	bool is_quota_hit; // a packet did not fit; until it would, or the limit is raised
	bool is_expired; // a packet or the scan met the expiry; until it is extended
	bool is_throttled_on_quota;
	bool is_quota_90_told;
	bool is_ports_exhausted_told;
	uint8_t hints_pending; // bit i: the slow path is owed a hint of kind MAIL_CONFIRMED + i
	uint64_t limit_bytes; // cumulative, base included
	uint64_t base_bytes; // billed in earlier boots
	uint64_t billed_bytes; // out + in of this boot, equals the slot's counters
	uint64_t reserved_bytes; // admitted, not yet transmitted
	uint32_t refused_bytes; // of the packet that hit the quota
	uint64_t expires_ns; // monotonic; UINT64_MAX = never
	struct dp_bucket bucket_out, bucket_in;
	struct dp_bucket bucket_free_out, bucket_free_in;
	struct wg_keypairs keypairs;
	struct mail_endpoint endpoint; // where the client was last heard authentically
	uint64_t endpoint_told_ns; // when the slow path was told last
	struct wg_timers timers; // the owner stamps, the slow path's scan reads
	struct abi_session_slot *slot; // lines 0 and 2 are written here
} __attribute__((aligned(ABI_CACHE_LINE)));

// The verdict of admission; PASS_FREE passes unbilled at the free rate.
enum dp_admission {
	DP_ADMIT_BILLED,
	DP_ADMIT_FREE,
	DP_REFUSE_GATE,
	DP_REFUSE_QUOTA, // this packet closed the gate
	DP_REFUSE_EXPIRED,
	DP_REFUSE_RATE,
};

// Reserves `bytes` of a packet, or refuses it. Order: expiry, gate, rate, quota; a packet that the
// rate refuses does not touch the quota, and one that the quota refuses costs no tokens.
//
// Out: session, gate and reservation. now_ns monotonic.
enum dp_admission dp_session_admit(
	struct dp_session *session, uint32_t bytes, bool is_inbound, uint64_t now_ns
);

// The packet was accepted by the NIC: reservation -> public counters.
void dp_session_bill(struct dp_session *session, uint32_t bytes, bool is_inbound);

// The packet was dropped after admission: the reservation goes back. If it was this reservation that
// kept the packet that hit the quota from fitting, the gate opens again: what is left unbilled at a
// closed gate is always smaller than one packet.
void dp_session_return(struct dp_session *session, uint32_t bytes);

// Takes the session over from the slow path (MAIL_ADOPT).
void dp_session_adopt(
	struct dp_session *session,
	struct abi_session_slot *slot,
	const struct mail *mail,
	uint64_t now_ns
);

// New limits in force. A raised limit or a later expiry opens what the data plane itself had closed
// for that reason; a gate that the control plane closed stays closed. Equal limits change nothing.
void dp_session_set_limits(
	struct dp_session *session, const struct mail_limits *limits, uint64_t now_ns
);

// The control plane's gate: OPEN, CLOSED or THROTTLED, which lifts neither quota nor expiry; or
// EXPIRED, from the slow path's scan, for a session that no packet reminds of its end.
void dp_session_set_gate(struct dp_session *session, uint8_t gate, uint64_t now_ns);
