#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# 1,000 sessions at once from the generator over memif: every byte that arrived on either side is billed to
# the session that it belongs to, and no session is billed for another.
#
#   tollwire-pktgen ── memif ── tollwire-dataplane ── memif ── tollwire-pktgen
#   1,000 buyers                                              the internet side
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

n_sessions=1000
topo_driver=memif
topo_devargs[tunnel]="net_memif0,role=server,id=0,socket-abstract=no,socket=@tmp@/memif"
topo_devargs[internet]="net_memif1,role=server,id=1,socket-abstract=no,socket=@tmp@/memif"
conf[sessions.max]=$n_sessions
conf[memory.size_mb]=1024
conf[memory.mbufs]=16384
conf[wireguard.handshakes_per_source]=10000
conf[wireguard.handshake_burst]=1000
conf[wireguard.under_load_handshakes]=4096
conf[usage.poll_interval_ms]=500
topo_up

"$pktgen" keys --sessions $n_sessions --seed 7 >"$tmp/keys"
python3 "$netns_dir/add_sessions.py" "$tmp/run/control.sock" "$tmp/keys" 100000000 >"$tmp/sessions"
expect_eq "sessions added" "$(wc -l <"$tmp/sessions")" $n_sessions
wait_or_fail 30 "all sessions in the data plane" eval '[ "$(tw_get .dataplane.sessions status)" = $n_sessions ]'

status=0
taskset -c "$other_cpus" ip netns exec "$node" "$pktgen" run --core 0 --seed 7 --sessions-file "$tmp/sessions" \
	--tunnel "net_memif0,role=client,id=0,socket-abstract=no,socket=$tmp/memif" \
	--internet "net_memif1,role=client,id=1,socket-abstract=no,socket=$tmp/memif" \
	--node-key "$(dp key)" --node-tunnel $node_tunnel_addr --node-internet $node_internet_addr \
	--buyers 192.0.2.10 --buyer-addresses 200 --remote $server --size imix --packets 30 --rate 5000 --window 256 \
	--timeout 240 --per-session "$tmp/per-session" >"$tmp/pktgen.json" 2>"$tmp/pktgen.log" || status=$?
[ "$status" = 0 ] || fail "the generator found something wrong: $(cat "$tmp/pktgen.json")"
expect_eq "handshakes" "$(jq .handshakes "$tmp/pktgen.json")" $n_sessions
# Whatever a busy machine loses on the way is not billed either.
expect_between "packets that arrived outbound" "$(jq .out_arrived_pkts "$tmp/pktgen.json")" \
	$((29 * n_sessions)) $((30 * n_sessions))

# metered: `inner-address out in` of every session.
metered() {
	local from=0
	while [ "$from" != null ]; do
		tw session list --json --limit 500 --from "$from" >"$tmp/page.json"
		jq -r '.sessions[] | "\(.inner_address) \(.usage.out_bytes) \(.usage.in_bytes)"' "$tmp/page.json"
		from=$(jq .next_id "$tmp/page.json")
	done | sort
}

# counted: the same, as the generator saw it arrive.
counted() {
	awk 'NR == FNR { address[$1] = $2; next } { print address[$1], $3, $5 }' \
		"$tmp/sessions" "$tmp/per-session" | sort
}

counted >"$tmp/counted"
all_agree() {
	metered >"$tmp/metered"
	cmp -s "$tmp/metered" "$tmp/counted"
}
wait_or_fail 60 "each session's bill" all_agree
expect_eq "sessions compared" "$(wc -l <"$tmp/metered")" $n_sessions
expect_eq "sessions without a bill" "$(awk '$2 == 0 || $3 == 0' "$tmp/metered" | wc -l)" 0
expect_accounted
