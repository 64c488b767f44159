#!/usr/bin/env bash
# A datagram service on node: request and reply, where the client checks that the answer comes from the port it asked.
. "$(dirname "$0")/lib.sh"
need node
PROTOCOL=udp

prepare() {
	sed "s/@PORT@/$2/g; s/@IDENTITY@/$1/g" "$REAL/node/dgram.mjs" >"${DIRS[$1]}/dgram.mjs"
}

command_of() {
	COMMAND=(node dgram.mjs)
}

ask() {
	is "$1: node's client gets its own answer, from 127.0.0.1:$2" "$(within "$1" node dgram.mjs client)" "$1 127.0.0.1:$2"
	is "$1: node's connected client too" "$(within "$1" node dgram.mjs connected)" "$1 127.0.0.1:$2"
	is "$1: python's clients too" "$(within "$1" "$PYTHON" "$REAL/programs/client.py" udp 127.0.0.1 "$2" 4)" "$1"
}

both free
both held
finish
