"""What the active tests share: ports that nobody else uses, outsiders that hold them, and programs made of steps
(steps.c).

Counting, limits and directories are those of tests/lib/harness.py.
"""
import json
import os
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
import harness  # noqa: E402
from harness import BUILD, LIMIT, PORTSHIM, Skip, line, same, until  # noqa: E402,F401

STEPS = os.path.join(BUILD, "tests/shim/steps")
used = 0


def port():
    """A port that a program may ask for; another one each time."""
    global used
    if used >= int(os.environ["PORTS_COUNT"]):
        raise Skip("with_ports gives too few ports")
    used += 1
    return int(os.environ["PORTS_FIRST"]) + used - 1


def outsider(number, family=socket.AF_INET6, address="::", kind=socket.SOCK_STREAM, reuse=False):
    """An unmanaged holder of a port: listens (UDP: is bound) on it."""
    holder = socket.socket(family, kind)
    if family == socket.AF_INET6:
        holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address != "::")
    if reuse:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((address, number))
    if kind == socket.SOCK_STREAM:
        holder.listen(16)
    return holder


class Program:
    """A program of steps that runs; its lines are read as they come."""

    def __init__(self, place, steps, env="e", command="exec", options=(), cwd=None, variables=None, bare=False):
        words = [str(s) for s in steps]
        self.child = subprocess.Popen(
            ([] if bare else [PORTSHIM, command, *([] if env is None else ["--env", env]), *options,
                              "--"]) + [STEPS] + words,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd or place.project,
            env=place.environment(**(variables or {})))
        place.started.append(self.child)
        self.lines = []

    def get(self, word):
        """The rest of the next line that starts with this word."""
        while True:
            text = line(self.child.stdout)
            if not text:
                self.child.wait(LIMIT)
                raise AssertionError("no '%s'; lines: %r, stderr: %s, status %d" % (
                    word, self.lines, self.child.stderr.read().decode(), self.child.returncode))
            self.lines.append(text.rstrip("\n"))
            if text.split(None, 1)[:1] == [word]:
                return text[len(word):].strip()

    def go(self):
        """Lets it go on from `wait`, or ends `serve`."""
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()

    def end(self):
        """Waits for its end; all its lines."""
        out, err = self.child.communicate(timeout=LIMIT)
        self.lines += out.decode().splitlines()
        self.stderr = err.decode()
        return self.lines


def run(place, *steps, **more):
    """All lines of a program of steps."""
    return Program(place, steps, **more).end()


def server(place, number, token, address="127.0.0.1", family="tcp4", before=(), **more):
    """A server that answers every connection with its token: (program, port it reports, port of the kernel)."""
    program = Program(place, [family, "reuseaddr", *before, "bind", address, number, "listen", "name", "kernel",
                              "serve", token],
                      **more)
    same(program.get("bind"), "ok", "bind")
    same(program.get("listen"), "ok", "listen")
    shown, kernel = int(program.get("name")), int(program.get("kernel"))
    same(program.get("serve"), "ok")
    return program, shown, kernel


def ask(place, number, address="127.0.0.1", family="tcp4", **more):
    """What a client gets from this port: the token, or the errno of its connect."""
    lines = run(place, family, "connect", address, number, "read", **more)
    if "connect ok" not in lines:
        return next(text for text in lines if text.startswith("connect")).split()[1]
    return lines[-1][len("read "):]


def discovery(place, env="e"):
    """The environment's discovery file."""
    path = os.path.join(place.project, ".portshim", *(["env", env] if env else []), "ports.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def discovery_path(place, env="e"):
    return os.path.join(place.project, ".portshim", "env", env, "ports.json")


def main(tests, count=64):
    """Runs the tests, under with_ports."""
    if "PORTS_FIRST" not in os.environ:
        holder = os.path.join(BUILD, "tests/shim/with_ports")
        os.execv(holder, [holder, str(count), "0", "--", sys.executable] + sys.argv)
    harness.main(tests)
