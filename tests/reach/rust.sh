#!/usr/bin/env bash
# A server and a client in Rust, its standard library alone, linked statically.
. "$(dirname "$0")/lib.sh"
rust_program
unreached "$PROGRAM"

command_of() {
	COMMAND=("$PROGRAM" serve "$2" "$1")
}

ask() {
	is "$1: TCP reaches its own, by 12 threads" "$(within "$1" "$PROGRAM" line 127.0.0.1 "$2" 12)" "$1"
	is "$1: UDP too, answered from the port that was asked" "$(within "$1" "$PROGRAM" udp 127.0.0.1 "$2" 12)" \
		"$1 127.0.0.1 $2"
	is "$1: so do preloaded clients, TCP" "$(within "$1" "${CLIENT[@]}" line 127.0.0.1 "$2" 2)" "$1"
	is "$1: and UDP" "$(within "$1" "${CLIENT[@]}" udp 127.0.0.1 "$2" 4)" "$1"
	told "^listening on ${ACTUAL[$1]}\$" "${LOGS[$1]}"
	is "$1: local_addr says the actual port" "$(grep -c "^listening on ${ACTUAL[$1]}\$" "${LOGS[$1]}")" 1
}

both free
both held
finish
