"""Which documents are learnt from, and which are held out.

Decisions:
- Everything follows from the seeded xxh3-64 of a document's line: the sample is that of the smallest hashes, training
  goes in hash order (so the classes are mixed), and the held-out side is chosen by the hash with its halves exchanged.
  So the result is a function of the documents as a set, whatever file or order they come in.
- A text counts once however often it occurs, so none is on both sides; a text that both classes have is left out.
- Two passes: the first keeps 8 bytes a document, the second the chosen lines only. So memory holds the sample, not the
  inputs.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from dataprep.classifier.corpus import Lines

LEAST = 10  # documents of a class: with fewer nothing can be learnt or measured
HALF = np.uint64(32)

Hashes = NDArray[np.uint64]
Progress = Callable[[str, int], None]


@dataclass
class Side:
    """Lines of both classes in hash order, with what they are."""

    lines: list[str]
    positive: NDArray[np.bool_]


@dataclass
class Sample:
    """What is trained on and what is held out, and how many documents each input of each class had and gave."""

    train: Side
    held_out: Side
    different: list[list[int]]
    taken: list[list[int]]
    in_both: int


def draw(positive: Sequence[Lines], negative: Sequence[Lines], progress: Progress) -> Sample:
    """Sample both classes. Raises ``ValueError`` where an input or a class has too little."""
    classes, settings = (positive, negative), positive[0].settings
    hashes = [_different(inputs, settings.seed, progress) for inputs in classes]
    both = np.intersect1d(np.concatenate(hashes[0]), np.concatenate(hashes[1]))
    hashes = [[one[~np.isin(one, both)] for one in inputs] for inputs in hashes]
    different = [[len(one) for one in inputs] for inputs in hashes]
    each = min(settings.documents // 2, *map(sum, different))
    for inputs, counts in zip(classes, different, strict=True):
        if sum(counts) < LEAST:
            shared = f", besides {len(both)} that both classes have" if len(both) else ""
            raise ValueError(f"{inputs[0].label}: {sum(counts)} different documents{shared}; {LEAST} are needed")
    taken = [
        spread(each, [one.source.weight for one in inputs], counts)
        for inputs, counts in zip(classes, different, strict=True)
    ]
    lines: dict[int, str] = {}
    chosen = []
    for inputs, found, quotas in zip(classes, hashes, taken, strict=True):
        wanted = [one[:quota] for one, quota in zip(found, quotas, strict=True)]
        for one, part in zip(inputs, wanted, strict=True):
            _collect(one, part, settings.seed, lines, progress)
        together = np.concatenate(wanted)
        chosen.append(together[np.argsort(_exchanged(together))])
    held = min(max(round(each * settings.held_out), 1), each - 1)
    train, held_out = (_side([one[part] for one in chosen], lines) for part in (slice(held, None), slice(held)))
    return Sample(train, held_out, different, taken, len(both))


def spread(total: int, weights: Sequence[float], available: Sequence[int]) -> list[int]:
    """``total`` in proportion to ``weights``, none above what is ``available``; what one lacks the others give."""
    quotas = [0] * len(weights)
    open_ = [i for i in range(len(weights)) if available[i]]
    while open_:
        left = total - sum(quotas)
        unit = left / sum(weights[i] for i in open_)
        full = [i for i in open_ if available[i] <= unit * weights[i]]
        if not full:
            for i in open_:
                quotas[i] = math.floor(unit * weights[i])
            # whole documents: the largest fractions first
            order = sorted(open_, key=lambda i: (quotas[i] - unit * weights[i], i))
            for i in order[: total - sum(quotas)]:
                quotas[i] += 1
            break
        for i in full:
            quotas[i] = available[i]
        open_ = [i for i in open_ if i not in full]
    return quotas


def hashes_of(lines: Sequence[str], seed: int) -> Hashes:
    """xxh3-64 of each line's UTF-8, seeded."""
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(line.encode(), seed) for line in lines), np.uint64, len(lines))


def _different(inputs: Sequence[Lines], seed: int, progress: Progress) -> list[Hashes]:
    """The hashes of each input's lines, ascending, without those that an input before it has."""
    found: list[Hashes] = []
    for one in inputs:
        parts = [np.empty(0, np.uint64)]
        for lines in one:
            parts.append(hashes_of(lines, seed))
            progress(f"reading {one.source.path}", one.documents)
        hashes = np.unique(np.concatenate(parts))
        if not len(hashes):
            why = f" with rejected_by {one.source.rejected_by!r}" if one.source.rejected_by is not None else ""
            raise ValueError(f"{one.label}: {one.source.path} has no documents{why}")
        for before in found:
            hashes = hashes[~np.isin(hashes, before)]
        found.append(hashes)
    return found


def _collect(one: Lines, wanted: Hashes, seed: int, into: dict[int, str], progress: Progress) -> None:
    before = len(into)
    for lines in one:
        hashes = hashes_of(lines, seed)
        for row in np.flatnonzero(np.isin(hashes, wanted)):
            into[int(hashes[row])] = lines[row]
        progress(f"collecting from {one.source.path}", one.documents)
    if len(into) - before < len(wanted):
        raise ValueError(f"{one.label}: {one.source.path} changed while it was read")


def _exchanged(hashes: Hashes) -> Hashes:
    return (hashes << HALF) | (hashes >> HALF)


def _side(classes: Sequence[Hashes], lines: dict[int, str]) -> Side:
    hashes = np.concatenate(classes)
    order = np.argsort(hashes)
    return Side([lines[value] for value in hashes[order].tolist()], order < len(classes[0]))
