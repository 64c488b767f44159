#!/bin/sh
# Servers, clients, keepers and commands are killed at random moments (soak.c). SOAK_SECONDS=600 for longer, SOAK_SEED=N to try
# again what was printed.
. tests/lib.sh
export PORTSHIM_TEST_BUILD="$build"
# shellcheck disable=SC2086 # nothing where it is not set
add "killed at random" "$tests/race/soak" "${SOAK_SECONDS:-25}" ${SOAK_SEED:-}
finish
