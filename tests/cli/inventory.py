#!/usr/bin/python3
"""`portshim inventory`: real directories, with and without git, real listeners, bad input; its JSON against its schema.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/inventory.py
"""
import json
import os
import pty
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import harness
from harness import LIMIT, PORTSHIM, TOP, Skip, free_port, listener, main, same


def write(directory, **files):
    """write(d, **{"a/b.js": "text"})"""
    for name, data in files.items():
        harness.write(os.path.join(directory, name), data)


def listen(place, port, directory, *words):
    """A server in a directory; by WORDS... under portshim."""
    child = listener(port, *words, cwd=directory, env=place.environment())
    place.started.append(child)
    return child


def manifest(**services):
    return json.dumps({"version": 1, "project": "shop", "services": services})


def valid(text):
    found = json.loads(text)
    try:
        import jsonschema
    except ImportError:
        return found
    with open(os.path.join(TOP, "manifest", "inventory.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(found)
    return found


def inventory(place, *arguments, **more):
    """(status, what --json printed, stderr)"""
    status, out, err = place.run("inventory", "--json", *arguments, **more)
    return status, valid(out), err


def places(found):
    return ["%s:%d:%d %d" % (u["file"], u["line"], u["column"], u["port"]) for u in found["uses"]]


def git(place, *arguments):
    if not shutil.which("git"):
        raise Skip("git is not installed")
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments], cwd=place.project, check=True,
                   stdout=subprocess.DEVNULL, env=place.environment(GIT_CONFIG_GLOBAL="/dev/null"), timeout=LIMIT)


def manual():
    """The table that the manual page shows, without the listeners, which are the machine's."""
    with open(os.path.join(TOP, "docs", "man", "portshim.1"), encoding="utf-8") as file:
        shown = file.read().split("$ portshim inventory\n")[1].split(".Ed")[0]
    return [row.split()[:4] for row in shown.splitlines()]


def test_example(place):
    """the example of the manual: what is declared, what is not, and where"""
    write(place.project, **{
        "ports.manifest.json": manifest(web={"port": 3000}, api={"port": 4010}),
        "server.js": "const port = process.env.PORT || 3000;\napp.listen(port);\n",
        "client.py": 'API = "http://localhost:4010"\nCACHE = ("localhost", 6379)\n',
    })
    status, out, err = place.run("inventory")
    same(status, 1)
    same([row.split()[:4] for row in out.splitlines()[:4]], manual())
    assert "portshim: 3 ports in 2 files, 1 undeclared, 0 disagreements" in err, err
    same(place.run("inventory", "--undeclared", "-q")[2], "")
    same(place.run("inventory", "--undeclared")[1].count("\n"), 2)


def test_all_declared(place):
    """everything declared: 0; a profile's numbers count"""
    write(place.project, **{
        "ports.manifest.json": json.dumps({"version": 1, "services": {"web": {"port": 3000}},
                                           "profiles": {"test": {"offset": 1000}}}),
        "a.sh": "curl http://localhost:3000/ http://localhost:4000/\n",
    })
    status, found, _ = inventory(place)
    same(status, 0)
    same([(u["port"], u["service"], u["profile"]) for u in found["uses"]], [(3000, "web", ""), (4000, "web", "test")])


def test_no_manifest(place):
    """without a manifest nothing is declared"""
    write(place.project, **{"a.js": "app.listen(3000)\n"})
    status, found, _ = inventory(place)
    same((status, found["manifest"], places(found)), (1, "", ["a.js:1:12 3000"]))
    same(place.run("inventory")[2], "portshim: 1 port in 1 file, 1 undeclared (there is no manifest), 0 disagreements\n")


def test_nothing(place):
    """an empty directory"""
    status, found, _ = inventory(place)
    same((status, found["uses"]), (0, []))


def populate(place):
    write(place.project, **{
        "src/a.js": "app.listen(3001)\n", "dist/b.js": "app.listen(3002)\n", "node_modules/x/c.js": "app.listen(3003)\n",
        "package-lock.json": '{"port": 3004}', "d.min.js": "app.listen(3005)", "e.js": b"app.listen(3006)\0",
        "f.js": "x" * 9000 + "\napp.listen(3007)\n", "README.md": "http://localhost:3008\n", ".gitignore": "dist/\n*.tmp.js\n",
        "src/.gitignore": "!g.tmp.js\n", "src/g.tmp.js": "app.listen(3009)\n", "h.tmp.js": "app.listen(3010)\n",
        "start": "#!/bin/sh\nPORT=3011 node a.js\n", ".env": "PORT=3012\n", "invalid.js": b"// \xff\xfe\napp.listen(3013)\n",
    })
    os.symlink("/etc/services", os.path.join(place.project, "link.conf"))
    os.symlink(place.project, os.path.join(place.project, "loop"))
    os.mkfifo(os.path.join(place.project, "pipe.js"))


WANTED = [".env:1:6 3012", "invalid.js:2:12 3013", "src/a.js:1:12 3001", "src/g.tmp.js:1:12 3009", "start:2:6 3011"]


def test_walk(place):
    """what is looked at without git"""
    populate(place)
    same(places(inventory(place, env={"PATH": "/nonexistent"})[1]), WANTED)


def test_git(place):
    """what is looked at with git, which agrees; a program named in the repository's configuration is not run"""
    populate(place)
    git(place, "init", "-q")
    git(place, "config", "core.fsmonitor", "touch " + os.path.join(place.top, "ran"))
    same(places(inventory(place, env={"GIT_CONFIG_GLOBAL": "/dev/null"})[1]), WANTED)
    assert not os.path.exists(os.path.join(place.top, "ran"))
    git(place, "config", "--unset", "core.fsmonitor")
    git(place, "add", "-A")
    os.unlink(os.path.join(place.project, "invalid.js"))  # git still lists it
    same(places(inventory(place)[1]), [p for p in WANTED if "invalid" not in p])


def test_directory(place):
    """a directory as operand: paths as seen from here; the manifest above it counts"""
    write(place.project, **{"ports.manifest.json": manifest(web={"port": 3000}), "web/src/a.js": "app.listen(3000)\n"})
    status, found, _ = inventory(place, "web/src/")
    same((status, places(found)), (0, ["web/src/a.js:1:12 3000"]))
    write(place.top, **{"other.json": manifest(x={"port": 4000})})
    status, found, _ = inventory(place, "--manifest", "../other.json", "web")
    same((status, places(found)), (1, ["web/src/a.js:1:12 3000"]))


def test_listeners(place):
    """listeners beside the code; one that nothing in the project knows; one of elsewhere on the project's number"""
    ours, theirs, external = free_port(), free_port(), free_port()
    other = place.directory("other")
    write(place.project, **{
        "ports.manifest.json": manifest(web={"port": theirs}, db={"port": external, "external": True}),
        "a.js": "app.listen(%d)\nconst dbPort = %d\n" % (theirs, external),
    })
    listen(place, ours, place.project)
    held = listen(place, theirs, other)
    listen(place, external, other)
    status, found, _ = inventory(place)
    same(status, 1)
    same(sorted((d["code"], d["port"]) for d in found["disagreements"]), [("held-elsewhere", theirs), ("unknown-listener", ours)])
    first = [d for d in found["disagreements"] if d["port"] == theirs][0]
    same((first["file"], first["line"], first["column"]), ("a.js", 1, 12))
    listener = [x for x in found["listeners"] if x["port"] == theirs][0]
    same((listener["process_id"], listener["directory"], listener["service"], listener["uses"]),
         (held.pid, other, "web", 1))
    status, out, _ = place.run("inventory")
    assert re.search(r"^a\.js:1:12: disagreement: %d \(web\) of this project is held by .* \[held-elsewhere\]$" % theirs, out,
                     re.MULTILINE), out
    # A number that the code only asks for may be anybody's, unless it is a service's of this project.
    write(place.project, **{"a.js": 'fetch("http://localhost:%d")\n' % theirs})
    same([d["code"] for d in inventory(place)[1]["disagreements"]], ["held-elsewhere", "unknown-listener"])
    write(place.project, **{"ports.manifest.json": manifest(db={"port": external, "external": True})})
    same([d["code"] for d in inventory(place)[1]["disagreements"]], ["unknown-listener"])


def test_belongs(place):
    """the service that a number belongs to: lists, ranges, profiles, heirs, external ones, another project's"""
    services = {
        "api": {"ports": [4000, 4001], "range": "4100-4199"}, "ws": {"inherit": "api"},
        "wide": {"port": 1234, "range": "4000-4999"},
        "db": {"port": 5432, "external": True}, "login": {"port": 4500, "from": "auth/backend"},
        "dns": {"port": 4002, "protocol": "udp"}, "dot": {"port": 4002, "protocol": "tcp"},
    }
    profiles = {"test": {"services": {"api": {"ports": [4400, 4600]}, "wide": {"port": 4000}}},
                "live": {"services": {"api": {"ports": [4600]}}}}
    write(place.project, **{
        "ports.manifest.json": json.dumps({"version": 1, "project": "shop", "services": services,
                                           "profiles": profiles}),
        "a.py": "".join("PORT_%d = %d\n" % (n, n) for n in (4000, 4001, 4002, 4110, 4300, 4500, 4600, 5432, 5000)),
    })
    status, found, err = inventory(place)
    same((status, found["summary"]["undeclared"]), (1, 3))
    same([tuple(u.get(key) for key in ("port", "service", "profile", "also", "in_range_of")) for u in found["uses"]], [
        (4000, "api", "", ["wide:test"], None), (4001, "api", "", None, None), (4002, "dns", "", ["dot"], None),
        (4110, None, None, None, "api"), (4300, None, None, None, "wide"), (4500, "login", "", None, None),
        (4600, "api", "live", None, None), (5432, "db", "", None, None), (5000, None, None, None, None)])
    out = place.run("inventory")[1]
    for line in (r"4000 +config +api, wide:test ", r"4002 +config +dns, dot ",
                 r"4110 +config +undeclared \(api's range\) ", r"4600 +config +api:live ",
                 r"5000 +config +undeclared +-"):
        assert re.search(line, out), (line, out)


def test_disagree(place):
    """where code, manifest and machine disagree, with a manifest and without"""
    other = place.directory("other")
    port, login, quiet, asked = (free_port() for _ in range(4))
    write(place.project, **{
        "ports.manifest.json": manifest(web={"port": port}, login={"port": login, "from": "auth/backend"},
                                        more={"port": quiet}),
        "a.py": "LOGIN_PORT = %d\nget('http://localhost:%d')\nHOST = 'localhost:%d'\n" % (login, port, asked),
    })
    for number in (port, login, quiet, asked):
        listen(place, number, other)
    held = {d["port"]: d for d in inventory(place)[1]["disagreements"]}
    same(sorted(held), sorted([port, quiet]), "the services' own numbers; not another project's, not what is asked for")
    assert "manifest is held by" in held[quiet]["text"] and "file" not in held[quiet], held
    same(held[port]["line"], 2)
    os.unlink(os.path.join(place.project, "ports.manifest.json"))
    same([d["port"] for d in inventory(place)[1]["disagreements"]], [login], "without a manifest: what the code names")
    # What a database usually has is a client's number.
    for number in (5432, 3306, 6379, 27017, 11211, 4222, 1433):
        try:
            listen(place, number, other)
        except Exception:
            continue
        write(place.project, **{"a.py": "DB_PORT = %d\n" % number})
        same(inventory(place)[1]["disagreements"], [], "a database's number")
        write(place.project, **{"a.py": "server.listen(%d)\n" % number})
        same([d["port"] for d in inventory(place)[1]["disagreements"]], [number], "but not where it is listened on")
        break


def test_moved(place):
    """a server that portshim has moved: shown with what it asked for, and no disagreement"""
    port = free_port()
    write(place.project, **{"ports.manifest.json": manifest(web={"port": port}), "a.js": "app.listen(%d)\n" % port})
    listen(place, port, place.directory("other"))
    listen(place, port, place.project, PORTSHIM, "run", "-q", "--")
    status, found, _ = inventory(place)
    same((status, found["disagreements"]), (0, []))
    moved = [x for x in found["listeners"] if x.get("requested") == port]
    same([(x["environment"], x["uses"]) for x in moved], [("shop", 1)])
    same([u["actual"] for u in found["uses"]], [moved[0]["port"]])
    assert re.search(r"a\.js:1:12 +%d +listen +web +on %d, shop" % (port, moved[0]["port"]), place.run("inventory")[1])
    assert moved[0]["port"] != port


def test_bad(place):
    """bad use and bad input: a clear error each"""
    write(place.project, **{"broken/ports.manifest.json": "{", "a.js": "app.listen(3000)\n"})
    for arguments, status, words in [
            (["nowhere"], 3, "nowhere"), (["a.js"], 3, "a.js"), (["a", "b"], 2, "`b`"), (["--nope"], 2, "--nope"),
            (["broken"], 3, "ports.manifest.json"), (["--manifest", "none.json"], 3, "none.json")]:
        got, out, err = place.run("inventory", *arguments)
        same((got, out), (status, ""), str(arguments))
        assert words in err and err.startswith("portshim"), err


def test_large(place):
    """a file of 100 MB is passed over, one of 1 MB is read; an unreadable directory is none of ours"""
    write(place.project, **{"a.py": "# line\n" * 140000 + "PORT = 3000\n"})
    with open(os.path.join(place.project, "big.yaml"), "wb") as file:
        file.write(b"port: 4000\n")
        file.truncate(100 << 20)
    os.mkdir(os.path.join(place.project, "closed"), 0)
    status, found, _ = inventory(place)
    same((places(found), found["summary"]["skipped"]), (["a.py:140001:8 3000"], 1))
    os.chmod(os.path.join(place.project, "closed"), 0o700)


def test_terminal(place):
    """on a terminal: colour, unless NO_COLOR; none in a pipe"""
    write(place.project, **{"a.js": "app.listen(3000)\n"})
    for env, colour in (({"TERM": "xterm", "NO_COLOR": None}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        ours, theirs = pty.openpty()
        child = place.start("inventory", "--undeclared", stdout=theirs, env=env)
        os.close(theirs)
        text = b""
        try:
            while True:
                piece = os.read(ours, 4096)
                if not piece:
                    break
                text += piece
        except OSError:
            pass
        os.close(ours)
        same(child.wait(LIMIT), 1)
        same(b"\033[" in text, colour, text)
    assert "\033" not in place.run("inventory")[1]


if __name__ == "__main__":
    main(globals())
