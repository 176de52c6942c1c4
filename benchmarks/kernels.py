"""Where cleaning's time goes: each kernel alone, against a plain read of the bytes. One core, text in memory.

    python -m benchmarks.kernels [--documents 6000] [--seed 1] [--repeat 3] PATH…

MB/s of UTF-8 text, the best of the repetitions; ``spacy-en`` with an empty cache of chunks, too.
"""

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cleaning import batches
from benchmarks.documents import documents
from dataprep.clean.catalogue import make_step
from dataprep.text import chunks
from dataprep.text.repeats import duplicate_spans, repeated_ngrams, top_ngrams
from dataprep.text.sentences import count_sentences
from dataprep.text.view import Text, forget_text

Timed = Callable[[str, Callable[[], Any]], Any]
STEPS = ["language", {"gopher_quality": {"words": "spacy-en"}}, "c4", "unicode", "pii"]


def kernels(text: Text, timed: Timed) -> None:
    timed("read every byte", lambda: int(text.utf8.values.sum(dtype=np.int64)))
    timed("code points", lambda: text.code_points)
    timed("count of '...'", lambda: text.count("..."))
    timed("lines: splitlines", lambda: text.python_lines)
    timed("lines: newlines", lambda: text.newline_lines)
    timed("lines: runs of newlines", lambda: text.newline_run_lines)
    timed("paragraphs", lambda: text.paragraphs)
    timed("words: unicode", lambda: text.words("unicode"))
    timed("words: white-space", lambda: text.words("white-space"))
    words = timed("words: spacy-en", lambda: text.words("spacy-en"))
    timed("sentences, words given", lambda: count_sentences(text.utf8, words))
    timed("duplicate lines", lambda: duplicate_spans(text.utf8, text.newline_run_lines))
    timed("duplicate paragraphs", lambda: duplicate_spans(text.utf8, text.paragraphs))
    timed("most frequent n-grams, n 2 to 4", lambda: top_ngrams(words, (2, 3, 4)))
    timed("repeated n-grams, n 5 to 10", lambda: repeated_ngrams(words, (5, 6, 7, 8, 9, 10)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("paths", nargs="+")
    arguments = parser.parse_args()

    texts = list(documents(arguments.paths))
    random.Random(arguments.seed).shuffle(texts)
    texts = texts[: arguments.documents]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(f"{len(texts):,} documents, {megabytes:.1f} MB of UTF-8")
    given = batches(texts)
    warm = batches(["Some words. And of that the one…\n\nIt is: [1] {x}. a@b.org caf\u00c3\u00a9"] * 20)[0]
    best: dict[str, float] = {}

    def run(repeat: int, batch_list: list[Any], keep: bool = True) -> None:
        spent: dict[str, float] = {}

        def timed(name: str, call: Callable[[], Any]) -> Any:
            start = time.process_time()
            result = call()
            spent[name] = spent.get(name, 0.0) + time.process_time() - start
            return result

        for batch in batch_list:
            kernels(Text(batch.column("text")), timed)
            for entry in STEPS:
                step = make_step(entry)
                forget_text()
                timed(f"step {step.name}, all of it", lambda step=step, batch=batch: step(batch))
        if keep and repeat == 0:
            spent["words: spacy-en, nothing known before"] = spent["words: spacy-en"]
        for name, seconds in spent.items() if keep else ():
            best[name] = min(seconds, best.get(name, seconds))

    run(0, [warm], keep=False)
    chunks.spacy_cache().clear()
    for repeat in range(arguments.repeat):
        run(repeat, given)
    plain = best["read every byte"]
    for name, seconds in best.items():
        print(f"{name:40}{megabytes / seconds:10,.0f} MB/s {seconds / plain:8.1f} reads")


if __name__ == "__main__":
    main()
