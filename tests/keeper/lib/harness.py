"""What the keeper's tests share: a runtime directory of their own, counting, and bounded waiting.

Each test is a function whose name starts with `test_`; its docstring is its name. It fails by an exception, and is skipped
by raising Skip. Nothing waits for a fixed time: everything waits for an event, with a limit after which the test has failed.
"""
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

LIMIT = 30
BUILD = os.path.abspath(os.environ.get("PORTSHIM_TEST_BUILD") or os.environ.get("BUILD") or "build")
PORTSHIM = os.path.join(BUILD, "portshim")
PYTHON = sys.executable

for name in ("PORTSHIM_RUN", "PORTSHIM_ENV", "PORTSHIM_PROFILE", "PORTSHIM_MANIFEST", "LD_PRELOAD"):
    os.environ.pop(name, None)
# One that may not be searched (another user's) makes "no permission" of "no such program".
os.environ["PATH"] = os.pathsep.join(d for d in os.get_exec_path() if os.access(d, os.X_OK))


class Skip(Exception):
    """This test cannot run here; the text says why."""


class Place:
    """A project directory and a runtime directory that nobody else has."""

    def __init__(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.runtime = tempfile.mkdtemp(prefix="portshim-test.", dir=base)
        self.top = os.path.realpath(tempfile.mkdtemp(prefix="portshim-test."))
        self.project = self.directory("shop")
        self.started = []

    def directory(self, name):
        path = os.path.join(self.top, name)
        os.makedirs(path, exist_ok=True)
        return path

    def environment(self, **more):
        env = dict(os.environ, PORTSHIM_RUNTIME_DIR=self.runtime, HOME=self.top)
        env.update(more)
        return {key: value for key, value in env.items() if value is not None}

    def start(self, *arguments, cwd=None, env=None, **more):
        """`portshim ARGUMENTS...` as a child with pipes; ended with the test."""
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        child = subprocess.Popen([PORTSHIM, *arguments], cwd=cwd or self.project,
                                 env=self.environment(**(env or {})), **more)
        self.started.append(child)
        return child

    def run(self, *arguments, input=None, **more):
        """The same, waited for: (status, stdout, stderr)."""
        if input is not None:
            more["stdin"] = subprocess.PIPE
        child = self.start(*arguments, **more)
        out, err = child.communicate(input, timeout=LIMIT)
        return child.returncode, (out or b"").decode(), (err or b"").decode()

    def runs(self):
        """The run files that there are."""
        return sorted(name for name in os.listdir(self.runtime) if name.startswith("run-"))

    def close(self):
        for child in self.started:
            if child.poll() is None:
                child.kill()
                child.wait()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe:
                    pipe.close()
        shutil.rmtree(self.runtime, ignore_errors=True)
        shutil.rmtree(self.top, ignore_errors=True)


def line(pipe):
    """One line of a pipe, within the limit; what came before its end if it ends."""
    text = b""
    end = time.monotonic() + LIMIT
    while not text.endswith(b"\n"):
        if not select.select([pipe], [], [], max(0, end - time.monotonic()))[0]:
            raise AssertionError("no line came; got %r" % text)
        byte = os.read(pipe.fileno(), 1)
        if not byte:
            break
        text += byte
    return text.decode()


def until(condition, what, limit=LIMIT):
    """Waits for what has no event to wait for; returns the condition's value."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.005)


def same(got, wanted, what=""):
    assert got == wanted, "%s: wanted %r, got %r" % (what, wanted, got)


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def state(pid):
    with open("/proc/%d/stat" % pid) as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]


def descendants(pid):
    """The process and all that it started, as far as the kernel knows; a process that ends meanwhile has none."""
    found = [pid]
    for task in found:
        try:
            with open("/proc/%d/task/%d/children" % (task, task)) as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def settle(pid):
    """Waits until every process of a run sleeps and has no signal left to read: signals of one number that come faster than they
    are read are merged by the kernel, which is not what the tests are about."""
    def quiet():
        for task in descendants(pid):
            with open("/proc/%d/status" % task) as file:
                status = dict(text.split(":\t", 1) for text in file.read().splitlines() if ":\t" in text)
            if status["State"][0] != "S" or int(status["ShdPnd"], 16):
                return False
        return True
    until(quiet, "the run to settle")


def end(pid):
    """Ends a process that a test started, if it still runs."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def free_port():
    """A port that nothing has, below portshim's default range; by chance, because other tests look for one too."""
    for _ in range(1000):
        candidate = random.randrange(10000, 20000)
        with socket.socket(socket.AF_INET6) as six:
            try:
                six.bind(("::", candidate))
            except OSError:
                continue
        return candidate
    raise Skip("no free port")


def read_json(path):
    with open(path) as file:
        return json.load(file)


def main(tests):
    counts = {"ok": 0, "not ok": 0, "skip": 0}
    wanted = sys.argv[1:]
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        place = Place()
        why = ""
        try:
            test(place)
            result = "ok"
        except Skip as skip:
            result, why = "skip", ": " + str(skip)
        except Exception:
            result, why = "not ok", "\n\t" + traceback.format_exc().strip().replace("\n", "\n\t")
        finally:
            place.close()
        counts[result] += 1
        print("%s: %s%s" % (result, test.__doc__ or name, why), flush=True)
    print("%d passed, %d failed, %d skipped" % (counts["ok"], counts["not ok"], counts["skip"]))
    sys.exit(1 if counts["not ok"] else 0)
