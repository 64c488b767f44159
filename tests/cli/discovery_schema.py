#!/usr/bin/python3
"""What the shim writes, against the schemas that manifest/ publishes for it: ports.json and a service's own file.

The writer has no JSON library (src/core/discovery.c), so this reads its files as strictly as it can: against the schema,
no key twice, and every entry that was asked for under its key. Real servers, of all the kinds that give an entry another
shape: TCP, UDP, both, IPv4, IPv6, an address of its own, port 0, services that inherit, several runs of one service.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/discovery_schema.py
"""
import glob
import json
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
from harness import PYTHON, free_port, line, main, same

try:
    import jsonschema
except ImportError:
    print("skip: discovery_schema: python3-jsonschema is not installed")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)

# Listens on each KIND/ADDRESS/PORT, then says "ready", and goes when its stdin ends.
SERVER = """
import socket, sys
held = []
for word in sys.argv[1:]:
    kind, address, port = word.split("/")
    six = ":" in address
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    if six:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, int(port)))
    if kind == "tcp":
        s.listen()
    held.append(s)
print("ready", flush=True)
sys.stdin.read()
"""


def validator(name):
    with open(os.path.join(TOP, "manifest", name), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def once(pairs):
    """A key that comes twice in one object is wrong, though Python would take it."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise AssertionError("a key comes twice: %s" % sorted(keys))
    return dict(pairs)


def read_strictly(path, schema):
    same(os.stat(path).st_mode & 0o777, 0o600, path)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    document = json.loads(text, object_pairs_hook=once)
    found = ["%s: %s" % ("/".join(map(str, e.absolute_path)), e.message) for e in validator(schema).iter_errors(document)]
    assert not found, "%s: %s\n%s" % (path, "; ".join(found), text)
    return document


def services(path):
    return read_strictly(path, "ports.schema.json")["services"]


def serve(place, options, *listeners):
    child = place.start("run", *options, "--quiet", "--", PYTHON, "-c", SERVER, *listeners,
                        stdin=subprocess.PIPE, stderr=None)
    same(line(child.stdout), "ready\n", "the server")
    return child


def manifest(place, **declared):
    with open(os.path.join(place.project, "ports.manifest.json"), "w", encoding="utf-8") as file:
        json.dump({"version": 1, "project": "shop", "services": declared, "profiles": {"test": {}}}, file)


def file_of(place, *parts):
    return os.path.join(place.project, ".portshim", *parts)


def has_loopback6():
    try:
        with open("/proc/net/if_inet6", encoding="ascii") as file:
            return any(row.startswith("0" * 31 + "1 ") for row in file)
    except OSError:
        return False


def ports(count):
    found = set()
    while len(found) < count:
        found.add(free_port())
    return sorted(found)


def test_shapes(place):
    """Every shape of an entry: services, their heirs, ports without a service, UDP, addresses"""
    web, dns, both, six, plain, own = ports(6)
    manifest(place, web={"port": web}, live={"inherit": "web", "scheme": "ws"}, hooks={"inherit": "live"},
             dns={"port": dns, "protocol": "udp"}, both={"port": both, "protocol": "both", "scheme": "a.b+c-d"},
             six={"port": six})
    wanted = {"web", "live", "hooks", "dns", "both", str(plain), str(own)}
    words = ["tcp/0.0.0.0/%d" % web, "udp/127.0.0.1/%d" % dns, "tcp/127.0.0.1/%d" % both, "udp/127.0.0.1/%d" % both,
             "tcp/127.0.0.1/%d" % plain, "tcp/127.9.8.7/%d" % own]
    if has_loopback6():
        words += ["tcp/::1/%d" % six, "udp/::/%d" % plain]
        wanted.add("six")
    serve(place, [], *words)
    got = services(file_of(place, "ports.json"))
    same(set(got), wanted)
    same((got["live"]["url"], got["live"]["reason"], got["live"]["port"]),
         ("ws://localhost:%d" % web, "inherited", got["web"]["port"]))
    same((got["dns"]["protocol"], got["dns"]["url"]), ("udp", "udp://localhost:%d" % dns))
    same((got["both"]["protocol"], got["both"]["url"]), ("tcp+udp", "a.b+c-d://localhost:%d" % both))
    same((got[str(own)]["addresses"], got[str(own)]["host"]), (["127.9.8.7"], "127.9.8.7"))


def test_ephemeral(place):
    """Several listeners that let the kernel choose, in one run and in two"""
    serve(place, [], *["tcp/127.0.0.1/0"] * 4)
    serve(place, [], *["tcp/127.0.0.1/0"] * 4, "udp/127.0.0.1/0")
    got = services(file_of(place, "ports.json"))
    same(len(got), 8, "all TCP listeners, and not the UDP socket of a client: %s" % sorted(got))
    same({entry["reason"] for entry in got.values()}, {"ephemeral"})
    same(len({entry["port"] for entry in got.values()}), 8)


def test_several_ports(place):
    """A service that listens on several of its ports at once, and has an heir"""
    first, second = ports(2)
    manifest(place, web={"ports": [first, second]}, live={"inherit": "web", "scheme": "ws"})
    serve(place, [], "tcp/127.0.0.1/%d" % first, "tcp/127.0.0.1/%d" % second)
    got = services(file_of(place, "ports.json"))
    low, high = sorted((first, second))
    same({key: entry["requested"] for key, entry in got.items()},
         {"web": low, "live": low, "web:%d" % high: high, "live:%d" % high: high})


def test_runs(place):
    """Three runs of one service and of one port: one has the plain key, the others' keys end with their run"""
    web, plain = ports(2)
    manifest(place, web={"port": web, "discovery": "run/web.json"}, live={"inherit": "web", "scheme": "ws"})
    for _ in range(3):
        serve(place, [], "tcp/127.0.0.1/%d" % web, "tcp/127.0.0.1/%d" % plain)
    got = services(file_of(place, "ports.json"))
    same(len(got), 9)
    for key in "web", "live", str(plain):
        same(sum(bool(re.fullmatch(re.escape(key) + "@[0-9a-f]{8}", name)) for name in got), 2, key)
        same(key in got, True, key)
    own = read_strictly(os.path.join(place.project, "run", "web.json"), "service-discovery.schema.json")
    same(own["port"] in {entry["port"] for key, entry in got.items() if key.startswith("web")}, True, "web.json")


def test_moved(place):
    """A port that somebody else has: requested and actual differ, in both files"""
    web = free_port()
    manifest(place, web={"port": web, "discovery": "web.json"})
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", web))
        holder.listen()
        serve(place, [], "tcp/127.0.0.1/%d" % web)
    entry = services(file_of(place, "ports.json"))["web"]
    own = read_strictly(os.path.join(place.project, "web.json"), "service-discovery.schema.json")
    same((entry["requested"], entry["port"] != web, own["port"]), (web, True, entry["port"]))
    same({key: entry[key] for key in own if key != "timestamp"}, {key: own[key] for key in own if key != "timestamp"})


def test_places(place):
    """A profile's, a named and an isolated environment's files; names of all lengths"""
    web = free_port()
    long = "n" * 63
    manifest(place, **{"web": {"port": web}, long: {"inherit": "web", "scheme": "abcdefghijklm"}})
    serve(place, ["--profile", "test"], "tcp/127.0.0.1/%d" % web)
    serve(place, ["--env", long], "tcp/127.0.0.1/%d" % web)
    serve(place, ["--isolate"], "tcp/127.0.0.1/%d" % web)
    isolated = glob.glob(os.path.join(place.runtime, "env-*.json"))
    same(len(isolated), 1, "files of isolated environments")
    for path in [file_of(place, "env", "test", "ports.json"), file_of(place, "env", long, "ports.json")] + isolated:
        same(set(services(path)), {"web", long}, path)


if __name__ == "__main__":
    main(globals())
