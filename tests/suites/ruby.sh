#!/usr/bin/env bash
# Ruby's own tests of its socket and HTTP libraries, with the system's ruby.
. "$(dirname "$0")/lib.sh"
need ruby
PORTS=(fixed)

get() {
	unpack_source "ruby$(ruby -e 'puts RUBY_VERSION[/\d+\.\d+/]')" '*/test/socket*' '*/test/net*' '*/tool/lib*' \
		'*/tool/test*' || cannot
	sed -i -E 's/(sockaddr_in|getaddrinfo|Addrinfo\.(tcp|udp))\(("[^"]*", )?0([,)])/\1(\3FixedPort.next\4/
		s/(TCPServer\.(open|new)|\.bind|tcp_server_sockets|udp_server_sockets)\(([^()]*, )?0\)/\1(\3FixedPort.next)/
		s/sockaddr_in\(0,/sockaddr_in(FixedPort.next,/g' test/socket/*.rb test/net/*/*.rb tool/lib/webrick/*.rb
}

run() {
	local -a only=()
	[ $# -eq 0 ] || only=(-n "/^($(printf '%s|' "${@//\?/\\?}")none)\$/")
	"${UNDER[@]}" ruby -r "$HERE/ruby.rb" tool/test/runner.rb --verbose --show-skip --test-order=alpha --seed=1 \
		"${only[@]}" test/socket test/net ${ALL:+tool/test/webrick} | tee results.log
	# Every test has a line when it has run, and those that did not pass have two more at the end.
	sed -nE 's,^\[ *[0-9]+/[0-9]+\] (\S+#\S+) = .*,\1\tpass,p' results.log | sort >ran
	sed -nE '/^ *[0-9]+\) (Failure|Error|Skipped):/{
			s/.*\) (.)\w+:/\1/; N
			s/^(.)\n([^ :]+).*/\2\t\1/; s/S$/skip/; s/[FE]$/fail/; p
		}' results.log >other
	awk -F '\t' 'FILENAME == "other" { other[$1] = $2; next }
		{ print $1 "\t" ($1 in other ? other[$1] : $2) }' other ran >&3
}

compare_all 200
