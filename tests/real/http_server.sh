#!/usr/bin/env bash
# python3 -m http.server, the server everybody has: IPv4 and IPv6 on one socket, clients by every local name.
. "$(dirname "$0")/lib.sh"
need python3

prepare() {
	echo "$1" >"${DIRS[$1]}/who"
}

command_of() {
	COMMAND=("$PYTHON" -m http.server ${HAVE6:+--bind ::} "$2")
}

ask() {
	local host
	for host in localhost 127.0.0.1 0.0.0.0 "${LOOP6[@]}"; do
		is "$1: a client of $host:$2 reaches its own" "$(within "$1" "$PYTHON" "$REAL/programs/client.py" http "$host" "$2")" "$1"
	done
	like "$1: portshim why $2 tells its actual port" "$(ask_portshim "$1" why "$2" 2>&1)" "*${ACTUAL[$1]}*"
}

LOOP6=(${HAVE6:+::1})
both free
both held

# Two worktrees of one repository, as developers and their agents have them.
if command -v git >/dev/null; then
	new_port
	repo=$WORK/repo
	git init -q "$repo"
	echo "$PORT" >"$repo/port"
	git -C "$repo" add port
	git -C "$repo" -c user.name=test -c user.email=test@localhost commit -qm first
	for id in one two; do
		git -C "$repo" worktree add -q -b "$id" "$WORK/$id"
		DIRS[$id]=$WORK/$id
		echo "$id" >"$WORK/$id/who"
		serve "$id" -- "$PYTHON" -m http.server "$(cat "$WORK/$id/port")"
	done
	for id in one two; do awaited "$id" "$PORT"; done
	for id in one two; do recorded "$id" "$PORT"; done
	apart free "$PORT" one two
	mkdir "$WORK/one/deep"
	for id in one two; do
		is "$id: a client in its work tree reaches its own" \
			"$(within "$id" "$PYTHON" "$REAL/programs/client.py" http localhost "$PORT")" "$id"
		is "$id: git does not see the discovery file" "$(git -C "$WORK/$id" status --porcelain -- .portshim)" ""
	done
	DIRS[deep]=$WORK/one/deep
	is "one: so does a client in a folder of it" \
		"$(within deep "$PYTHON" "$REAL/programs/client.py" http localhost "$PORT")" one
	stop one two
	for id in one two; do forgotten "$id" "$PORT"; done
else
	skip "two worktrees" "git is not installed"
fi
finish
