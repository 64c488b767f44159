#!/usr/bin/python3
"""portshim free, against real processes.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/free.py
"""
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import harness
from harness import PORTSHIM, PYTHON, check, command, help_examples, run_parts, skip, stop, write

SERVER = r"""
import os, signal, socket, sys, time
port, kind = int(sys.argv[1]), sys.argv[2]
def listen(family=socket.AF_INET, reuse=True, where="127.0.0.1"):
    s = socket.socket(family)
    if reuse:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind == "reuseport":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind((where, port))
    s.listen(8)
    return s
def ready():
    print("ready", flush=True)
def serve(s):
    while True:
        s.accept()
if kind == "udp":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    ready()
    signal.pause()
elif kind == "connected":
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    s.connect(("127.0.0.1", 9))
    ready()
    signal.pause()
elif kind == "bound":
    s = socket.socket()
    s.bind(("127.0.0.1", port))
    ready()
    signal.pause()
elif kind in ("plain", "reuseport"):
    s = listen()
    ready()
    serve(s)
elif kind == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    s = listen()
    ready()
    serve(s)
elif kind == "both":
    s = listen()
    t = listen(socket.AF_INET6, where="::1")
    ready()
    serve(s)
elif kind == "drain":
    # Stops listening when it is asked to end, and serves on.
    s = listen()
    def closing(*_):
        s.close()
        print("closed", flush=True)
    signal.signal(signal.SIGTERM, closing)
    ready()
    while True:
        signal.pause()
elif kind in ("workers", "orphans"):
    # A master and its workers share a listener. "workers": the master ends them, and says by which signal.
    s = listen()
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            serve(s)
        children.append(pid)
    ready()
    def end(*_):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if kind == "workers":
            for c in children:
                os.kill(c, signal.SIGUSR1)
            for c in children:
                print(os.WTERMSIG(os.waitpid(c, 0)[1]), flush=True)
        os._exit(0)
    signal.signal(signal.SIGTERM, end)
    while True:
        signal.pause()
elif kind == "leak":
    # A child that has nothing to do with it, and outlives its parent.
    s = listen()
    os.set_inheritable(s.fileno(), True)
    import subprocess
    c = subprocess.Popen(["sleep", "300"], close_fds=False)
    print(c.pid, flush=True)
    serve(s)
elif kind == "parent":
    # Has the port, and runs a command below a shell of its own.
    s = listen()
    import subprocess
    r = subprocess.run(["sh", "-c", '"$@"; exit $?', "sh"] + sys.argv[3:], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    sys.stdout.write(r.stdout + r.stderr)
    sys.exit(r.returncode)
elif kind == "inherit":
    s = listen()
    os.set_inheritable(s.fileno(), True)
    os.execvp(sys.argv[3], sys.argv[3:])
elif kind == "supervisor":
    # Starts a server anew as long as it lives.
    import subprocess
    while True:
        c = subprocess.Popen([sys.executable, sys.argv[3], str(port), "plain"], stdout=subprocess.PIPE)
        c.stdout.readline()
        print(c.pid, flush=True)
        c.wait()
elif kind == "closing":
    # No SO_REUSEADDR, and a connection that closes first: TIME_WAIT bars the port.
    s = listen(reuse=False)
    c = socket.create_connection(("127.0.0.1", port))
    a, _ = s.accept()
    a.close()
    c.recv(1)
    c.close()
    ready()
    serve(s)
"""


def unused():
    """Also where portshim's default range is."""
    return harness.free_port(10000, 30000)


def run(*words, cwd="shop", **variables):
    return harness.run(*words, cwd=cwd, **variables)


def serve(port, kind="plain", *words, cwd="shop", before=(), **more):
    """A server; returns when it has the port. What it said is in .said."""
    return harness.server(*before, PYTHON, os.path.abspath("serve.py"), str(port), kind, *words, cwd=cwd, stderr=None,
                          **more)


def listens(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def ended(p, number):
    """The process ended by that signal."""
    return p.wait(harness.LIMIT) == -number


def check_politely():
    port = unused()
    p = serve(port)
    status, out, _ = run("free", "--dry-run", str(port))
    check(status == 0 and "%d would be freed\n" % port in out and "pid %d, " % p.pid in out and p.poll() is None,
          "dry run: " + out)
    for word in ("command ", "user ", "directory ", "environment  none", "started "):
        check("\n  " + word in out, "%s is told: %s" % (word, out))
    status, out, err = run("free", str(port))
    check(status == 0 and ended(p, signal.SIGTERM) and not listens(port), "ended by SIGTERM: %s %s" % (out, err))
    check("%d is free: " % port in out and "pid %d: ended" % p.pid in out, "it says so: " + out)
    check(run("free", str(port)) == (0, "%d is free: nobody holds it\n" % port, ""), "a free port")
    p = serve(port, "udp")
    check(run("free", "-q", str(port)) == (0, "", "") and ended(p, signal.SIGTERM), "UDP, quiet")
    p = serve(port, "both")
    check(run("free", str(port))[0] == 0 and ended(p, signal.SIGTERM), "two sockets of one process")
    one, two = serve(port), serve(unused())
    ports = [str(port), two.args[2]]
    status, out, _ = run("free", *ports)
    check(status == 0 and ended(one, signal.SIGTERM) and ended(two, signal.SIGTERM), "two ports")
    check(all("%s is free: " % n in out for n in ports), "two ports: " + out)
    p = serve(port)
    p.send_signal(signal.SIGSTOP)
    check(run("free", str(port), "--timeout", "60")[0] == 0 and ended(p, signal.SIGTERM),
          "a stopped process goes on to end")


def check_firmly():
    port = unused()
    p = serve(port, "stubborn")
    begin = time.monotonic()
    status, out, _ = run("free", str(port), "--timeout", "300ms")
    check(status == 0 and ended(p, signal.SIGKILL) and "killed" in out, "SIGKILL: " + out)
    check(0.3 <= time.monotonic() - begin < harness.LIMIT, "after the timeout")
    p = serve(port, "stubborn")
    check(run("free", str(port), "--timeout", "0")[0] == 0 and ended(p, signal.SIGKILL), "at once")
    p = serve(port, "drain")
    status, out, _ = run("free", str(port), "--timeout", "60")
    check(status == 0 and p.stdout.readline() == "closed\n" and p.poll() is None,
          "who lets go of the port is left alone")
    p.kill()
    begin = time.monotonic()
    p = serve(port)
    run("free", str(port), "--timeout", "forever")
    check(time.monotonic() - begin < harness.LIMIT, "an event ends the wait")


def check_shared():
    port = unused()
    p = serve(port, "workers")
    status, out, _ = run("free", str(port))
    # The master's own signal ended the workers: none was taken from it.
    check(status == 0 and p.communicate()[0].split() == [str(int(signal.SIGUSR1))] * 3,
          "the master ends its workers: " + out)
    check(p.returncode == 0 and not listens(port), "it ends in its own way")
    p = serve(port, "orphans")
    status, out, _ = run("free", str(port))
    check(status == 0 and p.wait(harness.LIMIT) == 0 and not listens(port) and out.count(": ended") == 4,
          "workers that are left: " + out)
    p = serve(port, "leak")
    status, out, _ = run("free", str(port))
    check(status == 0 and ended(p, signal.SIGTERM) and "sleep, pid %s: ended" % p.said in out,
          "a child that inherited: " + out)
    group = [serve(port, "reuseport") for _ in range(3)]
    check(run("free", str(port))[0] == 0 and all(ended(p, signal.SIGTERM) for p in group), "SO_REUSEPORT")
    # If one of them may not be ended, none is.
    own = serve(port, "reuseport")
    other = serve(port, "reuseport", cwd="other")
    status, _, err = run("free", str(port))
    check(status == 1 and own.poll() is None and other.poll() is None and "pid %d" % other.pid in err,
          "all or none: " + err)
    check(run("free", "--force", str(port))[0] == 0 and ended(own, signal.SIGTERM) and ended(other, signal.SIGTERM),
          "all")


def check_refused():
    port = unused()
    for where in ("other", "shop/nested", "/"):
        p = serve(port, cwd=where)
        status, out, err = run("free", str(port))
        check(status == 1 and p.poll() is None and "another project" in err and "--force" in err, "%s: %s" % (where,
                                                                                                              err))
        check(run("free", "--dry-run", str(port))[0] == 1, "the dry run says the same")
        check(run("free", "--force", "--dry-run", str(port))[0] == 0 and p.poll() is None, "with --force")
        check(run("free", "--force", str(port))[0] == 0 and ended(p, signal.SIGTERM), "--force")
    p = serve(port, cwd="shop/deep")
    check(run("free", str(port))[0] == 0 and ended(p, signal.SIGTERM), "a directory of the project")
    os.mkdir("shop/gone")
    p = serve(port, cwd="shop/gone")
    os.rmdir("shop/gone")
    check(run("free", str(port))[0] == 1 and p.poll() is None, "a directory that is gone")
    stop(p)
    # Somebody in the home directory is in no project that has all others.
    os.makedirs("home/thing", exist_ok=True)
    p = serve(port, cwd="home/thing")
    check(run("free", str(port), cwd="home", HOME=os.path.abspath("home"))[0] == 1 and p.poll() is None, "at home")
    check(run("free", str(port), cwd="home/thing", HOME=os.path.abspath("home"))[0] == 0, "in the directory itself")
    p.wait()

    if os.getuid() == 0:
        p = serve(port, user=65534)
        status, _, err = run("free", str(port))
        check(status == 1 and p.poll() is None and "user nobody" in err, "another user's: " + err)
        check(run("free", "--force", str(port))[0] == 0 and ended(p, signal.SIGTERM), "another user's, --force")
        p = serve(port)
        status, _, err = as_nobody("free", "--force", str(port))
        check(status == 1 and p.poll() is None and "cannot be seen" in err, "an ordinary user and root's: " + err)
        stop(p)
        p = serve(port, before=("unshare", "--mount"))
        status, _, err = run("free", str(port))
        check(status == 1 and p.poll() is None and "container" in err, "another namespace: " + err)
        stop(p)
        # Its processes cannot be seen, the socket can.
        p = serve(port)
        status, out, err = hidden("free", "--force", str(port))
        check(status == 1 and p.poll() is None and "cannot be seen from here" in err and "container" in err,
              "no process to be seen: %s %s" % (out, err))
        stop(p)
    else:
        skip("other users and namespaces", "only root can have them")


def as_nobody(*words):
    runtime = tempfile.mkdtemp()
    os.chown(runtime, 65534, 65534)
    result = command(PORTSHIM, *words, cwd="/", user=65534, PORTSHIM_RUNTIME_DIR=runtime)
    shutil.rmtree(runtime)
    return result


def hidden(*words):
    """In a pid namespace of its own, with its own /proc: as in a container with the host's network."""
    return command("unshare", "--pid", "--fork", "--mount-proc", PORTSHIM, *words, cwd="shop")


def check_protocol():
    """Two servers have one number, by TCP and by UDP: one of them is meant."""
    port = unused()
    tcp, udp = serve(port), serve(port, "udp")
    status, out, _ = run("free", "--dry-run", str(port))
    check(status == 0 and "pid %d, " % tcp.pid in out and "pid %d, " % udp.pid in out, "both, without it: " + out)
    status, out, _ = run("free", "--protocol", "udp", str(port))
    check(status == 0 and ended(udp, signal.SIGTERM) and tcp.poll() is None and "pid %d" % tcp.pid not in out,
          "--protocol udp: " + out)
    check(run("free", "--protocol=udp", str(port))[1] == "%d is free: nobody holds it\n" % port, "nobody by UDP")
    udp = serve(port, "udp")
    check(run("free", "--protocol", "tcp", str(port))[0] == 0 and ended(tcp, signal.SIGTERM) and udp.poll() is None,
          "--protocol tcp")
    connected = serve(unused(), "connected")
    check(run("free", "--protocol", "udp", connected.args[2])[0] == 0 and ended(connected, signal.SIGTERM),
          "a UDP socket with a peer")
    write("shop/ports.manifest.json", {"version": 1, "services": {"dns": {"port": port, "protocol": "udp"},
                                                                  "web": {"port": port - 1, "protocol": "tcp"}}})
    status, _, err = run("free", "--protocol", "tcp", "dns")
    check(status == 2 and "`dns` has no port by tcp" in err and udp.poll() is None, "not the service's: " + err)
    check(run("free", "dns")[0] == 0 and ended(udp, signal.SIGTERM), "a service's own protocol")
    status, _, err = run("free", "--protocol", "sctp", str(port))
    check(status == 2 and "tcp or udp" in err, "no protocol: " + err)


def check_never():
    port = unused()
    serves = (PYTHON, os.path.abspath("serve.py"), str(port))
    for words in ((), ("--force",)):
        status, out, _ = command(*serves, "parent", PORTSHIM, "free", *words, str(port), cwd="shop")
        check(status == 1 and "started by it" in out, "its own parents %s: %s" % (words, out))
    # A listener that it inherited itself is no holder to be ended.
    status, out, _ = command(*serves, "inherit", PORTSHIM, "free", str(port), cwd="shop")
    check(status == 0 and "nobody holds it" in out, "it inherits the listener: %s" % out)
    if os.getuid() == 0:
        status, out, _ = command("unshare", "--pid", "--fork", "--mount-proc", *serves, "parent", PORTSHIM, "free",
                                 "--force", str(port), cwd="shop")
        check(status == 1 and "it is pid 1" in out, "pid 1: " + out)
    else:
        skip("pid 1", "only root can have another")


def check_again():
    port = unused()
    p = serve(port, "supervisor", os.path.abspath("serve.py"))
    begin = time.monotonic()
    codes = set()
    for _ in range(5):
        status, out, err = run("free", str(port))
        codes.add(status)
        if status == 1:
            break
        p.said = p.stdout.readline().strip()
    check(codes <= {0, 1} and time.monotonic() - begin < 5 * harness.LIMIT, "a server that is started anew: %s %s" % (out, err))
    if status == 1:
        check("taken again by" in err and "pid %d: end that first" % p.pid in err, "who starts it: " + err)
    stop(p)
    run("free", str(port))
    p = serve(port, "bound")
    status, out, err = run("free", str(port))
    check(status == 1 and "does not listen" in err and p.poll() is None, "bound, without listening: " + err)
    stop(p)
    p = serve(port, "closing")
    status, out, err = run("free", str(port))
    check(status == 1 and "closing" in err and ended(p, signal.SIGTERM), "connections that close: %s %s" % (out, err))


def check_json():
    port = unused()
    p = serve(port)
    status, out, _ = run("free", "--json", "--dry-run", str(port))
    one = json.loads(out)["ports"][0]
    check(status == 0 and one["outcome"] == "would-free" and one["port"] == port and one["service"] == "", out)
    holder = one["holders"][0]
    check(holder["process_id"] == p.pid and holder["parent_id"] == os.getpid() and
          holder["directory"] == os.path.abspath("shop") and holder["protocol"] == "tcp" and
          holder["signal"] == "" and holder["holds"] is True, out)
    status, out, _ = run("free", "--json", str(port), str(unused()))
    found = json.loads(out)["ports"]
    check(status == 0 and [o["outcome"] for o in found] == ["freed", "free"] and p.wait(harness.LIMIT) == -15, out)
    check(found[0]["holders"][0]["signal"] == "SIGTERM" and found[0]["holders"][0]["holds"] is False, out)
    p = serve(port, cwd="other")
    status, out, err = run("free", "--json", str(port))
    check(status == 1 and json.loads(out)["ports"][0]["outcome"] == "refused" and "another project" in err, out)
    stop(p)


def check_services():
    """Under portshim: a service is the port that it has now, wherever that is."""
    port = unused()
    services = {"web": {"port": port, "range": "%d-%d" % (port, port + 20)}}
    for name in ("shop", "other"):
        write(name + "/ports.manifest.json", {"version": 1, "project": name, "services": services})
    first = serve(port, cwd="other", before=(PORTSHIM, "run", "--quiet", "--"))
    second = serve(port, cwd="shop", before=(PORTSHIM, "run", "--quiet", "--"))
    moved = int(run("port", "web")[1])
    check(moved != port, "the second is moved")
    status, out, err = run("free", str(port))
    check(status == 1 and "environment other" in err and first.poll() is None, "a number is the port itself: " + err)
    status, out, err = run("free", "web")
    check(status == 0 and "%d is free: " % moved in out and "environment  shop" in out and first.poll() is None,
          "a service is where it is now: " + out + err)
    check(second.wait(harness.LIMIT) == -15, "run ends as its program does")
    status, out, err = run("free", "web")
    check(status == 1 and "environment other" in err, "one that does not run is its port in the manifest: " + err)
    inside = run("exec", "--quiet", "--", PORTSHIM, "free", str(port))
    check(inside[0] == 1 and "environment other" in inside[2], "inside of a run: %s" % (inside,))
    check(run("free", "web", cwd="other")[0] == 0 and first.wait(harness.LIMIT) == -15, "in its own project")
    p = serve(port, cwd="/", before=(PORTSHIM, "run", "--quiet", "--env", "ci", "--"))
    check(run("free", str(port))[0] == 1, "a named environment")
    check(run("free", "--env", "ci", str(port))[0] == 0 and p.wait(harness.LIMIT) == -15, "by its name")


def check_examples():
    """What --help shows first, as it stands there."""
    first = harness.free_row(2)
    ports = {"3000": 3000, "web": first, "api": first + 1}
    if listens(3000):
        skip("the examples", "somebody holds 3000")
        return
    write("shop/ports.manifest.json", {"version": 1, "services": {n: {"port": ports[n]} for n in ("web", "api")}})
    for words in help_examples("free"):
        servers = [serve(ports[w]) for w in words[2:] if w in ports]
        status, out, err = run(*words[1:])
        check(servers and status == 0, "%s: %s %s" % (words, out, err))
        if "--dry-run" in words:
            check(all(p.poll() is None for p in servers), "%s ends nobody" % words)
            for p in servers:
                p.kill()
        check(all(p.wait(harness.LIMIT) for p in servers), "%s: they are ended" % words)


def check_usage():
    for words in ((), ("0",), ("70000",), ("wbe",), ("--timeout", "x", "3000"), ("--nonsense", "3000")):
        status, out, err = run("free", *words)
        check(status == 2 and out == "" and err, "%s: %s" % (words, err))
    status, out, _ = run("free", "--help")
    check(status == 0 and out.startswith("Examples:\n"), "--help")
    # A mistake further on: nobody is ended.
    port = unused()
    p = serve(port)
    check(run("free", str(port), "wbe")[0] == 2 and p.poll() is None, "a mistake in the second operand")
    stop(p)


def prepare():
    """Two projects side by side, and one inside of another."""
    os.chmod(".", 0o755)
    write("serve.py", SERVER)
    os.makedirs("shop/deep", exist_ok=True)
    for name in ("shop", "shop/nested", "other"):
        write(name + "/ports.manifest.json", {"version": 1, "services": {}})


run_parts(check_politely, check_firmly, check_shared, check_refused, check_protocol, check_never, check_again,
          check_json, check_usage, check_examples, check_services, before=prepare)
