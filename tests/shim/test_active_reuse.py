"""Sharing between runs: what SO_REUSEADDR and SO_REUSEPORT would let happen, and must not."""
import socket

from active import LIMIT, Program, Skip, main, outsider, port, run, same, server

OPTIONS = [], ["reuseaddr"], ["reuseport"], ["reuseaddr", "reuseport"]


def sockets(kind, ports, options):
    """Steps: a socket on each of these ports, with these options each."""
    steps = []
    for number, words in zip(ports, options):
        steps += ["udp4" if kind == "udp" else "tcp4", *words, "bind", "127.0.0.1", number]
        steps += ["listen"] if kind == "listening" else []
        steps += ["kernel"]
    return steps


def kernel_ports(lines):
    assert not [text for text in lines if text.startswith(("bind", "listen")) and not text.endswith(" ok")], lines
    return [int(text.split()[1]) for text in lines if text.startswith("kernel")]


def test_options_of_two_runs(place):
    """Two runs, in one environment or in two, with every combination of the two options: each gets a port of its own"""
    for kind in "bound", "listening", "udp":
        ports = [port() for _ in OPTIONS]
        first = Program(place, sockets(kind, ports, OPTIONS) + ["say", "up", "wait"])
        first.get("up")
        taken = kernel_ports(first.lines)
        same(taken, ports, "nobody is in the way of the first run")
        for words in OPTIONS:
            for env in "e", "f":
                got = kernel_ports(run(place, *sockets(kind, ports, [words] * len(ports)), env=env))
                same(len(got), len(ports))
                assert not set(got) & set(taken), (kind, words, env, got, taken)
        first.go()
        first.end()


def test_an_unmanaged_group(place):
    """An unmanaged program with SO_REUSEPORT or SO_REUSEADDR on the port is no group to join"""
    for words in OPTIONS:
        p = port()
        holder = outsider(p, reuse=True)
        lines = run(place, "tcp4", *words, "bind", "127.0.0.1", p, "listen", "kernel", "tcp4", "connect", "127.0.0.1",
                    p, "peer", "use", 0, "accept")
        assert kernel_ports(lines)[0] != p
        same(lines[-3:], ["connect ok", "peer %d" % p, "accept ok"])
        holder.close()


def test_time_wait_on_the_other_family(place):
    """A program without SO_REUSEADDR that binds both families, on a port where old connections wait on one of them"""
    p = port()
    try:
        holder = outsider(p)
    except OSError as error:
        raise Skip("no IPv6") from error
    program, _, kernel = server(place, p, "old")
    assert kernel != p
    # the server closes first, so its port is what waits
    with socket.create_connection(("127.0.0.1", kernel)) as client:
        client.settimeout(LIMIT)
        while client.recv(16):
            pass
    program.go()
    program.end()
    # one that sets it is not in the way of its own past
    lines = run(place, "tcp6", "reuseaddr", "v6only", "bind", "::1", p, "kernel", "tcp4", "reuseaddr", "bind",
                "127.0.0.1", p, "kernel", "listen")
    same(kernel_ports(lines), [kernel, kernel])
    lines = run(place, "tcp6", "v6only", "bind", "::1", p, "kernel", "tcp4", "bind", "127.0.0.1", p, "kernel")
    got = kernel_ports(lines)
    same(got[0], got[1])
    assert got[0] not in (p, kernel), got
    holder.close()


def test_taken_on_another_address(place):
    """A candidate that somebody has on one address only is none: what the run binds later must find it free"""
    p = port()
    holder = outsider(p)
    program, _, kernel = server(place, p, "first")
    program.go()
    program.end()
    rival = outsider(kernel, family=socket.AF_INET, address="127.0.0.2")
    lines = run(place, "tcp4", "reuseaddr", "bind", "127.0.0.1", p, "kernel", "tcp4", "reuseaddr", "bind", "127.0.0.2",
                p, "kernel", "listen")
    got = kernel_ports(lines)
    same(got[0], got[1])
    assert got[0] not in (p, kernel), got
    rival.close()
    holder.close()


if __name__ == "__main__":
    main(globals())
