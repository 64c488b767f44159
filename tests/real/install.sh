#!/usr/bin/env bash
# `make install` into a path with a space (which LD_PRELOAD cannot express), and what is installed works from there;
# the same staged by DESTDIR; `make uninstall` leaves nothing.
. "$(dirname "$0")/lib.sh"
need python3 make curl

# shellcheck disable=SC2317 # called by succeeds
made() { # TARGET [VARIABLE=VALUE...]
	make --no-print-directory -s -C "$TOP" BUILD="$BUILD" -o all "$@" 2>&1
}

prefix="$WORK/a place/with spaces"
succeeds "make install" made install prefix="$prefix"
for file in bin/portshim lib/libportshim.so; do
	is "$file is installed" "$(stat -c %F "$prefix/$file" 2>&1)" "regular file"
done
for pair in portshim.bash:bash-completion/completions/portshim _portshim:zsh/site-functions/_portshim \
	portshim.fish:fish/vendor_completions.d/portshim.fish; do
	succeeds "${pair%%:*} is installed" cmp "$TOP/wrappers/completions/${pair%%:*}" "$prefix/share/${pair#*:}"
done
for file in "$TOP"/docs/man/*.[1-8]; do
	[ -e "$file" ] || continue
	name=$(basename "$file")
	succeeds "$name is installed" cmp "$file" "$prefix/share/man/man${name##*.}/$name"
done
for file in "$TOP"/manifest/*.schema.json; do
	[ -e "$file" ] || continue
	succeeds "$(basename "$file") is installed" cmp "$file" "$prefix/share/portshim/$(basename "$file")"
done
is "the installed portshim tells its version" "$("$prefix/bin/portshim" version 2>&1)" "$("$BUILD/portshim" version 2>&1)"

# Nothing of the build directory may be needed: a symlink on PATH to the installed program is all.
mkdir "$WORK/bin"
ln -s "$prefix/bin/portshim" "$WORK/bin/portshim"
PORTSHIM=$WORK/bin/portshim
prepare() {
	echo "$1" >"${DIRS[$1]}/who"
}
command_of() {
	COMMAND=("$PYTHON" -m http.server "$2")
}
ask() {
	is "$1: a client reaches its own" "$(within "$1" curl -sS --max-time 60 "http://localhost:$2/who")" "$1"
	is "$1: portshim exec and a cleared environment too" \
		"$(ask_portshim "$1" exec -- env -i "$(command -v curl)" -sS --max-time 60 "http://localhost:$2/who" 2>&1)" "$1"
}
both held
project maps
is "the library comes from there" "$(within maps grep -c "$prefix/lib/libportshim.so" /proc/self/maps | grep -c '^[1-9]')" 1
is "and not from the build" "$(within maps grep -c "$BUILD/libportshim.so" /proc/self/maps)" 0

succeeds "make uninstall" made uninstall prefix="$prefix"
is "nothing is left" "$(find "$prefix" ! -type d)" ""

succeeds "make install DESTDIR=... prefix=/usr" made install DESTDIR="$WORK/stage dir" prefix=/usr
is "DESTDIR has it below the prefix" "$(stat -c %F "$WORK/stage dir/usr/bin/portshim" 2>&1)" "regular file"
is "and nothing beside it" "$(ls "$WORK/stage dir")" usr
succeeds "make uninstall DESTDIR=... prefix=/usr" made uninstall DESTDIR="$WORK/stage dir" prefix=/usr
is "nothing is left there" "$(find "$WORK/stage dir" ! -type d)" ""
finish
