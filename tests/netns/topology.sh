# SPDX-License-Identifier: Apache-2.0
#
# The stage of every end-to-end test and of scripts/demo: namespaces, links, the node, the buyer, the
# captures and the counters. Source it after `set -euo pipefail`; all of it is undone on exit (lib.sh).
#
#   buyer                       node                         internet
#   ┌───────────────────┐      ┌────────────────────┐       ┌───────────────────┐
#   │ tw<pid>a (TUN) ◄──┼─ B   │ tollwire-dataplane │       │ http, echo, iperf3│
#   │   wireguard-go    │      │  n0            n1  │       │                   │
#   │ b0 192.0.2.10/24 ─┼──────┼─ 192.0.2.2   198.51.100.2 ┼─ i0 198.51.100.10 ◄─ A
#   └───────────────────┘      └────────────────────┘       └───────────────────┘
#
#   one-armed: b0 (198.51.100.20), n0 (198.51.100.2) and i0 hang on one bridge in a fourth namespace.
#
# A and B are the captures that witness the bill. Outbound bytes are counted at A, after NAT; inbound
# bytes at B, where they leave the tunnel: every packet that is billed passes one of them, provided that
# no hop lost any, which topo_losses proves.

# shellcheck shell=bash disable=SC2034,SC2154,SC2120
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

netns_dir=$root/tests/netns
build_dir=${TOLLWIRE_BUILD:-$root/build/plain}

# What a test may change before topo_up.
topo_arms=two     # two ports, or one
topo_driver=af_packet # or af_xdp or tap
topo_rate=40mbit  # of each shaped link: below what wireguard-go carries beside everything else
declare -A conf=() # of the YAML, by section.key

node_tunnel_addr=192.0.2.2
node_internet_addr=198.51.100.2
node_inner_addr=10.8.0.1
server=198.51.100.10

# ---- asserting -------------------------------------------------------------------------------

# fail TEXT...: the logs of the node, and what was wrong where a long output is read first: at its end.
fail() {
	local log
	for log in "$tmp"/*.log; do
		[ -s "$log" ] && { echo "--- $log" && tail -n 15 "$log"; } >&2
	done
	say "FAILED: $*"
	exit 1
}

expect_eq() { # WHAT GOT WANTED
	[ "$2" = "$3" ] || fail "$1 is $2, not $3"
}

expect_between() { # WHAT GOT MIN MAX
	[ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || fail "$1 is $2, not from $3 to $4"
}

expect_over() { # WHAT GOT BOUND
	[ "$2" -gt "$3" ] || fail "$1 is $2, not more than $3"
}

expect_text() { # WHAT FILE PATTERN
	grep -qE -- "$3" "$2" || fail "$1 does not say '$3': $(tail -n 5 "$2")"
}

# Where nothing is measured the limit is half a minute or more: a machine may stand still for seconds.
wait_or_fail() { # SECONDS WHAT COMMAND...
	wait_for "$@" || fail "did not come: $2"
}

# ---- programs --------------------------------------------------------------------------------

# find_program NAME: its path in the build.
find_program() {
	local path
	path=$(find "$build_dir" -type f -perm -u+x -name "$1" -not -path '*.p/*' -print -quit)
	[ -n "$path" ] || die "$1 is not in $build_dir; run ./scripts/build"
	echo "$path"
}

topo_programs() {
	need_root
	dataplane=$(find_program tollwire-dataplane)
	control=$(find_program tollwire-control)
	twctl=$(find_program twctl)
	pktgen=$(find_program tollwire-pktgen)
	dp_command=$(find_program dp_command)
	local cpus
	cpus=$(nproc)
	[ "$cpus" -ge 2 ] || die "this machine has one CPU; a worker and the slow path need one each"
	worker_cpu=$((cpus - 1))
	other_cpus=0-$((cpus - 2))
}

tw() {
	"$twctl" --config "$tmp/tollwire.yaml" "$@"
}

# tw_get FILTER ARGUMENT...: a value out of twctl's JSON.
tw_get() {
	local filter=$1
	shift
	tw "$@" --json | jq -r "$filter"
}

# The counters as the segment has them, also without a control plane.
dp() {
	"$dp_command" "$tmp/run" "$@"
}

dp_total() { # NAME: 0 when it is not there
	dp totals | awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }'
}

# ---- configuration ---------------------------------------------------------------------------

# Packet memory small enough for several nodes beside each other, workers that sleep, quick polls.
topo_conf_defaults() {
	local -A defaults=(
		[node.name]=test
		[node.endpoint]=$node_tunnel_addr:51820
		[node.runtime_dir]=$tmp/run
		[node.state_dir]=$tmp/state
		[worker.count]=1
		[worker.cores]="[$worker_cpu]"
		[worker.main_core]=0
		[worker.idle]=sleep
		[memory.hugepages]=false
		[memory.size_mb]=128
		[memory.mbufs]=8192
		[tunnel.network]=10.8.0.0/16
		[tunnel.address]=$node_inner_addr
		[firewall.allow]="[198.51.100.0/24]"
		[sessions.max]=16
		[usage.poll_interval_ms]=100
		[usage.checkpoint_bytes]=100000
		[store.map_size_mb]=64
	)
	local key
	for key in "${!defaults[@]}"; do
		[ -n "${conf[$key]+set}" ] || conf[$key]=${defaults[$key]}
	done
	[ "$topo_arms" = two ] || conf[node.endpoint]=$node_internet_addr:51820
}

topo_port() { # NAME INDEX INTERFACE ROLE ADDRESS GATEWAY
	local devargs
	case "$topo_driver" in
	af_packet) devargs="net_af_packet$2,iface=$3,blocksz=4096,framesz=2048,framecnt=8192" ;;
	af_xdp) devargs="net_af_xdp$2,iface=$3" ;;
	tap) devargs="net_tap$2,iface=$3" ;;
	*) devargs=$topo_driver$2 ;;
	esac
	printf '  - {name: %s, devargs: "%s", role: %s, address: %s, gateway: %s}\n' \
		"$1" "${topo_devargs[$1]:-$devargs}" "$4" "$5" "$6" | sed "s|@tmp@|$tmp|"
}
declare -A topo_devargs=() # of a port by name, where the driver's are not wanted; @tmp@ is $tmp

topo_chains=() # items of the list `chains`, one line of YAML each

# topo_write_config [FILE]: the node's YAML from ${conf[...]}.
topo_write_config() {
	local key section last='' tunnel_if=n0 internet_if=n1
	[ "$topo_driver" != tap ] || tunnel_if=b0 internet_if=i0
	topo_conf_defaults
	{
		while read -r key; do
			section=${key%%.*}
			[ "$section" = "$last" ] || echo "$section:"
			last=$section
			echo "  ${key#*.}: ${conf[$key]}"
		done < <(printf '%s\n' "${!conf[@]}" | sort)
		echo "ports:"
		if [ "$topo_arms" = one ]; then
			topo_port wan 0 n0 both $node_internet_addr/24 $server
		else
			topo_port tunnel 0 "$tunnel_if" tunnel $node_tunnel_addr/24 none
			topo_port internet 1 "$internet_if" internet $node_internet_addr/24 $server
		fi
		[ ${#topo_chains[@]} -eq 0 ] || printf '%s\n' "chains:" "${topo_chains[@]/#/  - }"
	} >"${1:-$tmp/tollwire.yaml}"
}

# ---- links -----------------------------------------------------------------------------------

topo_namespaces() {
	ns_add buyer buyer
	ns_add node node
	ns_add internet net
	local ns
	for ns in "$buyer" "$node" "$internet"; do
		in_ns "$ns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 \
			2>/dev/null || true
	done
}

# shape NAMESPACE INTERFACE: what leaves here goes no faster, and waits instead of being lost.
shape() {
	tc -n "$1" qdisc replace dev "$2" root tbf rate "$topo_rate" burst 16kb limit 4mb
}

# pace RATE: of what comes from the internet, from now on; what waits in the queue is kept. A download that is
# to be found in its middle is slow until it has been.
slow=4mbit
pace() {
	tc -n "$internet" qdisc change dev i0 root tbf rate "$1" burst 16kb limit 4mb
}

topo_two_armed() {
	buyer_addr=192.0.2.10
	node_outer_addr=$node_tunnel_addr
	[ "$topo_driver" != tap ] || return 0
	ns_link "$buyer" b0 "$node" n0
	ns_link "$internet" i0 "$node" n1
}

# net_tap makes the links itself: the node has one end in its hands, the kernel's is moved to where the
# other end belongs as soon as it is there. Both ends begin with the same MAC address.
topo_move_taps() {
	local ns=$buyer if mac=02:00:00:00:00:10
	for if in b0 i0; do
		wait_or_fail 30 "tap $if" ip -n "$node" link show "$if"
		wait_or_fail 30 "the data plane" dataplane_is_up
		ip -n "$node" link set "$if" netns "$ns"
		in_ns "$ns" ethtool -K "$if" tx off rx off gro off gso off tso off >/dev/null 2>&1 || true
		ip -n "$ns" link set "$if" address "$mac" up
		ns=$internet mac=02:00:00:00:00:20
	done
	topo_addresses
}

topo_one_armed() {
	buyer_addr=198.51.100.20
	node_outer_addr=$node_internet_addr
	local if
	ns_add switch switch
	ip -n "$switch" link add br0 type bridge stp_state 0 mcast_snooping 0
	in_ns "$switch" sysctl -qw net.ipv6.conf.br0.disable_ipv6=1 2>/dev/null || true
	ip -n "$switch" link set br0 up
	ns_link "$buyer" b0 "$switch" s0
	ns_link "$node" n0 "$switch" s1
	ns_link "$internet" i0 "$switch" s2
	for if in s0 s1 s2; do
		ip -n "$switch" link set "$if" master br0
	done
}

# topo_links: namespaces, links, addresses and shapes.
topo_links() {
	topo_namespaces
	"topo_${topo_arms}_armed"
	[ "$topo_driver" = tap ] || topo_addresses
}

topo_addresses() {
	ip -n "$buyer" addr add "$buyer_addr/24" dev b0
	ip -n "$internet" addr add "$server/24" dev i0
	shape "$internet" i0
}

# ---- the node --------------------------------------------------------------------------------

dataplane_is_up() {
	grep -q 'dataplane: running' "$tmp/dataplane.log" && dp key >/dev/null 2>&1
}

dataplane_start() {
	start "$tmp/dataplane.log" ip netns exec "$node" "$dataplane" --config "$tmp/tollwire.yaml"
	dataplane_pid=$started
	[ "$topo_driver" != tap ] || topo_move_taps
	# Its memory is taken and locked page by page: seconds, and many of them on a machine that is busy.
	wait_or_fail 120 "the data plane" dataplane_is_up
}

control_is_up() {
	[ "$(tw_get .dataplane.is_attached status 2>/dev/null)" = true ]
}

control_start() {
	control_start_alone
	wait_or_fail 60 "the control plane's data plane" control_is_up
}

# control_start_alone: whether or not there is a data plane.
control_in=() # the namespace it runs in, as a command, where it needs one
control_start_alone() {
	start "$tmp/control.log" taskset -c "$other_cpus" "${control_in[@]}" "$control" \
		--config "$tmp/tollwire.yaml"
	control_pid=$started
	wait_or_fail 60 "the control plane" tw status
}

# kill9 PID: and it is gone when this returns.
kill9() {
	kill -KILL "$1"
	wait "$1" 2>/dev/null || true
}

# topo_up: everything but buyers and captures.
topo_up() {
	topo_programs
	make_tmp
	mkdir -p "$tmp/run" "$tmp/state"
	topo_links
	topo_write_config
	dataplane_start
	control_start
}

# ---- sessions --------------------------------------------------------------------------------

# session_add NAME QUOTA [OPTION...]: the buyer's keys are made here, not by the node; the client's
# configuration is then in $tmp/NAME.conf.
session_add() {
	local name=$1 quota=$2 key
	shift 2
	key=$(wg genkey)
	[[ " $* " == *" --duration "* ]] || set -- "$@" --duration 1h
	tw session add "$name" --quota "$quota" --public-key "$(wg pubkey <<<"$key")" "$@" --json \
		>"$tmp/$name.json" || fail "session add: $(cat "$tmp/$name.json")"
	wait_or_fail 30 "session $name in the data plane" session_is_ready "$name"
	tw session config "$name" >"$tmp/$name.conf"
	sed -i "s|^PrivateKey = .*|PrivateKey = $key|" "$tmp/$name.conf"
	chmod 600 "$tmp/$name.conf"
}

session_is_ready() {
	[ "$(session_get "$1" .usage.is_in_dataplane)" = true ]
}

session_get() { # NAME FILTER
	tw_get "$2" session show "$1"
}

session_has() { # NAME FILTER VALUE
	[ "$(session_get "$1" "$2")" = "$3" ]
}

session_bill_now() { # NAME: `out in`
	session_get "$1" '"\(.usage.out_bytes) \(.usage.in_bytes)"'
}

# session_bill NAME: `out in` once they stand still: the same in three readings, since a control plane that
# was held up may answer one before it polls again.
session_bill() {
	local now before='' same=0
	while [ $same -lt 2 ] && now=$(session_bill_now "$1"); do
		if [ "$now" = "$before" ]; then same=$((same + 1)); else same=0; fi
		before=$now
		[ $same -eq 2 ] || sleep 0.3 # three polls of the control plane
	done
	echo "$now"
}

# ---- the buyer -------------------------------------------------------------------------------

# wg_up TUN NAMESPACE: a wireguard-go without configuration. Its socket lies in one folder for all
# namespaces, so the name of the TUN is unique.
wg_up() {
	start "$tmp/$1.log" env LOG_LEVEL=error taskset -c "$other_cpus" nice -n -10 \
		ip netns exec "$2" wireguard-go --foreground "$1"
	wg_pid=$started
	wait_or_fail 30 "wireguard-go" ip netns exec "$2" wg show "$1"
}

# wg_configure TUN NAMESPACE CONF: what wg-quick would do, by hand, without its firewall and DNS.
wg_configure() {
	local address mtu
	address=$(sed -n 's/^Address = \([0-9./]*\).*/\1/p' "$3")
	mtu=$(sed -n 's/^MTU = //p' "$3")
	exec 7>/var/lock/tollwire-rmem.lock
	flock 7
	roomy_sockets
	in_ns "$2" wg setconf "$1" <(wg-quick strip "$3" 2>/dev/null)
	ip -n "$2" addr replace "$address" dev "$1"
	# Room for what is sent while wireguard-go does not run; the 500 packets of a TUN are soon full.
	ip -n "$2" link set "$1" mtu "$mtu" txqueuelen 10000 up
	wait_or_fail 30 "wireguard-go's socket" wg_listens "$1" "$2"
	ordinary_sockets
	exec 7>&-
	ip -n "$2" route replace default dev "$1"
	# One-armed, the server is on the buyer's own link too.
	ip -n "$2" route replace $server/32 dev "$1"
	inner_addr=${address%/*}
}

wg_listens() { # TUN NAMESPACE: there may be other sockets beside its own
	[ "$(in_ns "$2" wg show "$1" listen-port)" -gt 0 ]
}

# The kernel's default of 92 full packets is lost when wireguard-go sleeps for a few milliseconds, and it
# does not ask for more. The default is the whole machine's, so it is raised only while one socket is
# opened, by one run at a time.
rmem=/proc/sys/net/core/rmem_default
roomy_sockets() {
	rmem_before=$(cat $rmem)
	on_exit ordinary_sockets
	echo 8388608 >$rmem
}

ordinary_sockets() {
	[ -z "$rmem_before" ] || echo "$rmem_before" >$rmem
	rmem_before=''
}

# with_roomy_sockets COMMAND...: whatever opens a socket meanwhile, so that a machine that is busy elsewhere
# loses nothing that arrived.
with_roomy_sockets() {
	local status=0
	exec 7>/var/lock/tollwire-rmem.lock
	flock 7
	roomy_sockets
	"$@" 7>&- || status=$?
	ordinary_sockets
	exec 7>&-
	return $status
}

# buyer_up NAME [TUN]: session NAME's client in the buyer's namespace, shaped; $tun is its interface.
buyer_up() {
	tun=${2:-tw$$a}
	wg_up "$tun" "$buyer"
	wg_configure "$tun" "$buyer" "$tmp/$1.conf"
	shape "$buyer" "$tun"
}

session_is_cut() { # NAME: the data plane found a packet that did not fit
	session_has "$1" .usage.gate quota
}

wg_is_connected() {
	[ "$(in_ns "$buyer" wg show "$tun" latest-handshakes | cut -f2)" != 0 ]
}

# from_buyer COMMAND...: in the buyer's namespace, away from the worker's CPU.
from_buyer() {
	taskset -c "$other_cpus" ip netns exec "$buyer" "$@"
}

# ---- the internet ----------------------------------------------------------------------------

http_up() {
	mkdir -p "$tmp/www"
	start "$tmp/http.log" taskset -c "$other_cpus" ip netns exec "$internet" \
		python3 -m http.server --bind $server --directory "$tmp/www" 80
	wait_or_fail 30 "the HTTP server" in_ns "$internet" curl -sf -o /dev/null "http://$server/"
}

# http_file NAME BYTES: something to fetch that nobody can guess.
http_file() {
	head -c "$2" /dev/urandom >"$tmp/www/$1"
}

# fetch NAME [OPTION...]: from within the tunnel, to $tmp/NAME. When this returns both ends have closed the
# connection: nothing of it is under way any more that would still be billed.
fetch() {
	local name=$1 port
	shift
	port=$(from_buyer curl -sS --max-time 240 -w '%{local_port}' -o "$tmp/$name" "$@" "http://$server/$name") ||
		return
	wait_for 30 "the end of the connection for $name" connection_is_closed "$port" || true
}

# connection_is_closed PORT: the buyer's. The server's side has the port that NAT gave it; what it still waits
# for is the last acknowledgement.
connection_is_closed() {
	[ -z "$(in_ns "$buyer" ss -Htn state connected exclude time-wait "sport = :$1 and dst $server")" ] &&
		[ -z "$(in_ns "$internet" ss -Htn state last-ack 'sport = :80')" ]
}

# is_fetched NAME: whole and unaltered.
is_fetched() {
	cmp -s "$tmp/www/$1" "$tmp/$1"
}

echo_up() {
	start "$tmp/echo.log" taskset -c "$other_cpus" ip netns exec "$internet" \
		python3 "$netns_dir/udp_flow.py" serve $server 7
	wait_or_fail 30 "the UDP echo" in_ns "$internet" sh -c 'ss -Hlun sport = :7 | grep -q .'
}

iperf_up() {
	start "$tmp/iperf3.log" taskset -c "$other_cpus" ip netns exec "$internet" iperf3 -s -B $server
	wait_or_fail 30 "iperf3" in_ns "$internet" sh -c 'ss -Hltn sport = :5201 | grep -q .'
}

# ---- captures --------------------------------------------------------------------------------

# capture NAME NAMESPACE INTERFACE [ARGUMENT...]: into $tmp/NAME.pcap; headers are enough, the buffer
# holds more than any test sends. The direction must be told by addresses: what libpcap filters by itself
# while it sets up the kernel's filter knows no `inbound`, and one packet would be missing.
declare -A capture_pids=()
capture() {
	local name=$1 ns=$2 if=$3
	shift 3
	start "$tmp/$name.tcpdump.log" taskset -c "$other_cpus" ip netns exec "$ns" \
		tcpdump -Z root -i "$if" -n -s 64 -B 65536 -U --immediate-mode -w "$tmp/$name.pcap" "$@"
	capture_pids[$name]=$started
	wait_or_fail 30 "the capture $name" grep -q 'listening on' "$tmp/$name.tcpdump.log"
}

# captures_start: both witnesses. The buyer must be up.
captures_start() {
	capture out "$internet" i0 "ip and src host $node_internet_addr"
	capture in "$buyer" "$tun" "ip and dst host $inner_addr"
}

# captures_stop: ends them when they have written all, and demands that they missed nothing: neither
# the kernel dropped a packet, nor did one that passed the filter stay behind in the buffer.
captures_stop() {
	local name log
	captures_settle
	for name in "${!capture_pids[@]}"; do
		log=$tmp/$name.tcpdump.log
		kill -INT "${capture_pids[$name]}"
		wait "${capture_pids[$name]}" 2>/dev/null || true
		expect_text "capture $name" "$log" '^0 packets dropped by kernel'
		expect_eq "what capture $name holds" "$(awk '/ captured$/ { print $1 }' "$log")" \
			"$(awk '/ received by filter$/ { print $1 }' "$log")"
	done
	capture_pids=()
}

# captures_settle: until both have written all that came by, and nothing comes any more.
captures_settle() {
	local name
	for name in "${!capture_pids[@]}"; do
		wait_or_fail 30 "the end of capture $name" capture_is_quiet "$tmp/$name.pcap"
	done
}

# capture_is_quiet FILE: nothing came for a moment, and, as tcpdump says when it is asked, all that passed the
# filter stands in the file.
capture_is_quiet() {
	local size name log n_lines
	size=$(stat -c %s "$1")
	sleep 0.3
	name=$(basename "$1" .pcap)
	log=$tmp/$name.tcpdump.log
	n_lines=$(wc -l <"$log")
	kill -USR1 "${capture_pids[$name]}"
	wait_for 30 "tcpdump's answer" eval '[ "$(wc -l <"$log")" -gt "$n_lines" ]' || return
	awk '{ has_all = / received by filter/ && $2 == $5 } END { exit !has_all }' "$log" &&
		[ "$size" = "$(stat -c %s "$1")" ]
}

# count_out, count_in [UNTIL]: the bytes that the two captures witness, without what is not the
# buyer's: the tunnel itself where it shares the port, and packets that the node made.
count_out() {
	python3 "$netns_dir/count_capture.py" "$tmp/out.pcap" --source $node_internet_addr \
		--not-udp-source-port 51820 ${1:+--until "$1"}
}

count_in() {
	python3 "$netns_dir/count_capture.py" "$tmp/in.pcap" --destination "$inner_addr" \
		--not-source $node_inner_addr ${1:+--until "$1"}
}

# expect_bill NAME: what is metered is what both captures saw, to the byte. A process that was held up has
# still to count or to deliver what the others have seen already, so their agreement is waited for first.
expect_bill() {
	local bill
	wait_for 30 "the same bill from node and captures" bill_agrees "$1" || true
	captures_stop
	bill=$(session_bill "$1")
	expect_eq "outbound bytes metered" "${bill% *}" "$(count_out)"
	expect_eq "inbound bytes metered" "${bill#* }" "$(count_in)"
}

bill_agrees() { # NAME
	[ "$(session_bill_now "$1")" = "$(count_out) $(count_in)" ]
}

# expect_delivered MIN MAX: bytes both ways, as soon as they are MIN.
expect_delivered() {
	wait_for 30 "the last bytes" has_delivered "$1" || true
	captures_settle
	expect_between "bytes delivered" $(($(count_out) + $(count_in))) "$1" "$2"
}

has_delivered() { # BYTES
	[ $(($(count_out) + $(count_in))) -ge "$1" ]
}

# ---- losses ----------------------------------------------------------------------------------

# hop_drops: every counter outside the node that rises when a packet is lost, by name.
hop_drops() {
	local ns
	for ns in "$buyer" "$node" "$internet" ${switch:+"$switch"}; do
		ip -n "$ns" -s -s -j link | jq -r --arg ns "${ns#*-}" '.[] | select(.ifname != "lo") |
			"\($ns).\(.ifname).rx \(.stats64.rx | .dropped + .errors + (.over_errors // 0))",
			"\($ns).\(.ifname).tx \(.stats64.tx | .dropped + .errors)"'
		tc -n "$ns" -s -j qdisc | jq -r --arg ns "${ns#*-}" '.[] |
			"\($ns).\(.dev).\(.kind) \(.drops // 0)"'
		in_ns "$ns" nstat -asz UdpInErrors UdpRcvbufErrors UdpSndbufErrors IpInDiscards \
			IpOutDiscards TcpExtTCPBacklogDrop TcpExtTCPRcvQDrop 2>/dev/null |
			awk -v ns="${ns#*-}" '!/^#/ { print ns "." $1, $2 }'
	done
}

# node_losses: drops of the node that no rule asks for.
node_losses() {
	dp totals | awk '/^drop_(tx_full|ring_full|no_mbuf|neigh_|segmented|wg_queue_full|shutdown)/ {
		print "node." $1, $2 }'
}

link_packets() { # NAMESPACE INTERFACE rx|tx
	ip -n "$1" -s -j link show "$2" | jq ".[0].stats64.$3.packets"
}

# wire_gap: packets that one end of a link sent and the other never saw, as `out in` of the node. Each
# end is read at another moment, so it is read until nothing is on its way: twice the same, and the node
# has looked into its queues in between.
wire_gap() {
	local tries=40 gap next
	gap=$(wire_gap_now) next=$gap
	while sleep 0.05 && node_goes_round; do
		next=$(wire_gap_now)
		[ "$next" != "$gap" ] || break
		[ "$((tries -= 1))" -gt 0 ] || break
		gap=$next
	done
	echo "$next"
}

node_goes_round() { # each of its threads, twice from now
	local loops
	loops=$(dp_total loops)
	wait_for 30 "the node's threads" eval '[ "$(dp_total loops)" -ge $((loops + 2)) ]'
}

wire_gap_now() {
	local sent=0 got=0 totals
	local -a ends=("$buyer b0" "$internet i0")
	local end
	# On a bridge, broadcasts between the others reach the node too: its own link counts them.
	[ "$topo_arms" = two ] || ends=("$switch s1")
	for end in "${ends[@]}"; do
		# shellcheck disable=SC2086
		sent=$((sent + $(link_packets $end tx)))
		# shellcheck disable=SC2086
		got=$((got + $(link_packets $end rx)))
	done
	totals=$(dp totals)
	echo "wire.to_node $((sent - $(awk '$1 == "rx_pkts" { print $2 }' <<<"$totals")))"
	echo "wire.from_node $(($(awk '$1 == "tx_pkts" { print $2 }' <<<"$totals") - got))"
}

losses_start() {
	{ hop_drops && node_losses && wire_gap; } | sort >"$tmp/losses.before"
}

# losses_end: those that rose since losses_start, one a line, in $tmp/losses; their sum on stdout.
losses_end() {
	{ hop_drops && node_losses && wire_gap; } | sort >"$tmp/losses.after"
	awk 'NR == FNR { before[$1] = $2; next }
		$2 != before[$1] + 0 { print $1, $2 - before[$1] }' \
		"$tmp/losses.before" "$tmp/losses.after" >"$tmp/losses"
	awk '{ sum += $2 < 0 ? -$2 : $2 } END { print sum + 0 }' "$tmp/losses"
}

# expect_no_losses: what is on its way is missing at one end for a moment; what was lost stays missing.
expect_no_losses() {
	wait_for 30 "all packets to arrive" has_no_losses || fail "lost on the way: $(tr '\n' ' ' <"$tmp/losses")"
}

has_no_losses() {
	[ "$(losses_end)" = 0 ]
}

# ---- what most tests do ----------------------------------------------------------------------

dropped() { # REASON: how many packets the node dropped for it
	dp_total "drop_$1"
}

expect_dropped() { # REASON MIN [MAX]
	expect_between "packets dropped for $1" "$(dropped "$1")" "$2" "${3:-$2}"
}

# expect_accounted: every packet that came in or was made is sent, dropped by name or consumed.
expect_accounted() {
	wait_or_fail 30 "every packet accounted for" is_accounted
}

is_accounted() {
	[ "$(dp_total unaccounted)" = 0 ]
}

# buyer_connects NAME [QUOTA]: node, servers, session and client, connected, witnessed and lossless
# from here on.
buyer_connects() {
	topo_up
	http_up
	echo_up
	session_add "$1" "${2:-100MB}"
	connected=$SECONDS
	buyer_up "$1"
	wait_or_fail 60 "the handshake" wg_is_connected
	first_handshakes=$(dp_total handshakes_completed) # two, where the first answer took 5 s
	losses_start
	captures_start
}

# expect_no_reconnect: no handshake since the client was connected but those of WireGuard's own clock, every
# 120 s.
expect_no_reconnect() {
	expect_between "handshakes" "$(dp_total handshakes_completed)" $first_handshakes \
		$((first_handshakes + (SECONDS - connected) / 120))
}

# echo_flow PACKETS RATE [OPTION...]: there and back; the result is in $tmp/flow.json.
echo_flow() {
	from_buyer python3 "$netns_dir/udp_flow.py" send $server 7 --packets "$1" --rate "$2" "${@:3}" \
		>"$tmp/flow.json"
}

# expect_flow PACKETS: all of them came back, once. Otherwise the counters of each hop say where they are.
expect_flow() {
	[ "$(flow_get sent)" = "$1" ] && [ "$(flow_get lost)" = 0 ] && [ "$(flow_get doubled)" = 0 ] && return
	losses_end >/dev/null
	fail "datagrams: $(cat "$tmp/flow.json"); lost on the way: $(tr '\n' ' ' <"$tmp/losses")"
}

flow_get() { # lost, doubled, ...
	jq ".$1" "$tmp/flow.json"
}

# tour: ICMP, TCP and UDP both ways, each checked at its end.
tour() {
	http_file file 1000000
	from_buyer ping -q -c 3 -i 0.2 -W 20 $server >"$tmp/ping" || fail "ping: $(cat "$tmp/ping")"
	fetch file
	is_fetched file || fail "the file arrived altered"
	echo_flow 200 400
	expect_eq "datagrams lost" "$(flow_get lost)" 0
	expect_eq "datagrams altered" "$(flow_get altered)" 0
}

# expect_all_agree NAME: no hop lost a packet, the node accounts for each, the bill is what both
# captures saw.
expect_all_agree() {
	expect_bill "$1"
	expect_no_losses
	expect_accounted
}

# ---- killing ---------------------------------------------------------------------------------

# fetch_in_background NAME [SPEED]: a download that is still there after a second.
fetch_in_background() {
	rm -f "$tmp/$1" # of a former one
	fetch "$1" ${2:+--limit-rate "$2"} 2>/dev/null &
	download=$!
	on_exit stop "$download"
}

has_fetched() { # NAME BYTES
	[ "$(stat -c %s "$tmp/$1" 2>/dev/null || echo 0)" -ge "$2" ]
}

# one_burst: what a kill of the data plane between the transmit call and the count may leave unbilled.
one_burst=$((32 * 1420))

# expect_bill_within NAME KILLS: each direction's bill is not above what the captures saw, and at most a
# burst for each kill is missing. $unbilled is the difference of both directions together.
expect_bill_within() {
	local out in
	wait_for 30 "the bill and the captures" bill_is_within $(($2 * one_burst)) "$1" || true
	[ "$out" -ge 0 ] || fail "$((-out)) bytes outbound are billed that no capture saw"
	[ "$in" -ge 0 ] || fail "$((-in)) bytes inbound are billed that no capture saw"
	say "unbilled after $2 kill(s) of the data plane: $unbilled bytes"
	expect_between "bytes that the kill left unbilled" "$unbilled" 0 $(($2 * one_burst))
}

unbilled_now() { # NAME: $out, $in and their sum, $unbilled
	local bill
	bill=$(session_bill "$1")
	captures_settle
	out=$(($(count_out) - ${bill% *}))
	in=$(($(count_in) - ${bill#* }))
	unbilled=$((out + in))
}

bill_is_within() { # BYTES NAME: and stays so
	unbilled_now "$2"
	[ "$out" -ge 0 ] && [ "$in" -ge 0 ] && [ "$unbilled" -le "$1" ] || return
	local before=$unbilled
	unbilled_now "$2"
	[ "$unbilled" = "$before" ]
}

# client_restarts NAME: as the app does when its user turns it off and on: a new handshake at once.
client_restarts() {
	in_ns "$buyer" wg set "$tun" peer "$(in_ns "$buyer" wg show "$tun" peers)" remove
	wg_configure "$tun" "$buyer" "$tmp/$1.conf"
	wait_or_fail 60 "a ping after the client's restart" from_buyer ping -q -c 1 -W 1 $server
}
