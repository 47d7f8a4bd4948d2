# SPDX-License-Identifier: Apache-2.0
#
# Helpers of all scripts. Source it first:
#
#     set -euo pipefail
#     # shellcheck source=scripts/lib.sh
#     . "$(dirname "$0")/lib.sh"
#
# Holds nothing that belongs in C. Whatever a script makes (namespace, process, mount, folder) is put
# on a stack at once and undone in reverse order on every exit, also Ctrl-C; the exit code survives.
# Functions that make things must not be called in a subshell or $(...): the stack would stay there.
# They return names in variables instead.

# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(basename "$0")

# say TEXT...: progress for a person, on stderr.
say() {
	printf '%s: %s\n' "$program" "$*" >&2
}

# die TEXT...: says what is wrong and the way out, and ends the script.
die() {
	say "error: $*"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must run as root (namespaces, packages); try: sudo $0"
}

# list_files: every file of the tree that is not built, one a line, from its root. Works in a checkout,
# also in one that belongs to another user, and in an exported tree.
list_files() {
	if [ -e "$root/.git" ]; then
		git -c safe.directory='*' -C "$root" ls-files -co --exclude-standard
	else
		(cd "$root" && find . -type f -not -path './build/*' -not -path '*/node_modules/*' | sed 's|^\./||')
	fi | sort
}

# ---- cleanup ---------------------------------------------------------------------------------

cleanup_stack=()

# on_exit COMMAND [ARGUMENT...]: runs the command when the script ends, last one first.
on_exit() {
	cleanup_stack+=("$(printf '%q ' "$@")")
}

cleanup_run() {
	local status=$? i
	trap '' INT TERM HUP
	trap - EXIT
	set +e
	for ((i = ${#cleanup_stack[@]} - 1; i >= 0; i--)); do
		eval "${cleanup_stack[i]}" >/dev/null 2>&1 </dev/null
	done
	exit "$status"
}

trap cleanup_run EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# make_tmp: a folder for this run, in $tmp. Its end is on the stack before it is there: a signal between the
# two would leave it.
make_tmp() {
	tmp=${TMPDIR:-/tmp}/tollwire.$(od -An -N6 -tx1 /dev/urandom | tr -d ' ')
	on_exit rm -rf "$tmp"
	mkdir -m 700 "$tmp"
}

# ---- waiting ---------------------------------------------------------------------------------

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; its output is of no interest.
# Returns 1 after the time, having said what did not come.
wait_for() {
	local deadline=$((SECONDS + $1 + 1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			say "waited in vain for $what"
			return 1
		fi
		sleep 0.05
	done
}

# wait_gone SECONDS PID: until the process has ended.
wait_gone() {
	local tries=$(($1 * 50))
	while kill -0 "$2" 2>/dev/null; do
		[ "$((tries -= 1))" -gt 0 ] || return 1
		sleep 0.02
	done
}

# ---- processes -------------------------------------------------------------------------------

# start LOG COMMAND...: runs a command in the background with its output in a file; its pid is in
# $started. It is stopped on exit.
start() {
	local log=$1
	shift
	: >"$log" # at once, so that nobody reads in it what an earlier process said
	"$@" >>"$log" 2>&1 </dev/null &
	started=$!
	on_exit stop "$started"
}

# is_child PID: whether it is one of this script's still. The number of one that has ended is given to another
# process when the numbers have gone round, which takes 32,768 of them: minutes.
is_child() {
	grep -qx "PPid:[[:space:]]*$$" "/proc/$1/status" 2>/dev/null
}

# stop PID [SECONDS]: asks a process to end, makes it end after the time (30 s by default).
stop() {
	is_child "$1" || return 0
	kill -TERM "$1" 2>/dev/null || true
	wait_gone "${2:-30}" "$1" || kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# ---- network namespaces ----------------------------------------------------------------------

# ns_add VARIABLE NAME: makes a namespace that no other run has, with its loopback up, and puts its
# full name into the variable.
ns_add() {
	local -n ns_add_ret=$1
	ns_add_ret=tw$$-$2
	on_exit ns_del "$ns_add_ret" # first, as with the folder
	ip netns add "$ns_add_ret"
	ip -n "$ns_add_ret" link set lo up
}

# Whatever still runs inside would keep the namespace alive without a name.
ns_del() {
	local pids
	pids=$(ip netns pids "$1" 2>/dev/null) || true
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
	ip netns del "$1" 2>/dev/null || true
}

# in_ns NAMESPACE COMMAND...
in_ns() {
	local ns=$1
	shift
	ip netns exec "$ns" "$@"
}

# ns_link NS_A IF_A NS_B IF_B: a veth pair between two namespaces, up, without IPv6 and without the
# offloads that would leave partial checksums and giant frames to a reader of raw packets.
ns_link() {
	local ns if
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	for ns in "$1 $2" "$3 $4"; do
		if=${ns#* }
		ns=${ns% *}
		in_ns "$ns" sysctl -qw "net.ipv6.conf.$if.disable_ipv6=1" 2>/dev/null || true
		in_ns "$ns" ethtool -K "$if" tx off rx off gro off gso off tso off >/dev/null 2>&1 || true
		ip -n "$ns" link set "$if" up
	done
}

# free_port [OTHER...]: a port that is free, and none of these. Below those that the kernel gives to whoever
# connects, so that it is still free when it is used.
free_port() {
	python3 - "$@" <<-'END'
		import random, socket, sys
		while True:
		    port = random.randrange(20000, 32768)
		    with socket.socket() as probe:
		        if str(port) not in sys.argv and probe.connect_ex(("127.0.0.1", port)) != 0:
		            break
		print(port)
	END
}
