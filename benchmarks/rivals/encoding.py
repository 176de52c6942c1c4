"""One encoder over a column of texts: python encoding.py TOOL TOKENIZER.json TEXTS.arrow IDS.json

Prints CPU seconds cold and warm, and how many documents have other ids than IDS.json says.
"""

import json
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather

BATCH = 1_024
GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def lists(documents):
    """Arrow from lists of ids."""
    offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in documents])])
    values = np.concatenate([np.array(ids, np.uint32) for ids in documents])
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))


def fastokens(file):
    from fastokens import Tokenizer

    tokenizer = Tokenizer.from_file(file)

    def encode(texts):
        ids, offsets = tokenizer.encode_batch_flat(texts.to_pylist(), False, True)
        borders = np.frombuffer(offsets, np.uint64).astype(np.int64)
        return pa.LargeListArray.from_arrays(pa.array(borders), pa.array(np.frombuffer(ids, np.uint32)))

    return encode


def tiktoken(file):
    """The same merges: a rank for each token, in the order of ids."""
    import tiktoken

    with open(file, encoding="utf-8") as text:
        given = json.load(text)
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    byte_of = {chr(byte): byte for byte in shown}
    byte_of |= {chr(0x100 + k): byte for k, byte in enumerate(b for b in range(256) if b not in set(shown))}
    special = {token["content"] for token in given["added_tokens"]}
    vocabulary = sorted((number, name) for name, number in given["model"]["vocab"].items() if name not in special)
    ranks = {bytes(byte_of[c] for c in name): number for number, name in vocabulary}
    steps = given["pre_tokenizer"].get("pretokenizers")
    pattern = steps[0]["pattern"]["Regex"] if steps else GPT2
    encoding = tiktoken.Encoding("given", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda texts: lists([encoding.encode_ordinary(text) for text in texts.to_pylist()])


def kitoken(file):
    from kitoken import Kitoken

    encoder = Kitoken.from_tokenizers_file(file)
    return lambda texts: lists([encoder.encode(text, False) for text in texts.to_pylist()])


def main():
    tool, file, texts_file, ids_file = sys.argv[1:]
    texts = feather.read_table(texts_file)["text"].combine_chunks()
    texts = texts.chunk(0) if isinstance(texts, pa.ChunkedArray) else texts
    encode = {"fastokens": fastokens, "tiktoken": tiktoken, "kitoken": kitoken}[tool](file)
    used = {}
    for kind in ("cold", "warm"):
        start = time.process_time()
        parts = [encode(texts.slice(row, BATCH)) for row in range(0, len(texts), BATCH)]
        used[kind] = time.process_time() - start
    found = [ids for part in parts for ids in part.to_pylist()]
    with open(ids_file, encoding="utf-8") as expected:
        used["differ"] = sum(a != b for a, b in zip(found, json.load(expected), strict=True))
    print(json.dumps(used))


if __name__ == "__main__":
    main()
