#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two buyers bring the same WireGuard public key: the second is told so and refused, and neither takes the
# other's traffic or pays for it. A buyer may replace its own key; the key that it gave up is free then, and
# the session that it left by it is not reached with it.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

business_up
http_up
http_file file 600000
session_buy alice voucher
buyer_is=other
session_buy bob voucher
buyer_is=buyer

wallet_tunnel alice "tw$$b"
shared=$(bought_get alice .public_key)

buyer_is=other
wallet bob peer "$node_id" "$shared"
expect_status 409
expect_eq "bob's key" "$(bought_get bob .public_key)" null
# Nor may bob choose the key of a session that is not his.
chain_session[theft]=${chain_session[alice]}
wallet theft peer "$node_id" "$(wg genkey | wg pubkey)"
expect_status 403
expect_eq "alice's key" "$(bought_get alice .public_key)" "$shared"

fetch file
is_fetched file || fail "alice's file arrived altered"
alice_used=$(bought_used alice)
expect_over "bytes billed to alice" "$alice_used" 600000
expect_eq "bytes billed to bob" "$(bought_get bob .usage.used_bytes)" 0

say "bob with a key of his own"
wallet_tunnel bob "tw$$c"
rm "$tmp/file"
fetch file
is_fetched file || fail "bob's file arrived altered"
expect_over "bytes billed to bob" "$(bought_used bob)" 600000
expect_eq "bytes billed to alice meanwhile" "$(bought_used alice)" "$alice_used"

say "alice replaces her key; bob takes the old one"
buyer_is=buyer
wallet alice peer "$node_id" "$(wg genkey | wg pubkey)"
expect_status 200
buyer_is=other
wallet bob peer "$node_id" "$shared"
expect_status 200
expect_eq "bob's key" "$(bought_get bob .public_key)" "$shared"

for name in alice bob; do
	[ $name = bob ] || buyer_is=buyer
	[ $name = alice ] || buyer_is=other
	voucher $name "$(bought_used $name)"
	session_end $name
	wait_or_fail 60 "the settlement of $name" bought_has $name .state settled
	session_refund $name
done
expect_ledger alice bob
for name in alice bob; do
	expect_eq "bytes settled, $name" "$(ledger_get $name bytes_used)" "$(bought_get $name .usage.used_bytes)"
done
