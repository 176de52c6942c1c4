"""Training on a CPU: our loop, nanoGPT's, and transformers' Trainer; the same ids, batch, context and size of model.

    python -m benchmarks.training SHARDS [--rivals RIVALS/bin/python] [--preset tiny] [--threads 1] [--set FIELD=VALUE…]

Each loop runs in a process of its own; rounds are interleaved and the best of each counts, for other work may be on
the machine. Tokens a second of CPU time are what is compared, over ``--steps`` steps after ``--warm`` ones. Ours is the
whole of ``trainer train`` but for evaluation: proven reading, steps watched, metrics and TensorBoard each step, a
checkpoint at the end. nanoGPT's is `benchmarks/rivals/nanogpt.py`, its inner width such that a block has as many
parameters as ours. Trainer, without logging or saving, has a Llama of exactly our shape. RIVALS has
benchmarks/rivals/training.txt.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dataprep.shards import Manifest
from trainer import loop, parallel
from trainer.config import TrainConfig, load_config, parse_config
from trainer.data.stream import TokenStream
from trainer.prepare import prepare
from trainer.saved import record
from trainer.saved.metrics import read_metrics

RIVALS = Path(__file__).parent / "rivals"
MOST_TOKENS = 4_000_000
"""As many ids are written for the others as no run here comes to read."""


def ours(settings: dict[str, Any]) -> dict[str, float]:
    torch.set_num_threads(settings["threads"])
    used: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        for steps in (settings["warm"], settings["warm"] + settings["steps"]):
            config = parse_config(settings["config"] | {"steps": steps})
            with parallel.start(config) as ranks:
                run = prepare(settings["shards"], Path(name), config, None, ranks, lambda _line: None)
                wall, cpu = time.perf_counter(), time.process_time()
                loop.train(run)
                used = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        used |= {"loss": [row["loss"] for row in read_metrics(Path(name)) if "loss" in row][-1]}
    return used | {"parameters": run.model.parameter_count()}


def settings_of(shards: str, config: TrainConfig, threads: int, warm: int, steps: int, folder: Path) -> dict[str, Any]:
    manifest = Manifest.load(shards)
    model = config.model
    vocabulary = record.embedding_rows(manifest.vocabulary_size)
    stream = TokenStream(manifest, "train", vocabulary)
    ids = np.empty(min(stream.tokens, MOST_TOKENS), np.int64)
    stream.read_runs(np.zeros(1, np.int64), np.array([len(ids)]), ids)
    ids.astype(np.uint16).tofile(folder / "ids")
    keys_and_values = 2 * model.head_width * model.kv_heads
    block = model.width * (2 * model.width + keys_and_values + 3 * model.feed_forward)
    return {
        "shards": shards,
        "config": config.model_dump(mode="json"),
        "ids": str(folder / "ids"),
        "vocabulary": vocabulary,
        "inner": round((block - 4 * model.width**2) / (2 * model.width)),
        "rows": config.windows_per_step,
        "rate": config.optimizer.learning_rate,
        "threads": threads,
        "warm": warm,
        "steps": steps,
        **{name: getattr(model, name) for name in ("context", "layers", "width", "heads", "kv_heads", "feed_forward")},
    }


def measured(command: list[str]) -> dict[str, float]:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(f"{' '.join(command)}:\n{answer.stderr}")
    used: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return used


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards")
    parser.add_argument("--rivals")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    quiet = [
        "device=cpu",
        "evaluate_every=1000000",
        "evaluate_tokens=1",
        "checkpoint_every=1000000",
        "watch.sample_tokens=0",
    ]
    config = load_config(arguments.preset, assignments=[*quiet, *arguments.set])
    with tempfile.TemporaryDirectory() as name:
        settings = settings_of(arguments.shards, config, arguments.threads, arguments.warm, arguments.steps, Path(name))
        file = Path(name) / "settings.json"
        file.write_text(json.dumps(settings))
        commands = {
            "ours": [sys.executable, "-c", f"from benchmarks.training import child; child({str(file)!r})"],
            "nanoGPT": [sys.executable, str(RIVALS / "nanogpt.py"), str(file)],
        }
        if arguments.rivals:
            commands["transformers"] = [arguments.rivals, str(RIVALS / "training_transformers.py"), str(file)]
        best: dict[str, dict[str, float]] = {}
        for _ in range(arguments.rounds):
            for tool, command in commands.items():
                used = measured(command)
                best[tool] = min(best.get(tool, used), used, key=lambda each: each["cpu"])
    tokens = arguments.steps * config.tokens_per_step
    print("| loop | parameters | tokens per CPU second | per second | CPU ms a step |\n| --- | --- | --- | --- | --- |")
    for tool, used in best.items():
        speeds = f"{tokens / used['cpu']:,.0f} | {tokens / used['wall']:,.0f}"
        step = 1000 * used["cpu"] / arguments.steps
        print(f"| {tool} | {used['parameters'] / 1e6:.2f}M | {speeds} | {step:,.0f} |")


def child(file: str) -> None:
    print(json.dumps(ours(json.loads(Path(file).read_text()))))


if __name__ == "__main__":
    main()
