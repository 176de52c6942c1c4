"""The same algorithms in plain Python: what the kernels must equal."""

import math
import re
import string
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import xxhash
from datasketch import MinHash

from dataprep.dedup.simplify import CONTROLS, PUNCTUATION


def words(text: str) -> list[str]:
    """``words-1``."""
    return re.findall(r"\w+", text.replace("İ", "i").lower().replace("ς", "σ"))


def simplify(text: str) -> str:
    """datatrove's ``simplify_text``."""
    text = "".join("0" if unicodedata.category(c) == "Nd" else c for c in text.lower())
    text = re.sub("0+(?:[.,،٫⎖⎗⎘]0+)?", "0", text)
    text = re.sub(f"[{re.escape(PUNCTUATION + ''.join(CONTROLS))}]", " ", text)
    text = unicodedata.normalize("NFD", " ".join(text.split()))
    return "".join(c for c in text if unicodedata.category(c) != "Mn").strip()


def plain(text: str) -> str:
    """RedPajama's ``normalize``."""
    kept = "".join(c for c in text.replace("\0", " ") if c not in string.punctuation)
    return unicodedata.normalize("NFD", " ".join(kept.lower().split()))


WORDS: dict[str, Callable[[str], list[str]]] = {
    "words-1": words,
    "datatrove-0.10": lambda text: simplify(text).split(),
    "text-dedup-0.4": lambda text: re.split(r"\W", text.lower()),
    "bigcode-1": lambda text: re.split("[^A-Za-z_0-9]", text),
    "redpajama-2": lambda text: plain(text).split(),
}


def spaces(text: str) -> str:
    """``spaces-1``."""
    return " ".join(text.split())


def exact_hash(text: str) -> bytes:
    return xxhash.xxh3_128_digest(spaces(text).encode())


def shingles(text: str, size: int, normalisation: str = "words-1") -> list[bytes]:
    """Runs of ``size`` words, joined by spaces, as UTF-8."""
    found = WORDS[normalisation](text)
    return [" ".join(found[i : i + size]).encode() for i in range(len(found) - size + 1)]


def shingle_hash(shingle: bytes) -> int:
    """32 bits; the ``hashfunc`` to give to ``datasketch.MinHash`` to extend our signatures or compare with them."""
    return xxhash.xxh3_64_intdigest(shingle) & 0xFFFFFFFF


def set_hash(shingle: bytes) -> int:
    """64 bits: a member of a document's set of shingles."""
    return xxhash.xxh3_64_intdigest(shingle)


def signature(text: str, size: int, permutations: int, seed: int, normalisation: str = "words-1") -> list[int]:
    sketch = MinHash(permutations, seed, hashfunc=shingle_hash, scheme="affine32")
    sketch.update_batch(shingles(text, size, normalisation))
    return [int(value) for value in sketch.hashvalues]


def jaccard(a: str, b: str, size: int) -> float:
    """Of the sets of shingles; 0 when neither has one."""
    one, two = set(shingles(a, size)), set(shingles(b, size))
    return len(one & two) / max(len(one | two), 1)


def containment(removed: str, kept: str, size: int) -> float:
    """The share of ``removed``'s shingles that ``kept`` has."""
    one, two = set(shingles(removed, size)), set(shingles(kept, size))
    return len(one & two) / max(len(one), 1)


def agreement_needed(similarity: float, width: int, margin: float) -> int:
    """Values of two signatures that agree if the sets are so similar, less ``margin`` standard errors."""
    return math.ceil(width * similarity - margin * math.sqrt(width * similarity * (1 - similarity)))


def components(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Each node's smallest fellow."""
    parent: dict[int, int] = {}

    def find(node: int) -> int:
        parent.setdefault(node, node)
        while parent[node] != node:
            node = parent[node]
        return node

    for a, b in edges:
        one, two = sorted((find(a), find(b)))
        parent[two] = one
    return {node: find(node) for node in parent}


def judge(
    members: Sequence[Hashable], similarity: Mapping[tuple[Hashable, Hashable], float], threshold: float
) -> dict[Hashable, Hashable]:
    """Removed member → kept copy, for the members of one component, the best first."""
    removed: dict[Hashable, Hashable] = {}
    rest = list(members)
    while rest:
        kept, *others = rest
        rest = []
        for other in others:
            if similarity[kept, other] >= threshold:
                removed[other] = kept
            else:
                rest.append(other)
    return removed
