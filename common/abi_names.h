// SPDX-License-Identifier: Apache-2.0
//
// Every name that crosses the two processes as an index: why a packet was dropped, what the node
// consumed itself, the stages, the session states. One X-macro each: id, name, help. The ABI layout
// hash covers the lists, so a reader never shows a counter under another reason's name.
#pragma once

#define ABI_DROP_LIST(X) \
	X(L2_TRUNCATED, "l2_truncated", "frame shorter than an Ethernet header") \
	X(L2_NOT_FOR_US, "l2_not_for_us", "destination MAC is neither ours nor broadcast") \
	X(L2_TYPE, "l2_type", "EtherType is neither IPv4 nor ARP") \
	X(ARP_INVALID, "arp_invalid", "ARP message malformed or claims an address of ours") \
	X(SEGMENTED, "segmented", "frame spans several buffers; raise port.mbuf_bytes") \
	X(IP_TRUNCATED, "ip_truncated", "IPv4 header or payload cut short") \
	X(IP_VERSION, "ip_version", "IP version is not 4") \
	X(IP_HEADER_LEN, "ip_header_len", "IPv4 header length below 20 or beyond the packet") \
	X(IP_TOTAL_LEN, "ip_total_len", "IPv4 total length below the header or beyond the frame") \
	X(IP_CHECKSUM, "ip_checksum", "IPv4 header checksum wrong") \
	X(IP_SOURCE_ROUTE, "ip_source_route", "IPv4 source route option (RFC 7126)") \
	X(IP_FRAGMENT, "ip_fragment", "IPv4 fragment; reassembly is not available") \
	X(IP_UNCLAIMED, "ip_unclaimed", "packet to the node's own address that nothing claims") \
	X(IP_NOT_OURS, "ip_not_ours", "packet to an address that is not the node's") \
	X(TTL_EXPIRED, "ttl_expired", "TTL reached zero; Time Exceeded sent within its rate") \
	X(L4_TRUNCATED, "l4_truncated", "TCP, UDP or ICMP header cut short") \
	X(UDP_LENGTH, "udp_length", "UDP length disagrees with the IP total length") \
	X(TCP_DATA_OFFSET, \
	  "tcp_data_offset", \
	  "TCP data offset below 20 bytes or beyond the packet") \
	X(L4_CHECKSUM, \
	  "l4_checksum", \
	  "checksum of a packet for the node, or of an ICMP error, is wrong") \
	X(WG_TRUNCATED, "wg_truncated", "WireGuard message shorter than its type requires") \
	X(WG_TYPE, "wg_type", "unknown WireGuard message type or reserved bits set") \
	X(WG_LENGTH, "wg_length", "WireGuard message of a length its type does not have") \
	X(WG_INDEX_UNKNOWN, "wg_index_unknown", "receiver index belongs to no keypair") \
	X(WG_KEYPAIR_EXPIRED, \
	  "wg_keypair_expired", \
	  "keypair past REJECT_AFTER_TIME or REJECT_AFTER_MESSAGES") \
	X(WG_AUTH, "wg_auth", "authentication tag wrong") \
	X(WG_REPLAY, "wg_replay", "counter seen before or older than the replay window") \
	X(WG_QUEUE_FULL, "wg_queue_full", "handshake queue of the slow path is full") \
	X(WG_MAC1, "wg_mac1", "handshake mac1 wrong") \
	X(WG_RATE_SOURCE, "wg_rate_source", "too many handshakes from one source") \
	X(WG_UNDER_LOAD, "wg_under_load", "under load and no valid mac2: a cookie reply was sent") \
	X(WG_HANDSHAKE_AUTH, "wg_handshake_auth", "handshake did not decrypt") \
	X(WG_UNKNOWN_PEER, "wg_unknown_peer", "static key belongs to no session") \
	X(WG_INITIATION_REPLAY, \
	  "wg_initiation_replay", \
	  "TAI64N timestamp not newer than the last one") \
	X(WG_INITIATION_FLOOD, \
	  "wg_initiation_flood", \
	  "more than one initiation per 20 ms from a peer") \
	X(WG_UNEXPECTED, \
	  "wg_unexpected", \
	  "handshake response or cookie reply that nothing asked for") \
	X(WG_SESSION_CLOSED, "wg_session_closed", "handshake for a session that has expired") \
	X(WG_NO_KEYPAIR, "wg_no_keypair", "no valid keypair to send to the peer with") \
	X(WG_INDEX_EXHAUSTED, "wg_index_exhausted", "no free receiver index for a handshake") \
	X(INNER_IPV6, "inner_ipv6", "IPv6 inside the tunnel; the node carries IPv4") \
	X(INNER_ECN, "inner_ecn", "congestion mark on a packet that cannot carry it (RFC 6040)") \
	X(SOURCE_CHECK, "source_check", "inner source is not the session's address") \
	X(MARTIAN, \
	  "martian", \
	  "destination is private, reserved, management or the node's own, or the source forged") \
	X(INNER_TO_INNER, "inner_to_inner", "destination is another session's inner address") \
	X(GATE_CLOSED, "gate_closed", "session's gate is closed") \
	X(QUOTA, "quota", "packet did not fit the quota and closed the gate") \
	X(EXPIRED, "expired", "session expired") \
	X(RATE_OUT, "rate_out", "beyond the session's outbound rate") \
	X(RATE_IN, "rate_in", "beyond the session's inbound rate") \
	X(NAT_NO_MAPPING, "nat_no_mapping", "inbound packet matches no mapping") \
	X(NAT_FILTERED, "nat_filtered", "remote address is not permitted by the mapping's filter") \
	X(NAT_PORT_EXHAUSTED, "nat_port_exhausted", "no free external port") \
	X(NAT_SESSION_LIMIT, "nat_session_limit", "session holds as many mappings as it may") \
	X(NAT_PROTOCOL, "nat_protocol", "protocol other than TCP, UDP and ICMP") \
	X(NAT_ICMP_UNMATCHED, \
	  "nat_icmp_unmatched", \
	  "ICMP error about a packet that no mapping sent") \
	X(NAT_ICMP_TYPE, "nat_icmp_type", "ICMP type that a NAT does not pass") \
	X(TOO_BIG_DF, \
	  "too_big_df", \
	  "larger than the MTU with DF set; Fragmentation Needed sent within its rate") \
	X(TOO_BIG, "too_big", "larger than the MTU without DF; fragmentation is not available") \
	X(NEIGH_UNRESOLVED, "neigh_unresolved", "next hop did not answer ARP") \
	X(NEIGH_QUEUE_FULL, "neigh_queue_full", "too many packets wait for ARP") \
	X(TX_FULL, "tx_full", "transmit queue of the port full") \
	X(RING_FULL, "ring_full", "ring to another thread full") \
	X(NO_MBUF, "no_mbuf", "no free packet buffer for a packet that the node makes") \
	X(ICMP_RATE, "icmp_rate", "echo request to the node beyond the ICMP rate") \
	X(SHUTDOWN, "shutdown", "in flight when the node stopped or the session was removed")

// Packets that the node took for itself: not forwarded, not dropped.
#define ABI_CONSUMED_LIST(X) \
	X(ARP, "arp", "ARP request or reply") \
	X(ICMP_ECHO, "icmp_echo", "echo request to an address of the node") \
	X(ICMP_OTHER, "icmp_other", "other ICMP message to an address of the node") \
	X(HANDSHAKE, "handshake", "valid handshake initiation") \
	X(KEEPALIVE, "keepalive", "authentic transport data without payload")

#define ABI_STAGE_LIST(X) \
	X(RX, "rx", "receive call") \
	X(CLASSIFY, "classify", "Ethernet, IP and UDP headers, destination of the packet") \
	X(DECRYPT, "decrypt", "receiver index, AEAD open, replay, endpoint, inner header") \
	X(ADMIT_OUT, "admit_out", "source check, rate and quota, outbound") \
	X(NAT_OUT, "nat_out", "mapping and source rewrite") \
	X(NAT_IN, "nat_in", "mapping and filter lookup, inbound") \
	X(ADMIT_IN, "admit_in", "rate and quota, inbound") \
	X(REWRITE_IN, "rewrite_in", "destination rewrite and MSS, inbound") \
	X(ENCRYPT, "encrypt", "keypair, padding, AEAD seal, outer headers") \
	X(ROUTE, "route", "next hop and Ethernet header") \
	X(TX, "tx", "transmit call, counting and freeing") \
	X(MAIL, "mail", "messages between worker and slow path") \
	X(IDLE, "idle", "loops without a packet")

// State of a slot as the data plane sees it; the business state is the control plane's.
#define ABI_SLOT_STATE_LIST(X) \
	X(FREE, "free", "no session") \
	X(READY, "ready", "session added, no handshake yet") \
	X(ACTIVE, "active", "owner chosen, keypairs may exist") \
	X(REMOVED, "removed", "removed; counters stay readable until the slot is allotted again")

#define ABI_GATE_LIST(X) \
	X(OPEN, "open", "packets pass and are billed") \
	X(CLOSED, "closed", "nothing passes") \
	X(THROTTLED, "throttled", "packets pass at the free rate and are not billed") \
	X(QUOTA, "quota", "closed by the data plane: a packet did not fit the quota") \
	X(EXPIRED, "expired", "closed by the data plane: the session expired")

#define ABI_EVENT_LIST(X) \
	X(STARTING, "starting", "data plane is up") \
	X(STOPPING, "stopping", "data plane ends in order") \
	X(HANDSHAKE, "handshake", "handshake complete") \
	X(QUOTA_90, "quota_90", "90 % of the limit billed") \
	X(GATE_CLOSED, "gate_closed", "a packet did not fit the quota") \
	X(EXPIRED, "expired", "session expired") \
	X(ENDPOINT, "endpoint", "client's endpoint changed") \
	X(IDLE, "idle", "no authentic packet for the idle time") \
	X(GATEWAY_LOST, "gateway_lost", "a gateway stopped answering ARP") \
	X(GATEWAY_FOUND, "gateway_found", "a gateway answers ARP again") \
	X(PORTS_EXHAUSTED, "ports_exhausted", "a session found no free external port")

#define ABI_COMMAND_LIST(X) \
	X(ADD, "add", "add a session to a slot") \
	X(SET_LIMITS, "set_limits", "set quota, expiry and rates (absolute)") \
	X(GATE, "gate", "open, close or throttle") \
	X(REMOVE, "remove", "remove a session; acknowledged when its last packet is counted") \
	X(SNAPSHOT, "snapshot", "acknowledged when all that was transmitted before is counted") \
	X(STOP, "stop", "drain and end in order")

#define ABI_ACK_LIST(X) \
	X(OK, "ok", "done") \
	X(MALFORMED, "malformed", "command out of bounds or unknown") \
	X(SLOT_RANGE, "slot_range", "no such slot") \
	X(STALE, "stale", "generation is not the slot's, or not above those it has had") \
	X(CONFLICT, "conflict", "slot and generation exist with different content") \
	X(KEY_IN_USE, "key_in_use", "public key belongs to another slot") \
	X(ADDRESS_IN_USE, "address_in_use", "inner address belongs to another slot") \
	X(ADDRESS_RANGE, \
	  "address_range", \
	  "inner address is not in the tunnel network or is the node's") \
	X(KEY_INVALID, "key_invalid", "public key is a low order point or the node's own") \
	X(PSK_FILE, "psk_file", "preshared key file missing, unreadable or open to others") \
	X(BUSY, "busy", "try again")

#define ABI_DROP_ENUM(id, name, help) DROP_##id,
#define ABI_CONSUMED_ENUM(id, name, help) CONSUMED_##id,
#define ABI_STAGE_ENUM(id, name, help) STAGE_##id,
#define ABI_SLOT_STATE_ENUM(id, name, help) ABI_SLOT_##id,
#define ABI_GATE_ENUM(id, name, help) ABI_GATE_##id,
#define ABI_EVENT_ENUM(id, name, help) ABI_EVENT_##id,
#define ABI_COMMAND_ENUM(id, name, help) ABI_COMMAND_##id,
#define ABI_ACK_ENUM(id, name, help) ABI_ACK_##id,

// DROP_NONE = 0 means "goes on"; the counters array has a row for it that stays zero.
enum drop_reason { DROP_NONE, ABI_DROP_LIST(ABI_DROP_ENUM) N_DROP };
enum consumed_kind { ABI_CONSUMED_LIST(ABI_CONSUMED_ENUM) N_CONSUMED };
enum stage_id { ABI_STAGE_LIST(ABI_STAGE_ENUM) N_STAGE };
enum abi_slot_state { ABI_SLOT_STATE_LIST(ABI_SLOT_STATE_ENUM) ABI_N_SLOT_STATE };
enum abi_gate { ABI_GATE_LIST(ABI_GATE_ENUM) ABI_N_GATE };
enum abi_event_kind { ABI_EVENT_LIST(ABI_EVENT_ENUM) ABI_N_EVENT };
enum abi_command_kind { ABI_COMMAND_LIST(ABI_COMMAND_ENUM) ABI_N_COMMAND };
enum abi_ack_result { ABI_ACK_LIST(ABI_ACK_ENUM) ABI_N_ACK };

// Returns: the name or help text, static; "unknown" for an index out of range.
const char *abi_drop_name(unsigned reason);
const char *abi_drop_help(unsigned reason);
const char *abi_consumed_name(unsigned kind);
const char *abi_consumed_help(unsigned kind);
const char *abi_stage_name(unsigned stage);
const char *abi_stage_help(unsigned stage);
const char *abi_slot_state_name(unsigned state);
const char *abi_gate_name(unsigned gate);
const char *abi_event_name(unsigned kind);
const char *abi_command_name(unsigned kind);
const char *abi_ack_name(unsigned result);
const char *abi_ack_help(unsigned result);
