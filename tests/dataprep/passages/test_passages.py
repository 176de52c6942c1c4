"""What goes from a corpus, and from where, against a plain-Python statement of it."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataprep.dedup.sidecar import halves
from dataprep.document import BatchBuilder
from dataprep.passages import _reference, rows
from dataprep.passages.anchors import anchor_hashes, anchor_words
from dataprep.passages.cut import cut
from dataprep.passages.edit import edited
from dataprep.passages.remove import Told, removals
from dataprep.passages.settings import PassageSettings
from dataprep.passages.units import units_of
from dataprep.text.utf8 import Utf8

SMALL = PassageSettings(lines=1, paragraphs=1, characters=3, substring_tokens=8)
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


@settings(max_examples=300, deadline=None)
@given(
    st.lists(TEXTS, min_size=1, max_size=5),
    st.sampled_from([1, 3]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 1, 2]),
    st.sampled_from([None, 8]),
    st.sampled_from(["first", "none"]),
)
@example(["a a a a a a a a a a a a a a a a a a a a a"], 1, None, None, 8, "first")
@example(["x\n\nab cd\n\ny", "ab, CD"], 1, 1, 1, None, "first")
def test_what_goes_is_what_the_plain_statement_says(texts, parts, lines, paragraphs, stretch, keep):
    if lines or paragraphs or stretch:
        given = PassageSettings(lines=lines, paragraphs=paragraphs, characters=3, substring_tokens=stretch, keep=keep)
        check(texts, given, parts)
