# Completion of portshim for fish. Install it as share/fish/vendor_completions.d/portshim.fish.

function __portshim_words
	portshim __complete $argv 2>/dev/null
end

function __portshim_command
	set -l words (commandline -opc)
	test (count $words) -gt 1; and echo $words[2]
end

# True before any command.
function __portshim_first
	test (count (commandline -opc)) -eq 1
end

# True if the command is one of these.
function __portshim_is
	contains -- (__portshim_command) $argv
end

# The words of the program's own command line, after run or exec and their options.
function __portshim_program
	set -l words (commandline -opc)
	set -e words[1..2]
	while test (count $words) -gt 0
		switch $words[1]
			case --
				set -e words[1]
				break
			case --env --allow --service --profile --manifest --strategy --static
				set -e words[1]
				set -q words[1]; and set -e words[1]
			case '-*'
				set -e words[1]
			case '*'
				break
		end
	end
	test (count $words) -gt 0; and printf '%s\n' $words
end

function __portshim_in_options
	__portshim_is run exec; or return 0
	test (count (__portshim_program)) -eq 0
end

# What comes after run or exec and their options is completed as if portshim were not there.
function __portshim_subcommand
	set -l words (__portshim_program)
	set -l current (commandline -ct)
	if test (count $words) -gt 0
		complete -C (string join ' ' -- (string escape -- $words) $current)
	else if not string match -q -- '-*' $current
		__fish_complete_command
	end
end

function __portshim_options
	__portshim_words options (__portshim_command)
end

complete -c portshim -f
complete -c portshim -n __portshim_first -a '(__portshim_words commands)'
complete -c portshim -n '__portshim_is status port url wait health why free' -a '(__portshim_words services)'
complete -c portshim -n '__portshim_is next' -a '(__portshim_words rules)'
complete -c portshim -n '__portshim_is map' -l dir -x -a '(__fish_complete_directories)'
complete -c portshim -n '__portshim_is init' -a '(__fish_complete_directories)'
complete -c portshim -n '__portshim_is help' -a '(__portshim_words commands)'
complete -c portshim -n '__portshim_is validate check fix' -F
complete -c portshim -n '__portshim_is check' -l only -x -a 'manifest files projects running'
complete -c portshim -n '__portshim_is check' -l format -x -a 'text json sarif github'
complete -c portshim -n '__portshim_is inventory' -x -a '(__fish_complete_directories)'
complete -c portshim -n '__portshim_is doctor' -a '(__fish_complete_command)'
complete -c portshim -n '__portshim_is run exec' -a '(__portshim_subcommand)'
complete -c portshim -n 'not __portshim_first; and __portshim_in_options; and string match -q -- "-*" (commandline -ct)' \
	-a '(__portshim_options)'
complete -c portshim -n '__portshim_in_options; and __portshim_is run exec status port url env wait health why free' -l env -x \
	-a '(__portshim_words environments)'
complete -c portshim -n '__portshim_in_options; and __portshim_is run exec' -l allow -x -a '(__portshim_words environments)'
complete -c portshim -n '__portshim_in_options; and __portshim_is run exec env fix' -l service -x -a '(__portshim_words services)'
complete -c portshim -n '__portshim_in_options; and __portshim_is run exec' -l strategy -x -a 'minimal conservative aggressive'
complete -c portshim -n '__portshim_in_options; and __portshim_is run' -l static -x -a 'auto on off'
complete -c portshim -n '__portshim_in_options; and __portshim_is free' -l protocol -x -a 'tcp udp'
complete -c portshim -n '__portshim_in_options; and __portshim_is run exec status port url env wait health why free validate sync' -l profile -x \
	-a '(__portshim_words profiles)'
complete -c portshim -n '__portshim_in_options; and __portshim_is run exec status port url env wait health why free validate check sync inventory fix' -l manifest -r -F
complete -c portshim -n '__portshim_is env' -l format -x -a 'sh fish json dotenv'
complete -c portshim -n '__portshim_is wait health free' -l timeout -x -a '500ms 10s 30s 60s forever'
