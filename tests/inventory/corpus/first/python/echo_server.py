#!/usr/bin/env python3
import argparse
import socket
import sys

BUFFER = 4096


def serve(host: str, port: int = 9007) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host, port))
        s.listen(128)
        while True:
            conn, _ = s.accept()
            data = conn.recv(8192)
            conn.sendall(data[:BUFFER])


def probe():
    s = socket.create_connection(("localhost", 9007), timeout=5000)
    s.sendto(b"x", ("127.0.0.1", 9008))


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("-p", "--port", type=int, default=9007, help="port to listen on (default 9007)")
    p.add_argument("--size", type=int, default=8192)
    a = p.parse_args()
    sys.exit(serve("0.0.0.0", a.port))
