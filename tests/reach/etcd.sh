#!/usr/bin/env bash
# Two clusters of three etcd, Go's gRPC between them, all with the same six numbers in their command lines, which name
# their peers by these numbers.
. "$(dirname "$0")/lib.sh"
need etcd etcdctl

PORTS=()
for _ in 1 2 3 4 5 6; do new_port && PORTS+=("$PORT"); done
url() { echo "http://127.0.0.1:${PORTS[$1]}"; }
CLUSTER="one=$(url 3),two=$(url 4),three=$(url 5)"

member() { # ID NUMBER NAME
	serve "$1-$3@$1" -- etcd --name "$3" --data-dir "$3" --initial-cluster "$CLUSTER" --initial-cluster-state new \
		--listen-client-urls "$(url "$2")" --advertise-client-urls "$(url "$2")" \
		--listen-peer-urls "$(url $(($2 + 3)))" --initial-advertise-peer-urls "$(url $(($2 + 3)))"
}

control() { # ID MEMBER WORD...
	local id=$1 at
	at=$(url "$2")
	shift 2
	within "$id" env ETCDCTL_API=3 etcdctl --endpoints "$at" --dial-timeout 60s --command-timeout 60s "$@"
}

for id in alpha beta; do
	project "$id"
	member "$id" 0 one
	member "$id" 1 two
	member "$id" 2 three
done
for id in alpha beta; do LOGS[$id]=${LOGS[$id-one]}; done
for id in alpha beta; do
	awaited "$id" "${PORTS[@]}"
	like "$id: the first member takes a value when all have found each other" "$(control "$id" 0 put who "$id")" "*OK"
	is "$id: the third has it" "$(control "$id" 2 get --print-value-only who)" "$id"
	is "$id: its members know each other by the numbers in the command lines" \
		"$(control "$id" 1 member list | sed 's/.*, \(http[^,]*\), \(http[^,]*\), .*/\1 \2/' | sort)" \
		"$(for i in 0 1 2; do echo "$(url $((i + 3))) $(url "$i")"; done | sort)"
	for i in 0 3; do recorded "$id" "${PORTS[$i]}"; done
done
isnt "the two have different actual ports" "${ACTUAL[alpha]}" "${ACTUAL[beta]}"
is "alpha: has its own value still" "$(control alpha 1 get --print-value-only who)" alpha
for id in alpha beta; do stop "$id-one" "$id-two" "$id-three"; done
for id in alpha beta; do forgotten "$id" "${PORTS[0]}"; done
finish
