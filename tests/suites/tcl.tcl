# tcl.tcl FILE ARGUMENT... - runs FILE, or what stdin says, as tclsh would, but with a fixed number for each server that
# asks for port 0: the next one in the file of $FIXED_NEXT, which the programs that a test starts have in common.
namespace eval fixed {
    proc next {} {
        set file [open $::env(FIXED_NEXT) r+]
        gets $file number
        seek $file 0
        puts $file [expr {$number + 1}]
        close $file
        return [expr {$number <= $::env(FIXED_LAST) ? $number : 0}]
    }
}
interp hide {} socket
proc socket args {
    if {"-server" in $args && [lindex $args end] eq "0"} {
        lset args end [fixed::next]
    }
    # Not renamed: its errors name it.
    tailcall interp invokehidden {} socket {*}$args
}
if {$argc > 0} {
    set argv0 [lindex $argv 0]
    set argv [lrange $argv 1 end]
    incr argc -1
    source -encoding utf-8 $argv0
} else {
    while {[gets stdin fixed::line] >= 0} {
        append fixed::script $fixed::line \n
        if {[info complete $fixed::script]} {
            uplevel #0 $fixed::script[set fixed::script ""]
        }
    }
}
