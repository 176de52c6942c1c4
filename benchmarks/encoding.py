"""Encoding against its rivals: MB of text per CPU second, Arrow to Arrow, one core, and whose ids are the same.

    RAYON_NUM_THREADS=1 python -m benchmarks.encoding --rivals RIVALS/bin/python TOKENIZER.json… --corpus NAME=PATH…
        [--megabytes 20] [--rounds 3]

Every corpus goes through every tool, first with a tokenizer just loaded (cold), then again (warm); of several rounds,
in which tools take turns, the median counts. From a string column in batches of 1,024 documents to one buffer of ids
and one of offsets; ours also closes documents with EOS. ``tokenizers`` is measured on the first 2 MB and checked on
all. PATH: as in `benchmarks.documents`. RIVALS has benchmarks/rivals/encoding.txt.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather

from benchmarks.documents import documents
from dataprep.tokens.encode import Encoder

BATCH = 1_024
SLOW_MEGABYTES = 2
EOS = "<|endoftext|>"
SCRIPT = Path(__file__).parent / "rivals" / "encoding.py"


def texts_of(paths: list[str], megabytes: float) -> pa.Array:
    found, size = [], 0
    for text in documents(paths):
        found.append(text)
        size += len(text.encode())
        if size >= megabytes * 1e6:
            break
    return pa.array(found, pa.large_string())


def megabytes_of(texts: pa.Array) -> float:
    return sum(len(text.encode()) for text in texts.to_pylist()) / 1e6


def seconds(encode: Callable[[pa.Array], Any], texts: pa.Array) -> float:
    start = time.process_time()
    for row in range(0, len(texts), BATCH):
        encode(texts.slice(row, BATCH))
    return time.process_time() - start


def ours(file: Path, texts: pa.Array) -> dict[str, float]:
    encoder = Encoder(file.read_bytes(), EOS)
    if encoder.note is not None:
        raise SystemExit(encoder.note)
    encoder.encode(pa.array([""], pa.large_string()))  # compiles
    return {"cold": seconds(encoder.encode, texts), "warm": seconds(encoder.encode, texts)}


def true_ids(file: Path, texts: pa.Array) -> tuple[float, list[list[int]]]:
    """CPU seconds for a megabyte, and the ids of every document."""
    encoder = Encoder(file.read_bytes(), EOS)
    encoder.fast = None
    borders = np.cumsum([len(text.encode()) for text in texts.to_pylist()])
    some = texts.slice(0, int(np.searchsorted(borders, SLOW_MEGABYTES * 1e6)) + 1)
    used = seconds(encoder.encode, some) / megabytes_of(some)
    ids, offsets = encoder.encode(texts)
    return used, [ids[start : stop - 1].tolist() for start, stop in pairwise(offsets)]


def our_differences(file: Path, texts: pa.Array, expected: list[list[int]]) -> int:
    ids, offsets = Encoder(file.read_bytes(), EOS).encode(texts)
    return sum(
        ids[start : stop - 1].tolist() != true for (start, stop), true in zip(pairwise(offsets), expected, strict=True)
    )


def rival(python: str, tool: str, file: Path, texts: Path, ids: Path) -> dict[str, Any]:
    command = [python, str(SCRIPT), tool, str(file), str(texts), str(ids)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("tokenizers", nargs="+", type=Path)
    parser.add_argument("--rivals", required=True)
    parser.add_argument("--corpus", action="append", required=True)
    parser.add_argument("--megabytes", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print("| vocabulary | text | tool | cold | warm | × tokenizers | documents that differ |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for file in given.tokenizers:
        for corpus in given.corpus:
            name, path = corpus.split("=", 1)
            compare(file, name, texts_of([path], given.megabytes), given.rivals, given.rounds)


def compare(file: Path, name: str, texts: pa.Array, python: str, rounds: int) -> None:
    size = megabytes_of(texts)
    slow, expected = true_ids(file, texts)
    differ = {"corpusmill": our_differences(file, texts, expected)}
    used: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        column, ids = Path(folder) / "texts.arrow", Path(folder) / "ids.json"
        feather.write_feather(pa.table({"text": texts}), column, compression="uncompressed")
        ids.write_text(json.dumps(expected), encoding="utf-8")
        for _ in range(rounds):
            used.setdefault("corpusmill", []).append(ours(file, texts))
            for tool in ("fastokens", "tiktoken", "kitoken"):
                found = rival(python, tool, file, column, ids)
                used.setdefault(tool, []).append(found)
                differ[tool] = found["differ"]
    for tool, times in used.items():
        cold, warm = (size / statistics.median(one[kind] for one in times) for kind in ("cold", "warm"))
        print(f"| {file.stem} | {name} | {tool} | {cold:.0f} | {warm:.0f} | {cold * slow:.0f} | {differ[tool]} |")
    print(f"| {file.stem} | {name} | tokenizers | {1 / slow:.1f} | | 1 | (of {len(texts)}) |", flush=True)


if __name__ == "__main__":
    main()
