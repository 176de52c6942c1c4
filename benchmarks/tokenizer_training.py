"""Training byte-level BPE: ours, ``tokenizers``' own trainer and rustbpe, each in a process of its own.

    python -m benchmarks.tokenizer_training [--rivals RIVALS/bin/python] [--megabytes 150] [--vocabulary 32768…] PATH…

PATH: Parquet or JSON Lines with ``text`` (`benchmarks.documents`). GPT-2's pattern, pairs that occur at least twice.
CPU seconds are those of all threads, without reading the texts; memory is the process's, with the texts (strings
where the tool wants them). Our file is
compared with that of ``tokenizers`` byte for byte; of rustbpe's tokens (ties are decided differently) those that ours
has, too, are counted. RIVALS has benchmarks/rivals/tokenizer_training.txt.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.documents import documents
from dataprep.tokens.byte_level import token_bytes

SCRIPT = Path(__file__).parent / "rivals" / "train_bpe.py"
ROOT = Path(__file__).parents[1]


def first(texts: Iterator[str], size: int) -> Iterator[str]:
    """The first texts, until ``size`` bytes are reached."""
    found = 0
    for text in texts:
        yield text
        found += len(text.encode())
        if found >= size:
            return


def trained(python: str, tool: str, texts: Path, size: int, out: Path) -> dict[str, float]:
    command = [python, str(SCRIPT), tool, str(texts), str(size), str(out)]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    used: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", help="the Python of an environment with rustbpe")
    parser.add_argument("--megabytes", type=float, default=150)
    parser.add_argument("--vocabulary", type=int, nargs="+", default=[32768])
    parser.add_argument("paths", nargs="+")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = list(first(documents(given.paths), int(given.megabytes * 1e6)))
        print(f"{len(texts):,} documents, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB")
        table = pa.table({"text": pa.array(texts, pa.large_string())})
        with pa.ipc.new_file(folder / "texts.arrow", table.schema) as file:
            file.write_table(table)
        del texts, table
        tools = {"corpusmill": sys.executable, "tokenizers": sys.executable}
        if given.rivals:
            tools["rustbpe"] = given.rivals
        for size in given.vocabulary:
            for tool, python in tools.items():
                used = trained(python, tool, folder / "texts.arrow", size, folder / f"{tool}.out")
                print(f"{size} {tool}: " + ", ".join(f"{key} {value:.1f}" for key, value in used.items()), flush=True)
            ours = (folder / "corpusmill.out").read_bytes()
            same = ours == (folder / "tokenizers.out").read_bytes()
            print(f"{size}: the files of corpusmill and tokenizers are {'the same bytes' if same else 'different'}")
            if given.rivals:
                mine = {token_bytes(token) for token in json.loads(ours)["model"]["vocab"]}
                theirs = [base64.b64decode(line) for line in (folder / "rustbpe.out").read_bytes().split(b"\n")]
                print(f"{size}: of {len(theirs)} tokens of rustbpe, {sum(map(mine.__contains__, theirs))} are in ours")


if __name__ == "__main__":
    main()
