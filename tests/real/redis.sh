#!/usr/bin/env bash
# redis-server and redis-cli.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli

prepare() {
	cat >"${DIRS[$1]}/redis.conf" <<-END
		port $2
		bind 127.0.0.1 -::1
		save ""
		dir ${DIRS[$1]}
	END
}

command_of() {
	COMMAND=(redis-server redis.conf)
}

ask() {
	is "$1: redis-cli sets" "$(within "$1" redis-cli -p "$2" set who "$1")" OK
}

# Every answer is looked at after both have written, so that one shared server could not pass.
compare() { # PORT
	local id port=$1
	for id in alpha beta; do
		is "$id: redis-cli gets what its own environment has set" "$(within "$id" redis-cli -p "$port" get who)" "$id"
		is "$id: by localhost too" "$(within "$id" redis-cli -h localhost -p "$port" get who)" "$id"
		is "$id: the server knows the port that it was told" \
			"$(within "$id" redis-cli -p "$port" config get port | tail -n 1)" "$port"
		is "$id: redis-cli outside of portshim reaches it by the actual port" \
			"$(redis-cli -p "${ACTUAL[$id]}" get who 2>&1)" "$id"
	done
}

both free
both held
finish
