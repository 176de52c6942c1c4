"""HTML that is escaped unless it says otherwise, and the two charts the report needs.

Decisions:
- Only ``Html`` goes into a page as it is; every plain string is made visible (see ``wording``) and escaped. So a page's
  text cannot become markup by being forgotten.
- Charts are bars: flex boxes with widths in percent where words stand in them, SVG without words where there are many.
  Words are always HTML, so that they stay readable when a phone scales the drawing.
"""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataprep.report.wording import count, share, visible

_VOID = {"br"}
_DRAWING = (600, 140)  # SVG units; stretched to whatever box the page gives it


class Html(str):
    """Text that is markup already."""


Child = str | Html | None


def escape(text: str) -> Html:
    return text if isinstance(text, Html) else Html(html.escape(visible(text), quote=True))


def join(children: Sequence[Child], separator: str = "") -> Html:
    return Html(separator.join(escape(child) for child in children if child is not None))


def tag(name: str, *children: Child, **attributes: str | None) -> Html:
    """An element. Attributes: ``class_`` is ``class``, other underscores are hyphens, None leaves one out."""
    pairs = [
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    ]
    opening = f"<{name}{''.join(pairs)}>"
    return Html(opening if name in _VOID else f"{opening}{join(children)}</{name}>")


def section(title: str, *children: Child, note: str | None = None) -> Html:
    """A chapter of the report; nothing when it has no content."""
    if not any(children):
        return Html("")
    return tag("section", tag("h2", title), tag("p", note, class_="note") if note else None, *children)


def table(columns: Sequence[str], rows: Sequence[Sequence[Child]], numbers: Sequence[int] = ()) -> Html:
    """``numbers``: the positions of right-aligned columns."""
    if not rows:
        return Html("")
    kind = ["n" if position in numbers else None for position in range(len(columns))]
    head = tag("tr", *(tag("th", name, class_=one, scope="col") for name, one in zip(columns, kind, strict=True)))
    body = [tag("tr", *(tag("td", cell, class_=one) for cell, one in zip(row, kind, strict=True))) for row in rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="scroll")


def details(summary: Child, *children: Child, open_: bool = False) -> Html:
    body = join([tag("summary", summary), *children])
    return Html(f"<details{' open' if open_ else ''}>{body}</details>")


def percent(part: float, whole: float) -> str:
    """A CSS width."""
    return f"{100 * part / whole:.2f}%" if whole else "0%"


@dataclass(frozen=True)
class Piece:
    """One segment of a bar; ``kind`` is its colour (a class of the style sheet) and, with the amount, its tooltip."""

    kind: str
    amount: float
    label: str


def bar(pieces: Sequence[Piece], whole: float, thin: bool = False) -> Html:
    """Segments side by side; ``whole`` is what a full-width bar stands for."""
    drawn = [piece for piece in pieces if piece.amount > 0]
    spans = [
        tag("span", class_=piece.kind, style=f"width:{percent(piece.amount, whole)}", title=piece.label)
        for piece in drawn
    ]
    described = "; ".join(piece.label for piece in drawn)
    return tag("div", *spans, class_="bar thin" if thin else "bar", role="img", aria_label=described)


@dataclass(frozen=True)
class Series:
    """``counts``: int64[bins]; ``kind``: the colour's class."""

    label: str
    kind: str
    counts: NDArray[np.int64]


def histogram(
    series: Sequence[Series],
    describe: Callable[[int], str],
    ticks: Sequence[tuple[float, str]],
    *,
    small: bool = False,
    root: bool = False,
) -> Html:
    """Bars of all series over the same bins, later series in front. ``ticks``: (position 0…1, label) below the axis.

    ``describe``: bin → the range it stands for, in words. Every bar names its range and its figures when pointed at.
    ``root``: heights are square roots of counts, so that few beside many can still be seen.
    """
    bins = max(len(one.counts) for one in series)
    top = max((int(one.counts.max()) for one in series if len(one.counts)), default=0)
    if not top:
        return Html("")
    width, height = _DRAWING
    step = width / bins
    bars: list[Html] = []
    for position in range(bins):
        figures = [(one, int(one.counts[position]) if position < len(one.counts) else 0) for one in series]
        if not any(number for _, number in figures):
            continue
        words = ", ".join(f"{one.label} {count(number)}" for one, number in figures)
        shapes = []
        for one, number in figures:
            if number:
                tall = max((number / top) ** (0.5 if root else 1) * height, 1.0)
                place = f'x="{position * step + step * 0.06:.1f}" y="{height - tall:.1f}"'
                extent = f'width="{step * 0.88:.1f}" height="{tall:.1f}"'
                shapes.append(Html(f'<rect class="{escape(one.kind)}" {place} {extent}/>'))
        bars.append(tag("g", tag("title", f"{describe(position)}: {words}"), *shapes))
    label = "; ".join(f"{one.label}: {count(int(one.counts.sum()))} documents" for one in series)
    drawing = Html(
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{join(bars)}</svg>'
    )
    axis = tag("div", *(tag("span", words, style=f"left:{100 * at:.2f}%") for at, words in ticks), class_="axis")
    return tag("div", drawing, axis, class_="histogram small" if small else "histogram")


def legend(entries: Sequence[tuple[str, str]]) -> Html:
    """(kind, label) pairs."""
    return tag("p", *(tag("span", tag("i", class_=kind), label) for kind, label in entries), class_="legend")


def share_bar(part: float, whole: float, kind: str) -> Html:
    """A short bar with its percentage, for a table's cell."""
    mark = tag("span", tag("span", class_=kind, style=f"width:{percent(part, whole)}"), class_="mini")
    return join([mark, tag("span", share(part, whole), class_="pct")])
