"""Lines, tables, lists and preformatted text against inscriptis' expected texts (pages it keeps whole).

    python -m benchmarks.extraction.layout [--differences] [--data FOLDER]

- exact: the same text, blanks at line ends and empty lines at both ends aside;
- lines: the same lines when a run of blanks, a tab or a bar between cells counts as one blank, a bullet is a bullet
  whatever its character, and empty lines and indentation do not count: inscriptis pads columns, we separate cells;
- words: the same words in the same order.
"""

import argparse
import difflib
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.extraction.engines import AbsentError, arrow_pages, ours_arrow
from benchmarks.extraction.report import print_table
from benchmarks.extraction.sets import find_data, members

_BULLET = re.compile(r"^[*•·+o-] ")  # inscriptis writes *, then +, o and - the deeper a list lies
Render = Callable[[bytes], str]


def exact(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def lines(text: str) -> str:
    plain = (" ".join(re.sub(r"[|\t]", " ", line).split()) for line in text.split("\n"))
    return "\n".join(_BULLET.sub("* ", line) for line in plain if line)


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


LEVELS = (exact, lines, words)


def renderers() -> dict[str, Render]:
    from resiliparse.extract.html2text import extract_plain_text

    found: dict[str, Render] = {}
    try:
        extract = ours_arrow("page")
    except AbsentError as why:
        print(f"corpusmill: {why}")
    else:
        found["corpusmill"] = lambda html: extract(arrow_pages([html], [None])).column("text")[0].as_py() or ""
    found["resiliparse"] = lambda html: extract_plain_text(html.decode(), main_content=False)
    return found


def pairs(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Page and expected text of every file that has both."""
    found = members(folder / "inscriptis" / "html-txt.tar.xz")
    names = sorted(name.removesuffix(".html") for name in found if name.endswith(".html"))
    return {n: (found[f"{n}.html"], found[f"{n}.txt"].decode()) for n in names if f"{n}.txt" in found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--differences", action="store_true", help="show the lines that differ from ours")
    parser.add_argument("--data", help="the folder of shared test data")
    arguments = parser.parse_args()

    known = pairs(find_data(arguments.data))
    table = [(f"of {len(known)} pages", *(level.__name__ for level in LEVELS))]
    for name, render in renderers().items():
        texts = {page: render(html) for page, (html, _) in known.items()}
        table.append((name, *(str(sum(level(texts[p]) == level(known[p][1]) for p in known)) for level in LEVELS)))
        if arguments.differences and name == "corpusmill":
            for page, (_, expected) in known.items():
                one, two = (lines(text).split("\n") for text in (expected, texts[page]))
                print(*difflib.unified_diff(one, two, f"{page}: expected", f"{page}: ours", n=0, lineterm=""), sep="\n")
    print_table(table)


if __name__ == "__main__":
    main()
