"""Static programs that send and receive datagrams (datagrams.c): what they find out is the same natively and where the
server's port is another one, on each C library and word size that can be compiled for here."""
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import (LIMIT, PORTSHIM, Skip, check, command, free_row, line, read, run_parts, start)  # noqa: E402
from static import build_or_why  # noqa: E402

WATCH = 250
TRIES = 5
programs, natively = {}, {}


def program(name):
    """The program, static, compiled with that compiler."""
    if name not in programs:
        path = os.path.abspath("datagrams-" + name)
        programs[name] = path, build_or_why(name, path, "notify/datagrams.c")
    path, why = programs[name]
    if why:
        raise Skip(why)
    return path


def ports():
    """One for the server and one that nobody has, as words."""
    first = free_row(2)
    return str(first), str(first + 1)


def without_late(text):
    return text.removesuffix(", late")


def native(name):
    if name not in natively:
        status, out, err = command(program(name), *ports(), limit=WATCH)
        assert status == 0 and not err, "natively: %s %s" % (status, err)
        natively[name] = [without_late(text) for text in out.split("\n")]
    return natively[name]


def holder(port):
    """Has the port, and answers nobody."""
    held = [socket.socket(socket.AF_INET6, kind) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    for one in held:
        one.bind(("::", int(port)))
    held[1].listen()
    return held


def environment(name):
    """A directory that is a project of its own."""
    os.makedirs(os.path.join(name, ".git"), exist_ok=True)
    return name


def moved(name, words, directory):
    return start(PORTSHIM, "run", "--static=on", "--", program(name), *words, cwd=environment(directory))


def late_ones(said):
    return {i for i, text in enumerate(said) if text != without_late(text)}


def compare(what, name, said, words):
    """What came late when the machine was busy does not so again and again."""
    wanted, said = native(name), said.split("\n")
    check(len(said) == len(wanted), "%s: %d lines, natively %d" % (what, len(said), len(wanted)))
    for natural, ours in zip(wanted, said):
        check(natural == without_late(ours), "%s\n  natively: %s\n  moved:    %s" % (what, natural, ours))
    late = late_ones(said)
    for i in range(TRIES):
        if late:
            late &= late_ones(ended(moved(name, words, "%s-late-%d" % (what, i)), what)[0].split("\n"))
    check(not late, "%s: always late: %s" % (what, [said[i] for i in late]))


def ended(child, what):
    """(stdout, stderr) of a child that ends by itself; where it got to, if it does not."""
    try:
        out, err = child.communicate(timeout=WATCH)
    except subprocess.TimeoutExpired as e:
        raise AssertionError("%s does not end; it said\n%s" % (what, (e.stdout or b"").decode())) from e
    check(child.returncode == 0, "%s: exit status %s: %s" % (what, child.returncode, err))
    return out, err


def same_as_native(name):
    words = ports()
    native(name)
    held = holder(words[0])
    child = moved(name, words, "moved-" + name)
    out, err = ended(child, name)
    check(re.search(r"\b%s\b" % words[0], err), "%s: it was moved: %s" % (name, err))
    compare(name, name, out, words)
    for one in held:
        one.close()


def check_musl():
    same_as_native("musl")


def check_glibc():
    same_as_native("glibc")


def check_i386():
    same_as_native("i386")


def check_twice():
    """Two at once, each with its own server on the one port."""
    name = "glibc"
    words = ports()
    native(name)
    children = [moved(name, words, directory) for directory in ("first", "second")]
    for directory, child in zip(("first", "second"), children):
        compare(directory, name, ended(child, directory)[0], words)


def parent_of(pid):
    return int(re.search(rb"^PPid:\t(\d+)$", read("/proc/%d/status" % pid), re.M).group(1))


def is_asleep(pid):
    """It waits in the kernel, interruptibly or for an answer."""
    return read("/proc/%d/stat" % pid).rsplit(b")", 1)[1].split()[0] in (b"S", b"D")


def until(good, what):
    """What no event tells, looked for within a limit."""
    end = time.monotonic() + LIMIT
    while not good():
        if time.monotonic() > end:
            raise AssertionError("never: " + what)
        time.sleep(0.002)


def is_held(pid):
    """Asleep for as long as the call's way to the server can take."""
    until(lambda: all(is_asleep(pid) for _ in range(3) if not time.sleep(0.01)), "the program waits")


def take_over(before_kill):
    """A call is held while the worker is killed; whoever serves then answers it, wakes it for a signal, and holds
    others."""
    words = ports()
    held = holder(words[0])
    child = start(PORTSHIM, "run", "--static=on", "--", program("glibc"), *words, "wait",
                  cwd=environment("killed-%d" % before_kill), stdin=subprocess.PIPE)
    line(child.stdout)  # bind
    pid = int(line(child.stdout).split()[1])
    for i in range(6):
        check(line(child.stdout) == "waits\n", "it waits")
        is_held(pid)
        if i == before_kill:
            worker = parent_of(pid)
            check(parent_of(worker) == child.pid, "the worker is the program's parent")
            os.kill(worker, signal.SIGKILL)
            until(lambda: parent_of(pid) == child.pid, "the program is the keeper's child")
        if i % 2:  # the server answers what was asked before
            child.stdin.write("\n")
            child.stdin.flush()
        else:
            os.kill(pid, signal.SIGUSR1)
        said = line(child.stdout)
        wanted = "received: 1 'w' from 127.0.0.1 requested, 16" if i % 2 else "received: -4 '' from no name, 128"
        check(said.startswith(wanted), "%d, worker killed before %d: %s" % (i, before_kill, said))
    ended(child, "killed before %d" % before_kill)
    for one in held:
        one.close()


def check_worker_killed():
    for before_kill in range(4):
        take_over(before_kill)


run_parts(check_musl, check_glibc, check_i386, check_twice, check_worker_killed, seconds=550)
