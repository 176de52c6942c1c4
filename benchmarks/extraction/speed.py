"""Pages and megabytes a second on one core, from page bytes to an Arrow column of text, everybody decoding.

    python -m benchmarks.extraction.speed [--engine NAME…] [--pages N] [--rounds N] [--data FOLDER] [WARC…]

Without WARC files (or folders of them) the pages are the trafilatura set's 507 (mean 144 kB). Engines take turns on
small groups of pages, so that whatever else the machine does meets all of them. CPU seconds; the median round, the
slowest and the fastest; `ours` is how many times as many pages a second ours (profile auto) does as the engine, the
median of the rounds' ratios.
"""

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from fastwarc.warc import ArchiveIterator, WarcRecordType

from benchmarks.extraction.engines import BATCH, OURS, RIVALS, AbsentError, arrow_pages, attempt, ours_arrow, rival
from benchmarks.extraction.report import print_table
from benchmarks.extraction.sets import find_data, load

Timed = Callable[[Sequence[bytes]], pa.Array]
SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [*OURS, *(name for name in RIVALS if name != "readability-lxml")]
    parser.add_argument("--engine", nargs="+", choices=[*OURS, *RIVALS], default=known, metavar="NAME")
    parser.add_argument("--pages", type=int, default=2000, help="a seeded sample of this many pages")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", help="the folder of shared test data")
    parser.add_argument("warc", nargs="*", type=Path)
    arguments = parser.parse_args()

    if arguments.warc:
        pages = list(_responses(arguments.warc))
    else:
        pages = [page.html for page in load("trafilatura", find_data(arguments.data))]
    chance = random.Random(SEED)
    chance.shuffle(pages)
    pages = pages[: arguments.pages]
    megabytes = sum(map(len, pages)) / 1e6
    print(f"{len(pages):,} pages, {megabytes:.1f} MB, mean {1000 * megabytes / len(pages):.0f} kB")

    engines: dict[str, Timed] = {}
    for name in arguments.engine:
        try:
            engines[name] = _ours(OURS[name]) if name in OURS else _rival(name)
        except AbsentError as why:
            print(f"  {name}: {why}")
    for extract in engines.values():
        extract(pages[:2])  # what an engine loads at its first page is not a page's time
    rounds = [_round(engines, pages, chance) for _ in range(arguments.rounds)]
    print_table(_table(list(engines), rounds, len(pages), megabytes))


def _responses(paths: Sequence[Path]) -> Iterator[bytes]:
    """The HTML responses of WARC files, in the order of their names."""
    for path in paths:
        for file in sorted(path.rglob("*.warc*")) if path.is_dir() else [path]:
            with file.open("rb") as handle:
                for record in ArchiveIterator(handle, record_types=WarcRecordType.response, parse_http=True):
                    if "html" in (record.http_content_type or ""):
                        yield record.reader.read()


def _ours(profile: str) -> Timed:
    extract = ours_arrow(profile)

    def run(pages: Sequence[bytes]) -> pa.Array:
        return extract(arrow_pages(pages, [None] * len(pages))).column("text")

    return run


def _rival(name: str) -> Timed:
    extract = rival(name)
    return lambda pages: pa.array([attempt(extract, page) for page in pages], pa.large_string())


def _round(engines: dict[str, Timed], pages: Sequence[bytes], order_of: random.Random) -> dict[str, tuple[float, int]]:
    """CPU seconds and bytes of text of every engine."""
    spent = dict.fromkeys(engines, 0.0)
    kept = dict.fromkeys(engines, 0)
    order = list(engines)
    for start in range(0, len(pages), BATCH):
        order_of.shuffle(order)  # who comes after whom changes what is in the processor's caches
        for name in order:
            gc.collect()  # nobody pays for what another one left
            began = time.process_time()
            texts = engines[name](pages[start : start + BATCH])
            spent[name] += time.process_time() - began
            kept[name] += pc.sum(pc.binary_length(texts)).as_py() or 0
    return {name: (spent[name], kept[name]) for name in engines}


def _table(
    engines: Sequence[str], rounds: Sequence[dict[str, tuple[float, int]]], pages: int, megabytes: float
) -> Iterator[tuple[str, ...]]:
    yield "engine", "pages/s", "slowest to fastest", "MB/s of HTML", "ours, times", "text MB"
    for name in engines:
        seconds = [one[name][0] for one in rounds]
        middle = statistics.median(seconds)
        ratio = ""
        if "corpusmill" in engines:
            ratio = f"{statistics.median(one[name][0] / one['corpusmill'][0] for one in rounds):.2f}"
        yield (
            name,
            f"{pages / middle:,.0f}",
            f"{pages / max(seconds):,.0f} to {pages / min(seconds):,.0f}",
            f"{megabytes / middle:,.1f}",
            ratio,
            f"{rounds[0][name][1] / 1e6:.2f}",
        )


if __name__ == "__main__":
    main()
