#!/bin/sh
# Runs suites of tests and adds up their results: tests/run.sh BUILD SUITE...
#
# A suite is a program (or several) that ends with a line "N passed, N failed, N skipped"; cmocka's output is counted.
# Lines "skip: NAME: WHY" say what was skipped. The last line of all is the total, alone on its line. Exit status 1 if
# anything failed. VERBOSE=1 shows everything that the suites print. Several suites run side by side, JOBS=1 one after the
# other.
set -u
build=$1
shift
case $build in /*) ;; *) build=$PWD/$build ;; esac
export PORTSHIM_TEST_BUILD="$build"
parts=${PARTS:-} # set: one of several, which leaves its counts in this directory
# Nothing of the caller's may reach the tests: they make their own environments.
unset PARTS PORTSHIM PORTSHIM_RUN PORTSHIM_ENV PORTSHIM_PROFILE PORTSHIM_MANIFEST PORTSHIM_RUNTIME_DIR PORTSHIM_STATIC LD_PRELOAD
here=$(mktemp -d "${TMPDIR:-/tmp}/portshim-check.XXXXXX") || exit 3
trap 'rm -rf "$here"' EXIT
trap 'exit 130' INT TERM
# Every program gets its own runtime directory unless it makes one itself; all are inside this one.
if [ -w /dev/shm ]; then
	runtime=$(mktemp -d /dev/shm/portshim-check.XXXXXX) || exit 3
	trap 'rm -rf "$here" "$runtime"' EXIT
else
	runtime=$here/runtime
	mkdir -m 700 "$runtime"
fi
total_passed=0 total_failed=0 total_skipped=0
: >"$here/skipped"

# one NAME COMMAND...: runs one program of a suite within a time limit and adds its counts to the totals.
one()
{
	name=$1
	shift
	mkdir -m 700 "$runtime/$$"
	case $name in
	suites/* | race/* | real/aura.py) ;; # see to it themselves
	*) grep -qs '^npm_packages ' "tests/$name" || set -- "$build/tests/own_network" "$@" ;; # else it fetches
	esac
	PORTSHIM_RUNTIME_DIR=$runtime/$$ timeout -k 10 "${TEST_TIMEOUT:-1100}" "$@" >"$here/out" 2>&1 </dev/null
	status=$?
	rm -rf "${runtime:?}/$$"
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$here/out" | tail -n 1 | tr -dc '0-9 ')
	if [ -z "$counts" ]; then
		passed=$(grep -c '^\[       OK \] ' "$here/out")
		# cmocka names the failed and the skipped ones twice: when they happen, and at the end.
		failed=$(grep '^\[  FAILED  \] ' "$here/out" | grep -vc 'test(s)')
		skipped=$(grep '^\[  SKIPPED \] ' "$here/out" | grep -vc 'test(s)')
		failed=$(((failed + 1) / 2)) skipped=$(((skipped + 1) / 2))
	else
		# shellcheck disable=SC2086 # three numbers
		set -- $counts
		passed=$1 failed=$2 skipped=$3
	fi
	if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
		failed=1
		echo "run.sh: exit status $status" >>"$here/out"
	elif [ $((passed + failed + skipped)) -eq 0 ]; then
		failed=1
		echo "run.sh: no test ran" >>"$here/out"
	fi
	if [ "$failed" -ne 0 ]; then
		sed 's/^/	/' "$here/out"
	elif [ "${VERBOSE:-0}" != 0 ]; then
		cat "$here/out"
	fi
	sed -n "s|^skip: |$name: |p" "$here/out" >>"$here/skipped"
	printf '%-40s %4d passed %3d failed %3d skipped\n' "$name" "$passed" "$failed" "$skipped"
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
}

# each DIRECTORY PATTERN: the programs that were built from the sources that match.
each()
{
	for source in tests/$1/$2; do
		[ -e "$source" ] || continue
		program=${source#tests/}
		one "${program%.c}" "$build/tests/${program%.c}"
	done
}

# scripts PATTERN: shell and python tests.
scripts()
{
	for script in $1; do
		[ -f "$script" ] || continue
		case $script in
		*/lib.sh | */common.sh | */npm.sh) continue ;;
		*.py) one "${script#tests/}" "${PYTHON:-/usr/bin/python3}" "$script" ;;
		*) one "${script#tests/}" "$(sed -n '1s/^#! *[^ ]*\(env \|\/\)//p' "$script")" "$script" ;;
		esac
	done
}

suite()
{
	case $1 in
	unit)
		each core 'test_*.c'
		each cli 'test_*.c'
		each keeper 'test_*.c'
		for folder in notify edit place sync finding check inventory known free init fix health; do
			each "$folder" 'test_*.c'
		done
		;;
	laws) each laws 'test_*.c' ;;
	contract) one shim/run_contract.sh sh tests/shim/run_contract.sh ;;
	active)
		scripts 'tests/shim/test_active_*.sh'
		scripts 'tests/shim/test_active_*.py'
		;;
	abi) scripts 'tests/abi/*.sh' ;;
	platform) each platform '*.c' ;;
	model) scripts 'tests/model/test_*.py' ;;
	cli)
		scripts 'tests/cli/*.sh'
		scripts 'tests/cli/*.py'
		;;
	keeper)
		for mode in off auto; do # without the filter and its worker, and with them
			for script in tests/keeper/*.py; do
				[ "$mode ${script##*/}" = "off worker.py" ] && continue
				one "${script#tests/} $mode" env "PORTSHIM_TEST_STATIC=$mode" "${PYTHON:-/usr/bin/python3}" "$script"
			done
		done
		# An ordinary user's filter is another one: it goes with no_new_privs.
		[ "$(id -u)" -ne 0 ] || one "keeper/worker.py nobody" \
			env PORTSHIM_TEST_STATIC=auto PORTSHIM_TEST_USER=nobody "${PYTHON:-/usr/bin/python3}" tests/keeper/worker.py
		;;
	notify) scripts 'tests/notify/*.py' ;;
	company) scripts 'tests/company/test_*.py' ;;
	counts) scripts 'tests/bench/counts.py' ;;
	fault)
		scripts 'tests/fault/*.sh'
		scripts 'tests/fault/*.py'
		;;
	fuzz) one fuzz/replay.sh sh tests/fuzz/replay.sh ;;
	suites) one suites/all.sh bash tests/suites/all.sh ;;
	race) scripts 'tests/race/*.sh' ;;
	static) scripts 'tests/static/*.py' ;;
	real)
		scripts 'tests/real/*.sh'
		scripts 'tests/real/*.py'
		;;
	reach) scripts 'tests/reach/*.sh' ;;
	*)
		echo "tests/run.sh: no suite '$1'" >&2
		exit 2
		;;
	esac
}

# side_by_side SUITE...: each by a run.sh of its own, JOBS at a time; what one says is shown when it has ended.
side_by_side()
{
	# shellcheck disable=SC2016 # the inner shell's
	printf '%s\n' "$@" | xargs -P "${JOBS:-$(nproc 2>/dev/null || echo 1)}" -I SUITE \
		sh -c 'PARTS=$2 sh "$0" "$1" SUITE >"$2/SUITE.said" 2>&1; cat "$2/SUITE.said"' "$0" "$build" "$here"
	for s; do
		if [ ! -s "$here/$s.counts" ]; then
			echo "run.sh: the suite $s ended early"
			total_failed=$((total_failed + 1))
			continue
		fi
		read -r passed failed skipped <"$here/$s.counts"
		total_passed=$((total_passed + passed))
		total_failed=$((total_failed + failed))
		total_skipped=$((total_skipped + skipped))
		cat "$here/$s.skipped" >>"$here/skipped"
	done
}

if [ $# -gt 1 ]; then
	side_by_side "$@"
else
	suite "$1"
fi
if [ -n "$parts" ]; then
	echo "$total_passed $total_failed $total_skipped" >"$parts/$1.counts"
	cp "$here/skipped" "$parts/$1.skipped"
	exit 0
fi
if [ -s "$here/skipped" ]; then
	echo "skipped:"
	sed 's/^/  /' "$here/skipped"
fi
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ "$total_failed" -eq 0 ]
