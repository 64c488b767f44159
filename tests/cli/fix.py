#!/usr/bin/python3
"""portshim fix: the project tests/fix/shop becomes tests/fix/shop.fixed; what the checkers of its languages say to that;
programs that are started before and after; and what goes wrong.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/fix.py
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import harness
from harness import PYTHON, TOP, check, free_port, read, run_parts, skip, write

SHOP = os.path.join(TOP, "tests", "fix", "shop")
CORPUS = os.path.join(TOP, "tests", "inventory", "corpus")
CLASSES = os.path.join(harness.scratch_directory(), "made")  # where compilers put what they make

missing = set()


def fix(*words, **more):
    """What it prints as bytes: those of the files may be anything."""
    status, out, err = harness.run("fix", *words, **more)
    return status, out.encode("utf-8", "surrogateescape"), err


def tree(top="."):
    found = {}
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name != ".git"]
        for name in names:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = ("link", os.readlink(path)) if os.path.islink(path) else read(path)
    return found


def manifest(services, more=""):
    write("ports.manifest.json", '{ "version": 1, "services": { %s }%s }\n' % (services, more))


def project(name, services):
    os.mkdir(name)
    os.chdir(name)
    manifest(services)


# ---- the checkers of the languages ----

def runs(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120, **more)


ELIXIR = "Code.string_to_quoted!(File.read!(hd(System.argv())))"
CHECKERS = {
    ".js": ("node", lambda path: ["node", "--check", path]),
    ".mjs": ("node", lambda path: ["node", "--check", path]),
    ".cjs": ("node", lambda path: ["node", "--check", path]),
    ".py": (PYTHON, lambda path: [PYTHON, "-c", "import sys; compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec')",
                                  path]),
    ".rb": ("ruby", lambda path: ["ruby", "-c", path]),
    ".ru": ("ruby", lambda path: ["ruby", "-c", path]),
    ".php": ("php", lambda path: ["php", "-l", path]),
    ".go": ("gofmt", lambda path: ["gofmt", "-e", path]),
    ".java": ("javac", lambda path: ["javac", "-proc:none", "-implicit:none", "-d", CLASSES, path]),
    ".ex": ("elixir", lambda path: ["elixir", "-e", ELIXIR, path]),
    ".exs": ("elixir", lambda path: ["elixir", "-e", ELIXIR, path]),
    ".sh": ("bash", lambda path: ["bash", "-n", path]),
    ".bash": ("bash", lambda path: ["bash", "-n", path]),
}


def parses(path):
    """True if the language's own checker takes the file; None if there is none."""
    program, command = CHECKERS.get(os.path.splitext(path)[1], (None, None))
    if not program:
        return None
    if not shutil.which(program):
        missing.add(program)
        return None
    return runs(command(path)).returncode == 0


def parsing(paths):
    """Those that their checkers take. Elixir takes long to start: it reads all of its own at once."""
    scripts = [path for path in paths if os.path.splitext(path)[1] in (".ex", ".exs")]
    good = {path for path in paths if path not in scripts and parses(path)}
    if scripts and parses(scripts[0]) is not None:
        good.update(runs(["elixir", "-e", "for path <- System.argv(), {:ok, _} <- [Code.string_to_quoted(File.read!(path))], "
                          "do: IO.puts(path)", *scripts]).stdout.decode().splitlines())
    return good


def formatted(path):
    """True for Go as gofmt has it."""
    return path.endswith(".go") and shutil.which("gofmt") and runs(["gofmt", "-l", path]).stdout == b""


def vetted(folder):
    """Compiles a package of Go that needs the standard library only. None without Go."""
    if not shutil.which("go"):
        missing.add("go")
        return None
    return runs(["go", "vet", "."], cwd=folder, env=dict(os.environ, GO111MODULE="off", GOFLAGS="", GOTOOLCHAIN="local",
                                                         GOCACHE=os.path.join(CLASSES, "go"), GOPATH=CLASSES))


# ---- the project ----

def shop():
    shutil.copytree(SHOP, "shop")
    os.chdir("shop")
    before, wanted = tree(), tree(SHOP + ".fixed")
    good = {path: parses(path) for path in before}
    neat = {path for path in before if formatted(path)}
    check(vetted("gate") is None or vetted("gate").returncode == 0, "shop: the Go package compiles before")
    check(any(good.values()), "shop: some of it is checked")
    status, diff, err = fix()
    check(status == 0 and diff.startswith(b"--- a/") and "could be read" in err, "shop: a diff: %s" % err)
    check(fix("--dry-run")[1] == diff and tree() == before, "shop: --dry-run is the default, and changes nothing")
    shutil.copytree(".", "../patched")
    patch = runs(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch"], cwd="../patched", input=diff)
    check(patch.returncode == 0 and b"fuzz" not in patch.stdout, "shop: patch takes it: %s" % patch.stdout)
    status, out, _ = fix("--check")
    check(status == 1 and out.count(b"[hardcoded-port]") > 20 and
          b"web/server.js:18:15: error: 3000 stands here, the port of web, and could be read from PORT [hardcoded-port]"
          in out, "shop: --check: %s" % out.decode())
    status, out, _ = fix("--json")
    found = json.loads(out)
    places = {(p["file"], p["line"], p["column"]): p for p in found["places"]}
    check(status == 0 and found["version"] == 1 and not found["applied"] and "api/main.py" in found["changed"] and
          places["web/server.js", 18, 15]["variable"] == "PORT" and places["web/server.js", 18, 15]["given"] and
          places["web/src/App.tsx", 4, 44]["result"] == "browser", "shop: --json")
    status, out, err = fix("--apply")
    check(status == 0 and out == b"" and "are read from the environment now" in err, "shop: --apply: %s" % err)
    check("scripts/dev.sh:17:38: note: 3000 (web) stays: in single quotes" in err, "shop: what stays is said: %s" % err)
    check('"env": { "ARTIFACTS_PORT": "{port}" } in artifacts' in err, "shop: what the manifest lacks is said: %s" % err)
    after = tree()
    check(after == tree("../patched"), "shop: patch makes the same")
    for path in sorted(set(after) | set(wanted)):
        check(after.get(path) == wanted.get(path), "shop: %s is as in shop.fixed: %s" % (
            path, after.get(path, b"").decode("utf-8", "replace")))
    for path, data in after.items():
        if data != before[path] and good[path] is not None:
            check(good[path] and parses(path), "shop: %s parses as before" % path)
        if path in neat:
            check(formatted(path), "shop: %s is as gofmt has it" % path)
    result = vetted("gate")
    check(result is None or result.returncode == 0, "shop: the Go package compiles: %s" % (result and result.stdout))
    inodes = {path: os.stat(path).st_ino for path in after}
    check(fix("--apply")[:2] == (0, b"") and fix()[1] == b"" and fix("--check")[0] == 0, "shop: a second time, nothing")
    check(tree() == after and inodes == {path: os.stat(path).st_ino for path in after}, "shop: not even the files")
    if shutil.which("shellcheck"):
        result = runs(["shellcheck", "scripts/dev.sh"])
        check(result.returncode == 0, "shop: shellcheck: %s" % result.stdout.decode())
    else:
        skip("shop: shellcheck", "is not installed")
    os.chdir("..")


# ---- the labelled files of the inventory ----

def corpus():
    """All of them, for a manifest that has every one of their ports: what parsed before, parses after."""
    shutil.copytree(CORPUS, "corpus", ignore=shutil.ignore_patterns("labels"))
    os.chdir("corpus")
    before = tree()
    uses = json.loads(harness.run("inventory", "--json")[1])["uses"]
    ports = sorted({use["port"] for use in uses})
    manifest(", ".join('"s%d": { "port": %d, "env": { "S%d_URL": "{url}" } }' % (p, p, p) if p % 2 else
                       '"s%d": { "port": %d }' % (p, p) for p in ports))
    status, _, err = fix("--apply", "--tests")
    check(status == 0, "corpus: --apply: %s" % err)
    after = tree()
    changed = [path for path in before if after[path] != before[path]]
    check(len(changed) > 20, "corpus: %d files are changed" % len(changed))
    for path in changed:
        write(os.path.join("../corpus.before", path), before[path])
    os.chdir("../corpus.before")
    good, neat = parsing(changed), {path for path in changed if formatted(path)}
    os.chdir("../corpus")
    still = parsing(good)
    check(len(good) > 60, "corpus: %d files are parsed" % len(good))
    for path in good:
        check(path in still, "corpus: %s parses as before: %s" % (path, after[path].decode("utf-8", "replace")))
        check(path not in neat or formatted(path), "corpus: %s is as gofmt has it" % path)
    check(fix("--tests")[1] == b"", "corpus: a second time, nothing")
    os.chdir("..")


# ---- programs that run ----

def answers(port, process):
    """Waits until somebody listens on the port, or the process has ended."""
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


SERVERS = {
    "server.js": ("node", "const http = require('http');\nconst port = %d;\n"
                          "http.createServer((q, s) => s.end('x')).listen(port, '127.0.0.1');\n"),
    "server.py": (PYTHON, "from http.server import HTTPServer, BaseHTTPRequestHandler\n\nPORT = %d\n"
                          "HTTPServer((\"127.0.0.1\", PORT), BaseHTTPRequestHandler).serve_forever()\n"),
    "server.rb": ("ruby", "require 'socket'\n\nPORT = %d\nserver = TCPServer.new('127.0.0.1', PORT)\n"
                          "loop { server.accept.close }\n"),
    "server.php": ("php", "<?php\n$port = %d;\n$server = stream_socket_server('tcp://127.0.0.1:' . $port);\n"
                          "while (true) {\n    @fclose(stream_socket_accept($server, -1));\n}\n"),
    "Server.java": ("java", "import java.net.ServerSocket;\n\npublic class Server {\n\tprivate static final int PORT = %d;\n\n"
                            "\tpublic static void main(String[] arguments) throws Exception {\n"
                            "\t\tServerSocket server = new ServerSocket(PORT);\n\t\twhile (true) {\n"
                            "\t\t\tserver.accept().close();\n\t\t}\n\t}\n}\n"),
    "server.go": ("go", "package main\n\nimport \"net/http\"\n\nfunc main() {\n"
                        "\thttp.ListenAndServe(\"127.0.0.1:%d\", nil)\n}\n"),
    "server.exs": ("elixir", "port = %d\n{:ok, socket} = :gen_tcp.listen(port, [:binary, active: false, reuseaddr: true])\n"
                             "loop = fn loop ->\n  {:ok, client} = :gen_tcp.accept(socket)\n  :gen_tcp.close(client)\n"
                             "  loop.(loop)\nend\n\nloop.(loop)\n"),
    "server.sh": ("bash", "set -eu\nPORT=%d\nexec " + PYTHON + " -m http.server \"$PORT\" --bind 127.0.0.1\n"),
}


def behaviour():
    for name, (program, text) in SERVERS.items():
        if not shutil.which(program):
            skip("behaviour: %s" % name, "%s is not installed" % program)
            continue
        folder = "run." + name
        old, new = free_port(), free_port()
        project(folder, '"web": { "port": %d, "env": ["PORT"] }' % old)
        write(name, text % old)
        status, _, err = fix("--apply")
        check(status == 0 and b"PORT" in read(name) and text % old != read(name).decode(), "%s: fixed: %s" % (name, err))
        environment = {key: value for key, value in os.environ.items() if key != "PORT"}
        environment.update(GO111MODULE="off", GOFLAGS="", GOCACHE=os.path.join(CLASSES, "go"), GOPATH=CLASSES)
        for port, more in ((old, {}), (new, {"PORT": str(new)})):
            process = subprocess.Popen([program, *(["run"] if program == "go" else []), name], env=dict(environment, **more), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            check(answers(port, process), "%s: listens on %s" % (name, "the variable's" if more else "the old number"))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        os.chdir("..")


# ---- which variable ----

def variables():
    project("variables", '"web": { "port": 3000, "env": ["PORT"], "match": { "directory": "web" } }, '
            '"api": { "port": 4010, "env": ["PORT"], "match": { "directory": "api" } }, "API_PORT": { "port": 4500, '
            '"env": { "GATE_PORT": "{port}" } }, "mail": { "port": 1025, "env": { "MAIL": "smtp://{host}:{port}" } }')
    write("web/a.js", "const http = require('http');\nhttp.get('http://localhost:4010/');\nconst port = 3000;\n")
    write("api/settings.py", "port = 4010\nfront = \"http://localhost:3000\"\nmail = \"smtp://localhost:1025/x\"\n")
    write("both.js", "require('http').createServer(f).listen(3000);\nrequire('net').createServer(f).listen(4010);\n")
    write("gate.py", "gate = {\"port\": 4500}\n")
    fix("--apply")
    web, api, both = read("web/a.js"), read("api/settings.py"), read("both.js")
    check(b"process.env.PORT || 3000" in web, "the own port in the service's directory: %s" % web)
    check(b"process.env.API_PORT || 4010" in web, "another's port never from PORT: %s" % web)
    check(b'environ.get("PORT", "4010")' in api and b"get('WEB_PORT', '3000')" in api, "python: %s" % api)
    check(b"{os.environ.get('MAIL', 'smtp://localhost:1025')}/x" in api, "what a string begins with: %s" % api)
    check(b"WEB_PORT || 3000" in both and b"API_PORT || 4010" in both, "two servers, one process: %s" % both)
    check(b'environ.get("GATE_PORT", "4500")' in read("gate.py"), "a variable for all")
    os.chdir("..")

    project("taken", '"web": { "port": 3000, "env": { "API_PORT": "{port}" } }, "api": { "port": 4010 }')
    write("a.js", "require('http').get('http://localhost:4010/');\n")
    status, diff, err = fix()
    check(status == 0 and diff == b"" and "[no-name]" in err, "a name with another meaning: %s" % err)
    os.chdir("..")

    project("profiles", '"web": { "ports": [3000, 3001], "env": ["PORT"] }')
    manifest('"web": { "ports": [3000, 3001], "env": ["PORT"] }', ', "profiles": { "test": { "offset": 1000 } }')
    write("a.js", "const s = require('http').createServer();\ns.listen(4000);\n")
    write("b.js", "const s = require('http').createServer();\ns.listen(3001);\n")
    check(b"process.env.PORT || 4000" in fix()[1], "a profile's port")
    check(b"3001" not in fix()[1], "not the second of several")
    os.chdir("..")


# ---- what is asked for, and what goes wrong ----

def usage():
    project("usage", '"web": { "port": 3000, "env": ["PORT"] }, "api": { "port": 4010, "env": { "API": "{port}" } }')
    code = "const s = require('http').createServer();\ns.listen(%d);\n"
    for name in ("a.js", "src/b.js", "src/test/c.js", "node_modules/d.js"):
        write(name, code % 3000)
    write("api.js", code % 4010)
    write("other.js", code % 5555)

    def changed(*words):
        return sorted(json.loads(fix("--json", *words)[1])["changed"])

    check(changed() == ["a.js", "api.js", "src/b.js"], "everything but tests and packages: %s" % changed())
    check(changed("src") == ["src/b.js"] and changed("a.js", "api.js") == ["a.js", "api.js"], "what is named")
    check(changed("--tests", "src") == ["src/b.js", "src/test/c.js"] and changed("src/test/c.js") == ["src/test/c.js"],
          "tests that are asked for")
    check(changed("--service", "api") == ["api.js"] and changed("a.js", "a.js", ".") == changed(), "--service; twice")
    check(changed("--undeclared", "other.js") == ["other.js"] and
          b"process.env.PORT_5555 || 5555" in fix("--undeclared", "other.js")[1], "--undeclared")
    os.chdir("src")
    check(changed() == ["b.js", os.path.realpath("../a.js"), os.path.realpath("../api.js")] or
          changed() == sorted(["b.js", os.path.realpath("../a.js"), os.path.realpath("../api.js")]), "from below")
    os.chdir("..")
    for words, status, text in ((("--apply", "--check"), 2, "not several"), (("--service", "x"), 2, "no service `x`"),
                                (("nothing",), 3, "cannot read nothing"), (("--manifest", "ports.manifest.json", "/"), 2, "outside of the project"),
                                (("--nonsense",), 2, "")):
        code, out, err = fix(*words)
        check(code == status and text in err and out == b"", "%s: %d %s" % (words, code, err))
    os.chdir("..")
    os.mkdir("none")
    os.chdir("none")
    write("a.js", "require('http').createServer().listen(3000);\n")
    check(fix()[0] == 3 and "portshim init" in fix()[2], "no manifest")
    check(b"PORT_3000 || 3000" in fix("--undeclared")[1], "--undeclared goes without")
    os.chdir("..")


def faults():
    project("faults", '"web": { "port": 3000, "env": ["PORT"] }')
    code = "const s = require('http').createServer();\ns.listen(3000);\n"
    write("good.js", code)
    write("latin.js", b"// caf\xe9\n" + code.encode())
    write("nul.js", b"\0" + code.encode())
    write("big.js", "//" + "x" * 100 + "\n" + "f();\n" * 500000 + code)
    write("deep.js", code + "(" * 2000 + ")" * 2000)
    write("half.js", code + "const x = `")
    write("empty.js", b"")
    os.symlink("good.js", "link.js")
    os.symlink("/etc/passwd", "passwd.js")
    os.mkfifo("pipe.js")
    write("bad.py", b"port = 3000\n\xff\xfe = (\n")
    status, diff, err = fix()
    check(status == 0 and diff.count(b"+++ ") == 2 and b"+++ b/good.js" in diff and b"+++ b/latin.js" in diff,
          "what is no text, too big, too deep or half: %d %s %s" % (status, diff[:300], err))
    check("half.js:2:10: note: 3000 (web) stays: the file is not understood" in err, "and why: %s" % err)
    if os.geteuid() != 0:
        os.chmod(".", 0o555)
        status, _, err = fix("--apply")
        os.chmod(".", 0o755)
        check(status == 3 and b"listen(3000)" in read("good.js") + read("latin.js"), "read-only: %s" % err)
    else:
        skip("faults: a read-only directory", "root may write everywhere")
    manifest('"web": { "port": 70000 }')
    check(fix()[0] == 3, "a wrong manifest")
    os.chdir("..")


def many():
    """Large projects: seconds, and one look at each file."""
    project("many", '"web": { "port": 3000, "env": ["PORT"] }')
    for i in range(3000):
        write("d%d/f%d.js" % (i % 50, i), "const s = require('http').createServer();\n" +
              ("s.listen(3000);\n" if i % 100 == 0 else "") + "f(%d);\n" % i * 50)
    write("long.sh", "PORT=3000\n" * 3000)
    write("wide.py", "ports = [" + "\n\t3000," * 20000 + "\n]\n")
    begun = time.monotonic()
    status, out, err = fix("--apply")
    check(status == 0 and time.monotonic() - begun < 60, "many: %.1f s: %s" % (time.monotonic() - begun, err))
    check(read("long.sh") == b"PORT=${PORT:-3000}\n" * 3000 and read("wide.py").count(b"os.environ.get") == 20000, "many")
    os.chdir("..")


def manual():
    """The example of the manual page."""
    with open(os.path.join(TOP, "docs", "man", "portshim.1"), encoding="utf-8") as file:
        shown = re.search(r"\$ portshim fix\n(.*?)\.Ed", file.read(), re.S).group(1)
    os.mkdir("manual")
    os.chdir("manual")
    manifest('"web": { "port": 3000, "env": ["PORT"] }, "api": { "port": 4010, "env": { "API_PORT": "{port}" } }')
    write("server.js", "".join(line[1:] + "\n" for line in shown.splitlines()[3:] if line[0] in " -"))
    check(fix("--quiet")[1].decode() == shown, "the manual's example: %s" % fix("--quiet")[1].decode())


def checkers():
    shutil.rmtree(os.path.dirname(CLASSES))
    for program in sorted(missing):
        skip("checked by %s" % program, "is not installed")


def before():
    """Repositories that the directory may lie in have no say here."""
    os.environ["GIT_CEILING_DIRECTORIES"] = os.path.dirname(os.getcwd())
    os.makedirs(CLASSES, exist_ok=True)


run_parts(manual, shop, corpus, behaviour, variables, usage, faults, many, checkers, before=before)
