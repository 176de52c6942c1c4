"""The ``dataprep`` command. Trivial on purpose: what it does is elsewhere, and Beam's workers may import it."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from dataprep import storage
from dataprep.recipe import RecipeError, load_recipe
from pipelines import classifier_cli
from pipelines.errors import UserError, user_errors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Turn raw web and files into tokens a trainer can eat: crawl, extract, clean, deduplicate, tokenize.",
)
app.add_typer(classifier_cli.app, name="classifier")
console = Console()

# typer carries its own copy of click, whose exceptions have no public name but their relatives
USAGE_ERROR: type[Exception] = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
PLACES = ("file", "gs", "s3")  # what every worker can see; a process's memory is not among them
RECIPES = (Path(__file__).parents[1] / "recipes", Path(sys.prefix) / "share" / "corpusmill" / "recipes")

RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a bundled recipe.")]
OutOption = Annotated[str, typer.Option("--out", help="The run's directory: local, gs:// or s3://.")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=0, help="Local worker processes; 0: none, all in one. Default: one a core."),
]
SetOption = Annotated[list[str], typer.Option("--set", metavar="FIELD=VALUE", help="Override a field of the recipe.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Build and check the job graphs; run nothing, touch no network.")
]
DirectoryArgument = Annotated[str, typer.Argument(metavar="DIR", help="The directory of a run (its --out).")]


def _run(
    context: typer.Context, recipe: str, out: str, workers: int | None, overrides: list[str], dry_run: bool, until: str
) -> None:
    try:
        loaded = load_recipe(_find_recipe(recipe), overrides)
    except RecipeError as error:
        raise UserError(str(error)) from None
    beam_args = _beam_options(context.args)
    if until == "crawl" and not any(source.crawl for source in loaded.sources):
        raise UserError(f"recipe {loaded.name} has no crawl source; allowed: one with sources.<name>.crawl")
    if until == "clean" and loaded.clean is None:
        raise UserError(f"recipe {loaded.name} has clean: null, so it has no such stage; allowed: one with clean.rules")
    out = _place(out)
    if dry_run:
        _dry_run(loaded, out, beam_args, until)
        return
    if workers is not None and any(argument.startswith("--runner") for argument in beam_args):
        raise UserError(f"--workers {workers} is for local runs; with --runner use that runner's own options")
    from pipelines import show
    from pipelines.job import Job
    from pipelines.launch import launch, log_directory

    for source in loaded.sources:
        for warning in source.crawl.dump_warnings() if source.crawl else ():
            console.print(f"[yellow]note:[/yellow] {warning}", highlight=False, soft_wrap=True)
    job = Job(
        recipe=loaded.model_dump(mode="json"),
        out=out,
        until=until,
        workers=workers,
        logs=log_directory(out),
        beam_args=beam_args,
    )
    code, seen = launch(job, console)
    if code == 0:
        if not seen.ran:
            console.print("nothing to do: every stage is up to date", highlight=False)
        show.summary(console, job.out)
    raise typer.Exit(code)


def _beam_options(arguments: list[str]) -> list[str]:
    if not arguments:
        return []  # without importing Beam, which takes a second
    from pipelines.options import OptionError, check_beam_options

    try:
        return check_beam_options(arguments)
    except OptionError as error:
        raise UserError(str(error)) from None


def _dry_run(recipe: Any, out: str, beam_args: list[str], until: str) -> None:
    from pipelines.portability import check_chain

    findings = check_chain(recipe, out, beam_args, until)
    table = Table("stage", "transforms", "coders", "packages", "problems", box=None)
    for finding in findings:
        problems = str(len(finding.problems) or "none")
        table.add_row(finding.stage, str(finding.transforms), str(finding.coders), str(len(finding.packages)), problems)
    console.print(table)
    packages = ", ".join(sorted({package for finding in findings for package in finding.packages}))
    console.print(f"packages the workers need: {packages}", highlight=False, soft_wrap=True)
    for finding in findings:
        for kind, lines in (("problem", finding.problems), ("note", finding.notes)):
            for line in lines:
                console.print(f"{kind}: {finding.stage}: {line}", highlight=False, soft_wrap=True, markup=False)
    raise typer.Exit(1 if any(finding.problems for finding in findings) else 0)


def _place(directory: str) -> str:
    scheme = directory.partition("://")[0] if "://" in directory else "file"
    if scheme not in PLACES:
        raise UserError(f"--out {directory}: allowed are a local directory, {', '.join(f'{p}://…' for p in PLACES)}")
    return storage.absolute(directory)


def _find_recipe(name: str) -> str:
    if name.endswith((".yaml", ".yml")) or "/" in name or os.path.isfile(name):
        return name
    for folder in RECIPES:
        if (folder / f"{name}.yaml").exists():
            return str(folder / f"{name}.yaml")
    raise RecipeError(f"no recipe {name!r}: neither a file nor one of {', '.join(_bundled()) or 'none'}")


def _bundled() -> dict[str, Path]:
    return {path.stem: path for folder in reversed(RECIPES) for path in sorted(folder.glob("*.yaml"))}


def _stage_command(command: str, until: str, text: str) -> None:
    def body(
        context: typer.Context,
        recipe: RecipeArgument,
        out: OutOption,
        workers: WorkersOption = None,
        overrides: SetOption = [],  # noqa: B006  (typer reads it, nothing writes it)
        dry_run: DryRunOption = False,
    ) -> None:
        _run(context, recipe, out, workers, overrides, dry_run, until)

    body.__doc__ = text
    app.command(command, context_settings=PASS_ON)(body)


_stage_command("run", "shards", "Run a whole recipe: what is up to date is skipped, what was interrupted continues.")
_stage_command("crawl", "crawl", "Fetch the recipe's sites, politely, into WARC files.")
_stage_command(
    "ingest", "documents", "Read files and fetched pages and extract their text (after crawling, if needed)."
)
_stage_command("clean", "clean", "Measure documents and apply the rules (after what comes before, if needed).")
_stage_command("deduplicate", "passages", "Remove copies and repeated passages (after what comes before, if needed).")
_stage_command("tokenize", "shards", "Train the tokenizer and write the shards (after what comes before, if needed).")


@app.command()
def stats(directory: DirectoryArgument) -> None:
    """Statistics of a run's shards, from their metadata alone."""
    from pipelines import show_shards

    with user_errors():
        show_shards.statistics(console, directory)


@app.command()
def inspect(
    context: typer.Context,
    directory: Annotated[str | None, typer.Argument(metavar="DIR", help="The directory of a run (its --out).")] = None,
    stage: Annotated[
        str | None, typer.Option(help="documents, clean, unique or passages. Default: clean, or what there is.")
    ] = None,
    verdict: Annotated[str, typer.Option(help="kept, removed, quarantined or all.")] = "all",
    reason: Annotated[str | None, typer.Option(help="Only documents removed for this reason.")] = None,
    source: Annotated[str | None, typer.Option(help="Only documents of this source.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many documents of each verdict.")] = 5,
    page: Annotated[
        str | None,
        typer.Option(
            metavar="PAGE",
            help="Instead: the blocks of this page, and why each was kept or dropped. "
            "A URL, locator or id; without DIR an HTML file, or - for standard input.",
        ),
    ] = None,
    overrides: Annotated[
        list[str], typer.Option("--set", metavar="FIELD=VALUE", help="With --page: override a field of extract.")
    ] = [],  # noqa: B006  (typer reads it, nothing writes it)
    text: Annotated[bool, typer.Option("--text", help="With --page: only the text that is kept.")] = False,
) -> None:
    """Documents that were kept and removed, with their reasons and signals; or the blocks of one page."""
    from pipelines import show, show_page

    with user_errors():
        if page is not None:
            for name in ("stage", "verdict", "reason", "source", "limit"):
                if context.get_parameter_source(name) is not context.get_parameter_source("page"):
                    continue
                raise ValueError(f"--{name}: is not for --page, which shows one page")
            if not show_page.page(console, directory, page, overrides, text):
                raise typer.Exit(1)
        elif directory is None:
            raise ValueError("inspect needs the directory of a run, or --page FILE")
        elif overrides:
            raise ValueError(f"--set {overrides[0]}: is for --page")
        elif text:
            raise ValueError("--text: is for --page")
        else:
            show.inspect(console, directory, stage, verdict, reason, source, limit)


@app.command()
def why(
    directory: DirectoryArgument,
    url: Annotated[str | None, typer.Option(help="The document's URL.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="The document's id in hex, or its first digits.")] = None,
) -> None:
    """Every step that touched one document: origin, measured values and thresholds, edits, copies, shard."""
    from pipelines import show_why

    with user_errors():
        show_why.why(console, directory, url, id)


@app.command()
def decide(
    directory: DirectoryArgument,
    overrides: Annotated[
        list[str],
        typer.Option("--set", metavar="REASON=VALUE", help="Another threshold for the rule of this reason; off: none."),
    ] = [],  # noqa: B006  (typer reads it, nothing writes it)
    recipe: Annotated[
        str | None, typer.Option(metavar="RECIPE", help="Decide by the rules of this recipe instead of the run's own.")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="How many documents to show that would change sides.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Which documents those are.")] = 0,
) -> None:
    """Decide a measured run again by other thresholds, in seconds: both funnels, and who would change sides."""
    from pipelines import show_decide

    with user_errors():
        show_decide.decide(console, directory, overrides, recipe and _find_recipe(recipe), samples, seed)


@app.command()
def report(directory: DirectoryArgument) -> None:
    """Write DIR/report.html: funnel, reasons, distributions and samples in one self-contained file."""
    from pipelines import show

    with user_errors():
        console.print(f"report: {show.report(directory)}", highlight=False, soft_wrap=True)


@app.command()
def contamination(
    directory: DirectoryArgument,
    items: Annotated[
        str | None, typer.Option("--items", metavar="FILE", help="Write every item found to FILE, as JSON Lines.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many items of each set to show.")] = 5,
) -> None:
    """Which items of evaluation sets were found in the documents, and in which (needs the step decontamination)."""
    from pipelines.contamination import contamination as show_contamination

    with user_errors():
        show_contamination(console, directory, items, limit)


@app.command()
def verify(directory: DirectoryArgument) -> None:
    """Check every checksum of a run's shards; name the shard, the place and the documents of any damage."""
    from pipelines import show_shards

    with user_errors():
        if not show_shards.verify(console, directory):
            raise typer.Exit(1)


@app.command()
def export(
    directory: DirectoryArgument,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="megatron, nanogpt or llmc.")],
    out: Annotated[str, typer.Option("--out", help="A local directory, empty or not there yet.")],
) -> None:
    """Write a run's shards as files for another trainer: Megatron, nanoGPT or llm.c."""
    from pipelines import show_shards

    with user_errors():
        show_shards.export(console, directory, form, out)


@app.command()
def trace(
    directory: DirectoryArgument,
    shard: Annotated[str | None, typer.Option(help="A shard's path as in the manifest: web/train-00000.arrow.")] = None,
    token: Annotated[int | None, typer.Option(help="Which token of the shard, from 0.")] = None,
    position: Annotated[int | None, typer.Option(help="Instead: which token of all shards of the split.")] = None,
    split: Annotated[str, typer.Option(help="With --position: train or validation.")] = "train",
    step: Annotated[int | None, typer.Option(help="DIR is a trainer's run: which update, from 1.")] = None,
    top: Annotated[int | None, typer.Option(help="With --step: at most so many documents.")] = None,
) -> None:
    """Where one token of the shards came from, or with --step what a trainer's update saw: document, URL, text."""
    from pipelines import show_shards

    with user_errors():
        if step is not None and (shard, token, position) == (None, None, None):
            raise typer.Exit(show_shards.trace_step(directory, step, top))
        if step is not None or top is not None:
            raise ValueError("trace: --step goes with a trainer's run and --top, not with a shard's token")
        show_shards.trace(console, directory, shard, token, position, split)


@app.command()
def recipes(name: Annotated[str | None, typer.Argument(help="Print this recipe.")] = None) -> None:
    """List the bundled recipes, or print one."""
    known = _bundled()
    if name is None:
        table = Table("recipe", "what it does", box=None)
        for key, path in known.items():
            table.add_row(key, yaml.safe_load(path.read_text(encoding="utf-8")).get("description", ""))
        console.print(table)
    elif name in known:
        print(known[name].read_text(encoding="utf-8"), end="")
    else:
        raise UserError(f"no recipe {name!r}; allowed: {', '.join(known)}")


def main() -> None:
    logging.basicConfig(level=logging.ERROR)  # before Beam is imported, or its loggers print
    try:
        code = app(standalone_mode=False)
    except USAGE_ERROR as error:
        _refuse(_usage(error))
    except UserError as error:
        _refuse(str(error))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except OSError as error:
        _refuse(f"{error.filename or 'a file'}: {error.strerror or error}")
    else:
        sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Exception) -> str:
    """The parser's message, with the value it is about, which only the validation error behind it knows."""
    cause = error.__cause__
    given = f" (given: {cause.errors()[0]['input']!r})" if isinstance(cause, ValidationError) else ""
    return f"{error.format_message()}{given}"  # type: ignore[attr-defined]


def _refuse(message: str) -> None:
    stderr = Console(stderr=True)
    for line in message.splitlines():
        stderr.print("[red]error:[/red]", end=" ")
        stderr.print(line, highlight=False, soft_wrap=True, markup=False)
    sys.exit(2)


if __name__ == "__main__":
    main()
