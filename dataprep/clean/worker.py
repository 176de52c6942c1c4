"""The child process: batches in, what the steps made of them out. Started by ``dataprep.clean.sandbox``.

A request is one batch, an answer one batch of what is new in it: the columns that a step added or changed, or all of
them where rows are missing. Before each call of a step its name and its limit are reported.

Decisions:
- A call may take the limit of one document and ``SECONDS_PER_BYTE`` for its text: steps take linear time, so a batch of
  innocent documents ends in time whatever its size.
- Every step runs once before the first request, without a limit: what it loads and compiles is no document's cost.
- A document that makes a library panic past ``except Exception`` is the document's fault, as if it had crashed.
"""

import errno
import sys
import traceback
from typing import Any

import pyarrow as pa

from dataprep.child.inside import Inside, cpu_limit
from dataprep.clean.catalogue import make_step
from dataprep.document import BatchBuilder
from dataprep.parts import QUARANTINE_SCHEMA
from dataprep.steps import Step, isolate_raising
from dataprep.text.view import forget_text

SECONDS_PER_BYTE = 5e-6  # 0.2 MB/s: what Gopher's and FineWeb's signals together take in plain Python
WARM_UP_SECONDS = 60.0
WARM_UP_TEXT = "The first line of 2 lines.\nThe second “line” is not ASCII.\n"


def main() -> None:
    child = Inside()
    settings = child.settings
    sys.path += [folder for folder in settings["path"] if folder not in sys.path]  # where a step of one's own lies
    steps = [make_step(entry) for entry in settings["steps"]]
    _warm_up(child, steps)

    def call(step: Step, batch: pa.RecordBatch) -> pa.RecordBatch:
        seconds = settings["document_seconds"] + batch.column("text").nbytes * SECONDS_PER_BYTE
        child.report(step.name, seconds)
        with cpu_limit(seconds):
            return step(batch)

    for _, data in child.requests():
        batch = pa.ipc.open_stream(data).read_next_batch()
        try:
            result, bad = isolate_raising(steps, batch, call)
            new = _new_columns(batch, result)
            values = {
                "columns": result.schema.names,
                "bad": [{name: getattr(row, name) for name in QUARANTINE_SCHEMA.names} for row in bad],
            }
            child.answer(values, encode(new))
        except Exception as error:
            if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
                memory = settings["memory"]
                child.answer({"ended": "memory_limit", "error": f"more than {memory} bytes of address space"})
            else:
                says = str(error) if isinstance(error, RuntimeError) else f"step {child.doing}: {_named(error)}"
                child.answer({"raised": says, "trace": traceback.format_exc()})
        except BaseException as error:
            child.answer({"ended": type(error).__name__, "error": _named(error)})
        forget_text()


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


def encode(batch: pa.RecordBatch) -> pa.Buffer:
    """An Arrow IPC stream of one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def _warm_up(child: Inside, steps: list[Step]) -> None:
    builder = BatchBuilder("warm-up")
    builder.add(WARM_UP_TEXT, "0")

    def call(step: Step, batch: pa.RecordBatch) -> pa.RecordBatch:
        child.report(step.name, WARM_UP_SECONDS)
        return step(batch)

    isolate_raising(steps, builder.finish(), call)
    forget_text()


def _new_columns(batch: pa.RecordBatch, result: pa.RecordBatch) -> pa.RecordBatch:
    if result.num_rows < batch.num_rows:
        return result
    known: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
    return result.select([n for n in result.schema.names if n not in known or not result[n].equals(known[n])])


if __name__ == "__main__":
    main()
