#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The data plane is killed twice while there is no control plane. What the first one billed after the control
# plane had died stands in a segment that nobody reads for two boots: the total is right all the same, and
# the quota is not granted twice.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

quota=18000000
buyer_connects alice ${quota}B
http_file file 30000000
pace $slow # so that the kills come long before the end of the quota
fetch_in_background file
wait_or_fail 60 "a part of the download" has_fetched file 1000000
kill9 "$control_pid"
wait_or_fail 60 "another part, unseen by a control plane" has_fetched file 2500000
kill9 "$dataplane_pid"
stop "$download"

dataplane_start
from_buyer ping -q -c 2 -W 1 $server >/dev/null && fail "a data plane without sessions forwards"
kill9 "$dataplane_pid"
dataplane_start
expect_eq "segments, two of them dead" "$(find "$tmp/run" -name 'counters.*' | wc -l)" 3

control_start
wait_or_fail 30 "session alice in the third data plane" session_is_ready alice
expect_bill_within alice 1
bill=$(session_bill alice)
expect_over "bytes billed" $((${bill% *} + ${bill#* })) 2500000
wait_or_fail 30 "the end of the harvested segments" eval "[ \$(find '$tmp/run' -name 'counters.*' | wc -l) = 1 ]"

client_restarts alice
pace $topo_rate
fetch_in_background file
wait_or_fail 60 "the end of the quota" session_is_cut alice
expect_bill_within alice 1
bill=$(session_bill alice)
expect_between "bytes billed" $((${bill% *} + ${bill#* })) $((quota - 1419)) "$quota"
expect_accounted
