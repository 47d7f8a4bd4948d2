#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Quota: a download and an upload at once use up the session; the gate closes both ways with less than one
# packet left, nothing passes until the top-up, then both transfers finish. Twice in a row.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

quota=2000000
buyer_connects alice ${quota}B
# Larger than the first two limits by itself: iperf3 may end before all of its bytes have been on the way.
http_file file 5000000
iperf_up
fetch file &
download=$!
on_exit stop "$download"
from_buyer iperf3 -c $server -n 1500000 --json >"$tmp/iperf3.json" &
upload=$!
on_exit stop "$upload"
for top_up in 2000000 20000000; do
	wait_or_fail 60 "the end of the quota" session_is_cut alice
	wait_for 30 "the last bytes" has_delivered $((quota - 1419)) || true
	wait_for 30 "the bill to agree with the captures" bill_agrees alice || true
	now=$(date +%s.%N)
	bytes=$(($(count_out "$now") + $(count_in "$now")))
	expect_between "bytes delivered at the quota" "$bytes" $((quota - 1419)) "$quota"
	expect_over "packets dropped at the closed gate" "$(dropped gate_closed)" 0
	quota=$((quota + top_up))
	tw session top-up alice --by ${top_up}B >/dev/null
	wait_or_fail 30 "the top-up" eval "! session_is_cut alice || [ \"\$(dropped quota)\" -gt 1 ]"
done
expect_dropped quota 2
wait "$download"
wait "$upload"
is_fetched file || fail "the file arrived altered"
expect_eq "gate" "$(session_get alice .usage.gate)" open
expect_all_agree alice
