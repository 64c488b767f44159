#!/usr/bin/env python3
"""What `make coverage` ends with: report.py BUILD [-v] prints the lines and branches reached, file by file.

src/core is built twice, for the library and for the command line: a line counts where one of them has reached it. A
line that ends with a comment `not counted: REASON` does not count. With -v, the lines and branches that were not
reached are listed. Exit status 1 if less than 95 % of the lines of src/core and src/shim together were reached; or if a
branch of LAWS was not taken and docs/testing.md has no row "| file | `a part of the line` | why |" for it, or has one for a
line that is not there.
"""
import collections
import glob
import json
import os
import subprocess
import sys

LEAST = 95.0
# Who carries laws 3, 4 and 9.
LAWS = ["src/core/candidates.c", "src/core/registry.c", "src/core/assign.c", "src/core/call_bind.c", "src/core/call_bind.h",
        "src/core/call_connect.c", "src/core/call_connect.h", "src/core/route.c"]
EXCUSES = "docs/testing.md"


class File:
    def __init__(self, path):
        self.lines = collections.defaultdict(int)
        self.branches = collections.defaultdict(int)
        with open(path, encoding="utf-8") as source:
            self.text = source.read().split("\n")

    def excluded(self, line):
        return "/* not counted: " in self.text[line - 1]

    def add(self, line):
        number = line["line_number"]
        if self.excluded(number):
            return
        self.lines[number] += line["count"]
        for index, branch in enumerate(line["branches"]):
            self.branches[number, index] += branch["count"]


def gcov(notes):
    """The report on one object file; its paths are those that the compiler was given."""
    run = subprocess.run(["gcov", "--branch-probabilities", "--json-format", "--stdout", "-o",
                          os.path.dirname(notes), notes],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith(b"{")]


def collect(build):
    files = {}
    for folder in "obj", "pic":
        for notes in sorted(glob.glob(f"{build}/{folder}/**/*.gcno", recursive=True)):
            for report in gcov(notes):
                for entry in report["files"]:
                    path = entry["file"]
                    if not path.startswith("src/") or not path.endswith((".c", ".h")):
                        continue
                    one = files.setdefault(path, File(path))
                    for line in entry["lines"]:
                        one.add(line)
    return files


def share(counts):
    return 100.0 * sum(1 for n in counts.values() if n) / len(counts) if counts else 100.0


def show(name, lines, branches):
    print(f"{share(lines):6.1f} % of {len(lines):5d} lines "
          f"{share(branches):6.1f} % of {len(branches):5d} branches  {name}")


def excuses():
    """(path, a part of the line) of each branch that is said to be out of reach."""
    with open(EXCUSES, encoding="utf-8") as text:
        for line in text:
            cells = line.strip().split(" | ")
            path = "src/" + cells[0].removeprefix("| ")
            if len(cells) == 3 and path in LAWS:
                yield path, cells[1].strip("`")


def judge_laws(files):
    """What is wrong with the branches of LAWS."""
    known = set(excuses())
    wrong = [f"{EXCUSES}: {path}: no such line: {part}" for path, part in sorted(known)
             if path not in files or not any(part in line for line in files[path].text)]
    for path in LAWS:
        one = files.get(path)
        if not one or not one.branches:
            wrong.append(f"{path}: nothing was counted")
            continue
        for number in sorted({n for (n, _), taken in one.branches.items() if not taken}):
            text = one.text[number - 1].strip()
            if not any(p == path and part in text for p, part in known):
                wrong.append(f"{path}:{number}: a branch is not taken: {text}")
    return wrong


def main():
    build, verbose = sys.argv[1], "-v" in sys.argv[2:]
    files = collect(build)
    folders = collections.defaultdict(lambda: ({}, {}))
    for path in sorted(files):
        one = files[path]
        if not one.lines:
            continue
        show(path, one.lines, one.branches)
        both = "core and shim" if path.startswith(("src/core/", "src/shim/")) else None
        for folder in {path.rsplit("/", 1)[0], both}:
            if folder:
                folders[folder][0].update({(path, k): n for k, n in one.lines.items()})
                folders[folder][1].update({(path, k): n for k, n in one.branches.items()})
        if verbose:
            missed = [n for n in sorted(one.lines) if not one.lines[n]]
            if missed:
                print("\tlines", *missed)
            half = sorted({n for (n, _), taken in one.branches.items() if not taken and one.lines[n]})
            if half:
                print("\tbranches in", *half)
    for folder in sorted(folders):
        show(f"= {folder}", *folders[folder])
    if "core and shim" not in folders:
        sys.exit("nothing was counted")
    wrong = judge_laws(files)
    if share(folders["core and shim"][0]) < LEAST:
        wrong.append(f"less than {LEAST} % of the lines of src/core and src/shim")
    if wrong:
        sys.exit("\n".join(wrong))


main()
