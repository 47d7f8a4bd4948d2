#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# /metrics over TLS with the admin token, scraped by a real Prometheus: the target is up and what it
# stored equals what twctl shows, and of the chain what the chain says. Then who is let in, and how many
# series there are.
#
#   prometheus ── TLS, bearer token ── tollwire-control ── dp_standin
#                                twctl ──┘       └── anvil
set -euo pipefail
# shellcheck source=tests/netns/standin.sh
. "$(dirname "$0")/standin.sh"

command -v prometheus >/dev/null || die "prometheus is not installed"
api_port=$(free_port)
prometheus_port=$(free_port "$api_port")
chain_port=$(free_port "$api_port" "$prometheus_port")
anvil=$root/tests/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil
"$root/scripts/setup-modules"
start "$tmp/anvil.log" "$anvil" --quiet --port "$chain_port" --block-time 1 --config-out "$tmp/anvil.json"
anvil_pid=$started
rpc() { # METHOD PARAMS: the result of a question to the chain
	curl -sS -H 'content-type: application/json' "http://127.0.0.1:$chain_port" \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":$2}" |
		jq -r 'if has("result") then .result else error(.error.message) end'
}
wait_for 30 "the chain" rpc eth_chainId '[]'
balance_wei=1234500000000000000
rpc anvil_setBalance "[\"$(jq -r '.available_accounts[0]' "$tmp/anvil.json")\", \"$(printf '0x%x' $balance_wei)\"]" >/dev/null

standin_conf
cat >>"$tmp/node.yaml" <<END
chains:
  - name: anvil
    id: 31337
    endpoints: ["http://127.0.0.1:$chain_port"]
    escrow: "0x00000000000000000000000000000000000000e5"
    node_id: 1
    poll_ms: 100
api:
  listen: 127.0.0.1:$api_port
  tls: true
END
(umask 077 && jq -r '.private_keys[0]' "$tmp/anvil.json" >"$tmp/state/settler.key")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=node \
	-addext subjectAltName=IP:127.0.0.1 -keyout "$tmp/state/tls.key" -out "$tmp/state/tls.crt" 2>/dev/null
admin_token

start "$tmp/standin.log" "$standin" "$tmp/run"
standin_pid=$started
wait_for 30 "dp_standin" grep -q ready "$tmp/standin.log"
start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
tw() {
	"$twctl" --config "$tmp/node.yaml" "$@"
}
show() { # FILTER ARGUMENT...: the value of a jq filter in what `twctl … --json` prints
	local filter=$1
	shift
	tw "$@" --json | jq -r "$filter"
}
wait_for 30 "tollwire-control" tw status
wait_for 30 "the attachment" sh -c "'$twctl' --config '$tmp/node.yaml' status --json | jq -e .dataplane.is_attached"
tw session add alice --quota 50kB --duration 1h --public-key "$(wg genkey | wg pubkey)" >/dev/null
tw session add bob --quota 1GB --duration 1h --public-key "$(wg genkey | wg pubkey)" >/dev/null
tw session suspend bob >/dev/null
# The stand-in stops billing alice at her quota: the numbers stand still from then on.
wait_for 30 "the end of alice's quota" sh -c \
	"'$twctl' --config '$tmp/node.yaml' session show alice --json | jq -e '.usage.gate == \"quota\"'"

# ---- by hand ---------------------------------------------------------------------------------

say "who is let in, and the form of what they get"
ask() { # CURL ARGUMENT...: head and body in $tmp/head and $tmp/body; prints the status
	curl -sS --cacert "$tmp/state/tls.crt" -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' "$@"
}
url=https://127.0.0.1:$api_port/metrics
[ "$(ask "$url")" = 401 ] || die "without a token: $(cat "$tmp/head")"
[ "$(ask -H 'Authorization: Bearer wrong' "$url")" = 401 ] || die "with a wrong token"
# The series of a chain's endpoints begin with the first question to it.
chain_is_read() {
	ask -H "Authorization: Bearer $(cat "$tmp/state/admin.token")" "$url" &&
		grep -q '^tollwire_chain_up{chain="anvil"} 1' "$tmp/body"
}
wait_for 60 "the chain to be read" chain_is_read || die "the chain is not read: $(cat "$tmp/body")"
[ "$(ask -H "Authorization: Bearer $(cat "$tmp/state/admin.token")" "$url")" = 200 ] || die "with the token"
grep -qi '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8' "$tmp/head" || die "content type"
[ "$(tail -n 1 "$tmp/body")" = "# EOF" ] || die "no end"
# Metadata comes once a family and before its samples, a counter's sample ends in _total, a unit ends
# the name, no sample comes twice.
awk '
	/^# TYPE / { if ($3 in type) bad("family twice: " $3); family = $3; type[$3] = $4; next }
	/^# UNIT / { if ($3 !~ ("_" $4 "$")) bad("unit: " $0); next }
	/^# HELP / { if ($3 != family || NF < 4) bad("help: " $0); next }
	/^# EOF$/ { next }
	{
		name = $1; sub(/\{.*/, "", name)
		want = family (type[family] == "counter" ? "_total" : type[family] == "info" ? "_info" : "")
		if (name != want) bad("sample of " family ": " $0)
		sample = $0; sub(/ [^ ]*$/, "", sample)
		if (sample in seen) bad("sample twice: " $0)
		seen[sample] = 1; n++
	}
	function bad(text) { print text; failed = 1 }
	END { exit failed || n < 100 }
' "$tmp/body" || die "not OpenMetrics"
grep -q 'alice\|bob' "$tmp/body" && die "a label names a session"
n_series=$(grep -vc '^#' "$tmp/body")

# ---- Prometheus ------------------------------------------------------------------------------

say "scraped by $(prometheus --version 2>&1 | head -n 1)"
cat >"$tmp/prometheus.yml" <<END
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: tollwire
    scheme: https
    tls_config: {ca_file: $tmp/state/tls.crt}
    authorization: {credentials_file: $tmp/state/admin.token}
    static_configs: [{targets: ["127.0.0.1:$api_port"]}]
END
start "$tmp/prometheus.log" prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/tsdb" \
	--web.listen-address="127.0.0.1:$prometheus_port" --log.level=warn
query() { # PROMQL: its one value
	curl -sS --get --data-urlencode "query=$1" "http://127.0.0.1:$prometheus_port/api/v1/query" |
		jq -er '.data.result | if length == 1 then .[0].value[1] else error("not one value") end'
}
is() { # PROMQL VALUE
	[ "$(query "$1" 2>/dev/null)" = "$2" ]
}
wait_for 60 "the target to be up" is 'up{job="tollwire"}' 1 || die "$(tail -n 5 "$tmp/prometheus.log")"

same() { # PROMQL FILTER TWCTL ARGUMENT...
	wait_for 30 "$1 as twctl has it" is_shown "$@" || die "$1 is $(query "$1"), not $(show "${@:2}")"
}
is_shown() {
	is "$1" "$(show "${@:2}")"
}
same 'sum(tollwire_dropped_packets_total{reason="wg_auth"})' .drops.wg_auth drops
same 'sum(tollwire_dropped_packets_total)' '[.drops[]] | add' drops
same 'tollwire_nat_ports{thread="0"}' .workers[0].ports_total nat
same 'tollwire_billed_bytes_total{direction="out"}' '[.sessions[].usage.out_bytes] | add' session list
same 'tollwire_billed_bytes_total{direction="in"}' '[.sessions[].usage.in_bytes] | add' session list
same 'tollwire_sessions{state="suspended"}' .sessions.suspended status
same 'sum(tollwire_sessions)' '.sessions | del(.needs_review) | add' status
same 'tollwire_port_received_packets_total{port="wan"}' .ports[0].rx_pkts port
same 'tollwire_health_condition{condition="dataplane"}' '0' status
same 'count({job="tollwire", __name__=~"tollwire_.*"})' "$n_series" status

say "the chain, its account and its queue"
is_near() { # PROMQL VALUE: within a millionth, as a sample has nine digits
	query "$1" 2>/dev/null | awk -v want="$2" '{ exit !($1 >= want * 0.999999 && $1 <= want * 1.000001) }'
}
wait_for 60 "the chain to be read" is 'tollwire_chain_up{chain="anvil"}' 1
wait_for 60 "the balance" is_near 'tollwire_chain_balance_wei{chain="anvil"}' $balance_wei
head=$(printf '%d' "$(rpc eth_blockNumber '[]')")
at_least() { # PROMQL VALUE
	query "$1" 2>/dev/null | awk -v least="$2" '{ exit !($1 >= least) }'
}
wait_for 60 "the head" at_least 'tollwire_chain_head_block{chain="anvil"}' "$head"
same 'tollwire_settlement_queue_items{chain="anvil"}' 0 status
same 'tollwire_settlement_queue_age_seconds{chain="anvil"}' 0 status
same 'tollwire_settlement_transactions{chain="anvil"}' 0 status
same 'sum(tollwire_vouchers_total)' 0 status
[ "$(curl -sS --cacert "$tmp/state/tls.crt" -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '{}' \
	"https://127.0.0.1:$api_port/api/v1/sessions/alice/vouchers")" = 400 ] || die "a voucher of nothing"
same 'tollwire_vouchers_total{result="malformed"}' 1 status
same 'sum(tollwire_purchases_total)' 0 status
same 'tollwire_chain_faults_total{fault="wrong_chain"}' 0 status
kill -KILL "$anvil_pid"
wait_for 60 "the chain to be missed" is 'tollwire_chain_up{chain="anvil"}' 0

# ---- more sessions, no more series -----------------------------------------------------------

say "series by sessions, and the death of the data plane"
for i in $(seq 10); do
	tw session add "more$i" --quota 1GB --duration 1h --public-key "$(wg genkey | wg pubkey)" >/dev/null
done
ask -H "Authorization: Bearer $(cat "$tmp/state/admin.token")" "$url" >/dev/null
[ "$(grep -vc '^#' "$tmp/body")" = "$n_series" ] || die "more sessions are more series"
kill -KILL "$standin_pid"
wait_for 30 "the data plane to be missed" is tollwire_dataplane_up 0
same 'tollwire_health_condition{condition="dataplane"}' '1' status
say "metrics_test: done"
