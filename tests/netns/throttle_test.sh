#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Throttling: an operator who would rather slow down than cut. At the quota the gate turns to the free rate:
# packets go on passing, none of them is billed, all of them are counted apart.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

# Every byte that a capture saw is billed or free.
all_agrees() {
	local bill
	bill=$(session_bill alice)
	[ $((${bill% *} + $(session_get alice .usage.free_out_bytes))) = "$(count_out)" ] &&
		[ $((${bill#* } + $(session_get alice .usage.free_in_bytes))) = "$(count_in)" ]
}

conf[sessions.free_rate_kbps]=400
topo_up
echo_up
session_add alice 100000B --at-quota throttle
buyer_up alice
wait_or_fail 60 "the handshake" wg_is_connected
captures_start
echo_flow 1500 300 --size 300 --patience 2 # what exceeds the free rate is lost
wait_or_fail 30 "throttling" session_has alice .usage.gate throttled
wait_for 30 "billed and free bytes to agree with the captures" all_agrees || true
bill=$(session_bill alice)
expect_between "bytes billed" $((${bill% *} + ${bill#* })) $((100000 - 1419)) 100000
captures_stop
free_out=$(session_get alice .usage.free_out_bytes)
free_in=$(session_get alice .usage.free_in_bytes)
expect_over "free bytes outbound" "$free_out" 10000
expect_over "free bytes inbound" "$free_in" 10000
expect_eq "billed and free bytes outbound" $((${bill% *} + free_out)) "$(count_out)"
expect_eq "billed and free bytes inbound" $((${bill#* } + free_in)) "$(count_in)"
expect_accounted
