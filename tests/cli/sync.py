#!/usr/bin/python3
"""portshim sync: the project of three environments (tests/sync/lumiere), every format, and what goes wrong.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/sync.py
"""
import json
import os
import re
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import harness
from harness import PORTSHIM, TOP, check, command, read, run_parts, skip, start, write

LUMIERE = os.path.join(TOP, "tests", "sync", "lumiere")
EXAMPLE = os.path.join(TOP, "manifest", "examples", "lumiere.manifest.json")


def sync(*words, **more):
    """What it prints as bytes: those of the files may be anything."""
    status, out, err = harness.run("sync", *words, **more)
    return status, out.encode("utf-8", "surrogateescape"), err


def tree(top="."):
    """Every file's bytes, and symlinks' targets."""
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), top)
            found[path] = ("link", os.readlink(os.path.join(folder, name))) if os.path.islink(
                os.path.join(folder, name)) else read(os.path.join(folder, name))
    return found


def project(name, files, services="\"web\": { \"port\": 3000 }, \"api\": { \"port\": 4000 }", more=""):
    """A project in a directory of its own, with the working directory in it."""
    os.mkdir(name)
    os.chdir(name)
    write("ports.manifest.json", '{ "version": 1, "services": { %s }, %s "files": %s }\n' % (
        services, more, json.dumps(files)))


# ---- the project of three environments ----

def lumiere():
    shutil.copytree(LUMIERE, "lumiere")
    os.chdir("lumiere")
    shutil.copy(EXAMPLE, "ports.manifest.json")
    before = tree()
    status, out, err = sync()
    check(status == 0 and out == b"" and "57 ports in 12 files" in err, "lumiere: in sync as it comes: %s" % err)
    check(sync("--check")[:2] == (0, b""), "lumiere: --check")

    # One number is changed, in one place.
    manifest = read("ports.manifest.json").replace(b'"pourtier": { "port": 9000,', b'"pourtier": { "port": 9100,')
    write("ports.manifest.json", manifest)
    status, out, err = sync("--check")
    lines = out.decode().split("\n")
    check(status == 1 and sum("[drift]" in l for l in lines) == 15, "lumiere: --check finds 15 places")
    check("pourtier/config/development.yaml:5:9: error: server.port: 9000 stands here, but the port of pourtier is "
          "9100 under the profile development [drift]" in lines, "lumiere: where, what, and under which profile")
    check("\thint: `portshim sync --apply` writes 9100" in lines, "lumiere: what to do")
    check(tree() == dict(before, **{"ports.manifest.json": manifest}), "lumiere: nothing is changed by --check")
    status, out, err = sync("--profile", "test", "--check")
    check(status == 1 and out.count(b"[drift]") == 5 and b"production" not in out, "lumiere: one profile")

    # The dry run is what patch takes, and makes of the files what --apply makes of them.
    status, diff, err = sync("--dry-run")
    check(status == 0 and diff.startswith(b"--- a/") and sync()[1] == diff, "lumiere: --dry-run is the default")
    check("15 ports in 9 files differ" in err and "sync --apply" in err, "lumiere: the dry run's summary: %s" % err)
    check(tree() == dict(before, **{"ports.manifest.json": manifest}), "lumiere: nothing is changed by a dry run")
    shutil.copytree(".", "../patched")
    patch = subprocess.run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch"], cwd="../patched", input=diff,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check(patch.returncode == 0 and not re.search(rb"offset|fuzz|[Ss]tripping", patch.stdout),
          "patch: %s" % patch.stdout)
    status, out, err = sync("--apply")
    check(status == 0 and out == b"" and "changed 15 ports in 9 files" in err, "lumiere: --apply: %s" % err)
    after = tree()
    check(after == tree("../patched"), "lumiere: patch makes the same")
    for path, data in before.items():
        if path == "ports.manifest.json":
            continue
        wanted = data
        for old, new in ((b"9000", b"9100"), (b"8000", b"8100"), (b"7000", b"7100")):
            wanted = wanted.replace(old, new)
        check(after[path] == wanted, "lumiere: %s: the digits, and nothing else" % path)
    inodes = {path: os.stat(path).st_ino for path in after}
    check(sync("--apply")[:2] == (0, b"") and sync()[1] == b"" and tree() == after, "lumiere: twice changes nothing")
    check(inodes == {path: os.stat(path).st_ino for path in after}, "lumiere: not even the files")
    check(b"\r\n" in after["pourtier/config/test.yaml"] and after["passeur/config/test.yaml"][-1:] == b'"',
          "lumiere: line ends and a missing last one are among them")
    os.chdir("courier/config")
    write("../../ports.manifest.json", manifest.replace(b"9100", b"9200"))
    status, out, _ = sync("--check", "--profile", "production")
    check(b"\nproduction.yaml:8:31: error: " in out, "lumiere: paths as seen from a directory below")
    check(b"../" not in out and (b"%s/" % os.fsencode(os.getcwd()[:-len("/courier/config")])) in out,
          "lumiere: the others absolute")


# ---- formats ----

FORMATS = {
    "a.yaml": ("port: <web>\nurl: 'http://u:p@[::1]:<api>/'\nmap: 9:<web>\n",
               {"port": "web", "url": "api", "map.target": "web"}),
    "a.json": ("{ // c\n\t\"port\": <web>,\r\n\t\"list\": [{\"n\": \"x\", \"p\": \"<api>\"},],\n}",
               {"port": "web", "list[n=x].p": "api"}),
    "a.toml": ("[a]\nport = <web> # c\n[[b]]\nurl = \"http://h:<api>\"\n", {"a.port": "web", "b[0].url": "api"}),
    ".env": ("\ufeffexport PORT=<web> # c\r\nMAP=\"127.0.0.1:<api>:80/tcp\"", {"PORT": "web", "MAP": "api"}),
    "compose.yaml": ("services:\n  s:\n    ports:\n    - '<web>:<api>'\n    - {target: 1, published: <api>}\n"
                     "    - \"${P:-<web>}:2\"\n",
                     {"services.s.ports[0]": "web", "services.s.ports[0].target": "api", "services.s.ports[1]": "api",
                      "services.s.ports[target=1].published": "api", "services.s.ports[2].published": "web"}),
    "nginx.conf": ("server {\n\tlisten <web>;\n\tproxy_pass http://127.0.0.1:<api>;\n}\n",
                   {"^\tlisten ([0-9]+);": "web", "proxy_pass http://[^:]*:([0-9]+);$": "api"}),
}


def formats():
    entries = [dict(path=name, set=places, **({"format": "text"} if name == "nginx.conf" else {}))
               for name, (_, places) in FORMATS.items()]
    project("formats", entries)
    wanted = {"ports.manifest.json": read("ports.manifest.json")}
    for name, (text, _) in FORMATS.items():
        write(name, re.sub("<[a-z]+>", "1", text))
        wanted[name] = text.replace("<web>", "3000").replace("<api>", "4000").encode()
    status, _, err = sync("--apply")
    check(status == 0, "formats: --apply: %s" % err)
    for name, data in tree().items():
        check(data == wanted[name], "formats: %s is %r, not %r" % (name, data, wanted[name]))
    check(sync("--check")[0] == 0, "formats: and again")
    status, out, _ = sync("--json")
    found = json.loads(out)
    check(status == 0 and found["version"] == 1 and found["changed"] == [] and found["applied"] is False
          and found["findings"] == [], "formats: --json: %s" % out[:300])
    # ports[1] by its number and by its target are one place
    check(len(found["places"]) == sum(len(p) for _, p in FORMATS.values()), "formats: --json has all places")
    one = [p for p in found["places"] if p["place"] == "url"][0]
    check(one == {"file": "a.yaml", "line": 2, "column": 24, "place": "url", "service": "api", "profile": "",
                  "found": 4000, "port": 4000, "drift": False}, "formats: a place: %s" % one)
    write("a.yaml", read("a.yaml").replace(b"3000", b"70000"))
    status, out, _ = sync("--apply", "--json")
    found = json.loads(out)
    check([p["found"] for p in found["places"] if p["drift"]] == [70000, 70000], "formats: --json has what was there")
    check(status == 0 and found["applied"] is True and found["changed"] == [{"file": "a.yaml", "ports": 2}],
          "formats: --apply --json: %s" % out[:300])


# ---- what stands in the way ----

FAULTS = [
    # (what stands in the file, the place, code, place of the finding, words of it)
    ("a:\n  prot: 1\n", "a.port", "no-place", (2, 3), "did you mean `prot`"),
    ("port: 1\nport: 2\n", "port", "two-places", (2, 7), "line 1"),
    ("p: &x 1\nport: *x\n", "port", "alias", (2, 7), "&x"),
    ("port: [1]\n", "port", "no-scalar", (1, 7), "list"),
    ("port: |\n  1\n", "port", "no-scalar", (1, 7), "block"),
    ("port: http://host/\n", "port", "no-port", (1, 14), "no port"),
    ("port: 3000-3010\n", "port", "port-range", (1, 7), "range"),
    ("port: ${PORT}\n", "port", "variable", (1, 7), "variable"),
    ("port: http://a:1,b:2\n", "port", "several-ports", (1, 14), "hosts"),
    ("port: 1\n\tx: 2\n", "port", "file-syntax", None, "YAML"),
    (b"port: 1 # \xff\n", "port", "file-syntax", (1, 11), "UTF-8"),
    (b"\xff\xfep\0o\0r\0t\0", "port", "file-syntax", (1, 1), "UTF-16"),
    (b"port: 1\0\n", "port", "file-syntax", None, ""),
]


def faults():
    for number, (text, place, code, at, words) in enumerate(FAULTS):
        project("fault%d" % number, [{"path": "good.yaml", "set": {"port": "web"}},
                                     {"path": "bad.yaml", "set": {place: "web"}}])
        write("good.yaml", "port: 1\n")
        write("bad.yaml", text)
        before = tree()
        status, out, _ = sync("--apply", "--json")
        found = json.loads(out)["findings"]
        check(status == 1 and [f["code"] for f in found] == [code], "%r: %s: %s" % (text, status, out[:500]))
        if found:
            check(found[0]["file"] == "bad.yaml" and at in (None, (found[0]["line"], found[0]["column"])),
                  "%r: %s" % (text, found))
            check(words in found[0]["text"] + str(found[0].get("hint")), "%r: in words: %s" % (text, found))
        check(tree() == before, "%r: then nothing is changed, the good file neither" % text)
        status, out, err = sync()
        check(status == 1 and b"+port: 3000" in out and "bad.yaml:" in err and "[%s]" % code in err,
              "%r: the dry run shows the rest, and says it" % text)
        os.chdir("..")


def one_fault(name, code, words, line=1):
    status, out, err = sync("--apply")
    check(status == 1 and "ports.manifest.json:%d:" % line in err and "[%s]" % code in err and words in err,
          "%s: %s: %s" % (name, status, err))


def files():
    entry = [{"path": "good.yaml", "set": {"port": "web"}}, {"path": "bad.yaml", "set": {"port": "web"}}]
    project("missing", entry)
    write("good.yaml", "port: 1\n")
    one_fault("a file that is not there", "no-file", "No such file")
    with open("bad.yaml", "wb") as f:
        f.truncate(100 << 20)
    one_fault("a file of 100 MB", "no-file", "104857600 bytes")
    os.unlink("bad.yaml")
    os.mkfifo("bad.yaml")
    one_fault("a pipe", "no-file", "pipe")
    os.unlink("bad.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("bad.yaml")
        one_fault("a socket", "no-file", "socket")
    os.unlink("bad.yaml")
    os.symlink("/dev/null", "bad.yaml")
    one_fault("a device", "no-file", "device")
    os.unlink("bad.yaml")
    os.mkdir("bad.yaml")
    one_fault("a directory", "no-file", "directory")
    os.rmdir("bad.yaml")
    write("../outside.yaml", "port: 1\n")
    os.symlink("../outside.yaml", "bad.yaml")
    one_fault("a symlink that leads out", "outside-file", "out of the project")
    check(read("../outside.yaml") == b"port: 1\n" and read("good.yaml") == b"port: 1\n", "nothing is changed")
    os.unlink("bad.yaml")
    os.symlink("bad.yaml", "bad.yaml")
    one_fault("a symlink to itself", "no-file", "symbolic links")
    os.unlink("bad.yaml")
    write("real/file.yaml", "port: 1")
    os.symlink("real/file.yaml", "bad.yaml")
    os.chmod("real/file.yaml", 0o640)
    check(sync("--apply")[0] == 0 and os.path.islink("bad.yaml") and read("real/file.yaml") == b"port: 3000"
          and os.stat("real/file.yaml").st_mode & 0o777 == 0o640,
          "what a symlink leads to is changed, and keeps its mode")
    check(sorted(os.listdir(".")) == ["bad.yaml", "good.yaml", "ports.manifest.json", "real"]
          and os.listdir("real") == ["file.yaml"], "nothing is left over")

    project("pattern", [{"path": "a.conf", "format": "text", "set": {"listen ([0-9]{3});": "web"}}])
    write("a.conf", "listen 300;\n")
    status, _, err = sync("--apply")
    check(status == 1 and "a.conf:1:8: error: " in err and "[unstable-place]" in err
          and read("a.conf") == b"listen 300;\n",
          "a pattern for the old number only: %s" % err)

    project("two", [{"path": "{profile:-a}.yaml", "profiles": [""], "set": {"port": "web"}},
                    {"path": "a.yaml", "set": {"port": "api"}}])
    write("a.yaml", "port: 1\n")
    status, _, err = sync("--apply")
    check(status == 1 and "a.yaml:1:7: error: port: the manifest has two ports for this place: " in err,
          "two ports: %s" % err)


def read_only():
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        skip("a read-only directory", "root needs setpriv for it")
        return
    project("read-only", [{"path": "a/x.yaml", "set": {"port": "web"}}, {"path": "b/x.yaml", "set": {"port": "web"}}])
    write("a/x.yaml", "port: 1\n")
    write("b/x.yaml", "port: 1\n")
    os.chmod("a", 0o777)
    os.chmod("b", 0o555)
    words = [PORTSHIM, "sync", "--apply"]
    if os.geteuid() == 0:
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + words
        for path in (".", "a", "a/x.yaml"):
            os.chown(path, 65534, 65534)
        shutil.copy(PORTSHIM, "../portshim")
        os.chmod("../portshim", 0o755)
        words[words.index(PORTSHIM)] = os.path.abspath("../portshim")
        os.chmod("..", 0o755)
    status, _, err = command(*words)
    check(status == 3 and "cannot change b/x.yaml" in err and "nothing has been changed" in err,
          "a read-only directory: %s %s" % (status, err))
    check(read("a/x.yaml") == b"port: 1\n" and os.listdir("a") == ["x.yaml"],
          "a read-only directory: nothing is changed")
    os.chmod("b", 0o755)


def profiles():
    project("profiles", [{"path": "{profile:-dev}.env", "set": {"PORT": "web"}},
                         {"path": "only.env", "profiles": ["t"], "set": {"PORT": "web"}}],
            more='"profiles": { "t": { "offset": 1 }, "u": { "offset": 2 } },')
    for name in ("dev.env", "t.env", "u.env", "only.env"):
        write(name, "PORT=1\n")
    for profile, changed in (("", {"dev.env": 3000}), ("t", {"t.env": 3001, "only.env": 3001}), ("u", {"u.env": 3002})):
        before = tree()
        status, _, err = sync("--apply", "--profile", profile)
        check(status == 0 and tree() == dict(before, **{n: b"PORT=%d\n" % p for n, p in changed.items()}),
              "profile `%s`: its files, and no others: %s" % (profile, err))
    check(sync("--check")[0] == 0, "the files of all profiles")


def at_once():
    """Many at once, of two minds: each is told that another was faster, or wins as a whole; nothing is left over."""
    names = ["f%d.yaml" % i for i in range(12)]
    project("once", [{"path": name, "set": {"port": "web"}} for name in names])
    with open("ports.manifest.json", encoding="utf-8") as f:
        write("other.json", f.read().replace("3000", "3001"))
    for name in names:
        write(name, "port: 1\n")
    for turn in range(6):
        children = [start(PORTSHIM, "sync", "--apply", "--quiet", "--manifest",
                          "other.json" if i % 2 else "ports.manifest.json") for i in range(8)]
        said = [child.communicate(timeout=60)[1] for child in children]
        codes = [child.returncode for child in children]
        check(set(codes) <= {0, 3} and 0 in codes, "at once: %s" % codes)
        check(all(code == 0 or "cannot change f" in text for code, text in zip(codes, said)), "at once: %s" % said)
        left = {read(name) for name in names}
        check(len(left) == 1 and left < {b"port: 3000\n", b"port: 3001\n"},
              "at once: all files are of one mind: %s" % left)
        check(len(os.listdir(".")) == len(names) + 2, "at once: nothing is left over: %s" % os.listdir("."))


def many():
    """A manifest of many places: they are found in reasonable time, each once."""
    count = 5000
    project("many", [{"path": "a.yaml", "set": {"s%d.port" % i: "web" for i in range(count)}}])
    write("a.yaml", "".join("s%d:\n  port: 1\n" % i for i in range(count)))
    status, _, err = sync("--apply")
    check(status == 0 and "changed %d ports" % count in err, "5,000 places: %s" % err[:200])
    check(read("a.yaml").decode() == "".join("s%d:\n  port: 3000\n" % i for i in range(count)),
          "5,000 places: all right")


# ---- use ----

def usage():
    project("usage", [])
    check(sync("--check", "--apply")[0] == 2 and sync("--dry-run", "--check")[0] == 2, "one mode only")
    check(sync("x")[0] == 2 and sync("--aply")[0] == 2, "no operands, no unknown options")
    status, out, err = sync()
    check(status == 0 and out == b"" and "names no files" in err, "no files: %s" % err)
    status, _, err = sync("--profile", "x")
    check(status == 2 and "no profile `x`" in err, "an unknown profile")
    write("ports.manifest.json", "{")
    check(sync()[0] == 3, "a wrong manifest")
    os.chdir("..")
    os.mkdir("nothing")
    status, _, err = sync(cwd="nothing")
    check(status == 3 and "there is no ports.manifest.json" in err, "no manifest: %s" % err)
    status, out, _ = sync("--help")
    check(status == 0 and out.startswith(b"Examples:"), "--help")
    os.chdir("lumiere")
    status, out, _ = command("sh", "-c", "%s sync --profile test | patch -p1 --dry-run" % PORTSHIM)
    check(status == 0 and "checking file" in out, "the help's example with patch: %s" % out)
    check(sync("--quiet")[2] == "", "--quiet")
    os.chdir("..")
    with open("/dev/full", "wb") as full:
        result = subprocess.run([PORTSHIM, "sync"], cwd="lumiere", stdout=full, stderr=subprocess.PIPE, check=False)
    check(result.returncode == 3, "a full disk behind the diff")


run_parts(lumiere, formats, faults, files, read_only, profiles, at_once, many, usage)
