#!/usr/bin/env bash
# A C server with a UDP and a TCP listener on one number, as DNS servers have them: both move together.
. "$(dirname "$0")/lib.sh"
need "$CC"
$CC -O1 -Wall -Wextra -pthread -o "$WORK/talk" "$REAL/../reach/programs/talk.c" || skip_all "the C compiler does not work"

command_of() {
	COMMAND=("$WORK/talk" serve "$2" "$1")
}

ask() {
	local tcp=${ACTUAL[$1]}
	is "$1: TCP reaches its own" "$(within "$1" "$PYTHON" "$REAL/programs/client.py" line 127.0.0.1 "$2" 2)" "$1"
	is "$1: UDP reaches its own" "$(within "$1" "$PYTHON" "$REAL/programs/client.py" udp 127.0.0.1 "$2" 4)" "$1"
	if [ -n "$HAVE6" ]; then
		is "$1: TCP by ::1 too" "$(within "$1" "$PYTHON" "$REAL/programs/client.py" line ::1 "$2" 2)" "$1"
		is "$1: UDP by ::1 too" "$(within "$1" "$PYTHON" "$REAL/programs/client.py" udp ::1 "$2" 4)" "$1"
	fi
	recorded "$1" "$2" udp
	is "$1: UDP and TCP have one actual port" "${ACTUAL[$1]}" "$tcp"
}

both free
both held
finish
