#!/usr/bin/env bash
# Chromium without a window, as a client inside an environment: the page's URL is the number that the code says, and so
# is the one that its script asks, and another one, where a Go program serves. Two at once, each in its own environment.
. "$(dirname "$0")/lib.sh"
CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) ||
	skip_all "chromium is not installed"
go_program

prepare() {
	cat >"${DIRS[$1]}/index.html" <<-END
		<title>no script</title><script>
		const request = new XMLHttpRequest()
		request.open("GET", "/who", false)
		request.send()
		document.title = "$1 loaded " + request.responseText.trim() + " from " + location.host
		</script><script src="http://localhost:$BACK/title.js"></script>
	END
	echo "$1" >"${DIRS[$1]}/who"
}

command_of() {
	COMMAND=("$PYTHON" -m http.server "$2")
}

browse() { # ID PORT: prints the page as its script has left it
	local dir=${DIRS[$1]}/profile
	rm -rf "$dir" # new and empty each time
	within "$1" timeout -k 5 180 env "HOME=${DIRS[$1]}" "$CHROMIUM" --headless --no-sandbox --disable-gpu \
		--disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage \
		--user-data-dir="$dir" --dump-dom "http://localhost:$2/index.html"
}

ask() {
	serve "$1-back@$1" -- "$PROGRAM" http "$BACK" "$1"
}

compare() {
	local id
	for id in alpha beta; do awaited "$id" "$BACK"; done
	for id in alpha beta; do
		browse "$id" "$1" >"$WORK/$id.dom" &
		eval "pid_$id=$!"
	done
	# shellcheck disable=SC2154 # by eval
	wait "$pid_alpha" "$pid_beta"
	for id in alpha beta; do
		is "$id: the page and what its script asked for are its own" \
			"$(sed -n 's|.*<title>\(.*\)</title>.*|\1|p' "$WORK/$id.dom")" \
			"$id loaded $id from localhost:$1, Go of $id"
	done
	stop alpha-back beta-back
}

for variant in free held; do
	new_port && BACK=$PORT
	[ "$variant" != held ] || hold "$BACK"
	both "$variant"
done
finish
