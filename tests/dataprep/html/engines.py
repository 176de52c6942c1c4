"""Extractors that misbehave on demand; they run in the real child process, by name."""

import os
import signal
import sys
import time

seen = []
hoard = []


def hostile(html):
    seen.append(html)
    if "HOARD" in html:
        hoard.append(bytes(400 << 20))
    if "WORN SEGV" in html and len(seen) > 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "WORN KILL" in html and len(seen) > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if "OUT OF MEMORY" in html:
        os.kill(os.getpid(), signal.SIGKILL)
    if "SPIN" in html:
        while True:
            pass
    if "SLEEP" in html:
        time.sleep(3600)
    if "SEGFAULT" in html:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "LEAVE" in html:
        print("leaving", file=sys.stderr, flush=True)
        os._exit(3)
    if "RAISE" in html:
        raise ValueError("no such page\nreally")
    if "GROW" in html:
        return "x" * (8 << 30), ""
    if "PRINT" in html:
        print("noise" * 1000, flush=True)
    if "RECURSE" in html:
        return hostile(html)
    if "SURROGATE" in html:
        return "a\ud800b\0c", "title"
    return f"text of {html}", "title"
