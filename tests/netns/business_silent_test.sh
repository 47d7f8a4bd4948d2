#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A buyer who stops signing in the middle of a download: the gate closes at the credit, the session waits
# and says so, and does not end before voucher.patience_sec of the chain's time. Then the node finalises
# with the newest voucher, of its own accord; what it loses is at most one credit, and the bytes that it
# served are the ones that both captures saw.
# sanitizers: yes
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

signed=1500000
credit=1000000
patience=600
conf[voucher.credit_bytes]=$credit
conf[voucher.patience_sec]=$patience

business_up
http_up
http_file file 9000000
session_buy alice voucher
wallet_tunnel alice
captures_start
voucher alice $signed
fetch_in_background file 4M
wait_or_fail 30 "the wait for a voucher" bought_has alice '.purchase.waiting_since_unix_sec != null' true
expect_eq "state" "$(bought_get alice .state)" active
expect_eq "gate" "$(bought_get alice .usage.gate)" quota
expect_bill "${chain_session[alice]}"
expect_between "bytes served" "$(bought_used alice)" $((signed + credit - 1419)) $((signed + credit))

# Another purchase in a later block: what the node decides, it decides at that time at the earliest.
chain_advance $((patience - 120))
session_buy bob voucher
expect_eq "state before the patience ends" "$(bought_get alice .state)" active

chain_advance 180
wait_or_fail 60 "the settlement" bought_has alice .state settled
stop "$download"
expect_ledger alice
expect_eq "bytes settled" "$(ledger_get alice bytes_used)" $signed
expect_eq "cost" "$(ledger_get alice cost_wei)" "${signed}000000"
# Settled alone, so the rest went back without a step of the buyer's.
expect_eq "what the escrow still holds" "$(ledger_get alice held_wei)" 0
session_verify alice || fail "verify: $(cat "$tmp/alice.verified.json")"
expect_accounted
