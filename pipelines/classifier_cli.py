"""``dataprep classifier``: train a quality classifier and say how to use it. No Beam: it is one process."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from dataprep import storage
from dataprep.recipe import apply_override, explain
from pipelines.errors import UserError, user_errors

app = typer.Typer(no_args_is_help=True, help="Train a quality classifier on documents of your own.")
console = Console()

READING = ("first_characters", "lower_case")  # how training read a text, so scoring must
INPUT_OPTIONS = ("rejected_by", "weight", "text_column")
FEWEST = 10  # negatives that a row should keep: the number kept then varies by a third from sample to sample
BAR = 24  # characters of the longest bar of a histogram
INPUT_HELP = "A file, folder or glob; ',rejected_by=REASON', ',weight=2', ',text_column=NAME' may follow. Repeatable."


@app.callback()
def _classifier() -> None:
    """Train a quality classifier on documents of your own."""


@app.command()
def train(
    positive: Annotated[list[str], typer.Option("--positive", metavar="PATH", help=f"Good documents. {INPUT_HELP}")],
    negative: Annotated[
        list[str], typer.Option("--negative", metavar="PATH", help="Random documents of the web, given likewise.")
    ],
    out: Annotated[str, typer.Option("--out", help="The directory to write: the model and its report. Local, new.")],
    keep_rate: Annotated[
        float | None, typer.Option(help="The share of the negatives that the threshold keeps. Default: 0.1.")
    ] = None,
    documents: Annotated[
        int | None, typer.Option(help="How many to learn from and to measure, both classes together. Default: 400000.")
    ] = None,
    quantize: Annotated[bool, typer.Option("--quantize", help="Compress the model: model.ftz.")] = False,
    overrides: Annotated[
        list[str], typer.Option("--set", metavar="FIELD=VALUE", help="Any other setting, as in epoch=3.")
    ] = [],  # noqa: B006  (typer reads it, nothing writes it)
) -> None:
    """Train on good and on random documents; print how well the two are told apart, and what to put into a recipe."""
    from dataprep.classifier import train as training
    from dataprep.classifier.settings import TrainSettings

    options = {"keep_rate": keep_rate, "documents": documents, "quantize": quantize or None}
    value: dict[str, Any] = {}
    with user_errors():
        for override in overrides:
            apply_override(value, override)
        value |= {name: option for name, option in options.items() if option is not None}
        try:
            settings = TrainSettings.model_validate(value)
        except ValidationError as error:
            raise UserError("\n".join(explain(error, TrainSettings, value))) from None
        good = [_input("--positive", text) for text in positive]
        random = [_input("--negative", text) for text in negative]
        with _Following(console) as follow:
            report = training.train(good, random, out, settings, follow)
    _show(report, storage.absolute(out))


def _input(option: str, given: str) -> Any:
    """``PATH,name=value,…``; a comma before anything else is the path's own."""
    from dataprep.classifier.settings import Input

    value = {"path": given}
    while "," in value["path"]:
        path, _, last = value["path"].rpartition(",")
        name, equals, text = last.partition("=")
        if not equals or name not in INPUT_OPTIONS:
            break
        value |= {"path": path, name: text}
    try:
        return Input.model_validate(value)
    except ValidationError as error:
        raise UserError("; ".join(f"{option} {given}: {line}" for line in explain(error, Input, value))) from None


class _Following:
    """Shows what training is at: a line that changes on a terminal, one line for each phase elsewhere."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.phase = ""
        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self.bar = Progress(*columns, console=console, transient=True)
        self.task = self.bar.add_task("")

    def __enter__(self) -> "_Following":
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.bar.stop()

    def __call__(self, phase: str, documents: int) -> None:
        if self.console.is_terminal:
            self.bar.update(self.task, description=f"{documents:,} documents: {phase}")
        elif phase != self.phase:
            self.phase = phase
            self.console.print(phase, highlight=False, soft_wrap=True, markup=False)


def _show(report: dict[str, Any], out: str) -> None:
    held_out, counts = report["held_out"], report["documents"]
    console.print(_sources(report), highlight=False, soft_wrap=True)
    console.print(
        f"trained on {counts['trained_on']:,} documents, measured on {counts['held_out']:,} others; "
        f"area under the ROC curve {held_out['roc_auc']:.4f}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table("keep", "threshold", "precision", "recall", "F1", "negatives kept", box=None, pad_edge=False)
    for row in held_out["keep_rates"]:
        table.add_row(
            f"{100 * row['keep_rate']:g}%",
            f"{row['threshold']:.4f}",
            *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")),
            f"{row['negatives_kept']:,} ({row['negatives_kept_share']:.1%})",
            style="bold" if row == held_out["chosen"] else "",
        )
    table.caption, table.caption_justify = rough_rows(held_out), "left"
    console.print(table)
    console.print()
    console.print(_histogram(held_out["histogram"]))
    console.print()
    model = f"model: {Path(out) / report['model']} ({report['model_bytes'] / 1e6:.1f} MB); for a recipe:\n"
    console.print(model, highlight=False, soft_wrap=True, markup=False)
    print(recipe_part(report, out), end="")


def rough_rows(held_out: dict[str, Any]) -> str | None:
    """Which keep rates are so small that too few held-out negatives say where their threshold lies; None if none is."""
    negatives = sum(held_out["histogram"]["negative"])
    rough = [row["keep_rate"] for row in held_out["keep_rates"] if negatives * row["keep_rate"] < FEWEST]
    if not rough:
        return None
    return (
        f"Up to {100 * max(rough):g}% the figures are rough: they keep fewer than {FEWEST} of {negatives:,} held-out "
        "negatives. More documents, or a larger held_out, tell more."
    )


def _sources(report: dict[str, Any]) -> str:
    given = [
        f"{label} {sum(one['taken'] for one in inputs):,} of {sum(one['different'] for one in inputs):,}"
        for label, inputs in report["inputs"].items()
    ]
    unreadable = sum(one["unreadable"] for inputs in report["inputs"].values() for one in inputs)
    left_out = (("in both classes", report["in_both_classes"]), ("unreadable", unreadable))
    return f"different documents: {', '.join(given)}" + "".join(f"; {name}: {n:,}" for name, n in left_out if n)


def _histogram(histogram: dict[str, Any]) -> Table:
    table = Table("score", "positives", "", "negatives", "", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    most = max(histogram["positive"] + histogram["negative"])
    edges = histogram["edges"]
    for low, high, *both in zip(edges, edges[1:], histogram["positive"], histogram["negative"], strict=False):
        cells = [cell for number in both for cell in (f"{number:,}", "█" * -(-number * BAR // most))]
        table.add_row(f"{low:.2f}-{high:.2f}", *cells)
    return table


def recipe_part(report: dict[str, Any], out: str) -> str:
    """The YAML that scores with this model and keeps what its threshold keeps."""
    step = {"model": str(Path(out) / report["model"])}
    step |= {name: report["settings"][name] for name in READING if report["settings"][name]}
    rule = {"reject": "quality", "when": "classifier.score", "below": report["held_out"]["chosen"]["threshold"]}
    return f"clean:\n  steps:\n    - {_flow({'classifier': step})}  rules:\n    - {_flow(rule)}"


def _flow(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6)
