// SPDX-License-Identifier: Apache-2.0
//
// A real worker between two net_ring ports, in one thread: tests and benchmarks put frames in at one
// side, call worker_poll() and look at what comes out, at the mail and at the counters. No slow path
// runs: the rig adopts sessions and installs keypairs by mail, as the slow path would, and its clients
// seal and open with libsodium, not with the engine under test.
//
//   client 5.0.0.100+i ── port 0, 5.0.0.1/24 ── worker ── port 1, 6.0.0.1/24 ── host 6.0.0.9
//   inner 10.8.0.2+i                                      external address 6.0.0.1
#pragma once

#include "dataplane/worker.h"

#include <stddef.h>
#include <stdint.h>

#define WORKER_RIG_MAX_CLIENTS 4096
#define WORKER_RIG_TUNNEL 0
#define WORKER_RIG_INTERNET 1
#define WORKER_RIG_FRAME_CAP 2048
#define WORKER_RIG_GENERATION 5

// The far end of a session.
struct worker_rig_client {
	struct wg_keypair *keypair; // as installed in the node
	uint8_t send_key[32];
	uint8_t recv_key[32];
	uint64_t send_counter; // the next one
	uint32_t node_index; // receiver index of messages to the node
	uint32_t inner_be;
	uint32_t addr_be;
	uint16_t port_be;
};

struct worker_rig {
	struct dp dp;
	struct config config;
	struct clock clock;
	struct clock_manual time;
	struct net_neigh neighs[2];
	struct rte_ring *to_node[2];
	struct rte_ring *from_node[2];
	struct worker *worker;
	void *index_memory;
	unsigned n_clients;
	struct worker_rig_client clients[WORKER_RIG_MAX_CLIENTS];
};

// Starts EAL without hugepages or devices, once a process. Exits on failure.
void worker_rig_eal(void);

// Name of the pool operations of the packet buffers; NULL = DPDK's default. Set before create.
extern const char *worker_rig_pool_ops;

// Builds the rig with n_clients sessions in slots 0 … n-1, gates open, limit_bytes each, keypairs
// confirmed. adjust may change the configuration before anything is built; NULL = as it is.
// Exits on failure: there is nothing to test then.
struct worker_rig *worker_rig_create(
	unsigned n_clients, uint64_t limit_bytes, void (*adjust)(struct config *)
);
void worker_rig_destroy(struct worker_rig *rig);

// Moves the worker's clock forward; it moves by nothing else, however long a test is kept from its CPU.
void worker_rig_advance(struct worker_rig *rig, uint64_t ns);

// Lets the clock run by itself from here on, `factor` times as fast as time.
void worker_rig_start_clock(struct worker_rig *rig, unsigned factor);

// An IPv4 packet with right checksums. proto 6, 17 or 1 (an echo request; sport is its identifier).
struct worker_rig_packet {
	uint32_t src_be, dst_be;
	uint16_t sport, dport; // host order
	uint8_t proto;
	uint8_t ttl;
	uint16_t total_len; // at least the headers'
};

// Returns: total_len. Out: at, total_len bytes, payload 0, 1, 2 …
size_t worker_rig_ipv4(uint8_t *at, const struct worker_rig_packet *packet);

// Puts a frame (from its Ethernet header) into a port's receive queue.
void worker_rig_put(struct worker_rig *rig, unsigned port, const uint8_t *frame, size_t len);

// The same for an IPv4 packet: adds the Ethernet header.
void worker_rig_put_ipv4(struct worker_rig *rig, unsigned port, const uint8_t *packet, size_t len);

// Seals an inner packet as a client and puts the datagram into the tunnel port. len 0 = keepalive.
void worker_rig_send(struct worker_rig *rig, unsigned client, const uint8_t *inner, size_t len);

// Builds the datagram that worker_rig_send would put, from its IPv4 header.
//
// Returns: its length. Out: at, WORKER_RIG_FRAME_CAP bytes.
size_t worker_rig_seal(
	struct worker_rig *rig, unsigned client, const uint8_t *inner, size_t len, uint8_t *at
);

// Takes a frame that the node sent out of a port.
//
// Returns: its length, 0 when there is none. Out: at, WORKER_RIG_FRAME_CAP bytes.
size_t worker_rig_take(struct worker_rig *rig, unsigned port, uint8_t *at);

// Takes the next frame from the tunnel port and opens it as a client.
//
// Returns: length of the inner packet with its padding; 0 for a keepalive; -1 when there is no frame;
//          -2 when it is not this client's or does not authenticate.
int worker_rig_receive(struct worker_rig *rig, unsigned client, uint8_t *inner);

// Drains both ports and the rings to the slow path. Returns: frames that had come out.
unsigned worker_rig_flush(struct worker_rig *rig);

// Received + originated = transmitted + drops + consumed, with nothing held. Packets that went up to
// the slow path are the difference: give their number.
bool worker_rig_check_conservation(const struct worker_rig *rig, uint64_t n_held);

uint64_t worker_rig_drops(const struct worker_rig *rig, enum drop_reason reason);
