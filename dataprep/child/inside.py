"""The child's side: it limits itself, reads requests on standard input, and answers on standard output.

Requests come in chunks: how many there are (uint32, little-endian), then a frame each; a frame is two lengths, a JSON
object and bytes. The first request holds the settings. A chunk is read whole before its first answer is written, so
that the two sides never wait for each other.
"""

import json
import logging
import os
import resource
import select
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

COUNT = struct.Struct("<I")
FRAME = struct.Struct("<IQ")


def frame(values: dict[str, Any], size: int) -> bytes:
    """What stands before the ``size`` bytes of a frame."""
    head = json.dumps(values).encode()
    return FRAME.pack(len(head), size) + head


class Inside:
    """This process as a child. ``settings`` are those the parent started it with, ``memory`` its address space.

    ``doing`` is what it reported last.
    """

    def __init__(self) -> None:
        self.doing = ""
        self._answers = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what a library prints must not get among the answers
        logging.disable(logging.CRITICAL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        self._requests = sys.stdin.buffer
        ((self.settings, _),) = self._chunk()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (self.settings["memory"], self.settings["memory"]))

    def requests(self) -> Iterator[tuple[dict[str, Any], bytes]]:
        """The requests, until the parent has no more; asking for the first tells it that this process is ready."""
        self.answer({})
        while chunk := self._chunk():
            while chunk:
                yield chunk.popleft()

    def answer(self, values: dict[str, Any], data: Any = b"") -> None:
        """Answer the request at hand. ``ended``, a reason, and ``error`` among the values: this process is spent."""
        data = memoryview(data)
        self._answers.write(frame(values, data.nbytes))
        self._answers.write(data)
        self._answers.flush()

    def report(self, doing: str, seconds: float) -> None:
        """Say what is done next, before the answer, and how much CPU time it may take."""
        self.doing = doing
        self.answer({"doing": doing, "seconds": seconds})

    def _chunk(self) -> deque[tuple[dict[str, Any], bytes]]:
        head = self._requests.read(COUNT.size)
        return deque(self._frame() for _ in range(COUNT.unpack(head)[0] if head else 0))

    def _frame(self) -> tuple[dict[str, Any], bytes]:
        head, size = FRAME.unpack(self._requests.read(FRAME.size))
        values = json.loads(self._requests.read(head))
        return values, self._requests.read(size)


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """The kernel kills this process when the block has used its CPU seconds (ITIMER_PROF, default action of SIGPROF).

    Nothing that runs inside it, in whatever language, can hold that up.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _leave_with_parent() -> None:
    """End this process when its parent dies in any way, even if it sleeps in the middle of a request."""
    poll = select.poll()
    poll.register(0, 0)  # nothing but the hang-up
    poll.poll()
    os._exit(0)
