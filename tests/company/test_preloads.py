"""Other libraries in the same process: allocators, sanitizers, interposers, eager and late ones; tools around it."""
import os
import shutil
import subprocess

from company import (LIMIT, OFF, PORTSHIM, SHIM, Skip, alike, bare, call, find_library, find_program, free,
                     has_second_path, held, main, preload, program, same, under)

PROCESS, LOAD, EAGER = program("process"), program("load"), program("libeager.so")
MEDDLER, NEXT = program("libmeddler.so"), program("libnext.so")


def beside(place, library, out="job ok\n", command=(PROCESS, "job"), after=True, **variables):
    """With another library that is preloaded: set before `portshim run`, by the program's starter, and first of all."""
    env = dict(preload(library), **variables)
    moved = alike(place, *command, "PORT", out=out, env=env)
    words = [*command, held()]
    orders = [[library], [SHIM, library]] + ([[library, SHIM]] if after else [])
    for order in orders:
        settings = ["%s=%s" % pair for pair in dict(variables, **preload(*order)).items()]
        done = under(place, "env", *settings, *words)
        same((done.status, done.out, done.err), (moved.status, moved.out, moved.err), str(order))
        same(list(done.moves), [held()], str(order))


def test_jemalloc(place):
    """jemalloc, before and after"""
    beside(place, find_library("libjemalloc.so.2"))


def test_tcmalloc(place):
    """tcmalloc, before and after"""
    beside(place, find_library("libtcmalloc_minimal.so.4"))


def test_faketime(place):
    """libfaketime, before and after, with a clock that stands still"""
    beside(place, find_library("libfaketime.so.1"), FAKETIME="2001-02-03 04:05:06", FAKETIME_NO_CACHE="1")


def test_meddler(place):
    """An interposer of bind and connect that calls on with dlsym(RTLD_NEXT), before and after"""
    beside(place, MEDDLER, MEDDLER_FD="1", out="job ok\nmeddler binds connects 0\n")


def test_next(place):
    """What the library finds in the loader's list is what dlsym(RTLD_NEXT) finds, from every place in the list"""
    libraries = [MEDDLER, find_library("libjemalloc.so.2"), find_library("libfaketime.so.1")]
    orders = [[NEXT, other] for other in libraries] + [[other, NEXT] for other in libraries]
    for order in [[NEXT], [libraries[1], NEXT, MEDDLER], *orders]:
        for command in ["/bin/true"], ["/usr/bin/python3", "-S", "-c", ""]:
            done = call(place, command, env=dict(preload(*order), FAKETIME="@2001-02-03 04:05:06"))
            same((done.status, done.out, done.err), (0, "next found 26 left 0\n", ""), str((order, command)))


def test_socket_wrapper(place):
    """socket_wrapper makes a network of its own, in which nothing has to move"""
    wrapper = find_library("libsocket_wrapper.so", "libsocket_wrapper.so.0")
    directory = place.directory("wrapper")
    for order in [wrapper], [SHIM, wrapper], [wrapper, SHIM]:
        done = under(place, "env", "SOCKET_WRAPPER_DIR=" + directory, "LD_PRELOAD=" + ":".join(order), PROCESS, "job",
                     held())
        same((done.status, done.out, done.moves), (0, "job ok\n", {}), "%s: %r" % (order, done))
    # Without a directory it passes everything on: to us if it comes after us, else to libc (limits.md).
    done = under(place, PROCESS, "job", held(), env=preload(wrapper))
    same((done.status, done.out, list(done.moves)), (0, "job ok\n", [held()]), repr(done))
    line = ("env", "LD_PRELOAD=%s:%s" % (wrapper, SHIM), PROCESS, "job", held())
    if has_second_path(place):
        done = under(place, *line)
        same((done.status, done.out, list(done.moves)), (0, "job ok\n", [held()]), repr(done))
    done = under(place, *line, options=OFF)
    same((done.status, done.out, done.moves), (1, "job udp bind\njob EADDRINUSE\n", {}), repr(done))


def test_constructor(place):
    """A preloaded library whose constructor serves and connects, before and after"""
    for order in [EAGER], [SHIM, EAGER], [EAGER, SHIM]:
        done = under(place, "env", "EAGER_PORT=%d" % held(), "LD_PRELOAD=" + ":".join(order), PROCESS, "job", held(1))
        same((done.status, done.out, done.err), (0, "constructor ok\njob ok\n", ""), str(order))
        same(sorted(done.moves), [held(), held(1)], str(order))
    # preloaded by hand: the constructor's first call makes the run
    for order in [SHIM, EAGER], [EAGER, SHIM]:
        done = call(place, [PROCESS, "job", held()], env=dict(preload(*order), EAGER_PORT=str(held())))
        same((done.status, done.out, done.err), (0, "constructor ok\njob ok\n", ""), str(order))


def test_linked_constructor(place):
    """A linked library whose constructor serves and connects"""
    linked = os.path.join(place.top, "linked")
    build(["-o", linked, "tests/company/process.c", "-Wl,--no-as-needed", EAGER,
           "-Wl,-rpath," + os.path.dirname(EAGER)])
    done = under(place, linked, "job", held(1), env={"EAGER_PORT": str(held())})
    same((done.status, done.out, done.err), (0, "constructor ok\njob ok\n", ""))
    same(sorted(done.moves), [held(), held(1)])


def test_late(place):
    """A library that is loaded with dlopen: at once, lazily, for all"""
    for flag in "now", "lazy", "global":
        alike(place, LOAD, EAGER, flag, "PORT", out="library ok\n")


def test_late_apart(place):
    """RTLD_DEEPBIND and dlmopen bind to libc past every preload: the second path has them, as limits.md says"""
    for flag in "deep", "apart":
        same(bare(place, LOAD, EAGER, flag, free()).out, "library ok\n")
        done = under(place, LOAD, EAGER, flag, held(), options=OFF)
        same((done.status, done.out, done.moves), (1, "library udp bind\nlibrary EADDRINUSE\n", {}), flag)
        if has_second_path(place):
            alike(place, LOAD, EAGER, flag, "PORT", out="library ok\n")


# ---- sanitizers ----

def build(arguments, cc=None):
    """Compiles a test program; Skip if this compiler cannot."""
    compiler = cc or os.environ.get("CC", "cc").split()[0]
    if not shutil.which(compiler):
        raise Skip("%s is not installed" % compiler)
    done = subprocess.run([compiler, "-D_GNU_SOURCE", "-std=gnu11", "-O1", "-g", "-Itests", *arguments, "-pthread"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    if done.returncode:
        raise Skip("%s %s: %s" % (compiler, arguments[0], done.stdout.decode().strip().splitlines()[-1]))


def sanitized(place, compiler, kind, found):
    """Nothing to find: as ever. Something to find: found, with the same exit status."""
    path = os.path.join(place.top, "sanitized")
    build(["-fsanitize=" + kind, "-o", path, "tests/company/faulty.c"], compiler)
    alike(place, path, "none", "PORT", out="job ok\n")
    plain = bare(place, path, kind[0], free())
    done = under(place, path, kind[0], held())
    same(done.status, plain.status, repr(done))
    same(done.out, plain.out, repr(done))
    assert found in plain.err and found in done.err, repr((plain, done))
    assert "should" not in done.err, repr(done)
    # also where portshim is not first: `make check` runs under portshim, and the programs of its tests are sanitized
    done = under(place, "sh", "-c", '"$0" none %d; exit $?' % held(), path)
    same((done.status, done.out), (0, "job ok\n"), repr(done))


def sanitizer_test(compiler, kind, found):
    def test(place):
        sanitized(place, compiler, kind, found)
    test.__doc__ = "A program with %s's -fsanitize=%s" % (compiler, kind)
    return test


for _compiler in "gcc", "clang":
    for _kind, _found in ("address", "heap-buffer-overflow"), ("undefined", "signed integer overflow"), \
            ("thread", "data race"):
        globals()["test_%s_%s" % (_compiler, _kind)] = sanitizer_test(_compiler, _kind, _found)


def test_runtime_first(place):
    """A sanitizer's runtime that the user preloads stays first"""
    path = os.path.join(place.top, "sanitized")
    build(["-fsanitize=address", "-o", path, "tests/company/faulty.c"], "gcc")
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], stdout=subprocess.PIPE, timeout=LIMIT,
                             check=True).stdout.decode().strip()
    done = under(place, path, "none", held(), env=dict(preload(os.path.realpath(runtime)),
                                                       ASAN_OPTIONS="detect_leaks=0"))
    same((done.status, done.out, done.err, list(done.moves)), (0, "job ok\n", "", [held()]), repr(done))


def test_own_options(place):
    """A program that gives AddressSanitizer options of its own: its runtime says what to do (limits.md)"""
    path = os.path.join(place.top, "sanitized")
    source = os.path.join(place.top, "options.c")
    with open(source, "w", encoding="ascii") as file:
        file.write('const char *__asan_default_options(void) { return "detect_leaks=0"; }\n')
    build(["-fsanitize=address", "-o", path, "tests/company/faulty.c", source], "gcc")
    done = under(place, path, "none", held())
    assert done.status and "does not come first" in done.err, repr(done)
    done = under(place, path, "none", held(), env={"ASAN_OPTIONS": "verify_asan_link_order=0"})
    same((done.status, done.out, list(done.moves)), (0, "job ok\n", [held()]), repr(done))


# ---- ways to link and to load ----

def test_loader(place):
    """LD_BIND_NOW, and an auditor"""
    alike(place, PROCESS, "job", "PORT", env={"LD_BIND_NOW": "1"})
    alike(place, PROCESS, "job", "PORT", env={"LD_AUDIT": program("libaudit.so")})


def test_executable_stack(place):
    """A program with an executable stack"""
    path = os.path.join(place.top, "program")
    build(["-Wl,-z,execstack", "-o", path, "tests/company/process.c"])
    alike(place, path, "job", "PORT")


def test_static(place):
    """Static programs, position-independent or not: reached by the second path, and without it `run` says so"""
    for flag in "-static", "-static-pie":
        path = os.path.join(place.top, "program")
        build([flag, "-o", path, "tests/company/process.c"])
        done = under(place, path, "job", held(), options=OFF)
        same((done.status, done.out, done.moves), (1, "job udp bind\njob EADDRINUSE\n", {}), repr(done))
        assert "is statically linked; its ports are not moved" in done.err, repr(done)
        same(under(place, path, "job", free(), options=OFF).out, "job ok\n")
        same(call(place, [PORTSHIM, "run", *OFF, "--strict", "--", path, "job", free()]).status, 125)
        if has_second_path(place):
            alike(place, path, "job", "PORT", out="job ok\n")


# ---- tools ----

def around(place, *command):
    """A program in a tool: what the tool says on stdout counts only in that the job is done in it."""
    plain = bare(place, *[free() if word == "PORT" else word for word in command])
    if plain.status or "job ok\n" not in plain.out:
        raise Skip("%s does not work here: %s" % (command[0], (plain.err or plain.out).strip()[-100:]))
    done = under(place, *[held() if word == "PORT" else word for word in command])
    same(done.status, 0, repr(done))
    assert "job ok\n" in done.out and list(done.moves) == [held()], repr(done)
    return plain, done


def test_strace(place):
    """strace"""
    around(place, find_program("strace"), "-f", "-o", "/dev/null", PROCESS, "job", "PORT")


def test_gdb(place):
    """gdb"""
    around(place, find_program("gdb"), "-q", "-nx", "-batch", "-ex", "run", "--args", PROCESS, "job", "PORT")


def test_perf(place):
    """perf"""
    around(place, find_program("perf"), "stat", "-o", "/dev/null", PROCESS, "job", "PORT")


def test_valgrind(place):
    """valgrind has nothing to say"""
    plain, done = around(place, find_program("valgrind"), "-q", "--error-exitcode=9", PROCESS, "job", "PORT")
    same(done.err, plain.err)


main(globals())
