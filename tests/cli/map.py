#!/usr/bin/python3
"""The known projects: how they become known, portshim map, portshim next, and check against other projects.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/map.py
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.join(os.path.abspath(os.environ.get("PORTSHIM_TEST_BUILD", os.path.join(TOP, "build"))), "portshim")

passed = failed = 0


def check(good, what):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("not ok:", what)
    return good


def run(*words, cwd=".", **more):
    result = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60,
                            text=True, errors="surrogateescape", cwd=cwd, env=dict(os.environ, **more))
    return result.returncode, result.stdout, result.stderr


def project(name, services, **more):
    """A directory with a manifest."""
    os.makedirs(name, exist_ok=True)
    with open(os.path.join(name, "ports.manifest.json"), "w", encoding="utf-8") as f:
        json.dump(dict({"version": 1, "project": os.path.basename(name), "services": services}, **more), f)


def mapped(**more):
    status, out, _ = run("map", "--json", **more)
    return status, json.loads(out)


def names(found):
    return sorted(p["name"] for p in found["projects"])


def fresh():
    """Nothing is known."""
    shutil.rmtree(os.path.join(os.environ["PORTSHIM_RUNTIME_DIR"], "state"), ignore_errors=True)


def unused(count, after=20000):
    """The first of `count` ports in a row that nobody holds."""
    first = after
    while first < 30000:
        for port in range(first, first + count):
            with socket.socket() as s:
                try:
                    s.bind(("127.0.0.1", port))
                except OSError:
                    first = port + 1
                    break
        else:
            return first
    raise SystemExit("no free ports")


def check_known():
    project("auth", {"backend": {"port": 4000}})
    project("shop", {"web": {"port": 3000}})
    status, out, err = run("map")
    check(status == 1 and out == "" and "hint: " in err, "nothing is known: %s" % err)
    check(mapped() == (0, {"version": 1, "projects": [], "ports": [], "conflicts": []}), "nothing is known, as JSON")
    # Each of these looks for the manifest by itself.
    for number, words in enumerate((["run", "--quiet", "--", "true"], ["exec", "--", "true"], ["status"], ["env"], ["check"],
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


SERVER = """
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
print("ready", flush=True)
sys.stdin.read()
"""


def serve(port, *words, **more):
    child = subprocess.Popen([*words, "/usr/bin/python3", "-c", SERVER, str(port)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL, **more)
    check(child.stdout.readline() == "ready\n", "a server on %d" % port)
    return child


def end(child):
    child.stdin.close()
    child.wait(timeout=30)


def check_now():
    """What is true now stands in the map."""
    fresh()
    port = unused(2)
    project("one", {"web": {"port": port, "range": "%d-%d" % (port + 1, port + 50)}})
    project("two", {"other": {"port": port + 1}})
    run("map", "--dir", ".")
    stranger = serve(port)
    table = run("map")[1]
    check("held by python3, pid %d" % stranger.pid in table, "who holds a port: %s" % table)
    server = serve(port, PROGRAM, "run", "--quiet", "--", cwd="one")
    row = [r for r in mapped()[1]["ports"] if r["project"] == "one"][0]
    check(row.get("actual") not in (None, port), "where portshim put it: %s" % row)
    check("on %d" % row.get("actual", 0) in run("map")[1], "in the table")
    end(server)
    end(stranger)


def check_next():
    fresh()
    first = unused(12)
    rules = {"backend": {"base": first, "avoid": [first + 1]}}
    for name in ("one", "two"):
        shutil.rmtree(name, ignore_errors=True)
    project("auth", {"backend": {"port": first}, "more": {"port": first + 3, "external": True}}, allocate=rules,
            profiles={"test": {"services": {"backend": {"port": first + 4}}}})
    project("new", {}, allocate=rules)
    run("map", "--dir", ".")
    server = serve(first + 5)
    want = str(first + 2) + "\n"
    check(run("next", "--dry-run", "backend", cwd="new")[:2] == (0, want), "avoids what is declared and to be avoided")
    check(run("next", "backend", cwd="new")[:2] == (0, want), "a dry run records nothing")
    check(run("next", "-q", "backend", cwd="new") == (0, "%d\n" % (first + 6), ""), "avoids other profiles and processes")
    check(run("next", "backend", cwd="auth")[1] == "%d\n" % (first + 7), "another project gets another number")
    end(server)
    listed = json.loads(run("next", "--list", "--json")[1])["numbers"]
    check([(n["port"], n["rule"], os.path.basename(n["directory"])) for n in listed] ==
          [(first + 2, "backend", "new"), (first + 6, "backend", "new"), (first + 7, "backend", "auth")], "--list: %s" % listed)
    check(len(run("next", "--list")[1].split("\n")) == 5, "--list as a table")
    check(run("next", "--release", str(first + 2))[0] == 0 and run("next", "backend", cwd="new")[1] == want, "--release")
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
    project("new", {}, allocate={"backend": {"base": 65535}})
    run("next", "backend", cwd="new")
    check(run("next", "backend", cwd="new")[0] == 1, "none is left")


def check_at_once():
    """Forty who ask at once get forty numbers."""
    fresh()
    project("new", {}, allocate={"backend": {"base": unused(60)}})
    children = [subprocess.Popen([PROGRAM, "next", "-q", "backend"], cwd="new", stdout=subprocess.PIPE, text=True)
                for _ in range(40)]
    numbers = [child.communicate(timeout=60)[0].strip() for child in children]
    check(len(set(numbers)) == 40 and all(numbers), "forty at once: %s" % sorted(numbers))


def main():
    for name in [n for n in os.environ if n.startswith("PORTSHIM") and n != "PORTSHIM_TEST_BUILD"] + ["XDG_STATE_HOME"]:
        os.environ.pop(name, None)
    signal.alarm(300)
    with tempfile.TemporaryDirectory(prefix="portshim-map-") as folder, \
            tempfile.TemporaryDirectory(prefix="portshim-map-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as runtime:
        os.environ["PORTSHIM_RUNTIME_DIR"] = runtime
        os.chdir(os.path.realpath(folder))
        for part in (check_known, check_map, check_now, check_next, check_at_once):
            for name in os.listdir("."):
                shutil.rmtree(name)
            part()
        os.chdir("/")
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return failed != 0


sys.exit(main())
