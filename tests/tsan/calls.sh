#!/bin/sh
# calls.sh BUILD - starts BUILD/calls under portshim a few times, with the library of BUILD, which has ThreadSanitizer in it:
# begun by `portshim run`, and preloaded by hand, where the first call makes the run. TSAN_OPTIONS is the caller's.
set -u
build=$(cd "$1" && pwd)
here=$(mktemp -d "${TMPDIR:-/tmp}/portshim-tsan.XXXXXX") || exit 3
trap 'rm -rf "$here"' EXIT
unset PORTSHIM PORTSHIM_RUN PORTSHIM_ENV PORTSHIM_PROFILE PORTSHIM_MANIFEST LD_PRELOAD
mkdir -m 700 "$here/registry" "$here/project"
export PORTSHIM_RUNTIME_DIR="$here/registry"
cd "$here/project" || exit 3
status=0
for _ in 1 2 3 4 5; do
	port=$(shuf -n 1 -i 20000-30000)
	timeout 60 "$build/shim/portshim" run --isolate --quiet -- "$build/calls" "$port" || status=1
	LD_PRELOAD=$build/shim/libportshim.so timeout 60 "$build/calls" "$port" || status=1
done >"$here/said" 2>&1
if [ "$status" != 0 ]; then
	cat "$here/said"
	exit 1
fi
sed -n 's/^calls: \([0-9]*\) .*/\1/p' "$here/said" |
	awk '{ sum += $1 } END { print sum " connections of " NR " programs"; exit NR != 10 }'
