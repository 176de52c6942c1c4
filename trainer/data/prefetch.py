"""The next steps' batches, made by threads while this one is computed.

Threads and not processes: numpy copies, checksums and a store's answers all let go of the interpreter, and nothing has
to be pickled. What is delivered does not depend on how many there are.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """``make(step)`` for ``step`` = ``first`` … ``stop`` - 1 in order, up to ``ahead`` of them before they are wanted.

    ``make`` is called from ``threads`` threads at once; with none, when its step is asked for. What it raises is raised
    when its step is asked for. A context manager: leaving waits for what is being made and drops the rest.
    """

    def __init__(self, make: Callable[[int], T], first: int, stop: int, threads: int, ahead: int) -> None:
        self._make = make
        self._next = first
        self._stop = stop
        self._ahead = ahead
        self._pool = ThreadPoolExecutor(threads, "prefetch") if threads else None
        self._made: deque[Future[T]] = deque()
        self._submit(ahead)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        if self._pool is None:
            if self._next >= self._stop:
                raise StopIteration
            self._next += 1
            return self._make(self._next - 1)
        if not self._made:
            raise StopIteration
        value = self._made.popleft().result()
        self._submit(1)
        return value

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._made.clear()

    def _submit(self, count: int) -> None:
        if self._pool is not None:
            for step in range(self._next, min(self._next + count, self._stop)):
                self._made.append(self._pool.submit(self._make, step))
                self._next += 1
