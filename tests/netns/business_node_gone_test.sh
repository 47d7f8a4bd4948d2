#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A node that is killed for good after it served, with a voucher in its store that it never claimed: its
# buyers get their money back by themselves when the grace is over, and not before. One had closed its
# session, one waits for its expiry.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

deposit=1000000000000000
day=86400

business_up
http_up
http_file file 600000
session_buy closed voucher
session_buy open voucher
wallet_tunnel closed
fetch file
voucher closed 600000
kill9 "$control_pid"
kill9 "$dataplane_pid"

refused() { # NAME: its reclaim comes too soon
	if buyer_tw reclaim "$tmp/$1.session" --key-file "$tmp/buyer.key" >"$tmp/reclaim" 2>&1; then
		fail "$1 was reclaimed before the grace was over"
	fi
	expect_text "the refusal" "$tmp/reclaim" GraceNotOver
}

session_end closed
refused closed
chain_advance $((day - 600))
refused closed
chain_advance 700
session_refund closed
refused open
chain_advance 4000
session_refund open

expect_ledger closed open
for name in closed open; do
	expect_eq "what came back, $name" "$(ledger_get $name refund_wei)" $deposit
	expect_eq "what the escrow still holds, $name" "$(ledger_get $name held_wei)" 0
done

# What found nothing wrong would find one unit that came from elsewhere.
rpc eth_sendTransaction "[{\"from\":\"${address[other]}\",\"to\":\"${address[buyer]}\",\"value\":\"0x1\"}]" >/dev/null
ledger closed open
expect_over "what the ledger finds wrong" "$(jq '.disagreements | length' "$tmp/ledger.json")" 0
