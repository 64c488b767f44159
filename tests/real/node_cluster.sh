#!/usr/bin/env bash
# node's cluster with four workers, in both of its ways to share a port: the primary hands out connections (round
# robin), or the workers accept by themselves. The cluster module compares getsockname with the port it asked for.
. "$(dirname "$0")/lib.sh"
need node

prepare() {
	sed "s/@PORT@/$2/g; s/@IDENTITY@/$1/g" "$REAL/node/cluster.mjs" >"${DIRS[$1]}/cluster.mjs"
}

command_of() {
	COMMAND=(env "NODE_CLUSTER_SCHED_POLICY=$POLICY" node cluster.mjs)
}

ask() {
	local answers
	told "^all four listen\$" "${LOGS[$1]}" # until then, one of them answers all
	answers=$(within "$1" "$PYTHON" "$REAL/programs/client.py" http localhost "$2" 40)
	is "$1 ($POLICY): 40 clients reach their own" "$(cut -d' ' -f1 <<<"$answers" | sort -u)" "$1"
	[ "$POLICY" = none ] || is "$1 ($POLICY): and all four workers" "$(wc -l <<<"$answers")" 4
}

for POLICY in rr none; do
	both free
	both held
done
finish
