#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# A real client's handshake: each initiation has its response, and the session is active; ICMP, TCP and UDP
# pass, each byte is billed, every packet is accounted for.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_up
http_up
echo_up
session_add alice 100MB
capture wire "$buyer" b0 "udp port 51820"
buyer_up alice
wait_or_fail 30 "the handshake" wg_is_connected
losses_start
captures_start
tour
expect_all_agree alice

seen() { # PCAP-FILTER: how many packets on the buyer's link
	tcpdump -n -r "$tmp/wire.pcap" "$1" 2>/dev/null | wc -l
}
# One is enough; a client that waits for its response for 5 s, on a machine that stood still, sends another.
n=$(seen 'udp dst port 51820 and udp[8] = 1')
expect_over "initiations of the client" "$n" 0
expect_eq "initiations" "$(dp_total consumed_handshake)" "$n"
expect_eq "responses" "$(seen 'udp src port 51820 and udp[8] = 2')" "$n"
expect_between "handshakes" "$(dp_total handshakes_completed)" 1 "$n"
expect_over "keepalives that confirmed the keypair" "$(dp_total consumed_keepalive)" 0
expect_eq "state of the session" "$(session_get alice .state)" active
expect_over "last handshake" "$(session_get alice .usage.last_handshake_unix_sec)" 0
