#!/usr/bin/python3
"""The JSON Schemas against the loader: both accept and refuse the same manifests.

By hand (with PORTSHIM_TEST_ALL=1 for every mutation instead of a sample):
         PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/schema_parity.py   (python3-jsonschema)

Three folders under tests/cli/manifests: valid (both accept), invalid (both refuse), semantic (the schema accepts, the
loader refuses: what a schema cannot express, as portshim-manifest(5) lists it). Then every valid document, and the
examples, are changed in thousands of small ways, and both must agree on each: the loader finds something that is not
purely semantic exactly if the schema refuses.
"""
import copy
import json
import os
import random
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import TOP, check, finish, run, skip

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = os.path.join(HERE, "manifests")
MUTATIONS_MAX = 6000

# The codes of findings that a schema cannot make.
SEMANTIC = {
    "unknown-service", "unknown-range", "range-order", "inherit-cycle", "same-port", "same-file", "conflict",
    "offset-range", "bad-file", "unknown-profile", "unknown-format", "bad-place",
}

try:
    import jsonschema
except ImportError:
    skip("schema_parity", "python3-jsonschema is not installed")
    finish()


def pattern(validator, value, instance, schema):
    # Python's $ also matches before a last newline; that of JSON Schema (ECMA-262) only at the end.
    if isinstance(instance, str) and not re.search(value.replace("$", r"\Z"), instance):
        yield jsonschema.ValidationError("%r does not match %r" % (instance, value))


Validator = jsonschema.validators.extend(jsonschema.Draft7Validator, {"pattern": pattern})


def load_schema(name):
    with open(os.path.join(TOP, "manifest", name), encoding="utf-8") as f:
        schema = json.load(f)
    Validator.check_schema(schema)
    return Validator(schema)


def parse(path):
    """JSON with comments: strings and comments are told apart from the left."""
    with open(path, encoding="utf-8-sig") as f:
        text = f.read()
    token = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.S)
    return json.loads(token.sub(lambda m: m.group(0) if m.group(0)[0] == '"' else " ", text))


def loader(paths):
    """For each file the codes of the findings; an empty set for one that is accepted."""
    codes = {}
    for at in range(0, len(paths), 500):
        part = paths[at:at + 500]
        status, out, _ = run("validate", "--json", "--", *part)
        if status not in (0, 1):
            raise SystemExit("portshim validate: exit status %d" % status)
        result = json.loads(out)
        for entry in result["files"]:
            codes[entry["file"]] = set()
        for finding in result["findings"]:
            codes[finding["file"]].add(finding["code"])
            assert finding["line"] >= 1 and finding["column"] >= 1 and finding["text"]
        for entry in result["files"]:
            check(entry["valid"] == (not codes[entry["file"]]), "%s: valid without findings" % entry["file"])
    return codes


def files(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".json"))


def check_corpus(schema):
    for folder, schema_good, loader_good in (("valid", True, True), ("invalid", False, False), ("semantic", True, False)):
        paths = files(os.path.join(CORPUS, folder))
        codes = loader(paths)
        for path in paths:
            name = os.path.join(folder, os.path.basename(path))
            check(schema.is_valid(parse(path)) == schema_good, "%s: the schema's verdict" % name)
            check((not codes[path]) == loader_good, "%s: the loader's verdict (%s)" % (name, codes[path]))
            if folder == "semantic":
                check(codes[path] <= SEMANTIC, "%s: only semantic findings (%s)" % (name, codes[path]))


VALUES = [
    None, True, False, 0, -0.0, 1, 1.0, 1.5, -1, 2, 80, 65535, 65535.0, 65536, 1e5, 1e300, -65534, -65535, "", "a", "1",
    "80", "A_B", "a b", "a\n", "a\u0000", "ä", "-a", ".a", "a" * 63, "a" * 64, "3000-3099", "0-1", "1-65536", "9-1", "1-",
    "1-2\n", "01-2", "１-２", "tcp", "udp", "both", "actual", "requested", "minimal", "aggressive", "http", "http:", "abcdefghijklm",
    "abcdefghijklmn", "{port}", "{a.url}", "{{port}}", "{{port}", "{port", "{port}}", "{a.b}", "{.url}", "{-a.url}", "x/",
    "..", "a/.", "a\u2028/..", "/", "x/y.json", "LD_A", "LDA", "PORTSHIM_A", "*", [], {}, [1], [1, 1], [1, 1.0], [1, True],
    [0], ["A"], ["A", "A"], ["A", "a"], ["a-b"], [None], [[]], {"A": "x"}, {"A": 1}, {"a b": "x"}, {"": ""}, {"port": 80},
    {"ports": [80]}, {"args": "x"}, {"args": ""}, {"offset": 1}, {"web": {"port": 1}}, {"a": "1-2"},
    "a/b", "a/1", "/b", "a/b/c", "a/", "-a/b", "a" * 63 + "/" + "a" * 63, "a" * 64 + "/b", ["1-2", 3, "a"], ["1-2", "3"], [""], {"base": 80},
    {"CI": "true", "A_1": "*"}, {"PORTSHIM_A": "a\n"},
    "redis", "/", "/a b", "/\u00e4", "/" + "a" * 999, "/" + "a" * 1000, "200-399", "399-200", "099-200", "200-600", 100, 599, 600, "1s", "0s", "01s", "99999ms",
    "100000ms", "999s", "1000s", "99m", "100m", "1h", {"tcp": True}, {"tcp": False}, {"tcp": 1}, {"http": "/"}, {"http": "/", "tcp": True},
    {"redis": True, "status": 200}, {"http": "/", "status": 204, "timeout": "1s"}, {"status": 200},
    {"range": "1-2", "services": ["a"]}, {"range": [80], "services": ["a", "b"], "profiles": [""]},
]
KEYS = [
    "port", "ports", "inherit", "range", "protocol", "scheme", "env", "match", "report", "strategy", "os", "yields", "external",
    "discovery", "conflicts", "version", "services", "profiles", "defaults", "ranges", "project", "$schema", "offset",
    "command", "args", "directory", "from", "when", "fallback", "rules", "health", "http", "tcp", "postgresql", "redis", "status", "timeout", "interval", "allocate", "base", "avoid", "profiles", "a", "A", "3000", "a b", "", "-a", ".a", "a\n", "a" * 63, "a" * 64, "3a", "_", "ä", "Port",
]


def places(node, path=()):
    yield path
    if isinstance(node, dict):
        for key in node:
            yield from places(node[key], path + (key,))
    elif isinstance(node, list):
        for index in range(len(node)):
            yield from places(node[index], path + (index,))


def at(node, path):
    for step in path:
        node = node[step]
    return node


def changed(document, path, change):
    result = copy.deepcopy(document)
    if not path:
        return change(None, None, result)
    parent = at(result, path[:-1])
    change(parent, path[-1], parent[path[-1]])
    return result


def mutations(document):
    for path in places(document):
        if path:
            for value in VALUES:
                yield changed(document, path, lambda parent, key, old, v=value: parent.__setitem__(key, v))
            yield changed(document, path, lambda parent, key, old: parent.__delitem__(key))
        node = at(document, path)
        if isinstance(node, dict):
            for key in KEYS:
                for value in random.sample(VALUES, 4):
                    extra = copy.deepcopy(document)
                    at(extra, path)[key] = value
                    yield extra
            for key in node:
                for name in random.sample(KEYS, 6):
                    renamed = copy.deepcopy(document)
                    there = at(renamed, path)
                    there[name] = there.pop(key)
                    yield renamed
        elif isinstance(node, list) and node:
            twice = copy.deepcopy(document)
            at(twice, path).append(copy.deepcopy(node[0]))
            yield twice


def check_mutations(schema):
    random.seed(1)
    bases = files(os.path.join(CORPUS, "valid")) + files(os.path.join(TOP, "manifest", "examples"))
    every = []
    for base in bases:
        every += mutations(parse(base))
    chosen = every if os.environ.get("PORTSHIM_TEST_ALL") else random.sample(every, min(MUTATIONS_MAX, len(every)))
    with tempfile.TemporaryDirectory(prefix="portshim-parity-") as folder:
        paths = []
        for number, document in enumerate(chosen):
            paths.append(os.path.join(folder, "%d.json" % number))
            # Both spellings of characters are read.
            with open(paths[-1], "w", encoding="utf-8") as f:
                json.dump(document, f, ensure_ascii=number % 2 == 0)
        codes = loader(paths)
    accepted = 0
    for path, document in zip(paths, chosen):
        good = schema.is_valid(document)
        accepted += good
        text = json.dumps(document)
        check(good == (codes[path] <= SEMANTIC), "schema %s, loader %s: %s" % (good, sorted(codes[path]), text[:1500]))
    # Both verdicts must be common, or the mutations prove nothing.
    check(len(chosen) // 20 < accepted < len(chosen) * 19 // 20, "%d of %d accepted" % (accepted, len(chosen)))


def check_examples(schema):
    paths = files(os.path.join(TOP, "manifest", "examples"))
    codes = loader(paths)
    check(len(paths) >= 7, "examples are there")
    for path in paths:
        name = os.path.basename(path)
        check(not codes[path], "%s: the loader accepts it" % name)
        check(schema.is_valid(parse(path)), "%s: the schema accepts it" % name)
        with open(path, encoding="utf-8") as f:
            check("//" in f.read(), "%s: has comments" % name)


def check_discovery():
    ports, own = load_schema("ports.schema.json"), load_schema("service-discovery.schema.json")
    location = {"port": 23107, "host": "localhost", "url": "http://localhost:23107", "timestamp": 1, "process_id": 812}
    service = dict(location, requested=3000, protocol="tcp", addresses=["0.0.0.0", "::"], reason="default-range",
                   state="listening")
    document = {"version": 1, "project": "shop", "environment": "shop", "profile": "", "updated": 1,
                "services": {"web": service, "3000": service, "web@0a1b2c3d": service}}
    check(ports.is_valid(document), "ports.schema.json accepts what portshim writes")
    check(own.is_valid(location), "service-discovery.schema.json accepts what portshim writes")
    check(not own.is_valid(service), "a service's own file has five keys")
    for key in location:
        check(not own.is_valid({k: v for k, v in location.items() if k != key}), "own file without %s" % key)
    for key in service:
        broken = copy.deepcopy(document)
        del broken["services"]["web"][key]
        check(not ports.is_valid(broken), "ports.json without %s" % key)


manifest_schema = load_schema("ports.manifest.schema.json")
check_corpus(manifest_schema)
check_examples(manifest_schema)
check_mutations(manifest_schema)
check_discovery()
finish()
