// SPDX-License-Identifier: Apache-2.0
//
// The table behind config_keys.h, and lookups in it. Pure.
#include "config/config_keys.h"

#include "common/abi_segment.h"

#include <stdio.h>
#include <string.h>

#define CONTROL .change = CONFIG_CHANGE_CONTROL
#define DATAPLANE .change = CONFIG_CHANGE_DATAPLANE
#define BOTH .change = CONFIG_CHANGE_BOTH

#define AT(section_, name_) \
	.path = #section_ "." #name_, .name = #name_, \
	.offset = offsetof(struct config, section_.name_)
#define SIZE(section_, name_) .size = sizeof(((struct config *)0)->section_.name_)
#define KEY(section_, name_) AT(section_, name_), SIZE(section_, name_)
#define LIST(section_, name_) \
	AT(section_, name_), .size = sizeof(((struct config *)0)->section_.name_[0]), \
			     .list_cap = sizeof(((struct config *)0)->section_.name_) / \
		sizeof(((struct config *)0)->section_.name_[0]), \
			     .n_offset = offsetof(struct config, section_.n_##name_)
// A key of a list's item, one of a section inside it, a list in it, and a list in a section inside it.
#define ITEM(list_, type_, name_) \
	.path = #list_ "[]." #name_, .name = #name_, .offset = offsetof(struct type_, name_), \
	.size = sizeof(((struct type_ *)0)->name_)
#define ITEM_IN(list_, type_, section_, name_) \
	.path = #list_ "[]." #section_ "." #name_, .name = #name_, \
	.offset = offsetof(struct type_, section_.name_), \
	.size = sizeof(((struct type_ *)0)->section_.name_)
#define ITEM_LIST(list_, type_, name_) \
	.path = #list_ "[]." #name_, .name = #name_, .offset = offsetof(struct type_, name_), \
	.size = sizeof(((struct type_ *)0)->name_[0]), \
	.list_cap = sizeof(((struct type_ *)0)->name_) / sizeof(((struct type_ *)0)->name_[0]), \
	.n_offset = offsetof(struct type_, n_##name_)
#define ITEM_IN_LIST(list_, type_, section_, name_) \
	.path = #list_ "[]." #section_ "." #name_, .name = #name_, \
	.offset = offsetof(struct type_, section_.name_), \
	.size = sizeof(((struct type_ *)0)->section_.name_[0]), \
	.list_cap = sizeof(((struct type_ *)0)->section_.name_) / \
		sizeof(((struct type_ *)0)->section_.name_[0]), \
	.n_offset = offsetof(struct type_, section_.n_##name_)
#define PORT(name_) ITEM(ports, config_port, name_)
#define CHAIN(name_) ITEM(chains, config_chain, name_)
#define CHAIN_IN(section_, name_) ITEM_IN(chains, config_chain, section_, name_)
#define CHAIN_LIST(name_) ITEM_LIST(chains, config_chain, name_)
#define CHAIN_IN_LIST(section_, name_) ITEM_IN_LIST(chains, config_chain, section_, name_)

// A list of sections; the struct and field of its items.
#define ITEMS(list_, min_) \
	.item_min = min_, \
	.item_cap = sizeof(((struct config *)0)->list_) / sizeof(((struct config *)0)->list_[0]), \
	.item_size = sizeof(((struct config *)0)->list_[0]), \
	.offset = offsetof(struct config, list_), .n_offset = offsetof(struct config, n_##list_)

#define UINT(min_, max_, unit_) .kind = CONFIG_UINT, .min = min_, .max = max_, .unit = unit_
#define BOOL .kind = CONFIG_BOOL
#define CHOICE(choices_) .kind = CONFIG_CHOICE, .choices = choices_
#define NAME .kind = CONFIG_NAME, .min = 1, .max = CONFIG_NAME_CAP - 1
#define TEXT(max_) .kind = CONFIG_TEXT, .min = 1, .max = max_
#define PATH(kind_, cap_) .kind = kind_, .min = 1, .max = (cap_)-1
#define OTHER(kind_) .kind = kind_

#define GWEI_MAX 1000000000000000 // a million coins of 18 decimals

#define DEFAULT(text_) .fallback = text_
#define MANDATORY .fallback = NULL
#define HELP(text_) .help = text_

// One row, one key: where it lives, what it may be, its default, who must restart, what it is.
// clang-format off
const struct config_key config_keys[] = {
	{KEY(node, name), TEXT(32), MANDATORY, CONTROL,
	 HELP("Name of the node, as buyers see it.")},
	{KEY(node, region), TEXT(32), DEFAULT("unspecified"), CONTROL,
	 HELP("Where the node stands, as buyers see it.")},
	{KEY(node, endpoint), OTHER(CONFIG_HOST_PORT),
	 DEFAULT("<the tunnel port's address, wireguard.listen_port>"), CONTROL,
	 HELP("host or host:port that clients connect to; set it when the node is behind a NAT.")},
	{KEY(node, runtime_dir), PATH(CONFIG_PATH, 128), DEFAULT("/run/tollwire"), BOTH,
	 HELP("Shared memory, locks and the socket; a directory on tmpfs.")},
	{KEY(node, state_dir), PATH(CONFIG_PATH, 128), DEFAULT("/var/lib/tollwire"), BOTH,
	 HELP("Keys and database; survives a reboot, belongs into the backup.")},
	{KEY(node, log_level), CHOICE("error|warn|info|debug"), DEFAULT("info"), BOTH,
	 HELP("The least important lines that are still logged.")},

	{KEY(worker, count), UINT(1, 1, "worker"), DEFAULT("1"), DATAPLANE,
	 HELP("Workers, one core each; this version runs one, more come with a later one.")},
	{LIST(worker, cores), UINT(0, 1023, NULL), DEFAULT("<1 to worker.count, without worker.main_core>"),
	 DATAPLANE, HELP("Core of each worker, as many as worker.count.")},
	{KEY(worker, main_core), UINT(0, 1023, NULL), DEFAULT("0"), DATAPLANE,
	 HELP("Core of the slow path: handshakes, timers, ARP, commands.")},
	{KEY(worker, idle), CHOICE("spin|sleep"), DEFAULT("spin"), DATAPLANE,
	 HELP("What a worker without packets does: burn its core, or sleep and answer later.")},
	{KEY(worker, sleep_us), UINT(1, 10000, "microseconds"), DEFAULT("100"), DATAPLANE,
	 HELP("Longest sleep of an idle worker when worker.idle is sleep.")},
	{KEY(worker, burst), UINT(1, CONFIG_MAX_BURST, "packets"), DEFAULT("32"), DATAPLANE,
	 HELP("Packets taken from a queue at once; also the most that a kill leaves uncounted.")},

	{KEY(memory, hugepages), BOOL, DEFAULT("true"), DATAPLANE,
	 HELP("Packet memory on hugepages; false works everywhere and is slower.")},
	{KEY(memory, size_mb), UINT(64, 1048576, "MB (2^20 bytes)"), DEFAULT("512"), DATAPLANE,
	 HELP("Memory that the data plane takes for packets and tables.")},
	{KEY(memory, mbufs), UINT(1024, 16777216, "buffers"), DEFAULT("16384"), DATAPLANE,
	 HELP("Packet buffers; the descriptors of all queues must fit in with room to spare.")},
	{KEY(memory, mbuf_bytes), UINT(2176, 16384, "bytes"), DEFAULT("2176"), DATAPLANE,
	 HELP("Size of one buffer: 128 bytes headroom, then a whole frame.")},

	{PORT(name), NAME, MANDATORY, DATAPLANE,
	 HELP("What twctl calls the port.")},
	{PORT(devargs), TEXT(CONFIG_TEXT_CAP - 1), MANDATORY, DATAPLANE,
	 HELP("DPDK device: a PCI address, or a virtual device such as net_af_packet0,iface=tw0.")},
	{PORT(role), CHOICE("tunnel|internet|both"), MANDATORY, DATAPLANE,
	 HELP("Which side is here: the clients, the internet, or both (one-armed).")},
	{PORT(address), OTHER(CONFIG_CIDR), MANDATORY, DATAPLANE,
	 HELP("The node's address on this port and the prefix of its subnet.")},
	{PORT(gateway), OTHER(CONFIG_IPV4_OR_NONE), DEFAULT("none"), DATAPLANE,
	 HELP("Next hop for what is not on-link; a port to the internet must have one.")},
	{PORT(mtu), UINT(576, 9600, "bytes of an IP packet"), DEFAULT("1500"), DATAPLANE,
	 HELP("Largest IP packet of the link.")},
	{PORT(rx_descriptors), UINT(64, 32768, "descriptors per queue"), DEFAULT("1024"), DATAPLANE,
	 HELP("Receive ring of the device; more rides out longer bursts.")},
	{PORT(tx_descriptors), UINT(64, 32768, "descriptors per queue"), DEFAULT("1024"), DATAPLANE,
	 HELP("Transmit ring of the device.")},
	{PORT(promiscuous), BOOL, DEFAULT("false"), DATAPLANE,
	 HELP("Receive frames for other stations too; only for devices that filter wrongly.")},
	{PORT(checksum_offload), CHOICE("auto|off"), DEFAULT("auto"), DATAPLANE,
	 HELP("Let the device compute checksums where it can, or never.")},

	{KEY(wireguard, listen_port), UINT(1, 65535, NULL), DEFAULT("51820"), BOTH,
	 HELP("WireGuard's port on the address of the tunnel port.")},
	{KEY(wireguard, private_key_file), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP),
	 DEFAULT("wireguard.key"), DATAPLANE,
	 HELP("The node's private key; made with mode 0600 if there is none, refused if open to others.")},
	{KEY(wireguard, psk_dir), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("psk"), BOTH,
	 HELP("Preshared keys of the sessions that have one, a 0600 file each.")},
	{KEY(wireguard, under_load_handshakes), UINT(1, 4096, "queued handshakes"), DEFAULT("128"),
	 DATAPLANE, HELP("From this many on, clients must prove their address with a cookie.")},
	{KEY(wireguard, handshakes_per_source), UINT(1, 10000, "per second"), DEFAULT("20"), DATAPLANE,
	 HELP("Handshakes that one source address may start, on average.")},
	{KEY(wireguard, handshake_burst), UINT(1, 1000, "handshakes"), DEFAULT("5"), DATAPLANE,
	 HELP("Handshakes that one source address may start at once.")},
	{KEY(wireguard, persistent_keepalive_sec), UINT(0, 65535, "seconds"), DEFAULT("0"), DATAPLANE,
	 HELP("The node sends a keepalive to a client that has been silent so long; 0 = never.")},

	{KEY(tunnel, network), OTHER(CONFIG_NETWORK), DEFAULT("10.8.0.0/16"), BOTH,
	 HELP("Network of the clients' inner addresses; one address a session.")},
	{KEY(tunnel, address), OTHER(CONFIG_IPV4), DEFAULT("10.8.0.1"), BOTH,
	 HELP("The node's own address inside the tunnel; answers ping, is the first hop.")},
	{KEY(tunnel, mtu), UINT(576, 9500, "bytes of an inner IP packet"), DEFAULT("1420"), BOTH,
	 HELP("Largest inner packet; 60 bytes below the MTU of the tunnel port, 80 is customary.")},
	{LIST(tunnel, dns), OTHER(CONFIG_IPV4), DEFAULT("1.1.1.1, 8.8.8.8"), CONTROL,
	 HELP("Name servers in the clients' configuration.")},
	{KEY(tunnel, persistent_keepalive_sec), UINT(0, 65535, "seconds"), DEFAULT("25"), CONTROL,
	 HELP("PersistentKeepalive in the clients' configuration; 0 leaves it out.")},
	{KEY(tunnel, mss_clamp), BOOL, DEFAULT("true"), DATAPLANE,
	 HELP("Lower the MSS of TCP connections to what the tunnel carries.")},

	{LIST(nat, external_addresses), OTHER(CONFIG_IPV4),
	 DEFAULT("<the internet port's address>"), DATAPLANE,
	 HELP("Addresses that buyers' traffic leaves from; a session keeps to one.")},
	{KEY(nat, port_min), UINT(1024, 65535, NULL), DEFAULT("1024"), DATAPLANE,
	 HELP("First external port and ICMP identifier.")},
	{KEY(nat, port_max), UINT(1024, 65535, NULL), DEFAULT("65535"), DATAPLANE,
	 HELP("Last external port and ICMP identifier.")},
	{KEY(nat, ports_per_session), UINT(16, 65536, "mappings"), DEFAULT("256"), DATAPLANE,
	 HELP("Mappings that one session may hold, all protocols together.")},
	{KEY(nat, filters_per_session), UINT(16, 65536, "filter entries"), DEFAULT("1024"), DATAPLANE,
	 HELP("Remote addresses that may answer one session; the least recently used is replaced.")},

	// RFC 4787 REQ-5: at least 2 minutes, 5 recommended. RFC 5382 REQ-5: 2 h 4 min, and 4 min.
	// RFC 5508 REQ-2: at least 60 s.
	{KEY(nat.timeouts, udp_sec), UINT(120, 86400, "seconds"), DEFAULT("300"), DATAPLANE,
	 HELP("A UDP mapping without outbound traffic lives so long (RFC 4787 REQ-5: 120 or more).")},
	{KEY(nat.timeouts, tcp_established_sec), UINT(7440, 604800, "seconds"), DEFAULT("7440"), DATAPLANE,
	 HELP("An idle open TCP connection lives so long (RFC 5382 REQ-5: 7440 or more).")},
	{KEY(nat.timeouts, tcp_transitory_sec), UINT(240, 86400, "seconds"), DEFAULT("240"), DATAPLANE,
	 HELP("A half-open or closing TCP connection lives so long (RFC 5382 REQ-5: 240 or more).")},
	{KEY(nat.timeouts, icmp_sec), UINT(60, 86400, "seconds"), DEFAULT("60"), DATAPLANE,
	 HELP("An ICMP query mapping lives so long (RFC 5508 REQ-2: 60 or more).")},

	{LIST(firewall, allow), OTHER(CONFIG_NETWORK), DEFAULT(""), DATAPLANE,
	 HELP("Networks that buyers may reach although they are private, reserved or the node's.")},
	{LIST(firewall, deny), OTHER(CONFIG_NETWORK), DEFAULT(""), DATAPLANE,
	 HELP("Networks that buyers may not reach; asked before allow.")},

	{KEY(icmp, rate_per_sec), UINT(1, 1000000, "packets per second"), DEFAULT("1000"), DATAPLANE,
	 HELP("ICMP errors and echo replies that the node makes, per worker.")},
	{KEY(icmp, burst), UINT(1, 100000, "packets"), DEFAULT("100"), DATAPLANE,
	 HELP("How many of them at once.")},

	{KEY(sessions, max), UINT(1, ABI_MAX_SLOTS, "sessions"), DEFAULT("250"), BOTH,
	 HELP("Sessions that the node can hold at a time.")},
	{KEY(sessions, idle_event_sec), UINT(1, 86400, "seconds"), DEFAULT("300"), DATAPLANE,
	 HELP("A session without an authentic packet for so long is reported as idle.")},
	{KEY(sessions, quota_action), CHOICE("cut|throttle"), DEFAULT("cut"), CONTROL,
	 HELP("When the quota is used up: pass nothing, or pass on unbilled at free_rate_kbps.")},
	{KEY(sessions, free_rate_kbps), UINT(8, 100000000, "kbit/s"), DEFAULT("64"), DATAPLANE,
	 HELP("Rate of a throttled session, each direction.")},
	{KEY(sessions, address_quarantine_sec), UINT(0, 604800, "seconds"), DEFAULT("3600"), CONTROL,
	 HELP("A removed session's inner address rests so long before another session gets it.")},
	{KEY(sessions, default_rate_out_kbps), UINT(0, 100000000, "kbit/s"), DEFAULT("0"), CONTROL,
	 HELP("Client to internet, of a session that names no rate; 0 = unlimited.")},
	{KEY(sessions, default_rate_in_kbps), UINT(0, 100000000, "kbit/s"), DEFAULT("0"), CONTROL,
	 HELP("Internet to client, of a session that names no rate; 0 = unlimited.")},

	{KEY(arp, timeout_sec), UINT(1, 3600, "seconds"), DEFAULT("60"), DATAPLANE,
	 HELP("An ARP answer is believed so long, and asked for again before.")},
	{KEY(arp, retry_ms), UINT(10, 10000, "milliseconds"), DEFAULT("1000"), DATAPLANE,
	 HELP("Between two ARP requests for the same address.")},
	{KEY(arp, hold_packets), UINT(1, 1024, "packets"), DEFAULT("64"), DATAPLANE,
	 HELP("Packets that wait for one ARP answer.")},

	{KEY(usage, poll_interval_ms), UINT(10, 60000, "milliseconds"), DEFAULT("1000"), CONTROL,
	 HELP("How often the counters are read.")},
	{KEY(usage, checkpoint_bytes), UINT(1000, 1000000000000, "bytes"), DEFAULT("100000000"), CONTROL,
	 HELP("A checkpoint is stored when a session moved by so much (100 MB = 100000000).")},
	{KEY(usage, checkpoint_interval_sec), UINT(1, 86400, "seconds"), DEFAULT("60"), CONTROL,
	 HELP("A session that moved at all gets a checkpoint after so long.")},

	{KEY(usage, signer_key_file), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP),
	 DEFAULT("usage-signer.key"), CONTROL,
	 HELP("Key that signs usage; made with mode 0600 if there is none. Register its address as usage signer.")},
	{KEY(usage, former_signers_dir), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP),
	 DEFAULT("former-usage-signers"), CONTROL,
	 HELP("Former keys (*.key), kept until the sessions bought under them are settled.")},

	{KEY(retention, audit_days), UINT(0, 36500, "days"), DEFAULT("365"), CONTROL,
	 HELP("Audit records of sessions that are over and paid are kept so long; 0 = for ever.")},
	{KEY(retention, usage_days), UINT(0, 36500, "days"), DEFAULT("365"), CONTROL,
	 HELP("Usage checkpoints of such sessions, likewise; the total stays. 0 = for ever.")},

	{CHAIN(name), NAME, MANDATORY, CONTROL,
	 HELP("What twctl, the log and the metrics call the chain.")},
	{CHAIN(id), UINT(1, 9007199254740991, NULL), MANDATORY, CONTROL,
	 HELP("Its chain id (EIP-155); an endpoint that serves another chain is not believed.")},
	{CHAIN_LIST(endpoints), OTHER(CONFIG_URL), MANDATORY, CONTROL,
	 HELP("JSON-RPC; the first that works is used, another asked for a second opinion.")},
	{CHAIN(escrow), OTHER(CONFIG_ADDRESS), MANDATORY, CONTROL,
	 HELP("The escrow contract; it names its registry itself.")},
	{CHAIN(node_id), UINT(0, 9007199254740991, NULL), DEFAULT("0"), CONTROL,
	 HELP("Id of this node in the registry, as twctl chain register prints it; 0 = none yet.")},
	{CHAIN(deployed_block), UINT(0, 9007199254740991, NULL), DEFAULT("0"), CONTROL,
	 HELP("Block of the escrow contract's creation; nothing is read before it.")},
	{CHAIN(key_file), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("settler.key"), CONTROL,
	 HELP("Key of the operator or its settler: a geth keystore or 64 hex digits, mode 0600.")},
	{CHAIN(password_file), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("settler.password"), CONTROL,
	 HELP("Password of that keystore, mode 0600.")},
	{CHAIN(poll_ms), UINT(10, 600000, "milliseconds"), DEFAULT("5000"), CONTROL,
	 HELP("How often the chain is asked.")},
	{CHAIN(fee_ceiling_gwei), UINT(1, 1000000, "gwei per unit of gas"), DEFAULT("500"), CONTROL,
	 HELP("No transaction offers more.")},
	{CHAIN(low_balance_gwei), UINT(0, GWEI_MAX, "gwei"), DEFAULT("10000000"), CONTROL,
	 HELP("An account that holds less raises an alert; 0 = none before it cannot pay.")},
	{CHAIN_IN(confirmations, provision), UINT(1, 1000, "blocks"), DEFAULT("2"), CONTROL,
	 HELP("Depth at which a purchase is believed.")},
	{CHAIN_IN(confirmations, settle), UINT(1, 1000, "blocks"), DEFAULT("10"), CONTROL,
	 HELP("Depth at which a settlement is done.")},
	{CHAIN_IN(batch, count), UINT(1, 100, "settlements"), DEFAULT("100"), CONTROL,
	 HELP("So many settlements share a transaction, and as many go at once.")},
	{CHAIN_IN(batch, age_sec), UINT(0, 86400, "seconds"), DEFAULT("60"), CONTROL,
	 HELP("A settlement waits so long for others to share its transaction.")},
	{CHAIN_IN(batch, value_gwei), UINT(0, GWEI_MAX, "gwei"), DEFAULT("0"), CONTROL,
	 HELP("Settlements that earn so much together go before their time; 0 = however much they earn.")},
	{CHAIN_IN(batch, payout_threshold_gwei), UINT(0, GWEI_MAX, "gwei"), DEFAULT("0"), CONTROL,
	 HELP("Settlements that earn less together wait until a deadline comes near; 0 = none waits.")},
	{CHAIN_IN_LIST(batch, token_payout_thresholds), OTHER(CONFIG_TOKEN_AMOUNT), DEFAULT(""), CONTROL,
	 HELP("The same for each token: contract=amount, where 5 tokens of 6 decimals are 5000000.")},

	{KEY(voucher, credit_bytes), UINT(10000, 1000000000000, "bytes"), DEFAULT("64000000"), CONTROL,
	 HELP("Served beyond the buyer's newest voucher, or 2 s at the session's rate if that is more.")},
	{KEY(voucher, patience_sec), UINT(1, 86400, "seconds"), DEFAULT("600"), CONTROL,
	 HELP("A session that waits so long (chain time) for a voucher is settled with the newest one.")},

	{KEY(store, path), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("store"), CONTROL,
	 HELP("Directory of the LMDB database.")},
	{KEY(store, map_size_mb), UINT(16, 1048576, "MB (2^20 bytes)"), DEFAULT("1024"), CONTROL,
	 HELP("Largest size of the database; costs address space, not disk.")},

	{KEY(api, socket), PATH(CONFIG_RUNTIME_PATH, CONFIG_SOCKET_CAP), DEFAULT("control.sock"), CONTROL,
	 HELP("UNIX socket that twctl talks to.")},
	{KEY(api, socket_mode), OTHER(CONFIG_MODE), DEFAULT("0660"), CONTROL,
	 HELP("Its permission bits; whoever may write to it may sell and end sessions.")},
	{KEY(api, listen), OTHER(CONFIG_LISTEN), DEFAULT("none"), CONTROL,
	 HELP("TCP address and port for buyers, shops and metrics; without it there is only the socket.")},
	{KEY(api, tls), BOOL, DEFAULT("false"), CONTROL,
	 HELP("TLS on api.listen; without it, put a proxy in front or keep to loopback.")},
	{KEY(api, tls_certificate), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("tls.crt"), CONTROL,
	 HELP("PEM certificate chain; a new one is taken up within seconds, without a restart.")},
	{KEY(api, tls_key), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("tls.key"), CONTROL,
	 HELP("Its PEM private key, closed to others; taken up with the certificate.")},
	{KEY(api, admin_token_file), PATH(CONFIG_STATE_PATH, CONFIG_TEXT_CAP), DEFAULT("admin.token"),
	 CONTROL, HELP("0600 file with the operator's bearer token; no file, no operator over TCP.")},
	{LIST(api, auth_domains), TEXT(CONFIG_DOMAIN_CAP - 1), DEFAULT("<the host of node.endpoint>"),
	 CONTROL, HELP("host or host:port of the pages whose sign-in messages are taken (EIP-4361).")},
	{KEY(api, max_connections), UINT(8, 16384, "connections"), DEFAULT("256"), CONTROL,
	 HELP("Over TCP at a time, and as many over the socket.")},
	{KEY(api, connections_per_address), UINT(1, 16384, "connections"), DEFAULT("64"), CONTROL,
	 HELP("Over TCP from one client address (IPv6: from one /64) at a time.")},
	{KEY(api, requests_per_minute), UINT(1, 1000000, "requests"), DEFAULT("1200"), CONTROL,
	 HELP("Over TCP from one client address, on average; a minute's worth may come at once.")},
	{KEY(api, max_body_bytes), UINT(1024, 1048576, "bytes"), DEFAULT("65536"), CONTROL,
	 HELP("Largest body of a request.")},
	{KEY(api, request_timeout_sec), UINT(1, 300, "seconds"), DEFAULT("10"), CONTROL,
	 HELP("A client that takes longer to send a request or to read its reply is cut off.")},
	{KEY(api, registry_refresh_sec), UINT(1, 86400, "seconds"), DEFAULT("60"), CONTROL,
	 HELP("How often the chains' registries are read for the list of nodes.")},
};

const struct config_section config_keys_sections[] = {
	{.path = "node", .help = "Who this node is and where it keeps its files."},
	{.path = "worker", .help = "Threads of the data plane."},
	{.path = "memory", .help = "Memory of the data plane."},
	{.path = "ports[]", ITEMS(ports, 1),
	 .items = "1 or 2 ports", .item = "port", .item_keys = "name, devargs, role, address, ...",
	 .help = "One port with role both, or one with role tunnel and one with role internet."},
	{.path = "wireguard", .help = "The node as a WireGuard responder."},
	{.path = "tunnel", .help = "Inside the tunnel."},
	{.path = "nat", .help = "Address translation towards the internet (RFC 4787, 5382, 5508)."},
	{.path = "nat.timeouts", .help = "How long an unused mapping is kept."},
	{.path = "firewall", .help = "What buyers may reach beyond the public internet, and what not."},
	{.path = "icmp", .help = "ICMP that the node itself sends."},
	{.path = "sessions", .help = "Paid customer sessions."},
	{.path = "arp", .help = "Resolution of next hops."},
	{.path = "usage", .help = "From counters to usage records."},
	{.path = "retention", .help = "How long the control plane remembers."},
	{.path = "chains[]", ITEMS(chains, 0),
	 .items = "up to 8 chains", .item = "chain", .item_keys = "name, id, endpoints, escrow, ...",
	 .help = "The EVM chains that sessions are bought and settled on; none by default."},
	{.path = "chains[].confirmations", .help = "How deep below the head a block must be."},
	{.path = "chains[].batch", .help = "Settlements that share a transaction share its cost."},
	{.path = "voucher", .help = "Sessions that the buyer pays by signed vouchers."},
	{.path = "store", .help = "The control plane's database."},
	{.path = "api", .help = "The control plane's HTTP API, on a UNIX socket and on TCP."},
};
// clang-format on

const uint32_t config_keys_n = sizeof(config_keys) / sizeof(config_keys[0]);
const uint32_t config_keys_n_sections =
	sizeof(config_keys_sections) / sizeof(config_keys_sections[0]);

const struct config_key *config_keys_lookup(const char *path)
{
	for (uint32_t i = 0; i < config_keys_n; i++) {
		if (strcmp(config_keys[i].path, path) == 0)
			return &config_keys[i];
	}
	return NULL;
}

const struct config_section *config_keys_lookup_section(const char *path)
{
	for (uint32_t i = 0; i < config_keys_n_sections; i++) {
		if (strcmp(config_keys_sections[i].path, path) == 0)
			return &config_keys_sections[i];
	}
	return NULL;
}

const struct config_section *config_keys_lookup_list(const char *path)
{
	const char *end = strstr(path, "[]");
	size_t len = end != NULL ? (size_t)(end - path) + 2 : 0;

	for (uint32_t i = 0; end != NULL && i < config_keys_n_sections; i++) {
		const struct config_section *section = &config_keys_sections[i];

		if (section->item_cap > 0 && strlen(section->path) == len &&
		    strncmp(section->path, path, len) == 0)
			return section;
	}
	return NULL;
}

bool config_keys_is_derived(const struct config_key *key)
{
	return key->fallback != NULL && key->fallback[0] == '<';
}

uint32_t config_keys_list_n_items(const struct config *config, const struct config_section *list)
{
	uint32_t n;

	memcpy(&n, (const char *)config + list->n_offset, sizeof(n));
	return n;
}

void config_keys_set_list_n_items(
	struct config *config, const struct config_section *list, uint32_t n
)
{
	memcpy((char *)config + list->n_offset, &n, sizeof(n));
}

uint32_t config_keys_n_items(const struct config *config, const struct config_key *key)
{
	const struct config_section *list = config_keys_lookup_list(key->path);

	return list != NULL ? config_keys_list_n_items(config, list) : 1;
}

void config_keys_format_path(const char *path, uint32_t item_idx, char *dst, size_t dst_len)
{
	int len = (int)strcspn(path, "[");

	if (path[len] == '\0')
		snprintf(dst, dst_len, "%s", path);
	else
		snprintf(dst, dst_len, "%.*s[%u]%s", len, path, item_idx, path + len + 2);
}

// Returns: where the key's offsets count from.
static size_t item_offset(const struct config_key *key, uint32_t item_idx)
{
	const struct config_section *list = config_keys_lookup_list(key->path);

	return list != NULL ? list->offset + (size_t)item_idx * list->item_size : 0;
}

const void *config_keys_field_const(
	const struct config *config, const struct config_key *key, uint32_t item_idx
)
{
	return (const char *)config + item_offset(key, item_idx) + key->offset;
}

void *config_keys_field(struct config *config, const struct config_key *key, uint32_t item_idx)
{
	return (char *)config + item_offset(key, item_idx) + key->offset;
}

uint32_t config_keys_list_n(
	const struct config *config, const struct config_key *key, uint32_t item_idx
)
{
	uint32_t n;

	memcpy(&n, (const char *)config + item_offset(key, item_idx) + key->n_offset, sizeof(n));
	return n;
}

void config_keys_set_list_n(
	struct config *config, const struct config_key *key, uint32_t item_idx, uint32_t n
)
{
	memcpy((char *)config + item_offset(key, item_idx) + key->n_offset, &n, sizeof(n));
}
