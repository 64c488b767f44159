#!/bin/sh
# What `make coverage` ends with. tests/coverage.sh BUILD: the lines executed of each source file.
#
# core is built twice, for the shim and for the command line; a file counts as in the build that covers more of it.
set -u
build=$1
find "$build/obj" "$build/pic" -name '*.gcno' | while read -r notes; do
	gcov -n -o "$(dirname "$notes")" "$notes" 2>/dev/null
done | awk '
	/^File / { gsub(/\047/, "", $2); file = $2 }
	/^Lines executed:/ && file ~ /^src\// {
		split($0, part, /[:% ]+/)
		done = part[3] * part[5] / 100
		if (!(file in lines) || done > covered[file]) { covered[file] = done; lines[file] = part[5] }
		file = ""
	}
	/^No executable lines/ { file = "" }
	END {
		for (f in lines) {
			printf "%6.1f %% of %5d lines  %s\n", 100 * covered[f] / lines[f], lines[f], f
			split(f, part, "/")
			folder[part[2]] += lines[f]
			folder_covered[part[2]] += covered[f]
		}
		for (f in folder) printf "%6.1f %% of %5d lines  = src/%s\n", 100 * folder_covered[f] / folder[f], folder[f], f
	}' | sort -k6,6 -k1,1n
