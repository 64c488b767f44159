#!/usr/bin/python3
"""What portshim costs in instructions and system calls: compared with what was recorded in counts.txt.

Times on a machine that does other things as well say little about a few instructions more; callgrind counts them.
calls.c does each hooked call a few times, under callgrind: bare, in an environment with few entries, in one with 1,000,
and with a manifest of 10,000 services. Counted for each call are
  shim    instructions in libportshim.so itself
  added   instructions of the whole process, above those of the bare one: what libc and the loader do for it as well
  calls   system calls above those of the bare one
And for the commands that read a manifest, the instructions of the whole: with 1,000 services and 10,000.
A count that is higher than recorded by more than a tenth, and by more than a few instructions, is a failure. Compilers
and C libraries differ: with others than those that counts.txt names, the bound is wider; what was built without -O2, or
for another architecture, is not compared.
"""
import argparse
import glob
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
RECORDED = os.path.join(HERE, "counts.txt")
HELD, FREE = 8, 24        # ports of with_ports: an outsider holds the first ones, so portshim moves them
ENTRIES, SERVICES = 1000, 10000
TIMES = 15                # ten times as much may cost a command so many times as much: no more than sorting does
GROWTH, FEW = 1.10, 4     # what a count may grow: by this factor, or by so many instructions if that is more
WIDER, MORE = 1.40, 24    # the same where another compiler or libc has made the code
HEADER = """\
# What portshim costs: instructions and system calls, counted by callgrind. `make counts` compares, `make counts-record`
# writes this file anew; tests/bench/counts.py says what is counted. Names of compiler and libc say what they were
# counted with.
"""


class Failed(Exception):
    """Something could not be counted."""


# ---- callgrind's output ----

def read_dump(path):
    """Trigger, instructions in libportshim.so, all instructions, system calls of one dump.

    https://valgrind.org/docs/manual/cl-format.html: after "ob=" come lines of that object, "POSITION COST...", and the
    line after "calls=" has the costs of what was called, which are that object's own and are counted there."""
    trigger, events, objects, current, inclusive = "", [], {}, "", False
    shim = total = calls = 0
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            if line[0] in "0123456789+-*":
                if not inclusive:
                    costs = line.split()[1:]
                    cost = dict(zip(events, (int(c) for c in costs)))
                    total += cost.get("Ir", 0)
                    calls += cost.get("sysCount", 0)
                    if current.endswith("/libportshim.so"):
                        shim += cost.get("Ir", 0)
                inclusive = False
            elif line.startswith("calls="):
                inclusive = True
            elif line.startswith("ob="):
                number, _, name = line[3:].strip().partition(" ")
                if name:
                    objects[number] = name
                current = objects.get(number, "")
            elif line.startswith("cob="):
                number, _, name = line[4:].strip().partition(" ")
                if name:
                    objects[number] = name
            elif line.startswith("events:"):
                events = line.split()[1:]
            elif line.startswith("desc: Trigger:"):
                trigger = line.split(":", 2)[2].strip()
    return trigger, shim, total, calls


def callgrind(prefix, argv, environment, directory, options):
    """Runs a program; its output, and its dumps in order."""
    base = os.path.join(directory, "cg")
    command = prefix + ["valgrind", "-q", "--tool=callgrind", "--collect-systime=yes",
                        f"--callgrind-out-file={base}"] + options + argv
    done = subprocess.run(command, env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, check=False, timeout=400)
    if done.returncode:
        raise Failed(f"{' '.join(argv)}: exit status {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    paths = sorted(glob.glob(base + ".*"), key=lambda p: int(p.rsplit(".", 1)[1])) + [base]
    dumps = [read_dump(p) for p in paths if os.path.exists(p)]
    for path in paths:
        if os.path.exists(path):
            os.unlink(path)
    return done.stdout, dumps


def copy_build(build, scratch):
    """What is counted, below a directory whose name is as long on every machine."""
    copy = os.path.join(scratch, "build")
    for name in ("portshim", "libportshim.so", "tests/bench/calls"):
        os.makedirs(os.path.dirname(os.path.join(copy, name)), exist_ok=True)
        shutil.copy2(os.path.join(build, name), os.path.join(copy, name))
    return copy


# ---- the calls ----

def do_calls(prefix, program, ports, environment, directory, some=False):
    """name -> (instructions in the shim, all instructions, system calls), each for one call."""
    # Of one name each: patterns that are alike are confused by callgrind 3.19.
    arguments = (["some"] if some else []) + [str(p) for p in ports]
    said, dumps = callgrind(prefix, [program] + arguments, environment, directory,
                            ["--dump-before=main", "--dump-after=counted", "--zero-before=counted"])
    counts = {}
    starts = [d for d in dumps if d[0].startswith("--dump-before=main")]
    cases = [d for d in dumps if d[0].startswith("--dump-after=counted")]
    if len(starts) != 1:
        raise Failed("callgrind wrote no counts of the start")
    counts["start of a program"] = starts[0][1:]
    for line in said.splitlines():
        number, rounds, name = line.split(" ", 2)
        own, cases = cases[:int(rounds)], cases[int(rounds):]
        if len(own) != int(rounds):
            raise Failed(f"callgrind wrote {len(own)} counts of '{name}', not {rounds}")
        counts[name] = tuple(min(d[i] for d in own) / int(number) for i in (1, 2, 3))
    if cases:
        raise Failed(f"callgrind wrote {len(cases)} counts too many")
    return counts


class Crowd:
    """Another program of the environment, that serves some ports."""

    def __init__(self, prefix, program, count, port, environment, directory):
        command = prefix + [program, "crowd", str(count), str(port)]
        self.process = subprocess.Popen(command, env=environment, cwd=directory,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.process.stdin.close()
            self.process.wait()
            raise Failed("no listeners")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(120)


def write_manifest(path, ports, count, rich=False):
    services = {f"own-{p}": {"port": p} for p in ports}
    for number in range(count - len(services)):
        service = services[f"service-{number:05}"] = {"port": 50000 + number}
        if rich and number % 2:
            service["env"] = {f"PORT_{number}": "{port}", f"URL_{number}": f"{{service-{number // 2:05}.url}}"}
        if rich and number % 3 == 0:
            service.update(range="20000-20999", scheme="http")
    with open(path, "w", encoding="ascii") as f:
        json.dump({"version": 1, "project": "counts", "services": services}, f, indent=1)


def count_calls(build, scratch, runtime):
    """name -> (shim, added, calls)."""
    program, portshim = os.path.join(build, "tests/bench/calls"), os.path.join(build, "portshim")
    held, free = int(os.environ["PORTS_FIRST"]), int(os.environ["PORTS_CLOSED"])
    server = held + HELD - 1
    found = {}
    # Nothing else: the start of a program reads all of it.
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": scratch, "LC_ALL": "C"}
    directory = os.path.join(scratch, "bare")
    os.mkdir(directory)
    bare_ports = (free, free + FREE - HELD, free + FREE - 1)
    with Crowd([], program, 0, bare_ports[2], environment, directory):
        bare = do_calls([], program, bare_ports, environment, directory)
    kinds = [("", 0, None, False), (f", {ENTRIES:,} entries", ENTRIES, None, True),
             (f", {SERVICES:,} services", 0, SERVICES, True)]
    for number, (suffix, entries, services, some) in enumerate(kinds):
        directory = os.path.join(scratch, f"project-{number}")
        os.mkdir(directory)
        # A user's directory each: what one leaves must not change the next.
        environment["PORTSHIM_RUNTIME_DIR"] = os.path.join(runtime, str(number))
        os.mkdir(environment["PORTSHIM_RUNTIME_DIR"], 0o700)
        # The same name each time: it decides where moved ports land.
        prefix = [portshim, "exec", "--strict", "--env", f"counts-{number}", "--"]
        if services:
            write_manifest(os.path.join(directory, "ports.manifest.json"), [*range(held, held + HELD + FREE)], services)
        with Crowd(prefix, program, entries, server, environment, directory):
            counts = do_calls(prefix, program, (free, held, server), environment, directory, some)
        for name, (shim, total, calls) in counts.items():
            found[name + suffix] = (shim, total - bare[name][1], calls - bare[name][2])
    return found


# ---- the commands ----

def count_commands(build, scratch, runtime):
    """name -> (instructions, the same, system calls) of a whole command, in projects of two sizes."""
    portshim, program = os.path.join(build, "portshim"), os.path.join(build, "tests/bench/calls")
    found = {}
    for size in (SERVICES // 10, SERVICES):
        directory = os.path.join(scratch, f"project-of-{size}")
        os.mkdir(directory)
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": scratch, "LC_ALL": "C",
                       "PORTSHIM_RUNTIME_DIR": os.path.join(runtime, f"of-{size}")}
        os.mkdir(environment["PORTSHIM_RUNTIME_DIR"], 0o700)
        write_manifest(os.path.join(directory, "ports.manifest.json"), [], size, rich=True)
        commands = {"validate": ["validate"], "env": ["env"], "run": ["run", "true"]}
        with Crowd([portshim, "exec", "--strict", "--"], program, size // 10, 50007, environment, directory):
            for name, arguments in commands.items():
                _, dumps = callgrind([], [portshim] + arguments, environment, directory, [])
                _, _, total, calls = dumps[-1]
                found[f"portshim {name}, {size:,} services, {size // 10:,} entries"] = (total, total, calls)
    return found


def judge_sizes(counts):
    """What grows faster than the size."""
    wrong = []
    for name, large in counts.items():
        tenth = name.replace(f"{SERVICES:,} services", f"{SERVICES // 10:,} services")
        small = counts.get(tenth.replace(f"{ENTRIES:,} entries", f"{ENTRIES // 10:,} entries"))
        if name.startswith("portshim ") and small and small != large and large[0] > TIMES * small[0]:
            wrong.append(f"{name}: {large[0]:,} instructions are {large[0] / small[0]:.1f} times those of a tenth")
    return wrong


# ---- the record ----

def made_with(build):
    """What decides how many instructions the same source has."""
    done = subprocess.run(["readelf", "--debug-dump=info", "--dwarf-depth=1", os.path.join(build, "libportshim.so")],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    producers = re.findall(r"DW_AT_producer.*?: ((?:GNU C|[\w ]*clang version ).*)", done.stdout)
    compiler = "unknown"
    optimised = not producers or all(re.search(r" -O[2s]\b", p) for p in producers if p.startswith("GNU"))
    if producers:
        version = re.match(r"(?:GNU C\d*|[\w ]*clang version) (\d+)", producers[0])
        compiler = ("gcc " if producers[0].startswith("GNU") else "clang ") + (version.group(1) if version else "?")
    return {"compiler": compiler, "libc": " ".join(platform.libc_ver()), "machine": platform.machine()}, optimised


def read_record():
    with open(RECORDED, encoding="ascii") as f:
        lines = [line.rstrip("\n") for line in f if line.strip() and not line.startswith("#")]
    made, counts = {}, {}
    for line in lines:
        numbers = re.match(r" *(\S+) +(\S+) +(\S+)  (\S.*)$", line)
        if numbers:
            counts[numbers.group(4)] = tuple(float(numbers.group(i)) for i in (1, 2, 3))
        else:
            key, _, value = line.partition(" ")
            made[key] = value
    return made, counts


def number_text(value):
    return f"{value:.2f}".rstrip("0").rstrip(".")


def write_record(made, counts):
    with open(RECORDED, "w", encoding="ascii") as f:
        f.write(HEADER)
        for key, value in made.items():
            f.write(f"{key} {value}\n")
        f.write(f"#{'shim':>9} {'added':>10} {'calls':>7}  for each call\n")
        for name, (shim, added, calls) in counts.items():
            f.write(f"{number_text(shim):>10} {number_text(added):>10} {number_text(calls):>7}  {name}\n")


def judge(name, now, then, factor, few):
    """What is wrong with a count, or None; and whether it fell so much that it should be recorded anew."""
    wrong, lower = [], False
    for what, n, t in zip(("instructions in the library", "instructions in all"), now, then):
        if n > max(t * factor, t + few):
            wrong.append(f"{number_text(n)} {what}, recorded are {number_text(t)}")
        lower = lower or (factor == GROWTH and n < min(t / GROWTH, t - FEW))
    few_calls = then[2] * (GROWTH - 1) if name.startswith("portshim ") else 0.05
    if now[2] > then[2] + few_calls:
        wrong.append(f"{number_text(now[2])} system calls more than bare, recorded are {number_text(then[2])}")
    return (f"{name}: " + "; ".join(wrong) if wrong else None), lower


def compare(made, optimised, counts, show):
    """Prints what there is to say; the numbers of passed, failed and skipped ones."""
    then_made, then = read_record()
    if made["machine"] != then_made.get("machine") or not optimised:
        why = "for " + made["machine"] if optimised else "without the usual optimisation"
        print(f"skip: counts: the library was built {why}; recorded is {then_made.get('machine')}, -O2")
        return 0, 0, len(counts)
    factor, few = GROWTH, FEW
    if made != then_made:
        factor, few = WIDER, MORE
        print(f"built with {made['compiler']} and {made['libc']}, recorded with {then_made.get('compiler')} and "
              f"{then_made.get('libc')}: bound {WIDER:g} instead of {GROWTH:g}")
    passed = failed = skipped = 0
    fell = []
    others = os.environ["PORTSHIM_TEST_NETWORK"] != "own"
    if others:
        print("skip: counts: first binds and listens: no network namespace can be made, and what they cost depends on the "
              "ports that others have")
    for wrong in judge_sizes(counts):
        print(f"not ok: {wrong}")
        failed += 1
    for name, now in counts.items():
        if others and ", new" in name:
            skipped += 1
            continue
        if name not in then:
            wrong, lower = f"{name}: not recorded", False
        else:
            wrong, lower = judge(name, now, then[name], factor, few)
        if show:
            print(f"{number_text(now[0]):>10} {number_text(now[1]):>10} {number_text(now[2]):>7}  {name}")
        if wrong:
            print(f"not ok: {wrong}")
        failed, passed = failed + bool(wrong), passed + (not wrong)
        fell += [name] if lower else []
    for name in then:
        if name not in counts:
            print(f"not ok: {name}: recorded, but not counted")
            failed += 1
    if fell:
        print(f"lower than recorded, so a later rise may go unseen: {'; '.join(fell)}")
    if failed or fell:
        print("where that is wanted: `make counts-record`, and commit tests/bench/counts.txt")
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description="Count instructions and system calls, and compare.")
    parser.add_argument("--build", default=os.environ.get("PORTSHIM_TEST_BUILD", os.path.join(TOP, "build")))
    parser.add_argument("--record", action="store_true", help="write counts.txt anew")
    parser.add_argument("--table", action="store_true", help="print all counts")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    for tool in ("valgrind", "readelf"):
        if not shutil.which(tool):
            print(f"skip: counts: {tool} is not installed")
            print("0 passed, 0 failed, 1 skipped")
            return 0
    if "PORTS_FIRST" not in os.environ:
        # The same numbers each time, and none of them anybody else's.
        os.environ["PORTS_BLOCK"] = "0"
        holder, network = os.path.join(build, "tests/shim/with_ports"), os.path.join(build, "tests/own_network")
        os.execv(network, [network, holder, "--hold", str(HELD), str(FREE), "--", sys.executable] + sys.argv)
    # Names of the same length everywhere: the loader reads and copies the library's path at each start of a program.
    os.environ["PATH"] = os.path.dirname(shutil.which("valgrind")) + ":/usr/bin:/bin"
    scratch = tempfile.mkdtemp(prefix="portshim-counts.", dir="/tmp" if os.access("/tmp", os.W_OK) else None)
    runtime = tempfile.mkdtemp(prefix="portshim-counts.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
    try:
        short = copy_build(build, scratch)
        counts = count_calls(short, scratch, runtime)
        counts.update(count_commands(short, scratch, runtime))
    except Failed as failure:
        print(f"not ok: {failure}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(runtime, ignore_errors=True)
    made, optimised = made_with(build)
    if options.record:
        write_record(made, counts)
        print(f"{len(counts)} counts recorded")
        return 0
    passed, failed, skipped = compare(made, optimised, counts, options.table or os.environ.get("VERBOSE", "0") != "0")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
