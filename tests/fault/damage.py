"""A registry that is damaged, somebody else's, or not what it should be: refused with a reason that names the file and
says what to do, never followed, never a crash of the program.

For each file of the registry (host table, environment, run) and each kind of damage: what the library says and the
program gets, in a run and preloaded by hand, and what the commands say.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "shim"))
import active  # noqa: E402
from active import BUILD, LIMIT, PORTSHIM, Skip, STEPS, port, same  # noqa: E402

SHIM = os.path.join(BUILD, "libportshim.so")
FORMAT_AT = 4  # magic, then the format's number


# ---- damage: each returns what the reason must say, and None where the file is good as it is ----

def damage_truncate(size):
    def damage(path):
        os.truncate(path, size)
        return "damaged"
    return damage


def damage_cut_version(path):
    """Another version's file, with less in it than ours has."""
    change_format(path, +1)
    os.truncate(path, 64)
    return "another version of portshim"


def damage_zeros(path):
    size = os.path.getsize(path)
    os.truncate(path, 0)
    os.truncate(path, size)
    return "damaged"


def damage_header(path):
    with open(path, "r+b") as file:
        file.write(bytes(range(1, 256)) * 16)
    return "damaged"


def damage_names(path):
    """All of the header but what is compared: names without an end."""
    with open(path, "r+b") as file:
        file.seek(600)
        file.write(b"A" * 3000)
    return "damaged"


def damage_text(path):
    with open(path, "wb") as file:
        file.write(b"#!/bin/sh\necho hello\n" * 100000)
    return "damaged"


def change_format(path, by):
    with open(path, "r+b") as file:
        file.seek(FORMAT_AT)
        number = int.from_bytes(file.read(4), sys.byteorder)
        file.seek(FORMAT_AT)
        file.write((number + by).to_bytes(4, sys.byteorder))


def damage_newer(path):
    change_format(path, +1)
    return "another version of portshim"


def damage_older(path):
    change_format(path, -1)
    return "another version of portshim"


def damage_owner(path):
    if os.geteuid() != 0:
        raise Skip("only root can give a file away")
    os.chown(path, 1, -1)
    return "belongs to user 1"


def damage_mode(path):
    os.chmod(path, 0o660)
    return "others may use it (mode 0660)"


def moved_aside(path):
    os.rename(path, path + ".aside")
    return path + ".aside"


def damage_symlink(path):
    os.symlink(moved_aside(path), path)
    return "a symbolic link"


def damage_symlink_null(path):
    moved_aside(path)
    os.symlink("/dev/null", path)
    return "a symbolic link"


def damage_dangling(path):
    moved_aside(path)
    os.symlink("/no/such/file", path)
    return "a symbolic link"


def damage_directory(path):
    moved_aside(path)
    os.mkdir(path)
    return "a directory"


def damage_pipe(path):
    moved_aside(path)
    os.mkfifo(path, 0o600)
    return "a pipe"


def damage_socket(path):
    moved_aside(path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
    return "a socket"


def damage_hard_link(path):
    os.link(path, path + ".link")
    return None


DAMAGE = {
    "empty": damage_truncate(0), "one byte": damage_truncate(1), "half a page": damage_truncate(2048),
    "too few pages": damage_truncate(4 * 4096), "another version's, shorter": damage_cut_version, "zeros": damage_zeros,
    "a random header": damage_header, "names without an end": damage_names, "a text": damage_text,
    "a newer format": damage_newer, "an older format": damage_older, "another owner": damage_owner,
    "another mode": damage_mode, "a symbolic link to itself": damage_symlink,
    "a symbolic link to /dev/null": damage_symlink_null,
    "a symbolic link to nothing": damage_dangling, "a directory": damage_directory, "a pipe": damage_pipe,
    "a socket": damage_socket, "a second link": damage_hard_link,
}


# ---- what is tried ----

def steps(number):
    return [STEPS, "tcp4", "reuseaddr", "bind", "127.0.0.1", str(number), "listen", "tcp4", "connect", "127.0.0.1",
            str(number)]


BARE = ["reuseaddr ok", "bind ok", "listen ok", "connect ok"]


def execute(place, command, **variables):
    child = subprocess.run(command, cwd=place.project, env=place.environment(**variables), capture_output=True,
                           timeout=LIMIT, check=False, stdin=subprocess.DEVNULL)
    return child.returncode, child.stdout.decode(errors="replace"), child.stderr.decode(errors="replace")


def program_runs(what, result, reasons, path):
    """The program ran as without portshim, and one line names the file, why, and what to do."""
    code, out, err = result
    same(code, 0, what + ": status; " + err)
    same([line for line in out.splitlines() if not line.startswith("tcp4")], BARE, what)
    one_line(what, err, reasons, path)


def one_line(what, err, reasons, path):
    lines = [line for line in err.splitlines() if line.startswith("portshim:")]
    if reasons is None:
        same(lines, [], what)
        return
    same(len(lines), 1, "%s: one line, got %r" % (what, err))
    assert reasons in lines[0], "%s: %r does not say '%s'" % (what, lines[0], reasons)
    assert path in lines[0], "%s: %r does not name %s" % (what, lines[0], path)
    assert re.search(r"remove |chmod ", lines[0]), "%s: %r does not say what to do" % (what, lines[0])


class Registry:
    """A registry with an environment in which a server listens, and a run that is asleep in its program."""

    def __init__(self, place):
        self.place = place
        place.start("exec", "--", STEPS, "say", "ready", "wait", "tcp4", "bind", "127.0.0.1", str(port()), "listen",
                    stdin=subprocess.PIPE)
        self.sleeper = place.started[-1]
        same(active.line(self.sleeper.stdout), "ready\n")
        with open("/proc/%d/environ" % self.sleeper.pid, "rb") as file:
            variables = dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
        self.run = variables[b"PORTSHIM_RUN"].decode()
        self.preload = variables[b"LD_PRELOAD"].decode()
        environments = [name for name in os.listdir(place.runtime) if name.startswith("env-") and len(name) == 12]
        same(len(environments), 1)
        self.files = {"host": os.path.join(place.runtime, "host"), "env": os.path.join(place.runtime, environments[0]),
                      "run": self.run}

    def process(self, number, **more):
        """Another process of the run."""
        return execute(self.place, steps(number), PORTSHIM_RUN=self.run, LD_PRELOAD=self.preload, **more)

    def by_hand(self, number):
        return execute(self.place, steps(number), LD_PRELOAD=SHIM)


def try_damage(place, which, name):
    registry = Registry(place)
    path = registry.files[which]
    target = path + ".aside"
    before = place.runs()
    reasons = DAMAGE[name](path)
    number = port()

    program_runs("a process of the run", registry.process(number), reasons, path)
    if reasons is None:
        return
    code, out, err = registry.process(number, PORTSHIM_STRICT="1")
    same(code, 125, "strict: " + err)
    assert "because of --strict" in err and "bind" not in out, (out, err)
    # Children are told to be inert, so there is one line, not one for each of them.
    script = " ".join("'%s'" % word for word in steps(number)) + "; /bin/true"
    code, out, err = execute(place, ["/bin/sh", "-c", script], PORTSHIM_RUN=registry.run,
                             LD_PRELOAD=registry.preload)
    if which == "run":
        one_line("a process and its children", "\n".join(sorted(set(err.splitlines()))), reasons, path)

    if which != "run":
        for command in ("exec", "run"):
            program_runs(command, execute(place, [PORTSHIM, command, "--", *steps(number)]), reasons, path)
            code, out, err = execute(place, [PORTSHIM, command, "--strict", "--", *steps(number)])
            same((code, out), (125, ""), command + " --strict")
            assert reasons in err and path in err, err
        program_runs("preloaded by hand", registry.by_hand(number), reasons, path)
    if which == "host":
        for command in (["status"], ["status", "--all", "--json"], ["port", "3000"], ["url", "3000"], ["why", "3000"],
                        ["wait", "3000", "--timeout", "1s"]):
            code, out, err = execute(place, [PORTSHIM, *command])
            same((code, out), (3, ""), " ".join(command) + ": " + err)
            assert reasons in err and path in err and "hint: " in err, "%r: %r" % (command, err)
        code, out, err = execute(place, [PORTSHIM, "doctor"])
        assert reasons in out and path in out, out
    else:
        code, out, err = execute(place, [PORTSHIM, "status", "--all"])
        assert code in (0, 1), code
        one_line("status --all", err.replace("portshim: nothing is assigned in any environment", ""), reasons, path)
    if os.path.islink(path) and os.path.exists(target):
        same(os.path.getsize(target) > 0, True, "what the link leads to was left alone")
    # Nobody has put anything new beside it, and the one that sleeps goes on.
    same([run for run in place.runs() if run not in before and which == "host"], [], "new runs")
    active.until(lambda: active.harness.state(registry.sleeper.pid) == "S", "the sleeper to sleep")


def make_test(which, name):
    def test(place):
        try_damage(place, which, name)
    test.__doc__ = "%s: %s" % (which, name)
    return test


# ---- the runtime directory ----

def refused_directory(place, directory, reasons, **variables):
    number = port()
    variables.setdefault("PORTSHIM_RUNTIME_DIR", directory)
    code, out, err = execute(place, [PORTSHIM, "exec", "--", *steps(number)], **variables)
    same(code, 0, err)
    same([line for line in out.splitlines() if not line.startswith("tcp4")], BARE, err)
    for text in (err, execute(place, [PORTSHIM, "status"], **variables)[2],
                 execute(place, steps(number), LD_PRELOAD=SHIM, **variables)[2]):
        lines = [line for line in text.splitlines() if line.startswith("portshim:")]
        same(len(lines), 1, text)
        assert reasons in lines[0] and directory in lines[0], "'%s' wanted of %s: %r" % (reasons, directory, text)
        assert "PORTSHIM_RUNTIME_DIR" in text or "chmod" in text, text
    same(execute(place, [PORTSHIM, "exec", "--strict", "--", "/bin/echo"], **variables)[:2], (125, ""), "strict")


def test_relative(place):
    """The runtime directory: a relative path"""
    refused_directory(place, "run", "no absolute path")
    same(os.path.exists(os.path.join(place.project, "run")), False, "nothing was made")


def test_directory_link(place):
    """The runtime directory: a symbolic link"""
    link = os.path.join(place.top, "link")
    os.symlink(place.runtime, link)
    refused_directory(place, link, "a symbolic link")


def test_directory_file(place):
    """The runtime directory: a file"""
    path = os.path.join(place.top, "file")
    with open(path, "w", encoding="utf-8"):
        pass
    refused_directory(place, path, "it is a file")


def test_directory_mode(place):
    """The runtime directory: open to others"""
    os.chmod(place.runtime, 0o755)
    refused_directory(place, place.runtime, "others may use it (mode 0755)")


def test_directory_owner(place):
    """The runtime directory: another user's"""
    if os.geteuid() != 0:
        raise Skip("only root can give a directory away")
    os.chown(place.runtime, 1, -1)
    refused_directory(place, place.runtime, "belongs to user 1")
    os.chown(place.runtime, 0, -1)


def test_directory_missing(place):
    """The runtime directory: its parent is missing"""
    refused_directory(place, os.path.join(place.top, "no/such"), "it is not there")


# ---- under a program that runs ----

def serving(place, number):
    program, _, _ = active.server(place, number, "mine", env=None)
    return program


def test_deleted(place):
    """The whole registry is removed under a server: it goes on; what comes next begins a new one"""
    number = port()
    program = serving(place, number)
    for name in os.listdir(place.runtime):
        os.unlink(os.path.join(place.runtime, name))
    # Its own mapping outlives the file, and so does its port; a newcomer knows nothing of it and is moved.
    second, shown, kernel = active.server(place, number, "second", env=None)
    same(kernel != number, True, "moved away from a port that is held")
    with socket.create_connection(("127.0.0.1", number), LIMIT) as client:
        same(client.recv(16), b"mine")
    same(active.ask(place, number, env=None), "second", "a client of the new registry")
    for one in (program, second):
        one.go()
        one.end()


def test_truncated_under(place):
    """A run's file is cut off under a process that has it mapped: docs/limits.md says what happens"""
    number = port()
    program = active.Program(place, ["say", "ready", "wait", "tcp4", "bind", "127.0.0.1", number], env=None)
    same(active.line(program.child.stdout), "ready\n")
    for name in place.runs():
        os.truncate(os.path.join(place.runtime, name), 0)
    program.go()
    program.end()
    same(program.child.returncode, -signal.SIGBUS, "the kernel ends who reads beyond the end of a file")


def test_random(place):
    """Random bytes in all of the host table but its first page: what is not believed does no harm"""
    number = port()
    registry = Registry(place)
    with open(registry.files["host"], "r+b") as file:
        size = os.path.getsize(registry.files["host"])
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    for _ in range(3):
        code, out, err = registry.process(number)
        same(code, 0, err)
        same(out.count("ok") >= 3, True, out)
    code, out, err = execute(place, [PORTSHIM, "status", "--json"])
    assert code in (0, 1), (code, err)
    json.loads(out)


def again(test):
    """Every test may have the same ports: the one before it is over."""
    def from_the_first(place):
        active.used = 0
        test(place)
    from_the_first.__doc__ = test.__doc__
    return from_the_first


def main():
    tests = {"test_%s_%s" % (which, name.replace(" ", "_")): make_test(which, name)
             for which in ("host", "env", "run") for name in DAMAGE
             if not (which == "host" and name == "names without an end")}
    tests.update((name, value) for name, value in sorted(globals().items()) if name.startswith("test_"))
    active.main({name: again(test) for name, test in tests.items()})


if __name__ == "__main__":
    main()
