#!/usr/bin/env bash
# PostgreSQL over TCP, and psql.
. "$(dirname "$0")/lib.sh"
BIN=$(find /usr/lib/postgresql/*/bin /usr/bin /usr/local/bin -maxdepth 1 -name initdb 2>/dev/null | sort -V | tail -n 1)
[ -n "$BIN" ] || skip_all "PostgreSQL's initdb is not installed"
BIN=$(dirname "$BIN")
need psql setpriv
as_user "$(id -un postgres 2>/dev/null || echo nobody)" # it refuses to be root

prepare() {
	own "${DIRS[$1]}"
	(cd "${DIRS[$1]}" && "${AS[@]}" "$BIN/initdb" -D data -A trust -N -U tester --locale=C >initdb.log 2>&1) ||
		not_ok "$1: initdb" "$(cat "${DIRS[$1]}/initdb.log")"
}

command_of() {
	COMMAND=("$BIN/postgres" -D data -p "$2" -k "" -c "cluster_name=$1" -c fsync=off)
}

sql() { # ID HOST PORT SQL
	within "$1" psql -X -At -h "$2" -p "$3" -U tester -d postgres -c "$4"
}

ask() {
	is "$1: psql reaches its own" "$(sql "$1" localhost "$2" 'show cluster_name')" "$1"
	is "$1: and makes a table" "$(sql "$1" 127.0.0.1 "$2" "create table who as select '$1' as name")" "SELECT 1"
}

compare() { # PORT
	local id
	for id in alpha beta; do
		is "$id: the table is its own" "$(sql "$id" localhost "$1" 'select name from who')" "$id"
		is "$id: the server knows the port that it was told" "$(sql "$id" localhost "$1" 'show port')" "$1"
		is "$id: psql outside of portshim reaches it by the actual port" \
			"$(psql -X -At -h localhost -p "${ACTUAL[$id]}" -U tester -d postgres -c 'show cluster_name' 2>&1)" "$id"
	done
}

both free
both held
finish
