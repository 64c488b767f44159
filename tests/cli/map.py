#!/usr/bin/python3
"""The known projects: how they become known, portshim map, portshim next, and check against other projects.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/map.py
"""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import LIMIT, PORTSHIM, PYTHON, check, free_row, listener, run, run_parts, server, start, stop, write


def project(name, services, **more):
    """A directory with a manifest."""
    write(os.path.join(name, "ports.manifest.json"),
          dict({"version": 1, "project": os.path.basename(name), "services": services}, **more))


def mapped(**more):
    status, out, _ = run("map", "--json", **more)
    return status, json.loads(out)


def names(found):
    return sorted(p["name"] for p in found["projects"])


def fresh():
    """Nothing is known."""
    shutil.rmtree(os.path.join(os.environ["PORTSHIM_RUNTIME_DIR"], "state"), ignore_errors=True)


def check_known():
    project("auth", {"backend": {"port": 4000}})
    project("shop", {"web": {"port": 3000}})
    status, out, err = run("map")
    check(status == 1 and out == "" and "hint: " in err, "nothing is known: %s" % err)
    check(mapped() == (0, {"version": 1, "projects": [], "ports": [], "conflicts": []}), "nothing is known, as JSON")
    # Each of these looks for the manifest by itself.
    for number, words in enumerate((["run", "--quiet", "--", "true"], ["exec", "--", "true"], ["status"], ["env"],
                                    ["check"],
                                    ["port", "backend"], ["map"])):
        fresh()
        run(*words, cwd="auth")
        check(names(mapped()[1]) == ["auth"], "%s makes a project known" % words)
        check(len(os.listdir(os.path.join(os.environ["PORTSHIM_RUNTIME_DIR"], "state", "projects"))) == 1, "once")
    fresh()
    run("status", cwd="shop", XDG_STATE_HOME=os.path.abspath("elsewhere"))
    check(names(mapped()[1]) == ["shop"], "the runtime directory of its own outweighs XDG_STATE_HOME")
    more = {"PORTSHIM_RUNTIME_DIR": "", "XDG_STATE_HOME": os.path.abspath("xdg"), "HOME": os.path.abspath("home")}
    run("check", cwd="shop", **more)
    check(len(os.listdir("xdg/portshim/projects")) == 1, "XDG_STATE_HOME")
    check(os.stat("xdg/portshim").st_mode & 0o777 == 0o700, "the state is the user's own")
    run("check", cwd="shop", **dict(more, XDG_STATE_HOME=""))
    check(len(os.listdir("home/.local/state/portshim/projects")) == 1, "~/.local/state")
    # A place that cannot be written is no trouble.
    check(run("check", cwd="shop", PORTSHIM_STATE_DIR="/proc/no") == run("check", cwd="shop"), "nothing can be written")

    check(run("map", "--dir", ".")[0] == 0 and names(mapped()[1]) == ["auth", "shop"], "--dir")
    project("deep/.hidden/x", {})
    project("deep/node_modules/y", {})
    project("deep/a/b/z", {})
    fresh()
    run("map", "--dir", "deep")
    check(names(mapped()[1]) == ["z"], "--dir leaves out what is not the user's: %s" % names(mapped()[1]))
    check(run("map", "--dir", "none")[0] == 3, "--dir of nothing")
    check(run("map", "--dir", "auth/ports.manifest.json")[0] == 3, "--dir of a file")
    shutil.rmtree("deep")
    check(mapped()[1]["projects"] == [], "a project that is gone")
    run("map", "--dir", ".")
    check(run("map", "--forget", "auth")[0] == 0 and names(mapped()[1]) == ["shop"], "--forget")
    check(run("map", "--forget", "auth")[0] == 1, "--forget what is not known")

    with open("auth/ports.manifest.json", "w", encoding="utf-8") as f:
        f.write("{")
    run("map", "--dir", ".")
    status, found = mapped()
    check(status == 0 and "error" in [p for p in found["projects"] if p["name"] == "auth"][0], "a broken manifest")
    check("auth is left out" in run("map")[2], "a broken manifest is told of")
    # Links that lead to something else, and strangers' files among them.
    state = os.path.join(os.environ["PORTSHIM_RUNTIME_DIR"], "state", "projects")
    os.symlink("/", os.path.join(state, "root"))
    os.symlink("relative", os.path.join(state, "relative"))
    os.symlink("/dev/null", os.path.join(state, "null"))
    with open(os.path.join(state, "file"), "w", encoding="ascii") as f:
        f.write("x")
    check("shop" in names(mapped()[1]), "a damaged state: %s" % mapped()[1])


def check_map():
    fresh()
    project("auth", {"backend": {"port": 4000}, "db": {"port": 5432, "external": True}})
    project("controls", {"backend": {"port": 4001}, "sync": {"port": 3000}, "db": {"port": 5432, "external": True}})
    project("enforcement", {"backend": {"port": 4002}, "dns": {"port": 4001, "protocol": "udp"},
                            "login": {"port": 4000, "from": "auth/backend"}})
    run("map", "--dir", ".")
    status, out, err = run("map")
    lines = out.split("\n")
    check(status == 1, "a conflict, which 4001 is: dns is UDP, the backend may be")
    check(lines[0].split()[:5] == ["PORT", "PROJECT", "SERVICE", "KIND", "NOW"], "the table's head: %s" % lines[0])
    check([l.split()[0] for l in lines[1:-1]] == sorted(l.split()[0] for l in lines[1:-1]), "sorted by port: %s" % out)
    check("4001 is controls's backend" in err and "4001 is enforcement's dns" in err, "who is in conflict: %s" % err)
    check(mapped()[1]["conflicts"] == [4001], "conflicts")
    project("controls", {"backend": {"port": 4001, "protocol": "tcp"}, "sync": {"port": 3000}})
    check(mapped()[0] == 0, "another protocol is no conflict; external and another project's neither")
    rows = mapped()[1]["ports"]
    check([r["from"] for r in rows if r["service"] == "login"] == ["auth/backend"], "from: %s" % rows)
    # A second checkout is the same project.
    shutil.copytree("controls", "worktree/controls")
    run("status", cwd="worktree/controls")
    status, found = mapped()
    check(status == 0 and names(found) == ["auth", "controls", "controls", "enforcement"], "two checkouts")
    check(len([r for r in found["ports"] if r["project"] == "controls"]) == 2, "two checkouts, one row each")
    shutil.rmtree("worktree")


def serve(port, *words, **more):
    child = listener(port, *words, **more)
    check(words or child.port == port, "a server on %d" % port)
    return child


def check_now():
    """What is true now stands in the map."""
    fresh()
    port = free_row(2)
    project("one", {"web": {"port": port, "range": "%d-%d" % (port + 1, port + 50)}})
    project("two", {"other": {"port": port + 1}})
    run("map", "--dir", ".")
    stranger = serve(port)
    table = run("map")[1]
    check("held by python3, pid %d" % stranger.pid in table, "who holds a port: %s" % table)
    child = serve(port, PORTSHIM, "run", "--quiet", "--", cwd="one")
    row = [r for r in mapped()[1]["ports"] if r["project"] == "one"][0]
    check(row.get("actual") not in (None, port), "where portshim put it: %s" % row)
    check("on %d" % row.get("actual", 0) in run("map")[1], "in the table")
    stop(child)
    stop(stranger)


NAMED = """
import socket, sys, threading
port, name = int(sys.argv[1]), sys.argv[2].encode()
t = socket.socket()
t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
t.bind(("127.0.0.1", port))
t.listen()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", port))
def tcp():
    while True:
        c, _ = t.accept()
        c.sendall(name)
        c.close()
def udp():
    while True:
        u.sendto(name, u.recvfrom(10)[1])
threading.Thread(target=tcp, daemon=True).start()
threading.Thread(target=udp, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""

# Asks once for each line: by TCP, then by UDP; says who answered, and whose port it saw. Where nobody is there by TCP,
# it does not wait long to see that nobody is there by UDP.
ASK = """
import socket, sys
port = int(sys.argv[1])
for _ in sys.stdin:
    said = []
    try:
        with socket.create_connection(("127.0.0.1", port), 20) as c:
            said += [c.recv(100).decode(), str(c.getpeername()[1] == port)]
    except OSError as e:
        said += [type(e).__name__]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        u.settimeout(20 if len(said) == 2 else 0.5)
        try:
            u.sendto(b"?", ("127.0.0.1", port))
            data, source = u.recvfrom(100)
            said += [data.decode(), str(source[1] == port)]
        except OSError as e:
            said += ["nobody"]
    print(*said, flush=True)
"""


# Bound, and not listening.
BOUND = """
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
sys.stdin.read()
"""


def named(port, name, *words, **more):
    child = server(*words, PYTHON, "-c", NAMED, str(port), name, stdin=subprocess.PIPE, **more)
    check(child.said == "ready", "%s on %d" % (name, port))
    return child


def asker(port, where, *options):
    return start(PORTSHIM, "run", *options, "--", PYTHON, "-c", ASK, str(port), stdin=subprocess.PIPE, cwd=where)


def ask(client):
    client.stdin.write("\n")
    client.stdin.flush()
    return client.stdout.readline().strip()


def check_from():
    """Clients follow another project's service to wherever it really is, and to nothing else of that project."""
    fresh()
    port, other, spare = free_row(8, 20000, 21000), free_row(2, 21000, 22000), free_row(60, 22000, 23000)
    free = "%d-%d" % (spare, spare + 59)
    project("auth", {"backend": {"port": port, "range": free}, "admin": {"port": other, "range": free}})
    project("shop", {"web": {"port": other + 1}, "login": {"port": port, "from": "auth/backend"}})
    project("plain", {"web": {"port": other + 1}})
    project("apart", {"login": {"port": port + 7, "from": "auth/backend"}, "live": {"inherit": "login",
            "scheme": "ws", "env": {"LIVE": "{url}"}}})
    # Nobody knows auth yet: that is said, and the program runs.
    client = asker(port, "shop")
    talk = client.communicate("", timeout=LIMIT)[1]
    check(client.returncode == 0 and "the project auth is not known" in talk and "hint: " in talk,
          "not known: %s" % talk)
    run("map", "--dir", ".")
    check("no service nothing" in (project("wrong", {"x": {"port": port, "from": "auth/nothing"}}) or
                                   run("run", "--", "true", cwd="wrong")[2]), "no such service")
    check(run("run", "--quiet", "--", "true", cwd="wrong")[2] == "", "no such service, quietly")
    shutil.rmtree("wrong")

    # Begun before there is anything to follow; the number is a stranger's.
    stranger = named(port, "stranger")
    holder = named(other, "holder")
    clients = {name: asker(number, name, "--quiet") for name, number in
               (("shop", port), ("plain", port), ("apart", port + 7))}
    check(ask(clients["shop"]) == "stranger True stranger True", "without auth, the number leads to who has it")
    check(ask(clients["apart"]) == "ConnectionRefusedError nobody", "without auth, nobody is there")
    auth = named(port, "auth", PORTSHIM, "run", "--quiet", "--", cwd="auth")
    admin = named(other, "admin", PORTSHIM, "run", "--quiet", "--", cwd="auth")
    rows = {(r["project"], r["service"]): r for r in mapped()[1]["ports"]}
    actual = rows["auth", "backend"].get("actual")
    check(actual and actual != port and rows["auth", "admin"].get("actual"), "auth was moved: %s" % rows)
    check(ask(clients["shop"]) == "auth True auth True", "followed, by TCP and UDP, with the name that was used")
    check(ask(clients["apart"]) == "auth True auth True", "followed by another number")
    check(ask(clients["plain"]) == "stranger True stranger True", "who does not say so does not follow")
    for number, wanted, what in ((actual, "auth True auth True", "its actual port"),
                                 (rows["auth", "admin"]["actual"], "ConnectionRefusedError nobody",
                                  "nothing else of it")):
        client = asker(number, "shop", "--quiet")
        check(ask(client) == wanted, "%s: %s" % (what, wanted))
        stop(client)
    # The commands follow as well, outside of a run and inside.
    for words in (["port", "login"], ["port", str(port)], ["run", "--quiet", "--", PORTSHIM, "port", "login"]):
        check(run(*words, cwd="shop")[1] == "%d\n" % actual, "%s: %s" % (words, run(*words, cwd="shop")))
    check(run("url", "live", cwd="apart")[1] == "ws://localhost:%d\n" % actual,
          "url of an heir: %s" % run("url", "live", cwd="apart")[1])
    check(run("env", cwd="apart")[1] == "export LIVE='ws://localhost:%d'\n" % actual, "env: %s" % (run("env", cwd="apart"),))
    check(run("wait", "--timeout", "0", "login", cwd="shop")[0] == 0, "wait: it listens")
    check(run("port", "web", cwd="shop")[0] == 1 and run("port", str(port), cwd="plain")[0] == 1, "and nothing else")
    # The stranger goes; auth is where it was. auth goes, and comes back on its own number.
    stop(stranger)
    check(ask(clients["shop"]) == "auth True auth True", "the number is free, and auth is still elsewhere")
    stop(auth)
    check(ask(clients["shop"]) == "ConnectionRefusedError nobody", "auth is gone")
    check(run("wait", "--timeout", "0", "login", cwd="shop")[0] == 1, "wait: it does not listen")
    waiting = start(PORTSHIM, "wait", "--timeout", "30s", "login", cwd="shop")
    new = named(port, "new", PORTSHIM, "run", "--quiet", "--", cwd="auth")
    check(waiting.wait(timeout=LIMIT) == 0, "wait: it is back")
    check(ask(clients["shop"]) == "new True new True", "auth is back: %s" % mapped()[1]["ports"])
    # A server of its own is nearer than another project's.
    own = named(port, "own", PORTSHIM, "run", "--quiet", "--", cwd="shop")
    check(ask(clients["shop"]) == "own True own True", "the nearest scope")
    answer = ask(clients["apart"])
    check(answer == "new True new True", "of others, too: %s" % answer)
    stop(own)
    # Another environment on the number is not reached by accident.
    stop(new)
    rival = named(port, "rival", PORTSHIM, "run", "--quiet", "--", cwd="plain")
    check(ask(clients["shop"]) == "ConnectionRefusedError nobody", "a third project's server on the number")
    stop(rival, admin, holder, *clients.values())


def check_from_profiles():
    """The same profile of the other project, or the one that is named; of several checkouts the one that runs."""
    fresh()
    port, spare = free_row(8, 23000, 24000), free_row(40, 24000, 25000)
    free = "%d-%d" % (spare, spare + 39)
    backend = {"backend": {"port": port, "range": free}}
    test = {"test": {"services": {"backend": {"port": port + 1}}}}
    project("auth", backend, profiles=test)
    project("shop", {"login": {"port": port, "from": "auth/backend"}}, profiles={"test": {}, "stage": {}})
    project("fixed", {"login": {"port": port, "from": "auth#/backend"}}, profiles={"test": {}})
    project("always", {"login": {"port": port + 2, "from": "auth#test/backend"}})
    project("none", {"login": {"port": port, "from": "auth#stage/backend"}})
    run("map", "--dir", ".")
    talk = run("run", "--", "true", cwd="none")[2]
    check("auth has no profile stage" in talk, "a profile that is not there: %s" % talk)
    # The test environment of auth is on another number, and moved from it.
    stranger = named(port + 1, "stranger")
    clients = {"shop": asker(port, "shop", "--quiet"), "test": asker(port, "shop", "--quiet", "--profile", "test"),
               "stage": asker(port, "shop", "--quiet", "--profile", "stage"),
               "fixed": asker(port, "fixed", "--quiet", "--profile", "test"),
               "always": asker(port + 2, "always", "--quiet")}
    live = named(port, "live", PORTSHIM, "run", "--quiet", "--", cwd="auth")
    tested = named(port + 1, "tested", PORTSHIM, "run", "--quiet", "--profile", "test", "--", cwd="auth")
    said = {name: ask(client) for name, client in clients.items()}
    wanted = {"shop": "live", "test": "tested", "stage": "live", "fixed": "live", "always": "tested"}
    check(said == {name: "%s True %s True" % (who, who) for name, who in wanted.items()}, "profiles: %s" % said)
    actual = int(run("port", "login", "--profile", "test", cwd="shop")[1])
    check(port + 1 != actual and spare <= actual < spare + 40, "port: where auth's test is: %d" % actual)
    check(run("port", "login", cwd="shop")[1] == "%d\n" % port, "port, without the profile")
    status, out, _ = run("why", "login", "--profile", "test", cwd="shop")
    check(status == 0 and "login is from auth/backend" in out, "why: %s" % out)
    line = [l for l in out.split("\n") if l.startswith("  followed")]
    check(len(line) == 1 and "/auth, profile test, where it is %d: listens on %d" % (port + 1, actual) in line[0],
          "why says which: %s" % out)
    rows = {(r["project"], r["profile"], r["service"]): r for r in mapped()[1]["ports"]}
    check(rows["auth", "test", "backend"]["port"] == port + 1 and rows["auth", "test", "backend"]["actual"] == actual,
          "map has the profile's row: %s" % rows)
    check(rows["auth", "", "backend"]["actual"] == port and ("shop", "test", "login") not in rows,
          "and none that says the same again: %s" % rows)
    check(rows["always", "", "login"].get("environment") == "auth:test", "map says whom one follows: %s" % rows)
    table = run("map")[1]
    check("auth:test" in table and "on %d, auth:test" % actual in table, "the table: %s" % table)
    stop(tested)
    check(ask(clients["test"]) == "ConnectionRefusedError nobody", "the profile's alone, not another environment's")

    # Another checkout, used later: who runs is followed; of two that run, the one used last when the client began.
    shutil.copytree("auth", "worktree/auth")
    check(run("status", cwd="worktree/auth")[0] in (0, 1), "another checkout is used")
    both = asker(port, "shop", "--quiet")
    check(ask(both) == "live True live True", "the checkout that was used last does not run")
    bound = server(PORTSHIM, "run", "--quiet", "--", PYTHON, "-c", BOUND, str(port), stdin=subprocess.PIPE,
                   cwd="worktree/auth")
    check(bound.said == "ready" and ask(both).startswith("live True "), "it has its port and does not listen yet")
    check(run("port", "login", cwd="shop")[1] == "%d\n" % port, "port: the one that listens")
    stop(bound)
    second = named(port, "second", PORTSHIM, "run", "--quiet", "--", cwd="worktree/auth")
    check(ask(both) == "second True second True", "both run: the one used last")
    check(ask(clients["shop"]) == "live True live True", "a client that began before there was another")
    out = run("why", "login", cwd="shop")[1]
    check("  followed     " in out and "worktree/auth, where it is %d: listens on" % port in
          [l for l in out.split("\n") if l.startswith("  followed")][0] and "  not followed" in out,
          "why tells of both: %s" % out)
    found = json.loads(run("why", "--json", "login", cwd="shop")[1])["sources"]
    check([s["followed"] for s in found] == [True, False] and all(s["listening"] for s in found),
          "why --json: %s" % found)
    stop(second)
    check(ask(both) == "live True live True", "the one that is left")
    check(run("port", "login", cwd="shop")[1] == "%d\n" % port, "port, too")
    stop(live, stranger, both, *clients.values())
    shutil.rmtree("worktree")


def check_profiles_collide():
    """Two projects that are in each other's way under a profile only."""
    fresh()
    project("one", {"web": {"port": 3000}}, profiles={"test": {"offset": 4000}, "live": {"offset": 100}})
    project("two", {"api": {"port": 4000}, "far": {"port": 5000, "external": True}},
            profiles={"test": {"services": {"api": {"port": 7000}}}, "live": {}})
    run("map", "--dir", ".")
    status, found = mapped()
    check(status == 1 and found["conflicts"] == [7000], "map: %s" % found["conflicts"])
    table, talk = run("map")[1:]
    check([l.split()[:3] for l in table.split("\n") if l.startswith("7000")] ==
          [["7000", "one:test", "web"], ["7000", "two:test", "api"]], "both rows: %s" % table)
    check("7000 is one's web under the profile test, in " in talk, "who: %s" % talk)
    check(len([r for r in found["ports"] if r["project"] == "two"]) == 3, "a profile without changes has no rows")
    status, out, _ = run("check", "--only=projects", cwd="one")
    check("7000 under the profile \"test\" is the port of \"api\" of the project two too under its profile \"test\""
          in out, "check: %s" % out)
    project("three", {"web": {"port": 4000}, "login": {"port": 1, "from": "one#stage/web"}})
    _, out, _ = run("check", "--only=projects", cwd="three")
    check("4000 is the port of \"api\" of the project two too, in" in out and out.count("other-project") == 1,
          "once, by the first of its profiles: %s" % out)
    check("the project one has no profile \"stage\"" in out, "a source without that profile: %s" % out)


def check_conservative():
    """What another project declares is left alone, under any of its profiles; a checkout is no other project."""
    fresh()
    port = free_row(30)
    say = {"defaults": {"strategy": "conservative", "range": "%d-%d" % (port + 10, port + 29)},
           "allocate": {"any": {"base": port + 1}}}
    project("shop", {"web": {"port": port}}, **say)
    write("copy/ports.manifest.json", {"version": 1, "project": "shop", "services": {"web": {"port": port}}, **say})
    project("other", {"api": {"port": port + 2}}, profiles={"test": {"offset": 1}})
    run("map", "--dir", ".")

    # The number of the project itself, whether a checkout of it is known, or runs.
    first = listener(port, PORTSHIM, "run", "--quiet", "--", cwd="shop")
    check(first.port == port, "its own number, which a known checkout has as well: %d" % first.port)
    second = listener(port + 1, PORTSHIM, "run", "--quiet", "--", cwd="copy")
    check(second.port == port + 1, "%d" % second.port)
    stop(first)
    first = listener(port, PORTSHIM, "run", "--quiet", "--", cwd="copy")
    check(first.port == port, "its own number beside a checkout that runs: %d" % first.port)
    stop(first, second)
    # What was handed out to a checkout is the project's.
    number = int(run("next", "-q", "any", cwd="shop")[1])
    first = listener(number, PORTSHIM, "run", "--quiet", "--", cwd="copy")
    check(first.port == number, "a number of the project: %d, not %d" % (first.port, number))
    stop(first)
    # Another project's, without a profile and with one.
    for number in (port + 2, port + 3):
        first = listener(number, PORTSHIM, "run", "--quiet", "--", cwd="shop")
        check(first.port >= port + 10, "another project's number: %d, not %d" % (first.port, number))
        stop(first)


def check_elsewhere():
    """What is asked for without the profile that has it is told of."""
    fresh()
    port = free_row(8)
    project("shop", {"web": {"port": port}, "api": {"port": port + 3}},
            profiles={"test": {"offset": 1}, "live": {"offset": 2}})
    check("hint" not in run("status", cwd="shop")[2], "nothing runs")
    children = [listener(port + 1, PORTSHIM, "run", "--profile", "test", "--quiet", "--", cwd="shop"),
                listener(port + 5, PORTSHIM, "run", "--profile", "live", "--quiet", "--", cwd="shop"),
                listener(port + 6, PORTSHIM, "run", "--isolate", "--quiet", "--", cwd="shop"),
                listener(port + 7, PORTSHIM, "run", "--env", "more", "--quiet", "--", cwd="shop")]
    all_of_it = "`portshim status --all` lists everything\n"
    for words, wanted in (
            (["status"], "hint: this project has something with --env more, --profile live, --profile test; "),
            (["port", "web"], "hint: this project has it with --profile test; "),
            (["url", "api"], "hint: this project has it with --profile live; "),
            (["status", "web"], "hint: this project has it with --profile test; ")):
        status, out, err = run(*words, cwd="shop")
        check((status, out, err.split("\n", 1)[1]) == (1, "", wanted + all_of_it), "%s: %s" % (words, err))
    check("hint" not in run("port", str(port + 4), cwd="shop")[2], "nobody has it")
    children.append(listener(port, PORTSHIM, "run", "--quiet", "--", cwd="shop"))
    check("with --profile=, --profile test; " in run("port", "web", "--profile", "live", cwd="shop")[2], "without a profile")
    stop(*children)


def check_next():
    fresh()
    first = free_row(12)
    rules = {"backend": {"base": first, "avoid": [first + 1]}}
    for name in ("one", "two"):
        shutil.rmtree(name, ignore_errors=True)
    project("auth", {"backend": {"port": first}, "more": {"port": first + 3, "external": True}}, allocate=rules,
            profiles={"test": {"services": {"backend": {"port": first + 4}}}})
    project("new", {}, allocate=rules)
    run("map", "--dir", ".")
    child = serve(first + 5)
    want = str(first + 2) + "\n"
    check(run("next", "--dry-run", "backend", cwd="new")[:2] == (0, want), "avoids what is declared and to be avoided")
    check(run("next", "backend", cwd="new")[:2] == (0, want), "a dry run records nothing")
    check(run("next", "-q", "backend", cwd="new") == (0, "%d\n" % (first + 6), ""),
          "avoids other profiles and processes")
    check(run("next", "backend", cwd="auth")[1] == "%d\n" % (first + 7), "another project gets another number")
    stop(child)
    listed = json.loads(run("next", "--list", "--json")[1])["numbers"]
    check([(n["port"], n["rule"], os.path.basename(n["directory"])) for n in listed] ==
          [(first + 2, "backend", "new"), (first + 6, "backend", "new"), (first + 7, "backend", "auth")],
          "--list: %s" % listed)
    check(len(run("next", "--list")[1].split("\n")) == 5, "--list as a table")
    check(run("next", "--release", str(first + 2))[0] == 0 and run("next", "backend", cwd="new")[1] == want,
          "--release")
    check(run("next", "--release", "9")[0] == 1, "--release of a number that was not handed out")
    check(run("next", "--release", "x")[0] == 2, "--release of no number")
    # A project without the rule uses the others'.
    project("bare", {})
    status, out, err = run("next", "--json", "--dry-run", "backend", cwd="bare")
    check(status == 0 and json.loads(out)["port"] > first, "another project's rule")
    check("by the rule of auth" in run("next", "--dry-run", "backend", cwd="bare")[2], "it is told of")
    project("new", {}, allocate={"backend": {"base": 5000}})
    check(run("next", "backend", cwd="bare")[0] == 2, "projects that do not agree")
    status, _, err = run("next", "bakcend", cwd="new")
    check(status == 2 and "did you mean `backend`" in err, "a typing error: %s" % err)
    check(run("next", cwd="new")[0] == 2 and run("next", "a", "b", cwd="new")[0] == 2, "one rule")
    check(run("next", "--list", "a", cwd="new")[0] == 2, "--list alone")
    check(run("next", "backend", cwd="new", PORTSHIM_STATE_DIR="/proc/no")[0] == 3, "nothing can be written")
    if os.path.isdir("/sys"):
        err = run("next", "backend", cwd="new", PORTSHIM_STATE_DIR="/sys/no")[2]
        check("cannot be recorded" in err and "No such file" not in err, "why nothing can be written: %s" % err)
    project("own", {"a": {"port": 5000}}, allocate={"backend": {"base": 5000}}, profiles={"test": {"offset": 1}})
    status, out, _ = run("next", "--json", "--dry-run", "backend", cwd="own", PORTSHIM_STATE_DIR="/proc/no")
    check(status == 0 and json.loads(out)["port"] > 5001, "what the own manifest declares, unknown as it is: %s" % out)
    project("own", {})
    project("new", {}, allocate={"backend": {"base": 65535}})
    run("next", "backend", cwd="new")
    check(run("next", "backend", cwd="new")[0] == 1, "none is left")


def check_at_once():
    """Forty who ask at once get forty numbers."""
    fresh()
    project("new", {}, allocate={"backend": {"base": free_row(60)}})
    children = [start(PORTSHIM, "next", "-q", "backend", cwd="new") for _ in range(40)]
    numbers = [child.communicate(timeout=60)[0].strip() for child in children]
    check(len(set(numbers)) == 40 and all(numbers), "forty at once: %s" % sorted(numbers))


def empty():
    for name in os.listdir("."):
        shutil.rmtree(name)


run_parts(check_known, check_map, check_now, check_from, check_from_profiles, check_profiles_collide,
          check_conservative, check_elsewhere, check_next, check_at_once, before=empty)
