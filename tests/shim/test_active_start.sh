#!/bin/sh
# How a process begins with the library: which run it belongs to, from what its environment says (src/shim/init.c,
# bare.c, complain.c).
set -u
. tests/lib.sh

server='import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
print("up", file=sys.stdout)'
python=/usr/bin/python3
mkdir -p "$scratch/project/deep/er" "$scratch/tree/.git/deep"
echo '{"version":1,"project":"shop","services":{}}' >"$scratch/project/ports.manifest.json"

# said NAME PATTERN COMMAND...: the server in it gets up, and stderr has the pattern once; '' for nothing at all.
said()
{
	name=$1 pattern=$2
	shift 2
	"$@" >"$scratch/out" 2>"$scratch/err"
	status=$?
	if [ "$status $(cat "$scratch/out")" != "0 up" ]; then
		fail "$name" "status $status, $(cat "$scratch/out" "$scratch/err")"
	elif [ -z "$pattern" ]; then
		same "$name" "" "$(cat "$scratch/err")"
	else
		same "$name" 1 "$(grep -c "portshim: .*$pattern" "$scratch/err")"
	fi
}

# shellcheck disable=SC2317 # called through said
by_hand()
{
	env -u PORTSHIM_RUN LD_PRELOAD="$shim" "$@" "$python" -c "$server"
}

# ---- by hand: a run of its own, in the environment of the project around the working directory ----
for place in "$scratch/project/deep/er" "$scratch/tree/.git/deep" "$scratch/tree" "$scratch"; do
	cd "$place" || exit 3
	said "by hand in $place" "" by_hand
done
cd "$scratch" || exit 3
check "the nearest manifest names the environment" test -s "$scratch/project/.portshim/ports.json"
check "so does a work tree" test -s "$scratch/tree/.portshim/ports.json"

# ---- directories with long names ----
letters=$(printf '\303\251%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
mkdir "$scratch/$letters$letters"
cd "$scratch/$letters$letters" || exit 3
said "by hand in a directory with a long name" "" by_hand
check "its name is cut between letters" grep -q "\"environment\":\"$letters\"" .portshim/ports.json
cd "$scratch" || exit 3
while [ $((1020 - ${#PWD})) -gt 150 ]; do
	mkdir "$(printf '%0100d' 0)"
	cd "$(printf '%0100d' 0)" || exit 3
done
mkdir "$(printf '%0*d' $((1019 - ${#PWD})) 0)"
cd "$(printf '%0*d' $((1019 - ${#PWD})) 0)" || exit 3
said "by hand in a directory with a long path" "the discovery file is $PORTSHIM_RUNTIME_DIR/env-" by_hand
same "nothing is made in it" "" "$(find . -mindepth 1 | head -1)"
cd "$scratch" || exit 3

# in_root COMMAND...: in /, where nothing can be written: root must not get that far, so it has / read-only.
# shellcheck disable=SC2016,SC2317 # the inner shell's; called through said
in_root()
{
	if [ "$(id -u)" -ne 0 ]; then
		(cd / && "$@")
	else
		unshare -m sh -c 'mount -o remount,bind,ro / && cd / && exec "$@"' sh "$@"
	fi
}

if [ "$(id -u)" -ne 0 ] && [ -w / ]; then
	skip "by hand in /" "anybody may write there"
elif ! in_root true 2>/dev/null; then
	skip "by hand in /" "it cannot be made read-only here"
else
	found=$(ls -d /.portshim 2>/dev/null)
	said "by hand in /" "nothing can be written in /; the discovery file is $PORTSHIM_RUNTIME_DIR/env-" in_root env -u PORTSHIM_RUN LD_PRELOAD="$shim" "$python" -c "$server"
	same "by hand in /: nothing is made there" "$found" "$(ls -d /.portshim 2>/dev/null)"
	check "by hand in /: the discovery file is in the runtime directory" \
		grep -q '"port":' "$PORTSHIM_RUNTIME_DIR"/env-*.json
fi
mkdir "$scratch/gone"
# shellcheck disable=SC2016 # the inner shell's
said "by hand in a directory that is gone" "cannot use the working directory: it is not there;" sh -c \
	'cd "$1" && rmdir "$1" && exec env LD_PRELOAD="$2" "$3" -c "$4"' sh "$scratch/gone" "$shim" "$python" "$server"
echo >"$scratch/file"
said "by hand without a runtime directory" "it is a file" by_hand PORTSHIM_RUNTIME_DIR="$scratch/file"
said "the second of two libraries" "" by_hand LD_PRELOAD="libresolv.so.2:$shim"
cp "$shim" "$scratch/other.so"
said "under another name, and alone" "" by_hand LD_PRELOAD="$scratch/other.so"
said "switched off" "" by_hand PORTSHIM=off
# What a program that was preloaded by hand starts is in the same run.
# shellcheck disable=SC2016
said "a child of one by hand, with its environment cleared" "" env LD_PRELOAD="$shim" "$python" -c \
	'import os, socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen()
os.execve(sys.executable, ["python3", "-c", sys.argv[1]], {})' "$server"

# ---- in a run ----
# shellcheck disable=SC2317
in_run()
{
	"$portshim" exec --quiet env "$@" "$python" -c "$server"
}

said "in a run" "" in_run X=1
said "a worker of node's cluster" "" in_run NODE_UNIQUE_ID=1
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
	echo "NODE_UNIQUE_ID=1 /bin/true;"
done >"$scratch/treeers"
# shellcheck disable=SC2016
said "more workers than there is room for, all dead" "" "$portshim" exec --quiet sh -c '. "$0"; exec "$@"' \
	"$scratch/treeers" "$python" -c "$server"
said "in a run that is over" "the run that it belongs to is over" \
	in_run PORTSHIM_RUN="$PORTSHIM_RUNTIME_DIR/run-00000001"
said "in a file that is no run's" "it is no run" in_run PORTSHIM_RUN=/etc/passwd
said "in one, but switched off" "" in_run PORTSHIM=off PORTSHIM_RUN=/etc/passwd

# strict CODE NAME COMMAND...
strict()
{
	code=$1 name=$2
	shift 2
	"$@" >"$scratch/out" 2>"$scratch/err"
	same "$name: status" "$code" $?
	same "$name: one line" 1 "$(grep -c 'portshim: .*--strict' "$scratch/err")"
}

strict 125 "strict, in a run that is over" in_run PORTSHIM_STRICT=1 PORTSHIM_RUN="$PORTSHIM_RUNTIME_DIR/run-00000001"

# ---- an environment that is damaged: seen with the first call ----
# shellcheck disable=SC2016
damaged='for f in "$PORTSHIM_RUNTIME_DIR"/env-*; do printf xxxx | dd of="$f" conv=notrunc status=none; done; exec "$@"'
said "a damaged environment" "damaged" "$portshim" exec --quiet --env hurt sh -c "$damaged" sh "$python" -c "$server"
rm -f "$PORTSHIM_RUNTIME_DIR"/env-*
strict 125 "strict, with a damaged environment" "$portshim" exec --quiet --strict --env hurt sh -c "$damaged" sh \
	"$python" -c "$server"
rm -f "$PORTSHIM_RUNTIME_DIR"/env-*

# ---- nobody keeps the run: the program says what does not work, once ----
mkdir "$scratch/full"
echo '{"version":1,"services":{"web":{"port":3000}}}' >"$scratch/full/ports.manifest.json"
cd "$scratch/full" || exit 3
# shellcheck disable=SC2016
said "a discovery file that cannot be written" "ports.json.* cannot be written" "$portshim" exec --quiet sh -c \
	'rm -rf .portshim && : >.portshim && exec "$@"' sh "$python" -c "$server"
finish
