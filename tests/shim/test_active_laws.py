"""The laws of a port space, with real processes."""
import os
import socket
import subprocess
import sys

from active import (BUILD, LIMIT, PORTSHIM, STEPS, Program, Skip, ask, discovery, discovery_path, main, outsider,
                    port, run,
                    same, server, until)


def test_law_1(place):
    """Law 1: what bind gave is held by the kernel at once, and a bind that failed leaves no assignment"""
    p = port()
    holder = outsider(p)
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "kernel", "wait"])
    same(program.get("bind"), "ok")
    actual = int(program.get("kernel"))
    assert actual != p
    with socket.socket() as rival:
        try:
            rival.bind(("127.0.0.1", actual))
            raise AssertionError("an outsider could bind the assigned port")
        except OSError as error:
            same(error.strerror, "Address already in use")
    holder.close()
    lines = run(place, "tcp4", "bind", "192.0.2.1", port(), "say", "done", env="other")
    same(lines, ["bind EADDRNOTAVAIL", "done"])
    assert not os.path.exists(discovery_path(place, "other"))


def test_law_2_families(place):
    """Law 2: one actual port for 0.0.0.0, 127.0.0.1, ::1, TCP and UDP, in all processes of a run"""
    p = port()
    holder = outsider(p)
    lines = run(place, "tcp4", "bind", "127.0.0.1", p, "listen", "kernel", "tcp6", "v6only", "bind", "::1", p, "listen",
                "kernel", "udp4", "bind", "0.0.0.0", p, "kernel", "udp6", "v6only", "bind", "::", p, "kernel", "fork",
                "use", 0, "close", "tcp4", "reuseaddr", "bind", "127.0.0.1", p, "kernel")
    kernel = [text.split()[1] for text in lines if text.startswith("kernel")]
    same(len(kernel), 5, lines)
    same(set(kernel[:4]), {kernel[0]}, lines)
    assert int(kernel[0]) != p
    holder.close()


def test_law_2_free_on_both(place):
    """Law 2: a port that somebody has on ::1 only is not free for 127.0.0.1 either"""
    p = port()
    try:
        holder = outsider(p, address="::1")
    except OSError as error:
        raise Skip("no IPv6") from error
    _, _, kernel = server(place, p, "mine")
    assert kernel != p, "localhost would reach two servers"
    same(ask(place, p), "mine")
    holder.close()
    p = port()
    holder = outsider(p, family=socket.AF_INET, address="127.0.0.1")
    _, _, kernel = server(place, p, "six", address="::1", family="tcp6")
    assert kernel != p
    same(ask(place, p, address="::1", family="tcp6"), "six")
    holder.close()


def test_law_2_sticky(place):
    """Law 2: the same environment gets the same actual port again, also after a restart"""
    p = port()
    holder = outsider(p)
    first, _, actual = server(place, p, "one")
    first.go()
    first.end()
    second, _, again = server(place, p, "two")
    same(again, actual)
    same(ask(place, p), "two")
    second.go()
    second.end()
    # a program that probes, closes and binds
    same([t for t in run(place, *["tcp4", "reuseaddr", "bind", "127.0.0.1", p, "kernel", "close"] * 2)
          if t.startswith("kernel")], ["kernel %d" % actual] * 2)
    holder.close()


def test_law_2_addresses(place):
    """Law 2: different addresses of 127/8 stay different listeners"""
    p = port()
    holder = outsider(p)
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "listen", "tcp4", "bind", "127.0.0.2", p, "listen",
                              "say", "up",
                              "tcp4", "connect", "127.0.0.2", p, "use", 1, "accept", "say", "right"])
    same([t for t in program.end() if t in ("right", "accept ok")], ["accept ok", "right"])
    holder.close()


def test_law_3(place):
    """Law 3: the second bind in a run gets EADDRINUSE, another run of the same environment is moved"""
    p = port()
    program, _, kernel = server(place, p, "first")
    same(kernel, p)
    lines = run(place, "tcp4", "bind", "127.0.0.1", p, "name", "kernel", "tcp4", "bind", "127.0.0.1", p)
    same(lines[0], "bind ok")
    same(lines[1], "name %d" % p)
    assert lines[2] != "kernel %d" % p, lines
    same(lines[3], "bind EADDRINUSE")
    program.go()


def test_law_4_unmanaged(place):
    """Law 4: moved into the default range, by nobody's port"""
    p = port()
    holder = outsider(p)
    _, _, kernel = server(place, p, "x")
    assert 20000 <= kernel <= 29999, kernel
    same(discovery(place)["services"][str(p)]["reason"], "default-range")
    holder.close()


def test_law_5(place):
    """Law 5: connecting to, and binding, an actual port of one's own environment is taken as it is"""
    p = port()
    holder = outsider(p)
    program, shown, kernel = server(place, p, "same")
    same(shown, kernel)
    same(ask(place, kernel), "same")
    same(ask(place, p), "same")
    same([t for t in run(place, "tcp4", "connect", "127.0.0.1", kernel, "peer") if t.startswith("peer")],
         ["peer %d" % kernel])
    program.go()
    program.end()
    lines = run(place, "tcp4", "reuseaddr", "bind", "127.0.0.1", p, "kernel", "close", "tcp4", "reuseaddr", "bind",
                "127.0.0.1", kernel, "kernel")
    same(lines[-1], "kernel %d" % kernel, lines)
    holder.close()


def test_law_6(place):
    """Law 6: port 0 is the kernel's, and recorded once it listens"""
    program = Program(place, ["tcp4", "bind", "127.0.0.1", 0, "name", "kernel", "wait", "listen", "say", "up", "wait"])
    shown, kernel = int(program.get("name")), int(program.get("kernel"))
    same(shown, kernel)
    assert not os.path.exists(discovery_path(place))
    program.go()
    program.get("up")
    entry = next(iter(discovery(place)["services"].values()))
    same((entry["port"], entry["reason"]), (kernel, "ephemeral"))
    same(run(place, "tcp4", "connect", "127.0.0.1", kernel, "peer"), ["connect ok", "peer %d" % kernel])
    program.go()


SECOND = """
import socket, sys
kind, reuse, fork = getattr(socket, sys.argv[1]), "reuse" in sys.argv, "fork" in sys.argv
def bound(number):
    s = socket.socket(socket.AF_INET, kind)
    if reuse:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(("127.0.0.1", number))
    return s
first = bound(0)
if fork:
    import os
    if os.fork():
        os.wait()
        sys.exit()
try:
    print(bound(first.getsockname()[1]).getsockname()[1] - first.getsockname()[1])
except OSError as e:
    print(e.strerror)
"""


def test_law_6_again(place):
    """Law 6, 3: a second bind of a port that the kernel chose, before anybody listens, meets the kernel's verdict"""
    for words, wanted in (("SOCK_DGRAM", "Address already in use"), ("SOCK_STREAM", "Address already in use"),
                          ("SOCK_STREAM fork", "Address already in use"), ("SOCK_STREAM reuse", "0"),
                          ("SOCK_STREAM reuse fork", "0")):
        said = subprocess.run([PORTSHIM, "exec", "--env", "e", "--", sys.executable, "-c", SECOND, *words.split()],
                              env=place.environment(), cwd=place.project, capture_output=True, text=True,
                              timeout=LIMIT, check=True)
        same((words, said.stdout.strip()), (words, wanted), said.stderr)


def barrier(place, number, runs):
    """Many processes that bind, meet, and listen; each in its own run, or all in one environment's runs."""
    path = os.path.join(place.top, "barrier")
    with open(path, "wb") as file:
        file.write(b"\0" * 8)
    p = port()
    variables = {"BARRIER": path}
    programs = [Program(place, ["tcp4", "reuseaddr", "bind", "127.0.0.1", p, "sync", number, "listen", "kernel",
                                "name", "wait"],
                        env="env%d" % (i % runs), variables=variables) for i in range(number)]
    actual = []
    for program in programs:
        same(program.get("bind"), "ok", "bind")
        same(program.get("sync"), "ok", "barrier")
        same(program.get("listen"), "ok", "listen")
        actual.append(int(program.get("kernel")))
        same(int(program.get("name")), actual[-1])
    same(len(set(actual)), number, "distinct ports")
    recorded = []
    for e in range(runs):
        recorded += [entry["port"] for entry in discovery(place, "env%d" % e)["services"].values()]
    same(sorted(recorded), sorted(actual), "each recorded once")
    for program in programs:
        program.go()
    for program in programs:
        program.end()


def test_law_7_runs(place):
    """Law 7: 100 runs of one environment bind with SO_REUSEADDR, meet at a barrier, and all listen"""
    barrier(place, 100, 1)


def test_law_7_environments(place):
    """Law 7: the same in 100 environments"""
    barrier(place, 100, 100)


def test_law_7_outsider(place):
    """Law 7: an unmanaged program that shares the bind and listens first costs us nothing but the port"""
    p = port()
    program = Program(place, ["tcp4", "reuseaddr", "bind", "127.0.0.1", p, "kernel", "wait", "listen", "kernel",
                              "serve", "me"])
    same(program.get("bind"), "ok")
    if int(program.get("kernel")) != p:
        raise Skip("somebody took the port")
    with socket.socket() as rival:
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        rival.bind(("127.0.0.1", p))
        rival.listen(1)
        program.go()
        same(program.get("listen"), "ok")
        assert int(program.get("kernel")) != p
        program.get("serve")
        same(ask(place, p), "me")


def test_law_7_recorded(place):
    """Law 7: a bind alone is not recorded; UDP is, at once"""
    p, q = port(), port()
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "udp4", "bind", "127.0.0.1", q, "say", "bound", "wait",
                              "use", 0, "listen", "say", "up", "wait"])
    program.get("bound")
    same(sorted(discovery(place)["services"]), [str(q)])
    program.go()
    program.get("up")
    same(sorted(discovery(place)["services"]), sorted([str(p), str(q)]))
    program.go()


def test_law_8(place):
    """Law 8: a client follows its own run first, then the environment, then what is around it, then the host"""
    p = port()
    first, _, _ = server(place, p, "first")
    lines = run(place, "tcp4", "bind", "127.0.0.1", p, "listen", "tcp4", "connect", "127.0.0.1", p, "use", 0, "accept",
                "tcp4", "connect", "127.0.0.1", p, "say", "done")
    assert "accept ok" in lines, lines
    same(ask(place, p), "first")
    # inside: another environment that has no such server looks outward; one that has, does not
    nested = subprocess.run([PORTSHIM, "exec", "--env", "e", "--", PORTSHIM, "exec", "--env", "inner", "--", STEPS,
                             "tcp4",
                             "connect", "127.0.0.1", str(p), "read"], cwd=place.project, env=place.environment(),
                            stdout=subprocess.PIPE, timeout=LIMIT, check=False).stdout.decode().splitlines()
    same(nested, ["connect ok", "read first"])
    inner, _, kernel = server(place, p, "inner", env="inner")
    assert kernel != p
    nested = subprocess.run([PORTSHIM, "exec", "--env", "e", "--", PORTSHIM, "exec", "--env", "inner", "--", STEPS,
                             "tcp4",
                             "connect", "127.0.0.1", str(p), "read"], cwd=place.project, env=place.environment(),
                            stdout=subprocess.PIPE, timeout=LIMIT, check=False).stdout.decode().splitlines()
    same(nested, ["connect ok", "read inner"])
    same(ask(place, p), "first")
    first.go()
    inner.go()


def test_law_8_remote(place):
    """Law 8: a remote address is never redirected"""
    p = port()
    holder = outsider(p)
    server(place, p, "mine")
    lines = run(place, "udp4", "connect", "192.0.2.1", p, "peer")
    if "connect ENETUNREACH" in lines:
        raise Skip("no route to anywhere")
    same(lines[-1], "peer %d" % p)
    holder.close()


RETURNING = """
import os, socket, sys
p = int(sys.argv[1])
def listen():
    s = socket.socket()
    s.bind(("127.0.0.1", p))
    s.listen()
    return s
if sys.argv[2] == "itself":
    listen().close()
elif os.fork():
    os.wait()
else:
    listen()
    os._exit(0)
print("down", flush=True)
sys.stdin.readline()
mine = listen()
client = socket.create_connection(("127.0.0.1", p))
mine.settimeout(10)
accepted, _ = mine.accept()
print("own" if accepted.getpeername() == client.getsockname() else "another's")
print(mine.getsockname()[1])
"""


def returning(place, p, who):
    """A server that goes and comes back while another run asks for its port: the kernel's ports of both."""
    with subprocess.Popen([PORTSHIM, "exec", "--strict", "--env", "e", "--", "/usr/bin/python3", "-c", RETURNING, str(p),
                           who],
                          cwd=place.project, env=place.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as first:
        same(first.stdout.readline(), "down\n")
        second, _, theirs = server(place, p, "second")
        whose, own = first.communicate("\n", timeout=LIMIT)[0].split()
        same(whose, "own")
    second.go()
    second.end()
    return int(own), theirs


def test_law_2_returning(place):
    """Law 2: a process that closes its listener and listens again has its port still, whoever asked for it meanwhile"""
    p = port()
    own, theirs = returning(place, p, "itself")
    same(own, p)
    assert theirs != p


def test_law_8_taken(place):
    """Law 8: its own server first, also when another run of the environment took a dead one's port over in between"""
    p = port()
    own, theirs = returning(place, p, "child")
    same(theirs, p)
    assert own != p


def test_law_9(place):
    """Law 9: a client whose server has not started is refused, not misled to another environment's"""
    p = port()
    theirs, _, kernel = server(place, p, "theirs", env="b")
    same(kernel, p)
    same(ask(place, p, env="a"), "ECONNREFUSED")
    same(ask(place, p, env="b"), "theirs")
    same(ask(place, p, env="a", options=["--allow", "b"]), "theirs")
    lines = run(place, "udp4", "sendto", "127.0.0.1", p, "hello", env="a")
    same(lines, ["sendto ok"], "UDP on that number is nobody's")
    mine, _, moved = server(place, p, "mine", env="a")
    assert moved != p
    same(ask(place, p, env="a"), "mine")
    # the other's moved port is as closed to us as its requested one
    same(ask(place, moved, env="b"), "ECONNREFUSED")
    theirs.go()
    theirs.end()
    mine.go()
    mine.end()
    same(ask(place, p, env="a"), "ECONNREFUSED")


RESTARTING = """
import select, socket, sys
met, address = 0, ("127.0.0.1", int(sys.argv[1]))
while not select.select([0], [], [], 0)[0]:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(address)
        s.listen()
        if not met: print("up", flush=True)
        met = max(met, 1)
        s.setblocking(False)
        try:
            while True:
                s.accept()
                met += 1
        except BlockingIOError:
            pass
print(met - 1)
"""

KNOCKING = """
import socket, sys
met, address = 0, ("127.0.0.1", int(sys.argv[1]))
for i in range(5000):
    with socket.socket() as s:
        met += s.connect_ex(address) == 0
print(met)
"""


def test_law_9_restarts(place):
    """Law 9: nor while that server listens and closes over and over"""
    p = port()

    def python(env, script, **more):
        return subprocess.Popen([PORTSHIM, "exec", "--strict", "--env", env, "--", "/usr/bin/python3", "-c", script,
                                 str(p)], cwd=place.project, env=place.environment(), stdout=subprocess.PIPE,
                                text=True, **more)

    with python("b", RESTARTING, stdin=subprocess.PIPE) as theirs:
        same(theirs.stdout.readline(), "up\n")
        with python("a", KNOCKING) as client:
            same(client.communicate(timeout=4 * LIMIT)[0], "0\n")
        same(theirs.communicate("", timeout=LIMIT)[0], "0\n")


def test_law_9_unmanaged(place):
    """Law 9: an unmanaged holder is reached as ever"""
    p = port()
    holder = outsider(p)
    client = Program(place, ["tcp4", "connect", "127.0.0.1", p, "peer", "read"])
    connection, _ = holder.accept()
    connection.sendall(b"system")
    connection.close()
    same(client.end(), ["connect ok", "peer %d" % p, "read system"])
    holder.close()


def test_law_9_other_protocol(place):
    """Law 9: an unmanaged UDP server is not another environment's because that has the number for TCP"""
    p = port()
    theirs, _, kernel = server(place, p, "theirs", env="b")
    same(kernel, p)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unmanaged:
        unmanaged.bind(("127.0.0.1", p))
        unmanaged.settimeout(LIMIT)
        same(run(place, "udp4", "sendto", "127.0.0.1", p, "hello", env="a"), ["sendto ok"])
        same(unmanaged.recv(100), b"hello")
        same(run(place, "udp4", "connect", "127.0.0.1", p, env="a"), ["connect ok"])
    same(ask(place, p, env="a"), "ECONNREFUSED")
    theirs.go()
    theirs.end()


def lite(place, *steps, env="e"):
    lines = run(place, *steps, env=env)
    if "lite4 EPROTONOSUPPORT" in lines:
        raise Skip("no UDP-Lite")
    return [text for text in lines if text.split()[0] in ("name", "peer", "recvfrom", "read") or "ok" not in text]


def test_other_protocols(place):
    """UDP-Lite has ports of its own: they stay, whatever is moved for UDP, and nobody has them for UDP"""
    p = port()
    holder = outsider(p, socket.AF_INET, "127.0.0.1", socket.SOCK_DGRAM)
    program = Program(place, ["udp4", "bind", "127.0.0.1", p, "kernel", "read", "wait"])
    actual = int(program.get("kernel"))
    assert actual != p
    to = ["127.0.0.1", p]
    same(lite(place, "lite4", "bind", *to, "name", "lite4", "bind", "127.0.0.1", actual, "name", "sendto", *to, "one",
              "use", 0, "recvfrom", "use", 1, "connect", *to, "peer", "send", "two", "use", 0, "recvfrom"),
         ["name %d" % p, "name %d" % actual, "recvfrom one %d" % actual, "peer %d" % p, "recvfrom two %d" % actual])
    # The first call of all, and one after a call for UDP
    same(lite(place, "lite4", "sendto", *to, "lost", "udp4", "sendto", *to, "udp", "lite4", "sendto", *to, "lost"), [])
    same(program.get("read"), "udp")
    same(lite(place, "lite4", "bind", *to, "lite4", "connect", *to, "peer", "send", "one", "use", 0, "read", env="b"),
         ["peer %d" % p, "read one"])
    program.go()
    program.end()
    holder.close()


def test_raw(place):
    """A raw socket has no ports, also where its protocol is one that has (raw(7)): it keeps nobody from a number"""
    for kind in ("rawtcp4", "rawudp4"):
        p = port()
        program = Program(place, [kind, "bind", "127.0.0.1", p, "say", "there", "wait"], env="b")
        program.get("there")
        if kind + " EPERM" in program.lines:
            raise Skip("raw sockets need a privilege")
        same(program.lines[0], "bind ok")
        same(run(place, kind[3:], "bind", "127.0.0.1", p, "kernel"), ["bind ok", "kernel %d" % p])
        program.go()
        program.end()


def test_law_9_outside(place):
    """Law 9: programs outside of portshim are not its business"""
    p = port()
    server(place, p, "plain")
    with socket.create_connection(("127.0.0.1", p), LIMIT) as client:
        same(client.recv(100), b"plain")


def test_law_10(place):
    """Law 10: requested until it listens, then actual; the peer is the port that was used"""
    p, own = port(), port()
    holders = outsider(p), outsider(own)
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "name", "kernel", "listen", "name", "tcp4", "bind",
                              "127.0.0.1",
                              own, "connect", "127.0.0.1", p, "peer", "name", "use", 0, "accept", "peer"])
    same(int(program.get("name")), p)
    kernel = int(program.get("kernel"))
    assert kernel != p
    same(int(program.get("name")), kernel)
    same(int(program.get("peer")), p)
    same(int(program.get("name")), own)
    same(int(program.get("peer")), own)
    program.end()
    for holder in holders:
        holder.close()


def test_law_12(place):
    """Law 12: with an unusable runtime directory the program runs, and one line says so; --strict ends with 125"""
    p = port()
    wrong = os.path.join(place.top, "file")
    with open(wrong, "w", encoding="ascii"):
        pass
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "kernel"], variables={"PORTSHIM_RUNTIME_DIR": wrong})
    same(program.end(), ["bind ok", "kernel %d" % p])
    same(len(program.stderr.strip().splitlines()), 1, program.stderr)
    program = Program(place, ["say", "ran"], options=["--strict"], variables={"PORTSHIM_RUNTIME_DIR": wrong})
    same(program.end(), [])
    same(program.child.returncode, 125)


def test_law_13(place):
    """Law 13: the record is there before listen returns, with mode 0600, and names the owner"""
    p = port()
    holder = outsider(p)
    variables = {"DISCOVERY": discovery_path(place)}
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "kernel", "wait", "listen", "wait"], variables=variables)
    kernel = int(program.get("kernel"))
    program.go()
    same(program.get("listen"), "ok")
    entry = discovery(place)["services"][str(p)]
    same((entry["port"], entry["requested"], entry["process_id"], entry["state"]), (kernel, p, program.child.pid,
                                                                                    "listening"))
    same(os.stat(discovery_path(place)).st_mode & 0o777, 0o600)
    program.go()
    q = port()
    lines = run(place, "tcp4", "bind", "127.0.0.1", q, "listen", "recorded", q, variables=variables)
    same(lines[-1], "recorded yes 600")
    holder.close()


def test_law_13_killed(place):
    """Law 13: after kill -9 the entry is gone at the next look, and the port can be had again"""
    p = port()
    holder = outsider(p)
    program, _, kernel = server(place, p, "dead")
    program.child.kill()
    program.child.wait()
    done = subprocess.run([PORTSHIM, "port", "--env", "e", str(p)], cwd=place.project, env=place.environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, check=False)
    same(done.returncode, 1, done)
    entry = discovery(place)["services"].get(str(p)) if os.path.exists(discovery_path(place)) else None
    assert entry is None or entry["state"] != "listening", entry
    _, _, again = server(place, p, "risen")
    same(again, kernel)
    same(ask(place, p), "risen")
    holder.close()


def test_law_13_whole(place):
    """Law 13: whoever reads the discovery file while others write it sees a whole one"""
    first = Program(place, ["udp4", "bind", "127.0.0.1", port(), "say", "up", "wait"])
    first.get("up")
    ports = [port() for _ in range(2)]
    looks = 0
    while not looks:  # on a busy machine they may have done it all before the first look
        writers = [Program(place, sum((["tcp4", "reuseaddr", "bind", "127.0.0.1", p, "listen",
                                        "close"] for _ in range(60)), []))
                   for p in ports]
        while any(w.child.poll() is None for w in writers):
            discovery(place)
            looks += 1
    first.go()


def test_bare_preload(place):
    """A bare LD_PRELOAD does the same as `exec`, in the environment of the directory"""
    p = port()
    holder = outsider(p)
    shim = os.path.join(BUILD, "libportshim.so")
    program, _, kernel = server(place, p, "bare", bare=True, variables={"LD_PRELOAD": shim})
    assert kernel != p
    same(ask(place, p, bare=True, variables={"LD_PRELOAD": shim}), "bare")
    same(discovery(place, None)["services"][str(p)]["port"], kernel)
    same(ask(place, p, env=None), "bare")
    program.go()
    holder.close()


if __name__ == "__main__":
    main(globals())
