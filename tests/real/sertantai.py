#!/usr/bin/python3
"""The projects of manifest/examples/sertantai.manifest.json and docs/projects/sertantai.md, with real servers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/sertantai.py

The numbers of the example and of the page are moved up by as much as is needed to have all of them free here.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("PORTSHIM_TEST_BUILD") or os.environ.get("BUILD") or os.path.join(TOP, "build"))
PROGRAM = os.path.join(BUILD, "portshim")
PYTHON = "/usr/bin/python3"

passed = failed = skipped = 0
started = []
handed_out = {}  # by project

OTHERS = {
    "auth": """{ "version": 1, "project": "auth", "services": {
        "backend": { "port": 4000, "range": "4000-4099", "env": ["PORT"] },
        "database": { "port": 5432, "external": true } },
        "defaults": { "strategy": "conservative" } }""",
    "controls": """{ "version": 1, "project": "controls", "services": {
        "backend": { "port": 4001, "env": ["PORT"] }, "frontend": { "port": 5174 },
        "database": { "port": 5435 }, "sync": { "port": 3000 } } }""",
}


def check(good, what):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("not ok:", what)
    return good


def is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def draw():
    """How far up: everything that the projects or their ranges have is free there."""
    for more in range(6000, 22000, 100):
        if all(is_free(port + more) for first in (3000, 4000, 5173, 5430, 6379) for port in range(first, first + 12)):
            return more
    raise SystemExit("no free numbers")


def moved(text, more):
    """The numbers of the projects, moved up."""
    return re.sub(r"\b(30\d\d|40\d\d|51[789]\d|54[3-9]\d|63[789]\d)\b", lambda m: str(int(m.group(1)) + more), text)


def environment(**more):
    return dict({k: v for k, v in os.environ.items() if k != "PORT"}, **more)


def run(*words, cwd):
    result = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60,
                            text=True, cwd=cwd, env=environment())
    return result.returncode, result.stdout, result.stderr


# An HTTP server on $PORT, else on the number given. Below /up, answers with what the URL in $UPSTREAM says.
SERVER = r"""
import http.server, os, sys, urllib.request
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = os.environ["WHO"]
        if self.path == "/up":
            text += "+" + urllib.request.urlopen(os.environ["AUTH_URL"], timeout=20).read().decode()
        elif self.path.startswith("/v1/shape"):
            text += " " + self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *words):
        pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT") or sys.argv[1])), H)
print(s.socket.getsockname()[1], flush=True)
s.serve_forever()
"""


def start(words, **more):
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, **more)
    started.append(child)
    return child


def server(who, port, where, *options, managed=True):
    words = [PYTHON, "-c", SERVER, str(port)]
    if managed:
        words = [PROGRAM, "run", *options, "--", *words]
    child = start(words, cwd=where, env=environment(WHO=who))
    child.told = child.stdout.readline().strip()
    check(child.told, "%s has started" % who)
    return child


def fetch(where, script):
    """What a program of the project gets to see."""
    result = subprocess.run([PROGRAM, "run", "--quiet", "--", PYTHON, "-c", "import os, urllib.request\n"
                             "def get(url):\n    return urllib.request.urlopen(url, timeout=20).read().decode()\n" +
                             script],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60, text=True,
                            cwd=where,
                            env=environment())
    return result.stdout.strip() or result.stderr.strip()[-300:]


def stop(child):
    child.terminate()
    child.wait(timeout=30)
    child.stdout.close()
    child.stderr.close()
    started.remove(child)


def check_page(more):
    """Each command of the page says what the page says, before anything runs."""
    with open(os.path.join(TOP, "docs", "projects", "sertantai.md"), encoding="utf-8") as f:
        page = moved(f.read(), more)
    count = 0
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.S | re.M):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, wanted = part.partition("\n")
            result = subprocess.run(["sh", "-c", command + " 2>&1"], cwd="enforcement", stdout=subprocess.PIPE,
                                    check=False,
                                    text=True, timeout=60,
                                    env=environment(PATH=BUILD + ":" + os.environ["PATH"]))
            # Columns are as wide as their words, and numbers are longer here.
            same = [line.split() for line in result.stdout.strip().split("\n")] == [l.split()
                    for l in wanted.strip().split("\n")]
            check(same, "the page: %s\nsays %s\nbut the page has %s" % (command, result.stdout, wanted))
            count += 1
    check(count >= 5, "the page has commands")


def check_map(more):
    """A number that two projects want is found before anything runs."""
    with open("controls/ports.manifest.json", encoding="utf-8") as f:
        right = f.read()
    with open("controls/ports.manifest.json", "w", encoding="utf-8") as f:
        f.write(right.replace(str(5435 + more), str(5434 + more)))
    status, out, _ = run("map", "--json", cwd="enforcement")
    check(status == 1 and json.loads(out)["conflicts"] == [5434 + more],
          "two projects with one database's number: %s" % out)
    status, out, _ = run("check", "--only=projects", "--strict", cwd="enforcement")
    check(status == 1 and "%d is the port of \"database\" of the project controls too" % (5434 + more) in out,
          "check: %s" % out)
    with open("controls/ports.manifest.json", "w", encoding="utf-8") as f:
        f.write(right)
    check(run("map", "--json", cwd="enforcement")[0] == 0, "and with two numbers")


def check_next(more):
    """Two people who ask at once get two numbers."""
    children = [start([PROGRAM, "next", "--quiet", "backend"], cwd=where, env=environment())
                for where in ("auth", "enforcement")]
    handed_out.update(zip(("auth", "enforcement"), (child.communicate(timeout=60)[0].strip() for child in children)))
    check(sorted(handed_out.values()) == [str(4003 + more), str(4004 + more)], "two at once: %s" % handed_out)
    for child in children:
        started.remove(child)


def check_run(more):
    """Servers of two projects, all of whose numbers are somebody else's; and one in a container."""
    for folder in ("enforcement/backend", "enforcement/frontend"):
        os.makedirs(folder)
    strangers = [server("stranger", port + more, ".", managed=False) for port in (4000, 4002)]
    container = server("shapes", 3001 + more, ".", managed=False)
    auth = server("auth", 4000 + more, "auth", "--quiet")
    check(auth.told == handed_out["auth"], "auth goes to its range, past the others' numbers: %s, %s" % (auth.told,
            handed_out))
    backend = server("enforcement", 4002 + more, "enforcement/backend")
    check(backend.told == handed_out["enforcement"], "the backend does likewise: %s, %s" % (backend.told, handed_out))
    status, out, _ = run("check", "--only=running", cwd="enforcement")
    check(status == 0 and "%d is held by python3, pid %d" % (4002 + more, strangers[1].pid) in out,
          "who holds the number: %s" % out)
    table = run("map", cwd="enforcement")[1]
    for line in (r"%d +auth +backend +own +on %s\b" % (4000 + more, auth.told),
                 r"enforcement +auth +from auth/backend +on %s\b" % auth.told,
                 r"%d +enforcement +backend +own +on %s\b" % (4002 + more, backend.told),
                 r"%d +enforcement +sync +own +held by python3, pid %d" % (3001 + more, container.pid)):
        check(re.search(line, table), "the map, while it runs: %s in %s" % (line, table))

    check(fetch("enforcement/frontend", "print(get(os.environ['PUBLIC_API_URL']))") == "enforcement",
          "the front's own API")
    check(fetch("enforcement/frontend", "print(os.environ['PUBLIC_API_URL'], os.environ['PUBLIC_ELECTRIC_URL'])") ==
          "http://localhost:%d http://localhost:%d" % (4002 + more, 3001 + more), "URLs made from the map")
    path = "'/v1/shape?table=cases&offset=-1'"
    check(fetch("enforcement/frontend", "print(get(os.environ['PUBLIC_ELECTRIC_URL'] + %s))" % path) ==
          "shapes /v1/shape?table=cases&offset=-1", "the sync engine in its container")
    check(fetch("enforcement/frontend", "print(get(os.environ['PUBLIC_API_URL'] + '/up'))") == "enforcement+auth",
          "front -> backend -> the other project's backend")
    check(fetch("enforcement", "print(get('http://127.0.0.1:%d'))" % (4000 + more)) == "auth", "its own number, too")
    check(fetch("controls", "print(get('http://127.0.0.1:%d'))" % (4000 + more)) == "stranger",
          "controls has not said so")
    # auth is started anew, without the stranger: everybody finds it.
    stop(auth)
    stop(strangers.pop(0))
    auth = server("auth again", 4000 + more, "auth", "--quiet")
    check(fetch("enforcement/frontend", "print(get(os.environ['PUBLIC_API_URL'] + '/up'))") == "enforcement+auth again",
          "auth is somewhere else now")
    stop(auth)
    check("refused" in fetch("enforcement", "print(get('http://127.0.0.1:%d'))" % (4000 + more)).lower(),
          "auth is gone")
    for child in (backend, container, *strangers):
        stop(child)


def check_redis(more):
    """A real Redis as the container publishes it: straight to the number."""
    global skipped
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        skipped += 1
        print("skip: redis: redis-server is not installed")
        return
    port = str(6380 + more)
    redis = start(["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"], cwd=".")
    for line in redis.stdout:
        if "Ready to accept connections" in line:
            break
    said = subprocess.run([PROGRAM, "run", "--quiet", "--", "redis-cli", "-p", port, "ping"], stdout=subprocess.PIPE,
                          check=False, text=True, timeout=30, cwd="enforcement", env=environment()).stdout.strip()
    check(said == "PONG", "Redis: %s" % said)
    stop(redis)


def main():
    for name in [n for n in os.environ if n.startswith("PORTSHIM") and n != "PORTSHIM_TEST_BUILD"]:
        del os.environ[name]
    signal.alarm(120)
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="portshim-map-") as folder, \
            tempfile.TemporaryDirectory(prefix="portshim-map-", dir=shared) as runtime:
        os.environ["PORTSHIM_RUNTIME_DIR"] = runtime
        os.environ["HOME"] = os.path.realpath(folder)
        os.chdir(os.environ["HOME"])
        more = draw()
        with open(os.path.join(TOP, "manifest", "examples", "sertantai.manifest.json"), encoding="utf-8") as f:
            manifests = dict(OTHERS, enforcement=f.read())
        for name, text in manifests.items():
            os.mkdir(name)
            with open(os.path.join(name, "ports.manifest.json"), "w", encoding="utf-8") as f:
                f.write(moved(text, more))
        try:
            for part in (check_page, check_map, check_next, check_run, check_redis):
                part(more)
        finally:
            for child in started:
                child.kill()
                child.wait()
            os.chdir("/")
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return failed != 0


sys.exit(main())
