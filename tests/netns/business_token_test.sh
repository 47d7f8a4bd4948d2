#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sessions paid with a dollar token of six decimals, as the large ones are: one with an allowance and
# vouchers, one by permit and without vouchers. Price, escrow, split and refund are in the token, to its
# smallest unit; no coin but gas moves.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

deposit=500000 # 1 GB at 0.50
max_price_per_gb=0.5

business_up
http_up
http_file file 3000000

# The token, and money for the buyer.
token=$(in_ns "$chain" node "$netns_dir/stablecoin.mjs" $chain_rpc "${address[owner]}" "${address[buyer]}" 5000000)
chain_tw operator price --escrow "$escrow" --node "$node_id" --asset "$token" --price-per-gb 0.5 \
	>"$tmp/price.json" || fail "chain price: $(cat "$tmp/price.json")"

session_buy vouchers voucher --token "$token"
session_buy proposal optimistic --voucher-signer none --token "$token" --permit
for name in vouchers proposal; do
	expect_eq "the asset, $name" "$(bought_get $name .purchase.asset)" "$token"
done

wallet_tunnel vouchers "tw$$b"
fetch file
is_fetched file || fail "the file arrived altered"
voucher vouchers "$(bought_used vouchers)"
session_end vouchers
wait_or_fail 60 "the settlement" bought_has vouchers .state settled

wallet_tunnel proposal "tw$$c"
rm "$tmp/file"
fetch file
is_fetched file || fail "the file arrived altered"
session_end proposal
wait_or_fail 60 "the proposal" bought_is proposal proposed
chain_advance 86401
wait_or_fail 60 "the settlement" bought_has proposal .state settled

for name in vouchers proposal; do
	session_refund $name
done
for name in payout treasury; do
	chain_tw $name withdraw --escrow "$escrow" --asset "$token" >"$tmp/$name.json" ||
		fail "$name withdraws: $(cat "$tmp/$name.json")"
done
expect_ledger vouchers proposal
for name in vouchers proposal; do
	used=$(bought_get $name .usage.used_bytes)
	expect_eq "settled, $name" "$(ledger_get $name bytes_used)" "$used"
	expect_eq "the escrow, $name" "$(ledger_get $name escrow_wei)" $deposit
	cost=$((used / 2000)) # 0.5 dollars of 10^6 units for 10^9 bytes, rounded down
	expect_eq "the cost, $name" "$(ledger_get $name cost_wei)" $cost
	expect_eq "the fee, $name" "$(ledger_get $name fee_wei)" $((cost / 100))
	expect_eq "back to the buyer, $name" "$(ledger_get $name refund_wei)" $((deposit - cost))
	expect_eq "still held, $name" "$(ledger_get $name held_wei)" 0
	session_verify $name || fail "verify $name: $(cat "$tmp/$name.verified.json")"
done
