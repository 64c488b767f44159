"""cleared.py subprocess|vfork|posix_spawn|execve PROGRAM ARGS...: starts a program with an empty environment."""
import os
import signal
import subprocess
import sys

way, argv = sys.argv[1], sys.argv[2:]
if way == "execve":
    os.execve(argv[0], argv, {})
if way == "posix_spawn":
    child = os.posix_spawn(argv[0], argv, {})
elif way == "vfork":
    child = subprocess.Popen(argv, env={}, close_fds=False).pid
else:
    child = subprocess.Popen(argv, env={}, start_new_session=True, preexec_fn=lambda: None).pid
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) and 1)
