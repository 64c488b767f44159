"""`portshim run` is transparent on a terminal: Ctrl-C, Ctrl-Z and fg, background jobs, the window's size, hang-up."""
import fcntl
import os
import pty
import signal
import struct
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import LIMIT, PORTSHIM, PYTHON, STATIC, alive, line, main, parent, same, settle, state, until

# A shell with job control, as small as it gets: one job; reports on descriptor 3, commands on descriptor 4.
SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
signal.signal(signal.SIGTSTP, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    if sys.argv[1] == "fg":
        os.tcsetpgrp(0, os.getpid())
    for number in signal.SIGTTOU, signal.SIGTSTP, signal.SIGINT:
        signal.signal(number, signal.SIG_DFL)
    os.close(3), os.close(4)
    os.execv(sys.argv[2], sys.argv[2:])
os.write(3, b"%d\\n" % job)
while True:
    _, status = os.waitpid(job, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        break
    os.tcsetpgrp(0, os.getpgrp())
    os.write(3, b"stopped %d\\n" % os.WSTOPSIG(status))
    os.read(4, 1)
    os.tcsetpgrp(0, job)
    os.killpg(job, signal.SIGCONT)
os.tcsetpgrp(0, os.getpgrp())
os.write(3, (b"signal %d\\n" % os.WTERMSIG(status)) if os.WIFSIGNALED(status) else b"exit %d\\n" % os.WEXITSTATUS(status))
os.read(4, 1)
"""


class Terminal:
    """A terminal with a shell on it that runs one job."""

    def __init__(self, place, *command, how="fg"):
        report, report_end = os.pipe()
        command_end, self.command = os.pipe()
        self.report = os.fdopen(report, "rb", buffering=0)
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(place.project)
            report_end, command_end = fcntl.fcntl(report_end, fcntl.F_DUPFD, 10), fcntl.fcntl(command_end, fcntl.F_DUPFD, 10)
            os.dup2(report_end, 3)
            os.dup2(command_end, 4)
            os.execve(PYTHON, [PYTHON, "-c", SHELL, how, *command], place.environment())
        os.close(report_end)
        os.close(command_end)
        self.screen = os.fdopen(os.dup(self.master), "rb", buffering=0)
        self.job = int(line(self.report))

    def type(self, text):
        os.write(self.master, text)

    def line(self):
        return line(self.screen).replace("\r", "")

    def next(self):
        """What happened to the job next."""
        return line(self.report).strip()

    def foreground(self):
        os.write(self.command, b"f")

    def close(self):
        for fd in self.master, self.command:
            try:
                os.close(fd)
            except OSError:
                pass
        self.screen.close()
        self.report.close()
        until(lambda: os.waitpid(self.pid, os.WNOHANG)[0], "the shell to end")


def on_terminal(how="fg"):
    """Decorates a test of one terminal, which closes it: test(place, start)."""
    def decorate(test):
        def wrapped(place):
            opened = []

            def start(*command):
                opened.append(Terminal(place, *command, how=how))
                return opened[-1]
            try:
                test(place, start)
            finally:
                for terminal in opened:
                    terminal.close()
        wrapped.__doc__ = test.__doc__
        return wrapped
    return decorate


# Prints each signal that it gets, until there is something to read.
COUNT = """
import select, signal, sys
numbers = {signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    got = signal.sigtimedwait(numbers, 0.02)
    if got:
        print("got", got.si_signo, flush=True)
sys.stdin.readline()
print("bye", flush=True)
"""


@on_terminal()
def test_interrupt_default(place, start):
    """Ctrl-C ends a program that does not handle it, and run with it"""
    terminal = start(PORTSHIM, "run", "--", "sh", "-c", "echo ready; exec sleep 1000")
    same(terminal.line(), "ready\n")
    terminal.type(b"\x03")
    same(terminal.next(), "signal %d" % signal.SIGINT)


@on_terminal()
def test_interrupt_handled(place, start):
    """Ctrl-C, Ctrl-\\ and a change of size reach a program that handles them, once each, and run stays"""
    terminal = start(PORTSHIM, "run", "--", PYTHON, "-c", COUNT)
    same(terminal.line(), "ready\n")
    terminal.type(b"\x03")
    same(terminal.line(), "^Cgot %d\n" % signal.SIGINT)
    settle(terminal.job)
    os.kill(terminal.job, signal.SIGINT)
    same(terminal.line(), "got %d\n" % signal.SIGINT, "sent to run")
    terminal.type(b"\x1c")
    same(terminal.line(), "^\\got %d\n" % signal.SIGQUIT)
    fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 100, 0, 0))
    same(terminal.line(), "got %d\n" % signal.SIGWINCH)
    terminal.type(b"x\n")
    same(terminal.line(), "x\n")
    same(terminal.line(), "bye\n")
    same(terminal.next(), "exit 0")


@on_terminal()
def test_stop_and_continue(place, start):
    """Ctrl-Z stops program and run, fg continues both, twice"""
    terminal = start(PORTSHIM, "run", "--", "sh", "-c", "echo $$; read line; echo got $line; exit 3")
    program = int(terminal.line())
    for _ in range(2):
        terminal.type(b"\x1a")
        same(terminal.next(), "stopped %d" % signal.SIGTSTP)
        same((state(program), state(terminal.job)), ("T", "T"))
        terminal.foreground()
        until(lambda: state(program) != "T" and state(terminal.job) != "T", "both to continue")
    terminal.type(b"hello\n")
    until(lambda: terminal.line() == "got hello\n", "the answer")
    same(terminal.next(), "exit 3")


if STATIC == "auto":
    @on_terminal()
    def test_stop_worker_killed(place, start):
        """The same when the worker is killed while the program is stopped, and when it is killed before"""
        terminal = start(PORTSHIM, "run", "--", "sh", "-c", "echo $$; read line; echo got $line; exit 3")
        program = int(terminal.line())
        terminal.type(b"\x1a")
        same(terminal.next(), "stopped %d" % signal.SIGTSTP)
        os.kill(parent(program), signal.SIGKILL)
        until(lambda: parent(program) == terminal.job, "run to be its parent")
        for _ in range(2):
            same((state(program), state(terminal.job)), ("T", "T"))
            terminal.foreground()
            until(lambda: state(program) != "T" and state(terminal.job) != "T", "both to continue")
            terminal.type(b"\x1a")
            same(terminal.next(), "stopped %d" % signal.SIGTSTP)
        terminal.foreground()
        terminal.type(b"hello\n")
        until(lambda: terminal.line() == "got hello\n", "the answer")
        same(terminal.next(), "exit 3")


@on_terminal()
def test_stop_nested(place, start):
    """The same with a run inside a run"""
    terminal = start(PORTSHIM, "run", "--", PORTSHIM, "run", "--", "sh", "-c", "echo $$; read line; exit 3")
    program = int(terminal.line())
    terminal.type(b"\x1a")
    same(terminal.next(), "stopped %d" % signal.SIGTSTP)
    same(state(program), "T")
    terminal.foreground()
    until(lambda: state(program) != "T", "it to continue")
    terminal.type(b"hello\n")
    same(terminal.next(), "exit 3")


@on_terminal(how="bg")
def test_background_read(place, start):
    """A background job that reads the terminal stops as a job, and continues in the foreground"""
    terminal = start(PORTSHIM, "run", "--", "sh", "-c", "echo ready; read line; exit 6")
    same(terminal.next(), "stopped %d" % signal.SIGTTIN)
    terminal.foreground()
    terminal.type(b"hello\n")
    same(terminal.next(), "exit 6")


@on_terminal()
def test_program_stops_itself(place, start):
    """A program that stops itself (an editor's :stop) stops the job"""
    terminal = start(PORTSHIM, "run", "--", "sh", "-c", "kill -STOP $$; exit 8")
    same(terminal.next(), "stopped %d" % signal.SIGSTOP)
    terminal.foreground()
    same(terminal.next(), "exit 8")


@on_terminal()
def test_shell_inside(place, start):
    """A shell with job control inside run has its own process groups, and gives the terminal back"""
    terminal = start(PORTSHIM, "run", "--", "bash", "--norc", "-i")
    terminal.type(b"PS1=; stty -echo; echo rea''dy\n")
    until(lambda: terminal.line().endswith("ready\n"), "the inner shell")
    terminal.type(b"sh -c 'echo inner $$; exec sleep 1000'\n")
    text = until(lambda: (lambda got: got if "inner" in got else None)(terminal.line()), "the inner job")
    sleeper = int(text.split()[-1])
    terminal.type(b"\x03")
    until(lambda: not alive(sleeper), "Ctrl-C to end the inner job")
    terminal.type(b"exit 9\n")
    same(terminal.next(), "exit 9")


@on_terminal()
def test_hangup(place, start):
    """When the terminal goes away, the program gets SIGHUP"""
    mark = os.path.join(place.project, "hung-up")
    script = "trap 'echo yes >%s; exit 0' HUP; echo $$; while :; do read line || sleep 0.01; done" % mark
    terminal = start(PORTSHIM, "run", "--", "sh", "-c", script)
    program = int(terminal.line())
    terminal.screen.close()
    os.close(terminal.master)
    until(lambda: os.path.exists(mark) and not alive(program), "the program to be hung up", LIMIT)


def test_hangup_leader(place):
    """The same where run itself leads the session, as in a terminal's own window; run ends as the program does"""
    mark = os.path.join(place.project, "hung-up")
    script = "trap 'echo yes >>%s; exit 7' HUP; echo $$; while :; do read line || sleep 0.01; done" % mark
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(place.project)
        os.execve(PORTSHIM, [PORTSHIM, "run", "--", "sh", "-c", script], place.environment())
    with os.fdopen(master, "rb", buffering=0) as screen:
        program = int(line(screen))
    status = until(lambda: (lambda got: got if got[0] else None)(os.waitpid(pid, os.WNOHANG)), "run to end")[1]
    same(os.waitstatus_to_exitcode(status), 7)
    assert not alive(program)
    with open(mark, encoding="ascii") as file:
        same(file.read(), "yes\n")


main(globals())
