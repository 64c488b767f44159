#!/usr/bin/env bash
# curl as the client, by every name of loopback, in a run and in place (`portshim exec`).
. "$(dirname "$0")/lib.sh"
need python3 curl

prepare() {
	echo "$1" >"${DIRS[$1]}/who"
}

command_of() {
	COMMAND=("$PYTHON" -m http.server "$2")
}

ask() {
	local url urls=("http://localhost:$2" "http://127.0.0.1:$2" "http://127.1:$2")
	[ -z "$HAVE6" ] || urls+=("http://[::ffff:127.0.0.1]:$2")
	for url in "${urls[@]}"; do
		is "$1: curl $url reaches its own" "$(within "$1" curl -sS --max-time 60 "$url/who")" "$1"
	done
	is "$1: so does portshim exec curl" "$(ask_portshim "$1" exec -- curl -sS --max-time 60 "${urls[0]}/who" 2>&1)" "$1"
	is "$1: curl says the port that was asked for" \
		"$(within "$1" curl -sS -o /dev/null -w '%{remote_port}' --max-time 60 "${urls[1]}/who")" "$2"
	is "$1: portshim url is one that works without portshim" \
		"$(curl -sS --max-time 60 "$(ask_portshim "$1" url "$2")/who" 2>&1)" "$1"
}

both free
both held
finish
