# shellcheck shell=bash
# lib.sh - runs another project's own tests without portshim and with it, and compares the results case by case.
# Sourced by tests/suites/NAME.sh, which defines
#
#	PORTS=(...)	the fixed numbers that the suite uses
#	get		in an empty directory: fetches the suite and builds it; may set VERSION, WHY
#	run [CASE...]	in a copy of that directory: runs all its cases, or those named, with "${UNDER[@]}" before
#			each command, and prints "CASE<tab>pass|fail|skip" on descriptor 3. The rest of what it prints
#			is a log
#
#
# A suite that binds port 0, which portshim leaves alone, is made to take fixed numbers instead, in all of its runs: one
# after the other from FIXED_FIRST to FIXED_LAST. They are others each time (what was closed may be in TIME_WAIT), but
# the same for two at once. PORTS then begins with `fixed`: the first hundred of them are held.
#
# and calls `compare_all LEAST`: at least so many cases must pass in the bare run. Four runs:
#
#	bare		without portshim; its results are what the others are compared with
#	alone		under `portshim run`, nobody else has the ports
#	first, second	under `portshim run`, both at once in two environments, while a third program holds the
#			suite's fixed ports: a server of another environment, or an unmanaged one (HOLDER=bare). In the
#			second one, the manifest says `"report": "requested"`: no program is told an actual port
#
# Every case whose result is that of the bare run counts as passed. What differs is tried twice more, bare as well;
# NAME.known lists what is known to differ: "RUN CASE RESULT # reason", all of them patterns.
#
# SUITES_ALL=1 runs all of each suite; otherwise it is what CI has the time for. Suites run as an unprivileged user
# (some refuse to run as root), and in a network namespace that has a loopback and nothing else: the ports are free
# there, and nothing that a suite sends leaves the machine. A process namespace too, where one can be had: when the
# script ends, for whatever reason, so does all that the suite has started.
set -u

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$HERE/../.." && pwd)
BUILD=${PORTSHIM_TEST_BUILD:-${BUILD:-$TOP/build}}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
NAME=$(basename "$0" .sh)
ALL=${SUITES_ALL:-}

# Bounded: the whole script, its children included, ends after this many seconds.
if [ -z "${PORTSHIM_TEST_BOUNDED:-}" ]; then
	PORTSHIM_TEST_BOUNDED=1 exec timeout -k 60 "${PORTSHIM_TEST_SECONDS:-${ALL:+3}900}" bash "$0" "$@"
fi
unset PORTSHIM_TEST_BOUNDED

# Nothing of the caller's may change what a suite does.
unset PORTSHIM PORTSHIM_RUN PORTSHIM_ENV PORTSHIM_PROFILE PORTSHIM_MANIFEST PORTSHIM_LIBRARY PORT NODE_OPTIONS
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY MAKEFLAGS MAKELEVEL MFLAGS
export LC_ALL=C.UTF-8 NO_COLOR=1 PATH=$PATH:/usr/sbin:/sbin
umask 022

PYTHON=${PYTHON:-/usr/bin/python3}
CACHE=$BUILD/suites
VERSION=
HOLDER=portshim
PORTS=()
passed=0 failed=0 skipped=0 holder="" TURN=0
mkdir -p "$CACHE"
. "$HERE/get.sh"

# Outside, a suite is fetched; inside of the network namespace the same script runs it.
INSIDE=${SUITES_INSIDE:-}
unset SUITES_INSIDE
if [ -z "$INSIDE" ]; then
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/portshim-$NAME.XXXXXX") || exit 3
	WORK=$(cd "$WORK" && pwd -P)
	PORTSHIM_RUNTIME_DIR=$(mktemp -d /dev/shm/portshim-test.XXXXXX 2>/dev/null || mktemp -d "$WORK/runtime.XXXXXX")
	export WORK PORTSHIM_RUNTIME_DIR
fi
if [ "$(id -u)" = 0 ] && [ "$INSIDE" != mapped ]; then
	NETNS=(env SUITES_INSIDE=root unshare --net)
	AS=(setpriv --reuid=65534 --regid=65534 --clear-groups)
else
	NETNS=(env SUITES_INSIDE=mapped unshare --map-root-user --net)
	AS=(unshare --user --map-user=1000 --map-group=1000)
fi

PIDNS=(--pid --fork --kill-child --mount-proc)
[ -n "$INSIDE" ] || ! "${NETNS[@]}" "${PIDNS[@]}" true 2>/dev/null || NETNS+=("${PIDNS[@]}")

own() { # PATH...: gives them to whom the suites run as
	[ "${AS[0]}" != setpriv ] || chown -R 65534:65534 "$@"
}

cleanup() {
	trap '' TERM INT
	[ -z "$holder" ] || kill "$holder" 2>/dev/null
	# unshare listens to no other signal.
	# shellcheck disable=SC2046 # process ids
	kill -KILL $(jobs -p) 2>/dev/null
	wait
	if [ -n "$INSIDE" ]; then
		:
	elif [ -n "${PORTSHIM_TEST_KEEP:-}" ]; then
		echo "# kept: $WORK $PORTSHIM_RUNTIME_DIR" >&2
	else
		rm -rf "$WORK" "$PORTSHIM_RUNTIME_DIR"
	fi
}
trap cleanup EXIT

out_of_time() {
	local log
	echo "# $NAME: out of time"
	for log in ${INSIDE:+"$WORK"/*.log}; do
		echo "# the end of $(basename "$log" .log):"
		tail -n 12 "$log" | sed 's/^/#   /'
	done
	exit 124
}
trap 'out_of_time >&2' TERM INT

ok() { # DESCRIPTION
	passed=$((passed + 1))
	echo "ok - $NAME: $1"
}

not_ok() { # DESCRIPTION [LOG]
	failed=$((failed + 1))
	echo "not ok - $NAME: $1"
	[ $# -lt 2 ] || tail -n 30 "$2" | sed 's/^/#   /'
}

skip_all() { # REASON
	echo "skip: the suite of $NAME: $1"
	skipped=$((skipped + 1))
	finish
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

need() { # PROGRAM...
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip_all "$program is not installed"
	done
}

# The suite, unpacked and built: kept in the build directory until its script or this one changes.
obtain() {
	local dir=$CACHE/$NAME
	exec 8>"$CACHE/$NAME.lock"
	flock 8
	if [ ! -e "$dir.done" ] || [ "$HERE/$NAME.sh" -nt "$dir.done" ]; then
		rm -rf "$dir" "$dir.done"
		mkdir -p "$dir"
		(cd "$dir" && get >"$dir.log" 2>&1 8>&- && echo "$VERSION" >"$dir.done") || {
			tail -n 20 "$dir.log"
			skip_all "$(cat "$dir.why" 2>/dev/null || echo "could not be built")"
		}
	fi
	exec 8>&-
	mkdir -p "$WORK/bin" "$WORK/home"
	cp "$BUILD/portshim" "$BUILD/libportshim.so" "$WORK/bin/"
	own "$WORK" "$PORTSHIM_RUNTIME_DIR"
}

# For get(): gives up with the reason.
cannot() {
	echo "$WHY" >"$CACHE/$NAME.why"
	exit 1
}

# A new turn: other numbers for suites that take fixed ones. Only the first three run everything.
turn() {
	TURN=$((TURN + 1))
	FIXED_FIRST=$((TURN < 4 ? 8500 + 1500 * TURN : 12500 + 500 * TURN))
	FIXED_LAST=$((FIXED_FIRST + (TURN < 4 ? 1499 : 499)))
	export FIXED_FIRST FIXED_LAST
}

# Runs the suite as RUN, in a copy of its own; results in $WORK/RUN.results.
suite() { # RUN [CASE...]
	local name=$1
	shift
	if [ ! -d "$WORK/$name" ]; then
		cp -a "$CACHE/$NAME" "$WORK/$name"
		own "$WORK/$name"
	fi
	# What does not end shows where it stood, and is tried again: of three runs one after the other, this leaves time for it.
	UNDER=(timeout -k 10 "${ALL:+1}250" "${AS[@]}" env "HOME=$WORK/home" "TMPDIR=$WORK/$name.tmp")
	mkdir -p "$WORK/$name.tmp"
	own "$WORK/$name.tmp"
	case $name in
	bare) ;;
	second) UNDER+=("$WORK/bin/portshim" run --strict --env second --manifest "$HERE/second.json" --) ;;
	*) UNDER+=("$WORK/bin/portshim" run --strict --env "$name" --) ;;
	esac
	cd "$WORK/$name" && run "$@" 3>"$WORK/$name.results" >>"$WORK/$name.log" 2>&1 </dev/null
}

# Ports are held by HOLDER from here on, until `release`.
hold() {
	local -a under=("${AS[@]}") numbers=("${PORTS[@]}")
	[ "${PORTS[0]-}" != fixed ] || mapfile -t numbers < <(seq "$FIXED_FIRST" $((FIXED_FIRST + 99)))
	[ "${PORTS[0]-}" != fixed ] || numbers+=("${PORTS[@]:1}")
	[ ${#PORTS[@]} -ne 0 ] || return 0
	[ "$HOLDER" = bare ] || under+=("$WORK/bin/portshim" run --quiet --env holder --)
	[ -e "$WORK/held" ] || mkfifo "$WORK/held"
	"${under[@]}" "$PYTHON" "$HERE/hold.py" "${numbers[@]}" >"$WORK/held" 2>&1 &
	holder=$!
	grep -q '^held' "$WORK/held" || not_ok "the suite's ports are held"
}

release() {
	[ -z "$holder" ] || kill "$holder"
	[ -z "$holder" ] || wait "$holder"
	holder=
}

# Compares the results of RUN with the bare ones; what differs is tried again, bare without the holder.
compare() { # RUN
	local name=$1 try again
	for try in 1 2 3; do
		"$PYTHON" "$HERE/compare.py" "$name" "$try" "$HERE/$NAME.known" "$WORK" >"$WORK/$name.verdict" 2>&1
		[ $? -eq 4 ] || break
		mapfile -t again <"$WORK/$name.again"
		turn
		(suite bare "${again[@]}")
		turn
		[ "$name" = alone ] || hold
		(suite "$name" "${again[@]}")
		release
	done
	sed -n 's/^: //p' "$WORK/$name.verdict"
	# shellcheck disable=SC2046 # three numbers
	set -- $(tail -n 1 "$WORK/$name.verdict")
	if [[ ! "$*" =~ ^[0-9]+\ [0-9]+\ [0-9]+$ ]]; then
		not_ok "$name is compared" "$WORK/$name.verdict"
		return
	fi
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	[ "$2" -eq 0 ] || tail -n 40 "$WORK/$name.log" | sed 's/^/#   /'
}

inside() { # LEAST
	local found name first version
	read -r version <"$CACHE/$NAME.done"
	"$PYTHON" "$HERE/loopback.py" || skip_all "the loopback of a network namespace cannot be set up"
	turn
	(suite bare)
	mv "$WORK/bare.results" "$WORK/bare.first"
	found=$(cut -f 2 "$WORK/bare.first" | sort | uniq -c | tr -s '\n ' ' ')
	echo "# $NAME $version, bare:$found"
	if [ "$(grep -c '	pass$' "$WORK/bare.first")" -lt "$1" ]; then
		not_ok "at least $1 cases pass without portshim:$found" "$WORK/bare.log"
		finish
	fi
	turn
	(suite alone)
	compare alone
	turn
	hold
	(suite first) &
	first=$!
	(suite second)
	wait "$first"
	release
	for name in first second; do
		compare "$name"
		[ ${#PORTS[@]} -ne 0 ] || continue
		found=$(grep -c '^portshim: .* -> ' "$WORK/$name.log")
		if [ "$found" -gt 0 ]; then
			ok "$name: ports were moved: $found"
		else
			not_ok "$name: ports were moved" "$WORK/$name.log"
		fi
	done
	finish
}

compare_all() { # LEAST
	if [ -n "$INSIDE" ]; then
		inside "$1"
	fi
	if [ ! -x "$BUILD/portshim" ] || [ ! -e "$BUILD/libportshim.so" ]; then
		not_ok "portshim is built"
		finish
	fi
	"${NETNS[@]}" true 2>/dev/null || skip_all "this machine does not let us make a network namespace"
	obtain
	PORTSHIM_TEST_BOUNDED=1 "${NETNS[@]}" bash "$HERE/$NAME.sh" &
	wait $!
	exit
}
