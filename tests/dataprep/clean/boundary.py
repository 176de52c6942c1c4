"""Documents on and beside each threshold of datatrove's filters, and the corner cases where tools disagree.

`verdicts.json` beside this file holds what datatrove 0.10 said of each; `python tests/dataprep/clean/boundary.py
RIVALS/bin/python` asks it again (see benchmarks/rivals/requirements.txt).
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

VERDICTS = Path(__file__).with_name("verdicts.json")
SETS = ("gopher", "quality", "c4", "fineweb", "chain")
STOP = "the of and"
# 60 different words of 5 letters
WORDS = [f"{a}{b}{c}{b}{a}" for a in "dkmst" for b in "aeio" for c in "lnr"]


def prose(words: int, start: int = 0) -> str:
    """Words that repeat nothing within 60, two stop words among them, in sentences of ten."""
    chosen = [WORDS[(start + i) % len(WORDS)] + ("" if i < len(WORDS) else f"x{i}") for i in range(words)]
    for i, word in enumerate(STOP.split()):
        if i < len(chosen):
            chosen[i] = word
    return " ".join(w + ("." if i % 10 == 9 else "") for i, w in enumerate(chosen))


def lines(*texts: str, separator: str = "\n") -> str:
    return separator.join(texts)


def documents() -> Iterator[tuple[str, str]]:
    """(name, text)"""
    yield from (("empty", ""), ("blank", " \n\t\n "), ("two words", "Hello there"), ("one word", "Hello"))
    for n in (49, 50, 51):
        yield f"{n} words", prose(n)
    yield "symbols are no words", prose(49) + " ... -- !!"
    yield "full-width one is a symbol", prose(49) + " １１"
    yield "full-width two is none", prose(49) + " ２２"
    for size in (2, 3, 10, 11):
        yield f"mean length {size}", " ".join(f"{'abcdefghijkl'[:size]}" for _ in range(60)) + " the of"
    text = prose(100)  # 110 words with the ten stops
    for count in (10, 11, 12):
        yield f"{count} hashes in about 110 words", text + " " + "#" * count
        yield f"{count} ellipses", text + " …" * count
    yield "six dots are two ellipses", text + " ......" * 6
    yield "text. [1]", lines(*(prose(12, i) + " end. [1]" for i in range(8)))
    for share in (8, 9, 10):
        bullets = [f"- {prose(8, i)}" for i in range(share)] + [prose(8, 50 + i) for i in range(10 - share)]
        yield f"{share} of 10 lines bullets", lines(*bullets)
    yield "stars are no bullets", lines(*(f"* {prose(8, i)}" for i in range(10)))
    yield "bullets behind spaces", lines(*(f"  • {prose(8, i)}" for i in range(10)))
    yield "empty lines count among bullets", lines(*(f"- {prose(8, i)}\n" for i in range(10)))
    for share in (3, 4):
        ends = [f"{prose(8, i)} so..." for i in range(share)] + [prose(8, 40 + i) for i in range(10 - share)]
        yield f"{share} of 10 lines end in dots", lines(*ends)
    yield "dots before spaces", lines(*(f"{prose(8, i)} so…  " for i in range(10)))
    for numbers in (14, 15, 16):
        kept = [WORDS[i] for i in range(56)] + STOP.split() + ["with"]
        yield f"{numbers} numbers", " ".join([*kept, *(str(1000 + i) for i in range(numbers))])
    yield "The is no stop word", "The Of And " + " ".join(WORDS[:57])
    yield "one stop word twice", "the the " + " ".join(WORDS[:57])
    yield "two stop words", "the be " + " ".join(WORDS[:57])
    yield "dont is two words", " ".join(["dont"] * 3 + WORDS[:42] + ["the", "of"])
    yield "cannot is two words", " ".join(["cannot", "im", "10am", "gonna", *WORDS[:42], "the"])
    yield "tabs and returns", lines(*(prose(20, i).replace(" ", "\t") for i in range(3)), separator="\r")
    yield "hangul", " ".join(["한국어", "문장", "입니다"] * 20)
    yield "hangul in pieces", " ".join(["\u1112\u1161\u11ab", "\u1100\u116e\u11a8"] * 30)
    yield "chinese", "这是一个测试。" * 30
    yield "addresses", prose(60) + " 1.2.3.4.5 8.8.8.8 http://example.org/a?b me@example.org e.g. 3.14 1,000"

    body = [prose(20, 7 * i) for i in range(8)]
    for copies in (2, 3, 4):
        yield f"{copies} copies of a paragraph", lines(*body, *[body[0]] * copies, separator="\n\n")
        yield f"{copies} copies of a line", lines(*body, *[body[0]] * copies)
        yield f"{copies} short copies of a line", lines(*body, *["The end."] * copies)
    yield "copies differ in a space", lines(*body, *[body[0] + " " * i for i in range(5)])
    yield "leading newlines", "\n\n" + lines(*body)
    yield "trailing newlines", lines(*body) + "\n\n\n"
    yield "carriage returns", lines(*body, *body[:2], separator="\r\n")
    for other in "\u2028\x0b\x0c\x85\x1c":
        yield f"lines by {other!r}", lines(*(f"- {line}" for line in body), separator=other)
    for n in (2, 3, 4):
        for times in (2, 4, 6, 8, 12):
            gram = " ".join(WORDS[i] for i in range(n))
            yield f"{n}-gram {times} times", " ".join(f"{gram} {WORDS[10 + i]}" for i in range(times)) + " " + prose(60)
    yield "ties of 2-grams", "aa bb aa bb cccccc dddddd cccccc dddddd " + prose(55)
    for n in range(4, 11):
        for times in (2, 3, 4):
            gram = " ".join(WORDS[20 + i] for i in range(n))
            yield f"{n} words {times} times", " ".join(f"{gram} {WORDS[i]}" for i in range(times)) + " " + prose(50)

    other = " ".join(f"{WORDS[i % 60]}q{i}" for i in range(300))
    for n in range(20, 40):
        yield f"{n} of 300 words again", other + " so " + " ".join(other.split()[100 : 100 + n])
    for n in (99_990, 100_010):
        yield f"{n} words", "the of " + " ".join(map(str, range(n)))

    for n in (4, 5, 6):
        yield f"{n} sentences", " ".join(f"Here is sentence {WORDS[i]}." for i in range(n))
    yield "five lines", lines(*(f"This is line {WORDS[i]}." for i in range(5)))
    yield "lines of two words", lines(*(f"Only {WORDS[i]}." for i in range(9)))
    yield "no end marks", lines(*(f"This is the line {WORDS[i]}" for i in range(9)))
    yield "ends in quotes", lines(*(f'"This is line {WORDS[i]}."' for i in range(6)))
    yield "ends in apostrophes", lines(*(f"'This is line {WORDS[i]}'" for i in range(6)))
    yield "ends in dots", lines(*(f"This is line {WORDS[i]}..." for i in range(6)))
    good = [f"This is the good line {WORDS[i]}." for i in range(6)]
    yield "lorem", lines(*good, "Here Lorem Ipsum is said.")
    yield "lorem in a line that goes", lines(*good, "Here Lorem Ipsum is said")
    yield "curly", lines(*good, "Here { is said.")
    yield "curly in a line that goes", lines(*good, "Here { is said")
    yield "curly with javascript", lines(*good, "Here Javascript { is said.")
    yield "curly before lorem", lines(*good, "Here { is said.", "Here lorem ipsum is said.")
    yield "lorem before curly", lines(*good, "Here lorem ipsum is said.", "Here { is said.")
    yield "javascript", lines(*good[:4], *["Please enable JavaScript now."] * 3)
    yield "cookies", lines(*good[:4], *["This site uses cookies, you know.", "Terms of Use are here."])
    yield "kelvin cookies", lines(*good[:4], "This site uses coo\u212aies, you know.", good[5])
    yield "dotted cookies", lines(*good[:4], "This site uses cook\u0130es, you know.", good[5])
    yield "citations", lines(*(f"This is [12] line[3] {WORDS[i]} [edit]." for i in range(5)))
    yield "citations only", lines(*good, "[1] [2] [citation needed]", "[1] [2] [3] it.")
    yield "a citation first", lines(*(f"[{i}] This is line {WORDS[i]}." for i in range(5)))
    yield "citation in other digits", lines(*(f"This is line [\u0664\u0662] {WORDS[i]}." for i in range(5)))
    for size in (1000, 1001):
        yield f"word of {size}", lines(*good[:4], "A word " + "w" * size + " here.")
    yield "closing quotes", " ".join('He said "so." She left!) And (then?) more.' for _ in range(3))
    yield "spaces between sentences", "One is here.  Two is here.\t Three is here. \n Four is here.   Five is here.  "
    yield "abbreviations", "Mr. Smith went to St. Ives. He met Dr. Who, e.g. there. It was 5 p.m. then. Yes. No. So."
    yield "ellipsis and quotes", "Well... he said. 'What?' she asked... No! Yes? Then… all was well. The end is here."

    for share in (11, 12, 13):
        yield (
            f"{share} of 100 lines end",
            lines(*(f"{prose(9, i)} x{i}" + ("." if i < share else "") for i in range(100))),
        )
    yield "ends before a space", lines(*(f"{prose(12, i)} it. " for i in range(9)))
    for share in (66, 67, 68):
        yield (
            f"{share} of 100 lines short",
            lines(
                *(f"{WORDS[i % 60]} {i} it is." for i in range(share)),
                *(f"{prose(9, i)} {i}." for i in range(100 - share)),
            ),
        )
    for size in (29, 30, 31):
        yield f"lines of {size}", lines(*(f"{i:02d} {'the cat of my aunt is here now':.{size - 4}}." for i in range(9)))
    long = [prose(50, i) + f" {i}." for i in range(0, 56, 7)]
    for copy in ("It is so now.", "It is so now, and it was so then, too."):
        yield f"copies of {len(copy)}", lines(*long, copy, copy, copy)
    for newlines in (15, 16, 17, 30):
        yield f"{newlines} newlines", ("\n" * newlines).join([prose(28) + " so.", prose(26, 30) + " so."])
    yield "khmer ends", lines(*(f"{prose(12, i)} នេះ។" for i in range(3)), *(f"{prose(12, i)} នេះ៖" for i in range(5)))

    yield from hostile(3000)


def hostile(size: int) -> Iterator[tuple[str, str]]:
    """What no one writes and every crawl finds, of about ``size`` characters each."""
    yield "combining marks alone", "\u0301\u0323" * (size // 2)
    yield "combining marks on a letter", ("e" + "\u0301" * 40 + " ") * (size // 42)
    yield "NUL bytes", "the of\x00and \x00\x00 be " * (size // 18)
    yield "replacement characters", "\ufffd" * (size // 2) + " the of " + "\ufffd " * (size // 2)
    yield "right to left", "وفي هذا اليوم، كتب الرجل \u202bكتابا\u202c جديدا. " * (size // 46)
    yield "emoji sequences", "👩‍👩‍👧‍👦 🏳️‍🌈👍🏽 the 🇩🇪🇫🇷 of " * (size // 30)
    yield "many lines", "\n".join(str(i) for i in range(size // 5))
    yield "many empty lines", "the\n" + "\n" * size + "of"
    yield "one long word", "w" * size + " the of"
    yield "one long line of symbols", "):.;'" * (size // 5)
    yield "spaces of all kinds", "the \u2003\xa0\u3000\t\x1f\x85 of " * (size // 15)
    yield "joiners and directions", "\u200b\u200d\u2060\ufeff\u202e" * (size // 5)
    yield "beyond the basic plane", "𝐭𝐡𝐞 𠀀𠀁 𐍈 \U0010ffff " * (size // 12)


def main(python: str) -> None:
    named = list(documents())
    with tempfile.TemporaryDirectory() as folder:
        rows, result = Path(folder) / "documents.jsonl", Path(folder) / "result.json"
        rows.write_text("".join(json.dumps({"text": text}) + "\n" for _, text in named), encoding="utf-8")
        script = Path(__file__).parents[3] / "benchmarks" / "rivals" / "datatrove_filters.py"
        subprocess.run([python, str(script), str(rows), str(result), *SETS], check=True)
        sets = json.loads(result.read_text(encoding="utf-8"))["sets"]
    found = {
        name: {set_name: answers["reasons"][i] for set_name, answers in sets.items()}
        | {"length": sets["c4"]["lengths"][i]}
        for i, (name, _) in enumerate(named)
    }
    assert len(found) == len(named), "names must differ"
    VERDICTS.write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
