#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The rekey at 120 s under traffic: wireguard-go makes a new handshake while datagrams run both ways, and
# none of them is lost, doubled or billed twice. The one test that waits for real time, because
# wireguard-go's clock cannot be turned.
#
# alongside: yes (it takes 130 s and little of the machine; scripts/test lets the others run beside it)
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

handshake_time() { # of the client's newest, in Unix seconds
	in_ns "$buyer" wg show "$tun" latest-handshakes | cut -f2
}

has_rekeyed() {
	[ "$(handshake_time)" -ge $((first + 110)) ]
}

has_gone_on() {
	[ "$(session_get alice .usage.in_pkts)" -gt $((in_pkts + 500)) ]
}

buyer_connects alice
first=$(handshake_time)
echo_flow 100000 100 --stop-file "$tmp/stop" &
flow=$!
on_exit stop "$flow"
wait_or_fail 300 "the second handshake" has_rekeyed
# Those that are under way with the former keypair arrive, those that follow go with the new one.
in_pkts=$(session_get alice .usage.in_pkts)
wait_or_fail 60 "traffic after it" has_gone_on
touch "$tmp/stop"
wait "$flow"
expect_over "datagrams sent" "$(flow_get sent)" 1000
expect_flow "$(flow_get sent)"
expect_between "handshakes" "$(dp_total handshakes_completed)" 2 3
expect_dropped wg_index_unknown 0
expect_dropped wg_keypair_expired 0
expect_dropped wg_no_keypair 0
expect_all_agree alice
