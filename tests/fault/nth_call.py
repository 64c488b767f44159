"""The Nth system call fails, for all N, in what the shim does in somebody else's process: at its start, with its
first call, in bind, listen and connect.

Each scenario is a program of steps (tests/shim/steps.c). It runs once bare and once under portshim, which gives the
two results that are good. Then it runs once for every N and every errno, with the Nth system call of the library
itself refused (inject.c). Law 12: what the program sees is one of the two good results, whole: never a mixture, a
crash, a hang, or an errno that came from inside. Where it is not all right, exactly one line says so; with --strict
the program is stopped with 125 instead, or gets an errno. Afterwards the discovery file is whole or not there, and
the registry serves the next program.
"""
import concurrent.futures
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("PORTSHIM_TEST_BUILD") or os.environ.get("BUILD") or "build")
PORTSHIM, SHIM = os.path.join(BUILD, "portshim"), os.path.join(BUILD, "libportshim.so")
STEPS, INJECT = os.path.join(BUILD, "tests/shim/steps"), os.path.join(BUILD, "tests/fault/inject")
WITH_PORTS = os.path.join(BUILD, "tests/shim/with_ports")
LIMIT = 60
ERRORS = [getattr(errno, name) for name in
          (os.environ.get("FAULT_ERRORS") or "ENOMEM EMFILE ENOSPC EACCES EINTR ENOSYS").split()]
# What signals can interrupt: calls that name a file or use one, on file systems in user space and on networks;
# sleeping.
INTERRUPTED = {"x86_64": {0, 1, 5, 17, 21, 28, 44, 45, 77, 202, 257, 258, 262, 263, 264, 265, 269, 280, 285, 292, 316},
               "aarch64": {29, 34, 35, 37, 38, 46, 47, 48, 56, 63, 64, 67, 79, 80, 88, 98, 206, 207, 233, 24, 276}
               }.get(os.uname().machine, set())
EXECVE = {59, 221}
UNLINK = {263, 87, 35}
MANIFEST = {"version": 1, "services": {"web": {"port": 0, "discovery": "web.json", "match": {"command": "steps"}},
                                       "other": {"port": 0, "match": {"command": "nothing"}}}}


class Scenario:
    def __init__(self, name, steps, held=None, how="exec", options=(), manifest=False, says=True,
                 preloaded=True):
        self.name, self.steps, self.held, self.how = name, steps, held, how
        self.options, self.manifest = list(options), manifest
        self.strict = "--strict" in self.options
        self.bare = [] if preloaded else ["env", "-u", "LD_PRELOAD"]  # its calls are served by the run's worker
        self.says = says  # False: the run has a keeper, which may be gone before it says anything


CLIENT = "tcp4 connect 127.0.0.1 P peer"
SERVER = "tcp4 reuseaddr bind 127.0.0.1 P name listen name kernel"
SCENARIOS = [
    Scenario("free", f"{SERVER} {CLIENT}"),
    Scenario("moved", f"{SERVER} {CLIENT}", "listen"),
    Scenario("moved, both families", f"tcp6 dual reuseaddr bind :: P listen name kernel {CLIENT}", "listen"),
    Scenario("again", f"{SERVER} close {SERVER} {CLIENT}", "listen"),
    Scenario("late listener", f"tcp4 reuseaddr bind 127.0.0.1 P wait listen kernel {CLIENT}", "late"),
    Scenario("udp", "udp4 bind 127.0.0.1 P name kernel udp4 sendto 127.0.0.1 P hi", "udp"),
    Scenario("by hand", f"{SERVER} {CLIENT}", "listen", how="preload"),
    Scenario("match and file", f"{SERVER} {CLIENT}", "listen", manifest=True),
    Scenario("foreign", CLIENT, "foreign"),
    Scenario("port 0", "tcp4 bind 127.0.0.1 0 listen"),
    Scenario("strict", f"{SERVER} {CLIENT}", "listen", options=["--strict"]),
    Scenario("launch by exec", f"{SERVER} {CLIENT}", "listen", how="launch exec"),
    Scenario("launch by run", f"{SERVER} {CLIENT}", how="launch run", manifest=True),
    Scenario("launch by run, not preloaded", f"{SERVER} {CLIENT}", how="launch run", manifest=True, preloaded=False),
    Scenario("launch, strict", f"{SERVER} {CLIENT}", "listen", how="launch exec", options=["--strict"]),
]


class Result:
    def __init__(self, status, out, err, reached, recorded, leftovers):
        self.status, self.out, self.err = status, out, err
        self.reached, self.recorded, self.leftovers = reached, recorded, leftovers

    def seen(self):
        """What the program saw."""
        return self.status, self.out, self.reached

    def lines(self):
        """What is said of trouble: not the notice of a move."""
        return [text for text in self.err.splitlines() if text.startswith("portshim:") and " -> " not in text]


class Place:
    """A runtime directory, a project, and a port of its own."""

    def __init__(self, port, scenario):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="portshim-fault.", dir=base))
        self.runtime, self.project = os.path.join(self.top, "runtime"), os.path.join(self.top, "shop")
        os.mkdir(self.runtime, 0o700)
        os.mkdir(self.project)
        self.port, self.scenario = port, scenario
        self.log = os.path.join(self.top, "log")
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("PORT")}
        self.env.update(PORTSHIM_RUNTIME_DIR=self.runtime, HOME=self.top)
        self.holder = self.stranger = None
        self.inject = ["-m", "libportshim.so"]
        if scenario.manifest:
            manifest = json.loads(json.dumps(MANIFEST))
            for service in manifest["services"].values():
                service["port"] = port
            with open(os.path.join(self.project, "ports.manifest.json"), "w", encoding="utf-8") as file:
                json.dump(manifest, file)

    def hold(self):
        """The outsider of the scenario; False if it has nothing to hold."""
        kind = self.scenario.held
        if kind is None:
            return
        if kind == "foreign":
            self.stranger = subprocess.Popen(
                [PORTSHIM, "exec", "--env", "foreign", "--", STEPS, "tcp4", "reuseaddr", "bind", "127.0.0.1",
                 str(self.port), "listen", "say", "there", "wait"], cwd=self.project, env=self.env,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            while self.stranger.stdout.readline() not in (b"there\n", b""):
                pass
            return
        self.holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        if kind != "udp":
            self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.holder.bind(("0.0.0.0" if kind == "listen" else "127.0.0.1", self.port))
        if kind == "listen":
            self.holder.listen(16)
        self.holder.setblocking(False)

    def reached(self):
        """Did the program's client come to the outsider?"""
        if not self.holder or self.scenario.held == "late":
            return False
        try:
            if self.scenario.held == "udp":
                self.holder.recv(16)
            else:
                self.holder.accept()[0].close()
            return True
        except BlockingIOError:
            return False

    def normal(self, text):
        """What the program printed, with ports by their meaning."""
        lines, numbers = [], []
        for line in text.splitlines():
            word, _, rest = line.partition(" ")
            if rest.isdigit():
                number = int(rest)
                numbers.append(number)
                rest = "P" if number == self.port else "M" if 20000 <= number <= 29999 else "0" if not number else "E"
            lines.append(f"{word} {rest}")
        return lines, numbers

    def recorded(self, numbers):
        """Is the discovery file whole, and does it name the port? None: not there."""
        path = os.path.join(self.project, ".portshim/ports.json")
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as file:
            text = json.load(file)
        if os.stat(path).st_mode & 0o777 != 0o600:
            raise AssertionError("discovery file has another mode")
        return any(entry["port"] in numbers for entry in text["services"].values())

    def leftovers(self):
        found = [name for name in os.listdir(self.runtime) if name.startswith("tmp-")]
        for directory in (self.project, os.path.join(self.project, ".portshim")):
            if os.path.isdir(directory):
                found += [name for name in os.listdir(directory) if ".tmp-" in name]
        return found

    def run(self, bare=False, nth=0, number=0):
        scenario = self.scenario
        steps = [str(self.port) if step == "P" else step for step in scenario.steps.split()]
        inject = [INJECT, *self.inject, "-l", self.log]
        env = dict(self.env)
        if nth:
            inject += ["-n", str(nth), "-e", str(number)]
        if bare:
            command = [STEPS, *steps]
        elif scenario.how.startswith("launch "):
            inject[1:3] = ["-a", PORTSHIM]
            command = [*inject, "--", PORTSHIM, scenario.how[7:], *scenario.options, "--", *scenario.bare, STEPS]
            command += steps
        elif scenario.how == "preload":
            env["LD_PRELOAD"] = SHIM
            command = [*inject, "--", STEPS, *steps]
        else:
            command = [PORTSHIM, scenario.how, *scenario.options, "--", *inject, "--", STEPS, *steps]
        child = subprocess.Popen(command, cwd=self.project, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        try:
            before = b""
            if scenario.held == "late":
                # The program has bound; now the outsider listens, and is first.
                before = child.stdout.readline() + child.stdout.readline()
                if before.startswith(b"reuseaddr ok\nbind ok"):
                    self.holder.listen(16)
            out, err = child.communicate(b"\n", timeout=LIMIT)
        finally:
            child.kill()
            child.wait()
        out, numbers = self.normal((before + out).decode())
        return Result(child.returncode, out, err.decode(), self.reached(),
                      None if bare else self.recorded(numbers), [] if bare else self.leftovers())

    def counted(self):
        """How many calls there were, and the number of the one that was refused."""
        with open(self.log, encoding="utf-8") as file:
            return [int(word) for word in file.read().split()]

    def release(self):
        """A child that another thread is just starting may have a copy: so it stops listening first."""
        if self.holder:
            try:
                self.holder.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.holder.close()
            self.holder = None

    def close(self):
        self.release()
        if self.stranger:
            self.stranger.stdin.close()
            self.stranger.wait(LIMIT)
            self.stranger.stdout.close()
        shutil.rmtree(self.top, ignore_errors=True)


def once(port, scenario, **more):
    place = Place(port, scenario)
    try:
        place.hold()
        result = place.run(**more)
        return result, (None if more.get("bare") else place.counted())
    finally:
        place.close()


def usable(place):
    """The next program in the same registry is served as if nothing had happened."""
    held, place.scenario = place.scenario.held, Scenario("after", f"{SERVER} {CLIENT}", "listen")
    if held not in ("listen", "foreign"):
        place.release()
        place.hold()
    result = place.run()
    wanted = ["reuseaddr ok", "bind ok", "name P", "listen ok", "name M", "kernel M", "connect ok", "peer P"]
    if result.out != wanted or result.lines() or not result.recorded:
        return "the next program got %r, recorded %r, %r" % (result.out, result.recorded, result.err)
    status = subprocess.run([PORTSHIM, "status", "--json"], cwd=place.project, env=place.env, capture_output=True,
                            timeout=LIMIT, check=False)
    if status.returncode not in (0, 1) or status.stderr:
        return "status said %d, %r" % (status.returncode, status.stderr)
    json.loads(status.stdout)
    return None


def is_good(got, bare, right):
    unrecorded = (right.status, ["name P" if text == "name M" else text for text in right.out], right.reached)
    if got.seen() in (bare.seen(), right.seen(), unrecorded):
        return True
    if "close ok" not in got.out or got.status:
        return False
    # Two lives of one server: each is as good as it could be at its time, also if the second is the first that works.
    good = []
    for lines in (bare.out, right.out, unrecorded[1]):
        at = lines.index("close ok")
        good.append((lines[:at], lines[at + 1:]))
    at, first = got.out.index("close ok"), len(good[0][0])
    seconds = [half for _, half in good] + [one + good[0][1][first:] for one, _ in good]
    return got.out[:at] in [half for half, _ in good] and got.out[at + 1:] in seconds


def judge(scenario, bare, right, got, number, call):
    """None, or what is wrong."""
    lines = got.lines()
    if [text for text in got.err.splitlines() if not text.startswith(("portshim: ", "hint: "))]:
        return "stderr: %r" % got.err
    if len(lines) > 1:
        return "%d lines: %r" % (len(lines), lines)
    if call in EXECVE and got.status == 126 and lines and not got.out:
        return None  # nothing can be run where that fails
    # A keeper that cannot clean up leaves that to the next look.
    kept = scenario.how == "launch run"
    whole = got.seen() == right.seen() and (got.recorded == right.recorded or kept)
    if scenario.strict and not whole:
        # Closed: stopped at the start, or refused with an errno; never as without portshim. What was moved may be
        # unrecorded.
        if (got.status == 125 and lines) or "bind ok" not in got.out:
            return None
        if got.seen() == bare.seen():
            return "goes on, although strict: %r %r" % (got.seen(), lines)
    # The command line has no signal handlers, so it is never interrupted.
    if number == errno.EINTR and (not whole or lines) and call in INTERRUPTED and "launch" not in scenario.how:
        return "EINTR was not tried again: %r %r" % (got.seen(), lines)
    # Until it is recorded, a moved port is named as the program asked (law 10).
    if not is_good(got, bare, right):
        return "saw %r instead of %r or %r; %r" % (got.seen(), right.seen(), bare.seen(), lines)
    if not whole and len(lines) != 1:
        return "not all right, and nothing says so: %r recorded %r" % (got.seen(), got.recorded)
    if got.leftovers and call not in UNLINK:
        return "left behind: %r" % got.leftovers
    return None


def twice(*what):
    """What is wrong has to be so again: another's program may just have taken the port that we were moved to."""
    result = one(*what)
    return one(*what) if result[1] else result


def one(ports, scenario, bare, right, nth, number):
    """The Nth call fails: (the system call's number, None or what is wrong, what was said)."""
    port = ports.get()
    place = Place(port, scenario)
    try:
        place.hold()
        got = place.run(nth=nth, number=number)
        failed = place.counted()[1]
        wrong = judge(scenario, bare, right, got, number, failed)
        if not wrong and number == ERRORS[0]:
            wrong = usable(place)
        return failed, wrong, got.lines(), got.seen() == right.seen()
    except (AssertionError, ValueError, OSError, subprocess.TimeoutExpired) as error:
        return -1, repr(error), [], False
    finally:
        place.close()
        ports.put(port)


OWN = {"x86_64": {"socket": 41, "bind": 49, "listen": 50, "connect": 42, "getsockname": 51},
       "aarch64": {"socket": 198, "bind": 200, "listen": 201, "connect": 203, "getsockname": 204}}


def own_calls(ports):
    """What fails is the program's own call, made by libc: it gets that errno, and portshim has nothing to say."""
    steps = {"socket": "tcp4", "bind": "tcp4 bind 127.0.0.1 P", "listen": "tcp4 bind 127.0.0.1 P listen",
             "connect": "tcp4 connect 127.0.0.1 P", "getsockname": "tcp4 bind 127.0.0.1 P name"}
    for call, number in OWN.get(os.uname().machine, {}).items():
        for name in "ENOMEM ENOBUFS EINTR EIO EPERM".split():
            port = ports.get()
            place = Place(port, Scenario(call, steps[call], "listen" if call != "connect" else None))
            place.inject = ["-m", "libc.so.6", "-s", str(number)]
            try:
                place.hold()
                got = place.run(nth=1, number=getattr(errno, name))
                last = got.out[-1] if got.out else ""
                word = {"socket": "tcp4", "getsockname": "name"}.get(call, call)
                wanted = "%s %s" % (word, name)
                good = last == wanted and not got.lines()
                yield "own %s, %s" % (call, name), None if good else "saw %r, %r" % (got.out, got.err)
            finally:
                place.close()
                ports.put(port)


class Ports:
    """Port numbers that one worker at a time has."""

    def __init__(self):
        first = int(os.environ["PORTS_FIRST"])
        self.free = list(range(first, first + int(os.environ["PORTS_COUNT"])))
        self.lock = threading.Lock()

    def get(self):
        with self.lock:
            return self.free.pop(0)

    def put(self, port):
        with self.lock:
            self.free.append(port)


def main():
    if "PORTS_FIRST" not in os.environ:
        os.execv(WITH_PORTS, [WITH_PORTS, "32", "0", "--", sys.executable] + sys.argv)
    passed = failed = 0
    verbose = os.environ.get("VERBOSE", "0") != "0"
    ports = Ports()
    only = sys.argv[1:]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for scenario in SCENARIOS:
            if only and scenario.name not in only:
                continue
            port = ports.get()
            bare, _ = once(port, scenario, bare=True)
            right, counts = once(port, scenario)
            ports.put(port)
            if right.lines() or (right.recorded is None and "listen" in scenario.steps and "run" not in scenario.how):
                print("not ok: %s: without a failure: %r %r" % (scenario.name, right.seen(), right.err))
                failed += 1
                continue
            if verbose:
                print("# %s: %d calls; bare %r; right %r" % (scenario.name, counts[0], bare.seen(), right.seen()))
            work = {pool.submit(twice, ports, scenario, bare, right, nth, number): (nth, number)
                    for nth in range(1, counts[0] + 1) for number in ERRORS}
            for future, (nth, number) in work.items():
                call, wrong, lines, whole = future.result()
                if wrong:
                    failed += 1
                    print("not ok: %s: call %d (system call %d) fails with %s: %s" % (
                        scenario.name, nth, call, errno.errorcode[number], wrong))
                else:
                    passed += 1
                    if verbose:
                        print("ok: %s: call %d (system call %d) %s: %s %s" % (
                            scenario.name, nth, call, errno.errorcode[number], "right" if whole else "as bare", lines))
    if not only or "own calls" in only:
        for name, wrong in own_calls(ports):
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print("not ok: %s: %s" % (name, wrong))
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
