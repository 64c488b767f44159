"""A hundred static servers, in as many projects, bind one port number with SO_REUSEADDR, meet, and then listen (law 7):
each must be able to, and each one's client must reach it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import PORTSHIM, check, free_port, run_parts, skip, start  # noqa: E402
from static import build_any  # noqa: E402

COUNT = 100


def check_barrier():
    if not build_any("barrier", "notify/barrier.c"):
        skip("barrier", "no static program can be built")
        return
    with open("board", "wb") as board:
        board.truncate(4096)
    children = []
    port = str(free_port())
    for each in range(COUNT):
        directory = "project%d" % each
        os.makedirs(os.path.join(directory, ".git"))
        children.append(start(PORTSHIM, "run", "--quiet", "--static=on", "--", "../barrier", port, str(COUNT),
                              "../board", cwd=directory))
    for child in children:
        out, err = child.communicate(timeout=250)
        check(child.returncode == 0 and not out and not err, "%s: %s %s" % (child.returncode, out, err))


run_parts(check_barrier)
