"""What the keeper tells and tidies: notices, discovery files, heartbeat, the end of a run."""
import contextlib
import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import PORTSHIM, PYTHON, STATIC, Skip, alive, end, free_port, line, main, read_json, same, until
from stepper import Stepper

# Answers every client with a word, until stdin ends. Prints the port that getsockname tells. `nobody`: gives up its
# rights first; `small`: may write no file; `root`: has another root directory, the last word.
SERVER = """
import os, resource, select, socket, sys
if "nobody" in sys.argv:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
if "small" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
if "root" in sys.argv:
    os.chroot(sys.argv[-1])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
print(listener.getsockname()[1], flush=True)
while True:
    ready = select.select([listener] + ([sys.stdin] if "stdin" in sys.argv else []), [], [])[0]
    if sys.stdin in ready and not sys.stdin.readline():
        break
    if listener in ready:
        peer = listener.accept()[0]
        peer.sendall(sys.argv[2].encode())
        peer.close()
"""

CLIENT = """
import socket, sys
for port in sys.argv[1:]:
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=20) as peer:
            print(peer.recv(100).decode(), flush=True)
    except ConnectionRefusedError:
        print("refused", flush=True)
"""


def server(port, word, *more):
    return [PYTHON, "-c", SERVER, str(port), word, *more]


def client(*ports):
    return [PYTHON, "-c", CLIENT, *[str(port) for port in ports]]


def serve(place, port, word, *options, cwd=None, env=None):
    """A server under run that ends with its stdin: (process, actual port)."""
    child = place.start("run", *options, "--", *server(port, word, "stdin"), stdin=subprocess.PIPE, cwd=cwd, env=env)
    return child, int(line(child.stdout) or "0")


def finish(child):
    child.stdin.close()
    same(child.wait(timeout=30), 0, "status")
    return child.stderr.read().decode()


def discovery(place, project=None):
    return os.path.join(project or place.project, ".portshim", "ports.json")


def keys(path):
    return sorted(read_json(path)["services"])


class Holder:
    """A listener of the test's own, which portshim knows nothing of."""

    def __init__(self, port):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(("127.0.0.1", port))
        self.socket.listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def test_notice_unmanaged(place):
    """A move is announced once, with who holds the wanted port"""
    port = free_port()
    with Holder(port):
        child, actual = serve(place, port, "a")
        assert actual != port
        notice = line(child.stderr)
        same(notice.split("(")[0], "portshim: %d -> %d " % (port, actual))
        same("(%d is held by python3" % port in notice and "pid %d" % os.getpid() in notice, True, notice)
        same(finish(child), "", "nothing more")


def test_notice_environment(place):
    """A holder that portshim knows is named with its environment"""
    port = free_port()
    other = place.directory("shop-b")
    first, actual = serve(place, port, "b", cwd=other)
    same(actual, port)
    second, actual = serve(place, port, "a")
    notice = line(second.stderr)
    same(notice.startswith("portshim: %d -> %d (%d is held by python3, pid " % (port, actual, port)), True, notice)
    same(notice.endswith(", in environment shop-b)\n"), True, notice)
    third, actual = serve(place, port, "c")
    notice = line(third.stderr)
    same(notice.startswith("portshim: %d -> %d (" % (port, actual)), True, notice)
    same([finish(child) for child in (third, second, first)], ["", "", ""])


def test_quiet_and_verbose(place):
    """--quiet tells nothing, --verbose also what did not move"""
    port = free_port()
    child, actual = serve(place, port, "a", "--verbose")
    same((actual, line(child.stderr)), (port, "portshim: %d\n" % port))
    quiet, actual = serve(place, port, "b", "--quiet")
    assert actual != port
    same(finish(quiet), "")
    same(finish(child), "")


def test_notice_of_short_program(place):
    """A program that ends at once after listen() is announced too"""
    port = free_port()
    code = "import socket; s = socket.socket(); s.bind(('127.0.0.1', %d)); s.listen()" % port
    with Holder(port):
        _, _, err = place.run("run", "--", PYTHON, "-c", code)
    same(err.startswith("portshim: %d -> " % port), True, err)
    same(os.path.exists(discovery(place)), False)


# Listens on the first port, on the second for a moment only, when it is told to; an orphan ends after that.
SHORT = """
import os, socket, sys
def listen(port):
    s = socket.socket()
    s.bind(("127.0.0.1", port))
    s.listen()
    print(s.getsockname()[1], flush=True)
    return s
print("ready", flush=True)
sys.stdin.readline()
kept = listen(int(sys.argv[1]))
sys.stdin.readline()
listen(int(sys.argv[2])).close()
gone, told = os.pipe()
child = os.fork()
if child == 0:
    orphan = os.fork()
    if orphan:
        print(orphan, flush=True)
    else:
        os.close(told)
        os.read(gone, 1)
    os._exit(0)
os.waitpid(child, 0)
os.close(told)
sys.stdin.read()
"""


def test_notice_of_short_server(place):
    """A server that ends while an earlier one is announced is announced too, although something else ended meanwhile"""
    write = {"x86_64": 1, "aarch64": 64}.get(os.uname().machine)
    if write is None:
        raise Skip("the number of write(2) is not known here")
    ports = [free_port(), free_port()]
    with Holder(ports[0]), Holder(ports[1]):
        for number in range(2):
            child = place.start("run", "--", PYTHON, "-c", SHORT, *map(str, ports), stdin=subprocess.PIPE)
            same(line(child.stdout), "ready\n")
            stepper = Stepper(child.pid)
            stepper.stop()
            os.write(child.stdin.fileno(), b"\n")
            actual = [int(line(child.stdout))]
            if number:  # the keeper stops in its look at the ports, past the other one
                stepper.after(write, 2)
            os.write(child.stdin.fileno(), b"\n")
            actual.append(int(line(child.stdout)))
            orphan = int(line(child.stdout))
            until(lambda: not alive(orphan) and (STATIC != "auto" or not os.path.exists("/proc/%d" % orphan)), "its end")
            stepper.let_go()
            if actual[0] < actual[1]:
                ports.reverse()  # they keep their numbers: next time, the first one's is the higher one
            if number:
                same([line(child.stderr).split("(")[0] for _ in ports],
                     ["portshim: %d -> %d " % pair for pair in zip(ports, actual)])
            child.communicate()


def test_notice_refused(place):
    """A refused connect is told once for each port, and --allow opens the door"""
    port = free_port()
    child, _ = serve(place, port, "b", cwd=place.directory("shop-b"))
    status, out, err = place.run("run", "--", *client(port, port))
    same((status, out), (0, "refused\nrefused\n"))
    same((err.count("\n"), err.startswith("portshim: connect to %d refused: it belongs to environment shop-b" % port),
          err.endswith("--allow shop-b opens the door\n")), (1, True, True), err)
    same(place.run("run", "--allow", "shop-b", "--", *client(port)), (0, "b\n", ""))
    finish(child)


def test_notice_refused_checkout(place):
    """Where two environments have one name, the notice has what --allow takes"""
    port = free_port()
    child, _ = serve(place, port, "b", cwd=place.directory("other/shop-b"))
    err = place.run("run", "--", *client(port), cwd=place.directory("shop-b"))[2]
    door = re.search("--allow ([0-9a-f]{8}) opens the door\n$", err)
    same(bool(door), True, err)
    same(place.run("run", "--allow", door.group(1), "--", *client(port), cwd=place.directory("shop-b")), (0, "b\n", ""))
    finish(child)


def test_notice_waits_for_no_reader(place):
    """A full stderr does not hold the keeper up"""
    port = free_port()
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    with Holder(port):
        child = place.start("run", "--", *server(port, "a", "stdin"), stdin=subprocess.PIPE, stderr=write)
        line(child.stdout)
        child.stdin.close()
        same(child.wait(timeout=30), 0)
    os.close(read)
    os.close(write)


def test_file_during_and_after(place):
    """The discovery file is there while the server lives, 0600, and gone after"""
    port = free_port()
    child, actual = serve(place, port, "a")
    entry = read_json(discovery(place))["services"][str(port)]
    same((entry["port"], entry["requested"], entry["state"]), (actual, port, "listening"))
    same(os.stat(discovery(place)).st_mode & 0o777, 0o600)
    finish(child)
    same(os.path.exists(discovery(place)), False)
    same(place.runs(), [])


def test_file_of_two_runs(place):
    """The end of one run leaves the other's entries"""
    port = free_port()
    first, _ = serve(place, port, "a")
    second, actual = serve(place, port, "b", "--quiet")
    same(len(keys(discovery(place))), 2)
    finish(first)
    services = read_json(discovery(place))["services"]
    same([entry["port"] for entry in services.values()], [actual])
    same(place.run("run", "--", *client(port))[1], "b\n", "clients go to the one that is left")
    finish(second)
    same(os.path.exists(discovery(place)), False)


def test_file_of_renamed_project(place):
    """A project that gets a manifest, or another name in it, is called so by the next run"""
    port = free_port()
    for name in None, "first", "second":
        if name:
            with open(os.path.join(place.project, "ports.manifest.json"), "w") as file:
                file.write('{ "version": 1, "project": "%s", "services": {} }' % name)
        child, _ = serve(place, port, "a")
        found = read_json(discovery(place))
        same((found["project"], found["environment"]), (name or "shop", name or "shop"))
        finish(child)


def test_heartbeat(place):
    """The file stays fresh while its owner lives"""
    child, _ = serve(place, free_port(), "a", env={"PORTSHIM_HEARTBEAT_MS": "20"})
    first = os.stat(discovery(place)).st_mtime_ns
    second = until(lambda: (lambda now: now if now != first else None)(os.stat(discovery(place)).st_mtime_ns), "a beat")
    until(lambda: os.stat(discovery(place)).st_mtime_ns != second, "another one")
    finish(child)
    same(os.path.exists(discovery(place)), False)


def test_heartbeat_sees_the_dead(place):
    """The entry of a grandchild that was killed goes at the next beat"""
    port = free_port()
    script = '"$@" & echo $!; wait; echo over; read line <&3'
    child = place.start("run", "--", "sh", "-c", "exec 3<&0; " + script, "sh", *server(port, "a"),
                        stdin=subprocess.PIPE, env={"PORTSHIM_HEARTBEAT_MS": "20"})
    pid = int(line(child.stdout))
    same(int(line(child.stdout)), port)
    same(keys(discovery(place)), [str(port)])
    os.kill(pid, signal.SIGKILL)
    same(line(child.stdout), "over\n")
    until(lambda: not os.path.exists(discovery(place)), "the file to go")
    same(child.poll(), None)
    child.stdin.close()
    child.wait(timeout=30)


def test_orphan_death(place):
    """The entry of an orphan goes when it dies, without waiting for a beat"""
    port = free_port()
    script = '( "$@" & echo $! ); exec sleep 1000'
    child = place.start("run", "--", "sh", "-c", script, "sh", *server(port, "a"),
                        env={"PORTSHIM_HEARTBEAT_MS": "60000"})
    pid = int(line(child.stdout))
    same(int(line(child.stdout)), port)
    until(lambda: os.path.exists(discovery(place)), "the file")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not os.path.exists(discovery(place)), "the file to go", 40)
    child.terminate()
    same(child.wait(timeout=30), -signal.SIGTERM)


def test_background_server(place):
    """A server in the background keeps its record after the end of run; its death is cleared away by the next run"""
    port = free_port()
    child = place.start("run", "--", "sh", "-c", '"$@" 2>/dev/null & echo $!; read line', "sh", *server(port, "daemon"),
                        stdin=subprocess.PIPE)
    pid = int(line(child.stdout))
    same(int(line(child.stdout)), port)
    try:
        child.stdin.close()
        child.wait(timeout=30)
        same(keys(discovery(place)), [str(port)])
        same(place.run("run", "--", *client(port))[1], "daemon\n")
        same(len(place.runs()), 1)
    finally:
        end(pid)
    until(lambda: not alive(pid), "the daemon to die")
    same(place.run("run", "--", "true")[0], 0)
    same(os.path.exists(discovery(place)), False)


def test_late_background_server(place):
    """A program that binds only after the main one has ended is still recorded"""
    port = free_port()
    child = place.start("run", "--", "sh", "-c", '(read line <&3; exec "$@") 3<&0 & echo $!', "sh", *server(port, "late"),
                        stdin=subprocess.PIPE)
    pid = int(line(child.stdout))
    try:
        child.wait(timeout=30)
        child.stdin.close()
        same(int(line(child.stdout)), port)
        until(lambda: os.path.exists(discovery(place)), "the record")
        same(keys(discovery(place)), [str(port)])
    finally:
        end(pid)


def test_after_keeper_killed(place):
    """What a killed keeper could not clear away the next run does"""
    port = free_port()
    child, _ = serve(place, port, "a")
    process = read_json(discovery(place))["services"][str(port)]["process_id"]
    child.kill()
    child.wait()
    same(keys(discovery(place)), [str(port)], "the program goes on, and its record with it")
    child.stdin.close()
    until(lambda: not alive(process), "the program to end")
    same(place.run("run", "--", "true")[0], 0)
    same(os.path.exists(discovery(place)), False)


def test_exec(place):
    """exec records too, in place; the next run clears away"""
    port = free_port()
    child = place.start("exec", "--", *server(port, "a", "stdin"), stdin=subprocess.PIPE)
    same(int(line(child.stdout)), port)
    same(read_json(discovery(place))["services"][str(port)]["process_id"], child.pid)
    same(place.run("run", "--", *client(port))[1], "a\n")
    child.stdin.close()
    same(child.wait(timeout=30), 0)
    same(place.run("run", "--", "true")[0], 0)
    same(os.path.exists(discovery(place)), False)


def test_isolate(place):
    """--isolate always moves, is reached from inside only, and leaves nothing"""
    port = free_port()
    inside = "%s run -- %s -c '%s' %d" % (PORTSHIM, PYTHON, CLIENT, port)
    child = place.start("run", "--isolate", "--", "sh", "-c",
                        '"$@" 3<&- & server=$!; exec 3<&0; read line; %s; kill $server; wait' % inside, "sh",
                        *server(port, "in"), stdin=subprocess.PIPE)
    actual = int(line(child.stdout))
    assert actual != port
    notice = line(child.stderr)
    same(notice, "portshim: %d -> %d (private environment)\n" % (port, actual))
    files = glob.glob(os.path.join(place.runtime, "env-*.json"))
    same(len(files), 1)
    same(keys(files[0]), [str(port)])
    same(place.run("run", "--", *client(port))[1], "refused\n", "from outside")
    child.stdin.write(b"go\n")
    child.stdin.flush()
    same(line(child.stdout), "in\n", "a run inside stays inside")
    child.wait(timeout=30)
    same([n for n in os.listdir(place.runtime) if n.startswith("run-") or n.endswith(".json")], [])
    same(len([n for n in os.listdir(place.runtime) if n.startswith("env-")]), 1, "only that of the client outside is left")
    same(os.path.exists(discovery(place)), False)


def test_dying_server(place):
    """A script that kills its server and ends leaves nothing either, if the server dies soon"""
    slow = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.02), sys.exit()))\n" + SERVER

    def left():
        return {name for name in os.listdir(place.runtime) if name.startswith("run-") or name.endswith(".json")}

    for _ in range(20):  # on a machine that is busy nothing is soon
        before = left()
        child = place.start("run", "--isolate", "--quiet", "--", "sh", "-c",
                            '"$@" <&- & server=$!; read line; kill $server', "sh", PYTHON, "-c", slow, str(free_port()),
                            "in", stdin=subprocess.PIPE)
        assert line(child.stdout)
        child.stdin.close()
        child.wait(timeout=30)
        if left() <= before:
            return
    raise AssertionError("something was left each time")


def test_nested_same_environment(place):
    """A run inside a run of the same environment: the outer's clients reach the inner's server"""
    port = free_port()
    script = '%s run -- "$@" & read line; %s -c \'%s\' %d; kill %%1; wait' % (PORTSHIM, PYTHON, CLIENT, port)
    child = place.start("run", "--", "bash", "-c", script, "bash", *server(port, "inner"), stdin=subprocess.PIPE)
    same(int(line(child.stdout)), port)
    same(keys(discovery(place)), [str(port)])
    child.stdin.write(b"go\n")
    child.stdin.flush()
    same(line(child.stdout), "inner\n")
    child.wait(timeout=30)
    same(place.runs(), [])
    same(os.path.exists(discovery(place)), False)


def test_nested_other_environment(place):
    """A run inside a run of another environment reaches the outer's server, and has ports of its own"""
    port = free_port()
    outer, _ = serve(place, port, "shared")
    script = '%s run --env inner -- %s -c \'%s\' %d' % (PORTSHIM, PYTHON, CLIENT, port)
    same(place.run("run", "--", "sh", "-c", script)[1], "shared\n")
    script = "%s run --isolate -- %s -c '%s' %d" % (PORTSHIM, PYTHON, CLIENT, port)
    same(place.run("run", "--", "sh", "-c", script)[1], "refused\n", "a private one sees nothing around it")
    finish(outer)


def test_named_environment(place):
    """--env NAME is one environment from everywhere, with a file of its own"""
    port = free_port()
    child, _ = serve(place, port, "named", "--env", "demo")
    same(keys(os.path.join(place.project, ".portshim", "env", "demo", "ports.json")), [str(port)])
    same(os.path.exists(discovery(place)), False)
    same(place.run("run", "--env", "demo", "--", *client(port), cwd=place.directory("else"))[1], "named\n")
    same(place.run("run", "--", *client(port), cwd=place.directory("else"))[1], "refused\n")
    finish(child)


def test_removed_directory(place):
    """A .portshim that was removed (git clean) is made again by the next run"""
    import shutil
    port = free_port()
    same(place.run("run", "--env", "demo", "--", "true")[0], 0)
    shutil.rmtree(os.path.join(place.project, ".portshim"))
    child, _ = serve(place, port, "named", "--env", "demo", cwd=place.directory("else"))
    same(keys(os.path.join(place.project, ".portshim", "env", "demo", "ports.json")), [str(port)])
    finish(child)


def test_unwritable_project(place):
    """Where the project cannot be written the file lies in the runtime directory"""
    port = free_port()
    with open(os.path.join(place.project, ".portshim"), "w"):
        pass
    child, _ = serve(place, port, "a")
    files = glob.glob(os.path.join(place.runtime, "env-*.json"))
    same(len(files), 1)
    same(keys(files[0]), [str(port)])
    finish(child)
    same(glob.glob(os.path.join(place.runtime, "env-*.json")), [])


def test_privileged(place):
    """A port below the privileged ones is moved and the notice says why"""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 80:
            raise Skip("port 80 needs no privilege here")
    before = []
    if os.geteuid() == 0:
        before = ["setpriv", "--bounding-set", "-net_bind_service", "--inh-caps", "-net_bind_service"]
        if subprocess.call([*before, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) != 0:
            raise Skip("setpriv cannot take the privilege away")
    child = subprocess.Popen([*before, PORTSHIM, "run", "--", *server(80, "a", "stdin")], cwd=place.project,
                             env=place.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    place.started.append(child)
    actual = int(line(child.stdout))
    same(line(child.stderr), "portshim: 80 -> %d (80 needs a privilege that this user does not have)\n" % actual)
    finish(child)


def test_unrecorded(place):
    """A discovery file that cannot be written is told once, and the server works"""
    port = free_port()
    code = "import os, sys; print(flush=True); sys.stdin.readline(); os.execv(sys.argv[1], sys.argv[1:])"
    child = place.start("run", "--", PYTHON, "-c", code, *server(port, "a", "stdin"), stdin=subprocess.PIPE)
    same(line(child.stdout), "\n", "the program runs")
    same(len(place.runs()), 1)
    os.unlink(os.path.join(place.project, ".portshim", ".gitignore"))
    os.rmdir(os.path.join(place.project, ".portshim"))
    with open(os.path.join(place.project, ".portshim"), "w"):
        pass
    child.stdin.write(b"go\n")
    child.stdin.flush()
    same(int(line(child.stdout)), port)
    notice = line(child.stderr)
    same(notice, "portshim: the discovery file ~/shop/.portshim/ports.json cannot be written: Not a directory\n")
    same(place.run("run", "--", *client(port))[1], "a\n")
    same(finish(child), "")


def drawn_for(place, *how, options=()):
    """What a server cannot write itself is written, at once, and there is nothing to tell. Also the service's own file."""
    port = free_port()
    with open(os.path.join(place.project, "ports.manifest.json"), "w") as file:
        json.dump({"version": 1, "services": {"web": {"port": port, "discovery": "web.json"}}}, file)
    child = place.start("run", *options, "--", *server(port, "a", "stdin", *how), stdin=subprocess.PIPE,
                        env={"PORTSHIM_HEARTBEAT_MS": "60000"})
    same(int(line(child.stdout)), port)
    own = os.path.join(place.project, "web.json")
    until(lambda: os.path.exists(own), "its own file")
    same(read_json(own)["port"], port)
    same(keys(discovery(place)), ["web"])
    same(finish(child), "")
    same((os.path.exists(own), os.path.exists(discovery(place))), (False, False), "both go")


def test_drawn_for_limited(place):
    """The keeper writes the files of a server that may write none (RLIMIT_FSIZE)"""
    drawn_for(place, "small")


def test_drawn_for_nobody(place):
    """And of one that has become another user, whose touch of the run's file fails as well"""
    if os.geteuid() != 0:
        raise Skip("needs root")
    os.chmod(place.project, 0o755)
    drawn_for(place, "nobody")


def test_drawn_for_root(place):
    """And of one that has another root directory, also where nothing is to be told"""
    if os.geteuid() != 0:
        raise Skip("needs root")
    with tempfile.TemporaryDirectory() as root:
        drawn_for(place, "root", root, options=["--quiet"])


def test_leftover_files(place):
    """The file that exec leaves behind is removed by some later launch"""
    same(place.run("exec", "--", "true")[0], 0)
    runs = place.runs()
    same(len(runs), 1)
    with open(os.path.join(place.runtime, runs[0]), "r+b") as file:
        file.seek(80)  # struct ps_scope, created
        created = int.from_bytes(file.read(8), sys.byteorder)
        assert abs(created - time.time()) < 100, created
        file.seek(80)
        file.write((created - 100).to_bytes(8, sys.byteorder))
    for _ in range(5000):  # one launch in 64 looks
        same(place.run("run", "--", "true")[0], 0)
        if not place.runs():
            return
    raise AssertionError("still there: %s" % place.runs())


def manifest(place, **content):
    content.setdefault("version", 1)
    with open(os.path.join(place.project, "ports.manifest.json"), "w") as file:
        json.dump(content, file)


def test_service_notice_and_file(place):
    """A service is announced by its name; its own file stays fresh, and is gone after"""
    port = free_port()
    manifest(place, project="shop", services={"web": {"port": port, "discovery": ".web-port.json"}})
    path = os.path.join(place.project, ".web-port.json")
    with Holder(port):
        child, actual = serve(place, port, "a", env={"PORTSHIM_HEARTBEAT_MS": "20"})
        notice = line(child.stderr)
        same(notice.startswith("portshim: web %d -> %d (" % (port, actual)), True, notice)
        same(sorted(read_json(path)), ["host", "port", "process_id", "timestamp", "url"])
        same(read_json(path)["port"], actual)
        first = os.stat(path).st_mtime_ns
        until(lambda: os.stat(path).st_mtime_ns != first, "a beat")
        finish(child)
    same(os.path.exists(path), False)


def test_service_file_of_another_run(place):
    """A service's own file stays with the run that has it, and goes to the next one when that ends"""
    port = free_port()
    manifest(place, services={"web": {"port": port, "discovery": ".web-port.json"}})
    path = os.path.join(place.project, ".web-port.json")
    first, earlier = serve(place, port, "a", "--quiet")
    second, actual = serve(place, port, "b", "--quiet")
    same(read_json(path)["port"], earlier)
    finish(first)
    same(read_json(path)["port"], actual)
    finish(second)
    same(os.path.exists(path), False)


def test_service_file_of_a_killed_server(place):
    """The file of a server that was killed does not keep naming its port when that is another project's by then"""
    port = free_port()
    other = place.directory("other")
    for project in (place.project, other):
        with open(os.path.join(project, "ports.manifest.json"), "w") as file:
            json.dump({"version": 1, "services": {"web": {"port": port, "discovery": ".web-port.json"}}}, file)
    path = os.path.join(place.project, ".web-port.json")
    killed = place.start("exec", "--", *server(port, "a", "stdin"), stdin=subprocess.PIPE)
    same(int(line(killed.stdout)), port)
    killed.kill()
    killed.wait()
    stranger, taken = serve(place, port, "b", "--quiet", cwd=other)
    same(taken, port, "the other project has the port now")
    same(place.run("status", "--all")[0], 0)
    same(os.path.exists(path), False, "the look takes the file away")
    with open(path, "w") as file:
        json.dump({"port": port, "host": "localhost", "process_id": killed.pid}, file, separators=(",", ":"))
    again, actual = serve(place, port, "a", "--quiet")
    same((actual != port, read_json(path)["port"]), (True, actual), "the next server has the file")
    finish(again)
    finish(stranger)


def test_service_file_that_was_not_written(place):
    """A writer that was killed before it wrote the service's own file is helped out by the next look"""
    port = free_port()
    manifest(place, services={"web": {"port": port, "discovery": ".web-port.json"}})
    path = os.path.join(place.project, ".web-port.json")
    child, actual = serve(place, port, "a", "--quiet")
    os.unlink(path)
    same(place.run("status")[0], 0)
    same(read_json(path)["port"], actual)
    finish(child)
    same(os.path.exists(path), False)


def test_service_file_half_written(place):
    """What a writer that was killed has drawn of the service's own file goes at the next look"""
    port = free_port()
    manifest(place, services={"web": {"port": port, "discovery": ".web-port.json"}})
    path = os.path.join(place.project, ".web-port.json")
    child = place.start("exec", "--", *server(port, "a", "stdin"), stdin=subprocess.PIPE)
    same(int(line(child.stdout)), port)
    child.kill()
    child.wait()
    env = [name[4:] for name in os.listdir(place.runtime) if name.startswith("env-")]
    os.rename(path, "%s.tmp-%s" % (path, env[0]))
    same(place.run("status", "--all")[0], 1)
    same([name for name in os.listdir(place.project) if name.startswith(".web-port")], [])


# Its child has the listener as well. Prints the child's process id when it listens; the first process does nothing else.
FORKED = """
import os, signal, socket, sys
if os.fork():
    os.wait()
    print("gone", flush=True)
    signal.pause()
listener = socket.socket()
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
signal.pause()
"""


def test_owner_killed(place):
    """Where the process that listened is killed and its child goes on, the next look says that the child has the port"""
    port = free_port()
    manifest(place, services={"web": {"port": port, "discovery": ".web-port.json"}})
    root = place.start("exec", "--", PYTHON, "-c", FORKED, str(port))
    owner, child = [int(word) for word in line(root.stdout).split()]
    try:
        same(read_json(discovery(place))["services"]["web"]["process_id"], owner)
        os.kill(owner, signal.SIGKILL)
        same(line(root.stdout).strip(), "gone")
        same(place.run("status")[0], 0)
        same(read_json(discovery(place))["services"]["web"]["process_id"], child)
        same(read_json(os.path.join(place.project, ".web-port.json"))["process_id"], child)
    finally:
        end(child)


def test_exhausted(place):
    """When no candidate is left the program gets its error, and the notice says who holds what"""
    port = free_port()
    manifest(place, services={"web": {"port": port}}, defaults={"range": "%d-%d" % (port, port), "os": False})
    with Holder(port):
        code = "import socket; s = socket.socket(); s.bind(('127.0.0.1', %d))" % port
        status, _, err = place.run("run", "--", PYTHON, "-c", code)
    same((status, "Address already in use" in err), (1, True), err)
    notices = [text for text in err.splitlines() if text.startswith("portshim: no port is left for web %d: " % port)]
    same(len(notices), 1, err)
    assert "pid %d" % os.getpid() in notices[0], notices
    assert "hint: `portshim why %d` says more" % port in err, err


def test_exhausted_range(place):
    """Holders of the other candidates are named, as far as three"""
    ports = list({free_port() for _ in range(20)})[:6]
    manifest(place, services={"web": {"ports": ports}}, defaults={"range": "%d-%d" % (ports[0], ports[0]), "os": False})
    with contextlib.ExitStack() as holders:
        for port in ports:
            holders.enter_context(Holder(port))
        code = "import socket; s = socket.socket(); s.bind(('127.0.0.1', %d))" % ports[0]
        err = place.run("run", "--", PYTHON, "-c", code)[2]
    for port in ports[:4]:
        assert "; %d is held by " % port in err or ": %d is held by " % port in err, (port, err)
    assert "; 2 more are taken, too; the program got" in err, err


def test_fixed(place):
    """Without fallback: the port itself or an error, also in a private environment, and in a profile that is chosen by variables"""
    port = free_port()
    manifest(place, services={"web": {"port": port}},
             profiles={"ci": {"when": {"PINNED": "yes"}, "services": {"web": {"fallback": False}}}})
    code = "import socket; s = socket.socket(); s.bind(('127.0.0.1', %d)); s.listen(); print(s.getsockname()[1])" % port
    same(place.run("run", "--isolate", "--", PYTHON, "-c", code, env={"PINNED": "yes"})[1], "%d\n" % port)
    with Holder(port):
        status, out, err = place.run("run", "--", PYTHON, "-c", code, env={"PINNED": "yes"})
        same((status, out), (1, ""), err)
        assert "no port is left for web %d: %d is held by " % (port, port) in err and '"fallback" is false' in err, err
        status, out, err = place.run("run", "--", PYTHON, "-c", code)
        assert status == 0 and int(out) != port, (status, out, err)
        # --profile= is none, whatever the variables say
        same(place.run("run", "--profile=", "--", PYTHON, "-c", code, env={"PINNED": "yes"})[0], 0)


def test_set_already(place):
    """A number in the program's own variable is the service's, unless another service declares it"""
    port, other, own = free_port(), free_port(), free_port()
    manifest(place, services={"web": {"port": port, "env": ["PORT"], "discovery": ".web-port.json", "match": {"args": "*import*"}},
                              "api": {"port": other}})
    code = ("import json, os, socket\ns = socket.socket()\ns.bind(('127.0.0.1', int(os.environ['PORT'])))\ns.listen()\n"
            "print(open('.web-port.json').read() if os.path.exists('.web-port.json') else '{}')")
    same(json.loads(place.run("run", "--", PYTHON, "-c", code)[1])["port"], port)
    same(json.loads(place.run("run", "--", PYTHON, "-c", code, env={"PORT": str(own)})[1])["port"], own)
    same(json.loads(place.run("run", "--", PYTHON, "-c", code, env={"PORT": str(other)})[1]), {})
    with Holder(own):
        status, out, err = place.run("run", "--", PYTHON, "-c", code, env={"PORT": str(own)})
    assert "portshim: web %d -> %d (" % (own, json.loads(out)["port"]) in err, err


def test_injection(place):
    """The manifest's variables are set, for the service that fits, and never over what is set"""
    manifest(place, services={
        "web": {"port": 3000, "env": ["PORT"], "match": {"command": "sh", "args": "*web*"}},
        "api": {"port": 4010, "env": {"API_PORT": "{port}", "API_URL": "{url}"}},
    })
    show = "echo ${PORT-none} ${API_PORT-none} ${API_URL-none} # %s"
    same(place.run("run", "--", "sh", "-c", show % "web")[1], "3000 4010 http://localhost:4010\n")
    same(place.run("run", "--", "sh", "-c", show % "other")[1], "none 4010 http://localhost:4010\n")
    same(place.run("run", "--service", "web", "--", "sh", "-c", show % "other", env={"API_PORT": "7"})[1],
         "3000 7 http://localhost:4010\n")
    status, _, err = place.run("run", "--service", "wep", "--", "true")
    same((status, "did you mean `web`" in err), (125, True), err)


main(globals())
