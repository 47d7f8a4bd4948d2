#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What a buyer must not reach: private and reserved ranges, another
# buyer's inner address; and what it must not be: another's inner address. The node's inner address answers
# pings, free of charge, and is the first hop of a traceroute.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

conf[firewall.deny]="[198.51.100.128/25]"
buyer_connects alice
bill=$(session_bill alice)

expect_refused() { # REASON ADDRESS
	local before
	before=$(dropped "$1")
	from_buyer ping -q -c 1 -W 1 "$2" >/dev/null && fail "$2 answered"
	expect_eq "packets dropped for $1 after a ping to $2" "$(dropped "$1")" $((before + 1))
}

for address in 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 \
	100.64.0.1 240.0.0.1 198.51.100.200; do
	# What is on-link or local for the buyer's kernel goes into the tunnel all the same.
	from_buyer ip route replace "$address/32" dev "$tun" 2>/dev/null || true
	expect_refused martian "$address"
done
expect_refused inner_to_inner 10.8.0.77

ip -n "$buyer" addr add 10.8.0.99/32 dev "$tun"
before=$(dropped source_check)
from_buyer ping -q -c 1 -W 1 -I 10.8.0.99 $server >/dev/null && fail "a ping passed with a foreign source"
expect_eq "packets dropped for the source" "$(dropped source_check)" $((before + 1))
expect_eq "bill of all that was refused" "$(session_bill alice)" "$bill"

from_buyer ping -q -c 3 -i 0.2 -W 2 $node_inner_addr >/dev/null || fail "the node's inner address does not answer"
from_buyer traceroute -n -q 1 -w 3 -m 1 $server >"$tmp/traceroute"
expect_text "traceroute" "$tmp/traceroute" "^ 1  $node_inner_addr "
expect_eq "echo requests consumed" "$(dp_total consumed_icmp_echo)" 3
expect_dropped ttl_expired 1
expect_eq "bill of pings to the node" "$(session_bill alice)" "$bill"
wait_or_fail 5 "the free bytes" eval '[ "$(session_get alice .usage.originated_bytes)" = $((3 * 84 + 88)) ]'
expect_accounted
