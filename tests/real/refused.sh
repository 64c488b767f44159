#!/usr/bin/env bash
# Refused, not misled: a client whose own server has not started yet never reaches the server of another environment.
# An unmanaged holder (the system's PostgreSQL) stays reachable.
. "$(dirname "$0")/lib.sh"
need python3
new_port
port=$PORT

client() { # ID KIND HOST [PORT]
	within "$1" "$PYTHON" "$REAL/programs/client.py" "$2" "$3" "${4:-$port}"
}

HOSTS=(localhost 127.0.0.1 ${HAVE6:+::1})
for id in alpha beta gamma; do
	project "$id"
	echo "$id" >"${DIRS[$id]}/who"
done

serve alpha -- "$PYTHON" -m http.server ${HAVE6:+--bind ::} "$port"
awaited alpha "$port"
recorded alpha "$port"
is "alpha has the port that it asked for" "${ACTUAL[alpha]}" "$port"
for host in "${HOSTS[@]}"; do
	is "beta's client of $host: refused while only alpha serves" "$(client beta http "$host")" refused
	is "alpha's client of $host: served" "$(client alpha http "$host")" alpha
done

serve beta -- "$PYTHON" -m http.server ${HAVE6:+--bind ::} "$port"
awaited beta "$port"
recorded beta "$port"
for host in "${HOSTS[@]}"; do
	is "beta's client of $host: served by beta now" "$(client beta http "$host")" beta
	is "gamma's client of $host: refused" "$(client gamma http "$host")" refused
done
is "gamma's client of beta's actual port: refused" "$(client gamma http localhost "${ACTUAL[beta]}")" refused
is "beta's client of its own actual port: served" "$(client beta http localhost "${ACTUAL[beta]}")" beta
is "a client outside of portshim meets what is really there" \
	"$("$PYTHON" "$REAL/programs/client.py" http localhost "$port")" alpha
is "--allow opens a door on purpose" \
	"$(ask_portshim gamma run --quiet --allow "$(basename "${DIRS[alpha]}")" -- \
		"$PYTHON" "$REAL/programs/client.py" http localhost "$port" 2>&1)" alpha

stop alpha
is "beta's client after alpha's end: still beta" "$(client beta http localhost)" beta
is "alpha's client after alpha's end: refused" "$(client alpha http localhost)" refused
stop beta

# UDP: the same for a datagram service.
new_port
cat >"$WORK/udp.py" <<-END
	import socket, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind(("127.0.0.1", $PORT))
	while True:
	    data, peer = s.recvfrom(100)
	    s.sendto(sys.argv[1].encode(), peer)
END
serve alpha -- "$PYTHON" "$WORK/udp.py" alpha
awaited alpha "$PORT"
is "UDP: alpha's client is served" "$(client alpha udp 127.0.0.1 "$PORT")" alpha
cat >"$WORK/connected.py" <<-END
	import socket
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.settimeout(20)
	try:
	    s.connect(("127.0.0.1", $PORT))
	    s.send(b"who")
	    print(s.recv(100).decode())
	except ConnectionRefusedError:
	    print("refused")
END
is "UDP: beta's connected client is refused" "$(within beta "$PYTHON" "$WORK/connected.py")" refused
stop alpha

# Strangers pass through.
new_port
hold "$PORT"
is "an unmanaged holder is reached" "$(client beta http localhost "$PORT")" holder
finish
