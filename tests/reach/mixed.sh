#!/usr/bin/env bash
# Clients that the library is in (node, curl, a JVM) of a server that it is not in, and the reverse.
. "$(dirname "$0")/lib.sh"
go_program
go=$PROGRAM
need node curl
unset JAVA_TOOL_OPTIONS
export JDK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

NODE_CLIENT='fetch(process.argv[1]).then((r) => r.text()).then(
	(t) => console.log(t.trim()), (e) => console.log(e.cause.code))'
NODE_SERVER='const [port, who] = process.argv.slice(1)
require("http").createServer((q, r) => r.end(who)).listen(+port)'

prepare() {
	! command -v java >/dev/null || sed "s/@PORT@/$2/g" "$REAL/programs/Client.java" >"${DIRS[$1]}/Client.java"
}

command_of() {
	if [ "$SERVER" = go ]; then
		COMMAND=("$go" http "$2" "$1")
	else
		COMMAND=(node -e "$NODE_SERVER" "$2" "$1")
	fi
}

ask() {
	local url=http://localhost:$2/who
	is "$1: $SERVER's server: Go's client" "$(within "$1" "$go" get 10 "$url")" "$1"
	is "$1: $SERVER's server: node's client" "$(within "$1" node -e "$NODE_CLIENT" "$url")" "$1"
	is "$1: $SERVER's server: curl" "$(within "$1" curl -sS --max-time 60 "$url")" "$1"
	[ "$SERVER$VARIANT$1" != gofreealpha ] || [ ! -e "${DIRS[$1]}/Client.java" ] ||
		is "$1: $SERVER's server: java.net.http and java.net.Socket" \
			"$(within "$1" java Client.java | grep -v '^NOTE: ')" "$1
$1"
	is "$1: $SERVER's server: python's clients" "$(within "$1" "${CLIENT[@]}" http localhost "$2" 4)" "$1"
}

for SERVER in go node; do
	for VARIANT in free held; do both "$VARIANT"; done
done
finish
