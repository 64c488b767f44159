#!/usr/bin/env bash
# What is said of surroundings that are wrong: each message says what happened, why, and what to do, and loses nothing.
set -u
# shellcheck source=tests/lib.sh
. "$PWD/tests/lib.sh"
steps=$tests/shim/steps
mkdir "$scratch/shop"
cd "$scratch/shop" || exit 3

lines()
{
	grep -c '^portshim: ' <<<"$1"
}

# ---- PORTSHIM_LIBRARY ----

echo "no library" >text
for library in relative.so "$PWD/missing.so" "$PWD/text" "$PWD"; do
	export PORTSHIM_LIBRARY=$library
	outcome "$portshim" run -- echo ran
	same "PORTSHIM_LIBRARY=${library##*/}: the program runs" "0 ran" "$code $out"
	same "PORTSHIM_LIBRARY=${library##*/}: one line" 1 "$(lines "$err")"
	holds "PORTSHIM_LIBRARY=${library##*/}: names it, and what to do" "$err" \
		"cannot use PORTSHIM_LIBRARY, $library: .*without that variable"
	outcome "$portshim" exec --strict -- echo ran
	same "PORTSHIM_LIBRARY=${library##*/}: --strict" "125 " "$code $out"
done
unset PORTSHIM_LIBRARY

# ---- the runtime directory ----

PORTSHIM_RUNTIME_DIR=run outcome "$portshim" status
same "a relative PORTSHIM_RUNTIME_DIR: exit" 3 "$code"
holds "a relative PORTSHIM_RUNTIME_DIR: says so" "$err" 'cannot use run: it is no absolute path'
holds "a relative PORTSHIM_RUNTIME_DIR: hint" "$err" '^hint: let PORTSHIM_RUNTIME_DIR name'
PORTSHIM_RUNTIME_DIR=run outcome "$portshim" exec -- echo ran
same "a relative PORTSHIM_RUNTIME_DIR: the program runs" "0 ran" "$code $out"
same "a relative PORTSHIM_RUNTIME_DIR: nothing is made" 1 "$(test -e run; echo $?)"

# In memory there is one that is not the user's alone, so that one on the disk is used instead.
# shellcheck disable=SC2016 # for the other shell
refused='mount -t tmpfs none /dev/shm && mkdir -m 755 /dev/shm/portshim-0 && unset PORTSHIM_RUNTIME_DIR &&
	exec "$0" doctor'
mkdir "$scratch/xdg"
if [ "$(stat -f -c %T "$scratch")" = tmpfs ]; then
	skip "a runtime directory on a disk: why" "the temporary directory is in memory"
elif unshare -rm true 2>/dev/null; then
	XDG_RUNTIME_DIR=$scratch/xdg outcome unshare -rm sh -c "$refused" "$portshim"
	holds "a runtime directory on a disk: why" "$out" 'shm/portshim-0 was refused: others may use it .mode 0755.; chmod 700'
else
	skip "a runtime directory on a disk: why" "no mount namespace can be made here"
fi

# ---- another network namespace ----

"$portshim" exec -- true
if unshare -rn true 2>/dev/null; then
	for command in "status" "status --all --json" "port 3000" "why 3000"; do
		# shellcheck disable=SC2086 # words
		outcome unshare -rn "$portshim" $command
		same "$command in another network namespace: exit" 3 "$code"
		holds "$command in another network namespace: why" "$err" "/host: it is that of another network namespace"
		holds "$command in another network namespace: hint" "$err" '^hint: let PORTSHIM_RUNTIME_DIR name a directory of this'
	done
	outcome unshare -rn "$portshim" exec -- echo ran
	same "exec in another network namespace" "0 ran" "$code $out"
	holds "exec in another network namespace: says so" "$err" 'another network namespace.*runs without portshim'
else
	skip "another network namespace" "none can be made"
fi

# ---- a manifest that is none ----

bad_manifest()
{
	for command in status "port 3000" "validate" "env"; do
		# shellcheck disable=SC2086 # words
		outcome timeout 60 "$portshim" $command
		same "a manifest that is $1: $command: exit" 3 "$code"
		holds "a manifest that is $1: $command: why" "$err" "cannot read the manifest .*/$2: it is $1"
		holds "a manifest that is $1: $command: hint" "$err" '^hint: '
	done
	outcome timeout 60 "$portshim" run -- echo ran
	same "a manifest that is $1: run" "0 ran" "$code $out"
	holds "a manifest that is $1: run says why" "$err" "it is $1 .*runs without portshim"
	outcome timeout 60 "$portshim" run --strict -- echo ran
	same "a manifest that is $1: run --strict" "125 " "$code $out"
}
for place in ports.manifest.json config/ports.manifest.json; do
	mkdir -p config
	ln -s nowhere "$place" && bad_manifest "a symbolic link that leads nowhere" "$place"
	rm "$place"
	mkfifo "$place" && bad_manifest "a pipe" "$place"
	rm "$place"
	mkdir "$place" && bad_manifest "a directory" "$place"
	rmdir "$place"
done
echo '{"version": 1, "services": {"web": {"port": 3000}}}' >real.json
ln -s real.json ports.manifest.json
outcome "$portshim" validate
same "a manifest behind a symbolic link is good" 0 "$code"
rm ports.manifest.json

# What to do next is said, also where the finding itself has no hint.
echo '{"version": 1, "services": {' >ports.manifest.json
for command in "status" "port web" "run --strict -- true" "sync"; do
	# shellcheck disable=SC2086 # words
	outcome "$portshim" $command
	holds "a manifest that is cut off: $command" "$err" '^hint: once that is mended, .portshim validate. says'
done
rm ports.manifest.json

# ---- a service's own discovery file ----

if [ -x "$steps" ]; then
	port=$(free_port)
	cat >ports.manifest.json <<-JSON
		{"version": 1, "services": {"web": {"port": $port, "discovery": "no/such/web.json"}}}
	JSON
	for how in run exec; do
		outcome "$portshim" "$how" -- "$steps" tcp4 reuseaddr bind 127.0.0.1 "$port" listen
		holds "a missing directory of a discovery file: $how: the server listens" "$out" '^listen ok'
		same "a missing directory of a discovery file: $how: one line" 1 "$(grep -c 'cannot be written' <<<"$err")"
		holds "a missing directory of a discovery file: $how" "$err" \
			'no/such/web.json cannot be written: its directory is missing; make it'
	done
	mkdir -p no/such
	outcome "$portshim" exec -- "$steps" tcp4 reuseaddr bind 127.0.0.1 "$port" listen
	same "a directory that is there: nothing to say" "0 " "$code $err"
	holds "a directory that is there: written" "$(cat no/such/web.json)" "\"port\":$port"
else
	skip "a missing directory of a discovery file" "tests/shim/steps is not built"
fi
finish
