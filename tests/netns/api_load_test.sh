#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# 100 clients of the API at once: 1,000 requests a minute for a while, then a hundred times that, on what is
# cheap and what is dear, with a chain of 200 nodes and WebSockets open, beside buyers' traffic through the
# real data plane. Prints what the clients waited; times and rates are the machine's as well, and no reason
# to fail. What fails: a request that is not answered with 200; a packet of the buyers that does not arrive,
# or arrives unbilled; a handshake, a command or an event that is lost; a heartbeat that is missed.
#
#   http_load ── TCP, 100 connections ── tollwire-control ── tollwire-dataplane ── memif ── tollwire-pktgen
#   live ── 16 WebSockets ───────────────┘       └── anvil                      (both ends, 16 buyers)
#
# The generator has fewer packets under way than any queue holds, so a thread that waits for its CPU delays
# them and loses none. It shares the worker's CPU; the slow path shares the other with the API's load.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

n_sessions=16
traffic_pps=2000 # outbound; each packet is answered
topo_driver=memif
topo_devargs[tunnel]="net_memif0,role=server,id=0,socket-abstract=no,socket=@tmp@/memif"
topo_devargs[internet]="net_memif1,role=server,id=1,socket-abstract=no,socket=@tmp@/memif"
topo_programs
load=$(find_program http_load)
make_tmp
mkdir "$tmp/run" "$tmp/state"

"$root/scripts/setup-modules"
start "$tmp/chain.log" node "$root/tests/netns/many_nodes.mjs" 200 "$tmp/chain.json"
topo_links
wait_or_fail 120 "a chain with nodes" test -s "$tmp/chain.json"
chain() { # NAME: a member of what the chain's script told
	jq -r ".$1" "$tmp/chain.json"
}
topo_chains=("{name: anvil, id: $(chain chainId), endpoints: [\"$(chain rpcUrl)\"], escrow: \"$(chain escrow)\", node_id: 1}")
api_port=$(free_port)
conf[api.listen]=127.0.0.1:$api_port
conf[api.requests_per_minute]=100000
conf[api.request_timeout_sec]=60 # the last client's first request comes late
conf[sessions.max]=32
conf[wireguard.handshakes_per_source]=1000
conf[wireguard.handshake_burst]=100
topo_write_config
token=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
(umask 077 && printf '%s' "$token" >"$tmp/state/admin.token" && chain key >"$tmp/state/settler.key")
dataplane_start
control_start

"$pktgen" keys --sessions $n_sessions --seed 11 >"$tmp/keys"
python3 "$netns_dir/add_sessions.py" "$tmp/run/control.sock" "$tmp/keys" 1000000000 >"$tmp/sessions"
expect_eq "sessions added" "$(wc -l <"$tmp/sessions")" $n_sessions
sessions_are() { # NUMBER: so many in the data plane
	[ "$(tw_get .dataplane.sessions status)" = "$1" ]
}
wait_or_fail 30 "the sessions in the data plane" sessions_are $n_sessions
session=$(tw_get '.sessions[0].id' session list)

wait_or_fail 60 "the nodes" sh -c "curl -sf 'http://127.0.0.1:$api_port/api/v1/nodes' | jq -e '.chains[0].registered == 200'"
wait_or_fail 30 "the node to be well" curl -sf "http://127.0.0.1:$api_port/api/v1/health"
cat >"$tmp/listen.py" <<'END'
import asyncio, sys, websockets


async def listen(path):
    async with websockets.connect(f'ws://127.0.0.1:{sys.argv[1]}/api/v1{path}',
                                  extra_headers={'Authorization': 'Bearer ' + sys.argv[2]}) as socket:
        async for message in socket:
            print(len(message), flush=True)


async def listen_all():
    await asyncio.gather(*(listen(path) for path in [f'/sessions/{sys.argv[3]}/live', '/operator/live'] * 8))


asyncio.run(listen_all())
END
# Debian's own: that is where the package python3-websockets is.
start "$tmp/live.log" /usr/bin/python3 "$tmp/listen.py" "$api_port" "$token" "$session"
live_pid=$started
wait_or_fail 60 "the WebSockets" sh -c "[ \$(wc -l <'$tmp/live.log') -ge 16 ]"
boot_id=$(tw_get .dataplane.boot_id status)
log_lines=$(wc -l <"$tmp/control.log")

# ---- load and traffic ------------------------------------------------------------------------

load_begin() { # WHAT PATH REQUESTS_PER_MINUTE SECONDS [TOKEN]: in the background
	load_what=$1 load_rate=$3
	taskset -c "$other_cpus" "$load" "$api_port" "$2" 100 "${@:3}" >"$tmp/load.json" 2>"$tmp/load.log" &
	load_pid=$!
	on_exit stop "$load_pid"
}

load_end() {
	wait "$load_pid" || fail "$load_what: $(cat "$tmp/load.json" "$tmp/load.log")"
	jq -e '.requests > 0 and .not_200 == 0' "$tmp/load.json" >/dev/null || fail "$load_what: $(cat "$tmp/load.json")"
	say "$load_what: $(cat "$tmp/load.json")"
	jq -e --argjson rate "$load_rate" '.requests_per_sec * 60 > 0.8 * $rate' "$tmp/load.json" >/dev/null ||
		say "$load_what: the machine is too busy for this rate"
}

# run WHAT PATH REQUESTS_PER_MINUTE SECONDS [TOKEN]: with the traffic that passes meanwhile.
run() {
	local before
	before=$(dp_total tx_pkts)
	load_begin "$@"
	load_end
	say "$1: $(($(dp_total tx_pkts) - before)) packets of the buyers forwarded meanwhile"
	# A data plane that stood still all the while goes on; how long it did is asked at the end.
	wait_or_fail 30 "packets during $1" eval '[ $(($(dp_total tx_pkts) - before)) -gt 100 ]'
}

traffic_begin() {
	start "$tmp/pktgen.log" ip netns exec "$node" "$pktgen" run --core "$worker_cpu" --seed 11 \
		--sessions-file "$tmp/sessions" \
		--tunnel "net_memif0,role=client,id=0,socket-abstract=no,socket=$tmp/memif" \
		--internet "net_memif1,role=client,id=1,socket-abstract=no,socket=$tmp/memif" \
		--node-key "$(dp key)" --node-tunnel $node_tunnel_addr --node-internet $node_internet_addr \
		--buyers 192.0.2.10 --buyer-addresses $n_sessions --remote $server --size imix --packets 1000000 \
		--rate $traffic_pps --window 256 --stop-file "$tmp/stop" --timeout 300 \
		--per-session "$tmp/per-session"
	pktgen_pid=$started
}

sessions_have_traffic() {
	tw session list --json --limit 500 |
		jq -e '[.sessions[] | select(.usage.in_bytes > 0 and .state == "active")] | length == '$n_sessions
}

# The buyers' handshakes, commands and their acknowledgements are in the midst of the burst.
load_begin "burst, /node" /api/v1/node 100000 5
traffic_begin
wait_or_fail 60 "traffic in each session" sessions_have_traffic
tw session add late --quota 1GB --duration 1h --public-key "$(wg genkey | wg pubkey)" >/dev/null
tw session top-up "$session" --by 1GB >/dev/null
wait_or_fail 30 "the new session in the data plane" sessions_are $((n_sessions + 1))
load_end

run "sustained, /node" /api/v1/node 1000 6
run "burst, one session" "/api/v1/sessions/$session" 100000 5 "$token"
run "sustained, /nodes" "/api/v1/nodes?limit=20" 1000 3
run "burst, /nodes" "/api/v1/nodes?limit=20" 100000 3
run "burst, /operator/earnings" /api/v1/operator/earnings 100000 3 "$token"
run "sustained, /metrics" /metrics 1000 3 "$token"

touch "$tmp/stop"
status=0
wait "$pktgen_pid" || status=$?
tail -n 1 "$tmp/pktgen.log" >"$tmp/pktgen.json"
say "traffic: $(cat "$tmp/pktgen.json")"
say "node: $(dp totals | tr '\n' ' ')"
[ "$status" = 0 ] || fail "the generator found something wrong: $(cat "$tmp/pktgen.log")"

# ---- nothing in the data plane noticed -------------------------------------------------------

sent() { # NAME: of the generator's sums
	jq ".$1" "$tmp/pktgen.json"
}
expect_eq "packets that arrived outbound" "$(sent out_arrived_pkts)" "$(sent out_sent_pkts)"
expect_eq "packets that arrived inbound" "$(sent in_arrived_pkts)" "$(sent out_arrived_pkts)"
expect_eq "packets that the node's queue refused" "$(sent tx_refused)" 0
expect_between "milliseconds without a packet" "$(sent silence_ms)" 0 4999 # as long as a heartbeat may take
expect_eq "buyers' handshakes" "$(sent handshakes)" $n_sessions
expect_eq "handshakes confirmed" "$(dp_total handshakes_completed)" $n_sessions
expect_accounted

# metered, and $tmp/counted: `inner-address out in` of every session, as billed and as the generator saw it
# arrive.
metered() {
	tw session list --json --limit 500 |
		jq -r '.sessions[] | select(.name != "late") | "\(.inner_address) \(.usage.out_bytes) \(.usage.in_bytes)"' | sort
}
awk 'NR == FNR { address[$1] = $2; next } { print address[$1], $3, $5 }' "$tmp/sessions" "$tmp/per-session" |
	sort >"$tmp/counted"
all_agree() {
	metered >"$tmp/metered"
	cmp -s "$tmp/metered" "$tmp/counted"
}
wait_or_fail 30 "each session's bill" all_agree
expect_eq "sessions without a bill" "$(awk '$2 == 0 || $3 == 0' "$tmp/metered" | wc -l)" 0

kill -0 "$live_pid" || fail "the WebSockets did not last"
tw status --json >"$tmp/status"
jq -e --arg boot "$boot_id" '.dataplane | .is_attached and .boot_id == $boot and .events_lost == 0 and
	.commands_waiting == 0 and .commands_refused == 0' "$tmp/status" >/dev/null ||
	fail "the data plane's side: $(cat "$tmp/status")"
# Each condition is logged when it comes, also one that has gone again.
tail -n +"$((log_lines + 1))" "$tmp/control.log" >"$tmp/since.log"
grep -E 'heartbeat:|the data plane \(pid|control mapping' "$tmp/since.log" >"$tmp/missed" &&
	fail "the control plane missed the data plane: $(cat "$tmp/missed")"
curl -sf "http://127.0.0.1:$api_port/api/v1/health" >/dev/null || fail "not well after the load"
