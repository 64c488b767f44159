#!/bin/sh
# What libportshim.so shows to, and asks of, the processes that it is loaded into.
# shellcheck disable=SC2016 # the inner shells of `check` expand their own parameters
set -u
. tests/lib.sh

sed -n '/^global:/,/^local:/s/^[	 ]*\([A-Za-z_0-9]*\);.*/\1/p' src/shim/exports.map | sort >"$scratch/map"
nm -D --defined-only "$shim" | awk '{ print $3 }' | sort >"$scratch/exported"
check "exports.map lists something" test -s "$scratch/map"
check "the exported symbols are those of exports.map" diff "$scratch/map" "$scratch/exported"
# A version name, also an empty one with @@, would silently disable interposition of versioned references.
check "no symbol has a version" sh -c '! grep @ "$1"' - "$scratch/exported"

sed 's/#.*//' tests/abi/undefined.allow | awk 'NF { print $1 }' | sort >"$scratch/allow"
nm -D --undefined-only "$shim" | awk '{ print $NF }' | sed 's/@.*//' | sort >"$scratch/undefined"
check "undefined symbols are allowed ones" sh -c '! comm -13 "$1" "$2" | grep .' - "$scratch/allow" "$scratch/undefined"

# What not every host has is weak: the program would not start otherwise.
nm -D --undefined-only "$shim" | awk '$1 == "U" { print $2 }' | sed 's/@.*//' >"$scratch/strong"
check "what a host may lack is weak" sh -c '! grep -x "dlsym\|_dl_sym\|_r_debug\|environ\|dladdr\|getauxval\|pthread_setcanceltype\|__libc_single_threaded" "$1"' - "$scratch/strong"

readelf -W -d "$shim" >"$scratch/dynamic"
readelf -W -l "$shim" >"$scratch/headers"
readelf -W -V "$shim" >"$scratch/versions"
has()
{
	check "$1" grep -q -- "$2" "$3"
}
lacks()
{
	check "$1" sh -c '! grep -- "$1" "$2"' - "$2" "$3"
}
lacks "no library is needed" NEEDED "$scratch/dynamic"
lacks "no relocation of code" TEXTREL "$scratch/dynamic"
lacks "no constructor outside init_array" '(INIT)' "$scratch/dynamic"
lacks "nothing to do at exit" FINI "$scratch/dynamic"
has "its name" 'SONAME.*\[libportshim.so\]' "$scratch/dynamic"
has "bound at start" NOW "$scratch/dynamic"
has "read-only after relocation" GNU_RELRO "$scratch/headers"
has "the stack is named" GNU_STACK "$scratch/headers"
check "the stack is not executable" sh -c '! awk "/GNU_STACK/ && \$7 ~ /E/" "$1" | grep .' - "$scratch/headers"
check "nothing is writable and executable" sh -c '! grep "LOAD.* RWE " "$1"' - "$scratch/headers"
lacks "no thread-local storage" ' TLS ' "$scratch/headers"
# The oldest glibc that is asked for: none at all, as long as there is no versioned reference.
newest=$(grep -o 'GLIBC_[0-9.]*' "$scratch/versions" | sort -uV | tail -n 1)
case $newest in
"" | GLIBC_2.[0-9] | GLIBC_2.1[0-7] | GLIBC_2.2.5) pass "no glibc above 2.17 is needed" ;;
*) fail "no glibc above 2.17 is needed" "$newest" ;;
esac

# Programs of every kind start, and print nothing that they would not print without.
starts()
{
	name=$1
	shift
	same "$name starts with the preload" "$("$@" 2>&1; echo "status $?")" \
		"$(LD_PRELOAD=$shim "$@" 2>&1; echo "status $?")"
}
cat >"$scratch/hello.c" <<'C'
#include <stdio.h>
int main(void) { puts("hello"); return 7; }
C
starts "sh" sh -c 'echo hello; exit 3'
starts "true" true
if ${CC:-cc} -o "$scratch/lazy" -Wl,-z,lazy "$scratch/hello.c" 2>"$scratch/cc.out"; then
	starts "a lazily bound program" "$scratch/lazy"
fi
if ${CC:-cc} -static -o "$scratch/static" "$scratch/hello.c" 2>"$scratch/cc.out"; then
	starts "a static program" "$scratch/static"
else
	skip "a static program" "no static libc to link with"
fi
if command -v musl-gcc >/dev/null 2>&1 && musl-gcc -o "$scratch/musl" "$scratch/hello.c" 2>"$scratch/cc.out"; then
	starts "a musl program" "$scratch/musl"
else
	skip "a musl program" "no musl-gcc"
fi
finish
