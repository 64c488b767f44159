#!/usr/bin/python3
"""portshim health, wait --healthy and status --health, with real servers.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/health.py
"""
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import (LIMIT, PORTSHIM, PYTHON, TOO_LATE, check, free_row, help_examples, line, listener, run, run_parts, server,
                     skip, start, stop, until, write)

# Answers with a status that /set/STATUS changes, and counts how often it is asked; `raw`: with other bytes,
# `second`: never to every second one, `crowd`: when all of the hundred are there.
SERVER = r"""
import http.server, os, socket, sys
port, kind = int(sys.argv[1]), sys.argv[2]
if kind in ("raw", "second", "silent", "crowd"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(128)
    print(s.getsockname()[1], flush=True)
    kept = []
    while True:
        c = s.accept()[0]
        c.recv(4096)
        if kind == "raw" or (kind == "second" and len(kept) % 2 == 0):
            c.sendall(sys.argv[3].encode().decode("unicode_escape").encode("latin-1"))
            c.close()
            print("answered", flush=True)
        kept.append(c)
        if kind == "crowd" and len(kept) == 100:
            for c in kept:
                c.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                c.close()
class H(http.server.BaseHTTPRequestHandler):
    status, asked = int(sys.argv[3]), 0
    def do_GET(self):
        if self.path.startswith("/set/"):
            H.status = int(self.path[5:])
        elif self.path != "/asked":
            H.asked += 1
        self.send_response(200 if self.path == "/asked" else H.status)
        self.end_headers()
        self.wfile.write(b"%d %s" % (H.asked, self.headers["Host"].encode()))
    def log_message(self, *words):
        pass
class S(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if kind == "six" else socket.AF_INET
s = S(("::1" if kind == "six" else "127.0.0.1", port), H)
print(s.socket.getsockname()[1], flush=True)
s.serve_forever()
"""


def serve(port, kind="http", what="200", cwd="shop", managed=True):
    words = [PYTHON, "-c", SERVER, str(port), kind, what]
    child = server(*([PORTSHIM, "run", "--quiet", "--", *words] if managed else words), cwd=cwd)
    assert child.said, child.communicate()
    child.port = int(child.said)
    return child


def get(port, path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=20) as answer:
        return answer.read().decode()


def project(name, services, **more):
    write("%s/ports.manifest.json" % name, dict({"version": 1, "project": name, "services": services}, **more))


def health(*words, cwd="shop", wanted=None):
    status, out, err = run("health", "--json", *words, cwd=cwd)
    if wanted is not None:
        check(status == wanted, "health %s: exit status %d, wanted %d: %s%s" % (words, status, wanted, out, err))
    answer = json.loads(out)
    check(answer["version"] == 1 and answer["healthy"] == (status == 0), "health: %s" % out)
    return answer["services"]


def check_kinds():
    """Each check, at the actual port of a service that was moved, while a stranger has its number."""
    first = free_row(8)
    project("shop", {
        "web": {"port": first, "health": {"http": "/health?deep=1", "timeout": "60s"}},
        "gone": {"port": first + 1, "health": {"http": "/", "status": 410, "timeout": "60s"}},
        "slow": {"port": first + 2, "health": {"http": "/", "timeout": "200ms"}},
        "starting": {"port": first + 3, "health": {"redis": True, "timeout": "60s"}},
        "wrong": {"port": first + 4, "health": {"postgresql": True, "timeout": "60s"}},
        "off": {"port": first + 5, "health": "tcp"},
        "plain": {"port": first + 6},
        "quiet": {"port": first + 7},
        "live": {"inherit": "web", "scheme": "ws", "health": "tcp"},
        "copy": {"inherit": "web"}})
    stranger = serve(first, what="500", managed=False)
    servers = [serve(first, what="204"), serve(first + 1, what="410"), serve(first + 2, "silent"),
               serve(first + 3, "raw", r"-LOADING wait\r\n"), serve(first + 4, "raw", r"-ERR\r\n"), serve(first + 6)]
    answer = health(wanted=1)
    wanted = {"web": ("healthy", "http", "HTTP 204"), "gone": ("healthy", "http", "HTTP 410"),
              "slow": ("unhealthy", "http", "no answer within 200 ms"), "starting": ("starting", "redis", "LOADING wait"),
              "wrong": ("unhealthy", "postgresql", "the answer is not PostgreSQL's"), "off": ("down", "tcp", "not running"),
              "plain": ("healthy", "tcp", "accepts connections"), "live": ("healthy", "tcp", "accepts connections")}
    check({name: (s["status"], s["check"], s["detail"]) for name, s in answer.items()} == wanted, "each check: %s" % answer)
    check(servers[0].port != first and answer["web"]["port"] == servers[0].port == answer["live"]["port"],
          "asked where it really is: %s" % answer["web"])
    check(answer["off"]["port"] is None and answer["off"]["latency_ms"] is None, "nothing to ask: %s" % answer["off"])
    check(answer["live"]["url"] == "ws://localhost:%d" % servers[0].port, "its URL: %s" % answer["live"])
    check(abs(answer["web"]["timestamp"] - time.time()) < 60 and 0 <= answer["web"]["uptime"] < 100 and
          answer["web"]["process_id"] > 1, "times: %s" % answer["web"])
    check(get(servers[0].port, "/asked") == "1 127.0.0.1:%d" % servers[0].port, "asked once")
    check(list(health("web", "gone", wanted=0)) == ["web", "gone"], "two by name")
    check(health("copy", wanted=0)["copy"]["check"] == "http", "one that inherits is asked as the other one")
    check(list(health(str(first), wanted=0)) == ["web"], "by number")
    check(health("quiet", wanted=1)["quiet"]["status"] == "down", "one that does not run, by name")
    status, out, err = run("health", cwd="shop")
    check(status == 1 and not err and [row.split()[0] for row in out.splitlines()][0] == "SERVICE" and
          ["gone", str(first + 1), "http", "healthy"] in [row.split()[:4] for row in out.splitlines()], "table: %s" % out)
    check(run("health", "-q", "web", cwd="shop") == (0, "", ""), "quiet")
    inside = run("run", "--quiet", "--", PORTSHIM, "health", "web", "plain", cwd="shop")
    check(inside[0] == 0 and str(servers[0].port) in inside[1], "inside a run: %s" % (inside,))
    check_status(servers[0])
    stop(stranger, *servers)
    container = serve(first + 1, what="410", cwd=".", managed=False)
    answer = health("gone", "plain", wanted=1)
    check(answer["gone"]["status"] == "healthy" and answer["gone"]["detail"] == "HTTP 410, not under portshim" and
          answer["gone"]["port"] == first + 1 and answer["plain"]["detail"] == "not running", "a container: %s" % answer)
    stop(container)


def check_status(web):
    """status --health: the clients connected, uptime, and the same verdicts."""
    with socket.create_connection(("127.0.0.1", web.port)), socket.create_connection(("127.0.0.1", web.port)):
        found = json.loads(run("status", "--json", "--health", "web", "wrong", cwd="shop")[1])["assignments"]
    shown = {a["service"]: a["health"] for a in found}
    check(shown["web"]["connections"] == 2 and shown["wrong"]["connections"] == 0, "two clients: %s" % shown)
    check(shown["web"]["status"] == "healthy" and shown["wrong"]["status"] == "unhealthy" and
          shown["web"]["uptime"] >= 0, "in status: %s" % shown)
    rows = [row.split() for row in run("status", "--health", cwd="shop")[1].splitlines()]
    check(rows[0][-3:] == ["HEALTH", "CLIENTS", "UPTIME"] and rows[1][-3] == "healthy", "as a table: %s" % rows[:2])
    check("health" not in json.loads(run("status", "--json", "web", cwd="shop")[1])["assignments"][0], "only if asked for")
    check("healthy" in run("status", "--all", "--health", cwd="shop")[1], "of all environments")


def check_elsewhere():
    """IPv6 alone, another project's service, one that is external, a real Redis."""
    first = free_row(5)
    patient = {"http": "/", "timeout": "60s"}
    project("other", {"api": {"port": first, "health": patient}})
    project("shop", {"six": {"port": first + 1, "health": patient},
                     "api": {"port": first, "from": "other/api", "health": patient},
                     "system": {"port": first + 2, "external": True, "health": "tcp"},
                     "cache": {"port": first + 3, "external": True, "health": "redis"},
                     "locked": {"port": first + 4, "health": "redis"}})
    stranger = serve(first, what="500", managed=False)
    run("status", cwd="other")
    check(health("api", wanted=1)["api"]["status"] == "down", "never the stranger that has its number")
    api, system = serve(first, cwd="other"), listener(first + 2)
    answer = health("api", "system")
    check(answer["api"]["status"] == "healthy" and answer["api"]["port"] == api.port != first, "from: %s" % answer)
    check(answer["system"]["status"] == "healthy" and answer["system"]["port"] == first + 2, "external: %s" % answer)
    stop(api, system, stranger)
    check(health("system", wanted=1)["system"]["detail"] == "connection refused", "external and gone")
    if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
        six = serve(first + 1, "six")
        check(health("six", wanted=0)["six"]["port"] == six.port, "IPv6")
        stop(six)
    else:
        skip("IPv6", "this machine has none")
    if not shutil.which("redis-server"):
        skip("redis", "redis-server is not installed")
        return
    words = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--port"]
    cache = start(*words, str(first + 3), cwd="shop")
    locked = start(PORTSHIM, "run", "--quiet", "--", *words, str(first + 4), "--requirepass", "x", cwd="shop")
    check(run("wait", "--healthy", "cache", "locked", cwd="shop")[0] == 0, "waits for Redis")
    answer = health("cache", "locked", wanted=0)
    check((answer["cache"]["detail"], answer["locked"]["detail"]) == ("PONG", "asks for a password"), "Redis: %s" % answer)
    stop(cache, locked)


def wait_in_vain(name):
    """wait --healthy of one that answers, but not well; with more time where that was not enough for one answer."""
    for time_limit in ("100ms", "1s", "10s", "50s"):
        status, _, err = run("wait", "--healthy", name, "--timeout", time_limit, cwd="shop")
        if not TOO_LATE.search(err):
            break
    return status, err


def check_late(port):
    """Whose time runs out while it sleeps asks once more, and not for as long as the check says."""
    project("late", {"web": {"port": port, "health": {"http": "/", "interval": "150ms", "timeout": "900s"}}})
    web = serve(port, "second", r"HTTP/1.1 503 Busy\r\n\r\n", cwd="late")
    waiting = start(PORTSHIM, "wait", "--healthy", "web", "--timeout", "300ms", cwd="late")
    if line(web.stdout):
        time.sleep(0.05)  # it has read that, and sleeps until its next question
        waiting.send_signal(signal.SIGSTOP)
        time.sleep(0.4)
        waiting.send_signal(signal.SIGCONT)
    _, err = waiting.communicate(timeout=LIMIT)
    check(waiting.returncode == 1 and "web (%d) is not healthy" % port in err, "a late end: %s" % err)
    stop(web)


def check_wait():
    """wait --healthy: from before the start to the first good answer."""
    port = free_row(3)
    project("shop", {"web": {"port": port, "health": {"http": "/", "interval": "20ms", "timeout": "60s"}}, "off": {"port": port + 1},
                     "slow": {"port": port + 2, "health": {"http": "/", "interval": "20ms", "timeout": "50s"}}})
    slow = serve(port + 2, "second", r"HTTP/1.1 503 Busy\r\n\r\n")
    status, err = wait_in_vain("slow")
    check(status == 1 and "unhealthy, HTTP 503" in err, "the question that the end cuts short: %s" % err)
    stop(slow)
    check_late(port)
    waiting = start(PORTSHIM, "wait", "--healthy", "web", "--timeout", "60s", cwd="shop")
    web = serve(port, what="503")
    until(lambda: int(get(web.port, "/asked").split()[0]) >= 3, "three questions")
    check(waiting.poll() is None, "wait goes on while it is not healthy")
    status, err = wait_in_vain("web")
    check(status == 1 and "web (%d) is not healthy in environment shop: unhealthy, HTTP 503" % port in err and
          "hint" not in err, "the time is over: %s" % err)
    check(run("wait", "web", cwd="shop")[0] == 0, "it listens")
    try:
        get(web.port, "/set/200")
    except OSError:
        pass
    check(waiting.wait(timeout=60) == 0, "wait ends")
    check(run("wait", "--healthy", "--any", "off", "web", "--timeout", "0", cwd="shop")[0] == 0, "one of them")
    status, _, err = run("wait", "--healthy", "off", "web", "--timeout", "0", cwd="shop")
    check(status == 1 and "off (%d) is not healthy in environment shop: down, not running" % (port + 1) in err and
          "web" not in err.replace("shop", ""), "not both: %s" % err)
    stop(waiting, web)


def check_talk():
    """What is said when there is nothing, and when the command line is wrong."""
    os.makedirs("empty/.git")
    status, out, err = run("health", cwd="empty")
    check(status == 1 and not out and "nothing runs in environment empty" in err, "nothing: %s" % err)
    check(json.loads(run("health", "--json", cwd="empty")[1])["services"] == {}, "nothing, as JSON")
    status, _, err = run("health", "--timeout", "soon", cwd="empty")
    check(status == 2 and "`soon` is no time" in err, "no time: %s" % err)
    status, _, err = run("health", "wbe", cwd="shop")
    check(status == 2 and "did you mean `web`?" in err, "no service: %s" % err)
    port = free_row(2)
    project("shop", {"web": {"port": port}, "database": {"port": port + 1}})
    for words in help_examples("health"):
        words = words[:words.index("|")] if "|" in words else words
        status, _, err = run(*words[1:], cwd="shop")
        check(status == 1 and "usage" not in err, "--help's %s: %s" % (words, err))


def check_many():
    """A hundred services are asked at once: none has an answer before all were asked. Silent ones, too."""
    port = free_row(2)
    for kind, limit, said in (("crowd", "60s", "HTTP 200"), ("silent", "300ms", "no answer within 300 ms")):
        project("shop", {"s%d" % i: {"port": port, "external": True, "match": {"args": str(i)},
                                     "health": {"http": "/", "timeout": limit}} for i in range(100)})
        asked = serve(port, kind, managed=False)
        answer = health(wanted=int(kind == "silent"))
        check(len(answer) == 100 and all(s["detail"] == said for s in answer.values()), "a hundred, %s: %s" % (kind, answer))
        stop(asked)


run_parts(check_kinds, check_elsewhere, check_wait, check_talk, check_many)
