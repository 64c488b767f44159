#!/usr/bin/env bash
# Datagrams in Go: an answer must come from the port that was asked, in each of Go's ways to send and receive.
. "$(dirname "$0")/lib.sh"
go_program
PROTOCOL=udp

command_of() {
	COMMAND=("$PROGRAM" udp "$KIND" "$2" "$1")
}

ask() {
	local kind
	for kind in packet connected msg; do
		is "$1: $kind: Go's client gets its own answers, from the port it asked" \
			"$(within "$1" "$PROGRAM" ask "$kind" 127.0.0.1 "$2" 8)" "$1 127.0.0.1:$2"
		[ -z "$HAVE6" ] || is "$1: $kind: by ::1 too" \
			"$(within "$1" "$PROGRAM" ask "$kind" ::1 "$2" 2)" "$1 [::1]:$2"
		is "$1: $kind: by the actual port, answers come from that" \
			"$(within "$1" "$PROGRAM" ask "$kind" 127.0.0.1 "${ACTUAL[$1]}" 2)" "$1 127.0.0.1:${ACTUAL[$1]}"
	done
	is "$1: a preloaded client gets the same" "$(within "$1" "${CLIENT[@]}" udp 127.0.0.1 "$2" 4)" "$1"
}

KIND=packet
both free
both held
KIND=msg
both held
as_ordinary_user
KIND=packet
both held
finish
