"""Decontamination: planted evaluation items are found however they are dressed, and nothing else is."""

import gzip
import json
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.catalogue import make_step
from dataprep.clean.settings import CleanSettings
from dataprep.rules import decide
from dataprep.signals import _reference as reference
from dataprep.signals.decontamination import Decontamination
from dataprep.signals.evaluations import read_rows
from dataprep.text.fold import bare_table

QUESTION = "Janet’s ducks lay 16 eggs per day, and she eats three for breakfast every morning with her friends."
SHORT = "A robe takes 2 bolts of blue fiber."
PROSE = "It was a quiet morning in the small town by the river, and the people who lived there had little to worry of. "
PIECES = [
    "a",
    "B",
    "b",
    "é",
    "e\u0301",
    "don't",
    "dont",
    "7",
    "42",
    "1,000",
    "漢",
    "字",
    "ς",
    "Σ",
    "_",
    "-",
    "...",
    "\u00ad",
]
words = st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join), st.text(max_size=8))


def write(path: Path, rows: Sequence[Any]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def step(path: str, fields: Sequence[str] = (), common: int = 10, **parameters: Any) -> Decontamination:
    return Decontamination(evaluations={"set": {"paths": [path], "fields": fields, "common": common}}, **parameters)


def measured(signal: Decontamination, *texts: str) -> list[dict[str, Any]]:
    found = signal(pa.record_batch({"text": pa.array(texts, pa.large_string())}))
    return [
        {name.removeprefix("decontamination."): value for name, value in row.items()}
        for row in found.select(signal.columns.names).to_pylist()
    ]


def hits(signal: Decontamination, *texts: str) -> list[str | None]:
    return [row["hits"] for row in measured(signal, *texts)]


@pytest.fixture
def one(tmp_path: Path) -> Decontamination:
    return step(write(tmp_path / "one.jsonl", [{"question": QUESTION}, {"question": SHORT}]))


@given(
    items=st.lists(st.lists(words, max_size=3), min_size=1, max_size=5),
    texts=st.lists(words, max_size=4),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    letters=st.sampled_from([0.0, 0.5, 1.0]),
    common=st.integers(1, 3),
)
@settings(max_examples=150)
def test_columns_equal_their_definition_on_any_text(
    tmp_path_factory: pytest.TempPathFactory,
    items: list[list[str]],
    texts: list[str],
    sizes: tuple[int, int],
    letters: float,
    common: int,
) -> None:
    path = write(tmp_path_factory.mktemp("set") / "set.jsonl", [{"passages": passages} for passages in items])
    signal = step(path, common=common, ngram=max(sizes), min_words=min(sizes), letters=letters)
    clean = [[passage.replace("\0", "") for passage in passages] for passages in items]
    runs = reference.sought_runs(clean, max(sizes), min(sizes), letters, common)
    sought = {f"set:{number}": found for number, found in enumerate(runs)}
    texts = [*texts, *(" ".join(passages) for passages in items)]
    batch = pa.record_batch({"text": pa.array(texts, pa.large_string())})
    expected = [reference.decontamination(text, sought) for text in texts]
    assert signal(batch).select(signal.columns.names).to_pylist() == expected
    assert signal(batch.slice(1)).select(signal.columns.names).to_pylist() == expected[1:]


def test_every_code_point_is_compared_as_defined() -> None:
    expected = [reference.bare_word(chr(code)) if chr(code).isalnum() else "\0" for code in range(0x110000)]
    assert bare_table().tolist() == [ord(char) for char in expected]


@pytest.mark.parametrize(
    "dressed",
    [
        QUESTION,
        QUESTION.upper(),
        QUESTION.replace("’", "'"),
        QUESTION.replace("’", "").replace(",", " –").replace(".", "!"),
        QUESTION.replace(" ", "\n> "),
        QUESTION.replace(" ", " * "),
        QUESTION.replace("e", "é"),
        QUESTION.replace("e", "e\u0301"),
        QUESTION.replace("eggs", "eg\u00adgs"),
        f"**{QUESTION}**",
    ],
)
def test_an_item_is_found_whatever_its_case_punctuation_marks_and_line_breaks(
    one: Decontamination, dressed: str
) -> None:
    (row,) = measured(one, PROSE * 3 + dressed + PROSE)
    assert (row["items"], row["hits"], row["covered"], row["ngrams"]) == (1, "set:0=1.00", 1.0, 6)
    assert row["share"] == 18 / (18 + 4 * 23)


def test_thirteen_words_in_a_row_are_needed_and_enough(one: Decontamination) -> None:
    parts = QUESTION.split()
    assert len(parts) == 18
    assert hits(one, " ".join(parts[:13]), " ".join(parts[5:]), " ".join(parts[:12]), " ".join(parts[6:])) == [
        *("set:0=0.16", "set:0=0.16"),
        *(None, None),
    ]
    changed = [*parts[:9], "hens", *parts[10:]]
    assert hits(one, " ".join(changed)) == [None]


def test_shorter_passages_are_found_whole_from_eight_words_on(tmp_path: Path, one: Decontamination) -> None:
    assert hits(one, PROSE + SHORT.lower() + PROSE, "robe takes 2 bolts of blue fiber") == ["set:1=1.00", None]
    seven = step(write(tmp_path / "seven.jsonl", [{"q": "one two three four five six seven"}, {"q": QUESTION}]))
    assert hits(seven, "one two three four five six seven") == [None]
    assert seven.depends_on()["evaluations"]["set"] | {"files": []} == {"items": 2, "sought": 1, "files": []}
    assert hits(seven.model_copy(update={"min_words": 7}), "one two three four five six seven") == ["set:0=1.00"]


def test_no_run_reaches_from_one_passage_or_document_into_the_next(tmp_path: Path) -> None:
    first, second = QUESTION.split()[:9], QUESTION.split()[9:]
    row = {"question": " ".join(first), "choices": {"text": [" ".join(second)]}}
    signal = step(write(tmp_path / "two.jsonl", [row]))
    assert hits(signal, " ".join(first), " ".join(second), " ".join(second[:8]), " ".join(first[1:] + second[:8])) == [
        *("set:0=0.50", "set:0=0.50"),
        *(None, None),
    ]
    whole = step(write(tmp_path / "whole.jsonl", [{"question": QUESTION}]))
    assert hits(whole, " ".join(first), "", " ".join(second)) == [None] * 3


def test_only_the_named_fields_are_looked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "two.jsonl", [{"question": QUESTION, "context": PROSE}])
    assert hits(step(path, ["question"]), PROSE, QUESTION) == [None, "set:0=1.00"]
    assert hits(step(path), PROSE, QUESTION) == ["set:0=0.64", "set:0=0.35"]  # 11 and 6 of 17 runs


def test_runs_common_to_many_items_of_a_set_are_not_looked_for(tmp_path: Path) -> None:
    template = "please choose the correct answer to the question below and write its number here"
    for items, found in ((10, " ".join(f"set:{n}=0.66" for n in range(10))), (11, None)):
        rows = [{"task": f"{template} {number}", "question": f"{PROSE} {number}"} for number in range(items)]
        signal = step(write(tmp_path / f"{items}.jsonl", rows), ["task"])
        assert hits(signal, template) == [found]
        assert hits(signal, f"{template} 3")[0] is not None
    assert hits(step(str(tmp_path / "11.jsonl"), ["task"], common=11), template) != [None]


def test_counting_and_tables_are_not_looked_for(tmp_path: Path) -> None:
    numbers = " ".join(map(str, range(1, 14)))
    half = "1 a 2 b 3 c 4 d 5 e 6 f 7 g"
    path = write(tmp_path / "numbers.jsonl", [{"grid": numbers}, {"grid": half}])
    assert hits(step(path), numbers, half) == [None, "set:1=1.00"]
    assert hits(step(path, letters=0), numbers, half) == ["set:0=1.00", "set:1=1.00"]


def test_hits_are_listed_by_set_and_number_in_whatever_order_the_recipe_has_them(tmp_path: Path) -> None:
    many = write(tmp_path / "many.jsonl", [{"q": f"{QUESTION} {n} {SHORT}"} for n in range(3)])
    few = write(tmp_path / "few.jsonl", [{"q": SHORT}])
    sets = {"zebra": {"paths": [few]}, "ant": {"paths": [few, many]}}
    listed = ["ant:0=1.00 ant:1=0.40 ant:2=0.40 ant:3=0.40 zebra:0=1.00"]
    for order in (sets, dict(reversed(sets.items()))):
        signal = Decontamination(evaluations=order)
        assert hits(signal, f"{QUESTION} and {SHORT}") == listed
        assert make_step({"decontamination": signal.model_dump(mode="json")}) == signal


def test_documents_of_every_unkind_sort_are_measured(one: Decontamination) -> None:
    unkind = ["", "\0", "\u0301" * 50, "…" * 50, "🎉" * 50, "\ufffd", "a " * 300_000, "1 " * 300_000]
    rows = measured(one, *unkind, f"\0{QUESTION}\0", (SHORT + " ") * 30_000)
    assert [row["items"] for row in rows] == [0] * len(unkind) + [1, 1]
    assert rows[-1]["ngrams"] == 30_000
    assert rows[-1]["share"] == 1.0


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.ndjson.gz", "a.jsonl.zst", "a.json", "a.json.gz", "lines.json", "b.json", "a.parquet"]
)
def test_sets_are_read_in_every_usual_form(tmp_path: Path, name: str) -> None:
    rows = [{"id": 7, "question": QUESTION, "choices": {"text": ["x", SHORT], "label": ["A", "B"]}, "n": None}] * 2
    path = tmp_path / name
    if name == "b.json":
        content = json.dumps({"canary": "do not train on this", "examples": rows}, indent=1)
    elif name.startswith("a.json") and "jsonl" not in name:
        content = json.dumps(rows, indent=1)
    else:
        content = "\n".join(map(json.dumps, rows)) + "\n\n"
    data = content.encode("utf-8-sig" if name == "a.json" else "utf-8")
    if name.endswith(".gz"):
        data = gzip.compress(data)
    if name.endswith(".zst"):
        data = zstandard.compress(data)
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(data)
    signal = step(str(path), ["question", "choices"])
    assert hits(signal, QUESTION, SHORT) == ["set:0=0.85 set:1=0.85", "set:0=0.14 set:1=0.14"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.jsonl", None, ["gone.jsonl' does not exist"]),
        ("a.csv", "x", ["a.csv' must be .json, .jsonl, .ndjson, .parquet"]),
        ("a.jsonl", "", ["a.jsonl' holds no items"]),
        ("a.jsonl", '{"q": "x"}\n{"q": \n', ["a.jsonl' cannot be read", "line 1 column 7"]),
        ("a.json", '[{"q": "x"}', ["a.json' cannot be read"]),
        ("a.json", '{"q": "x"}', ["a.json' cannot be read", "an array of objects"]),
        ("a.jsonl", '{"q": "x"}\n"y"\n', ["item 1 of", "a.jsonl' is a str, not an object"]),
        ("a.jsonl.gz", "plain", ["a.jsonl.gz' cannot be read"]),
        ("a.parquet", "plain", ["a.parquet' cannot be read"]),
        (
            "a.jsonl",
            '{"q": "x", "answer": "y"}',
            ["fields: 'question' is in no item", "a.jsonl; allowed: q, answer"],
        ),
    ],
)
def test_an_unusable_set_is_named_when_the_recipe_is_read(
    tmp_path: Path, name: str, content: str | None, words: list[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"decontamination\.evaluations\.gsm8k: ") as caught:
        make_step(
            {"decontamination": {"evaluations": {"gsm8k": {"paths": [str(tmp_path / name)], "fields": ["question"]}}}}
        )
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, ["decontamination.evaluations", "required"]),
        ({"evaluations": {}}, ["decontamination.evaluations", "at least 1"]),
        ({"evaluations": {"a": "a.jsonl"}}, ["decontamination.evaluations.a: 'a.jsonl'", "paths, fields, common"]),
        ({"evaluations": {"a": {"path": "x"}}}, ["decontamination.evaluations.a", "unknown field 'path'", "paths"]),
        ({"evaluations": {"a b": {"paths": ["x"]}}}, ["decontamination.evaluations.a b", "pattern"]),
        ({"min_words": 14}, ["min_words 14 is above ngram 13"]),
        ({"letters": 2}, ["decontamination.letters", "less than or equal to 1"]),
    ],
)
def test_wrong_parameters_are_named(tmp_path: Path, parameters: dict[str, Any], words: list[str]) -> None:
    usable = {"evaluations": {"a": {"paths": [write(tmp_path / "a.jsonl", [{"q": QUESTION}])]}}} if parameters else {}
    with pytest.raises(ValueError, match="decontamination") as caught:
        make_step({"decontamination": {**usable, **parameters}})
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_set_is_part_of_the_fingerprint_by_its_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"q": QUESTION}])
    before = step(path).depends_on()
    assert before == step(path).depends_on()
    write(tmp_path / "a.jsonl", [{"q": QUESTION.upper()}])
    assert step(path).depends_on() != before


def test_a_rule_rejects_what_is_contaminated(tmp_path: Path) -> None:
    sets = {"gsm8k": {"paths": [write(tmp_path / "a.jsonl", [{"q": QUESTION}])]}}
    clean = CleanSettings(
        steps=[{"decontamination": {"evaluations": sets}}],
        rules=[{"reject": "contaminated", "when": "decontamination.items", "above": 0}],
    )
    batch = pa.record_batch({"text": pa.array([PROSE, PROSE + QUESTION], pa.large_string())})
    for signal in clean.resolved_steps():
        batch = signal(batch)
    assert decide(batch, clean.resolved_rules()).column("rejected_by").to_pylist() == [None, "contaminated"]


DRESSES: list[Callable[[str], str]] = [
    str,
    str.upper,
    lambda text: re.sub(r"[^\w\s.,'’]", " ", text).replace("’", "'"),
    lambda text: re.sub(r"\s+", "\n", text),
]


def test_planted_items_of_real_sets_are_found_in_real_prose_and_nothing_else_is(
    tmp_path: Path, shared_data: Path
) -> None:
    folder = shared_data / "decontamination"
    with tarfile.open(folder / "bbh.tar.xz") as archive:
        archive.extract("snarks.json", tmp_path, filter="data")
    files = {
        "bbh": tmp_path / "snarks.json",
        "gsm8k": folder / "gsm8k_test.jsonl.gz",
        "humaneval": folder / "HumanEval.jsonl.gz",
        "winogrande": folder / "winogrande_test.json.gz",
    }
    rows = {name: read_rows(str(path))[::20] for name, path in files.items()}
    evaluations = {
        name: {"paths": [write(tmp_path / f"{name}.jsonl", some)], "common": 2} for name, some in rows.items()
    }
    signal = Decontamination(evaluations=evaluations)
    sought: dict[str, set[reference.Run]] = {}
    passages: dict[str, list[str]] = {}
    for name, evaluation in sorted(signal.evaluations.items()):
        items = [list(evaluation.passages(row)) for row in rows[name]]
        passages |= {f"{name}:{number}": item for number, item in enumerate(items)}
        runs = reference.sought_runs(items, 13, 8, 0.5, 2)
        sought |= {f"{name}:{number}": item for number, item in enumerate(runs)}
    with gzip.open(shared_data / "prose" / "wikipedia-en-markdown.jsonl.gz", "rt", encoding="utf-8") as lines:
        prose = [json.loads(line)["text"] for line, _ in zip(lines, range(300), strict=False)]
    assert hits(signal, *prose) == [None] * len(prose)

    labels = [label for label, runs in sought.items() if runs]
    assert len(labels) > 130
    for number, dress in enumerate(DRESSES):
        planted = [dress("\n\n".join(passages[label])) for label in labels]
        texts = [f"{prose[i % 300][:2000]}\n{text}\n{prose[i % 300][2000:4000]}" for i, text in enumerate(planted)]
        for label, row in zip(labels, measured(signal, *texts), strict=True):
            assert f"{label}=1.00" in row["hits"].split(), (label, number)
            assert row["covered"] == 1.0
    for half in (0, 1):
        cut = [max(passages[label], key=len) for label in labels]
        cut = [text[: len(text) // 2] if half == 0 else text[len(text) // 2 :] for text in cut]
        expected = [reference.decontamination(text, sought)["decontamination.hits"] for text in cut]
        assert hits(signal, *cut) == expected
        assert sum(found is not None for found in expected) > len(labels) // 2
