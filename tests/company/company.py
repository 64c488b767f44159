"""What these tests share: a program is run bare, on a port that is free, and under portshim, on one that another
process holds, and must not be able to tell the difference.

Counting, limits and directories are those of tests/lib/harness.py. The whole test runs under with_ports, which holds the
ports, for TCP and UDP, and never accepts: a job (job.h) that is done has been moved, and so has its client.
"""
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
import harness  # noqa: E402
from harness import BUILD, LIMIT, PORTSHIM, Skip, same  # noqa: E402,F401

HELD, FREE = 20, 8
SHIM = os.path.join(BUILD, "libportshim.so")
NOTICE = re.compile(r"portshim: (?:[^ ]+ )?(\d+) -> (\d+) \(.*\)")
NOBODY = 65534


def program(name):
    return os.path.join(BUILD, "tests/company", name)


def held(index=0):
    """A port that an outsider holds. A case that needs several in a row counts from this one."""
    return int(os.environ["PORTS_FIRST"]) + index


def free(index=0):
    """One that nobody holds."""
    return int(os.environ["PORTS_CLOSED"]) + index


class Done:
    """What a program left: status, out, err without portshim's notices of moves, and those."""

    def __init__(self, status, out, err):
        self.status, self.out = status, out
        self.moves = {int(m.group(1)): int(m.group(2)) for m in NOTICE.finditer(err)}
        self.err = NOTICE.sub("", err).replace("\n\n", "\n").strip("\n")

    def __repr__(self):
        return "status %d, out %r, err %r, moves %r" % (self.status, self.out, self.err, self.moves)


def call(place, command, env=None, limit=LIMIT, **more):
    """Runs a command to its end, with bounds."""
    more.setdefault("stdin", subprocess.DEVNULL)
    child = subprocess.Popen([str(word) for word in command], cwd=more.pop("cwd", place.project),
                             env=place.environment(**(env or {})), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True, **more)
    place.started.append(child)
    try:
        out, err = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)  # the session that it leads is ours
        out, err = child.communicate()
        raise AssertionError("%s did not end: out %r, err %r" % (command, out, err)) from None
    return Done(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


def bare(place, *command, **more):
    return call(place, command, **more)


def under(place, *command, options=(), **more):
    """The same under `portshim run`."""
    return call(place, [PORTSHIM, "run", *options, "--", *command], **more)


OFF = ("--static=off",)


def has_second_path(place):
    """Can programs be reached here that the library does not get into?"""
    return call(place, [PORTSHIM, "run", "--static=on", "--", "true"]).status == 0


def alike(place, *command, ports=1, status=0, out=None, **more):
    """Runs a command, in which "PORT" stands for the first of some port numbers, both ways. The two must not differ,
    and each of the ports must have been moved."""
    plain = bare(place, *[str(free()) if word == "PORT" else word for word in command], **more)
    if status is not None:
        same(plain.status, status, "bare: %r" % plain)
    if out is not None:
        same(plain.out, out, "bare: %r" % plain)
    moved = under(place, *[str(held()) if word == "PORT" else word for word in command], **more)
    same((moved.status, moved.out, moved.err), (plain.status, plain.out, plain.err), "under portshim: %r" % moved)
    same(sorted(moved.moves), [held(i) for i in range(ports)], "moves")
    return moved


def preload(*libraries):
    return {"LD_PRELOAD": ":".join(libraries)}


def find_library(*names):
    """The path of one of Debian's libraries by its file name."""
    for name in names:
        for directory in "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib":
            for at in directory, os.path.join(directory, "faketime"):
                path = os.path.join(at, name)
                if os.path.exists(path):
                    return path
    raise Skip("%s is not installed" % names[0])


def find_program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Skip("%s is not installed" % name)
    return path


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def main(tests):
    """Runs the tests, under with_ports."""
    if "PORTS_CLOSED" not in os.environ:
        holder = os.path.join(BUILD, "tests/shim/with_ports")
        os.execv(holder, [holder, "--hold", str(HELD), str(FREE), "--", sys.executable] + sys.argv)
    harness.main(tests)
