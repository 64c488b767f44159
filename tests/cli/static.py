"""--static and what doctor says of it: where the second path is there, and where a policy, a listener or the user keeps
it away. Policies are real: each is a seccomp filter around portshim, as containers and sandboxes have them."""
import os
import platform
import re
import resource
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import (PORTSHIM, PYTHON, TOP, Skip, check, command, free_port, read, read_json, run, run_parts, skip,  # noqa: E402
                     write)

NUMBERS = {"x86_64": {"seccomp": 317, "pidfd_getfd": 438, "process_vm_readv": 310},
           "aarch64": {"seccomp": 277, "pidfd_getfd": 438, "process_vm_readv": 270}}.get(platform.machine())
PASS, FLAGS, STATIC, BARRED = 96, 16, 32, 64  # scope.h

# policy.py SECCOMP deny NUMBER ERRNO COMMAND... | policy.py SECCOMP listener 0 0 COMMAND...
POLICY = r'''
import ctypes, struct, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
seccomp, kind, number, errno = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if kind == "deny":
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | errno), (6, 0, 0, 0x7fff0000)]
else:
    steps = [(6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
libc.prctl(38, 1, 0, 0, 0)
listener = libc.syscall(seccomp, 1, 8 if kind == "listener" else 0, program)
if listener < 0:
    sys.exit("no filter: errno %d" % ctypes.get_errno())
sys.exit(subprocess.call(sys.argv[5:]))
'''

SILENCED = " (--static=off: as it is)\n"
here = {}


def under(policy, *words, **more):
    """`portshim WORDS...` under a policy: a system call that gives EPERM, or a listener that is there already."""
    write("policy.py", POLICY)
    if policy == "listener":
        kind = ("listener", "0", "0")
    else:
        kind = ("deny", str(NUMBERS[policy]), "1")
    return command(PYTHON, "policy.py", str(NUMBERS["seccomp"]), *kind, PORTSHIM, *words, **more)


REASONS = {
    "pidfd_getfd": "pidfd_getfd is forbidden here, by a container's or sandbox's policy: Operation not permitted",
    "process_vm_readv": "process_vm_readv is forbidden here, by a container's or sandbox's policy: Operation not permitted",
    "listener": "something around this process answers system calls already (a sandbox, another tool's or WSL's "
                "listener), and there can be only one",
}


def need_path():
    """Not where something keeps the second path away in any case."""
    if not NUMBERS:
        raise Skip("no numbers of system calls for %s" % platform.machine())
    code, _, err = run("run", "--static=on", "--", "true")
    if code:
        raise Skip(err.strip())


def check_words():
    code, _, err = run("run", "--static=onn", "--", "true")
    check((code, err) == (125, "portshim: --static onn: there is no such mode\nhint: did you mean `on`?\n"), repr(err))
    code, _, err = run("run", "--static", "", "--", "true")
    check(code == 0, "an empty mode is none: %r" % err)
    code, _, err = run("run", "--", "true", PORTSHIM_STATIC="perhaps")
    check((code, err) == (125, "portshim: PORTSHIM_STATIC=perhaps: there is no such mode\nhint: it is auto, on or off\n"),
          repr(err))
    code, _, err = run("exec", "--static=on", "--", "true")
    check(code == 125 and "there is no option --static" in err, "exec has none: %r" % err)
    code, _, err = run("exec", "--allow-io-uring", "--", "true")
    check(code == 125 and "there is no option --allow-io-uring" in err, "exec has none: %r" % err)


def check_reasons():
    """auto: one line, as the manual shows it; on: an error, and nothing is started; off: no word."""
    need_path()
    manual = read(os.path.join(TOP, "docs/man/portshim.1")).decode()
    check(".Dl portshim: static and Go programs are not reached: " + REASONS["pidfd_getfd"] + SILENCED in manual,
          "portshim(1) has the line as it is")
    for policy, why in REASONS.items():
        line = "portshim: static and Go programs are not reached: " + why + SILENCED
        code, out, err = under(policy, "run", "--static=auto", "--", "echo", "started")
        check((code, out, err) == (0, "started\n", line), "auto, %s: %d %r %r" % (policy, code, out, err))
        code, out, err = under(policy, "run", "--static=auto", "--quiet", "--", "echo", "started")
        check((code, out, err) == (0, "started\n", ""), "auto, quiet, %s: %d %r %r" % (policy, code, out, err))
        code, out, err = under(policy, "run", "--static=auto", "--", PORTSHIM, "run", "--static=auto", "--", "echo", "in")
        check((code, out, err) == (0, "in\n", line), "auto, a run inside, %s: %d %r %r" % (policy, code, out, err))
        code, out, err = under(policy, "run", "--static=on", "--", "echo", "started")
        check((code, out) == (125, ""), "on, %s: %d %r" % (policy, code, out))
        check(err == "portshim: --static=on cannot be had: %s\nhint: with --static=auto, what loads the library is "
              "reached all the same\n" % why, "on, %s: %r" % (policy, err))
        code, out, err = under(policy, "run", "--static=off", "--", "echo", "started")
        check((code, out, err) == (0, "started\n", ""), "off, %s: %d %r %r" % (policy, code, out, err))
        code, out, err = under(policy, "run", "--", "echo", "started", PORTSHIM_STATIC="off")
        check((code, out, err) == (0, "started\n", ""), "PORTSHIM_STATIC, %s: %d %r %r" % (policy, code, out, err))
        code, out, err = under(policy, "doctor", PORTSHIM_STATIC="auto")
        check(code == 0 and re.search(r"^note +second-path +static and Go programs are not reached: " + re.escape(why) +
                                      "$", out, re.M), "doctor, %s: %d %s" % (policy, code, out))


def check_a_refused_run_moves():
    """Without the second path, the first one works as ever."""
    need_path()
    port = free_port()
    script = ("import socket; s = socket.socket(); s.bind(('127.0.0.1', %d)); s.listen(); "
              "c = socket.create_connection(('127.0.0.1', %d)); print(c.getpeername()[1])" % (port, port))
    for policy in REASONS:
        code, out, err = under(policy, "run", "--isolate", "--static=auto", "--quiet", "--", PYTHON, "-c", script)
        check((code, out) == (0, "%d\n" % port), "%s: %d %r %r" % (policy, code, out, err))


def scope_of(path):
    file = read(path)
    return struct.unpack_from("=Q", file, PASS)[0], struct.unpack_from("=I", file, FLAGS)[0]


def scopes(*words, **more):
    """The pass and flags of each run, outermost first: WORDS is a command line with @ for what tells them."""
    tell = "import struct, os; f = open(os.environ['PORTSHIM_RUN'], 'rb').read(%d); " \
           "print(struct.unpack_from('=Q', f, %d)[0], struct.unpack_from('=I', f, %d)[0], flush=True)" % (128, PASS, FLAGS)
    write("tell.py", tell + "\nimport sys\nif sys.argv[1:]: os.execvp(sys.argv[1], sys.argv[1:])\n")
    line = []
    for word in words:
        line += [PYTHON, os.path.abspath("tell.py")] if word == "@" else [word]
    code, out, err = command(*line, **more)
    check(code == 0, "%s: %d %r" % (words, code, err))
    return [tuple(int(n) for n in one.split()) for one in out.splitlines()], err


def check_the_pass():
    need_path()
    inner = (PORTSHIM, "run", "--static=auto", "--", "@")
    found, err = scopes(PORTSHIM, "run", "--static=auto", "--", "@", *inner, PORTSHIM, "exec", "--", "@")
    passes = [one[0] for one in found]
    check(len(found) == 3 and len(set(passes)) == 1, "one pass for all: %s" % found)
    check(passes[0] >> 32 not in (0, 0xffffffff), "its upper half is neither 0 nor all ones: %x" % passes[0])
    check(all(one[1] & STATIC for one in found) and err == "", "each says that a filter is in force: %s %r" % (found, err))
    check(scopes(PORTSHIM, "run", "--static=auto", "--", "@")[0][0][0] != passes[0], "another run has another pass")
    for words in ((PORTSHIM, "run", "--static=off", "--", "@"), (PORTSHIM, "exec", "--", "@")):
        found, _ = scopes(*words)
        check(found[0][0] == 0 and not found[0][1] & (STATIC | BARRED), "%s has none: %s" % (words[1], found))
    found, err = scopes(PORTSHIM, "run", "--static=on", "--", "@", PORTSHIM, "run", "--static=off", "--", "@")
    check(found[0] == found[1] and err == "portshim: --static=off: the filter of the run around this one stays in force\n",
          "off inside: %s %r" % (found, err))
    found, err = scopes(PORTSHIM, "run", "--static=off", "--", "@", PORTSHIM, "run", "--", "@")
    check(found[1][0] == 0 and err == "", "off is for the runs inside, too: %s %r" % (found, err))
    found, err = scopes(PORTSHIM, "run", "--static=off", "--", "@", PORTSHIM, "run", "--static=on", "--", "@")
    check(found[0][0] == 0 and found[1][0] and err == "", "but not against their will: %s %r" % (found, err))
    found, err = scopes(PORTSHIM, "run", "--static=on", "--", "@", PORTSHIM, "run", "--allow-io-uring", "--", "@")
    check(found[0] == found[1] and "--allow-io-uring: the filter of the run around this one stays in force" in err,
          "--allow-io-uring inside: %r" % err)
    # The variable alone makes no filter: copied into a process that has none, it gives no pass.
    path = command(PORTSHIM, "run", "--static=on", "--env", "kept", "--", "sh", "-c", "cp $PORTSHIM_RUN run-copy; "
                   "echo $PORTSHIM_RUN")[1].strip()
    shutil.copy("run-copy", path)
    found, err = scopes(PORTSHIM, "run", "--static=auto", "--", "@", PORTSHIM_RUN=path)
    check(found[0][0] and found[0][0] != scope_of(path)[0], "a copied variable: %s" % (found,))
    os.unlink(path)


def check_who_bars():
    need_path()
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    for name in ("portshim", "libportshim.so"):
        shutil.copy(os.path.join(os.path.dirname(PORTSHIM), name), ".")
    os.mkdir("runtime", 0o700)
    os.chown("runtime", 65534, 65534)
    command("chmod", "a+rx", ".", "portshim", "libportshim.so")
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    own = os.path.abspath("portshim")
    more = {"PORTSHIM_RUNTIME_DIR": os.path.abspath("runtime")}
    line = (own, "run", "--quiet", "--static=on", "--", "@", own, "run", "--quiet", "--", "@")
    for prefix, bars in (((), 0), (user, BARRED), ((*user, "--no-new-privs"), 0)):
        found, _ = scopes(*prefix, *line, **(more if prefix else {}))
        check([one[1] & BARRED for one in found] == [bars, bars], "%s: %s" % (prefix, found))
    # No process can be made: with auto the program takes the place, with on that is an error. (LeakSanitizer needs one.)
    more["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    for mode, wanted in (("auto", 0), ("on", 125)):
        done = subprocess.run([own, "run", "--quiet", "--static=" + mode, "--", "true"], user=65534, group=65534,
                              extra_groups=[], env=dict(os.environ, **more), stderr=subprocess.PIPE, check=False,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (0, 0)), timeout=60)
        check(done.returncode == wanted, "no process, %s: %d %r" % (mode, done.returncode, done.stderr))


# ---- doctor and `run` on programs of each kind ----

GO = """
__attribute__((section(".note.go.buildid"), used, aligned(4))) static const struct {
	unsigned name, desc, type; char n[4]; char d[4];
} note = { 4, 4, 4, "Go", "abc" };
int main(void) { return 0; }
"""


def make_programs():
    """{name: finding's name} of programs that the library does not get into."""
    made = {}
    write("foreign", b"\x7fELF\1\1\1".ljust(16, b"\0") + b"\3\0" +
          struct.pack("=H", {"x86_64": 3, "aarch64": 40}[platform.machine()]) + bytes(100))
    os.chmod("foreign", 0o755)
    made["foreign"] = "architecture"
    if not shutil.which("cc"):
        skip("programs of each kind", "no compiler")
        return made
    write("t.c", "int main(void) { return 0; }\n")
    write("go.c", GO)
    write("ring.c", "int io_uring_queue_init(void) { return 0; }\n")
    if command("cc", "-static", "-o", "fixed", "t.c")[0] == 0:
        made["fixed"] = "static"
    if command("cc", "-o", "going", "go.c")[0] == 0:
        made["going"] = "go"
    if command("cc", "-static", "-o", "went", "go.c")[0] == 0:
        made["went"] = "go"
    command("cc", "-shared", "-fPIC", "-Wl,-soname,liburing.so.2", "-o", "liburing.so", "ring.c")
    command("cc", "-Wl,--no-as-needed", "-o", "ringing", "t.c", "-L.", "-luring")
    return made


def findings(*words, way=run, **more):
    code, out, _ = way("doctor", "--json", *words, **more)
    write("doctor.json", out)
    one = read_json("doctor.json")["checked"][0]
    check(code == (0 if one["fit"] else 1), "the exit status says what `fit` says: %d %s" % (code, one))
    return {f["name"]: f for f in one["findings"]}


def check_programs():
    need_path()
    made = make_programs()
    for name, kind in made.items():
        path = "./" + name
        there = findings(path, PORTSHIM_STATIC="auto")
        check(there[kind]["verdict"] == "ok" and there["second-path"]["verdict"] == "ok" and
              "by its system calls" in there["second-path"]["text"], "%s is reached: %s" % (name, there))
        off = findings(path, PORTSHIM_STATIC="off")
        check(off[kind]["verdict"] == "unfit" and "PORTSHIM_STATIC=off" in off["second-path"]["text"],
              "%s is not, with off: %s" % (name, off))
        denied = findings(path, way=lambda *w, **m: under("pidfd_getfd", *w, **m), PORTSHIM_STATIC="auto")
        check(denied[kind]["verdict"] == "unfit" and REASONS["pidfd_getfd"] in denied["second-path"]["text"],
              "%s is not, where a policy forbids it: %s" % (name, denied))
        code, out, err = run("run", "--static=auto", "--", PORTSHIM, "doctor", path)
        check(code == 0 and "`portshim run` reaches it by its system calls" in out, "%s inside: %d %s" % (name, code, out))
        if name == "foreign":
            continue
        code, _, err = run("run", "--static=auto", "--strict", "--", path)
        check((code, err) == (0, ""), "run --strict %s: %d %r" % (name, code, err))
        code, _, err = run("run", "--static=off", "--", path)
        check(code == 0 and "; its ports are not moved\n" in err, "run --static=off %s: %d %r" % (name, code, err))
        code, _, err = run("run", "--static=off", "--strict", "--", path)
        check(code == 125 and "its ports would not be moved" in err, "with --strict: %d %r" % (code, err))
    if os.path.exists("ringing"):
        there = findings("./ringing", PORTSHIM_STATIC="auto")
        check(there["dynamic"]["verdict"] == "ok" and there["io-uring"]["verdict"] == "note" and
              "--allow-io-uring" in there["io-uring"]["hint"], "io_uring: %s" % there)
        off = findings("./ringing", PORTSHIM_STATIC="off")
        check("is not reached" in off["io-uring"]["text"], "io_uring, with off: %s" % off)
        check("io-uring" not in findings(PYTHON), "python needs no liburing")


def check_the_system():
    need_path()
    there = findings(PORTSHIM_STATIC="auto")
    check(there["second-path"]["verdict"] == "ok", "the system: %s" % there)
    check(("no-new-privs" in there) == (os.getuid() != 0), "no_new_privs is an ordinary user's: %s" % there)
    code, out, _ = run("run", "--static=auto", "--", PORTSHIM, "doctor")
    check(code == 0 and "are reached as well, by the run around this" in out, "inside a run: %s" % out)
    off = findings(PORTSHIM_STATIC="off")
    check(off["second-path"]["text"] == "static and Go programs are not reached: PORTSHIM_STATIC=off is set", repr(off))


def check_privileged():
    """As an ordinary user: a program with the set-user-ID bit, and one that can be executed and not read."""
    need_path()
    if os.getuid() != 0 or not shutil.which("setpriv"):
        raise Skip("needs root and setpriv")
    for name in ("set-user", "unreadable"):
        shutil.copy(shutil.which("id"), name)
        os.chmod(name, 0o4755 if name == "set-user" else 0o711)
    own = os.path.abspath("portshim")
    user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    more = {"PORTSHIM_RUNTIME_DIR": os.path.abspath("runtime"), "PORTSHIM_STATIC": "auto"}
    if command(*user, "./set-user", "-u")[1] != "0\n":
        raise Skip("files of the directory for temporary files give nobody rights")
    code, out, _ = command(*user, own, "doctor", "./set-user", **more)
    check(code == 1 and re.search("^unfit +setuid +runs with the rights", out, re.M) and
          re.search("^note +no-new-privs .*inside a run, it has none", out, re.M), "set-user-ID: %s" % out)
    code, out, _ = command(*user, own, "run", "--static=on", "--quiet", "--", own, "doctor", "./set-user", **more)
    check(code == 0 and re.search("^ok +dynamic", out, re.M) and
          re.search("^note +no-new-privs +it does not get the rights of its file here$", out, re.M), "inside: %s" % out)
    code, out, _ = command(*user, own, "doctor", "./unreadable", **more)
    check(code == 0 and re.search("^note +unreadable .*not dumpable", out, re.M), "unreadable: %s" % out)
    code, out, err = command(*user, own, "run", "--quiet", "--", "./unreadable", "-u", **more)
    check((code, out) == (0, "65534\n"), "it runs: %d %r %r" % (code, out, err))


if __name__ == "__main__":
    run_parts(check_words, check_reasons, check_a_refused_run_moves, check_the_pass, check_who_bars, check_programs,
              check_the_system, check_privileged)
