"""Two versions of portshim meet in one registry.

The other version is built from this source with another number of the registry's format (PS_ABI). Whoever comes second
to a registry refuses it, whole: it makes nothing in it, says both versions and what to do, and its programs run as
without portshim. Whoever was first goes on as if nothing had happened.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "shim"))
import active  # noqa: E402
from active import BUILD, LIMIT, STEPS, port, same  # noqa: E402

OTHER = os.path.join(BUILD, "tests/fault/other")


def with_format(build):
    """A build's directory and the number of its format."""
    said = subprocess.run([os.path.join(build, "portshim"), "version", "--json"], stdout=subprocess.PIPE, check=True)
    return build, json.loads(said.stdout)["abi"]


OURS, THEIRS = with_format(BUILD), with_format(OTHER)


def execute(place, command, **variables):
    child = subprocess.run([str(word) for word in command], cwd=place.project, env=place.environment(**variables),
                           capture_output=True, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL)
    return child.returncode, child.stdout.decode(), child.stderr.decode()


def program(of):
    return os.path.join(of[0], "portshim")


def library(of):
    return os.path.join(of[0], "libportshim.so")


def server(place, of, number, token):
    """A server under one of the two: (process, port of the kernel)."""
    child = subprocess.Popen([program(of), "run", "--quiet", "--", STEPS, "tcp4", "reuseaddr", "bind", "127.0.0.1",
                              str(number), "listen", "kernel", "serve", token], cwd=place.project,
                             env=place.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    place.started.append(child)
    while True:
        text = active.line(child.stdout)
        assert text, child.stderr.read()
        if text.startswith("kernel "):
            kernel = int(text[7:])
        if text.startswith("serve"):
            return child, kernel


def run_of(child):
    """PORTSHIM_RUN of the program under a keeper."""
    for pid in active.harness.descendants(child.pid)[1:]:
        with open("/proc/%d/environ" % pid, "rb") as file:
            for item in file.read().split(b"\0"):
                if item.startswith(b"PORTSHIM_RUN="):
                    return item.split(b"=", 1)[1].decode()
    raise AssertionError("nobody has PORTSHIM_RUN")


def inventory(place):
    return sorted(name for name in os.listdir(place.runtime) if not name.startswith("run-"))


def says_both(text, first, second, one=True):
    lines = [line for line in text.splitlines() if line.startswith("portshim:")]
    if one:
        same(len(lines), 1, text)
    assert "another version of portshim" in text and "format %d; this is " % first[1] in text and \
        " with format %d" % second[1] in text, text
    assert "end what runs under it and remove " in text, text


def as_bare(place, number, result, first, second):
    """The program of the second ran as without portshim: it met who holds the port, and its client reached it."""
    code, out, err = result
    same(code, 0, err)
    same(out.splitlines(), ["bind EADDRINUSE", "connect ok", "read first"], err)
    says_both(err, first, second)


def steps(number):
    return [STEPS, "tcp4", "bind", "127.0.0.1", str(number), "tcp4", "connect", "127.0.0.1", str(number), "read"]


def meet(place, first, second):
    """One has a server; then comes the other."""
    number = port()
    child, kernel = server(place, first, number, "first")
    same(kernel, number)
    before = inventory(place)
    for command in ("run", "exec"):
        as_bare(place, number, execute(place, [program(second), command, "--", *steps(number)]), first, second)
        # Also where its own environment would be a new one.
        as_bare(place, number, execute(place, [program(second), command, "--env", "new", "--", *steps(number)]), first,
                second)
        code, out, err = execute(place, [program(second), command, "--strict", "--", "/bin/echo", "never"])
        same((code, out), (125, ""))
        says_both(err, first, second)
    as_bare(place, number, execute(place, steps(number), LD_PRELOAD=library(second)), first, second)
    for command in (["status"], ["status", "--all", "--json"], ["port", number], ["url", number], ["why", number],
                    ["wait", number, "--timeout", "1s"]):
        code, out, err = execute(place, [program(second), *command])
        same((code, out), (3, ""), " ".join(map(str, command)))
        says_both(err, first, second)
    says_both(execute(place, [program(second), "doctor"])[1], first, second, one=False)
    same(inventory(place), before, "the second made nothing")

    # A process of the first's run that gets the second's library: as after an upgrade under a run that goes on.
    as_bare(place, number, execute(place, steps(number), LD_PRELOAD=library(second), PORTSHIM_RUN=run_of(child)), first,
            second)
    # Both libraries in one process: the first is in front, and works.
    code, out, err = execute(place, [program(first), "run", "--quiet", "--", "/bin/sh", "-c",
                                     'LD_PRELOAD="$0" exec "$@"', library(second), STEPS, "tcp4", "bind", "127.0.0.1",
                                     number, "listen", "name"])
    same((code, out.splitlines()[:2]), (0, ["bind ok", "listen ok"]), err)
    says_both(err, first, second)
    # A launch inside the other's run. The program stays where it is, in the other's.
    code, out, err = execute(place, [program(first), "run", "--quiet", "--", program(second), "run", "--",
                                     STEPS, "tcp4", "reuseaddr", "bind", "127.0.0.1", number, "listen", "tcp4",
                                     "connect", "127.0.0.1", number])
    same(code, 0, err)
    same([word in out for word in ("bind ok", "listen ok", "connect ok")], [True] * 3, out)
    says_both(err, first, second)

    # The first never noticed.
    code, out, err = execute(place, [program(first), "port", number])
    same((code, out, err), (0, "%d\n" % number, ""))
    code, out, err = execute(place, [program(first), "exec", "--", STEPS, "tcp4", "connect", "127.0.0.1", number,
                                     "read"])
    same((out.splitlines()[-1], err), ("read first", ""))
    same(child.poll(), None)
    child.stdin.close()
    same(child.wait(LIMIT), 0)


def test_newer_meets(place):
    """A newer version comes to an older one's registry"""
    meet(place, OURS, THEIRS)


def test_older_meets(place):
    """An older version comes to a newer one's registry"""
    meet(place, THEIRS, OURS)


def test_remedy(place):
    """What the message advises works: with the directory removed, the other version begins anew"""
    number = port()
    child, _ = server(place, OURS, number, "first")
    child.stdin.close()
    child.wait(LIMIT)
    for name in os.listdir(place.runtime):
        os.unlink(os.path.join(place.runtime, name))
    os.rmdir(place.runtime)
    code, out, err = execute(place, [program(THEIRS), "exec", "--", STEPS, "tcp4", "bind", "127.0.0.1", number])
    same((code, out.splitlines()[-1], err), (0, "bind ok", ""))


if __name__ == "__main__":
    active.main(globals())
