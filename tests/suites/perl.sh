#!/usr/bin/env bash
# Perl's own tests of its socket modules (IO::Socket, IO::Socket::IP, Socket, Net::Ping), with the system's perl.
. "$(dirname "$0")/lib.sh"
need perl
PORTS=(fixed)

get() {
	unpack_source perl '*/t/test.pl' '*/t/charset_tools.pl' '*/dist/IO/t/*' '*/cpan/IO-Socket-IP/t/*' '*/cpan/libnet/t/*' \
		'*/cpan/Socket/t/*' '*/dist/Net-Ping/t/*' || cannot
}

FILES=(dist/IO/t/{cachepropagate-*,io_multihomed,io_poll,io_sel,io_sock,io_sock_errstr,io_udp,io_unix}.t
	cpan/IO-Socket-IP/t/[0-3]*.t cpan/Socket/t/get*.t dist/Net-Ping/t/{200,250,300,450,510}_*.t)
[ -z "$ALL" ] || FILES+=(cpan/Socket/t/[Sis]*.t cpan/libnet/t/*.t dist/Net-Ping/t/190_*.t)

# A case is FILE:NUMBER.
run() {
	local file
	echo "$FIXED_FIRST" >"$PWD.tmp/next"
	own "$PWD.tmp/next"
	# shellcheck disable=SC2068 # patterns
	for file in ${FILES[@]}; do
		[[ $# -eq 0 || " $*" = *" $file:"* ]] || continue
		FIXED_NEXT=$PWD.tmp/next "${UNDER[@]}" timeout 60 perl "-I$HERE" -Mperl "$file" >results.tap 2>&1 &&
			echo "$file:exit	pass" >&3 || echo "$file:exit	fail" >&3
		cat results.tap
		sed -nE "s,^ok ([0-9]+).* # (skip|SKIP|TODO|todo)\b.*,$file:\1\tskip,p; t
			s,^ok ([0-9]+).*,$file:\1\tpass,p; s,^not ok ([0-9]+).*,$file:\1\tfail,p" results.tap >&3
	done
}

compare_all 200
