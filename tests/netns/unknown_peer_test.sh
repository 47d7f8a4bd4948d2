#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A client that nobody sold a session to: its handshake is dropped by name and nothing answers. A removed
# session is no session.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_up
session_add alice 1MB
session_add bob 1MB
sed -i "s|^PrivateKey = .*|PrivateKey = $(wg genkey)|" "$tmp/alice.conf"
buyer_up alice
from_buyer ping -q -c 1 -W 1 $server >/dev/null && fail "a ping passed without a session"
wait_or_fail 30 "the initiation" eval '[ "$(dropped wg_unknown_peer)" -gt 0 ]'

tw session remove bob >/dev/null
wait_or_fail 30 "the end of bob's session" session_has bob .usage.is_in_dataplane false
before=$(dropped wg_unknown_peer)
wg_configure "$tun" "$buyer" "$tmp/bob.conf"
from_buyer ping -q -c 1 -W 1 $server >/dev/null && fail "a ping passed in a removed session"
wait_or_fail 30 "the initiation of a removed session" eval '[ "$(dropped wg_unknown_peer)" -gt "$before" ]'
expect_eq "handshakes" "$(dp_total handshakes_completed)" 0
expect_accounted
