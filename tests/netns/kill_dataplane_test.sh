#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of the data plane in the middle of a download: what it counted outlives it. The bill afterwards is
# at most what the captures saw, and at least that less one burst; the session is back in the next data
# plane with its total as base, and the client finds it again by itself.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
http_file file 20000000
pace $slow
fetch_in_background file
wait_or_fail 60 "a part of the download" has_fetched file 1500000
kill9 "$dataplane_pid"
wait_or_fail 30 "the loss of the data plane" eval '[ "$(tw_get .dataplane.is_attached status)" = false ]'
expect_eq "degraded" "$(tw_get .is_degraded status)" true
expect_bill_within alice 1
after_kill=$unbilled

dataplane_start
wait_or_fail 30 "session alice in the new data plane" session_is_ready alice
wait_or_fail 30 "the end of the degraded state" eval '[ "$(tw_get .is_degraded status)" = false ]'
bill=$(session_bill alice)
# A client of wireguard-go notices by itself after 15 s without an answer.
wait_or_fail 90 "the client's return" from_buyer ping -q -c 1 -W 1 $server
stop "$download"
pace $topo_rate
http_file small 500000
fetch small
is_fetched small || fail "the file arrived altered"
expect_bill_within alice 1
expect_eq "unbilled bytes at the end" "$unbilled" "$after_kill"
[ "$(session_bill alice)" != "$bill" ] || fail "the second data plane billed nothing"
expect_accounted
