#!/usr/bin/env bash
# A program whose calls about sockets are the processor's `syscall` instruction: in a program that the library is
# preloaded into, where the one call is seen and the other is not, and in a static one.
. "$(dirname "$0")/lib.sh"

[ "$(uname -m)" = x86_64 ] || skip_all "the program is written for x86-64"
c_program talk-raw-static "$CC" -DRAW -static
unreached "$PROGRAM"
static=$PROGRAM
c_program talk-raw "$CC" -DRAW
both free
both held
PROGRAM=$static
both held
finish
