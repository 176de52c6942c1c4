"""What is known of a checkpoint: its losses on the validation split, its answers to multiple-choice questions."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dataprep.shards import Manifest
from trainer.data.reading import Reading
from trainer.evaluate import Losses, evaluate
from trainer.feed import windows_of
from trainer.files import replace_file
from trainer.parallel import Ranks
from trainer.saved.trained import Trained, load_tokenizer
from trainer.use.choices import Accuracy, Question, accuracy


@dataclass(frozen=True)
class Evaluation:
    """What is known of a checkpoint; ``losses`` is None when no validation was asked for, ``choices`` is by file."""

    step: int
    losses: Losses | None
    choices: dict[str, Accuracy]

    def to_json(self) -> dict[str, Any]:
        """Losses are named as in ``metrics.jsonl``; what is not finite is null."""
        named = self.losses.metrics() if self.losses else {}
        return {
            "step": self.step,
            "validation": {name: value if math.isfinite(value) else None for name, value in named.items()},
            "choices": {name: asdict(one) for name, one in self.choices.items()},
        }

    def table(self) -> list[str]:
        """The same as lines of aligned columns."""
        lines = []
        if self.losses:
            lines.append(f"{'validation':<24}{'nats/token':>12}{'bits/byte':>12}")
            for name, loss in (("all", self.losses.total), *self.losses.sources.items()):
                lines.append(f"  {name:<22}{loss.nats:>12.4f}{loss.bits_per_byte:>12.4f}")
        if self.choices:
            lines.append(f"{'choices':<24}{'questions':>12}{'acc':>18}{'acc_norm':>18}")
            for name, one in self.choices.items():
                cells = (
                    f"{value:.4f}" + ("" if error is None else f" ± {error:.4f}")
                    for value, error in ((one.acc, one.acc_stderr), (one.acc_norm, one.acc_norm_stderr))
                )
                lines.append(f"  {name:<22}{one.questions:>12,}" + "".join(f"{cell:>18}" for cell in cells))
        return lines


def evaluate_run(trained: Trained, tokens: int, tasks: Mapping[str, Sequence[Question]], ranks: Ranks) -> Evaluation:
    """Validation on about ``tokens`` tokens, none for 0, and files of questions; also written to the run's
    ``evaluation-STEP.json``.

    Raises ``ValueError`` when the shards are not the run's or have no validation split.
    """
    model, config = trained.model.to(ranks.device), trained.config
    losses = None
    if tokens:
        manifest = Manifest.load(trained.shards)
        if manifest.hash != trained.manifest_hash:
            raise ValueError(f"{trained.shards}: is {manifest.hash}, the run was on {trained.manifest_hash}")
        reading = Reading(manifest, config.read, config.seed, trained.folder, ranks.rank)
        windows = windows_of(reading.stream("validation", model.embedding.num_embeddings), config)
        if not windows.count:
            raise ValueError(f"{trained.shards}: no tokens in the split 'validation'; allowed is --tokens 0")
        losses = evaluate(model, windows, tokens, config.windows_per_pass, ranks)
    choices = {}
    if tasks:
        tokenizer = load_tokenizer(trained.folder)
        choices = {name: accuracy(model, tokenizer, one, trained.eos_id, ranks) for name, one in tasks.items()}
    evaluation = Evaluation(trained.step, losses, choices)
    if ranks.main:
        content = json.dumps(evaluation.to_json(), indent=2) + "\n"
        replace_file(trained.folder / f"evaluation-{trained.step:08d}.json", content.encode())
    return evaluation
