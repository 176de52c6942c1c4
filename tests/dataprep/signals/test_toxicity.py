"""Word lists by language: the definition on any text, C4's verdict always; clear mistakes."""

import csv
import gzip
import random
import re
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import fasttext
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.clean.catalogue import make_step
from dataprep.clean.settings import CleanSettings
from dataprep.rules import decide
from dataprep.signals import _reference as reference
from dataprep.signals.toxicity import Toxicity

ENTRIES = ["bad", "bad word", "bad words", "a", "été", "i̇", "σας", "-x-", "🖕", "ba", "क", "漢字", "n.", "Capital"]
PIECES = [
    *ENTRIES,
    *("Bad", "BAD WORDS", "ÉTÉ", "İ", "ΣΑΣ", "K", "s", "1", "_", "\u0301", "ि", "字", "x"),
    *(" ", " ", " ", "\n", "-", ".", "’", "\u200b", "\u3000", "\x00", "。"),
]
documents = st.one_of(st.lists(st.sampled_from(PIECES), max_size=40).map("".join), st.text())


def c4(entries: Collection[str], apart: bool) -> re.Pattern[str]:
    """C4's expression, as datatrove 0.10 writes it."""
    words = "|".join(map(re.escape, entries))
    return re.compile(rf"(?:\W|^)({words})(?:\W|$)" if apart else words)


def batch_of(texts: list[str], languages: list[str | None] | None = None) -> pa.RecordBatch:
    columns = {"text": pa.array(texts, pa.large_string())}
    return pa.record_batch(columns | ({"language.label": pa.array(languages, pa.string())} if languages else {}))


def measured(step: Toxicity, texts: list[str], languages: list[str | None] | None = None) -> list[dict[str, Any]]:
    return step(batch_of(texts, languages)).select(step.columns.names).to_pylist()


def lists_in(folder: Path, **lists: Collection[str]) -> str:
    folder.mkdir(exist_ok=True)
    for language, entries in lists.items():
        (folder / language).write_text("\n".join(entries), encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="session")
def step(tmp_path_factory: pytest.TempPathFactory) -> Toxicity:
    return Toxicity(lists=lists_in(tmp_path_factory.mktemp("lists"), en=ENTRIES, ja=ENTRIES))


@pytest.mark.parametrize("language", ["en", "ja"])
@given(texts=st.lists(documents, max_size=5))
@settings(max_examples=200)
def test_measurements_equal_their_definition_on_any_text(step: Toxicity, language: str, texts: list[str]) -> None:
    apart = language == "en"
    found = measured(step, texts, [language] * len(texts)) if texts else []
    assert found == [reference.toxicity(text, ENTRIES, apart) for text in texts]
    assert [row["toxicity.words"] > 0 for row in found] == [
        c4(ENTRIES, apart).search(text.lower()) is not None for text in texts
    ]


@given(text=st.text(), data=st.data())
@settings(max_examples=100)
def test_any_list_finds_what_its_definition_finds(
    tmp_path_factory: pytest.TempPathFactory, text: str, data: st.DataObject
) -> None:
    pieces = {text.lower()[i : i + n].strip() for i in range(len(text)) for n in (1, 2, 3)} | {"x"}
    lines = sorted(piece for piece in pieces if re.fullmatch(r"[^#\r\n][^\r\n]*", piece))
    entries = data.draw(st.sets(st.sampled_from(lines), max_size=6))
    step = Toxicity(lists=lists_in(tmp_path_factory.mktemp("any"), en=entries, th=entries))
    expected = [reference.toxicity(text, entries, apart) for apart in (True, False)]
    assert measured(step, [text, text], ["en", "th"]) == expected


def test_verdicts_are_c4s_on_real_text_in_every_language_with_a_list(shared_data: Path) -> None:
    lists = shared_data / "blocklists" / "ldnoobw"
    step = Toxicity(lists=str(lists))
    sentences: dict[str, list[str]] = defaultdict(list)
    with gzip.open(shared_data / "multilingual" / "lingua-sentences.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            language, _, sentence = line.rstrip("\n").partition("\t")
            sentences[language].append(sentence)
    everything = random.Random(1).sample([s for of_language in sentences.values() for s in of_language], 150)
    hits = 0
    for path in sorted(lists.iterdir()):
        entries = {line.strip() for line in path.read_text("utf-8").splitlines()}.difference(step.allowed)
        expression = c4(entries, path.name not in ("ja", "th", "zh"))
        # real sentences of the language and of others, and some with an entry in the middle
        own = sentences.get(path.name, [])[:150]
        planted = [f"{a[:40]} {b}, {a[40:]}" for a, b in zip(everything, sorted(entries), strict=False)]
        texts = own + everything + planted
        expected = [expression.search(text.lower()) is not None for text in texts]
        found = [row["toxicity.words"] > 0 for row in measured(step, texts, [path.name] * len(texts))]
        assert found == expected, path.name
        hits += sum(expected)
    assert hits > 500


@pytest.mark.parametrize(
    ("text", "words", "distinct", "characters"),
    [
        ("", 0, 0, 0),
        ("bad", 1, 1, 3),
        ("BAD!", 1, 1, 3),
        ("bad bad", 2, 1, 6),  # C4's expression alone would take the space with the first
        ("Bad words are bad", 2, 2, 12),  # the longest at a place, none inside another
        ("bad wordsmith", 1, 1, 3),
        ("badly, unbad, bad_, bad1, 1bad", 0, 0, 0),
        ("bad\nword bad word", 2, 2, 11),  # white space inside an entry is as it is written
        ("bad\u0301", 1, 1, 3),  # a mark is no word character for a regular expression
        ("İ", 1, 1, 2),
        ("ΣΑΣ", 1, 1, 3),
        ("capital Capital", 0, 0, 0),
        ("🖕🖕", 2, 1, 2),
        ("-x--x-", 2, 1, 6),
    ],
)
def test_known_texts_have_known_words(step: Toxicity, text: str, words: int, distinct: int, characters: int) -> None:
    values = measured(step, [text])[0]
    assert (values["toxicity.words"], values["toxicity.distinct"]) == (words, distinct)
    assert values["toxicity.share"] == (characters / len(text.lower()) if text else 0)


def test_the_list_is_that_of_the_documents_language(tmp_path: Path) -> None:
    step = Toxicity(lists=lists_in(tmp_path, en=["gift"], de=["böse"], zh=["坏"]))
    texts = ["a gift", "ein Gift", "böse", "好坏人", "a gift", "a gift"]
    found = measured(step, texts, ["en", "de", "de", "zh", "fr", None])
    assert [row["toxicity.words"] for row in found] == [1, 0, 1, 1, None, None]
    assert [row["toxicity.share"] is None for row in found] == [False] * 4 + [True] * 2
    assert [row["toxicity.words"] for row in measured(step, texts)] == [1, 1, 0, 0, 1, 1]
    german = step.model_copy(update={"language": "de"})
    assert [row["toxicity.words"] for row in measured(german, texts)] == [0, 0, 1, 0, 0, 0]


def test_what_c4_allows_is_in_no_list(tmp_path: Path) -> None:
    step = Toxicity(lists=lists_in(tmp_path, en=["sm", "other"], zh=["性", "性病"]))
    found = measured(step, ["sm", "other", "性", "性病"], ["en", "en", "zh", "zh"])
    assert [row["toxicity.words"] for row in found] == [0, 1, 0, 1]
    strict = step.model_copy(update={"allowed": ()})
    assert [row["toxicity.words"] for row in measured(strict, ["sm", "性"], ["en", "zh"])] == [1, 1]


def test_other_languages_can_be_searched_anywhere(tmp_path: Path) -> None:
    step = Toxicity(lists=lists_in(tmp_path, jpn_Jpan=["悪"]), language="jpn_Jpan", unspaced=("jpn_Jpan",))
    assert measured(step, ["最悪だ"])[0]["toxicity.words"] == 1


def test_a_document_with_a_bad_word_is_rejected_as_c4_does(tmp_path: Path) -> None:
    lists = lists_in(tmp_path, en=["bad"], de=["schlecht"])
    clean = CleanSettings.model_validate({"rules": [{"use": "badwords@c4", "with": {"toxicity": {"lists": lists}}}]})
    batch = batch_of(["good", "bad", "badly", "bad", "Schlecht!"], ["en", "en", "en", "de", "de"])
    for step in clean.resolved_steps():
        batch = step(batch)
    found = decide(batch, clean.resolved_rules()).column("rejected_by").to_pylist()
    assert found == [None, "badwords.badwords", None, None, "badwords.badwords"]


def test_a_signal_adds_exactly_its_columns_and_keeps_the_rows(step: Toxicity) -> None:
    whole = batch_of(["bad", "good", "bad bad", "x"], ["en", "ja", "fr", "en"])
    part = step(whole.slice(1, 2))
    assert part.schema == pa.schema([*whole.schema, *step.columns])
    assert part.equals(step(whole).slice(1, 2))
    assert step(whole.slice(0, 0)).schema == part.schema
    assert step(step(whole)).equals(step(whole))


def test_long_and_odd_texts_are_read_in_linear_time(step: Toxicity) -> None:
    texts = [
        "bad words" * 200_000,
        "bad " * 300_000,
        "\u0301" * 500_000,
        "\x00" * 500_000,
        "Σ" * 500_000,
        "a" * 1_000_000,
    ]
    found = measured(step, texts)
    assert [row["toxicity.words"] for row in found] == [
        *(reference.toxicity(texts[0][:90], ENTRIES, True)["toxicity.words"], 300_000, 0, 0, 0, 0),
    ]


@pytest.fixture(scope="module")
def comments(shared_data: Path) -> list[tuple[str, bool]]:
    path = shared_data / "blocklists" / "labelled" / "surge_toxicity_en.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [(row["text"], row["is_toxic"] == "Toxic") for row in csv.DictReader(lines)]
    random.Random(1).shuffle(rows)
    return rows


def test_a_model_tells_toxic_comments_from_others(comments: list[tuple[str, bool]], tmp_path: Path) -> None:
    """What the page says of `classifier`, with real comments."""
    lines = [
        f"__label__{'toxic' if toxic else 'fine'} {' '.join(text.lower().split())}" for text, toxic in comments[:800]
    ]
    (tmp_path / "train.txt").write_text("\n".join(lines), encoding="utf-8")
    trained = fasttext.train_supervised(str(tmp_path / "train.txt"), dim=16, epoch=30, bucket=1000, thread=1, verbose=0)
    trained.save_model(str(tmp_path / "toxic.bin"))
    parameters = {"model": str(tmp_path / "toxic.bin"), "label": "toxic", "lower_case": True, "as": "toxic"}
    scores = [
        row["classifier.toxic"]
        for row in measured(make_step({"classifier": parameters}), [c for c, _ in comments[800:]])
    ]
    assert sum((score > 0.5) == toxic for score, (_, toxic) in zip(scores, comments[800:], strict=True)) > 0.7 * 200


def test_what_lists_hold_is_part_of_the_identity(tmp_path: Path) -> None:
    step = Toxicity(lists=lists_in(tmp_path, en=["bad"]))
    before = step.depends_on()
    lists_in(tmp_path, en=["worse"])
    assert step.depends_on() != before


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "toxicity.lists: Field required"),
        (
            {"lists": "nowhere"},
            "toxicity.lists: 'nowhere': has no list; allowed: a folder with one word list a language, called like it",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        make_step({"toxicity": parameters})
    assert "\n" not in str(caught.value)
