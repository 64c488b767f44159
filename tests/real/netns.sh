#!/usr/bin/env bash
# A program that moves into a network namespace of its own has all ports to itself there: portshim keeps out of it.
. "$(dirname "$0")/lib.sh"
need python3 unshare
UNSHARE=(unshare -rn)
"${UNSHARE[@]}" true 2>/dev/null || UNSHARE=(unshare -n)
"${UNSHARE[@]}" true 2>/dev/null || skip_all "this machine does not let us make a network namespace"
new_port
project alpha
echo alpha >"${DIRS[alpha]}/who"
serve alpha -- "$PYTHON" -m http.server "$PORT"
awaited alpha "$PORT"
recorded alpha "$PORT"
before=$(cat "${DIRS[alpha]}/.portshim/ports.json")

project beta
is "inside: the port is free, and a client inside reaches the server inside" \
	"$(within beta "${UNSHARE[@]}" "$PYTHON" "$REAL/programs/netns.py" "$PORT")" "$PORT inside"
is "inside the same environment too" \
	"$(within alpha "${UNSHARE[@]}" "$PYTHON" "$REAL/programs/netns.py" "$PORT")" "$PORT inside"
is "outside: nothing of it is recorded" "$(cat "${DIRS[alpha]}/.portshim/ports.json")" "$before"
is "outside: a client still reaches its own" \
	"$(within alpha "$PYTHON" "$REAL/programs/client.py" http localhost "$PORT")" alpha
stop alpha
finish
