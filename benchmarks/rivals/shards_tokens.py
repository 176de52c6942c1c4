"""datatrove's tokenizer and merger: ``python shards_tokens.py INPUT_FOLDER TOKENIZER.json OUT RESULT.json``.

INPUT_FOLDER has Parquet files with ``id`` and ``text``. Documents are shuffled within each file and by the merger.
RESULT has CPU and wall seconds of the two, imports not counted, the process's peak memory, and the bytes written.
"""

import importlib.metadata  # noqa: F401  (datatrove uses it without importing it)
import json
import os
import sys
import time
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.tokens import DocumentTokenizer, DocumentTokenizerMerger

os.environ["TOKENIZERS_PARALLELISM"] = "false"  # as every worker has it where there are as many as cores


def run(out, name, *steps, tasks=1):
    LocalPipelineExecutor(list(steps), tasks=tasks, workers=1, logging_dir=f"{out}/logs/{name}").run()


def main(given, tokenizer, out, result):
    files = len(list(Path(given).glob("*.parquet")))
    wall, cpu = time.perf_counter(), time.process_time()
    encode = DocumentTokenizer(f"{out}/tokens", tokenizer, eos_token="<|endoftext|>", seed=1)
    run(out, "tokens", ParquetReader(given), encode, tasks=files)
    run(out, "merged", DocumentTokenizerMerger(f"{out}/tokens", f"{out}/merged", save_filename="all", seed=1))
    used = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    merged = [path.stat().st_size for path in Path(out, "merged").glob("*")]
    tokens = sum(path.stat().st_size for path in Path(out, "merged").glob("*.ds")) // 2
    status = Path("/proc/self/status").read_text()  # getrusage would count the memory of the process that started it
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    shown = used | {"peak_mb": peak, "tokens": tokens, "bytes": sum(merged)}
    Path(result).write_text(json.dumps(shown), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
