#!/usr/bin/python3
"""The benchmark: what portshim costs, as ratios to native, measured side by side.

Every row is a workload of bench.c. For each variant (native again as a control, portshim, and the peers that are
installed) a worker takes turns with a native one: batch by batch, in alternating order, pinned to one CPU. A pair of
batches gives one ratio; the columns show medians, and for portshim the smallest and the largest as well. Absolute times
are never judged, except where a bar is a difference.

What became of a bar: "met", "NOT MET", or "noise", when the control says that this run cannot tell: its own median is
as far from 1 as portshim's is from the bar, or its spread is that wide.

The ports: with_ports holds some, as an outsider, so that portshim moves them, and keeps others free.

Three sets of rows: the preloaded library by itself (`portshim exec`); the same in a run with the filter on
(`portshim run --static=on`), whose calls pass it, against the same bars; and a static program, whose calls are notified
and answered by another process: those, and what the filter costs any other call, have no bar. The kernel asks its price
for a filter that tells the callers of these calls apart (the smallest one: `once filter`, in its own column): a bar that
is met but for that is "filter".
"""
import argparse
import copy
import glob
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOCKET_WRAPPER = next(iter(glob.glob("/usr/lib/*/libsocket_wrapper.so")), "")
PROXYCHAINS = next(iter(glob.glob("/usr/lib/*/libproxychains.so.4")), "")
HELD, FREE = 16, 16
OURS = ("native", "control", "portshim", "filtered", "filter")


class Failed(Exception):
    """A variant that cannot do a workload."""


class Worker:
    """A process of bench.c that does batches on command."""

    def __init__(self, prefix, environment, arguments, cpu, program=None):
        environment = dict(os.environ, **environment)
        environment["BENCH_CPU"] = "" if cpu is None else str(cpu)
        self.process = subprocess.Popen(prefix + [program or BENCH] + [str(a) for a in arguments],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env=environment,
                                        cwd=SCRATCH)
        line = self.process.stdout.readline().strip()
        if line != "ready":
            self.process.stdin.close()
            raise Failed(line or self.process.stderr.read().strip()[-200:] or "no answer")

    def batch(self, count):
        """Nanoseconds that `count` iterations took."""
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failed("ended early") from error
        line = self.process.stdout.readline().strip()
        if not line.isdigit():
            raise Failed(line or "ended early")
        return int(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.stderr.close()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Row:
    """One line of the table: a workload, and what is expected of portshim in it."""

    def __init__(self, name, workload, bar=None, moved=False, extra=(), nanoseconds=None, absolute=None, pairs=1.0,
                 pinned=True, count=None, commands=None, below=None, budget=None, way="portshim", program=None):
        self.name, self.workload, self.bar, self.moved, self.extra = name, workload, bar, moved, list(extra)
        self.nanoseconds = nanoseconds  # the difference may be at most this
        self.absolute = absolute        # an iteration may take at most this
        self.pairs = pairs              # factor on the number of pairs
        self.pinned = pinned
        self.count = count              # iterations in a batch; None: calibrated
        self.commands = commands        # variant -> argv, where variants differ in what is spawned
        self.below = below              # a variant whose ratio portshim's must be below
        self.budget = budget            # iterations at most, over all batches of a worker
        self.way = way                  # the variant that is portshim in this row
        self.program = program          # what does the workload, if not bench.c's

    def has_bar(self):
        return self.bar is not None or self.nanoseconds is not None or self.absolute is not None or self.below

    def filtered(self):
        """The same row in a run with the filter on."""
        row = copy.copy(self)
        row.way, row.name = "filtered", self.name + ", filter on"
        return row


def variants(portshim, runtime):
    """What each variant puts before the worker, and into its environment."""
    found = {
        "native": ([], {}),
        "control": ([], {}),
        "portshim": ([portshim, "exec", "--strict", "--env", "bench", "--"], {"PORTSHIM_RUNTIME_DIR": runtime}),
        "filtered": ([portshim, "run", "--quiet", "--strict", "--static=on", "--env", "bench", "--"],
                     {"PORTSHIM_RUNTIME_DIR": runtime}),
        "filter": ([ONCE, "filter"], {}),
        "empty": ([], {"LD_PRELOAD": os.path.join(BUILD, "tests/bench/libempty.so")}),
    }
    if usable_namespace():
        found["netns"] = (["unshare", "-rn", ONCE, "up"], {})
    if os.path.exists(SOCKET_WRAPPER):
        directory = os.path.join(SCRATCH, "wrapper")
        os.makedirs(directory, exist_ok=True)
        found["socket_wrapper"] = ([], {"LD_PRELOAD": SOCKET_WRAPPER, "SOCKET_WRAPPER_DIR": directory,
                                        "SOCKET_WRAPPER_DEFAULT_IFACE": "1", "SOCKET_WRAPPER_MAX_SOCKETS": "4096"})
    if os.path.exists(PROXYCHAINS):
        path = os.path.join(SCRATCH, "proxychains.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write("strict_chain\nquiet_mode\nlocalnet 127.0.0.0/255.0.0.0\n[ProxyList]\nsocks5 127.0.0.1 1080\n")
        found["proxychains"] = ([], {"LD_PRELOAD": PROXYCHAINS, "PROXYCHAINS_CONF_FILE": path,
                                     "PROXYCHAINS_QUIET_MODE": "1"})
    if shutil.which("ip2unix"):
        found["ip2unix"] = (["ip2unix", "-r", f"path={SCRATCH}/%p.sock"], {})
    return found


def usable_namespace():
    return shutil.which("unshare") and subprocess.run(["unshare", "-rn", ONCE, "up", "true"], check=False,
                                                      stdout=subprocess.DEVNULL,
                                                      stderr=subprocess.DEVNULL).returncode == 0


def rows(portshim, table):
    exec_true = {"native": ["true"], "control": ["true"],
                 "portshim": [portshim, "exec", "--strict", "--env", "bench", "--", "true"],
                 "env": ["env", "true"], "unshare": ["unshare", "-rn", "true"],
                 "netns": ["unshare", "-rn", ONCE, "up", "true"]}
    if "proxychains" in table and shutil.which("proxychains4"):
        path = table["proxychains"][1]["PROXYCHAINS_CONF_FILE"]
        exec_true["proxychains"] = ["proxychains4", "-q", "-f", path, "true"]
    if "ip2unix" in table:
        exec_true["ip2unix"] = table["ip2unix"][0] + ["true"]
    run_true = [dict(exec_true, portshim=[portshim, "run", "--static=" + mode, "--env", "bench", "--", "true"])
                for mode in ("off", "on")]
    preloaded = [
        Row("1-byte ping-pong, read/write", "read-write", 1.015),
        Row("1-byte ping-pong, send/recv", "send-recv", 1.015),
        Row("connected UDP", "udp-connected", 1.015),
        Row("open/dup/close", "open", 1.015),
        Row("AF_UNIX connect", "unix-connect", 1.015),
        Row("stream of 64 KiB messages", "stream", 1.02),
        Row("accept + close", "accept", 1.02),
        Row("accept + close, moved", "accept", 1.02, moved=True),
        Row("connect + close", "connect", 1.03),
        Row("connect + close, redirected", "connect", 1.03, moved=True),
        Row("UDP sendto/recvfrom", "udp", 1.03),
        Row("UDP sendto/recvfrom, redirected", "udp", 1.03, moved=True),
        Row("getsockname", "getsockname", 1.06, nanoseconds=30),
        Row("getsockname, moved", "getsockname", 1.06, moved=True, nanoseconds=30),
        Row("getpeername", "getpeername", 1.06, nanoseconds=30),
        Row("getpeername, redirected", "getpeername", 1.06, moved=True, nanoseconds=30),
        Row("socket + bind + close", "bind", 1.08),
        Row("socket + bind + close, moved", "bind", 1.08, moved=True),
        Row("bind, a new port each time", "bind-new", 2.5, budget=7900),
        Row("bind + listen + close, recorded", "listen", nanoseconds=100_000),
        Row("the same, moved", "listen", moved=True, nanoseconds=100_000),
        Row("the same, a new entry each time", "listen-new", nanoseconds=100_000, count=4, pairs=0.3),
        Row("the same, with 1,000 entries", "listen-crowd", extra=[1000, 4000], absolute=1_000_000, count=4, pairs=0.3),
        Row("connect from 4 threads", "threads", 1.15, moved=True, pinned=False),
        Row("posix_spawn of true", "spawn", 1.15, extra=["true"], pairs=0.5),
        Row("posix_spawn, binds once", "spawn", 1.18, extra=[ONCE, "bind", "PORT"], pairs=0.5),
        Row("exec -- true", "spawn", 2.8, commands=exec_true, pairs=0.4),
        Row("run --static=off -- true", "spawn", 5.0, commands=run_true[0], pairs=0.4, below="netns"),
        Row("run --static=on -- true", "spawn", 5.0, commands=run_true[1], pairs=0.4, below="netns"),
    ]
    static, go = static_programs()
    notified = [Row(name + ", notified", workload, moved=True, pairs=0.3, way="filtered", program=static)
                for name, workload in (("connect + close", "connect"), ("UDP sendto/recvfrom", "udp"),
                                       ("getsockname", "getsockname"), ("getpeername", "getpeername"),
                                       ("socket + bind + close", "bind"), ("bind + listen + close", "listen"))]
    return (preloaded + [row.filtered() for row in preloaded if not row.commands] +
            [Row("getppid, filter on", "getppid", way="filtered")] + (notified if static else []) +
            ([Row("Go: GET without keep-alive, notified", "http", moved=True, pairs=0.3, pinned=False, way="filtered",
                  program=go)] if go else []))


def static_programs():
    """bench.c as a static program, and bench.go: None for what cannot be built here."""
    source = os.path.dirname(os.path.abspath(__file__))
    static, go = os.path.join(SCRATCH, "static"), os.path.join(SCRATCH, "go")
    environment = dict(os.environ, CGO_ENABLED="0", GOCACHE=os.path.join(SCRATCH, "cache"), GOFLAGS="-mod=mod",
                       GO111MODULE="off")
    builds = (([shutil.which("musl-gcc") or "cc", "-static", "-D_GNU_SOURCE", "-std=gnu11", "-O2", "-pthread",
                "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu", "-o", static,
                os.path.join(source, "bench.c")], static),
              ([shutil.which("go") or "go", "build", "-o", go, os.path.join(source, "bench.go")], go))
    for words, _ in builds:
        try:
            subprocess.run(words, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            pass
    return [target if os.path.exists(target) else None for _, target in builds]




def calibrate(worker, row, target):
    """Iterations that take about `target` nanoseconds."""
    if row.count:
        return row.count
    count = 1
    while True:
        spent = worker.batch(count)
        if spent >= target / 2 or count >= 1 << 20 or (row.budget and count * 16 > row.budget):
            break
        count *= 2
    count = max(1, int(count * target / max(spent, 1)))
    return min(count, 100) if row.budget else count


def open_worker(row, variant, table, ports, cpu):
    """The worker of a variant; `ports` is where its own free (or held) ports start."""
    if row.commands:
        return Worker([], table["portshim"][1], ["spawn", 0] + row.commands[variant], cpu)
    prefix, environment = table[row.way if variant == "portshim" else variant]
    if variant == "portshim":
        name = "bench-" + re.sub("[^a-z0-9]+", "-", row.name.lower())
        prefix = [name[:60].strip("-") if p == "bench" else p for p in prefix]
    extra = [ports + 3 if e == "PORT" else e for e in row.extra]
    port = 2000 if row.workload in ("bind-new", "listen-new", "listen-crowd") else ports
    return Worker(prefix, environment, [row.workload, port] + extra, cpu if row.pinned else None, row.program)


def take_turns(row, variant, table, settings, pairs):
    """Nanoseconds of an iteration, native and not, for so many pairs of batches of two new workers."""
    first_held, first_free = int(os.environ["PORTS_FIRST"]), int(os.environ["PORTS_CLOSED"])
    ports = first_held if variant == "portshim" and row.moved else first_free + 4
    times = []
    with open_worker(row, "native", table, first_free, settings.cpu) as native:
        count = calibrate(native, row, settings.target)
        if row.budget:
            pairs = min(pairs, (row.budget - 400) // count)
        with open_worker(row, variant, table, ports, settings.cpu) as other:
            native.batch(max(1, count // 4))
            other.batch(max(1, count // 4))
            for i in range(pairs):
                if i % 2:
                    there = other.batch(count)
                    here = native.batch(count)
                else:
                    here = native.batch(count)
                    there = other.batch(count)
                times.append((here / count, there / count))
    return times


def compare(row, variant, table, settings):
    """Pairs of batches of native and the variant: what there is to say about them.

    Where a process happens to lie in memory makes a difference of a percent or two, and stays for its life: so the
    pairs are spread over several processes, unless the workload must not meet what an earlier one left."""
    pairs = max(5, int(settings.pairs * row.pairs))
    processes = 1 if row.budget or row.count else min(settings.processes, max(1, pairs // 5))
    times = []
    for _ in range(processes):
        times += take_turns(row, variant, table, settings, -(-pairs // processes))
    ratios = sorted(there / here for here, there in times)
    return {
        "native_ns": statistics.median(here for here, _ in times),
        "ns": statistics.median(there for _, there in times),
        "difference_ns": statistics.median(there - here for here, there in times),
        "min": ratios[0], "median": statistics.median(ratios), "max": ratios[-1],
        "lower": ratios[len(ratios) // 4], "upper": ratios[len(ratios) * 3 // 4], "pairs": len(ratios),
        "processes": processes,
    }


def uncertainty(control):
    """How far from 1 the median of native against native can be in this run."""
    spread = (control["upper"] - control["lower"]) / control["pairs"] ** 0.5
    return max(abs(control["median"] - 1), spread)


def judge(row, result, others, control):
    """"met", "NOT MET" or "noise"; and whether the numbers as they are meet the bar."""
    good, near = True, False
    if row.bar is not None:
        good = result["median"] <= row.bar
        near = abs(result["median"] - row.bar) < uncertainty(control)
    if row.nanoseconds is not None:
        good = good and result["difference_ns"] <= row.nanoseconds
    if row.absolute is not None:
        good = good and result["ns"] < row.absolute
    if not row.has_bar():
        return "", True
    if row.below and row.below in others and "median" in others[row.below]:
        good = good and result["median"] < others[row.below]["median"]
    if not good and row.way == "filtered" and "median" in others.get("filter", {}):
        price = max(1, others["filter"]["median"]) - 1
        beside = (row.bar is None or result["median"] - price <= row.bar) and \
            (row.nanoseconds is None or result["difference_ns"] - price * result["native_ns"] <= row.nanoseconds)
        if beside:
            return "filter", True
        near = near or (row.bar is not None and abs(result["median"] - price - row.bar) < uncertainty(control))
    return "noise" if near else "met" if good else "NOT MET", good


def bar_text(row):
    parts = []
    if row.bar is not None:
        parts.append(f"{row.bar:g}")
    if row.nanoseconds is not None:
        parts.append(f"+{row.nanoseconds:,} ns")
    if row.absolute is not None:
        parts.append(f"{row.absolute:,} ns")
    if row.below:
        parts.append(f"<{row.below}")
    return ", ".join(parts)


def print_header(peers):
    print(f"{'median ratio to native':42} {'native ns':>11} {'control':>8} {'portshim':>9} {'min':>7} {'max':>7} "
          f"{'diff ns':>11} {'bar':>18} {'':7} " + " ".join(f"{p:>{max(8, len(p))}}" for p in peers), flush=True)


def print_line(name, entry, bar, peers):
    result, control = entry["portshim"], entry["control"]

    def peer(name):
        told = entry["peers"].get(name, {})
        return f"{told['median']:.3f}" if "median" in told else "fails" if told else "-"

    print(f"{name:42} {result['native_ns']:11,.0f} {control['median']:8.3f} {result['median']:9.3f} "
          f"{result['min']:7.3f} {result['max']:7.3f} {result['difference_ns']:11,.0f} {bar:>18} {entry['verdict']:7} "
          + " ".join(f"{peer(p):>{max(8, len(p))}}" for p in peers), flush=True)


def measure(row, table, settings):
    entry = {"name": row.name, "workload": row.workload, "moved": row.moved, "bar": row.bar,
             "bar_ns": row.nanoseconds, "bar_absolute_ns": row.absolute}
    names = [n for n in (row.commands or table) if n not in OURS]
    if not settings.peers or row.way != "portshim":
        names = [n for n in names if n == row.below]
    if row.way == "filtered":
        names = ["filter"]
    def again(variant):
        try:
            return compare(row, variant, table, settings)
        except Failed as failure:
            # Another program may take a port, moved or not, in the moment between two binds: nothing that this one
            # could see coming. Once; and it is told.
            print(f"{row.name:42} once more: {variant}: {failure}", flush=True)
            entry["repeated"] = str(failure)
            return compare(row, variant, table, settings)

    try:
        entry["control"] = again("control")
        entry["portshim"] = again("portshim")
    except Failed as failure:
        print(f"{row.name:42} could not be measured: {failure}", flush=True)
        entry.update(error=str(failure), good=False, verdict="NOT MET")
        return entry
    entry["peers"] = {}
    few = argparse.Namespace(**vars(settings))
    few.pairs = max(5, settings.pairs // 4)
    for name in names:
        try:
            entry["peers"][name] = compare(row, name, table, settings if name == "filter" else few)
        except Failed as failure:
            entry["peers"][name] = {"error": str(failure)}
    entry["verdict"], entry["good"] = judge(row, entry["portshim"], entry["peers"], entry["control"])
    print_line(row.name, entry, bar_text(row), settings.columns)
    return entry


def memory(table, settings):
    """Resident KiB that portshim adds to a process that has bound, listened and connected."""
    first_held, first_free = int(os.environ["PORTS_FIRST"]), int(os.environ["PORTS_CLOSED"])

    def resident(variant, port):
        prefix, environment = table[variant]
        if variant == "portshim":
            # A table that the rows before have filled would be mapped around what the process touches.
            own = tempfile.mkdtemp(dir=environment["PORTSHIM_RUNTIME_DIR"])
            environment = dict(environment, PORTSHIM_RUNTIME_DIR=own)
        done = subprocess.run(prefix + [BENCH, "memory", str(port)], env=dict(os.environ, **environment), cwd=SCRATCH,
                              stdout=subprocess.PIPE, check=True)
        return int(done.stdout)

    native = statistics.median(resident("native", first_free) for _ in range(settings.repeats * 3))
    shim = statistics.median(resident("portshim", first_held) for _ in range(settings.repeats * 3))
    good = shim - native <= 200
    print(f"{'resident memory added':42} {shim - native:.0f} KiB ({native:.0f} -> {shim:.0f}); bar 200 KiB"
          f"  {'met' if good else 'NOT MET'}", flush=True)
    return {"name": "resident memory added", "native_kib": native, "portshim_kib": shim, "bar_kib": 200, "good": good}


def environments(portshim, runtime, settings, namespaces):
    """All at once on one port, each checked by its own client; against as many network namespaces."""
    port = os.environ["PORTS_FIRST"]
    environment = dict(os.environ, PORTSHIM_RUNTIME_DIR=runtime)

    def once(prefix):
        done = subprocess.run([MANY, str(settings.environments), port] + prefix, env=environment, cwd=SCRATCH,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        if not done.stdout.startswith("{"):
            raise Failed(f"many: exit status {done.returncode}")
        return json.loads(done.stdout)

    shim, spaces = [], []
    for round_number in range(settings.repeats):
        shim.append(once([portshim, "exec", "--env", f"bench-{round_number}-%", "--"]))
        if namespaces:
            spaces.append(once(["unshare", "-rn", ONCE, "up"]))
    right = min(s["right"] for s in shim)
    wall = statistics.median(s["wall_ns"] for s in shim)
    bind = statistics.median(s["bind_p50_ns"] for s in shim)
    count = settings.environments
    name = f"{count:,} environments on one port"
    good = right == count
    text = f"{right:,} of {count:,} right, {wall / 1e9:.2f} s"
    if spaces:
        theirs = statistics.median(s["wall_ns"] for s in spaces)
        good = good and wall < theirs
        text += f"; network namespaces: {min(s['right'] for s in spaces):,} right, {theirs / 1e9:.2f} s" \
                f" (ratio {wall / theirs:.2f}, bar 1)"
    print(f"{name:42} {text}  {'met' if good else 'NOT MET'}", flush=True)
    print(f"{'bind p50 among those':42} {bind / 1000:.1f} us; bar 40 us  {'met' if bind <= 40000 else 'NOT MET'}",
          flush=True)
    return [{"name": "environments", "count": count, "portshim": shim, "netns": spaces, "good": good},
            {"name": "bind p50", "ns": bind, "bar_ns": 40000, "good": bind <= 40000}]


def main():
    parser = argparse.ArgumentParser(description="Measure portshim against native and its peers.")
    parser.add_argument("--build", default=os.path.join(TOP, "build"), help="the build directory")
    parser.add_argument("--json", metavar="FILE", help="write everything as JSON, too")
    parser.add_argument("--quick", action="store_true", help="few pairs, 100 environments: to see that it works")
    parser.add_argument("--only", metavar="TEXT", help="only the rows whose name or workload contains this")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave the peers out")
    parser.add_argument("--pairs", type=int, help="pairs of batches for each row (101; with --quick 15)")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bar was missed")
    options = parser.parse_args()
    global BUILD, BENCH, ONCE, MANY, SCRATCH
    BUILD = os.path.abspath(options.build)
    BENCH, ONCE, MANY = (os.path.join(BUILD, "tests/bench", n) for n in ("bench", "once", "many"))
    portshim = os.path.join(BUILD, "portshim")
    if "PORTS_FIRST" not in os.environ:
        holder = os.path.join(BUILD, "tests/shim/with_ports")
        os.execv(holder, [holder, "--hold", str(HELD), str(FREE), "--", sys.executable] + sys.argv)
    for name in ("PORTSHIM_RUN", "PORTSHIM_ENV", "LD_PRELOAD"):
        os.environ.pop(name, None)
    cpus = sorted(os.sched_getaffinity(0))
    settings = argparse.Namespace(pairs=options.pairs or (15 if options.quick else 101), peers=options.peers,
                                  target=1_500_000 if options.quick else 4_000_000, cpu=cpus[-1],
                                  processes=1 if options.quick else 4,
                                  repeats=1 if options.quick else 3, environments=100 if options.quick else 1000)
    runtime = tempfile.mkdtemp(prefix="portshim-bench.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    SCRATCH = tempfile.mkdtemp(prefix="portshim-bench.")
    results = []
    try:
        table = variants(portshim, runtime)
        settings.columns = [n for n in [*table, "env", "unshare"] if n not in OURS]
        if not settings.peers:
            settings.columns = ["netns"]
        settings.columns.append("filter")
        print_header(settings.columns)
        for row in rows(portshim, table):
            if not options.only or options.only in row.name or options.only in row.workload:
                results.append(measure(row, table, settings))
        if not options.only or options.only in "resident memory added":
            results.append(memory(table, settings))
        if not options.only or options.only in "environments on one port":
            results += environments(portshim, runtime, settings, "netns" in table)
    finally:
        shutil.rmtree(runtime, ignore_errors=True)
        shutil.rmtree(SCRATCH, ignore_errors=True)
    for result in results:
        result.setdefault("verdict", "met" if result["good"] else "NOT MET")
    results_with_bars = [r for r in results if r["verdict"]]
    missed = [r["name"] for r in results if r["verdict"] == "NOT MET"]
    beside = [r["name"] for r in results if r["verdict"] == "filter"]
    noise = [r["name"] for r in results if r["verdict"] == "noise"]
    print(f"{len(results_with_bars) - len(missed) - len(noise)} bars met, {len(missed)} not met" +
          (": " + "; ".join(missed) if missed else "") +
          (f"; {len(beside)} met but for what the smallest filter costs: " + "; ".join(beside) if beside else "") +
          (f"; {len(noise)} lost in noise: " + "; ".join(noise) if noise else ""))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"version": 1, "kernel": platform.release(), "machine": platform.machine(), "cpus": len(cpus),
                       "quick": options.quick, "rows": results}, f, indent=1)
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
