"""Programs that would gain rights when they start, inside a run whose filter keeps them from it: they run without, the
keeper says so once, and --static=off lets them have them. As root, for an ordinary user: the files are root's."""
import ctypes
import os
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import (BUILD, PYTHON, TOP, Skip, check, command, run_parts, runtime_directory,  # noqa: E402
                     scratch_directory, write)

USER = 65534
NOTICE = ("portshim: %s does not get the rights of its file: the filter that reaches static programs forbids it; "
          "--static=off gives them back\n")
WAYS = ["execve", "execv", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve", "execveat", "posix_spawn",
        "posix_spawnp"]

# ways.py WAY PATH ARGUMENT: starts the program in that way, by the C library's own function, in a child; its exit status.
CHILD = r'''
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
way, path, argument = sys.argv[1:]
name = os.path.basename(path)
def texts(*all):
    return (ctypes.c_char_p * (len(all) + 1))(*[t.encode() for t in all], None)
argv, envp = texts(name, argument), texts(*["%s=%s" % pair for pair in os.environ.items()])
os.environ["PATH"] = "/nonexistent:%s:/usr/bin" % os.path.dirname(path)
os.putenv("PATH", os.environ["PATH"])
p, n, a = path.encode(), name.encode(), argument.encode()
if way.startswith("posix_spawn"):
    pid = ctypes.c_int()
    if getattr(libc, way)(ctypes.byref(pid), n if way == "posix_spawnp" else p, None, None, argv, envp):
        sys.exit(120)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid.value, 0)[1]))
child = os.fork()
if child == 0:
    if way == "execve": libc.execve(p, argv, envp)
    if way == "execv": libc.execv(p, argv)
    if way == "execvp": libc.execvp(n, argv)
    if way == "execvpe": libc.execvpe(n, argv, envp)
    if way == "execl": libc.execl(p, n, a, None)
    if way == "execlp": libc.execlp(n, n, a, None)
    if way == "execle": libc.execle(p, n, a, None, envp)
    if way == "fexecve": libc.fexecve(os.open(path, os.O_RDONLY), argv, envp)
    if way == "execveat": libc.execveat(os.open(os.path.dirname(path), os.O_RDONLY), n, argv, envp, 0)
    os._exit(121)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
'''

here = {}


def prepare():
    """What an ordinary user may execute, some of it with root's rights."""
    if os.getuid() != 0:
        raise Skip("a file of root's with the set-user-ID bit: only root makes one")
    here["bin"] = scratch_directory()
    here["runtime"] = runtime_directory()
    for name in ("portshim", "libportshim.so"):
        shutil.copy(os.path.join(BUILD, name), here["bin"])
    write(os.path.join(here["bin"], "ways.py"), CHILD)
    for name in ("set-user", "set-group", "capable", "plain", "own", "again", "other", "third", "fourth"):
        path = os.path.join(here["bin"], name)
        shutil.copy(shutil.which("id"), path)
        if name == "own":
            os.chown(path, USER, USER)
        os.chmod(path, {"set-group": 0o2755, "plain": 0o755, "capable": 0o755}.get(name, 0o4755))
    # struct vfs_ns_cap_data, version 2, effective: CAP_NET_BIND_SERVICE (linux/capability.h).
    os.setxattr(os.path.join(here["bin"], "capable"), "security.capability",
                struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
    command("chmod", "a+rX", here["bin"])
    os.chown(here["runtime"], USER, USER)
    if subprocess.run([os.path.join(here["bin"], "set-user"), "-u"], user=USER, group=USER, extra_groups=[],
                      stdout=subprocess.PIPE, check=True).stdout != b"0\n":
        raise Skip("files of the directory for temporary files give nobody rights (nosuid, or no_new_privs is in force)")
    with open(os.path.join(TOP, "docs/man/portshim.1"), encoding="utf-8") as manual:
        check(".Dl " + NOTICE % "sudo" in manual.read(), "portshim(1) has the notice as it is")


def as_user(*words):
    """What the command says on stdout and stderr, run by the ordinary user."""
    environment = dict(os.environ, PORTSHIM_RUNTIME_DIR=here["runtime"], HOME=here["bin"])
    done = subprocess.run([os.path.join(here["bin"], "portshim"), *words], user=USER, group=USER, extra_groups=[],
                          cwd="/", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                          stdin=subprocess.DEVNULL, check=False, text=True)
    said = "".join(line for line in done.stderr.splitlines(True) if "discovery file" not in line)
    return done.returncode, done.stdout, said


def started(way, name, argument="-u", static="on", more=()):
    return as_user("run", "--static=" + static, *more, "--", PYTHON, os.path.join(here["bin"], "ways.py"), way,
                   os.path.join(here["bin"], name), argument)


def check_every_way():
    for way in WAYS:
        result = started(way, "set-user")
        check(result == (0, "%d\n" % USER, NOTICE % "set-user"), "%s of a set-user-ID program: %s" % (way, result))


def check_kinds():
    result = started("execve", "set-group", "-g")
    check(result == (0, "%d\n" % USER, NOTICE % "set-group"), "set-group-ID: %s" % (result,))
    result = started("execve", "capable")
    check(result == (0, "%d\n" % USER, NOTICE % "capable"), "capabilities: %s" % (result,))
    for name in ("plain", "own"):
        result = started("execvp", name)
        check(result == (0, "%d\n" % USER, ""), "%s: %s" % (name, result))


def check_once():
    path = here["bin"]
    script = "for p in again again other third fourth set-user again; do %s/$p -u; done" % path
    code, out, said = as_user("run", "--static=on", "--", "sh", "-c", script)
    check((code, out) == (0, "%d\n" % USER * 7), "a shell starts them: %d, %r" % (code, out))
    told = "".join(NOTICE % name for name in ("again", "other", "third", "fourth"))
    check(said == told, "each once, and not more than four: %r" % said)
    result = started("execve", "set-user", more=("--quiet",))
    check(result == (0, "%d\n" % USER, ""), "--quiet: %s" % (result,))


def check_off():
    for way in ("execve", "posix_spawnp"):
        result = started(way, "set-user", static="off")
        check(result == (0, "0\n", ""), "--static=off: %s gives the rights: %s" % (way, result))


def check_the_program_itself():
    """auto: a program that needs its rights has them. on: it is told before."""
    path = os.path.join(here["bin"], "set-user")
    code, out, _ = as_user("run", "--static=auto", "--", path, "-u")
    check((code, out) == (0, "0\n"), "auto: has its rights: %d, %r" % (code, out))
    code, out, said = as_user("run", "--static=on", "--", path, "-u")
    check((code, out) == (0, "%d\n" % USER), "on: has none: %d, %r" % (code, out))
    check(said == "portshim: set-user does not get the rights of its file: a filter is in force; --static=off gives "
          "them back\n", "on: says so: %r" % said)


def check_another_cause():
    """no_new_privs was in force before: it is not the filter that takes the rights."""
    if not shutil.which("setpriv"):
        raise Skip("no setpriv")
    code, out, said = 0, "", ""
    done = subprocess.run(["setpriv", "--no-new-privs", "--reuid", str(USER), "--regid", str(USER), "--clear-groups",
                           os.path.join(here["bin"], "portshim"), "run", "--static=on", "--", "sh", "-c",
                           os.path.join(here["bin"], "set-user") + " -u; :"], cwd="/", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                          env=dict(os.environ, PORTSHIM_RUNTIME_DIR=here["runtime"], HOME=here["bin"]))
    code, out = done.returncode, done.stdout
    said = "".join(line for line in done.stderr.splitlines(True) if "discovery file" not in line)
    check((code, out, said) == (0, "%d\n" % USER, ""), "no word: %d, %r, %r" % (code, out, said))


def clean():
    for directory in here.values():
        shutil.rmtree(directory, ignore_errors=True)


def all_of_it():
    try:
        prepare()
        for part in (check_every_way, check_kinds, check_once, check_off, check_the_program_itself, check_another_cause):
            part()
    finally:
        clean()


if __name__ == "__main__":
    run_parts(all_of_it)
