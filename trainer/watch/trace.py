"""Which documents a step saw, what each cost, and where it came from.

Decisions:
- A document's loss is taken again, without gradients, with the weights that the step had: while training, before they
  move. The step itself sums losses away.
- Documents are ranked by what they added: tokens · (mean loss of the document - mean loss of the step). A long document
  somewhat too hard and a short one of garbage so compare.
- Shards know ids. URL and locator are in the Parquet files that ``dataprep`` left beside them, of the last stage that
  left any; a run that was moved away from them still has ids, shards and rows.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from trainer.data.batches import IGNORE, Batch, TrainingOrder, Windows
from trainer.data.documents import Places
from trainer.parallel import Ranks

STAGES = ("passages", "unique", "clean", "documents")
"""Of ``dataprep``, those that leave documents, the last first."""


@dataclass(frozen=True)
class Piece:
    """Tokens ``start`` … ``stop`` - 1 of document ``row`` of a shard, in window ``window`` of a step. ``document``: its
    id in hexadecimal, None for shards on a store. ``loss``: mean nats a token, None where that is no number;
    ``excess``: what it added to the step's, in nats.
    """

    document: str | None
    source: str
    shard: str
    row: int
    start: int
    stop: int
    window: int
    loss: float | None = None
    excess: float | None = None


@torch.no_grad()
def token_losses(model: nn.Module, batches: Sequence[Batch], windows: int, ranks: Ranks) -> NDArray[np.float32]:
    """The loss of every target of a step of so many ``windows``, in nats, float32 [windows, T]; NaN where there is
    none, infinite where it is no number.

    ``batches`` are this rank's passes. One window at a time: all logits of a step would not fit. Every rank computes
    the same number of windows, one of them twice if need be, and returns all.
    """
    rows = [(batch, row) for batch in batches for row in range(len(batch.windows))]
    length = batches[0].ids_bt.shape[1]
    out = torch.zeros(windows, length, device=ranks.device)
    for number in range(-(-windows // ranks.data_size)):
        batch, row = rows[min(number, len(rows) - 1)]
        ids_bt, targets_bt, positions_bt = batch.to(ranks.device)
        one, targets_t = slice(row, row + 1), targets_bt[row]
        with ranks.autocast():
            logits_btv = model(ids_bt[one], None, None if positions_bt is None else positions_bt[one])
        if number < len(rows):
            losses_t: Tensor = F.cross_entropy(logits_btv[0].float(), targets_t, reduction="none")
            losses_t = losses_t.nan_to_num(nan=torch.inf, posinf=torch.inf).where(targets_t != IGNORE, torch.nan)
            out[ranks.data_rank + number * ranks.data_size] = losses_t
    return ranks.sum(out).cpu().numpy()


def pieces(order: TrainingOrder, batch: int, losses: NDArray[np.float32] | None) -> list[Piece]:
    """The documents of a batch; with its ``losses`` (of ``token_losses``) those that added most come first."""
    places = order.documents_of(batch)
    shards = order.windows.stream.shards
    ids = _ids(order.windows, places)
    found = [
        Piece(name, shards[shard].source, shards[shard].path, row, start, start + length, window)
        for name, window, shard, row, start, length in zip(ids, *(array.tolist() for array in places), strict=True)
    ]
    if losses is None:
        return found
    finite = losses[np.isfinite(losses)].astype(np.float64)
    step = finite.mean() if len(finite) else 0.0
    before = np.cumsum(places.length) - places.length
    columns = before - before[np.searchsorted(places.row, places.row)]
    ranked = []
    for piece, column in zip(found, columns.tolist(), strict=True):
        part = losses[piece.window, column : column + piece.stop - piece.start].astype(np.float64)
        part = part[~np.isnan(part)]
        excess = float((part - step).sum())
        if len(part) and math.isfinite(excess):
            piece = replace(piece, loss=float(part.mean()), excess=excess)
        ranked.append((-excess, piece))
    return [piece for _, piece in sorted(ranked, key=lambda pair: pair[0])]


def _ids(windows: Windows, places: Places) -> list[str | None]:
    manifest, shards = windows.stream.manifest, windows.stream.shards
    if "://" in manifest.path:
        return [None] * len(places.row)
    opened = {number: manifest.open(shards[number]) for number in np.unique(places.shard).tolist()}
    pairs = zip(places.shard.tolist(), places.document.tolist(), strict=True)
    return [opened[number].doc_id(row).hex() for number, row in pairs]


def origins(
    shards: str, documents: Iterable[str], given_up: Callable[[], bool] = lambda: False
) -> dict[str, dict[str, str | None]]:
    """``url`` and ``locator`` of these documents, by id, from the Parquet files beside the shards; those that are
    found before it is ``given_up``, which each file asks for.
    """
    wanted = pa.array([bytes.fromhex(one) for one in sorted(set(documents))], pa.binary(16))
    found: dict[str, dict[str, str | None]] = {}
    stages = [Path(shards).parent / stage / "kept" for stage in STAGES]
    parts = next((sorted(folder.glob("*.parquet")) for folder in stages if any(folder.glob("*.parquet"))), [])
    for part in parts:
        if len(found) == len(wanted) or given_up():
            break
        with pq.ParquetFile(part) as file:
            for rows in file.iter_batches(columns=["id", "url", "locator"]):
                rows = rows.filter(pc.is_in(rows["id"], value_set=wanted))
                for row in rows.to_pylist():
                    found[row["id"].hex()] = {"url": row["url"], "locator": row["locator"]}
    return found


def in_words(piece: Piece | dict[str, Any], origin: dict[str, str | None] | None) -> str:
    """One line for a person."""
    row = piece if isinstance(piece, dict) else vars(piece)
    loss = "" if row["loss"] is None else f"{row['loss']:.3f} nats/token  "
    where = "" if origin is None else f"  {origin['url'] or 'no URL'}  {origin['locator']}"
    return (
        f"{loss}{row['document'] or ''}  {row['source']}  {row['shard']} row {row['row']}, "
        f"tokens {row['start']} to {row['stop'] - 1}{where}"
    )
