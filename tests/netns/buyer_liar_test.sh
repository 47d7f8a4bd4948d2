#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# twctl buyer pay against a node that lies, breaks and vanishes: false_node.py claims what this script
# says, and its tunnel interface has passed what this script says. The session is one that was really
# bought. Whatever the node does, no voucher is for more than the own count and the tolerance, none is
# lower than one before, and none is for more than was bought.
# alongside: yes
set -euo pipefail
# shellcheck source=tests/netns/business.sh
. "$(dirname "$0")/business.sh"

topo_programs
make_tmp
topo_links
business_links
chain_up
contracts_deploy
chain_tw operator register --registry "$registry" --name liar --region nowhere \
	--price-per-gb $price_per_gb --endpoint 192.0.2.2:51820 --api-url http://127.0.0.1:9090 \
	--wg-public-key "$(wg genkey | wg pubkey)" --usage-signer "${address[operator]}" >"$tmp/node.json"
node_id=$(jq -r .node_id "$tmp/node.json")
file=$tmp/alice.session
buyer_tw buy "$file" --rpc $chain_rpc --chain-id $chain_id --escrow "$escrow" --key-file "$tmp/buyer.key" \
	--node "$node_id" --gb 1 --duration 1h --max-price-per-gb $price_per_gb \
	--voucher-signer "${address[signer]}" >/dev/null || fail "buyer buy"
tun=tw$$l

start "$tmp/liar.log" ip netns exec "$buyer" python3 "$netns_dir/false_node.py" "$tun" 9090 "$tmp/vouchers"
wait_or_fail 60 "the tunnel" ip -n "$buyer" link set "$tun" up
wait_or_fail 60 "the false node" in_ns "$buyer" sh -c 'ss -Hltn sport = :9090 | grep -q .'

tell() { # JSON
	in_ns "$buyer" curl -sf --max-time 20 -X PUT -d "$1" http://127.0.0.1:9090/ >/dev/null || fail "tell $1"
}

# claims USED [STATE]: what the node says from now on; it serves up to all there is.
claims() {
	tell "$(jq -n --argjson used "$1" --arg state "${2:-active}" '{status: 200, answer: ({state: $state,
		cumulative_bytes: 1, limit_bytes: 1000000000, used_bytes: $used,
		is_waiting_for_voucher: false} | tojson)}')"
}

# pay: in the background, quick rounds.
pay() {
	start "$tmp/pay.log" ip netns exec "$buyer" "$twctl" buyer pay "$file" --interface "$tun" \
		--key-file "$tmp/signer.key" --interval 1s
	pay_pid=$started
}

newest() {
	awk '{ print $1 } END { if (NR == 0) print 0 }' "$tmp/vouchers" | sort -n | tail -n 1
}

is_newest() { # BYTES
	[ "$(newest)" = "$1" ]
}

expect_end() { # CODE PATTERN
	local code=0
	wait_gone 60 "$pay_pid" || fail "pay goes on"
	wait "$pay_pid" || code=$?
	expect_eq "exit code" "$code" "$1"
	expect_text "what pay says" "$tmp/pay.log" "$2"
}

# ---- who signs ----

ip netns exec "$buyer" "$twctl" buyer pay "$file" --interface "$tun" --key-file "$tmp/buyer.key" \
	2>"$tmp/refused" && fail "the wrong key signed"
expect_text "the refusal" "$tmp/refused" "voucher signer is 0x976EA"
ip netns exec "$buyer" "$twctl" buyer pay "$file" --key-file "$tmp/signer.key" 2>"$tmp/refused" &&
	fail "a count began without an interface"
expect_text "the refusal" "$tmp/refused" "twctl buyer provision .* first, or name the tunnel"
for wrong in "--tolerance 101" "--tolerance x" "--interval 0" "--interval 2h" "--fwmark -1" "--tolerence 1"; do
	# shellcheck disable=SC2086
	if ip netns exec "$buyer" "$twctl" buyer pay "$file" --interface "$tun" \
		--key-file "$tmp/signer.key" $wrong 2>"$tmp/refused"; then
		fail "$wrong was taken"
	else
		expect_eq "exit code of $wrong" $? 2
	fi
	expect_text "the refusal" "$tmp/refused" "${wrong% *}"
done

# ---- honest, and up to the tolerance ----

claims 0
pay
# An interface that was there before is counted from the tool's first look.
wait_or_fail 60 "the first look" grep -q counting "$tmp/pay.log"
tell '{"pump": 1000000}'
claims 1000000
wait_or_fail 60 "a voucher for what passed" is_newest 1000000
claims 5000000 # 4 MB more than passed
wait_or_fail 60 "a voucher at the tolerance" is_newest 5000000

# ---- one octet beyond it ----

claims 5000001
expect_end 1 'the node claims 5.00 MB, 1.00 MB went through .* a loss of 4.00 MB'
expect_eq "the newest voucher" "$(newest)" 5000000
claims 900000000
pay
expect_end 1 'signing stopped: the node claims 900 MB'
expect_eq "the newest voucher" "$(newest)" 5000000

# A jump that was only in flight is held, not punished.
claims 6000000
pay
wait_or_fail 60 "the hold" grep -q 'looking again' "$tmp/pay.log"
expect_eq "the newest voucher" "$(newest)" 5000000
tell '{"pump": 5000000}'
wait_or_fail 60 "a voucher after the hold" is_newest 6000000

# ---- a node that forgets ----

claims 10
n=$(wc -l <"$tmp/vouchers")
wait_or_fail 60 "three more rounds" eval "[ \$(wc -l <'$tmp/vouchers') -gt $((n + 3)) ]"
expect_eq "the lowest of the last vouchers" "$(tail -n 3 "$tmp/vouchers" | sort -n | head -n 1 | cut -d' ' -f1)" 6000000

# ---- down, and broken ----

for broken in '{"status": 503, "answer": "{}"}' '{"status": 200, "answer": "hello"}' \
	'{"status": 200, "answer": "{\"used_bytes\":7000000}"}' '{"status": 429, "answer": "{}"}'; do
	tell "$broken"
	before=$(wc -l <"$tmp/vouchers") began=$SECONDS
	sleep 4 # nothing to wait for: that few come is what is tested
	wait_or_fail 30 "a request to a node that is down" eval "[ \$(wc -l <'$tmp/vouchers') -gt $before ]"
	n=$(($(wc -l <"$tmp/vouchers") - before))
	# At 0, 0.5, 1.5 and 3.5 s, and one that was on its way; later ones only where the 4 s took longer.
	expect_between "requests in 4 s to a node that is down" "$n" 1 $((6 + (SECONDS - began - 4) / 4))
	expect_eq "the newest voucher" "$(newest)" 6000000
	claims 6000000
	kill -0 "$pay_pid" || fail "pay gave up"
	before=$(wc -l <"$tmp/vouchers")
	wait_or_fail 90 "pay to come back" eval "[ \$(wc -l <'$tmp/vouchers') -gt $((before + 1)) ]"
done

# ---- killed between signing and sending ----

claims 6500000
wait_or_fail 60 "a voucher" is_newest 6500000
kill9 "$pay_pid"
# What stands on the disk was signed, and the node may not have it: it is sent, though it claims nothing new.
jq '.signed_bytes = 6600000' "$file.usage" >"$tmp/usage" && install -m 600 "$tmp/usage" "$file.usage"
pay
wait_or_fail 60 "the voucher of the disk" is_newest 6600000
ip netns exec "$buyer" "$twctl" buyer pay "$file" --key-file "$tmp/signer.key" 2>"$tmp/refused" &&
	fail "two count into one file"
expect_text "the refusal" "$tmp/refused" 'another process already counts'

# ---- more than was bought ----

claims 1000000001
expect_end 1 'the node claims 1000000001 bytes, bought were 1000000000'
expect_eq "the newest voucher" "$(newest)" 6600000

# Topped up on the chain, it is no longer more; that so little passed is another matter.
call=$(cd "$root/tests" && node --input-type=module -e 'import { ethers } from "ethers";
	console.log(new ethers.Interface(["function topUp(bytes32,uint256,uint256)"])
		.encodeFunctionData("topUp", [process.argv[1], 1, 0]));' "$(jq -r .session_id "$file")")
rpc eth_sendTransaction "[{\"from\":\"${address[buyer]}\",\"to\":\"$escrow\",\"value\":\"0x38d7ea4c68000\",
	\"data\":\"$call\"}]" >/dev/null
is_topped_up() {
	[ "$(buyer_tw status "$file" --json | jq -r .bought_bytes)" = 2000000000 ]
}
wait_or_fail 60 "the top-up" is_topped_up
pay
expect_end 1 'the node claims 1.00 GB, .* a loss of 99'
expect_eq "bytes bought, as the count remembers" "$(jq -r .bought_bytes "$file.usage")" 2000000000
expect_eq "the newest voucher" "$(newest)" 6600000

# ---- a top-up that is not there, or not any more ----

claims 6600000
n=$(wc -l <"$tmp/vouchers")
tell '{"status": 409, "answer": "{\"type\":\"urn:tollwire:problem:voucher-too-large\",\"detail\":\"more than was bought\"}"}'
pay
wait_or_fail 60 "pay to wait" grep -q 'more than was bought; trying again' "$tmp/pay.log"
wait_or_fail 60 "more tries" eval "[ \$(wc -l <'$tmp/vouchers') -gt $((n + 1)) ]"
claims 6600000
n=$(wc -l <"$tmp/vouchers")
wait_or_fail 60 "pay to go on" eval "[ \$(wc -l <'$tmp/vouchers') -gt $((n + 1)) ]"
kill9 "$pay_pid"
expect_eq "the newest voucher" "$(newest)" 6600000

# ---- a name that nobody resolves any more ----

claims 6600000
ip netns exec "$buyer" "$twctl" buyer pay "$file" --key-file "$tmp/signer.key" --once \
	--api http://127.0.0.1:9090/ 2>"$tmp/once.log" || fail "pay --once: $(cat "$tmp/once.log")"
jq '.api_url = "http://node.invalid:9090"' "$file.usage" >"$tmp/usage" && install -m 600 "$tmp/usage" "$file.usage"
ip netns exec "$buyer" "$twctl" buyer pay "$file" --key-file "$tmp/signer.key" --once \
	2>"$tmp/once.log" || fail "where the node was before is forgotten: $(cat "$tmp/once.log")"
expect_eq "the address" "$(jq -r '.api_url + " " + .api_address' "$file.usage")" "http://node.invalid:9090 127.0.0.1"
jq '.api_url = ""' "$file.usage" >"$tmp/usage" && install -m 600 "$tmp/usage" "$file.usage"

# ---- a disk that is full ----

mkdir "$tmp/full"
mount -t tmpfs -o size=64k tmpfs "$tmp/full"
on_exit umount "$tmp/full"
install -m 600 "$file" "$tmp/full/alice.session"
install -m 600 "$file.usage" "$tmp/full/alice.session.usage"
head -c 1000000 /dev/zero >"$tmp/full/zero" 2>/dev/null || true
claims 6700000
kept=$file file=$tmp/full/alice.session
pay
expect_end 1 '(cannot be written|No space left)'
file=$kept
expect_eq "the newest voucher" "$(newest)" 6600000

# ---- over ----

claims 6650000 settling
pay
expect_end 0 'the session is over \(settling\); 6650000 bytes are signed'
expect_eq "the newest voucher" "$(newest)" 6650000
tell '{"status": 409, "answer": "{\"type\":\"urn:tollwire:problem:session-over\",\"detail\":\"it is\"}"}'
pay
expect_end 0 'the session is over: .*it is'
tell '{"status": 403, "answer": "{\"type\":\"urn:tollwire:problem:wrong-signer\",\"detail\":\"who?\"}"}'
pay
expect_end 1 'who\?'

# ---- a sign-in for somebody else ----

# refuses_to_sign ANSWER PATTERN: ending the session at a node that answers so.
refuses_to_sign() {
	tell "$(jq -n --arg answer "$1" '{status: 200, answer: $answer}')"
	buyer_tw end "$file" --at-node --key-file "$tmp/buyer.key" 2>"$tmp/refused" >/dev/null &&
		fail "signed in with $1"
	expect_text "the refusal" "$tmp/refused" "$2"
}
challenge=0123456789abcdef0123456789abcdef
refuses_to_sign "{\"challenge\":\"$challenge\",\"domains\":[\"other.example\"]}" "does not let buyers sign in at '127.0.0.1:9090'"
refuses_to_sign '{"challenge":"short","domains":["127.0.0.1:9090"]}' "challenge is none"
refuses_to_sign '{"challenge":"0123456789\nIssued At: never","domains":["127.0.0.1:9090"]}' "challenge is none"
refuses_to_sign '{"domains":["127.0.0.1:9090"]}' "challenge is none"
grep -q signature "$tmp/vouchers.else" && fail "something was signed"
refuses_to_sign "{\"challenge\":\"$challenge\",\"domains\":[\"127.0.0.1:9090\"]}" "has no token"
expect_text "what was signed" "$tmp/vouchers.else" "/auth .*127.0.0.1:9090 wants you to sign in .*Nonce: $challenge.*signature"

# Of every voucher ever sent none was lower than one before it.
awk '{ if ($1 + 0 < last) exit 1; last = $1 + 0 }' "$tmp/vouchers" || fail "a lower voucher followed a higher one"
say "buyer_liar_test: $(wc -l <"$tmp/vouchers") vouchers sent, none above the count and its tolerance"
