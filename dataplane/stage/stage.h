// SPDX-License-Identifier: Apache-2.0
//
// The stages of the packet path, one file each, one signature. A stage works on a burst in place and
// marks every packet with a verdict (pkt.h); it moves and frees nothing, logs nothing, allocates
// nothing but the packets that the node itself makes (stage_originate.h). worker.c calls them in
// order and is the page to read first.
//
//   rx ─► classify ─► decrypt ─► admit_out ─► nat_out ─► route ─► tx        outbound
//   rx ─► classify ─► nat_in ─► admit_in ─► rewrite_in ─► encrypt ─► route ─► tx   inbound
#pragma once

struct worker;
struct burst;

// Ethernet, IPv4 and UDP headers. Verdicts: TRANSPORT (data_off at the WireGuard message), INBOUND
// (data_off at the IPv4 header), SLOW (ARP, handshakes), DROP, CONSUMED.
void stage_classify(struct worker *worker, struct burst *burst);

// Transport data in, inner IPv4 packets out: receiver index, tag, replay, endpoint, timers, inner
// header. Nothing of a session changes before its packet's tag is verified.
void stage_decrypt(struct worker *worker, struct burst *burst);

// Source check, destination check, packets for the node itself, TTL and MTU; then expiry, gate, rate
// and quota: the packets that pass carry a reservation.
void stage_admit_out(struct worker *worker, struct burst *burst);

// Mapping and source rewrite. Verdict INBOUND for a packet to an external address of ours (hairpin).
void stage_nat_out(struct worker *worker, struct burst *burst);

// Mapping and filter lookup; changes nothing, so that a packet refused by admit_in leaves no trace.
void stage_nat_in(struct worker *worker, struct burst *burst);

// TTL and MTU, expiry, gate, rate and quota of the session that the mapping belongs to.
void stage_admit_in(struct worker *worker, struct burst *burst);

// Destination rewrite and MSS.
void stage_rewrite_in(struct worker *worker, struct burst *burst);

// Keypair, counter, padding, AEAD seal, outer IPv4 and UDP headers.
void stage_encrypt(struct worker *worker, struct burst *burst);

// Next hop and Ethernet header; SLOW where the next hop is not resolved.
void stage_route(struct worker *worker, struct burst *burst);

// The transmit call. Accepted packets are billed and are the driver's; the others are marked DROP.
void stage_tx(struct worker *worker, struct burst *burst);
