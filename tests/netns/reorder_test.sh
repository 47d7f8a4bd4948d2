#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Reordering: a network that delays each datagram differently delivers them out of order, both ways, by
# dozens of places. None is lost, doubled or taken for a replay.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

buyer_connects alice
start "$tmp/relay.log" taskset -c "$other_cpus" ip netns exec "$buyer" \
	python3 "$netns_dir/reorder.py" "$buyer_addr" 51821 "$node_outer_addr" 51820
wait_or_fail 30 "the relay" in_ns "$buyer" sh -c 'ss -Hlun sport = :51821 | grep -q .'
in_ns "$buyer" wg set "$tun" peer "$(dp key)" endpoint "$buyer_addr:51821"
echo_flow 3000 1500 --size 400
expect_eq "datagrams lost" "$(flow_get lost)" 0
expect_eq "datagrams doubled" "$(flow_get doubled)" 0
expect_over "datagrams that came late" "$(flow_get reordered)" 100
expect_dropped wg_replay 0
expect_bill alice
expect_accounted
