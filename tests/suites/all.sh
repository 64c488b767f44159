#!/usr/bin/env bash
# Runs the suites side by side (they mostly wait), or those that are named, and adds up their counts.
set -u
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d "${TMPDIR:-/tmp}/portshim-suites.XXXXXX") || exit 3
trap 'rm -rf "$out"' EXIT
trap 'exit 130' INT TERM

if [ $# -eq 0 ]; then
	for script in "$here"/*.sh; do
		name=$(basename "$script" .sh)
		case $name in
		all | lib | get) ;;
		*) set -- "$@" "$name" ;;
		esac
	done
fi
# Each has a process group of its own (timeout), so it is told when this ends early.
# shellcheck disable=SC2016 # the inner shell's
printf '%s\n' "$@" | xargs -P "${SUITES_JOBS:-3}" -I NAME \
	bash -c 'setpriv --pdeathsig TERM bash "$1/NAME.sh" >"$2/NAME" 2>&1 ||
		echo "NAME: exit status $?" >>"$2/failed"
		cat "$2/NAME"' \
	- "$here" "$out"
counts=$(cat "$out"/* | awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $1; f += $3; s += $5; n++ }
	END { print p + 0, f + 0, s + 0, n + 0 }')
read -r passed failed skipped ended <<<"$counts"
if [ "$ended" -ne $# ]; then
	echo "not ok - $(($# - ended)) of $# suites ended without a result"
	failed=$((failed + $# - ended))
fi
[ ! -e "$out/failed" ] || cat "$out/failed"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ ! -e "$out/failed" ]
