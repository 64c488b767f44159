#!/usr/bin/python3
"""The project of manifest/examples/manitodebug.manifest.json and docs/projects/manitodebug.md, with real servers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/manitodebug.py

The server is node with WebSocket, the database PostgreSQL, Redis is Redis. All numbers are moved up to where they are
free, in the manifest, the programs and the page alike. As root it runs again as somebody else, which PostgreSQL wants.
"""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (LIMIT, PORTSHIM, PYTHON, TOP, check, check_page, command, end, free_shift, line, listener, read,
                     run, run_health, run_parts, server, skip, start, stop, unprivileged, until, write)

unprivileged("docs/projects/manitodebug.md", "manifest", "tests/real/manitodebug", user="postgres")

LISTS = {"server": (3000, 3001, 3002), "client": (5173, 5174, 5175), "database": (5432, 5433, 5434),
         "redis": (6379, 6380, 6381), "monitoring": (9090, 9091, 9092)}
more = free_shift([port for ports in LISTS.values() for port in ports], range(5000, 10900, 10))  # how far up they are
INITDB = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) + [shutil.which("initdb") or ""]
POSTGRES = os.path.dirname(INITDB[0])
PSQL = ("psql", "-X", "-At", "-U", "tester", "-d", "postgres")

# A WebSocket client: connects to the port that it is told, says a word, prints the answer.
TALK = r"""
import base64, os, socket, sys
s = socket.create_connection(("localhost", int(sys.argv[1])), timeout=20)
key = base64.b64encode(os.urandom(16)).decode()
s.sendall(("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: %s\r\n\r\n" % key).encode())
f = s.makefile("rb")
assert b" 101 " in f.readline()
while f.readline() != b"\r\n":
    pass
word, mask = sys.argv[2].encode(), os.urandom(4)
s.sendall(bytes([0x81, 128 + len(word)]) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(word)))
print(f.read(f.read(2)[1]).decode())
if len(sys.argv) > 3:
    sys.stdin.read()
"""

# Asks the URL in the variable anew, for each line that it is told.
ASK = r"""
import os, sys, urllib.request
for _ in sys.stdin:
    try:
        print(urllib.request.urlopen(os.environ["MANITO_SERVER_URL"], timeout=20).read().decode(), flush=True)
    except OSError as e:
        print(e, flush=True)
"""


def moved(text):
    """The numbers of the project, moved up."""
    return re.sub(r"\b(300[0-2]|517[345]|543[234]|63(79|80|81)|909[0-2])\b", lambda m: str(int(m.group()) + more), text)


def at(service, index=0):
    return LISTS[service][index] + more


def make(name):
    """The project in a directory of its own."""
    where = os.path.join(os.environ["HOME"], name)
    shutil.copytree(os.path.join(TOP, "tests", "real", "manitodebug"), where)
    for path in glob.glob(where + "/*/*.*"):
        write(path, moved(read(path).decode()))
    write(where + "/ports.manifest.json", moved(read(TOP + "/manifest/examples/manitodebug.manifest.json").decode()))
    return where


def status(where, *words):
    return json.loads(run("status", "--json", *words, cwd=where)[1])


def reasons(where, *words):
    return {name: s["reason"] for name, s in status(where, *words)["services"].items()}


def ports(where, *words):
    return {name: s["port"] for name, s in status(where, *words)["services"].items()}


# ---- the services ----

def node(where, *options):
    return server(PORTSHIM, "run", "--quiet", "--service", "server", *options, "--", "node", "server.mjs",
                  cwd=where + "/server")


def vite(where, *before):
    return server(*before, "node", "dev.mjs", cwd=where + "/client")


def postgres(where):
    return start(PORTSHIM, "run", "--quiet", "--", POSTGRES + "/postgres", "-D", "data", "-p", str(at("database")), "-k", "",
                 "-c", "cluster_name=manito", "-c", "fsync=off", cwd=where, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)


def redis(where):
    return start(PORTSHIM, "run", "--quiet", "--", "redis-server", "--port", str(at("redis")), "--bind", "127.0.0.1",
                 "--save", "", cwd=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def monitor(where):
    return server(PORTSHIM, "run", "--quiet", "--", PYTHON, "monitor.py", cwd=where + "/monitoring")


def started_all(where):
    return [node(where), vite(where, PORTSHIM, "run", "--quiet", "--"), postgres(where), redis(where), monitor(where)]


def within(where, *words):
    """What a program of the project gets to see."""
    _, out, err = run("run", "--quiet", "--", *words, cwd=where)
    return out.strip() or err.strip()[-300:]


def strangers(count):
    """Somebody else has the first of each list."""
    return [listener(at(name, i), cwd=os.environ["HOME"]) for name in LISTS for i in range(count)]


def reached(where, what):
    """Clients that know only the usual numbers reach our own."""
    said = status(where)["services"]
    pid = "server %d" % said["server"]["process_id"]
    check(within(where, "node", "-e", "fetch(process.env.MANITO_SERVER_URL).then(r => r.text()).then(console.log)") == pid,
          "%s: the server" % what)
    check(within(where, PYTHON, "-c", TALK, str(at("server")), "hello") == pid + ": hello", "%s: the WebSocket" % what)
    check("<title>ManitoDebug" in within(where, PYTHON, "-c", "import urllib.request as u; "
                                         "print(u.urlopen('http://localhost:%d/', timeout=20).read().decode())" %
                                         at("client")), "%s: the client" % what)
    check(within(where, *PSQL, "-h", "localhost", "-p", str(at("database")), "-c", "show cluster_name") == "manito",
          "%s: the database" % what)
    check(within(where, "redis-cli", "-p", str(at("redis")), "ping") == "PONG", "%s: Redis" % what)
    check(within(where, PYTHON, "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:%d/metrics', "
                 "timeout=20).read().decode())" % at("monitoring")) == "manito_up 1", "%s: monitoring" % what)
    check(command(PYTHON, "-c", TALK, run("port", "websocket", cwd=where)[1].strip(), "out", cwd=where)[1].strip() ==
          pid + ": out", "%s: a client outside" % what)


def exhausted():
    """The lists, exhausted step by step: nobody's number, the first, two, all."""
    where = make("steps")
    code, out, err = command(POSTGRES + "/initdb", "-D", "data", "-A", "trust", "-N", "-U", "tester", "--locale=C", cwd=where)
    check(code == 0, "initdb: %s%s" % (out, err))
    for count in range(4):
        held = strangers(count)
        shutil.rmtree(os.path.join(where, ".portshim"), ignore_errors=True)
        running = started_all(where)
        what = "%d of each list taken" % count
        code, _, err = run("wait", "--healthy", *LISTS, "websocket", "--timeout", "60s", cwd=where)
        check(code == 0, "%s: healthy: %s" % (what, err))
        found, why = ports(where), reasons(where)
        if count < 3:
            check(found == dict({name: at(name, count) for name in LISTS}, websocket=at("server", count)), "%s: %s" % (what, found))
        check(found["websocket"] == found["server"] and len(set(found.values())) == 5 and
              not set(found.values()) & {child.port for child in held}, "%s: each has its own: %s" % (what, found))
        wanted = ("requested", "preferred", "preferred", "default-range")[count]
        check(why == dict({name: wanted for name in LISTS}, websocket="inherited"), "%s: %s" % (what, why))
        reached(where, what)
        code, out, _ = run_health("health", "--json", cwd=where)
        check(code == 0 and all(s["port"] == found[n] for n, s in json.loads(out)["services"].items()), "%s: %s" % (what, out))
        stop(*running)
        stop(*held)
        until(lambda: not status(where)["services"], "all to be gone")
        os.environ["PORTSHIM_RUNTIME_DIR"] = os.path.join(os.environ["HOME"], "runtime-%d" % count)  # nothing sticks
        os.mkdir(os.environ["PORTSHIM_RUNTIME_DIR"], 0o700)


def watched():
    """A server that comes back elsewhere is followed, by clients inside and outside; connections and health are seen."""
    where = make("watched")
    first = node(where)
    asker = start(PORTSHIM, "run", "--quiet", "--", PYTHON, "-u", "-c", ASK, cwd=where, stdin=subprocess.PIPE)

    def ask():
        asker.stdin.write("\n")
        asker.stdin.flush()
        return line(asker.stdout).strip()
    check(ask() == "server %d" % status(where)["services"]["server"]["process_id"], "the first one")
    talker = server(PORTSHIM, "run", "--quiet", "--", PYTHON, "-u", "-c", TALK, str(at("server")), "hi", "stay", cwd=where,
                    stdin=subprocess.PIPE)
    shown = json.loads(run_health("status", "--json", "--health", cwd=where)[1])["services"]["server"]["health"]
    check(shown["connections"] == 1 and shown["status"] == "healthy" and 0 <= shown["uptime"] < 600 and
          abs(shown["timestamp"] - time.time()) < 60, "one WebSocket: %s" % shown)
    write(where + "/server/ill", "")
    code, out, _ = run_health("health", "--json", "server", "websocket", cwd=where)
    check(code == 1 and json.loads(out)["services"]["server"]["detail"] == "HTTP 503", "ill: %s" % out)
    waiting = start(PORTSHIM, "wait", "--healthy", "server", cwd=where)
    os.unlink(where + "/server/ill")
    check(waiting.wait(timeout=LIMIT) == 0, "well again")
    stop(talker, first)
    stranger = listener(at("server"), cwd=os.environ["HOME"])
    waiting = start(PORTSHIM, "wait", "server", cwd=where)
    second = node(where)
    check(waiting.wait(timeout=LIMIT) == 0 and ports(where)["server"] == at("server", 1), "it comes back on the next number")
    check(ask() == "server %d" % status(where)["services"]["server"]["process_id"], "the same client follows")
    check(run("url", "websocket", cwd=where)[1] == "ws://localhost:%d\n" % at("server", 1), "and whoever asks")
    end(status(where)["services"]["server"]["process_id"])
    second.wait(timeout=LIMIT)
    check(until(lambda: run("port", "server", cwd=where)[0] == 1, "the killed one to be gone"), "gone")
    said = ask()
    stop(stranger)
    check("server" not in said, "nobody else's is met as ours: %s" % said)
    third = node(where)
    check(ask() == "server %d" % status(where)["services"]["server"]["process_id"], "and again")
    stop(asker, third)


def strategies():
    """Another project declares the second number: minimal takes it, conservative leaves it alone."""
    where = make("mine")
    write("theirs/ports.manifest.json", {"version": 1, "project": "theirs", "services": {"api": {"port": at("server", 1)}}})
    stranger = listener(at("server"), cwd=os.environ["HOME"])
    for options, number in (((), 1), (("--strategy", "conservative"), 2), (("--profile", "shared"), 2)):
        run("status", cwd="theirs")  # then it is known
        child = node(where, *options)
        chosen = options if "--profile" in options else ()
        check(ports(where, *chosen).get("server") == at("server", number), "%s: %s" % (options, ports(where, *chosen)))
        stop(child)
        os.environ["PORTSHIM_RUNTIME_DIR"] = os.path.join(os.environ["HOME"], "strategy%d" % len(" ".join(options)))
        os.mkdir(os.environ["PORTSHIM_RUNTIME_DIR"], 0o700)  # nothing sticks
    stop(stranger)


def aggressive():
    """A second checkout insists on the first number: the first one's server moves, each one's clients reach their own. A
    stranger does not yield."""
    mine, other = make("mine-too"), make("other")
    first = start(PORTSHIM, "run", "--quiet", "--service", "server", "--", "node", "server.mjs", cwd=mine + "/server")
    check(run("wait", "--healthy", "server", cwd=mine)[0] == 0, "mine is up")
    before = status(mine)["services"]["server"]
    asker = start(PORTSHIM, "run", "--quiet", "--", PYTHON, "-u", "-c", ASK, cwd=mine, stdin=subprocess.PIPE)
    newcomer = node(other, "--strategy", "aggressive")
    check(newcomer.said == str(at("server")), "the newcomer's number: %s" % newcomer.said)
    check(run("wait", "--healthy", "server", cwd=mine)[0] == 0, "mine is up again")
    after, theirs = status(mine)["services"]["server"], status(other)["services"]["server"]
    check(before["port"] == theirs["port"] == at("server") and theirs["reason"] == "yielded" and
          after["port"] == at("server", 1) and after["process_id"] != before["process_id"] and first.poll() is None,
          "who moved: %s %s %s" % (before, after, theirs))
    asker.stdin.write("\n")
    asker.stdin.flush()
    check(line(asker.stdout).strip() == "server %d" % after["process_id"], "my client follows")
    check(within(other, PYTHON, "-c", TALK, str(at("server")), "x") == "server %d: x" % theirs["process_id"], "and theirs")
    stop(newcomer, asker, first)
    stranger = listener(at("server"), cwd=os.environ["HOME"])
    child = start(PORTSHIM, "run", "--service", "server", "--strategy", "aggressive", "--", "node", "server.mjs",
                  cwd=mine + "/server")
    said = child.communicate(timeout=LIMIT)[1]
    check(child.returncode and "EADDRINUSE" in said and "pid %d" % stranger.pid in said, "a stranger keeps it: %s" % said)
    stop(child, stranger)


def page():
    """The page, typed while the server is on its second number and the client was started by hand."""
    if not shutil.which("jq"):
        skip("docs/projects/manitodebug.md", "jq is not installed")
        return
    where = make("page")
    stranger = listener(at("server"), cwd=os.environ["HOME"])
    running = [node(where), vite(where)]
    for name in ("MANITO_SERVER_URL", "DATABASE_URL"):
        os.environ.pop(name, None)
    check_page("docs/projects/manitodebug.md", 10, change=moved, cwd=where + "/client")
    said = json.loads(command("sh", "-c", "portshim status --json | jq .services.client", cwd=where,
                              PATH=os.path.dirname(PORTSHIM) + ":" + os.environ["PATH"])[1])
    check(said["process_id"] == running[1].pid and said["reason"] == "detected", "the client: %s" % said)
    stop(*running, stranger)


def missing():
    for program in ("node", "redis-server", "redis-cli", "psql"):
        if not shutil.which(program):
            return program
    return "" if POSTGRES else "initdb"


if missing():
    skip("manitodebug", "%s is not installed" % missing())
    run_parts()
run_parts(exhausted, watched, strategies, aggressive, page)
