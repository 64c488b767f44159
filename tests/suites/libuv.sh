#!/usr/bin/env bash
# libuv's own tests: each is a process of its own, and most of the network ones use the ports 9123 to 9125.
. "$(dirname "$0")/lib.sh"
need cc make
PORTS=(9123 9124 9125)

# Built directly: neither cmake nor autotools are needed for it.
get() {
	unpack_source libuv1 '*/src/*' '*/include/*' '*/test/*' || cannot
	# Two copies have the ports in common, but not a UNIX socket in /tmp.
	sed -i 's,"/tmp/uv-test-sock,"uv-test-sock,' test/task.h
	make -s -j2 -f "$HERE/libuv.mk" && rm -f src/*.o src/*/*.o test/*.o
}

# All that a port or a descriptor is part of; the rest (files, threads, timers) only with SUITES_ALL=1.
NETWORK='tcp|udp|pipe|ipc|getaddr|getname|delayed|shutdown|connect|callback|fork|poll|ping|listen|multiple'
NETWORK+='|socket|emfile|closed_fd|close|handle|write|watcher|embed|spawn|stdio|not_|osx|has_ref|unref|backend|active'
NETWORK+='|fail_always'

run() {
	[ $# -gt 0 ] ||
		mapfile -t CASES < <("${AS[@]}" ./run-tests --list | awk '{ print $1 }' | grep -E "^(${ALL:+.|}$NETWORK)")
	# shellcheck disable=SC2016 # the inner shell's
	"${UNDER[@]}" sh -c 'for case; do ./run-tests "$case"; done' sh "${@:-${CASES[@]}}" | tee results.tap
	sed -nE 's/^ok [0-9]+ - (\S+) # SKIP.*/\1\tskip/p; s/^ok [0-9]+ - (\S+)$/\1\tpass/p
		s/^not ok [0-9]+ - (\S+)$/\1\tfail/p' results.tap >&3
}

compare_all 150
