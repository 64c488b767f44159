# shellcheck shell=bash
# lib.sh - what the tests with real programs share. Each test starts an unmodified program twice, in two projects,
# with the same hardcoded port, and asks each of the two through a client that knows only that port. Sourced, not
# run.
#
# A test has hooks (prepare, command, ask) and calls `both VARIANT`, or uses the steps one by one. It prints a TAP
# line per check and ends with `finish`. Nothing sleeps: servers are awaited with `portshim wait`, processes with
# wait.
set -u

REAL=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$REAL/../.." && pwd)
BUILD=${PORTSHIM_TEST_BUILD:-${BUILD:-$TOP/build}}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
NAME=$(basename "$0" .sh)

# Bounded: the whole script, its children included, ends after this many seconds.
if [ -z "${PORTSHIM_TEST_BOUNDED:-}" ]; then
	PORTSHIM_TEST_BOUNDED=1 exec timeout -k 15 "${PORTSHIM_TEST_SECONDS:-450}" bash "$0" "$@"
fi
unset PORTSHIM_TEST_BOUNDED

# The user's own portshim, and what it may have set around us, must not be met.
unset PORTSHIM PORTSHIM_RUN PORTSHIM_ENV PORTSHIM_PROFILE PORTSHIM_MANIFEST PORTSHIM_LIBRARY
unset PORT NODE_OPTIONS http_proxy HTTP_PROXY all_proxy ALL_PROXY
export LC_ALL=C NO_COLOR=1 PYTHONUNBUFFERED=1

PORTSHIM=$BUILD/portshim
PYTHON=${PYTHON:-/usr/bin/python3}
[ -x "$PYTHON" ] || PYTHON=$(command -v python3)
CC=${CC:-cc}
WAIT=${PORTSHIM_TEST_WAIT:-60}

# Not empty where this machine has ::1.
# shellcheck disable=SC2034 # for the tests
HAVE6=$(grep -s '^0*1 ' /proc/net/if_inet6)

passed=0 failed=0 skipped=0
declare -A DIRS=() RUNS=() ACTUAL=() LOGS=()
HOLDERS=() AS=() GIVEN=" "

WORK=$(mktemp -d "${TMPDIR:-/tmp}/portshim-$NAME.XXXXXX") || exit 3
WORK=$(cd "$WORK" && pwd -P)
PORTSHIM_RUNTIME_DIR=$(mktemp -d /dev/shm/portshim-test.XXXXXX 2>/dev/null || mktemp -d "$WORK/runtime.XXXXXX")
RUNTIME=$PORTSHIM_RUNTIME_DIR
export PORTSHIM_RUNTIME_DIR

# ---- results --------------------------------------------------------------------------------------------------------

count() {
	echo $((passed + failed + skipped))
}

ok() { # DESCRIPTION
	passed=$((passed + 1))
	echo "ok $(count) - $NAME: $1"
}

not_ok() { # DESCRIPTION [DETAILS]
	failed=$((failed + 1))
	echo "not ok $(count) - $NAME: $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/#   /'
}

skip() { # DESCRIPTION REASON
	skipped=$((skipped + 1))
	echo "ok $(count) - $NAME: $1 # skipped"
	echo "skip: $1: $2"
}

is() { # DESCRIPTION GOT WANTED
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got:    $2
wanted: $3"; fi
}

isnt() { # DESCRIPTION GOT UNWANTED
	if [ "$2" != "$3" ]; then ok "$1"; else not_ok "$1" "got: $2"; fi
}

like() { # DESCRIPTION GOT GLOB
	# shellcheck disable=SC2254 # a pattern on purpose
	case $2 in $3) ok "$1" ;; *) not_ok "$1" "got:       $2
wanted as: $3" ;; esac
}

succeeds() { # DESCRIPTION COMMAND...
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$what"; else not_ok "$what" "$out"; fi
}

finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}

skip_all() { # REASON
	skip "the whole test" "$1"
	finish
}

need() { # PROGRAM...
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null || skip_all "$program is not installed"
	done
	if [ ! -x "$PORTSHIM" ] || [ ! -e "$BUILD/libportshim.so" ]; then
		not_ok "portshim is built" "$PORTSHIM or libportshim.so is missing: run make"
		finish
	fi
}

# For what no preload reaches. Where doctor says that the second path can be had, it must be there: that is no reason to
# skip.
need_second_path() {
	local verdict
	verdict=$("$PORTSHIM" doctor 2>&1 | sed -n 's/^\([a-z]*\)  *second-path  */\1 /p')
	[ "${verdict%% *}" = ok ] || skip_all "portshim doctor: ${verdict#* }"
}

# ---- cleaning up ----------------------------------------------------------------------------------------------------

# Waits for the end of a process that need not be a child of ours.
gone() { # SECONDS PID
	"$PYTHON" "$REAL/programs/gone.py" "$@"
}

# Ends what a process id leads: `serve` makes every run the leader of its own process group.
end_group() { # PID
	kill -TERM "$1" 2>/dev/null || return 0
	gone 10 "$1" || kill -KILL -- "-$1" 2>/dev/null
	wait "$1" 2>/dev/null
	return 0
}

at_end() { :; } # a test's own: ends what has left its run's process group

cleanup() {
	local pid
	trap '' TERM INT
	at_end
	for pid in "${RUNS[@]}" "${HOLDERS[@]}"; do end_group "$pid"; done
	for pid in "${RUNS[@]}"; do kill -KILL -- "-$pid" 2>/dev/null; done
	if [ -n "${PORTSHIM_TEST_KEEP:-}" ]; then
		echo "# kept: $WORK $RUNTIME" >&2
	else
		rm -rf "$WORK" "$RUNTIME"
	fi
}
trap cleanup EXIT
trap 'echo "# $NAME: out of time" >&2; exit 124' TERM INT

# ---- ports ----------------------------------------------------------------------------------------------------------

# Sets PORT to a number that nothing uses, outside of portshim's default range and of the kernel's own. Each test draws
# from a slice of its own, so that tests side by side do not take each other's.
new_port() {
	local slice file hex
	slice=0
	for file in "$REAL"/*.sh "$TOP"/tests/reach/*.sh; do
		[ "$(basename "$file" .sh)" = "$NAME" ] && break
		slice=$((slice + 1))
	done
	while :; do
		PORT=$((10200 + (slice % 48) * 200 + RANDOM % 200))
		hex=$(printf ':%04X ' "$PORT")
		case $GIVEN in *" $PORT "*) continue ;; esac
		! grep -qs "$hex" /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 && break
	done
	GIVEN="$GIVEN$PORT "
}

# An unmanaged process takes a port (TCP and UDP, IPv4 and IPv6) until the test ends or `release`.
hold() { # PORT
	local line fd
	exec {fd}< <(exec "$PYTHON" "$REAL/programs/holder.py" "$1")
	HOLDERS+=("$!")
	read -r line <&"$fd" || line=nothing
	exec {fd}<&-
	[ "$line" = held ] || not_ok "an unmanaged process holds $1" "$line"
}

release() {
	local pid
	for pid in "${HOLDERS[@]}"; do end_group "$pid"; done
	HOLDERS=()
}

# ---- other users ----------------------------------------------------------------------------------------------------

# From here on servers and clients run as an ordinary user: root becomes USER, anybody else stays who they are. The
# build may lie where that user cannot read, so the two files are copied.
as_user() { # USER
	local group
	[ "$(id -u)" = 0 ] || return 0
	group=$(id -gn "$1")
	AS=(setpriv "--reuid=$1" "--regid=$group" --clear-groups)
	mkdir -p "$WORK/as"
	cp "$BUILD/portshim" "$BUILD/libportshim.so" "$WORK/as/"
	chmod 755 "$WORK" "$WORK/as"
	PORTSHIM=$WORK/as/portshim
	OWNER=$1:$group
	PORTSHIM_RUNTIME_DIR=$(mktemp -d "$PORTSHIM_RUNTIME_DIR/as.XXXXXX") # that user's own
	chmod 711 "$(dirname "$PORTSHIM_RUNTIME_DIR")"
	own "$PORTSHIM_RUNTIME_DIR"
}

own() { # FILE...
	[ -z "${OWNER:-}" ] || chown -R "$OWNER" "$@"
}

# ---- projects, servers, clients -------------------------------------------------------------------------------------

project() { # ID: an empty directory, which makes it an environment of its own
	DIRS[$1]=$(mktemp -d "$WORK/$1.XXXXXX")
	chmod 755 "${DIRS[$1]}"
	own "${DIRS[$1]}"
}

# Starts `portshim run [OPTION...] -- COMMAND...` in the project ID, or in another project with NAME@ID.
serve() { # NAME[@ID] [OPTION...] -- COMMAND...
	local name=${1%@*} dir=${DIRS[${1#*@}]} options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	LOGS[$name]=$WORK/$name.$(count).log
	(cd "$dir" && exec setsid "${AS[@]}" "$PORTSHIM" run "${options[@]}" -- "$@") </dev/null >"${LOGS[$name]}" 2>&1 &
	RUNS[$name]=$!
}

# Runs a portshim command in a project.
ask_portshim() { # ID COMMAND...
	local dir=${DIRS[$1]}
	shift
	(cd "$dir" && exec "${AS[@]}" "$PORTSHIM" "$@")
}

# A client of the project: any program, in a run of its own.
within() { # ID COMMAND...
	local id=$1
	shift
	ask_portshim "$id" run --quiet -- "$@" 2>&1
}

stop() { # NAME...: ask politely and wait for the end
	local name
	for name in "$@"; do kill -TERM "${RUNS[$name]}" 2>/dev/null; done
	for name in "$@"; do
		wait "${RUNS[$name]}"
		kill -KILL -- "-${RUNS[$name]}" 2>/dev/null # what it has left behind
		unset "RUNS[$name]"
	done
}

awaited() { # ID PORT...
	local id=$1 out
	shift
	if out=$(ask_portshim "$id" wait --timeout "$WAIT" "$@" 2>&1); then
		ok "$id: portshim wait $* returns when it listens"
	else
		not_ok "$id: portshim wait $* returns when it listens" "$out
--- log of the server:
$(tail -n 20 "${LOGS[$id]}")"
	fi
}

# The discovery file says what the kernel says: at once, or within SECONDS where only the keeper can know what has
# changed. Sets ACTUAL[ID].
recorded() { # ID PORT [PROTOCOL [SECONDS]]
	local out
	if out=$("$PYTHON" "$REAL/programs/discovery.py" "${DIRS[$1]}/.portshim/ports.json" "$2" "${3:-tcp}" "" "${4:-0}" 2>&1); then
		ok "$1: the discovery file tells the truth about $2: owner, actual port ($out), addresses, mode 0600"
		ACTUAL[$1]=$out
		is "$1: portshim port $2 tells the same" "$(ask_portshim "$1" port "$2" 2>&1)" "$out"
	else
		not_ok "$1: the discovery file tells the truth about $2: owner, actual port, addresses, mode 0600" "$out"
		ACTUAL[$1]=$(ask_portshim "$1" port "$2" 2>/dev/null || echo 0)
	fi
}

forgotten() { # ID PORT
	local file=${DIRS[$1]}/.portshim/ports.json
	if [ ! -e "$file" ] || ! grep -q "\"requested\": *$2\b" "$file"; then
		ok "$1: $2 is gone from the discovery file"
	else
		not_ok "$1: $2 is gone from the discovery file" "$(cat "$file")"
	fi
}

# Waits until a line of a log matches: the keeper writes its notices when it has the processor.
told() { # PATTERN LOG
	local pid
	coproc TAIL { exec timeout 60 tail -n +1 -f "$2"; }
	pid=$TAIL_PID
	grep -q -m 1 "$1" <&"${TAIL[0]}"
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# Both are recorded, on different ports; neither has the one that somebody else holds, and each run said so once.
apart() { # VARIANT PORT ID ID
	local id
	isnt "$3 and $4 have different actual ports" "${ACTUAL[$3]}" "${ACTUAL[$4]}"
	for id in "$3" "$4"; do
		[ "$1" != held ] || isnt "$id: left $2 to its holder" "${ACTUAL[$id]}" "$2"
		[ "${ACTUAL[$id]}" != "$2" ] || continue
		told "^portshim: .*$2 -> ${ACTUAL[$id]} " "${LOGS[$id]}"
		is "$id: the run tells the move once" \
			"$(grep -c "^portshim: .*$2 -> ${ACTUAL[$id]} " "${LOGS[$id]}")" 1
	done
	[ "$1" != free ] || [ "${ACTUAL[$3]}" = "$2" ] || [ "${ACTUAL[$4]}" = "$2" ] ||
		not_ok "one of the two has $2, which was free" "${ACTUAL[$3]} ${ACTUAL[$4]}"
}

# Hooks of `both`; a test overrides what it needs.
prepare() { :; }      # ID PORT: fill the project's directory, ${DIRS[ID]}
command_of() { :; }   # ID PORT: set COMMAND
ask() { :; }          # ID PORT: checks by clients of one
compare() { :; }      # PORT: checks by clients of both, after that

# The shape of most tests: the same program twice, at once, on the same hardcoded port.
both() { # free|held|privileged [PORT]
	local variant=$1 port id
	if [ $# -gt 1 ]; then port=$2; else new_port && port=$PORT; fi
	[ "$variant" != held ] || hold "$port"
	for id in alpha beta; do
		project "$id"
		prepare "$id" "$port"
		own "${DIRS[$id]}"
	done
	for id in alpha beta; do
		COMMAND=()
		command_of "$id" "$port"
		serve "$id" -- "${COMMAND[@]}"
	done
	for id in alpha beta; do awaited "$id" "$port"; done
	for id in alpha beta; do recorded "$id" "$port" "${PROTOCOL:-tcp}"; done
	apart "$variant" "$port" alpha beta
	for id in alpha beta; do ask "$id" "$port"; done
	compare "$port"
	stop alpha beta
	for id in alpha beta; do forgotten "$id" "$port"; done
	release
}
