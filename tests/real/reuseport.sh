#!/usr/bin/env bash
# A C server whose workers each bind the port with SO_REUSEPORT: inside a run they share the actual port, as on any
# host.
. "$(dirname "$0")/lib.sh"
need "$CC"
$CC -O1 -Wall -Wextra -o "$WORK/reuseport" "$REAL/programs/reuseport.c" || skip_all "the C compiler does not work"

command_of() {
	COMMAND=("$WORK/reuseport" "$2" "$1" 4)
}

ask() {
	local answers
	told "^all listen\$" "${LOGS[$1]}"
	answers=$(within "$1" "$PYTHON" "$REAL/programs/client.py" line 127.0.0.1 "$2" 60)
	is "$1: 60 clients reach their own" "$(cut -d' ' -f1 <<<"$answers" | sort -u)" "$1"
	isnt "$1: the kernel spreads them over the workers" "$(wc -l <<<"$answers")" 1
}

both free
both held
finish
