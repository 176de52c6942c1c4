"""Link extraction in a child process with a limit for each page: a page that makes the parser spin costs one child.

The child reads frames from standard input and answers each with one: two 32-bit lengths, a JSON header, a body. The
limit is CPU time, counted and enforced by the kernel (ITIMER_PROF, default action of SIGPROF), so that the frontier
depends on the page and not on how busy the machine is.
"""

import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

PAGE_SECONDS = 10.0  # of CPU time
_LENGTHS = struct.Struct(">II")


class LinkReader:
    """Extracts links page by page; use as a context manager. The child is started at the first page."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "LinkReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def links(self, url: str, content_type: str, link_headers: list[str], body: bytes) -> tuple[list[str], str | None]:
        """The links of one page, and why those in its HTML were not read.

        The reason is one of ``hazard``'s, time_limit (more than ``PAGE_SECONDS``), crash, or None. A child that neither
        answers nor uses CPU is ended after ten times the limit and half a minute.
        """
        child = self._child = self._child or _start(PAGE_SECONDS)
        assert child.stdin is not None
        assert child.stdout is not None
        header = json.dumps([url, content_type, link_headers]).encode()
        try:
            child.stdin.write(_LENGTHS.pack(len(header), len(body)) + header)
            child.stdin.write(body)
            child.stdin.flush()
            answer = _read(child.stdout, time.monotonic() + 10 * PAGE_SECONDS + 30.0)
        except BrokenPipeError:
            answer = b""
        if not answer:
            code = child.wait() if answer is not None else None
            self._stop()
            return [], "time_limit" if code in (None, -signal.SIGPROF) else "crash"
        found, reason = json.loads(answer)
        return found, reason

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _start(seconds: float) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "dataprep.crawl.linkchild", str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path},
    )


def _read(pipe: IO[bytes], deadline: float) -> bytes | None:
    """One frame's header; empty at the end of the pipe, None after ``deadline``."""
    data = b""
    wanted = _LENGTHS.size
    while len(data) < wanted:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        piece = os.read(pipe.fileno(), 1 << 20)
        if not piece:
            return b""
        data += piece
        if wanted == _LENGTHS.size and len(data) >= wanted:
            wanted += _LENGTHS.unpack(data[:wanted])[0]
    return data[_LENGTHS.size :]


def main(seconds: float) -> None:
    """The child: one answer for each frame, until standard input ends."""
    from dataprep.crawl.links import decode_html, extract_links

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while lengths := source.read(_LENGTHS.size):
        header_length, body_length = _LENGTHS.unpack(lengths)
        url, content_type, link_headers = json.loads(source.read(header_length))
        body = source.read(body_length)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = json.dumps(extract_links(decode_html(body, content_type), url, link_headers)).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(_LENGTHS.pack(len(answer), 0) + answer)
        sink.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]))
