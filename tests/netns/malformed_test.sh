#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# Malformed frames on both ports, one for each way in which a frame can be wrong below WireGuard: each
# raises its own counter by one and no other, none is forwarded or billed, and the buyer's traffic goes on.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

# AF_PACKET would keep fragments back, to reassemble them.
topo_driver=af_xdp
buyer_connects alice
expect_accounted

# expect_counted NAMESPACE INTERFACE SIDE ADDRESS OWN PORT: what malformed.py announces is what is counted.
expect_counted() {
	local mac
	mac=$(ip -n "$node" -j link show "$6" | jq -r '.[0].address')
	dp totals | sort >"$tmp/before"
	in_ns "$1" python3 "$netns_dir/malformed.py" "$2" "$3" "$mac" "$4" "$5" | sort | uniq -c |
		awk '{ print $1, $2 }' | sort -k 2 >"$tmp/announced"
	expect_over "kinds of frames" "$(wc -l <"$tmp/announced")" 18
	wait_for 30 "every frame of the $3 port" is_counted ||
		fail "$3 port, announced < and counted >: $(cat "$tmp/difference")"
	expect_accounted
}

# The client and the neighbours have their own times for a keepalive, a handshake or an ARP question.
is_counted() {
	dp totals | awk -v file="$tmp/before" 'BEGIN { while (getline <file) before[$1] = $2 }
		/^consumed_(arp|keepalive|handshake) / { next }
		/^(drop|consumed)_/ && $2 > before[$1] { print $2 - before[$1], $1 }' | sort -k 2 >"$tmp/risen"
	diff "$tmp/announced" "$tmp/risen" >"$tmp/difference"
}

expect_counted "$internet" i0 internet $node_internet_addr $server n1
expect_counted "$buyer" b0 tunnel $node_tunnel_addr "$buyer_addr" n0
expect_eq "bill" "$(session_bill alice)" "0 0"
captures_stop
captures_start # without the node's own echo replies and frames that claimed to be the node's
tour
expect_all_agree alice
