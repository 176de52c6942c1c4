"""``trainer plan``, ``train``, ``sample``, ``trace`` and ``report``.

A wrong option, configuration or input is one line and exit code 2.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from trainer.config import DEFAULT_PRESET, PRESETS, load_config

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
        from trainer.display import Display
        from trainer.store import StoreError
        from trainer.stream import DamagedShardError
        from trainer.watch import DivergedError

        with _errors_in_one_line():
            ranks = stack.enter_context(parallel.start(settings))
            display = Display()
            say: Any = display.say if ranks.main else _say_nothing
            show = display.show if ranks.main and display.live else None
            found = _find_tokenizer(shards, tokenizer, say)
            prepared = loop.prepare(shards, run, settings, found, ranks, say, show)
        try:
            loop.train(prepared)
        except (DamagedShardError, DivergedError, StoreError) as error:
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
) -> None:
    """Say how many tokens a run would take of which source, and how often it would repeat it. Reads no token."""
    with _errors_in_one_line():
        settings = load_config(preset, config, assignments or (), {} if steps is None else {"steps": steps})
        from dataprep.shards import Manifest
        from trainer import loop, mixture, record
        from trainer.stream import TokenStream

        manifest = Manifest.load(shards)
        stream = TokenStream(manifest, "train", record.embedding_rows(manifest.vocabulary_size))
        order = loop.training_order(stream, settings)
        plans = order.mixture.plan(settings.steps)
        for line in mixture.table(plans):
            print(line)
        print(order.windows.describe())
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


@app.command()
def sample(
    run: Annotated[Path, typer.Argument(help="Run directory of trainer train.")],
    prompt: Annotated[str, typer.Option(help="How the text begins.")] = "",
    tokens: Annotated[int, typer.Option(min=1, help="At most so many tokens.")] = 200,
    temperature: Annotated[float, typer.Option(min=0, help="0 always takes the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option(min=0, help="Draw from the k likeliest; 0 from all.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same text.")] = 0,
) -> None:
    """Write text with the last checkpoint of a run."""
    from trainer.sample import generate, load_run

    with _errors_in_one_line():
        model, vocabulary, eos_id = load_run(run)
        text = generate(
            model,
            run,
            prompt,
            vocabulary=vocabulary,
            eos_id=eos_id,
            tokens=tokens,
            temperature=temperature,
            top_k=top_k,
            seed=seed,
        )
    print(text)


@app.command()
def trace(
    run: Annotated[Path, typer.Argument(help="Run directory of trainer train.")],
    step: Annotated[int, typer.Option(help="Which update, counted from 1 as in metrics.jsonl.")],
    top: Annotated[int, typer.Option(min=1, help="At most so many documents.")] = 10,
    loss: Annotated[bool, typer.Option("--loss", help="Order them by what they cost the checkpoint before.")] = False,
) -> None:
    """Name the documents that a step saw: id, source, shard and row; URL and locator where the Parquet files are."""
    from trainer.lookup import documents_of_step

    with _errors_in_one_line():
        for line in documents_of_step(run, step, top, loss):
            print(line)


@app.command()
def report(run: Annotated[Path, typer.Argument(help="Run directory of trainer train.")]) -> None:
    """Write report.html: curves, steps that stood out with their documents, what was used, what the run is."""
    from trainer.report import write_report

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
