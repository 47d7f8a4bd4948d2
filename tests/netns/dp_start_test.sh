#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sanitizers: yes
#
# The data plane alone: what it refuses to start with, each time with a message that names the thing, the
# value and the way out, a non-zero exit and nothing left behind; and that it then starts with the right
# file, answers ARP and ping for its addresses, and ends in order.
#
#   client namespace              node namespace
#   c0 192.0.2.1/24 ───────────── n0 192.0.2.2/24, external 192.0.2.2 and 192.0.2.77
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

need_root
build_dir=${TOLLWIRE_BUILD:-$root/build/plain}
dataplane=$(find "$build_dir" -type f -perm -u+x -name tollwire-dataplane -print -quit)
command=$(find "$build_dir" -type f -perm -u+x -name dp_command -print -quit)
[ -n "$dataplane" ] || die "no tollwire-dataplane in $build_dir; run ./scripts/build"
[ -n "$command" ] || die "no dp_command in $build_dir; run ./scripts/build"

make_tmp
ns_add client client
ns_add node node
# shellcheck disable=SC2154 # ns_add sets them
ns_link "$client" c0 "$node" n0
ip -n "$client" addr add 192.0.2.1/24 dev c0

# write_config FILE [SED COMMAND...]: the good file, changed.
write_config() {
	local file=$1
	shift
	cat >"$file" <<-YAML
		node:
		  name: start
		  runtime_dir: $tmp/run
		  state_dir: $tmp/state
		worker:
		  count: 1
		  cores: [1]
		  main_core: 0
		  idle: sleep
		memory:
		  hugepages: false
		  size_mb: 256
		ports:
		  - name: wan
		    devargs: "net_af_packet0,iface=n0"
		    role: both
		    address: 192.0.2.2/24
		    gateway: 192.0.2.1
		nat:
		  external_addresses: [192.0.2.2, 192.0.2.77]
	YAML
	local edit
	for edit; do
		sed -i "$edit" "$file"
	done
}

# refused WHAT PATTERN [SED COMMAND...]: starts with a changed file; all words of PATTERN, separated by
# '&', must stand in one line of its error.
refused() {
	local what=$1 words=$2 status=0 line word
	shift 2
	write_config "$tmp/bad.yaml" "$@"
	timeout 60 ip netns exec "$node" "$dataplane" --config "$tmp/bad.yaml" >"$tmp/bad.log" 2>&1 || status=$?
	[ "$status" = 1 ] || die "$what: exit status $status, not 1: $(tail -n 3 "$tmp/bad.log")"
	line=$(grep '^error' "$tmp/bad.log" | tail -n 1)
	while [ -n "$words" ]; do
		word=${words%%&*}
		[[ $line == *"$word"* ]] || die "$what: '$word' is not in '$line'"
		[[ $words == *"&"* ]] && words=${words#*&} || words=
	done
	say "refused as it should be: $what"
}

mkdir "$tmp/state"

refused "no hugepages" "memory.size_mb: 65536&hugepages of 2 MB&sysctl -w vm.nr_hugepages=&memory.hugepages: false" \
	's/hugepages: false/hugepages: true/; s/size_mb: 256/size_mb: 65536/'
refused "missing interface" "port 'wan'&net_af_packet0,iface=nosuch&no interface 'nosuch'&ip link" 's/iface=n0/iface=nosuch/'
refused "no interface named" "port 'wan'&iface=NAME" 's/,iface=n0//'
refused "missing PCI device" "port 'wan'&no PCI device 0000:fe:1f.6&dpdk-devbind.py" 's/net_af_packet0,iface=n0/0000:fe:1f.6/'
refused "unknown driver" "port 'wan'&net_nosuch0&ports[].devargs" 's/net_af_packet0,iface=n0/net_nosuch0/'
# An interface of that name is there already and is no tap.
refused "busy device" "port 'wan'&net_tap0,iface=n0" 's/net_af_packet0/net_tap0/'
refused "frames beyond the buffers" "memory.mbuf_bytes&2176&mtu&at least 9146" 's/    role: both/    role: both\n    mtu: 9000/'

wg genkey >"$tmp/state/wireguard.key" 2>/dev/null
chmod 644 "$tmp/state/wireguard.key"
refused "key open to others" "private key file&state/wireguard.key&0644&chmod 600" ''
chmod 600 "$tmp/state/wireguard.key"
echo nonsense >"$tmp/state/wireguard.key"
refused "no key in the file" "private key file&state/wireguard.key&wg genkey" ''
rm "$tmp/state/wireguard.key"
refused "no folder for the key" "private key file&none/wireguard.key&make its folder" "s|state_dir: .*|state_dir: $tmp/none|"
touch "$tmp/file"
refused "runtime directory is a file" "$tmp/file" "s|runtime_dir: .*|runtime_dir: $tmp/file|"

write_config "$tmp/good.yaml"
start "$tmp/node.log" ip netns exec "$node" "$dataplane" --config "$tmp/good.yaml"
pid=$started
wait_for 30 "the data plane" "$command" "$tmp/run" key || die "$(tail -n 5 "$tmp/node.log")"
[ "$(stat -c %a "$tmp/state/wireguard.key")" = 600 ] || die "the key it made is open to others"
[ "$("$command" "$tmp/run" key)" = "$(wg pubkey <"$tmp/state/wireguard.key")" ] || die "another key is shown"

refused "second instance" "$tmp/run&$pid" "s/size_mb: 256/size_mb: 128/"

wait_for 30 "ping of the node" in_ns "$client" ping -c 1 -W 1 192.0.2.2 || die "no answer"
wait_for 30 "ping of an external address" in_ns "$client" ping -c 1 -W 1 192.0.2.77 ||
	die "no answer from an external address"
mac_of() { # of a neighbour of the client
	ip -n "$client" neigh show "$1" | sed -n 's/.*lladdr \([^ ]*\).*/\1/p'
}
mac=$(mac_of 192.0.2.2)
[ "$mac" = "$(ip -n "$node" -br link show n0 | awk '{print $3}')" ] || die "ARP told '$mac'"
[ "$(mac_of 192.0.2.77)" = "$mac" ] || die "no ARP for an external address"

"$command" "$tmp/run" snapshot >/dev/null
# A packet is read before it is accounted for, and one more may come at any time.
is_accounted() {
	"$command" "$tmp/run" totals >"$tmp/totals" && grep -qx 'unaccounted 0' "$tmp/totals"
}
wait_for 30 "every packet accounted for" is_accounted || die "packets unaccounted for: $(cat "$tmp/totals")"
grep -q '^consumed_arp [1-9]' "$tmp/totals" || die "no ARP counted: $(cat "$tmp/totals")"
grep -q '^consumed_icmp_echo [1-9]' "$tmp/totals" || die "no echo counted: $(cat "$tmp/totals")"

kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 0 ] || die "exit status $status after SIGTERM: $(tail -n 3 "$tmp/node.log")"
grep -q 'stopped' "$tmp/node.log" || die "it did not end in order: $(tail -n 3 "$tmp/node.log")"
[ "$(find "$tmp/run" -name 'control.*' | wc -l)" = 0 ] || die "a control mapping is left"
[ "$(find "$tmp/run" -name 'counters.*' | wc -l)" = 1 ] || die "the counters are not there to be harvested"
say "started, answered and ended in order"
