#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# The disk fills up while a buyer downloads: the node says so in `twctl status`, goes on forwarding and
# enforcing, refuses to sell what it cannot record, and when there is room again nothing was lost. Also
# across a kill of the control plane in between.
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_programs
make_tmp
mkdir "$tmp/run" "$tmp/state"
mount -t tmpfs -o size=2m tollwire-test "$tmp/state"
on_exit umount "$tmp/state"
topo_links
conf[sessions.max]=1000
conf[memory.size_mb]=512
topo_write_config
dataplane_start
control_start
http_up
http_file file 8000000
session_add alice 5MB
buyer_up alice
losses_start
captures_start

fetch_in_background file 3M
wait_or_fail 30 "a part of the download" has_fetched file 500000
dd if=/dev/zero of="$tmp/state/ballast" bs=4k 2>/dev/null || true

# sell_until_refused: what free pages the database still has is used up by selling.
sell_until_refused() {
	local i
	for ((i = 0; i < 900; i++)); do
		tw session add "more$i" --quota 1MB --duration 1h --public-key "$(wg genkey | wg pubkey)" \
			>"$tmp/sold" 2>&1 || return 0
	done
	fail "the disk is full and sessions are sold without end"
}

sell_until_refused
expect_text "the refusal" "$tmp/sold" 'store'
expect_text "the refusal" "$tmp/sold" '[Nn]o space left|full'
wait_or_fail 30 "a condition in the status" eval '[ "$(tw_get .is_degraded status)" = true ]'
wait_or_fail 30 "the store in twctl status" eval 'tw status >"$tmp/status" && grep -q "! store" "$tmp/status"'
wait_or_fail 30 "the quota, enforced all the same" eval '[ "$(dropped gate_closed)" -gt 2 ]'
kill9 "$control_pid"

rm "$tmp/state/ballast"
control_start
wait_or_fail 30 "the same bill from node and captures after the restart" bill_agrees alice
wait_or_fail 30 "the end of the condition" eval '[ "$(tw_get .is_degraded status)" = false ]'
tw session top-up alice --by 10MB >/dev/null
wait "$download"
is_fetched file || fail "the file arrived altered"
expect_all_agree alice
