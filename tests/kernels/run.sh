#!/usr/bin/env bash
# run.sh - the tests of the second path on other kernels: BUILD=build tests/kernels/run.sh [RELEASE/ARCHITECTURE...]
#
# Theory of operation. Each kernel is Debian's of that release (bookworm/amd64, trixie/amd64, bookworm/arm64), run by
# qemu in software, so that no right is needed: slow, and therefore no part of `make check`. The guest is one cpio
# archive with packages of this machine's own release, unpacked and never configured, this source and its build; it has
# a loopback and no disk. guest.sh is its first process: it runs scenes.py, then the suites of $KERNEL_SUITES, and says
# so on the console. Packages come from where apt is told here to get Debian's, into the build directory, with a state
# of their own: this machine's packages stay as they are. Another architecture is compiled for by a cross-compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=$(realpath "${BUILD:-build}")
WORK=$BUILD/kernels
KERNELS=("$@")
[ $# -gt 0 ] || KERNELS=(bookworm/amd64)
PACKAGES=(bash binutils coreutils base-passwd curl dash debianutils diffutils findutils gcc grep gzip hostname iproute2 kmod
	libc-bin libc6-dev libcap2-bin libcjson-dev libcmocka-dev libyaml-dev make mawk mount musl-tools procps python3 sed
	sysvinit-utils tar util-linux)
declare -A MORE=([amd64]="gcc-multilib" [arm64]="gcc-arm-linux-gnueabihf libc6-dev-armhf-cross")

skip() { # WHY
	echo "skip: kernels: $1"
	exit 0
}

for tool in apt-get apt-cache dpkg-deb cpio depmod; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
# shellcheck disable=SC2016 # apt's
SITE=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL)' 2>/dev/null | sed -n 's/ Debian Debian$//p' | head -n 1)
[ -n "$SITE" ] || skip "apt knows no archive of Debian's, or was not updated"
HERE=$(. /etc/os-release && echo "$VERSION_CODENAME")

# An apt with a state of its own.
apt_of() { # RELEASE ARCHITECTURE
	local dir=$WORK/apt-$1-$2
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	echo "deb $SITE $1 main" >"$dir/sources"
	cat >"$dir/conf" <<-EOF
		Dir::State "$dir"; Dir::State::status "$dir/status"; Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/sources"; Dir::Etc::sourceparts "-";
		APT::Architecture "$2"; APT::Architectures { "$2"; }; APT::Install-Recommends "false";
		Acquire::Languages "none"; APT::Sandbox::User "";
	EOF
	export APT_CONFIG=$dir/conf
	[ -e "$dir/updated" ] || { apt-get -qq update && touch "$dir/updated"; }
}

pack() { # DIRECTORY ARCHIVE
	(cd "$1" && find . -print0 | cpio --null --quiet -R 0:0 -o -H newc) >"$2"
}

# The packages, unpacked, in root-ARCHITECTURE, and as an archive.
guest() { # ARCHITECTURE
	local root=$WORK/root-$1 package
	[ ! -e "$WORK/guest-$1.cpio" ] || return 0
	apt_of "$HERE" "$1"
	# shellcheck disable=SC2086 # words
	apt-get -qq -y -d install "${PACKAGES[@]}" ${MORE[$1]} >/dev/null
	rm -rf "$root"
	mkdir -p "$root"/{proc,sys,dev,tmp,run,root}
	for package in "$WORK/apt-$HERE-$1/cache/archives"/*.deb; do
		dpkg-deb -x "$package" "$root"
	done
	rm -rf "$root"/usr/share/{doc,man,locale,info}
	ln -sf gcc "$root/usr/bin/cc"
	ln -sf mawk "$root/usr/bin/awk"
	cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
	cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
	pack "$root" "$WORK/guest-$1.cpio"
}

# Sets IMAGE, and makes an archive of its modules: of the few that the tests lead to.
kernel() { # RELEASE ARCHITECTURE
	local dir=$WORK/kernel-$1-$2 name part version modules
	if [ ! -e "$dir/modules.cpio" ]; then
		apt_of "$1" "$2"
		name=$(apt-cache depends "linux-image-cloud-$2" | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
		rm -rf "$dir"
		mkdir -p "$dir/unpacked" "$dir/few"
		(cd "$dir" && apt-get -qq download "$name" && dpkg-deb -x ./*.deb unpacked)
		modules=$dir/unpacked/lib/modules
		[ -d "$modules" ] || modules=$dir/unpacked/usr/lib/modules
		version=$(ls "$modules")
		mkdir -p "$dir/few/lib/modules/$version"
		for part in modules.builtin modules.builtin.modinfo modules.order kernel/net/{ipv4,ipv6,unix,netlink,packet}; do
			[ ! -e "$modules/$version/$part" ] || (cd "$modules/$version" && cp -r --parents "$part" "$dir/few/lib/modules/$version")
		done
		depmod -b "$dir/few" "$version"
		pack "$dir/few" "$dir/modules.cpio"
	fi
	IMAGE=$(echo "$dir"/unpacked/boot/vmlinuz-*)
}

# This source, and what is built of it for that machine.
source_tree() { # ARCHITECTURE
	local tree=$WORK/tree-$1 build=$BUILD cross=aarch64-linux-gnu-gcc libraries=$WORK/root-$1/usr/lib/aarch64-linux-gnu
	local goals=(all check-programs) test
	if [ "$1" != "$(dpkg --print-architecture)" ]; then
		command -v $cross >/dev/null || skip "$cross is not installed"
		build=$WORK/build-$1
		goals=(all)
		for test in tests/own_network.c tests/shim/with_ports.c tests/platform/*.c; do
			goals+=("$build/${test%.c}")
		done
		make -s -j"$(nproc)" BUILD="$build" CC="$cross --sysroot=$WORK/root-$1 -B$libraries -L$libraries" "${goals[@]}"
	else
		make -s -j"$(nproc)" BUILD="$build" "${goals[@]}"
	fi
	rm -rf "$tree"
	mkdir -p "$tree/portshim/build"
	cp -r tests src include docs manifest scripts Makefile "$tree/portshim"
	cp "$build/portshim" "$build/libportshim.so" "$tree/portshim/build"
	(cd "$build" && find tests -type f -perm -100 ! -name '*.o' | cpio --quiet -pd "$tree/portshim/build")
	install -m 755 tests/kernels/guest.sh "$tree/init"
	pack "$tree" "$WORK/tree-$1.cpio"
}

boot() { # ARCHITECTURE CONSOLE QEMU...
	local architecture=$1 console=$2
	shift 2
	command -v "$1" >/dev/null || skip "$1 is not installed"
	timeout -k 10 "${KERNEL_SECONDS:-7200}" "$@" -accel tcg,thread=multi -smp 2 -m 3G -nographic -no-reboot -nodefaults \
		-serial stdio -kernel "$IMAGE" -initrd "$WORK/initrd" </dev/null \
		-append "console=$console quiet panic=-1 mitigations=off -- ${KERNEL_SUITES-platform notify static}" |
		sed -u 's/\r$//' | tee "$WORK/said-$$"
	grep -q '^=== good$' "$WORK/said-$$" || { echo "$architecture: not good" >&2 && return 1; }
}

for one in "${KERNELS[@]}"; do
	architecture=${one#*/}
	guest "$architecture"
	kernel "${one%/*}" "$architecture"
	(unset APT_CONFIG && source_tree "$architecture")
	cat "$WORK/guest-$architecture.cpio" "$WORK/kernel-${one%/*}-$architecture/modules.cpio" \
		"$WORK/tree-$architecture.cpio" >"$WORK/initrd"
	case $architecture in
	# cx16: qemu 7.2 leaves garbage in the flags after cmpxchg16b, and Linux 6.12 panics.
	amd64) boot "$one" ttyS0 qemu-system-x86_64 -cpu max,la57=off,cx16=off ;;
	arm64) boot "$one" ttyAMA0 qemu-system-aarch64 -M virt -cpu cortex-a57 ;;
	*) skip "$architecture: the guest is made for amd64 and arm64" ;;
	esac
done
