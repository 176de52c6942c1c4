"""Where a run computes: ranks, device, precision, threads. Everything torch needs to know about the machine is here.

Decisions:
- Started by torchrun, every process is one rank: NCCL between GPUs, gloo between CPUs. DDP keeps the model whole on
  each, FSDP2 (``fully_shard``) a shard of every block; between groups of shards FSDP2 is HSDP. The model is built whole
  and then cut, so it starts the same however it is cut.
- Tensor parallelism splits the matrices of a block by heads and by inner features (Shoeybi et al. 2019), always under
  FSDP2. Embedding, head and norms are not split: the loss takes the head's weight in chunks, so whole logits, which
  splitting the head would save, are never there. What is not split is computed by every rank of a tensor group for
  itself and has to come out the same, so the run must be deterministic.
- Context parallelism is not here. Windows of pre-training fit one GPU, and attention would need a ring of its own.
- With bfloat16, FSDP2 gathers the blocks' weights in it: left to autocast, the backward pass would need a copy of every
  block in bfloat16 at once. Activations between blocks, embedding, head and sums of gradients stay as on one device.
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
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.distributed.algorithms.ddp_comm_hooks.powerSGD_hook import PowerSGDState, powerSGD_hook
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

from trainer.config import ParallelConfig, TrainConfig
from trainer.model.decoder import Block, Decoder
from trainer.rendezvous import meet

T = TypeVar("T")
POWERSGD_RANK = 4
"""Vogels et al. 2019 (arXiv 1905.13727): rank 4 trained their LSTM language model to the perplexity of plain SGD."""
POWERSGD_AFTER = 1_000
"""PyTorch's default: so many updates of a start travel whole, for early gradients are not of low rank."""


WHOLE = ParallelConfig()


@dataclass(frozen=True)
class Ranks:
    """This process among ``world_size``; alone, every exchange is the identity.

    ``mesh`` [replicas, shard, tensor] when parameters are sharded. ``files``: a group of its own, so that another
    thread may exchange what it wrote while this one trains.
    """

    rank: int
    world_size: int
    device: torch.device
    autocast_dtype: torch.dtype | None = None
    parallel: ParallelConfig = WHOLE
    mesh: DeviceMesh | None = None
    files: dist.ProcessGroup | None = None

    @property
    def main(self) -> bool:
        return self.rank == 0

    @property
    def data_rank(self) -> int:
        """Which of the ``data_size`` parts of a batch this rank computes; a tensor group computes one together."""
        return self.rank // self.parallel.tensor

    @property
    def data_size(self) -> int:
        return self.world_size // self.parallel.tensor

    def rounding(self) -> dict[str, Any]:
        """What decides in which order floats are added, so the last bits of every loss; for a person to compare."""
        return {
            "device": self.device.type,
            "ranks": self.world_size,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def sum(self, tensor: Tensor) -> Tensor:
        """Over the parts of a batch, in place; on every rank."""
        if self.rank % self.parallel.tensor:  # the first of its tensor group brings the same figure
            tensor.zero_()
        return self._reduce(tensor, dist.ReduceOp.SUM)

    def max(self, tensor: Tensor) -> Tensor:
        return self._reduce(tensor, dist.ReduceOp.MAX)

    def from_main(self, value: int) -> int:
        """Rank 0's value, on every rank."""
        tensor = torch.tensor([value if self.main else 0], device=self.device)
        return int(self.sum(tensor).item())

    def gather(self, value: T) -> list[T]:
        """Every rank's value, a small one, by rank. Not from two threads at once."""
        if self.files is None:
            return [value]
        values: list[Any] = [None] * self.world_size
        dist.all_gather_object(values, value, group=self.files)
        return values

    def place(self, model: Decoder) -> None:
        """Put it on the device: whole, or this rank's shards of it, in its place."""
        if self.mesh is None:
            model.to(self.device)
            return
        if self.parallel.tensor > 1:
            _split_blocks(model, self.mesh["tensor"])
        shards = self.mesh["replicas", "shard"] if self.mesh["replicas"].size() > 1 else self.mesh["shard"]
        policy = MixedPrecisionPolicy(
            param_dtype=self.autocast_dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        for block in model.blocks:
            fully_shard(block, mesh=shards, mp_policy=policy)
        # FSDP2 leaves what is outside the blocks whole after a forward pass, for a backward one; without one, nothing
        # would cut it again, and optimizer and checkpoint would see whole weights
        fully_shard(model, mesh=shards)
        model.register_forward_hook(_cut_again)

    def wrap(self, model: nn.Module) -> nn.Module:
        """What takes the gradients of all ranks together. Sharded models do so themselves."""
        if self.world_size == 1 or self.mesh is not None:
            return model
        # its buffers are tables, the same everywhere
        wrapped = DistributedDataParallel(model, broadcast_buffers=False)
        if self.parallel.compress == "bfloat16":
            wrapped.register_comm_hook(None, _as_bfloat16)
        elif self.parallel.compress == "powersgd":
            wrapped.register_comm_hook(PowerSGDState(None, POWERSGD_RANK, POWERSGD_AFTER), powerSGD_hook)
        return wrapped

    def autocast(self) -> AbstractContextManager[None]:
        if self.autocast_dtype is None:
            return nullcontext()
        return torch.autocast(self.device.type, self.autocast_dtype)

    def _reduce(self, tensor: Tensor, operation: dist.ReduceOp.RedOpType) -> Tensor:
        if self.world_size > 1:
            dist.all_reduce(tensor, operation)
        return tensor


ALONE = Ranks(0, 1, torch.device("cpu"))


def _as_bfloat16(group: Any, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """PyTorch's hook under another name: under its own, DDP lets only NCCL use it, and gloo adds bfloat16 as well."""
    return bf16_compress_hook(group, bucket)


def _cut_again(model: nn.Module, _inputs: Any, _output: Any) -> None:
    if not torch.is_grad_enabled():
        cast(FSDPModule, model).reshard()


def _split_blocks(model: Decoder, group: DeviceMesh) -> None:
    """Each rank of the group computes its share of the heads and of the inner features of every block."""
    styles: dict[str, ParallelStyle] = {name: ColwiseParallel() for name in ("q_proj", "k_proj", "v_proj")}
    styles |= {name: ColwiseParallel() for name in ("gate_proj", "up_proj")}
    styles |= {name: RowwiseParallel() for name in ("o_proj", "down_proj")}
    # gains of queries and keys, [B, heads, T, E]: each rank has the part of their gradient that its heads give
    styles |= {name: SequenceParallel(sequence_dim=1, use_local_output=True) for name in ("q_norm", "k_norm")}
    for block in model.blocks:
        assert isinstance(block, Block)
        for part in (block.attention, block.feed_forward):
            split = {name: styles[name] for name, child in part.named_children() if list(child.parameters())}
            parallelize_module(part, group, split)
        block.attention.heads //= group.size()
        block.attention.kv_heads //= group.size()


@contextmanager
def start(config: TrainConfig) -> Iterator[Ranks]:
    """Join the other ranks, set threads and determinism; leave them at the end.

    Raises ``ValueError`` when ``device`` asks for hardware that is not there, or ``parallel`` for other ranks.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    check_ranks(config, world_size)
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
    precision = _autocast_dtype(config.precision, device)
    if world_size == 1:
        yield Ranks(0, 1, device, precision)
        return
    rank = int(os.environ["RANK"])
    dist.init_process_group("nccl" if cuda else "gloo", store=meet(rank, world_size), rank=rank, world_size=world_size)
    try:
        files, mesh = dist.new_group(backend="gloo"), None
        if config.parallel.strategy == "fsdp":
            tensor = config.parallel.tensor
            shard = config.parallel.shard or world_size // tensor
            shape = (world_size // tensor // shard, shard, tensor)
            mesh = init_device_mesh(device.type, shape, mesh_dim_names=("replicas", "shard", "tensor"))
            if tensor > 1:
                mesh["shard", "tensor"]._flatten()  # so that the gradient norm is added over both at once
        yield Ranks(dist.get_rank(), world_size, device, precision, config.parallel, mesh, files)
    finally:
        dist.destroy_process_group()


def check_ranks(config: TrainConfig, ranks: int) -> None:
    """Raise ``ValueError`` when so many ranks cannot share this run's work as ``parallel`` says."""
    parallel, model = config.parallel, config.model
    tensor = parallel.tensor
    if ranks % tensor:
        raise ValueError(f"parallel.tensor is {tensor}: allowed are divisors of the number of ranks ({ranks})")
    for name, size in (("heads", model.heads), ("kv_heads", model.kv_heads), ("feed_forward", model.feed_forward)):
        if size % tensor:
            raise ValueError(f"parallel.tensor is {tensor}: allowed are divisors of model.{name} ({size})")
    if tensor > 1 and config.precision == "float8":
        raise ValueError(f"precision is 'float8': allowed is 'bfloat16' with parallel.tensor above 1 ({tensor})")
    if tensor > 1 and not config.deterministic:
        raise ValueError(f"deterministic is False: allowed is True with parallel.tensor above 1 ({tensor})")
    parts = ranks // tensor
    if parallel.shard is not None and ranks > 1 and parts % parallel.shard:
        raise ValueError(f"parallel.shard is {parallel.shard}: allowed are divisors of ranks / tensor ({parts})")
    if config.windows_per_step < parts:
        raise ValueError(
            f"tokens_per_step is {config.tokens_per_step}: allowed is at least one window "
            f"of {model.context} tokens for each of {parts} ranks"
        )
    if parallel.strategy == "fsdp" and config.windows_per_step % parts:
        # weights are gathered in every pass by all ranks: none may have a pass more than another
        raise ValueError(
            f"tokens_per_step is {config.tokens_per_step}: allowed are multiples of model.context × the ranks "
            f"that share a batch ({model.context * parts}) with parallel.strategy fsdp"
        )


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
