"""Verdicts: within a component of candidates, who is kept, and who is removed for being like a kept copy.

Decisions:
- Members stand in the order of the keep policy; equal ones by id. Nothing depends on files, partitions or arrival.
- The best becomes a kept copy; whoever is like it is removed; the best of the rest is the next kept copy, and so on. So
  each removed document is like the kept copy its row names, not like a link of a chain to it.
- "Like" is: the same exact fingerprint, or both have shingles and their signatures agree in at least ``threshold`` of
  their values (the MinHash estimate of the Jaccard similarity).
- In a component of up to ``EXHAUSTIVE`` members all kept copies are compared. In a larger one, only the first
  ``BUCKET_COPIES`` kept copies of each band's bucket: a template's page that shares a bucket with a hundred thousand
  distinct others costs bands × ``BUCKET_COPIES`` comparisons, not a hundred thousand.
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
import numpy.typing as npt

from dataprep.dedup.bands import band_keys, group_starts
from dataprep.dedup.hashing import I64, U64
from dataprep.dedup.minhash import U32
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures

EXHAUSTIVE = 2048
BUCKET_COPIES = 64


@dataclass(frozen=True)
class Verdicts:
    """For n members in the order of ``order`` (int64[n] into the rows given): component after component, best first."""

    order: I64
    starts: I64  # where each component begins, and n
    kept_by: I64  # position (in this order) of the kept copy each member is like; its own if it is kept
    agreeing: npt.NDArray[np.int32]  # signature values shared with that copy
    exact: npt.NDArray[np.bool_]  # the same exact fingerprint as that copy


def agreement_needed(threshold: float, permutations: int) -> int:
    """The smallest number of agreeing values whose share, as datasketch divides it, reaches ``threshold``."""
    return next(m for m in range(permutations + 1) if m / permutations >= threshold)


def judge(components: U64, members: Signatures, settings: DedupSettings) -> Verdicts:
    """Verdicts over the members of any number of components, each of which is here whole.

    ``components`` uint64[n] names each member's component.
    """
    order = np.lexsort((members.ids[:, 1], members.ids[:, 0], -members.preference, components))
    ranked = members.take(order)
    exact, shingles, signatures = ranked.exact, ranked.shingles, ranked.values
    components = components[order]
    starts = group_starts(components)
    bands, rows = settings.shape()
    needed = agreement_needed(settings.threshold, settings.permutations)
    kept_by, agreeing = _compare(starts, exact, shingles, signatures, needed, EXHAUSTIVE)
    for component in np.flatnonzero(np.diff(starts) > EXHAUSTIVE):
        span = slice(starts[component], starts[component + 1])
        buckets = _bucket_numbers(exact[span], signatures[span], bands, rows)
        kept_by[span], agreeing[span] = _compare_in_buckets(
            buckets, exact[span], shingles[span], signatures[span], needed, BUCKET_COPIES
        )
        kept_by[span] += starts[component]
    same = (exact == exact[kept_by]).all(axis=1)
    return Verdicts(order, starts, kept_by, agreeing, same)


def _bucket_numbers(exact: U64, signatures: U32, bands: int, rows: int) -> I64:
    """int64[n, bands + 1]: a number from 0 for the exact bucket and each band's bucket of every member."""
    keys = np.column_stack([exact[:, 0] ^ exact[:, 1], band_keys(signatures, bands, rows)]).ravel()
    order = np.argsort(keys, kind="stable")
    starts = group_starts(keys[order])
    numbers = np.empty(keys.size, np.int64)
    numbers[order] = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    return numbers.reshape(-1, bands + 1)


@nb.njit(nogil=True, cache=True)
def _alike(i, j, exact, shingles, signatures, needed):  # type: ignore[no-untyped-def]
    """How many signature values members i and j share if they are alike, else -1; stops when it cannot be enough."""
    width = signatures.shape[1]
    if exact[i, 0] == exact[j, 0] and exact[i, 1] == exact[j, 1]:
        return width
    if shingles[i] == 0 or shingles[j] == 0:
        return -1
    equal = 0
    at = 0
    while at < width:
        stop = min(at + 32, width)
        for k in range(at, stop):
            equal += signatures[i, k] == signatures[j, k]
        at = stop
        if equal + width - at < needed:
            return -1
    return equal


@nb.njit(nogil=True, cache=True)
def _compare(starts, exact, shingles, signatures, needed, limit):  # type: ignore[no-untyped-def]
    n = exact.shape[0]
    kept_by = np.arange(n)
    agreeing = np.full(n, signatures.shape[1], np.int32)
    kept = np.empty(limit, np.int64)
    for component in range(starts.size - 1):
        if starts[component + 1] - starts[component] > limit:
            continue
        copies = 0
        for i in range(starts[component], starts[component + 1]):
            for c in range(copies):
                equal = _alike(i, kept[c], exact, shingles, signatures, needed)
                if equal >= 0:
                    kept_by[i], agreeing[i] = kept[c], equal
                    break
            else:
                kept[copies] = i
                copies += 1
    return kept_by, agreeing


@nb.njit(nogil=True, cache=True)
def _compare_in_buckets(buckets, exact, shingles, signatures, needed, copies):  # type: ignore[no-untyped-def]
    """``_compare`` for one component, each member against at most ``copies`` kept copies in each of its buckets."""
    n, bands = buckets.shape
    kept_by = np.arange(n)
    agreeing = np.full(n, signatures.shape[1], np.int32)
    # the kept copies of a bucket as a linked list in the order of rank, so that nothing is as wide as it might become
    first = np.full(buckets.max() + 1, -1)
    last = np.full(buckets.max() + 1, -1)
    length = np.zeros(buckets.max() + 1, np.int32)
    after = np.full((n, bands), -1)
    seen = np.full(n, -1)
    for i in range(n):
        best = n
        for band in range(bands):
            if band > 0 and shingles[i] == 0:
                break
            entry = first[buckets[i, band]]
            while entry >= 0:
                j = entry // bands
                if j >= best:
                    break
                if seen[j] != i:
                    seen[j] = i
                    equal = _alike(i, j, exact, shingles, signatures, needed)
                    if equal >= 0:
                        best = j
                        kept_by[i], agreeing[i] = j, equal
                entry = after[j, entry % bands]
        if best < n:
            continue
        for band in range(bands):
            if band > 0 and shingles[i] == 0:
                break
            bucket = buckets[i, band]
            if length[bucket] == copies:
                continue
            entry = i * bands + band
            if first[bucket] < 0:
                first[bucket] = entry
            else:
                after[last[bucket] // bands, last[bucket] % bands] = entry
            last[bucket] = entry
            length[bucket] += 1
    return kept_by, agreeing
