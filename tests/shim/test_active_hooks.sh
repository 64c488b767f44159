#!/bin/sh
# Every function that libportshim.so exports is ours in the process, and fires: see hooks.c.
set -u
. tests/lib.sh

symbols=$(sed -n '/^global:/,/^local:/s/^[	 ]*\([A-Za-z_0-9]*\);.*/\1/p' src/shim/exports.map)
mkdir "$scratch/project"
cd "$scratch/project" || exit 3
DISCOVERY=$scratch/project/.portshim/env/hooks/ports.json
export DISCOVERY
# shellcheck disable=SC2086 # a list of symbols
add hooks "$tests/shim/with_ports" --guard 32 0 -- "$portshim" exec --strict --env hooks -- "$tests/shim/hooks" $symbols
finish
