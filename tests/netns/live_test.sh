#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The WebSockets of the real tollwire-control by a client that is not ours, with a stand-in for the data
# plane that bills: no namespaces, no packets.
# sanitizers: yes
#
#   live.py ── TCP, WebSocket ── tollwire-control ── dp_standin
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

build_dir=${TOLLWIRE_BUILD:-$root/build/plain}
twctl=$build_dir/controlplane/twctl/twctl
control=$build_dir/controlplane/tollwire-control
standin=$build_dir/tests/netns/dp_standin
for file in "$twctl" "$control" "$standin"; do
	[ -x "$file" ] || die "$file is not built"
done
make_tmp
mkdir "$tmp/run" "$tmp/state"
api_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat >"$tmp/node.yaml" <<END
node:
  name: test-node
  endpoint: 192.0.2.2:51820
  runtime_dir: $tmp/run
  state_dir: $tmp/state
ports:
  - {name: wan, devargs: "net_ring0", role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}
sessions:
  max: 16
usage:
  poll_interval_ms: 100
store:
  map_size_mb: 16
api:
  listen: 127.0.0.1:$api_port
  requests_per_minute: 100000
END
(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$tmp/state/admin.token")
start "$tmp/standin.log" "$standin" "$tmp/run"
start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
control_pid=$started
wait_for 10 "the node to be well" curl -sf "http://127.0.0.1:$api_port/api/v1/health"
"$twctl" --config "$tmp/node.yaml" session add alice --quota 1GB --duration 1h --generate-key >/dev/null
# Debian's own: that is where the package python3-websockets is.
start "$tmp/live.log" /usr/bin/python3 "$(dirname "$0")/live.py" "$api_port" "$tmp/state/admin.token" alice "$twctl" "$tmp/node.yaml"
live_pid=$started
wait_for 120 "the stories" sh -c "grep -q listening '$tmp/live.log' || ! kill -0 $live_pid 2>/dev/null"
kill "$control_pid"
wait_for 30 "the client's end" sh -c "! kill -0 $live_pid 2>/dev/null"
grep -q 'all as it should be' "$tmp/live.log" || die "$(cat "$tmp/live.log")"
say "live_test: $(tail -n 1 "$tmp/live.log")"
