#!/usr/bin/python3
"""The project of docs/projects/lumiere.md: its page, and its three environments at once, real servers under conflict.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/real/lumiere.py

The servers read their ports and those of their neighbours from the configurations in tests/sync/lumiere. For those that
run, all numbers of the manifest are moved up to where they are free, and `portshim sync` brings them into the files.
"""
import os
import re
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import PORTSHIM, PYTHON, TOP, check, check_page, free_shift, read, run, run_parts, server, write

BASES = {"production": 8000, "development": 9000, "test": 7000}


def make(folder, more):
    """The project, its manifest's numbers moved up."""
    shutil.copytree(os.path.join(TOP, "tests", "sync", "lumiere"), folder)
    os.chdir(folder)
    text = read(os.path.join(TOP, "manifest", "examples", "lumiere.manifest.json")).decode()
    write("ports.manifest.json", re.sub(r"\b[5-9]\d\d\d\b", lambda m: str(int(m.group()) + more), text))


def page():
    make("page", 0)
    check_page("docs/projects/lumiere.md", 7)


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


def fetch(profile, port, path):
    script = "import urllib.request\nprint(urllib.request.urlopen('http://localhost:%d%s', timeout=30).read().decode())"
    return run("run", "--quiet", "--profile", profile, "--", PYTHON, "-c", script % (port, path))[1].strip()


def side_by_side():
    numbers = [base + n for base in BASES.values() for n in (*range(6), *range(765, 772))]
    more = free_shift(numbers, range(10000, 22000, 100))
    make("lumiere", more)
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
            child = server(PORTSHIM, "run", "--quiet", "--profile", profile, "--",
                           PYTHON, "-c", SERVER, component, profile)
            line = child.said.split()
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


run_parts(page, side_by_side)
