#!/usr/bin/python3
"""portshim sync on random files of every format: the digits of the ports change, and no other byte; and again: nothing.

Files are made from random trees by writers that know all the ways to write the same thing (quotes, block and flow,
comments, line ends, byte order marks, escapes, anchors), and remember where each port went.
By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/sync_property.py [ROUNDS [SEED]]
"""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import harness
from harness import check, read, run_parts, write

SERVICES = {"web": 3000, "api": 40001, "db": 7, "bus": 65535}
PER_ROUND = 40

rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 20261121)


class Port:
    """A port in a text: the number that stands there, and whose it is."""

    def __init__(self):
        self.service = rng.choice(sorted(SERVICES))
        self.old = rng.choice([SERVICES[self.service], rng.randint(0, 99999)])


def pick(*choices):
    return rng.choice(choices)


KEYS = ["port", "server", "a.b", "c d", "it's", "x[0]", "\u00e4\u20ac", "\U0001f600", "name-1", "_k", "ports",
        "published", "k=v", "-x"]
WORDS = ["", "plain", "two words", "it's \"quoted\"", "# no comment", "a: b", "\u00e4\u20ac\U0001f600", "http://host/",
         "1.2.3.4", "null", "9000x", "C:\\temp", "[]", "{x}", "*a", "&b", "!c", "%d", "@e", "`f`", "- g", "tab\there"]


def tree(depth, lists=True):
    """A random tree: {key: ...}, [...], a word, or (text, parts) with ports in it."""
    if depth == 0 or rng.random() < 0.35:
        return scalar()
    if lists and rng.random() < 0.35:
        return [tree(depth - 1) for _ in range(rng.randint(1, 3))]
    return {key: tree(depth - 1) for key in rng.sample(KEYS, rng.randint(1, 4))}


def scalar():
    """A word, or a tuple of parts: text, and Ports with the side that they stand on."""
    kind = rng.randint(0, 9)
    port = Port()
    if kind < 4:
        return pick(*WORDS)
    if kind == 4:
        return (("", port),)
    if kind == 5:
        return (pick("http://", "ws://u:p@", "--x=postgresql://u:80@") +
                pick("host", "[::1]", "1.2.3.4", "${H:-localhost}") + ":",
                ("", port), pick("", "/", "/a:1?b#c", "?x=http"))
    if kind == 6:
        return (pick("localhost:", "0.0.0.0:", ":", "[::]:"), ("", port))
    if kind == 7:
        return ("${P:-", ("", port), "}")
    host, target = port, Port()
    return (pick("", "127.0.0.1:", "[::1]:"), (pick("", ".published"), host), ":", (".target", target),
            pick("", "/tcp", "/udp"))


def quote_path(key, first):
    if not key or any(c in ".[]'" for c in key) or rng.random() < 0.1:
        return "['%s']" % key.replace("'", "''")
    return key if first else "." + key


def is_port(value):
    return isinstance(value, tuple)


class File:
    def __init__(self, newline):
        self.parts = []  # text, or Port
        self.set = {}
        self.newline = newline

    def put(self, text):
        self.parts.append(text.replace("\n", self.newline))

    def line(self, indent, text=""):
        self.put("\n" + " " * indent + text)

    def value(self, value, path, escape):
        """The parts of a scalar; `escape` is applied to its text."""
        for part in value:
            if isinstance(part, str):
                self.put(escape(part))
            else:
                self.parts.append(part[1])
                self.set[path + part[0]] = part[1].service

    def bytes(self, number):
        return "".join(p if isinstance(p, str) else str(number(p)) for p in self.parts).encode()


def plain(text):
    return text


# ---- JSON ----

def json_string(text):
    out = json.dumps(text, ensure_ascii=rng.random() < 0.5)[1:-1]
    return out.replace("/", "\\/") if rng.random() < 0.3 else out


def json_space(f):
    f.put(pick("", "", " ", "\n", "\n\t", " /* c, \"p\": 1 */ ", " // c\n"))


def json_write(f, value, path):
    if is_port(value):
        bare = len(value) == 1 and rng.random() < 0.5
        f.put("" if bare else '"')
        f.value(value, path, json_string)
        f.put("" if bare else '"')
    elif isinstance(value, str):
        f.put('"%s"' % json_string(value))
    else:
        is_list = isinstance(value, list)
        f.put("[" if is_list else "{")
        items = list(enumerate(value)) if is_list else list(value.items())
        for i, (key, item) in enumerate(items):
            json_space(f)
            if not is_list:
                # a key with \u escapes does not match: only those that need none
                f.put('"%s"' % json.dumps(key, ensure_ascii=False)[1:-1])
                json_space(f)
                f.put(":")
                json_space(f)
            json_write(f, item, path + ("[%d]" % key if is_list else quote_path(key, not path)))
            json_space(f)
            f.put("," if i + 1 < len(items) or rng.random() < 0.2 else "")
        json_space(f)
        f.put("]" if is_list else "}")


# ---- YAML ----

def yaml_double(text):
    out = json.dumps(text, ensure_ascii=False)[1:-1]
    return out.replace("/", "\\/") if rng.random() < 0.2 else out


def yaml_single(text):
    return text.replace("'", "''")


def yaml_plain_ok(text):
    return text != "" and all(c.isalnum() or c in "/._" for c in text) and text not in ("null",)


def yaml_scalar(f, value, path, flow):
    if rng.random() < 0.1:
        f.put(pick("&a%d " % rng.randint(0, 10 ** 6), "!!str ", "!x &y%d " % rng.randint(0, 10 ** 6)))
    parts = value if is_port(value) else (value,)
    text = "".join(p if isinstance(p, str) else "9" for p in parts)
    bare_ok = yaml_plain_ok(text) or (is_port(value) and not flow and text[0] not in "[:&*!%@`" and ": " not in text
                                      and not text.startswith("--x") and "#" not in text and "{" not in text)
    style = rng.randint(0, 2)
    if style == 0 and bare_ok:
        quotes, escape = "", plain
    elif style == 1 and "\t" not in text:
        quotes, escape = "'", yaml_single
    else:
        quotes, escape = '"', yaml_double
    f.put(quotes)
    f.value(parts, path, escape) if is_port(value) else f.put(escape(value))
    f.put(quotes)


def yaml_key(key):
    if all(c.isalnum() or c in "_." for c in key) and rng.random() < 0.6:
        return key
    return pick('"%s"' % key, "'%s'" % key.replace("'", "''"))


def yaml_flow(f, value, path):
    if isinstance(value, list):
        f.put("[")
        for i, item in enumerate(value):
            f.put(pick("", " ", "\n      "))
            yaml_flow(f, item, path + "[%d]" % i)
            f.put("," if i + 1 < len(value) else pick("", " ,"))
        f.put(pick("]", " ]"))
    elif isinstance(value, dict):
        f.put("{")
        for i, (key, item) in enumerate(value.items()):
            f.put(pick("", " ") + yaml_key(key) + ": ")
            yaml_flow(f, item, path + quote_path(key, not path))
            f.put("," if i + 1 < len(value) else "")
        f.put(" }")
    else:
        yaml_scalar(f, value, path, True)


def yaml_end(f):
    f.put(pick("", "", "   # c: 9000", " # \u00e4 'x"))
    for _ in range(rng.randint(0, 2)):
        f.put(pick("\n", "\n    # port: 1", "", "\n  "))


def yaml_block(f, value, path, indent):
    """The value of a key or entry, behind its `:` or `-`."""
    if rng.random() < 0.15 or not isinstance(value, (dict, list)):
        f.put(" ")
        (yaml_flow if isinstance(value, (dict, list)) else lambda *a: yaml_scalar(*a, False))(f, value, path)
        yaml_end(f)
        return
    if rng.random() < 0.1:
        f.put(" &m%d" % rng.randint(0, 10 ** 6))
    yaml_end(f)
    yaml_items(f, value, path, indent + rng.randint(1, 4))


def yaml_items(f, value, path, indent):
    if isinstance(value, list):
        for i, item in enumerate(value):
            f.line(indent, "-")
            yaml_block(f, item, path + "[%d]" % i, indent)
    else:
        for key, item in value.items():
            f.line(indent, yaml_key(key) + ":")
            yaml_block(f, item, path + quote_path(key, not path), indent)


def yaml_write(f, value):
    f.put(pick("", "# \u20ac c", "%YAML 1.1\n---", "---", "--- # c"))
    yaml_items(f, value, "", 0)
    f.put(pick("", "\n", "\n...\n", "\n# end"))


# ---- TOML ----

def toml_key(key):
    if all(c in "abcdefghijklmnopqrstuvwxyz0123456789_-" for c in key) and rng.random() < 0.7:
        return key
    return json.dumps(key, ensure_ascii=False) if "'" in key or rng.random() < 0.5 else "'%s'" % key


def toml_scalar(f, value, path):
    if not is_port(value):
        f.put('"%s"' % yaml_double(value).replace("\\/", "/"))
    elif len(value) == 1 and str(value[0][1].old)[0] != "0" and rng.random() < 0.5:
        f.value(value, path, plain)
    elif rng.random() < 0.5:
        f.put("'")
        f.value(value, path, plain)
        f.put("'")
    else:
        f.put('"')
        f.value(value, path, lambda t: json.dumps(t)[1:-1])
        f.put('"')


def toml_inline(f, value, path):
    if isinstance(value, list):
        f.put("[")
        for i, item in enumerate(value):
            f.put(pick("", " ", "\n  ", " # c ] }\n"))
            toml_inline(f, item, path + "[%d]" % i)
            f.put("," if i + 1 < len(value) else pick("", ",", "\n"))
        f.put("]")
    elif isinstance(value, dict):
        f.put("{ ")
        for i, (key, item) in enumerate(value.items()):
            f.put(toml_key(key) + pick("=", " = "))
            toml_inline(f, item, path + quote_path(key, not path))
            f.put(", " if i + 1 < len(value) else "")
        f.put(" }")
    else:
        toml_scalar(f, value, path)


def toml_table(f, value, names, path):
    later = []
    for key, item in value.items():
        below = path + quote_path(key, not path)
        if isinstance(item, dict) and rng.random() < 0.6:
            later.append((key, item, below, False))
        elif isinstance(item, list) and all(isinstance(i, dict) for i in item) and rng.random() < 0.7:
            later.append((key, item, below, True))
        else:
            f.put(pick("", "  ", "# c = 1\n") + toml_key(key) + pick("=", " = ", "\t=\t"))
            toml_inline(f, item, below)
            f.put(pick("\n", " # c\n", "\n\n"))
    for key, item, below, tables in later:
        inner = names + [key]
        for i, table in enumerate(item if tables else [item]):
            head = pick(".", " . ").join(toml_key(n) for n in inner)
            f.put(("[[%s]]" if tables else "[%s]") % head + pick("\n", " # c\n"))
            toml_table(f, table, inner, below + ("[%d]" % i if tables else ""))


# ---- lines ----

def dotenv_write(f):
    for i in range(rng.randint(1, 12)):
        value = scalar()
        name = "V%d%s" % (i, pick("", ".x", "-y", "_Z"))
        f.put(pick("", "", "# V%d=1\n" % i, "\n", "not a line\n"))
        f.put(pick("", "export ", "  ") + name + pick("=", " = "))
        if not is_port(value):
            f.put("'%s'" % value.replace("'", "") + "\n")
            continue
        quotes = pick("", '"', "'", "`")
        if quotes == "" and any("#" in p for p in value if isinstance(p, str)):
            quotes = "'"
        f.put(quotes)
        f.value(value, name, plain)
        f.put(quotes + pick("\n", " # c\n", "  \n"))


def text_write(f):
    for i in range(rng.randint(1, 8)):
        port = Port()
        f.put(pick("", "noise 9000\n", "\t# \u20ac\n"))
        f.put(pick("", "\t") + "listen%d " % i)
        f.parts.append(port)
        f.put(";" + pick("", " # 1") + "\n")
        f.set[pick("listen%d ([0-9]+)", "^[[:space:]]*listen%d ([0-9]+);") % i] = port.service


def compose_write(f):
    f.put("services:")
    for s in range(rng.randint(1, 4)):
        f.line(2, "s%d:" % s)
        f.line(4, "ports:" + pick("", " # c"))
        for i in range(rng.randint(1, 4)):
            where = "services.s%d.ports[%d]" % (s, i)
            host, target = Port(), Port()
            if rng.random() < 0.4:
                quote = pick("", '"', "'")
                f.line(6, "- target: ")
                f.value((quote, (".target", target), quote), where, plain)
                f.line(8, "published: ")
                f.value((quote, (pick("", ".published"), host), quote), where, plain)
                f.line(8, "protocol: tcp")
            else:
                quote = pick('"', "'")
                f.line(6, "- " + quote)
                f.value((pick("", "127.0.0.1:", "[::1]:", "::1:"), (pick("", ".published"), host), ":",
                         (".target", target), pick("", "/tcp", "/udp")), where, plain)
                f.put(quote + pick("", " # 1:1"))
        f.line(4, "environment:")
        value = scalar()
        f.line(6, "X: ")
        yaml_scalar(f, value, "services.s%d.environment.X" % s, False)
    f.put(pick("\n", ""))


# ---- a round ----

def make(kind):
    f = File(pick("\n", "\n", "\r\n"))
    if kind != "text" and rng.random() < 0.15:
        f.put("\ufeff")
    if kind == "dotenv":
        dotenv_write(f)
    elif kind == "text":
        text_write(f)
    elif kind == "compose":
        compose_write(f)
    else:
        value = tree(4, kind == "json")
        while not isinstance(value, (dict, list)):
            value = tree(4, kind == "json")
        if kind == "json":
            json_space(f)
            json_write(f, value, "")
            json_space(f)
        elif kind == "yaml":
            if f.parts:
                f.parts[0] = ""  # a mark before a directive is one thing that libyaml does not take
                f.put("\ufeff" if rng.random() < 0.5 else "")
            yaml_write(f, value)
        else:
            toml_table(f, value, [], "")
    return f


def sync(*words):
    status, out, err = harness.run("sync", *words, limit=300)
    return status, out.encode("utf-8", "surrogateescape"), err


def one_round(number):
    files = {}
    while len(files) < PER_ROUND:
        kind = pick("json", "yaml", "toml", "dotenv", "text", "compose")
        f = make(kind)
        if f.set:
            files["%d.%s" % (len(files), kind)] = (kind, f)
    os.mkdir(str(number))
    os.chdir(str(number))
    write("ports.manifest.json",
          {"version": 1, "services": {s: {"port": p} for s, p in SERVICES.items()},
           "files": [{"path": name, "format": kind, "set": f.set} for name, (kind, f) in files.items()]})
    for name, (_, f) in files.items():
        write(name, f.bytes(lambda p: p.old))
    status, diff, err = sync()
    if not check(status == 0, "round %d: %s" % (number, err[:1500])):
        return False
    for name in files:
        write(os.path.join("../patched%d" % number, name), read(name))
    patch = subprocess.run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch"], cwd="../patched%d" % number,
                           input=diff, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    check(patch.returncode == 0, "round %d: patch: %s" % (number, patch.stdout[:500]))
    status, _, err = sync("--apply")
    check(status == 0, "round %d: --apply: %s" % (number, err[:500]))
    for name, (_, f) in files.items():
        wanted = f.bytes(lambda p: SERVICES[p.service])
        for folder in (".", "../patched%d" % number):
            data = read(os.path.join(folder, name))
            check(data == wanted, "round %d: %s: %r instead of %r, from %r" % (number, name, data, wanted,
                                                                             f.bytes(lambda p: p.old)))
    check(sync()[:2] == (0, b"") and sync("--check")[:2] == (0, b""), "round %d: and again" % number)
    os.chdir("..")
    return True


def rounds():
    for number in range(int(sys.argv[1]) if len(sys.argv) > 1 else 12):
        if not one_round(number):
            break


run_parts(rounds, seconds=3000)
