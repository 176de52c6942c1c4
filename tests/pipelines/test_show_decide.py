"""What the command line says about deciding again: both funnels, who would change sides, and what to do about it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dataprep import storage
from dataprep.recipe import apply_override
from pipelines import show_decide
from tests.dataprep.report.cleaning import EDITOR, write_clean, write_documents
from tests.pipelines.chain import one_line
from tests.pipelines.corpus import recipe
from tests.pipelines.test_show import printed, screen


def counts(out):
    return storage.read_json(f"{out}/clean/_stage.json")["counts"]


def decided(out, *arguments, **options):
    """What is printed, and its lines as cells."""
    console = screen()
    show_decide.decide(console, str(out), *arguments, **options)
    return printed(console), [line.split() for line in printed(console).splitlines()]


def test_both_funnels_stand_side_by_side_with_who_would_change_sides(finished):
    text, lines = decided(finished, ["repeated_lines=off"], samples=2)
    was = counts(finished)
    removed, characters = was["removed"]["repeated_lines"]
    assert ["repeated_lines", f"-{removed}", f"-{characters / 1e6:.3g}M", "0", f"-{removed}"] in lines
    (kept,) = (line for line in lines if line[:1] == ["kept"])
    assert kept[1] == str(was["kept"])
    assert lines.count(["repeated_lines", "→", "kept"]) == 2
    assert max(map(len, text.splitlines())) <= 80
    assert "in the recipe, leave out the rule repeated_lines" in text


def test_what_would_be_is_what_the_printed_command_makes(finished, library, tmp_path):
    _, lines = decided(finished, ["gopher_quality.stop_words=9"], samples=0)
    (kept,) = (line for line in lines if line[:1] == ["kept"])
    assert lines[-1][:5] == ["dataprep", "run", "RECIPE", "--out", str(finished)]
    assert " ".join(lines[-2]) == "options that the run was given, they are not remembered):"
    value = recipe(library)
    apply_override(value, lines[-1][-1])
    (tmp_path / "documents").symlink_to(finished / "documents")
    write_clean(tmp_path, **value["clean"])
    assert kept[3] == str(counts(tmp_path)["kept"]) != kept[1]


def test_without_a_change_the_rules_are_listed(finished):
    text, lines = decided(finished)
    assert "Nothing is changed." in text
    assert ["repeated_lines", "repetition.dup_line_frac", ">", "0.5"] in lines
    assert ["gopher_quality.long_doc", "gopher.words", ">", "100,000"] in lines


def test_another_recipe_is_taken_by_its_file(finished, tmp_path):
    other = recipe(tmp_path)
    other["clean"]["rules"] = [{"use": "gopher_quality"}]
    del other["shards"]["columns"]  # of steps that it does not have
    file = tmp_path / "other.yaml"
    file.write_text(yaml.safe_dump(other))
    _, lines = decided(finished, recipe=str(file), samples=0)
    assert f"give the run's recipe the clean part of {file}" in " ".join(lines[-1])
    file.write_text(yaml.safe_dump({**other, "clean": {"rules": [{"use": "fineweb"}]}}))
    with pytest.raises(ValueError, match=r"other.yaml: its step fineweb did not run in this run"):
        decided(finished, recipe=str(file))


@pytest.mark.parametrize("where", ["steps", "after"])
def test_edits_are_said_to_stay_where_a_rule_sees_them(tmp_path, where):
    write_documents(tmp_path, ["a | b", "c | | d"])
    write_clean(tmp_path, rules=[{"reject": "short", "when": "gopher.words", "below": 3}], **{where: [EDITOR]})
    text, _ = decided(tmp_path, ["short=4"])
    if where == "after":
        assert "note" not in text
        return
    assert f"deciding again cannot undo an edit, and steps measured behind {EDITOR}" in text


def test_a_mistake_is_one_line(finished):
    command = [sys.executable, "-m", "pipelines.cli", "decide", str(finished), "--set", "stop_words=3"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2])
    one_line(result, "--set stop_words=3", "gopher_quality.stop_words")
