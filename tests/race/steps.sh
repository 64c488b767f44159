#!/bin/sh
# Kills programs at each of their stores to the registry, and at each system call that others can see (stepper.c). Several
# scenes at a time, because each mostly waits for processes to start.
. tests/lib.sh

"$tests/race/stepper" list >"$scratch/scenes"
export PORTSHIM_TEST_BUILD="$build"
# shellcheck disable=SC2016 # for the inner shell
tr '\n' '\0' <"$scratch/scenes" | xargs -0 -P "${STEP_JOBS:-3}" -I '{}' \
	sh -c '"$1/race/stepper" "$2" >"$3/$2.out" 2>&1; echo $? >"$3/$2.status"' - "$tests" '{}' "$scratch"
while read -r scene; do
	# shellcheck disable=SC2016 # the inner shell's
	add "$scene" sh -c 'cat "$1.out"; exit "$(cat "$1.status")"' - "$scratch/$scene"
	grep ' stores, ' "$scratch/$scene.out"
done <"$scratch/scenes"
finish
