"""What a run uses: seconds, joules and money, in all and for what came of it.

Decisions:
- Used is what all starts used, also for steps that were lost to a kill, skipped, or done anew: each rank keeps its own
  file ``usage/rank-00000.json``, written twice a minute, and no exchange between ranks is needed. Useful is what moved
  the model that there is now: it is part of the checkpoint, so going back takes it back. Goodput is the useful share of
  the wall time since ``prepare``: start-up, evaluation and saving are the rest.
- GPUs count their own energy (NVML, Volta and later), processors theirs where the kernel lets it be read (RAPL: whole
  packages, whoever else uses them, so one rank of a machine reads it). Elsewhere processor time · watts of a core
  stands in and is called an estimate.
"""

import ctypes
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from trainer.config import CostConfig
from trainer.files import replace_file
from trainer.parallel import Ranks

FOLDER = "usage"
WRITE_SECONDS = 30.0
POWERCAP = Path("/sys/class/powercap")
Counter = Callable[[], float]


@dataclass
class Usage:
    """Of one rank, over all starts. ``tokens``: targets of all ranks' steps. ``measured_by``: all ways in which joules
    were found.
    """

    starts: int = 0
    seconds: float = 0.0
    joules: float = 0.0
    tokens: int = 0
    measured_by: str = ""


class Meter:
    """Counts from now on, on top of what this rank used in earlier starts of the run in ``folder``."""

    def __init__(self, folder: Path, ranks: Ranks, watts_per_core: float) -> None:
        self._path = folder / FOLDER / f"rank-{ranks.rank:05d}.json"
        self.usage = Usage(**json.loads(self._path.read_text())) if self._path.exists() else Usage()
        self.usage.starts += 1
        self._counters = counters(ranks.device, watts_per_core)
        before = filter(None, self.usage.measured_by.split(" + "))
        self.usage.measured_by = " + ".join(dict.fromkeys([*before, *self._counters]))
        self._at = self._written = time.perf_counter()
        self._joules = {name: read() for name, read in self._counters.items()}

    def step(self, tokens: int) -> None:
        self.usage.tokens += tokens
        if time.perf_counter() - self._written > WRITE_SECONDS:
            self.write()

    @property
    def seconds(self) -> float:
        """Used so far, over all starts."""
        return self.usage.seconds + time.perf_counter() - self._at

    def write(self) -> None:
        """Bring the rank's file up to now."""
        now = time.perf_counter()
        self.usage.seconds += now - self._at
        for name, read in self._counters.items():
            joules = read()
            self.usage.joules += joules - self._joules[name]
            self._joules[name] = joules
        self._at = self._written = now
        self._path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(self._path, (json.dumps(asdict(self.usage)) + "\n").encode())


def summary(folder: Path, useful_seconds: float, useful_tokens: int, cost: CostConfig) -> dict[str, Any]:
    """What all ranks of the run in ``folder`` used; None where something was not measured or has no price."""
    ranks = [Usage(**json.loads(path.read_text())) for path in sorted((folder / FOLDER).glob("rank-*.json"))]
    first, joules = ranks[0], sum(rank.joules for rank in ranks)
    hours = sum(rank.seconds for rank in ranks) / 3600
    money = None if cost.price_per_hour is None else cost.price_per_hour * hours

    def each(amount: float | None, tokens: int) -> float | None:
        return None if amount is None or not tokens else amount / tokens

    return {
        "starts": first.starts,
        "seconds": first.seconds,
        "useful_seconds": useful_seconds,
        "goodput": useful_seconds / first.seconds,
        "device_hours": hours,
        "tokens": first.tokens,
        "useful_tokens": useful_tokens,
        "measured_by": first.measured_by,
        "joules": joules,
        "kwh": joules / 3.6e6,
        "joules_per_token": each(joules, first.tokens),
        "joules_per_useful_token": each(joules, useful_tokens),
        "money": money,
        "money_per_token": each(money, first.tokens),
        "money_per_useful_token": each(money, useful_tokens),
    }


def in_words(used: dict[str, Any]) -> str:
    """A summary in one line."""
    money = "" if used["money"] is None else f", {used['money']:,.2f} in money"
    each = used["joules_per_useful_token"]
    return (
        f"{used['seconds']:,.0f} s in {used['starts']} starts, {used['goodput']:.0%} of it moved the model; "
        f"{used['kwh']:.3g} kWh by {used['measured_by']}{money}"
        + ("" if each is None else f"; {each:.3g} J a useful token")
    )


def counters(device: torch.device, watts_per_core: float) -> dict[str, Counter]:
    """What can be read here, by name: functions to joules since some moment."""
    found: dict[str, Counter] = {}
    if device.type == "cuda" and (gpu := nvml(str(torch.cuda.get_device_properties(device).uuid))):
        found["NVML"] = gpu
    packages = rapl(POWERCAP)
    if packages is None:
        found[f"estimate of {watts_per_core:g} W a busy core"] = lambda: time.process_time() * watts_per_core
    elif os.environ.get("LOCAL_RANK", "0") == "0":
        found["RAPL"] = packages
    return found


def nvml(uuid: str) -> Counter | None:
    """A GPU's own counter, by the UUID that CUDA knows it by; None where the driver has none.

    ``nvmlDeviceGetTotalEnergyConsumption``: millijoules since the driver was loaded, for the whole board.
    """
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
        handle, energy = ctypes.c_void_p(), ctypes.c_ulonglong()
        name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        started = library.nvmlInit_v2() == 0
        opened = started and library.nvmlDeviceGetHandleByUUID(name.encode(), ctypes.byref(handle)) == 0
        if not opened or library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy)):
            return None
    except (OSError, AttributeError):  # no driver, or one from before the function
        return None

    def read() -> float:
        library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(energy))
        return energy.value / 1e3

    return read


def rapl(folder: Path) -> Counter | None:
    """All processor packages together, as the kernel's powercap tree has them; None where it may not be read.

    Their counters, in microjoules, begin anew at ``max_energy_range_uj``, after some minutes of full load: read often.
    """
    packages = sorted(path for path in folder.glob("intel-rapl:*") if path.name.count(":") == 1)
    try:
        ranges = [int((path / "max_energy_range_uj").read_text()) for path in packages]
        last = [int((path / "energy_uj").read_text()) for path in packages]
    except (OSError, ValueError):  # for root alone since CVE-2020-8694
        return None
    if not packages:
        return None
    total = 0

    def read() -> float:
        nonlocal total
        for number, path in enumerate(packages):
            now = int((path / "energy_uj").read_text())
            total += now - last[number] if now >= last[number] else now - last[number] + ranges[number]
            last[number] = now
        return total / 1e6

    return read
