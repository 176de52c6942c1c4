"""The step protocol, and the isolation that keeps one bad document from stopping a run.

A step is ``step(batch) -> batch``, and it is its own settings: a frozen pydantic model whose fields are what a recipe
may say about it, so nothing stands between a value in a recipe and its use. It is picklable and cheap to construct; its
heavy resources are loaded lazily, once per process (``functools.cache`` at module level). Two kinds share the protocol:
signals add columns named ``family.signal`` and change nothing else; editors change ``text`` and add columns that say
what they did. A step returns the rows it was given, in their order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from dataprep.parts import Quarantined
from dataprep.settings import Settings

# a step that can do nothing with this many documents in a row is broken itself, not they
BROKEN_STEP_ROWS = 16


class Step(Settings):
    """One signal or editor. ``name`` is what recipes call it, and what quarantine rows and progress show."""

    name: ClassVar[str]
    edits: ClassVar[bool] = False  # whether it changes ``text``, and so what the steps after it measure

    @property
    def columns(self) -> pa.Schema:
        """Exactly the columns that a call adds, ``family.signal`` each, whatever the batch."""
        raise NotImplementedError

    @property
    def role(self) -> str:
        """What tells it from others of its class: a class runs once in a recipe, or once in each role."""
        return ""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        raise NotImplementedError

    def depends_on(self) -> dict[str, Any]:
        """What else decides the output, as JSON: hashes of model and list files, versions of libraries."""
        return {}


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
    """
    bad: list[Quarantined] = []
    for step in steps:
        before, known = batch.num_rows, len(bad)
        batch = _isolated(step, batch, bad)
        if before >= BROKEN_STEP_ROWS and batch.num_rows == 0:
            raise RuntimeError(f"step {step.name} fails for all of {before} documents: {bad[known].error}")
        if batch.num_rows == 0:
            # the columns of the remaining steps are missing, and nothing is left to carry them
            break
    return batch, bad


def _isolated(step: Step, batch: pa.RecordBatch, bad: list[Quarantined]) -> pa.RecordBatch:
    if batch.num_rows == 0:
        return batch
    try:
        result = step(batch)
    except (OSError, MemoryError, ImportError):
        raise
    except Exception as error:
        if batch.num_rows == 1:
            bad.append(_row(step, batch, error))
            return batch.slice(0, 0)
        middle = batch.num_rows // 2
        halves = [_isolated(step, batch.slice(0, middle), bad), _isolated(step, batch.slice(middle), bad)]
        whole = [half for half in halves if half.num_rows]
        return pa.concat_batches(whole) if whole else batch.slice(0, 0)
    if result.num_rows != batch.num_rows:
        raise RuntimeError(f"step {step.name} returned {result.num_rows} rows for {batch.num_rows}")
    return result


def _row(step: Step, batch: pa.RecordBatch, error: Exception) -> Quarantined:
    row = batch.select(["source", "locator", "url"]).to_pylist()[0]
    message = " ".join(str(error).split())[:500] or type(error).__name__
    return Quarantined(row["source"], row["locator"], step.name, type(error).__name__, message, row["url"])
