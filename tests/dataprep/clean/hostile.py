"""Steps that misbehave on demand; they run in the real child process, by name."""

import os
import signal
import sys
import time
from typing import ClassVar

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dataprep.steps import Step, with_columns

calls = []


@numba.njit(nogil=True, cache=True)
def spin(forever):
    """Machine code that never returns to the interpreter."""
    state = np.uint64(1)
    while forever and state != 0:
        state = state * np.uint64(6364136223846793005) + np.uint64(1)
    return state


class Hostile(Step):
    """Does what the words of a text say."""

    name: ClassVar[str] = "hostile"

    @property
    def columns(self):
        return pa.schema([("hostile.length", pa.int64())])

    def __call__(self, batch):
        texts = batch["text"].to_pylist()
        calls.append(len(texts))
        spin(any("COMPILED" in text for text in texts))
        for text in texts:
            misbehave(text)
        if "LOSE" in texts:
            return batch.slice(1)
        return with_columns(batch, self.columns, {"hostile.length": [len(text) for text in texts]})


class Shout(Step):
    """An editor that comes after: upper case where the text asks for it."""

    name: ClassVar[str] = "shout"

    @property
    def columns(self):
        return pa.schema([("shout.changed", pa.bool_())])

    def __call__(self, batch):
        changed = pc.match_substring(batch["text"], "shout")
        text = pc.if_else(changed, pc.utf8_upper(batch["text"]), batch["text"])
        batch = batch.set_column(batch.schema.get_field_index("text"), batch.schema.field("text"), text)
        return with_columns(batch, self.columns, {"shout.changed": changed})


class Needy(Step):
    """Needs a library that is not there."""

    name: ClassVar[str] = "needy"

    @property
    def columns(self):
        return pa.schema([])

    def __call__(self, batch):
        import no_such_library  # noqa: F401


def misbehave(text):
    if "SPIN" in text:
        while True:
            pass
    if "SLEEP" in text:
        time.sleep(3600)
    if "GROW" in text:
        hoard = []
        while True:
            hoard.append(np.empty(64 << 20, np.uint8))
    if "ABORT" in text:
        os.abort()
    if "EXIT" in text:
        sys.exit("no way\nout")
    if "RAISE" in text:
        raise ValueError("cannot parse\nthis")
    if "DISK" in text:
        raise OSError("disk full")
    if "PRINT" in text:
        print("noise" * 1000, flush=True)
    if "WORN" in text and len(calls) > 2:  # the first call is the one that warms up
        os.abort()
    if "OUT OF MEMORY" in text:
        os.kill(os.getpid(), signal.SIGKILL)
