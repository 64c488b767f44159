#!/usr/bin/env bash
# The words that bash, zsh and fish offer. Run from the top directory.
set -u
# shellcheck source=tests/lib.sh
. "$PWD/tests/lib.sh"
completions=$PWD/wrappers/completions
export PATH=$build:$PATH
[ -x "$portshim" ] || { fail "there is no $portshim"; finish; }
mkdir -p "$scratch/shop"
cd "$scratch/shop" || exit 3
cat >ports.manifest.json <<'END'
{ "version": 1, "project": "shop", "services": { "web": { "port": 3000 }, "worker": { "port": 3001 }, "api": { "port": 4000 } } }
END
touch file-one
# An environment with a name.
"$portshim" run --quiet --env completing -- true

# ---- what the shells ask for ----

same "services" "web worker api" "$("$portshim" __complete services | tr '\n' ' ' | sed 's/ $//')"
same "environments" "completing" "$("$portshim" __complete environments)"
cat >"$scratch/rules.json" <<'END'
{ "version": 1, "allocate": { "backend": { "base": 4000 }, "front": { "base": 5173 } } }
END
same "rules" "backend front" "$(PORTSHIM_MANIFEST=$scratch/rules.json "$portshim" __complete rules | tr '\n' ' ' | sed 's/ $//')"
cat >"$scratch/profiles.json" <<'END'
{ "version": 1, "services": { "web": { "port": 3000 } }, "profiles": { "test": { "when": { "CI": "*" } }, "live": {} } }
END
same "profiles" "test live" "$(PORTSHIM_MANIFEST=$scratch/profiles.json CI=1 "$portshim" __complete profiles | tr '\n' ' ' | sed 's/ $//')"
same "nothing else" "" "$("$portshim" __complete nonsense)"
same "commands" "$("$portshim" help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\) .*/\1/p')" "$("$portshim" __complete commands)"
# Every long option that a command's help shows is offered, and every one that is offered is taken.
for c in $("$portshim" __complete commands); do
	same "options of $c" "$("$portshim" "$c" --help | grep -oE '^ {2,}(-[a-z], +)?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort)" \
		"$("$portshim" __complete options "$c" | sort)"
	for o in $("$portshim" __complete options "$c"); do
		"$portshim" "$c" "$o=x" -h >/dev/null 2>"$scratch/err" </dev/null
		if grep -q "there is no option" "$scratch/err"; then
			fail "$c $o" "$(cat "$scratch/err")"
		else
			pass "$c $o"
		fi
	done
done

# Every help tells of -h, and every summary begins with a capital letter, two blanks behind the name.
for c in $("$portshim" __complete commands); do
	same "-h in the help of $c" "1" "$("$portshim" "$c" --help | grep -cE '^  -h, --help +(this text|the same)')"
	same "summary of $c" "1" "$("$portshim" help | grep -cE "^  $c {2,}[A-Z]")"
done

# ---- bash ----

# shellcheck source=wrappers/completions/portshim.bash
. "$completions/portshim.bash"

# in_bash NAME WANTED WORD...: the words offered for the last one, sorted.
in_bash()
{
	local name=$1 wanted=$2
	shift 2
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_portshim 2>/dev/null
	same "bash: $name" "$wanted" "$(printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' ' | sed 's/ $//')"
}

in_bash "commands" "status" portshim st
in_bash "services" "web worker" portshim wait w
in_bash "services after options" "web worker" portshim wait --timeout 5s w
in_bash "environments" "completing" portshim status --env ""
in_bash "options" "--timeout" portshim wait --t
in_bash "values" "dotenv" portshim env --format d
export PORTSHIM_MANIFEST=$scratch/profiles.json
in_bash "profiles" "live test" portshim run --profile ""
unset PORTSHIM_MANIFEST
in_bash "values of free" "udp" portshim free --protocol u
in_bash "help of commands" "doctor" portshim help d
in_bash "a file" "file-one" portshim run --manifest file-
in_bash "options of run" "--strategy --strict" portshim run --str
in_bash "no options of ours after the program" "" portshim run --quiet nosuchprogram --str
in_bash "no options of ours after --" "" portshim run -- nosuchprogram --str

# ---- fish ----

if command -v fish >/dev/null; then
	# in_fish NAME WANTED LINE
	in_fish()
	{
		same "fish: $1" "$2" "$(HOME=$scratch XDG_CONFIG_HOME=$scratch XDG_DATA_HOME=$scratch fish --no-config -c \
			"source '$completions/portshim.fish'; complete -C '$3'" 2>&1 | cut -f 1 | sort | tr '\n' ' ' | sed 's/ $//')"
	}
	in_fish "commands" "status" "portshim st"
	in_fish "services" "web worker" "portshim wait w"
	in_fish "environments" "completing" "portshim status --env "
	in_fish "options" "--timeout" "portshim wait --ti"
	in_fish "values" "dotenv" "portshim env --format d"
	in_fish "files" "file-one" "portshim fix file-"
	in_fish "services of fix" "web worker" "portshim fix --service w"
	export PORTSHIM_MANIFEST=$scratch/profiles.json
	in_fish "profiles" "live" "portshim free --profile l"
	unset PORTSHIM_MANIFEST
	in_fish "options of run" "--strategy --strict" "portshim run --str"
	in_fish "no options of ours after the program" "" "portshim run --quiet nosuchprogram --str"
else
	skip "fish" "not installed"
fi

# ---- zsh ----

if command -v zsh >/dev/null; then
	cat >"$scratch/zsh-line" <<'END'
# Prints what the line $1 has become after a tab, in a terminal of its own.
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= PROMPT= RPROMPT=; fpath=($2 \$fpath); autoload -Uz compinit; compinit -u -d $3/zcompdump"
zpty -w shell "report() { print -r -- \"<<\$BUFFER>>\" }; zle -N report; bindkey '^T' report; print READ''Y"
zpty -r shell line '*READY*'
zpty -n -w shell "$1"$'\t'$'\C-t'
zpty -r shell line '*<<*>>*' && print -r -- ${${line##*<<}%%>>*}
zpty -d shell
END
	# in_zsh NAME WANTED LINE
	in_zsh()
	{
		same "zsh: $1" "$2" "$(TERM=dumb timeout 120 zsh -f "$scratch/zsh-line" "$3" "$completions" "$scratch" 2>/dev/null |
			sed 's/ *$//')"
	}
	in_zsh "commands" "portshim status" "portshim st"
	in_zsh "services" "portshim wait worker" "portshim wait wo"
	in_zsh "environments" "portshim status --env completing" "portshim status --env com"
	in_zsh "options" "portshim wait --timeout" "portshim wait --ti"
	in_zsh "values" "portshim env --format dotenv" "portshim env --format d"
	export PORTSHIM_MANIFEST=$scratch/profiles.json
	in_zsh "profiles" "portshim wait --profile live" "portshim wait --profile l"
	unset PORTSHIM_MANIFEST
	in_zsh "options of run" "portshim run --strategy" "portshim run --strat"
	in_zsh "no options of ours after the program" "portshim run nosuchprogram --strat" "portshim run nosuchprogram --strat"
else
	skip "zsh" "not installed"
fi
finish
