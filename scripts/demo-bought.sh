# SPDX-License-Identifier: Apache-2.0
#
# scripts/demo, second half: the business. A chain starts, registry and escrow are deployed, the node is
# registered, and one buyer buys two sessions, by escrow, never by hand:
#   vouchers   the buyer's tool signs for what arrived; the node gives 1 MB of credit. When signing
#              pauses the gate closes, the next voucher opens it. Ended by the buyer and finalised.
#   optimistic no vouchers: the node proposes what was used, and executes when the window is over
# Each node's word is then held against the chain's events and everybody's balance. Sourced by
# scripts/demo.

# shellcheck shell=bash disable=SC2034,SC2154

film_bytes=24000000
song_bytes=12000000
song_rate=12mbit # slow enough for its checkpoints, one with each look at the counters at most
credit_bytes=1000000
vouchers_min=10
checkpoints_min=8

bought_set_up() {
	say "starting a chain; deploying registry and escrow; registering the node at $price_per_gb a GB"
	conf[voucher.credit_bytes]=$credit_bytes
	conf[usage.checkpoint_bytes]=250000
	chain_up
	contracts_deploy 2>/dev/null
	node_register
	node_sells
	http_file film $film_bytes
	http_file song $song_bytes
	say "buying two sessions of 1 GB: one to be paid by vouchers, one without"
	session_buy film voucher
	session_buy song optimistic --voucher-signer none
}

# captured NAME: what the captures saw of a session that is quiet now; its traffic ends here.
declare -A delivered=() vouchers=([film]=0 [song]=0)
captured() {
	wait_for 30 "the same bill from node and captures" bill_agrees "${chain_session[$1]}" || true
	captures_stop
	delivered[$1]=$(($(count_out) + $(count_in)))
}

# ---- with vouchers ---------------------------------------------------------------------------

watch_film() {
	say "downloading 24 MB; the buyer signs as it arrives, the node gives 1 MB of credit"
	session_provision film "tw$$b"
	pay_start film
	session_tunnel film "tw$$b"
	captures_start
	fetch film --max-time 240 &
	local download=$!
	on_exit stop "$download"
	wait_or_fail 120 "a quarter of the film" has_fetched film $((film_bytes / 4))
	pause_signing "$download"
	wait "$download" || fail "the download did not go on after the next voucher"
	is_fetched film || fail "the film arrived altered"
	captured film
}

pause_signing() { # PID of the download
	local used
	stop "$pay_pid"
	wait_or_fail 60 "the wait for a voucher" bought_has film .usage.is_waiting_for_voucher true
	used=$(bought_used film)
	kill -0 "$1" || fail "the download ended although nobody signed"
	bought_has film .usage.gate quota || fail "the gate did not stay closed"
	say "signing paused: gate closed after $used bytes, the session waits"
	pay_start film
	wait_or_fail 60 "the gate opened by a voucher" bought_has film .usage.gate open
	say "signing again: gate open"
}

end_film() {
	say "ended by the buyer; the node finalises with the newest voucher, the rest goes back"
	session_end film
	wait_or_fail 120 "the film's settlement" bought_has film .state settled
	vouchers[film]=$(cat "$tmp"/film.pay.*.log | grep -c '^signed ') || true
}

# ---- without ---------------------------------------------------------------------------------

hear_song() {
	say "downloading 12 MB on the session without vouchers"
	session_provision song "tw$$c"
	session_tunnel song "tw$$c"
	captures_start
	pace $song_rate
	fetch song --max-time 120 || fail "the song did not arrive"
	is_fetched song || fail "the song arrived altered"
	pace $topo_rate
	captured song
	say "ended by the buyer; the node proposes what was used"
	session_end song
	wait_or_fail 120 "the proposal" bought_is song proposed
	say "a day passes on the chain without a dispute; the node executes"
	chain_advance 86401
	wait_or_fail 120 "the song's settlement" bought_has song .state settled
}

# ---- what it comes to ------------------------------------------------------------------------

# bought_evaluate: the list `sessions` of the demo's result.
bought_evaluate() {
	local name
	for name in film song; do
		session_refund $name
		session_verify $name || true
	done
	for name in payout treasury; do
		chain_tw $name withdraw --escrow "$escrow" >"$tmp/$name.json" ||
			fail "$name withdraws: $(cat "$tmp/$name.json")"
	done
	ledger film song
	jq -r '.sessions[] | "\(.mode): \(.bytes_used) bytes, \(.operator_wei) wei to the operator, " +
		"\(.fee_wei) to the platform, \(.refund_wei) back to the buyer"' "$tmp/ledger.json" |
		while read -r line; do say "$line"; done
	for name in film song; do
		jq -c --slurpfile verified "$tmp/$name.verified.json" --arg id "${chain_session[$name]}" \
			--argjson states "$(session_states $name)" --argjson delivered "${delivered[$name]}" \
			--argjson vouchers "${vouchers[$name]}" '
			.sessions[] | select(.session_id == $id) | {
				session_id, mode, escrow_wei, cost_wei, fee_wei, operator_wei, refund_wei,
				settle_tx, gas_used: (.gas_used | tonumber), bytes_used: (.bytes_used | tonumber),
				delivered_bytes: $delivered,
				vouchers: $vouchers, checkpoints: $verified[0].checkpoints,
				checkpoints_verified: (if $verified[0].verified and $verified[0].root_checked then
					$verified[0].checkpoints else 0 end),
				states: $states}' "$tmp/ledger.json"
	done | jq -sc . >"$tmp/bought.json"
}

# bought_disagreements: what is wrong with the numbers, one a line.
bought_disagreements() {
	jq -r '.disagreements[]' "$tmp/ledger.json"
	[ "${vouchers[film]}" -ge $vouchers_min ] || echo "only ${vouchers[film]} vouchers"
	jq -r --argjson least $checkpoints_min '.[] |
		(select(.bytes_used != .delivered_bytes) |
			"\(.session_id): settled for \(.bytes_used) bytes, \(.delivered_bytes) were delivered"),
		(select(.checkpoints < $least) | "\(.session_id): only \(.checkpoints) checkpoints"),
		(select(.checkpoints_verified != .checkpoints) | "\(.session_id): the checkpoints do not hold")
	' "$tmp/bought.json"
}
