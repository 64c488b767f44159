"""Real conditions instead of injected failures: disks that are full at every page, directories that cannot be written
or are missing, limits, closed descriptors, no /proc. The program gets what it gets bare or what is right, and
where it is not right, one line says so.
"""
import os
import resource
import shutil
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "shim"))
import active  # noqa: E402
from active import BUILD, LIMIT, PORTSHIM, Skip, STEPS, outsider, port, same  # noqa: E402

SHIM = os.path.join(BUILD, "libportshim.so")
RIGHT = ["bind ok", "listen ok", "connect ok", "peer P"]
BARE = ["bind EADDRINUSE", "connect ok", "peer P"]
held = {}


def holder():
    """A port that an outsider holds for all of a test."""
    number = port()
    held[number] = outsider(number, socket.AF_INET, "127.0.0.1")
    return number


def steps(number):
    return [STEPS, "tcp4", "bind", "127.0.0.1", str(number), "listen", "tcp4", "connect", "127.0.0.1", str(number),
            "peer"]


def came_to(number):
    """Who has answered the client: the outsider?"""
    held[number].setblocking(False)
    try:
        held[number].accept()[0].close()
        return True
    except BlockingIOError:
        return False


def execute(place, command, before=None, inside=None, **variables):
    """Runs it; `inside`: a shell command that goes before, in a mount namespace of its own."""
    if inside:
        words = ["unshare", "--mount", "/bin/sh", "-c", "set -e; %s; exec \"$@\"" % inside, "sh", *command]
        if os.geteuid() != 0:
            words[1:1] = ["--map-root-user"]
        command = words
    return subprocess.run(command, cwd=place.project, env=place.environment(**variables), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL,
                          preexec_fn=before)


def need_mounts():
    words = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run(words + ["mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode:
        raise Skip("no mount namespaces")


def judge(what, number, result, must=None):
    """True if it is right, False if it is as bare. `must`: which of them it has to be."""
    out = [line.replace(str(number), "P") for line in result.stdout.decode().splitlines()]
    err = result.stderr.decode()
    lines = [line for line in err.splitlines() if line.startswith("portshim:") and " -> " not in line]
    same(result.returncode, 0, what + ": " + err)
    theirs = came_to(number)
    right = out == RIGHT and not theirs
    bare = [line for line in out if not line.startswith("listen")] == BARE and theirs
    assert right or bare, "%s: %r, %s, %r" % (what, out, "reached the outsider" if theirs else "reached itself", err)
    assert len(lines) <= 1 and (right or len(lines) == 1), "%s: lines %r" % (what, err)
    if must is not None:
        same(right, must, what + ": right; " + err)
    return right, lines


WAYS = {"exec": [PORTSHIM, "exec", "--"], "run": [PORTSHIM, "run", "--"], "by hand": []}


def variables_of(way, **more):
    return dict(more, LD_PRELOAD=SHIM) if way == "by hand" else more


def test_full_registry(place):
    """The registry's file system is full after N pages, for N from 1 to 120"""
    need_mounts()
    number = holder()
    works = {}
    for way, command in WAYS.items():
        for pages in [*range(1, 60), *range(60, 120, 3)]:
            inside = "mount -t tmpfs -o size=%d,mode=700 none '%s'" % (pages * 4096, place.runtime)
            result = execute(place, [*command, *steps(number)], inside=inside, **variables_of(way))
            right, _ = judge("%s, %d pages" % (way, pages), number, result)
            works.setdefault(way, []).append(right)
            shutil.rmtree(os.path.join(place.project, ".portshim"), ignore_errors=True)
        same((works[way][0], works[way][-1]), (False, True), way + ": fails with one page, works with all")


def test_full_project(place):
    """The project's file system is full"""
    need_mounts()
    number = holder()
    for way, command in WAYS.items():
        for pages in range(1, 6):
            inside = "mount -t tmpfs -o size=%d none '%s'; cd '%s'; cat /dev/zero >fill 2>/dev/null || :" % (
                pages * 4096, place.project, place.project)
            _, lines = judge("%s, %d pages" % (way, pages), number,
                                 execute(place, [*command, *steps(number)], inside=inside, **variables_of(way)), True)
            same(len(lines), 1, way)
            assert "no space left" in lines[0].lower() and "ports.json" in lines[0], lines


def test_read_only_project(place):
    """The project's file system is read-only: the discovery file goes to the runtime directory, or is done without"""
    need_mounts()
    number = holder()
    for way, command in WAYS.items():
        inside = "mount -t tmpfs -o ro none '%s'; cd '%s'" % (place.project, place.project)
        for name in os.listdir(place.runtime):
            os.unlink(os.path.join(place.runtime, name))
        _, lines = judge(way, number, execute(place, [*command, *steps(number)], inside=inside, **variables_of(way)),
                         True)
        same(len(lines), 1, way)
        assert place.project in lines[0], lines


def test_no_shm(place):
    """/dev/shm cannot be written: XDG_RUNTIME_DIR or /tmp takes its place"""
    need_mounts()
    number = holder()
    inside = "mount -t tmpfs -o ro none /dev/shm"
    for way, command in WAYS.items():
        result = execute(place, [*command, *steps(number)], inside=inside,
                         **variables_of(way, PORTSHIM_RUNTIME_DIR=None, XDG_RUNTIME_DIR=place.top))
        judge(way, number, result, True)
    assert os.path.isdir(os.path.join(place.top, "portshim")), os.listdir(place.top)


def test_nowhere(place):
    """There is no runtime directory at all"""
    number = holder()
    for way, command in WAYS.items():
        for directory in ("/proc/nowhere", "/dev/null/nowhere"):
            result = execute(place, [*command, *steps(number)], **variables_of(way, PORTSHIM_RUNTIME_DIR=directory))
            judge(way, number, result, False)


def test_no_proc(place):
    """Without /proc"""
    need_mounts()
    number = holder()
    for way, command in WAYS.items():
        inside = "mount -t tmpfs none /proc"
        judge(way, number, execute(place, [*command, *steps(number)], inside=inside,
                                   **variables_of(way, PORTSHIM_LIBRARY=SHIM)), True)


def test_descriptors(place):
    """RLIMIT_NOFILE, from what the program needs for itself on"""
    number = holder()
    for way, command in WAYS.items():
        works = []
        for limit in range(4, 12):
            def lower(limit=limit):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            bare = execute(place, steps(number), before=lower)
            came_to(number)
            if bare.stdout.decode().splitlines()[-1:] != ["peer %d" % number]:
                continue
            right, _ = judge("%s, %d" % (way, limit), number,
                             execute(place, [*command, *steps(number)], before=lower, **variables_of(way)))
            works.append(right)
        same(works[-1], True, way)


def test_file_size(place):
    """RLIMIT_FSIZE"""
    number = holder()
    for way, command in WAYS.items():
        for limit in (0, 1, 1000, 4096, 100000, 1 << 20, 16 << 20):
            def lower(limit=limit):
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            judge("%s, %d bytes" % (way, limit), number,
                  execute(place, [*command, *steps(number)], before=lower, **variables_of(way)))
            shutil.rmtree(os.path.join(place.project, ".portshim"), ignore_errors=True)


def test_closed(place):
    """Standard descriptors are closed, in every combination"""
    number = holder()
    for way, command in WAYS.items():
        for closed in range(8):
            def close(closed=closed):
                for fd in range(3):
                    if closed >> fd & 1:
                        os.close(fd)
            result = execute(place, [*command, *steps(number)], before=close, **variables_of(way))
            same(result.returncode, 0, "%s, %d" % (way, closed))
            if not closed & 2:
                judge("%s, %d" % (way, closed), number, result, True)


def damaged(place):
    """A registry that makes the first call complain."""
    subprocess.run([PORTSHIM, "exec", "--", "/bin/true"], cwd=place.project, env=place.environment(), check=True)
    with open(os.path.join(place.runtime, "host"), "r+b") as file:
        file.write(b"\xff" * 8)


def test_stderr_is_a_socket(place):
    """What is said does not go into a connection that is the program's descriptor 2, as under inetd"""
    damaged(place)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mine = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    result = subprocess.run([STEPS, "tcp4", "bind", "127.0.0.1", str(port())], cwd=place.project,
                            env=place.environment(LD_PRELOAD=SHIM), stdout=subprocess.PIPE, stderr=theirs,
                            timeout=LIMIT, check=False)
    same((result.returncode, result.stdout), (0, b"bind ok\n"))
    theirs.close()
    same(mine.recv(1000), b"", "in the connection")
    mine.close()


def test_stderr_is_broken(place):
    """What is said into a pipe that nobody reads ends nobody"""
    damaged(place)
    script = "import signal, socket\nsignal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
    script += "socket.socket().bind(('127.0.0.1', %d))\nprint('bound')\n" % port()
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run([sys.executable, "-c", script], cwd=place.project, env=place.environment(LD_PRELOAD=SHIM),
                            stdout=subprocess.PIPE, stderr=writing, timeout=LIMIT, check=False)
    os.close(writing)
    same((result.returncode, result.stdout), (0, b"bound\n"))


def test_stderr_is_full(place):
    """What is said into a pipe that is full holds nobody up"""
    damaged(place)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(writing, True)
    result = subprocess.run([STEPS, "tcp4", "bind", "127.0.0.1", str(port())], cwd=place.project,
                            env=place.environment(LD_PRELOAD=SHIM), stdout=subprocess.PIPE, stderr=writing,
                            timeout=LIMIT, check=False)
    same((result.returncode, result.stdout), (0, b"bind ok\n"))
    os.close(reading)
    os.close(writing)


def again(test):
    def from_the_first(place):
        active.used = 0
        try:
            test(place)
        finally:
            while held:
                held.popitem()[1].close()
    from_the_first.__doc__ = test.__doc__
    return from_the_first


if __name__ == "__main__":
    active.main({name: again(test) for name, test in sorted(globals().items()) if name.startswith("test_")})
