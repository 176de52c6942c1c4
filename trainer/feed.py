"""What a rank is given to compute: the run's order of windows, a step's batches, the validation split.

One place decides it, so that training, evaluation and looking a step up later see the same windows.
"""

from trainer.config import TrainConfig
from trainer.data.batches import Batch, TrainingOrder, Windows
from trainer.data.stream import TokenStream
from trainer.parallel import Ranks
from trainer.watch.memorisation import Canaries


def windows_of(stream: TokenStream, config: TrainConfig) -> Windows:
    """A split as a run of this configuration cuts it. Raises ``ValueError`` naming what does not fit the shards."""
    data = config.data
    return Windows(stream, config.model.context, packing=data.packing, mask_documents=data.mask_documents)


def training_order(stream: TokenStream, config: TrainConfig) -> TrainingOrder:
    """What a run of this configuration reads of the split it trains on; raises as ``windows_of``."""
    phases = [(phase.from_step, phase.weights) for phase in config.data.mixture]
    return TrainingOrder(windows_of(stream, config), config.seed, config.windows_per_step, phases)


def step_batches(
    order: TrainingOrder, step: int, windows_per_pass: int, ranks: Ranks, canaries: Canaries | None = None
) -> tuple[list[Batch], dict[str, int]]:
    """This rank's share of batch ``step``, cut into passes, in memory its device can fetch from; and the targets of all
    ranks, by source.
    """
    windows = order.step(step)
    share = order.share(windows, ranks.data_rank, ranks.data_size)
    batches = [order.windows.batch(share[at : at + windows_per_pass]) for at in range(0, len(share), windows_per_pass)]
    if canaries is not None:
        canaries.plant(batches, step, ranks.data_rank, ranks.data_size)
    if ranks.device.type == "cuda":
        batches = [batch.pinned() for batch in batches]
    return batches, order.windows.targets(windows)
