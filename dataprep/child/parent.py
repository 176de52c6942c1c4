"""The parent's side: a request that makes the child spin, crash or grow is a named failure of that request.

Decisions:
- A child lives for thousands of requests; it is replaced only after one has ended it. Requests go out in chunks and
  answers come back one by one, so the request that was being worked on when the child died is known exactly: the first
  without an answer.
- A verdict depends on the request alone. An old child's memory holds what earlier requests left there, and the kernel
  kills whom it likes when the machine runs out: so ``ask_alone`` tries a request in a new child, for a verdict that
  counts. SIGKILL is never a request's own doing; where it comes again and again, the run ends instead of blaming the
  innocent.
- The limit is CPU time inside the child (see ``inside.cpu_limit``). A wait without bounds is still impossible: a child
  that neither answers nor uses CPU is killed after ten times the limit plus half a minute.
- One thread: a worker has one processor, CPU time is counted over threads, and each thread reserves address space.
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
from typing import Any, Self, TypeVar

from dataprep.child.inside import COUNT, FRAME, frame

START_SECONDS = 9.0  # to load libraries; the wait is ten times as long and half a minute
ATTEMPTS_ALONE = 2
MESSAGE_BYTES = 4000
ONE_THREAD = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

Request = tuple[dict[str, Any], Any]  # values as JSON, and anything with the buffer protocol
Answer = tuple[dict[str, Any], bytearray]


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that ended the child, while it was ``doing`` what it had reported last.

    ``reason`` is time_limit, crash, killed (by SIGKILL), or what the child itself gave: memory_limit, for one.
    """

    reason: str
    error: str
    doing: str

    @property
    def doubtful(self) -> bool:
        """Whether something other than the request may be the cause."""
        return self.reason in ("memory_limit", "crash", "killed")


class Child:
    """A child process that runs ``module`` with ``settings``, one of them ``memory``. Not for several threads at once.

    It is started when first asked, and again after it has ended. ``called`` is its name in error messages, and
    ``memory_field`` the recipe's field that sets its memory.
    """

    def __init__(self, module: str, settings: dict[str, Any], called: str, memory_field: str) -> None:
        self.module = module
        self.settings = settings
        self.called = called
        self.memory_field = memory_field
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, requests: Sequence[Request], seconds: float) -> list[Answer | Ended]:
        """The answers in their order, up to and including the first ``Ended``; what comes after it was not worked on.

        ``seconds`` is the CPU time that the child grants a request, unless it reports another. Raises ``RuntimeError``
        if no child starts.
        """
        if self.process is None or self.process.poll() is not None:
            self.close()
            self._start()
        self._messages.truncate(0)
        answers: list[Answer | Ended] = []
        try:
            self._expect("", seconds)
            self._send(requests)
            for _ in requests:
                self._expect("", seconds)
                values, data = self._answer()
                if "ended" in values:
                    answers.append(Ended(values["ended"], values["error"], self._doing))
                    self.close()  # what it left there is not for the next requests
                    break
                answers.append((values, data))
        except (EOFError, BrokenPipeError):
            answers.append(self._cause())
        except TimeoutError:
            self.close()
            answers.append(Ended("time_limit", "no answer, and no CPU time used either", self._doing))
        except BaseException:
            self.close()  # half a chunk is still under way
            raise
        return answers

    def ask_alone(self, request: Request, seconds: float, what: str) -> Answer | Ended:
        """The answer to a request that is its child's first; ``what`` it is, for the error of a machine without memory.

        Raises ``RuntimeError`` if the machine has too little memory even for this one.
        """
        for _ in range(ATTEMPTS_ALONE):
            self.close()
            (answer,) = self.ask([request], seconds)
            if not (isinstance(answer, Ended) and answer.reason == "killed"):
                return answer
        raise RuntimeError(
            f"the {self.called} was killed (SIGKILL) {ATTEMPTS_ALONE} times, alone with {what}: the machine is out of "
            f"memory; use fewer workers or a smaller {self.memory_field} (now {self.settings['memory']} bytes)"
        )

    def close(self) -> None:
        """End the child; the next request starts another."""
        if self.process:
            process, self.process = self.process, None
            process.kill()
            process.communicate()

    def _start(self) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, *([os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else [])])
        self._messages = tempfile.TemporaryFile("a+b")  # noqa: SIM115 (lives as long as the child)
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            env={**ONE_THREAD, **os.environ, "PYTHONPATH": path},
        )
        self._expect("", START_SECONDS)
        try:
            self._send([(self.settings, b"")])
            self._answer()
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"the {self.called} does not start: {self._at()}it {self._end()}") from None
        except TimeoutError:
            self.close()
            waited = f"{self._at()}no answer for {self._patience:g} s"
            raise RuntimeError(f"the {self.called} does not start: {waited}") from None
        except BaseException:
            self.close()
            raise

    def _at(self) -> str:
        return f"at {self._doing}, " if self._doing else ""

    def _expect(self, doing: str, seconds: float) -> None:
        self._doing, self._seconds, self._patience = doing, seconds, seconds * 10 + 30

    def _send(self, requests: Sequence[Request]) -> None:
        assert self.process
        assert self.process.stdin
        self.process.stdin.write(COUNT.pack(len(requests)))
        for values, data in requests:
            data = memoryview(data)
            self.process.stdin.write(frame(values, data.nbytes))
            self.process.stdin.write(data)
        self.process.stdin.flush()

    def _answer(self) -> Answer:
        while True:
            head, size = FRAME.unpack(self._receive(FRAME.size))
            values = json.loads(self._receive(head))
            data = self._receive(size)
            if "doing" not in values:
                return values, data
            self._expect(values["doing"], values["seconds"])

    def _receive(self, size: int) -> bytearray:
        assert self.process
        assert self.process.stdout
        handle = self.process.stdout.fileno()
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        data = bytearray(size)
        left = memoryview(data)
        while left:
            if not poll.poll(self._patience * 1000):
                raise TimeoutError
            got = os.readv(handle, [left])
            if not got:
                raise EOFError
            left = left[got:]
        return data

    def _cause(self) -> Ended:
        assert self.process
        code = self.process.wait()
        if code == -signal.SIGPROF:
            self.close()
            return Ended("time_limit", f"more than {self._seconds:g} s of CPU time", self._doing)
        reason = "killed" if code == -signal.SIGKILL else "crash"
        return Ended(reason, f"the {self.called} {self._end()}", self._doing)

    def _end(self) -> str:
        """How the child, which is gone, ended, and the last thing it said."""
        assert self.process
        code = self.process.wait()
        self._messages.seek(max(self._messages.seek(0, os.SEEK_END) - MESSAGE_BYTES, 0))
        lines = self._messages.read().decode("utf-8", "replace").split("\n")
        said = next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")
        self.close()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"{how}{': ' + said if said else ''}"


C = TypeVar("C", bound=Child)
_idle: dict[str, list[Any]] = {}
_lock = threading.Lock()


@contextmanager
def borrowed(child: C) -> Iterator[C]:
    """``child``, or one like it that waits in this process; it stays for the next task and ends with this process.

    Of each module, those with other settings end: a process that does one thing after another keeps no memory for it.
    """
    with _lock:
        waiting = _idle.setdefault(child.module, [])
        if waiting and waiting[0].settings == child.settings:
            child = waiting.pop()
        else:
            _close(waiting)
    try:
        yield child
    except BaseException:
        child.close()
        raise
    with _lock:
        if waiting and waiting[0].settings != child.settings:
            _close(waiting)
        waiting.append(child)


def _close(children: list[Any]) -> None:
    while children:
        children.pop().close()


@atexit.register
def _close_idle() -> None:
    with _lock:
        for children in _idle.values():
            _close(children)
