#!/bin/sh
# Runs every contract program in several ways, and compares what it saw:
#
#	bare        without portshim: what Linux does
#	inert       with the preload, but PORTSHIM=off: the same, exactly
#	off         the same inside a run
#	alone       with the preload and nothing else: it makes a run of its own, and every port is held by an outsider
#	actual      in an environment where an outsider holds every port that is asked for: the same results on moved
#	            ports; sockets that listen are reported with their actual port, as is the default (law 10)
#	requested   the same with "report": "requested", where nothing at all is to be seen of the move
#	marked      as requested, and every call carries the run's pass (scope.h): raw system calls in the place of libc's
#	WAY-number, WAY-alias    the calls made by number, or by their other names (contract_calls.c)
#
# Usage: tests/shim/run_contract.sh [PROGRAM...], from the top directory.
set -u
. tests/lib.sh

mkdir -p "$scratch/actual" "$scratch/requested" "$scratch/marked" "$scratch/alone"
tee "$scratch/marked/ports.manifest.json" >"$scratch/requested/ports.manifest.json" <<'JSON'
{ "version": 1, "project": "contract", "services": {}, "defaults": { "report": "requested" } }
JSON

# way NAME[-BY] PROGRAM: runs the program; its output goes to NAME.out, its transcript to NAME.log.
way()
{
	by=name log=$scratch/$1.log out=$scratch/$1.out
	case $1 in *-*) by=${1#*-} ;; esac
	set -- "${1%-*}" "$2"
	case $1 in
	bare) set -- "$1" "$2" "$tests/shim/with_ports" 28 4 -- "$2" ;;
	inert) set -- "$1" "$2" "$tests/shim/with_ports" 28 4 -- env PORTSHIM=off LD_PRELOAD="$shim" "$2" ;;
	alone) set -- "$1" "$2" "$tests/shim/with_ports" --guard 28 4 -- env LD_PRELOAD="$shim" "$2" ;;
	off) set -- "$1" "$2" "$tests/shim/with_ports" 28 4 -- "$portshim" exec --strict --env "test-$$" -- \
		env PORTSHIM=off "$2" ;;
	marked) set -- "$1" "$2" "$tests/shim/with_ports" --guard 28 4 -- "$portshim" exec --strict --env "test-$$" -- \
		"$tests/shim/marked" under allow right "$2" ;;
	*) set -- "$1" "$2" "$tests/shim/with_ports" --guard 28 4 -- "$portshim" exec --strict --env "test-$$" -- "$2" ;;
	esac
	directory=$scratch/$1 as=$1
	[ -d "$directory" ] || directory=$scratch
	report=${directory##*/}
	[ "$report" != marked ] || report=requested
	shift 2
	rm -f "$log"
	(cd "$directory" && CONTRACT_WAY=$as CONTRACT_BY=$by CONTRACT_LOG=$log CONTRACT_REPORT=$report \
		timeout 180 "$@") >"$out" 2>&1
	echo "exit status $?" >>"$out"
}

# Adds one result for each cmocka test of the last run, prefixed with the way.
results()
{
	ran=$(grep -c '^\[       OK \]' "$scratch/$1.out")
	passed=$((passed + ran))
	sed -n 's/^skip: /skip: '"$1"': /p' "$scratch/$1.out" | sort -u
	missed=$(sed -n 's/^\[  SKIPPED \] \([a-z_0-9]*\)$/\1/p' "$scratch/$1.out" | sort -u | wc -l)
	skipped=$((skipped + missed))
	bad=$(sed -n 's/^\[  FAILED  \] \([a-z_0-9]*\)$/\1/p' "$scratch/$1.out" | sort -u)
	for test in $bad; do
		fail "$2, $1: $test"
	done
	if [ -n "$bad" ] || ! grep -qx 'exit status 0' "$scratch/$1.out"; then
		[ -n "$bad" ] || fail "$2, $1" "$(tail -n 1 "$scratch/$1.out")"
		grep -v '^\[ RUN\|^\[       OK' "$scratch/$1.out" | sed 's/^/	/'
	fi
}

ways="inert off alone actual requested marked off-number actual-number requested-alias"
if [ $# -eq 0 ]; then
	for source in tests/shim/test_contract_*.c; do
		program=${source##*/}
		set -- "$@" "$tests/shim/${program%.c}"
	done
fi
for program; do
	name=${program##*/test_contract_}
	way bare "$program"
	results bare "$name"
	for w in ${WAYS:-$ways}; do
		way "$w" "$program"
		results "$w" "$name"
		if cmp -s "$scratch/bare.log" "$scratch/$w.log"; then
			pass "$name: $w sees what bare sees"
		else
			fail "$name: $w differs from bare"
			diff "$scratch/bare.log" "$scratch/$w.log" | head -n 8 | sed 's/^/	/'
		fi
	done
done
finish
