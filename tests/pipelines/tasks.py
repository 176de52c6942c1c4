"""Small tasks that real Beam workers run in the tests: importable, because workers unpickle them by name."""

import os
import signal
import time

import pyarrow as pa
import xxhash

from dataprep import storage
from pipelines.receipts import Receipt


class Write:
    """Writes the split's text to ``<directory>/kept/part-…``, slowly if asked."""

    def __init__(self, directory, seconds=0.0):
        self.directory, self.seconds = directory, seconds

    def __call__(self, split, receipt: Receipt):
        time.sleep(self.seconds)
        text = split.load()["text"]
        storage.write_bytes(storage.join(self.directory, "kept", f"part-{split.name}.txt"), text.encode())
        receipt.tally.take(1, len(text))
        receipt.tally.keep(1, len(text))
        receipt.extra["runs"] = 1
        return {"text": text.upper()}


class Words:
    """Mapper: each word of the split's text to the partition of its hash."""

    def __init__(self, partitions):
        self.partitions = partitions

    def __call__(self, split, receipt):
        words = split.load()["text"].split()
        for partition in range(self.partitions):
            mine = [w for w in words if xxhash.xxh3_64_intdigest(w.encode()) % self.partitions == partition]
            yield partition, pa.RecordBatch.from_pydict({"word": pa.array(mine, pa.string())})


class Count:
    """Reducer: how often each word occurs, sorted, as a file and as the next split's work."""

    def __init__(self, directory):
        self.directory = directory

    def __call__(self, partition, batches, receipt):
        words = sorted(word for batch in batches for word in batch["word"].to_pylist())
        counts = {word: words.count(word) for word in words}
        storage.write_json(storage.join(self.directory, "kept", f"counts-{partition:05d}.json"), counts)
        return {"text": " ".join(counts)}


class KillOnce:
    """Kills the worker it runs in, as the kernel's out-of-memory killer would, unless the flag file exists."""

    def __init__(self, flag):
        self.flag = flag

    def __call__(self, split, receipt):
        if split.index == 1 and not os.path.exists(self.flag):
            storage.write_bytes(self.flag, b"")
            os.kill(os.getpid(), signal.SIGKILL)


class Fail:
    def __call__(self, split, receipt):
        raise ValueError(f"the file of split {split.index} is missing; give its path")
