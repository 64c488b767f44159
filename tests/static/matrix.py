#!/usr/bin/python3
"""What a program sees must be the same, whether it runs bare on free ports or under portshim on held ones: matrix.h
says how. Built by each C library there is, statically, so that all its calls are notified; and dynamically, so that
all pass the filter. As root and as an ordinary user, where this is root.

By hand: BUILD=build build/tests/own_network /usr/bin/python3 tests/static/matrix.py [BUILD-OF-IT [CASE...]]
"""
import difflib
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
from harness import BUILD, check, command, run_parts, runtime_directory, write  # noqa: E402
from static import KINDS, build  # noqa: E402

USER = 65534
wanted = sys.argv[1:]


def make():
    """The builds that can be made, in bin/, with what they are run by, where every user can read them."""
    os.makedirs("bin", exist_ok=True)
    for name in ("portshim", "libportshim.so", "tests/shim/with_ports"):
        shutil.copy(os.path.join(BUILD, name), "bin")
    sources = ["static/" + name for name in sorted(os.listdir(HERE))
               if name.startswith(("matrix", "cases")) and name.endswith(".c")]
    made = [kind for kind in KINDS if (not wanted or kind in (wanted[0], "dynamic")) and
            build(kind, "bin/" + kind, *sources)]
    command("chmod", "-R", "a+rX", ".")
    return made


def transcript(words, user, **variables):
    """The lines of each case, in order; the notes; what became of the program."""
    more = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    try:
        result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                timeout=240, check=False, env=dict(os.environ, **variables), **more)
        status, out, err = result.returncode, result.stdout, result.stderr
    except subprocess.TimeoutExpired as late:
        status, out, err = 124, late.stdout or b"", late.stderr or b""
    cases, notes = {}, {}
    for line in out.decode().splitlines():
        name, _, text = line.partition(": ")
        if name.startswith("note "):
            notes[name[5:]] = text
        else:
            cases.setdefault(name, []).append(text)
    return cases, notes, status, err.decode()


def compare(name, user):
    who = "%s, %s" % (name, "ordinary user" if user else "root" if os.getuid() == 0 else "user")
    top = os.getcwd()
    program = os.path.join(top, "bin", name)
    runtime = runtime_directory()
    if user:
        os.chown(runtime, user, user)
    other = os.path.join(top, "bin", "glibc" if name == "dynamic" else "dynamic")
    variables = {"PORTSHIM_RUNTIME_DIR": runtime, "HOME": runtime, "MATRIX_OTHER": other}
    ports = [os.path.join(top, "bin", "with_ports")]
    moved = [os.path.join(top, "bin", "portshim"), "run", "--quiet", "--static=on", "--"]
    bare = transcript([*ports, "60", "4", "--", program, *wanted[1:]], user, **variables)
    check(bare[2] == 0 and len(bare[0]) > 30 or wanted[1:], "%s: bare: %s, %d cases, %s" % (who, bare[2], len(bare[0]),
                                                                                         bare[3]))
    there = transcript([*ports, "--guard", "60", "4", "--", *moved, program, *wanted[1:]], user, **variables)
    check(there[2] == 0,
          "%s: under portshim: status %s (98: it has reached somebody else), %s" % (who, there[2], there[3]))
    for case, lines in bare[0].items():
        mine = there[0].get(case, [])
        shown = "\n\t".join(difflib.unified_diff(lines, mine, "bare", "portshim", lineterm="", n=1))
        check(lines == mine, "%s: %s\n\t%s" % (who, case, shown))
    check(not set(there[0]) - set(bare[0]), "%s: cases %s" % (who, set(there[0]) - set(bare[0])))
    for case, text in bare[1].items():
        again = lambda case=case: transcript([*ports, "60", "4", "--", *moved, program, case],
                                             user, **variables)[1].get(case, "")
        interrupted(who, case, text, there[1].get(case, ""), again)
    shutil.rmtree(runtime, ignore_errors=True)


def interrupted(who, case, bare, there, again):
    """EINTR where there is none natively: only within the microseconds before a call is received (tests/platform/
    notify_interrupts.c). Those that came while the worker waited for a processor do not count; nor does the kernel tell
    of all of these, so a busy machine gets more tries."""
    few = lambda said: len(said) == 6 and (said[2] - said[5]) * 3 <= said[4]
    for _ in range(5):
        native, mine = [[int(n) for n in re.findall("[0-9]+", text)] for text in (bare, there)]
        print("%s: %s: bare %s; under portshim %s" % (who, case, bare, there), flush=True)
        if len(mine) != 6 or few(mine):
            break
        there = again()
    check(native[2] == 0 and few(mine),
          "%s: %s: too many are interrupted: %s" % (who, case, there))


def check_matrix():
    write("ports.manifest.json", {"version": 1, "services": {}, "defaults": {"report": "requested"}})
    for name in make():
        if not wanted or wanted[0] == name:
            compare(name, None)
            if os.getuid() == 0:
                compare(name, USER)


os.umask(0o022)
run_parts(check_matrix, before=lambda: os.chmod(".", 0o755), seconds=550)
