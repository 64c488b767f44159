"""What the tests in Python share: a directory and a runtime directory of their own, servers, free ports, counting, and
bounded waiting. Nothing waits for a fixed time: everything waits for an event, with a limit after which it has failed.

There are two kinds of tests. In one, a test is a function whose name starts with `test_`; its docstring is its name, it
gets a Place, fails by an exception and is skipped by raising Skip; `main(globals())` runs them. In the other, functions
count with `check` and `skip`, as often as they like, in one directory; `run_parts(...)` runs them.
"""
import errno
import json
import os
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

LIMIT = 60
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("PORTSHIM_TEST_BUILD") or os.environ.get("BUILD") or os.path.join(TOP, "build"))
PORTSHIM = os.path.join(BUILD, "portshim")
PYTHON = sys.executable

for name in ("PORTSHIM_RUN", "PORTSHIM_ENV", "PORTSHIM_PROFILE", "PORTSHIM_MANIFEST", "PORTSHIM_STATIC", "LD_PRELOAD"):
    os.environ.pop(name, None)
# Some suites run twice: without the filter and the worker that answers it, and with them ("auto").
STATIC = os.environ.get("PORTSHIM_TEST_STATIC", "")
if STATIC:
    os.environ["PORTSHIM_STATIC"] = STATIC
# One that may not be searched (another user's) makes "no permission" of "no such program".
os.environ["PATH"] = os.pathsep.join(d for d in os.get_exec_path() if os.access(d, os.X_OK))

passed = failed = skipped = 0
started = []  # what `run_parts` ends
drawn = set()  # ports


# ---- counting ----

def check(good, what):
    """Counts; says what has failed. Its value is that of `good`."""
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("not ok:", what, flush=True)
    return good


def skip(what, why):
    global skipped
    skipped += 1
    print("skip: %s: %s" % (what, why), flush=True)


def finish():
    """The totals, and the exit status that goes with them."""
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped), flush=True)
    sys.exit(failed != 0)


# ---- directories ----

def runtime_directory():
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="portshim-test.", dir=base)


def scratch_directory():
    return os.path.realpath(tempfile.mkdtemp(prefix="portshim-test."))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(path, data):
    """Bytes, text, or what becomes JSON, in a file whose directories are made."""
    if not isinstance(data, (bytes, str)):
        data = json.dumps(data)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def unprivileged(*paths, user="nobody"):
    """As root: runs the test again as that user (or nobody), with the program and these files of the source where that
    user may read them, and ends as it ends. For what refuses to be root."""
    if os.getuid() != 0:
        return
    try:
        who = pwd.getpwnam(user)
    except KeyError:
        who = pwd.getpwnam("nobody")
    top = scratch_directory()
    script = os.path.relpath(os.path.abspath(sys.argv[0]), TOP)
    try:
        for path in (script, "tests/lib/harness.py", *paths):
            source, copy = os.path.join(TOP, path), os.path.join(top, path)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, copy)
        os.mkdir(os.path.join(top, "build"))
        for name in ("portshim", "libportshim.so"):
            shutil.copy(os.path.join(BUILD, name), os.path.join(top, "build"))
        command("chmod", "-R", "a+rX,u+w", top)
        environment = dict(os.environ, PORTSHIM_TEST_BUILD=os.path.join(top, "build"), HOME=top)
        environment.pop("PORTSHIM_RUNTIME_DIR", None)
        status = subprocess.call([PYTHON, os.path.join(top, script), *sys.argv[1:]], user=who.pw_uid, group=who.pw_gid,
                                 extra_groups=[], cwd="/", env=environment)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    sys.exit(status)


def run_parts(*functions, before=None, seconds=1000):
    """Calls the functions, one after the other, in a directory that is also the home, with a runtime directory of their
    own; each starts in that directory, after `before` where that is given. Then the totals."""
    for name in [n for n in os.environ if n.startswith("PORTSHIM") and not n.startswith("PORTSHIM_TEST_")]:
        del os.environ[name]
    for name in ("PORT", "XDG_STATE_HOME"):
        os.environ.pop(name, None)
    signal.alarm(seconds)
    top, runtime = scratch_directory(), runtime_directory()
    os.environ.update(HOME=top, PORTSHIM_RUNTIME_DIR=runtime)
    try:
        for function in functions:
            os.chdir(top)
            if before:
                before()
            try:
                function()
            except Skip as reason:
                skip(function.__name__, reason)
    finally:
        stop(*started)
        os.chdir("/")
        shutil.rmtree(top, ignore_errors=True)
        shutil.rmtree(runtime, ignore_errors=True)
    finish()


# ---- programs ----

def run(*words, **more):
    """`portshim WORDS...`, as `command` has it."""
    return command(PORTSHIM, *words, **more)


def command(*words, cwd=None, limit=120, user=None, **variables):
    """Runs a program: (exit status, stdout, stderr). Bytes that are no UTF-8 survive as surrogates."""
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            check=False, timeout=limit, cwd=cwd, user=user, extra_groups=None if user is None else [],
                            env=dict(os.environ, **variables))
    return (result.returncode, *(text.decode("utf-8", "surrogateescape") for text in (result.stdout, result.stderr)))


TOO_LATE = re.compile("no (answer|connection) within ")


def run_health(*words, **more):
    """`run` of what asks for health: again, where the machine was too busy for an answer within a check's own time."""
    for _ in range(10):
        result = run(*words, **more)
        if not TOO_LATE.search(result[1]):
            break
    return result


def start(*words, **more):
    """A child whose output comes in pipes, as subprocess.Popen has it; `run_parts` ends it unless `stop` did."""
    more.setdefault("stdin", subprocess.DEVNULL)
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    child = subprocess.Popen(words, text=True, **more)
    started.append(child)
    return child


def server(*words, **more):
    """A child that says a line when it listens; returns then. `said` is that line, "" if it has ended instead."""
    child = start(*words, **more)
    child.said = line(child.stdout).strip()
    return child


LISTENER = """
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print(s.getsockname()[1], flush=True)
sys.stdin.read()
"""


def listener(port, *words, **more):
    """A server until its stdin ends, on the port, 0 for any; WORDS... (`portshim run`, say) start it. `port` is what it
    has been told that it has."""
    child = server(*words, PYTHON, "-c", LISTENER, str(port), stdin=subprocess.PIPE, **more)
    assert child.said, "no server on %d: %s" % (port, child.communicate()[1])
    child.port = int(child.said)
    return child


def stop(*children):
    """Ends children: those with a pipe as stdin by its end, others by SIGTERM; at last by SIGKILL."""
    for child in children:
        if child.stdin:
            child.stdin.close()
        elif child.poll() is None:
            child.terminate()
    for child in children:
        try:
            child.wait(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()
    started[:] = [child for child in started if child not in children]


# ---- ports ----

def is_free(port):
    """Nobody has it, of either protocol and family."""
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                s = socket.socket(family, kind)
            except OSError:
                continue  # a kernel without IPv6
            with s:
                if family == socket.AF_INET6:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                try:
                    s.bind((address, port))
                except OSError as e:
                    if e.errno != errno.EADDRNOTAVAIL:
                        return False
    return True


def free_port(low=10000, high=20000):
    """A port that nothing has, below portshim's default range; by chance, because other tests look for one too."""
    return free_row(1, low, high)


def free_row(count, low=10000, high=20000):
    """The first of so many in a row."""
    return free_shift(range(count), range(low, high - count + 1))


def free_shift(numbers, shifts):
    """One of the shifts, by which all of the numbers can be moved up to where they are free, and not drawn before: who
    draws several has different ones. If there is no such shift, what was drawn may come again."""
    for without in (drawn, set()):
        for shift in random.sample(shifts, min(len(shifts), 1000)):
            moved = [number + shift for number in numbers]
            if without.isdisjoint(moved) and all(is_free(number) for number in moved):
                drawn.update(moved)
                return shift
    raise Skip("no free ports")


# ---- documentation ----

def help_examples(name):
    """The commands that `portshim NAME --help` shows first, as words."""
    block = run(name, "--help")[1].split("\n\n", maxsplit=1)[0]
    found = [row.split("  ")[1].split() for row in block.split("\n")[1:]]
    check(len(found) >= 3, "%s --help: examples: %s" % (name, found))
    return found


def check_page(path, least, change=str, columns=True, cwd=None):
    """Each command in the page's console blocks says what the page says, both after `change`; there are at least so
    many. Without `columns`, how far words are apart does not matter: other numbers may be longer."""
    page = change(read(os.path.join(TOP, path)).decode())
    count = 0
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.S | re.M):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            shown, _, wanted = part.partition("\n")
            for _ in range(10 if shown.startswith("portshim health ") else 1):  # as run_health has it
                said = command("sh", "-c", shown + " 2>&1", cwd=cwd, PATH=BUILD + ":" + os.environ["PATH"])[1]
                said = said.replace("\r\n", "\n")  # which a page cannot show
                if not columns:
                    said, wanted = ("\n".join(" ".join(row.split()) for row in text.strip().split("\n"))
                                    for text in (said, wanted))
                if said == wanted:
                    break
            check(said == wanted, "%s: %s\nsays %s\nbut the page has %s" % (path, shown, said, wanted))
            count += 1
    check(count >= least, "%s has commands" % path)


# ---- tests that are functions ----

class Skip(Exception):
    """This test cannot run here; the text says why."""


class Place:
    """A project directory and a runtime directory that nobody else has."""

    def __init__(self):
        self.runtime = runtime_directory()
        self.top = scratch_directory()
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

    def left(self):
        """The processes that were started in this runtime directory and live, whoever their parent is by now."""
        mark = b"PORTSHIM_RUNTIME_DIR=" + self.runtime.encode() + b"\0"
        found = []
        for name in os.listdir("/proc"):
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if name.isdigit() and mark in file.read() and alive(int(name)):
                        found.append(int(name))
            except OSError:
                pass
        return found

    def close(self):
        for child in self.started:
            if child.poll() is None:
                child.kill()
                child.wait()
        # A program outlives a keeper that is killed.
        for _ in range(100):
            left = self.left()
            if not left:
                break
            for pid in left:
                end(pid)
        for child in self.started:
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


def parent(pid):
    with open("/proc/%d/stat" % pid) as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


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
    """Waits until every process of a run sleeps and has no signal left to read: signals of one number that come faster
    than they are read are merged by the kernel, which is not what the tests are about."""
    def quiet():
        for task in descendants(pid):
            try:
                with open("/proc/%d/status" % task) as file:
                    status = dict(text.split(":\t", 1) for text in file.read().splitlines() if ":\t" in text)
            except OSError:  # it has just ended
                return False
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


def no_filter():
    """Why nothing can be run with the filter, or None."""
    place = Place()
    try:
        status, _, said = place.run("run", "--static=on", "--", "true")
        return said.strip() if status == 125 else None
    finally:
        place.close()


def main(tests):
    global passed, failed, skipped
    wanted = sys.argv[1:]
    why = STATIC == "auto" and no_filter()
    if why:
        skip("with the filter", why)
        finish()
    for name, test in list(tests.items()):
        if not name.startswith("test_") or (wanted and name not in wanted):
            continue
        place = Place()
        why = ""
        try:
            test(place)
            result = "ok"
            passed += 1
        except Skip as reason:
            result, why = "skip", ": " + str(reason)
            skipped += 1
        except Exception:
            result, why = "not ok", "\n\t" + traceback.format_exc().strip().replace("\n", "\n\t")
            failed += 1
        finally:
            place.close()
        print("%s: %s%s" % (result, test.__doc__ or name, why), flush=True)
    finish()
