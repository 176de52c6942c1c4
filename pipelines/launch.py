"""Starting a job's child process, following it, and saying in one line what went wrong."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import asdict
from queue import Empty, SimpleQueue

from rich.console import Console

from dataprep import storage
from pipelines.job import WORKER_KILLED, Job
from pipelines.progress import Display

TICK_SECONDS = 0.5


def log_directory(out: str) -> str:
    """Where driver and workers write what nobody wants on the terminal: beside the output, or in a temporary folder."""
    folder = (
        os.path.join(storage.local_path(out), "_logs")
        if storage.is_local(out)
        else tempfile.mkdtemp(prefix="corpusmill-")
    )
    os.makedirs(folder, exist_ok=True)
    return folder


def launch(job: Job, console: Console) -> tuple[int, Display]:
    """Run ``job`` in a child process and show its progress. Returns the exit code for the shell, and what was seen."""
    with open(os.path.join(job.logs, "driver.log"), "ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipelines.run"],
            stdin=subprocess.PIPE,  # kept open: at its end the child leaves
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert child.stdin
    child.stdin.write(json.dumps(asdict(job)) + "\n")
    child.stdin.flush()
    with Display(console, job.out) as display:
        try:
            _follow(child, display)
        except KeyboardInterrupt:
            child.terminate()
            child.wait()
            console.print("interrupted; the same command continues where it stopped", highlight=False)
            return 130, display
    code = child.wait()
    if code == 0:
        return 0, display
    if code == WORKER_KILLED:
        message = (
            "a worker was killed (out of memory?); run the same command again to continue, or with fewer --workers"
        )
    elif display.error:
        message = display.error
    else:
        message = f"the driver ended with exit code {code}; see {job.logs}/driver.log. The same command continues"
    Console(stderr=True).print(f"[red]error:[/red] {message}", highlight=False, soft_wrap=True)
    return 1, display


def _follow(child: "subprocess.Popen[str]", display: Display) -> None:
    events: SimpleQueue[str | None] = SimpleQueue()

    def read() -> None:
        assert child.stdout
        for line in child.stdout:
            events.put(line)
        events.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = events.get(timeout=TICK_SECONDS)
        except Empty:
            display.tick()
            continue
        if line is None:
            return
        try:
            value = json.loads(line)
        except ValueError:  # a library that prints; its words are in nobody's interest here
            continue
        if isinstance(value, dict) and "event" in value:
            display.event(value)
