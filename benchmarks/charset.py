"""How often charset detection is right, against the detectors of other libraries, and how fast batches are decoded.

    python -m benchmarks.charset [--data shared/data] [--pages FILE.warc.gz…]

Right is: the text is that of the true encoding, to the character. Three sets: files whose folder names their encoding;
sentences of 37 languages in encodings that can write them, cut to lengths; and real pages that declare an encoding
other than UTF-8 and are valid in it, with their declarations removed (``--pages`` adds some). Speeds are per CPU
second. Detectors that are not installed are left out: ``chardetng-py`` and ``faust-cchardet`` are no part of this
project.
"""

import argparse
import gzip
import importlib
import random
import re
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa

from dataprep.html.decode.charset import LATE_PRESCAN, PRESCAN, TOLERATED, declared_inside, decode
from dataprep.html.decode.charset_batch import decode_pages
from dataprep.html.decode.encodings import codec_of, to_text
from dataprep.sources.items import Page
from dataprep.sources.listing import list_inputs
from dataprep.sources.reading import read_pieces
from dataprep.sources.settings import FilesSettings
from dataprep.sources.splitting import plan

Detector = Callable[[bytes], str | None]
Case = tuple[str, bytes, str]  # what it is, its bytes, its encoding

LANGUAGES = {
    "cp1252": "de fr es it nl pt da sv nb fi en",
    "iso8859-15": "fr fi",
    "cp1250": "pl cs hu ro sk sl hr",
    "iso8859-2": "pl cs hu sk sl",
    "cp1251": "ru uk bg sr mk be",
    "koi8-r": "ru",
    "koi8-u": "uk",
    "iso8859-5": "ru",
    "cp866": "ru",
    "cp1253": "el",
    "iso8859-7": "el",
    "cp1254": "tr",
    "cp1255": "he",
    "cp1256": "ar fa",
    "cp1257": "lt lv et",
    "iso8859-4": "lv",
    "cp1258": "vi",
    "cp874": "th",
    "cp932": "ja",
    "euc_jp": "ja",
    "iso2022_jp_ext": "ja",
    "gb18030": "zh",
    "big5hkscs": "zh",
    "cp949": "ko",
}
SIZES = (12, 25, 60, 300, 1500)  # the first are a price, a name, a menu's line
SAMPLES = 8
_CHARSET = re.compile(rb"(charset|encoding)(\s*=\s*[\"']?\s*)[A-Za-z0-9_:.+-]{2,40}", re.IGNORECASE)


def detectors() -> dict[str, Detector]:
    """Those that are installed, each by its plainest call; resiliparse also without its table of web encodings."""
    found: dict[str, Detector] = {}
    calls = {
        "chardet": ("chardet", lambda m: lambda data: m.detect(data)["encoding"]),
        "charset-normalizer": ("charset_normalizer", lambda m: lambda data: m.detect(data)["encoding"]),
        "faust-cchardet": ("cchardet", lambda m: lambda data: m.detect(data)["encoding"]),
        "resiliparse": ("resiliparse.parse.encoding", lambda m: m.detect_encoding),
        "resiliparse, any": (
            "resiliparse.parse.encoding",
            lambda m: lambda data: m.detect_encoding(data, html5_compatible=False),
        ),
        "chardetng": ("chardetng_py", lambda m: lambda data: m.detect(data)),
    }
    for name, (module, call) in calls.items():
        try:
            found[name] = call(importlib.import_module(module))
        except ImportError:
            print(f"{name} is not installed")
    return found


def files(data: Path) -> Iterator[Case]:
    with tarfile.open(data / "html-extraction" / "encodings" / "chardet-files.tar.xz") as archive:
        for member in archive:
            folder = member.name.split("/")[-2] if member.isfile() else ""
            name = next((codec_of(label) for label in (folder, folder.rpartition("-")[0]) if codec_of(label)), None)
            handle = archive.extractfile(member)
            if name and handle:
                yield folder, handle.read(), name


def sentences(data: Path) -> Iterator[Case]:
    by_language = defaultdict(list)
    with gzip.open(data / "multilingual" / "lingua-sentences.tsv.gz", "rt") as lines:
        for line in lines:
            language, sentence = line.rstrip("\n").split("\t", 1)
            by_language[language].append(sentence)
    rng = random.Random(7)
    for name, languages in LANGUAGES.items():
        for language in languages.split():
            for size in SIZES:
                for _ in range(SAMPLES):
                    start = rng.randrange(len(by_language[language]))
                    text = " ".join(by_language[language][start:] + by_language[language])[:size]
                    encoded = text.encode(name, "ignore")
                    writable = len(to_text(encoded, name)) >= 0.97 * len(text)
                    if writable and (not encoded.isascii() or b"\x1b" in encoded):
                        yield f"{size} characters", encoded, name


def web_pages(data: Path, warcs: list[str]) -> Iterator[bytes]:
    for archive in sorted((data / "html-extraction").glob("*/*.tar.xz")):
        if archive.parent.name in ("trafilatura", "newspaper", "readability"):
            with tarfile.open(archive) as members:
                for member in members:
                    handle = members.extractfile(member) if member.name.endswith(".html") else None
                    if handle:
                        yield handle.read()
    settings = FilesSettings(paths=(str(data / "warc" / "files" / "*"), *warcs), format="warc")
    for pieces in plan(list_inputs(settings, "paths")[0]):
        for item in read_pieces(pieces, "pages", settings):
            if isinstance(item, Page) and item.media == "html":
                yield bytes(item.payload)


def undeclared(pages: Iterable[bytes]) -> Iterator[Case]:
    for page in dict.fromkeys(pages):
        name = declared_inside(page, LATE_PRESCAN)
        if name and name != "utf-8" and not page.isascii():
            try:
                to_text(page, name)
                page.decode()
            except UnicodeDecodeError as error:
                if error.encoding == "utf-8":
                    yield name, _CHARSET.sub(rb"\1\2x", page), name


def compare(title: str, cases: list[Case], others: dict[str, Detector]) -> None:
    kinds = sorted({kind for kind, _, _ in cases}) if title == "sentences" else []
    megabytes = sum(len(data) for _, data, _ in cases) / 1e6
    print(f"\n{title}: {len(cases)} of {megabytes:.1f} MB {dict(Counter(name for *_, name in cases).most_common(6))}")
    truth = [to_text(data, name, "replace").removeprefix("\ufeff") for _, data, name in cases]

    def report(name: str, texts: Callable[[bytes], str]) -> None:
        started = time.process_time()
        got = [texts(data) for _, data, _ in cases]
        spent = time.process_time() - started
        right = [text.removeprefix("\ufeff") == true for text, true in zip(got, truth, strict=True)]
        by_kind = Counter(kind for (kind, _, _), good in zip(cases, right, strict=True) if good)
        total = Counter(kind for kind, _, _ in cases)
        parts = "  ".join(f"{kind} {by_kind[kind] / total[kind]:.3f}" for kind in kinds)
        wrong = Counter(name for (_, _, name), good in zip(cases, right, strict=True) if not good)
        print(f"{name:20} {sum(right):5} {sum(right) / len(right):.3f}  {megabytes / spent:6.1f} MB/s  {parts}")
        print(f"{'':20} wrong: {dict(wrong.most_common(8))}")

    report("ours", lambda data: decode(data, None, html=False).text)
    if title == "files":
        report("ours, declarations", lambda data: decode(data, None, html=True).text)
    for name, detect in others.items():
        report(name, lambda data, detect=detect: to_text(data, codec_of(detect(data)) or "utf-8", "replace"))  # type: ignore[misc]


def thresholds(cases: list[Case], pages: list[bytes]) -> None:
    """What `DAMAGED`, `TOLERATED` and the late prescan rest on."""
    damage = [_broken(data, "utf-8") for _, data, name in cases if not name.startswith("utf-") and not data.isascii()]
    print(f"{len(damage)} texts in other encodings read as UTF-8: the least broken has {min(damage):.2f}")
    others = [page for page in dict.fromkeys(pages) if not _is_utf8(page)]
    print(f"{len(others)} pages not in UTF-8, read as UTF-8: {sorted(_broken(page, 'utf-8') for page in others)[:3]}")
    shares = [
        _broken(data, read)
        for _, data, name in cases
        for read in ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
        if read != name and not name.startswith("utf-") and not data.isascii()
    ]
    below = {limit: f"{sum(share <= limit for share in shares) / len(shares):.2f}" for limit in (0, TOLERATED, 0.1)}
    print(f"{len(shares)} readings in a wrong encoding: with at most this share broken {below}")
    late = sum(declared_inside(page, PRESCAN) is None and bool(declared_inside(page, LATE_PRESCAN)) for page in others)
    print(f"declared behind byte {PRESCAN} only: {late} of {len(others)}")


def _broken(data: bytes, name: str) -> float:
    """The share of broken characters among those that are not ASCII."""
    text = to_text(data, name, "replace")
    return text.count("\ufffd") / max(len(text) - len(text.encode("ascii", "ignore")), 1)


def speed(pages: list[bytes]) -> None:
    japanese = "<p>これは日本語の文章です。文字コードを調べるために書きました。</p>\n".encode() * 1000
    utf8 = [page for page in pages if _is_utf8(page)]
    for name, batch in {
        "pages in ASCII": [page for page in utf8 if page.isascii()],
        "pages in UTF-8": [page for page in utf8 if not page.isascii()],
        "Japanese in UTF-8": [japanese] * 300,
        "all pages": pages,
    }.items():
        column = pa.array(batch, pa.large_binary())
        times = []
        for _ in range(6):
            started = time.process_time()
            decode_pages(column, None, html=True)
            times.append(time.process_time() - started)
        size = sum(map(len, batch))
        print(
            f"{name:20} {len(batch):6} of {size / len(batch) / 1e3:5.1f} kB  {size / min(times) / 1e9:5.2f} GB/s"
            f"  {min(times) / len(batch) * 1e6:6.1f} µs a page"
        )


def _is_utf8(page: bytes) -> bool:
    try:
        page.decode()
    except UnicodeDecodeError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--pages", nargs="*", default=[], metavar="FILE.warc.gz")
    arguments = parser.parse_args()

    others = detectors()
    pages = list(web_pages(arguments.data, arguments.pages))
    sets = {
        "files": list(files(arguments.data)),
        "sentences": list(sentences(arguments.data)),
        "pages without their declarations": list(undeclared(pages)),
    }
    for title, cases in sets.items():
        compare(title, cases, others)
    print()
    thresholds([case for cases in sets.values() for case in cases], pages)
    print()
    speed(pages)


if __name__ == "__main__":
    main()
