#!/usr/bin/python3
"""The models of the concurrent protocol, each checked by spin in all its orders of steps, within its stated bounds.

A model says in its first comment what to check:

    check NAME [OPTIONS]: 0 holds; 1 2 3 fail
    functions FILE: NAME...

0 is the code as it is. The other numbers are mutants: the same model with one step of the code done wrong (often as it
once was), which must be found; the #define of the number names it. A check named `safety` looks for assertions that fail and
for deadlocks that are no ends; any other name is that of an ltl formula of the model, checked with weak fairness. The
functions that a model speaks of must still be in the code.

VERBOSE=1 says how many states there were. `tests/model/test_model.py NAME NUMBER` leaves the steps to what was found, as
spin shows them, in NAME.steps in the current directory.
"""
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
LIMIT = 900  # seconds for one run of a verifier; they take a few
DEPTH = "-m400000"


class Check:
    def __init__(self, model, name, options, holds, fails):
        self.model, self.name, self.options, self.holds, self.fails = model, name, options, holds, fails
        self.safety = name == "safety"

    def build(self, where):
        """Makes the verifier; returns its path."""
        directory = pathlib.Path(where, f"{self.model.stem}-{self.name}-{'_'.join(self.options)}")
        directory.mkdir()
        shutil.copy(self.model, directory)
        run(["spin", *self.options, "-a", self.model.name], directory)
        flags = ["-DNOCLAIM", "-DSAFETY"] if self.safety else ["-DNFAIR=4"]
        run(["gcc", "-O2", "-w", "-DCOLLAPSE", "-DNOREDUCE", "-DMEMLIM=1500", *flags, "-o", "pan", "pan.c"], directory)
        return directory

    def verify(self, directory, mutant):
        """What the verifier says about a mutant: (errors, what was wrong, states)."""
        kind = ["-E"] if self.safety else ["-a", "-f", "-E", "-N", self.name]
        own = pathlib.Path(directory, str(mutant))
        own.mkdir()
        said = run([str(directory / "pan"), DEPTH, *kind], own, dict(os.environ, MUTANT=str(mutant)), (0, 1, 2))
        found = re.search(r"errors: (\d+)", said)
        if not found or re.search(r"too small|out of memory|aborted|truncated|not completed\n.*\n.*memory", said):
            raise RuntimeError(f"the search is not complete:\n{said[-2000:]}")
        wrong = re.search(r"^pan:1: (.*)", said, re.M)
        states = re.search(r"(\d+) states, stored", said)
        return int(found.group(1)), wrong.group(1) if wrong else "", int(states.group(1)) if states else 0


def run(command, where, environment=None, good=(0,)):
    done = subprocess.run(command, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=LIMIT, check=False)
    if done.returncode not in good:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}")
    return done.stdout


def numbers(text):
    return [int(n) for n in text.split()]


def read(model):
    """The checks of a model, and (file, functions) that it is about."""
    comment = model.read_text().split("*/", 1)[0].replace("\n *\t", " ").replace("\n * ", "\n")
    checks = [Check(model, name, options.split(), numbers(holds), numbers(fails))
              for name, options, holds, fails in
              re.findall(r"^check (\w+)([^:]*): (?:([\d ]+) holds)?(?:; )?(?:([\d ]+) fails?)?", comment, re.M)]
    return checks, re.findall(r"^functions (\S+): (.*)", comment, re.M)


def title(model, mutant):
    found = re.search(rf"^#define (\w+) {mutant}\b", model.read_text().split("byte mutant;")[-1], re.M)
    return found.group(1).lower().replace("_", " ") if found else "the code"


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def say(self, good, what, why=""):
        self.passed += good
        self.failed += not good
        print(f"{'ok' if good else 'FAILED'}: {what}{': ' + why if why else ''}", flush=True)


def check_functions(report, model, functions):
    for file, names in functions:
        text = (TOP / file).read_text()
        for name in names.split():
            found = re.search(rf"^[a-zA-Z].*\b{name}\([^;]*$", text, re.M)
            report.say(bool(found), f"{model.stem}: {file} has {name}()")


def judge(report, check, mutant, result):
    errors, wrong, states = result
    what = f"{check.model.stem}: {check.name}: {title(check.model, mutant)}"
    if mutant in check.holds:
        report.say(errors == 0, f"{what} holds ({states} states)", wrong)
    else:
        report.say(errors > 0, f"{what} is found ({states} states)", wrong if errors else "not found")


def check_all(report, models, where):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        checks = [check for model in models for check in read(model)[0]]
        waiting = []
        for check, directory in [(c, pool.submit(c.build, where)) for c in checks]:
            waiting += [(check, n, pool.submit(lambda c=check, d=directory, n=n: c.verify(d.result(), n)))
                        for n in check.holds + check.fails]
        for check, mutant, result in waiting:
            try:
                judge(report, check, mutant, result.result())
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                report.say(False, f"{check.model.stem}: {check.name}: {title(check.model, mutant)}", str(error))


def show(name, mutant):
    """Leaves the steps that lead to what is wrong in a mutant."""
    model = HERE / f"{name}.pml"
    with tempfile.TemporaryDirectory() as where:
        for check in read(model)[0]:
            if mutant not in check.holds + check.fails:
                continue
            directory = check.build(where)
            if check.verify(directory, mutant)[0]:
                # c_code is not run in a replay
                text = re.sub(r"c_code \{.*?\};", f"mutant = {mutant};", model.read_text())
                (directory / model.name).write_text(text)
                shutil.copy(directory / str(mutant) / f"{model.name}.trail", directory)
                steps = run(["spin", *check.options, "-t", "-p", "-g", "-l", model.name], directory)
                pathlib.Path(f"{name}.steps").write_text(steps)
                print(f"{name}.steps")
                return


def main():
    if len(sys.argv) == 3:
        show(sys.argv[1], int(sys.argv[2]))
        return 0
    models = sorted(HERE.glob("*.pml"))
    report = Report()
    for model in models:
        check_functions(report, model, read(model)[1])
    skipped = 0
    missing = [tool for tool in ("spin", "gcc") if not shutil.which(tool)]
    if missing:
        skipped = 1
        print(f"skip: models: {missing[0]} is not installed")
    else:
        with tempfile.TemporaryDirectory() as where:
            check_all(report, models, where)
    print(f"{report.passed} passed, {report.failed} failed, {skipped} skipped")
    return report.failed != 0


if __name__ == "__main__":
    sys.exit(main())
