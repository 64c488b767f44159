#!/usr/bin/env bash
# The esbuild that npm brings for Vite, a static Go program, whose server has a hardcoded number (as in "esbuild
# --serve=8000" among the scripts of package.json); and Vite itself, which asks the same program for every TypeScript file.
. "$(dirname "$0")/lib.sh"
need node npm curl
need_second_path
# shellcheck source=tests/real/npm.sh
. "$REAL/npm.sh"
npm_packages "$REAL/node"

prepare() {
	local dir=${DIRS[$1]}
	mkdir "$dir/www"
	mkfifo "$dir/stdin"
	echo "$1" >"$dir/www/who"
	echo "export const who: string = '$1'; console.log(who)" >"$dir/app.ts"
	ln -s "$NODE_MODULES" "$dir/node_modules"
	cat >"$dir/package.json" <<-END
		{ "private": true, "scripts": {
			"assets": "esbuild app.ts --bundle --outdir=www --servedir=www --serve=$2 <>stdin",
			"dev": "vite --port $FRONT --strictPort" } }
	END
	printf 'export default { cacheDir: ".vite", clearScreen: false, server: { proxy: { "/who": "%s" } } }\n' \
		"http://localhost:$2" >"$dir/vite.config.mjs"
	echo "<title>$1</title><script type=module src=/app.ts></script>" >"$dir/index.html"
}

command_of() { # npm, sh, and esbuild's own script in node are in between
	COMMAND=(npm run --silent assets)
}

GET=(curl -sS --max-time 60)

ask() {
	local id=$1
	is "$id: curl reaches its own esbuild" "$(within "$id" "${GET[@]}" "http://localhost:$2/who")" "$id"
	like "$id: and gets its own bundle" "$(within "$id" "${GET[@]}" "http://localhost:$2/app.js")" "*\"$id\"*"
	serve "$id-front@$id" -- npm run --silent dev
}

# npm and node end without their servers, which would then be killed: so these come first.
end_server() { # ID PORT
	kill "$("$PYTHON" -c 'import json, sys
entries = json.load(open(sys.argv[1]))["services"].values()
print(*[e["process_id"] for e in entries if e["requested"] == int(sys.argv[2])])' "${DIRS[$1]}/.portshim/ports.json" "$2")"
}

compare() {
	local id
	for id in alpha beta; do awaited "$id" "$FRONT"; done
	for id in alpha beta; do
		recorded "$id" "$FRONT"
		like "$id: Vite's esbuild makes JavaScript of its own TypeScript" \
			"$(within "$id" "${GET[@]}" "http://localhost:$FRONT/app.ts")" "export const who = \"$id\";*"
		is "$id: Vite's proxy reaches its own esbuild's server" \
			"$(within "$id" "${GET[@]}" "http://localhost:$FRONT/who")" "$id"
	done
	isnt "alpha's and beta's Vite have different actual ports" "${ACTUAL[alpha]}" "${ACTUAL[beta]}"
	for id in alpha beta; do
		end_server "$id" "$FRONT"
		end_server "$id" "$1"
		wait "${RUNS[$id-front]}" "${RUNS[$id]}"
	done
}

for variant in free held; do
	new_port && FRONT=$PORT
	both "$variant"
done
finish
