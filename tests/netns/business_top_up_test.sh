#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A top-up in mid-transfer, paid on chain by a transaction that the node's API built: the transfer goes
# on undisturbed, the new limit and expiry are in force while it runs, the bill is what both captures saw,
# and the settlement splits both payments together.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

deposit=3000000000000000 # 1 GB, and 2 more

business_up
http_up
http_file file 3000000
session_buy alice optimistic --voucher-signer none
wallet_tunnel alice
losses_start
captures_start
expires=$(bought_get alice .purchase.expires_unix_sec)

# transfer: download after download, each whole, until the top-up was seen.
transfer() {
	until [ -e "$tmp/topped-up" ]; do
		fetch file && is_fetched file || return 1
	done
}
transfer &
transfer_pid=$!
on_exit stop "$transfer_pid"
wait_or_fail 30 "the beginning of the download" has_fetched file 1000000

# top_up_tx GB SECONDS: built by the node, sent by the buyer's account.
top_up_tx() {
	from_buyer curl -sf http://$office_addr:$api_port/api/v1/tx/top-up -H 'Content-Type: application/json' \
		--data "{\"session_id\":\"${chain_session[alice]}\",\"data_gb\":$1,\"duration_sec\":$2}" \
		>"$tmp/tx.json" || fail "no transaction: $(cat "$tmp/tx.json")"
	rpc eth_sendTransaction "$(jq -c --arg value "$(printf '0x%x' "$(jq -r '.transactions[0].value' "$tmp/tx.json")")" \
		'[.transactions[0] | {from, to, data, value: $value}]' "$tmp/tx.json")" >/dev/null
}
top_up_tx 2 600
wait_or_fail 30 "the top-up at the node" bought_has alice .quota_bytes 3000000000
expect_eq "expiry" "$(bought_get alice .purchase.expires_unix_sec)" $((expires + 600))
touch "$tmp/topped-up"
wait "$transfer_pid" || fail "a download broke off or arrived altered"
expect_bill "${chain_session[alice]}"
expect_no_losses
expect_eq "packets dropped at a gate" "$(dropped gate_closed)" 0
used=$(bought_used alice)

session_end alice
wait_or_fail 60 "the proposal" bought_is alice proposed
chain_advance 86401
wait_or_fail 60 "the settlement" bought_has alice .state settled
session_refund alice
expect_ledger alice
expect_eq "the deposit" "$(ledger_get alice escrow_wei)" $deposit
expect_eq "bytes settled" "$(ledger_get alice bytes_used)" $used
expect_eq "what came back" "$(ledger_get alice refund_wei)" $((deposit - used * 1000000))
session_verify alice || fail "verify: $(cat "$tmp/alice.verified.json")"
expect_accounted
