#!/usr/bin/python3
"""The project of docs/projects/lumiere.md: its page, and its three environments at once, real servers under conflict.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/lumiere.py

The servers read their ports and those of their neighbours from the configurations in tests/sync/lumiere. For those that
run, all numbers of the manifest are moved up to where they are free, and `portshim sync` brings them into the files.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("PORTSHIM_TEST_BUILD") or os.environ.get("BUILD") or os.path.join(TOP, "build"))
PROGRAM = os.path.join(BUILD, "portshim")
PYTHON = "/usr/bin/python3"
BASES = {"production": 8000, "development": 9000, "test": 7000}

passed = failed = 0
started = []


def check(good, what):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("not ok:", what)
    return good


def environment(**more):
    return dict({k: v for k, v in os.environ.items() if k != "PORT"}, **more)


def run(*words):
    result = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=60,
                            text=True, env=environment())
    return result.returncode, result.stdout, result.stderr


def make(folder, more):
    """The project, its manifest's numbers moved up."""
    shutil.copytree(os.path.join(TOP, "tests", "sync", "lumiere"), folder)
    os.chdir(folder)
    with open(os.path.join(TOP, "manifest", "examples", "lumiere.manifest.json"), encoding="utf-8") as f:
        text = re.sub(r"\b[5-9]\d\d\d\b", lambda m: str(int(m.group()) + more), f.read())
    with open("ports.manifest.json", "w", encoding="utf-8") as f:
        f.write(text)


def check_page():
    """Each command of the page says what the page says."""
    with open(os.path.join(TOP, "docs", "projects", "lumiere.md"), encoding="utf-8") as f:
        page = f.read()
    count = 0
    for block in re.findall(r"^```console\n(.*?)^```$", page, re.S | re.M):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, wanted = part.partition("\n")
            result = subprocess.run(["sh", "-c", command + " 2>&1"], stdout=subprocess.PIPE, check=False, text=True,
                                    timeout=60, env=environment(PATH=BUILD + ":" + os.environ["PATH"]))
            check(result.stdout == wanted, "the page: %s\nsays %s\nbut the page has %s" % (
                command, result.stdout, wanted))
            count += 1
    check(count >= 7, "the page has commands")


# ---- the servers ----

# serve.py COMPONENT ENVIRONMENT: listens on the port of its configuration; answers with its name and, at /chain, with
# what its neighbours answer.
SERVER = r"""
import http.server, re, sys, urllib.request
component, environment = sys.argv[1:]
text = open("%s/config/%s.yaml" % (component, environment)).read()
port = int(re.search(r'^ +port: (\d+)|^listen: "0.0.0.0:(\d+)"', text, re.M).expand(r"\1\2"))
near = re.findall(r"^(?:courier_url|passeur_url|courier): ['\"]?\w+://\w+:(\d+)", text, re.M)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        said = component + " " + environment
        if self.path == "/chain" and near:
            urls = ["http://localhost:%s/chain" % n for n in near]
            said += "[%s]" % ", ".join(urllib.request.urlopen(u, timeout=20).read().decode() for u in urls)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(said.encode())
    def log_message(self, *words):
        pass
s = http.server.ThreadingHTTPServer(("0.0.0.0", port), H)
print(port, s.socket.getsockname()[1], flush=True)
s.serve_forever()
"""


def is_free(port):
    with socket.socket() as s:
        try:
            s.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def draw():
    for more in range(10000, 22000, 100):
        if all(is_free(base + more + n) for base in BASES.values() for n in (*range(6), *range(765, 772))):
            return more
    raise SystemExit("no free numbers")


def start(words):
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=environment())
    started.append(child)
    return child


def fetch(profile, port, path):
    script = "import urllib.request\nprint(urllib.request.urlopen('http://localhost:%d%s', timeout=30).read().decode())"
    return run("run", "--quiet", "--profile", profile, "--", PYTHON, "-c", script % (port, path))[1].strip()


def check_side_by_side(more):
    check(run("sync", "--apply")[0] == 0 and run("sync", "--check")[0] == 0, "the files have the moved numbers")
    strangers = []
    for port in (8000, 9765, 7766):
        s = socket.socket()
        s.bind(("0.0.0.0", port + more))
        s.listen(8)
        strangers.append(s)
    told, moved = {}, set()
    for profile, base in BASES.items():
        for component, n in (("pourtier", 0), ("courier", 765), ("passeur", 766)):
            child = start([PROGRAM, "run", "--quiet", "--profile", profile, "--", PYTHON, "-c", SERVER, component, profile])
            line = child.stdout.readline().split()
            if not check(line and int(line[0]) == base + n + more,
                         "%s %s wants the port of its configuration: %s" % (component, profile, line)):
                print(child.stderr.readline())
                return
            told[profile, component] = int(line[1])
            if line[0] != line[1]:
                moved.add((profile, component))
    check(moved == {("production", "pourtier"), ("development", "courier"), ("test", "passeur")},
          "who had to move: %s" % moved)
    check(len(set(told.values())) == 9, "nine servers at once")
    for profile, base in BASES.items():
        for component in ("pourtier", "courier", "passeur"):
            check(base + more <= told[profile, component] <= base + 799 + more, "%s %s keeps to its range: %d" % (
                component, profile, told[profile, component]))
        said = fetch(profile, base + more, "/chain")
        check(said == "pourtier {0}[courier {0}, passeur {0}[courier {0}]]".format(profile), "%s: %s" % (profile, said))
    listed = run("status", "--all")[1]
    for (profile, component), port in told.items():
        check(re.search(r"\b%s\b.*\b%d\b" % (component, port), listed), "status: %s %s on %d in\n%s" % (
            component, profile, port, listed))
    status, out, err = run("why", "--profile", "production", str(8000 + more))
    check("pid %d" % os.getpid() in out + err, "who is in the way: %s%s" % (out, err))
    for s in strangers:
        s.close()


def main():
    for name in [n for n in os.environ if n.startswith("PORTSHIM") and n != "PORTSHIM_TEST_BUILD"]:
        del os.environ[name]
    signal.alarm(120)
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="portshim-lumiere-") as folder, \
            tempfile.TemporaryDirectory(prefix="portshim-lumiere-", dir=shared) as runtime:
        os.environ["PORTSHIM_RUNTIME_DIR"] = runtime
        os.environ["HOME"] = os.path.realpath(folder)
        os.environ["XDG_STATE_HOME"] = os.path.join(os.environ["HOME"], "state")
        try:
            make(os.path.join(folder, "page"), 0)
            check_page()
            more = draw()
            make(os.path.join(folder, "lumiere"), more)
            check_side_by_side(more)
        finally:
            for child in started:
                child.terminate()
            for child in started:
                child.wait(timeout=30)
            os.chdir("/")
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    return failed != 0


sys.exit(main())
