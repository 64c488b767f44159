#!/usr/bin/python3
"""The project of manifest/examples/lmelp.manifest.json and docs/projects/lmelp.md, with real servers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/lmelp.py

uvicorn, a front end, a file between them. 54321-54350 become numbers that are free here, in the manifest, the programs
and the page alike.
"""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (LIMIT, PORTSHIM, TOP, Skip, check, check_page, command, end, free_row, line, listener, read,
                     read_json, run, run_parts, server, skip, start, state, stop, until, write)

PYTHON = "/usr/bin/python3"  # the one that uvicorn is packaged for
SOURCE = os.path.join(TOP, "tests", "real", "lmelp")
FILE = ".backend-port.json"
KEYS = ["port", "host", "url", "timestamp", "process_id"]
FIRST = free_row(31)  # stands for 54321
BACKEND = ("-m", "back_office_lmelp.app")

# The same service without a framework: as soon as listen() has returned, it says what the file says.
QUICK = """
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(os.environ["API_PORT"])))
s.listen(64)
print(open(".backend-port.json").read().strip() if os.path.isfile(".backend-port.json") else "no file", flush=True)
sys.stdin.read()
"""


def moved(text):
    return re.sub(r"\b543[2-5]\d\b", lambda m: str(int(m.group()) - 54321 + FIRST), text)


def project(name):
    """A checkout with our numbers."""
    where = os.path.join(os.environ["HOME"], name)
    if os.path.exists(where):
        return where
    shutil.copytree(SOURCE, where)
    for path in ("src/back_office_lmelp/app.py", "frontend/backend.mjs"):
        write(os.path.join(where, path), moved(read(os.path.join(where, path)).decode()))
    example = os.path.join(TOP, "manifest", "examples", "lmelp.manifest.json")
    write(os.path.join(where, "ports.manifest.json"), moved(read(example).decode()))
    return where


def environment(where, **more):
    return dict(os.environ, PYTHONPATH=os.path.join(where, "src"), PORTSHIM_HEARTBEAT_MS="50", **more)


def backend(where, *options, **more):
    """Returns when it can be reached."""
    child = start(PORTSHIM, "run", *options, "--", PYTHON, *BACKEND, cwd=where, env=environment(where, **more),
                  start_new_session=True)
    return child


def wait(where, *options):
    check(run("wait", "--timeout", "100s", *options, "backend", cwd=where)[0] == 0, "wait: a backend")


def quick(where, **more):
    """`said` is what the file says when listen() has returned. Ends with its stdin."""
    return server(PORTSHIM, "run", "--quiet", "--", PYTHON, "-c", QUICK, "back_office_lmelp", cwd=where,
                  stdin=subprocess.PIPE, env=environment(where, **more))


def front(where, *words, **more):
    """What the front end finds, and who answers."""
    result = command(*words, "node", "frontend/backend.mjs", cwd=where, **more)
    return json.loads(result[1]) if result[1] else {"error": result[2]}


def stranger(port):
    """Somebody else's server, in a directory of its own."""
    return listener(port, cwd=os.path.join(os.environ["HOME"], "elsewhere"))


def taken(ports):
    """Sockets that have the ports."""
    stack = contextlib.ExitStack()
    for port in ports:
        s = stack.enter_context(socket.socket())
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", port))
        s.listen()
    return stack


def in_project(where):
    return os.path.join(where, FILE)


def is_gone(where):
    return not os.path.lexists(in_project(where))


# ---- the file ----

def check_preferred():
    where = project("one")
    before = int(time.time())
    child = backend(where)
    wait(where)
    found = read_json(in_project(where))
    mode = os.stat(in_project(where)).st_mode
    check(list(found) == KEYS, "exactly the five keys, in this order: %s" % list(found))
    check(found["port"] == FIRST and isinstance(found["port"], int), "the preferred port, a number: %s" % found)
    check(found["host"] == "localhost" and found["url"] == "http://localhost:%d" % FIRST, "host and url: %s" % found)
    check(before <= found["timestamp"] <= time.time(), "timestamp is now, in seconds: %s" % found)
    check(stat.S_IMODE(mode) == 0o600 and stat.S_ISREG(mode), "mode 0600: %o" % mode)
    said = front(where)
    check(said.get("pid") == found["process_id"] and said["source"] == "file", "the front end: %s" % said)
    check(said["cwd"] == where, "and it is this checkout's: %s" % said)
    # at SIGTERM, once the program has ended; at Ctrl-C; when it is killed
    stop(child)
    check(is_gone(where), "removed at the end")
    child = backend(where)
    wait(where)
    os.killpg(child.pid, signal.SIGINT)  # what a terminal does
    child.wait(timeout=LIMIT)
    check(is_gone(where), "removed at Ctrl-C")
    child = backend(where)
    wait(where)
    os.kill(read_json(in_project(where))["process_id"], signal.SIGKILL)
    check(child.wait(timeout=LIMIT) == -signal.SIGKILL, "run dies as its program died: %s" % child.returncode)
    check(is_gone(where), "removed when it is killed")
    stop(child)


def check_fallback():
    """54321 taken, then 54322 as well, ... at last all of them: the kernel's choice."""
    where = project("one")
    got = []
    for count in range(1, 31):
        with taken(range(FIRST, FIRST + count)):
            child = quick(where)
            got.append(json.loads(child.said)["port"] if child.said.startswith("{") else child.said)
            if count == 30:
                status = json.loads(run("status", "--json", cwd=where)[1])
                check("os" in json.dumps(status), "the kernel's choice, by its reason: %s" % status)
            stop(child)
    check(got[:29] == list(range(FIRST + 1, FIRST + 30)), "54322 ... 54350, one after the other: %s" % got)
    check(isinstance(got[29], int) and not FIRST <= got[29] < FIRST + 30, "then any: %s" % got[29])
    where = project("two")  # where nothing was moved before: what it had last time comes before the range
    with taken([FIRST]):
        child = backend(where)
        wait(where)
        said = front(where)
        check(said["port"] == FIRST + 1 and said.get("who") == "backend", "uvicorn on 54322: %s" % said)
        stop(child)
        notice = "portshim: backend %d -> %d (%d is held by " % (FIRST, FIRST + 1, FIRST)
    check(front(where) == {"port": FIRST + 1, "source": "no file", "error": "ECONNREFUSED"}, "54322 without a file")
    with taken([FIRST]):
        status, _, err = command(PORTSHIM, "run", "--", PYTHON, "-c", "import os, socket; s = socket.socket(); "
                                 "s.bind(('', int(os.environ['API_PORT']))); s.listen()", "back_office_lmelp",
                                 cwd=where)
    check(status == 0 and notice in err, "the move is told, with the holder: %s" % err)


def whole(text):
    try:
        return list(json.loads(text)) == KEYS
    except ValueError:
        return False


def check_race():
    """The file is hammered while backends start: whenever it is there it is whole and private, and its server is up."""
    where = project("one")
    wrong, reads, seen = [], [0], {}
    over = threading.Event()
    started_now = threading.Event()

    def hammer():
        while not over.is_set():
            try:
                with open(in_project(where), "rb") as f:
                    mode, text = os.fstat(f.fileno()).st_mode, f.read()
            except FileNotFoundError:
                continue
            reads[0] += 1
            if not whole(text) or stat.S_IMODE(mode) != 0o600:
                wrong.append((oct(mode), text))
                continue
            found = json.loads(text)
            if found["process_id"] in seen:
                continue
            try:  # the first time that this backend is seen: at once
                socket.create_connection(("127.0.0.1", found["port"]), timeout=LIMIT).close()
                seen[found["process_id"]] = True
            except OSError as e:
                wrong.append((found, str(e)))
                seen[found["process_id"]] = False
            started_now.set()

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        for n in range(25):
            child = quick(where)
            check(child.said.startswith("{") and json.loads(child.said)["port"] == FIRST,
                  "start %d: the file is there when listen() returns: %s" % (n, child.said))
            if not check(started_now.wait(LIMIT), "start %d: it is seen" % n):
                break
            started_now.clear()
            stop(child)
            check(is_gone(where), "start %d: it is gone" % n)
    finally:
        over.set()
        thread.join()
    check(not wrong, "never half, never readable to others, never before the server: %s" % wrong[:3])
    check(len(seen) == 25 and all(seen.values()), "each of the 25 was seen, and accepted: %d" % len(seen))
    print("the file was read %d times" % reads[0])


def check_heartbeat():
    where = project("one")
    child = quick(where)
    first = os.stat(in_project(where)).st_ino
    until(lambda: os.stat(in_project(where)).st_ino != first, "the file to be replaced")
    missing = bad = 0
    newest, writes = 0, set()
    begun, limit = int(time.time()), time.monotonic() + LIMIT
    while time.monotonic() < limit and (newest < begun + 2 or len(writes) < 20):
        try:
            with open(in_project(where), "rb") as f:
                text = f.read()
                writes.add(os.fstat(f.fileno()).st_mtime_ns)
            if whole(text):
                newest = json.loads(text)["timestamp"]
                bad += newest > time.time()
            else:
                bad += 1
        except FileNotFoundError:
            missing += 1
    check(missing == 0 and bad == 0, "while it is replaced it is there and whole: %d, %d" % (missing, bad))
    check(newest >= begun + 2 and len(writes) >= 20, "and fresh: %d, %d, %d times" % (begun, newest, len(writes)))

    # Forged: the file says what anybody wrote into it. Nobody believes it, and the next heartbeat puts it right.
    real = read_json(in_project(where))
    victim = stranger(0)
    forged = {**real, "port": victim.port, "process_id": victim.pid}
    write(in_project(where), json.dumps(forged, separators=(",", ":")))
    check(run("port", "backend", cwd=where)[1].strip() == str(FIRST), "port: the registry's word, not the file's")
    out = run("free", "--dry-run", "backend", cwd=where)[1]
    check("pid %d" % real["process_id"] in out and "pid %d" % victim.pid not in out,
          "free: the registry's pid: %s" % out)
    until(lambda: read_json(in_project(where))["process_id"] == real["process_id"], "the file to be put right")
    stop(victim)

    # The keeper is killed: nobody renews the file. The backend goes on, the front end ignores the file.
    child.kill()
    child.wait(timeout=LIMIT)
    before = read_json(in_project(where))
    time.sleep(2.1)  # the timestamp has seconds
    after = read_json(in_project(where))
    check(after == before, "without the keeper it is not renewed: %s %s" % (before, after))
    write(os.path.join(where, "later.cjs"), "const now = Date.now; Date.now = () => now() + 31000;\n")
    said = front(where, NODE_OPTIONS="-r ./later.cjs")
    check(said["source"] == "too old" and said["port"] == FIRST + 1, "31 seconds later: %s" % said)
    # Both are killed: the next run takes the file away.
    os.kill(before["process_id"], signal.SIGKILL)
    until(lambda: not os.path.exists("/proc/%d" % before["process_id"]), "the backend to be gone")
    check(not is_gone(where), "nobody was there to take it away")
    run("run", "--", "true", cwd=where)
    check(is_gone(where), "the next run has taken it away")
    stop(child)


def check_hostile():
    """Links and other users' files where the file has to be."""
    where = project("one")
    precious = os.path.join(where, "precious")
    write(precious, "precious")
    os.symlink(precious, in_project(where))
    child = quick(where)
    check(read(precious) == b"precious" and not os.path.islink(in_project(where)), "a link is replaced, not followed")
    check(child.said.startswith("{"), "by the file: %s" % child.said)
    stop(child)
    check(is_gone(where) and read(precious) == b"precious", "and only that is removed")

    os.mkdir(in_project(where))
    child = start(PORTSHIM, "run", "--", PYTHON, "-c", QUICK, "back_office_lmelp", cwd=where,
                  stdin=subprocess.PIPE, env=environment(where))
    check(line(child.stdout) == "no file\n", "a directory where the file has to be")
    said = line(child.stderr)
    check("cannot be written" in said, "a directory there is told of: %s" % said)
    said = run("port", "backend", cwd=where)
    check(said[1].strip() == str(FIRST), "and the backend runs: %s" % (said,))
    stop(child)
    os.rmdir(in_project(where))

    if os.getuid() != 0:
        skip("a foreign file", "only root can make one")
        return
    # It names a living backend of ours, so it is all right as far as its words go; but it is somebody else's.
    first = quick(where)
    named = json.loads(first.said)
    first_at = os.path.join(where, "kept")
    os.kill(first.pid, signal.SIGSTOP)  # its keeper, which would renew it
    until(lambda: state(first.pid) == "T", "the keeper to be stopped")
    write(first_at, json.dumps({**named, "url": "http://evil.example"}, separators=(",", ":")))
    os.chown(first_at, 65534, 65534)
    os.rename(first_at, in_project(where))
    second = quick(where)
    owner = os.stat(in_project(where)).st_uid
    check(owner == 0 and "evil" not in read(in_project(where)).decode(), "a foreign file is not kept: uid %d" % owner)
    os.kill(first.pid, signal.SIGCONT)
    stop(first, second)
    check(is_gone(where), "removed")


# ---- numbers ----

def check_variable():
    where = project("one")
    other = free_row(1, 20000, 29000)
    child = backend(where, API_PORT=str(other))
    wait(where)
    found = read_json(in_project(where))
    check(found["port"] == other, "API_PORT: %s" % found)
    check(run("port", "backend", cwd=where)[1].strip() == str(other), "it is still the backend")
    check(front(where).get("pid") == found["process_id"], "the front end follows")
    stop(child)
    check(is_gone(where), "removed")
    with taken([other]):
        child = backend(where, API_PORT=str(other))
        wait(where)
        found = read_json(in_project(where))
        check(FIRST + 1 <= found["port"] <= FIRST + 29, "and it keeps its range: %s" % found)
        check("backend %d -> " % other in line(child.stderr), "told")
        stop(child)


def check_deterministic():
    where = project("one")
    child = backend(where, SKIP_PORT_DISCOVERY="true")
    status = command(PORTSHIM, "wait", "--timeout", "100s", "backend", cwd=where, SKIP_PORT_DISCOVERY="true")[0]
    check(status == 0 and read_json(in_project(where))["port"] == FIRST, "the number itself")
    stop(child)
    check(is_gone(where), "removed")
    holder = stranger(FIRST)
    child = backend(where, SKIP_PORT_DISCOVERY="true")
    out, err = child.communicate(timeout=LIMIT)
    check(child.returncode not in (0, 125), "its own exit status: %s" % child.returncode)
    by = "%d is held by python3, pid %d, ~/elsewhere" % (FIRST, holder.pid)
    check("no port is left for backend %d: %s" % (FIRST, by) in err, "who has it: %s" % err)
    check(is_gone(where), "no file")
    child = backend(where, SKIP_PORT_DISCOVERY="false")
    wait(where)
    check(read_json(in_project(where))["port"] == FIRST + 1, "false is not true")
    stop(child)
    status, out, _ = command(PORTSHIM, "check", "--only=running", "--json", cwd=where, SKIP_PORT_DISCOVERY="true")
    check(status == 1 and json.loads(out)["findings"][0]["severity"] == "error", "CI's check beforehand: %s" % out)
    check(run("check", "--only=running", cwd=where)[0] == 0, "without it, it can be moved")
    stop(holder)
    check(command(PORTSHIM, "check", "--only=running", cwd=where, SKIP_PORT_DISCOVERY="true")[0] == 0, "it is free")


# ---- several ----

def check_checkouts():
    one, two = project("one"), project("two")
    children = [backend(one, WHO="one"), backend(two, WHO="two")]
    wait(one)
    wait(two)
    ports = [read_json(in_project(where))["port"] for where in (one, two)]
    check(sorted(ports) == [FIRST, FIRST + 1], "two checkouts, two ports: %s" % ports)
    check([front(where)["who"] for where in (one, two)] == ["one", "two"], "each front end has its own")
    listed = run("status", "--all", cwd=one)[1]
    check(all(re.search(r"\b%d\b" % port, listed) for port in ports), "the list of both: %s" % listed)

    # Whose backend is gone has no file, and 54322 is the other one's.
    at = ports.index(FIRST)
    gone, other = (one, two)[at], (one, two)[1 - at]
    stop(children[at])
    check(is_gone(gone) and not is_gone(other), "one file is gone, the other is there")
    check(front(gone)["who"] == ("two", "one")[at], "the fallback leads a bare front end astray")
    check(front(gone, PORTSHIM, "run", "--quiet", "--")["error"] == "ECONNREFUSED", "under portshim it is refused")
    check(front(other, PORTSHIM, "run", "--quiet", "--")["who"] == ("two", "one")[at], "the other's own goes on")
    stop(*(c for c in children if c.poll() is None))


def check_instances():
    """Two runs of one checkout, and one with a name."""
    where = project("one")
    children = [backend(where, WHO="first")]
    wait(where)
    children.append(backend(where, WHO="second"))
    until(lambda: len(json.loads(run("status", "--json", cwd=where)[1])["assignments"]) == 2, "two in the list")
    check(front(where)["who"] == "first", "the file stays with the first")
    children.append(backend(where, "--env", "review", WHO="review"))
    wait(where, "--env", "review")
    url = run("url", "--env", "review", "backend", cwd=where)[1].strip()
    check(url == "http://localhost:%d" % (FIRST + 2), "the named one: %s" % url)
    asked = ("import json, urllib.request\n"
             "print(json.load(urllib.request.urlopen('http://localhost:%d/api/whoami'))['who'])")
    said = run("run", "--quiet", "--env", "review", "--", PYTHON, "-c", asked % FIRST, cwd=where)[1].strip()
    check(said == "review", "by the preferred number, in that environment: %s" % said)
    check(front(where)["who"] == "first", "and the file is still the first one's")
    stop(children.pop())
    check(front(where)["who"] == "first", "which it stays")
    stop(children[0])
    until(lambda: front(where).get("who") == "second", "the file to go to the second")
    stop(*children[1:])
    check(is_gone(where), "the last one has taken it away")


def check_wait():
    """Nobody polls: `wait` is there before the backend and returns with it."""
    where = project("one")
    waiting = [start(PORTSHIM, "wait", "backend", cwd=where) for _ in range(3)]
    child = quick(where)
    for one in waiting:
        check(one.wait(timeout=LIMIT) == 0, "wait returns")
    check(not is_gone(where), "and the file is there")
    with open("/proc/%d/stat" % child.pid, encoding="ascii") as f:
        check(f.read(), "the keeper lives")
    stop(child, *waiting)
    check(run("wait", "--timeout", "0", "backend", cwd=where)[0] == 1, "nothing to wait for")


# ---- the page ----

def check_docs():
    where = project("page")
    os.environ["PYTHONPATH"] = os.path.join(where, "src")
    holder = stranger(FIRST)
    child = backend(where)
    wait(where)
    check_page("docs/projects/lmelp.md", 8, change=lambda text: moved(text).replace("pid 812", "pid %d" % holder.pid),
               cwd=where)
    # Nothing of it was left running, and the page's own json is what the file is like.
    page = read(os.path.join(TOP, "docs", "projects", "lmelp.md")).decode()
    shown = json.loads(re.search(r"```json\n(.*?)```", page, re.S).group(1))
    check(list(shown) == list(read_json(in_project(where))), "the page's file")
    stop(child, holder)
    del os.environ["PYTHONPATH"]


def main():
    if not shutil.which("node"):
        raise Skip("node is not installed")
    if subprocess.run([PYTHON, "-c", "import fastapi, uvicorn"], stderr=subprocess.DEVNULL, check=False).returncode:
        skip("uvicorn", "python3-uvicorn and python3-fastapi are not installed; Python's own server stands in")
    os.environ.setdefault("LC_ALL", "C")
    run_parts(check_preferred, check_fallback, check_race, check_heartbeat, check_hostile, check_variable,
              check_deterministic, check_checkouts, check_instances, check_wait, check_docs,
              before=lambda: os.makedirs(os.path.join(os.environ["HOME"], "elsewhere"), exist_ok=True))


main()
