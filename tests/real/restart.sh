#!/usr/bin/env bash
# A watcher (nodemon, uvicorn --reload) stops and starts its server inside one run: the same actual port, again and
# again. And across runs: the same project gets the same actual port the next time.
. "$(dirname "$0")/lib.sh"
need python3 curl

# Asks the watcher of ID for something and reads its answer.
tell() { # ID WORD
	echo "$2" >&"${TO[$1]}"
	ANSWER=
	read -r -t "$WAIT" ANSWER <&"${FROM[$1]}" || ANSWER="no answer"
}

# Like `serve`, with pipes to the watcher.
watch() { # ID PORT
	local to from
	mkfifo "$WORK/$1.$2.to" "$WORK/$1.$2.from"
	LOGS[$1]=$WORK/$1.$2.log
	(cd "${DIRS[$1]}" && exec setsid "$PORTSHIM" run -- "$PYTHON" "$REAL/programs/watcher.py" "$2" \
		<"$WORK/$1.$2.to" >"$WORK/$1.$2.from" 2>"${LOGS[$1]}") &
	RUNS[$1]=$!
	exec {to}>"$WORK/$1.$2.to" {from}<"$WORK/$1.$2.from"
	TO[$1]=$to FROM[$1]=$from
}

scenario() { # free|held
	local id port way
	declare -gA TO=() FROM=() FIRST=()
	new_port && port=$PORT
	[ "$1" = free ] || hold "$port"
	for id in alpha beta; do
		project "$id"
		echo "$id" >"${DIRS[$id]}/who"
		watch "$id" "$port"
	done
	for id in alpha beta; do
		awaited "$id" "$port"
		recorded "$id" "$port"
		FIRST[$id]=${ACTUAL[$id]}
	done
	apart "$1" "$port" alpha beta
	for way in TERM KILL TERM; do
		for id in alpha beta; do
			tell "$id" "$way"
			like "$id: the watcher has ended its server with $way" "$ANSWER" "ended *"
			is "$id: nobody answers in between" \
				"$(within "$id" "$PYTHON" "$REAL/programs/client.py" http localhost "$port" | sed 's/holder/refused/')" refused
		done
		for id in alpha beta; do
			tell "$id" start
			like "$id: the watcher has started it again" "$ANSWER" "started *"
			awaited "$id" "$port"
			recorded "$id" "$port"
			is "$id: it has the same actual port" "${ACTUAL[$id]}" "${FIRST[$id]}"
			is "$id: a client reaches it" "$(within "$id" curl -sS --max-time 60 "http://localhost:$port/who")" "$id"
		done
	done
	for id in alpha beta; do
		echo leave >&"${TO[$id]}"
		wait "${RUNS[$id]}"
		unset "RUNS[$id]"
		forgotten "$id" "$port"
	done
	# The other way round this time: sticky, not first come, first served.
	for id in beta alpha; do
		serve "$id" -- "$PYTHON" -m http.server "$port"
		awaited "$id" "$port"
		recorded "$id" "$port"
		[ "$1" = free ] || is "$id: the next run has the same actual port" "${ACTUAL[$id]}" "${FIRST[$id]}"
	done
	stop alpha beta
	release
}

scenario free
scenario held
finish
