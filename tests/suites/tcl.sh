#!/usr/bin/env bash
# Tcl's own tests of sockets, of channels on them, and of its HTTP library, with the system's tclsh.
. "$(dirname "$0")/lib.sh"
need tclsh
PORTS=(fixed 8010)

get() {
	unpack_source "tcl$(echo "puts [info tclversion]" | tclsh)" '*/tests/*' || cannot
	# What tests start as [interpreter] has the fixed numbers as well.
	printf '#!/bin/sh\nexec tclsh "%s" "$@"\n' "$HERE/tcl.tcl" >interpreter
	chmod +x interpreter
}

FILES=(socket http httpold http11 chan)
[ -z "$ALL" ] || FILES+=(chanio io ioCmd event unixInit)

# A case is FILE/NAME, NAME being the test's.
run() {
	local file only
	echo "$FIXED_FIRST" >"$PWD.tmp/next"
	own "$PWD.tmp/next"
	for file in "${FILES[@]}"; do
		only=$(printf '%s\n' "${@:-$file/*}" | sed -n "s,^$file/,,p" | tr '\n' ' ')
		[ -n "$only" ] || continue
		FIXED_NEXT=$PWD.tmp/next "${UNDER[@]}" ./interpreter "tests/$file.test" -verbose bpse -match "$only" \
			2>&1 | tee results.log
		sed -nE "s,^\+\+\+\+ (\S+) PASSED\$,$file/\1\tpass,p; s,^\+\+\+\+ (\S+) SKIPPED: .*,$file/\1\tskip,p
			s,^==== (\S+) .* FAILED\$,$file/\1\tfail,p" results.log >&3
	done
}

compare_all 200
