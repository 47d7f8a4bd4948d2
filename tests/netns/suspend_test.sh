#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Suspending: a flow stops both ways when the admin suspends the session and goes on, in the same
# connection, when it is resumed.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
http_file file 12000000
pace $slow # so that it is suspended before it ends
fetch file &
download=$!
on_exit stop "$download"
wait_or_fail 60 "a part of the download" eval "[ \$(stat -c %s '$tmp/file' || echo 0) -gt 1000000 ]"
tw session suspend alice >/dev/null
wait_or_fail 30 "the closed gate" session_has alice .usage.gate closed
expect_eq "state" "$(session_get alice .state)" suspended
wait_or_fail 30 "the bill to agree with the captures" bill_agrees alice
bill=$(session_bill alice)
before=$(dropped gate_closed)
from_buyer ping -q -c 2 -i 0.3 -W 1 $server >/dev/null && fail "a ping passed in a suspended session"
expect_over "packets dropped at the gate" "$(dropped gate_closed)" "$before"
expect_eq "bill while suspended" "$(session_bill alice)" "$bill"
kill -0 $download || fail "the download ended before the session was suspended"
pace $topo_rate
tw session resume alice >/dev/null
wait $download
is_fetched file || fail "the file arrived altered"
expect_eq "state" "$(session_get alice .state)" active
expect_all_agree alice
