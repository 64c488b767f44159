"""Programs that begin others in every way, lose their descriptors, or leave."""
import os
import subprocess

from company import LIMIT, OFF, PORTSHIM, alike, bare, call, free, has_second_path, held, main, program, same, under
from harness import line

PROCESS = program("process")


def case(name, jobs=1):
    def test(place):
        alike(place, PROCESS, name, "PORT", out="job ok\n" * jobs)
    return test


for _name, _jobs, _text in [
        ("job", 1, "A program that does its job"),
        ("close-everything", 3, "Every descriptor closed, by close_range, one by one, and by number"),
        ("spawn-actions", 1, "posix_spawn with file actions, attributes and an environment of its own"),
        ("spawn-own", 1, "posix_spawn with an environment of its own"),
        ("spawn-search", 1, "posix_spawnp with a search of PATH and an environment of its own"),
        ("vfork-exec", 1, "vfork and exec with an environment of its own"),
        ("vfork-failing", 1, "vfork and an exec that fails"),
        ("clone-vfork-exec", 1, "clone with CLONE_VM and CLONE_VFORK, then exec"),
        ("clone-shared", 2, "clone of a child that shares memory and descriptors, and does the job"),
        ("clone-quiet", 1, "clone of a child that ends without a signal"),
        ("clone-raw", 2, "clone by number"),
        ("clone-three", 2, "clone3 by number"),
        ("fexecve", 1, "fexecve with an environment of its own"),
        ("execveat", 1, "execveat with an environment of its own"),
        ("syscall-execve", 1, "execve by number"),
        ("execle", 1, "execle with an environment of its own"),
        ("execlp", 1, "execlp"),
        ("execvpe", 1, "execvpe with an environment of its own"),
        ("system", 1, "system"),
        ("popen", 1, "popen"),
]:
    _test = case(_name, _jobs)
    _test.__doc__ = _text
    globals()["test_" + _name.replace("-", "_")] = _test


def test_spawn_missing(place):
    """posix_spawn of what is not there fails as ever"""
    alike(place, PROCESS, "spawn-missing", "PORT", out="spawn ENOENT\nspawnp ENOENT\njob ok\n")


def test_system_cleared(place):
    """clearenv and system, which libc does inside: the shell has no library, only the second path (limits.md)"""
    same(bare(place, PROCESS, "system-cleared", free()).out, "job ok\n")
    done = under(place, PROCESS, "system-cleared", held(), options=OFF)
    same((done.status, done.out, done.moves), (0, "job udp bind\njob EADDRINUSE\n", {}))
    if has_second_path(place):
        alike(place, PROCESS, "system-cleared", "PORT", out="job ok\n")


def test_closed_streams(place):
    """Each of 0, 1 and 2 closed at the start, in all ways: the program's own sockets get the numbers"""
    told = os.path.join(place.top, "told")
    for closed in range(8):
        shut = " ".join("%d>&-" % fd for fd in range(3) if closed >> fd & 1)
        script = 'exec "$0" "$@" ' + shut
        for where, run in (free(), bare), (held(), under):
            done = run(place, "sh", "-c", script, PROCESS, "in-file", where, told)
            same((done.status, done.out, done.err), (0, "", ""), "closed: " + shut)
            with open(told, encoding="ascii") as file:
                same(file.read(), "job ok\njob ok\n", "closed: " + shut)
        # and portshim itself started like this
        done = call(place, ["sh", "-c", 'exec "$0" run --quiet -- "$@" ' + shut, PORTSHIM, PROCESS, "in-file", held(),
                            told])
        same((done.status, done.out, done.err), (0, "", ""), "portshim's own closed: " + shut)
        with open(told, encoding="ascii") as file:
            same(file.read(), "job ok\njob ok\n", "portshim's own closed: " + shut)


def test_daemon(place):
    """A program that daemonizes twice is served by, and serves, its environment after the run's end"""
    pipe = os.path.join(place.top, "pipe")
    os.mkfifo(pipe)
    for port, prefix in (free(), []), (held(), [PORTSHIM, "run", "--quiet", "--"]):
        with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
            place.started.append(reader)
            done = call(place, [*prefix, PROCESS, "daemon", port, pipe])
            same((done.status, done.out), (0, ""), repr(done))
            same(line(reader.stdout), "job ok\n")
            same(line(reader.stdout), "up yes\n")
            reader.wait(LIMIT)
        done = call(place, [*prefix, PROCESS, "ask", port])
        same((done.status, done.out), (0, "got daemon\n"), repr(done))


main(globals())
