#!/usr/bin/python3
"""portshim check: every example of portshim-findings(7), the forms of output, and what goes wrong.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/check.py
"""
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import harness
from harness import PORTSHIM, TOP, check, listener, run_parts, skip, stop, write

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(TOP, "docs", "man", "portshim-findings.7")
NAME = "ports.manifest.json"


def run(*words, **more):
    """Only the manifest itself, where nothing else is asked for: what else there is on the machine does not matter."""
    if not any(word.startswith("--only") for word in words):
        words = ("--only=manifest", *words)
    return harness.run("check", *words, **more)


def numbers(path):
    try:
        with open(path, encoding="ascii") as f:
            return [int(n) for n in f.read().split()]
    except OSError:
        return None


def usual_kernel(code):
    """The page's examples are about the kernel's usual numbers."""
    if code.startswith("ephemeral"):
        return numbers("/proc/sys/net/ipv4/ip_local_port_range") == [32768, 60999]
    if code == "privileged-port":
        return numbers("/proc/sys/net/ipv4/ip_unprivileged_port_start") in (None, [1024])
    return True


def examples():
    """(code, [manifest, findings]) of each entry of the page; an empty list for one without an example."""
    with open(PAGE, encoding="utf-8") as f:
        page = f.read()
    body = page[page.index(".Ss The text of a manifest"):]
    for entry in body.split("\n.It Li ")[1:]:
        parts = re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", entry, re.S | re.M)
        clean = [re.sub(r"^\\&", "", p, flags=re.M).replace("\\e", "\\") for p in parts]
        yield entry.split("\n", 1)[0], clean


def folded(text):
    """Lines that go on in an indented one are put together."""
    return re.sub(r"\n +", " ", text).strip().split("\n")


# What cannot stand in a page.
def make_unprintable(code):
    if code == "utf-8":
        write(NAME, b'{ "version": 1, "project": "caf\xe9" }')
    elif code == "too-big":
        with open("ports.manifest.json", "wb") as f:
            f.truncate((64 << 20) + 1)
    elif code == "outside-file":
        os.symlink("/etc/hosts", "out.yaml")
        write(NAME, '{ "version": 1, "services": { "web": { "port": 3000 } }, '
              '"files": [{ "path": "out.yaml", "set": { "a": "web" } }] }')
    elif code == "too-many":
        write(NAME, '{"version": 1, "services": {' + ",".join('"s%d":{"port":1}' % i for i in range(65535)) + "}}")
    else:
        return False
    return True


def check_running(code, parts):
    """The page's number is a drawn one here, and its holder is a server of ours."""
    server = listener(0)
    port = server.said
    if code == "external-down":
        check("nobody has" not in run("--only=running")[1], "somebody is there")
        stop(server)
    write(NAME, parts[0].replace("3000", port))
    wanted = " ".join(folded(parts[1].replace("3000", port))[0].split())
    wanted = wanted.replace("node, pid 812, ~/other", "python3, pid %d, ~" % server.pid)
    found = run("--only=running")[1]
    check(found.startswith("ports.manifest.json:" + wanted + "\n\thint: "), "%s: %r, not %r" % (code, found, wanted))
    if code == "port-held":
        stop(server)
        check(run("--only=running")[1].startswith("0 errors, 0 warnings"), "the holder is gone")
        # What portshim runs for this project holds its ports by right.
        own = listener(port, PORTSHIM, "run", "--quiet", "--")
        check(own.said == port, "an own server")
        check(run("--only=running")[1].startswith("0 errors, 0 warnings"), "an own server is no finding")
        stop(own)


# Codes about the files that a manifest names. Those that no test of ours brings about here are tests/cli/sync.py's.
FILES = ("drift", "no-file", "file-syntax", "no-place", "no-port", "no-scalar", "alias", "variable", "port-range",
         "several-ports", "two-places", "two-ports")


def check_page():
    codes = []
    for code, parts in examples():
        codes.append(code)
        if not parts:
            if code in ("unstable-place", "second-manifest"):
                continue
            if check(make_unprintable(code), "%s: an example" % code):
                result = run("--json", *(["--only=files"] if code == "outside-file" else []))
                check(result[0] == 1 and [f["code"] for f in json.loads(result[1])["findings"]] == [code],
                      "%s: found" % code)
            continue
        if not usual_kernel(code):
            skip(code, "the kernel's numbers are not the usual ones here")
            continue
        if code in ("port-held", "external-down"):
            check_running(code, parts)
            continue
        write(NAME, parts[0])
        beside = code in ("other-project", "other-external", "unknown-project", "unknown-source")
        if beside:
            write("auth/" + NAME, '{ "version": 1, "services": { "backend": { "port": 4000 } } }')
            harness.run("map", "--dir", "auth", "--json")
        part = "--only=projects" if beside else "--only=manifest"
        if code in FILES:
            part = "--only=files"
            name = re.search(r'"path": "([^"]*)"', parts[0]).group(1)
            for old in ("app.yaml", "compose.yaml"):
                if os.path.exists(old):
                    os.unlink(old)
            if len(parts) == 3:
                write(name, parts.pop(1))
        status, out, err = run(part)
        found = [re.sub("^ports.manifest.json:", "", line) for line in out.split("\n")
                 if re.match(r"[a-z.]+:\d+:\d+: ", line)]
        check([" ".join(l.split()) for l in found] == [" ".join(l.split()) for l in folded(parts[1])],
              "%s: the page says %r, check says %r %s" % (code, parts[1], found, err))
        check(any("[%s]" % code in line for line in found), "%s: its example has it" % code)
        wrong = any(re.match(r"([a-z.]+:)?\d+:\d+: error: ", line) for line in found)
        check(status == (1 if wrong else 0), "%s: exit status %d" % (code, status))
        check(wrong or run("--strict", part)[0] == (1 if ": warning: " in out else 0), "%s: --strict" % code)
    write(NAME, '{"version": 1}')
    rules = [r["id"] for r in json.loads(run("--format=sarif")[1])["runs"][0]["tool"]["driver"]["rules"]]
    check(sorted(rules) == sorted(codes), "the page has the program's codes: %s" % sorted(set(rules) ^ set(codes)))
    check(len(codes) == len(set(codes)), "each once")


def check_same_as_validate():
    """What validate refuses, check finds, at the same place."""
    known = set()
    for code, _ in examples():
        known.add(code)
    for folder in ("invalid", "semantic", "valid"):
        folder = os.path.join(HERE, "manifests", folder)
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            wanted = json.loads(harness.run("validate", "--json", path)[1])["findings"]
            status, out, _ = run("--json", path)
            found = json.loads(out)["findings"]
            check({f["code"] for f in found} <= known, "%s: codes are in the page: %s" % (name, found))
            if wanted:
                keys = ("line", "column", "code", "text", "key")
                check(status == 1, "%s: status" % name)
                check([[f[k] for k in keys] for f in found] == [[f[k] for k in keys] for f in wanted],
                      "%s: as validate" % name)
                check(all(f["severity"] == "error" for f in found), "%s: errors" % name)


BROKEN = """{ "version": 1, "services": {
  "web": { "ports": [3000, 4000], "conflicts": ["api"] },
  "api": { "port": 4000 },
  "x":   { "port": 6000, "range": "7000-7010" } } }
"""


def check_forms():
    write(NAME, BROKEN)
    status, out, err = run()
    check(status == 1 and err == "" and out.endswith("1 error, 1 warning, 1 note\n"), "text: %s" % out)
    check("ports.manifest.json:2:28: error: services.web.ports[1]: " in out and "\n\thint: " in out,
          "text: place and hint")
    check(run("-q")[1].count("\n") == 2, "--quiet: the error and its hint alone")
    check("\x1b" not in out, "no colour into a pipe")

    log = json.loads(run("--json")[1])
    check(log["version"] == 1 and (log["errors"], log["warnings"], log["notes"]) == (1, 1, 1), "JSON: counts")
    check(all(set(f) == {"file", "line", "column", "severity", "code", "key", "text", "hint"} for f in log["findings"]),
          "JSON: keys")
    check(run("--json")[1] == run("--format=json")[1], "--json is --format=json")

    sarif = json.loads(run("--format", "sarif")[1])
    check(sarif["version"] == "2.1.0" and "sarif-2.1.0" in sarif["$schema"], "SARIF: version")
    rules = sarif["runs"][0]["tool"]["driver"]["rules"]
    results = sarif["runs"][0]["results"]
    check([r["level"] for r in results] == ["error", "warning", "note"], "SARIF: levels")
    for r in results:
        check(rules[r["ruleIndex"]]["id"] == r["ruleId"], "SARIF: the rule's index")
        place = r["locations"][0]["physicalLocation"]
        check(place["artifactLocation"]["uri"] == "ports.manifest.json" and place["region"]["startLine"] >= 1 and
              place["region"]["startColumn"] >= 1, "SARIF: the place")
        check(r["message"]["text"], "SARIF: the message")

    lines = run("--format=github")[1].strip().split("\n")
    first = "::error file=ports.manifest.json,line=2,col=28,title=unmet-conflict::"
    check(len(lines) == 3 and lines[0].startswith(first),
          "GitHub: an error: %s" % lines)
    check(lines[1].startswith("::warning ") and lines[2].startswith("::notice "), "GitHub: levels")
    check(all("%0Ahint: " in line for line in lines), "GitHub: hints")

    # Names that mean something in each of the forms.
    name = "a b%,:\n::error::x.json"
    write(name, BROKEN)
    check(all(line.startswith(("::error file=a b%25%2C%3A%0A%3A%3Aerror%3A%3Ax.json,", "::warning file=a b%25",
                               "::notice file=a b"))
              for line in run("--format=github", name)[1].strip().split("\n")), "GitHub: a hostile name")
    check(json.loads(run("--format=sarif", name)[1])["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
          ["artifactLocation"]["uri"] == "a%20b%25%2C%3A%0A%3A%3Aerror%3A%3Ax.json", "SARIF: a hostile name")
    check("\n::error" not in run(name)[1], "text: a hostile name")
    os.unlink(name)

    os.mkdir("below")
    check("ports.manifest.json:2:28: error" in run(cwd="below")[1], "from below")
    write("right.json", '{"version": 1}')
    status, out, _ = run("right.json", "ports.manifest.json")
    check(status == 1 and "ports.manifest.json:2:28" in out and "right.json" not in out, "several files")
    check(run("right.json") == (0, "0 errors, 0 warnings, 0 notes\n", ""), "nothing is wrong")
    check(run("-q", "right.json") == (0, "", ""), "nothing is wrong, quietly")


# The rules as they are written down in the project: they contradict one another.
LUMIERE = """{
  "version": 1,
  "services": {
    "pourtier": { "port": 9000 }, "courier": { "port": 9765 }, "passeur": { "port": 9766 },
    "postgresql": { "port": 5432, "external": true }, "redis": { "port": 6379, "external": true },
    "influxdb": { "port": 8086, "external": true },
    "index": { "port": 9001, "external": true }
  },
  "profiles": {
    "production": { "offset": -1000 }, "test": { "offset": -2000, "services": { "postgresql": { "port": 5433 } } } },
  "rules": {
    "production": { "range": "8000-8799", "profiles": ["production"], "services": ["pourtier", "courier", "passeur"] },
    "development": { "range": "9000-9799", "profiles": [""], "services": ["pourtier", "courier", "passeur"] },
    "test": { "range": "7000-7799", "profiles": ["test"], "services": ["pourtier", "courier", "passeur"] },
    "infrastructure": { "range": ["5000-6999", 8080, "9001-65535"],
      "services": ["postgresql", "redis", "influxdb", "index"] }
  }
}
"""


def check_rules():
    write(NAME, LUMIERE)
    status, out, _ = run()
    check(status == 1, "contradictory rules")
    for line in (
            r':7:24: error: services.index.port: "index" has 9001, which the rule "development" .* 9000-9799',
            r':6:27: error: .*"influxdb" has 8086, which the rule "production" .* under the profile "production"',
            r':6:27: error: .*"influxdb" has 8086, but the rule "infrastructure" .* \[rule-outside\]',
            r'error: .*"infrastructure" and "development" \(line \d+\) contradict .* 9001-9799 \[rule-overlap\]',
            r'error: .*"infrastructure" and "production" \(line \d+\) contradict .* claim 8080 \[rule-overlap\]'):
        check(re.search(line, out), "contradictory rules: %s in %s" % (line, out))
    check("7000" not in out, "the rule of the tests is kept")
    example = os.path.join(TOP, "manifest", "examples", "lumiere.manifest.json")
    check(run(example)[0] == 0, "the example's rules can be kept: %s" % run(example)[1])
    with open(example, encoding="utf-8") as f:
        text = f.read()
    check('"rules"' in text, "the example has rules")
    write(NAME, text.replace('"port": 9765', '"port": 9800'))
    check("[rule-outside]" in run()[1], "the example's rules are judged")


def check_examples():
    folder = os.path.join(TOP, "manifest", "examples")
    for name in sorted(os.listdir(folder)):
        status, out, err = run(os.path.join(folder, name))
        check(status == 0, "%s: %s%s" % (name, out, err))


def check_manual():
    """The examples of portshim-manifest(5) are manifests."""
    with open(os.path.join(TOP, "docs", "man", "portshim-manifest.5"), encoding="utf-8") as file:
        page = file.read().split(".Sh EXAMPLES\n")[1].split(".Sh ")[0]
    found = re.findall(r"\.Bd -literal\n(.*?)\.Ed\n", page, re.S)
    for text in found:
        write(NAME, text)
        status, out, err = run("--only=manifest", "-q")
        check((status, err) == (0, ""), "an example of the manual: %s%s" % (out, err))
    check(len(found) == 2, "examples: %d" % len(found))


def check_option():
    """--manifest is a FILE."""
    write(NAME, {"version": 1})
    write("other.json", {"version": 1, "services": {"web": {"port": 0}}})
    for command in ("check", "validate"):
        for words in (["other.json"], ["--manifest", "other.json"], ["--manifest=other.json", NAME]):
            status, out, _ = harness.run(command, *words)
            check(status == 1 and out.startswith("other.json:"), "%s %s: %s" % (command, words, out))
        status, _, err = harness.run(command, "--manifest", "none.json")
        check(status == 3 and "none.json" in err, "%s: no such file: %s" % (command, err))
    for words in (["status", "--manifest", "."], ["sync", "--manifest", "none.json"], ["init", "nowhere"]):
        status, _, err = harness.run(*words)
        check(status == 3 and "\nhint: " in err, "%s: what to do: %s" % (words, err))
    os.unlink("other.json")


def check_two_manifests():
    second = os.path.join("config", NAME)
    write(NAME, '{"version": 1}')
    write(second, '{"version": 1}')
    status, out, _ = run()
    check(status == 0 and out.startswith(NAME + ":1:1: warning: " + second) and "[second-manifest]" in out,
          "two manifests: %s" % out)
    check("warning: %s is" % NAME in run(cwd="config")[1], "two manifests, from config")
    write("other.json", '{"version": 1}')
    check("second-manifest" not in run("other.json")[1], "neither of the two")
    os.unlink(second)
    os.symlink(os.path.join("..", NAME), second)
    check("second-manifest" not in run()[1], "one manifest by two names")
    os.unlink(second)


def check_beside():
    """Other projects, under every profile of this one, and many services on both sides."""
    write("elsewhere/" + NAME, {"version": 1, "project": "elsewhere",
                                "services": {"s%d" % i: {"port": 10000 + i} for i in range(10000)}})
    harness.run("map", "--dir", "elsewhere", "--json")
    write(NAME, '{ "version": 1, "services": { "web": { "port": 9000 } }, "profiles": { "test": { "offset": 1000 } } }')
    status, out, _ = run("--only=projects")
    check(status == 0 and re.match(NAME + r':1:48: warning: .* 10000 under the profile "test" is the port of "s0" of the '
                                   r'project elsewhere too, in \S+ \[other-project\]\n', out),
          "another project's port under a profile: %s" % out)
    write(NAME, {"version": 1, "services": {"t%d" % i: {"port": 10000 + i} for i in range(10000)}})
    check(len(json.loads(run("--only=projects", "--json")[1])["findings"]) == 1000, "10,000 services on both sides")
    harness.run("map", "--forget", "elsewhere")


def check_bad():
    check(run("--format=sarfi")[0] == 2 and "did you mean sarif" in run("--format=sarfi")[2], "a format's typing error")
    check(run("--format=x")[0] == 2, "no format")
    check(run("--only=x")[0] == 2 and "manifest, files, projects or running" in run("--only=x")[2], "no part")
    check(run("none.json")[0] == 3, "no file")
    check(run("--json", "none.json")[0] == 3 and json.loads(run("--json", "none.json")[1])["findings"] == [],
          "no file, JSON")
    check(run(".")[0] == 3, "a directory")
    with tempfile.TemporaryDirectory(prefix="portshim-check-") as empty:
        if not os.path.exists(os.path.join(os.path.dirname(empty), "ports.manifest.json")):
            status, _, err = run(cwd=empty)
            check(status == 3 and "hint: " in err, "no manifest")
    # 50,000 services of which each has something wrong, and rules over all of them.
    write(NAME, {"version": 1, "services": {"s%d" % i: {"ports": [i + 2, i + 3]} for i in range(50000)},
                 "rules": {"r%d" % r: {"range": ["%d-%d" % (i, i + 9) for i in range(1, 60000, 20)],
                                       "services": ["s%d" % i for i in range(0, 50000, 2)]} for r in range(3)}})
    status, out, _ = run("--json")
    check(status == 1 and len(json.loads(out)["findings"]) == 1000, "a big manifest: a thousand findings")
    check("at most 1000 findings are listed" in run()[1], "a big manifest: what is left off is said")


run_parts(check_page, check_same_as_validate, check_forms, check_rules, check_examples, check_manual, check_option,
          check_two_manifests, check_beside, check_bad)
