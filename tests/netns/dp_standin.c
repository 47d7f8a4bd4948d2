// SPDX-License-Identifier: Apache-2.0
//
// Plays the data plane for tests of the control plane and twctl: a real segment with a heartbeat,
// commands acknowledged and obeyed, and counters that move by known steps. No packets.
//
//   dp_standin RUNTIME_DIR
//
// Prints "ready" when it can be attached. SIGTERM ends it in order; SIGKILL leaves a dead segment.
// Every 20 ms each session whose gate is open is billed 1,000 bytes out and 9,000 in, as long as they
// fit its limit; the first that does not closes the gate.
#include "common/abi_segment.h"
#include "common/clock.h"
#include "common/counter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define N_SLOTS 64
#define TICK_US 20000
#define OUT_BYTES 1000
#define IN_BYTES 9000

static volatile sig_atomic_t is_stopping;

static void on_term(int signo)
{
	(void)signo;
	is_stopping = 1;
}

static void set_limits(
	struct abi_session_slot *slot, const struct abi_command *command, bool is_new
)
{
	struct abi_session_limits next = slot->limits;

	if (is_new) {
		next.owner = 0;
		next.base_out_bytes = command->base_out_bytes;
		next.base_in_bytes = command->base_in_bytes;
		next.last_handshake_unix_ns = clock_unix_ns(&clock_system);
		inet_pton(AF_INET, "203.0.113.7", next.endpoint_addr);
		next.endpoint_port_be = htons(40000);
		next.endpoint_family = ABI_FAMILY_IPV4;
	}
	next.limit_bytes = command->limit_bytes;
	next.expires_unix_sec = (uint32_t)command->expires_unix_sec;
	slot->limits.owner = next.owner;
	seqcount_write(
		&slot->limits.seq,
		&slot->limits.base_out_bytes,
		&next.base_out_bytes,
		sizeof(next) - offsetof(struct abi_session_limits, base_out_bytes)
	);
	slot->free.rate_out_kbps = command->rate_out_kbps;
	slot->free.rate_in_kbps = command->rate_in_kbps;
	if (slot->live.gate == ABI_GATE_QUOTA)
		slot->live.gate = ABI_GATE_OPEN;
}

static void add(struct abi_session_slot *slot, const struct abi_command *command)
{
	memset(&slot->live, 0, sizeof(slot->live));
	memset(&slot->free, 0, sizeof(slot->free));
	set_limits(slot, command, true);
	slot->live.state = ABI_SLOT_ACTIVE;
	slot->live.gate = command->gate;
	__atomic_store_n(&slot->live.generation, command->generation, __ATOMIC_RELEASE);
}

static enum abi_ack_result obey(struct abi_segment *seg, const struct abi_command *command)
{
	struct abi_session_slot *slot;

	if (command->kind == ABI_COMMAND_SNAPSHOT)
		return ABI_ACK_OK;
	if (command->kind == ABI_COMMAND_STOP) {
		is_stopping = 1;
		return ABI_ACK_OK;
	}
	if (command->slot >= N_SLOTS)
		return ABI_ACK_SLOT_RANGE;
	slot = &seg->slots[command->slot];
	if (command->kind == ABI_COMMAND_ADD) {
		if (slot->live.generation != command->generation)
			add(slot, command);
		return ABI_ACK_OK;
	}
	if (slot->live.generation != command->generation)
		return ABI_ACK_STALE;
	if (command->kind == ABI_COMMAND_SET_LIMITS)
		set_limits(slot, command, false);
	else if (command->kind == ABI_COMMAND_GATE)
		slot->live.gate = command->gate;
	else
		slot->live.state = ABI_SLOT_REMOVED;
	return ABI_ACK_OK;
}

static void bill(struct abi_session_slot *slot)
{
	uint64_t used = slot->limits.base_out_bytes + slot->limits.base_in_bytes +
		slot->live.out_bytes + slot->live.in_bytes;

	if (slot->live.state != ABI_SLOT_ACTIVE || slot->live.gate != ABI_GATE_OPEN)
		return;
	if (used + OUT_BYTES + IN_BYTES > slot->limits.limit_bytes) {
		slot->live.gate = ABI_GATE_QUOTA;
		return;
	}
	counter_add(&slot->live.out_bytes, OUT_BYTES);
	counter_add(&slot->live.in_bytes, IN_BYTES);
	counter_add(&slot->live.out_pkts, 1);
	counter_add(&slot->live.in_pkts, 9);
	counter_set(&slot->live.last_authentic_unix_ns, clock_unix_ns(&clock_system));
}

// Known numbers for twctl drops, nat, port and stages.
static void fill_stats(struct abi_segment *seg)
{
	struct abi_thread_stats *worker = &seg->threads[0];
	struct abi_port_stats *port = &seg->ports[0];

	worker->rx_pkts = 1000;
	worker->tx_pkts = 900;
	worker->drops[DROP_WG_AUTH] = 60;
	worker->drops[DROP_QUOTA] = 30;
	worker->consumed[CONSUMED_ARP] = 10;
	worker->nat.mappings_udp = 5;
	worker->nat.ports_total = 64511;
	worker->nat.mappings_created = (1ull << 53) + 1; // a string in JSON
	strcpy(port->name, "wan");
	strcpy(port->driver, "standin");
	port->is_link_up = 1;
	port->mtu = 1500;
	port->n_queues = 1;
	port->offloads = ABI_PORT_OFFLOAD_IP_CKSUM;
	inet_pton(AF_INET, "198.51.100.2", port->addr.addr);
	port->addr.family = ABI_FAMILY_IPV4;
	port->rx_missed_pkts = 3;
}

static void tick(struct abi_segment *seg)
{
	struct abi_command command;

	while (shm_ring_pop(&seg->commands, &command) == 1) {
		struct abi_ack ack = {
			.id = command.id,
			.kind = command.kind,
			.slot = command.slot,
			.generation = command.generation,
			.result = obey(seg, &command),
		};

		if (shm_ring_push(&seg->acks, &ack) < 0)
			fprintf(stderr, "dp_standin: acknowledgements are full\n");
	}
	for (unsigned i = 0; i < N_SLOTS; i++)
		bill(&seg->slots[i]);
	counter_add(&seg->threads[0].stages[STAGE_DECRYPT].calls, 1);
	counter_add(&seg->threads[0].stages[STAGE_DECRYPT].pkts, 32);
	counter_add(&seg->threads[0].stages[STAGE_DECRYPT].cycles, 32000);
	counter_set(&seg->header->heartbeat_unix_ns, clock_unix_ns(&clock_system));
}

int main(int argc, char **argv)
{
	static const uint8_t public_key[32] = {9, 8, 7};
	struct abi_segment_conf conf = {
		.runtime_dir = argc == 2 ? argv[1] : ".",
		.n_slots = N_SLOTS,
		.n_threads = 2,
		.n_ports = 1,
		.tsc_hz = 1000000000,
		.node_public_key = public_key,
	};
	struct abi_segment seg;
	char err[512];

	signal(SIGTERM, on_term);
	if (abi_segment_create(&seg, &conf, err, sizeof(err)) < 0) {
		fprintf(stderr, "dp_standin: %s\n", err);
		return 1;
	}
	fill_stats(&seg);
	tick(&seg);
	puts("ready");
	fflush(stdout);
	while (!is_stopping) {
		tick(&seg);
		usleep(TICK_US);
	}
	counter_set(&seg.header->is_stopped, 1);
	abi_segment_close(&seg);
	return 0;
}
