# shellcheck shell=bash
# npm.sh - packages for tests, by `npm ci` into the build directory, once for all tests that need the same. Sourced by
# them after lib.sh.

# Sets NODE_MODULES to what the package-lock.json of a directory asks for, or skips the test where npm cannot fetch.
npm_packages() { # DIRECTORY
	local dir
	dir=$BUILD/npm-$(basename "$1")
	NODE_MODULES=$dir/node_modules
	mkdir -p "$dir"
	(
		flock 9
		cmp -s "$1/package-lock.json" "$dir/package-lock.json" && [ -e "$dir/complete" ] && exit 0
		rm -rf "$dir/complete" "$NODE_MODULES"
		cp "$1/package.json" "$1/package-lock.json" "$dir/"
		cd "$dir" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1 && touch complete
	) 9>"$dir/lock" || skip_all "npm ci failed: $(grep -im1 'err.* code' "$dir/npm.log")"
}
