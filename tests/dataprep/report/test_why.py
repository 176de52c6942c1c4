"""A document is found by id or URL, and its story told: every stage, edit, copy and token of it."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep.document import SCHEMA, BatchBuilder
from dataprep.parts import PartWriter
from dataprep.report.difference import CONTEXT_CHARACTERS, LINE_CHARACTERS, difference
from dataprep.report.inspect import sample
from dataprep.report.measured import find_measured
from dataprep.report.story import by_id, by_url, fates, tell
from tests.dataprep.report.cleaning import EDITOR, write_clean, write_documents
from tests.dataprep.report.conftest import HOSTILE, HOSTILE_URL, REASONS, MadeRun


def test_the_story_of_a_duplicate_names_the_kept_copy(run: MadeRun) -> None:
    story = tell(run.out, run.ids["duplicates"][3])
    assert [(one.stage, one.kind) for one in story.appearances] == [
        ("documents", "kept"),
        ("clean", "kept"),
        ("unique", "removed"),
    ]
    last = story.appearances[-1]
    assert (last.reason, last.component) == ("near_duplicate", 7)
    assert story.kept_copy is not None
    assert story.kept_copy.id == last.duplicate_of == run.ids["kept"][0]
    assert last.similarity == pytest.approx(0.827, abs=1e-3)
    assert story.shard is None


def test_the_story_of_a_kept_document_ends_in_its_shard(run: MadeRun) -> None:
    story = tell(run.out, run.ids["hostile"][0])
    assert story.appearances[-1].text == f"3: {HOSTILE}"
    assert story.shard is not None
    assert (story.shard.path, story.shard.split) == ("books/train-00000.arrow", "train")
    assert story.shard.tokens == len(f"3: {HOSTILE}".encode()) + 1
    assert story.edits == []
    first = tell(run.out, run.ids["kept"][0])
    assert sorted(copy.id for copy in first.copies) == sorted(run.ids["duplicates"][:6])


def test_the_story_of_a_rejected_document_ends_with_the_reason(run: MadeRun) -> None:
    story = tell(run.out, run.ids["clean"][0])
    assert (story.appearances[-1].stage, story.appearances[-1].kind) == ("clean", "removed")
    assert story.appearances[-1].reason == REASONS[0]
    assert (story.shard, story.kept_copy, story.copies) == (None, None, ())


def test_a_quarantined_record_is_found_by_the_id_it_would_have_had_and_by_its_url(run: MadeRun) -> None:
    (record,) = sample(run.out, "documents", "quarantined", reason="truncated")
    assert tell(run.out, by_id(run.out, record.id)).appearances == (record,)
    (hostile,) = sample(run.out, "documents", "quarantined", reason="too_deep")
    assert hostile.id in by_url(run.out, HOSTILE_URL)


def test_an_id_may_be_shortened_until_it_is_ambiguous(run: MadeRun) -> None:
    key = run.ids["kept"][5]
    assert by_id(run.out, key[:9].upper()) == key
    with pytest.raises(ValueError, match=f"--id {key[0]}: [0-9]+ documents have an id that starts so"):
        by_id(run.out, key[0])
    with pytest.raises(ValueError, match="--id xyz: must be 1 to 32 hexadecimal digits"):
        by_id(run.out, "xyz")
    with pytest.raises(ValueError, match=r"no document in .* has an id that starts so"):
        by_id(run.out, "0" * 32)


@pytest.fixture(scope="module")
def addressed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, list[str]]]:
    """Documents with URLs that are alike, and URL → ids."""
    out = tmp_path_factory.mktemp("addressed")
    urls = ["http://a.example/x", "https://a.example/x", "https://a.example/x/", "https://a.example/y/", None]
    builder = BatchBuilder("s")
    for index, url in enumerate([*urls, "https://a.example/y/"]):
        builder.add("text", f"f#{index}", url)
    batch = builder.finish()
    assert batch is not None
    with PartWriter(str(out / "documents" / "kept" / "part-00000.parquet"), SCHEMA) as part:
        part.write(batch)
    ids: dict[str, list[str]] = {}
    for key, url in zip(batch.column("id").to_pylist(), batch.column("url").to_pylist(), strict=True):
        ids.setdefault(url, []).append(key.hex())
    return str(out), ids


def test_a_url_is_matched_exactly_before_it_is_matched_otherwise(addressed: tuple[str, dict[str, list[str]]]) -> None:
    out, ids = addressed
    for url in ("http://a.example/x", "https://a.example/x", "https://a.example/x/"):
        assert by_url(out, url) == ids[url]
    alike = [key for url, keys in ids.items() if url and "/x" in url for key in keys]
    assert by_url(out, "a.example/x") == by_url(out, "http://a.example/x/") == sorted(alike)
    assert by_url(out, "http://a.example/y") == sorted(ids["https://a.example/y/"])
    with pytest.raises(ValueError, match=r"--url a.example: no document in .* has this URL"):
        by_url(out, "a.example")


def test_documents_that_share_a_url_are_each_named_with_their_fate(run: MadeRun) -> None:
    keys = [run.ids["duplicates"][0], run.ids["clean"][1], run.ids["kept"][4]]
    found = [(one.id, one.stage, one.kind) for one in fates(run.out, keys)]
    places = [("unique", "removed"), ("clean", "removed"), ("unique", "kept")]
    assert found == [(key, *place) for key, place in zip(keys, places, strict=True)]


def test_an_edit_is_told_with_the_step_that_did_it(tmp_path: Path) -> None:
    write_documents(tmp_path, ["one\ntwo | three\nfour", "as it was"], parts=1)
    write_clean(tmp_path, steps=[EDITOR], rules=[{"reject": "marks", "when": "edit.marks", "above": 1}])
    first, second = (tell(str(tmp_path), one.id) for one in sample(str(tmp_path), "clean", "kept", limit=2))
    edited, same = (first, second) if first.edits else (second, first)
    assert edited.edits == [("@", "line 1"), (" ", "one"), ("-", "two | three"), ("+", "two  three"), (" ", "four")]
    assert same.edits == []
    assert edited.appearances[-1].signals["edit.marks"] == 1
    measured = find_measured(str(tmp_path))
    assert measured is not None
    assert [(step.name, step.columns, step.edits) for step in measured.steps] == [(EDITOR, ("edit.marks",), True)]


lines = st.lists(st.sampled_from(["a", "b", "c", "", "long" * 9]), max_size=12).map("\n".join)


@given(lines, lines)
def test_a_difference_accounts_for_every_line(before: str, after: str) -> None:
    shown = difference(before, after, 1000)
    minus, plus = (Counter(text for sign, text in shown if sign == wanted) for wanted in "-+")
    old, new = Counter(before.split("\n")), Counter(after.split("\n"))
    assert minus <= old
    assert old - minus + plus == new
    assert (shown == []) == (before == after)


def test_of_a_long_line_the_part_that_changed_is_shown() -> None:
    before = "x" * 5000 + " call 555-1234 now " + "y" * 5000
    _, (_, old), (_, new) = difference(before, before.replace("555-1234", "NUMBER"), 10)
    assert old.startswith("…" + "x" * (CONTEXT_CHARACTERS - 6) + " call 555-1234 now y")
    assert new.startswith("…" + "x" * (CONTEXT_CHARACTERS - 6) + " call NUMBER now y")
    assert len(old) == len(new) == LINE_CHARACTERS + 2


def test_a_difference_is_short_however_much_was_edited() -> None:
    assert difference("a\n" * 100_000, "b\n" * 100_000, 5)[-1] == ("@", "…")
    assert difference("a" * 10_000_000, "b", 5) == [("@", "line 1"), ("-", "a" * LINE_CHARACTERS + "…"), ("+", "b")]
