#!/usr/bin/env bash
# One chain of programs that the library is in and is not in: sh and node start Go, Go becomes sh and node, and each of them
# is a client or a server of the one environment.
. "$(dirname "$0")/lib.sh"
go_program
need node

# shellcheck disable=SC2016 # the inner shells'
SERVER='exec node -e "
	const child = require(\"child_process\").spawn(process.argv[1], process.argv.slice(2), {stdio: \"inherit\"})
	child.on(\"exit\", () => process.exit())
	process.on(\"SIGTERM\", () => child.kill())" "$@"'
# shellcheck disable=SC2016
CLIENTS='"$1" get 2 "$2" && exec "$1" spawn node -e "
	fetch(process.argv[1]).then((r) => r.text()).then((t) => {
		console.log(t.trim())
		process.stdout.write(require(\"child_process\").execFileSync(
			process.argv[2], [\"get\", \"2\", process.argv[1]]))
	})" "$2" "$1"'

command_of() { # sh becomes Go, which becomes sh, which becomes node, which starts Go, which serves
	COMMAND=(sh -c 'exec "$@"' - "$PROGRAM" exec sh -c "$SERVER" - "$PROGRAM" http "$2" "$1")
}

ask() {
	is "$1: Go, node started by Go, Go started by node: all reach their own" \
		"$(within "$1" "$PROGRAM" exec sh -c "$CLIENTS" - "$PROGRAM" "http://localhost:$2/who")" "$1
$1
$1"
	is "$1: portshim exec of Go inside of a run too" \
		"$(within "$1" "$PORTSHIM" exec -- "$PROGRAM" get 2 "http://localhost:$2/who")" "$1"
	is "$1: and with an environment that somebody has cleared" \
		"$(within "$1" env -i "$PROGRAM" get 2 "http://localhost:$2/who")" "$1"
}

both free
both held
finish
