#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# 100 clients at once: 1,000 requests a minute for a while, then a hundred times that, on what is cheap
# and what is dear, with a chain of 200 nodes and WebSockets open. Prints what they waited; fails when a
# request is not answered with 200, or the data plane's side of the control plane missed anything. Times
# and rates are the machine's as well, and no reason to fail.
#
#   http_load ── TCP, 100 connections ── tollwire-control ── dp_standin
#   live ── 16 WebSockets ───────────────┘       └── anvil
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

build_dir=${TOLLWIRE_BUILD:-$root/build/plain}
twctl=$build_dir/controlplane/twctl/twctl
control=$build_dir/controlplane/tollwire-control
standin=$build_dir/tests/netns/dp_standin
load=$build_dir/perf/http_load/http_load
for file in "$twctl" "$control" "$standin" "$load"; do
	[ -x "$file" ] || die "$file is not built"
done
make_tmp
mkdir "$tmp/run" "$tmp/state"
api_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

"$root/scripts/setup-modules"
start "$tmp/chain.log" node "$root/tests/netns/many_nodes.mjs" 200 "$tmp/chain.json"
wait_for 120 "a chain with nodes" test -s "$tmp/chain.json"
chain() { # NAME: a member of what the chain's script told
	jq -r ".$1" "$tmp/chain.json"
}

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
store:
  map_size_mb: 16
chains:
  - name: anvil
    id: $(chain chainId)
    endpoints: ["$(chain rpcUrl)"]
    escrow: "$(chain escrow)"
    node_id: 1
api:
  listen: 127.0.0.1:$api_port
  requests_per_minute: 100000
END
token=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
(umask 077 && printf '%s' "$token" >"$tmp/state/admin.token" && chain key >"$tmp/state/settler.key")
start "$tmp/standin.log" "$standin" "$tmp/run"
start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
wait_for 10 "the node to be well" curl -sf "http://127.0.0.1:$api_port/api/v1/health"
"$twctl" --config "$tmp/node.yaml" session add alice --quota 1GB --duration 1h --generate-key >/dev/null

wait_for 60 "the nodes" sh -c "curl -sf 'http://127.0.0.1:$api_port/api/v1/nodes' | jq -e '.chains[0].registered == 200'"
cat >"$tmp/listen.py" <<'END'
import asyncio, sys, websockets


async def listen(path):
    async with websockets.connect(f'ws://127.0.0.1:{sys.argv[1]}/api/v1{path}',
                                  extra_headers={'Authorization': 'Bearer ' + sys.argv[2]}) as socket:
        async for message in socket:
            print(len(message), flush=True)


async def listen_all():
    await asyncio.gather(*(listen(path) for path in ['/sessions/alice/live', '/operator/live'] * 8))


asyncio.run(listen_all())
END
# Debian's own: that is where the package python3-websockets is.
start "$tmp/live.log" /usr/bin/python3 "$tmp/listen.py" "$api_port" "$token"
live_pid=$started
wait_for 60 "the WebSockets" sh -c "[ \$(wc -l <'$tmp/live.log') -ge 16 ]"

run() { # WHAT PATH REQUESTS_PER_MINUTE SECONDS [TOKEN]
	local what=$1 rate=$3
	shift
	"$load" "$api_port" "$1" 100 "$2" "$3" "${@:4}" >"$tmp/result" || die "$what: $(cat "$tmp/result")"
	jq -e '.requests > 0 and .not_200 == 0' "$tmp/result" >/dev/null || die "$what: $(cat "$tmp/result")"
	say "$what: $(cat "$tmp/result")"
	jq -e --argjson rate "$rate" '.requests_per_sec * 60 > 0.8 * $rate' "$tmp/result" >/dev/null ||
		say "$what: the machine is too busy for this rate"
}
run "sustained, /node" /api/v1/node 1000 12
run "burst, /node" /api/v1/node 100000 10
run "burst, one session" /api/v1/sessions/alice 100000 10 "$token"
run "sustained, /nodes" "/api/v1/nodes?limit=20" 1000 3
run "burst, /nodes" "/api/v1/nodes?limit=20" 100000 3
run "burst, /operator/earnings" /api/v1/operator/earnings 100000 3 "$token"
run "sustained, /metrics" /metrics 1000 3 "$token"

kill -0 "$live_pid" || die "the WebSockets did not last: $(cat "$tmp/live.log")"
"$twctl" --config "$tmp/node.yaml" status --json >"$tmp/status"
jq -e '.dataplane.is_attached and .dataplane.events_lost == 0 and .dataplane.commands_waiting == 0' "$tmp/status" >/dev/null ||
	die "the data plane's side: $(cat "$tmp/status")"
curl -sf "http://127.0.0.1:$api_port/api/v1/health" >/dev/null || die "not well after the load"
