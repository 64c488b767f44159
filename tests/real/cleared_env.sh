#!/usr/bin/env bash
# A server that is started by another program which clears the environment, as build tools and sandboxes do.
. "$(dirname "$0")/lib.sh"
need python3

prepare() {
	echo "$1" >"${DIRS[$1]}/who"
}

command_of() {
	local server=("$PYTHON" -m http.server "$2")
	case $WAY in
	"env -i") COMMAND=(env -i "${server[@]}") ;;
	"sh, env -i, sh") COMMAND=(sh -c 'exec env -i sh -c "exec \"\$@\"" sh "$@"' sh "${server[@]}") ;;
	node) COMMAND=(node "$REAL/node/cleared.mjs" "${server[@]}") ;;
	*) COMMAND=("$PYTHON" "$REAL/programs/cleared.py" "$WAY" "${server[@]}") ;;
	esac
}

ask() {
	is "$1 ($WAY): a client reaches its own" "$(within "$1" curl -sS --max-time 60 "http://localhost:$2/who")" "$1"
	is "$1 ($WAY): so does a client with a cleared environment" \
		"$(within "$1" env -i "$(command -v curl)" -sS --max-time 60 "http://localhost:$2/who")" "$1"
}

need curl
for WAY in "env -i" "sh, env -i, sh" subprocess vfork posix_spawn execve; do both held; done
if command -v node >/dev/null; then
	WAY=node
	both held
else
	skip "a server started by node" "node is not installed"
fi
WAY="env -i"
both free
finish
