#!/usr/bin/env bash
# CPython's own tests of its network modules, with the system's python3.
. "$(dirname "$0")/lib.sh"
need dpkg python3
PORTS=(fixed)

get() {
	unpack_package "libpython$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-testsuite" || cannot
	mkdir lib
	cp -r usr/lib/python3.*/test lib/test
	# The package has the tests; what they share comes with python itself, and is of its version.
	cp -r "$("$PYTHON" -c 'import test; print(test.__path__[0])')/." lib/test/
	rm -rf usr
}

MODULES=(asynchat asyncore poplib smtplib socket socketserver telnetlib urllib2_localnet asyncio.test_server
	imaplib.ThreadedNetworkedTests)
[ -z "$ALL" ] || MODULES=("${MODULES[@]/imaplib.*/imaplib}" docxmlrpc epoll ftplib httplib httpservers poll select
	selectors smtpd ssl xmlrpc asyncio.test_sendfile asyncio.test_sock_lowlevel asyncio.test_streams)

run() {
	[ $# -gt 0 ] || set -- "${MODULES[@]/#/test.test_}"
	PYTHONPATH=$PWD/lib "${UNDER[@]}" "$PYTHON" "$HERE/cpython.py" "$PWD/results" "$@"
	cat results >&3
}

compare_all 300
