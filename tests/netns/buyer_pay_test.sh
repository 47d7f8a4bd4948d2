#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The buyer's tool as a product: provision, wg-quick with AllowedIPs 0.0.0.0/0, and pay with the voucher
# signer's key. The node and the chain are reached by the buyer's default route alone, so that everything
# that does not carry the tunnel's fwmark goes into the tunnel; the credit is small and the gate closes
# at it. The tool is killed in mid-transfer, the interface made anew, and the sums agree to the byte.
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

credit=300000
conf[voucher.credit_bytes]=$credit
conf[usage.poll_interval_ms]=50
conf[tunnel.mtu]=1400
conf[api.auth_domains]="[\"$office_addr:$api_port\"]"

business_up
http_up
http_file one 4000000
http_file two 3000000
http_file three 2000000

# Beside the tunnel there is the default route and nothing else.
ip -n "$buyer" addr del $buyer_public_addr/24 dev p0
ip -n "$buyer" addr add $buyer_public_addr/32 dev p0
ip -n "$buyer" route add default dev p0 src $buyer_public_addr

session_buy alice voucher --voucher-signer "${address[signer]}"
file=$tmp/alice.session
tun=tw$$q

# ---- provision -------------------------------------------------------------------------------

provision() { # OPTION...
	buyer_tw provision "$file" --key-file "$tmp/signer.key" --interface "$tun" \
		--out "$tmp/$tun.conf" "$@"
}

buyer_tw provision "$file" --key-file "$tmp/operator.key" --interface "$tun" >/dev/null 2>"$tmp/refused" &&
	fail "a stranger's key provisioned a session"
expect_text "the refusal" "$tmp/refused" "not the key of the session's buyer or voucher signer"
buyer_tw provision "$file" --key-file "$tmp/signer.key" --interface no/name >/dev/null 2>"$tmp/refused" && fail "an interface was called no/name"
expect_text "the refusal" "$tmp/refused" "'no/name': allowed is 1 to 15"

provision --json >"$tmp/provisioned.json" || fail "provision"
key=$(jq -r .public_key "$tmp/provisioned.json")
expect_eq "the configuration's mode" "$(stat -c %a "$tmp/$tun.conf")" 600
expect_eq "the key's mode" "$(stat -c %a "$file.key")" 600
expect_eq "the node's key" "$(sed -n 's/^PublicKey = //p' "$tmp/$tun.conf")" "$(dp key)"
expect_eq "the key's public half" "$(wg pubkey <"$file.key")" "$key"
expect_eq "the private key" "$(sed -n 's/^PrivateKey = //p' "$tmp/$tun.conf")" "$(cat "$file.key")"
grep -qF "$(cat "$file.key")" "$tmp/control.log" "$tmp/provisioned.json" && fail "the private key left the buyer"
expect_eq "the key that the node has" "$(session_get "${chain_session[alice]}" .public_key)" "$key"

provision --json >"$tmp/again.json"
expect_eq "what a second run says" "$(cat "$tmp/again.json")" "$(cat "$tmp/provisioned.json")"
provision --new-key --json >"$tmp/new.json"
[ "$(jq -r .public_key "$tmp/new.json")" != "$key" ] || fail "--new-key kept the key"
key=$(jq -r .public_key "$tmp/new.json")
expect_eq "the new key at the node" "$(session_get "${chain_session[alice]}" .public_key)" "$key"
expect_eq "the new key's public half" "$(wg pubkey <"$file.key")" "$key"
[ ! -e "$file.key.new" ] || fail "a second key was left"
# Somebody on the way changes one server of names, or the node's key, or nothing.
tampered() { # PORT FROM TO
	start "$tmp/tamper$1.log" ip netns exec "$office" python3 "$netns_dir/tamper.py" $office_addr "$1" \
		http://$office_addr:$api_port "$2" "$3"
	wait_or_fail 60 "the one between" in_ns "$office" sh -c "ss -Hltn sport = :$1 | grep -q ."
	provision --api "http://$office_addr:$1" >/dev/null 2>"$tmp/refused"
}
before=$(cat "$tmp/$tun.conf")
tampered 8091 8.8.8.8 6.6.6.6 && fail "a changed configuration was taken"
expect_text "the refusal" "$tmp/refused" "not signed by the node's operator or settler"
tampered 8092 "$(dp key)" "$(wg genkey | wg pubkey)" && fail "another node's configuration was taken"
expect_text "the refusal" "$tmp/refused" "not signed by the node's operator or settler"
expect_eq "the configuration" "$(cat "$tmp/$tun.conf")" "$before"
tampered 8093 nothing nothing || fail "an honest proxy: $(cat "$tmp/refused")"
expect_eq "the configuration" "$(cat "$tmp/$tun.conf")" "$before"

provision --qr >"$tmp/qr"
expect_text "the QR code" "$tmp/qr" '█.*█'
LC_ALL=C.UTF-8 python3 "$netns_dir/qr_pixels.py" "$tmp/qr" "$tmp/qr.pbm"
zbarimg -q --raw "$tmp/qr.pbm" 2>/dev/null >"$tmp/qr.conf" || fail "the QR code cannot be read"
diff -B "$tmp/qr.conf" "$tmp/$tun.conf" >/dev/null || fail "the QR code holds another text"

# ---- the tunnel, as the buyer brings it up ---------------------------------------------------

# wg-quick asks resolvconf to take the DNS servers; a namespace has none.
mkdir "$tmp/bin"
printf '#!/bin/sh\ncat >/dev/null\n' >"$tmp/bin/resolvconf"
chmod +x "$tmp/bin/resolvconf"

quick() { # up|down
	from_buyer env PATH="$tmp/bin:$PATH" WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go \
		LOG_LEVEL=error wg-quick "$1" "$tmp/$tun.conf" >"$tmp/wg-quick-$1.log" 2>&1
}

quick_up() {
	exec 7>/var/lock/tollwire-rmem.lock
	flock 7
	roomy_sockets
	quick up 7>&- || fail "wg-quick up: $(cat "$tmp/wg-quick-up.log")"
	ordinary_sockets
	exec 7>&-
	shape "$buyer" "$tun"
}
on_exit ip -n "$buyer" link del "$tun"

begin_pay() {
	start "$tmp/pay.log" taskset -c "$other_cpus" ip netns exec "$buyer" "$twctl" buyer pay "$file" \
		--key-file "$tmp/signer.key" --interval 1s --json
	pay_pid=$started
}

n_vouchers() {
	cat "$tmp"/pay[1-9].log "$tmp/pay.log" 2>/dev/null | sort -u | jq -rs 'map(select(.event == "voucher")) | length'
}

node_session() { # FILTER
	session_get "${chain_session[alice]}" "$1"
}

usage() { # FILTER
	jq -r "$1" "$file.usage"
}

is_all_signed() {
	[ "$(usage .signed_bytes)" = "$(node_session .usage.used_bytes)" ]
}

is_gate_closed() {
	[ "$(node_session .usage.gate)" = quota ]
}

begin_pay
quick_up
expect_text "the default route" <(in_ns "$buyer" ip route get $office_addr) "dev $tun"
wait_or_fail 60 "the handshake" from_buyer ping -c 1 -W 1 $server
fetch one --max-time 150 || fail "the first file"
is_fetched one || fail "the first file arrived altered"
expect_over "vouchers for 4 MB at a credit of 300 kB" "$(n_vouchers)" 9
wait_or_fail 60 "the last voucher" is_all_signed

# ---- killed in mid-transfer: the gate closes at the credit -----------------------------------

fetch_in_background two 400k # takes 7 s at least
wait_or_fail 60 "the beginning of the second file" has_fetched two 100000
kill9 "$pay_pid"
cp "$tmp/pay.log" "$tmp/pay1.log"
wait_or_fail 60 "the gate to close" is_gate_closed
signed=$(usage .signed_bytes)
expect_between "bytes served beyond the voucher" $(($(session_bill "${chain_session[alice]}" | tr ' ' +) - signed)) 0 "$credit"
kill -0 "$download" || fail "the download did not wait for the voucher"

# Into the tunnel no request gets through, so the gate stays closed ...
timeout 8 ip netns exec "$buyer" "$twctl" buyer pay "$file" --key-file "$tmp/signer.key" --once \
	--device "$tun" >"$tmp/inside.log" 2>&1 && fail "a voucher went through a closed gate"
expect_eq "the gate" "$(node_session .usage.gate)" quota
# ... and beside it they do: the chain answers, and a voucher opens the gate.
expect_eq "the session on the chain" "$(buyer_tw status "$file" --json | jq -r .status)" open
expect_eq "the session, by a device" "$(buyer_tw status "$file" --device p0 --json | jq -r .status)" open
begin_pay
wait "$download" || fail "the second file"
is_fetched two || fail "the second file arrived altered"
wait_or_fail 60 "the last voucher" is_all_signed

# ---- the interface made anew -----------------------------------------------------------------

cp "$tmp/pay.log" "$tmp/pay2.log"
quick down || fail "wg-quick down: $(cat "$tmp/wg-quick-down.log")"
wait_or_fail 60 "the end of the interface" grep -q '"interface_down"' "$tmp/pay.log"
quick_up
wait_or_fail 60 "the handshake" from_buyer ping -c 1 -W 1 $server
fetch three --max-time 150 || fail "the third file"
is_fetched three || fail "the third file arrived altered"
wait_or_fail 60 "the last voucher" is_all_signed

# ---- ended by the buyer ----------------------------------------------------------------------

cp "$tmp/pay.log" "$tmp/pay3.log"
buyer_tw end "$file" --at-node --key-file "$tmp/signer.key" >/dev/null 2>"$tmp/refused" &&
	fail "the voucher signer ended the buyer's session"
expect_text "the refusal" "$tmp/refused" "not the key of the session's buyer"
buyer_tw end "$file" --at-node --key-file "$tmp/buyer.key" --json >"$tmp/ended.json" ||
	fail "buyer end: $(cat "$tmp/ended.json")"
expect_text "what the node says" "$tmp/ended.json" '"node_state":"(draining|settling)"'
wait_gone 60 "$pay_pid" || fail "pay goes on after the end"
wait "$pay_pid" || fail "pay ended with an error: $(tail -n 3 "$tmp/pay.log")"
expect_text "pay's last word" "$tmp/pay.log" '"event":"over"'
is_settled() {
	[ "$(buyer_tw status "$file" --json | jq -r .status)" = settled ]
}
wait_or_fail 60 "the settlement" is_settled

# ---- the sums --------------------------------------------------------------------------------

own=$(usage '(.out_bytes | tonumber) + (.in_bytes | tonumber)')
used=$(node_session .usage.used_bytes)
# What the closed gate dropped has passed the buyer's interface, and is not billed.
expect_between "the buyer's own count" "$own" $((used - 50000)) $((used + 50000))
expect_eq "bytes signed" "$(usage .signed_bytes)" "$used"
expect_eq "bytes paid on the chain" "$(buyer_tw status "$file" --json | jq -r .claimed_bytes)" "$used"
say "buyer_pay_test: $(n_vouchers) vouchers, $used bytes billed, signed and paid, $own counted"
