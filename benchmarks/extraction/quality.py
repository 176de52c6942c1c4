"""Precision, recall and F1 of ours and of other extractors on annotated pages: same pages, same run.

    python -m benchmarks.extraction.quality [--set NAME…] [--engine NAME…] [--dev | --held]
                                            [--worst N] [--page PART] [--write FOLDER] [--cache FOLDER] [--data FOLDER]

The 95 % interval is of F1, over resamples of pages; `ours - it` is the interval of the paired difference of F1, ours
(profile auto) minus the engine; `folds` is F1 in five groups of sites: mean, lowest, highest. CPU seconds of an engine
marked * were measured when its outputs were put into the cache. `--dev` and `--held` are two halves of the sites:
tune on one, look at the other's numbers only.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.extraction import metrics
from benchmarks.extraction.engines import OURS, RIVALS, AbsentError, Result, ours, run_rival
from benchmarks.extraction.report import print_table
from benchmarks.extraction.sets import SETS, Page, find_data, folds, load
from benchmarks.extraction.worst import differences

CACHE = Path(tempfile.gettempdir()) / "corpusmill-extraction"
COLUMNS = ("engine", "F1", "P", "R", "F1, 95 %", "ours - it, 95 %", "folds", "empty", "CPU s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help=", ".join(SETS))
    known = [*OURS, *RIVALS]
    parser.add_argument("--engine", nargs="+", choices=known, default=known, metavar="NAME", help=", ".join(known))
    half = parser.add_mutually_exclusive_group()
    half.add_argument("--dev", action="store_true", help="only sites of the first half")
    half.add_argument("--held", action="store_true", help="only sites of the second half")
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="show the N worst pages of the first engine")
    parser.add_argument("--page", metavar="PART", help="show the pages whose name holds PART")
    parser.add_argument("--write", type=Path, help="write pages, true texts and all engines' texts into this folder")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"the others' outputs (default: {CACHE})")
    parser.add_argument("--data", help="the folder of shared test data")
    arguments = parser.parse_args()

    for name in arguments.set:
        everything = load(name, find_data(arguments.data))
        picked = [i for i, page in enumerate(everything) if not (arguments.dev and page.held)]
        picked = [i for i in picked if not arguments.held or everything[i].held]
        pages = [everything[i] for i in picked]
        sites = len({page.site for page in pages})
        half_name = ", development half" if arguments.dev else ", held-out half" if arguments.held else ""
        print(f"\n{name}: {len(pages)} pages of {sites} sites{half_name}")
        results, cached = _results(arguments.engine, everything, picked, arguments.cache)
        rows = {engine: _counts(pages, result) for engine, result in results.items()}
        print_table(_table(pages, results, rows, cached))
        if results and (arguments.worst or arguments.page):
            _print_pages(pages, results, rows, arguments.worst, arguments.page)
        if arguments.write:
            _write(arguments.write / name, pages, results)


def _results(
    engines: Sequence[str], everything: Sequence[Page], picked: Sequence[int], cache: Path
) -> tuple[dict[str, Result], set[str]]:
    """Of the picked pages; the others run on all pages of a set, so that either half finds them in the cache."""
    results: dict[str, Result] = {}
    cached: set[str] = set()
    for engine in engines:
        try:
            if engine in OURS:
                results[engine] = ours(OURS[engine])([everything[i] for i in picked])
                continue
            result, known = run_rival(engine, everything, cache)
        except AbsentError as why:
            print(f"  {engine}: {why}")
            continue
        results[engine] = result.part(picked)
        if known:
            cached.add(engine)
    return results, cached


def _counts(pages: Sequence[Page], result: Result) -> np.ndarray:
    return np.array([metrics.counts(page.truth, text) for page, text in zip(pages, result.texts, strict=True)])


def _table(
    pages: Sequence[Page], results: dict[str, Result], rows: dict[str, np.ndarray], cached: set[str]
) -> list[tuple[str, ...]]:
    pooled = isinstance(pages[0].truth, metrics.Segments)
    picked = metrics.resamples(len(pages))
    groups = [np.array([group]) for group in folds(pages) if group]
    spread = {engine: metrics.scores(row, pooled, picked).f1 for engine, row in rows.items()}
    table: list[tuple[str, ...]] = [COLUMNS]
    for engine, row in rows.items():
        whole = metrics.scores(row, pooled)
        parts = [float(metrics.scores(row, pooled, group).f1[0]) for group in groups]
        ahead = "corpusmill" in spread and engine != "corpusmill"
        seconds = sum(results[engine].seconds)
        table.append(
            (
                engine,
                *(_digits(value[0]) for value in (whole.f1, whole.precision, whole.recall)),
                _interval(spread[engine]),
                _interval(spread["corpusmill"] - spread[engine], "+") if ahead else "",
                f"{_digits(np.mean(parts))} ({_digits(min(parts))} to {_digits(max(parts))})",
                str(sum(not text.strip() for text in results[engine].texts)),
                f"{seconds:.2f}{'*' if engine in cached else ''}",
            )
        )
    return table


def _digits(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}".replace("0.", ".", 1)


def _interval(values: np.ndarray, sign: str = "") -> str:
    low, high = metrics.interval(values)
    return f"[{_digits(low, sign)} {_digits(high, sign)}]"


def _print_pages(
    pages: Sequence[Page], results: dict[str, Result], rows: dict[str, np.ndarray], worst: int, part: str | None
) -> None:
    first = next(iter(results))
    f1 = {engine: [metrics.page_f1(row) for row in table] for engine, table in rows.items()}
    order = sorted(range(len(pages)), key=lambda i: (f1[first][i], pages[i].name))
    shown = [i for i in order if part in pages[i].name] if part else order[:worst]
    print(f"\n{first}'s texts: - is missing, + is surplus")
    for i in shown:
        page, text = pages[i], results[first].texts[i]
        print(f"\n{page.name}  ({page.site}, {len(page.html) / 1000:.0f} kB, {len(text):,} characters kept)")
        print("  " + "  ".join(f"{engine} {_digits(f1[engine][i])}" for engine in results))
        if results[first].notes:
            print(f"  {results[first].notes[i]}")
        others = {engine: result.texts[i] for engine, result in results.items() if engine != first}
        for line in differences(page.truth, text, others):
            print(line)


def _write(folder: Path, pages: Sequence[Page], results: dict[str, Result]) -> None:
    for i, page in enumerate(pages):
        place = folder / page.name.removesuffix(".html")
        place.mkdir(parents=True, exist_ok=True)
        (place / "page.html").write_bytes(page.html)
        truth = page.truth
        if isinstance(truth, metrics.Segments):
            truth = "\n".join([*(f"must: {s}" for s in truth.required), *(f"must not: {s}" for s in truth.forbidden)])
        (place / "truth.txt").write_text(truth, encoding="utf-8")
        for engine, result in results.items():
            (place / f"{engine}.txt").write_text(result.texts[i], encoding="utf-8", errors="replace")


if __name__ == "__main__":
    main()
