#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# A real client's handshake: one initiation, one response, and the session is active; ICMP, TCP and UDP
# pass, each byte is billed, every packet is accounted for.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
tour
expect_all_agree alice
expect_eq "handshakes" "$(dp_total handshakes_completed)" 1
expect_eq "initiations" "$(dp_total consumed_handshake)" 1
expect_over "keepalives that confirmed the keypair" "$(dp_total consumed_keepalive)" 0
expect_eq "state of the session" "$(session_get alice .state)" active
expect_over "last handshake" "$(session_get alice .usage.last_handshake_unix_sec)" 0
