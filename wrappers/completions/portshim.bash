# Completion of portshim for bash. Source it, or install it as share/bash-completion/completions/portshim.
# shellcheck shell=bash

_portshim_words()
{
	local word
	while IFS= read -r word; do
		[[ $word == "$current"* ]] && COMPREPLY+=("$word")
	done < <(portshim __complete "$@" 2>/dev/null)
}

# The word after an option that takes a value. Returns 1 if the option takes none.
_portshim_value()
{
	case $1 in
	--env | --allow) _portshim_words environments ;;
	--service) _portshim_words services ;;
	--profile) _portshim_words profiles ;;
	--manifest)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	--strategy) mapfile -t COMPREPLY < <(compgen -W "minimal conservative aggressive" -- "$current") ;;
	--static) mapfile -t COMPREPLY < <(compgen -W "auto on off" -- "$current") ;;
	--format)
		local formats="sh fish json dotenv"
		[[ $command == check ]] && formats="text json sarif github"
		mapfile -t COMPREPLY < <(compgen -W "$formats" -- "$current")
		;;
	--only) mapfile -t COMPREPLY < <(compgen -W "manifest files projects running" -- "$current") ;;
	--protocol) mapfile -t COMPREPLY < <(compgen -W "tcp udp" -- "$current") ;;
	--dir | --forget) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
	--timeout) mapfile -t COMPREPLY < <(compgen -W "500ms 10s 30s 60s forever" -- "$current") ;;
	*) return 1 ;;
	esac
}

# run and exec: where the program's own command line begins, or 0 if it has not begun.
_portshim_program()
{
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			echo $((i + 1))
			return
			;;
		--env | --allow | --service | --profile | --manifest | --strategy | --static) i=$((i + 1)) ;;
		-*) ;;
		*)
			echo "$i"
			return
			;;
		esac
	done
	echo 0
}

_portshim()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]:-} start
	COMPREPLY=()
	# bash makes words of their own of `=` in --env=NAME; only the form with a space is completed.
	[[ $current == "=" || $previous == "=" ]] && return
	if ((COMP_CWORD == 1)); then
		_portshim_words commands
		return
	fi
	case $command in
	run | exec)
		start=$(_portshim_program)
		if ((start > 0)); then
			if declare -F _command_offset >/dev/null; then
				_command_offset "$start"
			elif ((COMP_CWORD == start)); then
				mapfile -t COMPREPLY < <(compgen -c -- "$current")
			else
				compopt -o default 2>/dev/null
			fi
			return
		fi
		;;
	esac
	_portshim_value "$previous" && return
	if [[ $current == -* ]]; then
		_portshim_words options "$command"
		return
	fi
	case $command in
	run | exec | doctor)
		mapfile -t COMPREPLY < <(compgen -c -- "$current")
		compopt -o default 2>/dev/null
		;;
	status | port | url | wait | health | why | free) _portshim_words services ;;
	next) _portshim_words rules ;;
	help) _portshim_words commands ;;
	init) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
	validate | check | fix) compopt -o default 2>/dev/null ;;
	inventory)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		;;
	esac
}

complete -F _portshim portshim
