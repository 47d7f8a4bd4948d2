#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sanitizers: yes
#
# What both processes refuse to start with, each time with a message that names the thing, the value and
# the way out, and a non-zero exit: bad YAML, a second instance, a store that is corrupt or has no room, a
# state directory that is none. What a killed instance left behind is no obstacle. (dp_start_test.sh has
# what concerns the data plane alone: hugepages, devices, keys.)
set -euo pipefail
# shellcheck source=tests/netns/topology.sh
. "$(dirname "$0")/topology.sh"

topo_programs
make_tmp
topo_namespaces
ns_link "$buyer" b0 "$node" n0
ns_link "$internet" i0 "$node" n1
mkdir "$tmp/run" "$tmp/state"

# refused WHAT BINARY CONFIG WORD...: it ends by itself, with a line of its error that has all words.
refused() {
	local what=$1 binary=$2 config=$3 status=0 word line
	shift 3
	timeout 60 ip netns exec "$node" "$binary" --config "$config" >"$tmp/refused.log" 2>&1 </dev/null || status=$?
	[ "$status" != 0 ] && [ "$status" -lt 124 ] || fail "$what: exit status $status"
	while read -r line; do
		for word; do
			[[ $line == *"$word"* ]] || continue 2
		done
		say "refused as it should be: $what"
		return
	done < <(grep '^error' "$tmp/refused.log")
	fail "$what: no line has all of '$*' in: $(grep -v 'info config' "$tmp/refused.log")"
}

# bad_yaml WHAT SED-COMMAND WORD...: by both programs, with the line of the key.
bad_yaml() {
	local what=$1 edit=$2 line binary
	shift 2
	sed "$edit" "$tmp/tollwire.yaml" >"$tmp/bad.yaml"
	line=$({ diff "$tmp/tollwire.yaml" "$tmp/bad.yaml" || true; } | sed -n '1s/.*[acd,]//p')
	for binary in "$dataplane" "$control"; do
		refused "$what" "$binary" "$tmp/bad.yaml" "$tmp/bad.yaml:$line" "$@"
	done
}

# usage WHAT BINARY PATTERN ARGUMENT...: its first line names what is wrong.
usage() {
	local what=$1 binary=$2 pattern=$3 status=0
	shift 3
	timeout 20 "$binary" "$@" >"$tmp/usage.log" 2>&1 </dev/null || status=$?
	expect_eq "exit status after $what" "$status" 1
	head -n 1 "$tmp/usage.log" | grep -q -- "$pattern" || fail "$what: $(head -n 1 "$tmp/usage.log")"
	expect_text "$what" "$tmp/usage.log" '^Usage: '
}

topo_write_config
for binary in "$dataplane" "$control"; do
	usage "no configuration" "$binary" '--config FILE is missing'
	usage "a stray word" "$binary" "unexpected argument 'stray'" --config "$tmp/tollwire.yaml" stray
	usage "a mistyped option" "$binary" "'--confg'" --confg "$tmp/tollwire.yaml"
done
bad_yaml "unknown key" 's/idle: sleep/ilde: sleep/' worker.ilde worker.idle
bad_yaml "wrong type" 's/count: 1/count: many/' worker.count many
bad_yaml "out of range" 's/count: 1/count: 500/' worker.count 500 allowed
bad_yaml "no such choice" 's/idle: sleep/idle: doze/' worker.idle doze spin sleep
bad_yaml "no address" "s/address: $node_inner_addr/address: 10.8.0.999/" tunnel.address 10.8.0.999
refused "missing file" "$control" "$tmp/none.yaml" "$tmp/none.yaml"
refused "missing file" "$dataplane" "$tmp/none.yaml" "$tmp/none.yaml"

dataplane_start
control_start
refused "second control plane" "$control" "$tmp/tollwire.yaml" "$tmp"
refused "second data plane" "$dataplane" "$tmp/tollwire.yaml" "$tmp/run" "$dataplane_pid"
wait_or_fail 30 "the first instance, not broken by the second" control_is_up
session_add alice 1MB

say "killing both, and starting with what they left"
kill9 "$control_pid"
kill9 "$dataplane_pid"
dataplane_start
control_start
wait_or_fail 30 "session alice" session_is_ready alice
stop "$control_pid"
expect_text "the end" "$tmp/control.log" 'ends'
cp -a "$tmp/state" "$tmp/good"

store=$tmp/state/store
database=$(find "$store" -name 'data.mdb')
for damage in 'head -c 30000 /dev/urandom' 'head -c 5000 "$tmp/good/store/$(basename "$database")"' 'echo text'; do
	eval "$damage" >"$database"
	refused "store damaged by '$damage'" "$control" "$tmp/tollwire.yaml" store.path "$store"
done
rm -rf "$tmp/state"
cp -a "$tmp/good" "$tmp/state"
control_start
wait_or_fail 30 "session alice, restored" session_is_ready alice
stop "$control_pid"

mkdir "$tmp/small"
mount -t tmpfs -o size=16k tollwire-test "$tmp/small"
on_exit umount "$tmp/small"
sed "s|state_dir: .*|state_dir: $tmp/small|" "$tmp/tollwire.yaml" >"$tmp/small.yaml"
refused "no room for the store" "$control" "$tmp/small.yaml" store.path "$tmp/small" "No space left"
touch "$tmp/file"
sed "s|state_dir: .*|state_dir: $tmp/file|" "$tmp/tollwire.yaml" >"$tmp/file.yaml"
refused "state directory is a file" "$control" "$tmp/file.yaml" "$tmp/file"
