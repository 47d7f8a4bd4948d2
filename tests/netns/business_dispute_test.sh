#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The attestor, and buyers who contest a proposal:
#   resolved   the attestor's figure, below the proposal, settles a dispute
#   unresolved nobody attests: after the attestor's time the node executes at what the buyer accepted
#   attested   in attested mode the attestor's word settles at once, without a proposal
# Each pays what was decided, to the wei, and the rest goes back.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

deposit=1000000000000000

business_up
http_up
http_file file 600000
chain_tw operator attestor --escrow "$escrow" --node "$node_id" --attestor "${address[attestor]}" \
	>"$tmp/attestor.json" || fail "chain attestor: $(cat "$tmp/attestor.json")"
session_buy resolved optimistic --voucher-signer none --attestor "${address[attestor]}"
session_buy unresolved optimistic --voucher-signer none --attestor "${address[attestor]}"
session_buy attested attested --attestor "${address[attestor]}"

# use NAME TUN: 600 kB, then ended by the buyer; $used.
use() {
	wallet_tunnel "$1" "$2"
	rm -f "$tmp/file"
	fetch file
	is_fetched file || fail "the file arrived altered"
	used=$(bought_used "$1")
	session_end "$1"
}

dispute() { # NAME BYTES: accepted
	wait_or_fail 60 "the proposal" bought_is "$1" proposed
	buyer_tw dispute "$tmp/$1.session" --key-file "$tmp/buyer.key" --accept "${2}B" --json \
		>"$tmp/$1.disputed.json" || fail "buyer dispute: $(cat "$tmp/$1.disputed.json")"
	wait_or_fail 60 "the dispute at the node" bought_has "$1" .state disputed
}

# attest WHO NAME BYTES: that account's word on them and on the root of the node's checkpoints.
attest() {
	local root
	buyer_is=$1
	shift
	root=$(in_ns "$chain" "$twctl" --config "$tmp/tollwire.yaml" verify --session "${chain_session[$1]}" \
		--signer "$(bought_get "$1" .purchase.usage_signer)" --root none --json | jq -r .root)
	wallet "$1" attestation "$2" "$root"
	buyer_is=buyer
}

use resolved "tw$$b"
dispute resolved 100000
attest other resolved 400000
expect_status 403
attest attestor resolved 400000
expect_status 200
wait_or_fail 60 "the settlement" bought_has resolved .state settled

use attested "tw$$c"
wait_or_fail 60 "final usage" bought_has attested .state settling
attest attestor attested "$used"
expect_status 200
wait_or_fail 60 "the settlement" bought_has attested .state settled

use unresolved "tw$$d"
dispute unresolved 250000
chain_advance $((7 * 86400 + 1))
wait_or_fail 60 "the execution" bought_has unresolved .state settled

for name in resolved unresolved attested; do
	session_refund $name
done
expect_ledger resolved unresolved attested
expect_eq "settled, resolved" "$(ledger_get resolved bytes_used)" 400000
expect_eq "settled, unresolved" "$(ledger_get unresolved bytes_used)" 250000
expect_eq "settled, attested" "$(ledger_get attested bytes_used)" "$(bought_get attested .usage.used_bytes)"
for name in resolved unresolved attested; do
	expect_eq "back to the buyer, $name" "$(ledger_get $name refund_wei)" \
		$((deposit - $(ledger_get $name bytes_used) * 1000000))
	session_verify $name || fail "verify $name: $(cat "$tmp/$name.verified.json")"
done
expect_eq "proposals of the attested session" \
	"$(jq -r --arg id "${chain_session[attested]}" '[.sessions[] | select(.session_id == $id) |
		.chain_events[] | select(. == "SettlementProposed")] | length' "$tmp/ledger.json")" 0
