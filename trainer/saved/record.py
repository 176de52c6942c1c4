"""``run.json``: what a run is, so that starting it again means the same run or is refused."""

import json
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fsspec
import torch
import xxhash

from dataprep.shards import Manifest
from trainer.config import MAY_CHANGE, PhaseConfig, TrainConfig, differences, parse_config
from trainer.data.mixture import SourcePlan
from trainer.files import replace_file
from trainer.parallel import Ranks, usable_cpus

NAME = "run.json"
TOKENIZER = "tokenizer.json"


def embedding_rows(vocabulary_size: int) -> int:
    """Rows of the model's embedding: the next multiple of 64, the size matrix kernels like."""
    return -(-vocabulary_size // 64) * 64


def read(folder: Path) -> dict[str, Any] | None:
    """None when the directory holds no run. Raises ``ValueError`` naming the file when it is damaged."""
    path = folder / NAME
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path}: damaged ({error})") from None


def of_a_run(folder: Path) -> dict[str, Any]:
    """As ``read``, of a directory that has to hold a run; raises ``ValueError`` when it does not."""
    value = read(folder)
    if value is None:
        raise ValueError(f"{folder}: no {NAME}, not a run directory of trainer train")
    return value


def check_same_run(
    folder: Path,
    earlier: dict[str, Any],
    config: TrainConfig,
    manifest: Manifest,
    rounding: Mapping[str, Any],
    step: int,
    say: Callable[[str], None],
) -> None:
    """Raise ``ValueError`` when the directory holds a run on other shards or of another kind; say what else changed.

    ``step``: how many steps are taken; what they were a mixture of does not change any more. ``rounding`` (see
    ``Ranks.rounding``) may change: then losses may differ in their last bits from those of a run that was never
    stopped.
    """
    if earlier["manifest"] != manifest.hash:
        raise ValueError(
            f"{folder}: this run is on the shards {earlier['manifest']}, {manifest.path} is {manifest.hash}: "
            f"allowed are the same shards, or another --run directory"
        )
    for name, (before, now) in differences(parse_config(earlier["config"]), config).items():
        if name == "data.mixture":
            if [p for p in before if p.from_step < step] != [p for p in now if p.from_step < step]:
                raise ValueError(
                    f"{name} is {_in_words(now)}: the run in {folder} has taken {step} steps with {_in_words(before)}; "
                    f"allowed are the same phases up to there and others from step {step}, or another --run directory"
                )
            before, now = _in_words(before), _in_words(now)
        elif name not in MAY_CHANGE:
            raise ValueError(
                f"{name} is {now!r}: the run in {folder} has {before!r}; "
                f"allowed is the same, or another --run directory"
            )
        say(f"changed    {name} from {before} to {now}")
    for name, now in rounding.items():
        before = earlier.get("rounding", {}).get(name, now)
        if before != now:
            say(f"changed    {name} from {before} to {now}: the last bits of losses may differ from here on")
    if earlier.get("code", now_code := code()) != now_code:
        say("changed    the trainer's own code: losses may differ from here on")


def _in_words(phases: Sequence[PhaseConfig]) -> str:
    return "; ".join(f"{phase.weights} from step {phase.from_step}" for phase in phases) or "none"


def write(
    folder: Path,
    config: TrainConfig,
    manifest: Manifest,
    tokenizer: str | None,
    parameters: int,
    embedding_rows: int,
    ranks: Ranks,
    plan: Sequence[SourcePlan],
) -> None:
    """Record the run as it is now started, and copy its tokenizer beside it. What was used before stays on record."""
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer is not None:
        with fsspec.open(tokenizer, "rb") as handle:
            replace_file(folder / TOKENIZER, handle.read())
    value = {
        "config": config.model_dump(),
        "shards": manifest.path if "://" in manifest.path else os.path.abspath(manifest.path),
        "manifest": manifest.hash,
        "tokenizer_fingerprint": manifest.tokenizer_fingerprint,
        "eos_id": manifest.eos_id,
        "vocabulary_size": manifest.vocabulary_size,
        "embedding_rows": embedding_rows,
        "parameters": parameters,
        "rounding": ranks.rounding(),
        "code": code(),
        "environment": environment(ranks),
        "plan": [asdict(source) for source in plan],
    }
    _replace(folder, value | {name: used for name, used in (read(folder) or {}).items() if name == "usage"})


def add(folder: Path, name: str, value: Any) -> None:
    """Put what came of a run into its record, such as ``achieved``: targets of each source that it has seen."""
    _replace(folder, (read(folder) or {}) | {name: value})


def code() -> dict[str, str]:
    """Which trainer this is: the package's version, and a hash over the trainer's own files."""
    digest = xxhash.xxh3_128()
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    try:
        installed = version("corpusmill")
    except PackageNotFoundError:  # run from a checkout
        installed = "not installed"
    return {"version": installed, "trainer": digest.hexdigest()}


def environment(ranks: Ranks) -> dict[str, Any]:
    """What a run was computed with, as far as it may matter to someone who repeats it."""
    names = ("torch", "numpy", "pyarrow", "safetensors", "tokenizers", "xxhash")
    cuda = ranks.device.type == "cuda"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {name: version(name) for name in names},
        "device": torch.cuda.get_device_name(ranks.device) if cuda else platform.processor() or platform.machine(),
        "cuda": torch.version.cuda if cuda else None,
        "cpus": usable_cpus(),
    }


def _replace(folder: Path, value: dict[str, Any]) -> None:
    replace_file(folder / NAME, (json.dumps(value, indent=2, sort_keys=True) + "\n").encode())
