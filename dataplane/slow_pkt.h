// SPDX-License-Identifier: Apache-2.0
//
// Where packets end or go on that came up to the slow path, and how those it makes itself leave. It
// keeps the slow path's side of the conservation equation: a packet that ends here is counted here; one
// that a worker holds a reservation for goes back to that worker, whatever became of it, even when the
// ring down is full at the moment.
#pragma once

#include "common/abi_names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;
struct slowpath;

// Packets to be given back that found the ring full, first in first out, linked by their `next`.
struct slow_pkt_queue {
	struct rte_mbuf *head, *tail;
};

struct slow_pkt {
	struct slow_pkt_queue *returns; // by worker
	unsigned n_returns; // in all queues
};

int slow_pkt_init(struct slowpath *sp);
void slow_pkt_fini(struct slowpath *sp); // frees what is left

// Ends a packet that came up; counts and frees it. In: it has no reservation.
void slow_pkt_drop(struct slowpath *sp, struct rte_mbuf *m, enum drop_reason reason);
void slow_pkt_consume(struct slowpath *sp, struct rte_mbuf *m, enum consumed_kind kind);

// Counts the end of a received packet whose buffer goes on as one that the node makes.
void slow_pkt_count_drop(struct slowpath *sp, enum drop_reason reason);
void slow_pkt_count_consumed(struct slowpath *sp, enum consumed_kind kind);

// Gives a packet back to the worker it came from (meta.worker), to be sent or, with a drop reason
// other than DROP_NONE, to be dropped. Never lost.
void slow_pkt_return(struct slowpath *sp, struct rte_mbuf *m, enum drop_reason reason);

// Hands back what had to wait.
void slow_pkt_flush(struct slowpath *sp);

// Sends a whole Ethernet frame of the node's own out of a port, by way of a worker. Takes no memory of
// the caller's; without a buffer or room in the ring it is a counted drop.
void slow_pkt_send_frame(struct slowpath *sp, uint8_t port, const void *frame, size_t len);

// Sends a UDP datagram from the WireGuard port, by way of `worker`, in the buffer of the message that
// it answers (meta.remote_* says where to). In: len fits any buffer. Takes m.
void slow_pkt_send_reply(
	struct slowpath *sp, unsigned worker, struct rte_mbuf *m, const void *payload, size_t len
);
