#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Expiry: in the middle of a flow the session's time is over. Both directions end on the packet, new
# handshakes are refused, nothing more is billed; an extension lets the same client go on.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_up
echo_up
session_add alice 10MB --duration 6s
buyer_up alice
losses_start
captures_start
from_buyer python3 "$netns_dir/udp_flow.py" send $server 7 --rate 200 --stop-file "$tmp/stop" --patience 2 \
	>"$tmp/flow.json" &
flow=$!
on_exit stop "$flow"
# On a slow machine the time may be over before the client has sent much: then it gets some more.
flows() {
	[ "$(session_get alice .usage.in_bytes)" -gt 100000 ] && return
	session_has alice .usage.gate expired && tw session extend alice --by 10s >/dev/null
	return 1
}
wait_or_fail 120 "the flow" flows
wait_or_fail 60 "the expiry" session_has alice .usage.gate expired
bill=$(session_bill alice)
expires=$(session_get alice .expires_unix_sec)
late=$(python3 "$netns_dir/count_capture.py" "$tmp/out.pcap" --source $node_internet_addr --since "$((expires + 1))")
expect_eq "bytes outbound a second after the expiry" "$late" 0
wait_or_fail 30 "more than 100 packets dropped for expiry" \
	eval '[ $(($(dropped expired) + $(dropped gate_closed))) -gt 100 ]'
touch "$tmp/stop"
wait "$flow"
expect_over "datagrams that came back" "$(flow_get echoed)" 100
expect_eq "bill after the expiry" "$(session_bill alice)" "$bill"

# A new handshake, as a restarted client makes one.
in_ns "$buyer" ip link set "$tun" down
in_ns "$buyer" ip link set "$tun" up
wg_configure "$tun" "$buyer" "$tmp/alice.conf"
from_buyer ping -q -c 1 -W 1 $server >/dev/null && fail "a ping passed after the expiry"
wait_or_fail 30 "the refused handshake" eval '[ "$(dropped wg_session_closed)" -gt 0 ]'

tw session extend alice --by 1h >/dev/null
wait_or_fail 30 "a ping after the extension" from_buyer ping -q -c 1 -W 1 $server
expect_bill alice
expect_accounted
