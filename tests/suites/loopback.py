"""Brings up the loopback of the network namespace that this runs in."""
import fcntl
import socket
import struct

SIOCSIFFLAGS = 0x8914
IFF_UP = 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
