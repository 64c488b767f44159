#!/bin/sh
# Builds the fuzzers and gives them what was found so far: once each, no search (`make fuzz` does that).
. tests/lib.sh
unset MAKEFLAGS MAKELEVEL MFLAGS

make -s fuzz "BUILD=$build" FUZZ_END="-runs=0 -timeout=300" >"$scratch/said" 2>&1
code=$?
while read -r name count what rest; do
	case $name,$what,$rest in
	skip:,*) skip fuzz "$what $rest" ;;
	*,inputs,,nothing\ found)
		if [ "$count" -gt 1 ]; then
			pass "$name"
		else
			fail "$name" "no inputs"
		fi
		;;
	esac
done <"$scratch/said"
if [ "$code" -ne 0 ]; then
	fail "make fuzz" "status $code"
	cat "$scratch/said"
fi
finish
