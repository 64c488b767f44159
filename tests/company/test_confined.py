"""Programs in other namespaces, under another root, with other rights, within limits."""
import os
import shutil
import subprocess

from company import (HELD, LIMIT, NOBODY, OFF, PORTSHIM, SHIM, Skip, alike, bare, call, find_program, free,
                     has_second_path, held, main, need_root, preload, program, same, under)
from harness import line

CONFINE, PROCESS = program("confine"), program("process")
MAY_NOT = 77


def alone(place, case, *more, moves=1):
    """As `alike`, where the kernel lets this user do it."""
    plain = bare(place, CONFINE, case, free(), *[free(1) for _ in more])
    if plain.status == MAY_NOT:
        raise Skip("the kernel refuses: " + plain.err.strip())
    same(plain.status, 0, repr(plain))
    done = under(place, CONFINE, case, held(), *more)
    same((done.status, done.out, done.err), (plain.status, plain.out, plain.err), repr(done))
    same(sorted(done.moves), [held(i) for i in range(moves)], repr(done))
    return done


def test_network(place):
    """A new network namespace is a new host: nothing is moved or refused there, and back at home all is as before"""
    # a server of another environment: at home it is out of reach, there nobody knows it
    other = subprocess.Popen([PORTSHIM, "run", "--env", "other", "--", PROCESS, "serve", str(free(2))],
                             cwd=place.project, env=place.environment(), stdout=subprocess.PIPE)
    place.started.append(other)
    same(line(other.stdout), "serve yes\n")
    same(under(place, PROCESS, "ask", free(2)).out, "connect ECONNREFUSED\n")
    alone(place, "network", free(2))
    other.terminate()
    other.wait(LIMIT)


def test_network_first(place):
    """The first call of all is made in a new network namespace, the next ones at home"""
    plain = bare(place, CONFINE, "network-first", free())
    alone(place, "network-first", moves=1 if "after" in plain.out else 0)


def test_network_clone(place):
    """Children of clone in a new network namespace"""
    alone(place, "network-clone")


def test_network_thread(place):
    """One thread enters a new network namespace, the others stay"""
    need_root()
    alone(place, "network-thread", moves=2)


def test_network_exec(place):
    """exec in a new network namespace"""
    alone(place, "network-exec", moves=0)


def test_user(place):
    """A new user namespace"""
    alone(place, "user")


def test_mounts(place):
    """A new mount namespace in which the runtime directory is hidden"""
    alone(place, "mounts")


def test_mounts_exec(place):
    """exec there: the new program finds no run, says so and works as without portshim (limits.md)"""
    if bare(place, CONFINE, "mounts-exec", free()).status:
        raise Skip("the kernel refuses")
    if not place.runtime.startswith("/dev/shm/"):
        raise Skip("the runtime directory is not in /dev/shm")
    done = under(place, CONFINE, "mounts-exec", held(), options=OFF)
    same((done.status, done.out), (1, "here ok\njob udp bind\njob EADDRINUSE\n"), repr(done))
    assert "portshim: cannot use " in done.err, repr(done)
    if has_second_path(place):
        same(under(place, CONFINE, "mounts-exec", held()).status, 0, "the second path needs no file there")
        done = under(place, "unshare", *(["-m"] if os.getuid() == 0 else ["-Urm"]), "sh", "-c",
                     'mount -t tmpfs none /dev/shm; sh -c \'"$0" job "$1"; :\' "$0" "$1"', PROCESS, held())
        same((done.status, done.out), (0, "job ok\n"), "nor do the children of what said so: %r" % (done,))
        same(done.err.count("cannot use"), 1, repr(done))


def test_root(place):
    """chroot: ports are moved there; the keeper writes the discovery file. Without one it is out of reach (limits.md)"""
    directory = place.directory("root")
    plain = bare(place, CONFINE, "root", free(), directory)
    if plain.status == MAY_NOT:
        raise Skip("the kernel refuses: " + plain.err)
    done = under(place, CONFINE, "root", held(), directory)
    same((done.status, done.out), (0, plain.out), repr(done))
    same(list(done.moves), [held()], repr(done))
    same(done.err, plain.err, repr(done))
    done = call(place, [PORTSHIM, "exec", "--", CONFINE, "root", held(), directory])
    assert "ports.json cannot be written: its directory is missing; make it" in done.err, repr(done)


def test_processes(place):
    """A new pid namespace, and exec in it"""
    alone(place, "processes")


# ---- rights ----

def ordinary(place):
    """A place for an ordinary user: a copy of what is needed, and how to become that user."""
    need_root()
    setpriv = find_program("setpriv")
    if os.statvfs("/tmp").f_flag & (os.ST_NOSUID | os.ST_NOEXEC):
        raise Skip("/tmp is mounted nosuid or noexec")
    place.home = "/tmp/" + os.path.basename(place.top) + ".user"
    os.mkdir(place.home)
    for path in PORTSHIM, SHIM, PROCESS:
        shutil.copy(path, place.home)
    os.mkdir(place.home + "/runtime", 0o700)
    os.mkdir(place.home + "/project")
    for path in "", "/runtime", "/project":
        os.chown(place.home + path, NOBODY, NOBODY)
    os.chmod(place.home, 0o755)
    return [setpriv, "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]


def privileged(place, user, helper):
    """A program that the loader does not preload into: it runs as bare, and `run` and `doctor` say so."""
    os.chdir("/")
    more = {"cwd": place.home + "/project", "env": {"PORTSHIM_RUNTIME_DIR": place.home + "/runtime"}}
    portshim = place.home + "/portshim"
    done = call(place, [*user, portshim, "run", "--", helper, "job", free()], **more)
    same((done.status, done.out), (0, "job ok\n"), repr(done))
    assert "runs with rights that make the loader ignore LD_PRELOAD; its ports are not moved" in done.err, repr(done)
    done = call(place, [*user, portshim, "run", "--", helper, "job", held()], **more)
    same((done.status, done.out), (1, "job udp bind\njob EADDRINUSE\n"), repr(done))
    same(call(place, [*user, portshim, "run", "--strict", "--", helper, "job", free()], **more).status, 125)
    done = call(place, [*user, portshim, "doctor", helper], **more)
    same(done.status, 1, repr(done))
    # the same program without them
    done = call(place, [*user, portshim, "run", "--", place.home + "/process", "job", held()], **more)
    same((done.status, done.out, list(done.moves)), (0, "job ok\n", [held()]), repr(done))


def test_setuid(place):
    """A set-user-ID program of root's"""
    user = ordinary(place)
    try:
        helper = place.home + "/helper"
        shutil.copy(PROCESS, helper)
        os.chmod(helper, 0o4755)
        privileged(place, user, helper)
    finally:
        shutil.rmtree(place.home)


def test_capabilities(place):
    """A program with file capabilities"""
    user = ordinary(place)
    try:
        helper = place.home + "/helper"
        shutil.copy(PROCESS, helper)
        if call(place, [find_program("setcap"), "cap_net_bind_service=ep", helper]).status:
            raise Skip("this file system has no capabilities")
        privileged(place, user, helper)
    finally:
        shutil.rmtree(place.home)


# ---- sandboxes ----

SANDBOX = program("sandbox")


def test_killed(place):
    """A server that is up may forbid itself, at the price of its life, all but its own calls: portshim adds none"""
    plain = bare(place, SANDBOX, "killed", free())
    if plain.status == MAY_NOT:
        raise Skip("no seccomp here")
    alike(place, SANDBOX, "killed", "PORT", out="serve ok\n")


def test_refused(place):
    """A server that may make no more sockets, files and memory serves; later binds are as asked, with a word"""
    out = "serve ok\nbind ok\nlisten ok\n"
    plain = bare(place, SANDBOX, "refused", free())
    if plain.status == MAY_NOT:
        raise Skip("no seccomp here")
    same((plain.status, plain.out), (0, out), repr(plain))
    # the second of its ports is free, then held
    done = under(place, SANDBOX, "refused", held(HELD - 1))
    same((done.status, done.out, list(done.moves)), (0, out, [held(HELD - 1)]), repr(done))
    done = under(place, SANDBOX, "refused", held())
    if held(1) in done.moves: # to a number whose record's page was there already: nothing had to be asked for
        same((done.status, done.out), (0, out), repr(done))
        return
    same((done.status, done.out), (0, out.replace("bind ok", "bind EADDRINUSE")), repr(done))
    word = "portshim: %d is not mapped: the registry cannot be written: Operation not permitted" % held(1)
    assert word in done.err, repr(done)


def test_refused_first(place):
    """The same before the first call of all"""
    if bare(place, SANDBOX, "refused-first", free()).status == MAY_NOT:
        raise Skip("no seccomp here")
    done = under(place, SANDBOX, "refused-first", free())
    same((done.status, done.out), (0, "job ok\n"), repr(done))
    done = under(place, SANDBOX, "refused-first", held())
    same((done.status, done.out), (0, "job tcp bind\n"), repr(done))
    assert "is not mapped" in done.err, repr(done)


# ---- limits ----

def limited(place, setting, **more):
    return alike(place, "sh", "-c", 'ulimit %s && exec "$@"' % setting, "sh", PROCESS, "job", "PORT", **more)


def test_descriptors(place):
    """RLIMIT_NOFILE: a program with no descriptor to spare works, and one without enough fails as ever"""
    limited(place, "-n 6", out="job ok\n")
    limited(place, "-n 5", status=None, out="job tcp accept\njob EMFILE\n")


def test_memory(place):
    """RLIMIT_AS: without room for the registry, the program runs and one line says so; with room, all is well"""
    limited(place, "-v 40000", out="job ok\n")
    done = under(place, "sh", "-c", 'ulimit -v 6000; exec "$@"', "sh", PROCESS, "job", free())
    same((done.status, done.out, done.moves), (0, "job ok\n", {}), repr(done))
    assert "cannot use" in done.err and "the library maps no ports" in done.err, repr(done)


def test_locked_memory(place):
    """RLIMIT_MEMLOCK of nothing"""
    limited(place, "-l 0", out="job ok\n")


def test_file_size(place):
    """RLIMIT_FSIZE of nothing: no SIGXFSZ; the keeper writes the discovery file. Without one it is missing (limits.md)"""
    same(bare(place, "sh", "-c", 'ulimit -f 0; exec "$@"', "sh", PROCESS, "job", free()).out, "job ok\n")
    done = under(place, "sh", "-c", 'ulimit -f 0; exec "$@"', "sh", PROCESS, "job", held())
    same((done.status, done.out, done.err, list(done.moves)), (0, "job ok\n", "", [held()]), repr(done))
    done = call(place, [PORTSHIM, "exec", "--", "sh", "-c", 'ulimit -f 0; exec "$@"', "sh", PROCESS, "job", held()])
    assert "ports.json cannot be written: the limit for the size of files is reached" in done.err, repr(done)
    # around portshim itself, and around a program that is preloaded by hand: no run can be made
    for command, env in ([PORTSHIM, "run", "--", PROCESS], {}), ([PORTSHIM, "exec", "--", PROCESS], {}), \
            ([PROCESS], preload(SHIM)):
        done = call(place, ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *command, "job", free()], env=env)
        same((done.status, done.out), (0, "job ok\n"), "%s: %r" % (command, done))
        assert done.err.startswith("portshim: cannot "), repr(done)


main(globals())
