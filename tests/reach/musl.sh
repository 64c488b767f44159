#!/usr/bin/env bash
# A C server and client, TCP and UDP, linked statically: against musl, then against glibc.
. "$(dirname "$0")/lib.sh"

glibc=
c_program talk-glibc "$CC" -static && glibc=$PROGRAM
c_program talk-musl musl-gcc -static
unreached "$PROGRAM"
both free
both held
musl=$PROGRAM
PROGRAM=$glibc
unreached "$PROGRAM"
both held
PROGRAM=$musl
as_ordinary_user
both held
finish
