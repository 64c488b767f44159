#!/usr/bin/env bash
# nginx with four workers and listeners of both families; on a number of its own, and on port 80 as an ordinary user,
# where the clients go on asking for 80.
. "$(dirname "$0")/lib.sh"
need nginx curl setpriv
NGINX=$(command -v nginx)
SMALL=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)

prepare() {
	local dir=${DIRS[$1]}
	mkdir -p "$dir/tmp" "$dir/logs"
	cat >"$dir/nginx.conf" <<-END
		worker_processes 4;
		pid $dir/nginx.pid;
		error_log $dir/logs/error.log notice;
		events { worker_connections 64; }
		http {
			access_log off;
			client_body_temp_path $dir/tmp/body;
			proxy_temp_path $dir/tmp/proxy;
			fastcgi_temp_path $dir/tmp/fastcgi;
			uwsgi_temp_path $dir/tmp/uwsgi;
			scgi_temp_path $dir/tmp/scgi;
			server {
				listen $2;
				${HAVE6:+listen [::]:$2;}
				location = /who { return 200 "$1\n"; }
				location = /port { return 200 "\$server_port\n"; }
			}
		}
	END
}

command_of() {
	COMMAND=("$NGINX" -p "${DIRS[$1]}" -e "${DIRS[$1]}/logs/error.log" -c "${DIRS[$1]}/nginx.conf" -g "daemon off;")
}

ask() {
	local url urls=("http://localhost:$2" "http://127.0.0.1:$2")
	[ -z "$HAVE6" ] || urls+=("http://[::1]:$2")
	for url in "${urls[@]}"; do
		is "$1: curl $url reaches its own" "$(within "$1" curl -sS --max-time 60 "$url/who")" "$1"
	done
	[ "$2" != 80 ] || is "$1: curl http://localhost reaches its own" \
		"$(within "$1" curl -sS --max-time 60 http://localhost/who)" "$1"
	reload "$1" "$2"
}

# A reload starts new workers on the same listeners.
reload() {
	local dir=${DIRS[$1]} master old
	master=$(cat "$dir/nginx.pid")
	old=$(pgrep -P "$master" | head -n 1)
	kill -HUP "$master"
	gone 30 "$old"
	is "$1: after a reload too" "$(within "$1" curl -sS --max-time 60 "http://localhost:$2/who")" "$1"
	is "$1: nginx reports no error" "$(grep -cE '\[(emerg|alert|crit|error)\]' "$dir/logs/error.log")" 0
}

command -v pgrep >/dev/null || reload() { skip "reload" "pgrep is not installed"; }
both free
both held

# The upgrade of a running nginx hands its listeners to a new program by exec. It compares getsockname with its
# configuration: with "report": "requested" it finds what it looks for. Only a daemon upgrades itself, so a shell keeps
# the run alive.
# shellcheck disable=SC2317 # called by cleanup
at_end() {
	local file
	for file in "$WORK"/*/nginx.pid; do # nginx removes it when it ends
		[ ! -e "$file" ] || kill "$(cat "$file")"
	done
}

upgrade() { # ID PORT
	local dir=${DIRS[$1]} old new fd tail
	exec {fd}< <(exec timeout 120 tail -n +1 -F "$dir/nginx.pid" 2>/dev/null)
	tail=$!
	read -r old <&"$fd" || old=none # it listens before it writes that
	kill -USR2 "$old"
	new=$old
	while [ "$new" = "$old" ]; do read -r new <&"$fd" || new=none; done
	exec {fd}<&-
	kill "$tail" 2>/dev/null
	like "$1: an upgrade starts a new master" "$new" "[1-9]*"
	kill -QUIT "$old"
	gone 30 "$old"
	is "$1: the upgraded nginx serves on the inherited listeners" \
		"$(within "$1" curl -sS --max-time 60 "http://localhost:$2/who")" "$1"
	is "$1: and reports no error" "$(grep -cE '\[(emerg|alert|crit|error)\]' "$dir/logs/error.log")" 0
	recorded "$1" "$2" tcp 60
	[ "$new" = none ] || kill "$new"
}

if command -v pgrep >/dev/null; then
	new_port
	hold "$PORT"
	for id in alpha beta; do
		project "$id"
		prepare "$id" "$PORT"
		printf '{ "version": 1, "services": { "web": { "port": %d, "report": "requested" } } }\n' "$PORT" \
			>"${DIRS[$id]}/ports.manifest.json"
		# shellcheck disable=SC2016 # the inner shell's arguments
		serve "$id" -- sh -c '"$@"; exec tail -f /dev/null' sh \
			"$NGINX" -p "${DIRS[$id]}" -e "${DIRS[$id]}/logs/error.log" -c "${DIRS[$id]}/nginx.conf"
	done
	for id in alpha beta; do awaited "$id" web; done
	for id in alpha beta; do upgrade "$id" "$PORT"; done
	stop alpha beta
	release
fi

# Port 80 as an ordinary user: EACCES moves like EADDRINUSE does.
as_user nobody
both privileged 80
if [ "$SMALL" -gt 80 ]; then
	like "port 80 as an ordinary user: the run says why it moved" "$(cat "$WORK"/alpha.*.log)" "*80 -> *(80 *privileg*"
else
	skip "the reason of the move" "every user may bind port 80 on this machine"
fi
finish
