"""DCLM's editors: its own regular expressions and line rules in plain Python, on any text."""

import re
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.settings import CleanSettings
from dataprep.edits.dclm import COUNTED, DclmLines
from dataprep.edits.dclm_text import DclmText
from dataprep.edits.tlds import TLDS
from dataprep.rules import decide
from dataprep.signals.dclm import Dclm
from dataprep.signals.dolma import Dolma
from dataprep.signals.technical import Technical
from dataprep.steps import Step, apply_steps

NAMES = "|".join(sorted(TLDS, key=len, reverse=True))
BEGINS = re.compile(f"(?:{NAMES})", re.IGNORECASE | re.ASCII)
TAIL = r"[-a-zA-Z0-9()@:%_\+.~#?&/=]*"
URL = re.compile(rf"\s{{0,10}}(?:(?:https?|ftp)://)?[-a-zA-Z0-9@:%._\+~#=]{{1,256}}\.(?:{NAMES})\b{TAIL}")
ADDRESS = re.compile(rf"\s{{0,10}}\b(?:(?:https?|ftp)://)?(?:[0-2]?[0-9]{{1,2}}\.){{3}}[0-2]?[0-9]{{1,2}}{TAIL}")
COUNTER = re.compile(rf"^\W*\d(?:,|\.|\d)*(?:K|k|M|m|B|b)?\s+(?:{COUNTED.replace(' ', '|')})\W*$")


def without_urls(text: str) -> str:
    if BEGINS.match(text):
        text = URL.sub("", text)
    return re.sub("\n{3,}", "\n\n", ADDRESS.sub("", text))


def without_lines(text: str) -> str:
    def keep(text: str, stays: Callable[[str], bool]) -> str:
        return "\n".join(line for line in text.split("\n") if stays(line))

    def phrase(text: str, pattern: str) -> str:
        kept = []
        for line in text.split("\n"):
            if len(line.split()) <= 10:
                changed = re.sub(pattern, "", line, flags=re.IGNORECASE)
                if line and not changed.strip():
                    continue
                line = changed
            kept.append(line)
        return "\n".join(kept).strip()

    text = keep(text, lambda line: not line or sum(map(str.isupper, line)) / len(line) <= 0.5).strip()
    text = keep(text, lambda line: not line or sum(map(str.isdigit, line)) / len(line) <= 0.999999).strip()
    text = keep(text, lambda line: not COUNTER.search(line.lower())).strip()
    text = keep(text, lambda line: not line or len(line.split()) >= 2)
    for pattern in (r"\s?items in cart", r"\s?read more...$", r"^sign-in\s?"):
        text = phrase(text, pattern)
    return text


def edited(step: Step, *texts: str) -> list[str]:
    result: list[str] = step(pa.record_batch({"text": pa.array(texts, pa.large_string())})).column("text").to_pylist()
    return result


LINE_PIECES = [
    *("ABC", "Abc", "É", "a", "some words here", "12", "²", "3.5k", "1,0", "likes", "Views", "viewsx", "•", "_"),
    *("Items in cart", "items IN cart", "Read more...", "read moreXYZ", "READ MORE…", "Sign-in", "sign-in"),
    *("\n", "\n", "\n", "\n\n", " ", " ", " ", "\t", "\xa0", "\x85", "\u2028", "é", "漢", "."),
]
URL_PIECES = [
    *(
        "The ",
        "in ",
        "foo",
        "é",
        "_",
        "http://",
        "https://",
        "ftp://",
        "www.",
        ".com",
        ".co.uk",
        ".de",
        ".comé",
        ".xyzz",
    ),
    *("/path?a=b", "(x)", ".", "..", ":", "@", "10.0.0.1", "999.1", "256.1.22.3", "1.2", ".3.4", "5", "a" * 250, "漢"),
    *(" ", " ", "\n", "\n\n", "\t\t\t\t\t\t", "     ", "\xa0", "\u2028"),
]


def texts(pieces: list[str]) -> st.SearchStrategy[list[str]]:
    # Python's re takes ı, ſ and K for i, s and k where the case is ignored
    plain = st.text().filter(lambda text: not set(text) & set("\u0130\u0131\u017f\u212a"))
    return st.lists(st.one_of(st.lists(st.sampled_from(pieces), max_size=40).map("".join), plain), max_size=5)


@given(values=texts(LINE_PIECES))
@settings(max_examples=400)
def test_lines_are_edited_as_the_definition_says_on_any_text(values: list[str]) -> None:
    assert edited(DclmLines(), *values) == [without_lines(value) for value in values]


@given(values=texts(URL_PIECES))
@settings(max_examples=300)
def test_urls_are_deleted_as_the_regular_expression_does_on_any_text(values: list[str]) -> None:
    assert edited(DclmText(), *values) == [without_urls(value) for value in values]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("In short: see http://a.example.com/b(c)?d=e, now", "In short: see, now"),
        ("In short: mail me@example.org or foo.COM", "In short: mail or foo.COM"),
        ("In time version.next goes and 10.0.0.1/24 too", "In time goes and too"),
        ("Xylophones keep http://example.com", "Xylophones keep http://example.com"),
        ("Xylophones\n\n\n\nlose 127.0.0.1", "Xylophones\n\nlose"),
        ("To " + "a" * 300 + ".com", "To " + "a" * 44),
        ("999.1.2.3.4", "999."),
    ],
)
def test_what_counts_as_a_url(text: str, left: str) -> None:
    assert without_urls(text) == left
    assert edited(DclmText(), text) == [left]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("AB d", "AB d"),
        ("ABC de", "ABC de"),
        ("ABCD de", None),
        ("word", None),
        ("2024 ²", "2024 ²"),
        ("20242", None),
        ("• 1.2K Followers!", None),
        ("3 likes 4", "3 likes 4"),
        ("you have 3 Items in cart now", "you have 3 now"),
        ("items in cart", None),
        ("and so on Read more..!", "and so on"),
        ("Sign-in to read", "to read"),
        (
            "one two three four five six seven eight items in cart",
            "one two three four five six seven eight items in cart",
        ),
    ],
)
def test_what_becomes_of_a_line(line: str, left: str | None) -> None:
    around = ["some text before", "some text behind"]
    expected = "\n".join([around[0], *([left] if left is not None else []), around[1]])
    assert without_lines("\n".join([around[0], line, around[1]])) == expected
    assert edited(DclmLines(), "\n".join([around[0], line, around[1]])) == [expected]


def test_editors_say_what_they_did_and_keep_the_type_of_the_text() -> None:
    for kind in (pa.string(), pa.large_string()):
        whole = pa.record_batch({"id": [1, 2, 3], "text": pa.array(["x", "To a.com\nSHOUT\nb c Sign-in", ""], kind)})
        batch = DclmLines()(DclmText()(whole.slice(1)))
        assert batch.schema.field("text").type == kind
        assert batch.to_pylist() == [
            {"id": 2, "text": "b c Sign-in", "dclm.urls": 1, "dclm.edited_lines": 2, "dclm.removed_words": 2 / 5},
            {"id": 3, "text": "", "dclm.urls": 0, "dclm.edited_lines": 0, "dclm.removed_words": 0.0},
        ]


def test_the_set_decides_on_edited_text_in_dclms_order() -> None:
    clean = CleanSettings.model_validate(
        {"rules": [{"use": "dclm-baseline", "without": ["language", "language_score"]}]}
    )
    assert [step.name for step in clean.resolved_steps()] == ["dclm_text", "language", "dclm", "dclm_lines"]
    prose = (
        "Bread is made of flour, water and yeast. A good loaf needs time more than it needs skill: the dough has to "
        "rest until it doubles, which takes an hour in summer and three on a cold day. Bake it in a hot oven that you "
        "have filled with steam, and let the crust turn dark before you take it out. It will sing while it cools."
    )
    documents = [prose, prose + "\nMENU LOGIN\nHOME AND AWAY", "In a.com b.com c.com d.com e.com " * 12 + "x"]
    batch = pa.record_batch({"text": pa.array(documents, pa.large_string())})
    measured, bad = apply_steps(clean.resolved_steps(), batch)
    assert not bad
    assert measured.column("text").to_pylist()[:2] == [prose, prose]
    assert decide(measured, clean.resolved_rules()).column("rejected_by").to_pylist() == [
        None,
        "dclm-baseline.removed_words",
        "dclm-baseline.short_doc",
    ]


@pytest.mark.parametrize("step", [DclmText(), Dclm(), DclmLines(), Dolma(), Technical()], ids=lambda step: step.name)
def test_a_document_gets_the_same_alone_as_in_any_batch(step: Step) -> None:
    texts = ["", "In a.com\nB\n\n\n\n5 likes", "\x00", "\u0301" * 40, "Say: 10.0.0.1\n- x\n# y\nz Sign-in"]
    whole = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    together = step(whole)
    assert together.schema.names == ["text", *step.columns.names]
    assert [together.schema.field(name).type for name in step.columns.names] == [field.type for field in step.columns]
    for i in range(len(texts)):
        assert step(whole.slice(i, 1)).to_pylist() == together.slice(i, 1).to_pylist()
    assert step(whole.slice(0, 0)).num_rows == 0
