#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# sanitizers: yes
#
# What scripts make is gone after every way to end: at the end, with an error, by Ctrl-C, by TERM and
# HUP; and the exit code says which it was. A child script makes one of each: namespaces with a link, a
# process outside and one inside a namespace, a mount, a folder.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"

make_tmp

cat >"$tmp/child" <<CHILD
#!/bin/bash
set -euo pipefail
. "$root/scripts/lib.sh"
make_tmp
ns_add a a
ns_add b b
ns_link "\$a" tw0 "\$b" tw1
start "\$tmp/out" sleep 1000
echo "pid \$started" >"\$1"
start "\$tmp/in" ip netns exec "\$a" sleep 1000
echo "pid \$started" >>"\$1"
mkdir "\$tmp/mount"
mount -t tmpfs tollwire-test "\$tmp/mount"
on_exit umount "\$tmp/mount"
echo "folder \$tmp" >>"\$1"
echo "ns \$a" >>"\$1"
echo "ns \$b" >>"\$1"
echo ready >>"\$1"
case "\$2" in
0) exit 0 ;;
3) exit 3 ;;
1) false ;;
*) wait_for 120 "a signal" false ;;
esac
CHILD

# expect_gone REPORT: nothing that the child reported is left.
expect_gone() {
	local kind what
	while read -r kind what; do
		case "$kind" in
		pid) ! kill -0 "$what" 2>/dev/null || die "process $what is left" ;;
		folder)
			[ ! -e "$what" ] || die "folder $what is left"
			! grep -q "$what" /proc/mounts || die "a mount below $what is left"
			;;
		ns) ! ip netns list | grep -w "$what" >/dev/null || die "namespace $what is left" ;;
		esac
	done <"$1"
}

# Background processes of a script ignore SIGINT, so the child gets a session of its own, in which it
# stands as if started from a terminal.
run_child() {
	local report=$tmp/report status=0 pid
	rm -f "$report"
	setsid python3 -c '
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("bash", ["bash"] + sys.argv[1:])' "$tmp/child" "$report" "$1" &
	pid=$!
	wait_for 60 "the child" grep -q ready "$report"
	[ -z "$2" ] || kill "-$2" "$pid"
	wait "$pid" || status=$?
	[ "$status" = "$3" ] || die "$1 $2: exit code $status; expected $3"
	expect_gone "$report"
}

run_child 0 "" 0
run_child 3 "" 3
run_child 1 "" 1
run_child signal INT 130
run_child signal TERM 143
run_child signal HUP 129
say "nothing is left behind"
