#!/usr/bin/python3
"""Commands that write files, killed before each of their system calls: whatever is there then is whole, and the next
command makes all of it right, without leftovers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/fault/kill.py
"""
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import BUILD, PORTSHIM, check, command, free_row, read, run, run_parts, write

INJECT = os.path.join(BUILD, "tests", "fault", "inject")


def killed(n, *words):
    """`portshim WORDS...`, killed before its Nth system call. True if it was: it may have fewer."""
    status, _, err = command(INJECT, "-k", "-n", str(n), "-a", PORTSHIM, "--", PORTSHIM, *words)
    if status not in (0, 137):
        check(False, "%s, killed before call %d: exit status %d, %s" % (words, n, status, err))
    return status == 137


def tree(top="."):
    found = {}
    for folder, _, names in os.walk(top):
        for name in names:
            found[os.path.relpath(os.path.join(folder, name), top)] = read(os.path.join(folder, name))
    return found


# ---- commands that change files of the project ----

SYNCED = {name: "# ours\nport: %d # the web\n" for name in ("a.yaml", "config/b.yaml", "config/c.yaml")}
FIXED = {name: "// ours\nserver.listen(%s);\n" for name in ("a.js", "src/b.js", "src/c.js")}


def make(files, value, more):
    """The project, with the working directory in it; what is there."""
    shutil.rmtree("shop", ignore_errors=True)
    for name, text in files.items():
        write(os.path.join("shop", name), text % value)
    write("shop/ports.manifest.json", dict({"version": 1}, **more))
    os.chdir("shop")
    return tree()


def edits(name, files, before, after, manifest):
    """Killed before each call. The next one, in any mode, finds all old or all new, and says what it did; what somebody
    has edited since stays."""
    top = os.getcwd()
    new = make(files, after, manifest)
    second = sorted(files)[1]
    n, undone, ended, kept = 1, 0, 0, 0
    while True:
        os.chdir(top)
        old = make(files, before, manifest)
        if not killed(n, name, "--apply", "--quiet"):
            break
        what = "%s, killed before call %d" % (name, n)
        mixed = {read(path) for path in files}
        edited = n % 4 == 3
        if edited:
            write(second, "mine\n")
        mode = "--dry-run" if edited else ("--dry-run", "--check", "--json", "--apply")[n % 4]
        status, _, err = run(name, mode)
        now = tree()
        if edited:
            kept += 1
            check(now.pop(second) == b"mine\n" and
                  now in [{k: v for k, v in files.items() if k != second} for files in (old, new)],
                  "%s, edited since: %s %s" % (what, now, err))
        else:
            check(status in (0, 1) and now in ((new,) if mode == "--apply" else (old, new)),
                  "%s, then %s: %s %s %s" % (what, mode, status, now, err))
        if len(mixed) == 2:
            check("has been undone" in err, "%s: it says so: %s" % (what, err))
        undone += "has been undone" in err
        ended += "is complete now" in err
        n += 1
    check(tree() == new, "%s, not killed: %s" % (name, tree()))
    check(n > 100 and undone > 10 and ended > 3 and kept > 20,
          "%s: %d calls, %d undone, %d ended, %d edited" % (name, n, undone, ended, kept))


def check_sync():
    edits("sync", SYNCED, 1, 3000, {"services": {"web": {"port": 3000}},
                                    "files": [{"path": path, "set": {"port": "web"}} for path in SYNCED]})


def check_fix():
    edits("fix", FIXED, "3000", "Number(process.env.PORT || 3000)",
          {"services": {"web": {"port": 3000, "env": ["PORT"]}}})


# ---- init ----

def check_init():
    """A manifest is there as a whole, or not at all; with --force, the one that was there."""
    for words, old in ((("init", "-q"), None), (("init", "-q", "--force"), b'{ "version": 1 }\n')):
        n, whole = 1, set()
        while True:
            shutil.rmtree("init", ignore_errors=True)
            write("init/package.json", {"scripts": {"dev": "vite"}})
            write("init/compose.yaml", "services: {db: {ports: ['5432:5432']}}\n")
            if old:
                write("init/ports.manifest.json", old)
            more = killed(n, *words, "init")
            found = tree("init")
            whole.add(found.pop("ports.manifest.json", None))
            # With --force it has a name beside its place, which is then given to it.
            left = [name for name in found if name not in ("package.json", "compose.yaml")]
            check(not left or (old and len(left) == 1 and left[0].startswith(".ports.manifest.json.")),
                  "%s, killed before call %d: %s" % (words, n, left))
            if not more:
                break
            n += 1
        check(n > 50 and len(whole) == 2 and old in whole, "%s: %d calls, %s" % (words, n, whole))
        check(run("validate", "init/ports.manifest.json")[0] == 0, "%s: the new one is right" % (words,))


# ---- what is kept of projects ----

def state():
    """The links: their names, and where they lead."""
    top = os.path.join(os.environ["PORTSHIM_RUNTIME_DIR"], "state")
    return {os.path.relpath(os.path.join(folder, name), top): os.readlink(os.path.join(folder, name))
            for folder, folders, names in os.walk(top) for name in (*names, *folders)
            if os.path.islink(os.path.join(folder, name)) or name in names}


def fresh():
    shutil.rmtree(os.path.join(os.environ["PORTSHIM_RUNTIME_DIR"], "state"), ignore_errors=True)
    shutil.rmtree("known", ignore_errors=True)
    for name in ("auth", "shop"):
        write("known/%s/ports.manifest.json" % name,
              {"version": 1, "project": name, "services": {"web": {"port": 4000 if name == "auth" else 4001}},
               "allocate": {"web": {"base": FIRST}}})


FIRST = free_row(4)


def check_next():
    """A number is handed out once, or not at all; the next one who asks gets one."""
    n, taken = 1, set()
    while True:
        fresh()
        os.chdir("known/shop")
        more = killed(n, "next", "-q", "web")
        found = state()
        os.chdir("../..")
        numbers = [name for name in found if name.startswith("numbers/")]
        taken.add(len(numbers))
        check(set(name.split("/")[0] for name in found) <= {"numbers", "projects"} and
              numbers in ([], ["numbers/%d" % FIRST]), "next, killed before call %d: %s" % (n, found))
        listed = json.loads(run("next", "--list", "--json")[1])["numbers"]
        check([(x["port"], x["rule"]) for x in listed] == [(FIRST, "web")] * len(numbers),
              "next, killed before call %d: --list: %s" % (n, listed))
        check(run("next", "-q", "web", cwd="known/shop")[1] == "%d\n" % (FIRST + len(numbers)),
              "next, killed before call %d: and again" % n)
        if not more:
            break
        n += 1
    check(n > 50 and taken == {0, 1}, "next: %d calls, %s" % (n, taken))


def check_map():
    """A project is known, or not; the next map has all."""
    n, known = 1, set()
    while True:
        fresh()
        more = killed(n, "map", "--dir", "known")
        found = state()
        known.add(len(found))
        check(all(name.startswith("projects/") and os.path.isfile(to) for name, to in found.items()),
              "map, killed before call %d: %s" % (n, found))
        projects = [p["name"] for p in json.loads(run("map", "--dir", "known", "--json")[1])["projects"]]
        check(sorted(projects) == ["auth", "shop"] and len(state()) == 2,
              "map, killed before call %d, then: %s" % (n, projects))
        if not more:
            break
        n += 1
    check(n > 50 and known == {0, 1, 2}, "map: %d calls, %s" % (n, known))
    # A project that is gone is forgotten, and only that one.
    n = 1
    while True:
        fresh()
        run("map", "--dir", "known")
        shutil.rmtree("known/auth")
        more = killed(n, "map")
        left = [to for to in state().values() if os.path.exists(to)]
        check(left == [os.path.abspath("known/shop/ports.manifest.json")],
              "map of one that is gone, killed before call %d: %s" % (n, state()))
        if not more:
            break
        n += 1


run_parts(check_sync, check_fix, check_init, check_next, check_map)
