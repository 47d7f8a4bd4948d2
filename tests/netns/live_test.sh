#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The WebSockets of the real tollwire-control by a client that is not ours, with a stand-in for the data
# plane that bills: no namespaces, no packets.
# sanitizers: yes
#
#   live.py ── TCP, WebSocket ── tollwire-control ── dp_standin
set -euo pipefail
# shellcheck source=tests/netns/standin.sh
. "$(dirname "$0")/standin.sh"

api_port=$(free_port)
standin_conf
cat >>"$tmp/node.yaml" <<END
api:
  listen: 127.0.0.1:$api_port
  requests_per_minute: 100000
END
admin_token
start "$tmp/standin.log" "$standin" "$tmp/run"
start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
control_pid=$started
wait_for 30 "the node to be well" curl -sf "http://127.0.0.1:$api_port/api/v1/health"
"$twctl" --config "$tmp/node.yaml" session add alice --quota 1GB --duration 1h --generate-key >/dev/null
# Debian's own: that is where the package python3-websockets is.
start "$tmp/live.log" /usr/bin/python3 "$(dirname "$0")/live.py" "$api_port" "$tmp/state/admin.token" alice "$twctl" "$tmp/node.yaml"
live_pid=$started
wait_for 120 "the stories" sh -c "grep -q listening '$tmp/live.log' || ! kill -0 $live_pid 2>/dev/null"
kill "$control_pid"
wait_for 30 "the client's end" sh -c "! kill -0 $live_pid 2>/dev/null"
grep -q 'all as it should be' "$tmp/live.log" || die "$(cat "$tmp/live.log")"
say "live_test: $(tail -n 1 "$tmp/live.log")"
