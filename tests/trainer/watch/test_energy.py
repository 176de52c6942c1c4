"""Joules come from what the machine says, else from a stated estimate."""

import json
from pathlib import Path

import pytest
import torch

from trainer.config import CostConfig
from trainer.parallel import Ranks
from trainer.watch import energy


def package(folder: Path, number: str, now: int) -> Path:
    path = folder / f"intel-rapl:{number}"
    path.mkdir(parents=True, exist_ok=True)
    (path / "max_energy_range_uj").write_text("1000000\n")
    (path / "energy_uj").write_text(f"{now}\n")
    return path


def test_packages_are_summed_their_parts_are_not_and_counters_that_begin_anew_go_on(tmp_path: Path) -> None:
    package(tmp_path, "0", 900_000)
    package(tmp_path, "1", 100)
    package(tmp_path, "0:0", 5)
    read = energy.rapl(tmp_path)
    assert read is not None
    assert read() == 0
    package(tmp_path, "0", 200_000)  # past the end of its range
    package(tmp_path, "1", 500_100)
    package(tmp_path, "0:0", 900_000)
    assert read() == pytest.approx(0.3 + 0.5)
    package(tmp_path, "0", 200_001)
    assert read() == pytest.approx(0.800001)


def test_without_a_counter_that_may_be_read_there_is_none(tmp_path: Path) -> None:
    assert energy.rapl(tmp_path) is None
    (package(tmp_path, "0", 1) / "energy_uj").unlink()
    assert energy.rapl(tmp_path) is None


def test_the_estimate_is_processor_time_times_watts_and_is_called_one(tmp_path: Path) -> None:
    found = energy.counters(torch.device("cpu"), 12.0)
    if "RAPL" in found:
        pytest.skip("this machine lets its energy be read")
    (name,) = found
    assert name == "estimate of 12 W a busy core"
    double = energy.counters(torch.device("cpu"), 24.0).popitem()[1]
    assert double() == pytest.approx(2 * found[name](), rel=0.05)


def test_joules_that_were_estimated_once_are_called_so_in_later_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("an estimate", "RAPL", "RAPL"):
        monkeypatch.setattr(energy, "counters", lambda _device, _watts, name=name: {name: lambda: 0.0})
        meter = energy.Meter(tmp_path, Ranks(0, 1, torch.device("cpu")), 12.0)
        meter.write()
    assert (meter.usage.measured_by, meter.usage.starts) == ("an estimate + RAPL", 3)


def test_a_gpu_counts_its_own_joules() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU here")
    read = energy.nvml(str(torch.cuda.get_device_properties(0).uuid))
    assert read is not None
    before = read()
    for _ in range(200):
        torch.randn(4_096, 4_096, device="cuda") @ torch.randn(4_096, 4_096, device="cuda")
    torch.cuda.synchronize()
    assert 0 < read() - before < 10_000


def test_a_summary_adds_all_ranks_and_has_no_money_without_a_price(tmp_path: Path) -> None:
    folder = tmp_path / energy.FOLDER
    for rank in (0, 1):
        meter = energy.Meter(tmp_path, Ranks(rank, 2, torch.device("cpu"), None), 12.0)
        meter.step(100)
        meter.write()
        path = folder / f"rank-{rank:05d}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 1800.0, "joules": 5.0}))
    used = energy.summary(tmp_path, 900.0, 50, CostConfig())
    assert (used["goodput"], used["device_hours"], used["joules"], used["tokens"]) == (0.5, 1.0, 10.0, 100)
    assert (used["joules_per_token"], used["joules_per_useful_token"], used["money"]) == (0.1, 0.2, None)
    priced = energy.summary(tmp_path, 900.0, 0, CostConfig(price_per_hour=2.5))
    assert (priced["money"], priced["money_per_token"], priced["money_per_useful_token"]) == (2.5, 0.025, None)
