"""What the lines of a technical text are, and that its prose part alone is measured."""

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.settings import CleanSettings
from dataprep.rules import decide, load_rule_set
from dataprep.signals import _reference as reference
from dataprep.signals.technical import COLUMNS, Technical
from dataprep.steps import apply_steps
from dataprep.text.prose import line_kinds, prose_part
from dataprep.text.view import Text

NAMES = ("", "prose", "list", "table", "markup", "code")
MARKER = re.compile(r"(?:[-*+•◦‣]|[0-9]{1,9}[.)])[ \t]+")


def kinds_of(text: str) -> list[str]:
    kinds: list[str] = []
    fence, literal, item, before, after_blank = "", -1, 0, "", True
    for line in text.split("\n"):
        body = line.rstrip()
        start = len(line) - len(line.lstrip(" \t"))
        columns = sum(4 if char == "\t" else 1 for char in line[:start])
        body = body[start:]
        kind = "prose"
        if not body:
            kinds.append("")
            after_blank = True
            continue
        opening = re.match(r"`{3,}|~{3,}", body)
        marker = MARKER.match(body)
        if fence:
            kind = "code"
            if set(body) == {fence[0]} and len(body) >= len(fence):
                fence = ""
        elif opening:
            kind, fence = "code", opening[0]
        elif (
            (0 <= literal < columns)
            or (columns >= item + 4 and (after_blank or before == "code"))
            or body.startswith((">>> ", "$ "))
        ):
            kind = "code"
        elif len(body) >= 3 and set(body) == {body[0]} and body[0] in "=-~^*\"'+#`_.:":
            kind = "markup"
            if not after_blank and before == "prose":
                kinds[-1] = "markup"
        elif re.match(r"#{1,6} |\.\. |:[^: ]+:", body):
            kind = "markup"
        elif body.startswith(("|", "+-", "+=")) or body.count("|") >= 2 or (len(body) >= 3 and set(body) <= set("=- ")):
            kind = "table"
        elif marker:
            kind = "list"
        elif body[-1] in "{};":
            kind = "code"
        if not fence and kind != "code":
            code = body.startswith((".. code", ".. sourcecode"))
            literal = columns if code or (body.endswith("::") and not body.startswith(".. ")) else -1
            if kind == "list" and marker:
                item = columns + len(marker[0].encode())
            elif columns < item:
                item = 0
        kinds.append(kind)
        before, after_blank = kind, False
    return kinds


def prose_of(text: str, wrap: int) -> str:
    result = ""
    before = -1
    lines, kinds = text.split("\n"), kinds_of(text)
    for i, (line, kind) in enumerate(zip(lines, kinds, strict=True)):
        if kind in ("list", "table", "code") and before >= 0 and result.endswith(":"):
            result = result[:-1] + "."
        if kind != "prose":
            continue
        if before >= 0:
            result += "\n\n" if before < i - 1 else " " if len(lines[before]) >= wrap else "\n"
        result += re.sub(r"(?:\[[0-9]+\]|[*_])+$", "", line.strip()).rstrip()
        before = i
    return result


def technical(text: str) -> dict[str, float]:
    kinds, prose = [kind for kind in kinds_of(text) if kind], prose_of(text, 50)
    values = {f"technical.{name}_lines": kinds.count(name) / len(kinds) if kinds else 0.0 for name in NAMES[1:]}
    values["technical.prose_chars"] = len(prose) / len(text) if text else 0.0
    for measured in (reference.gopher_quality(prose), reference.gopher_repetition(prose), reference.fineweb(prose)):
        values.update({f"technical.{name.partition('.')[2]}": value for name, value in measured.items()})
    del values["technical.bullet_lines"]
    return values


def parts(*texts: str, wrap: int = 50) -> list[tuple[list[str], str]]:
    """Kinds of lines and prose part, as the kernels say."""
    text = Text(pa.array(texts, pa.large_string()))
    kinds = line_kinds(text.utf8, text.newline_lines)
    values, offsets = prose_part(text.utf8, text.newline_lines, kinds, wrap)
    data, lines = values.tobytes(), text.newline_lines.offsets
    return [
        ([NAMES[kind] for kind in kinds[lines[d] : lines[d + 1]]], data[offsets[d] : offsets[d + 1]].decode())
        for d in range(len(texts))
    ]


PIECES = [
    *("word", "Text that ends.", "See below:", "x::", "é", "漢字", "[12]", "**", "_", "]", "[", "{", "}", ";"),
    *("1. ", "12) ", "- ", "* ", "• ", "+ ", "-", "|", "+-", "+=", "===", "----", "###", "# ", "#", "```", "````"),
    *("~~~", ">>> ", "$ ", ".. code:: x", ".. note::", ".. ", ":name:", ":", "a line that goes on in the line below "),
    *("\n", "\n", "\n", "\n", "\n\n", "\n    ", "\n\t", "\n  ", " ", " ", "\r\n", "\x0b", "\u2028", "\xa0"),
]
documents = st.one_of(st.lists(st.sampled_from(PIECES), max_size=50).map("".join), st.text())


@given(texts=st.lists(documents, max_size=5), wrap=st.sampled_from([1, 20, 50]))
@settings(max_examples=400)
def test_lines_and_prose_part_equal_their_definition_on_any_text(texts: list[str], wrap: int) -> None:
    assert parts(*texts, wrap=wrap) == [(kinds_of(text), prose_of(text, wrap)) for text in texts]


@given(texts=st.lists(documents, max_size=4))
@settings(max_examples=50)
def test_measurements_are_those_of_the_prose_part_on_any_text(texts: list[str]) -> None:
    batch = Technical()(pa.record_batch({"text": pa.array(["cut", *texts], pa.large_string())}).slice(1))
    assert batch.select(COLUMNS.names).to_pylist() == [technical(text) for text in texts]
    assert batch.column("text").to_pylist() == texts


@pytest.mark.parametrize(
    ("text", "kinds", "prose"),
    [
        ("# Title\n\nText.\n", ["markup", "", "prose", ""], "Text."),
        ("Title\n=====\nText.", ["markup", "markup", "prose"], "Text."),
        ("```py\nx = 1\n\n# y\n```\nText.", ["code", "code", "", "code", "code", "prose"], "Text."),
        ("Run::\n\n  make\n  make install\n\nDone.", ["prose", "", "code", "code", "", "prose"], "Run:.\n\nDone."),
        ("Text\n    goes on.", ["prose", "prose"], "Text\ngoes on."),
        ("Text:\n\n    code", ["prose", "", "code"], "Text."),
        ("- item\n\n  its text.\n\n      code", ["list", "", "prose", "", "code"], "its text."),
        ("| a | b |\n|---|---|\nText.", ["table", "table", "prose"], "Text."),
        (
            ".. code:: c\n\n   x\n\n.. note:: Text\n   is prose.",
            ["markup", "", "code", "", "markup", "prose"],
            "is prose.",
        ),
        ("int main() {\n  return 0;\n}", ["code"] * 3, ""),
        ("It is so.[1][23] \nIt is *so.*", ["prose"] * 2, "It is so.\nIt is *so."),
        ("1999 was. A year", ["prose"], "1999 was. A year"),
    ],
)
def test_what_a_line_is(text: str, kinds: list[str], prose: str) -> None:
    assert kinds_of(text) == kinds
    assert parts(text) == [(kinds, prose)]


def test_a_paragraph_wrapped_by_hand_is_one_line_and_a_menu_is_not() -> None:
    wrapped = "A paragraph that somebody wrapped by hand after sixty columns\nends here.\nHome\nContact"
    assert parts(wrapped)[0][1].split("\n") == [wrapped[:72].replace("\n", " "), "Home", "Contact"]


def test_the_set_has_the_numbers_of_the_sets_it_replaces() -> None:
    ours = {rule.reject: (rule.comparison, rule.value) for rule in load_rule_set("technical").rules}
    replaced = {
        rule.reject: (rule.comparison, rule.value)
        for name in ("gopher_quality", "gopher_repetition", "fineweb")
        for rule in load_rule_set(name).rules
        if rule.reject not in ("bullet_lines", "empty")
    }
    assert ours == {"list_lines": ("above", 0.3), **replaced}


def test_good_technical_text_stays_that_rules_for_prose_delete(shared_data: Path) -> None:
    with gzip.open(shared_data / "prose" / "peps-rst.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"][:30_000] for line, _ in zip(lines, range(30), strict=False)]
    kept = {}
    for sets in (("gopher_quality", "gopher_repetition", "fineweb"), ("technical",)):
        clean = CleanSettings.model_validate({"rules": [{"use": name} for name in sets]})
        batch, _ = apply_steps(clean.resolved_steps(), pa.record_batch({"text": pa.array(texts, pa.large_string())}))
        kept[sets[0]] = pc.sum(pc.is_null(decide(batch, clean.resolved_rules()).column("rejected_by"))).as_py()
    assert kept["technical"] >= 0.8 * len(texts) > kept["gopher_quality"]
