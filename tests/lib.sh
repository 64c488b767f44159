# lib.sh - counting checks, for shell tests. Source it from the top directory; end with `finish`.
# shellcheck shell=sh disable=SC2034 # those who source this use the names
passed=0 failed=0 skipped=0
build=${PORTSHIM_TEST_BUILD:-${BUILD:-build}}
case $build in /*) ;; *) build=$PWD/$build ;; esac
python=${PYTHON:-/usr/bin/python3}
test_lib=$PWD/tests/lib
portshim=$build/portshim
shim=$build/libportshim.so
tests=$build/tests
# A runtime directory and a scratch directory of this test's own, both gone at the end.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/portshim-test.XXXXXX") || exit 3
PORTSHIM_RUNTIME_DIR=$(mktemp -d /dev/shm/portshim-test.XXXXXX 2>/dev/null) ||
	PORTSHIM_RUNTIME_DIR=$(mktemp -d "$scratch/runtime.XXXXXX")
export PORTSHIM_RUNTIME_DIR
trap 'rm -rf "$scratch" "$PORTSHIM_RUNTIME_DIR"' EXIT
trap 'exit 130' INT TERM
unset PORTSHIM PORTSHIM_RUN PORTSHIM_ENV PORTSHIM_PROFILE PORTSHIM_MANIFEST PORTSHIM_LIBRARY LD_PRELOAD

pass()
{
	passed=$((passed + 1))
	[ "${VERBOSE:-0}" = 0 ] || echo "ok: $1"
}

# fail NAME [WHY]
fail()
{
	failed=$((failed + 1))
	echo "not ok: $1${2:+: $2}"
}

# skip NAME WHY
skip()
{
	skipped=$((skipped + 1))
	echo "skip: $1: $2"
}

# same NAME WANTED GOT
same()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "wanted '$2', got '$3'"
	fi
}

# holds NAME TEXT PATTERN: the text has the pattern (of grep -E) in it.
holds()
{
	if printf '%s\n' "$2" | grep -qE -- "$3"; then
		pass "$1"
	else
		fail "$1" "no '$3' in '$2'"
	fi
}

# lacks NAME TEXT PATTERN
lacks()
{
	if printf '%s\n' "$2" | grep -qE -- "$3"; then
		fail "$1" "'$3' is in '$2'"
	else
		pass "$1"
	fi
}

# outcome COMMAND...: runs it; stdout, stderr and exit status are in $out, $err, $code.
outcome()
{
	out=$("$@" 2>"$scratch/err" </dev/null)
	code=$?
	err=$(cat "$scratch/err")
}

# free_port: one with nothing on it, as the tests in Python draw it.
free_port()
{
	PYTHONPATH=$test_lib "$python" -c 'import harness; print(harness.free_port())'
}

# free_ports COUNT: so many, with nothing on them, no two of them the same.
free_ports()
{
	PYTHONPATH=$test_lib "$python" -c "import harness; first = harness.free_row($1); print(*range(first, first + $1))"
}

# check NAME COMMAND...: passes if the command succeeds; shows what it printed if not.
check()
{
	name=$1
	shift
	if "$@" >"$scratch/check.out" 2>&1; then
		pass "$name"
	else
		fail "$name" "$* (exit status $?)"
		sed 's/^/	/' "$scratch/check.out"
	fi
}

# add NAME COMMAND...: adds the counts that a test program prints to this test's.
add()
{
	name=$1
	shift
	"$@" >"$scratch/add.out" 2>&1
	status=$?
	counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$scratch/add.out" | tail -n 1 |
		tr -dc '0-9 ')
	grep -vE '^[0-9]+ passed, ' "$scratch/add.out" | sed "s|^\(not ok\|skip\): |&$name: |"
	if [ -z "$counts" ]; then
		fail "$name" "no result, exit status $status"
		return
	fi
	# shellcheck disable=SC2086 # three numbers
	set -- $counts
	passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
	[ "$status" -eq 0 ] || [ "$2" -ne 0 ] || fail "$name" "exit status $status"
}

finish()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
	exit
}
