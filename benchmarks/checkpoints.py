"""What a checkpoint costs: how long training stands still for a save, how long until it is on disk, how long to resume.

    python -m benchmarks.checkpoints [--preset medium] [--vocabulary 32768] [--saves 5] [--folder DIR]

One process on the CPU; weights and AdamW's state of the preset, after one update by random gradients. ``in the
background``: ``Saver.save`` returns when all is copied, and that is the time training waits, as long as the save before
it is on disk. ``and waited for`` is the same save until it is on disk: what training would wait without a thread. The
first save also allocates the copy. ``torch.save`` of the same tensors, with fsync and no hash, for comparison.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from trainer.config import load_config
from trainer.model.decoder import Decoder
from trainer.optim import build_optimizer, optimizer_tensors, update
from trainer.saved.checkpoint import Saver, load_checkpoint


@contextmanager
def timed(into: list[tuple[float, float]]) -> Iterator[None]:
    """Append (wall, CPU) seconds of the block, of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    into.append((time.perf_counter() - wall, time.process_time() - cpu))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--saves", type=int, default=5)
    parser.add_argument("--folder", default=None)
    arguments = parser.parse_args()
    config = load_config(arguments.preset)
    device = torch.device("cpu")

    def fresh() -> tuple[Decoder, torch.optim.Optimizer]:
        model = Decoder(config.model, arguments.vocabulary)
        return model, build_optimizer(model, config.optimizer, device)

    model, optimizer = fresh()
    model.initialise(1)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    update(model, optimizer, 1e-3, torch.tensor(1.0), 1.0)
    tensors = {**dict(model.named_parameters()), **optimizer_tensors(model, optimizer)}
    print(
        f"{model.parameter_count():,} parameters, {sum(t.nbytes for t in tensors.values()) / 1e6:,.0f} MB a checkpoint"
    )
    times: dict[str, list[tuple[float, float]]] = {
        name: [] for name in ("first", "in the background", "and waited for", "torch.save", "load and restore")
    }
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        with Saver(Path(place) / "ours", keep=2) as saver:
            for step in range(arguments.saves + 1):
                whole = times["and waited for"] if step else []
                with timed(whole):
                    with timed(times["in the background" if step else "first"]):
                        saver.save(step, model, optimizer, {})
                    saver.wait()
        for _ in range(arguments.saves):
            with timed(times["torch.save"]), open(Path(place) / "theirs", "wb") as file:
                torch.save(tensors, file)
                file.flush()
                os.fsync(file.fileno())
        for _ in range(arguments.saves):
            other, empty = fresh()
            with timed(times["load and restore"]):
                checkpoint = load_checkpoint(Path(place) / "ours", print)
                assert checkpoint is not None
                checkpoint.restore(other, empty)
    print(f"{'':<20}{'wall s':>8}{'least':>8}{'most':>8}{'CPU s':>8}")
    for name, pairs in times.items():
        walls, cpus = zip(*pairs, strict=True)
        print(f"{name:<20}{median(walls):>8.2f}{min(walls):>8.2f}{max(walls):>8.2f}{median(cpus):>8.2f}")


if __name__ == "__main__":
    main()
