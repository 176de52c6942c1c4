"""What the model knows by heart: canaries it was shown, windows it has seen once more than others, texts it completes.

Decisions:
- A canary is a random sequence of tokens that takes the place of a window's beginning at known batches; nothing but
  repetition can teach it. Its exposure is -log2 of the share of such sequences that are likelier to the model (Carlini
  et al. 2019), estimated from ``CONTROLS`` others that are never shown, as if their losses were normal.
- Windows that were seen in this epoch are compared with those that come next in it: the same source in the same order,
  one repetition apart. In the first epoch that is seen against never seen.
- A text is extractable when greedy decoding after its last ``k`` tokens gives the rest (Carlini et al. 2023). Greedy
  decoding gives it exactly when every token of it is the likeliest after those before it: one pass says so, nothing has
  to be generated.
- Batches that were passed over count as seen: they are few.

Shape suffixes: S sequences, T positions, V vocabulary.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from dataprep.shards import Manifest
from trainer.config import CanaryConfig, TrainConfig, WatchConfig
from trainer.data.batches import IGNORE, Batch, TrainingOrder, Windows
from trainer.evaluate import mean_losses
from trainer.parallel import Ranks

CONTROLS = 128

DETECTED = 10.0
"""Bits of exposure at which a canary counts as remembered: one chance in 1,024 without it."""


class Canaries:
    """The canaries of a run, from its seed; int64 [count, length], and as many controls as ``CONTROLS``."""

    def __init__(self, config: CanaryConfig, seed: int, vocabulary: int, eos_id: int, windows_per_step: int) -> None:
        self.config = config
        self._seed = seed
        self._eos_id = eos_id
        self._windows_per_step = windows_per_step
        drawn = np.random.default_rng([seed, *b"canaries"]).integers(
            0, vocabulary - 1, (config.count + CONTROLS, config.length)
        )
        self.sequences = drawn + (drawn >= eos_id)  # every id but EOS

    @classmethod
    def of_run(cls, config: TrainConfig, manifest: Manifest) -> Self:
        return cls(config.canaries, config.seed, manifest.vocabulary_size, manifest.eos_id, config.windows_per_step)

    def planted(self, batch: int) -> tuple[int, int] | None:
        """(canary, window of the batch) if the batch has one."""
        repetition, number = divmod(batch - self.config.from_step, self.config.every)
        if number >= self.config.count or not 0 <= repetition < self.config.repetitions:
            return None
        window = np.random.default_rng([self._seed, *b"canary", batch]).integers(self._windows_per_step)
        return number, int(window)

    def repetitions(self, batch: int) -> list[int]:
        """How often each was planted before ``batch``."""
        since = batch - self.config.from_step
        times = (-(-(since - number) // self.config.every) for number in range(self.config.count))
        return [min(max(0, each), self.config.repetitions) for each in times]

    def plant(self, batches: list[Batch], number: int, rank: int, world_size: int) -> None:
        """Write the canary of batch ``number``, closed by EOS, into this rank's passes, if it falls to this rank.

        A padded place stays padding, so a step has as many targets as without.
        """
        found = self.planted(number)
        if found is None or found[1] % world_size != rank:
            return
        canary, row = self.sequences[found[0]], found[1] // world_size
        for place, batch in enumerate(batches):
            if row < len(batch.windows):
                batches[place] = self._written(batch, row, torch.from_numpy(canary))
                return
            row -= len(batch.windows)

    def hide(self, losses_wt: NDArray[np.float32], number: int) -> None:
        """Take what the canary of batch ``number`` cost out of its losses: the document under it is not to blame."""
        if found := self.planted(number):
            losses_wt[found[1], : self.config.length + 1] = np.nan

    def _written(self, batch: Batch, row: int, canary_t: Tensor) -> Batch:
        eos = torch.tensor([self._eos_id])
        closed, length = torch.cat([canary_t, eos]), len(canary_t) + 1
        ids, targets = batch.ids_bt.clone(), batch.targets_bt.clone()
        ids[row, : length + 1] = torch.cat([eos, closed])
        targets[row, :length] = closed.where(targets[row, :length] != IGNORE, IGNORE)
        positions = None if batch.positions_bt is None else batch.positions_bt.clone()
        if positions is not None:  # what is left of a document that was overwritten begins anew
            rest = positions[row, length:]
            starts = torch.nonzero(rest == 0)
            end = int(starts[0]) if len(starts) else len(rest)
            rest[:end] = torch.arange(end)
            positions[row, :length] = torch.arange(length)
        return Batch(batch.windows, ids, targets, positions)

    @torch.no_grad()
    def exposures(self, model: nn.Module, ranks: Ranks) -> list[float]:
        """Of each canary, in bits."""
        targets_st = torch.from_numpy(self.sequences).to(ranks.device)
        ids_st = torch.cat([torch.full_like(targets_st[:, :1], self._eos_id), targets_st[:, :-1]], 1)
        nats = []
        for part in range(0, len(ids_st), 32):
            with ranks.autocast():
                logits_stv = model(ids_st[part : part + 32]).float()
            losses_st = F.cross_entropy(logits_stv.mT, targets_st[part : part + 32], reduction="none")
            nats.append(losses_st.double().sum(1))
        nats_s = torch.cat(nats)
        planted_s, control_s = nats_s[: self.config.count], nats_s[self.config.count :]
        above_s = (control_s.mean() - planted_s) / control_s.std()
        bits: list[float] = (-torch.special.log_ndtr(-above_s) / math.log(2)).tolist()
        return bits


@dataclass(frozen=True)
class Sample:
    """Windows of a source: some ``seen`` ``times`` times, and some ``coming`` next that were seen once less."""

    source: str
    times: int
    seen: NDArray[np.int64]
    coming: NDArray[np.int64]


def samples(order: TrainingOrder, batch: int, tokens: int) -> list[Sample]:
    """Before batch ``batch``, for each source that is in the middle of an epoch; up to ``tokens`` tokens of each kind.

    What was seen is taken evenly from the whole epoch so far.
    """
    sources = order.windows.sources
    each = max(1, tokens // order.windows.context // len(sources))
    found = []
    for number, (source, before) in enumerate(zip(sources, order.mixture.windows_before(batch), strict=True)):
        epoch, index = divmod(before, source.layout.count)
        if index:
            places = np.linspace(0, index - 1, min(each, index)).astype(np.int64)
            begin = before - index
            seen = np.concatenate([order.in_order(number, begin + at, begin + at + 1) for at in places.tolist()])
            coming = order.in_order(number, before, before + min(each, source.layout.count - index))
            found.append(Sample(source.name, epoch + 1, seen, coming))
    return found


def repetition(
    model: nn.Module, order: TrainingOrder, batch: int, tokens: int, windows_per_pass: int, ranks: Ranks
) -> dict[str, float]:
    """For ``metrics.jsonl``: ``seen_loss``, ``coming_loss`` and ``seen_times`` of each source."""
    found = samples(order, batch, tokens)
    chosen = {f"{kind}_loss.{sample.source}": getattr(sample, kind) for sample in found for kind in ("seen", "coming")}
    losses = mean_losses(model, order.windows, list(chosen.values()), windows_per_pass, ranks)
    return dict(zip(chosen, losses, strict=True)) | {f"seen_times.{sample.source}": sample.times for sample in found}


@torch.no_grad()
def extractable(
    model: nn.Module, windows: Windows, sample: NDArray[np.int64], watch: WatchConfig, ranks: Ranks
) -> dict[int, tuple[int, int]]:
    """For each number of prompt tokens: (texts whose last ``suffix`` tokens come out, texts asked for).

    A text is the end of a window of ``sample``, asked for where one document fills prompt and suffix.
    """
    eos_id, vocabulary = windows.stream.manifest.eos_id, windows.stream.manifest.vocabulary_size
    found = {}
    for prompt in watch.prompts:
        length = prompt + watch.suffix
        if length > windows.context:
            continue
        total = torch.zeros(2, dtype=torch.int64, device=ranks.device)
        for start in range(0, len(sample), ranks.data_size):
            mine = sample[min(start + ranks.data_rank, len(sample) - 1)][None]
            ids_bt, targets_bt, _ = windows.batch(mine).to(ranks.device)
            text_bt = targets_bt[:, -length:]
            with ranks.autocast():
                logits_btv = model(ids_bt[:, -(length - 1) :])[:, -watch.suffix :, :vocabulary]
            whole = not bool(((text_bt == eos_id) | (text_bt == IGNORE)).any())
            if whole and start + ranks.data_rank < len(sample):
                right = bool((logits_btv.argmax(-1) == targets_bt[:, -watch.suffix :]).all())
                total += torch.tensor([int(right), 1]).to(total)
        came_out, asked = ranks.sum(total).tolist()
        found[prompt] = (came_out, asked)
    return found
