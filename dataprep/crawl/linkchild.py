"""Link extraction in a child process with a deadline for each page: a page that makes the parser spin costs one child.

The child reads frames from standard input and answers each with one: two 32-bit lengths, a JSON header, a body.
"""

import json
import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO

PAGE_SECONDS = 10.0
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

    def links(self, url: str, content_type: str, link_headers: list[str], body: bytes) -> list[str] | None:
        """The links of one page; None when the child did not answer within ``PAGE_SECONDS`` or died."""
        child = self._child = self._child or _start()
        assert child.stdin is not None
        assert child.stdout is not None
        header = json.dumps([url, content_type, link_headers]).encode()
        try:
            child.stdin.write(_LENGTHS.pack(len(header), len(body)) + header)
            child.stdin.write(body)
            child.stdin.flush()
            answer = _read(child.stdout, time.monotonic() + PAGE_SECONDS)
        except BrokenPipeError:
            answer = None
        if answer is None:
            self._stop()
            return None
        return [str(link) for link in json.loads(answer)]

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "dataprep.crawl.linkchild"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env={**os.environ, "PYTHONPATH": path},
    )


def _read(pipe: IO[bytes], deadline: float) -> bytes | None:
    data = b""
    wanted = _LENGTHS.size
    while len(data) < wanted:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        piece = os.read(pipe.fileno(), 1 << 20)
        if not piece:
            return None
        data += piece
        if wanted == _LENGTHS.size and len(data) >= wanted:
            wanted += _LENGTHS.unpack(data[:wanted])[0]
    return data[_LENGTHS.size :]


def main() -> None:
    """The child: one answer for each frame, until standard input ends."""
    from dataprep.crawl.links import decode_html, extract_links

    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while lengths := source.read(_LENGTHS.size):
        header_length, body_length = _LENGTHS.unpack(lengths)
        url, content_type, link_headers = json.loads(source.read(header_length))
        body = source.read(body_length)
        answer = json.dumps(extract_links(decode_html(body, content_type), url, link_headers)).encode()
        sink.write(_LENGTHS.pack(len(answer), 0) + answer)
        sink.flush()


if __name__ == "__main__":
    main()
