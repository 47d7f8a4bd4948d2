#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# A client with the wrong key of the node: its mac1 is wrong, it gets no answer, and nothing is billed.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_up
session_add alice 1MB
sed -i "s|^PublicKey = .*|PublicKey = $(wg genkey | wg pubkey)|" "$tmp/alice.conf"
buyer_up alice
from_buyer ping -q -c 1 -W 1 $server >/dev/null && fail "a ping passed without a handshake"
wait_or_fail 30 "the initiation" eval '[ "$(dropped wg_mac1)" -gt 0 ]'
expect_eq "handshakes" "$(dp_total handshakes_completed)" 0
expect_eq "bill" "$(session_bill alice)" "0 0"
expect_accounted
