#!/usr/bin/env bash
# Redis's own tests, with the system's redis: servers by the dozen, replicas, clusters, redis-cli and redis-benchmark.
. "$(dirname "$0")/lib.sh"
need tclsh redis-server redis-cli redis-benchmark
PORTS=(fixed)

get() {
	local program
	unpack_source redis '*/tests/*' '*/redis.conf' '*/src/commands/*' || cannot
	for program in server cli benchmark check-aof check-rdb; do
		ln -s "$(command -v "redis-$program")" "src/redis-$program" || return 1
	done
}

UNITS=(unit/{auth,info,limits,multi,networking,protocol,pubsub,quit} integration/redis-benchmark)
[ -z "$ALL" ] || UNITS+=(unit/{acl,cluster,introspection,other,scripting,tracking,wait}
	unit/cluster/{links,scripting} integration/{redis-cli,replication,replication-3,replication-4,shutdown})

# A case is UNIT:TEST, with _ for what is not a letter, a digit or a sign without another meaning.
run() {
	local unit
	local -a units=()
	for unit in "${UNITS[@]}"; do
		[[ $# -ne 0 && " $*" != *" $unit:"* ]] || units+=(--single "$unit")
	done
	# The test server has the number 32 below the first.
	TERM=dumb "${UNDER[@]}" tclsh tests/test_helper.tcl --baseport $((FIXED_FIRST + 32)) \
		--portcount $((FIXED_LAST - FIXED_FIRST - 32)) --clients 1 --durable --timeout 120 "${units[@]}" | tee results.log
	sed -nE '/^Testing /{ s///; h; }
		/^\[(ok|err|ignore|skip)\]: /{
			s/ \([0-9]+ ms\)$//; s/ in tests\/.*\.tcl$//; s/^\[(.)\w+\]: (.*)/\2\n\1/
			G; s/^(.*)\n(.)\n(.*)$/\3:\1\n\2/
			s/[^][A-Za-z0-9_.,:/%+=\n-]/_/g
			s/\no$/\tpass/; s/\ne$/\tfail/; s/\n[is]$/\tskip/; p
		}' results.log >&3
}

compare_all 100
