#!/bin/sh
# Many programs ask for one port at the same moment (barrier.c), and process ids that come again (reuse.c).
. tests/lib.sh
export PORTSHIM_TEST_BUILD="$build"
add "200 runs of one environment" "$tests/race/barrier" runs 200
add "200 processes of one run" "$tests/race/barrier" one 200
add "1,000 environments" "$tests/race/barrier" envs 1000
add "100 runs among everybody else's ports" "$tests/race/barrier" here 100
add "process ids" "$tests/race/reuse"
finish
