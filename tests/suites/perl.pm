# Loaded before Perl's tests: a bind of port 0 gets the next fixed number (lib.sh).
package perl;
use strict;
use warnings;
use Socket qw(:DEFAULT :addrinfo AF_INET6 pack_sockaddr_in6 unpack_sockaddr_in6);

# The next one in the file of $FIXED_NEXT, or 0.
sub next_number {
	open my $file, '+<', $ENV{FIXED_NEXT} or return 0;
	my $number = <$file>;
	seek $file, 0, 0;
	print $file $number + 1, "\n";
	close $file;
	return $number <= $ENV{FIXED_LAST} ? $number : 0;
}

sub fixed {
	my $address = shift;
	my $family = length $address > 2 ? sockaddr_family($address) : -1;
	if ($family == AF_INET) {
		my ($port, $ip) = unpack_sockaddr_in($address);
		return pack_sockaddr_in(next_number(), $ip) if $port == 0;
	} elsif ($family == AF_INET6) {
		my ($port, $ip, $scope, $flow) = unpack_sockaddr_in6($address);
		return pack_sockaddr_in6(next_number(), $ip, $scope, $flow) if $port == 0;
	}
	return $address;
}

BEGIN {
	*CORE::GLOBAL::bind = sub (*$) {
		my ($socket, $address) = @_;
		# A bareword is a name in the package that calls.
		$socket = caller() . "::$socket" unless ref $socket || ref \$socket eq 'GLOB' || $socket =~ /::|'/;
		no strict 'refs';
		return CORE::bind(ref $socket || ref \$socket eq 'GLOB' ? $socket : *{$socket}, fixed($address));
	};
}
1;
