#!/usr/bin/env bash
# Every command that looks at what runs, against real servers: status, port, url, env, wait, why, doctor, help, version.
# Run from the top directory. The build is that of $PORTSHIM_TEST_BUILD, else $BUILD, else build/.
set -u
# shellcheck source=tests/lib.sh
. "$PWD/tests/lib.sh"
top=$PWD
started=()

# shellcheck disable=SC2317 # called by the trap
stop_all()
{
	[ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$scratch" "$PORTSHIM_RUNTIME_DIR"
}
trap stop_all EXIT

# ---- tools ----

cat >"$scratch/serve.py" <<'END'
# serve.py PORT [udp|both|bind] [NAME]: says "ready" once it listens, and answers with NAME until its stdin or its parent ends.
import socket, sys, threading
port, kind, name = int(sys.argv[1]), (sys.argv[2:] or ["tcp"])[0], (sys.argv[3:] or ["?"])[0]
held = []
if kind in ("tcp", "both", "bind"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    if kind != "bind":
        s.listen(64)
    held.append(s)
if kind in ("udp", "both"):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.bind(("127.0.0.1", port))
    held.append(u)
print("ready", flush=True)
if kind == "udp":
    while True:
        data, peer = held[0].recvfrom(100)
        held[0].sendto(name.encode(), peer)
while True:
    c, _ = s.accept()
    c.sendall(name.encode())
    c.close()
END

# start COMMAND...: starts a server and returns when it says that it is ready; its pid is in $server.
start()
{
	local fifo=$scratch/ready.$RANDOM$RANDOM line
	mkfifo "$fifo"
	"$@" >"$fifo" 2>"$scratch/stderr" </dev/null &
	server=$!
	started+=("$server")
	read -r -t 30 line <"$fifo"
	rm -f "$fifo"
	[ "$line" = ready ] || fail "start $*" "it said '$line'; $(cat "$scratch/stderr")"
}

# until_gone PID: until it is no process any more, or a dead one that its parent has not waited for.
until_gone()
{
	local stat tries=0
	while stat=$(cat "/proc/$1/stat" 2>/dev/null) && [ -n "$stat" ] && [[ ${stat##*)} != " "[ZX]* ]] && [ $((tries++)) -lt 3000 ]; do
		sleep 0.01
	done
}

stop()
{
	kill "$1"
	wait "$1" 2>/dev/null
}

# json NAME TEXT EXPRESSION: the expression over `j`, the parsed text, is true.
json()
{
	if "$python" -c 'import json,sys; j=json.loads(sys.argv[1]); assert eval(sys.argv[2]), j' "$2" "$3" 2>"$scratch/json"; then
		pass "$1"
	else
		fail "$1" "$3: $(tail -n 1 "$scratch/json")"
	fi
}

serve() { start "$portshim" run --quiet "$@"; }

[ -x "$portshim" ] || { fail "there is no $portshim"; finish; }
read -r web api dns db other late <<<"$(free_ports 6)"
project=$scratch/shop
mkdir -p "$project/deep/er" "$scratch/plain"
cat >"$project/ports.manifest.json" <<END
{ "version": 1, "project": "shop",
  "services": {
    "web": { "port": $web, "env": ["PORT"] },
    "api": { "port": $api, "env": { "API_PORT": "{port}", "API_URL": "{url}/it's \$HOME", "WEB": "{web.port}" } },
    "ws":  { "inherit": "api", "scheme": "ws" },
    "dns": { "port": $dns, "protocol": "udp" },
    "db":  { "port": $db, "external": true } } }
END
cd "$project" || exit 3

# ---- nothing runs ----

outcome "$portshim" status
same "status of nothing: exit" 1 "$code"
same "status of nothing: stdout" "" "$out"
holds "status of nothing: says so" "$err" "environment shop"
outcome "$portshim" status --all
same "status --all of nothing" 1 "$code"
outcome "$portshim" status --json
same "status --json of nothing: exit" 1 "$code"
json "status --json of nothing" "$out" 'j["version"] == 1 and j["environment"] == "shop" and j["assignments"] == [] and j["services"] == {}'
outcome "$portshim" port web
same "port of nothing: exit" 1 "$code"
same "port of nothing: stdout" "" "$out"
outcome "$portshim" url web
same "url of nothing: exit" 1 "$code"
outcome "$portshim" why "$other"
same "why of nothing: exit" 1 "$code"
outcome "$portshim" wait web --timeout 0
same "wait of nothing: exit" 1 "$code"
outcome "$portshim" env
same "env without servers" "$(printf "export API_PORT='%s'\nexport API_URL='http://localhost:%s/it'\\\\''s \$HOME'\nexport WEB='%s'" "$api" "$api" "$web")" "$out"

# ---- one server on its own port, one that had to move ----

# From elsewhere: in the project it would be the service, run without portshim.
cd "$scratch/plain" || exit 3
start "$python" "$scratch/serve.py" "$web" tcp stranger
cd "$project" || exit 3
stranger=$server
serve -- "$python" "$scratch/serve.py" "$web" tcp mine
mine=$server
serve -- "$python" "$scratch/serve.py" "$api" tcp api
api_server=$server
moved=$("$portshim" port web)
holds "port web is a number" "$moved" '^[0-9]+$'
lacks "port web is not the stranger's" "$moved" "^$web\$"
same "port by number" "$moved" "$("$portshim" port "$web")"
same "port of one that did not move" "$api" "$("$portshim" port api)"
same "port of one that inherits" "$api" "$("$portshim" port ws)"
same "url" "http://localhost:$moved" "$("$portshim" url web)"
same "url by number" "http://localhost:$moved" "$("$portshim" url "$web")"
same "url with the scheme of its own" "ws://localhost:$api" "$("$portshim" url ws)"
same "what is there" mine "$("$python" -c "import socket; print(socket.create_connection(('127.0.0.1', $moved)).recv(99).decode())")"

outcome "$portshim" status
same "status: exit" 0 "$code"
holds "status: the moved one" "$out" "^web +$web -> $moved +tcp +[0-9]+ +python3[0-9.]* +[0-9]+[sm] +[a-z-]+ +listening\$"
holds "status: the other" "$out" "^api +$api +tcp +[0-9]+ +python3[0-9.]* +[0-9]+[sm] +requested +listening\$"
lacks "status: no colour in a pipe" "$out" $'\033'
outcome "$portshim" status api
lacks "status of one service: not the other" "$out" "^web"
holds "status of one service" "$out" "^api"
outcome "$portshim" status "$web"
holds "status by number" "$out" "^web"
outcome "$portshim" status --json
json "status --json" "$out" "j['version'] == 1 and sorted(a['service'] for a in j['assignments']) == ['api', 'web']"
json "status --json: ports" "$out" "[(a['requested'], a['port']) for a in j['assignments'] if a['service'] == 'web'] == [($web, $moved)]"
json "status --json: details" "$out" "all(a['state'] == 'listening' and a['alive'] and a['project'] == 'shop' and a['addresses'] == ['127.0.0.1'] and a['url'].startswith('http://') and a['directory'] == '$project' for a in j['assignments'])"
json "status --json: cause" "$out" "[a['cause'] for a in j['assignments'] if a['service'] == 'web'] == ['EADDRINUSE']"
outcome "$portshim" port --json web
json "port --json" "$out" "j['version'] == 1 and j['port'] == $moved and j['requested'] == $web"
outcome "$portshim" url --json ws
json "url --json" "$out" "j['version'] == 1 and j['url'] == 'ws://localhost:$api'"
cd deep/er || exit 3
same "from a directory below" "$moved" "$("$portshim" port web)"
cd "$scratch/plain" || exit 3
outcome "$portshim" status
same "another project: nothing" 1 "$code"
outcome "$portshim" status --all
holds "status --all from elsewhere" "$out" "^web +$web -> $moved .* shop +[^ ]*/shop\$"
outcome "$portshim" port "$web"
same "another project's port" 1 "$code"
same "--manifest from elsewhere" "$moved" "$("$portshim" port --manifest "$project/ports.manifest.json" web)"
cd "$project" || exit 3

# ---- env, as shells read it ----

eval "$("$portshim" env)"
same "env: number" "$api" "${API_PORT:-}"
same "env: quoted" "http://localhost:$api/it's \$HOME" "${API_URL:-}"
same "env: actual port of another service" "$moved" "${WEB:-}"
outcome "$portshim" env --service web
holds "env --service: its own variable" "$out" "^export PORT='$moved'\$"
outcome "$portshim" env --format json
json "env json" "$out" "j['version'] == 1 and j['variables']['API_URL'] == \"http://localhost:$api/it's \$HOME\" and 'PORT' not in j['variables']"
outcome "$portshim" env --format dotenv
holds "env dotenv" "$out" "^API_URL=\"http://localhost:$api/it's \\\\\\\$HOME\"\$"
outcome "$portshim" env --format fish
holds "env fish" "$out" "^set -gx API_URL 'http://localhost:$api/it\\\\'s \\\$HOME'\$"
outcome "$portshim" env --format fisch
same "env with a wrong format" 2 "$code"
holds "env with a wrong format: suggestion" "$err" "fish"

# ---- why ----

outcome "$portshim" why "$web"
same "why: exit" 0 "$code"
holds "why: the stranger" "$out" "^$web \(tcp\) is held by python3[0-9.]*, pid $stranger, "
holds "why: not under portshim" "$out" "does not run under portshim"
holds "why: where mine went" "$out" "^web in environment shop is on $moved\$"
holds "why: why" "$out" "asked for +$web, but $web was taken; got $moved"
outcome "$portshim" why "$moved"
holds "why of an actual port: environment" "$out" "environment +shop, "
holds "why of an actual port: service" "$out" "service +web"
holds "why of an actual port: asked for" "$out" "asked for +$web, but"
outcome "$portshim" why api
holds "why of a service" "$out" "asked for +$api, and got it"
outcome "$portshim" why --json "$web"
json "why --json" "$out" "j['version'] == 1 and j['holders'][0]['process_id'] == $stranger and j['elsewhere'][0]['port'] == $moved and j['assignment'] is None"
outcome "$portshim" why --json "$moved"
json "why --json of an actual port" "$out" "j['assignment']['requested'] == $web and j['holders'][0]['process_id'] > 0"

# ---- inside a run ----

same "inside a run: port" "$moved" "$(cd / && "$portshim" run --manifest "$project/ports.manifest.json" --quiet -- sh -c "cd '$project' && '$portshim' port web")"
same "inside a run: its environment, not the directory's" "$moved" "$("$portshim" run --quiet -- sh -c "cd / && '$portshim' port web")"
outcome "$portshim" run --quiet -- sh -c "'$portshim' port --env elsewhere-$$ '$web'"
same "inside a run: --env looks elsewhere" 1 "$code"
outcome "$portshim" run --quiet --isolate -- "$portshim" status
same "inside a private run: nothing" 1 "$code"

# ---- wait ----

outcome "$portshim" wait web api ws "$web" --timeout 10s
same "wait for what is there" 0 "$code"
same "wait says nothing" "" "$out$err"
outcome "$portshim" wait dns --timeout 50ms
same "wait: time out" 1 "$code"
holds "wait: says what for" "$err" "dns \($dns\) did not listen in environment shop within 50ms"
outcome "$portshim" wait dns --timeout 0.05
holds "wait: a number alone means seconds" "$err" "in environment shop within 0.05s"
outcome "$portshim" wait --any dns web --timeout 5s
same "wait --any" 0 "$code"
"$portshim" wait dns --timeout 60s &
waiting=$!
start "$portshim" run --quiet -- "$python" "$scratch/serve.py" "$dns" udp dns
wait "$waiting"
same "wait: until it is bound (UDP)" 0 $?
same "udp port" "$dns" "$("$portshim" port dns)"
same "udp url has no http" "udp://localhost:$dns" "$("$portshim" url dns)"
stop "$server"
"$portshim" wait --env "late-$$" "$late" --timeout 60s &
waiting=$!
serve --env "late-$$" -- "$python" "$scratch/serve.py" "$late" tcp late
wait "$waiting"
same "wait: an environment that did not exist" 0 $?
same "status --env" 0 "$("$portshim" status --env "late-$$" >/dev/null; echo $?)"
stop "$server"
"$portshim" wait "$db" --timeout 60s &
waiting=$!
start "$python" "$scratch/serve.py" "$db"
wait "$waiting"
same "wait: external services too" 0 $?
stop "$server"
# Never lost, however close the look and the event are.
lost=0
for _ in 1 2 3 4 5 6 7 8; do
	"$portshim" wait --env "race-$$" "$late" --timeout 30s &
	waiting=$!
	serve --env "race-$$" -- "$python" "$scratch/serve.py" "$late"
	wait "$waiting" || lost=$((lost + 1))
	stop "$server"
done
same "wait: nothing is missed" 0 "$lost"
outcome "$portshim" wait web --timeout soon
same "wait: no time" 2 "$code"
outcome "$portshim" wait "$web" --timeout 20ms --env "nobody-$$"
holds "wait: hint names who has it" "$err" "hint: $web is held by .*pid $stranger"

# ---- the end ----

stop "$mine"
outcome "$portshim" port web
same "after the end: not assigned" 1 "$code"
serve -- "$python" "$scratch/serve.py" "$web" tcp again
same "again: the same port" "$moved" "$("$portshim" port web)"
kill -KILL "$server"
wait "$server" 2>/dev/null
outcome "$portshim" wait web --timeout 0
# The keeper was killed, not the server: that one goes on.
same "a killed keeper leaves the server" 0 "$code"
pid=$("$portshim" status --json web | "$python" -c 'import json,sys; print(json.load(sys.stdin)["assignments"][0]["process_id"])')
kill -KILL "$pid"
# That it is gone for everybody is no event for us, who are not its parent.
until_gone "$pid"
outcome "$portshim" status web
same "a killed server is gone at the next look" 1 "$code"
if [ -e .portshim/ports.json ]; then
	lacks "and from the discovery file" "$(cat .portshim/ports.json)" '"web"'
else
	pass "and from the discovery file"
fi
stop "$api_server"
stop "$stranger"
outcome "$portshim" status --all
same "nothing is left over" 1 "$code"

# ---- without a manifest ----

cd "$scratch/plain" || exit 3
serve -- "$python" "$scratch/serve.py" "$other" both x
same "no manifest: port" "$other" "$("$portshim" port "$other")"
outcome "$portshim" status
holds "no manifest: status" "$out" "^- +$other +tcp\\+udp "
outcome "$portshim" port web
same "no manifest: no names" 2 "$code"
outcome "$portshim" env
same "no manifest: no variables" 1 "$code"
stop "$server"
serve -- "$python" "$scratch/serve.py" 0 tcp x
outcome "$portshim" status
holds "port 0 is shown once it listens" "$out" " ephemeral +listening"
stop "$server"

# ---- doctor ----

cd "$scratch" || exit 3
outcome "$portshim" doctor
same "doctor: exit" 0 "$code"
holds "doctor: library" "$out" "^ok +library .*preloading works"
outcome "$portshim" doctor --json
json "doctor --json" "$out" "j['version'] == 1 and j['checked'][0]['fit'] and len(j['checked'][0]['findings']) > 5"
outcome "$portshim" doctor "$python"
same "doctor: dynamic" 0 "$code"
outcome "$portshim" doctor "$top/no/such"
same "doctor: not found" 1 "$code"
outcome "$portshim" doctor /
holds "doctor: a directory" "$out" "directory"
printf '#!/usr/bin/env -S python3 -u\n' >script
chmod +x script
outcome "$portshim" doctor ./script
same "doctor: script" 0 "$code"
holds "doctor: script's interpreter" "$out" "script is a script; what runs is .*/python3"
printf '#!/no/such/interpreter\n' >script
outcome "$portshim" doctor ./script
same "doctor: script without interpreter" 1 "$code"
printf '#!%s/loop\n' "$scratch" >loop
chmod +x loop
outcome "$portshim" doctor ./loop
same "doctor: script of itself" 1 "$code"
printf 'echo hello\n' >script
outcome "$portshim" doctor ./script
holds "doctor: no #! line" "$out" "what runs is /bin/sh"
# What the library does not get into, without the second path: static.py has that one.
export PORTSHIM_STATIC=off
printf '\177ELF\1\1\1' >foreign
head -c 100 /dev/zero >>foreign
printf '\3\0\3\0' | dd of=foreign bs=1 seek=16 conv=notrunc 2>/dev/null
chmod +x foreign
outcome "$portshim" doctor ./foreign
same "doctor: 32 bits" 1 "$code"
holds "doctor: 32 bits: says so" "$out" "i386, 32 bits"
head -c 200 /dev/urandom >noise
printf '\177ELF\2\1\1' | dd of=noise bs=1 conv=notrunc 2>/dev/null
chmod +x noise
outcome "$portshim" doctor ./noise
same "doctor: a broken file" 1 "$code"
if command -v cc >/dev/null; then
	echo 'int main(void) { return 0; }' >t.c
	if cc -static -o t.static t.c 2>/dev/null; then
		outcome "$portshim" doctor ./t.static
		same "doctor: static" 1 "$code"
		holds "doctor: static: says so" "$out" "^unfit +static"
		holds "doctor: static: hint" "$out" "hint: "
	else
		skip "doctor: static" "no static libc"
	fi
	# Go's linker writes this note; that is all that doctor looks at.
	cat >go.c <<'END'
__attribute__((section(".note.go.buildid"), used, aligned(4))) static const struct {
	unsigned name, desc, type; char n[4]; char d[4];
} note = { 4, 4, 4, "Go", "abc" };
int main(void) { return 0; }
END
	cc -o t.go go.c && outcome "$portshim" doctor ./t.go
	same "doctor: dynamic Go" 1 "$code"
	holds "doctor: dynamic Go: says so" "$out" "^unfit +go "
	cc -o t.setuid t.c && chmod 4755 t.setuid
	if [ "$(id -u)" = 0 ] && chown 1 t.setuid && chmod 4755 t.setuid; then
		outcome "$portshim" doctor ./t.setuid
		same "doctor: setuid" 1 "$code"
	else
		skip "doctor: setuid" "not root"
	fi
else
	skip "doctor: static, Go, setuid" "no compiler"
fi
if command -v musl-gcc >/dev/null; then
	echo 'int main(void) { return 0; }' >m.c
	musl-gcc -o t.musl m.c && outcome "$portshim" doctor ./t.musl
	holds "doctor: musl" "$out" "musl"
else
	skip "doctor: musl" "no musl-gcc"
fi
unset PORTSHIM_STATIC

# ---- help, version, mistakes ----

outcome "$portshim" help
same "help" 0 "$code"
for c in run exec status port url env wait why doctor validate check map next free init help version; do
	holds "help lists $c" "$("$portshim" help)" "^  $c "
	same "help $c is $c --help" "$("$portshim" help "$c")" "$("$portshim" "$c" --help)"
	holds "$c --help begins with examples" "$("$portshim" "$c" -h | head -n 1)" "^Example"
	outcome "$portshim" "$c" --no-such-option
	case $c in run | exec) wanted=125 ;; *) wanted=2 ;; esac
	same "$c --no-such-option" "$wanted" "$code"
	same "$c --no-such-option: stdout" "" "$out"
done
holds "version" "$("$portshim" version)" '^portshim [0-9]+\.[0-9]+\.[0-9]+$'
same "--version" "$("$portshim" version)" "$("$portshim" --version)"
json "version --json" "$("$portshim" version --json)" 'j["version"] == 1 and j["portshim"]'
outcome "$portshim"
same "no command" 2 "$code"
outcome "$portshim" statsu
same "a typing error: exit" 2 "$code"
holds "a typing error: suggestion" "$err" "did you mean .portshim status"
outcome "$portshim" status --jsn
holds "an option's typing error" "$err" "did you mean --json"
cd "$project" || exit 3
outcome "$portshim" port wbe
same "a service's typing error: exit" 2 "$code"
holds "a service's typing error" "$err" "did you mean .web"
outcome "$portshim" port 65536
same "no port" 2 "$code"
outcome "$portshim" port web api
same "too many operands" 2 "$code"
outcome "$portshim" port
same "too few operands" 2 "$code"
if [ -w /dev/full ]; then
	"$portshim" help >/dev/full 2>"$scratch/err"
	same "a full disk behind stdout" 3 $?
fi
"$portshim" version >&- 2>"$scratch/err"
same "a closed stdout" 3 $?
same "words for completion: services" "web api ws dns db" "$("$portshim" __complete services | tr '\n' ' ' | sed 's/ $//')"
holds "words for completion: options" "$("$portshim" __complete options wait)" '^--timeout$'
PORTSHIM_RUNTIME_DIR=/proc/no "$portshim" status >/dev/null 2>"$scratch/err"
same "no runtime directory" 3 $?
holds "no runtime directory: hint" "$(cat "$scratch/err")" "hint: "
finish
