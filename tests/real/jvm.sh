#!/usr/bin/env bash
# A server and a client on the JVM, each a single source file that `java` runs.
. "$(dirname "$0")/lib.sh"
need java
java --list-modules 2>/dev/null | grep -q '^jdk.compiler' || skip_all "java has no compiler (a JDK is needed)"
unset JAVA_TOOL_OPTIONS
export JDK_JAVA_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"

prepare() {
	sed "s/@PORT@/$2/g; s/@IDENTITY@/$1/g" "$REAL/programs/Server.java" >"${DIRS[$1]}/Server.java"
	sed "s/@PORT@/$2/g" "$REAL/programs/Client.java" >"${DIRS[$1]}/Client.java"
}

command_of() {
	COMMAND=(java Server.java)
}

ask() {
	is "$1: java.net.http and java.net.Socket reach their own" "$(within "$1" java Client.java | grep -v '^NOTE: ')" "$1
$1"
	told "listening on ${ACTUAL[$1]}" "${LOGS[$1]}"
	like "$1: the server's own log has the actual port" "$(cat "${LOGS[$1]}")" "*listening on ${ACTUAL[$1]}*"
}

both free
both held
finish
