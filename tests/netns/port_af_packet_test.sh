#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two ports over AF_PACKET on veth. Traffic passes, no
# hop loses a packet, the bill is what the captures saw.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
tour
expect_all_agree alice
