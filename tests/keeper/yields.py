"""The strategy aggressive: a run that yields is started again without its port, everybody else keeps what he has."""
import contextlib
import json
import os
import pty
import random
import select
import signal
import socket
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (PORTSHIM, PYTHON, STATIC, Skip, alive, descendants, end, free_port, line, main,  # noqa: E402
                     no_filter, read_json, same, state, until)
from static import build_any

# server.py PORT WORD [FLAG...]: prints "PID PORT" or the errno's name, answers every client with the word. slow: at SIGTERM
# it prints "term" and goes on until a line comes on stdin; deaf: it ignores SIGTERM; status=N: how it ends at SIGTERM;
# early: prints "PID binds" before it binds; loop: answers "again" and binds anew for each line on stdin.
SERVER = """
import errno, os, select, signal, socket, sys
port, word, flags = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
def term(number, frame):
    if "slow" in flags:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # another one would ask for another line
        print("term", flush=True)
        sys.stdin.readline()
    os._exit(next((int(f[7:]) for f in flags if f.startswith("status=")), 0))
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in flags else term)
if "eintr" in flags or "restart" in flags:
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    signal.siginterrupt(signal.SIGUSR1, "eintr" in flags)
if "early" in flags:
    print(os.getpid(), "binds", flush=True)
kind = socket.SOCK_DGRAM if "udp" in flags else socket.SOCK_STREAM
listener = socket.socket(socket.AF_INET, kind)
if "udp" not in flags:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
while True:
    try:
        listener.bind(("127.0.0.1", port))
        break
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
        if "loop" not in flags:
            os._exit(3)
        sys.stdin.readline()
if "udp" in flags:
    print(os.getpid(), port, flush=True)
    while True:
        data, peer = listener.recvfrom(100)
        listener.sendto(word.encode(), peer)
listener.listen()
print(os.getpid(), listener.getsockname()[1], flush=True)
while True:
    peer = listener.accept()[0]
    peer.sendall(word.encode())
    peer.close()
"""

CLIENT = """
import select, socket, sys
def ask(port):
    if "udp" in sys.argv:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(20)
            s.connect(("127.0.0.1", port))
            s.send(b"?")
            return s.recv(100).decode()
    with socket.socket() as peer:
        peer.connect(("127.0.0.1", port)) # it blocks, as a socket with a timeout does not (docs/limits.md, Bounds)
        peer.settimeout(20)
        return peer.recv(100).decode()
def told(port):
    try:
        return ask(port)
    except ConnectionResetError:
        return "refused" # accepted by a server that was just ended
    except ConnectionRefusedError:
        return "refused"
if "loop" in sys.argv:
    answers = set()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        answers.add(told(int(sys.argv[1])))
    print(*sorted(answers))
else:
    print(told(int(sys.argv[1])))
"""


PATIENT = {"PORTSHIM_GRACE_MS": "60000"}  # a program is not killed because we are slow


def manifest(place, name, port, **service):
    """A project whose service web has this port and one more."""
    directory = place.directory(name)
    service = {"ports": [port], "range": "%d-%d" % (port + 1, port + 9), **service}
    with open(os.path.join(directory, "ports.manifest.json"), "w", encoding="utf-8") as file:
        json.dump({"version": 1, "project": name, "services": {"web": service}}, file)
    return directory


def program(port, word, *flags):
    return [PYTHON, "-c", SERVER, str(port), word, *flags]


def serve(place, cwd, port, word, *flags, options=(), **more):
    """A server under run: the process; its first line is what it has bound."""
    return place.start("run", *options, "--", *program(port, word, *flags), cwd=cwd, **more)


def bound(child):
    pid, port = line(child.stdout).split()
    return int(pid), int(port)


def ask(place, cwd, port, *flags):
    status, out, err = place.run("run", "--quiet", "--", PYTHON, "-c", CLIENT, str(port), *flags, cwd=cwd)
    same(status, 0, err)
    return out.strip()


def served(place, cwd, port):
    said = ask(place, cwd, port)
    return said if said != "refused" else None


def error(child):
    """What was said until now and will be: the process is ended first."""
    if child.poll() is None:
        child.terminate()
    child.wait(timeout=30)
    return child.stderr.read().decode()


def two(place, **newcomer):
    port = free_port()
    a = manifest(place, "shop-a", port, yields=True)
    b = manifest(place, "shop-b", port, **{"strategy": "aggressive", **newcomer})
    return port, a, b


def discovery(directory):
    return read_json(os.path.join(directory, ".portshim", "ports.json"))["services"]["web"]


def test_taken(place):
    """The newcomer gets its port, the holder's program is started again beside it, and each one's clients follow"""
    port, a, b = two(place)
    holder = serve(place, a, port, "a", "status=5")
    first, actual = bound(holder)
    same(actual, port)
    newcomer = serve(place, b, port, "b")
    same(bound(newcomer)[1], port)
    second, actual = bound(holder)
    same(actual, port + 1)
    assert second != first and not alive(first)
    same(ask(place, a, port), "a")
    same(ask(place, b, port), "b")
    same(discovery(b)["reason"], "yielded")
    same((discovery(a)["reason"], discovery(a)["requested"]), ("range", port))
    status, out, _ = place.run("why", str(port), cwd=a)
    assert status == 0 and "yielded it to environment shop-b" in out, out
    status, out, _ = place.run("why", "web", cwd=b)
    assert status == 0 and "environment shop-a yielded it" in out, out
    pid = discovery(b)["process_id"]
    same(error(newcomer), "")
    said = error(holder)
    same(holder.returncode, 5, "the status of the last start")
    lines = said.splitlines()
    same(lines[0].split(" is yielded to ")[0], "portshim: web %d" % port)
    assert ", pid %d, in environment shop-b, " % pid in lines[0] and lines[0].endswith(" is started again"), said
    assert lines[1].startswith("portshim: web %d -> %d (%d is held by " % (port, port + 1, port)), said
    same(len(lines), 2, said)
    same(place.runs(), [])


def test_command_line(place):
    """--strategy aggressive does it without a manifest"""
    port, a, _ = two(place)
    holder = serve(place, a, port, "a")
    bound(holder)
    newcomer = serve(place, place.directory("plain"), port, "b", options=["--strategy", "aggressive"])
    same(bound(newcomer)[1], port)
    same(bound(holder)[1], port + 1)


def test_datagrams(place):
    """UDP is no other"""
    port, a, b = two(place)
    holder = serve(place, a, port, "a", "udp")
    bound(holder)
    newcomer = serve(place, b, port, "b", "udp")
    bound(newcomer)
    bound(holder)
    same(ask(place, a, port, "udp"), "a")
    same(ask(place, b, port, "udp"), "b")


def refused(place, b, port, *words):
    newcomer = serve(place, b, port, "b")
    same(line(newcomer.stdout), "EADDRINUSE\n")
    same(newcomer.wait(timeout=30), 3)
    said = newcomer.stderr.read().decode()
    same(len(said.splitlines()), 2, said)
    for word in ("portshim: %d is held by " % port, "the program got: Address already in use", "portshim free %d" % port) + words:
        assert word in said, (word, said)


def test_unmanaged(place):
    """A holder that does not run under portshim keeps its port; the line says who it is"""
    port, _, b = two(place)
    with subprocess.Popen(program(port, "x"), cwd=place.directory("else"), stdout=subprocess.PIPE) as other:
        try:
            pid, _ = bound(other)
            refused(place, b, port, "pid %d" % pid, "~/else")
            assert alive(pid)
        finally:
            other.kill()


def test_unwilling(place):
    """So does one whose manifest does not let it be moved, or that has no keeper, or only --quiet to say"""
    port, a, b = two(place)
    manifest(place, "shop-a", port)
    holder = serve(place, a, port, "a")
    pid, _ = bound(holder)
    refused(place, b, port, "pid %d" % pid, "in environment shop-a, ", "/shop-a", "\"yields\": true")
    assert alive(pid)
    error(holder)
    manifest(place, "shop-a", port, yields=True)
    holder = place.start("exec", "--", *program(port, "a"), cwd=a)
    pid, _ = bound(holder)
    refused(place, b, port, "pid %d" % pid, "it has no keeper")
    newcomer = serve(place, b, port, "b", options=["--quiet"])
    same(line(newcomer.stdout), "EADDRINUSE\n")
    same(error(newcomer), "")


def test_outside_of_manifest(place):
    """A port that no service has yields by the defaults"""
    port = free_port()
    a, b = place.directory("a"), place.directory("b")
    for directory, defaults in (a, {"yields": True}), (b, {"strategy": "aggressive"}):
        with open(os.path.join(directory, "ports.manifest.json"), "w", encoding="utf-8") as file:
            json.dump({"version": 1, "services": {}, "defaults": defaults}, file)
    holder = serve(place, a, port, "a")
    bound(holder)
    newcomer = serve(place, b, port, "b")
    same(bound(newcomer)[1], port)
    assert bound(holder)[1] != port


def test_deaf(place):
    """A program that ignores SIGTERM is killed"""
    port, a, b = two(place)
    holder = serve(place, a, port, "a", "deaf", env={"PORTSHIM_GRACE_MS": "50"})
    first, _ = bound(holder)
    newcomer = serve(place, b, port, "b")
    same(bound(newcomer)[1], port)
    assert not alive(first)
    same(bound(holder)[1], port + 1)
    holder.kill()
    holder.wait()


# Starts the server twice removed, in a session of its own, and ends at SIGTERM without it.
DAEMON = """
import os, subprocess, sys, signal
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
signal.pause()
"""


def test_daemon(place):
    """What the program has put into the background is ended with it"""
    for flags in (), ("deaf",):
        port, a, b = two(place)
        holder = place.start("run", "--", PYTHON, "-c", DAEMON, SERVER, str(port), "a", *flags, cwd=a,
                             env={"PORTSHIM_GRACE_MS": "200"})
        first, actual = bound(holder)
        same(actual, port)
        newcomer = serve(place, b, port, "b")
        same(bound(newcomer)[1], port)
        assert not alive(first)
        same(bound(holder)[1], port + 1)
        for child in newcomer, holder:
            for pid in reversed(descendants(child.pid)):
                end(pid) # a worker may be gone by itself when it has nobody left
            child.wait()


def test_no_ping_pong(place):
    """Who has yielded takes no more; a third one takes from the second"""
    port = free_port()
    both = {"strategy": "aggressive", "yields": True}
    directories = [manifest(place, "shop-%s" % name, port, **both) for name in "abc"]
    children = []
    for at, directory in enumerate(directories):
        children.append(serve(place, directory, port, "abc"[at]))
        same(bound(children[at])[1], port)
        if at:
            actual = bound(children[at - 1])[1]
            assert actual != port, "the one before moved"
    for at, directory in enumerate(directories):
        same(ask(place, directory, port), "abc"[at])
    # The last is gone; the first is started again by another who wants its port, and still does not take.
    error(children[2])
    same(discovery(directories[0])["port"], port + 1)
    fourth = manifest(place, "shop-d", port + 1, strategy="aggressive")
    child = serve(place, fourth, port + 1, "d")
    same(bound(child)[1], port + 1)
    actual = bound(children[0])[1]
    assert actual not in (port + 1, ), "the first has yielded a second one"


def test_same_run(place):
    """Within a run the kernel's verdict is all (law 3)"""
    port = free_port()
    a = manifest(place, "shop-a", port, strategy="aggressive", yields=True)
    twice = """
import socket, sys
s, t = socket.socket(), socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
try:
    t.bind(("127.0.0.1", int(sys.argv[1])))
except OSError as e:
    print(e.errno == 98)
"""
    same(place.run("run", "--", PYTHON, "-c", twice, str(port), cwd=a), (0, "True\n", ""))


def test_same_environment(place):
    """Another run of the same environment is asked as well"""
    port = free_port()
    a = manifest(place, "shop-a", port, strategy="aggressive", yields=True)
    holder = serve(place, a, port, "first")
    bound(holder)
    newcomer = serve(place, a, port, "second")
    same(bound(newcomer)[1], port)
    same(bound(holder)[1], port + 1)


def test_inside(place):
    """A run does not end what it was started in"""
    port = free_port()
    a = manifest(place, "shop-a", port, strategy="aggressive", yields=True)
    outer = """
import os, socket, subprocess, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print(os.getpid(), flush=True)
print(subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL).returncode, flush=True)
"""
    status, out, err = place.run("run", "--", PYTHON, "-c", outer, str(port), PORTSHIM, "run", "--env", "other", "--",
                                 *program(port, "x"), cwd=a)
    same((status, out.split()[1:]), (0, ["EADDRINUSE", "3"]), err)
    assert "it did not yield" in err, err


def waits(place, a, b, port, *flags):
    """A holder that goes slowly, and a newcomer that waits for it."""
    holder = serve(place, a, port, "a", "slow", stdin=subprocess.PIPE, env=PATIENT)
    bound(holder)
    newcomer = serve(place, b, port, "b", "early", *flags)
    pid = int(line(newcomer.stdout).split()[0])
    same(line(holder.stdout), "term\n")
    return holder, newcomer, pid


def goes(holder):
    """It may have gone already, if it was interrupted."""
    with contextlib.suppress(BrokenPipeError):
        holder.stdin.write(b"\n")
        holder.stdin.flush()


def test_clients_meanwhile(place):
    """Clients of the holder's environment that wait for their connection meet their own server or none (law 9)"""
    port, a, b = two(place)
    holder = serve(place, a, port, "a")
    bound(holder)
    clients = place.start("run", "--quiet", "--", PYTHON, "-c", CLIENT, str(port), "loop", cwd=a, stdin=subprocess.PIPE)
    same(line(clients.stdout), "ready\n")
    newcomers = []
    for at in range(5):
        newcomers.append(serve(place, b, port, "b"))
        same(bound(newcomers[-1])[1], port)
        if not at:
            bound(holder)
        same(ask(place, a, port), "a")
        error(newcomers[-1])
    clients.stdin.close()
    answers = set(line(clients.stdout).split())
    assert "a" in answers and answers <= {"a", "refused"}, answers


def answers_of(place, cwd, program_of_ours, port):
    """What a static client and a preloaded one of that directory are answered."""
    status, out, err = place.run("run", "--quiet", "--static=on", "--", program_of_ours, "ask", str(port), cwd=cwd)
    same(status, 0, err)
    return out.strip(), ask(place, cwd, port)


def test_static(place):
    """Static programs yield and take: each is started again by a new worker, clients follow, and the notice names the taker"""
    if STATIC == "off":
        raise Skip("PORTSHIM_STATIC=off: there is no worker, and what is static is not reached")
    why = no_filter()
    if why:
        raise Skip(why)
    built = os.path.join(place.directory("bin"), "answers")
    if not build_any(built, "keeper/answers.c"):
        raise Skip("no static program can be built")
    for kinds in ("static", "static"), ("static", "python"), ("python", "static"):
        port, a, b = two(place)
        commands = [[built, "serve", str(port), word] if kind == "static" else program(port, word)
                    for kind, word in zip(kinds, "ab")]
        holder = place.start("run", "--static=on", "--", *commands[0], cwd=a)
        last, actual = bound(holder)
        same(actual, port, kinds)
        for again in range(3):
            newcomer = place.start("run", "--static=on", "--", *commands[1], cwd=b)
            same(bound(newcomer)[1], port, (kinds, again))
            if not again: # who has yielded takes no more: the next ones find the number free
                first, (last, actual) = last, bound(holder)
                assert actual != port and not alive(first), (kinds, actual)
                same(last in descendants(holder.pid), True, kinds)
            same(answers_of(place, a, built, port), ("a", "a"), kinds)
            same(answers_of(place, b, built, port), ("b", "b"), kinds)
            same(error(newcomer), "", kinds)
            same(answers_of(place, a, built, port), ("a", "a"), kinds)
        told = error(holder)
        same(told.count("is started again"), 1, kinds)
        # by whom: the program that waits, not the process that asks for it
        assert "is yielded to %s, " % ("answers" if kinds[1] == "static" else os.path.basename(PYTHON)) in told, told
        assert not alive(last), kinds
    same(place.runs(), [])


def test_signals_meanwhile(place):
    """A handler with SA_RESTART does not end the wait"""
    port, a, b = two(place)
    holder, newcomer, pid = waits(place, a, b, port, "restart")
    os.kill(pid, signal.SIGUSR1)
    until(lambda: not pending(pid, signal.SIGUSR1) and state(pid) == "S", "the handler")
    goes(holder)
    same(bound(newcomer)[1], port)
    bound(holder)
    error_of_slow(holder)


def test_interrupted(place):
    """bind returns EINTR, and may be called again"""
    if tuple(int(n) for n in os.uname().release.split("-")[0].split(".")[:2]) < (5, 16):
        raise Skip("no futex_waitv before Linux 5.16")
    port, a, b = two(place)
    holder = serve(place, a, port, "a", "slow", stdin=subprocess.PIPE, env=PATIENT)
    bound(holder)
    newcomer = serve(place, b, port, "b", "early", "eintr", "loop", stdin=subprocess.PIPE)
    pid = int(line(newcomer.stdout).split()[0])
    same(line(holder.stdout), "term\n")

    def heard():
        os.kill(pid, signal.SIGUSR1) # again, if it did not wait yet
        return select.select([newcomer.stdout], [], [], 0.02)[0]

    until(heard, "EINTR")
    same(line(newcomer.stdout), "EINTR\n")
    goes(newcomer)
    goes(holder)
    text = line(newcomer.stdout)
    same(text.split()[-1], str(port), text)


def test_newcomer_killed(place):
    """Nobody waits any more: the holder has its port again, and is started once"""
    port, a, b = two(place)
    holder, newcomer, pid = waits(place, a, b, port)
    os.kill(pid, signal.SIGKILL)
    newcomer.wait(timeout=30)
    goes(holder)
    same(bound(holder)[1], port)
    same(ask(place, a, port), "a")
    same(error_of_slow(holder).count("is started again"), 1)


def error_of_slow(holder):
    holder.terminate()
    same(line(holder.stdout), "term\n")
    goes(holder)
    holder.wait(timeout=30)
    return holder.stderr.read().decode()


def test_keeper_killed(place):
    """A keeper that is killed answers nobody: the newcomer is told so, soon"""
    port, a, b = two(place)
    holder, newcomer, _ = waits(place, a, b, port)
    processes = descendants(holder.pid)
    holder.kill()
    holder.wait()
    same(line(newcomer.stdout), "EADDRINUSE\n")
    said = newcomer.stderr.read().decode()
    assert "its keeper is gone" in said, said
    for pid in processes[1:]:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_ended_meanwhile(place):
    """Who ends the run while its program ends has it ended: no new start"""
    port, a, b = two(place)
    for number in signal.SIGINT, signal.SIGTERM:
        holder, newcomer, _ = waits(place, a, b, port)
        holder.send_signal(number)
        until(lambda: not pending(holder.pid, number), "the keeper to have it")
        goes(holder)
        same(bound(newcomer)[1], port)
        holder.wait(timeout=30)
        assert set(holder.stdout.read().split()) <= {b"term"}, "no new start"
        error(newcomer)


def pending(pid, number):
    with open("/proc/%d/status" % pid, encoding="ascii") as file:
        text = file.read()
    return int(text.split("ShdPnd:")[1].split()[0], 16) >> (number - 1) & 1


def test_gap(place):
    """SIGINT when the program is gone, and what it left is not: the run dies by it"""
    port, a, b = two(place)
    leaves = """
import os, signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
signal.pause()
"""
    holder = place.start("run", "--", PYTHON, "-c", leaves, SERVER, str(port), "a", "slow", cwd=a, stdin=subprocess.PIPE,
                         env=PATIENT)
    bound(holder)
    newcomer = serve(place, b, port, "b")
    same(line(holder.stdout), "term\n")
    holder.send_signal(signal.SIGINT)
    until(lambda: not pending(holder.pid, signal.SIGINT), "the keeper to have it")
    goes(holder)
    same(bound(newcomer)[1], port)
    same(holder.wait(timeout=30), -signal.SIGINT)


def test_descriptors(place):
    """The program that is started again has the same stdin, stdout and stderr, closed ones too, and the same directory"""
    port, a, b = two(place)
    shows = """
import os, sys
def what(fd):
    try:
        return os.readlink("/proc/self/fd/%d" % fd)
    except OSError:
        return "closed"
out = [what(0), what(2), os.getcwd(), *[str(fd) for fd in range(3, 20) if what(fd) != "closed"], os.environ["SHOWN"]]
os.write(1, (" ".join(out) + "\\n").encode())
""" + SERVER.replace('print(', 'os.write(1, b"bound\\n") or (lambda *a, **k: None)(')
    holder = place.start("run", "--", PYTHON, "-c", shows, str(port), "a", cwd=a, env={"SHOWN": "yes"},
                         preexec_fn=lambda: os.close(0))
    first = line(holder.stdout)
    same(line(holder.stdout), "bound\n")
    newcomer = serve(place, b, port, "b")
    same(bound(newcomer)[1], port)
    same(line(holder.stdout), first)
    assert first.startswith("closed pipe:["), first


def test_terminal(place):
    """The program that is started again has the terminal, in the mode that it was in"""
    port, a, b = two(place)
    raw = """
import os, sys, tty
print("fg", os.tcgetpgrp(0) == os.getpgrp(), flush=True)
tty.setraw(0)
""" + SERVER
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)

    def lead():
        os.setsid()
        os.close(os.open(os.ttyname(0), os.O_RDWR))

    holder = place.start("run", "--", PYTHON, "-c", raw, str(port), "a", "deaf", cwd=a, stdin=theirs, preexec_fn=lead,
                         env={"PORTSHIM_GRACE_MS": "50"})
    same(line(holder.stdout), "fg True\n")
    bound(holder)
    assert termios.tcgetattr(theirs) != before
    newcomer = serve(place, b, port, "b")
    same(bound(newcomer)[1], port)
    same(line(holder.stdout), "fg True\n")
    bound(holder)
    for pid in reversed(descendants(holder.pid)):
        end(pid)
    os.close(ours)
    os.close(theirs)


def test_cannot_start_again(place):
    """A program that is gone when it is to be started again: 127, and one line"""
    port, a, b = two(place)
    copy = os.path.join(a, "server")
    with open(copy, "w", encoding="utf-8") as file:
        file.write("#!%s\n%s" % (PYTHON, SERVER))
    os.chmod(copy, 0o755)
    holder = place.start("run", "--", copy, str(port), "a", cwd=a)
    bound(holder)
    os.unlink(copy)
    newcomer = serve(place, b, port, "b")
    same(bound(newcomer)[1], port)
    same(holder.wait(timeout=30), 127)
    assert "cannot start %s again: No such file" % copy in holder.stderr.read().decode()


def test_crowd(place):
    """Twenty at once: one of them has it, the others are told so, and everybody's clients find their own"""
    port, a, _ = two(place)
    holder = serve(place, a, port, "a")
    bound(holder)
    directories = [manifest(place, "crowd-%d" % at, port, strategy="aggressive") for at in range(20)]
    gate, release = os.pipe()
    waiting = "import os; os.read(%d, 1)\n" % gate
    crowd = [place.start("run", "--", PYTHON, "-c", waiting + SERVER, str(port), "crowd-%d" % at, cwd=directory,
                         pass_fds=[gate]) for at, directory in enumerate(directories)]
    os.close(gate)
    os.close(release)
    results = [line(child.stdout) for child in crowd]
    have = [at for at, result in enumerate(results) if result != "EADDRINUSE\n"]
    same(len(have), 1, results)
    same(results[have[0]].split()[1], str(port))
    same(bound(holder)[1], port + 1)
    same(ask(place, a, port), "a")
    same(ask(place, directories[have[0]], port), "crowd-%d" % have[0])
    for at, child in enumerate(crowd):
        if at not in have:
            assert "%d is held by " % port in error(child), at
    status, out, _ = place.run("status", "--all", "--json")
    same([entry["port"] for entry in json.loads(out)["assignments"] if entry["port"] == port], [port])
    error(crowd[have[0]])
    same(error(holder).count("is started again"), 1)


def test_yielding_crowd(place):
    """Ten that take and yield: one after the other takes it from the one before, and it ends"""
    port = free_port()
    directories = [manifest(place, "crowd-%d" % at, port, strategy="aggressive", yields=True) for at in range(10)]
    crowd = [serve(place, directory, port, "crowd-%d" % at) for at, directory in enumerate(directories)]

    def settled():
        status, out, _ = place.run("status", "--all", "--json")
        ports = [entry["port"] for entry in json.loads(out)["assignments"] if entry["state"] == "listening"]
        refused_ones = sum(child.poll() == 3 for child in crowd)
        return ports if len(ports) + refused_ones == 10 and port in ports else None

    ports = until(settled, "everybody to have a port or none")
    same(len(set(ports)), len(ports))
    for at, child in enumerate(crowd):
        if child.poll() is None:
            same(ask(place, directories[at], port), "crowd-%d" % at)


def end_all(*children):
    """Ends runs and all that is left of them."""
    for child in children:
        for pid in descendants(child.pid) if child.poll() is None else []:
            end(pid)
        child.wait()


def kill_one(place, who, delay):
    """Kills one of the four processes at some moment of the exchange; then everything must be in order."""
    port, a, b = two(place)
    holder = serve(place, a, port, "a", "loop")
    first, _ = bound(holder)
    newcomer = serve(place, b, port, "b", "early")
    pid = int(line(newcomer.stdout).split()[0])
    time.sleep(delay) # the moment is drawn; whatever it is must do
    end({"newcomer": pid, "its keeper": newcomer.pid, "holder": first, "the holder's keeper": holder.pid}[who])
    what = "%s killed after %.4f s" % (who, delay)
    if who == "the holder's keeper":
        result = line(newcomer.stdout).split()
        assert result == ["EADDRINUSE"] or result[1:] == [str(port)], (what, result)
    elif who == "newcomer":
        newcomer.wait(timeout=30)
    elif who == "holder":
        # Either it ended by itself, and its run with it; or it is started again, because that had begun.
        same(line(newcomer.stdout).split()[1:], [str(port)], what)
    else:
        same(line(newcomer.stdout).split()[1:], [str(port)], what)

    def in_order():
        status, out, err = place.run("status", "--all", "--json")
        same(status in (0, 1), True, err)
        entries = [e for e in json.loads(out)["assignments"] if e["state"] == "listening"]
        runs_on = holder.poll() is None
        good = all(e["alive"] for e in entries) and (not runs_on or any(e["directory"] == a for e in entries))
        return [entries] if good else None

    entries = until(in_order, what)[0]
    same(len({e["port"] for e in entries}), len(entries), what)
    for entry in entries:
        word = "a" if entry["directory"] == a else "b"
        # A dead newcomer's wish may still be about to be granted: the program is gone for a moment.
        same(until(lambda at=entry["directory"]: served(place, at, port), what), word, what)
    # The same registry serves the next one: it has the port, or is told who has.
    third = serve(place, manifest(place, "shop-c", port, strategy="aggressive"), port, "c")
    result = line(third.stdout).split()
    assert result == ["EADDRINUSE"] or result[1:] == [str(port)], (what, result)
    end_all(third, newcomer, holder)

    def nothing_left():
        # A program whose keeper was killed goes on, and may just have begun to.
        for entry in json.loads(place.run("status", "--all", "--json")[1])["assignments"]:
            end(entry["process_id"])
        return place.run("status", "--all")[0] == 1

    until(nothing_left, what + ": nothing left")


def test_killed(place):
    """Each of the four killed at any moment: the others go on, and the registry serves the next"""
    seed = int(os.environ.get("YIELD_SEED") or random.randrange(1 << 30))
    draw = random.Random(seed)
    try:
        for _ in range(int(os.environ.get("YIELD_ROUNDS") or 4)):
            for who in "newcomer", "its keeper", "holder", "the holder's keeper":
                kill_one(place, who, draw.uniform(0, 0.008) if draw.random() < 0.7 else draw.uniform(0, 0.08))
    except BaseException:
        print("YIELD_SEED=%d" % seed)
        raise


if __name__ == "__main__":
    main(globals())
