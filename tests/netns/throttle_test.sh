#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Throttling: an operator who would rather slow down than cut. At the quota the gate turns to the free rate:
# packets go on passing, none of them is billed, all of them are counted apart.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

conf[sessions.free_rate_kbps]=400
topo_up
echo_up
session_add alice 100000B --at-quota throttle
buyer_up alice
wait_or_fail 60 "the handshake" wg_is_connected
captures_start
echo_flow 1500 300 --size 300
wait_or_fail 30 "throttling" session_has alice .usage.gate throttled
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
