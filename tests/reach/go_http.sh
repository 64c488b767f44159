#!/usr/bin/env bash
# A net/http server and client in Go, static: Go makes its system calls itself, so no preload can see them.
. "$(dirname "$0")/lib.sh"
go_program
unreached "$PROGRAM"

command_of() {
	COMMAND=("$PROGRAM" http "$2" "$1")
}

ask() {
	local port=$2 actual=${ACTUAL[$1]}
	is "$1: a Go client reaches its own, 40 times at once" \
		"$(within "$1" "$PROGRAM" get 20 "http://localhost:$port/who" "http://127.0.0.1:$port/who")" "$1"
	[ -z "$HAVE6" ] ||
		is "$1: by ::1 too" "$(within "$1" "$PROGRAM" get 4 "http://[::1]:$port/who")" "$1"
	is "$1: by the actual port too, which stays what the client sees" \
		"$(within "$1" "$PROGRAM" get 2 "http://localhost:$actual/who")" "$1"
	is "$1: so do preloaded clients" "$(within "$1" "${CLIENT[@]}" http localhost "$port" 4)" "$1"
	is "$1: Listener.Addr() is the actual port, as preloaded programs are told" \
		"$(within "$1" "$PROGRAM" get 1 "http://localhost:$port/addr")" "$actual"
	told "^listening on $actual\$" "${LOGS[$1]}"
	is "$1: and so the server's log says" "$(grep -c "^listening on $actual\$" "${LOGS[$1]}")" 1
}

compare() {
	[ "$VARIANT" = free ] || return 0
	project gamma
	is "gamma: has no server, and its Go client is refused, not led to a stranger" \
		"$(within gamma "$PROGRAM" get 2 "http://localhost:$1/who")" "connection refused"
}

for VARIANT in free held; do both "$VARIANT"; done
as_ordinary_user
for VARIANT in free held; do both "$VARIANT"; done
finish
