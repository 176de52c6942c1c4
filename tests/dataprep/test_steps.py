"""One bad document never takes another with it."""

from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataprep.document import BatchBuilder
from dataprep.steps import Step, apply_steps
from dataprep.tally import Tally


class Picky(Step):
    """Adds a column, and raises on any batch that holds a text it does not like: as a parser would."""

    name: ClassVar[str] = "picky"
    dislikes: str = "bad"
    part: str = ""

    @property
    def role(self) -> str:
        return self.part

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if pc.any(pc.equal(batch["text"], self.dislikes)).as_py():
            raise ValueError("cannot parse\nthis")
        return batch.append_column("picky.length", pc.utf8_length(batch["text"]))


def _batch(texts):
    builder = BatchBuilder("s")
    for i, text in enumerate(texts):
        builder.add(text, f"f#{i}")
    return builder.finish()


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["good", "fine", "bad"]), min_size=1, max_size=15))
def test_exactly_the_bad_rows_are_quarantined_and_the_rest_keep_their_order(texts):
    result, bad = apply_steps([Picky()], _batch(texts))
    assert result["text"].to_pylist() == [t for t in texts if t != "bad"]
    assert [row.locator for row in bad] == [f"f#{i}" for i, t in enumerate(texts) if t == "bad"]
    assert all(row.step == "picky" and row.reason == "ValueError" and row.error == "cannot parse this" for row in bad)
    if result.num_rows:
        assert "picky.length" in result.schema.names


def test_a_step_that_can_do_nothing_is_broken_itself_and_stops_the_run():
    with pytest.raises(RuntimeError, match="picky fails for all of 20 documents: cannot parse this"):
        apply_steps([Picky()], _batch(["bad"] * 20))


def test_two_steps_of_one_name_are_not_taken_for_one_that_is_broken():
    two = [Picky(dislikes="bad", part="one"), Picky(dislikes="worse", part="two")]
    _, bad = apply_steps(two, _batch(["bad"] * 10 + ["worse"] * 10))
    assert [row.step for row in bad] == ["picky as one"] * 10 + ["picky as two"] * 10
    with pytest.raises(RuntimeError, match="picky as two fails for all of 16 documents"):
        apply_steps(two, _batch(["bad"] * 10 + ["worse"] * 16))


@pytest.mark.parametrize("error", [OSError("disk full"), MemoryError(), ImportError("no fasttext")])
def test_what_is_the_machines_fault_is_no_documents_fault(error):
    class Unlucky(Step):
        name: ClassVar[str] = "unlucky"

        def __call__(self, batch):
            raise error

    with pytest.raises(type(error)):
        apply_steps([Unlucky()], _batch(["a", "b"]))


def test_a_step_that_loses_rows_is_a_bug_and_says_so():
    class Lossy(Step):
        name: ClassVar[str] = "lossy"

        def __call__(self, batch):
            return batch.slice(1)

    with pytest.raises(RuntimeError, match="lossy returned 1 rows for 2"):
        apply_steps([Lossy()], _batch(["a", "b"]))


def test_counts_that_do_not_add_up_are_refused():
    tally = Tally()
    tally.take(3, 30)
    tally.keep(1, 10)
    tally.remove("short", 1, 5)
    with pytest.raises(RuntimeError, match="3 documents in, 2 out"):
        tally.check("here")
    tally.quarantine("crash")
    tally.check("here")
    assert Tally.total([tally, Tally.from_json(tally.to_json())]).to_json()["removed"] == {"short": [2, 10]}
