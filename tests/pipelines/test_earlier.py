"""A run compared with earlier ones: what it drops, what it leaves behind, and what it needs."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataprep import storage
from dataprep.dedup import _reference
from dataprep.dedup.index import BUCKET_COPIES, first_of_each_key
from dataprep.dedup.settings import DedupSettings
from dataprep.document import BatchBuilder
from dataprep.parts import PartWriter
from dataprep.report.story import tell
from pipelines.stage import MANIFEST
from tests.pipelines.test_unique import ROAD, ManyPartitions, corpus, directory, run_stage, texts

U64 = st.integers(0, 2**64 - 1)


def write(out, documents, parts, source):
    for part in range(parts):
        builder = BatchBuilder(source)
        for locator, text in documents[part::parts]:
            builder.add(text, locator, url=f"https://example.org/{locator}")
        batch = builder.finish()
        with PartWriter(f"{out}/clean/kept/part-{part:05d}.parquet", batch.schema) as writer:
            writer.write(batch)


def finished(out, **settings):
    """Run the stage and leave the manifest that a later run reads."""
    tally, extra, phases = run_stage(out, stage_class=ManyPartitions, **settings)
    said = {"deduplicate": settings, "against": settings.get("against", [])}  # the fingerprint is the directory
    storage.write_json(f"{out}/unique/{MANIFEST}", {"fingerprint": str(out), "extra": extra, "settings": said})
    return tally, extra, phases


def halves():
    """The corpus as two crawls: of every family some members are in each."""
    documents = corpus()
    return documents[::2], documents[1::2]


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    out = tmp_path_factory.mktemp("old")
    write(out, halves()[0], 3, "old")
    finished(out, index=True)
    return out


@pytest.fixture(scope="module")
def new(tmp_path_factory, old):
    out = tmp_path_factory.mktemp("new")
    write(out, halves()[1], 2, "new")
    finished(out, against=[str(old)], index=True)
    return out


def test_two_batches_keep_what_the_whole_keeps_if_it_prefers_the_first(tmp_path):
    preference = {"keep": "source", "sources": ["old", "new"]}
    first, second = halves()
    write(tmp_path / "old", first, 3, "old")
    write(tmp_path / "new", second, 2, "new")
    finished(tmp_path / "old", index=True, **preference)
    finished(tmp_path / "new", against=[str(tmp_path / "old")], **preference)
    write(tmp_path / "whole", first, 4, "old")
    batch_of = tmp_path / "more"
    write(batch_of, second, 1, "new")
    storage.write_bytes(
        f"{tmp_path}/whole/clean/kept/part-00004.parquet",
        storage.read_bytes(f"{batch_of}/clean/kept/part-00000.parquet"),
    )
    finished(tmp_path / "whole", **preference)
    apart = {**texts(tmp_path / "old", "kept"), **texts(tmp_path / "new", "kept")}
    assert sorted(apart) == sorted(texts(tmp_path / "whole", "kept"))


def test_a_new_copy_yields_to_the_earlier_one_and_its_row_names_it(old, new):
    earlier = {row["id"]: row["text"] for row in texts(old, "kept").values()}
    own = {row["id"]: row["text"] for row in texts(new, "kept").values()}
    removed = texts(new, "removed").values()
    yielding = [row for row in removed if row["duplicate_of"] in earlier]
    assert yielding
    either = earlier | own
    for row in removed:
        kept = either[row["duplicate_of"]]
        assert row["rejected_by"] == "exact_duplicate" or _reference.jaccard(row["text"], kept, 5) >= 0.8
    for text in own.values():
        assert all(_reference.jaccard(text, other, 5) < 0.8 for other in earlier.values())


def test_why_finds_the_kept_copy_in_the_earlier_run(old, new):
    earlier = {row["id"] for row in texts(old, "kept").values()}
    near = next(
        row
        for row in texts(new, "removed").values()
        if row["duplicate_of"] in earlier and row["rejected_by"] == "near_duplicate"
    )
    story = tell(str(new), near["id"].hex())
    assert story.kept_by == str(old)
    assert story.kept_copy
    assert story.kept_copy.id == near["duplicate_of"].hex()
    assert {sign for sign, _ in story.unlike_copy} >= {"-", "+"}


def test_new_copies_that_supersede_leave_tombstones_on_the_earlier_ones(tmp_path, old):
    alone, with_old = tmp_path / "alone", tmp_path / "with-old"
    for out in (alone, with_old):
        write(out, halves()[1], 2, "new")
    finished(alone)
    _, extra, _ = finished(with_old, against=[str(old)], copies="supersede")
    assert sorted(texts(with_old, "kept")) == sorted(texts(alone, "kept"))  # nothing new goes for something old
    rows = pq.read_table(f"{with_old}/unique/tombstones/run-00000.parquet").to_pylist()
    assert [tombstones["tombstones"] for tombstones in extra["tombstones"]] == [len(rows)]
    before = {row["id"]: row["text"] for row in texts(old, "kept").values()}
    own = {row["id"]: row["text"] for row in texts(with_old, "kept").values()}
    assert rows
    for row in rows:
        text, kept = before.pop(row["id"]), own[row["duplicate_of"]]
        assert row["measure"] == "exact" or _reference.jaccard(text, kept, 5) >= 0.8
    for text in own.values():
        assert all(_reference.jaccard(text, other, 5) < 0.8 for other in before.values())


def test_a_third_run_is_compared_with_both(tmp_path, old, new):
    write(tmp_path, corpus(), 4, "third")
    tally, extra, _ = finished(tmp_path, against=[str(old), str(new)])
    assert tally.kept == 0
    assert extra["copies_in_earlier_runs"] >= len(texts(old, "kept")) + len(texts(new, "kept"))


def test_a_document_that_has_yielded_to_a_later_run_is_no_kept_copy_for_a_third(tmp_path):
    link = {number: ".\n".join(ROAD[2 * number : 2 * number + 40]) for number in (8, 10, 11)}
    assert _reference.jaccard(link[8], link[10], 5) >= 0.8 > _reference.jaccard(link[8], link[11], 5)
    for name, number in (("first", 10), ("second", 11), ("third", 8), ("alone", 8)):
        write(tmp_path / name, [(name, link[number])], 1, name)
    finished(tmp_path / "first", index=True)
    finished(tmp_path / "second", index=True, against=[str(tmp_path / "first")], copies="supersede")
    assert pq.read_table(f"{tmp_path}/second/unique/tombstones/run-00000.parquet").num_rows == 1
    both = [str(tmp_path / "first"), str(tmp_path / "second")]
    finished(tmp_path / "third", against=both)
    assert list(texts(tmp_path / "third", "kept")) == ["third"]
    finished(tmp_path / "alone", against=both[:1])  # without the second run it is a copy of the first one's
    assert list(texts(tmp_path / "alone", "removed")) == ["alone"]


def test_what_goes_does_not_depend_on_order_or_number_of_files_in_either_run(tmp_path, old, new):
    first, second = halves()
    write(tmp_path / "old", first[::-1], 5, "old")
    finished(tmp_path / "old", index=True)
    write(tmp_path / "new", second[::-1], 1, "new")
    finished(tmp_path / "new", against=[str(tmp_path / "old")])

    def gone(out):
        return {k: (row["duplicate_of"], row["similarity"]) for k, row in texts(out, "removed").items()}

    assert gone(tmp_path / "new") == gone(new)


def test_a_run_cut_short_in_the_index_continues_to_the_same_bytes(tmp_path, old):
    write(tmp_path, halves()[0], 3, "old")
    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path, stage_class=ManyPartitions, interrupt_after=4, index=True)
    run_stage(tmp_path, stage_class=ManyPartitions, index=True)
    assert directory(tmp_path) == directory(old)


@pytest.mark.parametrize(
    ("earlier", "here", "message"),
    [
        (None, {}, "has no finished unique stage"),
        ({"index": False}, {}, "kept no index; run it again with deduplicate.index: true"),
        ({"index": True, "shingle": 4}, {}, "made with deduplicate.shingle 4, here it is 5"),
        ({"index": True}, {"bands": 14, "rows": 8}, "made with deduplicate.bands 21, here it is 14"),
    ],
)
def test_an_earlier_run_that_cannot_be_compared_with_is_named_with_what_to_do(tmp_path, earlier, here, message):
    write(tmp_path / "new", corpus()[:3], 1, "new")
    if earlier is not None:
        write(tmp_path / "old", corpus()[:3], 1, "old")
        finished(tmp_path / "old", **earlier)
    with pytest.raises(ValueError, match=message):
        run_stage(tmp_path / "new", against=[str(tmp_path / "old")], **here)


def test_superseding_needs_somebody_to_supersede():
    with pytest.raises(ValueError, match="copies: supersede needs earlier runs in against"):
        DedupSettings(copies="supersede")


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.integers(0, 300), U64), max_size=400))
def test_a_key_is_listed_for_the_documents_with_the_smallest_ids(pairs):
    ids = {reference: identity for _, reference, identity in pairs}
    keys, references, identities = (
        np.array([one[k] if k < 2 else ids[one[1]] for one in pairs], np.uint64) for k in range(3)
    )
    found = first_of_each_key(keys, references, identities)
    expected = []
    for key in (1, 2, 3):
        here = sorted({(ids[reference], reference) for k, reference, _ in pairs if k == key})
        expected += [(key, reference) for _, reference in here[:BUCKET_COPIES]]
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
