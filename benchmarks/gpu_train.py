"""MFU and tokens a second on one GPU: our model in bfloat16 and float8, and nanoGPT's beside it in the same call.

    python -m benchmarks.gpu_train [--sizes 124m 350m 1b] [--context 2048] [--steps 20] [--deterministic]
    python -m benchmarks.gpu_train --smoke

Ids are random and lie on the device, so that only the step is measured: forward, backward, clipping, update. Ours is
the step of ``trainer/loop.py``: blocks compiled, chunked loss, fused AdamW. nanoGPT's is
`benchmarks/rivals/nanogpt.py`, compiled whole, bfloat16, fused AdamW, an inner width such that a block has as many
parameters. Each case runs in a process of its own, ``--rounds`` times in turn; the best round counts. FLOPs:
``trainer/devices.py``, the same number for both; the peak is that of bfloat16 for both precisions, and MFU is null for
a device that is not in the table.

``--smoke`` runs what a CPU can with two tiny steps, to see that the script is whole. Its figures mean nothing.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.rivals import nanogpt
from trainer import parallel
from trainer.config import TrainConfig, load_config
from trainer.data.batches import Batch
from trainer.devices import flops_per_token, peak_flops
from trainer.loop import accumulate
from trainer.model.decoder import Decoder
from trainer.optim import build_optimizer, gradient_norm, update
from trainer.prepare import speed_up

VOCABULARY = 50_304
# (fields of the preset, windows in a pass): GPT-2's small and medium, and Llama 3.2 1B's shape
SIZES: dict[str, tuple[str, list[str], int]] = {
    "124m": ("gpt2", [], 16),
    "350m": ("gpt2", ["layers=24", "width=1024", "heads=16", "kv_heads=16", "feed_forward=2752"], 8),
    "1b": ("1b", [], 4),
    "smoke": ("tiny", ["layers=2"], 2),
}
RATE = 1e-4


def configuration(size: str, precision: str, context: int, deterministic: bool) -> TrainConfig:
    preset, shape, rows = SIZES[size]
    fields = [*(f"model.{field}" for field in shape), f"model.context={context}", f"tokens_per_step={rows * context}"]
    fields += [f"windows_per_pass={rows}", f"precision={precision}", f"deterministic={str(deterministic).lower()}"]
    return load_config(preset, assignments=fields)


def our_step(config: TrainConfig, ids: torch.Tensor, ranks: parallel.Ranks) -> tuple[Callable[[], float], int]:
    """(one update, which returns its loss; parameters)."""
    model = Decoder(config.model, VOCABULARY)
    model.initialise(1)
    model.to(ranks.device)
    speed_up(model, config, ranks.device)
    optimizer = build_optimizer(model, config.optimizer, ranks.device)
    batch = Batch(np.arange(len(ids)), ids[:, :-1], ids[:, 1:], None)

    def step() -> float:
        loss = accumulate(model, [batch], config.tokens_per_step, ranks)
        update(model, optimizer, RATE, gradient_norm(model), config.optimizer.clip)
        return loss.item()

    return step, model.parameter_count()


def nanogpt_step(config: TrainConfig, ids: torch.Tensor, ranks: parallel.Ranks) -> tuple[Callable[[], float], int]:
    shape = config.model
    block = (flops_per_token(shape, 0) - 12 * shape.layers * shape.width * shape.context) // (6 * shape.layers)
    inner = 64 * round((block - 4 * shape.width**2) / (2 * shape.width) / 64)
    sizes = (VOCABULARY, shape.context, shape.layers, shape.width, shape.heads, inner)
    plain = nanogpt.GPT(*sizes).to(ranks.device)
    optimizer = nanogpt.adamw(plain, RATE)
    model: Any = torch.compile(plain) if ranks.device.type == "cuda" else plain
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    def step() -> float:
        with ranks.autocast():
            loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.item())

    return step, sum(parameter.numel() for parameter in plain.parameters())


def case(size: str, precision: str, context: int, steps: int, deterministic: bool, rival: bool) -> dict[str, Any]:
    config = configuration(size, precision, context, deterministic)
    with parallel.start(config) as ranks:
        cuda = ranks.device.type == "cuda"
        name = torch.cuda.get_device_name(ranks.device) if cuda else "cpu"
        rows = config.windows_per_step
        ids = torch.randint(VOCABULARY, (rows, context + 1), device=ranks.device)
        step, parameters = (nanogpt_step if rival else our_step)(config, ids, ranks)
        for _ in range(5 if cuda else 1):  # the first ones compile
            step()
        began = time.perf_counter()
        for _ in range(steps):
            loss = step()  # reads the loss, so the device is done
        speed = steps * config.tokens_per_step / (time.perf_counter() - began)
    peak = peak_flops(name)
    flops = flops_per_token(config.model, VOCABULARY)  # nanoGPT's matrices are as many, to a multiple of 64
    return {
        "size": size,
        "tool": "nanoGPT" if rival else "ours",
        "precision": precision,
        "device": name,
        "parameters": parameters,
        "tokens_per_second": round(speed),
        "mfu": flops * speed / peak if peak else None,
        "peak_memory_gb": torch.cuda.max_memory_allocated() / 1e9 if cuda else None,
        "loss": loss,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["124m", "350m", "1b"])
    parser.add_argument("--context", type=int, default=2_048)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--case", nargs=3, metavar=("SIZE", "PRECISION", "TOOL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.sizes, arguments.context, arguments.steps, arguments.rounds = ["smoke"], 128, 2, 1
    if arguments.case:
        size, precision, tool = arguments.case
        rival = tool == "nanoGPT"
        print(json.dumps(case(size, precision, arguments.context, arguments.steps, arguments.deterministic, rival)))
        return
    precisions = ["float32"] if arguments.smoke else ["bfloat16", "float8"]
    cases = [
        case
        for size in arguments.sizes
        for case in [*((size, precision, "ours") for precision in precisions), (size, precisions[0], "nanoGPT")]
    ]
    best: dict[tuple[str, ...], dict[str, Any]] = {}
    for _ in range(arguments.rounds):
        for names in cases:
            command = [sys.executable, "-m", "benchmarks.gpu_train", "--case", *names]
            command += ["--context", str(arguments.context), "--steps", str(arguments.steps)]
            command += ["--deterministic"] * arguments.deterministic
            answer = subprocess.run(command, capture_output=True, text=True, check=False)
            if answer.returncode:
                print(f"{' '.join(names)}: {answer.stderr.strip().splitlines()[-1]}", flush=True)
                continue
            found = json.loads(answer.stdout.splitlines()[-1])
            best[names] = max(best.get(names, found), found, key=lambda each: each["tokens_per_second"])
            print(json.dumps(found), flush=True)
    print("\n| size | tool | precision | tokens/s | MFU | peak GB |\n| --- | --- | --- | --- | --- | --- |")
    for found in best.values():
        mfu = "null" if found["mfu"] is None else f"{found['mfu']:.1%}"
        memory = "" if found["peak_memory_gb"] is None else f"{found['peak_memory_gb']:.1f}"
        speed = f"{found['tokens_per_second']:,}"
        print(f"| {found['size']} | {found['tool']} | {found['precision']} | {speed} | {mfu} | {memory} |")


if __name__ == "__main__":
    main()
