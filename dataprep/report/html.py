"""The report: one self-contained HTML file that a browser shows without a network.

Decisions:
- A function of the run's files and of nothing else: no clock, no host name, no path. The same run is the same bytes.
- No script, no link, no image: what a page of the corpus says is text, and a content security policy forbids the rest.
"""

from collections import Counter
from collections.abc import Mapping

from dataprep import storage
from dataprep.report import distributions, exhibits, sections
from dataprep.report.funnel import Funnel, load_funnel
from dataprep.report.inspect import Document, any_of, find, sample, sample_by_reason
from dataprep.report.layout import DOCUMENT_STAGES
from dataprep.report.markup import Html, join, tag
from dataprep.report.style import CSS
from dataprep.report.vocabulary import load_vocabulary, vocabulary
from dataprep.shards import LengthHistogram, Manifest, Statistics, shard_statistics

FILE_NAME = "report.html"
KEPT_SAMPLES = 8
REASON_SAMPLES = 3
META = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
)


def write_report(out: str) -> str:
    """Write ``OUT/report.html`` and return its path. Raises ``ValueError`` when ``out`` is not a run directory."""
    path = storage.join(out, FILE_NAME)
    storage.write_bytes(path, render(out).encode())
    return path


def render(out: str) -> str:
    """The whole page."""
    funnel = load_funnel(out)
    manifest, problem = _manifest(out)
    statistics = shard_statistics(manifest) if manifest else None
    present = [name for name in DOCUMENT_STAGES if funnel.stage(name)]
    body = [
        sections.head(funnel, statistics),
        sections.funnel_bars(funnel),
        sections.reason_tables(funnel),
        *_distributions(out, present, statistics),
        *_samples(out, present, funnel),
        vocabulary(load_vocabulary(out)),
        sections.shard_figures(statistics, _lengths(manifest), problem),
        sections.machinery(funnel),
        _footer(funnel),
    ]
    return _page(f"{funnel.recipe or 'run'}: report", join(body))


def _page(title: str, body: Html) -> str:
    head = tag(
        "head",
        Html(META),
        tag("title", title),
        tag("style", Html(CSS)),
    )
    return f'<!doctype html>\n<html lang="en">{head}<body>{tag("main", body)}</body></html>\n'


def _distributions(out: str, present: list[str], statistics: Statistics | None) -> list[Html]:
    last = present[-1] if present else ""
    before = distributions.text_lengths(out, "documents", "kept") if last else None
    after = distributions.text_lengths(out, last, "kept") if last not in ("", "documents") else None
    found = [sections.length_chart(before, after, last)]
    column = distributions.language_column(out)
    if column:
        stage = "clean" if "clean" in present else "documents"
        kept, removed = (distributions.label_counts(out, stage, kind, column) for kind in ("kept", "removed"))
        note = f"As measured by {column}; kept and removed by the {stage} stage, for whatever reason."
        found.append(sections.label_table("Languages", "language", kept, removed, note))
    by_source = {stage: distributions.label_counts(out, stage, "kept", "source") for stage in present}
    tokens: Counter[str] = Counter()
    for row in statistics.rows if statistics else ():
        tokens[row.source] += row.tokens
    found.append(sections.source_table(present, by_source, tokens))
    found.append(sections.signal_grid(distributions.signal_histograms(out)))
    return found


def _samples(out: str, present: list[str], funnel: Funnel) -> list[Html]:
    found: list[Html] = []
    if present:
        kept = sample(out, present[-1], "kept", limit=KEPT_SAMPLES)
        note = "Chosen by a hash of their ids; the same in every report of this run."
        found.append(exhibits.samples("Documents that were kept", {f"after {present[-1]}": kept}, {}, note))
    removed: dict[str, list[Document]] = {}
    for stage in present:
        for reason, documents in sample_by_reason(out, stage, "removed", REASON_SAMPLES).items():
            removed[f"{stage}: {reason or '(no reason given)'}"] = documents
    originals = {bytes.fromhex(one.duplicate_of) for group in removed.values() for one in group if one.duplicate_of}
    copies = {one.id: one for one in find(out, "unique", "kept", any_of(originals))} if originals else {}
    note = f"Up to {REASON_SAMPLES} for every reason, with what was measured. Duplicates stand beside the kept copy."
    found.append(exhibits.samples("Documents that were removed", removed, copies, note))
    unique = funnel.stage("unique")
    components = unique.extra.get("largest_clusters", ()) if unique else ()
    found.append(exhibits.duplicates(distributions.largest_clusters(out), distributions.similarities(out), components))
    repeated = funnel.stage("passages")
    found.append(exhibits.passages(repeated.extra.get("most_repeated", ()) if repeated else ()))
    groups: dict[str, Mapping[str, list[Document]]] = {
        stage: sample_by_reason(out, stage, "quarantined", REASON_SAMPLES) for stage in present
    }
    found.append(exhibits.quarantine(groups))
    return found


def _manifest(out: str) -> tuple[Manifest | None, str | None]:
    try:
        return Manifest.load(storage.join(out, "shards")), None
    except FileNotFoundError:
        return None, None
    except ValueError as error:  # a damaged manifest must not hide the rest of the run
        return None, str(error).removeprefix(out.rstrip("/") + "/")


def _lengths(manifest: Manifest | None) -> LengthHistogram | None:
    return LengthHistogram.total(totals.lengths for totals in manifest.totals.values()) if manifest else None


def _footer(funnel: Funnel) -> Html:
    versions = next((stage.versions for stage in reversed(funnel.stages) if stage.versions), {})
    made = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    return tag("footer", f"Made from the run's own files. {made}")
