// SPDX-License-Identifier: Apache-2.0
//
// See nat_tcp.h. Two tables, one a direction: state by the kind of segment.
#include "nat_tcp.h"

#include "dataplane/net/net_parse.h"

enum segment { SEGMENT_DATA, SEGMENT_SYN, SEGMENT_SYN_ACK, SEGMENT_FIN, SEGMENT_RST, N_SEGMENTS };

// Shorter names for the tables alone.
#define NONE NAT_TCP_NONE
#define SO NAT_TCP_SYN_OUT
#define SI NAT_TCP_SYN_IN
#define SB NAT_TCP_SYN_BOTH
#define MO NAT_TCP_MIDSTREAM_OUT
#define MB NAT_TCP_MIDSTREAM_BOTH
#define EST NAT_TCP_ESTABLISHED
#define FO NAT_TCP_FIN_OUT
#define FI NAT_TCP_FIN_IN
#define CL NAT_TCP_CLOSING
#define RS NAT_TCP_RESET

//= RFC 5382 section 4.2 REQ-2
//# A NAT MUST support all valid sequences of TCP packets (defined in [RFC0793]) for connections
//# initiated both internally as well as externally when the connection is permitted by the NAT.
// Simultaneous open is SYN_OUT, then a SYN inbound (RFC 5382 REQ-2a).
//
// Established needs an outbound segment behind the handshake, so that no remote gets the long timeout
// by itself. After a RST the connection is not trusted to be dead (RFC 7857 section 2.2 waits 4
// minutes, for the RST may be forged or lost further on): traffic both ways makes it live again.
static const uint8_t next_outbound[NAT_TCP_N_STATES][N_SEGMENTS] = {
	//       DATA SYN  S+A  FIN  RST
	[NONE] = {MO, SO, SO, CL, RS},
	[SO] = {SO, SO, SO, CL, RS},
	[SI] = {SI, SB, SB, CL, RS},
	[SB] = {EST, SB, SB, FO, RS},
	[MO] = {MO, SO, SO, CL, RS},
	[MB] = {EST, SO, SO, FO, RS},
	[EST] = {EST, EST, EST, FO, RS},
	[FO] = {FO, SO, SO, FO, RS},
	[FI] = {FI, SO, SO, CL, RS},
	[CL] = {CL, SO, SO, CL, RS},
	[RS] = {MO, SO, SO, RS, RS},
};

static const uint8_t next_inbound[NAT_TCP_N_STATES][N_SEGMENTS] = {
	//       DATA  SYN  S+A  FIN  RST
	[NONE] = {NONE, SI, NONE, NONE, RS},
	[SO] = {SO, SB, SB, SO, RS},
	[SI] = {SI, SI, SI, SI, RS},
	[SB] = {SB, SB, SB, CL, RS},
	[MO] = {MB, SI, MB, CL, RS},
	[MB] = {MB, SI, MB, CL, RS},
	[EST] = {EST, EST, EST, FI, RS},
	[FO] = {FO, FO, FO, CL, RS},
	[FI] = {FI, FI, FI, FI, RS},
	[CL] = {CL, SI, CL, CL, RS},
	[RS] = {RS, SI, RS, RS, RS},
};

static enum segment segment_of(uint8_t tcp_flags)
{
	if (tcp_flags & NET_TCP_RST)
		return SEGMENT_RST;
	if (tcp_flags & NET_TCP_SYN)
		return tcp_flags & NET_TCP_ACK ? SEGMENT_SYN_ACK : SEGMENT_SYN;
	return tcp_flags & NET_TCP_FIN ? SEGMENT_FIN : SEGMENT_DATA;
}

enum nat_tcp_state nat_tcp_next(
	enum nat_tcp_state state, enum nat_tcp_direction direction, uint8_t tcp_flags
)
{
	enum segment segment = segment_of(tcp_flags);
	return direction == NAT_TCP_OUTBOUND ? next_outbound[state][segment]
					     : next_inbound[state][segment];
}

// A connection that one side has closed may carry data the other way for as long as an open one (RFC
// 6146 section 3.5.2.2 keeps the established timeout there). A FIN before the handshake was complete
// goes to CLOSING instead.
bool nat_tcp_check_established(enum nat_tcp_state state)
{
	switch (state) {
	case NAT_TCP_ESTABLISHED:
	case NAT_TCP_FIN_OUT:
	case NAT_TCP_FIN_IN:
		return true;
	case NAT_TCP_NONE:
	case NAT_TCP_SYN_OUT:
	case NAT_TCP_SYN_IN:
	case NAT_TCP_SYN_BOTH:
	case NAT_TCP_MIDSTREAM_OUT:
	case NAT_TCP_MIDSTREAM_BOTH:
	case NAT_TCP_CLOSING:
	case NAT_TCP_RESET:
	case NAT_TCP_N_STATES:
		return false;
	}
	return false;
}

const char *nat_tcp_name(enum nat_tcp_state state)
{
	static const char *const names[NAT_TCP_N_STATES] = {
		[NONE] = "none",
		[SO] = "syn_out",
		[SI] = "syn_in",
		[SB] = "syn_both",
		[MO] = "midstream_out",
		[MB] = "midstream_both",
		[EST] = "established",
		[FO] = "fin_out",
		[FI] = "fin_in",
		[CL] = "closing",
		[RS] = "reset",
	};
	return state < NAT_TCP_N_STATES ? names[state] : "unknown";
}
