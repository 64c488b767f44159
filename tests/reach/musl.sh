#!/usr/bin/env bash
# A C server and client, TCP and UDP, linked statically: against musl, then against glibc.
. "$(dirname "$0")/lib.sh"

command_of() {
	COMMAND=("$PROGRAM" serve "$2" "$1")
}

ask() {
	local tcp=${ACTUAL[$1]} at
	for at in 127.0.0.1 ${HAVE6:+::1}; do
		is "$1: TCP by $at reaches its own, by 12 threads" "$(within "$1" "$PROGRAM" line "$at" "$2" 12)" "$1"
		is "$1: UDP by $at too, answered from there" "$(within "$1" "$PROGRAM" udp "$at" "$2" 12)" "$1 $at $2"
		is "$1: so do preloaded clients, TCP by $at" "$(within "$1" "${CLIENT[@]}" line "$at" "$2" 2)" "$1"
		is "$1: and UDP by $at" "$(within "$1" "${CLIENT[@]}" udp "$at" "$2" 4)" "$1"
	done
	recorded "$1" "$2" udp
	is "$1: UDP and TCP have one actual port" "${ACTUAL[$1]}" "$tcp"
	told "^listening on $tcp\$" "${LOGS[$1]}"
	is "$1: getsockname says it" "$(grep -c "^listening on $tcp\$" "${LOGS[$1]}")" 1
}

glibc=
c_program talk-glibc "$CC" -static && glibc=$PROGRAM
c_program talk-musl musl-gcc -static
unreached "$PROGRAM"
both free
both held
musl=$PROGRAM
PROGRAM=$glibc
unreached "$PROGRAM"
both held
PROGRAM=$musl
as_ordinary_user
both held
finish
