#!/usr/bin/env bash
# Two runs of the same server in the same directory: each gets its own port, a client in a third terminal reaches the
# first, and a client inside a run reaches that run's own.
. "$(dirname "$0")/lib.sh"
need python3

# Inside a run: the server says its identity on each connection; the client asks from within the same run when told to.
cat >"$WORK/server.py" <<'END'
import os, socket, subprocess, sys, threading
port, identity, client = int(sys.argv[1]), sys.argv[2], sys.argv[3]
s = socket.create_server(("127.0.0.1", port))
def serve():
    while True:
        c = s.accept()[0]
        c.sendall(identity.encode())
        c.close()
threading.Thread(target=serve, daemon=True).start()
inside = subprocess.run([sys.executable, client, "line", "localhost", str(port)], capture_output=True, text=True).stdout.strip()
open(identity + ".inside.new", "w").write(inside)
os.rename(identity + ".inside.new", identity + ".inside")
print("inside done", flush=True)
threading.Event().wait()
END

scenario() { # free|held
	local port file first second key name
	new_port && port=$PORT
	project shop
	[ "$1" = free ] || hold "$port"
	file=${DIRS[shop]}/.portshim/ports.json
	serve first@shop -- "$PYTHON" "$WORK/server.py" "$port" first "$REAL/programs/client.py"
	LOGS[shop]=${LOGS[first]}
	awaited shop "$port"
	recorded shop "$port"
	first=${ACTUAL[shop]}
	serve second@shop -- "$PYTHON" "$WORK/server.py" "$port" second "$REAL/programs/client.py"
	LOGS[shop]=${LOGS[second]}
	for name in first second; do
		# tail ends at the line that the server prints when its own client is done.
		timeout "$WAIT" tail -n +1 --pid="${RUNS[$name]}" -f "${LOGS[$name]}" 2>/dev/null | grep -qm1 "inside done"
		is "$name: a client inside its own run reaches it" "$(cat "${DIRS[shop]}/$name.inside" 2>&1)" "$name"
	done
	is "a client in a third run of the directory reaches the first" \
		"$(within shop "$PYTHON" "$REAL/programs/client.py" line localhost "$port" 4)" first
	recorded shop "$port"
	is "the discovery file keeps the first under its name" "${ACTUAL[shop]}" "$first"
	key=$(grep -o "\"$port@[0-9a-f]\{8\}\"" "$file" | tr -d '"')
	like "and has the second beside it, with its run" "$key" "$port@????????"
	second=$("$PYTHON" "$REAL/programs/discovery.py" "$file" "$port" tcp "$key" 2>&1)
	isnt "the second has a port of its own" "$second" "$first"
	is "which answers as the second" "$("$PYTHON" "$REAL/programs/client.py" line localhost "$second")" second

	stop first
	is "after the first's end a client reaches the second" \
		"$(within shop "$PYTHON" "$REAL/programs/client.py" line localhost "$port" 4)" second
	stop second
	forgotten shop "$port"
	release
}

scenario free
scenario held

# The same with a real server, and a private environment beside them that is gone at the end.
new_port
project lone
echo lone >"${DIRS[lone]}/who"
serve lone -- "$PYTHON" -m http.server "$PORT"
awaited lone "$PORT"
recorded lone "$PORT"
is "a client with --isolate does not see the directory's server" \
	"$(ask_portshim lone run --quiet --isolate -- "$PYTHON" "$REAL/programs/client.py" http localhost "$PORT" 2>&1)" refused
stop lone
forgotten lone "$PORT"
finish
