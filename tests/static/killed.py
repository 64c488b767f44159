"""The processes that answer the filter, killed and stopped at moments of chance while static programs make calls as
fast as they can (hammer.c), twice in parallel on the same numbers: no call fails, none is lost, none reaches another's
server. Then both of them killed; too few descriptors for them.

By hand: BUILD=build build/tests/own_network /usr/bin/python3 tests/static/killed.py [SEED]
"""
import os
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (LIMIT, PORTSHIM, alive, check, descendants, end, free_row, line, run_parts, start,  # noqa: E402
                     until, write)
from static import build_any  # noqa: E402

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(1 << 30)
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "12"))
chance = random.Random(SEED)


class Hammer:
    """A run of the hammer, and its processes. The calls are counted by kind: connects, binds, datagrams."""

    def __init__(self, numbers, *words, before=None, environment=None):
        os.makedirs(environment or "one", exist_ok=True)
        self.run = start(PORTSHIM, "run", "--quiet", "--static=on", "--env", environment or "one", "--",
                         os.path.abspath("hammer"), *map(str, numbers), *words, stdin=subprocess.PIPE,
                         preexec_fn=before)
        self.keeper = self.run.pid
        said = line(self.run.stdout)
        self.program = int(said.split()[1]) if said.startswith("ready") else 0
        # Without a program there is nobody to kill: 0 would be ourselves.
        assert self.program, "the hammer does not start: %r (seed %d)" % (said, SEED)
        self.worker = parent(self.program)

    def ask(self):
        """The counts as they are now, and (last) the calls that were answered with ENOSYS."""
        try:
            os.write(self.run.stdin.fileno(), b"x")
        except BrokenPipeError:
            pass
        said = line(self.run.stdout)
        check(re.match("[0-9 ]+, ENOSYS", said), "the hammer says: %r" % said)
        return [int(n) for n in re.findall("[0-9]+", said)] if said[:1].isdigit() else []

    def goes_on(self, what):
        """Each kind of call is made at least twice more: the second one was begun after now."""
        before = self.ask()
        now = before
        deadline = time.monotonic() + 2 * LIMIT
        while before and now and any(n < b + 8 for n, b in zip(now[:3], before[:3])) and time.monotonic() < deadline:
            time.sleep(0.002)
            now = self.ask()
        return check(before and now and all(n >= b + 8 for n, b in zip(now[:3], before[:3])),
                     "%s: goes on: %s, then %s (seed %d)" % (what, before, now, SEED))

    def close(self, what, wanted=0):
        """What it said at last, and the keeper's exit status."""
        try:
            self.run.stdin.close()
        except BrokenPipeError:
            pass
        rest = ""
        while select.select([self.run.stdout], [], [], LIMIT)[0]:
            part = os.read(self.run.stdout.fileno(), 4096).decode()
            if not part:
                break
            rest += part
        if alive(self.run.pid) or self.run.poll() is None:
            self.run.wait(LIMIT)
        check("wrong" not in rest and self.run.returncode == wanted,
              "%s: ended with %s: %r (seed %d)" % (what, self.run.returncode, rest, SEED))
        err = self.run.stderr.read() if self.run.stderr else ""
        check(not err, "%s: said %r" % (what, err))
        return rest


def parent(pid):
    with open("/proc/%d/stat" % pid) as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


def wait_a_moment(most):
    """A moment of chance; nothing that has an event."""
    time.sleep(chance.random() * most)


def held():
    """The two numbers of a hammer; somebody has them and what follows, for TCP and UDP."""
    first, sockets = free_row(4), []
    for number in range(first, first + 4):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            sockets.append(socket.socket(socket.AF_INET, kind))
            sockets[-1].bind(("127.0.0.1", number))
            sockets[-1].setblocking(False)
        sockets[-2].listen()
    return [first, first + 1], sockets


def untouched(sockets, what):
    """Nobody came to the outsider."""
    for one in sockets:
        try:
            one.accept() if one.type == socket.SOCK_STREAM else one.recv(1)
            check(False, "%s: somebody came to the outsider" % what)
        except BlockingIOError:
            check(True, "nobody came to the outsider")
        one.close()


def check_killed_worker():
    numbers, outsiders = held()
    for i in range(ROUNDS):
        both = [Hammer(numbers, environment=name) for name in ("one", "two")]
        for hammer in both:
            check(hammer.worker != hammer.keeper, "a worker stands between keeper and program")
            wait_a_moment(0.05)
            os.kill(hammer.worker, signal.SIGKILL)
        for hammer in both:
            hammer.goes_on("round %d, worker killed" % i)
        for hammer in both:
            hammer.close("round %d, worker killed" % i)
    untouched(outsiders, "worker killed")


def check_killed_while_it_starts():
    """Before the program is there, or just after."""
    numbers, outsiders = held()
    for i in range(ROUNDS):
        child = start(PORTSHIM, "run", "--quiet", "--static=on", "--", os.path.abspath("hammer"), *map(str, numbers),
                      stdin=subprocess.PIPE)
        workers = until(lambda: descendants(child.pid)[1:], "a worker")
        wait_a_moment(0.02)
        end(workers[0])
        said = line(child.stdout)
        child.stdin.close()
        child.wait(LIMIT)
        err = child.stderr.read()
        # Either the program never was, and that is said; or nothing is to be seen of it.
        check(said.startswith("ready") and child.returncode == 0 and not err or
              not said and child.returncode and err.startswith("portshim:"),
              "round %d: %r, status %s, %r (seed %d)" % (i, said, child.returncode, err, SEED))
    untouched(outsiders, "worker killed while it starts")


def check_killed_keeper():
    numbers, outsiders = held()
    for i in range(ROUNDS // 3):
        hammer = Hammer(numbers)
        wait_a_moment(0.05)
        os.kill(hammer.keeper, signal.SIGKILL)
        hammer.goes_on("round %d, keeper killed" % i)
        hammer.close("round %d, keeper killed" % i, -signal.SIGKILL)
        until(lambda: not alive(hammer.worker), "the worker to end with the last process of the run")
        check(True, "the worker ends")
    untouched(outsiders, "keeper killed")


def check_both_killed():
    """Nobody can answer any more: ENOSYS, at once, and never somebody else's server."""
    numbers, outsiders = held()
    for i in range(ROUNDS // 3):
        hammer = Hammer(numbers, "lasting")
        check(hammer.worker != hammer.keeper, "a worker stands between keeper and program")
        first, second = (hammer.keeper, hammer.worker) if i % 2 else (hammer.worker, hammer.keeper)
        wait_a_moment(0.02)
        os.kill(first, signal.SIGKILL)
        wait_a_moment(0.01)
        os.kill(second, signal.SIGKILL)
        until(lambda: hammer.ask()[3] > 10, "ENOSYS")
        hammer.close("round %d, both killed" % i, -signal.SIGKILL)
    untouched(outsiders, "both killed")


def check_stopped():
    """A worker that stands still: the calls wait, and all is well when it goes on."""
    numbers, outsiders = held()
    hammer = Hammer(numbers)
    for i in range(ROUNDS // 2):
        wait_a_moment(0.02)
        os.kill(hammer.worker, signal.SIGSTOP)
        wait_a_moment(0.1)
        os.kill(hammer.worker, signal.SIGCONT)
        if not hammer.goes_on("round %d, stopped and continued" % i):
            return
    os.kill(hammer.worker, signal.SIGSTOP)
    wait_a_moment(0.02)
    os.kill(hammer.worker, signal.SIGKILL)
    hammer.goes_on("stopped and killed")
    hammer.close("stopped")
    untouched(outsiders, "stopped")


def check_few_descriptors():
    """portshim may have only so many: either it says that it cannot, or nothing is to be seen of it."""
    for limit in (4, 5, 6, 7, 8, 10, 14, 20):
        numbers, outsiders = held()
        child = start(PORTSHIM, "run", "--quiet", "--static=on", "--", os.path.abspath("hammer"), *map(str, numbers),
                      stdin=subprocess.PIPE,
                      preexec_fn=lambda n=limit: resource.setrlimit(resource.RLIMIT_NOFILE, (n, 1024)))
        said = line(child.stdout)
        if said.startswith("ready"):
            counts, deadline = [0], time.monotonic() + LIMIT
            while not all(counts[:3]) and time.monotonic() < deadline:
                time.sleep(0.1)
                os.write(child.stdin.fileno(), b"x")
                counts = [int(n) for n in re.findall("[0-9]+", line(child.stdout))]
            check(len(counts) == 4 and all(counts[:3]), "%d descriptors: %s" % (limit, counts))
        child.stdin.close()
        child.wait(LIMIT)
        err = child.stderr.read()
        check(child.returncode == 0 if said else child.returncode == 125 and err.startswith("portshim:"),
              "%d descriptors: %r, status %s, %r" % (limit, said, child.returncode, err))
        untouched(outsiders, "%d descriptors" % limit)


def check_few_descriptors_for_the_next():
    """The soft limit is the program's own, not that of whoever takes the worker's place."""
    numbers, outsiders = held()
    hammer = Hammer(numbers, before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10, 1024)))
    os.kill(hammer.worker, signal.SIGKILL)
    hammer.goes_on("10 descriptors, worker killed")
    hammer.close("10 descriptors, worker killed")
    untouched(outsiders, "10 descriptors, worker killed")


def check_hard_limit():
    """Too few for a server, which cannot have more either: said beforehand."""
    child = start(PORTSHIM, "run", "--static=on", "--", "true",
                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    err = child.communicate(timeout=LIMIT)[1]
    check(child.returncode == 125 and "open files is 100 (ulimit -Hn): answering calls needs 128" in err,
          "a hard limit of 100: status %s, %r" % (child.returncode, err))


def main():
    print("seed %d" % SEED, flush=True)
    write("ports.manifest.json", {"version": 1, "services": {}, "defaults": {"report": "requested"}})
    if build_any("hammer", "static/hammer.c"):
        for function in (check_killed_worker, check_killed_while_it_starts, check_killed_keeper, check_both_killed,
                         check_stopped, check_few_descriptors, check_few_descriptors_for_the_next, check_hard_limit):
            begin = time.monotonic()
            function()
            print("%s: %.1f s" % (function.__name__, time.monotonic() - begin), flush=True)


run_parts(main, seconds=500)
