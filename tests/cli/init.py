#!/usr/bin/python3
"""portshim init, on projects as they are.

By hand: PORTSHIM_TEST_BUILD=build /usr/bin/python3 tests/cli/init.py
"""
import json
import os
import random
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from harness import TOP, check, help_examples, read, run, run_parts, write

NAME = "ports.manifest.json"


def project(files):
    """A directory with these files."""
    directory = tempfile.mkdtemp(dir=".")
    for name, data in files.items():
        write(os.path.join(directory, name), data)
    return directory


def found(directory):
    status, out, err = run("init", "--json", directory)
    check(status in (0, 1), "--json: %s" % err)
    return {s["name"]: s for s in json.loads(out)["services"]}


def ports(directory):
    """NAME -> PORT, and "NAME!" for what is external. What is written is valid."""
    services = found(directory)
    status, out, err = run("init", directory)
    if check(status == (0 if services else 1), "init of %s: %s %s" % (os.listdir(directory), out, err)) and services:
        status, out, err = run("validate", os.path.join(directory, NAME))
        check(status == 0, "validate: %s %s" % (out, err))
    return {name + ("!" if s["external"] else ""): s["port"] for name, s in services.items()}


def expect(what, files, wanted):
    got = ports(project(files))
    check(got == wanted, "%s: %s" % (what, got))


def check_packages():
    for script, name, port in (
            ("next dev", "web", 3000), ("next", "web", 3000), ("next dev -p 3100", "web", 3100), ("vite", "web", 5173),
            ("vite --port=4000 --host", "web", 4000), ("vite preview", "preview", 4173), ("PORT=8123 node server.js",
                                                                                          "web", 8123),
            ("cross-env PORT=8124 react-scripts start", "web", 8124), ("react-scripts start", "web", 3000),
            ("ng serve --port 4300", "web", 4300), ("npx nest start --watch", "api", 3000), ("storybook dev -p 6007",
                                                                                             "storybook", 6007),
            ("tsc && node ./node_modules/.bin/http-server -p 8200", "web", 8200), ("php -S localhost:8300", "web",
                                                                                   8300),
            ("concurrently \"vite --port 5200\" 'tsc -w'", "web", 5200), ("PORT=${PORT:-3300} node x.js", "web", 3300),
            ("ssh -p 22 host & next dev", "web", 3000), ("python manage.py runserver 0.0.0.0:8400", "web", 8400)):
        expect(script, {"package.json": {"scripts": {"dev": script}}}, {name: port})
    for script in ("vite build", "next build", "tsc", "mkdir -p 3000", "ssh -p 2222 host", "node x.js --port",
                   "docker run -p 80:80 x",
                   "vite --port 70000 build", "node --port -5"):
        expect(script, {"package.json": {"scripts": {"dev": script}}}, {})
    expect("a script that starts no server", {"package.json": {"scripts": {"build": "vite --port 4000"}}}, {})
    expect("a dependency, if no script tells",
           {"package.json": {"scripts": {"start": "node run.mjs"}, "devDependencies": {"vite": "5"}}}, {"web": 5173})
    expect("workspaces", {"package.json": {"name": "@acme/shop"},
                          "apps/front/package.json": {"scripts": {"dev": "vite"}},
                          "api/package.json": {"scripts": {"dev": "nest start"}},
                          "node_modules/x/package.json": {"scripts": {"dev": "vite -p 9999"}}}, {"front": 5173,
                                                                                                 "api": 3000})
    d = project({"apps/%s/package.json" % name: {"scripts": {"dev": "next dev"}} for name in ("a", "b")})
    err = run("init", "-n", d)[2]
    check("apps/a/package.json and apps/b/package.json both ask for 3000" in err, "two with one port: " + err)
    d = project({"package.json": '{\n  "name": "@acme/Shop",\n  "scripts": {\n    "dev": "next dev -p 3010"\n  }\n}\n'})
    place = found(d)["web"]["found"]
    check(place == [{"file": "package.json", "line": 4, "column": 12, "what": "script dev"}], "the place: %s" % place)
    out = run("init", "-n", d)[1]
    check('"project": "shop"' in out and "// package.json:4: script dev\n" in out and '"env": ["PORT"]' in out, out)


def check_compose():
    expect("short and long form", {"compose.yaml": """
x-common: &common
  ports: ["7000:7000"]
services:
  web:
    ports: ["8080:80", "127.0.0.1:8443:443/tcp", "[::1]:8444:443"]
  db: {image: postgres, ports: ["${DB_PORT:-5433}:5432"]}
  cache:
    ports:
      - target: 6379
        published: "6380"
      - target: 53
        published: 5300
        protocol: udp
  many: {ports: ["9100-9102:100-102"]}
  none: {ports: ["3000", "70000:1", "x:1", ":1", "$P:1", "${P}:1"]}
  merged:
    <<: *common
"""}, {"web!": 8080, "web-8443!": 8443, "web-8444!": 8444, "db!": 5433, "cache!": 6380, "cache-5300!": 5300,
       "many!": 9100,       "many-9101!": 9101, "many-9102!": 9102, "merged!": 7000})
    d = project({"docker-compose.yml": "services:\n  web:\n    ports:\n      - \"3000:3000\"\n",
                 "package.json": {"scripts": {"dev": "next dev"}}})
    services = found(d)
    check(list(services) == ["web"] and services["web"]["external"] is False and len(services["web"]["found"]) == 2 and
          [p["line"] for p in services["web"]["found"] if p["file"] == "docker-compose.yml"] == [4],
          "a container's that a script has too: %s" % services)
    d = project({"compose.yml": "services: {dns: {ports: [\"5353:53/udp\"]}}"})
    check(found(d)["dns"]["protocol"] == "udp" and '"protocol": "udp"' in run("init", "-n", d)[1], "UDP")


def check_byte_order_mark():
    """A mark before the first line is no part of it, nor an indentation."""
    mark = b"\xef\xbb\xbf"
    expect("a mark and CR LF", {
        "compose.yaml": mark + b'services:\r\n  cache:\r\n    ports: ["8081:80"]\r\n',
        "Procfile": mark + b"api: ./api --port 5010\r\n",
        ".env": mark + b"SHOP_PORT=4000\r\n",
    }, {"cache!": 8081, "api": 5010, "shop": 4000})


def check_lines():
    expect("Procfile",
           {"Procfile": "web: bundle exec rails server -p 3400\nworker: sidekiq\nlive: node live.js $PORT\n# no\n"},
           {"web": 3400, "live": 5200})
    expect(".env",
           {".env": "PORT=3500 # x\nexport API_PORT='3501'\nDB_PORT=5432\nSECRET=1234\nPORTAL=3\nREPORT=9\nA_PORT=x\n"
                            "COURIER_URL=ws://localhost:3502/x\nFAR_URL=http://example.org:80/\n"
                            "LD_PORT=1\nPORTSHIM_PORT=2\n"
                            "DATABASE_URL=postgres://me:p%40ss@localhost:5434/shop\r\n"},
           {"web": 3500, "api": 3501, "db!": 5432, "courier": 3502, "database!": 5434})
    d = project({".env": "API_PORT=3501\nDATABASE_URL=postgres://me:geheim@127.0.0.1:5434/shop\n"})
    for words in ((), ("--json",), ("-n",)):
        check("geheim" not in run("init", *words, d)[1], "no secret is printed")
    with open(os.path.join(d, NAME), encoding="utf-8") as f:
        text = f.read()
    check("geheim" not in text and '"env": { "API_PORT": "{port}" }' in text and '"scheme": "postgres"' in text, text)


def check_editors():
    expect("devcontainer.json", {".devcontainer/devcontainer.json": """{
  // with comments
  "forwardPorts": [3600, "db:5432", 8025, 99999, "x", {}, 1.5e9,],
  "portsAttributes": { "3600": { "label": "The Shop!", "protocol": "https" } },
}"""}, {"the-shop": 3600, "db!": 5432, "mail": 8025})
    expect("launch.json", {".vscode/launch.json": """{ "configurations": [
  { "name": "Chrome", "url": "http://localhost:3700/x", "port": 9222 },
  { "name": "Server", "env": { "PORT": "3701", "X": "3" } } /* */ ] }"""}, {"port-3700": 3700, "server": 3701})
    expect("/etc/services", {".devcontainer.json": {"forwardPorts": [5222]}}, {"xmpp-client": 5222})


def check_there():
    d = project({"package.json": {"scripts": {"dev": "vite"}}})
    path = os.path.join(d, NAME)
    with open(path, "w", encoding="utf-8") as f:
        f.write("mine")
    status, out, err = run("init", d)
    check(status == 1 and out == "" and "already" in err and "--force" in err, err)
    check(run("init", "-n", d)[0] == 0 and run("init", "--json", d)[0] == 0, "looking is allowed")
    with open(path, encoding="utf-8") as f:
        check(f.read() == "mine", "it is as it was")
    check(run("init", "--force", d)[0] == 0 and run("validate", path)[0] == 0, "--force")
    os.unlink(path)
    os.symlink("nowhere", path)
    check(run("init", d)[0] == 1 and os.path.islink(path) and not os.path.exists(os.path.join(d, "nowhere")),
          "a symlink")
    os.unlink(path)
    os.makedirs(os.path.join(d, "config"))
    with open(os.path.join(d, "config", NAME), "w", encoding="utf-8") as f:
        f.write("mine")
    check(run("init", d)[0] == 1 and not os.path.exists(path), "one in config/")
    shutil.rmtree(os.path.join(d, "config"))
    # Of many at once one writes it.
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(run("init", d)[0])) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    check(sorted(codes) == [0] + [1] * 7 and sorted(os.listdir(d)) == ["package.json", NAME], "at once: %s" % codes)
    os.unlink(path)
    check(run("init", cwd=d)[0] == 0 and oct(os.stat(path).st_mode & 0o777) == oct(0o666 & ~os.umask(0o022)), "mode")
    os.umask(0o022)
    status, out, err = run("init", project({}))
    check(status == 1 and out == "" and "no port was found" in err, "nothing: " + err)
    check(run("init", "none")[0] == 3 and run("init", "a", "b")[0] == 2 and run("init", "--nonsense")[0] == 2,
          "mistakes")
    if os.getuid() != 0:
        os.unlink(path)
        os.chmod(d, 0o555)
        check(run("init", d)[0] == 3, "a directory that cannot be written")
        os.chmod(d, 0o755)


def check_bad():
    good = {"package.json": '{"scripts":{"dev":"vite"}}'}
    for name, text in (("compose.yml", "services: [\n"), (".devcontainer.json", '{"forwardPorts": [1,'),
                       ("apps/x/package.json", b'{"name":"\xff\xfe"}'), (".vscode/launch.json", "{}{}"),
                       ("compose.yaml", "a: &a [*a]\nservices: &s\n  x: *s\n"), ("docker-compose.yml",
                                                                                 "services:\n  - 1\n"),
                       (".env", b"\x00\xff=1\nPORT\n=\nX_PORT=99999999999999999999\n"), ("Procfile",
                                                                                         "web:\n:\nx" * 100),
                       ("package.json", b'\xef\xbb\xbf{"scripts":{"dev":"vite"}}')):
        got = ports(project(dict(good, **{name: text})))
        check(got == {"web": 5173}, "%s: %s" % (name, got))
    d = project(dict(good, **{"compose.yml": "x: [\n"}))
    err = run("init", "-n", d)[2]
    check("compose.yml:" in err and "left out" in err, "what is left out is told: " + err)
    os.mkfifo(os.path.join(d, ".env"))
    os.mkdir(os.path.join(d, "Procfile"))
    with open(os.path.join(d, "docker-compose.yml"), "wb") as f:
        f.truncate(100 << 20)
    status, out, err = run("init", "-n", d)
    check(status == 0 and "bigger than 10 MB" in err and err.count("it is no file") == 2,
          "a pipe, a directory, 100 MB: " + err)
    # Names and texts that would be something else in JSON or in a comment.
    for evil in ('a"b', "x\\n\\n}", "*/", "ü\u2028", "1234", "-", "." * 200, "__proto__", "a" * 300):
        got = ports(project({"compose.yml": "services: {%s: {ports: ['8080:80']}}" % json.dumps(evil),
                             "package.json": {"name": evil, "scripts": {"dev:" + evil: "vite"}},
                             ".devcontainer.json": {"forwardPorts": [1], "portsAttributes": {"1": {"label": evil}}}}))
        check(len(got) == 3, "%r: %s" % (evil, got))
    many = "services:\n" + "".join("  s%d: {ports: ['%d:1']}\n" % (i, i) for i in range(1, 3000))
    check(len(ports(project({"compose.yml": many}))) == 1000, "no more than a thousand services")


def check_noise():
    """Damaged files of all kinds: whatever is made of them is a valid manifest."""
    files = {"package.json": json.dumps({"name": "n",
                                         "scripts": {"dev": "PORT=3000 vite --port 4000 & next -p ${P:-5000}"}}),
             "compose.yml": "services:\n  a: &a\n    ports: ['80:80', '${X:-90}:90/udp']\n  b: *a\n",
             ".env": "A_PORT=1\nB_URL=http://u:p@localhost:99/\n", "Procfile": "web: rails s -p 77\nx: y $PORT\n",
             ".devcontainer.json": '{"forwardPorts":[3600,"db:5432"]}',
             ".vscode/launch.json": '{"configurations":[{"url":"http://localhost:3","env":{"PORT":"4"}}]}'}
    whole = run("init", "-n", project(files))[1]
    check("// .vscode/launch.json:1: launch configuration\n" in whole and " \n" not in whole, "no blanks at the end: " + whole)
    noise = random.Random(4)
    bad = 0
    for _ in range(60):
        damaged = {}
        for name, text in files.items():
            data = bytearray(text.encode())
            for _ in range(noise.randrange(4)):
                at = noise.randrange(len(data))
                new = [noise.choice(b'{}[]:"\',0159-$\n\\ \xff') for _ in range(noise.randrange(3))]
                data[at:at + noise.randrange(3)] = bytes(new)
            damaged[name] = bytes(data)
        d = project(damaged)
        status, _, err = run("init", "-q", d)
        if status not in (0, 1) or (status == 0 and run("validate", os.path.join(d, NAME))[0] != 0):
            bad += 1
            print("not ok: status %d, %s: %s" % (status, err, damaged))
        shutil.rmtree(d)
    check(bad == 0, "noise: %d of 60" % bad)


def check_manual():
    """The manual's example: the files that it shows, and what it says is made of them."""
    page = read(os.path.join(TOP, "docs", "man", "portshim.1")).decode()
    shown = page[page.index(".Ss portshim init"):].split(".Bd -literal\n")[1].split(".Ed\n")[0]
    package, rest = shown.split("$ cat package.json compose.yaml\n")[1].split("services:\n", 1)
    compose, wanted = rest.split("$ portshim init --dry-run\n")
    d = project({"package.json": package, "compose.yaml": "services:\n" + compose})
    out = run("init", "--dry-run", cwd=d)[1]
    check(out == wanted, "the manual's example: %s, not %s" % (out, wanted))


def check_examples():
    """What --help shows first, as it stands there; then the manifest at work."""
    for words in help_examples("init"):
        d = project({"package.json": {"scripts": {"dev": "vite"}}})
        status, out, err = run(*words[1:], cwd=d)
        check(status == 0 and out, "%s: %s" % (words, err))
        check(os.path.exists(os.path.join(d, NAME)) == (len(words) == 2), "%s writes, or does not" % words)
    d = project({"Procfile": "api: server --port 8123\n", ".env": "SHOP_PORT=8124\n"})
    run("init", d)
    check(run("url", "api", cwd=d)[0] in (0, 1) and run("check", cwd=d)[0] == 0,
          "other commands take it: %s" % (run("check", cwd=d),))
    out = run("run", "--quiet", "--service", "shop", "--", "sh", "-c", "echo $SHOP_PORT", cwd=d)[1]
    check(out == "8124\n", "its variable is set: " + out)


run_parts(check_packages, check_compose, check_byte_order_mark, check_lines, check_editors, check_there, check_bad,
          check_noise, check_manual, check_examples)
