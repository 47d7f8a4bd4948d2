#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Buyers who close early, on chain or at the node. A session that was never used gives the whole deposit
# back without a wait for the grace; one that was used is finalised at what was used and signed; one
# that was used without a signature costs its buyer nothing, and the node no more than one credit.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

credit=1000000
deposit=1000000000000000
conf[voucher.credit_bytes]=$credit

business_up
http_up
http_file file 600000
for name in unused signed unsigned; do
	session_buy $name voucher
done

session_end unused
wait_or_fail 60 "the refund" bought_has unused .state refunded

wallet_tunnel signed "tw$$b"
captures_start
fetch file
is_fetched file || fail "the file arrived altered"
expect_bill "${chain_session[signed]}"
used=$(bought_used signed)
voucher signed "$used"
buyer_tw end "$tmp/signed.session" --key-file "$tmp/buyer.key" --at-node --json >"$tmp/signed.ended.json" ||
	fail "buyer end --at-node: $(cat "$tmp/signed.ended.json")"
wait_or_fail 60 "the settlement" bought_has signed .state settled

# Nobody signs any more: the node waits for its patience, in the chain's time, and then gives back all.
wallet_tunnel unsigned "tw$$c"
fetch file
expect_between "bytes served on credit" "$(bought_used unsigned)" 600000 $credit
session_end unsigned
wait_or_fail 60 "the wait for its last voucher" bought_has unsigned .state settling
wait_or_fail 30 "the closing on chain" bought_has unsigned .purchase.is_closed true
chain_advance 601
wait_or_fail 60 "the refund" bought_has unsigned .state refunded

for name in unused signed unsigned; do
	session_refund $name
done
expect_ledger unused signed unsigned
expect_eq "what came back, unused" "$(ledger_get unused refund_wei)" $deposit
expect_eq "what was settled, signed" "$(ledger_get signed bytes_used)" "$used"
expect_eq "what came back, signed" "$(ledger_get signed refund_wei)" $((deposit - used * 1000000))
expect_eq "what came back, unsigned" "$(ledger_get unsigned refund_wei)" $deposit
session_verify signed || fail "verify: $(cat "$tmp/signed.verified.json")"
expect_accounted
