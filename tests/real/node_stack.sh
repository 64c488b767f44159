#!/usr/bin/env bash
# Express and ws on the backend's port, behind Vite with strictPort whose proxy points at localhost:<that port>. All
# four numbers are hardcoded in the files; nothing tells either side that anything moved.
. "$(dirname "$0")/lib.sh"
need node npm
# shellcheck source=tests/real/npm.sh
. "$REAL/npm.sh"
npm_packages "$REAL/node"

stack() { # VARIANT
	local variant=$1 id back front
	new_port && back=$PORT
	new_port && front=$PORT
	if [ "$variant" = held ]; then
		hold "$back"
		hold "$front"
	fi
	for id in alpha beta; do
		project "$id"
		for file in backend.mjs vite.config.mjs index.html client.mjs; do
			sed "s/@BACKEND@/$back/g; s/@FRONTEND@/$front/g; s/@IDENTITY@/$id/g" \
				"$REAL/node/$file" >"${DIRS[$id]}/$file"
		done
		ln -s "$NODE_MODULES" "${DIRS[$id]}/node_modules"
	done
	for id in alpha beta; do
		serve "$id" -- node backend.mjs
		serve "$id-front@$id" -- node node_modules/vite/bin/vite.js --config vite.config.mjs
	done
	for id in alpha beta; do awaited "$id" "$back" "$front"; done
	for id in alpha beta; do recorded "$id" "$back"; done
	apart "$variant" "$back" alpha beta
	for id in alpha beta; do recorded "$id" "$front"; done
	isnt "alpha's and beta's Vite have different actual ports" "${ACTUAL[alpha]}" "${ACTUAL[beta]}"
	for id in alpha beta; do
		is "$id: HTTP through Vite's proxy reaches its own backend" "$(within "$id" node client.mjs http "$front" /api/who)" "$id"
		is "$id: WebSocket through Vite's proxy reaches its own backend" "$(within "$id" node client.mjs ws "$front" /ws)" "$id: hello"
		is "$id: HTTP to the backend itself" "$(within "$id" node client.mjs http "$back" /api/who)" "$id"
		is "$id: WebSocket to the backend itself" "$(within "$id" node client.mjs ws "$back" /ws)" "$id: hello"
		like "$id: Vite serves its own page" "$(within "$id" node client.mjs http "$front" /)" "*<title>$id</title>*"
		is "$id: a browser outside of portshim reaches the same through the actual port" \
			"$(cd "${DIRS[$id]}" && node client.mjs http "${ACTUAL[$id]}" /api/who 2>&1)" "$id"
		told "http://localhost:${ACTUAL[$id]}/" "${LOGS[$id-front]}"
		like "$id: Vite prints a URL that a browser can open" "$(cat "${LOGS[$id-front]}")" "*http://localhost:${ACTUAL[$id]}/*"
	done
	stop alpha-front beta-front alpha beta
	for id in alpha beta; do
		forgotten "$id" "$back"
		forgotten "$id" "$front"
	done
	release
}

stack free
stack held
finish
