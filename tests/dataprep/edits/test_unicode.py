"""Repair: the result is ftfy's, and a line that the kernel passes over is one that nothing would have changed."""

import itertools
import re
import unicodedata
from typing import Any

import ftfy
import numpy as np
import pyarrow as pa
import pytest
from ftfy.badness import BADNESS_RE, MOJIBAKE_CATEGORIES
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.catalogue import make_step
from dataprep.edits.characters import (
    CHANGES,
    COMMON,
    KNOWN,
    LETTER,
    MARKS,
    OPENS,
    character_tables,
    find_pieces,
    members,
)
from dataprep.edits.unicode import Form, Repair, Unicode, repair_piece
from dataprep.text.utf8 import Utf8

EVERYTHING: tuple[Repair, ...] = Unicode.model_fields["repair"].annotation.__args__[0].__args__  # type: ignore[union-attr]
STEPS = [
    Unicode(),
    Unicode(normalise="NFKC"),
    Unicode(normalise="none"),
    Unicode(repair=(), normalise="NFC"),
    Unicode(repair=EVERYTHING),
    Unicode(repair=("line_breaks", "spaces"), normalise="none"),
]
steps = pytest.mark.parametrize("step", STEPS, ids=lambda s: f"{len(s.repair)}-{s.normalise}")

MOJIBAKE = sorted(set().union(*map(members, MOJIBAKE_CATEGORIES)))
PIECES = [
    *(
        "a",
        "Z",
        " ",
        "\n",
        "\n",
        "<",
        "&",
        ";",
        "&eacute;",
        "&#769;",
        "&amp;lt;",
        "&EACUTE;",
        "&#x41;",
        "\x1b[31m",
        "\x00",
        "\r\n",
    ),
    *(
        "é",
        "e\u0301",
        "\u0301\u0316",
        "\u0316\u0301",
        "가",
        "\u1100\u1161",
        "\u09c7\u09be",
        "ﬁ",
        "Ａ",
        "\u3000",
        "\xa0",
        "\u200b",
    ),
    *(
        "\xad",
        "\u202e",
        "\u2028",
        "â€œ",
        "Ã©",
        "Â ",
        "вЂ”",
        "Ð¿Ñ€Ð¸",
        "\x93",
        "\ufeff",
        "“",
        "’",
        "Å",
        "Ω",
        "が",
        "\U0001d15f",
    ),
]
texts = st.one_of(
    st.lists(st.one_of(st.sampled_from(PIECES), st.sampled_from(MOJIBAKE).map(chr)), max_size=14).map("".join),
    st.text(alphabet=st.sampled_from(MOJIBAKE).map(chr), max_size=8),
    st.text(max_size=20),
)


def batch_of(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"text": pa.array(texts, pa.large_string())})


def repaired(text: str, **parameters: Any) -> str:
    return Unicode(**parameters)(batch_of(text)).column("text")[0].as_py()


def by_line(step: Unicode, text: str) -> str:
    """Every line repaired, whatever the kernel thinks of it."""
    lines, less = [], False
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        less = less or "<" in line
        lines.append(repair_piece(line, step.repair, step.normalise, "html_entities" in step.repair and not less)[0])
    return "".join(lines)


@steps
@given(document=texts)
@settings(max_examples=300)
def test_the_kernel_passes_over_no_line_that_would_change(step: Unicode, document: str) -> None:
    assert step(batch_of(document)).column("text").to_pylist() == [by_line(step, document)]


@given(document=texts)
@settings(max_examples=300)
def test_the_defaults_give_what_ftfy_gives(document: str) -> None:
    expected = ftfy.fix_text(
        document, fix_latin_ligatures=False, fix_character_width=False, uncurl_quotes=False, fix_line_breaks=False
    )
    assert repaired(document) == expected


def test_every_way_in_which_ftfy_sees_mojibake_is_seen_by_the_kernel() -> None:
    table, _ = character_tables(("mojibake",), "none")
    universe = [*range(0x80), *MOJIBAKE, *range(0x80, 0xA0), 0x4E00]

    def characters(item: Any) -> set[int]:
        operation, value = item
        name = str(operation)
        if name == "LITERAL":
            return {value}
        if name == "NOT_LITERAL":
            return set(universe) - {value}
        if name == "IN":
            parts = [part for part in value if str(part[0]) != "NEGATE"]
            found = set().union(*map(characters, parts))
            return set(universe) - found if len(parts) < len(value) else found
        if name == "RANGE":
            return set(range(value[0], value[1] + 1))
        if name == "CATEGORY":
            kind = {"CATEGORY_WORD": str.isalnum, "CATEGORY_SPACE": str.isspace}[str(value)]
            return {c for c in universe if kind(chr(c))}
        return set()  # a repetition or an anchor promises no character

    def is_seen(first: set[int], second: set[int]) -> bool:
        a, b = (np.array(sorted(s), np.int64) for s in (first, second))
        if len(a) == 0 or len(b) == 0:
            return False
        x, y = table[a][:, None], table[b][None, :]
        pair = (x & (LETTER | KNOWN) != 0) & (y & (LETTER | KNOWN) != 0) & ((x | y) & KNOWN != 0)
        alone = (x & CHANGES != 0) | (y & CHANGES != 0)
        return bool((pair | alone | (x & OPENS != 0) & (y & COMMON != 0)).all())

    def sequences(items: Any) -> Any:
        """Every alternative as a list of what stands one after the other."""
        parts = [
            [list(s) for branch in item[1][1] for s in sequences(branch)]
            if str(item[0]) == "BRANCH"
            else [list(s) for s in sequences(item[1][-1])]
            if str(item[0]) == "SUBPATTERN"
            else [[item]]
            for item in items
        ]
        return (list(itertools.chain(*choice)) for choice in itertools.product(*parts))

    alternatives = list(sequences(re._parser.parse(BADNESS_RE.pattern, BADNESS_RE.flags)))  # type: ignore[attr-defined]
    assert len(alternatives) > 20
    for alternative in alternatives:
        sets = [characters(item) for item in alternative]
        assert any(is_seen(a, b) for a, b in itertools.pairwise([set(universe), *sets])), alternative


@pytest.mark.parametrize("form", ["NFC", "NFKC", "none"])
def test_every_character_that_changes_by_itself_is_in_the_table(form: Form) -> None:
    repair = tuple(name for name in EVERYTHING if name != "mojibake")
    separator = "\ue000"  # changes in no way
    # all planes that have characters
    codes = [c for c in (*range(0x40000), *range(0xE0000, 0xE1000)) if not 0xD800 <= c < 0xE001]
    after, _ = repair_piece(separator.join(map(chr, codes)), repair, form, False)
    table, _ = character_tables(repair, form)
    changed = {c for c, new in zip(codes, after.split(separator), strict=True) if new != chr(c)}
    assert len(changed) > 300
    assert [hex(c) for c in changed if not table[c] & CHANGES] == []


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("voilÃ le â€œtravailâ€\x9d", "voilà le “travail”"),
        ("CÃ©line", "Céline"),
        ("Bennett\x92s", "Bennett’s"),
        ("é für Größe – “so” it’s 5 €", "é für Größe – “so” it’s 5 €"),
        ("caf&eacute; &amp;amp;amp; &nosuch; &amp", "café & &nosuch; &amp"),
        ("&lt;\n<b>\n&lt;", "<\n<b>\n&lt;"),
        ("\x1b[31mred\x1b[0m \x00\x07\ufeffa\tb\x0c\r\n", "red a\tb\x0c\r\n"),
        ("e\u0301 \u212b \uac00 \u1100\u1161", "é Å 가 가"),
        ("ﬁ Ａ ² “”", "ﬁ Ａ ² “”"),
    ],
)
def test_by_default_what_is_broken_is_repaired_and_style_stays(text: str, result: str) -> None:
    assert repaired(text) == result


@pytest.mark.parametrize(
    ("name", "text", "result"),
    [
        ("line_breaks", "a\r\nb\rc\u2028d\x85e", "a\nb\nc\nd\ne"),
        ("ligatures", "ﬁne", "fine"),
        ("width", "ＡＢ　ｶﾞ，", "AB ガ,"),
        ("quotes", "“it’s”", '"it\'s"'),
        ("zero_width", "a\u200bb\u2060\u180e c\u200dd\u200c", "ab c\u200dd\u200c"),
        ("bidi", "a\u202eb\u2066c\u200f", "abc"),
        ("soft_hyphens", "Donau\xaddampf", "Donaudampf"),
        ("spaces", "a\xa0b\u2009c\u3000d\te", "a b c d\te"),
        ("zero_width", "e\u200b\u0301", "é"),
    ],
)
def test_each_repair_does_its_own_and_only_if_asked(name: str, text: str, result: str) -> None:
    assert repaired(text, repair=(name,)) == result
    assert repaired(text, repair=(), normalise="none") == text


def test_columns_count_the_lines_that_changed_and_those_with_mojibake() -> None:
    batch = batch_of("plain\nCÃ©line\ne\u0301\nAndrÃ©", "plain", "&eacute;", "")
    assert Unicode()(batch).drop_columns("text").to_pylist() == [
        {"unicode.repaired": 3, "unicode.mojibake": 2},
        {"unicode.repaired": 0, "unicode.mojibake": 0},
        {"unicode.repaired": 1, "unicode.mojibake": 0},
        {"unicode.repaired": 0, "unicode.mojibake": 0},
    ]


@given(documents=st.lists(texts, min_size=1, max_size=5), cut=st.integers(0, 5))
@settings(max_examples=100)
def test_the_result_depends_on_the_document_alone(documents: list[str], cut: int) -> None:
    batch = batch_of(*documents)
    whole = Unicode()(batch).to_pylist()
    assert Unicode()(batch.slice(0, cut)).to_pylist() + Unicode()(batch.slice(cut)).to_pylist() == whole
    assert Unicode()(batch.take(pa.array(range(len(documents))[::-1]))).to_pylist() == whole[::-1]


def test_documents_that_stay_keep_their_buffers_and_cost_no_string() -> None:
    text = "Plain text, x < y && a & b; größer – “so”. На дворе. नमस्ते\n" * 3
    batch = batch_of(text)
    edited = Unicode()(batch)
    assert edited.column("text").buffers()[2].address == batch.column("text").buffers()[2].address
    utf8 = Utf8.of(batch.column("text"))
    pieces, _ = find_pieces(utf8.values, utf8.offsets, *character_tables(Unicode().repair, "NFC"), True, 10_000)
    assert len(pieces) == 0


def test_long_lines_are_cut_between_characters_and_nothing_is_lost() -> None:
    utf8 = Utf8.of(
        pa.array(["\x07" + "ab é" * 100, "é" * 100, "é\x07" + "é" * 5, "\x07" + "x" * 30], pa.large_string())
    )
    pieces, _ = find_pieces(utf8.values, utf8.offsets, *character_tables(("controls",), "NFC"), False, 10)
    cut = [utf8.values[a:b].tobytes().decode() for a, b in pieces]
    assert cut == ["\x07ab éab éab", "é\x07ééééé", "\x07" + "x" * 19]
    text = "\x07é漢🎉 e\u0301" * 5_000
    assert repaired(text) == "é漢🎉 é" * 5_000


def test_marks_without_end_are_cut_and_each_part_is_normalised() -> None:
    run = "\u0301\u0316" * (MARKS // 2)
    assert repaired(run * 3) == unicodedata.normalize("NFC", run) * 3


@pytest.mark.parametrize(
    "text",
    [
        "\u0301\u0316" * 30_000,
        "&amp;" + "amp;" * 10_000,
        "Ã" * 50_000,
        "â€œ" * 20_000,
        "\x1b[" * 50_000,
        "&#" * 50_000,
        "\r" * 50_000,
    ],
    ids=lambda v: repr(v[:6]),
)
def test_hostile_documents_end(text: str) -> None:
    assert Unicode()(batch_of(text, "next")).column("text")[1].as_py() == "next"


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"unicode\.normalise: 'NFX': Input should be 'NFC', 'NFKC' or 'none'"):
        make_step({"unicode": {"normalise": "NFX"}})
    with pytest.raises(ValueError, match=r"unicode\.repair\.0: 'mojibak': Input should be 'mojibake', "):
        make_step({"unicode": {"repair": ["mojibak"]}})
