"""A store for tests: an HTTP server of ranges of files on this machine, which can be told to fail."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Files(ThreadingHTTPServer):
    """``failures``: requests still to be refused; ``slow``: seconds before each answer; ``corrupt``: answers still to
    be sent with a changed byte. ``served`` counts bytes by path.
    """

    daemon_threads = True
    failures = 0
    corrupt = 0
    slow = 0.0

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.served: Counter[str] = Counter()
        self.requests = 0
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: Files
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        server = self.server
        with server.lock:
            server.requests += 1
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
            fail, corrupt = server.failures > 0, server.corrupt > 0 and body
            server.failures -= fail
            server.corrupt -= corrupt
        try:
            time.sleep(server.slow)
            path = server.folder / self.path.lstrip("/")
            if fail or not path.is_file():
                self.send_error(503 if fail else 404)
                return
            content = path.read_bytes()
            first, last = 0, len(content) - 1
            asked = self.headers.get("Range")
            if asked:
                begin, _, end = asked.removeprefix("bytes=").partition("-")
                first, last = int(begin), min(int(end or last), last)
            data = content[first : last + 1]
            if corrupt:
                data = bytes([data[0] ^ 1]) + data[1:]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
            self.end_headers()
            if body:
                self.wfile.write(data)
                with server.lock:
                    server.served[self.path] += len(data)
        finally:
            with server.lock:
                server.at_once -= 1

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def serving(folder: Path) -> Iterator[Files]:
    server = Files(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
