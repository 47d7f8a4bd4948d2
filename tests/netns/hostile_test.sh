#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# Hostile datagrams at the WireGuard port while a buyer's traffic runs: random bytes, every message type
# truncated at each length and oversized, handshakes with turned bits. The node goes on, loses none of the
# buyer's packets, bills none of it, and accounts for every one by name.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
from_buyer python3 "$netns_dir/udp_flow.py" send $server 7 --rate 200 --stop-file "$tmp/stop" >"$tmp/flow.json" &
flow=$!
on_exit stop "$flow"
wait_or_fail 30 "traffic" eval '[ "$(session_get alice .usage.in_bytes)" -gt 20000 ]'
endpoint=$(session_get alice .usage.endpoint)
ip -n "$buyer" addr add 192.0.2.66/24 dev b0
n=$(in_ns "$buyer" python3 "$netns_dir/hostile.py" 192.0.2.66 "$node_outer_addr" 51820)
dropped_by_name() {
	dp totals | awk '/^drop_wg_/ { n += $2 } END { print n + 0 }'
}
wait_or_fail 30 "the end of the hostile datagrams" eval '[ "$(dropped_by_name)" -ge "$n" ] && is_accounted'
touch "$tmp/stop"
wait "$flow"
expect_eq "datagrams lost" "$(flow_get lost)" 0
for reason in wg_truncated wg_type wg_length wg_index_unknown wg_mac1; do
	expect_over "packets dropped for $reason" "$(dropped "$reason")" 0
done
expect_eq "hostile datagrams dropped by name" "$(dropped_by_name)" "$n"
expect_eq "endpoint" "$(session_get alice .usage.endpoint)" "$endpoint"
expect_bill alice
expect_accounted
