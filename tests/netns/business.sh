# SPDX-License-Identifier: Apache-2.0
#
# The stage of sessions that are bought: beside the links of topology.sh a public network on which the
# buyer, the node's control plane and a chain meet. Source it instead of topology.sh.
#
#   buyer                     chain                          office (the node's own stack)
#   ┌──────────────────┐     ┌────────────────────────┐     ┌─────────────────────────┐
#   │ p0 203.0.113.10 ─┼─────┼─ br0 203.0.113.8  anvil┼─────┼─ p0 203.0.113.2         │
#   │    twctl buyer   │     └────────────────────────┘     │   tollwire-control, API │
#   └──────────────────┘                                    └─────────────────────────┘
#
# The chain is a real EVM node with the product's contracts on it, deployed by twctl. A block comes with
# each transaction and every second besides. What was paid and settled is read from the chain by
# tests/netns/ledger.mjs with a library of its own, never from the node.

# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=tests/netns/topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology.sh"

chain_addr=203.0.113.8
office_addr=203.0.113.2
buyer_public_addr=203.0.113.10
chain_id=31337
chain_rpc=http://$chain_addr:8545
api_port=8080

price_per_gb=0.001
max_price_per_gb=$price_per_gb # that the buyer agrees to

# Who has which of the chain's funded accounts.
declare -A account_index=(
	[owner]=0 [treasury]=1 [operator]=2 [settler]=3 [payout]=4 [buyer]=5 [signer]=6 [attestor]=7
	[other]=8
)

# ---- the chain -------------------------------------------------------------------------------

business_links() {
	ns_add chain chain
	ns_add office office
	ip -n "$chain" link add br0 type bridge stp_state 0 mcast_snooping 0
	in_ns "$chain" sysctl -qw net.ipv6.conf.br0.disable_ipv6=1 2>/dev/null || true
	ip -n "$chain" addr add $chain_addr/24 dev br0
	ip -n "$chain" link set br0 up
	ns_link "$buyer" p0 "$chain" p1
	ns_link "$office" p0 "$chain" p2
	ip -n "$chain" link set p1 master br0
	ip -n "$chain" link set p2 master br0
	ip -n "$buyer" addr add $buyer_public_addr/24 dev p0
	ip -n "$office" addr add $office_addr/24 dev p0
	control_in=(ip netns exec "$office")
}

anvil=$root/tests/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil

# chain_up: the node, and each role's key in $tmp/ROLE.key and address in ${address[ROLE]}.
declare -A address=()
chain_up() {
	local role
	"$root/scripts/setup-modules"
	start "$tmp/anvil.log" taskset -c "$other_cpus" ip netns exec "$chain" "$anvil" --quiet \
		--host $chain_addr --port 8545 --chain-id $chain_id --block-time 1 --mixed-mining \
		--config-out "$tmp/anvil.json"
	wait_or_fail 30 "the chain" rpc eth_blockNumber
	for role in "${!account_index[@]}"; do
		(umask 077 && jq -r ".private_keys[${account_index[$role]}]" "$tmp/anvil.json" >"$tmp/$role.key")
		address[$role]=$(jq -r ".available_accounts[${account_index[$role]}]" "$tmp/anvil.json")
	done
}

# rpc METHOD [PARAMS]: the result.
rpc() {
	in_ns "$chain" curl -sf --max-time 20 -H 'Content-Type: application/json' $chain_rpc --data \
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":${2:-[]}}" |
		jq -er 'if has("error") then error(.error.message) else .result end'
}

# chain_advance SECONDS: the chain's clock; a block is mined at the new time.
chain_advance() {
	rpc evm_increaseTime "[$1]" >/dev/null
	rpc evm_mine >/dev/null
}

chain_now() {
	printf '%d\n' "$(rpc eth_getBlockByNumber '["latest", false]' | jq -r .timestamp)"
}

# chain_tw ROLE COMMAND [ARGUMENT...]: twctl chain with a role's key; JSON out.
chain_tw() {
	in_ns "$chain" "$twctl" chain "$2" --rpc $chain_rpc --chain-id $chain_id \
		--key-file "$tmp/$1.key" "${@:3}" --json
}

# contracts_deploy: registry and escrow; $registry and $escrow.
contracts_deploy() {
	chain_tw owner deploy --artifacts "$root/controlplane/chain/evm/artifacts" \
		--treasury "${address[treasury]}" >"$tmp/contracts.json" ||
		fail "chain deploy: $(cat "$tmp/contracts.json")"
	registry=$(jq -r .registry "$tmp/contracts.json")
	escrow=$(jq -r .escrow "$tmp/contracts.json")
}

# ---- the node --------------------------------------------------------------------------------

# node_register: the running node, with its own keys, as the operator does it; $node_id.
node_register() {
	local usage_signer
	usage_signer=$(in_ns "$chain" "$twctl" chain status --rpc $chain_rpc --chain-id $chain_id \
		--key-file "$tmp/state/usage-signer.key" --json | jq -r .account)
	chain_tw operator register --registry "$registry" --name "${conf[node.name]}" \
		--region eu-central --price-per-gb $price_per_gb --bandwidth-mbps 1000 \
		--endpoint "${conf[node.endpoint]}" --api-url http://$office_addr:$api_port \
		--wg-public-key "$(dp key)" --usage-signer "$usage_signer" \
		--settler "${address[settler]}" --payout "${address[payout]}" >"$tmp/node.json" ||
		fail "chain register: $(cat "$tmp/node.json")"
	node_id=$(jq -r .node_id "$tmp/node.json")
}

# node_sells: the chain's section into the YAML, and a control plane that has read it. The data plane
# goes on undisturbed.
node_sells() {
	install -m 600 "$tmp/settler.key" "$tmp/state/settler.key"
	topo_chains=("{name: anvil, id: $chain_id, endpoints: ['$chain_rpc'], escrow: '$escrow', node_id: $node_id,
      poll_ms: 200, confirmations: {provision: 1, settle: 2}, batch: {age_sec: 0}}")
	conf[api.listen]=$office_addr:$api_port
	conf[api.auth_domains]="['$office_addr:$api_port']"
	topo_write_config
	control_restart
}

control_restart() {
	stop "$control_pid"
	control_start
}

# business_node_up: links and a node that knows no chain yet.
business_node_up() {
	topo_programs
	make_tmp
	mkdir -p "$tmp/run" "$tmp/state"
	topo_links
	business_links
	topo_write_config
	dataplane_start
	control_start
}

# business_up: all of it, node registered and selling.
business_up() {
	business_node_up
	chain_up
	contracts_deploy
	node_register
	node_sells
}

# ---- the buyer -------------------------------------------------------------------------------

# buyer_tw COMMAND [ARGUMENT...]: twctl buyer, from the buyer's own namespace.
buyer_tw() {
	from_buyer "$twctl" buyer "$@"
}

buyer_is=buyer # the account that buys and signs: buyer, or other

# session_buy NAME MODE [OPTION...]: 1 GB for an hour, seen by the node; the buyer's file is
# $tmp/NAME.session, the id on the chain ${chain_session[NAME]}.
declare -A chain_session=()
session_buy() {
	local name=$1 mode=$2
	shift 2
	buyer_tw buy "$tmp/$name.session" --rpc $chain_rpc --chain-id $chain_id --escrow "$escrow" \
		--key-file "$tmp/$buyer_is.key" --node "$node_id" --gb 1 --duration 1h \
		--max-price-per-gb $max_price_per_gb --mode "$mode" "$@" --json >"$tmp/$name.bought.json" ||
		fail "buyer buy: $(cat "$tmp/$name.bought.json")"
	chain_session[$name]=$(jq -r .session_id "$tmp/$name.bought.json")
	wait_or_fail 30 "the purchase at the node" tw session show "${chain_session[$name]}"
}

# session_provision NAME TUN: key pair and configuration of a bought session, in $tmp/NAME.conf.
session_provision() {
	buyer_tw provision "$tmp/$1.session" --key-file "$tmp/$buyer_is.key" --interface "$2" \
		--out "$tmp/$1.conf" --json >"$tmp/$1.provisioned.json" ||
		fail "buyer provision: $(cat "$tmp/$1.provisioned.json")"
}

# session_tunnel NAME TUN: its client; $tun, $inner_addr.
session_tunnel() {
	buyer_up "$1" "$2"
	wait_or_fail 60 "the handshake" wg_is_connected
}

# wallet NAME COMMAND...: what another wallet than twctl sends to the node (wallet.mjs); the answer is in
# $tmp/wallet.json.
wallet() {
	from_buyer node "$netns_dir/wallet.mjs" http://$office_addr:$api_port "$tmp/$buyer_is.key" $chain_id \
		"$escrow" "${chain_session[$1]}" "${@:2}" >"$tmp/wallet.json" || fail "the wallet failed"
}

expect_status() { # STATUS: of the wallet's answer
	expect_eq "the answer $(jq -c .reply "$tmp/wallet.json")" "$(jq .status "$tmp/wallet.json")" "$1"
}

# wallet_tunnel NAME [TUN]: a key pair made by hand and brought by the wallet; its client.
wallet_tunnel() {
	local key
	key=$(wg genkey)
	wallet "$1" peer "$node_id" "$(wg pubkey <<<"$key")"
	expect_status 200
	wait_or_fail 30 "session $1 in the data plane" session_is_ready "${chain_session[$1]}"
	jq -r .reply.config "$tmp/wallet.json" | sed "s|^PrivateKey = .*|PrivateKey = $key|" >"$tmp/$1.conf"
	chmod 600 "$tmp/$1.conf"
	buyer_up "$1" "${2:-tw$$b}"
	wait_or_fail 60 "the handshake" wg_is_connected
}

# voucher NAME BYTES: signed by the wallet and taken by the node.
voucher() {
	wallet "$1" voucher "$2"
	expect_status 200
}

# pay_start NAME: signs vouchers from now on, for the tunnel that provision named; $pay_pid. What it says
# is in $tmp/NAME.pay.N.log, N counting its starts.
declare -A pay_starts=()
pay_start() {
	pay_starts[$1]=$((${pay_starts[$1]:-0} + 1))
	start "$tmp/$1.pay.${pay_starts[$1]}.log" taskset -c "$other_cpus" ip netns exec "$buyer" \
		"$twctl" buyer pay "$tmp/$1.session" --key-file "$tmp/$buyer_is.key" --interval 1s
	pay_pid=$started
}

bought_get() { # NAME FILTER: of the session as the node sees it
	session_get "${chain_session[$1]}" "$2"
}

bought_used() { # NAME: bytes of both directions, once they stand still
	local bill
	bill=$(session_bill "${chain_session[$1]}")
	echo $((${bill% *} + ${bill#* }))
}

bought_has() { # NAME FILTER VALUE
	[ "$(bought_get "$1" "$2")" = "$3" ]
}

bought_is() { # NAME STATUS: on the chain
	[ "$(buyer_tw status "$tmp/$1.session" --json | jq -r .status)" = "$2" ]
}

# session_end NAME: by the buyer, before its time.
session_end() {
	buyer_tw end "$tmp/$1.session" --key-file "$tmp/$buyer_is.key" --json >"$tmp/$1.ended.json" ||
		fail "buyer end: $(cat "$tmp/$1.ended.json")"
}

session_refund() { # NAME: what is left of its deposit, to the buyer
	buyer_tw reclaim "$tmp/$1.session" --key-file "$tmp/$buyer_is.key" --json >"$tmp/$1.reclaimed.json" ||
		fail "buyer reclaim: $(cat "$tmp/$1.reclaimed.json")"
}

# ---- what the chain says ---------------------------------------------------------------------

# ledger NAME...: the chain's word about these sessions and everybody's balance, in $tmp/ledger.json.
ledger() {
	local role name
	local -a roles=() ids=()
	for role in "${!address[@]}"; do
		roles+=("$role=${address[$role]}")
	done
	for name; do
		ids+=("${chain_session[$name]}")
	done
	in_ns "$chain" node "$netns_dir/ledger.mjs" $chain_rpc "$escrow" "${roles[@]}" -- "${ids[@]}" \
		>"$tmp/ledger.json" || fail "the chain's ledger cannot be read"
}

ledger_get() { # NAME KEY
	jq -r --arg id "${chain_session[$1]}" ".sessions[] | select(.session_id == \$id) | .$2" "$tmp/ledger.json"
}

# expect_ledger NAME...: settled once, by the rules, and every balance is as they say.
expect_ledger() {
	ledger "$@"
	expect_eq "what the ledger finds wrong" "$(jq -r '.disagreements | join("; ")' "$tmp/ledger.json")" ""
}

# session_verify NAME: whether its checkpoints are chained, signed by the signer that the chain names and
# under the root that was settled; the answer is in $tmp/NAME.verified.json.
session_verify() {
	in_ns "$chain" "$twctl" --config "$tmp/tollwire.yaml" verify --session "${chain_session[$1]}" \
		--rpc $chain_rpc --chain-id $chain_id --escrow "$escrow" --json >"$tmp/$1.verified.json"
}

session_states() { # NAME: a JSON list of the states that it went through
	tw session history "${chain_session[$1]}" --json |
		jq -c '[.history[].what | select(test(" -> "))] | [(.[0] | split(" -> ")[0])] + map(split(" -> ")[1])'
}
