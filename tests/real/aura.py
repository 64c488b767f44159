#!/usr/bin/python3
"""The project of manifest/examples/aura.manifest.json and docs/projects/aura.md, with real servers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/aura.py   (after `make check-real`)

Six node servers, PostgreSQL and Redis. All numbers are those of the manifest, in a network namespace of the test's own,
so that nobody else has them.
"""
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (BUILD, LIMIT, PORTSHIM, TOP, Skip, check, check_page, command, line, listener, read_json, run,
                     run_health, run_parts, server, skip, start, stop, until)

SERVICES = {  # name: (port, directory, file)
    "web": (3000, "apps/web", "server.mjs"), "studio": (5173, "apps/studio", "dev.mjs"),
    "front": (54112, "apps/front", "server.mjs"), "gateway": (4001, "services/gateway", "main.mjs"),
    "backend": (4010, "services/backend", "main.mjs"), "artifacts": (4011, "services/artifacts", "main.mjs"),
}
FRONTS, BACKENDS = range(3000, 3100), range(4000, 4100)
NODE = shutil.which("node")
externals = {}


def home(*parts):
    return os.path.join(os.environ["HOME"], *parts)


def project(name):
    where = home(name)
    if not os.path.exists(where):
        shutil.copytree(os.path.join(TOP, "tests", "real", "aura"), where)
        os.mkdir(os.path.join(where, "config"))
        shutil.copy(os.path.join(TOP, "manifest", "examples", "aura.manifest.json"),
                    os.path.join(where, "config", "ports.manifest.json"))
    return where


def serve(where, name, *options, **more):
    """One service of a checkout, under portshim, from its own directory."""
    _, directory, file = SERVICES[name]
    child = server(PORTSHIM, "run", *options, "--", NODE, file, cwd=os.path.join(where, directory),
                   env=dict(os.environ, WHO=os.path.basename(where), **more))
    check(child.said == name + " is ready", "%s: %s has started: %r" % (os.path.basename(where), name, child.said))
    return child


def actual(where, name):
    return int(run("port", name, cwd=where)[1] or 0)


def get(url, *words, cwd="."):
    """What a program gets to see: `words` run it."""
    script = ("fetch(%s).then(r => r.text()).then(t => console.log(t),"
              " e => console.log(JSON.stringify({error: e.cause?.code})))")
    out, err = command(*words, NODE, "-e", script % json.dumps(url), cwd=cwd, limit=LIMIT)[1:]
    try:
        return json.loads(out)
    except ValueError:
        return {"error": out + err}


def inside(where, port, path):
    return get("http://localhost:%d%s" % (port, path), PORTSHIM, "run", "--quiet", "--", cwd=where)


def stranger(port):
    return listener(port, cwd=home("elsewhere"))


# ---- what the machine has anyway ----

def start_postgresql():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb") + [shutil.which("initdb") or ""])
    if not found[-1]:
        raise Skip("PostgreSQL's initdb is not installed")
    directory = tempfile.mkdtemp(prefix="portshim-test.")
    externals["directory"] = directory
    become = []
    if os.getuid() == 0:  # which it refuses to be
        user = "postgres" if command("id", "postgres")[0] == 0 else "nobody"
        command("chown", user, directory)
        become = ["setpriv", "--reuid", user, "--regid", command("id", "-g", user)[1].strip(), "--clear-groups"]
    data, programs = os.path.join(directory, "data"), os.path.dirname(found[-1])
    status, _, err = command(*become, found[-1], "-D", data, "-A", "trust", "-N", "-U", "aura", "--locale=C", cwd="/")
    if status:
        raise Skip("initdb: " + err[-300:])
    externals["postgresql"] = start(*become, os.path.join(programs, "postgres"), "-D", data, "-p", "5432", "-k", "",
                                    "-c", "fsync=off", cwd="/", stderr=subprocess.DEVNULL)
    until(lambda: command("psql", *PSQL, "create table models as select 'small' as name")[0] == 0, "PostgreSQL")


PSQL = ("-X", "-At", "-h", "localhost", "-p", "5432", "-U", "aura", "-d", "postgres", "-c")


def start_redis():
    externals["redis"] = start("redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", cwd="/")
    for text in externals["redis"].stdout:
        if "Ready to accept connections" in text:
            return
    raise Skip("redis-server has not started")


# ---- a stream that stays up ----

class Stream:
    """Reads the backend's events through the front, as a browser would: by the front's number, in its own checkout."""

    SCRIPT = """
    fetch("http://localhost:54112/api/events").then(async (response) => {
        let text = "";
        for await (const chunk of response.body) {
            text += Buffer.from(chunk).toString();
            const parts = text.split("\\n\\n");
            text = parts.pop();
            for (const part of parts) console.log(part.slice(6));
        }
        console.log("over");
    }, (error) => console.log("failed", error.cause?.code));
    """

    def __init__(self, where):
        self.who = os.path.basename(where)
        self.child = start(PORTSHIM, "run", "--quiet", "--", NODE, "-e", self.SCRIPT, cwd=where)
        self.events, self.other = [], []
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for text in self.child.stdout:
            (self.events if text.startswith("{") else self.other).append(text.strip())

    def goes_on(self, what):
        """More events come, each the next one, all from the same process."""
        before = len(self.events)
        until(lambda: len(self.events) > before + 5 or self.other, "events")
        events = [json.loads(text) for text in self.events]
        check(not self.other and [e["n"] for e in events] == list(range(len(events))) and
              {e["who"] for e in events} == {self.who} and len({e["pid"] for e in events}) == 1,
              "%s's stream goes on while %s: %s" % (self.who, what, self.other or self.events[-3:]))

    def end(self):
        self.child.terminate()
        self.thread.join()
        stop(self.child)


# ---- the parts ----

def check_everywhere():
    """config/ports.manifest.json is found from every directory of the project."""
    where = project("aura")
    for folder, _, _ in os.walk(where):
        status, out, err = run("validate", cwd=folder)
        check(status == 0 and "ports.manifest.json: valid, 8 services" in out,
              "validate in %s: %s%s" % (folder, out, err))
        shown = run("run", "--", "sh", "-c", "echo $BACKEND_URL", cwd=folder)[1]
        check(shown == "http://localhost:4010\n", "run in %s: %s" % (folder, shown))
    for name, (port, folder, _) in SERVICES.items():
        shown = run("run", "--", "sh", "-c", "echo $PORT", cwd=os.path.join(where, folder))[1]
        check(shown == "%d\n" % port, "%s: its PORT: %s" % (name, shown))
    check(run("run", "--", "sh", "-c", "echo ${PORT-none}", cwd=where)[1] == "none\n", "no PORT where no service is")
    shown = run("run", "--", "sh", "-c", "echo $PORT", cwd=os.path.join(where, "apps/web"), PORT="3050")[1]
    check(shown == "3050\n", "a PORT that is set stays: %s" % shown)
    status, out, err = run("check", "--only=manifest", "--json", cwd=os.path.join(where, "apps/web"))
    check(status == 0 and not [f for f in json.loads(out)["findings"] if f["severity"] == "error"],
          "check: %s%s" % (out, err))


def check_externals(where):
    """Never moved, never refused: the same PostgreSQL and Redis for everybody."""
    check(run_health("health", "postgresql", "redis", cwd=where)[0] == 0, "both are healthy")
    said = command(PORTSHIM, "run", "--quiet", "--", "psql", *PSQL, "select inet_server_port()", cwd=where)[1]
    check(said == "5432\n", "psql under portshim: %s" % said)
    said = command(PORTSHIM, "run", "--quiet", "--", "redis-cli", "ping", cwd=where)[1]
    check(said == "PONG\n", "redis-cli under portshim: %s" % said)
    # A second one on the number gets the kernel's verdict, as if portshim were not there.
    status, _, err = command(PORTSHIM, "run", "--", "redis-server", "--port", "6379", "--bind", "127.0.0.1", cwd=where)
    check(status != 0 and "-> " not in err, "a second Redis is not moved: %s" % err)


def check_flow(where, *, calls=True):
    """front -> backend -> gateway -> PostgreSQL and Redis, all by the manifest's numbers."""
    who = os.path.basename(where)
    said = inside(where, 54112, "/api/items")
    gateway = said.get("gateway", {})
    check((said.get("service"), said.get("who"), said.get("PORT")) == ("backend", who, "4010"),
          "%s: the backend: %s" % (who, said))
    check((gateway.get("service"), gateway.get("who"), gateway.get("PORT")) == ("gateway", who, "4001"),
          "%s: its gateway: %s" % (who, said))
    check(gateway.get("database") == 5432 and gateway.get("models") == 1, "%s: PostgreSQL: %s" % (who, said))
    check(isinstance(gateway.get("calls"), int) if calls else gateway.get("calls") == "ECONNREFUSED",
          "%s: Redis: %s" % (who, said))
    return gateway.get("calls")


def check_conflict():
    """Six numbers are strangers', and two checkouts run at once."""
    one, two = project("aura"), project("aura-review")
    strangers = [stranger(port) for port, _, _ in SERVICES.values()]
    run_of = {(where, name): serve(where, name) for where in (one, two) for name in SERVICES}
    ports = {key: actual(*key) for key in run_of}
    # In order, past what is declared (3000, 4001, 4010, 4011), and past what the checkout before has.
    wanted = {"web": 3001, "studio": 3002, "front": 3003, "gateway": 4000, "backend": 4002, "artifacts": 4003}
    check({name: ports[one, name] for name in SERVICES} == wanted, "the next free ones of each range: %s" % ports)
    check(all(ports[two, n] in (FRONTS if ports[one, n] in FRONTS else BACKENDS) for n in SERVICES) and
          len(set(ports.values())) == 12, "and of the second checkout: %s" % ports)
    for where in (one, two):
        found = read_json(os.path.join(where, ".portshim", "ports.json"))["services"]
        check({n: s["port"] for n, s in found.items()} == {n: ports[where, n] for n in SERVICES},
              "its discovery file: %s" % found)
        check({s["reason"] for s in found.values()} == {"range"}, "each by its range: %s" % found)
        for name, (port, _, _) in SERVICES.items():
            said = inside(where, port, "/health")
            check((said.get("service"), said.get("who")) == (name, os.path.basename(where)), "%s: %s" % (name, said))
    check(check_flow(two) < check_flow(one), "one Redis for both")
    check_externals(one)

    streams = [Stream(one), Stream(two)]
    for stream in streams:
        stream.goes_on("nothing happens")
    # Others start, move and stop.
    stop(run_of.pop((one, "artifacts")))
    run_of[one, "artifacts"] = serve(one, "artifacts")
    check(actual(one, "artifacts") == ports[one, "artifacts"], "it has the same number again")
    streams[0].goes_on("artifacts is started anew")
    stop(run_of.pop((one, "gateway")))
    blocker = stranger(ports[one, "gateway"])
    run_of[one, "gateway"] = serve(one, "gateway")
    check(actual(one, "gateway") not in (ports[one, "gateway"], 4001) and actual(one, "gateway") in BACKENDS,
          "the gateway has moved: %d" % actual(one, "gateway"))
    streams[0].goes_on("the gateway moves")
    check_flow(one)
    streams[1].goes_on("the other's gateway moves")
    check_flow(two)
    stop(blocker)
    for name in ("web", "studio", "artifacts", "gateway"):
        stop(run_of.pop((two, name)))
    streams[0].goes_on("the other checkout stops")
    streams[1].goes_on("its neighbours stop")
    check(run("free", "--quiet", "web", cwd=one)[0] == 0, "free: web")
    run_of.pop((one, "web")).wait(timeout=LIMIT)
    check(run("port", "web", cwd=one)[0] == 1, "it is gone")
    streams[0].goes_on("web is ended")
    third = project("aura-third")
    started = [serve(third, name) for name in ("backend", "front", "gateway")]
    check_flow(third)
    streams[0].goes_on("a third checkout starts")
    stop(*started)
    stop(externals.pop("redis"))
    check_flow(one, calls=False)
    streams[0].goes_on("Redis is stopped, which is optional")
    start_redis()
    check_flow(one)
    for stream in streams:
        stream.end()
    stop(*(child for child in run_of.values() if child.poll() is None), *strangers)


def check_undisturbed():
    """Nobody in the way: the numbers themselves."""
    where = project("aura")
    children = [serve(where, name) for name in SERVICES]
    # What they had last time is only asked for when the number itself is taken.
    check({n: actual(where, n) for n in SERVICES} == {n: port for n, (port, _, _) in SERVICES.items()},
          "its own numbers")
    check_flow(where)
    said = get("http://localhost:54112/api/items")
    check(said.get("gateway", {}).get("models") == 1, "a browser outside of portshim: %s" % said)
    check(run_health("health", "backend", "postgresql", "redis", cwd=where)[0] == 0, "healthy")
    # A second checkout without a gateway: 4001 is the first one's, and its backend does not get there.
    other = project("aura-review")
    children += [serve(other, name) for name in ("backend", "front")]
    said = inside(other, 54112, "/api/items")
    check((said.get("who"), said.get("error")) == ("aura-review", "ECONNREFUSED"), "not the other's gateway: %s" % said)
    check_flow(where)
    stop(*children)


ALL_OF_A_RANGE = """
import socket, sys
held = []
for port in range(4000, 4100):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))
    s.listen()
    held.append(s)
print("held", flush=True)
sys.stdin.read()
"""


def check_exhausted():
    """The whole range is taken: an error that says who has it, and no other number."""
    where = project("aura")
    holder = server(sys.executable, "-c", ALL_OF_A_RANGE, cwd=home("elsewhere"), stdin=subprocess.PIPE)
    check(holder.said == "held", "all of the range")
    status, _, err = command(PORTSHIM, "run", "--", NODE, "main.mjs", cwd=os.path.join(where, "services/backend"),
                             limit=LIMIT)
    by = "held by python3, pid %d, ~/elsewhere" % holder.pid
    check(status == 1 and "EADDRINUSE" in err, "the program's own error: %d %s" % (status, err))
    check("portshim: no port is left for backend 4010: 4010 is %s; 4000 is %s; " % (by, by) in err and
          "93 more are taken, too; the program got: Address already in use\n" in err, "who has them: %s" % err)
    check("hint: `portshim why 4010` says more, `portshim free 4010` ends who holds it, with --force also others\n" in
          err, "what to do: %s" % err)
    status, out, _ = run("check", "--only=running", cwd=where)
    check("4010 is " + by in out and "nothing of its range 4000-4099 is free either" in out, "check: %s" % out)
    check(run("check", "--only=running", "--strict", "--quiet", cwd=where)[0] == 1, "a script's check")
    holder.stdin.close()
    holder.wait(timeout=LIMIT)
    stop(holder)
    check(run("check", "--only=running", "--strict", "--quiet", cwd=where)[0] == 0, "and afterwards")


def check_scripts():
    """scripts/dev.sh says what is in the way, with an exit status."""
    where = project("aura")
    path = BUILD + ":" + os.environ["PATH"]

    def dev(name):
        return command("scripts/dev.sh", name, cwd=where, PATH=path)

    check(dev("nothing")[0] == 2, "usage")
    holder = stranger(4010)
    child = server("scripts/dev.sh", "backend", cwd=where, env=dict(os.environ, PATH=path))
    check(child.said == "backend is ready" and actual(where, "backend") == 4002,
          "started: %d" % actual(where, "backend"))
    check("4010 -> 4002 (4010 is held by python3, pid %d" % holder.pid in line(child.stderr), "and told of")
    status, out, err = dev("backend")
    check((status, out, err) == (1, "", "backend runs already, on 4002: portshim free backend ends it\n"),
          "twice: %s" % err)
    stop(child, holder)
    stop(externals.pop("postgresql"))
    status, _, err = dev("gateway")
    check(status == 1 and err == "the gateway needs PostgreSQL on 5432; start it first\n",
          "without PostgreSQL: %s" % err)
    # What a script can ask, and the exit status.
    check(run("why", "4010", cwd=where)[0] == 1 and run("port", "backend", cwd=where)[0] == 1, "nobody there")
    check(run_health("health", "postgresql", cwd=where)[0] == 1, "health: down")


def check_docs():
    """The page, typed from its beginning to its end."""
    where = project("page")
    for words in (("init", "-q"), ("add", "-A")):
        command("git", *words, cwd=where)
    holder = stranger(4010)
    check_page("docs/projects/aura.md", 10, cwd=where,
               change=lambda text: text.replace("pid 812", "pid %d" % holder.pid))
    check(holder.wait(timeout=LIMIT) is not None, "the page has freed 4010")
    stop(holder)
    # What was fixed runs without portshim, on the old number and on another one.
    for more, port in (({}, 4011), ({"PORT": "4055"}, 4055)):
        child = server(NODE, "main.mjs", cwd=os.path.join(where, "services/artifacts"),
                       env=dict(os.environ, WHO="page", **more))
        said = get("http://localhost:%d/health" % port)
        check((said.get("service"), said.get("who")) == ("artifacts", "page"), "artifacts on %d: %s" % (port, said))
        stop(child)
    child = serve(where, "artifacts")
    check(actual(where, "artifacts") == 4011, "and under it")
    stop(child)


def start_externals():
    start_postgresql()
    start_redis()


def reserve():
    """54112 is among the numbers that the kernel gives to clients: a connection's end of a minute ago would have it."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_reserved_ports", "w", encoding="ascii") as f:
            f.write("54112")
    except OSError:
        pass  # an ordinary user's test may fail once in some hundred runs


def main():
    if not NODE:
        raise SystemExit(no("node is not installed"))
    if os.environ.get("PORTSHIM_TEST_NETWORK") is None and os.path.exists(BUILD + "/tests/own_network"):
        program = BUILD + "/tests/own_network"
        os.execv(program, [program, sys.executable, os.path.abspath(__file__)])
    if os.environ.get("PORTSHIM_TEST_NETWORK") != "own":
        raise SystemExit(no("no network namespace of its own can be had here"))
    reserve()
    try:
        run_parts(start_externals, check_everywhere, check_undisturbed, check_conflict, check_exhausted, check_docs,
                  check_scripts, before=lambda: os.makedirs(home("elsewhere"), exist_ok=True))
    finally:
        shutil.rmtree(externals.get("directory", "/nonexistent"), ignore_errors=True)


def no(why):
    skip("aura", why)
    print("0 passed, 0 failed, 1 skipped")
    return 0


main()
