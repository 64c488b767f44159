"""netns.py PORT: in a fresh network namespace, brings loopback up, serves PORT and asks it; prints the port and the answer."""
import fcntl
import socket
import struct
import sys
import threading

port = int(sys.argv[1])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    request = struct.pack("16sH14x", b"lo", 0)
    flags = struct.unpack("16sH14x", fcntl.ioctl(s, 0x8913, request))[1]  # SIOCGIFFLAGS
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))  # SIOCSIFFLAGS: up
server = socket.create_server(("127.0.0.1", port))


def serve():
    c = server.accept()[0]
    c.sendall(b"inside")
    c.close()


threading.Thread(target=serve).start()
with socket.create_connection(("127.0.0.1", port), timeout=20) as c:
    print(server.getsockname()[1], c.recv(100).decode())
