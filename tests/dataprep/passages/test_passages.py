"""What goes from a corpus, and from where, against a plain-Python statement of it."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataprep.dedup.sidecar import halves, joined
from dataprep.document import BatchBuilder, document_id
from dataprep.passages import _reference, rows
from dataprep.passages.anchors import anchor_hashes, anchor_words
from dataprep.passages.cut import cut
from dataprep.passages.edit import edited
from dataprep.passages.remove import Told, removals
from dataprep.passages.settings import PassageSettings
from dataprep.passages.table import Known, group
from dataprep.passages.units import units_of
from dataprep.text.utf8 import Utf8

ALPHABET = st.sampled_from(
    ["a", "b", "C", "dd", "é", "İ", "ς", "好", " ", " ", "\n", "\n\n", "-", '"', ".", "\x00", "\u0301", "\u3000", "_"]
)
TEXTS = st.one_of(st.lists(ALPHABET, max_size=60).map("".join), st.text(max_size=30))


def batch_of(texts):
    builder = BatchBuilder("test")
    for i, text in enumerate(texts):
        builder.add(text, str(i))
    return builder.finish()


def edit_corpus(texts, given, parts=1):
    """The whole way without Beam, over several parts: (edits by id, text by id of the documents that are left)."""
    batches = [batch for part in range(parts) if (batch := batch_of_part(texts, part, parts)) is not None]
    pieces = [cut(Utf8.of(batch.column("text"))) for batch in batches]
    n = given.substring_tokens
    repeated = [np.empty(0, np.uint64)] * len(batches)
    if n:
        anchors = [anchor_hashes(p.hashes[0], p.word_offsets, n, anchor_words(n)) for p in pieces]
        again = rows.repeated_anchors(rows.anchor_rows(found, part) for part, found in enumerate(anchors))
        numbers, part_of = again.column("anchor").to_numpy(), again.column("part").to_numpy()
        repeated = [np.sort(numbers[part_of == part]) for part in range(len(batches))]
    units = [units_of(p, known, given) for p, known in zip(pieces, repeated, strict=True)]
    ids = [halves(batch.column("id")) for batch in batches]
    seen = rows.Seen.concatenate(rows.Seen.of(u, i, part) for part, (u, i) in enumerate(zip(units, ids, strict=True)))
    verdicts, _ = rows.verdicts(seen, given)
    edits, left = {}, {}
    for part, batch in enumerate(batches):
        told = Told(verdicts.take(np.flatnonzero(verdicts.parts == part)))
        found = removals(Utf8.of(batch.column("text")), pieces[part], units[part], ids[part], told, n or 0)
        result = edited(batch, found, told.verdicts)
        for row in result.edits.to_pylist():
            edits.setdefault(row.pop("id"), []).append(row)
        left |= dict(zip(result.kept["id"].to_pylist(), result.kept["text"].to_pylist(), strict=True))
        assert result.kept.num_rows + result.removed.num_rows == batch.num_rows
    return edits, left


def batch_of_part(texts, part, parts):
    builder = BatchBuilder("test")
    for i in range(part, len(texts), parts):
        builder.add(texts[i], str(i))
    return builder.finish()


def check(texts, given, parts=1):
    whole = batch_of(texts)
    if whole is None:
        return
    corpus = dict(zip(whole["id"].to_pylist(), texts, strict=True))
    wanted = _reference.edits(corpus, given)
    edits, left = edit_corpus(texts, given, parts)
    for key, text in corpus.items():
        found = [(e["start"], e["end"], e["reason"], e["occurrences"], e["kept_in"]) for e in edits.get(key, [])]
        assert found == [tuple(edit) for edit in wanted[key]]
        assert [e["text"] for e in edits.get(key, [])] == [text[e.start : e.end] for e in wanted[key]]
        after = _reference.without(text, wanted[key])
        gone = bool(wanted[key]) and not _reference.words(after)
        assert left.get(key) == (None if gone else after)


@settings(max_examples=100)
@given(
    st.lists(TEXTS, min_size=1, max_size=5),
    st.sampled_from([1, 3]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 8]),
    st.sampled_from(["first", "none"]),
)
@example(["a a a a a a a a a a a a a a a a a a a a a"], 1, None, None, 8, "first")
@example(["- a b c d e f g h - "] * 3, 1, None, None, 8, "first")
@example(["x\n\nab cd\n\ny", "ab, CD"], 1, 1, 1, None, "first")
def test_what_goes_is_what_the_plain_statement_says(texts, parts, lines, paragraphs, stretch, keep):
    if lines or paragraphs or stretch:
        given = PassageSettings(lines=lines, paragraphs=paragraphs, characters=3, substring_tokens=stretch, keep=keep)
        check(texts, given, parts)


LINE = "the same line in every document"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"one\n{LINE}\ntwo", "one\ntwo"),
        (f"one\n\n{LINE}\n\ntwo", "one\n\ntwo"),
        (f"one\n{LINE}\n\ntwo", "one\n\ntwo"),
        (f"one\n\n{LINE}\ntwo", "one\n\ntwo"),
        (f"one\n    {LINE}\n  two", "one\n  two"),
        (f"{LINE}\n\ntwo\n", "two\n"),
        (f"  {LINE}\n  two", "  two"),
        (f"one\n\n - {LINE}! \n", "one"),
        (f"one\n{LINE}\n{LINE}\ntwo", "one\ntwo"),
        (f"one\n{LINE}\n* * *\n{LINE}\ntwo", "one\ntwo"),
        (f"one\r\n{LINE.upper()}\r\ntwo", "one\r\ntwo"),
        (f"one {LINE}\ntwo", f"one {LINE}\ntwo"),
        (f"\0{LINE}\u0301\n", None),
    ],
)
def test_a_line_that_goes_takes_its_spaces_and_leaves_no_gap(before, after):
    given = PassageSettings(lines=1, paragraphs=None, substring_tokens=None, keep="none")
    _, left = edit_corpus([before, LINE], given)
    assert left.get(document_id("test", "0")) == after


QUOTED = " ".join(f"quoted{i}" for i in range(9))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'She said: "{QUOTED}." Then she left.', "She said: Then she left."),
        (f"One. {QUOTED}\n\nTwo.", "One.\n\nTwo."),
        (f"One.\n\n{QUOTED} Two.", "One.\n\nTwo."),
        (f"One.\n\n{QUOTED}\n\nTwo.", "One.\n\nTwo."),
        (f"anti-{QUOTED}-like", "anti--like"),
        (f"{QUOTED}, {QUOTED}", None),
        (f"\u0301{QUOTED}\u0301 x", "x"),
        (f"好{QUOTED}", "好quoted0"),
    ],
)
def test_a_stretch_that_goes_takes_the_marks_that_touch_it(before, after):
    first = next(i for i in range(99) if document_id("test", str(i)) < document_id("test", str(i + 1)))
    texts = ["-"] * first + [QUOTED, before]
    given = PassageSettings(lines=None, paragraphs=None, substring_tokens=8)
    _, left = edit_corpus(texts, given)
    assert left.get(document_id("test", str(first + 1))) == after
    assert left[document_id("test", str(first))] == QUOTED


@given(st.data())
def test_copies_of_a_stretch_have_an_anchor_in_common(data):
    n = data.draw(st.integers(8, 60))
    words = st.integers(0, 3 if data.draw(st.booleans()) else 2**64 - 1)
    shared = data.draw(st.lists(words, min_size=n, max_size=n))
    around = [data.draw(st.lists(words, max_size=20)) for _ in range(4)]
    found = []
    for before, after in (around[:2], around[2:]):
        hashes = np.array([*before, *shared, *after], np.uint64)
        found.append(set(anchor_hashes(hashes, np.array([0, len(hashes)]), n, anchor_words(n)).tolist()))
    assert found[0] & found[1]


def test_few_words_of_ordinary_text_begin_an_anchor():
    hashes = np.random.default_rng(1).integers(0, 2**64, 100_000, np.uint64)
    found = anchor_hashes(hashes, np.array([0, len(hashes)]), 50, anchor_words(50))
    assert len(found) == pytest.approx(len(hashes) * 2 / 36, rel=0.05)


def test_keys_are_equal_only_in_both_halves():
    keys = np.array([[1, 1], [1, 2], [17, 1], [1, 1], [2, 1]], np.uint64)
    numbers, firsts = group(keys)
    assert (numbers.tolist(), firsts.tolist()) == ([0, 1, 2, 0, 3], [0, 1, 2, 4])
    assert Known(keys[firsts]).rows(np.array([[17, 1], [33, 1], [1, 2]], np.uint64)).tolist() == [2, -1, 1]


def test_a_text_of_one_word_many_times_keeps_one_stretch_of_it():
    given = PassageSettings(lines=None, paragraphs=None)
    edits, left = edit_corpus(["so " * 300_000], given)
    assert list(left.values()) == [("so " * 50).strip()]
    assert [len(rows) for rows in edits.values()] == [1]


def test_a_key_of_many_documents_is_one_row_of_its_part():
    texts = [LINE] * 4_000
    batch = batch_of(texts)
    units = units_of(cut(Utf8.of(batch.column("text"))), np.empty(0, np.uint64), PassageSettings())
    seen = rows.Seen.of(units, halves(batch.column("id")), 0)
    assert seen.counts.tolist() == [4_000, 4_000]
    first = min(batch.column("id").to_pylist())
    assert joined(seen.ids).to_pylist() == [first, first]
