#!/usr/bin/python3
"""Servers of a project that run without portshim, as status, port, url, env, health and map show them.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/detected.py
"""
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import PORTSHIM, PYTHON, check, command, free_row, listener, run, run_parts, server, start, stop, write

# Listens where it is told, at each ADDRESS:PORT; udp:PORT is bound.
SERVER = r"""
import socket, sys
kept = []
for word in sys.argv[1:]:
    address, _, port = word.rpartition(":")
    udp = address == "udp"
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1" if udp else address, int(port)))
    if not udp:
        s.listen()
    kept.append(s)
print("up", flush=True)
sys.stdin.read()
"""


def serve(*words, cwd="shop", managed=False):
    child = server(*([PORTSHIM, "run", "--quiet", "--"] if managed else []), PYTHON, "-c", SERVER, *words, cwd=cwd, stdin=-1)
    assert child.said == "up", child.communicate()
    return child


def status(*words, cwd="shop"):
    return json.loads(run("status", "--json", *words, cwd=cwd)[1])


def port(name, cwd="shop"):
    code, out, _ = run("port", name, cwd=cwd)
    return int(out) if code == 0 else None


def is_detected(name, number, child, cwd="shop", what=""):
    found = status(cwd=cwd)["services"].get(name, {})
    return check((found.get("port"), found.get("reason"), found.get("process_id")) == (number, "detected", child.pid) and
                 port(name, cwd) == number, "%s%s is detected on %d: %s" % (what, name, number, found))


def is_nothing(name, what, cwd="shop"):
    return check(name not in status(cwd=cwd)["services"] and port(name, cwd) is None, what)


def check_shown():
    """One server, in every command."""
    first = free_row(8)
    write("shop/ports.manifest.json", {"version": 1, "project": "shop", "services": {
        "web": {"ports": [first, first + 1, first + 2], "env": {"WEB_URL": "{url}"}, "health": "tcp"},
        "live": {"inherit": "web", "scheme": "ws"},
        "api": {"port": first + 3},
        "dns": {"port": first + 4, "protocol": "udp"},
        "system": {"port": first + 5, "external": True},
        "one": {"port": first + 6, "match": {"args": "*[::1]*"}}, "two": {"port": first + 6}},
        "profiles": {"test": {"offset": 7}}})
    is_nothing("web", "nothing yet")
    web = serve("127.0.0.1:%d" % (first + 1))
    is_detected("web", first + 1, web)
    found = status()
    entry = found["assignments"][0]
    check(len(found["assignments"]) == 1 and entry["environment"] == "shop" and entry["command"].startswith("python") and
          entry["addresses"] == ["127.0.0.1"] and entry["state"] == "listening" and entry["protocol"] == "tcp",
          "all about it: %s" % found)
    check(found["services"]["live"]["reason"] == "inherited" and
          found["services"]["live"]["url"] == "ws://localhost:%d" % (first + 1), "who inherits it: %s" % found["services"])
    rows = [row.split() for row in run("status", cwd="shop")[1].splitlines()[1:]]
    check(sorted((row[0], row[1], row[-2]) for row in rows) == [("live", str(first + 1), "inherited"),
                                                              ("web", str(first + 1), "detected")], "table: %s" % rows)
    check(run("status", "live", cwd="shop")[1].splitlines()[1].split()[0] == "live", "by the name that inherits")
    check(run("url", "live", cwd="shop")[1] == "ws://localhost:%d\n" % (first + 1), "url")
    check("WEB_URL='http://localhost:%d'" % (first + 1) in run("env", cwd="shop")[1], "env")
    check(port(str(first + 1)) == first + 1, "by its number")
    code, out, _ = run("health", cwd="shop")
    check(code == 0 and "healthy" in out and str(first + 1) in out, "health: %s" % out)
    check(run("wait", "--healthy", "web", "--timeout", "0", cwd="shop")[0] == 0, "wait --healthy")
    os.makedirs("shop/deep/er", exist_ok=True)
    check(port("web", "shop/deep/er") == first + 1, "from any directory of the project")
    check(run("status", "--env", "elsewhere", cwd="shop")[0] == 1, "not in an environment with another name")
    check(command(PORTSHIM, "run", "--isolate", "--quiet", "--", PORTSHIM, "port", "web", cwd="shop")[0] == 1,
          "nor in a private one")
    check(command(PORTSHIM, "run", "--quiet", "--", PORTSHIM, "port", "web", cwd="shop")[1] == "%d\n" % (first + 1),
          "inside a run")
    check_map(first + 1, web)
    better = serve("127.0.0.1:%d" % first, cwd="shop/deep")
    is_detected("web", first, better, what="the first of two, ")
    check_map(first, better)
    stop(better)
    mine = serve("127.0.0.1:%d" % first, managed=True)
    check(status()["services"]["web"]["reason"] == "requested" and port("web") == first, "what is assigned comes first")
    stop(mine, web)
    is_nothing("web", "gone")
    check_others(first)


def check_map(number, child):
    listed = {row["service"]: row for row in json.loads(run("map", "--json", cwd="shop")[1])["ports"] if not row["profile"]}
    check((listed["web"].get("reason"), listed["web"].get("process_id"), listed["web"].get("actual")) ==
          ("detected", child.pid, number) and "reason" not in listed["api"], "map --json: %s" % listed["web"])
    check("detected on %d: python" % number in run("map", cwd="shop")[1], "map")


def check_others(first):
    """Protocols, families, rules, profiles, external services."""
    server_of = serve("::1:%d" % (first + 3)) if os.path.exists("/proc/net/if_inet6") else serve("127.0.0.1:%d" % (first + 3))
    is_detected("api", first + 3, server_of)
    stop(server_of)
    child = serve("127.0.0.1:%d" % (first + 4))
    is_nothing("dns", "a TCP server is no UDP service")
    stop(child)
    child = serve("udp:%d" % (first + 4))
    is_detected("dns", first + 4, child)
    stop(child)
    child = serve("127.0.0.1:%d" % (first + 5))
    is_nothing("system", "an external service is where it always is")
    stop(child)
    child = serve("127.0.0.1:%d" % (first + 6))
    is_detected("two", first + 6, child)
    stop(child)
    child = serve("127.0.0.1:%d" % (first + 7))
    is_nothing("web", "not without the profile")
    found = status("--profile", "test")["services"]
    check(found.get("web", {}).get("reason") == "detected", "with the profile: %s" % found)
    stop(child)


def check_strangers():
    """Whoever does not belong to the project is not its server."""
    first = free_row(2)
    manifest = {"version": 1, "services": {"web": {"port": first}, "api": {"port": first + 1}}}
    for name in ("shop", "shop/inner", "shop-2", "empty"):
        os.makedirs(name, exist_ok=True)
    write("shop/ports.manifest.json", manifest)
    write("shop/inner/config/ports.manifest.json", manifest)
    write("shop-2/ports.manifest.json", manifest)
    for where, what in (("empty", "another directory"), ("shop-2", "a directory whose name begins alike"),
                        ("shop/inner", "a project inside"), ("shop/inner/config", "its config")):
        child = serve("127.0.0.1:%d" % first, cwd=where)
        is_nothing("web", "a server of %s" % what)
        if where != "empty":
            is_detected("web", first, child, cwd=where, what="but of its own project, ")
        stop(child)
    os.makedirs("shop/config", exist_ok=True)
    os.rename("shop/ports.manifest.json", "shop/config/ports.manifest.json")
    child = serve("127.0.0.1:%d" % first, cwd="shop/config")
    is_detected("web", first, child, what="from config, ")
    stop(child)
    other = serve("127.0.0.1:%d" % first, cwd="shop-2", managed=True)
    is_nothing("web", "what runs in another project's environment")
    stop(other)
    # A child that only inherited a socket, and works in the project, is one that has it.
    socket_of = socket.socket()
    socket_of.bind(("127.0.0.1", first + 1))
    socket_of.listen()
    child = start(PYTHON, "-c", "import sys; print('up', flush=True); sys.stdin.read()", cwd="shop", stdin=-1,
                  pass_fds=[socket_of.fileno()])
    child.stdout.readline()
    is_detected("api", first + 1, child, what="who inherited the socket, ")
    stop(child)
    socket_of.close()


def check_nothing_to_see():
    """No manifest; a broken one; ten thousand services."""
    os.makedirs("none/.git", exist_ok=True)
    other = listener(0, cwd="none")
    check(status(cwd="none")["services"] == {} and port(str(other.port), "none") is None, "a port that nothing declares")
    stop(other)
    first = free_row(1)
    services = {"s%d" % i: {"port": 20000 + i, "external": True} for i in range(10000)}
    services["web"] = {"port": first}
    write("big/ports.manifest.json", {"version": 1, "services": services})
    web = serve("127.0.0.1:%d" % first, cwd="big")
    is_detected("web", first, web, cwd="big")
    stop(web)


run_parts(check_shown, check_strangers, check_nothing_to_see)
