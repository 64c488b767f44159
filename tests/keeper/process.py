"""`portshim run` is transparent for processes: exit statuses, signals, descriptors, orphans."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import PYTHON, PORTSHIM, STATIC, Skip, alive, descendants, end, line, main, parent, same, settle, state, until


FILTER = STATIC == "auto"  # there is a worker between run and the program


def test_status(place):
    """run and exec exit with the program's status"""
    for command in "run", "exec":
        for status in 0, 3, 125, 255:
            same(place.run(command, "--", "sh", "-c", "exit %d" % status)[0], status, command)


def test_not_found(place):
    """127 for a program that is not there, 126 for one that cannot be executed, 125 for wrong options"""
    plain = os.path.join(place.project, "plain")
    with open(plain, "w") as file:
        file.write("nothing\n")
    for command in "run", "exec":
        for arguments, status, text in ((["--", "no-such-program"], 127, "there is no such program in PATH"),
                                        (["--", "./no-such"], 127, "there is no such program"),
                                        (["--", plain], 126, "Permission denied"),
                                        ([], 125, "no program given"),
                                        (["--no-such-option", "true"], 125, "--no-such-option"),
                                        (["--env", "x", "--isolate", "true"], 125, "exclude each other")):
            got, out, err = place.run(command, *arguments)
            same((got, out), (status, ""), arguments)
            assert text in err and err.startswith("portshim"), err
    same(place.runs(), [], "run files")


def test_missing_interpreter(place):
    """A script whose interpreter is missing is told apart from a script that is missing"""
    script = os.path.join(place.project, "script")
    with open(script, "w") as file:
        file.write("#!/no/such/interpreter\n")
    os.chmod(script, 0o755)
    status, _, err = place.run("run", "--", script)
    same(status, 127)
    assert "interpreter is missing" in err, err


def test_script_without_interpreter(place):
    """A script without #! is run by the shell, as execvp does it"""
    script = os.path.join(place.project, "script")
    with open(script, "w") as file:
        file.write("exit 7\n")
    os.chmod(script, 0o755)
    same(place.run("run", "--", script)[0], 7)


def test_dies_by_signal(place):
    """run dies by the signal that its program died by, and leaves no core"""
    for number in signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT, signal.SIGRTMIN:
        same(place.run("run", "--", "sh", "-c", "kill -%d $$" % number)[0], -number)
    same(os.listdir(place.project), [".portshim"])


# Prints each signal that it gets, until SIGTERM.
TRAP = """
import os, signal
numbers = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
           signal.SIGRTMIN + 1}
signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
print("ready", flush=True)
while True:
    number = signal.sigwait(numbers)
    print(int(number), flush=True)
    if number == signal.SIGTERM:
        os._exit(9)
"""


def test_signals(place):
    """What is sent to run by kill(2) reaches the program, once"""
    child = place.start("run", "--", PYTHON, "-c", TRAP)
    same(line(child.stdout), "ready\n")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
                   signal.SIGRTMIN + 1):
        child.send_signal(number)
        same(line(child.stdout), "%d\n" % number)
    child.send_signal(signal.SIGTERM)
    same(child.stdout.read().decode(), "%d\n" % signal.SIGTERM)
    same(child.wait(), 9)


def test_inner_group_kill(place):
    """kill 0 from inside the run reaches the program once, and the keeper keeps out of it"""
    program = TRAP.replace('print("ready", flush=True)', """
print("ready", flush=True)
read, write = os.pipe()
if os.fork() == 0:
    os.close(write)
    os.kill(0, signal.SIGUSR1)
    os.read(read, 1)
    os._exit(0)
""")
    child = place.start("run", "--", PYTHON, "-c", program, start_new_session=True)
    same(line(child.stdout), "ready\n")
    same(line(child.stdout), "%d\n" % signal.SIGUSR1)
    child.send_signal(signal.SIGTERM)
    same(child.stdout.read().decode(), "%d\n" % signal.SIGTERM, "nothing twice")
    same(child.wait(), 9)


def test_outer_group_kill(place):
    """What somebody outside sends to the whole process group reaches the program once"""
    child = place.start("run", "--", PYTHON, "-c", TRAP, start_new_session=True)
    same(line(child.stdout), "ready\n")
    until(lambda: len(descendants(child.pid)) == 3 + FILTER, "the keeper to be ready")
    for number in signal.SIGUSR1, signal.SIGINT, signal.SIGUSR1, signal.SIGRTMIN + 1:
        os.killpg(child.pid, number)
        same(line(child.stdout), "%d\n" % number)
        settle(child.pid)
    child.send_signal(signal.SIGINT)
    same(line(child.stdout), "%d\n" % signal.SIGINT, "a signal to run alone after one to the group")
    os.killpg(child.pid, signal.SIGTERM)
    same(child.stdout.read().decode(), "%d\n" % signal.SIGTERM, "nothing twice")
    same(child.wait(), 9)


def test_tree_kill(place):
    """A signal to every process of the tree, one by one, reaches the program once, whatever the order"""
    child = place.start("run", "--", PYTHON, "-c", TRAP)
    same(line(child.stdout), "ready\n")
    until(lambda: len(descendants(child.pid)) == 3 + FILTER, "the keeper to be ready")
    for number, order in (signal.SIGUSR1, 1), (signal.SIGUSR2, -1):
        for pid in descendants(child.pid)[::order]:
            os.kill(pid, number)
        same(line(child.stdout), "%d\n" % number)
        settle(child.pid)
    child.send_signal(signal.SIGTERM)
    same(child.stdout.read().decode(), "%d\n" % signal.SIGTERM, "nothing twice")
    same(child.wait(), 9)


def test_mask_and_dispositions(place):
    """The program starts with the signal mask and the ignored signals that portshim was started with"""
    wanted = "/proc/self/status"
    native = subprocess.run(["grep", "^Sig[BI]", wanted], stdout=subprocess.PIPE, preexec_fn=spoil).stdout.decode()
    for command in "run", "exec":
        same(place.run(command, "--", "grep", "^Sig[BI]", wanted, preexec_fn=spoil)[1], native, command)


def spoil():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def test_ignored_child_signal(place):
    """The status comes through although SIGCHLD was ignored"""
    same(place.run("run", "--", "sh", "-c", "exit 5", preexec_fn=spoil)[0], 5)


def test_descriptors(place):
    """The program has the descriptors that portshim was started with, and no other"""
    read, write = os.pipe()
    for closed in (), (0,), (1,), (2,), (0, 1, 2):
        def close_some(closed=closed):
            for fd in closed:
                os.close(fd)
        target = os.path.join(place.project, "fds")
        script = "import os\nfds = []\nfor n in range(64):\n    try:\n        os.fstat(n); fds.append(n)\n" \
                 "    except OSError: pass\nopen(%r, 'w').write(str(fds))" % target
        results = []
        for before in [], [PORTSHIM, "run", "--"], [PORTSHIM, "exec", "--"]:
            child = subprocess.Popen([*before, PYTHON, "-c", script], cwd=place.project, env=place.environment(), pass_fds=(write,),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                     preexec_fn=close_some)
            same(child.wait(timeout=30), 0, closed)
            with open(target) as file:
                results.append(file.read())
            os.unlink(target)
        same(results[1:], [results[0]] * 2, "closed %s" % (closed,))
    os.close(read)
    os.close(write)


def test_closed_stdio_messages(place):
    """With stdio closed nothing is written into files that portshim opens"""
    def close_all():
        for fd in 0, 1, 2:
            os.close(fd)
    child = place.start("run", "--", "no-such-program", preexec_fn=close_all)
    same(child.wait(timeout=30), 127)
    same(place.runs(), [])


def test_stdin(place):
    """stdin, stdout and stderr pass through untouched"""
    data = bytes(range(256)) * 4096
    child = place.start("run", "--", "sh", "-c", "cat; echo problem >&2", stdin=subprocess.PIPE)
    out, err = child.communicate(data, timeout=30)
    same((out == data, err), (True, b"problem\n"))


def test_lets_go(place):
    """Who reads a pipe of the program's sees the end when the program closes it, not when the keeper ends"""
    read, write = os.pipe()
    child = place.start("run", "--", "sh", "-c", "exec >&- %d>&-; read line" % write, stdin=subprocess.PIPE,
                        pass_fds=(write,))
    os.close(write)
    same(line(child.stdout), "", "end of stdout")
    with os.fdopen(read) as pipe:
        same(line(pipe), "", "end of another pipe")
    same(child.poll(), None, "still running")
    child.stdin.close()
    child.wait(timeout=30)


FIRST = """
import os, subprocess, sys
for command in ("true",), ("sh", "-c", "exit 3"), ("sh", "-c", "kill -TERM $$"):
    print(subprocess.run((sys.argv[1], "run", "--") + command).returncode, end=" ", flush=True)
print(sorted(int(pid) for pid in os.listdir("/proc") if pid.isdigit()))
"""


def test_leaves_nothing_to_reap(place):
    """In a container, whose first process may reap nobody but its own children, a run leaves no zombie"""
    enter = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    try:
        subprocess.run(enter + ["true"], check=True, stderr=subprocess.PIPE, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        raise Skip("no pid namespace can be made here")
    got = subprocess.run(enter + [PYTHON, "-c", FIRST, PORTSHIM], cwd=place.project, env=place.environment(),
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    same((got.returncode, got.stdout, got.stderr), (0, "0 3 -15 [1]\n", ""))


def test_orphans(place):
    """Orphans of the program are reaped, and do not delay the end"""
    script = "sh -c 'sleep 0 & echo $! ; sleep 1000 >/dev/null 2>&1 & echo $!'; echo done; read line"
    child = place.start("run", "--", "sh", "-c", script, stdin=subprocess.PIPE)
    short, long = int(line(child.stdout)), int(line(child.stdout))
    same(line(child.stdout), "done\n")
    try:
        until(lambda: not os.path.exists("/proc/%d" % short), "the short orphan to be reaped")
        above = parent(long)
        same(parent(above) if FILTER else above, child.pid, "run is above the long one")
        child.stdin.close()
        same(child.wait(timeout=30), 1)
        assert alive(long)
        same(len(place.runs()), 1, "the run goes on with the process in the background")
    finally:
        end(long)


def test_keeper_killed(place):
    """The program survives a kill -9 of its keeper"""
    child = place.start("run", "--", "sh", "-c", "echo $$; read line; echo $line; exit 0", stdin=subprocess.PIPE)
    pid = int(line(child.stdout))
    until(lambda: len(descendants(child.pid)) == 3 + FILTER, "the keeper to be ready")
    others = [other for other in descendants(child.pid)[1:] if other != pid]
    try:
        child.kill()
        child.wait()
        assert alive(pid)
        until(lambda: len([other for other in others if alive(other)]) == FILTER, "nothing but a worker to be left")
        child.stdin.write(b"hello\n")
        child.stdin.flush()
        same(line(child.stdout), "hello\n")
        until(lambda: not alive(pid), "the program to end")
        until(lambda: not [other for other in others if alive(other)], "nothing to be left")
    finally:
        end(pid)


def test_stop_of_the_program_alone(place):
    """A test that stops and continues just the program does not stop the keeper for good"""
    child = place.start("run", "--", "sh", "-c", "echo $$; read line; exit 4", stdin=subprocess.PIPE)
    pid = int(line(child.stdout))
    os.kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T", "the program to stop")
    os.kill(pid, signal.SIGCONT)
    child.stdin.close()
    same(child.wait(timeout=30), 4)


def test_continue(place):
    """Who continues run continues the program, whichever of the two was stopped first"""
    child = place.start("run", "--", "sh", "-c", "echo $$; read line; exit 4", stdin=subprocess.PIPE)
    pid = int(line(child.stdout))
    for order in (pid, child.pid), (child.pid, pid):
        for one in order:
            os.kill(one, signal.SIGSTOP)
            until(lambda one=one: state(one) == "T", "%d to stop" % one)
        child.send_signal(signal.SIGCONT)
        until(lambda: state(pid) != "T" and state(child.pid) != "T", "both to continue")
    child.stdin.close()
    same(child.wait(timeout=30), 4)


def test_few_descriptors(place):
    """With RLIMIT_NOFILE at its least the program still runs"""
    import resource
    status, out, _ = place.run("run", "--", "echo", "works",
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)))
    same((status, out), (0, "works\n"))


def test_without_runtime(place):
    """Without a runtime directory the program runs as without portshim and one line says so; --strict fails with 125"""
    bad = {"PORTSHIM_RUNTIME_DIR": "/proc/no/such"}
    for command in "run", "exec":
        status, out, err = place.run(command, "--", "sh", "-c", "echo ${LD_PRELOAD-none}; exit 6", env=bad)
        same((status, out), (6, "none\n"))
        same((err.count("\n"), "runs without portshim" in err), (1, True), err)
        status, out, err = place.run(command, "--strict", "--", "echo", "no", env=bad)
        same((status, out), (125, ""))
        assert "runtime directory" in err, err
        status, out, err = place.run(command, "--quiet", "--", "echo", "yes", env=bad)
        same((status, out, err), (0, "yes\n", ""))


def test_without_library(place):
    """The same without the library"""
    bad = {"PORTSHIM_LIBRARY": "/no/such/libportshim.so"}
    status, out, err = place.run("run", "--", "echo", "yes", env=bad)
    same((status, out), (0, "yes\n"))
    assert "libportshim.so" in err, err
    same(place.run("run", "--strict", "--", "echo", "no", env=bad)[:2], (125, ""))


def test_preload(place):
    """LD_PRELOAD keeps what is set, has the library once, and sanitizer runtimes first"""
    library = os.path.join(os.path.dirname(PORTSHIM), "libportshim.so")
    if not os.path.exists(library):
        raise Skip("no libportshim.so in the build")
    for before, after in ((None, library), ("/no/x.so", library + ":/no/x.so"),
                          ("/no/x.so:/no/libasan.so.8 /no/y.so", "/no/libasan.so.8:" + library + ":/no/x.so:/no/y.so"),
                          (library, library), ("/other/libportshim.so:/no/x.so", library + ":/no/x.so")):
        status, out, _ = place.run("run", "--", PYTHON, "-c", "import os; print(os.environ['LD_PRELOAD'])",
                                   env={"LD_PRELOAD": before})
        same((status, out), (0, after + "\n"), before)


def test_path_with_space(place):
    """A library under a path with a space and a colon is preloaded all the same"""
    import shutil
    odd = place.directory("my build:1")
    for name in "portshim", "libportshim.so":
        if not os.path.exists(os.path.join(os.path.dirname(PORTSHIM), name)):
            raise Skip("no libportshim.so in the build")
        shutil.copy(os.path.join(os.path.dirname(PORTSHIM), name), odd)
    result = subprocess.run([os.path.join(odd, "portshim"), "run", "--", "sh", "-c", "echo $LD_PRELOAD; cat /proc/$$/maps"],
                            cwd=place.project, env=place.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out = result.stdout.decode().splitlines()
    same(result.returncode, 0, result.stderr)
    assert out[0].startswith(place.runtime + "/lib-") and out[0].endswith(".so"), out[0]
    assert any("my build:1/libportshim.so" in mapping for mapping in out[1:]), "not loaded"


def test_run_files(place):
    """A run leaves no file behind; its environment's file and the ignored directory stay"""
    same(place.run("run", "--", "true")[0], 0)
    same(place.runs(), [])
    same(len([n for n in os.listdir(place.runtime) if n.startswith("env-")]), 1)
    same(os.listdir(os.path.join(place.project, ".portshim")), [".gitignore"])
    with open(os.path.join(place.project, ".portshim", ".gitignore")) as file:
        same(file.read(), "*\n")


def test_symlinked_directory(place):
    """A .portshim that is a symlink is not followed"""
    other = place.directory("elsewhere")
    os.symlink(other, os.path.join(place.project, ".portshim"))
    same(place.run("run", "--", "true")[0], 0)
    same(os.listdir(other), [])


def test_isolate_leaves_nothing(place):
    """--isolate leaves no environment behind"""
    same(place.run("run", "--isolate", "--", "true")[0], 0)
    same([n for n in os.listdir(place.runtime) if n != "host"], [])
    same(os.listdir(place.project), [])


def test_nested(place):
    """Statuses and signals come through a run inside a run"""
    same(place.run("run", "--", PORTSHIM, "run", "--", "sh", "-c", "exit 11")[0], 11)
    same(place.run("run", "--", PORTSHIM, "run", "--", "sh", "-c", "kill -TERM $$")[0], -signal.SIGTERM)
    child = place.start("run", "--", PORTSHIM, "run", "--isolate", "--", PYTHON, "-c", TRAP)
    same(line(child.stdout), "ready\n")
    child.send_signal(signal.SIGTERM)
    same(child.stdout.read().decode(), "%d\n" % signal.SIGTERM)
    same(child.wait(), 9)
    same(place.runs(), [])


def test_deep_nesting(place):
    """Ten runs inside one another work, and say what is out of reach"""
    command = ["echo", "inside"]
    for _ in range(10):
        command = [PORTSHIM, "run", "--", *command]
    status, out, err = place.run(*command[1:])
    same((status, out), (0, "inside\n"), err)
    assert "outermost" in err, err
    same(place.runs(), [])


def test_allow(place):
    """--allow refuses an unknown environment, with a suggestion, and takes a known one by name, number and directory"""
    same(place.run("run", "--env", "demo-a", "--", "true")[0], 0)
    status, _, err = place.run("run", "--allow", "demo-b", "--", "true")
    same(status, 125)
    assert "did you mean `demo-a`" in err, err
    number = [n for n in os.listdir(place.runtime) if n.startswith("env-")][0][4:]
    other = place.directory("other")
    same(place.run("run", "--", "true", cwd=other)[0], 0)
    for name in "demo-a", number, other:
        same(place.run("run", "--allow", name, "--", "true")[0], 0, name)


main(globals())
