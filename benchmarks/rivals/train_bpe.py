"""One trainer of byte-level BPE over an Arrow file of texts: what it used, and the tokens it made.

    PYTHON train_bpe.py corpusmill|tokenizers|rustbpe TEXTS.arrow VOCABULARY_SIZE OUT

Reading the file, and making Python strings where a tool wants them, is not measured.
OUT: a ``tokenizer.json``, or for rustbpe the tokens in base64, one a line.
"""

import base64
import json
import resource
import sys
import time
from pathlib import Path

import pyarrow as pa

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
EOS = "<|endoftext|>"


def corpusmill(texts: pa.ChunkedArray, size: int) -> tuple[float, float, bytes]:
    from dataprep.tokens.settings import TokenizerSettings
    from dataprep.tokens.train import train_tokenizer

    settings = TokenizerSettings(vocabulary_size=size)
    train_tokenizer(texts.slice(0, 10), settings)  # kernels, once
    start, cpu = time.perf_counter(), used()
    made = train_tokenizer(texts, settings)
    return time.perf_counter() - start, used() - cpu, made


def tokenizers(texts: pa.ChunkedArray, size: int) -> tuple[float, float, bytes]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=[EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    strings = texts.to_pylist()
    start, cpu = time.perf_counter(), used()
    tokenizer.train_from_iterator(strings, trainer)
    return time.perf_counter() - start, used() - cpu, tokenizer.to_str(pretty=True).encode()


def rustbpe(texts: pa.ChunkedArray, size: int) -> tuple[float, float, bytes]:
    import rustbpe

    tokenizer = rustbpe.Tokenizer()
    strings = texts.to_pylist()
    start, cpu = time.perf_counter(), used()
    tokenizer.train_from_iterator(iter(strings), size - 1, pattern=GPT2)  # it has no control token
    wall, cpu = time.perf_counter() - start, used() - cpu
    return wall, cpu, b"\n".join(base64.b64encode(bytes(token)) for token, _ in tokenizer.get_mergeable_ranks())


def used() -> float:
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime + now.ru_stime


def peak_mb() -> float:
    """Of this process alone: getrusage would count what its parent had when it was forked."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    tool, texts, size, out = sys.argv[1:]
    column = pa.ipc.open_file(pa.memory_map(texts)).read_all().column("text")
    wall, cpu, made = {"corpusmill": corpusmill, "tokenizers": tokenizers, "rustbpe": rustbpe}[tool](column, int(size))
    Path(out).write_bytes(made)
    print(json.dumps({"wall": wall, "cpu": cpu, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
