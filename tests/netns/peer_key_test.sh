#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A buyer's WireGuard key in mid-life, against the real data plane: two buyers with one key; another key
# for a session whose tunnel is up, which ends the former one at once and loses no byte; a key that was
# stored just before the control plane was killed; and the whole API document walked on a bought session.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

conf[usage.poll_interval_ms]=100
conf[api.requests_per_minute]=100000
business_up
(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$tmp/state/admin.token")
control_restart
http_up
http_file one 1000000
http_file two 700000
http_file three 300000

session_buy alice voucher
buyer_is=other session_buy bob voucher

# choose NAME KEY: brings the public half by the wallet; the answer is in $tmp/wallet.json.
choose() {
	wallet "$1" peer "$node_id" "$(wg pubkey <<<"$2")"
}

used() {
	bought_get alice .usage.used_bytes
}

# client TUN KEY: alice's client with this key, on an interface of its own.
client() {
	jq -r .reply.config "$tmp/wallet.json" | sed "s|^PrivateKey = .*|PrivateKey = $2|" >"$tmp/alice.conf"
	chmod 600 "$tmp/alice.conf"
	buyer_up alice "$1"
}

is_ready_with() { # PRIVATE-KEY
	bought_has alice .public_key "$(wg pubkey <<<"$1")" && session_is_ready "${chain_session[alice]}"
}

# ---- two buyers, one key ---------------------------------------------------------------------

first=$(wg genkey)
choose alice "$first"
expect_status 200
buyer_is=other choose bob "$first"
expect_status 409
expect_eq "the problem" "$(jq -r .reply.type "$tmp/wallet.json")" urn:tollwire:problem:public-key-in-use
# A buyer of something else signs for alice's session.
buyer_is=other choose alice "$(wg genkey)"
expect_status 403
expect_eq "the problem" "$(jq -r .reply.type "$tmp/wallet.json")" urn:tollwire:problem:wrong-signer

# ---- the first key ---------------------------------------------------------------------------

sleep 1.1 # a proof is newer by its second
choose alice "$first"
expect_status 200
wait_or_fail 30 "the first key in the data plane" is_ready_with "$first"
expect_eq "who signed the configuration" "$(jq .reply "$tmp/wallet.json" |
	node "$netns_dir/config_signer.mjs" $chain_id "$escrow" "$node_id" "${chain_session[alice]}")" \
	"$(jq -r .reply.signer "$tmp/wallet.json")"
expect_eq "the signer" "$(jq -r .reply.signer "$tmp/wallet.json" | tr A-F a-f)" "$(tr A-F a-f <<<"${address[settler]}")"
client "tw${$}a" "$first"
wait_or_fail 60 "the handshake" wg_is_connected
fetch one || fail "the first file"
is_fetched one || fail "the first file arrived altered"
session_bill "${chain_session[alice]}" >/dev/null
before=$(used)
expect_over "bytes billed for a file of 1 MB" "$before" 1000000

# ---- another one while the tunnel is up ------------------------------------------------------

second=$(wg genkey)
choose alice "$second"
expect_status 200
wait_or_fail 30 "the second key in the data plane" is_ready_with "$second"
expect_over "bytes billed, over the change" "$(($(used) + 1))" "$before"
from_buyer ping -c 3 -i 0.2 -W 1 $server >/dev/null && fail "the former key's tunnel goes on"
in_ns "$buyer" ip link del "$tun"
client "tw${$}b" "$second"
wait_or_fail 60 "the handshake" wg_is_connected
fetch two || fail "the second file"
is_fetched two || fail "the second file arrived altered"
session_bill "${chain_session[alice]}" >/dev/null
middle=$(used)
expect_over "bytes billed after both" "$middle" $((before + 700000))
expect_eq "the state" "$(bought_get alice .state)" active
# The former key is anybody's again.
buyer_is=other choose bob "$first"
expect_status 200

# ---- killed between the stored proof and the data plane's answer -----------------------------

third=$(wg genkey)
kill -STOP "$dataplane_pid"
choose alice "$third"
expect_status 200
kill9 "$control_pid"
kill -CONT "$dataplane_pid"
control_start
wait_or_fail 30 "the third key in the data plane" is_ready_with "$third"
in_ns "$buyer" ip link del "$tun"
client "tw${$}c" "$third"
wait_or_fail 60 "the handshake" wg_is_connected
fetch three || fail "the third file"
is_fetched three || fail "the third file arrived altered"
session_bill "${chain_session[alice]}" >/dev/null
expect_over "bytes billed after all" "$(used)" $((middle + 300000))
expect_eq "reviews" "$(bought_get alice '.reviews | length')" 0

# ---- the document, on a bought session -------------------------------------------------------

from_buyer python3 "$netns_dir/api_walk.py" http://$office_addr:$api_port "$tmp/state/admin.token" \
	"${chain_session[bob]}" >"$tmp/walk" || fail "the walk: $(cat "$tmp/walk")"
say "peer_key_test: $(used) bytes over three keys; $(tail -n 1 "$tmp/walk")"
