"""Deciding again from the columns is what cleaning again would have decided, for every document."""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataprep.clean.settings import CleanSettings
from dataprep.recipe import apply_override, parse_recipe
from dataprep.report import decide
from dataprep.report.decide import Numbers, Redecision, decide_again
from dataprep.report.funnel import load_funnel
from dataprep.report.measured import Measured, beside, condition, fires, load_measured
from dataprep.report.rulechange import change_rules, rules_of_recipe, to_make_it_real
from dataprep.rules import Reject, Use
from dataprep.tally import Tally
from tests.dataprep.report import cleaning
from tests.dataprep.report.cleaning import EDITOR, LENGTH, RULES, quantiles, verdicts, write_clean, write_documents
from tests.dataprep.report.conftest import MadeRun

ALL = 10_000  # samples: every document that changes sides


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cleaned run; tests do not change it."""
    folder = tmp_path_factory.mktemp("measured")
    write_documents(folder, cleaning.texts())
    write_clean(folder, rules=RULES)
    return folder


@pytest.fixture(scope="module")
def measured(out: Path) -> Measured:
    return load_measured(str(out))


def matrix(before: dict[str, tuple[str, int]], after: dict[str, tuple[str, int]]) -> dict[tuple[str, str], Numbers]:
    assert before.keys() == after.keys()
    counts: dict[tuple[str, str], Numbers] = {}
    for key, (reason, characters) in before.items():
        pair = reason, after[key][0]
        counts[pair] = counts.get(pair, Numbers()) + Numbers(1, characters)
    return counts


def moves(found: Redecision) -> dict[str, tuple[str, str]]:
    return {
        move.document.id: (move.was.reject if move.was else "", move.would.reject if move.would else "")
        for move in (*found.kept_again, *found.removed_now)
    }


@st.composite
def other_rules(draw: st.DrawFn, out: Path, rules: tuple[Reject, ...]) -> tuple[Reject, ...]:
    """The run's rules in any order, some left out, some with a threshold that documents lie on, some for a language."""
    found = []
    for rule in draw(st.permutations(rules)):
        change = draw(st.sampled_from(["same", "off", "value", "value", "languages"]))
        if change == "value" and isinstance(rule.value, float):
            rule = rule.model_copy(update={rule.comparison: draw(st.sampled_from(quantiles(out, rule.when)))})
        elif change == "languages":
            rule = rule.model_copy(update={"languages": ("en",)})
        if change != "off":
            found.append(rule)
    return tuple(found)


@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_deciding_again_equals_cleaning_again(
    out: Path, measured: Measured, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    rules = data.draw(other_rules(out, measured.rules))
    found = decide_again(str(out), measured, rules, samples=ALL)
    again = tmp_path_factory.mktemp("again")
    (again / "documents").symlink_to(out / "documents")
    write_clean(again, steps=[step.name for step in measured.steps], rules=[r.model_dump() for r in rules])
    before, after = verdicts(out), verdicts(again)
    assert found.counts == matrix(before, after)
    changed = {
        key: (before[key][0], after[key][0]) for key in before if (before[key][0] == "") != (after[key][0] == "")
    }
    assert moves(found) == changed
    shutil.rmtree(again)


def test_without_a_change_the_funnels_are_equal_and_nobody_changes_sides(out: Path, measured: Measured) -> None:
    found = decide_again(str(out), measured, measured.rules, samples=ALL)
    assert found.funnel(0) == found.funnel(1)
    assert moves(found) == {}
    assert found.renamed == found.moved("kept").documents == found.moved("removed").documents == 0
    tally = measured.tally
    counted = {reason: list(numbers) for reason, numbers in found.funnel(0).items()}
    assert counted.pop("") == [tally.kept, tally.characters_kept]
    assert counted == tally.removed
    assert len(counted) >= 5


def test_both_directions_are_counted_and_explained(out: Path, measured: Measured) -> None:
    rules = change_rules(measured.rules, ["fineweb.char_dup_ratio=off", "fineweb.line_punct_ratio=0.3"])
    found = decide_again(str(out), measured, rules, samples=ALL)
    assert found.moved("removed").documents == len(found.kept_again) > 0
    assert found.moved("kept").documents == len(found.removed_now) > 0
    for move in found.kept_again:
        assert move.was is not None
        assert move.was.reject == move.document.reason
        assert fires(move.was, move.document.signals)
        assert move.same is None or not fires(move.same, move.document.signals)
    for move in found.removed_now:
        assert move.would is not None
        assert (move.would.reject, move.would.below) == ("fineweb.line_punct_ratio", 0.3)
        assert fires(move.would, move.document.signals)
        assert move.same is not None
        assert move.same.below == 0.12


def test_samples_do_not_depend_on_how_much_is_read_at_once(
    out: Path, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = change_rules(measured.rules, ["gopher_quality.short_doc=120", "fineweb.char_dup_ratio=off"])
    whole = decide_again(str(out), measured, rules, samples=4)
    assert (len(whole.kept_again), len(whole.removed_now)) == (4, 4)
    for rows in (1, cleaning.GROUP_ROWS * 2):
        monkeypatch.setattr(decide, "ROWS_AT_ONCE", rows)
        assert decide_again(str(out), measured, rules, samples=4) == whole
    assert decide_again(str(out), measured, rules, samples=4, seed=1) != whole


def test_parts_of_an_older_version_are_counted_without_characters(run: MadeRun) -> None:
    rules = [Reject(reject="short", when="gopher.words", below=100)]
    found = decide_again(run.out, Measured((), (), Tally()), rules)
    stage = load_funnel(run.out).stage("clean")
    assert stage is not None
    assert sum(numbers.documents for numbers in found.counts.values()) == stage.documents_in
    assert {numbers.characters for numbers in found.counts.values()} == {0}
    with pytest.raises(ValueError, match="nothing to decide"):
        load_measured(run.out)


def test_a_rule_on_what_was_not_measured_is_refused(out: Path, measured: Measured) -> None:
    with pytest.raises(ValueError, match=r"rule 'x' needs the signal 'toxic.words', which no step measures"):
        decide_again(str(out), measured, [Reject(reject="x", when="toxic.words", above=0)])


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("fineweb.empty=2", {"below": 2.0}),
        ("fineweb.empty=1e-3", {"below": 0.001}),
        ("language=de", {"none_of": ("de",)}),
        ("language=[de, 'no']", {"none_of": ("de", "no")}),
    ],
)
def test_a_threshold_is_changed_by_its_reason(measured: Measured, override: str, expected: dict[str, Any]) -> None:
    reason = override.partition("=")[0]
    rules = change_rules(measured.rules, [override])
    assert [rule for rule in rules if rule.reject != reason] == [r for r in measured.rules if r.reject != reason]
    (changed,) = (rule for rule in rules if rule.reject == reason)
    assert {changed.comparison: changed.value} == expected
    assert [rule.reject for rule in rules] == [rule.reject for rule in measured.rules]


def test_off_leaves_a_rule_out(measured: Measured) -> None:
    rules = change_rules(measured.rules, ["gopher_quality.stop_words=off", "gopher_quality.stop_words=off"])
    assert [r for r in measured.rules if r not in rules] == [r for r in measured.rules if "stop_words" in r.reject]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fineweb.empty", "--set fineweb.empty: must be REASON=VALUE or REASON=off"),
        ("stop_words=3", "--set stop_words=3: no rule 'stop_words'; did you mean gopher_quality.stop_words?"),
        ("gopher.words=3", "no rule 'gopher.words'; did you mean gopher_quality.short_doc or gopher_quality.long_doc?"),
        ("fineweb.emty=3", "no rule 'fineweb.emty'; did you mean fineweb.empty"),
        ("zzz=3", "no rule 'zzz'; rules are: language, gopher_repetition.dup_para_frac"),
        ("fineweb.empty=x", "--set fineweb.empty=x: the rule rejects fineweb.lines below a number"),
        ("fineweb.empty=yes", "the rule rejects fineweb.lines below a number"),
        ("language=7", "--set language=7: the rule rejects language.label none of a list: [a, b]"),
        ("language=[", "--set language=[: the rule rejects language.label none of a list: [a, b]"),
    ],
)
def test_a_mistaken_change_is_one_line_with_what_is_allowed(measured: Measured, override: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^--set ") as caught:
        change_rules(measured.rules, [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_recipes_rules_are_taken_where_its_steps_measured_the_same(out: Path, measured: Measured) -> None:
    other = CleanSettings.model_validate({"rules": [{"use": "fineweb"}, {"use": "gopher_quality"}]})
    assert rules_of_recipe(other, measured, "other") == other.resolved_rules()


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        (
            {"steps": [{"language": {"first_characters": 500}}], "rules": RULES},
            "its step language has first_characters = 500; this run measured with 1000",
        ),
        (
            {"steps": [EDITOR], "rules": RULES},
            f"its step {EDITOR} did not run in this run, which has: language, gopher_repetition",
        ),
    ],
)
def test_a_recipe_that_measures_otherwise_is_refused_by_the_name_of_its_step(
    measured: Measured, clean: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"^r\.yaml: its step") as caught:
        rules_of_recipe(CleanSettings.model_validate(clean), measured, "r.yaml")
    assert message in str(caught.value)


def test_a_recipe_with_one_class_in_two_roles_decides_its_own_run(tmp_path: Path) -> None:
    write_documents(tmp_path, ["a b", "c"])
    rules = [{"reject": part, "when": f"length.{part}", "below": 3} for part in ("one", "two")]
    steps = [{LENGTH: {"part": "one"}}, {LENGTH: {"part": "two", "times": 2}}]
    own = write_clean(tmp_path, steps=steps, rules=rules)
    measured = load_measured(str(tmp_path))
    assert rules_of_recipe(own, measured, "r") == measured.rules
    other = CleanSettings.model_validate({"steps": [steps[0], {LENGTH: {"part": "two"}}], "rules": rules})
    with pytest.raises(ValueError, match=r"its step .*Length has times = 1; this run measured with 2"):
        rules_of_recipe(other, measured, "r")


def test_steps_that_no_rule_needs_may_differ(measured: Measured) -> None:
    rules = [{"use": "fineweb"}]
    other = CleanSettings.model_validate({"steps": [{"language": {"first_characters": 500}}], "rules": rules})
    assert len(rules_of_recipe(other, measured, "other")) == 5


def test_a_recipe_must_edit_as_the_run_did(tmp_path: Path) -> None:
    write_documents(tmp_path, ["a | b", "c"])
    rules = [{"reject": "few_lines", "when": "fineweb.lines", "below": 1}]
    edited = write_clean(tmp_path, steps=[EDITOR, "fineweb"], rules=rules)
    measured = load_measured(str(tmp_path))
    assert measured.editors(measured.rules) == [EDITOR]
    assert rules_of_recipe(edited, measured, "same") == measured.rules
    with pytest.raises(ValueError, match=r"^r: lacks the step .*DropMarks, which edited before this run measured"):
        rules_of_recipe(CleanSettings.model_validate({"rules": rules}), measured, "r")
    after = CleanSettings.model_validate({"steps": ["fineweb", EDITOR], "rules": rules})
    with pytest.raises(ValueError, match=r"its step fineweb comes after no edit; .*, after the edits of .*DropMarks"):
        rules_of_recipe(after, measured, "r")


def test_edits_after_all_that_rules_compare_bind_no_recipe(tmp_path: Path) -> None:
    write_documents(tmp_path, ["a | b", "c"])
    rules = [{"reject": "few_lines", "when": "fineweb.lines", "below": 1}]
    write_clean(tmp_path, rules=rules, after=[EDITOR, "gopher_quality"])
    measured = load_measured(str(tmp_path))
    assert measured.editors(measured.rules) == []
    for after in ([], [EDITOR], ["pii"]):
        other = CleanSettings.model_validate({"rules": rules, "after": after})
        assert rules_of_recipe(other, measured, "r") == measured.rules
    words = CleanSettings.model_validate({"rules": [{"reject": "short", "when": "gopher.words", "below": 1}]})
    with pytest.raises(ValueError, match=r"lacks the step .*DropMarks, which edited"):
        rules_of_recipe(words, measured, "r")


@pytest.mark.parametrize(
    "overrides",
    [
        ["gopher_quality.short_doc=90", "fineweb.empty=2.5"],
        ["gopher_quality.stop_words=off", "gopher_quality.hashes=off", "gopher_quality.alpha_words=0.5"],
        ["language=[en, 'no']"],
    ],
)
def test_what_is_printed_to_make_it_real_makes_it_real(measured: Measured, overrides: list[str]) -> None:
    wanted = change_rules(measured.rules, overrides)
    lines, by_hand = to_make_it_real(measured.rules, wanted)
    assert by_hand == []
    files = {"paths": ["unused"], "format": "text"}
    recipe = {"name": "test", "sources": [{"name": "s", "files": files}], "clean": {"rules": copy.deepcopy(RULES)}}
    for line in lines:
        apply_override(recipe, line)
    assert parse_recipe(recipe).clean.resolved_rules() == wanted


def test_rules_left_out_before_stay_left_out() -> None:
    used = Use.model_validate({"use": "fineweb", "as": "lines", "without": ["empty"]}).resolved()
    lines, _ = to_make_it_real(used, change_rules(used, ["lines.list_ratio=off"]))
    assert lines == ["clean.rules.lines.without=[empty, list_ratio]"]


def test_a_rule_of_ones_own_is_left_out_by_hand(measured: Measured) -> None:
    lines, by_hand = to_make_it_real(measured.rules, change_rules(measured.rules, ["language=off"]))
    assert (lines, by_hand) == ([], ["leave out the rule language"])
    own = (Reject(reject="my.own", when="gopher.words", below=9),)
    assert to_make_it_real(own, change_rules(own, ["my.own=7"])) == ([], ["let my.own compare with 7"])


def test_a_value_is_shown_on_its_side_of_the_threshold() -> None:
    rule = Reject(reject="r", when="a.x", below=0.12)
    assert (beside(0.111111, rule), beside(0.12, rule), beside(0.1199999, rule)) == ("0.1111", "0.12", "0.1199999")
    assert condition(rule) == "< 0.12"
    assert condition(Reject(reject="r", when="a.x", at_least=100_000)) == "≥ 100,000"
    assert condition(Reject(reject="r", when="a.x", none_of=("en", "de"))) == "not in en, de"
    assert condition(Reject(reject="r", when="a.x", above=1, languages=("en",))) == "> 1 (only en)"
