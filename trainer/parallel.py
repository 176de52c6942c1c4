"""Where a run computes: ranks, device, precision, threads. Everything torch needs to know about the machine is here.

Decisions:
- Started by torchrun, every process is one rank of data parallelism (DDP): NCCL between GPUs, gloo between CPUs.
- bfloat16 where a GPU computes in it; float8 is that, outside of the layers that multiply in 8 bits. On CPUs float32:
  emulated bfloat16 is slower and native support is rare.
- CPU threads: at most what the process may use, by affinity and cgroup; torch counts the machine's cores, which in a
  container starts dozens of threads on two cores.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer.config import TrainConfig


@dataclass(frozen=True)
class Ranks:
    """This process among ``world_size``; alone, every exchange is the identity."""

    rank: int
    world_size: int
    device: torch.device
    autocast_dtype: torch.dtype | None

    @property
    def main(self) -> bool:
        return self.rank == 0

    def rounding(self) -> dict[str, Any]:
        """What decides in which order floats are added, so the last bits of every loss; for a person to compare."""
        return {
            "device": self.device.type,
            "ranks": self.world_size,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def sum(self, tensor: Tensor) -> Tensor:
        return self._reduce(tensor, dist.ReduceOp.SUM)

    def max(self, tensor: Tensor) -> Tensor:
        return self._reduce(tensor, dist.ReduceOp.MAX)

    def from_main(self, value: int) -> int:
        """Rank 0's value, on every rank."""
        tensor = torch.tensor([value if self.main else 0], device=self.device)
        return int(self.sum(tensor).item())

    def wrap(self, model: nn.Module) -> nn.Module:
        return DistributedDataParallel(model) if self.world_size > 1 else model

    def autocast(self) -> AbstractContextManager[None]:
        if self.autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.autocast_dtype)

    def _reduce(self, tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        if self.world_size > 1:
            dist.all_reduce(tensor, operation)
        return tensor


@contextmanager
def start(config: TrainConfig) -> Iterator[Ranks]:
    """Join the other ranks, set threads and determinism; leave them at the end.

    Raises ``ValueError`` when ``device`` asks for hardware that is not there.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = torch.cuda.is_available() if config.device == "auto" else config.device == "cuda"
    if cuda and not torch.cuda.is_available():
        raise ValueError("device is 'cuda': torch sees no such device here; allowed are 'auto' and 'cpu'")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")
    elif "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), usable_cpus()))
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that costs time
    if world_size > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    try:
        rank = dist.get_rank() if world_size > 1 else 0
        yield Ranks(rank, world_size, device, _autocast_dtype(config.precision, device))
    finally:
        if world_size > 1:
            dist.destroy_process_group()


def _autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    if precision == "auto":
        precision = "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return torch.bfloat16 if precision in ("bfloat16", "float8") else None


def usable_cpus() -> int:
    """Processors this process may keep busy: its affinity, further limited by a cgroup's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:  # cgroup 2, as seen from inside a container: "max 100000" or "<quota> <period>" in microseconds
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cpus, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return cpus
