#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# 100 clients at once: 1,000 requests a minute for a while, then a hundred times that. Prints what
# they waited; fails when a request is not answered with 200, or the rate is not reached. The times
# themselves are the machine's as well, and no reason to fail.
#
#   http_load ── TCP, 100 connections ── tollwire-control ── dp_standin
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
api:
  listen: 127.0.0.1:$api_port
  requests_per_minute: 100000
END
token=$(head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
(umask 077 && printf '%s' "$token" >"$tmp/state/admin.token")
start "$tmp/standin.log" "$standin" "$tmp/run"
start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
wait_for 10 "the node to be well" curl -sf "http://127.0.0.1:$api_port/api/v1/health"
"$twctl" --config "$tmp/node.yaml" session add alice --quota 1GB --duration 1h --generate-key >/dev/null

run() { # WHAT PATH REQUESTS_PER_MINUTE SECONDS [TOKEN]
	local what=$1 rate=$3
	shift
	"$load" "$api_port" "$1" 100 "$2" "$3" "${@:4}" >"$tmp/result" || die "$what: $(cat "$tmp/result")"
	jq -e --argjson rate "$rate" '.not_200 == 0 and .requests_per_sec * 60 > 0.8 * $rate' "$tmp/result" >/dev/null ||
		die "$what: $(cat "$tmp/result")"
	say "$what: $(cat "$tmp/result")"
}
run "sustained, /node" /api/v1/node 1000 12
run "burst, /node" /api/v1/node 100000 10
run "burst, one session" /api/v1/sessions/alice 100000 10 "$token"
