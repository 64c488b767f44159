#!/usr/bin/env bash
# Node's own tests of net, dgram and cluster, with the node that is installed (whose version may be another one).
# Each is a process, so it takes long: all.sh runs it only with SUITES_ALL=1.
. "$(dirname "$0")/lib.sh"
need node
PORTS=(fixed 12346)

get() {
	unpack_source nodejs '*/test/common*' '*/test/fixtures/*' '*/test/parallel/test-cluster*' \
		'*/test/parallel/test-dgram*' '*/test/parallel/test-net*' '*/test/parallel/test-http*' '*/test/sequential/*' ||
		cannot
	# Port 0 becomes a number of the test's own; common.PORT is 12346.
	sed -i -E 's/\.(listen|bind)\(0([,)])/.\1(fixedPort()\2/g; s/\b((listen|bind)\(\{[^}]*port: )0\b/\1fixedPort()/g' \
		test/parallel/*.js
	cat >>test/common/index.js <<-'END'

		let nextFixedPort = +process.env.FIXED_PORT;
		function fixedPort() { return nextFixedPort && nextFixedPort++; }
		global.fixedPort = fixedPort;
		knownGlobals.push(fixedPort);
	END
}

run() {
	if [ $# -eq 0 ]; then
		set -- test/parallel/test-{cluster,dgram,net}-*.js test/sequential/test-{cluster,dgram,net}-*.js
		[ -z "$ALL" ] || set -- "$@" test/parallel/test-http*.js test/sequential/test-{http,tls}-*.js
	fi
	"${UNDER[@]}" "$PYTHON" "$HERE/node.py" "$PWD/results" "$@"
	cat results >&3
}

compare_all 50
