#!/usr/bin/env bash
# A daemon in Go that outlives the run's main command, whose status has been told and whose keeper is gone, and then binds
# and serves: it must be moved, recorded and found as if the command were still there.
. "$(dirname "$0")/lib.sh"
go_program
DAEMONS=()

# shellcheck disable=SC2317 # called by lib.sh
at_end() {
	local pid
	for pid in "${DAEMONS[@]}"; do kill -KILL "$pid" 2>/dev/null; done
}

daemons() { # VARIANT
	local id pid port
	new_port && port=$PORT
	[ "$1" != held ] || hold "$port"
	for id in alpha beta; do
		project "$id"
		mkfifo "${DIRS[$id]}/start"
		own "${DIRS[$id]}"
		serve "$id" -- "$PROGRAM" late start "$port" "$id"
	done
	for id in alpha beta; do
		wait "${RUNS[$id]}"
		is "$id: the main command has ended well" "$?" 0
		unset "RUNS[$id]"
		pid=$(sed -n 's/^daemon //p' "${LOGS[$id]}")
		DAEMONS+=("$pid")
		succeeds "$id: the daemon goes on" kill -0 "$pid"
	done
	for id in alpha beta; do : >"${DIRS[$id]}/start"; done
	for id in alpha beta; do awaited "$id" "$port"; done
	for id in alpha beta; do recorded "$id" "$port" tcp 60; done
	isnt "alpha's and beta's daemons have different ports" "${ACTUAL[alpha]}" "${ACTUAL[beta]}"
	for id in alpha beta; do
		[ "$1" != held ] || isnt "$id: left $port to its holder" "${ACTUAL[$id]}" "$port"
		is "$id: Go's client reaches its own" "$(within "$id" "$PROGRAM" get 10 "http://localhost:$port/who")" "$id"
		is "$id: so do preloaded ones" "$(within "$id" "${CLIENT[@]}" http localhost "$port" 4)" "$id"
	done
	for pid in "${DAEMONS[@]}"; do
		kill -TERM "$pid"
		succeeds "a daemon ends" gone 20 "$pid"
	done
	DAEMONS=()
	release
}

daemons free
daemons held
as_ordinary_user
daemons held
finish
