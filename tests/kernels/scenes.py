"""What `portshim doctor` says of the second path, what `portshim run` says, and what happens, under settings of the
kernel that speak for or against it. Run by guest.sh in a machine of its own: it changes that machine's settings for good.

For each setting and each user: a static server on a number that somebody else holds, static clients that know only that
number, TCP and UDP; a daemon that binds when the run's command is over; a static client of a preloaded server. Where
the path is off they get what they would get bare, `run` says why in one line, and doctor has said the same.
"""
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (BUILD, LIMIT, LISTENER, PYTHON, check, command, free_port, line, run_parts,  # noqa: E402
                     runtime_directory, skip, start, stop)
from static import build_any  # noqa: E402

YAMA = "/proc/sys/kernel/yama/ptrace_scope"
SAID = "portshim: static and Go programs are not reached: "
TALK = os.path.join(BUILD, "talk-scenes")
NOBODY = 65534
# What becomes of the path: on, or a part of the reason why it is off.
ON = ""
RELEASE = tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])
OLD = "Linux 5.19 is needed, this is %s" % os.uname().release if RELEASE < (5, 19) else ON


class Who:
    """A user, with what takes rights from root, and a registry."""

    def __init__(self, name, uid=0, without=()):
        self.name, self.uid = name, uid
        self.before = ["setpriv", "--bounding-set", ",".join("-" + one for one in without)] if without else []
        self.runtime = runtime_directory()
        self.top = os.path.join(self.runtime, "home")
        for directory in (self.top, os.path.join(self.top, ".git")):
            os.mkdir(directory)
        for directory in (self.runtime, self.top):
            os.chown(directory, uid, uid)

    def _more(self):
        return {"cwd": self.top, "user": self.uid, "group": self.uid, "extra_groups": [],
                "env": dict(os.environ, HOME=self.top, PORTSHIM_RUNTIME_DIR=os.path.join(self.runtime, "registry"))}

    def ask(self, *words):
        done = subprocess.run([*self.before, os.path.join(BUILD, "portshim"), *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=120,
                              **self._more())
        return done.returncode, done.stdout, done.stderr

    def start(self, *words, **more):
        return start(*self.before, os.path.join(BUILD, "portshim"), *words, **self._more(), **more)


def holder(port):
    held = [socket.socket(socket.AF_INET6, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    for one in held:
        one.bind(("::", port))
    held[0].listen()
    return held


def predicted(who):
    """None if doctor says that it is on, else its reason."""
    found = json.loads(who.ask("doctor", "--json")[1])["checked"][0]["findings"]
    second = [one for one in found if one["name"] == "second-path"]
    assert len(second) == 1, found
    return ON if second[0]["verdict"] == "ok" else second[0]["text"].split("not reached: ", 1)[1]


def clients(who, what, port, identity):
    for kind, wanted in (("line", identity), ("udp", "%s 127.0.0.1 %d" % (identity, port))):
        said = who.ask("run", "--static=on", "--", TALK, kind, "127.0.0.1", str(port), "4")
        check(said[1].strip() == wanted, "%s: %s: %s" % (what, kind, said))


def ended(child):
    out, err = child.communicate(timeout=LIMIT)
    return child.returncode, out, err


def reached(who, what, port):
    server = who.start("run", "--static=on", "--", TALK, "serve", str(port), "me")
    said = line(server.stdout)
    moved = said.split()[-1:] not in ([], [str(port)])
    if check(said.startswith("listening on ") and moved, "%s: a static server is moved: %s" % (what, said)):
        clients(who, what, port, "me")
    stop(server)
    # The command is over before its daemon binds.
    script = 'setsid sh -c \'(read go; exec "$0" serve "$1" late) <&3 & exit\' "$0" "$1" 3<&0; exit 5'
    first = who.start("run", "--static=on", "--", "sh", "-c", script, TALK, str(port), stdin=subprocess.PIPE)
    if not check(first.wait(LIMIT) == 5, "%s: the command is over: %s" % (what, first.returncode)):
        print(ended(first), flush=True)
        return
    first.stdin.write("go\n")
    first.stdin.flush()
    said = line(first.stdout)
    moved = said.split()[-1:] not in ([], [str(port)])
    if check(said.startswith("listening on ") and moved, "%s: a daemon is moved: %s" % (what, said)):
        clients(who, what + ": the daemon's", port, "late")
    stop(first)
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        try:
            if os.readlink("/proc/%d/exe" % pid) == TALK:
                os.kill(pid, 9)
        except OSError:
            pass


def unreached(who, what, port, why):
    wanted = "%s%s (--static=off: as it is)\n" % (SAID, why)
    status, out, err = who.ask("run", "--", TALK, "serve", str(port), "me")
    check(status not in (0, 125) and not out, "%s: a static server gets what it would get bare: %s, %s" % (
        what, status, out))
    check(err.count(SAID) == 1 and err.startswith(wanted), "%s: run says why: %s" % (what, err))
    status, out, err = who.ask("run", "--static=on", "--", "true")
    check((status, out) == (125, "") and why in err, "%s: --static=on: %s" % (what, err))
    check(who.ask("run", "--static=off", "--", "true") == (0, "", ""), "%s: --static=off says nothing" % what)


def preloaded(who, what, port, on):
    server = who.start("run", "--", PYTHON, "-c", LISTENER, str(port), stdin=subprocess.PIPE)
    said = line(server.stdout).strip()
    check(said not in ("", str(port)), "%s: a preloaded server is moved: %s" % (what, said))
    if on:
        said = who.ask("run", "--", TALK, "line", "127.0.0.1", str(port))
        check("refused" not in said[2], "%s: a static client reaches it: %s" % (what, said))
    stop(server)


def scene(what, who, wanted):
    """wanted: ON, or a part of the reason."""
    what = "%s, %s" % (what, who.name)
    why = predicted(who)
    if not check((why == ON) == (wanted == ON) and wanted in why, "%s: doctor says: %s" % (what, why or "on")):
        return
    port = free_port()
    held = holder(port)
    if why == ON:
        reached(who, what, port)
    else:
        unreached(who, what, port, why)
    preloaded(who, what, port, why == ON)
    for one in held:
        one.close()
    print("%s: %s" % (what, why or "on"), flush=True)


def put(path, text):
    """False where the kernel has no such setting."""
    if not os.path.exists(path):
        skip(path, "this kernel has no such setting")
        return False
    with open(path, "w") as file:
        file.write(text)
    return True


def check_settings():
    if not build_any(TALK, "reach/programs/talk.c"):
        return
    root, user = Who("root"), Who("an ordinary user", NOBODY)
    bare = Who("root without CAP_SYS_ADMIN", 0, ("sys_admin",))
    weak = Who("root without CAP_SYS_ADMIN and CAP_SYS_PTRACE", 0, ("sys_admin", "sys_ptrace"))
    off = OLD or "kernel.yama.ptrace_scope is 2"
    for value in "01":
        if put(YAMA, value):
            for who in (root, user, bare, weak):
                scene("ptrace_scope " + value, who, OLD)
    for path, value in (("/proc/sys/user/max_user_namespaces", "0"), ("/proc/sys/kernel/unprivileged_bpf_disabled", "2"),
                        ("/proc/sys/net/core/bpf_jit_enable", "0"), ("/proc/sys/net/core/bpf_jit_harden", "2"),
                        ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"), ("/proc/sys/kernel/io_uring_disabled", "2"),
                        ("/sys/kernel/security/lockdown", "confidentiality")):
        try:
            if put(path, value):
                scene("%s %s" % (path[path.index("/", 1) + 1:], value), user, OLD)
        except OSError as error:
            skip(path, str(error))
    scene("all of these", root, OLD)
    check(command("mount", "-o", "remount,hidepid=2", "/proc")[0] == 0, "hidepid")
    scene("hidepid=2", user, OLD)
    command("mount", "-o", "remount,hidepid=0", "/proc")
    if put(YAMA, "2"):
        scene("ptrace_scope 2", root, OLD)
        scene("ptrace_scope 2", bare, OLD)
        scene("ptrace_scope 2", weak, off)
        scene("ptrace_scope 2", user, off)
        put(YAMA, "3")
        for who in (root, user):
            scene("ptrace_scope 3", who, OLD or "kernel.yama.ptrace_scope is 3: nobody")


if os.environ.get("PORTSHIM_TEST_GUEST") != "yes":
    sys.exit("scenes.py: this is for a machine of its own: tests/kernels/run.sh")
run_parts(check_settings, seconds=3000)
