#!/usr/bin/python3
"""Commands that write files, killed before each of their system calls: whatever is there then is whole, and the next
command makes all of it right, without leftovers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/fault/kill.py
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import BUILD, PORTSHIM, check, command, read, run, run_parts, write

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


# ---- sync ----

SYNCED = ("a.yaml", "config/b.yaml", "config/c.yaml")


def make(ports):
    shutil.rmtree("shop", ignore_errors=True)
    for name in SYNCED:
        write(os.path.join("shop", name), "# ours\nport: %d # the web\n" % ports)
    write("shop/ports.manifest.json", {"version": 1, "services": {"web": {"port": 3000}},
                                       "files": [{"path": name, "set": {"port": "web"}} for name in SYNCED]})
    os.chdir("shop")
    return tree()


def check_sync():
    """The next sync, in any mode, finds all old or all new; it says what it did; and what is edited since stays."""
    top = os.getcwd()
    new = make(3000)
    n, undone, ended, kept = 1, 0, 0, 0
    while True:
        os.chdir(top)
        old = make(1)
        if not killed(n, "sync", "--apply", "--quiet"):
            break
        mixed = {read(name) for name in SYNCED}
        edited = n % 4 == 3
        if edited:
            write("config/b.yaml", "port: 1 # mine\n")
        mode = ("--dry-run", "--check", "--json", "--apply")[n % 4] if not edited else "--dry-run"
        status, _, err = run("sync", mode)
        now = tree()
        if edited:
            kept += 1
            good = now.pop("config/b.yaml") == b"port: 1 # mine\n"
            wanted = [{k: v for k, v in files.items() if k != "config/b.yaml"} for files in (old, new)]
            check(good and now in wanted, "sync, killed before call %d, edited since: %s %s" % (n, sorted(now), err))
        else:
            check(status in (0, 1) and now in ((new,) if mode == "--apply" else (old, new)),
                  "sync, killed before call %d, then sync %s: %s %s %s" % (n, mode, sorted(now), now, err))
        if len(mixed) == 2:
            check("has been undone" in err, "sync, killed before call %d: it says so: %s" % (n, err))
        undone += "has been undone" in err
        ended += "is complete now" in err
        n += 1
    check(tree() == new, "sync, not killed")
    check(n > 100 and undone > 10 and ended > 3 and kept > 20,
          "sync: %d calls, %d undone, %d ended, %d edited" % (n, undone, ended, kept))


run_parts(check_sync)
