#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# kill -9 of the control plane in the middle of traffic: no packet is lost, the bill goes on, and the quota
# is enforced to the byte while nobody is there to look. The next control plane finds the true totals.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice 2000000B
http_file file 4000000
echo_flow 900 300 &
flow=$!
on_exit stop "$flow"
wait_or_fail 30 "traffic" eval '[ "$(session_get alice .usage.in_pkts)" -gt 100 ]'
kill9 "$control_pid"
wait "$flow"
expect_flow 900
expect_no_reconnect

fetch_in_background file
wait_or_fail 60 "the end of the quota" eval '[ "$(dropped gate_closed)" -gt 2 ]'
expect_delivered $((2000000 - 1419)) 2000000

control_start
wait_or_fail 30 "the gate" session_is_cut alice
wait_for 30 "the bill to agree with the captures" bill_agrees alice || true
expect_eq "bill after the restart" "$(session_bill alice)" "$(count_out) $(count_in)"
tw session top-up alice --by 10MB >/dev/null
wait "$download"
is_fetched file || fail "the file arrived altered"
# A client that hears nothing for long makes a handshake by itself; the node has forgotten none of its keypairs.
for reason in wg_index_unknown wg_no_keypair wg_keypair_expired; do
	expect_dropped $reason 0
done
expect_all_agree alice
