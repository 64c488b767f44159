"""Back office.

Starts on 54321 and falls back to 54322-54350.
"""
import json
import os
import time

PREFERRED_PORT = 54321
FALLBACK_PORTS = range(54322, 54351)
MAX_AGE = 30


def choose():
    port = int(os.getenv("API_PORT") or 54321)
    stamp = {"port": port, "timestamp": int(time.time()), "process_id": os.getpid()}
    json.dump(stamp, open(".backend-port.json", "w"))
    time.sleep(3000 / 1000)
    return port
