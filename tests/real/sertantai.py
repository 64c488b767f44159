#!/usr/bin/python3
"""The projects of manifest/examples/sertantai.manifest.json and docs/projects/sertantai.md, with real servers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/sertantai.py

The numbers of the example and of the page are moved up by as much as is needed to have all of them free here.
"""
import glob
import json
import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (LIMIT, PORTSHIM, PYTHON, TOP, check, check_page, command, free_shift, read, run, run_health,
                     run_parts, server, skip, start, stop, unprivileged, write)

unprivileged("docs/projects/sertantai.md", "manifest", user="postgres")

NUMBERS = [port for first in (3000, 4000, 5173, 5430, 6379) for port in range(first, first + 12)]
more = free_shift(NUMBERS, range(6000, 22000, 100))  # how far up all of them are free
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


def moved(text):
    """The numbers of the projects, moved up."""
    return re.sub(r"\b(30\d\d|40\d\d|51[789]\d|54[3-9]\d|63[789]\d)\b", lambda m: str(int(m.group(1)) + more), text)


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
        found = os.environ["WHO"] != "shapes" or self.path == "/v1/shape?table=cases&offset=-1"
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *words):
        pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT") or sys.argv[1])), H)
print(s.socket.getsockname()[1], flush=True)
s.serve_forever()
"""


def serve(who, port, where, *options, managed=True):
    words = [PYTHON, "-c", SERVER, str(port)]
    if managed:
        words = [PORTSHIM, "run", *options, "--", *words]
    child = server(*words, cwd=where, env=dict(os.environ, WHO=who))
    check(child.said, "%s has started" % who)
    return child


def fetch(where, script):
    """What a program of the project gets to see."""
    script = """import os, urllib.request
def get(url):
    return urllib.request.urlopen(url, timeout=20).read().decode()
""" + script
    _, out, err = run("run", "--quiet", "--", PYTHON, "-c", script, cwd=where)
    return out.strip() or err.strip()[-300:]


def page():
    """Each command of the page says what the page says, before anything runs."""
    check_page("docs/projects/sertantai.md", 5, change=moved, columns=False, cwd="enforcement")


def check_map():
    """A number that two projects want is found before anything runs."""
    path = "controls/ports.manifest.json"
    right = read(path)
    write(path, right.replace(b"%d" % (5435 + more), b"%d" % (5434 + more)))
    status, out, _ = run("map", "--json", cwd="enforcement")
    check(status == 1 and json.loads(out)["conflicts"] == [5434 + more],
          "two projects with one database's number: %s" % out)
    status, out, _ = run("check", "--only=projects", "--strict", cwd="enforcement")
    check(status == 1 and "%d is the port of \"database\" of the project controls too" % (5434 + more) in out,
          "check: %s" % out)
    write(path, right)
    check(run("map", "--json", cwd="enforcement")[0] == 0, "and with two numbers")


def check_next():
    """Two people who ask at once get two numbers."""
    children = [start(PORTSHIM, "next", "--quiet", "backend", cwd=where) for where in ("auth", "enforcement")]
    handed_out.update(zip(("auth", "enforcement"), (child.communicate(timeout=LIMIT)[0].strip() for child in children)))
    check(sorted(handed_out.values()) == [str(4003 + more), str(4004 + more)], "two at once: %s" % handed_out)


def check_run():
    """Servers of two projects, all of whose numbers are somebody else's; and one in a container."""
    for folder in ("enforcement/backend", "enforcement/frontend"):
        os.makedirs(folder)
    strangers = [serve("stranger", port + more, ".", managed=False) for port in (4000, 4002)]
    container = serve("shapes", 3001 + more, ".", managed=False)
    auth = serve("auth", 4000 + more, "auth", "--quiet")
    check(auth.said == handed_out["auth"], "auth goes to its range, past the others' numbers: %s, %s" % (auth.said,
            handed_out))
    backend = serve("enforcement", 4002 + more, "enforcement/backend")
    check(backend.said == handed_out["enforcement"], "the backend does likewise: %s, %s" % (backend.said, handed_out))
    status, out, _ = run("check", "--only=running", cwd="enforcement")
    check(status == 0 and "%d is held by python3, pid %d" % (4002 + more, strangers[1].pid) in out,
          "who holds the number: %s" % out)
    table = run("map", cwd="enforcement")[1]
    for line in (r"%d +auth +backend +own +on %s\b" % (4000 + more, auth.said),
                 r"enforcement +auth +from auth/backend +on %s\b" % auth.said,
                 r"%d +enforcement +backend +own +on %s\b" % (4002 + more, backend.said),
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
    auth = serve("auth again", 4000 + more, "auth", "--quiet")
    check(fetch("enforcement/frontend", "print(get(os.environ['PUBLIC_API_URL'] + '/up'))") == "enforcement+auth again",
          "auth is somewhere else now")
    stop(auth)
    check("refused" in fetch("enforcement", "print(get('http://127.0.0.1:%d'))" % (4000 + more)).lower(),
          "auth is gone")
    stop(backend, container, *strangers)


def check_redis():
    """A real Redis as the container publishes it: straight to the number."""
    if not shutil.which("redis-server") or not shutil.which("redis-cli"):
        skip("redis", "redis-server is not installed")
        return
    port = str(6380 + more)
    redis = start("redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no")
    for line in redis.stdout:
        if "Ready to accept connections" in line:
            break
    said = run("run", "--quiet", "--", "redis-cli", "-p", port, "ping", cwd="enforcement")[1].strip()
    check(said == "PONG", "Redis: %s" % said)
    stop(redis)


def check_health():
    """Backend and front under portshim, the first of them moved; sync engine, a real PostgreSQL and Redis as containers
    publish them."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found or not shutil.which("redis-server"):
        skip("health", "PostgreSQL or redis-server is not installed")
        return

    def health(*words):
        status, out, _ = run_health("health", "--json", *words, cwd="enforcement")
        services = json.loads(out)["services"]
        return status, {name: s["status"] for name, s in services.items()}, services
    os.makedirs("enforcement/frontend", exist_ok=True)
    os.makedirs("enforcement/backend", exist_ok=True)
    names = ["backend", "frontend", "database", "sync", "redis"]
    check(health()[:2] == (1, dict.fromkeys(names, "down")), "nothing runs: %s" % health()[2])
    waiting = start(PORTSHIM, "wait", "--healthy", *names, "--timeout", "60s", cwd="enforcement")
    stranger = serve("stranger", 4002 + more, ".", managed=False)
    backend = serve("enforcement", 4002 + more, "enforcement/backend")
    frontend = serve("front", 5173 + more, "enforcement/frontend")
    container = serve("shapes", 3001 + more, ".", managed=False)
    redis = start("redis-server", "--port", str(6380 + more), "--bind", "127.0.0.1", "--save", "", stdout=-3, stderr=-3)
    code, _, err = command(found[-1], "-D", "data", "-A", "scram-sha-256", "-N", "-U", "tester", "--locale=C",
                           "--pwfile", "/proc/self/comm")
    check(code == 0, "initdb: %s" % err)
    check(waiting.poll() is None and health("database")[1] == {"database": "down"}, "it waits for the database")
    postgres = start(os.path.join(os.path.dirname(found[-1]), "postgres"), "-D", "data", "-p", str(5434 + more), "-k", "",
                     "-c", "fsync=off", stdout=-3, stderr=-3)
    check(waiting.wait(timeout=LIMIT) == 0, "all healthy: %s" % health()[2])
    status, said, all_of_it = health()
    check(status == 0 and said == dict.fromkeys(names, "healthy"), "all healthy: %s" % all_of_it)
    check([all_of_it[name]["detail"] for name in names] ==
          ["HTTP 200", "HTTP 200"] + [what + ", not under portshim" for what in ("ready", "HTTP 200", "PONG")],
          "what they say: %s" % all_of_it)
    check([all_of_it[name]["port"] for name in names] ==
          [int(backend.said), int(frontend.said), 5434 + more, 3001 + more, 6380 + more] and
          int(backend.said) != 4002 + more, "where they were asked: %s" % all_of_it)
    os.kill(postgres.pid, signal.SIGINT)  # a fast shutdown
    postgres.wait(timeout=LIMIT)
    check(health()[:2] == (1, dict(said, database="down")), "the database is gone: %s" % health()[2])
    stop(postgres, redis, container, frontend, backend, stranger)


def projects():
    """Written once: what they know of one another stays from part to part."""
    if not os.path.exists("enforcement"):
        example = read(os.path.join(TOP, "manifest", "examples", "sertantai.manifest.json")).decode()
        for name, text in dict(OTHERS, enforcement=example).items():
            write(os.path.join(name, "ports.manifest.json"), moved(text))


run_parts(page, check_map, check_next, check_run, check_redis, check_health, before=projects)
