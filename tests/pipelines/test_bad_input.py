"""Whatever is wrong with a recipe, an option or the input is said in one line, without a traceback."""

import subprocess
import sys

import pytest

from pipelines.cli import main
from tests.pipelines.chain import command_line, one_line, run_cli
from tests.pipelines.corpus import recipe


@pytest.fixture
def run_here(tmp_path, monkeypatch, capsys):
    """As `run_cli`, in this process: for what is refused before a run has begun."""

    def run(value, *arguments):
        command = command_line(tmp_path, value, *arguments)
        monkeypatch.setattr(sys, "argv", ["dataprep", *command[command.index("run") :]])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(command, ended.value.code, said.out, said.err)

    return run


def test_a_missing_path_is_named_in_one_line(library, tmp_path):
    value = recipe(library)
    value["sources"][1]["files"]["paths"] = ["/no/such/place.jsonl"]
    one_line(run_cli(tmp_path, value), "/no/such/place.jsonl")


def test_an_empty_corpus_is_said_in_one_line(library, tmp_path):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "nothing" / "empty.txt").write_text("")
    value = recipe(library)
    value["sources"] = [{"name": "empty", "files": {"paths": [str(tmp_path / "nothing")]}}]
    one_line(run_cli(tmp_path, value), "no documents")


def test_a_corpus_of_which_nothing_is_kept_is_said_in_one_line(library, tmp_path):
    (tmp_path / "junk").mkdir()
    for i in range(5):
        (tmp_path / "junk" / f"{i}.txt").write_text(f"{i} {i} {i}")
    value = recipe(library)
    value["sources"] = [{"name": "junk", "files": {"paths": [str(tmp_path / "junk")]}}]
    one_line(run_cli(tmp_path, value), "clean", "no documents", "dataprep inspect")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dedupicate": {}}, ("dedupicate", "deduplicate")),
        ({"seed": -1}, ("seed", "-1", "0")),
        ({"deduplicate": {"keep": "prettiest"}}, ("deduplicate.keep", "prettiest", "longest")),
        ({"tokenizer": {"vocabulary_size": "many"}}, ("tokenizer.vocabulary_size", "many", "integer")),
        ({"sources": []}, ("sources", "at least 1")),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line_with_field_value_and_what_is_allowed(library, run_here, change, words):
    one_line(run_here({**recipe(library), **change}), *words)


@pytest.mark.parametrize(
    ("out", "word"), [("/proc/nope", "/proc/nope"), ("memory://x", "gs://"), ("{tmp}/recipe.yaml", "recipe.yaml")]
)
def test_an_unusable_out_is_one_line(library, run_here, tmp_path, out, word):
    one_line(run_here(recipe(library), "--out", out.format(tmp=tmp_path)), word)


def test_an_unknown_option_is_one_line_with_a_hint(library, run_here):
    one_line(run_here(recipe(library), "--temp_locatoin", "x"), "--temp_locatoin", "--temp_location")
