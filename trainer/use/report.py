"""``trainer report``: one HTML page about a run, from its directory alone, without scripts and without anything from
afar.

Everything that is text goes through ``_tag`` or ``_cell``, which escape it: a document's URL may hold anything.
"""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.files import replace_file
from trainer.saved import record
from trainer.saved.metrics import read_metrics
from trainer.watch import energy
from trainer.watch.ledger import Decision, read_decisions
from trainer.watch.watch import read_origins

NAME = "report.html"
WIDTH, HEIGHT, MARGIN = 720, 200, 48
POINTS = 720
"""More points of a curve than this are drawn as the extremes of as many stretches, so that no spike is lost."""

COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#805ad5", "#b83280", "#718096", "#975a16", "#285e61")
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:780px;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em}table{border-collapse:collapse;font-size:13px}
td,th{padding:2px 10px 2px 0;text-align:left;vertical-align:top}svg{width:100%;height:auto}
.k{display:inline-block;width:1em;height:3px;margin:0 .4em 3px 1em}code{font-size:12px;overflow-wrap:anywhere}"""

Curve = list[tuple[float, float]]


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into a run directory. Raises ``ValueError`` when it is none."""
    value = record.of_a_run(folder)
    rows, decisions = read_metrics(folder), read_decisions(folder)
    title = f"Run {folder.resolve().name}"
    parts = [
        _tag("h1", title),
        *_curves(rows, [decision.step for decision in decisions]),
        *_decisions(decisions, read_origins(folder)),
        *_memory(rows),
        *_usage(value.get("usage")),
        *_what_it_is(value),
    ]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    replace_file(folder / NAME, f"{page}<style>{STYLE}</style>{''.join(parts)}</html>\n".encode())
    return folder / NAME


def _curves(rows: Sequence[Mapping[str, Any]], marks: Sequence[int]) -> Iterable[str]:
    yield _chart("Loss, nats a token", _named(rows, {"loss": "training", "validation_loss": "validation"}), marks)
    sources = sorted({name.partition(".")[2] for row in rows for name in row if name.startswith("seen_loss.")})
    for source in sources:
        names = {
            f"validation_loss.{source}": "validation",
            f"seen_loss.{source}": "windows that were seen",
            f"coming_loss.{source}": "windows seen once less",
        }
        yield _chart(f"Source {source}: loss, nats a token", _named(rows, names), ())
    yield _chart("Gradient norm before clipping", _named(rows, {"gradient_norm": "norm"}), marks)
    yield _chart("Learning rate", _named(rows, {"learning_rate": "rate"}), ())
    yield _chart("Tokens a second", _named(rows, {"tokens_per_second": "tokens/s"}), ())
    memory = [dict(row) | {"memory": row["memory"] / 1e9} for row in rows if "memory" in row]
    yield _chart("Most memory so far, GB", _named(memory, {"memory": "of the first rank"}), ())
    yield _chart("Goodput so far", _named(rows, {"goodput": "share of the time that moved the model"}), ())
    yield _chart("Model FLOPs utilisation", _named(rows, {"mfu": "share of the devices' peak"}), ())


def _named(rows: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, Curve]:
    return {
        label: [(row["step"], row[name]) for row in rows if row.get(name) is not None] for name, label in names.items()
    }


def _chart(title: str, curves: Mapping[str, Curve], marks: Sequence[int]) -> str:
    """Curves over steps; ``marks``: steps at which a line is drawn. Nothing without a point."""
    curves = {label: _thinned(curve) for label, curve in curves.items() if curve}
    points = [point for curve in curves.values() for point in curve]
    if not points:
        return ""
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*points, strict=True))

    def at(x: float, y: float) -> str:
        across = MARGIN + (x - left) / ((right - left) or 1) * (WIDTH - MARGIN - 8)
        return f"{across:.1f},{8 + (high - y) / ((high - low) or 1) * (HEIGHT - 32):.1f}"

    lines = [
        f'<polyline points="{at(mark, high)} {at(mark, low)}" stroke="#e53e3e" stroke-dasharray="2 3"/>'
        for mark in marks
        if left <= mark <= right
    ]
    keys = []
    for colour, (label, curve) in zip(COLOURS * len(curves), curves.items(), strict=False):
        lines.append(f'<polyline points="{" ".join(at(*point) for point in curve)}" stroke="{colour}"/>')
        keys.append(f'<span class="k" style="background:{colour}"></span>{html.escape(label)}')
    words = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{number:.4g}</text>'
        for x, y, anchor, number in (
            (MARGIN - 4, 14, "end", high),
            (MARGIN - 4, HEIGHT - 20, "end", low),
            (MARGIN, HEIGHT - 4, "start", left),
            (WIDTH - 8, HEIGHT - 4, "end", right),
        )
    )
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-size="11" fill="none">{"".join(lines)}'
    return f'{_tag("h2", title)}<p>{"".join(keys)}</p>{drawing}<g fill="#222">{words}</g></svg>'


def _thinned(curve: Curve) -> Curve:
    stretch = -(-2 * len(curve) // POINTS)
    if len(curve) <= POINTS:
        return curve
    parts = (curve[start : start + stretch] for start in range(0, len(curve), stretch))
    return [
        point
        for part in parts
        for point in sorted({min(part, key=lambda one: one[1]), max(part, key=lambda one: one[1])})
    ]


def _decisions(decisions: Sequence[Decision], origins: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    if not decisions:
        return
    yield _tag("h2", "Steps that stood out")
    rows = [
        (one.step, one.batch, one.kind, one.deviations, one.loss, one.gradient_norm, one.action, _left_out(one))
        for one in decisions
    ]
    yield _table(("step", "batch", "by", "deviations", "loss", "gradient norm", "decided", "batches left out"), rows)
    for one in decisions:
        named = [
            (
                row["loss"],
                row["source"],
                row["document"],
                f"{row['shard']} {row['row']}",
                found.get("url"),
                found.get("locator"),
            )
            for row in one.documents
            for found in [origins.get(row["document"] or "", {})]
        ]
        yield f"<details><summary>Documents of step {one.step}, batch {one.batch}</summary>"
        yield _table(("nats/token", "source", "document", "shard and row", "URL", "locator"), named) + "</details>"


def _left_out(decision: Decision) -> str:
    return "" if decision.passed_from is None else f"{decision.passed_from} to {decision.batch}"


def _memory(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    canaries = sorted({name for row in rows for name in row if name.startswith("canary_exposure.")})
    curves = {}
    for name in canaries:
        number = name.partition(".")[2]
        curves[f"canary {number}"] = [(row[f"canary_repetitions.{number}"], row[name]) for row in rows if name in row]
    yield _chart("Canaries: exposure in bits, by repetitions", curves, ())
    shares = {name: value for row in rows for name, value in row.items() if name.startswith("extractable.")}
    by_kind: dict[str, Curve] = {}
    for name, share in shares.items():
        kind, _, prompt = name.removeprefix("extractable.").partition(".")
        label = "windows that were seen" if kind == "seen" else "windows seen once less"
        by_kind.setdefault(label, []).append((int(prompt), share))
    yield _chart("Share of texts that come out word for word, by tokens of prompt", by_kind, ())


def _usage(used: Mapping[str, Any] | None) -> Iterable[str]:
    if used:
        yield _tag("h2", "Time, energy, money") + _tag("p", energy.in_words(dict(used)))
        yield _table(("", ""), list(used.items()))


def _what_it_is(value: Mapping[str, Any]) -> Iterable[str]:
    yield _tag("h2", "What this run is")
    names = ("shards", "manifest", "parameters", "vocabulary_size", "tokenizer_fingerprint")
    flat = [(name, value[name]) for name in names]
    for group in ("config", "rounding", "code", "environment"):
        flat += [(f"{group}.{name}", inner) for name, inner in value.get(group, {}).items()]
    yield _table(("", ""), flat)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(_tag("th", name) for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        return _tag("td", f"{value:.4g}" if math.isfinite(value) else str(value))
    return f"<td>{_tag('code', str(value))}</td>"


def _tag(name: str, text: str) -> str:
    return f"<{name}>{html.escape(text)}</{name}>"
