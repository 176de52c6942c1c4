"""Bytes decoded to the right characters: chardet's test files, real pages and texts in 27 encodings.

    python -m benchmarks.extraction.charsets [--wrong] [--data FOLDER]

A file is right if its text is what its folder's encoding makes of it, whatever the label: with Python's codec of that
name or with the wider one that browsers use for it, byte order mark aside. HTML and XML files often declare their
encoding, the others are guesswork. Left out: one file in EUC-TW, which neither Python nor browsers decode.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.extraction.report import print_table
from benchmarks.extraction.sets import find_data, members
from dataprep.html.decode.charset import decode

LANGUAGES = "bulgarian russian hungarian polish slovak slovene greek turkish czech romanian hebrew arabic"
WIDER = {  # WHATWG Encoding Standard, names and labels
    "ascii": "cp1252",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "iso-8859-1": "cp1252",
    "iso-8859-9": "cp1254",
    "maccyrillic": "mac_cyrillic",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}
Decoder = Callable[[bytes, bool], str]


def truths(encoding: str, data: bytes) -> set[str]:
    """The right texts of a file."""
    found = set()
    for codec in {encoding, WIDER.get(encoding, encoding)}:
        try:
            found.add(data.decode(codec).removeprefix("\ufeff"))
        except (UnicodeDecodeError, LookupError):  # bytes, or a name, that only the wider one knows
            continue
    return found


def files(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Name, encoding and bytes of every file."""
    for name, data in sorted(members(folder / "encodings" / "chardet-files.tar.xz").items()):
        encoding, _, language = Path(name).parent.name.lower().rpartition("-")
        yield name, encoding if language in LANGUAGES.split() else Path(name).parent.name.lower(), data


def decoders() -> dict[str, Decoder]:
    from charset_normalizer import from_bytes
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    from trafilatura.utils import decode_file

    found: dict[str, Decoder] = {
        "corpusmill": lambda data, html: decode(data, None, html).text,
        "resiliparse": lambda data, html: bytes_to_str(data, detect_encoding(data, from_html_meta=html) or "utf-8"),
        "trafilatura": lambda data, html: decode_file(data),
        "charset_normalizer": lambda data, html: str(from_bytes(data).best() or ""),
    }
    try:
        import chardet
    except ModuleNotFoundError:
        print("chardet is not installed: it comes with benchmarks/rivals/extraction.txt")
    else:
        found["chardet"] = lambda data, html: data.decode(chardet.detect(data)["encoding"] or "utf-8", "replace")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wrong", action="store_true", help="name the files that ours decodes to other text")
    parser.add_argument("--data", help="the folder of shared test data")
    arguments = parser.parse_args()

    known = [
        (name, found, data)
        for name, encoding, data in files(find_data(arguments.data))
        if (found := truths(encoding, data))
    ]
    pages = {name for name, _, _ in known if name.endswith((".html", ".htm", ".xml"))}
    table = [("decoder", f"of {len(pages)} HTML and XML files", f"of {len(known) - len(pages)} others")]
    for decoder, text_of in decoders().items():
        right = {name for name, found, data in known if text_of(data, name in pages).removeprefix("\ufeff") in found}
        table.append((decoder, str(len(right & pages)), str(len(right - pages))))
        if arguments.wrong and decoder == "corpusmill":
            print("\n".join(name for name, _, _ in known if name not in right))
    print_table(table)


if __name__ == "__main__":
    main()
