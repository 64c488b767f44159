#!/usr/bin/env bash
# A pre-forking asyncio server: the parent binds, hands the socket to spawned processes, and each of those listens on
# it.
. "$(dirname "$0")/lib.sh"
need python3

command_of() {
	COMMAND=("$PYTHON" "$REAL/programs/workers.py" "$2" "$1" 3)
}

ask() {
	local answers
	told "^all started\$" "${LOGS[$1]}" # it ends them when it is ended from here on
	answers=$(within "$1" "$PYTHON" "$REAL/programs/client.py" line localhost "$2" 40)
	is "$1: 40 clients reach their own" "$(cut -d' ' -f1 <<<"$answers" | sort -u)" "$1"
}

both free
both held
finish
