// SPDX-License-Identifier: Apache-2.0
//
// A small NAT under a random sequence of operations, eight bytes of input each: packets both ways,
// ICMP errors about packets seen before (whole, cut and damaged), sweeps, removals, the clock. After
// each one: what is translated has right checksums by full computation, and a refused packet is as it
// was; every 32 operations and at the end all tables agree.
#include "tests/unit/dataplane/nat/nat_fixture.h"

#define N_SEEN 4
#define PACKET_BYTES 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct nat *nat;
	uint64_t now_ns;
	uint8_t seen[N_SEEN][PACKET_BYTES]; // translated packets, as the internet saw them
	uint8_t delivered[N_SEEN][PACKET_BYTES]; // as clients got them
	size_t n_seen;
	size_t n_delivered;
};

static void require(bool is_true)
{
	if (!is_true)
		abort();
}

static struct packet_spec spec_of(const uint8_t *op)
{
	static const uint8_t protos[] = {REF_TCP, REF_UDP, REF_ICMP};
	static const uint8_t tcp_flags[] = {0x02, 0x12, 0x10, 0x11, 0x14, 0x04, 0x18, 0x01};
	static const uint8_t icmp_types[] = {8, 13, 0, 14, 8, 8, 5, 17};
	struct packet_spec spec = {
		.proto = protos[op[1] % 3],
		.src_port = (uint16_t)(2000 + op[2] % 24),
		.dst_port = (uint16_t)(2000 + op[3] % 24),
		.payload_len = op[6] % 32,
		.has_no_checksum = op[6] & 0x80,
	};
	spec.flags = spec.proto == REF_TCP ? tcp_flags[op[5] % 8] : icmp_types[op[5] % 8];
	return spec;
}

static void keep(uint8_t seen[N_SEEN][PACKET_BYTES], size_t *n, const uint8_t *packet)
{
	memcpy(seen[(*n)++ % N_SEEN], packet, ref_get16(packet + 2));
}

static void deliver(struct world *w, uint8_t *packet)
{
	uint8_t before[PACKET_BYTES];
	size_t len = ref_get16(packet + 2);
	uint32_t slot = UINT32_MAX;
	bool was_right = packet_check(packet);
	memcpy(before, packet, len);
	if (fix_in_raw(w->nat, packet, len, &slot, w->now_ns) != NAT_OK) {
		require(memcmp(before, packet, len) == 0);
		return;
	}
	require(slot < w->nat->map.n_sessions);
	require(ref_get32(packet + 16) == fix_inner(slot));
	require(packet_check(packet) == was_right);
	keep(w->delivered, &w->n_delivered, packet);
}

static void emit(struct world *w, uint32_t slot, uint8_t *packet)
{
	uint8_t before[PACKET_BYTES];
	struct net_l3l4 l34;
	size_t len = ref_get16(packet + 2);
	bool was_right = packet_check(packet);
	memcpy(before, packet, len);
	enum nat_verdict verdict = fix_out_raw(w->nat, slot, packet, len, &l34, w->now_ns);
	if (verdict != NAT_OK && verdict != NAT_HAIRPIN) {
		require(memcmp(before, packet, len) == 0);
		return;
	}
	require(nat_check_external(w->nat, htonl(ref_get32(packet + 12))));
	require(packet_check(packet) == was_right);
	if (packet[9] == REF_UDP) // port shadowing: CVE-2021-3773
		require(ref_get16(packet + 20) != 2003);
	keep(w->seen, &w->n_seen, packet);
	if (verdict == NAT_HAIRPIN)
		deliver(w, packet);
}

static void do_outbound(struct world *w, const uint8_t *op)
{
	uint8_t packet[PACKET_BYTES];
	struct packet_spec spec = spec_of(op);
	spec.src = fix_inner(op[4] % 8);
	spec.dst = op[7] % 8 == 0 ? FIX_EXT0 : op[7] % 8 == 1 ? FIX_EXT1 : FIX_REMOTE + op[7] % 32;
	packet_build(packet, &spec);
	emit(w, op[4] % 8, packet);
}

static void do_inbound(struct world *w, const uint8_t *op)
{
	uint8_t packet[PACKET_BYTES];
	struct packet_spec spec = spec_of(op);
	spec.dst = op[4] & 1 ? FIX_EXT0 : FIX_EXT1;
	spec.src = FIX_REMOTE + op[7] % 32;
	if (spec.proto == REF_ICMP)
		spec.flags = op[5] & 1 ? 0 : 14;
	packet_build(packet, &spec);
	deliver(w, packet);
}

// An error about a packet seen before, its quote cut to a length and one of its bytes changed or not.
static void do_error(struct world *w, const uint8_t *op, bool is_outbound)
{
	static const uint8_t types[] = {3, 11, 12, 4};
	uint8_t error[PACKET_BYTES], quoted[PACKET_BYTES];
	const uint8_t *about = is_outbound ? w->delivered[op[1] % N_SEEN] : w->seen[op[1] % N_SEEN];
	size_t len = ref_get16(about + 2);
	if (len < 28)
		return;
	memcpy(quoted, about, len);
	if (op[2] & 1)
		quoted[op[3] % len] ^= op[4];
	uint32_t src = is_outbound ? ref_get32(about + 16) : FIX_OTHER;
	uint32_t dst = ref_get32(about + 12);
	size_t cut = op[5] & 1 ? len : op[6] % (len + 1);
	packet_build_error(error, types[op[7] % 4], src, dst, quoted, cut);
	if (op[2] & 2)
		error[20 + op[3] % 8] ^= op[4];
	if (is_outbound)
		emit(w, (src - fix_inner(0)) % 8, error);
	else
		deliver(w, error);
}

static void do_operation(struct world *w, const uint8_t *op)
{
	switch (op[0] % 8) {
	case 0:
	case 1:
	case 2:
		do_outbound(w, op);
		break;
	case 3:
		do_inbound(w, op);
		break;
	case 4:
		do_error(w, op, false);
		break;
	case 5:
		do_error(w, op, true);
		break;
	case 6:
		w->now_ns += (uint64_t)op[1] * op[2] * FIX_SEC / 8;
		nat_expire_sweep(w->nat, op[3] % 32, w->now_ns);
		break;
	case 7:
		nat_session_remove(w->nat, op[1] % 8, op[2] % 8, w->now_ns);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nat_conf conf;
	struct world w = {.now_ns = FIX_START};
	fix_conf(&conf);
	conf.port_lo = 2000;
	conf.port_hi = 2023;
	conf.n_mappings = 48;
	conf.n_filters = 40;
	conf.reserved[0].port = 2003;
	w.nat = fix_create(&conf);
	for (size_t i = 0; i + 8 <= size; i += 8) {
		do_operation(&w, data + i);
		if (i / 8 % 32 == 31)
			require(fix_check_consistent(w.nat));
	}
	require(fix_check_consistent(w.nat));
	fix_destroy(w.nat);
	return 0;
}
