"""The parent's side of the extracting child: a page that makes an extractor spin, crash or grow is a named failure.

Decisions:
- A child lives for thousands of pages; it is replaced only after a page has killed it. Pages go out in chunks and
  answers come back one by one, so the page that was being worked on when the child died is known exactly: the first
  without an answer. The pages after it are sent to the next child.
- A verdict depends on the page alone. An old child's memory holds what earlier pages left there, and the kernel kills
  whom it likes when the machine runs out: so a page that ended in ``memory_limit`` or ``crash`` is tried once more,
  alone in a new child, and only that counts. SIGKILL is never a page's own doing; where it comes again and again, the
  run ends instead of putting innocent pages into quarantine.
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
ATTEMPTS_ALONE = 2


@dataclass(frozen=True, slots=True)
class Extracted:
    text: str
    title: str
    charset: str
    how: str
    replaced: int


@dataclass(frozen=True, slots=True)
class Failed:
    """``reason`` is time_limit, memory_limit, crash, nested_too_deep, too_large or extractor_error.

    ``killed`` (by SIGKILL) is a seventh that never leaves the sandbox.
    """

    reason: str
    error: str


class Sandbox:
    """A child process that extracts pages. Not for several threads at once.

    ``engine`` takes the place of ``settings.engine`` and may be any function, as ``module:function``; recipes cannot
    name one, tests do, to have extractors that misbehave in the real child.
    """

    def __init__(self, settings: ExtractSettings, engine: str | None = None) -> None:
        self.settings = settings
        self.engine = engine or settings.engine
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def extract(self, pages: Sequence[tuple[bytes, str | None]]) -> list[Extracted | Failed]:
        """The result for each (page, declared charset), in their order.

        Raises ``RuntimeError`` if no child starts, or if the machine has too little memory to extract a page.
        """
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
            latest = results[-1]
            if isinstance(latest, Failed) and latest.reason in ("memory_limit", "crash", "killed"):
                results[-1] = self._alone(pages[len(results) - 1])
        return results

    def close(self) -> None:
        """End the child; the next ``extract`` starts another."""
        if self.process:
            process, self.process = self.process, None
            process.kill()
            process.communicate()

    def _alone(self, page: tuple[bytes, str | None]) -> Extracted | Failed:
        """The result of a page that is its child's first."""
        for _ in range(ATTEMPTS_ALONE):
            self.close()
            results: list[Extracted | Failed] = []
            self._chunk([page], results)
            (result,) = results
            if not (isinstance(result, Failed) and result.reason == "killed"):
                return result
        raise RuntimeError(
            f"the extracting process was killed (SIGKILL) {ATTEMPTS_ALONE} times, alone with one page of "
            f"{len(page[0])} bytes: the machine is out of memory; use fewer workers or a smaller extract.page_memory "
            f"(now {self.settings.page_memory} bytes)"
        )

    def _chunk(self, pages: Sequence[tuple[bytes, str | None]], results: list[Extracted | Failed]) -> None:
        """Append the results of ``pages``, up to and including the first that ends the child or fills its memory."""
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
                    if values["reason"] == "memory_limit":
                        self.close()  # what it left there is not for the next pages
                        return
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
        except EOFError:
            raise RuntimeError(f"the extracting process does not start: it {self._end()}") from None
        except TimeoutError:
            self.close()
            raise RuntimeError(f"the extracting process does not start within {START_SECONDS:g} s") from None

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
        if code == -signal.SIGPROF:
            self.close()
            return Failed("time_limit", f"more than {self.settings.page_seconds:g} s of CPU time")
        return Failed("killed" if code == -signal.SIGKILL else "crash", f"the extracting process {self._end()}")

    def _end(self) -> str:
        """How the child, which is gone, ended, and the last thing it said."""
        assert self.process
        code = self.process.wait()
        said = self._said()
        self.close()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"{how}{': ' + said if said else ''}"

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
