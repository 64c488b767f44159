"""watcher.py PORT: keeps an http.server, and ends (TERM, KILL) or starts it when told on stdin. "leave" ends both."""
import signal
import subprocess
import sys


def start():
    return subprocess.Popen([sys.executable, "-m", "http.server", sys.argv[1]], stdin=subprocess.DEVNULL, stdout=sys.stderr)


server = start()
for line in sys.stdin:
    word = line.strip()
    if word == "leave":
        break
    if word == "start":
        server = start()
        print("started", server.pid, flush=True)
    else:
        server.send_signal(getattr(signal, "SIG" + word))
        server.wait()
        print("ended", server.pid, flush=True)
if server.poll() is None:
    server.terminate()
    server.wait()
