// SPDX-License-Identifier: Apache-2.0
//
// The little of TCP that a NAT must see: enough of a connection's life, per filter entry, to choose
// its timeout (RFC 5382 REQ-5, RFC 7857 section 2). It judges flags only, never sequence numbers, so no
// transition frees anything at once: a forged RST or FIN costs at most a shorter timeout, and traffic
// takes it back. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum nat_tcp_state {
	NAT_TCP_NONE, // no segment yet; UDP and ICMP stay here
	NAT_TCP_SYN_OUT,
	NAT_TCP_SYN_IN, // from a remote whom the filter already permitted
	NAT_TCP_SYN_BOTH, // SYN seen both ways: handshake or simultaneous open (RFC 5382 REQ-2)
	NAT_TCP_MIDSTREAM_OUT, // first seen without a SYN: the node was restarted under a connection
	NAT_TCP_MIDSTREAM_BOTH,
	NAT_TCP_ESTABLISHED,
	NAT_TCP_FIN_OUT,
	NAT_TCP_FIN_IN,
	NAT_TCP_CLOSING, // FIN both ways
	NAT_TCP_RESET,
	NAT_TCP_N_STATES,
};

enum nat_tcp_direction { NAT_TCP_OUTBOUND, NAT_TCP_INBOUND };

// The state after a segment with these flags (NET_TCP_*).
enum nat_tcp_state nat_tcp_next(
	enum nat_tcp_state state, enum nat_tcp_direction direction, uint8_t tcp_flags
);

// Whether the established timeout holds, rather than the transitory one.
bool nat_tcp_check_established(enum nat_tcp_state state);

const char *nat_tcp_name(enum nat_tcp_state state);
