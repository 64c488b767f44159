#!/usr/bin/env bash
# `esbuild --serve`: a bundler in Go with a server in it, which prints what people are to open in a browser.
. "$(dirname "$0")/lib.sh"
need esbuild

prepare() {
	mkdir "${DIRS[$1]}/www"
	mkfifo "${DIRS[$1]}/stdin"
	echo "$1" >"${DIRS[$1]}/www/who"
	echo "console.log('bundled for ' + '$1')" >"${DIRS[$1]}/app.js"
}

command_of() {
	# Its server ends with its standard input: this one does not end.
	# shellcheck disable=SC2016 # the inner shell's
	COMMAND=(sh -c 'exec "$@" <>stdin' - esbuild app.js --bundle --minify --outdir=www --servedir=www "--serve=$2")
}

ask() {
	is "$1: python reaches its own" "$(within "$1" "${CLIENT[@]}" http localhost "$2" 8)" "$1"
	like "$1: curl gets its own bundle" "$(within "$1" curl -sS --max-time 60 "http://localhost:$2/app.js")" \
		"*bundled for $1*"
	told "http://127.0.0.1:${ACTUAL[$1]}/" "${LOGS[$1]}"
	like "$1: esbuild prints a URL that a browser can open" "$(cat "${LOGS[$1]}")" "*http://127.0.0.1:${ACTUAL[$1]}/*"
}

both free
both held
as_ordinary_user
both held
finish
