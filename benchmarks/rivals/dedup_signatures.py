"""MinHash signatures of documents in memory: ``python dedup_signatures.py DOCUMENTS.jsonl RESULT.json PERMUTATIONS…``.

RESULT: CPU seconds of each tool for each number of permutations, all with 5-word shingles. datatrove takes its own
words and, as it counts, multiples of eight. text-dedup is its ``embed_func``; rensa and datasketch get the shingles of
``re.findall(r"\\w+", text.lower())``, as sets of strings or bytes, whose making is part of the time.
"""

import importlib.metadata  # noqa: F401  (datatrove uses it without importing it)
import json
import re
import sys
import time

import numpy as np
import xxhash

SHINGLE = 5
WORD = re.compile(r"\w+")


def shingles(text):
    words = WORD.findall(text.lower())
    return {" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1)}


def low_half(data):
    return xxhash.xxh3_64_intdigest(data) & 0xFFFFFFFF


def datasketch(permutations):
    from datasketch import MinHash

    def sign(text):
        sketch = MinHash(permutations, 1, hashfunc=low_half, scheme="affine32")
        sketch.update_batch([one.encode() for one in shingles(text)])

    return sign


def rensa(kind):
    def make(permutations):
        import rensa as library

        def sign(text):
            sketch = getattr(library, kind)(permutations, 1)
            sketch.update(list(shingles(text)))
            sketch.digest()

        return sign

    return make


def text_dedup(permutations):
    from text_dedup.minhash import embed_func
    from text_dedup.utils import xxh3_32hash

    prime, largest = np.uint64((1 << 61) - 1), np.uint64((1 << 32) - 1)
    draw = np.random.RandomState(42)
    chosen = tuple(draw.randint(low, prime, dtype=np.uint64, size=permutations) for low in (1, 0))
    bands = [(i, i + 8) for i in range(0, permutations, 8)]

    def sign(text):
        embed_func(
            text,
            0,
            num_perm=permutations,
            ngram_size=SHINGLE,
            min_length=SHINGLE,
            hashranges=bands,
            permutations=chosen,
            hash_func=xxh3_32hash,
            dtype=np.uint64,
            max_hash=largest,
            modulo_prime=prime,
        )

    return sign


def datatrove(permutations):
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig

    stage = MinhashDedupSignature("/nonexistent", MinhashConfig(SHINGLE, permutations // 8, 8))

    def sign(text):
        found = stage.get_shingles(text)
        if found.size:
            stage.get_signature(found)

    return sign


TOOLS = {
    "datasketch": datasketch,
    "rensa R-MinHash": rensa("RMinHash"),
    "rensa C-MinHash": rensa("CMinHash"),
    "text-dedup": text_dedup,
    "datatrove": datatrove,
}
SHARE = {"datatrove": 8}  # of the documents only every 8th, because it takes minutes for a megabyte


def main(documents, result, counts):
    with open(documents, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    found = {}
    for name, make in TOOLS.items():
        part = texts[:: SHARE.get(name, 1)]
        size = sum(len(text.encode()) for text in part)
        for count in map(int, counts):
            try:
                sign = make(count)
                sign("one two three four five six seven")
            except ImportError as error:
                found[f"{name} {count}"] = {"missing": str(error)}
                continue
            start = time.process_time()
            for text in part:
                sign(text)
            seconds = time.process_time() - start
            found[f"{name} {count}"] = {"bytes": size, "cpu_seconds": seconds}
    with open(result, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
