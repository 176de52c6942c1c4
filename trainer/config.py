"""Every number of a run.

Decisions:
- A preset, or ``depth``, fills every field (``trainer/presets.py``); a YAML file, then ``--set field=value``, then the
  main flags lay over it, field by field.
- The vocabulary is not here: it is the tokenizer's, and the shards' manifest knows it.
- Lengths of warmup and decay are fractions of the run, so that a shorter run is the same recipe.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trainer.presets import DEFAULT_PRESET, PRESETS, of_depth


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelConfig(Settings):
    """``context`` is the window length in tokens; ``feed_forward`` the inner width of SwiGLU."""

    layers: int = Field(ge=1)
    width: int = Field(ge=2)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    feed_forward: int = Field(ge=1)
    context: int = Field(ge=2)
    rope_theta: float = Field(default=10_000.0, gt=1)
    norm_eps: float = Field(default=1e-5, gt=0)
    tied_embeddings: bool = True
    qk_norm: bool = False

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(f"width is {self.width}: allowed are even multiples of heads ({self.heads})")
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads is {self.kv_heads}: allowed are divisors of heads ({self.heads})")
        return self


class OptimizerConfig(Settings):
    """AdamW (Loshchilov & Hutter 2019), or ``muon``: Muon for the matrices of the blocks and AdamW for the rest, at the
    same rate and decay (``trainer/optim.py``). ``momentum`` is Muon's; ``clip`` bounds the global gradient norm.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = Field(gt=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    epsilon: float = Field(default=1e-8, gt=0)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    weight_decay: float = Field(default=0.1, ge=0)
    clip: float = Field(default=1.0, gt=0)


class ScheduleConfig(Settings):
    """``cosine``: warmup, then half a cosine to the end. ``wsd``: warmup, stable, then linear over the last part."""

    shape: Literal["cosine", "wsd"] = "cosine"
    warmup_fraction: float = Field(default=0.05, ge=0, lt=1)
    decay_fraction: float = Field(default=0.2, ge=0, le=1)
    final_fraction: float = Field(default=0.1, ge=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shape == "wsd" and self.warmup_fraction + self.decay_fraction > 1:
            raise ValueError(
                f"decay_fraction is {self.decay_fraction}: allowed is at most 1 - warmup_fraction "
                f"({1 - self.warmup_fraction:g})"
            )
        return self


class PhaseConfig(Settings):
    """Shares of tokens by source from ``from_step`` on. They are relative; a source without one is not trained on."""

    from_step: int = Field(default=0, ge=0)
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError(f"weights is {self.weights}: allowed is at least one weight above 0")
        return self


class DataConfig(Settings):
    """What a window is. ``packing``: ``windows`` cuts the stream every ``context`` tokens, ``documents`` packs whole
    documents. ``mask_documents``: attention and positions keep the documents of a window apart.

    Without a ``mixture`` each source has the share of tokens it has. ``max_epochs``: by source.
    """

    packing: Literal["windows", "documents"] = "windows"
    mask_documents: bool = False
    mixture: tuple[PhaseConfig, ...] = ()
    max_epochs: dict[str, Annotated[float, Field(gt=0)]] = {}

    @model_validator(mode="after")
    def _phases_in_order(self) -> Self:
        steps = [phase.from_step for phase in self.mixture]
        if steps and (steps[0] != 0 or any(a >= b for a, b in pairwise(steps))):
            raise ValueError(f"mixture has the from_steps {steps}: allowed are rising ones, the first 0")
        return self


class ReadConfig(Settings):
    """How tokens are read: what is proven and how fast, never which tokens a step sees.

    ``verify``: every MiB when it is first touched, a seeded ``verify_share`` of them, or none; shards on a store are
    always proven in full. ``on_damage``: ``skip`` goes on without the windows that touch a damaged MiB, on record.
    ``threads`` make the batches of the next ``ahead`` steps; 0 makes each when it is needed. Shards on a store are kept
    in the folder ``cache``, up to ``cache_gb`` (10⁹ bytes), fetched over ``connections`` at once.
    """

    verify: Literal["full", "sampled", "none"] = "full"
    verify_share: float = Field(default=0.01, gt=0, le=1)
    on_damage: Literal["stop", "skip"] = "stop"
    threads: int = Field(default=1, ge=0)
    ahead: int = Field(default=2, ge=1)
    cache: str | None = None
    cache_gb: float = Field(default=100.0, gt=0)
    connections: int = Field(default=16, ge=1)

    @property
    def share(self) -> float:
        """Of the chunks that are proven."""
        return {"full": 1.0, "sampled": self.verify_share, "none": 0.0}[self.verify]


class ParallelConfig(Settings):
    """How ranks share the work; the losses are those of one device, to rounding (``compress`` loses more).

    ``ddp`` keeps the model whole on every rank, ``fsdp`` a shard of it: of ``shard`` ranks each, the groups holding
    copies (HSDP), or of all (None). ``tensor`` ranks split each matrix of a block. ``compress``: what ddp's gradients
    travel as.
    """

    strategy: Literal["ddp", "fsdp"] = "ddp"
    shard: int | None = Field(default=None, ge=1)
    tensor: int = Field(default=1, ge=1)
    compress: Literal["none", "bfloat16", "powersgd"] = "none"

    @model_validator(mode="after")
    def _fits_strategy(self) -> Self:
        if self.strategy == "ddp" and self.shard is not None:
            raise ValueError(f"shard is {self.shard}: allowed is null with strategy ddp")
        if self.strategy == "ddp" and self.tensor > 1:
            raise ValueError(f"tensor is {self.tensor}: allowed is 1 with strategy ddp")
        if self.strategy == "fsdp" and self.compress != "none":
            raise ValueError(f"compress is {self.compress!r}: allowed is 'none' with strategy fsdp")
        return self


class WatchConfig(Settings):
    """What a run looks out for. ``spike``: what follows when a step's loss or gradient norm stands out: only an alarm,
    or its update is passed over, or the run goes back to before it and its last ``pass_over`` batches are left out.

    A step stands out at ``deviations`` robust standard deviations above the median of the last ``window`` steps, once
    half a window is there: 6 and 128 as in OLMo-core's ``SkipStepOptimizer``. ``sample_tokens``: so many tokens that
    were seen and so many that come next are read at each evaluation, to see what repetition does; 0 for none. At the
    end of the run the last ``suffix`` tokens of those windows are asked for after each number of ``prompts`` tokens
    (Carlini et al. 2023).
    """

    spike: Literal["ignore", "skip", "rollback"] = "skip"
    window: int = Field(default=128, ge=4)
    deviations: float = Field(default=6.0, gt=0)
    pass_over: int = Field(default=8, ge=1)
    sample_tokens: int = Field(default=8_192, ge=0)
    suffix: int = Field(default=50, ge=1)
    prompts: tuple[Annotated[int, Field(ge=1)], ...] = (50, 100, 200)


class CanaryConfig(Settings):
    """``count`` random sequences of ``length`` tokens, of which each replaces the beginning of a window once in
    ``every`` batches from batch ``from_step`` on, ``repetitions`` times at most.
    """

    count: int = Field(default=0, ge=0)
    length: int = Field(default=32, ge=1)
    from_step: int = Field(default=0, ge=0)
    every: int = Field(default=100, ge=1)
    repetitions: int = Field(default=16, ge=1)

    @model_validator(mode="after")
    def _one_at_a_time(self) -> Self:
        if self.count > self.every:
            raise ValueError(f"count is {self.count}: allowed is at most every ({self.every}), one in a batch")
        return self


class CostConfig(Settings):
    """``price_per_hour``: of one device, in whatever currency; None says nothing of money. ``watts_per_core``: of a
    busy core where the machine does not say, 12 W as in Green Algorithms (Lannelongue et al. 2021, doi
    10.1002/advs.202100707).
    """

    price_per_hour: float | None = Field(default=None, ge=0)
    watts_per_core: float = Field(default=12.0, ge=0)


class TrainConfig(Settings):
    """``tokens_per_step`` counts the whole step, over all ranks; ``windows_per_pass`` bounds the memory of one forward
    pass.

    ``evaluate_tokens`` bounds how much of the validation split one evaluation reads. The newest ``keep_checkpoints``
    are kept, and for good those of steps that ``keep_every`` divides. ``precision``: ``float8`` is bfloat16 with the
    blocks' matrices multiplied in 8 bits. ``compile``: ``auto`` compiles the blocks on GPUs. ``recompute``: ``blocks``
    keeps only what goes into each block for the backward pass. ``wandb``: a project of Weights & Biases that gets the
    metrics too.
    """

    model: ModelConfig
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = ScheduleConfig()
    data: DataConfig = DataConfig()
    read: ReadConfig = ReadConfig()
    parallel: ParallelConfig = ParallelConfig()
    watch: WatchConfig = WatchConfig()
    canaries: CanaryConfig = CanaryConfig()
    cost: CostConfig = CostConfig()
    steps: int = Field(ge=1)
    tokens_per_step: int = Field(ge=1)
    windows_per_pass: int = Field(default=16, ge=1)
    seed: int = Field(default=1, ge=0, lt=2**63)
    evaluate_every: int = Field(default=100, ge=1)
    evaluate_tokens: int = Field(default=65_536, ge=1)
    checkpoint_every: int = Field(default=100, ge=1)
    keep_checkpoints: int = Field(default=3, ge=2)
    keep_every: int | None = Field(default=None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float8"] = "auto"
    compile: Literal["auto", True, False] = "auto"
    recompute: Literal["none", "blocks"] = "none"
    deterministic: bool = True
    wandb: str | None = None

    @model_validator(mode="after")
    def _whole_windows(self) -> Self:
        if self.tokens_per_step % self.model.context:
            raise ValueError(
                f"tokens_per_step is {self.tokens_per_step}: "
                f"allowed are multiples of model.context ({self.model.context})"
            )
        if self.canaries.count and self.canaries.length + 2 > self.model.context:
            raise ValueError(
                f"canaries.length is {self.canaries.length}: allowed is at most model.context - 2 "
                f"({self.model.context - 2})"
            )
        reach = (self.keep_checkpoints - 1) * self.checkpoint_every
        if self.watch.spike == "rollback" and self.watch.pass_over > reach:
            raise ValueError(
                f"watch.pass_over is {self.watch.pass_over}: allowed is at most (keep_checkpoints - 1) * "
                f"checkpoint_every ({reach}), or no checkpoint is old enough to go back to"
            )
        return self

    @property
    def windows_per_step(self) -> int:
        return self.tokens_per_step // self.model.context


MAY_CHANGE = (
    "steps",
    "data.max_epochs",
    "windows_per_pass",
    "evaluate_every",
    "evaluate_tokens",
    "checkpoint_every",
    "keep_checkpoints",
    "keep_every",
    "device",
    "precision",
    "compile",
    "recompute",
    "deterministic",
    "wandb",
    *(f"read.{name}" for name in ReadConfig.model_fields),
    *(f"parallel.{name}" for name in ParallelConfig.model_fields),
    *(f"watch.{name}" for name in WatchConfig.model_fields),
    *(f"cost.{name}" for name in CostConfig.model_fields),
)
"""What a run may be continued with another value of; everything else decides what the run *is*. What was decided about
a spike stands, whatever ``watch`` says later.

``data.mixture`` may change for the steps that are not taken yet.
"""


def _lay_over(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            _lay_over(base[key], value)
        else:
            base[key] = value


def _assignment(text: str) -> dict[str, Any]:
    """``model.layers=4`` as ``{"model": {"layers": 4}}``; the value is read as YAML."""
    path, equals, value = text.partition("=")
    if not equals or not all(path.split(".")):
        raise ValueError(f"--set {text}: allowed is field=value, such as optimizer.learning_rate=0.001")
    tree: Any = _yaml(value, f"--set {text}")
    for key in reversed(path.split(".")):
        tree = {key: tree}
    return tree


def _yaml(text: str, name: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{name}: not YAML ({' '.join(str(error).split())})") from None


def load_config(
    preset: str | None = None,
    file: str | None = None,
    assignments: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """The configuration of a run; the file may name its own ``preset``, which ``preset`` overrides.

    A field ``depth``, in the file or assigned, stands in place of a preset.

    Raises ``ValueError`` in one line naming the field, the value and what is allowed.
    """
    layers: dict[str, Any] = {}
    if file is not None:
        with open(file, encoding="utf-8") as handle:
            content = _yaml(handle.read(), file)
        if not isinstance(content or {}, dict):
            raise ValueError(f"{file}: a {type(content).__name__}, allowed is a mapping of fields to values")
        layers = content or {}
    named = layers.pop("preset", None)
    preset = preset or named
    written: dict[str, Any] = {}
    for over in (layers, *map(_assignment, assignments), flags or {}):
        _lay_over(written, over)
    depth = written.pop("depth", None)
    if depth is not None and preset is not None:
        raise ValueError(f"depth is {depth!r} and preset is {preset!r}: allowed is one of the two")
    if depth is not None:
        tree = of_depth(depth)
    elif (preset := preset or DEFAULT_PRESET) in PRESETS:
        tree = deepcopy(PRESETS[preset])
    else:
        raise ValueError(f"preset is {preset!r}: allowed are {', '.join(PRESETS)}")
    _lay_over(tree, written)
    return parse_config(tree)


def parse_config(tree: Mapping[str, Any]) -> TrainConfig:
    """As ``load_config`` from the nested mapping itself (``run.json`` holds one)."""
    try:
        return TrainConfig.model_validate(tree)
    except ValidationError as error:
        raise ValueError(_one_line(error)) from None


def _one_line(error: ValidationError) -> str:
    errors = error.errors(include_url=False)
    # a misspelt field is also a missing one; what was written says more than what was not
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])
    path = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        owner: Any = TrainConfig
        for part in path[:-1]:
            owner = get_args(owner)[0] if part.isdigit() else owner.model_fields[part].annotation
        return f"{'.'.join(path)} is not a field: allowed are {', '.join(sorted(owner.model_fields))}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error":  # ours: it names the field and the value itself
        return ".".join([*path, message])
    if first["type"] == "missing":
        return f"{'.'.join(path)} is missing"
    return f"{'.'.join(path)} is {first['input']!r}: {message[0].lower()}{message[1:]}"


def differences(before: TrainConfig, now: TrainConfig) -> dict[str, tuple[Any, Any]]:
    """The fields whose values differ, by dotted name."""

    def flatten(settings: Settings, prefix: str = "") -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for key, value in settings:
            flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Settings) else {prefix + key: value}
        return flat

    old, new = flatten(before), flatten(now)
    return {name: (old[name], new[name]) for name in old if old[name] != new[name]}
