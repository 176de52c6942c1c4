"""Rules: the first one that fires names the reason, comparisons are strict where they say so, counts add up."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataprep.clean.settings import CleanSettings
from dataprep.rules import Reject, Use, check_signals, decide, load_rule_set, resolve, rule_set_names, separate
from dataprep.tally import Tally


def batch_of(**columns: Any) -> pa.RecordBatch:
    rows = len(next(iter(columns.values())))
    texts = pa.array([f"text {i}" for i in range(rows)], pa.large_string())
    return pa.record_batch({"text": texts, **{name.replace("__", "."): column for name, column in columns.items()}})


def reasons(batch: pa.RecordBatch, *rules: Reject) -> list[str | None]:
    return decide(batch, rules).column("rejected_by").to_pylist()


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        ({"below": 2}, [True, False, False]),
        ({"above": 2}, [False, False, True]),
        ({"at_most": 2}, [True, True, False]),
        ({"at_least": 2}, [False, True, True]),
        ({"equals": 2}, [False, True, False]),
        ({"one_of": (1, 3)}, [True, False, True]),
        ({"none_of": (1, 3)}, [False, True, False]),
        ({"above": 1.5}, [False, True, True]),
    ],
)
@pytest.mark.parametrize("kind", [pa.int32(), pa.float64()])
def test_each_comparison_means_what_it_says(
    comparison: dict[str, Any], expected: list[bool], kind: pa.DataType
) -> None:
    batch = batch_of(a__x=pa.array([1, 2, 3], kind))
    rule = Reject.model_validate({"reject": "r", "when": "a.x", **comparison})
    assert [reason == "r" for reason in reasons(batch, rule)] == expected


def test_a_document_on_a_threshold_is_decided_as_python_decides() -> None:
    thresholds = [0.1, 0.2, 0.3, 0.65, 0.18, 0.11]
    values = [v for t in thresholds for v in (np.nextafter(t, 0), t, np.nextafter(t, 1))]
    for threshold in thresholds:
        fired = reasons(batch_of(a__x=values), Reject(reject="r", when="a.x", above=threshold))
        assert [reason is not None for reason in fired] == [float(value) > threshold for value in values]


def test_the_first_rule_that_fires_is_the_reason() -> None:
    batch = batch_of(a__x=[1, 2, 3], a__y=[9, 9, 0])
    small, big = Reject(reject="small", when="a.x", below=3), Reject(reject="big", when="a.y", above=5)
    only_one = Reject(reject="one", when="a.x", equals=1)
    assert reasons(batch, only_one, big, small) == ["one", "big", None]
    assert reasons(batch, small, big, only_one) == ["small", "small", None]
    assert reasons(batch) == [None, None, None]


def test_a_rule_can_be_restricted_to_languages() -> None:
    batch = batch_of(a__x=[1, 1, 1], language__label=["en", "de", None])
    assert reasons(batch, Reject(reject="r", when="a.x", below=2, languages=("en",))) == ["r", None, None]


def test_a_missing_measurement_fires_no_rule() -> None:
    batch = batch_of(a__x=pa.array([None, 1.0]), language__label=pa.array([None, "de"]))
    assert reasons(batch, Reject(reject="r", when="a.x", below=2)) == [None, "r"]
    assert reasons(batch, Reject(reject="r", when="language.label", none_of=("en",))) == [None, "r"]


def test_deciding_again_from_the_columns_replaces_the_reason() -> None:
    first = decide(batch_of(a__x=[1, 2]), [Reject(reject="old", when="a.x", below=9)])
    again = decide(first, [Reject(reject="new", when="a.x", below=2)])
    assert again.schema == first.schema
    assert again.column("rejected_by").to_pylist() == ["new", None]


def test_published_sets_keep_their_order_and_reasons_when_thresholds_change() -> None:
    rules = resolve([Use(use="gopher_quality", without=("stop_words", "hashes"), change={"short_doc": 7})])
    assert [rule.reject for rule in rules[:3]] == [
        f"gopher_quality.{n}" for n in ("short_doc", "long_doc", "short_words")
    ]
    assert len(rules) == len(load_rule_set("gopher_quality").rules) - 2
    assert rules[0].value == 7
    assert resolve([Use(use="gopher_quality")])[0].value == 50


def test_a_rule_can_ask_for_true_or_false() -> None:
    batch = batch_of(a__x=pa.array([True, False, None]))
    assert reasons(batch, Reject(reject="r", when="a.x", equals=True)) == ["r", None, None]
    assert reasons(batch, Reject(reject="r", when="a.x", equals=False)) == [None, "r", None]
    assert reasons(batch, Reject(reject="r", when="a.x", one_of=(True,))) == ["r", None, None]


@pytest.mark.parametrize(
    ("kind", "shown", "comparison"),
    [
        (pa.bool_(), "true or false", {"above": 0}),
        (pa.bool_(), "true or false", {"equals": 1}),
        (pa.bool_(), "true or false", {"equals": "true"}),
        (pa.int32(), "a number", {"equals": True}),
        (pa.string(), "text", {"one_of": ("a", False)}),
    ],
)
def test_a_rule_compares_a_signal_with_values_of_its_kind(
    kind: pa.DataType, shown: str, comparison: dict[str, Any]
) -> None:
    rule = Reject.model_validate({"reject": "r", "when": "a.x", **comparison})
    with pytest.raises(ValueError, match=f"rule 'r' compares a.x, which is {shown}, with "):
        check_signals([rule], pa.schema([("a.x", kind)]))


def test_every_published_set_needs_only_signals_that_exist(tmp_path: Path) -> None:
    (tmp_path / "en").write_text("word")
    given = {
        "badwords@c4": {"toxicity": {"lists": str(tmp_path)}},
        "urls@datatrove-0.10": {"urls": {"domains": [str(tmp_path / "en")]}},
    }
    assert {"fineweb", "gopher_quality", "gopher_repetition", *given} <= set(rule_set_names())
    for name in rule_set_names():
        settings = CleanSettings(rules=(Use.model_validate({"use": name, "with": given.get(name, {})}),))
        assert {rule.when for rule in settings.resolved_rules()} <= set(settings.columns().names)


def test_published_numbers_are_those_of_the_papers() -> None:
    names = ("fineweb", "gopher_quality", "gopher_repetition")
    numbers = {f"{name}.{rule.reject}": rule.value for name in names for rule in load_rule_set(name).rules}
    assert numbers["gopher_quality.long_doc"] == 100_000
    assert [numbers[f"gopher_repetition.top_{n}_gram"] for n in (2, 3, 4)] == [0.20, 0.18, 0.16]
    assert [numbers[f"gopher_repetition.dup_{n}_gram"] for n in range(5, 11)] == [0.15, 0.14, 0.13, 0.12, 0.11, 0.10]
    assert numbers["fineweb.line_punct_ratio"] == 0.12
    assert len(numbers) == 13 + 10 + 5


def test_kept_and_removed_add_up_and_keep_their_order() -> None:
    batch = decide(
        batch_of(a__x=[1, 2, 3, 2]),
        [Reject(reject="two", when="a.x", equals=2), Reject(reject="three", when="a.x", equals=3)],
    )
    tally = Tally()
    tally.take(4, 24)
    kept, removed = separate(batch, tally)
    tally.check("test")
    assert kept.column("text").to_pylist() == ["text 0"]
    assert removed.column("text").to_pylist() == ["text 1", "text 2", "text 3"]
    assert tally.removed == {"two": [2, 12], "three": [1, 6]}
    assert (tally.kept, tally.characters_kept) == (1, 6)
