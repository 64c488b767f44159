#!/usr/bin/env bash
# `hugo server`, of whose number people know that it is 1313: looks whether its port is free, then binds it.
. "$(dirname "$0")/lib.sh"
need hugo

prepare() {
	local dir=${DIRS[$1]}
	mkdir -p "$dir/layouts" "$dir/content"
	printf '%s\n' 'baseURL = "http://example.invalid/"' "title = \"$1\"" \
		'disableKinds = ["taxonomy", "term", "RSS", "sitemap"]' >"$dir/config.toml"
	echo '<html><head><title>{{ .Site.Title }}</title></head><body></body></html>' >"$dir/layouts/index.html"
}

command_of() {
	COMMAND=(env "HOME=${DIRS[$1]}" hugo server --port "$2" --noBuildLock --cacheDir "${DIRS[$1]}/cache")
}

ask() {
	like "$1: curl gets its own page" "$(within "$1" curl -sS --max-time 60 "http://localhost:$2/")" \
		"*<title>$1</title>*"
}

both free
both held
finish
