"""The worker between `portshim run` and its program: whoever of the two is killed, and when, no call of it fails,
the program's status and stops come through, daemons go on being served, and nothing is left at the end."""
import ctypes
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (BUILD, PORTSHIM, PYTHON, TOP, Skip, alive, descendants, end, free_port, line, main,  # noqa: E402
                     same, state, unprivileged, until)
from stepper import SEIZE, WAITID, WALL, Stepper, ptrace  # noqa: E402

os.environ["PORTSHIM_STATIC"] = "on"
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: nothing that a run leaves can get away from us


def unreached(place):
    """The program that the library does not reach."""
    program = os.path.join(place.top, "unreached")
    made = subprocess.run(["cc", "-O1", "-static", "-o", program, os.path.join(TOP, "tests/keeper/unreached.c")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        raise Skip("no static program can be linked here: " + made.stdout.strip().split("\n")[-1])
    return program


def name(pid):
    try:
        with open("/proc/%d/comm" % pid) as file:
            return file.read().strip()
    except OSError:
        return ""


def parent(pid):
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def worker(child):
    """The worker's pid, once it serves."""
    return until(lambda: [pid for pid in descendants(child.pid)[1:] if name(pid) == "portshim-worker"], "the worker")[0]


def kill(pid, number=signal.SIGKILL):
    os.kill(pid, number)
    until(lambda: not alive(pid), "%d to be dead" % pid)


def pending(pid):
    with open("/proc/%d/status" % pid) as file:
        return [text for text in file.read().splitlines() if text.startswith("ShdPnd") and int(text.split()[1], 16)]


def has_looked(pid, number):
    """It has taken this signal, and everything that happened before that, and waits again; or it has ended."""
    try:
        os.kill(pid, number)
        until(lambda: not alive(pid) or not pending(pid), "%d to take a signal" % pid)
        until(lambda: state(pid) in "SZX", "%d to wait" % pid)
    except (FileNotFoundError, ProcessLookupError):
        pass
    return alive(pid)


def only_ancestors():
    """Yama's default, but not Debian's."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            return int(file.read()) > 0
    except OSError:
        return False


def nothing_left(place):
    """No process of a run is left, not even a dead one."""
    def nobody():
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    return False  # the canary dies a moment after its run
            except ChildProcessError:
                return True
    until(nobody, "everything to be gone")
    same(place.left(), [])


def no_bad_call(child, count):
    lines = [line(child.stdout) for _ in range(count)]
    same(lines, ["0 bad of many\n"] * count)


def hammering(place, count=3, **more):
    child = place.start("run", "--", unreached(place), "hammer", str(count), stdin=subprocess.PIPE, **more)
    same([line(child.stdout) for _ in range(count)], ["ready\n"] * count)
    return child


def test_serves(place):
    """A static program's calls are answered, and nothing is left of it"""
    program = unreached(place)
    status, out, err = place.run("run", "--", program, "once")
    same((status, out, err), (0, "good\n", ""))
    same([pid for pid in descendants(os.getpid()) if name(pid) == "portshim-worker"], [], "run has seen to its worker")
    nothing_left(place)
    same(place.runs(), [])


def test_worker_killed(place):
    """kill -9 of the worker: no call of the program fails, and its status comes through"""
    for _ in range(5):
        child = hammering(place)
        kill(worker(child))
        child.stdin.close()
        no_bad_call(child, 3)
        same(child.wait(30), 0)
        same(child.stderr.read().decode(), "")
        nothing_left(place)
        same(place.runs(), [])


def test_worker_killed_early(place):
    """The same at any moment of the start: the program runs, once, and its status comes through"""
    delays = random.Random(4)
    rounds, killed, end = 0, 0, time.monotonic() + 200
    while rounds < 150 or (killed <= 30 and time.monotonic() < end):  # where it is busy, many are over before we see them
        rounds += 1
        child = place.start("run", "--static=auto", "--", "sh", "-c", "echo once; exit 7")
        moment = time.monotonic() + delays.random() * 0.003
        found = []
        while not found and child.poll() is None:
            found = descendants(child.pid)[1:2]
        while time.monotonic() < moment:
            pass
        if found and name(found[0]) in ("portshim", "portshim-worker"):
            try:
                os.kill(found[0], signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        out, err = child.communicate(timeout=30)
        same((child.returncode, out), (7, b"once\n"), err)
        assert err == b"" or b"static and Go programs are not reached: " in err, err
        nothing_left(place)
    if killed <= 30:
        raise Skip("too busy a machine: %d of %d workers were seen while they started" % (killed, rounds))


def test_worker_killed_at_the_end(place):
    """The same at any moment of the program's end"""
    for how in "exit 7", "kill -TERM $$":
        for delay in range(40):
            child = place.start("run", "--", "sh", "-c", "read line; " + how, stdin=subprocess.PIPE)
            above = worker(child)
            child.stdin.close()
            moment = time.monotonic() + delay * 0.00005
            while time.monotonic() < moment:
                pass
            try:
                os.kill(above, signal.SIGKILL)
            except ProcessLookupError:
                pass
            same(child.wait(30), 7 if how == "exit 7" else -signal.SIGTERM)
            nothing_left(place)
            same(place.runs(), [])


def test_worker_killed_signals(place):
    """After it signals still reach the program once, and a stop is a stop"""
    child = place.start("run", "--", PYTHON, "-c", """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
print(os.getpid(), flush=True)
while True:
    number = signal.sigwait({signal.SIGUSR1, signal.SIGTERM})
    print(int(number), flush=True)
    if number == signal.SIGTERM:
        os._exit(9)
""", start_new_session=True)
    program = int(line(child.stdout))
    above = worker(child)
    os.kill(program, signal.SIGSTOP)
    until(lambda: state(program) == "T", "it to stop")
    kill(above)
    child.send_signal(signal.SIGCONT)
    until(lambda: state(program) != "T", "it to continue")
    child.send_signal(signal.SIGUSR1)
    same(line(child.stdout), "%d\n" % signal.SIGUSR1)
    os.killpg(child.pid, signal.SIGTERM)
    same(child.stdout.read().decode(), "%d\n" % signal.SIGTERM)
    same(child.wait(30), 9)
    nothing_left(place)


def test_ordinary_signals(place):
    """Other signals do not end a worker, nor does it keep them"""
    child = hammering(place, 1)
    above = worker(child)
    for number in set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP}:
        os.kill(above, number)
    until(lambda: not pending(above), "it to take them")
    child.stdin.close()
    no_bad_call(child, 1)
    same(child.wait(30), 0)
    nothing_left(place)


def test_keeper_killed(place):
    """kill -9 of run itself: no call of the program fails, and the worker ends with the last process"""
    child = hammering(place)
    above = worker(child)
    child.kill()
    child.wait()
    assert alive(above)
    child.stdin.close()
    no_bad_call(child, 3)
    nothing_left(place)


def test_keeper_killed_early(place):
    """The same at any moment of the start: the program runs to its end, or never began"""
    program, delays = unreached(place), random.Random(5)
    for _ in range(60):
        child = place.start("run", "--", program, "once")
        moment = time.monotonic() + 0.0005 + delays.random() * 0.002
        while time.monotonic() < moment:
            pass
        child.kill()
        child.wait()
        assert child.stdout.read() in (b"", b"good\n")
        nothing_left(place)


def test_both_killed(place):
    """kill -9 of both: nobody answers any more, calls fail, but nothing waits for ever"""
    child = hammering(place)
    above = worker(child)
    program = [pid for pid in descendants(above) if name(pid) == "unreached"][0]
    kill(above)
    child.kill()
    child.wait()
    child.stdin.close()
    for _ in range(3):
        said = line(child.stdout)
        assert said == "0 bad of many\n" or said.endswith("of many: Function not implemented\n"), said
    until(lambda: not alive(program), "the program to end")
    nothing_left(place)


def daemon(place, status, *before):
    """A daemon of a program that is over: run, which has ended with the status, and the daemon's pid."""
    child = place.start("run", "--", *before, unreached(place), "daemon", stdin=subprocess.PIPE)
    pid = int(line(child.stdout))
    same(line(child.stdout), "ready\n")
    same(child.wait(30), status)
    return child, pid


def is_served(place, child):
    """The daemon makes its calls, and ends. None of them has failed, and nothing is left."""
    child.stdin.close()
    no_bad_call(child, 1)
    nothing_left(place)


def who_serves_is_no_ancestor():
    if os.getuid() != 0 and only_ancestors():
        raise Skip("Yama allows it to ancestors only")


def test_daemon(place):
    """What the program leaves in the background is served when run has ended, and the worker ends with it"""
    child, pid = daemon(place, 5)
    assert alive(pid)
    same(len(place.runs()), 1)
    is_served(place, child)


def test_daemon_worker_killed(place):
    """Also when the worker was killed before that, if who serves may look into it: as root, or without Yama"""
    who_serves_is_no_ancestor()
    is_served(place, daemon(place, 3, "sh", "-c", '"$0" "$@"; kill -9 $PPID; exit 3')[0])


def test_daemon_worker_killed_later(place):
    """And when the worker is killed after `run` has ended: there is an heir, and it ends with the daemon"""
    who_serves_is_no_ancestor()
    child, pid = daemon(place, 5)
    above = until(lambda: [at for at in [parent(pid)] if name(at) == "portshim-worker"], "the worker to have it")[0]
    kill(above)
    is_served(place, child)


def test_daemon_of_the_library(place):
    """A daemon that the library reaches keeps the worker as well, since it may start one that it does not reach"""
    script = "(setsid sh -c 'read line; %s once' &) <&3; exit 5" % unreached(place)
    read, write = os.pipe()
    child = place.start("run", "--", "bash", "-c", script.replace("&3", "&%d" % read), pass_fds=(read,))
    os.close(read)
    same(child.wait(30), 5)
    os.write(write, b"go\n")
    os.close(write)
    same(line(child.stdout), "good\n")
    nothing_left(place)


def test_storm(place):
    """Two hundred processes at once, every second one an orphan"""
    status, out, err = place.run("run", "--", unreached(place), "storm", "200")
    same((status, out, err), (0, "0 bad\n", ""))
    nothing_left(place)


def test_storm_worker_killed(place):
    """The same while the worker is killed"""
    program = unreached(place)
    for delay in range(10):
        child = place.start("run", "--", program, "storm", "200", stdin=subprocess.PIPE)
        above = worker(child)
        child.stdin.close()
        child.stdin = None
        time.sleep(delay * 0.001)
        try:
            os.kill(above, signal.SIGKILL)
        except ProcessLookupError:
            pass
        out, err = child.communicate(timeout=60)
        same((child.returncode, out, err), (0, b"0 bad\n", b""))
        nothing_left(place)


def test_nested(place):
    """A run inside a run has no filter of its own: the outer one's worker serves it"""
    script = 'cat /proc/$PPID/comm; exec "$0" once'
    status, out, err = place.run("run", "--", PORTSHIM, "run", "--", "sh", "-c", script, unreached(place))
    same((status, out, err), (0, "portshim\ngood\n", ""))
    nothing_left(place)


def test_has_the_library(place):
    """A worker that has the library itself, because portshim was started by what has it, answers like any other"""
    program = unreached(place)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        inner = "run", "-q", "--static=on", "--", program, "peer", str(holder.getsockname()[1])
        same(place.run(*inner), (0, "1 1\n", ""))
        same(place.run("run", "-q", "--static=off", "--", PORTSHIM, *inner), (0, "1 1\n", ""))
        same(place.run("exec", "--", PORTSHIM, *inner), (0, "1 1\n", ""))
        same(place.run(*inner, env={"LD_PRELOAD": os.path.join(BUILD, "libportshim.so")}), (0, "1 1\n", ""))
    nothing_left(place)


def test_nested_elsewhere(place):
    """The worker of a run serves no run inside it in another network namespace: that one says so, --static=on fails"""
    enter = ["unshare", "-n"] if os.getuid() == 0 else ["unshare", "-Urn"]
    if subprocess.run([*enter, "true"], capture_output=True, check=False).returncode:
        raise Skip("no network namespace can be made")
    reason = "the filter of the run around this one is another network namespace's"
    runtime = place.directory("within")
    os.chmod(runtime, 0o700)
    within = [*enter, "env", "PORTSHIM_RUNTIME_DIR=" + runtime, PORTSHIM]
    for mode, expected in ("auto", (0, "in\n", 1)), ("off", (0, "in\n", 0)), ("on", (125, "", 1)):
        status, out, err = place.run("run", "--static=on", "--", *within, "run", "--static=" + mode, "--", "echo", "in")
        same((status, out, err.count(reason)), expected, mode + ": " + err)
    out = place.run("run", "--static=on", "--", *within, "doctor")[1]
    assert "static and Go programs are not reached: " + reason in out, out
    nothing_left(place)


# Puts itself under a filter with a listener, which nobody will serve as it lets everything go, and executes the rest.
OTHER = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = struct.pack("HBBI", 6, 0, 0, 0x7fff0000)  # return SECCOMP_RET_ALLOW
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", 1, ctypes.addressof(buffer))
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
seccomp = 317 if os.uname().machine == "x86_64" else 277
fd = libc.syscall(seccomp, 1, 8, program)  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER
if fd < 0:
    sys.exit(99)
os.set_inheritable(fd, True)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_refused(place):
    """Where there is a listener already, one line says so and the program runs without a filter; --static=on fails"""
    command = [PYTHON, "-c", OTHER, PORTSHIM, "run"]
    script = 'grep -c portshim-worker /proc/$PPID/comm; exit 3'
    more = {"cwd": place.project, "env": place.environment(), "timeout": 30}
    got = subprocess.run([*command, "--static=auto", "--", "sh", "-c", script], capture_output=True, text=True, **more)
    same((got.returncode, got.stdout, got.stderr.count("\n")), (3, "0\n", 1), got.stderr)
    assert got.stderr.startswith("portshim: static and Go programs are not reached: "), got.stderr
    more["env"] = place.environment(PORTSHIM_RUN=os.path.join(place.runtime, "run-00000001"))
    got = subprocess.run([*command, "--static=auto", "--", "true"], capture_output=True, text=True, **more)
    assert "static and Go programs are not reached: " in got.stderr, "a run around it that is unknown said nothing"
    got = subprocess.run([*command, "--static=on", "--", "echo", "no"], capture_output=True, text=True, **more)
    same((got.returncode, got.stdout), (125, ""), got.stderr)
    assert "--static=on cannot be had: " in got.stderr, got.stderr
    nothing_left(place)
    same(place.runs(), [])


SERVER = """
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print("ready", flush=True)
sys.stdin.read()
"""


def test_others_server(place):
    """Another environment's server: a static client is refused, as a preloaded one is, and that is told once"""
    program, port = unreached(place), free_port()
    server = place.start("run", "--", PYTHON, "-c", SERVER, str(port), stdin=subprocess.PIPE,
                         cwd=place.directory("shop-b"))
    same(line(server.stdout), "ready\n")
    status, out, err = place.run("run", "--", program, "connect", str(port), str(port))
    same((status, out), (0, "Connection refused\n" * 2), err)
    same((err.count("\n"), err.startswith("portshim: connect to %d refused: it belongs to environment shop-b" % port)),
         (1, True), err)
    same(place.run("run", "--allow", "shop-b", "--", program, "connect", str(port)), (0, "connected\n", ""))
    server.stdin.close()
    same(server.wait(30), 0)
    nothing_left(place)


def files_of(pid):
    files = set()
    for fd in os.listdir("/proc/%d/fd" % pid):
        with contextlib.suppress(FileNotFoundError):
            files.add(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
    return files


def test_lets_go(place):
    """The worker holds no descriptor, directory or terminal of the program"""
    read, write = os.pipe()
    child = hammering(place, 1, pass_fds=(write,))
    os.close(write)
    above = worker(child)
    same(os.readlink("/proc/%d/cwd" % above), "/")
    same(os.getsid(above), above)
    # Sockets of calls that are being answered come and go.
    until(lambda: all(what.startswith(("anon_inode:", "/dev/null", "/proc/")) for what in files_of(above)),
          "nothing but that to be open")
    child.stdin.close()
    child.wait(30)
    nothing_left(place)
    os.close(read)


def test_long_start(place):
    """How the start went is known when it is over, not when the filter is there: PATH has thousands of directories"""
    status, out, err = place.run("run", "--", "no-such-program", env={"PATH": "/nowhere:" * 10000})
    same((status, out), (127, ""), err)
    assert "there is no such program" in err, err
    nothing_left(place)
    same(place.runs(), [])


# ---- in between ----

class Between:
    """A program that has ended with 7. The worker is stopped: it has told that, and taken it from the kernel, and has
    not yet seen whether anybody is left."""

    def __init__(self, place):
        if not WAITID:
            raise Skip("the number of waitid is not known here")
        self.child = place.start("run", "--", "sh", "-c", "read line; exit 7", stdin=subprocess.PIPE)
        self.worker = worker(self.child)
        self.program = until(lambda: descendants(self.worker)[1:], "the program")[0]
        self.stepper = Stepper(self.worker)
        self.stepper.stop()
        self.child.stdin.close()
        same(self.stepper.after(WAITID, 1, self.program), 0, "P_PID")


def test_told_with_what_belongs_to_it(place):
    """That the program has ended is heard together with whether anybody is left, whenever the keeper looks"""
    between = Between(place)
    assert has_looked(between.child.pid, signal.SIGCHLD), "it has ended"
    between.stepper.let_go()
    same(between.child.wait(30), 7)
    same(place.runs(), [])
    nothing_left(place)


def test_told_before_death(place):
    """A worker that is killed when it has told, and taken, what nobody else can hear: the keeper has heard it"""
    between = Between(place)
    os.kill(between.worker, signal.SIGKILL)
    os.waitpid(between.worker, WALL)
    same(between.child.wait(30), 7)
    same(place.runs(), [])
    nothing_left(place)


def process_of_number(number):
    """A child that sleeps, with this number, and keeps its signals."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for _ in range(200):
        try:
            with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                file.write(str(number - 1))
        except OSError as reason:
            raise Skip("no process can be given a number: %s" % reason) from reason
        pid = os.fork()
        if pid == 0:
            if os.getpid() == number:
                signal.sigwait({signal.SIGTERM})
            os._exit(0)
        if pid == number:
            return
        os.waitpid(pid, 0)
    raise Skip("somebody else has the number")


def test_signal_to_a_number_of_before(place):
    """A signal for a program that is gone does not go to the next process that has its number"""
    between = Between(place)
    process_of_number(between.program)
    try:
        has_looked(between.child.pid, signal.SIGUSR1)
        has_looked(between.child.pid, signal.SIGCHLD)  # so it has done with the other one
        same(pending(between.program), [], "signals of the other program")
    finally:
        os.kill(between.program, signal.SIGKILL)
        os.waitpid(between.program, 0)
    between.stepper.let_go()
    same(between.child.wait(30), 7)
    nothing_left(place)


def test_dead_but_not_taken(place):
    """A last process that is dead, and which its parent cannot take yet: whoever serves waits for that, and sleeps"""
    for killed in False, True:
        child = place.start("run", "--", unreached(place), "storm", "0", stdin=subprocess.PIPE)
        above = worker(child)
        program = until(lambda: descendants(above)[1:], "the program")[0]
        if killed:
            kill(above)
        server = child.pid if killed else above
        ptrace(SEIZE, program)  # so it is ours when it is dead, and nobody else hears of it
        os.kill(program, signal.SIGKILL)
        until(lambda pid=program: state(pid) == "Z", "it to be dead")
        assert has_looked(server, signal.SIGCHLD), "who serves has ended"
        until(lambda: [state(server) for _ in range(20)] == ["S"] * 20, "it to sleep")
        os.waitpid(program, WALL)
        same(child.wait(30), -signal.SIGKILL)
        nothing_left(place)


def container(place):
    """A pid namespace, of which this test is the owner: its first process."""
    child = subprocess.Popen(["unshare", "-Urpf", "--kill-child", PYTHON, "-c", "import os; print(); os.read(0, 1)"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    place.started.append(child)
    if not line(child.stdout):
        raise Skip("no pid namespace can be made")
    return child, descendants(child.pid)[1]


def test_daemon_of_another_family(place):
    """A daemon in a pid namespace that the program has entered is nobody's descendant here: it is served all the same"""
    outside, first = container(place)
    child, _ = daemon(place, 5, "nsenter", "--preserve-credentials", "-U", "-p", "-t", str(first))

    def servers():
        return [pid for pid in descendants(os.getpid()) if name(pid) == "portshim-worker"]

    until(lambda: len(servers()) == 2, "the worker and its heir")
    above = servers()
    same([descendants(pid) for pid in above], [[pid] for pid in above], "nothing is below the worker and its heir")
    child.stdin.close()
    no_bad_call(child, 1)
    until(lambda: not any(map(alive, above)), "them to end")
    outside.stdin.close()
    outside.wait(30)
    nothing_left(place)


if "PORTSHIM_TEST_USER" in os.environ:
    unprivileged("tests/keeper/unreached.c", "tests/lib/stepper.py", user=os.environ["PORTSHIM_TEST_USER"])
main(globals())
