#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two ports over TAP devices that the node makes itself. Traffic passes, no
# hop loses a packet, the bill is what the captures saw.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_driver=tap
buyer_connects alice
tour
expect_all_agree alice
