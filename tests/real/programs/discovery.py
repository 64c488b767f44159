"""discovery.py FILE REQUESTED PROTOCOL [KEY [SECONDS]]: does the discovery file say of a port what the kernel says?

Prints the actual port. The kernel's side: the process named is alive, has a socket that listens there (UDP: is bound),
and all addresses of its sockets there are named. With SECONDS it looks again whenever the file is replaced, for so
long at most.
"""
import ctypes
import json
import os
import select
import socket
import stat
import sys
import time


def address(text):
    """An address of /proc/net: 32-bit words in host byte order."""
    raw = bytes.fromhex(text)
    raw = b"".join(raw[i:i + 4][::-1] if sys.byteorder == "little" else raw[i:i + 4] for i in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def sockets(protocol, port):
    """The sockets that listen (TCP) or are bound (UDP) on a port, in this network namespace: inode -> address."""
    found = {}
    for name in (protocol, protocol + "6"):
        try:
            lines = open(f"/proc/net/{name}").readlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            f = line.split()
            if int(f[1].rsplit(":", 1)[1], 16) == port and (protocol == "udp" or f[3] == "0A"):
                found[f[9]] = address(f[1].rsplit(":", 1)[0])
    return found


def held_by(pid):
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


def check(path, requested, protocol, key):
    status = os.lstat(path)
    assert stat.S_ISREG(status.st_mode), f"{path} is no regular file"
    assert stat.S_IMODE(status.st_mode) == 0o600, f"mode is {stat.S_IMODE(status.st_mode):04o}"
    text = open(path).read()
    document = json.loads(text)
    assert document["version"] == 1, text
    for field in ("project", "environment", "profile", "updated", "services"):
        assert field in document, f"no {field} in {text}"
    entries = {k: e for k, e in document["services"].items() if e["requested"] == requested}
    if key:
        entries = {k: e for k, e in entries.items() if k == key}
    else:
        entries = {k: e for k, e in entries.items() if "@" not in k}
    assert entries, f"{requested} is not in {text}"
    for name, e in entries.items():
        port = e["port"]
        assert isinstance(port, int) and 0 < port < 65536, text
        assert e["state"] == "listening", text
        assert protocol in e["protocol"].split("+"), text
        assert str(port) in e["url"] and e["host"] in e["url"], text
        assert abs(time.time() - e["timestamp"]) < 600, text
        assert e["addresses"], text
        pid = e["process_id"]
        assert os.path.exists(f"/proc/{pid}"), f"{name}: process {pid} is dead; {text}"
        there = sockets(protocol, port)
        assert there, f"{name}: nothing listens on {port}/{protocol}; {text}"
        own = held_by(pid)
        addresses = {a for inode, a in there.items() if inode in own}
        assert addresses, f"{name}: process {pid} does not listen on {port}; {text}"
        assert addresses <= set(e["addresses"]), f"{name}: the kernel has {addresses}; {text}"
    return port


def main(path, requested, protocol, key="", seconds="0"):
    libc = ctypes.CDLL(None)
    changes = libc.inotify_init1(os.O_CLOEXEC)
    libc.inotify_add_watch(changes, os.path.dirname(path).encode(), 0x80)  # IN_MOVED_TO
    end = time.monotonic() + float(seconds)
    while True:
        try:
            print(check(path, int(requested), protocol, key))
            return 0
        except (AssertionError, OSError, ValueError, KeyError) as error:
            text = f"{type(error).__name__}: {error}"
        if not select.select([changes], [], [], max(end - time.monotonic(), 0))[0]:
            print(text)
            return 1
        os.read(changes, 65536)


sys.exit(main(*sys.argv[1:]))
