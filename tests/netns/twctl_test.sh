#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every command of twctl against the real tollwire-control, good and bad input, with a stand-in for the
# data plane that bills known steps: no namespaces, no packets.
# sanitizers: yes
#
#   twctl ── UNIX socket ── tollwire-control ── command ring ── dp_standin
#     └────────────────────── counters, read-only ─────────────────┘
set -euo pipefail
# shellcheck source=tests/netns/standin.sh
. "$(dirname "$0")/standin.sh"

standin_conf "checkpoint_bytes: 100000"

# ---- asserting -------------------------------------------------------------------------------

fail() {
	say "FAILED: $*"
	local log
	for log in "$tmp/out" "$tmp/err" "$tmp"/*.log; do
		[ -s "$log" ] && { echo "--- $log" && tail -n 20 "$log"; } >&2
	done
	exit 1
}

# tw ARGUMENT...: runs twctl; output in $tmp/out and $tmp/err, exit code in $code.
tw() {
	code=0
	"$twctl" --config "$tmp/node.yaml" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null || code=$?
}

# ok ARGUMENT...: must succeed.
ok() {
	tw "$@"
	[ "$code" = 0 ] || fail "twctl $*: exit code $code"
}

# refused CODE TEXT ARGUMENT...: must end with that code and say that on stderr. With --json the reason
# stands on stdout too, as one object.
refused() {
	local want=$1 text=$2
	shift 2
	tw "$@"
	[ "$code" = "$want" ] || fail "twctl $*: exit code $code, not $want"
	grep -qF -- "$text" "$tmp/err" || fail "twctl $*: does not say '$text'"
	tw "$@" --json
	[ "$code" = "$want" ] || fail "twctl $* --json: exit code $code, not $want"
	jq -e '.error | length > 0' "$tmp/out" >/dev/null || fail "twctl $* --json: no error object"
	[ "$(wc -l <"$tmp/out")" = 1 ] || fail "twctl $* --json: not one line"
}

# json FILTER ARGUMENT...: the value of a jq filter in what `twctl … --json` prints, in $value.
json() {
	local filter=$1
	shift
	ok "$@" --json
	[ "$(wc -l <"$tmp/out")" = 1 ] || fail "twctl $* --json: not one line"
	value=$(jq -er "$filter" "$tmp/out") || fail "twctl $* --json: no $filter"
}

# Of what is measured over a moment: asked until it is so, since the stand-in may have slept through it.
measures() { # FILTER WANTED ARGUMENT...
	wait_for 30 "$1 = $2" has_measured "$@" || fail "twctl ${*:3} --json: $1 is not $2"
}

has_measured() {
	tw "${@:3}" --json
	[ "$code" = 0 ] && [ "$(wc -l <"$tmp/out")" = 1 ] && [ "$(jq -r "$1" "$tmp/out")" = "$2" ]
}

shows() { # PATTERN ARGUMENT...
	wait_for 30 "$1" has_shown "$@" || fail "twctl ${*:2} has no '$1'"
}

has_shown() {
	tw "${@:2}"
	[ "$code" = 0 ] && grep -qE -- "$1" "$tmp/out"
}

says() {
	grep -qE -- "$1" "$tmp/out" || fail "the output has no '$1'"
}

equal() { # WHAT GOT WANTED
	[ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

start_control() {
	start "$tmp/control.log" "$control" --config "$tmp/node.yaml"
	control_pid=$started
	wait_for 30 "tollwire-control" "$twctl" --config "$tmp/node.yaml" status || fail "no control plane"
}

start_standin() {
	start "$tmp/standin.log" "$standin" "$tmp/run"
	standin_pid=$started
	wait_for 30 "dp_standin" grep -q ready "$tmp/standin.log" || fail "no stand-in"
}

state_is() { # SESSION FILTER VALUE
	[ "$("$twctl" --config "$tmp/node.yaml" session show "$1" --json | jq -r "$2")" = "$3" ]
}

# ---- wrong usage, nothing runs ---------------------------------------------------------------

say "help and wrong usage"
for command in status "session add" "session list" "session show" "session extend" "session top-up" \
	"session suspend" "session resume" "session remove" "session config" "session history" top stages drops nat port \
	"config check"; do
	# shellcheck disable=SC2086
	ok $command --help
	says '^Usage: twctl '
	says 'Example'
	says 'Exit code'
	ok --help
	says "^  $command "
done
refused 2 "did you mean 'status'?" statsu
refused 2 "did you mean 'session add'?" session ad
refused 2 "did you mean '--quota'?" session add x --qouta 1GB
refused 2 "needs NAME" session show
refused 2 "--quota is required" session add x --duration 1h --generate-key
refused 2 "--quota '10Gb': allowed is" session add x --quota 10Gb --duration 1h --generate-key
refused 2 "--quota '0': allowed is" session add x --quota 0 --duration 1h --generate-key
refused 2 "--quota '-1': allowed is" session add x --quota -1 --duration 1h --generate-key
refused 2 "--duration '1y': allowed is" session add x --quota 1GB --duration 1y --generate-key
refused 2 "--rate-in '5': allowed is" session add x --quota 1GB --duration 1h --generate-key --rate-in 5
refused 2 "one of --public-key" session add x --quota 1GB --duration 1h
refused 2 "--at-quota 'stop': allowed is cut or throttle" \
	session add x --quota 1GB --duration 1h --generate-key --at-quota stop
refused 2 "--limit '0': allowed is" session list --limit 0
refused 2 "--interval '5': allowed is" top --interval 5
refused 1 "$tmp/run/control.sock: No such file or directory; is tollwire-control running?" status
refused 1 "no data plane has run in $tmp/run" drops
refused 1 "cannot read $tmp/nowhere" drops --runtime-dir "$tmp/nowhere"

say "config check"
ok config check "$tmp/node.yaml"
says 'valid, 0 errors'
json .is_valid config check "$tmp/node.yaml"
sed 's/max: 16/max: many/; s/^  name:/  nmae:/' "$tmp/node.yaml" >"$tmp/bad.yaml"
tw config check "$tmp/bad.yaml"
equal "exit code for a bad file" "$code" 1
says 'bad.yaml:[0-9]+: .*sessions.max.*many'
says 'nmae'
tw config check "$tmp/bad.yaml" --json
jq -e '.is_valid == false and .n_errors >= 2 and (.errors[0].line | type) == "number"' "$tmp/out" \
	>/dev/null || fail "config check --json"
tw config check "$tmp/missing.yaml"
equal "exit code for a missing file" "$code" 1

# ---- the control plane alone -----------------------------------------------------------------

say "control plane without a data plane"
start_control
json .is_degraded status
equal degraded "$value" true
json '.conditions | map(.name) | index("dataplane") >= 0' status
equal "mode of the socket" "$(stat -c %a "$tmp/run/control.sock")" 660
if "$control" --config "$tmp/node.yaml" >"$tmp/second.log" 2>&1; then
	fail "a second control plane started"
fi
grep -q "pid $control_pid" "$tmp/second.log" || fail "the second instance is not refused by name"

key=$(wg genkey | wg pubkey)
json .id session add early --quota 1GB --duration 1h --public-key "$key"
refused 1 "public key is not known yet" session config early
ok session remove early

# ---- sessions --------------------------------------------------------------------------------

say "sessions"
start_standin
wait_for 30 "the attachment" sh -c "'$twctl' --config '$tmp/node.yaml' status --json | jq -e .dataplane.is_attached" ||
	fail "not attached"
ok status
says 'data plane .*heartbeat'

json .id session add alice --quota 200kB --duration 24h --public-key "$key" --rate-out 50Mbps
alice=$value
equal state "$(jq -r .state "$tmp/out")" provisioned
equal quota "$(jq -r .quota_bytes "$tmp/out")" 200000
equal rate "$(jq -r .rate_out_kbps "$tmp/out")" 50000
equal "public key" "$(jq -r .public_key "$tmp/out")" "$key"
ok session add bob --quota 9007199254740993B --duration never --generate-key --at-quota throttle
says 'bob'
json .quota_bytes session show bob
equal "a quota above 2^53" "$(jq -r '.quota_bytes | type' "$tmp/out") $value" "string 9007199254740993"
equal expiry "$(jq -r .expires_unix_sec "$tmp/out")" null

refused 1 "alice" session add alice --quota 1GB --duration 1h --generate-key
refused 1 "public" session add carol --quota 1GB --duration 1h --public-key "$key"
refused 1 "32 bytes in base64" session add carol --quota 1GB --duration 1h --public-key "${key%=}"
refused 1 "" session add carol --quota 1GB --duration 1h --public-key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
refused 1 "" session add ../etc --quota 1GB --duration 1h --generate-key
refused 1 "nobody" session show nobody
refused 1 "nobody" session top-up nobody --by 1GB
refused 1 "" session show $'\x1b[2J'
refused 1 "there is no state 'actve'" session list --state actve

ok session list
says '^ +[0-9]+ +alice '
json '.sessions | map(select(.state == "provisioned" or .state == "active")) | length' session list
equal "live sessions" "$value" 2
json .next_id session list --limit 1
ok session list --limit 1
says '^more: twctl session list --from'
json .name session show "$alice"
equal "a session by id" "$value" alice

say "billing, quota, top-up"
wait_for 30 "alice's quota" state_is alice .usage.gate quota || fail "the quota was not reached"
wait_for 30 "alice's bytes" state_is alice .usage.used_bytes 200000 || fail "alice was not billed her quota"
json .usage.used_bytes session show alice
equal "alice's bytes" "$value" 200000
equal "alice's left bytes" "$(jq -r .usage.left_bytes "$tmp/out")" 0
equal "alice's outbound bytes" "$(jq -r .usage.out_bytes "$tmp/out")" 20000
ok session top-up alice --by 100kB
says 'of 300 kB'
wait_for 30 "the top-up" state_is alice .usage.used_bytes 300000 || fail "the top-up did not open the gate"
json .expires_unix_sec session show alice
before=$value
json .expires_unix_sec session extend alice --by 30d
equal "extended by" $((value - before)) 2592000
refused 1 "" session extend bob --by 1h
refused 2 "--by is required" session top-up alice
refused 1 "" session top-up bob --by 9223372036854775807B

json .state session suspend bob
equal "state after suspend" "$value" suspended
wait_for 30 "the closed gate" state_is bob .usage.gate closed || fail "suspend did not close the gate"
refused 1 "suspended" session suspend bob
json .state session resume bob
wait_for 30 "the open gate" state_is bob .usage.gate open || fail "resume did not open the gate"

say "checkpoints over the API"
api() {
	curl -sS --unix-socket "$tmp/run/control.sock" "http://localhost/api/v1/$1" >"$tmp/out"
}
api sessions/alice/checkpoints
jq -e '(.checkpoints | length) >= 2 and .next_sequence == null' "$tmp/out" >/dev/null || fail "no checkpoints"
jq -e '.checkpoints as $c | [range(1; $c | length)] | all($c[.].previous_hash == $c[. - 1].hash and
	$c[.].sequence == $c[. - 1].sequence + 1 and $c[.].in_bytes >= $c[. - 1].in_bytes)' "$tmp/out" \
	>/dev/null || fail "the checkpoints are no chain"
first=$(jq -r '.checkpoints[1].hash' "$tmp/out")
api 'sessions/alice/checkpoints?from=2&limit=1'
equal "a page of checkpoints" "$(jq -r '.checkpoints[0].hash' "$tmp/out")" "$first"
api 'sessions/alice/checkpoints?from=x'
equal "status of a bad page" "$(jq -r .status,.field "$tmp/out" | xargs)" "400 from"

say "history"
ok session history bob --json
equal "bob's history" "$(jq -r '[.history[].what] | map(select(test(" -> "))) | join(", ")' "$tmp/out")" \
	"pending -> provisioned, provisioned -> active, active -> suspended, suspended -> active"
ok session history bob
equal "lines of it" "$(wc -l <"$tmp/out")" "$("$twctl" --config "$tmp/node.yaml" session history bob --json | jq '.history | length')"
refused 1 "nobody" session history nobody
refused 2 "needs NAME" session history
api 'sessions/bob/history?limit=1'
next=$(jq -r .next "$tmp/out")
equal "one of a page" "$(jq '.history | length' "$tmp/out")" 1
api "sessions/bob/history?from=$next"
equal "what follows it" "$(jq -e --argjson next "$next" '.history[0].sequence >= $next and .next == null' "$tmp/out")" true

say "client configurations"
ok session config bob
cp "$tmp/out" "$tmp/bob.conf"
grep -qE '^PrivateKey = [A-Za-z0-9+/]{43}=$' "$tmp/bob.conf" || fail "bob.conf has no private key"
equal "bob's key pair" "$(sed -n 's/^PrivateKey = //p' "$tmp/bob.conf" | wg pubkey)" \
	"$("$twctl" --config "$tmp/node.yaml" session show bob --json | jq -r .public_key)"
says '^Endpoint = 192.0.2.2:51820$'
says '^AllowedIPs = 0.0.0.0/0$'
says '^PersistentKeepalive = 25$'
wg-quick strip "$tmp/bob.conf" >"$tmp/stripped" 2>/dev/null || fail "wg-quick does not take bob.conf"
# The interface does not exist: wg reads the whole file before it finds that out.
wg setconf nosuchif0 "$tmp/stripped" >"$tmp/wg.log" 2>&1 || true
grep -q 'Unable to modify interface' "$tmp/wg.log" || fail "wg does not take bob.conf"
ok session config bob --block-ipv6
says '^AllowedIPs = 0.0.0.0/0, ::/0$'
says 'fd74:6f6c:6c77::'

umask 000
ok session config bob --qr-png "$tmp/bob.png"
umask 022
equal "mode of the PNG" "$(stat -c %a "$tmp/bob.png")" 600
zbarimg -q --raw "$tmp/bob.png" >"$tmp/decoded" 2>/dev/null || fail "the PNG cannot be read"
# zbarimg ends its output with a newline of its own.
diff <(cat "$tmp/bob.conf" && echo) "$tmp/decoded" >/dev/null || diff "$tmp/bob.conf" "$tmp/decoded" ||
	fail "the QR code says something else"
refused 1 "the file exists" session config bob --qr-png "$tmp/bob.png"
refused 1 "could not be written to /nonexistent/x.png: No such file" session config bob --qr-png /nonexistent/x.png
ok session config bob --qr
says $'\u2588'
json .config session config bob
equal "the configuration in JSON" "$value" "$(cat "$tmp/bob.conf")"
ok session config alice
says '^PrivateKey = INSERT-YOUR-PRIVATE-KEY$'
refused 1 "the node does not have its private key" session config alice --qr-png "$tmp/alice.png"
tw session config alice --qr
equal "exit code of a QR code without a key" "$code" 1
grep -q "does not have its private key" "$tmp/err" || fail "--qr is refused without a reason"
[ ! -e "$tmp/alice.png" ] || fail "a refused QR code left a file"

n_keys() {
	find "$tmp/state" -name '*.key' -path '*client*' | wc -l
}
equal "key files" "$(n_keys)" 1
equal "open key files" "$(find "$tmp/state" -path '*client*' -name '*.key' -perm /077 | wc -l)" 0
ok session config bob --forget-key
says '^PrivateKey = [A-Za-z0-9+/]{43}=$'
equal "key files after --forget-key" "$(n_keys)" 0
ok session config bob
says '^PrivateKey = INSERT-YOUR-PRIVATE-KEY$'
refused 1 "the node does not have its private key" session config bob --qr-png "$tmp/bob2.png"

say "counters"
json .drops.wg_auth drops
equal "wg_auth drops" "$value" 60
equal "held packets" "$(jq -r .held_pkts "$tmp/out")" 0
ok drops
says '60  wg_auth +authentication tag wrong'
! grep -q wg_replay "$tmp/out" || fail "drops shows zeros without --all"
ok drops --all
says '0  wg_replay'
json .mappings_created nat
equal "a counter above 2^53" "$(jq -r '.mappings_created | type' "$tmp/out") $value" "string 9007199254740993"
ok nat
json '.ports[0].name' port
equal "port name" "$value" wan
ok port
says 'rx_missed_pkts +3'
measures '.stages[] | select(.name == "decrypt") | .cycles_per_pkt' 1000 stages --interval 200
shows '^decrypt .* 32.0 +1000.0' stages --interval 100
measures '.sessions[] | select(.name == "bob") | .in_bits_per_sec > .out_bits_per_sec and .out_bits_per_sec > 0' \
	true top --interval 300
shows '^bob ' top --once --interval 200 --lines 1
says '^2 sessions'
says 'and 1 more'
timeout 30 "$twctl" --config "$tmp/node.yaml" top --interval 100 | head -n 8 >"$tmp/out" || true
says '^session +out'

# ---- what survives ---------------------------------------------------------------------------

say "kill -9 of the control plane"
kill -KILL "$control_pid"
wait "$control_pid" 2>/dev/null || true
refused 1 "Connection refused; is tollwire-control running?" session list
ok drops
json '.sessions | length' top --interval 100
equal "sessions without the control plane" "$value" 2
equal "a name without the control plane" "$(jq -r '.sessions[0].name | startswith("slot ")' "$tmp/out")" true
start_control
json .usage.used_bytes session show alice
equal "alice's bytes after the kill" "$value" 300000
json .quota_bytes session show bob
equal "bob's quota after the kill" "$value" 9007199254740993

say "kill -9 of the data plane"
kill -KILL "$standin_pid"
wait "$standin_pid" 2>/dev/null || true
wait_for 30 "the condition" sh -c "'$twctl' --config '$tmp/node.yaml' status --json | jq -e '.conditions[] | select(.name == \"dataplane\")'" ||
	fail "status does not say that the data plane is gone"
start_standin
wait_for 30 "the attachment" sh -c "'$twctl' --config '$tmp/node.yaml' status --json | jq -e .dataplane.is_attached" ||
	fail "not attached again"
json .usage.used_bytes session show alice
equal "alice's bytes after the harvest" "$value" 300000

say "end"
json .state session remove alice
wait_for 30 "alice's end" state_is alice .state settled || fail "alice does not end"
json .usage.used_bytes session show alice
equal "alice's bytes on record" "$value" 300000
refused 1 "" session resume alice
refused 1 "" session top-up alice --by 1GB
ok session remove bob
kill -TERM "$standin_pid"
wait "$standin_pid" 2>/dev/null || true
kill -TERM "$control_pid"
wait "$control_pid" || fail "tollwire-control ended with $?"
[ ! -e "$tmp/run/control.sock" ] || fail "the socket was left behind"
! grep -iE 'ERROR: (Address|Leak|Undefined)|runtime error' "$tmp"/*.log || fail "a sanitizer spoke"
say "passed"
