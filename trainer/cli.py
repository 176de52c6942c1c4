"""``trainer plan``, ``train``, ``trace``, ``report``, ``evaluate``, ``sample`` and ``export``.

A wrong option, configuration or input is one line and exit code 2.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.config import load_config
from trainer.presets import DEFAULT_PRESET, PRESETS

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Train a small language model on token shards.")
# typer 0.20 raises click's exceptions, later versions their own copy of them; BadParameter's ancestors are both
UsageError: Any = typer.BadParameter.__mro__[1]


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    """What a person can put right; a defect of ours keeps its traceback."""
    try:
        yield
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
    except ValueError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"trainer: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)


@app.command()
def train(
    shards: Annotated[str, typer.Argument(help="Directory of shards with its manifest.json.")],
    run: Annotated[Path, typer.Option(help="Run directory: made when new, continued when not.")],
    preset: Annotated[
        str | None, typer.Option(help=f"Sizes to start from: {', '.join(PRESETS)} (default {DEFAULT_PRESET}).")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file of fields, laid over the preset.")] = None,
    steps: Annotated[int | None, typer.Option(help="Updates to make in all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of weights and data order.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="tokenizer.json (default: ../tokenizer/tokenizer.json beside the shards).")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", help="field=value, such as optimizer.learning_rate=0.001; repeatable.")
    ] = None,
) -> None:
    """Train, or continue a run that was stopped. The same command does both."""
    with ExitStack() as stack:
        with _errors_in_one_line():
            flags = {name: value for name, value in (("steps", steps), ("seed", seed)) if value is not None}
            settings = load_config(preset, config, assignments or (), flags)
        # Read when torch loads its OpenMP: threads wait asleep. Spinning, the default, made training on two busy cores
        # several times slower, because a waiting thread held the core that the thread it waited for needed.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        from trainer import loop, parallel  # torch takes seconds to import, --help should not
        from trainer.data.store import StoreError
        from trainer.data.stream import DamagedShardError
        from trainer.display import Display
        from trainer.files import locked
        from trainer.prepare import prepare
        from trainer.saved.checkpoint import CheckpointError
        from trainer.watch.watch import DivergedError

        with _errors_in_one_line():
            ranks = stack.enter_context(parallel.start(settings))
            if ranks.main:
                stack.enter_context(locked(run))
            display = Display()
            say: Any = display.say if ranks.main else _say_nothing
            show = display.show if ranks.main and display.live else None
            found = _find_tokenizer(shards, tokenizer, say)
            prepared = prepare(shards, run, settings, found, ranks, say, show)
        try:
            loop.train(prepared)
        except (CheckpointError, DamagedShardError, DivergedError, StoreError) as error:
            _fail(str(error))


@app.command()
def plan(
    shards: Annotated[str, typer.Argument(help="Directory of shards with its manifest.json.")],
    preset: Annotated[
        str | None, typer.Option(help=f"Sizes to start from: {', '.join(PRESETS)} (default {DEFAULT_PRESET}).")
    ] = None,
    config: Annotated[str | None, typer.Option(help="YAML file of fields, laid over the preset.")] = None,
    steps: Annotated[int | None, typer.Option(help="Updates to make in all.")] = None,
    assignments: Annotated[list[str] | None, typer.Option("--set", help="field=value; repeatable.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="How many work on it.")] = 1,
    device: Annotated[str | None, typer.Option(help="What they are, such as h200: says how long it takes.")] = None,
    mfu: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the device's peak that the run will reach.")
    ] = 0.4,
    price: Annotated[float | None, typer.Option(min=0, help="Of a device for an hour: says what it costs.")] = None,
) -> None:
    """Say what a run would take: tokens of which source, parameters, operations, memory, time. Reads no token."""
    with _errors_in_one_line():
        settings = load_config(preset, config, assignments or (), {} if steps is None else {"steps": steps})
        from dataprep.shards import Manifest
        from trainer.data import mixture
        from trainer.data.stream import TokenStream
        from trainer.feed import training_order
        from trainer.saved import record
        from trainer.use.plan import needs, time_and_cost

        manifest = Manifest.load(shards)
        vocabulary = record.embedding_rows(manifest.vocabulary_size)
        stream = TokenStream(manifest, "train", vocabulary)
        order = training_order(stream, settings)
        plans = order.mixture.plan(settings.steps)
        for line in mixture.table(plans):
            print(line)
        print(f"windows     {order.windows.describe()}")
        bfloat16 = settings.precision in ("bfloat16", "float8") or (settings.precision == "auto" and device is not None)
        for line in needs(settings, vocabulary, devices, bfloat16):
            print(line)
        if device is not None:
            for line in time_and_cost(settings, vocabulary, devices, device, mfu, price):
                print(line)
        mixture.check_epochs(plans, settings.data.max_epochs)


def _find_tokenizer(shards: str, given: str | None, say: Any) -> str | None:
    if given is not None:
        return given
    whole = shards if "://" in shards else os.path.abspath(shards)
    beside = f"{whole.rstrip('/').rpartition('/')[0]}/tokenizer/tokenizer.json"
    if "://" in beside or os.path.exists(beside):
        return beside
    say(f"tokenizer  none at {beside}: training goes on without text samples")
    return None


def _say_nothing(_line: str) -> None:
    """Ranks other than the first."""


Run = Annotated[Path, typer.Argument(help="Run directory of trainer train.")]
Checkpoint = Annotated[int | None, typer.Option(help="The checkpoint of this step (default: the last).")]


@app.command()
def evaluate(
    run: Run,
    checkpoint: Checkpoint = None,
    tokens: Annotated[
        int | None, typer.Option(min=0, help="About how many validation tokens, 0 for none (default: the run's).")
    ] = None,
    choices: Annotated[list[Path] | None, typer.Option(help="JSONL of multiple-choice questions; repeatable.")] = None,
) -> None:
    """Validation loss of each source, and multiple choice: printed, and written to RUN/evaluation-STEP.json."""
    with _errors_in_one_line():
        from trainer import parallel
        from trainer.saved.trained import load_trained
        from trainer.use.choices import read_questions
        from trainer.use.evaluation import evaluate_run

        tasks = {path.stem: read_questions(path) for path in choices or ()}
        trained = load_trained(run, checkpoint)
        with parallel.start(trained.config) as ranks:
            bound = trained.config.evaluate_tokens if tokens is None else tokens
            evaluation = evaluate_run(trained, bound, tasks, ranks)
            if ranks.main:
                print("\n".join(evaluation.table()))


@app.command()
def sample(
    run: Run,
    prompt: Annotated[list[str] | None, typer.Option(help="How the text begins; repeatable.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="File of prompts, one a line.")] = None,
    checkpoint: Checkpoint = None,
    tokens: Annotated[int, typer.Option(min=1, help="At most so many tokens.")] = 200,
    temperature: Annotated[float, typer.Option(min=0, help="0 always takes the likeliest token.")] = 0.8,
    top_p: Annotated[
        float, typer.Option(min=0.0001, max=1, help="Draw from the likeliest tokens of this probability together.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same text.")] = 0,
) -> None:
    """Write text with a checkpoint of a run: of one prompt as it comes, of several a line of JSON each."""
    with _errors_in_one_line():
        from trainer import parallel
        from trainer.saved.trained import load_tokenizer, load_trained
        from trainer.use.sample import Sampling, generate, stream

        texts = [*(prompt or ()), *(prompts.read_text(encoding="utf-8").splitlines() if prompts else ())] or [""]
        trained = load_trained(run, checkpoint)
        tokenizer = load_tokenizer(run)
        sampling = Sampling(tokens, temperature, top_p, seed)
        with parallel.start(trained.config) as ranks:
            model = trained.model.to(ranks.device)
            if len(texts) == 1:
                for piece in stream(model, tokenizer, texts[0], trained.vocabulary, trained.eos_id, sampling):
                    print(piece, end="", flush=True)
                print()
                return
            written = generate(model, tokenizer, texts, trained.vocabulary, trained.eos_id, sampling)
    for begin, text in zip(texts, written, strict=True):
        print(json.dumps({"prompt": begin, "text": text}, ensure_ascii=False))


@app.command()
def export(
    run: Run,
    out: Annotated[Path, typer.Option(help="Directory to make.")],
    checkpoint: Checkpoint = None,
    dtype: Annotated[str, typer.Option(help="Of the weights: float32 or bfloat16.")] = "float32",
) -> None:
    """Write a checkpoint of a run as a directory that transformers loads: LlamaForCausalLM, with QK-norm Qwen3's."""
    with _errors_in_one_line():
        from trainer.saved.trained import load_trained
        from trainer.use.export import export as write

        trained = load_trained(run, checkpoint)
        files = write(trained, out, dtype)
    print(f"step {trained.step} in {out}: {', '.join(files)}")


@app.command()
def trace(
    run: Run,
    step: Annotated[int, typer.Option(help="Which update, counted from 1 as in metrics.jsonl.")],
    top: Annotated[int, typer.Option(min=1, help="At most so many documents.")] = 10,
    loss: Annotated[bool, typer.Option("--loss", help="Order them by what they cost the checkpoint before.")] = False,
) -> None:
    """Name the documents that a step saw: id, source, shard and row; URL and locator where the Parquet files are."""
    from trainer.use.lookup import documents_of_step

    with _errors_in_one_line():
        for line in documents_of_step(run, step, top, loss):
            print(line)


@app.command()
def report(run: Run) -> None:
    """Write report.html: curves, steps that stood out with their documents, what was used, what the run is."""
    from trainer.use.report import write_report

    with _errors_in_one_line():
        print(write_report(run))


def main() -> None:
    """The entry point: usage errors in one line too."""
    try:
        code = app(standalone_mode=False)
    except UsageError as error:
        if not error.args and not str(error):  # no arguments at all: the help was printed
            sys.exit(2)
        _fail(error.format_message())
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ModuleNotFoundError as error:
        _fail(
            f"the package {error.name!r} is not installed; the trainer needs the extra: pip install 'corpusmill[train]'"
        )
    sys.exit(code if isinstance(code, int) else 0)
