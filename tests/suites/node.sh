#!/usr/bin/env bash
# Node's own tests of net, dgram and cluster, with the node that is installed (whose version may be another one).
# Each is a process, so all of them take long: CI has the part that binds, listens and connects.
. "$(dirname "$0")/lib.sh"
need node
PORTS=(fixed 12346)

get() {
	unpack_source nodejs '*/test/common*' '*/test/fixtures/*' '*/test/parallel/test-cluster*' \
		'*/test/parallel/test-dgram*' '*/test/parallel/test-net*' '*/test/parallel/test-http*' '*/test/sequential/*' ||
		cannot
	# Port 0 becomes a number of the test's own, the first of which is held; common.PORT is 12346.
	sed -i -E 's/\.(listen|bind)\(0([,)])/.\1(fixedPort()\2/g; s/\b((listen|bind)\(\{[^}]*port: )0\b/\1fixedPort()/g' \
		test/parallel/*.js
	cat >>test/common/index.js <<-'END'

		const fixedPorts = (process.env.FIXED_PORTS || '').split(' ').map(Number);
		function fixedPort() { return fixedPorts.shift() || 0; }
		global.fixedPort = fixedPort;
		knownGlobals.push(fixedPort);
	END
}

run() {
	local -a files
	if [ $# -eq 0 ] && [ -n "$ALL" ]; then
		set -- test/parallel/test-{cluster,dgram,net,http}*.js test/sequential/test-{cluster,dgram,net,http,tls}-*.js
	elif [ $# -eq 0 ]; then
		# Those with a number of their own, without three that wait for seconds, and one whose workers each want the
		# number that the kernel would choose: with a fixed one it hangs.
		mapfile -t files < <(grep -lE 'fixedPort\(|common\.PORT' test/parallel/test-dgram-*.js \
			test/parallel/test-net-{bind,connect,listen,local,reconnect,remote,server}*.js \
			test/parallel/test-cluster-{bind-twice,eaddrinuse,http,listening,net,process,server,shared-handle}*.js |
			grep -vE 'dgram-(exclusive-implicit|cluster-close|deprecation)|net-listen-after-destroying')
		set -- "${files[@]}"
	fi
	"${UNDER[@]}" "$PYTHON" "$HERE/node.py" "$PWD/results" "$@"
	cat results >&3
}

compare_all 50
