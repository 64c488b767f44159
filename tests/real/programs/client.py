"""client.py http|line|udp HOST PORT [COUNT]: asks a server, COUNT times with a new socket each, and prints the different
answers, sorted. `line` reads what a TCP server says by itself; `udp` checks that the answer comes from the address asked."""
import errno
import socket
import sys

kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
count = int(sys.argv[4]) if len(sys.argv) > 4 else 1


def tcp(request):
    with socket.create_connection((host, port), timeout=20) as s:
        peer = s.getpeername()[1]
        if peer != port:
            return f"getpeername says {peer}"
        s.sendall(request)
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    return answer.decode()


def http():
    head, body = tcp(f"GET /who HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode()).split("\r\n\r\n", 1)
    return body.strip() if head.split()[1] == "200" else head


def udp(connected):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        if connected:
            s.connect((host, port))
            s.send(b"who")
            answer, source = s.recv(4096), s.getpeername()
        else:
            s.sendto(b"who", (host, port))
            answer, source = s.recvfrom(4096)
    if source[:2] != (host, port):
        return f"answer from {source}"
    return answer.decode().strip()


def ask(i):
    try:
        if kind == "http":
            return http()
        if kind == "line":
            return tcp(b"").strip()
        return udp(i % 2)
    except OSError as error:
        return "refused" if error.errno == errno.ECONNREFUSED else f"{type(error).__name__}: {error}"


print(*sorted({ask(i) for i in range(count)}), sep="\n")
