# shellcheck shell=bash
# get.sh - gets other projects' tests from Debian, as lib.sh's suites ask for them. What was fetched stays in the build
# directory. The system's own sources of packages are read, never changed: the source packages that belong to them are
# found through a private configuration of apt.
#
# Every function returns 1 with the reason in WHY if the thing cannot be had.

DOWNLOADS=$CACHE/downloads
WHY=

private_apt() { # ARGUMENT...
	apt-get -q -o Dir::Etc::SourceList="$CACHE/apt/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$CACHE/apt/lists" -o Dir::Cache="$CACHE/apt/cache" -o APT::Sandbox::User= \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=20 "$@" </dev/null
}

# The indexes of source packages, at most a day old.
source_index() {
	local format="deb-src [signed-by=\$(SIGNED_BY)] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" list=$CACHE/apt/sources.list
	command -v apt-get >/dev/null || { WHY="there is no apt-get here" && return 1; }
	[ -z "$(find "$CACHE/apt/updated" -mtime -1 2>/dev/null)" ] || return 0
	mkdir -p "$CACHE/apt/lists/partial" "$CACHE/apt/cache/archives/partial"
	# A key that is not a file is expanded to nothing, or left as it is.
	apt-get indextargets --format "$format" "Created-By: Packages" "Origin: Debian" 2>/dev/null |
		sed -E 's/ \[signed-by=(\$\(SIGNED_BY\))?\]//' | sort -u >"$list"
	[ -s "$list" ] || { WHY="apt-get knows no package sources of Debian" && return 1; }
	private_apt update >"$CACHE/apt/log" 2>&1
	if ! grep -q '^Reading package lists' "$CACHE/apt/log" || grep -q '^[EW]: Failed' "$CACHE/apt/log"; then
		WHY="the indexes of Debian's source packages cannot be had"
		return 1
	fi
	touch "$CACHE/apt/updated"
}

# The newest source that can be had of a package: what is not in the security archive may be in the release itself.
source_files() { # NAME
	local release
	for release in "" $(awk '{print "/" $(NF - 1)}' "$CACHE/apt/sources.list" | sort -u); do
		private_apt source --download-only "$1$release" >"$CACHE/apt/log" 2>&1 && return 0
	done
	WHY="the source of $1 cannot be had"
	return 1
}

# Sets TARBALL to the upstream tarball of the source package NAME, and VERSION.
source_of() { # NAME
	local dir=$DOWNLOADS/$1
	if [ ! -e "$dir/complete" ]; then
		mkdir -p "$dir"
		(
			flock 9
			source_index || { echo "$WHY" >"$dir/why" && exit 1; }
			cd "$dir" && rm -f -- * && { source_files "$1" || { echo "$WHY" >why && exit 1; }; } && touch complete
		) 9>"$CACHE/apt.lock" || { WHY=$(cat "$dir/why") && return 1; }
	fi
	TARBALL=$(find "$dir" -name '*.orig.tar.*' ! -name '*.asc')
	VERSION=$(basename "$dir"/*.dsc .dsc)
}

# Unpacks the upstream tarball of a source package into the current directory, or only what is named of it.
unpack_source() { # NAME [PATTERN...]
	source_of "$1" || return 1
	shift
	tar -xf "$TARBALL" --strip-components=1 --no-same-owner ${1:+--wildcards "$@"} ||
		{ WHY="${TARBALL##*/} cannot be unpacked" && return 1; }
}

# Unpacks a binary package into the current directory: nothing is installed.
unpack_package() { # NAME
	local dir=$DOWNLOADS/$1
	if [ ! -e "$dir/complete" ]; then
		mkdir -p "$dir"
		(cd "$dir" && rm -f -- * && apt-get -q -o APT::Sandbox::User= download "$1" >log 2>&1 && touch complete) ||
			{ WHY="the package $1 cannot be had" && return 1; }
	fi
	# shellcheck disable=SC2034 # lib.sh writes it down
	VERSION=$(basename "$dir"/*.deb .deb)
	dpkg -x "$dir"/*.deb .
}
