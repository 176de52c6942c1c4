"""The report's documents: samples of what was kept and removed, quarantined records, what was copied most."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataprep.report.distributions import Cluster
from dataprep.report.inspect import Document
from dataprep.report.markup import Child, Html, Series, details, histogram, join, section, table, tag
from dataprep.report.wording import clip, count, one_line, paragraphs, value

SIMILARITY_BINS = 40


def document(one: Document, kept_copy: Document | None = None) -> Html:
    """One sample: where it is from, what it says, what was measured."""
    where = " · ".join(one_line(part) for part in (one.source, one.url, one.locator, one.date) if part)
    length = f" · {count(one.characters)} characters" if one.characters is not None else ""
    return tag(
        "div",
        tag("div", where, tag("br"), tag("code", one.id), length, class_="where"),
        tag("div", _text(one), _text(kept_copy, "the copy that was kept"), class_="pair") if kept_copy else _text(one),
        _similarity(one),
        *_signals(one),
        class_="doc",
    )


def _signals(one: Document) -> list[Html]:
    """The signals that the reason is named after, and the rest when asked for."""
    last = (one.reason or "").rpartition(".")[2]
    first = [name for name in sorted(one.signals) if last in name.split(".")]
    rest = [name for name in sorted(one.signals) if name not in first]
    shown = [_chips(one, first)] if first else []
    return [*shown, details(tag("span", f"{len(rest)} signals", class_="quiet"), _chips(one, rest))] if rest else shown


def _chips(one: Document, names: Sequence[str]) -> Html:
    return tag("div", *(tag("span", f"{name} {value(one.signals[name])}") for name in names), class_="signals")


def _text(one: Document, title: str | None = None) -> Html:
    more = " …" if one.characters is not None and one.characters > len(one.text) else ""
    body = tag("div", "no text", class_="text empty")
    if one.text.strip():
        body = tag("div", paragraphs(one.text) + more, class_="text", dir="auto")
    return tag("div", tag("div", f"{title}: {one.url or one.locator}", class_="where") if title else None, body)


def _similarity(one: Document) -> Html | None:
    if one.duplicate_of is None:
        return None
    like = f", similarity {one.similarity:.3f}" if one.similarity is not None else ""
    return tag("div", "kept instead: ", tag("code", one.duplicate_of), like, class_="where")


def samples(title: str, groups: Mapping[str, Sequence[Document]], copies: Mapping[str, Document], note: str) -> Html:
    """``groups``: heading → documents; ``copies``: id → the kept copy to show beside its duplicates."""
    blocks = [
        details(
            tag("span", heading, class_="mono"),
            *(document(one, copies.get(one.duplicate_of or "")) for one in documents),
            open_=len(groups) == 1,
        )
        for heading, documents in groups.items()
        if documents
    ]
    return section(title, *blocks, note=note)


def quarantine(groups: Mapping[str, Mapping[str, Sequence[Document]]]) -> Html:
    """``groups``: stage → reason → examples."""
    blocks = []
    for stage, reasons in groups.items():
        for reason, examples in reasons.items():
            rows = [
                [one.source, _mono(one.url or one.locator), one.step or "", clip(one.error or "", 300)]
                for one in examples
            ]
            blocks.append(details(f"{stage}: {reason}", table(("source", "where", "step", "error"), rows)))
    note = "Records that could not be processed. They are counted, and stop nothing."
    return section("Quarantine", *blocks, note=note)


def duplicates(
    clusters: Sequence[Cluster], similarity: NDArray[np.float64], components: Sequence[Mapping[str, Any]]
) -> Html:
    """``similarity``: of each removed document to its kept copy. ``components``: the unique stage's largest."""
    return section(
        "Duplicates",
        *_copied(clusters),
        *_similarities(similarity),
        *_components(components),
        note="Only what is like a kept copy is removed; documents that a chain of likenesses joins may all stay.",
    )


def _copied(clusters: Sequence[Cluster]) -> list[Html]:
    rows: list[list[Child]] = []
    for one in clusters:
        about = _mono(one.id)
        if one.kept:
            text = tag("div", clip(one_line(one.kept.text), 140), class_="quiet", dir="auto")
            about = join([tag("div", _mono(one.kept.url or one.kept.locator)), text])
        rows.append([about, count(one.removed)])
    return [tag("h3", "Most copied"), table(("kept", "copies removed"), rows, (1,))] if rows else []


def _similarities(similarity: NDArray[np.float64]) -> list[Html]:
    if not len(similarity):
        return []
    low = min(float(np.floor(similarity.min() * 10) / 10), 0.9)
    counts = np.histogram(similarity, SIMILARITY_BINS, (low, 1.0))[0]
    width = (1 - low) / SIMILARITY_BINS
    drawn = histogram(
        [Series("removed", "removed", counts)],
        lambda index: f"{low + index * width:.3f} to {low + (index + 1) * width:.3f}",
        [(0.0, f"{low:.1f}"), (1.0, "1.0 (the same)")],
        small=True,
    )
    return [tag("h3", "Similarity of what was removed to the copy that was kept"), drawn]


def _components(components: Sequence[Mapping[str, Any]]) -> list[Html]:
    rows: list[list[Child]] = [
        [
            join([tag("div", _mono(str(member))) for member in one.get("members", ())]),
            count(one.get("size", 0)),
            count(one.get("kept_copies", 0)),
        ]
        for one in components
    ]
    if not rows:
        return []
    columns = ("some of its documents", "documents", "kept")
    return [details("Largest components of candidates", table(columns, rows, (1, 2)))]


def passages(most_repeated: Sequence[Mapping[str, Any]]) -> Html:
    """``most_repeated``: of the passages stage, those of each reason together."""
    blocks = []
    for reason in dict.fromkeys(one["reason"] for one in most_repeated):
        rows: list[list[Child]] = [
            [tag("div", clip(one_line(one["text"]), 300), dir="auto"), count(one["occurrences"])]
            for one in most_repeated
            if one["reason"] == reason
        ]
        blocks.append(details(tag("span", reason, class_="mono"), table(("text", "occurrences"), rows, (1,))))
    note = "What the corpus has most often. All but one occurrence was cut out, or all of them if the recipe says so."
    return section("Repeated passages", *blocks, note=note)


def _mono(text: str) -> Html:
    return tag("span", one_line(text), class_="mono")
