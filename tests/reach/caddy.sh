#!/usr/bin/env bash
# Caddy: a Go program that is linked dynamically and makes its system calls itself all the same. Its own number and its
# administration's, 2019, are hardcoded in both copies; it sets SO_REUSEPORT, with which two copies of one user share a
# number without an error and get each other's clients. `caddy reload` is a client of 2019.
. "$(dirname "$0")/lib.sh"
need caddy

prepare() {
	echo "$1" >"${DIRS[$1]}/who"
	printf ':%s {\n\troot * .\n\tfile_server\n\trespond /reloaded no\n}\n' "$2" >"${DIRS[$1]}/Caddyfile"
}

at_home() { # ID COMMAND...: with a home of its own
	local dir=${DIRS[$1]}
	shift
	COMMAND=(env "HOME=$dir" "XDG_DATA_HOME=$dir" "XDG_CONFIG_HOME=$dir" "$@")
}

command_of() {
	at_home "$1" caddy run --config Caddyfile
}

ask() {
	local id=$1 port=$2
	awaited "$id" 2019
	is "$id: curl reaches its own" "$(within "$id" curl -sS --max-time 60 "http://localhost:$port/who")" "$id"
	is "$id: the administration at 2019 is its own" \
		"$(within "$id" curl -sS --max-time 60 http://localhost:2019/config/apps/http/servers/srv0/listen)" \
		"[\":$port\"]"
	sed -i 's|/reloaded no|/reloaded yes|' "${DIRS[$id]}/Caddyfile"
	at_home "$id" caddy reload --config Caddyfile
	succeeds "$id: caddy reload reaches the administration" within "$id" "${COMMAND[@]}"
	is "$id: it was this Caddy that has loaded its file anew" \
		"$(within "$id" curl -sS --max-time 60 "http://localhost:$port/reloaded")" yes
	is "$id: which serves on" \
		"$(within "$id" "${CLIENT[@]}" http localhost "$port" 8)" "$id"
	recorded "$id" "$port"
	recorded "$id" 2019
}

for variant in free held; do both "$variant"; done
as_ordinary_user
both held
finish
