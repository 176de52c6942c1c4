"""The step protocol, and the isolation that keeps one bad document from stopping a run.

A step is ``step(batch) -> batch``, and it is its own settings: a frozen pydantic model whose fields are what a recipe
may say about it, so nothing stands between a value in a recipe and its use. It is picklable and cheap to construct; its
heavy resources are loaded lazily, once per process (``functools.cache`` at module level). Two kinds share the protocol:
signals add columns named ``family.signal`` and change nothing else; editors change ``text`` and add columns that say
what they did. A step returns the rows it was given, in their order.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from dataprep.parts import Quarantined
from dataprep.settings import Settings

# a step that can do nothing with this many documents in a row is broken itself, not they
BROKEN_STEP_ROWS = 16


class Step(Settings):
    """One signal or editor. ``name`` is what recipes call it."""

    name: ClassVar[str]
    edits: ClassVar[bool] = False  # whether it changes ``text``, and so what the steps after it measure
    schema: ClassVar[pa.Schema]  # of the columns, where they do not depend on the settings

    @property
    def columns(self) -> pa.Schema:
        """Exactly the columns that a call adds, ``family.signal`` each, whatever the batch."""
        return self.schema

    @property
    def role(self) -> str:
        """What tells it from others of its class: a class runs once in a recipe, or once in each role."""
        return ""

    @property
    def called(self) -> str:
        """What quarantine rows and errors call it: ``classifier as edu`` is not ``classifier as score``."""
        return f"{self.name} as {self.role}" if self.role else self.name

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        raise NotImplementedError

    def depends_on(self) -> dict[str, Any]:
        """What else decides the output, as JSON: hashes of model and list files, versions of libraries."""
        return {}


Call = Callable[[Step, pa.RecordBatch], pa.RecordBatch]


def with_columns(batch: pa.RecordBatch, columns: pa.Schema, values: Mapping[str, Any]) -> pa.RecordBatch:
    """``batch`` with ``columns`` added in their order; a column it already has is replaced in its place."""
    for field in columns:
        array = pa.array(values[field.name], field.type)
        index = batch.schema.get_field_index(field.name)
        batch = batch.append_column(field, array) if index < 0 else batch.set_column(index, field, array)
    return batch


def apply_steps(steps: Sequence[Step], batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Quarantined]]:
    """Run ``steps`` over ``batch``; rows that make a step raise are found by bisection and returned as quarantine rows.

    Returns the surviving rows in their order. A batch of n rows with one bad row costs about 2 log2(n) further calls.
    What is the machine's fault (``OSError``, ``MemoryError``, ``ImportError``) is raised as it is; a step that fails
    for each of ``BROKEN_STEP_ROWS`` or more documents raises ``RuntimeError``: neither says anything about a document.
    A step that never returns or takes the process with it is stopped by `dataprep.clean.sandbox`, not here.
    """
    result, bad = isolate_raising(steps, batch)
    check_not_broken(steps, result.num_rows, bad)
    return result, bad


def isolate_raising(
    steps: Sequence[Step],
    batch: pa.RecordBatch,
    call: Call = operator.call,
) -> tuple[pa.RecordBatch, list[Quarantined]]:
    """``apply_steps`` to a piece of a batch, which does not show whether a step is broken; ``call`` calls a step."""
    bad: list[Quarantined] = []
    for step in steps:
        batch = _isolated(step, batch, bad, call)
        if batch.num_rows == 0:
            # the columns of the remaining steps are missing, and nothing is left to carry them
            break
    return batch, bad


def check_not_broken(steps: Sequence[Step], survivors: int, bad: Sequence[Quarantined]) -> None:
    """Raise ``RuntimeError`` if the last of the steps that ran failed for all documents that came to it, and many."""
    if survivors or not bad:
        return
    order = {step.called: position for position, step in enumerate(steps)}
    last = max((row.step for row in bad), key=lambda called: order.get(called, -1))
    failed = [row for row in bad if row.step == last]
    if len(failed) >= BROKEN_STEP_ROWS:
        raise RuntimeError(f"step {last} fails for all of {len(failed)} documents: {failed[0].error}")


def quarantine_row(batch: pa.RecordBatch, step: str, reason: str, error: str) -> Quarantined:
    """The row for the one document of ``batch``."""
    row = batch.select(["source", "locator", "url"]).to_pylist()[0]
    return Quarantined(row["source"], row["locator"], step, reason, error, row["url"])


def one_line(error: BaseException) -> str:
    """What an error says, as a quarantine row can hold it."""
    message = " ".join(str(error).split())[:500] or type(error).__name__
    return message.encode(errors="replace").decode()  # a lone surrogate fits in no file


def _isolated(step: Step, batch: pa.RecordBatch, bad: list[Quarantined], call: Call) -> pa.RecordBatch:
    if batch.num_rows == 0:
        return batch
    try:
        result = call(step, batch)
    except (OSError, MemoryError, ImportError):
        raise
    except Exception as error:
        if batch.num_rows == 1:
            bad.append(quarantine_row(batch, step.called, type(error).__name__, one_line(error)))
            return batch.slice(0, 0)
        middle = batch.num_rows // 2
        halves = [_isolated(step, half, bad, call) for half in (batch.slice(0, middle), batch.slice(middle))]
        whole = [half for half in halves if half.num_rows]
        return pa.concat_batches(whole) if whole else batch.slice(0, 0)
    if result.num_rows != batch.num_rows:
        raise RuntimeError(f"step {step.called} returned {result.num_rows} rows for {batch.num_rows}")
    return result
