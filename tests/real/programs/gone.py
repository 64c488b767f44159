"""gone.py SECONDS PID: waits until the process has ended; exit status 1 if it has not by then."""
import os
import select
import sys

try:
    fd = os.pidfd_open(int(sys.argv[2]))
except ProcessLookupError:
    sys.exit(0)
sys.exit(0 if select.select([fd], [], [], float(sys.argv[1]))[0] else 1)
