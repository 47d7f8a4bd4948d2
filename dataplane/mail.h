// SPDX-License-Identifier: Apache-2.0
//
// Messages between the slow path and a worker. Each pair has four single-producer single-consumer
// rings: mail and packets, down (slow path to worker) and up (worker to slow path). Mail is how state
// changes hands: a keypair, a limit or a whole session is passed, never shared.
//
// Order matters and is guaranteed: a worker takes all mail before the packets that came down after
// it, so a handshake response leaves after its keypair is installed.
#pragma once

#include "common/abi_session.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_ring;
struct wg_keypair;

#define MAIL_RING 4096 // messages each way
#define MAIL_PKT_RING 2048 // packets each way

enum mail_kind {
	// down
	MAIL_ADOPT, // the worker becomes owner of a session: `session`
	MAIL_LIMITS, // new limits in force: `limits`
	MAIL_GATE, // `gate`
	MAIL_INSTALL, // a finished keypair and the endpoint of its handshake: `install`
	MAIL_KEEPALIVE, // send a keepalive
	MAIL_ERASE, // drop keypairs created at or before `erase_ns`; they come back as MAIL_KEYPAIR_FREE
	MAIL_REMOVE, // give the session up; answered by MAIL_REMOVED
	MAIL_SNAPSHOT, // answered by MAIL_SNAPSHOT_DONE after the transmit call of this round
	MAIL_DRAIN, // stop receiving, finish what is held; answered by MAIL_DRAINED
	// up
	MAIL_KEYPAIR_FREE, // the worker holds this keypair no more: `keypair`
	MAIL_CONFIRMED, // first authentic data on a keypair: handshake complete
	MAIL_ENDPOINT, // the client's endpoint changed: `endpoint`
	MAIL_GATE_CLOSED, // the worker closed the gate: `gate` says why
	MAIL_QUOTA_90,
	MAIL_PORTS_EXHAUSTED,
	MAIL_REMOVED,
	MAIL_SNAPSHOT_DONE,
	MAIL_DRAINED,
};

struct mail_limits {
	uint64_t limit_bytes; // cumulative billed bytes, bases included, may reach this
	uint64_t expires_ns; // monotonic; UINT64_MAX = never
	uint32_t rate_out_kbps; // 0 = unlimited
	uint32_t rate_in_kbps;
	uint32_t free_rate_kbps;
	bool is_throttled_on_quota;
};

// IPv4 address and UDP port of a client, network order.
struct mail_endpoint {
	uint32_t addr_be;
	uint16_t port_be;
};

struct mail {
	uint8_t kind; // enum mail_kind
	uint8_t gate; // enum abi_gate: ADOPT, GATE, GATE_CLOSED
	uint16_t reserved;
	uint32_t slot;
	uint32_t generation; // a worker ignores mail whose generation is not the slot's
	union {
		struct { // ADOPT
			struct mail_limits limits;
			uint64_t base_bytes; // out + in billed in earlier boots
			uint32_t inner_addr_be;
		} session;
		struct mail_limits limits;
		struct {
			struct wg_keypair *keypair; // passes to the worker
			struct mail_endpoint endpoint;
		} install;
		struct wg_keypair *keypair; // passes to the slow path
		struct mail_endpoint endpoint;
		uint64_t erase_ns;
	};
};

// Both ends of one worker's rings.
struct mailbox {
	struct rte_ring *down_mail, *up_mail; // struct mail by value
	struct rte_ring *down_pkts, *up_pkts; // mbufs, ownership passes
};

// Returns: 0 or -ENOMEM. Out: box, on `socket`. The id makes the rings' names.
int mailbox_create(struct mailbox *box, unsigned worker_id, int socket);
void mailbox_destroy(struct mailbox *box);

// Returns: false when the ring is full; nothing is passed then. The sender must be able to retry: a
//          keypair or a session is never lost to a full ring.
bool mail_send_down(struct mailbox *box, const struct mail *mail);
bool mail_send_up(struct mailbox *box, const struct mail *mail);

// Returns: true with a message in ret.
bool mail_recv_down(struct mailbox *box, struct mail *ret);
bool mail_recv_up(struct mailbox *box, struct mail *ret);

// Slow path, the only sender down: how many messages are sure to find room now. Whoever has to send
// several that belong together asks first.
unsigned mail_room_down(const struct mailbox *box);

// Returns: how many messages or packets wait in one of the rings. Either side may ask: whatever was sent
//          before what it counts is visible (rte_ring_count() reads plain words and promises nothing).
unsigned mail_n_waiting(const struct rte_ring *ring);
