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
from dataprep.steps import Call, Step, isolate_raising, one_line
from dataprep.text.view import forget_text

SECONDS_PER_BYTE = 5e-6  # 0.2 MB/s: what Gopher's and FineWeb's signals together take in plain Python
WARM_UP_SECONDS = 60.0
# something of what makes steps take another road: kernels are compiled where they are first called
WARM_UP_TEXT = (
    "The first line of 6 lines… {is} ASCII, nearly.\n- “日本語” Straße 😀 lorem ipsum\n\n"
    "The same line.\nThe same line.\n"
    "Write to someone@example.org or +49 30 901820, see https://example.org/a?b=1 and 192.0.2.1, 2001:db8::1.\n"
)


def main() -> None:
    child = Inside()
    settings = child.settings
    sys.path += [folder for folder in settings["path"] if folder not in sys.path]  # where a step of one's own lies
    steps = [make_step(entry) for entry in settings["steps"]]
    _warm_up(child, steps)

    def call(step: Step, batch: pa.RecordBatch) -> pa.RecordBatch:
        seconds = settings["document_seconds"] + batch.column("text").nbytes * SECONDS_PER_BYTE
        child.report(step.called, seconds)
        with cpu_limit(seconds):
            return step(batch)

    for _, data in child.requests():
        answer, new = _answer(child, steps, call, data)
        child.answer(answer, new)
        forget_text()


def _answer(child: Inside, steps: list[Step], call: Call, data: bytes) -> tuple[dict[str, Any], Any]:
    batch = pa.ipc.open_stream(data).read_next_batch()
    try:
        result, bad = isolate_raising(steps, batch, call)
        rows = [{name: getattr(row, name) for name in QUARANTINE_SCHEMA.names} for row in bad]
        return {"columns": result.schema.names, "bad": rows}, encode(_new_columns(batch, result))
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
            memory = child.settings["memory"]
            return {"ended": "memory_limit", "error": f"more than {memory} bytes of address space"}, b""
        named = f"step {child.doing}: {type(error).__name__}: {one_line(error)}"
        raised = str(error) if isinstance(error, RuntimeError) else named
        return {"raised": raised, "trace": traceback.format_exc()}, b""
    except BaseException as error:
        return {"ended": type(error).__name__, "error": one_line(error)}, b""


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
        child.report(step.called, WARM_UP_SECONDS)
        return step(batch)

    # the road that every batch comes: read-only buffers are another type to numba
    batch = pa.ipc.open_stream(encode(builder.finish()).to_pybytes()).read_next_batch()
    isolate_raising(steps, batch, call)
    forget_text()


def _new_columns(batch: pa.RecordBatch, result: pa.RecordBatch) -> pa.RecordBatch:
    if result.num_rows < batch.num_rows:
        return result
    known: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
    return result.select([n for n in result.schema.names if n not in known or not result[n].equals(known[n])])


if __name__ == "__main__":
    main()
