#!/usr/bin/env bash
# A program whose calls about sockets are the processor's `syscall` instruction: in a program that the library is
# preloaded into, where the one call is seen and the other is not, and in a static one.
. "$(dirname "$0")/lib.sh"

command_of() {
	COMMAND=("$PROGRAM" serve "$2" "$1")
}

ask() {
	local tcp=${ACTUAL[$1]} at
	for at in 127.0.0.1 ${HAVE6:+::1}; do
		is "$1: TCP by $at reaches its own, by 12 threads" "$(within "$1" "$PROGRAM" line "$at" "$2" 12)" "$1"
		is "$1: UDP by $at too, answered from there" "$(within "$1" "$PROGRAM" udp "$at" "$2" 12)" "$1 $at $2"
		is "$1: so do clients that call libc, TCP by $at" "$(within "$1" "${CLIENT[@]}" line "$at" "$2" 2)" "$1"
		is "$1: and UDP by $at" "$(within "$1" "${CLIENT[@]}" udp "$at" "$2" 4)" "$1"
	done
	recorded "$1" "$2" udp
	is "$1: UDP and TCP have one actual port" "${ACTUAL[$1]}" "$tcp"
	told "^listening on $tcp\$" "${LOGS[$1]}"
	is "$1: getsockname says it" "$(grep -c "^listening on $tcp\$" "${LOGS[$1]}")" 1
}

[ "$(uname -m)" = x86_64 ] || skip_all "the program is written for x86-64"
c_program talk-raw-static "$CC" -DRAW -static
unreached "$PROGRAM"
static=$PROGRAM
c_program talk-raw "$CC" -DRAW
both free
both held
PROGRAM=$static
both held
finish
