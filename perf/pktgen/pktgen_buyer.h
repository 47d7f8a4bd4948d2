// SPDX-License-Identifier: Apache-2.0
//
// A buyer's WireGuard client, as the generator plays it: the initiator's half of Noise IKpsk2 written
// from the paper, transport data sealed and opened with libsodium by way of wg_primitives. It shares
// message layouts and primitives with the node, and no behaviour.
#pragma once

#include "dataplane/wg/wg_messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Counters of the node that the buyer has seen, to prove that none comes twice.
#define BUYER_WINDOW 65536
// From the index of one initiation to that of the next, so that an answer that comes too late is known.
#define BUYER_INDEX_STEP 0x10000u

struct pktgen_buyer {
	uint8_t private_key[32], public_key[32], node_public_key[32];
	uint32_t inner_be; // address in the tunnel
	uint32_t addr_be; // outer address
	uint16_t port; // outer UDP port, host order
	uint32_t index; // ours: the receiver index of messages to us

	// Handshake under way.
	uint8_t ephemeral_private[32], chaining_key[32], hash[32];
	uint8_t last_mac1[16], cookie[16];
	bool has_cookie;

	// Transport.
	bool is_connected;
	uint8_t send_key[32], recv_key[32];
	uint32_t node_index;
	uint64_t send_counter;
	uint64_t seen_next; // greatest counter received + 1
	uint64_t seen[BUYER_WINDOW / 64];

	// What went through, inner total lengths.
	uint64_t sequence;
	uint64_t out_sent_pkts, out_sent_bytes;
	uint64_t out_arrived_pkts, out_arrived_bytes; // at the internet side
	uint64_t in_sent_pkts, in_sent_bytes; // by the internet side
	uint64_t in_arrived_pkts, in_arrived_bytes;
	uint64_t keepalives;
	uint64_t handshakes;
	uint64_t late_responses; // to initiations that were given up
};

// Derives the keys of buyer `i` of a seed, so that a test can name them before the generator runs.
void pktgen_buyer_derive(struct pktgen_buyer *buyer, uint64_t seed, uint32_t i);

// Writes a handshake initiation. unix_ns must rise from one to the next (TAI64N).
void pktgen_buyer_initiate(
	struct pktgen_buyer *buyer, uint64_t unix_ns, struct wg_message_initiation *ret
);

// Reads a message of the node.
//
// Returns: length of the inner packet written to inner (0 for keepalives, responses and cookies, which
//          it acts on), or -1 with a static text in why: not for this buyer, forged, counter seen twice.
int pktgen_buyer_read(
	struct pktgen_buyer *buyer, uint8_t *message, size_t len, uint8_t *inner, const char **why
);

// Seals an inner packet (len 0 = keepalive). Out: at, 32 bytes more than len padded to 16.
//
// Returns: length of the message.
size_t pktgen_buyer_seal(struct pktgen_buyer *buyer, const uint8_t *inner, size_t len, uint8_t *at);
