#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two ports over AF_XDP on veth (copy mode). Traffic passes, no
# hop loses a packet, the bill is what the captures saw.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_driver=af_xdp
buyer_connects alice
tour
expect_all_agree alice
