# shellcheck shell=bash
# lib.sh - what the tests of the suite reach share beyond tests/real/lib.sh: programs that no preload reaches, built
# once into the build directory and copied to where any user can run them. Sourced, not run.
REACH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/real/lib.sh
. "$REACH/../real/lib.sh"
need
need_second_path

# shellcheck disable=SC2034 # for the tests
CLIENT=("$PYTHON" "$REAL/programs/client.py")

# once NAME COMMAND...: runs COMMAND in the build directory's part for these tests, unless that was done since the
# sources have changed; one of several tests does it, the others wait for it. 1 if it failed; what it said is in NAME.said.
once() {
	local name=$1 dir=$BUILD/reach sources
	shift
	mkdir -p "$dir"
	sources=$(cd "$REACH/programs" && find . -type f -exec sha256sum {} + | sort | sha256sum)
	(
		flock 9
		[ "$(cat "$dir/$name.built" 2>/dev/null)" != "$sources $*" ] || exit 0
		cd "$REACH/programs" && "$@" >"$dir/$name.said" 2>&1 && echo "$sources $*" >"$dir/$name.built"
	) 9>"$dir/$name.lock"
}

# Sets PROGRAM to a copy that any user can run.
place() { # NAME
	PROGRAM=$WORK/$1
	chmod 755 "$WORK"
	cp "$BUILD/reach/$1" "$PROGRAM"
}

said() { # NAME
	head -n 1 "$BUILD/reach/$1.said"
}

# Without cgo: such a program is static, and Go's own resolver and system calls are all there is in it.
go_program() {
	need go
	once talk-go env -C go CGO_ENABLED=0 GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local \
		GOCACHE="$BUILD/reach/go-cache" go build -trimpath -o "$BUILD/reach/talk-go" . || skip_all "go cannot build: $(said talk-go)"
	place talk-go
}

# c_program NAME COMPILER OPTION...
c_program() {
	local name=$1
	shift
	need "$1"
	once "$name" "$@" -O1 -Wall -Wextra -o "$BUILD/reach/$name" talk.c -pthread || skip_all "$1 cannot: $(said "$name")"
	place "$name"
}

# What `both` starts and asks unless a test has others: talk.c and the programs like it, by both of their protocols.
command_of() {
	COMMAND=("$PROGRAM" serve "$2" "$1")
}

ask() {
	local tcp=${ACTUAL[$1]} at
	for at in 127.0.0.1 ${HAVE6:+::1}; do
		is "$1: TCP by $at reaches its own, by 12 threads" "$(within "$1" "$PROGRAM" line "$at" "$2" 12)" "$1"
		is "$1: UDP by $at too, answered from there" "$(within "$1" "$PROGRAM" udp "$at" "$2" 12)" "$1 $at $2"
		is "$1: so do preloaded clients, TCP by $at" "$(within "$1" "${CLIENT[@]}" line "$at" "$2" 2)" "$1"
		is "$1: and UDP by $at" "$(within "$1" "${CLIENT[@]}" udp "$at" "$2" 4)" "$1"
	done
	recorded "$1" "$2" udp
	is "$1: UDP and TCP have one actual port" "${ACTUAL[$1]}" "$tcp"
	told "^listening on $tcp\$" "${LOGS[$1]}"
	is "$1: getsockname says it" "$(grep -c "^listening on $tcp\$" "${LOGS[$1]}")" 1
}

# Against musl where rustc has its library, else against a static glibc.
rust_program() {
	need rustc
	local flags=(--edition 2018 -O -C target-feature=+crt-static -o "$BUILD/reach/talk-rust" talk.rs)
	# shellcheck disable=SC2016 # the inner shell's
	once talk-rust sh -c 'rustc --target "$(uname -m)-unknown-linux-musl" "$@" || rustc "$@"' - "${flags[@]}" ||
		skip_all "rustc cannot build: $(said talk-rust)"
	place talk-rust
}

# A test of the tests: a program that the preload does reach shows nothing here.
unreached() { # PROGRAM
	case $(readelf -lW "$1" 2>&1) in
	*'[Requesting program interpreter'*) not_ok "$(basename "$1") is static" "it has an interpreter" ;;
	*) ok "$(basename "$1") is static" ;;
	esac
}

# The rest of a test is an ordinary user's where root runs it; what root has built is copied.
as_ordinary_user() {
	if [ "$(id -u)" = 0 ]; then
		as_user nobody
		ok "from here on as $(id -un nobody)"
	fi
}
