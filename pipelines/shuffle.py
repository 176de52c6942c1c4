"""The two ways a stage moves: each split by itself, or splits regrouped by partition.

Decisions:
- *Split in, receipt out*: batches live inside one call of a task; what crosses a Beam edge is a split, a few bytes.
  Beam's local runner keeps everything that crosses an edge in the driver's memory.
- A shuffle is keyed by partition, not by item. With ``kind="files"`` the rows go through Arrow files and Beam groups
  only their names (memory stays flat); with ``kind="beam"`` the rows themselves go through the engine's shuffle, which
  is what a cluster is good at. The reducer is the same and relies on nothing but the rows: it sorts by a full key.
- A task may run twice (a retry, a speculative copy, a resumed run): it writes the same bytes to the same names.
"""

import resource
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, Literal

import apache_beam as beam
import pyarrow as pa
import xxhash

from dataprep import storage
from pipelines.batches import Split
from pipelines.receipts import Receipt, next_split, read_receipt

Task = Callable[[Split, Receipt], Any]
Mapper = Callable[[Split, Receipt], Iterator[tuple[int, pa.RecordBatch]]]
Reducer = Callable[[int, Iterable[pa.RecordBatch], Receipt], Any]
Kind = Literal["files", "beam"]

PART_GROUPS = 256  # at most so many partitions when rows go back to their parts


class Each(beam.PTransform):
    """Run ``task`` on every split: ``PCollection[Split]`` → ``PCollection[Split]`` of what the tasks returned."""

    def __init__(self, phase: str, directory: str, task: Task) -> None:
        super().__init__(phase)
        self.phase, self.directory, self.task = phase, directory, task

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        return pcoll | "run" >> beam.ParDo(_RunTask(self.phase, self.directory, self.task))


class PartitionShuffle(beam.PTransform):
    """Map every split to rows per partition, regroup, reduce each partition once.

    ``PCollection[Split]`` → ``PCollection[Split]``: one split a non-empty partition, its index the partition.
    """

    def __init__(self, phase: str, directory: str, mapper: Mapper, reducer: Reducer, kind: Kind = "files") -> None:
        super().__init__(phase)
        self.phase, self.directory, self.mapper, self.reducer, self.kind = phase, directory, mapper, reducer, kind

    def expand(self, pcoll: beam.PCollection) -> beam.PCollection:
        if self.kind == "files":
            mapped = pcoll | "map" >> beam.ParDo(_MapToFiles(self.phase, self.directory, self.mapper))
            reduce: beam.DoFn = _ReduceFiles(self.phase, self.directory, self.reducer)
        else:
            mapped = pcoll | "map" >> beam.ParDo(_MapToRows(self.phase, self.directory, self.mapper))
            reduce = _ReduceRows(self.phase, self.directory, self.reducer)
        return mapped | "group" >> beam.GroupByKey() | "reduce" >> beam.ParDo(reduce)


def work_directory(directory: str, phase: str) -> str:
    return storage.join(directory, "_work", phase)


def work_file(directory: str, phase: str, index: int) -> str:
    """A file that a task leaves for the next phase."""
    return storage.join(work_directory(directory, phase), f"{index:05d}.arrow")


def group_width(parts: int) -> int:
    """How many neighbouring parts share a partition when rows go back to their parts."""
    return max(1, -(-parts // PART_GROUPS))


class _Phase(beam.DoFn):
    def __init__(self, phase: str, directory: str, function: Callable[..., Any]) -> None:
        self.phase, self.directory, self.function = phase, directory, function
        self.done = beam.metrics.Metrics.counter("corpusmill", f"{phase}.splits")

    def setup(self) -> None:
        # parallelism is one process a core; threads inside would only fight over them
        pa.set_cpu_count(1)
        pa.set_io_thread_count(2)
        # a mapper has a file open for every partition, more than the 1,024 that most systems begin with
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        with suppress(ValueError):  # macOS may say unlimited and not mean it
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def receipt(self, split: Split) -> Receipt:
        return Receipt(self.directory, self.phase, split.index, split.size, _given(split))

    def earlier(self, split: Split) -> dict[str, Any] | None:
        return read_receipt(self.directory, self.phase, split.index, _given(split))


class _RunTask(_Phase):
    def process(self, split: Split) -> Iterable[Split]:
        value = self.earlier(split)
        if value is None:
            receipt = self.receipt(split)
            value = receipt.commit(self.function(split, receipt))
            self.done.inc()
        yield next_split(value)


class _MapToFiles(_Phase):
    def process(self, split: Split) -> Iterable[tuple[int, str]]:
        value = self.earlier(split)
        if value is None or value["partitions"] is None:
            receipt = self.receipt(split)
            value = receipt.commit(None, self._write(split, receipt))
            self.done.inc()
        for partition in value["partitions"]:
            yield partition, split.name

    def _write(self, split: Split, receipt: Receipt) -> list[int]:
        writers: dict[int, pa.ipc.RecordBatchFileWriter] = {}
        with ExitStack() as files:
            for partition, batch in self.function(split, receipt):
                if batch.num_rows == 0:
                    continue
                if partition not in writers:
                    path = _partition_file(self.directory, self.phase, int(partition), split.name)
                    sink = files.enter_context(storage.open_atomic(path))
                    writers[int(partition)] = files.enter_context(pa.ipc.new_file(sink, batch.schema))
                writers[int(partition)].write_batch(batch)
        return sorted(writers)


class _MapToRows(_Phase):
    def process(self, split: Split) -> Iterable[tuple[int, pa.RecordBatch]]:
        # the rows live in the engine, so no receipt can stand for them: the mapper always runs
        receipt = self.receipt(split)
        for partition, batch in self.function(split, receipt):
            if batch.num_rows:
                yield int(partition), batch
        receipt.commit(None, None)
        self.done.inc()


class _ReduceFiles(_Phase):
    def process(self, group: tuple[int, Iterable[str]]) -> Iterable[Split]:
        partition, names = group
        paths = (_partition_file(self.directory, self.phase, partition, name) for name in sorted(set(names)))
        yield _reduce(self, partition, (batch for path in paths for batch in _read(path)))


class _ReduceRows(_Phase):
    def process(self, group: tuple[int, Iterable[pa.RecordBatch]]) -> Iterable[Split]:
        partition, batches = group
        yield _reduce(self, partition, iter(batches))


def _reduce(phase: _Phase, partition: int, batches: Iterator[pa.RecordBatch]) -> Split:
    name = f"{phase.phase}.reduce"
    value = read_receipt(phase.directory, name, partition)
    if value is None:
        receipt = Receipt(phase.directory, name, partition, 0)

        def counted() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                receipt.size += batch.nbytes
                yield batch

        value = receipt.commit(phase.function(partition, counted(), receipt))
        phase.done.inc()
    return next_split(value)


def _given(split: Split) -> str:
    return xxhash.xxh3_128_hexdigest(split.work.encode())


def _partition_file(directory: str, phase: str, partition: int, split: str) -> str:
    return storage.join(work_directory(directory, phase), f"p={partition:05d}", f"{split}.arrow")


def _read(path: str) -> Iterator[pa.RecordBatch]:
    reader = storage.open_arrow(path)
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)
