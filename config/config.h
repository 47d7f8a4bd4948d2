// SPDX-License-Identifier: Apache-2.0
//
// What the YAML file says, checked and complete: every value is in its range, every default filled
// in, every relative path resolved, the keys agree with each other. Both processes load the same
// file into this struct before they start anything, and never write to it afterwards.
//
// One field per key, of the key's name; the table of all keys is in config_keys.h. IPv4 addresses are
// in host order (`ntohl` has been applied), texts are NUL-terminated, lists are an array and its n_.
// No heap: a struct config is plain memory, about 80 KB, and may be copied.
#pragma once

#include "common/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_MAX_PORTS 2
#define CONFIG_MAX_WORKERS 128
#define CONFIG_MAX_BURST 64 // packets
#define CONFIG_MAX_EXTERNAL 256
#define CONFIG_MAX_DNS 4
#define CONFIG_MAX_RULES 64 // of firewall.allow, and of firewall.deny
#define CONFIG_NAME_CAP 33
#define CONFIG_MAX_AUTH_DOMAINS 8
#define CONFIG_DOMAIN_CAP 256 // host and port
#define CONFIG_HOST_CAP 254 // RFC 1035: 253 characters
#define CONFIG_TEXT_CAP 256 // paths and devargs
#define CONFIG_SOCKET_CAP 108 // sun_path
#define CONFIG_MAX_CHAINS 8
#define CONFIG_MAX_ENDPOINTS 8 // of one chain
#define CONFIG_URL_CAP 512
#define CONFIG_ADDRESS_CAP 43 // 0x and 40 hex digits
#define CONFIG_MAX_TOKENS 16 // of one chain, with a threshold each
#define CONFIG_AMOUNT_CAP 39 // below 10^38

// An address and its prefix. A network (tunnel.network, firewall.*) has no bits beyond its prefix;
// a port's address keeps them.
struct config_cidr {
	uint32_t addr;
	uint8_t prefix_len; // 0 to 32
};

enum config_idle { CONFIG_IDLE_SPIN, CONFIG_IDLE_SLEEP };
enum config_role { CONFIG_ROLE_TUNNEL, CONFIG_ROLE_INTERNET, CONFIG_ROLE_BOTH };
enum config_offload { CONFIG_OFFLOAD_AUTO, CONFIG_OFFLOAD_OFF };
enum config_quota_action { CONFIG_QUOTA_CUT, CONFIG_QUOTA_THROTTLE };

struct config_host_port {
	char host[CONFIG_HOST_CAP]; // IPv4 address or DNS name
	uint16_t port; // host order
};

struct config_listen {
	uint8_t family; // ABI_FAMILY_NONE: do not listen
	uint8_t addr[16]; // as in struct abi_endpoint; zero is every address of the host
	uint16_t port; // host order
};

struct config_node {
	char name[CONFIG_NAME_CAP];
	char region[CONFIG_NAME_CAP];
	// What a client's .conf says; the tunnel port's address and wireguard.listen_port by default.
	struct config_host_port endpoint;
	char runtime_dir[CONFIG_TEXT_CAP]; // absolute
	char state_dir[CONFIG_TEXT_CAP]; // absolute
	enum log_level log_level;
};

struct config_worker {
	uint32_t count;
	uint32_t cores[CONFIG_MAX_WORKERS]; // worker i runs on cores[i]
	uint32_t n_cores; // == count
	uint32_t main_core; // the slow path; none of cores
	enum config_idle idle;
	uint32_t sleep_us; // longest sleep of an idle worker
	uint32_t burst; // packets per receive call
};

struct config_memory {
	bool hugepages; // false: ordinary pages (--no-huge), for trying it out
	uint32_t size_mb;
	uint32_t mbufs; // packet buffers, all ports and workers together
	uint32_t mbuf_bytes; // of one buffer, headroom included
};

struct config_port {
	char name[CONFIG_NAME_CAP];
	char devargs[CONFIG_TEXT_CAP]; // "0000:01:00.0", "net_af_packet0,iface=tw0", ...
	enum config_role role;
	struct config_cidr address; // ours on this port
	uint32_t gateway; // on-link; 0 = none (tunnel port only: all its clients are on-link)
	uint32_t mtu; // bytes of an IP packet
	uint32_t rx_descriptors; // per queue
	uint32_t tx_descriptors;
	bool promiscuous;
	enum config_offload checksum_offload;
};

struct config_wireguard {
	uint16_t listen_port; // UDP, on the tunnel port's address
	char private_key_file[CONFIG_TEXT_CAP]; // absolute; made with mode 0600 if there is none
	char psk_dir[CONFIG_TEXT_CAP]; // absolute; preshared keys of sessions that have one
	uint32_t under_load_handshakes; // queued handshakes from which on a cookie is demanded
	uint32_t handshakes_per_source; // per second and source address
	uint32_t handshake_burst; // per source address
	uint32_t persistent_keepalive_sec; // of the node towards its clients; 0 = off
};

struct config_tunnel {
	struct config_cidr network; // inner addresses of the sessions
	uint32_t address; // the node's own inside the tunnel
	uint32_t mtu; // bytes of an inner IP packet
	uint32_t dns[CONFIG_MAX_DNS]; // for the client's .conf
	uint32_t n_dns;
	uint32_t persistent_keepalive_sec; // for the client's .conf; 0 = off
	bool mss_clamp; // lower the MSS of TCP SYNs to mtu - 40
};

struct config_nat_timeouts {
	uint32_t udp_sec;
	uint32_t tcp_established_sec;
	uint32_t tcp_transitory_sec;
	uint32_t icmp_sec;
};

struct config_nat {
	uint32_t external_addresses[CONFIG_MAX_EXTERNAL]; // the internet port's address by default
	uint32_t n_external_addresses; // at least 1
	uint16_t port_min; // external ports and ICMP identifiers, both ends included
	uint16_t port_max;
	uint32_t ports_per_session; // mappings, all protocols together
	uint32_t filters_per_session; // remote addresses that may answer, all mappings together
	struct config_nat_timeouts timeouts;
};

// What a buyer may reach. deny is asked first; what allow names is exempt from the built-in list
// (loopback, private, reserved and the node's own addresses).
struct config_firewall {
	struct config_cidr allow[CONFIG_MAX_RULES];
	uint32_t n_allow;
	struct config_cidr deny[CONFIG_MAX_RULES];
	uint32_t n_deny;
};

// ICMP that the node itself sends: errors and echo replies, one bucket per worker.
struct config_icmp {
	uint32_t rate_per_sec;
	uint32_t burst;
};

struct config_sessions {
	uint32_t max; // slots
	uint32_t idle_event_sec;
	enum config_quota_action quota_action;
	uint32_t free_rate_kbps; // each direction, of a throttled session
	uint32_t address_quarantine_sec; // before an inner address is given to another session
	uint32_t default_rate_out_kbps; // of a session that names none; 0 = unlimited
	uint32_t default_rate_in_kbps;
};

struct config_arp {
	uint32_t timeout_sec; // an answer is believed so long
	uint32_t retry_ms;
	uint32_t hold_packets; // that wait for one next hop
};

struct config_usage {
	uint32_t poll_interval_ms;
	uint64_t checkpoint_bytes;
	uint32_t checkpoint_interval_sec;
	char signer_key_file[CONFIG_TEXT_CAP]; // absolute
	char former_signers_dir[CONFIG_TEXT_CAP]; // absolute
};

struct config_retention {
	uint32_t audit_days; // 0 = for ever
	uint32_t usage_days;
};

struct config_confirmations {
	uint32_t provision; // depth in blocks at which a purchase is believed
	uint32_t settle; // at which a settlement is done
};

struct config_token_amount {
	char token[CONFIG_ADDRESS_CAP]; // its check sum (EIP-55) is the reader's to verify
	char amount[CONFIG_AMOUNT_CAP]; // decimal digits, at least 1, in the token's smallest unit
};

// When queued settlements go on their way; gwei are 10^9 of the native coin's smallest units.
struct config_batch {
	uint32_t count;
	uint32_t age_sec;
	uint64_t value_gwei; // 0 = not looked at
	uint64_t payout_threshold_gwei; // 0 = none
	// Each token once; one that is not here has none.
	struct config_token_amount token_payout_thresholds[CONFIG_MAX_TOKENS];
	uint32_t n_token_payout_thresholds;
};

struct config_chain {
	char name[CONFIG_NAME_CAP]; // no other chain's
	uint64_t id; // EIP-155; no other chain's
	char endpoints[CONFIG_MAX_ENDPOINTS][CONFIG_URL_CAP]; // in the order of preference
	uint32_t n_endpoints; // at least 1
	char escrow[CONFIG_ADDRESS_CAP]; // its check sum (EIP-55) is the reader's to verify
	uint64_t node_id; // 0 = not registered yet
	uint64_t deployed_block;
	char key_file[CONFIG_TEXT_CAP]; // absolute
	char password_file[CONFIG_TEXT_CAP]; // absolute
	uint32_t poll_ms;
	uint64_t fee_ceiling_gwei; // per unit of gas
	uint64_t low_balance_gwei; // 0 = only when a transaction is not covered
	struct config_confirmations confirmations;
	struct config_batch batch;
};

struct config_voucher {
	uint64_t credit_bytes; // beyond the newest voucher; at least 2 s at the session's rate
	uint32_t patience_sec;
};

struct config_store {
	char path[CONFIG_TEXT_CAP]; // absolute; a directory
	uint32_t map_size_mb;
};

struct config_api {
	char socket[CONFIG_SOCKET_CAP]; // absolute
	uint32_t socket_mode; // permission bits
	struct config_listen listen;
	bool tls;
	char tls_certificate[CONFIG_TEXT_CAP]; // absolute, as the next two
	char tls_key[CONFIG_TEXT_CAP];
	char admin_token_file[CONFIG_TEXT_CAP];
	char auth_domains[CONFIG_MAX_AUTH_DOMAINS][CONFIG_DOMAIN_CAP];
	uint32_t n_auth_domains;
	uint32_t max_connections;
	uint32_t connections_per_address;
	uint32_t requests_per_minute;
	uint32_t max_body_bytes;
	uint32_t request_timeout_sec;
	uint32_t registry_refresh_sec;
};

struct config {
	struct config_node node;
	struct config_worker worker;
	struct config_memory memory;
	struct config_port ports[CONFIG_MAX_PORTS];
	uint32_t n_ports; // 1 (role both) or 2 (one tunnel, one internet)
	struct config_wireguard wireguard;
	struct config_tunnel tunnel;
	struct config_nat nat;
	struct config_firewall firewall;
	struct config_icmp icmp;
	struct config_sessions sessions;
	struct config_arp arp;
	struct config_usage usage;
	struct config_retention retention;
	struct config_chain chains[CONFIG_MAX_CHAINS];
	uint32_t n_chains; // 0 = nothing is sold on a chain
	struct config_voucher voucher;
	struct config_store store;
	struct config_api api;

	// Found by the loader, not keys: indices into ports, equal on a one-armed node.
	uint32_t tunnel_port_idx;
	uint32_t internet_port_idx;
};

// Returns: the chain of that id, or NULL.
static inline const struct config_chain *config_chain_lookup(
	const struct config *config, uint64_t chain_id
)
{
	for (uint32_t i = 0; i < config->n_chains; i++) {
		if (config->chains[i].id == chain_id)
			return &config->chains[i];
	}
	return NULL;
}

// Returns: the network mask of a prefix length, host order.
static inline uint32_t config_cidr_mask(uint8_t prefix_len)
{
	return prefix_len == 0 ? 0 : UINT32_MAX << (32 - prefix_len);
}

static inline bool config_cidr_contains(const struct config_cidr *cidr, uint32_t addr)
{
	return ((addr ^ cidr->addr) & config_cidr_mask(cidr->prefix_len)) == 0;
}
