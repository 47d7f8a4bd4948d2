#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every operation of the served OpenAPI document against the real tollwire-control over TCP, with a
# stand-in for the data plane: no namespaces, no packets.
# sanitizers: yes
#
#   api_walk.py ── TCP, bearer token ── tollwire-control ── dp_standin
set -euo pipefail
# shellcheck source=tests/netns/standin.sh
. "$(dirname "$0")/standin.sh"

api_port=$(free_port)
standin_conf "checkpoint_bytes: 1000"
cat >>"$tmp/node.yaml" <<END
api:
  listen: 127.0.0.1:$api_port
  requests_per_minute: 100000
END
admin_token

start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
url=http://127.0.0.1:$api_port
wait_for 30 "tollwire-control" "$twctl" --config "$tmp/node.yaml" status
[ "$(curl -s -o "$tmp/health" -w '%{http_code}' "$url/api/v1/health")" = 503 ] || die "well without a data plane"
jq -e '.status == "down" and (.conditions | index("dataplane"))' "$tmp/health" >/dev/null || die "$(cat "$tmp/health")"

start "$tmp/standin.log" "$standin" "$tmp/run"
wait_for 30 "the node to be well" curl -sf "$url/api/v1/health"
"$twctl" --config "$tmp/node.yaml" session add alice --quota 1MB --duration 1h --generate-key >/dev/null
wait_for 30 "a checkpoint" sh -c \
	"'$twctl' --config '$tmp/node.yaml' session show alice --json | jq -e '.usage.checkpoints > 0'"
curl -s "$url/api/v1/openapi.json" | cmp - <(sed 's/^ *//' "$root/controlplane/http/openapi.json") ||
	die "another document is served"
python3 "$(dirname "$0")/api_walk.py" "$url" "$tmp/state/admin.token" alice | tee "$tmp/walk" >&2
say "api_test: $(tail -n 1 "$tmp/walk")"
