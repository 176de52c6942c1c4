"""The parent's side of the extracting child: a page that makes an extractor spin, crash or grow is a named failure.

Decisions:
- A child lives for thousands of pages; it is replaced only after a page has killed it. Pages go out in chunks and
  answers come back one by one, so the page that was being worked on when the child died is known exactly: the first
  without an answer. The pages after it are sent to the next child.
- The limit is CPU time inside the child (see ``worker``). A wait without bounds is still impossible: a child that
  neither answers nor uses CPU is killed after ten times the limit plus half a minute.
- ``subprocess`` without fork hooks and one owner at a time: works in any thread and inside Beam's worker processes.
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataprep.html.settings import ExtractSettings
from dataprep.html.worker import CHUNK, FRAME, frame

START_SECONDS = 120.0
CHUNK_PAGES = 64
CHUNK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Extracted:
    text: str
    title: str
    charset: str
    how: str
    replaced: int


@dataclass(frozen=True, slots=True)
class Failed:
    """``reason`` is time_limit, memory_limit, crash, nested_too_deep, too_large or extractor_error."""

    reason: str
    error: str


class Sandbox:
    """A child process that extracts pages. Not for several threads at once."""

    def __init__(self, settings: ExtractSettings, engine: str | None = None) -> None:
        self.settings = settings
        self.engine = engine or settings.engine
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def extract(self, pages: Sequence[tuple[bytes, str | None]]) -> list[Extracted | Failed]:
        """The result for each (page, declared charset), in their order."""
        results: list[Extracted | Failed] = []
        while len(results) < len(pages):
            first = len(results)
            if len(pages[first][0]) > self.settings.page_bytes:
                size = len(pages[first][0])
                results.append(
                    Failed("too_large", f"the page has {size} bytes, the limit is {self.settings.page_bytes}")
                )
                continue
            last, size = first, 0
            while last < len(pages) and last - first < CHUNK_PAGES and size < CHUNK_BYTES:
                if len(pages[last][0]) > self.settings.page_bytes:
                    break
                size += len(pages[last][0])
                last += 1
            self._chunk(pages[first:last], results)
        return results

    def close(self) -> None:
        """End the child; the next ``extract`` starts another."""
        if self.process:
            process, self.process = self.process, None
            process.kill()
            process.communicate()

    def _chunk(self, pages: Sequence[tuple[bytes, str | None]], results: list[Extracted | Failed]) -> None:
        """Append the results of ``pages``, up to and including the first that kills the child."""
        if self.process is None or self.process.poll() is not None:
            self.close()
            self._start()
        assert self.process
        assert self.process.stdin
        request = b"".join(frame({"charset": charset}, page) for page, charset in pages)
        try:
            self.process.stdin.write(CHUNK.pack(len(request)))
            self.process.stdin.write(request)
            self.process.stdin.flush()
            for _ in pages:
                values, data = self._answer(self.settings.page_seconds * 10 + 30)
                if "reason" in values:
                    results.append(Failed(values["reason"], values["error"]))
                else:
                    results.append(
                        Extracted(data.decode(), values["title"], values["charset"], values["how"], values["replaced"])
                    )
        except (EOFError, BrokenPipeError):
            results.append(self._cause())
        except TimeoutError:
            self.close()
            results.append(Failed("time_limit", "no answer, and no CPU time used either"))
        except BaseException:
            self.close()  # half a chunk is still under way
            raise

    def _start(self) -> None:
        settings = self.settings
        limits = (settings.page_seconds, settings.page_nesting, settings.page_memory)
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *([os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [])])
        self.messages = tempfile.TemporaryFile()  # noqa: SIM115 (lives as long as the child)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "dataprep.html.worker", self.engine, *map(str, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.messages,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.received = bytearray()
        try:
            self._answer(START_SECONDS)
        except (EOFError, TimeoutError):
            said = self._said()
            self.close()
            raise RuntimeError(f"the extracting process does not start: {said}") from None

    def _answer(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        need = FRAME.size
        while True:
            if len(self.received) >= need:
                head, size = FRAME.unpack_from(self.received)
                need = FRAME.size + head + size
                if len(self.received) >= need:
                    break
            self._receive(seconds)
        start = FRAME.size + head
        values = json.loads(self.received[FRAME.size : start])
        data = bytes(self.received[start:need])
        del self.received[:need]
        return values, data

    def _receive(self, seconds: float) -> None:
        assert self.process
        assert self.process.stdout
        handle = self.process.stdout.fileno()
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise TimeoutError
        data = os.read(handle, 1 << 20)
        if not data:
            raise EOFError
        self.received += data

    def _cause(self) -> Failed:
        assert self.process
        code = self.process.wait()
        said = self._said()
        self.close()
        if code == -signal.SIGPROF:
            return Failed("time_limit", f"more than {self.settings.page_seconds:g} s of CPU time")
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return Failed("crash", f"the extracting process {how}{': ' + said if said else ''}")

    def _said(self) -> str:
        self.messages.seek(0)
        lines = self.messages.read()[-4000:].decode("utf-8", "replace").split("\n")
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")


_idle: dict[ExtractSettings, list[Sandbox]] = {}
_lock = threading.Lock()


@contextmanager
def borrowed(settings: ExtractSettings) -> Iterator[Sandbox]:
    """A sandbox of this process for one task; its child stays for the next task and ends with this process."""
    with _lock:
        waiting = _idle.setdefault(settings, [])
        sandbox = waiting.pop() if waiting else Sandbox(settings)
    try:
        yield sandbox
    except BaseException:
        sandbox.close()
        raise
    with _lock:
        _idle[settings].append(sandbox)


@atexit.register
def _close_idle() -> None:
    with _lock:
        for sandboxes in _idle.values():
            while sandboxes:
                sandboxes.pop().close()
