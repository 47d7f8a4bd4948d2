# SPDX-License-Identifier: Apache-2.0
#
# What tests of the control plane alone share: a folder of its own, the programs, and a configuration of
# a node whose data plane is a stand-in. No namespaces, no packets. Sourced.
#
# Sets: tmp (see make_tmp), twctl, control, standin.
# shellcheck shell=bash disable=SC2034,SC2154
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

standin_programs() {
	local file build_dir=${TOLLWIRE_BUILD:-$root/build/plain}
	twctl=$build_dir/controlplane/twctl/twctl
	control=$build_dir/controlplane/tollwire-control
	standin=$build_dir/tests/netns/dp_standin
	for file in "$twctl" "$control" "$standin"; do
		[ -x "$file" ] || die "$file is not built"
	done
}

# standin_conf [LINE...]: $tmp/node.yaml, with these lines in its section usage. Other sections may be
# appended.
standin_conf() {
	local line
	mkdir "$tmp/run" "$tmp/state"
	cat >"$tmp/node.yaml" <<-END
		node:
		  name: test-node
		  endpoint: 192.0.2.2:51820
		  runtime_dir: $tmp/run
		  state_dir: $tmp/state
		ports:
		  - {name: wan, devargs: "net_ring0", role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}
		sessions:
		  max: 16
		store:
		  map_size_mb: 16
		usage:
		  poll_interval_ms: 100
	END
	for line; do
		echo "  $line" >>"$tmp/node.yaml"
	done
}

admin_token() {
	(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$tmp/state/admin.token")
}

standin_programs
make_tmp
