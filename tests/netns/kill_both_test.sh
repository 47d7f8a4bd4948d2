#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# kill -9 of both processes in the middle of a download, twice: neither a counted byte is lost nor one
# counted twice, and the quota is kept across all of it.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

quota=18000000
buyer_connects alice ${quota}B
http_file file 30000000
pace $slow # so that the kills come long before the end of the quota
fetch_in_background file
wait_or_fail 60 "a part of the download" has_fetched file 1000000
kill9 "$dataplane_pid"
kill9 "$control_pid"
dataplane_start
control_start
wait_or_fail 30 "session alice in the new data plane" session_is_ready alice
expect_bill_within alice 1
stop "$download"

client_restarts alice
fetch_in_background file
wait_or_fail 60 "a part of the second download" has_fetched file 1000000
kill9 "$control_pid"
kill9 "$dataplane_pid"
control_start_alone
dataplane_start
wait_or_fail 30 "session alice in the third data plane" session_is_ready alice
expect_bill_within alice 2
stop "$download"

client_restarts alice
pace $topo_rate
fetch_in_background file
wait_or_fail 60 "the end of the quota" session_is_cut alice
expect_bill_within alice 2
bill=$(session_bill alice)
expect_between "bytes billed" $((${bill% *} + ${bill#* })) $((quota - 1419)) "$quota"
expect_between "bytes delivered" $(($(count_out) + $(count_in))) $((quota - 1419)) $((quota + unbilled))
expect_accounted
