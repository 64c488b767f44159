"""node.py RESULTS FILE... - runs tests of node, each a program, and writes "FILE<tab>RESULT" to the file RESULTS.

Those of test/parallel two at a time, those of test/sequential (which have a port in common) one after the other. Each
gets five numbers of its own in FIXED_PORTS, which node.sh has put in the place of port 0. The first hundred numbers are
held by somebody else; each of the first hundred tests begins with one of them."""
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

RESULTS, FILES = sys.argv[1], sys.argv[2:]
FIRST, LAST = int(os.environ["FIXED_FIRST"]), int(os.environ["FIXED_LAST"])
SECONDS, HELD = 60, 100


def run(index_and_file):
    index, file = index_and_file
    with open(file, encoding="utf-8", errors="replace") as source:
        flags = re.search(r"^// Flags: (.*)", source.read(), re.M)
    more = FIRST + HELD + 4 * index
    ports = [FIRST + index] * (index < HELD) + list(range(more, more + 4)) * (more + 4 <= LAST)
    environment = dict(os.environ, FIXED_PORTS=" ".join(map(str, ports)), TEST_THREAD_ID=str(index + 1))
    child = subprocess.Popen(["node", *(flags.group(1).split() if flags else []), file], env=environment, text=True,
                             errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    try:
        said, _ = child.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        said = "out of time"
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)  # what it may have left behind
        except ProcessLookupError:
            pass
        child.wait()
    if "1..0 # Skipped" in said:
        return file, "skip", ""
    return (file, "pass", "") if child.returncode == 0 else (file, "fail", said)


def main():
    numbered = list(enumerate(FILES))
    with open(RESULTS, "w", encoding="utf-8") as out:
        for workers, folder in ((2, "parallel"), (1, "sequential")):
            with ThreadPoolExecutor(workers) as pool:
                for file, result, said in pool.map(run, [n for n in numbered if folder in n[1]]):
                    print(file, result, sep="\t", file=out, flush=True)
                    if result == "fail":
                        print("----", file, said[-3000:], sep="\n", flush=True)


main()
