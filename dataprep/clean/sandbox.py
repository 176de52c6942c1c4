"""Steps in a child process: a document that makes one spin, crash or grow costs itself and no other.

Decisions:
- Steps see whole batches, so a document is found by cutting: a batch that ended its child is sent again in
  ``PIECES`` pieces, the piece that ends the next child in as many, down to one document. Pieces are answered one by
  one, so each costs one child, and a document in a batch of 4,096 costs three.
- A verdict is passed on a document alone: ``time_limit`` on one that used up its own limit as a batch of one;
  ``memory_limit`` and ``crash`` on one that did it again in a new child (see `dataprep.child`).
- What says nothing about a document ends the run, as it does in `dataprep.steps.apply_steps`.
"""

import sys
from collections import deque

import pyarrow as pa

from dataprep.child.parent import Answer, Child, Ended
from dataprep.clean.catalogue import dump_step
from dataprep.clean.settings import CleanSettings
from dataprep.clean.worker import encode
from dataprep.parts import Quarantined
from dataprep.steps import check_not_broken, quarantine_row

PIECES = 64


class Sandbox(Child):
    """A child process that runs the steps of ``clean``. Not for several threads at once."""

    def __init__(self, clean: CleanSettings) -> None:
        self.steps = clean.resolved_steps()
        self.seconds = clean.document_seconds
        super().__init__(
            "dataprep.clean.worker",
            {
                "steps": [dump_step(step) for step in self.steps],
                "document_seconds": clean.document_seconds,
                "memory": clean.memory,
                "path": list(sys.path),
            },
            called="cleaning process",
            memory_field="clean.memory",
        )

    def apply(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Quarantined]]:
        """What ``apply_steps`` returns, with rows too for documents that end the process that runs the steps.

        Their ``reason`` is time_limit, memory_limit, crash, or the name of an exception that is no ``Exception``.
        Raises ``RuntimeError`` if no child starts, if the machine has too little memory, or for what is a step's fault.
        """
        survivors: list[pa.RecordBatch] = []
        bad: list[Quarantined] = []
        waiting = deque([batch] if batch.num_rows else [])
        killers = 0
        while waiting:
            for answer in self.ask([({}, encode(piece)) for piece in waiting], self.seconds):
                piece = waiting.popleft()
                if isinstance(answer, Ended) and piece.num_rows > 1:
                    waiting.extendleft(reversed(_cut(piece)))
                    continue
                if isinstance(answer, Ended) and answer.doubtful:
                    what = f"one document of {len(piece['text'][0].as_buffer())} bytes"
                    answer = self.ask_alone(({}, encode(piece)), self.seconds, what)
                if isinstance(answer, Ended):
                    killers += 1
                    bad.append(quarantine_row(piece, answer.doing or "clean", answer.reason, answer.error))
                else:
                    result, rows = _read(piece, answer)
                    bad += rows
                    if result.num_rows:
                        survivors.append(result)
            # where each document costs seconds, a step that fails for all of the first ones is not tried on the others
            if not waiting or len(bad) == killers:
                check_not_broken(self.steps, len(survivors), bad)
        return pa.concat_batches(survivors) if survivors else batch.slice(0, 0), bad


def _cut(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    rows = -(-batch.num_rows // PIECES)
    return [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]


def _read(piece: pa.RecordBatch, answer: Answer) -> tuple[pa.RecordBatch, list[Quarantined]]:
    values, data = answer
    if "raised" in values:
        raise RuntimeError(values["raised"]) from RuntimeError(values["trace"])
    new = pa.ipc.open_stream(data).read_next_batch()
    arrays, fields = [], []
    for name in values["columns"]:
        source = new if name in new.schema.names else piece
        arrays.append(source[name])
        fields.append(source.schema.field(name))
    rows = [Quarantined(**row) for row in values["bad"]]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)), rows
