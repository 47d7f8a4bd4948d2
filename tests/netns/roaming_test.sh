#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Roaming: in the middle of a download the client's address and port change behind its back, as at a NAT
# that rebinds. The node follows on the first authentic packet; nothing is lost, nothing billed twice.
#
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

roamed_addr=192.0.2.11

# Without connection tracking, so that what is on its way to the old address still arrives.
# The node sends no outer UDP checksum, which nft would turn into a wrong one.
roam_to() { # ADDRESS PORT
	in_ns "$buyer" nft -f - <<END
flush ruleset
table ip roam {
	chain out {
		type route hook output priority 0
		oifname b0 udp dport 51820 ip saddr set $1 udp sport set $2
	}
	chain in {
		type filter hook prerouting priority raw
		iifname b0 udp sport 51820 udp dport 40000-40999 ip daddr set $buyer_addr udp dport set $client_port udp checksum set 0
	}
}
END
}

# A new neighbour is asked for by ARP: what the download sends meanwhile must find room.
conf[arp.hold_packets]=1024
buyer_connects alice
http_file file 12000000
ip -n "$buyer" addr add $roamed_addr/24 dev b0
client_port=$(in_ns "$buyer" wg show "$tun" listen-port)
pace $slow # so that the client roams three times before the download ends
fetch file &
download=$!
on_exit stop "$download"

step=0
for endpoint in $roamed_addr:40001 $roamed_addr:40002 "$buyer_addr:40003"; do
	step=$((step + 500000))
	wait_or_fail 60 "$step bytes of the download" eval "[ \$(stat -c %s '$tmp/file' || echo 0) -gt $step ]"
	roam_to "${endpoint%:*}" "${endpoint#*:}"
	wait_or_fail 30 "endpoint $endpoint" session_has alice .usage.endpoint "$endpoint"
	kill -0 $download || fail "the download ended before the client had roamed"
done
pace $topo_rate

wait $download
is_fetched file || fail "the file arrived altered"
expect_all_agree alice
expect_no_reconnect
expect_eq "endpoint at the end" "$(session_get alice .usage.endpoint)" "$buyer_addr:40003"
