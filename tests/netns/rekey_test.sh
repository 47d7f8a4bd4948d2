#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The rekey at 120 s under traffic: wireguard-go makes a new handshake while datagrams run both ways, and
# none of them is lost, doubled or billed twice. The one test that waits for real time, because
# wireguard-go's clock cannot be turned.
#
# alongside: yes (it takes 130 s and little of the machine; scripts/test lets the others run beside it)
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
echo_flow 13000 100
expect_flow 13000
expect_between "handshakes" "$(dp_total handshakes_completed)" 2 3
expect_dropped wg_index_unknown 0
expect_dropped wg_keypair_expired 0
expect_dropped wg_no_keypair 0
expect_all_agree alice
