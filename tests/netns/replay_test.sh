#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Replay: datagrams of the client, recorded on the wire, are sent again from the client's own address and
# from a stranger's. All are dropped as replays; no byte is billed, the endpoint stays, traffic goes on. The
# same datagrams with one bit turned are not even authentic.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
capture wire "$buyer" b0 -s 0 "udp dst port 51820 and src host $buyer_addr"
echo_flow 100 400
wait_or_fail 30 "the bill to agree with the captures" bill_agrees alice
bill=$(session_bill alice)
endpoint=$(session_get alice .usage.endpoint)
ip -n "$buyer" addr add 192.0.2.66/24 dev b0

wait_or_fail 30 "the capture" capture_is_quiet "$tmp/wire.pcap"
cp "$tmp/wire.pcap" "$tmp/recorded"

resend() { # OPTION...
	in_ns "$buyer" python3 "$netns_dir/resend.py" "$tmp/recorded" b0 --type 4 "$@"
}

n=$(resend)
expect_over "datagrams sent again" "$n" 99
wait_or_fail 30 "replays" eval "[ \$(dropped wg_replay) = $n ]"
expect_dropped wg_replay "$n"
resend --source 192.0.2.66 >/dev/null
wait_or_fail 30 "replays from elsewhere" eval "[ \$(dropped wg_replay) = $((2 * n)) ]"
expect_dropped wg_auth 0
resend --flip >/dev/null
wait_or_fail 30 "forgeries" eval "[ \$(dropped wg_auth) = $n ]"

expect_eq "bill after the replays" "$(session_bill alice)" "$bill"
expect_eq "endpoint after the replays" "$(session_get alice .usage.endpoint)" "$endpoint"
echo_flow 100 400
expect_eq "datagrams lost afterwards" "$(flow_get lost)" 0
expect_bill alice
expect_accounted
