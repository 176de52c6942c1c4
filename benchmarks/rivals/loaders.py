"""Random windows of the same tokens: ``python loaders.py TOOL FOLDER LENGTH BATCH SECONDS [WORKERS]`` prints JSON.

TOOL: ``memmap`` (nanoGPT's get_batch: one flat uint16 file, int64 tensors), ``datatrove``, ``litdata``, ``mosaic``,
``datasets``. FOLDER holds ``tokens.bin`` (uint16); each tool's own format is written beside it the first time.
WORKERS: of a DataLoader. The consumer takes batches and nothing else. Result: tokens a second of wall and of CPU time,
seconds to the first batch (the imports not counted), peak memory of the largest process in MB.
"""

import json
import os
import resource
import sys
import time

import numpy as np
import torch
from torch.utils.data import DataLoader

EVERY = 2000  # windows in one of litdata's inputs


def memmap(folder, length, batch, workers):
    tokens = np.memmap(f"{folder}/tokens.bin", dtype=np.uint16, mode="r")
    while True:
        starts = torch.randint(len(tokens) - length, (batch,))
        yield torch.stack([torch.from_numpy(tokens[i : i + length].astype(np.int64)) for i in starts.tolist()])


def datatrove(folder, length, batch, workers):
    from datatrove.utils.dataset import DatatroveFolderDataset

    place = f"{folder}/datatrove"
    if not os.path.exists(place):
        os.makedirs(place)
        os.symlink(os.path.abspath(f"{folder}/tokens.bin"), f"{place}/00000.ds")
        count = os.path.getsize(f"{folder}/tokens.bin") // 2
        np.arange(1000, count + 1, 1000, dtype=np.uint64).tofile(f"{place}/00000.ds.index")
    data = DatatroveFolderDataset(place, seq_len=length - 1, token_size=2, shuffle=True, return_positions=False)
    return DataLoader(data, batch_size=batch, num_workers=workers, shuffle=True)


def pieces(place, length, number):
    tokens = np.memmap(f"{place}/tokens.bin", dtype=np.uint16, mode="r")
    for start in range(number * EVERY * length, min(len(tokens), (number + 1) * EVERY * length), length * 100):
        yield torch.from_numpy(np.array(tokens[start : start + length * 100]))


def litdata(folder, length, batch, workers):
    from functools import partial

    import litdata as library
    from litdata.streaming.item_loader import TokensLoader

    place = f"{folder}/litdata"
    if not os.path.exists(place):
        inputs = list(range(os.path.getsize(f"{folder}/tokens.bin") // 2 // length // EVERY))
        library.optimize(
            partial(pieces, folder, length),
            inputs,
            output_dir=place,
            chunk_size=length * 4096,
            item_loader=TokensLoader(block_size=length),
            num_workers=1,
        )
    data = library.StreamingDataset(place, item_loader=TokensLoader(block_size=length), shuffle=True)
    return library.StreamingDataLoader(data, batch_size=batch, num_workers=workers)


def mosaic(folder, length, batch, workers):
    from streaming import MDSWriter, StreamingDataset

    place = f"{folder}/mosaic"
    if not os.path.exists(place):
        tokens = np.memmap(f"{folder}/tokens.bin", dtype=np.uint16, mode="r")
        with MDSWriter(out=place, columns={"tokens": f"ndarray:uint16:{length}"}, size_limit=1 << 26) as writer:
            for start in range(0, len(tokens) - length, length):
                writer.write({"tokens": np.array(tokens[start : start + length])})
    data = StreamingDataset(local=place, shuffle=True, batch_size=batch)
    return DataLoader(data, batch_size=batch, num_workers=workers)


def datasets(folder, length, batch, workers):
    import pyarrow as pa
    from datasets import Dataset, load_from_disk

    place = f"{folder}/datasets"
    if not os.path.exists(place):
        tokens = np.memmap(f"{folder}/tokens.bin", dtype=np.uint16, mode="r")
        count = len(tokens) // length
        rows = pa.FixedSizeListArray.from_arrays(pa.array(tokens[: count * length]), length)
        Dataset(pa.table({"input_ids": rows})).save_to_disk(place, max_shard_size="100MB")
    data = load_from_disk(place).with_format("torch")
    return DataLoader(data, batch_size=batch, num_workers=workers, shuffle=True)


TOOLS = {tool.__name__: tool for tool in (memmap, datatrove, litdata, mosaic, datasets)}


def repeated(make):
    while True:
        yield from make


def main(tool, folder, length, batch, seconds, workers):
    TOOLS[tool](folder, length, batch, workers)  # its format is written and its library imported
    began = time.perf_counter()
    batches = repeated(TOOLS[tool](folder, length, batch, workers))
    next(batches)
    first = time.perf_counter() - began
    end = time.perf_counter() + seconds / 4
    while time.perf_counter() < end:
        next(batches)
    count, began, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() < began + seconds:
        next(batches)
        count += 1
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    used = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    tokens = count * batch * length
    result = {"wall": tokens / wall, "cpu": tokens / cpu, "first": first, "peak_mb": used / 1024}
    print(json.dumps(result), flush=True)
    os._exit(0)  # some leave threads behind


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:5]), float(sys.argv[5]), int((sys.argv[6:] or ["0"])[0]))
