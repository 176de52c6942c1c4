"""Ranges of files on a store, patiently: a slow or failing answer is asked for again, then reported with its URL."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import fsspec
from fsspec.asyn import AsyncFileSystem, sync


class StoreError(OSError):
    """A store that did not give what was asked for; one line that begins with the URL."""


@dataclass(frozen=True)
class Patience:
    """How often an answer is asked for, seconds to wait before the second time (then twice as long, and so on), and
    seconds an answer may take (where the store's driver can be interrupted: s3, gs, http).
    """

    attempts: int = 6
    first_wait: float = 0.5
    timeout: float = 60.0


PATIENT = Patience()


class Store:
    """A folder of files at ``url``, for any scheme fsspec knows. May be used from several threads."""

    def __init__(self, url: str, patience: Patience = PATIENT) -> None:
        self.url = url.rstrip("/")
        self._patience = patience
        self._fs, self._root = fsspec.url_to_fs(self.url)

    def read(self, path: str, start: int, stop: int, good: Callable[[bytes], bool]) -> bytes | None:
        """Bytes ``start`` … ``stop`` - 1 of a file, fewer where it ends; None when every answer was whole but not
        ``good``, so that it is the file that is wrong.

        Raises ``StoreError`` at once for what is missing or forbidden, after all attempts for the rest.
        """
        began = time.monotonic()
        wait = self._patience.first_wait
        reason = ""
        for attempt in range(self._patience.attempts):
            if attempt:
                time.sleep(wait)
                wait *= 2
            try:
                data = self._get(f"{self._root}/{path}", start, stop)
            except (FileNotFoundError, PermissionError) as error:
                kind = "missing" if isinstance(error, FileNotFoundError) else "not allowed to read it"
                raise StoreError(f"{self.url}/{path}: {kind}") from None
            except Exception as error:  # every driver has its own, and none of them is ours
                reason = f"{type(error).__name__} {' '.join(str(error).split())}".strip()
                continue
            if len(data) > stop - start:
                raise StoreError(f"{self.url}/{path}: the store gives whole files, ranges of them are needed")
            if good(data):
                return data
            reason = ""
        if not reason:
            return None
        seconds = time.monotonic() - began
        attempts = self._patience.attempts
        raise StoreError(f"{self.url}/{path}: not read after {attempts} attempts in {seconds:.0f} s: {reason}")

    def _get(self, path: str, start: int, stop: int) -> bytes:
        if isinstance(self._fs, AsyncFileSystem):
            return sync(self._fs.loop, self._fs._cat_file, path, start=start, end=stop, timeout=self._patience.timeout)
        return self._fs.cat_file(path, start=start, end=stop)
