"""Holds a port as a stranger would: TCP and UDP, IPv4 and IPv6. Says "held" when it does; answers its name."""
import socket
import sys

port = int(sys.argv[1])
sockets = []
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        if family == socket.AF_INET6 and not socket.has_ipv6:
            continue
        s = socket.socket(family, kind)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen(16)
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (97, 99):  # no IPv6 here
                continue
            print(f"{address}:{port}: {error}", flush=True)
            sys.exit(1)
        sockets.append(s)
print("held", flush=True)
body = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nholder"
while True:
    c = sockets[0].accept()[0]
    try:
        c.recv(4096)
        c.sendall(body)
    except OSError:
        pass
    c.close()
