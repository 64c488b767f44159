"""A process that nobody may look into, on the second path: its calls go on as without portshim, and the keeper names it,
once for each program. As root, for an ordinary user: root may look into everybody."""
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from harness import (BUILD, TOP, Skip, check, command, run_parts, runtime_directory, scratch_directory,  # noqa: E402
                     write)

USER = 65534
NOTICE = "portshim: %s (pid %d) cannot be reached: it is not dumpable, so nobody may read it; its ports are as it asks\n"

# keyholder [PORT]...: for each port a child that binds it, one after the other; what came of it.
PROGRAM = r'''
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (strcmp(argv[1], "open") != 0)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (int i = 2; i < argc; i++) {
		if (fork() == 0) {
			struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(atoi(argv[i])) };
			int fd = socket(AF_INET, SOCK_STREAM, 0);
			a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			int error = bind(fd, (void *)&a, sizeof(a)) || listen(fd, 1) ? errno : 0;
			printf("%d %s\n", getpid(), error ? strerror(error) : "bound");
			return 0;
		}
		wait(NULL);
	}
	return 0;
}
'''


def said(place, port, *words, more=()):
    environment = dict(os.environ, PORTSHIM_RUNTIME_DIR=place["runtime"], HOME=place["bin"])
    done = subprocess.run([os.path.join(place["bin"], "portshim"), "run", "--static=on", *more, "--", *words], user=USER,
                          group=USER, extra_groups=[], cwd="/", env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=60, check=False, text=True)
    lines = [line for line in done.stderr.splitlines(True) if "discovery file" not in line]
    check(done.returncode == 0, "%s: %d %r" % (words, done.returncode, done.stderr))
    return [line.split(" ", 1) for line in done.stdout.splitlines()], "".join(lines)


def check_both(place, port):
    keyholder, other = (os.path.join(place["bin"], name) for name in ("keyholder", "other"))
    # One that may be read is moved: it is the program that makes the difference.
    out, err = said(place, port, keyholder, "open", str(port))
    check([one[1] for one in out] == ["bound"] and "cannot be reached" not in err and "portshim: %d -> " % port in err,
          "a dumpable one: %s %r" % (out, err))
    out, err = said(place, port, keyholder, "shut", str(port), str(port))
    check([one[1] for one in out] == ["Address already in use"] * 2, "its port is as it asks: %s" % out)
    check(err == NOTICE % ("keyholder", int(out[0][0])), "one line: %r" % err)
    out, err = said(place, port, "sh", "-c", "%s shut %d; %s shut %d; %s shut %d" % (keyholder, port, other, port,
                                                                                  keyholder, port))
    check(err == NOTICE % ("keyholder", int(out[0][0])) + NOTICE % ("other", int(out[1][0])),
          "one line for each program: %s %r" % (out, err))
    # Two calls of one process. How many events there were stands in the run's file (scope.h).
    out, err = said(place, port, "sh", "-c", keyholder + " shut 0; od -An -tu4 -j20 -N4 $PORTSHIM_RUN")
    check(out[0][1] == "bound" and out[1][-1].split() == ["1"], "one event for each process: %s" % out)
    out, err = said(place, port, keyholder, "shut", str(port), more=("--quiet",))
    check(err == "", "--quiet: %r" % err)
    with open(os.path.join(TOP, "docs/man/portshim.1"), encoding="utf-8") as manual:
        check(".Dl " + NOTICE % ("keyholder", 812) in manual.read(), "portshim(1) has the notice as it is")


def all_of_it():
    if os.getuid() != 0:
        raise Skip("runs as root, for an ordinary user")
    place = {"bin": scratch_directory(), "runtime": runtime_directory()}
    try:
        for name in ("portshim", "libportshim.so"):
            shutil.copy(os.path.join(BUILD, name), place["bin"])
        write(os.path.join(place["bin"], "k.c"), PROGRAM)
        keyholder = os.path.join(place["bin"], "keyholder")
        code, _, err = command("cc", "-static", "-o", keyholder, os.path.join(place["bin"], "k.c"))
        if code:
            raise Skip("no static C library: %s" % err.strip())
        shutil.copy(keyholder, os.path.join(place["bin"], "other"))
        command("chmod", "-R", "a+rX", place["bin"])
        os.chown(place["runtime"], USER, USER)
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            held.listen()
            check_both(place, held.getsockname()[1])
    finally:
        for directory in place.values():
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    run_parts(all_of_it)
