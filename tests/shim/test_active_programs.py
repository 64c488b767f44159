"""What programs do with sockets and processes, under portshim: each case with real processes and a port that is
moved."""
import os
import socket
import subprocess
import tempfile

from active import (BUILD, LIMIT, PORTSHIM, STEPS, Program, Skip, ask, discovery, main, outsider, port, run, same,
                    server)

NOBODY = 65534


def held():
    """A port that an outsider holds, so that it is moved, and the holder."""
    number = port()
    return number, outsider(number), outsider(number, kind=socket.SOCK_DGRAM)


def test_fork(place):
    """fork: the child's servers and clients belong to the run"""
    p, *holders = held()
    program = Program(place, ["fork", "tcp4", "bind", "127.0.0.1", p, "listen", "kernel", "serve", "child"])
    assert int(program.get("kernel")) != p
    program.get("serve")
    same(ask(place, p), "child")
    program.go()
    p2, *holders2 = held()
    # bound before, used after
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p2, "fork", "listen", "kernel", "name", "serve", "after"])
    assert int(program.get("kernel")) != p2
    program.get("serve")
    same(ask(place, p2), "after")
    for holder in holders + holders2:
        holder.close()


def test_inherited_listener(place):
    """exec and posix_spawn with a listener that is inherited"""
    for how in "exec", "spawn", "vfork", "cleared-exec", "cleared-spawn":
        p, *holders = held()
        # the first socket of a process has the lowest number that is free; the program tells it
        number = int(run(place, "tcp4", how, "say", "x", bare=True)[0].split()[1])
        program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "listen", how, "as", number, "name", "kernel",
                                  "preloaded",
                                  "tcp4", "connect", "127.0.0.1", p, "peer", "use", 0, "accept", "use", 0, "serve",
                                  how])
        same(int(program.get(how)), number)
        shown, kernel = int(program.get("name")), int(program.get("kernel"))
        same(shown, kernel, how)
        assert kernel != p, how
        same(program.get("preloaded"), "yes", how)
        same(program.get("connect"), "ok", how)
        same(int(program.get("peer")), p, how)
        same(program.get("accept"), "ok", how)
        program.get("serve")
        same(ask(place, p), how)
        program.go()
        program.end()
        for holder in holders:
            holder.close()


def test_listen_in_new_program(place):
    """A socket that was bound before exec and listens after it"""
    p, *holders = held()
    number = int(run(place, "tcp4", "exec", "say", "x", bare=True)[0].split()[1])
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "cleared-exec", "as", number, "listen", "name",
                              "serve", "late"])
    same(program.get("listen"), "ok")
    assert int(program.get("name")) != p
    program.get("serve")
    same(ask(place, p), "late")
    same(discovery(place)["services"][str(p)]["process_id"], program.child.pid)
    program.go()
    for holder in holders:
        holder.close()


def test_cleared_environment(place):
    """env -i, execve and posix_spawn with an empty environment keep the preload and the run"""
    p, *holders = held()
    done = subprocess.run([PORTSHIM, "exec", "--env", "e", "--", "env", "-i", STEPS, "preloaded", "tcp4", "bind",
                           "127.0.0.1",
                           str(p), "kernel"], cwd=place.project, env=place.environment(), stdout=subprocess.PIPE,
                          timeout=LIMIT, check=False)
    lines = done.stdout.decode().splitlines()
    same(lines[:2], ["preloaded yes", "bind ok"])
    for how in "cleared-exec", "cleared-spawn":
        lines = run(place, how, "preloaded", "tcp4", "bind", "127.0.0.1", p, "kernel")
        same(lines[1:3], ["preloaded yes", "bind ok"], how)
        assert lines[3] != "kernel %d" % p, how
    for holder in holders:
        holder.close()


def test_other_preloads_stay(place):
    """A value of LD_PRELOAD that is there already is kept, and so is one that the program sets"""
    other = os.path.join(BUILD, "tests/bench/libempty.so")
    if not os.path.exists(other):
        raise Skip("libempty.so is not built")
    out = subprocess.run([PORTSHIM, "exec", "--env", "e", "--", "env", "-i", "LD_PRELOAD=" + other, "sh", "-c",
                          'echo "$LD_PRELOAD"'], cwd=place.project, env=place.environment(), stdout=subprocess.PIPE,
                         timeout=LIMIT, check=True).stdout.decode()
    assert "libportshim.so" in out and other in out, out
    out = subprocess.run([PORTSHIM, "exec", "--env", "e", "--", "sh", "-c", 'echo "$LD_PRELOAD"'], cwd=place.project,
                         env=place.environment(LD_PRELOAD=other), stdout=subprocess.PIPE, timeout=LIMIT,
                         check=True).stdout.decode()
    assert "libportshim.so" in out and other in out, out


def test_dup_and_pass(place):
    """dup, and a listener that is passed to another process by SCM_RIGHTS, keep their names"""
    p, *holders = held()
    program = Program(place, ["tcp4", "bind", "127.0.0.1", p, "dup", "use", 0, "close", "use", 1, "listen", "name",
                              "kernel",
                              "pass", "name", "tcp4", "connect", "127.0.0.1", p, "peer", "use", 0, "accept", "use", 0,
                              "serve", "passed"])
    shown, kernel = int(program.get("name")), int(program.get("kernel"))
    same(shown, kernel)
    assert kernel != p
    same(program.get("passed"), "ok")
    same(int(program.get("name")), kernel)
    same(int(program.get("peer")), p)
    same(program.get("accept"), "ok")
    program.get("serve")
    same(ask(place, p), "passed")
    program.go()
    for holder in holders:
        holder.close()


def test_close_everything(place):
    """close_range of every descriptor harms nothing; portshim keeps none"""
    p, *holders = held()
    program = Program(place, ["closeall", "tcp4", "bind", "127.0.0.1", p, "closeall", "tcp4", "bind", "127.0.0.1", p,
                              "listen",
                              "kernel", "closeall", "tcp4", "reuseaddr", "bind", "127.0.0.1", p, "listen", "tcp4",
                              "connect", "127.0.0.1", p, "peer", "use", 0, "serve", "clean"])
    same(program.get("bind"), "ok")
    same(program.get("bind"), "ok")
    assert int(program.get("kernel")) != p
    same(program.get("bind"), "ok")
    same(program.get("listen"), "ok")
    same(program.get("connect"), "ok")
    program.get("serve")
    # nothing but its standard streams and its sockets
    mine = os.listdir("/proc/%d/fd" % program.child.pid)
    same(len(mine), 5, mine)
    same(ask(place, p), "clean")
    program.go()
    for holder in holders:
        holder.close()


def test_closed_standard_streams(place):
    """A program whose standard streams are closed gets no portshim descriptor in their place"""
    p, *holders = held()
    out = os.path.join(place.top, "out")
    script = 'exec "$0" say "$(ls /proc/self/fd | wc -l)" tcp4 bind 127.0.0.1 "$1" listen kernel >"$2" <&- 2>&-'
    subprocess.run([PORTSHIM, "exec", "--env", "e", "--", "sh", "-c", script, STEPS, str(p), out], cwd=place.project,
                   env=place.environment(), timeout=LIMIT, check=True)
    with open(out, encoding="ascii") as file:
        lines = file.read().splitlines()
    same(lines[1:3], ["bind ok", "listen ok"])
    assert lines[3] != "kernel %d" % p
    for holder in holders:
        holder.close()


def test_udp_and_tcp(place):
    """A UDP and a TCP listener on one number go to one number, and each client reaches its kind"""
    p, *holders = held()
    program = Program(place, ["udp4", "bind", "127.0.0.1", p, "kernel", "tcp4", "bind", "127.0.0.1", p, "listen",
                              "kernel",
                              "tcp4", "connect", "127.0.0.1", p, "udp4", "sendto", "127.0.0.1", p, "ping", "use", 0,
                              "recvfrom", "use", 1, "accept", "say", "both"])
    udp, tcp = int(program.get("kernel")), int(program.get("kernel"))
    same(udp, tcp)
    assert udp != p
    same(program.get("recvfrom").split()[0], "ping")
    same(program.get("accept"), "ok")
    program.get("both")
    program.end()
    # one of the two free only: neither takes it
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        q = port()
        holder = outsider(q, kind=kind)
        lines = run(place, "udp4", "bind", "127.0.0.1", q, "kernel", "tcp4", "bind", "127.0.0.1", q, "kernel")
        kernel = [t for t in lines if t.startswith("kernel")]
        same(len(set(kernel)), 1, lines)
        holder.close()
    for holder in holders:
        holder.close()


def test_udp_clients(place):
    """UDP: request and answer through every call, each side seeing the ports that it knows"""
    p, *holders = held()
    program = Program(place, ["udp4", "bind", "127.0.0.1", p, "kernel", "answer", "pong"])
    assert int(program.get("kernel")) != p
    program.get("serve")
    same(run(place, "udp4", "sendto", "127.0.0.1", p, "ping", "recvfrom")[-1], "recvfrom pong %d" % p)
    lines = run(place, "udp4", "connect", "127.0.0.1", p, "peer", "send", "ping", "read")
    same(lines, ["connect ok", "peer %d" % p, "send ok", "read pong"])
    same(run(place, "udp6", "sendto", "::ffff:127.0.0.1", p, "ping", "recvfrom")[-1], "recvfrom pong %d" % p)
    program.go()
    for holder in holders:
        holder.close()


def test_reuseport_workers(place):
    """SO_REUSEPORT workers of one run share the actual port; another run of the same program gets its own"""
    p, *holders = held()
    path = os.path.join(place.top, "barrier")
    with open(path, "wb") as file:
        file.write(b"\0" * 8)
    steps = ["tcp4", "reuseport", "bind", "127.0.0.1", p, "listen", "kernel", "fork", "tcp4", "reuseport", "bind",
             "127.0.0.1", p,
             "listen", "kernel", "fork", "tcp4", "reuseport", "bind", "127.0.0.1", p, "listen", "kernel", "say",
             "up", "wait"]
    runs = [Program(place, steps) for _ in range(2)]
    seen = []
    for program in runs:
        ports = [int(program.get("kernel")) for _ in range(3)]
        same(len(set(ports)), 1, "workers of one run")
        seen.append(ports[0])
        program.get("up")
    assert seen[0] != seen[1] and p not in seen, seen
    for program in runs:
        program.go()
    for holder in holders:
        holder.close()


def test_families_of_clients(place):
    """Clients over 127.0.0.1, ::1 and mapped addresses reach a dual-stack server, and a server on one family only"""
    p, *holders = held()
    try:
        server(place, p, "dual", address="::", family="tcp6", before=["dual"])
    except AssertionError as error:
        if "EAFNOSUPPORT" in str(error):
            raise Skip("no IPv6") from error
        raise
    same(ask(place, p), "dual")
    same(ask(place, p, address="::1", family="tcp6"), "dual")
    same(ask(place, p, address="::ffff:127.0.0.1", family="tcp6"), "dual")
    same(ask(place, p, address="::", family="tcp6"), "dual")
    same(ask(place, p, address="0.0.0.0"), "dual")
    q, *more = held()
    server(place, q, "four", address="127.0.0.1")
    same(ask(place, q), "four")
    same(ask(place, q, address="::ffff:127.0.0.1", family="tcp6"), "four")
    # nobody of this environment is there; the outsider that has the number on both families must not answer instead
    same(ask(place, q, address="::1", family="tcp6"), "ECONNREFUSED")
    for holder in holders + more:
        holder.close()


def test_own_address(place):
    """Clients that use the machine's own address reach the server, too"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            raise Skip("this machine has no address but loopback") from error
        own = probe.getsockname()[0]
    p, *holders = held()
    server(place, p, "own", address="0.0.0.0")
    same(ask(place, p, address=own), "own")
    for holder in holders:
        holder.close()


def test_before_and_after(place):
    """A client that connects before the server is there is refused, and one after it is served"""
    p = port()
    same(ask(place, p), "ECONNREFUSED")
    server(place, p, "now")
    same(ask(place, p), "now")


def as_nobody(command, cwd, env):
    """Runs a program as an ordinary user: (status, stdout lines, stderr)."""
    if os.getuid():
        child = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               timeout=LIMIT, check=False)
    else:
        child = subprocess.run(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT,
                               check=False, user=NOBODY, group=NOBODY, extra_groups=[])
    return child.returncode, child.stdout.decode().splitlines(), child.stderr.decode()


def test_privileged_port(place):
    """A privileged port without the privilege (EACCES) is moved, and clients still ask for it"""
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        first = int(file.read())
    if first <= 1:
        raise Skip("no port is privileged here")
    # a number of its own for each run of the tests, unlikely to be anybody's
    p = 100 + os.getpid() % (min(first, 1024) - 100)
    with tempfile.TemporaryDirectory(prefix="portshim-nobody.") as top:
        directory, runtime, tools = (os.path.join(top, n) for n in ("project", "runtime", "tools"))
        for path in directory, runtime, tools:
            os.mkdir(path, 0o700)
        # the build may lie where nobody may look
        for where in "portshim", "libportshim.so", "tests/shim/steps":
            name = os.path.basename(where)
            with open(os.path.join(BUILD, where), "rb") as source, open(os.path.join(tools, name), "wb") as target:
                target.write(source.read())
            os.chmod(os.path.join(tools, name), 0o755)
        os.chmod(top, 0o755)
        if not os.getuid():
            for path in directory, runtime, tools:
                os.chown(path, NOBODY, NOBODY)
        env = {"PATH": os.environ["PATH"], "PORTSHIM_RUNTIME_DIR": runtime, "HOME": directory}
        steps = os.path.join(tools, "steps")
        arguments = ["tcp4", "bind", "127.0.0.1", str(p), "name", "kernel", "listen", "tcp4", "connect", "127.0.0.1",
                     str(p), "peer", "use", "0", "accept"]
        status, lines, _ = as_nobody([steps, "tcp4", "bind", "127.0.0.1", str(p)], directory, env)
        if lines != ["bind EACCES"]:
            raise Skip("port %d is not privileged for this user: %s" % (p, lines))
        status, lines, errors = as_nobody([os.path.join(tools, "portshim"), "exec", "--", steps, *arguments],
                                          directory, env)
        same(status, 0, errors)
        same(lines[:2], ["bind ok", "name %d" % p])
        assert int(lines[2].split()[1]) > 1023, lines
        same(lines[3:], ["listen ok", "connect ok", "peer %d" % p, "accept ok"])


def test_dies_in_every_state(place):
    """A process that is killed between any two steps leaves a registry that the next one can use"""
    p, *holders = held()
    for steps in (["tcp4", "bind", "127.0.0.1", p], ["tcp4", "bind", "127.0.0.1", p, "listen"],
                  ["udp4", "bind", "127.0.0.1", p], ["tcp4", "bind", "127.0.0.1", p, "listen", "close"]):
        program = Program(place, steps + ["say", "there", "wait"])
        program.get("there")
        program.child.kill()
        program.child.wait()
    program, _, kernel = server(place, p, "alive")
    assert kernel != p
    same(ask(place, p), "alive")
    program.go()
    for holder in holders:
        holder.close()


def test_static_is_left_alone(place):
    """The preload cannot reach a program without a dynamic loader: it runs as it would"""
    source = os.path.join(place.top, "hello.c")
    with open(source, "w", encoding="ascii") as file:
        file.write('#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    program = os.path.join(place.top, "hello")
    if subprocess.run([os.environ.get("CC", "cc"), "-static", "-o", program, source], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        raise Skip("no static libc to link with")
    done = subprocess.run([PORTSHIM, "exec", "--quiet", "--env", "e", "--", program], cwd=place.project,
                          env=place.environment(), stdout=subprocess.PIPE, timeout=LIMIT, check=False)
    same((done.returncode, done.stdout), (0, b"hello\n"))


def test_own_session(place):
    """A server that made itself a session of its own stays in the run"""
    p, *holders = held()
    script = 'setsid "$0" tcp4 bind 127.0.0.1 "$1" listen kernel serve orphan <"$2" >"$3" & wait $!'
    fifo, out = os.path.join(place.top, "fifo"), os.path.join(place.top, "out")
    os.mkfifo(fifo)
    os.mkfifo(out)
    child = subprocess.Popen([PORTSHIM, "exec", "--env", "e", "--", "sh", "-c", script, STEPS, str(p), fifo, out],
                             cwd=place.project, env=place.environment())
    place.started.append(child)
    with open(fifo, "wb") as stdin, open(out, "rb") as stdout:
        lines = [stdout.readline().split() for _ in range(4)]
        same(lines[0], [b"bind", b"ok"])
        assert int(lines[2][1]) != p
        same(ask(place, p), "orphan")
        stdin.write(b"\n")
    child.wait(LIMIT)
    for holder in holders:
        holder.close()


if __name__ == "__main__":
    main(globals())
