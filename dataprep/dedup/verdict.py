"""Verdicts: within a component of candidates, who is kept, and who is removed for being like a kept copy.

Decisions:
- Members stand in the order of the keep policy; equal ones by id. Nothing depends on files, partitions or arrival.
- The best becomes a kept copy; whoever is like it is removed; the best of the rest is the next kept copy, and so on. So
  each removed document is like the kept copy its row names, not like a link of a chain to it.
- "Like" is, within a scope: of the same page, or the same exact fingerprint, or both have shingles and what ``verify``
  names reaches ``threshold``. The estimate is the share of signature values that agree. Jaccard similarity and
  containment are counted on the sets of shingles, for pairs whose estimate is not more than ``MARGIN`` standard errors
  below what the threshold demands.
- Documents that earlier runs have kept are never compared with each other: those runs are finished.
- In a component of up to ``EXHAUSTIVE`` members all kept copies are compared. In a larger one, only the first
  ``BUCKET_COPIES`` kept copies of each band's bucket: a template's page that shares a bucket with a hundred thousand
  distinct others costs bands × ``BUCKET_COPIES`` comparisons, not a hundred thousand.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataprep.compiled import njit
from dataprep.dedup.bands import band_keys, exact_keys, group_starts, page_keys
from dataprep.dedup.hashing import I64, U64, mix
from dataprep.dedup.sets import ShingleSets, shared
from dataprep.dedup.settings import DedupSettings
from dataprep.dedup.sidecar import Signatures

EXHAUSTIVE = 2048
BUCKET_COPIES = 64
ALWAYS = 2  # buckets that documents without a shingle have, too
MARGIN = 3.0  # one pair in 740 with just the threshold's similarity has an estimate lower than that

MEASURES = ("estimate", "jaccard", "containment")  # what the kernels call 0, 1 and 2


@dataclass(frozen=True)
class Verdicts:
    """For n members in the order of ``order`` (int64[n] into the rows given): component after component, best first."""

    order: I64
    starts: I64  # where each component begins, and n
    kept_by: I64  # position (in this order) of the kept copy each member is like; its own if it is kept
    similarity: npt.NDArray[np.float64]  # to that copy, by the settings' measure; 1 for the same text or page
    exact: npt.NDArray[np.bool_]  # the same exact fingerprint as that copy
    page: npt.NDArray[np.bool_]  # of the same page as that copy


def judge(
    components: U64,
    members: Signatures,
    sets: ShingleSets,
    settings: DedupSettings,
    earlier: npt.NDArray[np.bool_] | None = None,
) -> Verdicts:
    """Verdicts over the members of any number of components, each of which is here whole.

    ``components`` uint64[n] names each member's component. ``sets`` may be empty if the measure is the estimate.
    ``earlier`` says which members an earlier run has kept: they come first or last, as ``settings.copies`` says.
    """
    if earlier is None:
        earlier = np.zeros(len(components), np.bool_)
    last = earlier if settings.copies == "supersede" else ~earlier
    order = np.lexsort((members.ids[:, 1], members.ids[:, 0], -members.preference, last, components))
    ranked, ranked_sets = members.take(order), sets.take(order)
    components = components[order]
    starts = group_starts(components)
    bands, rows = settings.shape()
    measure, threshold = MEASURES.index(settings.verify), settings.threshold
    sets_of = (ranked_sets.values, ranked_sets.starts, ranked_sets.ends)
    documents = (ranked.exact, ranked.pages, ranked.scopes, ranked.shingles, ranked.values, *sets_of, earlier[order])
    kept_by, similarity = _compare(starts, documents, measure, threshold, EXHAUSTIVE)
    for component in np.flatnonzero(np.diff(starts) > EXHAUSTIVE):
        span = np.arange(starts[component], starts[component + 1])
        buckets = _bucket_numbers(ranked.take(span), bands, rows)
        kept_by[span], similarity[span] = _compare_in_buckets(
            buckets, span[0], documents, measure, threshold, BUCKET_COPIES
        )
    exact = (ranked.exact == ranked.exact[kept_by]).all(axis=1)
    page = (ranked.pages == ranked.pages[kept_by]).all(axis=1) & ranked.pages.any(axis=1)
    return Verdicts(order, starts, kept_by, similarity, exact, page)


def _bucket_numbers(members: Signatures, bands: int, rows: int) -> I64:
    """int64[n, bands + 2]: a number from 0 for the bucket of equal texts, of the page, and of each band.

    A member without a page is alone in that bucket.
    """
    alone = mix(np.arange(len(members.ids), dtype=np.uint64))
    pages = np.where(members.pages.any(axis=1), page_keys(members), alone)
    bands_of = band_keys(members.values, bands, rows) ^ members.scopes[:, None]
    keys = np.column_stack([exact_keys(members), pages, bands_of]).ravel()
    order = np.argsort(keys, kind="stable")
    starts = group_starts(keys[order])
    numbers = np.empty(keys.size, np.int64)
    numbers[order] = np.repeat(np.arange(starts.size - 1), np.diff(starts))
    return numbers.reshape(-1, bands + ALWAYS)


@njit(nogil=True, cache=True)
def agreement_needed(measure, threshold, width, a, b):  # type: ignore[no-untyped-def]
    """How many of ``width`` signature values agree at least, if the kept copy's ``b`` and the other's ``a`` distinct
    shingles are alike: all that the threshold demands of the estimate, or what is left to chance by ``MARGIN``."""
    if measure == 0:
        needed = np.int64(threshold * width)
        return needed if needed / width >= threshold else needed + 1
    expected = threshold
    if measure == 2:
        expected = min(threshold * a / max(a + b - threshold * a, 1), 1.0)
    return np.int64(np.ceil(expected * width - MARGIN * np.sqrt(expected * (1 - expected) * width)))


@njit(nogil=True, cache=True)
def _alike(i, j, documents, measure, threshold):  # type: ignore[no-untyped-def]
    """How like member i is to the kept copy j if it is like it, else -1; stops when it cannot be enough."""
    exact, pages, scopes, shingles, signatures, values, starts, ends, earlier = documents
    if earlier[i] and earlier[j]:
        return -1.0
    width = signatures.shape[1]
    if scopes[i] != scopes[j]:
        return -1.0
    if (pages[i, 0] != 0 or pages[i, 1] != 0) and pages[i, 0] == pages[j, 0] and pages[i, 1] == pages[j, 1]:
        return 1.0
    if exact[i, 0] == exact[j, 0] and exact[i, 1] == exact[j, 1]:
        return 1.0
    if shingles[i] == 0 or shingles[j] == 0:
        return -1.0
    a, b = ends[i] - starts[i], ends[j] - starts[j]
    needed = agreement_needed(measure, threshold, width, a, b)
    equal = 0
    at = 0
    while at < width:
        stop = min(at + 32, width)
        for k in range(at, stop):
            equal += signatures[i, k] == signatures[j, k]
        at = stop
        if equal + width - at < needed:
            return -1.0
    if measure == 0:
        return equal / width
    # rounded down: the division below decides
    least = np.int64(threshold * (a + b) / (1 + threshold)) if measure == 1 else np.int64(threshold * a)
    common = shared(values, starts[i], ends[i], starts[j], ends[j], least)
    if common < 0:
        return -1.0
    similarity = common / (a + b - common) if measure == 1 else common / a
    return similarity if similarity >= threshold else -1.0


@njit(nogil=True, cache=True)
def _compare(starts, documents, measure, threshold, limit):  # type: ignore[no-untyped-def]
    n = documents[0].shape[0]
    kept_by = np.arange(n)
    similarity = np.ones(n)
    kept = np.empty(limit, np.int64)
    for component in range(starts.size - 1):
        if starts[component + 1] - starts[component] > limit:
            continue
        copies = 0
        for i in range(starts[component], starts[component + 1]):
            for c in range(copies):
                like = _alike(i, kept[c], documents, measure, threshold)
                if like >= 0:
                    kept_by[i], similarity[i] = kept[c], like
                    break
            else:
                kept[copies] = i
                copies += 1
    return kept_by, similarity


@njit(nogil=True, cache=True)
def _compare_in_buckets(buckets, begin, documents, measure, threshold, copies):  # type: ignore[no-untyped-def]
    """``_compare`` for the component that begins at ``begin``, each member against at most ``copies`` kept copies in
    each of its buckets."""
    n, bands = buckets.shape
    shingles = documents[3]
    kept_by = np.arange(begin, begin + n)
    similarity = np.ones(n)
    # the kept copies of a bucket as a linked list in the order of rank, so that nothing is as wide as it might become
    first = np.full(buckets.max() + 1, -1)
    last = np.full(buckets.max() + 1, -1)
    length = np.zeros(buckets.max() + 1, np.int32)
    after = np.full((n, bands), -1)
    seen = np.full(n, -1)
    for i in range(n):
        best = n
        for band in range(bands):
            if band >= ALWAYS and shingles[begin + i] == 0:
                break
            entry = first[buckets[i, band]]
            while entry >= 0:
                j = entry // bands
                if j >= best:
                    break
                if seen[j] != i:
                    seen[j] = i
                    like = _alike(begin + i, begin + j, documents, measure, threshold)
                    if like >= 0:
                        best = j
                        kept_by[i], similarity[i] = begin + j, like
                entry = after[j, entry % bands]
        if best < n:
            continue
        for band in range(bands):
            if band >= ALWAYS and shingles[begin + i] == 0:
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
    return kept_by, similarity
