"""Threads that are cancelled, fork, exec and end inside the hooked calls; what they need of the stack."""
import json
import os

from company import alike, bare, free, held, main, program, same, under

THREADS = program("threads")
# Under a filter that the library's own calls are to pass (tests/shim/marked.c): then they are system calls, not libc's.
MARKED = [program("../shim/marked"), "under", "errno", "right", THREADS]


def test_cancel(place):
    """Blocking calls are cancellation points, deferred and asynchronous; what is to be cleaned up is, as in C++"""
    alike(place, THREADS, "cancel", "PORT", ports=3)


def test_no_cancel(place):
    """bind, listen and the names are none, although more happens in them"""
    alike(place, THREADS, "no-cancel", "PORT", out="bind, listen, names: returned, done\n")


def test_marked_cancel(place):
    """Calls that carry the run's pass are cancellation points where libc's are, and only there"""
    alike(place, *MARKED, "cancel", "PORT", ports=3)
    alike(place, *MARKED, "no-cancel", "PORT", out="bind, listen, names: returned, done\n")


def test_marked_forks(place):
    """A process whose calls carry the pass forks while its threads bind, listen and connect"""
    alike(place, *MARKED, "forks", "PORT", ports=4, out="children that failed: 0\njob ok\n")


def test_cancel_storm(place):
    """Asynchronous cancellation anywhere in bind and listen leaves nothing locked, here and for others of the run"""
    alike(place, THREADS, "cancel-storm", "PORT", ports=4, out="job ok\n" * 4)


def test_forks(place):
    """A process forks while its threads bind, listen and connect; the children do so as well"""
    alike(place, THREADS, "forks", "PORT", ports=4, out="children that failed: 0\njob ok\n")


def test_execs(place):
    """exec while other threads are inside the calls: what they held does not stay held"""
    alike(place, THREADS, "execs", "PORT", ports=4, out="job ok\n")


def test_exits(place):
    """The main thread ends while others are inside the calls, and they go on"""
    alike(place, THREADS, "exits", "PORT", ports=4, out="last ok\n")


def test_small_stack(place):
    """A thread with the smallest stack that there is"""
    alike(place, THREADS, "small-stack", "PORT", out="small ok\njob ok\n")


# What the hooks may need of the stack more than libc does, in bytes: limits.md has these numbers.
DEPTH = {"socket": 256, "names": 512, "connect": 768, "foreign": 768, "exec": 5 * 1024}
DEPTH_ELSE = 7 * 1024


def test_deepest(place):
    """No call goes deeper into the stack than limits.md says, also with rules of a manifest"""
    now = {"LD_BIND_NOW": "1"}
    plain = dict(line.split() for line in bare(place, THREADS, "deepest", free(), env=now).out.splitlines())
    for services in None, {"web": {"port": held(), "discovery": ".web.json", "match": {"command": "threads"}},
                           "other": {"port": held(), "match": {"command": "nothing"}},
                           "dns": {"port": held(1), "protocol": "udp", "discovery": ".dns.json"}}:
        if services:
            with open(os.path.join(place.project, "ports.manifest.json"), "w", encoding="ascii") as file:
                json.dump({"version": 1, "services": services}, file)
            # the file of another server of the service: is it alive?
            with open(os.path.join(place.project, ".web.json"), "w", encoding="ascii") as file:
                json.dump({"port": held(2)}, file)
        done = under(place, THREADS, "deepest", held(), env=now)
        same((done.status, done.err), (0, ""), repr(done))
        for line in done.out.splitlines():
            name, depth = line.split()
            more = int(depth) - int(plain[name])
            assert more <= DEPTH.get(name, DEPTH_ELSE), "%s takes %d bytes more of the stack" % (name, more)


main(globals())
