"""What ``dataprep decide`` prints: two funnels side by side, documents that would change sides, and what to do next."""

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dataprep.recipe import load_recipe
from dataprep.report.decide import Move, Numbers, Redecision, decide_again
from dataprep.report.measured import Measured, beside, condition, load_measured
from dataprep.report.rulechange import change_rules, rules_of_recipe, to_make_it_real
from dataprep.report.wording import clip, count, one_line, share, short
from dataprep.rules import Reject
from pipelines.show import COLOURS, REASONS_SHOWN

TEXT_CHARACTERS = 140  # of a document that would change sides: two lines


def decide(
    console: Console,
    out: str,
    overrides: Sequence[str] = (),
    recipe: str | None = None,
    samples: int = 3,
    seed: int = 0,
) -> None:
    """Decide a measured run again and print what would be. Raises ``ValueError`` naming the wrong option."""
    measured = load_measured(out)
    start = measured.rules
    if recipe is not None:
        clean = load_recipe(recipe).clean
        if clean is None:
            raise ValueError(f"--recipe {recipe}: has clean: null and so no rules")
        start = rules_of_recipe(clean, measured, recipe)
    rules = change_rules(start, overrides)
    found = decide_again(out, measured, rules, samples=samples, seed=seed)
    console.print(funnels(measured, found))
    if rules == measured.rules:
        console.print("\nNothing is changed. The rules, for --set REASON=VALUE or REASON=off:")
        console.print(rules_table(rules))
        return
    for side, verb, moves in (("removed", "kept", found.kept_again), ("kept", "removed", found.removed_now)):
        documents, characters = found.moved(side)
        size = f", {short(characters)} characters" if characters else ""
        title = f"\n{side}, would be {verb}: {count(documents)} documents{size}"
        console.print(Text(title, style=f"bold {COLOURS[verb]}"))
        for move in moves:
            console.print(Padding(_move(move), (0, 0, 0, 2)))
    console.print(f"\nremoved as before, for another reason: {count(found.renamed)} documents", highlight=False)
    for line in _next(out, measured, start, rules, recipe):
        console.print(Text(line), soft_wrap=True)


def funnels(measured: Measured, found: Redecision) -> Table:
    """Documents and characters of each reason, as it was and as it would be."""
    was, would = found.funnel(0), found.funnel(1)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("clean", no_wrap=True, overflow="ellipsis", ratio=1)
    for name in ("as it was", "chars", "would be", "chars", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    quarantined = sum(measured.tally.quarantined.values())
    everything = Numbers(quarantined, 0) + sum(was.values(), Numbers())
    table.add_row(Text("in", style="bold"), *_cells(everything) * 2)
    none = Numbers()
    reasons = sorted({*was, *would} - {""}, key=lambda reason: (-was.get(reason, none).documents, reason))
    shown = [r for i, r in enumerate(reasons) if i < REASONS_SHOWN or was.get(r) != would.get(r)]
    rows = [(one_line(reason), was.get(reason, none), would.get(reason, none)) for reason in shown]
    if len(shown) < len(reasons):
        same = sum((was[reason] for reason in reasons if reason not in shown), none)
        rows.append((f"{len(reasons) - len(shown)} more reasons, as they were", same, same))
    for name, before, after in rows:
        row = (*_cells(before, "-"), *_cells(after, "-"), _change(before, after))
        table.add_row(Text(f"  {name}", style=COLOURS["removed"]), *row)
    if quarantined:
        table.add_row(Text("  quarantined", style=COLOURS["quarantined"]), *_cells(Numbers(quarantined, 0), "-") * 2)
    before, after = was.get("", none), would.get("", none)
    kept = (*_cells(before), *_cells(after), _change(before, after))
    table.add_row(Text("  kept", style=COLOURS["kept"]), *kept)
    table.add_row("", *_shares(before, everything), *_shares(after, everything))
    return table


def _cells(numbers: Numbers, sign: str = "") -> tuple[str, str]:
    documents, characters = numbers
    return f"{sign if documents else ''}{count(documents)}", f"{sign}{short(characters)}" if characters else ""


def _shares(numbers: Numbers, everything: Numbers) -> tuple[str, str]:
    characters = share(numbers.characters, everything.characters) if everything.characters else ""
    return share(numbers.documents, everything.documents), characters


def _change(before: Numbers, after: Numbers) -> str:
    difference = after.documents - before.documents
    return f"{difference:+,}" if difference else ""


def rules_table(rules: Sequence[Reject]) -> Table:
    """Every rule: its reason, the signal and the comparison that rejects."""
    table = Table("reason", "rejected if", box=None, header_style="bold", pad_edge=False)
    for rule in rules:
        table.add_row(Text(rule.reject), Text(f"{rule.when} {condition(rule)}"))
    return table


def _move(move: Move) -> RenderableType:
    """Why it would change sides, where it is, and how it begins."""
    document = move.document
    where = " · ".join(one_line(item) for item in (document.url or document.locator, document.id))
    begins = clip(one_line(document.text), TEXT_CHARACTERS)
    return Group(*_because(move), Text(where, style="dim"), Text(begins), Text())


def _because(move: Move) -> list[Text]:
    rule = move.was or move.would
    if rule is None:
        return []
    reasons = [(rule.reject, COLOURS["removed"]), (" → ", ""), ("kept", COLOURS["kept"])]
    other = f"if {condition(move.same)}" if move.same else "never"
    if move.was:
        verdict = f"was rejected if {condition(rule)}, now {other}"
    else:
        reasons.reverse()
        verdict = f"now rejected if {condition(rule)}, before {other}"
    measured = beside(move.document.signals.get(rule.when), rule)
    return [Text.assemble(*reasons), Text(f"{rule.when} {measured}: {verdict}")]


def _next(
    out: str, measured: Measured, start: Sequence[Reject], rules: Sequence[Reject], recipe: str | None
) -> Iterator[str]:
    """What this figure cannot know, and how to make it real."""
    editors = ", ".join(measured.editors((*measured.rules, *rules)))
    if editors:
        yield f"note: deciding again cannot undo an edit, and steps measured behind {editors}"
    settings, by_hand = to_make_it_real(start, rules)
    if recipe:
        yield f"to make it real, give the run's recipe the clean part of {recipe}"
        return
    command = ["dataprep", "run", "RECIPE", "--out", out]
    for setting in settings:
        command += ["--set", setting]
    yield "to make it real (clean and what comes after it run again; repeat the --set"
    yield "options that the run was given, they are not remembered):"
    yield from (f"  in the recipe, {line}" for line in by_hand)
    if settings or not by_hand:
        yield f"  {shlex.join(command)}"
