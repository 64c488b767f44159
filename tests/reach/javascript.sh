#!/usr/bin/env bash
# Bun and Deno: their own servers and clients for HTTP, WebSocket and UDP, each against the other's.
. "$(dirname "$0")/lib.sh"
need npm
# shellcheck source=tests/real/npm.sh
. "$REAL/npm.sh"
npm_packages "$REACH/javascript"
cp "$REACH/programs/talk.mjs" "$WORK/talk.mjs"
BUN=("$NODE_MODULES/@oven/bun-linux-x64/bin/bun" "$WORK/talk.mjs")
DENO=(env "DENO_DIR=$WORK/deno" DENO_NO_UPDATE_CHECK=1 "$NODE_MODULES/@deno/linux-x64-glibc/deno" run -A --unstable-net
	"$WORK/talk.mjs")
[[ -x ${BUN[0]} && -x ${DENO[3]} ]] || skip_all "Bun and Deno are not to be had for $(uname -m)"

command_of() {
	COMMAND=("${SERVER[@]}" serve "$2" "$1")
}

ask() {
	local all="$1
$1
$1!
$1 127.0.0.1 $2"
	is "$RUNTIME_NAME, $1: Bun's clients reach its own" "$(within "$1" "${BUN[@]}" ask "$2")" "$all"
	is "$RUNTIME_NAME, $1: Deno's clients reach its own" "$(within "$1" "${DENO[@]}" ask "$2")" "$all"
	told "^listening on ${ACTUAL[$1]}\$" "${LOGS[$1]}"
	is "$RUNTIME_NAME, $1: the server is told its actual port" \
		"$(grep -c "^listening on ${ACTUAL[$1]}\$" "${LOGS[$1]}")" 1
}

RUNTIME_NAME=Bun SERVER=("${BUN[@]}")
both free
both held
RUNTIME_NAME=Deno SERVER=("${DENO[@]}")
both free
both held
finish
