"""Holds the ports that are named, TCP (listening) and UDP, IPv4 and IPv6, and says "held". Ends with SIGTERM, or
with its hour."""
import signal
import socket
import sys

signal.alarm(3600)
held = []
for port in map(int, sys.argv[1:]):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                s = socket.socket(family, kind)
            except OSError:
                continue  # no IPv6 here
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen(64)
            held.append(s)
print("held", flush=True)
signal.pause()
