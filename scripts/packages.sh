# shellcheck shell=sh
# packages.sh - installs what is missing, as ./try and ./check need it. Sourced from the top directory.
#
# Never asks: apt-get runs non-interactively, as root or through a sudo that needs no password. Where neither is to
# be had, or on a system without apt-get, it says what is missing. Services that packages bring are neither started
# nor enabled: only their programs are wanted.

say()
{
	printf '\n== %s\n' "$*"
}

# One line per need: what shows that it is there (a command, or a file by its absolute path, or a pattern), and the
# package. missing_packages <<END ... END: prints the packages that are missing.
missing_packages()
{
	while read -r sign package; do
		case $sign in
		'' | \#*) continue ;;
		/*)
			found=
			for file in $sign; do
				[ ! -e "$file" ] || found=yes
			done
			;;
		*) found=$(command -v "$sign" || for d in /usr/sbin /sbin; do [ ! -x "$d/$sign" ] || echo "$d"; done) ;;
		esac
		[ -n "$found" ] || printf '%s ' "$package"
	done
}

# as_root COMMAND...: fails without a word if there is no way to be root.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
		sudo -n "$@"
	else
		return 1
	fi
}

apt()
{
	as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -q -y -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confold -o Acquire::Retries=3 "$@" </dev/null >&2
}

# install_packages PACKAGE...: returns 1, having said why, if not all of them could be installed.
install_packages()
{
	[ $# -gt 0 ] || return 0
	say "installing $*"
	if ! command -v apt-get >/dev/null; then
		echo "There is no apt-get here. Install what corresponds to these packages of Debian: $*" >&2
		return 1
	fi
	if ! as_root true; then
		echo "That needs root, or sudo without a password. Run this, then try again:" >&2
		echo "    sudo apt-get install $*" >&2
		return 1
	fi
	# Debian's way to say that nothing may be started now; another's file stays as it is.
	policy=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		policy=/usr/sbin/policy-rc.d
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
		trap 'as_root rm -f "$policy"' EXIT
	fi
	apt update || true
	failed=
	apt install --no-install-recommends "$@" || for package; do # one that is not to be had must not stop the others
		apt install --no-install-recommends "$package" || failed="$failed $package"
	done
	if command -v systemctl >/dev/null; then
		for package; do
			case $package in
			nginx*) as_root systemctl disable nginx >/dev/null 2>&1 || true ;;
			redis-server) as_root systemctl disable redis-server >/dev/null 2>&1 || true ;;
			postgresql) as_root systemctl disable postgresql >/dev/null 2>&1 || true ;;
			esac
		done
	fi
	if [ -n "$policy" ]; then
		as_root rm -f "$policy"
		trap - EXIT
	fi
	[ -z "$failed" ] || echo "Could not install:$failed" >&2
	[ -z "$failed" ]
}

# What building needs, and what ./try shows itself with.
build_needs()
{
	cat <<-END
		cc gcc
		make make
		/usr/include/stdio.h libc6-dev
		/usr/include/cjson/cJSON.h libcjson-dev
		/usr/include/yaml.h libyaml-dev
		python3 python3-minimal
		curl curl
	END
}

# What `make check` needs beyond that. A node that did not come from Debian is kept.
check_needs()
{
	cat <<-END
		/usr/include/cmocka.h libcmocka-dev
		/usr/include/bsd/bsd.h libbsd-dev
		/usr/lib/python3*/http/server.py libpython3-stdlib
		/usr/lib/python3/dist-packages/jsonschema python3-jsonschema
		/usr/lib/python3/dist-packages/fastapi python3-fastapi
		/usr/lib/python3/dist-packages/uvicorn python3-uvicorn
		git git
		patch patch
		jq jq
		node nodejs
		npm npm
		redis-server redis-server
		redis-cli redis-tools
		nginx nginx
		/usr/lib/postgresql/*/bin/initdb postgresql
		psql postgresql-client
		/usr/lib/jvm/*/bin/javac default-jdk-headless
		java default-jre-headless
		mandoc mandoc
		xz xz-utils
		setcap libcap2-bin
		bash bash
		zsh zsh
		fish fish
		musl-gcc musl-tools
		pgrep procps
		ruby ruby
		php php-cli
		go golang-go
		rustc rustc
		caddy caddy
		hugo hugo
		esbuild esbuild
		etcd etcd-server
		etcdctl etcd-client
		chromium chromium
		elixir elixir
		shellcheck shellcheck
		tclsh tcl
		prove perl
		setpriv util-linux
		unshare util-linux
		mount mount
		readelf binutils
		spin spin
		/usr/lib/*/libjemalloc.so.2 libjemalloc2
		/usr/lib/*/libtcmalloc_minimal.so.4 libtcmalloc-minimal4
		/usr/lib/*/faketime/libfaketime.so.1 libfaketime
		/usr/lib/*/libsocket_wrapper.so libsocket-wrapper
		clang clang
		/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan-* libclang-rt-dev
		strace strace
		gdb gdb
		valgrind valgrind
		perf linux-perf
	END
	# Programs of 32 bits: not gcc-multilib, which would remove cross compilers.
	version=$(gcc -dumpversion 2>/dev/null | cut -d . -f 1)
	if [ "$(uname -m)" = x86_64 ] && [ -n "$version" ]; then
		cat <<-END
			/usr/lib32/libc.a libc6-dev-i386
			/usr/lib/gcc/*/*/32/libgcc.a lib32gcc-$version-dev
		END
	fi
}
