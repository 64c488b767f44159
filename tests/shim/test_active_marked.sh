#!/bin/sh
# Under a filter that lets only marked calls through, every hooked call works, and what the library asks the kernel for by
# itself is marked as well: see marked.c.
set -u
. tests/lib.sh

mkdir "$scratch/project"
cd "$scratch/project" || exit 3
names="bind bind-again listen listen-again getsockname connect getpeername __connect connect-far bind-udp sendto recvfrom
__recvfrom_chk sendmsg recvmsg sendmmsg recvmmsg"

# calls ACTION PASS ENVIRONMENT: on ports that somebody holds, so that they are moved.
calls()
{
	# shellcheck disable=SC2016 # the inner shell has with_ports' variables
	"$tests/shim/with_ports" --guard 2 0 -- sh -c '"$@" "$PORTS_FIRST"' - \
		"$portshim" exec --strict --env "$3" -- "$tests/shim/marked" under "$1" "$2" "$tests/shim/marked" calls 2>&1
}

all_say()
{
	for name in $names; do
		echo "$name $1"
	done
	echo "send-nowhere ok"
}
same "every hook marks its calls" "$(all_say ok)" "$(calls errno right a)"
same "without the mark, the filter has them all" "$(all_say EOWNERDEAD)" "$(calls errno wrong b)"
same "nothing else is unmarked" "$(all_say ok)" "$(calls kill right c)"
finish
