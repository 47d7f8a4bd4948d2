# SPDX-License-Identifier: Apache-2.0
#
# scripts/demo, first half: a session that the operator sells by hand. A real WireGuard client gets 5 MB,
# passes ICMP, TCP and UDP, is cut off in the middle of a download, topped up, and finishes it. What was
# metered is compared with captures on both sides of the node. Sourced by scripts/demo.

# shellcheck shell=bash disable=SC2034,SC2154

quota_bytes=5000000
top_up_bytes=15000000
tunnel_mtu=1420

sold_set_up() {
	say "starting the node: tollwire-dataplane on $topo_driver, tollwire-control, no NIC"
	business_node_up
	http_up
	http_file small 800000
	http_file large 9000000
	echo_up
	iperf_up
	say "adding a session of 5 MB; the buyer's private key stays with the buyer"
	session_add demo ${quota_bytes}B
	buyer_up demo
	losses_start
	captures_start
}

sold_ping() {
	say "pinging the host behind the node, and the node inside the tunnel (free of charge)"
	from_buyer ping -q -c 5 -i 0.2 -W 20 $server >&2
	from_buyer ping -q -c 3 -i 0.2 -W 20 $node_inner_addr >&2
	from_buyer traceroute -n -q 1 -w 15 $server | tee "$tmp/traceroute" >&2
	expect_text "traceroute" "$tmp/traceroute" "^ 1  $node_inner_addr "
	expect_text "traceroute" "$tmp/traceroute" "^ 2  $server "
}

sold_iperf() { # WHAT OPTION...
	say "iperf3, $1"
	with_roomy_sockets from_buyer iperf3 -c $server --json "${@:2}" >"$tmp/iperf3.json" ||
		fail "iperf3, $1: $(jq -r .error "$tmp/iperf3.json")"
}

sold_tour() {
	sold_ping
	say "fetching 800 kB with a known hash"
	fetch small
	is_fetched small || fail "the fetched file is not the one that was served"
	say "UDP echo, 300 datagrams there and back"
	with_roomy_sockets from_buyer python3 "$netns_dir/udp_flow.py" send $server 7 --packets 300 --rate 400 \
		>"$tmp/echo.json"
	expect_eq "datagrams that came back" "$(jq .echoed "$tmp/echo.json")" 300
	sold_iperf "TCP to the internet" -n 400K
	sold_iperf "TCP from the internet" -n 400K -R
	sold_iperf "UDP to the internet" -u -b 3M -t 1 -l 1200
	sold_iperf "UDP from the internet" -u -b 3M -t 1 -l 1200 -R
	expect_between "billed so far" "$(session_get demo .usage.used_bytes)" 1000000 $((quota_bytes - 1))
}

sold_use_up() {
	say "downloading 9 MB with what is left of the 5 MB"
	fetch large &
	local download=$!
	on_exit stop "$download"
	wait_or_fail 60 "the end of the quota" session_is_cut demo
	wait_for 30 "the last bytes" has_delivered $((quota_bytes - tunnel_mtu + 1)) || true
	kill -0 "$download" || fail "the download ended although the quota did not suffice"
	tw session show demo >&2
	top_up_time=$(date +%s.%N)
	say "quota used up, download stalled; topping up 15 MB"
	tw session top-up demo --by ${top_up_bytes}B >/dev/null
	wait "$download" || fail "the download did not go on after the top-up"
	say "download complete"
}

sold_evaluate() {
	local bill drops
	wait_for 30 "the same bill from node and captures" bill_agrees demo || true
	bill=$(session_bill demo)
	metered_out=${bill% *}
	metered_in=${bill#* }
	wait_for 30 "all packets to arrive" has_no_losses || true
	losses=$(losses_end)
	handshakes=$(dp_total handshakes_completed)
	drops=$(dp totals | sed -n 's/^drop_//p' | jq -nR '[inputs / " " | {(.[0]): (.[1] | tonumber)}] | add // {}')
	captures_stop
	client_out=$(count_out)
	client_in=$(count_in)
	until_top_up=$(($(count_out "$top_up_time") + $(count_in "$top_up_time")))
	cut_short=$((quota_bytes - until_top_up))
	overshoot=$((client_out + client_in - quota_bytes - top_up_bytes))
	[ $((-cut_short)) -le "$overshoot" ] || overshoot=$((-cut_short))
	[ "$overshoot" -ge 0 ] || overshoot=0
	sha256_ok=false
	if is_fetched small && is_fetched large; then sha256_ok=true; fi
	jq -nc --argjson drops "$drops" "{
		client_out_bytes: $client_out, client_in_bytes: $client_in,
		metered_out_bytes: $metered_out, metered_in_bytes: $metered_in,
		quota_bytes: $quota_bytes, top_up_bytes: $top_up_bytes,
		overshoot_bytes: $overshoot, cut_short_bytes: $cut_short,
		link_losses: $losses, file_sha256_ok: $sha256_ok,
		handshakes: $handshakes, drops: \$drops}" >"$tmp/sold.json"
}

# sold_disagreements: what is wrong with the numbers, one a line.
sold_disagreements() {
	[ "$metered_out" = "$client_out" ] || echo "outbound: metered $metered_out, counted $client_out"
	[ "$metered_in" = "$client_in" ] || echo "inbound: metered $metered_in, counted $client_in"
	[ "$overshoot" = 0 ] || echo "$overshoot bytes beyond the quota"
	[ "$cut_short" -ge 0 ] && [ "$cut_short" -lt $tunnel_mtu ] ||
		echo "cut $cut_short bytes before the quota; 0 to $((tunnel_mtu - 1)) are allowed"
	[ "$losses" = 0 ] || sed 's/^/lost: /' "$tmp/losses"
	[ $sha256_ok = true ] || echo "a file arrived altered"
}
