#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a buyer must not reach: private and reserved ranges, the node's own addresses, another
# buyer's inner address; and what it must not be: another's inner address. The node's inner address answers
# pings, free of charge, and is the first hop of a traceroute.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

conf[firewall.deny]="[198.51.100.128/25]"
buyer_connects alice
bill=$(session_bill alice)

has_dropped() { # REASON NUMBER
	[ "$(dropped "$1")" = "$2" ]
}

# expect_refused REASON PING-ARGUMENT...: the one packet is dropped for that reason, when the node comes to it.
expect_refused() {
	local reason=$1 before
	shift
	before=$(dropped "$reason")
	from_buyer ping -q -c 1 -W 1 "$@" >/dev/null && fail "ping $* was answered"
	wait_or_fail 30 "one packet dropped for $reason, beside $before, after ping $*" \
		has_dropped "$reason" $((before + 1))
}

for address in 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 \
	100.64.0.1 240.0.0.1 198.51.100.200; do
	# What is on-link or local for the buyer's kernel goes into the tunnel all the same.
	from_buyer ip route replace "$address/32" dev "$tun" 2>/dev/null || true
	expect_refused martian "$address"
done
expect_refused inner_to_inner 10.8.0.77
# The node's own addresses: what its WireGuard listens on, and what its clients' packets leave from.
expect_refused martian -I "$tun" $node_tunnel_addr
expect_refused nat_icmp_type $node_internet_addr

ip -n "$buyer" addr add 10.8.0.99/32 dev "$tun"
expect_refused source_check -I 10.8.0.99 $server
expect_eq "bill of all that was refused" "$(session_bill alice)" "$bill"

from_buyer ping -q -c 3 -i 0.2 -W 30 $node_inner_addr >/dev/null || fail "the node's inner address does not answer"
from_buyer traceroute -n -q 1 -w 30 -m 1 $server >"$tmp/traceroute"
expect_text "traceroute" "$tmp/traceroute" "^ 1  $node_inner_addr "
expect_eq "echo requests consumed" "$(dp_total consumed_icmp_echo)" 3
expect_dropped ttl_expired 1
expect_eq "bill of pings to the node" "$(session_bill alice)" "$bill"
wait_or_fail 30 "the free bytes" eval '[ "$(session_get alice .usage.originated_bytes)" = $((3 * 84 + 88)) ]'
expect_accounted
