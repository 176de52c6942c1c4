"""The text a tokenizer learns from: for each group of documents a uniform sample with an exact number of bytes.

Groups are what the recipe balances (``tokenizer.balance_by``): sources, languages, pairs of them, or the whole corpus.

Decisions:
- A group's share is its bytes to the power of ``balance_alpha`` (Conneau et al. 2020, arXiv:1911.02116, section 3.1:
  0.3): 1 is as in the corpus, 0 the same for all. What is more than a group has goes to the others in their shares.
- A document's chance is its seeded hash. Those below their group's threshold are collected (each part on its own, a
  little more than needed), then taken in hash order until the group's budget is full; the last one is cut at a
  character. So the sample is a function of the set of documents, and its size in memory does not grow with the corpus.
- A threshold is a function of the group's sizes. Where it collects too little by chance, the sample is that much
  smaller: still the same on every run.
- Shares are rounded to a billionth before they are compared: another processor's last digit changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dataprep.tokens.hashing import SAMPLE, SPACE, id_bytes, keyed_hashes
from dataprep.tokens.measure import (
    LANGUAGE,
    NO_LANGUAGE,
    CorpusMeasure,
    Group,
    GroupMeasure,
    byte_lengths,
    languages,
    rows_by_group,
)
from dataprep.tokens.settings import TokenizerSettings

SLACK_PERCENT = 125  # documents to collect for as many as the budget holds on average …
SLACK_DEVIATIONS = 4  # … or this many standard deviations of their number more, where that is more
SHARE_DIGITS = 10**9

SCHEMA = pa.schema(
    [
        pa.field("order", pa.uint64(), nullable=False),
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field(LANGUAGE, pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class SamplePlan:
    """``groups``: (source, language), or "" where that is not balanced → threshold of its hashes, bytes to take."""

    by_source: bool
    by_language: bool
    groups: Mapping[Group, tuple[int, int]]

    @classmethod
    def of(cls, corpus: CorpusMeasure, settings: TokenizerSettings) -> "SamplePlan":
        plan = cls("source" in settings.balance_by, "language" in settings.balance_by, {})
        found: dict[Group, GroupMeasure] = {}
        for name, group in corpus.groups.items():
            found.setdefault(plan.group(name), GroupMeasure()).extend(group)
        names = sorted(name for name in found if found[name].bytes)
        sizes = [found[name].bytes for name in names]
        budgets = shares(sizes, settings.sample_bytes, settings.balance_alpha if settings.balance_by else 1)
        groups = {name: (_threshold(found[name], budget), budget) for name, budget in zip(names, budgets, strict=True)}
        return cls(plan.by_source, plan.by_language, groups)

    def group(self, name: Group) -> Group:
        """The group of documents of one source and language."""
        source, language = name
        return source if self.by_source else "", language if self.by_language else NO_LANGUAGE

    def to_json(self) -> dict[str, Any]:
        groups = [[*name, *numbers] for name, numbers in self.groups.items()]
        return {"by_source": self.by_source, "by_language": self.by_language, "groups": groups}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "SamplePlan":
        groups = {(source, language): (threshold, budget) for source, language, threshold, budget in value["groups"]}
        return cls(value["by_source"], value["by_language"], groups)


def shares(sizes: list[int], budget: int, alpha: float) -> list[int]:
    """``budget`` bytes divided in proportion to ``size ** alpha``, to no group more than it has. All sizes above 0."""
    taken = [0] * len(sizes)
    largest = max(sizes, default=1)
    weights = [max(round((size / largest) ** alpha * SHARE_DIGITS), 1) for size in sizes]
    left = min(budget, sum(sizes))
    rest = list(range(len(sizes)))
    while rest:
        total = sum(weights[i] for i in rest)
        full = [i for i in rest if left * weights[i] >= sizes[i] * total]
        if not full:
            break
        for i in full:
            taken[i] = sizes[i]
        left -= sum(sizes[i] for i in full)
        rest = [i for i in rest if not taken[i]]
    begun = done = 0
    for i in rest:
        begun += weights[i]
        taken[i] = (left * begun + total // 2) // total - done
        done += taken[i]
    return taken


def _threshold(group: GroupMeasure, budget: int) -> int:
    """Documents whose hash is at most this are collected: some more than the budget holds; always one document."""
    needed = budget * group.documents // group.bytes
    wanted = max(needed * SLACK_PERCENT // 100, needed + SLACK_DEVIATIONS * (isqrt(needed) + 1))
    return min(max(SPACE * wanted // group.documents, group.lowest_sample), SPACE - 1)


def candidates(batch: pa.RecordBatch, seed: int, plan: SamplePlan) -> pa.RecordBatch:
    """The batch's documents at or below their group's threshold, as rows of ``SCHEMA``."""
    hashes = keyed_hashes(batch.column("id"), seed, SAMPLE)
    chosen = np.zeros(batch.num_rows, np.bool_)
    for name, rows in rows_by_group(batch).items():
        if plan.group(name) in plan.groups:  # none is planned for a group without text
            chosen[rows] = hashes[rows] <= np.uint64(plan.groups[plan.group(name)][0])
    rows = pa.array(np.flatnonzero(chosen))
    source = batch.column("source").cast(pa.string())
    columns = [pa.array(hashes), batch.column("id"), batch.column("text"), source, languages(batch)]
    return pa.RecordBatch.from_arrays([column.take(rows) for column in columns], schema=SCHEMA)


def cut(batches: Iterable[pa.RecordBatch], plan: SamplePlan) -> pa.RecordBatch:
    """Of each group the first bytes in hash order, as many as planned, all in hash order; rows of ``SCHEMA``.

    ``batches`` are candidates in any order.
    """
    rows = pa.Table.from_batches(list(batches), schema=SCHEMA).combine_chunks()
    if rows.num_rows == 0:
        return pa.RecordBatch.from_pylist([], schema=SCHEMA)
    (batch,) = rows.to_batches()
    order = sort_by_hash(batch.column("order").to_numpy(), id_bytes(batch.column("id")))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    lengths = byte_lengths(batch.column("text"))
    members: dict[Group, list[NDArray[np.int64]]] = {}
    for name, found in rows_by_group(batch).items():
        members.setdefault(plan.group(name), []).append(found)
    taken = np.zeros(len(order), np.bool_)
    parts: dict[int, str] = {}
    for name, several in members.items():
        mine = order[np.sort(place[np.concatenate(several)])]
        ends = np.cumsum(lengths[mine])
        budget = plan.groups[name][1]
        whole = int(np.searchsorted(ends, budget, side="right"))
        taken[mine[:whole]] = True
        left = budget - int(ends[whole - 1] if whole else 0)
        if whole < len(mine) and left:
            row = int(mine[whole])
            taken[row] = True
            parts[row] = batch.column("text")[row].as_py().encode()[:left].decode(errors="ignore")
    kept = order[taken[order]]
    result = batch.take(pa.array(kept))
    mask = np.isin(kept, list(parts))
    texts = pa.array([parts[row] for row in kept[mask].tolist()], pa.large_string())
    at = SCHEMA.get_field_index("text")
    return result.set_column(at, SCHEMA.field(at), pc.replace_with_mask(result.column(at), pa.array(mask), texts))


def sort_by_hash(hashes: NDArray[np.uint64], ids: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The rows in order of (hash, id): a total order, whatever order they arrived in."""
    halves = np.ascontiguousarray(ids).view(">u8")
    return np.lexsort((halves[:, 1], halves[:, 0], hashes))
