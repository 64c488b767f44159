# shellcheck shell=bash
# install.sh - `npm ci` into the build directory, once, for all tests that need packages. Sourced by them after lib.sh.
# Sets NODE_MODULES, or skips the test where npm cannot fetch.
install_packages() {
	local dir=$BUILD/real-node
	NODE_MODULES=$dir/node_modules
	mkdir -p "$dir"
	(
		flock 9
		cmp -s "$REAL/node/package-lock.json" "$dir/package-lock.json" && [ -e "$dir/complete" ] && exit 0
		rm -rf "$dir/complete" "$NODE_MODULES"
		cp "$REAL/node/package.json" "$REAL/node/package-lock.json" "$dir/"
		cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1 && touch complete
	) 9>"$dir/lock"
}

install_packages || skip_all "npm ci failed: $(grep -im1 'err.* code' "$BUILD/real-node/npm.log")"
